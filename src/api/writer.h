/*
 * Writing JSON in a fixed order of members, on one line. The first error stays in the writer and
 * the calls after it do nothing, so that a response is a list of calls and one look at err.
 * Internal to src/api. Pure.
 */
#ifndef VB_API_WRITER_H
#define VB_API_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "gguf/gguf.h"

typedef struct vb_api_writer {
    vb_buf *out; /* borrowed */
    vb_err err;  /* VB_ELIMIT or VB_ENOMEM of out */
    bool comma;  /* another value stands before this one */
} vb_api_writer;

vb_api_writer vb_api_writer_make(vb_buf *out);

void vb_api_write_begin(vb_api_writer *w, char bracket); /* '{' or '[' */
void vb_api_write_end(vb_api_writer *w, char bracket);   /* '}' or ']' */
void vb_api_write_key(vb_api_writer *w, const char *name);
void vb_api_write_colon(vb_api_writer *w); /* the string before it was a member's name */

/* Bytes that are no UTF-8 are written as U+FFFD, one for each maximal ill-formed part. */
void vb_api_write_string(vb_api_writer *w, vb_str text);
void vb_api_write_text(vb_api_writer *w, const char *text); /* zero-terminated; NULL: null */
void vb_api_write_number(vb_api_writer *w, uint64_t value);
void vb_api_write_decimal(vb_api_writer *w, uint64_t value); /* as a string */
void vb_api_write_real(vb_api_writer *w, double value);      /* finite; the shortest digits */
void vb_api_write_null(vb_api_writer *w);
void vb_api_write_hex(vb_api_writer *w, const uint8_t *bytes, size_t n_bytes); /* at most 64 */
/* JSON that is ready: one value, without line feeds. */
void vb_api_write_raw(vb_api_writer *w, vb_str json);

#endif
