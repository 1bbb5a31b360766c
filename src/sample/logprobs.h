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

typedef struct vb_logprob {
    uint32_t token;
    double logprob; /* natural; <= 0 */
} vb_logprob;

/* Of `token`, into *own, and of the n_top likeliest tokens, likeliest first and of equal ones the
 * lowest id, into top; how many these are: n_top, or all there are. logits[n_vocab] are finite;
 * token < n_vocab. */
size_t vb_logprobs(const float *logits, size_t n_vocab, uint32_t token, double *own,
                   vb_logprob *top, size_t n_top);

#endif
