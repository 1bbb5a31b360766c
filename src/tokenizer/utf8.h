/*
 * UTF-8 as Unicode defines it: what begins at a byte, and one character in or out. Shared by
 * the tokenizers, the streaming decoder and the chat templates.
 */
#ifndef VB_TOKENIZER_UTF8_H
#define VB_TOKENIZER_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum vb_utf8_kind {
    VB_UTF8_WHOLE,   /* a well-formed character of *len bytes */
    VB_UTF8_PARTIAL, /* all n bytes begin a character that needs more */
    VB_UTF8_BAD      /* *len bytes are one maximal ill-formed part */
} vb_utf8_kind;

/* What begins at p; n >= 1. *len is 1..4 and at most n. */
vb_utf8_kind vb_utf8_classify(const char *p, size_t n, size_t *len);

/* Bytes of the well-formed text that begins at p: 0..n. */
size_t vb_utf8_valid_bytes(const char *p, size_t n);

/* The character at p, which must be well-formed; *len is its length in bytes. */
uint32_t vb_utf8_decode(const char *p, size_t *len);

/* cp below 0x110000 and no surrogate; returns the number of bytes written. */
size_t vb_utf8_encode(uint32_t cp, char out[4]);

/* Unicode's White_Space property. */
bool vb_utf8_is_space(uint32_t cp);

#endif
