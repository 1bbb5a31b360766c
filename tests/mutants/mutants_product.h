/* Wrong products: the matmul functions that mutants.c puts into tables. */
#ifndef VB_TESTS_MUTANTS_PRODUCT_H
#define VB_TESTS_MUTANTS_PRODUCT_H

#include "kernels/kernels.h"

#define VB_MUTANT_MATMUL(name)                                                                     \
    void vb_mutant_##name(const vb_matrix *m, size_t row_begin, size_t row_end, const vb_act *x,   \
                          float *y, size_t y_stride)

/* Integer weights */
VB_MUTANT_MATMUL(fused_block);            /* acc = fma(s * d, isum, acc) */
VB_MUTANT_MATMUL(descending);             /* blocks from the last to the first */
VB_MUTANT_MATMUL(regrouped_scales);       /* s * (d * isum) */
VB_MUTANT_MATMUL(offset_first);           /* m * du before the product */
VB_MUTANT_MATMUL(saturated_pairs);        /* unsigned by signed pairs clipped to int16 */
VB_MUTANT_MATMUL(wrapped_pairs);          /* int16 sums of pairs that wrap around */
VB_MUTANT_MATMUL(one_sub_scale);          /* Q6_K's second half under the first's sub-scale */
VB_MUTANT_MATMUL(missing_last_block);     /* the last block left out */
VB_MUTANT_MATMUL(first_half_bias_of_one); /* Q6_K, one token: both halves' bias by u_lo */
VB_MUTANT_MATMUL(first_half_bias_of_two); /* the same for two tokens */
/* Float weights */
VB_MUTANT_MATMUL(fused_lanes);      /* lane = fma(w, x, lane) */
VB_MUTANT_MATMUL(sequential);       /* one sum in ascending order */
VB_MUTANT_MATMUL(eight_lanes);      /* lanes by k mod 8 */
VB_MUTANT_MATMUL(neighbours_first); /* the final sum pairs lanes 2l and 2l + 1 */
VB_MUTANT_MATMUL(missing_tail);     /* the last element left out when cols % 16 is not 0 */
/* Any weights */
VB_MUTANT_MATMUL(row_too_many);  /* writes the row after row_end */
VB_MUTANT_MATMUL(batch_matters); /* the fifth token of a batch is summed in another order */

#endif
