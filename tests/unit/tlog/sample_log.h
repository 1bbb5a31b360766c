/*
 * Small logs with genuine signatures, for the tests of this folder: entries of records that nobody
 * has, trees that are kept whole, checkpoints.
 */
#ifndef VB_TESTS_UNIT_TLOG_SAMPLE_LOG_H
#define VB_TESTS_UNIT_TLOG_SAMPLE_LOG_H

#include <string.h>

#include "support/testing.h"
#include "tlog/entry.h"
#include "tlog/note.h"
#include "tlog/tree.h"

#define SAMPLE_ORIGIN "log.example/verbatim"
enum { SAMPLE_LOG_MAX = 64 };

/* The key of the seed first, first + 1, ... */
static inline vb_ed25519_key *sample_log_key(uint8_t first) {
    uint8_t seed[VB_ED25519_SEED_BYTES];
    vb_ed25519_key *k = NULL;
    for (size_t i = 0; i < sizeof seed; i++) {
        seed[i] = (uint8_t)(first + i);
    }
    assert_int_equal(vb_ed25519_from_seed(seed, &k, NULL), VB_OK);
    return k;
}

static inline vb_tlog_key sample_vkey(const char *name, vb_tlog_signer type,
                                      const vb_ed25519_key *key) {
    uint8_t public_key[VB_ED25519_PUBLIC_BYTES];
    vb_tlog_key out;
    vb_ed25519_public(key, public_key);
    assert_int_equal(vb_tlog_key_make(name, type, public_key, &out, NULL), VB_OK);
    return out;
}

/* A signed entry; label tells commitments of one number apart. */
static inline vb_tlog_entry sample_entry(vb_tlog_kind kind, uint64_t sequence, char label,
                                         const vb_ed25519_key *key) {
    vb_tlog_entry e = {.kind = kind, .sequence = sequence};
    uint8_t text[10] = {(uint8_t)label}, message[VB_COMMITMENT_MESSAGE_BYTES];
    vb_store_u64be(text + 1, sequence);
    vb_sha256_of(text, sizeof text, e.commitment);
    if (kind == VB_TLOG_COMMITMENT) {
        e.issued_at_ms = 1763834000123u;
        vb_commitment_message(e.commitment, message);
        assert_int_equal(vb_ed25519_sign(key, message, sizeof message, e.signature, NULL), VB_OK);
        return e;
    }
    e.reason = kind == VB_TLOG_ABORT ? VB_ABORT_LOST : (vb_abort_reason)0;
    text[9] = (uint8_t)kind;
    vb_sha256_of(text, sizeof text, e.record_sha256);
    assert_int_equal(
        vb_ed25519_sign(key, e.record_sha256, sizeof e.record_sha256, e.signature, NULL), VB_OK);
    return e;
}

/* The leaves of a log, and the roots of its full subtrees. */
typedef struct sample_tree {
    vb_tlog_range range;
    vb_tlog_hash hash[8][SAMPLE_LOG_MAX]; /* [level][index] */
} sample_tree;

static inline void sample_keep(void *user, unsigned level, uint64_t index,
                               const vb_tlog_hash *hash) {
    sample_tree *t = user;
    t->hash[level][index] = *hash;
}

/* A vb_tlog_hash_fn. */
static inline vb_err sample_give(void *user, unsigned level, uint64_t index, vb_tlog_hash *out,
                                 vb_error *e) {
    const sample_tree *t = user;
    (void)e;
    *out = t->hash[level][index];
    return VB_OK;
}

static inline void sample_add(sample_tree *t, const void *entry, size_t n_bytes) {
    vb_tlog_hash leaf;
    assert_true(t->range.size < SAMPLE_LOG_MAX);
    vb_tlog_leaf_hash(entry, n_bytes, &leaf);
    assert_int_equal(vb_tlog_range_add(&t->range, &leaf, sample_keep, t, NULL), VB_OK);
}

/* Appends the checkpoint of the tree's first `size` entries. */
static inline void sample_note(sample_tree *t, uint64_t size, const vb_ed25519_key *key,
                               vb_buf *out) {
    vb_tlog_checkpoint c = {.origin = SAMPLE_ORIGIN, .size = size};
    assert_int_equal(vb_tlog_root(size, sample_give, t, &c.root, NULL), VB_OK);
    assert_int_equal(vb_tlog_checkpoint_sign(&c, key, out, NULL), VB_OK);
}

#endif
