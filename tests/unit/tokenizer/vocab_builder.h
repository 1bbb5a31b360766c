/* Small GGUF files in memory, metadata only: vocabularies made by a test, good and bad. */
#ifndef VB_TESTS_UNIT_TOKENIZER_VOCAB_BUILDER_H
#define VB_TESTS_UNIT_TOKENIZER_VOCAB_BUILDER_H

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "gguf/gguf.h"

typedef struct vocab_builder {
    vb_buf kvs;
    uint64_t n_kvs;
} vocab_builder;

static inline void vbb_check(vb_err err) {
    if (err) {
        abort();
    }
}

static inline vocab_builder vbb_make(void) {
    return (vocab_builder){vb_buf_make(1u << 28), 0};
}

static inline void vbb_u32(vb_buf *b, uint32_t v) {
    uint8_t p[4];
    vb_store_u32le(p, v);
    vbb_check(vb_buf_append(b, p, 4));
}

static inline void vbb_u64(vb_buf *b, uint64_t v) {
    vbb_u32(b, (uint32_t)v);
    vbb_u32(b, (uint32_t)(v >> 32));
}

static inline void vbb_string(vb_buf *b, const char *s, size_t len) {
    vbb_u64(b, len);
    vbb_check(vb_buf_append(b, s, len));
}

static inline void vbb_key(vocab_builder *x, const char *key, uint32_t type) {
    vbb_string(&x->kvs, key, strlen(key));
    vbb_u32(&x->kvs, type);
    x->n_kvs++;
}

static inline void vbb_add_str(vocab_builder *x, const char *key, const char *value) {
    vbb_key(x, key, VB_GGUF_STRING);
    vbb_string(&x->kvs, value, strlen(value));
}

static inline void vbb_add_u32(vocab_builder *x, const char *key, uint32_t value) {
    vbb_key(x, key, VB_GGUF_U32);
    vbb_u32(&x->kvs, value);
}

static inline void vbb_add_i32(vocab_builder *x, const char *key, int32_t value) {
    vbb_key(x, key, VB_GGUF_I32);
    vbb_u32(&x->kvs, (uint32_t)value);
}

static inline void vbb_add_bool(vocab_builder *x, const char *key, bool value) {
    uint8_t byte = value;
    vbb_key(x, key, VB_GGUF_BOOL);
    vbb_check(vb_buf_append(&x->kvs, &byte, 1));
}

static inline void vbb_array(vocab_builder *x, const char *key, uint32_t item_type, uint64_t n) {
    vbb_key(x, key, VB_GGUF_ARRAY);
    vbb_u32(&x->kvs, item_type);
    vbb_u64(&x->kvs, n);
}

static inline void vbb_add_strs(vocab_builder *x, const char *key, const char *const *items,
                                size_t n) {
    vbb_array(x, key, VB_GGUF_STRING, n);
    for (size_t i = 0; i < n; i++) {
        vbb_string(&x->kvs, items[i], strlen(items[i]));
    }
}

static inline void vbb_add_i32s(vocab_builder *x, const char *key, const int32_t *items, size_t n) {
    vbb_array(x, key, VB_GGUF_I32, n);
    for (size_t i = 0; i < n; i++) {
        vbb_u32(&x->kvs, (uint32_t)items[i]);
    }
}

static inline void vbb_add_f32s(vocab_builder *x, const char *key, const float *items, size_t n) {
    vbb_array(x, key, VB_GGUF_F32, n);
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &items[i], 4);
        vbb_u32(&x->kvs, bits);
    }
}

static inline void vbb_add_u8s(vocab_builder *x, const char *key, uint8_t item, size_t n) {
    vbb_array(x, key, VB_GGUF_U8, n);
    for (size_t i = 0; i < n; i++) {
        vbb_check(vb_buf_append(&x->kvs, &item, 1));
    }
}

/* The finished file; x is emptied. */
static inline vb_buf vbb_finish(vocab_builder *x) {
    vb_buf file = vb_buf_make(1u << 29);
    vbb_check(vb_buf_append(&file, "GGUF", 4));
    vbb_u32(&file, 3);
    vbb_u64(&file, 0);
    vbb_u64(&file, x->n_kvs);
    vbb_check(vb_buf_append(&file, x->kvs.data, x->kvs.len));
    vb_buf_free(&x->kvs);
    return file;
}

#endif
