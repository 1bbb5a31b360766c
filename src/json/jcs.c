#include "json/jcs.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"

enum { DIGITS_MAX = 17 };

/* x > 0 as n correctly rounded decimal digits d1.d2.. * 10^exp. The decimal point of the locale is
 * skipped, whatever it is. */
static void to_digits(double x, int n, char digits[DIGITS_MAX + 1], int *exp) {
    char text[64];
    snprintf(text, sizeof text, "%.*e", n - 1, x);
    int k = 0;
    const char *p = text;
    for (; *p != 'e'; p++) {
        if (*p >= '0' && *p <= '9') {
            digits[k++] = *p;
        }
    }
    digits[k] = 0;
    *exp = (int)strtol(p + 1, NULL, 10);
}

static double from_digits(const char *digits, int exp) {
    /* All digits before the exponent: no decimal point, so no locale. */
    char text[64];
    snprintf(text, sizeof text, "%se%d", digits, exp - (int)strlen(digits) + 1);
    return strtod(text, NULL);
}

/* The next decimal of the same length; exp grows when all digits were nines. */
static void next_digits(char *digits, int *exp) {
    for (int i = (int)strlen(digits) - 1; i >= 0; i--) {
        if (digits[i] != '9') {
            digits[i]++;
            return;
        }
        digits[i] = '0';
    }
    digits[0] = '1';
    (*exp)++;
}

/* The fewest digits that read back as x; of those, the nearest to x. The nearest decimal of a
 * length reads back if any does, except below a power of two, where doubles lie twice as dense:
 * there the decimal above may read back when the nearest, below, does not. */
static void shortest(double x, char digits[DIGITS_MAX + 1], int *exp) {
    for (int n = 1; n <= DIGITS_MAX; n++) {
        to_digits(x, n, digits, exp);
        if (from_digits(digits, *exp) == x) {
            break;
        }
        char above[DIGITS_MAX + 1];
        int above_exp = *exp;
        memcpy(above, digits, sizeof above);
        next_digits(above, &above_exp);
        if (from_digits(above, above_exp) == x) {
            memcpy(digits, above, sizeof above);
            *exp = above_exp;
            break;
        }
    }
    size_t n = strlen(digits);
    while (n > 1 && digits[n - 1] == '0') {
        digits[--n] = 0;
    }
}

void vb_jcs_number(double x, char out[VB_JCS_NUMBER_BYTES]) {
    static const char zeros[] = "000000000000000000000";
    char d[DIGITS_MAX + 1];
    const char *sign = x < 0 ? "-" : "";
    int exp;
    if (x == 0) {
        memcpy(out, "0", 2); /* -0 too: ECMAScript has it so */
        return;
    }
    shortest(x < 0 ? -x : x, d, &exp);
    int k = (int)strlen(d), n = exp + 1; /* x = 0.d1d2..dk * 10^n */
    int len;
    const size_t max = VB_JCS_NUMBER_BYTES;
    if (k <= n && n <= 21) {
        len = snprintf(out, max, "%s%s%.*s", sign, d, n - k, zeros);
    } else if (0 < n && n <= 21) {
        len = snprintf(out, max, "%s%.*s.%s", sign, n, d, d + n);
    } else if (-6 < n && n <= 0) {
        len = snprintf(out, max, "%s0.%.*s%s", sign, -n, zeros, d);
    } else if (k == 1) {
        len = snprintf(out, max, "%s%se%+d", sign, d, n - 1);
    } else {
        len = snprintf(out, max, "%s%c.%se%+d", sign, d[0], d + 1, n - 1);
    }
    VB_ASSERT(len > 0 && (size_t)len < max);
}

static vb_err append_string(const char *s, size_t n, vb_buf *out) {
    vb_err err = vb_buf_append(out, "\"", 1);
    size_t from = 0; /* start of what needs no escape and is not written yet */
    for (size_t i = 0; i < n && !err; i++) {
        unsigned char c = (unsigned char)s[i];
        if (c >= 0x20 && c != '"' && c != '\\') {
            continue;
        }
        err = vb_buf_append(out, s + from, i - from);
        from = i + 1;
        if (err) {
            break;
        }
        switch (c) {
        case '\b': err = vb_buf_append(out, "\\b", 2); break;
        case '\t': err = vb_buf_append(out, "\\t", 2); break;
        case '\n': err = vb_buf_append(out, "\\n", 2); break;
        case '\f': err = vb_buf_append(out, "\\f", 2); break;
        case '\r': err = vb_buf_append(out, "\\r", 2); break;
        case '"': err = vb_buf_append(out, "\\\"", 2); break;
        case '\\': err = vb_buf_append(out, "\\\\", 2); break;
        default: err = vb_buf_printf(out, "\\u%04x", c); break;
        }
    }
    if (!err) {
        err = vb_buf_append(out, s + from, n - from);
    }
    return err ? err : vb_buf_append(out, "\"", 1);
}

typedef struct member {
    const char *name;
    size_t n_name;
    json_t *value;
} member;

/* Order of UTF-16 code units for valid UTF-8: that of the bytes, except that the characters from
 * U+10000 on (first byte >= 0xf0: surrogates, 0xd800 ..) come before U+E000 .. U+FFFF (first byte
 * 0xee or 0xef). */
static int compare_members(const void *pa, const void *pb) {
    const member *a = pa, *b = pb;
    size_t n = a->n_name < b->n_name ? a->n_name : b->n_name;
    for (size_t i = 0; i < n; i++) {
        unsigned char x = (unsigned char)a->name[i], y = (unsigned char)b->name[i];
        if (x != y) {
            bool x_high = x == 0xee || x == 0xef, y_high = y == 0xee || y == 0xef;
            if ((x_high && y >= 0xf0) || (y_high && x >= 0xf0)) {
                return x_high ? 1 : -1;
            }
            return x < y ? -1 : 1;
        }
    }
    return a->n_name < b->n_name ? -1 : a->n_name > b->n_name;
}

static vb_err append_value(const json_t *value, unsigned depth, vb_buf *out, vb_error *e);

/* depth is that of containers, the outermost at 1: how vb_json_parse counts. */
static vb_err check_depth(unsigned depth, vb_error *e) {
    return depth > VB_JSON_DEPTH_MAX
               ? vb_fail(e, VB_ELIMIT, "JSON nested deeper than %u", VB_JSON_DEPTH_MAX)
               : VB_OK;
}

static vb_err append_object(const json_t *object, unsigned depth, vb_buf *out, vb_error *e) {
    size_t n = json_object_size(object), i = 0;
    vb_err err = check_depth(depth, e);
    if (err) {
        return err;
    }
    member *members = malloc((n ? n : 1) * sizeof *members);
    if (!members) {
        return vb_fail(e, VB_ENOMEM, "no memory to sort the members of an object");
    }
    /* jansson's iterators take a pointer that is not const but change nothing. */
    json_t *o = (json_t *)(uintptr_t)object;
    for (void *it = json_object_iter(o); it; it = json_object_iter_next(o, it)) {
        members[i++] = (member){json_object_iter_key(it), json_object_iter_key_len(it),
                                json_object_iter_value(it)};
    }
    qsort(members, n, sizeof *members, compare_members);
    err = vb_buf_append(out, "{", 1);
    for (i = 0; i < n && !err; i++) {
        err = i ? vb_buf_append(out, ",", 1) : VB_OK;
        if (!err) {
            err = append_string(members[i].name, members[i].n_name, out);
        }
        if (!err) {
            err = vb_buf_append(out, ":", 1);
        }
        if (!err) {
            err = append_value(members[i].value, depth + 1, out, e);
        }
    }
    free(members);
    return err ? err : vb_buf_append(out, "}", 1);
}

static vb_err append_array(const json_t *array, unsigned depth, vb_buf *out, vb_error *e) {
    vb_err err = check_depth(depth, e);
    if (!err) {
        err = vb_buf_append(out, "[", 1);
    }
    size_t n = json_array_size(array);
    for (size_t i = 0; i < n && !err; i++) {
        err = i ? vb_buf_append(out, ",", 1) : VB_OK;
        if (!err) {
            err = append_value(json_array_get(array, i), depth + 1, out, e);
        }
    }
    return err ? err : vb_buf_append(out, "]", 1);
}

static vb_err append_value(const json_t *value, unsigned depth, vb_buf *out, vb_error *e) {
    switch (json_typeof(value)) {
    case JSON_OBJECT: return append_object(value, depth, out, e);
    case JSON_ARRAY: return append_array(value, depth, out, e);
    case JSON_STRING:
        return append_string(json_string_value(value), json_string_length(value), out);
    case JSON_TRUE: return vb_buf_append(out, "true", 4);
    case JSON_FALSE: return vb_buf_append(out, "false", 5);
    case JSON_NULL: return vb_buf_append(out, "null", 4);
    case JSON_INTEGER: {
        json_int_t v = json_integer_value(value);
        if (v > VB_JCS_INTEGER_MAX || v < -VB_JCS_INTEGER_MAX) {
            return vb_fail(e, VB_EFORMAT, "the integer %lld is beyond 2^53", (long long)v);
        }
        return vb_buf_printf(out, "%lld", (long long)v);
    }
    case JSON_REAL: {
        char text[VB_JCS_NUMBER_BYTES];
        vb_jcs_number(json_real_value(value), text);
        return vb_buf_append(out, text, strlen(text));
    }
    }
    return vb_fail(e, VB_EINTERNAL, "a JSON value of no known type");
}

vb_err vb_jcs_append(const json_t *value, vb_buf *out, vb_error *e) {
    if (e) {
        e->code = VB_OK;
    }
    vb_err err = append_value(value, 1, out, e);
    if (err && e && e->code == VB_OK) {
        vb_fail(e, err, "canonical JSON: %s",
                err == VB_ELIMIT ? "more bytes than allowed" : "no memory");
    }
    return err;
}
