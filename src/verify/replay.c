/*
 * Passes of the model over the rows of one receipt or of many. Each pass takes rows of the receipts
 * that are in flight, the oldest first, until it is full: so all passes but the last are full, and
 * the weights are read as rarely as can be. A receipt's logits go to its own replay (replay_one.h),
 * which knows nothing of the others.
 */
#include "verify/replay.h"

#include <stdlib.h>

#include "model/kv_pool.h"
#include "verify/replay_one.h"

typedef struct replaying {
    const vb_replay_options *o;
    replay_one *all;
    size_t n_all;
    uint64_t done, total; /* rows; those that are not needed any more count as done */
    bool stopped;         /* by on_progress */
    /* the receipts that share passes */
    vb_kv_pool *pool; /* NULL: one alone, with a session of its own */
    vb_workspace *w;
    replay_one *flying[VB_REPLAY_SHARED_MAX];
    size_t n_flying;
} replaying;

/* The rows of one pass: what vb_forward gets, and whose each item is. */
typedef struct pass {
    vb_batch_item items[VB_REPLAY_SHARED_MAX];
    replay_one *of[VB_REPLAY_SHARED_MAX];
    size_t n;
    size_t wanted[VB_BATCH_TOKENS_MAX], n_wanted; /* of a pass of one item */
    size_t n_failed;                              /* replays that a draw has ended */
} pass;

static vb_err on_logits(void *user, size_t item, size_t index, const float *logits) {
    (void)index;
    pass *p = user;
    replay_one *x = p->of[item];
    if (x->over) {
        return VB_OK;
    }
    const vb_err err = replay_one_draw(x, logits);
    if (err) {
        replay_one_fail(x);
        p->n_failed++;
    }
    return p->n_failed == p->n ? VB_ECANCELLED : VB_OK;
}

/* Whether the rows whose logits are wanted are the last ones of `size`. */
static bool is_tail(const size_t *wanted, size_t n_wanted, size_t size) {
    return n_wanted == 0 || wanted[0] == size - n_wanted;
}

/* The next rows of what is in flight. Rows that are chosen here and there go alone, so that no head
 * is computed for those between. */
static void fill(const replaying *y, pass *p) {
    size_t room = y->o->batch_tokens;
    p->n = p->n_wanted = p->n_failed = 0;
    for (size_t i = 0; i < y->n_flying && room > 0; i++) {
        replay_one *x = y->flying[i];
        const size_t left = x->n_rows - x->at, size = left < room ? left : room;
        size_t wanted[VB_BATCH_TOKENS_MAX];
        const size_t n_wanted = replay_one_wanted(x, size, wanted);
        const bool alone = !is_tail(wanted, n_wanted, size);
        if (alone && p->n > 0) {
            continue;
        }
        p->items[p->n] = (vb_batch_item){x->session, x->tokens + x->at, size, size - n_wanted};
        p->of[p->n++] = x;
        room = alone ? 0 : room - size;
    }
}

/* One item, whichever rows it wants. The error is the replay's own. */
static void forward_alone(const replaying *y, replay_one *x, size_t size) {
    pass p = {.of = {x}, .n = 1};
    const vb_batch_item item = {x->session, x->tokens + x->at, size, size};
    p.n_wanted = replay_one_wanted(x, size, p.wanted);
    if (vb_forward_listed(y->o->model, y->w, &item, p.wanted, p.n_wanted, on_logits, &p, &x->e) &&
        !x->over) {
        replay_one_fail(x);
    }
}

/* When a pass of several fails, by one whose numbers are not finite, each of them goes alone: so
 * the error is that receipt's and no other's. Logits that had been drawn from are not wanted again.
 */
static void forward(const replaying *y, pass *p) {
    vb_error e = {VB_OK, ""};
    if (p->n > 1 &&
        (!vb_forward(y->o->model, y->w, p->items, p->n, on_logits, p, &e) || p->n_failed == p->n)) {
        return;
    }
    for (size_t i = 0; i < p->n; i++) {
        if (!p->of[i]->over) {
            forward_alone(y, p->of[i], p->items[i].n_tokens);
        }
    }
}

static void stop(replaying *y) {
    for (size_t i = 0; i < y->n_all; i++) {
        replay_one *x = &y->all[i];
        if (!x->over) {
            vb_fail(&x->e, VB_ECANCELLED, "stopped before the end");
            replay_one_fail(x);
        }
    }
    y->stopped = true;
}

/* The session's pages are free for the next. */
static void land(replaying *y, replay_one *x) {
    y->done += x->total - x->done;
    x->done = x->total;
    vb_session_close(x->session);
    x->session = NULL;
}

static void land_those_over(replaying *y) {
    size_t n = 0;
    for (size_t i = 0; i < y->n_flying; i++) {
        if (y->flying[i]->over) {
            land(y, y->flying[i]);
        } else {
            y->flying[n++] = y->flying[i];
        }
    }
    y->n_flying = n;
}

static void step(replaying *y) {
    pass p;
    fill(y, &p);
    forward(y, &p);
    bool drawing = false;
    for (size_t i = 0; i < p.n; i++) {
        y->done += p.items[i].n_tokens;
        p.of[i]->done += p.items[i].n_tokens;
        drawing = drawing || !p.of[i]->over;
    }
    if (drawing && y->o->on_progress && !y->o->on_progress(y->o->user, y->done, y->total)) {
        stop(y);
    }
    for (size_t i = 0; i < p.n; i++) {
        if (!p.of[i]->over) {
            replay_one_advance(p.of[i], p.items[i].n_tokens);
        }
    }
    land_those_over(y);
}

static size_t pages_of(const replay_one *x) {
    return (x->capacity + VB_ATTN_CHUNK - 1) / VB_ATTN_CHUNK;
}

/* Rows that passes could take now. */
static size_t rows_in_flight(const replaying *y) {
    size_t n = 0;
    for (size_t i = 0; i < y->n_flying; i++) {
        n += y->flying[i]->n_rows - y->flying[i]->at;
    }
    return n;
}

/* Whether one that may need so many pages finds them, now and until its end. */
static bool have_pages(const replaying *y, size_t n) {
    size_t taken = 0;
    for (size_t i = 0; i < y->n_flying; i++) {
        taken += pages_of(y->flying[i]);
    }
    return n <= vb_kv_pool_pages(y->pool) - taken;
}

/* With a session, which is x's from here on. */
static void take_off(replaying *y, replay_one *x, vb_err err) {
    if (err) {
        replay_one_fail(x);
    } else {
        replay_one_begin(x);
    }
    if (x->over) {
        land(y, x);
    } else {
        y->flying[y->n_flying++] = x;
    }
}

/* All of `queue`, in its order. */
static void replay_queue(replaying *y, replay_one *const *queue, size_t n) {
    size_t next = 0;
    while (!y->stopped && (next < n || y->n_flying)) {
        while (next < n && y->n_flying < VB_REPLAY_SHARED_MAX &&
               rows_in_flight(y) < y->o->batch_tokens && have_pages(y, pages_of(queue[next]))) {
            replay_one *x = queue[next++];
            take_off(y, x, vb_session_open_in(y->pool, x->capacity, &x->session, &x->e));
        }
        if (y->n_flying) {
            step(y);
        }
    }
}

static void replay_alone(replaying *y, replay_one *x) {
    const vb_replay_options *o = y->o;
    vb_err err = vb_session_open(o->model, x->capacity, &x->session, &x->e);
    if (!err) {
        err = vb_workspace_open(o->model, o->batch_tokens, x->capacity, o->n_threads, &y->w, &x->e);
    }
    take_off(y, x, err);
    while (y->n_flying) {
        step(y);
    }
    vb_workspace_close(y->w);
    y->w = NULL;
}

/* Those that the shared cache has room for; without memory for it, none. */
static void replay_shared(replaying *y) {
    replay_one **queue = malloc(y->n_all * sizeof(replay_one *));
    size_t n = 0, pages = 0, longest = 0;
    for (size_t i = 0; queue && i < y->n_all; i++) {
        replay_one *x = &y->all[i];
        if (!x->over && pages_of(x) <= VB_REPLAY_SHARED_MAX) {
            queue[n++] = x;
            pages += pages_of(x);
            longest = x->capacity > longest ? x->capacity : longest;
        }
    }
    const vb_model *m = y->o->model;
    pages = pages < VB_REPLAY_SHARED_MAX ? pages : VB_REPLAY_SHARED_MAX;
    if (n > 1 &&
        !vb_kv_pool_open(m, pages * vb_kv_page_bytes(vb_model_get_config(m)), &y->pool, NULL) &&
        !vb_workspace_open(m, y->o->batch_tokens, longest, y->o->n_threads, &y->w, NULL)) {
        replay_queue(y, queue, n);
    }
    vb_workspace_close(y->w);
    vb_kv_pool_close(y->pool);
    y->w = NULL;
    y->pool = NULL;
    free(queue);
}

void vb_replay_together(const vb_replay_options *o, const vb_replay_item *items, size_t n_items) {
    VB_ASSERT(n_items == 1 || !o->on_position);
    replaying y = {.o = o, .n_all = n_items, .all = calloc(n_items, sizeof *y.all)};
    for (size_t i = 0; i < n_items; i++) {
        const vb_replay_item *it = &items[i];
        if (!y.all) {
            vb_report_unknown(it->rep, VB_CHECK_TOKENS, VB_REASON_UNFINISHED,
                              "no memory to replay %zu receipts", n_items);
            continue;
        }
        y.all[i] = (replay_one){.o = o,
                                .r = it->r,
                                .rep = it->rep,
                                .given = it->prompt,
                                .sample_seed = it->sample_seed};
        replay_one_open(&y.all[i]);
        y.total += y.all[i].total;
    }
    if (!y.all) {
        return;
    }
    replay_shared(&y);
    for (size_t i = 0; i < n_items; i++) {
        if (!y.all[i].over) {
            replay_alone(&y, &y.all[i]);
        }
        replay_one_close(&y.all[i]);
    }
    free(y.all);
}

void vb_replay(const vb_replay_options *o, const vb_receipt *r, vb_report *rep) {
    const vb_replay_item item = {r, rep, o->prompt, o->sample_seed};
    vb_replay_together(o, &item, 1);
}
