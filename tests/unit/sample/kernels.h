/* The three kernels a sampler uses, straight from the definition of exp, so that these tests stand
 * alone; and a variant that hands out weights the test chose. */
#ifndef VB_TESTS_SAMPLE_KERNELS_H
#define VB_TESTS_SAMPLE_KERNELS_H

#include "arith/exp.h"
#include "kernels/kernels.h"

static inline bool plain_all_finite(const float *x, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (!vb_f32_finite(x[i])) {
            return false;
        }
    }
    return true;
}

static inline size_t plain_argmax(const float *x, size_t n) {
    size_t best = 0;
    for (size_t i = 1; i < n; i++) {
        best = x[i] > x[best] ? i : best;
    }
    return best;
}

static inline void plain_exp_weights(const float *x, size_t n, float x_max, float temperature,
                                     uint64_t *w) {
    for (size_t i = 0; i < n; i++) {
        w[i] = (uint64_t)(vb_exp((x[i] - x_max) / temperature) * 0x1p40f);
    }
}

static const vb_kernels plain_kernels = {.name = "plain",
                                         .all_finite = plain_all_finite,
                                         .argmax = plain_argmax,
                                         .exp_weights = plain_exp_weights};

#endif
