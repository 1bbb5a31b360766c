#include "crypto/rlp.h"

/* An item's first byte: below STRING it is the item, a string of one byte. From STRING on a string
 * follows, from LIST on a list; the byte's distance from there is the length in bytes up to
 * SHORT_MAX, and past that SHORT_MAX plus the number of bytes of the length that follows. */
enum { STRING = 0x80, LIST = 0xc0, SHORT_MAX = 55, LENGTH_BYTES_MAX = 8 };

/* v big-endian without leading zeroes; returns how many bytes that are. */
static size_t store_minimal(uint64_t v, uint8_t out[LENGTH_BYTES_MAX]) {
    size_t n = 0;
    for (int shift = 56; shift >= 0; shift -= 8) {
        if (n || v >> shift) {
            out[n++] = (uint8_t)(v >> shift);
        }
    }
    return n;
}

static vb_err append_item(vb_buf *out, uint8_t kind, const void *bytes, size_t n) {
    uint8_t header[1 + LENGTH_BYTES_MAX];
    size_t n_header = 1, before = out->len;
    if (n <= SHORT_MAX) {
        header[0] = (uint8_t)(kind + n);
    } else {
        n_header += store_minimal(n, header + 1);
        header[0] = (uint8_t)(kind + SHORT_MAX + n_header - 1);
    }
    vb_err err = vb_buf_append(out, header, n_header);
    if (err) {
        return err;
    }
    err = vb_buf_append(out, bytes, n);
    if (err) {
        out->len = before;
        out->data[before] = 0;
    }
    return err;
}

vb_err vb_rlp_string(vb_buf *out, const void *bytes, size_t n) {
    const uint8_t *p = bytes;
    if (n == 1 && p[0] < STRING) {
        return vb_buf_append(out, p, 1);
    }
    return append_item(out, STRING, bytes, n);
}

vb_err vb_rlp_uint(vb_buf *out, uint64_t v) {
    uint8_t bytes[LENGTH_BYTES_MAX];
    return vb_rlp_string(out, bytes, store_minimal(v, bytes));
}

vb_err vb_rlp_list(vb_buf *out, const void *payload, size_t n) {
    return append_item(out, LIST, payload, n);
}

/* What is left of the bytes being read, and where that is, for the messages. */
typedef struct cursor {
    const uint8_t *p;
    size_t left, offset;
} cursor;

static void advance(cursor *c, size_t n) {
    c->p += n;
    c->left -= n;
    c->offset += n;
}

/* A length of n_length bytes that stands at the cursor. */
static vb_err take_long_length(cursor *c, size_t n_length, uint64_t *out, vb_error *e) {
    if (n_length > c->left) {
        return vb_fail(e, VB_EFORMAT, "RLP offset %zu: a length of %zu bytes, but %zu are left",
                       c->offset, n_length, c->left);
    }
    uint64_t length = 0;
    for (size_t i = 0; i < n_length; i++) {
        length = length << 8 | c->p[i];
    }
    if (c->p[0] == 0 || length <= SHORT_MAX) {
        return vb_fail(e, VB_EFORMAT, "RLP offset %zu: a length that is not in its shortest form",
                       c->offset);
    }
    advance(c, n_length);
    *out = length;
    return VB_OK;
}

/* The next item; c->left is not 0. */
static vb_err take_item(cursor *c, vb_rlp_item *it, vb_error *e) {
    uint8_t first = c->p[0];
    size_t at = c->offset;
    if (first < STRING) {
        *it = (vb_rlp_item){c->p, 1, false};
        advance(c, 1);
        return VB_OK;
    }
    bool is_list = first >= LIST;
    size_t short_length = (size_t)first - (is_list ? LIST : STRING);
    uint64_t length = short_length;
    advance(c, 1);
    if (short_length > SHORT_MAX) {
        vb_err err = take_long_length(c, short_length - SHORT_MAX, &length, e);
        if (err) {
            return err;
        }
    }
    if (length > c->left) {
        return vb_fail(e, VB_EFORMAT, "RLP offset %zu: an item of %llu bytes, but %zu are left", at,
                       (unsigned long long)length, c->left);
    }
    if (!is_list && length == 1 && c->p[0] < STRING) {
        return vb_fail(e, VB_EFORMAT,
                       "RLP offset %zu: a byte below 0x80 is its own encoding, without a header",
                       at);
    }
    *it = (vb_rlp_item){c->p, (size_t)length, is_list};
    advance(c, (size_t)length);
    return VB_OK;
}

static vb_err take_items(cursor *c, vb_rlp_item *items, size_t max_items, size_t *n_items,
                         vb_error *e) {
    size_t n = 0;
    while (c->left) {
        if (n == max_items) {
            return vb_fail(e, VB_ELIMIT, "RLP offset %zu: a list of more than %zu items", c->offset,
                           max_items);
        }
        vb_err err = take_item(c, &items[n], e);
        if (err) {
            return err;
        }
        n++;
    }
    *n_items = n;
    return VB_OK;
}

vb_err vb_rlp_items(const uint8_t *payload, size_t n, vb_rlp_item *items, size_t max_items,
                    size_t *n_items, vb_error *e) {
    cursor c = {payload, n, 0};
    return take_items(&c, items, max_items, n_items, e);
}

vb_err vb_rlp_list_open(const uint8_t *bytes, size_t n, vb_rlp_item *items, size_t max_items,
                        size_t *n_items, vb_error *e) {
    cursor outer = {bytes, n, 0};
    vb_rlp_item list = {NULL, 0, false};
    if (n == 0) {
        return vb_fail(e, VB_EFORMAT, "RLP: no bytes, expected a list");
    }
    vb_err err = take_item(&outer, &list, e);
    if (err) {
        return err;
    }
    if (!list.is_list) {
        return vb_fail(e, VB_EFORMAT, "RLP: a string, expected a list");
    }
    if (outer.left) {
        return vb_fail(e, VB_EFORMAT, "RLP offset %zu: %zu bytes after the list", outer.offset,
                       outer.left);
    }
    cursor inner = {list.data, list.n, n - list.n};
    return take_items(&inner, items, max_items, n_items, e);
}

vb_err vb_rlp_item_uint(const vb_rlp_item *it, uint64_t *out, vb_error *e) {
    if (it->is_list) {
        return vb_fail(e, VB_EFORMAT, "RLP: a list, expected an integer");
    }
    if (it->n > sizeof *out) {
        return vb_fail(e, VB_EFORMAT, "RLP: an integer of %zu bytes, expected at most 8", it->n);
    }
    if (it->n && it->data[0] == 0) {
        return vb_fail(e, VB_EFORMAT, "RLP: an integer with a leading zero byte");
    }
    uint64_t v = 0;
    for (size_t i = 0; i < it->n; i++) {
        v = v << 8 | it->data[i];
    }
    *out = v;
    return VB_OK;
}
