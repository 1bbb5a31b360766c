/*
 * What becomes of a receipt in the light of trust roots, whatever kind of beacon gave its round:
 * the beacons' own tests show what a proof tells, here the test says it and looks at the verdict.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit/receipt/sample_receipt.h"
#include "verify/check.h"

static vb_report rep;
static vb_receipt parsed;

/* What vb_beacon_verify answers. */
static vb_err result;
static vb_beacon_facts told;
static const vb_trust *asked_with;

vb_err __wrap_vb_beacon_verify(const vb_beacon_round *r, const vb_trust *trust,
                               vb_beacon_facts *facts, vb_error *e);
vb_err __wrap_vb_beacon_verify(const vb_beacon_round *r, const vb_trust *trust,
                               vb_beacon_facts *facts, vb_error *e) {
    asked_with = trust;
    *facts = told;
    return result ? vb_fail(e, result, "the proof of %s, the test says", r->id) : VB_OK;
}

enum { T = 1000000 };

/* A genuine round that both timed modes name for T. */
static void tell_genuine(void) {
    result = VB_OK;
    told = (vb_beacon_facts){.timed = true, .next = {T, T + 1}, .latest = {T, T + 1}};
}

/* A signed receipt with a round of drand:x; the request has what the mode needs. */
static void make(vb_receipt *r, vb_beacon_mode mode, const char *nonce) {
    vb_ed25519_key *key = sample_key();
    sample_request(r, VB_MODE_LOCAL);
    r->request.mode = mode;
    if (mode != VB_MODE_LOCAL) {
        snprintf(r->request.beacon_id, sizeof r->request.beacon_id, "drand:x");
        memcpy(r->beacon.id, r->request.beacon_id, sizeof r->beacon.id);
    }
    r->request.has_round = mode == VB_MODE_FIXED;
    r->request.round = r->beacon.round;
    r->request.issued_at_ms = T;
    snprintf(r->request.nonce, sizeof r->request.nonce, "%s", nonce);
    sample_answer(r, key);
    vb_ed25519_close(key);
}

static vb_verdict check(const vb_receipt *r, const vb_expect *x) {
    vb_buf b = vb_buf_make(VB_RECEIPT_BYTES_MAX);
    vb_error e = {0};
    if (vb_receipt_encode(r, &b, &e)) {
        fail_msg("%s", e.msg);
    }
    vb_report_begin(&rep, VB_LEVEL_RECEIPT);
    assert_true(vb_check_receipt(b.data, b.len, x, &parsed, &rep));
    vb_report_finish(&rep);
    vb_receipt_free(&parsed);
    vb_buf_free(&b);
    return vb_report_verdict(&rep);
}

static void assert_verdict(const vb_receipt *r, const vb_expect *x, vb_verdict verdict,
                           vb_reason reason) {
    vb_verdict v = check(r, x);
    if (v != verdict || vb_report_reason(&rep) != reason) {
        fail_msg("%s (%s), expected %s (%s)", vb_verdict_name(v),
                 vb_reason_name(vb_report_reason(&rep)), vb_verdict_name(verdict),
                 vb_reason_name(reason));
    }
}

static vb_receipt *new_receipt(void) {
    vb_receipt *r = malloc(sizeof *r);
    assert_non_null(r);
    return r;
}

static void free_receipt(vb_receipt *r) {
    vb_receipt_free(r);
    free(r);
}

/* Each answer of the beacons' layer, with the roots that the verifier gave. */
static void a_proof_gives_its_verdict(void **state) {
    static const struct {
        vb_err result;
        vb_verdict verdict;
        vb_reason reason;
    } cases[] = {
        {VB_OK, VB_VERDICT_VERIFIED, VB_REASON_NONE},
        {VB_EMISMATCH, VB_VERDICT_REFUTED, VB_REASON_BEACON_PROOF},
        {VB_EFORMAT, VB_VERDICT_REFUTED, VB_REASON_BEACON_PROOF},
        {VB_ELIMIT, VB_VERDICT_REFUTED, VB_REASON_BEACON_PROOF},
        {VB_EUNTRUSTED, VB_VERDICT_UNVERIFIABLE, VB_REASON_TRUST_ROOT},
        {VB_EUNSUPPORTED, VB_VERDICT_UNVERIFIABLE, VB_REASON_UNSUPPORTED_BEACON},
        {VB_ENOMEM, VB_VERDICT_UNVERIFIABLE, VB_REASON_UNFINISHED},
        {VB_EINTERNAL, VB_VERDICT_UNVERIFIABLE, VB_REASON_UNFINISHED},
    };
    static const vb_beacon_mode modes[] = {VB_MODE_NEXT, VB_MODE_LATEST, VB_MODE_FIXED};
    const vb_trust roots = *vb_trust_builtin();
    vb_receipt *r = new_receipt();
    (void)state;
    for (size_t m = 0; m < sizeof modes / sizeof modes[0]; m++) {
        make(r, modes[m], "n");
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            tell_genuine();
            result = cases[i].result;
            assert_verdict(r, NULL, cases[i].verdict, cases[i].reason);
            assert_ptr_equal(asked_with, vb_trust_builtin());
            const vb_expect x = {.trust = &roots};
            assert_verdict(r, &x, cases[i].verdict, cases[i].reason);
            assert_ptr_equal(asked_with, &roots);
            /* Windows are those of a genuine round, or there are none. */
            const bool timed = modes[m] != VB_MODE_FIXED;
            assert_int_equal(rep.checks[VB_CHECK_ROUND_RULE].status,
                             cases[i].result && timed ? VB_CHECK_UNKNOWN : VB_CHECK_PASS);
        }
        vb_receipt_free(r);
    }
    free(r);
}

/* A round from the past or from the future of the commitment. */
static void the_round_is_the_one_the_mode_names(void **state) {
    static const struct {
        vb_beacon_window window;
        bool good;
    } cases[] = {
        {{T, T + 1}, true},  {{0, T + 1}, true},      {{T, UINT64_MAX}, true},      {{0, T}, false},
        {{T - 1, T}, false}, {{T + 1, T + 2}, false}, {{T + 1, UINT64_MAX}, false}, {{T, T}, false},
        {{0, 0}, false},
    };
    vb_receipt *r = new_receipt();
    (void)state;
    for (int mode = VB_MODE_NEXT; mode <= VB_MODE_LATEST; mode++) {
        make(r, (vb_beacon_mode)mode, "n");
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            const vb_beacon_window any = {0, UINT64_MAX}, never = {0, 0};
            tell_genuine();
            /* The other mode's window does not matter. */
            told.next = mode == VB_MODE_NEXT ? cases[i].window : cases[i].good ? never : any;
            told.latest = mode == VB_MODE_LATEST ? cases[i].window : cases[i].good ? never : any;
            if (cases[i].good) {
                assert_verdict(r, NULL, VB_VERDICT_VERIFIED, VB_REASON_NONE);
            } else {
                assert_verdict(r, NULL, VB_VERDICT_REFUTED, VB_REASON_ROUND_RULE);
            }
        }
        told.timed = false;
        assert_verdict(r, NULL, VB_VERDICT_REFUTED, VB_REASON_ROUND_RULE);
        vb_receipt_free(r);
    }
    free(r);
}

/* A mode or a beacon that the trust file does not accept is no refutation, and hides none. */
static void what_is_not_accepted_is_not_verified(void **state) {
    static char ids[][VB_BEACON_ID_BYTES_MAX + 1] = {"nist:2", "drand:y", "theta:*"};
    vb_receipt *r = new_receipt();
    (void)state;
    for (int mode = VB_MODE_NEXT; mode <= VB_MODE_LOCAL; mode++) {
        vb_trust roots = *vb_trust_builtin();
        const vb_expect x = {.trust = &roots};
        make(r, (vb_beacon_mode)mode, "n");
        tell_genuine();
        roots.modes = 1u << mode;
        assert_verdict(r, &x, VB_VERDICT_VERIFIED, VB_REASON_NONE);
        roots.modes = ~(1u << mode);
        assert_verdict(r, &x, VB_VERDICT_UNVERIFIABLE, VB_REASON_TRUST_ROOT);
        assert_int_equal(rep.checks[VB_CHECK_ROUND_RULE].status, VB_CHECK_UNKNOWN);
        if (mode == VB_MODE_NEXT || mode == VB_MODE_LATEST) {
            told.next.from = told.latest.from = T + 1;
            assert_verdict(r, &x, VB_VERDICT_REFUTED, VB_REASON_ROUND_RULE);
            tell_genuine();
        }
        roots.modes = 1u << mode;
        roots.any_beacon = false;
        roots.beacons = ids;
        roots.n_beacons = 3;
        assert_verdict(r, &x, VB_VERDICT_UNVERIFIABLE, VB_REASON_TRUST_ROOT);
        assert_int_equal(rep.checks[VB_CHECK_BEACON].status, VB_CHECK_UNKNOWN);
        result = VB_EMISMATCH;
        assert_verdict(r, &x, VB_VERDICT_REFUTED, VB_REASON_BEACON_PROOF);
        result = VB_OK;
        snprintf(ids[2], sizeof ids[2], mode == VB_MODE_LOCAL ? "local:*" : "drand:*");
        assert_verdict(r, &x, VB_VERDICT_VERIFIED, VB_REASON_NONE);
        snprintf(ids[2], sizeof ids[2], "%s", r->request.beacon_id);
        assert_verdict(r, &x, VB_VERDICT_VERIFIED, VB_REASON_NONE);
        snprintf(ids[2], sizeof ids[2], "theta:*");
        vb_receipt_free(r);
    }
    /* A caller's seed has no beacon, but a mode. */
    sample_receipt(r, VB_MODE_FIXED);
    vb_trust roots = *vb_trust_builtin();
    const vb_expect x = {.trust = &roots};
    roots.any_beacon = false;
    assert_verdict(r, &x, VB_VERDICT_VERIFIED, VB_REASON_NONE);
    roots.modes = 1u << VB_MODE_NEXT;
    assert_verdict(r, &x, VB_VERDICT_UNVERIFIABLE, VB_REASON_TRUST_ROOT);
    free_receipt(r);
}

static void only_trusted_servers(void **state) {
    vb_trust_key keys[2] = {{.name = "other"}, {.name = "ours"}};
    vb_trust roots = *vb_trust_builtin();
    vb_receipt *r = new_receipt();
    uint8_t expected[32];
    (void)state;
    tell_genuine();
    make(r, VB_MODE_NEXT, "n");
    roots.any_server_key = false;
    roots.server_keys = keys;
    roots.n_server_keys = 2;
    vb_expect x = {.trust = &roots};
    assert_verdict(r, &x, VB_VERDICT_UNVERIFIABLE, VB_REASON_TRUST_ROOT);
    memcpy(keys[1].key, r->request.server_key, 32);
    assert_verdict(r, &x, VB_VERDICT_VERIFIED, VB_REASON_NONE);
    assert_non_null(strstr(rep.checks[VB_CHECK_SERVER_KEY].detail, "\"ours\""));
    assert_true(rep.checks[VB_CHECK_SERVER_KEY].required);
    /* An expected key is asked for besides. */
    memcpy(expected, r->request.server_key, 32);
    x.server_key = expected;
    assert_verdict(r, &x, VB_VERDICT_VERIFIED, VB_REASON_NONE);
    expected[0] ^= 1;
    assert_verdict(r, &x, VB_VERDICT_REFUTED, VB_REASON_SIGNATURE);
    roots.n_server_keys = 1;
    assert_verdict(r, &x, VB_VERDICT_REFUTED, VB_REASON_SIGNATURE);
    expected[0] ^= 1;
    assert_verdict(r, &x, VB_VERDICT_UNVERIFIABLE, VB_REASON_TRUST_ROOT);
    roots.n_server_keys = 0;
    x.server_key = NULL;
    assert_verdict(r, &x, VB_VERDICT_UNVERIFIABLE, VB_REASON_TRUST_ROOT);
    /* Whoever it is, when nobody in particular is trusted: and the report says so. */
    roots.any_server_key = true;
    assert_verdict(r, &x, VB_VERDICT_VERIFIED, VB_REASON_NONE);
    assert_non_null(strstr(rep.checks[VB_CHECK_SERVER_KEY].detail, "not whose"));
    free_receipt(r);
}

static bool grade_says(vb_check_id id, const char *what) {
    return strstr(rep.checks[id].grade, what) != NULL;
}

/* What a pass leaves open is said beside it. */
static void passes_are_graded(void **state) {
    vb_receipt *r = new_receipt();
    uint8_t c[32];
    vb_expect x = {0};
    (void)state;
    tell_genuine();
    snprintf(told.caveat, sizeof told.caveat, "%01279d", 7);
    make(r, VB_MODE_NEXT, "");
    memcpy(c, r->commitment, 32);
    assert_verdict(r, &x, VB_VERDICT_VERIFIED, VB_REASON_NONE);
    assert_string_equal(rep.checks[VB_CHECK_BEACON].grade, told.caveat);
    assert_true(grade_says(VB_CHECK_ROUND_RULE, "nobody could choose it"));
    assert_true(grade_says(VB_CHECK_ROUND_RULE,
                           "; the commitment's time is the server's word, unless it was seen "
                           "before the round"));
    x.commitment = c;
    assert_verdict(r, &x, VB_VERDICT_VERIFIED, VB_REASON_NONE);
    assert_false(grade_says(VB_CHECK_ROUND_RULE, "the server's word"));
    /* A round whose maker chose among many is no fair draw, whatever else holds. */
    told.chosen = true;
    assert_verdict(r, &x, VB_VERDICT_VERIFIED, VB_REASON_NONE);
    assert_false(grade_says(VB_CHECK_ROUND_RULE, "nobody could choose it"));
    assert_true(grade_says(VB_CHECK_ROUND_RULE, "no claim that it was fair"));
    vb_receipt_free(r);
    make(r, VB_MODE_LATEST, "mine");
    assert_verdict(r, &x, VB_VERDICT_REFUTED, VB_REASON_COMMITMENT); /* x expects the other one */
    x = (vb_expect){.nonce = "mine"};
    assert_verdict(r, &x, VB_VERDICT_VERIFIED, VB_REASON_NONE);
    assert_true(grade_says(VB_CHECK_ROUND_RULE, "no claim that it was fair"));
    told.chosen = false;
    vb_receipt_free(r);

    x = (vb_expect){0};
    make(r, VB_MODE_LATEST, "");
    assert_verdict(r, &x, VB_VERDICT_VERIFIED, VB_REASON_NONE);
    assert_true(grade_says(VB_CHECK_ROUND_RULE, "no claim that the draw was fair"));
    vb_receipt_free(r);
    make(r, VB_MODE_LATEST, "mine");
    assert_verdict(r, &x, VB_VERDICT_VERIFIED, VB_REASON_NONE);
    assert_false(grade_says(VB_CHECK_ROUND_RULE, "no claim that"));
    assert_true(grade_says(VB_CHECK_ROUND_RULE, "was not checked"));
    x.nonce = "mine";
    assert_verdict(r, &x, VB_VERDICT_VERIFIED, VB_REASON_NONE);
    assert_false(grade_says(VB_CHECK_ROUND_RULE, "was not checked"));
    assert_true(grade_says(VB_CHECK_ROUND_RULE, "weaker"));
    vb_receipt_free(r);

    make(r, VB_MODE_FIXED, "");
    assert_verdict(r, NULL, VB_VERDICT_VERIFIED, VB_REASON_NONE);
    assert_true(grade_says(VB_CHECK_ROUND_RULE, "not a fair draw"));
    vb_receipt_free(r);
    make(r, VB_MODE_LOCAL, "");
    assert_verdict(r, NULL, VB_VERDICT_VERIFIED, VB_REASON_NONE);
    assert_true(grade_says(VB_CHECK_ROUND_RULE, "rests on the server"));
    free_receipt(r);
}

/* A fallback is named, and is held to its own mode. */
static void a_fallback_is_named(void **state) {
    vb_ed25519_key *key = sample_key();
    vb_receipt *r = new_receipt();
    (void)state;
    tell_genuine();
    sample_request(r, VB_MODE_LOCAL);
    memcpy(r->request.fallback_from, "drand:x", 8);
    sample_answer(r, key);
    assert_verdict(r, NULL, VB_VERDICT_VERIFIED, VB_REASON_NONE);
    assert_non_null(strstr(rep.checks[VB_CHECK_ROUND_RULE].detail, "a fallback from drand:x"));
    assert_true(grade_says(VB_CHECK_ROUND_RULE, "rests on the server"));
    vb_ed25519_close(key);
    free_receipt(r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_proof_gives_its_verdict),
        cmocka_unit_test(the_round_is_the_one_the_mode_names),
        cmocka_unit_test(what_is_not_accepted_is_not_verified),
        cmocka_unit_test(only_trusted_servers),
        cmocka_unit_test(passes_are_graded),
        cmocka_unit_test(a_fallback_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
