/*
 * The forward pass (spec/arithmetic.md, "Forward pass"): one function for prefill, decode and
 * batches of sequences. All tokens of a call are rows of one matrix; every row is computed as
 * if it were alone, so rows, tiles of weights and attention groups may be shared out among
 * threads in any way without changing a bit.
 */
#include "arith/floatenv.h"
#include "arith/rope.h"
#include "base/limits.h"
#include "model/pass.h"

/* Checks the items and lays their tokens out as rows and attention spans. */
static vb_err lay_out(vb_workspace *w, const vb_batch_item *items, size_t n_items, vb_pass *p,
                      vb_error *e) {
    const vb_model_config *c = &w->model->config;
    size_t n = 0, spans = 0;
    p->one_span_each = true;
    for (size_t i = 0; i < n_items; i++) {
        const vb_batch_item *it = &items[i];
        VB_ASSERT(it->session->model == w->model && it->logits_from <= it->n_tokens);
        VB_ASSERT(it->n_tokens <= w->tokens_max - n);
        VB_ASSERT(it->session->capacity <= w->ctx_max);
        if (it->n_tokens > it->session->capacity - it->session->length) {
            return vb_fail(e, VB_ELIMIT,
                           "the context is full: %zu of %zu tokens, %zu more asked for",
                           it->session->length, it->session->capacity, it->n_tokens);
        }
        for (size_t j = 0; j < it->n_tokens; j++) {
            if (it->tokens[j] >= c->n_vocab) {
                return vb_fail(e, VB_EINVAL,
                               "token %u at position %zu is outside the vocabulary of %zu",
                               it->tokens[j], it->session->length + j, c->n_vocab);
            }
            w->rows[n + j] = (vb_row){it->session, it->session->length + j, it->tokens[j]};
        }
        for (size_t j = 0; j < it->n_tokens; j += w->group_tokens) {
            size_t left = it->n_tokens - j;
            w->spans[spans++] = (vb_span){n + j, left < w->group_tokens ? left : w->group_tokens};
        }
        p->one_span_each = p->one_span_each && it->n_tokens <= w->group_tokens;
        n += it->n_tokens;
    }
    p->n_rows = n;
    p->n_spans = spans;
    return VB_OK;
}

/* Wants the logits of each item from its logits_from on; returns of how many rows. */
static size_t want_ends(vb_workspace *w, const vb_batch_item *items, size_t n_items) {
    size_t first = 0, n = 0;
    for (size_t i = 0; i < n_items; i++) {
        for (size_t j = items[i].logits_from; j < items[i].n_tokens; j++) {
            w->wanted[n++] = (vb_wanted){first + j, i, j};
        }
        first += items[i].n_tokens;
    }
    return n;
}

/* Wants those of the only item's tokens that are listed. */
static size_t want_listed(vb_workspace *w, const vb_batch_item *item, const size_t *wanted,
                          size_t n_wanted) {
    for (size_t i = 0; i < n_wanted; i++) {
        VB_ASSERT(wanted[i] < item->n_tokens && (i == 0 || wanted[i - 1] < wanted[i]));
        w->wanted[i] = (vb_wanted){wanted[i], 0, wanted[i]};
    }
    return n_wanted;
}

/* How the pass is shared out: with fewer KV heads and spans than threads, the queries of one KV
 * head go to several of them. */
static void plan(vb_workspace *w, vb_pass *p) {
    const vb_model_config *c = &w->model->config;
    const size_t group = c->n_heads / c->n_kv_heads, work = p->n_spans * c->n_kv_heads;
    const size_t threads = (size_t)w->n_threads;
    const size_t parts = work ? (threads + work - 1) / work : 1;
    p->head_parts = parts < group ? parts : group;
    p->one_span_each = p->one_span_each && p->head_parts == 1;
}

/* This thread's float environment, token embeddings, and rotations not known yet: each position
 * has one thread that computes it. */
static void enter(vb_pass *p, const vb_member *me) {
    const vb_model *m = p->m;
    const vb_workspace *w = p->w;
    const size_t width = m->config.n_embd, half = m->config.n_rot / 2;
    if (!vb_float_env_ok()) {
        atomic_store_explicit(&p->bad_float_env, true, memory_order_relaxed);
    }
    const size_t end = vb_share_end(me, p->n_rows);
    for (size_t t = vb_share_begin(me, p->n_rows); t < end; t++) {
        m->k->unpack_row(&m->embed.m, w->rows[t].token, w->x + t * width);
    }
    for (size_t t = 0; t < p->n_rows; t++) {
        const size_t pos = w->rows[t].pos;
        if (pos % me->n == me->index && !w->rotation_known[pos]) {
            vb_rope_row(m->rope_freq, half, m->rope_mscale, pos, w->cos_rows + pos * half,
                        w->sin_rows + pos * half);
            w->rotation_known[pos] = true;
        }
    }
}

/* Logits of the wanted rows, whatever sequences they belong to. Each row is wanted once, so that
 * the last layer's result may be added to it here. */
static void head(vb_pass *p, const vb_member *me) {
    const vb_model *m = p->m;
    const vb_model_config *c = &m->config;
    vb_workspace *w = p->w;
    const vb_weight *weight = vb_model_head(m);
    const size_t width = c->n_embd, n = p->n_wanted, check = vb_check_of(c->n_layers, 0);
    const size_t end = vb_share_end(me, n);
    for (size_t i = vb_share_begin(me, n); i < end; i++) {
        float *x = w->x + p->wanted[i].row * width, *row = w->in + i * width;
        m->k->add(x, w->delta + p->wanted[i].row * width, width);
        m->k->rmsnorm(x, m->output_norm, width, c->rms_eps, row);
        if (!vb_pass_ready(w, &w->act, row, i, width, 0, width, !weight->is_float)) {
            vb_pass_note_fault(p, check, p->wanted[i].row);
        }
    }
    vb_team_wait(me);
    if (vb_pass_stops(p, check)) {
        return;
    }
    const vb_product list[] = {{weight, w->logits}};
    vb_pass_multiply(p, me, &w->act, w->in, n, list, 1);
    vb_team_wait(me);
    const size_t c0 = vb_share_begin(me, c->n_vocab), columns = vb_share_end(me, c->n_vocab) - c0;
    for (size_t i = 0; i < n; i++) {
        if (!m->k->all_finite(w->logits + i * c->n_vocab + c0, columns)) {
            vb_pass_note_fault(p, check, p->wanted[i].row);
        }
    }
}

/* What each thread does of the pass, or of a further block of logits. */
static void walk(void *user, const vb_member *me) {
    vb_pass *p = user;
    if (p->layers) {
        enter(p, me);
        vb_team_wait(me);
        if (atomic_load_explicit(&p->bad_float_env, memory_order_relaxed)) {
            return;
        }
        for (size_t layer = 0; layer < p->m->config.n_layers; layer++) {
            if (!vb_pass_layer(p, me, layer)) {
                return;
            }
        }
    }
    if (p->n_wanted > 0) {
        head(p, me);
    }
}

/* What walk() found to be wrong, as an error. */
static vb_err outcome(vb_pass *p, vb_error *e) {
    const vb_model *m = p->m;
    const uint64_t fault = atomic_load_explicit(&p->fault, memory_order_relaxed);
    if (atomic_load_explicit(&p->bad_float_env, memory_order_relaxed)) {
        return vb_fail(e, VB_EMISMATCH,
                       "a thread's rounding mode is not nearest-even, or it flushes subnormals");
    }
    if (fault == UINT64_MAX) {
        return VB_OK;
    }
    const size_t layer = (size_t)(fault >> 32) / VB_CHECKS;
    const size_t pos = p->w->rows[fault & UINT32_MAX].pos;
    if (layer == m->config.n_layers) {
        return vb_fail(e, VB_ENONFINITE,
                       "%s: its input or the logits are not finite at position %zu",
                       vb_model_head(m)->name, pos);
    }
    const vb_layer *y = &m->layers[layer];
    const vb_weight *fed = NULL;
    switch ((vb_check)((fault >> 32) % VB_CHECKS)) {
    case VB_CHECK_QKV_INPUT: fed = &y->wq; break;
    case VB_CHECK_OUT_INPUT: fed = &y->wo; break;
    case VB_CHECK_FFN_INPUT: fed = &y->gate; break;
    case VB_CHECK_DOWN_INPUT: fed = &y->down; break;
    default:
        return vb_fail(
            e, VB_ENONFINITE,
            "layer %zu: a query, or a key or value in binary16, is not finite at position %zu",
            layer, pos);
    }
    return vb_fail(e, VB_ENONFINITE, "the input of %s is not finite at position %zu", fed->name,
                   pos);
}

static vb_err hand_out_logits(const vb_pass *p, vb_logits_fn on_logits, void *user, vb_error *e) {
    for (size_t i = 0; i < p->n_wanted; i++) {
        const vb_wanted *wanted = &p->wanted[i];
        vb_err err =
            on_logits(user, wanted->item, wanted->index, p->w->logits + i * p->m->config.n_vocab);
        if (err) {
            if (e && !e->code) {
                vb_fail(e, err, "stopped by the receiver of the logits");
            }
            return err;
        }
    }
    return VB_OK;
}

/* The pass over rows that are laid out: the layers and a first block of logits at once, then each
 * further block. */
static vb_err run_pass(vb_pass *p, size_t n_wanted, vb_logits_fn on_logits, void *user,
                       vb_error *e) {
    vb_err err = VB_OK;
    size_t done = 0;
    p->layers = true;
    do {
        const size_t left = n_wanted - done;
        p->wanted = p->w->wanted + done;
        p->n_wanted = left < VB_LOGITS_ROWS ? left : VB_LOGITS_ROWS;
        vb_team_run(p->w->team, walk, p);
        err = outcome(p, e);
        err = err ? err : hand_out_logits(p, on_logits, user, e);
        p->layers = false;
        done += p->n_wanted;
    } while (!err && done < n_wanted);
    return err;
}

/* wanted NULL: as each item's logits_from says. */
static vb_err forward(const vb_model *m, vb_workspace *w, const vb_batch_item *items,
                      size_t n_items, const size_t *wanted, size_t n_wanted, vb_logits_fn on_logits,
                      void *user, vb_error *e) {
    VB_ASSERT(w->model == m);
    vb_pass p = {.w = w, .m = m};
    atomic_init(&p.fault, UINT64_MAX);
    atomic_init(&p.bad_float_env, false);
    if (e) {
        e->code = VB_OK;
    }
    vb_err err = lay_out(w, items, n_items, &p, e);
    for (size_t i = 0; i < n_items && !err; i++) {
        err = vb_session_make_room(items[i].session, items[i].n_tokens, e);
    }
    if (err || p.n_rows == 0) {
        return err;
    }
    n_wanted = wanted ? want_listed(w, items, wanted, n_wanted) : want_ends(w, items, n_items);
    plan(w, &p);
    err = run_pass(&p, n_wanted, on_logits, user, e);
    for (size_t i = 0; i < n_items && !err; i++) {
        items[i].session->length += items[i].n_tokens;
    }
    return err;
}

vb_err vb_forward(const vb_model *m, vb_workspace *w, const vb_batch_item *items, size_t n_items,
                  vb_logits_fn on_logits, void *user, vb_error *e) {
    return forward(m, w, items, n_items, NULL, 0, on_logits, user, e);
}

vb_err vb_forward_listed(const vb_model *m, vb_workspace *w, const vb_batch_item *item,
                         const size_t *wanted, size_t n_wanted, vb_logits_fn on_logits, void *user,
                         vb_error *e) {
    return forward(m, w, item, 1, wanted, n_wanted, on_logits, user, e);
}
