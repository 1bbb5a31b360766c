/*
 * One request from commitment to signed receipt (spec/receipt.md): commit, fetch the randomness
 * while the prompt is computed, generate, record, sign. The caller has filled the receipt's prompt
 * and request; this fills all the rest.
 */
#ifndef VB_ENGINE_ANSWER_H
#define VB_ENGINE_ANSWER_H

#include "beacon/local_chain.h"
#include "engine/generate.h"
#include "engine/ledger.h"
#include "fetch/source.h"
#include "receipt/receipt.h"
#include "tokenizer/tokenizer.h"

typedef struct vb_answer_options {
    const vb_model *model;
    const vb_tokenizer *tokenizer;
    const vb_vocabulary *vocabulary; /* the tokenizer's; for a request with a constraint */
    vb_workspace *workspace;
    vb_session *session;
    size_t batch_tokens;
    bool no_speculation; /* as of vb_generate */

    /* Who signs and what is kept. key NULL: nothing is committed to or signed (the receipt then
     * serves only as the record of the answer), and the mode must be fixed with the caller's seed.
     */
    const vb_ed25519_key *key;
    vb_ledger *ledger;     /* with a key: of that key */
    vb_local_chain *chain; /* mode local, and the fallback */
    vb_source *source;     /* modes next, latest and a replayed round; used from another thread */
    uint32_t wait_ms;      /* for the beacon's round, from the commitment on */
    /* When the beacon fails: a new commitment to the local chain, which names the beacon that was
     * asked for. false: the request fails. */
    bool fall_back_to_local;
    bool make_private; /* the receipt is signed without its prompt, and r loses it */

    /* The commitment, signed and on disk, before any randomness is known; may be NULL. */
    vb_err (*on_commitment)(void *user, const vb_receipt *r, vb_error *e);
    /* The prompt is computed and the round is not there yet; may be NULL. */
    void (*on_wait)(void *user, const vb_receipt *r);
    /* The beacon failed (why), and the local chain takes its place; may be NULL. */
    void (*on_fallback)(void *user, const vb_error *why);
    vb_err (*on_text)(void *user, const char *text, size_t n_bytes);
    bool (*on_progress)(void *user, size_t prompt_done, size_t tokens_done);
    void *user;
} vb_answer_options;

/* r: prompt and request filled but for issued_at_ms, sequence, server_key and, for mode local,
 * beacon_id. The request has one choice. A constraint that can not be kept to is refused before
 * the commitment, with the errors of vb_receipt_grammar and vb_generation_open. hash (may be NULL)
 * receives verification_hash when there is a key. On an error after the commitment an abort record
 * has been made; when that failed too, the message says so and the commitment stays open. */
VB_MUST_CHECK vb_err vb_answer(const vb_answer_options *o, vb_receipt *r,
                               uint8_t hash[VB_SHA256_BYTES], vb_generate_stats *stats,
                               vb_error *e);

#endif
