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
    return vb_x86_is_k(type_of(f)) ? 2 : 1;
}

VB_INLINE __m512i load(const void *p) {
    return _mm512_loadu_si512(p);
}
/* The bits of each byte that mask has. */
VB_INLINE __m512i masked(__m512i v, char mask) {
    return _mm512_and_si512(v, _mm512_set1_epi8(mask));
}
/* The bits that mask has from a, the others from b. */
VB_INLINE __m512i merged(__m512i a, __m512i b, char mask) {
    return _mm512_ternarylogic_epi64(_mm512_set1_epi8(mask), a, b, 0xca);
}
VB_INLINE __m512i down(__m512i v, int n) {
    return _mm512_srli_epi16(v, (unsigned)n);
}

/* Chunk j of the block whose lines these are, of weights of so many bits. */
VB_INLINE __m512i line_weights(int n_bits, const uint8_t *lines, int j) {
#define AT(line) load(lines + LINE * (line))
    switch (n_bits) {
    case 8: return AT(j);
    case 6: {
        lines += j / 4 * 3 * LINE;
        if (j % 4 < 3) {
            return masked(AT(j % 4), 0x3f);
        }
        __m512i high = merged(down(AT(0), 2), down(AT(1), 4), 0x30);
        return masked(merged(high, down(AT(2), 6), 0x3c), 0x3f);
    }
    case 5:
        switch (j) {
        case 5: return masked(merged(down(AT(0), 5), down(AT(3), 3), 0x07), 0x1f);
        case 6: return masked(merged(down(AT(1), 5), down(AT(4), 3), 0x07), 0x1f);
        case 7: {
            __m512i high = merged(down(AT(3), 2), down(AT(4), 1), 0x08);
            return masked(merged(down(AT(2), 5), high, 0x07), 0x1f);
        }
        default: return masked(AT(j), 0x1f);
        }
    default: return j < 4 ? masked(AT(j), 0x0f) : masked(down(AT(j - 4), 4), 0x0f);
    }
#undef AT
}

/* Chunk j of block (n, c) of a group: 16 rows x 4 weights, unsigned. */
VB_INLINE __m512i weights(source f, const uint8_t *g, size_t n, int c, int j) {
    return line_weights(vb_x86_bits(type_of(f)), g + vb_x86_block_at(type_of(f), n * parts(f) + c),
                        j);
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
        return _mm512_mul_ps(f16_lanes(g),
                             u8_lanes(g + vb_x86_k_scales_at(type_of(f), n * parts(f) + c)));
    case FROM_Q6_K: return f16_lanes(g);
    default: return f16_lanes(g + 32 * n);
    }
}

/* m of block (n, c) for 16 rows; the K formats' is minus dmin times their minimum. */
VB_INLINE __m512 offsets(source f, const uint8_t *g, size_t n, int c) {
    switch (f) {
    case FROM_Q4_K:
    case FROM_Q5_K: {
        __m512 minus_dmin = _mm512_xor_ps(f16_lanes(g + VB_X86_K_MIN), _mm512_set1_ps(-0.0f));
        return _mm512_mul_ps(
            minus_dmin,
            u8_lanes(g + vb_x86_k_scales_at(type_of(f), n * parts(f) + c) + VB_X86_K_SECOND));
    }
    default: return f16_lanes(g + 64 + 32 * n);
    }
}

/* The sub-scale of half h of block (n, c) for 16 rows. */
VB_INLINE __m512i sub_scales(const uint8_t *g, size_t n, int c, int h) {
    const uint8_t *p = g + vb_x86_k_scales_at(VB_Q6_K, n * 2 + c) + VB_X86_K_SECOND * h;
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
