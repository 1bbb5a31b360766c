/*
 * Beacons (spec/beacons.md): where the randomness of a draw comes from. Verification is pure:
 * bytes and trust roots in, verdict out, no network, no clock. Each kind has its own file; a beacon
 * is named by an id, "<kind>:<chain>", which the commitment holds, so a chain can not be swapped
 * afterwards. Rounds are fetched by the layer `fetch`.
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
#include "beacon/trust.h"

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

/* Times in unix milliseconds, from <= T < to; from == to: no time. */
typedef struct vb_beacon_window {
    uint64_t from, to;
} vb_beacon_window;

enum { VB_BEACON_CAVEAT_BYTES = 1280 }; /* a mix has those of its parts */

/* What a round's proof tells beyond its randomness. */
typedef struct vb_beacon_facts {
    bool timed; /* rounds of this kind have times */
    /* The commitment times for which this round is the one that mode next, or latest, names. */
    vb_beacon_window next, latest;
    /* Who makes the proof chooses among many that all hold, each with its own randomness. */
    bool chosen;
    char caveat[VB_BEACON_CAVEAT_BYTES]; /* what the proof leaves open, for people; "" */
} vb_beacon_facts;

/* Checks the proof of a round offline. VB_OK: the randomness is that round's, and facts (which may
 * be NULL) are set. VB_EMISMATCH: it is not (or the proof is false). VB_EFORMAT: id, round,
 * randomness or proof are not of the kind's form. VB_EUNTRUSTED: nothing is wrong with it, but
 * trust has no root for it (the message says which would do); facts are set where they follow from
 * the proof alone, and timed is false where they do not. VB_EUNSUPPORTED: a kind this build can not
 * check. VB_ENOMEM. trust NULL: the built-in roots. Whether trust accepts the beacon's id is the
 * caller's question (vb_trust_accepts_beacon). */
VB_MUST_CHECK vb_err vb_beacon_verify(const vb_beacon_round *r, const vb_trust *trust,
                                      vb_beacon_facts *facts, vb_error *e);

/* Whether a mode allows a round whose proof was good, for a commitment made at time_ms with
 * request.beacon.round = *fixed_round (NULL: null). VB_EMISMATCH: it does not, and why.
 * VB_EUNSUPPORTED: an unknown mode. */
VB_MUST_CHECK vb_err vb_beacon_round_rule(vb_beacon_mode mode, uint64_t time_ms,
                                          const uint64_t *fixed_round, const vb_beacon_round *r,
                                          const vb_beacon_facts *facts, vb_error *e);

#endif
