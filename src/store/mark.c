/*
 * The mark: how far the key has counted, in a small file apart from the store. A store that was put
 * back from an old copy would give numbers a second time, and two records with one number prove
 * that the server broke the rule; the mark, which was not put back, says so before anything is
 * signed.
 *
 * It is written now and then, always after the numbers that it names are on disk in the store: so
 * it may be behind, and is never ahead of a store that is whole. Of another key it says nothing: a
 * key that was replaced begins anew.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "crypto/private_file.h"
#include "store/internal.h"

#define MARK_FORMAT "verbatim.mark/1"
enum { KEY_HEX_BYTES = 2 * VB_ED25519_PUBLIC_BYTES + 1, MARK_BYTES_MAX = 160 };

/* One line: the format, the public key, the number. */
static int mark_line(const char *key_hex, uint64_t last, char out[MARK_BYTES_MAX]) {
    return snprintf(out, MARK_BYTES_MAX, MARK_FORMAT " %s %" PRIu64 "\n", key_hex, last);
}

static vb_err parse(vb_store *s, const char *text, size_t n, vb_error *e) {
    char own[KEY_HEX_BYTES], its[KEY_HEX_BYTES] = "", again[MARK_BYTES_MAX];
    uint8_t ignored[VB_ED25519_PUBLIC_BYTES];
    uint64_t last = 0;
    const int found = sscanf(text, MARK_FORMAT " %64[0-9a-f] %" SCNu64, its, &last);
    const int n_again = mark_line(its, last, again);
    if (found != 2 || !vb_hex_decode(its, ignored, sizeof ignored) || (size_t)n_again != n ||
        memcmp(text, again, n) != 0) {
        return vb_fail(e, VB_EFORMAT,
                       "%s: expected one line, \"" MARK_FORMAT
                       " KEY NUMBER\": bring it back, or use "
                       "another key",
                       s->mark_file);
    }
    vb_hex_encode(s->public_key, sizeof s->public_key, own);
    s->marked = strcmp(own, its) == 0 ? last : 0;
    return VB_OK;
}

vb_err vb_store_read_mark(vb_store *s, vb_error *e) {
    bool absent = false;
    if (!s->mark_file[0]) {
        return VB_OK;
    }
    vb_buf bytes = vb_buf_make(MARK_BYTES_MAX);
    vb_err err = vb_private_file_read(s->mark_file, &bytes, &absent, e);
    if (err && absent) {
        err = VB_OK;
    } else if (err == VB_ELIMIT) {
        err = vb_fail(e, VB_EFORMAT, "%s: more than one line of a mark", s->mark_file);
    } else if (!err) {
        err = parse(s, bytes.data ? (const char *)bytes.data : "", bytes.len, e);
    }
    vb_buf_free(&bytes);
    return err;
}

vb_err vb_store_check_mark(const vb_store *s, uint64_t last, vb_error *e) {
    return last >= s->marked
               ? VB_OK
               : vb_fail(
                     e, VB_EMISMATCH,
                     "%s: its last number of this key is %" PRIu64 ", but the key has counted to "
                     "%" PRIu64 " (%s): an old copy? Bring the newer store back, or use another "
                     "key",
                     s->path, last, s->marked, s->mark_file);
}

vb_err vb_store_write_mark(vb_store *s, vb_error *e) {
    char key_hex[KEY_HEX_BYTES], line[MARK_BYTES_MAX];
    if (!s->mark_file[0] || s->last <= s->marked) {
        return VB_OK;
    }
    vb_hex_encode(s->public_key, sizeof s->public_key, key_hex);
    const int n = mark_line(key_hex, s->last, line);
    vb_err err = vb_private_file_replace(s->mark_file, line, (size_t)n, e);
    s->marked = err ? s->marked : s->last;
    return err;
}
