/*
 * JSON from hostile bytes: reading never crashes; what is read and can be written in canonical form
 * is read in that form by the strict reader too, which writes it in the same bytes. What the strict
 * reader takes, the loose one takes as well.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "json/jcs.h"
#include "json/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int ok) {
    if (!ok) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    json_t *loose = NULL, *strict = NULL;
    vb_error e = {0};
    vb_err err = vb_json_parse_foreign(data, size, 1 << 20, &loose, &e);
    if (err) {
        require(e.msg[0] != 0 && !loose);
        require(vb_json_parse(data, size, &strict, &e) != VB_OK && !strict);
        return 0;
    }
    vb_buf once = vb_buf_make(1 << 24), twice = vb_buf_make(1 << 24);
    err = vb_jcs_append(loose, &once, &e);
    require(err == VB_OK || (err == VB_EFORMAT && e.msg[0])); /* an integer beyond 2^53 */
    if (!err) {
        /* Canonical form may write a real as an integer beyond 2^53, which is no number of ours. */
        err = vb_json_parse(once.data, once.len, &strict, &e);
        require(err == VB_OK || err == VB_EFORMAT);
    }
    if (!err) {
        require(vb_jcs_append(strict, &twice, &e) == VB_OK);
        require(once.len == twice.len && memcmp(once.data, twice.data, once.len) == 0);
        json_decref(strict);
        strict = NULL;
    }
    bool canonical = !err && once.len == size && memcmp(once.data, data, size) == 0;
    err = vb_json_parse(data, size, &strict, &e);
    require((err == VB_OK) == canonical);
    json_decref(strict);
    json_decref(loose);
    vb_buf_free(&once);
    vb_buf_free(&twice);
    return 0;
}
