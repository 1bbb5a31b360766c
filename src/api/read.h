/*
 * Typed reads of a request's members. A member that is absent or null leaves its output as it was:
 * that is how defaults work. The first error stays in the object and the reads after it do nothing.
 * Internal to src/api. Pure.
 */
#ifndef VB_API_READ_H
#define VB_API_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "api/error.h"

typedef struct vb_api_object {
    const json_t *json;                    /* borrowed; NULL: absent, or after an error */
    char path[VB_API_PARAM_BYTES_MAX + 1]; /* "" for the body */
    vb_err err;
    vb_api_error *e;
} vb_api_object;

/* JSON of at most *values_left values, which are taken off. The caller gives the document back by
 * json_decref. Jansson needs up to 250 bytes for a value of three: without a budget, a small
 * request would take gigabytes. */
VB_MUST_CHECK vb_err vb_api_parse(const char *bytes, size_t n_bytes, size_t max_bytes,
                                  size_t *values_left, json_t **out, vb_error *e);

vb_api_object vb_api_object_open(const json_t *value, const char *path, vb_api_error *e);
/* The member as an object; its json is NULL when it is absent or null. */
vb_api_object vb_api_object_member(vb_api_object *o, const char *name);

/* Fails o, unless it has failed, with status 400 at "path.name" ("" names the object itself). */
void vb_api_object_fail(vb_api_object *o, const char *name, const char *code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* No memory: 503. */
void vb_api_object_starve(vb_api_object *o);

/* NULL when it is absent or null, or o has failed. */
const json_t *vb_api_member(const vb_api_object *o, const char *name);

/* These say whether there was a member, of the right type and in its range. */
bool vb_api_bool(vb_api_object *o, const char *name, bool *out);
bool vb_api_integer(vb_api_object *o, const char *name, int64_t min, int64_t max, int64_t *out);
bool vb_api_u32(vb_api_object *o, const char *name, uint32_t min, uint32_t max, uint32_t *out);
bool vb_api_real(vb_api_object *o, const char *name, double min, double max, double *out);
/* min .. max bytes; borrowed; may hold zero bytes. */
bool vb_api_string(vb_api_object *o, const char *name, size_t min, size_t max, const char **p,
                   size_t *n_bytes);
/* A string without control characters of min .. cap - 1 bytes, zero-terminated. */
bool vb_api_name(vb_api_object *o, const char *name, size_t min, char *out, size_t cap);
/* min .. max items; NULL when there is none. */
const json_t *vb_api_array(vb_api_object *o, const char *name, size_t min, size_t max);

/* "an array", "a string", ... */
const char *vb_api_type_name(const json_t *value);

#endif
