/* JSON of others, and typed reads of members: what is not as expected is an error with its path. */
#include "json/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "support/testing.h"
#include "json/jcs.h"

static vb_err foreign(const char *text, size_t n, size_t max, vb_error *e) {
    json_t *v = NULL;
    char *exact = malloc(n ? n : 1); /* a byte read past the end is seen by the sanitizer */
    assert_non_null(exact);
    memcpy(exact, text, n);
    vb_err err = vb_json_parse_foreign(exact, n, max, &v, e);
    assert_true((err == VB_OK) == (v != NULL));
    json_decref(v);
    free(exact);
    return err;
}

static void json_of_others_may_have_any_form(void **state) {
    static const char *const good[] = {
        " { } ",
        "[1, 2]\n",
        "{\"b\":1,\"a\":2}",
        "[1.0,1e2,-0,1.50,0.1000000000000000055]",
        "[\"\\u0041\\/\\ud83d\\ude00\\u0000\"]",
        "[9223372036854775807]",
    };
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        vb_error e = {0};
        if (foreign(good[i], strlen(good[i]), 1000, &e)) {
            fail_msg("%s: %s", good[i], e.msg);
        }
    }
}

static void what_is_not_json_is_refused(void **state) {
    static const char *const bad[] = {
        "",
        " ",
        "1",
        "\"x\"",
        "null",
        "{\"a\":1,\"a\":1}",
        "{\"a\":{\"b\":1,\"b\":2}}",
        "{\"a\":1,\"\\u0061\":2}", /* one name, written in two ways */
        "{}{}",
        "[] x",
        "[1,]",
        "[01]",
        "[+1]",
        "[.5]",
        "[NaN]",
        "[1e999]",
        "[9223372036854775808]",
        "[\"\\ud800\"]",
        "[\"\xff\"]",
        "[\"\xed\xa0\x80\"]",
        "[\"a\nb\"]",
        "[\"a",
        "[\"a\\",
        "{\"\\u0000\":1}",
        "\xef\xbb\xbf{}",
        "/**/[]",
        "]]",
        "{]",
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        vb_error e = {0};
        if (foreign(bad[i], strlen(bad[i]), 1000, &e) != VB_EFORMAT || !e.msg[0]) {
            fail_msg("accepted, or refused without a word: %s", bad[i]);
        }
    }
    assert_int_equal(foreign("[]\0", 3, 1000, NULL), VB_EFORMAT);
}

static void its_limits_are_named(void **state) {
    vb_error e = {0};
    char text[2 * (VB_JSON_DEPTH_MAX + 1)];
    (void)state;
    assert_int_equal(foreign("[1,2]", 5, 5, NULL), VB_OK);
    assert_int_equal(foreign("[1,2]", 5, 4, &e), VB_ELIMIT);
    assert_non_null(strstr(e.msg, "at most 4"));
    for (size_t depth = VB_JSON_DEPTH_MAX; depth <= VB_JSON_DEPTH_MAX + 1; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        assert_int_equal(foreign(text, 2 * depth, 1000, &e),
                         depth <= VB_JSON_DEPTH_MAX ? VB_OK : VB_ELIMIT);
    }
    assert_non_null(strstr(e.msg, "deeper than 32"));
    /* Brackets in strings, also after an escaped quotation mark, are text. */
    static const char in_string[] = "[\"\\\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"]";
    assert_int_equal(foreign(in_string, sizeof in_string - 1, 1000, NULL), VB_OK);
    size_t n = 2 * (size_t)VB_JSON_VALUES_MAX + 2;
    char *many = malloc(n);
    assert_non_null(many);
    memset(many, ',', n);
    assert_int_equal(foreign(many, n, n, &e), VB_ELIMIT);
    assert_non_null(strstr(e.msg, "values"));
    free(many);
}

/* "[x,[],{ },0,0,...]" with so many values: x is no JSON, so that only the count is looked at, and
 * the parser ends at once. */
static vb_err of_values(size_t n_values) {
    static const char head[] = "[x,[],{ }";
    const size_t n_zeros = n_values - 4, n = sizeof head - 1 + 2 * n_zeros + 1;
    char *text = malloc(n);
    assert_non_null(text);
    memcpy(text, head, sizeof head - 1);
    for (size_t i = 0; i < n_zeros; i++) {
        memcpy(text + sizeof head - 1 + 2 * i, ",0", 2);
    }
    text[n - 1] = ']';
    vb_err err = foreign(text, n, n, NULL);
    free(text);
    return err;
}

/* An empty array or object is one value, as every other. */
static void values_are_counted_exactly(void **state) {
    (void)state;
    assert_int_equal(of_values(VB_JSON_VALUES_MAX), VB_EFORMAT);
    assert_int_equal(of_values((size_t)VB_JSON_VALUES_MAX + 1), VB_ELIMIT);
}

/* Containers are counted, not what the innermost holds. */
static void the_deepest_document_may_hold_values(void **state) {
    (void)state;
    for (size_t depth = VB_JSON_DEPTH_MAX; depth <= VB_JSON_DEPTH_MAX + 1; depth++) {
        char text[2 * (VB_JSON_DEPTH_MAX + 1) + 1];
        json_t *v = NULL;
        memset(text, '[', depth);
        text[depth] = '1';
        memset(text + depth + 1, ']', depth);
        vb_err err = vb_json_parse(text, 2 * depth + 1, &v, NULL);
        assert_int_equal(err, depth <= VB_JSON_DEPTH_MAX ? VB_OK : VB_ELIMIT);
        json_decref(v);
    }
}

/* Trees that no parser limited, as others build them. */
static void writing_limits_depth_too(void **state) {
    (void)state;
    for (int with_objects = 0; with_objects < 2; with_objects++) {
        json_t *v = json_true();
        for (unsigned depth = 1; depth <= VB_JSON_DEPTH_MAX + 1; depth++) {
            vb_buf b = vb_buf_make(1 << 12);
            vb_error e = {0};
            json_t *outer = with_objects ? json_object() : json_array();
            assert_int_equal(with_objects ? json_object_set_new(outer, "a", v)
                                          : json_array_append_new(outer, v),
                             0);
            v = outer;
            assert_int_equal(vb_jcs_append(v, &b, &e),
                             depth <= VB_JSON_DEPTH_MAX ? VB_OK : VB_ELIMIT);
            assert_true(depth <= VB_JSON_DEPTH_MAX || strstr(e.msg, "deeper than 32"));
            vb_buf_free(&b);
        }
        json_decref(v);
    }
}

/* One document for all typed reads. */
static const char document[] =
    "{\"array\":[1,2],\"hex\":\"00ff\",\"name\":\"n\",\"null\":null,\"number\":7,\"object\":{\"x\":"
    "1},"
    "\"real\":0.5,\"text\":\"a\\u0000b\",\"tokens\":[0,1048575],\"u64\":\"18446744073709551615\"}";

static json_t *load(const char *text) {
    json_t *v = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    assert_non_null(v);
    return v;
}

/* Everything that a read could leave behind. */
typedef struct readings {
    uint8_t hex[2];
    uint64_t number, u64;
    uint32_t u32, *tokens;
    float real;
    char name[8], or_null[8];
    vb_text text;
    size_t n_tokens;
    const json_t *array;
} readings;

typedef void read_one(vb_fields *f, const char *name, readings *r);

static void read_hex(vb_fields *f, const char *name, readings *r) {
    vb_field_hex(f, name, r->hex, sizeof r->hex);
}
static void read_number(vb_fields *f, const char *name, readings *r) {
    vb_field_number(f, name, 1, 10, &r->number);
}
static void read_u32(vb_fields *f, const char *name, readings *r) {
    vb_field_u32(f, name, 1, 10, &r->u32);
}
static void read_decimal(vb_fields *f, const char *name, readings *r) {
    vb_field_decimal(f, name, 0, UINT64_MAX, &r->u64);
}
static void read_f32(vb_fields *f, const char *name, readings *r) {
    vb_field_f32(f, name, &r->real);
}
static void read_name(vb_fields *f, const char *name, readings *r) {
    vb_field_name(f, name, 1, r->name, sizeof r->name);
}
static void read_name_or_null(vb_fields *f, const char *name, readings *r) {
    vb_field_name_or_null(f, name, r->or_null, sizeof r->or_null);
}
static void read_text(vb_fields *f, const char *name, readings *r) {
    vb_field_text(f, name, 3, &r->text);
}
static void read_tokens(vb_fields *f, const char *name, readings *r) {
    vb_field_tokens(f, name, 1, 2, &r->tokens, &r->n_tokens);
}
static void read_array(vb_fields *f, const char *name, readings *r) {
    r->array = vb_field_array(f, name, 1, 2);
}

static const struct {
    read_one *read;
    const char *good; /* the members it may read, between spaces */
} readers[] = {
    {read_hex, " hex "},
    {read_number, " number "},
    {read_u32, " number "},
    {read_decimal, " u64 "},
    {read_f32, " number real "},
    {read_name, " hex name "},
    {read_name_or_null, " hex name null "},
    {read_text, " name text "},
    {read_tokens, " array tokens "},
    {read_array, " array tokens "},
};

static const readings unread = {.hex = {1, 2},
                                .number = 3,
                                .u64 = 4,
                                .u32 = 5,
                                .real = 6,
                                .name = "7",
                                .or_null = "8",
                                .n_tokens = 9};

/* Each reader on each member, and on one that is not there, of our objects and of others'. */
static void every_read_of_every_type(void **state) {
    static const char *const names[] = {"array", "hex",  "name", "null",   "number", "object",
                                        "real",  "text", "u64",  "tokens", NULL};
    json_t *doc = load(document);
    (void)state;
    for (size_t i = 0; i < sizeof readers / sizeof readers[0]; i++) {
        for (size_t k = 0; k < 10; k++) {
            char between[16];
            vb_error e = {0};
            readings r = unread;
            vb_fields f =
                k % 2 ? vb_fields_foreign(doc, "at", &e) : vb_fields_open(doc, "at", names, &e);
            snprintf(between, sizeof between, " %s ", names[k]);
            bool good = strstr(readers[i].good, between) != NULL;
            readers[i].read(&f, names[k], &r);
            if ((f.err == VB_OK) != good || (!good && !strstr(e.msg, names[k]))) {
                fail_msg("reader %zu of %s: %s", i, names[k], f.err ? e.msg : "accepted");
            }
            if (!good) {
                assert_memory_equal(&r, &unread, sizeof r);
            }
            vb_text_free(&r.text);
            free(r.tokens);
        }
        vb_error e = {0};
        readings r = unread;
        vb_fields f = vb_fields_foreign(doc, "at", &e);
        readers[i].read(&f, "none", &r);
        assert_int_equal(f.err, VB_EFORMAT);
        assert_non_null(strstr(e.msg, "at.none"));
        assert_memory_equal(&r, &unread, sizeof r);
    }
    json_decref(doc);
}

static void values_come_as_they_stand(void **state) {
    json_t *doc = load(document);
    vb_error e = {0};
    readings r = {0};
    (void)state;
    vb_fields f = vb_fields_foreign(doc, "", &e);
    read_hex(&f, "hex", &r);
    read_u32(&f, "number", &r);
    read_decimal(&f, "u64", &r);
    read_f32(&f, "real", &r);
    read_name_or_null(&f, "null", &r);
    read_text(&f, "text", &r);
    read_tokens(&f, "tokens", &r);
    assert_int_equal(f.err, VB_OK);
    assert_memory_equal(r.hex, "\0\xff", 2);
    assert_int_equal(r.u32, 7);
    assert_true(r.u64 == UINT64_MAX && r.real == 0.5f);
    assert_string_equal(r.or_null, "");
    assert_int_equal(r.text.len, 3);
    assert_memory_equal(r.text.p, "a\0b", 4);
    assert_int_equal(r.n_tokens, 2);
    assert_int_equal(r.tokens[1], 1048575);
    vb_text_free(&r.text);
    free(r.tokens);
    json_decref(doc);
}

/* The error that counts is the first. */
static void after_an_error_nothing_is_read(void **state) {
    json_t *doc = load(document);
    vb_error e = {0};
    readings r = unread;
    (void)state;
    vb_fields f = vb_fields_foreign(doc, "", &e);
    read_hex(&f, "u64", &r);
    for (size_t i = 0; i < sizeof readers / sizeof readers[0]; i++) {
        readers[i].read(&f, "number", &r);
        readers[i].read(&f, "none", &r);
    }
    assert_non_null(strstr(e.msg, "u64: expected 4 lower-case hex digits"));
    assert_memory_equal(&r, &unread, sizeof r);
    assert_false(vb_field_is_null(&f, "null"));
    assert_null(vb_field(&f, "null"));
    json_decref(doc);
}

static void objects_have_exactly_their_members(void **state) {
    static const char *const x[] = {"x", NULL}, *const xy[] = {"x", "y", NULL},
                             *const no[] = {NULL};
    json_t *doc = load(document);
    vb_error e = {0};
    (void)state;
    vb_fields f = vb_fields_foreign(doc, "top", &e);
    vb_fields o = vb_fields_member(&f, "object", x);
    assert_int_equal(o.err, VB_OK);
    assert_string_equal(o.path, "top.object");
    o = vb_fields_member(&f, "object", xy);
    assert_int_equal(o.err, VB_EFORMAT);
    assert_string_equal(e.msg, "top.object.y: missing");
    assert_null(o.object);
    o = vb_fields_member(&f, "object", no);
    assert_string_equal(e.msg, "top.object.x: unknown member");
    o = vb_fields_member(&f, "array", x);
    assert_string_equal(e.msg, "top.array: expected an object, found an array");
    o = vb_fields_member(&f, "none", x);
    assert_int_equal(o.err, VB_EFORMAT);
    assert_string_equal(e.msg, "top.none: expected an object, found nothing");
    o = vb_fields_foreign(NULL, "top", &e);
    assert_int_equal(o.err, VB_EFORMAT);
    o = vb_fields_member(&o, "object", x); /* carries the error on */
    assert_int_equal(o.err, VB_EFORMAT);
    json_decref(doc);
}

static void numbers_that_are_f32(void **state) {
    static const struct {
        const char *text;
        bool good;
    } cases[] = {
        {"0", true},
        {"-1", true},
        {"16777217", false},
        {"9007199254740992", true},
        {"9007200328482816", false}, /* an f32, but an integer beyond 2^53 */
        {"9223372036854775807", false},
        {"-9223372036854775808", false},
        {"0.5", true},
        {"0.1", false},
        {"0.10000000149011612", true},
        {"3.4028234663852886e38", true},
        {"3.4028234663852887e38", true}, /* the same f64 */
        {"3.4028235e38", false},
        {"1e39", false},
        {"1e-46", false},
        {"1.401298464324817e-45", true},
        {"\"1\"", false},
        {"null", false},
        {"true", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        json_t *v = load(cases[i].text);
        float x = 77;
        if (vb_json_f32(v, &x) != cases[i].good || (!cases[i].good && x != 77)) {
            fail_msg("%s", cases[i].text);
        }
        json_decref(v);
    }
    float x = 77;
    assert_false(vb_json_f32(NULL, &x));
}

static void decimals_have_one_form(void **state) {
    static const char *const bad[] = {"",
                                      "00",
                                      "01",
                                      "+1",
                                      "-1",
                                      " 1",
                                      "1 ",
                                      "1.0",
                                      "1e3",
                                      "0x1",
                                      "x",
                                      "1\\u0000",
                                      "18446744073709551616",
                                      "99999999999999999999",
                                      "018446744073709551615"};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char text[64];
        vb_error e = {0};
        uint64_t v = 5;
        snprintf(text, sizeof text, "{\"a\":\"%s\"}", bad[i]);
        json_t *doc = load(text);
        vb_fields f = vb_fields_foreign(doc, "", &e);
        vb_field_decimal(&f, "a", 0, UINT64_MAX, &v);
        if (!f.err || v != 5) {
            fail_msg("accepted: %s", bad[i]);
        }
        json_decref(doc);
    }
    json_t *doc = load("{\"a\":\"7\"}");
    vb_fields f = vb_fields_foreign(doc, "", NULL);
    uint64_t v = 5;
    vb_field_decimal(&f, "a", 8, 9, &v);
    assert_int_equal(f.err, VB_EFORMAT);
    f = vb_fields_foreign(doc, "", NULL);
    vb_field_decimal(&f, "a", 7, 7, &v);
    assert_int_equal(v, 7);
    json_decref(doc);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_of_others_may_have_any_form),
        cmocka_unit_test(what_is_not_json_is_refused),
        cmocka_unit_test(its_limits_are_named),
        cmocka_unit_test(values_are_counted_exactly),
        cmocka_unit_test(the_deepest_document_may_hold_values),
        cmocka_unit_test(writing_limits_depth_too),
        cmocka_unit_test(every_read_of_every_type),
        cmocka_unit_test(values_come_as_they_stand),
        cmocka_unit_test(after_an_error_nothing_is_read),
        cmocka_unit_test(objects_have_exactly_their_members),
        cmocka_unit_test(numbers_that_are_f32),
        cmocka_unit_test(decimals_have_one_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
