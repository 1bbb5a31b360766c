/*
 * Products of every count of tokens from 1 to 17, over rows longer than any tier keeps the
 * activations of at once: every tier against the scalar definition, in every integer format. The
 * other tests' rows are too short to be cut.
 */
#include "support/testing.h"

#include <stdlib.h>
#include <string.h>

#include "arith/check.h"
#include "kernels/kernels.h"
#include "kernels/scalar/scalar.h"

enum {
    TOKENS = 17, /* more than any tier has code of their own for */
    ROWS = 23,   /* a tile of 16, and one that is not full */
    STRIDE = ROWS + 2,
    PAIR_COLS = 1033 * VB_BLOCK, /* odd: the last group of a format of pairs is not full */
    K_COLS = 133 * 256,
    TIERS_MAX = 16,
    CANARY = 0x5a
};

/* Of TOKENS tokens; a product of fewer takes the first. */
typedef struct acts {
    float x[TOKENS * K_COLS], d[TOKENS * K_COLS / VB_BLOCK], du[TOKENS * K_COLS / VB_BLOCK];
    int8_t q[TOKENS * K_COLS];
    int32_t u[TOKENS * K_COLS / VB_BLOCK], u_lo[TOKENS * K_COLS / VB_BLOCK];
} acts;

_Static_assert(PAIR_COLS <= K_COLS, "the arrays are as long as the longest rows");

static acts *random_acts(size_t cols, uint64_t *seed) {
    acts *a = malloc(sizeof *a);
    assert_non_null(a);
    for (size_t i = 0; i < TOKENS * cols; i++) {
        a->x[i] = (float)((double)(int64_t)vb_test_random(seed) * 0x1p-62);
    }
    for (size_t t = 0; t < TOKENS; t++) {
        const size_t at = t * (cols / VB_BLOCK);
        assert_true(vb_kernels_scalar.quantize(a->x + t * cols, cols, a->q + t * cols, a->d + at,
                                               a->u + at, a->u_lo + at, a->du + at));
    }
    return a;
}

/* Random bytes whose float fields are finite. */
static uint8_t *random_weights(vb_wtype type, size_t cols, uint64_t *seed) {
    const vb_wtype_info *info = vb_wtype_get(type);
    size_t row_bytes, bad;
    assert_true(vb_wtype_row_bytes(type, cols, &row_bytes));
    uint8_t *bytes = malloc(ROWS * row_bytes);
    assert_non_null(bytes);
    for (size_t i = 0; i < ROWS * row_bytes; i++) {
        bytes[i] = (uint8_t)vb_test_random(seed);
    }
    for (size_t r = 0; r < ROWS; r++) {
        while (!vb_weights_finite(type, bytes + r * row_bytes, cols, &bad)) {
            uint8_t *block = bytes + r * row_bytes + bad / info->block_values * info->block_bytes;
            for (size_t i = 0; i < info->block_bytes; i++) {
                block[i] = (uint8_t)vb_test_random(seed);
            }
        }
    }
    return bytes;
}

static vb_matrix packed(const vb_kernels *k, vb_wtype type, size_t cols, const uint8_t *file) {
    const size_t bytes = k->pack_bytes(type, ROWS, cols);
    vb_matrix m = {k, type, ROWS, cols, aligned_alloc(64, (bytes + 63) / 64 * 64)};
    assert_non_null(m.data);
    k->pack(&m, file, 0, ROWS);
    return m;
}

/* The first n tokens' product, [TOKENS][STRIDE], is what the definition gives, and nothing else is
 * written. */
static void check_count(const vb_matrix *m, const acts *a, size_t n, const float *want) {
    static float got[TOKENS * STRIDE];
    const vb_act x = {n, m->cols, a->x, a->q, a->d, a->u, a->u_lo, a->du};
    memset(got, CANARY, sizeof got);
    m->k->matmul(m, 0, ROWS, &x, got, STRIDE);
    for (size_t i = n * STRIDE; i < TOKENS * STRIDE; i++) {
        assert_int_equal(((const unsigned char *)&got[i])[0], CANARY);
    }
    for (size_t t = 0; t < n; t++) {
        if (memcmp(got + t * STRIDE, want + t * STRIDE, STRIDE * sizeof *got) != 0) {
            fail_msg("%s %s: token %zu of %zu differs from the definition", m->k->name,
                     vb_wtype_get(m->type)->name, t, n);
        }
    }
}

static void check(vb_wtype type, uint64_t seed) {
    const vb_kernels *tiers[TIERS_MAX];
    const size_t n_tiers = vb_kernels_list(tiers, TIERS_MAX);
    const size_t cols = vb_wtype_get(type)->block_values == VB_BLOCK ? PAIR_COLS : K_COLS;
    acts *a = random_acts(cols, &seed);
    uint8_t *file = random_weights(type, cols, &seed);
    float want[TOKENS * STRIDE];
    const vb_act x = {TOKENS, cols, a->x, a->q, a->d, a->u, a->u_lo, a->du};
    vb_matrix definition = packed(&vb_kernels_scalar, type, cols, file);
    memset(want, CANARY, sizeof want);
    vb_kernels_scalar.matmul(&definition, 0, ROWS, &x, want, STRIDE);
    free(definition.data);
    for (size_t i = 0; i < n_tiers; i++) {
        if (tiers[i] == &vb_kernels_scalar) {
            continue;
        }
        vb_matrix m = packed(tiers[i], type, cols, file);
        for (size_t n = 1; n <= TOKENS; n++) {
            check_count(&m, a, n, want);
        }
        free(m.data);
    }
    free(file);
    free(a);
}

static void test_pairs(void **state) {
    (void)state;
    check(VB_Q8_0, 1);
    check(VB_Q4_0, 2);
    check(VB_Q4_1, 3);
    check(VB_Q5_0, 4);
    check(VB_Q5_1, 5);
}

static void test_k(void **state) {
    (void)state;
    check(VB_Q4_K, 6);
    check(VB_Q5_K, 7);
    check(VB_Q6_K, 8);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pairs),
        cmocka_unit_test(test_k),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
