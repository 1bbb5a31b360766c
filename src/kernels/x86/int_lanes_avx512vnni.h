/*
 * Weights of the integer formats, out of their packed layout (layout.h) into AVX-512 registers:
 * 16 rows in the lanes, unsigned, shifted up by bias_of() where the format's are signed. Shared by
 * the products of few tokens and those of many.
 */
#ifndef VB_KERNELS_X86_INT_LANES_AVX512VNNI_H
#define VB_KERNELS_X86_INT_LANES_AVX512VNNI_H

#include <immintrin.h>

#include "kernels/x86/internal.h"
#include "kernels/x86/layout.h"

enum { ROWS = VB_ROW_TILE, LINE = 64 };

/* The packed format that weights are read from. */
typedef enum source {
    FROM_Q8_0,
    FROM_Q4_0,
    FROM_Q4_1,
    FROM_Q5_0,
    FROM_Q5_1,
    FROM_Q4_K,
    FROM_Q5_K,
    FROM_Q6_K
} source;

/* What a block has besides its weights and scale. */
typedef enum kind {
    BIASED,      /* weights are shifted up */
    WITH_OFFSET, /* an offset */
    IN_HALVES    /* weights are shifted up; two integer sub-scales */
} kind;

VB_INLINE bool has_offset(source f) {
    return f == FROM_Q4_1 || f == FROM_Q5_1 || f == FROM_Q4_K || f == FROM_Q5_K;
}
VB_INLINE bool has_halves(source f) {
    return f == FROM_Q6_K;
}
VB_INLINE kind kind_of(source f) {
    return has_halves(f) ? IN_HALVES : has_offset(f) ? WITH_OFFSET : BIASED;
}
VB_INLINE vb_wtype type_of(source f) {
    static const vb_wtype types[] = {VB_Q8_0, VB_Q4_0, VB_Q4_1, VB_Q5_0,
                                     VB_Q5_1, VB_Q4_K, VB_Q5_K, VB_Q6_K};
    return types[f];
}
/* Blocks of a group are numbered n * parts(f) + c, n counted by a loop, c by unrolled code. */
VB_INLINE int parts(source f) {
    return f == FROM_Q4_K || f == FROM_Q5_K ? 2 : f == FROM_Q6_K ? 4 : 1;
}

VB_INLINE __m512i load(const void *p) {
    return _mm512_loadu_si512(p);
}
VB_INLINE __m512i low_nibbles(__m512i v) {
    return _mm512_and_si512(v, _mm512_set1_epi8(15));
}
VB_INLINE __m512i high_nibbles(__m512i v) {
    return low_nibbles(_mm512_srli_epi16(v, 4));
}

/* Bit j of each byte, moved to bit 4. */
VB_INLINE __m512i fifth_bit(__m512i v, int j) {
    __m512i moved;
    switch (j) {
    case 0: moved = _mm512_slli_epi16(v, 4); break;
    case 1: moved = _mm512_slli_epi16(v, 3); break;
    case 2: moved = _mm512_slli_epi16(v, 2); break;
    case 3: moved = _mm512_slli_epi16(v, 1); break;
    case 4: moved = v; break;
    case 5: moved = _mm512_srli_epi16(v, 1); break;
    case 6: moved = _mm512_srli_epi16(v, 2); break;
    default: moved = _mm512_srli_epi16(v, 3); break;
    }
    return _mm512_and_si512(moved, _mm512_set1_epi8(16));
}

/* Bits 2c and 2c + 1 of each byte, moved to bits 4 and 5. */
VB_INLINE __m512i top_bits(__m512i v, int c) {
    __m512i moved;
    switch (c) {
    case 0: moved = _mm512_slli_epi16(v, 4); break;
    case 1: moved = _mm512_slli_epi16(v, 2); break;
    case 2: moved = v; break;
    default: moved = _mm512_srli_epi16(v, 2); break;
    }
    return _mm512_and_si512(moved, _mm512_set1_epi8(48));
}

/* Chunk j of block (n, c) of a group: 16 rows x 4 weights, unsigned. */
VB_INLINE __m512i weights(source f, const uint8_t *g, size_t n, int c, int j) {
    __m512i v;
    switch (f) {
    case FROM_Q8_0: return load(g + 64 + 512 * n + 64 * j);
    case FROM_Q4_0:
        v = load(g + 64 + 256 * n + 64 * (j % 4));
        return j < 4 ? low_nibbles(v) : high_nibbles(v);
    case FROM_Q4_1:
        v = load(g + 128 + 256 * n + 64 * (j % 4));
        return j < 4 ? low_nibbles(v) : high_nibbles(v);
    case FROM_Q5_0:
        v = load(g + 64 + 256 * n + 64 * (j % 4));
        v = j < 4 ? low_nibbles(v) : high_nibbles(v);
        return _mm512_or_si512(v, fifth_bit(load(g + 576 + 64 * n), j));
    case FROM_Q5_1:
        v = load(g + 128 + 256 * n + 64 * (j % 4));
        v = j < 4 ? low_nibbles(v) : high_nibbles(v);
        return _mm512_or_si512(v, fifth_bit(load(g + 640 + 64 * n), j));
    case FROM_Q4_K:
        v = load(g + VB_X86_K_QUANTS + 512 * n + 64 * j);
        return c == 0 ? low_nibbles(v) : high_nibbles(v);
    case FROM_Q5_K: {
        __m512i h = load(g + VB_X86_K_HIGH + 64 * j);
        h = _mm512_srl_epi16(h, _mm_cvtsi32_si128((int)(2 * n)));
        v = load(g + VB_X86_K_UNDER_HIGH + 512 * n + 64 * j);
        v = c == 0 ? low_nibbles(v) : high_nibbles(v);
        return _mm512_or_si512(v, fifth_bit(h, c));
    }
    default:
        g += VB_X86_Q6_HALF * n + 64 * j;
        v = load(g + VB_X86_K_UNDER_HIGH + 512 * (c % 2));
        v = c < 2 ? low_nibbles(v) : high_nibbles(v);
        return _mm512_or_si512(v, top_bits(load(g + VB_X86_K_HIGH), c));
    }
}

VB_INLINE __m512 f16_lanes(const uint8_t *p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)p));
}
VB_INLINE __m512 u8_lanes(const uint8_t *p) {
    return _mm512_cvtepi32_ps(
        _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(const void *)p)));
}

/* s of block (n, c) for 16 rows. */
VB_INLINE __m512 scales(source f, const uint8_t *g, size_t n, int c) {
    switch (f) {
    case FROM_Q4_K:
    case FROM_Q5_K:
        return _mm512_mul_ps(f16_lanes(g), u8_lanes(g + VB_X86_K_SCALES + 16 * (2 * n + c)));
    case FROM_Q6_K: return f16_lanes(g);
    default: return f16_lanes(g + 32 * n);
    }
}

/* m of block (n, c) for 16 rows; the K formats' is minus dmin times their minimum. */
VB_INLINE __m512 offsets(source f, const uint8_t *g, size_t n, int c) {
    switch (f) {
    case FROM_Q4_K:
    case FROM_Q5_K: {
        __m512 dmin = f16_lanes(g + VB_X86_K_MIN);
        __m512 p = _mm512_mul_ps(dmin, u8_lanes(g + VB_X86_K_MINS + 16 * (2 * n + c)));
        return _mm512_xor_ps(p, _mm512_set1_ps(-0.0f));
    }
    default: return f16_lanes(g + 64 + 32 * n);
    }
}

/* The sub-scale of half h of block (n, c) for 16 rows. */
VB_INLINE __m512i sub_scales(const uint8_t *g, size_t n, int c, int h) {
    const uint8_t *p = g + VB_X86_K_SCALES + 16 * (2 * (4 * n + c) + h);
    return _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(const void *)p));
}

VB_INLINE int bias_of(source f) {
    return f == FROM_Q8_0   ? 128
           : f == FROM_Q4_0 ? 8
           : f == FROM_Q5_0 ? 16
           : f == FROM_Q6_K ? 32
                            : 0;
}

/* Products of more tokens than stream: matmul of kernels.h. In matmul_panel_avx512vnni.c. */
void vb_matmul_panels_avx512vnni(const vb_matrix *m, size_t row_begin, size_t row_end,
                                 const vb_act *x, float *y, size_t y_stride);

#endif
