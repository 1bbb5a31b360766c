/*
 * What a long context costs: the share of attention in a prefill, and decoding behind it against
 * decoding at the beginning.
 *
 *   bench_context [--threads N] [--tier NAME] [--context N] [--decode N] [--json] FILE
 *
 * The model is given its tier's table with a stopwatch around attention alone, whose calls are
 * long. A share is of all threads' time. One thread: its own processor time; more: elapsed time.
 * Decoding is the least time of a token; prefill is measured once, for it takes long.
 */
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/limits.h"
#include "gguf/gguf.h"
#include "kernels/kernels.h"
#include "model/model.h"

enum { COUNT_MAX = 1 << 17 };

static const vb_kernels *real;    /* the tier under the stopwatch */
static _Atomic uint64_t spent_ns; /* in attention, by all threads */
static clockid_t kernel_clock;

static uint64_t clock_ns(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void attention(const float *q, size_t q_stride, size_t n_q, const size_t *n_keys,
                      size_t head_dim, const uint16_t *const *key_pages,
                      const uint16_t *const *value_pages, float scale, float *scratch, float *out,
                      size_t out_stride) {
    const uint64_t start = clock_ns(kernel_clock);
    real->attention(q, q_stride, n_q, n_keys, head_dim, key_pages, value_pages, scale, scratch, out,
                    out_stride);
    atomic_fetch_add_explicit(&spent_ns, clock_ns(kernel_clock) - start, memory_order_relaxed);
}

typedef struct bench {
    const vb_model *model;
    vb_session *far, *near; /* with the context, and without */
    vb_workspace *workspace;
    int n_threads;
    size_t n_context, n_decode;
    bool json;
    double prefill, attention, decode_near, decode_far; /* seconds; decode: of a token */
} bench;

static vb_err ignore(void *user, size_t item, size_t index, const float *logits) {
    (void)user;
    (void)item;
    (void)index;
    (void)logits;
    return VB_OK;
}

/* n tokens behind those of the session, with the logits of the last. */
static vb_err forward(const bench *b, vb_session *s, size_t n, vb_error *e) {
    static uint32_t tokens[VB_BATCH_TOKENS_MAX];
    const size_t from = vb_session_length(s);
    for (size_t i = 0; i < n; i++) {
        tokens[i] = (uint32_t)((from + i) * 2654435761u % vb_model_get_config(b->model)->n_vocab);
    }
    const vb_batch_item item = {s, tokens, n, n - 1};
    return vb_forward(b->model, b->workspace, &item, 1, ignore, NULL, e);
}

static vb_err decode(const bench *b, vb_session *s, double *best, vb_error *e) {
    const uint64_t start = clock_ns(kernel_clock);
    vb_err err = forward(b, s, 1, e);
    *best = fmin(*best, 1e-9 * (double)(clock_ns(kernel_clock) - start));
    return err;
}

static vb_err measure(bench *b, vb_error *e) {
    vb_err err = forward(b, b->near, 1, e); /* warms up */
    vb_session_truncate(b->near, 0);
    const uint64_t start = clock_ns(kernel_clock);
    atomic_store(&spent_ns, 0);
    for (size_t at = 0; at < b->n_context && !err; at += VB_BATCH_TOKENS_MAX) {
        const size_t left = b->n_context - at;
        err = forward(b, b->far, left < VB_BATCH_TOKENS_MAX ? left : VB_BATCH_TOKENS_MAX, e);
    }
    b->prefill = 1e-9 * (double)(clock_ns(kernel_clock) - start);
    b->attention = 1e-9 * (double)atomic_load(&spent_ns) / b->n_threads;
    b->decode_near = b->decode_far = HUGE_VAL;
    for (size_t i = 0; i < b->n_decode && !err; i++) {
        err = decode(b, b->near, &b->decode_near, e);
        err = err ? err : decode(b, b->far, &b->decode_far, e);
    }
    return err;
}

static void report(const bench *b) {
    const vb_model_config *c = vb_model_get_config(b->model);
    const double cache =
        2.0 * 2 * (double)(c->n_layers * c->n_kv_heads * c->head_dim) * (double)b->n_context;
    if (b->json) {
        printf("{\"tier\": \"%s\", \"threads\": %d, \"context\": %zu, \"decode\": %zu, "
               "\"prefill_seconds\": %.6f, \"attention_seconds\": %.6f, \"cache_bytes\": %.0f, "
               "\"decode_weight_bytes\": %llu, \"decode_seconds_near\": %.9f, "
               "\"decode_seconds_far\": %.9f}\n",
               real->name, b->n_threads, b->n_context, b->n_decode, b->prefill, b->attention, cache,
               (unsigned long long)vb_model_decode_bytes(b->model), b->decode_near, b->decode_far);
        return;
    }
    printf("tier %s, %d threads\n", real->name, b->n_threads);
    printf("prefill of %zu tokens: %.2f s, attention %.1f %% of it\n", b->n_context, b->prefill,
           100 * b->attention / b->prefill);
    printf(
        "decode at the beginning %.3f ms a token, behind the context %.3f ms: %.3f ms for %.1f MB "
        "of keys and values\n",
        1e3 * b->decode_near, 1e3 * b->decode_far, 1e3 * (b->decode_far - b->decode_near),
        1e-6 * cache);
}

static vb_err run(bench *b, const char *path, vb_error *e) {
    vb_gguf *g = NULL;
    vb_model *m = NULL;
    vb_kernels timed = *real;
    timed.attention = attention;
    const vb_model_options options = {&timed, b->n_threads, NULL, NULL};
    const size_t ctx = b->n_context + b->n_decode;
    vb_err err = vb_gguf_open(path, &g, e);
    if (!err && !(err = vb_model_load(g, &options, &m, e)) &&
        !(err = vb_session_open(m, ctx, &b->far, e)) &&
        !(err = vb_session_open(m, b->n_decode, &b->near, e)) &&
        !(err = vb_workspace_open(m, VB_BATCH_TOKENS_MAX, ctx, b->n_threads, &b->workspace, e))) {
        b->model = m;
        err = measure(b, e);
    }
    if (!err) {
        report(b);
    }
    vb_workspace_close(b->workspace);
    vb_session_close(b->near);
    vb_session_close(b->far);
    vb_model_close(m);
    vb_gguf_close(g);
    return err;
}

static bool parse_count(const char *text, size_t max, size_t *out) {
    char *rest;
    unsigned long v = strtoul(text, &rest, 10);
    *out = (size_t)v;
    return *text && !*rest && v >= 1 && v <= max;
}

int main(int argc, char **argv) {
    bench b = {.n_context = 8192, .n_decode = 16};
    const char *path = NULL, *tier = NULL;
    size_t n_threads = 1;
    bool ok = true;
    for (int i = 1; i < argc && ok; i++) {
        const bool more = i + 1 < argc;
        if (strcmp(argv[i], "--threads") == 0 && more) {
            ok = parse_count(argv[++i], VB_THREADS_MAX, &n_threads);
        } else if (strcmp(argv[i], "--tier") == 0 && more) {
            tier = argv[++i];
        } else if (strcmp(argv[i], "--context") == 0 && more) {
            ok = parse_count(argv[++i], COUNT_MAX, &b.n_context);
        } else if (strcmp(argv[i], "--decode") == 0 && more) {
            ok = parse_count(argv[++i], COUNT_MAX, &b.n_decode);
        } else if (strcmp(argv[i], "--json") == 0) {
            b.json = true;
        } else {
            ok = !path && argv[i][0] != '-';
            path = argv[i];
        }
    }
    if (!ok || !path) {
        fprintf(stderr, "usage: bench_context [--threads N] [--tier NAME] [--context N] "
                        "[--decode N] [--json] FILE\n");
        return 2;
    }
    vb_error e = {VB_OK, ""};
    b.n_threads = (int)n_threads;
    kernel_clock = n_threads > 1 ? CLOCK_MONOTONIC : CLOCK_THREAD_CPUTIME_ID;
    if (vb_kernels_select(tier, &real, &e) || run(&b, path, &e)) {
        fprintf(stderr, "bench_context: %s\n", e.msg);
        return 1;
    }
    return 0;
}
