/*
 * The server's side of the `local` beacon: the chain's secret and how far it has been revealed,
 * and the gap-free sequence numbers of commitments, both kept in a folder (files 0600).
 *
 * A state file is replaced atomically and is on disk before its round or number is given out, so
 * neither is ever used twice, even after kill -9. Takes are serialised by flock: any number of
 * threads and processes may use one folder, each with its own vb_local_chain.
 * Thread rule: one thread at a time for one vb_local_chain.
 */
#ifndef VB_BEACON_LOCAL_CHAIN_H
#define VB_BEACON_LOCAL_CHAIN_H

#include "beacon/beacon.h"

typedef struct vb_local_chain vb_local_chain;

/* Uses the chain in dir (which must exist), starting one with fresh randomness at first. */
VB_MUST_CHECK vb_err vb_local_chain_open(const char *dir, vb_local_chain **out, vb_error *e);
void vb_local_chain_close(vb_local_chain *c); /* wipes the secret; NULL is allowed */

/* Takes the next unused round: its id, number and randomness (proof NULL). When a chain is used up
 * a new one begins, with another id: so commit to out->id, and only then use out->randomness. */
VB_MUST_CHECK vb_err vb_local_chain_take(vb_local_chain *c, vb_beacon_round *out, vb_error *e);

/* Sequence numbers of the commitments made with the state in dir: 1, 2, 3, ... Calls fn with the
 * last number taken while it holds the lock of all takers; when fn sets *take, last + 1 is taken
 * once fn has returned VB_OK. So fn can put on disk what the number is for before the number counts
 * as used. A number taken is owed a receipt or an abort record. */
typedef vb_err (*vb_sequence_fn)(void *user, uint64_t last, bool *take, vb_error *e);
VB_MUST_CHECK vb_err vb_sequence_with(const char *dir, vb_sequence_fn fn, void *user, vb_error *e);

/* The last number taken; 0: none yet. */
VB_MUST_CHECK vb_err vb_sequence_last(const char *dir, uint64_t *out, vb_error *e);

#endif
