/*
 * Weight blocks: 32 consecutive values of a row, decoded from the file's bytes into integers
 * and scales (spec/arithmetic.md section 3.1).
 *
 * Pure; any thread. Reads exactly the bytes of the block's own format block.
 */
#ifndef VB_ARITH_BLOCK_H
#define VB_ARITH_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arith/wtype.h"

typedef struct vb_block {
    int8_t w[VB_BLOCK];
    float s;      /* scale */
    float m;      /* offset: 0 unless has_m */
    int8_t sc[2]; /* Q6_K: sub-scales of the first and the second 16 values; else 1, 1 */
    bool has_m;   /* Q4_1, Q5_1, Q4_K, Q5_K */
} vb_block;

/* Decodes block b (values 32 b ... 32 b + 31) of a row that starts at row. type is an integer
 * format of those that vb_wtype_computes. */
void vb_block_decode(vb_wtype type, const uint8_t *row, size_t b, vb_block *out);

/* The block's values as f32 (section 3.3): s * w, or (s * sc) * w, then + m. */
void vb_block_values(const vb_block *block, float *out);

/* The scale and minimum pair j (0..7) of a Q4_K or Q5_K block's 12 packed bytes, each 0..63. */
void vb_k_scale_min(const uint8_t *packed, unsigned j, uint8_t *scale, uint8_t *min);

/* Value k of a row in a float format (F32, F16, BF16), exactly. */
float vb_float_weight(vb_wtype type, const uint8_t *row, size_t k);

/* A whole row of any format that vb_wtype_computes as f32: out[cols]. */
void vb_row_values(vb_wtype type, const uint8_t *row, size_t cols, float *out);

#endif
