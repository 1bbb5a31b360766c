/*
 * Whether the weights of a file are finite (spec/arithmetic.md section 1): run once over every
 * byte at load, so the loops are plain maxima that compilers vectorise.
 *
 * Pure; any thread.
 */
#ifndef VB_ARITH_CHECK_H
#define VB_ARITH_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arith/wtype.h"

/* n_values weights as the file has them, a multiple of the format's block. True when no value,
 * scale or offset is a NaN or an infinity; else false, and *bad, if not NULL, is the index of the
 * first value of the first block that holds one. type is one that vb_wtype_computes. */
bool vb_weights_finite(vb_wtype type, const uint8_t *src, size_t n_values, size_t *bad);

#endif
