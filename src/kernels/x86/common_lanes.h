/*
 * exp and the 16-lane sum on the lanes of the tier whose lanes_*.h was included before.
 */
#ifndef VB_KERNELS_X86_COMMON_LANES_H
#define VB_KERNELS_X86_COMMON_LANES_H

#include "arith/bits.h"
#include "arith/exp.h"

/* vb_exp, step by step. */
VB_INLINE f32s f_exp(f32s x) {
    f32s magic = f_set(VB_EXP_RINT);
    f32s shifted = f_add(f_mul(x, f_set(VB_EXP_LOG2E)), magic);
    f32s n = f_sub(shifted, magic);
    f32s r = f_sub(f_sub(x, f_mul(n, f_set(VB_EXP_LN2_HI))), f_mul(n, f_set(VB_EXP_LN2_LO)));
    f32s p = f_set(VB_EXP_P5);
    p = f_add(f_mul(p, r), f_set(VB_EXP_P4));
    p = f_add(f_mul(p, r), f_set(VB_EXP_P3));
    p = f_add(f_mul(p, r), f_set(VB_EXP_P2));
    p = f_add(f_mul(p, r), f_set(VB_EXP_P1));
    p = f_add(f_mul(p, r), f_set(VB_EXP_P0));
    f32s y = f_add(f_add(f_mul(p, f_mul(r, r)), r), f_set(1.0f));
    y = f_times_power(y, n);
    y = f_if_gt(x, f_set(VB_EXP_MAX), f_from_bits(i_set(0x7f800000u)), y);
    return f_if_lt(x, f_set(VB_EXP_MIN), f_set(0.0f), y);
}

/* Section 4: s_l += s_{l+8}, +4, +2, +1. */
VB_INLINE float f_lanes_sum(f32s s) {
    __m256 eight = _mm256_add_ps(f_low(s), f_high(s));
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

/* The largest of 16 unsigned lanes. */
VB_INLINE uint32_t i_lanes_max(i32s v) {
    __m256i eight = _mm256_max_epu32(i_low(v), i_high(v));
    __m128i m = _mm_max_epu32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256(eight, 1));
    m = _mm_max_epu32(m, _mm_shuffle_epi32(m, 0x4e));
    m = _mm_max_epu32(m, _mm_shuffle_epi32(m, 0xb1));
    return (uint32_t)_mm_cvtsi128_si32(m);
}

/* The largest of 16 lanes, none a NaN. */
VB_INLINE float f_lanes_max(f32s v) {
    __m256 eight = _mm256_max_ps(f_low(v), f_high(v));
    __m128 m = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    m = _mm_max_ps(m, _mm_movehl_ps(m, m));
    return _mm_cvtss_f32(_mm_max_ss(m, _mm_movehdup_ps(m)));
}

#endif
