/* JSON in and out: the context's values, and tojson, which is Python's json.dumps. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "template/functions.h"
#include "template/value.h"

static vb_value string_from(vb_render *r, const json_t *j) {
    bool trusted = false;
    for (size_t i = 0; i < r->input->n_trusted; i++) {
        trusted = trusted || r->input->trusted[i] == j;
    }
    return vb_string_value(
        r,
        (vb_string){.p = json_string_value(j), .len = json_string_length(j), .trusted = trusted});
}

static vb_value array_from(vb_render *r, const json_t *j) {
    vb_value list = vb_items_make(r, VB_VALUE_LIST, json_array_size(j));
    for (size_t i = 0; !r->err && i < json_array_size(j); i++) {
        list.as.items->v[i] = vb_value_from_json(r, json_array_get(j, i));
    }
    return list;
}

static vb_value object_from(vb_render *r, const json_t *j) {
    vb_value dict = vb_dict_make(r);
    /* jansson's iterators take objects that may change; this one does not. */
    json_t *object = (json_t *)(uintptr_t)j;
    for (void *i = json_object_iter(object); i && !r->err; i = json_object_iter_next(object, i)) {
        const vb_string key = {.p = json_object_iter_key(i),
                               .len = strlen(json_object_iter_key(i))};
        vb_value k = vb_string_value(r, key);
        vb_value v = vb_value_from_json(r, json_object_iter_value(i));
        if (!r->err) {
            vb_dict_set(r, dict.as.dict, k, v);
        }
    }
    return dict;
}

vb_value vb_value_from_json(vb_render *r, const json_t *j) {
    vb_value v = vb_none();
    if (!vb_render_enter(r)) {
        return v;
    }
    switch (json_typeof(j)) {
    case JSON_OBJECT: v = object_from(r, j); break;
    case JSON_ARRAY: v = array_from(r, j); break;
    case JSON_STRING: v = string_from(r, j); break;
    case JSON_INTEGER: v = vb_integer(json_integer_value(j)); break;
    case JSON_REAL: v = vb_float(json_real_value(j)); break;
    case JSON_TRUE: v = vb_bool(true); break;
    case JSON_FALSE: v = vb_bool(false); break;
    case JSON_NULL: break;
    }
    vb_render_leave(r);
    return v;
}

typedef struct dumper {
    vb_render *r;
    vb_builder b;
    vb_value item_separator, key_separator, indent; /* strings; indent MISSING: one line */
    bool ascii, sort;
    unsigned level;
} dumper;

static void dump(dumper *d, vb_value v);

static void dump_unicode(dumper *d, const vb_string *s, size_t i, uint32_t cp) {
    char text[16];
    if (cp >= 0x10000) {
        const uint32_t x = cp - 0x10000;
        snprintf(text, sizeof text, "\\u%04x\\u%04x", (unsigned)(0xd800 + (x >> 10)),
                 (unsigned)(0xdc00 + (x & 0x3ff)));
    } else {
        snprintf(text, sizeof text, "\\u%04x", (unsigned)cp);
    }
    vb_builder_as(&d->b, text, strlen(text), s, i);
}

static void dump_string(dumper *d, const vb_string *s) {
    static const char from[] = "\"\\\n\r\t\f\b", to[] = "\"\\nrtfb";
    size_t done = 0;
    vb_builder_cstring(&d->b, "\"");
    for (size_t i = 0; i < s->len && !d->r->err;) {
        const uint32_t cp = vb_char_at(s, i);
        const size_t len = vb_char_bytes(s, i);
        if (cp >= 0x110000 && d->ascii) {
            vb_render_fail(d->r, VB_EINVAL, "tojson of a text that is not UTF-8");
        }
        if (cp < 0x20 || cp == '"' || cp == '\\' || (cp > 0x7e && d->ascii && cp != 0x7f)) {
            const char *simple = cp < 0x80 ? memchr(from, (int)cp, sizeof from - 1) : NULL;
            vb_builder_part(&d->b, s, done, i - done);
            done = i + len;
            if (simple) {
                const char text[2] = {'\\', to[simple - from]};
                vb_builder_as(&d->b, text, 2, s, i);
            } else {
                dump_unicode(d, s, i, cp);
            }
        }
        i += len;
    }
    vb_builder_part(&d->b, s, done, s->len - done);
    vb_builder_cstring(&d->b, "\"");
}

static void new_line(dumper *d) {
    if (d->indent.kind == VB_VALUE_STRING) {
        vb_builder_cstring(&d->b, "\n");
        for (unsigned i = 0; i < d->level && !d->r->err; i++) {
            vb_builder_string(&d->b, d->indent.as.string);
        }
    }
}

static void dump_number(dumper *d, vb_value v) {
    char text[VB_FLOAT_TEXT_BYTES];
    if (v.kind == VB_VALUE_FLOAT && !isfinite(v.as.real)) {
        vb_builder_cstring(&d->b, isnan(v.as.real) ? "NaN"
                                  : v.as.real > 0  ? "Infinity"
                                                   : "-Infinity");
    } else if (v.kind == VB_VALUE_FLOAT) {
        vb_python_float_text(v.as.real, text);
        vb_builder_cstring(&d->b, text);
    } else {
        snprintf(text, sizeof text, "%lld", (long long)v.as.integer);
        vb_builder_cstring(&d->b, text);
    }
}

static void dump_items(dumper *d, const vb_items *items) {
    vb_builder_cstring(&d->b, "[");
    d->level++;
    for (size_t i = 0; i < items->n && !d->r->err; i++) {
        if (i) {
            vb_builder_string(&d->b, d->item_separator.as.string);
        }
        new_line(d);
        dump(d, items->v[i]);
    }
    d->level--;
    if (items->n) {
        new_line(d);
    }
    vb_builder_cstring(&d->b, "]");
}

static void dump_key(dumper *d, vb_value key) {
    switch (key.kind) {
    case VB_VALUE_STRING: dump_string(d, key.as.string); break;
    case VB_VALUE_NONE:
    case VB_VALUE_BOOL:
    case VB_VALUE_INTEGER:
    case VB_VALUE_FLOAT:
        vb_builder_cstring(&d->b, "\"");
        dump(d, key);
        vb_builder_cstring(&d->b, "\"");
        break;
    default:
        vb_render_fail(d->r, VB_EINVAL, "tojson of a mapping with a key of type %s",
                       vb_value_type(key));
    }
}

static void dump_dict(dumper *d, const vb_dict *dict) {
    const size_t n = dict->n;
    vb_value *keys = vb_render_take(d->r, n, sizeof *keys);
    vb_value *values = vb_render_take(d->r, n, sizeof *values);
    for (size_t i = 0; values && i < n; i++) {
        keys[i] = dict->entries[i].key;
        values[i] = dict->entries[i].value;
    }
    if (d->sort && values) {
        vb_sort(d->r, keys, values, n, false);
    }
    vb_builder_cstring(&d->b, "{");
    d->level++;
    for (size_t i = 0; i < n && !d->r->err; i++) {
        if (i) {
            vb_builder_string(&d->b, d->item_separator.as.string);
        }
        new_line(d);
        dump_key(d, keys[i]);
        vb_builder_string(&d->b, d->key_separator.as.string);
        dump(d, values[i]);
    }
    d->level--;
    if (n) {
        new_line(d);
    }
    vb_builder_cstring(&d->b, "}");
}

static void dump(dumper *d, vb_value v) {
    if (!vb_render_enter(d->r)) {
        return;
    }
    switch (v.kind) {
    case VB_VALUE_NONE: vb_builder_cstring(&d->b, "null"); break;
    case VB_VALUE_BOOL: vb_builder_cstring(&d->b, v.as.boolean ? "true" : "false"); break;
    case VB_VALUE_INTEGER:
    case VB_VALUE_FLOAT: dump_number(d, v); break;
    case VB_VALUE_STRING: dump_string(d, v.as.string); break;
    case VB_VALUE_LIST:
    case VB_VALUE_TUPLE: dump_items(d, v.as.items); break;
    case VB_VALUE_DICT: dump_dict(d, v.as.dict); break;
    default: vb_render_fail(d->r, VB_EINVAL, "tojson of a value of type %s", vb_value_type(v));
    }
    vb_render_leave(d->r);
}

/* json.dumps: separators as given, else without a space at a line's end. */
static bool read_separators(dumper *d, vb_value separators) {
    const vb_value *v;
    size_t n;
    if (separators.kind == VB_VALUE_MISSING || separators.kind == VB_VALUE_NONE) {
        d->item_separator = vb_text_value(d->r, d->indent.kind == VB_VALUE_MISSING ? ", " : ",");
        d->key_separator = vb_text_value(d->r, ": ");
        return !d->r->err;
    }
    if (!vb_value_iterate(d->r, separators, &v, &n)) {
        return false;
    }
    if (n != 2 || v[0].kind != VB_VALUE_STRING || v[1].kind != VB_VALUE_STRING) {
        vb_render_fail(d->r, VB_EINVAL, "the separators of tojson: expected two strings");
        return false;
    }
    d->item_separator = v[0];
    d->key_separator = v[1];
    return true;
}

static void read_indent(dumper *d, vb_value indent) {
    int64_t n;
    d->indent = (vb_value){.kind = VB_VALUE_MISSING};
    if (vb_value_is_integer(indent, &n)) {
        vb_builder spaces = {.r = d->r};
        for (int64_t i = 0; i < n && !d->r->err && vb_render_step(d->r, 1); i++) {
            vb_builder_text(&spaces, " ", 1, false);
        }
        d->indent = vb_builder_value(&spaces);
    } else if (indent.kind == VB_VALUE_STRING) {
        d->indent = indent;
    } else if (indent.kind != VB_VALUE_NONE && indent.kind != VB_VALUE_MISSING) {
        vb_render_fail(d->r, VB_EINVAL, "the indent of tojson: expected a number or a string");
    }
}

/* tojson(ensure_ascii=false, indent=none, separators=none, sort_keys=false) */
vb_value vb_filter_tojson(vb_render *r, vb_value input, vb_args *args, const vb_value *v) {
    dumper d = {.r = r, .b = {.r = r}};
    (void)args;
    d.ascii = vb_value_truth(r, v[0]);
    d.sort = vb_value_truth(r, v[3]);
    read_indent(&d, v[1]);
    if (r->err || !read_separators(&d, v[2])) {
        return vb_undefined(NULL);
    }
    dump(&d, input);
    return vb_builder_value(&d.b);
}
