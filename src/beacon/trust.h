/*
 * Trust roots: what a verifier believes before it reads a receipt (spec/beacons.md, section 9).
 * From a small JSON file, or the built-in ones: drand's quicknet and default chains and NIST's
 * certificate; any server's key; any beacon and mode. A root that is not there makes a verdict
 * UNVERIFIABLE (trust-root), never VERIFIED.
 *
 * Owner: a vb_trust from vb_trust_parse is the caller's to free. Thread rule: immutable.
 */
#ifndef VB_BEACON_TRUST_H
#define VB_BEACON_TRUST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/limits.h"

typedef enum vb_drand_scheme {
    VB_DRAND_CHAINED = 1, /* "pedersen-bls-chained": key in G1, signature in G2 */
    VB_DRAND_UNCHAINED,   /* "pedersen-bls-unchained": the same without the previous signature */
    VB_DRAND_G1_RFC9380   /* "bls-unchained-g1-rfc9380": key in G2, signature in G1 */
} vb_drand_scheme;

typedef struct vb_drand_chain {
    uint8_t hash[32]; /* the chain's id; it follows from what stands below but the scheme */
    vb_drand_scheme scheme;
    uint8_t public_key[96];
    size_t n_public_key; /* 48 (G1) or 96 (G2), as the scheme has it */
    uint32_t period_s;   /* >= 1 */
    uint64_t genesis_s;  /* unix seconds of round 1 */
    uint8_t group_hash[32];
    char beacon_id[VB_DRAND_NAME_BYTES_MAX + 1]; /* "default", "quicknet" */
} vb_drand_chain;

typedef struct vb_theta_validator {
    uint8_t id[20];
    unsigned __int128 stake; /* 1 .. 2^100 - 1 */
} vb_theta_validator;

/* A validator set and the heights at which it finalises blocks. */
typedef struct vb_theta_set {
    char chain[VB_TRUST_NAME_BYTES_MAX + 1]; /* "mainnet" */
    uint64_t from, to;                       /* heights, both included */
    vb_theta_validator *validators;          /* ascending ids */
    size_t n_validators;                     /* >= 1 */
} vb_theta_set;

typedef struct vb_ethereum_pin {
    uint64_t chain_id, number;
    uint8_t hash[32];
} vb_ethereum_pin;

typedef struct vb_trust_key {
    char name[VB_TRUST_NAME_BYTES_MAX + 1];
    uint8_t key[32];
} vb_trust_key;

/* Whose statements about receipts count (spec/witness.md section 4). */
typedef struct vb_trust_witness {
    uint8_t key[32];
    char name[VB_WITNESS_NAME_BYTES_MAX + 1];
    char url[VB_WITNESS_URL_BYTES_MAX + 1]; /* "": none */
} vb_trust_witness;

typedef struct vb_trust {
    bool any_server_key; /* else only these */
    vb_trust_key *server_keys;
    size_t n_server_keys;
    bool any_beacon; /* else only these ids; "drand:*" stands for every id of the kind */
    char (*beacons)[VB_BEACON_ID_BYTES_MAX + 1];
    size_t n_beacons;
    unsigned modes; /* bit 1 << vb_beacon_mode for each that is accepted */
    vb_drand_chain *drand;
    size_t n_drand;
    vb_theta_set *theta;
    size_t n_theta;
    vb_ethereum_pin *ethereum;
    size_t n_ethereum;
    uint8_t (*nist_certificates)[64]; /* SHA-512 of the certificate's DER */
    size_t n_nist_certificates;
    vb_trust_witness *witnesses; /* ascending keys */
    size_t n_witnesses;
    uint32_t quorum; /* of them, 1 .. n_witnesses; 0: the file does not say */
} vb_trust;

/* vb_trust.modes when all are accepted: next, latest, fixed, local. */
#define VB_TRUST_MODES_ALL (1u << 1 | 1u << 2 | 1u << 3 | 1u << 4)

/* The built-in roots; static. */
const vb_trust *vb_trust_builtin(void);

/* Reads a trust file. Chains of drand and certificates of NIST are added to the built-in ones,
 * which come first. VB_EFORMAT names the member ("trust.theta[0].validators[3].stake: ...");
 * VB_ELIMIT, VB_ENOMEM. */
VB_MUST_CHECK vb_err vb_trust_parse(const void *bytes, size_t n_bytes, vb_trust **out, vb_error *e);
void vb_trust_free(vb_trust *t); /* NULL is allowed; not for vb_trust_builtin's */

/* NULL when there is none. Names are not unique: vb_trust_drand_named gives the first chain, so no
 * file's chain takes the place of a built-in one. */
const vb_drand_chain *vb_trust_drand(const vb_trust *t, const uint8_t hash[32]);
const vb_drand_chain *vb_trust_drand_named(const vb_trust *t, const char *beacon_id);
bool vb_trust_accepts_beacon(const vb_trust *t, const char *id); /* "beacons" in the file */
const vb_trust_key *vb_trust_server_key(const vb_trust *t, const uint8_t key[32]);
const vb_trust_witness *vb_trust_witness_of_key(const vb_trust *t, const uint8_t key[32]);

#endif
