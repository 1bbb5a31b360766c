/*
 * What verify and open share: what the verifier was told apart from the receipt, the model, which
 * is loaded once and only when a receipt needs it, and one receipt in, one finished report out.
 *
 * Owner: begin/end; zeroed at first. Thread rule: one thread at a time.
 */
#ifndef VB_CLI_VERIFICATION_H
#define VB_CLI_VERIFICATION_H

#include "cli/app.h"
#include "cli/beacon_options.h"
#include "receipt/receipt.h"
#include "receipt/records.h"
#include "verify/check.h"
#include "verify/replay.h"
#include "witness/quorum.h"

enum { VB_SAMPLES_DEFAULT = 32 };

typedef struct vb_verification {
    /* options; NULL: not given */
    vb_app a;
    vb_beacon_options b; /* its trust file alone */
    const char *key, *commitment, *prompt, *nonce;
    bool rehash;
    uint64_t n_samples;
    vb_level level;
    /* While a replay runs; NULL: a progress line of its own. */
    bool (*on_progress)(void *user, uint64_t done, uint64_t total);
    void *progress_user;
    vb_position_fn on_position; /* may be NULL */
    void *position_user;
    /* What the options said, read by begin. */
    vb_expect expect;
    uint8_t expected_key[VB_ED25519_PUBLIC_BYTES], expected_commitment[VB_SHA256_BYTES];
    vb_receipt_prompt prompt_apart;
    /* Statements of the receipt's witnesses, v's to close; NULL: none. */
    vb_quorum *quorum;
    uint32_t quorum_k; /* of the trust file's witnesses; 0: the statements are shown alone */
    /* The model. */
    bool tried; /* to load it; then model_err says how that went */
    vb_err model_err;
    vb_error model_error;
    uint8_t model_sha256[VB_SHA256_BYTES];
    vb_vocabulary *vocabulary; /* of the model, once a receipt with a constraint needed it */
    /* The last receipt that was verified; empty when it could not be read. */
    vb_receipt *r;
    vb_report *rep;
} vb_verification;

/* --key, --trust, --prompt, --commitment, --nonce, --rehash. */
void vb_verification_options(vb_verification *v, vb_opt_table *t);

/* Sets the level by its name, full, sample or receipt. samples_given: --samples was. */
VB_MUST_CHECK vb_err vb_verification_read_level(vb_verification *v, const char *name,
                                                bool samples_given, vb_error *e);

/* Reads what the options name. */
VB_MUST_CHECK vb_err vb_verification_begin(vb_verification *v, vb_error *e);
void vb_verification_end(vb_verification *v);

/* v->rep becomes the finished report on these bytes, v->r what they hold. one_of_many: the model
 * was not given for this receipt in particular, so that a receipt of another model lacks its model
 * (missing-model) instead of being refuted. */
void vb_verification_receipt(vb_verification *v, const void *bytes, size_t n_bytes,
                             bool one_of_many);

/* A receipt and its report, which v does not own. */
typedef struct vb_verification_pair {
    vb_receipt *r;
    vb_report *rep;
} vb_verification_pair;

/* The same in two steps, for receipts that are to be replayed together. False: rep has all that
 * there is to say, and r (empty before) what the bytes hold; true: a replay is due, of up to
 * VB_REPLAY_SHARED_MAX of them in one call. Either way rep is still to be finished. */
bool vb_verification_check(vb_verification *v, const void *bytes, size_t n_bytes, bool one_of_many,
                           vb_receipt *r, vb_report *rep);
void vb_verification_replay(vb_verification *v, const vb_verification_pair *pairs, size_t n);

/* The vocabulary of the model that v->r names, for an opening; the weights are not loaded. NULL,
 * and check opening-draw says why, when it is not at hand. */
const vb_vocabulary *vb_verification_vocabulary(vb_verification *v);

/* The same for a file that could not be read. */
void vb_verification_unreadable(vb_verification *v, vb_reason reason, const char *why);

#endif
