/* verbatim verify: a record in, one verdict out; or many records, and what they say together. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "cli/commands.h"
#include "cli/finding.h"
#include "cli/quorum_options.h"
#include "cli/verification.h"
#include "cli/verify_batch.h"
#include "verify/opening.h"

enum { SAMPLES_MAX = 1 << 29 }; /* more than a receipt can have tokens */

typedef struct invocation {
    vb_verification v;
    vb_quorum_options q;
    const char *level, *receipt;
    bool samples_given;
} invocation;

/* The check that the verdict's reason is of. */
static void print_why(const vb_report *rep) {
    const vb_check_status wanted =
        vb_report_verdict(rep) == VB_VERDICT_REFUTED ? VB_CHECK_FAIL : VB_CHECK_UNKNOWN;
    for (int id = 0; id < VB_CHECK_COUNT; id++) {
        if (rep->checks[id].status == wanted) {
            printf("\nwhy         %s: %s\n", vb_check_name((vb_check_id)id),
                   rep->checks[id].detail);
            return;
        }
    }
}

static const char *answer_says(const vb_report *rep) {
    switch (rep->level) {
    case VB_LEVEL_FULL:
        return "exactly what this model file gives for this prompt, with these parameters and this "
               "randomness";
    case VB_LEVEL_SAMPLE:
        return "the tokens that were chosen are what this model file gives; the others stand as "
               "they are";
    case VB_LEVEL_OPENING:
        return "the token follows from the opened distribution, to which the server had committed; "
               "whether the model gives it is not shown";
    case VB_LEVEL_QUORUM:
        return "not computed again here: as many witnesses as were asked for say that they did, "
               "and "
               "found it to be what this model file gives";
    case VB_LEVEL_RECEIPT: break;
    }
    return "not computed again: any text could stand here";
}

/* Whether the answers are texts that the request's constraint accepts: those that were cut off, by
 * a limit or a stop string, need not be. */
static void print_constraint(const vb_verification *v) {
    size_t n_cut = 0;
    for (size_t i = 0; i < v->r->n_outputs; i++) {
        n_cut += v->r->outputs[i].finish == VB_FINISH_LENGTH;
    }
    const char *says = "named in the request; whether the answer keeps to it was not checked";
    if (v->rep->level == VB_LEVEL_OPENING) {
        says = "the token was drawn from what the request's constraint allows there";
    } else if (v->rep->level != VB_LEVEL_RECEIPT && v->rep->level != VB_LEVEL_QUORUM) {
        says = n_cut                          ? "kept to up to where the limit of length cut it off"
               : v->r->request.n_stop_strings ? "kept to, unless a stop string cut it off"
                                              : "kept to: the answer is what the request demands";
    }
    printf("constraint  %s\n", says);
}

/* What a good receipt says, and what it does not, in four lines for who reads only those. */
static void print_meaning(const vb_verification *v) {
    const vb_check *checks = v->rep->checks;
    const vb_check *rule = &checks[VB_CHECK_ROUND_RULE], *beacon = &checks[VB_CHECK_BEACON];
    printf("\nanswer      %s\n", answer_says(v->rep));
    if (v->r->request.constraint.p) {
        print_constraint(v);
    }
    printf("server      %s\n", checks[VB_CHECK_SERVER_KEY].status == VB_CHECK_PASS
                                   ? "the key that was expected signed request and answer"
                                   : "one key signed request and answer; whose it is was not "
                                     "checked (--key, --trust)");
    printf("randomness  %s\n", rule->grade[0] ? rule->grade : rule->detail);
    if (beacon->grade[0]) {
        printf("beacon      %s\n", beacon->grade);
    }
    printf("request     %s\n",
           v->expect.commitment
               ? "the one that was committed to before the answer"
               : "committed to by the receipt itself; to know that this came before the answer, "
                 "hold it against a commitment that was received earlier (--commitment)");
}

/* The report of a receipt or an opening. Returns the exit status: the verdict's, unless the verdict
 * could not be shown. */
static int print_report(const vb_verification *v) {
    vb_buf out = vb_buf_make(VB_RECEIPT_BYTES_MAX);
    vb_error e = {VB_OK, ""};
    vb_err err =
        v->a.json ? vb_report_write_json(v->rep, &out, &e) : vb_report_write_text(v->rep, &out, &e);
    if (err) {
        fprintf(stderr, "verbatim verify: %s\n", e.msg);
    } else {
        fwrite(out.data, 1, out.len, stdout);
        if (v->a.json) {
            printf("\n");
        } else if (vb_report_verdict(v->rep) == VB_VERDICT_VERIFIED) {
            print_meaning(v);
        } else {
            print_why(v->rep);
        }
    }
    vb_buf_free(&out);
    return err ? vb_exit_of(err) : vb_report_exit_code(v->rep);
}

/* An opening, held against its receipt, which is checked for itself. */
static void verify_opening(invocation *o, const void *opening, size_t n_opening) {
    vb_verification *v = &o->v;
    vb_error e = {VB_OK, ""};
    char *bytes = NULL;
    size_t n_bytes = 0;
    vb_opening opened;
    vb_receipt_free(v->r);
    vb_report_begin(v->rep, VB_LEVEL_OPENING);
    if (vb_app_read_file(o->receipt, VB_RECEIPT_BYTES_MAX, &bytes, &n_bytes, &e)) {
        vb_report_unknown(v->rep, VB_CHECK_FORMAT, VB_REASON_UNREADABLE, "%s", e.msg);
    } else if (vb_check_receipt(bytes, n_bytes, &v->expect, v->r, v->rep) &&
               vb_opening_read(opening, n_opening, &opened, v->rep)) {
        if (vb_app_select_tier(&v->a, &e)) {
            vb_report_unknown(v->rep, VB_CHECK_OPENING_DRAW, VB_REASON_UNFINISHED, "%s", e.msg);
        } else {
            const vb_vocabulary *vocabulary =
                v->r->request.constraint.p ? vb_verification_vocabulary(v) : NULL;
            vb_opening_check(&opened, v->r, v->expect.prompt, vocabulary, v->a.kernels, v->rep);
        }
        vb_opening_free(&opened);
    }
    free(bytes);
    vb_report_finish(v->rep);
}

/* What is no record of its own, but often beside one. */
static const char *advice(vb_record_kind kind) {
    switch (kind) {
    case VB_RECORD_PROMPT:
        return "a prompt file, which is looked at beside its receipt: RECEIPT --prompt FILE";
    case VB_RECORD_ROUND:
        return "a beacon's round, which is checked by: verbatim beacon verify FILE";
    default: return NULL;
    }
}

static int verify_one(invocation *o, const char *path) {
    vb_verification *v = &o->v;
    char *bytes = NULL;
    size_t n_bytes = 0;
    vb_error e = {VB_OK, ""};
    vb_err err = vb_app_read_file(path, VB_RECEIPT_BYTES_MAX, &bytes, &n_bytes, &e);
    if (err) {
        vb_verification_unreadable(
            v, err == VB_ENOMEM ? VB_REASON_UNFINISHED : VB_REASON_UNREADABLE, e.msg);
        return print_report(v);
    }
    const vb_record_kind kind = vb_record_kind_of(bytes, n_bytes);
    int status;
    if (vb_quorum_options_given(&o->q, v->level) &&
        (kind == VB_RECORD_OPENING || kind == VB_RECORD_COMMITMENT || kind == VB_RECORD_ABORT)) {
        err = vb_fail(&e, VB_EINVAL, "witnesses judge receipts, and %s is none", path);
        status = vb_app_fail(&v->a, "verify", err, &e);
    } else if ((kind == VB_RECORD_OPENING) != (o->receipt != NULL)) {
        err = o->receipt ? vb_fail(&e, VB_EINVAL, "--receipt is for an opening, %s is none", path)
                         : vb_fail(&e, VB_EINVAL,
                                   "%s is an opening: name its receipt with --receipt", path);
        status = vb_app_fail(&v->a, "verify", err, &e);
    } else if (kind == VB_RECORD_OPENING) {
        verify_opening(o, bytes, n_bytes);
        status = print_report(v);
    } else if (kind == VB_RECORD_COMMITMENT || kind == VB_RECORD_ABORT) {
        vb_finding f;
        (void)vb_finding_begin(v, bytes, n_bytes, false, v->r, v->rep, &f); /* no receipt */
        if (v->a.json) {
            vb_finding_print_json(&f, path);
        } else {
            vb_finding_print_text(&f);
        }
        status = vb_finding_exit(&f);
    } else if (advice(kind)) {
        vb_verification_unreadable(v, VB_REASON_UNREADABLE, advice(kind));
        status = print_report(v);
    } else {
        vb_verification_receipt(v, bytes, n_bytes, false);
        status = print_report(v);
    }
    free(bytes);
    return status;
}

static bool is_folder(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int verify_many(invocation *o, char **paths, size_t n_paths) {
    vb_record_files files = {.files = NULL};
    vb_error e = {VB_OK, ""};
    vb_err err = VB_OK;
    if (o->v.commitment || o->v.nonce || o->v.prompt || o->receipt) {
        err = vb_fail(&e, VB_EINVAL,
                      "--commitment, --nonce, --prompt and --receipt are for one record alone");
    }
    if (!err && vb_quorum_options_given(&o->q, o->v.level)) {
        err = vb_fail(&e, VB_EINVAL, "--quorum and --statements are for one receipt alone");
    }
    for (size_t i = 0; i < n_paths && !err; i++) {
        err = strcmp(paths[i], "-") == 0
                  ? vb_fail(&e, VB_EINVAL, "standard input (-) is for one record alone")
                  : vb_record_files_add(&files, paths[i], &e);
    }
    const int status =
        err ? vb_app_fail(&o->v.a, "verify", err, &e) : vb_verify_batch(&o->v, &files);
    vb_record_files_close(&files);
    return status;
}

/* The level and, at level quorum or when there are statements, what they are. */
static vb_err begin(invocation *o, vb_error *e) {
    vb_err err = VB_OK;
    const bool quorum = o->level ? strcmp(o->level, "quorum") == 0 : o->q.k_given;
    if (quorum && o->samples_given) {
        err = vb_fail(e, VB_EINVAL, "--samples is for --level sample");
    } else if (quorum) {
        o->v.level = VB_LEVEL_QUORUM;
    } else if (o->q.k_given) {
        err = vb_fail(e, VB_EINVAL, "--quorum is for --level quorum");
    } else {
        err = vb_verification_read_level(&o->v, o->level ? o->level : "full", o->samples_given, e);
    }
    if (!err) {
        err = vb_verification_begin(&o->v, e);
    }
    if (!err && vb_quorum_options_given(&o->q, o->v.level)) {
        err = vb_quorum_options_begin(&o->q, &o->v, e);
    }
    return err;
}

static const vb_command_spec spec_of_verify = {
    .name = "verify",
    .arguments = "RECEIPT|FOLDER... [-m FILE] [OPTIONS]",
    .summary = "Checks a receipt and ends in one verdict: VERIFIED (exit status 0), REFUTED (10) "
               "with the\n"
               "reason, or UNVERIFIABLE (11) with the reason. At level full every token is drawn "
               "again from\n"
               "the model's own probabilities.\n"
               "\n"
               "In place of a receipt it takes a commitment, an abort record, or (beside "
               "--receipt) an opening.\n"
               "Of several, or a folder of them, it also says which sequence numbers are missing "
               "or used twice:\n"
               "a server owes each of them an answer.",
    .min_positional = 1,
    .max_positional = SIZE_MAX,
};

int vb_cmd_verify(int argc, char **argv) {
    invocation *o = calloc(1, sizeof *o);
    if (!o) {
        fprintf(stderr, "verbatim verify: no memory\n");
        return VB_EXIT_LIMIT;
    }
    o->v.n_samples = VB_SAMPLES_DEFAULT;
    const vb_opt own[] = {
        {0, "level", VB_OPT_STR, &o->level, "LEVEL",
         "full (default): every token; sample: some; receipt, quorum: no model needed", 0, 0, NULL},
        {0, "samples", VB_OPT_UINT, &o->v.n_samples, "N",
         "level sample: tokens to draw again (default 32)", 1, SAMPLES_MAX, &o->samples_given},
        {0, "receipt", VB_OPT_STR, &o->receipt, "FILE", "the receipt that an opening is of", 0, 0,
         NULL},
    };
    vb_opt_table options = {.n = 0};
    vb_opt_add(&options, own, sizeof own / sizeof own[0]);
    vb_quorum_options_add(&o->q, &options);
    vb_verification_options(&o->v, &options);
    vb_app_options(&o->v.a, VB_APP_OPT_MODEL | VB_APP_OPT_RUN | VB_APP_OPT_JSON | VB_APP_OPT_QUIET,
                   &options);
    vb_command_spec spec = spec_of_verify;
    spec.options = &options;
    char **rest;
    size_t n_rest;
    int status = vb_options_parse(&spec, argc, argv, &rest, &n_rest);
    if (status < 0) {
        vb_error e = {VB_OK, ""};
        vb_err err = begin(o, &e);
        if (err) {
            status = vb_app_fail(&o->v.a, "verify", err, &e);
        } else {
            status = n_rest > 1 || is_folder(rest[0]) ? verify_many(o, rest, n_rest)
                                                      : verify_one(o, rest[0]);
        }
        vb_verification_end(&o->v);
    }
    free(o);
    return status;
}
