/* kill -9 at any moment, while several threads commit and settle, while the store is made and while
 * it is opened: what was acknowledged is there, numbers have no gap, and it always opens again. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#include "unit/store/store_test.h"

enum { ROUNDS = 240, FRESH_ROUNDS = 60, THREADS = 4, ACKS_MAX = 65536 };

typedef struct ack {
    uint64_t sequence;
    uint64_t state; /* vb_store_state */
} ack;

static int acks_to;

static void acknowledge(uint64_t sequence, vb_store_state state) {
    const ack a = {sequence, state};
    if (write(acks_to, &a, sizeof a) != sizeof a) {
        abort();
    }
}

static void *answer(void *user) {
    vb_store *s = user;
    vb_error e;
    for (unsigned i = 0;; i++) {
        vb_receipt r;
        fill_request(&r, "vr");
        MUST(vb_store_commit(s, &r, &e), &e);
        acknowledge(r.request.sequence, VB_STORE_OPEN);
        if (i % 3 == 2) {
            MUST(vb_store_abort(s, &r, VB_ABORT_CANCELLED, &e), &e);
            acknowledge(r.request.sequence, VB_STORE_ABORT);
        } else {
            finish_receipt(&r);
            MUST(vb_store_receipt(s, &r, &e), &e);
            acknowledge(r.request.sequence, VB_STORE_RECEIPT);
        }
        vb_receipt_free(&r);
    }
    return NULL;
}

/* The process that is killed. */
static void serve(void) {
    pthread_t threads[THREADS];
    const vb_store_options keep = {.keep_bytes = 1 << 20};
    vb_store *s = open_store(&keep, NULL);
    for (int i = 0; i < THREADS; i++) {
        if (pthread_create(&threads[i], NULL, answer, s)) {
            abort();
        }
    }
    pause();
}

static size_t run_and_kill(unsigned delay_us, ack *acks) {
    int ends[2];
    size_t n = 0;
    assert_int_equal(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        acks_to = ends[1];
        serve();
    }
    close(ends[1]);
    usleep(delay_us);
    kill(child, SIGKILL);
    while (n < ACKS_MAX && read(ends[0], &acks[n], sizeof *acks) == sizeof *acks) {
        n++;
    }
    close(ends[0]);
    int status;
    waitpid(child, &status, 0);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL); /* no error of its own */
    return n;
}

static void killed_at_any_moment(void **state) {
    (void)state;
    static ack acks[ACKS_MAX];
    uint64_t seed = 1, n_acks = 0, n_lost_all = 0, n_empty = 0;
    for (unsigned round = 0; round < ROUNDS; round++) {
        if (round < FRESH_ROUNDS) {
            clear_dir(NULL);
        }
        const unsigned most = round < FRESH_ROUNDS ? 60000 : 80000;
        const size_t n = run_and_kill((unsigned)(vb_test_random(&seed) % most), acks);
        n_acks += n;
        n_empty += n == 0;
        size_t n_lost;
        vb_error e;
        vb_store *s = open_store(NULL, &n_lost);
        n_lost_all += n_lost;
        assert_true(n_lost <= THREADS);
        for (size_t i = 0; i < n; i++) {
            vb_store_entry entry;
            MUST(vb_store_by_sequence(s, NULL, acks[i].sequence, &entry, NULL, NULL, &e), &e);
            assert_true(acks[i].state == VB_STORE_OPEN || entry.state == acks[i].state);
        }
        vb_store_counts counts;
        MUST(vb_store_count(s, &counts, &e), &e);
        assert_int_equal(counts.open, 0);
        if (round % 20 == 19) {
            const tally t = tally_all(s);
            assert_int_equal(t.by_state[VB_STORE_OPEN], 0);
            assert_true(t.first <= 1);
        }
        vb_store_close(s);
    }
    print_message("%d kills: %" PRIu64 " acknowledged, %" PRIu64 " lost commitments, %" PRIu64
                  " times nothing yet\n",
                  ROUNDS, n_acks, n_lost_all, n_empty);
    assert_true(n_acks > ROUNDS && n_lost_all > ROUNDS / 4);
}

/* A living process's commitments are its own; two write at once without a number twice. */
static void two_processes(void **state) {
    (void)state;
    static ack acks[ACKS_MAX];
    int ends[2];
    vb_error e;
    pid_t children[2];
    assert_int_equal(pipe(ends), 0);
    for (int i = 0; i < 2; i++) {
        if ((children[i] = fork()) == 0) {
            acks_to = ends[1];
            serve();
        }
    }
    usleep(300000);
    size_t n_lost = 9, n = 0;
    vb_store *s = open_store(NULL, &n_lost);
    assert_int_equal(n_lost, 0);
    add_receipt(s, "third");
    vb_store_close(s);
    usleep(100000);
    for (int i = 0; i < 2; i++) {
        kill(children[i], SIGKILL);
        int status;
        waitpid(children[i], &status, 0);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    }
    close(ends[1]);
    while (n < ACKS_MAX && read(ends[0], &acks[n], sizeof *acks) == sizeof *acks) {
        n++;
    }
    close(ends[0]);
    s = open_store(NULL, &n_lost);
    assert_true(n_lost <= 2 * THREADS);
    const tally t = tally_all(s);
    size_t n_committed = 0;
    for (size_t i = 0; i < n; i++) {
        vb_store_entry entry;
        MUST(vb_store_by_sequence(s, NULL, acks[i].sequence, &entry, NULL, NULL, &e), &e);
        n_committed += acks[i].state == VB_STORE_OPEN;
        for (size_t j = 0; j < i && acks[i].state == VB_STORE_OPEN; j++) {
            assert_false(acks[j].state == VB_STORE_OPEN && acks[j].sequence == acks[i].sequence);
        }
    }
    assert_true(n_committed > 20 && n_committed <= t.last);
    vb_store_close(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(killed_at_any_moment, clear_dir),
        cmocka_unit_test_setup(two_processes, clear_dir),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
