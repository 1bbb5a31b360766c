/*
 * Statements: the vectors of spec/vectors/statements.json, and what the program writes itself.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "receipt/records.h"
#include "unit/receipt/sample_receipt.h"
#include "witness/statement.h"

static json_t *load_vectors(void) {
    json_error_t e;
    json_t *doc = json_load_file(VB_SOURCE_DIR "/spec/vectors/statements.json", 0, &e);
    if (!doc) {
        fail_msg("%s", e.text);
    }
    return doc;
}

static const char *text_at(const json_t *o, const char *name) {
    const char *s = json_string_value(json_object_get(o, name));
    assert_non_null(s);
    return s;
}

/* The statement of a good case. */
static void good_statement(const json_t *doc, const char *name, vb_statement *out) {
    const json_t *cases = json_object_get(doc, "cases");
    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *c = json_array_get(cases, i);
        if (strcmp(text_at(c, "name"), name) == 0) {
            const char *s = text_at(c, "statement");
            assert_int_equal(vb_statement_decode(s, strlen(s), out, NULL), VB_OK);
            return;
        }
    }
    fail_msg("no case %s", name);
}

static void every_case_is_judged_as_stated(void **state) {
    json_t *doc = load_vectors();
    const json_t *cases = json_object_get(doc, "cases");
    size_t n_ok = 0;
    (void)state;
    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *c = json_array_get(cases, i);
        const char *s = text_at(c, "statement"), *result = text_at(c, "result");
        vb_statement st;
        vb_error e = {0};
        vb_err err = vb_statement_decode(s, strlen(s), &st, &e);
        const char *found = err == VB_EFORMAT || err == VB_ELIMIT ? "malformed"
                            : err == VB_EUNSUPPORTED              ? "unsupported"
                                                                  : "ok";
        if (!err) {
            vb_buf b = vb_buf_make(VB_STATEMENT_BYTES_MAX);
            assert_int_equal(vb_statement_encode(&st, &b, &e), VB_OK);
            assert_int_equal(b.len, strlen(s));
            assert_memory_equal(b.data, s, b.len);
            vb_buf_free(&b);
            assert_int_equal(vb_record_kind_of(s, strlen(s)), VB_RECORD_STATEMENT);
            err = vb_statement_check(&st, &e);
            found = err == VB_EMISMATCH ? "refused" : err ? "error" : "ok";
        }
        if (strcmp(found, result) != 0) {
            fail_msg("%s: %s, not %s: %s", text_at(c, "name"), found, result, e.msg);
        }
        assert_true(!err || e.msg[0]);
        n_ok += !err;
    }
    assert_true(n_ok >= 20);
    json_decref(doc);
}

static void read_hex(const json_t *o, const char *name, uint8_t out[32]) {
    assert_true(vb_hex_decode(text_at(o, name), out, 32));
}

static void matches_and_conflicts_are_as_stated(void **state) {
    json_t *doc = load_vectors();
    const json_t *matches = json_object_get(doc, "matches");
    const json_t *conflicts = json_object_get(doc, "conflicts");
    vb_statement a, b;
    (void)state;
    assert_true(json_array_size(matches) > 0 && json_array_size(conflicts) > 0);
    for (size_t i = 0; i < json_array_size(matches); i++) {
        const json_t *m = json_array_get(matches, i), *v = json_object_get(m, "claim");
        vb_claim c = {.sequence = strtoull(text_at(v, "sequence"), NULL, 10),
                      .drawn_at_s = strtoull(text_at(v, "drawn_at_s"), NULL, 10)};
        read_hex(v, "record_sha256", c.record);
        read_hex(v, "commitment", c.commitment);
        read_hex(v, "model_sha256", c.model);
        read_hex(v, "answer_sha256", c.answer);
        read_hex(v, "server_key", c.server_key);
        good_statement(doc, text_at(m, "statement"), &a);
        vb_err err = vb_statement_match(&a, &c, NULL);
        if (err != (json_is_true(json_object_get(m, "holds")) ? VB_OK : VB_EMISMATCH)) {
            fail_msg("%s: %s", text_at(m, "name"), vb_err_name(err));
        }
    }
    for (size_t i = 0; i < json_array_size(conflicts); i++) {
        const json_t *c = json_array_get(conflicts, i);
        good_statement(doc, text_at(c, "a"), &a);
        good_statement(doc, text_at(c, "b"), &b);
        if (vb_statements_conflict(&a, &b) != json_is_true(json_object_get(c, "conflict"))) {
            fail_msg("%s, %s", text_at(c, "a"), text_at(c, "b"));
        }
    }
    json_decref(doc);
}

/* A statement of the sample receipt, complete but for its signature. */
static void fill(vb_statement *s, vb_beacon_mode mode) {
    vb_receipt *r = malloc(sizeof *r);
    assert_non_null(r);
    memset(s, 0, sizeof *s);
    sample_receipt(r, mode);
    assert_int_equal(vb_claim_of_receipt(r, NULL, &s->claim, NULL), VB_OK);
    assert_memory_equal(s->claim.commitment, r->commitment, 32);
    assert_memory_equal(s->claim.answer, r->outputs[0].text_sha256, 32);
    assert_memory_equal(s->claim.model, r->request.model_sha256, 32);
    assert_memory_equal(s->claim.server_key, r->request.server_key, 32);
    assert_int_equal(s->claim.sequence, 17);
    assert_int_equal(s->claim.drawn_at_s, 0);
    vb_receipt_free(r);
    free(r);
    s->verdict = VB_VERDICT_VERIFIED;
    s->level = VB_LEVEL_FULL;
    s->judged_at_ms = 1763850000000u;
    memcpy(s->engine_tier, "scalar", 7);
    memcpy(s->engine_version, "0.1.0", 6);
    memcpy(s->witness, "w.example", 10);
}

static vb_eth_key *account(uint8_t last) {
    uint8_t secret[VB_ETH_SECRET_BYTES] = {0};
    vb_eth_key *k = NULL;
    secret[sizeof secret - 1] = last;
    assert_int_equal(vb_eth_key_from_secret(secret, &k, NULL), VB_OK);
    return k;
}

static void what_is_made_is_good(void **state) {
    vb_ed25519_key *key = sample_key();
    vb_eth_key *a = account(9);
    vb_statement s, back;
    vb_buf b = vb_buf_make(VB_STATEMENT_BYTES_MAX);
    (void)state;
    for (int mode = VB_MODE_FIXED; mode <= VB_MODE_LOCAL; mode++) {
        fill(&s, (vb_beacon_mode)mode);
        for (uint64_t chain = VB_STATEMENT_ATTESTATIONS_MAX; chain >= 1; chain--) {
            vb_chain_registry registry = {.chain_id = chain};
            assert_int_equal(vb_statement_attest(&s, &registry, a, NULL), VB_OK);
            assert_int_equal(s.attestations[0].registry.chain_id, chain);
        }
        assert_int_equal(vb_statement_sign(&s, key, NULL), VB_OK);
        assert_int_equal(vb_statement_check(&s, NULL), VB_OK);
        b.len = 0;
        assert_int_equal(vb_statement_encode(&s, &b, NULL), VB_OK);
        assert_int_equal(vb_statement_decode(b.data, b.len, &back, NULL), VB_OK);
        assert_int_equal(vb_statement_check(&back, NULL), VB_OK);
        assert_int_equal(vb_statement_match(&back, &s.claim, NULL), VB_OK);
    }
    vb_buf_free(&b);
    vb_eth_key_close(a);
    vb_ed25519_close(key);
}

static void mistakes_of_the_maker_are_refused(void **state) {
    vb_ed25519_key *key = sample_key();
    vb_eth_key *a = account(9);
    vb_chain_registry registry = {.chain_id = 0};
    vb_statement s;
    vb_buf b = vb_buf_make(VB_STATEMENT_BYTES_MAX);
    (void)state;
    fill(&s, VB_MODE_LOCAL);
    assert_int_equal(vb_statement_attest(&s, &registry, a, NULL), VB_EINVAL);
    registry.chain_id = 3;
    assert_int_equal(vb_statement_attest(&s, &registry, a, NULL), VB_OK);
    assert_int_equal(vb_statement_attest(&s, &registry, a, NULL), VB_EINVAL);
    for (registry.chain_id = 4; registry.chain_id < 11; registry.chain_id++) {
        assert_int_equal(vb_statement_attest(&s, &registry, a, NULL), VB_OK);
    }
    assert_int_equal(vb_statement_attest(&s, &registry, a, NULL), VB_ELIMIT);
    memcpy(s.reason, "token", 6); /* with VERIFIED */
    assert_int_equal(vb_statement_sign(&s, key, NULL), VB_OK);
    assert_int_equal(vb_statement_encode(&s, &b, NULL), VB_EFORMAT);
    s.reason[0] = 0;
    assert_int_equal(vb_statement_sign(&s, key, NULL), VB_OK);
    vb_buf small = vb_buf_make(100);
    assert_int_equal(vb_statement_encode(&s, &small, NULL), VB_ELIMIT);
    vb_buf_free(&small);
    assert_int_equal(b.len, 0);
    vb_buf_free(&b);
    vb_eth_key_close(a);
    vb_ed25519_close(key);
}

/* No byte of a statement can be another. */
static void no_flipped_byte_is_good(void **state) {
    vb_ed25519_key *key = sample_key();
    vb_statement s, back;
    vb_buf b = vb_buf_make(VB_STATEMENT_BYTES_MAX);
    (void)state;
    fill(&s, VB_MODE_LOCAL);
    assert_int_equal(vb_statement_sign(&s, key, NULL), VB_OK);
    assert_int_equal(vb_statement_encode(&s, &b, NULL), VB_OK);
    for (size_t i = 0; i < b.len; i++) {
        for (int bit = 0; bit < 8; bit++) {
            b.data[i] ^= (uint8_t)(1 << bit);
            if (!vb_statement_decode(b.data, b.len, &back, NULL) &&
                vb_statement_check(&back, NULL) != VB_EMISMATCH) {
                fail_msg("good with bit %d of byte %zu flipped", bit, i);
            }
            b.data[i] ^= (uint8_t)(1 << bit);
        }
        assert_int_not_equal(vb_statement_decode(b.data, i, &back, NULL), VB_OK);
    }
    vb_buf_free(&b);
    vb_ed25519_close(key);
}

/* A round's time is that of its proof, as far as somebody vouches for it. */
static void the_time_of_a_round(void **state) {
    json_t *doc = json_load_file(VB_SOURCE_DIR "/spec/vectors/receipts/valid.json", 0, NULL);
    const json_t *cases = json_object_get(doc, "cases");
    size_t n_timed = 0, n_untrusted = 0;
    vb_receipt *r = malloc(sizeof *r);
    (void)state;
    assert_true(r && json_array_size(cases) > 0);
    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *c = json_array_get(cases, i), *roots = json_object_get(c, "trust");
        const char *s = text_at(c, "receipt");
        vb_trust *trust = NULL;
        vb_claim claim, without;
        vb_beacon_facts facts = {.timed = false};
        if (!json_is_null(roots)) {
            char *text = json_dumps(roots, 0);
            assert_int_equal(vb_trust_parse(text, strlen(text), &trust, NULL), VB_OK);
            free(text);
        }
        assert_int_equal(vb_receipt_decode(s, strlen(s), r, NULL), VB_OK);
        vb_err err = vb_claim_of_receipt(r, trust, &claim, NULL);
        const bool genuine = r->has_beacon && !vb_beacon_verify(&r->beacon, trust, &facts, NULL) &&
                             facts.timed && facts.next.from < facts.next.to;
        if (err != VB_EFORMAT || facts.next.to <= VB_ISSUED_AT_MS_MAX) {
            assert_int_equal(err, VB_OK);
            assert_int_equal(claim.drawn_at_s, genuine ? facts.next.to / 1000 : 0);
            n_timed += claim.drawn_at_s > 0;
            assert_int_equal(vb_claim_of_receipt(r, NULL, &without, NULL), VB_OK);
            assert_true(without.drawn_at_s == 0 || without.drawn_at_s == claim.drawn_at_s);
            n_untrusted += without.drawn_at_s != claim.drawn_at_s;
        }
        vb_receipt_free(r);
        vb_trust_free(trust);
    }
    assert_true(n_timed > 0 && n_untrusted > 0);
    free(r);
    json_decref(doc);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_case_is_judged_as_stated),
        cmocka_unit_test(matches_and_conflicts_are_as_stated),
        cmocka_unit_test(what_is_made_is_good),
        cmocka_unit_test(mistakes_of_the_maker_are_refused),
        cmocka_unit_test(no_flipped_byte_is_good),
        cmocka_unit_test(the_time_of_a_round),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
