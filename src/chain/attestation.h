/*
 * A witness's signed verdict in a file, for anybody to send: what `verbatim attest --print` writes
 * and `--relay` reads. Pure but for the check of the signature.
 *
 * Owner: the caller's memory. Thread rule: one thread at a time.
 */
#ifndef VB_CHAIN_ATTESTATION_H
#define VB_CHAIN_ATTESTATION_H

#include "chain/verdict.h"

enum { VB_ATTESTATION_BYTES_MAX = 1 << 14 };

typedef struct vb_attestation {
    vb_chain_registry registry;
    vb_chain_verdict verdict;
    uint8_t digest[VB_KECCAK256_BYTES];
    uint8_t signature[VB_SECP256K1_SIGNATURE_BYTES]; /* the contract's form: v is 27 or 28 */
    uint8_t witness[VB_ETH_ADDRESS_BYTES];
} vb_attestation;

/* Appends one JSON object. */
VB_MUST_CHECK vb_err vb_attestation_encode(const vb_attestation *a, vb_buf *out, vb_error *e);

/* The same object in any form of JSON, and only what the contract would take. VB_EFORMAT or
 * VB_ELIMIT names the member. VB_EMISMATCH: the digest is not the verdict's, or the signature not
 * the witness's. */
VB_MUST_CHECK vb_err vb_attestation_decode(const void *bytes, size_t n_bytes, vb_attestation *out,
                                           vb_error *e);

#endif
