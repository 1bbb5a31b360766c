/*
 * Packing for the x86 tiers: file blocks of 16 rows into the interleaved layout of layout.h,
 * and one row back as f32. Plain C: it runs once per load, or once per token for one row.
 */
#include "arith/bits.h"
#include "base/bytes.h"
#include "kernels/x86/layout.h"

enum { TILE = VB_ROW_TILE, CHUNKS = 8 };

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

/* Four weights or bytes of a row in a word: the same bits of each. */
VB_INLINE uint32_t each(uint32_t word, uint32_t byte) {
    return word & byte * 0x01010101u;
}

/* Four bits, one into the lowest bit of each byte. */
VB_INLINE uint32_t bit_each(uint32_t bits) {
    return (bits & 15) * 0x204081u & 0x01010101u;
}

/* The weights of block b of a format block, unsigned (Q8_0: with flip xored in): w[j] is chunk j.
 */
VB_INLINE void file_weights(vb_wtype type, const uint8_t *src, size_t b, uint8_t flip,
                            uint32_t w[CHUNKS]) {
    const uint32_t h = type == VB_Q5_0   ? vb_load_u32le(src + 2)
                       : type == VB_Q5_1 ? vb_load_u32le(src + 4)
                                         : 0;
    const uint8_t *low = src + (type == VB_Q5_1   ? 8
                                : type == VB_Q5_0 ? 6
                                : type == VB_Q4_1 ? 4
                                                  : 2);
    for (size_t j = 0; j < CHUNKS; j++) {
        switch (type) {
        case VB_Q8_0: w[j] = vb_load_u32le(src + 2 + 4 * j) ^ each(~0u, flip); break;
        case VB_Q4_K:
            w[j] = each(vb_load_u32le(src + 16 + 32 * (b / 2) + 4 * j) >> b % 2 * 4, 15);
            break;
        case VB_Q5_K:
            w[j] = each(vb_load_u32le(src + 48 + 32 * (b / 2) + 4 * j) >> b % 2 * 4, 15) |
                   each(vb_load_u32le(src + 16 + 4 * j) >> b, 1) << 4;
            break;
        case VB_Q6_K:
            w[j] = each(vb_load_u32le(src + 64 * (b / 4) + 32 * (b % 2) + 4 * j) >> b / 2 % 2 * 4,
                        15) |
                   each(vb_load_u32le(src + 128 + 32 * (b / 4) + 4 * j) >> 2 * (b % 4), 3) << 4;
            break;
        default:
            w[j] = each(vb_load_u32le(low + 4 * (j % 4)) >> j / 4 * 4, 15) | bit_each(h >> 4 * j)
                                                                                 << 4;
        }
    }
}

VB_INLINE void put(uint8_t *lines, size_t line, size_t row, uint32_t v) {
    memcpy(lines + VB_X86_CHUNK_BYTES * line + 4 * row, &v, 4);
}

static uint32_t take(const uint8_t *lines, size_t line, size_t row) {
    uint32_t v;
    memcpy(&v, lines + VB_X86_CHUNK_BYTES * line + 4 * row, 4);
    return v;
}

/* One row's weights of a block into its lines: layout.h. */
VB_INLINE void put_weights(int bits, uint8_t *lines, size_t row, const uint32_t w[CHUNKS]) {
    switch (bits) {
    case 8:
        for (size_t j = 0; j < CHUNKS; j++) {
            put(lines, j, row, w[j]);
        }
        break;
    case 6:
        for (size_t j = 0; j < CHUNKS; j += 4, lines += 3 * VB_X86_CHUNK_BYTES) {
            put(lines, 0, row, w[j] | each(w[j + 3], 0x30) << 2);
            put(lines, 1, row, w[j + 1] | each(w[j + 3], 0x0c) << 4);
            put(lines, 2, row, w[j + 2] | each(w[j + 3], 0x03) << 6);
        }
        break;
    case 5:
        put(lines, 0, row, w[0] | each(w[5], 0x07) << 5);
        put(lines, 1, row, w[1] | each(w[6], 0x07) << 5);
        put(lines, 2, row, w[2] | each(w[7], 0x07) << 5);
        put(lines, 3, row, w[3] | each(w[7], 0x08) << 2 | each(w[5], 0x18) << 3);
        put(lines, 4, row, w[4] | each(w[7], 0x10) << 1 | each(w[6], 0x18) << 3);
        break;
    default:
        for (size_t j = 0; j < CHUNKS / 2; j++) {
            put(lines, j, row, w[j] | w[j + CHUNKS / 2] << 4);
        }
    }
}

/* And back. */
static void take_weights(int bits, const uint8_t *lines, size_t row, uint32_t w[CHUNKS]) {
    switch (bits) {
    case 8:
        for (size_t j = 0; j < CHUNKS; j++) {
            w[j] = take(lines, j, row);
        }
        break;
    case 6:
        for (size_t j = 0; j < CHUNKS; j += 4, lines += 3 * VB_X86_CHUNK_BYTES) {
            const uint32_t a = take(lines, 0, row), b = take(lines, 1, row),
                           c = take(lines, 2, row);
            w[j] = each(a, 0x3f);
            w[j + 1] = each(b, 0x3f);
            w[j + 2] = each(c, 0x3f);
            w[j + 3] = each(a >> 2, 0x30) | each(b >> 4, 0x0c) | each(c >> 6, 0x03);
        }
        break;
    case 5:
        for (size_t j = 0; j < 5; j++) {
            w[j] = each(take(lines, j, row), 0x1f);
        }
        w[5] = each(take(lines, 0, row) >> 5, 0x07) | each(take(lines, 3, row) >> 3, 0x18);
        w[6] = each(take(lines, 1, row) >> 5, 0x07) | each(take(lines, 4, row) >> 3, 0x18);
        w[7] = each(take(lines, 2, row) >> 5, 0x07) | each(take(lines, 3, row) >> 2, 0x08) |
               each(take(lines, 4, row) >> 1, 0x10);
        break;
    default:
        for (size_t j = 0; j < CHUNKS / 2; j++) {
            w[j] = each(take(lines, j, row), 15);
            w[j + CHUNKS / 2] = each(take(lines, j, row) >> 4, 15);
        }
    }
}

/* The eight 6-bit scales and minimums of Q4_K and Q5_K, widened to bytes. */
VB_INLINE void pack_k_scales(vb_wtype type, uint8_t *g, const uint8_t *src, size_t row) {
    for (size_t b = 0; b < 8; b++) {
        uint8_t sc, mn;
        if (b < 4) {
            sc = src[b] & 63;
            mn = src[b + 4] & 63;
        } else {
            sc = (uint8_t)((src[b + 4] & 15) | (src[b - 4] >> 6) << 4);
            mn = (uint8_t)((src[b + 4] >> 4) | (src[b] >> 6) << 4);
        }
        uint8_t *to = g + vb_x86_k_scales_at(type, b) + row;
        to[0] = sc;
        to[VB_X86_K_SECOND] = mn;
    }
}

/* One format block of one row into a group, at its block b on. */
VB_INLINE void pack_block(vb_wtype type, uint8_t *g, const uint8_t *src, size_t b, size_t row,
                          uint8_t q8_flip) {
    const bool is_k = vb_x86_is_k(type);
    if (type == VB_Q6_K) {
        memcpy(g + 2 * row, src + 208, 2);
        for (size_t i = 0; i < 16; i++) {
            g[vb_x86_k_scales_at(type, i / 2) + VB_X86_K_SECOND * (i % 2) + row] = src[192 + i];
        }
    } else if (is_k) {
        memcpy(g + 2 * row, src, 2);
        memcpy(g + VB_X86_K_MIN + 2 * row, src + 2, 2);
        pack_k_scales(type, g, src + 4, row);
    } else {
        memcpy(g + 32 * b + 2 * row, src, 2);
        if (type == VB_Q4_1 || type == VB_Q5_1) {
            memcpy(g + 64 + 32 * b + 2 * row, src + 2, 2);
        }
    }
    for (size_t i = 0; i < (is_k ? VB_X86_K_BLOCKS : 1); i++) {
        uint32_t w[CHUNKS];
        file_weights(type, src, i, q8_flip, w);
        put_weights(vb_x86_bits(type), g + vb_x86_block_at(type, b + i), row, w);
    }
}

typedef struct rows_to_pack {
    const vb_matrix *m;
    const uint8_t *src;
    size_t begin, end, row_bytes;
    uint8_t q8_flip;
} rows_to_pack;

/* A tile's lines are written while they are in the cache: all rows of a block before the next. */
VB_INLINE void pack_rows(vb_wtype type, const rows_to_pack *r) {
    const vb_wtype_info *info = vb_wtype_get(type);
    const size_t tile_bytes = vb_x86_tile_bytes(type, r->m->cols);
    const size_t group_bytes = vb_x86_group_bytes(type);
    const size_t of_group =
        vb_x86_is_k(type) ? 1 : vb_x86_group_blocks(type); /* blocks of the file in a group */
    const size_t n_blocks = r->m->cols / info->block_values;
    for (size_t r0 = r->begin; r0 < r->end; r0 += TILE) {
        uint8_t *tile = (uint8_t *)r->m->data + r0 / TILE * tile_bytes;
        const size_t rows = r->end - r0 < TILE ? r->end - r0 : TILE;
        if (rows < TILE || r->m->cols % (VB_X86_PAIR_BLOCKS * VB_BLOCK) != 0) {
            memset(tile, 0, tile_bytes);
        }
        const uint8_t *first = r->src + (r0 - r->begin) * r->row_bytes;
        for (size_t i = 0; i < n_blocks; i++, first += info->block_bytes) {
            uint8_t *group = tile + i / of_group * group_bytes;
            for (size_t row = 0; row < rows; row++) {
                pack_block(type, group, first + row * r->row_bytes, i % of_group, row, r->q8_flip);
            }
        }
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
    const rows_to_pack rows = {m, src, row_begin, row_end, row_bytes, q8_flip};
    switch (m->type) {
    case VB_Q8_0: pack_rows(VB_Q8_0, &rows); break;
    case VB_Q4_0: pack_rows(VB_Q4_0, &rows); break;
    case VB_Q4_1: pack_rows(VB_Q4_1, &rows); break;
    case VB_Q5_0: pack_rows(VB_Q5_0, &rows); break;
    case VB_Q5_1: pack_rows(VB_Q5_1, &rows); break;
    case VB_Q4_K: pack_rows(VB_Q4_K, &rows); break;
    case VB_Q5_K: pack_rows(VB_Q5_K, &rows); break;
    case VB_Q6_K: pack_rows(VB_Q6_K, &rows); break;
    default: VB_ASSERT(0);
    }
}

static float f16_at(const uint8_t *p) {
    return vb_f16_to_f32(vb_load_u16le(p));
}

/* Block b of a group, one row of it: section 3, "Values". */
static void unpack_block(vb_wtype type, const uint8_t *g, size_t b, size_t row, float *out,
                         uint8_t q8_flip) {
    const bool pair_m = type == VB_Q4_1 || type == VB_Q5_1, is_k = vb_x86_is_k(type);
    const bool k_m = type == VB_Q4_K || type == VB_Q5_K;
    const int bias = type == VB_Q4_0 ? 8 : type == VB_Q5_0 ? 16 : type == VB_Q6_K ? 32 : 0;
    float d = f16_at(g + (is_k ? 0 : 32 * b) + 2 * row), m = 0;
    uint32_t words[CHUNKS];
    take_weights(vb_x86_bits(type), g + vb_x86_block_at(type, b), row, words);
    if (pair_m) {
        m = f16_at(g + 64 + 32 * b + 2 * row);
    } else if (k_m) {
        d = d * (float)g[vb_x86_k_scales_at(type, b) + row];
        m = -(f16_at(g + VB_X86_K_MIN + 2 * row) *
              (float)g[vb_x86_k_scales_at(type, b) + VB_X86_K_SECOND + row]);
    }
    for (size_t k = 0; k < VB_BLOCK; k++) {
        const uint8_t raw = (uint8_t)(words[k / 4] >> k % 4 * 8);
        const int w = type == VB_Q8_0 ? (int8_t)(raw ^ q8_flip) : raw - bias;
        float s = d;
        if (type == VB_Q6_K) {
            s = d *
                (float)(int8_t)g[vb_x86_k_scales_at(type, b) + VB_X86_K_SECOND * (k / 16) + row];
        }
        out[k] = s * (float)w;
        if (pair_m || k_m) {
            out[k] = out[k] + m;
        }
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
    const size_t of_group = vb_x86_group_blocks(m->type);
    for (size_t b = 0; b < m->cols / VB_BLOCK; b++) {
        unpack_block(m->type, tile + b / of_group * group_bytes, b % of_group, row % TILE,
                     out + b * VB_BLOCK, q8_flip);
    }
}
