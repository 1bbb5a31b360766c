/*
 * Products with float weights (section 4): the sixteen accumulators of one (row, token) pair are
 * four registers, lane l of the definition being lane l % 4 of register l / 4. Tiles of
 * 4 rows x 1 token (decoding) or 2 rows x 2 tokens keep sixteen independent chains of additions
 * in flight and use every loaded register for as many products as there is room for.
 */
#include <string.h>

#include "kernels/arm/lanes.h"
#include "kernels/arm/tiers.h"

enum { ROWS_MAX = 4, TOKENS_MAX = 2, REGS = 4 };

/* Elements k .. k + 7 of a row of weights. */
VB_ARM_INLINE void load8(vb_wtype type, const uint8_t *row, size_t k, float32x4_t out[2]) {
    if (type == VB_F32) {
        out[0] = vreinterpretq_f32_u8(vld1q_u8(row + 4 * k));
        out[1] = vreinterpretq_f32_u8(vld1q_u8(row + 4 * k + 16));
    } else if (type == VB_F16) {
        vb_arm_load_f16x8(row + 2 * k, out);
    } else {
        vb_arm_load_bf16x8(row + 2 * k, out);
    }
}

/* One step of sixteen inputs. */
VB_ARM_INLINE void step(vb_wtype type, size_t n_rows, size_t n_tokens, const uint8_t *const *w,
                        const float *const *x, size_t k,
                        float32x4_t acc[ROWS_MAX][TOKENS_MAX][REGS]) {
#pragma GCC unroll 2
    for (size_t h = 0; h < 2; h++) {
        float32x4_t xs[TOKENS_MAX][2];
#pragma GCC unroll 2
        for (size_t t = 0; t < n_tokens; t++) {
            xs[t][0] = vld1q_f32(x[t] + k + 8 * h);
            xs[t][1] = vld1q_f32(x[t] + k + 8 * h + 4);
        }
#pragma GCC unroll 4
        for (size_t r = 0; r < n_rows; r++) {
            float32x4_t ws[2];
            load8(type, w[r], k + 8 * h, ws);
#pragma GCC unroll 2
            for (size_t t = 0; t < n_tokens; t++) {
                acc[r][t][2 * h] = vb_arm_mul_add(acc[r][t][2 * h], ws[0], xs[t][0]);
                acc[r][t][2 * h + 1] = vb_arm_mul_add(acc[r][t][2 * h + 1], ws[1], xs[t][1]);
            }
        }
    }
}

/* n_rows x n_tokens results: row r, token t into y[t * y_stride + r]. */
VB_ARM_INLINE void tile(vb_wtype type, size_t n_rows, size_t n_tokens, size_t cols,
                        const uint8_t *w0, const float *x0, float *y, size_t y_stride) {
    const size_t value_bytes = type == VB_F32 ? 4 : 2;
    const uint8_t *w[ROWS_MAX] = {0};
    const float *x[TOKENS_MAX] = {0};
    float32x4_t acc[ROWS_MAX][TOKENS_MAX][REGS];
    for (size_t r = 0; r < n_rows; r++) {
        w[r] = w0 + r * cols * value_bytes;
#pragma GCC unroll 8
        for (size_t i = 0; i < n_tokens * REGS; i++) {
            acc[r][i / REGS][i % REGS] = vdupq_n_f32(0.0f);
        }
    }
    for (size_t t = 0; t < n_tokens; t++) {
        x[t] = x0 + t * cols;
    }
    size_t k = 0;
    for (; k + VB_LANES <= cols; k += VB_LANES) {
        step(type, n_rows, n_tokens, w, x, k, acc);
    }
    if (k < cols) {
        /* Zeros past the end: an accumulator is never -0, so adding +0 changes nothing. */
        uint8_t w_tail[ROWS_MAX][VB_LANES * 4] = {{0}};
        float x_tail[TOKENS_MAX][VB_LANES] = {{0}};
        for (size_t r = 0; r < n_rows; r++) {
            memcpy(w_tail[r], w[r] + k * value_bytes, (cols - k) * value_bytes);
            w[r] = w_tail[r];
        }
        for (size_t t = 0; t < n_tokens; t++) {
            memcpy(x_tail[t], x[t] + k, (cols - k) * sizeof(float));
            x[t] = x_tail[t];
        }
        step(type, n_rows, n_tokens, w, x, 0, acc);
    }
    for (size_t r = 0; r < n_rows; r++) {
        for (size_t t = 0; t < n_tokens; t++) {
            y[t * y_stride + r] =
                vb_arm_reduce(acc[r][t][0], acc[r][t][1], acc[r][t][2], acc[r][t][3]);
        }
    }
}

/* Rows [begin, end), few enough to stay in cache while every token passes over them. */
VB_ARM_INLINE void row_group(vb_wtype type, const vb_matrix *m, size_t begin, size_t end,
                             const vb_act *x, float *y, size_t y_stride) {
    const size_t cols = m->cols;
    const size_t row_bytes = cols * (type == VB_F32 ? 4 : 2);
    const uint8_t *w = (const uint8_t *)m->data;
    size_t t = 0;
    for (; t + 2 <= x->rows; t += 2) {
        const float *xt = x->x + t * cols;
        float *yt = y + t * y_stride;
        size_t r = begin;
        for (; r + 2 <= end; r += 2) {
            tile(type, 2, 2, cols, w + r * row_bytes, xt, yt + r, y_stride);
        }
        if (r < end) {
            tile(type, 1, 2, cols, w + r * row_bytes, xt, yt + r, y_stride);
        }
    }
    if (t < x->rows) {
        const float *xt = x->x + t * cols;
        float *yt = y + t * y_stride;
        size_t r = begin;
        for (; r + 4 <= end; r += 4) {
            tile(type, 4, 1, cols, w + r * row_bytes, xt, yt + r, y_stride);
        }
        for (; r < end; r++) {
            tile(type, 1, 1, cols, w + r * row_bytes, xt, yt + r, y_stride);
        }
    }
}

VB_ARM_INLINE void product(vb_wtype type, const vb_matrix *m, size_t row_begin, size_t row_end,
                           const vb_act *x, float *y, size_t y_stride) {
    for (size_t r = row_begin; r < row_end; r += VB_ROW_TILE) {
        const size_t end = r + VB_ROW_TILE < row_end ? r + VB_ROW_TILE : row_end;
        row_group(type, m, r, end, x, y, y_stride);
    }
}

void vb_arm_matmul_float(const vb_matrix *m, size_t row_begin, size_t row_end, const vb_act *x,
                         float *y, size_t y_stride) {
    switch (m->type) {
    case VB_F32: product(VB_F32, m, row_begin, row_end, x, y, y_stride); break;
    case VB_F16: product(VB_F16, m, row_begin, row_end, x, y, y_stride); break;
    default: product(VB_BF16, m, row_begin, row_end, x, y, y_stride); break;
    }
}
