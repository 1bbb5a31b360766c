#include "beacon/drand.h"

#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "beacon/proof.h"
#include "crypto/bls12381.h"
#include "crypto/sha256.h"

static const char *const proof_names[] = {"previous_signature", "signature", NULL};

/* Indexed by vb_drand_scheme. */
static const vb_drand_form forms[] = {
    [VB_DRAND_CHAINED] = {"pedersen-bls-chained", VB_BLS_G1_BYTES, VB_BLS_G2_BYTES, true},
    [VB_DRAND_UNCHAINED] = {"pedersen-bls-unchained", VB_BLS_G1_BYTES, VB_BLS_G2_BYTES, false},
    [VB_DRAND_G1_RFC9380] = {"bls-unchained-g1-rfc9380", VB_BLS_G2_BYTES, VB_BLS_G1_BYTES, false},
};

const vb_drand_form *vb_drand_form_of(vb_drand_scheme scheme) {
    VB_ASSERT(scheme >= VB_DRAND_CHAINED && scheme <= VB_DRAND_G1_RFC9380);
    return &forms[scheme];
}

vb_drand_scheme vb_drand_scheme_named(const char *name) {
    for (int s = VB_DRAND_CHAINED; s <= VB_DRAND_G1_RFC9380; s++) {
        if (strcmp(name, forms[s].name) == 0) {
            return (vb_drand_scheme)s;
        }
    }
    return (vb_drand_scheme)0;
}

void vb_drand_chain_hash(const vb_drand_chain *c, uint8_t out[32]) {
    vb_sha256 s;
    vb_sha256_begin(&s);
    vb_sha256_u32be(&s, c->period_s);
    vb_sha256_u64be(&s, c->genesis_s);
    vb_sha256_update(&s, c->public_key, c->n_public_key);
    vb_sha256_update(&s, c->group_hash, sizeof c->group_hash);
    if (strcmp(c->beacon_id, "default") != 0) {
        vb_sha256_update(&s, c->beacon_id, strlen(c->beacon_id));
    }
    vb_sha256_end(&s, out);
}

bool vb_drand_time_ms(const vb_drand_chain *c, uint64_t round, uint64_t *out) {
    uint64_t t;
    VB_ASSERT(round >= 1);
    if (__builtin_mul_overflow(round - 1, (uint64_t)c->period_s, &t) ||
        __builtin_add_overflow(t, c->genesis_s, &t) || __builtin_mul_overflow(t, 1000u, &t) ||
        t > INT64_MAX) {
        return false;
    }
    *out = t;
    return true;
}

typedef struct drand_proof {
    uint8_t chain[32];
    uint8_t signature[VB_BLS_G2_BYTES];
    uint8_t previous[VB_BLS_G2_BYTES]; /* signature, or the group hash */
    size_t n_signature, n_previous;    /* 48 or 96; 0 (null), 32 or 96 */
} drand_proof;

/* Hex of n_a or of n_b bytes. */
static void read_either(vb_fields *f, const char *name, size_t n_a, size_t n_b, uint8_t *out,
                        size_t *n) {
    const json_t *v = vb_field(f, name);
    size_t length = v ? json_string_length(v) : 0;
    if (json_is_string(v) && length != 2 * n_a && length != 2 * n_b) {
        vb_field_fail(f, VB_EFORMAT, name, "expected %zu or %zu hex digits, found %zu bytes",
                      2 * n_a, 2 * n_b, length);
    }
    size_t wanted = length == 2 * n_b ? n_b : n_a;
    vb_field_hex(f, name, out, wanted);
    if (!f->err) {
        *n = wanted;
    }
}

static vb_err read_proof(const vb_beacon_round *r, drand_proof *p, vb_error *e) {
    json_t *doc = NULL;
    vb_err err = vb_proof_open(r, VB_SHA256_BYTES, &doc, e);
    if (err) {
        return err;
    }
    vb_fields f = vb_fields_open(doc, "beacon.proof", proof_names, e);
    read_either(&f, "signature", VB_BLS_G1_BYTES, VB_BLS_G2_BYTES, p->signature, &p->n_signature);
    p->n_previous = 0;
    if (!f.err && !vb_field_is_null(&f, "previous_signature")) {
        read_either(&f, "previous_signature", sizeof p->chain, VB_BLS_G2_BYTES, p->previous,
                    &p->n_previous);
        /* Only signatures in G2 are chained, and only the first has the group hash before it. */
        if (!f.err && p->n_signature != VB_BLS_G2_BYTES) {
            vb_field_fail(&f, VB_EFORMAT, "previous_signature", "expected null beside %zu bytes",
                          p->n_signature);
        } else if (!f.err && (p->n_previous == VB_BLS_G2_BYTES) != (r->round > 1)) {
            vb_field_fail(&f, VB_EFORMAT, "previous_signature",
                          "expected the group hash's 32 bytes in round 1, 96 in every other");
        }
    }
    json_decref(doc);
    return f.err;
}

/* All that can be said without knowing the chain. */
static vb_err read_form(const vb_beacon_round *r, drand_proof *p, vb_error *e) {
    const char *chain = vb_proof_chain(r->id, VB_BEACON_DRAND);
    uint8_t randomness[VB_SHA256_BYTES];
    if (!chain || !vb_hex_decode(chain, p->chain, sizeof p->chain)) {
        return vb_fail(e, VB_EFORMAT, "beacon id: expected drand:<64 hex digits>, found %s", r->id);
    }
    if (r->round < 1) {
        return vb_fail(e, VB_EFORMAT, "beacon round: expected 1 or more, found 0");
    }
    vb_err err = read_proof(r, p, e);
    if (err) {
        return err;
    }
    vb_sha256_of(p->signature, p->n_signature, randomness);
    if (memcmp(randomness, r->randomness, sizeof randomness) != 0) {
        return vb_fail(e, VB_EMISMATCH, "beacon randomness: not the SHA-256 of the signature");
    }
    return VB_OK;
}

/* The form that this chain's rounds have. */
static vb_err check_form(const drand_proof *p, const vb_beacon_round *r, const vb_drand_chain *c,
                         vb_error *e) {
    const vb_drand_form *form = vb_drand_form_of(c->scheme);
    if (p->n_signature != form->n_signature) {
        return vb_fail(e, VB_EFORMAT,
                       "beacon.proof.signature: those of %s have %zu bytes, found %zu", form->name,
                       form->n_signature, p->n_signature);
    }
    if ((p->n_previous != 0) != form->chained) {
        return vb_fail(e, VB_EFORMAT, "beacon.proof.previous_signature: expected %s with %s",
                       form->chained ? "a string" : "null", form->name);
    }
    if (form->chained && r->round == 1 &&
        memcmp(p->previous, c->group_hash, sizeof c->group_hash) != 0) {
        return vb_fail(e, VB_EMISMATCH,
                       "beacon.proof.previous_signature: that of round 1 is the group hash");
    }
    return VB_OK;
}

static vb_err check_signature(const drand_proof *p, uint64_t round, const vb_drand_chain *c,
                              vb_error *e) {
    uint8_t message[VB_SHA256_BYTES];
    vb_sha256 s;
    vb_sha256_begin(&s);
    vb_sha256_update(&s, p->previous, p->n_previous);
    vb_sha256_u64be(&s, round);
    vb_sha256_end(&s, message);
    vb_err err = c->scheme == VB_DRAND_G1_RFC9380
                     ? vb_bls_verify_g1(c->public_key, message, sizeof message, VB_BLS_DST_G1,
                                        p->signature, e)
                     : vb_bls_verify_g2(c->public_key, message, sizeof message, VB_BLS_DST_G2,
                                        p->signature, e);
    return err ? vb_fail_in(e, err, "beacon.proof.signature") : VB_OK;
}

vb_err vb_drand_verify(const vb_beacon_round *r, const vb_trust *trust, vb_beacon_facts *facts,
                       vb_error *e) {
    drand_proof p;
    uint64_t t;
    vb_err err = read_form(r, &p, e);
    if (err) {
        return err;
    }
    const vb_drand_chain *c = vb_trust_drand(trust, p.chain);
    if (!c) {
        return vb_fail(e, VB_EUNTRUSTED,
                       "no trust root for the chain of %s: its public key and schedule are needed",
                       r->id);
    }
    if (!vb_drand_time_ms(c, r->round, &t)) {
        return vb_fail(e, VB_EFORMAT, "beacon round: the time of round %" PRIu64 " is beyond 2^63",
                       r->round);
    }
    err = check_form(&p, r, c, e);
    if (!err) {
        err = check_signature(&p, r->round, c, e);
    }
    if (err) {
        return err;
    }
    uint64_t period = 1000 * (uint64_t)c->period_s;
    *facts = (vb_beacon_facts){
        .timed = true, .next = {r->round > 1 ? t - period : 0, t}, .latest = {t, t + period}};
    return VB_OK;
}
