/*
 * The transparency log of a server (spec/log.md): what makes the store's journal public. A thread
 * takes its entries, signs a checkpoint over them every few seconds, and tells the witnesses.
 * Answers wait for none of it: an entry is in the journal before its record is told of, and stays
 * there until the checkpoint over it is on disk. When the folder can not be written, it is tried
 * again; meanwhile the promise of publish_within_s may be missed, which the log and the metrics
 * say.
 *
 * Owner: open/close; texts, key and store of the options are borrowed until close. Thread rule: any
 * thread may call anything but open and close, which come first and last.
 */
#ifndef VB_SERVER_PUBLISHER_H
#define VB_SERVER_PUBLISHER_H

#include "server/config.h"
#include "store/store.h"
#include "tlog/note.h"

typedef struct vb_publisher vb_publisher;

typedef struct vb_publisher_options {
    const char *folder, *origin; /* origin NULL: "verbatim/" and the key in hex */
    const vb_ed25519_key *key;
    vb_store *store;                    /* opened with a journal, for this key */
    uint32_t publish_s;                 /* between two checkpoints, at least */
    uint32_t within_s, settle_s;        /* what is promised */
    const vb_config_witness *witnesses; /* [n_witnesses] up to VB_SERVER_WITNESSES_MAX */
    size_t n_witnesses;
} vb_publisher_options;

/* Checks the whole log, that it is the journal's, and takes what is not public yet.
 * VB_EMISMATCH: the log was cut or changed, or log and store do not belong together: one of them is
 * an old copy, or another key's. */
VB_MUST_CHECK vb_err vb_publisher_open(const vb_publisher_options *o, vb_publisher **out,
                                       vb_error *e);
/* Publishes what is left: the store must not get records any more. NULL is allowed. */
void vb_publisher_close(vb_publisher *p);

const vb_tlog_key *vb_publisher_key(const vb_publisher *p);

/* The newest checkpoint, with its cosignatures so far, appended; never waits for the disk. */
VB_MUST_CHECK vb_err vb_publisher_note(vb_publisher *p, vb_buf *out, vb_error *e);
uint64_t vb_publisher_size(vb_publisher *p); /* entries under it */

/* Appends the tlog-proof of an entry below vb_publisher_size. Reads files. */
VB_MUST_CHECK vb_err vb_publisher_prove(vb_publisher *p, uint64_t index, vb_buf *out, vb_error *e);

typedef struct vb_publisher_stats {
    uint64_t size, checkpoints;    /* entries; checkpoints since the start */
    uint64_t unpublished_since_ms; /* the oldest commitment that is not public yet, as far as the
                                      publisher has come; 0: none */
    uint64_t late;                 /* commitments that were public later than promised */
    uint64_t failures;             /* of the disk, or the store */
    uint64_t cosigned, witness_failures;
    size_t witnesses_behind; /* who have not cosigned the newest checkpoint */
} vb_publisher_stats;

void vb_publisher_get_stats(vb_publisher *p, vb_publisher_stats *out);

#endif
