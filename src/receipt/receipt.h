/*
 * The receipt of an answer (spec/receipt.md, normative): what was asked, of which model, with
 * whose randomness, and what came out, signed by the server. A file holds one receipt: canonical
 * JSON (RFC 8785) and nothing else, not even a final newline. Pure.
 *
 * Owner: a vb_receipt is caller's memory; what its pointers name is malloc'd and belongs to it
 * until vb_receipt_free. It is large (tens of kilobytes): keep it off small stacks.
 * Thread rule: one thread at a time.
 */
#ifndef VB_RECEIPT_RECEIPT_H
#define VB_RECEIPT_RECEIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/text.h"
#include "beacon/beacon.h"
#include "crypto/ed25519.h"
#include "crypto/sha256.h"
#include "sample/sample.h"

#define VB_RECEIPT_FORMAT "verbatim.receipt/1"
#define VB_RECEIPT_MEDIA_TYPE "application/vnd.verbatim.receipt+json"
#define VB_ARITHMETIC "verbatim-arith/1"
#define VB_ISSUED_AT_MS_MAX 253402300799999u /* the end of the year 9999 */
/* A constraint's own nesting: it stands in a request, which stands in a receipt. */
#define VB_CONSTRAINT_DEPTH_MAX (VB_JSON_DEPTH_MAX - 2)

typedef enum vb_prompt_kind {
    VB_PROMPT_TOKENS = 1, /* token ids given by the client; nothing more to check */
    VB_PROMPT_TEXT,       /* text -> tokens, special tokens added and parsed */
    VB_PROMPT_CHAT,       /* messages -> the model's chat template -> tokens */
    VB_PROMPT_TEMPLATE    /* any variables, as JSON -> the model's chat template -> tokens */
} vb_prompt_kind;

typedef struct vb_receipt_message {
    char role[VB_RECEIPT_NAME_BYTES_MAX + 1];
    vb_text content;
} vb_receipt_message;

/* How the prompt tokens came about. In a private receipt text, messages and tokens are all
 * absent: has_tokens false, and the verifier is given the prompt apart. */
typedef struct vb_receipt_prompt {
    vb_prompt_kind kind;
    bool has_tokens;
    uint32_t *tokens;
    size_t n_tokens;
    vb_text text;                 /* TEXT; TEMPLATE: the variables, one JSON object */
    vb_receipt_message *messages; /* CHAT only */
    size_t n_messages;
    char date[11];     /* CHAT, TEMPLATE: "YYYY-MM-DD" where the template prints one; else "" */
    bool has_template; /* CHAT, TEMPLATE always; else false */
    uint8_t template_sha256[VB_SHA256_BYTES]; /* vb_digest_template */
} vb_receipt_prompt;

/* Exactly what the commitment hashes. */
typedef struct vb_receipt_request {
    char arithmetic[VB_RECEIPT_NAME_BYTES_MAX + 1]; /* VB_ARITHMETIC */
    uint8_t model_sha256[VB_SHA256_BYTES];
    uint8_t prompt_sha256[VB_SHA256_BYTES]; /* vb_digest_tokens */
    uint64_t n_prompt_tokens;
    vb_sampling sampling;
    uint32_t max_tokens; /* output tokens of one choice; >= 1 */
    uint32_t ctx_tokens; /* prompt and output together; > n_prompt_tokens */
    uint32_t n_choices;  /* >= 1 */
    size_t n_stop_strings;
    vb_text stop_strings[VB_STOP_STRINGS_MAX]; /* in the client's order: ties go to the first */
    size_t n_stop_tokens;
    uint32_t stop_tokens[VB_STOP_TOKENS_MAX]; /* ascending, no duplicates */
    vb_text constraint; /* of the text, spec/constraints.md: canonical JSON; p NULL: none */
    char nonce[VB_NONCE_BYTES_MAX + 1]; /* the client's; "": none */
    vb_beacon_mode mode;
    char beacon_id[VB_BEACON_ID_BYTES_MAX + 1];     /* "" in mode fixed with a seed */
    char fallback_from[VB_BEACON_ID_BYTES_MAX + 1]; /* the beacon that failed; "": none */
    bool has_seed;                                  /* mode fixed only */
    uint64_t seed;
    bool has_round; /* mode fixed, a replayed round */
    uint64_t round;
    uint64_t issued_at_ms; /* unix; THE time of the commitment */
    uint64_t sequence;     /* gap-free per server key, from 1 */
    uint8_t server_key[VB_ED25519_PUBLIC_BYTES];
} vb_receipt_request;

typedef enum vb_finish {
    VB_FINISH_STOP = 1, /* end-of-generation token, stop token or stop string */
    VB_FINISH_LENGTH    /* max_tokens reached, or the context is full */
} vb_finish;

typedef struct vb_receipt_output {
    uint8_t seed[VB_SHA256_BYTES]; /* S_i */
    uint32_t *tokens;
    size_t n_tokens; /* >= 1 */
    vb_text text;    /* always present */
    uint8_t text_sha256[VB_SHA256_BYTES];
    vb_finish finish;
    uint8_t trace_root[VB_SHA256_BYTES];
} vb_receipt_output;

typedef struct vb_receipt {
    char id[VB_RECEIPT_ID_BYTES_MAX + 1];
    struct {
        char name[VB_RECEIPT_NAME_BYTES_MAX + 1];
        char architecture[VB_RECEIPT_NAME_BYTES_MAX + 1];
        char file_type[VB_RECEIPT_NAME_BYTES_MAX + 1];
        uint64_t n_parameters;
    } model; /* descriptive; what counts is request.model_sha256 */
    vb_receipt_prompt prompt;
    vb_receipt_request request;
    uint8_t commitment[VB_SHA256_BYTES]; /* C */
    uint8_t commitment_signature[VB_ED25519_SIGNATURE_BYTES];
    bool has_beacon;
    vb_beacon_round beacon; /* its id is request.beacon_id */
    size_t n_outputs;       /* request.n_choices */
    vb_receipt_output *outputs;
    uint64_t usage_prompt_tokens, usage_completion_tokens;
    char engine_version[VB_RECEIPT_NAME_BYTES_MAX + 1]; /* informative */
    char engine_tier[VB_RECEIPT_NAME_BYTES_MAX + 1];    /* informative */
    uint8_t signature[VB_ED25519_SIGNATURE_BYTES];
} vb_receipt;

/* All empty: sampling at its defaults, arithmetic set; what is required is still to be filled. */
void vb_receipt_init(vb_receipt *r);
void vb_receipt_free(vb_receipt *r); /* then as after vb_receipt_init */

/* Building, in the order of a request's life (request fields are filled by hand). */

/* Copies the prompt's tokens; sets request.prompt_sha256, n_prompt_tokens and the usage. */
VB_MUST_CHECK vb_err vb_receipt_set_prompt_tokens(vb_receipt *r, const uint32_t *tokens, size_t n,
                                                  vb_error *e);
VB_MUST_CHECK vb_err vb_receipt_add_message(vb_receipt *r, const char *role, const char *content,
                                            size_t n_bytes, vb_error *e);
/* Drops text, messages and tokens; their digest stays, and all of the request: its constraint is
 * hashed as it stands. */
void vb_receipt_make_private(vb_receipt *r);

/* Sets request.server_key, commitment and commitment_signature. Only the request is read: this
 * comes before any randomness. Errors as vb_request_encode's. */
VB_MUST_CHECK vb_err vb_commitment_make(vb_receipt *r, const vb_ed25519_key *key, vb_error *e);

/* The answer's id, which follows from its commitment: "vr-" and C's first 24 hex digits. */
void vb_receipt_set_id(vb_receipt *r);

/* The request again for the local chain, after its beacon has failed, which it then names; for a
 * commitment, and so an id, of its own (spec/beacons.md, section 2). */
void vb_receipt_fall_back(vb_receipt *r);

/* S_i by the request's mode, from the commitment and the beacon round (or the caller's seed).
 * VB_EINVAL: the mode needs a beacon round and there is none. */
VB_MUST_CHECK vb_err vb_receipt_seed(const vb_receipt *r, uint32_t choice,
                                     uint8_t out[VB_SHA256_BYTES], vb_error *e);

/* Appends an output, computing its seed and text digest; usage counts its tokens. */
VB_MUST_CHECK vb_err vb_receipt_add_output(vb_receipt *r, const uint32_t *tokens, size_t n_tokens,
                                           const char *text, size_t n_text_bytes, vb_finish finish,
                                           const uint8_t trace_root[VB_SHA256_BYTES], vb_error *e);

/* Signs the finished receipt (key as in request.server_key, else VB_EMISMATCH). hash (may be NULL)
 * receives verification_hash. */
VB_MUST_CHECK vb_err vb_receipt_sign(vb_receipt *r, const vb_ed25519_key *key,
                                     uint8_t hash[VB_SHA256_BYTES], vb_error *e);

/* Bytes and hashes. */

/* Appends the canonical JSON of the receipt; refuses what vb_receipt_decode would refuse, naming
 * the field by its path. */
VB_MUST_CHECK vb_err vb_receipt_encode(const vb_receipt *r, vb_buf *out, vb_error *e);

/* Strict: canonical JSON, every member of every object present and no other, every type, range
 * and length as the spec has it; the message names the field by its path ("request.top_k").
 * VB_EUNSUPPORTED: another format version. out is initialised here; on error it is empty. */
VB_MUST_CHECK vb_err vb_receipt_decode(const void *bytes, size_t n_bytes, vb_receipt *out,
                                       vb_error *e);

/* Appends the canonical JSON of the request alone: what C hashes. A constraint that
 * vb_receipt_decode would refuse is refused already here, with VB_EFORMAT or VB_ELIMIT. */
VB_MUST_CHECK vb_err vb_request_encode(const vb_receipt_request *q, vb_buf *out, vb_error *e);

VB_MUST_CHECK vb_err vb_receipt_commitment(const vb_receipt *r, uint8_t out[VB_SHA256_BYTES],
                                           vb_error *e);
VB_MUST_CHECK vb_err vb_receipt_verification_hash(const vb_receipt *r, uint8_t out[VB_SHA256_BYTES],
                                                  vb_error *e);

/* What the commitment's signature signs: "verbatim.commitment.v1\n" | C. */
enum { VB_COMMITMENT_MESSAGE_BYTES = 23 + VB_SHA256_BYTES };
void vb_commitment_message(const uint8_t commitment[VB_SHA256_BYTES],
                           uint8_t out[VB_COMMITMENT_MESSAGE_BYTES]);

const char *vb_finish_name(vb_finish f);           /* "stop", "length" */
const char *vb_prompt_kind_name(vb_prompt_kind k); /* "tokens", "text", "chat", "template" */

#endif
