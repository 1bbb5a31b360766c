/* The positions of level `sample`: how many, which, and that none is favoured. */
#include "support/testing.h"

#include <stdlib.h>
#include <string.h>

#include "verify/positions.h"

static void seed_of(uint64_t i, uint8_t seed[32]) {
    memset(seed, 0, 32);
    memcpy(seed, &i, sizeof i);
}

/* Bit t of the result: position t was taken. */
static uint64_t set_of(const uint8_t seed[32], uint64_t k, uint64_t n) {
    vb_positions p;
    uint64_t set = 0;
    vb_positions_begin(&p, seed, k, n);
    for (uint64_t t = 0; t < n; t++) {
        set |= (uint64_t)vb_positions_next(&p) << t;
    }
    return set;
}

static void always_k_of_n(void **state) {
    (void)state;
    uint8_t seed[32];
    for (uint64_t n = 1; n <= 64; n++) {
        for (uint64_t k = 0; k <= n + 1; k++) {
            seed_of(n * 100 + k, seed);
            const uint64_t set = set_of(seed, k, n);
            assert_int_equal(__builtin_popcountll(set), k < n ? k : n);
        }
    }
    seed_of(1, seed);
    assert_int_equal(set_of(seed, UINT64_MAX, 64), UINT64_MAX);
}

/* The seed alone decides, all of it; the numbers are those of the header's rule. */
static void the_seed_decides(void **state) {
    (void)state;
    uint8_t seed[32], other[32];
    seed_of(7, seed);
    const uint64_t set = set_of(seed, 20, 60);
    assert_int_equal(set_of(seed, 20, 60), set);
    for (size_t i = 0; i < 32; i++) {
        memcpy(other, seed, 32);
        other[i] ^= 0x80;
        assert_int_not_equal(set_of(other, 20, 60), set);
    }
    /* Position 0 of k = 1 is taken when the first number is a multiple of n. */
    uint8_t message[19 + 32 + 8] = "verbatim.sample.v1\n", block[32];
    for (uint64_t i = 0; i < 200; i++) {
        uint64_t v = 0;
        seed_of(i, seed);
        memcpy(message + 19, seed, 32);
        vb_sha256_of(message, sizeof message, block);
        for (int b = 0; b < 8; b++) {
            v = v << 8 | block[b];
        }
        assert_int_equal(set_of(seed, 1, 5) & 1, v % 5 == 0);
    }
}

/* Every set of 3 of 7 equally often: chi-squared over the 35 sets, and over the pairs of all n for
 * larger k. The seeds are fixed, so the bounds never fail by chance; far tails, so that they would
 * not for other seeds either: P(chi2_34 > 88) < 1e-6. */
static void every_set_is_equally_likely(void **state) {
    enum { ROUNDS = 35 * 2000, SETS = 1 << 7 };
    static uint32_t count[SETS];
    uint8_t seed[32];
    double chi2 = 0;
    size_t n_sets = 0;
    (void)state;
    for (uint64_t i = 0; i < ROUNDS; i++) {
        seed_of(i, seed);
        count[set_of(seed, 3, 7)]++;
    }
    for (unsigned s = 0; s < SETS; s++) {
        if (__builtin_popcount(s) == 3) {
            const double off = (double)count[s] - ROUNDS / 35.0;
            chi2 += off * off / (ROUNDS / 35.0);
            n_sets++;
        } else {
            assert_int_equal(count[s], 0);
        }
    }
    assert_int_equal(n_sets, 35);
    if (chi2 > 88 || chi2 < 8) {
        fail_msg("chi-squared is %g with 34 degrees of freedom", chi2);
    }
}

/* Long outputs: each position k/n of the time, neighbours independent of each other but for the
 * fixed number. 50 positions, so P(chi2_49 > 110) < 2e-6. */
static void no_position_is_favoured(void **state) {
    enum { ROUNDS = 40000, N = 50, K = 10 };
    uint32_t one[N] = {0}, pairs = 0;
    uint8_t seed[32];
    (void)state;
    for (uint64_t i = 0; i < ROUNDS; i++) {
        seed_of(i + 1000000, seed);
        const uint64_t set = set_of(seed, K, N);
        for (int t = 0; t < N; t++) {
            one[t] += set >> t & 1;
        }
        pairs += (uint32_t)__builtin_popcountll(set & set >> 1);
    }
    const double p = (double)K / N, mean = ROUNDS * p;
    double chi2 = 0;
    for (int t = 0; t < N; t++) {
        const double off = one[t] - mean;
        chi2 += off * off / (mean * (1 - p));
    }
    chi2 *= (N - 1.0) / N; /* the counts sum to a constant */
    if (chi2 > 110 || chi2 < 15) {
        fail_msg("chi-squared is %g with 49 degrees of freedom", chi2);
    }
    /* 49 pairs of neighbours, each with probability K (K - 1) / (N (N - 1)). */
    const double want = ROUNDS * 49.0 * K * (K - 1) / (N * (N - 1.0));
    assert_true(pairs > want * 0.98 && pairs < want * 1.02);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(always_k_of_n),
        cmocka_unit_test(the_seed_decides),
        cmocka_unit_test(every_set_is_equally_likely),
        cmocka_unit_test(no_position_is_favoured),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
