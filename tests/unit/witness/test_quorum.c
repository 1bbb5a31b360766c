/*
 * Quorum: which statements confirm a receipt, and that nothing else leads to VERIFIED.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "unit/receipt/sample_receipt.h"
#include "witness/quorum.h"

enum { N_WITNESSES = 3, STRANGER = 3, N_KEYS = 4 };

typedef struct world {
    vb_ed25519_key *keys[N_KEYS]; /* of the trust file in its order, then one more */
    vb_trust *trust;
    vb_receipt *r;
    vb_buf receipt;
    vb_claim claim;
    vb_quorum *q;
    size_t n_files;
} world;

static vb_report rep;

static void begin(world *w) {
    memset(w, 0, sizeof *w);
    w->receipt = sample_bytes(VB_MODE_LOCAL);
    w->r = malloc(sizeof *w->r);
    w->trust = calloc(1, sizeof *w->trust);
    assert_true(w->r && w->trust);
    *w->trust = *vb_trust_builtin();
    w->trust->witnesses = calloc(N_WITNESSES, sizeof *w->trust->witnesses);
    w->trust->n_witnesses = N_WITNESSES;
    for (int i = 0; i < N_KEYS; i++) {
        uint8_t seed[32];
        memset(seed, 0x60 + i, sizeof seed);
        assert_int_equal(vb_ed25519_from_seed(seed, &w->keys[i], NULL), VB_OK);
        if (i < N_WITNESSES) {
            vb_ed25519_public(w->keys[i], w->trust->witnesses[i].key);
            snprintf(w->trust->witnesses[i].name, 16, "witness-%d", i);
        }
    }
    assert_int_equal(vb_quorum_open(&w->q, NULL), VB_OK);
    assert_int_equal(vb_receipt_decode(w->receipt.data, w->receipt.len, w->r, NULL), VB_OK);
    assert_int_equal(vb_claim_of_receipt(w->r, NULL, &w->claim, NULL), VB_OK);
    vb_receipt_free(w->r);
}

static void end(world *w) {
    for (int i = 0; i < N_KEYS; i++) {
        vb_ed25519_close(w->keys[i]);
    }
    vb_quorum_close(w->q);
    vb_receipt_free(w->r);
    free(w->r);
    free(w->trust->witnesses);
    free(w->trust);
    vb_buf_free(&w->receipt);
}

static void add_statement(world *w, int key, vb_verdict verdict, const char *reason, vb_level level,
                          const vb_claim *claim, bool spoiled) {
    vb_statement s = {.verdict = verdict, .level = level, .judged_at_ms = 5 + w->n_files};
    vb_buf b = vb_buf_make(VB_STATEMENT_BYTES_MAX);
    char file[32];
    s.claim = claim ? *claim : w->claim;
    snprintf(s.reason, sizeof s.reason, "%s", reason);
    memcpy(s.engine_tier, "scalar", 7);
    memcpy(s.engine_version, "0.1.0", 6);
    memcpy(s.witness, "w", 2);
    assert_int_equal(vb_statement_sign(&s, w->keys[key], NULL), VB_OK);
    s.signature[0] ^= spoiled;
    assert_int_equal(vb_statement_encode(&s, &b, NULL), VB_OK);
    snprintf(file, sizeof file, "file-%zu", w->n_files++);
    assert_int_equal(vb_quorum_add(w->q, file, b.data, b.len, NULL), VB_OK);
    vb_buf_free(&b);
}

static void confirm(world *w, int key) {
    add_statement(w, key, VB_VERDICT_VERIFIED, "", VB_LEVEL_FULL, NULL, false);
}

static void refute(world *w, int key) {
    add_statement(w, key, VB_VERDICT_REFUTED, "token", VB_LEVEL_FULL, NULL, false);
}

static void expect(world *w, uint32_t k, vb_verdict verdict, vb_reason reason) {
    vb_report_begin(&rep, VB_LEVEL_QUORUM);
    assert_true(vb_check_receipt(w->receipt.data, w->receipt.len, NULL, w->r, &rep));
    vb_quorum_judge(w->q, w->r, w->trust, k, &rep);
    vb_report_finish(&rep);
    vb_receipt_free(w->r);
    if (vb_report_verdict(&rep) != verdict || vb_report_reason(&rep) != reason) {
        fail_msg("%s %s: %s", vb_verdict_name(vb_report_verdict(&rep)),
                 vb_reason_name(vb_report_reason(&rep)), rep.checks[VB_CHECK_WITNESSES].detail);
    }
}

#define EXPECT_VERIFIED(w, k) expect(w, k, VB_VERDICT_VERIFIED, VB_REASON_NONE)
#define EXPECT_UNCONFIRMED(w, k) expect(w, k, VB_VERDICT_UNVERIFIABLE, VB_REASON_UNCONFIRMED)
#define EXPECT_REFUTED(w, k) expect(w, k, VB_VERDICT_REFUTED, VB_REASON_REFUTED_BY_WITNESSES)

static void as_many_as_asked_for(void **state) {
    (void)state;
    for (int n = 0; n <= N_WITNESSES; n++) {
        world w;
        begin(&w);
        for (int i = 0; i < n; i++) {
            confirm(&w, i);
            confirm(&w, i); /* the same again counts once */
        }
        for (uint32_t k = 1; k <= N_WITNESSES; k++) {
            if ((int)k <= n) {
                EXPECT_VERIFIED(&w, k);
            } else {
                EXPECT_UNCONFIRMED(&w, k);
            }
            assert_int_equal(rep.witnesses->n_confirming, n);
        }
        end(&w);
    }
}

/* One witness confirms, and what else there is never makes two. */
static void nothing_else_confirms(void **state) {
    (void)state;
    for (int other = 0; other < 8; other++) {
        world w;
        begin(&w);
        confirm(&w, 0);
        vb_claim c = w.claim;
        switch (other) {
        case 0: confirm(&w, STRANGER); break;
        case 1: add_statement(&w, 1, VB_VERDICT_VERIFIED, "", VB_LEVEL_SAMPLE, NULL, false); break;
        case 2: add_statement(&w, 1, VB_VERDICT_VERIFIED, "", VB_LEVEL_RECEIPT, NULL, false); break;
        case 3:
            add_statement(&w, 1, VB_VERDICT_UNVERIFIABLE, "x", VB_LEVEL_FULL, NULL, false);
            break;
        case 4: add_statement(&w, 1, VB_VERDICT_VERIFIED, "", VB_LEVEL_FULL, NULL, true); break;
        case 5:
            c.record[0] ^= 1;
            add_statement(&w, 1, VB_VERDICT_VERIFIED, "", VB_LEVEL_FULL, &c, false);
            break;
        case 6:
            c.answer[0] ^= 1;
            add_statement(&w, 1, VB_VERDICT_VERIFIED, "", VB_LEVEL_FULL, &c, false);
            break;
        default:
            c.drawn_at_s++;
            add_statement(&w, 1, VB_VERDICT_VERIFIED, "", VB_LEVEL_FULL, &c, false);
        }
        assert_int_equal(vb_quorum_add(w.q, "x", "{}", 2, NULL), VB_OK);
        EXPECT_VERIFIED(&w, 1);
        EXPECT_UNCONFIRMED(&w, 2);
        end(&w);
    }
}

static void refutations_do_not_take_a_confirmation_back(void **state) {
    world w;
    (void)state;
    begin(&w);
    confirm(&w, 0);
    refute(&w, 1);
    EXPECT_VERIFIED(&w, 1);
    EXPECT_UNCONFIRMED(&w, 2);
    EXPECT_REFUTED(&w, 3); /* two at most can */
    refute(&w, 2);
    refute(&w, 2);
    EXPECT_VERIFIED(&w, 1);
    EXPECT_REFUTED(&w, 2);
    assert_int_equal(rep.witnesses->n_refuting, 2);
    end(&w);
    begin(&w); /* a stranger's refutation, and one for the bytes alone, are none */
    refute(&w, STRANGER);
    add_statement(&w, 0, VB_VERDICT_REFUTED, "signature", VB_LEVEL_FULL, NULL, false);
    EXPECT_UNCONFIRMED(&w, 3);
    end(&w);
}

static void who_contradicts_itself_counts_for_nothing(void **state) {
    world w;
    (void)state;
    begin(&w);
    confirm(&w, 0);
    confirm(&w, 1);
    EXPECT_VERIFIED(&w, 2);
    refute(&w, 0);
    EXPECT_UNCONFIRMED(&w, 2);
    EXPECT_UNCONFIRMED(&w, 3); /* its refutation neither */
    assert_int_equal(rep.witnesses->items[0].standing, VB_STANDING_CONFLICTS);
    assert_string_equal(rep.witnesses->items[0].against, "file-2");
    assert_string_equal(rep.witnesses->items[2].against, "file-0");
    end(&w);
    begin(&w); /* two answers of one record */
    vb_claim c = w.claim;
    c.answer[0] ^= 1;
    confirm(&w, 0);
    add_statement(&w, 0, VB_VERDICT_VERIFIED, "", VB_LEVEL_FULL, &c, false);
    EXPECT_UNCONFIRMED(&w, 1);
    end(&w);
}

/* Witnesses do not save a receipt that is false, nor does information make a verdict. */
static void the_receipt_itself_is_checked(void **state) {
    world w;
    (void)state;
    begin(&w);
    confirm(&w, 0);
    char *at = strstr((char *)w.receipt.data, "\"Hi ");
    assert_non_null(at);
    at[2] = 'o';
    vb_report_begin(&rep, VB_LEVEL_QUORUM);
    assert_true(vb_check_receipt(w.receipt.data, w.receipt.len, NULL, w.r, &rep));
    vb_quorum_judge(w.q, w.r, w.trust, 1, &rep);
    vb_report_finish(&rep);
    vb_receipt_free(w.r);
    assert_int_equal(vb_report_verdict(&rep), VB_VERDICT_REFUTED);
    assert_int_equal(vb_report_reason(&rep), VB_REASON_SIGNATURE);
    at[2] = 'i';
    expect(&w, 0, VB_VERDICT_UNVERIFIABLE, VB_REASON_UNFINISHED); /* nobody asked */
    assert_int_equal(rep.witnesses->n_confirming, 1);
    end(&w);
}

static void reports_name_files_and_witnesses(void **state) {
    world w;
    vb_buf b = vb_buf_make(1 << 20);
    (void)state;
    begin(&w);
    confirm(&w, 0);
    refute(&w, 0);
    confirm(&w, 1);
    EXPECT_VERIFIED(&w, 1);
    assert_int_equal(vb_report_write_text(&rep, &b, NULL), VB_OK);
    assert_non_null(strstr((char *)b.data, "confirmed by 1 of 3, refuted by 0"));
    assert_non_null(strstr((char *)b.data, "contradicted by file-1"));
    assert_non_null(strstr((char *)b.data, "contradicted by file-0"));
    assert_non_null(strstr((char *)b.data, "confirms   witness-1"));
    b.len = 0;
    assert_int_equal(vb_report_write_json(&rep, &b, NULL), VB_OK);
    json_t *o = json_loadb((char *)b.data, b.len, 0, NULL);
    const json_t *found = json_object_get(o, "witnesses");
    assert_int_equal(json_integer_value(json_object_get(found, "quorum")), 1);
    assert_int_equal(json_array_size(json_object_get(found, "statements")), 3);
    json_decref(o);
    vb_buf_free(&b);
    end(&w);
}

static void at_most_so_many_statements(void **state) {
    vb_quorum *q = NULL;
    (void)state;
    assert_int_equal(vb_quorum_open(&q, NULL), VB_OK);
    for (unsigned i = 0; i < VB_QUORUM_STATEMENTS_MAX; i++) {
        assert_int_equal(vb_quorum_add(q, "f", "{}", 2, NULL), VB_OK);
    }
    assert_int_equal(vb_quorum_add(q, "f", "{}", 2, NULL), VB_ELIMIT);
    vb_quorum_close(q);
    vb_quorum_close(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_many_as_asked_for),
        cmocka_unit_test(nothing_else_confirms),
        cmocka_unit_test(refutations_do_not_take_a_confirmation_back),
        cmocka_unit_test(who_contradicts_itself_counts_for_nothing),
        cmocka_unit_test(the_receipt_itself_is_checked),
        cmocka_unit_test(reports_name_files_and_witnesses),
        cmocka_unit_test(at_most_so_many_statements),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
