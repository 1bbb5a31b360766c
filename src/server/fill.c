/* From a checked API request to the prompt and the request of a receipt. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/constraint.h"
#include "api/variables.h"
#include "base/system.h"
#include "base/version.h"
#include "server/answering.h"
#include "verify/constraint.h"
#include "verify/prompt.h"

enum { CHUNK_TOKENS = VB_ATTN_CHUNK };

static vb_err refuse(vb_api_error *e, const char *param, const char *what) {
    return vb_api_fail(e, VB_EINVAL, 400, "unsupported_parameter", param, "%s", what);
}

/* What can not be had of this model, or together. */
static vb_err check_supported(const vb_served_model *m, const vb_api_request *q, vb_api_error *e) {
    if (q->tool_choice == VB_API_TOOL_NONE) {
        return VB_OK;
    }
    if (m->tool_form == VB_TOOL_FORM_NONE) {
        return refuse(e, "tools",
                      "this model's chat template has no tools, or teaches calls in a form that "
                      "this server does not read");
    }
    return q->format == VB_API_FORMAT_TEXT
               ? VB_OK
               : refuse(e, q->format_param,
                        "not together with tools that may be called: it holds the whole text, so "
                        "that none could be; 'tool_choice' none leaves them out");
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

static vb_err add_messages(vb_receipt *r, const json_t *messages, vb_error *e) {
    vb_err err = VB_OK;
    for (size_t i = 0; i < json_array_size(messages) && !err; i++) {
        const json_t *m = json_array_get(messages, i), *content = json_object_get(m, "content");
        err = vb_receipt_add_message(r, json_string_value(json_object_get(m, "role")),
                                     json_string_value(content), json_string_length(content), e);
    }
    return err;
}

static void set_date(vb_receipt_prompt *p) {
    const time_t now = (time_t)(vb_unix_ms() / 1000);
    struct tm day;
    gmtime_r(&now, &day);
    strftime(p->date, sizeof p->date, "%Y-%m-%d", &day);
}

static vb_err show_error(vb_err err, const vb_error *inner, const char *param, vb_api_error *e) {
    if (err) {
        vb_api_error_of(err, inner, e);
    }
    if (err && e->status == 400) {
        snprintf(e->param, sizeof e->param, "%s", param);
    }
    return err;
}

/* The prompt's tokens from its text, messages or variables, which param gave. */
static vb_err encode_prompt(const vb_served_model *m, vb_receipt *r, const char *param,
                            vb_api_error *e) {
    vb_error inner;
    uint32_t *ids = NULL;
    size_t n = 0;
    vb_err err = vb_prompt_encode(&r->prompt, m->o.gguf, m->o.tokenizer, &ids, &n, &inner);
    if (!err) {
        err = n ? vb_receipt_set_prompt_tokens(r, ids, n, &inner)
                : vb_fail(&inner, VB_EINVAL, "the prompt has no tokens");
    }
    free(ids);
    return show_error(err, &inner, param, e);
}

/* Anything more than messages of role and text is stated as the variables that the template got.
 * Where that can not read contents that are null, it gets empty texts. */
static vb_err fill_variables(const vb_served_model *m, vb_api_request *q, vb_receipt *r,
                             vb_api_error *e) {
    bool changed = false;
    r->prompt.kind = VB_PROMPT_TEMPLATE;
    vb_err err = vb_api_variables(q, &r->prompt.text, e);
    if (err || (err = encode_prompt(m, r, "messages", e)) != VB_EINVAL) {
        return err;
    }
    const vb_err own = vb_api_fill_contents(q, &changed, e);
    if (own || !changed) {
        return own ? own : err;
    }
    err = vb_api_variables(q, &r->prompt.text, e);
    return err ? err : encode_prompt(m, r, "messages", e);
}

static vb_err fill_chat(const vb_served_model *m, vb_api_request *q, vb_receipt *r,
                        vb_api_error *e) {
    vb_error inner;
    vb_receipt_prompt *p = &r->prompt;
    p->has_template = vb_prompt_template_digest(m->o.gguf, p->template_sha256);
    if (m->uses_date) {
        set_date(p);
    }
    if (!vb_api_is_plain_chat(q)) {
        return fill_variables(m, q, r, e);
    }
    p->kind = VB_PROMPT_CHAT;
    const vb_err err = add_messages(r, q->messages, &inner);
    return err ? show_error(err, &inner, "messages", e) : encode_prompt(m, r, "messages", e);
}

static vb_err fill_prompt(const vb_served_model *m, vb_api_request *q, vb_receipt *r,
                          vb_api_error *e) {
    vb_error inner;
    vb_err err;
    switch (q->prompt_kind) {
    case VB_API_PROMPT_MESSAGES: return fill_chat(m, q, r, e);
    case VB_API_PROMPT_TOKENS:
        r->prompt.kind = VB_PROMPT_TOKENS;
        err = vb_receipt_set_prompt_tokens(r, q->tokens, q->n_tokens, &inner);
        return show_error(err, &inner, "prompt", e);
    case VB_API_PROMPT_TEXT: break;
    }
    r->prompt.kind = VB_PROMPT_TEXT;
    err = vb_text_set(&r->prompt.text, q->text.p, q->text.len, &inner);
    return err ? show_error(err, &inner, "prompt", e) : encode_prompt(m, r, "prompt", e);
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

/* Their number is known beforehand, and with it what they take. */
static vb_err check_logprobs(const vb_api_request *q, const vb_receipt_request *r,
                             vb_api_error *e) {
    const uint64_t tokens = (uint64_t)r->n_choices * (r->ctx_tokens - (uint64_t)r->n_prompt_tokens);
    return !q->logprobs || tokens * (1 + q->top_logprobs) <= VB_SERVER_LOGPROBS_MAX
               ? VB_OK
               : vb_api_fail(
                     e, VB_EINVAL, 400, "invalid_value", "logprobs",
                     "up to %llu tokens with %u logprobs each; expected at most %u together: "
                     "lower 'max_tokens', 'n' or 'top_logprobs'",
                     (unsigned long long)tokens, 1 + q->top_logprobs, VB_SERVER_LOGPROBS_MAX);
}

/* What the text is held to, compiled once for all choices; and that this model can always keep to
 * it, which would otherwise show after the commitment. */
static vb_err fill_constraint(vb_answering *a, vb_api_error *e) {
    const vb_served_model *m = a->m;
    vb_receipt_request *r = &a->r.request;
    vb_error inner;
    vb_err err = vb_api_constraint(&a->q, m->tool_form, &r->constraint, e);
    if (err || !r->constraint.p) {
        return err;
    }
    vb_held *held = NULL;
    if ((err = vb_receipt_grammar(r, &a->grammar, &inner)) ||
        (err = vb_held_open(a->grammar, m->vocabulary, vb_model_get_config(m->o.model)->n_vocab,
                            r->stop_tokens, r->n_stop_tokens, &held, &inner))) {
        vb_api_constraint_fail(&a->q, err, &inner, e);
    }
    vb_held_close(held);
    return err;
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
    vb_api_request *q = &a->q;
    vb_receipt *r = &a->r;
    vb_err err = vb_service_choose_model(s, q, &a->m, e);
    if (err) {
        return err;
    }
    const vb_served_model *m = a->m;
    const vb_model_config *c = vb_model_get_config(m->o.model);
    snprintf(r->model.name, sizeof r->model.name, "%s", c->name);
    snprintf(r->model.architecture, sizeof r->model.architecture, "%s", c->arch);
    snprintf(r->model.file_type, sizeof r->model.file_type, "%s", c->file_type);
    r->model.n_parameters = c->n_parameters;
    snprintf(r->engine_version, sizeof r->engine_version, "%s", VB_VERSION);
    snprintf(r->engine_tier, sizeof r->engine_tier, "%s", s->o.tier);
    memcpy(r->request.model_sha256, m->o.sha256, VB_SHA256_BYTES);
    r->request.sampling = q->sampling;
    snprintf(r->request.nonce, sizeof r->request.nonce, "%s", q->nonce);
    if ((err = check_supported(m, q, e)) || (err = fill_beacon(s, q, &r->request, e)) ||
        (err = fill_stops(q, &r->request, e)) || (err = fill_prompt(m, q, r, e)) ||
        (err = fill_context(m, q, r, e)) || (err = check_logprobs(q, &r->request, e))) {
        return err;
    }
    return fill_constraint(a, e);
}
