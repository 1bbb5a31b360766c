/*
 * How the x86 tiers keep weights, and the pieces of code they share.
 *
 * Float formats stay row-major, 16-bit values in 16 bits. Integer formats are cut into tiles
 * of 16 rows (missing rows are zeros), a tile into groups of blocks along the row, and in a
 * group every 64 bytes hold 16 rows x 4 consecutive k: one int8 dot instruction's operand.
 * "chunk j" of a block is k = 4j .. 4j + 3. Offsets below are from the start of a group:
 *
 *   format blocks  d     offset  weights                          high bits
 *   Q8_0     2   f16 @0          @64  + 512 b + 64 j
 *   Q4_0     2   f16 @0          @64  + 256 b + 64 (j % 4), nibble j / 4
 *   Q4_1     2   f16 @0  f16 @64 @128 + 256 b, the same
 *   Q5_0     2   f16 @0          @64  + 256 b, the same           @576 + 64 b, bit j
 *   Q5_1     2   f16 @0  f16 @64 @128 + 256 b, the same           @640 + 64 b, bit j
 *   Q4_K     8   d @0, dmin @32 (f16); scales @64, mins @192: u8 [8][16]
 *                                @320 + 512 (b / 2) + 64 j, nibble b % 2
 *   Q5_K     8   as Q4_K         @832 + 512 (b / 2), the same     @320 + 64 j, bit b
 *   Q6_K     8   d @0 (f16), sub-scales @64: i8 [8][2][16]
 *                @832 + 1536 (b / 4) + 512 (b % 2) + 64 j, nibble b / 2 % 2
 *                high: @320 + 1536 (b / 4) + 64 j, bits 2 (b % 4)
 *
 * The high bits come before the nibbles they complete, so that memory is read in ascending
 * order, which the processor's prefetcher follows.
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
    VB_X86_CHUNK_BYTES = 64,
    VB_X86_PAIR_BLOCKS = 2, /* blocks of one group of Q8_0 .. Q5_1 */
    VB_X86_K_BLOCKS = 8,    /* blocks of one group of the K formats */
    VB_X86_K_MIN = 32,
    VB_X86_K_SCALES = 64,
    VB_X86_K_MINS = 192,
    VB_X86_K_QUANTS = 320,     /* Q4_K */
    VB_X86_K_HIGH = 320,       /* Q5_K, Q6_K */
    VB_X86_K_UNDER_HIGH = 832, /* their nibbles */
    VB_X86_Q6_HALF = 1536      /* from one half of a Q6_K group to the next */
};

/* Bytes of one group of an integer format, for 16 rows. */
VB_INLINE size_t vb_x86_group_bytes(vb_wtype type) {
    switch (type) {
    case VB_Q8_0: return 1088;
    case VB_Q4_0: return 576;
    case VB_Q4_1: return 640;
    case VB_Q5_0: return 704;
    case VB_Q5_1: return 768;
    case VB_Q4_K: return 2368;
    case VB_Q5_K: return 2880;
    case VB_Q6_K: return 3392;
    default: return 0;
    }
}

VB_INLINE size_t vb_x86_group_blocks(vb_wtype type) {
    return type == VB_Q4_K || type == VB_Q5_K || type == VB_Q6_K ? VB_X86_K_BLOCKS
                                                                 : VB_X86_PAIR_BLOCKS;
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
