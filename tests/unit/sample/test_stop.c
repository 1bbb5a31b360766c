/* Stop strings against a naive reference: every text of small alphabets, every kind of cut. */
#include "sample/stop.h"

#include <stdlib.h>
#include <string.h>

#include "support/testing.h"

static vb_stop *open_strings(const char *const *list, size_t n) {
    vb_stop_string strings[VB_STOP_STRINGS_MAX];
    for (size_t i = 0; i < n; i++) {
        strings[i] = (vb_stop_string){list[i], strlen(list[i])};
    }
    vb_stop *s = NULL;
    vb_error e;
    assert_int_equal(vb_stop_open(strings, n, &s, &e), VB_OK);
    return s;
}

/* The rule as the spec states it, by brute force over the whole text so far. */
static vb_stop_state naive(const char *const *list, size_t n, const char *text, size_t len) {
    for (size_t end = 1; end <= len; end++) {
        for (size_t begin = 0; begin < end; begin++) {
            for (size_t j = 0; j < n; j++) {
                if (strlen(list[j]) == end - begin &&
                    memcmp(list[j], text + begin, end - begin) == 0) {
                    return (vb_stop_state){true, j, end, begin};
                }
            }
        }
    }
    for (size_t begin = 0; begin < len; begin++) {
        for (size_t j = 0; j < n; j++) {
            if (strlen(list[j]) > len - begin && memcmp(list[j], text + begin, len - begin) == 0) {
                return (vb_stop_state){false, 0, len, begin};
            }
        }
    }
    return (vb_stop_state){false, 0, len, len};
}

static void assert_state(vb_stop_state got, vb_stop_state want) {
    assert_int_equal(got.matched, want.matched);
    assert_int_equal(got.which, want.which);
    assert_int_equal(got.fed_bytes, want.fed_bytes);
    assert_int_equal(got.safe_bytes, want.safe_bytes);
}

/* Feeds text cut where bit i of cuts is set (after byte i) and checks the state at every cut. */
static void check_cuts(vb_stop *s, const char *const *list, size_t n, const char *text, size_t len,
                       uint64_t cuts) {
    vb_stop_reset(s);
    uint64_t shown = 0;
    for (size_t from = 0, i = 0; i < len; i++) {
        if (cuts >> i & 1 || i + 1 == len) {
            bool matched = vb_stop_feed(s, text + from, i + 1 - from);
            vb_stop_state want = naive(list, n, text, i + 1);
            assert_int_equal(matched, want.matched);
            assert_state(vb_stop_get(s), want);
            assert_true(want.safe_bytes >= shown);
            shown = want.safe_bytes;
            from = i + 1;
        }
    }
}

static void every_text_and_cut(void **state) {
    (void)state;
    static const char *const lists[][4] = {
        {"ab"},       {"aab", "ab"},       {"b", "aab", "ab"},     {"abab", "ba"},
        {"aaaa"},     {"aba", "bab", "a"}, {"abc", "bcd", "c"},    {"abcab", "cabb"},
        {"ab", "ab"}, {"bbbb", "bb"},      {"abaabaaab", "baaab"},
    };
    enum { LEN = 7 };
    for (size_t l = 0; l < sizeof lists / sizeof lists[0]; l++) {
        size_t n = 0;
        while (n < 4 && lists[l][n]) {
            n++;
        }
        vb_stop *s = open_strings(lists[l], n);
        for (unsigned code = 0; code < 3 * 3 * 3 * 3 * 3 * 3 * 3; code++) {
            char text[LEN];
            unsigned c = code;
            for (size_t i = 0; i < LEN; i++, c /= 3) {
                text[i] = (char)('a' + c % 3);
            }
            for (uint64_t cuts = 0; cuts < 1u << (LEN - 1); cuts++) {
                check_cuts(s, lists[l], n, text, LEN, cuts);
            }
        }
        vb_stop_close(s);
    }
}

static void random_lists(void **state) {
    (void)state;
    uint64_t rng = 7;
    for (int round = 0; round < 3000; round++) {
        char strings[VB_STOP_STRINGS_MAX][9];
        const char *list[VB_STOP_STRINGS_MAX];
        size_t n = vb_test_random(&rng) % (VB_STOP_STRINGS_MAX + 1);
        for (size_t j = 0; j < n; j++) {
            size_t len = 1 + vb_test_random(&rng) % 8;
            for (size_t i = 0; i < len; i++) {
                strings[j][i] = (char)('a' + (vb_test_random(&rng) % 8 == 0));
            }
            strings[j][len] = 0;
            list[j] = strings[j];
        }
        char text[40];
        for (size_t i = 0; i < sizeof text; i++) {
            text[i] = (char)('a' + (vb_test_random(&rng) % 4 == 0));
        }
        vb_stop *s = open_strings(list, n);
        check_cuts(s, list, n, text, sizeof text, vb_test_random(&rng));
        vb_stop_close(s);
    }
}

static void order_of_rules(void **state) {
    (void)state;
    /* "b" ends before "abcd" does: the earliest end decides, whatever starts first. */
    vb_stop *s = open_strings((const char *const[]){"abcd", "b"}, 2);
    assert_true(vb_stop_feed(s, "xabcd", 5));
    assert_state(vb_stop_get(s), (vb_stop_state){true, 1, 3, 2});
    assert_true(vb_stop_feed(s, "more", 4));
    assert_state(vb_stop_get(s), (vb_stop_state){true, 1, 3, 2});
    vb_stop_close(s);
    /* Equal ends: the earliest start; equal strings: the first of the list. */
    s = open_strings((const char *const[]){"b", "ab", "ab"}, 3);
    assert_true(vb_stop_feed(s, "xab", 3));
    assert_state(vb_stop_get(s), (vb_stop_state){true, 1, 3, 1});
    vb_stop_close(s);
}

static void zero_bytes_are_text(void **state) {
    (void)state;
    vb_stop_string string = {"\0\xff", 2};
    vb_stop *s = NULL;
    assert_int_equal(vb_stop_open(&string, 1, &s, NULL), VB_OK);
    assert_false(vb_stop_feed(s, "a\0\0", 3));
    assert_state(vb_stop_get(s), (vb_stop_state){false, 0, 3, 2});
    assert_true(vb_stop_feed(s, "\xff", 1));
    assert_state(vb_stop_get(s), (vb_stop_state){true, 0, 4, 2});
    vb_stop_close(s);
}

static void none(void **state) {
    (void)state;
    vb_stop *s = NULL;
    assert_int_equal(vb_stop_open(NULL, 0, &s, NULL), VB_OK);
    assert_false(vb_stop_feed(s, "abc", 3));
    assert_false(vb_stop_feed(s, NULL, 0));
    assert_state(vb_stop_get(s), (vb_stop_state){false, 0, 3, 3});
    vb_stop_close(s);
}

static void limits(void **state) {
    (void)state;
    char *big = malloc(VB_STOP_STRING_BYTES_MAX + 1);
    assert_non_null(big);
    memset(big, 'a', VB_STOP_STRING_BYTES_MAX + 1);
    vb_stop_string strings[VB_STOP_STRINGS_MAX + 1];
    for (size_t i = 0; i <= VB_STOP_STRINGS_MAX; i++) {
        strings[i] = (vb_stop_string){big, VB_STOP_STRING_BYTES_MAX};
    }
    vb_error e;
    vb_stop *s = NULL;
    assert_int_equal(vb_stop_open(strings, VB_STOP_STRINGS_MAX + 1, &s, &e), VB_ELIMIT);
    assert_string_equal(e.msg, "17 stop strings: the limit is 16");
    strings[3].len = 0;
    assert_int_equal(vb_stop_open(strings, VB_STOP_STRINGS_MAX, &s, &e), VB_EINVAL);
    assert_string_equal(e.msg, "stop string 3 is empty: expected at least one byte");
    strings[3].len = VB_STOP_STRING_BYTES_MAX + 1;
    assert_int_equal(vb_stop_open(strings, VB_STOP_STRINGS_MAX, &s, &e), VB_ELIMIT);
    assert_string_equal(e.msg, "stop string 3 has 1025 bytes: the limit is 1024");
    assert_null(s);
    strings[3].len = VB_STOP_STRING_BYTES_MAX;
    assert_int_equal(vb_stop_open(strings, VB_STOP_STRINGS_MAX, &s, &e), VB_OK);
    assert_false(vb_stop_feed(s, big, VB_STOP_STRING_BYTES_MAX - 1));
    assert_int_equal(vb_stop_get(s).safe_bytes, 0);
    assert_true(vb_stop_feed(s, big, 1));
    assert_state(vb_stop_get(s), (vb_stop_state){true, 0, VB_STOP_STRING_BYTES_MAX, 0});
    vb_stop_close(s);
    free(big);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_text_and_cut),
        cmocka_unit_test(random_lists),
        cmocka_unit_test(order_of_rules),
        cmocka_unit_test(zero_bytes_are_text),
        cmocka_unit_test(none),
        cmocka_unit_test(limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
