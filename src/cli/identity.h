/*
 * Who signs receipts on this machine: the key and the state (commitments and how they ended, local
 * chain) in the program's data folder, made at first use. The key file is 0600 and is never
 * printed.
 */
#ifndef VB_CLI_IDENTITY_H
#define VB_CLI_IDENTITY_H

#include "base/limits.h"
#include "beacon/local_chain.h"
#include "crypto/ed25519.h"
#include "engine/ledger.h"

typedef struct vb_identity {
    vb_ed25519_key *key;
    vb_ledger *ledger;
    vb_local_chain *chain; /* NULL unless asked for */
    char dir[VB_PATH_BYTES_MAX];
} vb_identity;

/* Where the key is, or will be. */
VB_MUST_CHECK vb_err vb_identity_key_path(char path[VB_PATH_BYTES_MAX], vb_error *e);

VB_MUST_CHECK vb_err vb_identity_open(vb_identity *id, bool want_chain, bool quiet, vb_error *e);
void vb_identity_close(vb_identity *id); /* also of a zeroed one */

#endif
