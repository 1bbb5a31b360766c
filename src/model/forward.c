/*
 * The forward pass (spec/arithmetic.md, "Forward pass"): one function for prefill, decode and
 * batches of sequences. All tokens of a call are rows of one matrix; every row is computed as
 * if it were alone, so rows, tiles of weights and attention groups may be shared out among
 * threads in any way without changing a bit.
 *
 * Parallel loops are static OpenMP loops over disjoint outputs: no reductions, no locks but
 * the note of a non-finite row.
 */
#include <stdlib.h>
#include <string.h>

#include "arith/floatenv.h"
#include "arith/rope.h"
#include "base/bytes.h"
#include "base/limits.h"
#include "base/system.h"
#include "model/internal.h"

enum {
    LOGITS_ROWS = 64,  /* rows of the output head computed together */
    ATTN_QUERIES = 48, /* queries that share one pass over keys and values */
    ARRAYS_MAX = 32
};

struct vb_workspace {
    const vb_model *model;
    size_t tokens_max, ctx_max;
    int n_threads;
    /* [tokens_max][...]: residual stream, normalised or gathered input of the next product */
    float *x, *in;
    float *q, *k, *v, *gate, *up, *delta;
    float *cos_rows, *sin_rows; /* [tokens_max][n_rot / 2] */
    float *logits;              /* [LOGITS_ROWS][n_vocab] */
    /* quantised rows of the widest input */
    int8_t *act_q;
    float *act_d, *act_du;
    int32_t *act_u, *act_u_lo;
    /* per thread: gathered queries, their outputs, scores */
    size_t group_tokens; /* tokens whose queries of one KV head are handled together */
    float *attn_in, *attn_out, *attn_scores;
    size_t attn_rows_each, attn_scores_each; /* floats per thread */
    /* per token of a call: whose it is */
    struct row {
        vb_session *session;
        size_t pos;
        uint32_t token;
    } * rows;
    /* rows whose logits are wanted: token `index` of batch item `item` */
    struct wanted {
        size_t row, item, index;
    } * wanted;
    /* attention work: consecutive tokens of one sequence */
    struct span {
        size_t first, n;
    } * spans;
    struct {
        void *p;
        size_t n_bytes;
    } arrays[ARRAYS_MAX];
    size_t n_arrays;
    uint64_t total_bytes;
    bool planning;  /* take() only counts */
    bool no_memory; /* or a size that does not fit */
};

/* ---- memory ---- */

static void *take(vb_workspace *w, size_t count, size_t each_bytes) {
    size_t n;
    if (!vb_mul_size(count, each_bytes, &n) ||
        __builtin_add_overflow(w->total_bytes, n, &w->total_bytes)) {
        w->no_memory = true;
        return NULL;
    }
    void *p = w->planning ? NULL : vb_alloc_aligned(n);
    if (!p) {
        w->no_memory = w->no_memory || !w->planning;
        return NULL;
    }
    VB_ASSERT(w->n_arrays < ARRAYS_MAX);
    w->arrays[w->n_arrays].p = p;
    w->arrays[w->n_arrays++].n_bytes = n;
    return p;
}

static size_t max_size(size_t a, size_t b) {
    return a > b ? a : b;
}

/* Every array of a workspace; when planning only their sizes. */
static void take_all(vb_workspace *w) {
    const vb_model_config *c = &w->model->config;
    const size_t T = w->tokens_max, threads = (size_t)w->n_threads;
    const size_t q = c->n_heads * c->head_dim, kv = c->n_kv_heads * c->head_dim;
    const size_t wide = max_size(max_size(c->n_embd, q), c->n_ff);
    const size_t group = c->n_heads / c->n_kv_heads;
    w->x = take(w, T * c->n_embd, sizeof(float));
    w->in = take(w, T * wide, sizeof(float));
    w->q = take(w, T * q, sizeof(float));
    w->k = take(w, T * kv, sizeof(float));
    w->v = take(w, T * kv, sizeof(float));
    w->gate = take(w, T * c->n_ff, sizeof(float));
    w->up = take(w, T * c->n_ff, sizeof(float));
    w->delta = take(w, T * c->n_embd, sizeof(float));
    w->cos_rows = take(w, T * (c->n_rot / 2), sizeof(float));
    w->sin_rows = take(w, T * (c->n_rot / 2), sizeof(float));
    w->logits = take(w, (T < LOGITS_ROWS ? T : LOGITS_ROWS) * c->n_vocab, sizeof(float));
    w->act_q = take(w, T * wide, 1);
    w->act_d = take(w, T * (wide / VB_BLOCK + 1), sizeof(float));
    w->act_du = take(w, T * (wide / VB_BLOCK + 1), sizeof(float));
    w->act_u = take(w, T * (wide / VB_BLOCK + 1), sizeof(int32_t));
    w->act_u_lo = take(w, T * (wide / VB_BLOCK + 1), sizeof(int32_t));
    w->group_tokens = group >= ATTN_QUERIES ? 1 : ATTN_QUERIES / group;
    const size_t queries = w->group_tokens * group;
    const size_t keys = (w->ctx_max + VB_ATTN_CHUNK - 1) / VB_ATTN_CHUNK * VB_ATTN_CHUNK;
    w->attn_rows_each = (queries * c->head_dim + 15) / 16 * 16;
    w->attn_scores_each =
        (vb_attention_scratch_floats(queries, keys, c->head_dim) + 15) / 16 * 16;
    w->attn_in = take(w, threads * w->attn_rows_each, sizeof(float));
    w->attn_out = take(w, threads * w->attn_rows_each, sizeof(float));
    w->attn_scores = take(w, threads * w->attn_scores_each, sizeof(float));
    w->rows = take(w, T, sizeof *w->rows);
    w->spans = take(w, T, sizeof *w->spans);
    w->wanted = take(w, T, sizeof *w->wanted);
}

vb_err vb_workspace_open(const vb_model *m, size_t batch_tokens_max, size_t ctx_tokens_max,
                         int n_threads, vb_workspace **out, vb_error *e) {
    VB_ASSERT(batch_tokens_max >= 1 && batch_tokens_max <= VB_BATCH_TOKENS_MAX && n_threads >= 1);
    VB_ASSERT(ctx_tokens_max <= VB_MODEL_CTX_TOKENS_MAX);
    vb_workspace *w = calloc(1, sizeof *w);
    if (!w) {
        return vb_fail(e, VB_ENOMEM, "no memory for a workspace");
    }
    w->model = m;
    w->tokens_max = batch_tokens_max;
    w->ctx_max = ctx_tokens_max;
    w->n_threads = n_threads;
    w->planning = true;
    take_all(w);
    vb_err err = w->no_memory ? vb_fail(e, VB_ELIMIT, "the workspace is too large to address")
                              : vb_memory_check(w->total_bytes,
                                                "the workspace (try a smaller --batch, --threads "
                                                "or --ctx)",
                                                e);
    if (!err) {
        w->planning = false;
        w->total_bytes = 0;
        take_all(w);
        err = w->no_memory
                  ? vb_fail(e, VB_ENOMEM, "no memory for a workspace of %zu tokens", w->tokens_max)
                  : VB_OK;
    }
    if (err) {
        vb_workspace_close(w);
        return err;
    }
    *out = w;
    return VB_OK;
}

void vb_workspace_close(vb_workspace *w) {
    if (w) {
        for (size_t i = 0; i < w->n_arrays; i++) {
            vb_free_aligned(w->arrays[i].p, w->arrays[i].n_bytes);
        }
        free(w);
    }
}

/* ---- products ---- */

/* Makes rows [0, n) of w->in ready for weights of either kind. SIZE_MAX when all are finite,
 * otherwise the first row that is not. */
static size_t prepare_rows(vb_workspace *w, size_t n, size_t cols, bool any_integer) {
    const vb_kernels *k = w->model->k;
    const size_t blocks = cols / VB_BLOCK;
    size_t bad = SIZE_MAX;
#pragma omp parallel for schedule(static) num_threads(w->n_threads) if (n > 1)
    for (size_t t = 0; t < n; t++) {
        const float *row = w->in + t * cols;
        bool fine = any_integer ? k->quantize(row, cols, w->act_q + t * cols, w->act_d + t * blocks,
                                              w->act_u + t * blocks, w->act_u_lo + t * blocks,
                                              w->act_du + t * blocks)
                                : k->all_finite(row, cols);
        if (!fine) {
#pragma omp critical(vb_forward_bad_row)
            bad = t < bad ? t : bad;
        }
    }
    return bad;
}

typedef struct product {
    const vb_weight *weight;
    float *y; /* [n][weight rows] */
} product;

/* y = weight * w->in for up to three matrices that share an input of n rows. An input that is
 * not finite is reported in *bad_row (and there only). */
static vb_err multiply(vb_workspace *w, size_t n, const product *p, size_t n_products,
                       size_t *bad_row) {
    const size_t cols = p[0].weight->m.cols;
    bool any_integer = false;
    size_t tiles[4] = {0};
    for (size_t i = 0; i < n_products; i++) {
        any_integer = any_integer || !p[i].weight->is_float;
        tiles[i + 1] = tiles[i] + (p[i].weight->m.rows + VB_ROW_TILE - 1) / VB_ROW_TILE;
    }
    *bad_row = prepare_rows(w, n, cols, any_integer);
    if (*bad_row != SIZE_MAX) {
        return VB_ENONFINITE;
    }
    const vb_act act = {n, cols, w->in, w->act_q, w->act_d, w->act_u, w->act_u_lo, w->act_du};
    const vb_kernels *k = w->model->k;
    const size_t total = tiles[n_products], threads = (size_t)w->n_threads;
#pragma omp parallel for schedule(static, 1) num_threads(w->n_threads)
    for (size_t i = 0; i < threads; i++) {
        const size_t begin = total * i / threads, end = total * (i + 1) / threads;
        for (size_t j = 0; j < n_products; j++) {
            const vb_matrix *m = &p[j].weight->m;
            size_t t0 = begin > tiles[j] ? begin - tiles[j] : 0;
            size_t t1 = end > tiles[j] ? end - tiles[j] : 0;
            size_t r0 = t0 * VB_ROW_TILE, r1 = t1 * VB_ROW_TILE;
            r1 = r1 < m->rows ? r1 : m->rows;
            if (r0 < r1) {
                k->matmul(m, r0, r1, &act, p[j].y, m->rows);
            }
        }
    }
    return VB_OK;
}

/* multiply() for all rows of the call. */
static vb_err multiply_rows(vb_workspace *w, size_t n, const product *p, size_t n_products,
                            vb_error *e) {
    size_t bad;
    vb_err err = multiply(w, n, p, n_products, &bad);
    if (err) {
        return vb_fail(e, err, "the input of %s is not finite at position %zu", p[0].weight->name,
                       w->rows[bad].pos);
    }
    return VB_OK;
}

/* ---- the parts of a layer ---- */

static void normalise(vb_workspace *w, const float *from, size_t n, const float *weight) {
    const vb_model_config *c = &w->model->config;
#pragma omp parallel for schedule(static) num_threads(w->n_threads) if (n > 1)
    for (size_t t = 0; t < n; t++) {
        w->model->k->rmsnorm(from + t * c->n_embd, weight, c->n_embd, c->rms_eps,
                             w->in + t * c->n_embd);
    }
}

static void add_residual(vb_workspace *w, size_t n) {
    const size_t width = w->model->config.n_embd;
#pragma omp parallel for schedule(static) num_threads(w->n_threads) if (n > 1)
    for (size_t t = 0; t < n; t++) {
        w->model->k->add(w->x + t * width, w->delta + t * width, width);
    }
}

/* Biases, rotation, and the keys and values into the cache. */
static vb_err place_keys(vb_workspace *w, size_t layer, size_t n, vb_error *e) {
    const vb_model *m = w->model;
    const vb_model_config *c = &m->config;
    const vb_layer *y = &m->layers[layer];
    const size_t q = c->n_heads * c->head_dim, kv = c->n_kv_heads * c->head_dim,
                 half = c->n_rot / 2;
    size_t bad = SIZE_MAX;
#pragma omp parallel for schedule(static) num_threads(w->n_threads) if (n > 1)
    for (size_t t = 0; t < n; t++) {
        float *qt = w->q + t * q, *kt = w->k + t * kv, *vt = w->v + t * kv;
        if (y->bq) {
            m->k->add(qt, y->bq, q);
        }
        if (y->bk) {
            m->k->add(kt, y->bk, kv);
        }
        if (y->bv) {
            m->k->add(vt, y->bv, kv);
        }
        const float *cos_row = w->cos_rows + t * half, *sin_row = w->sin_rows + t * half;
        m->k->rope(qt, c->n_heads, c->head_dim, c->n_rot, c->rope_style, cos_row, sin_row);
        m->k->rope(kt, c->n_kv_heads, c->head_dim, c->n_rot, c->rope_style, cos_row, sin_row);
        const vb_session *s = w->rows[t].session;
        const size_t page = w->rows[t].pos / VB_ATTN_CHUNK, slot = w->rows[t].pos % VB_ATTN_CHUNK;
        bool fine = m->k->all_finite(qt, q);
        for (size_t h = 0; h < c->n_kv_heads; h++) {
            const size_t at = (layer * c->n_kv_heads + h) * s->n_pages + page;
            fine = m->k->kv_store(kt + h * c->head_dim, vt + h * c->head_dim, c->head_dim,
                                  s->key_pages[at], s->value_pages[at], slot) &&
                   fine;
        }
        if (!fine) {
#pragma omp critical(vb_forward_bad_row)
            bad = t < bad ? t : bad;
        }
    }
    if (bad != SIZE_MAX) {
        return vb_fail(
            e, VB_ENONFINITE,
            "layer %zu: a query, or a key or value in binary16, is not finite at position %zu",
            layer, w->rows[bad].pos);
    }
    return VB_OK;
}

/* The queries of one KV head for the tokens of one span; results go to the rows of w->in, the input
 * of the output product. */
static void attend_span(vb_workspace *w, size_t layer, const struct span *span, size_t kv_head,
                        size_t thread) {
    const vb_model *m = w->model;
    const vb_model_config *c = &m->config;
    const size_t group = c->n_heads / c->n_kv_heads, dim = c->head_dim, q = c->n_heads * dim;
    float *in = w->attn_in + thread * w->attn_rows_each;
    float *out = w->attn_out + thread * w->attn_rows_each;
    size_t n_keys[VB_MODEL_HEADS_MAX > ATTN_QUERIES ? VB_MODEL_HEADS_MAX : ATTN_QUERIES];
    for (size_t i = 0; i < span->n; i++) {
        const size_t t = span->first + i;
        memcpy(in + i * group * dim, w->q + t * q + kv_head * group * dim,
               group * dim * sizeof *in);
        for (size_t g = 0; g < group; g++) {
            n_keys[i * group + g] = w->rows[t].pos + 1;
        }
    }
    const vb_session *s = w->rows[span->first].session;
    const size_t list = (layer * c->n_kv_heads + kv_head) * s->n_pages;
    m->k->attention(in, dim, span->n * group, n_keys, dim,
                    (const uint16_t *const *)(s->key_pages + list),
                    (const uint16_t *const *)(s->value_pages + list), m->attn_scale,
                    w->attn_scores + thread * w->attn_scores_each, out, dim);
    for (size_t i = 0; i < span->n; i++) {
        memcpy(w->in + (span->first + i) * q + kv_head * group * dim, out + i * group * dim,
               group * dim * sizeof *out);
    }
}

/* Work is handed out in turns, since later positions see more keys. */
static void attend(vb_workspace *w, size_t layer, size_t n_spans) {
    const size_t kv_heads = w->model->config.n_kv_heads, threads = (size_t)w->n_threads;
    const size_t work = n_spans * kv_heads;
#pragma omp parallel for schedule(static, 1) num_threads(w->n_threads) if (work > 1)
    for (size_t i = 0; i < threads; i++) {
        for (size_t j = i; j < work; j += threads) {
            attend_span(w, layer, &w->spans[j / kv_heads], j % kv_heads, i);
        }
    }
}

static vb_err run_layer(vb_workspace *w, size_t layer, size_t n, size_t n_spans, vb_error *e) {
    const vb_model *m = w->model;
    const vb_model_config *c = &m->config;
    const vb_layer *y = &m->layers[layer];
    vb_err err;
    normalise(w, w->x, n, y->attn_norm);
    const product qkv[] = {{&y->wq, w->q}, {&y->wk, w->k}, {&y->wv, w->v}};
    if ((err = multiply_rows(w, n, qkv, 3, e)) || (err = place_keys(w, layer, n, e))) {
        return err;
    }
    attend(w, layer, n_spans);
    const product out[] = {{&y->wo, w->delta}};
    if ((err = multiply_rows(w, n, out, 1, e))) {
        return err;
    }
    add_residual(w, n);
    normalise(w, w->x, n, y->ffn_norm);
    const product gate_up[] = {{&y->gate, w->gate}, {&y->up, w->up}};
    if ((err = multiply_rows(w, n, gate_up, 2, e))) {
        return err;
    }
#pragma omp parallel for schedule(static) num_threads(w->n_threads) if (n > 1)
    for (size_t t = 0; t < n; t++) {
        m->k->silu_mul(w->gate + t * c->n_ff, w->up + t * c->n_ff, c->n_ff, w->in + t * c->n_ff);
    }
    const product down[] = {{&y->down, w->delta}};
    if ((err = multiply_rows(w, n, down, 1, e))) {
        return err;
    }
    add_residual(w, n);
    return VB_OK;
}

/* ---- the whole pass ---- */

/* Checks the items and lays their tokens out as rows and attention spans. */
static vb_err lay_out(vb_workspace *w, const vb_batch_item *items, size_t n_items, size_t *n_rows,
                      size_t *n_spans, vb_error *e) {
    const vb_model_config *c = &w->model->config;
    size_t n = 0, spans = 0;
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
            w->rows[n + j] = (struct row){it->session, it->session->length + j, it->tokens[j]};
        }
        for (size_t j = 0; j < it->n_tokens; j += w->group_tokens) {
            size_t left = it->n_tokens - j;
            w->spans[spans++] =
                (struct span){n + j, left < w->group_tokens ? left : w->group_tokens};
        }
        n += it->n_tokens;
    }
    *n_rows = n;
    *n_spans = spans;
    return VB_OK;
}

/* Wants the logits of each item from its logits_from on; returns of how many rows. */
static size_t want_ends(vb_workspace *w, const vb_batch_item *items, size_t n_items) {
    size_t first = 0, n = 0;
    for (size_t i = 0; i < n_items; i++) {
        for (size_t j = items[i].logits_from; j < items[i].n_tokens; j++) {
            w->wanted[n++] = (struct wanted){first + j, i, j};
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
        w->wanted[i] = (struct wanted){wanted[i], 0, wanted[i]};
    }
    return n_wanted;
}

/* Token embeddings and the rotation of each position; also this thread's float environment. */
static vb_err enter(vb_workspace *w, size_t n, vb_error *e) {
    const vb_model *m = w->model;
    const size_t width = m->config.n_embd, half = m->config.n_rot / 2;
    int bad_env = 0;
#pragma omp parallel for schedule(static) num_threads(w->n_threads)
    for (size_t i = 0; i < (size_t)w->n_threads; i++) {
        if (!vb_float_env_ok()) {
#pragma omp atomic write
            bad_env = 1;
        }
        for (size_t t = i; t < n; t += (size_t)w->n_threads) {
            m->k->unpack_row(&m->embed.m, w->rows[t].token, w->x + t * width);
            vb_rope_row(m->rope_freq, half, m->rope_mscale, w->rows[t].pos, w->cos_rows + t * half,
                        w->sin_rows + t * half);
        }
    }
    if (bad_env) {
        return vb_fail(e, VB_EMISMATCH,
                       "a thread's rounding mode is not nearest-even, or it flushes subnormals");
    }
    return VB_OK;
}

/* Logits of n wanted rows, whatever sequences they belong to. */
static vb_err head(vb_workspace *w, const struct wanted *wanted, size_t n, vb_logits_fn on_logits,
                   void *user, vb_error *e) {
    const vb_model *m = w->model;
    const vb_model_config *c = &m->config;
#pragma omp parallel for schedule(static) num_threads(w->n_threads) if (n > 1)
    for (size_t t = 0; t < n; t++) {
        m->k->rmsnorm(w->x + wanted[t].row * c->n_embd, m->output_norm, c->n_embd, c->rms_eps,
                      w->in + t * c->n_embd);
    }
    const product p[] = {{vb_model_head(m), w->logits}};
    size_t bad;
    vb_err err = multiply(w, n, p, 1, &bad);
    for (size_t t = 0; !err && t < n; t++) {
        if (!m->k->all_finite(w->logits + t * c->n_vocab, c->n_vocab)) {
            err = VB_ENONFINITE;
            bad = t;
        }
    }
    if (err) {
        return vb_fail(e, err, "%s: its input or the logits are not finite at position %zu",
                       p[0].weight->name, w->rows[wanted[bad].row].pos);
    }
    for (size_t t = 0; t < n; t++) {
        err = on_logits(user, wanted[t].item, wanted[t].index, w->logits + t * c->n_vocab);
        if (err) {
            if (e && !e->code) {
                vb_fail(e, err, "stopped by the receiver of the logits");
            }
            return err;
        }
    }
    return VB_OK;
}

/* The pass over rows that are laid out. */
static vb_err run_pass(vb_workspace *w, size_t n, size_t n_spans, size_t n_wanted,
                       vb_logits_fn on_logits, void *user, vb_error *e) {
    vb_err err = enter(w, n, e);
    for (size_t layer = 0; layer < w->model->config.n_layers && !err; layer++) {
        err = run_layer(w, layer, n, n_spans, e);
    }
    for (size_t j = 0; j < n_wanted && !err; j += LOGITS_ROWS) {
        const size_t left = n_wanted - j;
        err = head(w, w->wanted + j, left < LOGITS_ROWS ? left : LOGITS_ROWS, on_logits, user, e);
    }
    return err;
}

/* wanted NULL: as each item's logits_from says. */
static vb_err forward(const vb_model *m, vb_workspace *w, const vb_batch_item *items,
                      size_t n_items, const size_t *wanted, size_t n_wanted, vb_logits_fn on_logits,
                      void *user, vb_error *e) {
    VB_ASSERT(w->model == m);
    size_t n = 0, n_spans = 0;
    if (e) {
        e->code = VB_OK;
    }
    vb_err err = lay_out(w, items, n_items, &n, &n_spans, e);
    for (size_t i = 0; i < n_items && !err; i++) {
        err = vb_session_make_room(items[i].session, items[i].n_tokens, e);
    }
    if (err || n == 0) {
        return err;
    }
    n_wanted = wanted ? want_listed(w, items, wanted, n_wanted) : want_ends(w, items, n_items);
    err = run_pass(w, n, n_spans, n_wanted, on_logits, user, e);
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
