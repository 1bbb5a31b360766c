/* Vocabularies that are wrong: each is refused with a message that names the field, or loaded
 * and harmless. The published crashes of other loaders are among them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/testing.h"
#include "unit/tokenizer/small_vocab.h"

static const char *const abc[] = {"a", "b", "ab", "<s>"};
static const int32_t abc_kinds[] = {1, 1, 1, 3};
static const float abc_scores[] = {0, -1, -2, 0};

/* A vocabulary that loads; a test adds or replaces one thing. */
typedef struct parts {
    const char *model, *pre;
    bool tokens, kinds, scores, merges;
} parts;

static vocab_builder begin(parts x) {
    vocab_builder b = vbb_make();
    if (x.model) {
        vbb_add_str(&b, "tokenizer.ggml.model", x.model);
    }
    if (x.pre) {
        vbb_add_str(&b, "tokenizer.ggml.pre", x.pre);
    }
    if (x.tokens) {
        vbb_add_strs(&b, "tokenizer.ggml.tokens", abc, 4);
    }
    if (x.kinds) {
        vbb_add_i32s(&b, "tokenizer.ggml.token_type", abc_kinds, 4);
    }
    if (x.scores) {
        vbb_add_f32s(&b, "tokenizer.ggml.scores", abc_scores, 4);
    }
    if (x.merges) {
        vbb_add_strs(&b, "tokenizer.ggml.merges", (const char *const[]){"a b"}, 1);
    }
    return b;
}

static const parts good_bpe = {"gpt2", "gpt-2", true, true, false, true};
static const parts good_spm = {"llama", NULL, true, true, true, false};

static void check_refused(vocab_builder *b, vb_err want, const char *words) {
    vb_error e = {0};
    vb_tokenizer *t = NULL;
    vb_buf file = vbb_finish(b);
    vb_err err = small_open(&file, &t, &e);
    if (err != want || !strstr(e.msg, words)) {
        fail_msg("error %s \"%s\": expected %s and \"%s\"", vb_err_name(err), e.msg,
                 vb_err_name(want), words);
    }
    assert_null(t);
}

static vb_tokenizer *check_opens(vocab_builder *b) {
    vb_error e;
    vb_tokenizer *t;
    vb_buf file = vbb_finish(b);
    if (small_open(&file, &t, &e) != VB_OK) {
        fail_msg("%s", e.msg);
    }
    return t;
}

static void test_the_good_ones_open(void **state) {
    (void)state;
    vocab_builder b = begin(good_bpe), c = begin(good_spm);
    vb_tokenizer_close(check_opens(&b));
    vb_tokenizer_close(check_opens(&c));
}

static void test_model_and_pre(void **state) {
    (void)state;
    parts x = good_bpe;
    x.model = NULL;
    vocab_builder b = begin(x);
    check_refused(&b, VB_EFORMAT, "tokenizer.ggml.model");
    x.model = "bert";
    b = begin(x);
    check_refused(&b, VB_EUNSUPPORTED, "expected gpt2 or llama");
    x = good_bpe;
    x.pre = "qwen9";
    b = begin(x);
    check_refused(&b, VB_EUNSUPPORTED, "\"qwen9\": expected one of qwen2");
    x.pre = NULL;
    b = begin(x);
    vbb_add_u32(&b, "tokenizer.ggml.pre", 3);
    check_refused(&b, VB_EFORMAT, "tokenizer.ggml.pre");
}

static void test_tokens(void **state) {
    (void)state;
    parts x = good_bpe;
    x.tokens = false;
    vocab_builder b = begin(x);
    check_refused(&b, VB_EFORMAT, "tokenizer.ggml.tokens: expected an array of strings");
    b = begin(x);
    vbb_add_strs(&b, "tokenizer.ggml.tokens", NULL, 0);
    check_refused(&b, VB_EFORMAT, "tokenizer.ggml.tokens");
    b = begin(x);
    vbb_add_u8s(&b, "tokenizer.ggml.tokens", 'a', 4);
    check_refused(&b, VB_EFORMAT, "tokenizer.ggml.tokens");
    x = (parts){"gpt2", "gpt-2", false, false, false, false};
    b = begin(x);
    char *big = calloc(1, VB_TOKEN_BYTES_MAX + 2);
    assert_non_null(big);
    memset(big, 'x', VB_TOKEN_BYTES_MAX + 1);
    vbb_add_strs(&b, "tokenizer.ggml.tokens", (const char *const[]){"a", big}, 2);
    check_refused(&b, VB_ELIMIT, "tokenizer.ggml.tokens[1]");
    big[VB_SPECIAL_TOKEN_BYTES_MAX + 1] = 0;
    b = begin(x);
    vbb_add_strs(&b, "tokenizer.ggml.tokens", (const char *const[]){"a", big}, 2);
    vbb_add_i32s(&b, "tokenizer.ggml.token_type", (const int32_t[]){1, 4}, 2);
    check_refused(&b, VB_ELIMIT, "special token 1");
    free(big);
}

static void test_token_types(void **state) {
    (void)state;
    parts x = good_bpe;
    x.kinds = false;
    vocab_builder b = begin(x);
    vbb_add_u8s(&b, "tokenizer.ggml.token_type", 1, 4); /* narrower, but well-formed */
    vb_tokenizer *t = check_opens(&b);
    assert_int_equal(vb_tokenizer_token_kind(t, 3), VB_TOKEN_NORMAL);
    vb_tokenizer_close(t);
    b = begin(x);
    vb_tokenizer_close(check_opens(&b)); /* absent: all are normal */
    b = begin(x);
    vbb_add_u8s(&b, "tokenizer.ggml.token_type", 1, 3);
    check_refused(&b, VB_EFORMAT, "tokenizer.ggml.token_type: expected an array of 4");
    b = begin(x);
    vbb_add_i32s(&b, "tokenizer.ggml.token_type", (const int32_t[]){1, 1, -1, 1}, 4);
    check_refused(&b, VB_EFORMAT, "tokenizer.ggml.token_type[2]");
    b = begin(x);
    vbb_add_f32s(&b, "tokenizer.ggml.token_type", abc_scores, 4);
    check_refused(&b, VB_EFORMAT, "tokenizer.ggml.token_type[0]");
    b = begin(x);
    vbb_add_u32(&b, "tokenizer.ggml.token_type", 1);
    check_refused(&b, VB_EFORMAT, "tokenizer.ggml.token_type");
}

static void test_scores(void **state) {
    (void)state;
    parts x = good_spm;
    x.scores = false;
    vocab_builder b = begin(x);
    vbb_add_u8s(&b, "tokenizer.ggml.scores", 1, 4);
    check_refused(&b, VB_EFORMAT, "tokenizer.ggml.scores: expected an array of float32");
    b = begin(x);
    vbb_add_f32s(&b, "tokenizer.ggml.scores", abc_scores, 3);
    check_refused(&b, VB_EFORMAT, "tokenizer.ggml.scores has 3 items, expected 4");
    b = begin(x);
    vbb_add_f32s(&b, "tokenizer.ggml.scores", (const float[]){0, 0, 0.0f / 0.0f, 0}, 4);
    check_refused(&b, VB_EFORMAT, "tokenizer.ggml.scores[2]");
    b = begin(x);
    vb_tokenizer_close(check_opens(&b));
}

static void test_merges(void **state) {
    static const char *const bad[][2] = {
        {"a c", "right side"}, {"c a", "left side"}, {"b a", "result"},  {"ab", "no space"},
        {"", "no space"},      {" a", "no space"},   {"a ", "no space"}, {"a  b", "right side"}};
    (void)state;
    parts x = good_bpe;
    x.merges = false;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        vocab_builder b = begin(x);
        vbb_add_strs(&b, "tokenizer.ggml.merges", (const char *const[]){"a b", bad[i][0]}, 2);
        check_refused(&b, VB_EFORMAT, bad[i][1]);
    }
    vocab_builder b = begin(x);
    check_refused(&b, VB_EFORMAT, "tokenizer.ggml.merges");
    b = begin(x);
    vbb_add_u8s(&b, "tokenizer.ggml.merges", 1, 4);
    check_refused(&b, VB_EFORMAT, "tokenizer.ggml.merges");
    b = begin(x); /* the same merge twice: the first counts */
    vbb_add_strs(&b, "tokenizer.ggml.merges", (const char *const[]){"a b", "a b"}, 2);
    vb_tokenizer_close(check_opens(&b));
}

static void test_special_ids(void **state) {
    static const char *const keys[] = {"tokenizer.ggml.bos_token_id", "tokenizer.ggml.eos_token_id",
                                       "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id",
                                       "tokenizer.ggml.unknown_token_id"};
    (void)state;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        vocab_builder b = begin(good_bpe);
        vbb_add_u32(&b, keys[i], 4);
        check_refused(&b, VB_EFORMAT, keys[i]);
        b = begin(good_bpe);
        vbb_add_i32(&b, keys[i], -5);
        check_refused(&b, VB_EFORMAT, keys[i]);
        b = begin(good_bpe);
        vbb_add_str(&b, keys[i], "1");
        check_refused(&b, VB_EFORMAT, keys[i]);
        b = begin(good_bpe);
        vbb_add_u32(&b, keys[i], UINT32_MAX); /* what converters write for "none" */
        vb_tokenizer *t = check_opens(&b);
        assert_int_equal(vb_tokenizer_bos(t), VB_TOKEN_NONE);
        assert_int_equal(vb_tokenizer_eos(t), VB_TOKEN_NONE);
        vb_tokenizer_close(t);
    }
    vocab_builder b = begin(good_bpe);
    vbb_add_u32(&b, keys[2], 3);
    vb_tokenizer *t = check_opens(&b);
    assert_true(vb_tokenizer_is_eog(t, 3));
    vb_tokenizer_close(t);
    b = begin(good_bpe);
    vbb_add_str(&b, "tokenizer.ggml.add_bos_token", "yes");
    check_refused(&b, VB_EFORMAT, "tokenizer.ggml.add_bos_token");
}

/* Byte tokens that are none, empty tokens, one text twice, markers disguised as words. */
static void test_odd_tokens(void **state) {
    static const char *const texts[] = {"<unk>",   "<s>",        "</s>",   "<0x-1>", "<0x4g>",
                                        "<0x041>", "<0x41>",     "",       "",       "a",
                                        "a",       "<|im_end|>", "<0xff>", "<0xFF>"};
    static const int32_t kinds[] = {2, 3, 3, 6, 6, 6, 6, 1, 4, 1, 1, 1, 6, 1};
    vb_error e;
    uint32_t *ids;
    size_t n;
    (void)state;
    vocab_builder b = vbb_make();
    vbb_add_str(&b, "tokenizer.ggml.model", "llama");
    vbb_add_strs(&b, "tokenizer.ggml.tokens", texts, 14);
    vbb_add_i32s(&b, "tokenizer.ggml.token_type", kinds, 14);
    vbb_add_bool(&b, "tokenizer.ggml.add_space_prefix", false);
    vb_tokenizer *t = check_opens(&b);
    assert_int_equal(vb_tokenizer_encode(t, "Aa\xff<|im_end|>", 13, false, false, &ids, &n, &e),
                     VB_OK);
    assert_int_equal(ids[0], 6);
    assert_int_equal(ids[1], 10);
    assert_int_equal(ids[2], 0); /* <0xff> and a normal <0xFF> are no byte token */
    assert_int_equal(n, 13);     /* the marker is ten unknown characters */
    free(ids);
    assert_int_equal(vb_tokenizer_token_kind(t, 11), VB_TOKEN_CONTROL);
    assert_true(vb_tokenizer_is_eog(t, 11));
    vb_buf out = vb_buf_make(256);
    const uint32_t all[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13};
    assert_int_equal(vb_tokenizer_decode(t, all, 14, false, true, &out, &e), VB_OK);
    assert_string_equal((const char *)out.data, "Aaa<0xFF>");
    vb_buf_free(&out);
    vb_tokenizer_close(t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_good_ones_open),
        cmocka_unit_test(test_model_and_pre),
        cmocka_unit_test(test_tokens),
        cmocka_unit_test(test_token_types),
        cmocka_unit_test(test_scores),
        cmocka_unit_test(test_merges),
        cmocka_unit_test(test_special_ids),
        cmocka_unit_test(test_odd_tokens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
