/* Encoding and decoding with vocabularies made here: merges, special tokens, bytes that are
 * no UTF-8, normalisation, the edges of both kinds of tokenizer, and time on bad text. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "support/testing.h"
#include "unit/tokenizer/small_vocab.h"

static vb_tokenizer *open_or_fail(vb_buf file) {
    vb_error e;
    vb_tokenizer *t;
    if (small_open(&file, &t, &e) != VB_OK) {
        fail_msg("%s", e.msg);
    }
    return t;
}

static void check_ids(const vb_tokenizer *t, const char *text, size_t len, bool add_special,
                      bool parse_special, const uint32_t *want, size_t n_want) {
    vb_error e;
    uint32_t *ids;
    size_t n;
    if (vb_tokenizer_encode(t, text, len, add_special, parse_special, &ids, &n, &e) != VB_OK) {
        fail_msg("%s", e.msg);
    }
    if (n != n_want || (n && memcmp(ids, want, n * sizeof *ids) != 0)) {
        for (size_t i = 0; i < n; i++) {
            printf("%u ", ids[i]);
        }
        fail_msg("\"%.*s\" gives %zu ids, expected %zu others", (int)len, text, n, n_want);
    }
    free(ids);
}

#define CHECK_IDS(t, text, add_special, parse_special, ...)                                        \
    do {                                                                                           \
        const uint32_t want_[] = {__VA_ARGS__};                                                    \
        check_ids(t, text, strlen(text), add_special, parse_special, want_,                        \
                  sizeof want_ / sizeof *want_);                                                   \
    } while (0)

static void check_decode(const vb_tokenizer *t, const uint32_t *ids, size_t n, bool print_special,
                         bool strip, const char *want) {
    vb_error e;
    vb_buf out = vb_buf_make(4096);
    assert_int_equal(vb_tokenizer_decode(t, ids, n, print_special, strip, &out, &e), VB_OK);
    assert_int_equal(out.len, strlen(want));
    if (out.len) {
        assert_memory_equal(out.data, want, out.len);
    }
    vb_buf_free(&out);
}

static void check_round_trip(const vb_tokenizer *t, const char *text, size_t len) {
    vb_error e;
    uint32_t *ids;
    size_t n;
    vb_buf out = vb_buf_make(1u << 27);
    assert_int_equal(vb_tokenizer_encode(t, text, len, false, false, &ids, &n, &e), VB_OK);
    assert_int_equal(vb_tokenizer_decode(t, ids, n, false, true, &out, &e), VB_OK);
    assert_int_equal(out.len, len);
    if (len) {
        assert_memory_equal(out.data, text, len);
    }
    vb_buf_free(&out);
    free(ids);
}

static void test_merges_lowest_rank_then_leftmost(void **state) {
    static const char *const merges[] = {"b c", "a b", "a a", "aa a", "bc d"};
    enum { BC = SMALL_FIRST_MERGE, AB, AA, AAA, BCD };
    (void)state;
    vb_tokenizer *t = open_or_fail(small_bpe("gpt-2", merges, 5));
    CHECK_IDS(t, "abc", false, false, 'a', BC);
    CHECK_IDS(t, "ab", false, false, AB);
    CHECK_IDS(t, "aaa", false, false, AAA);
    CHECK_IDS(t, "aaaa", false, false, AA, AA);
    CHECK_IDS(t, "aaaaa", false, false, AA, AAA);
    CHECK_IDS(t, "abcd", false, false, 'a', BCD);
    check_ids(t, "", 0, false, false, NULL, 0);
    vb_tokenizer_close(t);
}

/* The definition, as slowly as it reads: merge the lowest rank, the leftmost of equals. */
static size_t merge_naively(const char *const *merges, size_t n_merges, const char *text,
                            char words[][64], size_t n) {
    for (size_t i = 0; i < n; i++) {
        snprintf(words[i], 64, "%c", text[i]);
    }
    for (;;) {
        size_t best = n_merges, at = 0;
        for (size_t i = 0; i + 1 < n; i++) {
            char pair[160];
            snprintf(pair, sizeof pair, "%s %s", words[i], words[i + 1]);
            for (size_t m = 0; m < best; m++) {
                if (strcmp(merges[m], pair) == 0) {
                    best = m;
                    at = i;
                }
            }
        }
        if (best == n_merges) {
            return n;
        }
        memcpy(words[at] + strlen(words[at]), words[at + 1], strlen(words[at + 1]) + 1);
        for (size_t i = at + 1; i + 1 < n; i++) {
            memcpy(words[i], words[i + 1], 64);
        }
        n--;
    }
}

static bool known_result(char merges[][40], size_t n, const char *left, const char *right) {
    for (size_t i = 0; i < n; i++) {
        char joined[40];
        size_t k = 0;
        for (const char *p = merges[i]; *p; p++) {
            if (*p != ' ') {
                joined[k++] = *p;
            }
        }
        joined[k] = 0;
        if (strlen(left) + strlen(right) == k && strncmp(joined, left, strlen(left)) == 0 &&
            strcmp(joined + strlen(left), right) == 0) {
            return true;
        }
    }
    return false;
}

/* Merges of random known pieces; no text twice, so that ids are unique. */
static size_t random_merges(uint64_t *seed, char merges[][40], size_t max) {
    char pieces[64][20];
    size_t n_pieces = 0, n = 0;
    for (; n_pieces < 3; n_pieces++) {
        snprintf(pieces[n_pieces], 20, "%c", (char)('a' + n_pieces));
    }
    for (size_t tries = 0; tries < 200 && n < max; tries++) {
        const char *left = pieces[vb_test_random(seed) % n_pieces];
        const char *right = pieces[vb_test_random(seed) % n_pieces];
        if (strlen(left) + strlen(right) > 12 || known_result(merges, n, left, right)) {
            continue;
        }
        snprintf(merges[n++], 40, "%s %s", left, right);
        char joined[32];
        snprintf(joined, sizeof joined, "%.12s%.12s", left, right);
        memcpy(pieces[n_pieces++], joined, 13);
    }
    return n;
}

static void test_heap_agrees_with_the_definition(void **state) {
    uint64_t seed = 7;
    (void)state;
    for (int round = 0; round < 40; round++) {
        static char merges[40][40];
        const char *list[40];
        size_t n_merges = random_merges(&seed, merges, 40);
        for (size_t i = 0; i < n_merges; i++) {
            list[i] = merges[i];
        }
        vb_tokenizer *t = open_or_fail(small_bpe("gpt-2", list, n_merges));
        for (int k = 0; k < 30; k++) {
            static char words[40][64];
            char text[40];
            uint32_t want[40];
            size_t n = 1 + vb_test_random(&seed) % 39;
            for (size_t i = 0; i < n; i++) {
                text[i] = (char)('a' + vb_test_random(&seed) % 3);
            }
            size_t n_want = merge_naively(list, n_merges, text, words, n);
            for (size_t i = 0; i < n_want; i++) {
                want[i] = (uint32_t)vb_tokenizer_find(t, words[i], strlen(words[i]));
            }
            check_ids(t, text, n, false, false, want, n_want);
        }
        vb_tokenizer_close(t);
    }
}

static void test_special_tokens(void **state) {
    static const char *const merges[] = {"o o"};
    (void)state;
    vb_tokenizer *t = open_or_fail(small_bpe("gpt-2", merges, 1));
    CHECK_IDS(t, "a<|im_end|>", false, true, 'a', SMALL_IM_END);
    CHECK_IDS(t, "<|im_end|>", false, false, '<', '|', 'i', 'm', '_', 'e', 'n', 'd', '|', '>');
    CHECK_IDS(t, "<tool>", false, false, SMALL_TOOL);
    CHECK_IDS(t, "<tool><x>", false, false, SMALL_TOOL_LONG);
    CHECK_IDS(t, "<tool><tool><x", false, false, SMALL_TOOL, SMALL_TOOL, '<', 'x');
    CHECK_IDS(t, "<tool", false, true, '<', 't', SMALL_FIRST_MERGE, 'l');
    CHECK_IDS(t, "[CTRL]<tool>", false, true, SMALL_CONTROL, SMALL_TOOL);
    assert_int_equal(vb_tokenizer_bos(t), SMALL_END_OF_TEXT);
    assert_int_equal(vb_tokenizer_eos(t), SMALL_IM_END);
    assert_true(vb_tokenizer_is_eog(t, SMALL_IM_END));
    assert_true(vb_tokenizer_is_eog(t, SMALL_END_OF_TEXT));
    assert_false(vb_tokenizer_is_eog(t, SMALL_CONTROL));
    assert_false(vb_tokenizer_is_eog(t, UINT32_MAX));
    assert_int_equal(vb_tokenizer_token_kind(t, SMALL_TOOL), VB_TOKEN_USER_DEFINED);
    const uint32_t ids[] = {SMALL_IM_START, 'h', SMALL_TOOL, SMALL_IM_END};
    check_decode(t, ids, 4, false, false, "h<tool>");
    check_decode(t, ids, 4, true, false, "<|im_start|>h<tool><|im_end|>");
    vb_tokenizer_close(t);
}

static void test_bos_and_eos_as_the_model_asks(void **state) {
    static const char *const tokens[] = {"a", "<s>", "</s>"};
    static const int32_t kinds[] = {1, 3, 3};
    (void)state;
    vocab_builder x = vbb_make();
    vbb_add_str(&x, "tokenizer.ggml.model", "gpt2");
    vbb_add_strs(&x, "tokenizer.ggml.tokens", tokens, 3);
    vbb_add_i32s(&x, "tokenizer.ggml.token_type", kinds, 3);
    vbb_add_strs(&x, "tokenizer.ggml.merges", NULL, 0);
    vbb_add_u32(&x, "tokenizer.ggml.bos_token_id", 1);
    vbb_add_u32(&x, "tokenizer.ggml.eos_token_id", 2);
    vbb_add_bool(&x, "tokenizer.ggml.add_bos_token", true);
    vbb_add_bool(&x, "tokenizer.ggml.add_eos_token", true);
    vb_tokenizer *t = open_or_fail(vbb_finish(&x));
    assert_string_equal(vb_tokenizer_kind_name(t), "bpe/default");
    CHECK_IDS(t, "a", true, false, 1, 0, 2);
    CHECK_IDS(t, "a", false, false, 0);
    CHECK_IDS(t, "", true, false, 1, 2);
    /* a byte without a token, and no unknown token: left out */
    CHECK_IDS(t, "ab", false, false, 0);
    vb_tokenizer_close(t);
}

static void test_any_bytes_come_back(void **state) {
    static const char *const merges[] = {"a b", "\xc4\xa0 a", "\xc3\x83 \xc2\xa9"};
    static const char *const pres[] = {"gpt-2",          "llama-bpe",    "smollm",  "default",
                                       "deepseek-coder", "deepseek-llm", "llama-v3"};
    uint64_t seed = 3;
    (void)state;
    for (size_t p = 0; p < sizeof pres / sizeof *pres; p++) {
        vb_tokenizer *t = open_or_fail(small_bpe(pres[p], merges, 3));
        for (int k = 0; k < 400; k++) {
            static const char *const parts[] = {
                "ab", " a",          "\xc3\xa9",         "\xff", "\xed\xa0\x80", "\r\n",
                "  ", "12",          "\xf0\x9f\x98\x81", "'s",   "\xe2\x96\x81", "\xc3",
                "!",  "\xe1\xa0\x8e"};
            char text[128];
            size_t len = 0;
            for (size_t i = vb_test_random(&seed) % 20; i > 0; i--) {
                const char *part = parts[vb_test_random(&seed) % 14];
                memcpy(text + len, part, strlen(part));
                len += strlen(part);
            }
            check_round_trip(t, text, len);
        }
        vb_tokenizer_close(t);
    }
}

static void test_invalid_bytes_do_not_join_words(void **state) {
    static const char *const merges[] = {"\xc3\xbf \xc3\xbf", "a b"};
    (void)state;
    vb_tokenizer *t = open_or_fail(small_bpe("gpt-2", merges, 2));
    CHECK_IDS(t,
              "ab\xff\xff"
              "ab",
              false, false, SMALL_FIRST_MERGE + 1, 255, 255, SMALL_FIRST_MERGE + 1);
    check_ids(t, "a\0b", 3, false, false, (const uint32_t[]){'a', 0, 'b'}, 3);
    vb_tokenizer_close(t);
}

/* e + U+0301 is composed where the published tokenizer does so, and kept elsewhere. */
static void test_nfc_only_where_asked(void **state) {
    (void)state;
    vb_tokenizer *qwen = open_or_fail(small_bpe("qwen2", NULL, 0));
    vb_tokenizer *gpt2 = open_or_fail(small_bpe("gpt-2", NULL, 0));
    CHECK_IDS(qwen, "e\xcc\x81", false, false, 0xc3, 0xa9);
    CHECK_IDS(gpt2, "e\xcc\x81", false, false, 'e', 0xcc, 0x81);
    /* marks in the wrong order: U+0323 (220) goes before U+0301 (230) */
    CHECK_IDS(qwen, "q\xcc\x81\xcc\xa3", false, false, 'q', 0xcc, 0xa3, 0xcc, 0x81);
    /* Hangul, a singleton, an excluded composition, and text that stays */
    CHECK_IDS(qwen, "\xe1\x84\x80\xe1\x85\xa1\xe1\x86\xa8", false, false, 0xea, 0xb0, 0x81);
    CHECK_IDS(qwen, "\xe2\x84\xab", false, false, 0xc3, 0x85);
    CHECK_IDS(qwen, "\xe0\xa5\x98", false, false, 0xe0, 0xa4, 0x95, 0xe0, 0xa4, 0xbc);
    CHECK_IDS(qwen, "e\xff\xcc\x81", false, false, 'e', 0xff, 0xcc, 0x81);
    vb_tokenizer_close(qwen);
    vb_tokenizer_close(gpt2);
}

static void test_ignore_merges(void **state) {
    static const char *const merges[] = {"b c", "a b", "ab c"};
    enum { BC = SMALL_FIRST_MERGE, AB, ABC };
    (void)state;
    vb_tokenizer *llama3 = open_or_fail(small_bpe("llama-bpe", merges, 3));
    vb_tokenizer *gpt2 = open_or_fail(small_bpe("gpt-2", merges, 3));
    CHECK_IDS(gpt2, "abc", false, false, 'a', BC);
    CHECK_IDS(llama3, "abc", false, false, ABC);
    CHECK_IDS(llama3, "abc", true, false, SMALL_END_OF_TEXT, ABC);
    vb_tokenizer_close(llama3);
    vb_tokenizer_close(gpt2);
}

static void test_spm(void **state) {
    static const small_piece pieces[] = {
        {"\xe2\x96\x81", VB_TOKEN_NORMAL, -1},
        {"a", VB_TOKEN_NORMAL, -2},
        {"b", VB_TOKEN_NORMAL, -3},
        {"ab", VB_TOKEN_NORMAL, -9},
        {"\xe2\x96\x81\x61", VB_TOKEN_NORMAL, -5},
        {"<s", VB_TOKEN_NORMAL, -1},
        {"<", VB_TOKEN_NORMAL, -1},
        {"s", VB_TOKEN_NORMAL, -1},
        {">", VB_TOKEN_NORMAL, -1},
        {"[u]", VB_TOKEN_USER_DEFINED, 0},
    };
    enum { SP = 259, A, B, AB, SP_A, LT_S, LT, S, GT, USER };
    (void)state;
    vb_tokenizer *t = open_or_fail(small_spm(true, pieces, 10));
    assert_string_equal(vb_tokenizer_kind_name(t), "spm");
    CHECK_IDS(t, "ab", false, false, SP_A, B);
    CHECK_IDS(t, "ab", true, false, 1, SP_A, B);
    CHECK_IDS(t, "bab", false, false, SP, B, AB);
    CHECK_IDS(t, " ", false, false, SP, SP);
    CHECK_IDS(t, "\xc3\xa9", false, false, SP, 3 + 0xc3, 3 + 0xa9);
    CHECK_IDS(t, "\xff", false, false, SP, 3 + 0xff);
    /* the text of a control or byte token is text */
    CHECK_IDS(t, "<s>", false, false, SP, LT_S, GT);
    CHECK_IDS(t, "<s>a", false, true, 1, SP_A);
    CHECK_IDS(t, "a[u]b", false, false, SP_A, USER, SP, B);
    const uint32_t ids[] = {1, SP_A, B, SP, SP, USER, 3 + 0xc3, 3 + 0xa9, 2};
    check_decode(t, ids, 9, false, true, "ab  [u]\xc3\xa9");
    check_decode(t, ids, 9, false, false, " ab  [u]\xc3\xa9");
    check_decode(t, ids, 9, true, true, "<s>ab  [u]\xc3\xa9</s>");
    check_round_trip(t, " ab  a\xff\xe2\x96", 9);
    vb_tokenizer_close(t);
}

/* A published crash of another engine: a vocabulary that has no byte tokens. */
static void test_spm_without_byte_tokens(void **state) {
    static const small_piece pieces[] = {{"\xe2\x96\x81", VB_TOKEN_NORMAL, 0},
                                         {"a", VB_TOKEN_NORMAL, 0}};
    (void)state;
    vb_tokenizer *t = open_or_fail(small_spm(false, pieces, 2));
    CHECK_IDS(t,
              "a\xc3\xa9\xff"
              "a",
              false, false, 3, 4, 0, 0, 4);
    vb_tokenizer_close(t);
}

static double seconds_to_encode(const vb_tokenizer *t, const char *text, size_t len) {
    vb_error e;
    uint32_t *ids;
    size_t n;
    clock_t begin = clock();
    assert_int_equal(vb_tokenizer_encode(t, text, len, false, false, &ids, &n, &e), VB_OK);
    free(ids);
    return (double)(clock() - begin) / CLOCKS_PER_SEC;
}

/* One megabyte that is a single word: quadratic merging would take hours. Other units are
 * tried with less, where looking back over the whole run would still take minutes. */
static void test_long_words_take_seconds(void **state) {
    static const char *const merges[] = {"a a", "aa aa", "\xc4\xa0 \xc4\xa0"};
    static const small_piece pieces[] = {
        {"a", VB_TOKEN_NORMAL, 0}, {"aa", VB_TOKEN_NORMAL, -1}, {"aaaa", VB_TOKEN_NORMAL, -2}};
    static const char *const units[] = {"a",    " ", "\n", "\xcc\xa3\xcc\x81", "\xcc\x81\xcc\xa3",
                                        "\xff", "1", "!",  "\xe1\xa0\x8e"};
    /* what follows decides how far a pattern has to look back */
    static const char *const tails[] = {"", "1", "x", "\xf0\x9f\x98\x81"};
    enum { BYTES = 1 << 20 };
    (void)state;
    vb_tokenizer *all[] = {open_or_fail(small_bpe("qwen2", merges, 3)),
                           open_or_fail(small_bpe("deepseek-llm", merges, 3)),
                           open_or_fail(small_bpe("default", merges, 3)),
                           open_or_fail(small_spm(true, pieces, 3))};
    char *text = malloc(BYTES + 8);
    assert_non_null(text);
    for (size_t u = 0; u < sizeof units / sizeof *units; u++) {
        size_t n = strlen(units[u]), bytes = u == 0 ? BYTES : BYTES / 8;
        for (size_t i = 0; i + n <= bytes; i += n) {
            memcpy(text + i, units[u], n);
        }
        for (int k = 0; k < 16; k++) {
            const vb_tokenizer *t = all[k % 4];
            size_t n_tail = strlen(tails[k / 4]), len = bytes / n * n;
            memcpy(text + len, tails[k / 4], n_tail);
            double s = seconds_to_encode(t, text, len + n_tail);
            if (s > 10) {
                fail_msg("%s: unit %zu took %.1f s", vb_tokenizer_kind_name(t), u, s);
            }
        }
    }
    free(text);
    for (int k = 0; k < 4; k++) {
        vb_tokenizer_close(all[k]);
    }
}

static void test_limits_and_bad_ids(void **state) {
    vb_error e;
    uint32_t *ids = NULL, bad = 100000;
    size_t n = 77;
    (void)state;
    vb_tokenizer *t = open_or_fail(small_bpe("gpt-2", NULL, 0));
    char *text = calloc(1, VB_TEXT_BYTES_MAX + 1);
    assert_non_null(text);
    assert_int_equal(
        vb_tokenizer_encode(t, text, VB_TEXT_BYTES_MAX + 1, false, false, &ids, &n, &e), VB_ELIMIT);
    assert_null(ids);
    assert_int_equal(n, 77);
    free(text);
    vb_buf out = vb_buf_make(2);
    assert_int_equal(vb_tokenizer_decode(t, &bad, 1, false, false, &out, &e), VB_EINVAL);
    assert_non_null(strstr(e.msg, "100000"));
    const uint32_t three[] = {'a', 'b', 'c'};
    assert_int_equal(vb_tokenizer_decode(t, three, 3, false, false, &out, &e), VB_ELIMIT);
    assert_int_equal(out.len, 0);
    vb_buf_free(&out);
    assert_int_equal(vb_tokenizer_find(t, "<|im_end|>", 10), SMALL_IM_END);
    assert_int_equal(vb_tokenizer_find(t, "nothing", 7), VB_TOKEN_NONE);
    vb_tokenizer_close(t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_merges_lowest_rank_then_leftmost),
        cmocka_unit_test(test_heap_agrees_with_the_definition),
        cmocka_unit_test(test_special_tokens),
        cmocka_unit_test(test_bos_and_eos_as_the_model_asks),
        cmocka_unit_test(test_any_bytes_come_back),
        cmocka_unit_test(test_invalid_bytes_do_not_join_words),
        cmocka_unit_test(test_nfc_only_where_asked),
        cmocka_unit_test(test_ignore_merges),
        cmocka_unit_test(test_spm),
        cmocka_unit_test(test_spm_without_byte_tokens),
        cmocka_unit_test(test_long_words_take_seconds),
        cmocka_unit_test(test_limits_and_bad_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
