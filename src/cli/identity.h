/*
 * Who signs receipts on this machine: the key and the state (sequence number, local chain) in the
 * program's data folder, made at first use. The key file is 0600 and is never printed.
 */
#ifndef VB_CLI_IDENTITY_H
#define VB_CLI_IDENTITY_H

#include "base/limits.h"
#include "beacon/local_chain.h"
#include "crypto/ed25519.h"
#include "receipt/receipt.h"

typedef struct vb_identity {
    vb_ed25519_key *key;
    vb_local_chain *chain; /* NULL unless asked for */
    char dir[VB_PATH_BYTES_MAX];
} vb_identity;

VB_MUST_CHECK vb_err vb_identity_open(vb_identity *id, bool want_chain, bool quiet, vb_error *e);
void vb_identity_close(vb_identity *id); /* also of a zeroed one */

/* Fails now rather than after the answer when a receipt could not be written to path. */
VB_MUST_CHECK vb_err vb_identity_check_writable(const char *path, vb_error *e);

/* Writes the receipt's canonical JSON; the file appears whole and is on disk, or not at all. */
VB_MUST_CHECK vb_err vb_identity_write_receipt(const vb_receipt *r, const char *path, vb_error *e);

#endif
