/*
 * The tiers for x86-64 processors. A table may be called only where
 * vb_kernels_list() offers it: its functions use the instructions in its name.
 */
#ifndef VB_KERNELS_X86_X86_H
#define VB_KERNELS_X86_X86_H

#include "kernels/kernels.h"

extern const vb_kernels vb_kernels_avx2;       /* AVX2, F16C, BMI2 */
extern const vb_kernels vb_kernels_avx512vnni; /* and AVX-512 F, BW, DQ, VL, VNNI */

#endif
