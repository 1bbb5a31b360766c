/*
 * Real vocabularies: masks against trying every token, answers drawn at random against a JSON
 * parser, and documents in every tokenisation that the tokenizer and chance make of them.
 */
#include "grammar_kit.h"

#include <stdio.h>
#include <time.h>

#include "gguf/gguf.h"

static const char *const names[] = {"qwen2", "llama-bpe", "deepseek-llm",
                                    "gpt-2", "llama-spm", "deepseek-coder"};

typedef struct rig {
    vb_tokenizer *t;
    vb_vocabulary *v;
    vb_grammar *g;
    vb_grammar_state *s, *copy;
    uint64_t *bits;
    uint32_t n;
} rig;

static void open_file(rig *x, const char *path) {
    vb_gguf *f;
    vb_error e = {0};
    if (vb_gguf_open(path, &f, &e) || vb_tokenizer_open(f, &x->t, &e)) {
        fail_msg("%s", e.msg);
    }
    vb_gguf_close(f);
    x->v = kit_vocabulary(x->t);
    x->n = vb_tokenizer_size(x->t);
    x->bits = calloc(x->n / 64 + 1, sizeof *x->bits);
}

static void open_name(rig *x, const char *name) {
    char relative[64];
    snprintf(relative, sizeof relative, "vocab/ggml-vocab-%s.gguf", name);
    open_file(x, vb_test_data(relative));
}

static void hold(rig *x, const char *constraint) {
    x->g = kit_grammar(constraint);
    x->s = kit_state(x->g, x->v);
    x->copy = kit_state(x->g, x->v);
}

static void let_go(rig *x) {
    vb_grammar_state_close(x->s);
    vb_grammar_state_close(x->copy);
    vb_grammar_close(x->g);
}

static void close_rig(rig *x) {
    vb_vocabulary_close(x->v);
    vb_tokenizer_close(x->t);
    free(x->bits);
}

static const char *const constraints[] = {
    "{\"type\":\"json_object\"}",
    SCHEMA(
        "{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\",\"minLength\":3,"
        "\"maxLength\":40},\"n\":{\"type\":\"number\"},\"tags\":{\"items\":{\"enum\":[\"red\","
        "\"green\",\"\xe4\xb8\xad\xe6\x96\x87\"]},\"maxItems\":3}},\"required\":[\"name\",\"n\"],"
        "\"additionalProperties\":{\"type\":\"string\"}}"),
    SCHEMA(
        "{\"anyOf\":[{\"type\":\"string\",\"maxLength\":4},{\"type\":\"string\",\"minLength\":6},"
        "{\"enum\":[\"hello there\",5]},{\"type\":\"array\",\"items\":{\"$ref\":\"#\"}}]}"),
    "{\"type\":\"choice\",\"texts\":[\"get_weather\",\"get_time\",\"none\"]}",
};

/* After STEPS tokens an answer goes for an end; one that a required name keeps from it, which
 * chance does not spell, is left alone after STEPS_MAX. */
enum { STEPS = 10, STEPS_MAX = 60 };

/* Any allowed token, or one of the shortest way out when it is time to end. */
static uint32_t next_token(rig *x, size_t count, size_t step, uint64_t *rng) {
    static const char closers[] = "\"}]:,nt0";
    for (const char *c = closers; step >= STEPS && *c; c++) {
        for (uint32_t id = 0; id < x->n; id++) {
            vb_buf b = vb_buf_make(VB_TOKEN_BYTES_MAX);
            const bool is = kit_allowed(x->bits, id) &&
                            vb_tokenizer_decode(x->t, &id, 1, false, false, &b, NULL) == VB_OK &&
                            b.len == 1 && b.data[0] == (uint8_t)*c;
            vb_buf_free(&b);
            if (is) {
                return id;
            }
        }
    }
    return kit_draw(x->bits, x->n, count, rng);
}

/* One answer at random; each mask on the way is compared with trying every token. */
static void random_answer(rig *x, bool is_json, uint64_t *rng) {
    vb_buf text = vb_buf_make(VB_TEXT_BYTES_MAX);
    vb_error e = {0};
    bool ended = false;
    for (size_t step = 0; step < STEPS_MAX && !ended; step++) {
        size_t count;
        if (step < STEPS) {
            count = kit_check_mask(x->s, x->copy, x->t, x->bits);
        } else {
            assert_int_equal(vb_grammar_mask(x->s, x->n, x->bits, &e), VB_OK);
            count = 0;
            for (uint32_t id = 0; id < x->n; id++) {
                count += kit_allowed(x->bits, id);
            }
        }
        const uint32_t id = next_token(x, count, step, rng);
        assert_int_equal(vb_grammar_accept(x->s, id, &e), VB_OK);
        ended = vb_tokenizer_is_eog(x->t, id);
        if (!ended) {
            assert_int_equal(vb_tokenizer_decode(x->t, &id, 1, false, false, &text, &e), VB_OK);
            ended = step >= STEPS && vb_grammar_complete(x->s);
        }
    }
    if (is_json && ended) {
        json_t *value =
            json_loadb((const char *)text.data, text.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        if (!value) {
            fail_msg("not JSON: %s", (const char *)text.data);
        }
        json_decref(value);
    }
    vb_buf_free(&text);
}

static void answers(rig *x, unsigned rounds) {
    uint64_t rng = 7;
    for (size_t c = 0; c < sizeof constraints / sizeof constraints[0]; c++) {
        for (unsigned i = 0; i < rounds; i++) {
            hold(x, constraints[c]);
            random_answer(x, strstr(constraints[c], "choice") == NULL, &rng);
            let_go(x);
        }
    }
}

static void vocabularies(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        rig x;
        open_name(&x, names[i]);
        answers(&x, 1);
        close_rig(&x);
    }
}

static void demo_model(void **state) {
    (void)state;
    rig x;
    open_file(&x, vb_test_source("models/verbatim-demo/verbatim-demo-q8_0.gguf"));
    answers(&x, 10);
    close_rig(&x);
}

/* ---- constraints of which much is still possible at once ---- */

/* Strings and names of different lengths side by side, some of which names are listed for some
 * objects only: masks look at all of them together, and may allow what any of them does. */
static const char mixed_schema[] = SCHEMA(
    "{\"anyOf\":["
    "{\"type\":\"string\",\"maxLength\":3},{\"type\":\"string\",\"minLength\":2,\"maxLength\":9},"
    "{\"type\":\"string\",\"minLength\":30},{\"enum\":[\"name\",\"names and more\"]},"
    "{\"properties\":{\"name\":{\"type\":\"integer\"},\"names\":{\"const\":1}},"
    "\"additionalProperties\":{\"type\":\"string\"}},"
    "{\"properties\":{\"value\":{\"const\":[]}},\"additionalProperties\":{\"$ref\":\"#\"}},"
    "{\"properties\":{\"name\":{\"const\":true},\"id\":{\"const\":null}}}]}");

static void alternatives(void **state) {
    (void)state;
    static const char *const before[] = {
        "\"",      "\"n",  "\"name",      "\"name and", "{\"",        "{\"na",
        "{\"name", "{\"v", "{\"x\":\"ab", "{\"name\":", "{\"q\":{\"", "{\"q\":{\"name"};
    rig x;
    open_name(&x, "qwen2");
    for (size_t i = 0; i < sizeof before / sizeof before[0]; i++) {
        hold(&x, mixed_schema);
        assert_true(vb_grammar_feed(x.s, before[i], strlen(before[i])));
        assert_true(kit_check_mask(x.s, x.copy, x.t, x.bits) > 0);
        let_go(&x);
    }
    close_rig(&x);
}

/* As many strings at once as may be, under as many objects as may be, as deep as may be: whoever
 * draws for many clients waits for such a mask. One string after the other, it took seconds. */
static void many_strings(void **state) {
    (void)state;
    enum { ALTERNATIVES = 250, DEPTH = 29 };
    static const double SECONDS_MAX = 1;
    vb_buf c = vb_buf_make(VB_CONSTRAINT_BYTES_MAX), text = vb_buf_make(1024);
    vb_err err = vb_buf_printf(&c, "%s",
                               "{\"type\":\"json_schema\",\"schema\":{\"$ref\":\"#/$defs/o\","
                               "\"$defs\":{\"o\":{\"anyOf\":[{\"type\":\"null\"}");
    for (unsigned i = 0; i < ALTERNATIVES && !err; i++) {
        err = vb_buf_printf(&c,
                            ",{\"properties\":{\"a\":{\"$ref\":\"#/$defs/o\"},"
                            "\"s\":{\"type\":\"string\",\"maxLength\":%u}}}",
                            60000 + i);
    }
    for (unsigned i = 0; i < DEPTH && !err; i++) {
        err = vb_buf_printf(&text, "%s", "{\"a\":");
    }
    assert_int_equal(err, VB_OK);
    assert_int_equal(vb_buf_printf(&c, "%s", "]}}}}"), VB_OK);
    assert_int_equal(vb_buf_printf(&text, "%s", "{\"s\":\"h"), VB_OK);
    rig x;
    vb_error e = {0};
    open_name(&x, "qwen2");
    hold(&x, (const char *)c.data);
    assert_true(vb_grammar_feed(x.s, text.data, text.len));
    const clock_t begun = clock();
    assert_int_equal(vb_grammar_mask(x.s, x.n, x.bits, &e), VB_OK);
    const double took = (double)(clock() - begun) / CLOCKS_PER_SEC;
    if (took > SECONDS_MAX) {
        fail_msg("%.1f s for one mask", took);
    }
    let_go(&x);
    close_rig(&x);
    vb_buf_free(&c);
    vb_buf_free(&text);
}

/* ---- documents ---- */

static const char document_schema[] =
    SCHEMA("{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\"},\"age\":{\"type\":"
           "\"integer\"},\"tags\":{\"type\":\"array\",\"items\":{\"type\":\"string\"}},\"inner\":{"
           "\"anyOf\":[{\"type\":\"null\"},{\"$ref\":\"#\"}]}},\"required\":[\"name\"]}");

static const char *const documents[] = {
    "{\"name\":\"Zo\xc3\xab \\u00e9 \xf0\x9f\x98\x80\",\"age\":42,\"tags\":[\"a\",\"b c\"],"
    "\"inner\":{\"name\":\"x\",\"inner\":null}}",
    "{\"name\": \"Zo\xc3\xab\", \"age\": 42, \"tags\": [\"a\", \"b c\"], \"inner\": {\"name\": "
    "\"x\", \"inner\": null}}",
    "{\n  \"name\": \"Zo\xc3\xab\",\n  \"age\": 42,\n  \"tags\": [\n    \"a\",\n    \"b c\"\n  ],\n"
    "  \"inner\": {\n    \"name\": \"x\",\n    \"tags\": []\n  }\n}",
    "{\n    \"tags\": [],\n    \"name\": \"\"\n}",
};

/* Feeds tokens, each of which the mask must allow. */
static void follow(rig *x, const uint32_t *ids, size_t n, const char *text) {
    vb_error e = {0};
    for (size_t i = 0; i < n; i++) {
        assert_false(vb_grammar_complete(x->s));
        assert_int_equal(vb_grammar_mask(x->s, x->n, x->bits, &e), VB_OK);
        if (!kit_allowed(x->bits, ids[i]) || vb_grammar_accept(x->s, ids[i], &e)) {
            fail_msg("token %u, the %zuth of %s, is not allowed", ids[i], i, text);
        }
    }
    assert_true(vb_grammar_complete(x->s));
    assert_int_equal(vb_grammar_mask(x->s, x->n, x->bits, &e), VB_OK);
    for (uint32_t id = 0; id < x->n; id++) {
        assert_int_equal(kit_allowed(x->bits, id), vb_tokenizer_is_eog(x->t, id));
    }
}

/* The text in pieces at random, each as the tokenizer has it. */
static size_t random_tokens(const rig *x, const char *text, uint64_t *rng, uint32_t *out) {
    const size_t len = strlen(text);
    size_t n_out = 0;
    for (size_t at = 0; at < len;) {
        size_t n = 1 + vb_test_random(rng) % 6, n_ids;
        n = n < len - at ? n : len - at;
        while (at + n < len && ((uint8_t)text[at + n] & 0xc0) == 0x80) {
            n++;
        }
        uint32_t *ids = NULL;
        assert_int_equal(vb_tokenizer_encode(x->t, text + at, n, false, false, &ids, &n_ids, NULL),
                         VB_OK);
        vb_buf b = vb_buf_make(64);
        assert_int_equal(vb_tokenizer_decode(x->t, ids, n_ids, false, false, &b, NULL), VB_OK);
        if (b.len == n && memcmp(b.data, text + at, n) == 0) { /* SentencePiece adds spaces */
            memcpy(out + n_out, ids, n_ids * sizeof *ids);
            n_out += n_ids;
            at += n;
        } else {
            for (; n; n--, at++) {
                char hex[8];
                snprintf(hex, sizeof hex, "<0x%02X>", (uint8_t)text[at]);
                out[n_out++] = (uint32_t)vb_tokenizer_find(x->t, hex, strlen(hex));
            }
        }
        vb_buf_free(&b);
        free(ids);
    }
    return n_out;
}

static void tokenisations(void **state) {
    (void)state;
    uint64_t rng = 11;
    static uint32_t tokens[1024];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        rig x;
        open_name(&x, names[i]);
        for (size_t d = 0; d < sizeof documents / sizeof documents[0]; d++) {
            for (unsigned round = 0; round < 6; round++) {
                const size_t n = random_tokens(&x, documents[d], &rng, tokens);
                hold(&x, round % 2 ? document_schema : constraints[0]);
                follow(&x, tokens, n, documents[d]);
                let_go(&x);
            }
            uint32_t *ids = NULL;
            size_t n;
            assert_int_equal(vb_tokenizer_encode(x.t, documents[d], strlen(documents[d]), false,
                                                 false, &ids, &n, NULL),
                             VB_OK);
            hold(&x, document_schema);
            follow(&x, ids, n, documents[d]);
            let_go(&x);
            free(ids);
        }
        close_rig(&x);
    }
}

/* ---- time: reported, not judged ---- */

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static void time_document(rig *x, const char *constraint, const char *text) {
    vb_error e = {0};
    uint32_t *ids = NULL;
    size_t n;
    double total = 0, worst = 0;
    assert_int_equal(vb_tokenizer_encode(x->t, text, strlen(text), false, false, &ids, &n, NULL),
                     VB_OK);
    hold(x, constraint);
    for (size_t i = 0; i < n; i++) {
        const double before = now();
        assert_int_equal(vb_grammar_mask(x->s, x->n, x->bits, &e), VB_OK);
        const double t = now() - before;
        total += t;
        worst = t > worst ? t : worst;
        assert_int_equal(vb_grammar_accept(x->s, ids[i], &e), VB_OK);
    }
    print_message("  %u tokens, %zu steps: %.3f ms a mask, the slowest %.3f ms\n", x->n, n,
                  total / (double)n, worst);
    let_go(x);
    free(ids);
}

/* One mask that no other state has made before. */
static void time_after(rig *x, const char *constraint, const char *text) {
    vb_error e = {0};
    hold(x, constraint);
    assert_true(vb_grammar_feed(x->s, text, strlen(text)));
    const double before = now();
    assert_int_equal(vb_grammar_mask(x->s, x->n, x->bits, &e), VB_OK);
    const double first = now() - before;
    assert_int_equal(vb_grammar_mask(x->s, x->n, x->bits, &e), VB_OK);
    print_message("  after %s: %.3f ms, again %.3f ms\n", text, first, now() - before - first);
    let_go(x);
}

static void times(void **state) {
    (void)state;
    rig x;
    const double before = now();
    open_name(&x, "qwen2");
    print_message("  index and tokenizer: %.0f ms\n", now() - before);
    time_document(&x, constraints[0], documents[2]);
    time_document(&x, document_schema, documents[1]);
    time_document(&x, document_schema, documents[2]);
    time_document(&x, constraints[1],
                  "{\"name\": \"Somebody of that name\", \"n\": -12.5e3, "
                  "\"other\": \"\\n\", \"tags\": [\"red\", \"green\"]}");
    time_document(&x, constraints[0], "{\"n\": \"\\n\\t\\u0041\"}");
    time_document(&x, constraints[2], "[\"abc\", \"something longer than six\", \"hello there\"]");
    time_after(&x, constraints[0], "");
    time_after(&x, constraints[0], "{\"");
    time_after(&x, constraints[0], "{\"a\":\"\\");
    time_after(&x, constraints[0], "{\"a\":\"\xe4");
    time_after(&x, constraints[1], "{\"");
    time_after(&x, constraints[1], "{\"\xe4");
    time_after(&x, constraints[2], "[[[[\"");
    close_rig(&x);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(demo_model),    cmocka_unit_test(vocabularies),
        cmocka_unit_test(alternatives),  cmocka_unit_test(many_strings),
        cmocka_unit_test(tokenisations), cmocka_unit_test(times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
