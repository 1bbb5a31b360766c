/* RFC 8785: numbers (its appendix B), member order and strings (its section 3.2). */
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "support/testing.h"
#include "json/jcs.h"
#include "json/json.h"

static void numbers_of_the_rfc(void **state) {
    static const struct {
        uint64_t bits;
        const char *text;
    } cases[] = {
        {0x0000000000000000, "0"},
        {0x8000000000000000, "0"},
        {0x0000000000000001, "5e-324"},
        {0x8000000000000001, "-5e-324"},
        {0x7fefffffffffffff, "1.7976931348623157e+308"},
        {0xffefffffffffffff, "-1.7976931348623157e+308"},
        {0x4340000000000000, "9007199254740992"},
        {0xc340000000000000, "-9007199254740992"},
        {0x4430000000000000, "295147905179352830000"},
        {0x44b52d02c7e14af5, "9.999999999999997e+22"},
        {0x44b52d02c7e14af6, "1e+23"},
        {0x44b52d02c7e14af7, "1.0000000000000001e+23"},
        {0x444b1ae4d6e2ef4e, "999999999999999700000"},
        {0x444b1ae4d6e2ef4f, "999999999999999900000"},
        {0x444b1ae4d6e2ef50, "1e+21"},
        {0x3eb0c6f7a0b5ed8c, "9.999999999999997e-7"},
        {0x3eb0c6f7a0b5ed8d, "0.000001"},
        {0x41b3de4355555553, "333333333.3333332"},
        {0x41b3de4355555554, "333333333.33333325"},
        {0x41b3de4355555555, "333333333.3333333"},
        {0x41b3de4355555556, "333333333.3333334"},
        {0x41b3de4355555557, "333333333.33333343"},
        {0xbecbf647612f3696, "-0.0000033333333333333333"},
        {0x43143ff3c1cb0959, "1424953923781206.2"},
        /* 2^-44: the shortest digits lie above the value, where doubles are further apart. */
        {0x3d30000000000000, "5.684341886080802e-14"},
        {0x3fe99999a0000000, "0.800000011920929"},
        {0x3ff0000000000000, "1"},
        {0xbfb99999a0000000, "-0.10000000149011612"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        double x;
        char text[VB_JCS_NUMBER_BYTES];
        memcpy(&x, &cases[i].bits, sizeof x);
        vb_jcs_number(x, text);
        assert_string_equal(text, cases[i].text);
    }
}

/* Every number reads back as itself, and no shorter decimal does. */
static void numbers_are_shortest(void **state) {
    uint64_t seed = 1;
    (void)state;
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = vb_test_random(&seed);
        double x;
        char text[VB_JCS_NUMBER_BYTES], shorter[64];
        if (i % 4 == 0) {
            bits &= 0xfff0000000000000; /* powers of two */
        }
        memcpy(&x, &bits, sizeof x);
        if (i % 4 == 1) {
            x = (double)(float)x; /* what receipts hold */
        }
        if (!isfinite(x)) {
            continue;
        }
        vb_jcs_number(x, text);
        assert_true(strlen(text) < sizeof text);
        assert_true(strtod(text, NULL) == x);
        int digits = 0;
        bool leading = true;
        int trailing = 0;
        for (const char *p = text; *p && *p != 'e'; p++) {
            if (*p >= '0' && *p <= '9') {
                leading &= *p == '0';
                digits += !leading;
                trailing = *p == '0' ? trailing + 1 : 0;
            }
        }
        digits -= trailing < digits ? trailing : 0;
        if (digits > 1) {
            snprintf(shorter, sizeof shorter, "%.*e", digits - 2, x);
            assert_true(strtod(shorter, NULL) != x);
        }
    }
}

static json_t *load(const char *text) {
    json_t *v = json_loads(text, JSON_DECODE_ANY, NULL);
    assert_non_null(v);
    return v;
}

static void assert_canonical(const char *text, const char *expected) {
    json_t *v = load(text);
    vb_buf b = vb_buf_make(4096);
    assert_int_equal(vb_jcs_append(v, &b, NULL), VB_OK);
    assert_string_equal((char *)b.data, expected);
    vb_buf_free(&b);
    json_decref(v);
}

static void the_rfcs_document(void **state) {
    (void)state;
    assert_canonical("{\"numbers\": [333333333.33333329, 1E30, 4.50, 2e-3, "
                     "0.000000000000000000000000001],\n"
                     "\"string\": \"\\u20ac$\\u000F\\u000aA'\\u0042\\u0022\\u005c\\\\\\\"\\/\","
                     "\"literals\": [null, true, false]}",
                     "{\"literals\":[null,true,false],\"numbers\":[333333333.3333333,1e+30,4.5,"
                     "0.002,1e-27],\"string\":\"\xe2\x82\xac$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}");
}

static void members_sort_by_utf16(void **state) {
    (void)state;
    /* RFC 8785, 3.2.3: U+1F600 (surrogates, 0xd83d) sorts before U+FB33. */
    assert_canonical("{\"\\u20ac\":1,\"\\r\":2,\"\\ufb33\":3,\"1\":4,\"\\ud83d\\ude00\":5,"
                     "\"\\u0080\":6,\"\\u00f6\":7,\"\":8,\"1a\":9}",
                     "{\"\":8,\"\\r\":2,\"1\":4,\"1a\":9,\"\xc2\x80\":6,\"\xc3\xb6\":7,"
                     "\"\xe2\x82\xac\":1,\"\xf0\x9f\x98\x80\":5,\"\xef\xac\xb3\":3}");
    assert_canonical("{\"\\ufffdb\":1,\"\\ue000\":2,\"\\udbff\\udfff\":3,\"\\ud7ff\":4}",
                     "{\"\xed\x9f\xbf\":4,\"\xf4\x8f\xbf\xbf\":3,\"\xee\x80\x80\":2,"
                     "\"\xef\xbf\xbd"
                     "b\":1}");
}

static void strings_escape_only_what_they_must(void **state) {
    (void)state;
    assert_canonical("\"\\b\\t\\n\\f\\r\\u000b\\u001f\\u007f\\u2028\\/\"",
                     "\"\\b\\t\\n\\f\\r\\u000b\\u001f\x7f\xe2\x80\xa8/\"");
    assert_canonical("\"\"", "\"\"");
}

static void integers_beyond_2_53_are_refused(void **state) {
    static const char *const bad[] = {"9007199254740993", "-9007199254740993",
                                      "9223372036854775807", "-9223372036854775808"};
    (void)state;
    assert_canonical("9007199254740992", "9007199254740992");
    assert_canonical("-9007199254740992", "-9007199254740992");
    for (size_t i = 0; i < 4; i++) {
        json_t *v = load(bad[i]);
        vb_buf b = vb_buf_make(4096);
        vb_error e = {0};
        assert_int_equal(vb_jcs_append(v, &b, &e), VB_EFORMAT);
        assert_non_null(strstr(e.msg, "2^53"));
        vb_buf_free(&b);
        json_decref(v);
    }
}

static void a_full_buffer_is_an_error(void **state) {
    json_t *v = load("[1,2,3]");
    vb_error e = {0};
    (void)state;
    vb_buf b = vb_buf_make(6);
    assert_int_equal(vb_jcs_append(v, &b, &e), VB_ELIMIT);
    assert_int_equal(e.code, VB_ELIMIT);
    vb_buf_free(&b);
    json_decref(v);
}

static void a_locale_changes_nothing(void **state) {
    char text[VB_JCS_NUMBER_BYTES];
    (void)state;
    if (!setlocale(LC_NUMERIC, "de_DE.UTF-8") && !setlocale(LC_NUMERIC, "fr_FR.UTF-8")) {
        printf("SKIPPED, no locale with a decimal comma is installed\n");
        skip();
    }
    vb_jcs_number(0.8f, text);
    setlocale(LC_NUMERIC, "C");
    assert_string_equal(text, "0.800000011920929");
}

static vb_err parse(const char *text, size_t n, vb_error *e) {
    json_t *v = NULL;
    vb_err err = vb_json_parse(text, n, &v, e);
    if (!err) {
        json_decref(v);
    }
    return err;
}

static void only_canonical_json_is_read(void **state) {
    static const char *const good[] = {"{}", "[]", "{\"a\":[1,-2,0.5,\"x\",null,true]}",
                                       "{\"a\":\"\\u0000\"}"};
    static const char *const bad[] = {"",
                                      " {}",
                                      "{} ",
                                      "{}\n",
                                      "{ }",
                                      "[1, 2]",
                                      "{\"b\":1,\"a\":2}",
                                      "{\"a\":1,\"a\":1}",
                                      "[1.0]",
                                      "[1e2]",
                                      "[-0]",
                                      "[01]",
                                      "[1.50]",
                                      "[1e999]",
                                      "[\"\\u0041\"]",
                                      "[\"\\/\"]",
                                      "[\"\\u000a\"]",
                                      "[\"\\ud800\"]",
                                      "[\"\xff\"]",
                                      "[\"\xc0\x80\"]",
                                      "[\"\xed\xa0\x80\"]",
                                      "[9007199254740993]",
                                      "[18446744073709551616]",
                                      "[NaN]",
                                      "[1,]",
                                      "{\"a\":1}{}",
                                      "[1]x",
                                      "[0.1000000000000000055]",
                                      "1",
                                      "\"x\"",
                                      "null",
                                      "[\"a\nb\"]",
                                      "{\"\\u0000\":1}",
                                      "\xef\xbb\xbf{}",
                                      "[1E3]",
                                      "[+1]",
                                      "[.5]",
                                      "[-0.0]",
                                      "/**/[]"};
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        vb_error e = {0};
        if (parse(good[i], strlen(good[i]), &e)) {
            fail_msg("%s: %s", good[i], e.msg);
        }
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        vb_error e = {0};
        if (parse(bad[i], strlen(bad[i]), &e) != VB_EFORMAT || !e.msg[0]) {
            fail_msg("accepted, or refused without a word: %s", bad[i]);
        }
    }
    assert_int_equal(parse("[]\0", 3, NULL), VB_EFORMAT);
}

static void depth_is_limited(void **state) {
    char text[2 * 40000];
    (void)state;
    for (size_t depth = VB_JSON_DEPTH_MAX - 1; depth <= 40000; depth += depth < 40 ? 1 : 39928) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        vb_error e = {0};
        vb_err err = parse(text, 2 * depth, &e);
        assert_int_equal(err, depth <= VB_JSON_DEPTH_MAX ? VB_OK : VB_ELIMIT);
    }
}

static void values_are_limited(void **state) {
    size_t n = 2 * (size_t)VB_JSON_VALUES_MAX + 2;
    char *text = malloc(n);
    (void)state;
    assert_non_null(text);
    text[0] = '[';
    for (size_t i = 1; i < n - 1; i++) {
        text[i] = i % 2 ? '1' : ',';
    }
    text[n - 1] = ']';
    assert_int_equal(parse(text, n, NULL), VB_ELIMIT);
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_of_the_rfc),
        cmocka_unit_test(numbers_are_shortest),
        cmocka_unit_test(the_rfcs_document),
        cmocka_unit_test(members_sort_by_utf16),
        cmocka_unit_test(strings_escape_only_what_they_must),
        cmocka_unit_test(integers_beyond_2_53_are_refused),
        cmocka_unit_test(a_full_buffer_is_an_error),
        cmocka_unit_test(a_locale_changes_nothing),
        cmocka_unit_test(only_canonical_json_is_read),
        cmocka_unit_test(depth_is_limited),
        cmocka_unit_test(values_are_limited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
