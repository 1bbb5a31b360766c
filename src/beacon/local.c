#include "beacon/local.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"

static const char domain[] = "verbatim.beacon.local.v1\n";
static const char prefix[] = "local:";

void vb_local_hash(uint8_t x[VB_SHA256_BYTES], uint32_t n) {
    for (uint32_t i = 0; i < n; i++) {
        vb_sha256 s;
        vb_sha256_begin(&s);
        vb_sha256_update(&s, domain, sizeof domain - 1);
        vb_sha256_update(&s, x, VB_SHA256_BYTES);
        vb_sha256_end(&s, x);
    }
}

void vb_local_id(const uint8_t anchor[VB_SHA256_BYTES], char id[VB_BEACON_ID_BYTES_MAX + 1]) {
    char hex[VB_SHA256_HEX_BYTES];
    vb_hex_encode(anchor, VB_SHA256_BYTES, hex);
    snprintf(id, VB_BEACON_ID_BYTES_MAX + 1, "%s%s", prefix, hex);
}

vb_err vb_local_verify(const vb_beacon_round *r, vb_error *e) {
    uint8_t anchor[VB_SHA256_BYTES], x[VB_SHA256_BYTES];
    size_t n_prefix = sizeof prefix - 1;
    if (strncmp(r->id, prefix, n_prefix) != 0 ||
        !vb_hex_decode(r->id + n_prefix, anchor, sizeof anchor)) {
        return vb_fail(e, VB_EFORMAT, "beacon id: expected local:<64 hex digits>, found %s", r->id);
    }
    if (r->round < 1 || r->round > VB_LOCAL_ROUNDS) {
        return vb_fail(e, VB_EFORMAT, "beacon round: expected 1 .. %d, found %llu", VB_LOCAL_ROUNDS,
                       (unsigned long long)r->round);
    }
    if (r->n_randomness != sizeof x) {
        return vb_fail(e, VB_EFORMAT, "beacon randomness: expected 32 bytes, found %zu",
                       r->n_randomness);
    }
    if (r->proof) {
        return vb_fail(e, VB_EFORMAT, "beacon proof: a local round has none (null)");
    }
    memcpy(x, r->randomness, sizeof x);
    vb_local_hash(x, (uint32_t)r->round);
    if (memcmp(x, anchor, sizeof x) != 0) {
        return vb_fail(e, VB_EMISMATCH,
                       "the randomness of round %llu, hashed as often, is not the chain's anchor",
                       (unsigned long long)r->round);
    }
    return VB_OK;
}
