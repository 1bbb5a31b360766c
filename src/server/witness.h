/*
 * A witness of the server's log, who cosigns its checkpoints (C2SP tlog-witness v1,
 * add-checkpoint): each has a thread of its own, which sends the newest checkpoint with a proof
 * that it extends the one that the witness has, and hands its cosignature on. A witness that is
 * slow, away or wrong is asked again later, and holds up nobody.
 *
 * Owner: open/close; what the options point to is borrowed until close. Thread rule: any thread may
 * offer and look at the stats; open and close from one thread.
 */
#ifndef VB_SERVER_WITNESS_H
#define VB_SERVER_WITNESS_H

#include "server/config.h"
#include "tlog/note.h"

typedef struct vb_witness vb_witness;

typedef struct vb_witness_options {
    vb_config_witness who;
    const char *folder; /* of the log, where proofs are read from */
    const vb_tlog_key *log;
    /* One line that cosigns the checkpoint of this size, and has been checked. On the witness's
     * thread; lock-free of the witness. */
    void (*cosigned)(void *user, size_t which, uint64_t size, const void *line, size_t n_bytes);
    void *user;
    size_t which;
} vb_witness_options;

typedef struct vb_witness_stats {
    uint64_t size; /* of the newest checkpoint that it has cosigned; 0: none so far */
    uint64_t cosigned, failed;
} vb_witness_stats;

VB_MUST_CHECK vb_err vb_witness_open(const vb_witness_options *o, vb_witness **out, vb_error *e);
/* A request that is under way is given up. NULL is allowed. */
void vb_witness_close(vb_witness *w);

/* The newest checkpoint, a note without cosignatures: it takes the place of one that the witness
 * has not been sent yet. Never waits. */
void vb_witness_offer(vb_witness *w, const vb_buf *note, uint64_t size);
void vb_witness_get_stats(vb_witness *w, vb_witness_stats *out);

#endif
