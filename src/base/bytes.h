/*
 * Bytes in, bytes out: integers of fixed order (little-endian in GGUF and in token digests,
 * big-endian in the protocol), checked sizes, and buffers with a declared maximum. Structs are
 * never written to disk.
 *
 * Owner: a vb_buf owns its memory until vb_buf_free.
 * Thread rule: one thread at a time for one object.
 */
#ifndef VB_BASE_BYTES_H
#define VB_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

static inline uint16_t vb_load_u16le(const uint8_t *p) {
    return (uint16_t)(p[0] | (uint16_t)(p[1] << 8));
}
static inline uint32_t vb_load_u32le(const uint8_t *p) {
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}
static inline uint64_t vb_load_u64le(const uint8_t *p) {
    return (uint64_t)vb_load_u32le(p) | (uint64_t)vb_load_u32le(p + 4) << 32;
}
static inline uint64_t vb_load_u64be(const uint8_t *p) {
    uint64_t v = 0;
    for (int i = 0; i < 8; i++) {
        v = v << 8 | p[i];
    }
    return v;
}
static inline void vb_store_u32le(uint8_t *p, uint32_t v) {
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
    p[2] = (uint8_t)(v >> 16);
    p[3] = (uint8_t)(v >> 24);
}
static inline void vb_store_u32be(uint8_t *p, uint32_t v) {
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
}
static inline void vb_store_u64be(uint8_t *p, uint64_t v) {
    vb_store_u32be(p, (uint32_t)(v >> 32));
    vb_store_u32be(p + 4, (uint32_t)v);
}

/* Checked arithmetic: true and *out set when the exact result fits. */
static inline bool vb_mul_size(size_t a, size_t b, size_t *out) {
    return !__builtin_mul_overflow(a, b, out);
}
static inline bool vb_add_size(size_t a, size_t b, size_t *out) {
    return !__builtin_add_overflow(a, b, out);
}

/* A growing byte buffer with a declared maximum. data is always followed by a
 * zero byte that len does not count, so a text buffer can be used as a C string. */
typedef struct vb_buf {
    uint8_t *data;
    size_t len; /* bytes in use */
    size_t cap; /* bytes allocated */
    size_t max; /* bytes it may ever hold */
} vb_buf;

/* An empty buffer that may hold up to max bytes; no allocation yet. */
vb_buf vb_buf_make(size_t max);
void vb_buf_free(vb_buf *b);

/* Returns VB_OK, VB_ELIMIT (past max) or VB_ENOMEM; the content is then as before. */
VB_MUST_CHECK vb_err vb_buf_append(vb_buf *b, const void *bytes, size_t n);
VB_MUST_CHECK vb_err vb_buf_printf(vb_buf *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Lower-case hexadecimal. hex holds 2 * n + 1 bytes. */
void vb_hex_encode(const uint8_t *bytes, size_t n, char *hex);
/* Exactly 2 * n lower-case hex digits and nothing after: else false, out untouched. */
VB_MUST_CHECK bool vb_hex_decode(const char *hex, uint8_t *out, size_t n);

#endif
