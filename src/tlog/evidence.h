/*
 * Evidence that convicts a log by itself (spec/log.md section 6): two checkpoints that can not both
 * be, entries that break a rule, or a commitment that was given out and is another in the log. Put
 * together from what a follower has seen, written, read and checked. Pure.
 *
 * Owner: a vb_tlog_evidence holds its own memory, freed by its free function. Thread rule: one
 * thread at a time.
 */
#ifndef VB_TLOG_EVIDENCE_H
#define VB_TLOG_EVIDENCE_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "tlog/note.h"
#include "tlog/order.h"
#include "tlog/proof.h"
#include "tlog/tree.h"

#define VB_TLOG_EVIDENCE_FORMAT "verbatim.evidence/1"
enum {
    VB_TLOG_EVIDENCE_BYTES_MAX = 1 << 24,
    VB_TLOG_EVIDENCE_ENTRIES_MAX = 4096,
    VB_TLOG_SHOWN_BYTES_MAX = 65535 /* of an entry, which may be anything that a bundle holds */
};

typedef enum vb_tlog_charge {
    VB_TLOG_CHARGE_FORK = 1,  /* the log shows different histories */
    VB_TLOG_CHARGE_ENTRIES,   /* its entries break a rule of section 1 */
    VB_TLOG_CHARGE_COMMITMENT /* it has another commitment than the one that was given out */
} vb_tlog_charge;

const char *vb_tlog_charge_name(vb_tlog_charge charge); /* "fork", "entries", "commitment" */

/* An entry and its place under the checkpoint. */
typedef struct vb_tlog_shown {
    vb_buf entry;
    uint64_t index;
    size_t n_path;
    vb_tlog_hash *path;
} vb_tlog_shown;

typedef struct vb_tlog_evidence {
    vb_tlog_charge charge;
    vb_tlog_key key;
    vb_buf notes[2]; /* checkpoints: both of a fork, else the first */
    size_t n_path;   /* FORK */
    vb_tlog_hash path[VB_TLOG_PATH_MAX];
    size_t n_entries; /* ENTRIES, COMMITMENT */
    vb_tlog_shown *entries;
    vb_buf record; /* COMMITMENT */
} vb_tlog_evidence;

/* Putting together. init makes it empty; the others copy what they are given. */

void vb_tlog_evidence_init(vb_tlog_evidence *ev, vb_tlog_charge charge, const vb_tlog_key *log);
void vb_tlog_evidence_free(vb_tlog_evidence *ev); /* then empty */

/* Checkpoint 0, or 1 of a fork: the larger one. VB_ELIMIT or VB_ENOMEM. */
VB_MUST_CHECK vb_err vb_tlog_evidence_set_note(vb_tlog_evidence *ev, int which, const void *note,
                                               size_t n_bytes, vb_error *e);
/* Of a fork of checkpoints of different sizes: as vb_tlog_prove_prefix gives it in the larger
 * tree. Of equal sizes there is none. */
void vb_tlog_evidence_set_path(vb_tlog_evidence *ev, const vb_tlog_hash *path, size_t n);
/* An entry, its index and its path under checkpoint 0 (the proof's note is not looked at), in
 * ascending order. VB_ELIMIT or VB_ENOMEM. */
VB_MUST_CHECK vb_err vb_tlog_evidence_add(vb_tlog_evidence *ev, const vb_tlog_proof *p,
                                          vb_error *e);
/* A commitment record, a receipt or an abort record. VB_ELIMIT or VB_ENOMEM. */
VB_MUST_CHECK vb_err vb_tlog_evidence_set_record(vb_tlog_evidence *ev, const void *record,
                                                 size_t n_bytes, vb_error *e);

/* Bytes. Encoding appends only what the decoder has read back, whether it convicts or not. */

VB_MUST_CHECK vb_err vb_tlog_evidence_encode(const vb_tlog_evidence *ev, vb_buf *out, vb_error *e);
/* VB_EFORMAT, VB_ELIMIT or VB_ENOMEM; VB_EUNSUPPORTED for another version, or another type of key.
 * out is initialised here, and empty after an error. */
VB_MUST_CHECK vb_err vb_tlog_evidence_decode(const void *bytes, size_t n_bytes,
                                             vb_tlog_evidence *out, vb_error *e);

/* What the log is convicted of. */
typedef struct vb_tlog_finding {
    vb_tlog_charge charge;
    uint64_t sizes[2];       /* of the checkpoints */
    vb_tlog_offence offence; /* ENTRIES; else its rule is NONE */
    char text[VB_ERROR_MSG_MAX];
} vb_tlog_finding;

/* VB_OK: it convicts ev->key, whose holder the caller must know, of *out. VB_EMISMATCH: it does
 * not. VB_EUNSUPPORTED: it shows an entry or a record of another version; any other error: it could
 * not be checked. */
VB_MUST_CHECK vb_err vb_tlog_evidence_check(const vb_tlog_evidence *ev, vb_tlog_finding *out,
                                            vb_error *e);

#endif
