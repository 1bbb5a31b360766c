/*
 * What stands in a log: one entry for each commitment, receipt and abort of a key (spec/log.md
 * section 1). Encoders write canonical JSON; the decoder is strict. Pure.
 *
 * Owner: the caller's memory, no part is allocated. Thread rule: one thread at a time for one
 * object.
 */
#ifndef VB_TLOG_ENTRY_H
#define VB_TLOG_ENTRY_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "crypto/ed25519.h"
#include "crypto/sha256.h"
#include "receipt/receipt.h"
#include "receipt/records.h"

#define VB_TLOG_ENTRY_FORMAT "verbatim.entry/1"
enum { VB_TLOG_ENTRY_BYTES_MAX = 1024 };

typedef enum vb_tlog_kind { VB_TLOG_COMMITMENT = 1, VB_TLOG_RECEIPT, VB_TLOG_ABORT } vb_tlog_kind;

typedef struct vb_tlog_entry {
    vb_tlog_kind kind;
    uint64_t sequence;
    uint8_t commitment[VB_SHA256_BYTES];
    uint8_t signature[VB_ED25519_SIGNATURE_BYTES];
    uint64_t issued_at_ms;                  /* COMMITMENT */
    uint8_t model_sha256[VB_SHA256_BYTES];  /* COMMITMENT */
    uint8_t record_sha256[VB_SHA256_BYTES]; /* RECEIPT, ABORT */
    vb_abort_reason reason;                 /* ABORT */
} vb_tlog_entry;

const char *vb_tlog_kind_name(vb_tlog_kind kind); /* "commitment", "receipt", "abort" */

/* Of a record that is decoded (or about to be signed and encoded): request, commitment and
 * commitment_signature of r are set; the digest of a receipt (vb_receipt_verification_hash) or of
 * an abort (vb_abort_digest) and its signature are given. They do not check it. */
void vb_tlog_entry_of_commitment(const vb_receipt *r, vb_tlog_entry *out);
void vb_tlog_entry_of_receipt(const vb_receipt *r, const uint8_t verification_hash[VB_SHA256_BYTES],
                              const uint8_t signature[VB_ED25519_SIGNATURE_BYTES],
                              vb_tlog_entry *out);
void vb_tlog_entry_of_abort(const vb_receipt *r, vb_abort_reason reason,
                            const uint8_t digest[VB_SHA256_BYTES],
                            const uint8_t signature[VB_ED25519_SIGNATURE_BYTES],
                            vb_tlog_entry *out);

/* Appends the entry's bytes. VB_EFORMAT: a number or a reason is out of its range. */
VB_MUST_CHECK vb_err vb_tlog_entry_encode(const vb_tlog_entry *entry, vb_buf *out, vb_error *e);

/* VB_EFORMAT, VB_ELIMIT; VB_EUNSUPPORTED for another version. */
VB_MUST_CHECK vb_err vb_tlog_entry_decode(const void *bytes, size_t n_bytes, vb_tlog_entry *out,
                                          vb_error *e);

/* Its signature is the key's. VB_EMISMATCH: it is not. */
VB_MUST_CHECK vb_err vb_tlog_entry_check(const vb_tlog_entry *entry,
                                         const uint8_t key[VB_ED25519_PUBLIC_BYTES], vb_error *e);

#endif
