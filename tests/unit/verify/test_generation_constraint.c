/*
 * Generation under a constraint, from logits at random: what is drawn is accepted, repeats, and
 * leaves the trace of the model's own logits; ends, stop tokens and stop strings; tokens that are
 * followed and no draw could have given.
 */
#include "support/testing.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "gguf/gguf.h"
#include "receipt/trace.h"
#include "verify/generation.h"

enum { EXTRA = 70, TOKENS_MAX = 400 }; /* logits beyond the vocabulary */

static vb_tokenizer *tokenizer;
static vb_vocabulary *vocabulary;
static const vb_kernels *kernels;
static size_t n_vocab;
static float *logits;
static vb_error e;

static void must(vb_err err) {
    if (err) {
        fail_msg("%s: %s", vb_err_name(err), e.msg);
    }
}

static int setup(void **state) {
    (void)state;
    vb_gguf *gguf;
    must(vb_kernels_select(NULL, &kernels, &e));
    must(vb_gguf_open(vb_test_source("models/verbatim-demo/verbatim-demo-q8_0.gguf"), &gguf, &e));
    must(vb_tokenizer_open(gguf, &tokenizer, &e));
    vb_gguf_close(gguf);
    must(vb_vocabulary_open(tokenizer, &vocabulary, &e));
    n_vocab = vb_tokenizer_size(tokenizer) + EXTRA;
    logits = malloc(n_vocab * sizeof *logits);
    return logits ? 0 : -1;
}

static int teardown(void **state) {
    (void)state;
    free(logits);
    vb_vocabulary_close(vocabulary);
    vb_tokenizer_close(tokenizer);
    return 0;
}

static vb_grammar *grammar_of(const char *constraint) {
    vb_grammar *g = NULL;
    json_t *c = json_loads(constraint, 0, NULL);
    assert_non_null(c);
    must(vb_grammar_open(c, &g, &e));
    json_decref(c);
    return g;
}

/* Logits that prefer what no constraint allows, and of the rest what closes. */
static void make_logits(uint64_t *rng, size_t t) {
    for (size_t i = 0; i < n_vocab; i++) {
        logits[i] = (float)(vb_test_random(rng) % 4096) * 0.002f;
    }
    for (size_t i = n_vocab - EXTRA; i < n_vocab; i++) {
        logits[i] += 20.0f;
    }
    for (const char *c = "\"}]"; *c && t > 12; c++) {
        logits[vb_tokenizer_find(tokenizer, c, 1)] += 14.0f;
    }
}

static vb_generation_options options(const vb_grammar *g, const vb_sampling *p) {
    return (vb_generation_options){.kernels = kernels,
                                   .tokenizer = tokenizer,
                                   .n_vocab = n_vocab,
                                   .sampling = p,
                                   .seed = {1, 2, 3},
                                   .tokens_max = TOKENS_MAX,
                                   .grammar = g,
                                   .vocabulary = vocabulary};
}

/* Draws to the end; the tokens are written down when list is not NULL. */
static vb_finish run(vb_generation *g, uint64_t seed, uint32_t *list, size_t *n) {
    vb_finish finish;
    *n = 0;
    while (!vb_generation_ended(g, &finish)) {
        uint32_t token;
        uint8_t leaf[VB_SHA256_BYTES];
        make_logits(&seed, *n);
        must(vb_generation_step(g, logits, &token, &e));
        assert_true(token < n_vocab - EXTRA);
        vb_trace_leaf(*n, token, logits, n_vocab, leaf);
        assert_memory_equal(vb_generation_leaf(g), leaf, sizeof leaf);
        if (list) {
            assert_int_equal(token, list[*n]);
        }
        ++*n;
    }
    return finish;
}

static json_t *value_of(const vb_generation *g) {
    size_t n;
    const char *text = vb_generation_text(g, &n);
    json_t *value = json_loadb(text, n, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    if (!value) {
        fail_msg("not JSON: %s", text);
    }
    return value;
}

static void answers_are_accepted(void **state) {
    (void)state;
    vb_grammar *g = grammar_of("{\"type\":\"json_schema\",\"schema\":{\"type\":\"object\","
                               "\"properties\":{\"a\":{\"type\":\"string\"},\"b\":{\"type\":"
                               "\"array\",\"items\":{\"type\":\"integer\"}}},\"required\":[\"a\"],"
                               "\"additionalProperties\":false}}");
    unsigned ended = 0;
    for (uint64_t seed = 1; seed <= 24; seed++) {
        vb_sampling p;
        vb_sampling_default(&p);
        p.temperature = seed % 4 ? 0.3f * (float)(seed % 4) : 0.0f;
        p.top_k = seed % 3 ? 0 : 5;
        p.top_p = seed % 2 ? (uint64_t)1 << 32 : 3865470566;
        p.presence_penalty = seed % 5 ? 0.0f : 0.5f;
        const vb_generation_options o = options(g, &p);
        vb_generation *first, *second;
        size_t n, n_again;
        must(vb_generation_open(&o, &first, &e));
        must(vb_generation_open(&o, &second, &e));
        if (run(first, seed, NULL, &n) == VB_FINISH_STOP) {
            json_t *value = value_of(first);
            assert_true(json_is_string(json_object_get(value, "a")));
            assert_true(json_object_size(value) <= 2);
            json_decref(value);
            ended++;
        }
        uint32_t list[TOKENS_MAX];
        memcpy(list, vb_generation_tokens(first, &n), n * sizeof *list);
        (void)run(second, seed, list, &n_again);
        assert_int_equal(n, n_again);
        vb_generation_close(first);
        vb_generation_close(second);
    }
    assert_true(ended >= 12);
    vb_grammar_close(g);
}

static uint32_t token_of(const char *text) {
    const int32_t id = vb_tokenizer_find(tokenizer, text, strlen(text));
    assert_true(id >= 0);
    return (uint32_t)id;
}

/* What is followed must be allowed; a refusal leaves the generation where it was. */
static void followed_tokens(void **state) {
    (void)state;
    vb_grammar *g = grammar_of("{\"type\":\"choice\",\"texts\":[\"[]\",\"[]er\",\"er\"]}");
    vb_sampling p;
    vb_sampling_default(&p);
    const uint32_t stop_token = token_of("er"), single = token_of("]");
    vb_generation_options o = options(g, &p);
    vb_generation *x;
    must(vb_generation_open(&o, &x, &e));
    uint32_t end = 0;
    while (!vb_tokenizer_is_eog(tokenizer, end)) {
        end++;
    }
    assert_int_equal(vb_generation_follow(x, end, &e), VB_EMISMATCH);
    assert_int_equal(vb_generation_follow(x, token_of("]"), &e), VB_EMISMATCH);
    assert_int_equal(vb_generation_follow(x, (uint32_t)n_vocab - 1, &e), VB_EMISMATCH);
    assert_int_equal(vb_generation_follow(x, (uint32_t)n_vocab, &e), VB_EINVAL);
    must(vb_generation_follow(x, token_of("["), &e));
    must(vb_generation_follow(x, token_of("]"), &e));
    size_t n;
    (void)vb_generation_tokens(x, &n);
    assert_int_equal(n, 2);
    must(vb_generation_follow(x, end, &e));
    assert_true(vb_generation_ended(x, NULL));
    vb_generation_close(x);
    /* A stop token is an end, whatever its bytes: it can not begin `er`, nor continue `[]`. */
    o.stop_tokens = &stop_token;
    o.n_stop_tokens = 1;
    must(vb_generation_open(&o, &x, &e));
    assert_int_equal(vb_generation_follow(x, stop_token, &e), VB_EMISMATCH);
    must(vb_generation_follow(x, token_of("["), &e));
    assert_int_equal(vb_generation_follow(x, stop_token, &e), VB_EMISMATCH);
    must(vb_generation_follow(x, token_of("]"), &e));
    must(vb_generation_follow(x, stop_token, &e));
    assert_true(vb_generation_ended(x, NULL));
    vb_generation_close(x);
    /* One that spells a byte could leave a text without a way on. */
    o.stop_tokens = &single;
    x = NULL;
    assert_int_equal(vb_generation_open(&o, &x, &e), VB_EUNSUPPORTED);
    assert_null(x);
    vb_grammar_close(g);
}

/* A stop token is drawn only where the text is complete. */
static void stop_tokens_wait(void **state) {
    (void)state;
    vb_grammar *g = grammar_of("{\"type\":\"json_object\"}");
    vb_sampling p;
    vb_sampling_default(&p);
    const uint32_t stop_token = token_of("er");
    vb_generation_options o = options(g, &p);
    o.stop_tokens = &stop_token;
    o.n_stop_tokens = 1;
    vb_generation *x;
    must(vb_generation_open(&o, &x, &e));
    memset(logits, 0, n_vocab * sizeof *logits);
    logits[token_of("{")] = 3.0f;
    logits[token_of("}")] = 4.0f;
    logits[stop_token] = 5.0f;
    size_t n = 0;
    for (; !vb_generation_ended(x, NULL); n++) {
        uint32_t token;
        must(vb_generation_step(x, logits, &token, &e));
    }
    size_t n_text;
    assert_string_equal(vb_generation_text(x, &n_text), "{}");
    const uint32_t *tokens = vb_generation_tokens(x, &n);
    assert_int_equal(n, 3);
    assert_int_equal(tokens[2], stop_token);
    vb_generation_close(x);
    vb_grammar_close(g);
}

/* A stop string ends the answer where it matches, accepted or not. */
static void stop_strings_cut(void **state) {
    (void)state;
    vb_grammar *g = grammar_of("{\"type\":\"choice\",\"texts\":[\"{}{}\"]}");
    vb_sampling p;
    vb_sampling_default(&p);
    const vb_stop_string stop = {"}{", 2};
    vb_generation_options o = options(g, &p);
    o.stop_strings = &stop;
    o.n_stop_strings = 1;
    vb_generation *x;
    vb_finish finish;
    must(vb_generation_open(&o, &x, &e));
    memset(logits, 0, n_vocab * sizeof *logits);
    while (!vb_generation_ended(x, &finish)) {
        uint32_t token;
        must(vb_generation_step(x, logits, &token, &e));
    }
    size_t n;
    (void)vb_generation_text(x, &n);
    assert_int_equal(n, 1);
    assert_int_equal(finish, VB_FINISH_STOP);
    vb_generation_close(x);
    vb_grammar_close(g);
}

static void too_few_logits(void **state) {
    (void)state;
    vb_grammar *g = grammar_of("{\"type\":\"json_object\"}");
    vb_sampling p;
    vb_sampling_default(&p);
    vb_generation_options o = options(g, &p);
    o.n_vocab = vb_tokenizer_size(tokenizer) - 1;
    vb_generation *x = NULL;
    assert_int_equal(vb_generation_open(&o, &x, &e), VB_EINVAL);
    assert_null(x);
    vb_grammar_close(g);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_accepted), cmocka_unit_test(followed_tokens),
        cmocka_unit_test(stop_tokens_wait),     cmocka_unit_test(stop_strings_cut),
        cmocka_unit_test(too_few_logits),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
