/* The prompt of a completion: a text, or token ids; an array of one of them is that one. */
#include <stdlib.h>

#include "api/request_parts.h"

static void read_text(vb_api_object *body, const json_t *v, vb_api_request *r) {
    const size_t n = json_string_length(v);
    if (n == 0) {
        vb_api_object_fail(body, "prompt", "invalid_value", "the text is empty");
        return;
    }
    r->prompt_kind = VB_API_PROMPT_TEXT;
    if (vb_text_set(&r->text, json_string_value(v), n, NULL)) {
        vb_api_object_starve(body); /* JSON's strings are UTF-8, and shorter than a text may be */
    }
}

static void read_tokens(vb_api_object *body, const json_t *list, size_t n_vocab,
                        vb_api_request *r) {
    const size_t n = json_array_size(list);
    r->prompt_kind = VB_API_PROMPT_TOKENS;
    r->tokens = malloc(n * sizeof *r->tokens);
    if (!r->tokens) {
        vb_api_object_starve(body);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        const json_t *v = json_array_get(list, i);
        const json_int_t id = json_is_integer(v) ? json_integer_value(v) : -1;
        if (id < 0 || (uint64_t)id >= n_vocab) {
            vb_api_object_fail(body, "prompt", "invalid_value",
                               "item %zu: expected the id of a token, 0 to %zu", i, n_vocab - 1);
            return;
        }
        r->tokens[i] = (uint32_t)id;
    }
    r->n_tokens = n;
}

void vb_api_read_prompt(vb_api_object *body, const vb_api_defaults *d, vb_api_request *r) {
    vb_api_bool(body, "echo", &r->echo);
    const json_t *v = vb_api_member(body, "prompt"), *first = json_array_get(v, 0);
    if (json_array_size(v) == 1 && (json_is_string(first) || json_is_array(first))) {
        v = first;
    }
    if (body->err) {
        return;
    }
    if (!v) {
        vb_api_object_fail(body, "prompt", "missing_required_parameter", "missing");
    } else if (json_is_string(v)) {
        read_text(body, v, r);
    } else if (json_is_integer(json_array_get(v, 0))) {
        read_tokens(body, v, d->n_vocab, r);
    } else if (json_array_size(v) > 1) {
        vb_api_object_fail(body, "prompt", "unsupported_value",
                           "expected one prompt; send a request for each");
    } else {
        vb_api_object_fail(body, "prompt", "invalid_type",
                           "expected a string or an array of token ids, found %s",
                           vb_api_type_name(v));
    }
}
