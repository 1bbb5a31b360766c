/*
 * The nist beacon beyond its vectors: every change to a good proof, rounds from an answer and a
 * certificate, invented ones and NIST's.
 */
#include <ctype.h>

#include "beacon/nist.h"
#include "unit/beacon/proof_changes.h"

static void every_change_is_refused(void **state) {
    proof_changes p = proof_changes_open("nist.json", vb_nist_verify);
    (void)state;
    p.bit_step = 3; /* no divisor of 8: every bit of a byte has its turn */
    proof_changes_all(&p);
    proof_texts_refused(&p);
    proof_changes_close(&p);
}

static void facts_say_when_and_what_is_open(void **state) {
    proof_changes p = proof_changes_open("nist.json", vb_nist_verify);
    vb_beacon_facts facts[2];
    vb_trust nothing = {.n_nist_certificates = 0};
    (void)state;
    assert_int_equal(vb_nist_verify(&p.round, p.trust, &facts[0], NULL), VB_OK);
    assert_int_equal(vb_nist_verify(&p.round, &nothing, &facts[1], NULL), VB_EUNTRUSTED);
    for (int i = 0; i < 2; i++) {
        assert_true(facts[i].timed && facts[i].next.to == facts[i].latest.from);
        assert_true(facts[i].next.from == 1709251080000 && facts[i].next.to == 1709251140000);
        assert_non_null(strstr(facts[i].caveat, "NIST"));
    }
    proof_changes_close(&p);
}

/* A string with its hex digits in upper case, as NIST writes them. */
static json_t *node_hex(const json_t *hex) {
    char text[4096];
    size_t n = json_string_length(hex);
    assert_true(n && n < sizeof text);
    for (size_t i = 0; i <= n; i++) {
        text[i] = (char)toupper((unsigned char)json_string_value(hex)[i]);
    }
    return json_string(text);
}

static json_t *node_integer(const json_t *decimal) {
    return json_integer((json_int_t)vector_decimal(decimal));
}

/* The answer of NIST's server for the vectors' good round. */
static json_t *node_answer(const proof_changes *p) {
    static const char *const hex_names[] = {"certificateId", "localRandomValue", "outputValue",
                                            "precommitmentValue", "signatureValue"};
    static const char *const types[] = {"previous", "hour", "day", "month", "year"};
    json_t *pulse = json_deep_copy(json_object_get(p->doc, "pulse")), *list = json_array();
    for (size_t i = 0; i < sizeof hex_names / sizeof hex_names[0]; i++) {
        json_object_set_new(pulse, hex_names[i], node_hex(json_object_get(pulse, hex_names[i])));
    }
    json_object_set_new(pulse, "chainIndex", node_integer(json_object_get(pulse, "chainIndex")));
    json_object_set_new(pulse, "pulseIndex", node_integer(json_object_get(pulse, "pulseIndex")));
    for (size_t i = 0; i < 5; i++) {
        const json_t *value = json_array_get(json_object_get(pulse, "listValues"), i);
        json_array_append_new(list, json_pack("{s:s, s:s, s:o}", "type", types[i], "uri", "x",
                                              "value", node_hex(value)));
    }
    json_object_set_new(pulse, "listValues", list);
    return json_pack("{s:o}", "pulse", pulse);
}

/* A certificate of the generator's folder. */
static char *read_pem(const char *name, size_t *n) {
    char path[128];
    snprintf(path, sizeof path, "tests/vectors/beacons/%s", name);
    return (char *)vb_test_read(vb_test_source(path), n);
}

static void a_round_from_a_node(void **state) {
    proof_changes p = proof_changes_open("nist.json", vb_nist_verify);
    json_t *answer = node_answer(&p);
    vb_beacon_round r = {.round = 77};
    vb_beacon_facts facts;
    vb_error e;
    size_t n;
    char *pem = read_pem("nist_certificate.pem", &n);
    (void)state;
    if (vb_nist_round("nist:2", answer, pem, n, &r, &e)) {
        fail_msg("%s", e.msg);
    }
    assert_string_equal(r.id, p.round.id);
    assert_true(r.round == p.round.round && r.n_randomness == 64);
    assert_memory_equal(r.randomness, p.round.randomness, 64);
    assert_string_equal(r.proof, p.round.proof);
    assert_int_equal(vb_nist_verify(&r, p.trust, &facts, &e), VB_OK);
    vb_beacon_round_free(&r);
    free(pem);
    pem = read_pem("nist_other_certificate.pem", &n);
    assert_int_equal(vb_nist_round("nist:2", answer, pem, n, &r, &e), VB_OK);
    assert_int_equal(vb_nist_verify(&r, p.trust, &facts, &e), VB_EMISMATCH);
    assert_non_null(strstr(e.msg, "certificateId"));
    vb_beacon_round_free(&r);
    free(pem);
    json_decref(answer);
    proof_changes_close(&p);
}

static const char *json_pem;
static size_t n_json_pem;

static void refused(const json_t *answer, vb_err expected, const char *says) {
    vb_beacon_round r = {.round = 77};
    vb_error e = {0};
    vb_err err = vb_nist_round("nist:2", answer, json_pem, n_json_pem, &r, &e);
    if (err != expected || !strstr(e.msg, says)) {
        fail_msg("%s: expected %s: found %s: %s", says, vb_err_name(expected), vb_err_name(err),
                 e.msg);
    }
    assert_true(r.round == 77 && !r.proof);
}

/* Every member missing and of another type. */
static void members_refused(const json_t *answer, json_t *object) {
    static const char *const others[] = {"null", "true", "1.5", "[]", "{}", "-1", "\"\\u0001\""};
    json_t *names = json_array();
    const char *key;
    json_t *v;
    size_t i;
    json_object_foreach(object, key, v) {
        json_array_append_new(names, json_string(key));
    }
    json_array_foreach(names, i, v) {
        const char *name = json_string_value(v);
        json_t *kept = json_incref(json_object_get(object, name));
        json_object_del(object, name);
        refused(answer, VB_EFORMAT, name);
        for (size_t o = 0; o < sizeof others / sizeof others[0]; o++) {
            json_object_set_new(object, name, json_loads(others[o], JSON_DECODE_ANY, NULL));
            refused(answer, VB_EFORMAT, name);
        }
        json_object_set_new(object, name, kept);
    }
    json_decref(names);
}

static void answers_that_are_no_pulse(void **state) {
    proof_changes p = proof_changes_open("nist.json", vb_nist_verify);
    json_t *answer = node_answer(&p), *pulse = json_object_get(answer, "pulse");
    char *pem = read_pem("nist_certificate.pem", &n_json_pem);
    (void)state;
    json_pem = pem;
    json_t *previous = json_array_get(json_object_get(pulse, "listValues"), 0);
    json_object_del(previous, "uri"); /* not looked at */
    members_refused(answer, pulse);
    members_refused(answer, json_object_get(pulse, "external"));
    members_refused(answer, previous);
    json_object_set_new(previous, "type", json_string("hour"));
    refused(answer, VB_EFORMAT, "pulse.listValues[0].type");
    json_object_set_new(previous, "type", json_string("previous"));
    json_object_set_new(pulse, "chainIndex", json_integer(1));
    refused(answer, VB_EMISMATCH, "pulse.chainIndex");
    json_object_set_new(pulse, "chainIndex", json_string("2"));
    n_json_pem -= 3; /* no END line */
    refused(answer, VB_EFORMAT, "CERTIFICATE");
    n_json_pem = 0;
    refused(answer, VB_EFORMAT, "CERTIFICATE");
    refused(NULL, VB_EFORMAT, "missing");
    refused(json_null(), VB_EFORMAT, "object");
    refused(pulse, VB_EFORMAT, "pulse");
    vb_beacon_round r;
    assert_int_equal(vb_nist_round("nist:0", answer, pem, 1, &r, NULL), VB_EFORMAT);
    free(pem);
    json_decref(answer);
    proof_changes_close(&p);
}

static void a_certificate_too_large(void **state) {
    enum { LINES = 200 };
    proof_changes p = proof_changes_open("nist.json", vb_nist_verify);
    json_t *answer = node_answer(&p);
    vb_buf pem = vb_buf_make(1 << 16);
    vb_beacon_round r;
    (void)state;
    vb_err err = vb_buf_printf(&pem, "-----BEGIN CERTIFICATE-----\n");
    for (int i = 0; i < LINES; i++) {
        err = err ? err : vb_buf_printf(&pem, "%064d\n", 0);
    }
    err = err ? err : vb_buf_printf(&pem, "-----END CERTIFICATE-----\n");
    assert_int_equal(err, VB_OK);
    assert_int_equal(vb_nist_round("nist:2", answer, pem.data, pem.len, &r, NULL), VB_ELIMIT);
    vb_buf_free(&pem);
    json_decref(answer);
    proof_changes_close(&p);
}

/* Pulse 54610 of NIST's first chain, with the certificate that is built in. */
static void a_pulse_of_nist(void **state) {
    json_t *answer = json_load_file(vb_test_data("beacons/nist_pulse_54610.json"), 0, NULL);
    size_t n;
    char *pem = (char *)vb_test_read(vb_test_data("beacons/nist_cert_5501e3d7.pem"), &n);
    vb_beacon_round r;
    vb_beacon_facts facts;
    vb_error e;
    (void)state;
    assert_non_null(answer);
    if (vb_nist_round("nist:1", answer, pem, n, &r, &e) ||
        vb_nist_verify(&r, vb_trust_builtin(), &facts, &e)) {
        fail_msg("%s", e.msg);
    }
    assert_true(r.round == 54610 && facts.next.from == 1535650980000);
    assert_true(facts.next.to == 1535651040000 && facts.latest.to == 1535651100000);
    char *digit = strstr(r.proof, "\"statusCode\":0,\"timeStamp\"");
    assert_non_null(digit);
    digit[13] = '1';
    assert_int_equal(vb_nist_verify(&r, vb_trust_builtin(), &facts, &e), VB_EMISMATCH);
    assert_non_null(strstr(e.msg, "signatureValue"));
    vb_beacon_round_free(&r);
    free(pem);
    json_decref(answer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_change_is_refused),
        cmocka_unit_test(facts_say_when_and_what_is_open),
        cmocka_unit_test(a_round_from_a_node),
        cmocka_unit_test(answers_that_are_no_pulse),
        cmocka_unit_test(a_certificate_too_large),
        cmocka_unit_test(a_pulse_of_nist),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
