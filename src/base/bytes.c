#include "base/bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

vb_buf vb_buf_make(size_t max) {
    return (vb_buf){NULL, 0, 0, max};
}

void vb_buf_free(vb_buf *b) {
    free(b->data);
    *b = (vb_buf){NULL, 0, 0, b->max};
}

static vb_err reserve(vb_buf *b, size_t extra) {
    size_t need;
    if (!vb_add_size(b->len, extra, &need) || need > b->max) {
        return VB_ELIMIT;
    }
    if (b->data && need < b->cap) {
        return VB_OK;
    }
    size_t cap = b->cap ? b->cap : 64;
    while (cap <= need) {
        cap += cap / 2;
    }
    uint8_t *p = realloc(b->data, cap);
    if (!p) {
        return VB_ENOMEM;
    }
    b->data = p;
    b->cap = cap;
    return VB_OK;
}

vb_err vb_buf_append(vb_buf *b, const void *bytes, size_t n) {
    vb_err err = reserve(b, n);
    if (err) {
        return err;
    }
    if (n) {
        memcpy(b->data + b->len, bytes, n);
    }
    b->len += n;
    b->data[b->len] = 0;
    return VB_OK;
}

vb_err vb_buf_printf(vb_buf *b, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0) {
        return VB_EINTERNAL;
    }
    vb_err err = reserve(b, (size_t)n);
    if (err) {
        return err;
    }
    va_start(ap, fmt);
    vsnprintf((char *)b->data + b->len, (size_t)n + 1, fmt, ap);
    va_end(ap);
    b->len += (size_t)n;
    return VB_OK;
}

void vb_hex_encode(const uint8_t *bytes, size_t n, char *hex) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < n; i++) {
        hex[2 * i] = digits[bytes[i] >> 4];
        hex[2 * i + 1] = digits[bytes[i] & 15];
    }
    hex[2 * n] = 0;
}

static int hex_value(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return -1;
}

bool vb_hex_decode(const char *hex, uint8_t *out, size_t n) {
    if (strnlen(hex, 2 * n + 1) != 2 * n) {
        return false;
    }
    for (size_t i = 0; i < 2 * n; i++) {
        if (hex_value(hex[i]) < 0) {
            return false;
        }
    }
    for (size_t i = 0; i < n; i++) {
        out[i] = (uint8_t)(hex_value(hex[2 * i]) << 4 | hex_value(hex[2 * i + 1]));
    }
    return true;
}
