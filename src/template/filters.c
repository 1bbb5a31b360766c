/* Filters of one value: texts, numbers, defaults. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "template/functions.h"
#include "tokenizer/utf8.h"

static const vb_string *text_of(vb_render *r, vb_value v) {
    static const vb_string empty = {.p = ""};
    v = vb_value_str(r, v);
    return r->err ? &empty : v.as.string;
}

#define FILTER(name)                                                                               \
    static vb_value name(vb_render *r, vb_value input, vb_args *args, const vb_value *v)

FILTER(trim) {
    (void)args;
    return vb_string_strip(r, text_of(r, input), v[0], VB_SIDE_BOTH);
}

FILTER(upper) {
    (void)args;
    (void)v;
    return vb_string_case(r, text_of(r, input), VB_CASE_UPPER);
}

FILTER(lower) {
    (void)args;
    (void)v;
    return vb_string_case(r, text_of(r, input), VB_CASE_LOWER);
}

FILTER(capitalize) {
    (void)args;
    (void)v;
    return vb_string_case(r, text_of(r, input), VB_CASE_CAPITALIZE);
}

/* A new word begins after white space, - and opening brackets. */
FILTER(title) {
    const vb_string *s = text_of(r, input);
    vb_builder b = {.r = r};
    size_t word = 0;
    (void)args;
    (void)v;
    for (size_t i = 0; i <= s->len && !r->err;) {
        const uint32_t cp = i < s->len ? vb_char_at(s, i) : ' ';
        const size_t n = i < s->len ? vb_char_bytes(s, i) : 1;
        if (i == s->len || vb_is_python_space(cp) || (cp < 0x80 && strchr("-({[<", (int)cp))) {
            vb_value part = vb_string_part(r, s, word, i - word);
            part = r->err ? part : vb_string_case(r, part.as.string, VB_CASE_CAPITALIZE);
            if (!r->err) {
                vb_builder_string(&b, part.as.string);
                vb_builder_part(&b, s, i, i < s->len ? n : 0);
            }
            word = i + n;
        }
        i += n;
    }
    return vb_builder_value(&b);
}

FILTER(replace) {
    (void)args;
    const vb_string *s = text_of(r, input), *old = text_of(r, v[0]), *new_text = text_of(r, v[1]);
    const int64_t count =
        v[2].kind == VB_VALUE_NONE ? -1 : vb_integer_argument(r, v[2], -1, "the count of replace");
    vb_value x = vb_string_replace(r, s, old, new_text, count);
    if (!r->err && s->safe) {
        return vb_render_fail(r, VB_EUNSUPPORTED,
                              "replacing in a text marked safe is not "
                              "supported");
    }
    return x;
}

FILTER(string) {
    (void)args;
    (void)v;
    return vb_value_str(r, input);
}

FILTER(safe) {
    (void)args;
    (void)v;
    vb_string s = *text_of(r, input);
    s.safe = true;
    return vb_string_value(r, s);
}

FILTER(escape) {
    (void)args;
    (void)v;
    return vb_escape(r, text_of(r, input));
}

FILTER(force_escape) {
    (void)args;
    (void)v;
    vb_string s = *text_of(r, input);
    s.safe = false;
    return vb_escape(r, &s);
}

FILTER(default_value) {
    (void)args;
    const bool use =
        input.kind == VB_VALUE_UNDEFINED || (vb_value_truth(r, v[1]) && !vb_value_truth(r, input));
    if (!use) {
        return input;
    }
    return v[0].kind == VB_VALUE_MISSING ? vb_text_value(r, "") : v[0];
}

static const char *whitespace_trimmed(const vb_string *s, size_t *n) {
    size_t from = 0, to = s->len;
    while (from < to && vb_is_python_space(vb_char_at(s, from))) {
        from += vb_char_bytes(s, from);
    }
    while (to > from && vb_is_python_space(vb_char_at(s, to - vb_char_bytes_before(s, to)))) {
        to -= vb_char_bytes_before(s, to);
    }
    *n = to - from;
    return s->p + from;
}

static int digit_of(char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'z' ? c - 'a' + 10
           : c >= 'A' && c <= 'Z' ? c - 'A' + 10
                                  : 99;
}

/* Python's int(text, base): false when it is none. Too large is an error. */
static bool parse_integer(vb_render *r, const vb_string *s, int64_t base, int64_t *out) {
    size_t n, i = 0;
    const char *p = whitespace_trimmed(s, &n);
    const bool minus = n && p[0] == '-';
    int64_t x = 0;
    i += n && (p[0] == '-' || p[0] == '+');
    const char mark = i + 1 < n && p[i] == '0' ? (char)(p[i + 1] | 0x20) : 0;
    if ((base == 16 && mark == 'x') || (base == 8 && mark == 'o') || (base == 2 && mark == 'b')) {
        i += 2;
    }
    if (i == n) {
        return false;
    }
    for (size_t begin = i; i < n; i++) {
        if (p[i] == '_' && i > begin && i + 1 < n && p[i + 1] != '_') {
            continue;
        }
        const int d = digit_of(p[i]);
        if (d >= base) {
            return false;
        }
        if (__builtin_mul_overflow(x, base, &x) || __builtin_sub_overflow(x, d, &x)) {
            vb_render_fail(r, VB_EUNSUPPORTED, "integers of more than 64 bits are not supported");
            return false;
        }
    }
    if (!minus && __builtin_sub_overflow(0, x, &x)) { /* x was summed up below zero */
        vb_render_fail(r, VB_EUNSUPPORTED, "integers of more than 64 bits are not supported");
        return false;
    }
    *out = x;
    return true;
}

static size_t count_digits(const char *p, size_t n, size_t i) {
    while (i < n && p[i] >= '0' && p[i] <= '9') {
        i++;
    }
    return i;
}

/* Python's float(text): false when it is none. */
static bool parse_float(const vb_string *s, double *out) {
    static const struct {
        const char *text;
        double value;
    } words[] = {{"inf", INFINITY}, {"infinity", INFINITY}, {"nan", NAN}};
    size_t n, i = 0;
    const char *p = whitespace_trimmed(s, &n);
    const bool minus = n && p[0] == '-';
    i += n && (p[0] == '-' || p[0] == '+');
    for (size_t k = 0; k < sizeof words / sizeof *words; k++) {
        if (n - i == strlen(words[k].text) && strncasecmp(p + i, words[k].text, n - i) == 0) {
            *out = minus ? -words[k].value : words[k].value;
            return true;
        }
    }
    const size_t begin = i, whole = count_digits(p, n, i);
    size_t end = whole, digits = whole - begin;
    if (end < n && p[end] == '.') {
        end = count_digits(p, n, whole + 1);
        digits += end - whole - 1;
    }
    if (digits && end < n && (p[end] == 'e' || p[end] == 'E')) {
        size_t e = end + 1;
        e += e < n && (p[e] == '-' || p[e] == '+');
        end = count_digits(p, n, e) > e ? count_digits(p, n, e) : end;
    }
    if (!digits || end != n) {
        return false;
    }
    char text[400]; /* longer ones keep what decides their value in vb_python_float's own way */
    if (n - begin >= sizeof text) {
        return false;
    }
    memcpy(text, p + begin, n - begin);
    text[n - begin] = 0;
    *out = vb_python_float(text, n - begin);
    *out = minus ? -*out : *out;
    return true;
}

static vb_value truncated(vb_render *r, double x, vb_value otherwise) {
    if (isnan(x)) {
        return otherwise;
    }
    if (!(x > -0x1p63 && x < 0x1p63)) {
        return vb_render_fail(r, VB_EUNSUPPORTED,
                              "integers of more than 64 bits are not supported");
    }
    return vb_integer((int64_t)x);
}

FILTER(to_integer) {
    int64_t i;
    double x;
    (void)args;
    const vb_value otherwise = v[0].kind == VB_VALUE_MISSING ? vb_integer(0) : v[0];
    const int64_t base = vb_integer_argument(r, v[1], 10, "the base of int");
    if (base < 2 || base > 36) {
        return vb_render_fail(r, VB_EUNSUPPORTED, "int with a base that is not 2 to 36");
    }
    if (input.kind == VB_VALUE_UNDEFINED) {
        return vb_render_fail(r, VB_EINVAL, "int of %s, which is undefined",
                              input.as.name ? input.as.name : "a value");
    }
    if (vb_value_is_integer(input, &i)) {
        return vb_integer(i);
    }
    if (input.kind == VB_VALUE_FLOAT) {
        return truncated(r, input.as.real, otherwise);
    }
    if (input.kind != VB_VALUE_STRING) {
        return otherwise;
    }
    if (parse_integer(r, input.as.string, base, &i)) {
        return vb_integer(i);
    }
    return !r->err && parse_float(input.as.string, &x) ? truncated(r, x, otherwise) : otherwise;
}

FILTER(to_float) {
    double x;
    (void)args;
    if (input.kind == VB_VALUE_UNDEFINED) {
        return vb_render_fail(r, VB_EINVAL, "float of %s, which is undefined",
                              input.as.name ? input.as.name : "a value");
    }
    if (vb_value_is_number(input)) {
        return vb_float(vb_value_real(input));
    }
    if (input.kind == VB_VALUE_STRING && parse_float(input.as.string, &x)) {
        return vb_float(x);
    }
    return v[0].kind == VB_VALUE_MISSING ? vb_float(0) : v[0];
}

FILTER(absolute) {
    int64_t i;
    (void)args;
    (void)v;
    if (vb_value_is_integer(input, &i)) {
        return i < 0 ? vb_negate(r, vb_integer(i), true) : vb_integer(i);
    }
    if (input.kind == VB_VALUE_FLOAT) {
        return vb_float(fabs(input.as.real));
    }
    return vb_render_fail(r, VB_EINVAL, "abs: expected a number, not %s", vb_value_type(input));
}

/* Python's round(x, digits) of a float: the decimal of x that is nearest, ties to even. */
static double round_decimal(double x, int digits) {
    char text[512];
    if (!isfinite(x) || digits > 300) {
        return x;
    }
    snprintf(text, sizeof text, "%.*f", digits, x);
    return strtod(text, NULL); /* the locale's point was written and is read */
}

FILTER(round_number) {
    int64_t i;
    (void)args;
    const int64_t digits = vb_integer_argument(r, v[0], 0, "the precision of round");
    vb_value method = v[1].kind == VB_VALUE_MISSING ? vb_text_value(r, "common") : v[1];
    const vb_string *name = vb_string_argument(r, method, "the method of round");
    const bool up = vb_string_is(name, "ceil"), down = vb_string_is(name, "floor");
    if (r->err || !vb_value_is_number(input)) {
        return vb_render_fail(r, VB_EINVAL, "round: expected a number, not %s",
                              vb_value_type(input));
    }
    if (!up && !down && !vb_string_is(name, "common")) {
        return vb_render_fail(r, VB_EINVAL, "round: expected common, ceil or floor");
    }
    if (digits < 0 || digits > 18) {
        return vb_render_fail(r, VB_EUNSUPPORTED, "round to %lld digits is not supported",
                              (long long)digits);
    }
    if (!up && !down) {
        return vb_value_is_integer(input, &i) ? vb_integer(i)
                                              : vb_float(round_decimal(input.as.real, (int)digits));
    }
    double unit = 1;
    for (int64_t k = 0; k < digits; k++) {
        unit *= 10;
    }
    const double scaled = vb_value_real(input) * unit;
    if (!(fabs(scaled) <= 0x1p53)) {
        return vb_render_fail(r, VB_EUNSUPPORTED, "round of a number beyond 2^53");
    }
    return vb_float((up ? ceil(scaled) : floor(scaled)) / unit);
}

FILTER(word_count) {
    const vb_string *s = text_of(r, input);
    int64_t n = 0;
    bool inside = false;
    (void)args;
    (void)v;
    for (size_t i = 0; i < s->len && vb_render_step(r, 1); i += vb_char_bytes(s, i)) {
        const size_t len = vb_char_bytes(s, i);
        const vb_string one = {.p = s->p + i, .len = len};
        const bool word = vb_string_is(&one, "_") || vb_string_all(r, &one, VB_CLASS_ALNUM);
        n += word && !inside;
        inside = word;
    }
    return vb_integer(n);
}

FILTER(indent) {
    vb_value width = v[0];
    vb_builder b = {.r = r};
    (void)args;
    if (width.kind != VB_VALUE_STRING) {
        const int64_t n = vb_integer_argument(r, width, 4, "the width of indent");
        vb_builder spaces = {.r = r};
        for (int64_t i = 0; i < n && vb_render_step(r, 1); i++) {
            vb_builder_text(&spaces, " ", 1, true);
        }
        width = vb_builder_value(&spaces);
    }
    if (input.kind != VB_VALUE_STRING) {
        return vb_render_fail(r, VB_EINVAL, "indent: expected a string, not %s",
                              vb_value_type(input));
    }
    /* With one newline more, so that the text's own last newline counts as a line's end. */
    vb_builder whole = {.r = r};
    vb_builder_string(&whole, input.as.string);
    vb_builder_text(&whole, "\n", 1, true);
    vb_value text = vb_builder_value(&whole);
    vb_value lines = r->err ? text : vb_string_lines(r, text.as.string, false);
    const bool first = vb_value_truth(r, v[1]), blank = vb_value_truth(r, v[2]);
    for (size_t i = 0; !r->err && i < lines.as.items->n; i++) {
        const vb_string *line = lines.as.items->v[i].as.string;
        if (i) {
            vb_builder_text(&b, "\n", 1, true);
        }
        if (i ? blank || line->len : first) {
            vb_builder_string(&b, width.as.string);
        }
        vb_builder_string(&b, line);
    }
    return vb_builder_value(&b);
}

/* Up to the last space before the limit, unless words may be cut. */
FILTER(truncate) {
    (void)args;
    const int64_t length = vb_integer_argument(r, v[0], 255, "the length of truncate");
    const int64_t leeway =
        v[3].kind == VB_VALUE_NONE ? 5 : vb_integer_argument(r, v[3], 5, "the leeway of truncate");
    vb_value end = v[2].kind == VB_VALUE_MISSING ? vb_text_value(r, "...") : v[2];
    const vb_string *tail = vb_string_argument(r, end, "the end of truncate");
    const int64_t n_tail = (int64_t)vb_string_chars(tail);
    size_t n = 0;
    vb_builder b = {.r = r};
    if (!vb_value_length(r, input, &n)) {
        return vb_render_fail(r, VB_EINVAL, "truncate: expected a string, not %s",
                              vb_value_type(input));
    }
    if (!r->err && (length < n_tail || leeway < 0)) {
        return vb_render_fail(r, VB_EINVAL,
                              "truncate: expected a length of at least %lld and no negative leeway",
                              (long long)n_tail);
    }
    if (r->err || (int64_t)n - leeway <= length) {
        return input;
    }
    const vb_string *s = vb_string_argument(r, input, "truncate");
    vb_string kept = *s;
    kept.len = vb_string_offset(s, (size_t)(length - n_tail));
    if (!vb_value_truth(r, v[1])) {
        const char *space = memrchr(kept.p, ' ', kept.len);
        kept.len = space ? (size_t)(space - kept.p) : kept.len;
    }
    vb_builder_string(&b, &kept);
    vb_builder_string(&b, tail);
    return vb_builder_value(&b);
}

FILTER(center) {
    const vb_string *s = text_of(r, input);
    vb_builder b = {.r = r};
    (void)args;
    const int64_t width = vb_integer_argument(r, v[0], 80, "the width of center");
    const int64_t n = (int64_t)vb_string_chars(s), space = width > n ? width - n : 0;
    const int64_t left = space / 2 + (space & width & 1);
    for (int64_t i = 0; i < space && vb_render_step(r, 1); i++) {
        if (i == left) {
            vb_builder_string(&b, s);
        }
        vb_builder_text(&b, " ", 1, true);
    }
    if (space == left) {
        vb_builder_string(&b, s);
    }
    return vb_builder_value(&b);
}

FILTER(format) {
    const vb_string *s = text_of(r, input);
    vb_value values;
    (void)v;
    if (args->n && args->n_keywords) {
        return vb_render_fail(r, VB_EINVAL, "format: values with names and without");
    }
    if (args->n_keywords) {
        values = vb_dict_make(r);
        for (size_t i = 0; i < args->n_keywords && !r->err; i++) {
            const vb_keyword *k = &args->keywords[i];
            vb_dict_set(r, values.as.dict, vb_keyword_name(r, k), k->value);
        }
    } else {
        values = vb_items_make(r, VB_VALUE_TUPLE, args->n);
        if (!r->err && args->n) {
            memcpy(values.as.items->v, args->v, args->n * sizeof *args->v);
        }
    }
    return r->err ? values : vb_format_percent(r, s, values);
}

FILTER(attribute) {
    (void)args;
    const vb_string *name = vb_string_argument(r, v[0], "the name of attr");
    if (input.kind == VB_VALUE_DICT) { /* attr never looks into a mapping */
        return vb_method_find(VB_VALUE_DICT, name->p, name->len)
                   ? vb_value_attribute(r, input, name->p, name->len)
                   : vb_undefined("attr");
    }
    return vb_value_attribute(r, input, name->p, name->len);
}

const struct vb_filter vb_text_filters[] = {
    {"trim", trim, "chars", 0},
    {"upper", upper, "", 0},
    {"lower", lower, "", 0},
    {"capitalize", capitalize, "", 0},
    {"title", title, "", 0},
    {"replace", replace, "old new count", 2},
    {"string", string, "", 0},
    {"safe", safe, "", 0},
    {"e", escape, "", 0},
    {"escape", escape, "", 0},
    {"forceescape", force_escape, "", 0},
    {"default", default_value, "default_value boolean", 0},
    {"d", default_value, "default_value boolean", 0},
    {"int", to_integer, "default base", 0},
    {"float", to_float, "default", 0},
    {"abs", absolute, "", 0},
    {"round", round_number, "precision method", 0},
    {"wordcount", word_count, "", 0},
    {"indent", indent, "width first blank", 0},
    {"truncate", truncate, "length killwords end leeway", 0},
    {"center", center, "width", 0},
    {"format", format, VB_ANY_ARGUMENTS, 0},
    {"attr", attribute, "name", 1},
    {"tojson", vb_filter_tojson, "ensure_ascii indent separators sort_keys", 0},
    {NULL, NULL, NULL, 0},
};
