/*
 * Activations to integers, and the two products (spec/arithmetic.md sections 2 to 4).
 *
 * Pure; any thread.
 */
#ifndef VB_ARITH_PRODUCT_H
#define VB_ARITH_PRODUCT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arith/block.h"

/* Below this magnitude a block of activations counts as zero, so that 127 / a is finite. */
#define VB_QUANT_MIN 0x1p-100f

/* Quantises one row x[cols], cols a multiple of 32, in blocks of 32: q[cols] in [-127, 127],
 * and per block d, u (sum of q), u_lo (sum of the first 16 q), du = d * (f32)u.
 * False if x holds a NaN or an infinity; outputs are then undefined. */
bool vb_quantize_row(const float *x, size_t cols, int8_t *q, float *d, int32_t *u, int32_t *u_lo,
                     float *du);

/* sc[0] * sum of the first 16 w * q + sc[1] * sum of the second 16, exactly. */
int32_t vb_block_isum(const vb_block *block, const int8_t *q);

/* acc after one more block: acc + (s * d) * (f32)isum, then + m * du if the format has m. */
float vb_block_step(float acc, const vb_block *block, int32_t isum, float d, float du);

/* One row of integer weights, as the file has it, times one quantised row of activations. */
float vb_dot_int(vb_wtype type, const uint8_t *row, size_t cols, const int8_t *q, const float *d,
                 const float *du);

/* The sum of 16 lanes in its fixed order: halves added, 8, 4, 2, 1. lanes is overwritten. */
float vb_lanes_sum(float *lanes);

/* w times x by sixteen lanes. n may be any number, 0 included. */
float vb_dot_f32(const float *w, const float *x, size_t n);

/* One row of F32, F16 or BF16 weights, as the file has it, times x. */
float vb_dot_float(vb_wtype type, const uint8_t *row, size_t cols, const float *x);

#endif
