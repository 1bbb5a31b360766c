/*
 * Logarithms of probabilities, for people and programs that look at an answer: of the model's own
 * distribution, at temperature 1, before bias, penalties and truncation, as an opening has it
 * (spec/receipt.md section 5.4). No part of a receipt, and no input of a draw. Pure, and the same
 * on every machine.
 */
#ifndef VB_SAMPLE_LOGPROBS_H
#define VB_SAMPLE_LOGPROBS_H

#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"
#include "kernels/kernels.h"

typedef struct vb_logprob {
    uint32_t token;
    double logprob; /* natural; <= 0 */
} vb_logprob;

/* Of `token`, into *own, and of the n_top likeliest tokens into top, in the order of an opening's
 * ranks: the largest logit first, of equal ones the lowest id. Returns how many these are: n_top,
 * or all there are. logits[n_vocab] are finite; token < n_vocab; n_top <= VB_API_TOP_LOGPROBS_MAX.
 * Each logprob is ln(weight / total) of the integers that an opening of this position has, but for
 * the roundings of a double. A weight of 0 does not say how unlikely a token is: there, what its
 * logit lacks to the largest is added to the largest's logprob. */
size_t vb_logprobs(const vb_kernels *k, const float *logits, size_t n_vocab, uint32_t token,
                   double *own, vb_logprob *top, size_t n_top);

/* ln(x) within 1 ulp, for a normal number x > 0. ln(1) is +0; of an x below 1 it is never above
 * 0. */
double vb_ln(double x);

#endif
