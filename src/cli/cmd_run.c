/* verbatim run: one prompt, one answer, on request with its receipt. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/system.h"
#include "cli/commands.h"
#include "cli/identity.h"
#include "cli/progress.h"
#include "cli/request.h"
#include "crypto/random.h"
#include "engine/answer.h"

typedef struct run {
    vb_app a;
    vb_request_options q;
    const char *prompt, *file, *receipt_path;
    bool raw;
    vb_identity identity;
    vb_receipt *r;
    vb_session *session;
    vb_workspace *workspace;
    vb_progress bar;
    vb_generate_stats stats;
    uint8_t hash[VB_SHA256_BYTES];
    vb_error *e; /* while it answers */
} run;

static vb_err on_text(void *user, const char *text, size_t n_bytes) {
    run *x = user;
    vb_progress_end(&x->bar);
    return x->a.json ? VB_OK : vb_app_stream_text(text, n_bytes, x->e);
}

static bool on_progress(void *user, size_t prompt_done, size_t tokens_done) {
    run *x = user;
    if (tokens_done == 0) {
        return vb_progress_update(&x->bar, prompt_done, x->r->prompt.n_tokens);
    }
    vb_progress_end(&x->bar);
    return !vb_interrupted();
}

/* The prompt from -p or -f, through the template unless --raw. */
static vb_err take_prompt(run *x, vb_error *e) {
    char *text = NULL;
    size_t n_bytes = 0;
    vb_err err = VB_OK;
    if (x->file && (err = vb_app_read_file(x->file, VB_TEXT_BYTES_MAX, &text, &n_bytes, e))) {
        return err;
    }
    const char *from = text ? text : x->prompt;
    n_bytes = text ? n_bytes : strlen(x->prompt);
    if (x->raw) {
        err = vb_request_prompt_text(&x->a, from, n_bytes, x->r, e);
    } else {
        if (x->q.system) {
            err = vb_receipt_add_message(x->r, "system", x->q.system, strlen(x->q.system), e);
        }
        if (!err) {
            err = vb_receipt_add_message(x->r, "user", from, n_bytes, e);
        }
        if (!err) {
            err = vb_request_prompt_chat(&x->q, &x->a, x->r, e);
        }
    }
    free(text);
    return err;
}

static vb_err prepare(run *x, vb_error *e) {
    uint8_t digest[VB_SHA256_BYTES] = {0};
    vb_err err;
    if (x->receipt_path && (err = vb_identity_check_writable(x->receipt_path, e))) {
        return err;
    }
    if ((err = vb_app_open(&x->a, true, e))) {
        return err;
    }
    if (x->receipt_path) {
        if ((err = vb_app_model_digest(&x->a, false, digest, e)) ||
            (err = vb_identity_open(&x->identity, !x->q.seed_given, x->a.quiet, e))) {
            return err;
        }
    } else if (!x->q.seed_given) {
        /* Nobody will check this draw, but it can be repeated: the seed is reported. */
        if ((err = vb_random_bytes(&x->q.seed, sizeof x->q.seed, e))) {
            return err;
        }
        x->q.seed_given = true;
    }
    if ((err = vb_request_fill(&x->q, &x->a, digest, x->r, e)) || (err = take_prompt(x, e)) ||
        (err = vb_request_context(&x->a, x->r, e)) ||
        (err = vb_session_open(x->a.model, x->r->request.ctx_tokens, &x->session, e))) {
        return err;
    }
    return vb_workspace_open(x->a.model, vb_app_batch(&x->a), x->r->request.ctx_tokens,
                             vb_app_threads(&x->a), &x->workspace, e);
}

static vb_err answer(run *x, vb_error *e) {
    const vb_answer_options o = {
        .model = x->a.model,
        .tokenizer = x->a.tokenizer,
        .workspace = x->workspace,
        .session = x->session,
        .batch_tokens = vb_app_batch(&x->a),
        .key = x->identity.key,
        .state_dir = x->identity.dir,
        .chain = x->identity.chain,
        .on_text = on_text,
        .on_progress = on_progress,
        .user = x,
    };
    x->e = e;
    vb_progress_begin(&x->bar, "prefill", "tokens", x->a.quiet);
    vb_err err = vb_answer(&o, x->r, x->hash, &x->stats, e);
    vb_progress_end(&x->bar);
    return err;
}

static double per_second(size_t n, uint64_t ns) {
    return ns ? (double)n * 1e9 / (double)ns : 0;
}

static void report(const run *x) {
    const vb_receipt_output *out = &x->r->outputs[0];
    const double prefill = per_second(x->stats.prefill_tokens, x->stats.prefill_ns);
    const double decode = per_second(x->stats.decode_tokens, x->stats.decode_ns);
    char hex[VB_SHA256_HEX_BYTES];
    vb_hex_encode(x->hash, VB_SHA256_BYTES, hex);
    if (x->a.json) {
        printf("{\"text\":");
        vb_app_print_json_string(out->text.p, out->text.len);
        printf(",\"finish_reason\":\"%s\",\"tokens\":[", vb_finish_name(out->finish));
        for (size_t i = 0; i < out->n_tokens; i++) {
            printf("%s%u", i ? "," : "", out->tokens[i]);
        }
        printf("],\"prompt_tokens\":%zu,\"completion_tokens\":%zu,\"tier\":\"%s\"",
               x->r->prompt.n_tokens, out->n_tokens, x->a.kernels->name);
        if (x->r->request.has_seed) {
            printf(",\"seed\":\"%llu\"", (unsigned long long)x->r->request.seed);
        }
        printf(",\"prefill_tokens_per_second\":%.2f,\"decode_tokens_per_second\":%.2f", prefill,
               decode);
        if (x->receipt_path) {
            printf(",\"verification_hash\":\"%s\",\"receipt\":", hex);
            vb_app_print_json_string(x->receipt_path, strlen(x->receipt_path));
        }
        printf("}\n");
        return;
    }
    if (out->text.len == 0 || out->text.p[out->text.len - 1] != '\n') {
        printf("\n");
    }
    fflush(stdout);
    if (x->a.quiet) {
        return;
    }
    fprintf(stderr, "\n%zu prompt tokens at %.1f/s, %zu answer tokens at %.1f/s, ended by %s\n",
            x->r->prompt.n_tokens, prefill, out->n_tokens, decode, vb_finish_name(out->finish));
    if (x->receipt_path) {
        fprintf(stderr, "receipt: %s\nverification hash: %s\n", x->receipt_path, hex);
    } else {
        fprintf(stderr, "seed: %llu\n", (unsigned long long)x->r->request.seed);
    }
}

static void close_all(run *x) {
    vb_workspace_close(x->workspace);
    vb_session_close(x->session);
    vb_identity_close(&x->identity);
    vb_app_close(&x->a);
    vb_receipt_free(x->r);
    free(x->r);
}

int vb_cmd_run(int argc, char **argv) {
    run x = {.q = VB_REQUEST_DEFAULTS};
    const vb_opt own[] = {
        {'p', "prompt", VB_OPT_STR, &x.prompt, "TEXT",
         "the user's message (with --raw: the text to continue)", 0, 0, NULL},
        {'f', "file", VB_OPT_STR, &x.file, "FILE", "read it from a file; - is stdin", 0, 0, NULL},
        {0, "raw", VB_OPT_FLAG, &x.raw, NULL, "no chat template: continue the text", 0, 0, NULL},
        {'r', "receipt", VB_OPT_STR, &x.receipt_path, "FILE",
         "write a signed receipt of the answer", 0, 0, NULL},
    };
    vb_opt_table options = {.n = 0};
    vb_opt_add(&options, own, sizeof own / sizeof own[0]);
    vb_request_options_add(&x.q, &options);
    vb_app_options(&x.a,
                   VB_APP_OPT_MODEL | VB_APP_OPT_CTX | VB_APP_OPT_RUN | VB_APP_OPT_JSON |
                       VB_APP_OPT_QUIET,
                   &options);
    const vb_command_spec spec = {"run",
                                  "-m FILE (-p TEXT | -f FILE) [OPTIONS]",
                                  "Answers one prompt; the text is streamed to stdout. With "
                                  "--receipt the request is committed\n"
                                  "to first, the randomness comes from --seed (mode fixed) or else "
                                  "from this machine's own hash\n"
                                  "chain (mode local), and the signed record of it all is written "
                                  "when the answer is complete.",
                                  &options,
                                  0,
                                  0};
    char **rest;
    size_t n_rest;
    int status = vb_options_parse(&spec, argc, argv, &rest, &n_rest);
    if (status >= 0) {
        return status;
    }
    vb_error e = {VB_OK, ""};
    vb_err err;
    if (!x.prompt == !x.file) {
        err = vb_fail(&e, VB_EINVAL, "give either -p TEXT or -f FILE");
        return vb_app_fail(&x.a, "run", err, &e);
    }
    if (x.raw && x.q.system) {
        err = vb_fail(&e, VB_EINVAL, "--system is part of a chat: it has no place with --raw");
        return vb_app_fail(&x.a, "run", err, &e);
    }
    x.r = malloc(sizeof *x.r);
    if (!x.r) {
        err = vb_fail(&e, VB_ENOMEM, "no memory for a receipt");
        return vb_app_fail(&x.a, "run", err, &e);
    }
    vb_receipt_init(x.r);
    if (!(err = prepare(&x, &e)) && !(err = answer(&x, &e)) && x.receipt_path) {
        err = vb_identity_write_receipt(x.r, x.receipt_path, &e);
    }
    if (!err) {
        report(&x);
    } else if (!x.a.json) {
        fflush(stdout);
    }
    status = err ? vb_app_fail(&x.a, "run", err, &e) : VB_EXIT_OK;
    close_all(&x);
    return status;
}
