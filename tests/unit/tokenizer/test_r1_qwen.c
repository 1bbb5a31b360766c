/* DeepSeek-R1-Distill-Qwen: Qwen2's words with its own added tokens, NFC and BOS. */
#include <stdlib.h>
#include <string.h>

#include "unit/tokenizer/r1_qwen.h"

static void check_text(const vb_tokenizer *t, const char *text, bool add, bool parse,
                       const uint32_t *want, size_t n_want) {
    vb_error e;
    uint32_t *ids;
    size_t n;
    assert_int_equal(vb_tokenizer_encode(t, text, strlen(text), add, parse, &ids, &n, &e), VB_OK);
    assert_int_equal(n, n_want);
    assert_memory_equal(ids, want, n * sizeof *ids);
    free(ids);
}

static void test_added_tokens(void **state) {
    (void)state;
    vb_tokenizer *t = r1_open();
    assert_string_equal(vb_tokenizer_kind_name(t), "bpe/deepseek-r1-qwen");
    assert_int_equal(vb_tokenizer_bos(t), R1_BEGIN);
    assert_int_equal(vb_tokenizer_eos(t), R1_END);
    assert_true(vb_tokenizer_add_bos(t));
    assert_true(vb_tokenizer_is_eog(t, R1_END));
    assert_false(vb_tokenizer_is_eog(t, R1_BEGIN));
    /* the published Qwen2 vectors have 9707 for "Hello" and 1879 for " world" */
    check_text(t, "Hello world", true, false, (const uint32_t[]){R1_BEGIN, 9707, 1879}, 3);
    check_text(t, "<｜User｜>Hello<｜Assistant｜><think>", true, true,
               (const uint32_t[]){R1_BEGIN, R1_USER, 9707, R1_ASSISTANT, R1_THINK}, 5);
    /* <think> is user-defined: always whole; role markers in text stay text */
    check_text(t, "<think>Hello</think>", false, false,
               (const uint32_t[]){R1_THINK, 9707, R1_END_THINK}, 3);
    vb_error e;
    uint32_t *ids;
    size_t n;
    assert_int_equal(vb_tokenizer_encode(t, "<｜User｜>", 12, false, false, &ids, &n, &e), VB_OK);
    for (size_t i = 0; i < n; i++) {
        assert_true(ids[i] < R1_END);
    }
    free(ids);
    vb_tokenizer_close(t);
}

static void test_nfc(void **state) {
    vb_error e;
    uint32_t *a, *b;
    size_t n_a, n_b;
    (void)state;
    vb_tokenizer *t = r1_open();
    const char composed[] = "Vi\xe1\xbb\x87t caf\xc3\xa9";
    const char apart[] = "Vie\xcc\xa3\xcc\x82t cafe\xcc\x81";
    assert_int_equal(
        vb_tokenizer_encode(t, composed, sizeof composed - 1, false, false, &a, &n_a, &e), VB_OK);
    assert_int_equal(vb_tokenizer_encode(t, apart, sizeof apart - 1, false, false, &b, &n_b, &e),
                     VB_OK);
    assert_int_equal(n_a, n_b);
    assert_memory_equal(a, b, n_a * sizeof *a);
    free(a);
    free(b);
    vb_tokenizer_close(t);
}

/* The words between special tokens are Qwen2's, so Qwen2's vectors hold here too. */
static void test_qwen2_vectors_hold(void **state) {
    static const char separator[] = "\n__ggml_vocab_test__\n";
    vb_error e;
    size_t n_texts, n_lines, cases = 0;
    (void)state;
    vb_tokenizer *t = r1_open();
    char *texts = (char *)vb_test_read(vb_test_data("vocab/ggml-vocab-qwen2.gguf.inp"), &n_texts);
    char *lines = (char *)vb_test_read(vb_test_data("vocab/ggml-vocab-qwen2.gguf.out"), &n_lines);
    char *text = texts, *line = lines, *end;
    while ((end = strstr(text, separator))) {
        uint32_t *ids;
        size_t n;
        assert_int_equal(
            vb_tokenizer_encode(t, text, (size_t)(end - text), false, false, &ids, &n, &e), VB_OK);
        char *stop = strchr(line, '\n');
        assert_non_null(stop);
        *stop = 0;
        for (size_t i = 0; i < n; i++) {
            assert_int_equal(strtoul(line, &line, 10), ids[i]);
        }
        assert_int_equal(strspn(line, " "), strlen(line));
        free(ids);
        line = stop + 1;
        text = end + strlen(separator);
        cases++;
    }
    assert_true(cases > 40);
    free(texts);
    free(lines);
    vb_tokenizer_close(t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_added_tokens),
        cmocka_unit_test(test_nfc),
        cmocka_unit_test(test_qwen2_vectors_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
