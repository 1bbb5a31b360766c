/*
 * The sampler against a naive reference that sorts everything, on many thousands of random cases
 * of every awkward shape, and on hand-made cases of each rule.
 */
#include "sample/sample.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels.h"
#include "support/testing.h"

#define ONE ((uint64_t)1 << 40)
#define P_ONE ((uint64_t)1 << 32)
__extension__ typedef unsigned __int128 u128;

/* Weights of the test's own choice, whatever the logits. */
static uint64_t *chosen;
static size_t chosen_argmax(const float *x, size_t n) {
    (void)x;
    for (size_t i = 0; i < n; i++) {
        if (chosen[i] == ONE) {
            return i;
        }
    }
    return 0;
}
static void chosen_weights(const float *x, size_t n, float x_max, float temperature, uint64_t *w) {
    (void)x, (void)x_max, (void)temperature;
    memcpy(w, chosen, n * sizeof *w);
}
static const vb_kernels chosen_kernels = {.name = "chosen",
                                          .all_finite = plain_all_finite,
                                          .argmax = chosen_argmax,
                                          .exp_weights = chosen_weights};

typedef struct entry {
    uint64_t w;
    uint32_t id;
} entry;

static int by_order(const void *a, const void *b) {
    const entry *x = a, *y = b;
    return x->w != y->w ? (x->w < y->w ? 1 : -1) : (x->id > y->id) - (x->id < y->id);
}
static int by_id(const void *a, const void *b) {
    const entry *x = a, *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

/* Sections 5 and 6 of the spec, word for word. */
static vb_choice naive_draw(const uint64_t *w, size_t n_vocab, const vb_sampling *p, uint64_t u) {
    entry *list = malloc(n_vocab * sizeof *list);
    assert_non_null(list);
    size_t n = 0;
    for (size_t i = 0; i < n_vocab; i++) {
        if (w[i] > 0) {
            list[n++] = (entry){w[i], (uint32_t)i};
        }
    }
    qsort(list, n, sizeof *list, by_order);
    if (p->top_k > 0 && p->top_k < n) {
        n = p->top_k;
    }
    u128 total = 0, sum = 0;
    for (size_t i = 0; i < n; i++) {
        total += list[i].w;
    }
    size_t m = 0;
    do {
        sum += list[m++].w;
    } while (sum << 32 < p->top_p * total);
    n = m;
    for (m = 0; m < n && (u128)list[m].w << 32 >= (u128)p->min_p * list[0].w; m++) {
    }
    n = m;
    qsort(list, n, sizeof *list, by_id);
    total = sum = 0;
    for (size_t i = 0; i < n; i++) {
        total += list[i].w;
    }
    uint64_t r = (uint64_t)(u * total >> 64);
    for (size_t i = 0; i < n; i++) {
        sum += list[i].w;
        if (sum > r) {
            vb_choice c = {list[i].id, list[i].w, (uint64_t)total, (uint32_t)n};
            free(list);
            return c;
        }
    }
    fail_msg("the reference drew nothing");
    return (vb_choice){0};
}

static void assert_choice(vb_choice got, vb_choice want) {
    assert_int_equal(got.token, want.token);
    assert_int_equal(got.weight, want.weight);
    assert_int_equal(got.total, want.total);
    assert_int_equal(got.kept, want.kept);
}

static vb_sampler *open_begun(const vb_kernels *k, size_t n_vocab, const vb_sampling *p) {
    vb_sampler *s = NULL;
    vb_error e;
    assert_int_equal(vb_sampler_open(k, n_vocab, &s, &e), VB_OK);
    assert_int_equal(vb_sampler_begin(s, p, NULL, 0, &e), VB_OK);
    return s;
}

static void restart(vb_sampler *s, const vb_sampling *p) {
    vb_error e = {0};
    if (vb_sampler_begin(s, p, NULL, 0, &e)) {
        fail_msg("%s", e.msg);
    }
}

static uint64_t random_u(uint64_t *rng) {
    switch (vb_test_random(rng) % 8) {
    case 0: return 0;
    case 1: return UINT64_MAX;
    default: return vb_test_random(rng);
    }
}

static uint64_t random_weight(uint64_t *rng, unsigned shape) {
    uint64_t x = vb_test_random(rng);
    switch (shape) {
    case 0: return ONE;                          /* all equal */
    case 1: return ONE - x % 3;                  /* nearly equal */
    case 2: return (x >> 24) >> (x & 63);        /* every magnitude */
    case 3: return x % 4;                        /* dust */
    case 4: return ONE >> x % 45;                /* powers of two, zeros */
    case 5: return (ONE >> 1) + (x >> 30);       /* one octave, distinct */
    case 6: return x % 16 ? 0 : x >> 24;         /* mostly zero */
    case 7: return (ONE >> 20) + x % 1000;       /* one bucket below the first floor */
    case 8: return (ONE >> 12) - x % 3;          /* around the first floor */
    default: return (ONE >> 3) + (x % 64 << 20); /* ties in clusters */
    }
}

static void random_truncation(uint64_t *rng, size_t n_vocab, const uint64_t *w, vb_sampling *p) {
    uint64_t x = vb_test_random(rng);
    p->top_k = x & 1 ? 0 : (uint32_t)(1 + vb_test_random(rng) % (n_vocab + 2));
    p->top_p = x & 2 ? P_ONE : 1 + (vb_test_random(rng) >> 32);
    p->min_p = x & 4 ? 0 : vb_test_random(rng) >> (32 + vb_test_random(rng) % 34 % 32);
    if (x & 8) {
        p->min_p = w[vb_test_random(rng) % n_vocab] >> 8; /* lands on a weight */
    }
    if ((x & 0x30) == 0x30) {
        p->top_p = 1 + (x >> 60); /* almost nothing */
    }
    if ((x & 0xc0) == 0xc0) {
        p->top_p = P_ONE - (x >> 60); /* almost everything */
    }
}

/* Every token's share of the last draw: as many tokens and the sum of weights that were kept, none
 * of them lighter than one that was cut off, nor of equal weight and a higher id. */
static void assert_shares(const vb_sampler *s, const uint64_t *w, size_t n, const vb_choice *c) {
    uint64_t sum = 0, share, total, lightest = UINT64_MAX, heaviest_cut = 0;
    size_t kept = 0, last_kept = 0, first_cut = SIZE_MAX;
    for (size_t i = 0; i < n; i++) {
        vb_sampler_share(s, (uint32_t)i, &share, &total);
        assert_true(share == 0 || share == w[i]);
        assert_int_equal(total, c->total);
        sum += share;
        kept += share > 0;
        if (share && w[i] <= lightest) {
            lightest = w[i];
            last_kept = i;
        } else if (!share && w[i] > heaviest_cut) {
            heaviest_cut = w[i];
            first_cut = i;
        }
    }
    assert_int_equal(sum, c->total);
    assert_int_equal(kept, c->kept);
    assert_true(heaviest_cut < lightest || (heaviest_cut == lightest && last_kept < first_cut));
    vb_sampler_share(s, c->token, &share, &total);
    assert_int_equal(share, c->weight);
}

static void chosen_weights_equal_reference(void **state) {
    (void)state;
    static const size_t vocabs[] = {1, 2, 3, 31, 33, 64, 257, 3000};
    uint64_t rng = 11;
    vb_sampling p;
    vb_sampling_default(&p);
    p.temperature = 1.0f;
    for (size_t v = 0; v < sizeof vocabs / sizeof vocabs[0]; v++) {
        size_t n = vocabs[v];
        float *logits = calloc(n, sizeof *logits);
        chosen = calloc(n, sizeof *chosen);
        assert_true(logits && chosen);
        vb_sampler *s = open_begun(&chosen_kernels, n, &p);
        int rounds = n > 1000 ? 1000 : 6000;
        for (int round = 0; round < rounds; round++) {
            unsigned shape = (unsigned)(vb_test_random(&rng) % 11), mixed = shape == 10;
            for (size_t i = 0; i < n; i++) {
                uint64_t w =
                    random_weight(&rng, mixed ? (unsigned)(vb_test_random(&rng) % 10) : shape);
                chosen[i] = w > ONE ? ONE : w;
            }
            chosen[vb_test_random(&rng) % n] = ONE;
            random_truncation(&rng, n, chosen, &p);
            restart(s, &p);
            uint64_t u = random_u(&rng);
            vb_choice got;
            assert_int_equal(vb_sampler_draw(s, logits, u, &got, NULL), VB_OK);
            assert_choice(got, naive_draw(chosen, n, &p, u));
            if (n <= 64) {
                assert_shares(s, chosen, n, &got);
            }
        }
        vb_sampler_close(s);
        free(logits);
        free(chosen);
    }
}

/* p that makes a prefix's sum land exactly on its share: one more unit needs one more token. */
static void top_p_on_a_boundary(void **state) {
    (void)state;
    enum { N = 8 };
    static uint64_t weights[N] = {ONE, ONE, ONE, ONE, ONE, ONE, ONE, ONE};
    float logits[N] = {0};
    chosen = weights;
    vb_sampling p;
    vb_sampling_default(&p);
    p.temperature = 1.0f;
    vb_sampler *s = open_begun(&chosen_kernels, N, &p);
    vb_choice c;
    for (uint32_t k = 1; k <= N; k++) {
        p.top_p = P_ONE / N * k;
        restart(s, &p);
        assert_int_equal(vb_sampler_draw(s, logits, UINT64_MAX, &c, NULL), VB_OK);
        assert_choice(c, (vb_choice){k - 1, ONE, k * ONE, k});
        p.top_p += k < N;
        restart(s, &p);
        assert_int_equal(vb_sampler_draw(s, logits, UINT64_MAX, &c, NULL), VB_OK);
        assert_int_equal(c.kept, k < N ? k + 1 : N);
        p.top_p = P_ONE / N * k - 1;
        restart(s, &p);
        assert_int_equal(vb_sampler_draw(s, logits, 0, &c, NULL), VB_OK);
        assert_choice(c, (vb_choice){0, ONE, k * ONE, k});
    }
    vb_sampler_close(s);
}

/* The same where the boundary is that of an octave of weights, and of a part of one: the two levels
 * of the selection. */
static void top_p_between_weights(void **state) {
    (void)state;
    enum { N = 83 };
    static uint64_t weights[N];
    float logits[N] = {0};
    chosen = weights;
    vb_sampling p;
    vb_sampling_default(&p);
    p.temperature = 1.0f;
    vb_choice c;
    const uint64_t pairs[6] = {ONE / 2, ONE, ONE / 2, ONE / 2, ONE, ONE / 2};
    memcpy(weights, pairs, sizeof pairs);
    vb_sampler *s = open_begun(&chosen_kernels, 6, &p);
    for (uint64_t more = 0; more < 2; more++) {
        p.top_p = P_ONE / 2 + more;
        restart(s, &p);
        assert_int_equal(vb_sampler_draw(s, logits, 0, &c, NULL), VB_OK);
        assert_choice(c, more ? (vb_choice){0, ONE / 2, 2 * ONE + ONE / 2, 3}
                              : (vb_choice){1, ONE, 2 * ONE, 2});
    }
    vb_sampler_close(s);
    /* 1 + 32 * 3/4 = 25, and 50 * 1/2 = 25. */
    for (size_t i = 0; i < N; i++) {
        weights[i] = i == 40 ? ONE : i % 5 < 2 && i < 80 ? ONE / 4 * 3 : ONE / 2;
    }
    weights[82] = ONE / 4 * 3; /* 40 would have been one of the 32 */
    s = open_begun(&chosen_kernels, N, &p);
    for (uint64_t more = 0; more < 2; more++) {
        p.top_p = P_ONE / 2 + more;
        restart(s, &p);
        assert_int_equal(vb_sampler_draw(s, logits, UINT64_MAX, &c, NULL), VB_OK);
        assert_int_equal(c.kept, 33 + more);
        assert_int_equal(c.total, 25 * ONE + more * (ONE / 2));
        assert_choice(c, naive_draw(weights, N, &p, UINT64_MAX));
    }
    vb_sampler_close(s);
}

static void ties_at_k_go_to_low_ids(void **state) {
    (void)state;
    enum { N = 6 };
    static uint64_t weights[N] = {5, ONE / 2, ONE, ONE / 2, ONE / 2, ONE};
    float logits[N] = {0};
    chosen = weights;
    vb_sampling p;
    vb_sampling_default(&p);
    p.temperature = 1.0f;
    p.top_k = 3;
    vb_sampler *s = open_begun(&chosen_kernels, N, &p);
    vb_choice c;
    /* Kept: 2, 5 and of the ties 1; drawn by ascending id: 1, 2, 5. */
    assert_int_equal(vb_sampler_draw(s, logits, 0, &c, NULL), VB_OK);
    assert_choice(c, (vb_choice){1, ONE / 2, 2 * ONE + ONE / 2, 3});
    /* r = floor(u * 2.5 * 2^40 / 2^64): 0.2 of the range is the first value above token 1. */
    assert_int_equal(vb_sampler_draw(s, logits, 0x3333333333333333, &c, NULL), VB_OK);
    assert_int_equal(c.token, 1);
    assert_int_equal(vb_sampler_draw(s, logits, 0x3333333333333334, &c, NULL), VB_OK);
    assert_int_equal(c.token, 2);
    assert_int_equal(vb_sampler_draw(s, logits, UINT64_MAX, &c, NULL), VB_OK);
    assert_int_equal(c.token, 5);
    vb_sampler_close(s);
}

static float random_logit(uint64_t *rng, float scale) {
    return ((float)(vb_test_random(rng) >> 40) * 0x1p-24f - 0.5f) * scale;
}

/* Real weights: from logits through exp, with temperatures from one extreme to the other. */
static void real_logits_equal_reference(void **state) {
    (void)state;
    static const float temperatures[] = {1e-6f, 0x1p-149f, 0.01f, 0.7f, 1.0f, 2.0f, 100.0f};
    enum { N = 1500 };
    static float logits[N];
    static uint64_t w[N];
    uint64_t rng = 12;
    vb_sampling p;
    vb_sampling_default(&p);
    vb_sampler *s = open_begun(&plain_kernels, N, &p);
    for (int round = 0; round < 2000; round++) {
        float scale = 200.0f / (float)(1 + vb_test_random(&rng) % 200);
        for (size_t i = 0; i < N; i++) {
            logits[i] = random_logit(&rng, scale);
        }
        if (round % 5 == 0) {
            logits[round % N] = -0.0f;
            logits[(round + 7) % N] = 0x1.fffffep+127f;
            logits[(round + 9) % N] = -0x1.fffffep+127f; /* the difference overflows: weight 0 */
        }
        p.temperature = temperatures[vb_test_random(&rng) % 7];
        float max = logits[plain_argmax(logits, N)];
        plain_exp_weights(logits, N, max, p.temperature, w);
        random_truncation(&rng, N, w, &p);
        restart(s, &p);
        uint64_t u = random_u(&rng);
        vb_choice got;
        assert_int_equal(vb_sampler_draw(s, logits, u, &got, NULL), VB_OK);
        assert_choice(got, naive_draw(w, N, &p, u));
    }
    vb_sampler_close(s);
}

static void greedy_takes_the_lowest_index(void **state) {
    (void)state;
    const float logits[] = {-1.0f, -0.0f, 0.0f, -0.0f};
    vb_sampling p;
    vb_sampling_default(&p);
    vb_sampler *s = open_begun(&plain_kernels, 4, &p);
    vb_choice c;
    assert_int_equal(vb_sampler_draw(s, logits, 77, &c, NULL), VB_OK);
    assert_choice(c, (vb_choice){1, 0, 0, 1});
    for (uint32_t i = 0; i < 4; i++) {
        uint64_t share, total;
        vb_sampler_share(s, i, &share, &total);
        assert_int_equal(share, i == 1);
        assert_int_equal(total, 1);
    }
    /* With a temperature, both zeros are maxima and have the full weight. */
    p.temperature = 0x1p-149f;
    restart(s, &p);
    assert_int_equal(vb_sampler_draw(s, logits, 0, &c, NULL), VB_OK);
    assert_choice(c, (vb_choice){1, ONE, 3 * ONE, 3});
    vb_sampler_close(s);
}

static void adjustments_in_order(void **state) {
    (void)state;
    const float logits[] = {1.0f, -1.0f, 0.1f, 3.0f, 0.5f};
    const uint32_t prompt[] = {1, 3, 1};
    vb_sampling p;
    vb_sampling_default(&p);
    p.repetition_penalty = 1.3f;
    p.frequency_penalty = 0.7f;
    p.presence_penalty = 0.3f;
    p.n_bias = 2;
    p.bias[0] = (vb_logit_bias){0, -2.5f};
    p.bias[1] = (vb_logit_bias){2, 0.3f};
    vb_sampler *s = NULL;
    assert_int_equal(vb_sampler_open(&plain_kernels, 5, &s, NULL), VB_OK);
    assert_int_equal(vb_sampler_begin(s, &p, prompt, 3, NULL), VB_OK);
    vb_sampler_accept(s, 0);
    vb_sampler_accept(s, 2);
    vb_sampler_accept(s, 0);
    vb_sampler_accept(s, 3);
    vb_choice c;
    assert_int_equal(vb_sampler_draw(s, logits, 0, &c, NULL), VB_OK);
    volatile float want[5];
    want[0] = 1.0f + -2.5f; /* negative once biased: multiplied */
    want[0] = want[0] * 1.3f;
    volatile float twice = 0.7f * 2.0f;
    want[0] = want[0] - twice;
    want[0] = want[0] - 0.3f;
    want[1] = -1.0f * 1.3f; /* prompt only, and twice there: once, no other penalty */
    want[2] = 0.1f + 0.3f;
    want[2] = want[2] / 1.3f;
    want[2] = want[2] - 0.7f;
    want[2] = want[2] - 0.3f;
    want[3] = 3.0f / 1.3f;
    want[3] = want[3] - 0.7f;
    want[3] = want[3] - 0.3f;
    want[4] = 0.5f;
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(vb_f32_bits(vb_sampler_logits(s)[i]), vb_f32_bits(want[i]));
    }
    assert_int_equal(c.token, 3);
    /* A new sequence forgets both prompt and output. */
    p.n_bias = 0;
    assert_int_equal(vb_sampler_begin(s, &p, NULL, 0, NULL), VB_OK);
    assert_int_equal(vb_sampler_draw(s, logits, 0, &c, NULL), VB_OK);
    assert_memory_equal(vb_sampler_logits(s), logits, sizeof logits);
    vb_sampler_close(s);
}

static void non_finite_is_an_error(void **state) {
    (void)state;
    float logits[] = {1.0f, 2.0f, 0x1.fffffep+127f};
    vb_sampling p;
    vb_sampling_default(&p);
    p.n_bias = 1;
    p.bias[0] = (vb_logit_bias){2, 100.0f};
    p.repetition_penalty = 0.5f;
    vb_sampler *s = open_begun(&plain_kernels, 3, &p);
    vb_choice c = {42, 0, 0, 0};
    vb_error e;
    assert_int_equal(vb_sampler_draw(s, logits, 0, &c, &e), VB_OK);
    vb_sampler_accept(s, 2);
    c.token = 42;
    assert_int_equal(vb_sampler_draw(s, logits, 0, &c, &e), VB_ENONFINITE);
    assert_non_null(strstr(e.msg, "token 2"));
    logits[1] = (float)NAN;
    assert_int_equal(vb_sampler_draw(s, logits, 0, &c, &e), VB_ENONFINITE);
    assert_non_null(strstr(e.msg, "token 1"));
    logits[1] = -(float)INFINITY;
    assert_int_equal(vb_sampler_draw(s, logits, 0, &c, &e), VB_ENONFINITE);
    assert_int_equal(c.token, 42);
    vb_sampler_close(s);
}

static void fixed_point(void **state) {
    (void)state;
    static const struct {
        double p;
        uint64_t want;
    } cases[] = {{0, 0},
                 {-0.0, 0},
                 {1, P_ONE},
                 {0.5, P_ONE / 2},
                 {0.9, 3865470566},
                 {0.95, 4080218931},
                 {0.05, 214748365},
                 {0x1p-32, 1},
                 {0x1p-33, 0},               /* half a unit: to even */
                 {0x1.8p-32, 2},             /* one and a half: to even */
                 {0x1.4p-31, 2},             /* two and a half: to even */
                 {0x1.0000000000001p-33, 1}, /* just above half */
                 {0x1.fffffffffffffp-1, P_ONE},
                 {0x1p-1074, 0}};
    uint64_t got;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(vb_sampling_fixed_point(cases[i].p, &got, NULL), VB_OK);
        assert_int_equal(got, cases[i].want);
    }
    const double bad[] = {-0x1p-1074, 0x1.0000000000001p+0, NAN, INFINITY, -INFINITY};
    got = 5;
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(vb_sampling_fixed_point(bad[i], &got, NULL), VB_EINVAL);
        assert_int_equal(got, 5);
    }
}

#define REFUSES(field, value, text)                                                                \
    do {                                                                                           \
        vb_sampling_default(&p);                                                                   \
        p.field = (value);                                                                         \
        assert_int_not_equal(vb_sampling_check(&p, 10, &e), VB_OK);                                \
        assert_non_null(strstr(e.msg, text));                                                      \
    } while (0)
#define ACCEPTS(field, value)                                                                      \
    do {                                                                                           \
        vb_sampling_default(&p);                                                                   \
        p.field = (value);                                                                         \
        assert_int_equal(vb_sampling_check(&p, 10, &e), VB_OK);                                    \
    } while (0)

static void ranges(void **state) {
    (void)state;
    static vb_sampling p;
    vb_error e;
    const float inf = (float)INFINITY, nan = (float)NAN;
    ACCEPTS(temperature, 0.0f);
    ACCEPTS(temperature, 0x1p-149f);
    ACCEPTS(temperature, 100.0f);
    REFUSES(temperature, 100.00001f, "temperature is 100: expected a number in [0, 100]");
    REFUSES(temperature, -0x1p-149f, "temperature");
    REFUSES(temperature, nan, "temperature");
    ACCEPTS(top_p, 1);
    REFUSES(top_p, 0, "top_p is 0 / 2^32");
    REFUSES(top_p, P_ONE + 1, "top_p is 4294967297");
    ACCEPTS(min_p, P_ONE);
    REFUSES(min_p, P_ONE + 1, "min_p");
    ACCEPTS(top_k, UINT32_MAX);
    ACCEPTS(presence_penalty, -2.0f);
    REFUSES(presence_penalty, -2.0000002f, "presence_penalty");
    REFUSES(presence_penalty, nan, "presence_penalty");
    ACCEPTS(frequency_penalty, 2.0f);
    REFUSES(frequency_penalty, 2.0000002f, "frequency_penalty");
    REFUSES(frequency_penalty, inf, "frequency_penalty");
    ACCEPTS(repetition_penalty, 0x1p-149f);
    REFUSES(repetition_penalty, 0.0f, "repetition_penalty is 0");
    REFUSES(repetition_penalty, -1.0f, "repetition_penalty");
    REFUSES(repetition_penalty, inf, "repetition_penalty");
    REFUSES(repetition_penalty, nan, "repetition_penalty");
    REFUSES(n_bias, VB_LOGIT_BIAS_MAX + 1, "logit_bias has 1025 entries: the limit is 1024");
    REFUSES(n_bias, 2, "logit_bias has token 0 after token 0");
    vb_sampling_default(&p);
    p.n_bias = 1;
    p.bias[0] = (vb_logit_bias){9, -100.0f};
    assert_int_equal(vb_sampling_check(&p, 10, &e), VB_OK);
    const float bad[] = {-inf, inf, nan, 100.00001f, -100.00001f};
    for (size_t i = 0; i < 5; i++) {
        p.bias[0].bias = bad[i];
        assert_int_equal(vb_sampling_check(&p, 10, &e), VB_EINVAL);
        assert_non_null(strstr(e.msg, "logit_bias of token 9"));
    }
    p.bias[0] = (vb_logit_bias){10, 1.0f};
    assert_int_equal(vb_sampling_check(&p, 10, &e), VB_EINVAL);
    assert_non_null(strstr(e.msg, "logit_bias names token 10"));
}

static void bad_arguments(void **state) {
    (void)state;
    vb_error e;
    vb_sampler *s = NULL;
    assert_int_equal(vb_sampler_open(&plain_kernels, 0, &s, &e), VB_ELIMIT);
    assert_int_equal(vb_sampler_open(&plain_kernels, VB_MODEL_VOCAB_MAX + 1, &s, &e), VB_ELIMIT);
    assert_null(s);
    assert_int_equal(vb_sampler_open(&plain_kernels, 4, &s, &e), VB_OK);
    static vb_sampling p;
    vb_sampling_default(&p);
    const uint32_t prompt[] = {3, 4};
    assert_int_equal(vb_sampler_begin(s, &p, prompt, 2, &e), VB_EINVAL);
    assert_string_equal(e.msg, "prompt token 1 is 4: the vocabulary has 4 tokens");
    vb_sampler_close(s);
    vb_sampler_close(NULL);
}

/* A real vocabulary's size, in the shapes that push each path of the selection. */
static void large_vocabulary(void **state) {
    (void)state;
    enum { N = 152064 };
    float *logits = calloc(N, sizeof *logits);
    uint64_t *w = calloc(N, sizeof *w);
    assert_true(logits && w);
    static vb_sampling p;
    vb_sampling_default(&p);
    vb_sampler *s = open_begun(&plain_kernels, N, &p);
    uint64_t rng = 13;
    for (int round = 0; round < 24; round++) {
        static const float temperatures[] = {0.01f, 1.0f, 100.0f};
        p.temperature = temperatures[round % 3];
        float scale = round % 4 == 0 ? 0.0f : 40.0f;
        for (size_t i = 0; i < N; i++) {
            logits[i] = random_logit(&rng, scale);
        }
        plain_exp_weights(logits, N, logits[plain_argmax(logits, N)], p.temperature, w);
        random_truncation(&rng, N, w, &p);
        restart(s, &p);
        uint64_t u = random_u(&rng);
        vb_choice got;
        assert_int_equal(vb_sampler_draw(s, logits, u, &got, NULL), VB_OK);
        assert_choice(got, naive_draw(w, N, &p, u));
    }
    vb_sampler_close(s);
    free(logits);
    free(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chosen_weights_equal_reference),
        cmocka_unit_test(real_logits_equal_reference),
        cmocka_unit_test(large_vocabulary),
        cmocka_unit_test(top_p_on_a_boundary),
        cmocka_unit_test(top_p_between_weights),
        cmocka_unit_test(ties_at_k_go_to_low_ids),
        cmocka_unit_test(greedy_takes_the_lowest_index),
        cmocka_unit_test(adjustments_in_order),
        cmocka_unit_test(non_finite_is_an_error),
        cmocka_unit_test(fixed_point),
        cmocka_unit_test(ranges),
        cmocka_unit_test(bad_arguments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
