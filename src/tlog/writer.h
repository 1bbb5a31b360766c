/*
 * The folder of a log, as its one writer sees it (spec/log.md section 2). Entries are handed over
 * in order and become public together, under the next checkpoint: tiles and bundles are on disk
 * before the checkpoint, and it before vb_tlog_writer_publish returns. A crash between any two
 * writes leaves the last checkpoint and all that it signs.
 *
 * What was appended and not published is lost with the process: whoever appends keeps entries
 * until vb_tlog_writer_size has passed them (the store's journal, store/store.h).
 *
 * Owner: open/close; the key is borrowed. Thread rule: one thread at a time. The folder belongs to
 * one writer at a time: a lock file in it says so.
 */
#ifndef VB_TLOG_WRITER_H
#define VB_TLOG_WRITER_H

#include "base/bytes.h"
#include "crypto/ed25519.h"
#include "tlog/note.h"
#include "tlog/tree.h"

typedef struct vb_tlog_writer vb_tlog_writer;

typedef struct vb_tlog_writer_options {
    const char *origin;                         /* NULL: "verbatim/" and the key in hex */
    uint32_t publish_within_s, settle_within_s; /* log.json; 0: 60 and 86400 */
    /* Of the checks when a log is opened; NULL: none. False: VB_ECANCELLED. */
    bool (*progress)(void *user, uint64_t done, uint64_t total);
    void *user;
} vb_tlog_writer_options;

/* Makes the folder when there is none. Of one that is there every entry is read: bundles against
 * tiles, tiles against the checkpoint, the checkpoint against the key, the order of section 1.1.
 * What a crash left beyond the checkpoint is removed. VB_EMISMATCH or VB_EFORMAT: it was cut or
 * changed, or is another key's or origin's; the message names the file and what was expected.
 * VB_EIO when another process writes it. An older copy of a whole log is a log: who keeps entries
 * until they are published sees that its size is too small. */
VB_MUST_CHECK vb_err vb_tlog_writer_open(const char *folder, const vb_ed25519_key *key,
                                         const vb_tlog_writer_options *o, vb_tlog_writer **out,
                                         vb_error *e);
void vb_tlog_writer_close(vb_tlog_writer *w); /* NULL is allowed */

/* Entries under the checkpoint, and those beyond it that were appended. */
uint64_t vb_tlog_writer_size(const vb_tlog_writer *w);
uint64_t vb_tlog_writer_pending(const vb_tlog_writer *w);
const vb_tlog_key *vb_tlog_writer_key(const vb_tlog_writer *w);

/* The entry gets the index size + pending. VB_EFORMAT or VB_EMISMATCH, and nothing is appended,
 * when it is no entry, is not signed by the key, or would break the order of section 1.1. VB_EIO as
 * vb_tlog_writer_publish: every 256th entry a tile and a bundle are written. */
VB_MUST_CHECK vb_err vb_tlog_writer_append(vb_tlog_writer *w, const void *entry, size_t n_bytes,
                                           vb_error *e);

/* Makes what was appended public. After an error the checkpoint is the old one or the new one, all
 * pending entries are dropped, and the writer is for closing: VB_EIO. Nothing pending: VB_OK,
 * nothing is written. */
VB_MUST_CHECK vb_err vb_tlog_writer_publish(vb_tlog_writer *w, vb_error *e);

/* The newest note, with the cosignatures that were added. Borrowed until the next call. */
const vb_buf *vb_tlog_writer_note(const vb_tlog_writer *w);

/* Adds a witness's lines to the newest checkpoint (and the file). Lines that do not verify with
 * one of `witnesses`, or of another checkpoint, are VB_EMISMATCH and change nothing. */
VB_MUST_CHECK vb_err vb_tlog_writer_add_cosignatures(vb_tlog_writer *w, const void *lines,
                                                     size_t n_bytes, const vb_tlog_key *witnesses,
                                                     size_t n_witnesses, vb_error *e);

/* Consistency of the first `old` entries with the newest checkpoint, and an entry with its path
 * under it: read from the folder. index < size. */
VB_MUST_CHECK vb_err vb_tlog_writer_prove_consistency(vb_tlog_writer *w, uint64_t old,
                                                      vb_tlog_hash path[VB_TLOG_PATH_MAX],
                                                      size_t *n, vb_error *e);

#endif
