/* Sets of records against a plain count over the same numbers, and a set that is large. */
#include "support/testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "verify/audit.h"

static vb_error e;

static vb_audit *open_audit(void) {
    vb_audit *a = NULL;
    assert_int_equal(vb_audit_open(&a, &e), VB_OK);
    return a;
}

static vb_audit_record record(uint8_t key, uint64_t sequence, uint8_t hash, vb_audit_kind kind,
                              uint64_t label) {
    vb_audit_record r = {.sequence = sequence, .kind = kind, .label = label};
    memset(r.key, key, sizeof r.key);
    memset(r.hash, hash, sizeof r.hash);
    return r;
}

static void add(vb_audit *a, uint8_t key, uint64_t sequence, uint8_t hash, vb_audit_kind kind,
                uint64_t label) {
    const vb_audit_record r = record(key, sequence, hash, kind, label);
    assert_int_equal(vb_audit_add(a, &r, &e), VB_OK);
}

/* Findings as one line each. */
static char told[1 << 16];
static size_t n_told;

static void tell_missing(void *user, const uint8_t key[32], uint64_t from, uint64_t to) {
    (void)user;
    n_told += (size_t)snprintf(told + n_told, sizeof told - n_told, "missing %u %llu-%llu\n",
                               key[0], (unsigned long long)from, (unsigned long long)to);
}

static void tell_two(const char *what, const vb_audit_record *a, const vb_audit_record *b) {
    assert_memory_equal(a->key, b->key, 32);
    assert_int_equal(a->sequence, b->sequence);
    n_told += (size_t)snprintf(told + n_told, sizeof told - n_told, "%s %u %llu: %llu %llu\n", what,
                               a->key[0], (unsigned long long)a->sequence,
                               (unsigned long long)a->label, (unsigned long long)b->label);
}

static void tell_conflict(void *user, const vb_audit_record *a, const vb_audit_record *b) {
    (void)user;
    tell_two("conflict", a, b);
}

static void tell_duplicate(void *user, const vb_audit_record *a, const vb_audit_record *b) {
    (void)user;
    tell_two("duplicate", a, b);
}

static void tell_key(void *user, const vb_audit_key *k) {
    (void)user;
    n_told += (size_t)snprintf(
        told + n_told, sizeof told - n_told, "key %u %llu-%llu r%llu a%llu m%llu c%llu d%llu\n",
        k->key[0], (unsigned long long)k->first, (unsigned long long)k->last,
        (unsigned long long)k->n_receipts, (unsigned long long)k->n_aborts,
        (unsigned long long)k->n_missing, (unsigned long long)k->n_conflicting,
        (unsigned long long)k->n_duplicates);
}

static const vb_audit_findings tell = {.missing = tell_missing,
                                       .conflict = tell_conflict,
                                       .duplicate = tell_duplicate,
                                       .key = tell_key};

static const char *report(vb_audit *a) {
    n_told = 0;
    told[0] = 0;
    vb_audit_report(a, &tell);
    return told;
}

static void findings_in_order(void **state) {
    vb_audit *a = open_audit();
    (void)state;
    assert_string_equal(report(a), "");
    add(a, 2, UINT64_MAX, 1, VB_AUDIT_RECEIPT, 0);
    assert_string_equal(report(a), "key 2 18446744073709551615-18446744073709551615 r1 a0 m0 c0 "
                                   "d0\n");
    add(a, 2, 1, 1, VB_AUDIT_ABORT, 1); /* one hash at two numbers is two records */
    add(a, 1, 9, 5, VB_AUDIT_RECEIPT, 2);
    add(a, 1, 7, 4, VB_AUDIT_RECEIPT, 3);
    add(a, 1, 7, 4, VB_AUDIT_RECEIPT, 4); /* the same record twice is no conflict */
    add(a, 1, 6, 3, VB_AUDIT_RECEIPT, 5);
    add(a, 1, 6, 3, VB_AUDIT_ABORT, 6); /* a receipt and an abort are */
    add(a, 1, 9, 6, VB_AUDIT_RECEIPT, 7);
    add(a, 1, 9, 7, VB_AUDIT_ABORT, 8);
    add(a, 1, 9, 6, VB_AUDIT_RECEIPT, 9);
    add(a, 1, 4, 8, VB_AUDIT_ABORT, 10);
    static const char want[] = "missing 1 5-5\n"
                               "conflict 1 6: 5 6\n"
                               "duplicate 1 7: 3 4\n"
                               "missing 1 8-8\n"
                               "conflict 1 9: 2 7\n"
                               "duplicate 1 9: 7 9\n"
                               "conflict 1 9: 2 8\n"
                               "key 1 4-9 r4 a3 m2 c2 d2\n"
                               "missing 2 2-18446744073709551614\n"
                               "key 2 1-18446744073709551615 r1 a1 m18446744073709551613 c0 d0\n";
    assert_string_equal(report(a), want);
    assert_string_equal(report(a), want);
    /* The functions are optional, and more records may come. */
    const vb_audit_findings none = {0};
    vb_audit_report(a, &none);
    add(a, 3, 1, 1, VB_AUDIT_RECEIPT, 11);
    assert_non_null(strstr(report(a), "key 3 1-1 r1 a0 m0 c0 d0\n"));
    const vb_audit_record zero = record(1, 0, 0, VB_AUDIT_RECEIPT, 0);
    assert_int_equal(vb_audit_add(a, &zero, &e), VB_EINVAL);
    vb_audit_close(a);
    vb_audit_close(NULL);
}

/* Random small sets, each in two orders: as a count over a table has it. */
static void any_set_in_any_order(void **state) {
    enum { NUMBERS = 9, ROUNDS = 3000 };
    uint64_t rng = 17;
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        vb_audit_record list[24];
        size_t n = 1 + vb_test_random(&rng) % 24;
        unsigned seen[NUMBERS + 1][4] = {{0}};
        char once[1 << 12];
        for (size_t i = 0; i < n; i++) {
            const uint64_t sequence = 1 + vb_test_random(&rng) % NUMBERS;
            const unsigned which = vb_test_random(&rng) % 4; /* two receipts, two aborts */
            list[i] = record(1, sequence, which % 2 ? 200 : 100,
                             which < 2 ? VB_AUDIT_RECEIPT : VB_AUDIT_ABORT, i);
            seen[sequence][which]++;
        }
        unsigned first = 0, last = 0, missing = 0, conflicting = 0, duplicates = 0, kinds[2] = {0};
        for (unsigned s = 1; s <= NUMBERS; s++) {
            unsigned different = 0;
            for (unsigned w = 0; w < 4; w++) {
                different += seen[s][w] > 0;
                kinds[w / 2] += seen[s][w] > 0;
                duplicates += seen[s][w] > 1 ? seen[s][w] - 1 : 0;
            }
            conflicting += different > 1;
            first = first == 0 && different ? s : first;
            last = different ? s : last;
        }
        for (unsigned s = first; s <= last; s++) {
            missing += !(seen[s][0] + seen[s][1] + seen[s][2] + seen[s][3]);
        }
        for (int order = 0; order < 2; order++) {
            vb_audit *a = open_audit();
            for (size_t i = 0; i < n; i++) {
                assert_int_equal(vb_audit_add(a, &list[order ? n - 1 - i : i], &e), VB_OK);
            }
            char want[128];
            snprintf(want, sizeof want, "key 1 %u-%u r%u a%u m%u c%u d%u\n", first, last, kinds[0],
                     kinds[1], missing, conflicting, duplicates);
            assert_non_null(strstr(report(a), want));
            if (order) {
                assert_string_equal(told, once);
            }
            memcpy(once, told, n_told + 1);
            vb_audit_close(a);
        }
    }
}

/* A million records of three keys, with one gap, one conflict and one duplicate. */
static void a_million_records(void **state) {
    enum { MILLION = 1000000 };
    vb_audit *a = open_audit();
    (void)state;
    assert_true(sizeof(vb_audit_record) <= 100);
    for (uint64_t i = 0; i < MILLION; i++) {
        const uint64_t sequence = 1 + i * 999983 % MILLION; /* every number once, scattered */
        if (sequence != 500001) {
            add(a, (uint8_t)(sequence % 3), sequence / 3 + 1, (uint8_t)sequence, VB_AUDIT_RECEIPT,
                i);
        }
    }
    add(a, 1, 7, 200, VB_AUDIT_ABORT, MILLION);
    add(a, 2, 4, (uint8_t)(3 * 3 + 2), VB_AUDIT_RECEIPT, MILLION + 1);
    report(a);
    assert_non_null(strstr(told, "missing 0 166668-166668\n"));
    assert_non_null(strstr(told, "key 0 2-333334 r333332 a0 m1 c0 d0\n"));
    assert_non_null(strstr(told, "conflict 1 7: "));
    assert_non_null(strstr(told, "key 1 1-333334 r333334 a1 m0 c1 d0\n"));
    assert_non_null(strstr(told, "duplicate 2 4: "));
    assert_non_null(strstr(told, "key 2 1-333333 r333333 a0 m0 c0 d1\n"));
    vb_audit_close(a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(findings_in_order),
        cmocka_unit_test(any_set_in_any_order),
        cmocka_unit_test(a_million_records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
