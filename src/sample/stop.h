/*
 * Stop strings over streamed text (spec/sampling.md section 8). Bytes are fed in any cuts; the
 * result depends on the bytes alone. A match is the one that ends earliest; among those that end
 * at the same byte the longest, then the first in the list. What may be shown at any time is the
 * text up to the first byte that could still belong to a match.
 *
 * Owner: a vb_stop owns copies of its strings; feeding allocates nothing.
 * Thread rule: one thread at a time.
 */
#ifndef VB_SAMPLE_STOP_H
#define VB_SAMPLE_STOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/limits.h"

typedef struct vb_stop_string {
    const void *bytes; /* borrowed during vb_stop_open */
    size_t len;        /* 1 .. VB_STOP_STRING_BYTES_MAX */
} vb_stop_string;

typedef struct vb_stop vb_stop;

typedef struct vb_stop_state {
    bool matched;
    size_t which;        /* when matched: index in the list */
    uint64_t fed_bytes;  /* taken so far; bytes fed after a match are not counted */
    uint64_t safe_bytes; /* may be shown: never shrinks, never more than fed_bytes; when matched,
                          * the text's final length: the match begins here */
} vb_stop_state;

/* n strings (0 .. VB_STOP_STRINGS_MAX; with none nothing ever matches and all bytes are safe).
 * VB_ELIMIT for too many or too long, VB_EINVAL for an empty one, VB_ENOMEM. */
VB_MUST_CHECK vb_err vb_stop_open(const vb_stop_string *strings, size_t n, vb_stop **out,
                                  vb_error *e);
void vb_stop_close(vb_stop *s);

/* Starts a new text with the same strings. */
void vb_stop_reset(vb_stop *s);

/* Takes n more bytes (NULL only when n is 0); true once a match has ended, then and ever after.
 * Time is O(bytes x strings). */
bool vb_stop_feed(vb_stop *s, const void *bytes, size_t n);

/* When generation ends without a match, the whole text (fed_bytes) may be shown. */
vb_stop_state vb_stop_get(const vb_stop *s);

#endif
