/* Normalisation, gating, argmax and sampling weights: by hand, at extremes, and in order. */
#include "support/testing.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "arith/bits.h"
#include "arith/exp.h"
#include "arith/product.h"
#include "arith/rows.h"
#include "arith/trig.h"

static void all_finite(void **state) {
    (void)state;
    float x[100];
    for (size_t i = 0; i < 100; i++) {
        x[i] = i & 1 ? FLT_MAX : -0x1p-149f;
    }
    assert_true(vb_all_finite(x, 100));
    assert_true(vb_all_finite(x, 0));
    for (size_t i = 0; i < 100; i++) {
        float old = x[i];
        x[i] = i & 1 ? INFINITY : -NAN;
        assert_false(vb_all_finite(x, 100));
        assert_true(vb_all_finite(x, i));
        x[i] = old;
    }
}

static void rmsnorm(void **state) {
    (void)state;
    /* ss / n = 4, eps = 0: r = 1/2. */
    float x[20], w[20], y[20];
    for (int i = 0; i < 20; i++) {
        x[i] = i & 1 ? -2.0f : 2.0f;
        w[i] = (float)i;
    }
    vb_rmsnorm(x, w, 20, 0.0f, y);
    for (int i = 0; i < 20; i++) {
        assert_true(y[i] == (i & 1 ? -(float)i : (float)i));
    }
    vb_rmsnorm(x, w, 20, 12.0f, y); /* 4 + 12: r = 1/4 */
    assert_true(y[4] == 2.0f);
    /* In place; the formula's own order: (x * r) * w. */
    float z[3] = {1.0f, 0.1f, 3.0f}, v[3] = {0.3f, 0.7f, -1.1f};
    float r = 1.0f / vb_sqrt_f32(vb_dot_f32(z, z, 3) / 3.0f + 1e-5f);
    float expected[3];
    for (int i = 0; i < 3; i++) {
        expected[i] = (z[i] * r) * v[i];
    }
    vb_rmsnorm(z, v, 3, 1e-5f, z);
    assert_memory_equal(z, expected, sizeof z);
    /* A sum of squares that overflows gives zeros, not an error. */
    float big[2] = {FLT_MAX, -FLT_MAX}, ones[2] = {1.0f, 1.0f};
    vb_rmsnorm(big, ones, 2, 1e-5f, big);
    assert_int_equal(vb_f32_bits(big[0]), 0);
    assert_int_equal(vb_f32_bits(big[1]), 0x80000000u);
}

static void add_and_gate(void **state) {
    (void)state;
    float y[3] = {1.0f, -0.0f, 0x1p-149f}, x[3] = {0x1p-24f, -0.0f, 0x1p-149f};
    vb_add(y, x, 3);
    assert_true(y[0] == 1.0f && y[2] == 0x1p-148f);
    assert_int_equal(vb_f32_bits(y[1]), 0x80000000u);
    float gate[4] = {1.0f, -3.0f, 0.0f, 100.0f}, up[4] = {2.0f, 0.5f, 7.0f, -0.25f};
    float expected[4];
    for (int i = 0; i < 4; i++) {
        expected[i] = (gate[i] / (1.0f + vb_exp(-gate[i]))) * up[i];
    }
    vb_silu_mul(gate, up, 4, gate);
    assert_memory_equal(gate, expected, sizeof gate);
    assert_true(gate[3] == -25.0f && gate[2] == 0.0f);
    float nan_gate[1] = {NAN};
    vb_silu_mul(nan_gate, up, 1, nan_gate);
    assert_true(isnan(nan_gate[0]));
}

static void argmax(void **state) {
    (void)state;
    float x[6] = {-5.0f, -1.0f, -1.0f, -3.0f, -1.0f, -2.0f};
    assert_int_equal(vb_argmax(x, 6), 1);
    assert_int_equal(vb_argmax(x, 1), 0);
    float zeros[3] = {-0.0f, 0.0f, -0.0f};
    assert_int_equal(vb_argmax(zeros, 3), 0);
    float last[3] = {-FLT_MAX, -FLT_MAX, -0x1.fffffcp+127f};
    assert_int_equal(vb_argmax(last, 3), 2);
}

static void weights(void **state) {
    (void)state;
    const float x[6] = {2.0f, 1.0f, -1e30f, 2.0f - 0x1p-22f, -60.0f, -FLT_MAX};
    uint64_t w[6];
    vb_exp_weights(x, 6, 2.0f, 1.0f, w);
    assert_true(w[0] == UINT64_C(1) << 40);
    assert_true(w[1] == (uint64_t)((double)vb_exp(-1.0f) * 0x1p+40));
    assert_true(w[1] > UINT64_C(404487000000) && w[1] < UINT64_C(404489000000)); /* 2^40 / e */
    assert_true(w[2] == 0 && w[4] == 0 && w[5] == 0);
    assert_true(w[3] < w[0]);
    /* exp(-27.7...) is just above or below 2^-40: the floor is 1 or 0. */
    const float edge[2] = {-27.72588f, -27.72590f};
    vb_exp_weights(edge, 2, 0.0f, 1.0f, w);
    assert_true(w[0] == 1 && w[1] == 0);
    /* The difference is rounded, then divided: no reciprocal of the temperature. */
    const float t[1] = {-1.0f};
    vb_exp_weights(t, 1, 0.0f, 0.3f, w);
    assert_true(w[0] == (uint64_t)((double)vb_exp(-1.0f / 0.3f) * 0x1p+40));
    /* The smallest temperatures leave only the maximum. */
    vb_exp_weights(x, 6, 2.0f, 0x1p-149f, w);
    assert_true(w[0] == UINT64_C(1) << 40 && w[1] == 0 && w[3] == 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_finite), cmocka_unit_test(rmsnorm), cmocka_unit_test(add_and_gate),
        cmocka_unit_test(argmax),     cmocka_unit_test(weights),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
