/*
 * Building the JSON trees of this folder. A vb_build carries the first failure, so that building is
 * a list of puts and one look at its end. Internal to src/receipt, src/tlog and src/witness.
 *
 * A NULL value is what jansson gives for text that is not UTF-8, for a number that JSON has not,
 * and for want of memory; they can not be told apart here: VB_EFORMAT, with a message that says so.
 */
#ifndef VB_RECEIPT_BUILD_H
#define VB_RECEIPT_BUILD_H

#include <stdint.h>

#include <jansson.h>

#include "base/bytes.h"
#include "base/error.h"

typedef struct vb_build {
    vb_err err;
    vb_error *e;
} vb_build;

/* Both take value, also when they fail. name is for messages in vb_build_push. */
void vb_build_put(vb_build *b, json_t *object, const char *name, json_t *value);
void vb_build_push(vb_build *b, json_t *array, const char *name, json_t *value);

/* New values; NULL without memory. */
json_t *vb_build_hex(const uint8_t *bytes, size_t n); /* n <= 64 */
json_t *vb_build_decimal(uint64_t v);
json_t *vb_build_number(uint64_t v); /* NULL also beyond 2^53 */

/* Takes tree and appends its canonical form to out; the builder's failure, if there was one. */
VB_MUST_CHECK vb_err vb_build_write(const vb_build *b, json_t *tree, vb_buf *out);

/* Appends a finished record to the caller's buffer. VB_ELIMIT: it may not hold as much. */
VB_MUST_CHECK vb_err vb_build_copy(const vb_buf *record, vb_buf *out, vb_error *e);

#endif
