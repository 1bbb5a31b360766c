/*
 * From what a reader of a log has seen to evidence that anybody can check (spec/log.md section 6,
 * tlog/evidence.h).
 *
 * Owner: the caller frees what it is given. Thread rule: one thread at a time for one reader.
 */
#ifndef VB_TLOG_CONVICT_H
#define VB_TLOG_CONVICT_H

#include <stdbool.h>

#include "tlog/evidence.h"
#include "tlog/order.h"
#include "tlog/reader.h"

/* Whether the log that the reader reads begins with what another note of the same key signs, of at
 * most as many entries. VB_OK: it does. VB_EMISMATCH with *forked true: it does not, and ev, which
 * is initialised then, convicts the log. Any other error, or *forked false: it could not be found
 * out. */
VB_MUST_CHECK vb_err vb_tlog_convict_fork(vb_tlog_reader *r, const void *note, size_t n_bytes,
                                          vb_tlog_evidence *ev, bool *forked, vb_error *e);

/* Evidence of an offence that vb_tlog_audit found with this reader. It may read the whole log for
 * the other entry that it takes. VB_EUNSUPPORTED: no few entries show it, only the log as a whole.
 * On VB_OK ev is initialised, and was checked. */
VB_MUST_CHECK vb_err vb_tlog_convict_entries(vb_tlog_reader *r, const vb_tlog_offence *offence,
                                             vb_tlog_evidence *ev, vb_error *e);

#endif
