/*
 * What is done to rows of activations and of logits, four lanes at a time. Tails run the
 * scalar definition itself (arith/exp.h) or the same vector code on a padded copy.
 */
#include <string.h>

#include "arith/product.h"
#include "kernels/arm/lanes.h"
#include "kernels/arm/tiers.h"

/* The bit patterns of four magnitudes; as integers they order like the values, and NaN and Inf
 * come last. */
VB_ARM_INLINE uint32x4_t magnitude(float32x4_t x) {
    return vreinterpretq_u32_f32(vabsq_f32(x));
}

/* One block of 32: false if it holds a NaN or an infinity. */
VB_ARM_INLINE bool quantize_block(const float *x, int8_t *q, float *d, int32_t *u, int32_t *u_lo,
                                  float *du) {
    float32x4_t v[8];
    uint32x4_t max = vdupq_n_u32(0);
#pragma GCC unroll 8
    for (size_t i = 0; i < 8; i++) {
        v[i] = vld1q_f32(x + 4 * i);
        max = vmaxq_u32(max, magnitude(v[i]));
    }
    const uint32_t max_bits = vmaxvq_u32(max);
    if (max_bits >= 0x7f800000u) {
        return false;
    }
    const float a = vb_f32_from_bits(max_bits);
    const bool zero = a < VB_QUANT_MIN;
    const float scale = zero ? 0.0f : a / 127.0f;
    const float r = zero ? 0.0f : 127.0f / a;
    int32x4_t n[8];
#pragma GCC unroll 8
    for (size_t i = 0; i < 8; i++) {
        n[i] = vcvtnq_s32_f32(vmulq_n_f32(v[i], r));
    }
    const int16x8_t h0 = vcombine_s16(vmovn_s32(n[0]), vmovn_s32(n[1]));
    const int16x8_t h1 = vcombine_s16(vmovn_s32(n[2]), vmovn_s32(n[3]));
    const int16x8_t h2 = vcombine_s16(vmovn_s32(n[4]), vmovn_s32(n[5]));
    const int16x8_t h3 = vcombine_s16(vmovn_s32(n[6]), vmovn_s32(n[7]));
    vst1q_s8(q, vcombine_s8(vmovn_s16(h0), vmovn_s16(h1)));
    vst1q_s8(q + 16, vcombine_s8(vmovn_s16(h2), vmovn_s16(h3)));
    const int32_t lo = vaddvq_s16(vaddq_s16(h0, h1)), hi = vaddvq_s16(vaddq_s16(h2, h3));
    *d = scale;
    *u = lo + hi;
    *u_lo = lo;
    *du = scale * (float)(lo + hi);
    return true;
}

bool vb_arm_quantize(const float *x, size_t cols, int8_t *q, float *d, int32_t *u, int32_t *u_lo,
                     float *du) {
    for (size_t b = 0; b < cols / VB_BLOCK; b++) {
        const size_t at = b * VB_BLOCK;
        if (!quantize_block(x + at, q + at, d + b, u + b, u_lo + b, du + b)) {
            return false;
        }
    }
    return true;
}

bool vb_arm_all_finite(const float *x, size_t n) {
    uint32x4_t m0 = vdupq_n_u32(0), m1 = m0;
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        m0 = vmaxq_u32(m0, magnitude(vld1q_f32(x + i)));
        m1 = vmaxq_u32(m1, magnitude(vld1q_f32(x + i + 4)));
    }
    uint32_t max = vmaxvq_u32(vmaxq_u32(m0, m1));
    for (; i < n; i++) {
        const uint32_t bits = vb_f32_bits(x[i]) & 0x7fffffffu;
        max = bits > max ? bits : max;
    }
    return max < 0x7f800000u;
}

/* Sixteen squares into their accumulators. */
VB_ARM_INLINE void add_squares(const float *x, float32x4_t s[4]) {
#pragma GCC unroll 4
    for (size_t i = 0; i < 4; i++) {
        const float32x4_t v = vld1q_f32(x + 4 * i);
        s[i] = vb_arm_mul_add(s[i], v, v);
    }
}

void vb_arm_rmsnorm(const float *x, const float *w, size_t n, float eps, float *y) {
    float32x4_t s[4] = {vdupq_n_f32(0.0f), vdupq_n_f32(0.0f), vdupq_n_f32(0.0f), vdupq_n_f32(0.0f)};
    size_t i = 0;
    for (; i + VB_LANES <= n; i += VB_LANES) {
        add_squares(x + i, s);
    }
    if (i < n) {
        float tail[VB_LANES] = {0};
        memcpy(tail, x + i, (n - i) * sizeof(float));
        add_squares(tail, s);
    }
    const float ss = vb_arm_reduce(s[0], s[1], s[2], s[3]);
    const float32x2_t root = vsqrt_f32(vdup_n_f32(ss / (float)n + eps));
    const float r = 1.0f / vget_lane_f32(root, 0);
    for (i = 0; i + 4 <= n; i += 4) {
        vst1q_f32(y + i, vmulq_f32(vmulq_n_f32(vld1q_f32(x + i), r), vld1q_f32(w + i)));
    }
    for (; i < n; i++) {
        y[i] = (x[i] * r) * w[i];
    }
}

void vb_arm_add(float *y, const float *x, size_t n) {
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        const float32x4_t a = vaddq_f32(vld1q_f32(y + i), vld1q_f32(x + i));
        const float32x4_t b = vaddq_f32(vld1q_f32(y + i + 4), vld1q_f32(x + i + 4));
        vst1q_f32(y + i, a);
        vst1q_f32(y + i + 4, b);
    }
    for (; i < n; i++) {
        y[i] = y[i] + x[i];
    }
}

void vb_arm_silu_mul(const float *gate, const float *up, size_t n, float *out) {
    const float32x4_t one = vdupq_n_f32(1.0f);
    size_t i = 0;
    for (; i + 4 <= n; i += 4) {
        const float32x4_t g = vld1q_f32(gate + i), v = vld1q_f32(up + i);
        const float32x4_t silu = vdivq_f32(g, vaddq_f32(one, vb_arm_exp(vnegq_f32(g))));
        vst1q_f32(out + i, vmulq_f32(silu, v));
    }
    for (; i < n; i++) {
        out[i] = vb_silu(gate[i]) * up[i];
    }
}

/* Four pairs (a, b) by the angles of cos_row and sin_row. */
VB_ARM_INLINE void rotate(float32x4_t *a, float32x4_t *b, float32x4_t c, float32x4_t s) {
    const float32x4_t x = *a, y = *b;
    *a = vsubq_f32(vmulq_f32(x, c), vmulq_f32(y, s));
    *b = vaddq_f32(vmulq_f32(x, s), vmulq_f32(y, c));
}

void vb_arm_rope(float *x, size_t n_heads, size_t head_dim, size_t n_rot, vb_rope_style style,
                 const float *cos_row, const float *sin_row) {
    const size_t half = n_rot / 2, whole = half / 4 * 4;
    for (size_t h = 0; h < n_heads; h++) {
        float *v = x + h * head_dim;
        for (size_t i = 0; i < whole; i += 4) {
            const float32x4_t c = vld1q_f32(cos_row + i), s = vld1q_f32(sin_row + i);
            if (style == VB_ROPE_NORM) {
                float32x4x2_t p = vld2q_f32(v + 2 * i);
                rotate(&p.val[0], &p.val[1], c, s);
                vst2q_f32(v + 2 * i, p);
            } else {
                float32x4_t a = vld1q_f32(v + i), b = vld1q_f32(v + i + half);
                rotate(&a, &b, c, s);
                vst1q_f32(v + i, a);
                vst1q_f32(v + i + half, b);
            }
        }
        for (size_t i = whole; i < half; i++) {
            float *a = style == VB_ROPE_NORM ? v + 2 * i : v + i;
            float *b = style == VB_ROPE_NORM ? a + 1 : a + half;
            const float p = *a, q = *b;
            *a = p * cos_row[i] - q * sin_row[i];
            *b = p * sin_row[i] + q * cos_row[i];
        }
    }
}

/* Each lane keeps its first maximum; the lanes' winners are then compared by value and index. */
size_t vb_arm_argmax(const float *x, size_t n) {
    size_t best = 0, i = 0;
    if (n >= 4 && n <= UINT32_MAX) {
        static const uint32_t first[4] = {0, 1, 2, 3};
        float32x4_t max = vld1q_f32(x);
        uint32x4_t at = vld1q_u32(first), now = at;
        for (i = 4; i + 4 <= n; i += 4) {
            now = vaddq_u32(now, vdupq_n_u32(4));
            const float32x4_t v = vld1q_f32(x + i);
            const uint32x4_t above = vcgtq_f32(v, max);
            max = vbslq_f32(above, v, max);
            at = vbslq_u32(above, now, at);
        }
        uint32_t lanes[4];
        vst1q_u32(lanes, at);
        best = lanes[0];
        for (size_t l = 1; l < 4; l++) {
            if (x[lanes[l]] > x[best] || (x[lanes[l]] == x[best] && lanes[l] < best)) {
                best = lanes[l];
            }
        }
    }
    for (; i < n; i++) {
        best = x[i] > x[best] ? i : best;
    }
    return best;
}

void vb_arm_exp_weights(const float *x, size_t n, float x_max, float temperature, uint64_t *w) {
    const float32x4_t max = vdupq_n_f32(x_max), t = vdupq_n_f32(temperature);
    size_t i = 0;
    for (; i + 4 <= n; i += 4) {
        const float32x4_t e = vb_arm_exp(vdivq_f32(vsubq_f32(vld1q_f32(x + i), max), t));
        const float32x4_t v = vmulq_f32(e, vdupq_n_f32(0x1p+40f)); /* exact */
        vst1q_u64(w + i, vcvtq_u64_f64(vcvt_f64_f32(vget_low_f32(v))));
        vst1q_u64(w + i + 2, vcvtq_u64_f64(vcvt_high_f64_f32(v)));
    }
    for (; i < n; i++) {
        w[i] = (uint64_t)(vb_exp((x[i] - x_max) / temperature) * 0x1p+40f);
    }
}
