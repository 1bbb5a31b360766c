/*
 * Responses and streams, byte for byte as the files in this folder have them. The files follow
 * OpenAI's reference; tests/npm/openai.test reads the same files with OpenAI's own client.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/response.h"
#include "support/testing.h"
#include "json/json.h"

#define STR(s) ((vb_str){s, sizeof(s) - 1})

static const vb_api_head chat = {VB_API_CHAT, "chatcmpl-0001", 1763848800, "tiny-qwen2",
                                 "fp_verbatim"};
static const vb_api_head text = {VB_API_COMPLETIONS, "cmpl-0001", 1763848800, "tiny-qwen2", NULL};
static const vb_api_usage usage = {12, 34, 8, 20};

/* "€" is cut into two tokens, of which the second could have been another one. */
static const vb_api_token top[] = {{.bytes = STR("\x82\xac"), .logprob = -0.25},
                                   {.bytes = STR("\x82\xad"), .logprob = -1.5},
                                   {.bytes = STR(""), .logprob = -3},
                                   {.bytes = STR(""), .logprob = -4}};
static const vb_api_token tokens[] = {
    {.bytes = STR("Hi"), .logprob = -0.10000000149011612, .top = top, .n_top = 1},
    {.bytes = STR("\xe2"), .logprob = -HUGE_VAL, .text_offset = 2},
    {.bytes = STR("\x82\xac"), .logprob = -0.25, .text_offset = 2, .top = top, .n_top = 4}};
static const vb_api_logprobs all = {tokens, 3};

static const vb_api_call calls[] = {
    {"call_0", STR("get_weather"), STR("{\"city\": \"K\xc3\xb6ln\"}")},
    {"call_1", STR("now"), STR("{}")}};

/* A real receipt, with its bytes. */
static vb_receipt receipt;
static uint8_t *receipt_bytes;
static size_t n_receipt;
static uint8_t hash[VB_SHA256_BYTES];

static int read_receipt(void **state) {
    (void)state;
    receipt_bytes =
        vb_test_read(vb_test_source("tests/unit/receipt/golden_local.json"), &n_receipt);
    return vb_receipt_decode(receipt_bytes, n_receipt, &receipt, NULL) ||
           vb_receipt_verification_hash(&receipt, hash, NULL);
}

static int free_receipt(void **state) {
    (void)state;
    vb_receipt_free(&receipt);
    free(receipt_bytes);
    return 0;
}

static const vb_api_log transparency = {.origin = "log.example/demo",
                                        .key = "log.example/demo+00000000+AQ==",
                                        .url_path = "/log/",
                                        .publish_within_s = 60};

static vb_api_proof committed(void) {
    return (vb_api_proof){.receipt = &receipt, .log = &transparency};
}

static vb_api_proof finished(void) {
    return (vb_api_proof){.receipt = &receipt,
                          .verification_hash = hash,
                          .receipt_json = {(const char *)receipt_bytes, n_receipt},
                          .theta_section = STR("{\"seed\":2825676771}"),
                          .log = &transparency};
}

/* The file ends with a line feed that a body has not. */
static void assert_golden(const vb_buf *b, const char *name) {
    char path[256];
    size_t n;
    snprintf(path, sizeof path, "tests/unit/api/%s", name);
    uint8_t *expected = vb_test_read(vb_test_source(path), &n);
    n -= n > 1 && expected[n - 1] == '\n' && b->data[b->len - 1] != '\n';
    if (n != b->len || memcmp(expected, b->data, n) != 0) {
        fail_msg("%s: found\n%s", name, (const char *)b->data);
    }
    free(expected);
}

static void whole_chat(void **state) {
    vb_buf b = vb_buf_make(1 << 20);
    const vb_api_proof proof = finished();
    const vb_api_choice choices[] = {{.content = STR("Hi\xe2\x82\xac \"\\\n\t\x01\x7f</script>"),
                                      .reasoning = STR("hm"),
                                      .logprobs = all,
                                      .finish_reason = "stop"},
                                     {.calls = calls, .n_calls = 2, .finish_reason = "tool_calls"},
                                     {.content = STR(""), .finish_reason = "length"}};
    (void)state;
    assert_int_equal(vb_api_response_append(&chat, choices, 3, &usage, &proof, &b), VB_OK);
    assert_golden(&b, "golden_chat.json");
    vb_buf_free(&b);
}

static void whole_completion(void **state) {
    vb_buf b = vb_buf_make(1 << 20);
    const vb_api_choice choices[] = {
        {.content = STR("Hi\xe2\x82\xac"), .logprobs = all, .finish_reason = "length"},
        {.content = STR(" \xf0\x9f\x98\x80"), .finish_reason = "stop"}};
    (void)state;
    assert_int_equal(vb_api_response_append(&text, choices, 2, &usage, NULL, &b), VB_OK);
    assert_golden(&b, "golden_completion.json");
    vb_buf_free(&b);
}

/* The prompt of a private receipt stands behind the receipt, as it is. */
static void private_receipts(void **state) {
    vb_buf b = vb_buf_make(1 << 20);
    vb_api_proof proof = finished();
    const vb_api_choice choice = {.content = STR("Hi"), .finish_reason = "stop"};
    (void)state;
    proof.prompt_json = STR("{\"format\":\"verbatim.prompt/1\"}");
    assert_int_equal(vb_api_response_append(&chat, &choice, 1, &usage, &proof, &b), VB_OK);
    const char *prompt = strstr((char *)b.data, ",\"prompt\":{\"format\":\"verbatim.prompt/1\"}}");
    assert_non_null(prompt);
    assert_int_equal(prompt[-1], '}');
    proof.receipt_json.len = 0;
    b.len = 0;
    assert_int_equal(vb_api_response_append(&chat, &choice, 1, &usage, &proof, &b), VB_OK);
    assert_non_null(strstr((char *)b.data, "\",\"prompt\":{\"format\":\"verbatim.prompt/1\"}}"));
    vb_buf_free(&b);
}

static void add_chunk(const vb_api_head *h, const vb_api_delta *d, bool with_usage,
                      const vb_api_proof *proof, vb_buf *b) {
    assert_int_equal(vb_api_chunk_append(h, d, with_usage, proof, b), VB_OK);
}

static void streamed_chat(void **state) {
    vb_buf b = vb_buf_make(1 << 20);
    const vb_api_proof first = committed(), last = finished();
    const vb_api_logprobs one = {tokens, 1};
    (void)state;
    add_chunk(&chat, &(vb_api_delta){.role = true}, true, &first, &b);
    add_chunk(&chat, &(vb_api_delta){.reasoning = STR("h")}, true, NULL, &b);
    add_chunk(&chat, &(vb_api_delta){.reasoning = STR("m")}, true, NULL, &b);
    add_chunk(&chat, &(vb_api_delta){.content = STR("Hi"), .logprobs = one}, true, NULL, &b);
    add_chunk(&chat, &(vb_api_delta){.content = STR("\xe2\x82\xac\n")}, true, NULL, &b);
    for (size_t i = 0; i < 2; i++) {
        add_chunk(&chat, &(vb_api_delta){.call = &calls[i], .call_index = i}, true, NULL, &b);
    }
    add_chunk(&chat, &(vb_api_delta){.finish_reason = "tool_calls"}, true, NULL, &b);
    assert_int_equal(vb_api_usage_chunk_append(&chat, &usage, &last, &b), VB_OK);
    assert_int_equal(vb_api_done_append(&b), VB_OK);
    assert_golden(&b, "golden_chat.sse");
    vb_buf_free(&b);
}

static void streamed_completion(void **state) {
    vb_buf b = vb_buf_make(1 << 20);
    const vb_api_proof first = committed(), last = finished();
    (void)state;
    add_chunk(&text, &(vb_api_delta){.choice = 0}, false, &first, &b);
    add_chunk(&text, &(vb_api_delta){.content = STR("Hi\xe2\x82\xac"), .logprobs = all}, false,
              NULL, &b);
    add_chunk(&text, &(vb_api_delta){.choice = 1, .content = STR("yes")}, false, NULL, &b);
    add_chunk(&text, &(vb_api_delta){.choice = 1, .finish_reason = "stop"}, false, NULL, &b);
    add_chunk(&text, &(vb_api_delta){.finish_reason = "length"}, false, &last, &b);
    assert_int_equal(vb_api_done_append(&b), VB_OK);
    assert_golden(&b, "golden_completion.sse");
    vb_buf_free(&b);
}

static void a_stream_that_fails(void **state) {
    vb_buf b = vb_buf_make(1 << 20);
    vb_api_error e;
    (void)state;
    add_chunk(&chat, &(vb_api_delta){.role = true}, false, NULL, &b);
    vb_api_fail(&e, VB_EIO, 503, "unavailable", NULL, "The beacon did not answer.");
    assert_int_equal(vb_api_error_event_append(&e, &b), VB_OK);
    assert_golden(&b, "golden_failure.sse");
    vb_buf_free(&b);
}

static void lists(void **state) {
    vb_buf b = vb_buf_make(1 << 20);
    static const uint8_t digest[32] = {0xab, 0xcd};
    const vb_api_model models[] = {{"tiny-qwen2", 1763848800, "verbatim", digest, 32768},
                                   {"a \"b\"", 0, "me", digest, 1}};
    const uint32_t ids[] = {1, 4294967295u, 3};
    (void)state;
    assert_int_equal(vb_api_models_append(models, 2, &b), VB_OK);
    assert_golden(&b, "golden_models.json");
    b.len = 0;
    assert_int_equal(vb_api_model_append(models, &b), VB_OK);
    assert_non_null(strstr((char *)b.data, "\"max_model_len\":32768"));
    b.len = 0;
    assert_int_equal(vb_api_tokens_append(ids, 3, 2048, &b), VB_OK);
    assert_string_equal((char *)b.data,
                        "{\"count\":3,\"max_model_len\":2048,\"tokens\":[1,4294967295,3]}");
    b.len = 0;
    assert_int_equal(vb_api_tokens_append(NULL, 0, 2048, &b), VB_OK);
    assert_string_equal((char *)b.data, "{\"count\":0,\"max_model_len\":2048,\"tokens\":[]}");
    b.len = 0;
    assert_int_equal(vb_api_detokenized_append((vb_str){"a\0b\xff", 4}, &b), VB_OK);
    assert_string_equal((char *)b.data, "{\"prompt\":\"a\\u0000b\xef\xbf\xbd\"}");
    vb_buf_free(&b);
}

static void errors(void **state) {
    static const struct {
        vb_err err;
        int status;
        const char *type;
    } rows[] = {{VB_EINVAL, 400, "invalid_request_error"},
                {VB_EFORMAT, 400, "invalid_request_error"},
                {VB_ELIMIT, 400, "invalid_request_error"},
                {VB_EUNSUPPORTED, 400, "invalid_request_error"},
                {VB_EIO, 503, "server_error"},
                {VB_ENOMEM, 503, "server_error"},
                {VB_EMISMATCH, 503, "server_error"},
                {VB_EUNTRUSTED, 503, "server_error"},
                {VB_ECANCELLED, 503, "server_error"},
                {VB_EINTERNAL, 500, "server_error"},
                {VB_ENONFINITE, 500, "server_error"}};
    vb_buf b = vb_buf_make(1 << 20);
    const vb_error inner = {VB_EIO, "/secret/path: 7 of 9"};
    vb_api_error e;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        vb_api_error_of(rows[i].err, &inner, &e);
        assert_int_equal(e.status, rows[i].status);
        assert_string_equal(vb_api_error_type(e.status), rows[i].type);
        assert_true((strstr(e.message, "secret") != NULL) == (e.status == 400));
    }
    assert_string_equal(vb_api_error_type(401), "authentication_error");
    assert_string_equal(vb_api_error_type(404), "invalid_request_error");
    assert_string_equal(vb_api_error_type(429), "rate_limit_error");
    vb_api_fail(&e, VB_EINVAL, 404, "model_not_found", "model", "no \"%s\"\x1b[2J", "x");
    assert_int_equal(vb_api_error_append(&e, &b), VB_OK);
    assert_string_equal((char *)b.data, "{\"error\":{\"message\":\"no \\\"x\\\"?[2J\",\"type\":"
                                        "\"invalid_request_error\",\"param\":\"model\",\"code\":"
                                        "\"model_not_found\"}}");
    b.len = 0;
    vb_api_fail(&e, VB_EINVAL, 500, NULL, NULL, "x");
    assert_int_equal(vb_api_error_append(&e, &b), VB_OK);
    assert_string_equal((char *)b.data, "{\"error\":{\"message\":\"x\",\"type\":\"server_error\","
                                        "\"param\":null,\"code\":null}}");
    vb_buf_free(&b);
}

/* Whatever out may hold, the result is the whole or an error. */
static void small_buffers_are_errors(void **state) {
    const vb_api_proof proof = finished();
    const vb_api_choice choice = {.content = STR("Hi"),
                                  .calls = calls,
                                  .n_calls = 2,
                                  .logprobs = all,
                                  .finish_reason = "stop"};
    const vb_api_delta delta = {.content = STR("Hi"), .call = calls, .logprobs = all};
    vb_buf whole = vb_buf_make(1 << 20), chunk = vb_buf_make(1 << 20);
    (void)state;
    assert_int_equal(vb_api_response_append(&chat, &choice, 1, &usage, &proof, &whole), VB_OK);
    assert_int_equal(vb_api_chunk_append(&text, &delta, true, &proof, &chunk), VB_OK);
    for (size_t max = 0; max < whole.len; max++) {
        vb_buf b = vb_buf_make(max);
        assert_int_equal(vb_api_response_append(&chat, &choice, 1, &usage, &proof, &b), VB_ELIMIT);
        vb_buf_free(&b);
    }
    for (size_t max = 0; max < chunk.len; max++) {
        vb_buf b = vb_buf_make(max);
        assert_int_equal(vb_api_chunk_append(&text, &delta, true, &proof, &b), VB_ELIMIT);
        vb_buf_free(&b);
    }
    vb_buf_free(&whole);
    vb_buf_free(&chunk);
}

/* Random bytes in every text: the result is JSON, on one line. */
static void any_text_gives_json(void **state) {
    uint64_t seed = 5;
    vb_buf b = vb_buf_make(1 << 20);
    (void)state;
    for (int i = 0; i < 5000; i++) {
        char bytes[24];
        for (size_t k = 0; k < sizeof bytes; k++) {
            const uint64_t r = vb_test_random(&seed);
            const char special[] = "\"\\\n\x7f\xe2\x82\xac\xf0";
            bytes[k] = r % 3 ? (char)(r >> 8) : special[r >> 8 & 7];
        }
        const vb_str any = {bytes, vb_test_random(&seed) % sizeof bytes};
        const vb_api_call call = {"id", any, any};
        const vb_api_token token = {.bytes = any, .logprob = -1, .top = &token, .n_top = 1};
        const vb_api_delta d = {
            .role = true, .content = any, .reasoning = any, .call = &call, .logprobs = {&token, 1}};
        json_t *doc = NULL;
        b.len = 0;
        add_chunk(i % 2 ? &chat : &text, &d, false, NULL, &b);
        assert_true(b.len > 8 && memcmp(b.data + b.len - 2, "\n\n", 2) == 0);
        assert_null(memchr(b.data, '\n', b.len - 2));
        assert_int_equal(vb_json_parse_foreign(b.data + 6, b.len - 8, 1 << 20, &doc, NULL), VB_OK);
        json_decref(doc);
    }
    vb_buf_free(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_chat),
        cmocka_unit_test(whole_completion),
        cmocka_unit_test(private_receipts),
        cmocka_unit_test(streamed_chat),
        cmocka_unit_test(streamed_completion),
        cmocka_unit_test(a_stream_that_fails),
        cmocka_unit_test(lists),
        cmocka_unit_test(errors),
        cmocka_unit_test(small_buffers_are_errors),
        cmocka_unit_test(any_text_gives_json),
    };
    return cmocka_run_group_tests(tests, read_receipt, free_receipt);
}
