/*
 * From logits to a token (spec/sampling.md): bias and penalties in f32, then integer
 * weights, integer truncation (top-k, top-p, min-p) and an integer draw. Pure: the
 * random number of a draw is a parameter.
 *
 * Owner: a vb_sampler owns work memory sized for one vocabulary; no allocation per token.
 * Thread rule: one thread at a time.
 */
#ifndef VB_SAMPLE_SAMPLE_H
#define VB_SAMPLE_SAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/limits.h"
#include "kernels/kernels.h"

typedef struct vb_logit_bias {
    uint32_t token;
    float bias;
} vb_logit_bias;

/* Normalised parameters: what the commitment holds. Reals are f32; top_p and min_p are 32-bit
 * fixed point (value * 2^32, rounded to nearest-even once, in 64 bits: 2^32 means 1.0). */
typedef struct vb_sampling {
    float temperature;        /* 0: greedy */
    uint32_t top_k;           /* 0: off */
    uint64_t top_p;           /* 1 .. 2^32; 2^32: off */
    uint64_t min_p;           /* 0 .. 2^32; 0: off */
    float presence_penalty;   /* -2 .. 2; 0: off */
    float frequency_penalty;  /* -2 .. 2; 0: off */
    float repetition_penalty; /* > 0; 1: off */
    size_t n_bias;
    vb_logit_bias bias[VB_LOGIT_BIAS_MAX]; /* ascending token, no duplicates */
} vb_sampling;

/* Greedy, everything off. */
void vb_sampling_default(vb_sampling *s);

/* A real probability to fixed point, as the spec rounds it. VB_EINVAL outside [0, 1] or NaN. */
VB_MUST_CHECK vb_err vb_sampling_fixed_point(double p, uint64_t *out, vb_error *e);

/* Ranges of every field (spec section 2): VB_EINVAL, or VB_ELIMIT for too many biases; the message
 * names the field, its value and the range. */
VB_MUST_CHECK vb_err vb_sampling_check(const vb_sampling *s, size_t n_vocab, vb_error *e);

typedef struct vb_sampler vb_sampler;

/* n_vocab from 1 to VB_MODEL_VOCAB_MAX, else VB_ELIMIT; VB_ENOMEM. k is borrowed until close. */
VB_MUST_CHECK vb_err vb_sampler_open(const vb_kernels *k, size_t n_vocab, vb_sampler **out,
                                     vb_error *e);
void vb_sampler_close(vb_sampler *s);

/* Starts a sequence: token counts are those of the prompt (repetition penalty counts prompt
 * and output; presence and frequency count output only). params is copied after
 * vb_sampling_check; VB_EINVAL also for a prompt token outside the vocabulary. Costs O(tokens
 * seen), not O(vocabulary). On an error the sequence before goes on. */
VB_MUST_CHECK vb_err vb_sampler_begin(vb_sampler *s, const vb_sampling *params,
                                      const uint32_t *prompt, size_t n_prompt, vb_error *e);

typedef struct vb_choice {
    uint32_t token;
    uint64_t weight; /* of the token; 0 when greedy */
    uint64_t total;  /* of all tokens that truncation left; 0 when greedy */
    uint32_t kept;   /* tokens that truncation left; 1 when greedy */
} vb_choice;

/* One draw from logits[n_vocab] (left unchanged) with the 64-bit number u of that draw
 * (not looked at when greedy). Does not record the token: vb_sampler_accept does. VB_ENONFINITE
 * names the lowest token whose logit is not finite after bias and penalties; VB_EINTERNAL when a
 * kernel gives weights that break its contract. */
VB_MUST_CHECK vb_err vb_sampler_draw(vb_sampler *s, const float *logits, uint64_t u, vb_choice *out,
                                     vb_error *e);
void vb_sampler_accept(vb_sampler *s, uint32_t token);

/* The same from the allowed tokens alone: token t is allowed when bit t % 64 of allowed[t / 64] is
 * set; NULL: all are. Logits of the others must be finite too. VB_EINVAL when none is allowed. */
VB_MUST_CHECK vb_err vb_sampler_draw_among(vb_sampler *s, const float *logits,
                                           const uint64_t *allowed, uint64_t u, vb_choice *out,
                                           vb_error *e);

/* The logits of the last draw after bias and penalties, [n_vocab]; borrowed until the next call.
 * Those of tokens that were not allowed are the lowest finite number. */
const float *vb_sampler_logits(const vb_sampler *s);

/* The weight that any token had in the last draw, among those that truncation left (0: it was cut
 * off), and the sum of all of these: its probability is weight / total. Greedy: 1 of 1 for the
 * token that was chosen, 0 of 1 for others. After a draw that was VB_OK. */
void vb_sampler_share(const vb_sampler *s, uint32_t token, uint64_t *weight, uint64_t *total);

#endif
