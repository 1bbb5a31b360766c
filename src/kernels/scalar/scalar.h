/*
 * The scalar tier: src/arith behind the table of kernels.h, always built. It is the
 * definition that every other tier is compared with. Packed weights are the file's bytes.
 */
#ifndef VB_KERNELS_SCALAR_SCALAR_H
#define VB_KERNELS_SCALAR_SCALAR_H

#include "kernels/kernels.h"

extern const vb_kernels vb_kernels_scalar;

#endif
