/*
 * Compares every function of a tier with the scalar definition, bit for bit: what
 * test_kernels runs on each tier, and what must report each mutant of tests/mutants.
 *
 * Inputs are random from a seed, with zeros of both signs, subnormals and extremes, odd
 * sizes and misaligned pointers; buffers lie against forbidden pages, and outputs are
 * compared beyond their ends.
 */
#ifndef VB_TESTS_SUPPORT_KERNEL_CHECK_H
#define VB_TESTS_SUPPORT_KERNEL_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/kernels.h"

enum { VB_CHECK_MSG_MAX = 256 };

typedef struct vb_kernel_check {
    const vb_kernels *k;
    uint64_t random;            /* state of the random sequence */
    char msg[VB_CHECK_MSG_MAX]; /* the first difference: function, shape, element */
} vb_kernel_check;

/* One random case each. True when the tier agrees; false and c->msg filled when it does not. */
bool vb_check_matmul(vb_kernel_check *c, vb_wtype type);
bool vb_check_quantize(vb_kernel_check *c);
bool vb_check_rows(vb_kernel_check *c);      /* all_finite, rmsnorm, add, silu_mul, rope */
bool vb_check_attention(vb_kernel_check *c); /* and kv_store */
bool vb_check_sampling(vb_kernel_check *c);  /* argmax, exp_weights */

/* `rounds` cases of each function and format; stops at the first difference. */
bool vb_check_all(vb_kernel_check *c, unsigned rounds);

/* The formats that products exist for, and how many. */
extern const vb_wtype vb_check_types[];
extern const size_t vb_check_types_count;

#endif
