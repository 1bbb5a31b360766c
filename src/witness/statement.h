/*
 * Statements (spec/witness.md section 2): what a witness found of one receipt, signed. Canonical
 * JSON and nothing else, as a receipt is. Pure.
 *
 * The decoder is strict: VB_EFORMAT, VB_ELIMIT or VB_ENOMEM, and VB_EUNSUPPORTED for another
 * version of the record. A decoded statement is well-formed, not good: that is for
 * vb_statement_check.
 *
 * Owner: the caller's memory (about 2 KB), nothing to free. Thread rule: one thread at a time.
 */
#ifndef VB_WITNESS_STATEMENT_H
#define VB_WITNESS_STATEMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/limits.h"
#include "beacon/trust.h"
#include "chain/verdict.h"
#include "crypto/ed25519.h"
#include "crypto/eth_key.h"
#include "crypto/sha256.h"
#include "receipt/receipt.h"
#include "tlog/note.h"
#include "verify/check.h"

#define VB_STATEMENT_FORMAT "verbatim.statement/1"

enum { VB_STATEMENT_REASON_BYTES_MAX = 64 };

/* Which receipt, and which answer: what a statement is held against a receipt by. */
typedef struct vb_claim {
    uint8_t record[VB_SHA256_BYTES];     /* verification_hash */
    uint8_t commitment[VB_SHA256_BYTES]; /* C */
    uint8_t model[VB_SHA256_BYTES];
    uint8_t answer[VB_SHA256_BYTES]; /* outputs[0].text_sha256 */
    uint8_t server_key[VB_ED25519_PUBLIC_BYTES];
    uint64_t sequence;
    uint64_t drawn_at_s; /* of the round; 0: there is none, or none with a time */
} vb_claim;

/* The same verdict for contracts. */
typedef struct vb_statement_attestation {
    vb_chain_registry registry;
    uint8_t signer[VB_ETH_ADDRESS_BYTES];
    uint8_t signature[VB_SECP256K1_SIGNATURE_BYTES]; /* r | s | v, v 27 or 28 */
} vb_statement_attestation;

typedef struct vb_statement {
    vb_claim claim;
    vb_verdict verdict;
    char reason[VB_STATEMENT_REASON_BYTES_MAX + 1]; /* "": none, with VERIFIED */
    vb_level level;                                 /* RECEIPT, SAMPLE or FULL */
    uint64_t judged_at_ms;
    bool in_log; /* then these two say where it stands */
    char origin[VB_TLOG_ORIGIN_BYTES_MAX + 1];
    uint64_t index;
    char engine_tier[VB_RECEIPT_NAME_BYTES_MAX + 1]; /* the witness's */
    char engine_version[VB_RECEIPT_NAME_BYTES_MAX + 1];
    char witness[VB_TLOG_ORIGIN_BYTES_MAX + 1];
    uint8_t witness_key[VB_ED25519_PUBLIC_BYTES];
    size_t n_attestations;
    vb_statement_attestation
        attestations[VB_STATEMENT_ATTESTATIONS_MAX]; /* by chain_id, then registry */
    uint8_t signature[VB_ED25519_SIGNATURE_BYTES];
} vb_statement;

/* The claim of a receipt. The round's time is its proof's when that is genuine by trust (NULL: the
 * built-in roots), else 0: of a round that nobody vouches for there is no time to state.
 * VB_EFORMAT: a time past the year 9999. VB_ENOMEM. */
VB_MUST_CHECK vb_err vb_claim_of_receipt(const vb_receipt *r, const vb_trust *trust, vb_claim *out,
                                         vb_error *e);

/* Making one: the members up to `witness` are filled by hand. Then the attestations, then the
 * signature, which sets witness_key. */

/* Adds the verdict's signature for one registry, in its place. VB_EINVAL: the registry has one
 * already, or its chain_id is 0. VB_ELIMIT: there are VB_STATEMENT_ATTESTATIONS_MAX. */
VB_MUST_CHECK vb_err vb_statement_attest(vb_statement *s, const vb_chain_registry *registry,
                                         const vb_eth_key *key, vb_error *e);
VB_MUST_CHECK vb_err vb_statement_sign(vb_statement *s, const vb_ed25519_key *key, vb_error *e);

/* Appends the canonical JSON. It refuses what vb_statement_decode would refuse. */
VB_MUST_CHECK vb_err vb_statement_encode(const vb_statement *s, vb_buf *out, vb_error *e);
/* On error out is all zero. */
VB_MUST_CHECK vb_err vb_statement_decode(const void *bytes, size_t n_bytes, vb_statement *out,
                                         vb_error *e);

/* Its signature and those of its attestations. VB_EMISMATCH: one does not verify; any other error
 * says that it could not be checked. */
VB_MUST_CHECK vb_err vb_statement_check(const vb_statement *s, vb_error *e);

/* Whether it is about this receipt. VB_EMISMATCH names the first member that is another. */
VB_MUST_CHECK vb_err vb_statement_match(const vb_statement *s, const vb_claim *c, vb_error *e);

/* Whether two good statements convict the witness that signed both. */
bool vb_statements_conflict(const vb_statement *a, const vb_statement *b);

#endif
