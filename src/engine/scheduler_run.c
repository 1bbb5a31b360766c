/*
 * The scheduler's thread: what other threads asked for since the last step, then who is admitted,
 * then a step. It sleeps when there is nothing to compute.
 */
#include <stdlib.h>
#include <string.h>

#include "base/system.h"
#include "engine/scheduler_internal.h"

/* ---- lines ---- */

void vb_line_add(vb_line *l, void *item) {
    l->items[l->n++] = item;
}

void vb_line_remove(vb_line *l, const void *item) {
    size_t kept = 0;
    for (size_t i = 0; i < l->n; i++) {
        if (l->items[i] != item) {
            l->items[kept++] = l->items[i];
        }
    }
    l->n = kept;
}

static void reverse(void **items, size_t n) {
    for (size_t i = 0; i < n / 2; i++) {
        void *t = items[i];
        items[i] = items[n - 1 - i];
        items[n - 1 - i] = t;
    }
}

void vb_line_rotate(vb_line *l, size_t n) {
    reverse(l->items, n);
    reverse(l->items + n, l->n - n);
    reverse(l->items, l->n);
}

/* ---- endings ---- */

/* Pages that are full stay in the prefix cache. */
static void close_session(vb_scheduler *s, vb_sequence *q) {
    if (q->session && s->cache) {
        vb_prefix_cache_touch(s->cache, q->session);
    }
    vb_session_close(q->session);
    q->session = NULL;
}

static void close_generation(vb_sequence *q) {
    vb_generation_close(q->generation);
    vb_lookup_close(q->lookup);
    q->generation = NULL;
    q->lookup = NULL;
}

/* Its last on_done has been called: what the caller lent is gone already. */
static void forget_request(vb_scheduler *s, vb_scheduled *x) {
    pthread_mutex_lock(&s->lock);
    vb_line_remove(&s->admitted, x);
    if (--s->n_requests == 0) {
        pthread_cond_broadcast(&s->settled);
    }
    pthread_mutex_unlock(&s->lock);
    free(x->logits);
    free(x);
}

void vb_scheduler_end_sequence(vb_scheduler *s, vb_sequence *q) {
    vb_scheduled *x = q->of;
    const uint64_t now = vb_clock_ns(), admitted = x->admitted_ns ? x->admitted_ns : now,
                   prompt = x->prompt_ns ? x->prompt_ns : now;
    VB_ASSERT(!q->over);
    q->over = true;
    const vb_scheduler_outcome outcome = {
        .err = q->err,
        .error = q->err ? &q->error : NULL,
        .generation = q->generation,
        .n_cached = x->n_cached,
        .queued_ns = admitted - x->submitted_ns,
        .prefill_ns = prompt > admitted ? prompt - admitted : 0,
        .decode_ns = now - prompt,
        .last = --x->n_left == 0,
    };
    vb_line_remove(&s->decoding, q);
    if (x->admitted_ns) {
        s->n_sequences--;
        s->blocked = false;
    }
    if (outcome.last) {
        vb_line_remove(&s->prompts, x);
    }
    close_session(s, q);
    x->r.on_done(x->r.user, q->choice, &outcome);
    close_generation(q);
    if (outcome.last) {
        forget_request(s, x);
    }
}

void vb_scheduler_end_request(vb_scheduler *s, vb_scheduled *x, vb_err err, const vb_error *error) {
    const vb_error why = *error; /* it may be the request's own */
    const size_t n = x->r.n_choices;
    for (size_t i = 0, left = x->n_left; i < n && left; i++) {
        vb_sequence *q = &x->choices[i];
        if (!q->over) {
            left--; /* with the last one the request is gone */
            q->err = err;
            q->error = why;
            vb_scheduler_end_sequence(s, q);
        }
    }
}

/* ---- what other threads asked for ---- */

/* Whether a request is to end, and why. Locked. */
static bool is_due(const vb_scheduler *s, vb_scheduled *x, uint64_t now) {
    if (s->stopping) {
        x->end = vb_fail(&x->end_error, VB_ECANCELLED, "stopped: no more answers are given");
    } else if (x->cancelled) {
        x->end = vb_fail(&x->end_error, VB_ECANCELLED, "the request was cancelled");
    } else if (x->deadline_ns && now >= x->deadline_ns) {
        x->end = vb_fail(&x->end_error, VB_ECANCELLED, "the deadline of %u ms has passed",
                         x->r.deadline_ms);
    }
    return x->end != VB_OK;
}

static uint64_t sooner(const vb_scheduled *x, uint64_t wake_ns) {
    return x->deadline_ns && x->deadline_ns < wake_ns ? x->deadline_ns : wake_ns;
}

/* Marks what is to end and what may begin to draw; *wake_ns is the next deadline of the others.
 * Whether there is anything to do. Locked. */
static bool take_events(vb_scheduler *s, uint64_t *wake_ns) {
    const uint64_t now = vb_clock_ns();
    bool any = false;
    *wake_ns = UINT64_MAX;
    for (vb_scheduled **at = &s->queue; *at;) {
        vb_scheduled *x = *at;
        if (is_due(s, x, now)) {
            *at = x->next;
            s->queue_tail = *at ? s->queue_tail : at;
            s->n_queued--;
            s->blocked = false;
            x->next = s->dropped;
            s->dropped = x;
        } else {
            *wake_ns = sooner(x, *wake_ns);
            at = &x->next;
        }
    }
    for (size_t i = 0; i < s->admitted.n; i++) {
        vb_scheduled *x = s->admitted.items[i];
        if (is_due(s, x, now)) {
            any = true;
        } else if (x->phase == VB_PHASE_PARKED && x->has_seeds) {
            x->phase = VB_PHASE_READY;
        }
        any = any || x->phase == VB_PHASE_READY;
        *wake_ns = sooner(x, *wake_ns);
    }
    return any || s->dropped || s->decoding.n || s->prompts.n || (s->queue && !s->blocked);
}

static void carry_out_events(vb_scheduler *s) {
    while (s->dropped) {
        vb_scheduled *x = s->dropped;
        s->dropped = x->next;
        vb_scheduler_end_request(s, x, x->end, &x->end_error);
    }
    /* Backwards: a request that ends leaves the list. */
    for (size_t i = s->admitted.n; i-- > 0;) {
        vb_scheduled *x = s->admitted.items[i];
        if (x->end) {
            vb_scheduler_end_request(s, x, x->end, &x->end_error);
        }
    }
    for (size_t i = s->admitted.n; i-- > 0;) {
        vb_scheduled *x = s->admitted.items[i];
        if (x->phase == VB_PHASE_READY) {
            vb_scheduler_begin_decoding(s, x);
        }
    }
}

/* ---- admission ---- */

/* Pages that a request may still take beyond those its sessions have. */
static size_t pages_promised(const vb_scheduled *x) {
    size_t n = 0;
    for (size_t i = 0; i < x->r.n_choices; i++) {
        const vb_sequence *q = &x->choices[i];
        if (!q->over) {
            const size_t has = q->session ? vb_session_pages(q->session)
                                          : x->r.choices[0].n_prompt / VB_ATTN_CHUNK;
            n += vb_scheduler_pages_of(q->ctx_tokens) - has;
        }
    }
    return n;
}

/* Whether x, with the session of its first choice, fits beside all that is admitted. */
static bool fits(const vb_scheduler *s, const vb_scheduled *x) {
    size_t promised = pages_promised(x);
    for (size_t i = 0; i < s->admitted.n; i++) {
        promised += pages_promised(s->admitted.items[i]);
    }
    const size_t idle = s->cache ? vb_prefix_cache_idle(s->cache) : 0;
    return promised <= vb_kv_pool_free_pages(s->pool) + idle;
}

static vb_err open_generations(vb_scheduler *s, vb_scheduled *x, vb_error *e) {
    x->logits = malloc(s->n_vocab * sizeof *x->logits);
    if (!x->logits) {
        return vb_fail(e, VB_ENOMEM, "no memory for the logits of a prompt");
    }
    vb_err err = VB_OK;
    for (size_t i = 0; !err && i < x->r.n_choices; i++) {
        const vb_generation_options *o = &x->r.choices[i];
        err = vb_generation_open(o, &x->choices[i].generation, e);
        if (!err && !s->o.no_speculation) {
            err = vb_lookup_open(o->n_prompt + o->tokens_max, &x->choices[i].lookup, e);
        }
    }
    return err;
}

/* The first in the queue, if it fits: VB_OK, and *admitted says whether. On an error it is to end
 * with that error. */
static vb_err try_to_admit(vb_scheduler *s, vb_scheduled *x, bool *admitted, vb_error *e) {
    vb_sequence *first = &x->choices[0];
    *admitted = false;
    if (x->r.n_choices > s->o.sequences_max - s->n_sequences) {
        return VB_OK;
    }
    vb_err err = vb_session_open_in(s->pool, first->ctx_tokens, &first->session, e);
    if (err) {
        return err;
    }
    first->place = (vb_prefix_place){.owner = x->r.cache_owner};
    vb_scheduler_adopt(s, x);
    if (!fits(s, x)) {
        close_session(s, first);
        x->n_cached = 0;
        return VB_OK;
    }
    *admitted = true;
    return open_generations(s, x, e);
}

static void take_from_queue(vb_scheduler *s, vb_scheduled *x, bool admit) {
    pthread_mutex_lock(&s->lock);
    s->queue = x->next;
    s->queue_tail = s->queue ? s->queue_tail : &s->queue;
    s->n_queued--;
    if (admit) {
        vb_line_add(&s->admitted, x);
    }
    pthread_mutex_unlock(&s->lock);
}

static void admit(vb_scheduler *s) {
    while (!s->blocked) {
        pthread_mutex_lock(&s->lock);
        vb_scheduled *x = s->queue;
        pthread_mutex_unlock(&s->lock);
        if (!x) {
            return;
        }
        bool admitted;
        vb_error error;
        vb_err err = try_to_admit(s, x, &admitted, &error);
        if (!err && !admitted) {
            s->blocked = true;
            return;
        }
        take_from_queue(s, x, !err);
        if (err) {
            close_session(s, &x->choices[0]);
            for (size_t i = 0; i < x->r.n_choices; i++) {
                close_generation(&x->choices[i]);
            }
            vb_scheduler_end_request(s, x, err, &error);
            continue;
        }
        x->admitted_ns = vb_clock_ns();
        s->n_sequences += x->r.n_choices;
        vb_line_add(&s->prompts, x);
    }
}

/* ---- the thread ---- */

/* What the counts and lists are now, for vb_scheduler_get_stats. Locked. */
static void publish(vb_scheduler *s) {
    vb_scheduler_stats *t = &s->stats;
    const uint64_t now = vb_clock_ns(), elapsed = now - s->window_ns;
    t->prefilling = s->prompts.n;
    t->running = s->decoding.n;
    t->parked = 0;
    for (size_t i = 0; i < s->admitted.n; i++) {
        const vb_scheduled *x = s->admitted.items[i];
        t->parked += x->phase == VB_PHASE_PARKED;
    }
    t->pages = vb_kv_pool_pages(s->pool);
    t->pages_cached = s->cache ? vb_prefix_cache_idle(s->cache) : 0;
    t->pages_used = t->pages - vb_kv_pool_free_pages(s->pool) - t->pages_cached;
    t->steps = s->counts.steps;
    t->prompt_tokens = s->counts.prompt_tokens;
    t->prompt_tokens_cached = s->counts.prompt_tokens_cached;
    t->tokens = s->counts.tokens;
    t->drafted = s->counts.drafted;
    t->accepted = s->counts.accepted;
    if (elapsed >= VB_SCHEDULER_WINDOW_NS) {
        t->tokens_per_second = 1e9 * (double)(t->tokens - s->window_tokens) / (double)elapsed;
        s->window_ns = now;
        s->window_tokens = t->tokens;
    }
}

/* Sleeps until something is asked for, or the time has come. Locked. */
static void sleep_until(vb_scheduler *s, uint64_t wake_ns) {
    if (wake_ns == UINT64_MAX) {
        pthread_cond_wait(&s->wake, &s->lock);
    } else {
        const struct timespec t = {(time_t)(wake_ns / 1000000000u), (long)(wake_ns % 1000000000u)};
        pthread_cond_timedwait(&s->wake, &s->lock, &t);
    }
}

void *vb_scheduler_thread(void *scheduler) {
    vb_scheduler *s = scheduler;
    pthread_mutex_lock(&s->lock);
    s->window_ns = vb_clock_ns();
    while (!s->closing || s->n_requests) {
        uint64_t wake_ns;
        publish(s);
        if (!take_events(s, &wake_ns)) {
            sleep_until(s, wake_ns);
            continue;
        }
        pthread_mutex_unlock(&s->lock);
        carry_out_events(s);
        admit(s);
        vb_scheduler_step(s);
        pthread_mutex_lock(&s->lock);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}
