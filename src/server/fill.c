/* From a checked API request to the prompt and the request of a receipt. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/system.h"
#include "base/version.h"
#include "server/answering.h"
#include "verify/prompt.h"

enum { CHUNK_TOKENS = VB_ATTN_CHUNK };

static vb_err refuse(vb_api_error *e, const char *param, const char *what) {
    return vb_api_fail(e, VB_EINVAL, 400, "unsupported_parameter", param, "%s", what);
}

/* What the API can say and a receipt of this version can not. */
static vb_err check_supported(const vb_api_request *q, vb_api_error *e) {
    if (q->tools && q->tool_choice != VB_API_TOOL_NONE) {
        return refuse(e, "tools", "tools are not supported by this server");
    }
    if (q->template_kwargs && json_object_size(q->template_kwargs)) {
        return refuse(e, "chat_template_kwargs", "not supported by this server");
    }
    if (q->format != VB_API_FORMAT_TEXT) {
        return refuse(e, "response_format", "only text is supported by this server");
    }
    if (q->logprobs) {
        return refuse(e, "logprobs", "not supported by this server; see 'verbatim open'");
    }
    return q->make_private
               ? refuse(e, "verbatim.private", "private receipts are not supported by this server")
               : VB_OK;
}

/* Where the randomness comes from: what this server has, and what its operator allows. */
static vb_err fill_beacon(const vb_service *s, const vb_api_request *q, vb_receipt_request *r,
                          vb_api_error *e) {
    r->mode = q->mode;
    r->has_seed = q->has_seed;
    r->seed = q->seed;
    r->has_round = q->has_round;
    r->round = q->round;
    if (q->has_seed) {
        return s->config->no_client_seed
                   ? vb_api_fail(e, VB_EINVAL, 400, "unsupported_parameter", "seed",
                                 "this server draws with its own randomness only")
                   : VB_OK;
    }
    if (q->fallback[0] && vb_beacon_kind_of_id(q->fallback) != VB_BEACON_LOCAL) {
        return vb_api_fail(e, VB_EINVAL, 400, "invalid_value", "verbatim.fallback",
                           "expected %s: there is no other beacon to fall back to",
                           VB_LOCAL_BEACON_NAME);
    }
    if (q->mode == VB_MODE_LOCAL) {
        return !q->beacon_id[0] || strcmp(q->beacon_id, VB_LOCAL_BEACON_NAME) == 0
                   ? VB_OK
                   : vb_api_fail(e, VB_EINVAL, 400, "invalid_value", "verbatim.beacon",
                                 "expected %s: this server has no other local chain",
                                 VB_LOCAL_BEACON_NAME);
    }
    if (!s->rounds || strcmp(q->beacon_id, s->beacon_id) != 0) {
        return vb_api_fail(e, VB_EINVAL, 400, "invalid_value", "verbatim.beacon",
                           "this server's beacon is %s",
                           s->rounds ? s->beacon_id : VB_LOCAL_BEACON_NAME);
    }
    snprintf(r->beacon_id, sizeof r->beacon_id, "%s", q->beacon_id);
    return VB_OK;
}

/* One message: role and text. The rest of what OpenAI's messages may have is not part of a receipt
 * of this version, and without it the prompt would be another one. */
static vb_err add_message(vb_receipt *r, const json_t *m, size_t i, vb_api_error *e) {
    char param[64];
    snprintf(param, sizeof param, "messages[%zu]", i);
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)m, name, value) {
        if (strcmp(name, "role") != 0 && strcmp(name, "content") != 0 && !json_is_null(value)) {
            return vb_api_fail(e, VB_EINVAL, 400, "unsupported_parameter", param,
                               "'%.40s' is not supported by this server", name);
        }
    }
    const json_t *content = json_object_get(m, "content");
    const char *role = json_string_value(json_object_get(m, "role"));
    if (!json_is_string(content) || !role || strcmp(role, "tool") == 0) {
        return vb_api_fail(e, VB_EINVAL, 400, "unsupported_value", param,
                           "expected a message of system, user or assistant with a text");
    }
    vb_error inner;
    const vb_err err = vb_receipt_add_message(r, role, json_string_value(content),
                                              json_string_length(content), &inner);
    if (err) {
        vb_api_error_of(err, &inner, e);
    }
    return err;
}

static void set_date(vb_receipt_prompt *p) {
    const time_t now = (time_t)(vb_unix_ms() / 1000);
    struct tm day;
    gmtime_r(&now, &day);
    strftime(p->date, sizeof p->date, "%Y-%m-%d", &day);
}

static vb_err fill_prompt(const vb_served_model *m, const vb_api_request *q, vb_receipt *r,
                          vb_api_error *e) {
    vb_error inner = {VB_OK, ""};
    vb_err err = VB_OK;
    uint32_t *ids = NULL;
    size_t n = 0;
    if (q->prompt_kind == VB_API_PROMPT_TOKENS) {
        r->prompt.kind = VB_PROMPT_TOKENS;
        err = vb_receipt_set_prompt_tokens(r, q->tokens, q->n_tokens, &inner);
    } else {
        if (q->prompt_kind == VB_API_PROMPT_TEXT) {
            r->prompt.kind = VB_PROMPT_TEXT;
            err = vb_text_set(&r->prompt.text, q->text.p, q->text.len, &inner);
        } else {
            r->prompt.kind = VB_PROMPT_CHAT;
            r->prompt.has_template =
                vb_prompt_template_digest(m->o.gguf, r->prompt.template_sha256);
            if (m->uses_date) {
                set_date(&r->prompt);
            }
            size_t i;
            const json_t *message;
            json_array_foreach(q->messages, i, message) {
                if ((err = add_message(r, message, i, e))) {
                    return err;
                }
            }
        }
        if (!err &&
            !(err = vb_prompt_encode(&r->prompt, m->o.gguf, m->o.tokenizer, &ids, &n, &inner))) {
            err = n ? vb_receipt_set_prompt_tokens(r, ids, n, &inner)
                    : vb_fail(&inner, VB_EINVAL, "the prompt has no tokens");
        }
        free(ids);
    }
    if (err) {
        vb_api_error_of(err, &inner, e);
    }
    return err;
}

/* Pages of the KV cache that the longest answers need; full pages of the prompt are shared. */
static uint64_t pages_needed(uint64_t n_prompt, uint64_t ctx, uint64_t n_choices) {
    const uint64_t shared = n_prompt / CHUNK_TOKENS;
    const uint64_t each = (ctx - 1 + CHUNK_TOKENS - 1) / CHUNK_TOKENS;
    return shared + n_choices * (each - shared);
}

/* Whatever could keep the scheduler from ever running it is refused before it is committed to. */
static vb_err fill_context(const vb_served_model *m, const vb_api_request *q, vb_receipt *r,
                           vb_api_error *e) {
    const uint64_t n = r->prompt.n_tokens, limit = m->ctx_tokens;
    if (n >= limit) {
        return vb_api_fail(e, VB_EINVAL, 400, "context_length_exceeded",
                           q->prompt_kind == VB_API_PROMPT_MESSAGES ? "messages" : "prompt",
                           "the prompt has %llu tokens, the context %llu: nothing can be added",
                           (unsigned long long)n, (unsigned long long)limit);
    }
    const uint64_t left = limit - n;
    const uint64_t max = q->max_tokens && q->max_tokens < left ? q->max_tokens : left;
    r->request.max_tokens = (uint32_t)(q->max_tokens ? q->max_tokens : left);
    r->request.ctx_tokens = (uint32_t)(n + max);
    r->request.n_choices = q->n_choices;
    if (pages_needed(n, n + max, q->n_choices) > m->n_pages) {
        return vb_api_fail(e, VB_EINVAL, 400, "context_length_exceeded", "n",
                           "%u choices of up to %llu tokens do not fit into this server's memory",
                           q->n_choices, (unsigned long long)(n + max));
    }
    return VB_OK;
}

static vb_err fill_stops(const vb_api_request *q, vb_receipt_request *r, vb_api_error *e) {
    for (size_t i = 0; i < q->n_stop_strings; i++) {
        vb_error inner;
        const vb_err err =
            vb_text_set(&r->stop_strings[i], q->stop_strings[i].p, q->stop_strings[i].len, &inner);
        if (err) {
            vb_api_error_of(err, &inner, e);
            return err;
        }
        r->n_stop_strings = i + 1;
    }
    return VB_OK;
}

vb_err vb_answering_fill(vb_answering *a, vb_api_error *e) {
    vb_service *s = a->s;
    const vb_served_model *m = a->m = &s->model;
    const vb_api_request *q = &a->q;
    vb_receipt *r = &a->r;
    const vb_model_config *c = vb_model_get_config(m->o.model);
    if (strcmp(q->model, m->name) != 0) {
        return vb_api_fail(e, VB_EINVAL, 404, "model_not_found", "model",
                           "there is no model '%.80s' here; expected '%.80s'", q->model, m->name);
    }
    snprintf(r->model.name, sizeof r->model.name, "%s", c->name);
    snprintf(r->model.architecture, sizeof r->model.architecture, "%s", c->arch);
    snprintf(r->model.file_type, sizeof r->model.file_type, "%s", c->file_type);
    r->model.n_parameters = c->n_parameters;
    snprintf(r->engine_version, sizeof r->engine_version, "%s", VB_VERSION);
    snprintf(r->engine_tier, sizeof r->engine_tier, "%s", s->o.tier);
    memcpy(r->request.model_sha256, m->o.sha256, VB_SHA256_BYTES);
    r->request.sampling = q->sampling;
    snprintf(r->request.nonce, sizeof r->request.nonce, "%s", q->nonce);
    vb_err err;
    if ((err = check_supported(q, e)) || (err = fill_beacon(s, q, &r->request, e)) ||
        (err = fill_stops(q, &r->request, e)) || (err = fill_prompt(m, q, r, e))) {
        return err;
    }
    return fill_context(m, q, r, e);
}
