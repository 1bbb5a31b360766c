/*
 * POST /v1/verify. The body is a receipt, as it stands, or an object with the receipt and what was
 * given apart from it:
 *   {"receipt": {...}, "prompt": {...}}     a private receipt and its prompt record
 *   {"receipt": {...}, "opening": {...}}    an opening of the receipt, beside either
 * A replay is made with the model that the receipt names, if it is served here.
 */
#include <stdlib.h>
#include <string.h>

#include "base/system.h"
#include "receipt/records.h"
#include "server/endpoints.h"
#include "server/log.h"
#include "verify/check.h"
#include "verify/opening.h"
#include "verify/replay.h"
#include "json/jcs.h"
#include "json/json.h"

enum { NS_PER_S = 1000000000 };

/* What is to be verified; bytes are borrowed from the exchange or are the document's. */
typedef struct submission {
    const uint8_t *receipt;
    size_t n_receipt;
    vb_buf receipt_bytes, opening; /* of an object: in their canonical form */
    bool has_prompt, has_opening;
    vb_receipt_prompt prompt;
} submission;

/* A member's canonical form, which is the only one that a record has. */
static vb_err take_record(const json_t *value, const char *name, vb_buf *out, vb_error *e) {
    if (!json_is_object(value)) {
        return vb_fail(e, VB_EFORMAT, "%s: expected an object", name);
    }
    const vb_err err = vb_jcs_append(value, out, e);
    return err ? vb_fail_in(e, err, "%s", name) : VB_OK;
}

static vb_err take_prompt(const json_t *value, submission *b, vb_error *e) {
    vb_buf bytes = vb_buf_make(VB_RECEIPT_BYTES_MAX);
    vb_err err = take_record(value, "prompt", &bytes, e);
    if (!err && (err = vb_prompt_file_decode(bytes.data, bytes.len, &b->prompt, e))) {
        vb_fail_in(e, err, "prompt");
    }
    b->has_prompt = !err;
    vb_buf_free(&bytes);
    return err;
}

static vb_err take_members(const json_t *document, submission *b, vb_error *e) {
    vb_err err = VB_OK;
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)document, name, value) {
        if (strcmp(name, "receipt") == 0) {
            err = take_record(value, name, &b->receipt_bytes, e);
        } else if (strcmp(name, "prompt") == 0) {
            err = take_prompt(value, b, e);
        } else if (strcmp(name, "opening") == 0) {
            err = take_record(value, name, &b->opening, e);
            b->has_opening = !err;
        } else {
            err = vb_fail(e, VB_EFORMAT, "%.60s: expected receipt, prompt and opening only", name);
        }
        if (err) {
            break;
        }
    }
    b->receipt = b->receipt_bytes.data;
    b->n_receipt = b->receipt_bytes.len;
    return err;
}

/* The receipt alone stays the bytes that came: whether they are canonical is one of the checks. */
static vb_err read_submission(vb_exchange *x, submission *b, vb_error *e) {
    json_t *document = NULL;
    vb_err err = VB_OK;
    b->receipt = vb_exchange_body(x, &b->n_receipt);
    if (vb_record_kind_of(b->receipt, b->n_receipt) == VB_RECORD_UNKNOWN &&
        vb_json_parse_foreign(b->receipt, b->n_receipt, VB_RECEIPT_BYTES_MAX, &document, NULL) ==
            VB_OK &&
        json_object_get(document, "receipt")) {
        err = take_members(document, b, e);
    }
    json_decref(document);
    return err;
}

static void free_submission(submission *b) {
    vb_buf_free(&b->receipt_bytes);
    vb_buf_free(&b->opening);
    if (b->has_prompt) {
        vb_receipt_prompt_free(&b->prompt);
    }
}

/* A replay's bounds: the time, the client who asked, the end of the server. */
typedef struct replay {
    vb_service *s;
    vb_exchange *x;
    uint64_t until_ns;
} replay;

static bool keep_going(void *user, uint64_t done, uint64_t total) {
    const replay *y = user;
    (void)done;
    (void)total;
    return vb_clock_ns() < y->until_ns && !atomic_load(&y->s->draining) &&
           !vb_exchange_is_gone(y->x);
}

static uint64_t tokens_of(const vb_receipt *r) {
    uint64_t n = 0;
    for (size_t i = 0; i < r->n_outputs; i++) {
        n += r->prompt.n_tokens + r->outputs[i].n_tokens;
    }
    return n;
}

/* Every token is drawn again: one receipt at a time, and only when nobody waits for an answer.
 * False when it has replied. */
static bool replay_receipt(vb_service *s, vb_exchange *x, const submission *b, const vb_receipt *r,
                           vb_report *report) {
    const vb_served_model *m = vb_service_model_of_digest(s, r->request.model_sha256);
    if (!m) {
        vb_report_unknown(report, VB_CHECK_MODEL_DIGEST, VB_REASON_MISSING_MODEL,
                          "this server does not have the model of this receipt");
        return true;
    }
    const uint64_t n = tokens_of(r);
    if (n > s->config->verify_tokens) {
        vb_exchange_fail(x, 413, "receipt_too_large",
                         "this server replays at most %llu tokens; the receipt has %llu",
                         (unsigned long long)s->config->verify_tokens, (unsigned long long)n);
        return false;
    }
    if (atomic_load(&s->n_answers) || atomic_exchange(&s->verifying, true)) {
        vb_exchange_set_header(x, "Retry-After", "5");
        vb_exchange_fail(x, 503, "busy",
                         "receipts are replayed one at a time, and when no answer is being made");
        return false;
    }
    replay y = {s, x, vb_clock_ns() + s->config->verify_s * (uint64_t)NS_PER_S};
    const vb_replay_options o = {.gguf = m->o.gguf,
                                 .tokenizer = m->o.tokenizer,
                                 .model = m->o.model,
                                 .vocabulary = m->vocabulary,
                                 .model_sha256 = m->o.sha256,
                                 .prompt = b->has_prompt ? &b->prompt : NULL,
                                 .batch_tokens = s->o.batch_tokens,
                                 .n_threads = s->o.n_threads,
                                 .on_progress = keep_going,
                                 .user = &y};
    vb_replay(&o, r, report);
    atomic_store(&s->verifying, false); /* before the reply, after which its client may ask again */
    return true;
}

static void check_opening(const vb_service *s, const submission *b, const vb_receipt *r,
                          vb_report *report) {
    const vb_served_model *m = vb_service_model_of_digest(s, r->request.model_sha256);
    vb_opening opening;
    if (vb_opening_read(b->opening.data, b->opening.len, &opening, report)) {
        vb_opening_check(&opening, r, b->has_prompt ? &b->prompt : NULL, m ? m->vocabulary : NULL,
                         vb_model_kernels(s->models[0].o.model), report);
        vb_opening_free(&opening);
    }
}

/* The checks of the level; false when it has replied. */
static bool check(vb_service *s, vb_exchange *x, const submission *b, bool full,
                  vb_report *report) {
    vb_receipt *r = malloc(sizeof *r);
    if (!r) {
        vb_exchange_fail(x, 503, "out_of_memory", "no memory for a receipt");
        return false;
    }
    const vb_expect expect = {.trust = s->o.trust, .prompt = b->has_prompt ? &b->prompt : NULL};
    vb_report_begin(report, b->has_opening ? VB_LEVEL_OPENING
                            : full         ? VB_LEVEL_FULL
                                           : VB_LEVEL_RECEIPT);
    bool goes_on = true;
    if (vb_check_receipt(b->receipt, b->n_receipt, &expect, r, report)) {
        if (b->has_opening) {
            check_opening(s, b, r, report);
        } else if (full && !vb_report_refuted(report)) {
            goes_on = replay_receipt(s, x, b, r, report);
        }
    }
    vb_receipt_free(r);
    free(r);
    return goes_on;
}

static void verify(vb_service *s, vb_exchange *x, const submission *b, bool full) {
    vb_report *report = malloc(sizeof *report);
    vb_buf body = vb_buf_make(VB_RECEIPT_BYTES_MAX);
    vb_error e;
    if (!report) {
        vb_exchange_fail(x, 503, "out_of_memory", "no memory for a report");
    } else if (check(s, x, b, full, report)) {
        vb_report_finish(report);
        vb_metrics_add(&s->metrics.verifications[vb_report_verdict(report)], 1);
        if (vb_report_write_json(report, &body, &e)) {
            vb_exchange_fail(x, 503, "out_of_memory", "no memory for a report");
        } else {
            vb_exchange_reply(x, 200, "application/json", &body);
        }
    }
    vb_buf_free(&body);
    free(report);
}

static void verify_body(vb_service *s, vb_exchange *x, bool full) {
    submission b = {.receipt_bytes = vb_buf_make(VB_RECEIPT_BYTES_MAX),
                    .opening = vb_buf_make(VB_RECEIPT_BYTES_MAX)};
    vb_error e;
    const vb_err err = read_submission(x, &b, &e);
    if (err == VB_ENOMEM) {
        vb_exchange_fail(x, 503, "out_of_memory", "no memory for the request");
    } else if (err) {
        vb_exchange_fail(x, 400, "invalid_value", "%s", e.msg);
    } else if (full && b.has_opening) {
        vb_exchange_fail(
            x, 400, "invalid_value",
            "opening: expected no level=full beside it, whose replay needs no opening");
    } else {
        verify(s, x, &b, full);
    }
    free_submission(&b);
}

void vb_service_verify(vb_service *s, vb_exchange *x) {
    verify_body(s, x, false);
}

void vb_service_replay(vb_service *s, vb_exchange *x) {
    verify_body(s, x, true);
}
