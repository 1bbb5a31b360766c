/*
 * How the x86 tiers keep weights, and the pieces of code they share.
 *
 * Float formats stay row-major, 16-bit values in 16 bits. Integer formats are cut into tiles
 * of 16 rows (missing rows are zeros), a tile into groups of blocks along the row. A line of 64
 * bytes holds 4 bytes of each of 16 rows: one int8 dot instruction's operand is chunk j of a block,
 * k = 4j .. 4j + 3. What a product needs lies in the order in which it needs it, and each line is
 * read once, since the processor fetches ahead best what is read in ascending order. Offsets:
 *
 *   format      blocks  d       m              a block's lines
 *   Q8_0 Q4_0   2       f16 @0                 @64 on, block after block
 *   Q5_0        2       f16 @0                 the same
 *   Q4_1 Q5_1   2       f16 @0  f16 @64        @128 on
 *   Q4_K Q5_K   8       f16 @0  dmin, f16 @32  @64 on, pairs of blocks: a line of their scales, u8,
 *                                              block by block (16 rows, then 16 minimums); their
 * lines Q6_K        8       f16 @0                 the same, i8, two sub-scales each
 *
 * Weights of eight bits: line j is chunk j. Of fewer: wj being the weights of chunk j, a line's
 * bytes hold, in bits from 0 up, those of one chunk and bits of those of a later one:
 *
 *   four  w0 w4 | w1 w5 | w2 w6 | w3 w7
 *   five  w0 w5[0..2] | w1 w6[0..2] | w2 w7[0..2] | w3 w7[3] w5[3..4] | w4 w7[4] w6[3..4]
 *   six   w0 w3[4..5] | w1 w3[2..3] | w2 w3[0..1] | w4 w7[4..5] | w5 w7[2..3] | w6 w7[0..1]
 */
#ifndef VB_KERNELS_X86_LAYOUT_H
#define VB_KERNELS_X86_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "kernels/kernels.h"

#define VB_INLINE static inline __attribute__((always_inline))
#ifdef __clang__
#define VB_UNROLL _Pragma("unroll")
#else
#define VB_UNROLL _Pragma("GCC unroll 16")
#endif

enum {
    VB_X86_CHUNK_BYTES = 64, /* of 16 rows: a line */
    VB_X86_PAIR_BLOCKS = 2,  /* blocks of one group of Q8_0 .. Q5_1 */
    VB_X86_K_BLOCKS = 8,     /* blocks of one group of the K formats */
    VB_X86_K_MIN = 32,       /* dmin of Q4_K and Q5_K */
    VB_X86_K_SECOND = 16 /* from a block's scales to its minimums, or to its second sub-scales */
};

VB_INLINE bool vb_x86_is_k(vb_wtype type) {
    return type == VB_Q4_K || type == VB_Q5_K || type == VB_Q6_K;
}

/* Bits of a weight of an integer format. */
VB_INLINE int vb_x86_bits(vb_wtype type) {
    switch (type) {
    case VB_Q8_0: return 8;
    case VB_Q6_K: return 6;
    case VB_Q5_0:
    case VB_Q5_1:
    case VB_Q5_K: return 5;
    default: return 4;
    }
}

/* Of a K format: two blocks, their scales before them. */
VB_INLINE size_t vb_x86_k_pair_bytes(vb_wtype type) {
    return (1 + 2 * (size_t)vb_x86_bits(type)) * VB_X86_CHUNK_BYTES;
}

/* From the start of a group to the scales of block b of a K format. */
VB_INLINE size_t vb_x86_k_scales_at(vb_wtype type, size_t b) {
    return VB_X86_CHUNK_BYTES + b / 2 * vb_x86_k_pair_bytes(type) + b % 2 * 32;
}

/* From the start of a group to the lines of block b. */
VB_INLINE size_t vb_x86_block_at(vb_wtype type, size_t b) {
    const size_t block_bytes = (size_t)vb_x86_bits(type) * VB_X86_CHUNK_BYTES;
    if (vb_x86_is_k(type)) {
        return 2 * VB_X86_CHUNK_BYTES + b / 2 * vb_x86_k_pair_bytes(type) + b % 2 * block_bytes;
    }
    return (type == VB_Q4_1 || type == VB_Q5_1 ? 128 : 64) + b * block_bytes;
}

VB_INLINE size_t vb_x86_group_blocks(vb_wtype type) {
    return vb_x86_is_k(type) ? VB_X86_K_BLOCKS : VB_X86_PAIR_BLOCKS;
}

/* Bytes of one group of an integer format, for 16 rows. */
VB_INLINE size_t vb_x86_group_bytes(vb_wtype type) {
    return vb_x86_is_k(type) ? VB_X86_CHUNK_BYTES + VB_X86_K_BLOCKS / 2 * vb_x86_k_pair_bytes(type)
                             : vb_x86_block_at(type, VB_X86_PAIR_BLOCKS);
}

/* Bytes of one tile of 16 rows of an integer format. */
VB_INLINE size_t vb_x86_tile_bytes(vb_wtype type, size_t cols) {
    size_t blocks = cols / VB_BLOCK, per_group = vb_x86_group_blocks(type);
    return (blocks + per_group - 1) / per_group * vb_x86_group_bytes(type);
}

VB_INLINE int32_t vb_x86_load_i32(const int8_t *p) {
    int32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

/* kernels.h: pack_bytes, pack and unpack_row. q8_flip is xored into each Q8_0 weight:
 * 0x80 makes them the unsigned operands of VPDPBUSD (w + 128), 0 leaves them signed. */
size_t vb_x86_pack_bytes(vb_wtype type, size_t rows, size_t cols);
void vb_x86_pack(const vb_matrix *m, const uint8_t *src, size_t row_begin, size_t row_end,
                 uint8_t q8_flip);
void vb_x86_unpack_row(const vb_matrix *m, size_t row, float *out, uint8_t q8_flip);

#endif
