#include "api/response.h"

#include <string.h>

#include "api/response_parts.h"

void vb_api_write_member(vb_api_writer *w, const char *name, const char *value) {
    vb_api_write_key(w, name);
    vb_api_write_text(w, value);
}

static void write_number(vb_api_writer *w, const char *name, uint64_t value) {
    vb_api_write_key(w, name);
    vb_api_write_number(w, value);
}

void vb_api_write_head(vb_api_writer *w, const vb_api_head *h, const char *object) {
    vb_api_write_member(w, "id", h->id);
    vb_api_write_member(w, "object", object);
    write_number(w, "created", h->created_s);
    vb_api_write_member(w, "model", h->model);
}

void vb_api_write_fingerprint(vb_api_writer *w, const vb_api_head *h) {
    if (h->system_fingerprint) {
        vb_api_write_member(w, "system_fingerprint", h->system_fingerprint);
    }
}

void vb_api_write_usage(vb_api_writer *w, const vb_api_usage *u) {
    vb_api_write_key(w, "usage");
    vb_api_write_begin(w, '{');
    write_number(w, "prompt_tokens", u->prompt_tokens);
    write_number(w, "completion_tokens", u->completion_tokens);
    write_number(w, "total_tokens", u->prompt_tokens + u->completion_tokens);
    vb_api_write_key(w, "prompt_tokens_details");
    vb_api_write_begin(w, '{');
    write_number(w, "cached_tokens", u->cached_tokens);
    vb_api_write_end(w, '}');
    vb_api_write_key(w, "completion_tokens_details");
    vb_api_write_begin(w, '{');
    write_number(w, "reasoning_tokens", u->reasoning_tokens);
    vb_api_write_end(w, '}');
    vb_api_write_end(w, '}');
}

/* The commitment, so far that its signature can be checked, and what became of it. */
static void write_commitment(vb_api_writer *w, const vb_receipt *r) {
    const vb_receipt_request *q = &r->request;
    vb_api_write_key(w, "commitment");
    vb_api_write_begin(w, '{');
    vb_api_write_key(w, "value");
    vb_api_write_hex(w, r->commitment, sizeof r->commitment);
    vb_api_write_key(w, "signature");
    vb_api_write_hex(w, r->commitment_signature, sizeof r->commitment_signature);
    vb_api_write_key(w, "server_key");
    vb_api_write_hex(w, q->server_key, sizeof q->server_key);
    vb_api_write_key(w, "sequence");
    vb_api_write_decimal(w, q->sequence);
    vb_api_write_key(w, "issued_at_ms");
    vb_api_write_decimal(w, q->issued_at_ms);
    vb_api_write_member(w, "mode", vb_beacon_mode_name(q->mode));
    vb_api_write_member(w, "beacon", q->beacon_id[0] ? q->beacon_id : NULL);
    vb_api_write_member(w, "fallback_from", q->fallback_from[0] ? q->fallback_from : NULL);
    vb_api_write_end(w, '}');
}

static void write_log(vb_api_writer *w, const vb_api_log *l) {
    vb_api_write_key(w, "log");
    vb_api_write_begin(w, '{');
    vb_api_write_member(w, "origin", l->origin);
    vb_api_write_member(w, "key", l->key);
    write_number(w, "publish_within_s", l->publish_within_s);
    vb_api_write_member(w, "url_path", l->url_path);
    vb_api_write_end(w, '}');
}

void vb_api_write_proof(vb_api_writer *w, const vb_api_proof *p) {
    if (!p) {
        return;
    }
    vb_api_write_key(w, "verbatim");
    vb_api_write_begin(w, '{');
    vb_api_write_member(w, "receipt_id", p->receipt->id);
    write_commitment(w, p->receipt);
    if (p->log) {
        write_log(w, p->log);
    }
    if (p->verification_hash) {
        vb_api_write_key(w, "verification_hash");
        vb_api_write_hex(w, p->verification_hash, VB_SHA256_BYTES);
    }
    if (p->receipt_json.len) {
        vb_api_write_key(w, "receipt");
        vb_api_write_raw(w, p->receipt_json);
    }
    if (p->prompt_json.len) {
        vb_api_write_key(w, "prompt");
        vb_api_write_raw(w, p->prompt_json);
    }
    vb_api_write_end(w, '}');
    if (p->theta_section.len) {
        vb_api_write_key(w, "theta_verified");
        vb_api_write_raw(w, p->theta_section);
    }
}

void vb_api_write_call(vb_api_writer *w, const vb_api_call *call) {
    vb_api_write_member(w, "id", call->id);
    vb_api_write_member(w, "type", "function");
    vb_api_write_key(w, "function");
    vb_api_write_begin(w, '{');
    vb_api_write_key(w, "name");
    vb_api_write_string(w, call->name);
    vb_api_write_key(w, "arguments");
    vb_api_write_string(w, call->arguments);
    vb_api_write_end(w, '}');
}

static void write_message(vb_api_writer *w, const vb_api_choice *c) {
    vb_api_write_key(w, "message");
    vb_api_write_begin(w, '{');
    vb_api_write_member(w, "role", "assistant");
    vb_api_write_key(w, "content");
    if (c->content.len == 0 && c->n_calls) {
        vb_api_write_null(w);
    } else {
        vb_api_write_string(w, c->content);
    }
    if (c->reasoning.len) {
        vb_api_write_key(w, "reasoning_content");
        vb_api_write_string(w, c->reasoning);
    }
    if (c->n_calls) {
        vb_api_write_key(w, "tool_calls");
        vb_api_write_begin(w, '[');
        for (size_t i = 0; i < c->n_calls; i++) {
            vb_api_write_begin(w, '{');
            vb_api_write_call(w, &c->calls[i]);
            vb_api_write_end(w, '}');
        }
        vb_api_write_end(w, ']');
    }
    vb_api_write_member(w, "refusal", NULL);
    vb_api_write_end(w, '}');
}

static void write_choice(vb_api_writer *w, const vb_api_head *h, const vb_api_choice *c,
                         size_t index) {
    vb_api_write_begin(w, '{');
    if (h->endpoint == VB_API_CHAT) {
        write_number(w, "index", index);
        write_message(w, c);
        vb_api_write_key(w, "logprobs");
        vb_api_write_chat_logprobs(w, &c->logprobs);
    } else {
        vb_api_write_key(w, "text");
        vb_api_write_string(w, c->content);
        write_number(w, "index", index);
        vb_api_write_key(w, "logprobs");
        vb_api_write_completion_logprobs(w, &c->logprobs);
    }
    vb_api_write_member(w, "finish_reason", c->finish_reason);
    vb_api_write_end(w, '}');
}

vb_err vb_api_response_append(const vb_api_head *h, const vb_api_choice *choices, size_t n_choices,
                              const vb_api_usage *usage, const vb_api_proof *proof, vb_buf *out) {
    vb_api_writer w = vb_api_writer_make(out);
    vb_api_write_begin(&w, '{');
    vb_api_write_head(&w, h, h->endpoint == VB_API_CHAT ? "chat.completion" : "text_completion");
    vb_api_write_key(&w, "choices");
    vb_api_write_begin(&w, '[');
    for (size_t i = 0; i < n_choices; i++) {
        write_choice(&w, h, &choices[i], i);
    }
    vb_api_write_end(&w, ']');
    vb_api_write_usage(&w, usage);
    vb_api_write_fingerprint(&w, h);
    vb_api_write_proof(&w, proof);
    vb_api_write_end(&w, '}');
    return w.err;
}

static void write_model(vb_api_writer *w, const vb_api_model *m) {
    vb_api_write_begin(w, '{');
    vb_api_write_member(w, "id", m->id);
    vb_api_write_member(w, "object", "model");
    write_number(w, "created", m->created_s);
    vb_api_write_member(w, "owned_by", m->owned_by);
    write_number(w, "max_model_len", m->ctx_tokens);
    vb_api_write_key(w, "verbatim");
    vb_api_write_begin(w, '{');
    vb_api_write_key(w, "model_sha256");
    vb_api_write_hex(w, m->sha256, VB_SHA256_BYTES);
    vb_api_write_end(w, '}');
    vb_api_write_end(w, '}');
}

vb_err vb_api_model_append(const vb_api_model *model, vb_buf *out) {
    vb_api_writer w = vb_api_writer_make(out);
    write_model(&w, model);
    return w.err;
}

vb_err vb_api_models_append(const vb_api_model *models, size_t n_models, vb_buf *out) {
    vb_api_writer w = vb_api_writer_make(out);
    vb_api_write_begin(&w, '{');
    vb_api_write_member(&w, "object", "list");
    vb_api_write_key(&w, "data");
    vb_api_write_begin(&w, '[');
    for (size_t i = 0; i < n_models; i++) {
        write_model(&w, &models[i]);
    }
    vb_api_write_end(&w, ']');
    vb_api_write_end(&w, '}');
    return w.err;
}

vb_err vb_api_tokens_append(const uint32_t *tokens, size_t n_tokens, uint32_t ctx_tokens,
                            vb_buf *out) {
    vb_api_writer w = vb_api_writer_make(out);
    vb_api_write_begin(&w, '{');
    write_number(&w, "count", n_tokens);
    write_number(&w, "max_model_len", ctx_tokens);
    vb_api_write_key(&w, "tokens");
    vb_api_write_begin(&w, '[');
    for (size_t i = 0; i < n_tokens; i++) {
        vb_api_write_number(&w, tokens[i]);
    }
    vb_api_write_end(&w, ']');
    vb_api_write_end(&w, '}');
    return w.err;
}

vb_err vb_api_detokenized_append(vb_str text, vb_buf *out) {
    vb_api_writer w = vb_api_writer_make(out);
    vb_api_write_begin(&w, '{');
    vb_api_write_key(&w, "prompt");
    vb_api_write_string(&w, text);
    vb_api_write_end(&w, '}');
    return w.err;
}
