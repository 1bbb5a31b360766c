/*
 * Metadata values as text for people. The bytes come from strangers and the text goes to a
 * terminal: whatever could steer one (control characters, C1 and direction overrides, bytes that
 * are not UTF-8) is escaped.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gguf/gguf_internal.h"

/* Text that grows inside the caller's buffer; full once something did not fit. */
typedef struct text {
    char *p;
    size_t len;
    size_t max; /* bytes, with the terminating zero */
    bool full;
} text;

/* All of s or nothing: an escape or a character is never cut. */
static void put(text *t, const char *s, size_t len) {
    if (t->full || len >= t->max - t->len) {
        t->full = true;
        return;
    }
    memcpy(t->p + t->len, s, len);
    t->len += len;
}

/* Bytes of the UTF-8 character at p (left >= 1) and its code point; 0 when ill-formed. */
static size_t utf8_at(const uint8_t *p, size_t left, uint32_t *code) {
    size_t n = p[0] < 0x80 ? 1 : p[0] >= 0xc2 && p[0] < 0xe0 ? 2 : (p[0] & 0xf0) == 0xe0 ? 3 : 4;
    if (n > left || (n == 1 && p[0] >= 0x80) || (n == 4 && (p[0] < 0xf0 || p[0] > 0xf4))) {
        return 0;
    }
    uint32_t c = n == 1 ? p[0] : p[0] & (0xffu >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
        c = c << 6 | (p[i] & 0x3fu);
    }
    bool overlong = (n == 3 && c < 0x800) || (n == 4 && c < 0x10000);
    if (overlong || c > 0x10ffff || (c >= 0xd800 && c < 0xe000)) {
        return 0;
    }
    *code = c;
    return n;
}

/* Code points that can hide or reorder what follows on a terminal. */
static bool steers(uint32_t c) {
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x200b && c <= 0x200f) ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff;
}

static void put_string(text *t, vb_str s) {
    const uint8_t *p = (const uint8_t *)s.p;
    put(t, "\"", 1);
    for (size_t i = 0; i < s.len && !t->full;) {
        char escape[16];
        uint32_t c = 0;
        size_t n = utf8_at(p + i, s.len - i, &c);
        if (n == 0) {
            snprintf(escape, sizeof escape, "\\x%02x", p[i]);
            put(t, escape, strlen(escape));
            i++;
            continue;
        }
        const char *special = c == '"'    ? "\\\""
                              : c == '\\' ? "\\\\"
                              : c == '\n' ? "\\n"
                              : c == '\t' ? "\\t"
                              : c == '\r' ? "\\r"
                                          : NULL;
        if (special) {
            put(t, special, 2);
        } else if (steers(c)) {
            snprintf(escape, sizeof escape, "\\u%04" PRIx32, c);
            put(t, escape, strlen(escape));
        } else {
            put(t, (const char *)p + i, n);
        }
        i += n;
    }
    put(t, "\"", 1);
}

/* The fewest digits that read back as the same number, without an exponent where that is short. */
static void put_float(text *t, double v, bool is_f32) {
    char s[64];
    if (!(v - v == 0)) {
        const char *name = v != v ? "nan" : v > 0 ? "inf" : "-inf";
        put(t, name, strlen(name));
        return;
    }
    int digits = 1;
    int digits_max = is_f32 ? 9 : 17;
    for (; digits < digits_max; digits++) {
        snprintf(s, sizeof s, "%.*e", digits - 1, v);
        double back = strtod(s, NULL);
        if (is_f32 ? (float)back == (float)v : back == v) {
            break;
        }
    }
    snprintf(s, sizeof s, "%.*e", digits - 1, v);
    const char *exponent = strchr(s, 'e');
    long x = exponent ? strtol(exponent + 1, NULL, 10) : 0;
    if (x >= -7 && x < 16) {
        long decimals = digits - 1 - x;
        snprintf(s, sizeof s, "%.*f", decimals > 0 ? (int)decimals : 0, v);
    }
    put(t, s, strlen(s));
}

static void put_value(text *t, const vb_gguf *g, const vb_gguf_kv *kv) {
    char s[64];
    const uint8_t *p = gguf_value_bytes(g, kv);
    bool negative;
    uint64_t v;
    if (kv->type == VB_GGUF_ARRAY) {
        snprintf(s, sizeof s, "[%" PRIu64 " %s%s]", kv->n_items, vb_gguf_type_name(kv->item_type),
                 kv->item_type == VB_GGUF_STRING && kv->n_items != 1 ? "s" : "");
        put(t, s, strlen(s));
    } else if (kv->type == VB_GGUF_STRING) {
        put_string(t, (vb_str){(const char *)p + 8, (size_t)vb_load_u64le(p)});
    } else if (kv->type == VB_GGUF_BOOL) {
        put(t, p[0] ? "true" : "false", p[0] ? 4 : 5);
    } else if (gguf_int_decode(kv->type, p, &negative, &v)) {
        snprintf(s, sizeof s, "%s%" PRIu64, negative ? "-" : "", v);
        put(t, s, strlen(s));
    } else {
        put_float(t, gguf_float_value(g, kv), kv->type == VB_GGUF_F32);
    }
}

void vb_gguf_format_value(const vb_gguf *g, const vb_gguf_kv *kv, char *out, size_t max) {
    VB_ASSERT(max >= 1);
    text t = {out, 0, max, false};
    put_value(&t, g, kv);
    if (t.full && max >= 4) {
        /* Room for the dots, without leaving half a character before them. */
        size_t keep = t.len < max - 4 ? t.len : max - 4;
        while (keep && keep < t.len && ((uint8_t)out[keep] & 0xc0) == 0x80) {
            keep--;
        }
        memcpy(out + keep, "...", 3);
        t.len = keep + 3;
    }
    out[t.len] = 0;
}
