/*
 * Quantisation and the two products: small cases worked out by hand, and cases in which another
 * order of operations, a fused one or a flushed subnormal would give other bits.
 */
#include "support/testing.h"

#include <float.h>
#include <string.h>

#include "arith/bits.h"
#include "arith/product.h"

typedef struct quantized {
    int8_t q[64];
    float d[2], du[2];
    int32_t u[2], u_lo[2];
} quantized;

static bool quantize(const float *x, size_t cols, quantized *out) {
    return vb_quantize_row(x, cols, out->q, out->d, out->u, out->u_lo, out->du);
}

static void quantize_by_hand(void **state) {
    (void)state;
    float x[64] = {0};
    quantized z;
    x[0] = 127.0f; /* d = r = 1: q is rint(x) */
    x[1] = 0.5f;
    x[2] = 1.5f;
    x[3] = 2.5f;
    x[4] = -0.5f;
    x[5] = -1.5f;
    x[15] = -126.6f;
    x[16] = 3.0f;
    x[31] = -0.0f;
    x[32 + 7] = -254.0f; /* the second block: d = 2, r = 1/2 */
    x[32 + 20] = 3.0f;
    assert_true(quantize(x, 64, &z));
    const int8_t first[6] = {127, 0, 2, 2, 0, -2};
    assert_memory_equal(z.q, first, sizeof first);
    assert_int_equal(z.q[15], -127);
    assert_int_equal(z.q[16], 3);
    assert_true(z.d[0] == 1.0f && z.d[1] == 2.0f);
    assert_int_equal(z.u_lo[0], 127 + 2 + 2 - 2 - 127);
    assert_int_equal(z.u[0], z.u_lo[0] + 3);
    assert_int_equal(z.q[32 + 7], -127);
    assert_int_equal(z.q[32 + 20], 2); /* 1.5 to even */
    assert_int_equal(z.u_lo[1], -127);
    assert_int_equal(z.u[1], -125);
    assert_true(z.du[1] == -250.0f);
}

static void quantize_extremes(void **state) {
    (void)state;
    float x[32] = {0};
    quantized z;
    assert_true(quantize(x, 32, &z));
    assert_int_equal(vb_f32_bits(z.d[0]), 0);
    assert_int_equal(vb_f32_bits(z.du[0]), 0);
    x[3] = -0x1.fffffep-101f; /* just below the smallest that counts */
    memset(&z, 0x55, sizeof z);
    assert_true(quantize(x, 32, &z));
    assert_int_equal(vb_f32_bits(z.d[0]), 0);
    assert_int_equal(z.q[3], 0);
    assert_int_equal(z.u[0], 0);
    x[3] = -0x1p-100f;
    assert_true(quantize(x, 32, &z));
    assert_int_equal(z.q[3], -127);
    assert_true(z.d[0] == 0x1p-100f / 127.0f);
    for (int i = 0; i < 32; i++) {
        x[i] = i & 1 ? FLT_MAX : -FLT_MAX;
    }
    assert_true(quantize(x, 32, &z));
    for (int i = 0; i < 32; i++) {
        assert_int_equal(z.q[i], i & 1 ? 127 : -127);
    }
    /* The largest element is always 127, whatever the rounding of 127 / a. */
    uint64_t seed = 5;
    memset(x, 0, sizeof x);
    for (int i = 0; i < 100000; i++) {
        uint32_t bits = (uint32_t)vb_test_random(&seed);
        bits = 0x0d800000u + bits % (0x7f800000u - 0x0d800000u);
        x[9] = vb_f32_from_bits(bits);
        assert_true(quantize(x, 32, &z));
        assert_int_equal(z.q[9], 127);
    }
}

static void quantize_refuses_non_finite(void **state) {
    (void)state;
    const uint32_t bad[] = {0x7f800000, 0xff800000, 0x7f800001, 0xffc00000, 0x7fffffff};
    for (size_t b = 0; b < sizeof bad / sizeof bad[0]; b++) {
        for (int i = 0; i < 64; i++) {
            float x[64] = {1.0f};
            quantized z;
            x[i] = vb_f32_from_bits(bad[b]);
            assert_false(quantize(x, 64, &z));
            x[i] = 0.0f;
            assert_true(quantize(x, 64, &z));
        }
    }
}

static void block_steps(void **state) {
    (void)state;
    vb_block block = {.s = 0.5f, .m = -3.0f, .sc = {1, 1}, .has_m = false};
    int8_t q[32];
    for (int i = 0; i < 32; i++) {
        block.w[i] = (int8_t)(i - 16);
        q[i] = 2;
    }
    assert_int_equal(vb_block_isum(&block, q), -32);
    assert_true(vb_block_step(1.0f, &block, -32, 0.25f, 100.0f) == 1.0f - 4.0f);
    block.has_m = true;
    assert_true(vb_block_step(1.0f, &block, -32, 0.25f, 100.0f) == 1.0f - 4.0f - 300.0f);
    block.sc[0] = -128;
    block.sc[1] = 127;
    assert_int_equal(vb_block_isum(&block, q), -128 * -272 + 127 * 240);
    /* The largest integer sum there is, still exact in binary32. */
    for (int i = 0; i < 32; i++) {
        block.w[i] = -32;
        q[i] = i < 16 ? 127 : -127;
    }
    block.sc[1] = -128;
    assert_int_equal(vb_block_isum(&block, q), 0);
    memset(q, 127, sizeof q);
    assert_int_equal(vb_block_isum(&block, q), 16646144);
    assert_true((float)16646144 == 16646144.0f && 16646144 < 1 << 24);
}

/* (s * d) * isum, not s * (d * isum); acc + t first, then + m * du, both unfused. */
static void block_step_order(void **state) {
    (void)state;
    vb_block block = {.s = 0x1.000002p+0f, .m = 0x1.001p+0f, .sc = {1, 1}, .has_m = true};
    float d = 0x1.000002p+0f; /* s * d = 1 + 2^-22, the 2^-46 is lost */
    float sd = 0x1.000004p+0f;
    assert_true(vb_block_step(0.0f, &block, 3, d, 0.0f) == sd * 3.0f);
    /* m * du = 1 + 2^-11 + 2^-24 rounds to 1 + 2^-11: a fused step would keep 2^-24. */
    assert_true(vb_block_step(-0x1.002p+0f, &block, 0, d, 0x1.001p+0f) == 0.0f);
    /* acc + t cancels before m is added: (1 - 2^30) + 2^30 loses the 1. */
    block = (vb_block){.s = -0x1p+30f, .m = 0x1p+30f, .sc = {1, 1}, .has_m = true};
    assert_true(vb_block_step(1.0f, &block, 1, 1.0f, 1.0f) == 0.0f);
    /* Subnormal terms count. */
    block = (vb_block){.s = 0x1p-100f, .sc = {1, 1}};
    assert_true(vb_block_step(0.0f, &block, 1, 0x1p-40f, 0.0f) == 0x1p-140f);
}

static void dot_int_runs_over_blocks(void **state) {
    (void)state;
    uint8_t row[3 * 34] = {0};
    int8_t q[96];
    const float d[3] = {0x1p+30f, 0x1p+30f, 1.0f}, du[3] = {0};
    memset(q, 1, sizeof q);
    for (int b = 0; b < 3; b++) {
        row[34 * b + 1] = 0x3c;                     /* d = 1 */
        row[34 * b + 2] = b == 1 ? (uint8_t)-1 : 1; /* one value a block: 1, -1, 1 */
    }
    assert_true(vb_dot_int(VB_Q8_0, row, 96, q, d, du) == 1.0f);
    /* The same terms as 1, 2^30, -2^30 end in 0: order is part of the result. */
    const float other[3] = {1.0f, 0x1p+30f, 0x1p+30f};
    row[34 * 1 + 2] = 1;
    row[34 * 2 + 2] = (uint8_t)-1;
    assert_true(vb_dot_int(VB_Q8_0, row, 96, q, other, du) == 0.0f);
}

static void lanes_are_folded_in_order(void **state) {
    (void)state;
    float lanes[16];
    for (int l = 0; l < 16; l++) {
        lanes[l] = (float)(1 << l);
    }
    assert_true(vb_lanes_sum(lanes) == 65535.0f);
    /* s_0 + s_8 comes first: 2^30 and -2^30 in lanes 0 and 8 cancel before lane 1 is seen ... */
    float pair[16] = {0x1p+30f, 1.0f};
    pair[8] = -0x1p+30f;
    assert_true(vb_lanes_sum(pair) == 1.0f);
    /* ... and in lanes 0 and 1 only after lane 1's neighbour 9 was swallowed. */
    float late[16] = {0x1p+30f, -0x1p+30f};
    late[9] = 1.0f;
    assert_true(vb_lanes_sum(late) == 0.0f);
}

static void dot_f32_uses_sixteen_lanes(void **state) {
    (void)state;
    float w[40], x[40];
    for (size_t n = 0; n <= 40; n++) {
        float sum = 0;
        for (size_t i = 0; i < n; i++) {
            w[i] = (float)(i + 1);
            x[i] = i & 1 ? -1.0f : 2.0f;
            sum += w[i] * x[i]; /* small integers: exact in any order */
        }
        assert_true(vb_dot_f32(w, x, n) == sum);
    }
    /* Elements 0 and 16 share a lane; 0 and 1 do not. */
    memset(w, 0, sizeof w);
    for (int i = 0; i < 40; i++) {
        x[i] = 1.0f;
    }
    w[0] = 0x1p+30f;
    w[16] = 1.0f;
    w[32] = -0x1p+30f;
    assert_true(vb_dot_f32(w, x, 40) == 0.0f);
    w[16] = 0.0f;
    w[17] = 1.0f;
    assert_true(vb_dot_f32(w, x, 40) == 1.0f);
    /* Products are rounded before they are added. */
    float a[17] = {-0x1.002p+0f}, b[17] = {1.0f};
    a[16] = b[16] = 0x1.001p+0f;
    assert_true(vb_dot_f32(a, b, 17) == 0.0f);
}

static void float_formats_agree(void **state) {
    (void)state;
    uint64_t seed = 6;
    for (size_t n = 0; n < 70; n++) {
        uint8_t f32[4 * 70], f16[2 * 70], bf16[2 * 70];
        float x[70], w[70];
        for (size_t i = 0; i < n; i++) {
            /* A weight of few bits, which all three formats hold. */
            uint16_t half = (uint16_t)(0x3000 + (vb_test_random(&seed) & 0x8fe0));
            w[i] = vb_f16_to_f32(half);
            x[i] = (float)((double)vb_test_random(&seed) * 0x1p-60 - 8.0);
            uint32_t bits = vb_f32_bits(w[i]);
            for (int k = 0; k < 4; k++) {
                f32[4 * i + (size_t)k] = (uint8_t)(bits >> (8 * k));
            }
            f16[2 * i] = (uint8_t)half;
            f16[2 * i + 1] = (uint8_t)(half >> 8);
            bf16[2 * i] = (uint8_t)(bits >> 16);
            bf16[2 * i + 1] = (uint8_t)(bits >> 24);
        }
        uint32_t expected = vb_f32_bits(vb_dot_f32(w, x, n));
        assert_int_equal(vb_f32_bits(vb_dot_float(VB_F32, f32, n, x)), expected);
        assert_int_equal(vb_f32_bits(vb_dot_float(VB_F16, f16, n, x)), expected);
        assert_int_equal(vb_f32_bits(vb_dot_float(VB_BF16, bf16, n, x)), expected);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantize_by_hand),
        cmocka_unit_test(quantize_extremes),
        cmocka_unit_test(quantize_refuses_non_finite),
        cmocka_unit_test(block_steps),
        cmocka_unit_test(block_step_order),
        cmocka_unit_test(dot_int_runs_over_blocks),
        cmocka_unit_test(lanes_are_folded_in_order),
        cmocka_unit_test(dot_f32_uses_sixteen_lanes),
        cmocka_unit_test(float_formats_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
