/*
 * `verbatim verify` of many records: a line each, then what all of them together say about their
 * servers' sequence numbers (spec/receipt.md section 5.2). Receipts are replayed together, up to
 * VB_REPLAY_SHARED_MAX of them; no more records are in memory at a time.
 */
#ifndef VB_CLI_VERIFY_BATCH_H
#define VB_CLI_VERIFY_BATCH_H

#include "cli/record_files.h"
#include "cli/verification.h"

/* The exit status: 130 when it was stopped, else 10 when a record is REFUTED or two conflict, else
 * 11 when one is UNVERIFIABLE, a number is missing or there was nothing to check, else 0. */
int vb_verify_batch(vb_verification *v, vb_record_files *files);

#endif
