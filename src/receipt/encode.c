/*
 * A receipt to canonical JSON. The tree is built with jansson and written by jcs.c; a builder
 * carries the first failure, so that building is a list of puts. What is written is read back by
 * the decoder before it leaves: no receipt exists that its reader would refuse.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "receipt/digests.h"
#include "json/jcs.h"
#include "receipt/names.h"
#include "receipt/receipt.h"

typedef struct builder {
    vb_err err;
    vb_error *e;
} builder;

/* Takes value. NULL is what jansson gives for text that is not UTF-8, and without memory. */
static void put(builder *b, json_t *object, const char *name, json_t *value) {
    if (!b->err && (!object || !value)) {
        b->err = vb_fail(b->e, VB_EFORMAT, "%s: not UTF-8 text (or no memory)", name);
    }
    if (b->err || json_object_set_new(object, name, value)) {
        if (b->err) {
            json_decref(value);
        } else {
            b->err = vb_fail(b->e, VB_ENOMEM, "%s: no memory to encode it", name);
        }
    }
}

static void push(builder *b, json_t *array, const char *name, json_t *value) {
    if (!b->err && (!array || !value)) {
        b->err = vb_fail(b->e, VB_EFORMAT, "%s: an item is not UTF-8 text (or no memory)", name);
    }
    if (b->err) {
        json_decref(value);
    } else if (json_array_append_new(array, value)) {
        b->err = vb_fail(b->e, VB_ENOMEM, "%s: no memory to encode it", name);
    }
}

static json_t *hex(const uint8_t *bytes, size_t n) {
    char text[2 * 64 + 1];
    VB_ASSERT(n <= 64);
    vb_hex_encode(bytes, n, text);
    return json_string(text);
}

static json_t *decimal(uint64_t v) {
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, v);
    return json_string(text);
}

static json_t *number(uint64_t v) {
    return v <= (uint64_t)VB_JCS_INTEGER_MAX ? json_integer((json_int_t)v) : NULL;
}

static json_t *text_or_null(const vb_text *t) {
    return t->p ? json_stringn(t->p, t->len) : json_null();
}

static json_t *name_or_null(const char *s) {
    return s[0] ? json_string(s) : json_null();
}

static json_t *tokens(builder *b, const char *name, const uint32_t *ids, size_t n) {
    json_t *a = json_array();
    for (size_t i = 0; i < n && !b->err; i++) {
        push(b, a, name, json_integer(ids[i]));
    }
    return a;
}

static json_t *sampling(builder *b, const vb_sampling *s) {
    json_t *o = json_object(), *bias = json_array();
    VB_ASSERT(s->n_bias <= VB_LOGIT_BIAS_MAX);
    for (size_t i = 0; i < s->n_bias; i++) {
        json_t *pair = json_array();
        push(b, pair, "request.sampling.logit_bias", json_integer(s->bias[i].token));
        push(b, pair, "request.sampling.logit_bias", json_real((double)s->bias[i].bias));
        push(b, bias, "request.sampling.logit_bias", pair);
    }
    put(b, o, "logit_bias", bias);
    put(b, o, "temperature", json_real((double)s->temperature));
    put(b, o, "top_k", number(s->top_k));
    put(b, o, "top_p_q32", number(s->top_p));
    put(b, o, "min_p_q32", number(s->min_p));
    put(b, o, "presence_penalty", json_real((double)s->presence_penalty));
    put(b, o, "frequency_penalty", json_real((double)s->frequency_penalty));
    put(b, o, "repetition_penalty", json_real((double)s->repetition_penalty));
    return o;
}

static json_t *request_beacon(builder *b, const vb_receipt_request *q) {
    json_t *o = json_object();
    put(b, o, "fallback_from", name_or_null(q->fallback_from));
    put(b, o, "id", name_or_null(q->beacon_id));
    put(b, o, "mode", json_string(vb_beacon_mode_name(q->mode)));
    put(b, o, "round", q->has_round ? decimal(q->round) : json_null());
    return o;
}

static json_t *stop(builder *b, const vb_receipt_request *q) {
    json_t *o = json_object(), *strings = json_array();
    VB_ASSERT(q->n_stop_strings <= VB_STOP_STRINGS_MAX && q->n_stop_tokens <= VB_STOP_TOKENS_MAX);
    for (size_t i = 0; i < q->n_stop_strings; i++) {
        const vb_text *t = &q->stop_strings[i];
        push(b, strings, "request.stop.strings", json_stringn(t->p ? t->p : "", t->len));
    }
    put(b, o, "strings", strings);
    put(b, o, "tokens", tokens(b, "request.stop.tokens", q->stop_tokens, q->n_stop_tokens));
    return o;
}

static json_t *request(builder *b, const vb_receipt_request *q) {
    json_t *o = json_object();
    put(b, o, "arithmetic", json_string(q->arithmetic));
    put(b, o, "model_sha256", hex(q->model_sha256, sizeof q->model_sha256));
    put(b, o, "prompt_sha256", hex(q->prompt_sha256, sizeof q->prompt_sha256));
    put(b, o, "prompt_tokens", number(q->n_prompt_tokens));
    put(b, o, "sampling", sampling(b, &q->sampling));
    put(b, o, "max_tokens", number(q->max_tokens));
    put(b, o, "ctx_tokens", number(q->ctx_tokens));
    put(b, o, "choices", number(q->n_choices));
    put(b, o, "stop", stop(b, q));
    put(b, o, "nonce", json_string(q->nonce));
    put(b, o, "beacon", request_beacon(b, q));
    put(b, o, "seed", q->has_seed ? decimal(q->seed) : json_null());
    put(b, o, "issued_at_ms", decimal(q->issued_at_ms));
    put(b, o, "sequence", decimal(q->sequence));
    put(b, o, "server_key", hex(q->server_key, sizeof q->server_key));
    return o;
}

static json_t *prompt(builder *b, const vb_receipt_prompt *p) {
    json_t *o = json_object(), *messages = json_null();
    if (p->kind == VB_PROMPT_CHAT && p->has_tokens) {
        messages = json_array();
        for (size_t i = 0; i < p->n_messages && !b->err; i++) {
            json_t *m = json_object();
            put(b, m, "role", json_string(p->messages[i].role));
            put(b, m, "content", text_or_null(&p->messages[i].content));
            push(b, messages, "prompt.messages", m);
        }
    }
    put(b, o, "kind", json_string(vb_prompt_kind_name(p->kind)));
    put(b, o, "messages", messages);
    put(b, o, "text", text_or_null(&p->text));
    put(b, o, "date", name_or_null(p->date));
    put(b, o, "template_sha256",
        p->has_template ? hex(p->template_sha256, sizeof p->template_sha256) : json_null());
    put(b, o, "tokens",
        p->has_tokens ? tokens(b, "prompt.tokens", p->tokens, p->n_tokens) : json_null());
    return o;
}

static json_t *beacon(builder *b, const vb_receipt *r) {
    if (!r->has_beacon) {
        return json_null();
    }
    json_t *o = json_object(), *proof = json_null();
    if (r->beacon.proof) {
        proof = json_loads(r->beacon.proof, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    }
    put(b, o, "proof", proof);
    put(b, o, "randomness", hex(r->beacon.randomness, r->beacon.n_randomness));
    put(b, o, "round", decimal(r->beacon.round));
    return o;
}

static json_t *outputs(builder *b, const vb_receipt *r) {
    json_t *a = json_array();
    for (size_t i = 0; i < r->n_outputs && !b->err; i++) {
        const vb_receipt_output *out = &r->outputs[i];
        json_t *o = json_object();
        put(b, o, "finish_reason", json_string(vb_finish_name(out->finish)));
        put(b, o, "seed", hex(out->seed, sizeof out->seed));
        put(b, o, "text", text_or_null(&out->text));
        put(b, o, "text_sha256", hex(out->text_sha256, sizeof out->text_sha256));
        put(b, o, "tokens", tokens(b, "outputs.tokens", out->tokens, out->n_tokens));
        put(b, o, "trace_root", hex(out->trace_root, sizeof out->trace_root));
        push(b, a, "outputs", o);
    }
    return a;
}

static json_t *pairs(builder *b, const char *k1, json_t *v1, const char *k2, json_t *v2) {
    json_t *o = json_object();
    put(b, o, k1, v1);
    put(b, o, k2, v2);
    return o;
}

static json_t *receipt(builder *b, const vb_receipt *r) {
    json_t *o = json_object(), *model = json_object();
    put(b, model, "name", json_string(r->model.name));
    put(b, model, "architecture", json_string(r->model.architecture));
    put(b, model, "file_type", json_string(r->model.file_type));
    put(b, model, "parameters", decimal(r->model.n_parameters));
    put(b, o, "model", model);
    put(b, o, "format", json_string(VB_RECEIPT_FORMAT));
    put(b, o, "id", json_string(r->id));
    put(b, o, "prompt", prompt(b, &r->prompt));
    put(b, o, "request", request(b, &r->request));
    put(b, o, "commitment",
        pairs(b, "value", hex(r->commitment, sizeof r->commitment), "signature",
              hex(r->commitment_signature, sizeof r->commitment_signature)));
    put(b, o, "beacon", beacon(b, r));
    put(b, o, "outputs", outputs(b, r));
    put(b, o, "usage",
        pairs(b, "prompt_tokens", number(r->usage_prompt_tokens), "completion_tokens",
              number(r->usage_completion_tokens)));
    put(b, o, "engine",
        pairs(b, "version", json_string(r->engine_version), "tier", json_string(r->engine_tier)));
    return o;
}

/* Takes tree. */
static vb_err write_tree(const builder *b, json_t *tree, vb_buf *out, vb_error *e) {
    vb_err err = b->err;
    if (!err && !tree) {
        err = vb_fail(e, VB_ENOMEM, "no memory to encode a receipt");
    }
    if (!err) {
        err = vb_jcs_append(tree, out, e);
    }
    json_decref(tree);
    return err;
}

vb_err vb_request_encode(const vb_receipt_request *q, vb_buf *out, vb_error *e) {
    builder b = {VB_OK, e};
    json_t *tree = request(&b, q);
    return write_tree(&b, tree, out, e);
}

vb_err vb_receipt_encode(const vb_receipt *r, vb_buf *out, vb_error *e) {
    builder b = {VB_OK, e};
    vb_buf bytes = vb_buf_make(VB_RECEIPT_BYTES_MAX);
    json_t *tree = receipt(&b, r);
    put(&b, tree, "signature", hex(r->signature, sizeof r->signature));
    vb_err err = write_tree(&b, tree, &bytes, e);
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
        err = vb_buf_append(out, bytes.data, bytes.len);
        if (err) {
            vb_fail(e, err, "the receipt does not fit its buffer");
        }
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
    builder b = {VB_OK, e};
    vb_buf bytes = vb_buf_make(VB_RECEIPT_BYTES_MAX);
    json_t *tree = receipt(&b, r);
    vb_err err = write_tree(&b, tree, &bytes, e);
    if (!err) {
        vb_digest_receipt(bytes.data, bytes.len, out);
    }
    vb_buf_free(&bytes);
    return err;
}
