/* The table of well-formed byte sequences (Unicode, table 3-7) written as code. */
#include "tokenizer/utf8.h"

/* Bytes of the sequence that lead begins (0: no lead byte), and the range of the second one. */
static size_t sequence(uint8_t lead, uint8_t *lo, uint8_t *hi) {
    *lo = 0x80;
    *hi = 0xbf;
    if (lead < 0x80) {
        return 1;
    }
    if (lead < 0xc2 || lead > 0xf4) {
        return 0;
    }
    if (lead < 0xe0) {
        return 2;
    }
    if (lead < 0xf0) {
        *lo = lead == 0xe0 ? 0xa0 : 0x80;
        *hi = lead == 0xed ? 0x9f : 0xbf;
        return 3;
    }
    *lo = lead == 0xf0 ? 0x90 : 0x80;
    *hi = lead == 0xf4 ? 0x8f : 0xbf;
    return 4;
}

vb_utf8_kind vb_utf8_classify(const char *p, size_t n, size_t *len) {
    const uint8_t *b = (const uint8_t *)p;
    uint8_t lo, hi;
    size_t need = sequence(b[0], &lo, &hi);
    if (need == 0) {
        *len = 1;
        return VB_UTF8_BAD;
    }
    for (size_t i = 1; i < need; i++) {
        if (i == n) {
            *len = n;
            return VB_UTF8_PARTIAL;
        }
        if (b[i] < lo || b[i] > hi) {
            *len = i;
            return VB_UTF8_BAD;
        }
        lo = 0x80;
        hi = 0xbf;
    }
    *len = need;
    return VB_UTF8_WHOLE;
}

size_t vb_utf8_valid_bytes(const char *p, size_t n) {
    size_t i = 0, len;
    while (i < n && vb_utf8_classify(p + i, n - i, &len) == VB_UTF8_WHOLE) {
        i += len;
    }
    return i;
}

uint32_t vb_utf8_decode(const char *p, size_t *len) {
    const uint8_t *b = (const uint8_t *)p;
    if (b[0] < 0x80) {
        *len = 1;
        return b[0];
    }
    if (b[0] < 0xe0) {
        *len = 2;
        return (uint32_t)(b[0] & 0x1f) << 6 | (b[1] & 0x3f);
    }
    if (b[0] < 0xf0) {
        *len = 3;
        return (uint32_t)(b[0] & 0x0f) << 12 | (uint32_t)(b[1] & 0x3f) << 6 | (b[2] & 0x3f);
    }
    *len = 4;
    return (uint32_t)(b[0] & 0x07) << 18 | (uint32_t)(b[1] & 0x3f) << 12 |
           (uint32_t)(b[2] & 0x3f) << 6 | (b[3] & 0x3f);
}

size_t vb_utf8_encode(uint32_t cp, char out[4]) {
    if (cp < 0x80) {
        out[0] = (char)cp;
        return 1;
    }
    if (cp < 0x800) {
        out[0] = (char)(0xc0 | cp >> 6);
        out[1] = (char)(0x80 | (cp & 0x3f));
        return 2;
    }
    if (cp < 0x10000) {
        out[0] = (char)(0xe0 | cp >> 12);
        out[1] = (char)(0x80 | (cp >> 6 & 0x3f));
        out[2] = (char)(0x80 | (cp & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | cp >> 18);
    out[1] = (char)(0x80 | (cp >> 12 & 0x3f));
    out[2] = (char)(0x80 | (cp >> 6 & 0x3f));
    out[3] = (char)(0x80 | (cp & 0x3f));
    return 4;
}

bool vb_utf8_is_space(uint32_t cp) {
    return (cp >= 0x09 && cp <= 0x0d) || cp == 0x20 || cp == 0x85 || cp == 0xa0 || cp == 0x1680 ||
           (cp >= 0x2000 && cp <= 0x200a) || cp == 0x2028 || cp == 0x2029 || cp == 0x202f ||
           cp == 0x205f || cp == 0x3000;
}
