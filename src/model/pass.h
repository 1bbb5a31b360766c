/*
 * One forward pass, shared by the files that make it: the memory it works in (workspace.c), the
 * layers (layer.c), and what surrounds them (forward.c). Inside src/model only.
 *
 * Every thread of the workspace's team walks through the whole pass. In each step a thread writes
 * outputs of its own; before others read them, all wait. What is wrong with the numbers is noted
 * and looked at after the next wait, so that all threads stop at the same step.
 */
#ifndef VB_MODEL_PASS_H
#define VB_MODEL_PASS_H

#include "model/internal.h"
#include "model/team.h"

enum {
    VB_LOGITS_ROWS = 64,  /* rows of the output head computed together */
    VB_ATTN_QUERIES = 32, /* queries that share one pass over keys and values */
    VB_FFN_TOKENS = 256,  /* tokens whose inner rows exist at once */
    VB_PASS_ARRAYS_MAX = 32
};

/* Rows of quantised input: the arrays of a vb_act. */
typedef struct vb_quants {
    int8_t *q;
    float *d, *du;
    int32_t *u, *u_lo;
} vb_quants;

/* Per token of a call: whose it is. */
typedef struct vb_row {
    vb_session *session;
    size_t pos;
    uint32_t token;
} vb_row;

/* A row whose logits are wanted: token `index` of batch item `item`. */
typedef struct vb_wanted {
    size_t row, item, index;
} vb_wanted;

/* Consecutive tokens of one sequence whose queries of one KV head are handled together. */
typedef struct vb_span {
    size_t first, n;
} vb_span;

struct vb_workspace {
    const vb_model *model;
    size_t tokens_max, ctx_max;
    int n_threads;
    vb_team *team;
    /* [tokens_max][...]: residual stream, what is to be added to it, inputs of float products */
    float *x, *delta, *in;
    float *q, *k, *v;
    float *cos_rows, *sin_rows; /* [ctx_max][n_rot / 2], where known */
    bool *rotation_known;       /* [ctx_max] */
    float *logits;              /* [VB_LOGITS_ROWS][n_vocab] */
    vb_quants act;              /* [tokens_max][n_embd, or all heads] */
    /* [ffn_tokens][n_ff] */
    size_t ffn_tokens;
    float *gate, *up;
    vb_quants inner;
    /* per thread: a row of any input; gathered queries, their outputs, scores */
    size_t group_tokens; /* of a span */
    float *own_row, *attn_in, *attn_out, *attn_scores;
    size_t own_row_each, attn_rows_each, attn_scores_each; /* floats per thread */
    vb_row *rows;
    vb_wanted *wanted;
    vb_span *spans;
    struct {
        void *p;
        size_t n_bytes;
    } arrays[VB_PASS_ARRAYS_MAX];
    size_t n_arrays;
    uint64_t total_bytes;
    bool planning;  /* only sizes are counted */
    bool no_memory; /* or a size that does not fit */
};

/* What is checked to be finite in each layer, in this order; behind the last layer, the head. */
typedef enum vb_check {
    VB_CHECK_QKV_INPUT,
    VB_CHECK_KEYS, /* and queries, and values */
    VB_CHECK_OUT_INPUT,
    VB_CHECK_FFN_INPUT,
    VB_CHECK_DOWN_INPUT,
    VB_CHECKS
} vb_check;

typedef struct vb_pass {
    vb_workspace *w;
    const vb_model *m;
    size_t n_rows, n_spans;
    size_t head_parts;  /* into which the queries of a KV head are cut, for want of other work */
    bool one_span_each; /* of every sequence: who attends stores the keys, nobody else needs them */
    bool layers;        /* all of them, before the head */
    const vb_wanted *wanted; /* rows of the head */
    size_t n_wanted;
    _Atomic uint64_t fault; /* the first: check << 32 | row; UINT64_MAX: none */
    atomic_bool bad_float_env;
} vb_pass;

static inline size_t vb_check_of(size_t layer, vb_check check) {
    return layer * VB_CHECKS + check;
}

void vb_pass_note_fault(vb_pass *p, size_t check, size_t row);

/* True, for all threads alike, after the wait that follows the check. */
static inline bool vb_pass_stops(vb_pass *p, size_t check) {
    return atomic_load_explicit(&p->fault, memory_order_relaxed) >> 32 <= check;
}

/* Columns [c0, c0 + n) of row t of an input of `cols` columns: made ready for integer weights, or
 * only checked. False if not all are finite. Either c0 and n are multiples of 32 or the weights are
 * of floats. */
VB_MUST_CHECK bool vb_pass_ready(const vb_workspace *w, const vb_quants *to, const float *x,
                                 size_t t, size_t cols, size_t c0, size_t n, bool integer);

typedef struct vb_product {
    const vb_weight *weight;
    float *y; /* [n][weight rows] */
} vb_product;

/* This thread's share of up to three products of the n rows of one input. */
void vb_pass_multiply(const vb_pass *p, const vb_member *me, const vb_quants *act, const float *in,
                      size_t n, const vb_product *list, size_t n_products);

/* This thread's part of a layer; on return its part of `delta` is still to be waited for. False:
 * the pass stops. */
VB_MUST_CHECK bool vb_pass_layer(vb_pass *p, const vb_member *me, size_t layer);

#endif
