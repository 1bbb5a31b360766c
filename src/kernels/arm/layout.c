/*
 * Packing of weights into the tiles of layout.h, and the way back for embedding rows. Values
 * are moved four at a time, as the bytes of one 32-bit word: a group is four consecutive
 * inputs, and every format of the file lends itself to that.
 */
#include "kernels/arm/layout.h"

#include <string.h>

#include "base/bytes.h"
#include "kernels/arm/lanes.h"
#include "kernels/arm/tiers.h"

enum { GROUPS = 8, QUAD_ROWS = 4 };

/* The four low bits of w as the low bits of four bytes. */
static inline uint32_t spread4(uint32_t w) {
    return ((w & 15) * 0x00204081u) & 0x01010101u;
}

/* The values of inputs 4 g .. 4 g + 3 of block b of a unit, as the file's unsigned numbers (int8
 * for Q8_0), one a byte. unit: the file's block. */
VB_ARM_INLINE uint32_t raw4(vb_wtype type, const uint8_t *unit, size_t b, size_t g) {
    const size_t half_shift = g / 4 * 4; /* which nibble of the formats of 32 */
    const size_t at = g % 4 * 4;
    switch (type) {
    case VB_Q8_0: return vb_load_u32le(unit + 2 + 4 * g);
    case VB_Q4_0: return (vb_load_u32le(unit + 2 + at) >> half_shift) & 0x0f0f0f0fu;
    case VB_Q4_1: return (vb_load_u32le(unit + 4 + at) >> half_shift) & 0x0f0f0f0fu;
    case VB_Q5_0:
        return ((vb_load_u32le(unit + 6 + at) >> half_shift) & 0x0f0f0f0fu) |
               spread4(vb_load_u32le(unit + 2) >> (4 * g)) << 4;
    case VB_Q5_1:
        return ((vb_load_u32le(unit + 8 + at) >> half_shift) & 0x0f0f0f0fu) |
               spread4(vb_load_u32le(unit + 4) >> (4 * g)) << 4;
    case VB_Q4_K:
        return (vb_load_u32le(unit + 16 + b / 2 * 32 + 4 * g) >> (b % 2 * 4)) & 0x0f0f0f0fu;
    case VB_Q5_K:
        return ((vb_load_u32le(unit + 48 + b / 2 * 32 + 4 * g) >> (b % 2 * 4)) & 0x0f0f0f0fu) |
               ((vb_load_u32le(unit + 16 + 4 * g) >> b) & 0x01010101u) << 4;
    default: { /* Q6_K: two halves of 128 inputs */
        const size_t n = b / 4, c = b % 4;
        const uint32_t low = vb_load_u32le(unit + 64 * n + c % 2 * 32 + 4 * g) >> (c / 2 * 4);
        const uint32_t high = vb_load_u32le(unit + 128 + 32 * n + 4 * g) >> (2 * c);
        return (low & 0x0f0f0f0fu) | (high & 0x03030303u) << 4;
    }
    }
}

/* The two bytes kept for block b of a K unit. */
VB_ARM_INLINE void sub_scales(vb_wtype type, const uint8_t *unit, size_t b, uint8_t out[2]) {
    if (type == VB_Q6_K) {
        out[0] = unit[192 + 2 * b];
        out[1] = unit[192 + 2 * b + 1];
        return;
    }
    const uint8_t *s = unit + 4;
    if (b < 4) {
        out[0] = s[b] & 63;
        out[1] = s[b + 4] & 63;
    } else {
        out[0] = (uint8_t)((s[b + 4] & 15) | (s[b - 4] >> 6 << 4));
        out[1] = (uint8_t)((s[b + 4] >> 4) | (s[b] >> 6 << 4));
    }
}

/* Byte offset of the binary16 scale in the file's block. */
VB_ARM_INLINE size_t file_d_at(vb_wtype type) {
    return type == VB_Q6_K ? 208 : 0;
}

/* Writes lane `lane` (row of the quad) of the bit planes that hold bits 4 and up. */
VB_ARM_INLINE void pack_planes(vb_wtype type, uint8_t *planes, size_t quad, size_t lane,
                               const uint32_t raw[GROUPS]) {
    if (type == VB_Q6_K) {
        for (size_t h = 0; h < 2; h++) {
            uint32_t w = 0;
            for (size_t j = 0; j < 4; j++) {
                w |= (raw[4 * h + j] >> 4 & 0x03030303u) << (2 * j);
            }
            vb_store_u32le(planes + quad * 32 + h * 16 + lane * 4, w);
        }
    } else {
        uint32_t w = 0;
        for (size_t g = 0; g < GROUPS; g++) {
            w |= (raw[g] >> 4 & 0x01010101u) << g;
        }
        vb_store_u32le(planes + quad * 16 + lane * 4, w);
    }
}

/* One row of one unit. */
VB_ARM_INLINE void pack_unit_row(vb_wtype type, const uint8_t *unit, size_t row, uint8_t *out) {
    const size_t quad = row / QUAD_ROWS, lane = row % QUAD_ROWS;
    for (size_t b = 0; b < vb_arm_unit_blocks(type); b++) {
        uint8_t *block = out + b * vb_arm_block_bytes(type);
        uint32_t raw[GROUPS];
        for (size_t g = 0; g < GROUPS; g++) {
            raw[g] = raw4(type, unit, b, g);
        }
        if (type == VB_Q8_0) {
            for (size_t g = 0; g < GROUPS; g++) {
                vb_store_u32le(block + quad * 128 + g * 16 + lane * 4, raw[g]);
            }
        } else {
            for (size_t j = 0; j < 4; j++) {
                vb_store_u32le(block + quad * 64 + j * 16 + lane * 4,
                               (raw[j] & 0x0f0f0f0fu) | (raw[j + 4] & 0x0f0f0f0fu) << 4);
            }
            if (vb_arm_planes_bytes(type)) {
                pack_planes(type, block + 256, quad, lane, raw);
            }
        }
        if (vb_arm_is_k(type)) {
            uint8_t sc[2];
            sub_scales(type, unit, b, sc);
            block[vb_arm_scales_at(type) + row] = sc[0];
            block[vb_arm_scales_at(type) + VB_ROW_TILE + row] = sc[1];
        }
    }
    uint8_t *factors = out + vb_arm_factors_at(type);
    memcpy(factors + 2 * row, unit + file_d_at(type), 2);
    if (vb_arm_kind_of(type) == VB_ARM_OFFSET) {
        memcpy(factors + 2 * (VB_ROW_TILE + row), unit + 2, 2);
    }
}

/* One tile; rows: how many of its 16 the matrix has. */
VB_ARM_INLINE void pack_tile(vb_wtype type, size_t cols, const uint8_t *src, size_t rows,
                             uint8_t *tile) {
    const size_t units = cols / (VB_BLOCK * vb_arm_unit_blocks(type));
    const size_t file_bytes = vb_wtype_get(type)->block_bytes;
    for (size_t i = 0; i < units; i++) {
        uint8_t *out = tile + i * vb_arm_unit_bytes(type);
        if (rows < VB_ROW_TILE) {
            memset(out, 0, vb_arm_unit_bytes(type));
        }
        for (size_t r = 0; r < rows; r++) {
            pack_unit_row(type, src + (r * units + i) * file_bytes, r, out);
        }
    }
}

static size_t row_file_bytes(vb_wtype type, size_t cols) {
    size_t bytes = 0;
    return vb_wtype_computes(type) && vb_wtype_row_bytes(type, cols, &bytes) ? bytes : 0;
}

size_t vb_arm_pack_bytes(vb_wtype type, size_t rows, size_t cols) {
    size_t row = row_file_bytes(type, cols), bytes, bound;
    if (row == 0) {
        return 0;
    }
    if (vb_wtype_get(type)->is_float) {
        return vb_mul_size(rows, row, &bytes) ? bytes : 0;
    }
    /* 32 bytes for each column is more than a tile takes in any format. */
    const size_t tiles = rows / VB_ROW_TILE + (rows % VB_ROW_TILE != 0);
    if (!vb_mul_size(cols, 32, &bound) ||
        !vb_mul_size(tiles, vb_arm_tile_bytes(type, cols), &bytes)) {
        return 0;
    }
    return bytes;
}

void vb_arm_pack(const vb_matrix *m, const uint8_t *src, size_t row_begin, size_t row_end) {
    const size_t row_bytes = row_file_bytes(m->type, m->cols);
    if (vb_wtype_get(m->type)->is_float) {
        memcpy((uint8_t *)m->data + row_begin * row_bytes, src, (row_end - row_begin) * row_bytes);
        return;
    }
    for (size_t r = row_begin; r < row_end; r += VB_ROW_TILE) {
        const size_t rows = row_end - r < VB_ROW_TILE ? row_end - r : VB_ROW_TILE;
        const uint8_t *from = src + (r - row_begin) * row_bytes;
        uint8_t *tile = (uint8_t *)m->data + r / VB_ROW_TILE * vb_arm_tile_bytes(m->type, m->cols);
        switch (m->type) {
        case VB_Q4_0: pack_tile(VB_Q4_0, m->cols, from, rows, tile); break;
        case VB_Q4_1: pack_tile(VB_Q4_1, m->cols, from, rows, tile); break;
        case VB_Q5_0: pack_tile(VB_Q5_0, m->cols, from, rows, tile); break;
        case VB_Q5_1: pack_tile(VB_Q5_1, m->cols, from, rows, tile); break;
        case VB_Q8_0: pack_tile(VB_Q8_0, m->cols, from, rows, tile); break;
        case VB_Q4_K: pack_tile(VB_Q4_K, m->cols, from, rows, tile); break;
        case VB_Q5_K: pack_tile(VB_Q5_K, m->cols, from, rows, tile); break;
        case VB_Q6_K: pack_tile(VB_Q6_K, m->cols, from, rows, tile); break;
        default: VB_ASSERT(!"weight format"); return;
        }
    }
}

/* The weight of input i (0-31) of one row of a packed block. */
static int value_at(vb_wtype type, const uint8_t *block, size_t row, size_t i) {
    const size_t quad = row / QUAD_ROWS, g = i / 4, byte = row % QUAD_ROWS * 4 + i % 4;
    if (type == VB_Q8_0) {
        return (int8_t)block[quad * 128 + g * 16 + byte];
    }
    int v = block[quad * 64 + g % 4 * 16 + byte] >> (g / 4 * 4) & 15;
    const uint8_t *planes = block + 256;
    if (type == VB_Q6_K) {
        v |= (planes[quad * 32 + g / 4 * 16 + byte] >> (g % 4 * 2) & 3) << 4;
    } else if (vb_arm_planes_bytes(type)) {
        v |= (planes[quad * 16 + byte] >> g & 1) << 4;
    }
    return v - vb_arm_bias(type);
}

/* One row of one unit as values: section 3. */
static void unpack_unit_row(vb_wtype type, const uint8_t *unit, size_t row, float *out) {
    const uint8_t *factors = unit + vb_arm_factors_at(type);
    const vb_arm_kind kind = vb_arm_kind_of(type);
    const float d = vb_arm_f16(factors + 2 * row);
    const float dm = kind == VB_ARM_OFFSET ? vb_arm_f16(factors + 2 * (VB_ROW_TILE + row)) : 0.0f;
    for (size_t b = 0; b < vb_arm_unit_blocks(type); b++) {
        const uint8_t *block = unit + b * vb_arm_block_bytes(type);
        const uint8_t *sc = block + vb_arm_scales_at(type);
        float s[2] = {d, d}, m = dm;
        if (type == VB_Q6_K) {
            s[0] = d * (float)(int8_t)sc[row];
            s[1] = d * (float)(int8_t)sc[VB_ROW_TILE + row];
        } else if (vb_arm_is_k(type)) {
            s[0] = s[1] = d * (float)sc[row];
            m = -(dm * (float)sc[VB_ROW_TILE + row]);
        }
        for (size_t i = 0; i < VB_BLOCK; i++) {
            const float v = s[i / 16] * (float)value_at(type, block, row, i);
            out[b * VB_BLOCK + i] = kind == VB_ARM_OFFSET ? v + m : v;
        }
    }
}

void vb_arm_unpack_row(const vb_matrix *m, size_t row, float *out) {
    if (vb_wtype_get(m->type)->is_float) {
        const uint8_t *src = (const uint8_t *)m->data + row * row_file_bytes(m->type, m->cols);
        for (size_t k = 0; k < m->cols; k++) {
            if (m->type == VB_F32) {
                memcpy(&out[k], src + 4 * k, 4);
            } else {
                out[k] = m->type == VB_F16 ? vb_arm_f16(src + 2 * k) : vb_arm_bf16(src + 2 * k);
            }
        }
        return;
    }
    const uint8_t *unit =
        (const uint8_t *)m->data + row / VB_ROW_TILE * vb_arm_tile_bytes(m->type, m->cols);
    const size_t step = VB_BLOCK * vb_arm_unit_blocks(m->type);
    for (size_t k = 0; k < m->cols; k += step) {
        unpack_unit_row(m->type, unit, row % VB_ROW_TILE, out + k);
        unit += vb_arm_unit_bytes(m->type);
    }
}
