/*
 * The two tables: they differ in one function.
 */
#include "kernels/arm/tiers.h"

#include "kernels/arm/arm.h"

#define COMMON                                                                                     \
    .pack_bytes = vb_arm_pack_bytes, .pack = vb_arm_pack, .unpack_row = vb_arm_unpack_row,         \
    .quantize = vb_arm_quantize, .all_finite = vb_arm_all_finite, .rmsnorm = vb_arm_rmsnorm,       \
    .add = vb_arm_add, .silu_mul = vb_arm_silu_mul, .rope = vb_arm_rope,                           \
    .kv_store = vb_arm_kv_store, .attention = vb_arm_attention, .argmax = vb_arm_argmax,           \
    .exp_weights = vb_arm_exp_weights

const vb_kernels vb_kernels_neon = {.name = "neon", .matmul = vb_arm_matmul_neon, COMMON};

const vb_kernels vb_kernels_neondot = {.name = "neondot", .matmul = vb_arm_matmul_neondot, COMMON};
