/*
 * The `nist` beacon (spec/beacons.md, section 6): pulses of version 2 of NIST's randomness beacon,
 * signed with RSA under a certificate that the verifier knows. Pure.
 */
#ifndef VB_BEACON_NIST_H
#define VB_BEACON_NIST_H

#include <stddef.h>

#include <jansson.h>

#include "beacon/beacon.h"

/* The results of vb_beacon_verify. facts are set for VB_OK and for VB_EUNTRUSTED: the windows then
 * stand if the round does. Whether trust accepts the beacon's id is not looked at. */
VB_MUST_CHECK vb_err vb_nist_verify(const vb_beacon_round *r, const vb_trust *trust,
                                    vb_beacon_facts *facts, vb_error *e);

/* A round from the answer to /beacon/2.0/.../pulse/... and the PEM text that
 * /beacon/2.0/certificate/... gave for its certificateId. Both are untrusted, and only brought into
 * the proof's form here: vb_nist_verify judges them. VB_EFORMAT: not a pulse, or no certificate.
 * VB_EMISMATCH: a pulse of another chain than id's. The caller frees out. */
VB_MUST_CHECK vb_err vb_nist_round(const char *id, const json_t *pulse_answer,
                                   const void *certificate_pem, size_t n_pem, vb_beacon_round *out,
                                   vb_error *e);

#endif
