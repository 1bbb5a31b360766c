/*
 * The engine against Python's jinja2: the cases of jinja_cases.json, whose texts jinja2 gave
 * (make_jinja_cases.py), what must fail, be refused or run into a limit, and with how much memory.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "support/testing.h"
#include "template/jinja.h"

static const vb_jinja_clock now = {2025, 7, 10, 12, 0, 0};

static json_t *load_cases(void) {
    json_error_t why;
    json_t *root = json_load_file(vb_test_source("tests/unit/template/jinja_cases.json"),
                                  JSON_ALLOW_NUL, &why);
    if (!root) {
        fail_msg("jinja_cases.json: %s", why.text);
    }
    return root;
}

static vb_err render(const json_t *source, const json_t *context, size_t memory,
                     vb_jinja_output *out, vb_error *e) {
    const vb_jinja_input input = {.context = context, .clock = &now, .memory_bytes_max = memory};
    vb_jinja *t;
    vb_err err = vb_jinja_compile(json_string_value(source), json_string_length(source), &t, e);
    if (!err) {
        err = vb_jinja_render(t, &input, out, e);
        vb_jinja_free(t);
    }
    return err;
}

/* The runs cover the text, each is not empty, and they alternate. */
static void check_runs(const char *source, const vb_jinja_output *o) {
    size_t begin = 0;
    for (size_t i = 0; i < o->n_runs; i++) {
        if (o->runs[i].end <= begin || (i && o->runs[i].trusted == o->runs[i - 1].trusted)) {
            fail_msg("%s: run %zu is empty or as the one before", source, i);
        }
        begin = o->runs[i].end;
    }
    if (begin != o->n_bytes) {
        fail_msg("%s: the runs end at byte %zu of %zu", source, begin, o->n_bytes);
    }
}

static void check_case(const json_t *x, const json_t *context) {
    const json_t *source = json_object_get(x, "template"), *want = json_object_get(x, "want");
    const char *text = json_string_value(source);
    vb_jinja_output out;
    vb_error e;
    vb_err err = render(source, context, 0, &out, &e);
    if (!want) {
        const char *error = json_string_value(json_object_get(x, "error"));
        if (strcmp(vb_err_name(err), error) != 0) {
            fail_msg("%s: expected the error %s, not %s: %s", text, error, vb_err_name(err),
                     err ? e.msg : "");
        }
        if (!strstr(e.msg, "line ") || !strstr(e.msg, "column ")) {
            fail_msg("%s: no place in %s", text, e.msg);
        }
        return;
    }
    if (err) {
        fail_msg("%s: %s", text, e.msg);
    }
    if (out.n_bytes != json_string_length(want) ||
        memcmp(out.text, json_string_value(want), out.n_bytes) != 0) {
        fail_msg("%s gives\n%s\nexpected\n%s", text, out.text, json_string_value(want));
    }
    check_runs(text, &out);
    vb_jinja_output_free(&out);
}

static void test_cases(void **state) {
    size_t i;
    json_t *x;
    (void)state;
    json_t *root = load_cases();
    json_t *cases = json_object_get(root, "cases");
    assert_true(json_array_size(cases) > 900);
    json_array_foreach(cases, i, x) {
        check_case(x, json_object_get(root, "context"));
    }
    json_decref(root);
}

/* With too little memory the render fails in an orderly way, wherever the memory ends, and with
 * enough it gives the same text. */
static void test_little_memory(void **state) {
    size_t i, failed = 0;
    json_t *x;
    (void)state;
    json_t *root = load_cases();
    json_array_foreach(json_object_get(root, "cases"), i, x) {
        if (i % 7 || !json_object_get(x, "want")) {
            continue;
        }
        for (size_t memory = 64; memory < 200000; memory += memory / 3) {
            vb_jinja_output out;
            vb_error e;
            vb_err err = render(json_object_get(x, "template"), json_object_get(root, "context"),
                                memory, &out, &e);
            if (!err) {
                assert_string_equal(out.text, json_string_value(json_object_get(x, "want")));
                vb_jinja_output_free(&out);
            } else if (err != VB_ELIMIT || !strstr(e.msg, "memory")) {
                fail_msg("%s with %zu bytes: %s", json_string_value(json_object_get(x, "template")),
                         memory, e.msg);
            } else {
                failed++;
            }
        }
    }
    assert_true(failed > 1000);
    json_decref(root);
}

static void test_provenance(void **state) {
    static const struct {
        const char *source, *text, *marks; /* marks: T the template's own, - not */
    } cases[] = {
        {"ab{{ x }}c", "ab<m>c", "TT---T"},
        {"{{ 'a' ~ x ~ 1 }}", "a<m>1", "T----"},
        {"{{ bos }}{{ x }}", "<s><m>", "TTT---"},
        {"{{ ('a' ~ x)[1:3] }}{{ ('a' ~ x)[::-1] }}", "<m>m<a", "-----T"},
        {"{{ ('a' ~ x) | upper }}", "A<M>", "T---"},
        {"{{ ('a' ~ x) | tojson }}", "\"a<m>\"", "-T----"},
        {"{{ [x, 'b'] }}", "['<m>', 'b']", "---------T--"},
        {"{{ (x ~ 'ab' ~ x).split('a') | join('-') }}", "<m>-b<m>", "---TT---"},
        {"{{ 'a-b'.replace('-', x) }}", "a<m>b", "T---T"},
        {"{{ x.replace('m', 'y') }}", "<y>", "-T-"},
        {"{{ (' ' ~ x ~ ' ').strip() }}", "<m>", "---"},
        {"{% set y %}a{{ x }}{% endset %}{{ y }}", "a<m>", "T---"},
        {"{{ ('a' ~ x) | e }}", "a&lt;m&gt;", "T---------"},
        {"{{ ('a' ~ x) | indent(2, true) }}", "  a<m>", "TTT---"},
        {"{{ {'k': x} | items | list | string }}", "[('k', '<m>')]", "---T----------"},
        {"{{ x | list | join }}{{ 'ab' | list | join }}", "<m>ab", "---TT"},
    };
    (void)state;
    json_t *bos = json_string("<s>");
    json_t *context = json_pack("{s:s,s:O}", "x", "<m>", "bos", bos);
    const json_t *trusted[] = {bos};
    const vb_jinja_input input = {.context = context, .trusted = trusted, .n_trusted = 1};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        vb_jinja *t;
        vb_jinja_output out;
        vb_error e;
        char marks[64] = "";
        if (vb_jinja_compile(cases[i].source, strlen(cases[i].source), &t, &e) != VB_OK ||
            vb_jinja_render(t, &input, &out, &e) != VB_OK) {
            fail_msg("%s: %s", cases[i].source, e.msg);
        }
        check_runs(cases[i].source, &out);
        for (size_t run = 0, b = 0; run < out.n_runs; run++) {
            for (; b < out.runs[run].end && b + 1 < sizeof marks; b++) {
                marks[b] = out.runs[run].trusted ? 'T' : '-';
                marks[b + 1] = 0;
            }
        }
        if (strcmp(out.text, cases[i].text) != 0 || strcmp(marks, cases[i].marks) != 0) {
            fail_msg("%s gives\n%s\n%s\nexpected\n%s\n%s", cases[i].source, out.text, marks,
                     cases[i].text, cases[i].marks);
        }
        vb_jinja_output_free(&out);
        vb_jinja_free(t);
    }
    json_decref(context);
    json_decref(bos);
}

static void test_mentions(void **state) {
    static const char source[] = "{{ a.b }}{% set c = d %}{{ 'e' }}{# f #}{{ g(h=1) }}";
    vb_jinja *t;
    vb_error e;
    (void)state;
    assert_int_equal(vb_jinja_compile(source, strlen(source), &t, &e), VB_OK);
    assert_true(vb_jinja_mentions(t, "a") && vb_jinja_mentions(t, "c"));
    assert_true(vb_jinja_mentions(t, "d") && vb_jinja_mentions(t, "g"));
    assert_false(vb_jinja_mentions(t, "b") || vb_jinja_mentions(t, "e"));
    assert_false(vb_jinja_mentions(t, "f") || vb_jinja_mentions(t, ""));
    vb_jinja_free(t);
}

static void test_bad_input(void **state) {
    vb_jinja *t = NULL;
    vb_jinja_output out;
    vb_error e;
    const size_t n = (1u << 20) + 1;
    (void)state;
    char *large = malloc(n);
    assert_non_null(large);
    memset(large, 'x', n);
    assert_int_equal(vb_jinja_compile(large, n, &t, &e), VB_ELIMIT);
    assert_int_equal(vb_jinja_compile(large, n - 1, &t, &e), VB_OK);
    const vb_jinja_input none = {.context = NULL};
    assert_int_equal(vb_jinja_render(t, &none, &out, &e), VB_EINVAL);
    vb_jinja_free(t);
    free(large);
}

/* Where what is not ended begins, after lines that were read. */
static void test_places(void **state) {
    static const struct {
        const char *source, *place;
    } cases[] = {{"a\n b {{ x\n + y\n", "line 2, column 4"},
                 {"a\n{# b\nc", "line 2, column 1"},
                 {"a\n {% raw %}\n{{", "line 2, column 2"},
                 {"{{ 1 }}\n\n{{ 'b\nc", "line 3, column 4"},
                 {"{% if x %}\n  {{ y z }}{% endif %}", "line 2, column 8"},
                 {"{% if x %}\n", "before the end"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        vb_jinja *t;
        vb_error e;
        assert_int_equal(vb_jinja_compile(cases[i].source, strlen(cases[i].source), &t, &e),
                         VB_EFORMAT);
        if (!strstr(e.msg, cases[i].place)) {
            fail_msg("%s: expected %s in: %s", cases[i].source, cases[i].place, e.msg);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),      cmocka_unit_test(test_little_memory),
        cmocka_unit_test(test_provenance), cmocka_unit_test(test_mentions),
        cmocka_unit_test(test_bad_input),  cmocka_unit_test(test_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
