/* Streaming decode: never half a character, and the same characters as decoding at once, for
 * any tokens cut anywhere. */
#include <stdlib.h>
#include <string.h>

#include "support/testing.h"
#include "unit/tokenizer/small_vocab.h"

static vb_tokenizer *open_bytes(void) {
    static const char *const merges[] = {"\xc3\xb0 \xc5\x81", "\xc3\xa2 \xc4\xa4", "a b"};
    vb_error e;
    vb_tokenizer *t;
    vb_buf file = small_bpe("gpt-2", merges, 3);
    assert_int_equal(small_open(&file, &t, &e), VB_OK);
    return t;
}

static void check_stream(const vb_tokenizer *t, const uint32_t *ids, size_t n,
                         const char *const *want) {
    vb_error e;
    vb_stream s;
    vb_stream_init(&s, false, false);
    for (size_t i = 0; i <= n; i++) {
        vb_buf out = vb_buf_make(256);
        assert_int_equal(i < n ? vb_stream_push(&s, t, ids[i], &out, &e)
                               : vb_stream_finish(&s, &out, &e),
                         VB_OK);
        assert_int_equal(out.len, strlen(want[i]));
        if (out.len) {
            assert_memory_equal(out.data, want[i], out.len);
        }
        vb_buf_free(&out);
    }
}

#define FFFD "\xef\xbf\xbd"

/* The examples of the Unicode standard, section 3.9, table 3-8 and on. */
static void test_known_sequences(void **state) {
    (void)state;
    vb_tokenizer *t = open_bytes();
    static const uint32_t whole[] = {'x', 0xf0, 0x9f, 0x98, 0x81, 'y'};
    check_stream(t, whole, 6, (const char *const[]){"x", "", "", "", "\xf0\x9f\x98\x81", "y", ""});
    static const uint32_t cut[] = {0xe2, 0x82};
    check_stream(t, cut, 2, (const char *const[]){"", "", FFFD});
    static const uint32_t overlong[] = {0xc0, 0xaf, 0xe0, 0x80, 0xbf, 0xf0, 0x81, 0x82, 0x41};
    check_stream(
        t, overlong, 9,
        (const char *const[]){FFFD, FFFD, "", FFFD FFFD, FFFD, "", FFFD FFFD, FFFD, "A", ""});
    static const uint32_t surrogate[] = {0xed, 0xa0, 0x80, 0xed, 0xbf, 0xbf, 0xed, 0xaf, 0x41};
    check_stream(
        t, surrogate, 9,
        (const char *const[]){"", FFFD FFFD, FFFD, "", FFFD FFFD, FFFD, "", FFFD FFFD, "A", ""});
    static const uint32_t parts[] = {0xe1, 0x80, 0xe2, 0xf0, 0x91, 0x92, 0xf1, 0xbf, 0x41};
    check_stream(t, parts, 9,
                 (const char *const[]){"", "", FFFD, FFFD, "", "", FFFD, "", FFFD "A", ""});
    vb_tokenizer_close(t);
}

static void test_space_is_dropped_once(void **state) {
    static const small_piece pieces[] = {{"\xe2\x96\x81\x61", VB_TOKEN_NORMAL, 0}};
    vb_error e;
    vb_tokenizer *t;
    vb_buf file = small_spm(true, pieces, 1), out = vb_buf_make(64);
    (void)state;
    assert_int_equal(small_open(&file, &t, &e), VB_OK);
    for (int strip = 0; strip < 2; strip++) {
        vb_stream s;
        vb_stream_init(&s, strip != 0, false);
        out.len = 0;
        assert_int_equal(vb_stream_push(&s, t, 1, &out, &e), VB_OK);
        assert_int_equal(vb_stream_push(&s, t, 259, &out, &e), VB_OK);
        assert_int_equal(vb_stream_push(&s, t, 259, &out, &e), VB_OK);
        assert_string_equal((const char *)out.data, strip ? "a a" : " a a");
    }
    vb_buf_free(&out);
    vb_tokenizer_close(t);
}

static void test_failure_leaves_the_stream_as_it_was(void **state) {
    vb_error e;
    vb_stream s;
    vb_buf out = vb_buf_make(3);
    (void)state;
    vb_tokenizer *t = open_bytes();
    vb_stream_init(&s, false, false);
    assert_int_equal(vb_stream_push(&s, t, 0xf0, &out, &e), VB_OK);
    assert_int_equal(vb_stream_push(&s, t, 0x9f, &out, &e), VB_OK);
    assert_int_equal(vb_stream_push(&s, t, 0x98, &out, &e), VB_OK);
    assert_int_equal(vb_stream_push(&s, t, 0x81, &out, &e), VB_ELIMIT);
    assert_int_equal(out.len, 0);
    assert_int_equal(vb_stream_push(&s, t, 99999, &out, &e), VB_EINVAL);
    out.max = 16;
    assert_int_equal(vb_stream_push(&s, t, 0x81, &out, &e), VB_OK);
    assert_int_equal(out.len, 4);
    vb_buf_free(&out);
    vb_tokenizer_close(t);
}

/* Any cut of the tokens into two streams-of-calls is the same stream, so it is enough that
 * every prefix shows only whole characters and the end equals decode-then-sanitise, where
 * sanitising is a second stream fed single bytes. */
static void test_random_tokens(void **state) {
    uint64_t seed = 11;
    (void)state;
    vb_tokenizer *t = open_bytes();
    for (int round = 0; round < 2000; round++) {
        vb_error e;
        vb_stream a, b;
        uint32_t ids[24];
        size_t n = vb_test_random(&seed) % 24;
        vb_buf all = vb_buf_make(4096), got = vb_buf_make(4096), want = vb_buf_make(4096);
        vb_stream_init(&a, true, false);
        vb_stream_init(&b, true, false);
        for (size_t i = 0; i < n; i++) {
            uint64_t r = vb_test_random(&seed);
            ids[i] = r % 3 ? 0x80 + (uint32_t)(r >> 8) % 0x80 : (uint32_t)(r >> 8) % 265;
            assert_int_equal(vb_stream_push(&a, t, ids[i], &got, &e), VB_OK);
        }
        assert_int_equal(vb_stream_finish(&a, &got, &e), VB_OK);
        assert_int_equal(vb_tokenizer_decode(t, ids, n, false, true, &all, &e), VB_OK);
        for (size_t i = 0; i < all.len; i++) {
            assert_int_equal(vb_stream_push(&b, t, all.data[i], &want, &e), VB_OK);
        }
        assert_int_equal(vb_stream_finish(&b, &want, &e), VB_OK);
        assert_int_equal(got.len, want.len);
        assert_true(!got.len || memcmp(got.data, want.data, got.len) == 0);
        vb_buf_free(&all);
        vb_buf_free(&got);
        vb_buf_free(&want);
    }
    vb_tokenizer_close(t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_sequences),
        cmocka_unit_test(test_space_is_dropped_once),
        cmocka_unit_test(test_failure_leaves_the_stream_as_it_was),
        cmocka_unit_test(test_random_tokens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
