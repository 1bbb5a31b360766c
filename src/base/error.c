#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Bytes of the UTF-8 character at s that a terminal only prints: 0 for a control character (C1 too,
 * as U+009B begins an escape sequence), a broken or cut sequence, or a lone byte above 0x7f. */
static size_t printable_bytes(const unsigned char *s) {
    if (s[0] < 0x80) {
        return s[0] >= 0x20 && s[0] != 0x7f;
    }
    const size_t n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
    /* Second bytes below these make an overlong form or, after 0xc2, a C1 control. */
    const unsigned least = s[0] == 0xc2 || s[0] == 0xe0 ? 0xa0 : s[0] == 0xf0 ? 0x90 : 0x80;
    if (s[0] < 0xc2 || s[0] > 0xf4 || s[1] < least) {
        return 0;
    }
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return n;
}

void vb_make_printable(char *text) {
    for (unsigned char *s = (unsigned char *)text; *s;) {
        const size_t n = printable_bytes(s);
        if (n == 0) {
            *s = '?';
        }
        s += n ? n : 1;
    }
}

vb_err vb_fail(vb_error *e, vb_err code, const char *fmt, ...) {
    if (e) {
        va_list ap;
        va_start(ap, fmt);
        e->code = code;
        vsnprintf(e->msg, sizeof e->msg, fmt, ap);
        va_end(ap);
        vb_make_printable(e->msg);
    }
    return code;
}

vb_err vb_fail_in(vb_error *e, vb_err code, const char *fmt, ...) {
    if (e) {
        char old[VB_ERROR_MSG_MAX];
        memcpy(old, e->msg, sizeof old);
        va_list ap;
        va_start(ap, fmt);
        int n = vsnprintf(e->msg, sizeof e->msg, fmt, ap);
        va_end(ap);
        size_t at = n < 0 ? 0 : (size_t)n < sizeof e->msg ? (size_t)n : sizeof e->msg - 1;
        for (const char *p = ": "; *p && at < sizeof e->msg - 1; p++) {
            e->msg[at++] = *p;
        }
        for (const char *p = old; *p && at < sizeof e->msg - 1; p++) {
            e->msg[at++] = *p;
        }
        e->msg[at] = 0;
        e->code = code;
        vb_make_printable(e->msg);
    }
    return code;
}

const char *vb_err_name(vb_err code) {
    switch (code) {
    case VB_OK: return "ok";
    case VB_EIO: return "io";
    case VB_EFORMAT: return "format";
    case VB_EUNSUPPORTED: return "unsupported";
    case VB_ELIMIT: return "limit";
    case VB_ENOMEM: return "no-memory";
    case VB_ENONFINITE: return "non-finite";
    case VB_EINVAL: return "invalid-argument";
    case VB_ECANCELLED: return "cancelled";
    case VB_EMISMATCH: return "mismatch";
    case VB_EUNTRUSTED: return "untrusted";
    case VB_EINTERNAL: return "internal";
    }
    return "unknown";
}

_Noreturn void vb_assert_failed(const char *file, int line, const char *cond) {
    fprintf(stderr, "verbatim: %s:%d: assertion failed: %s\n", file, line, cond);
    abort();
}
