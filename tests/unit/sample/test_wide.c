/* The 128-bit products: native and limb forms agree, and round as the spec says. */
#include "sample/wide.h"

#include "support/testing.h"

static void forms_agree(void **state) {
    (void)state;
    static const uint64_t edges[] = {0,          1,           2,
                                     0xffffffff, 0x100000000, 0x100000001,
                                     1ull << 40, 1ull << 63,  0xffffffff00000000,
                                     ~0ull,      ~0ull - 1,   0x8000000080000000};
    enum { N = sizeof edges / sizeof edges[0] };
    uint64_t rng = 1;
    for (int i = 0; i < 200000; i++) {
        uint64_t a = i < N * N ? edges[i / N] : vb_test_random(&rng);
        uint64_t b = i < N * N ? edges[i % N] : vb_test_random(&rng) >> i % 64;
        vb_wide x = vb_wide_mul(a, b), y = vb_wide_mul_limbs(a, b);
        assert_true(x.hi == y.hi && x.lo == y.lo && x.lo == a * b);
    }
    vb_wide top = vb_wide_mul_limbs(~0ull, ~0ull);
    assert_true(top.hi == ~0ull - 1 && top.lo == 1);
}

static void share_is_the_least_sum(void **state) {
    (void)state;
    uint64_t rng = 2;
    for (int i = 0; i < 100000; i++) {
        uint64_t total = (1ull << 40) + (vb_test_random(&rng) >> (4 + i % 20));
        uint64_t p = 1 + (vb_test_random(&rng) >> (32 + i % 32));
        uint64_t c = vb_wide_share(p, total);
        vb_wide want = vb_wide_mul(p, total);
        vb_wide at = vb_wide_mul(c, 1ull << 32), below = vb_wide_mul(c - 1, 1ull << 32);
        assert_true(at.hi > want.hi || (at.hi == want.hi && at.lo >= want.lo));
        assert_true(below.hi < want.hi || (below.hi == want.hi && below.lo < want.lo));
        assert_true(vb_wide_share(1ull << 32, total) == total);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms_agree),
        cmocka_unit_test(share_is_the_least_sum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
