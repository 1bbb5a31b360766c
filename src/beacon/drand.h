/*
 * The `drand` beacon (spec/beacons.md, section 3): a threshold BLS signature of the round's number.
 * The group publishes it at the round's time and nobody has it before, so the rounds can be neither
 * known early nor chosen. Pure. Thread rule: no state.
 */
#ifndef VB_BEACON_DRAND_H
#define VB_BEACON_DRAND_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "beacon/beacon.h"
#include "beacon/trust.h"

/* What a scheme fixes. */
typedef struct vb_drand_form {
    const char *name;
    size_t n_public_key, n_signature; /* bytes */
    bool chained;                     /* the message has the previous signature in it */
} vb_drand_form;

const vb_drand_form *vb_drand_form_of(vb_drand_scheme scheme);

/* 0 when no scheme has this name. */
vb_drand_scheme vb_drand_scheme_named(const char *name);

/* The chain's id, from its other members (its scheme has no part in it). */
void vb_drand_chain_hash(const vb_drand_chain *c, uint8_t out[32]);

/* When a round from 1 appears, in unix milliseconds; false when that is 2^63 or later. */
bool vb_drand_time_ms(const vb_drand_chain *c, uint64_t round, uint64_t *out);

/* vb_beacon_verify for this kind. */
VB_MUST_CHECK vb_err vb_drand_verify(const vb_beacon_round *r, const vb_trust *trust,
                                     vb_beacon_facts *facts, vb_error *e);

#endif
