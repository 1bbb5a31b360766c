/*
 * That a record is in a log (spec/log.md section 5): a tlog-proof, written and checked. Pure.
 *
 * Owner: vb_tlog_proof holds its own memory, freed by its free function, which also empties it.
 * Thread rule: one thread at a time for one object.
 */
#ifndef VB_TLOG_PROOF_H
#define VB_TLOG_PROOF_H

#include "tlog/entry.h"
#include "tlog/note.h"
#include "tlog/tree.h"

enum { VB_TLOG_PROOF_BYTES_MAX = 1 << 17 };

typedef struct vb_tlog_proof {
    vb_buf entry; /* its bytes */
    uint64_t index;
    size_t n_path;
    vb_tlog_hash path[VB_TLOG_PATH_MAX];
    vb_buf note;
} vb_tlog_proof;

void vb_tlog_proof_free(vb_tlog_proof *p);

/* Appends the proof's text, as its decoder has read it back: VB_EFORMAT for what that refuses. */
VB_MUST_CHECK vb_err vb_tlog_proof_encode(const vb_tlog_proof *p, vb_buf *out, vb_error *e);
/* Its form alone: the note and the entry are any bytes. VB_EFORMAT, VB_ELIMIT or VB_ENOMEM; out is
 * initialised here and empty after an error. */
VB_MUST_CHECK vb_err vb_tlog_proof_decode(const void *bytes, size_t n_bytes, vb_tlog_proof *out,
                                          vb_error *e);

/* All that section 5 asks of the proof alone; gives the entry and the checkpoint. VB_EMISMATCH:
 * it proves nothing. Other errors are those of the note and of the entry, which are not as they
 * must be. Cosignatures are for vb_tlog_note_read. */
VB_MUST_CHECK vb_err vb_tlog_proof_check(const vb_tlog_proof *p, const vb_tlog_key *log,
                                         vb_tlog_entry *entry, vb_tlog_checkpoint *c, vb_error *e);

/* The entry is that of the record `bytes`: a receipt, an abort or a commitment record, whose own
 * checks are not made here, only those that tie it to the entry. An entry `commitment` belongs to
 * all three. VB_EMISMATCH names the member. */
VB_MUST_CHECK vb_err vb_tlog_entry_match(const vb_tlog_entry *entry, const vb_tlog_key *log,
                                         const void *record, size_t n_bytes, vb_error *e);

#endif
