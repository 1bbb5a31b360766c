/*
 * Openings (spec/receipt.md section 5.4): made by who has replayed the receipt, checked by anybody
 * without the model. An opening shows to which distribution the server had committed, not that the
 * model gives it. Pure.
 *
 * A check at level `opening`: vb_report_begin, vb_check_receipt, vb_opening_read,
 * vb_opening_check, vb_report_finish.
 */
#ifndef VB_VERIFY_OPENING_H
#define VB_VERIFY_OPENING_H

#include "grammar/grammar.h"
#include "kernels/kernels.h"
#include "receipt/opening.h"
#include "receipt/receipt.h"
#include "verify/check.h"

/* Opens one position of an output. logits[n_logits] are the model's there and leaves[n_leaves]
 * those of all the output's tokens, as vb_replay_options.on_position gave them. out is the caller's
 * to free with vb_opening_free. VB_EINVAL: the receipt has no such position. VB_EMISMATCH: these
 * leaves are not its trace: it does not replay, and there is nothing to open. */
VB_MUST_CHECK vb_err vb_opening_make(const vb_receipt *r,
                                     const uint8_t verification_hash[VB_SHA256_BYTES],
                                     uint32_t choice, uint64_t position, const float *logits,
                                     size_t n_logits, const uint8_t (*leaves)[VB_SHA256_BYTES],
                                     size_t n_leaves, vb_opening *out, vb_error *e);

/* Reads an opening and records check opening-format. False when it could not be read: o is then
 * empty. */
bool vb_opening_read(const void *bytes, size_t n_bytes, vb_opening *o, vb_report *rep);

/* Adds the other checks of an opening. r was read by vb_check_receipt; prompt_apart is what
 * vb_expect.prompt was (NULL: none). A receipt with a constraint needs v, the vocabulary of the
 * model that it names (NULL: not at hand). */
void vb_opening_check(const vb_opening *o, const vb_receipt *r,
                      const vb_receipt_prompt *prompt_apart, const vb_vocabulary *v,
                      const vb_kernels *k, vb_report *rep);

#endif
