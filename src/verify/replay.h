/*
 * The model-level checks of a receipt: model digest, prompt, and a replay of every token in batched
 * passes over prompt and answer together. Prefill and decode give the same bits, so each
 * position's logits are those the server drew from; the draw is repeated and compared.
 *
 * Needs more than the pure checks (a loaded model, memory, threads); everything it finds goes into
 * the report, which the caller began with vb_check_receipt and finishes.
 */
#ifndef VB_VERIFY_REPLAY_H
#define VB_VERIFY_REPLAY_H

#include "gguf/gguf.h"
#include "model/model.h"
#include "receipt/receipt.h"
#include "tokenizer/tokenizer.h"
#include "verify/check.h"

typedef struct vb_replay_options {
    const vb_gguf *gguf;
    const vb_tokenizer *tokenizer;
    const vb_model *model;
    const uint8_t *model_sha256;   /* [32]: of the file that was loaded */
    const uint32_t *prompt_tokens; /* a private receipt's prompt, given apart; NULL: none */
    size_t n_prompt_tokens;
    size_t batch_tokens;
    int n_threads;
    /* Positions done of all; false: stop (the report then stays unfinished). May be NULL. */
    bool (*on_progress)(void *user, uint64_t done, uint64_t total);
    void *user;
} vb_replay_options;

/* Adds its checks to rep. r was read by vb_check_receipt without a failure. */
void vb_replay(const vb_replay_options *o, const vb_receipt *r, vb_report *rep);

#endif
