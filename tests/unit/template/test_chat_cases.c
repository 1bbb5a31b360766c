/*
 * The published cases with what they have besides messages (tools, calls and their results,
 * documents, variables), as prompts of template variables: exactly the published text, followed by
 * the generation prompt where the case has none, and the tokens of that text.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "support/testing.h"
#include "template/chat.h"
#include "unit/tokenizer/r1_qwen.h"

enum { N_VOCABULARIES = 3, N_CASES = 24 };

static vb_tokenizer *vocabularies[N_VOCABULARIES];
static vb_error e;

/* What these templates print after the published text, with a generation prompt and thinking. */
static const struct {
    const char *name, *rest;
} rests[] = {
    {"_base", "<|im_start|>assistant\n"},
    {"cognitivecomputations/dolphin-2.5-mixtral-8x7b", "<|im_start|>assistant\n"},
    {"deepseek-ai/deepseek-llm-7b-chat", "Assistant:"},
    {"h2oai/h2o-danube-1.8b-chat", "<|answer|>"},
    {"meetkai/functionary-medium-v2.2", "<|from|>assistant\n<|recipient|>"},
    {"Qwen/Qwen2.5-7B-Instruct", "<|im_start|>assistant\n"},
    {"Qwen/Qwen3.5-4B", "<|im_start|>assistant\n<think>\n"},
    {"zai-org/GLM-5.1", "<|assistant|><think>"},
};

static const char *rest_of(const char *name) {
    for (size_t i = 0; i < sizeof rests / sizeof *rests; i++) {
        if (strcmp(rests[i].name, name) == 0) {
            return rests[i].rest;
        }
    }
    return "";
}

static vb_tokenizer *open_vocabulary(const char *relative) {
    vb_gguf *g;
    vb_tokenizer *t;
    assert_int_equal(vb_gguf_open(vb_test_data(relative), &g, &e), VB_OK);
    assert_int_equal(vb_tokenizer_open(g, &t, &e), VB_OK);
    vb_gguf_close(g);
    return t;
}

static vb_chat_template *compile(const json_t *x, const json_t *data) {
    const char *source = json_string_value(json_object_get(x, "chat_template"));
    const char *bos = json_string_value(json_object_get(data, "bos_token"));
    const char *eos = json_string_value(json_object_get(data, "eos_token"));
    vb_chat_template *c = NULL;
    if (vb_chat_compile((vb_str){source, strlen(source)}, bos ? bos : "", eos ? eos : "", &c, &e)) {
        fail_msg("%s", e.msg);
    }
    return c;
}

/* The data as a request would have it. */
static char *variables_of(const json_t *data) {
    json_t *own = json_deep_copy(data);
    json_object_del(own, "bos_token");
    json_object_del(own, "eos_token");
    json_object_del(own, "add_generation_prompt");
    char *json = json_dumps(own, JSON_COMPACT);
    assert_non_null(json);
    json_decref(own);
    return json;
}

/* With the first vocabulary that has the markers. */
static const vb_tokenizer *encode(const char *name, const vb_chat_template *c, const char *json,
                                  const char *date, uint32_t **ids, size_t *n) {
    vb_err err = VB_EUNSUPPORTED;
    size_t i = 0;
    for (; i < N_VOCABULARIES && err == VB_EUNSUPPORTED; i++) {
        err = vb_chat_encode_variables(c, vocabularies[i], json, strlen(json), date, ids, n, &e);
    }
    if (err) {
        fail_msg("%s: %s", name, e.msg);
    }
    return vocabularies[i - 1];
}

static void check_case(const char *name, const json_t *x) {
    const json_t *data = json_object_get(x, "data");
    const char *target = json_string_value(json_object_get(x, "target"));
    uint32_t *ids, *want_ids;
    size_t n, n_want;
    vb_buf text = vb_buf_make(1u << 20), want = vb_buf_make(1u << 20);
    vb_chat_template *c = compile(x, data);
    char *json = variables_of(data);
    const bool now = strstr(json_string_value(json_object_get(x, "chat_template")), "strftime_now");
    const vb_tokenizer *t = encode(name, c, json, now ? "2025-07-10" : NULL, &ids, &n);

    assert_int_equal(vb_buf_printf(&want, "%s%s", target, rest_of(name)), VB_OK);
    assert_int_equal(vb_tokenizer_decode(t, ids, n, true, false, &text, &e), VB_OK);
    if (text.len != want.len || memcmp(text.data, want.data, want.len) != 0) {
        fail_msg("%s gives\n%s\nexpected\n%s", name, (const char *)text.data,
                 (const char *)want.data);
    }
    /* No content of theirs spells out a control token, so that one may parse the whole text. */
    assert_int_equal(vb_tokenizer_encode(t, (const char *)want.data, want.len, false, true,
                                         &want_ids, &n_want, &e),
                     VB_OK);
    if (n != n_want || memcmp(ids, want_ids, n * sizeof *ids) != 0) {
        fail_msg("%s: the tokens are not those of the text", name);
    }
    free(want_ids);
    free(ids);
    free(json);
    vb_chat_free(c);
    vb_buf_free(&want);
    vb_buf_free(&text);
}

static void test_published(void **state) {
    static const char *const groups[] = {"default_templates", "custom_templates"};
    json_error_t why;
    size_t n = 0;
    (void)state;
    vocabularies[0] = open_vocabulary("vocab/ggml-vocab-qwen2.gguf");
    vocabularies[1] = open_vocabulary("vocab/ggml-vocab-llama-bpe.gguf");
    vocabularies[2] = r1_open();
    json_t *root = json_load_file(vb_test_data("templates/jinja_cases.json"), 0, &why);
    assert_non_null(root);
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
        const char *name;
        json_t *x;
        json_object_foreach(json_object_get(root, groups[i]), name, x) {
            check_case(name, x);
            n++;
        }
    }
    assert_int_equal(n, N_CASES);
    json_decref(root);
    for (size_t i = 0; i < N_VOCABULARIES; i++) {
        vb_tokenizer_close(vocabularies[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
