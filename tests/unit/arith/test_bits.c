/* Conversions of the float weight formats, over all binary16 values and their midpoints. */
#include "support/testing.h"

#include <math.h>

#include "arith/bits.h"

/* A binary16 pattern's value from its definition: (-1)^s * significand * 2^exponent. */
static double half_value(uint16_t h) {
    int exponent = h >> 10 & 31, fraction = h & 1023;
    double v = exponent == 0 ? ldexp(fraction, -24) : ldexp(1024 + fraction, exponent - 25);
    return h & 0x8000 ? -v : v;
}

static void f16_to_f32_is_exact(void **state) {
    (void)state;
    for (uint32_t h = 0; h < 65536; h++) {
        float x = vb_f16_to_f32((uint16_t)h);
        if ((h & 0x7fff) < 0x7c00) {
            assert_true((double)x == half_value((uint16_t)h));
            assert_int_equal(vb_f32_bits(x) >> 31, h >> 15);
            assert_true(vb_f16_finite((uint16_t)h));
        } else {
            assert_true((h & 0x3ff) ? x != x
                                    : fabsf(x) == INFINITY && (signbit(x) != 0) == (h >> 15 != 0));
            assert_false(vb_f16_finite((uint16_t)h));
        }
    }
}

static void f32_to_f16_rounds_to_nearest_even(void **state) {
    (void)state;
    for (uint32_t h = 0; h < 0x7c00; h++) {
        float here = vb_f16_to_f32((uint16_t)h);
        assert_int_equal(vb_f32_to_f16(here), h);
        assert_int_equal(vb_f32_to_f16(-here), h | 0x8000);
        /* Above the largest finite value the next step would be 65536. */
        float next = h == 0x7bff ? 65536.0f : vb_f16_to_f32((uint16_t)(h + 1));
        float middle = (here + next) / 2; /* exact: binary32 has room */
        uint32_t even = h & 1 ? h + 1 : h;
        assert_int_equal(vb_f32_to_f16(middle), even);
        assert_int_equal(vb_f32_to_f16(nextafterf(middle, 0.0f)), h);
        assert_int_equal(vb_f32_to_f16(nextafterf(middle, INFINITY)), h + 1);
        assert_int_equal(vb_f32_to_f16(-middle), even | 0x8000);
    }
}

static void f32_to_f16_at_the_ends(void **state) {
    (void)state;
    assert_int_equal(vb_f32_to_f16(65519.996f), 0x7bff);
    assert_int_equal(vb_f32_to_f16(65520.0f), 0x7c00);
    assert_int_equal(vb_f32_to_f16(3.4e38f), 0x7c00);
    assert_int_equal(vb_f32_to_f16(-INFINITY), 0xfc00);
    assert_int_equal(vb_f32_to_f16(vb_f32_from_bits(0x7f800001)), 0x7e00);
    assert_int_equal(vb_f32_to_f16(vb_f32_from_bits(0xffffffff)), 0xfe00);
    assert_int_equal(vb_f32_to_f16(0x1p-149f), 0);
    assert_int_equal(vb_f32_to_f16(-0x1p-149f), 0x8000);
    assert_int_equal(vb_f32_to_f16(0x1p-25f), 0);
    assert_int_equal(vb_f32_to_f16(0x1.000002p-25f), 1);
}

static void bf16_is_the_upper_half(void **state) {
    (void)state;
    assert_true(vb_bf16_to_f32(0x3f80) == 1.0f);
    assert_true(vb_bf16_to_f32(0xc040) == -3.0f);
    assert_true(vb_bf16_to_f32(0x0001) == 0x1p-133f);
    assert_false(vb_f32_finite(vb_bf16_to_f32(0x7f80)));
    assert_true(vb_f32_finite(vb_bf16_to_f32(0x7f7f)));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(f16_to_f32_is_exact),
        cmocka_unit_test(f32_to_f16_rounds_to_nearest_even),
        cmocka_unit_test(f32_to_f16_at_the_ends),
        cmocka_unit_test(bf16_is_the_upper_half),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
