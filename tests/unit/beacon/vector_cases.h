/*
 * The cases of spec/vectors/beacons (spec/beacons.md, section 10) as rounds and trust roots, for
 * the tests of this folder. Anything malformed fails the running test.
 */
#ifndef VB_TESTS_UNIT_BEACON_VECTOR_CASES_H
#define VB_TESTS_UNIT_BEACON_VECTOR_CASES_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/bytes.h"
#include "beacon/beacon.h"
#include "beacon/trust.h"
#include "support/testing.h"
#include "json/jcs.h"

/* spec/vectors/beacons/<file>; to json_decref. */
static inline json_t *vector_file(const char *file) {
    char path[256];
    json_error_t je;
    snprintf(path, sizeof path, "spec/vectors/beacons/%s", file);
    json_t *doc = json_load_file(vb_test_source(path), JSON_REJECT_DUPLICATES, &je);
    if (!doc || json_array_size(json_object_get(doc, "cases")) == 0) {
        fail_msg("%s: no cases: %s", path, doc ? "" : je.text);
    }
    return doc;
}

static inline uint64_t vector_decimal(const json_t *value) {
    const char *text = json_string_value(value);
    char *end;
    assert_non_null(text);
    uint64_t v = strtoull(text, &end, 10);
    assert_true(text[0] >= '0' && text[0] <= '9' && *end == 0);
    return v;
}

/* Canonical JSON, malloc'd. */
static inline char *vector_text(const json_t *value) {
    vb_buf b = vb_buf_make(VB_BEACON_PROOF_BYTES_MAX);
    assert_int_equal(vb_jcs_append(value, &b, NULL), VB_OK);
    return (char *)b.data;
}

/* The case's round, to vb_beacon_round_free. */
static inline vb_beacon_round vector_round(const json_t *c) {
    const json_t *round = json_object_get(c, "round"), *proof = json_object_get(round, "proof");
    const char *id = json_string_value(json_object_get(round, "id"));
    const char *hex = json_string_value(json_object_get(round, "randomness"));
    vb_beacon_round r = {.round = vector_decimal(json_object_get(round, "round"))};
    assert_true(id && strlen(id) < sizeof r.id && hex && proof);
    memcpy(r.id, id, strlen(id) + 1);
    r.n_randomness = strlen(hex) / 2;
    assert_true(r.n_randomness <= sizeof r.randomness);
    assert_true(vb_hex_decode(hex, r.randomness, r.n_randomness));
    r.proof = json_is_null(proof) ? NULL : vector_text(proof);
    return r;
}

/* The case's trust roots, to vb_trust_free; NULL: the built-in ones. */
static inline vb_trust *vector_trust(const json_t *c) {
    const json_t *value = json_object_get(c, "trust");
    vb_trust *t = NULL;
    vb_error e = {0};
    assert_non_null(value);
    if (json_is_null(value)) {
        return NULL;
    }
    char *text = vector_text(value);
    if (vb_trust_parse(text, strlen(text), &t, &e)) {
        fail_msg("%s", e.msg);
    }
    free(text);
    return t;
}

/* The case of that name in a file of cases; borrowed. */
static inline const json_t *vector_named(const json_t *file, const char *name) {
    size_t i;
    const json_t *c;
    json_array_foreach(json_object_get(file, "cases"), i, c) {
        if (strcmp(json_string_value(json_object_get(c, "name")), name) == 0) {
            return c;
        }
    }
    fail_msg("no case named %s", name);
    return NULL;
}

#endif
