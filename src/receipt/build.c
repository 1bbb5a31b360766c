#include "receipt/build.h"

#include <inttypes.h>
#include <stdio.h>

#include "json/jcs.h"

void vb_build_put(vb_build *b, json_t *object, const char *name, json_t *value) {
    if (!b->err && (!object || !value)) {
        b->err = vb_fail(b->e, VB_EFORMAT,
                         "%s: not UTF-8 text, not a number in range (or no memory)", name);
    }
    if (b->err) {
        json_decref(value);
    } else if (json_object_set_new(object, name, value)) {
        b->err = vb_fail(b->e, VB_ENOMEM, "%s: no memory to encode it", name);
    }
}

void vb_build_push(vb_build *b, json_t *array, const char *name, json_t *value) {
    if (!b->err && (!array || !value)) {
        b->err = vb_fail(b->e, VB_EFORMAT, "%s: an item is not UTF-8 text (or no memory)", name);
    }
    if (b->err) {
        json_decref(value);
    } else if (json_array_append_new(array, value)) {
        b->err = vb_fail(b->e, VB_ENOMEM, "%s: no memory to encode it", name);
    }
}

json_t *vb_build_hex(const uint8_t *bytes, size_t n) {
    char text[2 * 64 + 1];
    VB_ASSERT(n <= 64);
    vb_hex_encode(bytes, n, text);
    return json_string(text);
}

json_t *vb_build_decimal(uint64_t v) {
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, v);
    return json_string(text);
}

json_t *vb_build_number(uint64_t v) {
    return v <= (uint64_t)VB_JCS_INTEGER_MAX ? json_integer((json_int_t)v) : NULL;
}

vb_err vb_build_write(const vb_build *b, json_t *tree, vb_buf *out) {
    vb_err err = b->err;
    if (!err && !tree) {
        err = vb_fail(b->e, VB_ENOMEM, "no memory to encode a record");
    }
    if (!err) {
        err = vb_jcs_append(tree, out, b->e);
    }
    json_decref(tree);
    return err;
}

vb_err vb_build_copy(const vb_buf *record, vb_buf *out, vb_error *e) {
    vb_err err = vb_buf_append(out, record->data, record->len);
    return err ? vb_fail(e, err, "a record of %zu bytes does not fit its buffer", record->len)
               : VB_OK;
}
