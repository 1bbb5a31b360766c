/*
 * Files of a log's folder that are written so that a crash leaves each of them whole or absent:
 * into a file beside it, synced, renamed, and the folder synced. Several share one sync of their
 * folder, and what they have in common of the disk's journal. Internal to src/tlog.
 *
 * Owner: open/close. Thread rule: one thread at a time.
 */
#ifndef VB_TLOG_FILES_H
#define VB_TLOG_FILES_H

#include <stddef.h>

#include "base/error.h"

/* What a file that is not finished has behind its name. */
#define VB_TLOG_UNFINISHED ".tmp"

typedef struct vb_tlog_files vb_tlog_files;

/* folder is there; fd is that of the folder, borrowed. */
VB_MUST_CHECK vb_err vb_tlog_files_open(const char *folder, int fd, vb_tlog_files **out,
                                        vb_error *e);
/* What was put and not flushed is removed. NULL is allowed. */
void vb_tlog_files_close(vb_tlog_files *f);

/* The file `path`, relative, of fewer than VB_TLOG_PATH_BYTES bytes; folders on the way are made.
 * It replaces an older file of that name at the next flush, or before. VB_EIO; then, here and
 * below, what was put may have appeared or not, and the object is for closing. */
VB_MUST_CHECK vb_err vb_tlog_files_put(vb_tlog_files *f, const char *path, const void *bytes,
                                       size_t n_bytes, vb_error *e);
/* All that was put is there, and on disk. */
VB_MUST_CHECK vb_err vb_tlog_files_flush(vb_tlog_files *f, vb_error *e);

#endif
