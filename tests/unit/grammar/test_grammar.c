/* Which texts a constraint accepts, and which constraints are refused: spec/constraints.md,
 * sections 2 to 4. */
#include "grammar_kit.h"

#include <stdio.h>

static vb_tokenizer *tokenizer;
static vb_vocabulary *vocabulary;

static int setup(void **state) {
    (void)state;
    tokenizer = kit_tokenizer();
    vocabulary = kit_vocabulary(tokenizer);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    vb_vocabulary_close(vocabulary);
    vb_tokenizer_close(tokenizer);
    return 0;
}

static bool accepts(const char *constraint, const char *text) {
    vb_grammar *g = kit_grammar(constraint);
    vb_grammar_state *s = kit_state(g, vocabulary);
    const bool is = vb_grammar_feed(s, text, strlen(text)) && vb_grammar_complete(s);
    vb_grammar_state_close(s);
    vb_grammar_close(g);
    return is;
}

typedef struct texts {
    const char *constraint;
    const char *good[16];
    const char *bad[24];
} texts;

#define ANY SCHEMA("true")

static const texts cases[] = {
    {"{\"type\":\"json_object\"}",
     {"{}", "{\"a\":1}", " { \"a\": [1, 2] }", "\n{\n  \"a\":\n {}\n}", "{\"a\":1,\"a\":2}",
      "{\"\xc3\xa9\":null}"},
     {"", "[]", "1", "{} ", "{}{}", "{\"a\" :1}", "{\"a\":1 ,\"b\":2}", "{,}", "{\"a\":1,}",
      "{\"a\\n\":1}", "  {}", "\t{}", "{\"a\"}", "{a:1}"}},
    {ANY,
     {"0", "-0", "12.50", "1e9", "-1.5E-10", "true", "false", "null", "\"\"", "[]", "[[],[]]",
      "[1,\n  2]", "123456789012345678", "0.000000000000000001", "1e+99", " null"},
     {"01",
      "+1",
      ".5",
      "1.",
      "1e",
      "1e100",
      "-",
      "1234567890123456789",
      "0.1234567890123456789",
      "tru",
      "truee",
      "nul",
      "[1,]",
      "[,]",
      "[1 2]",
      "NaN",
      "1 ",
      "[ \n]",
      "[\n ]x",
      "True"}},
    {SCHEMA("{\"type\":\"string\"}"),
     {"\"a\"", "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\u0000\\uABcd\"", "\"\\ud83d\\ude00\"",
      "\"\xf0\x9f\x98\x80\"", "\"\xed\x9f\xbf\xee\x80\x80\"", "\"\xf4\x8f\xbf\xbf\"", "\"\x7f\""},
     {"\"\n\"", "\"\x1f\"", "\"\\x\"", "\"\\u12\"", "\"\\ud83d\"", "\"\\ude00\"",
      "\"\\ud83d\\u0041\"", "\"\xc0\xaf\"", "\"\xed\xa0\x80\"", "\"\xf4\x90\x80\x80\"",
      "\"\xe0\x9f\xbf\"", "\"\xff\"", "\"\x80\"", "\"\xc3\"", "\"", "a"}},
    {SCHEMA("{\"type\":\"string\",\"minLength\":2,\"maxLength\":3}"),
     {"\"ab\"", "\"abc\"", "\"\xc3\xa9\xf0\x9f\x98\x80\"", "\"\\n\\u0041\"", "\"\\ud83d\\ude00x\""},
     {"\"\"", "\"a\"", "\"abcd\"", "\"\\ud83d\\ude00\"", "\"abc\\n\""}},
    {SCHEMA("{\"type\":\"integer\"}"), {"0", "-7", "10"}, {"1.0", "1e2", "00", "\"1\""}},
    {SCHEMA("{\"type\":[\"number\",\"null\"]}"), {"1.5", "null", "-2"}, {"true", "nul", "\"\""}},
    {SCHEMA("{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"integer\"},\"ab\":{},"
            "\"c\":false},\"required\":[\"a\"]}"),
     {"{\"a\":1}", "{\"ab\":[],\"a\":1}", "{ \"a\":1,\n\"ab\":null}"},
     {"{}", "{\"ab\":1}", "{\"a\":1,\"a\":2}", "{\"a\":1,\"b\":2}", "{\"a\":1,\"c\":1}",
      "{\"a\":\"\"}", "{\"\\u0061\":1}", "{\"a\":1,\"\":2}"}},
    {SCHEMA("{\"properties\":{\"a\":true,\"q\\\"\":true},\"additionalProperties\":{\"type\":"
            "\"null\"}}"),
     {"{}", "{\"b\":null,\"a\":1,\"ac\":null}", "{\"b\":null,\"b\":null}", "{\"q\\\"\":2}",
      "{\"\":null,\"q\":null}"},
     {"{\"b\":1}", "{\"a\":1,\"a\":null}", "{\"\\u0062\":null}", "[]", "{\"q\\\"x\":null}"}},
    {SCHEMA("{\"type\":\"object\",\"required\":[\"x\"]}"),
     {"{\"x\":1}", "{\"y\":2,\"x\":1}"},
     {"{}", "{\"y\":1}"}},
    {SCHEMA("{\"type\":\"object\",\"properties\":{},\"additionalProperties\":false}"),
     {"{}", "{ }", "{\n  }"},
     {"{\"a\":1}", "{  }"}},
    {SCHEMA("{\"type\":\"array\",\"items\":{\"type\":\"integer\"},\"minItems\":1,\"maxItems\":3}"),
     {"[1]", "[1,2,3]", "[ 1, 2 ]"},
     {"[]", "[1,2,3,4]", "[\"\"]", "[null]"}},
    {SCHEMA("{\"type\":\"array\",\"prefixItems\":[{\"type\":\"string\"},{\"type\":\"null\"}]}"),
     {"[]", "[\"\"]", "[\"\",null]"},
     {"[null]", "[\"\",null,1]", "[\"\",1]"}},
    {SCHEMA("{\"prefixItems\":[true],\"items\":{\"type\":\"null\"},\"minItems\":2}"),
     {"[1,null]", "[1,null,null]"},
     {"[1]", "[1,1]", "[]"}},
    {SCHEMA("{\"type\":\"array\",\"maxItems\":0}"), {"[]", "[ ]"}, {"[1]"}},
    {SCHEMA("{\"enum\":[\"a\",\"ab\",1,12,1.5,null,true,[1,{\"k\":2}],{\"x\":\"y\",\"z\":[]}]}"),
     {"\"a\"", "\"ab\"", "1", "12", "1.5", "null", "true", "[1, {\"k\":2}]",
      "{\"z\":[],\"x\":\"y\"}", "\n\"a\""},
     {"\"b\"", "2", "1.50", "11", "1.", "false", "[1]", "{\"x\":\"y\"}", "\"\\u0061\"", "{}",
      "[1,{\"k\":3}]"}},
    {SCHEMA("{\"const\":\"a\\\"\\n\xc3\xa9\"}"),
     {"\"a\\\"\\n\xc3\xa9\""},
     {"\"a\\\"\\n\\u00e9\"", "\"a\\u0022\\n\xc3\xa9\""}},
    {SCHEMA("{\"type\":[\"integer\",\"string\"],\"enum\":[1,2.5,\"x\",null]}"),
     {"1", "\"x\""},
     {"2.5", "null"}},
    {SCHEMA("{\"anyOf\":[{\"type\":\"object\",\"properties\":{\"t\":{\"const\":\"a\"},\"v\":{"
            "\"type\":\"integer\"}},\"required\":[\"t\",\"v\"]},{\"type\":\"object\","
            "\"properties\":{\"t\":{\"const\":\"b\"},\"v\":{\"type\":\"string\"}},\"required\":["
            "\"t\",\"v\"]},{\"type\":\"null\"}]}"),
     {"null", "{\"t\":\"a\",\"v\":1}", "{\"t\":\"b\",\"v\":\"\"}", "{\"v\":1,\"t\":\"a\"}",
      "{\"v\":\"\",\"t\":\"b\"}"},
     {"{\"t\":\"a\",\"v\":\"\"}", "{\"t\":\"b\",\"v\":1}", "{\"v\":1,\"t\":\"b\"}",
      "{\"t\":\"c\",\"v\":1}", "{\"t\":\"a\"}"}},
    {SCHEMA("{\"anyOf\":[{\"type\":\"array\",\"items\":{\"anyOf\":[{\"$ref\":\"#\"},{\"const\":1}]"
            "}},{\"type\":\"array\",\"items\":{\"anyOf\":[{\"$ref\":\"#\"},{\"const\":2}]}}]}"),
     {"[]", "[1,1]", "[2,[1],[2,2]]", "[[[1]],1]"},
     {"[1,2]", "[[1,2]]", "[3]", "[[1],2,1]"}},
    {SCHEMA("{\"$ref\":\"#/$defs/list\",\"$defs\":{\"list\":{\"type\":\"object\",\"properties\":{"
            "\"next\":{\"anyOf\":[{\"type\":\"null\"},{\"$ref\":\"#/$defs/list\"}]}},\"required\":["
            "\"next\"]}}}"),
     {"{\"next\":null}", "{\"next\":{\"next\":null}}"},
     {"{\"next\":{}}", "null", "{\"next\":1}"}},
    {SCHEMA("{\"allOf\":[{\"$ref\":\"#/definitions/a~1b~0\"}],\"title\":\"t\",\"definitions\":{"
            "\"a/b~\":{\"const\":7}}}"),
     {"7"},
     {"8", "77"}},
    {"{\"type\":\"choice\",\"texts\":[\"yes\",\"no\",\"not\",\"{\\n\"]}",
     {"yes", "no", "not", "{\n"},
     {"", "n", "note", " yes", "yes ", "{", "nono"}},
};

static void which_texts(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const texts *c = &cases[i];
        for (size_t k = 0; k < 16 && c->good[k]; k++) {
            if (!accepts(c->constraint, c->good[k])) {
                fail_msg("%s should accept %s", c->constraint, c->good[k]);
            }
        }
        for (size_t k = 0; k < 24 && c->bad[k]; k++) {
            if (accepts(c->constraint, c->bad[k])) {
                fail_msg("%s should not accept %s", c->constraint, c->bad[k]);
            }
        }
    }
}

/* Whatever the cuts, the same bytes are the same state, byte for byte; masks are those of trying
 * every token, and the empty text is never complete. */
static void cuts_do_not_matter(void **state) {
    (void)state;
    uint64_t rng = 1;
    uint64_t *bits = calloc(vb_tokenizer_size(tokenizer) / 64 + 1, sizeof *bits);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        vb_grammar *g = kit_grammar(cases[i].constraint);
        vb_grammar_state *a = kit_state(g, vocabulary), *b = kit_state(g, vocabulary);
        vb_grammar_state *start = kit_state(g, vocabulary);
        assert_false(vb_grammar_complete(start));
        for (size_t k = 0; k < 16 && cases[i].good[k]; k++) {
            const char *text = cases[i].good[k];
            const size_t len = strlen(text);
            vb_grammar_state_copy(a, start);
            vb_grammar_state_copy(b, start);
            for (size_t at = 0; at < len;) {
                const size_t n = 1 + vb_test_random(&rng) % (len - at);
                assert_true(vb_grammar_feed(a, text + at, n));
                for (size_t j = 0; j < n; j++) {
                    kit_check_mask(b, start, tokenizer, bits);
                    assert_true(vb_grammar_feed(b, text + at + j, 1));
                }
                size_t n_a, n_b;
                const void *pa = vb_grammar_state_bytes(a, &n_a);
                const void *pb = vb_grammar_state_bytes(b, &n_b);
                assert_int_equal(n_a, n_b);
                assert_memory_equal(pa, pb, n_a);
                at += n;
            }
            assert_true(vb_grammar_complete(b));
            vb_grammar_state_close(start);
            start = kit_state(g, vocabulary);
        }
        vb_grammar_state_close(a);
        vb_grammar_state_close(b);
        vb_grammar_state_close(start);
        vb_grammar_close(g);
    }
    free(bits);
}

/* A refused byte leaves the state as it was. */
static void refusal_changes_nothing(void **state) {
    (void)state;
    vb_grammar *g = kit_grammar("{\"type\":\"json_object\"}");
    vb_grammar_state *s = kit_state(g, vocabulary);
    vb_error e = {0};
    assert_true(vb_grammar_feed(s, "{\"a\":1", 6));
    assert_false(vb_grammar_feed(s, ",x", 2));
    assert_int_equal(vb_grammar_accept(s, 'x', &e), VB_EMISMATCH);
    assert_int_equal(vb_grammar_accept(s, SMALL_IM_END, &e), VB_EMISMATCH);
    assert_int_equal(vb_grammar_accept(s, SMALL_CONTROL, &e), VB_EMISMATCH);
    assert_int_equal(vb_grammar_accept(s, 1u << 30, &e), VB_EMISMATCH);
    assert_true(vb_grammar_feed(s, "}", 1));
    assert_true(vb_grammar_complete(s));
    assert_int_equal(vb_grammar_accept(s, SMALL_IM_END, &e), VB_OK);
    assert_int_equal(vb_grammar_accept(s, SMALL_END_OF_TEXT, &e), VB_OK);
    vb_grammar_state_close(s);
    vb_grammar_close(g);
}

/* White space has its ends, and nesting: exactly the deepest value that is allowed can be written.
 */
static void bounds(void **state) {
    (void)state;
    char text[512];
    for (unsigned n = VB_GRAMMAR_INDENT_MAX; n <= VB_GRAMMAR_INDENT_MAX + 1; n++) {
        snprintf(text, sizeof text, "{\n%*s}", (int)n, "");
        assert_int_equal(accepts("{\"type\":\"json_object\"}", text), n == VB_GRAMMAR_INDENT_MAX);
    }
    for (unsigned depth = VB_GRAMMAR_DEPTH_MAX; depth <= VB_GRAMMAR_DEPTH_MAX + 1; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        text[2 * depth] = 0;
        assert_int_equal(accepts(ANY, text), depth == VB_GRAMMAR_DEPTH_MAX);
    }
    /* A name whose value would be too deep can not begin. */
    vb_grammar *g = kit_grammar(
        SCHEMA("{\"type\":\"object\",\"properties\":{\"deeper\":{\"$ref\":\"#\"},\"z\":{}}}"));
    vb_grammar_state *s = kit_state(g, vocabulary);
    for (unsigned depth = 0; depth < VB_GRAMMAR_DEPTH_MAX - 1; depth++) {
        assert_true(vb_grammar_feed(s, "{\"deeper\":", 10));
    }
    assert_true(vb_grammar_feed(s, "{\"", 2));
    assert_false(vb_grammar_feed(s, "d", 1));
    assert_true(vb_grammar_feed(s, "z\":1", 4));
    assert_false(vb_grammar_feed(s, ",", 1));
    vb_grammar_state_close(s);
    vb_grammar_close(g);
}

typedef struct refusal {
    const char *constraint;
    vb_err err;
    const char *message; /* its beginning */
} refusal;

static const refusal refusals[] = {
    {"[]", VB_EFORMAT, "constraint.type: expected"},
    {"{}", VB_EFORMAT, "constraint.type: expected"},
    {"{\"type\":1}", VB_EFORMAT, "constraint.type: expected"},
    {"{\"type\":\"regex\",\"pattern\":\"a\"}", VB_EUNSUPPORTED, "constraint.type: expected"},
    {"{\"type\":\"json_object\",\"x\":1}", VB_EFORMAT, "constraint"},
    {"{\"type\":\"json_schema\"}", VB_EFORMAT, "constraint"},
    {"{\"type\":\"choice\"}", VB_EFORMAT, "constraint"},
    {"{\"type\":\"choice\",\"texts\":[]}", VB_EFORMAT, "constraint.texts"},
    {"{\"type\":\"choice\",\"texts\":[\"\"]}", VB_EFORMAT, "constraint.texts[0]: expected 1 to"},
    {"{\"type\":\"choice\",\"texts\":[\"a\",1]}", VB_EFORMAT, "constraint.texts[1]: expected 1 to"},
    {"{\"type\":\"choice\",\"texts\":[\"a\",\"a\"]}", VB_EFORMAT,
     "constraint.texts: expected diff"},
    {SCHEMA("1"), VB_EFORMAT, "schema: expected a schema"},
    {SCHEMA("null"), VB_EFORMAT, "schema: expected a schema"},
    {SCHEMA("false"), VB_EINVAL, "schema: no text satisfies it"},
    {SCHEMA("{\"anyOf\":[false,{\"$ref\":\"#\"}]}"), VB_EINVAL, "schema: no text satisfies it"},
    {SCHEMA("{\"$ref\":\"#\"}"), VB_EINVAL, "schema: no text satisfies it"},
    {SCHEMA("{\"type\":\"array\",\"items\":{\"$ref\":\"#\"},\"minItems\":1}"), VB_EINVAL,
     "schema: no text satisfies it"},
    {SCHEMA("{\"type\":\"string\",\"minLength\":2,\"maxLength\":1}"), VB_EINVAL, "schema: no text"},
    {SCHEMA("{\"type\":\"string\",\"enum\":[1]}"), VB_EINVAL, "schema: no text"},
    {SCHEMA("{\"required\":[\"a\"],\"additionalProperties\":false}"), VB_EINVAL, "schema: no text"},
    {SCHEMA("{\"type\":\"object\",\"properties\":{\"x\":{\"type\":\"string\",\"pattern\":\"a\"}}}"),
     VB_EUNSUPPORTED, "schema.properties.x.pattern: "},
    {SCHEMA("{\"items\":{\"anyOf\":[true,{\"format\":\"date\"}]}}"), VB_EUNSUPPORTED,
     "schema.items.anyOf[1].format: "},
    {SCHEMA("{\"$defs\":{\"a\":{\"not\":{}}},\"$ref\":\"#/$defs/a\"}"), VB_EUNSUPPORTED,
     "schema.$defs.a.not: "},
    {SCHEMA("{\"minimum\":1}"), VB_EUNSUPPORTED, "schema.minimum: "},
    {SCHEMA("{\"nullable\":true,\"type\":\"string\"}"), VB_EUNSUPPORTED, "schema.nullable: "},
    {SCHEMA("{\"patternProperties\":{}}"), VB_EUNSUPPORTED, "schema.patternProperties: "},
    {SCHEMA("{\"items\":{\"$defs\":{}}}"), VB_EUNSUPPORTED, "schema.items.$defs: supported only"},
    {SCHEMA("{\"items\":[true]}"), VB_EFORMAT, "schema.items: expected a schema"},
    {SCHEMA("{\"prefixItems\":{}}"), VB_EFORMAT, "schema.prefixItems: "},
    {SCHEMA("{\"uniqueItems\":true}"), VB_EUNSUPPORTED, "schema.uniqueItems: only false"},
    {SCHEMA("{\"allOf\":[true,true]}"), VB_EUNSUPPORTED, "schema.allOf: only one"},
    {SCHEMA("{\"anyOf\":[]}"), VB_EFORMAT, "schema.anyOf: expected"},
    {SCHEMA("{\"anyOf\":[true],\"oneOf\":[true]}"), VB_EUNSUPPORTED, "schema.oneOf: not supported"},
    {SCHEMA("{\"anyOf\":[true],\"type\":\"string\"}"), VB_EUNSUPPORTED,
     "schema.type: not supported beside anyOf"},
    {SCHEMA("{\"const\":1,\"enum\":[1]}"), VB_EUNSUPPORTED, "schema.enum: not supported beside"},
    {SCHEMA("{\"enum\":[\"a\"],\"maxLength\":3}"), VB_EUNSUPPORTED,
     "schema.maxLength: not supported beside enum"},
    {SCHEMA("{\"enum\":[]}"), VB_EFORMAT, "schema.enum: expected"},
    {SCHEMA("{\"enum\":1}"), VB_EFORMAT, "schema.enum: expected"},
    {SCHEMA("{\"type\":\"date\"}"), VB_EFORMAT, "schema.type: expected"},
    {SCHEMA("{\"type\":[\"null\",\"null\"]}"), VB_EFORMAT, "schema.type: expected"},
    {SCHEMA("{\"type\":[]}"), VB_EFORMAT, "schema.type: expected"},
    {SCHEMA("{\"type\":\"string\",\"minItems\":1}"), VB_EUNSUPPORTED,
     "schema.minItems: type does not name"},
    {SCHEMA("{\"maxLength\":-1}"), VB_EFORMAT, "schema.maxLength: expected an integer"},
    {SCHEMA("{\"maxLength\":1.5}"), VB_EFORMAT, "schema.maxLength: expected an integer"},
    {SCHEMA("{\"maxLength\":65537}"), VB_EFORMAT, "schema.maxLength: expected an integer"},
    {SCHEMA("{\"minItems\":\"1\"}"), VB_EFORMAT, "schema.minItems: expected an integer"},
    {SCHEMA("{\"properties\":[]}"), VB_EFORMAT, "schema.properties: expected"},
    {SCHEMA("{\"properties\":{\"a\":1}}"), VB_EFORMAT, "schema.properties.a: expected a schema"},
    {SCHEMA("{\"required\":\"a\"}"), VB_EFORMAT, "schema.required: expected"},
    {SCHEMA("{\"required\":[1]}"), VB_EFORMAT, "schema.required[0]: expected"},
    {SCHEMA("{\"required\":[\"a\",\"a\"]}"), VB_EFORMAT, "schema.required[1]: a name"},
    {SCHEMA("{\"additionalProperties\":1}"), VB_EFORMAT, "schema.additionalProperties: expected"},
    {SCHEMA("{\"$ref\":1}"), VB_EFORMAT, "schema.$ref: expected a string"},
    {SCHEMA("{\"$ref\":\"#/$defs/x\"}"), VB_EFORMAT, "schema.$ref: #/$defs/x is not"},
    {SCHEMA("{\"$ref\":\"#/properties/x\"}"), VB_EUNSUPPORTED, "schema.$ref: only"},
    {SCHEMA("{\"$ref\":\"#/$defs/a/b\"}"), VB_EUNSUPPORTED, "schema.$ref: only"},
    {SCHEMA("{\"$ref\":\"#/$defs/a%20b\"}"), VB_EUNSUPPORTED, "schema.$ref: only"},
    {SCHEMA("{\"$ref\":\"#/$defs/a~2\"}"), VB_EUNSUPPORTED, "schema.$ref: only"},
    {SCHEMA("{\"$ref\":\"other.json\"}"), VB_EUNSUPPORTED, "schema.$ref: only"},
};

static void refused_by_name(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        const refusal *r = &refusals[i];
        vb_grammar *g = NULL;
        vb_error e = {0};
        const vb_err err = kit_open(r->constraint, &g, &e);
        if (err != r->err || strncmp(e.msg, r->message, strlen(r->message)) != 0 || g) {
            fail_msg("%s: %s: %s", r->constraint, vb_err_name(err), e.msg);
        }
    }
}

static void check_is_open(void **state) {
    (void)state;
    json_t *good = json_pack("{ss}", "type", "json_object");
    json_t *bad = json_pack("{ss}", "type", "json_objects");
    vb_error e = {0};
    assert_int_equal(vb_grammar_check(good, &e), VB_OK);
    assert_int_equal(vb_grammar_check(bad, &e), VB_EUNSUPPORTED);
    json_decref(good);
    json_decref(bad);
}

/* A vocabulary without a byte that a text may need, or without an end, is refused. */
static void vocabularies_that_can_not(void **state) {
    (void)state;
    static const small_piece letters[] = {{"y", VB_TOKEN_NORMAL, 0}, {"es", VB_TOKEN_NORMAL, 0}};
    vb_tokenizer *t = NULL;
    vb_error e = {0};
    vb_buf file = small_spm(false, letters, 2);
    assert_int_equal(small_open(&file, &t, &e), VB_OK);
    vb_vocabulary *v = kit_vocabulary(t);
    vb_grammar *g = kit_grammar("{\"type\":\"choice\",\"texts\":[\"yes\"]}");
    vb_grammar_state *s = NULL;
    assert_int_equal(vb_grammar_state_open(g, v, &s, &e), VB_EUNSUPPORTED);
    vb_grammar_close(g);
    vb_vocabulary_close(v);
    vb_tokenizer_close(t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(which_texts),
        cmocka_unit_test(cuts_do_not_matter),
        cmocka_unit_test(refusal_changes_nothing),
        cmocka_unit_test(bounds),
        cmocka_unit_test(refused_by_name),
        cmocka_unit_test(check_is_open),
        cmocka_unit_test(vocabularies_that_can_not),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
