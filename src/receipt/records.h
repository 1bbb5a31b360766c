/*
 * The records around a receipt (spec/receipt.md, section 5): the commitment that a client gets
 * before the randomness is known, the abort of a commitment that has no receipt, and the prompt of
 * a private receipt. Each is canonical JSON and nothing else, as a receipt is. Pure.
 *
 * Encoders append to out only what their decoder has read back. Decoders are strict: VB_EFORMAT,
 * VB_ELIMIT or VB_ENOMEM, and VB_EUNSUPPORTED for another version of the record; they initialise
 * out, which is empty after an error. A decoded record is well-formed, not true: that is for the
 * check functions, whose VB_EMISMATCH says that it is false; any other error says that it could not
 * be checked, never that it is good or bad.
 *
 * Owner: as vb_receipt. Thread rule: one thread at a time.
 */
#ifndef VB_RECEIPT_RECORDS_H
#define VB_RECEIPT_RECORDS_H

#include <stddef.h>
#include <stdint.h>

#include "receipt/receipt.h"

#define VB_COMMITMENT_FORMAT "verbatim.commitment/1"
#define VB_ABORT_FORMAT "verbatim.abort/1"
#define VB_PROMPT_FORMAT "verbatim.prompt/1"

/* What kind of record the bytes say they are, by the family of their member "format": another
 * version of a receipt is a RECEIPT, which its decoder refuses with a better message. One pass, no
 * memory; a hint for choosing the decoder, nothing more. */
typedef enum vb_record_kind {
    VB_RECORD_UNKNOWN = 0,
    VB_RECORD_RECEIPT,
    VB_RECORD_COMMITMENT,
    VB_RECORD_ABORT,
    VB_RECORD_PROMPT,
    VB_RECORD_OPENING,
    VB_RECORD_ROUND,
    VB_RECORD_STATEMENT
} vb_record_kind;
vb_record_kind vb_record_kind_of(const void *bytes, size_t n_bytes);

/* Commitments, section 5.1. */

/* Of r, the request, the commitment and its signature are written. */
VB_MUST_CHECK vb_err vb_commitment_encode(const vb_receipt *r, vb_buf *out, vb_error *e);

/* Fills request, commitment and commitment_signature of out; the rest is as after vb_receipt_init.
 */
VB_MUST_CHECK vb_err vb_commitment_decode(const void *bytes, size_t n_bytes, vb_receipt *out,
                                          vb_error *e);

/* The commitment is C of the request, and its signature is request.server_key's. Of a receipt, a
 * commitment record or an abort's r. VB_EMISMATCH: it is not (a server_key that is no key counts as
 * one that did not sign). */
VB_MUST_CHECK vb_err vb_commitment_check(const vb_receipt *r, vb_error *e);

/* Aborts, section 5.2. */

typedef enum vb_abort_reason {
    VB_ABORT_CANCELLED = 1, /* the client or the operator stopped it */
    VB_ABORT_BEACON,        /* the round could not be had */
    VB_ABORT_FAILED,        /* the answer could not be made or kept */
    VB_ABORT_LOST           /* the program ended before it could say why */
} vb_abort_reason;

const char *vb_abort_reason_name(vb_abort_reason reason); /* "cancelled", ... */

typedef struct vb_abort {
    vb_receipt r; /* request and commitment; the rest is as after vb_receipt_init */
    vb_abort_reason reason;
    uint64_t aborted_at_ms;
    uint8_t signature[VB_ED25519_SIGNATURE_BYTES];
} vb_abort;

/* Signs and writes the abort of r's commitment. key is request.server_key's and r passes
 * vb_commitment_check, else VB_EMISMATCH. VB_EFORMAT: aborted_at_ms is before request.issued_at_ms
 * (a clock that was set back is for the caller to even out) or past the year 9999. */
VB_MUST_CHECK vb_err vb_abort_encode(const vb_receipt *r, vb_abort_reason reason,
                                     uint64_t aborted_at_ms, const vb_ed25519_key *key, vb_buf *out,
                                     vb_error *e);
VB_MUST_CHECK vb_err vb_abort_decode(const void *bytes, size_t n_bytes, vb_abort *out, vb_error *e);
void vb_abort_free(vb_abort *a); /* then empty */

/* What its signature signs: SHA-256 of the tag and of the record without the signature. */
VB_MUST_CHECK vb_err vb_abort_digest(const vb_abort *a, uint8_t out[VB_SHA256_BYTES], vb_error *e);

/* Its commitment, as vb_commitment_check, and its own signature. */
VB_MUST_CHECK vb_err vb_abort_check(const vb_abort *a, vb_error *e);

/* Prompts, section 5.3. */

/* r is not private: take the prompt out before vb_receipt_make_private. VB_EFORMAT when it is. */
VB_MUST_CHECK vb_err vb_prompt_file_encode(const vb_receipt *r, vb_buf *out, vb_error *e);
VB_MUST_CHECK vb_err vb_prompt_file_decode(const void *bytes, size_t n_bytes,
                                           vb_receipt_prompt *out, vb_error *e);
void vb_receipt_prompt_free(vb_receipt_prompt *p); /* then empty */

#endif
