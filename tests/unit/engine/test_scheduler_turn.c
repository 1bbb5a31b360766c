/* Schedulers that share the processors: passes one at a time, nobody starved, and the answers that
 * each would give alone. Under ThreadSanitizer as test_scheduler. */
#include "unit/engine/scheduler_jobs.h"

#include "base/system.h"

enum { THREADS = 6, TURNS = 2000, SCHEDULERS = 2, JOBS = 8, PROMPT_MAX = 300 };

typedef struct shared {
    vb_scheduler_turn *turn;
    uint64_t n;       /* guarded by the turn alone */
    bool is_occupied; /* the same */
} shared;

static void *take_turns(void *user) {
    shared *x = user;
    for (int i = 0; i < TURNS; i++) {
        vb_scheduler_turn_take(x->turn);
        if (x->is_occupied) {
            abort();
        }
        x->is_occupied = true;
        x->n++;
        x->is_occupied = false;
        vb_scheduler_turn_give(x->turn);
    }
    return NULL;
}

static void one_at_a_time(void **state) {
    (void)state;
    shared x = {.n = 0};
    pthread_t threads[THREADS];
    must(vb_scheduler_turn_open(&x.turn, &e));
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, take_turns, &x), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(x.n, THREADS * TURNS);
    vb_scheduler_turn_close(x.turn);
    vb_scheduler_turn_close(NULL);
}

static vb_scheduler *open_with(vb_scheduler_turn *turn) {
    const vb_scheduler_options o = {
        .model = model,
        .n_threads = 1,
        .batch_tokens = 64,
        .ctx_tokens = CTX,
        .kv_bytes = 40 * page_bytes(),
        .sequences_max = 4,
        .queue_max = JOBS,
        .prefix_cache = true,
        .turn = turn,
    };
    vb_scheduler *s;
    must(vb_scheduler_open(&o, &s, &e));
    return s;
}

static atomic_bool is_in_pass;

/* All tokens but the first of a choice are drawn inside a pass. */
static void check_alone_in_pass(listener *l, size_t choice) {
    if (l->n_tokens[choice] > 1) {
        assert_false(atomic_exchange(&is_in_pass, true));
        sleep_us(20);
        atomic_store(&is_in_pass, false);
    }
}

static void answers_as_alone(void **state) {
    (void)state;
    static job jobs[JOBS];
    static listener told[SCHEDULERS][JOBS];
    vb_scheduler *s[SCHEDULERS];
    vb_scheduler_turn *turn;
    uint64_t seed = 3;
    must(vb_scheduler_turn_open(&turn, &e));
    for (size_t i = 0; i < JOBS; i++) {
        make_plain(&jobs[i], 1 + vb_test_random(&seed) % PROMPT_MAX, 20 + i, i);
    }
    for (size_t k = 0; k < SCHEDULERS; k++) {
        s[k] = open_with(turn);
    }
    for (size_t i = 0; i < JOBS; i++) {
        for (size_t k = 0; k < SCHEDULERS; k++) {
            told[k][i].each_token = check_alone_in_pass;
            must(submit(s[k], &told[k][i], &jobs[i], 0));
        }
    }
    for (size_t k = 0; k < SCHEDULERS; k++) {
        for (size_t i = 0; i < JOBS; i++) {
            wait_for(&told[k][i]);
            assert_int_equal(told[k][i].err[0], VB_OK);
        }
        assert_empty(s[k]);
    }
    for (size_t k = 0; k < SCHEDULERS; k++) {
        vb_scheduler_close(s[k]);
    }
    vb_scheduler_turn_close(turn);
    for (size_t i = 0; i < JOBS; i++) {
        free_job(&jobs[i]);
    }
}

static atomic_size_t n_long;

static void count_long(listener *l, size_t choice) {
    (void)l;
    (void)choice;
    atomic_fetch_add(&n_long, 1);
}

/* A short answer of one model takes as many passes of another's long one as it has itself, and not
 * the whole of it; and a scheduler that is closed gives the turn back. */
static void nobody_starves(void **state) {
    (void)state;
    static job endless, brief;
    static listener of_endless, of_brief;
    vb_scheduler_turn *turn;
    must(vb_scheduler_turn_open(&turn, &e));
    make_plain(&endless, 4, CTX - 4, 1);
    make_plain(&brief, 4, 16, 2);
    vb_scheduler *busy = open_with(turn), *other = open_with(turn);
    of_endless.each_token = count_long;
    must(submit(busy, &of_endless, &endless, 0));
    while (atomic_load(&n_long) < 8) {
        sleep_us(100);
    }
    const size_t before = atomic_load(&n_long);
    must(submit(other, &of_brief, &brief, 0));
    wait_for(&of_brief);
    assert_int_equal(of_brief.err[0], VB_OK);
    const size_t meanwhile = atomic_load(&n_long) - before;
    print_message("%zu tokens of the other meanwhile\n", meanwhile);
    assert_false(atomic_load(&of_endless.done));
    vb_scheduler_close(busy);
    assert_int_equal(of_endless.err[0], VB_ECANCELLED);
    static listener again;
    must(submit(other, &again, &brief, 0));
    wait_for(&again);
    assert_int_equal(again.err[0], VB_OK);
    vb_scheduler_close(other);
    vb_scheduler_turn_close(turn);
    free_job(&endless);
    free_job(&brief);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_at_a_time),
        cmocka_unit_test(answers_as_alone),
        cmocka_unit_test(nobody_starves),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
