/*
 * Products of more rows than a tier takes in one pass over its activations, and of more tokens:
 * every tier against the scalar definition. The other tests' matrices are too small to reach a
 * second pass.
 */
#include "support/testing.h"

#include <stdlib.h>
#include <string.h>

#include "arith/check.h"
#include "kernels/kernels.h"
#include "kernels/scalar/scalar.h"

enum {
    ROWS = 2 * 2048 + 39, /* more than two passes of any tier, and a tile that is not full */
    COLS = 768,           /* more than one chunk of any tier, and one that is not full */
    BLOCKS = COLS / VB_BLOCK,
    FEW = 21,   /* tokens: more than any tier streams weights for */
    MANY = 259, /* more than a panel holds, and then fewer than share a register tile */
    MANY_ROWS = 2048 + 16,
    MANY_FLOAT_ROWS = 4 * 16 + 5, /* several sets of rows that share a panel of tokens */
    STRIDE = ROWS + 3,
    TIERS_MAX = 16,
    CANARY = 0x5a
};

typedef struct acts {
    float x[MANY * COLS], d[MANY * BLOCKS], du[MANY * BLOCKS];
    int8_t q[MANY * COLS];
    int32_t u[MANY * BLOCKS], u_lo[MANY * BLOCKS];
} acts;

static void random_acts(acts *a, uint64_t *seed) {
    for (size_t i = 0; i < (size_t)MANY * COLS; i++) {
        a->x[i] = (float)((double)(int64_t)vb_test_random(seed) * 0x1p-62);
    }
    for (size_t t = 0; t < MANY; t++) {
        const size_t at = t * BLOCKS;
        assert_true(vb_kernels_scalar.quantize(a->x + t * COLS, COLS, a->q + t * COLS, a->d + at,
                                               a->u + at, a->u_lo + at, a->du + at));
    }
}

/* Random bytes whose float fields are finite. */
static uint8_t *random_weights(vb_wtype type, size_t rows, uint64_t *seed) {
    const vb_wtype_info *info = vb_wtype_get(type);
    size_t row_bytes, bad;
    assert_true(vb_wtype_row_bytes(type, COLS, &row_bytes));
    uint8_t *bytes = malloc(rows * row_bytes);
    assert_non_null(bytes);
    for (size_t i = 0; i < rows * row_bytes; i++) {
        bytes[i] = (uint8_t)vb_test_random(seed);
    }
    for (size_t r = 0; r < rows; r++) {
        while (!vb_weights_finite(type, bytes + r * row_bytes, COLS, &bad)) {
            uint8_t *block = bytes + r * row_bytes + bad / info->block_values * info->block_bytes;
            for (size_t i = 0; i < info->block_bytes; i++) {
                block[i] = (uint8_t)vb_test_random(seed);
            }
        }
    }
    return bytes;
}

/* y of one tier: [tokens][STRIDE], what is not written left at CANARY. */
static float *product(const vb_kernels *k, vb_wtype type, size_t rows, const uint8_t *file,
                      const vb_act *x) {
    const size_t bytes = k->pack_bytes(type, rows, COLS),
                 y_bytes = x->rows * STRIDE * sizeof(float);
    float *y = malloc(y_bytes);
    vb_matrix m = {k, type, rows, COLS, aligned_alloc(64, (bytes + 63) / 64 * 64)};
    assert_non_null(y);
    assert_non_null(m.data);
    memset(y, CANARY, y_bytes);
    k->pack(&m, file, 0, rows);
    k->matmul(&m, 0, rows, x, y, STRIDE);
    free(m.data);
    return y;
}

static void check(vb_wtype type, size_t rows, size_t tokens, uint64_t seed) {
    static acts a;
    const vb_kernels *tiers[TIERS_MAX];
    const size_t n_tiers = vb_kernels_list(tiers, TIERS_MAX);
    random_acts(&a, &seed);
    const vb_act x = {tokens, COLS, a.x, a.q, a.d, a.u, a.u_lo, a.du};
    uint8_t *file = random_weights(type, rows, &seed);
    float *want = product(&vb_kernels_scalar, type, rows, file, &x);
    for (size_t i = 0; i < n_tiers; i++) {
        float *got = product(tiers[i], type, rows, file, &x);
        for (size_t t = 0; t < tokens; t++) {
            if (memcmp(got + t * STRIDE, want + t * STRIDE, STRIDE * sizeof *got) != 0) {
                fail_msg("%s %s: token %zu of %zu differs from the definition", tiers[i]->name,
                         vb_wtype_get(type)->name, t, tokens);
            }
        }
        free(got);
    }
    free(want);
    free(file);
}

static void test_rows(void **state) {
    (void)state;
    check(VB_Q8_0, ROWS, FEW, 1);
    check(VB_Q4_K, ROWS, FEW, 2);
    check(VB_Q6_K, ROWS, FEW, 3);
}

static void test_tokens(void **state) {
    (void)state;
    check(VB_Q8_0, MANY_ROWS, MANY, 4);
    check(VB_F16, MANY_FLOAT_ROWS, MANY, 5);
    check(VB_F32, MANY_FLOAT_ROWS, FEW, 6);
    check(VB_BF16, MANY_FLOAT_ROWS, FEW, 7);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_tokens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
