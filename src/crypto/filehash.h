/*
 * SHA-256 of model files, with a cache so that a model is hashed once and not at every start.
 * A cache entry is believed only for the same device, inode, size, mtime and ctime (ns), and only
 * when the entry file belongs to this user and nobody else may write it. The cache saves time; it
 * is never needed: without one, or when it can not be written, the file is hashed.
 *
 * Thread rule: any number of threads and processes; entries are written atomically.
 */
#ifndef VB_CRYPTO_FILEHASH_H
#define VB_CRYPTO_FILEHASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "crypto/sha256.h"

typedef bool (*vb_filehash_progress_fn)(void *user, uint64_t done_bytes, uint64_t total_bytes);

typedef struct vb_filehash_options {
    const char *cache_dir; /* NULL: no cache; made (0700) when absent, its parent must exist */
    bool rehash;           /* the cache is not read; the fresh digest is still stored */
    vb_filehash_progress_fn progress; /* NULL: none; false stops with VB_ECANCELLED */
    void *progress_user;
} vb_filehash_options;

/* *from_cache (may be NULL) says where the digest came from. VB_EMISMATCH when the file changed
 * while it was read. */
VB_MUST_CHECK vb_err vb_filehash(const char *path, const vb_filehash_options *options,
                                 uint8_t out[VB_SHA256_BYTES], bool *from_cache, vb_error *e);

/* The model digest (spec/receipt.md): of one file, its SHA-256; of a split model,
 * SHA-256("verbatim.split.v1\n" | the 32-byte digest of each file in order). Progress counts the
 * bytes of all files. */
VB_MUST_CHECK vb_err vb_filehash_model(const char *const *paths, size_t n_paths,
                                       const vb_filehash_options *options,
                                       uint8_t out[VB_SHA256_BYTES], vb_error *e);

#endif
