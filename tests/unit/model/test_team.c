/* Teams: every member runs, waits are barriers, shares cover everything once, runs repeat. */
#include "support/testing.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "model/team.h"

enum { ROUNDS = 200, THREADS_MAX = 9, TOTAL = 37 };

typedef struct counts {
    atomic_size_t arrived;
    size_t seen[THREADS_MAX][ROUNDS]; /* of those that had arrived, after each wait */
    unsigned char taken[TOTAL];
    bool slow; /* one member sleeps before it arrives, so that the others do */
} counts;

static void step(void *user, const vb_member *me) {
    counts *c = user;
    for (size_t i = 0; i < ROUNDS; i++) {
        if (c->slow && me->index == i % me->n && i % 50 == 0) {
            usleep(2000);
        }
        atomic_fetch_add_explicit(&c->arrived, 1, memory_order_relaxed);
        vb_team_wait(me);
        c->seen[me->index][i] = atomic_load_explicit(&c->arrived, memory_order_relaxed);
        vb_team_wait(me);
    }
    for (size_t i = vb_share_begin(me, TOTAL); i < vb_share_end(me, TOTAL); i++) {
        c->taken[i]++;
    }
}

static void run_team(int n_threads, bool slow) {
    vb_team t;
    vb_error e = {0};
    assert_int_equal(vb_team_open(&t, n_threads, &e), VB_OK);
    for (int run = 0; run < 3; run++) {
        counts c = {.slow = slow};
        vb_team_run(&t, step, &c);
        for (int i = 0; i < n_threads; i++) {
            for (size_t r = 0; r < ROUNDS; r++) {
                assert_int_equal(c.seen[i][r], (r + 1) * (size_t)n_threads);
            }
        }
        for (size_t i = 0; i < TOTAL; i++) {
            assert_int_equal(c.taken[i], 1);
        }
    }
    vb_team_close(&t);
}

static void test_waits(void **state) {
    (void)state;
    for (int n = 1; n <= THREADS_MAX; n++) {
        run_team(n, false);
    }
}

static void test_sleepers(void **state) {
    (void)state;
    run_team(2, true);
    run_team(5, true);
}

/* With the policy that lets nobody look for long; the test's environment may have it already. */
static void test_passive(void **state) {
    (void)state;
    char *before = getenv("OMP_WAIT_POLICY");
    char *copy = before ? strdup(before) : NULL;
    setenv("OMP_WAIT_POLICY", "PASSIVE", 1);
    run_team(3, false);
    run_team(2, true);
    if (copy) {
        setenv("OMP_WAIT_POLICY", copy, 1);
    } else {
        unsetenv("OMP_WAIT_POLICY");
    }
    free(copy);
}

/* No room for the threads' stacks: an error, and the threads that had begun are gone. */
static void test_no_threads(void **state) {
    (void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    skip(); /* a sanitizer needs the address space itself */
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
    skip();
#endif
#endif
    struct rlimit before, little;
    assert_int_equal(getrlimit(RLIMIT_AS, &before), 0);
    little = before;
    little.rlim_cur = 512u << 20;
    if (setrlimit(RLIMIT_AS, &little)) {
        skip();
    }
    vb_team t;
    vb_error e = {0};
    const vb_err err = vb_team_open(&t, 1000, &e);
    assert_int_equal(setrlimit(RLIMIT_AS, &before), 0);
    assert_int_equal(err, VB_ENOMEM);
    assert_non_null(strstr(e.msg, "of 1000"));
    run_team(2, false);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_waits),
        cmocka_unit_test(test_sleepers),
        cmocka_unit_test(test_passive),
        cmocka_unit_test(test_no_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
