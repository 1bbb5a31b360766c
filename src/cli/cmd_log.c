/* verbatim log: a server's transparency log, as anybody can check, prove from and mirror it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/log_command.h"

enum { INTERVAL_S = 60, INTERVAL_S_MAX = 86400 };

static vb_err read_options(vb_log_command *o, vb_error *e) {
    vb_err err = o->key_text ? vb_tlog_key_parse(o->key_text, &o->key, e) : VB_OK;
    if (err) {
        return vb_fail_in(e, VB_EINVAL, "--key");
    }
    if (o->key_text && o->key.type != VB_TLOG_SIGNER_LOG) {
        return vb_fail(e, VB_EINVAL, "--key: expected a log's key, this is a witness's");
    }
    o->witnesses = calloc(o->witness_texts.n + 1, sizeof *o->witnesses);
    if (!o->witnesses) {
        return vb_fail(e, VB_ENOMEM, "no memory for the keys of witnesses");
    }
    for (size_t i = 0; i < o->witness_texts.n; i++) {
        if (vb_tlog_key_parse(o->witness_texts.items[i], &o->witnesses[i], e)) {
            return vb_fail_in(e, VB_EINVAL, "--witness");
        }
        if (o->witnesses[i].type != VB_TLOG_SIGNER_WITNESS) {
            return vb_fail(e, VB_EINVAL, "--witness: expected a witness's key, this is a log's");
        }
        for (size_t j = 0; j < i; j++) {
            if (memcmp(o->witnesses[i].public_key, o->witnesses[j].public_key,
                       sizeof o->witnesses[i].public_key) == 0) {
                return vb_fail(e, VB_EINVAL, "--witness: the same key was given twice");
            }
        }
    }
    if (o->quorum_given && o->quorum > o->witness_texts.n) {
        return vb_fail(e, VB_EINVAL, "--quorum: more than there are witnesses");
    }
    o->quorum = o->quorum_given ? o->quorum : o->witness_texts.n;
    return o->record ? vb_app_read_file(o->record, VB_RECEIPT_BYTES_MAX, &o->record_bytes,
                                        &o->n_record_bytes, e)
                     : VB_OK;
}

static int run(vb_log_command *o, char **rest, size_t n_rest) {
    vb_error e = {VB_OK, ""};
    const char *const what = rest[0];
    const bool follows = strcmp(what, "follow") == 0, proves = strcmp(what, "prove") == 0;
    vb_err err = read_options(o, &e);
    if (!err && !follows && !proves && strcmp(what, "verify") != 0) {
        err = vb_fail(&e, VB_EINVAL, "%.40s: expected verify, prove or follow", what);
    } else if (!err && n_rest != (follows ? 3 : 2)) {
        err = vb_fail(&e, VB_EINVAL, "%s: expected %s", what,
                      follows  ? "a URL and a folder"
                      : proves ? "one folder or URL"
                               : "one folder, URL or file");
    }
    if (err) {
        return vb_app_fail(&o->a, "log", err, &e);
    }
    return follows  ? vb_log_follow(o, rest[1], rest[2])
           : proves ? vb_log_prove(o, rest[1])
                    : vb_log_verify(o, rest[1]);
}

static const vb_command_spec spec_of_log = {
    .name = "log",
    .arguments = "verify FOLDER|URL|FILE | prove FOLDER|URL | follow URL FOLDER [OPTIONS]",
    .summary =
        "verify  checks a log whole: its tree, every signature, the order of its entries, what is "
        "owed;\n"
        "        or one file of it: a proof that a record is in a log, or evidence against one. "
        "Ends in a\n"
        "        verdict: VERIFIED (exit status 0), REFUTED (10) with the reason, or UNVERIFIABLE "
        "(11)\n"
        "prove   writes the proof that a record is in the log\n"
        "follow  keeps a mirror, and checks all that is new; exit status 10 and a file of evidence "
        "when\n"
        "        the log breaks a rule, 12 when it shows less than it has shown before",
    .min_positional = 1,
    .max_positional = 3,
};

int vb_cmd_log(int argc, char **argv) {
    vb_log_command *o = calloc(1, sizeof *o);
    if (!o) {
        fprintf(stderr, "verbatim log: no memory\n");
        return VB_EXIT_LIMIT;
    }
    o->interval_s = INTERVAL_S;
    const vb_opt own[] = {
        {0, "key", VB_OPT_STR, &o->key_text, "VKEY",
         "the log's key, NAME+ID+KEY (default: the one that log.json names)", 0, 0, NULL},
        {0, "witness", VB_OPT_LIST, &o->witness_texts, "VKEY",
         "a witness's key; may be given several times", 0, 0, NULL},
        {0, "quorum", VB_OPT_UINT, &o->quorum, "N",
         "so many of the witnesses must have cosigned (default: all)", 0, VB_TLOG_SIGNATURES_MAX,
         &o->quorum_given},
        {0, "at", VB_OPT_UINT, &o->at_ms, "MS",
         "verify: what is owed at this time, Unix milliseconds (default: the newest cosignature's)",
         1, (double)VB_ISSUED_AT_MS_MAX, &o->at_given},
        {0, "record", VB_OPT_STR, &o->record, "FILE",
         "a receipt, an abort or a commitment: verify that it is in the log, or prove it", 0, 0,
         NULL},
        {0, "against", VB_OPT_STR, &o->against, "NOTE",
         "verify: a checkpoint that the log has shown to somebody else", 0, 0, NULL},
        {0, "sequence", VB_OPT_UINT, &o->sequence, "N", "prove: the record of this number", 1, 0,
         &o->sequence_given},
        {'o', "output", VB_OPT_STR, &o->output, "FILE",
         "prove: the proof; verify: evidence, when the log is refuted by some", 0, 0, NULL},
        {0, "interval", VB_OPT_UINT, &o->interval_s, "S",
         "follow: seconds between two looks (default 60)", 1, INTERVAL_S_MAX, NULL},
        {0, "once", VB_OPT_FLAG, &o->once, NULL, "follow: look once", 0, 0, NULL},
        {'t', "threads", VB_OPT_UINT, &o->a.threads, "N",
         "threads for signatures (default: all processors)", 1, VB_THREADS_MAX, NULL},
    };
    vb_opt_table options = {.n = 0};
    vb_opt_add(&options, own, sizeof own / sizeof own[0]);
    vb_app_options(&o->a, VB_APP_OPT_JSON | VB_APP_OPT_QUIET, &options);
    vb_command_spec spec = spec_of_log;
    spec.options = &options;
    char **rest;
    size_t n_rest;
    int status =
        argc == 1 ? vb_options_help(&spec) : vb_options_parse(&spec, argc, argv, &rest, &n_rest);
    if (status < 0) {
        status = run(o, rest, n_rest);
    }
    free(o->witnesses);
    free(o->record_bytes);
    free(o);
    return status;
}
