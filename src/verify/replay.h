/*
 * The model-level checks of a receipt: model digest, prompt, and a replay in batched passes over
 * prompt and answer together. Prefill and decode give the same bits, so each position's logits are
 * those the server drew from; the draw is repeated and compared. At level `full` this is done for
 * every token, at level `sample` for those that the verifier's seed chooses: the others are then
 * taken for granted as they stand, and only the chosen positions go through the output head.
 *
 * Needs more than the pure checks (a loaded model, memory, threads); everything it finds goes into
 * the report, which the caller began with vb_check_receipt and finishes. It keeps nothing between
 * calls: with one model any number of receipts may be replayed, one after the other or several in
 * one call, which share the model's passes.
 */
#ifndef VB_VERIFY_REPLAY_H
#define VB_VERIFY_REPLAY_H

#include "gguf/gguf.h"
#include "grammar/grammar.h"
#include "model/model.h"
#include "receipt/receipt.h"
#include "tokenizer/tokenizer.h"
#include "verify/check.h"

/* One position was drawn again and the token is the receipt's: its logits, the model's own, and its
 * leaf of the trace, all borrowed for the call. False: stop. */
typedef bool (*vb_position_fn)(void *user, uint32_t choice, uint64_t t, uint32_t token,
                               const float *logits, size_t n_logits, const uint8_t leaf[32]);

enum { VB_REPLAY_SHARED_MAX = 32 }; /* receipts, and pages of the KV cache, at a time */

typedef struct vb_replay_options {
    const vb_gguf *gguf;
    const vb_tokenizer *tokenizer;
    const vb_model *model;
    const vb_vocabulary *vocabulary; /* the tokenizer's, for receipts with a constraint; NULL: it is
                                      * indexed for each of them */
    const uint8_t *model_sha256;     /* [32]: of the file that was loaded */
    size_t batch_tokens;             /* 1 .. VB_BATCH_TOKENS_MAX */
    int n_threads;
    const vb_receipt_prompt *prompt; /* vb_replay: a private receipt's, given apart; NULL: none */
    uint64_t n_samples; /* level sample: positions to draw again, >= 1; more than all: all */
    const uint8_t *sample_seed; /* vb_replay at level sample: [VB_POSITIONS_SEED_BYTES] of fresh
                                 * randomness */
    /* Rows of the passes done, of all receipts; false: stop (the reports of those that are not
     * through then stay unfinished). May be NULL. */
    bool (*on_progress)(void *user, uint64_t done, uint64_t total);
    void *user;
    vb_position_fn on_position; /* may be NULL, and is for several receipts; in ascending order of
                                 * choice and position */
    void *position_user;
} vb_replay_options;

/* Adds its checks to rep, whose level is sample or full. r was read by vb_check_receipt without a
 * failure. */
void vb_replay(const vb_replay_options *o, const vb_receipt *r, vb_report *rep);

/* One of several: its own receipt, report, prompt and randomness. */
typedef struct vb_replay_item {
    const vb_receipt *r;
    vb_report *rep;
    const vb_receipt_prompt *prompt;
    const uint8_t *sample_seed;
} vb_replay_item;

/* The same for several receipts, whose rows go through the model together, up to batch_tokens in a
 * pass. They are admitted in order as long as passes have room; one that is found to be false
 * leaves with the pass that showed it. They share a KV cache of VB_REPLAY_SHARED_MAX pages at most:
 * a receipt that needs more is replayed alone, and so are all of them when that memory can not be
 * had. Every report is the one that its receipt gets alone. */
void vb_replay_together(const vb_replay_options *o, const vb_replay_item *items, size_t n_items);

#endif
