/*
 * Entries from hostile bytes: decoding never crashes, and what it accepts is given back byte for
 * byte. Bytes that are JSON but not canonical are also tried in canonical form.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "tlog/entry.h"
#include "json/jcs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int ok) {
    if (!ok) {
        abort();
    }
}

static void decode(const void *bytes, size_t n) {
    vb_tlog_entry entry;
    vb_error e = {0};
    if (vb_tlog_entry_decode(bytes, n, &entry, &e)) {
        require(e.msg[0] != 0);
        return;
    }
    vb_buf b = vb_buf_make(VB_TLOG_ENTRY_BYTES_MAX);
    require(n <= VB_TLOG_ENTRY_BYTES_MAX && entry.sequence > 0);
    require(vb_tlog_entry_encode(&entry, &b, &e) == VB_OK);
    require(b.len == n && memcmp(b.data, bytes, n) == 0);
    vb_buf_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    decode(data, size);
    json_t *loose =
        size <= 1 << 12 ? json_loadb((const char *)data, size, JSON_ALLOW_NUL, NULL) : NULL;
    if (loose) {
        vb_buf b = vb_buf_make(1 << 16);
        if (vb_jcs_append(loose, &b, NULL) == VB_OK) {
            decode(b.data, b.len);
        }
        vb_buf_free(&b);
        json_decref(loose);
    }
    return 0;
}
