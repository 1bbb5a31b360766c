/*
 * How the ARM tiers keep integer weights in memory: tiles of 16 rows, interleaved so that one
 * 128-bit register holds 4 rows x 4 consecutive inputs, which is what one dot-product
 * instruction consumes. Both tiers share the layout. Float formats stay as the file has them.
 *
 * A tile is a run of units, one for each of the file's blocks (32 or 256 inputs). A unit:
 *   for each block of 32 inputs:
 *     quants   four quads of 4 rows, each contiguous. A group is 4 consecutive inputs, 16 bytes
 *              [4 rows][4 inputs]. Q8_0: 8 groups of int8. Others: 4 x 16 bytes whose low
 *              nibbles are groups 0-3 and high nibbles groups 4-7, unsigned as in the file.
 *     planes   Q5: 16 bytes a quad, bit g of a byte is bit 4 of its value in group g.
 *              Q6: 2 x 16 bytes a quad, bits 2j of the first are bits 4-5 in group j, of the
 *              second in group 4 + j.
 *     scales   K formats: [2][16 rows] bytes. Q4_K, Q5_K: sc, mn. Q6_K: the two int8 scales.
 *   factors    binary16 [16 rows]: d; then, for formats with an offset, [16 rows]: m or dmin.
 * Rows past the matrix's last are zeros.
 */
#ifndef VB_KERNELS_ARM_LAYOUT_H
#define VB_KERNELS_ARM_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/kernels.h"

#if !defined(__aarch64__) || defined(__AARCH64EB__)
#error "the ARM tiers are for little-endian AArch64"
#endif

#define VB_ARM_INLINE static inline __attribute__((always_inline))

typedef enum vb_arm_kind {
    VB_ARM_PLAIN,  /* scale only */
    VB_ARM_OFFSET, /* scale and offset */
    VB_ARM_SUB     /* two sub-scales a block */
} vb_arm_kind;

/* Sizes of a format's parts, in bytes; all constant once the type is. */
VB_ARM_INLINE vb_arm_kind vb_arm_kind_of(vb_wtype type) {
    switch (type) {
    case VB_Q4_1:
    case VB_Q5_1:
    case VB_Q4_K:
    case VB_Q5_K: return VB_ARM_OFFSET;
    case VB_Q6_K: return VB_ARM_SUB;
    default: return VB_ARM_PLAIN;
    }
}
VB_ARM_INLINE int vb_arm_is_k(vb_wtype type) {
    return type == VB_Q4_K || type == VB_Q5_K || type == VB_Q6_K;
}
/* Blocks of 32 in one unit. */
VB_ARM_INLINE size_t vb_arm_unit_blocks(vb_wtype type) {
    return vb_arm_is_k(type) ? 8 : 1;
}
VB_ARM_INLINE size_t vb_arm_quants_bytes(vb_wtype type) {
    return type == VB_Q8_0 ? 512 : 256;
}
VB_ARM_INLINE size_t vb_arm_planes_bytes(vb_wtype type) {
    return type == VB_Q6_K ? 128 : type == VB_Q5_0 || type == VB_Q5_1 || type == VB_Q5_K ? 64 : 0;
}
VB_ARM_INLINE size_t vb_arm_scales_at(vb_wtype type) {
    return vb_arm_quants_bytes(type) + vb_arm_planes_bytes(type);
}
VB_ARM_INLINE size_t vb_arm_block_bytes(vb_wtype type) {
    return vb_arm_scales_at(type) + (vb_arm_is_k(type) ? 2 * VB_ROW_TILE : 0);
}
VB_ARM_INLINE size_t vb_arm_factors_at(vb_wtype type) {
    return vb_arm_unit_blocks(type) * vb_arm_block_bytes(type);
}
VB_ARM_INLINE size_t vb_arm_unit_bytes(vb_wtype type) {
    size_t factors = vb_arm_kind_of(type) == VB_ARM_OFFSET ? 2 : 1;
    return vb_arm_factors_at(type) + factors * VB_ROW_TILE * 2;
}
VB_ARM_INLINE size_t vb_arm_tile_bytes(vb_wtype type, size_t cols) {
    return cols / (VB_BLOCK * vb_arm_unit_blocks(type)) * vb_arm_unit_bytes(type);
}
/* What the file's unsigned value exceeds the weight by. */
VB_ARM_INLINE int vb_arm_bias(vb_wtype type) {
    return type == VB_Q4_0 ? 8 : type == VB_Q5_0 ? 16 : type == VB_Q6_K ? 32 : 0;
}

#endif
