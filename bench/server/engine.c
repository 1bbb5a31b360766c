/* The engine alone: the scheduler with the requests of load.c, without HTTP, JSON, receipts or a
 * store. What the server takes beyond it is the server's own. */
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "base/limits.h"
#include "engine/scheduler.h"
#include "load.h"

enum { POLL_MS = 100 };

/* A stream's request is borrowed by the scheduler until its on_done has returned, and the next one
 * is made within it: each stream has two. */
typedef struct request {
    struct engine *engine;
    size_t stream, n_tokens;
    uint32_t prompt[VB_WORKLOAD_PROMPT_MAX];
    vb_generation_options options;
} request;

typedef struct engine {
    const vb_workload *w;
    vb_scheduler *scheduler;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    vb_meter *m;
    vb_err err;
    vb_error error;
    size_t rounds[VB_METER_STREAMS_MAX];
    request requests[VB_METER_STREAMS_MAX][2];
} engine;

static void on_token(void *user, size_t choice, uint32_t token, const float *logits,
                     const vb_generation *g) {
    request *r = user;
    (void)choice;
    (void)token;
    (void)logits;
    (void)g;
    pthread_mutex_lock(&r->engine->lock);
    vb_meter_event(r->engine->m, r->stream);
    pthread_mutex_unlock(&r->engine->lock);
}

static void on_done(void *user, size_t choice, const vb_scheduler_outcome *outcome);

/* With the lock. */
static vb_err ask(engine *x, size_t stream, vb_error *e) {
    const size_t round = x->rounds[stream]++;
    request *r = &x->requests[stream][round % 2];
    uint64_t id;
    r->engine = x;
    r->stream = stream;
    r->n_tokens = vb_workload_answer_tokens(x->w, stream, x->m->n_streams, round);
    r->options = (vb_generation_options){
        .kernels = vb_model_kernels(x->w->model),
        .tokenizer = x->w->tokenizer,
        .n_vocab = vb_model_get_config(x->w->model)->n_vocab,
        .sampling = &x->w->sampling,
        .prompt = r->prompt,
        .n_prompt = vb_workload_prompt(x->w, stream, round, r->prompt),
        .seed = {(uint8_t)stream, (uint8_t)round},
        .tokens_max = r->n_tokens,
    };
    const vb_scheduler_request q = {.choices = &r->options,
                                    .n_choices = 1,
                                    .has_seeds = true,
                                    .on_token = on_token,
                                    .on_done = on_done,
                                    .user = r};
    vb_meter_request(x->m, stream);
    return vb_scheduler_submit(x->scheduler, &q, &id, e);
}

static void on_done(void *user, size_t choice, const vb_scheduler_outcome *outcome) {
    request *r = user;
    engine *x = r->engine;
    (void)choice;
    pthread_mutex_lock(&x->lock);
    if (!vb_meter_is_over(x->m) && !x->err) {
        if (outcome->err) {
            x->err = outcome->err;
            x->error = *outcome->error;
        } else {
            vb_meter_answer(x->m, r->stream, r->n_tokens);
            x->err = vb_meter_is_over(x->m) ? VB_OK : ask(x, r->stream, &x->error);
        }
        if (x->err || vb_meter_is_over(x->m)) {
            pthread_cond_signal(&x->changed);
        }
    }
    pthread_mutex_unlock(&x->lock);
}

static vb_err wait(engine *x, vb_error *e) {
    vb_err err = VB_OK;
    pthread_mutex_lock(&x->lock);
    for (size_t i = 0; i < x->m->n_streams && !x->err; i++) {
        x->err = ask(x, i, &x->error);
    }
    while (!x->err && !vb_meter_is_over(x->m) && !vb_bench_interrupted) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += POLL_MS * 1000000;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        (void)pthread_cond_timedwait(&x->changed, &x->lock, &until);
    }
    if (x->err) {
        err = x->err;
        *e = x->error;
    } else if (!x->m->close_ns) {
        err = x->m->no_memory ? vb_fail(e, VB_ENOMEM, "no memory for the times")
                              : vb_fail(e, VB_ECANCELLED, "interrupted");
    }
    pthread_mutex_unlock(&x->lock);
    return err;
}

vb_err vb_engine_run(const vb_workload *w, const vb_capacity *c, vb_meter *m, vb_error *e) {
    static engine x; /* large; one at a time */
    memset(&x, 0, sizeof x);
    x.w = w;
    x.m = m;
    pthread_mutex_init(&x.lock, NULL);
    pthread_cond_init(&x.changed, NULL);
    const vb_scheduler_options options = {
        .model = w->model,
        .n_threads = w->n_threads,
        .batch_tokens = VB_BATCH_TOKENS_MAX,
        .ctx_tokens = c->ctx_tokens,
        .kv_bytes = c->kv_bytes,
        .sequences_max = c->sequences,
        .queue_max = c->sequences,
        .prefix_cache = true,
    };
    vb_err err = vb_scheduler_open(&options, &x.scheduler, e);
    if (!err) {
        err = wait(&x, e);
        vb_scheduler_close(x.scheduler);
    }
    pthread_cond_destroy(&x.changed);
    pthread_mutex_destroy(&x.lock);
    return err;
}
