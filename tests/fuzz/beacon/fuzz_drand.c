/*
 * Proofs of drand rounds from hostile bytes: one byte for the chain (a built-in one or one that
 * nobody knows), eight for the round, then the proof. The randomness is made to fit the signature,
 * so that everything behind that check is reached. VERIFIED only for the published rounds of the
 * corpus: another genuine one would be a forgery.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/bytes.h"
#include "beacon/drand.h"
#include "crypto/sha256.h"
#include "json/jcs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int ok) {
    if (!ok) {
        abort();
    }
}

/* The rounds in the corpus: indexed as the built-in chains are. */
static bool is_published(size_t chain, uint64_t round) {
    return chain == 0 ? round == 1 || round == 1000 : chain == 1 && (round == 1 || round == 72785);
}

static void check(size_t chain, vb_beacon_round *r) {
    vb_beacon_facts facts;
    vb_error e = {0};
    vb_err err = vb_beacon_verify(r, NULL, &facts, &e);
    require(facts.timed == !err && (!err || e.msg[0] != 0));
    require(err || is_published(chain, r->round));
    require(!err || err == VB_EFORMAT || err == VB_EMISMATCH || err == VB_EUNTRUSTED);
    require(err != VB_EUNTRUSTED || chain == 2);
    if (!err) {
        require(facts.next.from <= facts.next.to && facts.next.to == facts.latest.from &&
                facts.latest.from < facts.latest.to);
        r->round++;
        require(vb_beacon_verify(r, NULL, NULL, NULL) != VB_OK);
        r->round--;
        r->randomness[0] ^= 1;
        require(vb_beacon_verify(r, NULL, NULL, NULL) == VB_EMISMATCH);
        r->randomness[0] ^= 1;
    }
}

/* The hash of the signature, when there is one that can be read. */
static void fit_randomness(vb_beacon_round *r, const json_t *proof) {
    const char *hex = json_string_value(json_object_get(proof, "signature"));
    uint8_t signature[96];
    for (size_t n = 48; hex && n <= 96; n += 48) {
        if (vb_hex_decode(hex, signature, n)) {
            vb_sha256_of(signature, n, r->randomness);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 9 || size > 1 << 16) {
        return 0;
    }
    const vb_trust *builtin = vb_trust_builtin();
    size_t chain = data[0] % 3;
    vb_beacon_round r = {.round = vb_load_u64be(data + 1), .n_randomness = 32};
    char hex[65];
    vb_hex_encode(chain < 2 ? builtin->drand[chain].hash : r.randomness, 32, hex);
    snprintf(r.id, sizeof r.id, "drand:%s", hex);
    char *text = strndup((const char *)data + 9, size - 9);
    require(text != NULL);
    json_t *loose = json_loads(text, JSON_ALLOW_NUL, NULL);
    fit_randomness(&r, loose);
    r.proof = text;
    check(chain, &r);
    vb_buf b = vb_buf_make(1 << 17);
    if (loose && vb_jcs_append(loose, &b, NULL) == VB_OK) {
        r.proof = (char *)b.data; /* the same in canonical form */
        check(chain, &r);
    }
    vb_buf_free(&b);
    free(text);
    json_decref(loose);
    return 0;
}
