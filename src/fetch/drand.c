/*
 * drand over HTTP: API version 2, and version 1 where an endpoint has nothing else. The round's
 * number follows from the chain's schedule, which trust pins, so all that an endpoint tells is a
 * signature.
 */
#include "beacon/drand.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "beacon/proof.h"
#include "crypto/sha256.h"
#include "fetch/kind.h"

enum {
    SIGNATURE_BYTES_MIN = 48,
    SIGNATURE_BYTES_MAX = 96,
    GROUP_HASH_BYTES = 32,
    /* A round that is missing this long after its time is not late any more. */
    LATE_MS = 60000,
    /* What an endpoint was found to speak. */
    SPEAKS_V1 = 1,
    SPEAKS_V2 = 2
};

static const char *const urls[] = {"https://api.drand.sh", "https://api2.drand.sh",
                                   "https://api3.drand.sh", "https://drand.cloudflare.com"};

static vb_err name(const char *chain, const vb_trust *trust, char id[VB_BEACON_ID_BYTES_MAX + 1],
                   vb_error *e) {
    uint8_t hash[32];
    char hex[65];
    const char *wanted = chain ? chain : "quicknet";
    if (!vb_hex_decode(wanted, hash, sizeof hash)) {
        const vb_drand_chain *c = vb_trust_drand_named(trust, wanted);
        if (!c) {
            return vb_fail(e, VB_EINVAL,
                           "drand:%s: expected a chain's hash, 64 hex digits, or the name of a "
                           "chain that is trusted",
                           wanted);
        }
        memcpy(hash, c->hash, sizeof hash);
    }
    vb_hex_encode(hash, sizeof hash, hex);
    snprintf(id, VB_BEACON_ID_BYTES_MAX + 1, "drand:%s", hex);
    return VB_OK;
}

/* NULL when trust does not know the chain. */
static const vb_drand_chain *chain_of(const vb_ask *a) {
    uint8_t hash[32];
    VB_ASSERT(vb_hex_decode(a->id + strlen("drand:"), hash, sizeof hash));
    return vb_trust_drand(a->trust, hash);
}

/* The round that the want names. */
static vb_err round_of(const vb_ask *a, const vb_drand_chain *c, uint64_t *round, vb_error *e) {
    if (a->want.mode == VB_MODE_FIXED) {
        if (a->want.round < 1) {
            return vb_fail(e, VB_EINVAL, "round 0 of %s: the first is 1", a->id);
        }
        *round = a->want.round;
        return VB_OK;
    }
    if (!c) {
        return vb_fail(e, VB_EINVAL,
                       "the schedule of %s is not known: mode %s needs the chain among the trust "
                       "roots",
                       a->id, vb_beacon_mode_name(a->want.mode));
    }
    uint64_t genesis_ms;
    if (!vb_drand_time_ms(c, 1, &genesis_ms)) {
        return vb_fail(e, VB_EINVAL, "%s begins beyond 2^63", a->id);
    }
    if (a->want.time_ms < genesis_ms) {
        *round = 1;
        return a->want.mode == VB_MODE_NEXT
                   ? VB_OK
                   : vb_fail(e, VB_EINVAL, "%s had no round at %" PRIu64 " ms", a->id,
                             a->want.time_ms);
    }
    const uint64_t past = (a->want.time_ms - genesis_ms) / (1000 * (uint64_t)c->period_s);
    *round = past + (a->want.mode == VB_MODE_NEXT ? 2 : 1);
    return VB_OK;
}

static vb_err due(const vb_ask *a, uint64_t *due_ms, vb_error *e) {
    const vb_drand_chain *c = chain_of(a);
    uint64_t round = 0;
    vb_err err = round_of(a, c, &round, e);
    if (err) {
        return err;
    }
    *due_ms = 0;
    if (c && !vb_drand_time_ms(c, round, due_ms)) {
        return vb_fail(e, VB_EINVAL, "round %" PRIu64 " of %s is beyond 2^63 ms", round, a->id);
    }
    return VB_OK;
}

/* The answer for a round, in the API that the endpoint speaks. */
static vb_err get_round(vb_ask *a, const vb_drand_chain *c, uint64_t round, vb_error *e) {
    const char *hash = a->id + strlen("drand:");
    vb_err err = VB_EIO;
    uint64_t time_ms;
    if (*a->memory != SPEAKS_V1) {
        err = vb_ask_get(a, e, "/v2/chains/%s/rounds/%" PRIu64, hash, round);
        *a->memory = err ? *a->memory : SPEAKS_V2;
    }
    if (*a->memory == SPEAKS_V1 || (err && *a->memory != SPEAKS_V2 && a->status == 404)) {
        err = vb_ask_get(a, e, "/%s/public/%" PRIu64, hash, round);
        *a->memory = err ? *a->memory : SPEAKS_V1;
    }
    if (err && (a->status == 404 || a->status == 425) && c &&
        vb_drand_time_ms(c, round, &time_ms) &&
        a->outside->unix_ms(a->outside->user) < time_ms + LATE_MS) {
        return vb_ask_not_yet(a, e, "round %" PRIu64 " is not published (HTTP status %ld)", round,
                              a->status);
    }
    return err;
}

static vb_err set_proof(const vb_buf *signature, const vb_buf *previous, vb_beacon_round *r,
                        vb_error *e) {
    /* json_pack fails, and frees what it was given, when one of the values is NULL. */
    json_t *proof =
        json_pack("{s:o,s:o}", "previous_signature",
                  previous->len ? vb_proof_hex(previous->data, previous->len) : json_null(),
                  "signature", vb_proof_hex(signature->data, signature->len));
    if (!proof) {
        return vb_fail(e, VB_ENOMEM, "no memory for a proof");
    }
    vb_err err = vb_proof_set(r, proof, e);
    json_decref(proof);
    return err;
}

static vb_err read_round(const vb_ask *a, const vb_drand_chain *c, uint64_t round,
                         vb_beacon_round *out, vb_error *e) {
    vb_buf signature = vb_buf_make(SIGNATURE_BYTES_MAX),
           previous = vb_buf_make(SIGNATURE_BYTES_MAX);
    vb_beacon_round r = {.round = round, .n_randomness = VB_SHA256_BYTES};
    uint64_t found = 0;
    json_t *doc = NULL;
    vb_err err = vb_ask_parse(a, &doc, e);
    if (err) {
        return err;
    }
    vb_fields f = vb_fields_foreign(doc, "answer", e);
    vb_node_integer(&f, "round", UINT64_MAX, &found);
    vb_node_bytes(&f, "signature", "", SIGNATURE_BYTES_MIN, SIGNATURE_BYTES_MAX, &signature);
    /* Version 1 has an empty string where there is none. */
    const json_t *p = vb_field(&f, "previous_signature");
    if (c ? vb_drand_form_of(c->scheme)->chained : p && json_string_length(p) > 0) {
        vb_node_bytes(&f, "previous_signature", "", GROUP_HASH_BYTES, SIGNATURE_BYTES_MAX,
                      &previous);
    }
    if (!f.err && found != round) {
        vb_field_fail(&f, VB_EMISMATCH, "round", "asked for %" PRIu64 ", got %" PRIu64, round,
                      found);
    }
    err = f.err;
    if (!err) {
        snprintf(r.id, sizeof r.id, "%s", a->id);
        vb_sha256_of(signature.data, signature.len, r.randomness);
        err = set_proof(&signature, &previous, &r, e);
    }
    if (!err) {
        *out = r;
    }
    json_decref(doc);
    vb_buf_free(&signature);
    vb_buf_free(&previous);
    return err;
}

static vb_err ask(vb_ask *a, vb_beacon_round *out, vb_error *e) {
    const vb_drand_chain *c = chain_of(a);
    uint64_t round = 0;
    vb_err err = round_of(a, c, &round, e);
    if (!err) {
        err = get_round(a, c, round, e);
    }
    return err ? err : read_round(a, c, round, out, e);
}

const vb_source_kind vb_kind_drand = {
    .kind = VB_BEACON_DRAND,
    .answer_bytes_max = 1 << 16,
    .pause_ms_max = 1000,
    .paths = true,
    .urls = urls,
    .n_urls = sizeof urls / sizeof urls[0],
    .name = name,
    .due = due,
    .ask = ask,
};
