/*
 * Tiers with one planted fault each: what the comparison with the scalar definition must find.
 * A mutant that goes unreported is a hole in the tests.
 */
#ifndef VB_TESTS_MUTANTS_MUTANTS_H
#define VB_TESTS_MUTANTS_MUTANTS_H

#include "kernels/kernels.h"

/* The mutants, each named for its fault. The tables are static. */
size_t vb_mutants(const vb_kernels **out, size_t max);

/* kernels.h: add, but it reads one float beyond x. Not in the list: it is a fault of the
 * processor, not a comparison, that must report it. */
void vb_mutant_reads_beyond(float *y, const float *x, size_t n);

#endif
