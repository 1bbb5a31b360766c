/*
 * Products with integer weights on plain ARMv8.0: multiplications of int8 into int16, added in
 * pairs into int32. Exact, so the result is the one of the dot-product tier.
 */
#define VB_ARM_DOT 0
#define VB_ARM_MATMUL vb_arm_matmul_neon
#include "kernels/arm/matmul_int.h"
