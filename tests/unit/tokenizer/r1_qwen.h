/* DeepSeek-R1-Distill-Qwen's vocabulary in memory: Qwen2's published tokens and merges with
 * the added tokens of the distilled model, typed as converters type them. */
#ifndef VB_TESTS_UNIT_TOKENIZER_R1_QWEN_H
#define VB_TESTS_UNIT_TOKENIZER_R1_QWEN_H

#include <jansson.h>

#include "support/testing.h"
#include "unit/tokenizer/small_vocab.h"

enum { R1_END = 151643, R1_USER, R1_ASSISTANT, R1_BEGIN, R1_EOT, R1_THINK, R1_END_THINK };

static inline bool r1_looks_special(const char *s, size_t len) {
    static const char bar[] = "｜>";
    return (len > 4 && memcmp(s, "<|", 2) == 0 && memcmp(s + len - 2, "|>", 2) == 0) ||
           (len > 8 && memcmp(s, "<｜", 4) == 0 && memcmp(s + len - 4, bar, 4) == 0);
}

static inline vb_tokenizer *r1_open(void) {
    vb_error e;
    vb_gguf *g;
    vb_tokenizer *t;
    json_error_t why;
    assert_int_equal(vb_gguf_open(vb_test_data("vocab/ggml-vocab-qwen2.gguf"), &g, &e), VB_OK);
    json_t *root = json_load_file(vb_test_data("vocab/tokenizer_without_vocab.json"), 0, &why);
    assert_non_null(root);
    json_t *added = json_object_get(root, "added_tokens");
    const vb_gguf_kv *tokens = vb_gguf_find(g, "tokenizer.ggml.tokens");
    const vb_gguf_kv *merges = vb_gguf_find(g, "tokenizer.ggml.merges");
    size_t n_added = json_array_size(added), n = R1_END + n_added;
    vb_str s;
    vocab_builder x = vbb_make();
    vbb_add_str(&x, "tokenizer.ggml.model", "gpt2");
    vbb_add_str(&x, "tokenizer.ggml.pre", "deepseek-r1-qwen");
    vbb_array(&x, "tokenizer.ggml.tokens", VB_GGUF_STRING, n);
    for (size_t i = 0; i < R1_END; i++) {
        assert_true(vb_gguf_item_str(g, tokens, i, &s));
        vbb_string(&x.kvs, s.p, s.len);
    }
    for (size_t i = 0; i < n_added; i++) {
        json_t *one = json_array_get(added, i);
        assert_int_equal(json_integer_value(json_object_get(one, "id")), R1_END + i);
        const char *text = json_string_value(json_object_get(one, "content"));
        vbb_string(&x.kvs, text, strlen(text));
    }
    vbb_array(&x, "tokenizer.ggml.token_type", VB_GGUF_I32, n);
    for (size_t i = 0; i < n; i++) {
        uint32_t kind = VB_TOKEN_NORMAL;
        if (i >= R1_END) {
            json_t *one = json_array_get(added, i - R1_END);
            const char *text = json_string_value(json_object_get(one, "content"));
            bool special = json_is_true(json_object_get(one, "special")) ||
                           r1_looks_special(text, strlen(text));
            kind = special ? VB_TOKEN_CONTROL : VB_TOKEN_USER_DEFINED;
        }
        vbb_u32(&x.kvs, kind);
    }
    vbb_array(&x, "tokenizer.ggml.merges", VB_GGUF_STRING, merges->n_items);
    for (uint64_t i = 0; i < merges->n_items; i++) {
        assert_true(vb_gguf_item_str(g, merges, i, &s));
        vbb_string(&x.kvs, s.p, s.len);
    }
    vbb_add_u32(&x, "tokenizer.ggml.bos_token_id", R1_BEGIN);
    vbb_add_u32(&x, "tokenizer.ggml.eos_token_id", R1_END);
    vbb_add_bool(&x, "tokenizer.ggml.add_bos_token", true);
    vbb_add_bool(&x, "tokenizer.ggml.add_eos_token", false);
    vb_buf file = vbb_finish(&x);
    vb_gguf_close(g);
    json_decref(root);
    if (small_open(&file, &t, &e) != VB_OK) {
        fail_msg("%s", e.msg);
    }
    return t;
}

#endif
