/*
 * The 128-bit products of the sampling rules. Compilers for small targets have no 128-bit
 * integer, so the form in 32-bit limbs is always compiled and tested beside the native one.
 */
#ifndef VB_SAMPLE_WIDE_H
#define VB_SAMPLE_WIDE_H

#include <stdint.h>

typedef struct vb_wide {
    uint64_t hi;
    uint64_t lo;
} vb_wide;

static inline vb_wide vb_wide_mul_limbs(uint64_t a, uint64_t b) {
    uint64_t a0 = (uint32_t)a, a1 = a >> 32, b0 = (uint32_t)b, b1 = b >> 32;
    uint64_t p00 = a0 * b0, p01 = a0 * b1, p10 = a1 * b0, p11 = a1 * b1;
    uint64_t mid = (p00 >> 32) + (uint32_t)p01 + (uint32_t)p10; /* at most 3 * (2^32 - 1) */
    return (vb_wide){p11 + (p01 >> 32) + (p10 >> 32) + (mid >> 32), mid << 32 | (uint32_t)p00};
}

static inline vb_wide vb_wide_mul(uint64_t a, uint64_t b) {
#ifdef __SIZEOF_INT128__
    __extension__ typedef unsigned __int128 u128;
    u128 p = (u128)a * b;
    return (vb_wide){(uint64_t)(p >> 64), (uint64_t)p};
#else
    return vb_wide_mul_limbs(a, b);
#endif
}

/* floor(u * total / 2^64). */
static inline uint64_t vb_wide_scale(uint64_t u, uint64_t total) {
    return vb_wide_mul(u, total).hi;
}

/* The least C with C * 2^32 >= p * total, for p <= 2^32. */
static inline uint64_t vb_wide_share(uint64_t p, uint64_t total) {
    vb_wide x = vb_wide_mul(p, total);
    uint64_t whole = x.hi << 32 | x.lo >> 32;
    return whole + ((uint32_t)x.lo != 0);
}

#endif
