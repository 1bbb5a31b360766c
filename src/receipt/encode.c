/*
 * A receipt to canonical JSON. The tree is built with jansson and written by jcs.c. What is written
 * is read back by the decoder before it leaves: no receipt exists that its reader would refuse.
 */
#include <stdlib.h>
#include <string.h>

#include "beacon/round.h"
#include "receipt/digests.h"
#include "receipt/parts.h"
#include "receipt/receipt.h"

static json_t *text_or_null(const vb_text *t) {
    return t->p ? json_stringn(t->p, t->len) : json_null();
}

static json_t *name_or_null(const char *s) {
    return s[0] ? json_string(s) : json_null();
}

static json_t *tokens(vb_build *b, const char *name, const uint32_t *ids, size_t n) {
    json_t *a = json_array();
    for (size_t i = 0; i < n && !b->err; i++) {
        vb_build_push(b, a, name, json_integer(ids[i]));
    }
    return a;
}

static json_t *sampling(vb_build *b, const vb_sampling *s) {
    json_t *o = json_object(), *bias = json_array();
    VB_ASSERT(s->n_bias <= VB_LOGIT_BIAS_MAX);
    for (size_t i = 0; i < s->n_bias; i++) {
        json_t *pair = json_array();
        vb_build_push(b, pair, "request.sampling.logit_bias", json_integer(s->bias[i].token));
        vb_build_push(b, pair, "request.sampling.logit_bias", json_real((double)s->bias[i].bias));
        vb_build_push(b, bias, "request.sampling.logit_bias", pair);
    }
    vb_build_put(b, o, "logit_bias", bias);
    vb_build_put(b, o, "temperature", json_real((double)s->temperature));
    vb_build_put(b, o, "top_k", vb_build_number(s->top_k));
    vb_build_put(b, o, "top_p_q32", vb_build_number(s->top_p));
    vb_build_put(b, o, "min_p_q32", vb_build_number(s->min_p));
    vb_build_put(b, o, "presence_penalty", json_real((double)s->presence_penalty));
    vb_build_put(b, o, "frequency_penalty", json_real((double)s->frequency_penalty));
    vb_build_put(b, o, "repetition_penalty", json_real((double)s->repetition_penalty));
    return o;
}

static json_t *request_beacon(vb_build *b, const vb_receipt_request *q) {
    json_t *o = json_object();
    vb_build_put(b, o, "fallback_from", name_or_null(q->fallback_from));
    vb_build_put(b, o, "id", name_or_null(q->beacon_id));
    vb_build_put(b, o, "mode", json_string(vb_beacon_mode_name(q->mode)));
    vb_build_put(b, o, "round", q->has_round ? vb_build_decimal(q->round) : json_null());
    return o;
}

static json_t *stop(vb_build *b, const vb_receipt_request *q) {
    json_t *o = json_object(), *strings = json_array();
    VB_ASSERT(q->n_stop_strings <= VB_STOP_STRINGS_MAX && q->n_stop_tokens <= VB_STOP_TOKENS_MAX);
    for (size_t i = 0; i < q->n_stop_strings; i++) {
        const vb_text *t = &q->stop_strings[i];
        vb_build_push(b, strings, "request.stop.strings", json_stringn(t->p ? t->p : "", t->len));
    }
    vb_build_put(b, o, "strings", strings);
    vb_build_put(b, o, "tokens",
                 tokens(b, "request.stop.tokens", q->stop_tokens, q->n_stop_tokens));
    return o;
}

/* Arrays and objects in one another, value itself counted; at most VB_JSON_DEPTH_MAX in what the
 * strict reader has passed. */
static unsigned nesting(const json_t *value) {
    unsigned deepest = 0;
    if (!json_is_object(value) && !json_is_array(value)) {
        return 0;
    }
    json_t *v = (json_t *)(uintptr_t)value; /* iteration changes nothing */
    for (void *it = json_object_iter(v); it; it = json_object_iter_next(v, it)) {
        const unsigned n = nesting(json_object_iter_value(it));
        deepest = n > deepest ? n : deepest;
    }
    for (size_t i = 0; i < json_array_size(v); i++) {
        const unsigned n = nesting(json_array_get(v, i));
        deepest = n > deepest ? n : deepest;
    }
    return deepest + 1;
}

/* A request is committed to before there is a record of it for the decoder to read back: a
 * constraint that no reader would take must not get so far. */
static vb_err parse_constraint(const vb_text *text, json_t **out, vb_error *e) {
    json_t *o = NULL;
    if (text->len > VB_CONSTRAINT_BYTES_MAX) {
        return vb_fail(e, VB_ELIMIT, "request.constraint: %zu bytes; at most %u", text->len,
                       VB_CONSTRAINT_BYTES_MAX);
    }
    vb_err err = vb_json_parse(text->p, text->len, &o, e);
    if (err) {
        return vb_fail_in(e, err, "request.constraint");
    }
    if (!json_is_object(o)) {
        err = vb_fail(e, VB_EFORMAT, "request.constraint: expected an object");
    } else if (nesting(o) > VB_CONSTRAINT_DEPTH_MAX) {
        err = vb_fail(e, VB_ELIMIT, "request.constraint: nested deeper than %u",
                      VB_CONSTRAINT_DEPTH_MAX);
    }
    if (err) {
        json_decref(o);
        return err;
    }
    *out = o;
    return VB_OK;
}

static json_t *constraint(vb_build *b, const vb_text *text) {
    json_t *o = NULL;
    if (!text->p) {
        return json_null();
    }
    if (!b->err) {
        b->err = parse_constraint(text, &o, b->e);
    }
    return o;
}

json_t *vb_build_request(vb_build *b, const vb_receipt_request *q) {
    json_t *o = json_object();
    vb_build_put(b, o, "arithmetic", json_string(q->arithmetic));
    vb_build_put(b, o, "model_sha256", vb_build_hex(q->model_sha256, sizeof q->model_sha256));
    vb_build_put(b, o, "prompt_sha256", vb_build_hex(q->prompt_sha256, sizeof q->prompt_sha256));
    vb_build_put(b, o, "prompt_tokens", vb_build_number(q->n_prompt_tokens));
    vb_build_put(b, o, "sampling", sampling(b, &q->sampling));
    vb_build_put(b, o, "max_tokens", vb_build_number(q->max_tokens));
    vb_build_put(b, o, "ctx_tokens", vb_build_number(q->ctx_tokens));
    vb_build_put(b, o, "choices", vb_build_number(q->n_choices));
    vb_build_put(b, o, "stop", stop(b, q));
    vb_build_put(b, o, "constraint", constraint(b, &q->constraint));
    vb_build_put(b, o, "nonce", json_string(q->nonce));
    vb_build_put(b, o, "beacon", request_beacon(b, q));
    vb_build_put(b, o, "seed", q->has_seed ? vb_build_decimal(q->seed) : json_null());
    vb_build_put(b, o, "issued_at_ms", vb_build_decimal(q->issued_at_ms));
    vb_build_put(b, o, "sequence", vb_build_decimal(q->sequence));
    vb_build_put(b, o, "server_key", vb_build_hex(q->server_key, sizeof q->server_key));
    return o;
}

json_t *vb_build_prompt(vb_build *b, const vb_receipt_prompt *p) {
    json_t *o = json_object(), *messages = json_null();
    if (p->kind == VB_PROMPT_CHAT && p->has_tokens) {
        messages = json_array();
        for (size_t i = 0; i < p->n_messages && !b->err; i++) {
            json_t *m = json_object();
            vb_build_put(b, m, "role", json_string(p->messages[i].role));
            vb_build_put(b, m, "content", text_or_null(&p->messages[i].content));
            vb_build_push(b, messages, "prompt.messages", m);
        }
    }
    vb_build_put(b, o, "kind", json_string(vb_prompt_kind_name(p->kind)));
    vb_build_put(b, o, "messages", messages);
    vb_build_put(b, o, "text", text_or_null(&p->text));
    vb_build_put(b, o, "date", name_or_null(p->date));
    vb_build_put(b, o, "template_sha256",
                 p->has_template ? vb_build_hex(p->template_sha256, sizeof p->template_sha256)
                                 : json_null());
    vb_build_put(b, o, "tokens",
                 p->has_tokens ? tokens(b, "prompt.tokens", p->tokens, p->n_tokens) : json_null());
    return o;
}

static json_t *beacon(vb_build *b, const vb_receipt *r) {
    json_t *o = NULL;
    if (!r->has_beacon) {
        return json_null();
    }
    if (!b->err) {
        b->err = vb_beacon_round_members(&r->beacon, &o, b->e);
    }
    return o;
}

static json_t *outputs(vb_build *b, const vb_receipt *r) {
    json_t *a = json_array();
    for (size_t i = 0; i < r->n_outputs && !b->err; i++) {
        const vb_receipt_output *out = &r->outputs[i];
        json_t *o = json_object();
        vb_build_put(b, o, "finish_reason", json_string(vb_finish_name(out->finish)));
        vb_build_put(b, o, "seed", vb_build_hex(out->seed, sizeof out->seed));
        vb_build_put(b, o, "text", text_or_null(&out->text));
        vb_build_put(b, o, "text_sha256", vb_build_hex(out->text_sha256, sizeof out->text_sha256));
        vb_build_put(b, o, "tokens", tokens(b, "outputs.tokens", out->tokens, out->n_tokens));
        vb_build_put(b, o, "trace_root", vb_build_hex(out->trace_root, sizeof out->trace_root));
        vb_build_push(b, a, "outputs", o);
    }
    return a;
}

static json_t *pairs(vb_build *b, const char *k1, json_t *v1, const char *k2, json_t *v2) {
    json_t *o = json_object();
    vb_build_put(b, o, k1, v1);
    vb_build_put(b, o, k2, v2);
    return o;
}

json_t *vb_build_commitment(vb_build *b, const vb_receipt *r) {
    return pairs(b, "value", vb_build_hex(r->commitment, sizeof r->commitment), "signature",
                 vb_build_hex(r->commitment_signature, sizeof r->commitment_signature));
}

static json_t *receipt(vb_build *b, const vb_receipt *r) {
    json_t *o = json_object(), *model = json_object();
    vb_build_put(b, model, "name", json_string(r->model.name));
    vb_build_put(b, model, "architecture", json_string(r->model.architecture));
    vb_build_put(b, model, "file_type", json_string(r->model.file_type));
    vb_build_put(b, model, "parameters", vb_build_decimal(r->model.n_parameters));
    vb_build_put(b, o, "model", model);
    vb_build_put(b, o, "format", json_string(VB_RECEIPT_FORMAT));
    vb_build_put(b, o, "id", json_string(r->id));
    vb_build_put(b, o, "prompt", vb_build_prompt(b, &r->prompt));
    vb_build_put(b, o, "request", vb_build_request(b, &r->request));
    vb_build_put(b, o, "commitment", vb_build_commitment(b, r));
    vb_build_put(b, o, "beacon", beacon(b, r));
    vb_build_put(b, o, "outputs", outputs(b, r));
    vb_build_put(b, o, "usage",
                 pairs(b, "prompt_tokens", vb_build_number(r->usage_prompt_tokens),
                       "completion_tokens", vb_build_number(r->usage_completion_tokens)));
    vb_build_put(
        b, o, "engine",
        pairs(b, "version", json_string(r->engine_version), "tier", json_string(r->engine_tier)));
    return o;
}

vb_err vb_request_encode(const vb_receipt_request *q, vb_buf *out, vb_error *e) {
    vb_build b = {VB_OK, e};
    json_t *tree = vb_build_request(&b, q);
    return vb_build_write(&b, tree, out);
}

vb_err vb_receipt_encode(const vb_receipt *r, vb_buf *out, vb_error *e) {
    vb_build b = {VB_OK, e};
    vb_buf bytes = vb_buf_make(VB_RECEIPT_BYTES_MAX);
    json_t *tree = receipt(&b, r);
    vb_build_put(&b, tree, "signature", vb_build_hex(r->signature, sizeof r->signature));
    vb_err err = vb_build_write(&b, tree, &bytes);
    if (!err) {
        vb_receipt *back = malloc(sizeof *back);
        err = back ? vb_receipt_decode(bytes.data, bytes.len, back, e)
                   : vb_fail(e, VB_ENOMEM, "no memory to encode a receipt");
        if (back && !err) {
            vb_receipt_free(back);
        }
        free(back);
    }
    if (!err) {
        err = vb_build_copy(&bytes, out, e);
    }
    vb_buf_free(&bytes);
    return err;
}

vb_err vb_receipt_commitment(const vb_receipt *r, uint8_t out[VB_SHA256_BYTES], vb_error *e) {
    vb_buf b = vb_buf_make(VB_RECEIPT_BYTES_MAX);
    vb_err err = vb_request_encode(&r->request, &b, e);
    if (!err) {
        vb_digest_request(b.data, b.len, out);
    }
    vb_buf_free(&b);
    return err;
}

vb_err vb_receipt_verification_hash(const vb_receipt *r, uint8_t out[VB_SHA256_BYTES],
                                    vb_error *e) {
    vb_build b = {VB_OK, e};
    vb_buf bytes = vb_buf_make(VB_RECEIPT_BYTES_MAX);
    json_t *tree = receipt(&b, r);
    vb_err err = vb_build_write(&b, tree, &bytes);
    if (!err) {
        vb_digest_receipt(bytes.data, bytes.len, out);
    }
    vb_buf_free(&bytes);
    return err;
}
