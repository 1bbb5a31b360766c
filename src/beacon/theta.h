/*
 * The `theta` beacon (spec/beacons.md, section 4): the hash of a final block of a Theta chain,
 * vouched for by the votes of its validators. Pure.
 */
#ifndef VB_BEACON_THETA_H
#define VB_BEACON_THETA_H

#include <jansson.h>

#include "beacon/beacon.h"

/* The results of vb_beacon_verify. facts are set for VB_OK and for VB_EUNTRUSTED: the windows then
 * stand if the round does. Whether trust accepts the beacon's id is not looked at. */
VB_MUST_CHECK vb_err vb_theta_verify(const vb_beacon_round *r, const vb_trust *trust,
                                     vb_beacon_facts *facts, vb_error *e);

/* A round from a node's answers: the results of theta.GetBlockByHeight (or theta.GetBlock) for the
 * block, its parent and its child, whose hcc holds the votes for the block. They are untrusted;
 * what they say must agree. VB_EFORMAT: an answer that is not a block's. VB_EMISMATCH: a block that
 * is not final, answers that contradict each other, or no good vote. The caller frees out. */
VB_MUST_CHECK vb_err vb_theta_round(const char *id, const json_t *block, const json_t *parent,
                                    const json_t *child, vb_beacon_round *out, vb_error *e);

/* The number that responses of Theta's API call `seed`: the randomness's last four bytes. */
uint32_t vb_theta_seed(const uint8_t randomness[32]);

#endif
