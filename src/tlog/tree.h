/*
 * The Merkle tree of a log (RFC 6962 section 2.1, RFC 9162 section 2.1): roots, audit paths and
 * consistency proofs, from hashes that the caller has or reads. Pure; nothing allocates.
 *
 * Owner: the caller's memory. Thread rule: one thread at a time for one object.
 */
#ifndef VB_TLOG_TREE_H
#define VB_TLOG_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "crypto/sha256.h"

enum {
    VB_TLOG_SIZE_BITS_MAX = 40, /* leaves of a log, spec/log.md section 3 */
    VB_TLOG_PATH_MAX = VB_TLOG_SIZE_BITS_MAX + 1
};
#define VB_TLOG_SIZE_MAX ((uint64_t)1 << VB_TLOG_SIZE_BITS_MAX)

typedef struct vb_tlog_hash {
    uint8_t bytes[VB_SHA256_BYTES];
} vb_tlog_hash;

void vb_tlog_leaf_hash(const void *entry, size_t n_bytes, vb_tlog_hash *out);
void vb_tlog_node_hash(const vb_tlog_hash *left, const vb_tlog_hash *right, vb_tlog_hash *out);
bool vb_tlog_hash_equal(const vb_tlog_hash *a, const vb_tlog_hash *b);

/* A tree that grows by a leaf at a time and keeps only the roots of its full subtrees. */
typedef struct vb_tlog_range {
    uint64_t size;
    vb_tlog_hash subtree[VB_TLOG_SIZE_BITS_MAX + 1]; /* [level], used where size has a 1 */
} vb_tlog_range;

void vb_tlog_range_begin(vb_tlog_range *r);
/* completed (may be NULL) is told the root of every full subtree that the leaf completes, the leaf
 * itself first: level 0 .. , index on that level. VB_ELIMIT: the log is full. */
typedef void (*vb_tlog_completed_fn)(void *user, unsigned level, uint64_t index,
                                     const vb_tlog_hash *hash);
VB_MUST_CHECK vb_err vb_tlog_range_add(vb_tlog_range *r, const vb_tlog_hash *leaf,
                                       vb_tlog_completed_fn completed, void *user, vb_error *e);
void vb_tlog_range_root(const vb_tlog_range *r,
                        vb_tlog_hash *out); /* of none: SHA-256 of nothing */

/* Reads the root of the full subtree `index` of 2^level leaves. */
typedef vb_err (*vb_tlog_hash_fn)(void *user, unsigned level, uint64_t index, vb_tlog_hash *out,
                                  vb_error *e);

/* The root of the first `size` leaves (at most VB_TLOG_SIZE_MAX, here and below), from full
 * subtrees. Errors, here and below, are those of get. */
VB_MUST_CHECK vb_err vb_tlog_root(uint64_t size, vb_tlog_hash_fn get, void *user, vb_tlog_hash *out,
                                  vb_error *e);
/* Audit path of leaf index < size; *n hashes, from the leaf's sibling up. */
VB_MUST_CHECK vb_err vb_tlog_prove(uint64_t index, uint64_t size, vb_tlog_hash_fn get, void *user,
                                   vb_tlog_hash path[VB_TLOG_PATH_MAX], size_t *n, vb_error *e);
/* Consistency of the first `old` leaves, 0 < old <= size, with all `size`: as RFC 6962 has it. */
VB_MUST_CHECK vb_err vb_tlog_prove_consistency(uint64_t old, uint64_t size, vb_tlog_hash_fn get,
                                               void *user, vb_tlog_hash path[VB_TLOG_PATH_MAX],
                                               size_t *n, vb_error *e);
/* The same, 0 < old < size, standing by itself: when old is a power of two, RFC 6962 leaves out the
 * first hash, which is the old root that its reader has. Here it is there, so that the path alone
 * leads to both roots: what a proof that an old root is another one needs. */
VB_MUST_CHECK vb_err vb_tlog_prove_prefix(uint64_t old, uint64_t size, vb_tlog_hash_fn get,
                                          void *user, vb_tlog_hash path[VB_TLOG_PATH_MAX],
                                          size_t *n, vb_error *e);

/* True when the path leads from leaf at index to root. */
bool vb_tlog_included(const vb_tlog_hash *leaf, uint64_t index, uint64_t size,
                      const vb_tlog_hash *path, size_t n, const vb_tlog_hash *root);

/* True when the path, of vb_tlog_prove_consistency, shows that the tree of `size` leaves with
 * new_root begins with that of `old` leaves with old_root. Of none: every tree begins with it. */
bool vb_tlog_consistent(uint64_t old, const vb_tlog_hash *old_root, uint64_t size,
                        const vb_tlog_hash *new_root, const vb_tlog_hash *path, size_t n);

/* Both roots that a path of vb_tlog_prove_prefix leads to; false, and they are untouched, when it
 * has not the right number of hashes for old and size (0 < old < size). Whether they are those of
 * two checkpoints is the caller's to compare: a first root that differs, with a second that does
 * not, is the proof of a fork. */
bool vb_tlog_prefix_roots(uint64_t old, uint64_t size, const vb_tlog_hash *path, size_t n,
                          vb_tlog_hash *old_root, vb_tlog_hash *new_root);

#endif
