/*
 * Commitments whose record could not be kept, because the disk was full, say: they are tried again
 * when another record has been kept, and when the server ends. What is still here then, the next
 * start of the server records as lost.
 *
 * Thread rule: any thread may call put and retry.
 */
#ifndef VB_SERVER_UNSETTLED_H
#define VB_SERVER_UNSETTLED_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "receipt/receipt.h"
#include "receipt/records.h"
#include "store/store.h"

typedef struct vb_unsettled vb_unsettled;

/* For at most `max` commitments. VB_ENOMEM. */
VB_MUST_CHECK vb_err vb_unsettled_open(size_t max, vb_unsettled **out, vb_error *e);
void vb_unsettled_close(vb_unsettled *u); /* NULL is allowed */

/* Takes what r points to and leaves it empty. False, and r is as before: there are too many, or no
 * memory. */
bool vb_unsettled_put(vb_unsettled *u, vb_receipt *r, vb_abort_reason reason);

/* Records the aborts, oldest first, up to the first that can not be kept. settled [VB_ABORT_LOST +
 * 1] (may be NULL) is added to, by reason; returns how many in all. */
size_t vb_unsettled_retry(vb_unsettled *u, vb_store *store, size_t *settled);

#endif
