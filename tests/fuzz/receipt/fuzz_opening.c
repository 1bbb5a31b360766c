/*
 * Openings from hostile bytes: decoding never crashes, what it accepts is inside its limits and is
 * given back byte for byte. Bytes that are JSON but not canonical are also tried in canonical form.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "receipt/base64.h"
#include "receipt/opening.h"
#include "json/jcs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int ok) {
    if (!ok) {
        abort();
    }
}

static void decode(const void *bytes, size_t n) {
    vb_opening o;
    vb_error e = {0};
    if (vb_opening_decode(bytes, n, &o, &e)) {
        require(e.msg[0] != 0 && !o.logits && !o.path);
        return;
    }
    require(o.n_logits >= 1 && o.n_logits <= VB_MODEL_VOCAB_MAX && o.token < o.n_logits);
    require(o.rank >= 1 && o.rank <= o.n_logits && o.n_path <= VB_TRACE_PROOF_MAX);
    for (size_t i = 0; i < o.n_logits; i++) {
        require(isfinite(o.logits[i]));
    }
    vb_buf b = vb_buf_make(VB_OPENING_BYTES_MAX);
    require(vb_opening_encode(&o, &b, &e) == VB_OK);
    require(b.len == n && memcmp(b.data, bytes, n) == 0);
    vb_buf_free(&b);
    vb_opening_free(&o);
}

/* Read or not, never past the end; read, then written in the same way. */
static void base64(const uint8_t *data, size_t size) {
    uint8_t *out = malloc(size / 4 * 3 + 1);
    char *again = malloc(size + 1);
    size_t n;
    require(out != NULL && again != NULL);
    if (vb_base64_decode((const char *)data, size, out, &n)) {
        require(vb_base64_chars(n) == size);
        vb_base64_encode(out, n, again);
        require(memcmp(again, data, size) == 0);
    }
    free(out);
    free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    decode(data, size);
    base64(data, size);
    if (size > 1 << 16) {
        return 0;
    }
    json_t *loose = json_loadb((const char *)data, size, JSON_ALLOW_NUL, NULL);
    if (loose) {
        vb_buf b = vb_buf_make(VB_OPENING_BYTES_MAX);
        if (vb_jcs_append(loose, &b, NULL) == VB_OK) {
            decode(b.data, b.len);
        }
        vb_buf_free(&b);
        json_decref(loose);
    }
    return 0;
}
