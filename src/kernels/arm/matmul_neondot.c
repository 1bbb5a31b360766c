/*
 * Products with integer weights by the signed dot product instruction, sdot: 4 rows x 4 inputs
 * each. This file alone is compiled for it.
 */
#define VB_ARM_DOT 1
#define VB_ARM_MATMUL vb_arm_matmul_neondot
#include "kernels/arm/matmul_int.h"
