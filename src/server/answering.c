#include "server/answering.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/system.h"
#include "receipt/records.h"
#include "server/log.h"

enum { NS_PER_MS = 1000000 };

static void settle(vb_job *job);

/* It takes no place any more: said before its client is told the end, who may then ask for what
 * waits until no answers are made. */
static void leave(vb_answering *a) {
    if (a->counted) {
        a->counted = false;
        atomic_fetch_sub(&a->s->n_answers, 1);
    }
}

static void free_answering(vb_answering *a) {
    leave(a);
    vb_exchange_on_gone(a->x, NULL, NULL);
    vb_exchange_release(a->x);
    vb_output_close(a);
    vb_buf_free(&a->prompt);
    free(a->options);
    vb_grammar_close(a->grammar);
    vb_api_request_free(&a->q);
    vb_receipt_free(&a->r);
    free(a);
}

/* One of those who have it is done with it; the last one hands it on. */
static void drop(vb_answering *a) {
    if (atomic_fetch_sub(&a->pending, 1) == 1) {
        a->job.run = settle;
        (void)vb_workers_put(a->s->workers, &a->job, true);
    }
}

/* The round is not waited for any more. */
static void forget_round(vb_answering *a) {
    if (a->s->rounds && vb_rounds_forget(a->s->rounds, &a->wait)) {
        drop(a);
    }
}

/* Under the exchange's lock, on any thread. */
static void on_gone(void *user) {
    vb_answering *a = user;
    atomic_store(&a->gone, true);
    const uint64_t ticket = atomic_load(&a->ticket);
    if (ticket) {
        vb_scheduler_cancel(a->m->scheduler, ticket);
    }
}

/* The scheduler's callbacks. */

static void on_token(void *user, size_t choice, uint32_t token, const float *logits,
                     const vb_generation *g) {
    vb_answering *a = user;
    vb_answer_choice *c = &a->choices[choice];
    (void)g;
    c->n_drawn++;
    if (a->q.logprobs && !a->output_err) {
        a->output_err = vb_answer_logprobs_add(c, token, logits);
    }
    if (!atomic_exchange(&a->first_token, true)) {
        vb_metrics_observe(&a->s->metrics.first_token_seconds, vb_clock_ns() - a->start_ns);
    }
}

static void on_text(void *user, size_t choice, const char *text, size_t n_bytes) {
    vb_answering *a = user;
    vb_output_text(&a->choices[choice], text, n_bytes);
    if (a->output_err) {
        vb_scheduler_cancel(a->m->scheduler, atomic_load(&a->ticket));
    }
}

/* The generation is the scheduler's: what the receipt needs of it is copied. */
static vb_err keep_output(vb_answer_choice *c, const vb_generation *g, vb_error *e) {
    size_t n_tokens, n_text;
    const uint32_t *tokens = vb_generation_tokens(g, &n_tokens);
    const char *text = vb_generation_text(g, &n_text);
    c->tokens = malloc(n_tokens * sizeof *tokens);
    c->text = malloc(n_text + 1);
    if (!c->tokens || !c->text) {
        return vb_fail(e, VB_ENOMEM, "no memory for an answer");
    }
    memcpy(c->tokens, tokens, n_tokens * sizeof *tokens);
    memcpy(c->text, text, n_text);
    c->text[n_text] = 0;
    c->n_tokens = n_tokens;
    c->n_text = n_text;
    vb_generation_ended(g, &c->finish);
    vb_generation_trace_root(g, c->trace_root);
    return VB_OK;
}

static void on_done(void *user, size_t choice, const vb_scheduler_outcome *outcome) {
    vb_answering *a = user;
    vb_error e = {VB_OK, ""};
    vb_err err = outcome->err;
    if (err) {
        e = *outcome->error;
    } else {
        vb_output_end(&a->choices[choice]);
        err = keep_output(&a->choices[choice], outcome->generation, &e);
    }
    if (err && !a->err) {
        a->err = err;
        a->error = e;
    }
    if (choice == 0) {
        a->n_cached = outcome->n_cached;
    }
    if (outcome->last) {
        atomic_store(&a->scheduled_done, true);
        if (a->err) {
            forget_round(a);
        }
        drop(a);
    }
}

/* The round. */

static bool give_seeds(vb_answering *a, vb_error *e) {
    uint8_t(*seeds)[32] = malloc(a->n_choices * sizeof *seeds);
    vb_err err = seeds ? VB_OK : vb_fail(e, VB_ENOMEM, "no memory for seeds");
    for (size_t i = 0; !err && i < a->n_choices; i++) {
        err = vb_receipt_seed(&a->r, (uint32_t)i, seeds[i], e);
    }
    if (!err) {
        /* False when it has been cancelled: then there is nothing to draw. */
        (void)vb_scheduler_set_seeds(a->m->scheduler, atomic_load(&a->ticket),
                                     (const uint8_t(*)[32])seeds);
    }
    free(seeds);
    return !err;
}

static void on_round(vb_wait *w, vb_beacon_round *round, vb_err err, const vb_error *e) {
    vb_answering *a = (vb_answering *)((char *)w - offsetof(vb_answering, wait));
    vb_error own;
    if (!err) {
        a->r.has_beacon = true;
        a->r.beacon = *round;
        vb_metrics_observe(&a->s->metrics.beacon_seconds, vb_clock_ns() - a->committed_ns);
        if (!give_seeds(a, &own)) {
            err = own.code;
            e = &own;
        }
    }
    if (err) {
        a->beacon_err = err;
        a->beacon_error = *e;
        vb_scheduler_cancel(a->m->scheduler, atomic_load(&a->ticket));
    }
    drop(a);
}

/* Beginning, on a worker. */

/* With mode local the round is taken first, for its chain's id, which the commitment names; its
 * value enters the seed only. */
static vb_err commit(vb_answering *a, vb_error *e) {
    vb_service *s = a->s;
    vb_receipt *r = &a->r;
    const bool local = r->request.mode == VB_MODE_LOCAL;
    vb_beacon_round round;
    memset(&round, 0, sizeof round);
    vb_err err = VB_OK;
    if (local) {
        pthread_mutex_lock(&s->chain_lock);
        err = vb_local_chain_take(s->chain, &round, e);
        pthread_mutex_unlock(&s->chain_lock);
        if (err) {
            return err;
        }
        memcpy(r->request.beacon_id, round.id, sizeof r->request.beacon_id);
    }
    if ((err = vb_store_commit_for(s->store, r, vb_service_client(s, a->x), e))) {
        vb_beacon_round_free(&round);
        return err;
    }
    a->committed_ns = vb_clock_ns();
    vb_metrics_add(&s->metrics.commitments, 1);
    char hex[VB_SHA256_HEX_BYTES];
    vb_hex_encode(r->commitment, VB_SHA256_BYTES, hex);
    if (!a->id[0]) {
        snprintf(a->id, sizeof a->id, "%s-%.24s", a->endpoint == VB_API_CHAT ? "chatcmpl" : "cmpl",
                 hex);
    }
    if (local) {
        r->has_beacon = true;
        r->beacon = round;
    }
    return VB_OK;
}

/* Whether a prompt was seen before is told by the time that an answer takes: to its own key only.
 */
static uint64_t cache_owner(const vb_answering *a) {
    return a->s->config->share_prefixes ? 0
                                        : vb_client_number(a->s->clients, vb_exchange_client(a->x));
}

static vb_err submit(vb_answering *a, vb_error *e) {
    const bool waits = a->r.request.mode != VB_MODE_LOCAL && !a->r.request.has_seed;
    vb_err err = VB_OK;
    for (size_t i = 0; !err && !waits && i < a->n_choices; i++) {
        err = vb_receipt_seed(&a->r, (uint32_t)i, a->options[i].seed, e);
    }
    const vb_scheduler_request request = {
        .choices = a->options,
        .n_choices = a->n_choices,
        .has_seeds = !waits,
        .deadline_ms = a->q.deadline_ms,
        .cache_owner = cache_owner(a),
        .on_token = on_token,
        .on_text = on_text,
        .on_done = on_done,
        .user = a,
    };
    uint64_t ticket;
    atomic_store(&a->pending, 2); /* this thread, and the scheduler */
    if (err || (err = vb_scheduler_submit(a->m->scheduler, &request, &ticket, e))) {
        atomic_store(&a->pending, 1);
        return err;
    }
    atomic_store(&a->ticket, ticket);
    if (atomic_load(&a->gone)) {
        vb_scheduler_cancel(a->m->scheduler, ticket);
    }
    if (waits) {
        a->wait = (vb_wait){.mode = a->r.request.mode,
                            .time_ms = a->r.request.issued_at_ms,
                            .round = a->r.request.round,
                            .done = on_round};
        atomic_fetch_add(&a->pending, 1);
        vb_rounds_wait(a->s->rounds, &a->wait);
        if (atomic_load(&a->scheduled_done)) {
            forget_round(a); /* it was cancelled before the wait began */
        }
    }
    return VB_OK;
}

/* Commits, and sets all going. The answering is somebody else's when it returns. */
static void attempt(vb_answering *a) {
    vb_error e = {VB_OK, ""};
    vb_api_error shown;
    vb_err err = commit(a, &e);
    if (err) {
        vb_log_request(VB_LOG_ERROR, "commit", vb_exchange_request_id(a->x), "%s", e.msg);
        vb_api_error_of(err, &e, &shown);
        vb_output_fail(a, &shown);
        free_answering(a);
        return;
    }
    vb_output_commitment(a);
    if ((err = submit(a, &e))) {
        a->err = err;
        a->error = e;
    }
    drop(a);
}

static vb_err prepare_generation(vb_answering *a, vb_error *e) {
    a->n_choices = a->r.request.n_choices;
    a->options = calloc(a->n_choices, sizeof *a->options);
    if (!a->options) {
        return vb_fail(e, VB_ENOMEM, "no memory for %zu choices", a->n_choices);
    }
    vb_err err =
        vb_receipt_generation(&a->r, a->m->o.model, a->m->o.tokenizer, a->stops, &a->options[0], e);
    a->options[0].grammar = a->grammar;
    a->options[0].vocabulary = a->m->vocabulary;
    for (size_t i = 1; !err && i < a->n_choices; i++) {
        a->options[i] = a->options[0];
    }
    return err ? err : vb_output_open(a, e);
}

static void prepare(vb_job *job) {
    vb_answering *a = (vb_answering *)((char *)job - offsetof(vb_answering, job));
    size_t n;
    const char *body = (const char *)vb_exchange_body(a->x, &n);
    vb_api_error shown;
    vb_error e = {VB_OK, ""};
    vb_err err = vb_api_request_parse(a->endpoint, body, n, &a->s->defaults, &a->q, &shown);
    if (!err && !(err = vb_answering_fill(a, &shown)) && (err = prepare_generation(a, &e))) {
        vb_api_error_of(err, &e, &shown);
    }
    if (!err && atomic_load(&a->gone)) {
        err = vb_api_fail(&shown, VB_ECANCELLED, 503, "cancelled", NULL, "the client has gone");
    }
    if (err) {
        vb_output_fail(a, &shown);
        free_answering(a);
        return;
    }
    attempt(a);
}

void vb_answering_begin(vb_service *s, vb_exchange *x, vb_api_endpoint endpoint) {
    vb_answering *a = NULL;
    if (atomic_fetch_add(&s->n_answers, 1) < s->answers_max && (a = calloc(1, sizeof *a))) {
        a->s = s;
        a->x = x;
        a->endpoint = endpoint;
        a->counted = true;
        a->start_ns = vb_clock_ns();
        a->job.run = prepare;
        a->prompt = vb_buf_make(VB_RECEIPT_BYTES_MAX);
        vb_receipt_init(&a->r);
        vb_exchange_hold(x);
        vb_exchange_on_gone(x, on_gone, a);
        if (vb_workers_put(s->workers, &a->job, false)) {
            return;
        }
        vb_exchange_on_gone(x, NULL, NULL);
        vb_exchange_release(x);
        free(a);
    }
    atomic_fetch_sub(&s->n_answers, 1);
    vb_metrics_add(&s->metrics.refused[VB_REFUSED_QUEUE], 1);
    vb_exchange_set_header(x, "Retry-After", "2");
    vb_exchange_fail(x, 503, "overloaded", "as many answers as this server takes are being made");
}

/* The end, on a worker. */

static vb_abort_reason reason_of(const vb_answering *a) {
    return a->beacon_err && a->beacon_err != VB_ECANCELLED && !atomic_load(&a->gone)
               ? VB_ABORT_BEACON
           : a->err == VB_ECANCELLED && !a->output_err ? VB_ABORT_CANCELLED
                                                       : VB_ABORT_FAILED;
}

/* A record was kept: so may those that could not be. */
static void settle_others(vb_service *s) {
    size_t settled[VB_ABORT_LOST + 1] = {0};
    const size_t n = vb_unsettled_retry(s->unsettled, s->store, settled);
    for (int i = 0; n && i <= VB_ABORT_LOST; i++) {
        vb_metrics_add(&s->metrics.aborts[i], settled[i]);
    }
    if (n) {
        vb_log(VB_LOG_WARNING, "store", "%zu abort records that could not be kept are", n);
    }
}

/* The commitment gets its abort record, now or when one can be kept again. */
static void abort_commitment(vb_answering *a) {
    vb_error e = {VB_OK, ""};
    const vb_abort_reason reason = reason_of(a);
    if (vb_store_abort(a->s->store, &a->r, reason, &e)) {
        a->unsettled = true;
        vb_metrics_add(&a->s->metrics.open_commitments, 1);
        vb_log_request(VB_LOG_ERROR, "abort", vb_exchange_request_id(a->x),
                       "commitment %llu stays open for now: %s",
                       (unsigned long long)a->r.request.sequence, e.msg);
        return;
    }
    vb_metrics_add(&a->s->metrics.aborts[reason], 1);
    settle_others(a->s);
}

/* The prompt leaves the receipt for a record that the client alone gets. */
static vb_err part_with_prompt(vb_answering *a, vb_error *e) {
    const vb_err err = vb_prompt_file_encode(&a->r, &a->prompt, e);
    if (!err) {
        vb_receipt_make_private(&a->r);
    }
    return err;
}

static vb_err make_receipt(vb_answering *a, vb_error *e) {
    vb_err err = VB_OK;
    for (size_t i = 0; !err && i < a->n_choices; i++) {
        const vb_answer_choice *c = &a->choices[i];
        err = vb_receipt_add_output(&a->r, c->tokens, c->n_tokens, c->text, c->n_text, c->finish,
                                    c->trace_root, e);
    }
    if (!err && a->q.make_private) {
        err = part_with_prompt(a, e);
    }
    if (!err && !(err = vb_receipt_sign(&a->r, a->s->o.key, a->hash, e))) {
        err = vb_store_receipt(a->s->store, &a->r, e);
    }
    return err;
}

/* The beacon failed, and the local chain may take its place: a new commitment, which says so. */
static bool fall_back(vb_answering *a) {
    if (!a->beacon_err || a->beacon_err == VB_ECANCELLED || atomic_load(&a->gone) ||
        !a->q.fallback[0] || a->fell_back || a->unsettled) {
        return false;
    }
    vb_log_request(VB_LOG_WARNING, "fallback", vb_exchange_request_id(a->x), "%s",
                   a->beacon_error.msg);
    vb_metrics_add(&a->s->metrics.beacon_fallbacks, 1);
    vb_receipt_fall_back(&a->r);
    a->fell_back = true;
    a->err = a->beacon_err = VB_OK;
    atomic_store(&a->ticket, 0);
    atomic_store(&a->scheduled_done, false);
    attempt(a);
    return true;
}

/* OpenAI's clients ask again by themselves after a 503: it would be a new answer, with all of the
 * time that this one had. */
static void forbid_retry_when_late(vb_answering *a) {
    const uint64_t ms = (vb_clock_ns() - a->start_ns) / NS_PER_MS;
    if (!a->streaming && a->q.deadline_ms && ms >= a->q.deadline_ms) {
        vb_exchange_set_header(a->x, "X-Should-Retry", "false");
    }
}

static void show_failure(vb_answering *a) {
    vb_api_error shown;
    if (atomic_load(&a->gone)) {
        vb_api_fail(&shown, VB_ECANCELLED, 503, "cancelled", NULL, "the client has gone");
    } else if (a->beacon_err) {
        vb_metrics_add(&a->s->metrics.beacon_failures, 1);
        vb_log_request(VB_LOG_ERROR, "beacon", vb_exchange_request_id(a->x), "%s",
                       a->beacon_error.msg);
        vb_api_fail(&shown, a->beacon_err, 503, "beacon_failed", NULL,
                    "the beacon's round could not be had; the commitment %llu ends in an abort "
                    "record",
                    (unsigned long long)a->r.request.sequence);
    } else if (a->err == VB_ECANCELLED) {
        forbid_retry_when_late(a);
        vb_api_fail(&shown, a->err, 503, "cancelled", NULL, "%s", a->error.msg);
    } else {
        vb_log_request(VB_LOG_ERROR, "answer", vb_exchange_request_id(a->x), "%s", a->error.msg);
        vb_api_error_of(a->err, &a->error, &shown);
    }
    vb_output_fail(a, &shown);
}

static void settle(vb_job *job) {
    vb_answering *a = (vb_answering *)((char *)job - offsetof(vb_answering, job));
    if (a->output_err && (!a->err || a->err == VB_ECANCELLED)) {
        a->err = a->output_err;
        vb_fail(&a->error, a->err, "the response could not be made");
    }
    if (!a->err) {
        a->err = make_receipt(a, &a->error);
    }
    if (!a->err) {
        vb_metrics_add(&a->s->metrics.receipts, 1);
        vb_metrics_add(&a->s->metrics.prompt_tokens, a->r.usage_prompt_tokens);
        vb_metrics_add(&a->s->metrics.completion_tokens, a->r.usage_completion_tokens);
        settle_others(a->s);
        leave(a);
        vb_output_complete(a);
        free_answering(a);
        return;
    }
    abort_commitment(a);
    if (fall_back(a)) {
        return;
    }
    if (!a->unsettled) {
        leave(a);
    }
    show_failure(a);
    if (a->unsettled && !vb_unsettled_put(a->s->unsettled, &a->r, reason_of(a))) {
        vb_log_request(VB_LOG_ERROR, "abort", vb_exchange_request_id(a->x),
                       "commitment %llu stays open until the next start",
                       (unsigned long long)a->r.request.sequence);
    }
    free_answering(a);
}
