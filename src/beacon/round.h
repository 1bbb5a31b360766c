/*
 * Rounds as JSON: a round in a file of its own, and the members that a round has wherever it stands
 * (a receipt, a mix): proof, randomness, round (spec/beacons.md, sections 1 and 11). Pure; what is
 * read is of the right form, and nothing says yet that it is true.
 *
 * Owner: a decoded round owns its proof until vb_beacon_round_free.
 */
#ifndef VB_BEACON_ROUND_H
#define VB_BEACON_ROUND_H

#include <stddef.h>

#include <jansson.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/limits.h"
#include "beacon/beacon.h"
#include "json/json.h"

/* The proof, and all that stands around it. */
enum { VB_BEACON_ROUND_BYTES_MAX = VB_BEACON_PROOF_BYTES_MAX + 4096 };

/* Appends the round as canonical JSON. VB_EFORMAT: id, randomness or proof could not be read back;
 * VB_ELIMIT, VB_ENOMEM. out is as before after an error. */
VB_MUST_CHECK vb_err vb_beacon_round_encode(const vb_beacon_round *r, vb_buf *out, vb_error *e);

/* Reads what encode writes, byte for byte, and nothing else. VB_EFORMAT, VB_ELIMIT, VB_ENOMEM. */
VB_MUST_CHECK vb_err vb_beacon_round_decode(const void *bytes, size_t n, vb_beacon_round *out,
                                            vb_error *e);

/* The members proof, randomness and round of an open object, to out, whose id is left alone. After
 * an error, which f carries, out is as before. */
void vb_beacon_round_read(vb_fields *f, vb_beacon_round *out);

/* An object with these three members, for the caller to json_decref. */
VB_MUST_CHECK vb_err vb_beacon_round_members(const vb_beacon_round *r, json_t **out, vb_error *e);

#endif
