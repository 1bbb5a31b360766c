/* Waiting for rounds where nobody answers: each wait ends once, by its own deadline, by being
 * forgotten, or with the end. (With rounds: tests/server/serve_beacon.test.) And the line of jobs.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "base/system.h"
#include "server/rounds.h"
#include "server/workers.h"
#include "support/testing.h"

enum { WAITS = 20, SOURCES = 2, WAIT_MS = 400, LONG_MS = 60000, PATIENCE_MS = 20000 };

typedef struct waiting {
    vb_wait w;
    atomic_int n_done;
    vb_err err;
    char why[VB_ERROR_MSG_MAX];
} waiting;

static void on_done(vb_wait *w, vb_beacon_round *round, vb_err err, const vb_error *e) {
    waiting *x = (waiting *)((char *)w - offsetof(waiting, w));
    assert_null(round);
    x->err = err;
    memcpy(x->why, e->msg, sizeof x->why);
    atomic_fetch_add(&x->n_done, 1);
}

typedef struct bench {
    vb_source *sources[SOURCES];
    vb_rounds *r;
    waiting waits[WAITS];
} bench;

/* Nobody listens on port 9 of this machine. */
static void open_bench(bench *b, uint32_t wait_ms) {
    static const char *const urls[] = {"http://127.0.0.1:9"};
    const vb_source_options o = {.beacon = "drand", .urls = urls, .n_urls = 1};
    vb_error e;
    memset(b, 0, sizeof *b);
    for (int i = 0; i < SOURCES; i++) {
        assert_int_equal(vb_source_open(&o, &b->sources[i], &e), VB_OK);
    }
    assert_int_equal(vb_rounds_open(b->sources, SOURCES, NULL, wait_ms, &b->r, &e), VB_OK);
    for (int i = 0; i < WAITS; i++) {
        b->waits[i].w = (vb_wait){.mode = VB_MODE_LATEST, .time_ms = vb_unix_ms(), .done = on_done};
        vb_rounds_wait(b->r, &b->waits[i].w);
    }
}

static void close_bench(bench *b) {
    vb_rounds_close(b->r);
    for (int i = 0; i < SOURCES; i++) {
        vb_source_close(b->sources[i]);
    }
}

static void test_deadlines(void **state) {
    (void)state;
    static bench b;
    open_bench(&b, WAIT_MS);
    const uint64_t start = vb_clock_ns();
    for (int i = 0; i < WAITS; i++) {
        while (!atomic_load(&b.waits[i].n_done) &&
               vb_clock_ns() - start < (uint64_t)PATIENCE_MS * 1000000) {
            usleep(1000);
        }
        assert_int_equal(atomic_load(&b.waits[i].n_done), 1);
        assert_int_equal(b.waits[i].err, VB_EIO);
        assert_non_null(strstr(b.waits[i].why, "127.0.0.1:9"));
        assert_false(vb_rounds_forget(b.r, &b.waits[i].w));
    }
    close_bench(&b);
    for (int i = 0; i < WAITS; i++) {
        assert_int_equal(atomic_load(&b.waits[i].n_done), 1);
    }
}

static void test_forgetting_and_the_end(void **state) {
    (void)state;
    static bench b;
    open_bench(&b, LONG_MS);
    usleep(50000);
    const uint64_t start = vb_clock_ns();
    for (int i = 0; i < WAITS; i += 2) { /* those that are being fetched too */
        assert_true(vb_rounds_forget(b.r, &b.waits[i].w));
        assert_false(vb_rounds_forget(b.r, &b.waits[i].w));
    }
    close_bench(&b);
    assert_true(vb_clock_ns() - start < (uint64_t)PATIENCE_MS * 1000000);
    for (int i = 0; i < WAITS; i++) {
        assert_int_equal(atomic_load(&b.waits[i].n_done), i % 2);
        assert_int_equal(b.waits[i].err, i % 2 ? VB_ECANCELLED : VB_OK);
    }
}

/* Workers. */

enum { JOBS = 2000, LINE = 8 };

typedef struct counted {
    vb_job job;
    atomic_int *n;
    pthread_mutex_t *gate;
} counted;

static void count(vb_job *job) {
    const counted *c = (const counted *)job;
    if (c->gate) {
        pthread_mutex_lock(c->gate);
        pthread_mutex_unlock(c->gate);
    }
    atomic_fetch_add(c->n, 1);
}

static void test_workers(void **state) {
    (void)state;
    static counted jobs[JOBS];
    atomic_int n = 0;
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    vb_workers *w = NULL;
    vb_error e;
    assert_int_equal(vb_workers_open(3, LINE, &w, &e), VB_OK);
    /* While the threads are held up the line fills, and only what is owed is taken beyond. */
    pthread_mutex_lock(&gate);
    int taken = 0, refused = 0;
    for (int i = 0; i < 100; i++) {
        jobs[i] = (counted){{count, NULL}, &n, &gate};
        const bool ok = vb_workers_put(w, &jobs[i].job, false);
        taken += ok;
        refused += !ok;
    }
    assert_true(taken >= LINE && taken <= LINE + 3);
    assert_int_equal(taken + refused, 100);
    for (int i = 100; i < JOBS; i++) {
        jobs[i] = (counted){{count, NULL}, &n, &gate};
        assert_true(vb_workers_put(w, &jobs[i].job, true));
    }
    pthread_mutex_unlock(&gate);
    vb_workers_close(w); /* what is in the line is done first */
    assert_int_equal(atomic_load(&n), taken + JOBS - 100);
    pthread_mutex_destroy(&gate);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_deadlines),
        cmocka_unit_test(test_forgetting_and_the_end),
        cmocka_unit_test(test_workers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
