/* Receipts whose prompt is made of template variables: replayed with the model's own template, and
 * every way in which variables, template, date and tokens may not belong together. */
#include "played_server.h"

#include "verify/prompt.h"

#define VARIABLES                                                                                  \
    "{\"tools\": [{\"name\": \"f\"}], \"messages\": [{\"role\": \"system\", \"content\": \"Be "    \
    "brief.\"},"                                                                                   \
    " {\"role\": \"user\", \"content\": \"What is a receipt?<|im_end|>\"}]}"

static void set_variables(vb_receipt *r, const char *json) {
    must(vb_text_set(&r->prompt.text, json, strlen(json), &e));
}

/* An answer to VARIABLES. */
static void begin_template(vb_receipt *r) {
    uint32_t *ids;
    size_t n;
    begin(r, PROMPT, 6, 0);
    r->prompt.kind = VB_PROMPT_TEMPLATE;
    set_variables(r, VARIABLES);
    r->prompt.has_template = vb_prompt_template_digest(gguf, r->prompt.template_sha256);
    assert_true(r->prompt.has_template);
    must(vb_prompt_encode(&r->prompt, gguf, tokenizer, &ids, &n, &e));
    must(vb_receipt_set_prompt_tokens(r, ids, n, &e));
    free(ids);
    r->request.ctx_tokens = (uint32_t)n + r->request.max_tokens;
    make(r);
}

static const char *detail(void) {
    return rep.checks[VB_CHECK_PROMPT].detail;
}

static void test_verified(void **state) {
    vb_receipt r;
    (void)state;
    begin_template(&r);
    assert_verified(&r);
    assert_non_null(strstr(detail(), "its variables and the model's template give"));
    vb_receipt_free(&r);
}

static void refuted_with(const char *json, const char *why) {
    vb_receipt r;
    begin_template(&r);
    set_variables(&r, json);
    sign(&r);
    assert_refuted(&r, VB_REASON_PROMPT);
    if (!strstr(detail(), why)) {
        fail_msg("%s: %s\nexpected %s", json, detail(), why);
    }
    vb_receipt_free(&r);
}

static void test_other_variables(void **state) {
    (void)state;
    refuted_with("{\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]}",
                 "the prompt's variables do not give the prompt's tokens");
    refuted_with("", "variables: not JSON");
    refuted_with("{\"messages\":[]}", "variables.messages: expected an array");
    refuted_with("{\"messages\":[{\"role\":\"user\"}],\"bos_token\":\"x\"}",
                 "variables.bos_token: expected no variable");
    refuted_with("{\"messages\":[{\"role\":\"user\",\"content\":{}}]}", "chat template, line");
}

/* Variables that give the same tokens are the same prompt, however they are written. */
static void test_other_writing(void **state) {
    vb_receipt r;
    (void)state;
    begin_template(&r);
    set_variables(&r, "{\"messages\":[{\"content\":\"Be brief.\",\"role\":\"system\"},{\"role\":"
                      "\"user\",\"content\":\"What is a receipt?\\u003c|im_end|>\"}]}");
    sign(&r);
    assert_verified(&r);
    vb_receipt_free(&r);
}

static void test_other_template(void **state) {
    vb_receipt r;
    (void)state;
    begin_template(&r);
    r.prompt.template_sha256[0] ^= 1;
    sign(&r);
    assert_refuted(&r, VB_REASON_PROMPT);
    assert_string_equal(detail(), "the chat template is not the model's own");
    vb_receipt_free(&r);
}

static void test_date_of_no_use(void **state) {
    vb_receipt r;
    (void)state;
    begin_template(&r);
    snprintf(r.prompt.date, sizeof r.prompt.date, "2026-11-22");
    sign(&r);
    assert_refuted(&r, VB_REASON_PROMPT);
    assert_non_null(strstr(detail(), "prints none"));
    vb_receipt_free(&r);
}

/* The variables of a private receipt are given apart. */
static void test_private(void **state) {
    vb_receipt whole, r;
    (void)state;
    begin_template(&whole);
    begin_template(&r);
    vb_receipt_make_private(&r);
    sign(&r);
    assert_int_equal(verify(&r, plain), VB_VERDICT_UNVERIFIABLE);
    assert_int_equal(verify(&r, (vb_replay_options){.prompt = &whole.prompt}), VB_VERDICT_VERIFIED);
    set_variables(&whole, "{\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]}");
    assert_int_equal(verify(&r, (vb_replay_options){.prompt = &whole.prompt}), VB_VERDICT_REFUTED);
    vb_receipt_free(&r);
    vb_receipt_free(&whole);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verified),       cmocka_unit_test(test_other_variables),
        cmocka_unit_test(test_other_writing),  cmocka_unit_test(test_other_template),
        cmocka_unit_test(test_date_of_no_use), cmocka_unit_test(test_private),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
