/*
 * Weight formats: how many values one block of a row holds and how many bytes it
 * takes. The numbers are GGUF's tensor type ids (spec/arithmetic.md section 3.1).
 */
#ifndef VB_ARITH_WTYPE_H
#define VB_ARITH_WTYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum vb_wtype {
    VB_F32 = 0,
    VB_F16 = 1,
    VB_Q4_0 = 2,
    VB_Q4_1 = 3,
    VB_Q5_0 = 6,
    VB_Q5_1 = 7,
    VB_Q8_0 = 8,
    VB_Q2_K = 10,
    VB_Q3_K = 11,
    VB_Q4_K = 12,
    VB_Q5_K = 13,
    VB_Q6_K = 14,
    VB_BF16 = 30
} vb_wtype;

enum {
    VB_BLOCK = 32,      /* activations are quantised, and integer sums end, every 32 values */
    VB_LANES = 16,      /* accumulators of a float product (arithmetic.md section 4) */
    VB_ROW_TILE = 16,   /* rows of weights that a tier may interleave */
    VB_ATTN_CHUNK = 256 /* keys of one attention chunk, and positions of one KV page */
};

typedef struct vb_wtype_info {
    const char *name;      /* "Q8_0" */
    uint32_t block_values; /* values of a row that one block holds; 1 for float formats */
    uint32_t block_bytes;
    bool is_float; /* F32, F16, BF16: section 4; else integer weights, section 3 */
} vb_wtype_info;

/* NULL when the id is not a format this version defines. */
const vb_wtype_info *vb_wtype_get(uint32_t id);

/* Looks a format up by name, case-insensitively ("q8_0"); false if there is none. */
bool vb_wtype_by_name(const char *name, vb_wtype *out);

/* True for the formats that this version computes with: all of the above but Q2_K and Q3_K,
 * which are known by size alone. */
bool vb_wtype_computes(uint32_t id);

/* Bytes of one row of cols values; false when cols is not a multiple of the format's block,
 * id is not a format, or the size overflows. */
bool vb_wtype_row_bytes(uint32_t id, size_t cols, size_t *out);

#endif
