/*
 * A mirror of a log, kept by somebody who trusts nothing of it: every new checkpoint is held
 * against the last one, every entry against the checkpoint, and all of them against the rules of
 * spec/log.md section 1. The mirror is a folder like the log's own, and can be served and verified
 * like it. What convicts the log is written into it as evidence-*.json.
 *
 * Owner: open/close; the callback's user is borrowed. Thread rule: one thread at a time. The folder
 * belongs to one process at a time.
 */
#ifndef VB_TLOG_FOLLOW_H
#define VB_TLOG_FOLLOW_H

#include <stdbool.h>

#include "tlog/order.h"
#include "tlog/reader.h"

typedef struct vb_tlog_follower vb_tlog_follower;

typedef struct vb_tlog_follower_options {
    /* Whose log it is; NULL: the mirror's, and of a new mirror the key that log.json names. */
    const vb_tlog_key *log;
    /* While the mirror is opened, and while entries are read; as vb_tlog_audit_options. */
    bool (*progress)(void *user, uint64_t done, uint64_t total);
    void *progress_user;
} vb_tlog_follower_options;

/* Opens the mirror, or makes it. read and place as vb_tlog_reader_open; the log is asked only when
 * its key is not known. Errors as vb_tlog_folder_open's. */
VB_MUST_CHECK vb_err vb_tlog_follower_open(const char *folder, vb_tlog_read_fn read, void *user,
                                           const char *place, const vb_tlog_follower_options *o,
                                           vb_tlog_follower **out, vb_error *e);
void vb_tlog_follower_close(vb_tlog_follower *f); /* NULL is allowed */

typedef enum vb_tlog_followed {
    VB_TLOG_FOLLOWED_SAME = 1,    /* nothing new */
    VB_TLOG_FOLLOWED_GREW,        /* the mirror has a new checkpoint */
    VB_TLOG_FOLLOWED_ROLLED_BACK, /* the log shows a beginning of what it has shown before */
    VB_TLOG_FOLLOWED_CONVICTED    /* it broke a rule */
} vb_tlog_followed;

typedef struct vb_tlog_step {
    vb_tlog_followed followed;
    uint64_t size_before, size; /* of the mirror's checkpoint, of the one that was shown */
    /* ROLLED_BACK and CONVICTED: what happened, and the file in the mirror that shows it; "" when
     * no file of its own does, but the log itself. */
    char text[VB_ERROR_MSG_MAX];
    char evidence[VB_TLOG_PATH_BYTES];
} vb_tlog_step;

/* Reads the newest checkpoint and all that is new under it. After an error the mirror is as before;
 * what was read of the entries is kept, and the next step goes on with them, so that a connection
 * that breaks may be tried again and again. After ROLLED_BACK and CONVICTED the follower is for
 * closing. */
VB_MUST_CHECK vb_err vb_tlog_follower_step(vb_tlog_follower *f, vb_tlog_step *out, vb_error *e);

/* After an error: whether it was the log's or the connection's, so that the next step may go well.
 * False: the mirror could not be written. */
bool vb_tlog_follower_may_retry(const vb_tlog_follower *f);

/* Of the mirror. Borrowed. */
const vb_tlog_info *vb_tlog_follower_info(const vb_tlog_follower *f);
const vb_tlog_checkpoint *vb_tlog_follower_checkpoint(const vb_tlog_follower *f);
const vb_tlog_order *vb_tlog_follower_order(const vb_tlog_follower *f);

#endif
