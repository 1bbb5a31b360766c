/*
 * What continuous batching gains: tokens a second of streams that decode together, as ratios to one
 * stream.
 *
 *   bench_scheduler [--threads N] [--tier NAME] [--prompt N] [--decode N] [--streams N] [--runs N]
 *                   [--json] FILE
 *
 * Measured from the moment when the last stream has its first token until the first stream ends:
 * all decode in every step. The best of the runs (3) of each number of streams counts, taken in
 * turns. Without --streams: 1, 4, 16 and 64; with it: 1 and that many.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/limits.h"
#include "engine/scheduler.h"
#include "gguf/gguf.h"
#include "model/kv_pool.h"

enum { STREAMS_MAX = 64, COUNTS_MAX = 4, RUNS_MAX = 100, PROMPT_MAX = 4096, EOG_MAX = 64 };

typedef struct bench {
    const vb_model *model;
    vb_tokenizer *tokenizer;
    int n_threads;
    size_t n_prompt, n_decode, n_runs;
    size_t n_counts, counts[COUNTS_MAX]; /* of streams; counts[0] is 1 */
    bool json;
    vb_sampling sampling;
    uint32_t prompts[STREAMS_MAX][PROMPT_MAX];
} bench;

/* One run; written by the scheduler's thread alone until it has drained. */
typedef struct run {
    size_t n_streams, n_begun, n_counted;
    double begin, end; /* seconds */
    clockid_t clock;
    bool one_is_done, failed;
} run;

static double seconds(const run *r) {
    struct timespec t;
    clock_gettime(r->clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void on_token(void *user, size_t choice, uint32_t token, const float *logits,
                     const vb_generation *g) {
    run *r = user;
    size_t n;
    (void)choice;
    (void)token;
    (void)logits;
    (void)vb_generation_tokens(g, &n);
    if (r->n_begun < r->n_streams) {
        r->n_begun += n == 1;
        r->begin = seconds(r);
    } else if (!r->one_is_done) {
        r->n_counted++;
        r->end = seconds(r);
    }
}

static void on_done(void *user, size_t choice, const vb_scheduler_outcome *outcome) {
    run *r = user;
    (void)choice;
    r->one_is_done = true;
    r->failed = r->failed || outcome->err;
}

static vb_generation_options options_of(const bench *b, size_t stream) {
    return (vb_generation_options){
        .kernels = vb_model_kernels(b->model),
        .tokenizer = b->tokenizer,
        .n_vocab = vb_model_get_config(b->model)->n_vocab,
        .sampling = &b->sampling,
        .prompt = b->prompts[stream],
        .n_prompt = b->n_prompt,
        .tokens_max = b->n_decode,
    };
}

/* Tokens a second. */
static vb_err measure(const bench *b, size_t n_streams, double *rate, vb_error *e) {
    const vb_model_config *c = vb_model_get_config(b->model);
    const size_t ctx = b->n_prompt + b->n_decode;
    const vb_scheduler_options o = {
        .model = b->model,
        .n_threads = b->n_threads,
        .batch_tokens = VB_BATCH_TOKENS_MAX,
        .ctx_tokens = ctx,
        .kv_bytes = n_streams * vb_session_bytes(c, ctx),
        .sequences_max = n_streams,
        .queue_max = n_streams,
        .no_speculation = true, /* a stream of drafts would not be one token a step */
    };
    vb_generation_options choices[STREAMS_MAX];
    run r = {.n_streams = n_streams,
             .clock = b->n_threads == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC};
    vb_scheduler *s;
    vb_err err = vb_scheduler_open(&o, &s, e);
    if (err) {
        return err;
    }
    for (size_t i = 0; i < n_streams && !err; i++) {
        uint64_t id;
        choices[i] = options_of(b, i);
        const vb_scheduler_request q = {.choices = &choices[i],
                                        .n_choices = 1,
                                        .has_seeds = true,
                                        .on_token = on_token,
                                        .on_done = on_done,
                                        .user = &r};
        err = vb_scheduler_submit(s, &q, &id, e);
    }
    const vb_err drained = vb_scheduler_drain(s, err ? 0 : UINT32_MAX, err ? NULL : e);
    vb_scheduler_close(s);
    if (!err && !drained && (r.failed || r.n_counted == 0)) {
        return vb_fail(e, VB_EINVAL, "nothing to measure: too few tokens, or an answer failed");
    }
    *rate = (double)r.n_counted / (r.end - r.begin);
    return err ? err : drained;
}

/* No stream ends before its last token. */
static void make_requests(bench *b) {
    const size_t n_vocab = vb_model_get_config(b->model)->n_vocab;
    vb_sampling_default(&b->sampling);
    for (uint32_t t = 0; t < n_vocab && b->sampling.n_bias < EOG_MAX; t++) {
        if (vb_tokenizer_is_eog(b->tokenizer, t)) {
            b->sampling.bias[b->sampling.n_bias++] = (vb_logit_bias){t, -100};
        }
    }
    for (size_t i = 0; i < STREAMS_MAX; i++) {
        for (size_t j = 0; j < b->n_prompt; j++) {
            b->prompts[i][j] = (uint32_t)((i * 7919 + j) * 2654435761u % n_vocab);
        }
    }
}

static void print_rates(const bench *b, const double *best) {
    if (b->json) {
        printf("{\"tier\": \"%s\", \"threads\": %d, \"streams\": {",
               vb_model_kernels(b->model)->name, b->n_threads);
    }
    for (size_t k = 0; k < b->n_counts; k++) {
        if (b->json) {
            printf("%s\"%zu\": %.3f", k ? ", " : "", b->counts[k], best[k]);
        } else {
            printf("%3zu streams: %9.1f tokens/s, %5.2f x one stream\n", b->counts[k], best[k],
                   best[k] / best[0]);
        }
    }
    if (b->json) {
        printf("}}\n");
    }
}

static vb_err report(bench *b, vb_error *e) {
    double best[COUNTS_MAX] = {0};
    make_requests(b);
    for (size_t i = 0; i < b->n_runs; i++) {
        for (size_t k = 0; k < b->n_counts; k++) {
            double rate = 0;
            vb_err err = measure(b, b->counts[k], &rate, e);
            if (err) {
                return err;
            }
            best[k] = rate > best[k] ? rate : best[k];
        }
    }
    print_rates(b, best);
    return VB_OK;
}

static vb_err run_bench(bench *b, const char *path, const char *tier, vb_error *e) {
    vb_gguf *g = NULL;
    vb_model *m = NULL;
    vb_model_options options = {.n_threads = b->n_threads};
    vb_err err = vb_kernels_select(tier, &options.kernels, e);
    if (!err && !(err = vb_gguf_open(path, &g, e)) &&
        !(err = vb_tokenizer_open(g, &b->tokenizer, e)) &&
        !(err = vb_model_load(g, &options, &m, e))) {
        b->model = m;
        if (!b->json) {
            printf("tier %s, %d threads, prompts of %zu, %zu tokens decoded, %s\n",
                   options.kernels->name, b->n_threads, b->n_prompt, b->n_decode, path);
        }
        err = report(b, e);
    }
    vb_model_close(m);
    vb_tokenizer_close(b->tokenizer);
    vb_gguf_close(g);
    return err;
}

static bool parse_count(const char *text, size_t max, size_t *out) {
    char *rest;
    unsigned long v = strtoul(text, &rest, 10);
    *out = (size_t)v;
    return *text && !*rest && v >= 1 && v <= max;
}

typedef struct arguments {
    const char *path, *tier;
    size_t n_threads, n_streams; /* n_streams 0: the usual ones */
} arguments;

static bool parse(int argc, char **argv, bench *b, arguments *a) {
    bool ok = true;
    for (int i = 1; i < argc && ok; i++) {
        const bool more = i + 1 < argc;
        if (strcmp(argv[i], "--threads") == 0 && more) {
            ok = parse_count(argv[++i], VB_THREADS_MAX, &a->n_threads);
        } else if (strcmp(argv[i], "--tier") == 0 && more) {
            a->tier = argv[++i];
        } else if (strcmp(argv[i], "--prompt") == 0 && more) {
            ok = parse_count(argv[++i], PROMPT_MAX, &b->n_prompt);
        } else if (strcmp(argv[i], "--decode") == 0 && more) {
            ok = parse_count(argv[++i], PROMPT_MAX, &b->n_decode);
        } else if (strcmp(argv[i], "--streams") == 0 && more) {
            ok = parse_count(argv[++i], STREAMS_MAX, &a->n_streams);
        } else if (strcmp(argv[i], "--runs") == 0 && more) {
            ok = parse_count(argv[++i], RUNS_MAX, &b->n_runs);
        } else if (strcmp(argv[i], "--json") == 0) {
            b->json = true;
        } else {
            ok = !a->path && argv[i][0] != '-';
            a->path = argv[i];
        }
    }
    return ok && a->path;
}

int main(int argc, char **argv) {
    static bench b = {.n_prompt = 32, .n_decode = 64, .n_runs = 3};
    static const size_t usual[COUNTS_MAX] = {1, 4, 16, 64};
    arguments a = {.n_threads = 1};
    if (!parse(argc, argv, &b, &a)) {
        fprintf(stderr, "usage: bench_scheduler [--threads N] [--tier NAME] [--prompt N] "
                        "[--decode N] [--streams N] [--runs N] [--json] FILE\n");
        return 2;
    }
    vb_error e = {VB_OK, ""};
    memcpy(b.counts, usual, sizeof usual);
    b.n_counts = COUNTS_MAX;
    if (a.n_streams) {
        b.counts[1] = a.n_streams;
        b.n_counts = a.n_streams > 1 ? 2 : 1;
    }
    b.n_threads = (int)a.n_threads;
    if (run_bench(&b, a.path, a.tier, &e)) {
        fprintf(stderr, "bench_scheduler: %s\n", e.msg);
        return 1;
    }
    return 0;
}
