#include "api/request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/request_parts.h"

/* stream and stream_options. */
static void read_stream(vb_api_object *body, vb_api_request *r) {
    static const char *const names[] = {"include_usage", "include_obfuscation", NULL};
    bool padded;
    vb_api_bool(body, "stream", &r->stream);
    vb_api_object options = vb_api_object_member(body, "stream_options");
    if (options.json && !r->stream) {
        vb_api_object_fail(body, "stream_options", "invalid_value",
                           "allowed only when 'stream' is true");
        return;
    }
    vb_api_only(&options, names);
    vb_api_bool(&options, "include_usage", &r->include_usage);
    /* Padding against an observer of lengths: this server adds none, and none is the client's
     * wish only when it says false; either way the answer is the same. */
    vb_api_bool(&options, "include_obfuscation", &padded);
    body->err = options.err;
}

/* An answer is text: ["text"] and nothing else. */
static void read_modalities(vb_api_object *body) {
    const json_t *list = vb_api_array(body, "modalities", 1, VB_API_PARTS_MAX);
    for (size_t i = 0; list && i < json_array_size(list) && !body->err; i++) {
        const char *name = json_string_value(json_array_get(list, i));
        if (!name || strcmp(name, "text") != 0) {
            vb_api_object_fail(body, "modalities", "unsupported_value", "expected [\"text\"]");
        }
    }
}

static void read_body(vb_api_object *body, size_t values_left, const vb_api_defaults *d,
                      vb_api_request *r) {
    vb_api_read_names(body, r->endpoint);
    if (!vb_api_name(body, "model", 1, r->model, sizeof r->model)) {
        vb_api_object_fail(body, "model", "missing_required_parameter", "missing");
    }
    if (r->endpoint == VB_API_CHAT) {
        vb_api_read_messages(body, &values_left, r);
        vb_api_read_tools(body, r);
        read_modalities(body);
    } else {
        vb_api_read_prompt(body, d, r);
    }
    vb_api_read_format(body, r);
    vb_api_read_sampling(body, d, r);
    read_stream(body, r);
    vb_api_read_extension(body, d, r);
}

vb_err vb_api_request_parse(vb_api_endpoint endpoint, const char *body, size_t n_bytes,
                            const vb_api_defaults *defaults, vb_api_request *out, vb_api_error *e) {
    size_t values_left = VB_API_VALUES_MAX;
    vb_error inner = {0};
    *out = (vb_api_request){.endpoint = endpoint,
                            .format = VB_API_FORMAT_TEXT,
                            .tool_choice = VB_API_TOOL_NONE,
                            .parallel_tool_calls = true};
    vb_err err =
        vb_api_parse(body, n_bytes, VB_API_REQUEST_BYTES_MAX, &values_left, &out->document, &inner);
    if (err == VB_ENOMEM) {
        vb_api_error_of(err, &inner, e);
        return err;
    }
    if (err) {
        return vb_api_fail(e, VB_EINVAL, n_bytes > VB_API_REQUEST_BYTES_MAX ? 413 : 400,
                           "invalid_json", NULL, "The body of the request can not be read: %s.",
                           inner.msg);
    }
    vb_api_object o = vb_api_object_open(out->document, "", e);
    if (!o.err) {
        read_body(&o, values_left, defaults, out);
    }
    if (o.err) {
        vb_api_request_free(out);
    }
    return o.err;
}

void vb_api_request_free(vb_api_request *r) {
    json_decref(r->messages);
    vb_text_free(&r->text);
    free(r->tokens);
    for (size_t i = 0; i < r->n_stop_strings; i++) {
        vb_text_free(&r->stop_strings[i]);
    }
    json_decref(r->document);
    *r = (vb_api_request){0};
}
