/*
 * What the kinds of beacon share: a proof's canonical JSON in and out, the chain in an id, and the
 * notations of nodes ("0x" before hex, integers as numbers or as strings), which are never those of
 * a proof. Pure.
 *
 * The vb_node_ functions carry errors as json/json.h says: after one, the others do nothing.
 */
#ifndef VB_BEACON_PROOF_H
#define VB_BEACON_PROOF_H

#include "base/bytes.h"
#include "beacon/beacon.h"
#include "json/json.h"

/* The part of id after "<kind>:"; NULL when the id is of another kind. */
const char *vb_proof_chain(const char *id, vb_beacon_kind kind);

/* The same for kinds whose chain is a decimal number from 1. VB_EFORMAT names what was expected. */
VB_MUST_CHECK vb_err vb_proof_chain_number(const char *id, vb_beacon_kind kind, uint64_t *out,
                                           vb_error *e);

/* The proof of a round whose randomness must have n_randomness bytes; *out is the caller's to
 * json_decref. VB_EFORMAT, VB_ELIMIT or VB_ENOMEM. */
VB_MUST_CHECK vb_err vb_proof_open(const vb_beacon_round *r, size_t n_randomness, json_t **out,
                                   vb_error *e);

/* Puts proof, in canonical form, into r, whose proof was NULL. */
VB_MUST_CHECK vb_err vb_proof_set(vb_beacon_round *r, const json_t *proof, vb_error *e);

/* Appends min .. max bytes, written as lower-case hex digits, to out. */
void vb_proof_bytes(vb_fields *f, const char *name, size_t min, size_t max, vb_buf *out);
/* The same for a value that is in no object. VB_EFORMAT when it is not of that form, VB_ENOMEM,
 * VB_ELIMIT when out may not hold it. */
VB_MUST_CHECK vb_err vb_proof_hex_value(const json_t *v, size_t min, size_t max, vb_buf *out);

/* A new JSON string of hex digits; NULL without memory. */
json_t *vb_proof_hex(const uint8_t *bytes, size_t n);
/* A new JSON string of a decimal number; NULL without memory. */
json_t *vb_proof_decimal(uint64_t v);

/* A node's answer as an object with any members; NULL, for one that is missing, is VB_EFORMAT. */
vb_fields vb_node_open(const json_t *value, const char *path, vb_error *e);
/* The member of a node's answer, which must be there and not null. */
const json_t *vb_node_member(vb_fields *f, const char *name);
/* An object in it, with any members. */
vb_fields vb_node_object(vb_fields *f, const char *name);
/* A JSON integer, or a decimal string; at most max. */
void vb_node_integer(vb_fields *f, const char *name, uint64_t max, uint64_t *out);
/* prefix ("0x" or "") and min .. max bytes in hex digits of either case, appended to out. */
void vb_node_bytes(vb_fields *f, const char *name, const char *prefix, size_t min, size_t max,
                   vb_buf *out);
/* The same for exactly n bytes, to out. */
void vb_node_hex(vb_fields *f, const char *name, const char *prefix, uint8_t *out, size_t n);
/* A quantity of Ethereum's JSON-RPC ("0x0", "0x1c2": no leading zeroes) of at most max bytes,
 * appended to out big-endian; nothing for 0. */
void vb_node_quantity(vb_fields *f, const char *name, size_t max, vb_buf *out);

#endif
