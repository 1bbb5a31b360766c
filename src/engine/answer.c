#include "engine/answer.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "verify/generation.h"

/* One commitment and what comes of it. */
typedef struct attempt {
    const vb_answer_options *o;
    vb_receipt *r;
    const vb_grammar *grammar; /* of the request's constraint; NULL: it has none */
    vb_generation *g;
    size_t tokens_max; /* of g */
    /* The round, fetched by a thread of its own while the prompt is computed. */
    pthread_t thread;
    bool fetching;
    atomic_bool fetched; /* the thread is done with all below */
    vb_source_want want;
    vb_beacon_round round;
    vb_err fetch_err;
    vb_error fetch_error;
    bool beacon_failed;
} attempt;

static void *fetch(void *user) {
    attempt *x = user;
    x->fetch_err = vb_source_get(x->o->source, &x->want, &x->round, &x->fetch_error);
    atomic_store(&x->fetched, true);
    return NULL;
}

static vb_err start_fetching(attempt *x, vb_error *e) {
    const vb_receipt_request *q = &x->r->request;
    x->want = (vb_source_want){
        .mode = q->mode, .time_ms = q->issued_at_ms, .round = q->round, .wait_ms = x->o->wait_ms};
    vb_source_stop(x->o->source, false);
    int bad = pthread_create(&x->thread, NULL, fetch, x);
    if (bad) {
        return vb_fail(e, VB_ENOMEM, "cannot start a thread: %s", strerror(bad));
    }
    x->fetching = true;
    return VB_OK;
}

/* The round could not be had, and nobody asked for that. The thread is done. */
static bool beacon_is_why(const attempt *x) {
    return x->fetch_err && x->fetch_err != VB_ECANCELLED;
}

/* Ends the thread; its round goes into the receipt. */
static vb_err join_fetch(attempt *x, vb_error *e) {
    pthread_join(x->thread, NULL);
    x->fetching = false;
    if (x->fetch_err) {
        if (e) {
            *e = x->fetch_error;
        }
        return x->fetch_err;
    }
    x->r->has_beacon = true;
    x->r->beacon = x->round;
    memset(&x->round, 0, sizeof x->round);
    return VB_OK;
}

/* Fixes the request before any randomness is known: number, time, beacon, signature. */
static vb_err make_commitment(attempt *x, vb_error *e) {
    const vb_answer_options *o = x->o;
    vb_receipt *r = x->r;
    vb_beacon_round round;
    const bool local = r->request.mode == VB_MODE_LOCAL;
    memset(&round, 0, sizeof round);
    vb_err err;
    if (local) {
        /* The round is taken first for its chain's id, which the commitment names; its value
         * enters the seed only. */
        if ((err = vb_local_chain_take(o->chain, &round, e))) {
            return err;
        }
        memcpy(r->request.beacon_id, round.id, sizeof r->request.beacon_id);
    }
    if ((err = vb_ledger_commit(o->ledger, r, e))) {
        vb_beacon_round_free(&round);
        return err;
    }
    vb_receipt_set_id(r);
    if (local) {
        r->has_beacon = true;
        r->beacon = round;
    }
    return VB_OK;
}

/* Before the first draw: whatever the mode, the seed is known from here on. */
static vb_err before_draw(void *user, vb_generation *g, vb_error *e) {
    attempt *x = user;
    uint8_t seed[VB_SHA256_BYTES];
    if (x->fetching && !atomic_load(&x->fetched) && x->o->on_wait) {
        x->o->on_wait(x->o->user, x->r);
    }
    vb_err err = VB_OK;
    if (x->fetching && (err = join_fetch(x, e))) {
        x->beacon_failed = beacon_is_why(x);
        return err;
    }
    if (!(err = vb_receipt_seed(x->r, 0, seed, e))) {
        vb_generation_set_seed(g, seed);
    }
    return err;
}

static vb_err on_text(void *user, const char *text, size_t n_bytes) {
    const attempt *x = user;
    return x->o->on_text ? x->o->on_text(x->o->user, text, n_bytes) : VB_OK;
}

/* A beacon that has failed ends the prefill too: there is nothing to compute it for. */
static bool on_progress(void *user, size_t prompt_done, size_t tokens_done) {
    const attempt *x = user;
    if (x->fetching && atomic_load(&x->fetched) && x->fetch_err) {
        return false;
    }
    return !x->o->on_progress || x->o->on_progress(x->o->user, prompt_done, tokens_done);
}

static vb_err generate(attempt *x, vb_generate_stats *stats, vb_error *e) {
    const vb_answer_options *o = x->o;
    vb_receipt *r = x->r;
    const vb_generate_options run = {
        .model = o->model,
        .workspace = o->workspace,
        .session = o->session,
        .batch_tokens = o->batch_tokens,
        .prompt = r->prompt.tokens,
        .n_prompt = r->prompt.n_tokens,
        .generation = x->g,
        .tokens_max = x->tokens_max,
        .no_speculation = o->no_speculation,
        .before_draw = before_draw,
        .on_text = on_text,
        .on_progress = on_progress,
        .user = x,
    };
    vb_err err = vb_generate(&run, stats, e);
    if (err && x->fetching) {
        /* The error is the beacon's when it is why the prefill was ended. */
        x->beacon_failed = atomic_load(&x->fetched) && beacon_is_why(x);
        vb_source_stop(o->source, true);
        vb_err joined = join_fetch(x, x->beacon_failed ? e : NULL);
        err = x->beacon_failed ? joined : err;
    }
    if (err) {
        return err;
    }
    size_t n_tokens, n_text;
    vb_finish finish = VB_FINISH_LENGTH;
    uint8_t root[VB_SHA256_BYTES];
    const uint32_t *tokens = vb_generation_tokens(x->g, &n_tokens);
    const char *text = vb_generation_text(x->g, &n_text);
    vb_generation_ended(x->g, &finish);
    vb_generation_trace_root(x->g, root);
    return vb_receipt_add_output(r, tokens, n_tokens, text, n_text, finish, root, e);
}

/* Everything after the commitment. */
static vb_err carry_out(attempt *x, uint8_t hash[VB_SHA256_BYTES], vb_generate_stats *stats,
                        vb_error *e) {
    const vb_answer_options *o = x->o;
    const vb_receipt_request *q = &x->r->request;
    vb_err err = VB_OK;
    if (o->key && o->on_commitment && (err = o->on_commitment(o->user, x->r, e))) {
        return err;
    }
    if (q->mode != VB_MODE_LOCAL && !q->has_seed && (err = start_fetching(x, e))) {
        return err;
    }
    if ((err = generate(x, stats, e))) {
        return err;
    }
    if (!o->key) {
        return VB_OK;
    }
    if (o->make_private) {
        vb_receipt_make_private(x->r);
    }
    if (!(err = vb_receipt_sign(x->r, o->key, hash, e))) {
        err = vb_ledger_receipt(o->ledger, x->r, e);
    }
    return err;
}

static vb_err abort_commitment(const attempt *x, vb_err err, vb_error *e) {
    vb_error second = {VB_OK, ""};
    vb_abort_reason reason = x->beacon_failed       ? VB_ABORT_BEACON
                             : err == VB_ECANCELLED ? VB_ABORT_CANCELLED
                                                    : VB_ABORT_FAILED;
    if (vb_ledger_abort(x->o->ledger, x->r, reason, &second)) {
        vb_fail_in(e, err, "commitment %llu stays open (%s)",
                   (unsigned long long)x->r->request.sequence, second.msg);
    }
    return err;
}

/* One commitment, answered or aborted. */
static vb_err try_once(attempt *x, uint8_t hash[VB_SHA256_BYTES], vb_generate_stats *stats,
                       vb_error *e) {
    vb_stop_string stops[VB_STOP_STRINGS_MAX];
    vb_generation_options g;
    /* What can be refused is refused before anything is committed to. */
    vb_err err = vb_receipt_generation(x->r, x->o->model, x->o->tokenizer, stops, &g, e);
    if (err) {
        return err;
    }
    g.grammar = x->grammar;
    g.vocabulary = x->o->vocabulary;
    x->tokens_max = g.tokens_max;
    if ((err = vb_generation_open(&g, &x->g, e))) {
        return err;
    }
    if (!x->o->key || !(err = make_commitment(x, e))) {
        err = carry_out(x, hash, stats, e);
        if (err && x->o->key) {
            abort_commitment(x, err, e);
        }
    }
    vb_generation_close(x->g);
    return err;
}

vb_err vb_answer(const vb_answer_options *o, vb_receipt *r, uint8_t hash[VB_SHA256_BYTES],
                 vb_generate_stats *stats, vb_error *e) {
    const vb_receipt_request *q = &r->request;
    VB_ASSERT(q->n_choices == 1 && r->prompt.has_tokens);
    VB_ASSERT(o->key ? o->ledger != NULL : q->mode == VB_MODE_FIXED && q->has_seed);
    VB_ASSERT(q->has_seed || (q->mode == VB_MODE_LOCAL ? o->chain != NULL : o->source != NULL));
    VB_ASSERT(!q->constraint.p || o->vocabulary);
    vb_grammar *grammar;
    vb_err err = vb_receipt_grammar(q, &grammar, e);
    if (err) {
        return err;
    }
    attempt x = {.o = o, .r = r, .grammar = grammar};
    err = try_once(&x, hash, stats, e);
    if (err && x.beacon_failed && o->fall_back_to_local) {
        if (o->on_fallback) {
            o->on_fallback(o->user, e);
        }
        vb_receipt_fall_back(r);
        attempt again = {.o = o, .r = r, .grammar = grammar};
        err = try_once(&again, hash, stats, e);
    }
    vb_grammar_close(grammar);
    return err;
}
