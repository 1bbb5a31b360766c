/* The report: recording checks, drawing the verdict, writing it for people and for programs. */
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "json/jcs.h"
#include "verify/check.h"

static const char *const check_names[VB_CHECK_COUNT] = {
    [VB_CHECK_FORMAT] = "format",
    [VB_CHECK_SIGNATURE] = "signature",
    [VB_CHECK_SERVER_KEY] = "server-key",
    [VB_CHECK_COMMITMENT] = "commitment",
    [VB_CHECK_ARITHMETIC] = "arithmetic",
    [VB_CHECK_BEACON] = "beacon-proof",
    [VB_CHECK_ROUND_RULE] = "round-rule",
    [VB_CHECK_SEED] = "seed",
    [VB_CHECK_PROMPT_DIGEST] = "prompt-digest",
    [VB_CHECK_PARAMETERS] = "expected-parameters",
    [VB_CHECK_EXPECTED_MODEL] = "expected-model",
    [VB_CHECK_TEXT_DIGEST] = "text-digest",
    [VB_CHECK_LIMITS] = "limits",
    [VB_CHECK_MODEL_DIGEST] = "model-digest",
    [VB_CHECK_PROMPT] = "prompt",
    [VB_CHECK_TOKENS] = "tokens",
    [VB_CHECK_TRACE] = "trace",
    [VB_CHECK_TEXT] = "text",
    [VB_CHECK_FINISH] = "finish-reason",
};

static const char *const reason_names[] = {
    [VB_REASON_NONE] = "none",
    [VB_REASON_SIGNATURE] = "signature",
    [VB_REASON_COMMITMENT] = "commitment",
    [VB_REASON_BEACON_PROOF] = "beacon-proof",
    [VB_REASON_ROUND_RULE] = "round-rule",
    [VB_REASON_SEED] = "seed",
    [VB_REASON_MODEL_DIGEST] = "model-digest",
    [VB_REASON_PROMPT] = "prompt",
    [VB_REASON_PARAMETERS] = "parameters",
    [VB_REASON_TOKEN] = "token",
    [VB_REASON_TRACE] = "trace",
    [VB_REASON_TEXT] = "text",
    [VB_REASON_FINISH_REASON] = "finish-reason",
    [VB_REASON_TRUNCATED] = "truncated",
    [VB_REASON_UNREADABLE] = "unreadable",
    [VB_REASON_UNSUPPORTED_FORMAT] = "unsupported-format",
    [VB_REASON_UNSUPPORTED_ARITHMETIC] = "unsupported-arithmetic",
    [VB_REASON_UNSUPPORTED_BEACON] = "unsupported-beacon",
    [VB_REASON_TRUST_ROOT] = "trust-root",
    [VB_REASON_MISSING_MODEL] = "missing-model",
    [VB_REASON_MISSING_PROMPT] = "missing-prompt",
    [VB_REASON_UNFINISHED] = "unfinished",
};

const char *vb_verdict_name(vb_verdict v) {
    return v == VB_VERDICT_VERIFIED  ? "VERIFIED"
           : v == VB_VERDICT_REFUTED ? "REFUTED"
                                     : "UNVERIFIABLE";
}

const char *vb_reason_name(vb_reason r) {
    return (size_t)r < sizeof reason_names / sizeof reason_names[0] ? reason_names[r]
                                                                    : "unfinished";
}

const char *vb_level_name(vb_level l) {
    return l == VB_LEVEL_FULL ? "full" : l == VB_LEVEL_SAMPLE ? "sample" : "receipt";
}

const char *vb_check_name(vb_check_id id) {
    return (size_t)id < VB_CHECK_COUNT ? check_names[id] : "unknown";
}

const char *vb_check_status_name(vb_check_status s) {
    switch (s) {
    case VB_CHECK_PASS: return "pass";
    case VB_CHECK_FAIL: return "fail";
    case VB_CHECK_UNKNOWN: return "unknown";
    case VB_CHECK_SKIP: return "skip";
    case VB_CHECK_MISSING: break;
    }
    return "missing";
}

static bool is_required(vb_level level, vb_check_id id) {
    switch (id) {
    case VB_CHECK_SERVER_KEY:
    case VB_CHECK_PARAMETERS:
    case VB_CHECK_EXPECTED_MODEL: return false; /* vb_check_receipt asks for them when it can */
    case VB_CHECK_TRACE: return level == VB_LEVEL_FULL; /* the root needs every leaf */
    default: return id < VB_CHECK_MODEL_DIGEST || level != VB_LEVEL_RECEIPT;
    }
}

void vb_report_begin(vb_report *rep, vb_level level) {
    memset(rep, 0, sizeof *rep);
    rep->level = level;
    rep->reason = VB_REASON_UNFINISHED;
    for (int id = 0; id < VB_CHECK_COUNT; id++) {
        rep->checks[id].required = is_required(level, (vb_check_id)id);
        rep->checks[id].status = rep->checks[id].required ? VB_CHECK_MISSING : VB_CHECK_SKIP;
    }
}

void vb_report_require(vb_report *rep, vb_check_id id) {
    vb_check *c = &rep->checks[id];
    c->required = true;
    if (c->status == VB_CHECK_SKIP) {
        c->status = VB_CHECK_MISSING;
    }
}

/* Details quote receipts: nothing in them may steer a terminal or read from right to left. */
static void make_ascii(char *s) {
    for (; *s; s++) {
        if (*s < 0x20 || *s > 0x7e) {
            *s = '?';
        }
    }
}

static vb_check *open_check(vb_report *rep, vb_check_id id) {
    VB_ASSERT(!rep->finished && (size_t)id < VB_CHECK_COUNT);
    return &rep->checks[id];
}

void vb_report_pass(vb_report *rep, vb_check_id id, const char *grade, const char *fmt, ...) {
    vb_check *c = open_check(rep, id);
    if (c->status == VB_CHECK_FAIL || c->status == VB_CHECK_UNKNOWN) {
        return;
    }
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(c->detail, sizeof c->detail, fmt, ap);
    va_end(ap);
    make_ascii(c->detail);
    snprintf(c->grade, sizeof c->grade, "%s", grade ? grade : "");
    make_ascii(c->grade);
    c->status = VB_CHECK_PASS;
}

void vb_report_fail(vb_report *rep, vb_check_id id, vb_reason reason, const char *fmt, ...) {
    vb_check *c = open_check(rep, id);
    VB_ASSERT(reason >= VB_REASON_SIGNATURE && reason <= VB_REASON_TRUNCATED);
    if (c->status == VB_CHECK_FAIL) {
        return;
    }
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(c->detail, sizeof c->detail, fmt, ap);
    va_end(ap);
    make_ascii(c->detail);
    c->grade[0] = 0;
    c->status = VB_CHECK_FAIL;
    c->reason = reason;
}

void vb_report_unknown(vb_report *rep, vb_check_id id, vb_reason reason, const char *fmt, ...) {
    vb_check *c = open_check(rep, id);
    VB_ASSERT(reason >= VB_REASON_UNREADABLE && reason <= VB_REASON_UNFINISHED);
    if (c->status == VB_CHECK_FAIL || c->status == VB_CHECK_UNKNOWN) {
        return;
    }
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(c->detail, sizeof c->detail, fmt, ap);
    va_end(ap);
    make_ascii(c->detail);
    c->grade[0] = 0;
    c->status = VB_CHECK_UNKNOWN;
    c->reason = reason;
}

bool vb_report_refuted(const vb_report *rep) {
    for (int id = 0; id < VB_CHECK_COUNT; id++) {
        if (rep->checks[id].status == VB_CHECK_FAIL) {
            return true;
        }
    }
    return false;
}

void vb_report_finish(vb_report *rep) {
    VB_ASSERT(!rep->finished);
    bool all_required_passed = true;
    vb_reason failed = VB_REASON_NONE, unknown = VB_REASON_NONE;
    for (int id = 0; id < VB_CHECK_COUNT; id++) {
        const vb_check *c = &rep->checks[id];
        if (c->status == VB_CHECK_FAIL && !failed) {
            failed = c->reason;
        } else if (c->status == VB_CHECK_UNKNOWN && !unknown) {
            unknown = c->reason;
        }
        all_required_passed &= !c->required || c->status == VB_CHECK_PASS;
        /* The level itself, whatever became of the record in between. */
        all_required_passed &=
            !is_required(rep->level, (vb_check_id)id) || c->status == VB_CHECK_PASS;
    }
    bool replayed_enough = rep->level != VB_LEVEL_FULL || rep->replayed;
    rep->verdict = VB_VERDICT_UNVERIFIABLE;
    rep->reason = VB_REASON_UNFINISHED;
    if (failed) {
        rep->verdict = VB_VERDICT_REFUTED;
        rep->reason = failed;
    } else if (unknown) {
        rep->reason = unknown;
    } else if (all_required_passed && replayed_enough) {
        rep->verdict = VB_VERDICT_VERIFIED;
        rep->reason = VB_REASON_NONE;
    }
    rep->finished = true;
}

vb_verdict vb_report_verdict(const vb_report *rep) {
    return rep->finished ? rep->verdict : VB_VERDICT_UNVERIFIABLE;
}

vb_reason vb_report_reason(const vb_report *rep) {
    return rep->finished ? rep->reason : VB_REASON_UNFINISHED;
}

int vb_report_exit_code(const vb_report *rep) {
    switch (vb_report_verdict(rep)) {
    case VB_VERDICT_VERIFIED: return 0;
    case VB_VERDICT_REFUTED: return 10;
    case VB_VERDICT_UNVERIFIABLE: break;
    }
    return 11;
}

/* What the level leaves open, said in every report. */
static const char *note_of(const vb_report *rep) {
    if (rep->replayed) {
        return rep->level == VB_LEVEL_SAMPLE && rep->sampling_note[0]
                   ? rep->sampling_note
                   : "every token was replayed with the model";
    }
    switch (rep->level) {
    case VB_LEVEL_RECEIPT:
        return "tokens were NOT replayed: this level checks the receipt itself, not that the model "
               "gives this answer";
    case VB_LEVEL_SAMPLE:
        return rep->sampling_note[0] ? rep->sampling_note : "tokens were NOT all replayed";
    case VB_LEVEL_FULL: break;
    }
    return "tokens were NOT all replayed";
}

static vb_err write_verdict(const vb_report *rep, vb_buf *out) {
    vb_verdict v = vb_report_verdict(rep);
    vb_err err = vb_buf_printf(out, "%s", vb_verdict_name(v));
    if (!err && v != VB_VERDICT_VERIFIED) {
        err = vb_buf_printf(out, " (%s)", vb_reason_name(vb_report_reason(rep)));
    }
    if (!err && rep->divergence.known && v == VB_VERDICT_REFUTED) {
        err = vb_buf_printf(out, " at token %llu of choice %u: expected %u, found %u",
                            (unsigned long long)rep->divergence.t, rep->divergence.choice,
                            rep->divergence.expected, rep->divergence.found);
    }
    if (!err) {
        err = vb_buf_printf(out, "\nlevel %s: %s\n", vb_level_name(rep->level), note_of(rep));
    }
    return err;
}

vb_err vb_report_write_text(const vb_report *rep, vb_buf *out, vb_error *e) {
    vb_err err = VB_OK;
    if (rep->have_receipt) {
        char id[sizeof rep->id], model[65], key[65];
        memcpy(id, rep->id, sizeof id);
        make_ascii(id);
        vb_hex_encode(rep->model_sha256, sizeof rep->model_sha256, model);
        vb_hex_encode(rep->server_key, sizeof rep->server_key, key);
        err = vb_buf_printf(out, "receipt    %s\nmodel      %s\nserver key %s\n", id, model, key);
    }
    for (int i = 0; i < VB_CHECK_COUNT && !err; i++) {
        const vb_check *c = &rep->checks[i];
        if (c->status == VB_CHECK_SKIP && !c->detail[0]) {
            continue;
        }
        err = vb_buf_printf(out, "%-8s %-20s %s%s%s%s\n", vb_check_status_name(c->status),
                            vb_check_name((vb_check_id)i), c->detail, c->grade[0] ? " [" : "",
                            c->grade, c->grade[0] ? "]" : "");
    }
    if (!err) {
        err = write_verdict(rep, out);
    }
    return err ? vb_fail(e, err, "the report does not fit") : VB_OK;
}

static json_t *hex_json(const uint8_t *bytes, size_t n, bool have) {
    char text[65];
    if (!have) {
        return json_null();
    }
    VB_ASSERT(n <= 32);
    vb_hex_encode(bytes, n, text);
    return json_string(text);
}

static json_t *checks_json(const vb_report *rep) {
    json_t *a = json_array();
    for (int i = 0; i < VB_CHECK_COUNT; i++) {
        const vb_check *c = &rep->checks[i];
        bool bad = c->status == VB_CHECK_FAIL || c->status == VB_CHECK_UNKNOWN;
        json_t *o = json_pack(
            "{s:s, s:s, s:b, s:s?, s:s, s:s}", "name", vb_check_name((vb_check_id)i), "status",
            vb_check_status_name(c->status), "required", c->required, "reason",
            bad ? vb_reason_name(c->reason) : NULL, "detail", c->detail, "grade", c->grade);
        if (!o || json_array_append_new(a, o)) {
            json_decref(a);
            return NULL;
        }
    }
    return a;
}

static json_t *divergence_json(const vb_divergence *d) {
    if (!d->known) {
        return json_null();
    }
    return json_pack("{s:I, s:I, s:I, s:I}", "choice", (json_int_t)d->choice, "position",
                     (json_int_t)d->t, "expected", (json_int_t)d->expected, "found",
                     (json_int_t)d->found);
}

static json_t *receipt_json(const vb_report *rep) {
    if (!rep->have_receipt) {
        return json_null();
    }
    return json_pack("{s:s, s:o, s:o, s:o}", "id", rep->id, "model_sha256",
                     hex_json(rep->model_sha256, sizeof rep->model_sha256, true), "server_key",
                     hex_json(rep->server_key, sizeof rep->server_key, true), "verification_hash",
                     hex_json(rep->verification_hash, sizeof rep->verification_hash,
                              rep->have_verification_hash));
}

vb_err vb_report_write_json(const vb_report *rep, vb_buf *out, vb_error *e) {
    vb_verdict v = vb_report_verdict(rep);
    json_t *o =
        json_pack("{s:s, s:s, s:s?, s:s, s:b, s:s, s:i, s:o, s:o, s:o}", "format",
                  "verbatim.report/1", "verdict", vb_verdict_name(v), "reason",
                  v == VB_VERDICT_VERIFIED ? NULL : vb_reason_name(vb_report_reason(rep)), "level",
                  vb_level_name(rep->level), "replayed", rep->replayed, "note", note_of(rep),
                  "exit_code", vb_report_exit_code(rep), "checks", checks_json(rep), "divergence",
                  divergence_json(&rep->divergence), "receipt", receipt_json(rep));
    if (!o) {
        return vb_fail(e, VB_ENOMEM, "no memory to write a report");
    }
    vb_err err = vb_jcs_append(o, out, e);
    json_decref(o);
    return err;
}
