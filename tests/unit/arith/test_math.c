/*
 * Accuracy of the defined functions against MPFR, and the values their definition promises.
 * exp is screened with the C library's binary64 exp, whose error is far below a binary32 ulp, and
 * its worst case is then measured with MPFR. VB_EXHAUSTIVE=1 looks at every input of exp.
 */
#include "support/testing.h"

#include <math.h>
#include <mpfr.h>
#include <stdio.h>
#include <stdlib.h>

#include "arith/exp.h"
#include "arith/trig.h"

/* The size of one unit in the last place of binary32 at t > 0. */
static double ulp_f32(double t) {
    int e = ilogb(t);
    return ldexp(1.0, (e < -126 ? -126 : e) - 23);
}

/* |y - exact| in ulps of binary64 at the exact value. */
static double ulps_f64(double y, mpfr_t exact) {
    if (mpfr_zero_p(exact)) {
        return y == 0.0 ? 0.0 : HUGE_VAL;
    }
    MPFR_DECL_INIT(difference, 200);
    mpfr_set_d(difference, y, MPFR_RNDN);
    mpfr_sub(difference, difference, exact, MPFR_RNDN);
    mpfr_mul_2si(difference, difference, 53 - (long)mpfr_get_exp(exact), MPFR_RNDN);
    return fabs(mpfr_get_d(difference, MPFR_RNDN));
}

static double exp_ulps_mpfr(float x) {
    MPFR_DECL_INIT(exact, 120);
    mpfr_set_flt(exact, x, MPFR_RNDN);
    mpfr_exp(exact, exact, MPFR_RNDN);
    double ulp = ulp_f32(mpfr_get_d(exact, MPFR_RNDN));
    mpfr_sub_d(exact, exact, (double)vb_exp(x), MPFR_RNDN);
    return fabs(mpfr_get_d(exact, MPFR_RNDN)) / ulp;
}

static void exp_is_within_one_ulp(void **state) {
    (void)state;
    const char *all = getenv("VB_EXHAUSTIVE");
    uint32_t step = all != NULL && all[0] == '1' ? 1 : 97;
    double worst = 0;
    float worst_x = 0;
    for (uint32_t sign = 0; sign < 2; sign++) {
        uint32_t last = vb_f32_bits(sign ? -VB_EXP_MIN : VB_EXP_MAX);
        for (uint32_t bits = 0; bits <= last; bits += step) {
            float x = vb_f32_from_bits(bits | sign << 31);
            double t = exp((double)x);
            double error = fabs((double)vb_exp(x) - t) / ulp_f32(t);
            if (error > worst) {
                worst = error;
                worst_x = x;
            }
        }
    }
    print_message("exp: at most %.4f ulp, at %a\n", worst, (double)worst_x);
    assert_true(worst < 0.991);
    assert_true(fabs(exp_ulps_mpfr(worst_x) - worst) < 1e-5);
    /* The worst of all 2^32 inputs, whatever the step. */
    double known = exp_ulps_mpfr(0x1.199cc6p+6f);
    assert_true(known > 0.990 && known < 0.991);
}

static void exp_at_its_ends(void **state) {
    (void)state;
    assert_int_equal(vb_f32_bits(vb_exp(0.0f)), 0x3f800000);
    assert_int_equal(vb_f32_bits(vb_exp(-0.0f)), 0x3f800000);
    assert_int_equal(vb_f32_bits(vb_exp(0x1p-149f)), 0x3f800000);
    assert_true(vb_f32_finite(vb_exp(VB_EXP_MAX)));
    assert_int_equal(vb_f32_bits(vb_exp(nextafterf(VB_EXP_MAX, INFINITY))), 0x7f800000);
    assert_int_equal(vb_f32_bits(vb_exp(INFINITY)), 0x7f800000);
    assert_int_equal(vb_f32_bits(vb_exp(VB_EXP_MIN)), 1);
    assert_int_equal(vb_f32_bits(vb_exp(nextafterf(VB_EXP_MIN, -INFINITY))), 0);
    assert_int_equal(vb_f32_bits(vb_exp(-INFINITY)), 0);
    assert_int_equal(vb_f32_bits(vb_exp(-3.4e38f)), 0);
    for (uint32_t payload = 1; payload < 0x800000; payload = payload * 3 + 1) {
        float y = vb_exp(vb_f32_from_bits(0x7f800000 | payload));
        assert_true(y != y);
        y = vb_exp(vb_f32_from_bits(0xff800000 | payload));
        assert_true(y != y);
    }
    /* The thresholds are where the exact function says: 2^-150 and the largest binary32. */
    MPFR_DECL_INIT(v, 120);
    mpfr_set_flt(v, VB_EXP_MIN, MPFR_RNDN);
    mpfr_exp(v, v, MPFR_RNDN);
    assert_true(mpfr_cmp_d(v, 0x1p-150) > 0);
    mpfr_set_flt(v, nextafterf(VB_EXP_MIN, -INFINITY), MPFR_RNDN);
    mpfr_exp(v, v, MPFR_RNDN);
    assert_true(mpfr_cmp_d(v, 0x1p-150) < 0);
    mpfr_set_flt(v, VB_EXP_MAX, MPFR_RNDN);
    mpfr_exp(v, v, MPFR_RNDN);
    assert_true(mpfr_cmp_d(v, 0x1.ffffffp+127) < 0);
    mpfr_set_flt(v, nextafterf(VB_EXP_MAX, INFINITY), MPFR_RNDN);
    mpfr_exp(v, v, MPFR_RNDN);
    assert_true(mpfr_cmp_d(v, 0x1.ffffffp+127) > 0);
}

/* Sampling and attention rest on it: a larger score never weighs less, and no weight passes 1. */
static void exp_of_negatives_is_monotone(void **state) {
    (void)state;
    const char *all = getenv("VB_EXHAUSTIVE");
    uint32_t step = all != NULL && all[0] == '1' ? 1 : 31;
    float previous = 1.0f;
    for (uint32_t bits = 0; bits < vb_f32_bits(104.0f); bits += step) {
        float y = vb_exp(vb_f32_from_bits(bits | 0x80000000u));
        assert_true(y <= previous);
        previous = y;
    }
    assert_int_equal(vb_f32_bits(previous), 0);
}

static void silu_values(void **state) {
    (void)state;
    assert_int_equal(vb_f32_bits(vb_silu(0.0f)), 0);
    assert_int_equal(vb_f32_bits(vb_silu(-0.0f)), 0x80000000u);
    assert_true(vb_silu(100.0f) == 100.0f);
    assert_int_equal(vb_f32_bits(vb_silu(-100.0f)), 0x80000000u); /* -100 / inf */
    assert_true(vb_silu(1.0f) == 1.0f / (1.0f + vb_exp(-1.0f)));
    double worst = 0;
    uint64_t seed = 1;
    for (int i = 0; i < 200000; i++) {
        float x = (float)((double)vb_test_random(&seed) * 0x1p-58) - 32.0f; /* [-32, 32) */
        double t = (double)x / (1.0 + exp(-(double)x));
        worst = fmax(worst, fabs((double)vb_silu(x) - t) / ulp_f32(fabs(t)));
    }
    assert_true(worst < 3.0);
}

static double uniform(uint64_t *seed, double lo, double hi) {
    return lo + (hi - lo) * ((double)(vb_test_random(seed) >> 11) * 0x1p-53);
}

static void exp2_and_log2(void **state) {
    (void)state;
    MPFR_DECL_INIT(exact, 200);
    uint64_t seed = 2;
    double worst_exp2 = 0, worst_log2 = 0;
    for (int i = 0; i < 100000; i++) {
        double x = uniform(&seed, -60, 1);
        mpfr_set_d(exact, x, MPFR_RNDN);
        mpfr_exp2(exact, exact, MPFR_RNDN);
        worst_exp2 = fmax(worst_exp2, ulps_f64(vb_exp2_f64(x), exact));
        x = uniform(&seed, 0.01, i & 1 ? 3 : 2e6);
        mpfr_set_d(exact, x, MPFR_RNDN);
        mpfr_log2(exact, exact, MPFR_RNDN);
        worst_log2 = fmax(worst_log2, ulps_f64(vb_log2_f64(x), exact));
    }
    print_message("exp2: %.3f ulp, log2: %.3f ulp\n", worst_exp2, worst_log2);
    assert_true(worst_exp2 < 1.2 && worst_log2 < 3.0);
    for (int k = -1022; k < 1024; k++) {
        assert_true(k < -1021 || vb_exp2_f64(k) == ldexp(1.0, k));
        assert_true(vb_log2_f64(ldexp(1.0, k)) == k);
    }
    assert_true(vb_exp2_f64(1023.75) == HUGE_VAL && vb_exp2_f64(-1022.0) == 0.0);
    assert_true(vb_exp2_f64(1023.25) > 0x1p+1023 && vb_exp2_f64(1023.5) > 0x1.6p+1023);
    assert_true(isnan(vb_exp2_f64(NAN)) && isnan(vb_log2_f64(NAN)) && isnan(vb_log2_f64(-1.0)));
    assert_true(isnan(vb_log2_f64(0.0)) && isnan(vb_log2_f64(HUGE_VAL)));
    assert_true(isnan(vb_log2_f64(0x1p-1074)));
}

static void check_angle(double x, double *worst) {
    MPFR_DECL_INIT(exact, 200);
    MPFR_DECL_INIT(angle, 53);
    mpfr_set_d(angle, x, MPFR_RNDN);
    mpfr_sin(exact, angle, MPFR_RNDN);
    *worst = fmax(*worst, ulps_f64(vb_sin_f64(x), exact));
    mpfr_cos(exact, angle, MPFR_RNDN);
    *worst = fmax(*worst, ulps_f64(vb_cos_f64(x), exact));
}

static void sin_and_cos(void **state) {
    (void)state;
    double worst = 0;
    uint64_t seed = 3;
    for (int i = 0; i < 60000; i++) {
        check_angle(uniform(&seed, -4, 4), &worst);
        check_angle(uniform(&seed, 0, VB_TRIG_MAX), &worst);
        check_angle((double)(vb_test_random(&seed) & 0x3fffff), &worst);
        /* Next to a multiple of pi/2, where almost every bit of the difference cancels. */
        double n = (double)(vb_test_random(&seed) % 5000000);
        double near = n * 0x1.921fb54442d18p+0;
        check_angle(near, &worst);
        check_angle(nextafter(near, HUGE_VAL), &worst);
        check_angle((n + 0.5) * 0x1.921fb54442d18p+0, &worst);
    }
    print_message("sin, cos: %.3f ulp\n", worst);
    assert_true(worst < 1.0);
    check_angle(VB_TRIG_MAX, &worst);
    check_angle(-VB_TRIG_MAX, &worst);
    check_angle(0x1p-1074, &worst);
    assert_true(worst < 1.0);
    assert_true(vb_sin_f64(0.0) == 0.0 && vb_cos_f64(0.0) == 1.0);
    assert_true(isnan(vb_sin_f64(nextafter(VB_TRIG_MAX, HUGE_VAL))));
    assert_true(isnan(vb_cos_f64(HUGE_VAL)) && isnan(vb_cos_f64(NAN)));
}

static void sqrt_is_the_machine_s(void **state) {
    (void)state;
    /* Every significand at an even and at an odd exponent, which is every case but subnormals. */
    for (uint32_t bits = 0x3f000000; bits < 0x40000000; bits++) {
        float x = vb_f32_from_bits(bits);
        if (vb_f32_bits(vb_sqrt_f32(x)) != vb_f32_bits(sqrtf(x))) {
            fail_msg("sqrt(%a)", (double)x);
        }
    }
    uint64_t seed = 4;
    for (int i = 0; i < 1000000; i++) {
        uint32_t bits = (uint32_t)vb_test_random(&seed) & (i & 1 ? 0x7fffffu : 0x7fffffffu);
        float x = vb_f32_from_bits(bits > 0x7f800000u ? 0x7f7fffffu : bits);
        assert_int_equal(vb_f32_bits(vb_sqrt_f32(x)), vb_f32_bits(sqrtf(x)));
    }
    assert_int_equal(vb_f32_bits(vb_sqrt_f32(-0.0f)), 0x80000000u);
    assert_true(isnan(vb_sqrt_f32(-1.0f)) && isnan(vb_sqrt_f32(NAN)));
    assert_true(isnan(vb_sqrt_f32(-INFINITY)));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exp_is_within_one_ulp),
        cmocka_unit_test(exp_at_its_ends),
        cmocka_unit_test(exp_of_negatives_is_monotone),
        cmocka_unit_test(silu_values),
        cmocka_unit_test(exp2_and_log2),
        cmocka_unit_test(sin_and_cos),
        cmocka_unit_test(sqrt_is_the_machine_s),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
