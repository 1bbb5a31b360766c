/* A log for tests: a fixed key, and the entries of a server that answers one request after the
 * other. Entry 2 i is the commitment of number i + 1, entry 2 i + 1 its receipt, or every 8th time
 * its abort. */
#ifndef VB_TESTS_UNIT_TLOG_MADE_LOG_H
#define VB_TESTS_UNIT_TLOG_MADE_LOG_H

#include <string.h>

#include "support/testing.h"
#include "tlog/entry.h"
#include "tlog/writer.h"

enum { MADE_ISSUED_AT_MS = 1700000000 };

static inline vb_ed25519_key *made_key(uint8_t first) {
    uint8_t seed[VB_ED25519_SEED_BYTES] = {first};
    vb_ed25519_key *key;
    vb_error e;
    assert_int_equal(vb_ed25519_from_seed(seed, &key, &e), VB_OK);
    return key;
}

/* A digest that names what it is of. */
static inline void made_digest(const char *what, uint64_t number, uint8_t out[VB_SHA256_BYTES]) {
    vb_sha256 s;
    vb_sha256_begin(&s);
    vb_sha256_update(&s, what, strlen(what));
    vb_sha256_u64be(&s, number);
    vb_sha256_end(&s, out);
}

/* An entry of that kind and number, signed; variant makes another one of the same. */
static inline void made_entry(const vb_ed25519_key *key, vb_tlog_kind kind, uint64_t sequence,
                              unsigned variant, vb_buf *out) {
    vb_tlog_entry x = {.kind = kind, .sequence = sequence};
    uint8_t message[VB_COMMITMENT_MESSAGE_BYTES];
    vb_error e = {VB_OK, ""};
    made_digest("commitment",
                kind == VB_TLOG_COMMITMENT ? sequence + ((uint64_t)variant << 32) : sequence,
                x.commitment);
    if (kind == VB_TLOG_COMMITMENT) {
        x.issued_at_ms = MADE_ISSUED_AT_MS + sequence;
        made_digest("model", 1, x.model_sha256);
        vb_commitment_message(x.commitment, message);
        assert_int_equal(vb_ed25519_sign(key, message, sizeof message, x.signature, &e), VB_OK);
    } else {
        made_digest("record", sequence + ((uint64_t)variant << 32), x.record_sha256);
        x.reason = VB_ABORT_CANCELLED;
        assert_int_equal(
            vb_ed25519_sign(key, x.record_sha256, sizeof x.record_sha256, x.signature, &e), VB_OK);
    }
    *out = vb_buf_make(VB_TLOG_ENTRY_BYTES_MAX);
    assert_int_equal(vb_tlog_entry_encode(&x, out, &e), VB_OK);
}

static inline void made_index(const vb_ed25519_key *key, uint64_t index, vb_buf *out) {
    const uint64_t sequence = index / 2 + 1;
    const vb_tlog_kind kind = index % 2 == 0      ? VB_TLOG_COMMITMENT
                              : sequence % 8 == 0 ? VB_TLOG_ABORT
                                                  : VB_TLOG_RECEIPT;
    made_entry(key, kind, sequence, 0, out);
}

/* Appends entries from the writer's end up to index `to`. */
static inline void made_append(vb_tlog_writer *w, const vb_ed25519_key *key, uint64_t to) {
    vb_error e = {VB_OK, ""};
    for (uint64_t i = vb_tlog_writer_size(w) + vb_tlog_writer_pending(w); i < to; i++) {
        vb_buf entry;
        made_index(key, i, &entry);
        if (vb_tlog_writer_append(w, entry.data, entry.len, &e)) {
            fail_msg("entry %u: %s", (unsigned)i, e.msg);
        }
        vb_buf_free(&entry);
    }
}

static inline vb_tlog_writer *made_open(const char *folder, const vb_ed25519_key *key) {
    const vb_tlog_writer_options options = {.origin = "example.com/log"};
    vb_tlog_writer *w = NULL;
    vb_error e = {VB_OK, ""};
    if (vb_tlog_writer_open(folder, key, &options, &w, &e)) {
        fail_msg("%s", e.msg);
    }
    return w;
}

static inline void made_publish(vb_tlog_writer *w, const vb_ed25519_key *key, uint64_t to) {
    vb_error e = {VB_OK, ""};
    made_append(w, key, to);
    if (vb_tlog_writer_publish(w, &e)) {
        fail_msg("%s", e.msg);
    }
    assert_int_equal(vb_tlog_writer_size(w), to);
}

#endif
