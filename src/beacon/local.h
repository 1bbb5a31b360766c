/*
 * The `local` beacon's rules (pure): a hash chain revealed backwards. With x_N a secret of 32
 * bytes and H(x) = SHA-256("verbatim.beacon.local.v1\n" | x), the anchor is H^N(x_N) and round r
 * (1 .. N) reveals x_r = H^(N-r)(x_N): hashing x_r r times gives the anchor.
 */
#ifndef VB_BEACON_LOCAL_H
#define VB_BEACON_LOCAL_H

#include <stdint.h>

#include "beacon/beacon.h"
#include "crypto/sha256.h"

enum { VB_LOCAL_ROUNDS = 65536 };

/* x becomes H^n(x). */
void vb_local_hash(uint8_t x[VB_SHA256_BYTES], uint32_t n);

/* "local:" and the anchor in hex. */
void vb_local_id(const uint8_t anchor[VB_SHA256_BYTES], char id[VB_BEACON_ID_BYTES_MAX + 1]);

/* vb_beacon_verify for this kind: the chain's links from the randomness to the anchor. */
VB_MUST_CHECK vb_err vb_local_verify(const vb_beacon_round *r, vb_error *e);

#endif
