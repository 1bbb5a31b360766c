/*
 * Any bytes as a GGUF file: opening either refuses or gives something that can be walked from
 * end to end. What is walked is touched, so that AddressSanitizer sees every pointer used.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gguf/gguf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile uint8_t sink;

static void touch(const char *p, size_t len) {
    for (size_t i = 0; i < len; i++) {
        sink ^= (uint8_t)p[i];
    }
}

static void walk_items(const vb_gguf *g, const vb_gguf_kv *kv) {
    for (uint64_t i = 0; i < kv->n_items; i++) {
        vb_str s;
        int64_t v;
        float f;
        if (vb_gguf_item_str(g, kv, i, &s)) {
            touch(s.p, s.len);
        }
        if (vb_gguf_item_i64(g, kv, i, &v)) {
            sink ^= (uint8_t)v;
        }
        if (vb_gguf_item_f32(g, kv, i, &f)) {
            sink ^= f > 0;
        }
    }
    vb_str s;
    if (vb_gguf_item_str(g, kv, kv->n_items, &s)) {
        abort();
    }
}

static void walk_getters(const vb_gguf *g, const char *key) {
    uint64_t u;
    float f;
    bool b;
    vb_str s;
    vb_error e;
    int ok = !vb_gguf_get_u64(g, key, 0, UINT64_MAX, &u, &e);
    ok += !vb_gguf_get_f32(g, key, &f, &e);
    ok += !vb_gguf_get_bool(g, key, &b, &e);
    ok += !vb_gguf_get_str(g, key, &s, &e);
    if (ok > 1) {
        abort(); /* one value, one type */
    }
}

static void walk_kvs(const vb_gguf *g) {
    for (size_t i = 0; i < vb_gguf_kv_count(g); i++) {
        const vb_gguf_kv *kv = vb_gguf_kv_at(g, i);
        char text[48], key[VB_GGUF_KEY_BYTES_MAX + 1];
        vb_gguf_format_value(g, kv, text, 1 + i % sizeof text);
        if (strlen(text) >= 1 + i % sizeof text) {
            abort();
        }
        memcpy(key, kv->key.p, kv->key.len);
        key[kv->key.len] = 0;
        if (vb_gguf_find(g, key) != kv) {
            abort();
        }
        walk_getters(g, key);
        walk_items(g, kv);
    }
}

static void walk_tensors(const vb_gguf *g) {
    for (size_t i = 0; i < vb_gguf_tensor_count(g); i++) {
        const vb_gguf_tensor *t = vb_gguf_tensor_at(g, i);
        uint8_t ends[2];
        vb_error e;
        char name[VB_GGUF_KEY_BYTES_MAX + 1];
        memcpy(name, t->name.p, t->name.len);
        name[t->name.len] = 0;
        if (vb_gguf_find_tensor(g, name) != t || t->n_bytes == 0 ||
            vb_gguf_read_tensor(g, t, 0, 1, ends, &e) ||
            vb_gguf_read_tensor(g, t, t->n_bytes - 1, 1, ends + 1, &e)) {
            abort();
        }
        if (t->data[0] != ends[0] || t->data[t->n_bytes - 1] != ends[1]) {
            abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    vb_gguf *g = NULL;
    vb_error e = {0};
    vb_err err = vb_gguf_open_bytes(data, size, "fuzz", &g, &e);
    if (err) {
        if (g || e.code != err || !e.msg[0]) {
            abort();
        }
        return 0;
    }
    walk_kvs(g);
    walk_tensors(g);
    vb_gguf_close(g);
    return 0;
}
