/*
 * What the processor can do at most, measured: the ceilings that bench/kernels.c divides by.
 * Each does a fixed amount of work and returns a value that depends on it.
 */
#ifndef VB_BENCH_PEAKS_H
#define VB_BENCH_PEAKS_H

#include <stddef.h>
#include <stdint.h>

/* Independent sums that a loop keeps in registers, and how often it adds to each. */
enum { VB_PEAK_CHAINS = 12, VB_PEAK_ROUNDS = 200000 };

/* The unit of work of a tier's ceilings. int8: multiply-accumulates of bytes into 32-bit sums
 * by the tier's instructions. f32: multiplications each followed by an addition, unfused. */
typedef struct vb_peak {
    const char *tier;
    double int8_macs; /* done by one int8() call */
    double f32_pairs; /* done by one f32() call */
    int64_t (*int8)(void);
    float (*f32)(void);
} vb_peak;

/* NULL for a tier without its own measurement (scalar). */
const vb_peak *vb_peak_of(const char *tier);

#if defined(__aarch64__)
int64_t vb_peak_int8_neondot(void); /* a file of its own, for its instruction set */
#endif

/* Reads n bytes (a multiple of 4096), wide loads in order. */
uint64_t vb_peak_read(const uint8_t *p, size_t n);

#endif
