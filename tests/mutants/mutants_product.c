/* Wrong products, written on the file's bytes as the scalar tier keeps them. */
#include "mutants/mutants_product.h"

#include <math.h>

#include "arith/block.h"
#include "arith/product.h"
#include "kernels/scalar/scalar.h"

/* A way to compute one element: a row of weights, token t. */
typedef float (*element)(vb_wtype type, const uint8_t *row, size_t cols, const vb_act *x, size_t t);

static const uint8_t *row_of(const vb_matrix *m, size_t row) {
    const vb_wtype_info *info = vb_wtype_get(m->type);
    return (const uint8_t *)m->data + row * (m->cols / info->block_values * info->block_bytes);
}

/* The scalar product, but for elements of the kind of weights that the fault is about. */
static void product(const vb_matrix *m, size_t row_begin, size_t row_end, const vb_act *x, float *y,
                    size_t y_stride, bool float_weights, element wrong) {
    vb_kernels_scalar.matmul(m, row_begin, row_end, x, y, y_stride);
    if (vb_wtype_get(m->type)->is_float != float_weights) {
        return;
    }
    for (size_t r = row_begin; r < row_end; r++) {
        for (size_t t = 0; t < x->rows; t++) {
            y[t * y_stride + r] = wrong(m->type, row_of(m, r), m->cols, x, t);
        }
    }
}

/* ---- integer weights ---- */

typedef struct place {
    vb_block block;
    const int8_t *q;
    float d, du;
} place;

static place place_at(vb_wtype type, const uint8_t *row, size_t cols, const vb_act *x, size_t t,
                      size_t b) {
    size_t at = t * (cols / VB_BLOCK) + b;
    place p = {.q = x->q + at * VB_BLOCK, .d = x->d[at], .du = x->du[at]};
    vb_block_decode(type, row, b, &p.block);
    return p;
}

static float fused_block(vb_wtype type, const uint8_t *row, size_t cols, const vb_act *x,
                         size_t t) {
    float acc = 0;
    for (size_t b = 0; b < cols / VB_BLOCK; b++) {
        place p = place_at(type, row, cols, x, t, b);
        acc = fmaf(p.block.s * p.d, (float)vb_block_isum(&p.block, p.q), acc);
        acc = p.block.has_m ? acc + p.block.m * p.du : acc;
    }
    return acc;
}

static float descending(vb_wtype type, const uint8_t *row, size_t cols, const vb_act *x, size_t t) {
    float acc = 0;
    for (size_t b = cols / VB_BLOCK; b-- > 0;) {
        place p = place_at(type, row, cols, x, t, b);
        acc = vb_block_step(acc, &p.block, vb_block_isum(&p.block, p.q), p.d, p.du);
    }
    return acc;
}

static float regrouped_scales(vb_wtype type, const uint8_t *row, size_t cols, const vb_act *x,
                              size_t t) {
    float acc = 0;
    for (size_t b = 0; b < cols / VB_BLOCK; b++) {
        place p = place_at(type, row, cols, x, t, b);
        acc = acc + p.block.s * (p.d * (float)vb_block_isum(&p.block, p.q));
        acc = p.block.has_m ? acc + p.block.m * p.du : acc;
    }
    return acc;
}

static float offset_first(vb_wtype type, const uint8_t *row, size_t cols, const vb_act *x,
                          size_t t) {
    float acc = 0;
    for (size_t b = 0; b < cols / VB_BLOCK; b++) {
        place p = place_at(type, row, cols, x, t, b);
        acc = p.block.has_m ? acc + p.block.m * p.du : acc;
        acc = acc + (p.block.s * p.d) * (float)vb_block_isum(&p.block, p.q);
    }
    return acc;
}

static int32_t clipped(int32_t v) {
    return v > INT16_MAX ? INT16_MAX : v < INT16_MIN ? INT16_MIN : v;
}

/* Q8_0 as VPMADDUBSW sees it when w + 128 is the unsigned operand. */
static float saturated_pairs(vb_wtype type, const uint8_t *row, size_t cols, const vb_act *x,
                             size_t t) {
    float acc = 0;
    for (size_t b = 0; b < cols / VB_BLOCK; b++) {
        place p = place_at(type, row, cols, x, t, b);
        int32_t isum = vb_block_isum(&p.block, p.q);
        if (type == VB_Q8_0) {
            isum = 0;
            for (int i = 0; i < VB_BLOCK; i += 2) {
                const int8_t *w = p.block.w + i, *q = p.q + i;
                isum += clipped((w[0] + 128) * q[0] + (w[1] + 128) * q[1]);
                isum -= 128 * (q[0] + q[1]);
            }
        }
        acc = vb_block_step(acc, &p.block, isum, p.d, p.du);
    }
    return acc;
}

/* 5-bit weights with eight pair sums in an int16, which holds only four. */
static float wrapped_pairs(vb_wtype type, const uint8_t *row, size_t cols, const vb_act *x,
                           size_t t) {
    float acc = 0;
    for (size_t b = 0; b < cols / VB_BLOCK; b++) {
        place p = place_at(type, row, cols, x, t, b);
        int32_t isum = vb_block_isum(&p.block, p.q);
        if (type == VB_Q5_1 || type == VB_Q5_K) {
            uint16_t even = 0, odd = 0;
            for (int i = 0; i < VB_BLOCK; i += 4) {
                const int8_t *w = p.block.w + i, *q = p.q + i;
                even = (uint16_t)(even + w[0] * q[0] + w[1] * q[1]);
                odd = (uint16_t)(odd + w[2] * q[2] + w[3] * q[3]);
            }
            isum = (int16_t)even + (int16_t)odd;
        }
        acc = vb_block_step(acc, &p.block, isum, p.d, p.du);
    }
    return acc;
}

static float one_sub_scale(vb_wtype type, const uint8_t *row, size_t cols, const vb_act *x,
                           size_t t) {
    float acc = 0;
    for (size_t b = 0; b < cols / VB_BLOCK; b++) {
        place p = place_at(type, row, cols, x, t, b);
        p.block.sc[1] = p.block.sc[0];
        acc = vb_block_step(acc, &p.block, vb_block_isum(&p.block, p.q), p.d, p.du);
    }
    return acc;
}

/* Q6_K whose second half is freed of its bias by the first half's sum. */
static float first_half_bias(vb_wtype type, const uint8_t *row, size_t cols, const vb_act *x,
                             size_t t) {
    float acc = 0;
    for (size_t b = 0; b < cols / VB_BLOCK; b++) {
        place p = place_at(type, row, cols, x, t, b);
        size_t at = t * (cols / VB_BLOCK) + b;
        int32_t isum = vb_block_isum(&p.block, p.q);
        if (type == VB_Q6_K) {
            isum += p.block.sc[1] * 32 * (x->u[at] - 2 * x->u_lo[at]);
        }
        acc = vb_block_step(acc, &p.block, isum, p.d, p.du);
    }
    return acc;
}

static float missing_last_block(vb_wtype type, const uint8_t *row, size_t cols, const vb_act *x,
                                size_t t) {
    float acc = 0;
    for (size_t b = 0; b + 1 < cols / VB_BLOCK; b++) {
        place p = place_at(type, row, cols, x, t, b);
        acc = vb_block_step(acc, &p.block, vb_block_isum(&p.block, p.q), p.d, p.du);
    }
    return acc;
}

/* ---- float weights ---- */

static float fused_lanes(vb_wtype type, const uint8_t *row, size_t cols, const vb_act *x,
                         size_t t) {
    float lanes[VB_LANES] = {0};
    for (size_t k = 0; k < cols; k++) {
        float *lane = &lanes[k % VB_LANES];
        *lane = fmaf(vb_float_weight(type, row, k), x->x[t * cols + k], *lane);
    }
    return vb_lanes_sum(lanes);
}

static float sequential(vb_wtype type, const uint8_t *row, size_t cols, const vb_act *x, size_t t) {
    float sum = 0;
    for (size_t k = 0; k < cols; k++) {
        sum = sum + vb_float_weight(type, row, k) * x->x[t * cols + k];
    }
    return sum;
}

static float eight_lanes(vb_wtype type, const uint8_t *row, size_t cols, const vb_act *x,
                         size_t t) {
    float lanes[VB_LANES] = {0};
    for (size_t k = 0; k < cols; k++) {
        float *lane = &lanes[k % 8];
        *lane = *lane + vb_float_weight(type, row, k) * x->x[t * cols + k];
    }
    return vb_lanes_sum(lanes);
}

static float neighbours_first(vb_wtype type, const uint8_t *row, size_t cols, const vb_act *x,
                              size_t t) {
    float lanes[VB_LANES] = {0};
    for (size_t k = 0; k < cols; k++) {
        float *lane = &lanes[k % VB_LANES];
        *lane = *lane + vb_float_weight(type, row, k) * x->x[t * cols + k];
    }
    for (int n = VB_LANES / 2; n > 0; n /= 2) {
        for (int l = 0; l < n; l++) {
            lanes[l] = lanes[2 * l] + lanes[2 * l + 1];
        }
    }
    return lanes[0];
}

static float missing_tail(vb_wtype type, const uint8_t *row, size_t cols, const vb_act *x,
                          size_t t) {
    float lanes[VB_LANES] = {0};
    size_t end = cols % VB_LANES ? cols - 1 : cols;
    for (size_t k = 0; k < end; k++) {
        float *lane = &lanes[k % VB_LANES];
        *lane = *lane + vb_float_weight(type, row, k) * x->x[t * cols + k];
    }
    return vb_lanes_sum(lanes);
}

#define DEFINE(name, float_weights)                                                                \
    VB_MUTANT_MATMUL(name) {                                                                       \
        product(m, row_begin, row_end, x, y, y_stride, float_weights, name);                       \
    }

DEFINE(fused_block, false)
DEFINE(descending, false)
DEFINE(regrouped_scales, false)
DEFINE(offset_first, false)
DEFINE(saturated_pairs, false)
DEFINE(wrapped_pairs, false)
DEFINE(one_sub_scale, false)
DEFINE(missing_last_block, false)
DEFINE(fused_lanes, true)
DEFINE(sequential, true)
DEFINE(eight_lanes, true)
DEFINE(neighbours_first, true)
DEFINE(missing_tail, true)

/* ---- faults of the code for one count of tokens ---- */

VB_MUTANT_MATMUL(first_half_bias_of_one) {
    if (x->rows == 1) {
        product(m, row_begin, row_end, x, y, y_stride, false, first_half_bias);
    } else {
        vb_kernels_scalar.matmul(m, row_begin, row_end, x, y, y_stride);
    }
}

VB_MUTANT_MATMUL(first_half_bias_of_two) {
    if (x->rows == 2) {
        product(m, row_begin, row_end, x, y, y_stride, false, first_half_bias);
    } else {
        vb_kernels_scalar.matmul(m, row_begin, row_end, x, y, y_stride);
    }
}

/* ---- any weights ---- */

VB_MUTANT_MATMUL(row_too_many) {
    vb_kernels_scalar.matmul(m, row_begin, row_end, x, y, y_stride);
    if (row_end < y_stride) {
        y[row_end] = 0;
    }
}

VB_MUTANT_MATMUL(batch_matters) {
    vb_kernels_scalar.matmul(m, row_begin, row_end, x, y, y_stride);
    bool is_float = vb_wtype_get(m->type)->is_float;
    for (size_t r = row_begin; r < row_end && x->rows > 4; r++) {
        y[4 * y_stride + r] =
            (is_float ? sequential : descending)(m->type, row_of(m, r), m->cols, x, 4);
    }
}
