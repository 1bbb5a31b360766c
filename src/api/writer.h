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

typedef struct vb_json_writer {
    vb_buf *out; /* borrowed */
    vb_err err;  /* VB_ELIMIT or VB_ENOMEM of out */
    bool comma;  /* another value stands before this one */
} vb_json_writer;

vb_json_writer vb_json_writer_make(vb_buf *out);

void vb_json_begin(vb_json_writer *w, char bracket); /* '{' or '[' */
void vb_json_end(vb_json_writer *w, char bracket);   /* '}' or ']' */
void vb_json_key(vb_json_writer *w, const char *name);
void vb_json_colon(vb_json_writer *w); /* the string before it was a member's name */

/* Bytes that are no UTF-8 are written as U+FFFD, one for each maximal ill-formed part. */
void vb_json_string(vb_json_writer *w, vb_str text);
void vb_json_text(vb_json_writer *w, const char *text); /* zero-terminated; NULL: null */
void vb_json_number(vb_json_writer *w, uint64_t value);
void vb_json_decimal(vb_json_writer *w, uint64_t value); /* as a string */
void vb_json_real(vb_json_writer *w, double value);      /* finite; the shortest digits */
void vb_json_bool(vb_json_writer *w, bool value);
void vb_json_null(vb_json_writer *w);
void vb_json_hex(vb_json_writer *w, const uint8_t *bytes, size_t n_bytes); /* at most 64 */
/* JSON that is ready: one value, without line feeds. */
void vb_json_raw(vb_json_writer *w, vb_str json);

#endif
