/* Published vocabularies against published token ids, and back to text. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "support/testing.h"
#include "tokenizer/tokenizer.h"

static vb_tokenizer *open_vocab(const char *relative) {
    vb_error e;
    vb_gguf *g;
    vb_tokenizer *t;
    if (vb_gguf_open(vb_test_data(relative), &g, &e) != VB_OK) {
        fail_msg("%s", e.msg);
    }
    if (vb_tokenizer_open(g, &t, &e) != VB_OK) {
        fail_msg("%s", e.msg);
    }
    vb_gguf_close(g);
    return t;
}

static void check_round_trip(const vb_tokenizer *t, const char *text, size_t len,
                             const uint32_t *ids, size_t n) {
    vb_error e;
    vb_buf out = vb_buf_make(1u << 20);
    assert_int_equal(vb_tokenizer_decode(t, ids, n, false, true, &out, &e), VB_OK);
    assert_int_equal(out.len, len);
    if (len) {
        assert_memory_equal(out.data, text, len);
    }
    vb_buf_free(&out);
}

/* One line of .out: ids with spaces between. */
static void check_ids(const char *text, size_t len, const char **line, const uint32_t *ids,
                      size_t n) {
    const char *p = *line;
    size_t i = 0;
    while (*p && *p != '\n') {
        char *end;
        unsigned long want = strtoul(p, &end, 10);
        if (end == p) {
            p++;
            continue;
        }
        if (i >= n || ids[i] != want) {
            fail_msg("text \"%.*s\": id %zu is %u, expected %lu", (int)len, text, i,
                     i < n ? ids[i] : 0, want);
        }
        i++;
        p = end;
    }
    assert_int_equal(i, n);
    *line = *p ? p + 1 : p;
}

static void check_vectors(const char *name, const char *kind) {
    static const char separator[] = "\n__ggml_vocab_test__\n";
    char path[256];
    size_t n_texts, n_lines, cases = 0;
    snprintf(path, sizeof path, "vocab/ggml-vocab-%s.gguf", name);
    vb_tokenizer *t = open_vocab(path);
    assert_string_equal(vb_tokenizer_kind_name(t), kind);
    snprintf(path, sizeof path, "vocab/ggml-vocab-%s.gguf.inp", name);
    char *texts = (char *)vb_test_read(vb_test_data(path), &n_texts);
    snprintf(path, sizeof path, "vocab/ggml-vocab-%s.gguf.out", name);
    char *lines = (char *)vb_test_read(vb_test_data(path), &n_lines);
    const char *text = texts, *line = lines, *end;
    while ((end = strstr(text, separator))) {
        vb_error e;
        uint32_t *ids;
        size_t n, len = (size_t)(end - text);
        assert_int_equal(vb_tokenizer_encode(t, text, len, false, false, &ids, &n, &e), VB_OK);
        check_ids(text, len, &line, ids, n);
        check_round_trip(t, text, len, ids, n);
        free(ids);
        text = end + strlen(separator);
        cases++;
    }
    assert_true(cases > 40);
    assert_int_equal(*line, 0);
    free(texts);
    free(lines);
    vb_tokenizer_close(t);
}

static void test_qwen2(void **state) {
    (void)state;
    check_vectors("qwen2", "bpe/qwen2");
}

static void test_llama_bpe(void **state) {
    (void)state;
    check_vectors("llama-bpe", "bpe/llama-bpe");
}

static void test_gpt2(void **state) {
    (void)state;
    check_vectors("gpt-2", "bpe/gpt-2");
}

static void test_deepseek_llm(void **state) {
    (void)state;
    check_vectors("deepseek-llm", "bpe/deepseek-llm");
}

static void test_deepseek_coder(void **state) {
    (void)state;
    check_vectors("deepseek-coder", "bpe/deepseek-coder");
}

static void test_llama_spm(void **state) {
    (void)state;
    check_vectors("llama-spm", "spm");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_qwen2),          cmocka_unit_test(test_llama_bpe),
        cmocka_unit_test(test_gpt2),           cmocka_unit_test(test_deepseek_llm),
        cmocka_unit_test(test_deepseek_coder), cmocka_unit_test(test_llama_spm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
