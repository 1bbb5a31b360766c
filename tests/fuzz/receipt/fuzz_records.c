/*
 * The records around a receipt from hostile bytes: decoding never crashes, and what it accepts it
 * gives back byte for byte. Bytes that are JSON but not canonical are also tried in canonical form,
 * so that mutations reach the fields behind that check. A record that was changed after its key
 * signed it does not pass its check.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "receipt/records.h"
#include "json/jcs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int ok) {
    if (!ok) {
        abort();
    }
}

static void require_same(vb_buf *b, const void *bytes, size_t n) {
    require(b->len == n && memcmp(b->data, bytes, n) == 0);
    vb_buf_free(b);
}

static void commitment(const void *bytes, size_t n) {
    static vb_receipt r;
    vb_error e = {0};
    if (vb_commitment_decode(bytes, n, &r, &e)) {
        require(e.msg[0] != 0 && r.request.n_stop_strings == 0);
        return;
    }
    vb_buf b = vb_buf_make(VB_COMMITMENT_BYTES_MAX);
    require(vb_commitment_encode(&r, &b, &e) == VB_OK);
    require_same(&b, bytes, n);
    vb_err err = vb_commitment_check(&r, &e);
    require(err == VB_OK || err == VB_EMISMATCH);
    r.request.sequence ^= 1;
    require(vb_commitment_check(&r, &e) == VB_EMISMATCH);
    require(vb_record_kind_of(bytes, n) == VB_RECORD_COMMITMENT);
    vb_receipt_free(&r);
}

static void aborted(const void *bytes, size_t n) {
    static vb_abort a;
    vb_error e = {0};
    if (vb_abort_decode(bytes, n, &a, &e)) {
        require(e.msg[0] != 0 && a.reason == 0);
        return;
    }
    require(a.aborted_at_ms >= a.r.request.issued_at_ms);
    vb_err err = vb_abort_check(&a, &e);
    require(err == VB_OK || err == VB_EMISMATCH);
    a.aborted_at_ms ^= 1;
    require(vb_abort_check(&a, &e) == VB_EMISMATCH);
    require(vb_record_kind_of(bytes, n) == VB_RECORD_ABORT);
    vb_abort_free(&a);
}

static void prompt(const void *bytes, size_t n) {
    static vb_receipt r;
    vb_error e = {0};
    vb_receipt_init(&r);
    if (vb_prompt_file_decode(bytes, n, &r.prompt, &e)) {
        require(e.msg[0] != 0 && !r.prompt.tokens && !r.prompt.messages);
        return;
    }
    vb_buf b = vb_buf_make(VB_RECEIPT_BYTES_MAX);
    require(r.prompt.has_tokens && vb_prompt_file_encode(&r, &b, &e) == VB_OK);
    require_same(&b, bytes, n);
    require(vb_record_kind_of(bytes, n) == VB_RECORD_PROMPT);
    vb_receipt_free(&r);
}

static void decode(const void *bytes, size_t n) {
    (void)vb_record_kind_of(bytes, n);
    commitment(bytes, n);
    aborted(bytes, n);
    prompt(bytes, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    decode(data, size);
    if (size > 1 << 16) {
        return 0;
    }
    json_t *loose = json_loadb((const char *)data, size, JSON_ALLOW_NUL, NULL);
    if (loose) {
        vb_buf b = vb_buf_make(VB_RECEIPT_BYTES_MAX);
        if (vb_jcs_append(loose, &b, NULL) == VB_OK) {
            decode(b.data, b.len);
        }
        vb_buf_free(&b);
        json_decref(loose);
    }
    return 0;
}
