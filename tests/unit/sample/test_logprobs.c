/*
 * Log probabilities: the logarithm against the C library's of a longer type, values against a
 * softmax in that type, order against a sort, and the ends of every range. The type is 64 bits of
 * significand or more on the machines where these tests run; where it is a double, the bounds
 * that need more are not tested.
 */
#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "arith/bits.h"
#include "arith/rows.h"
#include "base/limits.h"
#include "sample/logprobs.h"
#include "support/testing.h"

static const vb_kernels *kernels; /* of the processor: equal to the scalar ones */

enum { TOP_MAX = VB_API_TOP_LOGPROBS_MAX, VOCAB_MAX = 4000 };

static const uint64_t WEIGHT_OF_BEST = (uint64_t)1 << 40;

/* How far a double is from the exact value, in units of its last place. */
static double ulps(double got, long double exact) {
    int exponent;
    frexpl(exact, &exponent);
    return (double)fabsl(ldexpl((long double)got - exact, 53 - exponent));
}

static void ln_is_within_one_ulp(void **state) {
    (void)state;
    if (LDBL_MANT_DIG < 64) {
        skip();
    }
    double worst = 0;
    uint64_t rng = 1;
    for (int i = 0; i < 2000000; i++) {
        /* All of 2^-61 to 1, as fractions of all sizes; then close to 1, and about sqrt(1/2). */
        const uint64_t r = vb_test_random(&rng);
        double x = ldexp(1.0 + (double)(r >> 12) * 0x1p-52, -1 - (int)(r % 61));
        if (i % 4 == 1) {
            x = 1.0 - ldexp((double)(r >> 11), -54 - (int)(r % 50));
        } else if (i % 4 == 2) {
            x = sqrt(0.5) * (1.0 + ((double)(r >> 11) * 0x1p-53 - 0.5) * 0x1p-8);
        }
        const double got = vb_ln(x);
        assert_true(got <= 0);
        if (x < 1) {
            worst = fmax(worst, ulps(got, logl((long double)x)));
        }
    }
    print_message("ln: at most %.3f ulp\n", worst);
    assert_true(worst < 1);
}

/* Every machine prints the same digits: so the bits are frozen. x, and ln(x) as here defined; each
 * is the exact value rounded to nearest, as Python's math.log(float.fromhex(x)).hex() has it. */
static void ln_has_these_bits(void **state) {
    (void)state;
    static const double table[][2] = {
        {0x1p+0, 0.0},
        {0x1.fffffffffffffp-1, -0x1.0000000000000p-53},
        {0x1p-1, -0x1.62e42fefa39efp-1},
        {0x1p-40, -0x1.bb9d3beb8c86bp+4},
        {0x1p-60, -0x1.4cb5ecf0a9650p+5},
        {0x1.5555555555555p-2, -0x1.193ea7aad030bp+0},
        {0x1.999999999999ap-4, -0x1.26bb1bbb55515p+1},
        {0x1.6a09e667f3bccp-1, -0x1.62e42fefa39f1p-2},
        {0x1.6a09e667f3bcdp-1, -0x1.62e42fefa39eep-2},
        {0x1.c28f5c28f5c29p-1, -0x1.05cd80afc76bep-3},
        {0x1.23456789abcdep-20, -0x1.b77bd5be24f83p+3},
        {0x1.8p-39, -0x1.aa095170df83ap+4},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        assert_int_equal(vb_f64_bits(vb_ln(table[i][0])), vb_f64_bits(table[i][1]));
    }
}

static void fill_random(float *logits, size_t n, float spread, uint64_t *rng) {
    for (size_t i = 0; i < n; i++) {
        /* Few different values, so that many are equal; both zeros among them. */
        logits[i] = (float)((int)(vb_test_random(rng) % 4096) - 2048) * spread * 0x1p-11f;
        logits[i] = logits[i] == 0 && i % 2 ? -0.0f : logits[i];
    }
}

static double logprob_of(const float *logits, size_t n, uint32_t token) {
    double own = NAN;
    assert_int_equal(vb_logprobs(kernels, logits, n, token, &own, NULL, 0), 0);
    return own;
}

/* Of the exact softmax, with what the arithmetic of weights may differ from it: half a unit of the
 * f32 difference, one of the f32 exponential, and a weight's fraction. */
static void agrees_with_softmax(void **state) {
    (void)state;
    static float logits[VOCAB_MAX];
    static uint64_t weights[VOCAB_MAX];
    uint64_t rng = 2;
    for (size_t n = 1; n <= VOCAB_MAX; n = n * 3 + 1) {
        const float spread = n % 2 ? 8.0f : 40.0f;
        fill_random(logits, n, spread, &rng);
        const float best = logits[vb_argmax(logits, n)];
        vb_exp_weights(logits, n, best, 1.0f, weights);
        long double sum = 0;
        uint64_t total = 0;
        for (size_t i = 0; i < n; i++) {
            sum += expl((long double)logits[i] - (long double)best);
            total += weights[i];
        }
        for (size_t i = 0; i < n; i++) {
            const double got = logprob_of(logits, n, (uint32_t)i);
            const long double below_best = (long double)logits[i] - (long double)best;
            const long double exact = below_best - logl(sum);
            const double fraction = weights[i] ? 1.0 / (double)weights[i] : 0;
            assert_true(fabsl((long double)got - exact) < 4e-6 + 2 * fraction);
            const long double share =
                weights[i] ? logl((long double)weights[i] / (long double)total)
                           : below_best + logl((long double)WEIGHT_OF_BEST / (long double)total);
            assert_true(fabsl((long double)got - share) <= 0x1p-50L + fabsl(share) * 0x1p-51L);
        }
    }
}

static const float *compared;

/* Likeliest first, of equal ones the lowest id. */
static int by_logit(const void *a, const void *b) {
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    if (compared[x] != compared[y]) {
        return compared[x] > compared[y] ? -1 : 1;
    }
    return x < y ? -1 : 1;
}

static void check_top(const float *logits, size_t n, size_t n_top) {
    static uint32_t sorted[VOCAB_MAX];
    vb_logprob top[TOP_MAX];
    double own;
    for (size_t i = 0; i < n; i++) {
        sorted[i] = (uint32_t)i;
    }
    compared = logits;
    qsort(sorted, n, sizeof sorted[0], by_logit);
    const uint32_t token = sorted[n / 2];
    assert_int_equal(vb_logprobs(kernels, logits, n, token, &own, top, n_top),
                     n_top < n ? n_top : n);
    assert_true(own == logprob_of(logits, n, token));
    for (size_t i = 0; i < n_top && i < n; i++) {
        assert_int_equal(top[i].token, sorted[i]);
        assert_true(top[i].logprob == logprob_of(logits, n, sorted[i]));
        assert_true(top[i].logprob <= 0 && (i == 0 || top[i].logprob <= top[i - 1].logprob));
    }
}

static void top_is_the_head_of_a_sort(void **state) {
    (void)state;
    static float logits[VOCAB_MAX];
    uint64_t rng = 3;
    for (int round = 0; round < 300; round++) {
        const size_t n = 1 + vb_test_random(&rng) % (round % 10 ? 100 : VOCAB_MAX);
        /* In the small spread logits differ where no weight does. */
        fill_random(logits, n, round % 3 ? 20.0f : 0x1p-140f, &rng);
        check_top(logits, n, (size_t)round % (TOP_MAX + 1));
    }
    for (size_t i = 0; i < VOCAB_MAX; i++) {
        logits[i] = (float)i; /* each is the likeliest so far */
    }
    check_top(logits, VOCAB_MAX, TOP_MAX);
    for (size_t i = 0; i < VOCAB_MAX; i++) {
        logits[i] = -(float)i;
    }
    check_top(logits, VOCAB_MAX, TOP_MAX);
}

static void small_vocabularies(void **state) {
    (void)state;
    const float one = -3.0f, equal[] = {1.0f, 0.0f, -0.0f, 0.0f, 1.0f};
    vb_logprob top[TOP_MAX];
    double own;
    assert_int_equal(vb_logprobs(kernels, &one, 1, 0, &own, top, TOP_MAX), 1);
    assert_int_equal(vb_f64_bits(own), 0);
    assert_int_equal(vb_f64_bits(top[0].logprob), 0);
    static const uint32_t order[] = {0, 4, 1, 2, 3};
    assert_int_equal(vb_logprobs(kernels, equal, 5, 2, &own, top, TOP_MAX), 5);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(top[i].token, order[i]);
    }
    assert_true(own == top[2].logprob && own == top[4].logprob);
    assert_int_equal(vb_logprobs(kernels, equal, 5, 0, &own, top, 1), 1);
    assert_int_equal(top[0].token, 0);
}

/* Where the weight is 0, and where the difference of two logits is no f32 any more. */
static void the_unlikeliest(void **state) {
    (void)state;
    const float logits[] = {FLT_MAX, -FLT_MAX, 0.0f, FLT_MAX, -FLT_TRUE_MIN};
    vb_logprob top[5];
    double own;
    assert_int_equal(vb_logprobs(kernels, logits, 5, 1, &own, top, 5), 5);
    assert_true(own == -2.0 * (double)FLT_MAX + vb_ln(0.5) && own == top[4].logprob);
    assert_int_equal(top[4].token, 1);
    assert_true(top[0].logprob == vb_ln(0.5) && top[1].logprob == vb_ln(0.5));
    assert_true(top[2].token == 2 && top[2].logprob == -(double)FLT_MAX + vb_ln(0.5));

    /* The last weight of 1 and the first of 0 lie at -40 ln 2: no step up between them. */
    float near[5] = {0.0f, 0, 0, 0, 0};
    near[1] = nextafterf(-27.7258873f, 0.0f);
    near[2] = -27.7258873f;
    near[3] = -27.73f;
    near[4] = -1000.0f;
    uint64_t w[5];
    vb_exp_weights(near, 5, 0.0f, 1.0f, w);
    assert_true(w[1] == 1 && w[2] == 0);
    for (uint32_t i = 1; i < 5; i++) {
        assert_true(logprob_of(near, 5, i) < logprob_of(near, 5, i - 1));
        assert_true(fabs(logprob_of(near, 5, i) - (double)near[i]) < 1e-5);
    }
}

int main(void) {
    VB_ASSERT(vb_kernels_select("auto", &kernels, NULL) == VB_OK);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ln_is_within_one_ulp), cmocka_unit_test(ln_has_these_bits),
        cmocka_unit_test(agrees_with_softmax),  cmocka_unit_test(top_is_the_head_of_a_sort),
        cmocka_unit_test(small_vocabularies),   cmocka_unit_test(the_unlikeliest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
