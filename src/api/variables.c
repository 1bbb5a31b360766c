#include "api/variables.h"

#include <string.h>

#include "base/bytes.h"

static bool gives_tools(const vb_api_request *q) {
    return q->tool_choice != VB_API_TOOL_NONE;
}

static bool is_plain_message(const json_t *m) {
    const char *role = json_string_value(json_object_get(m, "role"));
    return json_object_size(m) == 2 && strcmp(role, "tool") != 0 &&
           json_is_string(json_object_get(m, "content"));
}

bool vb_api_is_plain_chat(const vb_api_request *q) {
    bool plain = !gives_tools(q) && json_object_size(q->template_kwargs) == 0;
    for (size_t i = 0; plain && i < json_array_size(q->messages); i++) {
        plain = is_plain_message(json_array_get(q->messages, i));
    }
    return plain;
}

typedef struct dump {
    vb_buf text;
    vb_err err; /* the first: jansson does not always stop at one */
} dump;

static int append(const char *bytes, size_t n, void *user) {
    dump *d = user;
    d->err = d->err ? d->err : vb_buf_append(&d->text, bytes, n);
    return d->err ? -1 : 0;
}

vb_err vb_api_variables(const vb_api_request *q, vb_text *out, vb_api_error *e) {
    vb_error inner;
    dump d = {.text = vb_buf_make(VB_TEXT_BYTES_MAX)};
    json_t *o = json_object();
    bool good = o && json_object_set(o, "messages", q->messages) == 0;
    if (good && gives_tools(q)) {
        good = json_object_set(o, "tools", (json_t *)(uintptr_t)q->tools) == 0;
    }
    if (good && q->template_kwargs) {
        good = json_object_update(o, (json_t *)(uintptr_t)q->template_kwargs) == 0;
    }
    /* What was read from a body is shorter than a text may be. */
    good = good && json_dump_callback(o, append, &d, JSON_COMPACT) == 0 && !d.err;
    vb_err err = good ? vb_text_set(out, (const char *)d.text.data, d.text.len, &inner) : VB_ENOMEM;
    if (err) {
        vb_api_error_of(err, &inner, e);
    }
    json_decref(o);
    vb_buf_free(&d.text);
    return err;
}

vb_err vb_api_fill_contents(vb_api_request *q, bool *changed, vb_api_error *e) {
    bool any = false;
    for (size_t i = 0; i < json_array_size(q->messages); i++) {
        json_t *m = json_array_get(q->messages, i);
        if (json_is_null(json_object_get(m, "content"))) {
            if (json_object_set_new(m, "content", json_string(""))) {
                vb_api_error_of(VB_ENOMEM, NULL, e);
                return VB_ENOMEM;
            }
            any = true;
        }
    }
    *changed = any;
    return VB_OK;
}
