/*
 * Packing for the x86 tiers: file blocks of 16 rows into the interleaved layout of layout.h,
 * and one row back as f32. Plain C: it runs once per load, or once per token for one row.
 */
#include "arith/bits.h"
#include "base/bytes.h"
#include "kernels/x86/layout.h"

enum { TILE = VB_ROW_TILE };

size_t vb_x86_pack_bytes(vb_wtype type, size_t rows, size_t cols) {
    const vb_wtype_info *info = vb_wtype_get(type);
    size_t bytes, padded;
    if (!info || cols % info->block_values != 0) {
        return 0;
    }
    if (info->is_float) {
        size_t row_bytes;
        if (!vb_mul_size(cols, info->block_bytes, &row_bytes) ||
            !vb_mul_size(rows, row_bytes, &bytes)) {
            return 0;
        }
    } else {
        size_t blocks = cols / VB_BLOCK, per_group = vb_x86_group_blocks(type);
        size_t groups = blocks / per_group + (blocks % per_group != 0);
        size_t tiles = rows / TILE + (rows % TILE != 0);
        if (!vb_mul_size(groups, vb_x86_group_bytes(type), &bytes) ||
            !vb_mul_size(bytes, tiles, &bytes)) {
            return 0;
        }
    }
    if (!vb_add_size(bytes, 63, &padded)) {
        return 0;
    }
    return padded & ~(size_t)63;
}

/* Spreads n bytes of one row, 4 at a time, over the chunks of a tile. */
static void spread(uint8_t *dst, const uint8_t *src, size_t n, size_t row, uint8_t flip) {
    uint32_t mask = flip * 0x01010101u;
    for (size_t j = 0; j < n / 4; j++) {
        uint32_t v;
        memcpy(&v, src + 4 * j, 4);
        v ^= mask;
        memcpy(dst + VB_X86_CHUNK_BYTES * j + 4 * row, &v, 4);
    }
}

/* Bit 4j + i of bits becomes bit j of byte i of the row's 4 bytes. */
static void spread_bits(uint8_t *dst, uint32_t bits, size_t row) {
    for (size_t i = 0; i < 4; i++) {
        uint8_t v = 0;
        for (size_t j = 0; j < 8; j++) {
            v |= (uint8_t)((bits >> (4 * j + i) & 1) << j);
        }
        dst[4 * row + i] = v;
    }
}

/* One block of one row into block b (0 or 1) of a group. */
static void pack_pair_block(vb_wtype type, uint8_t *g, const uint8_t *src, size_t b, size_t row,
                            uint8_t q8_flip) {
    memcpy(g + 32 * b + 2 * row, src, 2);
    switch (type) {
    case VB_Q8_0: spread(g + 64 + 512 * b, src + 2, 32, row, q8_flip); break;
    case VB_Q4_0: spread(g + 64 + 256 * b, src + 2, 16, row, 0); break;
    case VB_Q4_1:
        memcpy(g + 64 + 32 * b + 2 * row, src + 2, 2);
        spread(g + 128 + 256 * b, src + 4, 16, row, 0);
        break;
    case VB_Q5_0:
        spread_bits(g + 576 + 64 * b, vb_load_u32le(src + 2), row);
        spread(g + 64 + 256 * b, src + 6, 16, row, 0);
        break;
    case VB_Q5_1:
        memcpy(g + 64 + 32 * b + 2 * row, src + 2, 2);
        spread_bits(g + 640 + 64 * b, vb_load_u32le(src + 4), row);
        spread(g + 128 + 256 * b, src + 8, 16, row, 0);
        break;
    default: VB_ASSERT(0);
    }
}

/* The eight 6-bit scales and minimums of Q4_K and Q5_K, widened to bytes. */
static void pack_k_scales(uint8_t *g, const uint8_t *src, size_t row) {
    for (size_t b = 0; b < 8; b++) {
        uint8_t sc, mn;
        if (b < 4) {
            sc = src[b] & 63;
            mn = src[b + 4] & 63;
        } else {
            sc = (uint8_t)((src[b + 4] & 15) | (src[b - 4] >> 6) << 4);
            mn = (uint8_t)((src[b + 4] >> 4) | (src[b] >> 6) << 4);
        }
        g[VB_X86_K_SCALES + TILE * b + row] = sc;
        g[VB_X86_K_MINS + TILE * b + row] = mn;
    }
}

/* One 256-value block of one row. */
static void pack_k_block(vb_wtype type, uint8_t *g, const uint8_t *src, size_t row) {
    if (type == VB_Q6_K) {
        memcpy(g + 2 * row, src + 208, 2);
        for (size_t i = 0; i < 16; i++) {
            g[VB_X86_K_SCALES + TILE * i + row] = src[192 + i];
        }
        for (size_t half = 0; half < 2; half++) {
            uint8_t *to = g + VB_X86_Q6_HALF * half;
            spread(to + VB_X86_K_UNDER_HIGH, src + 64 * half, 64, row, 0);
            spread(to + VB_X86_K_HIGH, src + 128 + 32 * half, 32, row, 0);
        }
        return;
    }
    memcpy(g + 2 * row, src, 2);
    memcpy(g + VB_X86_K_MIN + 2 * row, src + 2, 2);
    pack_k_scales(g, src + 4, row);
    if (type == VB_Q5_K) {
        spread(g + VB_X86_K_HIGH, src + 16, 32, row, 0);
        spread(g + VB_X86_K_UNDER_HIGH, src + 48, 128, row, 0);
    } else {
        spread(g + VB_X86_K_QUANTS, src + 16, 128, row, 0);
    }
}

void vb_x86_pack(const vb_matrix *m, const uint8_t *src, size_t row_begin, size_t row_end,
                 uint8_t q8_flip) {
    const vb_wtype_info *info = vb_wtype_get(m->type);
    VB_ASSERT(info && row_begin % TILE == 0 && row_end <= m->rows);
    size_t row_bytes = m->cols / info->block_values * info->block_bytes;
    uint8_t *data = m->data;
    if (info->is_float) {
        if (row_end > row_begin) {
            memcpy(data + row_begin * row_bytes, src, (row_end - row_begin) * row_bytes);
        }
        return;
    }
    size_t tile_bytes = vb_x86_tile_bytes(m->type, m->cols);
    size_t group_bytes = vb_x86_group_bytes(m->type);
    bool is_k = info->block_values != VB_BLOCK;
    for (size_t r0 = row_begin; r0 < row_end; r0 += TILE) {
        uint8_t *tile = data + r0 / TILE * tile_bytes;
        size_t rows = row_end - r0 < TILE ? row_end - r0 : TILE;
        if (rows < TILE || m->cols % (VB_X86_PAIR_BLOCKS * VB_BLOCK) != 0) {
            memset(tile, 0, tile_bytes);
        }
        for (size_t row = 0; row < rows; row++) {
            const uint8_t *block = src + (r0 - row_begin + row) * row_bytes;
            for (size_t i = 0; i < m->cols / info->block_values; i++, block += info->block_bytes) {
                if (is_k) {
                    pack_k_block(m->type, tile + i * group_bytes, block, row);
                } else {
                    pack_pair_block(m->type, tile + i / 2 * group_bytes, block, i % 2, row,
                                    q8_flip);
                }
            }
        }
    }
}

static float f16_at(const uint8_t *p) {
    return vb_f16_to_f32(vb_load_u16le(p));
}

/* One block of one row of a pair format: section 3, "Values". */
static void unpack_pair_block(vb_wtype type, const uint8_t *g, size_t b, size_t row, float *out,
                              uint8_t q8_flip) {
    float s = f16_at(g + 32 * b + 2 * row);
    bool has_m = type == VB_Q4_1 || type == VB_Q5_1;
    bool has_high = type == VB_Q5_0 || type == VB_Q5_1;
    float m = has_m ? f16_at(g + 64 + 32 * b + 2 * row) : 0;
    for (size_t k = 0; k < VB_BLOCK; k++) {
        size_t j = k / 4, at = 4 * row + k % 4;
        int w;
        if (type == VB_Q8_0) {
            w = (int8_t)(g[64 + 512 * b + 64 * j + at] ^ q8_flip);
        } else {
            w = g[(has_m ? 128 : 64) + 256 * b + 64 * (j % 4) + at] >> (j / 4 * 4) & 15;
            if (has_high) {
                w |= (g[(has_m ? 640 : 576) + 64 * b + at] >> j & 1) << 4;
            }
            w -= type == VB_Q4_0 ? 8 : type == VB_Q5_0 ? 16 : 0;
        }
        out[k] = s * (float)w;
        if (has_m) {
            out[k] = out[k] + m;
        }
    }
}

/* Block b of one 256-value group of one row. */
static void unpack_k_block(vb_wtype type, const uint8_t *g, size_t b, size_t row, float *out) {
    float d = f16_at(g + 2 * row);
    if (type == VB_Q6_K) {
        for (size_t k = 0; k < VB_BLOCK; k++) {
            size_t at = 64 * (k / 4) + 4 * row + k % 4;
            const uint8_t *half = g + VB_X86_Q6_HALF * (b / 4);
            int lo = half[VB_X86_K_UNDER_HIGH + 512 * (b % 2) + at] >> (b / 2 % 2 * 4);
            int hi = half[VB_X86_K_HIGH + at] >> (2 * (b % 4));
            int8_t sc = (int8_t)g[VB_X86_K_SCALES + TILE * (2 * b + k / 16) + row];
            out[k] = (d * (float)sc) * (float)(((lo & 15) | (hi & 3) << 4) - 32);
        }
        return;
    }
    size_t quants = type == VB_Q5_K ? VB_X86_K_UNDER_HIGH : VB_X86_K_QUANTS;
    float s = d * (float)g[VB_X86_K_SCALES + TILE * b + row];
    float m = -(f16_at(g + VB_X86_K_MIN + 2 * row) * (float)g[VB_X86_K_MINS + TILE * b + row]);
    for (size_t k = 0; k < VB_BLOCK; k++) {
        size_t at = 64 * (k / 4) + 4 * row + k % 4;
        int w = g[quants + 512 * (b / 2) + at] >> (b % 2 * 4) & 15;
        if (type == VB_Q5_K) {
            w |= (g[VB_X86_K_HIGH + at] >> b & 1) << 4;
        }
        out[k] = s * (float)w + m;
    }
}

static void unpack_float_row(const vb_matrix *m, size_t row, float *out) {
    const uint8_t *p = m->data;
    if (m->type == VB_F32) {
        memcpy(out, p + row * m->cols * 4, m->cols * 4);
        return;
    }
    p += row * m->cols * 2;
    for (size_t i = 0; i < m->cols; i++) {
        uint16_t bits = vb_load_u16le(p + 2 * i);
        out[i] = m->type == VB_F16 ? vb_f16_to_f32(bits) : vb_bf16_to_f32(bits);
    }
}

void vb_x86_unpack_row(const vb_matrix *m, size_t row, float *out, uint8_t q8_flip) {
    const vb_wtype_info *info = vb_wtype_get(m->type);
    VB_ASSERT(info && row < m->rows);
    if (info->is_float) {
        unpack_float_row(m, row, out);
        return;
    }
    size_t group_bytes = vb_x86_group_bytes(m->type);
    const uint8_t *tile = m->data;
    tile += row / TILE * vb_x86_tile_bytes(m->type, m->cols);
    for (size_t b = 0; b < m->cols / VB_BLOCK; b++) {
        if (info->block_values == VB_BLOCK) {
            unpack_pair_block(m->type, tile + b / 2 * group_bytes, b % 2, row % TILE,
                              out + b * VB_BLOCK, q8_flip);
        } else {
            unpack_k_block(m->type, tile + b / 8 * group_bytes, b % 8, row % TILE,
                           out + b * VB_BLOCK);
        }
    }
}
