/*
 * The trace: a Merkle tree (RFC 6962, section 2.1) whose leaf t binds the t-th output token to
 * every bit of the logits it was drawn from. Its root goes in the receipt: it pins the first token
 * at which two runs differ, and one leaf can be opened alone. Pure; nothing allocates.
 *
 * Owner: a vb_trace is caller's memory. Thread rule: one thread at a time.
 */
#ifndef VB_RECEIPT_TRACE_H
#define VB_RECEIPT_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/sha256.h"

enum { VB_TRACE_PROOF_MAX = 64 /* hashes in one inclusion proof */ };

/* leaf = SHA-256(0x00 | u64be t | u32be token | SHA-256(logits as f32le)). logits [n_logits] are
 * the model's own, before bias and penalties. */
void vb_trace_leaf(uint64_t t, uint32_t token, const float *logits, size_t n_logits,
                   uint8_t out[VB_SHA256_BYTES]);

/* The same from a digest of the logits that is already known. */
void vb_trace_logits_digest(const float *logits, size_t n_logits, uint8_t out[VB_SHA256_BYTES]);
void vb_trace_leaf_of_digest(uint64_t t, uint32_t token,
                             const uint8_t logits_digest[VB_SHA256_BYTES],
                             uint8_t out[VB_SHA256_BYTES]);

/* A tree that grows by a leaf at a time and keeps only the roots of its full subtrees. */
typedef struct vb_trace {
    uint64_t n_leaves;
    uint8_t subtree[VB_TRACE_PROOF_MAX][VB_SHA256_BYTES]; /* [level], used where n_leaves has a 1 */
} vb_trace;

void vb_trace_begin(vb_trace *tr);
void vb_trace_add(vb_trace *tr, const uint8_t leaf[VB_SHA256_BYTES]);

/* The root of the leaves so far; of none: SHA-256 of the empty string. The tree may grow on. */
void vb_trace_root(const vb_trace *tr, uint8_t out[VB_SHA256_BYTES]);

/* Inclusion proof of leaf `index` among leaves[n_leaves] (index < n_leaves), sibling by sibling
 * from the leaf up; returns the number of hashes written. */
size_t vb_trace_prove(const uint8_t (*leaves)[VB_SHA256_BYTES], size_t n_leaves, size_t index,
                      uint8_t proof[VB_TRACE_PROOF_MAX][VB_SHA256_BYTES]);

/* True when leaf is at index in the tree of n_leaves with this root (RFC 9162, 2.1.3.2). */
bool vb_trace_check(const uint8_t leaf[VB_SHA256_BYTES], uint64_t index, uint64_t n_leaves,
                    const uint8_t (*proof)[VB_SHA256_BYTES], size_t n_proof,
                    const uint8_t root[VB_SHA256_BYTES]);

#endif
