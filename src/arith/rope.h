/*
 * Rotary position embedding (spec/arithmetic.md section 5.6): frequencies in binary64, one row of
 * cosines and sines per position in binary32, and the rotation of one pair.
 *
 * Pure; any thread.
 */
#ifndef VB_ARITH_ROPE_H
#define VB_ARITH_ROPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* The largest frequency: positions stay below 2^22, so angles stay inside VB_TRIG_MAX. */
#define VB_ROPE_FREQ_MAX 2.0

typedef enum vb_rope_kind {
    VB_ROPE_KIND_NONE,
    VB_ROPE_KIND_LINEAR,  /* frequencies divided by factor */
    VB_ROPE_KIND_FACTORS, /* llama3: each frequency divided by its own, from the file */
    VB_ROPE_KIND_YARN
} vb_rope_kind;

typedef struct vb_rope_params {
    size_t n_rot; /* dimensions rotated: even, 2 .. VB_MODEL_HEAD_DIM_MAX */
    double base;  /* 1.5 .. 2^100 */
    vb_rope_kind kind;
    double factor;        /* linear, yarn: >= 1 */
    size_t ctx_orig;      /* yarn: trained context, tokens */
    double ext_factor;    /* yarn: 1 unless the file says otherwise */
    double attn_factor;   /* multiplies cos and sin; 1 unless the file says otherwise */
    double beta_fast;     /* yarn: 32 */
    double beta_slow;     /* yarn: 1 */
    const float *factors; /* factors: [n_rot / 2], the tensor rope_freqs.weight; else unused */
} vb_rope_params;

/* Fills freq[n_rot / 2] and *mscale. False, outputs undefined, when a parameter is outside the
 * ranges above or a frequency is not finite, is negative or exceeds VB_ROPE_FREQ_MAX, or mscale
 * is not finite and positive. */
VB_MUST_CHECK bool vb_rope_freqs(const vb_rope_params *p, double *freq, double *mscale);

/* One position's row: cos_row[i] = (f32)(cos(pos * freq_i) * mscale), likewise sin; n = n_rot / 2.
 * pos <= 2^22. */
void vb_rope_row(const double *freq, size_t n, double mscale, uint64_t pos, float *cos_row,
                 float *sin_row);

/* Rotates the pair (a, b): a c - b s, a s + b c. */
static inline void vb_rope_rotate(float *a, float *b, float c, float s) {
    float x = *a, y = *b;
    *a = x * c - y * s;
    *b = x * s + y * c;
}

#endif
