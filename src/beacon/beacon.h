/*
 * Beacons (spec/beacons.md): where the randomness of a draw comes from. Verification is pure:
 * bytes in, verdict out, no network, no clock. Each kind has its own file; a beacon is named by
 * an id, "<kind>:<chain>", which the commitment holds, so a chain can not be swapped afterwards.
 *
 * Owner: a vb_beacon_round owns its proof text until vb_beacon_round_free.
 */
#ifndef VB_BEACON_BEACON_H
#define VB_BEACON_BEACON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/limits.h"

typedef enum vb_beacon_kind {
    VB_BEACON_UNKNOWN = 0,
    VB_BEACON_DRAND,
    VB_BEACON_THETA,
    VB_BEACON_ETHEREUM,
    VB_BEACON_NIST,
    VB_BEACON_MIX,
    VB_BEACON_LOCAL
} vb_beacon_kind;

typedef enum vb_beacon_mode {
    VB_MODE_UNKNOWN = 0,
    VB_MODE_NEXT,   /* first round strictly after the commitment's time */
    VB_MODE_LATEST, /* newest final round at the commitment's time */
    VB_MODE_FIXED,  /* seed given by the caller, or a replayed round */
    VB_MODE_LOCAL   /* the server's own hash chain */
} vb_beacon_mode;

const char *vb_beacon_kind_name(vb_beacon_kind k);       /* "drand", ...; "unknown" */
vb_beacon_kind vb_beacon_kind_of_id(const char *id);     /* by the part before ':' */
const char *vb_beacon_mode_name(vb_beacon_mode m);       /* "next", ...; "unknown" */
vb_beacon_mode vb_beacon_mode_of_name(const char *name); /* exact */
const char *vb_beacon_mode_strength(vb_beacon_mode m);   /* a short sentence for people */

/* One round of a beacon, with what its offline check needs. */
typedef struct vb_beacon_round {
    char id[VB_BEACON_ID_BYTES_MAX + 1]; /* "local:<64 hex>" */
    uint64_t round;
    uint8_t randomness[VB_BEACON_RANDOMNESS_BYTES_MAX];
    size_t n_randomness; /* bytes; 32 or 64 */
    char *proof;         /* canonical JSON, zero-terminated, as the kind defines it; NULL: null */
} vb_beacon_round;

void vb_beacon_round_free(vb_beacon_round *r);

/* Checks the proof of a round offline. VB_OK: the randomness is that round's. VB_EMISMATCH: it is
 * not (or the proof is false). VB_EFORMAT: id, round, randomness or proof are not of the kind's
 * form. VB_EUNSUPPORTED: a kind this build can not check. */
VB_MUST_CHECK vb_err vb_beacon_verify(const vb_beacon_round *r, vb_error *e);

#endif
