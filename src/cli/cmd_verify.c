/* verbatim verify: a receipt in, one verdict out. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/system.h"
#include "cli/app.h"
#include "cli/commands.h"
#include "cli/progress.h"
#include "verify/replay.h"

typedef struct invocation {
    vb_app a;
    const char *level, *key;
    bool rehash;
} invocation;

/* What the verifier was told apart from the receipt. */
typedef struct given {
    vb_expect expect;
    uint8_t key[VB_ED25519_PUBLIC_BYTES];
} given;

static vb_err read_key(const invocation *o, given *g, vb_error *e) {
    if (!o->key) {
        return VB_OK;
    }
    if (!vb_hex_decode(o->key, g->key, sizeof g->key)) {
        return vb_fail(e, VB_EINVAL, "--key: expected 64 lower-case hex digits");
    }
    g->expect.server_key = g->key;
    return VB_OK;
}

/* Replays with the model; a model that can not be used leaves the verdict UNVERIFIABLE. */
static void replay(invocation *o, const vb_receipt *r, vb_report *rep) {
    vb_error e = {VB_OK, ""};
    if (!o->a.model_path) {
        vb_report_unknown(rep, VB_CHECK_MODEL_DIGEST, VB_REASON_MISSING_MODEL,
                          "no model file was given (-m FILE)");
        return;
    }
    uint8_t digest[VB_SHA256_BYTES];
    vb_err err = vb_app_open(&o->a, true, &e);
    if (!err) {
        err = vb_app_model_digest(&o->a, o->rehash, digest, &e);
    }
    if (err) {
        /* Our own failure, or no model that can be used. */
        const bool ours =
            err == VB_ECANCELLED || err == VB_ENOMEM || err == VB_EMISMATCH || err == VB_EINTERNAL;
        vb_report_unknown(rep, VB_CHECK_MODEL_DIGEST,
                          ours ? VB_REASON_UNFINISHED : VB_REASON_MISSING_MODEL, "%s", e.msg);
        return;
    }
    vb_progress bar;
    vb_progress_begin(&bar, "replaying", "tokens", o->a.quiet);
    const vb_replay_options replay = {
        .gguf = o->a.gguf,
        .tokenizer = o->a.tokenizer,
        .model = o->a.model,
        .model_sha256 = digest,
        .batch_tokens = vb_app_batch(&o->a),
        .n_threads = vb_app_threads(&o->a),
        .on_progress = vb_progress_update,
        .user = &bar,
    };
    vb_replay(&replay, r, rep);
    vb_progress_end(&bar);
}

/* Returns the exit status: the verdict's, unless the verdict could not be shown. */
static int print_report(const invocation *o, const vb_report *rep) {
    vb_buf out = vb_buf_make(VB_RECEIPT_BYTES_MAX);
    vb_error e = {VB_OK, ""};
    vb_err err =
        o->a.json ? vb_report_write_json(rep, &out, &e) : vb_report_write_text(rep, &out, &e);
    if (err) {
        fprintf(stderr, "verbatim verify: %s\n", e.msg);
    } else {
        fwrite(out.data, 1, out.len, stdout);
        if (o->a.json) {
            printf("\n");
        }
    }
    vb_buf_free(&out);
    return err ? vb_exit_of(err) : vb_report_exit_code(rep);
}

int vb_cmd_verify(int argc, char **argv) {
    invocation o = {.level = "full"};
    const vb_opt own[] = {
        {0, "level", VB_OPT_STR, &o.level, "LEVEL",
         "full (default): replay every token; receipt: no model needed", 0, 0, NULL},
        {0, "key", VB_OPT_STR, &o.key, "HEX", "the server's public key, if it is known", 0, 0,
         NULL},
        {0, "rehash", VB_OPT_FLAG, &o.rehash, NULL, "hash the model again, whatever the cache says",
         0, 0, NULL},
    };
    vb_opt_table options = {.n = 0};
    vb_opt_add(&options, own, sizeof own / sizeof own[0]);
    vb_app_options(&o.a, VB_APP_OPT_MODEL | VB_APP_OPT_RUN | VB_APP_OPT_JSON | VB_APP_OPT_QUIET,
                   &options);
    const vb_command_spec spec = {"verify",
                                  "RECEIPT [-m FILE] [OPTIONS]",
                                  "Checks a receipt and ends in one verdict: VERIFIED (exit status "
                                  "0), REFUTED (10) with the\n"
                                  "reason, or UNVERIFIABLE (11) with the reason. At level full "
                                  "every token is drawn again from\n"
                                  "the model's own probabilities.",
                                  &options,
                                  1,
                                  1};
    char **rest;
    size_t n_rest;
    int status = vb_options_parse(&spec, argc, argv, &rest, &n_rest);
    if (status >= 0) {
        return status;
    }
    vb_error e = {VB_OK, ""};
    vb_err err;
    given g = {0};
    const bool full = strcmp(o.level, "full") == 0;
    if (!full && strcmp(o.level, "receipt") != 0) {
        err = vb_fail(&e, VB_EINVAL, "--level %.20s: expected receipt or full", o.level);
        return vb_app_fail(&o.a, "verify", err, &e);
    }
    if ((err = read_key(&o, &g, &e)) ||
        (o.a.tier && (err = vb_kernels_select(o.a.tier, &o.a.kernels, &e)))) {
        return vb_app_fail(&o.a, "verify", err, &e);
    }
    vb_report *rep = malloc(sizeof *rep);
    vb_receipt *r = malloc(sizeof *r);
    char *bytes = NULL;
    size_t n_bytes = 0;
    if (!rep || !r) {
        free(rep);
        free(r);
        err = vb_fail(&e, VB_ENOMEM, "no memory for a report");
        return vb_app_fail(&o.a, "verify", err, &e);
    }
    vb_report_begin(rep, full ? VB_LEVEL_FULL : VB_LEVEL_RECEIPT);
    if (vb_app_read_file(rest[0], VB_RECEIPT_BYTES_MAX, &bytes, &n_bytes, &e)) {
        vb_report_unknown(rep, VB_CHECK_FORMAT, VB_REASON_UNREADABLE, "%s", e.msg);
    } else if (vb_check_receipt(bytes, n_bytes, &g.expect, r, rep)) {
        if (full && !vb_report_refuted(rep)) { /* a refuted receipt needs no replay */
            replay(&o, r, rep);
        }
        vb_receipt_free(r);
    }
    vb_report_finish(rep);
    status = print_report(&o, rep);
    free(bytes);
    free(rep);
    free(r);
    vb_app_close(&o.a);
    return status;
}
