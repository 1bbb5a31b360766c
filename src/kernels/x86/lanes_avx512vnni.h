/*
 * Sixteen f32 lanes in one AVX-512 register; lanes_avx2.h has the same names on two AVX
 * registers, and the *_lanes.h files are written in them once for both tiers. Every operation
 * is one correctly rounded IEEE operation a lane. n in a _n function is 0 to 16 lanes: memory
 * of the others is not touched.
 */
#ifndef VB_KERNELS_X86_LANES_H
#define VB_KERNELS_X86_LANES_H

#include <immintrin.h>

#include "kernels/x86/layout.h"

#define TIER(name) name##_avx512vnni

/* Register tiles that fit 32 registers: rows x tokens of float products, queries x tiles of
 * keys and queries x tiles of dimensions of attention. */
enum { FLOAT_ROWS = 4, FLOAT_TOKENS = 4, QUERIES = 7, KEY_TILES = 4, DIM_TILES = 4 };
#define VB_SETS_OF_7 1

typedef __m512 f32s;
typedef __m512i i32s;

VB_INLINE __mmask16 first_lanes(size_t n) {
    return (__mmask16)((1u << n) - 1);
}

VB_INLINE f32s f_set(float x) {
    return _mm512_set1_ps(x);
}
VB_INLINE f32s f_load(const float *p) {
    return _mm512_loadu_ps(p);
}
VB_INLINE f32s f_load_n(const float *p, size_t n) {
    return _mm512_maskz_loadu_ps(first_lanes(n), p);
}
VB_INLINE void f_store(float *p, f32s v) {
    _mm512_storeu_ps(p, v);
}
VB_INLINE void f_store_n(float *p, f32s v, size_t n) {
    _mm512_mask_storeu_ps(p, first_lanes(n), v);
}
VB_INLINE f32s f_add(f32s a, f32s b) {
    return _mm512_add_ps(a, b);
}
VB_INLINE f32s f_sub(f32s a, f32s b) {
    return _mm512_sub_ps(a, b);
}
VB_INLINE f32s f_mul(f32s a, f32s b) {
    return _mm512_mul_ps(a, b);
}
VB_INLINE f32s f_div(f32s a, f32s b) {
    return _mm512_div_ps(a, b);
}
VB_INLINE f32s f_max(f32s a, f32s b) {
    return _mm512_max_ps(a, b);
}
/* a in the first n lanes, b in the rest. */
VB_INLINE f32s f_first(f32s a, f32s b, size_t n) {
    return _mm512_mask_blend_ps(first_lanes(n), b, a);
}
/* yes where a > b (a < b), else no. */
VB_INLINE f32s f_if_gt(f32s a, f32s b, f32s yes, f32s no) {
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_GT_OQ), no, yes);
}
VB_INLINE f32s f_if_lt(f32s a, f32s b, f32s yes, f32s no) {
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), no, yes);
}
/* Bit l set where lane l of a equals lane l of b. */
VB_INLINE uint32_t f_equal_bits(f32s a, f32s b) {
    return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ);
}
VB_INLINE i32s f_bits(f32s a) {
    return _mm512_castps_si512(a);
}
VB_INLINE f32s f_from_bits(i32s a) {
    return _mm512_castsi512_ps(a);
}
VB_INLINE __m256 f_low(f32s a) {
    return _mm512_castps512_ps256(a);
}
VB_INLINE __m256 f_high(f32s a) {
    return _mm512_extractf32x8_ps(a, 1);
}

/* y * 2^n, rounded once, for whole n that leave a finite result. */
VB_INLINE f32s f_times_power(f32s y, f32s n) {
    return _mm512_scalef_ps(y, n);
}

VB_INLINE i32s i_set(uint32_t x) {
    return _mm512_set1_epi32((int32_t)x);
}
VB_INLINE i32s i_add(i32s a, i32s b) {
    return _mm512_add_epi32(a, b);
}
VB_INLINE i32s i_and(i32s a, i32s b) {
    return _mm512_and_si512(a, b);
}
VB_INLINE i32s i_max(i32s a, i32s b) { /* unsigned */
    return _mm512_max_epu32(a, b);
}
VB_INLINE __m256i i_low(i32s a) {
    return _mm512_castsi512_si256(a);
}
VB_INLINE __m256i i_high(i32s a) {
    return _mm512_extracti64x4_epi64(a, 1);
}

/* Weights as f32: exact. */
VB_INLINE f32s f_from_f16(const uint16_t *p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)p));
}
VB_INLINE f32s f_from_f16_n(const uint16_t *p, size_t n) {
    return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(first_lanes(n), p));
}
VB_INLINE f32s bf16_widened(__m256i v) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(v), 16));
}
VB_INLINE f32s f_from_bf16(const uint16_t *p) {
    return bf16_widened(_mm256_loadu_si256((const __m256i *)(const void *)p));
}
VB_INLINE f32s f_from_bf16_n(const uint16_t *p, size_t n) {
    return bf16_widened(_mm256_maskz_loadu_epi16(first_lanes(n), p));
}
VB_INLINE __m256i f_to_f16(f32s v) { /* nearest-even */
    return _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

/* (a, b) pairs to (a*c - b*s, a*s + b*c), c and s given for both lanes of each pair. */
VB_INLINE f32s f_rotate_pairs(f32s ab, f32s c, f32s s) {
    f32s p = f_mul(ab, c), q = f_mul(_mm512_permute_ps(ab, 0xb1), s);
    return _mm512_mask_sub_ps(f_add(p, q), 0x5555, p, q);
}
/* 8 values, each twice. */
VB_INLINE f32s f_load_twice(const float *p) {
    __m512 v = _mm512_castps256_ps512(_mm256_loadu_ps(p));
    const __m512i twice = _mm512_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
    return _mm512_permutexvar_ps(twice, v);
}

#endif
