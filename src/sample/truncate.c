/*
 * Radix selection over weights. One pass counts and sums the weights of each octave, because
 * weights are exponentials: the octave that holds a cut is then known, and only tokens from there
 * up are looked at again. That octave is split into equal parts, and the part that holds the cut
 * again, until few weights are left or all are equal.
 */
#include "sample/truncate.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/limits.h"
#include "sample/wide.h"

enum {
    OCTAVES = 65, /* [0] holds zero, [1 + e] the weights in [2^e, 2^(e + 1)) */
    LANES = 4,    /* histograms filled in turn: an addition need not wait for the one before */
    PART_BITS = 10,
    SORT_MAX = 32
};

typedef struct bin {
    uint64_t sum;
    uint32_t count;
} bin;

struct vb_truncation {
    size_t n_vocab;
    const uint64_t *w;   /* borrowed: the weights in hand */
    uint64_t floor;      /* candidates are the tokens with w >= floor */
    uint32_t *candidate; /* their ids, ascending */
    size_t n_candidates;
    uint64_t candidate_sum; /* of their weights */
    uint64_t *narrow;       /* weights among which a cut is sought */
    bin octaves[OCTAVES];
    bin parts[1 << PART_BITS];
};

/* A prefix of the order is wanted: the shortest with this count or this sum. */
typedef struct target {
    uint64_t count;
    uint64_t sum;
} target;

static unsigned octave_of(uint64_t w) {
    return 63u - (unsigned)__builtin_clzll(w << 1 | 1);
}

static void bins_clear(bin *bins, size_t n) {
    for (size_t i = 0; i < n; i++) {
        bins[i] = (bin){0, 0};
    }
}

static void bin_add(bin *b, uint64_t w) {
    b->sum += w;
    b->count++;
}

/* Adds whole bins to *above, from the top, up to the one in which the target is reached. */
static unsigned bins_walk(const bin *bins, unsigned n, const target *want, bin *above) {
    unsigned b = n - 1;
    for (; b > 0; b--) {
        uint64_t count = (uint64_t)above->count + bins[b].count;
        uint64_t sum = above->sum + bins[b].sum;
        if (bins[b].count && (count >= want->count || sum >= want->sum)) {
            break;
        }
        above->count = (uint32_t)count;
        above->sum = sum;
    }
    return b;
}

/* Makes the tokens with w >= floor (>= 1) the candidates. */
static void gather(vb_truncation *t, uint64_t floor) {
    size_t n = 0;
    uint64_t sum = 0;
    for (size_t i = 0; i < t->n_vocab; i++) {
        bool in = t->w[i] >= floor;
        t->candidate[n] = (uint32_t)i;
        n += in;
        sum += in ? t->w[i] : 0;
    }
    t->floor = floor;
    t->n_candidates = n;
    t->candidate_sum = sum;
}

/* The cut inside n equal weights, of which those in `above` are already kept. */
static vb_cut cut_equal(uint64_t weight, const target *want, const bin *above) {
    uint64_t by_count = want->count - above->count;
    uint64_t lacking = want->sum - above->sum;
    uint64_t by_sum = lacking / weight + (lacking % weight != 0);
    uint64_t ties = by_count < by_sum ? by_count : by_sum;
    return (vb_cut){weight, (uint32_t)ties, above->count + (uint32_t)ties,
                    above->sum + ties * weight};
}

/* The same inside a few weights of any value. */
static vb_cut cut_few(uint64_t *v, size_t n, const target *want, const bin *above) {
    for (size_t i = 1; i < n; i++) {
        uint64_t x = v[i];
        size_t j = i;
        for (; j > 0 && v[j - 1] < x; j--) {
            v[j] = v[j - 1];
        }
        v[j] = x;
    }
    vb_cut cut = {0, 0, above->count, above->sum};
    for (size_t i = 0; i < n; i++) {
        cut.ties = v[i] == cut.weight ? cut.ties + 1 : 1;
        cut.weight = v[i];
        cut.kept++;
        cut.total += v[i];
        if (cut.kept >= want->count || cut.total >= want->sum) {
            break;
        }
    }
    return cut;
}

/* The same inside n weights of any value; v is overwritten. */
static vb_cut cut_among(vb_truncation *t, uint64_t *v, size_t n, const target *want, bin above) {
    while (n > SORT_MAX) {
        uint64_t low = v[0], high = v[0];
        for (size_t i = 1; i < n; i++) {
            low = v[i] < low ? v[i] : low;
            high = v[i] > high ? v[i] : high;
        }
        if (low == high) {
            return cut_equal(low, want, &above);
        }
        unsigned bits = octave_of(high - low);
        unsigned shift = bits > PART_BITS ? bits - PART_BITS : 0;
        unsigned parts = (unsigned)((high - low) >> shift) + 1;
        bins_clear(t->parts, parts);
        for (size_t i = 0; i < n; i++) {
            bin_add(&t->parts[(v[i] - low) >> shift], v[i]);
        }
        unsigned b = bins_walk(t->parts, parts, want, &above);
        size_t left = 0;
        for (size_t i = 0; i < n; i++) {
            uint64_t w = v[i];
            v[left] = w;
            left += (w - low) >> shift == b;
        }
        n = left;
    }
    return cut_few(v, n, want, &above);
}

/* The cut that reaches the target; all weights together reach it. */
static vb_cut cut_at(vb_truncation *t, const target *want) {
    bin above = {0, 0};
    unsigned octave = bins_walk(t->octaves, OCTAVES, want, &above);
    VB_ASSERT(octave > 0);
    uint64_t low = (uint64_t)1 << (octave - 1);
    if (t->floor > low) {
        gather(t, low);
    }
    size_t n = 0;
    for (size_t i = 0; i < t->n_candidates; i++) {
        uint64_t w = t->w[t->candidate[i]];
        t->narrow[n] = w;
        n += w >> (octave - 1) == 1;
    }
    return cut_among(t, t->narrow, n, want, above);
}

vb_err vb_truncation_open(size_t n_vocab, vb_truncation **out, vb_error *e) {
    VB_ASSERT(n_vocab >= 1 && n_vocab <= VB_MODEL_VOCAB_MAX);
    vb_truncation *t = calloc(1, sizeof *t);
    if (t) {
        t->n_vocab = n_vocab;
        t->candidate = calloc(n_vocab, sizeof *t->candidate);
        t->narrow = calloc(n_vocab, sizeof *t->narrow);
    }
    if (!t || !t->candidate || !t->narrow) {
        vb_truncation_close(t);
        return vb_fail(e, VB_ENOMEM, "sampler: no memory for a vocabulary of %zu tokens", n_vocab);
    }
    *out = t;
    return VB_OK;
}

void vb_truncation_close(vb_truncation *t) {
    if (t) {
        free(t->candidate);
        free(t->narrow);
        free(t);
    }
}

/* Fills the octaves; the cut that keeps every token with a weight. */
static vb_cut cut_none(vb_truncation *t) {
    bin lanes[LANES][OCTAVES] = {{{0, 0}}};
    for (size_t i = 0; i < t->n_vocab; i++) {
        bin_add(&lanes[i % LANES][octave_of(t->w[i])], t->w[i]);
    }
    vb_cut cut = {1, UINT32_MAX, 0, 0};
    for (size_t o = 0; o < OCTAVES; o++) {
        t->octaves[o] = (bin){0, 0};
        for (size_t l = 0; l < LANES; l++) {
            t->octaves[o].sum += lanes[l][o].sum;
            t->octaves[o].count += lanes[l][o].count;
        }
        cut.total += t->octaves[o].sum;
        cut.kept += o > 0 ? t->octaves[o].count : 0;
    }
    return cut;
}

vb_cut vb_truncation_apply(vb_truncation *t, const uint64_t *w, uint32_t top_k, uint64_t top_p,
                           uint64_t min_p) {
    VB_ASSERT(top_p >= 1 && top_p <= VB_FIXED_POINT_ONE && min_p <= VB_FIXED_POINT_ONE);
    t->w = w;
    t->floor = UINT64_MAX;
    vb_cut cut = cut_none(t);
    if (top_k != 0 && top_k < cut.kept) {
        cut = cut_at(t, &(target){top_k, UINT64_MAX});
    }
    if (top_p < VB_FIXED_POINT_ONE) {
        /* The shortest prefix of all tokens is the shortest prefix of what top-k left: the order
         * is the same, and the sum wanted is no more than what top-k left. */
        cut = cut_at(t, &(target){UINT64_MAX, vb_wide_share(top_p, cut.total)});
    }
    uint64_t floor = min_p << 8; /* w * 2^32 >= min_p * 2^40 */
    if (floor > cut.weight) {
        gather(t, floor);
        cut = (vb_cut){floor, UINT32_MAX, (uint32_t)t->n_candidates, t->candidate_sum};
    }
    VB_ASSERT(cut.kept >= 1 && cut.total >= VB_WEIGHT_ONE);
    return cut;
}

uint32_t vb_truncation_pick(const vb_truncation *t, const vb_cut *cut, uint64_t r) {
    VB_ASSERT(r < cut->total);
    bool listed = t->floor <= cut->weight; /* every token kept is a candidate */
    size_t n = listed ? t->n_candidates : t->n_vocab;
    uint32_t ties = cut->ties; /* UINT32_MAX never runs out */
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t id = listed ? t->candidate[i] : (uint32_t)i;
        uint64_t w = t->w[id];
        if (w < cut->weight) {
            continue;
        }
        if (w == cut->weight) {
            if (ties == 0) {
                continue;
            }
            ties--;
        }
        sum += w;
        if (sum > r) {
            return id;
        }
    }
    VB_ASSERT(!"a draw below the total always falls on a token");
    return 0;
}
