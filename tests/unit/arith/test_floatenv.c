/*
 * The check of the thread's floating-point mode: it accepts the default and notices each mode
 * that would change bits. Flushing of subnormals is set through the processor's register where it
 * has one.
 */
#include "support/testing.h"

#include <fenv.h>
#include <stdio.h>

#include "arith/floatenv.h"
#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

static void default_mode_is_accepted(void **state) {
    (void)state;
    assert_true(vb_float_env_ok());
}

static void other_roundings_are_noticed(void **state) {
    (void)state;
    static const int modes[] = {FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(fesetround(modes[i]), 0);
        bool ok = vb_float_env_ok();
        assert_int_equal(fesetround(FE_TONEAREST), 0);
        assert_false(ok);
    }
    assert_true(vb_float_env_ok());
}

static void flushed_subnormals_are_noticed(void **state) {
    (void)state;
#if defined(__SSE2__)
    const unsigned bits[] = {0x8000 /* flush to zero */, 0x0040 /* denormals are zero */, 0x8040};
    for (int i = 0; i < 3; i++) {
        unsigned before = _mm_getcsr();
        _mm_setcsr(before | bits[i]);
        bool ok = vb_float_env_ok();
        _mm_setcsr(before);
        assert_false(ok);
    }
#elif defined(__aarch64__)
    uint64_t before, flush;
    __asm__ volatile("mrs %0, fpcr" : "=r"(before));
    flush = before | UINT64_C(1) << 24;
    __asm__ volatile("msr fpcr, %0" ::"r"(flush));
    bool ok = vb_float_env_ok();
    __asm__ volatile("msr fpcr, %0" ::"r"(before));
    assert_false(ok);
#else
    print_message("this processor has no mode that flushes subnormals\n");
    skip();
#endif
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(default_mode_is_accepted),
        cmocka_unit_test(other_roundings_are_noticed),
        cmocka_unit_test(flushed_subnormals_are_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
