/*
 * One layer of a pass (spec/arithmetic.md, "Forward pass"), as one thread of the team walks through
 * it. Rows, tiles of weights and attention groups are shared out; every row is computed as if it
 * were alone. What makes a row and what makes it ready for the next product are one step, while it
 * rests in the first-level cache.
 */
#include <string.h>

#include "base/limits.h"
#include "model/pass.h"

static size_t smaller(size_t a, size_t b) {
    return a < b ? a : b;
}

void vb_pass_note_fault(vb_pass *p, size_t check, size_t row) {
    const uint64_t mine = (uint64_t)check << 32 | row;
    uint64_t seen = atomic_load_explicit(&p->fault, memory_order_relaxed);
    while (mine < seen && !atomic_compare_exchange_weak_explicit(
                              &p->fault, &seen, mine, memory_order_relaxed, memory_order_relaxed)) {
    }
}

bool vb_pass_ready(const vb_workspace *w, const vb_quants *to, const float *x, size_t t,
                   size_t cols, size_t c0, size_t n, bool integer) {
    const vb_kernels *k = w->model->k;
    const size_t at = t * (cols / VB_BLOCK) + c0 / VB_BLOCK;
    return integer ? k->quantize(x, n, to->q + at * VB_BLOCK, to->d + at, to->u + at, to->u_lo + at,
                                 to->du + at)
                   : k->all_finite(x, n);
}

static vb_act act_of(const vb_quants *a, const float *in, size_t n, size_t cols) {
    return (vb_act){n, cols, in, a->q, a->d, a->u, a->u_lo, a->du};
}

void vb_pass_multiply(const vb_pass *p, const vb_member *me, const vb_quants *act, const float *in,
                      size_t n, const vb_product *list, size_t n_products) {
    const vb_act x = act_of(act, in, n, list[0].weight->m.cols);
    size_t tiles[4] = {0};
    for (size_t i = 0; i < n_products; i++) {
        tiles[i + 1] = tiles[i] + (list[i].weight->m.rows + VB_ROW_TILE - 1) / VB_ROW_TILE;
    }
    const size_t begin = vb_share_begin(me, tiles[n_products]);
    const size_t end = vb_share_end(me, tiles[n_products]);
    for (size_t i = 0; i < n_products; i++) {
        const vb_matrix *m = &list[i].weight->m;
        const size_t r0 = begin > tiles[i] ? (begin - tiles[i]) * VB_ROW_TILE : 0;
        const size_t r1 = end > tiles[i] ? (end - tiles[i]) * VB_ROW_TILE : 0;
        if (r0 < smaller(r1, m->rows)) {
            p->m->k->matmul(m, r0, smaller(r1, m->rows), &x, list[i].y, m->rows);
        }
    }
}

/* The input of the next products, normalised from the residual stream, to which the last product's
 * result is added first if there is one. A row for integer weights alone is not kept. */
static void ready_rows(vb_pass *p, const vb_member *me, size_t check, bool add, const float *norm,
                       bool integer, bool is_float) {
    vb_workspace *w = p->w;
    const vb_kernels *k = p->m->k;
    const size_t width = p->m->config.n_embd;
    const size_t end = vb_share_end(me, p->n_rows);
    for (size_t t = vb_share_begin(me, p->n_rows); t < end; t++) {
        float *row = is_float ? w->in + t * width : w->own_row + me->index * w->own_row_each;
        if (add) {
            k->add(w->x + t * width, w->delta + t * width, width);
        }
        k->rmsnorm(w->x + t * width, norm, width, p->m->config.rms_eps, row);
        if (!vb_pass_ready(w, &w->act, row, t, width, 0, width, integer)) {
            vb_pass_note_fault(p, check, t);
        }
    }
}

/* Biases and rotation of the queries, keys and values of row t that belong to KV heads [h0, h1);
 * the latter two into the cache. */
static void place_keys(vb_pass *p, size_t layer, size_t t, size_t h0, size_t h1) {
    const vb_workspace *w = p->w;
    const vb_model_config *c = &p->m->config;
    const vb_layer *y = &p->m->layers[layer];
    const vb_kernels *k = p->m->k;
    const size_t dim = c->head_dim, group = c->n_heads / c->n_kv_heads, half = c->n_rot / 2;
    const size_t q_at = h0 * group * dim, q_n = (h1 - h0) * group * dim;
    const size_t kv_at = h0 * dim, kv_n = (h1 - h0) * dim;
    float *qt = w->q + t * c->n_heads * dim + q_at;
    float *kt = w->k + t * c->n_kv_heads * dim + kv_at,
          *vt = w->v + t * c->n_kv_heads * dim + kv_at;
    if (y->bq) {
        k->add(qt, y->bq + q_at, q_n);
    }
    if (y->bk) {
        k->add(kt, y->bk + kv_at, kv_n);
    }
    if (y->bv) {
        k->add(vt, y->bv + kv_at, kv_n);
    }
    const vb_session *s = w->rows[t].session;
    const size_t pos = w->rows[t].pos, page = pos / VB_ATTN_CHUNK, slot = pos % VB_ATTN_CHUNK;
    const float *cos_row = w->cos_rows + pos * half, *sin_row = w->sin_rows + pos * half;
    k->rope(qt, (h1 - h0) * group, dim, c->n_rot, c->rope_style, cos_row, sin_row);
    k->rope(kt, h1 - h0, dim, c->n_rot, c->rope_style, cos_row, sin_row);
    bool fine = k->all_finite(qt, q_n);
    for (size_t h = h0; h < h1; h++) {
        const size_t at = (layer * c->n_kv_heads + h) * s->n_pages + page;
        fine = k->kv_store(kt + (h - h0) * dim, vt + (h - h0) * dim, dim, s->key_pages[at],
                           s->value_pages[at], slot) &&
               fine;
    }
    if (!fine) {
        vb_pass_note_fault(p, vb_check_of(layer, VB_CHECK_KEYS), t);
    }
}

/* Some queries of one KV head for the tokens of a span: heads [g0, g1) of its group. */
typedef struct heads {
    const vb_span *span;
    size_t kv, g0, g1;
} heads;

/* The results of a span's queries, joined as rows of the next input: ready when whole blocks are.
 */
static void store_results(vb_pass *p, size_t layer, const heads *h, const float *out, bool ready) {
    const vb_workspace *w = p->w;
    const vb_model_config *c = &p->m->config;
    const vb_weight *wo = &p->m->layers[layer].wo;
    const size_t dim = c->head_dim, cols = c->n_heads * dim, n = (h->g1 - h->g0) * dim;
    const size_t c0 = (h->kv * (c->n_heads / c->n_kv_heads) + h->g0) * dim;
    for (size_t i = 0; i < h->span->n; i++) {
        const size_t t = h->span->first + i;
        if (wo->is_float || !ready) {
            memcpy(w->in + t * cols + c0, out + i * n, n * sizeof *out);
        }
        if (ready && !vb_pass_ready(w, &w->act, out + i * n, t, cols, c0, n, !wo->is_float)) {
            vb_pass_note_fault(p, vb_check_of(layer, VB_CHECK_OUT_INPUT), t);
        }
    }
}

static void attend_heads(vb_pass *p, const vb_member *me, size_t layer, const heads *h,
                         bool ready) {
    const vb_workspace *w = p->w;
    const vb_model_config *c = &p->m->config;
    const size_t dim = c->head_dim, n_heads = h->g1 - h->g0, n = n_heads * dim;
    const size_t c0 = (h->kv * (c->n_heads / c->n_kv_heads) + h->g0) * dim;
    float *gathered = w->attn_in + me->index * w->attn_rows_each;
    float *out = w->attn_out + me->index * w->attn_rows_each;
    size_t n_keys[VB_MODEL_HEADS_MAX > VB_ATTN_QUERIES ? VB_MODEL_HEADS_MAX : VB_ATTN_QUERIES];
    for (size_t i = 0; i < h->span->n; i++) {
        const size_t t = h->span->first + i;
        memcpy(gathered + i * n, w->q + t * c->n_heads * dim + c0, n * sizeof *gathered);
        for (size_t g = 0; g < n_heads; g++) {
            n_keys[i * n_heads + g] = w->rows[t].pos + 1;
        }
    }
    const vb_session *s = w->rows[h->span->first].session;
    const size_t list = (layer * c->n_kv_heads + h->kv) * s->n_pages;
    p->m->k->attention(gathered, dim, h->span->n * n_heads, n_keys, dim,
                       (const uint16_t *const *)(s->key_pages + list),
                       (const uint16_t *const *)(s->value_pages + list), p->m->attn_scale,
                       w->attn_scores + me->index * w->attn_scores_each, out, dim);
    store_results(p, layer, h, out, ready);
}

/* Work is handed out in turns, since later positions see more keys. */
static void attend(vb_pass *p, const vb_member *me, size_t layer, bool ready) {
    const vb_model_config *c = &p->m->config;
    const size_t group = c->n_heads / c->n_kv_heads, parts = p->head_parts;
    const size_t each = c->n_kv_heads * parts;
    for (size_t i = me->index; i < p->n_spans * each; i += me->n) {
        const size_t part = i % parts;
        const heads h = {.span = &p->w->spans[i / each],
                         .kv = i % each / parts,
                         .g0 = group * part / parts,
                         .g1 = group * (part + 1) / parts};
        for (size_t t = 0; t < h.span->n && p->one_span_each; t++) {
            place_keys(p, layer, h.span->first + t, h.kv, h.kv + 1);
        }
        attend_heads(p, me, layer, &h, ready);
    }
}

/* From the residual stream to attention's part of `delta`. */
static bool attention_half(vb_pass *p, const vb_member *me, size_t layer) {
    vb_workspace *w = p->w;
    const vb_model_config *c = &p->m->config;
    const vb_layer *y = &p->m->layers[layer];
    const size_t q = c->n_heads * c->head_dim;
    const bool all_float = y->wq.is_float && y->wk.is_float && y->wv.is_float;
    const bool any_float = y->wq.is_float || y->wk.is_float || y->wv.is_float;
    const size_t check = vb_check_of(layer, VB_CHECK_QKV_INPUT);
    ready_rows(p, me, check, layer > 0, y->attn_norm, !all_float, any_float);
    vb_team_wait(me);
    if (vb_pass_stops(p, check)) {
        return false;
    }
    const vb_product qkv[] = {{&y->wq, w->q}, {&y->wk, w->k}, {&y->wv, w->v}};
    vb_pass_multiply(p, me, &w->act, w->in, p->n_rows, qkv, 3);
    vb_team_wait(me);
    if (!p->one_span_each) {
        const size_t end = vb_share_end(me, p->n_rows);
        for (size_t t = vb_share_begin(me, p->n_rows); t < end; t++) {
            place_keys(p, layer, t, 0, c->n_kv_heads);
        }
        vb_team_wait(me);
        if (vb_pass_stops(p, vb_check_of(layer, VB_CHECK_KEYS))) {
            return false;
        }
    }
    const size_t least = (p->head_parts > 1 ? 1 : c->n_heads / c->n_kv_heads) * c->head_dim;
    const bool ready = y->wo.is_float || least % VB_BLOCK == 0;
    attend(p, me, layer, ready);
    vb_team_wait(me);
    if (!ready) {
        const size_t end = vb_share_end(me, p->n_rows);
        for (size_t t = vb_share_begin(me, p->n_rows); t < end; t++) {
            if (!vb_pass_ready(w, &w->act, w->in + t * q, t, q, 0, q, true)) {
                vb_pass_note_fault(p, vb_check_of(layer, VB_CHECK_OUT_INPUT), t);
            }
        }
        vb_team_wait(me);
    }
    if (vb_pass_stops(p, vb_check_of(layer, VB_CHECK_OUT_INPUT))) {
        return false;
    }
    const vb_product out[] = {{&y->wo, w->delta}};
    vb_pass_multiply(p, me, &w->act, w->in, p->n_rows, out, 1);
    vb_team_wait(me);
    return true;
}

/* Gate, up and what they make of n rows from t0 on, in whole blocks of this thread's columns: it
 * needs nobody else's. */
static void make_inner(vb_pass *p, const vb_member *me, size_t layer, size_t t0, size_t n) {
    const vb_workspace *w = p->w;
    const vb_kernels *k = p->m->k;
    const vb_layer *y = &p->m->layers[layer];
    const size_t width = p->m->config.n_embd, n_ff = p->m->config.n_ff;
    const size_t at = t0 * (width / VB_BLOCK), units = (n_ff + VB_BLOCK - 1) / VB_BLOCK;
    const vb_quants from = {w->act.q + at * VB_BLOCK, w->act.d + at, w->act.du + at, w->act.u + at,
                            w->act.u_lo + at};
    const vb_act x = act_of(&from, w->in + t0 * width, n, width);
    const size_t r0 = vb_share_begin(me, units) * VB_BLOCK;
    const size_t r1 = smaller(vb_share_end(me, units) * VB_BLOCK, n_ff);
    if (r0 >= r1) {
        return;
    }
    k->matmul(&y->gate.m, r0, r1, &x, w->gate, n_ff);
    k->matmul(&y->up.m, r0, r1, &x, w->up, n_ff);
    for (size_t t = 0; t < n; t++) {
        float *gate = w->gate + t * n_ff + r0;
        float *row = y->down.is_float ? gate : w->own_row + me->index * w->own_row_each;
        k->silu_mul(gate, w->up + t * n_ff + r0, r1 - r0, row);
        if (!vb_pass_ready(w, &w->inner, row, t, n_ff, r0, r1 - r0, !y->down.is_float)) {
            vb_pass_note_fault(p, vb_check_of(layer, VB_CHECK_DOWN_INPUT), t0 + t);
        }
    }
}

bool vb_pass_layer(vb_pass *p, const vb_member *me, size_t layer) {
    if (!attention_half(p, me, layer)) {
        return false;
    }
    vb_workspace *w = p->w;
    const vb_layer *y = &p->m->layers[layer];
    const size_t check = vb_check_of(layer, VB_CHECK_FFN_INPUT);
    ready_rows(p, me, check, true, y->ffn_norm, !y->gate.is_float || !y->up.is_float,
               y->gate.is_float || y->up.is_float);
    vb_team_wait(me);
    if (vb_pass_stops(p, check)) {
        return false;
    }
    for (size_t t = 0; t < p->n_rows; t += w->ffn_tokens) {
        const size_t n = smaller(p->n_rows - t, w->ffn_tokens);
        make_inner(p, me, layer, t, n);
        vb_team_wait(me);
        if (vb_pass_stops(p, vb_check_of(layer, VB_CHECK_DOWN_INPUT))) {
            return false;
        }
        const vb_product down[] = {{&y->down, w->delta + t * p->m->config.n_embd}};
        vb_pass_multiply(p, me, &w->inner, w->gate, n, down, 1);
        vb_team_wait(me);
    }
    return true;
}
