/*
 * A log's folder that grows (spec/log.md section 2): of the log's own writer, and of a mirror.
 * Entries are appended, then a checkpoint that signs them all is committed; tiles and bundles are
 * on disk before the checkpoint, and it before vb_tlog_folder_commit returns. A crash between any
 * two writes leaves the last checkpoint and all that it signs. Internal to src/tlog.
 *
 * Owner: open/close. Thread rule: one thread at a time. The folder belongs to one process at a
 * time: a lock file in it says so.
 */
#ifndef VB_TLOG_FOLDER_H
#define VB_TLOG_FOLDER_H

#include <stdbool.h>

#include "tlog/info.h"
#include "tlog/order.h"
#include "tlog/reader.h"
#include "tlog/tree.h"

/* What a mirror may keep beside the log's files: NAME-*. */
#define VB_TLOG_EVIDENCE_NAME "evidence-"
#define VB_TLOG_LOCK_NAME "lock"

typedef struct vb_tlog_folder vb_tlog_folder;

typedef struct vb_tlog_folder_options {
    /* Of the log: its key; its other members are for a new one. */
    const vb_tlog_info *info;
    /* A copy of somebody else's log: log.json comes first, and the first checkpoint when all that
     * it signs is there. The log's own begins with an empty checkpoint. */
    bool mirror;
    bool (*progress)(void *user, uint64_t done, uint64_t total); /* as vb_tlog_audit_options */
    void *user;
} vb_tlog_folder_options;

/* Makes the folder when there is none. Of one that is there everything is checked but signatures
 * of entries: they were before. What a crash left beyond the checkpoint is removed. VB_EMISMATCH:
 * it was cut or changed, or is another log's. VB_EIO when another process has it. */
VB_MUST_CHECK vb_err vb_tlog_folder_open(const char *path, const vb_tlog_folder_options *options,
                                         vb_tlog_folder **out, vb_error *e);
void vb_tlog_folder_close(vb_tlog_folder *f); /* NULL is allowed */

/* It has no checkpoint yet. */
bool vb_tlog_folder_is_new(const vb_tlog_folder *f);
const char *vb_tlog_folder_path(const vb_tlog_folder *f);
const vb_tlog_info *vb_tlog_folder_info(const vb_tlog_folder *f);

/* The last note that was committed, and its checkpoint; empty and of size 0 when it is new.
 * Borrowed, until the next commit. */
const vb_buf *vb_tlog_folder_note(const vb_tlog_folder *f);
const vb_tlog_checkpoint *vb_tlog_folder_checkpoint(const vb_tlog_folder *f);
/* All that was appended: the checkpoint to be signed and committed. */
void vb_tlog_folder_head(const vb_tlog_folder *f, vb_tlog_checkpoint *out);

/* The order of all entries: who appends one adds it here first. Borrowed. */
vb_tlog_order *vb_tlog_folder_order(vb_tlog_folder *f);

/* At most 65535 bytes. VB_EIO and VB_ENOMEM: the object is for closing. */
VB_MUST_CHECK vb_err vb_tlog_folder_append(vb_tlog_folder *f, const void *entry, size_t n_bytes,
                                           vb_error *e);
/* The note is of vb_tlog_folder_head, and the caller's to have checked. After an error the
 * checkpoint is the old one or the new one, and the object is for closing. */
VB_MUST_CHECK vb_err vb_tlog_folder_commit(vb_tlog_folder *f, const void *note, size_t n_bytes,
                                           vb_error *e);
/* The same checkpoint with another note: more signatures. Entries that were appended meanwhile stay
 * to be committed. */
VB_MUST_CHECK vb_err vb_tlog_folder_set_note(vb_tlog_folder *f, const void *note, size_t n_bytes,
                                             vb_error *e);
/* Replaces log.json when its times are others. */
VB_MUST_CHECK vb_err vb_tlog_folder_set_times(vb_tlog_folder *f, uint32_t publish_within_s,
                                              uint32_t settle_within_s, vb_error *e);

/* A file beside those of the log, VB_TLOG_EVIDENCE_NAME and something. */
VB_MUST_CHECK vb_err vb_tlog_folder_keep(vb_tlog_folder *f, const char *name, const void *bytes,
                                         size_t n_bytes, vb_error *e);

#endif
