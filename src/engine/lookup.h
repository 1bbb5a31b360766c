/*
 * Prompt lookup: what a sequence may go on with, guessed from what it holds. The tokens that
 * followed the last occurrence of its newest n-gram (of 16, 8, 4, 3 or 2 tokens, the longest that
 * occurred before) are a draft. The pass that computes the newest token computes the draft behind
 * it, in the same reading of the weights; each row is then drawn from as if it were alone, and the
 * first token drawn that is not the draft's makes all later rows worthless. So a draft saves time
 * or costs some, and changes no bit of any answer.
 *
 * What rows cost: a decoding pass is bound by reading the weights, and its rows cost little, until
 * their arithmetic takes longer. vb_lookup_costs has what was measured (docs/performance.md). A
 * draft is as long as gives most tokens for the time of the pass, by the chance of being drawn that
 * earlier drafts had, for each length of n-gram apart. Where no draft is worth its rows, a token is
 * tried now and then.
 *
 * All is pure: the draft depends on the tokens and on how the drafts before fared. A token costs
 * five looks into sets of eight entries; memory is bounded by the tokens announced, and of long
 * sequences the oldest n-grams are forgotten first.
 *
 * Owner: open/close. Thread rule: one thread at a time.
 */
#ifndef VB_ENGINE_LOOKUP_H
#define VB_ENGINE_LOOKUP_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum {
    VB_LOOKUP_DRAFT_MAX = 15, /* tokens of one draft */
    VB_LOOKUP_ROWS_MAX = 16   /* rows of a decoding pass that drafts may fill up to */
};

typedef struct vb_lookup vb_lookup;

/* What a decoding pass of r rows takes, at index r, where one of a single row takes 1: for a model
 * that reads so many bytes of weights, on a tier. */
const double *vb_lookup_costs(uint64_t decode_bytes, const char *tier);

/* The rows of one pass, and the tokens that they are expected to give: with n sequences and no
 * draft yet, both n. */
typedef struct vb_lookup_pass {
    const double *costs; /* [VB_LOOKUP_ROWS_MAX + 1] */
    size_t n_rows;
    double n_tokens;
} vb_lookup_pass;

/* Of a sequence of up to tokens_max tokens. */
VB_MUST_CHECK vb_err vb_lookup_open(size_t tokens_max, vb_lookup **out, vb_error *e);
void vb_lookup_close(vb_lookup *l); /* NULL is allowed */

size_t vb_lookup_length(const vb_lookup *l); /* tokens added */
/* The sequence's next tokens; in all at most tokens_max. */
void vb_lookup_add(vb_lookup *l, const uint32_t *tokens, size_t n);

/* The n tokens behind the last occurrence, as if the sequence went on like this; returns the
 * length of the n-gram that occurred, or 0 and writes nothing. */
size_t vb_lookup_guess(const vb_lookup *l, size_t n, uint32_t *out);

/* As many of these, up to n_max (<= VB_LOOKUP_DRAFT_MAX), as are worth their rows in this pass,
 * which has them from then on, and at most VB_LOOKUP_ROWS_MAX in all. */
size_t vb_lookup_draft(vb_lookup *l, size_t n_max, vb_lookup_pass *pass, uint32_t *out);
/* How many tokens of the last draft, from its first on, were drawn. */
void vb_lookup_learn(vb_lookup *l, size_t n_right);

#endif
