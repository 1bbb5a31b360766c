/*
 * A GGUF file written by hand, field by field, so that a test can break any one of them. Strings
 * are C strings; integers little-endian. Included by the tests of this folder only.
 */
#ifndef VB_TESTS_UNIT_GGUF_BUILD_H
#define VB_TESTS_UNIT_GGUF_BUILD_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "gguf/gguf.h"
#include "support/testing.h"

static inline void put_bytes(vb_buf *b, const void *p, size_t n) {
    assert_int_equal(vb_buf_append(b, p, n), VB_OK);
}
static inline void put_u8(vb_buf *b, uint8_t v) {
    put_bytes(b, &v, 1);
}
static inline void put_u16(vb_buf *b, uint16_t v) {
    put_u8(b, (uint8_t)v);
    put_u8(b, (uint8_t)(v >> 8));
}
static inline void put_u32(vb_buf *b, uint32_t v) {
    uint8_t p[4];
    vb_store_u32le(p, v);
    put_bytes(b, p, sizeof p);
}
static inline void put_u64(vb_buf *b, uint64_t v) {
    put_u32(b, (uint32_t)v);
    put_u32(b, (uint32_t)(v >> 32));
}
static inline void put_f32(vb_buf *b, float v) {
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    put_u32(b, bits);
}
static inline void put_f64(vb_buf *b, double v) {
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    put_u64(b, bits);
}
static inline void put_str_n(vb_buf *b, const char *s, size_t n) {
    put_u64(b, n);
    put_bytes(b, s, n);
}
static inline void put_str(vb_buf *b, const char *s) {
    put_str_n(b, s, strlen(s));
}

static inline vb_buf gguf_start(uint32_t version, uint64_t n_tensors, uint64_t n_kvs) {
    vb_buf b = vb_buf_make(64u << 20);
    put_bytes(&b, "GGUF", 4);
    put_u32(&b, version);
    put_u64(&b, n_tensors);
    put_u64(&b, n_kvs);
    return b;
}
static inline void put_key(vb_buf *b, const char *key, uint32_t type) {
    put_str(b, key);
    put_u32(b, type);
}
static inline void put_kv_str(vb_buf *b, const char *key, const char *value) {
    put_key(b, key, VB_GGUF_STRING);
    put_str(b, value);
}
static inline void put_kv_u32(vb_buf *b, const char *key, uint32_t value) {
    put_key(b, key, VB_GGUF_U32);
    put_u32(b, value);
}
static inline void put_array(vb_buf *b, const char *key, uint32_t item_type, uint64_t n) {
    put_key(b, key, VB_GGUF_ARRAY);
    put_u32(b, item_type);
    put_u64(b, n);
}
/* A description with n_dims dimensions. */
static inline void put_tensor(vb_buf *b, const char *name, uint32_t n_dims, const uint64_t *dims,
                              uint32_t type, uint64_t offset) {
    put_str(b, name);
    put_u32(b, n_dims);
    for (uint32_t i = 0; i < n_dims; i++) {
        put_u64(b, dims[i]);
    }
    put_u32(b, type);
    put_u64(b, offset);
}
static inline void put_tensor_1d(vb_buf *b, const char *name, uint64_t n, uint32_t type,
                                 uint64_t offset) {
    put_tensor(b, name, 1, &n, type, offset);
}
static inline void put_padding(vb_buf *b, size_t alignment) {
    while (b->len % alignment) {
        put_u8(b, 0);
    }
}
/* n bytes that differ from their neighbours. */
static inline void put_data(vb_buf *b, size_t n) {
    for (size_t i = 0; i < n; i++) {
        put_u8(b, (uint8_t)(i * 7 + 1));
    }
}

/* Exactly-sized memory, so that AddressSanitizer sees a read past the end. */
static inline uint8_t *exact_copy(const uint8_t *p, size_t n) {
    uint8_t *copy = malloc(n ? n : 1);
    assert_non_null(copy);
    if (n) {
        memcpy(copy, p, n);
    }
    return copy;
}

/* Touches everything a caller could reach. */
static inline unsigned walk(const vb_gguf *g) {
    unsigned sum = 0;
    for (size_t i = 0; i < vb_gguf_kv_count(g); i++) {
        const vb_gguf_kv *kv = vb_gguf_kv_at(g, i);
        char text[64];
        vb_gguf_format_value(g, kv, text, sizeof text);
        sum += (unsigned)strlen(text);
        for (uint64_t k = 0; kv->type == VB_GGUF_ARRAY && k < kv->n_items; k++) {
            vb_str s;
            int64_t v;
            float f;
            if (vb_gguf_item_str(g, kv, k, &s)) {
                sum += s.len ? (uint8_t)s.p[s.len - 1] : 0;
            } else if (vb_gguf_item_i64(g, kv, k, &v)) {
                sum += (unsigned)v;
            } else if (vb_gguf_item_f32(g, kv, k, &f)) {
                sum++;
            }
        }
    }
    for (size_t i = 0; i < vb_gguf_tensor_count(g); i++) {
        const vb_gguf_tensor *t = vb_gguf_tensor_at(g, i);
        uint8_t last;
        vb_error e;
        assert_int_equal(vb_gguf_read_tensor(g, t, t->n_bytes - 1, 1, &last, &e), VB_OK);
        sum += last + t->data[0];
    }
    return sum;
}

/* Opens a copy of the bytes: must be refused with that code, and the message must hold text. */
static inline void refuse_bytes(const uint8_t *p, size_t n, vb_err want, const char *text,
                                const char *where, int line) {
    uint8_t *copy = exact_copy(p, n);
    vb_gguf *g = NULL;
    vb_error e = {0};
    vb_err err = vb_gguf_open_bytes(copy, n, "bad.gguf", &g, &e);
    if (err != want || !strstr(e.msg, text) || strncmp(e.msg, "bad.gguf: ", 10) != 0) {
        print_error("%s:%d: got %s \"%s\", expected %s with \"%s\"\n", where, line,
                    vb_err_name(err), e.msg, vb_err_name(want), text);
        fail();
    }
    assert_int_equal(e.code, want);
    assert_null(g);
    free(copy);
}
#define REFUSE(b, want, text) refuse_bytes((b).data, (b).len, want, text, __func__, __LINE__)

/* Opens bytes that must load. */
static inline vb_gguf *open_good(const vb_buf *b) {
    vb_gguf *g = NULL;
    vb_error e = {0};
    vb_err err = vb_gguf_open_bytes(b->data, b->len, "good.gguf", &g, &e);
    if (err) {
        fail_msg("refused: %s", e.msg);
    }
    assert_non_null(g);
    return g;
}

/* A file with something of everything: the target of truncations and bit flips. */
static inline vb_buf gguf_sample(uint32_t version) {
    vb_buf b = gguf_start(version, 3, 7);
    put_kv_str(&b, "general.architecture", "llama");
    put_kv_u32(&b, "general.alignment", 64);
    put_key(&b, "a.f32", VB_GGUF_F32);
    put_f32(&b, 1e-5f);
    put_key(&b, "a.bool", VB_GGUF_BOOL);
    put_u8(&b, 1);
    put_array(&b, "tokenizer.ggml.tokens", VB_GGUF_STRING, 3);
    put_str(&b, "<unk>");
    put_str(&b, "");
    put_str(&b, "b");
    put_array(&b, "tokenizer.ggml.scores", VB_GGUF_F32, 3);
    put_f32(&b, 0);
    put_f32(&b, -1);
    put_f32(&b, -2.5f);
    put_array(&b, "i16", VB_GGUF_I16, 2);
    put_u16(&b, 7);
    put_u16(&b, 0xffff);
    put_tensor(&b, "w", 2, (const uint64_t[]){32, 2}, VB_Q8_0, 0);
    put_tensor_1d(&b, "norm", 5, VB_F32, 128);
    put_tensor(&b, "x", 3, (const uint64_t[]){2, 3, 4}, VB_F16, 192);
    put_padding(&b, 64);
    put_data(&b, 192 + 48);
    return b;
}

#endif
