#include "receipt/opening.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "receipt/base64.h"
#include "receipt/names.h"
#include "receipt/parts.h"
#include "json/jcs.h"

void vb_opening_free(vb_opening *o) {
    free(o->logits);
    free(o->path);
    memset(o, 0, sizeof *o);
}

/* Logits as u32le, in base64; NULL without memory. */
static json_t *logits_value(const float *logits, size_t n) {
    size_t n_bytes = n * sizeof *logits;
    uint8_t *bytes = malloc(n_bytes);
    char *text = malloc(vb_base64_chars(n_bytes) + 1);
    json_t *v = NULL;
    if (bytes && text) {
        for (size_t i = 0; i < n; i++) {
            uint32_t bits;
            memcpy(&bits, &logits[i], sizeof bits);
            vb_store_u32le(bytes + 4 * i, bits);
        }
        vb_base64_encode(bytes, n_bytes, text);
        v = json_string(text);
    }
    free(bytes);
    free(text);
    return v;
}

static json_t *opening_tree(vb_build *b, const vb_opening *o) {
    json_t *doc = json_object(), *path = json_array();
    VB_ASSERT(o->n_logits >= 1 && o->n_logits <= VB_MODEL_VOCAB_MAX);
    VB_ASSERT(o->n_path <= VB_TRACE_PROOF_MAX);
    for (size_t i = 0; i < o->n_path; i++) {
        vb_build_push(b, path, "path", vb_build_hex(o->path[i], sizeof o->path[i]));
    }
    vb_build_put(b, doc, "format", json_string(VB_OPENING_FORMAT));
    vb_build_put(b, doc, "receipt", vb_build_hex(o->receipt, sizeof o->receipt));
    vb_build_put(b, doc, "choice", vb_build_number(o->choice));
    vb_build_put(b, doc, "position", vb_build_number(o->position));
    vb_build_put(b, doc, "token", vb_build_number(o->token));
    vb_build_put(b, doc, "logits", logits_value(o->logits, o->n_logits));
    vb_build_put(b, doc, "path", path);
    vb_build_put(b, doc, "logit", json_real((double)o->logit));
    vb_build_put(b, doc, "rank", vb_build_number(o->rank));
    vb_build_put(b, doc, "weight", vb_build_decimal(o->weight));
    vb_build_put(b, doc, "total", vb_build_decimal(o->total));
    return doc;
}

vb_err vb_opening_encode(const vb_opening *o, vb_buf *out, vb_error *e) {
    vb_build b = {VB_OK, e};
    vb_buf bytes = vb_buf_make(VB_OPENING_BYTES_MAX);
    vb_opening back;
    vb_err err = vb_build_write(&b, opening_tree(&b, o), &bytes);
    if (!err) {
        err = vb_opening_decode(bytes.data, bytes.len, &back, e);
    }
    if (!err) {
        vb_opening_free(&back);
        err = vb_build_copy(&bytes, out, e);
    }
    vb_buf_free(&bytes);
    return err;
}

/* bytes [4 n], each four the bits of a float. */
static void set_logits(vb_fields *f, const uint8_t *bytes, size_t n, vb_opening *o) {
    float *logits = malloc(n * sizeof *logits);
    if (!logits) {
        vb_field_fail(f, VB_ENOMEM, "logits", "no memory for %zu", n);
        return;
    }
    o->logits = logits;
    o->n_logits = n;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits = vb_load_u32le(bytes + 4 * i);
        memcpy(&logits[i], &bits, sizeof bits);
        if (!isfinite(logits[i])) {
            vb_field_fail(f, VB_EFORMAT, "logits", "item %zu: expected a finite number", i);
            return;
        }
    }
}

static void read_logits(vb_fields *f, vb_opening *o) {
    const json_t *v = vb_field(f, "logits");
    size_t n_text = json_string_length(v); /* 0 for what is no string */
    size_t n_bytes = 0;
    if (f->err) {
        return;
    }
    if (n_text < 1 || n_text > vb_base64_chars(4 * (size_t)VB_MODEL_VOCAB_MAX)) {
        vb_field_fail(f, VB_EFORMAT, "logits", "expected base64 of 1 .. %u numbers of 4 bytes",
                      VB_MODEL_VOCAB_MAX);
        return;
    }
    uint8_t *bytes = malloc(n_text / 4 * 3 + 1);
    if (!bytes) {
        vb_field_fail(f, VB_ENOMEM, "logits", "no memory to decode them");
        return;
    }
    if (!vb_base64_decode(json_string_value(v), n_text, bytes, &n_bytes)) {
        vb_field_fail(f, VB_EFORMAT, "logits", "expected base64, padded and canonical");
    } else if (n_bytes % 4 != 0 || n_bytes / 4 > VB_MODEL_VOCAB_MAX) {
        vb_field_fail(f, VB_EFORMAT, "logits",
                      "expected 1 .. %u numbers of 4 bytes, found %zu bytes", VB_MODEL_VOCAB_MAX,
                      n_bytes);
    } else {
        set_logits(f, bytes, n_bytes / 4, o);
    }
    free(bytes);
}

static void read_path(vb_fields *f, vb_opening *o) {
    const json_t *a = vb_field_array(f, "path", 0, VB_TRACE_PROOF_MAX);
    size_t n = json_array_size(a);
    if (!a || n == 0) {
        return;
    }
    o->path = malloc(n * sizeof *o->path);
    if (!o->path) {
        vb_field_fail(f, VB_ENOMEM, "path", "no memory for %zu hashes", n);
        return;
    }
    o->n_path = n;
    for (size_t i = 0; i < n; i++) {
        const json_t *v = json_array_get(a, i);
        /* A zero byte inside the string would end it early for vb_hex_decode. */
        if (json_string_length(v) != 2 * sizeof o->path[i] ||
            !vb_hex_decode(json_string_value(v), o->path[i], sizeof o->path[i])) {
            vb_field_fail(f, VB_EFORMAT, "path", "item %zu: expected %zu lower-case hex digits", i,
                          2 * sizeof o->path[i]);
            return;
        }
    }
}

static vb_err read_opening(const json_t *json, vb_opening *o, vb_error *e) {
    vb_err err = vb_read_format(json, VB_OPENING_FORMAT, e);
    if (err) {
        return err;
    }
    vb_fields f = vb_fields_open(json, "", vb_names_opening, e);
    vb_field_u32(&f, "choice", 0, VB_CHOICES_MAX - 1, &o->choice);
    vb_field_f32(&f, "logit", &o->logit);
    if (!f.err && fabsf(o->logit) > (float)VB_JCS_INTEGER_MAX) {
        vb_field_fail(&f, VB_EFORMAT, "logit", "expected a magnitude of at most 2^53");
    }
    read_logits(&f, o);
    read_path(&f, o);
    vb_field_number(&f, "position", 0, VB_MODEL_CTX_TOKENS_MAX - 1, &o->position);
    vb_field_number(&f, "rank", 1, o->n_logits, &o->rank);
    vb_field_hex(&f, "receipt", o->receipt, sizeof o->receipt);
    vb_field_u32(&f, "token", 0, (uint32_t)o->n_logits - 1, &o->token);
    vb_field_decimal(&f, "total", 0, UINT64_MAX, &o->total);
    vb_field_decimal(&f, "weight", 0, UINT64_MAX, &o->weight);
    return f.err;
}

vb_err vb_opening_decode(const void *bytes, size_t n_bytes, vb_opening *out, vb_error *e) {
    json_t *json;
    memset(out, 0, sizeof *out);
    if (n_bytes > VB_OPENING_BYTES_MAX) {
        return vb_fail(e, VB_ELIMIT, "%zu bytes; an opening has at most %u", n_bytes,
                       VB_OPENING_BYTES_MAX);
    }
    vb_err err = vb_json_parse(bytes, n_bytes, &json, e);
    if (err) {
        return err;
    }
    err = read_opening(json, out, e);
    json_decref(json);
    if (err) {
        vb_opening_free(out);
    }
    return err;
}
