/*
 * What a server owes: every commitment ends in a receipt or in a signed abort record
 * (spec/receipt.md section 5.2). A folder keeps them by sequence number:
 *   commitments/N.json   made, not settled yet; locked by the process that answers it
 *   receipts/N.json, aborts/N.json   how it ended
 * A commitment is on disk before its number counts as used and before anybody sees it; its receipt
 * is on disk before it is struck off. A process that dies leaves its commitment behind, and the
 * next vb_ledger_open records it as lost. All files are 0600.
 *
 * Owner: open/close; the key is borrowed. Thread rule: one thread, and one commitment at a time,
 * for one vb_ledger; any number of ledgers and processes may use one folder.
 */
#ifndef VB_ENGINE_LEDGER_H
#define VB_ENGINE_LEDGER_H

#include <stddef.h>

#include "base/error.h"
#include "receipt/receipt.h"
#include "receipt/records.h"

typedef struct vb_ledger vb_ledger;

/* dir must exist; its subfolders are made. *n_lost (may be NULL): commitments of dead processes
 * that were recorded as lost. VB_EFORMAT: a file of the folder is not what it should be, or
 * sequence.state is older than its records. VB_EMISMATCH: a dead process's commitment was made with
 * another key. */
VB_MUST_CHECK vb_err vb_ledger_open(const char *dir, const vb_ed25519_key *key, vb_ledger **out,
                                    size_t *n_lost, vb_error *e);
void vb_ledger_close(vb_ledger *l); /* NULL is allowed; an unsettled commitment stays behind */

/* Takes the next number, sets the request's sequence, time and server key, commits and signs.
 * VB_EFORMAT: a record has that number already, because sequence.state is older than the records;
 * nothing is overwritten and nothing is signed. */
VB_MUST_CHECK vb_err vb_ledger_commit(vb_ledger *l, vb_receipt *r, vb_error *e);

/* Settles the commitment with the finished receipt. */
VB_MUST_CHECK vb_err vb_ledger_receipt(vb_ledger *l, const vb_receipt *r, vb_error *e);

/* Settles it with an abort record. */
VB_MUST_CHECK vb_err vb_ledger_abort(vb_ledger *l, const vb_receipt *r, vb_abort_reason reason,
                                     vb_error *e);

#endif
