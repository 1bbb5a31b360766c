/*
 * What rows of a decoding pass cost, and what drafts by prompt lookup gain.
 *
 *   bench_lookup [--tier NAME] [--threads N] [--runs N] [--streams N] [--vocabulary GGUF]
 *                FILE [PROMPT ANSWER]
 *
 * First the time of passes of 1 to 16 rows over one sequence, as ratios to one row: what the row's
 * cost in engine/lookup.h stands for. Then, with two texts, how fast the second is generated after
 * the first, with drafts and without. No model is needed that would write just that: its draws are
 * forced, by a kernel table whose argmax names the recorded answer's next token; passes, draws,
 * traces and text are computed as ever. --streams: so many answers at once, through the scheduler.
 *
 * All is measured in turns, and the best of the runs counts: what disturbs only slows down. One
 * thread is measured in its processor time.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/limits.h"
#include "engine/generate.h"
#include "engine/lookup.h"
#include "engine/scheduler.h"
#include "gguf/gguf.h"
#include "model/kv_pool.h"

enum { STREAMS_MAX = 64, RUNS_MAX = 100, TEXT_MAX = 1 << 20, PASSES = 8, CONTEXT = 512 };

static const size_t row_counts[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
enum { ROW_COUNTS = sizeof row_counts / sizeof row_counts[0] };

typedef struct bench {
    const vb_model *model;
    vb_tokenizer *tokenizer; /* of the texts */
    int n_threads;
    size_t n_runs, n_streams;
    const char *tier, *vocabulary, *prompt_path, *answer_path;
    uint32_t *prompt, *answer;
    size_t n_prompt, n_answer;
    vb_kernels forced;
    vb_sampling sampling;
} bench;

static double seconds(const bench *b) {
    struct timespec t;
    clock_gettime(b->n_threads == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- rows ---- */

static vb_err ignore(void *user, size_t item, size_t index, const float *logits) {
    (void)user;
    (void)item;
    (void)index;
    (void)logits;
    return VB_OK;
}

static vb_err time_rows(const bench *b, vb_session *s, vb_workspace *w, double best[ROW_COUNTS],
                        vb_error *e) {
    uint32_t tokens[CONTEXT];
    for (size_t i = 0; i < CONTEXT; i++) {
        tokens[i] = (uint32_t)(i * 2654435761u % vb_model_get_config(b->model)->n_vocab);
    }
    const vb_batch_item prompt = {s, tokens, CONTEXT, CONTEXT};
    vb_err err = vb_forward(b->model, w, &prompt, 1, ignore, NULL, e);
    for (size_t run = 0; run < b->n_runs * PASSES; run++) {
        for (size_t k = 0; k < ROW_COUNTS && !err; k++) {
            const vb_batch_item item = {s, tokens, row_counts[k], 0};
            const double start = seconds(b);
            err = vb_forward(b->model, w, &item, 1, ignore, NULL, e);
            const double took = seconds(b) - start;
            best[k] = run == 0 || took < best[k] ? took : best[k];
            vb_session_truncate(s, CONTEXT);
        }
    }
    return err;
}

static vb_err report_rows(const bench *b, vb_error *e) {
    const size_t ctx = CONTEXT + VB_LOOKUP_ROWS_MAX;
    vb_session *s = NULL;
    vb_workspace *w = NULL;
    double best[ROW_COUNTS];
    vb_err err;
    if (!(err = vb_session_open(b->model, ctx, &s, e)) &&
        !(err = vb_workspace_open(b->model, CONTEXT, ctx, b->n_threads, &w, e)) &&
        !(err = time_rows(b, s, w, best, e))) {
        for (size_t k = 0; k < ROW_COUNTS; k++) {
            printf("%2zu rows: %8.3f ms, %5.2f x one row", row_counts[k], 1e3 * best[k],
                   best[k] / best[0]);
            if (k > 0) {
                printf(", %.3f a row more", (best[k] / best[0] - 1) / (double)(row_counts[k] - 1));
            }
            printf("\n");
        }
    }
    vb_workspace_close(w);
    vb_session_close(s);
    return err;
}

/* ---- forced draws ---- */

/* Each sampler draws from a copy of the logits in memory of its own, which tells it from others;
 * all write the same answer. */
static struct {
    const float *logits;
    size_t n_drawn;
} drawers[STREAMS_MAX];
static size_t n_drawers;
static const bench *the_bench;

static size_t forced_argmax(const float *logits, size_t n) {
    size_t i = 0;
    while (i < n_drawers && drawers[i].logits != logits) {
        i++;
    }
    if (i == n_drawers) {
        drawers[n_drawers++].logits = logits;
        drawers[i].n_drawn = 0;
    }
    (void)vb_model_kernels(the_bench->model)->argmax(logits, n);
    return the_bench->answer[drawers[i].n_drawn++];
}

/* ---- answers ---- */

typedef struct figures {
    double time;
    size_t n_tokens, n_passes;
    uint64_t n_drafted, n_accepted;
} figures;

static vb_generation_options options_of(const bench *b) {
    return (vb_generation_options){
        .kernels = &b->forced,
        .tokenizer = b->tokenizer,
        .n_vocab = vb_model_get_config(b->model)->n_vocab,
        .sampling = &b->sampling,
        .prompt = b->prompt,
        .n_prompt = b->n_prompt,
        .tokens_max = b->n_answer,
    };
}

/* Counted from the first draw, by one thread in its own processor time. */
static vb_err start_clock(void *user, vb_generation *g, vb_error *e) {
    const bench *b = the_bench;
    double *start = user;
    (void)g;
    (void)e;
    *start = seconds(b);
    return VB_OK;
}

static vb_err answer_alone(const bench *b, vb_workspace *w, bool plain, figures *out, vb_error *e) {
    const vb_generation_options options = options_of(b);
    vb_generation *g = NULL;
    vb_session *s = NULL;
    vb_generate_stats stats;
    double start = 0;
    vb_err err;
    if (!(err = vb_generation_open(&options, &g, e)) &&
        !(err = vb_session_open(b->model, b->n_prompt + b->n_answer, &s, e))) {
        const vb_generate_options o = {
            .model = b->model,
            .workspace = w,
            .session = s,
            .batch_tokens = VB_BATCH_TOKENS_MAX,
            .prompt = b->prompt,
            .n_prompt = b->n_prompt,
            .generation = g,
            .tokens_max = b->n_answer,
            .no_speculation = plain,
            .before_draw = start_clock,
            .user = &start,
        };
        if (!(err = vb_generate(&o, &stats, e))) {
            *out = (figures){seconds(b) - start, stats.decode_tokens, stats.decode_passes,
                             stats.drafted, stats.accepted};
        }
    }
    vb_session_close(s);
    vb_generation_close(g);
    return err;
}

typedef struct streams {
    const bench *b;
    size_t n_begun, n_done;
    double begin, end;
    bool failed;
} streams;

static void on_token(void *user, size_t choice, uint32_t token, const float *logits,
                     const vb_generation *g) {
    streams *x = user;
    size_t n;
    (void)choice;
    (void)token;
    (void)logits;
    (void)vb_generation_tokens(g, &n);
    if (n == 1 && x->n_begun++ == 0) {
        x->begin = seconds(x->b);
    }
}

static void on_done(void *user, size_t choice, const vb_scheduler_outcome *outcome) {
    streams *x = user;
    (void)choice;
    x->failed = x->failed || outcome->err;
    if (++x->n_done == x->b->n_streams) {
        x->end = seconds(x->b);
    }
}

/* From the first token to the last; the prompt is computed once. */
static vb_err answer_together(const bench *b, bool plain, figures *out, vb_error *e) {
    const size_t ctx = b->n_prompt + b->n_answer;
    const vb_scheduler_options o = {
        .model = b->model,
        .n_threads = b->n_threads,
        .batch_tokens = VB_BATCH_TOKENS_MAX,
        .ctx_tokens = ctx,
        .kv_bytes = b->n_streams * vb_session_bytes(vb_model_get_config(b->model), ctx),
        .sequences_max = b->n_streams,
        .queue_max = 1,
        .no_speculation = plain,
    };
    vb_generation_options choices[STREAMS_MAX];
    streams x = {.b = b};
    vb_scheduler *s;
    uint64_t id;
    vb_err err = vb_scheduler_open(&o, &s, e);
    if (err) {
        return err;
    }
    for (size_t i = 0; i < b->n_streams; i++) {
        choices[i] = options_of(b);
    }
    const vb_scheduler_request q = {.choices = choices,
                                    .n_choices = b->n_streams,
                                    .has_seeds = true,
                                    .on_token = on_token,
                                    .on_done = on_done,
                                    .user = &x};
    vb_scheduler_stats t = {0};
    if (!(err = vb_scheduler_submit(s, &q, &id, e)) &&
        !(err = vb_scheduler_drain(s, UINT32_MAX, e))) {
        do {
            vb_scheduler_get_stats(s, &t);
        } while (t.running);
        err = x.failed ? vb_fail(e, VB_EINVAL, "an answer failed") : VB_OK;
    }
    vb_scheduler_close(s);
    const size_t prefill = (b->n_prompt + VB_BATCH_TOKENS_MAX - 1) / VB_BATCH_TOKENS_MAX;
    *out = (figures){x.end - x.begin, (size_t)t.tokens - b->n_streams, (size_t)t.steps - prefill,
                     t.drafted, t.accepted};
    return err;
}

static void print_figures(const char *name, const figures *f) {
    printf("%-8s %9.1f tokens/s, %zu tokens in %zu passes", name, (double)f->n_tokens / f->time,
           f->n_tokens, f->n_passes);
    if (f->n_drafted) {
        printf(", %.0f %% of %llu drafted tokens right",
               100 * (double)f->n_accepted / (double)f->n_drafted,
               (unsigned long long)f->n_drafted);
    }
    printf("\n");
}

static vb_err report_answers(bench *b, vb_error *e) {
    figures best[2];
    memset(best, 0, sizeof best);
    vb_workspace *w = NULL;
    vb_err err = vb_workspace_open(b->model, VB_BATCH_TOKENS_MAX, b->n_prompt + b->n_answer,
                                   b->n_threads, &w, e);
    vb_sampling_default(&b->sampling);
    b->sampling.temperature = 0;
    b->forced = *vb_model_kernels(b->model);
    b->forced.argmax = forced_argmax;
    the_bench = b;
    for (size_t i = 0; i < 2 * b->n_runs && !err; i++) {
        figures f;
        const bool plain = i % 2 == 0;
        n_drawers = 0;
        err =
            b->n_streams == 1 ? answer_alone(b, w, plain, &f, e) : answer_together(b, plain, &f, e);
        if (!err && (i < 2 || f.time < best[plain].time)) {
            best[plain] = f;
        }
    }
    vb_workspace_close(w);
    if (!err) {
        printf("%zu tokens of prompt, %zu of answer, %zu streams: %s\n", b->n_prompt, b->n_answer,
               b->n_streams, b->answer_path);
        print_figures("plain", &best[1]);
        print_figures("drafts", &best[0]);
        printf("%.3f x plain\n", best[1].time / best[0].time);
    }
    return err;
}

/* ---- texts ---- */

static vb_err read_tokens(const bench *b, const char *path, uint32_t **tokens, size_t *n,
                          vb_error *e) {
    char *text = malloc(TEXT_MAX);
    FILE *f = text ? fopen(path, "rb") : NULL;
    const size_t n_bytes = f ? fread(text, 1, TEXT_MAX, f) : 0;
    vb_err err = n_bytes
                     ? vb_tokenizer_encode(b->tokenizer, text, n_bytes, false, false, tokens, n, e)
                     : vb_fail(e, VB_EIO, "%s: cannot be read, or is empty", path);
    if (f) {
        fclose(f);
    }
    free(text);
    return err;
}

static vb_err take_texts(bench *b, vb_error *e) {
    vb_err err;
    if ((err = read_tokens(b, b->prompt_path, &b->prompt, &b->n_prompt, e)) ||
        (err = read_tokens(b, b->answer_path, &b->answer, &b->n_answer, e))) {
        return err;
    }
    const vb_model_config *c = vb_model_get_config(b->model);
    if (b->n_prompt + b->n_answer > c->n_ctx_train) {
        return vb_fail(e, VB_EINVAL, "%zu tokens of prompt and %zu of answer: expected at most %zu",
                       b->n_prompt, b->n_answer, c->n_ctx_train);
    }
    for (size_t i = 0; i < b->n_answer; i++) {
        if (b->answer[i] >= c->n_vocab || vb_tokenizer_is_eog(b->tokenizer, b->answer[i])) {
            return vb_fail(e, VB_EINVAL,
                           "token %zu of the answer is none that this model goes on with", i);
        }
    }
    return VB_OK;
}

static vb_err run_bench(bench *b, const char *path, vb_error *e) {
    vb_gguf *g = NULL, *v = NULL;
    vb_model *m = NULL;
    vb_model_options options = {.n_threads = b->n_threads};
    vb_err err = vb_kernels_select(b->tier, &options.kernels, e);
    if (!err && !(err = vb_gguf_open(path, &g, e)) &&
        (!b->vocabulary || !(err = vb_gguf_open(b->vocabulary, &v, e))) &&
        !(err = vb_tokenizer_open(v ? v : g, &b->tokenizer, e)) &&
        !(err = vb_model_load(g, &options, &m, e))) {
        b->model = m;
        printf("tier %s, %d threads, %s\n", options.kernels->name, b->n_threads, path);
        err = !b->prompt_path ? report_rows(b, e) : take_texts(b, e);
        if (!err && b->prompt_path) {
            err = report_answers(b, e);
        }
    }
    free(b->prompt);
    free(b->answer);
    vb_model_close(m);
    vb_tokenizer_close(b->tokenizer);
    vb_gguf_close(v);
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
    static bench b = {.n_runs = 3, .n_streams = 1};
    const char *files[3] = {NULL};
    size_t n_threads = 1, n_files = 0;
    bool ok = true;
    for (int i = 1; i < argc && ok; i++) {
        const bool more = i + 1 < argc;
        if (strcmp(argv[i], "--threads") == 0 && more) {
            ok = parse_count(argv[++i], VB_THREADS_MAX, &n_threads);
        } else if (strcmp(argv[i], "--runs") == 0 && more) {
            ok = parse_count(argv[++i], RUNS_MAX, &b.n_runs);
        } else if (strcmp(argv[i], "--streams") == 0 && more) {
            ok = parse_count(argv[++i], STREAMS_MAX, &b.n_streams);
        } else if (strcmp(argv[i], "--tier") == 0 && more) {
            b.tier = argv[++i];
        } else if (strcmp(argv[i], "--vocabulary") == 0 && more) {
            b.vocabulary = argv[++i];
        } else {
            ok = n_files < 3 && argv[i][0] != '-';
            files[ok ? n_files++ : 0] = argv[i];
        }
    }
    if (!ok || n_files % 2 == 0) {
        fprintf(stderr, "usage: bench_lookup [--tier NAME] [--threads N] [--runs N] [--streams N] "
                        "[--vocabulary GGUF] FILE [PROMPT ANSWER]\n");
        return 2;
    }
    vb_error e = {VB_OK, ""};
    b.n_threads = (int)n_threads;
    b.prompt_path = files[1];
    b.answer_path = files[2];
    if (run_bench(&b, files[0], &e)) {
        fprintf(stderr, "bench_lookup: %s\n", e.msg);
        return 1;
    }
    return 0;
}
