#include "base/text.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"

void vb_text_free(vb_text *t) {
    free(t->p);
    *t = (vb_text){NULL, 0};
}

/* Unicode's table 3-7: no overlong forms, no surrogates, nothing past U+10FFFF. */
static bool is_utf8(const unsigned char *s, size_t n) {
    size_t i = 0;
    while (i < n) {
        unsigned char c = s[i++];
        size_t more = c < 0x80 ? 0 : c >= 0xc2 && c < 0xe0 ? 1 : c >= 0xe0 && c < 0xf0 ? 2 : 3;
        if (c >= 0x80 && (c < 0xc2 || c > 0xf4)) {
            return false;
        }
        if (n - i < more) {
            return false;
        }
        for (size_t k = 0; k < more; k++) {
            unsigned char low = 0x80, high = 0xbf;
            if (k == 0) {
                low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : 0x80;
                high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : 0xbf;
            }
            if (s[i + k] < low || s[i + k] > high) {
                return false;
            }
        }
        i += more;
    }
    return true;
}

vb_err vb_text_set(vb_text *t, const char *text, size_t n_bytes, vb_error *e) {
    if (n_bytes > VB_TEXT_BYTES_MAX) {
        return vb_fail(e, VB_ELIMIT, "%zu bytes of text; at most %u", n_bytes, VB_TEXT_BYTES_MAX);
    }
    if (!is_utf8((const unsigned char *)text, n_bytes)) {
        return vb_fail(e, VB_EFORMAT, "the text is not UTF-8");
    }
    char *p = malloc(n_bytes + 1);
    if (!p) {
        return vb_fail(e, VB_ENOMEM, "no memory for %zu bytes of text", n_bytes);
    }
    if (n_bytes) {
        memcpy(p, text, n_bytes);
    }
    p[n_bytes] = 0;
    free(t->p);
    *t = (vb_text){p, n_bytes};
    return VB_OK;
}
