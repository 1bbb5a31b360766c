/* Rows of activations seen from one token and block on: shared by the integer products. */
#ifndef VB_KERNELS_X86_TOKENS_H
#define VB_KERNELS_X86_TOKENS_H

#include "kernels/x86/internal.h"

typedef struct tokens {
    const int8_t *q;
    const float *d, *du;
    const int32_t *u, *u_lo;
    size_t cols, blocks; /* strides from token to token */
} tokens;

VB_INLINE tokens tokens_at(const vb_act *x, size_t t, size_t b) {
    size_t blocks = x->cols / VB_BLOCK, at = t * blocks + b;
    return (tokens){x->q + at * VB_BLOCK, x->d + at, x->du + at, x->u + at,
                    x->u_lo + at,         x->cols,   blocks};
}

#endif
