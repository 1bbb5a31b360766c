#include "arith/check.h"

#include "arith/bits.h"
#include "base/bytes.h"
#include "base/error.h"

enum { STRIDE = 4096 }; /* format blocks looked at between two decisions */

/* n values of 2 bytes: true when none has all the bits of exponent set. Magnitudes order like
 * values, so one maximum decides. */
static bool halves_finite(const uint8_t *p, size_t n, uint16_t exponent) {
    uint16_t max = 0;
    for (size_t i = 0; i < n; i++) {
        uint16_t magnitude = vb_load_u16le(p + 2 * i) & 0x7fffu;
        max = magnitude > max ? magnitude : max;
    }
    return max < exponent;
}

static bool words_finite(const uint8_t *p, size_t n) {
    uint32_t max = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t magnitude = vb_load_u32le(p + 4 * i) & 0x7fffffffu;
        max = magnitude > max ? magnitude : max;
    }
    return max < 0x7f800000u;
}

static bool floats_finite(vb_wtype type, const uint8_t *p, size_t n) {
    switch (type) {
    case VB_F32: return words_finite(p, n);
    case VB_F16: return halves_finite(p, n, 0x7c00u);
    default: return halves_finite(p, n, 0x7f80u);
    }
}

/* Byte offsets of a block's binary16 scale and offset; equal when it has no offset. */
static void scale_offsets(vb_wtype type, size_t *first, size_t *second) {
    *first = type == VB_Q6_K ? 208 : 0;
    bool two = type == VB_Q4_1 || type == VB_Q5_1 || type == VB_Q4_K || type == VB_Q5_K;
    *second = two ? 2 : *first;
}

static bool scales_finite(const uint8_t *p, size_t n, size_t bytes, size_t first, size_t second) {
    uint32_t max = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t a = vb_load_u16le(p + i * bytes + first) & 0x7fffu;
        uint32_t b = vb_load_u16le(p + i * bytes + second) & 0x7fffu;
        uint32_t m = a > b ? a : b;
        max = m > max ? m : max;
    }
    return max < 0x7c00u;
}

bool vb_weights_finite(vb_wtype type, const uint8_t *src, size_t n_values, size_t *bad) {
    const vb_wtype_info *info = vb_wtype_get(type);
    VB_ASSERT(info != NULL && vb_wtype_computes(type));
    VB_ASSERT(n_values % info->block_values == 0);
    size_t n_blocks = n_values / info->block_values;
    size_t first, second;
    scale_offsets(type, &first, &second);
    for (size_t begin = 0; begin < n_blocks; begin += STRIDE) {
        size_t n = n_blocks - begin < STRIDE ? n_blocks - begin : STRIDE;
        const uint8_t *p = src + begin * info->block_bytes;
        if (info->is_float ? floats_finite(type, p, n)
                           : scales_finite(p, n, info->block_bytes, first, second)) {
            continue;
        }
        size_t i = 0;
        while (info->is_float ? floats_finite(type, p, 1)
                              : scales_finite(p, 1, info->block_bytes, first, second)) {
            p += info->block_bytes;
            i++;
        }
        if (bad != NULL) {
            *bad = (begin + i) * info->block_values;
        }
        return false;
    }
    return true;
}
