/*
 * The records behind answers: shown by id or hash, and receipts checked. Who knows a record's id
 * may read it, prompt and answer included; there is no list, and numbers, which could be counted
 * through, are no ids.
 */
#include <stdlib.h>
#include <string.h>

#include "base/system.h"
#include "server/endpoints.h"
#include "server/log.h"
#include "verify/check.h"
#include "verify/replay.h"

enum { NS_PER_S = 1000000000 };

void vb_record_show(vb_service *s, vb_exchange *x) {
    const char *id = vb_exchange_rest(x);
    uint8_t hash[VB_SHA256_BYTES];
    vb_store_entry entry;
    vb_buf bytes = vb_buf_make(VB_RECEIPT_BYTES_MAX);
    vb_error e;
    bool absent = false;
    const vb_err err = vb_hex_decode(id, hash, sizeof hash)
                           ? vb_store_by_hash(s->store, hash, &entry, &bytes, &absent, &e)
                           : vb_store_by_id(s->store, id, &entry, &bytes, &absent, &e);
    if (err && absent) {
        vb_exchange_fail(x, 404, "receipt_not_found", "there is no such record here");
    } else if (err) {
        vb_log_request(VB_LOG_ERROR, "store", vb_exchange_request_id(x), "%s", e.msg);
        vb_exchange_fail(x, 500, "store_failed", "the record could not be read");
    } else if (entry.n_bytes == 0) {
        vb_exchange_fail(x, 410, "receipt_dropped",
                         "its body was dropped, as old records are; commitment and hash are kept");
    } else {
        vb_exchange_set_header(x, "Verbatim-State", vb_store_state_name(entry.state));
        vb_exchange_reply(
            x, 200, entry.state == VB_STORE_RECEIPT ? VB_RECEIPT_MEDIA_TYPE : "application/json",
            &bytes);
    }
    vb_buf_free(&bytes);
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

/* The checks of the level; false when it has replied. */
static bool check(vb_service *s, vb_exchange *x, bool full, vb_report *report) {
    size_t n;
    const uint8_t *bytes = vb_exchange_body(x, &n);
    vb_receipt *r = malloc(sizeof *r);
    if (!r) {
        vb_exchange_fail(x, 503, "out_of_memory", "no memory for a receipt");
        return false;
    }
    const vb_expect expect = {.trust = s->o.trust};
    vb_report_begin(report, full ? VB_LEVEL_FULL : VB_LEVEL_RECEIPT);
    const bool readable = vb_check_receipt(bytes, n, &expect, r, report);
    bool fits = true;
    if (full && readable && !vb_report_refuted(report)) {
        fits = tokens_of(r) <= s->config->verify_tokens;
        replay y = {s, x, vb_clock_ns() + s->config->verify_s * (uint64_t)NS_PER_S};
        const vb_replay_options o = {.gguf = s->model.o.gguf,
                                     .tokenizer = s->model.o.tokenizer,
                                     .model = s->model.o.model,
                                     .model_sha256 = s->model.o.sha256,
                                     .batch_tokens = s->o.batch_tokens,
                                     .n_threads = s->o.n_threads,
                                     .on_progress = keep_going,
                                     .user = &y};
        if (fits) {
            vb_replay(&o, r, report);
        } else {
            vb_exchange_fail(x, 413, "receipt_too_large",
                             "this server replays at most %llu tokens; the receipt has %llu",
                             (unsigned long long)s->config->verify_tokens,
                             (unsigned long long)tokens_of(r));
        }
    }
    vb_receipt_free(r);
    free(r);
    return fits;
}

static void verify(vb_service *s, vb_exchange *x, bool full) {
    vb_report *report = malloc(sizeof *report);
    vb_buf body = vb_buf_make(VB_RECEIPT_BYTES_MAX);
    vb_error e;
    if (!report) {
        vb_exchange_fail(x, 503, "out_of_memory", "no memory for a report");
    } else if (check(s, x, full, report)) {
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

void vb_record_verify(vb_service *s, vb_exchange *x) {
    verify(s, x, false);
}

/* With the model, one at a time, and only when nobody waits for an answer. */
void vb_record_replay(vb_service *s, vb_exchange *x) {
    const bool idle = atomic_load(&s->n_answers) == 0;
    if (!idle || atomic_exchange(&s->verifying, true)) {
        vb_exchange_set_header(x, "Retry-After", "5");
        vb_exchange_fail(x, 503, "busy",
                         "receipts are replayed one at a time, and when no answer is being made");
        return;
    }
    verify(s, x, true);
    atomic_store(&s->verifying, false);
}
