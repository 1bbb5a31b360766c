/* Each allocation of reading a request, of taking a text apart and of writing a response fails in
 * turn: want of memory is said to be that, nothing else comes of it, and nothing leaks. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/constraint.h"
#include "api/message.h"
#include "api/request.h"
#include "api/response.h"
#include "api/variables.h"
#include "support/testing.h"

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);

static long until_failure = -1; /* allocations that still succeed; -1: all */

static bool fails_now(void) {
    return until_failure >= 0 && until_failure-- == 0;
}

void *__wrap_malloc(size_t n) {
    return fails_now() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size) {
    return fails_now() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n) {
    return fails_now() ? NULL : __real_realloc(p, n);
}

static vb_api_request request;
static vb_api_error error;

static vb_err read_request(vb_api_endpoint endpoint, const char *body) {
    vb_api_defaults d = VB_API_DEFAULTS;
    d.n_vocab = 1000;
    d.beacon_id = "local:ab";
    d.mode = VB_MODE_LOCAL;
    error = (vb_api_error){0};
    vb_err err = vb_api_request_parse(endpoint, body, strlen(body), &d, &request, &error);
    vb_api_request_free(&request);
    return err;
}

static vb_err read_chat(void) {
    return read_request(
        VB_API_CHAT,
        "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"name\":\"n\",\"content\":["
        "{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"text\",\"text\":\"b\"}]},{\"role\":"
        "\"assistant\",\"reasoning_content\":\"r\",\"tool_calls\":[{\"id\":\"c\",\"type\":"
        "\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":[1]}\"}},{\"id\":"
        "\"d\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"\"}}]},{\"role\":"
        "\"tool\",\"tool_call_id\":\"c\",\"content\":\"1\"}],\"stop\":[\"x\",\"y\"],\"tools\":[{"
        "\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":{}}}]}");
}

static vb_err read_text(void) {
    return read_request(VB_API_COMPLETIONS, "{\"model\":\"m\",\"prompt\":\"hi\",\"stop\":\"x\"}");
}

static vb_err read_tokens(void) {
    return read_request(VB_API_COMPLETIONS, "{\"model\":\"m\",\"prompt\":[1,2,3]}");
}

typedef vb_err attempt(void);

/* Fails every allocation of an attempt in turn, until it succeeds without. */
static void starve(attempt *a, bool api_error) {
    assert_int_equal(a(), VB_OK);
    long n = 0;
    vb_err err;
    do {
        until_failure = n++;
        err = a();
        const bool went_through = until_failure >= 0;
        until_failure = -1;
        if (went_through) {
            assert_int_equal(err, VB_OK);
            break;
        }
        assert_int_equal(err, VB_ENOMEM);
        assert_true(!api_error || error.status == 503);
    } while (true);
    assert_true(n > 2);
}

static void requests(void **state) {
    (void)state;
    starve(read_chat, true);
    starve(read_text, true);
    starve(read_tokens, true);
}

/* A request's prompt and constraint, from the request read beforehand. */
static vb_err make_constraint(void) {
    vb_text text = {NULL, 0};
    error = (vb_api_error){0};
    vb_err err = vb_api_constraint(&request, VB_TOOL_FORM_HERMES, &text, &error);
    vb_text_free(&text);
    return err;
}

static vb_err make_variables(void) {
    vb_text text = {NULL, 0};
    error = (vb_api_error){0};
    vb_err err = vb_api_variables(&request, &text, &error);
    vb_text_free(&text);
    return err;
}

static void constraints(void **state) {
    static const char *const more[] = {
        "\"tool_choice\":\"required\"",
        "\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"f\"}}",
        "\"tool_choice\":\"none\",\"structured_outputs\":{\"choice\":[\"a\"]}",
        "\"tool_choice\":\"none\",\"response_format\":{\"type\":\"json_object\"}"};
    (void)state;
    for (size_t i = 0; i < sizeof more / sizeof more[0]; i++) {
        char body[1024];
        vb_api_defaults d = VB_API_DEFAULTS;
        d.n_vocab = 1000;
        d.beacon_id = "local:ab";
        d.mode = VB_MODE_LOCAL;
        snprintf(body, sizeof body,
                 "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],\"tools\":"
                 "[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"parameters\":{\"$defs\":"
                 "{\"a\":{\"$ref\":\"#\"}},\"properties\":{\"b\":{\"$ref\":\"#/$defs/a\"}}}}}],%s}",
                 more[i]);
        assert_int_equal(
            vb_api_request_parse(VB_API_CHAT, body, strlen(body), &d, &request, &error), VB_OK);
        starve(make_constraint, true);
        starve(make_variables, true);
        vb_api_request_free(&request);
    }
}

static const char said[] =
    "<think>\nhm\n</think>\n\nlook\n<tool_call>\n{\"name\":\"f\",\"arguments\":{\"a\":1}}\n"
    "</tool_call>\n<tool_call>{}</tool_call> end";
static const char called[] =
    "{\"name\":\"f\",\"parameters\":{}}; {\"name\":\"g\",\"parameters\":{}}";

static const char *expected; /* what events have to be a beginning of */
static size_t given;

static void note(void *user, const vb_message_event *event) {
    (void)user;
    assert_true(given + event->raw.len <= strlen(expected));
    assert_memory_equal(expected + given, event->raw.p, event->raw.len);
    given += event->raw.len;
}

static vb_err take_apart(const char *text, vb_tool_form form, vb_message_whole all) {
    const vb_message_options o = {.reasoning = !all, .tools = form, .whole = all, .function = "f"};
    vb_message_parser *m = NULL;
    expected = text;
    given = 0;
    vb_err err = vb_message_open(&o, note, NULL, &m, NULL);
    for (size_t i = 0; i < strlen(text) && !err; i += 5) {
        err = vb_message_feed(m, text + i, strlen(text) - i < 5 ? strlen(text) - i : 5, NULL);
    }
    if (!err) {
        err = vb_message_end(m, NULL);
    }
    assert_true(err || given == strlen(text));
    vb_message_close(m);
    return err;
}

static vb_err take_hermes_apart(void) {
    return take_apart(said, VB_TOOL_FORM_HERMES, VB_MESSAGE_WHOLE_NOTHING);
}

static vb_err take_llama_apart(void) {
    return take_apart(called, VB_TOOL_FORM_LLAMA3, VB_MESSAGE_WHOLE_NOTHING);
}

static vb_err take_call_apart(void) {
    return take_apart(" {\"name\":\"f\",\"parameters\":{}}", VB_TOOL_FORM_LLAMA3,
                      VB_MESSAGE_WHOLE_CALL);
}

static vb_err take_arguments_apart(void) {
    return take_apart("{\"a\":1}\n", VB_TOOL_FORM_NONE, VB_MESSAGE_WHOLE_ARGUMENTS);
}

static void messages(void **state) {
    (void)state;
    starve(take_hermes_apart, false);
    starve(take_llama_apart, false);
    starve(take_call_apart, false);
    starve(take_arguments_apart, false);
}

static vb_err write_response(void) {
    const vb_api_head head = {VB_API_COMPLETIONS, "i", 1, "m", NULL};
    const vb_api_token token = {.bytes = {"\xe2", 1}, .logprob = -1, .top = &token, .n_top = 1};
    const vb_api_choice choice = {
        .content = {"x", 1}, .logprobs = {&token, 1}, .finish_reason = "stop"};
    const vb_api_usage usage = {1, 2, 0, 0};
    vb_buf b = vb_buf_make(1 << 16);
    vb_err err = vb_api_response_append(&head, &choice, 1, &usage, NULL, &b);
    vb_buf_free(&b);
    return err;
}

static void responses(void **state) {
    (void)state;
    starve(write_response, false);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests),
        cmocka_unit_test(constraints),
        cmocka_unit_test(messages),
        cmocka_unit_test(responses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
