/*
 * Stop strings and text from the input: [n strings] { [length] bytes }, then pieces of text, each
 * [length] bytes. Fed piece by piece and byte by byte the state must agree, never shrink, and the
 * match must be there.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sample/stop.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct input {
    const uint8_t *p;
    size_t left;
} input;

/* [length] bytes, as many as there are. */
static bool take(input *in, const uint8_t **bytes, size_t *len) {
    if (in->left == 0) {
        return false;
    }
    const size_t n = in->p[0];
    *bytes = in->p + 1;
    *len = n < in->left - 1 ? n : in->left - 1;
    in->p += 1 + *len;
    in->left -= 1 + *len;
    return true;
}

static void same(vb_stop_state a, vb_stop_state b) {
    if (a.matched != b.matched || a.which != b.which || a.fed_bytes != b.fed_bytes ||
        a.safe_bytes != b.safe_bytes || a.safe_bytes > a.fed_bytes) {
        abort();
    }
}

static void feed_both(input *c, vb_stop *whole, vb_stop *single, const vb_stop_string *strings) {
    const uint8_t *text;
    uint8_t all[65536];
    size_t len, n = 0;
    uint64_t safe = 0;
    while (take(c, &text, &len) && n + len <= sizeof all) {
        memcpy(all + n, text, len);
        n += len;
        vb_stop_feed(whole, text, len);
        for (size_t i = 0; i < len; i++) {
            vb_stop_feed(single, text + i, 1);
        }
        vb_stop_state state = vb_stop_get(whole);
        same(state, vb_stop_get(single));
        if (state.safe_bytes < safe) {
            abort();
        }
        safe = state.safe_bytes;
        if (state.matched) {
            const vb_stop_string *s = &strings[state.which];
            if (s->len != state.fed_bytes - safe || memcmp(all + safe, s->bytes, s->len) != 0) {
                abort();
            }
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    vb_stop_string strings[VB_STOP_STRINGS_MAX];
    if (size == 0) {
        return 0;
    }
    input c = {data + 1, size - 1};
    const size_t n = data[0] % (VB_STOP_STRINGS_MAX + 1);
    for (size_t i = 0; i < n; i++) {
        const uint8_t *bytes;
        if (!take(&c, &bytes, &strings[i].len)) {
            return 0;
        }
        strings[i].bytes = bytes;
    }
    vb_stop *whole, *single;
    if (vb_stop_open(strings, n, &whole, NULL)) {
        return 0;
    }
    if (vb_stop_open(strings, n, &single, NULL) == VB_OK) {
        feed_both(&c, whole, single, strings);
        vb_stop_close(single);
    }
    vb_stop_close(whole);
    return 0;
}
