#include "arith/block.h"

#include "arith/bits.h"
#include "base/bytes.h"
#include "base/error.h"

static float load_f16(const uint8_t *p) {
    return vb_f16_to_f32(vb_load_u16le(p));
}

/* Q4_0, Q4_1: the low nibbles are the first 16 values, the high nibbles the second. */
static void decode_nibbles(const uint8_t *qs, int bias, int8_t *w) {
    for (int i = 0; i < 16; i++) {
        w[i] = (int8_t)((qs[i] & 15) - bias);
        w[i + 16] = (int8_t)((qs[i] >> 4) - bias);
    }
}

/* Q5_0, Q5_1: bit i of a little-endian word is the fifth bit of value i. */
static void decode_nibbles_and_bit(const uint8_t *qs, uint32_t high, int bias, int8_t *w) {
    for (int i = 0; i < 16; i++) {
        int lo = (qs[i] & 15) | (int)((high >> i) & 1u) << 4;
        int hi = (qs[i] >> 4) | (int)((high >> (i + 16)) & 1u) << 4;
        w[i] = (int8_t)(lo - bias);
        w[i + 16] = (int8_t)(hi - bias);
    }
}

void vb_k_scale_min(const uint8_t *packed, unsigned j, uint8_t *scale, uint8_t *min) {
    if (j < 4) {
        *scale = packed[j] & 63;
        *min = packed[j + 4] & 63;
    } else {
        *scale = (uint8_t)((packed[j + 4] & 15) | (packed[j - 4] >> 6) << 4);
        *min = (uint8_t)((packed[j + 4] >> 4) | (packed[j] >> 6) << 4);
    }
}

/* Q4_K (high == NULL) and Q5_K: 32 bytes hold two sub-blocks, one in each nibble. */
static void decode_k(const uint8_t *head, const uint8_t *high, const uint8_t *qs, unsigned j,
                     vb_block *out) {
    uint8_t scale, min;
    vb_k_scale_min(head + 4, j, &scale, &min);
    out->s = load_f16(head) * (float)scale;
    out->m = -(load_f16(head + 2) * (float)min);
    out->has_m = true;
    qs += 32 * (j / 2);
    for (int i = 0; i < 32; i++) {
        int q = (j & 1) ? qs[i] >> 4 : qs[i] & 15;
        if (high != NULL) {
            q |= ((high[i] >> j) & 1) << 4;
        }
        out->w[i] = (int8_t)q;
    }
}

/* Q6_K: four sub-blocks share 64 bytes of low nibbles and 32 bytes of upper bit pairs. */
static void decode_q6_k(const uint8_t *p, unsigned j, vb_block *out) {
    unsigned half = j / 4, part = j % 4;
    const uint8_t *ql = p + 64 * half + 32 * (part & 1);
    const uint8_t *qh = p + 128 + 32 * half;
    const uint8_t *scales = p + 192 + 2 * j;
    for (int i = 0; i < 32; i++) {
        int lo = part < 2 ? ql[i] & 15 : ql[i] >> 4;
        int hi = (qh[i] >> (2 * part)) & 3;
        out->w[i] = (int8_t)((lo | hi << 4) - 32);
    }
    out->s = load_f16(p + 208);
    for (int i = 0; i < 2; i++) {
        out->sc[i] = (int8_t)(scales[i] < 128 ? scales[i] : scales[i] - 256);
    }
}

void vb_block_decode(vb_wtype type, const uint8_t *row, size_t b, vb_block *out) {
    const vb_wtype_info *info = vb_wtype_get(type);
    VB_ASSERT(info != NULL && vb_wtype_computes(type) && !info->is_float);
    size_t per_block = info->block_values / VB_BLOCK;
    const uint8_t *p = row + b / per_block * info->block_bytes;
    unsigned j = (unsigned)(b % per_block);
    out->m = 0.0f;
    out->sc[0] = out->sc[1] = 1;
    out->has_m = false;
    switch (type) {
    case VB_Q8_0:
        out->s = load_f16(p);
        for (int i = 0; i < 32; i++) {
            out->w[i] = (int8_t)(p[2 + i] < 128 ? p[2 + i] : p[2 + i] - 256);
        }
        break;
    case VB_Q4_0:
        out->s = load_f16(p);
        decode_nibbles(p + 2, 8, out->w);
        break;
    case VB_Q4_1:
        out->s = load_f16(p);
        out->m = load_f16(p + 2);
        out->has_m = true;
        decode_nibbles(p + 4, 0, out->w);
        break;
    case VB_Q5_0:
        out->s = load_f16(p);
        decode_nibbles_and_bit(p + 6, vb_load_u32le(p + 2), 16, out->w);
        break;
    case VB_Q5_1:
        out->s = load_f16(p);
        out->m = load_f16(p + 2);
        out->has_m = true;
        decode_nibbles_and_bit(p + 8, vb_load_u32le(p + 4), 0, out->w);
        break;
    case VB_Q4_K: decode_k(p, NULL, p + 16, j, out); break;
    case VB_Q5_K: decode_k(p, p + 16, p + 48, j, out); break;
    case VB_Q6_K: decode_q6_k(p, j, out); break;
    default: VB_ASSERT(!"an integer format without a decoder");
    }
}

void vb_block_values(const vb_block *block, float *out) {
    for (int i = 0; i < VB_BLOCK; i++) {
        float s = block->s * (float)block->sc[i / 16];
        float v = s * (float)block->w[i];
        out[i] = block->has_m ? v + block->m : v;
    }
}

float vb_float_weight(vb_wtype type, const uint8_t *row, size_t k) {
    switch (type) {
    case VB_F32: return vb_f32_from_bits(vb_load_u32le(row + 4 * k));
    case VB_F16: return vb_f16_to_f32(vb_load_u16le(row + 2 * k));
    default: VB_ASSERT(type == VB_BF16); return vb_bf16_to_f32(vb_load_u16le(row + 2 * k));
    }
}

void vb_row_values(vb_wtype type, const uint8_t *row, size_t cols, float *out) {
    if (vb_wtype_get(type)->is_float) {
        for (size_t k = 0; k < cols; k++) {
            out[k] = vb_float_weight(type, row, k);
        }
        return;
    }
    for (size_t b = 0; b < cols / VB_BLOCK; b++) {
        vb_block block;
        vb_block_decode(type, row, b, &block);
        vb_block_values(&block, out + b * VB_BLOCK);
    }
}
