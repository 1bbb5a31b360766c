/*
 * The names in a log's folder: which of its files may be there, which a crash left and may go.
 * Internal to src/tlog.
 */
#ifndef VB_TLOG_SWEEP_H
#define VB_TLOG_SWEEP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "tlog/path.h"

/* Looks at every name in the folder (fd, borrowed; place for messages) of a log of `size` entries.
 * Removes unfinished files, tiles and bundles beyond size, and partial ones whose full one there
 * is. same is asked of each older partial file that stays. VB_EMISMATCH: something that is no file
 * of a log. */
typedef vb_err (*vb_tlog_same_fn)(void *user, const vb_tlog_file *f, const char *path, vb_error *e);
VB_MUST_CHECK vb_err vb_tlog_sweep(int fd, const char *place, uint64_t size, vb_tlog_same_fn same,
                                   void *user, vb_error *e);

/* Removes the partial files of a tile or bundle, now that the full one is there; what fails is
 * left for the next vb_tlog_sweep. */
void vb_tlog_sweep_partial(int fd, const vb_tlog_file *full);

#endif
