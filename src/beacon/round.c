#include "beacon/round.h"

#include <string.h>

#include "beacon/proof.h"
#include "json/jcs.h"

static const char format[] = "verbatim.round/1";
static const char *const names[] = {"format", "id", "proof", "randomness", "round", NULL};

/* Numbers in a proof are integers, as in all of a receipt but its reals. Depth is the parser's. */
static bool has_fraction(const json_t *v) {
    json_t *item, *tree = (json_t *)(uintptr_t)v; /* iteration changes nothing */
    const char *key;
    size_t i;
    bool found = json_is_real(v);
    json_array_foreach(tree, i, item) {
        found = found || has_fraction(item);
    }
    json_object_foreach(tree, key, item) {
        found = found || has_fraction(item);
    }
    return found;
}

static void read_proof(vb_fields *f, vb_beacon_round *r) {
    const json_t *v = vb_field(f, "proof");
    if (!v || json_is_null(v)) {
        return;
    }
    if (!json_is_object(v) || has_fraction(v)) {
        vb_field_fail(f, VB_EFORMAT, "proof",
                      "expected null, or an object whose numbers are integers up to 2^53");
        return;
    }
    vb_err err = vb_proof_set(r, v, NULL);
    if (err) {
        vb_field_fail(f, err, "proof", "can not be kept: at most %u bytes",
                      VB_BEACON_PROOF_BYTES_MAX);
    }
}

void vb_beacon_round_read(vb_fields *f, vb_beacon_round *out) {
    vb_beacon_round r = {.n_randomness = 32};
    const json_t *v = vb_field(f, "randomness");
    if (v && json_string_length(v) == 128) {
        r.n_randomness = 64;
    }
    vb_field_hex(f, "randomness", r.randomness, r.n_randomness);
    vb_field_decimal(f, "round", 0, UINT64_MAX, &r.round);
    read_proof(f, &r);
    if (f->err) {
        return;
    }
    memcpy(r.id, out->id, sizeof r.id);
    *out = r;
}

vb_err vb_beacon_round_decode(const void *bytes, size_t n, vb_beacon_round *out, vb_error *e) {
    if (n > VB_BEACON_ROUND_BYTES_MAX) {
        return vb_fail(e, VB_ELIMIT, "a round of %zu bytes; at most %d are read", n,
                       VB_BEACON_ROUND_BYTES_MAX);
    }
    json_t *doc = NULL;
    vb_err err = vb_json_parse(bytes, n, &doc, e);
    if (err) {
        return err;
    }
    vb_beacon_round r = {0};
    char found[sizeof format];
    vb_fields f = vb_fields_open(doc, "", names, e);
    vb_field_name(&f, "format", 1, found, sizeof found);
    if (!f.err && strcmp(found, format) != 0) {
        vb_field_fail(&f, VB_EFORMAT, "format", "expected %s", format);
    }
    vb_field_name(&f, "id", 1, r.id, sizeof r.id);
    vb_beacon_round_read(&f, &r);
    json_decref(doc);
    if (!f.err) {
        *out = r;
    }
    return f.err;
}

/* Takes value; NULL is what jansson gives without memory. */
static vb_err put(json_t *object, const char *name, json_t *value, vb_error *e) {
    return json_object_set_new(object, name, value)
               ? vb_fail(e, VB_ENOMEM, "%s: no memory to encode it", name)
               : VB_OK;
}

vb_err vb_beacon_round_members(const vb_beacon_round *r, json_t **out, vb_error *e) {
    if (r->n_randomness != 32 && r->n_randomness != 64) {
        return vb_fail(e, VB_EFORMAT, "randomness: expected 32 or 64 bytes, found %zu",
                       r->n_randomness);
    }
    json_t *proof = json_null(), *o = json_object();
    vb_err err = o ? VB_OK : vb_fail(e, VB_ENOMEM, "no memory to encode a round");
    if (!err && r->proof) {
        err = vb_proof_open(r, r->n_randomness, &proof, e);
    }
    if (!err) {
        err = put(o, "proof", proof, e);
    }
    if (!err) {
        err = put(o, "randomness", vb_proof_hex(r->randomness, r->n_randomness), e);
    }
    if (!err) {
        err = put(o, "round", vb_proof_decimal(r->round), e);
    }
    if (err) {
        json_decref(o);
        return err;
    }
    *out = o;
    return VB_OK;
}

vb_err vb_beacon_round_encode(const vb_beacon_round *r, vb_buf *out, vb_error *e) {
    json_t *o = NULL;
    vb_err err = vb_beacon_round_members(r, &o, e);
    if (err) {
        return err;
    }
    vb_buf text = vb_buf_make(VB_BEACON_ROUND_BYTES_MAX);
    vb_beacon_round again = {0};
    err = put(o, "format", json_string(format), e);
    if (!err) {
        err = put(o, "id", json_string_nocheck(r->id), e); /* the reader checks it */
    }
    if (!err) {
        err = vb_jcs_append(o, &text, e);
    }
    if (!err) { /* no round is written that its reader would refuse */
        err = vb_beacon_round_decode(text.data, text.len, &again, e);
    }
    if (!err) {
        err = vb_buf_append(out, text.data, text.len);
        if (err) {
            vb_fail(e, err, "no room for a round of %zu bytes", text.len);
        }
    }
    vb_beacon_round_free(&again);
    vb_buf_free(&text);
    json_decref(o);
    return err;
}
