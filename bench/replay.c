/*
 * What verification of several receipts together gains: the time to replay them in one call, as a
 * ratio to one after another.
 *
 *   bench_replay [--threads N] [--tier NAME] [--receipts N] [--prompt N] [--tokens N] [--runs N]
 *                [--json] FILE
 *
 * The answers are made first, by the same rule as any server's, and every replay must find them to
 * be true. The best of the runs (3) of each way counts, taken in turns.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/system.h"
#include "gguf/gguf.h"
#include "verify/generation.h"
#include "verify/replay.h"

enum { RECEIPTS_MAX = VB_REPLAY_SHARED_MAX, TOKENS_MAX = 4096, RUNS_MAX = 100, EOG_MAX = 64 };

typedef struct bench {
    const char *path, *tier;
    size_t n_threads, n_receipts, n_prompt, n_tokens, n_runs;
    bool json;
    vb_gguf *gguf;
    vb_tokenizer *tokenizer;
    vb_model *model;
    vb_receipt receipts[RECEIPTS_MAX];
    vb_report reports[RECEIPTS_MAX];
} bench;

static const uint8_t no_digest[VB_SHA256_BYTES]; /* of the model: that of a file is not computed */

/* A request whose answer does not end before its last token. */
static vb_err ask(const bench *b, size_t i, vb_receipt *r, vb_error *e) {
    const vb_model_config *c = vb_model_get_config(b->model);
    uint32_t prompt[TOKENS_MAX];
    for (size_t j = 0; j < b->n_prompt; j++) {
        prompt[j] = (uint32_t)((i * 7919 + j) * 2654435761u % c->n_vocab);
    }
    snprintf(r->model.name, sizeof r->model.name, "%s", c->name);
    snprintf(r->model.architecture, sizeof r->model.architecture, "%s", c->arch);
    snprintf(r->model.file_type, sizeof r->model.file_type, "%s", c->file_type);
    r->model.n_parameters = c->n_parameters;
    r->prompt.kind = VB_PROMPT_TOKENS;
    r->request.sampling.temperature = 0.8f;
    r->request.sampling.top_k = 40;
    r->request.max_tokens = (uint32_t)b->n_tokens;
    r->request.ctx_tokens = (uint32_t)(b->n_prompt + b->n_tokens);
    r->request.n_choices = 1;
    r->request.mode = VB_MODE_FIXED;
    r->request.has_seed = true;
    r->request.seed = i;
    for (uint32_t t = 0; t < c->n_vocab && r->request.sampling.n_bias < EOG_MAX; t++) {
        if (vb_tokenizer_is_eog(b->tokenizer, t)) {
            r->request.sampling.bias[r->request.sampling.n_bias++] = (vb_logit_bias){t, -100};
        }
    }
    return vb_receipt_set_prompt_tokens(r, prompt, b->n_prompt, e);
}

typedef struct answer {
    vb_generation *g;
    uint32_t token;
    vb_error e;
} answer;

static vb_err on_logits(void *user, size_t item, size_t index, const float *logits) {
    answer *a = user;
    (void)item;
    (void)index;
    return vb_generation_step(a->g, logits, &a->token, &a->e);
}

/* One token a pass after the prompt, as a server decodes. */
static vb_err decode(const bench *b, const vb_receipt *r, vb_workspace *w, answer *a, vb_error *e) {
    vb_session *s = NULL;
    vb_err err = vb_session_open(b->model, r->request.ctx_tokens, &s, e);
    const size_t n = r->prompt.n_tokens;
    for (size_t at = 0; at < n && !err; at += VB_BATCH_TOKENS_MAX) {
        const size_t size = n - at < VB_BATCH_TOKENS_MAX ? n - at : VB_BATCH_TOKENS_MAX;
        const vb_batch_item item = {s, r->prompt.tokens + at, size,
                                    at + size == n ? size - 1 : size};
        err = vb_forward(b->model, w, &item, 1, on_logits, a, e);
    }
    while (!err && !vb_generation_ended(a->g, NULL)) {
        const vb_batch_item item = {s, &a->token, 1, 0};
        err = vb_forward(b->model, w, &item, 1, on_logits, a, e);
    }
    vb_session_close(s);
    return err;
}

static vb_err answer_it(const bench *b, vb_receipt *r, vb_workspace *w, vb_error *e) {
    vb_generation_options o;
    vb_stop_string stops[VB_STOP_STRINGS_MAX];
    answer a = {.g = NULL};
    vb_err err = vb_receipt_generation(r, b->model, b->tokenizer, stops, &o, e);
    if (!err && !(err = vb_receipt_seed(r, 0, o.seed, e)) &&
        !(err = vb_generation_open(&o, &a.g, e)) && !(err = decode(b, r, w, &a, e))) {
        size_t n, n_text;
        uint8_t root[VB_SHA256_BYTES];
        vb_finish finish = VB_FINISH_LENGTH;
        const uint32_t *tokens = vb_generation_tokens(a.g, &n);
        const char *text = vb_generation_text(a.g, &n_text);
        (void)vb_generation_ended(a.g, &finish);
        vb_generation_trace_root(a.g, root);
        err = vb_receipt_add_output(r, tokens, n, text, n_text, finish, root, e);
    }
    vb_generation_close(a.g);
    return err;
}

static vb_err make_receipts(bench *b, vb_error *e) {
    vb_workspace *w = NULL;
    vb_err err = vb_workspace_open(b->model, VB_BATCH_TOKENS_MAX, b->n_prompt + b->n_tokens,
                                   (int)b->n_threads, &w, e);
    for (size_t i = 0; i < b->n_receipts && !err; i++) {
        if (!(err = ask(b, i, &b->receipts[i], e))) {
            err = answer_it(b, &b->receipts[i], w, e);
        }
    }
    vb_workspace_close(w);
    return err;
}

/* All receipts in calls of n_each; the time. */
static vb_err replay(bench *b, size_t n_each, uint64_t *ns, vb_error *e) {
    const vb_replay_options o = {.gguf = b->gguf,
                                 .tokenizer = b->tokenizer,
                                 .model = b->model,
                                 .model_sha256 = no_digest,
                                 .batch_tokens = VB_BATCH_TOKENS_MAX,
                                 .n_threads = (int)b->n_threads};
    vb_replay_item items[RECEIPTS_MAX];
    for (size_t i = 0; i < b->n_receipts; i++) {
        vb_report_begin(&b->reports[i], VB_LEVEL_FULL);
        items[i] = (vb_replay_item){&b->receipts[i], &b->reports[i], NULL, NULL};
    }
    const uint64_t start = vb_clock_ns();
    for (size_t i = 0; i < b->n_receipts; i += n_each) {
        vb_replay_together(&o, items + i, n_each);
    }
    *ns = vb_clock_ns() - start;
    for (size_t i = 0; i < b->n_receipts; i++) {
        if (!b->reports[i].replayed) {
            return vb_fail(e, VB_EMISMATCH, "receipt %zu was not verified: %s", i,
                           b->reports[i].checks[VB_CHECK_TOKENS].detail);
        }
    }
    return VB_OK;
}

static void print(const bench *b, uint64_t alone_ns, uint64_t together_ns) {
    const double alone = (double)alone_ns * 1e-9, together = (double)together_ns * 1e-9;
    const double n = (double)(b->n_receipts * b->n_tokens);
    if (b->json) {
        printf("{\"tier\": \"%s\", \"threads\": %zu, \"receipts\": %zu, \"prompt\": %zu, "
               "\"tokens\": %zu, \"alone_seconds\": %.4f, \"together_seconds\": %.4f, "
               "\"alone_of_together\": %.3f}\n",
               vb_model_kernels(b->model)->name, b->n_threads, b->n_receipts, b->n_prompt,
               b->n_tokens, alone, together, alone / together);
        return;
    }
    printf("tier %s, %zu threads, %zu receipts, prompts of %zu, answers of %zu tokens, %s\n",
           vb_model_kernels(b->model)->name, b->n_threads, b->n_receipts, b->n_prompt, b->n_tokens,
           b->path);
    printf("one after another %8.3f s  %8.1f tokens/s\n", alone, n / alone);
    printf("together          %8.3f s  %8.1f tokens/s, %.2f x\n", together, n / together,
           alone / together);
}

static vb_err measure(bench *b, vb_error *e) {
    uint64_t alone = UINT64_MAX, together = UINT64_MAX, ns = 0;
    vb_err err = make_receipts(b, e);
    for (size_t i = 0; i < b->n_runs && !err; i++) {
        if ((err = replay(b, b->n_receipts, &ns, e))) {
            break;
        }
        together = ns < together ? ns : together;
        err = replay(b, 1, &ns, e);
        alone = ns < alone ? ns : alone;
    }
    if (!err) {
        print(b, alone, together);
    }
    return err;
}

static vb_err run(bench *b, vb_error *e) {
    vb_model_options options = {.n_threads = (int)b->n_threads};
    vb_err err = vb_kernels_select(b->tier, &options.kernels, e);
    if (!err && !(err = vb_gguf_open(b->path, &b->gguf, e)) &&
        !(err = vb_tokenizer_open(b->gguf, &b->tokenizer, e)) &&
        !(err = vb_model_load(b->gguf, &options, &b->model, e))) {
        err = measure(b, e);
    }
    return err;
}

static bool parse(int argc, char **argv, bench *b) {
    const struct {
        const char *name;
        size_t max, *to;
    } numbers[] = {{"--threads", VB_THREADS_MAX, &b->n_threads},
                   {"--receipts", RECEIPTS_MAX, &b->n_receipts},
                   {"--prompt", TOKENS_MAX, &b->n_prompt},
                   {"--tokens", TOKENS_MAX, &b->n_tokens},
                   {"--runs", RUNS_MAX, &b->n_runs}};
    for (int i = 1; i < argc; i++) {
        bool known = false;
        for (size_t k = 0; k < sizeof numbers / sizeof numbers[0] && !known; k++) {
            if (strcmp(argv[i], numbers[k].name) == 0 && i + 1 < argc) {
                char *rest;
                const unsigned long v = strtoul(argv[++i], &rest, 10);
                *numbers[k].to = (size_t)v;
                if (*rest || v < 1 || v > numbers[k].max) {
                    return false;
                }
                known = true;
            }
        }
        if (!known && strcmp(argv[i], "--json") == 0) {
            b->json = known = true;
        } else if (!known && strcmp(argv[i], "--tier") == 0 && i + 1 < argc) {
            b->tier = argv[++i];
            known = true;
        } else if (!known && !b->path && argv[i][0] != '-') {
            b->path = argv[i];
            known = true;
        }
        if (!known) {
            return false;
        }
    }
    return b->path != NULL;
}

int main(int argc, char **argv) {
    vb_error e = {VB_OK, ""};
    bench *b = calloc(1, sizeof *b);
    if (!b) {
        fprintf(stderr, "bench_replay: no memory\n");
        return 1;
    }
    b->n_threads = (size_t)vb_cpu_count();
    b->n_receipts = 16;
    b->n_prompt = 16;
    b->n_tokens = 32;
    b->n_runs = 3;
    for (size_t i = 0; i < RECEIPTS_MAX; i++) {
        vb_receipt_init(&b->receipts[i]);
    }
    int status = 0;
    if (!parse(argc, argv, b)) {
        fprintf(stderr,
                "usage: bench_replay [--threads N] [--tier NAME] [--receipts N] [--prompt N] "
                "[--tokens N] [--runs N] [--json] FILE\n");
        status = 2;
    } else if (run(b, &e)) {
        fprintf(stderr, "bench_replay: %s\n", e.msg);
        status = 1;
    }
    for (size_t i = 0; i < RECEIPTS_MAX; i++) {
        vb_receipt_free(&b->receipts[i]);
    }
    vb_model_close(b->model);
    vb_tokenizer_close(b->tokenizer);
    vb_gguf_close(b->gguf);
    free(b);
    return status;
}
