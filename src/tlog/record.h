/*
 * A record that has an entry in a log: a receipt, an abort or a commitment record, whichever its
 * bytes are. Pure.
 *
 * Owner: open/close. Thread rule: one thread at a time.
 */
#ifndef VB_TLOG_RECORD_H
#define VB_TLOG_RECORD_H

#include <stddef.h>

#include "base/error.h"
#include "receipt/receipt.h"
#include "tlog/entry.h"

typedef struct vb_tlog_record vb_tlog_record;

/* Decoded, not checked. VB_EFORMAT: it is none of the three; else as their decoders. */
VB_MUST_CHECK vb_err vb_tlog_record_open(const void *bytes, size_t n_bytes, vb_tlog_record **out,
                                         vb_error *e);
void vb_tlog_record_close(vb_tlog_record *r); /* NULL is allowed */

/* Its request, commitment and commitment_signature: what vb_commitment_check looks at. Borrowed. */
const vb_receipt *vb_tlog_record_committed(const vb_tlog_record *r);

/* The entry of its own kind. VB_ENOMEM. */
VB_MUST_CHECK vb_err vb_tlog_record_entry(const vb_tlog_record *r, vb_tlog_entry *out, vb_error *e);

#endif
