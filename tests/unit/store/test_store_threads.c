/* Many threads at once: numbers, group commit, readers beside the writer; and what it costs. With
 * an argument: only the figures, for so many milliseconds each. */
#include <pthread.h>
#include <stdatomic.h>

#include "base/system.h"
#include "unit/store/store_test.h"

enum { THREADS_MAX = 64 };

typedef struct crowd {
    vb_store *s;
    atomic_ulong n;     /* records settled */
    atomic_bool stop;   /* seen by all threads */
    unsigned long most; /* settlements of one thread */
} crowd;

static void *answer(void *user) {
    crowd *c = user;
    vb_error e;
    for (unsigned long i = 0; i < c->most && !atomic_load(&c->stop); i++) {
        vb_receipt r;
        fill_request(&r, "vr");
        MUST(vb_store_commit(c->s, &r, &e), &e);
        if (i % 8 == 7) {
            MUST(vb_store_abort(c->s, &r, VB_ABORT_CANCELLED, &e), &e);
        } else {
            finish_receipt(&r);
            MUST(vb_store_receipt(c->s, &r, &e), &e);
        }
        atomic_fetch_add(&c->n, 1);
        vb_receipt_free(&r);
    }
    return NULL;
}

static void *read_on(void *user) {
    crowd *c = user;
    vb_error e;
    vb_store_entry out[8];
    while (!atomic_load(&c->stop)) {
        vb_store_counts counts;
        size_t n;
        MUST(vb_store_list(c->s, &(vb_store_filter){.state = VB_STORE_RECEIPT}, out, 8, &n, &e),
             &e);
        MUST(vb_store_count(c->s, &counts, &e), &e);
        if (n) {
            vb_buf bytes = vb_buf_make(1 << 20);
            MUST(vb_store_by_hash(c->s, out[n - 1].verification_hash, out, &bytes, NULL, &e), &e);
            vb_buf_free(&bytes);
        }
        usleep(500);
    }
    return NULL;
}

static void run(crowd *c, int n_threads, int n_readers, uint64_t ms) {
    pthread_t threads[THREADS_MAX + 8];
    for (int i = 0; i < n_threads + n_readers; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, i < n_threads ? answer : read_on, c), 0);
    }
    if (ms) {
        usleep((useconds_t)ms * 1000);
        atomic_store(&c->stop, true);
    }
    for (int i = 0; i < n_threads + n_readers; i++) {
        if (i == n_threads) {
            atomic_store(&c->stop, true);
        }
        pthread_join(threads[i], NULL);
    }
}

static void many_threads(void **state) {
    (void)state;
    const vb_store_options keep = {.keep_bytes = 200000};
    crowd c = {.s = open_store(&keep, NULL), .most = 16};
    vb_error e;
    vb_store_counts counts;
    run(&c, 32, 6, 0); /* more readers than connections for them */
    assert_int_equal(c.n, 32 * 16);
    const tally t = tally_all(c.s);
    assert_int_equal(t.last, 32 * 16);
    assert_int_equal(t.by_state[VB_STORE_ABORT], 32 * 2);
    MUST(vb_store_count(c.s, &counts, &e), &e);
    assert_int_equal(counts.open, 0);
    assert_int_equal(counts.receipts, 32 * 14);
    assert_true(counts.groups < 2 * 32 * 16); /* some were shared */
    print_message("%d commitments and their ends in %" PRIu64 " transactions\n", 32 * 16,
                  counts.groups);
    vb_store_close(c.s);
}

/* Two stores of one file in one process, each with threads. */
static void two_stores(void **state) {
    (void)state;
    crowd a = {.s = open_store(NULL, NULL), .most = 12}, b = {.most = 12};
    size_t n_lost;
    b.s = open_store(NULL, &n_lost);
    pthread_t threads[8];
    for (int i = 0; i < 8; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, answer, i % 2 ? &a : &b), 0);
    }
    for (int i = 0; i < 8; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(tally_all(a.s).last, 8 * 12);
    vb_store_close(a.s);
    assert_int_equal(tally_all(b.s).last, 8 * 12);
    vb_store_close(b.s);
    vb_store *s = open_store(NULL, &n_lost);
    assert_int_equal(n_lost, 0);
    vb_store_close(s);
}

static void figures(uint64_t ms) {
    static const int threads[] = {1, 8, 64};
    for (size_t i = 0; i < sizeof threads / sizeof threads[0]; i++) {
        clear_dir(NULL);
        crowd c = {.s = open_store(NULL, NULL), .most = -1ul};
        const uint64_t from = vb_clock_ns();
        run(&c, threads[i], 0, ms);
        const double s = (double)(vb_clock_ns() - from) / 1e9;
        vb_store_counts counts;
        vb_error e;
        MUST(vb_store_count(c.s, &counts, &e), &e);
        printf("%2d threads: %6.0f commitments and as many ends a second, %5.1f to a transaction\n",
               threads[i], (double)c.n / s, 2.0 * (double)c.n / (double)counts.groups);
        vb_store_close(c.s);
    }
}

int main(int argc, char **argv) {
    if (argc > 1) {
        make_dir(NULL);
        figures(strtoull(argv[1], NULL, 10));
        return remove_dir(NULL);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(many_threads, clear_dir),
        cmocka_unit_test_setup(two_stores, clear_dir),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
