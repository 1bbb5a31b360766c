/*
 * Each allocation of ours fails in turn while templates are compiled and rendered and prompts are
 * encoded: the result is VB_ENOMEM, never a shorter prompt, and nothing is left behind
 * (LeakSanitizer looks). Those inside jansson are left out where it gives no sign of them.
 */
#include <stdlib.h>
#include <string.h>

#include "support/testing.h"
#include "template/chat.h"
#include "template/jinja.h"
#include "unit/tokenizer/small_vocab.h"

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

static const char source[] =
    "{% macro m(x, y='d') %}{{ x ~ y }}{% if y %}{% set z = 1 %}{% elif x %}{% set w = 2 %}{% "
    "endif "
    "%}{% endmacro %}{% set ns = namespace(n=0) %}{% for k in range(40) %}{% set ns.n = ns.n + k "
    "%}{% endfor %}{% for c in messages %}<|im_start|>{{ m(c.role) }}{{ c.content | trim | upper }}"
    "{{ c | tojson(indent=2) }}{{ 'abc' * 3000 }}<|im_end|>{% endfor %}{{ ns.n }}";

static const vb_chat_message messages[] = {{"system", {"Be brief.", 9}}, {"user", {" Hi ", 4}}};

/* The same messages as variables, with more. */
static const char variables[] =
    "{\"messages\":[{\"role\":\"system\",\"content\":\"Be brief.\"},{\"role\":\"user\",\"content\":"
    "\" Hi \",\"tools\":[{\"name\":\"f\",\"parameters\":{\"a\":1.5,\"b\":[true,null]}}]}]}";

/* What is compiled and rendered with the allocation of this number failing; the prompt's length. */
static vb_err encode(const vb_tokenizer *t, bool of_variables, long failing, size_t *n_ids,
                     vb_error *e) {
    vb_chat_template *c = NULL;
    uint32_t *ids = NULL;
    until_failure = failing;
    vb_err err = vb_chat_compile((vb_str){source, sizeof source - 1}, "<s>", "", &c, e);
    if (!err) {
        err = of_variables ? vb_chat_encode_variables(c, t, variables, sizeof variables - 1,
                                                      "2026-11-22", &ids, n_ids, e)
                           : vb_chat_encode(c, t, messages, 2, true, "2026-11-22", &ids, n_ids, e);
    }
    until_failure = -1;
    vb_chat_free(c);
    free(ids);
    return err;
}

static void check_encode(bool of_variables, size_t failures_min) {
    vb_error e;
    vb_tokenizer *t;
    size_t n_whole = 0, failures = 0;
    vb_buf vocab = small_bpe("gpt-2", NULL, 0);
    assert_int_equal(small_open(&vocab, &t, &e), VB_OK);
    assert_int_equal(encode(t, of_variables, -1, &n_whole, &e), VB_OK);
    for (long k = 0;; k++) {
        size_t n = 0;
        e.msg[0] = 0;
        vb_err err = encode(t, of_variables, k, &n, &e);
        if (!err) {
            assert_int_equal(n, n_whole);
            break;
        }
        if (err != VB_ENOMEM || !e.msg[0]) {
            fail_msg("allocation %ld: %s %s", k, vb_err_name(err), e.msg);
        }
        failures++;
    }
    assert_true(failures > failures_min);
    vb_tokenizer_close(t);
}

static void test_encode(void **state) {
    (void)state;
    check_encode(false, 30);
}

/* Reading JSON makes jansson allocate through us: its allocations fail in turn too. */
static void test_encode_variables(void **state) {
    (void)state;
    check_encode(true, 80);
}

static void test_render(void **state) {
    json_t *context = json_pack("{s:[{s:s,s:s}]}", "messages", "role", "user", "content", "Hi");
    const vb_jinja_input input = {.context = context};
    size_t failures = 0;
    (void)state;
    for (long k = 0;; k++) {
        vb_jinja *t = NULL;
        vb_jinja_output out = {0};
        vb_error e = {0};
        until_failure = k;
        vb_err err = vb_jinja_compile(source, sizeof source - 1, &t, &e);
        if (!err) {
            err = vb_jinja_render(t, &input, &out, &e);
        }
        until_failure = -1;
        vb_jinja_free(t);
        vb_jinja_output_free(&out);
        if (!err) {
            break;
        }
        assert_int_equal(err, VB_ENOMEM);
        assert_true(e.msg[0] != 0);
        failures++;
    }
    assert_true(failures > 10);
    json_decref(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_encode),
        cmocka_unit_test(test_encode_variables),
        cmocka_unit_test(test_render),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
