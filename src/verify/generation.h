/*
 * The generation rule (spec/sampling.md, "Generation"): logits in, one token out, its text, its
 * trace leaf, and whether the answer ends here. The engine feeds it logits as they come, the
 * replay feeds it those of a batched pass: both therefore decide alike.
 *
 * Owner: open/close; tokenizer, kernels, stop strings, grammar, vocabulary are borrowed until
 * close. Thread rule: one thread at a time. No allocation per token but the growth of the text.
 */
#ifndef VB_VERIFY_GENERATION_H
#define VB_VERIFY_GENERATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "kernels/kernels.h"
#include "model/model.h"
#include "receipt/receipt.h"
#include "sample/sample.h"
#include "sample/stop.h"
#include "tokenizer/tokenizer.h"
#include "verify/constraint.h"

typedef struct vb_generation_options {
    const vb_kernels *kernels;
    const vb_tokenizer *tokenizer;
    size_t n_vocab;              /* logits per step */
    const vb_sampling *sampling; /* copied */
    const uint32_t *prompt;      /* copied in effect: only counts are kept */
    size_t n_prompt;
    uint8_t seed[32];  /* S_i of spec/receipt.md; or vb_generation_set_seed gives it later */
    size_t tokens_max; /* >= 1 */
    const vb_stop_string *stop_strings;
    size_t n_stop_strings;
    const uint32_t *stop_tokens;
    size_t n_stop_tokens;
    const vb_grammar *grammar;       /* what the text is held to; NULL: nothing */
    const vb_vocabulary *vocabulary; /* the tokenizer's; with a grammar */
} vb_generation_options;

typedef struct vb_generation vb_generation;

/* Also VB_EUNSUPPORTED for a vocabulary, or stop tokens, with which an answer can not always keep
 * to the grammar (spec/constraints.md section 6). */
VB_MUST_CHECK vb_err vb_generation_open(const vb_generation_options *o, vb_generation **out,
                                        vb_error *e);
void vb_generation_close(vb_generation *g);

/* The seed, when it was not known yet; before the first step. */
void vb_generation_set_seed(vb_generation *g, const uint8_t seed[32]);

/* One step from logits[n_vocab]; not to be called after the end. */
VB_MUST_CHECK vb_err vb_generation_step(vb_generation *g, const float *logits, uint32_t *token,
                                        vb_error *e);

/* One step with a token that is taken for granted: no draw, no leaf, all the rest as above.
 * VB_EINVAL for a token outside the vocabulary, VB_EMISMATCH for one that the grammar does not
 * allow here: no draw gives it. */
VB_MUST_CHECK vb_err vb_generation_follow(vb_generation *g, uint32_t token, vb_error *e);

/* False until the answer has ended; then *finish, if not NULL, says why. */
bool vb_generation_ended(const vb_generation *g, vb_finish *finish);
const uint32_t *vb_generation_tokens(const vb_generation *g, size_t *n);
/* The text that is certain not to be part of a stop string; all of it after the end. */
const char *vb_generation_text(const vb_generation *g, size_t *n_bytes);
/* Of all tokens, each drawn: none was followed. */
void vb_generation_trace_root(const vb_generation *g, uint8_t root[32]);

/* Of the last vb_generation_step: the trace's leaf, and what vb_sampler_share says of a token. */
const uint8_t *vb_generation_leaf(const vb_generation *g); /* [32] */
void vb_generation_share(const vb_generation *g, uint32_t token, uint64_t *weight, uint64_t *total);

/* The options that a receipt's request stands for: how the engine generates choice `choice` and how
 * the replay checks it. stops is the caller's memory for the stop strings; they and the prompt are
 * borrowed from r. The seed is left out: vb_receipt_seed; so are grammar and vocabulary:
 * vb_receipt_grammar. VB_EINVAL when parameters are outside their ranges for this model. */
VB_MUST_CHECK vb_err vb_receipt_generation(const vb_receipt *r, const vb_model *m,
                                           const vb_tokenizer *t,
                                           vb_stop_string stops[VB_STOP_STRINGS_MAX],
                                           vb_generation_options *out, vb_error *e);

#endif
