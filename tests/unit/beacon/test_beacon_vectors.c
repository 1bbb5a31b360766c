/* Every case of every file in spec/vectors/beacons: result and windows as they are stated. */
#include <dirent.h>

#include "unit/beacon/vector_cases.h"

static const char *result_of(vb_err err) {
    switch (err) {
    case VB_OK: return "ok";
    case VB_EFORMAT:
    case VB_EMISMATCH: return "false";
    case VB_EUNTRUSTED: return "untrusted";
    case VB_EUNSUPPORTED: return "unsupported";
    default: return "an error that no vector has";
    }
}

static int differs(const json_t *stated, const vb_beacon_window *w, bool ok) {
    if (!ok) {
        return !json_is_null(stated);
    }
    return json_array_size(stated) != 2 || vector_decimal(json_array_get(stated, 0)) != w->from ||
           vector_decimal(json_array_get(stated, 1)) != w->to;
}

/* Prints what differs; the number of differences. */
static int check(const char *file, const json_t *c) {
    const char *name = json_string_value(json_object_get(c, "name"));
    const char *result = json_string_value(json_object_get(c, "result"));
    vb_error e = {0};
    vb_beacon_facts facts;
    assert_true(json_object_size(c) == 6 && name && result);
    vb_beacon_round r = vector_round(c);
    vb_trust *trust = vector_trust(c);
    vb_err err = vb_beacon_verify(&r, trust, &facts, &e);
    int bad = 0;
    if (strcmp(result_of(err), result) != 0) {
        print_error("%s: %s: expected %s, found %s (%s)\n", file, name, result, result_of(err),
                    e.msg);
        bad++;
    }
    assert_true(!err == facts.timed || err == VB_EUNTRUSTED || strncmp(r.id, "local:", 6) == 0);
    assert_true(!err || e.msg[0]);
    if (differs(json_object_get(c, "next"), &facts.next, !err) ||
        differs(json_object_get(c, "latest"), &facts.latest, !err)) {
        print_error("%s: %s: other windows\n", file, name);
        bad++;
    }
    vb_beacon_round_free(&r);
    vb_trust_free(trust);
    return bad;
}

static void every_case_is_as_stated(void **state) {
    DIR *d = opendir(vb_test_source("spec/vectors/beacons"));
    int bad = 0;
    size_t n_files = 0, n_cases = 0;
    (void)state;
    assert_non_null(d);
    for (struct dirent *entry; (entry = readdir(d));) {
        size_t n = strlen(entry->d_name), i;
        const json_t *c;
        if (n < 5 || strcmp(entry->d_name + n - 5, ".json") != 0) {
            continue;
        }
        json_t *doc = vector_file(entry->d_name);
        n_files++;
        json_array_foreach(json_object_get(doc, "cases"), i, c) {
            bad += check(entry->d_name, c);
            n_cases++;
        }
        json_decref(doc);
    }
    closedir(d);
    print_message("%zu cases in %zu files\n", n_cases, n_files);
    assert_int_equal(bad, 0);
    assert_true(n_files >= 2 && n_cases >= 100);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_case_is_as_stated)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
