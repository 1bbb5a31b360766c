/*
 * Proofs from hostile bytes: decoding never crashes, what it accepts is given back byte for byte,
 * and checking it or holding it against a record never crashes either.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tlog/proof.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int ok) {
    if (!ok) {
        abort();
    }
}

/* That of the corpus. */
static void log_of(vb_tlog_key *out) {
    uint8_t seed[VB_ED25519_SEED_BYTES], public_key[VB_ED25519_PUBLIC_BYTES];
    vb_ed25519_key *key;
    for (size_t i = 0; i < sizeof seed; i++) {
        seed[i] = (uint8_t)i;
    }
    require(vb_ed25519_from_seed(seed, &key, NULL) == VB_OK);
    vb_ed25519_public(key, public_key);
    vb_ed25519_close(key);
    require(vb_tlog_key_make("log.example/verbatim", VB_TLOG_SIGNER_LOG, public_key, out, NULL) ==
            VB_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static vb_tlog_key log;
    vb_tlog_proof p;
    vb_tlog_entry entry;
    vb_tlog_checkpoint c;
    vb_error e = {0};
    if (!log.name[0]) {
        log_of(&log);
    }
    if (vb_tlog_proof_decode(data, size, &p, &e)) {
        require(e.msg[0] != 0 && !p.entry.data && !p.note.data);
        return 0;
    }
    vb_buf b = vb_buf_make(VB_TLOG_PROOF_BYTES_MAX);
    require(vb_tlog_proof_encode(&p, &b, &e) == VB_OK);
    require(b.len == size && memcmp(b.data, data, size) == 0);
    vb_err err = vb_tlog_proof_check(&p, &log, &entry, &c, &e);
    if (!err) {
        require(p.index < c.size && p.n_path <= VB_TLOG_SIZE_BITS_MAX);
        /* An entry is no record. */
        require(vb_tlog_entry_match(&entry, &log, p.entry.data, p.entry.len, &e) == VB_EFORMAT);
    }
    vb_buf_free(&b);
    vb_tlog_proof_free(&p);
    return 0;
}
