/*
 * Requests: every parameter's type, range, default and the parameter that its error names; prompts,
 * messages, tools, formats, and how the randomness is settled.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/request.h"
#include "support/testing.h"
#include "json/jcs.h"

enum { N_VOCAB = 1000 };

#define LOCAL "local:0000000000000000000000000000000000000000000000000000000000000000"
#define DRAND "drand:52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971"

static vb_api_defaults server(void) {
    vb_api_defaults d = VB_API_DEFAULTS;
    d.n_vocab = N_VOCAB;
    d.beacon_id = LOCAL;
    d.mode = VB_MODE_LOCAL;
    return d;
}

static vb_api_request request;
static vb_api_error error;

/* Parses {"model":"m", <messages or prompt>, members}. */
static vb_err parse_with(vb_api_endpoint endpoint, const char *members, const vb_api_defaults *d) {
    static char body[1 << 16];
    const char *prompt = endpoint == VB_API_CHAT
                             ? "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"
                             : "\"prompt\":\"hi\"";
    int n = snprintf(body, sizeof body, "{\"model\":\"m\",%s%s%s}", prompt, members[0] ? "," : "",
                     members);
    assert_true(n > 0 && (size_t)n < sizeof body);
    vb_api_request_free(&request);
    error = (vb_api_error){0};
    return vb_api_request_parse(endpoint, body, (size_t)n, d, &request, &error);
}

static vb_err parse(vb_api_endpoint endpoint, const char *members) {
    const vb_api_defaults d = server();
    return parse_with(endpoint, members, &d);
}

static vb_err parse_body(vb_api_endpoint endpoint, const char *body) {
    const vb_api_defaults d = server();
    vb_api_request_free(&request);
    error = (vb_api_error){0};
    return vb_api_request_parse(endpoint, body, strlen(body), &d, &request, &error);
}

static void accept(vb_api_endpoint endpoint, const char *members) {
    if (parse(endpoint, members)) {
        fail_msg("%s: %s", members, error.message);
    }
}

static void check_refusal(const char *what, const char *param, const char *code) {
    if (error.status != 400 || strcmp(error.param, param) != 0 || !error.code ||
        strcmp(error.code, code) != 0 || !error.message[0] || request.document) {
        fail_msg("%s: %d '%s' '%s' %s", what, error.status, error.param,
                 error.code ? error.code : "null", error.message);
    }
}

static void refuse(vb_api_endpoint endpoint, const char *members, const char *param,
                   const char *code) {
    assert_int_equal(parse(endpoint, members), VB_EINVAL);
    check_refusal(members, param, code);
}

static void refuse_both(const char *members, const char *param, const char *code) {
    refuse(VB_API_CHAT, members, param, code);
    refuse(VB_API_COMPLETIONS, members, param, code);
}

static void defaults_are_openais(void **state) {
    (void)state;
    accept(VB_API_CHAT, "");
    assert_string_equal(request.model, "m");
    assert_true(request.sampling.temperature == 1.0f);
    assert_true(request.sampling.top_p == 1ull << 32);
    assert_true(request.sampling.min_p == 0 && request.sampling.top_k == 0);
    assert_true(request.sampling.repetition_penalty == 1.0f);
    assert_int_equal(request.sampling.n_bias, 0);
    assert_int_equal(request.max_tokens, 0);
    assert_int_equal(request.n_choices, 1);
    assert_int_equal(request.n_stop_strings, 0);
    assert_int_equal(request.format, VB_API_FORMAT_TEXT);
    assert_int_equal(request.tool_choice, VB_API_TOOL_NONE);
    assert_true(request.parallel_tool_calls);
    assert_false(request.stream || request.include_usage || request.logprobs || request.has_seed);
    assert_int_equal(request.mode, VB_MODE_LOCAL);
    assert_string_equal(request.beacon_id, LOCAL);
    accept(VB_API_COMPLETIONS, "");
    assert_int_equal(request.max_tokens, 16);
    assert_int_equal(request.prompt_kind, VB_API_PROMPT_TEXT);
    assert_string_equal(request.text.p, "hi");
    vb_api_request_free(&request);
}

static void the_servers_defaults_count(void **state) {
    vb_api_defaults d = server();
    (void)state;
    d.temperature = 0.6;
    d.top_p = 0.9;
    d.min_p = 0.05;
    d.top_k = 40;
    d.presence_penalty = 0.5;
    d.frequency_penalty = -0.5;
    d.repetition_penalty = 1.1;
    d.chat_max_tokens = 77;
    d.choices_max = 2;
    d.make_private = d.return_receipt = true;
    d.deadline_ms = 5000;
    d.deadline_ms_max = 6000;
    d.beacon_id = DRAND;
    d.mode = VB_MODE_LATEST;
    d.fallback = LOCAL;
    assert_int_equal(parse_with(VB_API_CHAT, "", &d), VB_OK);
    const vb_sampling *s = &request.sampling;
    assert_true(s->temperature == 0.6f && s->top_p == 3865470566u && s->top_k == 40);
    assert_true(s->min_p == 214748365u);
    assert_true(s->presence_penalty == 0.5f && s->frequency_penalty == -0.5f);
    assert_true(s->repetition_penalty == 1.1f);
    assert_int_equal(request.max_tokens, 77);
    assert_true(request.make_private && request.return_receipt);
    assert_int_equal(request.deadline_ms, 5000);
    assert_int_equal(request.mode, VB_MODE_LATEST);
    assert_string_equal(request.beacon_id, DRAND);
    assert_string_equal(request.fallback, LOCAL);
    assert_int_equal(parse_with(VB_API_CHAT, "\"n\":3", &d), VB_EINVAL);
    check_refusal("n", "n", "integer_above_max_value");
    assert_int_equal(parse_with(VB_API_CHAT, "\"verbatim\":{\"deadline_ms\":6001}", &d), VB_EINVAL);
    check_refusal("deadline_ms", "verbatim.deadline_ms", "integer_above_max_value");
}

/* Reals: an inside value, both ends, beyond them, other types, null. */
static void reals(void **state) {
    static const struct {
        const char *name;
        double min, max;
    } rows[] = {{"temperature", 0, 100},
                {"top_p", 0, 1},
                {"min_p", 0, 1},
                {"presence_penalty", -2, 2},
                {"frequency_penalty", -2, 2},
                {"repetition_penalty", 0.01, 100}};
    static const char *const others[] = {"\"1\"", "true", "[1]", "{}"};
    char text[128];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const double good[] = {rows[i].min, rows[i].max, (rows[i].min + rows[i].max) / 2};
        for (size_t k = 0; k < 3; k++) {
            snprintf(text, sizeof text, "\"%s\":%.17g", rows[i].name, good[k]);
            accept(VB_API_CHAT, text);
            accept(VB_API_COMPLETIONS, text);
        }
        snprintf(text, sizeof text, "\"%s\":%.17g", rows[i].name, rows[i].min - 0.001);
        refuse_both(text, rows[i].name, "decimal_below_min_value");
        snprintf(text, sizeof text, "\"%s\":%.17g", rows[i].name, rows[i].max + 0.001);
        refuse_both(text, rows[i].name, "decimal_above_max_value");
        for (size_t k = 0; k < 4; k++) {
            snprintf(text, sizeof text, "\"%s\":%s", rows[i].name, others[k]);
            refuse_both(text, rows[i].name, "invalid_type");
        }
        snprintf(text, sizeof text, "\"%s\":null", rows[i].name);
        accept(VB_API_CHAT, text);
    }
}

static void integers(void **state) {
    static const struct {
        const char *name;
        int endpoints;
        long long min, max;
    } rows[] = {{"max_tokens", 3, 1, VB_MODEL_CTX_TOKENS_MAX},
                {"max_completion_tokens", 1, 1, VB_MODEL_CTX_TOKENS_MAX},
                {"top_k", 3, -1, VB_MODEL_VOCAB_MAX},
                {"n", 3, 1, VB_CHOICES_MAX},
                {"seed", 3, 0, INT64_MAX},
                {"logprobs", 2, 0, 5}};
    static const char *const others[] = {"\"1\"", "1.5", "2.0", "[1]", "{}", "false"};
    char text[128];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (int endpoint = VB_API_CHAT; endpoint <= VB_API_COMPLETIONS; endpoint++) {
            if (!(rows[i].endpoints & endpoint)) {
                continue;
            }
            const vb_api_endpoint at = (vb_api_endpoint)endpoint;
            snprintf(text, sizeof text, "\"%s\":%lld", rows[i].name, rows[i].min);
            accept(at, text);
            snprintf(text, sizeof text, "\"%s\":%lld", rows[i].name, rows[i].max);
            accept(at, text);
            snprintf(text, sizeof text, "\"%s\":%lld", rows[i].name, rows[i].min - 1);
            refuse(at, text, rows[i].name, "integer_below_min_value");
            if (rows[i].max < INT64_MAX) {
                snprintf(text, sizeof text, "\"%s\":%lld", rows[i].name, rows[i].max + 1);
                refuse(at, text, rows[i].name, "integer_above_max_value");
            }
            for (size_t k = 0; k < sizeof others / sizeof others[0]; k++) {
                snprintf(text, sizeof text, "\"%s\":%s", rows[i].name, others[k]);
                refuse(at, text, rows[i].name, "invalid_type");
            }
            snprintf(text, sizeof text, "\"%s\":null", rows[i].name);
            accept(at, text);
        }
    }
}

static void reals_are_rounded_once(void **state) {
    static const struct {
        const char *text;
        uint64_t fixed;
    } rows[] = {{"1", 1ull << 32},
                {"0.9", 3865470566u},
                {"0.95", 4080218931u},
                {"0", 1},
                {"1e-300", 1},
                {"1.1641532182693481e-10", 1},  /* 2^-33: rounds to 0, the even, is raised */
                {"3.4924596548080444e-10", 2}}; /* 1.5 * 2^-32 */
    char text[64];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        snprintf(text, sizeof text, "\"top_p\":%s", rows[i].text);
        accept(VB_API_CHAT, text);
        assert_true(request.sampling.top_p == rows[i].fixed);
    }
    accept(VB_API_CHAT, "\"min_p\":1e-300");
    assert_true(request.sampling.min_p == 0);
    accept(VB_API_CHAT, "\"temperature\":0.7");
    assert_true(request.sampling.temperature == 0.7f);
    accept(VB_API_CHAT, "\"temperature\":0");
    assert_true(request.sampling.temperature == 0.0f);
    accept(VB_API_CHAT, "\"temperature\":1e-60"); /* rounds to 0: greedy */
    assert_true(request.sampling.temperature == 0.0f);
    accept(VB_API_CHAT, "\"top_k\":-1");
    assert_int_equal(request.sampling.top_k, 0);
}

static void counts(void **state) {
    (void)state;
    accept(VB_API_CHAT, "\"max_completion_tokens\":9");
    assert_int_equal(request.max_tokens, 9);
    accept(VB_API_CHAT, "\"max_tokens\":8");
    assert_int_equal(request.max_tokens, 8);
    refuse(VB_API_CHAT, "\"max_tokens\":8,\"max_completion_tokens\":8", "max_tokens",
           "invalid_value");
    refuse(VB_API_COMPLETIONS, "\"max_completion_tokens\":8", "max_completion_tokens",
           "unknown_parameter");
    accept(VB_API_COMPLETIONS, "\"best_of\":1");
    accept(VB_API_COMPLETIONS, "\"best_of\":2,\"n\":2");
    refuse(VB_API_COMPLETIONS, "\"best_of\":2", "best_of", "unsupported_value");
    refuse(VB_API_COMPLETIONS, "\"best_of\":1,\"n\":2", "best_of", "unsupported_value");
    refuse(VB_API_COMPLETIONS, "\"best_of\":\"1\"", "best_of", "invalid_type");
    refuse(VB_API_CHAT, "\"best_of\":1", "best_of", "unknown_parameter");
}

static void stops(void **state) {
    char text[4096], long_text[VB_STOP_STRING_BYTES_MAX + 2];
    (void)state;
    accept(VB_API_CHAT, "\"stop\":\"END\"");
    assert_int_equal(request.n_stop_strings, 1);
    assert_string_equal(request.stop_strings[0].p, "END");
    accept(VB_API_COMPLETIONS, "\"stop\":[\"b\",\"a\\u0000c\"]");
    assert_int_equal(request.n_stop_strings, 2);
    assert_string_equal(request.stop_strings[0].p, "b");
    assert_int_equal(request.stop_strings[1].len, 3);
    accept(VB_API_CHAT, "\"stop\":[]");
    refuse_both("\"stop\":\"\"", "stop", "invalid_value");
    refuse_both("\"stop\":[\"a\",\"\"]", "stop", "invalid_value");
    refuse_both("\"stop\":[1]", "stop", "invalid_type");
    refuse_both("\"stop\":[null]", "stop", "invalid_type");
    refuse_both("\"stop\":{}", "stop", "invalid_type");
    refuse_both("\"stop\":true", "stop", "invalid_type");
    memset(long_text, 'x', sizeof long_text);
    long_text[VB_STOP_STRING_BYTES_MAX] = 0;
    snprintf(text, sizeof text, "\"stop\":\"%s\"", long_text);
    accept(VB_API_CHAT, text);
    snprintf(text, sizeof text, "\"stop\":\"x%s\"", long_text);
    refuse_both(text, "stop", "invalid_value");
    int n = snprintf(text, sizeof text, "\"stop\":[\"s\"");
    for (size_t i = 1; i < VB_STOP_STRINGS_MAX; i++) {
        n += snprintf(text + n, sizeof text - (size_t)n, ",\"s\"");
    }
    snprintf(text + n, sizeof text - (size_t)n, "]");
    accept(VB_API_CHAT, text);
    snprintf(text + n, sizeof text - (size_t)n, ",\"s\"]");
    refuse_both(text, "stop", "array_above_max_length");
}

static void biases(void **state) {
    static char text[32768];
    (void)state;
    accept(VB_API_CHAT, "\"logit_bias\":{\"999\":-100,\"0\":100,\"7\":0.1}");
    const vb_sampling *s = &request.sampling;
    assert_int_equal(s->n_bias, 3);
    assert_true(s->bias[0].token == 0 && s->bias[0].bias == 100.0f);
    assert_true(s->bias[1].token == 7 && s->bias[1].bias == 0.1f);
    assert_true(s->bias[2].token == 999 && s->bias[2].bias == -100.0f);
    accept(VB_API_COMPLETIONS, "\"logit_bias\":{}");
    refuse_both("\"logit_bias\":{\"1000\":1}", "logit_bias.1000", "invalid_value");
    refuse_both("\"logit_bias\":{\"4294967296\":1}", "logit_bias.4294967296", "invalid_value");
    refuse_both("\"logit_bias\":{\"01\":1}", "logit_bias.01", "invalid_value");
    refuse_both("\"logit_bias\":{\"-1\":1}", "logit_bias.-1", "invalid_value");
    refuse_both("\"logit_bias\":{\"\":1}", "logit_bias", "invalid_value");
    refuse_both("\"logit_bias\":{\" 1\":1}", "logit_bias. 1", "invalid_value");
    refuse_both("\"logit_bias\":{\"1\":\"x\"}", "logit_bias.1", "invalid_type");
    refuse_both("\"logit_bias\":{\"1\":null}", "logit_bias.1", "invalid_type");
    refuse_both("\"logit_bias\":{\"1\":100.5}", "logit_bias.1", "decimal_above_max_value");
    refuse_both("\"logit_bias\":{\"1\":-101}", "logit_bias.1", "decimal_below_min_value");
    refuse_both("\"logit_bias\":[]", "logit_bias", "invalid_type");
    vb_api_defaults d = server();
    d.n_vocab = VB_LOGIT_BIAS_MAX + 1;
    size_t n = (size_t)snprintf(text, sizeof text, "\"logit_bias\":{\"0\":1");
    for (unsigned i = 1; i < VB_LOGIT_BIAS_MAX; i++) {
        n += (size_t)snprintf(text + n, sizeof text - n, ",\"%u\":1", i);
    }
    snprintf(text + n, sizeof text - n, "}");
    assert_int_equal(parse_with(VB_API_CHAT, text, &d), VB_OK);
    assert_int_equal(request.sampling.n_bias, VB_LOGIT_BIAS_MAX);
    snprintf(text + n, sizeof text - n, ",\"%u\":1}", VB_LOGIT_BIAS_MAX);
    assert_int_equal(parse_with(VB_API_CHAT, text, &d), VB_EINVAL);
    check_refusal("logit_bias", "logit_bias", "object_above_max_properties");
}

static void logprobs(void **state) {
    (void)state;
    accept(VB_API_CHAT, "\"logprobs\":true");
    assert_true(request.logprobs && request.top_logprobs == 0);
    accept(VB_API_CHAT, "\"logprobs\":true,\"top_logprobs\":20");
    assert_int_equal(request.top_logprobs, 20);
    accept(VB_API_CHAT, "\"logprobs\":false");
    assert_false(request.logprobs);
    refuse(VB_API_CHAT, "\"logprobs\":true,\"top_logprobs\":21", "top_logprobs",
           "integer_above_max_value");
    refuse(VB_API_CHAT, "\"top_logprobs\":2", "top_logprobs", "invalid_value");
    refuse(VB_API_CHAT, "\"logprobs\":1", "logprobs", "invalid_type");
    accept(VB_API_COMPLETIONS, "\"logprobs\":0");
    assert_true(request.logprobs && request.top_logprobs == 0);
    accept(VB_API_COMPLETIONS, "\"logprobs\":5");
    assert_true(request.logprobs && request.top_logprobs == 5);
    refuse(VB_API_COMPLETIONS, "\"logprobs\":true", "logprobs", "invalid_type");
    refuse(VB_API_COMPLETIONS, "\"logprobs\":1,\"echo\":true", "logprobs", "unsupported_value");
    refuse(VB_API_COMPLETIONS, "\"top_logprobs\":1", "top_logprobs", "unknown_parameter");
}

static void streams(void **state) {
    (void)state;
    accept(VB_API_CHAT, "\"stream\":true");
    assert_true(request.stream && !request.include_usage);
    accept(VB_API_COMPLETIONS, "\"stream\":true,\"stream_options\":{\"include_usage\":true}");
    assert_true(request.include_usage);
    accept(VB_API_CHAT, "\"stream\":true,\"stream_options\":{\"include_obfuscation\":false}");
    accept(VB_API_CHAT, "\"stream\":true,\"stream_options\":null");
    refuse_both("\"stream\":1", "stream", "invalid_type");
    refuse_both("\"stream_options\":{}", "stream_options", "invalid_value");
    refuse_both("\"stream\":true,\"stream_options\":[]", "stream_options", "invalid_type");
    refuse_both("\"stream\":true,\"stream_options\":{\"include_usage\":1}",
                "stream_options.include_usage", "invalid_type");
    refuse_both("\"stream\":true,\"stream_options\":{\"x\":1}", "stream_options.x",
                "unknown_parameter");
}

static void ignored_refused_and_unknown(void **state) {
    static const char *const ignored[][2] = {
        {"user", "\"u\""},
        {"safety_identifier", "\"u\""},
        {"service_tier", "\"auto\""},
        {"prompt_cache_key", "\"k\""},
        {"store", "true"},
        {"metadata", "{\"a\":\"b\"}"},
        {"prediction", "{\"type\":\"content\",\"content\":\"x\"}"},
        {"prompt_cache_retention", "\"24h\""}};
    static const struct {
        const char *name, *value;
        int endpoints;
    } refused[] = {{"audio", "{}", 1},
                   {"web_search_options", "{}", 1},
                   {"functions", "[]", 1},
                   {"function_call", "\"auto\"", 1},
                   {"reasoning_effort", "\"low\"", 1},
                   {"verbosity", "\"low\"", 1},
                   {"suffix", "\"x\"", 2},
                   {"use_beam_search", "true", 3},
                   {"length_penalty", "1", 3},
                   {"logits_processors", "[]", 3},
                   {"ignore_eos", "true", 3},
                   {"min_tokens", "1", 3},
                   {"prompt_logprobs", "1", 3}};
    char text[256];
    (void)state;
    for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++) {
        snprintf(text, sizeof text, "\"%s\":%s", ignored[i][0], ignored[i][1]);
        accept(VB_API_CHAT, text);
        snprintf(text, sizeof text, "\"%s\":7", ignored[i][0]);
        refuse(VB_API_CHAT, text, ignored[i][0], "invalid_type");
    }
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        for (int endpoint = 1; endpoint <= 2; endpoint++) {
            snprintf(text, sizeof text, "\"%s\":%s", refused[i].name, refused[i].value);
            refuse((vb_api_endpoint)endpoint, text, refused[i].name,
                   refused[i].endpoints & endpoint ? "unsupported_parameter" : "unknown_parameter");
            snprintf(text, sizeof text, "\"%s\":null", refused[i].name);
            accept((vb_api_endpoint)endpoint, text);
        }
    }
    accept(VB_API_COMPLETIONS, "\"suffix\":\"\"");
    accept(VB_API_CHAT, "\"modalities\":[\"text\"]");
    refuse(VB_API_CHAT, "\"modalities\":[\"text\",\"audio\"]", "modalities", "unsupported_value");
    refuse(VB_API_CHAT, "\"modalities\":[]", "modalities", "array_below_min_length");
    refuse(VB_API_CHAT, "\"modalities\":\"text\"", "modalities", "invalid_type");
    refuse_both("\"temprature\":1", "temprature", "unknown_parameter");
    refuse_both("\"\":1", "", "unknown_parameter");
}

static void bodies(void **state) {
    static const char *const bad[] = {"",
                                      "{",
                                      "[]x",
                                      "{\"model\":\"m\",\"model\":\"m\"}",
                                      "nul",
                                      "{\"a\":1e999}",
                                      "{\"a\":\"\xff\"}"};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(parse_body(VB_API_CHAT, bad[i]), VB_EINVAL);
        check_refusal(bad[i], "", "invalid_json");
    }
    assert_int_equal(parse_body(VB_API_CHAT, "[]"), VB_EINVAL);
    check_refusal("[]", "", "invalid_type");
    assert_int_equal(parse_body(VB_API_COMPLETIONS, "{\"prompt\":\"x\"}"), VB_EINVAL);
    check_refusal("no model", "model", "missing_required_parameter");
    assert_int_equal(parse_body(VB_API_COMPLETIONS, "{\"model\":\"a\\nb\",\"prompt\":\"x\"}"),
                     VB_EINVAL);
    check_refusal("model", "model", "invalid_value");
    assert_int_equal(parse_body(VB_API_COMPLETIONS, "{\"model\":\"\",\"prompt\":\"x\"}"),
                     VB_EINVAL);
    check_refusal("model", "model", "string_below_min_length");
}

static void bodies_are_bounded(void **state) {
    const size_t n = VB_API_REQUEST_BYTES_MAX + 1;
    const vb_api_defaults d = server();
    char *body = malloc(n);
    (void)state;
    assert_non_null(body);
    memset(body, ' ', n);
    vb_api_request_free(&request);
    assert_int_equal(vb_api_request_parse(VB_API_CHAT, body, n, &d, &request, &error), VB_EINVAL);
    assert_int_equal(error.status, 413);
    memset(body, '[', n);
    assert_int_equal(vb_api_request_parse(VB_API_CHAT, body, 1000, &d, &request, &error),
                     VB_EINVAL);
    assert_non_null(strstr(error.message, "deeper"));
    for (size_t i = 0; i < VB_API_VALUES_MAX; i++) {
        memcpy(body + 2 * i, "1,", 2);
    }
    body[0] = '[';
    body[2 * VB_API_VALUES_MAX + 1] = ']';
    assert_int_equal(
        vb_api_request_parse(VB_API_CHAT, body, 2 * VB_API_VALUES_MAX, &d, &request, &error),
        VB_EINVAL);
    assert_non_null(strstr(error.message, "values"));
    free(body);
}

static void prompts(void **state) {
    (void)state;
    assert_int_equal(parse_body(VB_API_COMPLETIONS, "{\"model\":\"m\",\"prompt\":[\"a\\u0000b\"]}"),
                     VB_OK);
    assert_int_equal(request.prompt_kind, VB_API_PROMPT_TEXT);
    assert_int_equal(request.text.len, 3);
    assert_int_equal(parse_body(VB_API_COMPLETIONS, "{\"model\":\"m\",\"prompt\":[0,999,5]}"),
                     VB_OK);
    assert_int_equal(request.prompt_kind, VB_API_PROMPT_TOKENS);
    assert_int_equal(request.n_tokens, 3);
    assert_true(request.tokens[1] == 999);
    assert_int_equal(
        parse_body(VB_API_COMPLETIONS, "{\"model\":\"m\",\"prompt\":[[7]],\"echo\":true}"), VB_OK);
    assert_true(request.n_tokens == 1 && request.tokens[0] == 7 && request.echo);
    static const char *const bad[][2] = {
        {"{\"model\":\"m\"}", "missing_required_parameter"},
        {"{\"model\":\"m\",\"prompt\":null}", "missing_required_parameter"},
        {"{\"model\":\"m\",\"prompt\":\"\"}", "invalid_value"},
        {"{\"model\":\"m\",\"prompt\":[]}", "invalid_type"},
        {"{\"model\":\"m\",\"prompt\":[[]]}", "invalid_type"},
        {"{\"model\":\"m\",\"prompt\":[\"a\",\"b\"]}", "unsupported_value"},
        {"{\"model\":\"m\",\"prompt\":[[1],[2]]}", "unsupported_value"},
        {"{\"model\":\"m\",\"prompt\":[1000]}", "invalid_value"},
        {"{\"model\":\"m\",\"prompt\":[-1]}", "invalid_value"},
        {"{\"model\":\"m\",\"prompt\":[1,\"a\"]}", "invalid_value"},
        {"{\"model\":\"m\",\"prompt\":[1,2.0]}", "invalid_value"},
        {"{\"model\":\"m\",\"prompt\":{}}", "invalid_type"},
        {"{\"model\":\"m\",\"prompt\":7}", "invalid_type"}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(parse_body(VB_API_COMPLETIONS, bad[i][0]), VB_EINVAL);
        check_refusal(bad[i][0], "prompt", bad[i][1]);
    }
    assert_int_equal(
        parse_body(VB_API_COMPLETIONS, "{\"model\":\"m\",\"prompt\":\"a\",\"echo\":1}"), VB_EINVAL);
    check_refusal("echo", "echo", "invalid_type");
}

/* The messages as canonical JSON. */
static void assert_messages(const char *messages, const char *expected) {
    char body[4096];
    vb_buf b = vb_buf_make(1 << 16);
    snprintf(body, sizeof body, "{\"model\":\"m\",\"messages\":%s}", messages);
    if (parse_body(VB_API_CHAT, body)) {
        fail_msg("%s: %s", messages, error.message);
    }
    assert_int_equal(vb_jcs_append(request.messages, &b, NULL), VB_OK);
    assert_string_equal((char *)b.data, expected);
    vb_buf_free(&b);
}

static void messages(void **state) {
    (void)state;
    assert_messages("[{\"role\":\"developer\",\"content\":\"be brief\"},"
                    "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},"
                    "{\"type\":\"text\",\"text\":\"b\"}],\"name\":\"ann\"}]",
                    "[{\"content\":\"be brief\",\"role\":\"system\"},"
                    "{\"content\":\"a\\nb\",\"name\":\"ann\",\"role\":\"user\"}]");
    assert_messages("[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"\"}]}]",
                    "[{\"content\":\"\",\"role\":\"user\"}]");
    assert_messages(
        "[{\"role\":\"assistant\",\"content\":null,\"refusal\":null,\"audio\":null,"
        "\"annotations\":[],\"parsed\":{},\"reasoning_content\":\"hm\",\"tool_calls\":["
        "{\"id\":\"c1\",\"index\":0,\"type\":\"function\",\"function\":{\"name\":\"f\","
        "\"parsed_arguments\":{},\"arguments\":\"{\\\"x\\\": [1]}\"}},{\"id\":\"c2\","
        "\"type\":\"function\",\"function\":{\"name\":\"g\",\"arguments\":\"\"}}]},"
        "{\"role\":\"tool\",\"tool_call_id\":\"c1\",\"content\":"
        "\"42\"}]",
        "[{\"content\":null,\"reasoning_content\":\"hm\",\"role\":\"assistant\",\"tool_calls\":"
        "[{\"function\":{\"arguments\":{\"x\":[1]},\"name\":\"f\"},\"id\":\"c1\",\"type\":"
        "\"function\"},{\"function\":{\"arguments\":{},\"name\":\"g\"},\"id\":\"c2\",\"type\":"
        "\"function\"}]},{\"content\":\"42\",\"role\":\"tool\",\"tool_call_id\":\"c1\"}]");
}

static void bad_messages(void **state) {
#define CALL(f) "[{\"role\":\"assistant\",\"tool_calls\":[" f "]}]"
    static const char *const rows[][3] = {
        {"null", "messages", "missing_required_parameter"},
        {"[]", "messages", "array_below_min_length"},
        {"{}", "messages", "invalid_type"},
        {"[1]", "messages[0]", "invalid_type"},
        {"[{}]", "messages[0].role", "missing_required_parameter"},
        {"[{\"role\":1}]", "messages[0].role", "invalid_type"},
        {"[{\"role\":\"function\",\"content\":\"x\"}]", "messages[0].role", "invalid_value"},
        {"[{\"role\":\"user\"}]", "messages[0].content", "missing_required_parameter"},
        {"[{\"role\":\"user\",\"content\":null}]", "messages[0].content",
         "missing_required_parameter"},
        {"[{\"role\":\"user\",\"content\":7}]", "messages[0].content", "invalid_type"},
        {"[{\"role\":\"user\",\"content\":[]}]", "messages[0].content", "array_below_min_length"},
        {"[{\"role\":\"user\",\"content\":[\"x\"]}]", "messages[0].content[0]", "invalid_type"},
        {"[{\"role\":\"user\",\"content\":[{\"type\":\"text\"}]}]", "messages[0].content[0].text",
         "missing_required_parameter"},
        {"[{\"role\":\"user\",\"content\":[{\"text\":\"x\"}]}]", "messages[0].content[0].type",
         "missing_required_parameter"},
        {"[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\",\"image_url\":{}}]}]",
         "messages[0].content[0].type", "unsupported_value"},
        {"[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"x\",\"y\":1}]}]",
         "messages[0].content[0].y", "unknown_parameter"},
        {"[{\"role\":\"user\",\"content\":\"x\",\"tool_calls\":[]}]", "messages[0].tool_calls",
         "unknown_parameter"},
        {"[{\"role\":\"user\",\"content\":\"x\",\"name\":\"\\u0007\"}]", "messages[0].name",
         "invalid_value"},
        {"[{\"role\":\"assistant\",\"content\":\"x\",\"refusal\":\"no\"}]", "messages[0].refusal",
         "unknown_parameter"},
        {"[{\"role\":\"assistant\"}]", "messages[0].content", "missing_required_parameter"},
        {"[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"tool\",\"content\":\"x\"}]",
         "messages[1].tool_call_id", "missing_required_parameter"},
        {CALL(""), "messages[0].tool_calls", "array_below_min_length"},
        {CALL("7"), "messages[0].tool_calls[0]", "invalid_type"},
        {CALL("{\"type\":\"function\"}"), "messages[0].tool_calls[0].id",
         "missing_required_parameter"},
        {CALL("{\"id\":\"c\",\"type\":\"custom\"}"), "messages[0].tool_calls[0].type",
         "unsupported_value"},
        {CALL("{\"id\":\"c\",\"type\":\"function\"}"), "messages[0].tool_calls[0].function.name",
         "missing_required_parameter"},
        {CALL("{\"id\":\"c\",\"type\":\"function\",\"function\":{\"name\":\"f\"}}"),
         "messages[0].tool_calls[0].function.arguments", "missing_required_parameter"},
        {CALL(
             "{\"id\":\"c\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":{}}}"),
         "messages[0].tool_calls[0].function.arguments", "invalid_type"},
        {CALL("{\"id\":\"c\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":"
              "\"{\"}}"),
         "messages[0].tool_calls[0].function.arguments", "invalid_value"},
        {CALL("{\"id\":\"c\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":"
              "\"[1]\"}}"),
         "messages[0].tool_calls[0].function.arguments", "invalid_value"}};
    char body[1024];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        snprintf(body, sizeof body, "{\"model\":\"m\",\"messages\":%s}", rows[i][0]);
        assert_int_equal(parse_body(VB_API_CHAT, body), VB_EINVAL);
        check_refusal(rows[i][0], rows[i][1], rows[i][2]);
    }
}

#define TOOLS                                                                                      \
    "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"get_weather\",\"description\":"    \
    "\"d\",\"parameters\":{\"type\":\"object\"},\"strict\":true}},{\"type\":\"function\","         \
    "\"function\":{\"name\":\"g\"}}]"

static void tools(void **state) {
    (void)state;
    accept(VB_API_CHAT, TOOLS);
    assert_int_equal(json_array_size(request.tools), 2);
    assert_int_equal(request.tool_choice, VB_API_TOOL_AUTO);
    accept(VB_API_CHAT, TOOLS ",\"tool_choice\":\"none\"");
    assert_int_equal(request.tool_choice, VB_API_TOOL_NONE);
    accept(VB_API_CHAT, TOOLS ",\"tool_choice\":\"required\",\"parallel_tool_calls\":false");
    assert_int_equal(request.tool_choice, VB_API_TOOL_REQUIRED);
    assert_false(request.parallel_tool_calls);
    accept(VB_API_CHAT,
           TOOLS ",\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"g\"}}");
    assert_int_equal(request.tool_choice, VB_API_TOOL_NAMED);
    assert_string_equal(request.tool_name, "g");
    accept(VB_API_CHAT, "\"tools\":[],\"tool_choice\":\"none\"");
    assert_null(request.tools);
    static const char *const bad[][3] = {
        {"\"tools\":{}", "tools", "invalid_type"},
        {"\"tools\":[7]", "tools[0]", "invalid_type"},
        {"\"tools\":[{\"type\":\"custom\"}]", "tools[0].type", "unsupported_value"},
        {"\"tools\":[{\"type\":\"function\"}]", "tools[0].function.name",
         "missing_required_parameter"},
        {"\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"a b\"}}]",
         "tools[0].function.name", "invalid_value"},
        {"\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"a\",\"parameters\":[]}}]",
         "tools[0].function.parameters", "invalid_type"},
        {"\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"a\",\"x\":1}}]",
         "tools[0].function.x", "unknown_parameter"},
        {"\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"a\",\"strict\":1}}]",
         "tools[0].function.strict", "invalid_type"},
        {"\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"a\"}},{\"type\":\"function\","
         "\"function\":{\"name\":\"a\"}}]",
         "tools[1].function.name", "invalid_value"},
        {"\"tool_choice\":\"auto\"", "tool_choice", "invalid_value"},
        {"\"parallel_tool_calls\":true", "parallel_tool_calls", "invalid_value"},
        {TOOLS ",\"tool_choice\":\"any\"", "tool_choice", "invalid_value"},
        {TOOLS ",\"tool_choice\":7", "tool_choice", "invalid_type"},
        {TOOLS ",\"tool_choice\":{\"type\":\"allowed_tools\"}", "tool_choice.type",
         "unsupported_value"},
        {TOOLS ",\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"h\"}}",
         "tool_choice.function.name", "invalid_value"},
        {TOOLS ",\"tool_choice\":{\"type\":\"function\"}", "tool_choice.function.name",
         "missing_required_parameter"}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        refuse(VB_API_CHAT, bad[i][0], bad[i][1], bad[i][2]);
    }
    refuse(VB_API_COMPLETIONS, TOOLS, "tools", "unknown_parameter");
}

static void formats(void **state) {
    (void)state;
    accept(VB_API_CHAT, "\"response_format\":{\"type\":\"text\"}");
    assert_int_equal(request.format, VB_API_FORMAT_TEXT);
    accept(VB_API_CHAT, "\"response_format\":{\"type\":\"json_object\"}");
    assert_int_equal(request.format, VB_API_FORMAT_JSON_OBJECT);
    accept(VB_API_CHAT,
           "\"response_format\":{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"s\","
           "\"strict\":true,\"schema\":{\"type\":\"object\"}}}");
    assert_int_equal(request.format, VB_API_FORMAT_JSON_SCHEMA);
    assert_string_equal(request.schema_name, "s");
    assert_true(request.schema_strict && json_object_size(request.schema) == 1);
    static const char *const bad[][3] = {
        {"7", "response_format", "invalid_type"},
        {"{}", "response_format.type", "unsupported_value"},
        {"{\"type\":\"grammar\"}", "response_format.type", "unsupported_value"},
        {"{\"type\":\"text\",\"json_schema\":{}}", "response_format.json_schema",
         "unknown_parameter"},
        {"{\"type\":\"json_schema\"}", "response_format.json_schema", "missing_required_parameter"},
        {"{\"type\":\"json_schema\",\"json_schema\":{}}", "response_format.json_schema.name",
         "missing_required_parameter"},
        {"{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"a/b\"}}",
         "response_format.json_schema.name", "invalid_value"},
        {"{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"s\",\"schema\":[]}}",
         "response_format.json_schema.schema", "invalid_type"}};
    char text[256];
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        snprintf(text, sizeof text, "\"response_format\":%s", bad[i][0]);
        refuse_both(text, bad[i][1], bad[i][2]);
    }
}

static void structured_outputs(void **state) {
    static const char *const bad[][3] = {
        {"7", "structured_outputs", "invalid_type"},
        {"{}", "structured_outputs", "invalid_value"},
        {"{\"json_object\":false}", "structured_outputs", "invalid_value"},
        {"{\"json_object\":1}", "structured_outputs.json_object", "invalid_type"},
        {"{\"json\":{},\"choice\":[\"a\"]}", "structured_outputs", "invalid_value"},
        {"{\"json\":\"{}\"}", "structured_outputs.json", "invalid_type"},
        {"{\"choice\":[]}", "structured_outputs.choice", "array_below_min_length"},
        {"{\"choice\":\"a\"}", "structured_outputs.choice", "invalid_type"},
        {"{\"regex\":\"a\"}", "structured_outputs.regex", "unknown_parameter"}};
    (void)state;
    accept(VB_API_COMPLETIONS,
           "\"structured_outputs\":{\"json\":{\"type\":\"null\"},\"regex\":null}");
    assert_int_equal(request.format, VB_API_FORMAT_JSON_SCHEMA);
    assert_int_equal(json_object_size(request.schema), 1);
    accept(VB_API_CHAT, "\"structured_outputs\":{\"json_object\":true}");
    assert_int_equal(request.format, VB_API_FORMAT_JSON_OBJECT);
    accept(VB_API_CHAT, "\"structured_outputs\":{\"choice\":[\"a\",\"b\"]}");
    assert_int_equal(request.format, VB_API_FORMAT_CHOICE);
    assert_int_equal(json_array_size(request.choice), 2);
    assert_string_equal(request.format_param, "structured_outputs.choice");
    refuse_both("\"structured_outputs\":{\"json_object\":true},\"response_format\":{\"type\":"
                "\"json_object\"}",
                "structured_outputs", "invalid_value");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char text[256];
        snprintf(text, sizeof text, "\"structured_outputs\":%s", bad[i][0]);
        refuse_both(text, bad[i][1], bad[i][2]);
    }
}

static void template_variables(void **state) {
    char text[4096];
    (void)state;
    accept(VB_API_CHAT, "\"chat_template_kwargs\":{\"enable_thinking\":false}");
    assert_true(json_is_false(json_object_get(request.template_kwargs, "enable_thinking")));
    refuse(VB_API_CHAT, "\"chat_template_kwargs\":[]", "chat_template_kwargs", "invalid_type");
    refuse(VB_API_CHAT, "\"chat_template_kwargs\":{\"messages\":[]}",
           "chat_template_kwargs.messages", "unsupported_value");
    size_t n = (size_t)snprintf(text, sizeof text, "\"chat_template_kwargs\":{\"a\":1");
    for (unsigned i = 0; i < VB_API_TEMPLATE_VARIABLES_MAX; i++) {
        n += (size_t)snprintf(text + n, sizeof text - n, ",\"v%u\":1", i);
    }
    snprintf(text + n, sizeof text - n, "}");
    refuse(VB_API_CHAT, text, "chat_template_kwargs", "object_above_max_properties");
}

static void randomness(void **state) {
    (void)state;
    accept(VB_API_CHAT, "\"seed\":42");
    assert_true(request.has_seed && request.seed == 42 && request.mode == VB_MODE_FIXED);
    assert_string_equal(request.beacon_id, "");
    accept(VB_API_CHAT, "\"seed\":42,\"verbatim\":{\"mode\":\"fixed\",\"nonce\":\"n\"}");
    assert_string_equal(request.nonce, "n");
    accept(VB_API_COMPLETIONS,
           "\"verbatim\":{\"beacon\":\"" DRAND "\",\"fallback\":\"" LOCAL "\"}");
    assert_int_equal(request.mode, VB_MODE_NEXT);
    assert_string_equal(request.beacon_id, DRAND);
    assert_string_equal(request.fallback, LOCAL);
    accept(VB_API_CHAT, "\"verbatim\":{\"beacon\":\"" DRAND "\",\"mode\":\"latest\"}");
    assert_int_equal(request.mode, VB_MODE_LATEST);
    accept(VB_API_CHAT, "\"verbatim\":{\"beacon\":\"" DRAND "\",\"round\":7}");
    assert_true(request.mode == VB_MODE_FIXED && request.has_round && request.round == 7);
    accept(VB_API_CHAT,
           "\"verbatim\":{\"beacon\":\"" DRAND "\",\"round\":\"18446744073709551615\"}");
    assert_true(request.round == UINT64_MAX);
    accept(VB_API_CHAT, "\"verbatim\":{\"private\":true,\"receipt\":true,\"deadline_ms\":1}");
    assert_true(request.make_private && request.return_receipt && request.deadline_ms == 1);
    vb_api_defaults d = server();
    d.beacon_id = DRAND;
    d.mode = VB_MODE_NEXT;
    assert_int_equal(parse_with(VB_API_CHAT, "\"verbatim\":{\"mode\":\"local\"}", &d), VB_OK);
    assert_true(request.mode == VB_MODE_LOCAL && !request.beacon_id[0]);
    assert_int_equal(parse_with(VB_API_CHAT, "\"verbatim\":{\"mode\":\"latest\"}", &d), VB_OK);
    assert_int_equal(request.mode, VB_MODE_LATEST);
    assert_string_equal(request.beacon_id, DRAND);
}

static void randomness_that_does_not_fit(void **state) {
    static const char *const rows[][3] = {
        {"\"seed\":1,\"verbatim\":{\"beacon\":\"" DRAND "\"}", "verbatim.beacon", "invalid_value"},
        {"\"seed\":1,\"verbatim\":{\"mode\":\"next\"}", "verbatim.mode", "invalid_value"},
        {"\"seed\":1,\"verbatim\":{\"round\":1}", "verbatim.round", "invalid_value"},
        {"\"seed\":1,\"verbatim\":{\"fallback\":\"" LOCAL "\"}", "verbatim.fallback",
         "invalid_value"},
        {"\"verbatim\":7", "verbatim", "invalid_type"},
        {"\"verbatim\":{\"x\":1}", "verbatim.x", "unknown_parameter"},
        {"\"verbatim\":{\"mode\":\"fixed\"}", "verbatim.mode", "invalid_value"},
        {"\"verbatim\":{\"mode\":\"soon\"}", "verbatim.mode", "invalid_value"},
        {"\"verbatim\":{\"mode\":1}", "verbatim.mode", "invalid_type"},
        {"\"verbatim\":{\"mode\":\"next\"}", "verbatim.mode", "invalid_value"},
        {"\"verbatim\":{\"beacon\":\"" DRAND "\",\"mode\":\"local\"}", "verbatim.mode",
         "invalid_value"},
        {"\"verbatim\":{\"beacon\":\"" DRAND "\",\"mode\":\"next\",\"round\":1}", "verbatim.mode",
         "invalid_value"},
        {"\"verbatim\":{\"beacon\":\"mix:a\",\"round\":1}", "verbatim.round", "unsupported_value"},
        {"\"verbatim\":{\"beacon\":\"dice\"}", "verbatim.beacon", "invalid_value"},
        {"\"verbatim\":{\"beacon\":\"\"}", "verbatim.beacon", "string_below_min_length"},
        {"\"verbatim\":{\"fallback\":true}", "verbatim.fallback", "invalid_type"},
        {"\"verbatim\":{\"round\":-1}", "verbatim.round", "integer_below_min_value"},
        {"\"verbatim\":{\"round\":\"01\"}", "verbatim.round", "invalid_value"},
        {"\"verbatim\":{\"round\":\"18446744073709551616\"}", "verbatim.round", "invalid_value"},
        {"\"verbatim\":{\"round\":\"\"}", "verbatim.round", "invalid_value"},
        {"\"verbatim\":{\"nonce\":\"a\\nb\"}", "verbatim.nonce", "invalid_value"},
        {"\"verbatim\":{\"nonce\":7}", "verbatim.nonce", "invalid_type"},
        {"\"verbatim\":{\"private\":1}", "verbatim.private", "invalid_type"},
        {"\"verbatim\":{\"receipt\":\"yes\"}", "verbatim.receipt", "invalid_type"},
        {"\"verbatim\":{\"deadline_ms\":0}", "verbatim.deadline_ms", "integer_below_min_value"}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        refuse(VB_API_CHAT, rows[i][0], rows[i][1], rows[i][2]);
    }
}

/* A name as long as the client likes does not run over what an error may hold. */
static void long_names_are_cut(void **state) {
    static char text[8192];
    (void)state;
    memset(text, 'x', sizeof text);
    text[0] = '"';
    memcpy(text + sizeof text - 4, "\":1", 4);
    assert_int_equal(parse(VB_API_CHAT, text), VB_EINVAL);
    assert_string_equal(error.code, "unknown_parameter");
    assert_int_equal(strlen(error.param), VB_API_PARAM_BYTES_MAX);
    vb_api_request_free(&request);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_openais),
        cmocka_unit_test(the_servers_defaults_count),
        cmocka_unit_test(reals),
        cmocka_unit_test(integers),
        cmocka_unit_test(reals_are_rounded_once),
        cmocka_unit_test(counts),
        cmocka_unit_test(stops),
        cmocka_unit_test(biases),
        cmocka_unit_test(logprobs),
        cmocka_unit_test(streams),
        cmocka_unit_test(ignored_refused_and_unknown),
        cmocka_unit_test(bodies),
        cmocka_unit_test(bodies_are_bounded),
        cmocka_unit_test(prompts),
        cmocka_unit_test(messages),
        cmocka_unit_test(bad_messages),
        cmocka_unit_test(tools),
        cmocka_unit_test(formats),
        cmocka_unit_test(structured_outputs),
        cmocka_unit_test(template_variables),
        cmocka_unit_test(randomness),
        cmocka_unit_test(randomness_that_does_not_fit),
        cmocka_unit_test(long_names_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
