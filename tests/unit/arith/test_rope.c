/*
 * Rotary tables against the published formulas computed with the C library, and the refusals that
 * keep hostile parameters away from the trigonometric domain.
 */
#include "support/testing.h"

#include <math.h>

#include "arith/rope.h"

static vb_rope_params plain(size_t n_rot, double base) {
    return (vb_rope_params){.n_rot = n_rot,
                            .base = base,
                            .kind = VB_ROPE_KIND_NONE,
                            .factor = 1,
                            .ctx_orig = 4096,
                            .ext_factor = 1,
                            .attn_factor = 1,
                            .beta_fast = 32,
                            .beta_slow = 1};
}

static void expect_close(double got, double expected) {
    if (fabs(got - expected) > 1e-13 * fabs(expected)) {
        fail_msg("%.17g, expected %.17g", got, expected);
    }
}

static void plain_frequencies(void **state) {
    (void)state;
    vb_rope_params p = plain(128, 10000.0);
    double freq[512], mscale;
    assert_true(vb_rope_freqs(&p, freq, &mscale));
    assert_true(mscale == 1.0 && freq[0] == 1.0);
    for (int i = 0; i < 64; i++) {
        expect_close(freq[i], pow(10000.0, -2.0 * i / 128.0));
    }
    p = plain(4, 16.0); /* powers of two are exact */
    assert_true(vb_rope_freqs(&p, freq, &mscale));
    assert_true(freq[1] == 0.25);
}

static void linear_and_factors(void **state) {
    (void)state;
    vb_rope_params p = plain(8, 10000.0);
    double base[4], freq[4], mscale;
    assert_true(vb_rope_freqs(&p, base, &mscale));
    p.kind = VB_ROPE_KIND_LINEAR;
    p.factor = 3.0;
    assert_true(vb_rope_freqs(&p, freq, &mscale));
    for (int i = 0; i < 4; i++) {
        assert_true(freq[i] == base[i] / 3.0);
    }
    const float factors[4] = {1.0f, 1.5f, 8.0f, 0.7f};
    p.kind = VB_ROPE_KIND_FACTORS;
    p.factors = factors;
    assert_true(vb_rope_freqs(&p, freq, &mscale));
    for (int i = 0; i < 4; i++) {
        assert_true(freq[i] == base[i] / (double)factors[i]);
    }
}

/* YaRN as published: turns of pair i in the trained context decide between extrapolation (many
 * turns) and interpolation (few). */
static void yarn(void **state) {
    (void)state;
    vb_rope_params p = plain(128, 1e6);
    double base[64], freq[64], mscale;
    assert_true(vb_rope_freqs(&p, base, &mscale));
    p.kind = VB_ROPE_KIND_YARN;
    p.factor = 4.0;
    p.ctx_orig = 32768;
    assert_true(vb_rope_freqs(&p, freq, &mscale));
    expect_close(mscale, 1.0 + 0.1 * log(4.0));
    double pi = acos(-1.0);
    double low = floor(128 * log(32768 / (32 * 2 * pi)) / (2 * log(1e6)));
    double high = ceil(128 * log(32768 / (2 * pi)) / (2 * log(1e6)));
    assert_true(low == 23 && high == 40); /* Qwen2.5's published configuration */
    for (int i = 0; i < 64; i++) {
        double extrapolate = 1 - fmin(1, fmax(0, (i - low) / (high - low)));
        expect_close(freq[i], base[i] / 4.0 * (1 - extrapolate) + base[i] * extrapolate);
    }
    assert_true(freq[0] == base[0] && freq[63] == base[63] / 4.0);
    p.ext_factor = 0.0;
    p.attn_factor = 1.25;
    assert_true(vb_rope_freqs(&p, freq, &mscale));
    assert_true(mscale == 1.25 && freq[0] == base[0] / 4.0);
    /* A context so short that both ends clamp to pair 0. */
    p.ext_factor = 1.0;
    p.ctx_orig = 1;
    assert_true(vb_rope_freqs(&p, freq, &mscale));
    assert_true(freq[0] == base[0] && freq[1] == base[1] / 4.0);
}

static void refusals(void **state) {
    (void)state;
    double freq[512], mscale;
    const double bad[] = {NAN, INFINITY, -1.0, 0.0, 1e-300};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        vb_rope_params p = plain(8, bad[i]);
        assert_false(vb_rope_freqs(&p, freq, &mscale));
        p = plain(8, 10000.0);
        p.attn_factor = bad[i];
        assert_false(vb_rope_freqs(&p, freq, &mscale));
        p = plain(8, 10000.0);
        p.kind = VB_ROPE_KIND_LINEAR;
        p.factor = bad[i];
        assert_false(vb_rope_freqs(&p, freq, &mscale));
        p.kind = VB_ROPE_KIND_YARN;
        assert_false(vb_rope_freqs(&p, freq, &mscale));
        p.factor = 2.0;
        assert_true(vb_rope_freqs(&p, freq, &mscale));
        p.beta_fast = bad[i];
        assert_false(vb_rope_freqs(&p, freq, &mscale));
        p.beta_fast = 32.0;
        p.beta_slow = bad[i];
        assert_false(vb_rope_freqs(&p, freq, &mscale));
        const float factors[4] = {1.0f, 1.0f, (float)bad[i], 1.0f};
        p = plain(8, 10000.0);
        p.kind = VB_ROPE_KIND_FACTORS;
        assert_false(vb_rope_freqs(&p, freq, &mscale));
        p.factors = factors;
        /* An infinite factor stops a pair from turning; a NaN, 0 or a negative one is refused. */
        assert_int_equal(vb_rope_freqs(&p, freq, &mscale), bad[i] > 1.0);
    }
    vb_rope_params p = plain(7, 10000.0);
    assert_false(vb_rope_freqs(&p, freq, &mscale));
    p = plain(0, 10000.0);
    assert_false(vb_rope_freqs(&p, freq, &mscale));
    p = plain(1026, 10000.0);
    assert_false(vb_rope_freqs(&p, freq, &mscale));
    p = plain(1024, 1.5);
    p.kind = VB_ROPE_KIND_YARN;
    p.ctx_orig = 0;
    assert_false(vb_rope_freqs(&p, freq, &mscale));
    p.ctx_orig = SIZE_MAX;
    p.beta_fast = p.beta_slow = 0x1p-100;
    assert_true(vb_rope_freqs(&p, freq, &mscale));
}

static void rows(void **state) {
    (void)state;
    const double freq[3] = {1.0, 0.1, 2.0};
    const uint64_t positions[] = {0, 1, 2, 1000, 131071, (1 << 22) - 1, 1 << 22};
    for (size_t j = 0; j < sizeof positions / sizeof positions[0]; j++) {
        float c[3], s[3];
        vb_rope_row(freq, 3, 1.5, positions[j], c, s);
        for (int i = 0; i < 3; i++) {
            double angle = (double)positions[j] * freq[i];
            assert_true(fabs((double)c[i] - 1.5 * cos(angle)) <= 1.5 * 0x1p-24);
            assert_true(fabs((double)s[i] - 1.5 * sin(angle)) <= 1.5 * 0x1p-24);
        }
    }
    float a = 3.0f, b = 5.0f;
    vb_rope_rotate(&a, &b, 0.0f, 1.0f); /* a quarter turn */
    assert_true(a == -5.0f && b == 3.0f);
    /* Both products are rounded before the difference: fused, 2^-24 would be left. */
    a = 0x1.001p+0f;
    b = 1.0f;
    vb_rope_rotate(&a, &b, 0x1.001p+0f, 0x1.002p+0f);
    assert_true(a == 0.0f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_frequencies),
        cmocka_unit_test(linear_and_factors),
        cmocka_unit_test(yarn),
        cmocka_unit_test(refusals),
        cmocka_unit_test(rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
