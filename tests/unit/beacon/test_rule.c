/* The round rule (spec/beacons.md, section 2): every mode with every kind, windows to the
 * millisecond. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "beacon/beacon.h"
#include "support/testing.h"

static const char *const ids[] = {"drand:x", "theta:x", "ethereum:1", "nist:1", "mix:x", "local:x"};
enum { N_IDS = sizeof ids / sizeof ids[0] };

static vb_beacon_round round_of(const char *id, uint64_t number) {
    vb_beacon_round r = {.round = number, .n_randomness = 32};
    snprintf(r.id, sizeof r.id, "%s", id);
    return r;
}

/* The two windows have no moment in common: whoever mixes them up is seen. */
static const vb_beacon_facts facts = {.timed = true, .next = {1000, 4000}, .latest = {4000, 7000}};

static vb_err rule(vb_beacon_mode mode, uint64_t t, const uint64_t *fixed, const char *id,
                   const vb_beacon_facts *f, vb_error *e) {
    vb_beacon_round r = round_of(id, 9);
    memset(e, 0, sizeof *e);
    return vb_beacon_round_rule(mode, t, fixed, &r, f, e);
}

static void windows_to_the_millisecond(void **state) {
    static const struct {
        uint64_t t;
        vb_err next, latest;
    } cases[] = {{0, VB_EMISMATCH, VB_EMISMATCH},    {999, VB_EMISMATCH, VB_EMISMATCH},
                 {1000, VB_OK, VB_EMISMATCH},        {3999, VB_OK, VB_EMISMATCH},
                 {4000, VB_EMISMATCH, VB_OK},        {6999, VB_EMISMATCH, VB_OK},
                 {7000, VB_EMISMATCH, VB_EMISMATCH}, {UINT64_MAX, VB_EMISMATCH, VB_EMISMATCH}};
    vb_error e;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (size_t k = 0; k < N_IDS - 1; k++) {
            uint64_t t = cases[i].t;
            assert_int_equal(rule(VB_MODE_NEXT, t, NULL, ids[k], &facts, &e), cases[i].next);
            if (cases[i].next) {
                assert_non_null(strstr(e.msg, t < 1000 ? "future" : "past"));
            }
            assert_int_equal(rule(VB_MODE_LATEST, t, NULL, ids[k], &facts, &e), cases[i].latest);
            if (cases[i].latest) {
                assert_non_null(strstr(e.msg, t < 4000 ? "future" : "past"));
            }
        }
    }
}

static void windows_that_are_empty_or_whole(void **state) {
    static const uint64_t times[] = {0, 1, 4999, 5000, 5001, UINT64_MAX - 1, UINT64_MAX};
    vb_beacon_facts empty = {.timed = true, .next = {5000, 5000}, .latest = {0, 0}};
    vb_beacon_facts whole = {.timed = true, .next = {0, UINT64_MAX}, .latest = {0, UINT64_MAX}};
    vb_error e;
    (void)state;
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        vb_err all = times[i] < UINT64_MAX ? VB_OK : VB_EMISMATCH;
        for (int m = VB_MODE_NEXT; m <= VB_MODE_LATEST; m++) {
            assert_int_equal(rule((vb_beacon_mode)m, times[i], NULL, ids[0], &empty, &e),
                             VB_EMISMATCH);
            assert_int_equal(rule((vb_beacon_mode)m, times[i], NULL, ids[0], &whole, &e), all);
        }
    }
}

/* Rounds without a time are neither the next nor the latest, whatever the windows hold. */
static void modes_that_need_a_time(void **state) {
    vb_beacon_facts untimed = {.timed = false, .next = {0, UINT64_MAX}, .latest = {0, UINT64_MAX}};
    vb_error e;
    (void)state;
    for (size_t k = 0; k < N_IDS; k++) {
        for (int m = VB_MODE_NEXT; m <= VB_MODE_LATEST; m++) {
            assert_int_equal(rule((vb_beacon_mode)m, 5, NULL, ids[k], &untimed, &e), VB_EMISMATCH);
            assert_non_null(strstr(e.msg, ids[k]));
        }
    }
}

static void mode_fixed(void **state) {
    static const struct {
        uint64_t round, fixed;
    } cases[] = {{9, 9},         {9, 8}, {9, 10}, {0, 0}, {0, 1}, {UINT64_MAX, UINT64_MAX},
                 {1, UINT64_MAX}};
    vb_error e = {0};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (size_t k = 0; k < N_IDS; k++) {
            vb_beacon_round r = round_of(ids[k], cases[i].round);
            bool ok = cases[i].round == cases[i].fixed && strncmp(ids[k], "mix", 3) != 0;
            /* A replayed round may be of any time, and of a kind without times. */
            assert_int_equal(
                vb_beacon_round_rule(VB_MODE_FIXED, 1, &cases[i].fixed, &r, &facts, &e),
                ok ? VB_OK : VB_EMISMATCH);
            assert_int_equal(vb_beacon_round_rule(VB_MODE_FIXED, 1, NULL, &r, &facts, &e),
                             VB_EMISMATCH);
        }
    }
}

static void mode_local(void **state) {
    vb_error e;
    (void)state;
    for (size_t k = 0; k < N_IDS; k++) {
        bool local = strncmp(ids[k], "local", 5) == 0;
        assert_int_equal(rule(VB_MODE_LOCAL, 2000, NULL, ids[k], &facts, &e),
                         local ? VB_OK : VB_EMISMATCH);
    }
}

static void unknown_modes(void **state) {
    vb_error e;
    (void)state;
    uint64_t nine = 9;
    assert_int_equal(rule(VB_MODE_UNKNOWN, 2000, &nine, ids[0], &facts, &e), VB_EUNSUPPORTED);
    assert_int_equal(rule((vb_beacon_mode)7, 2000, &nine, ids[0], &facts, &e), VB_EUNSUPPORTED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_to_the_millisecond),
        cmocka_unit_test(windows_that_are_empty_or_whole),
        cmocka_unit_test(modes_that_need_a_time),
        cmocka_unit_test(mode_fixed),
        cmocka_unit_test(mode_local),
        cmocka_unit_test(unknown_modes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
