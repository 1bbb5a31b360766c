/* verbatim beacon: public randomness, fetched with its proof and checked, or checked offline. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/system.h"
#include "beacon/round.h"
#include "cli/app.h"
#include "cli/beacon_options.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/show.h"
#include "verify/check.h"

enum { COUNT_MAX = 1000000000 };

typedef struct invocation {
    vb_app a; /* json and quiet */
    vb_beacon_options b;
    const char *output;
    uint64_t round, count;
    bool round_given, count_given, next, latest;
} invocation;

/* What an offline check of a round has found. */
typedef struct judgement {
    vb_verdict verdict;
    vb_reason reason;
    vb_beacon_facts facts;
    char detail[VB_ERROR_MSG_MAX]; /* "" when there is nothing to say */
} judgement;

static vb_reason reason_of(vb_err err) {
    switch (err) {
    case VB_OK: return VB_REASON_NONE;
    case VB_EFORMAT:
    case VB_EMISMATCH: return VB_REASON_BEACON_PROOF;
    case VB_EUNTRUSTED: return VB_REASON_TRUST_ROOT;
    case VB_EUNSUPPORTED: return VB_REASON_UNSUPPORTED_BEACON;
    default: return VB_REASON_UNFINISHED;
    }
}

static void judge(const vb_beacon_round *r, const vb_trust *trust, judgement *j) {
    vb_error e = {VB_OK, ""};
    vb_err err = vb_beacon_verify(r, trust, &j->facts, &e);
    if (!err && trust && !vb_trust_accepts_beacon(trust, r->id)) {
        err = vb_fail(&e, VB_EUNTRUSTED, "the trust file does not accept this beacon");
    }
    j->reason = reason_of(err);
    j->verdict = !err                                  ? VB_VERDICT_VERIFIED
                 : j->reason == VB_REASON_BEACON_PROOF ? VB_VERDICT_REFUTED
                                                       : VB_VERDICT_UNVERIFIABLE;
    snprintf(j->detail, sizeof j->detail, "%s", e.msg);
}

static int exit_of(const judgement *j) {
    return j->verdict == VB_VERDICT_VERIFIED  ? VB_EXIT_OK
           : j->verdict == VB_VERDICT_REFUTED ? VB_EXIT_REFUTED
                                              : VB_EXIT_UNVERIFIABLE;
}

static void print_window(const char *mode, const vb_beacon_window *w) {
    char from[VB_SHOW_TIME_BYTES], to[VB_SHOW_TIME_BYTES];
    vb_show_time(w->from, from);
    vb_show_time(w->to, to);
    if (w->from < w->to) {
        printf("mode %-6s for commitments from %s to before %s\n", mode, from, to);
    } else {
        printf("mode %-6s for no commitment\n", mode);
    }
}

static void print_round(const vb_beacon_round *r, const judgement *j) {
    char hex[2 * VB_BEACON_RANDOMNESS_BYTES_MAX + 1], id[sizeof r->id];
    vb_hex_encode(r->randomness, r->n_randomness, hex);
    memcpy(id, r->id, sizeof id);
    vb_make_printable(id);
    printf("beacon      %s\nround       %" PRIu64 "\nrandomness  %s\n", id, r->round, hex);
    if (j->facts.timed) {
        print_window("next", &j->facts.next);
        print_window("latest", &j->facts.latest);
    }
    if (j->facts.caveat[0]) {
        printf("caveat      %s\n", j->facts.caveat);
    }
    if (j->detail[0]) {
        printf("found       %s\n", j->detail);
    }
    printf("%s", vb_verdict_name(j->verdict));
    if (j->reason) {
        printf(" (%s)", vb_reason_name(j->reason));
    }
    printf("\n");
}

static void print_window_json(const char *mode, const judgement *j, const vb_beacon_window *w) {
    if (j->facts.timed && w->from < w->to) {
        printf(",\"%s\":{\"from\":\"%" PRIu64 "\",\"to\":\"%" PRIu64 "\"}", mode, w->from, w->to);
    } else {
        printf(",\"%s\":null", mode);
    }
}

static void print_judgement_json(const vb_beacon_round *r, const judgement *j) {
    char hex[2 * VB_BEACON_RANDOMNESS_BYTES_MAX + 1];
    printf("{\"verdict\":\"%s\",\"reason\":", vb_verdict_name(j->verdict));
    if (j->reason) {
        printf("\"%s\"", vb_reason_name(j->reason));
    } else {
        printf("null");
    }
    printf(",\"detail\":");
    vb_app_print_json_string(j->detail, strlen(j->detail));
    if (r) {
        vb_hex_encode(r->randomness, r->n_randomness, hex);
        printf(",\"id\":");
        vb_app_print_json_string(r->id, strlen(r->id));
        printf(",\"round\":\"%" PRIu64 "\",\"randomness\":\"%s\"", r->round, hex);
    } else {
        printf(",\"id\":null,\"round\":null,\"randomness\":null");
    }
    print_window_json("next", j, &j->facts.next);
    print_window_json("latest", j, &j->facts.latest);
    printf(",\"caveat\":");
    vb_app_print_json_string(j->facts.caveat, strlen(j->facts.caveat));
    printf(",\"exit_code\":%d}\n", exit_of(j));
}

/* The record, exactly; a line feed after it only where one is asked for. */
static vb_err print_record(const vb_beacon_round *r, bool line_feed, vb_error *e) {
    vb_buf bytes = vb_buf_make(VB_BEACON_ROUND_BYTES_MAX);
    vb_err err = vb_beacon_round_encode(r, &bytes, e);
    if (!err) {
        fwrite(bytes.data, 1, bytes.len, stdout);
        if (line_feed) {
            printf("\n");
        }
    }
    vb_buf_free(&bytes);
    return err;
}

static vb_err write_record(const char *path, const vb_beacon_round *r, vb_error *e) {
    vb_buf bytes = vb_buf_make(VB_BEACON_ROUND_BYTES_MAX);
    vb_err err = vb_beacon_round_encode(r, &bytes, e);
    if (!err) {
        err = vb_output_write(path, "round", bytes.data, bytes.len, e);
    }
    vb_buf_free(&bytes);
    return err;
}

static vb_err fetch(const invocation *o, vb_beacon_round *r, vb_error *e) {
    if (!o->next && !o->round_given) {
        return vb_source_newest(o->b.source, vb_beacon_wait_ms(&o->b), r, e);
    }
    const vb_source_want want = {
        .mode = o->next ? VB_MODE_NEXT : VB_MODE_FIXED,
        .time_ms = vb_unix_ms(),
        .round = o->round,
        .wait_ms = vb_beacon_wait_ms(&o->b),
    };
    return vb_source_get(o->b.source, &want, r, e);
}

static int get(invocation *o) {
    vb_error e = {VB_OK, ""};
    vb_beacon_round r = {0};
    judgement j = {0};
    vb_err err = VB_OK;
    if ((o->output && (err = vb_output_check(o->output, "round", &e))) ||
        (err = vb_trust_open(&o->b, &e)) || (err = vb_beacon_open(&o->b, &e)) ||
        (err = fetch(o, &r, &e))) {
        return vb_app_fail(&o->a, "beacon", err, &e);
    }
    judge(&r, o->b.trust, &j);
    if (o->output) {
        err = write_record(o->output, &r, &e);
    }
    if (!err && o->a.json) {
        err = print_record(&r, isatty(STDOUT_FILENO), &e);
        if (j.detail[0]) {
            fprintf(stderr, "verbatim beacon: %s: %s\n", vb_verdict_name(j.verdict), j.detail);
        }
    } else if (!err) {
        print_round(&r, &j);
    }
    vb_beacon_round_free(&r);
    return err ? vb_app_fail(&o->a, "beacon", err, &e) : exit_of(&j);
}

/* A file that could not be read as a round has no verdict but that. */
static int unreadable(const invocation *o, vb_err err, const char *path, const vb_error *e) {
    judgement j = {.verdict = VB_VERDICT_UNVERIFIABLE, .reason = VB_REASON_UNREADABLE};
    if (err == VB_ENOMEM) {
        j.reason = VB_REASON_UNFINISHED;
    } else if (err == VB_EUNSUPPORTED) {
        j.reason = VB_REASON_UNSUPPORTED_FORMAT;
    }
    snprintf(j.detail, sizeof j.detail, "%s", e->msg);
    if (o->a.json) {
        print_judgement_json(NULL, &j);
    } else {
        printf("file        ");
        vb_show_path(path);
        printf("\nfound       %s\n%s (%s)\n", j.detail, vb_verdict_name(j.verdict),
               vb_reason_name(j.reason));
    }
    return exit_of(&j);
}

static int verify(invocation *o, const char *path) {
    vb_error e = {VB_OK, ""};
    vb_err err = vb_trust_open(&o->b, &e);
    if (err) {
        return vb_app_fail(&o->a, "beacon", err, &e);
    }
    char *text = NULL;
    size_t n_bytes = 0;
    vb_beacon_round r = {0};
    err = vb_app_read_file(path, VB_BEACON_ROUND_BYTES_MAX, &text, &n_bytes, &e);
    if (!err) {
        err = vb_beacon_round_decode(text, n_bytes, &r, &e);
    }
    free(text);
    if (err) {
        return unreadable(o, err, path, &e);
    }
    judgement j = {0};
    judge(&r, o->b.trust, &j);
    if (o->a.json) {
        print_judgement_json(&r, &j);
    } else {
        print_round(&r, &j);
    }
    vb_beacon_round_free(&r);
    return exit_of(&j);
}

/* One line a round; the time is when its randomness appeared (of a mix: that of its first part). */
static vb_err print_line(const invocation *o, const vb_beacon_round *r, const judgement *j,
                         vb_error *e) {
    if (o->a.json) {
        return print_record(r, true, e);
    }
    char hex[2 * VB_BEACON_RANDOMNESS_BYTES_MAX + 1], when[VB_SHOW_TIME_BYTES] = "-";
    vb_hex_encode(r->randomness, r->n_randomness, hex);
    if (j->facts.timed) {
        vb_show_time(j->facts.next.to, when);
    }
    printf("%-20s  %" PRIu64 "  %s%s%s\n", when, r->round, hex, j->reason ? "  " : "",
           j->reason ? vb_reason_name(j->reason) : "");
    return VB_OK;
}

/* Round after round. The next one is the first after the time at which the last one appeared, so
 * that none is left out however long a line takes. */
static vb_err watch_rounds(const invocation *o, int *status, vb_error *e) {
    vb_source_want want = {.mode = VB_MODE_NEXT, .wait_ms = vb_beacon_wait_ms(&o->b)};
    for (uint64_t n = 0; !o->count_given || n < o->count; n++) {
        vb_beacon_round r = {0};
        judgement j = {0};
        vb_err err = n == 0 ? vb_source_newest(o->b.source, want.wait_ms, &r, e)
                            : vb_source_get(o->b.source, &want, &r, e);
        if (err) {
            return err;
        }
        judge(&r, o->b.trust, &j);
        want.time_ms =
            j.facts.timed && j.facts.next.from < j.facts.next.to ? j.facts.next.to : vb_unix_ms();
        err = print_line(o, &r, &j, e);
        vb_beacon_round_free(&r);
        if (!err && (fflush(stdout) != 0 || ferror(stdout))) {
            err = vb_fail(e, VB_EIO, "writing to standard output failed");
        }
        if (err) {
            return err;
        }
        if (j.verdict != VB_VERDICT_VERIFIED) {
            *status = exit_of(&j);
        }
    }
    return VB_OK;
}

static int watch(invocation *o) {
    vb_error e = {VB_OK, ""};
    vb_err err;
    int status = VB_EXIT_OK;
    if ((err = vb_trust_open(&o->b, &e)) || (err = vb_beacon_open(&o->b, &e))) {
        return vb_app_fail(&o->a, "beacon", err, &e);
    }
    if (!o->a.json && !o->a.quiet) {
        fprintf(stderr, "watching %s; Ctrl-C ends\n", vb_source_id(o->b.source));
    }
    err = watch_rounds(o, &status, &e);
    if (err == VB_ECANCELLED) { /* how it is meant to end */
        return VB_EXIT_CANCELLED;
    }
    return err ? vb_app_fail(&o->a, "beacon", err, &e) : status;
}

/* Options that the action would not look at are mistakes, not wishes. */
static vb_err check_options(const invocation *o, const char *action, size_t n_files, vb_error *e) {
    const bool is_get = strcmp(action, "get") == 0, is_verify = strcmp(action, "verify") == 0;
    if (!is_get && !is_verify && strcmp(action, "watch") != 0) {
        return vb_fail(e, VB_EINVAL, "%.40s: expected get, verify or watch", action);
    }
    if (n_files != (is_verify ? 1 : 0)) {
        return vb_fail(e, VB_EINVAL,
                       is_verify ? "verify: expected one file, a round" : "%s: takes no file",
                       action);
    }
    if (!is_get && (o->round_given || o->next || o->latest || o->output)) {
        return vb_fail(e, VB_EINVAL, "--round, --next, --latest and --output are for get");
    }
    if (o->round_given + o->next + o->latest > 1) {
        return vb_fail(e, VB_EINVAL, "--round, --next, --latest: expected one of them");
    }
    if (o->count_given && (is_get || is_verify)) {
        return vb_fail(e, VB_EINVAL, "--count is for watch");
    }
    if (is_verify && (o->b.beacon || o->b.urls.n || o->b.wait_s || o->b.ca_file)) {
        return vb_fail(e, VB_EINVAL,
                       "verify is offline: --beacon, --beacon-url, --beacon-wait and --beacon-ca "
                       "are for get and watch");
    }
    return VB_OK;
}

static const vb_command_spec spec_of_beacon = {
    .name = "beacon",
    .arguments = "get|watch|verify FILE [OPTIONS]",
    .summary = "get     fetches a round and checks its proof\n"
               "watch   prints a line a round until Ctrl-C\n"
               "verify  checks a round in a file, offline: VERIFIED (exit status 0), REFUTED (10) "
               "or\n"
               "        UNVERIFIABLE (11), for want of a trust root for example",
    .min_positional = 1,
    .max_positional = 2,
};

int vb_cmd_beacon(int argc, char **argv) {
    invocation o = {.count = 0};
    const vb_opt own[] = {
        {0, "round", VB_OPT_UINT, &o.round, "N", "get: this round", 0, 0, &o.round_given},
        {0, "next", VB_OPT_FLAG, &o.next, NULL, "get: the first round that appears from now on", 0,
         0, NULL},
        {0, "latest", VB_OPT_FLAG, &o.latest, NULL, "get: the newest round (default)", 0, 0, NULL},
        {'o', "output", VB_OPT_STR, &o.output, "FILE",
         "get: write the round with its proof, as a record", 0, 0, NULL},
        {0, "count", VB_OPT_UINT, &o.count, "N", "watch: end after so many rounds", 1, COUNT_MAX,
         &o.count_given},
    };
    vb_opt_table options = {.n = 0};
    vb_opt_add(&options, own, sizeof own / sizeof own[0]);
    vb_beacon_options_add(&o.b, &options);
    vb_trust_option_add(&o.b, &options);
    vb_app_options(&o.a, VB_APP_OPT_JSON | VB_APP_OPT_QUIET, &options);
    vb_command_spec spec = spec_of_beacon;
    spec.options = &options;
    char **rest;
    size_t n_rest;
    if (argc == 1) {
        return vb_options_help(&spec);
    }
    int status = vb_options_parse(&spec, argc, argv, &rest, &n_rest);
    if (status >= 0) {
        return status;
    }
    vb_error e = {VB_OK, ""};
    vb_err err = check_options(&o, rest[0], n_rest - 1, &e);
    if (err) {
        return vb_app_fail(&o.a, "beacon", err, &e);
    }
    if (!o.b.beacon) {
        o.b.beacon = "drand";
    }
    status = strcmp(rest[0], "get") == 0     ? get(&o)
             : strcmp(rest[0], "watch") == 0 ? watch(&o)
                                             : verify(&o, rest[1]);
    vb_beacon_close(&o.b);
    return status;
}
