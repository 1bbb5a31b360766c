/*
 * A request's constraint (spec/constraints.md) on one answer: the compiled grammar's state, and the
 * request's stop tokens, which are ends whatever their bytes. The generation holds its text to it,
 * and the check of an opening the tokens before the one that was opened.
 *
 * Owner: open/close; grammar, vocabulary and stop tokens are borrowed until close. Thread rule: one
 * thread at a time.
 */
#ifndef VB_VERIFY_CONSTRAINT_H
#define VB_VERIFY_CONSTRAINT_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "grammar/grammar.h"
#include "receipt/receipt.h"
#include "verify/check.h"

/* Compiles the request's constraint, for all its choices; *out is NULL when it has none. Errors as
 * vb_grammar_open's. */
VB_MUST_CHECK vb_err vb_receipt_grammar(const vb_receipt_request *q, vb_grammar **out, vb_error *e);

/* Records in a check what it means for the verdict that a receipt's constraint could not be
 * compiled, or that answers can not be held to it: spec/receipt.md section 4, `tokens`. */
void vb_report_constraint(vb_report *rep, vb_check_id id, vb_err err, const vb_error *e);

typedef struct vb_held vb_held;

/* Before the first token, for n_vocab logits. VB_EINVAL when these are fewer than the vocabulary's
 * tokens; VB_EUNSUPPORTED for a vocabulary, or stop tokens, with which an answer can not always
 * keep to the grammar (section 6). */
VB_MUST_CHECK vb_err vb_held_open(const vb_grammar *g, const vb_vocabulary *v, size_t n_vocab,
                                  const uint32_t *stop_tokens, size_t n_stop_tokens, vb_held **out,
                                  vb_error *e);
void vb_held_close(vb_held *h);

/* The tokens that may come next: *allowed is n_vocab bits, borrowed until the next call. */
VB_MUST_CHECK vb_err vb_held_mask(vb_held *h, const uint64_t **allowed, vb_error *e);

/* Takes a token. VB_EMISMATCH, and h is as before, for one that may not come next. An end changes
 * nothing. */
VB_MUST_CHECK vb_err vb_held_accept(vb_held *h, uint32_t token, vb_error *e);

#endif
