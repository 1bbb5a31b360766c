/* What other threads ask of the scheduler: under the lock, and done by its own thread. */
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/system.h"
#include "engine/scheduler_internal.h"

size_t vb_scheduler_pages_of(size_t n_tokens) {
    return n_tokens / VB_ATTN_CHUNK + (n_tokens % VB_ATTN_CHUNK != 0);
}

/* Tokens that the KV cache holds of a choice at its longest: the last token is never computed. */
static size_t ctx_tokens_of(const vb_generation_options *o) {
    return o->n_prompt + o->tokens_max - 1;
}

/* Full pages of the prompt are shared by all choices; all others are each choice's own. */
size_t vb_scheduler_pages_needed(const vb_scheduler_request *r) {
    const size_t shared = r->choices[0].n_prompt / VB_ATTN_CHUNK;
    size_t n = shared;
    for (size_t i = 0; i < r->n_choices; i++) {
        n += vb_scheduler_pages_of(ctx_tokens_of(&r->choices[i])) - shared;
    }
    return n;
}

/* ---- opening and closing ---- */

static vb_err check_range(const char *name, uint64_t value, uint64_t max, vb_error *e) {
    if (value < 1 || value > max) {
        return vb_fail(e, VB_EINVAL, "%s is %llu: expected 1 to %llu", name,
                       (unsigned long long)value, (unsigned long long)max);
    }
    return VB_OK;
}

static vb_err check_options(const vb_scheduler_options *o, vb_error *e) {
    const vb_model_config *c = vb_model_get_config(o->model);
    const size_t ctx_max =
        c->n_ctx_train < VB_MODEL_CTX_TOKENS_MAX ? c->n_ctx_train : VB_MODEL_CTX_TOKENS_MAX;
    vb_err err;
    if (o->n_threads < 1 || (unsigned)o->n_threads > VB_THREADS_MAX) {
        return vb_fail(e, VB_EINVAL, "n_threads is %d: expected 1 to %u", o->n_threads,
                       VB_THREADS_MAX);
    }
    if ((err = check_range("batch_tokens", o->batch_tokens, VB_BATCH_TOKENS_MAX, e)) ||
        (err = check_range("ctx_tokens", o->ctx_tokens, ctx_max, e)) ||
        (err = check_range("sequences_max", o->sequences_max, VB_SEQUENCES_MAX, e)) ||
        (err = check_range("queue_max", o->queue_max, VB_QUEUE_MAX, e))) {
        return err;
    }
    return VB_OK;
}

static void free_all(vb_scheduler *s) {
    if (s) {
        vb_prefix_cache_close(s->cache);
        vb_kv_pool_close(s->pool);
        vb_workspace_close(s->workspace);
        free(s->admitted.items);
        free(s->decoding.items);
        free(s->prompts.items);
        free(s->items);
        free(s->parts);
        free(s);
    }
}

static vb_err open_memory(vb_scheduler *s, vb_error *e) {
    const vb_scheduler_options *o = &s->o;
    vb_err err;
    s->admitted.items = calloc(o->sequences_max, sizeof *s->admitted.items);
    s->decoding.items = calloc(o->sequences_max, sizeof *s->decoding.items);
    s->prompts.items = calloc(o->sequences_max, sizeof *s->prompts.items);
    s->items = calloc(o->batch_tokens, sizeof *s->items);
    s->parts = calloc(o->batch_tokens, sizeof *s->parts);
    if (!s->admitted.items || !s->decoding.items || !s->prompts.items || !s->items || !s->parts) {
        return vb_fail(e, VB_ENOMEM, "no memory for a scheduler of %zu sequences",
                       o->sequences_max);
    }
    if ((err = vb_workspace_open(o->model, o->batch_tokens, o->ctx_tokens, o->n_threads,
                                 &s->workspace, e)) ||
        (err = vb_kv_pool_open(o->model, o->kv_bytes, &s->pool, e)) ||
        (o->prefix_cache && (err = vb_prefix_cache_open(s->pool, &s->cache, e)))) {
        return err;
    }
    return VB_OK;
}

/* The lock, the conditions (on the clock of vb_clock_ns) and the thread. */
static vb_err start(vb_scheduler *s, vb_error *e) {
    pthread_condattr_t monotonic;
    int bad = pthread_condattr_init(&monotonic);
    if (bad) {
        return vb_fail(e, VB_ENOMEM, "cannot make a condition: %s", strerror(bad));
    }
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->wake, &monotonic);
    pthread_cond_init(&s->settled, &monotonic);
    pthread_condattr_destroy(&monotonic);
    bad = pthread_create(&s->thread, NULL, vb_scheduler_thread, s);
    if (bad) {
        pthread_cond_destroy(&s->settled);
        pthread_cond_destroy(&s->wake);
        pthread_mutex_destroy(&s->lock);
        return vb_fail(e, VB_ENOMEM, "cannot start a thread: %s", strerror(bad));
    }
    return VB_OK;
}

vb_err vb_scheduler_open(const vb_scheduler_options *o, vb_scheduler **out, vb_error *e) {
    vb_err err = check_options(o, e);
    if (err) {
        return err;
    }
    vb_scheduler *s = calloc(1, sizeof *s);
    if (!s) {
        return vb_fail(e, VB_ENOMEM, "no memory for a scheduler");
    }
    s->o = *o;
    s->n_vocab = vb_model_get_config(o->model)->n_vocab;
    s->costs = vb_lookup_costs(vb_model_decode_bytes(o->model), vb_model_kernels(o->model)->name);
    s->queue_tail = &s->queue;
    if ((err = open_memory(s, e)) || (err = start(s, e))) {
        free_all(s);
        return err;
    }
    *out = s;
    return VB_OK;
}

void vb_scheduler_close(vb_scheduler *s) {
    if (!s) {
        return;
    }
    pthread_mutex_lock(&s->lock);
    s->draining = s->stopping = s->closing = true;
    pthread_cond_signal(&s->wake);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->thread, NULL);
    pthread_cond_destroy(&s->settled);
    pthread_cond_destroy(&s->wake);
    pthread_mutex_destroy(&s->lock);
    free_all(s);
}

/* ---- requests ---- */

static vb_err check_choice(const vb_scheduler *s, const vb_scheduler_request *r, size_t choice,
                           vb_error *e) {
    const vb_generation_options *o = &r->choices[choice];
    VB_ASSERT(o->n_vocab == s->n_vocab && o->prompt == r->choices[0].prompt &&
              o->n_prompt == r->choices[0].n_prompt);
    if (o->n_stop_tokens > VB_STOP_TOKENS_MAX) {
        return vb_fail(e, VB_EINVAL, "%zu stop tokens: expected at most %u", o->n_stop_tokens,
                       VB_STOP_TOKENS_MAX);
    }
    if (o->n_prompt < 1 || o->tokens_max < 1 || o->n_prompt >= s->o.ctx_tokens ||
        o->tokens_max > s->o.ctx_tokens - o->n_prompt) {
        return vb_fail(e, VB_EINVAL,
                       "a prompt of %zu tokens and an answer of up to %zu: expected at least one "
                       "of each, and together at most the context, %zu",
                       o->n_prompt, o->tokens_max, s->o.ctx_tokens);
    }
    return vb_sampling_check(o->sampling, s->n_vocab, e);
}

/* All that would make it impossible to run the request, ever. */
static vb_err check_request(const vb_scheduler *s, const vb_scheduler_request *r, vb_error *e) {
    VB_ASSERT(r->choices && r->on_done);
    const size_t most = s->o.sequences_max < VB_CHOICES_MAX ? s->o.sequences_max : VB_CHOICES_MAX;
    vb_err err = check_range("n_choices", r->n_choices, most, e);
    for (size_t i = 0; !err && i < r->n_choices; i++) {
        err = check_choice(s, r, i, e);
    }
    for (size_t i = 0; !err && i < r->choices[0].n_prompt; i++) {
        if (r->choices[0].prompt[i] >= s->n_vocab) {
            err = vb_fail(e, VB_EINVAL, "prompt token %zu is %u: outside the vocabulary of %zu", i,
                          r->choices[0].prompt[i], s->n_vocab);
        }
    }
    if (!err && vb_scheduler_pages_needed(r) > vb_kv_pool_pages(s->pool)) {
        err = vb_fail(e, VB_EINVAL,
                      "the request may take %zu pages of %d tokens in the KV cache, which has %zu",
                      vb_scheduler_pages_needed(r), VB_ATTN_CHUNK, vb_kv_pool_pages(s->pool));
    }
    return err;
}

static vb_err make_request(const vb_scheduler_request *r, vb_scheduled **out, vb_error *e) {
    vb_scheduled *x = calloc(1, sizeof *x + r->n_choices * sizeof x->choices[0]);
    if (!x) {
        return vb_fail(e, VB_ENOMEM, "no memory for a request");
    }
    x->r = *r;
    x->has_seeds = r->has_seeds;
    x->submitted_ns = vb_clock_ns();
    x->deadline_ns = r->deadline_ms ? x->submitted_ns + r->deadline_ms * (uint64_t)1000000 : 0;
    x->n_left = r->n_choices;
    for (size_t i = 0; i < r->n_choices; i++) {
        vb_sequence *q = &x->choices[i];
        q->of = x;
        q->choice = i;
        q->ctx_tokens = ctx_tokens_of(&r->choices[i]);
        memcpy(q->seed, r->choices[i].seed, sizeof q->seed);
    }
    *out = x;
    return VB_OK;
}

vb_err vb_scheduler_submit(vb_scheduler *s, const vb_scheduler_request *r, uint64_t *id,
                           vb_error *e) {
    vb_scheduled *x = NULL;
    vb_err err = check_request(s, r, e);
    if (err || (err = make_request(r, &x, e))) {
        return err;
    }
    pthread_mutex_lock(&s->lock);
    if (s->draining) {
        err = vb_fail(e, VB_ECANCELLED, "no more requests are taken");
    } else if (s->n_queued >= s->o.queue_max) {
        s->stats.requests_refused++;
        err = vb_fail(e, VB_ELIMIT, "queue full: %zu requests wait", s->n_queued);
    } else {
        *id = x->id = ++s->last_id;
        *s->queue_tail = x;
        s->queue_tail = &x->next;
        s->n_queued++;
        s->n_requests++;
        s->stats.requests++;
        pthread_cond_signal(&s->wake);
    }
    pthread_mutex_unlock(&s->lock);
    if (err) {
        free(x);
    }
    return err;
}

/* Locked. NULL when it is not there (any more). */
static vb_scheduled *find(vb_scheduler *s, uint64_t id) {
    vb_scheduled *x = s->queue;
    while (x && x->id != id) {
        x = x->next;
    }
    for (size_t i = 0; !x && i < s->admitted.n; i++) {
        vb_scheduled *y = s->admitted.items[i];
        x = y->id == id ? y : NULL;
    }
    return x;
}

bool vb_scheduler_set_seeds(vb_scheduler *s, uint64_t id, const uint8_t (*seeds)[32]) {
    pthread_mutex_lock(&s->lock);
    vb_scheduled *x = find(s, id);
    const bool takes = x && !x->has_seeds;
    if (takes) {
        for (size_t i = 0; i < x->r.n_choices; i++) {
            memcpy(x->choices[i].seed, seeds[i], sizeof x->choices[i].seed);
        }
        x->has_seeds = true;
        pthread_cond_signal(&s->wake);
    }
    pthread_mutex_unlock(&s->lock);
    return takes;
}

bool vb_scheduler_cancel(vb_scheduler *s, uint64_t id) {
    pthread_mutex_lock(&s->lock);
    vb_scheduled *x = find(s, id);
    if (x) {
        x->cancelled = true;
        pthread_cond_signal(&s->wake);
    }
    pthread_mutex_unlock(&s->lock);
    return x != NULL;
}

vb_err vb_scheduler_drain(vb_scheduler *s, uint32_t wait_ms, vb_error *e) {
    const uint64_t until = vb_clock_ns() + wait_ms * (uint64_t)1000000;
    const struct timespec t = {(time_t)(until / 1000000000u), (long)(until % 1000000000u)};
    pthread_mutex_lock(&s->lock);
    s->draining = true;
    while (s->n_requests && pthread_cond_timedwait(&s->settled, &s->lock, &t) == 0) {
    }
    const size_t n = s->n_requests;
    s->stopping = true;
    pthread_cond_signal(&s->wake);
    while (s->n_requests) {
        pthread_cond_wait(&s->settled, &s->lock);
    }
    pthread_mutex_unlock(&s->lock);
    if (n) {
        return vb_fail(e, VB_ECANCELLED, "%zu requests were stopped after %u ms", n, wait_ms);
    }
    return VB_OK;
}

void vb_scheduler_get_stats(vb_scheduler *s, vb_scheduler_stats *out) {
    pthread_mutex_lock(&s->lock);
    const uint64_t elapsed = vb_clock_ns() - s->window_ns;
    *out = s->stats;
    out->waiting = s->n_queued;
    if (elapsed >= 2 * VB_SCHEDULER_WINDOW_NS) { /* the thread sleeps, or a step takes long */
        out->tokens_per_second = 1e9 * (double)(out->tokens - s->window_tokens) / (double)elapsed;
    }
    pthread_mutex_unlock(&s->lock);
}
