/*
 * What is done to rows of activations between products (spec/arithmetic.md sections 5 and 7).
 *
 * Pure; any thread.
 */
#ifndef VB_ARITH_ROWS_H
#define VB_ARITH_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* True when no element is a NaN or an infinity. */
bool vb_all_finite(const float *x, size_t n);

/* y_i = (x_i * r) * w_i, r = 1 / sqrt(ss / (f32)n + eps), ss = vb_dot_f32(x, x). n >= 1 and
 * below 2^24; y may be x. */
void vb_rmsnorm(const float *x, const float *w, size_t n, float eps, float *y);

/* y_i = y_i + x_i. */
void vb_add(float *y, const float *x, size_t n);

/* out_i = silu(gate_i) * up_i; out may be gate or up. */
void vb_silu_mul(const float *gate, const float *up, size_t n, float *out);

/* The lowest index of the largest element; -0 equals +0. n >= 1, all finite. */
size_t vb_argmax(const float *x, size_t n);

/* w_i = floor(exp((x_i - x_max) / temperature) * 2^40). All x_i <= x_max, temperature > 0. */
void vb_exp_weights(const float *x, size_t n, float x_max, float temperature, uint64_t *w);

#endif
