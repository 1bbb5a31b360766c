/*
 * Floats as bit patterns, and the float formats of weights. Everything here is exact except
 * vb_f32_to_f16, which rounds to nearest, ties to even (spec/arithmetic.md section 6).
 *
 * Pure; any thread.
 */
#ifndef VB_ARITH_BITS_H
#define VB_ARITH_BITS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static inline uint32_t vb_f32_bits(float x) {
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}
static inline float vb_f32_from_bits(uint32_t u) {
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}
static inline uint64_t vb_f64_bits(double x) {
    uint64_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}
static inline double vb_f64_from_bits(uint64_t u) {
    double x;
    memcpy(&x, &u, sizeof x);
    return x;
}

static inline bool vb_f32_finite(float x) {
    return (vb_f32_bits(x) & 0x7fffffffu) < 0x7f800000u;
}
static inline bool vb_f16_finite(uint16_t h) {
    return (h & 0x7fffu) < 0x7c00u;
}

/* bfloat16 is the upper half of binary32. */
static inline float vb_bf16_to_f32(uint16_t h) {
    return vb_f32_from_bits((uint32_t)h << 16);
}

/* Exact, subnormals included. Infinities stay; a NaN keeps sign and payload, shifted. */
static inline float vb_f16_to_f32(uint16_t h) {
    uint32_t sign = (uint32_t)(h & 0x8000u) << 16;
    uint32_t magnitude = h & 0x7fffu;
    if (magnitude >= 0x7c00u) {
        return vb_f32_from_bits(sign | 0x7f800000u | (magnitude & 0x3ffu) << 13);
    }
    if (magnitude < 0x0400u) {
        /* A subnormal is its integer significand times 2^-24; both steps are exact. */
        float value = (float)(int32_t)magnitude * 0x1p-24f;
        return vb_f32_from_bits(sign | vb_f32_bits(value));
    }
    return vb_f32_from_bits(sign | ((magnitude << 13) + 0x38000000u));
}

/* Nearest-even. A finite value of magnitude 65520 or more becomes an infinity; a NaN becomes
 * the quiet NaN 0x7e00 with its sign. */
uint16_t vb_f32_to_f16(float x);

#endif
