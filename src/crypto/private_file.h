/*
 * Small files that must appear whole or not at all, survive a crash, and be nobody else's to read
 * or to change: keys, beacon state, cache entries. All are mode 0600.
 */
#ifndef VB_CRYPTO_PRIVATE_FILE_H
#define VB_CRYPTO_PRIVATE_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"
#include "base/error.h"

/* Writes a new file and syncs it and its folder. VB_EIO when path exists already. */
VB_MUST_CHECK vb_err vb_private_file_create(const char *path, const void *bytes, size_t n_bytes,
                                            vb_error *e);

/* The same, replacing an older file: a reader sees the old content or the new one. */
VB_MUST_CHECK vb_err vb_private_file_replace(const char *path, const void *bytes, size_t n_bytes,
                                             vb_error *e);

/* Appends the file's content to out. VB_EINVAL: not a regular file, not this user's, or others may
 * read or write it. VB_ELIMIT: more bytes than out may hold. *absent (may be NULL) is set true
 * when there is no such file (also VB_EIO). */
VB_MUST_CHECK vb_err vb_private_file_read(const char *path, vb_buf *out, bool *absent, vb_error *e);

#endif
