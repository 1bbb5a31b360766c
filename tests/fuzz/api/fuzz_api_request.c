/*
 * Bodies of requests from hostile bytes (the first one chooses endpoint and defaults): what is
 * taken is inside every range that the rest of the program relies on; what is refused says why, in
 * a JSON body, and leaves nothing behind.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "api/constraint.h"
#include "api/request.h"
#include "api/variables.h"
#include "json/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int ok) {
    if (!ok) {
        abort();
    }
}

static void check_request(const vb_api_request *r, const vb_api_defaults *d) {
    vb_error e;
    const bool chat = r->endpoint == VB_API_CHAT;
    require(r->model[0] != 0);
    require(vb_sampling_check(&r->sampling, d->n_vocab, &e) == VB_OK);
    require(r->max_tokens <= VB_MODEL_CTX_TOKENS_MAX);
    require(r->n_choices >= 1 && r->n_choices <= d->choices_max);
    require(r->top_logprobs <= VB_API_TOP_LOGPROBS_MAX && (r->logprobs || !r->top_logprobs));
    for (size_t i = 0; i < r->n_stop_strings; i++) {
        require(r->stop_strings[i].len >= 1 && r->stop_strings[i].len <= VB_STOP_STRING_BYTES_MAX);
    }
    require(chat == (r->prompt_kind == VB_API_PROMPT_MESSAGES));
    require(chat == json_is_array(r->messages));
    require((r->prompt_kind == VB_API_PROMPT_TEXT) == (r->text.p != NULL));
    require((r->prompt_kind == VB_API_PROMPT_TOKENS) == (r->n_tokens > 0));
    for (size_t i = 0; i < json_array_size(r->messages); i++) {
        const json_t *m = json_array_get(r->messages, i);
        const json_t *content = json_object_get(m, "content");
        require(json_is_string(json_object_get(m, "role")));
        require(json_is_string(content) || json_is_null(content));
    }
    require(r->tools || r->tool_choice == VB_API_TOOL_NONE);
    require((r->tool_choice == VB_API_TOOL_NAMED) == (r->tool_name[0] != 0));
    /* The combinations of spec/receipt.md, and the server's own local chain. */
    require(!r->has_seed ||
            (r->mode == VB_MODE_FIXED && !r->has_round && !r->beacon_id[0] && !r->fallback[0]));
    require(!r->has_round || (r->mode == VB_MODE_FIXED && r->beacon_id[0]));
    require((r->mode == VB_MODE_FIXED) == (r->has_seed || r->has_round));
    require(r->beacon_id[0] || r->has_seed || r->mode == VB_MODE_LOCAL);
    require((r->format == VB_API_FORMAT_CHOICE) == (r->choice != NULL));
    require(r->format_param || r->format == VB_API_FORMAT_TEXT);
}

/* What a receipt says of the request: JSON that its reader takes, or an error that says why not. */
static void check_statements(const vb_api_request *r, vb_tool_form form) {
    vb_text constraint = {NULL, 0}, variables = {NULL, 0};
    vb_api_error e = {0};
    json_t *o = NULL;
    if (vb_api_constraint(r, form, &constraint, &e)) {
        require(e.status == 400 && e.message[0] && e.param[0] && !constraint.p);
    } else if (constraint.p) {
        require(constraint.len <= VB_CONSTRAINT_BYTES_MAX);
        require(vb_json_parse(constraint.p, constraint.len, &o, NULL) == VB_OK);
        json_decref(o);
    }
    if (r->endpoint == VB_API_CHAT && !vb_api_is_plain_chat(r)) {
        require(vb_api_variables(r, &variables, &e) == VB_OK);
    }
    vb_text_free(&constraint);
    vb_text_free(&variables);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static vb_api_request r;
    vb_api_error e = {0};
    vb_api_defaults d = VB_API_DEFAULTS;
    if (size == 0) {
        return 0;
    }
    d.n_vocab = 1000;
    d.choices_max = 4;
    d.beacon_id = data[0] & 2 ? "drand:ab" : "local:ab";
    d.mode = data[0] & 2 ? VB_MODE_NEXT : VB_MODE_LOCAL;
    const vb_api_endpoint endpoint = data[0] & 1 ? VB_API_COMPLETIONS : VB_API_CHAT;
    vb_err err = vb_api_request_parse(endpoint, (const char *)data + 1, size - 1, &d, &r, &e);
    if (!err) {
        check_request(&r, &d);
        check_statements(&r, data[0] & 4 ? VB_TOOL_FORM_LLAMA3 : VB_TOOL_FORM_HERMES);
    } else {
        vb_buf b = vb_buf_make(1 << 16);
        json_t *body = NULL;
        require(e.status >= 400 && e.message[0] && e.code);
        require(!r.document && !r.messages && !r.tokens && !r.text.p && !r.n_stop_strings);
        require(vb_api_error_append(&e, &b) == VB_OK);
        require(vb_json_parse_foreign(b.data, b.len, b.len, &body, NULL) == VB_OK);
        json_decref(body);
        vb_buf_free(&b);
    }
    vb_api_request_free(&r);
    return 0;
}
