/*
 * exp and SiLU in binary32 (spec/arithmetic.md sections 5.1, 5.2): only +, -, *, /, comparisons and
 * integer operations on bits, without branches, so that every instruction set computes them
 * lane by lane with equal bits. Inline for that reason: a loop over vb_exp vectorises.
 *
 * Pure; any thread.
 */
#ifndef VB_ARITH_EXP_H
#define VB_ARITH_EXP_H

#include "arith/bits.h"

/* The largest x whose exponential is finite, and the smallest whose exponential, correctly
 * rounded, is not zero: 150 ln 2 lies between the second and its next neighbour below. */
#define VB_EXP_MAX 0x1.62e42ep+6f
#define VB_EXP_MIN (-0x1.9fe368p+6f)

#define VB_EXP_LOG2E 0x1.715476p+0f
#define VB_EXP_LN2_HI 0x1.63p-1f         /* 9 bits: n * LN2_HI is exact for |n| <= 150 */
#define VB_EXP_LN2_LO (-0x1.bd0106p-13f) /* ln 2 - LN2_HI */
#define VB_EXP_P5 0x1.a0d2cep-13f
#define VB_EXP_P4 0x1.6e879cp-10f
#define VB_EXP_P3 0x1.11121p-7f
#define VB_EXP_P2 0x1.555382p-5f
#define VB_EXP_P1 0x1.555554p-3f
#define VB_EXP_P0 0x1p-1f
#define VB_EXP_RINT 0x1.8p+23f /* adding it rounds |t| < 2^22 to an integer, ties to even */

/* exp(x) within 1 ulp (measured: tests). exp(+-0) = 1 exactly; above VB_EXP_MAX +inf; below
 * VB_EXP_MIN +0; a NaN gives a NaN. */
static inline float vb_exp(float x) {
    float shifted = x * VB_EXP_LOG2E + VB_EXP_RINT;
    float n = shifted - VB_EXP_RINT;
    float r = (x - n * VB_EXP_LN2_HI) - n * VB_EXP_LN2_LO;
    float p = VB_EXP_P5;
    p = p * r + VB_EXP_P4;
    p = p * r + VB_EXP_P3;
    p = p * r + VB_EXP_P2;
    p = p * r + VB_EXP_P1;
    p = p * r + VB_EXP_P0;
    float y = (p * (r * r) + r) + 1.0f;
    /* 2^n as two factors, each a normal number: the first product is exact, the second rounds
     * a subnormal result once. Unsigned wrap-around only where the result is replaced below. */
    uint32_t k = vb_f32_bits(shifted) - vb_f32_bits(VB_EXP_RINT);
    uint32_t k_lo = ((k + 512u) >> 1) - 256u;
    uint32_t k_hi = k - k_lo;
    y = y * vb_f32_from_bits((k_lo + 127u) << 23);
    y = y * vb_f32_from_bits((k_hi + 127u) << 23);
    y = x > VB_EXP_MAX ? vb_f32_from_bits(0x7f800000u) : y;
    y = x < VB_EXP_MIN ? 0.0f : y;
    return y;
}

/* x / (1 + exp(-x)). */
static inline float vb_silu(float x) {
    return x / (1.0f + vb_exp(-x));
}

#endif
