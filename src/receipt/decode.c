/*
 * Canonical JSON to a receipt. Every member is read with its type and range; what several members
 * must say together (a mode and its beacon, a prompt and its kind) is checked where the later of
 * them is read, so that a decoded receipt always has one of the shapes of spec/receipt.md.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "beacon/round.h"
#include "receipt/names.h"
#include "receipt/parts.h"
#include "receipt/receipt.h"
#include "json/jcs.h"
#include "json/json.h"

static void read_bias(vb_fields *f, vb_sampling *s) {
    const json_t *a = vb_field_array(f, "logit_bias", 0, VB_LOGIT_BIAS_MAX);
    size_t n = a ? json_array_size(a) : 0;
    for (size_t i = 0; i < n; i++) {
        const json_t *pair = json_array_get(a, i);
        const json_t *id = json_array_get(pair, 0);
        if (json_array_size(pair) != 2 || !json_is_integer(id) || json_integer_value(id) < 0 ||
            json_integer_value(id) >= (json_int_t)VB_MODEL_VOCAB_MAX ||
            !vb_json_f32(json_array_get(pair, 1), &s->bias[i].bias)) {
            vb_field_fail(f, VB_EFORMAT, "logit_bias", "item %zu: expected [token id, f32]", i);
            return;
        }
        s->bias[i].token = (uint32_t)json_integer_value(id);
    }
    s->n_bias = n;
}

static vb_err read_sampling(const vb_fields *request, vb_sampling *s) {
    vb_fields f = vb_fields_member(request, "sampling", vb_names_sampling);
    vb_field_f32(&f, "frequency_penalty", &s->frequency_penalty);
    read_bias(&f, s);
    vb_field_number(&f, "min_p_q32", 0, (uint64_t)1 << 32, &s->min_p);
    vb_field_f32(&f, "presence_penalty", &s->presence_penalty);
    vb_field_f32(&f, "repetition_penalty", &s->repetition_penalty);
    vb_field_f32(&f, "temperature", &s->temperature);
    vb_field_u32(&f, "top_k", 0, UINT32_MAX, &s->top_k);
    vb_field_number(&f, "top_p_q32", 1, (uint64_t)1 << 32, &s->top_p);
    vb_error why = {0};
    if (!f.err && vb_sampling_check(s, VB_MODEL_VOCAB_MAX, &why)) {
        vb_field_fail(&f, VB_EFORMAT, "", "%s", why.msg);
    }
    return f.err;
}

static vb_err read_stop(const vb_fields *request, vb_receipt_request *q) {
    vb_fields f = vb_fields_member(request, "stop", vb_names_stop);
    const json_t *a = vb_field_array(&f, "strings", 0, VB_STOP_STRINGS_MAX);
    for (size_t i = 0; a && i < json_array_size(a) && !f.err; i++) {
        const json_t *v = json_array_get(a, i);
        size_t n = json_string_length(v); /* 0 for what is no string */
        if (n < 1 || n > VB_STOP_STRING_BYTES_MAX) {
            vb_field_fail(&f, VB_EFORMAT, "strings", "item %zu: expected a string, 1 .. %u bytes",
                          i, VB_STOP_STRING_BYTES_MAX);
        } else if (vb_text_set(&q->stop_strings[i], json_string_value(v), n, NULL)) {
            vb_field_fail(&f, VB_ENOMEM, "strings", "item %zu: no memory", i);
        } else {
            q->n_stop_strings = i + 1;
        }
    }
    uint32_t *ids = NULL;
    size_t n_ids = 0;
    vb_field_tokens(&f, "tokens", 0, VB_STOP_TOKENS_MAX, &ids, &n_ids);
    for (size_t i = 0; i < n_ids; i++) {
        q->stop_tokens[i] = ids[i];
        if (i && ids[i] <= ids[i - 1]) {
            vb_field_fail(&f, VB_EFORMAT, "tokens", "item %zu: expected ascending, each once", i);
        }
    }
    free(ids);
    q->n_stop_tokens = n_ids;
    return f.err;
}

/* A seed belongs to mode fixed alone, and stands in a beacon's place. */
static void check_randomness_shape(vb_fields *f, const vb_receipt_request *q) {
    bool has_id = q->beacon_id[0] != 0;
    if (q->mode != VB_MODE_FIXED && (q->has_seed || q->has_round)) {
        vb_field_fail(f, VB_EFORMAT, q->has_seed ? "seed" : "beacon.round",
                      "expected null in mode %s", vb_beacon_mode_name(q->mode));
    } else if (q->has_seed == has_id) {
        vb_field_fail(f, VB_EFORMAT, "beacon.id",
                      has_id ? "expected null beside a seed" : "expected a beacon's id");
    } else if (q->mode == VB_MODE_FIXED && has_id != q->has_round) {
        vb_field_fail(f, VB_EFORMAT, "beacon.round",
                      has_id ? "expected the replayed round" : "expected null beside a seed");
    } else if (q->fallback_from[0] && !has_id) {
        vb_field_fail(f, VB_EFORMAT, "beacon.fallback_from", "expected null beside a seed");
    }
}

static vb_err read_request_beacon(const vb_fields *request, vb_receipt_request *q) {
    char mode[16];
    vb_fields f = vb_fields_member(request, "beacon", vb_names_request_beacon);
    vb_field_name_or_null(&f, "fallback_from", q->fallback_from, sizeof q->fallback_from);
    vb_field_name_or_null(&f, "id", q->beacon_id, sizeof q->beacon_id);
    vb_field_name(&f, "mode", 1, mode, sizeof mode);
    if (!f.err) {
        q->mode = vb_beacon_mode_of_name(mode);
        if (q->mode == VB_MODE_UNKNOWN) {
            vb_field_fail(&f, VB_EUNSUPPORTED, "mode", "unknown mode %s", mode);
        }
    }
    if (!vb_field_is_null(&f, "round")) {
        vb_field_decimal(&f, "round", 0, UINT64_MAX, &q->round);
        q->has_round = true;
    }
    return f.err;
}

/* Any object, kept in canonical form: what it means is for whoever draws under it. */
static void read_constraint(vb_fields *f, vb_text *out) {
    const json_t *v = vb_field(f, "constraint");
    if (!v || json_is_null(v)) {
        return;
    }
    if (!json_is_object(v)) {
        vb_field_fail(f, VB_EFORMAT, "constraint", "expected null or an object");
        return;
    }
    vb_buf text = vb_buf_make(VB_CONSTRAINT_BYTES_MAX);
    vb_err err = vb_jcs_append(v, &text, NULL);
    if (!err) {
        err = vb_text_set(out, (const char *)text.data, text.len, NULL);
    }
    vb_buf_free(&text);
    if (err) {
        vb_field_fail(f, err, "constraint", "can not be kept: at most %u bytes",
                      VB_CONSTRAINT_BYTES_MAX);
    }
}

vb_err vb_read_request(const vb_fields *doc, vb_receipt_request *q) {
    vb_fields f = vb_fields_member(doc, "request", vb_names_request);
    vb_field_name(&f, "arithmetic", 1, q->arithmetic, sizeof q->arithmetic);
    vb_field_u32(&f, "choices", 1, VB_CHOICES_MAX, &q->n_choices);
    read_constraint(&f, &q->constraint);
    vb_field_u32(&f, "ctx_tokens", 1, VB_MODEL_CTX_TOKENS_MAX, &q->ctx_tokens);
    vb_field_decimal(&f, "issued_at_ms", 0, VB_ISSUED_AT_MS_MAX, &q->issued_at_ms);
    vb_field_u32(&f, "max_tokens", 1, VB_MODEL_CTX_TOKENS_MAX, &q->max_tokens);
    vb_field_hex(&f, "model_sha256", q->model_sha256, sizeof q->model_sha256);
    vb_field_name(&f, "nonce", 0, q->nonce, sizeof q->nonce);
    vb_field_hex(&f, "prompt_sha256", q->prompt_sha256, sizeof q->prompt_sha256);
    vb_field_number(&f, "prompt_tokens", 1, VB_MODEL_CTX_TOKENS_MAX, &q->n_prompt_tokens);
    if (!vb_field_is_null(&f, "seed")) {
        vb_field_decimal(&f, "seed", 0, UINT64_MAX, &q->seed);
        q->has_seed = true;
    }
    vb_field_decimal(&f, "sequence", 1, UINT64_MAX, &q->sequence);
    vb_field_hex(&f, "server_key", q->server_key, sizeof q->server_key);
    if (!f.err) {
        f.err = read_request_beacon(&f, q);
    }
    if (!f.err) {
        check_randomness_shape(&f, q);
    }
    if (!f.err) {
        f.err = read_sampling(&f, &q->sampling);
    }
    return f.err ? f.err : read_stop(&f, q);
}

static void read_messages(vb_fields *f, vb_receipt_prompt *p) {
    const json_t *a = vb_field_array(f, "messages", 1, VB_PROMPT_MESSAGES_MAX);
    if (!a) {
        return;
    }
    size_t n = json_array_size(a);
    p->messages = calloc(n, sizeof *p->messages);
    if (!p->messages) {
        vb_field_fail(f, VB_ENOMEM, "messages", "no memory for %zu messages", n);
        return;
    }
    p->n_messages = n;
    for (size_t i = 0; i < n && !f->err; i++) {
        vb_receipt_message *m = &p->messages[i];
        char path[64];
        snprintf(path, sizeof path, "prompt.messages[%zu]", i);
        vb_fields mf = vb_fields_open(json_array_get(a, i), path, vb_names_message, f->e);
        vb_field_name(&mf, "role", 1, m->role, sizeof m->role);
        vb_field_text(&mf, "content", VB_TEXT_BYTES_MAX, &m->content);
        f->err = mf.err;
    }
}

static bool is_date(const char *s) {
    for (int i = 0; i < 10; i++) {
        bool dash = i == 4 || i == 7;
        if (dash ? s[i] != '-' : s[i] < '0' || s[i] > '9') {
            return false;
        }
    }
    return s[10] == 0;
}

/* What belongs to another kind of prompt must be null. */
static void expect_null(vb_fields *f, const char *name, const char *kind) {
    if (!f->err && !vb_field_is_null(f, name)) {
        vb_field_fail(f, VB_EFORMAT, name, "expected null in a prompt of kind %s", kind);
    }
}

/* The source of the tokens is there exactly when the tokens are: both, or a private receipt. */
static bool has_source(vb_fields *f, const char *name, bool has_tokens) {
    bool has = !f->err && !vb_field_is_null(f, name);
    if (!f->err && has != has_tokens) {
        vb_field_fail(f, VB_EFORMAT, name, "expected null exactly when prompt.tokens is null");
    }
    return has && !f->err;
}

/* The template itself is the model's; its digest says which that was. */
static void read_template(vb_fields *f, vb_receipt_prompt *p) {
    vb_field_name_or_null(f, "date", p->date, sizeof p->date);
    if (!f->err && p->date[0] && !is_date(p->date)) {
        vb_field_fail(f, VB_EFORMAT, "date", "expected YYYY-MM-DD");
    }
    vb_field_hex(f, "template_sha256", p->template_sha256, sizeof p->template_sha256);
}

vb_err vb_read_prompt(const vb_fields *doc, vb_receipt_prompt *p) {
    char kind[16];
    vb_fields f = vb_fields_member(doc, "prompt", vb_names_prompt);
    vb_field_name(&f, "kind", 1, kind, sizeof kind);
    if (f.err) {
        return f.err;
    }
    p->kind = vb_prompt_kind_of_name(kind);
    if (!p->kind) {
        vb_field_fail(&f, VB_EUNSUPPORTED, "kind", "unknown kind of prompt %s", kind);
        return f.err;
    }
    p->has_tokens = !vb_field_is_null(&f, "tokens");
    if (p->has_tokens) {
        vb_field_tokens(&f, "tokens", 1, VB_MODEL_CTX_TOKENS_MAX, &p->tokens, &p->n_tokens);
    }
    const bool is_text = p->kind == VB_PROMPT_TEXT || p->kind == VB_PROMPT_TEMPLATE;
    const bool is_chat = p->kind == VB_PROMPT_CHAT;
    p->has_template = is_chat || p->kind == VB_PROMPT_TEMPLATE;
    if (!is_text) {
        expect_null(&f, "text", kind);
    }
    if (!is_chat) {
        expect_null(&f, "messages", kind);
    }
    if (!p->has_template) {
        expect_null(&f, "date", kind);
        expect_null(&f, "template_sha256", kind);
    }
    if (is_text && has_source(&f, "text", p->has_tokens)) {
        vb_field_text(&f, "text", VB_TEXT_BYTES_MAX, &p->text);
    }
    if (is_chat && has_source(&f, "messages", p->has_tokens)) {
        read_messages(&f, p);
    }
    if (p->has_template) {
        read_template(&f, p);
    }
    return f.err;
}

static vb_err read_beacon(const vb_fields *doc, vb_receipt *r) {
    bool expected = r->request.beacon_id[0] != 0;
    if (vb_field_is_null(doc, "beacon") == expected) {
        return vb_fail(doc->e, VB_EFORMAT, "beacon: expected %s",
                       expected ? "an object: request.beacon.id names a beacon"
                                : "null: request.beacon.id names none");
    }
    if (!expected) {
        return VB_OK;
    }
    vb_fields f = vb_fields_member(doc, "beacon", vb_names_beacon);
    vb_beacon_round_read(&f, &r->beacon);
    memcpy(r->beacon.id, r->request.beacon_id, sizeof r->beacon.id);
    r->has_beacon = true;
    return f.err;
}

static vb_err read_output(const json_t *value, size_t i, vb_receipt_output *o, vb_error *e) {
    char finish[16], path[64];
    snprintf(path, sizeof path, "outputs[%zu]", i);
    vb_fields f = vb_fields_open(value, path, vb_names_output, e);
    vb_field_name(&f, "finish_reason", 1, finish, sizeof finish);
    if (!f.err) {
        o->finish = vb_finish_of_name(finish);
        if (!o->finish) {
            vb_field_fail(&f, VB_EFORMAT, "finish_reason", "expected stop or length, found %s",
                          finish);
        }
    }
    vb_field_hex(&f, "seed", o->seed, sizeof o->seed);
    vb_field_text(&f, "text", VB_TEXT_BYTES_MAX, &o->text);
    vb_field_hex(&f, "text_sha256", o->text_sha256, sizeof o->text_sha256);
    vb_field_tokens(&f, "tokens", 1, VB_MODEL_CTX_TOKENS_MAX, &o->tokens, &o->n_tokens);
    vb_field_hex(&f, "trace_root", o->trace_root, sizeof o->trace_root);
    return f.err;
}

static vb_err read_outputs(vb_fields *doc, vb_receipt *r) {
    const json_t *a = vb_field_array(doc, "outputs", 1, VB_CHOICES_MAX);
    if (!a) {
        return doc->err;
    }
    size_t n = json_array_size(a);
    r->outputs = calloc(n, sizeof *r->outputs);
    if (!r->outputs) {
        return vb_fail(doc->e, VB_ENOMEM, "outputs: no memory for %zu", n);
    }
    r->n_outputs = n;
    for (size_t i = 0; i < n; i++) {
        vb_err err = read_output(json_array_get(a, i), i, &r->outputs[i], doc->e);
        if (err) {
            return err;
        }
    }
    return VB_OK;
}

vb_err vb_read_commitment(const vb_fields *doc, vb_receipt *r) {
    vb_fields f = vb_fields_member(doc, "commitment", vb_names_commitment);
    vb_field_hex(&f, "signature", r->commitment_signature, sizeof r->commitment_signature);
    vb_field_hex(&f, "value", r->commitment, sizeof r->commitment);
    return f.err;
}

static vb_err read_small_parts(vb_fields *doc, vb_receipt *r) {
    vb_field_name(doc, "id", 1, r->id, sizeof r->id);
    vb_field_hex(doc, "signature", r->signature, sizeof r->signature);

    vb_fields en = vb_fields_member(doc, "engine", vb_names_engine);
    vb_field_name(&en, "tier", 1, r->engine_tier, sizeof r->engine_tier);
    vb_field_name(&en, "version", 1, r->engine_version, sizeof r->engine_version);

    vb_fields m = vb_fields_member(doc, "model", vb_names_model);
    vb_field_name(&m, "architecture", 1, r->model.architecture, sizeof r->model.architecture);
    vb_field_name(&m, "file_type", 1, r->model.file_type, sizeof r->model.file_type);
    vb_field_name(&m, "name", 0, r->model.name, sizeof r->model.name);
    vb_field_decimal(&m, "parameters", 0, UINT64_MAX, &r->model.n_parameters);

    vb_fields u = vb_fields_member(doc, "usage", vb_names_usage);
    vb_field_number(&u, "completion_tokens", 0, (uint64_t)VB_JCS_INTEGER_MAX,
                    &r->usage_completion_tokens);
    vb_field_number(&u, "prompt_tokens", 0, (uint64_t)VB_JCS_INTEGER_MAX, &r->usage_prompt_tokens);
    return doc->err ? doc->err : en.err ? en.err : m.err ? m.err : u.err;
}

/* Another version is told apart from nonsense, before anything else is looked at. */
vb_err vb_read_format(const json_t *doc, const char *format, vb_error *e) {
    const json_t *v = json_object_get(doc, "format");
    const char *found = json_string_value(v);
    size_t n_family = (size_t)(strchr(format, '/') + 1 - format);
    if (!found || strncmp(found, format, n_family) != 0) {
        return vb_fail(e, VB_EFORMAT, "format: expected %s", format);
    }
    if (json_string_length(v) != strlen(format) || strcmp(found, format) != 0) {
        return vb_fail(e, VB_EUNSUPPORTED, "format: this build reads %s, found %.40s", format,
                       found);
    }
    return VB_OK;
}

static vb_err read_receipt(const json_t *json, vb_receipt *r, vb_error *e) {
    vb_err err = vb_read_format(json, VB_RECEIPT_FORMAT, e);
    if (err) {
        return err;
    }
    vb_fields doc = vb_fields_open(json, "", vb_names_receipt, e);
    if (doc.err) {
        return doc.err;
    }
    err = read_small_parts(&doc, r);
    if (!err) {
        err = vb_read_commitment(&doc, r);
    }
    if (!err) {
        err = vb_read_request(&doc, &r->request);
    }
    if (!err) {
        err = vb_read_prompt(&doc, &r->prompt);
    }
    if (!err) {
        err = read_beacon(&doc, r);
    }
    return err ? err : read_outputs(&doc, r);
}

vb_err vb_receipt_decode(const void *bytes, size_t n_bytes, vb_receipt *out, vb_error *e) {
    vb_receipt_init(out);
    json_t *json;
    vb_err err = vb_json_parse(bytes, n_bytes, &json, e);
    if (err) {
        return err;
    }
    err = read_receipt(json, out, e);
    json_decref(json);
    if (err) {
        vb_receipt_free(out);
    }
    return err;
}
