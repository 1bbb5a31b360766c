#include "api/read.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "json/json.h"

/* Values that the text can have at most, as a parser would build them. */
static size_t count_values(const char *s, size_t n) {
    size_t values = 1;
    bool in_string = false;
    for (size_t i = 0; i < n; i++) {
        if (in_string && s[i] == '\\') {
            i++;
        } else if (s[i] == '"') {
            in_string = !in_string;
        } else if (!in_string && (s[i] == '{' || s[i] == '[' || s[i] == ',')) {
            values++;
        }
    }
    return values;
}

vb_err vb_api_parse(const char *bytes, size_t n_bytes, size_t max_bytes, size_t *values_left,
                    json_t **out, vb_error *e) {
    if (n_bytes > max_bytes) {
        return vb_fail(e, VB_ELIMIT, "%zu bytes of JSON; at most %zu are read", n_bytes, max_bytes);
    }
    const size_t values = count_values(bytes, n_bytes);
    if (values > *values_left) {
        return vb_fail(e, VB_ELIMIT, "the JSON of a request has at most %u values",
                       VB_API_VALUES_MAX);
    }
    vb_err err = vb_json_parse_foreign(bytes, n_bytes, max_bytes, out, e);
    if (!err) {
        *values_left -= values;
    }
    return err;
}

const char *vb_api_type_name(const json_t *value) {
    if (!value) {
        return "nothing";
    }
    switch (json_typeof(value)) {
    case JSON_OBJECT: return "an object";
    case JSON_ARRAY: return "an array";
    case JSON_STRING: return "a string";
    case JSON_INTEGER: return "an integer";
    case JSON_REAL: return "a decimal";
    case JSON_TRUE:
    case JSON_FALSE: return "a boolean";
    case JSON_NULL: return "null";
    }
    return "nothing";
}

void vb_api_object_fail(vb_api_object *o, const char *name, const char *code, const char *fmt,
                        ...) {
    char param[2 * VB_API_PARAM_BYTES_MAX], text[VB_ERROR_MSG_MAX / 2];
    va_list ap;
    if (o->err) {
        return;
    }
    snprintf(param, sizeof param, "%s%s%s", o->path, o->path[0] && name[0] ? "." : "", name);
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    o->json = NULL;
    o->err = vb_api_fail(o->e, VB_EINVAL, 400, code, param, "'%s': %s.",
                         param[0] ? param : "the body", text);
}

void vb_api_object_starve(vb_api_object *o) {
    if (!o->err) {
        o->json = NULL;
        o->err = VB_ENOMEM;
        vb_api_error_of(VB_ENOMEM, NULL, o->e);
    }
}

static void fail_type(vb_api_object *o, const char *name, const json_t *found,
                      const char *expected) {
    vb_api_object_fail(o, name, "invalid_type", "expected %s, found %s", expected,
                       vb_api_type_name(found));
}

vb_api_object vb_api_object_open(const json_t *value, const char *path, vb_api_error *e) {
    vb_api_object o = {.e = e};
    snprintf(o.path, sizeof o.path, "%s", path);
    if (json_is_object(value)) {
        o.json = value;
    } else {
        fail_type(&o, "", value, "an object");
    }
    return o;
}

vb_api_object vb_api_object_member(vb_api_object *o, const char *name) {
    vb_api_object m = {.e = o->e, .err = o->err};
    const json_t *v = vb_api_member(o, name);
    int n = snprintf(m.path, sizeof m.path, "%s%s%s", o->path, o->path[0] ? "." : "", name);
    VB_ASSERT(n > 0 && (size_t)n < sizeof m.path);
    if (json_is_object(v)) {
        m.json = v;
    } else if (v) {
        fail_type(&m, "", v, "an object");
        o->err = m.err;
    }
    return m;
}

const json_t *vb_api_member(const vb_api_object *o, const char *name) {
    const json_t *v = o->err ? NULL : json_object_get(o->json, name);
    return json_is_null(v) ? NULL : v;
}

bool vb_api_bool(vb_api_object *o, const char *name, bool *out) {
    const json_t *v = vb_api_member(o, name);
    if (v && !json_is_boolean(v)) {
        fail_type(o, name, v, "a boolean");
        return false;
    }
    if (v) {
        *out = json_is_true(v);
    }
    return v;
}

bool vb_api_integer(vb_api_object *o, const char *name, int64_t min, int64_t max, int64_t *out) {
    const json_t *v = vb_api_member(o, name);
    if (!v) {
        return false;
    }
    if (!json_is_integer(v)) {
        fail_type(o, name, v, "an integer");
        return false;
    }
    const int64_t i = json_integer_value(v);
    if (i < min) {
        vb_api_object_fail(o, name, "integer_below_min_value",
                           "expected an integer >= %" PRId64 ", found %" PRId64, min, i);
        return false;
    }
    if (i > max) {
        vb_api_object_fail(o, name, "integer_above_max_value",
                           "expected an integer <= %" PRId64 ", found %" PRId64, max, i);
        return false;
    }
    *out = i;
    return true;
}

bool vb_api_u32(vb_api_object *o, const char *name, uint32_t min, uint32_t max, uint32_t *out) {
    int64_t v;
    if (!vb_api_integer(o, name, min, max, &v)) {
        return false;
    }
    *out = (uint32_t)v;
    return true;
}

bool vb_api_real(vb_api_object *o, const char *name, double min, double max, double *out) {
    const json_t *v = vb_api_member(o, name);
    if (!v) {
        return false;
    }
    if (!json_is_number(v)) {
        fail_type(o, name, v, "a number");
        return false;
    }
    const double x = json_number_value(v);
    if (!(x >= min)) {
        vb_api_object_fail(o, name, "decimal_below_min_value", "expected a number >= %g, found %g",
                           min, x);
        return false;
    }
    if (!(x <= max)) {
        vb_api_object_fail(o, name, "decimal_above_max_value", "expected a number <= %g, found %g",
                           max, x);
        return false;
    }
    *out = x;
    return true;
}

bool vb_api_string(vb_api_object *o, const char *name, size_t min, size_t max, const char **p,
                   size_t *n_bytes) {
    const json_t *v = vb_api_member(o, name);
    if (!v) {
        return false;
    }
    if (!json_is_string(v)) {
        fail_type(o, name, v, "a string");
        return false;
    }
    const size_t n = json_string_length(v);
    if (n < min || n > max) {
        vb_api_object_fail(o, name, n < min ? "string_below_min_length" : "string_above_max_length",
                           "expected a string of %zu to %zu bytes, found %zu", min, max, n);
        return false;
    }
    *p = json_string_value(v);
    *n_bytes = n;
    return true;
}

bool vb_api_name(vb_api_object *o, const char *name, size_t min, char *out, size_t cap) {
    const char *p;
    size_t n;
    char printable[VB_RECEIPT_NAME_BYTES_MAX + 1];
    VB_ASSERT(cap <= sizeof printable);
    if (!vb_api_string(o, name, min, cap - 1, &p, &n)) {
        return false;
    }
    memcpy(printable, p, n);
    printable[n] = 0;
    vb_make_printable(printable);
    if (strlen(printable) != n || memcmp(printable, p, n) != 0) {
        vb_api_object_fail(o, name, "invalid_value", "expected text without control characters");
        return false;
    }
    memcpy(out, printable, n + 1);
    return true;
}

const json_t *vb_api_array(vb_api_object *o, const char *name, size_t min, size_t max) {
    const json_t *v = vb_api_member(o, name);
    if (!v) {
        return NULL;
    }
    if (!json_is_array(v)) {
        fail_type(o, name, v, "an array");
        return NULL;
    }
    const size_t n = json_array_size(v);
    if (n < min || n > max) {
        vb_api_object_fail(o, name, n < min ? "array_below_min_length" : "array_above_max_length",
                           "expected %zu to %zu items, found %zu", min, max, n);
        return NULL;
    }
    return v;
}
