/*
 * Decimal numbers as our formats write them: digits alone, no sign, no leading zero. Pure; nothing
 * allocates.
 */
#ifndef VB_BASE_DECIMAL_H
#define VB_BASE_DECIMAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* The number that all n bytes stand for; false, and out untouched, when they are none or it is
 * beyond 64 bits. */
VB_MUST_CHECK bool vb_decimal_decode(const char *text, size_t n, uint64_t *out);

#endif
