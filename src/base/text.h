/*
 * Owned UTF-8 text. It may hold zero bytes, and one that len does not count follows it.
 *
 * Owner: a vb_text owns its memory until vb_text_free. Thread rule: one thread at a time.
 */
#ifndef VB_BASE_TEXT_H
#define VB_BASE_TEXT_H

#include <stddef.h>

#include "base/error.h"

typedef struct vb_text {
    char *p; /* NULL: absent (JSON null) */
    size_t len;
} vb_text;

/* A copy of text; t's old text is freed. VB_EFORMAT when it is not UTF-8, VB_ELIMIT beyond
 * VB_TEXT_BYTES_MAX. */
VB_MUST_CHECK vb_err vb_text_set(vb_text *t, const char *text, size_t n_bytes, vb_error *e);
void vb_text_free(vb_text *t);

#endif
