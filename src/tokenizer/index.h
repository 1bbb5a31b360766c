/*
 * Two immutable look-up tables: texts to token ids, and pairs of ids to merges. Keys are
 * spread over buckets by a hash and sorted inside each, so that a vocabulary made to collide
 * costs a binary search and never a long chain.
 */
#ifndef VB_TOKENIZER_INDEX_H
#define VB_TOKENIZER_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "gguf/gguf.h"

typedef struct vb_strmap {
    const vb_str *texts; /* borrowed, indexed by id */
    uint32_t *ids;       /* by bucket, then by low hash, length and bytes */
    uint32_t *hashes;    /* low half of each key's hash, in the order of ids */
    uint32_t *bucket;    /* first index of each of 2^bits buckets, and the end */
    unsigned bits;
} vb_strmap;

/* texts must outlive the map. Of equal texts one is kept: one with prefer[id] set if there is
 * any, and of those the highest id (what the reference implementations' maps end with). */
VB_MUST_CHECK vb_err vb_strmap_make(vb_strmap *m, const vb_str *texts, const uint8_t *prefer,
                                    uint32_t n, vb_error *e);
void vb_strmap_free(vb_strmap *m);
/* The id of a text, or -1. */
int32_t vb_strmap_find(const vb_strmap *m, const char *text, size_t len);

typedef struct vb_merge {
    uint32_t left, right; /* token ids */
    uint32_t rank;        /* lower merges first */
    uint32_t result;
} vb_merge;

typedef struct vb_mergemap {
    vb_merge *merges;
    uint32_t *bucket;
    unsigned bits;
} vb_mergemap;

/* Takes merges (malloc'd, n of them) over, also on error. Of equal pairs the lowest rank
 * counts. */
VB_MUST_CHECK vb_err vb_mergemap_make(vb_mergemap *m, vb_merge *merges, uint32_t n, vb_error *e);
void vb_mergemap_free(vb_mergemap *m);
/* The merge of a pair, or NULL. */
const vb_merge *vb_mergemap_find(const vb_mergemap *m, uint32_t left, uint32_t right);

#endif
