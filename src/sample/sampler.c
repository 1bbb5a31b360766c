/*
 * One sequence's sampler: adjusted logits, weights, truncation, draw. Counts of tokens are kept
 * with a list of the tokens seen, so that penalties and the start of a new sequence cost what was
 * seen, not the vocabulary.
 */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "arith/bits.h"
#include "sample/sample.h"
#include "sample/truncate.h"
#include "sample/wide.h"

/* What the sequence holds of one token. */
typedef struct tally {
    bool seen;       /* in the prompt or the output */
    uint32_t output; /* times in the output */
} tally;

struct vb_sampler {
    const vb_kernels *k;
    size_t n_vocab;
    bool begun;
    vb_sampling params;
    float *logits;     /* [n_vocab], after bias and penalties */
    uint64_t *weights; /* [n_vocab] */
    tally *tallies;    /* [n_vocab] */
    uint32_t *seen;    /* the tokens seen, each once, in order of first sight */
    size_t n_seen;
    vb_truncation *truncation;
    vb_cut cut;     /* of the last draw */
    vb_choice last; /* what it chose; total 0: greedy */
};

vb_err vb_sampler_open(const vb_kernels *k, size_t n_vocab, vb_sampler **out, vb_error *e) {
    if (n_vocab < 1 || n_vocab > VB_MODEL_VOCAB_MAX) {
        return vb_fail(e, VB_ELIMIT, "sampler: vocabulary of %zu tokens: expected 1 to %u", n_vocab,
                       VB_MODEL_VOCAB_MAX);
    }
    vb_truncation *truncation;
    vb_err err = vb_truncation_open(n_vocab, &truncation, e);
    if (err) {
        return err;
    }
    vb_sampler *s = calloc(1, sizeof *s);
    if (s) {
        s->k = k;
        s->n_vocab = n_vocab;
        s->truncation = truncation;
        s->logits = calloc(n_vocab, sizeof *s->logits);
        s->weights = calloc(n_vocab, sizeof *s->weights);
        s->tallies = calloc(n_vocab, sizeof *s->tallies);
        s->seen = calloc(n_vocab, sizeof *s->seen);
    } else {
        vb_truncation_close(truncation);
    }
    if (!s || !s->logits || !s->weights || !s->tallies || !s->seen) {
        vb_sampler_close(s);
        return vb_fail(e, VB_ENOMEM, "sampler: no memory for a vocabulary of %zu tokens", n_vocab);
    }
    *out = s;
    return VB_OK;
}

void vb_sampler_close(vb_sampler *s) {
    if (s) {
        vb_truncation_close(s->truncation);
        free(s->logits);
        free(s->weights);
        free(s->tallies);
        free(s->seen);
        free(s);
    }
}

static void see(vb_sampler *s, uint32_t token) {
    if (!s->tallies[token].seen) {
        s->tallies[token].seen = true;
        s->seen[s->n_seen++] = token;
    }
}

vb_err vb_sampler_begin(vb_sampler *s, const vb_sampling *params, const uint32_t *prompt,
                        size_t n_prompt, vb_error *e) {
    vb_err err = vb_sampling_check(params, s->n_vocab, e);
    if (err) {
        return err;
    }
    for (size_t i = 0; i < n_prompt; i++) {
        if (prompt[i] >= s->n_vocab) {
            return vb_fail(e, VB_EINVAL, "prompt token %zu is %u: the vocabulary has %zu tokens", i,
                           prompt[i], s->n_vocab);
        }
    }
    for (size_t i = 0; i < s->n_seen; i++) {
        s->tallies[s->seen[i]] = (tally){false, 0};
    }
    s->n_seen = 0;
    for (size_t i = 0; i < n_prompt; i++) {
        see(s, prompt[i]);
    }
    s->params = *params;
    s->begun = true;
    return VB_OK;
}

void vb_sampler_accept(vb_sampler *s, uint32_t token) {
    VB_ASSERT(s->begun && token < s->n_vocab);
    see(s, token);
    s->tallies[token].output++;
}

const float *vb_sampler_logits(const vb_sampler *s) {
    return s->logits;
}

/* Section 3: bias, then repetition, frequency and presence penalties, each operation in f32. */
static void adjust(vb_sampler *s) {
    const vb_sampling *p = &s->params;
    for (size_t i = 0; i < p->n_bias; i++) {
        float *l = &s->logits[p->bias[i].token];
        *l = *l + p->bias[i].bias;
    }
    bool repetition = p->repetition_penalty != 1.0f;
    bool frequency = p->frequency_penalty != 0.0f;
    bool presence = p->presence_penalty != 0.0f;
    if (!repetition && !frequency && !presence) {
        return;
    }
    for (size_t i = 0; i < s->n_seen; i++) {
        uint32_t count = s->tallies[s->seen[i]].output;
        float l = s->logits[s->seen[i]];
        if (repetition) {
            l = l > 0.0f ? l / p->repetition_penalty : l * p->repetition_penalty;
        }
        if (frequency && count > 0) {
            float penalty = p->frequency_penalty * (float)count;
            l = l - penalty;
        }
        if (presence && count > 0) {
            l = l - p->presence_penalty;
        }
        s->logits[s->seen[i]] = l;
    }
}

static vb_err check_finite(const vb_sampler *s, const float *logits, vb_error *e) {
    if (s->k->all_finite(s->logits, s->n_vocab)) {
        return VB_OK;
    }
    size_t i = 0;
    while (i + 1 < s->n_vocab && isfinite(s->logits[i])) {
        i++;
    }
    return vb_fail(e, VB_ENONFINITE,
                   "logit of token %zu is %g after bias and penalties, %g before: expected a "
                   "finite number",
                   i, (double)s->logits[i], (double)logits[i]);
}

static bool is_allowed(const uint64_t *allowed, size_t token) {
    return allowed[token / 64] >> token % 64 & 1;
}

/* The lowest allowed token; n when there is none below it. */
static size_t first_allowed(const uint64_t *allowed, size_t n) {
    for (size_t w = 0; w * 64 < n; w++) {
        if (allowed[w]) {
            const size_t token = w * 64 + (size_t)__builtin_ctzll(allowed[w]);
            return token < n ? token : n;
        }
    }
    return n;
}

static size_t word_tokens(size_t w, size_t n) {
    return n - w * 64 < 64 ? n - w * 64 : 64;
}

/* Section 3.1: tokens that are not allowed leave. Their place is taken by the lowest number, so
 * that the kernels see finite numbers only. False when no token is left. */
static bool leave_allowed(vb_sampler *s, const uint64_t *allowed, size_t *top) {
    const uint32_t lowest = vb_f32_bits(-FLT_MAX);
    const size_t first = first_allowed(allowed, s->n_vocab);
    if (first == s->n_vocab) {
        return false;
    }
    for (size_t w = 0; w * 64 < s->n_vocab; w++) {
        const uint64_t bits = allowed[w];
        const size_t n = word_tokens(w, s->n_vocab);
        float *x = s->logits + w * 64;
        /* Without branches, which masks of real vocabularies make unpredictable. */
        for (size_t j = 0; j < n; j++) {
            const uint32_t keep = -(uint32_t)(bits >> j & 1);
            x[j] = vb_f32_from_bits((vb_f32_bits(x[j]) & keep) | (lowest & ~keep));
        }
    }
    *top = s->k->argmax(s->logits, s->n_vocab);
    if (!is_allowed(allowed, *top)) {
        *top = first; /* all that are allowed are as low */
    }
    return true;
}

static void drop_weights(vb_sampler *s, const uint64_t *allowed) {
    for (size_t w = 0; w * 64 < s->n_vocab; w++) {
        const uint64_t bits = allowed[w];
        const size_t n = word_tokens(w, s->n_vocab);
        uint64_t *x = s->weights + w * 64;
        for (size_t j = 0; j < n; j++) {
            x[j] &= -(bits >> j & 1);
        }
    }
}

vb_err vb_sampler_draw_among(vb_sampler *s, const float *logits, const uint64_t *allowed,
                             uint64_t u, vb_choice *out, vb_error *e) {
    VB_ASSERT(s->begun);
    const vb_sampling *p = &s->params;
    memcpy(s->logits, logits, s->n_vocab * sizeof *logits);
    adjust(s);
    vb_err err = check_finite(s, logits, e);
    if (err) {
        return err;
    }
    size_t top;
    if (!allowed) {
        top = s->k->argmax(s->logits, s->n_vocab);
    } else if (!leave_allowed(s, allowed, &top)) {
        return vb_fail(e, VB_EINVAL, "none of the %zu tokens is allowed", s->n_vocab);
    }
    if (p->temperature == 0.0f) {
        *out = s->last = (vb_choice){.token = (uint32_t)top, .kept = 1};
        return VB_OK;
    }
    s->k->exp_weights(s->logits, s->n_vocab, s->logits[top], p->temperature, s->weights);
    if (s->weights[top] != VB_WEIGHT_ONE) {
        return vb_fail(e, VB_EINTERNAL, "weight of the largest logit, token %zu, is not 2^40", top);
    }
    if (allowed) {
        drop_weights(s, allowed);
    }
    s->cut = vb_truncation_apply(s->truncation, s->weights, p->top_k, p->top_p, p->min_p);
    uint32_t token = vb_truncation_pick(s->truncation, &s->cut, vb_wide_scale(u, s->cut.total));
    *out = s->last = (vb_choice){token, s->weights[token], s->cut.total, s->cut.kept};
    return VB_OK;
}

vb_err vb_sampler_draw(vb_sampler *s, const float *logits, uint64_t u, vb_choice *out,
                       vb_error *e) {
    return vb_sampler_draw_among(s, logits, NULL, u, out, e);
}

/* Whether the cut keeps a token: of equal weights at its edge only the lowest ids. */
static bool is_kept(const vb_sampler *s, uint32_t token) {
    const uint64_t weight = s->weights[token];
    if (weight != s->cut.weight) {
        return weight > s->cut.weight;
    }
    uint32_t before = 0;
    for (uint32_t i = 0; i < token; i++) {
        before += s->weights[i] == weight;
    }
    return before < s->cut.ties;
}

void vb_sampler_share(const vb_sampler *s, uint32_t token, uint64_t *weight, uint64_t *total) {
    VB_ASSERT(s->last.kept >= 1 && token < s->n_vocab);
    if (s->last.total == 0) {
        *weight = token == s->last.token;
        *total = 1;
        return;
    }
    *weight = is_kept(s, token) ? s->weights[token] : 0;
    *total = s->last.total;
}
