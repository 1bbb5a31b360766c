/*
 * Keys and notes from hostile bytes. The signatures of a mutated note are no longer genuine, so its
 * checkpoint is also signed again, by a log of the origin that it names: what reads then is what
 * was signed, and every line of another key was ignored.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tlog/note.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int ok) {
    if (!ok) {
        abort();
    }
}

static vb_ed25519_key *signer(void) {
    static const uint8_t seed[VB_ED25519_SEED_BYTES] = {7};
    static vb_ed25519_key *key;
    require(key || vb_ed25519_from_seed(seed, &key, NULL) == VB_OK);
    return key;
}

/* The first line, as a name; false when it is none. */
static int origin_of(const uint8_t *data, size_t size, vb_tlog_key *log) {
    char name[VB_TLOG_ORIGIN_BYTES_MAX + 2] = {0};
    uint8_t public_key[VB_ED25519_PUBLIC_BYTES];
    size_t n = 0;
    while (n < size && n < sizeof name - 1 && data[n] != '\n') {
        name[n] = (char)data[n];
        n++;
    }
    vb_ed25519_public(signer(), public_key);
    return vb_tlog_key_make(name, VB_TLOG_SIGNER_LOG, public_key, log, NULL) == VB_OK;
}

/* The lines behind the last empty one, after a checkpoint that is genuine. */
static void sign_again(const uint8_t *data, size_t size, const vb_tlog_key *log) {
    vb_tlog_checkpoint c = {.size = size}, out;
    vb_tlog_key witness;
    vb_tlog_cosignature cosigned[1];
    vb_buf b = vb_buf_make(2 * VB_TLOG_NOTE_BYTES_MAX);
    size_t from = size, n = 0;
    while (from > 1 && !(data[from - 1] == '\n' && data[from - 2] == '\n')) {
        from--;
    }
    memcpy(c.origin, log->name, sizeof c.origin);
    vb_sha256_of(data, size, c.root.bytes);
    require(vb_tlog_key_make("w", VB_TLOG_SIGNER_WITNESS, log->public_key, &witness, NULL) ==
            VB_OK);
    require(vb_tlog_checkpoint_sign(&c, signer(), &b, NULL) == VB_OK);
    require(vb_tlog_cosign(&c, "w", signer(), size, &b, NULL) == VB_OK);
    require(vb_buf_append(&b, data + from, size - from) == VB_OK);
    if (vb_tlog_note_read(b.data, b.len, log, &witness, 1, &out, cosigned, &n, NULL) == VB_OK) {
        require(out.size == size && vb_tlog_hash_equal(&out.root, &c.root));
        require(strcmp(out.origin, c.origin) == 0);
        require(n == 1 && cosigned[0].key == &witness && cosigned[0].time_s == size);
    }
    vb_buf_free(&b);
}

static void parse_key(const uint8_t *data, size_t size) {
    char text[1024], again[VB_TLOG_VKEY_BYTES_MAX + 1];
    vb_tlog_key key;
    if (size >= sizeof text) {
        return;
    }
    memcpy(text, data, size);
    text[size] = 0;
    if (vb_tlog_key_parse(text, &key, NULL) == VB_OK) {
        vb_tlog_key_print(&key, again);
        require(strcmp(text, again) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    vb_tlog_key log;
    vb_tlog_checkpoint c;
    vb_error e = {0};
    parse_key(data, size);
    if (size > VB_TLOG_NOTE_BYTES_MAX || !origin_of(data, size, &log)) {
        return 0;
    }
    if (vb_tlog_note_read(data, size, &log, NULL, 0, &c, NULL, NULL, &e)) {
        require(e.msg[0] != 0);
    } else {
        require(c.size <= VB_TLOG_SIZE_MAX);
    }
    sign_again(data, size, &log);
    return 0;
}
