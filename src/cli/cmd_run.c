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
#include "cli/beacon_options.h"
#include "cli/commands.h"
#include "cli/constraint_options.h"
#include "cli/identity.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/request.h"
#include "crypto/random.h"
#include "engine/answer.h"
#include "receipt/records.h"
#include "receipt/theta_section.h"

typedef struct run {
    vb_app a;
    vb_request_options q;
    vb_beacon_options b;
    vb_constraint_options c;
    const char *prompt, *file, *receipt_path, *commitment_path, *private_path, *fallback;
    bool raw;
    vb_identity identity;
    vb_receipt *r;
    vb_session *session;
    vb_workspace *workspace;
    vb_progress bar;
    size_t prompt_tokens;
    vb_generate_stats stats;
    uint8_t hash[VB_SHA256_BYTES];
    vb_error *e; /* while it answers */
} run;

static vb_err on_text(void *user, const char *text, size_t n_bytes) {
    run *x = user;
    vb_progress_end(&x->bar);
    return x->a.json ? VB_OK : vb_app_stream_text(text, n_bytes, x->e);
}

static vb_err on_commitment(void *user, const vb_receipt *r, vb_error *e) {
    const run *x = user;
    vb_buf bytes = vb_buf_make(VB_RECEIPT_BYTES_MAX);
    vb_err err = VB_OK;
    if (x->commitment_path && !(err = vb_commitment_encode(r, &bytes, e))) {
        err = vb_output_write(x->commitment_path, "commitment", bytes.data, bytes.len, e);
    }
    vb_buf_free(&bytes);
    return err;
}

static void on_wait(void *user, const vb_receipt *r) {
    run *x = user;
    vb_progress_end(&x->bar);
    if (!x->a.quiet && isatty(STDERR_FILENO)) {
        fprintf(stderr, "waiting for the round of %.80s\n", r->request.beacon_id);
    }
}

static void on_fallback(void *user, const vb_error *why) {
    run *x = user;
    vb_progress_end(&x->bar);
    fprintf(stderr,
            "verbatim run: %s\nfalling back to the local chain, as --beacon-fallback allows\n",
            why->msg);
    vb_progress_begin(&x->bar, "prefill", "tokens", x->a.quiet);
}

static bool on_progress(void *user, size_t prompt_done, size_t tokens_done) {
    run *x = user;
    if (tokens_done == 0) {
        return vb_progress_update(&x->bar, prompt_done, x->prompt_tokens);
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

/* What a private receipt leaves out, for those who are to check it; before anything is committed
 * to. */
static vb_err write_prompt(const run *x, vb_error *e) {
    vb_buf bytes = vb_buf_make(VB_RECEIPT_BYTES_MAX);
    vb_err err = vb_prompt_file_encode(x->r, &bytes, e);
    if (!err) {
        err = vb_output_write(x->private_path, "prompt file", bytes.data, bytes.len, e);
    }
    vb_buf_free(&bytes);
    return err;
}

/* Where the randomness comes from, and who signs. */
static vb_err prepare_randomness(run *x, vb_error *e) {
    vb_err err;
    if (x->b.beacon && ((err = vb_trust_open(&x->b, e)) || (err = vb_beacon_open(&x->b, e)))) {
        return err;
    }
    if (x->receipt_path) {
        const bool chain = x->fallback || (!x->q.seed_given && !x->b.beacon);
        return vb_identity_open(&x->identity, chain, x->a.quiet, e);
    }
    if (!x->q.seed_given) {
        /* Nobody will check this draw, but it can be repeated: the seed is reported. */
        if ((err = vb_random_bytes(&x->q.seed, sizeof x->q.seed, e))) {
            return err;
        }
        x->q.seed_given = true;
    }
    return VB_OK;
}

static vb_err prepare(run *x, vb_error *e) {
    uint8_t digest[VB_SHA256_BYTES] = {0};
    vb_err err;
    if ((x->receipt_path && (err = vb_output_check(x->receipt_path, "receipt", e))) ||
        (x->commitment_path && (err = vb_output_check(x->commitment_path, "commitment", e))) ||
        (x->private_path && (err = vb_output_check(x->private_path, "prompt file", e))) ||
        (err = vb_constraint_read(&x->c, e)) || (err = vb_app_open(&x->a, true, e)) ||
        (x->receipt_path && (err = vb_app_model_digest(&x->a, false, digest, e))) ||
        (err = prepare_randomness(x, e))) {
        return err;
    }
    const char *beacon_id = x->b.source ? vb_source_id(x->b.source) : NULL;
    if ((err = vb_request_fill(&x->q, &x->a, digest, beacon_id, x->r, e)) ||
        (err = vb_constraint_fill(&x->c, &x->a, &x->r->request, e)) || (err = take_prompt(x, e)) ||
        (err = vb_request_context(&x->a, x->r, e)) ||
        (x->private_path && (err = write_prompt(x, e))) ||
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
        .vocabulary = x->c.vocabulary,
        .workspace = x->workspace,
        .session = x->session,
        .batch_tokens = vb_app_batch(&x->a),
        .no_speculation = x->a.no_speculation,
        .key = x->identity.key,
        .ledger = x->identity.ledger,
        .chain = x->identity.chain,
        .source = x->b.source,
        .wait_ms = vb_beacon_wait_ms(&x->b),
        .fall_back_to_local = x->fallback != NULL,
        .make_private = x->private_path != NULL,
        .on_commitment = on_commitment,
        .on_wait = on_wait,
        .on_fallback = on_fallback,
        .on_text = on_text,
        .on_progress = on_progress,
        .user = x,
    };
    x->e = e;
    x->prompt_tokens = x->r->prompt.n_tokens;
    vb_progress_begin(&x->bar, "prefill", "tokens", x->a.quiet);
    vb_err err = vb_answer(&o, x->r, x->hash, &x->stats, e);
    vb_progress_end(&x->bar);
    return err;
}

/* The receipt where it was asked for; the ledger has it already, so nothing is lost. */
static vb_err write_receipt(const run *x, vb_error *e) {
    vb_err err = vb_output_write_receipt(x->receipt_path, x->r, e);
    return err ? vb_fail_in(e, err, "the receipt is %s/receipts/%llu.json", x->identity.dir,
                            (unsigned long long)x->r->request.sequence)
               : VB_OK;
}

static double per_second(size_t n, uint64_t ns) {
    return ns ? (double)n * 1e9 / (double)ns : 0;
}

/* The section that readers of Theta's format look for, when the draw is of its beacon. */
static void print_theta(const run *x) {
    vb_buf section = vb_buf_make(VB_RECEIPT_BYTES_MAX);
    if (x->r->has_beacon && vb_beacon_kind_of_id(x->r->beacon.id) == VB_BEACON_THETA &&
        vb_theta_section_append(x->r, x->hash, &section, NULL) == VB_OK) {
        printf(",\"theta_verified\":%s", (const char *)section.data);
    }
    vb_buf_free(&section);
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
               x->prompt_tokens, out->n_tokens, x->a.kernels->name);
        if (x->r->request.has_seed) {
            printf(",\"seed\":\"%llu\"", (unsigned long long)x->r->request.seed);
        }
        printf(",\"prefill_tokens_per_second\":%.2f,\"decode_tokens_per_second\":%.2f"
               ",\"drafted_tokens\":%zu,\"accepted_tokens\":%zu",
               prefill, decode, x->stats.drafted, x->stats.accepted);
        if (x->receipt_path) {
            printf(",\"verification_hash\":\"%s\",\"receipt\":", hex);
            vb_app_print_json_string(x->receipt_path, strlen(x->receipt_path));
            print_theta(x);
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
            x->prompt_tokens, prefill, out->n_tokens, decode, vb_finish_name(out->finish));
    if (x->receipt_path) {
        if (x->r->has_beacon && x->b.beacon) {
            fprintf(stderr, "drawn with %s, round %llu\n", x->r->beacon.id,
                    (unsigned long long)x->r->beacon.round);
        }
        fprintf(stderr, "receipt: %s\nverification hash: %s\n", x->receipt_path, hex);
    } else {
        fprintf(stderr, "seed: %llu\n", (unsigned long long)x->r->request.seed);
    }
}

static void close_all(run *x) {
    vb_workspace_close(x->workspace);
    vb_session_close(x->session);
    vb_identity_close(&x->identity);
    vb_beacon_close(&x->b);
    vb_constraint_close(&x->c);
    vb_app_close(&x->a);
    vb_receipt_free(x->r);
    free(x->r);
}

static vb_err check_options(const run *x, vb_error *e) {
    if (!x->prompt == !x->file) {
        return vb_fail(e, VB_EINVAL, "give either -p TEXT or -f FILE");
    }
    if (x->raw && x->q.system) {
        return vb_fail(e, VB_EINVAL, "--system is part of a chat: it has no place with --raw");
    }
    if (!x->receipt_path && (x->commitment_path || x->private_path || x->b.beacon)) {
        return vb_fail(
            e, VB_EINVAL,
            "--beacon, --commitment and --private are for receipts: give --receipt FILE");
    }
    if (x->fallback && (!x->b.beacon || strcmp(x->fallback, "local") != 0)) {
        return vb_fail(e, VB_EINVAL, "--beacon-fallback: expected local, beside --beacon");
    }
    return VB_OK;
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
        {0, "commitment", VB_OPT_STR, &x.commitment_path, "FILE",
         "write the signed commitment, before the randomness is known", 0, 0, NULL},
        {0, "private", VB_OPT_STR, &x.private_path, "FILE",
         "leave the prompt out of the receipt; FILE gets it, for who is to check", 0, 0, NULL},
        {0, "beacon-fallback", VB_OPT_STR, &x.fallback, "local",
         "when the beacon fails: the local chain, named as such in the receipt", 0, 0, NULL},
    };
    vb_opt_table options = {.n = 0};
    vb_opt_add(&options, own, sizeof own / sizeof own[0]);
    vb_request_options_add(&x.q, &options);
    vb_constraint_options_add(&x.c, &options);
    vb_beacon_options_add(&x.b, &options);
    vb_trust_option_add(&x.b, &options);
    vb_app_options(&x.a,
                   VB_APP_OPT_MODEL | VB_APP_OPT_CTX | VB_APP_OPT_RUN | VB_APP_OPT_SPECULATION |
                       VB_APP_OPT_JSON | VB_APP_OPT_QUIET,
                   &options);
    const vb_command_spec spec = {"run",
                                  "-m FILE (-p TEXT | -f FILE) [OPTIONS]",
                                  "Answers one prompt; the text is streamed to stdout. With "
                                  "--receipt the request is committed\n"
                                  "to first; the randomness comes from --beacon (a public beacon), "
                                  "--seed (mode fixed) or else\n"
                                  "from this machine's own hash chain (mode local); the signed "
                                  "record of it all is written\n"
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
    if ((err = check_options(&x, &e))) {
        return vb_app_fail(&x.a, "run", err, &e);
    }
    x.r = malloc(sizeof *x.r);
    if (!x.r) {
        err = vb_fail(&e, VB_ENOMEM, "no memory for a receipt");
        return vb_app_fail(&x.a, "run", err, &e);
    }
    vb_receipt_init(x.r);
    if (!(err = prepare(&x, &e)) && !(err = answer(&x, &e)) && x.receipt_path) {
        err = write_receipt(&x, &e);
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
