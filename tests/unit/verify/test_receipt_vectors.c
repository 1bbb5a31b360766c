/*
 * The receipts of spec/vectors/receipts at level `receipt`: each has the verdict and the reason
 * that are stated; and every valid one is changed in every byte, thousands of times: no such mutant
 * is VERIFIED, and each is refused for what it is.
 */
#include "support/testing.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "verify/check.h"

typedef struct outcome {
    vb_verdict verdict;
    vb_reason reason;
    bool read;
} outcome;

/* The checks of level receipt on bytes of their own: a read past the end is seen by the sanitizer.
 */
static outcome check(const char *bytes, size_t n_bytes, const vb_trust *trust) {
    static vb_report rep;
    static vb_receipt r;
    const vb_expect expect = {.trust = trust};
    char *own = malloc(n_bytes ? n_bytes : 1);
    assert_non_null(own);
    memcpy(own, bytes, n_bytes);
    vb_report_begin(&rep, VB_LEVEL_RECEIPT);
    const bool read = vb_check_receipt(own, n_bytes, &expect, &r, &rep);
    vb_report_finish(&rep);
    if (read) {
        vb_receipt_free(&r);
    }
    free(own);
    return (outcome){vb_report_verdict(&rep), vb_report_reason(&rep), read};
}

static json_t *load(const char *file) {
    char path[128];
    size_t n;
    json_error_t e;
    snprintf(path, sizeof path, "spec/vectors/receipts/%s", file);
    uint8_t *text = vb_test_read(vb_test_source(path), &n);
    json_t *doc = json_loadb((const char *)text, n, JSON_ALLOW_NUL, &e);
    assert_non_null(doc);
    free(text);
    return doc;
}

static vb_trust *trust_of(const json_t *c) {
    const json_t *stated = json_object_get(c, "trust");
    vb_trust *trust = NULL;
    vb_error e;
    if (json_is_object(stated)) {
        char *text = json_dumps(stated, JSON_COMPACT);
        assert_int_equal(vb_trust_parse(text, strlen(text), &trust, &e), VB_OK);
        free(text);
    }
    return trust;
}

static size_t check_file(const char *file) {
    json_t *doc = load(file);
    const json_t *cases = json_object_get(doc, "cases"), *c;
    size_t i, bad = 0;
    json_array_foreach(cases, i, c) {
        const json_t *receipt = json_object_get(c, "receipt");
        const char *verdict = json_string_value(json_object_get(c, "verdict"));
        const char *reason = json_string_value(json_object_get(c, "reason"));
        vb_trust *trust = trust_of(c);
        outcome o = check(json_string_value(receipt), json_string_length(receipt), trust);
        if (strcmp(vb_verdict_name(o.verdict), verdict) != 0 ||
            strcmp(vb_reason_name(o.reason), reason ? reason : "none") != 0) {
            print_error("%s: %s: expected %s %s, found %s %s\n", file,
                        json_string_value(json_object_get(c, "name")), verdict,
                        reason ? reason : "none", vb_verdict_name(o.verdict),
                        vb_reason_name(o.reason));
            bad++;
        }
        vb_trust_free(trust);
    }
    assert_true(json_array_size(cases) > 50);
    print_message("%s: %zu cases\n", file, json_array_size(cases));
    json_decref(doc);
    return bad;
}

static void each_has_its_verdict(void **state) {
    (void)state;
    const size_t bad = check_file("valid.json") + check_file("invalid.json") +
                       check_file("unreadable.json") + check_file("proofs.json") +
                       check_file("constraints.json");
    assert_int_equal(bad, 0);
}

enum { CHANGES = 6 };

/* One change of byte `at`: another bit, another digit or letter, a byte less, a byte more, two
 * bytes exchanged, the rest cut off. Returns the new length. */
static size_t change(char *m, size_t n, size_t at, int how, uint64_t random) {
    switch (how) {
    case 0: m[at] = (char)(m[at] ^ (char)(1u << random % 8)); return n;
    case 1: m[at] = "0123456789abcdef"[random % 16]; return n;
    case 2: memmove(m + at, m + at + 1, n - at - 1); return n - 1;
    case 3: memmove(m + at + 1, m + at, n - at); return n + 1;
    case 4: {
        const char c = m[at];
        m[at] = m[(at + 1) % n];
        m[(at + 1) % n] = c;
        return n;
    }
    default: return at;
    }
}

/* What changed bytes may be taken for: not a receipt, another format's, or a receipt that its key
 * did not sign. */
static bool refused(const outcome *o) {
    if (!o->read) {
        return o->verdict == VB_VERDICT_UNVERIFIABLE &&
               (o->reason == VB_REASON_UNREADABLE || o->reason == VB_REASON_UNSUPPORTED_FORMAT);
    }
    return o->verdict == VB_VERDICT_REFUTED && o->reason == VB_REASON_SIGNATURE;
}

static void mutants_of(const json_t *c, uint64_t *seed, size_t step, size_t *n_mutants,
                       size_t *n_read) {
    const json_t *receipt = json_object_get(c, "receipt");
    const char *name = json_string_value(json_object_get(c, "name"));
    const char *bytes = json_string_value(receipt);
    const size_t n = json_string_length(receipt);
    vb_trust *trust = trust_of(c);
    char *m = malloc(n + 2);
    assert_non_null(m);
    assert_int_equal(check(bytes, n, trust).verdict, VB_VERDICT_VERIFIED);
    for (size_t at = vb_test_random(seed) % step; at < n; at += step) {
        for (int how = 0; how < CHANGES; how++) {
            memcpy(m, bytes, n);
            const size_t n_new = change(m, n, at, how, vb_test_random(seed));
            if (n_new == n && memcmp(m, bytes, n) == 0) {
                continue;
            }
            outcome o = check(m, n_new, trust);
            if (!refused(&o)) {
                fail_msg("%s: change %d of byte %zu: %s (%s)", name, how, at,
                         vb_verdict_name(o.verdict), vb_reason_name(o.reason));
            }
            ++*n_mutants;
            *n_read += o.read;
        }
    }
    free(m);
    vb_trust_free(trust);
}

static void no_mutant_is_verified(void **state) {
    json_t *doc = load("valid.json");
    const json_t *cases = json_object_get(doc, "cases"), *c;
    size_t i, n_mutants = 0, n_read = 0;
    uint64_t seed = 11;
    (void)state;
    json_array_foreach(cases, i, c) {
        /* The long ones, those that differ in a number only, and those whose pairings take long, at
         * fewer places. */
        const char *text = json_string_value(json_object_get(c, "receipt"));
        const bool range = strstr(json_string_value(json_object_get(c, "name")), "range") != NULL;
        const bool fewer = range || strlen(text) > 4000 || strstr(text, "drand:");
        if (strcmp(json_string_value(json_object_get(c, "verdict")), "VERIFIED") == 0) {
            mutants_of(c, &seed, fewer ? 97 : 7, &n_mutants, &n_read);
        }
    }
    print_message("%zu mutants, %zu of them well-formed receipts\n", n_mutants, n_read);
    assert_true(n_mutants > 40000 && n_read > 5000);
    json_decref(doc);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_has_its_verdict),
        cmocka_unit_test(no_mutant_is_verified),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
