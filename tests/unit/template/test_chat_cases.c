/*
 * Every template of the shared data: either it is recognised and renders to exactly the text
 * that a Jinja engine gives, or it is refused. Which ones are known is listed here, so that
 * neither side can grow by accident.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "support/testing.h"
#include "template/chat.h"

enum { MESSAGES_MAX = 32 };

static json_t *load_json(const char *relative) {
    json_error_t why;
    json_t *root = json_load_file(vb_test_data(relative), 0, &why);
    if (!root) {
        fail_msg("%s: %s", relative, why.text);
    }
    return root;
}

static const char *text_of(json_t *object, const char *key, const char *otherwise) {
    json_t *v = json_object_get(object, key);
    return json_is_string(v) ? json_string_value(v) : otherwise;
}

static vb_str str_of(const char *s) {
    return (vb_str){s, strlen(s)};
}

/* The number of messages, or 0 when one has something else than plain text. */
static size_t read_messages(json_t *list, vb_chat_message *out) {
    size_t n = json_array_size(list);
    if (n > MESSAGES_MAX) {
        return 0;
    }
    for (size_t i = 0; i < n; i++) {
        json_t *m = json_array_get(list, i);
        if (!json_is_string(json_object_get(m, "content")) || json_object_get(m, "tool_calls")) {
            return 0;
        }
        out[i] = (vb_chat_message){text_of(m, "role", ""), str_of(text_of(m, "content", ""))};
    }
    return n;
}

static void check_render(const char *name, const vb_chat_template *c, const vb_chat_message *m,
                         size_t n, bool generate, const char *want) {
    vb_error e;
    vb_buf out = vb_buf_make(1u << 20);
    if (vb_chat_render(c, m, n, generate, NULL, &out, &e) != VB_OK) {
        fail_msg("%s: %s", name, e.msg);
    }
    if (out.len != strlen(want) || memcmp(out.data, want, out.len) != 0) {
        fail_msg("%s gives\n%s\nexpected\n%s", name, (const char *)out.data, want);
    }
    vb_buf_free(&out);
}

static bool is_listed(const char *name, const char *const *list) {
    for (; *list; list++) {
        if (strcmp(name, *list) == 0) {
            return true;
        }
    }
    return false;
}

static bool recognised(const char *name, const char *source, const char *bos, const char *eos,
                       const char *const *known, vb_chat_template *c) {
    vb_error e;
    vb_err err = vb_chat_recognise(str_of(source), bos, eos, c, &e);
    if (is_listed(name, known) != (err == VB_OK)) {
        fail_msg("%s is %s", name, err ? e.msg : vb_chat_family_name(c->family));
    }
    if (err) {
        assert_int_equal(err, VB_EUNSUPPORTED);
        assert_non_null(strstr(e.msg, "--raw"));
        assert_non_null(strstr(e.msg, "ChatML"));
    }
    return err == VB_OK;
}

/* What a Jinja engine gives for the conversation that all built-in cases share. */
static void test_builtin_cases(void **state) {
    static const char *const known[] = {"bofenghuang/vigogne-2-70b-chat", NULL};
    (void)state;
    json_t *root = load_json("templates/builtin_cases.json");
    json_t *cases = json_object_get(root, "cases");
    vb_chat_message messages[MESSAGES_MAX];
    size_t n = read_messages(json_object_get(root, "conversation"), messages);
    size_t rendered = 0;
    assert_true(n > 0 && json_array_size(cases) > 10);
    for (size_t i = 0; i < json_array_size(cases); i++) {
        json_t *x = json_array_get(cases, i);
        vb_chat_template c;
        const char *name = text_of(x, "name", "");
        const char *want = text_of(x, "expected_output_jinja", "");
        want = want[0] ? want : text_of(x, "expected_output", "");
        if (recognised(name, text_of(x, "template_str", ""), text_of(x, "bos_token", ""),
                       text_of(x, "eos_token", ""), known, &c)) {
            check_render(name, &c, messages, n, true, want);
            rendered++;
        }
    }
    assert_int_equal(rendered, 1);
    json_decref(root);
}

static size_t check_group(json_t *group, const char *const *known) {
    const char *name;
    json_t *x;
    size_t rendered = 0;
    json_object_foreach(group, name, x) {
        vb_chat_message messages[MESSAGES_MAX];
        vb_chat_template c;
        json_t *data = json_object_get(x, "data");
        if (!recognised(name, text_of(x, "chat_template", ""), text_of(data, "bos_token", ""),
                        text_of(data, "eos_token", ""), known, &c)) {
            continue;
        }
        size_t n = read_messages(json_object_get(data, "messages"), messages);
        if (n && !json_object_get(data, "tools")) {
            bool generate = json_is_true(json_object_get(data, "add_generation_prompt"));
            check_render(name, &c, messages, n, generate, text_of(x, "target", ""));
            rendered++;
        }
    }
    return rendered;
}

static void test_jinja_cases(void **state) {
    static const char *const known[] = {"_base",
                                        "cognitivecomputations/dolphin-2.5-mixtral-8x7b",
                                        "deepseek-ai/DeepSeek-R1",
                                        "meta-llama/Llama-3.1-8B-Instruct",
                                        "Qwen/Qwen2.5-7B-Instruct",
                                        NULL};
    (void)state;
    json_t *root = load_json("templates/jinja_cases.json");
    size_t rendered = check_group(json_object_get(root, "default_templates"), known) +
                      check_group(json_object_get(root, "custom_templates"), known);
    assert_int_equal(rendered, 3);
    json_decref(root);
}

static void test_unknown_files_are_refused(void **state) {
    static const char *const names[] = {"HuggingFaceTB-SmolLM3-3B", "Qwen-QwQ-32B",
                                        "Qwen-Qwen3-0.6B", "deepseek-ai-DeepSeek-V3.1",
                                        "mistralai-Mistral-Nemo-Instruct-2407"};
    static const char *const none[] = {NULL};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[256];
        size_t n;
        vb_chat_template c;
        snprintf(path, sizeof path, "templates/%s.jinja", names[i]);
        char *source = (char *)vb_test_read(vb_test_data(path), &n);
        assert_false(recognised(names[i], source, "", "", none, &c));
        free(source);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_builtin_cases),
        cmocka_unit_test(test_jinja_cases),
        cmocka_unit_test(test_unknown_files_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
