/* Memory runs out at each allocation in turn: opening, encoding and decoding then fail with
 * VB_ENOMEM and leave nothing behind (the sanitized build sees leaks). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/testing.h"
#include "unit/tokenizer/small_vocab.h"

static long allocs_left = -1; /* -1: never refuse */

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);

static bool refuse(void) {
    if (allocs_left > 0) {
        allocs_left--;
    }
    return allocs_left == 0;
}

void *__wrap_malloc(size_t n) {
    return refuse() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size) {
    return refuse() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n) {
    return refuse() ? NULL : __real_realloc(p, n);
}

enum { ROUNDS_MAX = 2000 };

/* How many allocations had to be granted until opening worked. */
static long open_with_faults(const vb_gguf *g) {
    for (long n = 1; n < ROUNDS_MAX; n++) {
        vb_error e = {0};
        vb_tokenizer *t = NULL;
        allocs_left = n;
        vb_err err = vb_tokenizer_open(g, &t, &e);
        allocs_left = -1;
        if (err == VB_OK) {
            vb_tokenizer_close(t);
            return n;
        }
        assert_int_equal(err, VB_ENOMEM);
        assert_null(t);
        assert_true(strlen(e.msg) > 0);
    }
    return ROUNDS_MAX;
}

static long encode_with_faults(const vb_tokenizer *t, const char *text, size_t len) {
    for (long n = 1; n < ROUNDS_MAX; n++) {
        vb_error e = {0};
        uint32_t *ids = NULL;
        size_t n_ids = 99;
        allocs_left = n;
        vb_err err = vb_tokenizer_encode(t, text, len, true, true, &ids, &n_ids, &e);
        allocs_left = -1;
        if (err == VB_OK) {
            free(ids);
            return n;
        }
        assert_int_equal(err, VB_ENOMEM);
        assert_null(ids);
        assert_int_equal(n_ids, 99);
    }
    return ROUNDS_MAX;
}

static void check(vb_buf file) {
    static const char text[] = "ab ab 12 <|im_end|> q\xcc\x81\xcc\xa3 \xff ababababab";
    vb_error e;
    vb_gguf *g;
    vb_tokenizer *t;
    assert_int_equal(vb_gguf_open_bytes(file.data, file.len, "test.gguf", &g, &e), VB_OK);
    long opens = open_with_faults(g);
    assert_true(opens > 8 && opens < ROUNDS_MAX);
    assert_int_equal(vb_tokenizer_open(g, &t, &e), VB_OK);
    vb_gguf_close(g);
    vb_buf_free(&file);
    long encodes = encode_with_faults(t, text, sizeof text - 1);
    assert_true(encodes > 3 && encodes < ROUNDS_MAX);
    const uint32_t ids[] = {'a', 'b'};
    vb_buf out = vb_buf_make(64);
    allocs_left = 1;
    vb_err err = vb_tokenizer_decode(t, ids, 2, false, false, &out, &e);
    allocs_left = -1;
    assert_int_equal(err, VB_ENOMEM);
    assert_int_equal(out.len, 0);
    vb_buf_free(&out);
    vb_tokenizer_close(t);
}

static void test_bpe(void **state) {
    static const char *const merges[] = {"a b", "ab ab"};
    (void)state;
    check(small_bpe("qwen2", merges, 2));
    check(small_bpe("llama-bpe", merges, 2));
}

static void test_spm(void **state) {
    static const small_piece pieces[] = {{"a", VB_TOKEN_NORMAL, 0}, {"b", VB_TOKEN_NORMAL, 0}};
    (void)state;
    check(small_spm(true, pieces, 2));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bpe),
        cmocka_unit_test(test_spm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
