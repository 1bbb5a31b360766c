/* POST /v1/verify. A replay is made with the model that the receipt names, if it is served here. */
#include <stdlib.h>

#include "base/system.h"
#include "server/endpoints.h"
#include "server/submission.h"
#include "verify/check.h"
#include "verify/opening.h"
#include "verify/replay.h"

enum { NS_PER_S = 1000000000 };

/* A replay's bounds: the time, the client who asked, the end of the server. */
typedef struct replay {
    vb_service *s;
    vb_exchange *x;
    uint64_t until_ns;
} replay;

static bool may_go_on(const replay *y) {
    return vb_clock_ns() < y->until_ns && !atomic_load(&y->s->draining) &&
           !vb_exchange_is_gone(y->x);
}

static bool keep_going(void *user, uint64_t done, uint64_t total) {
    (void)done;
    (void)total;
    return may_go_on(user);
}

/* Under a constraint a position can cost more than a pass. */
static bool keep_drawing(void *user, uint32_t choice, uint64_t t, uint32_t token,
                         const float *logits, size_t n_logits, const uint8_t leaf[32]) {
    (void)choice;
    (void)t;
    (void)token;
    (void)logits;
    (void)n_logits;
    (void)leaf;
    return may_go_on(user);
}

/* The prompt counts as the request has it: that of a private receipt lies beside it. */
static uint64_t tokens_of(const vb_receipt *r) {
    uint64_t n = 0;
    for (size_t i = 0; i < r->n_outputs; i++) {
        n += r->request.n_prompt_tokens + r->outputs[i].n_tokens;
    }
    return n;
}

/* Every token is drawn again: one receipt at a time, and only when nobody waits for an answer.
 * False when it has replied. */
static bool replay_receipt(vb_service *s, vb_exchange *x, const vb_submission *b,
                           const vb_receipt *r, vb_report *report) {
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
                                 .user = &y,
                                 .on_position = keep_drawing,
                                 .position_user = &y};
    vb_replay(&o, r, report);
    atomic_store(&s->verifying, false); /* before the reply, after which its client may ask again */
    return true;
}

static void check_opening(const vb_service *s, const vb_submission *b, const vb_receipt *r,
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
static bool check(vb_service *s, vb_exchange *x, const vb_submission *b, bool full,
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

static void verify(vb_service *s, vb_exchange *x, const vb_submission *b, bool full) {
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
    vb_submission b;
    vb_error e;
    size_t n;
    const uint8_t *body = vb_exchange_body(x, &n);
    const vb_err err = vb_submission_read(body, n, &b, &e);
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
    vb_submission_free(&b);
}

void vb_service_verify(vb_service *s, vb_exchange *x) {
    verify_body(s, x, false);
}

void vb_service_replay(vb_service *s, vb_exchange *x) {
    verify_body(s, x, true);
}
