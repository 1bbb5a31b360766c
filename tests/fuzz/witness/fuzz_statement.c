/*
 * Statements from hostile bytes: decoding never crashes, and what it accepts it gives back byte for
 * byte. Bytes that are JSON but not canonical are also tried in canonical form, so that mutations
 * reach the fields behind that check. A statement that was changed after it was signed is not good.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "receipt/records.h"
#include "witness/statement.h"
#include "json/jcs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int ok) {
    if (!ok) {
        abort();
    }
}

static void decode(const void *bytes, size_t n) {
    vb_statement s;
    vb_error e = {0};
    if (vb_statement_decode(bytes, n, &s, &e)) {
        require(e.msg[0] != 0 && s.n_attestations == 0 && s.verdict == VB_VERDICT_UNVERIFIABLE);
        return;
    }
    vb_buf b = vb_buf_make(VB_STATEMENT_BYTES_MAX);
    require(vb_statement_encode(&s, &b, &e) == VB_OK);
    require(b.len == n && memcmp(b.data, bytes, n) == 0);
    vb_buf_free(&b);
    require(vb_record_kind_of(bytes, n) == VB_RECORD_STATEMENT);
    require(vb_statement_match(&s, &s.claim, NULL) == VB_OK && !vb_statements_conflict(&s, &s));
    vb_err err = vb_statement_check(&s, &e);
    require(err == VB_OK || err == VB_EMISMATCH);
    s.judged_at_ms ^= 1;
    require(err == VB_EMISMATCH || vb_statement_check(&s, &e) == VB_EMISMATCH);
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
