/*
 * Strings with provenance. Every string that is made is built of parts of others, so that each byte
 * keeps saying where it came from; parts of a string are views of it.
 */
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "template/value.h"
#include "tokenizer/utf8.h"

enum { BYTES_PER_STEP = 64 };

bool vb_is_python_space(uint32_t cp) {
    return vb_utf8_is_space(cp) || (cp >= 0x1c && cp <= 0x1f);
}

double vb_python_float(const char *text, size_t len) {
    /* Digits as one integer and an exponent: no decimal point, so no locale. */
    char plain[512];
    size_t n = 0;
    long exponent = 0;
    bool point = false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '.') {
            point = true;
        } else if (text[i] == 'e' || text[i] == 'E') {
            exponent += strtol(text + i + 1, NULL, 10);
            break;
        } else if (n < sizeof plain - 32) {
            plain[n++] = text[i];
            exponent -= point;
        } else { /* beyond what decides the nearest double */
            exponent += !point;
        }
    }
    exponent = exponent > 99999 ? 99999 : exponent < -99999 ? -99999 : exponent;
    plain[n++] = 'e';
    char *p = plain + n;
    if (exponent < 0) {
        *p++ = '-';
        exponent = -exponent;
    }
    for (long unit = 10000; unit; unit /= 10) {
        *p++ = (char)('0' + exponent / unit % 10);
    }
    *p = 0;
    return strtod(plain, NULL);
}

static bool reserve(vb_builder *b, size_t more, bool marks) {
    vb_render *r = b->r;
    const size_t limit = VB_TEXT_BYTES_MAX;
    if (!vb_render_step(r, more / BYTES_PER_STEP)) {
        return false;
    }
    if (more > limit - b->len) {
        vb_render_fail(r, VB_ELIMIT, "a text of more than %u bytes", VB_TEXT_BYTES_MAX);
        return false;
    }
    const size_t need = b->len + more;
    size_t cap = b->cap;
    if (need > cap || !b->p) {
        cap = cap ? cap : 64;
        while (cap < need) {
            cap *= 2;
        }
        char *p = vb_arena_grow(&r->arena, b->p, b->cap, cap);
        if (p) {
            b->p = p;
        }
        char *m = p && b->marks ? vb_arena_grow(&r->arena, b->marks, b->cap, cap) : NULL;
        if (m) {
            b->marks = m;
        }
        if (!p || (b->marks && !m)) {
            vb_render_no_memory(r);
            return false;
        }
        b->cap = cap;
    }
    if (marks && !b->marks) {
        b->marks = vb_render_take(r, b->cap, 1);
        if (!b->marks) {
            return false;
        }
        memset(b->marks, b->trusted, b->len);
    }
    return true;
}

void vb_builder_text(vb_builder *b, const char *p, size_t n, bool trusted) {
    if (!n) {
        return;
    }
    if (!b->len && !b->marks) {
        b->trusted = trusted;
    }
    if (!reserve(b, n, trusted != b->trusted)) {
        return;
    }
    memcpy(b->p + b->len, p, n);
    if (b->marks) {
        memset(b->marks + b->len, trusted, n);
    }
    b->len += n;
}

void vb_builder_cstring(vb_builder *b, const char *text) {
    vb_builder_text(b, text, strlen(text), false);
}

void vb_builder_part(vb_builder *b, const vb_string *s, size_t from, size_t n) {
    if (!n) {
        return;
    }
    if (!s->marks) {
        vb_builder_text(b, s->p + from, n, s->trusted);
    } else if (reserve(b, n, true)) {
        memcpy(b->p + b->len, s->p + from, n);
        memcpy(b->marks + b->len, s->marks + from, n);
        b->len += n;
    }
}

void vb_builder_string(vb_builder *b, const vb_string *s) {
    vb_builder_part(b, s, 0, s->len);
}

void vb_builder_as(vb_builder *b, const char *p, size_t n, const vb_string *s, size_t of) {
    vb_builder_text(b, p, n, vb_string_trusted_at(s, of));
}

vb_value vb_builder_value(vb_builder *b) {
    return vb_string_value(
        b->r, (vb_string){.p = b->p, .len = b->len, .marks = b->marks, .trusted = b->trusted});
}

vb_value vb_string_value(vb_render *r, vb_string s) {
    vb_string *copy = vb_render_take(r, 1, sizeof *copy);
    if (!copy) {
        return vb_undefined(NULL);
    }
    s.p = s.p ? s.p : "";
    *copy = s;
    return (vb_value){.kind = VB_VALUE_STRING, .as.string = copy};
}

vb_value vb_text_value(vb_render *r, const char *text) {
    return vb_string_value(r, (vb_string){.p = text, .len = strlen(text)});
}

vb_value vb_keyword_name(vb_render *r, const vb_keyword *k) {
    return vb_string_value(r, k->given ? *k->given
                                       : (vb_string){.p = k->name, .len = k->len, .trusted = true});
}

vb_value vb_string_part(vb_render *r, const vb_string *s, size_t from, size_t n) {
    vb_string part = *s;
    part.p += from;
    part.len = n;
    part.marks = s->marks ? s->marks + from : NULL;
    return vb_string_value(r, part);
}

bool vb_string_trusted_at(const vb_string *s, size_t i) {
    return s->marks && i < s->len ? s->marks[i] != 0 : !s->marks && s->trusted;
}

size_t vb_char_bytes(const vb_string *s, size_t i) {
    size_t len;
    if ((uint8_t)s->p[i] < 0x80) {
        return 1;
    }
    return vb_utf8_classify(s->p + i, s->len - i, &len) == VB_UTF8_WHOLE ? len : 1;
}

size_t vb_char_bytes_before(const vb_string *s, size_t i) {
    for (size_t n = 2; n <= 4 && n <= i; n++) {
        size_t len;
        if (((uint8_t)s->p[i - n] & 0xc0) == 0xc0 &&
            vb_utf8_classify(s->p + i - n, n, &len) == VB_UTF8_WHOLE && len == n) {
            return n;
        }
    }
    return 1;
}

uint32_t vb_char_at(const vb_string *s, size_t i) {
    size_t len;
    if ((uint8_t)s->p[i] < 0x80) {
        return (uint8_t)s->p[i];
    }
    if (vb_utf8_classify(s->p + i, s->len - i, &len) == VB_UTF8_WHOLE) {
        return vb_utf8_decode(s->p + i, &len);
    }
    return 0x110000 + (uint8_t)s->p[i];
}

size_t vb_string_chars(const vb_string *s) {
    size_t n = 0;
    for (size_t i = 0; i < s->len; i += vb_char_bytes(s, i)) {
        n++;
    }
    return n;
}

size_t vb_string_offset(const vb_string *s, size_t n) {
    size_t i = 0;
    for (; n && i < s->len; n--) {
        i += vb_char_bytes(s, i);
    }
    return i;
}

bool vb_string_is(const vb_string *s, const char *text) {
    return strlen(text) == s->len && memcmp(s->p, text, s->len) == 0;
}

bool vb_string_equal(const vb_string *a, const vb_string *b) {
    return a->len == b->len && memcmp(a->p, b->p, a->len) == 0;
}

size_t vb_string_find(vb_render *r, const vb_string *s, const vb_string *needle, size_t from) {
    if (from > s->len || needle->len > s->len - from) {
        return SIZE_MAX;
    }
    if (!needle->len) {
        return from;
    }
    const char *found = memmem(s->p + from, s->len - from, needle->p, needle->len);
    const size_t end = found ? (size_t)(found - s->p) : s->len;
    return vb_render_step(r, (end - from) / BYTES_PER_STEP) && found ? end : SIZE_MAX;
}
