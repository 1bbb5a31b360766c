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

/* What tells one content of a file from another without reading it, as far as the system tells:
 * ctime is there because mtime can be set back by anyone who may write the file. */
typedef struct vb_file_id {
    uint64_t device, inode, bytes;
    int64_t mtime_ns, ctime_ns;
} vb_file_id;

/* VB_EINVAL when path is not a regular file. */
VB_MUST_CHECK vb_err vb_file_identify(const char *path, vb_file_id *out, vb_error *e);
bool vb_file_same(const vb_file_id *a, const vb_file_id *b);

typedef bool (*vb_filehash_progress_fn)(void *user, uint64_t done_bytes, uint64_t total_bytes);

typedef struct vb_filehash_options {
    const char *cache_dir; /* NULL: no cache; made (0700) when absent, its parent must exist */
    bool rehash;           /* the cache is not read; the fresh digest is still stored */
    vb_filehash_progress_fn progress; /* NULL: none; false stops with VB_ECANCELLED */
    void *progress_user;
    /* NULL, or one for each file: what it was when it was loaded. A file that is no longer that one
     * is VB_EMISMATCH, so that the digest is of the bytes that are in use. */
    const vb_file_id *expected;
} vb_filehash_options;

/* *from_cache (may be NULL) says where the digest came from. VB_EMISMATCH when the file changed
 * while it was read, or is not the expected one. */
VB_MUST_CHECK vb_err vb_filehash(const char *path, const vb_filehash_options *options,
                                 uint8_t out[VB_SHA256_BYTES], bool *from_cache, vb_error *e);

/* The model digest (spec/receipt.md): of one file, its SHA-256; of a split model,
 * SHA-256("verbatim.split.v1\n" | the 32-byte digest of each file in order). Progress counts the
 * bytes of all files. */
VB_MUST_CHECK vb_err vb_filehash_model(const char *const *paths, size_t n_paths,
                                       const vb_filehash_options *options,
                                       uint8_t out[VB_SHA256_BYTES], vb_error *e);

#endif
