/*
 * Receipts from hostile bytes: decoding never crashes, and what it accepts it gives back byte for
 * byte. Bytes that are JSON but not canonical are also tried in canonical form, so that mutations
 * reach the fields behind that check.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "receipt/receipt.h"
#include "json/jcs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int ok) {
    if (!ok) {
        abort();
    }
}

static void decode(const void *bytes, size_t n) {
    static vb_receipt r;
    vb_error e = {0};
    vb_err err = vb_receipt_decode(bytes, n, &r, &e);
    if (err) {
        require(e.msg[0] != 0 && r.outputs == NULL && r.prompt.tokens == NULL);
        return;
    }
    vb_buf b = vb_buf_make(VB_RECEIPT_BYTES_MAX);
    uint8_t h[VB_SHA256_BYTES];
    require(vb_receipt_encode(&r, &b, &e) == VB_OK);
    require(b.len == n && memcmp(b.data, bytes, n) == 0);
    require(vb_receipt_verification_hash(&r, h, &e) == VB_OK);
    require(vb_receipt_commitment(&r, h, &e) == VB_OK);
    vb_buf_free(&b);
    vb_receipt_free(&r);
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
