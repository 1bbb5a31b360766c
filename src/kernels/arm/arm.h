/*
 * The tiers of 64-bit ARM. neon needs nothing beyond ARMv8.0; neondot also uses the
 * signed dot product (FEAT_DotProd, every server and phone core since 2018). Both keep
 * to separate multiplications and additions and to exact division and square root.
 *
 * Built for little-endian AArch64 only. Subnormals are kept as long as the thread's FPCR is
 * the system's default (FZ = 0), which vb_kernels_selftest checks.
 */
#ifndef VB_KERNELS_ARM_ARM_H
#define VB_KERNELS_ARM_ARM_H

#include <stdbool.h>

#include "kernels/kernels.h"

extern const vb_kernels vb_kernels_neon;
extern const vb_kernels vb_kernels_neondot;

/* True when this processor runs the instructions that vb_kernels_neondot uses. */
bool vb_arm_has_dotprod(void);

#endif
