/*
 * Truncation and draw on integer weights (spec/sampling.md sections 5 and 6). top-k, top-p and
 * min-p each keep a prefix of the tokens in the order (weight descending, id ascending), so that
 * what is kept is described by its lowest weight and how many tokens of that weight are in: no
 * sort is needed. A histogram finds the weight, and is refined until it is exact.
 *
 * Internal to src/sample. Owner: the work memory belongs to the vb_truncation.
 * Thread rule: one thread at a time.
 */
#ifndef VB_SAMPLE_TRUNCATE_H
#define VB_SAMPLE_TRUNCATE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define VB_WEIGHT_ONE ((uint64_t)1 << 40)      /* the weight of the most likely token */
#define VB_FIXED_POINT_ONE ((uint64_t)1 << 32) /* top_p or min_p of 1.0 */

typedef struct vb_truncation vb_truncation;

/* What was kept: every token whose weight is above `weight`, and the `ties` lowest ids among those
 * whose weight equals it (UINT32_MAX: all of them). */
typedef struct vb_cut {
    uint64_t weight;
    uint32_t ties;
    uint32_t kept;  /* tokens */
    uint64_t total; /* their weights' sum */
} vb_cut;

/* Work memory for n_vocab tokens (1 .. VB_MODEL_VOCAB_MAX). VB_ENOMEM. */
VB_MUST_CHECK vb_err vb_truncation_open(size_t n_vocab, vb_truncation **out, vb_error *e);
void vb_truncation_close(vb_truncation *t);

/* Applies top_k (0: off), top_p (1 .. 2^32) and min_p (0 .. 2^32) in this order to w[n_vocab], each
 * at most 2^40 and at least one equal to it. w is borrowed until vb_truncation_pick returns. */
vb_cut vb_truncation_apply(vb_truncation *t, const uint64_t *w, uint32_t top_k, uint64_t top_p,
                           uint64_t min_p);

/* The first token by ascending id, among those kept, whose cumulative weight exceeds r;
 * r < cut->total, and cut is what the last vb_truncation_apply returned. */
uint32_t vb_truncation_pick(const vb_truncation *t, const vb_cut *cut, uint64_t r);

#endif
