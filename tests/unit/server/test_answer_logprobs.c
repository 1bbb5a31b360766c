/* The logprobs of a choice, from draws to what chunks show: the demo model's tokens, with logits
 * that the test makes up. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/answering.h"
#include "support/testing.h"

enum { BEYOND = 8 }; /* logits for which the vocabulary has no token */

static vb_gguf *file;
static vb_tokenizer *tokenizer;
static size_t n_vocab;
static float *logits;

static int open_tokenizer(void **state) {
    (void)state;
    const char *path = vb_test_source("models/verbatim-demo/verbatim-demo-q4_k_m.gguf");
    if (vb_gguf_open(path, &file, NULL) || vb_tokenizer_open(file, &tokenizer, NULL)) {
        return -1;
    }
    n_vocab = vb_tokenizer_size(tokenizer) + BEYOND;
    logits = calloc(n_vocab, sizeof *logits);
    return logits ? 0 : -1;
}

static int close_tokenizer(void **state) {
    (void)state;
    free(logits);
    vb_tokenizer_close(tokenizer);
    vb_gguf_close(file);
    return 0;
}

typedef struct world {
    vb_served_model model;
    vb_answering a;
    vb_generation_options options;
    vb_answer_choice choice;
} world;

static world *make_world(size_t n_top) {
    world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->model.o.tokenizer = tokenizer;
    w->a.m = &w->model;
    w->a.options = &w->options;
    w->options.n_vocab = n_vocab;
    assert_int_equal(vb_kernels_select("auto", &w->options.kernels, NULL), VB_OK);
    w->choice.a = &w->a;
    w->choice.logprobs.n_top = n_top;
    return w;
}

static void free_world(world *w) {
    vb_answer_logprobs_free(&w->choice.logprobs);
    free(w);
}

/* The token of these bytes alone. */
static uint32_t token_of(const char *text) {
    uint32_t *ids = NULL;
    size_t n = 0;
    assert_int_equal(
        vb_tokenizer_encode(tokenizer, text, strlen(text), false, false, &ids, &n, NULL), VB_OK);
    assert_true(n >= 1);
    const uint32_t id = ids[0];
    free(ids);
    return id;
}

static void draw(world *w, uint32_t token) {
    assert_int_equal(vb_answer_logprobs_add(&w->choice, token, logits), VB_OK);
}

static void is_token(const vb_api_token *t, const char *bytes, size_t n, size_t offset) {
    assert_int_equal(t->bytes.len, n);
    assert_memory_equal(t->bytes.p, bytes, n);
    assert_int_equal(t->text_offset, offset);
}

/* "€" is three single bytes to this vocabulary's first token of it, or fewer: whatever they are,
 * they begin one character. */
static void offsets_count_characters(void **state) {
    static const char text[] = "a\xe2\x82\xac\xc3\xa4z";
    world *w = make_world(0);
    vb_answer_shown shown;
    uint32_t *ids = NULL;
    size_t n = 0, at = 0;
    (void)state;
    assert_int_equal(
        vb_tokenizer_encode(tokenizer, text, strlen(text), false, false, &ids, &n, NULL), VB_OK);
    assert_true(n > 4); /* characters are cut */
    for (size_t i = 0; i < n; i++) {
        draw(w, ids[i]);
    }
    assert_int_equal(vb_answer_logprobs_take(&w->choice, &shown), VB_OK);
    assert_int_equal(shown.logprobs.n, n);
    for (size_t i = 0; i < n; i++) {
        const vb_api_token *t = &shown.logprobs.p[i];
        size_t characters = 0;
        for (size_t k = 0; k < at; k++) {
            characters += ((unsigned char)text[k] & 0xc0) != 0x80;
        }
        is_token(t, text + at, t->bytes.len, characters);
        at += t->bytes.len;
        assert_int_equal(t->n_top, 0);
    }
    assert_int_equal(at, strlen(text));
    vb_answer_shown_free(&shown);
    free(ids);
    free_world(w);
}

/* Chunk by chunk: what was taken is not shown again, and offsets go on. */
static void chunks_take_what_waits(void **state) {
    const uint32_t a = token_of("a"), z = token_of("z"),
                   end = (uint32_t)vb_tokenizer_eos(tokenizer);
    world *w = make_world(3);
    vb_answer_shown shown;
    (void)state;
    logits[a] = 9;
    logits[end] = 8;
    logits[n_vocab - 1] = 7;
    assert_int_equal(vb_answer_logprobs_take(&w->choice, &shown), VB_OK);
    assert_null(shown.logprobs.p);
    vb_answer_shown_free(&shown);
    draw(w, z);
    draw(w, a);
    assert_int_equal(vb_answer_logprobs_take(&w->choice, &shown), VB_OK);
    assert_int_equal(shown.logprobs.n, 2);
    is_token(&shown.logprobs.p[0], "z", 1, 0);
    is_token(&shown.logprobs.p[1], "a", 1, 1);
    const vb_api_token *top = shown.logprobs.p[0].top;
    assert_int_equal(shown.logprobs.p[0].n_top, 3);
    assert_true(top[0].logprob == shown.logprobs.p[1].logprob);
    assert_true(fabs(top[0].logprob - top[1].logprob - 1) < 1e-6);
    assert_true(fabs(top[0].logprob - top[2].logprob - 2) < 1e-6);
    assert_true(fabs(top[0].logprob - shown.logprobs.p[0].logprob - 9) < 1e-6);
    is_token(&top[0], "a", 1, 0);
    is_token(&top[1], "", 0, 0); /* an end has no text */
    is_token(&top[2], "", 0, 0); /* nor have logits beyond the vocabulary */
    vb_answer_shown_free(&shown);
    draw(w, end);
    draw(w, a);
    assert_int_equal(vb_answer_logprobs_take(&w->choice, &shown), VB_OK);
    assert_int_equal(shown.logprobs.n, 2);
    is_token(&shown.logprobs.p[0], "", 0, 2);
    is_token(&shown.logprobs.p[1], "a", 1, 2);
    vb_answer_shown_free(&shown);
    assert_int_equal(vb_answer_logprobs_take(&w->choice, &shown), VB_OK);
    assert_null(shown.logprobs.p);
    vb_answer_shown_free(&shown);
    logits[a] = logits[end] = logits[n_vocab - 1] = 0;
    free_world(w);
}

static void many_tokens_wait(void **state) {
    enum { N = 1000 };
    const uint32_t a = token_of("a");
    world *w = make_world(VB_API_TOP_LOGPROBS_MAX);
    vb_answer_shown shown;
    (void)state;
    for (size_t i = 0; i < N; i++) {
        logits[a] = (float)i / 100;
        draw(w, a);
    }
    assert_int_equal(vb_answer_logprobs_take(&w->choice, &shown), VB_OK);
    assert_int_equal(shown.logprobs.n, N);
    for (size_t i = 0; i < N; i++) {
        const vb_api_token *t = &shown.logprobs.p[i];
        is_token(t, "a", 1, i);
        assert_true(i < 1 || t->logprob > t[-1].logprob);
        assert_true(i < 1 ||
                    (t->top[0].logprob == t->logprob && t->n_top == VB_API_TOP_LOGPROBS_MAX));
    }
    logits[a] = 0;
    vb_answer_shown_free(&shown);
    free_world(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(offsets_count_characters),
        cmocka_unit_test(chunks_take_what_waits),
        cmocka_unit_test(many_tokens_wait),
    };
    return cmocka_run_group_tests(tests, open_tokenizer, close_tokenizer);
}
