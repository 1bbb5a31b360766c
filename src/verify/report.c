/* The report: recording checks, drawing the verdict, writing it for people and for programs. */
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <utf8proc.h>

#include "tokenizer/utf8.h"
#include "verify/check.h"
#include "json/jcs.h"

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
    [VB_CHECK_OPENING_FORMAT] = "opening-format",
    [VB_CHECK_OPENING_RECEIPT] = "opening-receipt",
    [VB_CHECK_OPENING_TOKEN] = "opening-token",
    [VB_CHECK_OPENING_PATH] = "opening-path",
    [VB_CHECK_OPENING_DRAW] = "opening-draw",
    [VB_CHECK_OPENING_NUMBERS] = "opening-numbers",
    [VB_CHECK_WITNESSES] = "witnesses",
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
    [VB_REASON_REFUTED_BY_WITNESSES] = "witnesses",
    [VB_REASON_UNREADABLE] = "unreadable",
    [VB_REASON_UNSUPPORTED_FORMAT] = "unsupported-format",
    [VB_REASON_UNSUPPORTED_ARITHMETIC] = "unsupported-arithmetic",
    [VB_REASON_UNSUPPORTED_BEACON] = "unsupported-beacon",
    [VB_REASON_TRUST_ROOT] = "trust-root",
    [VB_REASON_MISSING_MODEL] = "missing-model",
    [VB_REASON_MISSING_PROMPT] = "missing-prompt",
    [VB_REASON_UNCONFIRMED] = "witnesses",
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
    switch (l) {
    case VB_LEVEL_FULL: return "full";
    case VB_LEVEL_SAMPLE: return "sample";
    case VB_LEVEL_OPENING: return "opening";
    case VB_LEVEL_QUORUM: return "quorum";
    case VB_LEVEL_RECEIPT: break;
    }
    return "receipt";
}

const char *vb_check_name(vb_check_id id) {
    return (size_t)id < VB_CHECK_COUNT ? check_names[id] : "unknown";
}

const char *vb_standing_name(vb_standing s) {
    switch (s) {
    case VB_STANDING_OTHER: return "other";
    case VB_STANDING_UNLISTED: return "unlisted";
    case VB_STANDING_CONFLICTS: return "conflicts";
    case VB_STANDING_SILENT: return "silent";
    case VB_STANDING_REFUTES: return "refutes";
    case VB_STANDING_CONFIRMS: return "confirms";
    case VB_STANDING_UNUSABLE: break;
    }
    return "unusable";
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
    default: break;
    }
    if (id < VB_CHECK_MODEL_DIGEST) {
        return true;
    }
    if (id == VB_CHECK_WITNESSES) {
        return level == VB_LEVEL_QUORUM;
    }
    return id < VB_CHECK_OPENING_FORMAT ? level == VB_LEVEL_SAMPLE || level == VB_LEVEL_FULL
                                        : level == VB_LEVEL_OPENING;
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
    VB_ASSERT(reason >= VB_REASON_SIGNATURE && reason <= VB_REASON_REFUTED_BY_WITNESSES);
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
    const bool replayed_enough = (rep->level != VB_LEVEL_FULL || rep->replayed) &&
                                 (rep->level != VB_LEVEL_SAMPLE || rep->n_sampled > 0);
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

enum { NOTE_BYTES = 512 };

static void note_sample(const vb_report *rep, char out[NOTE_BYTES]) {
    const double missed = (double)(rep->n_positions - rep->n_sampled) / (double)rep->n_positions;
    snprintf(out, NOTE_BYTES,
             "%llu of %llu tokens, chosen by the verifier, were drawn again with the model: one "
             "forged token is missed with probability %.6g",
             (unsigned long long)rep->n_sampled, (unsigned long long)rep->n_positions, missed);
}

/* What the level leaves open, said in every report. */
static void note_of(const vb_report *rep, char out[NOTE_BYTES]) {
    const char *note = "tokens were NOT all replayed";
    switch (rep->level) {
    case VB_LEVEL_RECEIPT:
        note = "tokens were NOT replayed: this level checks the receipt itself, not that the model "
               "gives this answer";
        break;
    case VB_LEVEL_SAMPLE:
        if (rep->n_sampled > 0) {
            note_sample(rep, out);
            return;
        }
        break;
    case VB_LEVEL_FULL:
        note = rep->replayed ? "every token was replayed with the model" : note;
        break;
    case VB_LEVEL_OPENING:
        note = "tokens were NOT replayed: an opening shows to which distribution the server had "
               "committed, not that the model gives it";
        break;
    case VB_LEVEL_QUORUM:
        note = "tokens were NOT replayed here: witnesses that the verifier chose say that they did";
        break;
    }
    snprintf(out, NOTE_BYTES, "%s", note);
}

static double share(uint64_t weight, uint64_t total) {
    return total ? (double)weight / (double)total : 0;
}

/* Characters that a terminal shows as themselves: no controls, nothing that turns the direction of
 * a line or is invisible. */
static bool is_shown(uint32_t c) {
    switch (utf8proc_category((utf8proc_int32_t)c)) {
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP: return false;
    default: return true;
    }
}

/* As a JSON string; what can not be shown is escaped. */
static vb_err write_quoted(vb_buf *out, const vb_snippet *s, const char *before,
                           const char *after) {
    vb_err err = vb_buf_printf(out, "\"%s", before);
    for (size_t i = 0, n; i < s->len && !err; i += n) {
        const bool whole = vb_utf8_classify(s->text + i, s->len - i, &n) == VB_UTF8_WHOLE;
        const uint32_t c = whole ? vb_utf8_decode(s->text + i, &n) : 0xfffd;
        if (c == '"' || c == '\\') {
            err = vb_buf_printf(out, "\\%c", (char)c);
        } else if (whole && is_shown(c)) {
            err = vb_buf_append(out, s->text + i, n);
        } else if (c < 0x10000) {
            err = vb_buf_printf(out, "\\u%04x", (unsigned)c);
        } else {
            err = vb_buf_printf(out, "\\u%04x\\u%04x", (unsigned)(0xd800 + ((c - 0x10000) >> 10)),
                                (unsigned)(0xdc00 + (c & 0x3ff)));
        }
    }
    return err ? err : vb_buf_printf(out, "%s\"", after);
}

static vb_err write_token(vb_buf *out, const char *which, const vb_snippet *text, uint32_t token,
                          uint64_t weight, uint64_t total) {
    vb_err err = vb_buf_printf(out, "  %-8s ", which);
    if (!err) {
        err = write_quoted(out, text, "", text->cut ? "..." : "");
    }
    return err ? err
               : vb_buf_printf(out, " (token %u, probability %.6g)\n", token, share(weight, total));
}

/* position 17 of choice 0, after "...the capital of":
 *   expected " France" (token 4711, probability 0.83)
 *   found    " Spain" (token 9, probability 0.002) */
static vb_err write_divergence(const vb_divergence *d, vb_buf *out) {
    vb_err err = vb_buf_printf(out, "position %llu of choice %u, after ", (unsigned long long)d->t,
                               d->choice);
    if (!err) {
        err = write_quoted(out, &d->context, d->context.cut ? "..." : "", "");
    }
    if (!err) {
        err = vb_buf_printf(out, ":\n");
    }
    if (!err) {
        err = write_token(out, "expected", &d->expected_text, d->expected, d->expected_weight,
                          d->total);
    }
    return err ? err
               : write_token(out, "found", &d->found_text, d->found, d->found_weight, d->total);
}

static vb_err write_verdict(const vb_report *rep, vb_buf *out) {
    vb_verdict v = vb_report_verdict(rep);
    char note[NOTE_BYTES];
    note_of(rep, note);
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
        err = vb_buf_printf(out, "\nlevel %s: %s\n", vb_level_name(rep->level), note);
    }
    return err;
}

/* A line a check, its grade below it; the checks that were not made are named together. */
static vb_err write_checks(const vb_report *rep, vb_buf *out) {
    vb_err err = VB_OK;
    int n_missing = 0;
    for (int i = 0; i < VB_CHECK_COUNT && !err; i++) {
        const vb_check *c = &rep->checks[i];
        n_missing += c->status == VB_CHECK_MISSING;
        if (c->status == VB_CHECK_MISSING || (c->status == VB_CHECK_SKIP && !c->detail[0])) {
            continue;
        }
        err = vb_buf_printf(out, "%-8s %-20s %s\n", vb_check_status_name(c->status),
                            vb_check_name((vb_check_id)i), c->detail);
        if (!err && c->grade[0]) {
            err = vb_buf_printf(out, "%-8s %-20s %s\n", "", "", c->grade);
        }
    }
    for (int i = 0, n = 0; i < VB_CHECK_COUNT && n_missing && !err; i++) {
        if (rep->checks[i].status == VB_CHECK_MISSING) {
            n++;
            err = vb_buf_printf(out, "%s%s%s", n == 1 ? "missing  not made: " : ", ",
                                vb_check_name((vb_check_id)i), n == n_missing ? "\n" : "");
        }
    }
    return err;
}

/* One line a statement, and a second for the one that contradicts it. */
static vb_err write_witnesses(const vb_witness_findings *w, vb_buf *out) {
    vb_err err = vb_buf_printf(out, "witnesses  confirmed by %zu of %zu, refuted by %zu\n",
                               w->n_confirming, w->n_listed, w->n_refuting);
    for (size_t i = 0; i < w->n && !err; i++) {
        const vb_witness_finding *f = &w->items[i];
        char key[2 * sizeof f->key + 1], text[VB_ERROR_MSG_MAX + 1024];
        vb_hex_encode(f->key, sizeof f->key, key);
        snprintf(text, sizeof text, "%s: %s",
                 f->name       ? f->name
                 : f->have_key ? key
                               : "nobody",
                 f->detail);
        make_ascii(text);
        err = vb_buf_printf(out, "  %-10s %s (%s)\n", vb_standing_name(f->standing), text, f->file);
        if (!err && f->against) {
            err = vb_buf_printf(out, "  %-10s contradicted by %s\n", "", f->against);
        }
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
    if (!err) {
        err = write_checks(rep, out);
    }
    if (!err && rep->divergence.known) {
        err = write_divergence(&rep->divergence, out);
    }
    if (!err && rep->witnesses) {
        err = write_witnesses(rep->witnesses, out);
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

/* Snippets are UTF-8 (a NULL is no memory: the object then fails as a whole). */
static json_t *snippet_json(const vb_snippet *s) {
    return json_stringn(s->text, s->len);
}

static json_t *divergence_json(const vb_divergence *d) {
    if (!d->known) {
        return json_null();
    }
    return json_pack(
        "{s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:f, s:f}", "choice", (json_int_t)d->choice,
        "position", (json_int_t)d->t, "expected", (json_int_t)d->expected, "found",
        (json_int_t)d->found, "expected_text", snippet_json(&d->expected_text), "found_text",
        snippet_json(&d->found_text), "context", snippet_json(&d->context), "expected_probability",
        share(d->expected_weight, d->total), "found_probability", share(d->found_weight, d->total));
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

/* NULL without memory. */
static json_t *statements_json(const vb_witness_findings *w) {
    json_t *a = json_array();
    for (size_t i = 0; i < w->n; i++) {
        const vb_witness_finding *f = &w->items[i];
        json_t *o = json_pack("{s:s?, s:s, s:s, s:o, s:s?, s:s}", "against", f->against, "detail",
                              f->detail, "file", f->file, "key",
                              hex_json(f->key, sizeof f->key, f->have_key), "name", f->name,
                              "standing", vb_standing_name(f->standing));
        if (!o || json_array_append_new(a, o)) {
            json_decref(a);
            return NULL;
        }
    }
    return a;
}

static json_t *witnesses_json(const vb_witness_findings *w) {
    if (!w) {
        return json_null();
    }
    return json_pack("{s:I, s:I, s:o, s:I, s:o}", "confirming", (json_int_t)w->n_confirming,
                     "listed", (json_int_t)w->n_listed, "quorum",
                     w->quorum ? json_integer(w->quorum) : json_null(), "refuting",
                     (json_int_t)w->n_refuting, "statements", statements_json(w));
}

vb_err vb_report_write_json(const vb_report *rep, vb_buf *out, vb_error *e) {
    vb_verdict v = vb_report_verdict(rep);
    char note[NOTE_BYTES];
    note_of(rep, note);
    json_t *o = json_pack("{s:s, s:s, s:s?, s:s, s:b, s:s, s:i, s:o, s:o, s:o, s:o}", "format",
                          "verbatim.report/1", "verdict", vb_verdict_name(v), "reason",
                          v == VB_VERDICT_VERIFIED ? NULL : vb_reason_name(vb_report_reason(rep)),
                          "level", vb_level_name(rep->level), "replayed", rep->replayed, "note",
                          note, "exit_code", vb_report_exit_code(rep), "checks", checks_json(rep),
                          "divergence", divergence_json(&rep->divergence), "receipt",
                          receipt_json(rep), "witnesses", witnesses_json(rep->witnesses));
    if (!o) {
        return vb_fail(e, VB_ENOMEM, "no memory to write a report");
    }
    vb_err err = vb_jcs_append(o, out, e);
    json_decref(o);
    return err;
}
