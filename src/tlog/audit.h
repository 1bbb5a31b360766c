/*
 * All entries of a log, one after the other: whether they are well-formed, signed by the log's key
 * and in order (spec/log.md section 1.1). Decoding and signatures take several threads, in batches
 * of bounded size; the order takes the caller's.
 *
 * Owner: the caller's memory. Thread rule: one thread at a time for one reader and order.
 */
#ifndef VB_TLOG_AUDIT_H
#define VB_TLOG_AUDIT_H

#include <stdbool.h>

#include "tlog/order.h"
#include "tlog/reader.h"

typedef struct vb_tlog_audit_options {
    bool signatures;  /* false: they were checked before */
    unsigned threads; /* 0: as many as there are processors */
    /* False: VB_ECANCELLED. NULL: nobody is told. */
    bool (*progress)(void *user, uint64_t done, uint64_t total);
    void *progress_user;
    /* Told of every entry, in order, once it was found good. What it returns other than VB_OK ends
     * the audit. NULL: nobody is told. */
    vb_err (*entry)(void *user, uint64_t index, const uint8_t *bytes, size_t n_bytes,
                    const vb_tlog_entry *entry, vb_error *e);
    void *entry_user;
} vb_tlog_audit_options;

/* From the first entry that the order does not know to the end of the reader's checkpoint.
 * VB_EMISMATCH with offence->rule set: an entry breaks a rule, and is the first that does.
 * VB_EMISMATCH with VB_TLOG_RULE_NONE: a file is not what the checkpoint signs. VB_EUNSUPPORTED: an
 * entry of another version. */
VB_MUST_CHECK vb_err vb_tlog_audit(vb_tlog_reader *r, vb_tlog_order *o,
                                   const vb_tlog_audit_options *options, vb_tlog_offence *offence,
                                   vb_error *e);

#endif
