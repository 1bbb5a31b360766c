/*
 * Unicode normalisation form C. utf8proc decomposes characters and composes them again; the
 * step between, sorting marks by combining class, is done here by counting, because
 * utf8proc's own takes quadratic time on a long run of marks.
 */
#include <stdlib.h>
#include <string.h>

#include <utf8proc.h>

#include "tokenizer/internal.h"
#include "tokenizer/utf8.h"

enum { DECOMPOSED_MAX = 8, CLASSES = 256 };

typedef struct points {
    int32_t *data, *sorted; /* sorted: as long as data, allocated when first needed */
    size_t len, cap;
} points;

static int class_of(int32_t cp) {
    return utf8proc_get_property(cp)->combining_class & (CLASSES - 1);
}

/* All below U+0300 is its own NFC form. */
static bool is_plain(const char *text, size_t len) {
    for (size_t i = 0; i < len; i++) {
        if ((uint8_t)text[i] >= 0xcc) {
            return false;
        }
    }
    return true;
}

static vb_err decompose(const char *text, size_t len, points *out, vb_error *e) {
    for (size_t i = 0; i < len;) {
        size_t n;
        int32_t cp = (int32_t)vb_utf8_decode(text + i, &n);
        void *p = out->data;
        vb_err err = vb_grow(&p, &out->cap, out->len + DECOMPOSED_MAX, sizeof *out->data, e);
        if (err) {
            return err;
        }
        out->data = p;
        int last_boundclass = 0;
        utf8proc_ssize_t got =
            utf8proc_decompose_char(cp, out->data + out->len, DECOMPOSED_MAX,
                                    UTF8PROC_STABLE | UTF8PROC_COMPOSE, &last_boundclass);
        if (got < 0 || got > DECOMPOSED_MAX) {
            return vb_fail(e, VB_EINTERNAL, "U+%04X decomposes into too much", (unsigned)cp);
        }
        out->len += (size_t)got;
        i += n;
    }
    return VB_OK;
}

/* Stable sort of data[begin, end) by combining class. */
static vb_err sort_run(points *x, size_t begin, size_t end, vb_error *e) {
    size_t first[CLASSES + 1] = {0};
    if (!x->sorted) {
        x->sorted = malloc(x->len * sizeof *x->sorted);
        if (!x->sorted) {
            return vb_fail(e, VB_ENOMEM, "no memory to normalise %zu characters", x->len);
        }
    }
    for (size_t i = begin; i < end; i++) {
        first[class_of(x->data[i]) + 1]++;
    }
    for (int c = 0; c < CLASSES; c++) {
        first[c + 1] += first[c];
    }
    for (size_t i = begin; i < end; i++) {
        x->sorted[begin + first[class_of(x->data[i])]++] = x->data[i];
    }
    memcpy(x->data + begin, x->sorted + begin, (end - begin) * sizeof *x->data);
    return VB_OK;
}

static vb_err order_marks(points *x, vb_error *e) {
    vb_err err = VB_OK;
    for (size_t i = 0; i < x->len && !err;) {
        size_t begin = i;
        bool sorted = true;
        int before = 0, c;
        while (i < x->len && (c = class_of(x->data[i])) != 0) {
            sorted = sorted && c >= before;
            before = c;
            i++;
        }
        if (!sorted) {
            err = sort_run(x, begin, i, e);
        }
        if (i == begin) {
            i++;
        }
    }
    return err;
}

static vb_err compose(points *x, vb_buf *out, vb_error *e) {
    utf8proc_ssize_t n = utf8proc_normalize_utf32(x->data, (utf8proc_ssize_t)x->len,
                                                  UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    if (n < 0) {
        return vb_fail(e, VB_EINTERNAL, "normalisation: %s", utf8proc_errmsg(n));
    }
    for (utf8proc_ssize_t i = 0; i < n; i++) {
        char c[4];
        vb_err err = vb_buf_append(out, c, vb_utf8_encode((uint32_t)x->data[i], c));
        if (err) {
            return vb_fail(e, err, "the normalised text is longer than %zu bytes", out->max);
        }
    }
    return VB_OK;
}

vb_err vb_nfc(const char *text, size_t len, vb_buf *out, vb_error *e) {
    if (is_plain(text, len)) {
        vb_err err = vb_buf_append(out, text, len);
        return err ? vb_fail(e, err, "a text of %zu bytes is too long", len) : VB_OK;
    }
    points x = {0};
    vb_err err = decompose(text, len, &x, e);
    if (!err) {
        err = order_marks(&x, e);
    }
    if (!err) {
        err = compose(&x, out, e);
    }
    free(x.data);
    free(x.sorted);
    return err;
}
