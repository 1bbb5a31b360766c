/* Every tier that this processor can run, against the scalar definition. */
#include <stdio.h>
#include <string.h>

#include "support/kernel_check.h"
#include "support/testing.h"

enum { TIERS_MAX = 16, ROUNDS = 150 };

/* Runs `rounds` cases of one check on every tier. */
static void on_every_tier(bool (*check)(vb_kernel_check *), unsigned rounds) {
    const vb_kernels *tiers[TIERS_MAX];
    size_t n = vb_kernels_list(tiers, TIERS_MAX);
    assert_true(n >= 1);
    for (size_t i = 0; i < n; i++) {
        vb_kernel_check c = {.k = tiers[i], .random = 42};
        for (unsigned round = 0; round < rounds; round++) {
            if (!check(&c)) {
                fail_msg("%s: %s", tiers[i]->name, c.msg);
            }
        }
    }
}

static bool check_products(vb_kernel_check *c) {
    for (size_t t = 0; t < vb_check_types_count; t++) {
        if (!vb_check_matmul(c, vb_check_types[t])) {
            return false;
        }
    }
    return true;
}

static void test_products(void **state) {
    (void)state;
    on_every_tier(check_products, ROUNDS);
}

static void test_quantize(void **state) {
    (void)state;
    on_every_tier(vb_check_quantize, 4 * ROUNDS);
}

static void test_rows(void **state) {
    (void)state;
    on_every_tier(vb_check_rows, 4 * ROUNDS);
}

static void test_attention(void **state) {
    (void)state;
    on_every_tier(vb_check_attention, ROUNDS / 2);
}

static void test_sampling(void **state) {
    (void)state;
    on_every_tier(vb_check_sampling, 4 * ROUNDS);
}

static void test_selftest_passes(void **state) {
    (void)state;
    const vb_kernels *tiers[TIERS_MAX];
    size_t n = vb_kernels_list(tiers, TIERS_MAX);
    for (size_t i = 0; i < n; i++) {
        vb_error e;
        if (vb_kernels_selftest(tiers[i], &e) != VB_OK) {
            fail_msg("%s", e.msg);
        }
    }
}

static void test_select(void **state) {
    (void)state;
    const vb_kernels *tiers[TIERS_MAX], *k = NULL;
    vb_error e;
    size_t n = vb_kernels_list(tiers, TIERS_MAX);
    assert_string_equal(tiers[0]->name, "scalar");
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(vb_kernels_select(tiers[i]->name, &k, &e), VB_OK);
        assert_ptr_equal(k, tiers[i]);
    }
    assert_int_equal(vb_kernels_select(NULL, &k, &e), VB_OK);
    assert_ptr_equal(k, tiers[n - 1]);
    assert_int_equal(vb_kernels_select("auto", &k, &e), VB_OK);
    assert_ptr_equal(k, tiers[n - 1]);
    k = NULL;
    assert_int_equal(vb_kernels_select("abacus", &k, &e), VB_EINVAL);
    assert_null(k);
    assert_non_null(strstr(e.msg, "abacus"));
    assert_int_equal(vb_kernels_list(tiers, 1), 1);
}

/* Sizes that no memory holds are refused before anything is computed with them. */
static void test_sizes(void **state) {
    (void)state;
    const vb_kernels *tiers[TIERS_MAX];
    size_t n = vb_kernels_list(tiers, TIERS_MAX);
    for (size_t i = 0; i < n; i++) {
        for (size_t t = 0; t < vb_check_types_count; t++) {
            vb_wtype type = vb_check_types[t];
            assert_int_equal(tiers[i]->pack_bytes(type, SIZE_MAX / 4, 1 << 20), 0);
            assert_int_equal(tiers[i]->pack_bytes(type, SIZE_MAX, 256), 0);
            size_t bytes = tiers[i]->pack_bytes(type, 4096, 4096);
            const vb_wtype_info *info = vb_wtype_get(type);
            size_t file = (size_t)4096 * 4096 / info->block_values * info->block_bytes;
            assert_true(bytes >= file && bytes <= file + file / 20);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_products), cmocka_unit_test(test_quantize),
        cmocka_unit_test(test_rows),     cmocka_unit_test(test_attention),
        cmocka_unit_test(test_sampling), cmocka_unit_test(test_selftest_passes),
        cmocka_unit_test(test_select),   cmocka_unit_test(test_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
