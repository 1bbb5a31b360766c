/*
 * The scalar tier against src/arith taken one row at a time: packing in pieces, groups of tokens,
 * strides and ranges must not change a bit, and nothing outside the named outputs is written.
 */
#include "support/testing.h"

#include <stdlib.h>
#include <string.h>

#include "arith/attention.h"
#include "arith/bits.h"
#include "arith/check.h"
#include "arith/product.h"
#include "arith/rope.h"
#include "kernels/scalar/scalar.h"

static const vb_kernels *const K = &vb_kernels_scalar;
static const vb_wtype types[] = {VB_F32,  VB_F16,  VB_BF16, VB_Q8_0, VB_Q4_0, VB_Q4_1,
                                 VB_Q5_0, VB_Q5_1, VB_Q4_K, VB_Q5_K, VB_Q6_K};
enum { TYPES = sizeof types / sizeof types[0], ROWS = 37, TOKENS_MAX = 35, COLS_MAX = 512 };

static float random_float(uint64_t *seed) {
    return (float)((double)(int64_t)vb_test_random(seed) * 0x1p-62); /* [-2, 2) */
}

/* Random bytes whose float fields are finite. */
static uint8_t *random_weights(vb_wtype type, size_t cols, uint64_t *seed, size_t *row_bytes) {
    const vb_wtype_info *info = vb_wtype_get(type);
    assert_true(vb_wtype_row_bytes(type, cols, row_bytes));
    uint8_t *bytes = malloc(ROWS * *row_bytes);
    assert_non_null(bytes);
    for (size_t i = 0; i < ROWS * *row_bytes; i++) {
        bytes[i] = (uint8_t)vb_test_random(seed);
    }
    size_t bad;
    while (!vb_weights_finite(type, bytes, ROWS * cols, &bad)) {
        uint8_t *block = bytes + bad / info->block_values * info->block_bytes;
        for (size_t i = 0; i < info->block_bytes; i++) {
            block[i] = (uint8_t)vb_test_random(seed);
        }
    }
    return bytes;
}

typedef struct acts {
    float x[TOKENS_MAX * COLS_MAX], d[TOKENS_MAX * 16], du[TOKENS_MAX * 16];
    int8_t q[TOKENS_MAX * COLS_MAX];
    int32_t u[TOKENS_MAX * 16], u_lo[TOKENS_MAX * 16];
    vb_act act;
} acts;

static void random_acts(acts *a, size_t rows, size_t cols, uint64_t *seed) {
    size_t blocks = cols / 32;
    for (size_t i = 0; i < rows * cols; i++) {
        a->x[i] = random_float(seed);
    }
    for (size_t t = 0; cols % 32 == 0 && t < rows; t++) {
        assert_true(K->quantize(a->x + t * cols, cols, a->q + t * cols, a->d + t * blocks,
                                a->u + t * blocks, a->u_lo + t * blocks, a->du + t * blocks));
    }
    a->act = (vb_act){rows, cols, a->x, a->q, a->d, a->u, a->u_lo, a->du};
}

static uint32_t expected_bits(vb_wtype type, const uint8_t *row, const acts *a, size_t t) {
    size_t cols = a->act.cols, blocks = cols / 32;
    float y = vb_wtype_get(type)->is_float ? vb_dot_float(type, row, cols, a->x + t * cols)
                                           : vb_dot_int(type, row, cols, a->q + t * cols,
                                                        a->d + t * blocks, a->du + t * blocks);
    return vb_f32_bits(y);
}

static void check_matmul(vb_wtype type, size_t cols, size_t tokens, uint64_t *seed) {
    static acts a;
    static float y[TOKENS_MAX * (ROWS + 3)];
    size_t row_bytes;
    uint8_t *bytes = random_weights(type, cols, seed, &row_bytes);
    assert_int_equal(K->pack_bytes(type, ROWS, cols), ROWS * row_bytes);
    vb_matrix m = {K, type, ROWS, cols, malloc(ROWS * row_bytes)};
    assert_non_null(m.data);
    K->pack(&m, bytes + 16 * row_bytes, 16, ROWS);
    K->pack(&m, bytes, 0, 16);
    random_acts(&a, tokens, cols, seed);
    const size_t stride = ROWS + 3;
    memset(y, 0xa5, sizeof y);
    K->matmul(&m, 16, 32, &a.act, y, stride);
    for (size_t t = 0; t < tokens; t++) {
        for (size_t r = 0; r < stride; r++) {
            uint32_t expected =
                r >= 16 && r < 32 ? expected_bits(type, bytes + r * row_bytes, &a, t) : 0xa5a5a5a5u;
            assert_int_equal(vb_f32_bits(y[t * stride + r]), expected);
        }
    }
    K->matmul(&m, 32, ROWS, &a.act, y, stride);
    K->matmul(&m, 0, 16, &a.act, y, stride);
    for (size_t t = 0; t < TOKENS_MAX; t++) {
        for (size_t r = 0; r < stride; r++) {
            uint32_t expected = r < ROWS && t < tokens
                                    ? expected_bits(type, bytes + r * row_bytes, &a, t)
                                    : 0xa5a5a5a5u;
            assert_int_equal(vb_f32_bits(y[t * stride + r]), expected);
        }
    }
    float values[COLS_MAX + 1], row_values[COLS_MAX];
    memset(values, 0xa5, sizeof values);
    K->unpack_row(&m, ROWS - 1, values);
    vb_row_values(type, bytes + (ROWS - 1) * row_bytes, cols, row_values);
    assert_memory_equal(values, row_values, cols * sizeof(float));
    assert_int_equal(vb_f32_bits(values[cols]), 0xa5a5a5a5u);
    free(m.data);
    free(bytes);
}

static void matmul(void **state) {
    (void)state;
    uint64_t seed = 21;
    static const size_t token_counts[] = {1, 2, 15, 16, 17, TOKENS_MAX};
    for (int t = 0; t < TYPES; t++) {
        size_t block = vb_wtype_get(types[t])->block_values;
        for (size_t i = 0; i < sizeof token_counts / sizeof token_counts[0]; i++) {
            check_matmul(types[t], block == 1 ? 64 : block, token_counts[i], &seed);
            check_matmul(types[t], block == 1 ? 65 + i : 2 * block, token_counts[i], &seed);
        }
    }
}

static void pack_sizes(void **state) {
    (void)state;
    assert_int_equal(K->pack_bytes(VB_Q4_K, 3, 512), 3 * 288);
    assert_int_equal(K->pack_bytes(VB_F32, SIZE_MAX / 8, 4), 0);
    assert_int_equal(K->pack_bytes(VB_F32, 4, SIZE_MAX / 8), 0);
    assert_int_equal(K->pack_bytes(VB_Q2_K, 4, 256), 0);
    assert_string_equal(K->name, "scalar");
}

static void rope_styles(void **state) {
    (void)state;
    const float c[2] = {0.0f, 0.5f}, s[2] = {1.0f, 0.25f};
    float x[12] = {1, 2, 3, 4, 5, 6, 10, 20, 30, 40, 50, 60}, y[12];
    memcpy(y, x, sizeof y);
    K->rope(y, 2, 6, 4, VB_ROPE_NORM, c, s);
    const float norm[12] = {-2, 1, 1.5f - 1, 0.75f + 2, 5, 6, -20, 10, 15 - 10, 7.5f + 20, 50, 60};
    assert_memory_equal(y, norm, sizeof y);
    memcpy(y, x, sizeof y);
    K->rope(y, 2, 6, 4, VB_ROPE_NEOX, c, s);
    const float neox[12] = {-3, 1 - 1.0f, 1, 0.5f + 2, 5, 6, -30, 10 - 10.0f, 10, 5 + 20, 50, 60};
    assert_memory_equal(y, neox, sizeof y);
}

static void attention_rows(void **state) {
    (void)state;
    enum { DIM = 24, KEYS = 300, Q = 5, STRIDE = DIM + 7 };
    static uint16_t k_pages[2][256 * DIM], v_pages[2][256 * DIM];
    static float scratch[Q * 512 + 256 * DIM + Q], one[512];
    const uint16_t *kp[2] = {k_pages[0], k_pages[1]}, *vp[2] = {v_pages[0], v_pages[1]};
    uint64_t seed = 22;
    for (size_t j = 0; j < KEYS; j++) {
        float k[DIM], v[DIM];
        for (int i = 0; i < DIM; i++) {
            k[i] = random_float(&seed);
            v[i] = random_float(&seed);
        }
        assert_true(K->kv_store(k, v, DIM, k_pages[j / 256], v_pages[j / 256], j % 256));
    }
    float q[Q * STRIDE], out[Q * STRIDE], expected[DIM];
    for (int i = 0; i < Q * STRIDE; i++) {
        q[i] = 3 * random_float(&seed);
    }
    memset(out, 0xa5, sizeof out);
    const size_t n_keys[Q] = {KEYS, 1, 256, 257, 16};
    assert_int_equal(vb_attention_scratch_floats(Q, KEYS, DIM), sizeof scratch / sizeof *scratch);
    float scale = vb_attention_scale(DIM);
    K->attention(q, STRIDE, Q, n_keys, DIM, kp, vp, scale, scratch, out, STRIDE);
    for (size_t i = 0; i < Q; i++) {
        vb_attention_row(q + i * STRIDE, n_keys[i], DIM, kp, vp, scale, one, expected);
        assert_memory_equal(out + i * STRIDE, expected, sizeof expected);
        for (size_t j = DIM; j < STRIDE; j++) {
            assert_int_equal(vb_f32_bits(out[i * STRIDE + j]), 0xa5a5a5a5u);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matmul),
        cmocka_unit_test(pack_sizes),
        cmocka_unit_test(rope_styles),
        cmocka_unit_test(attention_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
