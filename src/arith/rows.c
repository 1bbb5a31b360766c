#include "arith/rows.h"

#include "arith/bits.h"
#include "arith/exp.h"
#include "arith/product.h"
#include "arith/trig.h"

bool vb_all_finite(const float *x, size_t n) {
    uint32_t max_bits = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits = vb_f32_bits(x[i]) & 0x7fffffffu;
        max_bits = bits > max_bits ? bits : max_bits;
    }
    return max_bits < 0x7f800000u;
}

void vb_rmsnorm(const float *x, const float *w, size_t n, float eps, float *y) {
    float ss = vb_dot_f32(x, x, n);
    float r = 1.0f / vb_sqrt_f32(ss / (float)n + eps);
    for (size_t i = 0; i < n; i++) {
        y[i] = (x[i] * r) * w[i];
    }
}

void vb_add(float *y, const float *x, size_t n) {
    for (size_t i = 0; i < n; i++) {
        y[i] = y[i] + x[i];
    }
}

void vb_silu_mul(const float *gate, const float *up, size_t n, float *out) {
    for (size_t i = 0; i < n; i++) {
        out[i] = vb_silu(gate[i]) * up[i];
    }
}

size_t vb_argmax(const float *x, size_t n) {
    size_t best = 0;
    for (size_t i = 1; i < n; i++) {
        if (x[i] > x[best]) {
            best = i;
        }
    }
    return best;
}

void vb_exp_weights(const float *x, size_t n, float x_max, float temperature, uint64_t *w) {
    for (size_t i = 0; i < n; i++) {
        float e = vb_exp((x[i] - x_max) / temperature);
        w[i] = (uint64_t)(e * 0x1p+40f); /* exact product; the conversion truncates */
    }
}
