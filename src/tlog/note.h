/*
 * Checkpoints: signed notes of a log's size and root (spec/log.md section 3; C2SP signed-note,
 * tlog-checkpoint, tlog-cosignature). Pure but for signing; only signing allocates more than what
 * is appended.
 *
 * Owner: the caller's memory. Thread rule: one thread at a time for one object.
 */
#ifndef VB_TLOG_NOTE_H
#define VB_TLOG_NOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "crypto/ed25519.h"
#include "tlog/tree.h"

enum {
    VB_TLOG_ORIGIN_BYTES_MAX = 255,
    VB_TLOG_NOTE_BYTES_MAX = 1 << 16,
    VB_TLOG_SIGNATURES_MAX = 64,
    VB_TLOG_VKEY_BYTES_MAX = VB_TLOG_ORIGIN_BYTES_MAX + 1 + 8 + 1 + 44
};

typedef enum vb_tlog_signer {
    VB_TLOG_SIGNER_LOG = 0x01,    /* Ed25519 over the note's text */
    VB_TLOG_SIGNER_WITNESS = 0x04 /* cosignature/v1 */
} vb_tlog_signer;

/* Whose signature a line is: a name and a public key. */
typedef struct vb_tlog_key {
    char name[VB_TLOG_ORIGIN_BYTES_MAX + 1]; /* of a log: its origin */
    vb_tlog_signer type;
    uint8_t public_key[VB_ED25519_PUBLIC_BYTES];
    uint32_t id;
} vb_tlog_key;

/* VB_EINVAL: no name for a key (empty, too long, space, '+', control character, not UTF-8). */
VB_MUST_CHECK vb_err vb_tlog_key_make(const char *name, vb_tlog_signer type,
                                      const uint8_t public_key[VB_ED25519_PUBLIC_BYTES],
                                      vb_tlog_key *out, vb_error *e);
/* "<name>+<id>+<base64>", both ways. Reading also checks the id: VB_EFORMAT. VB_EUNSUPPORTED: a
 * key of another type. Whether it is a log's or a witness's is the caller's to look at. */
VB_MUST_CHECK vb_err vb_tlog_key_parse(const char *text, vb_tlog_key *out, vb_error *e);
void vb_tlog_key_print(const vb_tlog_key *key, char out[VB_TLOG_VKEY_BYTES_MAX + 1]);
bool vb_tlog_key_equal(const vb_tlog_key *a, const vb_tlog_key *b);

typedef struct vb_tlog_checkpoint {
    char origin[VB_TLOG_ORIGIN_BYTES_MAX + 1];
    uint64_t size;
    vb_tlog_hash root;
} vb_tlog_checkpoint;

typedef struct vb_tlog_cosignature {
    const vb_tlog_key *key; /* one of the witnesses that were given */
    uint64_t time_s;
} vb_tlog_cosignature;

/* Appends text and the log's signature: a note without cosignatures. VB_EINVAL: the origin is no
 * name for a key; VB_ELIMIT: the size is beyond 2^40, or out may not hold it. */
VB_MUST_CHECK vb_err vb_tlog_checkpoint_sign(const vb_tlog_checkpoint *c, const vb_ed25519_key *key,
                                             vb_buf *out, vb_error *e);

/* Appends one signature line, a cosignature of the note's checkpoint at time_s (< 2^63, else
 * VB_EINVAL). */
VB_MUST_CHECK vb_err vb_tlog_cosign(const vb_tlog_checkpoint *c, const char *name,
                                    const vb_ed25519_key *key, uint64_t time_s, vb_buf *out,
                                    vb_error *e);

/* Reads a note that the log's key has signed; of `witnesses` [n], whose lines verify is listed in
 * cosigned (room for n; it may be scribbled on after an error), *n_cosigned of them, each once,
 * with the latest of its times. Without witnesses both may be NULL. VB_EFORMAT: no note or no
 * checkpoint; VB_ELIMIT: too long, too many lines. VB_EMISMATCH: another origin, not signed by the
 * log exactly once, or a line of a known key does not verify. VB_EINVAL: log is no log's key, or a
 * witness's is not a witness's. */
VB_MUST_CHECK vb_err vb_tlog_note_read(const void *note, size_t n_bytes, const vb_tlog_key *log,
                                       const vb_tlog_key *witnesses, size_t n_witnesses,
                                       vb_tlog_checkpoint *out, vb_tlog_cosignature *cosigned,
                                       size_t *n_cosigned, vb_error *e);

#endif
