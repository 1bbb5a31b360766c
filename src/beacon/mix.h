/*
 * The `mix` beacon (spec/beacons.md, section 7): the hash of rounds of two to four other beacons.
 * Every part is checked as a beacon of its own; the mix holds only when all of them do.
 * Pure. Thread rule: no state.
 */
#ifndef VB_BEACON_MIX_H
#define VB_BEACON_MIX_H

#include <stddef.h>

#include "base/error.h"
#include "beacon/beacon.h"

/* The ids of a mix's parts, each zero-terminated. */
typedef struct vb_mix_ids {
    char id[VB_MIX_PARTS_MAX][VB_BEACON_ID_BYTES_MAX + 1];
    size_t n;
} vb_mix_ids;

/* VB_EFORMAT: not two to four ids in strictly ascending order, none a mix or local. */
VB_MUST_CHECK vb_err vb_mix_split(const char *id, vb_mix_ids *out, vb_error *e);

/* The mix with this id of n rounds, whose ids are its parts' in that order. The caller frees out.
 * VB_EINVAL: the rounds are not those of the id. VB_EFORMAT, VB_ELIMIT, VB_ENOMEM. */
VB_MUST_CHECK vb_err vb_mix_round(const char *id, const vb_beacon_round *parts, size_t n,
                                  vb_beacon_round *out, vb_error *e);

/* vb_beacon_verify for this kind. The result is that of the worst part. */
VB_MUST_CHECK vb_err vb_mix_verify(const vb_beacon_round *r, const vb_trust *trust,
                                   vb_beacon_facts *facts, vb_error *e);

#endif
