/*
 * What an answer costs beside the model: drawing its tokens, the trace of their logits, and the
 * receipt. Each token goes the way of a real answer: one row through the model, then
 * vb_generation_step (bias, penalties, truncation, draw, text, leaf of the trace); the receipt is
 * committed to, filled, signed and encoded as the engine does, without its file.
 *
 *   bench_answer [--threads N] [--tier NAME] [--prompt N] [--tokens N] [--runs N] [--verify]
 *                [--json] FILE
 *
 * Three samplings in turn: greedy; temperature 0.8 with top-p 0.95 and top-k 40; that with
 * penalties. Of the runs (3) the least time counts, for each part apart. --verify: the second of
 * them alone, and its receipt is verified too, every token drawn again. One thread: its own
 * processor time; more: elapsed time.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/limits.h"
#include "base/version.h"
#include "gguf/gguf.h"
#include "model/model.h"
#include "receipt/digests.h"
#include "receipt/receipt.h"
#include "receipt/trace.h"
#include "verify/generation.h"
#include "verify/replay.h"

enum { COUNT_MAX = 1 << 14, RUNS_MAX = 100, EOG_MAX = 64 };

typedef enum setting { GREEDY, TRUNCATED, PENALTIES, SETTINGS } setting;

static const char *const setting_names[SETTINGS] = {"greedy", "top", "penalties"};

/* Seconds a token; the receipt's and its verification's: seconds an answer. */
typedef struct times {
    double model, step, leaf, receipt, verify;
} times;

typedef struct bench {
    const vb_gguf *gguf;
    const vb_model *model;
    const vb_tokenizer *tokenizer;
    vb_session *session;
    vb_workspace *workspace;
    vb_ed25519_key *key;
    int n_threads;
    size_t n_prompt, n_tokens, n_runs;
    bool verify, json;
    uint32_t *prompt;
    times best[SETTINGS];
} bench;

/* One token of one run. */
typedef struct step {
    const bench *b;
    vb_generation *g;
    uint32_t token;
    double took, leaf;
    vb_error *e;
} step;

static double seconds(const bench *b) {
    struct timespec t;
    clock_gettime(b->n_threads > 1 ? CLOCK_MONOTONIC : CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static vb_err on_logits(void *user, size_t item, size_t index, const float *logits) {
    step *s = user;
    (void)item;
    (void)index;
    const double start = seconds(s->b);
    vb_err err = vb_generation_step(s->g, logits, &s->token, s->e);
    s->took = seconds(s->b) - start;
    return err;
}

/* The leaf alone, which a step makes too. */
static vb_err on_leaf(void *user, size_t item, size_t index, const float *logits) {
    step *s = user;
    uint8_t leaf[VB_SHA256_BYTES];
    (void)item;
    const double start = seconds(s->b);
    vb_trace_leaf(index, 0, logits, vb_model_get_config(s->b->model)->n_vocab, leaf);
    s->leaf = seconds(s->b) - start;
    return VB_OK;
}

/* No answer ends before its last token. */
static vb_err sampling_of(const bench *b, setting which, vb_sampling *s, vb_error *e) {
    vb_sampling_default(s);
    for (uint32_t t = 0; t < vb_model_get_config(b->model)->n_vocab && s->n_bias < EOG_MAX; t++) {
        if (vb_tokenizer_is_eog(b->tokenizer, t)) {
            s->bias[s->n_bias++] = (vb_logit_bias){t, -100};
        }
    }
    if (which == GREEDY) {
        return VB_OK;
    }
    s->temperature = 0.8f;
    s->top_k = 40;
    if (which == PENALTIES) {
        s->presence_penalty = 0.5f;
        s->frequency_penalty = 0.5f;
        s->repetition_penalty = 1.1f;
    }
    return vb_sampling_fixed_point(0.95, &s->top_p, e);
}

/* ---- one answer ---- */

static vb_err fill_request(const bench *b, const vb_sampling *sampling, vb_receipt *r,
                           vb_error *e) {
    const vb_model_config *c = vb_model_get_config(b->model);
    vb_receipt_init(r);
    snprintf(r->model.name, sizeof r->model.name, "%s", c->name);
    snprintf(r->model.architecture, sizeof r->model.architecture, "%s", c->arch);
    snprintf(r->model.file_type, sizeof r->model.file_type, "%s", c->file_type);
    snprintf(r->engine_version, sizeof r->engine_version, "%s", VB_VERSION);
    snprintf(r->engine_tier, sizeof r->engine_tier, "%s", vb_model_kernels(b->model)->name);
    r->model.n_parameters = c->n_parameters;
    r->prompt.kind = VB_PROMPT_TOKENS;
    r->request.sampling = *sampling;
    r->request.max_tokens = (uint32_t)b->n_tokens;
    r->request.ctx_tokens = (uint32_t)(b->n_prompt + b->n_tokens);
    r->request.n_choices = 1;
    r->request.mode = VB_MODE_FIXED;
    r->request.has_seed = true;
    r->request.seed = 1;
    r->request.sequence = 1;
    r->request.issued_at_ms = 1700000000000u;
    return vb_receipt_set_prompt_tokens(r, b->prompt, b->n_prompt, e);
}

static vb_err commit(const bench *b, vb_receipt *r, uint8_t seed[VB_SHA256_BYTES], vb_error *e) {
    vb_err err = vb_commitment_make(r, b->key, e);
    if (err) {
        return err;
    }
    vb_receipt_set_id(r);
    return vb_receipt_seed(r, 0, seed, e);
}

static vb_err settle(const bench *b, vb_receipt *r, const vb_generation *g, vb_buf *out,
                     vb_error *e) {
    size_t n_tokens, n_text;
    vb_finish finish = VB_FINISH_LENGTH;
    uint8_t root[VB_SHA256_BYTES];
    const uint32_t *tokens = vb_generation_tokens(g, &n_tokens);
    const char *text = vb_generation_text(g, &n_text);
    (void)vb_generation_ended(g, &finish);
    vb_generation_trace_root(g, root);

    vb_err err = vb_receipt_add_output(r, tokens, n_tokens, text, n_text, finish, root, e);
    err = err ? err : vb_receipt_sign(r, b->key, NULL, e);
    return err ? err : vb_receipt_encode(r, out, e);
}

/* The receipt as its reader has it, checked and replayed whole. */
static vb_err verify(const bench *b, const vb_buf *bytes, double *took, vb_error *e) {
    static vb_receipt r;
    static vb_report report;
    const vb_expect expect = {.server_key = NULL};
    const vb_replay_options o = {.gguf = b->gguf,
                                 .tokenizer = b->tokenizer,
                                 .model = b->model,
                                 .model_sha256 = r.request.model_sha256,
                                 .batch_tokens = VB_BATCH_TOKENS_MAX,
                                 .n_threads = b->n_threads};
    const double start = seconds(b);
    vb_report_begin(&report, VB_LEVEL_FULL);
    if (vb_check_receipt(bytes->data, bytes->len, &expect, &r, &report)) {
        vb_replay(&o, &r, &report);
    }
    vb_report_finish(&report);
    *took = fmin(*took, seconds(b) - start);
    vb_receipt_free(&r);
    return vb_report_verdict(&report) == VB_VERDICT_VERIFIED
               ? VB_OK
               : vb_fail(e, VB_EMISMATCH, "a genuine answer is not verified: %s",
                         vb_reason_name(vb_report_reason(&report)));
}

/* The prompt, with the logits of its last token drawn from; then a token a pass. */
static vb_err generate(bench *b, vb_generation *g, times *t, vb_error *e) {
    step s = {.b = b, .g = g, .e = e};
    vb_session_truncate(b->session, 0);
    const vb_batch_item all = {b->session, b->prompt, b->n_prompt, b->n_prompt - 1};
    vb_err err = vb_forward(b->model, b->workspace, &all, 1, on_logits, &s, e);
    double model = 0, steps = 0;
    for (size_t i = 1; i < b->n_tokens && !err; i++) {
        const uint32_t token = s.token;
        const vb_batch_item item = {b->session, &token, 1, 0};
        const double start = seconds(b);
        err = vb_forward(b->model, b->workspace, &item, 1, on_logits, &s, e);
        model += seconds(b) - start - s.took;
        steps += s.took;
    }
    if (!err) {
        const vb_batch_item item = {b->session, &s.token, 1, 0};
        err = vb_forward(b->model, b->workspace, &item, 1, on_leaf, &s, e);
    }
    const double n = (double)(b->n_tokens - 1);
    t->model = fmin(t->model, model / n);
    t->step = fmin(t->step, steps / n);
    t->leaf = fmin(t->leaf, s.leaf);
    return err;
}

static vb_err answer(bench *b, setting which, vb_error *e) {
    static vb_sampling sampling;
    static vb_receipt r;
    vb_generation *g = NULL;
    vb_generation_options o = {.kernels = vb_model_kernels(b->model),
                               .tokenizer = b->tokenizer,
                               .n_vocab = vb_model_get_config(b->model)->n_vocab,
                               .sampling = &sampling,
                               .prompt = b->prompt,
                               .n_prompt = b->n_prompt,
                               .tokens_max = b->n_tokens};
    vb_buf bytes = vb_buf_make(VB_RECEIPT_BYTES_MAX);
    vb_err err = sampling_of(b, which, &sampling, e);
    const double start = seconds(b);
    err = err ? err : fill_request(b, &sampling, &r, e);
    err = err ? err : commit(b, &r, o.seed, e);
    double receipt = seconds(b) - start;
    if (!err && !(err = vb_generation_open(&o, &g, e)) &&
        !(err = generate(b, g, &b->best[which], e))) {
        const double done = seconds(b);
        err = settle(b, &r, g, &bytes, e);
        receipt += seconds(b) - done;
    }
    if (!err && b->verify) {
        err = verify(b, &bytes, &b->best[which].verify, e);
    }
    b->best[which].receipt = fmin(b->best[which].receipt, receipt);
    vb_generation_close(g);
    vb_receipt_free(&r);
    vb_buf_free(&bytes);
    return err;
}

/* ---- the program ---- */

static bool is_wanted(const bench *b, int which) {
    return !b->verify || which == TRUNCATED;
}

static void print_json(const bench *b) {
    const char *comma = "";
    printf(
        "{\"tier\": \"%s\", \"threads\": %d, \"prompt\": %zu, \"tokens\": %zu, \"n_vocab\": %zu, "
        "\"decode_weight_bytes\": %llu, \"samplings\": {",
        vb_model_kernels(b->model)->name, b->n_threads, b->n_prompt, b->n_tokens,
        vb_model_get_config(b->model)->n_vocab,
        (unsigned long long)vb_model_decode_bytes(b->model));
    for (int i = 0; i < SETTINGS; i++) {
        const times *t = &b->best[i];
        if (is_wanted(b, i)) {
            printf(
                "%s\"%s\": {\"model_seconds_per_token\": %.9f, \"step_seconds_per_token\": %.9f, "
                "\"leaf_seconds\": %.9f, \"receipt_seconds\": %.9f",
                comma, setting_names[i], t->model, t->step, t->leaf, t->receipt);
            if (b->verify) {
                printf(", \"verify_seconds\": %.9f", t->verify);
            }
            printf("}");
            comma = ", ";
        }
    }
    printf("}}\n");
}

static void print_text(const bench *b) {
    const double n = (double)b->n_tokens;
    for (int i = 0; i < SETTINGS; i++) {
        const times *t = &b->best[i];
        if (is_wanted(b, i)) {
            printf("%-10s model %10.1f us a token, draw, text and trace %8.1f us (the leaf %.1f), "
                   "receipt %.1f us an answer: %.2f %% of the model\n",
                   setting_names[i], 1e6 * t->model, 1e6 * t->step, 1e6 * t->leaf, 1e6 * t->receipt,
                   100 * (t->step + t->receipt / n) / t->model);
        }
        if (is_wanted(b, i) && b->verify) {
            printf("verified at %.1f tokens/s, %.2f x the generation\n", n / t->verify,
                   n * (t->model + t->step) / t->verify);
        }
    }
}

static vb_err measure(bench *b, vb_error *e) {
    const size_t n_vocab = vb_model_get_config(b->model)->n_vocab;
    vb_err err = VB_OK;
    for (size_t i = 0; i < b->n_prompt; i++) {
        b->prompt[i] = (uint32_t)(i * 2654435761u % n_vocab);
    }
    for (int i = 0; i < SETTINGS; i++) {
        b->best[i] = (times){HUGE_VAL, HUGE_VAL, HUGE_VAL, HUGE_VAL, HUGE_VAL};
    }
    for (size_t i = 0; i < b->n_runs * SETTINGS && !err; i++) {
        err = is_wanted(b, (int)(i % SETTINGS)) ? answer(b, (setting)(i % SETTINGS), e) : VB_OK;
    }
    if (!err) {
        (b->json ? print_json : print_text)(b);
    }
    return err;
}

static vb_err run(bench *b, const char *path, const char *tier, vb_error *e) {
    vb_gguf *g = NULL;
    vb_model *m = NULL;
    vb_tokenizer *t = NULL;
    vb_model_options options = {.n_threads = b->n_threads};
    const size_t ctx = b->n_prompt + b->n_tokens;
    vb_err err = vb_kernels_select(tier, &options.kernels, e);
    if (!err && !(b->prompt = malloc(b->n_prompt * sizeof *b->prompt))) {
        err = vb_fail(e, VB_ENOMEM, "no memory for a prompt of %zu tokens", b->n_prompt);
    }
    if (!err && !(err = vb_gguf_open(path, &g, e)) && !(err = vb_tokenizer_open(g, &t, e)) &&
        !(err = vb_model_load(g, &options, &m, e)) && !(err = vb_ed25519_generate(&b->key, e)) &&
        !(err = vb_session_open(m, ctx, &b->session, e)) &&
        !(err = vb_workspace_open(m, b->n_prompt, ctx, b->n_threads, &b->workspace, e))) {
        b->gguf = g;
        b->model = m;
        b->tokenizer = t;
        err = measure(b, e);
    }
    vb_workspace_close(b->workspace);
    vb_session_close(b->session);
    vb_ed25519_close(b->key);
    vb_model_close(m);
    vb_tokenizer_close(t);
    vb_gguf_close(g);
    free(b->prompt);
    return err;
}

static bool parse_count(const char *text, size_t min, size_t max, size_t *out) {
    char *rest;
    unsigned long v = strtoul(text, &rest, 10);
    *out = (size_t)v;
    return *text && !*rest && v >= min && v <= max;
}

int main(int argc, char **argv) {
    static bench b = {.n_prompt = 16, .n_tokens = 32, .n_runs = 3};
    const char *path = NULL, *tier = NULL;
    size_t n_threads = 1;
    bool ok = true;
    for (int i = 1; i < argc && ok; i++) {
        const bool more = i + 1 < argc;
        if (strcmp(argv[i], "--threads") == 0 && more) {
            ok = parse_count(argv[++i], 1, VB_THREADS_MAX, &n_threads);
        } else if (strcmp(argv[i], "--tier") == 0 && more) {
            tier = argv[++i];
        } else if (strcmp(argv[i], "--prompt") == 0 && more) {
            ok = parse_count(argv[++i], 1, VB_BATCH_TOKENS_MAX, &b.n_prompt);
        } else if (strcmp(argv[i], "--tokens") == 0 && more) {
            ok = parse_count(argv[++i], 2, COUNT_MAX, &b.n_tokens);
        } else if (strcmp(argv[i], "--runs") == 0 && more) {
            ok = parse_count(argv[++i], 1, RUNS_MAX, &b.n_runs);
        } else if (strcmp(argv[i], "--verify") == 0) {
            b.verify = true;
        } else if (strcmp(argv[i], "--json") == 0) {
            b.json = true;
        } else {
            ok = !path && argv[i][0] != '-';
            path = argv[i];
        }
    }
    if (!ok || !path) {
        fprintf(stderr, "usage: bench_answer [--threads N] [--tier NAME] [--prompt N] [--tokens N] "
                        "[--runs N] [--verify] [--json] FILE\n");
        return 2;
    }
    vb_error e = {VB_OK, ""};
    b.n_threads = (int)n_threads;
    if (run(&b, path, tier, &e)) {
        fprintf(stderr, "bench_answer: %s\n", e.msg);
        return 1;
    }
    return 0;
}
