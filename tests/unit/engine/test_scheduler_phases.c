/*
 * What happens to a request in each phase of its life: fair shares of the steps, cancelling,
 * deadlines, limits, errors of its own, the end of the scheduler.
 */
#include "unit/engine/scheduler_jobs.h"

#include "base/system.h"

enum { POISON = 1999 }; /* a token whose embedding is not finite in the test of failing passes */

static job driver, long_prompt, target;

static int make_jobs(void **state) {
    setup(state);
    make_plain(&driver, 20, 400, 1);
    make_plain(&long_prompt, 900, 4, 2);
    make_plain(&target, 300, 60, 3);
    return 0;
}

static int free_jobs(void **state) {
    free_job(&driver);
    free_job(&long_prompt);
    free_job(&target);
    return teardown(state);
}

static vb_scheduler_options options_with(size_t batch_tokens, size_t sequences_max) {
    return (vb_scheduler_options){
        .model = model,
        .n_threads = 1,
        .batch_tokens = batch_tokens,
        .ctx_tokens = CTX,
        .kv_bytes = 40 * page_bytes(),
        .sequences_max = sequences_max,
        .queue_max = 4,
        .prefix_cache = true,
    };
}

static vb_scheduler *open_with(size_t batch_tokens, size_t sequences_max) {
    const vb_scheduler_options o = options_with(batch_tokens, sequences_max);
    vb_scheduler *s = NULL;
    must(vb_scheduler_open(&o, &s, &e));
    return s;
}

static vb_scheduler_stats stats_of(vb_scheduler *s) {
    vb_scheduler_stats t;
    vb_scheduler_get_stats(s, &t);
    return t;
}

static void close_empty(vb_scheduler *s) {
    assert_empty(s);
    vb_scheduler_close(s);
}

/* ---- fair shares ---- */

/* The steps that had been made when each token came, and whether a prompt was being computed. */
typedef struct pace {
    uint64_t last_step, longest_gap;
    size_t beside_prompt;
} pace;

static void keep_pace(listener *l, size_t choice) {
    const vb_scheduler_stats t = stats_of(l->s);
    pace *p = l->user;
    if (l->n_tokens[choice] > 2 && t.steps - p->last_step > p->longest_gap) {
        p->longest_gap = t.steps - p->last_step;
    }
    p->last_step = t.steps;
    p->beside_prompt += t.prefilling > 0;
}

static void test_decoding_is_not_stalled(void **state) {
    (void)state;
    vb_scheduler *s = open_with(32, 8);
    pace p = {0};
    listener a = {.each_token = keep_pace, .user = &p}, b = {0}, c = {0};
    must(submit(s, &a, &driver, 0));
    while (stats_of(s).running == 0) {
        sleep_us(100);
    }
    must(submit(s, &b, &long_prompt, 0));
    must(submit(s, &c, &target, 0));
    wait_for(&a);
    wait_for(&b);
    wait_for(&c);
    assert_int_equal(a.err[0] | b.err[0] | c.err[0], VB_OK);
    assert_int_equal(p.longest_gap, 1); /* a token in every step */
    assert_true(p.beside_prompt >= 900 / 32);
    close_empty(s);
}

/* A listener whose token ends the wait of others. */
static void note_first_token(listener *l, size_t choice) {
    (void)choice;
    uint64_t *step = l->user;
    *step = *step ? *step : stats_of(l->s).steps;
}

/* Prompts have turns: the second one does not wait for all of the first. */
static void test_prompts_take_turns(void **state) {
    (void)state;
    vb_scheduler *s = open_with(16, 8);
    uint64_t step_of_long = 0, step_of_short = 0;
    listener a = {.each_token = note_first_token, .user = &step_of_long};
    listener b = {.each_token = note_first_token, .user = &step_of_short};
    must(submit(s, &a, &long_prompt, 0));
    while (stats_of(s).steps < 3) {
        sleep_us(50);
    }
    must(submit(s, &b, &driver, 0));
    wait_for(&a);
    wait_for(&b);
    assert_true(step_of_short < step_of_long);
    close_empty(s);
}

/* Decoding alone fills every step: prompts still move, and nobody waits for more than a few. */
static void test_full_steps(void **state) {
    (void)state;
    for (size_t batch = 1; batch <= 2; batch++) {
        vb_scheduler *s = open_with(batch, 8);
        pace p[2] = {{0}, {0}};
        uint64_t first = 0;
        listener a = {.each_token = keep_pace, .user = &p[0]};
        listener b = {.each_token = keep_pace, .user = &p[1]};
        listener c = {.each_token = note_first_token, .user = &first};
        must(submit(s, &a, &driver, 0));
        must(submit(s, &b, &driver, 0));
        while (stats_of(s).running < 2) {
            sleep_us(100);
        }
        const uint64_t from = stats_of(s).steps;
        must(submit(s, &c, &target, 0)); /* 300 tokens; the others have 400 to go */
        while (stats_of(s).prefilling == 0) {
            sleep_us(50);
        }
        vb_scheduler_cancel(s, b.id);
        wait_for(&a);
        wait_for(&b);
        wait_for(&c);
        assert_int_equal(c.err[0], VB_OK);
        assert_true(first > from);
        assert_true(p[0].longest_gap <= 4);
        assert_true(p[0].beside_prompt > 10);
        close_empty(s);
    }
}

/* ---- cancelling and deadlines ---- */

/* While a driver decodes, cancels a target that has come to some phase. */
typedef struct trap {
    listener *target;
    enum { QUEUED, PROMPT, PARKED } phase;
    bool sprung;
} trap;

static void spring(listener *l, size_t choice) {
    trap *t = l->user;
    const vb_scheduler_stats now = stats_of(l->s);
    const bool there = t->phase == QUEUED   ? now.waiting == 1
                       : t->phase == PROMPT ? now.prefilling == 1
                                            : now.parked == 1;
    if (!t->sprung && there && l->n_tokens[choice] > 2) { /* its own phases are over */
        t->sprung = true;
        assert_true(vb_scheduler_cancel(l->s, t->target->id));
    }
}

static void cancel_itself(listener *l, size_t choice) {
    if (l->n_tokens[choice] == 5) {
        assert_true(vb_scheduler_cancel(l->s, l->id));
    }
}

static void test_cancel_in_each_phase(void **state) {
    (void)state;
    for (int phase = QUEUED; phase <= PARKED; phase++) {
        vb_scheduler *s = open_with(phase == PROMPT ? 4 : 64, phase == QUEUED ? 1 : 2);
        job j = target;
        j.seeds_later = phase == PARKED;
        listener b = {0};
        trap t = {&b, phase, false};
        listener a = {.each_token = spring, .user = &t};
        must(submit(s, &a, &driver, 0));
        while (stats_of(s).running == 0) {
            sleep_us(100);
        }
        must(submit(s, &b, &j, 0));
        wait_for(&b);
        assert_true(t.sprung);
        assert_int_equal(b.err[0], VB_ECANCELLED);
        assert_string_equal(b.why[0], "the request was cancelled");
        assert_int_equal(b.had_generation[0], phase != QUEUED);
        assert_int_equal(b.n_tokens[0], 0);
        wait_for(&a);
        assert_int_equal(a.err[0], VB_OK);
        assert_empty(s);
        assert_false(vb_scheduler_cancel(s, b.id)); /* it is not there any more */
        vb_scheduler_close(s);
    }
    vb_scheduler *s = open_with(64, 2);
    listener c = {.each_token = cancel_itself};
    must(submit(s, &c, &driver, 0));
    wait_for(&c);
    assert_int_equal(c.err[0], VB_ECANCELLED);
    assert_int_equal(c.n_tokens[0], 5);
    close_empty(s);
}

static void take_time(listener *l, size_t choice) {
    (void)l;
    (void)choice;
    sleep_us(2000);
}

static void test_deadline_in_each_phase(void **state) {
    (void)state;
    enum { DECODING = PARKED + 1 };
    for (int phase = QUEUED; phase <= DECODING; phase++) {
        vb_scheduler *s = open_with(phase == PROMPT ? 2 : 64, phase == QUEUED ? 1 : 2);
        job j = phase == DECODING ? driver : target;
        j.seeds_later = phase == PARKED;
        listener a = {.each_token = take_time}, b = {.each_token = take_time};
        if (phase != PARKED) { /* there the thread sleeps: the deadline must wake it */
            must(submit(s, &a, &driver, 0));
            while (stats_of(s).running == 0) {
                sleep_us(100);
            }
        }
        must(submit(s, &b, &j, 100));
        wait_for(&b);
        assert_int_equal(b.err[0], VB_ECANCELLED);
        assert_string_equal(b.why[0], "the deadline of 100 ms has passed");
        assert_int_equal(b.had_generation[0], phase != QUEUED);
        vb_scheduler_cancel(s, a.id);
        close_empty(s);
    }
}

/* ---- seeds ---- */

static void test_parked(void **state) {
    (void)state;
    static const uint8_t seeds[1][SEED_BYTES] = {{1, 1}};
    vb_scheduler *s = open_with(64, 2);
    job j = target;
    listener a = {0}, b = {0};
    j.seeds_later = true;
    must(submit(s, &a, &j, 0));
    while (stats_of(s).parked == 0) {
        sleep_us(100);
    }
    const uint64_t steps = stats_of(s).steps;
    sleep_us(5000);
    assert_int_equal(stats_of(s).steps, steps); /* the thread sleeps */
    assert_int_equal(a.n_tokens[0], 0);
    assert_true(vb_scheduler_set_seeds(s, a.id, seeds));
    assert_false(vb_scheduler_set_seeds(s, a.id, seeds)); /* once */
    wait_for(&a);
    assert_int_equal(a.err[0], VB_OK);
    assert_false(vb_scheduler_set_seeds(s, a.id, seeds));
    /* Known at once: set before the prompt is computed. */
    must(submit(s, &b, &j, 0));
    vb_scheduler_set_seeds(s, b.id, seeds);
    wait_for(&b);
    assert_int_equal(b.err[0], VB_OK);
    assert_int_equal(b.n_cached, 256);
    close_empty(s);
}

/* ---- limits ---- */

static void test_queue_is_full(void **state) {
    (void)state;
    vb_scheduler *s = open_with(64, 1);
    job parked = target;
    listener l[6] = {{0}};
    parked.seeds_later = true;
    must(submit(s, &l[0], &parked, 0));
    while (stats_of(s).parked == 0) {
        sleep_us(100);
    }
    for (size_t i = 1; i <= 4; i++) {
        must(submit(s, &l[i], &target, 0));
    }
    assert_int_equal(stats_of(s).waiting, 4);
    assert_int_equal(submit(s, &l[5], &target, 0), VB_ELIMIT);
    assert_string_equal(e.msg, "queue full: 4 requests wait");
    assert_int_equal(stats_of(s).requests_refused, 1);
    /* The last two in the queue go; the first three are answered in turn. */
    assert_true(vb_scheduler_cancel(s, l[4].id) && vb_scheduler_cancel(s, l[3].id));
    wait_for(&l[3]);
    wait_for(&l[4]);
    must(submit(s, &l[5], &target, 0)); /* the end of the queue is where it should be */
    give_seeds(s, &l[0]);
    for (size_t i = 0; i < 6; i++) {
        wait_for(&l[i]);
        assert_int_equal(l[i].err[0], i == 3 || i == 4 ? VB_ECANCELLED : VB_OK);
    }
    close_empty(s);
}

static void assert_refused(vb_scheduler *s, const job *j, const char *why) {
    listener l = {0};
    assert_int_equal(submit(s, &l, j, 0), VB_EINVAL);
    assert_non_null(strstr(e.msg, why));
    assert_false(atomic_load(&l.done));
}

static void test_what_can_not_run(void **state) {
    (void)state;
    vb_scheduler *s = open_with(64, 2);
    job j = target;
    j.n_choices = 3;
    for (size_t i = 1; i < 3; i++) {
        j.choices[i] = j.choices[0];
    }
    assert_refused(s, &j, "n_choices is 3: expected 1 to 2");
    j.n_choices = 0;
    assert_refused(s, &j, "n_choices is 0");
    j = target;
    j.choices[0].tokens_max = CTX - j.n_prompt + 1;
    assert_refused(s, &j, "together at most the context, 1024");
    j.choices[0].tokens_max = 0;
    assert_refused(s, &j, "at least one of each");
    j = target;
    j.choices[0].n_stop_tokens = VB_STOP_TOKENS_MAX + 1;
    assert_refused(s, &j, "stop tokens");
    j = target;
    j.choices[0].prompt = j.prompt;
    j.prompt[7] = (uint32_t)n_vocab;
    assert_refused(s, &j, "prompt token 7 is 2304");
    vb_sampling wrong = target.sampling;
    wrong.temperature = -1;
    j = target;
    j.choices[0].sampling = &wrong;
    assert_refused(s, &j, "temperature");
    close_empty(s);

    vb_scheduler_options o = options_with(64, 4);
    o.kv_bytes = 3 * page_bytes();
    must(vb_scheduler_open(&o, &s, &e));
    j = target; /* 359 tokens: a shared page, and one each */
    j.n_choices = 3;
    for (size_t i = 1; i < 3; i++) {
        j.choices[i] = j.choices[0];
    }
    assert_refused(s, &j, "4 pages of 256 tokens in the KV cache, which has 3");
    close_empty(s);
}

static void test_options(void **state) {
    (void)state;
    static const struct {
        size_t batch, ctx, sequences, queue;
        int threads;
        const char *why;
    } cases[] = {
        {0, CTX, 1, 1, 1, "batch_tokens is 0"},
        {513, CTX, 1, 1, 1, "batch_tokens is 513: expected 1 to 512"},
        {1, 0, 1, 1, 1, "ctx_tokens is 0"},
        {1, CTX + 1, 1, 1, 1, "ctx_tokens is 1025: expected 1 to 1024"},
        {1, CTX, 0, 1, 1, "sequences_max is 0"},
        {1, CTX, VB_SEQUENCES_MAX + 1, 1, 1, "sequences_max"},
        {1, CTX, 1, 0, 1, "queue_max is 0"},
        {1, CTX, 1, VB_QUEUE_MAX + 1, 1, "queue_max"},
        {1, CTX, 1, 1, 0, "n_threads is 0"},
    };
    vb_scheduler *s = NULL;
    vb_scheduler_options o;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        o = options_with(cases[i].batch, cases[i].sequences);
        o.ctx_tokens = cases[i].ctx;
        o.queue_max = cases[i].queue;
        o.n_threads = cases[i].threads;
        assert_int_equal(vb_scheduler_open(&o, &s, &e), VB_EINVAL);
        assert_non_null(strstr(e.msg, cases[i].why));
    }
    o = options_with(1, 1);
    o.kv_bytes = page_bytes() - 1;
    assert_int_equal(vb_scheduler_open(&o, &s, &e), VB_EINVAL);
    assert_non_null(strstr(e.msg, "at least one page"));
    assert_null(s);
}

/* Choices share the prompt's pages: while three decode, the shared page counts once. */
static void look_at_pages(listener *l, size_t choice) {
    const vb_scheduler_stats t = stats_of(l->s);
    size_t *most = l->user;
    (void)choice;
    *most = t.pages_used > *most ? t.pages_used : *most;
}

static void test_choices_share_pages(void **state) {
    (void)state;
    for (size_t n_prompt = 256; n_prompt <= 300; n_prompt += 44) {
        vb_scheduler *s = open_with(64, 4);
        job j;
        size_t most = 0;
        listener l = {.each_token = look_at_pages, .user = &most};
        make_plain(&j, n_prompt, 30, 5);
        free_job(&j);
        j.sampling.temperature = 1.5f;
        j.n_choices = 3;
        for (size_t i = 0; i < 3; i++) {
            j.choices[i] = options_of(&j, (uint8_t)(40 + i));
        }
        expect(&j);
        assert_true(memcmp(j.want[0].root, j.want[1].root, 32) != 0);
        must(submit(s, &l, &j, 0));
        wait_for(&l);
        for (size_t i = 0; i < 3; i++) {
            assert_int_equal(l.err[i], VB_OK);
        }
        assert_int_equal(most, 4);
        close_empty(s);
        free_job(&j);
    }
}

/* ---- errors of one sequence ---- */

/* A draw that fails, in the middle of others' answers and beside another choice of its request. */
static void test_failing_draw(void **state) {
    (void)state;
    vb_scheduler *s = open_with(64, 8);
    job j = target;
    vb_sampling wild = target.sampling;
    listener a = {0}, b = {0}, c = {0};
    wild.repetition_penalty = 1e-40f;
    j.n_choices = 2;
    j.choices[0].sampling = &wild;
    j.choices[1] = target.choices[0];
    j.want[1] = target.want[0];
    must(submit(s, &a, &driver, 0));
    must(submit(s, &b, &j, 0));
    must(submit(s, &c, &target, 0));
    wait_for(&a);
    wait_for(&b);
    wait_for(&c);
    assert_int_equal(b.err[0], VB_ENONFINITE);
    assert_int_equal(a.err[0] | b.err[1] | c.err[0], VB_OK);
    close_empty(s);
}

static const vb_kernels *real_kernels;

static void unpack_poison(const vb_matrix *m, size_t row, float *out) {
    real_kernels->unpack_row(m, row, out);
    if (row == POISON) {
        out[3] = (float)(1e300 * 1e300);
    }
}

/* Passes that fail: the sequences whose token it is end, one while its prompt is computed, one when
 * it has drawn the token; all others go on as if nothing had been. */
static void test_failing_pass(void **state) {
    (void)state;
    vb_kernels k = *vb_model_kernels(model);
    vb_model_options options = {.kernels = &k, .n_threads = 1};
    vb_model *poisoned;
    real_kernels = vb_model_kernels(model);
    k.unpack_row = unpack_poison;
    must(vb_model_load(gguf, &options, &poisoned, &e));
    vb_scheduler_options o = options_with(64, 8);
    o.model = poisoned;
    vb_scheduler *s;
    must(vb_scheduler_open(&o, &s, &e));

    job in_prompt = long_prompt, in_answer;
    vb_sampling wants_poison = target.sampling;
    in_prompt.prompt[500] = POISON;
    in_prompt.choices[0].prompt = in_prompt.prompt;
    make_plain(&in_answer, 30, 10, 9);
    free_job(&in_answer);
    wants_poison.bias[0] = (vb_logit_bias){POISON, 100};
    wants_poison.n_bias = 1;
    in_answer.choices[0].prompt = in_answer.prompt;
    in_answer.choices[0].sampling = &wants_poison;
    expect(&in_answer); /* the sound model goes on after it */
    assert_int_equal(in_answer.want[0].tokens[0], POISON);
    assert_true(in_answer.want[0].n_tokens > 1);

    listener a = {0}, b = {0}, c = {0}, d = {0};
    must(submit(s, &a, &driver, 0));
    must(submit(s, &b, &in_prompt, 0));
    must(submit(s, &c, &in_answer, 0));
    must(submit(s, &d, &target, 0));
    wait_for(&a);
    wait_for(&b);
    wait_for(&c);
    wait_for(&d);
    assert_int_equal(b.err[0], VB_ENONFINITE);
    assert_non_null(strstr(b.why[0], "position 500"));
    assert_int_equal(b.n_tokens[0], 0);
    assert_int_equal(c.err[0], VB_ENONFINITE);
    assert_non_null(strstr(c.why[0], "position 30"));
    assert_int_equal(c.n_tokens[0], 1);
    assert_int_equal(a.err[0] | d.err[0], VB_OK);
    close_empty(s);
    free_job(&in_answer);
    vb_model_close(poisoned);
}

static size_t rows_seen, row_to_learn; /* of logits; 0: none to learn */
static float learnt[4];
static bool armed;

static bool refuse_learnt(const float *x, size_t n) {
    if (n == n_vocab && ++rows_seen == row_to_learn) {
        memcpy(learnt, x, sizeof learnt);
    }
    if (n == n_vocab && armed && memcmp(learnt, x, sizeof learnt) == 0) {
        return false;
    }
    return real_kernels->all_finite(x, n);
}

/* A pass that fails at its last logits, when most of its sequences have drawn: none of them draws
 * again when it is repeated. */
static void test_failing_after_draws(void **state) {
    (void)state;
    enum { OTHERS = 70 }; /* logits come 64 rows at a time */
    static listener others[OTHERS];
    vb_kernels k = *vb_model_kernels(model);
    vb_model_options options = {.kernels = &k, .n_threads = 1};
    vb_model *hooked;
    vb_scheduler *s;
    listener a = {0}, b = {0};
    memset(others, 0, sizeof others);
    real_kernels = vb_model_kernels(model);
    k.all_finite = refuse_learnt;
    must(vb_model_load(gguf, &options, &hooked, &e));
    vb_scheduler_options o = options_with(128, OTHERS + 1);
    o.model = hooked;
    o.kv_bytes = (2 * OTHERS + 2) * page_bytes();
    o.queue_max = OTHERS + 1;
    must(vb_scheduler_open(&o, &s, &e));
    rows_seen = 0;
    row_to_learn = 6;
    must(submit(s, &a, &target, 0));
    wait_for(&a);
    row_to_learn = 0;
    armed = true;
    for (size_t i = 0; i < OTHERS; i++) {
        must(submit(s, &others[i], &driver, 0));
    }
    while (stats_of(s).running < OTHERS) {
        sleep_us(100);
    }
    must(submit(s, &b, &target, 0));
    wait_for(&b);
    assert_int_equal(b.err[0], VB_ENONFINITE);
    assert_int_equal(b.n_tokens[0], 5);
    for (size_t i = 0; i < OTHERS; i++) {
        wait_for(&others[i]);
        assert_int_equal(others[i].err[0], VB_OK);
    }
    armed = false;
    close_empty(s);
    vb_model_close(hooked);
}

/* ---- the end ---- */

static void test_drain(void **state) {
    (void)state;
    vb_scheduler *s = open_with(64, 2);
    listener l[4] = {{0}};
    for (size_t i = 0; i < 3; i++) {
        must(submit(s, &l[i], &target, 0));
    }
    must(vb_scheduler_drain(s, 60000, &e));
    for (size_t i = 0; i < 3; i++) {
        assert_true(atomic_load(&l[i].done));
        assert_int_equal(l[i].err[0], VB_OK);
    }
    assert_int_equal(submit(s, &l[3], &target, 0), VB_ECANCELLED);
    must(vb_scheduler_drain(s, 0, &e));
    vb_scheduler_close(s);
}

/* A time that is not enough: queued, parked and decoding requests all end. */
static void test_bounded_drain(void **state) {
    (void)state;
    vb_scheduler *s = open_with(64, 2);
    job parked = target;
    listener a = {.each_token = take_time}, b = {0}, c = {0};
    parked.seeds_later = true;
    must(submit(s, &a, &driver, 0));
    must(submit(s, &b, &parked, 0));
    must(submit(s, &c, &target, 0));
    while (stats_of(s).running == 0 || stats_of(s).parked == 0) {
        sleep_us(100);
    }
    assert_int_equal(vb_scheduler_drain(s, 20, &e), VB_ECANCELLED);
    assert_string_equal(e.msg, "3 requests were stopped after 20 ms");
    assert_true(atomic_load(&a.done) && atomic_load(&b.done) && atomic_load(&c.done));
    assert_int_equal(a.err[0], VB_ECANCELLED);
    assert_non_null(strstr(b.why[0], "no more answers are given"));
    assert_false(c.had_generation[0]);
    vb_scheduler_close(s);
}

/* Closing with requests in every phase ends them, and leaves no page in use (the pool asserts). */
static void test_close(void **state) {
    (void)state;
    vb_scheduler *s = open_with(8, 2);
    job parked = driver;
    listener a = {0}, b = {0}, c = {0};
    parked.seeds_later = true;
    must(submit(s, &a, &parked, 0));
    must(submit(s, &b, &long_prompt, 0));
    must(submit(s, &c, &target, 0));
    while (stats_of(s).parked == 0) {
        sleep_us(100);
    }
    vb_scheduler_close(s);
    assert_true(atomic_load(&a.done) && atomic_load(&b.done) && atomic_load(&c.done));
    assert_int_equal(a.err[0], VB_ECANCELLED);
    vb_scheduler_close(NULL);
}

/* A callback may submit, and what it submits is answered. */
static void submit_another(listener *l, size_t choice) {
    if (l->n_tokens[choice] == 3) {
        must(submit(l->s, l->user, &target, 0));
    }
}

static void test_submit_from_callback(void **state) {
    (void)state;
    vb_scheduler *s = open_with(64, 4);
    listener b = {0}, a = {.each_token = submit_another, .user = &b};
    must(submit(s, &a, &driver, 0));
    wait_for(&a);
    wait_for(&b);
    assert_int_equal(a.err[0] | b.err[0], VB_OK);
    close_empty(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decoding_is_not_stalled),
        cmocka_unit_test(test_prompts_take_turns),
        cmocka_unit_test(test_full_steps),
        cmocka_unit_test(test_cancel_in_each_phase),
        cmocka_unit_test(test_deadline_in_each_phase),
        cmocka_unit_test(test_parked),
        cmocka_unit_test(test_queue_is_full),
        cmocka_unit_test(test_what_can_not_run),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_choices_share_pages),
        cmocka_unit_test(test_failing_draw),
        cmocka_unit_test(test_failing_pass),
        cmocka_unit_test(test_failing_after_draws),
        cmocka_unit_test(test_drain),
        cmocka_unit_test(test_bounded_drain),
        cmocka_unit_test(test_close),
        cmocka_unit_test(test_submit_from_callback),
    };
    return cmocka_run_group_tests(tests, make_jobs, free_jobs);
}
