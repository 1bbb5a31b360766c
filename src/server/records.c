/*
 * The records behind answers: shown by id or hash, prompt and answer included. Where clients have
 * keys, a record is shown to the client whose it is, and to another it is as absent as one that
 * never was: ids are no secrets once records are published. There is no list, and numbers, which
 * could be counted through, are no ids.
 */
#include <string.h>

#include "server/endpoints.h"
#include "server/log.h"

/* A record that is nobody's (made when there were no keys) is the operator's alone. */
static bool may_read(const vb_service *s, const vb_exchange *x, const vb_store_entry *entry) {
    const char *client = vb_service_client(s, x);
    return !client || s->config->public_receipts || strcmp(client, entry->client) == 0;
}

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
    if (err ? absent : !may_read(s, x, &entry)) {
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
