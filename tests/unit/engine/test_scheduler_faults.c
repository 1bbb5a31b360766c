/*
 * Each allocation of the scheduler fails in turn, from its opening to its last answer: what can not
 * be had ends one choice, or one request, with VB_ENOMEM. All else is answered as ever, and no page
 * is lost (closing asserts it). The same for one answer alone.
 */
#include "unit/engine/scheduler_jobs.h"

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__real_mmap(void *at, size_t n, int prot, int flags, int fd, long offset);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_mmap(void *at, size_t n, int prot, int flags, int fd, long offset);

static atomic_long until_failure = -1; /* allocations that still succeed; below 0: all */

static bool fails_now(void) {
    return atomic_load(&until_failure) >= 0 && atomic_fetch_sub(&until_failure, 1) == 0;
}

void *__wrap_malloc(size_t n) {
    return fails_now() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size) {
    return fails_now() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n) {
    return fails_now() ? NULL : __real_realloc(p, n);
}

void *__wrap_mmap(void *at, size_t n, int prot, int flags, int fd, long offset) {
    return fails_now() ? (void *)-1 : __real_mmap(at, n, prot, flags, fd, offset);
}

static job pair, single;

static int make_jobs(void **state) {
    setup(state);
    make_plain(&single, 40, 12, 1);
    make_plain(&pair, 300, 12, 2);
    free_job(&pair);
    pair.sampling.temperature = 1;
    pair.n_choices = 2;
    pair.stops[0] = (vb_stop_string){"zzzz", 4};
    for (size_t i = 0; i < 2; i++) {
        pair.choices[i] = options_of(&pair, (uint8_t)i);
        pair.choices[i].tokens_max = 12;
        pair.choices[i].stop_strings = pair.stops;
        pair.choices[i].n_stop_strings = 1;
    }
    expect(&pair);
    return 0;
}

static int free_jobs(void **state) {
    free_job(&single);
    free_job(&pair);
    return teardown(state);
}

/* How many choices ended with VB_ENOMEM. */
static size_t count_failed(const listener *l) {
    size_t n = 0;
    for (size_t i = 0; i < l->j->n_choices; i++) {
        assert_true(l->err[i] == VB_OK || l->err[i] == VB_ENOMEM);
        n += l->err[i] == VB_ENOMEM;
    }
    return n;
}

/* Two requests with the nth allocation failing; true when none failed. */
static bool answer_with_failure(long nth, size_t *n_ended_alone) {
    const vb_scheduler_options o = {
        .model = model,
        .n_threads = 1,
        .batch_tokens = 64,
        .ctx_tokens = 400,
        .kv_bytes = 8 * page_bytes(),
        .sequences_max = 4,
        .queue_max = 4,
        .prefix_cache = true,
    };
    vb_scheduler *s = NULL;
    listener a = {0}, b = {0};
    atomic_store(&until_failure, nth);
    vb_err err = vb_scheduler_open(&o, &s, &e);
    if (!err) {
        const vb_err a_err = submit(s, &a, &pair, 0), b_err = submit(s, &b, &single, 0);
        assert_true(a_err == VB_OK || a_err == VB_ENOMEM);
        assert_true(b_err == VB_OK || (b_err == VB_ENOMEM && !a_err));
        must(vb_scheduler_drain(s, 60000, &e));
        assert_int_equal(atomic_load(&a.done), a_err == VB_OK);
        assert_int_equal(atomic_load(&b.done), b_err == VB_OK);
        const size_t failed = (a_err ? 0 : count_failed(&a)) + (b_err ? 0 : count_failed(&b));
        assert_true(failed <= 2);
        *n_ended_alone += failed == 1 && !b_err && b.err[0] == VB_OK;
    } else {
        assert_int_equal(err, VB_ENOMEM);
    }
    const bool fired = atomic_exchange(&until_failure, -1) < 0;
    vb_scheduler_close(s);
    return !fired;
}

static void test_failed_allocations(void **state) {
    (void)state;
    long n = 0;
    size_t n_ended_alone = 0;
    while (!answer_with_failure(n, &n_ended_alone)) {
        n++;
    }
    assert_true(n > 60);
    /* A choice that could not be forked, or whose text could not grow, beside one that could. */
    assert_true(n_ended_alone > 3);
}

/* One answer with drafts, the nth allocation of its generating failing; true when none failed. */
static bool generate_with_failure(vb_workspace *w, long nth) {
    vb_generation *g;
    vb_session *s;
    vb_generate_stats stats;
    uint8_t root[32];
    must(vb_generation_open(&single.choices[0], &g, &e));
    must(vb_session_open(model, CTX, &s, &e));
    const vb_generate_options o = {
        .model = model,
        .workspace = w,
        .session = s,
        .batch_tokens = 64,
        .prompt = single.prompt,
        .n_prompt = single.n_prompt,
        .generation = g,
    };
    atomic_store(&until_failure, nth);
    const vb_err err = vb_generate(&o, &stats, &e);
    const bool fired = atomic_exchange(&until_failure, -1) < 0;
    assert_int_equal(err, fired ? VB_ENOMEM : VB_OK);
    if (!err) {
        vb_generation_trace_root(g, root);
        assert_memory_equal(root, single.want[0].root, sizeof root);
    }
    vb_session_close(s);
    vb_generation_close(g);
    return !fired;
}

static void test_failed_allocations_alone(void **state) {
    (void)state;
    vb_workspace *w;
    long n = 0;
    must(vb_workspace_open(model, 64, CTX, 1, &w, &e));
    while (!generate_with_failure(w, n)) {
        n++;
    }
    assert_true(n >= 3); /* the lookup's are among them */
    vb_workspace_close(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_failed_allocations),
        cmocka_unit_test(test_failed_allocations_alone),
    };
    return cmocka_run_group_tests(tests, make_jobs, free_jobs);
}
