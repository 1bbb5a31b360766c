/*
 * The scheduler's claim: whatever else is in flight, each answer has the tokens, the text and the
 * trace that vb_generate gives it alone.
 *
 * ThreadSanitizer does not know what libgomp's threads wait for. Without OpenMP (every loop of a
 * pass is then serial) it sees exactly the scheduler's own threads: CC=clang cmake
 * -DCMAKE_DISABLE_FIND_PACKAGE_OpenMP=ON -DVB_SANITIZE=thread -DVB_WERROR=OFF ...
 */
#include "unit/engine/scheduler_jobs.h"

#include "base/system.h"

/* Kernels are not optimised under sanitizers: there a smaller mixture has to do. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

enum { JOBS = SANITIZED ? 16 : 72, SUBMITTERS = 3, RUNS_MAX = 2 * JOBS, MODES = 10 };

static job jobs[JOBS];
static const vb_stop_string stop_strings[] = {{"e ", 2}, {"the", 3}, {"\n", 1}, {". ", 2}};

/* A prompt that shares a beginning of some length with many others; half of them repeat themselves,
 * with slips. */
static void make_prompt(job *j, uint64_t *seed) {
    static const size_t shared[] = {0, 0, 3, 100, 255, 256, 257, 300, 512, 600, 700};
    static const size_t tails[] = {1, 1, 2, 5, 17, 40, 100};
    const size_t begin = shared[vb_test_random(seed) % 11], tail = tails[vb_test_random(seed) % 7];
    uint64_t common = 7 + vb_test_random(seed) % 2;
    const bool repeats = common == 8;
    j->n_prompt = begin + tail;
    for (size_t i = 0; i < j->n_prompt; i++) {
        j->prompt[i] = (uint32_t)(vb_test_random(i < begin ? &common : seed) % 2000);
        if (repeats && i >= 12 && i % 29 != 0) {
            j->prompt[i] = j->prompt[i - 12];
        }
    }
}

static void make_sampling(vb_sampling *p, uint64_t *seed) {
    const uint64_t kind = vb_test_random(seed) % 8;
    vb_sampling_default(p);
    p->temperature = kind == 0 ? 0 : 0.5f + (float)kind / 4;
    if (kind == 2) {
        p->top_k = 40;
        p->top_p = 3865470566;
    } else if (kind == 3) {
        p->min_p = 214748365;
        p->repetition_penalty = 1.3f;
    } else if (kind == 4) {
        p->presence_penalty = 1;
        p->frequency_penalty = -0.5f;
        p->temperature = 0;
    } else if (kind == 5) {
        for (; p->n_bias < 200; p->n_bias++) {
            p->bias[p->n_bias] = (vb_logit_bias){(uint32_t)(10 * p->n_bias), p->n_bias % 3 - 1.0f};
        }
    }
}

static void make_job(job *j, uint64_t *seed) {
    static const size_t lengths[] = {1, 5, 24, 40, 120, 200};
    static const uint32_t stop_token[] = {198, 13};
    make_prompt(j, seed);
    make_sampling(&j->sampling, seed);
    if (vb_test_random(seed) % 2) {
        never_end(&j->sampling);
    }
    j->n_choices = vb_test_random(seed) % 3 ? 1 : 1 + vb_test_random(seed) % JOB_CHOICES_MAX;
    j->seeds_later = vb_test_random(seed) % 3 == 0;
    const size_t n_stops = vb_test_random(seed) % 2 * (vb_test_random(seed) % 3),
                 first = vb_test_random(seed) % 3;
    for (size_t i = 0; i < n_stops; i++) {
        j->stops[i] = stop_strings[first + i];
    }
    for (size_t i = 0; i < j->n_choices; i++) {
        j->choices[i] = options_of(j, (uint8_t)vb_test_random(seed));
        j->choices[i].tokens_max = lengths[vb_test_random(seed) % 6];
        j->choices[i].stop_strings = j->stops;
        j->choices[i].n_stop_strings = n_stops;
        if (vb_test_random(seed) % 4 == 0) {
            j->choices[i].stop_tokens = stop_token;
            j->choices[i].n_stop_tokens = 2;
        }
    }
}

static int make_jobs(void **state) {
    uint64_t seed = 2026;
    size_t stopped = 0, total = 0, long_ones = 0;
    setup(state);
    for (size_t i = 0; i < JOBS; i++) {
        make_job(&jobs[i], &seed);
        expect(&jobs[i]);
        for (size_t c = 0; c < jobs[i].n_choices; c++) {
            total++;
            stopped += jobs[i].want[c].finish == VB_FINISH_STOP;
            long_ones += jobs[i].want[c].n_tokens > 30;
        }
    }
    /* The jobs are a mixture: else they would prove little. */
    assert_true(SANITIZED || (stopped > 10 && stopped < total - 10 && long_ones > 20));
    return 0;
}

static int free_jobs(void **state) {
    for (size_t i = 0; i < JOBS; i++) {
        free_job(&jobs[i]);
    }
    return teardown(state);
}

/* One mode of running all jobs twice: from several threads, at random times, with some cancelled.
 */
typedef struct mode {
    size_t batch_tokens;
    int n_threads;
    size_t pages, sequences_max;
    bool prefix_cache, no_speculation;
    size_t n_runs;
} mode;

typedef struct submitter {
    pthread_t thread;
    vb_scheduler *s;
    listener *listeners; /* of all runs */
    size_t first, n_runs;
    uint64_t seed;
} submitter;

static void *submit_jobs(void *user) {
    submitter *x = user;
    for (size_t i = x->first; i < x->n_runs; i += SUBMITTERS) {
        listener *l = &x->listeners[i];
        const job *j = &jobs[(i * 29 + x->seed) % JOBS];
        vb_scheduler_request r = request_of(l, j);
        vb_error error;
        sleep_us((unsigned)(vb_test_random(&x->seed) % 1500));
        while (vb_scheduler_submit(x->s, &r, &l->id, &error)) {
            assert_int_equal(error.code, VB_ELIMIT); /* the queue is full */
            sleep_us(500);
        }
        const bool cancel = vb_test_random(&x->seed) % 8 == 0;
        sleep_us((unsigned)(vb_test_random(&x->seed) % 3000));
        if (cancel) {
            vb_scheduler_cancel(x->s, l->id);
        }
        if (j->seeds_later) {
            give_seeds(x->s, l);
        }
    }
    return NULL;
}

/* A cancelled answer is the beginning of what it would have been: on_token and on_text saw to it.
 */
static size_t count_completed(const listener *listeners, size_t n_runs) {
    size_t n = 0;
    for (size_t i = 0; i < n_runs; i++) {
        const listener *l = &listeners[i];
        assert_true(atomic_load(&l->done));
        for (size_t c = 0; c < l->j->n_choices; c++) {
            if (l->err[c]) {
                assert_int_equal(l->err[c], VB_ECANCELLED);
                assert_string_equal(l->why[c], "the request was cancelled");
            }
        }
        n += l->err[0] == VB_OK;
    }
    return n;
}

static void run_mode(const mode *m, uint64_t seed) {
    const vb_scheduler_options o = {
        .model = model,
        .n_threads = m->n_threads,
        .batch_tokens = m->batch_tokens,
        .ctx_tokens = CTX,
        .kv_bytes = m->pages * page_bytes(),
        .sequences_max = m->sequences_max,
        .queue_max = 8,
        .prefix_cache = m->prefix_cache,
        .no_speculation = m->no_speculation,
    };
    static listener listeners[RUNS_MAX];
    submitter submitters[SUBMITTERS];
    vb_scheduler *s;
    vb_scheduler_stats t;
    memset(listeners, 0, sizeof listeners);
    must(vb_scheduler_open(&o, &s, &e));
    for (size_t i = 0; i < SUBMITTERS; i++) {
        submitters[i] = (submitter){0, s, listeners, i, m->n_runs, seed};
        assert_int_equal(pthread_create(&submitters[i].thread, NULL, submit_jobs, &submitters[i]),
                         0);
    }
    for (size_t i = 0; i < SUBMITTERS; i++) {
        pthread_join(submitters[i].thread, NULL);
    }
    assert_empty(s);
    assert_true(count_completed(listeners, m->n_runs) >= m->n_runs * 3 / 4);
    vb_scheduler_get_stats(s, &t);
    assert_int_equal(t.requests, m->n_runs);
    uint64_t drawn = 0;
    for (size_t i = 0; i < m->n_runs; i++) {
        for (size_t c = 0; c < JOB_CHOICES_MAX; c++) {
            drawn += listeners[i].n_tokens[c];
        }
    }
    assert_int_equal(t.tokens, drawn);
    assert_true(m->prefix_cache ? t.prompt_tokens_cached > 0 && t.pages_cached > 0
                                : t.prompt_tokens_cached == 0 && t.pages_cached == 0);
    const bool drafts = !m->no_speculation && m->batch_tokens > 1;
    assert_true(drafts ? t.accepted > 0 && t.drafted > t.accepted : t.drafted == 0);
    print_message("batch %zu, %d threads, %zu pages, cache %s: %llu steps, %llu of %llu prompt "
                  "tokens cached, %llu of %llu drafted tokens right\n",
                  m->batch_tokens, m->n_threads, m->pages, m->prefix_cache ? "on" : "off",
                  (unsigned long long)t.steps, (unsigned long long)t.prompt_tokens_cached,
                  (unsigned long long)t.prompt_tokens, (unsigned long long)t.accepted,
                  (unsigned long long)t.drafted);
    vb_scheduler_close(s);
}

/* 16 pages are what one request of four choices may take: tight. */
static void test_same_bits(void **state) {
    (void)state;
    static const mode modes[MODES] = {
        {64, 1, 200, 32, true, false, RUNS_MAX}, {512, 2, 200, 64, true, false, RUNS_MAX},
        {7, 1, 16, 8, true, false, RUNS_MAX},    {64, 2, 16, 32, false, false, JOBS},
        {512, 1, 24, 4, true, false, RUNS_MAX},  {7, 3, 60, 16, false, false, JOBS / 2},
        {1, 1, 40, 16, true, false, JOBS},       {1, 2, 16, 4, false, false, JOBS / 4},
        {64, 3, 40, 32, true, true, JOBS / 2},   {512, 1, 200, 4, false, false, RUNS_MAX},
    };
    for (size_t i = 0; i < (SANITIZED ? 3 : MODES); i++) {
        run_mode(&modes[i], 100 + i);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_bits),
    };
    return cmocka_run_group_tests(tests, make_jobs, free_jobs);
}
