/*
 * Unpredictable bytes from the kernel (getrandom), and wiping of secrets.
 */
#ifndef VB_CRYPTO_RANDOM_H
#define VB_CRYPTO_RANDOM_H

#include <stddef.h>

#include "base/error.h"

/* Fills out; VB_EIO when the kernel refuses (out is then wiped). */
VB_MUST_CHECK vb_err vb_random_bytes(void *out, size_t n_bytes, vb_error *e);

/* Zeroes memory in a way that the compiler may not leave out. */
void vb_wipe(void *p, size_t n_bytes);

#endif
