/* matmul_float_lanes.h for the avx2 tier: a part is 8 of 16 lanes, so that a tile of more rows and
 * tokens fits the registers. */
#include "kernels/x86/lanes_avx2.h"

/* Register tile of many tokens: 8 of 16 registers are sums; with 12 the compiler spills one. */
enum { PART_LANES = 8, PANEL_ROWS = 4, PANEL_TOKENS = 2 };

typedef __m256 part;

VB_INLINE part part_of(f32s v, int i) {
    return i == 0 ? v.lo : v.hi;
}
VB_INLINE part part_zero(void) {
    return _mm256_setzero_ps();
}
VB_INLINE part part_load(const float *p) {
    return _mm256_loadu_ps(p);
}
VB_INLINE void part_store(float *p, part v) {
    _mm256_store_ps(p, v);
}
VB_INLINE part part_add(part a, part b) {
    return _mm256_add_ps(a, b);
}
VB_INLINE part part_mul(part a, part b) {
    return _mm256_mul_ps(a, b);
}
/* v in a register: the compiler would load it again for each use, and loads are scarce. */
VB_INLINE part part_kept(part v) {
    __asm__("" : "+x"(v));
    return v;
}

/* The sums of 16 lanes (section 4: s_l += s_{l+8}, +4, +2, +1) of PANEL_ROWS rows at once; those of
 * the first n rows go to y. */
VB_INLINE void panel_sums(const float (*lanes)[16], size_t n, float *y) {
    __m256 eight[4], four[2];
    VB_UNROLL for (int i = 0; i < 4; i++) {
        eight[i] = _mm256_add_ps(_mm256_load_ps(lanes[i]), _mm256_load_ps(lanes[i] + 8));
    }
    VB_UNROLL for (int i = 0; i < 2; i++) { /* of rows 2 i and 2 i + 1 */
        const __m256 a = eight[2 * i], b = eight[2 * i + 1];
        four[i] =
            _mm256_add_ps(_mm256_permute2f128_ps(a, b, 0x20), _mm256_permute2f128_ps(a, b, 0x31));
    }
    const __m256 two = _mm256_add_ps(_mm256_shuffle_ps(four[0], four[1], 0x44),
                                     _mm256_shuffle_ps(four[0], four[1], 0xee));
    const __m256 one = _mm256_add_ps(two, _mm256_movehdup_ps(two)); /* rows 0 . 2 . | 1 . 3 . */
    const __m256i rows = _mm256_setr_epi32(0, 4, 2, 6, 0, 0, 0, 0);
    _mm256_maskstore_ps(y, first_of_8(n), _mm256_permutevar8x32_ps(one, rows));
}

#include "kernels/x86/matmul_float_lanes.h"
