/*
 * Vector helpers that the ARM kernels share: binary16 and bfloat16 to f32, the exponential of
 * arith/exp.h four lanes at a time, and the final reduction of a float product.
 *
 * Multiplication and addition are written as vmulq and vaddq. vmlaq and vfmaq never appear: they
 * may or do fuse, which changes bits (tests/cross/fused.test looks at the machine code).
 */
#ifndef VB_KERNELS_ARM_LANES_H
#define VB_KERNELS_ARM_LANES_H

#include <arm_neon.h>

#include "arith/exp.h"
#include "base/bytes.h"
#include "kernels/arm/layout.h"

static inline float vb_arm_f16(const uint8_t *p) {
    return vb_f16_to_f32(vb_load_u16le(p));
}
static inline float vb_arm_bf16(const uint8_t *p) {
    return vb_bf16_to_f32(vb_load_u16le(p));
}

/* acc + a * b, two roundings. */
VB_ARM_INLINE float32x4_t vb_arm_mul_add(float32x4_t acc, float32x4_t a, float32x4_t b) {
    return vaddq_f32(acc, vmulq_f32(a, b));
}

/* 4 or 8 binary16 bit patterns as f32: exact. */
VB_ARM_INLINE float32x4_t vb_arm_load_f16x4(const void *p) {
    return vcvt_f32_f16(vreinterpret_f16_u8(vld1_u8((const uint8_t *)p)));
}
VB_ARM_INLINE void vb_arm_load_f16x8(const void *p, float32x4_t out[2]) {
    const float16x8_t h = vreinterpretq_f16_u8(vld1q_u8((const uint8_t *)p));
    out[0] = vcvt_f32_f16(vget_low_f16(h));
    out[1] = vcvt_high_f32_f16(h);
}
VB_ARM_INLINE void vb_arm_load_bf16x8(const void *p, float32x4_t out[2]) {
    const uint16x8_t h = vreinterpretq_u16_u8(vld1q_u8((const uint8_t *)p));
    out[0] = vreinterpretq_f32_u32(vshll_n_u16(vget_low_u16(h), 16));
    out[1] = vreinterpretq_f32_u32(vshll_high_n_u16(h, 16));
}

/* vb_exp of four lanes, operation by operation. */
VB_ARM_INLINE float32x4_t vb_arm_exp(float32x4_t x) {
    const float32x4_t magic = vdupq_n_f32(VB_EXP_RINT);
    const float32x4_t shifted = vb_arm_mul_add(magic, x, vdupq_n_f32(VB_EXP_LOG2E));
    const float32x4_t n = vsubq_f32(shifted, magic);
    const float32x4_t r = vsubq_f32(vsubq_f32(x, vmulq_f32(n, vdupq_n_f32(VB_EXP_LN2_HI))),
                                    vmulq_f32(n, vdupq_n_f32(VB_EXP_LN2_LO)));
    float32x4_t p = vdupq_n_f32(VB_EXP_P5);
    p = vb_arm_mul_add(vdupq_n_f32(VB_EXP_P4), p, r);
    p = vb_arm_mul_add(vdupq_n_f32(VB_EXP_P3), p, r);
    p = vb_arm_mul_add(vdupq_n_f32(VB_EXP_P2), p, r);
    p = vb_arm_mul_add(vdupq_n_f32(VB_EXP_P1), p, r);
    p = vb_arm_mul_add(vdupq_n_f32(VB_EXP_P0), p, r);
    float32x4_t y = vb_arm_mul_add(r, p, vmulq_f32(r, r));
    y = vaddq_f32(y, vdupq_n_f32(1.0f));
    const uint32x4_t k = vsubq_u32(vreinterpretq_u32_f32(shifted), vreinterpretq_u32_f32(magic));
    const uint32x4_t k_lo =
        vsubq_u32(vshrq_n_u32(vaddq_u32(k, vdupq_n_u32(512)), 1), vdupq_n_u32(256));
    const uint32x4_t k_hi = vsubq_u32(k, k_lo);
    const uint32x4_t one = vdupq_n_u32(127);
    y = vmulq_f32(y, vreinterpretq_f32_u32(vshlq_n_u32(vaddq_u32(k_lo, one), 23)));
    y = vmulq_f32(y, vreinterpretq_f32_u32(vshlq_n_u32(vaddq_u32(k_hi, one), 23)));
    const float32x4_t inf = vreinterpretq_f32_u32(vdupq_n_u32(0x7f800000u));
    y = vbslq_f32(vcgtq_f32(x, vdupq_n_f32(VB_EXP_MAX)), inf, y);
    return vbslq_f32(vcltq_f32(x, vdupq_n_f32(VB_EXP_MIN)), vdupq_n_f32(0.0f), y);
}

/* The sum of 16 lanes: s_l += s_{l+8}, then +4, +2, +1 (section 4). */
VB_ARM_INLINE float vb_arm_reduce(float32x4_t s0, float32x4_t s1, float32x4_t s2, float32x4_t s3) {
    const float32x4_t s = vaddq_f32(vaddq_f32(s0, s2), vaddq_f32(s1, s3));
    const float32x2_t t = vadd_f32(vget_low_f32(s), vget_high_f32(s));
    return vget_lane_f32(t, 0) + vget_lane_f32(t, 1);
}

#endif
