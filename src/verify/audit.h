/*
 * Sets of records (spec/receipt.md section 5.2): what a server's receipts and abort records, put
 * together, say about its keeping of the rule that every sequence number of a key ends in exactly
 * one of them. Who adds a record has checked it: its signatures and its form. Pure.
 *
 * Owner: open/close; 88 bytes a record. Thread rule: one thread at a time.
 */
#ifndef VB_VERIFY_AUDIT_H
#define VB_VERIFY_AUDIT_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/limits.h"
#include "crypto/ed25519.h"
#include "crypto/sha256.h"

typedef enum vb_audit_kind { VB_AUDIT_RECEIPT = 1, VB_AUDIT_ABORT } vb_audit_kind;

typedef struct vb_audit_record {
    uint8_t key[VB_ED25519_PUBLIC_BYTES]; /* request.server_key */
    uint64_t sequence;                    /* request.sequence; >= 1 */
    uint8_t hash[VB_SHA256_BYTES];        /* what was signed: verification_hash, or the abort's */
    vb_audit_kind kind;
    uint64_t label; /* the caller's own, to find the record again: a place in a list of files */
} vb_audit_record;

/* One key's records. Sequence numbers below first and above last are not of this set. */
typedef struct vb_audit_key {
    uint8_t key[VB_ED25519_PUBLIC_BYTES];
    uint64_t first, last;          /* sequence numbers */
    uint64_t n_receipts, n_aborts; /* different ones */
    uint64_t n_missing;            /* numbers between first and last without a record */
    uint64_t n_conflicting;        /* numbers with two different records or more */
    uint64_t n_duplicates;         /* records that had been added before */
} vb_audit_key;

typedef struct vb_audit vb_audit;

VB_MUST_CHECK vb_err vb_audit_open(vb_audit **out, vb_error *e);
void vb_audit_close(vb_audit *a); /* NULL is allowed */

/* Adds a record, in any order. VB_EINVAL: sequence 0. VB_ELIMIT: more than VB_AUDIT_RECORDS_MAX. */
VB_MUST_CHECK vb_err vb_audit_add(vb_audit *a, const vb_audit_record *r, vb_error *e);

/* What is found, key by key in ascending order of their bytes: first what is wrong, by ascending
 * sequence number, then the key itself. Any function may be NULL. */
typedef struct vb_audit_findings {
    void *user;
    /* No record has a number from `from` to `to`, both included. */
    void (*missing)(void *user, const uint8_t key[VB_ED25519_PUBLIC_BYTES], uint64_t from,
                    uint64_t to);
    /* Two different records with one number: signed both, they prove that the rule was broken. A
     * number with more of them is told of once for each after the first. */
    void (*conflict)(void *user, const vb_audit_record *one, const vb_audit_record *other);
    /* The same record again, which breaks no rule. */
    void (*duplicate)(void *user, const vb_audit_record *one, const vb_audit_record *again);
    void (*key)(void *user, const vb_audit_key *k);
} vb_audit_findings;

/* Sorts what was added and reports; records may be added and reported on again afterwards. */
void vb_audit_report(vb_audit *a, const vb_audit_findings *f);

#endif
