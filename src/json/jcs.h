/*
 * Canonical JSON (RFC 8785, JCS): one sequence of bytes for one value, so that it can be hashed.
 * Members are sorted by the UTF-16 code units of their names, numbers are written as ECMAScript
 * writes them, strings escape only what they must. Pure.
 */
#ifndef VB_JSON_JCS_H
#define VB_JSON_JCS_H

#include <jansson.h>

#include "base/bytes.h"
#include "base/error.h"

enum { VB_JCS_NUMBER_BYTES = 32 };

/* Integers beyond +-2^53 are not exact in every JSON reader: they are strings in our formats. */
#define VB_JCS_INTEGER_MAX ((json_int_t)1 << 53)

/* Number::toString of ECMAScript for a finite x: the shortest digits that read back as x. */
void vb_jcs_number(double x, char out[VB_JCS_NUMBER_BYTES]);

/* Appends value. VB_EFORMAT: an integer beyond 2^53. VB_ELIMIT: nested deeper than
 * VB_JSON_DEPTH_MAX, or more bytes than out may hold. */
VB_MUST_CHECK vb_err vb_jcs_append(const json_t *value, vb_buf *out, vb_error *e);

#endif
