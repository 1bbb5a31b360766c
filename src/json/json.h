/*
 * Strict reading of hostile JSON: bounded in bytes, depth and values; no duplicate members, no
 * bytes after the document, nothing that is not canonical (RFC 8785). Then typed reads of members,
 * each naming its path ("request.sampling.top_k") when it is not what was expected. Pure.
 *
 * A vb_fields carries the first error of a row of reads: after one, the others do nothing, so that
 * a decoder is a list of reads and one look at f.err. Outputs of failed reads are untouched.
 */
#ifndef VB_JSON_JSON_H
#define VB_JSON_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/error.h"
#include "base/text.h"

/* The document, for the caller to json_decref. VB_EFORMAT, VB_ELIMIT or VB_ENOMEM. */
VB_MUST_CHECK vb_err vb_json_parse(const void *bytes, size_t n_bytes, json_t **out, vb_error *e);

/* JSON that others wrote (a beacon's answer, a configuration): the same limits, at most max_bytes,
 * no duplicate members, but any form. */
VB_MUST_CHECK vb_err vb_json_parse_foreign(const void *bytes, size_t n_bytes, size_t max_bytes,
                                           json_t **out, vb_error *e);

enum { VB_FIELD_PATH_BYTES = 160 };

typedef struct vb_fields {
    const json_t *object;           /* borrowed; NULL after an error in opening it */
    char path[VB_FIELD_PATH_BYTES]; /* "" for the document */
    bool foreign;                   /* others' object: a member may be missing */
    vb_err err;
    vb_error *e;
} vb_fields;

/* Opens value as an object with exactly the members of `names` (ended by NULL). */
vb_fields vb_fields_open(const json_t *value, const char *path, const char *const *names,
                         vb_error *e);

/* The same for an object of others', which may have any members; reading one that it has not fails.
 */
vb_fields vb_fields_foreign(const json_t *value, const char *path, vb_error *e);

/* Opens the member `name` of f in the same way; its path is f's and name. */
vb_fields vb_fields_member(const vb_fields *f, const char *name, const char *const *names);

/* The member itself; NULL after an error, or when an object of others' has none of that name. */
const json_t *vb_field(const vb_fields *f, const char *name);
bool vb_field_is_null(const vb_fields *f, const char *name);

/* Fails f with "path.name: message" unless it has failed already. */
void vb_field_fail(vb_fields *f, vb_err code, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

void vb_field_hex(vb_fields *f, const char *name, uint8_t *out, size_t n_bytes);
/* A JSON integer, max <= 2^53. */
void vb_field_number(vb_fields *f, const char *name, uint64_t min, uint64_t max, uint64_t *out);
void vb_field_u32(vb_fields *f, const char *name, uint32_t min, uint32_t max, uint32_t *out);
/* A decimal string without sign or leading zero. */
void vb_field_decimal(vb_fields *f, const char *name, uint64_t min, uint64_t max, uint64_t *out);
/* A JSON number that is exactly an f32; as an integer at most 2^53. */
void vb_field_f32(vb_fields *f, const char *name, float *out);
/* The same for a value that is in no object; false, and out untouched, for NULL too. */
bool vb_json_f32(const json_t *value, float *out);
/* Whether a value is this string, to its last byte: JSON's strings may have zero bytes inside.
 * False for NULL too. */
bool vb_json_is(const json_t *value, const char *text);
/* A short string without control characters, min .. cap - 1 bytes, zero-terminated in out[cap]. */
void vb_field_name(vb_fields *f, const char *name, size_t min_bytes, char *out, size_t cap);
/* The same or null, which gives "". */
void vb_field_name_or_null(vb_fields *f, const char *name, char *out, size_t cap);
/* Any string up to max bytes, copied. */
void vb_field_text(vb_fields *f, const char *name, size_t max_bytes, vb_text *out);
/* An array of min .. max token ids (each < VB_MODEL_VOCAB_MAX), malloc'd. */
void vb_field_tokens(vb_fields *f, const char *name, size_t min, size_t max, uint32_t **out,
                     size_t *n);
/* An array of min .. max items; NULL after an error. */
const json_t *vb_field_array(vb_fields *f, const char *name, size_t min, size_t max);

#endif
