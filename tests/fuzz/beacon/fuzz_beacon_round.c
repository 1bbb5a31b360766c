/*
 * Rounds as files from hostile bytes, of every kind: decoding never crashes, what it accepts it
 * gives back byte for byte, and checking it ends in one of the results that beacon.h names. Bytes
 * that are JSON but not canonical are also tried in canonical form.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "beacon/round.h"
#include "json/jcs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int ok) {
    if (!ok) {
        abort();
    }
}

static void check(const vb_beacon_round *r) {
    vb_beacon_facts facts;
    vb_error e = {0};
    vb_err err = vb_beacon_verify(r, NULL, &facts, &e);
    require(err == VB_OK || err == VB_EFORMAT || err == VB_EMISMATCH || err == VB_EUNTRUSTED ||
            err == VB_EUNSUPPORTED);
    require(err == VB_OK || e.msg[0] != 0);
    require(err != VB_EUNSUPPORTED || vb_beacon_kind_of_id(r->id) == VB_BEACON_UNKNOWN ||
            vb_beacon_kind_of_id(r->id) == VB_BEACON_MIX);
    require(facts.next.from <= facts.next.to && facts.latest.from <= facts.latest.to);
    require(!facts.timed || err == VB_OK || err == VB_EUNTRUSTED);
    require(strlen(facts.caveat) < sizeof facts.caveat);
    for (int m = VB_MODE_UNKNOWN; m <= VB_MODE_LOCAL; m++) {
        vb_err rule =
            vb_beacon_round_rule((vb_beacon_mode)m, facts.next.from, &r->round, r, &facts, &e);
        require(rule == VB_OK || rule == VB_EMISMATCH || m == VB_MODE_UNKNOWN);
        require(m != VB_MODE_NEXT || rule || facts.timed);
    }
}

static void decode(const void *bytes, size_t n) {
    vb_beacon_round r = {0};
    vb_error e = {0};
    vb_err err = vb_beacon_round_decode(bytes, n, &r, &e);
    if (err) {
        require(e.msg[0] != 0 && r.proof == NULL && r.id[0] == 0);
        return;
    }
    vb_buf b = vb_buf_make(VB_BEACON_ROUND_BYTES_MAX);
    require(vb_beacon_round_encode(&r, &b, &e) == VB_OK);
    require(b.len == n && memcmp(b.data, bytes, n) == 0);
    vb_buf_free(&b);
    check(&r);
    vb_beacon_round_free(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    decode(data, size);
    if (size > 1 << 16) {
        return 0;
    }
    json_t *loose = json_loadb((const char *)data, size, JSON_ALLOW_NUL, NULL);
    if (loose) {
        vb_buf b = vb_buf_make(1 << 18);
        if (vb_jcs_append(loose, &b, NULL) == VB_OK) {
            decode(b.data, b.len);
        }
        vb_buf_free(&b);
        json_decref(loose);
    }
    return 0;
}
