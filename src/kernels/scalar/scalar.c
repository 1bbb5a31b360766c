/*
 * The scalar tier. Products decode each weight block once for a group of tokens; everything
 * else is src/arith as it is.
 */
#include "kernels/scalar/scalar.h"

#include <string.h>

#include "arith/attention.h"
#include "arith/bits.h"
#include "arith/block.h"
#include "arith/exp.h"
#include "arith/product.h"
#include "arith/rope.h"
#include "arith/rows.h"
#include "base/bytes.h"

enum { TOKENS = 16 }; /* tokens that share a decoded block */

static size_t row_bytes(vb_wtype type, size_t cols) {
    size_t bytes = 0;
    return vb_wtype_computes(type) && vb_wtype_row_bytes(type, cols, &bytes) ? bytes : 0;
}

static size_t pack_bytes(vb_wtype type, size_t rows, size_t cols) {
    size_t bytes = 0;
    return vb_mul_size(rows, row_bytes(type, cols), &bytes) ? bytes : 0;
}

static void pack(const vb_matrix *m, const uint8_t *src, size_t row_begin, size_t row_end) {
    size_t bytes = row_bytes(m->type, m->cols);
    memcpy((uint8_t *)m->data + row_begin * bytes, src, (row_end - row_begin) * bytes);
}

static const uint8_t *row_of(const vb_matrix *m, size_t row) {
    return (const uint8_t *)m->data + row * row_bytes(m->type, m->cols);
}

static void unpack_row(const vb_matrix *m, size_t row, float *out) {
    vb_row_values(m->type, row_of(m, row), m->cols, out);
}

/* One row of integer weights times n <= TOKENS rows of x from t0 on. */
static void row_times_int(const vb_matrix *m, const uint8_t *row, const vb_act *x, size_t t0,
                          size_t n, float *acc) {
    size_t blocks = m->cols / VB_BLOCK;
    for (size_t t = 0; t < n; t++) {
        acc[t] = 0.0f;
    }
    for (size_t b = 0; b < blocks; b++) {
        vb_block block;
        vb_block_decode(m->type, row, b, &block);
        for (size_t t = 0; t < n; t++) {
            size_t at = (t0 + t) * blocks + b;
            int32_t isum = vb_block_isum(&block, x->q + at * VB_BLOCK);
            acc[t] = vb_block_step(acc[t], &block, isum, x->d[at], x->du[at]);
        }
    }
}

/* One row of float weights times n <= TOKENS rows of x from t0 on. */
static void row_times_float(const vb_matrix *m, const uint8_t *row, const vb_act *x, size_t t0,
                            size_t n, float *acc) {
    float lanes[TOKENS][VB_LANES] = {{0}};
    for (size_t k = 0; k < m->cols; k += VB_LANES) {
        size_t width = m->cols - k < VB_LANES ? m->cols - k : VB_LANES;
        float w[VB_LANES];
        for (size_t l = 0; l < width; l++) {
            w[l] = vb_float_weight(m->type, row, k + l);
        }
        for (size_t t = 0; t < n; t++) {
            const float *xt = x->x + (t0 + t) * m->cols + k;
            for (size_t l = 0; l < width; l++) {
                lanes[t][l] = lanes[t][l] + w[l] * xt[l];
            }
        }
    }
    for (size_t t = 0; t < n; t++) {
        acc[t] = vb_lanes_sum(lanes[t]);
    }
}

static void matmul(const vb_matrix *m, size_t row_begin, size_t row_end, const vb_act *x, float *y,
                   size_t y_stride) {
    bool is_float = vb_wtype_get(m->type)->is_float;
    for (size_t r = row_begin; r < row_end; r++) {
        const uint8_t *row = row_of(m, r);
        for (size_t t0 = 0; t0 < x->rows; t0 += TOKENS) {
            size_t n = x->rows - t0 < TOKENS ? x->rows - t0 : TOKENS;
            float acc[TOKENS];
            if (is_float) {
                row_times_float(m, row, x, t0, n, acc);
            } else {
                row_times_int(m, row, x, t0, n, acc);
            }
            for (size_t t = 0; t < n; t++) {
                y[(t0 + t) * y_stride + r] = acc[t];
            }
        }
    }
}

static void rope(float *x, size_t n_heads, size_t head_dim, size_t n_rot, vb_rope_style style,
                 const float *cos_row, const float *sin_row) {
    size_t half = n_rot / 2;
    for (size_t h = 0; h < n_heads; h++) {
        float *v = x + h * head_dim;
        for (size_t i = 0; i < half; i++) {
            size_t a = style == VB_ROPE_NORM ? 2 * i : i;
            size_t b = style == VB_ROPE_NORM ? 2 * i + 1 : i + half;
            vb_rope_rotate(&v[a], &v[b], cos_row[i], sin_row[i]);
        }
    }
}

static void attention(const float *q, size_t q_stride, size_t n_q, const size_t *n_keys,
                      size_t head_dim, const uint16_t *const *key_pages,
                      const uint16_t *const *value_pages, float scale, float *scratch, float *out,
                      size_t out_stride) {
    for (size_t i = 0; i < n_q; i++) {
        vb_attention_row(q + i * q_stride, n_keys[i], head_dim, key_pages, value_pages, scale,
                         scratch, out + i * out_stride);
    }
}

const vb_kernels vb_kernels_scalar = {
    .name = "scalar",
    .pack_bytes = pack_bytes,
    .pack = pack,
    .unpack_row = unpack_row,
    .matmul = matmul,
    .quantize = vb_quantize_row,
    .all_finite = vb_all_finite,
    .rmsnorm = vb_rmsnorm,
    .add = vb_add,
    .silu_mul = vb_silu_mul,
    .rope = rope,
    .kv_store = vb_kv_store,
    .attention = attention,
    .argmax = vb_argmax,
    .exp_weights = vb_exp_weights,
};
