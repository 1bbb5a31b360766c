/*
 * Requests for the tests of the scheduler, on the shipped model: what each choice must come to,
 * computed alone by vb_generate, and a listener that checks what the scheduler calls back.
 */
#ifndef VB_TESTS_UNIT_ENGINE_SCHEDULER_JOBS_H
#define VB_TESTS_UNIT_ENGINE_SCHEDULER_JOBS_H

#include "support/testing.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/generate.h"
#include "engine/scheduler.h"
#include "model/kv_pool.h"

enum { CTX = 1024, JOB_CHOICES_MAX = 4, SEED_BYTES = 32 };

static vb_gguf *gguf;
static vb_model *model;
static vb_tokenizer *tokenizer;
static size_t n_vocab;
static vb_error e;

static inline void must(vb_err err) {
    if (err) {
        fail_msg("%s: %s", vb_err_name(err), e.msg);
    }
}

static inline int setup(void **state) {
    (void)state;
    vb_model_options options = {.n_threads = 1};
    must(vb_kernels_select(NULL, &options.kernels, &e));
    must(vb_gguf_open(vb_test_source("models/verbatim-demo/verbatim-demo-q8_0.gguf"), &gguf, &e));
    must(vb_tokenizer_open(gguf, &tokenizer, &e));
    must(vb_model_load(gguf, &options, &model, &e));
    n_vocab = vb_model_get_config(model)->n_vocab;
    return 0;
}

static inline int teardown(void **state) {
    (void)state;
    vb_model_close(model);
    vb_tokenizer_close(tokenizer);
    vb_gguf_close(gguf);
    return 0;
}

static inline uint64_t page_bytes(void) {
    return vb_kv_page_bytes(vb_model_get_config(model));
}

/* An answer alone, a token a pass. */
typedef struct answer {
    uint32_t *tokens;
    char *text;
    size_t n_tokens, n_text;
    vb_finish finish;
    uint8_t root[32];
} answer;

typedef struct job {
    uint32_t prompt[CTX];
    size_t n_prompt, n_choices;
    vb_sampling sampling;
    vb_stop_string stops[2];
    vb_generation_options choices[JOB_CHOICES_MAX];
    answer want[JOB_CHOICES_MAX];
    bool seeds_later;
} job;

/* What the scheduler told of one submission of a job. Written by its thread, read after done. */
typedef struct listener {
    const job *j;
    vb_scheduler *s;
    uint64_t id;
    size_t n_tokens[JOB_CHOICES_MAX], n_text[JOB_CHOICES_MAX];
    vb_err err[JOB_CHOICES_MAX];
    char why[JOB_CHOICES_MAX][VB_ERROR_MSG_MAX];
    bool had_generation[JOB_CHOICES_MAX];
    size_t n_cached, n_done;
    void (*each_token)(struct listener *l, size_t choice); /* may be NULL */
    void *user;
    atomic_bool done;
} listener;

static inline void on_token(void *user, size_t choice, uint32_t token, const float *logits,
                            const vb_generation *g) {
    listener *l = user;
    const answer *want = &l->j->want[choice];
    size_t n;
    const uint32_t *tokens = vb_generation_tokens(g, &n);
    assert_true(l->n_tokens[choice] < want->n_tokens);
    assert_int_equal(token, want->tokens[l->n_tokens[choice]]);
    assert_int_equal(n, ++l->n_tokens[choice]);
    assert_int_equal(tokens[n - 1], token);
    if (l->j->choices[choice].sampling->temperature == 0 && l->j->sampling.n_bias == 0 &&
        l->j->sampling.repetition_penalty == 1 && l->j->sampling.presence_penalty == 0) {
        assert_int_equal(vb_model_kernels(model)->argmax(logits, n_vocab), token);
    }
    if (l->each_token) {
        l->each_token(l, choice);
    }
}

static inline void on_text(void *user, size_t choice, const char *text, size_t n_bytes) {
    listener *l = user;
    const answer *want = &l->j->want[choice];
    assert_true(n_bytes > 0 && n_bytes <= want->n_text - l->n_text[choice]);
    assert_memory_equal(want->text + l->n_text[choice], text, n_bytes);
    l->n_text[choice] += n_bytes;
}

static inline void check_whole(const listener *l, size_t choice, const vb_generation *g) {
    const answer *want = &l->j->want[choice];
    uint8_t root[32];
    vb_finish finish;
    size_t n;
    const uint32_t *tokens = vb_generation_tokens(g, &n);
    assert_int_equal(n, want->n_tokens);
    assert_int_equal(l->n_tokens[choice], n);
    assert_memory_equal(tokens, want->tokens, n * sizeof *tokens);
    const char *text = vb_generation_text(g, &n);
    assert_int_equal(n, want->n_text);
    assert_int_equal(l->n_text[choice], n);
    assert_memory_equal(text, want->text, n);
    assert_true(vb_generation_ended(g, &finish));
    assert_int_equal(finish, want->finish);
    vb_generation_trace_root(g, root);
    assert_memory_equal(root, want->root, sizeof root);
}

static inline void on_done(void *user, size_t choice, const vb_scheduler_outcome *o) {
    listener *l = user;
    l->err[choice] = o->err;
    l->had_generation[choice] = o->generation != NULL;
    l->n_cached = o->n_cached;
    if (o->err) {
        assert_int_equal(o->error->code, o->err);
        snprintf(l->why[choice], sizeof l->why[choice], "%s", o->error->msg);
    } else {
        assert_null(o->error);
        check_whole(l, choice, o->generation);
    }
    assert_int_equal(o->last, ++l->n_done == l->j->n_choices);
    if (o->last) {
        atomic_store(&l->done, true);
    }
}

static inline vb_generation_options options_of(const job *j, uint8_t seed) {
    return (vb_generation_options){
        .kernels = vb_model_kernels(model),
        .tokenizer = tokenizer,
        .n_vocab = n_vocab,
        .sampling = &j->sampling,
        .prompt = j->prompt,
        .n_prompt = j->n_prompt,
        .seed = {seed, 1},
        .tokens_max = 24,
    };
}

static inline void answer_alone(const job *j, size_t choice, vb_workspace *w, answer *out) {
    vb_generation *g;
    vb_session *s;
    vb_generate_stats stats;
    must(vb_generation_open(&j->choices[choice], &g, &e));
    must(vb_session_open(model, CTX, &s, &e));
    const vb_generate_options o = {
        .model = model,
        .workspace = w,
        .session = s,
        .batch_tokens = 128,
        .prompt = j->prompt,
        .n_prompt = j->n_prompt,
        .generation = g,
        .no_speculation = true,
    };
    must(vb_generate(&o, &stats, &e));
    const uint32_t *tokens = vb_generation_tokens(g, &out->n_tokens);
    const char *text = vb_generation_text(g, &out->n_text);
    out->tokens = malloc(out->n_tokens * sizeof *tokens);
    out->text = malloc(out->n_text + 1);
    assert_true(out->tokens && out->text);
    memcpy(out->tokens, tokens, out->n_tokens * sizeof *tokens);
    memcpy(out->text, text, out->n_text);
    vb_generation_ended(g, &out->finish);
    vb_generation_trace_root(g, out->root);
    vb_session_close(s);
    vb_generation_close(g);
}

/* What every choice of a job comes to, its options being set. */
static inline void expect(job *j) {
    vb_workspace *w;
    must(vb_workspace_open(model, 128, CTX, 1, &w, &e));
    for (size_t i = 0; i < j->n_choices; i++) {
        answer_alone(j, i, w, &j->want[i]);
    }
    vb_workspace_close(w);
}

/* The model itself ends no answer. What biases there are concern lower tokens. */
static inline void never_end(vb_sampling *p) {
    for (uint32_t t = 0; t < n_vocab; t++) {
        if (vb_tokenizer_is_eog(tokenizer, t)) {
            p->bias[p->n_bias++] = (vb_logit_bias){t, -100};
        }
    }
}

/* A plain greedy job: n_prompt tokens made from a seed, never ended by the model. */
static inline void make_plain(job *j, size_t n_prompt, size_t tokens_max, uint64_t seed) {
    memset(j, 0, sizeof *j);
    vb_sampling_default(&j->sampling);
    j->n_prompt = n_prompt;
    j->n_choices = 1;
    for (size_t i = 0; i < n_prompt; i++) {
        j->prompt[i] = (uint32_t)(vb_test_random(&seed) % 2000);
    }
    never_end(&j->sampling);
    j->choices[0] = options_of(j, 1);
    j->choices[0].tokens_max = tokens_max;
    expect(j);
}

static inline void free_job(job *j) {
    for (size_t i = 0; i < j->n_choices; i++) {
        free(j->want[i].tokens);
        free(j->want[i].text);
    }
}

static inline vb_scheduler_request request_of(listener *l, const job *j) {
    l->j = j;
    return (vb_scheduler_request){
        .choices = j->choices,
        .n_choices = j->n_choices,
        .has_seeds = !j->seeds_later,
        .on_token = on_token,
        .on_text = on_text,
        .on_done = on_done,
        .user = l,
    };
}

static inline vb_err submit(vb_scheduler *s, listener *l, const job *j, uint32_t deadline_ms) {
    vb_scheduler_request r = request_of(l, j);
    r.deadline_ms = deadline_ms;
    l->s = s;
    return vb_scheduler_submit(s, &r, &l->id, &e);
}

static inline void give_seeds(vb_scheduler *s, const listener *l) {
    uint8_t seeds[JOB_CHOICES_MAX][SEED_BYTES];
    for (size_t i = 0; i < l->j->n_choices; i++) {
        memcpy(seeds[i], l->j->choices[i].seed, SEED_BYTES);
    }
    vb_scheduler_set_seeds(s, l->id, (const uint8_t(*)[SEED_BYTES])seeds);
}

static inline void sleep_us(unsigned us) {
    const struct timespec t = {us / 1000000, us % 1000000 * 1000};
    nanosleep(&t, NULL);
}

static inline void wait_for(const listener *l) {
    while (!atomic_load(&l->done)) {
        sleep_us(200);
    }
}

/* Nothing is left of any request but cached pages. */
static inline void assert_empty(vb_scheduler *s) {
    vb_scheduler_stats t;
    must(vb_scheduler_drain(s, 600000, &e)); /* threads that wait for processors are slow */
    do {
        vb_scheduler_get_stats(s, &t); /* the thread publishes after the last on_done */
    } while (t.running + t.parked + t.prefilling + t.pages_used);
    assert_int_equal(t.waiting, 0);
}

#endif
