/*
 * Confirmation by witnesses (spec/witness.md section 4): statements about one receipt, held against
 * it and against each other, and counted. Pure.
 *
 * Owner: open/close. Thread rule: one thread at a time.
 */
#ifndef VB_WITNESS_QUORUM_H
#define VB_WITNESS_QUORUM_H

#include "verify/check.h"
#include "witness/statement.h"

typedef struct vb_quorum vb_quorum;

VB_MUST_CHECK vb_err vb_quorum_open(vb_quorum **out, vb_error *e);
void vb_quorum_close(vb_quorum *q); /* NULL is allowed */

/* Adds what a file holds, in any order; whatever it is, it is listed. VB_ELIMIT: more than
 * VB_QUORUM_STATEMENTS_MAX. VB_ENOMEM. */
VB_MUST_CHECK vb_err vb_quorum_add(vb_quorum *q, const char *file, const void *bytes,
                                   size_t n_bytes, vb_error *e);

/* Once: holds all that was added against r, which was read by vb_check_receipt, and gives rep the
 * findings, which are q's. k is how many witnesses of trust's must confirm, 1 to their number, and
 * then check `witnesses` is made; 0: nobody asked, and the findings are for information only. */
void vb_quorum_judge(vb_quorum *q, const vb_receipt *r, const vb_trust *trust, uint32_t k,
                     vb_report *rep);

#endif
