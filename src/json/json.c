#include "json/json.h"

#include <float.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <threads.h>

#include "base/decimal.h"
#include "base/limits.h"
#include "json/jcs.h"

/* Before the parser builds anything: how deep and how large will it be? A comma stands before each
 * value of an array or object but the first, which an opening bracket counts, unless the bracket is
 * closed at once. */
static vb_err check_size(const char *s, size_t n, vb_error *e) {
    unsigned depth = 0, depth_max = 0;
    size_t values = 1;
    bool in_string = false;
    char before = 0; /* the last character that is not white space */
    for (size_t i = 0; i < n; i++) {
        char c = s[i];
        if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
            continue;
        }
        if (in_string) {
            if (c == '\\') {
                i++;
            } else if (c == '"') {
                in_string = false;
            }
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            values++;
            depth++;
            depth_max = depth > depth_max ? depth : depth_max;
        } else if ((c == '}' || c == ']') && depth) {
            depth--;
            values -= before == '{' || before == '[';
        } else if (c == ',') {
            values++;
        }
        before = c;
    }
    if (depth_max > VB_JSON_DEPTH_MAX) {
        return vb_fail(e, VB_ELIMIT, "JSON nested deeper than %u", VB_JSON_DEPTH_MAX);
    }
    if (values > VB_JSON_VALUES_MAX) {
        return vb_fail(e, VB_ELIMIT, "JSON with more than %u values", VB_JSON_VALUES_MAX);
    }
    return VB_OK;
}

static vb_err check_canonical(const json_t *doc, const void *bytes, size_t n_bytes, vb_error *e) {
    vb_buf b = vb_buf_make(n_bytes);
    vb_err err = vb_jcs_append(doc, &b, e);
    /* Canonical bytes that do not even fit in as many are other bytes. */
    bool other = err == VB_ELIMIT || (!err && b.len != n_bytes);
    size_t at = 0;
    while (at < b.len && at < n_bytes && b.data[at] == ((const uint8_t *)bytes)[at]) {
        at++;
    }
    if (other || (!err && at < n_bytes)) {
        err = vb_fail(e, VB_EFORMAT, "not canonical JSON (RFC 8785): differs at byte %zu", at);
    }
    vb_buf_free(&b);
    return err;
}

/* Whether an allocation of this thread's has failed. jansson can take one for a fault of the text,
 * or go on with less of a string; but to say that a receipt is bad for want of memory would be
 * false. */
static _Thread_local bool starved;

static void *allocate(size_t n_bytes) {
    void *p = malloc(n_bytes);
    starved |= !p;
    return p;
}

static void watch_allocations(void) {
    json_set_alloc_funcs(allocate, free);
}

vb_err vb_json_parse_foreign(const void *bytes, size_t n_bytes, size_t max_bytes, json_t **out,
                             vb_error *e) {
    if (n_bytes > max_bytes) {
        return vb_fail(e, VB_ELIMIT, "%zu bytes of JSON; at most %zu are read", n_bytes, max_bytes);
    }
    vb_err err = check_size(bytes, n_bytes, e);
    if (err) {
        return err;
    }
    static once_flag once = ONCE_FLAG_INIT;
    call_once(&once, watch_allocations);
    starved = false;
    json_error_t je;
    json_t *doc = json_loadb(bytes, n_bytes, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &je);
    if (starved) {
        json_decref(doc);
        return vb_fail(e, VB_ENOMEM, "no memory to parse JSON of %zu bytes", n_bytes);
    }
    if (!doc) {
        return vb_fail(e, VB_EFORMAT, "not JSON: %s at byte %d", je.text, je.position);
    }
    *out = doc;
    return VB_OK;
}

vb_err vb_json_parse(const void *bytes, size_t n_bytes, json_t **out, vb_error *e) {
    json_t *doc = NULL;
    vb_err err = vb_json_parse_foreign(bytes, n_bytes, VB_RECEIPT_BYTES_MAX, &doc, e);
    if (!err) {
        err = check_canonical(doc, bytes, n_bytes, e);
    }
    if (err) {
        json_decref(doc);
        return err;
    }
    *out = doc;
    return VB_OK;
}

static const char *type_name(const json_t *v) {
    if (!v) {
        return "nothing";
    }
    switch (json_typeof(v)) {
    case JSON_OBJECT: return "an object";
    case JSON_ARRAY: return "an array";
    case JSON_STRING: return "a string";
    case JSON_INTEGER: return "an integer";
    case JSON_REAL: return "a fraction";
    case JSON_TRUE:
    case JSON_FALSE: return "a boolean";
    case JSON_NULL: return "null";
    }
    return "nothing";
}

void vb_field_fail(vb_fields *f, vb_err code, const char *name, const char *fmt, ...) {
    if (f->err) {
        return;
    }
    char text[VB_ERROR_MSG_MAX / 2];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    f->err =
        vb_fail(f->e, code, "%s%s%s: %s", f->path, f->path[0] && name[0] ? "." : "", name, text);
}

vb_fields vb_fields_foreign(const json_t *value, const char *path, vb_error *e) {
    vb_fields f = {.e = e};
    snprintf(f.path, sizeof f.path, "%s", path);
    if (!json_is_object(value)) {
        vb_field_fail(&f, VB_EFORMAT, "", "expected an object, found %s", type_name(value));
        return f;
    }
    f.object = value;
    f.foreign = true;
    return f;
}

vb_fields vb_fields_open(const json_t *value, const char *path, const char *const *names,
                         vb_error *e) {
    vb_fields f = vb_fields_foreign(value, path, e);
    if (f.err) {
        return f;
    }
    f.object = NULL; /* until all of it is known to be as named */
    f.foreign = false;
    size_t n = 0;
    for (; names[n]; n++) {
        if (!json_object_get(value, names[n])) {
            vb_field_fail(&f, VB_EFORMAT, names[n], "missing");
            return f;
        }
    }
    json_t *o = (json_t *)(uintptr_t)value; /* iteration changes nothing */
    for (void *it = json_object_iter(o); it; it = json_object_iter_next(o, it)) {
        size_t i = 0;
        while (i < n && strcmp(json_object_iter_key(it), names[i]) != 0) {
            i++;
        }
        if (i == n) {
            vb_field_fail(&f, VB_EFORMAT, json_object_iter_key(it), "unknown member");
            return f;
        }
    }
    f.object = value;
    return f;
}

vb_fields vb_fields_member(const vb_fields *f, const char *name, const char *const *names) {
    if (f->err) {
        return *f;
    }
    char path[VB_FIELD_PATH_BYTES];
    int n = snprintf(path, sizeof path, "%s%s%s", f->path, f->path[0] ? "." : "", name);
    VB_ASSERT(n > 0 && (size_t)n < sizeof path);
    return vb_fields_open(json_object_get(f->object, name), path, names, f->e);
}

const json_t *vb_field(const vb_fields *f, const char *name) {
    if (f->err) {
        return NULL;
    }
    const json_t *v = json_object_get(f->object, name);
    VB_ASSERT(v || f->foreign); /* vb_fields_open has seen every name that is asked for */
    return v;
}

bool vb_field_is_null(const vb_fields *f, const char *name) {
    return !f->err && json_is_null(vb_field(f, name));
}

/* The member when it has the type; else f fails. */
static const json_t *typed(vb_fields *f, const char *name, json_type type, const char *expected) {
    const json_t *v = vb_field(f, name);
    if (!v) {
        vb_field_fail(f, VB_EFORMAT, name, "missing");
        return NULL;
    }
    if (json_typeof(v) != type) {
        vb_field_fail(f, VB_EFORMAT, name, "expected %s, found %s", expected, type_name(v));
        return NULL;
    }
    return v;
}

void vb_field_hex(vb_fields *f, const char *name, uint8_t *out, size_t n_bytes) {
    const json_t *v = typed(f, name, JSON_STRING, "a string");
    if (!v) {
        return;
    }
    /* A zero byte inside the string would end it early for vb_hex_decode. */
    if (json_string_length(v) != 2 * n_bytes ||
        !vb_hex_decode(json_string_value(v), out, n_bytes)) {
        vb_field_fail(f, VB_EFORMAT, name, "expected %zu lower-case hex digits", 2 * n_bytes);
    }
}

void vb_field_number(vb_fields *f, const char *name, uint64_t min, uint64_t max, uint64_t *out) {
    const json_t *v = typed(f, name, JSON_INTEGER, "an integer");
    if (!v) {
        return;
    }
    json_int_t i = json_integer_value(v);
    if (i < 0 || (uint64_t)i < min || (uint64_t)i > max) {
        vb_field_fail(f, VB_EFORMAT, name, "expected %" PRIu64 " .. %" PRIu64 ", found %lld", min,
                      max, (long long)i);
        return;
    }
    *out = (uint64_t)i;
}

void vb_field_u32(vb_fields *f, const char *name, uint32_t min, uint32_t max, uint32_t *out) {
    uint64_t v = 0;
    vb_field_number(f, name, min, max, &v);
    if (!f->err) {
        *out = (uint32_t)v;
    }
}

void vb_field_decimal(vb_fields *f, const char *name, uint64_t min, uint64_t max, uint64_t *out) {
    const json_t *v = typed(f, name, JSON_STRING, "a decimal string");
    uint64_t d;
    if (!v) {
        return;
    }
    if (!vb_decimal_decode(json_string_value(v), json_string_length(v), &d) || d < min || d > max) {
        vb_field_fail(f, VB_EFORMAT, name,
                      "expected a decimal string, %" PRIu64 " .. %" PRIu64 ", no leading zero", min,
                      max);
        return;
    }
    *out = d;
}

bool vb_json_is(const json_t *value, const char *text) {
    const size_t n = strlen(text);
    return json_is_string(value) && json_string_length(value) == n &&
           memcmp(json_string_value(value), text, n) == 0;
}

bool vb_json_f32(const json_t *value, float *out) {
    if (!json_is_number(value)) {
        return false;
    }
    if (json_is_integer(value) && (json_integer_value(value) > VB_JCS_INTEGER_MAX ||
                                   json_integer_value(value) < -VB_JCS_INTEGER_MAX)) {
        return false; /* no f64 may be equal to it; ours are not written in that form */
    }
    double d = json_number_value(value);
    if (!(d >= -FLT_MAX && d <= FLT_MAX) || (double)(float)d != d) {
        return false;
    }
    *out = (float)d;
    return true;
}

void vb_field_f32(vb_fields *f, const char *name, float *out) {
    const json_t *v = vb_field(f, name);
    if (!vb_json_f32(v, out)) {
        vb_field_fail(f, VB_EFORMAT, name, "expected a number that is exactly a 32-bit float");
    }
}

void vb_field_name(vb_fields *f, const char *name, size_t min_bytes, char *out, size_t cap) {
    const json_t *v = typed(f, name, JSON_STRING, "a string");
    if (!v) {
        return;
    }
    const char *s = json_string_value(v);
    size_t n = json_string_length(v);
    if (n < min_bytes || n >= cap) {
        vb_field_fail(f, VB_EFORMAT, name, "expected %zu .. %zu bytes, found %zu", min_bytes,
                      cap - 1, n);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f) {
            vb_field_fail(f, VB_EFORMAT, name, "a control character at byte %zu", i);
            return;
        }
    }
    memcpy(out, s, n);
    out[n] = 0;
}

void vb_field_name_or_null(vb_fields *f, const char *name, char *out, size_t cap) {
    if (vb_field_is_null(f, name)) {
        out[0] = 0;
    } else {
        vb_field_name(f, name, 1, out, cap);
    }
}

void vb_field_text(vb_fields *f, const char *name, size_t max_bytes, vb_text *out) {
    const json_t *v = typed(f, name, JSON_STRING, "a string");
    if (!v) {
        return;
    }
    size_t n = json_string_length(v);
    if (n > max_bytes) {
        vb_field_fail(f, VB_ELIMIT, name, "%zu bytes; at most %zu", n, max_bytes);
        return;
    }
    vb_err err = vb_text_set(out, json_string_value(v), n, NULL);
    if (err) {
        vb_field_fail(f, err, name, "cannot be copied");
    }
}

const json_t *vb_field_array(vb_fields *f, const char *name, size_t min, size_t max) {
    const json_t *v = typed(f, name, JSON_ARRAY, "an array");
    if (v && (json_array_size(v) < min || json_array_size(v) > max)) {
        vb_field_fail(f, VB_EFORMAT, name, "expected %zu .. %zu items, found %zu", min, max,
                      json_array_size(v));
        return NULL;
    }
    return v;
}

void vb_field_tokens(vb_fields *f, const char *name, size_t min, size_t max, uint32_t **out,
                     size_t *n) {
    const json_t *a = vb_field_array(f, name, min, max);
    if (!a) {
        return;
    }
    size_t count = json_array_size(a);
    uint32_t *ids = malloc((count ? count : 1) * sizeof *ids);
    if (!ids) {
        vb_field_fail(f, VB_ENOMEM, name, "no memory for %zu tokens", count);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        const json_t *v = json_array_get(a, i);
        json_int_t id = json_is_integer(v) ? json_integer_value(v) : -1;
        if (id < 0 || id >= (json_int_t)VB_MODEL_VOCAB_MAX) {
            vb_field_fail(f, VB_EFORMAT, name, "item %zu: expected a token id, 0 .. %u", i,
                          VB_MODEL_VOCAB_MAX - 1);
            free(ids);
            return;
        }
        ids[i] = (uint32_t)id;
    }
    *out = ids;
    *n = count;
}
