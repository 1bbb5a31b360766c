/*
 * The records behind answers: shown by id or hash, prompt and answer included. Where clients have
 * keys, a record is shown to the client whose it is, and to another it is as absent as one that
 * never was: ids are no secrets once records are published. There is no list, and numbers, which
 * could be counted through, are no ids.
 */
#include <stdio.h>
#include <string.h>

#include "receipt/records.h"
#include "receipt/theta_section.h"
#include "server/endpoints.h"
#include "server/log.h"
#include "tlog/proof.h"

/* A record that is nobody's (made when there were no keys) is the operator's alone. */
static bool may_read(const vb_service *s, const vb_exchange *x, const vb_store_entry *entry) {
    const char *client = vb_service_client(s, x);
    return !client || s->config->public_receipts || strcmp(client, entry->client) == 0;
}

/* The forms of a record over HTTP: as it is kept; the commitment in it, to hold a receipt against;
 * what Theta's readers look at. */
typedef enum record_form { FORM_RECORD, FORM_COMMITMENT, FORM_THETA } record_form;

static vb_err append_theta(const vb_receipt *r, vb_buf *out, vb_error *e) {
    uint8_t hash[VB_SHA256_BYTES];
    const vb_err err = vb_receipt_verification_hash(r, hash, e);
    return err ? err : vb_theta_section_append(r, hash, out, e);
}

/* VB_EINVAL: this record has no such form. */
static vb_err convert(const vb_buf *record, vb_store_state state, record_form form, vb_buf *out,
                      vb_error *e) {
    vb_receipt r;
    vb_abort a;
    vb_err err;
    if (form == FORM_THETA && state != VB_STORE_RECEIPT) {
        return vb_fail(e, VB_EINVAL, "the record is no receipt");
    }
    switch (state) {
    case VB_STORE_OPEN: return vb_buf_append(out, record->data, record->len);
    case VB_STORE_ABORT:
        if ((err = vb_abort_decode(record->data, record->len, &a, e)) == VB_OK) {
            err = vb_commitment_encode(&a.r, out, e);
            vb_abort_free(&a);
        }
        return err;
    case VB_STORE_RECEIPT: break;
    }
    if ((err = vb_receipt_decode(record->data, record->len, &r, e)) == VB_OK) {
        err = form == FORM_THETA ? append_theta(&r, out, e) : vb_commitment_encode(&r, out, e);
        vb_receipt_free(&r);
    }
    return err;
}

/* Takes the bytes of record, or leaves them. */
static void reply_record(vb_exchange *x, vb_buf *record, vb_store_state state, record_form form) {
    if (form == FORM_RECORD) {
        vb_exchange_reply(
            x, 200, state == VB_STORE_RECEIPT ? VB_RECEIPT_MEDIA_TYPE : "application/json", record);
        return;
    }
    vb_buf out = vb_buf_make(VB_RECEIPT_BYTES_MAX);
    vb_error e = {VB_OK, ""};
    const vb_err err = convert(record, state, form, &out, &e);
    if (!err) {
        vb_exchange_reply(x, 200, "application/json", &out);
    } else if (err == VB_EINVAL) {
        vb_exchange_fail(x, 404, "format_not_found", "format: %s", e.msg);
    } else {
        vb_log_request(VB_LOG_ERROR, "store", vb_exchange_request_id(x), "%s", e.msg);
        vb_exchange_fail(x, 500, "store_failed", "the record could not be read");
    }
    vb_buf_free(&out);
}

/* The record that the URL names, as far as whoever asks may know of it; false: it has replied.
 * bytes: NULL where they are not needed. */
static bool find(vb_service *s, vb_exchange *x, vb_store_entry *entry, vb_buf *bytes) {
    const char *id = vb_exchange_rest(x);
    uint8_t hash[VB_SHA256_BYTES];
    vb_error e;
    bool absent = false;
    const vb_err err = vb_hex_decode(id, hash, sizeof hash)
                           ? vb_store_by_hash(s->store, hash, entry, bytes, &absent, &e)
                           : vb_store_by_id(s->store, id, entry, bytes, &absent, &e);
    if (err ? absent : !may_read(s, x, entry)) {
        vb_exchange_fail(x, 404, "receipt_not_found", "there is no such record here");
    } else if (err) {
        vb_log_request(VB_LOG_ERROR, "store", vb_exchange_request_id(x), "%s", e.msg);
        vb_exchange_fail(x, 500, "store_failed", "the record could not be read");
    } else {
        return true;
    }
    return false;
}

static void show(vb_service *s, vb_exchange *x, record_form form) {
    vb_store_entry entry;
    vb_buf bytes = vb_buf_make(VB_RECEIPT_BYTES_MAX);
    if (find(s, x, &entry, &bytes)) {
        if (entry.n_bytes == 0) {
            vb_exchange_fail(
                x, 410, "receipt_dropped",
                "its body was dropped, as old records are; commitment and hash are kept");
        } else {
            vb_exchange_set_header(x, "Verbatim-State", vb_store_state_name(entry.state));
            reply_record(x, &bytes, entry.state, form);
        }
    }
    vb_buf_free(&bytes);
}

static void not_public(const vb_service *s, vb_exchange *x) {
    char seconds[24];
    snprintf(seconds, sizeof seconds, "%llu", (unsigned long long)s->config->log_publish_s);
    vb_exchange_set_header(x, "Retry-After", seconds);
    vb_exchange_fail(x, 404, "proof_not_ready", "its entry is not under a checkpoint yet");
}

/* That the record, or the commitment while it is open, is in the log. The entry outlives its bytes
 * here. */
static void show_proof(vb_service *s, vb_exchange *x) {
    vb_store_entry entry;
    if (!find(s, x, &entry, NULL)) {
        return;
    }
    const uint64_t index =
        entry.state == VB_STORE_OPEN ? entry.committed_entry : entry.settled_entry;
    if (!s->publisher || index == VB_STORE_NO_ENTRY) {
        vb_exchange_fail(x, 404, "format_not_found", "format: the record is in no log");
        return;
    }
    if (index >= vb_publisher_size(s->publisher)) {
        not_public(s, x);
        return;
    }
    vb_buf out = vb_buf_make(VB_TLOG_PROOF_BYTES_MAX);
    vb_error e;
    if (vb_publisher_prove(s->publisher, index, &out, &e)) {
        vb_log_request(VB_LOG_ERROR, "publish", vb_exchange_request_id(x), "%s", e.msg);
        vb_exchange_fail(x, 500, "log_failed", "the log could not be read");
    } else {
        vb_exchange_set_header(x, "Verbatim-State", vb_store_state_name(entry.state));
        vb_exchange_reply(x, 200, "text/plain; charset=utf-8", &out);
    }
    vb_buf_free(&out);
}

static void show_record(vb_service *s, vb_exchange *x) {
    show(s, x, FORM_RECORD);
}

static void show_commitment(vb_service *s, vb_exchange *x) {
    show(s, x, FORM_COMMITMENT);
}

static void show_theta(vb_service *s, vb_exchange *x) {
    show(s, x, FORM_THETA);
}

void vb_record_handle(void *user, vb_exchange *x) {
    static const struct {
        const char *name;
        void (*run)(vb_service *s, vb_exchange *x);
    } forms[] = {{"record", show_record},
                 {"commitment", show_commitment},
                 {"theta", show_theta},
                 {"proof", show_proof}};
    const char *name = vb_exchange_query(x, "format");
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        if (strcmp(name ? name : "record", forms[i].name) == 0) {
            vb_service_put(user, x, forms[i].run);
            return;
        }
    }
    vb_exchange_fail(x, 400, "invalid_value",
                     "format: expected record, commitment, theta or proof");
}
