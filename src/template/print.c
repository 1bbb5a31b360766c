/* Values as text: Python's str and repr. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <utf8proc.h>

#include "template/value.h"
#include "json/jcs.h"

void vb_python_float_text(double x, char out[VB_FLOAT_TEXT_BYTES]) {
    char number[VB_JCS_NUMBER_BYTES], digits[24];
    int n = 0, point = 0, exponent = 0;
    bool after = false, leading = true;
    if (isnan(x) || isinf(x)) {
        snprintf(out, VB_FLOAT_TEXT_BYTES, "%s", isnan(x) ? "nan" : x < 0 ? "-inf" : "inf");
        return;
    }
    const char *sign = signbit(x) ? "-" : "";
    if (x == 0) {
        snprintf(out, VB_FLOAT_TEXT_BYTES, "%s0.0", sign);
        return;
    }
    /* The shortest digits are those of ECMAScript; only where the point stands differs. */
    vb_jcs_number(fabs(x), number);
    for (const char *p = number; *p; p++) {
        if (*p == 'e') {
            exponent = (int)strtol(p + 1, NULL, 10);
            break;
        }
        if (*p == '.') {
            after = true;
        } else if (*p != '0' || !leading) {
            leading = false;
            digits[n++] = *p;
            point += !after;
        } else {
            point -= after;
        }
    }
    point += exponent; /* x = 0.d1d2... * 10^point */
    while (n > 1 && digits[n - 1] == '0') {
        n--;
    }
    if (point > 16 || point < -3) {
        snprintf(out, VB_FLOAT_TEXT_BYTES, "%s%c%s%.*se%c%02d", sign, digits[0], n > 1 ? "." : "",
                 n - 1, digits + 1, point > 0 ? '+' : '-', abs(point - 1));
    } else if (point <= 0) {
        snprintf(out, VB_FLOAT_TEXT_BYTES, "%s0.%.*s%.*s", sign, -point, "000", n, digits);
    } else if (n <= point) {
        snprintf(out, VB_FLOAT_TEXT_BYTES, "%s%.*s%.*s.0", sign, n, digits, point - n,
                 "0000000000000000");
    } else {
        snprintf(out, VB_FLOAT_TEXT_BYTES, "%s%.*s.%.*s", sign, point, digits, n - point,
                 digits + point);
    }
}

/* Python's str.isprintable for one character. */
static bool printable(uint32_t cp) {
    if (cp < 0x7f) {
        return cp >= 0x20;
    }
    switch (utf8proc_category((utf8proc_int32_t)cp)) {
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP: return false;
    default: return true;
    }
}

static void escape_char(vb_builder *b, const vb_string *s, size_t i, uint32_t cp) {
    char text[16];
    if (cp == '\n' || cp == '\r' || cp == '\t') {
        snprintf(text, sizeof text, "\\%c", cp == '\n' ? 'n' : cp == '\r' ? 'r' : 't');
    } else if (cp >= 0x110000 || cp < 0x100) {
        snprintf(text, sizeof text, "\\x%02x", (unsigned)(cp & 0xff));
    } else {
        snprintf(text, sizeof text, cp < 0x10000 ? "\\u%04x" : "\\U%08x", (unsigned)cp);
    }
    vb_builder_as(b, text, strlen(text), s, i);
}

static void repr_string(vb_builder *b, const vb_string *s) {
    const bool single = s->len && memchr(s->p, '\'', s->len);
    const char quote = single && !memchr(s->p, '"', s->len) ? '"' : '\'';
    if (s->safe) {
        vb_builder_cstring(b, "Markup(");
    }
    vb_builder_text(b, &quote, 1, false);
    size_t done = 0;
    for (size_t i = 0; i < s->len && !b->r->err;) {
        const uint32_t cp = vb_char_at(s, i);
        const size_t len = vb_char_bytes(s, i);
        const bool slash = cp == '\\' || cp == (uint32_t)quote;
        if (slash || cp >= 0x110000 || !printable(cp)) {
            vb_builder_part(b, s, done, i - done);
            done = i + len;
            if (slash) {
                vb_builder_as(b, "\\", 1, s, i);
                done = i;
            } else {
                escape_char(b, s, i, cp);
            }
        }
        i += len;
    }
    vb_builder_part(b, s, done, s->len - done);
    vb_builder_text(b, &quote, 1, false);
    if (s->safe) {
        vb_builder_cstring(b, ")");
    }
}

static void repr_items(vb_builder *b, const vb_items *items, const char *open, const char *close) {
    vb_builder_cstring(b, open);
    for (size_t i = 0; i < items->n && !b->r->err; i++) {
        vb_builder_cstring(b, i ? ", " : "");
        vb_value_repr(b, items->v[i]);
    }
    vb_builder_cstring(b, close);
}

static void repr_dict(vb_builder *b, const vb_dict *d) {
    vb_builder_cstring(b, "{");
    for (size_t i = 0; i < d->n && !b->r->err; i++) {
        vb_builder_cstring(b, i ? ", " : "");
        vb_value_repr(b, d->entries[i].key);
        vb_builder_cstring(b, ": ");
        vb_value_repr(b, d->entries[i].value);
    }
    vb_builder_cstring(b, "}");
}

static void repr_range(vb_builder *b, const vb_items *x) {
    char text[96];
    if (x->step == 1) {
        snprintf(text, sizeof text, "range(%lld, %lld)", (long long)x->start, (long long)x->stop);
    } else {
        snprintf(text, sizeof text, "range(%lld, %lld, %lld)", (long long)x->start,
                 (long long)x->stop, (long long)x->step);
    }
    vb_builder_cstring(b, text);
}

static void repr_view(vb_builder *b, const vb_items *x) {
    vb_builder_cstring(b, x->name);
    repr_items(b, x, "([", "])");
}

static void repr_scalar(vb_builder *b, vb_value v) {
    char text[VB_FLOAT_TEXT_BYTES];
    switch (v.kind) {
    case VB_VALUE_UNDEFINED: vb_builder_cstring(b, "Undefined"); break;
    case VB_VALUE_NONE: vb_builder_cstring(b, "None"); break;
    case VB_VALUE_BOOL: vb_builder_cstring(b, v.as.boolean ? "True" : "False"); break;
    case VB_VALUE_INTEGER:
        snprintf(text, sizeof text, "%lld", (long long)v.as.integer);
        vb_builder_cstring(b, text);
        break;
    case VB_VALUE_FLOAT:
        vb_python_float_text(v.as.real, text);
        vb_builder_cstring(b, text);
        break;
    default:
        /* Python prints an address here, or the inside of the engine. */
        vb_render_fail(b->r, VB_EUNSUPPORTED, "printing %s is not supported", vb_value_type(v));
    }
}

void vb_value_repr(vb_builder *b, vb_value v) {
    if (!vb_render_enter(b->r)) {
        return;
    }
    switch (v.kind) {
    case VB_VALUE_STRING: repr_string(b, v.as.string); break;
    case VB_VALUE_LIST: repr_items(b, v.as.items, "[", "]"); break;
    case VB_VALUE_TUPLE: repr_items(b, v.as.items, "(", v.as.items->n == 1 ? ",)" : ")"); break;
    case VB_VALUE_RANGE: repr_range(b, v.as.items); break;
    case VB_VALUE_VIEW: repr_view(b, v.as.items); break;
    case VB_VALUE_DICT: repr_dict(b, v.as.dict); break;
    case VB_VALUE_NAMESPACE:
        vb_builder_cstring(b, "<Namespace ");
        repr_dict(b, v.as.dict);
        vb_builder_cstring(b, ">");
        break;
    default: repr_scalar(b, v);
    }
    vb_render_leave(b->r);
}

void vb_value_print(vb_builder *b, vb_value v) {
    if (v.kind == VB_VALUE_STRING) {
        vb_builder_string(b, v.as.string);
    } else if (v.kind != VB_VALUE_UNDEFINED) {
        vb_value_repr(b, v);
    }
}

vb_value vb_value_str(vb_render *r, vb_value v) {
    if (v.kind == VB_VALUE_STRING) {
        return v;
    }
    vb_builder b = {.r = r};
    vb_value_print(&b, v);
    vb_value s = vb_builder_value(&b);
    return r->err ? vb_text_value(r, "") : s;
}
