/*
 * From text to a message: the events of each form, and that no cutting of the text changes them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/message.h"
#include "base/bytes.h"
#include "support/testing.h"

/* Events joined: texts of one kind that follow each other are one. "R[...]", "C[...]",
 * "M[...]", "T0[name|arguments]". raw collects the bytes of all. */
typedef struct record {
    vb_buf log, raw;
    vb_message_kind last;
    bool open;
    bool split; /* an event that divides a character */
    size_t n_calls;
} record;

static void append(vb_buf *b, const char *p, size_t n) {
    assert_int_equal(vb_buf_append(b, p, n), VB_OK);
}

static void note(void *user, const vb_message_event *event) {
    record *r = user;
    const char *names = "?RCTM";
    append(&r->raw, event->raw.p, event->raw.len);
    if (event->kind != VB_MESSAGE_CALL && event->raw.len &&
        ((unsigned char)event->raw.p[0] & 0xc0) == 0x80) {
        r->split = true;
    }
    if (r->open && (event->kind != r->last || event->kind == VB_MESSAGE_CALL)) {
        append(&r->log, "]", 1);
        r->open = false;
    }
    if (event->kind == VB_MESSAGE_CALL) {
        assert_int_equal(event->index, r->n_calls++);
        assert_int_equal(vb_buf_printf(&r->log, "T%zu[%.*s|%.*s]", event->index,
                                       (int)event->name.len, event->name.p,
                                       (int)event->arguments.len, event->arguments.p),
                         VB_OK);
        return;
    }
    if (!r->open) {
        assert_int_equal(vb_buf_printf(&r->log, "%c[", names[event->kind]), VB_OK);
        r->open = true;
        r->last = event->kind;
    }
    append(&r->log, event->raw.p, event->raw.len);
}

/* Feeds text cut at the places that `cut` says (an end for each piece), and joins the events. */
static record run(const vb_message_options *o, const char *text, size_t n, const size_t *ends,
                  size_t n_ends) {
    record r = {.log = vb_buf_make(1 << 24), .raw = vb_buf_make(1 << 24)};
    vb_message_parser *m = NULL;
    vb_error e;
    size_t at = 0;
    assert_int_equal(vb_message_open(o, note, &r, &m, &e), VB_OK);
    for (size_t i = 0; i <= n_ends; i++) {
        const size_t end = i < n_ends ? ends[i] : n;
        /* A copy of its own, so that reading past a piece is seen. */
        char *piece = malloc(end - at + 1);
        assert_non_null(piece);
        memcpy(piece, text + at, end - at);
        assert_int_equal(vb_message_feed(m, piece, end - at, &e), VB_OK);
        free(piece);
        at = end;
    }
    assert_int_equal(vb_message_end(m, &e), VB_OK);
    assert_int_equal(vb_message_calls(m), r.n_calls);
    vb_message_close(m);
    if (r.open) {
        append(&r.log, "]", 1);
    }
    append(&r.log, "", 0);
    append(&r.raw, "", 0);
    return r;
}

static void free_record(record *r) {
    vb_buf_free(&r->log);
    vb_buf_free(&r->raw);
}

static void check(record *r, const char *text, size_t n, const char *expected) {
    if (strcmp((char *)r->log.data, expected) != 0) {
        fail_msg("%s\n  gives    %s\n  expected %s", text, (char *)r->log.data, expected);
    }
    assert_int_equal(r->raw.len, n);
    assert_true(n == 0 || memcmp(r->raw.data, text, n) == 0);
    assert_false(r->split);
    free_record(r);
}

/* Whole, in single bytes, cut once and cut twice everywhere. */
static void assert_events(const vb_message_options *o, const char *text, const char *expected) {
    const size_t n = strlen(text);
    size_t ends[4096] = {0};
    assert_true(n < sizeof ends / sizeof ends[0]);
    record r = run(o, text, n, NULL, 0);
    check(&r, text, n, expected);
    for (size_t i = 0; i < n; i++) {
        ends[i] = i;
    }
    r = run(o, text, n, ends, n);
    check(&r, text, n, expected);
    for (size_t i = 0; i < n; i++) {
        for (size_t k = i; k < n; k++) {
            const size_t two[] = {i, k};
            r = run(o, text, n, two, 2);
            check(&r, text, n, expected);
        }
    }
}

static const vb_message_options plain = {.tools = VB_TOOL_FORM_NONE};
static const vb_message_options reasoning = {.reasoning = true};
static const vb_message_options opened = {.reasoning = true, .think_open = true};
static const vb_message_options hermes = {.tools = VB_TOOL_FORM_HERMES};
static const vb_message_options both = {.reasoning = true, .tools = VB_TOOL_FORM_HERMES};
static const vb_message_options llama = {.tools = VB_TOOL_FORM_LLAMA3};

static void text_is_content(void **state) {
    (void)state;
    assert_events(&plain, "", "");
    assert_events(&plain, "  a <think>b</think> <tool_call>{}",
                  "C[  a <think>b</think> <tool_call>{}]");
    assert_events(&plain, "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80.",
                  "C[\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80.]");
}

static void reasoning_is_apart(void **state) {
    (void)state;
    assert_events(&reasoning, "<think>\nhm \xe2\x82\xac\n</think>\n\nyes",
                  "M[<think>\n]R[hm \xe2\x82\xac]M[\n</think>\n\n]C[yes]");
    assert_events(&reasoning, "\n <think>a b</think>c", "M[\n <think>]R[a b]M[</think>]C[c]");
    assert_events(&reasoning, "<think>\n\n</think>\n\nyes", "M[<think>\n\n</think>\n\n]C[yes]");
    assert_events(&reasoning, "no <think>x</think>", "C[no <think>x</think>]");
    assert_events(&reasoning, " <thi", "C[ <thi]");
    assert_events(&reasoning, "<think", "C[<think]");
    assert_events(&reasoning, "<think>", "M[<think>]");
    assert_events(&reasoning, "<think>never ends \n", "M[<think>]R[never ends \n]");
    assert_events(&reasoning, "<think>a</th</think>b</think>",
                  "M[<think>]R[a</th]M[</think>]C[b</think>]");
    assert_events(&reasoning, "<think>a\n\n<</think> ", "M[<think>]R[a\n\n<]M[</think> ]");
    assert_events(&reasoning, "   ", "C[   ]");
}

static void reasoning_that_the_prompt_opened(void **state) {
    (void)state;
    assert_events(&opened, "\nhm\n</think>\nyes\n", "M[\n]R[hm]M[\n</think>\n]C[yes\n]");
    assert_events(&opened, "<think>\nhm</think>yes", "M[<think>\n]R[hm]M[</think>]C[yes]");
    assert_events(&opened, "</think>yes", "M[</think>]C[yes]");
    assert_events(&opened, "hm", "R[hm]");
    assert_events(&opened, "<thinner", "R[<thinner]");
    assert_events(&opened, " ", "M[ ]");
}

static void hermes_calls(void **state) {
    (void)state;
    assert_events(&hermes,
                  "Look:\n<tool_call>\n{\"name\": \"f\", \"arguments\": {\"x\": [1, \"}\"]}}\n"
                  "</tool_call>\n<tool_call>{\"arguments\":{},\"name\":\"g.h-1\"}</tool_call>\n",
                  "C[Look:]M[\n]T0[f|{\"x\": [1, \"}\"]}]M[\n]T1[g.h-1|{}]M[\n]");
    assert_events(&hermes,
                  "<tool_call>{\"name\":\"f\",\"arguments\":{\"s\":\"</tool_call>\\\"\"}}"
                  "</tool_call> and more\n",
                  "T0[f|{\"s\":\"</tool_call>\\\"\"}]C[ and more\n]");
    assert_events(&hermes, "<tool_call>{\"name\":\"f\",\"arguments\":{}}", "T0[f|{}]");
    assert_events(&hermes, "a <b> <tool_calls> <tool_ <tool_call",
                  "C[a <b> <tool_calls> <tool_ <tool_call]");
    assert_events(&hermes, "<<tool_call>{\"name\":\"f\",\"arguments\":{ } }</tool_call>",
                  "C[<]T0[f|{ }]");
    assert_events(&hermes, "end \n", "C[end \n]");
}

static void calls_after_reasoning(void **state) {
    (void)state;
    assert_events(&both,
                  "<think>use <tool_call></think>\n\n<tool_call>\n{\"name\":\"f\",\"arguments\":{}}"
                  "\n</tool_call>",
                  "M[<think>]R[use <tool_call>]M[</think>\n\n]T0[f|{}]");
}

static void malformed_calls_are_content(void **state) {
    static const char *const bodies[] = {
        "",
        "{}",
        "[]",
        "nothing",
        "{\"name\":\"f\"}",
        "{\"arguments\":{}}",
        "{\"name\":\"f\",\"arguments\":\"{}\"}",
        "{\"name\":\"f\",\"arguments\":[]}",
        "{\"name\":\"\",\"arguments\":{}}",
        "{\"name\":\"a b\",\"arguments\":{}}",
        "{\"name\":7,\"arguments\":{}}",
        "{\"name\":\"f\",\"arguments\":{}} trailing",
        "{\"name\":\"f\",\"arguments\":{},\"more\":1}",
        "{\"name\":\"f\",\"name\":\"g\",\"arguments\":{}}",
        "{\"name\":\"f\\u0041\",\"arguments\":{}}",
        "{\"name\":\"f\",\"parameters\":{}}",
        "{\"name\":\"f\",\"arguments\":{\"x\":}}",
        "{\"name\":\"f\",\"arguments\":{}",
    };
    char text[256], expected[512];
    (void)state;
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        snprintf(text, sizeof text, "a\n<tool_call>%s</tool_call>\nb", bodies[i]);
        snprintf(expected, sizeof expected, "C[%s]", text);
        assert_events(&hermes, text, expected);
    }
    assert_events(
        &hermes, "<tool_call>x</tool_call><tool_call>{\"name\":\"f\",\"arguments\":{}}</tool_call>",
        "C[<tool_call>x</tool_call>]T0[f|{}]");
    assert_events(&hermes, "<tool_call>{\"name\":\"f\",\"argu",
                  "C[<tool_call>{\"name\":\"f\",\"argu]");
}

static void llama_calls(void **state) {
    (void)state;
    assert_events(&llama, "{\"name\": \"f\", \"parameters\": {\"a\": \"b\"}}",
                  "T0[f|{\"a\": \"b\"}]");
    assert_events(&llama,
                  " <|python_tag|> {\"type\":\"function\",\"name\":\"f\",\"parameters\":{}}\n",
                  "M[ <|python_tag|> ]T0[f|{}]M[\n]");
    assert_events(&llama, "{\"name\":\"f\",\"parameters\":{}}; {\"name\":\"g\",\"parameters\":{}}",
                  "T0[f|{}]M[; ]T1[g|{}]");
    static const char *const content[] = {
        "hello",
        "{\"answer\": 42}",
        "{\"name\":\"f\",\"parameters\":{}} is my call",
        "{\"name\":\"f\",\"parameters\":{}}{\"name\":\"g\",\"parameters\":{}}",
        "{\"name\":\"f\",\"arguments\":{}}",
        "{\"name\":\"f\",\"parameters\":{}",
        "<|python_tag|>",
        "<|python_tag|>print(1)",
        "<|pyth",
        "{",
        " ",
        "{\"type\":\"x\",\"name\":\"f\",\"parameters\":{}}"};
    char expected[128];
    for (size_t i = 0; i < sizeof content / sizeof content[0]; i++) {
        snprintf(expected, sizeof expected, "C[%s]", content[i]);
        assert_events(&llama, content[i], expected);
    }
}

/* What can not become a call is not held back: a JSON answer streams. */
static void other_json_comes_at_once(void **state) {
    static const char *const texts[] = {"{\"a", " { \"nam ", "<|python_tag|> [", "{7",
                                        "{}",   "hi",        "<|python_tax"};
    static const char *const held[] = {"{ \"nam", "<|python_tag|> { \"type\" : 7", " ", "{",
                                       "{\"parameters"};
    vb_error e;
    (void)state;
    for (size_t i = 0; i < 12; i++) {
        const char *text = i < 7 ? texts[i] : held[i - 7];
        record r = {.log = vb_buf_make(1 << 10), .raw = vb_buf_make(1 << 10)};
        vb_message_parser *m = NULL;
        assert_int_equal(vb_message_open(&llama, note, &r, &m, &e), VB_OK);
        assert_int_equal(vb_message_feed(m, text, strlen(text), &e), VB_OK);
        assert_int_equal(r.raw.len, i < 7 ? strlen(text) : 0);
        vb_message_close(m);
        free_record(&r);
    }
}

/* Texts longer than what is held back go on as content, wherever they are cut. */
static void what_is_held_is_bounded(void **state) {
    const size_t n = VB_API_TOOL_CALL_BYTES_MAX + 100;
    char *text = malloc(n + 1);
    const size_t cut[] = {7, n - 50};
    (void)state;
    assert_non_null(text);
    memset(text, 'x', n);
    memcpy(text, "<tool_call>{\"", 13);
    for (size_t pieces = 0; pieces <= 2; pieces += 2) {
        record r = run(&hermes, text, n, cut, pieces);
        assert_int_equal(r.log.len, n + 3);
        assert_true(r.log.data[0] == 'C');
        free_record(&r);
        memcpy(text, "{\"name\":\"", 9);
        r = run(&llama, text, n, cut, pieces);
        assert_int_equal(r.log.len, n + 3);
        free_record(&r);
        memcpy(text, "<tool_call>{\"", 13);
    }
    memset(text, ' ', n);
    for (size_t pieces = 0; pieces <= 2; pieces += 2) {
        record r = run(&both, text, n, cut, pieces);
        assert_int_equal(r.raw.len, n);
        assert_int_equal(r.log.len, n + 3);
        free_record(&r);
    }
    free(text);
}

static void calls_are_counted(void **state) {
    static const char call[] = "<tool_call>{\"name\":\"f\",\"arguments\":{}}</tool_call>";
    vb_buf text = vb_buf_make(1 << 20);
    (void)state;
    for (size_t i = 0; i <= VB_API_TOOL_CALLS_MAX; i++) {
        append(&text, call, sizeof call - 1);
    }
    record r = run(&hermes, (const char *)text.data, text.len, NULL, 0);
    assert_non_null(strstr((char *)r.log.data, "T127[f|{}]C[<tool_call>"));
    assert_int_equal(r.raw.len, text.len);
    free_record(&r);
    vb_buf_free(&text);
}

/* Random texts of the pieces that matter, under every form, cut at random. */
static void any_cutting_gives_the_same(void **state) {
    static const char *const pieces[] = {"<think>",
                                         "</think>",
                                         "<tool_call>",
                                         "</tool_call>",
                                         "{\"name\":\"f\",\"arguments\":{}}",
                                         "\n",
                                         " ",
                                         "<",
                                         "</",
                                         "<t",
                                         "{\"name\":\"f\",\"parameters\":{\"a\":\"\\\"\"}}",
                                         ";",
                                         "a",
                                         "\xe2\x82\xac",
                                         "\"",
                                         "{",
                                         "}",
                                         "<|python_tag|>",
                                         "\xe2\x82",
                                         "\xff",
                                         "tool_call>"};
    uint64_t seed = 22;
    (void)state;
    for (int round = 0; round < 20000; round++) {
        char text[512];
        size_t n = 0, ends[16], n_ends = 0;
        const vb_message_options o = {.reasoning = vb_test_random(&seed) % 2,
                                      .think_open = vb_test_random(&seed) % 2,
                                      .tools = (vb_tool_form)(vb_test_random(&seed) % 3),
                                      .one_call = vb_test_random(&seed) % 2,
                                      .whole = vb_test_random(&seed) % 4 ? VB_MESSAGE_WHOLE_NOTHING
                                               : vb_test_random(&seed) % 2
                                                   ? VB_MESSAGE_WHOLE_CALL
                                                   : VB_MESSAGE_WHOLE_ARGUMENTS,
                                      .function = "f"};
        for (size_t k = vb_test_random(&seed) % 12; k > 0; k--) {
            const char *p = pieces[vb_test_random(&seed) % (sizeof pieces / sizeof pieces[0])];
            memcpy(text + n, p, strlen(p));
            n += strlen(p);
        }
        text[n] = 0;
        for (size_t at = 0; n_ends < 16 && (at += vb_test_random(&seed) % 9) < n;) {
            ends[n_ends++] = at;
        }
        record whole = run(&o, text, n, NULL, 0), cut = run(&o, text, n, ends, n_ends);
        assert_int_equal(whole.raw.len, n);
        assert_true(n == 0 || memcmp(whole.raw.data, text, n) == 0);
        assert_string_equal((char *)whole.log.data, (char *)cut.log.data);
        assert_true(cut.raw.len == n && (n == 0 || memcmp(cut.raw.data, text, n) == 0));
        free_record(&whole);
        free_record(&cut);
    }
}

static void one_call_is_shown(void **state) {
    const vb_message_options hermes_one = {.tools = VB_TOOL_FORM_HERMES, .one_call = true};
    const vb_message_options llama_one = {.tools = VB_TOOL_FORM_LLAMA3, .one_call = true};
    (void)state;
    assert_events(&hermes_one,
                  "a<tool_call>{\"name\":\"f\",\"arguments\":{}}</tool_call>\n<tool_call>"
                  "{\"name\":\"g\",\"arguments\":{}}</tool_call>",
                  "C[a]T0[f|{}]C[\n<tool_call>{\"name\":\"g\",\"arguments\":{}}</tool_call>]");
    assert_events(&llama_one,
                  "{\"name\":\"f\",\"parameters\":{}};{\"name\":\"g\",\"parameters\":{}}",
                  "T0[f|{}]C[;{\"name\":\"g\",\"parameters\":{}}]");
    assert_events(&llama_one, "{\"name\":\"f\",\"parameters\":{}}; ", "T0[f|{}]M[; ]");
}

/* Under a constraint the text is what was asked for, or it was cut off. */
static void the_whole_text(void **state) {
    const vb_message_options call = {.tools = VB_TOOL_FORM_HERMES, .whole = VB_MESSAGE_WHOLE_CALL};
    const vb_message_options bare = {.tools = VB_TOOL_FORM_LLAMA3, .whole = VB_MESSAGE_WHOLE_CALL};
    const vb_message_options arguments = {.whole = VB_MESSAGE_WHOLE_ARGUMENTS, .function = "f.1"};
    (void)state;
    assert_events(&call, "\n  {\"arguments\": {\"a\": \"<think>\"}, \"name\": \"f\"}",
                  "M[\n  ]T0[f|{\"a\": \"<think>\"}]");
    assert_events(&call, "{\"name\":\"f\",\"parameters\":{}}",
                  "C[{\"name\":\"f\",\"parameters\":{}}]");
    assert_events(&bare, "{\"name\":\"f\",\"parameters\":{}}", "T0[f|{}]");
    assert_events(&bare, "{\"name\":\"f\",\"parameters\":{", "C[{\"name\":\"f\",\"parameters\":{]");
    assert_events(&arguments, " {\"a\":[1,\"\xe2\x82\xac\"]}\n",
                  "M[ ]T0[f.1|{\"a\":[1,\"\xe2\x82\xac\"]}]M[\n]");
    assert_events(&arguments, "{\"a\":[1,\"\xe2\x82\xac", "C[{\"a\":[1,\"\xe2\x82\xac]");
    assert_events(&arguments, "[1]", "C[[1]]");
    assert_events(&arguments, "  ", "C[  ]");
    assert_events(&arguments, "", "");
    assert_events(&arguments, "<think>\n</think>{}", "C[<think>\n</think>{}]");
}

static void a_whole_text_is_bounded(void **state) {
    const vb_message_options o = {.whole = VB_MESSAGE_WHOLE_ARGUMENTS, .function = "f"};
    const size_t n = VB_API_TOOL_CALL_BYTES_MAX + 100;
    char *text = malloc(n);
    (void)state;
    assert_non_null(text);
    memset(text, ' ', n);
    memcpy(text, "{\"a\":\"", 6);
    memcpy(text + n - 2, "\"}", 2);
    record r = run(&o, text, n, NULL, 0);
    assert_int_equal(r.n_calls, 0);
    assert_true(r.raw.len == n && memcmp(r.raw.data, text, n) == 0);
    free_record(&r);
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_content),
        cmocka_unit_test(reasoning_is_apart),
        cmocka_unit_test(reasoning_that_the_prompt_opened),
        cmocka_unit_test(hermes_calls),
        cmocka_unit_test(calls_after_reasoning),
        cmocka_unit_test(malformed_calls_are_content),
        cmocka_unit_test(llama_calls),
        cmocka_unit_test(other_json_comes_at_once),
        cmocka_unit_test(what_is_held_is_bounded),
        cmocka_unit_test(calls_are_counted),
        cmocka_unit_test(one_call_is_shown),
        cmocka_unit_test(the_whole_text),
        cmocka_unit_test(a_whole_text_is_bounded),
        cmocka_unit_test(any_cutting_gives_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
