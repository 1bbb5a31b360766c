/*
 * Every template of the shared data, rendered with its input to exactly the published text; the
 * template files with cases of the same models, and all of them with a plain conversation.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "support/testing.h"
#include "template/jinja.h"

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

/* The text, to be freed; the cases' clock stands at 2025-07-10 12:00. */
static char *rendered(const char *name, const char *source, const json_t *context) {
    const vb_jinja_clock clock = {2025, 7, 10, 12, 0, 0};
    const vb_jinja_input input = {.context = context, .clock = &clock};
    vb_jinja *t;
    vb_jinja_output out;
    vb_error e;
    if (vb_jinja_compile(source, strlen(source), &t, &e) != VB_OK ||
        vb_jinja_render(t, &input, &out, &e) != VB_OK) {
        fail_msg("%s: %s", name, e.msg);
    }
    vb_jinja_free(t);
    free(out.runs);
    return out.text;
}

static void check(const char *name, const char *source, const json_t *context, const char *want) {
    char *text = rendered(name, source, context);
    if (strcmp(text, want) != 0) {
        fail_msg("%s gives\n%s\nexpected\n%s", name, text, want);
    }
    free(text);
}

/* These templates have no place for a system message: the published texts were made with it put
 * before the first user message. */
static bool folds_system(const char *name) {
    static const char *const names[] = {"Mistral-7B-Instruct-v0.2", "Orion-14B-Chat", "Phi-3-mini"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strstr(name, names[i])) {
            return true;
        }
    }
    return false;
}

static json_t *with_system_folded(const json_t *conversation) {
    json_t *folded = json_deep_copy(conversation);
    json_t *system = json_array_get(folded, 0), *user = json_array_get(folded, 1);
    char content[256];
    snprintf(content, sizeof content, "%s\n%s", text_of(system, "content", ""),
             text_of(user, "content", ""));
    json_object_set_new(user, "content", json_string(content));
    json_array_remove(folded, 0);
    return folded;
}

static void test_builtin_cases(void **state) {
    (void)state;
    json_t *root = load_json("templates/builtin_cases.json");
    json_t *cases = json_object_get(root, "cases");
    assert_int_equal(json_array_size(cases), 18);
    for (size_t i = 0; i < json_array_size(cases); i++) {
        json_t *x = json_array_get(cases, i);
        const char *name = text_of(x, "name", "");
        const char *want = text_of(x, "expected_output_jinja", "");
        json_t *messages = folds_system(name)
                               ? with_system_folded(json_object_get(root, "conversation"))
                               : json_deep_copy(json_object_get(root, "conversation"));
        json_t *extra = json_object_get(x, "extra_conversation");
        if (extra) {
            json_array_extend(messages, extra);
        }
        json_t *context = json_pack(
            "{s:o,s:b,s:s,s:s}", "messages", messages, "add_generation_prompt", 1, "bos_token",
            text_of(x, "bos_token", ""), "eos_token", text_of(x, "eos_token", ""));
        check(name, text_of(x, "template_str", ""), context,
              want[0] ? want : text_of(x, "expected_output", ""));
        json_decref(context);
    }
    json_decref(root);
}

static void test_jinja_cases(void **state) {
    static const char *const groups[] = {"default_templates", "custom_templates"};
    size_t n = 0;
    (void)state;
    json_t *root = load_json("templates/jinja_cases.json");
    for (int i = 0; i < 2; i++) {
        const char *name;
        json_t *x;
        json_object_foreach(json_object_get(root, groups[i]), name, x) {
            check(name, text_of(x, "chat_template", ""), json_object_get(x, "data"),
                  text_of(x, "target", ""));
            n++;
        }
    }
    assert_int_equal(n, 24);
    json_decref(root);
}

/* The template files, each with the published case of the model that carries it, where the file
 * and the case are of the same template. */
static void test_files(void **state) {
    static const struct {
        const char *file, *name;
    } pairs[] = {{"Qwen-Qwen2.5-7B-Instruct", "Qwen/Qwen2.5-7B-Instruct"},
                 {"Qwen-Qwen3-0.6B", "Qwen/Qwen3-0.6B"},
                 {"meta-llama-Llama-3.1-8B-Instruct", "meta-llama/Llama-3.1-8B-Instruct"}};
    (void)state;
    json_t *root = load_json("templates/jinja_cases.json");
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        char path[256];
        size_t n;
        json_t *x = json_object_get(json_object_get(root, "custom_templates"), pairs[i].name);
        snprintf(path, sizeof path, "templates/%s.jinja", pairs[i].file);
        char *source = (char *)vb_test_read(vb_test_data(path), &n);
        assert_non_null(x);
        check(pairs[i].file, source, json_object_get(x, "data"), text_of(x, "target", ""));
        free(source);
    }
    json_decref(root);
}

static void test_all_files_render(void **state) {
    static const char *const names[] = {"HuggingFaceTB-SmolLM3-3B",
                                        "Qwen-QwQ-32B",
                                        "Qwen-Qwen2.5-7B-Instruct",
                                        "Qwen-Qwen3-0.6B",
                                        "deepseek-ai-DeepSeek-R1-Distill-Llama-8B",
                                        "deepseek-ai-DeepSeek-R1-Distill-Qwen-32B",
                                        "deepseek-ai-DeepSeek-V3.1",
                                        "meta-llama-Llama-3.1-8B-Instruct",
                                        "meta-llama-Llama-3.2-3B-Instruct",
                                        "mistralai-Mistral-Nemo-Instruct-2407"};
    (void)state;
    json_t *context =
        json_pack("{s:[{s:s,s:s},{s:s,s:s},{s:s,s:s},{s:s,s:s}],s:b,s:s,s:s}", "messages", "role",
                  "system", "content", "Be brief.", "role", "user", "content", "Hi", "role",
                  "assistant", "content", "<think>x</think>Hello", "role", "user", "content",
                  "Bye?", "add_generation_prompt", 1, "bos_token", "<s>", "eos_token", "</s>");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[256];
        size_t n;
        snprintf(path, sizeof path, "templates/%s.jinja", names[i]);
        char *source = (char *)vb_test_read(vb_test_data(path), &n);
        char *text = rendered(names[i], source, context);
        assert_non_null(strstr(text, "Be brief."));
        assert_non_null(strstr(text, "Bye?"));
        free(text);
        free(source);
    }
    json_decref(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_builtin_cases),
        cmocka_unit_test(test_jinja_cases),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_all_files_render),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
