/*
 * The theta beacon on hostile bytes. 'P' and a proof: what its checks make of it, with the
 * randomness that it calls for, so that the votes are reached. 'N' and {"block", "child",
 * "parent"}: a node's answers. A round that comes out of either must stand with a validator set of
 * its voters, and fall when they have two thirds of the stake and no more.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "beacon/theta.h"
#include "crypto/sha256.h"
#include "json/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok) {
    if (!ok) {
        abort();
    }
}

static void check_votes(const vb_beacon_round *r) {
    json_t *doc = NULL;
    require(vb_json_parse(r->proof, strlen(r->proof), &doc, NULL) == VB_OK);
    const json_t *votes = json_object_get(doc, "votes");
    size_t n = json_array_size(votes);
    vb_theta_validator *v = calloc(n + 1, sizeof *v);
    require(v && n);
    for (size_t i = 0; i < n; i++) {
        const json_t *id = json_object_get(json_array_get(votes, i), "id");
        require(vb_hex_decode(json_string_value(id), v[i].id, sizeof v[i].id));
        v[i].stake = 2;
    }
    memset(v[n].id, 0xff, sizeof v[n].id);
    v[n].stake = n;
    vb_theta_set set = {.chain = "testnet", .to = UINT64_MAX, .validators = v, .n_validators = n};
    vb_trust trust = {.theta = &set, .n_theta = 1};
    vb_beacon_facts facts;
    require(vb_theta_verify(r, &trust, &facts, NULL) == VB_OK && facts.timed);
    require(facts.next.from <= facts.next.to && facts.latest.from < facts.latest.to);
    set.n_validators = n + 1; /* 2n of 3n */
    require(vb_theta_verify(r, &trust, &facts, NULL) == VB_EMISMATCH);
    free(v);
    json_decref(doc);
}

static void check_round(const vb_beacon_round *r, bool made) {
    vb_trust nothing = {.n_theta = 0};
    vb_beacon_facts facts;
    vb_error e = {0};
    vb_err err = vb_theta_verify(r, &nothing, &facts, &e);
    require(err == VB_EUNTRUSTED || (!made && (err == VB_EFORMAT || err == VB_EMISMATCH)) ||
            err == VB_ELIMIT);
    require(e.code == err && e.msg[0]);
    if (err == VB_EUNTRUSTED) {
        check_votes(r);
    }
}

static void try_proof(char *text) {
    vb_beacon_round r = {.id = "theta:testnet", .round = 30168742, .n_randomness = 32};
    json_t *doc = NULL;
    r.proof = text;
    if (vb_json_parse(text, strlen(text), &doc, NULL) == VB_OK) {
        const char *hash = json_string_value(json_object_get(doc, "hash"));
        const char *time = json_string_value(json_object_get(doc, "timestamp"));
        char message[256];
        snprintf(message, sizeof message, "0x%s%" PRIu64 "%s", hash ? hash : "", r.round,
                 time ? time : "");
        vb_sha256_of(message, strlen(message), r.randomness);
        json_decref(doc);
    }
    check_round(&r, false);
}

static void try_answers(const void *bytes, size_t n) {
    json_t *doc = NULL;
    vb_beacon_round r;
    if (vb_json_parse_foreign(bytes, n, 1 << 20, &doc, NULL)) {
        return;
    }
    vb_error e = {0};
    vb_err err =
        vb_theta_round("theta:testnet", json_object_get(doc, "block"),
                       json_object_get(doc, "parent"), json_object_get(doc, "child"), &r, &e);
    if (!err) {
        check_round(&r, true);
        vb_beacon_round_free(&r);
    } else {
        require(e.code == err && e.msg[0]);
    }
    json_decref(doc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 1) {
        return 0;
    }
    char *text = malloc(size);
    require(text);
    memcpy(text, data + 1, size - 1);
    text[size - 1] = 0;
    if (data[0] == 'P') {
        try_proof(text);
    } else {
        try_answers(text, size - 1);
    }
    free(text);
    return 0;
}
