/*
 * The tester tested: every mutant of tests/mutants must be reported by the comparison that
 * test_kernels runs, and by the self-test that runs at start. A read beyond a buffer must stop
 * the program.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernels/scalar/scalar.h"
#include "mutants/mutants.h"
#include "support/kernel_check.h"
#include "support/testing.h"

enum { MUTANTS_MAX = 100, ROUNDS = 150 };

static void test_the_comparison_reports_every_mutant(void **state) {
    (void)state;
    const vb_kernels *mutants[MUTANTS_MAX];
    size_t n = vb_mutants(mutants, MUTANTS_MAX), missed = 0;
    assert_true(n >= 45 && n < MUTANTS_MAX);
    for (size_t i = 0; i < n; i++) {
        vb_kernel_check c = {.k = mutants[i], .random = 42};
        if (vb_check_all(&c, ROUNDS)) {
            printf("not reported: %s\n", mutants[i]->name);
            missed++;
        }
    }
    assert_int_equal(missed, 0);
}

static void test_the_self_test_reports_every_mutant(void **state) {
    (void)state;
    const vb_kernels *mutants[MUTANTS_MAX];
    size_t n = vb_mutants(mutants, MUTANTS_MAX), missed = 0;
    for (size_t i = 0; i < n; i++) {
        vb_error e;
        if (vb_kernels_selftest(mutants[i], &e) != VB_EMISMATCH) {
            printf("not reported: %s\n", mutants[i]->name);
            missed++;
        } else {
            assert_non_null(strstr(e.msg, mutants[i]->name));
        }
    }
    assert_int_equal(missed, 0);
}

static void test_the_definition_is_not_reported(void **state) {
    (void)state;
    vb_kernel_check c = {.k = &vb_kernels_scalar, .random = 42};
    vb_error e;
    if (!vb_check_all(&c, ROUNDS)) {
        fail_msg("%s", c.msg);
    }
    assert_int_equal(vb_kernels_selftest(&vb_kernels_scalar, &e), VB_OK);
}

static void test_a_read_beyond_stops_the_program(void **state) {
    (void)state;
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        vb_kernels table = vb_kernels_scalar;
        table.add = vb_mutant_reads_beyond;
        vb_kernel_check c = {.k = &table, .random = 42};
        signal(SIGSEGV, SIG_DFL); /* not the framework's handler, which would go on */
        signal(SIGBUS, SIG_DFL);
        for (int i = 0; i < ROUNDS; i++) {
            (void)vb_check_rows(&c);
        }
        _exit(0);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_comparison_reports_every_mutant),
        cmocka_unit_test(test_the_self_test_reports_every_mutant),
        cmocka_unit_test(test_the_definition_is_not_reported),
        cmocka_unit_test(test_a_read_beyond_stops_the_program),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
