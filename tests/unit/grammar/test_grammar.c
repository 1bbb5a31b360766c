/* Which texts a constraint accepts, and which constraints are refused: spec/constraints.md,
 * sections 2 to 4. */
#include "grammar_kit.h"

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

static bool accepts(vb_grammar_state *s, const void *text, size_t n) {
    return vb_grammar_feed(s, text, n) && vb_grammar_complete(s);
}

typedef void check_text(const char *constraint, const vb_grammar *g, const uint8_t *text, size_t n,
                        bool accepted);

/* Every text of spec/vectors/constraints.json. */
static void each_vector(check_text *check) {
    json_t *doc = json_load_file(vb_test_source("spec/vectors/constraints.json"), 0, NULL);
    const json_t *list = json_object_get(doc, "cases");
    assert_true(json_array_size(list) > 20);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *v = json_array_get(list, i);
        char *constraint = json_dumps(json_object_get(v, "constraint"), 0);
        vb_grammar *g = kit_grammar(constraint);
        for (int accepted = 0; accepted < 2; accepted++) {
            const json_t *texts = json_object_get(v, accepted ? "accepted" : "not_accepted");
            assert_true(json_array_size(texts) > 0);
            for (size_t k = 0; k < json_array_size(texts); k++) {
                uint8_t text[256];
                const char *hex = json_string_value(json_array_get(texts, k));
                const size_t n = strlen(hex) / 2;
                assert_true(n <= sizeof text && vb_hex_decode(hex, text, n));
                check(constraint, g, text, n, accepted);
            }
        }
        vb_grammar_close(g);
        free(constraint);
    }
    json_decref(doc);
}

static void check_accepted(const char *constraint, const vb_grammar *g, const uint8_t *text,
                           size_t n, bool accepted) {
    vb_grammar_state *s = kit_state(g, vocabulary);
    assert_false(vb_grammar_complete(s));
    if (accepts(s, text, n) != accepted) {
        fail_msg("%s and %.*s", constraint, (int)n, (const char *)text);
    }
    vb_grammar_state_close(s);
}

static void which_texts(void **state) {
    (void)state;
    each_vector(check_accepted);
}

static void same_bytes(const vb_grammar_state *a, const vb_grammar_state *b) {
    size_t n_a, n_b;
    const void *pa = vb_grammar_state_bytes(a, &n_a), *pb = vb_grammar_state_bytes(b, &n_b);
    assert_int_equal(n_a, n_b);
    assert_memory_equal(pa, pb, n_a);
}

/* Whatever the cuts, the same bytes are the same state, byte for byte; on the way, masks are those
 * of trying every token. */
static void check_cuts(const char *constraint, const vb_grammar *g, const uint8_t *text, size_t n,
                       bool accepted) {
    (void)constraint;
    static uint64_t rng = 1, bits[16];
    vb_grammar_state *cut = kit_state(g, vocabulary), *whole = kit_state(g, vocabulary);
    vb_grammar_state *copy = kit_state(g, vocabulary);
    for (size_t at = 0, size; at < n && accepted; at += size) {
        size = 1 + vb_test_random(&rng) % (n - at);
        assert_true(vb_grammar_feed(whole, text + at, size));
        for (size_t j = 0; j < size; j++) {
            assert_true(kit_check_mask(cut, copy, tokenizer, bits) > 0);
            assert_true(vb_grammar_feed(cut, text + at + j, 1));
        }
        same_bytes(cut, whole);
    }
    vb_grammar_state_close(cut);
    vb_grammar_state_close(whole);
    vb_grammar_state_close(copy);
}

static void cuts_do_not_matter(void **state) {
    (void)state;
    assert_true(vb_tokenizer_size(tokenizer) <= 1024);
    each_vector(check_cuts);
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

/* A name whose value would be too deep can not begin, and there is no comma before nothing. */
static void bounds(void **state) {
    (void)state;
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
    /* A zero byte ends no word: other readers see what follows it. */
    {SCHEMA("{\"$ref\":\"#\\u0000\"}"), VB_EUNSUPPORTED, "schema.$ref: only"},
    {SCHEMA("{\"$defs\":{\"a\":true},\"$ref\":\"#/$defs/a\\u0000b\"}"), VB_EUNSUPPORTED,
     "schema.$ref: only"},
    {SCHEMA("{\"type\":\"null\\u0000\"}"), VB_EFORMAT, "schema.type: expected null"},
    {"{\"type\":\"json_object\\u0000\"}", VB_EUNSUPPORTED, "constraint.type: expected"},
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
