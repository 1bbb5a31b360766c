/*
 * Drafts change no bit: answers with them have the tokens, text, trace and pieces of text of those
 * made a token a pass, whatever the sampling, stops, constraint, room or end. Each test also counts
 * that there were drafts, and that some were right and some wrong.
 */
#include "unit/engine/scheduler_jobs.h"

#include "grammar/grammar.h"
#include "json/json.h"

/* Kernels are not optimised under sanitizers: there each series has one of so many steps. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

enum {
    JOBS = 40,
    STRIDE = SANITIZED ? 7 : 1,
    ENOUGH = SANITIZED ? 5 : 100,
    WRONG = SANITIZED ? 0 : 50 /* of fewer jobs hardly any draft is wrong */
};

static size_t rows_computed; /* by the counted model */
static const vb_kernels *real_kernels;
static vb_model *counted;

static void count_rows(const vb_matrix *m, size_t row, float *out) {
    rows_computed++;
    real_kernels->unpack_row(m, row, out);
}

static int open_counted(void **state) {
    static vb_kernels k;
    setup(state);
    real_kernels = vb_model_kernels(model);
    k = *real_kernels;
    k.unpack_row = count_rows;
    const vb_model_options options = {.kernels = &k, .n_threads = 1};
    must(vb_model_load(gguf, &options, &counted, &e));
    return 0;
}

static int close_counted(void **state) {
    vb_model_close(counted);
    return teardown(state);
}

/* A prompt that says the same thing several times over, with slips. */
static void make_repetitive(job *j, size_t n_prompt, size_t period, uint64_t seed) {
    memset(j, 0, sizeof *j);
    vb_sampling_default(&j->sampling);
    j->sampling.temperature = 0;
    j->n_prompt = n_prompt;
    j->n_choices = 1;
    for (size_t i = 0; i < n_prompt; i++) {
        const bool slip = i < period || vb_test_random(&seed) % 23 == 0;
        j->prompt[i] = slip ? (uint32_t)(vb_test_random(&seed) % 2000) : j->prompt[i - period];
    }
    never_end(&j->sampling);
    j->choices[0] = options_of(j, (uint8_t)seed);
}

/* ---- one answer ---- */

/* What on_text and on_progress were told, in order. */
typedef struct told {
    char text[8192];
    size_t n_text, cuts[2 * CTX], n_cuts, n_progress, stop_at;
} told;

static vb_err hear_text(void *user, const char *text, size_t n_bytes) {
    told *t = user;
    assert_true(t->n_text + n_bytes <= sizeof t->text && t->n_cuts < 2 * CTX);
    memcpy(t->text + t->n_text, text, n_bytes);
    t->n_text += n_bytes;
    t->cuts[t->n_cuts++] = t->n_text;
    return VB_OK;
}

static bool hear_progress(void *user, size_t prompt_done, size_t tokens_done) {
    told *t = user;
    (void)prompt_done;
    t->n_progress++;
    return t->stop_at == 0 || tokens_done < t->stop_at;
}

typedef struct made {
    vb_err err;
    answer a;
    told t;
    vb_generate_stats stats;
    size_t n_rows; /* computed while decoding */
} made;

/* In a session that has room for just this answer. */
static void make_answer(const job *j, size_t batch_tokens, size_t stop_at, bool plain, made *out) {
    const vb_generation_options *options = &j->choices[0];
    const size_t ctx = j->n_prompt + options->tokens_max - 1;
    vb_generation *g;
    vb_session *s;
    vb_workspace *w;
    memset(out, 0, sizeof *out);
    out->t.stop_at = stop_at;
    must(vb_generation_open(options, &g, &e));
    must(vb_session_open(counted, ctx, &s, &e));
    must(vb_workspace_open(counted, batch_tokens, ctx, 1, &w, &e));
    const vb_generate_options o = {
        .model = counted,
        .workspace = w,
        .session = s,
        .batch_tokens = batch_tokens,
        .prompt = j->prompt,
        .n_prompt = j->n_prompt,
        .generation = g,
        .tokens_max = options->tokens_max,
        .no_speculation = plain,
        .on_text = hear_text,
        .on_progress = hear_progress,
        .user = &out->t,
    };
    rows_computed = 0;
    out->err = vb_generate(&o, &out->stats, &e);
    out->n_rows = rows_computed - out->stats.prefill_tokens;
    const uint32_t *tokens = vb_generation_tokens(g, &out->a.n_tokens);
    if (!out->err) {
        assert_int_equal(vb_session_length(s), j->n_prompt + out->a.n_tokens - 1);
    }
    out->a.tokens = malloc((out->a.n_tokens + 1) * sizeof *tokens);
    assert_non_null(out->a.tokens);
    memcpy(out->a.tokens, tokens, out->a.n_tokens * sizeof *tokens);
    vb_generation_ended(g, &out->a.finish);
    vb_generation_trace_root(g, out->a.root);
    vb_workspace_close(w);
    vb_session_close(s);
    vb_generation_close(g);
}

/* Both ways, and what drafts there were. */
static void compare(const job *j, size_t batch_tokens, size_t stop_at, vb_generate_stats *sum) {
    static made plain, drafted;
    make_answer(j, batch_tokens, stop_at, true, &plain);
    make_answer(j, batch_tokens, stop_at, false, &drafted);
    const vb_generate_stats *s = &drafted.stats;
    assert_int_equal(drafted.err, plain.err);
    assert_int_equal(drafted.a.n_tokens, plain.a.n_tokens);
    assert_memory_equal(drafted.a.tokens, plain.a.tokens,
                        plain.a.n_tokens * sizeof plain.a.tokens[0]);
    assert_memory_equal(drafted.a.root, plain.a.root, sizeof plain.a.root);
    assert_int_equal(drafted.a.finish, plain.a.finish);
    assert_int_equal(drafted.t.n_cuts, plain.t.n_cuts);
    assert_memory_equal(drafted.t.cuts, plain.t.cuts, plain.t.n_cuts * sizeof plain.t.cuts[0]);
    assert_int_equal(drafted.t.n_text, plain.t.n_text);
    assert_memory_equal(drafted.t.text, plain.t.text, plain.t.n_text);
    assert_int_equal(drafted.t.n_progress, plain.t.n_progress);
    assert_int_equal(plain.stats.drafted | plain.stats.accepted, 0);
    if (!plain.err) {
        assert_int_equal(plain.stats.decode_passes, plain.a.n_tokens - 1);
        assert_int_equal(s->decode_tokens, plain.a.n_tokens - 1);
        assert_int_equal(s->decode_passes + s->accepted, s->decode_tokens);
        assert_int_equal(drafted.n_rows, s->decode_passes + s->drafted);
    }
    assert_true(s->accepted <= s->drafted);
    sum->drafted += s->drafted;
    sum->accepted += s->accepted;
    sum->decode_passes += s->decode_passes;
    free(plain.a.tokens);
    free(drafted.a.tokens);
}

static void set_sampling(vb_sampling *p, size_t kind) {
    if (kind % 7 == 1) {
        p->temperature = 0.3f;
    } else if (kind % 7 == 2) {
        p->temperature = 0.8f;
        p->top_k = 20;
        p->top_p = 3865470566;
    } else if (kind % 7 == 3) {
        p->temperature = 0.5f;
        p->min_p = 214748365;
        p->repetition_penalty = 1.05f;
    } else if (kind % 7 == 4) {
        p->presence_penalty = 0.5f;
        p->frequency_penalty = -0.2f;
    } else if (kind % 7 == 5) {
        p->temperature = 1.5f;
    }
}

static void test_one_answer(void **state) {
    (void)state;
    static const size_t periods[] = {1, 2, 5, 11, 40, 1000}, lengths[] = {1, 2, 3, 17, 80, 300},
                        batches[] = {512, 64, 3, 2, 1, 512};
    vb_generate_stats sum = {0}, narrow = {0};
    for (size_t i = 0; i < JOBS; i += STRIDE) {
        job j;
        make_repetitive(&j, 1 + i * 17 % 300, periods[i % 6], 100 + i);
        set_sampling(&j.sampling, i);
        j.choices[0].tokens_max = lengths[i * 5 % 6];
        compare(&j, batches[i % 6], 0, batches[i % 6] == 1 ? &narrow : &sum);
    }
    print_message("%zu passes, %zu tokens drafted, %zu right\n", sum.decode_passes, sum.drafted,
                  sum.accepted);
    assert_true(sum.accepted > ENOUGH && sum.drafted > sum.accepted + WRONG);
    assert_int_equal(narrow.drafted, 0); /* a pass of one token has no room for any */
}

/* Stop strings and tokens in the middle of drafts, and an answer that is broken off there. */
static void test_ends_within_drafts(void **state) {
    (void)state;
    vb_generate_stats sum = {0};
    job j;
    made m;
    make_repetitive(&j, 120, 9, 3);
    j.choices[0].tokens_max = 120;
    make_answer(&j, 512, 0, true, &m);
    assert_true(m.t.n_text > 200);
    for (size_t at = 40; at + 6 < m.t.n_text; at += 13 * STRIDE) {
        j.stops[0] = (vb_stop_string){m.t.text + at, 6};
        j.choices[0].stop_strings = j.stops;
        j.choices[0].n_stop_strings = 1;
        compare(&j, 512, 0, &sum);
    }
    j.choices[0].n_stop_strings = 0;
    for (size_t i = 30; i < m.a.n_tokens; i += 7 * STRIDE) {
        j.choices[0].stop_tokens = &m.a.tokens[i];
        j.choices[0].n_stop_tokens = 1;
        compare(&j, 512, 0, &sum);
    }
    j.choices[0].n_stop_tokens = 0;
    for (size_t stop_at = 1; stop_at < 120; stop_at += 2 * STRIDE) {
        compare(&j, 512, stop_at, &sum);
    }
    print_message("%zu tokens drafted, %zu right\n", sum.drafted, sum.accepted);
    assert_true(sum.accepted > ENOUGH / 2 && sum.drafted > sum.accepted);
    free(m.a.tokens);
}

static void test_constraint(void **state) {
    (void)state;
    static const char schema[] =
        "{\"type\":\"json_schema\",\"schema\":{\"type\":\"array\",\"minItems\":6,\"items\":{"
        "\"type\":\"object\",\"properties\":{\"name\":{\"enum\":[\"Ada\",\"Bob\"]},\"active\":{"
        "\"type\":\"boolean\"}},\"required\":[\"name\",\"active\"],\"additionalProperties\":false}"
        "}}";
    vb_generate_stats sum = {0};
    json_t *constraint = NULL;
    vb_grammar *grammar;
    vb_vocabulary *vocabulary;
    must(vb_json_parse_foreign(schema, sizeof schema - 1, sizeof schema, &constraint, &e));
    must(vb_grammar_open(constraint, &grammar, &e));
    must(vb_vocabulary_open(tokenizer, &vocabulary, &e));
    for (uint64_t seed = 0; seed < 8; seed += 1 + STRIDE / 3) {
        job j;
        make_repetitive(&j, 60, 12, seed);
        j.sampling.temperature = (float)(seed % 4) / 2;
        j.sampling.n_bias = 0;
        j.choices[0].grammar = grammar;
        j.choices[0].vocabulary = vocabulary;
        j.choices[0].tokens_max = 200;
        compare(&j, 512, 0, &sum);
    }
    assert_true(sum.accepted > ENOUGH / 2 && sum.drafted > sum.accepted);
    vb_vocabulary_close(vocabulary);
    vb_grammar_close(grammar);
    json_decref(constraint);
}

/* ---- numbers of wrong rows ---- */

static const float *first_row; /* of logits; NULL: not seen yet */
static bool refuses;

static bool refuse_later_rows(const float *x, size_t n) {
    if (n == n_vocab && !first_row) {
        first_row = x;
    }
    return !(n == n_vocab && refuses && x != first_row) && real_kernels->all_finite(x, n);
}

/* Every pass with a draft fails for numbers that are not finite: it is made again without, and the
 * answer is none the worse. */
static void test_failing_drafts(void **state) {
    (void)state;
    vb_kernels k = *real_kernels;
    k.all_finite = refuse_later_rows;
    const vb_model_options options = {.kernels = &k, .n_threads = 1};
    vb_model *hooked, *sound = counted;
    vb_scheduler *s;
    vb_scheduler_stats t;
    vb_generate_stats sum = {0};
    listener l[2] = {{0}, {0}};
    static job j;
    must(vb_model_load(gguf, &options, &hooked, &e));
    make_repetitive(&j, 200, 7, 11);
    j.choices[0].tokens_max = 200;
    expect(&j);
    refuses = true;
    static made m;
    counted = hooked;
    make_answer(&j, 512, 0, false, &m);
    counted = sound;
    assert_int_equal(m.err, VB_OK);
    assert_memory_equal(m.a.root, j.want[0].root, sizeof m.a.root);
    assert_true(m.stats.drafted > 0);
    assert_int_equal(m.stats.accepted, 0);
    free(m.a.tokens);
    compare(&j, 512, 0, &sum);
    assert_true(sum.accepted > 0);

    const vb_scheduler_options o = {.model = hooked,
                                    .n_threads = 1,
                                    .batch_tokens = 64,
                                    .ctx_tokens = CTX,
                                    .kv_bytes = 8 * page_bytes(),
                                    .sequences_max = 1,
                                    .queue_max = 2};
    first_row = NULL;
    must(vb_scheduler_open(&o, &s, &e));
    must(submit(s, &l[0], &j, 0));
    must(submit(s, &l[1], &j, 0));
    wait_for(&l[0]);
    wait_for(&l[1]);
    assert_int_equal(l[0].err[0] | l[1].err[0], VB_OK);
    assert_empty(s);
    vb_scheduler_get_stats(s, &t);
    assert_true(t.drafted > 0);
    assert_int_equal(t.accepted, 0);
    vb_scheduler_close(s);
    refuses = false;
    free_job(&j);
    vb_model_close(hooked);
}

/* ---- the scheduler ---- */

static vb_scheduler *open_scheduler(size_t sequences_max, bool no_speculation) {
    const vb_scheduler_options o = {.model = model,
                                    .n_threads = 1,
                                    .batch_tokens = 64,
                                    .ctx_tokens = CTX,
                                    .kv_bytes = 40 * page_bytes(),
                                    .sequences_max = sequences_max,
                                    .queue_max = 32,
                                    .prefix_cache = true,
                                    .no_speculation = no_speculation};
    vb_scheduler *s;
    must(vb_scheduler_open(&o, &s, &e));
    return s;
}

/* An answer over several pages, which others go on from: what is cached of it is what was drawn. */
static void test_cached_pages(void **state) {
    (void)state;
    static job j, next;
    vb_scheduler *s = open_scheduler(2, false);
    vb_scheduler_stats t;
    make_repetitive(&j, 230, 13, 11);
    set_sampling(&j.sampling, 1);
    j.choices[0].tokens_max = 600;
    expect(&j);
    listener a = {0};
    must(submit(s, &a, &j, 0));
    wait_for(&a);
    assert_int_equal(a.err[0], VB_OK);
    for (size_t n = 1; n < 600; n += 149) {
        listener b = {0};
        make_plain(&next, 1, 1, 1);
        free_job(&next);
        next.n_prompt = j.n_prompt + n;
        memcpy(next.prompt, j.prompt, j.n_prompt * sizeof *j.prompt);
        memcpy(next.prompt + j.n_prompt, j.want[0].tokens, n * sizeof *j.prompt);
        next.choices[0] = options_of(&next, 1);
        expect(&next);
        must(submit(s, &b, &next, 0));
        wait_for(&b);
        assert_int_equal(b.err[0], VB_OK);
        assert_int_equal(b.n_cached, (next.n_prompt - 1) / 256 * 256);
        free_job(&next);
    }
    assert_empty(s);
    vb_scheduler_get_stats(s, &t);
    print_message("%llu tokens drafted, %llu right\n", (unsigned long long)t.drafted,
                  (unsigned long long)t.accepted);
    assert_true(t.accepted > 50 && t.drafted > t.accepted + 20);
    vb_scheduler_close(s);
    free_job(&j);
}

static void cancel_at(listener *l, size_t choice) {
    const size_t *at = l->user;
    if (l->n_tokens[choice] == *at) {
        assert_true(vb_scheduler_cancel(l->s, l->id));
    }
}

/* Cancelled from a callback in the middle of a draft: no token comes after it. */
static void test_cancel_within_drafts(void **state) {
    (void)state;
    static job j;
    vb_scheduler *s = open_scheduler(2, false);
    vb_scheduler_stats t;
    make_repetitive(&j, 200, 7, 11);
    j.choices[0].tokens_max = 200;
    expect(&j);
    for (size_t at = 2; at < 200; at += STRIDE) {
        listener l = {.each_token = cancel_at, .user = &at};
        must(submit(s, &l, &j, 0));
        wait_for(&l);
        assert_int_equal(l.err[0], VB_ECANCELLED);
        assert_int_equal(l.n_tokens[0], at);
    }
    assert_empty(s);
    vb_scheduler_get_stats(s, &t);
    assert_true(t.accepted > 0);
    vb_scheduler_close(s);
    free_job(&j);
}

/* Fewer steps than tokens for one sequence; with many there are no drafts, and without leave none
 * at all. */
static void test_steps(void **state) {
    (void)state;
    static job j;
    static listener many[20];
    uint64_t steps[2];
    make_repetitive(&j, 200, 6, 4);
    j.choices[0].tokens_max = 200;
    expect(&j);
    for (int plain = 0; plain < 2; plain++) {
        vb_scheduler *s = open_scheduler(1, plain);
        vb_scheduler_stats t;
        listener l = {0};
        must(submit(s, &l, &j, 0));
        wait_for(&l);
        assert_int_equal(l.err[0], VB_OK);
        assert_empty(s);
        vb_scheduler_get_stats(s, &t);
        steps[plain] = t.steps;
        assert_int_equal(t.steps + t.accepted, (200 + 63) / 64 + 199);
        assert_true(plain ? t.drafted == 0 : t.accepted > 60);
        vb_scheduler_close(s);
    }
    assert_true(steps[0] < steps[1]);
    vb_scheduler *s = open_scheduler(20, false);
    vb_scheduler_stats t;
    memset(many, 0, sizeof many);
    j.seeds_later = true; /* all begin to decode together */
    for (size_t i = 0; i < 20; i++) {
        must(submit(s, &many[i], &j, 0));
    }
    do {
        sleep_us(100);
        vb_scheduler_get_stats(s, &t);
    } while (t.parked < 20);
    for (size_t i = 0; i < 20; i++) {
        give_seeds(s, &many[i]);
    }
    for (size_t i = 0; i < 20; i++) {
        wait_for(&many[i]);
        assert_int_equal(many[i].err[0], VB_OK);
    }
    assert_empty(s);
    vb_scheduler_get_stats(s, &t);
    assert_true(t.accepted < 20 * 200 / 10);
    vb_scheduler_close(s);
    free_job(&j);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_answer),   cmocka_unit_test(test_ends_within_drafts),
        cmocka_unit_test(test_constraint),   cmocka_unit_test(test_failing_drafts),
        cmocka_unit_test(test_cached_pages), cmocka_unit_test(test_cancel_within_drafts),
        cmocka_unit_test(test_steps),
    };
    return cmocka_run_group_tests(tests, open_counted, close_counted);
}
