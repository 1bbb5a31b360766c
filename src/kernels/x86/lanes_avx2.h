/*
 * Sixteen f32 lanes in two AVX registers: lanes_avx512vnni.h says what each name does.
 */
#ifndef VB_KERNELS_X86_LANES_H
#define VB_KERNELS_X86_LANES_H

#include <immintrin.h>

#include "kernels/x86/layout.h"

#define TIER(name) name##_avx2

/* Register tiles that fit 16 registers. */
enum { FLOAT_ROWS = 2, FLOAT_TOKENS = 2, QUERIES = 4, KEY_TILES = 1, DIM_TILES = 1 };
#define VB_SETS_OF_7 0

typedef struct f32s {
    __m256 lo, hi;
} f32s;
typedef struct i32s {
    __m256i lo, hi;
} i32s;

/* All ones in the first n of 8 lanes. */
VB_INLINE __m256i first_of_8(size_t n) {
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int32_t)n), lane);
}
VB_INLINE size_t in_low(size_t n) {
    return n < 8 ? n : 8;
}
VB_INLINE size_t in_high(size_t n) {
    return n < 8 ? 0 : n - 8;
}

VB_INLINE f32s f_set(float x) {
    return (f32s){_mm256_set1_ps(x), _mm256_set1_ps(x)};
}
VB_INLINE f32s f_load(const float *p) {
    return (f32s){_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)};
}
VB_INLINE f32s f_load_n(const float *p, size_t n) {
    return (f32s){_mm256_maskload_ps(p, first_of_8(in_low(n))),
                  _mm256_maskload_ps(p + 8, first_of_8(in_high(n)))};
}
VB_INLINE void f_store(float *p, f32s v) {
    _mm256_storeu_ps(p, v.lo);
    _mm256_storeu_ps(p + 8, v.hi);
}
VB_INLINE void f_store_n(float *p, f32s v, size_t n) {
    _mm256_maskstore_ps(p, first_of_8(in_low(n)), v.lo);
    _mm256_maskstore_ps(p + 8, first_of_8(in_high(n)), v.hi);
}
VB_INLINE f32s f_add(f32s a, f32s b) {
    return (f32s){_mm256_add_ps(a.lo, b.lo), _mm256_add_ps(a.hi, b.hi)};
}
VB_INLINE f32s f_sub(f32s a, f32s b) {
    return (f32s){_mm256_sub_ps(a.lo, b.lo), _mm256_sub_ps(a.hi, b.hi)};
}
VB_INLINE f32s f_mul(f32s a, f32s b) {
    return (f32s){_mm256_mul_ps(a.lo, b.lo), _mm256_mul_ps(a.hi, b.hi)};
}
VB_INLINE f32s f_div(f32s a, f32s b) {
    return (f32s){_mm256_div_ps(a.lo, b.lo), _mm256_div_ps(a.hi, b.hi)};
}
VB_INLINE f32s f_max(f32s a, f32s b) {
    return (f32s){_mm256_max_ps(a.lo, b.lo), _mm256_max_ps(a.hi, b.hi)};
}
VB_INLINE f32s f_first(f32s a, f32s b, size_t n) {
    __m256 lo = _mm256_castsi256_ps(first_of_8(in_low(n)));
    __m256 hi = _mm256_castsi256_ps(first_of_8(in_high(n)));
    return (f32s){_mm256_blendv_ps(b.lo, a.lo, lo), _mm256_blendv_ps(b.hi, a.hi, hi)};
}
VB_INLINE f32s f_if_gt(f32s a, f32s b, f32s yes, f32s no) {
    __m256 lo = _mm256_cmp_ps(a.lo, b.lo, _CMP_GT_OQ), hi = _mm256_cmp_ps(a.hi, b.hi, _CMP_GT_OQ);
    return (f32s){_mm256_blendv_ps(no.lo, yes.lo, lo), _mm256_blendv_ps(no.hi, yes.hi, hi)};
}
VB_INLINE f32s f_if_lt(f32s a, f32s b, f32s yes, f32s no) {
    return f_if_gt(b, a, yes, no);
}
VB_INLINE uint32_t f_equal_bits(f32s a, f32s b) {
    int lo = _mm256_movemask_ps(_mm256_cmp_ps(a.lo, b.lo, _CMP_EQ_OQ));
    int hi = _mm256_movemask_ps(_mm256_cmp_ps(a.hi, b.hi, _CMP_EQ_OQ));
    return (uint32_t)lo | (uint32_t)hi << 8;
}
VB_INLINE i32s f_bits(f32s a) {
    return (i32s){_mm256_castps_si256(a.lo), _mm256_castps_si256(a.hi)};
}
VB_INLINE f32s f_from_bits(i32s a) {
    return (f32s){_mm256_castsi256_ps(a.lo), _mm256_castsi256_ps(a.hi)};
}
VB_INLINE __m256 f_low(f32s a) {
    return a.lo;
}
VB_INLINE __m256 f_high(f32s a) {
    return a.hi;
}

VB_INLINE i32s i_set(uint32_t x) {
    return (i32s){_mm256_set1_epi32((int32_t)x), _mm256_set1_epi32((int32_t)x)};
}
VB_INLINE i32s i_add(i32s a, i32s b) {
    return (i32s){_mm256_add_epi32(a.lo, b.lo), _mm256_add_epi32(a.hi, b.hi)};
}
VB_INLINE i32s i_and(i32s a, i32s b) {
    return (i32s){_mm256_and_si256(a.lo, b.lo), _mm256_and_si256(a.hi, b.hi)};
}
VB_INLINE i32s i_max(i32s a, i32s b) { /* unsigned */
    return (i32s){_mm256_max_epu32(a.lo, b.lo), _mm256_max_epu32(a.hi, b.hi)};
}
VB_INLINE __m256i i_low(i32s a) {
    return a.lo;
}
VB_INLINE __m256i i_high(i32s a) {
    return a.hi;
}

/* By two factors, each a normal number: the first product is exact. */
VB_INLINE __m256 times_power(__m256 y, __m256 n) {
    const __m256i bias = _mm256_set1_epi32(127), k = _mm256_cvtps_epi32(n);
    const __m256i lo = _mm256_srai_epi32(k, 1), hi = _mm256_sub_epi32(k, lo);
    __m256i power = _mm256_slli_epi32(_mm256_add_epi32(lo, bias), 23);
    y = _mm256_mul_ps(y, _mm256_castsi256_ps(power));
    power = _mm256_slli_epi32(_mm256_add_epi32(hi, bias), 23);
    return _mm256_mul_ps(y, _mm256_castsi256_ps(power));
}
VB_INLINE f32s f_times_power(f32s y, f32s n) {
    return (f32s){times_power(y.lo, n.lo), times_power(y.hi, n.hi)};
}

VB_INLINE __m256 f16_widened(const uint16_t *p) {
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)p));
}
VB_INLINE f32s f_from_f16(const uint16_t *p) {
    return (f32s){f16_widened(p), f16_widened(p + 8)};
}
VB_INLINE f32s f_from_f16_n(const uint16_t *p, size_t n) {
    uint16_t v[16] = {0};
    memcpy(v, p, n * sizeof v[0]);
    return f_from_f16(v);
}
VB_INLINE __m256 bf16_widened(const uint16_t *p) {
    __m256i v = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(const void *)p));
    return _mm256_castsi256_ps(_mm256_slli_epi32(v, 16));
}
VB_INLINE f32s f_from_bf16(const uint16_t *p) {
    return (f32s){bf16_widened(p), bf16_widened(p + 8)};
}
VB_INLINE f32s f_from_bf16_n(const uint16_t *p, size_t n) {
    uint16_t v[16] = {0};
    memcpy(v, p, n * sizeof v[0]);
    return f_from_bf16(v);
}
VB_INLINE __m256i f_to_f16(f32s v) { /* nearest-even */
    __m128i lo = _mm256_cvtps_ph(v.lo, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    __m128i hi = _mm256_cvtps_ph(v.hi, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    return _mm256_set_m128i(hi, lo);
}

VB_INLINE f32s f_rotate_pairs(f32s ab, f32s c, f32s s) {
    f32s p = f_mul(ab, c);
    f32s q = f_mul((f32s){_mm256_permute_ps(ab.lo, 0xb1), _mm256_permute_ps(ab.hi, 0xb1)}, s);
    return (f32s){_mm256_addsub_ps(p.lo, q.lo), _mm256_addsub_ps(p.hi, q.hi)};
}
VB_INLINE f32s f_load_twice(const float *p) {
    __m256 v = _mm256_loadu_ps(p);
    const __m256i low = _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3);
    const __m256i high = _mm256_setr_epi32(4, 4, 5, 5, 6, 6, 7, 7);
    return (f32s){_mm256_permutevar8x32_ps(v, low), _mm256_permutevar8x32_ps(v, high)};
}

#endif
