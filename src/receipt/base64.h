/*
 * Base64 (RFC 4648, section 4), strictly: one text for one sequence of bytes. Padded, no line
 * feeds, and the bits that the last character has to spare are zero. Pure; nothing allocates.
 */
#ifndef VB_RECEIPT_BASE64_H
#define VB_RECEIPT_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* Characters for n bytes. */
static inline size_t vb_base64_chars(size_t n) {
    return (n + 2) / 3 * 4;
}

/* text holds vb_base64_chars(n) characters and a zero byte. */
void vb_base64_encode(const uint8_t *bytes, size_t n, char *text);

/* The bytes that text stands for; false, and *out_n untouched, when it is not canonical. out holds
 * n_text / 4 * 3 bytes and may be scribbled on. */
VB_MUST_CHECK bool vb_base64_decode(const char *text, size_t n_text, uint8_t *out, size_t *out_n);

#endif
