/* Entries of a log for tests and benchmarks: those of a server that answers one request after the
 * other. Entry 2 i is the commitment of number i + 1, entry 2 i + 1 its receipt, or for every 8th
 * number its abort. What they name is made up; the signatures are real. */
#ifndef VB_TESTS_SUPPORT_MADE_ENTRIES_H
#define VB_TESTS_SUPPORT_MADE_ENTRIES_H

#include <string.h>

#include "tlog/entry.h"

#define MADE_ORIGIN "example.com/log"
#define MADE_ISSUED_AT_MS 1700000000000u

/* The key whose seed is this byte and zeros. */
static inline vb_ed25519_key *made_key(uint8_t first) {
    const uint8_t seed[VB_ED25519_SEED_BYTES] = {first};
    vb_ed25519_key *key = NULL;
    VB_ASSERT(vb_ed25519_from_seed(seed, &key, NULL) == VB_OK);
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

/* An entry of that kind and number, signed; each variant is another one. */
static inline void made_entry(const vb_ed25519_key *key, vb_tlog_kind kind, uint64_t sequence,
                              unsigned variant, vb_buf *out) {
    vb_tlog_entry x = {.kind = kind, .sequence = sequence};
    uint8_t message[VB_COMMITMENT_MESSAGE_BYTES];
    const uint64_t own = sequence + ((uint64_t)variant << 32);
    vb_err err;
    made_digest("commitment", kind == VB_TLOG_COMMITMENT ? own : sequence, x.commitment);
    if (kind == VB_TLOG_COMMITMENT) {
        x.issued_at_ms = MADE_ISSUED_AT_MS + sequence;
        made_digest("model", 1, x.model_sha256);
        vb_commitment_message(x.commitment, message);
        err = vb_ed25519_sign(key, message, sizeof message, x.signature, NULL);
    } else {
        made_digest("record", own, x.record_sha256);
        x.reason = VB_ABORT_CANCELLED;
        err = vb_ed25519_sign(key, x.record_sha256, sizeof x.record_sha256, x.signature, NULL);
    }
    *out = vb_buf_make(VB_TLOG_ENTRY_BYTES_MAX);
    VB_ASSERT(err == VB_OK && vb_tlog_entry_encode(&x, out, NULL) == VB_OK);
}

static inline void made_index(const vb_ed25519_key *key, uint64_t index, vb_buf *out) {
    const uint64_t sequence = index / 2 + 1;
    const vb_tlog_kind kind = index % 2 == 0      ? VB_TLOG_COMMITMENT
                              : sequence % 8 == 0 ? VB_TLOG_ABORT
                                                  : VB_TLOG_RECEIPT;
    made_entry(key, kind, sequence, 0, out);
}

#endif
