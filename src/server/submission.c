#include "server/submission.h"

#include <string.h>

#include <jansson.h>

#include "json/jcs.h"
#include "json/json.h"

/* A member's canonical form, which is the only one that a record has. */
static vb_err take_record(const json_t *value, const char *name, vb_buf *out, vb_error *e) {
    if (!json_is_object(value)) {
        return vb_fail(e, VB_EFORMAT, "%s: expected an object", name);
    }
    const vb_err err = vb_jcs_append(value, out, e);
    return err ? vb_fail_in(e, err, "%s", name) : VB_OK;
}

static vb_err take_prompt(const json_t *value, vb_submission *b, vb_error *e) {
    vb_buf bytes = vb_buf_make(VB_RECEIPT_BYTES_MAX);
    vb_err err = take_record(value, "prompt", &bytes, e);
    if (!err && (err = vb_prompt_file_decode(bytes.data, bytes.len, &b->prompt, e))) {
        vb_fail_in(e, err, "prompt");
    }
    b->has_prompt = !err;
    vb_buf_free(&bytes);
    return err;
}

static vb_err take_members(const json_t *document, vb_submission *b, vb_error *e) {
    vb_err err = VB_OK;
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)document, name, value) {
        if (strcmp(name, "receipt") == 0) {
            err = take_record(value, name, &b->receipt_bytes, e);
        } else if (strcmp(name, "prompt") == 0) {
            err = take_prompt(value, b, e);
        } else if (strcmp(name, "opening") == 0) {
            err = take_record(value, name, &b->opening, e);
            b->has_opening = !err;
        } else {
            err = vb_fail(e, VB_EFORMAT, "%.60s: expected receipt, prompt and opening only", name);
        }
        if (err) {
            break;
        }
    }
    b->receipt = b->receipt_bytes.data;
    b->n_receipt = b->receipt_bytes.len;
    return err;
}

vb_err vb_submission_read(const uint8_t *body, size_t n_bytes, vb_submission *out, vb_error *e) {
    json_t *document = NULL;
    vb_err err = VB_OK;
    *out = (vb_submission){.receipt = body,
                           .n_receipt = n_bytes,
                           .receipt_bytes = vb_buf_make(VB_RECEIPT_BYTES_MAX),
                           .opening = vb_buf_make(VB_RECEIPT_BYTES_MAX)};
    if (vb_record_kind_of(body, n_bytes) == VB_RECORD_UNKNOWN &&
        vb_json_parse_foreign(body, n_bytes, VB_RECEIPT_BYTES_MAX, &document, NULL) == VB_OK &&
        json_object_get(document, "receipt")) {
        err = take_members(document, out, e);
    }
    json_decref(document);
    return err;
}

void vb_submission_free(vb_submission *b) {
    vb_buf_free(&b->receipt_bytes);
    vb_buf_free(&b->opening);
    if (b->has_prompt) {
        vb_receipt_prompt_free(&b->prompt);
    }
}
