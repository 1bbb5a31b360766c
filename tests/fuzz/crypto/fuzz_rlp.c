/*
 * RLP from hostile bytes: what the reader takes, the encoder gives back byte for byte, at every
 * depth; what the encoder makes of any bytes, the reader takes.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/rlp.h"

enum { INPUT_BYTES_MAX = 1 << 16, ITEMS_MAX = 64, DEPTH_MAX = 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int ok) {
    if (!ok) {
        abort();
    }
}

static void integer(const vb_rlp_item *it) {
    uint64_t v = 42;
    vb_error e = {0};
    vb_buf a = vb_buf_make(16), b = vb_buf_make(16);
    if (vb_rlp_item_uint(it, &v, &e)) {
        require(e.msg[0] != 0 && v == 42);
        return;
    }
    require(vb_rlp_uint(&a, v) == VB_OK && vb_rlp_string(&b, it->data, it->n) == VB_OK);
    require(a.len == b.len && memcmp(a.data, b.data, a.len) == 0);
    vb_buf_free(&a);
    vb_buf_free(&b);
}

/* Appends the item as it was encoded. A list that is no list of items inside, or is too long or too
 * deep for this program, is only put back as it stands. */
static void encode_again(const vb_rlp_item *it, int depth, vb_buf *out) {
    vb_rlp_item items[ITEMS_MAX];
    size_t n_items = 77;
    vb_error e = {0};
    if (!it->is_list) {
        require(vb_rlp_string(out, it->data, it->n) == VB_OK);
        integer(it);
        return;
    }
    if (depth == DEPTH_MAX || vb_rlp_items(it->data, it->n, items, ITEMS_MAX, &n_items, &e)) {
        require(n_items == 77 && (depth == DEPTH_MAX || e.msg[0] != 0));
        require(vb_rlp_list(out, it->data, it->n) == VB_OK);
        return;
    }
    vb_buf payload = vb_buf_make(INPUT_BYTES_MAX);
    for (size_t i = 0; i < n_items; i++) {
        require(items[i].data >= it->data && items[i].n <= it->n &&
                (size_t)(items[i].data - it->data) <= it->n - items[i].n);
        encode_again(&items[i], depth + 1, &payload);
    }
    require(payload.len == it->n && (it->n == 0 || memcmp(payload.data, it->data, it->n) == 0));
    require(vb_rlp_list(out, payload.data, payload.len) == VB_OK);
    vb_buf_free(&payload);
}

static void read_list(const uint8_t *bytes, size_t n) {
    static vb_rlp_item items[INPUT_BYTES_MAX];
    size_t n_items = 77;
    vb_error e = {0};
    vb_buf payload = vb_buf_make(INPUT_BYTES_MAX), list = vb_buf_make(INPUT_BYTES_MAX);
    if (vb_rlp_list_open(bytes, n, items, INPUT_BYTES_MAX, &n_items, &e)) {
        require(e.code == VB_EFORMAT && e.msg[0] != 0 && n_items == 77);
        return;
    }
    for (size_t i = 0; i < n_items; i++) {
        encode_again(&items[i], 0, &payload);
    }
    require(vb_rlp_list(&list, payload.data, payload.len) == VB_OK);
    require(list.len == n && memcmp(list.data, bytes, n) == 0);
    vb_buf_free(&payload);
    vb_buf_free(&list);
}

static void one_string(const uint8_t *bytes, size_t n) {
    vb_rlp_item it;
    size_t n_items;
    vb_buf string = vb_buf_make(INPUT_BYTES_MAX + 16), list = vb_buf_make(INPUT_BYTES_MAX + 16);
    require(vb_rlp_string(&string, bytes, n) == VB_OK);
    require(vb_rlp_list(&list, string.data, string.len) == VB_OK);
    require(vb_rlp_list_open(list.data, list.len, &it, 1, &n_items, NULL) == VB_OK);
    require(n_items == 1 && !it.is_list && it.n == n && (n == 0 || !memcmp(it.data, bytes, n)));
    vb_buf_free(&string);
    vb_buf_free(&list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size <= INPUT_BYTES_MAX) {
        read_list(data, size);
        one_string(data, size);
    }
    return 0;
}
