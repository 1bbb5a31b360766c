/*
 * One step: who takes part, the pass, and what its logits lead to. A pass that fails is repeated
 * item by item and without drafts, so that only the sequences whose own numbers fail end with the
 * error.
 */
#include <stdlib.h>
#include <string.h>

#include "base/system.h"
#include "engine/scheduler_internal.h"

enum { PROMPTS_TURN = 4 }; /* each so many-th step that decoding would fill is the prompts' */

/* ---- the prefix cache ---- */

/* Tokens of page i of a sequence: the prompt's, then those that were drawn. */
static void page_tokens(const vb_sequence *q, size_t page, uint32_t out[VB_ATTN_CHUNK]) {
    const vb_generation_options *o = &q->of->r.choices[q->choice];
    size_t n_drawn;
    const uint32_t *drawn = vb_generation_tokens(q->generation, &n_drawn);
    for (size_t i = 0; i < VB_ATTN_CHUNK; i++) {
        const size_t at = page * VB_ATTN_CHUNK + i;
        VB_ASSERT(at < o->n_prompt + n_drawn);
        out[i] = at < o->n_prompt ? o->prompt[at] : drawn[at - o->n_prompt];
    }
}

/* Pages that have become full since the last step. */
static void cache_pages(vb_scheduler *s, vb_sequence *q) {
    uint32_t tokens[VB_ATTN_CHUNK];
    while (s->cache && vb_session_length(q->session) / VB_ATTN_CHUNK > q->place.n_pages) {
        page_tokens(q, q->place.n_pages, tokens);
        vb_prefix_cache_add(s->cache, &q->place, q->session, tokens);
    }
}

void vb_scheduler_adopt(vb_scheduler *s, vb_scheduled *x) {
    vb_sequence *q = &x->choices[0];
    const vb_generation_options *o = &x->r.choices[0];
    size_t at = vb_session_length(q->session);
    /* The last token of a prompt is always computed: its logits are wanted. */
    while (s->cache && at == q->place.n_pages * VB_ATTN_CHUNK && at + VB_ATTN_CHUNK < o->n_prompt &&
           vb_prefix_cache_adopt(s->cache, &q->place, q->session, o->prompt + at)) {
        at += VB_ATTN_CHUNK;
        x->n_cached += VB_ATTN_CHUNK;
    }
}

/* Idle pages make room; what is admitted always fits. */
static void make_room(vb_scheduler *s, size_t n_pages) {
    const bool is_there = s->cache ? vb_prefix_cache_make_room(s->cache, n_pages)
                                   : vb_kv_pool_free_pages(s->pool) >= n_pages;
    VB_ASSERT(is_there);
}

/* ---- draws ---- */

static void show_text(vb_sequence *q) {
    const vb_scheduler_request *r = &q->of->r;
    size_t n;
    const char *text = vb_generation_text(q->generation, &n);
    if (n > q->shown) {
        if (r->on_text) {
            r->on_text(r->user, q->choice, text + q->shown, n - q->shown);
        }
        q->shown = n;
    }
}

static void draw(vb_scheduler *s, vb_sequence *q, const float *logits) {
    const vb_scheduler_request *r = &q->of->r;
    uint32_t token;
    q->err = vb_generation_step(q->generation, logits, &token, &q->error);
    if (q->err) {
        return;
    }
    q->n_drawn++;
    if (q->n_true < q->n_rows && q->rows[q->n_true] == token &&
        !vb_generation_ended(q->generation, NULL)) {
        q->n_true++;
    }
    s->counts.tokens++;
    if (r->on_token) {
        r->on_token(r->user, q->choice, token, logits, q->generation);
    }
    show_text(q);
}

/* After a draw: the sequence is over, or decodes on. */
static void settle(vb_scheduler *s, vb_sequence *q) {
    if (q->err || vb_generation_ended(q->generation, NULL)) {
        vb_scheduler_end_sequence(s, q);
    }
}

void vb_scheduler_begin_decoding(vb_scheduler *s, vb_scheduled *x) {
    vb_sequence *first = &x->choices[0];
    const size_t n = x->r.n_choices;
    const bool copies = vb_session_length(first->session) % VB_ATTN_CHUNK != 0;
    x->phase = VB_PHASE_DECODING;
    for (size_t i = 0; i < n; i++) {
        vb_sequence *q = &x->choices[i];
        vb_generation_set_seed(q->generation, q->seed);
        draw(s, q, x->logits);
        if (i > 0 && !q->err && !vb_generation_ended(q->generation, NULL)) {
            make_room(s, copies);
            q->place = first->place;
            q->err = vb_session_fork(first->session, q->ctx_tokens, &q->session, &q->error);
        }
        vb_line_add(&s->decoding, q);
    }
    free(x->logits);
    x->logits = NULL;
    /* The first choice comes last: with it the request may be gone. */
    for (size_t i = n; i-- > 0;) {
        settle(s, &x->choices[i]);
    }
}

/* ---- who takes part ---- */

static bool is_turn_of_prompts(vb_scheduler *s) {
    if (s->prompts.n == 0 || s->decoding.n < s->o.batch_tokens) {
        return false;
    }
    return ++s->full_steps % PROMPTS_TURN == 0;
}

/* A draft behind the row that q has in this pass: at most n_max tokens, and none that the answer
 * has no room for. Returns its length. */
static size_t draft(vb_sequence *q, size_t n_max, vb_lookup_pass *pass) {
    const vb_generation_options *o = &q->of->r.choices[q->choice];
    size_t n_tokens;
    const uint32_t *tokens = vb_generation_tokens(q->generation, &n_tokens);
    n_max = n_max < VB_LOOKUP_DRAFT_MAX ? n_max : VB_LOOKUP_DRAFT_MAX;
    n_max = n_max < o->tokens_max - n_tokens ? n_max : o->tokens_max - n_tokens - 1;
    if (!q->lookup || n_max == 0) {
        return 0;
    }
    if (vb_lookup_length(q->lookup) == 0) {
        vb_lookup_add(q->lookup, o->prompt, o->n_prompt);
    }
    const size_t known = vb_lookup_length(q->lookup) - o->n_prompt;
    vb_lookup_add(q->lookup, tokens + known, n_tokens - known);
    return vb_lookup_draft(q->lookup, n_max, pass, q->rows + 1);
}

/* Drafts for the first n items, in what they leave of a step, and of what is worth it; where
 * prompts wait, half of it. Returns how many rows. */
static size_t add_drafts(vb_scheduler *s, size_t n, size_t left) {
    const size_t worth = n < VB_LOOKUP_ROWS_MAX ? VB_LOOKUP_ROWS_MAX - n : 0;
    vb_lookup_pass pass = {s->costs, n, (double)n};
    size_t room = s->prompts.n ? left / 2 : left, n_drafted = 0;
    room = room < worth ? room : worth;
    for (size_t i = 0; i < n && room; i++) {
        vb_sequence *q = s->parts[i].sequence;
        const size_t others = n - i, share = (room + others - 1) / others;
        const size_t size = draft(q, share, &pass);
        q->n_rows += size;
        s->items[i].n_tokens += size;
        room -= size;
        n_drafted += size;
    }
    s->counts.drafted += n_drafted;
    return n_drafted;
}

/* The newest token of a sequence is its first row. */
static void begin_rows(vb_sequence *q) {
    size_t n_tokens;
    const uint32_t *tokens = vb_generation_tokens(q->generation, &n_tokens);
    q->rows[0] = tokens[n_tokens - 1];
    q->n_rows = q->n_true = 1;
    q->n_drawn = 0;
}

/* Fills items and parts of a step; returns how many. */
static size_t choose(vb_scheduler *s) {
    size_t n = 0, left = s->o.batch_tokens, served = 0;
    if (!is_turn_of_prompts(s)) {
        for (; n < s->decoding.n && left; n++, left--) {
            vb_sequence *q = s->decoding.items[n];
            begin_rows(q);
            s->items[n] = (vb_batch_item){q->session, q->rows, 1, 0};
            s->parts[n] = (vb_step_part){q, false};
        }
        vb_line_rotate(&s->decoding, n);
        left -= add_drafts(s, n, left);
    }
    for (; served < s->prompts.n && left; served++, n++) {
        vb_scheduled *x = s->prompts.items[served];
        const vb_generation_options *o = &x->r.choices[0];
        vb_scheduler_adopt(s, x); /* another may have computed it meanwhile */
        const size_t at = vb_session_length(x->choices[0].session), rest = o->n_prompt - at;
        const size_t size = rest < left ? rest : left;
        s->items[n] = (vb_batch_item){x->choices[0].session, o->prompt + at, size,
                                      size == rest ? size - 1 : size};
        s->parts[n] = (vb_step_part){&x->choices[0], true};
        left -= size;
    }
    vb_line_rotate(&s->prompts, served);
    return n;
}

/* ---- the pass ---- */

typedef struct pass {
    vb_scheduler *s;
    size_t first; /* item 0 of the pass is this one of the step */
} pass;

/* A callback of the step may have cancelled it. */
static bool is_cancelled(vb_scheduler *s, const vb_scheduled *x) {
    pthread_mutex_lock(&s->lock);
    const bool is = x->cancelled || s->stopping;
    pthread_mutex_unlock(&s->lock);
    return is;
}

/* Rows are drawn from in order, as long as the draft proves right. When a pass is repeated, what
 * was drawn in it stays. */
static vb_err on_logits(void *user, size_t item, size_t index, const float *logits) {
    const pass *p = user;
    const vb_step_part *part = &p->s->parts[p->first + item];
    vb_sequence *q = part->sequence;
    if (part->is_prompt) {
        memcpy(q->of->logits, logits, p->s->n_vocab * sizeof *logits);
    } else if (index == q->n_drawn && index < q->n_true && !q->err &&
               (index == 0 || !is_cancelled(p->s, q->of))) {
        draw(p->s, q, logits);
    }
    return VB_OK;
}

/* Its rows may be why a pass failed. */
static void give_up_draft(vb_sequence *q) {
    if (q->n_rows > 1) {
        vb_lookup_learn(q->lookup, 0);
    }
    q->n_rows = q->n_true = 1;
}

/* The pass, and where it fails one for each item. */
static void run_passes(vb_scheduler *s, size_t n) {
    pass all = {s, 0};
    vb_error error;
    if (!vb_forward(s->o.model, s->workspace, s->items, n, on_logits, &all, &error)) {
        return;
    }
    for (size_t i = 0; i < n; i++) {
        vb_sequence *q = s->parts[i].sequence;
        pass one = {s, i};
        if (!s->parts[i].is_prompt) {
            give_up_draft(q);
            s->items[i].n_tokens = q->n_drawn ? q->n_drawn : 1;
        }
        vb_err err = vb_forward(s->o.model, s->workspace, &s->items[i], 1, on_logits, &one, &error);
        if (err) {
            q->err = err;
            q->error = error;
        }
    }
}

static void compute(vb_scheduler *s, size_t n) {
    size_t n_pages = 0;
    for (size_t i = 0; i < n; i++) {
        const size_t length = vb_session_length(s->items[i].session);
        n_pages +=
            vb_scheduler_pages_of(length + s->items[i].n_tokens) - vb_scheduler_pages_of(length);
    }
    make_room(s, n_pages);
    s->counts.steps++;
    if (s->o.turn) {
        vb_scheduler_turn_take(s->o.turn);
    }
    run_passes(s, n);
    if (s->o.turn) {
        vb_scheduler_turn_give(s->o.turn);
    }
}

static void finish_prompt_part(vb_scheduler *s, vb_sequence *q) {
    vb_scheduled *x = q->of;
    if (q->err) {
        vb_scheduler_end_request(s, x, q->err, &q->error);
        return;
    }
    cache_pages(s, q);
    if (vb_session_length(q->session) == x->r.choices[0].n_prompt) {
        x->phase = VB_PHASE_PARKED;
        x->prompt_ns = vb_clock_ns();
        s->counts.prompt_tokens += x->r.choices[0].n_prompt;
        s->counts.prompt_tokens_cached += x->n_cached;
        vb_line_remove(&s->prompts, x);
    }
}

/* What was drawn from stays, all that is behind it leaves before a page is cached. */
static void finish_rows(vb_scheduler *s, vb_sequence *q, size_t n_computed) {
    if (!q->err) {
        vb_session_truncate(q->session, vb_session_length(q->session) - n_computed + q->n_drawn);
        cache_pages(s, q);
    }
    if (q->n_rows > 1) {
        vb_lookup_learn(q->lookup, q->n_true - 1);
    }
    s->counts.accepted += q->n_drawn > 1 ? q->n_drawn - 1 : 0;
    settle(s, q);
}

void vb_scheduler_step(vb_scheduler *s) {
    const size_t n = choose(s);
    if (n == 0) {
        return;
    }
    compute(s, n);
    for (size_t i = 0; i < n; i++) {
        vb_sequence *q = s->parts[i].sequence;
        if (s->parts[i].is_prompt) {
            finish_prompt_part(s, q);
        } else {
            finish_rows(s, q, s->items[i].n_tokens);
        }
    }
}
