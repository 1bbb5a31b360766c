/*
 * One request from commitment to signed receipt (spec/receipt.md, "Life of a request"): commit,
 * take the randomness, generate, record, sign. The caller has filled the receipt's prompt and
 * request; this fills all the rest.
 */
#ifndef VB_ENGINE_ANSWER_H
#define VB_ENGINE_ANSWER_H

#include "beacon/local_chain.h"
#include "engine/generate.h"
#include "receipt/receipt.h"
#include "tokenizer/tokenizer.h"

typedef struct vb_answer_options {
    const vb_model *model;
    const vb_tokenizer *tokenizer;
    vb_workspace *workspace;
    vb_session *session;
    size_t batch_tokens;

    /* Who signs. key NULL: nothing is committed to or signed (the receipt then serves only as the
     * record of the answer), and the mode must be fixed. state_dir holds the sequence number
     * and the local chain. */
    const vb_ed25519_key *key;
    const char *state_dir;
    vb_local_chain *chain; /* mode local only */

    vb_err (*on_text)(void *user, const char *text, size_t n_bytes);
    bool (*on_progress)(void *user, size_t prompt_done, size_t tokens_done);
    void *user;
} vb_answer_options;

/* r: prompt and request filled but for issued_at_ms, sequence, beacon_id and server_key. The
 * request has one choice. hash (may be NULL) receives verification_hash when there is a key. */
VB_MUST_CHECK vb_err vb_answer(const vb_answer_options *o, vb_receipt *r,
                               uint8_t hash[VB_SHA256_BYTES], vb_generate_stats *stats,
                               vb_error *e);

#endif
