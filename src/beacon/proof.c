#include "beacon/proof.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/decimal.h"
#include "json/jcs.h"

enum { DECIMAL_BYTES = 24 };

const char *vb_proof_chain(const char *id, vb_beacon_kind kind) {
    return vb_beacon_kind_of_id(id) == kind ? strchr(id, ':') + 1 : NULL;
}

vb_err vb_proof_chain_number(const char *id, vb_beacon_kind kind, uint64_t *out, vb_error *e) {
    const char *chain = vb_proof_chain(id, kind);
    uint64_t v;
    if (!chain || !vb_decimal_decode(chain, strlen(chain), &v) || v == 0) {
        return vb_fail(e, VB_EFORMAT, "beacon id: expected %s:<decimal number from 1>, found %s",
                       vb_beacon_kind_name(kind), id);
    }
    *out = v;
    return VB_OK;
}

vb_err vb_proof_open(const vb_beacon_round *r, size_t n_randomness, json_t **out, vb_error *e) {
    if (r->n_randomness != n_randomness) {
        return vb_fail(e, VB_EFORMAT, "beacon randomness: expected %zu bytes, found %zu",
                       n_randomness, r->n_randomness);
    }
    if (!r->proof) {
        return vb_fail(e, VB_EFORMAT, "beacon.proof: expected an object, found null");
    }
    size_t n = strnlen(r->proof, VB_BEACON_PROOF_BYTES_MAX + 1);
    if (n > VB_BEACON_PROOF_BYTES_MAX) {
        return vb_fail(e, VB_ELIMIT, "beacon.proof: more than %u bytes", VB_BEACON_PROOF_BYTES_MAX);
    }
    vb_err err = vb_json_parse(r->proof, n, out, e);
    return err ? vb_fail_in(e, err, "beacon.proof") : VB_OK;
}

vb_err vb_proof_set(vb_beacon_round *r, const json_t *proof, vb_error *e) {
    VB_ASSERT(!r->proof);
    vb_buf b = vb_buf_make(VB_BEACON_PROOF_BYTES_MAX);
    vb_err err = vb_jcs_append(proof, &b, e);
    if (err) {
        vb_buf_free(&b);
        return vb_fail_in(e, err, "beacon.proof");
    }
    r->proof = (char *)b.data; /* moves */
    return VB_OK;
}

static int hex_digit(char c, bool either_case) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return either_case && c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static vb_err read_hex(const json_t *v, const char *prefix, bool either_case, size_t min,
                       size_t max, vb_buf *out) {
    if (!json_is_string(v)) {
        return VB_EFORMAT;
    }
    const char *s = json_string_value(v);
    size_t n = json_string_length(v), n_prefix = strlen(prefix);
    if (n < n_prefix || memcmp(s, prefix, n_prefix) != 0 || (n - n_prefix) % 2) {
        return VB_EFORMAT;
    }
    s += n_prefix;
    n = (n - n_prefix) / 2;
    if (n < min || n > max) {
        return VB_EFORMAT;
    }
    for (size_t i = 0; i < 2 * n; i++) {
        if (hex_digit(s[i], either_case) < 0) {
            return VB_EFORMAT;
        }
    }
    size_t before = out->len;
    for (size_t i = 0; i < n; i++) {
        uint8_t byte =
            (uint8_t)(hex_digit(s[2 * i], either_case) << 4 | hex_digit(s[2 * i + 1], either_case));
        vb_err err = vb_buf_append(out, &byte, 1);
        if (err) {
            out->len = before;
            return err;
        }
    }
    return VB_OK;
}

vb_err vb_proof_hex_value(const json_t *v, size_t min, size_t max, vb_buf *out) {
    return read_hex(v, "", false, min, max, out);
}

static void fail_hex(vb_fields *f, vb_err err, const char *name, const char *prefix, size_t min,
                     size_t max) {
    if (err == VB_EFORMAT && min == max) {
        vb_field_fail(f, err, name, "expected %s%s%zu hex digits", prefix, prefix[0] ? " and " : "",
                      2 * max);
    } else if (err == VB_EFORMAT) {
        vb_field_fail(f, err, name, "expected %s%s%zu to %zu bytes in hex digits", prefix,
                      prefix[0] ? " and " : "", min, max);
    } else if (err) {
        vb_field_fail(f, err, name, "can not be kept");
    }
}

void vb_proof_bytes(vb_fields *f, const char *name, size_t min, size_t max, vb_buf *out) {
    const json_t *v = vb_field(f, name);
    if (!f->err) {
        fail_hex(f, read_hex(v, "", false, min, max, out), name, "", min, max);
    }
}

json_t *vb_proof_hex(const uint8_t *bytes, size_t n) {
    char *hex = malloc(2 * n + 1);
    if (!hex) {
        return NULL;
    }
    vb_hex_encode(bytes, n, hex);
    json_t *v = json_string(hex);
    free(hex);
    return v;
}

json_t *vb_proof_decimal(uint64_t v) {
    char text[DECIMAL_BYTES];
    snprintf(text, sizeof text, "%" PRIu64, v);
    return json_string(text);
}

const json_t *vb_node_member(vb_fields *f, const char *name) {
    const json_t *v = vb_field(f, name);
    if (!v || json_is_null(v)) {
        vb_field_fail(f, VB_EFORMAT, name, "missing");
        return NULL;
    }
    return v;
}

vb_fields vb_node_open(const json_t *value, const char *path, vb_error *e) {
    if (value) {
        return vb_fields_foreign(value, path, e);
    }
    vb_fields f = {.e = e};
    snprintf(f.path, sizeof f.path, "%s", path);
    vb_field_fail(&f, VB_EFORMAT, "", "missing");
    return f;
}

vb_fields vb_node_object(vb_fields *f, const char *name) {
    const json_t *v = vb_node_member(f, name);
    if (!v) {
        return *f;
    }
    char path[VB_FIELD_PATH_BYTES];
    int n = snprintf(path, sizeof path, "%s%s%s", f->path, f->path[0] ? "." : "", name);
    VB_ASSERT(n > 0 && (size_t)n < sizeof path);
    return vb_fields_foreign(v, path, f->e);
}

void vb_node_integer(vb_fields *f, const char *name, uint64_t max, uint64_t *out) {
    const json_t *v = vb_node_member(f, name);
    if (!v) {
        return;
    }
    uint64_t i = 0;
    bool ok = false;
    if (json_is_integer(v) && json_integer_value(v) >= 0) {
        i = (uint64_t)json_integer_value(v);
        ok = true;
    } else if (json_is_string(v)) {
        ok = vb_decimal_decode(json_string_value(v), json_string_length(v), &i);
    }
    if (!ok || i > max) {
        vb_field_fail(f, VB_EFORMAT, name, "expected an integer, 0 .. %" PRIu64, max);
        return;
    }
    *out = i;
}

void vb_node_bytes(vb_fields *f, const char *name, const char *prefix, size_t min, size_t max,
                   vb_buf *out) {
    const json_t *v = vb_node_member(f, name);
    if (v) {
        fail_hex(f, read_hex(v, prefix, true, min, max, out), name, prefix, min, max);
    }
}

void vb_node_hex(vb_fields *f, const char *name, const char *prefix, uint8_t *out, size_t n) {
    vb_buf b = vb_buf_make(n);
    vb_node_bytes(f, name, prefix, n, n, &b);
    if (!f->err && n) {
        memcpy(out, b.data, n);
    }
    vb_buf_free(&b);
}

void vb_node_quantity(vb_fields *f, const char *name, size_t max, vb_buf *out) {
    const json_t *v = vb_node_member(f, name);
    if (!v) {
        return;
    }
    const char *s = json_is_string(v) ? json_string_value(v) : "";
    size_t n = json_is_string(v) ? json_string_length(v) : 0;
    bool ok = n > 2 && n <= 2 + 2 * max && s[0] == '0' && s[1] == 'x' && (s[2] != '0' || n == 3);
    for (size_t i = 2; i < n && ok; i++) {
        ok = hex_digit(s[i], true) >= 0;
    }
    if (!ok) {
        vb_field_fail(f, VB_EFORMAT, name,
                      "expected 0x and at most %zu hex digits, no leading zero", 2 * max);
        return;
    }
    vb_err err = VB_OK;
    for (size_t i = s[2] == '0' ? n : 2; i < n && !err; i++) {
        bool low_alone = i == 2 && n % 2; /* an odd number of digits begins with half a byte */
        int high = low_alone ? 0 : hex_digit(s[i++], true);
        uint8_t byte = (uint8_t)(high << 4 | hex_digit(s[i], true));
        err = vb_buf_append(out, &byte, 1);
    }
    if (err) {
        vb_field_fail(f, err, name, "can not be kept");
    }
}
