/*
 * What an answer is held to, from response_format, structured_outputs and tool_choice: the
 * constraint itself, texts that it accepts, and the member that an error names. And the prompts of
 * chats as receipts state them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/constraint.h"
#include "api/variables.h"
#include "grammar/grammar.h"
#include "support/testing.h"
#include "json/json.h"

static vb_api_request request;
static vb_api_error error;
static vb_text text;

#define USER "{\"role\":\"user\",\"content\":\"hi\"}"
#define FORMAT(schema)                                                                             \
    "\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"s\","               \
    "\"schema\":" schema "}}"
#define TOOL(name, more) "{\"type\":\"function\",\"function\":{\"name\":\"" name "\"" more "}}"
#define NOW                                                                                        \
    TOOL("now", ",\"parameters\":{\"type\":\"object\",\"properties\":{\"zone\":"                   \
                "{\"enum\":[\"UTC\"]}},\"required\":[\"zone\"]}")
#define CHOICE(name) "\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"" name "\"}}"

static void parse(vb_api_endpoint endpoint, const char *members) {
    static char body[1 << 20];
    vb_api_defaults d = VB_API_DEFAULTS;
    d.n_vocab = 1000;
    d.beacon_id = "local:ab";
    d.mode = VB_MODE_LOCAL;
    snprintf(body, sizeof body, "{\"model\":\"m\",%s,%s}",
             endpoint == VB_API_CHAT ? "\"messages\":[" USER "]" : "\"prompt\":\"hi\"", members);
    vb_api_request_free(&request);
    vb_text_free(&text);
    if (vb_api_request_parse(endpoint, body, strlen(body), &d, &request, &error)) {
        fail_msg("%.400s: %s", members, error.message);
    }
}

/* As the server does it: the constraint, and then its compilation. */
static vb_err hold(vb_tool_form form, vb_grammar **g) {
    vb_error e;
    json_t *constraint = NULL;
    *g = NULL;
    vb_err err = vb_api_constraint(&request, form, &text, &error);
    if (err || !text.p) {
        return err;
    }
    /* Canonical, or the receipt's reader would refuse it. */
    assert_int_equal(vb_json_parse(text.p, text.len, &constraint, &e), VB_OK);
    if ((err = vb_grammar_open(constraint, g, &e))) {
        assert_int_equal(vb_api_constraint_fail(&request, err, &e, &error), err);
    }
    json_decref(constraint);
    return err;
}

static void holds(vb_api_endpoint endpoint, const char *members, const char *expected) {
    vb_grammar *g;
    parse(endpoint, members);
    if (hold(VB_TOOL_FORM_HERMES, &g)) {
        fail_msg("%s: %s", members, error.message);
    }
    assert_true((g != NULL) == (expected != NULL));
    if (expected) {
        assert_string_equal(text.p, expected);
    }
    vb_grammar_close(g);
}

static void refuses(vb_tool_form form, const char *members, const char *param, const char *code) {
    vb_grammar *g;
    parse(VB_API_CHAT, members);
    const vb_err err = hold(form, &g);
    assert_null(g);
    if (!err || error.status != 400 || strcmp(error.param, param) != 0 ||
        strcmp(error.code, code) != 0 || !strstr(error.message, param)) {
        fail_msg("%.400s: %d %d '%s' %s %s", members, err, error.status, error.param, error.code,
                 error.message);
    }
}

static void formats_are_constraints(void **state) {
    (void)state;
    holds(VB_API_CHAT, "\"n\":1", NULL);
    holds(VB_API_CHAT, "\"response_format\":{\"type\":\"text\"}", NULL);
    for (vb_api_endpoint endpoint = VB_API_CHAT; endpoint <= VB_API_COMPLETIONS; endpoint++) {
        holds(endpoint, "\"response_format\":{\"type\":\"json_object\"}",
              "{\"type\":\"json_object\"}");
        holds(endpoint,
              FORMAT("{\"type\":\"object\",\"properties\":{\"b\":{\"const\":1.0},\"a\":true}}"),
              "{\"schema\":{\"properties\":{\"a\":true,\"b\":{\"const\":1}},\"type\":\"object\"},"
              "\"type\":\"json_schema\"}");
        holds(endpoint, "\"structured_outputs\":{\"json\":{\"type\":\"null\"}}",
              "{\"schema\":{\"type\":\"null\"},\"type\":\"json_schema\"}");
        holds(endpoint, "\"structured_outputs\":{\"json_object\":true}",
              "{\"type\":\"json_object\"}");
        holds(endpoint, "\"structured_outputs\":{\"choice\":[\"yes\",\"no\"]}",
              "{\"texts\":[\"yes\",\"no\"],\"type\":\"choice\"}");
    }
    holds(VB_API_CHAT,
          "\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"s\"}}",
          "{\"type\":\"json_object\"}");
    /* Tools that may or may not be called hold the text to nothing. */
    holds(VB_API_CHAT, "\"tools\":[" NOW "]", NULL);
    holds(VB_API_CHAT, "\"tools\":[" NOW "],\"tool_choice\":\"none\"", NULL);
}

static void choices_of_tools_are_constraints(void **state) {
    (void)state;
    holds(VB_API_CHAT, "\"tools\":[" TOOL("f", "") "," NOW "]," CHOICE("now"),
          "{\"schema\":{\"properties\":{\"zone\":{\"enum\":[\"UTC\"]}},\"required\":[\"zone\"],"
          "\"type\":\"object\"},\"type\":\"json_schema\"}");
    /* No parameters, or none that say anything: no arguments. */
    static const char *const empty[] = {"", ",\"parameters\":{}", ",\"parameters\":null"};
    for (size_t i = 0; i < 3; i++) {
        char members[256];
        snprintf(members, sizeof members,
                 "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"%s}}]," CHOICE("f"),
                 empty[i]);
        holds(VB_API_CHAT, members,
              "{\"schema\":{\"properties\":{},\"type\":\"object\"},\"type\":\"json_schema\"}");
    }
    /* Arguments are an object, whether the schema says so or not. */
    holds(VB_API_CHAT,
          "\"tools\":[" TOOL("f", ",\"parameters\":{\"title\":\"F\"}") "]," CHOICE("f"),
          "{\"schema\":{\"title\":\"F\",\"type\":\"object\"},\"type\":\"json_schema\"}");
    holds(VB_API_CHAT, "\"tools\":[" NOW "],\"tool_choice\":\"required\"",
          "{\"schema\":{\"$defs\":{\"0\":{\"properties\":{\"zone\":{\"enum\":[\"UTC\"]}},"
          "\"required\":[\"zone\"],\"type\":\"object\"}},\"anyOf\":[{\"properties\":{\"arguments\":"
          "{\"$ref\":\"#/$defs/0\"},\"name\":{\"const\":\"now\"}},\"required\":[\"name\","
          "\"arguments\"]}]},\"type\":\"json_schema\"}");
}

/* Definitions, in circles, under both names, and names that only look like references. */
#define TREE                                                                                       \
    TOOL("tree",                                                                                   \
         ",\"parameters\":{\"$schema\":\"x\",\"type\":\"object\",\"properties\":{\"self\":"        \
         "{\"$ref\":\"#\"},\"n\":{\"$ref\":\"#/definitions/a~1b\"},\"list\":{\"type\":\"array\","  \
         "\"items\":{\"$ref\":\"#/$defs/0\"},\"prefixItems\":[{\"$ref\":\"#/$defs/0\"}]},"         \
         "\"$ref\":{\"const\":{\"$ref\":\"#\"}}},\"$defs\":{\"0\":{\"anyOf\":[{\"$ref\":"          \
         "\"#/definitions/a~1b\"},{\"type\":\"null\"}]}},\"definitions\":{\"a/b\":{\"type\":"      \
         "\"integer\"}}}")

static bool accepts(const vb_grammar *g, const vb_vocabulary *v, const char *said) {
    vb_grammar_state *s = NULL;
    vb_error e;
    assert_int_equal(vb_grammar_state_open(g, v, &s, &e), VB_OK);
    const bool good = vb_grammar_feed(s, said, strlen(said)) && vb_grammar_complete(s);
    vb_grammar_state_close(s);
    return good;
}

static vb_vocabulary *demo_vocabulary(void) {
    vb_gguf *file = NULL;
    vb_tokenizer *t = NULL;
    vb_vocabulary *v = NULL;
    vb_error e;
    const char *path = vb_test_source("models/verbatim-demo/verbatim-demo-q4_k_m.gguf");
    assert_int_equal(vb_gguf_open(path, &file, &e), VB_OK);
    assert_int_equal(vb_tokenizer_open(file, &t, &e), VB_OK);
    assert_int_equal(vb_vocabulary_open(t, &v, &e), VB_OK);
    vb_tokenizer_close(t);
    vb_gguf_close(file);
    return v;
}

static void required_calls(void **state) {
    static const struct {
        const char *said;
        bool good;
    } rows[] = {
        {"{\"name\":\"now\",\"arguments\":{\"zone\":\"UTC\"}}", true},
        {"{\"arguments\": {\"zone\": \"UTC\"}, \"name\": \"now\"}", true},
        {"{\"name\":\"tree\",\"arguments\":{\"self\":{\"n\":-1},\"list\":[null,3],\"$ref\":"
         "{\"$ref\":\"#\"}}}",
         true},
        {"{\"name\":\"tree\",\"arguments\":{\"n\":null}}", false},
        {"{\"name\":\"tree\",\"arguments\":{\"list\":[\"x\"]}}", false},
        {"{\"name\":\"tree\",\"arguments\":{\"zone\":\"UTC\"}}", false},
        {"{\"name\":\"now\",\"arguments\":{}}", false},
        {"{\"name\":\"other\",\"arguments\":{}}", false},
        {"{\"name\":\"ping\",\"arguments\":{}}", true},
        {"{\"name\":\"ping\",\"arguments\":{\"x\":1}}", false},
        {"{\"name\":\"ping\",\"parameters\":{}}", false},
        {"{\"name\":\"ping\",\"arguments\":{},\"more\":1}", false},
        {"[{\"name\":\"ping\",\"arguments\":{}}]", false},
    };
    vb_vocabulary *v = demo_vocabulary();
    vb_grammar *g;
    (void)state;
    parse(VB_API_CHAT,
          "\"tools\":[" TREE "," NOW "," TOOL("ping", "") "],\"tool_choice\":\"required\"");
    if (hold(VB_TOOL_FORM_HERMES, &g)) {
        fail_msg("%s", error.message);
    }
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (accepts(g, v, rows[i].said) != rows[i].good) {
            fail_msg("%s: expected %d", rows[i].said, rows[i].good);
        }
    }
    vb_grammar_close(g);
    vb_text_free(&text);
    assert_int_equal(hold(VB_TOOL_FORM_LLAMA3, &g), VB_OK);
    assert_true(accepts(g, v, "{\"name\":\"ping\",\"parameters\":{}}"));
    assert_false(accepts(g, v, "{\"name\":\"ping\",\"arguments\":{}}"));
    vb_grammar_close(g);
    vb_vocabulary_close(v);
}

/* As many tools as there may be, with arguments before the name: the grammar keeps all of them in
 * mind. */
static void many_tools(void **state) {
    static char members[1 << 19];
    vb_vocabulary *v = demo_vocabulary();
    vb_grammar *g;
    size_t n = (size_t)snprintf(members, sizeof members, "\"tools\":[");
    (void)state;
    for (size_t i = 0; i < VB_API_TOOLS_MAX; i++) {
        n += (size_t)snprintf(
            members + n, sizeof members - n,
            "%s{\"type\":\"function\",\"function\":{\"name\":\"f%zu\",\"parameters\":{\"type\":"
            "\"object\",\"properties\":{\"id\":{\"type\":\"integer\"},\"p%zu\":{\"$ref\":\"#/$defs/"
            "S\"}},\"required\":[\"id\"],\"$defs\":{\"S\":{\"type\":\"string\"}}}}}",
            i ? "," : "", i, i);
    }
    snprintf(members + n, sizeof members - n, "],\"tool_choice\":\"required\"");
    parse(VB_API_CHAT, members);
    if (hold(VB_TOOL_FORM_HERMES, &g)) {
        fail_msg("%s", error.message);
    }
    assert_true(accepts(g, v, "{\"arguments\":{\"id\":1,\"p17\":\"x\"},\"name\":\"f17\"}"));
    assert_false(accepts(g, v, "{\"arguments\":{\"id\":1,\"p17\":\"x\"},\"name\":\"f16\"}"));
    vb_grammar_close(g);
    vb_vocabulary_close(v);
}

#define IN "response_format.json_schema.schema"
#define P "tools[1].function.parameters"

static void errors_name_the_member(void **state) {
    static const struct {
        const char *members, *param, *code;
    } rows[] = {
        {FORMAT("{\"type\":\"object\",\"properties\":{\"a\":{\"pattern\":\"x\"}}}"),
         IN ".properties.a.pattern", "unsupported_value"},
        {FORMAT("{\"anyOf\":[{\"minimum\":1}]}"), IN ".anyOf[0].minimum", "unsupported_value"},
        {FORMAT("{\"enum\":[]}"), IN ".enum", "invalid_value"},
        {FORMAT("{\"const\":9007199254740993}"), IN, "invalid_value"},
        {FORMAT("{\"$ref\":\"#/$defs/a\",\"$defs\":{\"a\":{\"$ref\":\"#/$defs/a\"}}}"), IN,
         "invalid_value"},
        {FORMAT("{\"$ref\":\"#/$defs/a\",\"$defs\":{\"a\":{\"format\":\"date\"}}}"),
         IN ".$defs.a.format", "unsupported_value"},
        {"\"structured_outputs\":{\"json\":{\"not\":{}}}", "structured_outputs.json.not",
         "unsupported_value"},
        {"\"structured_outputs\":{\"choice\":[\"a\",7]}", "structured_outputs.choice[1]",
         "invalid_value"},
        {"\"structured_outputs\":{\"choice\":[\"a\",\"a\"]}", "structured_outputs.choice",
         "invalid_value"},
    };
    static const struct {
        const char *parameters, *param, *code;
    } tools[] = {
        {"{\"type\":\"object\",\"properties\":{\"a\":{\"pattern\":\"x\"}}}",
         P ".properties.a.pattern", "unsupported_value"},
        {"{\"type\":\"object\",\"properties\":{\"a\":{\"$ref\":\"#/$defs/D\"}},\"$defs\":{\"D\":"
         "{\"multipleOf\":2}}}",
         P ".$defs.D.multipleOf", "unsupported_value"},
        {"{\"type\":\"array\"}", P ".type", "unsupported_value"},
        {"{\"type\":[\"object\"]}", P ".type", "unsupported_value"},
        {"{\"type\":\"object\",\"properties\":{\"a\":{\"$ref\":\"other.json\"}}}",
         P ".properties.a.$ref", "unsupported_value"},
        {"{\"type\":\"object\",\"properties\":{\"a\":{\"$ref\":\"#/$defs/D\\u0000x\"}},"
         "\"$defs\":{\"D\":true}}",
         P ".properties.a.$ref", "unsupported_value"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        refuses(VB_TOOL_FORM_HERMES, rows[i].members, rows[i].param, rows[i].code);
    }
    for (size_t i = 0; i < 2 * sizeof tools / sizeof tools[0]; i++) {
        char members[1024];
        snprintf(members, sizeof members,
                 "\"tools\":[" NOW ",{\"type\":\"function\",\"function\":{"
                 "\"name\":\"f\",\"parameters\":%s}}],%s",
                 tools[i / 2].parameters, i % 2 ? "\"tool_choice\":\"required\"" : CHOICE("f"));
        refuses(VB_TOOL_FORM_LLAMA3, members, tools[i / 2].param, tools[i / 2].code);
    }
    /* Values of which none is an object, and so none the arguments of a call. */
    refuses(VB_TOOL_FORM_HERMES,
            "\"tools\":[" TOOL("f", ",\"parameters\":{\"enum\":[1,\"a\"]}") "]," CHOICE("f"),
            "tools[0].function.parameters", "invalid_value");
}

/* A receipt holds constraints that are nested 30 deep; the properties of a tool that is required
 * begin at the sixth level. */
static void nesting_is_the_receipts(void **state) {
    (void)state;
    for (size_t depth = 22; depth <= 26; depth++) {
        char schema[1024], members[2048];
        size_t n = 0;
        vb_grammar *g;
        for (size_t i = 0; i < depth; i++) {
            n += (size_t)snprintf(schema + n, sizeof schema - n, "{\"items\":");
        }
        n += (size_t)snprintf(schema + n, sizeof schema - n, "true");
        memset(schema + n, '}', depth);
        schema[n + depth] = 0;
        snprintf(
            members, sizeof members,
            "\"tools\":[" TOOL(
                "f",
                ",\"parameters\":{\"properties\":{\"a\":%s}}") "],\"tool_choice\":\"required\"",
            schema);
        parse(VB_API_CHAT, members);
        const vb_err err = hold(VB_TOOL_FORM_HERMES, &g);
        assert_int_equal(err, depth + 5 <= 30 ? VB_OK : VB_ELIMIT);
        assert_true(!err || strcmp(error.param, "tools") == 0);
        vb_grammar_close(g);
    }
}

static void large_constraints(void **state) {
    static char members[(1 << 18) + 4096];
    char *at = members + snprintf(members, sizeof members,
                                  "\"structured_outputs\":{\"json\":{\"description\":\"");
    (void)state;
    memset(at, 'x', 1 << 18);
    memcpy(at + (1 << 18), "\"}}", sizeof "\"}}");
    refuses(VB_TOOL_FORM_NONE, members, "structured_outputs.json", "invalid_value");
}

/* Prompts. */

static void read_chat(const char *body) {
    vb_api_defaults d = VB_API_DEFAULTS;
    d.n_vocab = 1000;
    d.beacon_id = "local:ab";
    d.mode = VB_MODE_LOCAL;
    vb_api_request_free(&request);
    vb_text_free(&text);
    if (vb_api_request_parse(VB_API_CHAT, body, strlen(body), &d, &request, &error)) {
        fail_msg("%s: %s", body, error.message);
    }
}

static void plain_chats(void **state) {
    static const struct {
        const char *body;
        bool plain;
    } rows[] = {
        {"{\"model\":\"m\",\"messages\":[{\"role\":\"developer\",\"content\":\"a\"}," USER
         ",{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"b\"}],"
         "\"tool_calls\":null}]}",
         true},
        {"{\"model\":\"m\",\"messages\":[" USER "],\"chat_template_kwargs\":{}}", true},
        {"{\"model\":\"m\",\"messages\":[" USER "],\"tools\":[" NOW "],\"tool_choice\":\"none\"}",
         true},
        {"{\"model\":\"m\",\"messages\":[" USER "],\"tools\":[" NOW "]}", false},
        {"{\"model\":\"m\",\"messages\":[" USER "],\"chat_template_kwargs\":{\"a\":null}}", false},
        {"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"name\":\"n\",\"content\":\"\"}]}",
         false},
        {"{\"model\":\"m\",\"messages\":[{\"role\":\"tool\",\"tool_call_id\":\"1\",\"content\":"
         "\"\"}]}",
         false},
        {"{\"model\":\"m\",\"messages\":[{\"role\":\"assistant\",\"reasoning_content\":\"r\","
         "\"content\":\"\"}]}",
         false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        read_chat(rows[i].body);
        if (vb_api_is_plain_chat(&request) != rows[i].plain) {
            fail_msg("%s: expected %d", rows[i].body, rows[i].plain);
        }
    }
}

static void variables_keep_the_clients_order(void **state) {
    (void)state;
    read_chat(
        "{\"chat_template_kwargs\":{\"z\":1.0,\"a\":[1e2,18014398509481985,\"\\u0000\\u00e9/\"]},"
        "\"model\":\"m\",\"tools\":[" NOW
        "],\"messages\":[{\"content\":[{\"type\":\"text\",\"text\":\"x\"},{\"type\":\"text\","
        "\"text\":\"y\"}],\"role\":\"developer\",\"name\":\"n\"},{\"role\":\"assistant\","
        "\"tool_calls\":[{\"id\":\"c\",\"type\":\"function\",\"function\":{\"name\":\"now\","
        "\"arguments\":\"{\\\"zone\\\": \\\"UTC\\\", \\\"a\\\": 0.5}\"}}]}]}");
    assert_int_equal(vb_api_variables(&request, &text, &error), VB_OK);
    assert_int_equal(strlen(text.p), text.len);
    assert_string_equal(
        text.p,
        "{\"messages\":[{\"role\":\"system\",\"content\":\"x\\ny\",\"name\":\"n\"},{\"role\":"
        "\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"c\",\"type\":\"function\","
        "\"function\":{\"name\":\"now\",\"arguments\":{\"zone\":\"UTC\",\"a\":0.5}}}]}],\"tools\":"
        "[" NOW "],\"z\":1.0,\"a\":[100.0,18014398509481985,\"\\u0000\xc3\xa9/\"]}");
}

static void contents_that_are_null(void **state) {
    bool changed = false;
    (void)state;
    read_chat("{\"model\":\"m\",\"messages\":[" USER
              ",{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"c\",\"type\":"
              "\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"\"}}]}]}");
    assert_int_equal(vb_api_fill_contents(&request, &changed, &error), VB_OK);
    assert_true(changed);
    assert_int_equal(vb_api_variables(&request, &text, &error), VB_OK);
    assert_string_equal(text.p, "{\"messages\":[" USER
                                ",{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[{\"id\":"
                                "\"c\",\"type\":\"function\",\"function\":{\"name\":\"f\","
                                "\"arguments\":{}}}]}]}");
    assert_int_equal(vb_api_fill_contents(&request, &changed, &error), VB_OK);
    assert_false(changed);
}

static int free_all(void **state) {
    (void)state;
    vb_api_request_free(&request);
    vb_text_free(&text);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formats_are_constraints),
        cmocka_unit_test(choices_of_tools_are_constraints),
        cmocka_unit_test(required_calls),
        cmocka_unit_test(many_tools),
        cmocka_unit_test(errors_name_the_member),
        cmocka_unit_test(nesting_is_the_receipts),
        cmocka_unit_test(large_constraints),
        cmocka_unit_test(plain_chats),
        cmocka_unit_test(variables_keep_the_clients_order),
        cmocka_unit_test(contents_that_are_null),
    };
    return cmocka_run_group_tests(tests, NULL, free_all);
}
