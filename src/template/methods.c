/* Methods of strings, mappings, lists, loops and cyclers. What changes a value is refused: the
 * sandbox that templates run in is immutable. */
#include <string.h>

#include "template/functions.h"

#define METHOD(name)                                                                               \
    static vb_value name(vb_render *r, vb_value input, vb_args *args, const vb_value *v)

METHOD(strip) {
    (void)args;
    return vb_string_strip(r, input.as.string, v[0], VB_SIDE_BOTH);
}

METHOD(strip_left) {
    (void)args;
    return vb_string_strip(r, input.as.string, v[0], VB_SIDE_LEFT);
}

METHOD(strip_right) {
    (void)args;
    return vb_string_strip(r, input.as.string, v[0], VB_SIDE_RIGHT);
}

METHOD(split) {
    (void)args;
    const int64_t max = vb_integer_argument(r, v[1], -1, "the maxsplit of split()");
    return r->err ? input : vb_string_split(r, input.as.string, v[0], max < 0 ? -1 : max, false);
}

METHOD(split_right) {
    (void)args;
    const int64_t max = vb_integer_argument(r, v[1], -1, "the maxsplit of rsplit()");
    return r->err ? input : vb_string_split(r, input.as.string, v[0], max < 0 ? -1 : max, true);
}

METHOD(split_lines) {
    (void)args;
    return vb_string_lines(r, input.as.string, vb_value_truth(r, v[0]));
}

METHOD(upper) {
    (void)args;
    (void)v;
    return vb_string_case(r, input.as.string, VB_CASE_UPPER);
}

METHOD(lower) {
    (void)args;
    (void)v;
    return vb_string_case(r, input.as.string, VB_CASE_LOWER);
}

METHOD(title) {
    (void)args;
    (void)v;
    return vb_string_case(r, input.as.string, VB_CASE_TITLE);
}

METHOD(capitalize) {
    (void)args;
    (void)v;
    return vb_string_case(r, input.as.string, VB_CASE_CAPITALIZE);
}

METHOD(swap_case) {
    (void)args;
    (void)v;
    return vb_string_case(r, input.as.string, VB_CASE_SWAP);
}

/* Methods that jinja2's Markup escapes its arguments for. */
static bool refuse_safe(vb_render *r, vb_value input, const char *name) {
    if (input.as.string->safe) {
        vb_render_fail(r, VB_EUNSUPPORTED, "%s() of a text marked safe is not supported", name);
    }
    return r->err != VB_OK;
}

METHOD(replace) {
    (void)args;
    const vb_string *old = vb_string_argument(r, v[0], "replace()");
    const vb_string *new_text = vb_string_argument(r, v[1], "replace()");
    const int64_t count = vb_integer_argument(r, v[2], -1, "the count of replace()");
    if (refuse_safe(r, input, "replace")) {
        return input;
    }
    return vb_string_replace(r, input.as.string, old, new_text, count);
}

METHOD(join) {
    (void)args;
    return refuse_safe(r, input, "join") ? input : vb_string_join(r, input.as.string, v[0], false);
}

/* s[start:end] in bytes; false when start is beyond the end. */
static bool part_of(vb_render *r, const vb_string *s, vb_value start, vb_value end, size_t *from,
                    size_t *to) {
    const int64_t n = (int64_t)vb_string_chars(s);
    if (start.kind == VB_VALUE_NONE) {
        start.kind = VB_VALUE_MISSING;
    }
    if (end.kind == VB_VALUE_NONE) {
        end.kind = VB_VALUE_MISSING;
    }
    int64_t a = vb_integer_argument(r, start, 0, "the start"),
            b = vb_integer_argument(r, end, n, "the end");
    a = a < 0 ? (a + n < 0 ? 0 : a + n) : a;
    b = b < 0 ? (b + n < 0 ? 0 : b + n) : b > n ? n : b;
    if (!vb_render_step(r, s->len / 64) || a > n || a > b) {
        return false;
    }
    *from = vb_string_offset(s, (size_t)a);
    *to = vb_string_offset(s, (size_t)b);
    return true;
}

static vb_value edge(vb_render *r, const vb_string *s, const vb_value *v, bool end) {
    size_t from = 0, to = 0;
    const bool tuple = v[0].kind == VB_VALUE_TUPLE;
    const vb_value *edges = tuple ? v[0].as.items->v : v;
    const size_t n = tuple ? v[0].as.items->n : 1;
    bool found = false;
    const bool inside = part_of(r, s, v[1], v[2], &from, &to);
    for (size_t i = 0; i < n && !found && vb_render_step(r, 1); i++) {
        const vb_string *t = vb_string_argument(r, edges[i], end ? "endswith()" : "startswith()");
        found = inside && t->len <= to - from &&
                memcmp(s->p + (end ? to - t->len : from), t->p, t->len) == 0;
    }
    return vb_bool(found);
}

METHOD(starts_with) {
    (void)args;
    return edge(r, input.as.string, v, false);
}

METHOD(ends_with) {
    (void)args;
    return edge(r, input.as.string, v, true);
}

/* Where a text is, as a number of characters; -1: nowhere. */
static int64_t find_text(vb_render *r, const vb_string *s, const vb_value *v, bool right) {
    const vb_string *needle = vb_string_argument(r, v[0], "what to find");
    size_t from, to, at = SIZE_MAX;
    if (!part_of(r, s, v[1], v[2], &from, &to)) {
        return -1;
    }
    const vb_string part = {.p = s->p, .len = to};
    for (size_t next = from; !r->err; next = at + 1) {
        const size_t found = vb_string_find(r, &part, needle, next);
        if (found == SIZE_MAX) {
            break;
        }
        at = found;
        if (!right || !vb_render_step(r, 1)) {
            break;
        }
    }
    if (at == SIZE_MAX) {
        return -1;
    }
    const vb_string before = {.p = s->p, .len = at};
    return (int64_t)vb_string_chars(&before);
}

METHOD(find) {
    (void)args;
    return vb_integer(find_text(r, input.as.string, v, false));
}

METHOD(find_right) {
    (void)args;
    return vb_integer(find_text(r, input.as.string, v, true));
}

static vb_value found_or_fail(vb_render *r, int64_t at) {
    return at < 0 ? vb_render_fail(r, VB_EINVAL, "index(): the text is not in the string")
                  : vb_integer(at);
}

METHOD(text_index) {
    (void)args;
    return found_or_fail(r, find_text(r, input.as.string, v, false));
}

METHOD(text_index_right) {
    (void)args;
    return found_or_fail(r, find_text(r, input.as.string, v, true));
}

METHOD(count) {
    const vb_string *needle = vb_string_argument(r, v[0], "count()");
    size_t from, to;
    int64_t n = 0;
    (void)args;
    if (!part_of(r, input.as.string, v[1], v[2], &from, &to)) {
        return vb_integer(0);
    }
    const vb_string part = {.p = input.as.string->p + from, .len = to - from};
    if (!needle->len) {
        return vb_integer((int64_t)vb_string_chars(&part) + 1);
    }
    for (size_t at = 0; vb_render_step(r, 1); n++) {
        at = vb_string_find(r, &part, needle, at);
        if (at == SIZE_MAX) {
            break;
        }
        at += needle->len;
    }
    return vb_integer(n);
}

METHOD(remove_prefix) {
    const vb_string *s = input.as.string, *t = vb_string_argument(r, v[0], "removeprefix()");
    (void)args;
    const bool has = t->len <= s->len && memcmp(s->p, t->p, t->len) == 0;
    return has ? vb_string_part(r, s, t->len, s->len - t->len) : input;
}

METHOD(remove_suffix) {
    const vb_string *s = input.as.string, *t = vb_string_argument(r, v[0], "removesuffix()");
    (void)args;
    const bool has = t->len <= s->len && memcmp(s->p + s->len - t->len, t->p, t->len) == 0;
    return has ? vb_string_part(r, s, 0, s->len - t->len) : input;
}

static vb_value partition(vb_render *r, const vb_string *s, vb_value by, bool right) {
    const vb_string *needle = vb_string_argument(r, by, "partition()");
    vb_value three = vb_items_make(r, VB_VALUE_TUPLE, 3);
    if (!needle->len) {
        return vb_render_fail(r, VB_EINVAL, "the separator of partition() is empty");
    }
    vb_value parts = vb_string_split(r, s, by, 1, right);
    if (r->err) {
        return parts;
    }
    vb_value *out = three.as.items->v;
    const vb_value *found = parts.as.items->v;
    if (parts.as.items->n == 2) {
        const size_t at = found[0].as.string->len;
        out[0] = found[0];
        out[1] = vb_string_part(r, s, at, needle->len);
        out[2] = found[1];
    } else {
        out[0] = out[1] = out[2] = vb_text_value(r, "");
        out[right ? 2 : 0] = found[0];
    }
    return three;
}

METHOD(partition_left) {
    (void)args;
    return partition(r, input.as.string, v[0], false);
}

METHOD(partition_right) {
    (void)args;
    return partition(r, input.as.string, v[0], true);
}

#define CLASS_METHOD(name, what)                                                                   \
    METHOD(name) {                                                                                 \
        (void)args;                                                                                \
        (void)v;                                                                                   \
        return vb_bool(vb_string_all(r, input.as.string, what));                                   \
    }
CLASS_METHOD(is_alpha, VB_CLASS_ALPHA)
CLASS_METHOD(is_digit, VB_CLASS_DIGIT)
CLASS_METHOD(is_decimal, VB_CLASS_DECIMAL)
CLASS_METHOD(is_alnum, VB_CLASS_ALNUM)
CLASS_METHOD(is_space, VB_CLASS_SPACE)
CLASS_METHOD(is_upper, VB_CLASS_UPPER)
CLASS_METHOD(is_lower, VB_CLASS_LOWER)

/* Ideographs may be numbers, which the library does not tell: refused. */
METHOD(is_numeric) {
    const vb_string *s = input.as.string;
    (void)args;
    (void)v;
    for (size_t i = 0; i < s->len && vb_render_step(r, 1); i += vb_char_bytes(s, i)) {
        const uint32_t cp = vb_char_at(s, i);
        if (cp >= 0x3400 && cp < 0x110000) {
            return vb_render_fail(r, VB_EUNSUPPORTED, "isnumeric() of U+%04X is not supported",
                                  (unsigned)cp);
        }
    }
    return vb_bool(vb_string_all(r, s, VB_CLASS_NUMERIC));
}

/* str.format with {}, {0} and {name}; conversions, attributes and formats are refused. */
static vb_value format_field(vb_render *r, const vb_string *field, const vb_args *args,
                             size_t *next) {
    if (!field->len && *next < args->n) {
        return args->v[(*next)++];
    }
    if (field->len && vb_string_all(r, field, VB_CLASS_DIGIT) && field->len < 6) {
        size_t i = 0;
        for (size_t k = 0; k < field->len; k++) {
            i = 10 * i + (size_t)(field->p[k] - '0');
        }
        if (i < args->n) {
            return args->v[i];
        }
    }
    for (size_t k = 0; field->len && k < args->n_keywords; k++) {
        const vb_string name = {.p = args->keywords[k].name, .len = args->keywords[k].len};
        if (vb_string_equal(&name, field)) {
            return args->keywords[k].value;
        }
    }
    for (size_t k = 0; k < field->len; k++) {
        if (strchr("!:.[", field->p[k])) {
            return vb_render_fail(r, VB_EUNSUPPORTED, "format() with {%.*s} is not supported",
                                  (int)(field->len < 64 ? field->len : 64), field->p);
        }
    }
    return vb_render_fail(r, VB_EINVAL, "format() with {%.*s}, which is not given",
                          (int)(field->len < 64 ? field->len : 64), field->p);
}

METHOD(format) {
    const vb_string *s = input.as.string;
    vb_builder b = {.r = r};
    size_t next = 0, i = 0;
    (void)v;
    if (refuse_safe(r, input, "format")) {
        return input;
    }
    while (i < s->len && vb_render_step(r, 1)) {
        const char c = s->p[i];
        if (c != '{' && c != '}') {
            vb_builder_part(&b, s, i++, 1);
        } else if (i + 1 < s->len && s->p[i + 1] == c) {
            vb_builder_part(&b, s, i, 1);
            i += 2;
        } else {
            const char *close = c == '{' ? memchr(s->p + i, '}', s->len - i) : NULL;
            if (!close) {
                return vb_render_fail(r, VB_EINVAL, "format() with a brace that has no partner");
            }
            const vb_string field = {.p = s->p + i + 1, .len = (size_t)(close - s->p) - i - 1};
            vb_value_print(&b, format_field(r, &field, args, &next));
            i += field.len + 2;
        }
    }
    return vb_builder_value(&b);
}

/* Fills up to a width of characters. */
static vb_value justify(vb_render *r, const vb_string *s, const vb_value *v, bool left) {
    vb_builder b = {.r = r};
    const int64_t n = (int64_t)vb_string_chars(s), width = vb_integer_argument(r, v[0], 0, "width");
    vb_value fill = v[1].kind == VB_VALUE_MISSING ? vb_text_value(r, " ") : v[1];
    const vb_string *c = vb_string_argument(r, fill, "the fill character");
    if (!r->err && vb_string_chars(c) != 1) {
        return vb_render_fail(r, VB_EINVAL, "the fill character: expected one character");
    }
    if (left) {
        vb_builder_string(&b, s);
    }
    for (int64_t i = n; i < width && vb_render_step(r, 1); i++) {
        vb_builder_string(&b, c);
    }
    if (!left) {
        vb_builder_string(&b, s);
    }
    return vb_builder_value(&b);
}

METHOD(justify_left) {
    (void)args;
    return justify(r, input.as.string, v, true);
}

METHOD(justify_right) {
    (void)args;
    return justify(r, input.as.string, v, false);
}

METHOD(zero_fill) {
    const vb_string *s = input.as.string;
    vb_builder b = {.r = r};
    (void)args;
    const int64_t n = (int64_t)vb_string_chars(s), width = vb_integer_argument(r, v[0], 0, "width");
    const size_t sign = s->len && (s->p[0] == '-' || s->p[0] == '+');
    vb_builder_part(&b, s, 0, sign);
    for (int64_t i = n; i < width && vb_render_step(r, 1); i++) {
        vb_builder_text(&b, "0", 1, false);
    }
    vb_builder_part(&b, s, sign, s->len - sign);
    return vb_builder_value(&b);
}

static vb_value view(vb_render *r, const vb_dict *d, const char *name, bool keys, bool values) {
    vb_value x = vb_items_make(r, VB_VALUE_VIEW, d->n);
    if (r->err) {
        return x;
    }
    x.as.items->name = name;
    for (size_t i = 0; i < d->n && !r->err; i++) {
        if (keys && values) {
            vb_value both = vb_items_make(r, VB_VALUE_TUPLE, 2);
            if (!r->err) {
                both.as.items->v[0] = d->entries[i].key;
                both.as.items->v[1] = d->entries[i].value;
            }
            x.as.items->v[i] = both;
        } else {
            x.as.items->v[i] = keys ? d->entries[i].key : d->entries[i].value;
        }
    }
    return x;
}

METHOD(items) {
    (void)args;
    (void)v;
    return view(r, input.as.dict, "dict_items", true, true);
}

METHOD(keys) {
    (void)args;
    (void)v;
    return view(r, input.as.dict, "dict_keys", true, false);
}

METHOD(values) {
    (void)args;
    (void)v;
    return view(r, input.as.dict, "dict_values", false, true);
}

METHOD(get) {
    (void)args;
    const vb_value *found = vb_dict_get(r, input.as.dict, v[0]);
    return found ? *found : v[1].kind == VB_VALUE_MISSING ? vb_none() : v[1];
}

METHOD(copy) {
    (void)r;
    (void)args;
    (void)v;
    return input; /* nothing changes a value: a copy is the value */
}

METHOD(list_index) {
    const vb_items *x = input.as.items;
    (void)args;
    for (size_t i = 0; i < x->n && vb_render_step(r, 1); i++) {
        if (vb_value_equal(r, x->v[i], v[0])) {
            return vb_integer((int64_t)i);
        }
    }
    return vb_render_fail(r, VB_EINVAL, "index(): the value is not in the list");
}

METHOD(list_count) {
    const vb_items *x = input.as.items;
    int64_t n = 0;
    (void)args;
    for (size_t i = 0; i < x->n && vb_render_step(r, 1); i++) {
        n += vb_value_equal(r, x->v[i], v[0]);
    }
    return vb_integer(n);
}

METHOD(cycle) {
    (void)v;
    if (!args->n || args->n_keywords) {
        return vb_render_fail(r, VB_EINVAL, "loop.cycle(): expected values to go through");
    }
    return args->v[input.as.loop->index0 % args->n];
}

METHOD(changed) {
    vb_loop *loop = input.as.loop;
    vb_value now = vb_items_make(r, VB_VALUE_TUPLE, args->n);
    (void)v;
    if (args->n_keywords) {
        return vb_render_fail(r, VB_EINVAL, "loop.changed(): expected values without names");
    }
    if (r->err) {
        return now;
    }
    if (args->n) {
        memcpy(now.as.items->v, args->v, args->n * sizeof *args->v);
    }
    const bool same = loop->changed.kind == VB_VALUE_TUPLE && vb_value_equal(r, loop->changed, now);
    loop->changed = now;
    return vb_bool(!same);
}

METHOD(next) {
    vb_cycler *c = input.as.cycler;
    (void)r;
    (void)args;
    (void)v;
    const vb_value now = c->items[c->at];
    c->at = (c->at + 1) % c->n;
    return now;
}

METHOD(reset) {
    (void)r;
    (void)args;
    (void)v;
    input.as.cycler->at = 0;
    return vb_none();
}

#define STRING VB_VALUE_STRING
#define DICT VB_VALUE_DICT
#define LIST VB_VALUE_LIST

const struct vb_method vb_methods[] = {
    {STRING, {"strip", strip, "chars", 0}},
    {STRING, {"lstrip", strip_left, "chars", 0}},
    {STRING, {"rstrip", strip_right, "chars", 0}},
    {STRING, {"split", split, "sep maxsplit", 0}},
    {STRING, {"rsplit", split_right, "sep maxsplit", 0}},
    {STRING, {"splitlines", split_lines, "keepends", 0}},
    {STRING, {"startswith", starts_with, "prefix start end", 1}},
    {STRING, {"endswith", ends_with, "suffix start end", 1}},
    {STRING, {"replace", replace, "old new count", 2}},
    {STRING, {"upper", upper, "", 0}},
    {STRING, {"lower", lower, "", 0}},
    {STRING, {"title", title, "", 0}},
    {STRING, {"capitalize", capitalize, "", 0}},
    {STRING, {"swapcase", swap_case, "", 0}},
    {STRING, {"join", join, "iterable", 1}},
    {STRING, {"find", find, "sub start end", 1}},
    {STRING, {"rfind", find_right, "sub start end", 1}},
    {STRING, {"index", text_index, "sub start end", 1}},
    {STRING, {"rindex", text_index_right, "sub start end", 1}},
    {STRING, {"count", count, "sub start end", 1}},
    {STRING, {"removeprefix", remove_prefix, "prefix", 1}},
    {STRING, {"removesuffix", remove_suffix, "suffix", 1}},
    {STRING, {"partition", partition_left, "sep", 1}},
    {STRING, {"rpartition", partition_right, "sep", 1}},
    {STRING, {"isalpha", is_alpha, "", 0}},
    {STRING, {"isdigit", is_digit, "", 0}},
    {STRING, {"isdecimal", is_decimal, "", 0}},
    {STRING, {"isnumeric", is_numeric, "", 0}},
    {STRING, {"isalnum", is_alnum, "", 0}},
    {STRING, {"isspace", is_space, "", 0}},
    {STRING, {"isupper", is_upper, "", 0}},
    {STRING, {"islower", is_lower, "", 0}},
    {STRING, {"format", format, VB_ANY_ARGUMENTS, 0}},
    {STRING, {"ljust", justify_left, "width fillchar", 1}},
    {STRING, {"rjust", justify_right, "width fillchar", 1}},
    {STRING, {"zfill", zero_fill, "width", 1}},
    {STRING, {"casefold", NULL, "", 0}},
    {STRING, {"center", NULL, "", 0}},
    {STRING, {"encode", NULL, "", 0}},
    {STRING, {"expandtabs", NULL, "", 0}},
    {STRING, {"format_map", NULL, "", 0}},
    {STRING, {"isascii", NULL, "", 0}},
    {STRING, {"isidentifier", NULL, "", 0}},
    {STRING, {"isprintable", NULL, "", 0}},
    {STRING, {"istitle", NULL, "", 0}},
    {STRING, {"maketrans", NULL, "", 0}},
    {STRING, {"translate", NULL, "", 0}},
    {DICT, {"items", items, "", 0}},
    {DICT, {"keys", keys, "", 0}},
    {DICT, {"values", values, "", 0}},
    {DICT, {"get", get, "key default", 1}},
    {DICT, {"copy", copy, "", 0}},
    {DICT, {"clear", NULL, "", 0}},
    {DICT, {"fromkeys", NULL, "", 0}},
    {DICT, {"pop", NULL, "", 0}},
    {DICT, {"popitem", NULL, "", 0}},
    {DICT, {"setdefault", NULL, "", 0}},
    {DICT, {"update", NULL, "", 0}},
    {LIST, {"index", list_index, "value", 1}},
    {LIST, {"count", list_count, "value", 1}},
    {LIST, {"append", NULL, "", 0}},
    {LIST, {"clear", NULL, "", 0}},
    {LIST, {"copy", copy, "", 0}},
    {LIST, {"extend", NULL, "", 0}},
    {LIST, {"insert", NULL, "", 0}},
    {LIST, {"pop", NULL, "", 0}},
    {LIST, {"remove", NULL, "", 0}},
    {LIST, {"reverse", NULL, "", 0}},
    {LIST, {"sort", NULL, "", 0}},
    {VB_VALUE_LOOP, {"cycle", cycle, VB_ANY_ARGUMENTS, 0}},
    {VB_VALUE_LOOP, {"changed", changed, VB_ANY_ARGUMENTS, 0}},
    {VB_VALUE_CYCLER, {"next", next, "", 0}},
    {VB_VALUE_CYCLER, {"reset", reset, "", 0}},
    {VB_VALUE_NONE, {NULL, NULL, NULL, 0}},
};
