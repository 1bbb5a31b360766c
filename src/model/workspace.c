/* The memory of forward passes: everything is taken when it is opened. */
#include <stdlib.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/system.h"
#include "model/pass.h"

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
    VB_ASSERT(w->n_arrays < VB_PASS_ARRAYS_MAX);
    w->arrays[w->n_arrays].p = p;
    w->arrays[w->n_arrays++].n_bytes = n;
    return p;
}

static size_t max_size(size_t a, size_t b) {
    return a > b ? a : b;
}

static size_t min_size(size_t a, size_t b) {
    return a < b ? a : b;
}

/* Threads write beside one another: each begins a cache line of its own. */
static size_t whole_lines(size_t n_floats) {
    return (n_floats + 15) / 16 * 16;
}

static void take_quants(vb_workspace *w, size_t rows, size_t cols, vb_quants *out) {
    const size_t blocks = cols / VB_BLOCK + 1;
    out->q = take(w, rows * cols, 1);
    out->d = take(w, rows * blocks, sizeof *out->d);
    out->du = take(w, rows * blocks, sizeof *out->du);
    out->u = take(w, rows * blocks, sizeof *out->u);
    out->u_lo = take(w, rows * blocks, sizeof *out->u_lo);
}

/* What each thread has for itself. */
static void take_own(vb_workspace *w) {
    const vb_model_config *c = &w->model->config;
    const size_t threads = (size_t)w->n_threads, group = c->n_heads / c->n_kv_heads;
    w->group_tokens = group >= VB_ATTN_QUERIES ? 1 : VB_ATTN_QUERIES / group;
    const size_t queries = w->group_tokens * group;
    w->own_row_each = whole_lines(max_size(c->n_embd, c->n_ff));
    w->attn_rows_each = whole_lines(queries * c->head_dim);
    w->attn_scores_each =
        whole_lines(vb_attention_scratch_floats(queries, w->ctx_max, c->head_dim));
    w->own_row = take(w, threads * w->own_row_each, sizeof(float));
    w->attn_in = take(w, threads * w->attn_rows_each, sizeof(float));
    w->attn_out = take(w, threads * w->attn_rows_each, sizeof(float));
    w->attn_scores = take(w, threads * w->attn_scores_each, sizeof(float));
}

/* Every array of a workspace; when planning only their sizes. */
static void take_all(vb_workspace *w) {
    const vb_model_config *c = &w->model->config;
    const size_t T = w->tokens_max;
    const size_t q = c->n_heads * c->head_dim, kv = c->n_kv_heads * c->head_dim;
    w->team = take(w, 1, sizeof *w->team);
    w->x = take(w, T * c->n_embd, sizeof(float));
    w->delta = take(w, T * c->n_embd, sizeof(float));
    w->in = take(w, T * max_size(c->n_embd, q), sizeof(float));
    w->q = take(w, T * q, sizeof(float));
    w->k = take(w, T * kv, sizeof(float));
    w->v = take(w, T * kv, sizeof(float));
    w->cos_rows = take(w, w->ctx_max * (c->n_rot / 2), sizeof(float));
    w->sin_rows = take(w, w->ctx_max * (c->n_rot / 2), sizeof(float));
    w->rotation_known = take(w, w->ctx_max, sizeof(bool));
    w->logits = take(w, min_size(T, VB_LOGITS_ROWS) * c->n_vocab, sizeof(float));
    take_quants(w, T, max_size(c->n_embd, q), &w->act);
    w->ffn_tokens = min_size(T, VB_FFN_TOKENS);
    w->gate = take(w, w->ffn_tokens * c->n_ff, sizeof(float));
    w->up = take(w, w->ffn_tokens * c->n_ff, sizeof(float));
    take_quants(w, w->ffn_tokens, c->n_ff, &w->inner);
    take_own(w);
    w->rows = take(w, T, sizeof *w->rows);
    w->spans = take(w, T, sizeof *w->spans);
    w->wanted = take(w, T, sizeof *w->wanted);
}

static void free_all(vb_workspace *w) {
    for (size_t i = 0; i < w->n_arrays; i++) {
        vb_free_aligned(w->arrays[i].p, w->arrays[i].n_bytes);
    }
    free(w);
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
                  : vb_team_open(w->team, n_threads, e);
    }
    if (err) {
        free_all(w);
        return err;
    }
    *out = w;
    return VB_OK;
}

void vb_workspace_close(vb_workspace *w) {
    if (w) {
        vb_team_close(w->team);
        free_all(w);
    }
}
