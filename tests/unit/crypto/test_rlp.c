/* RLP: the vectors of Ethereum's documentation and tests both ways, and every second form refused.
 */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "crypto/rlp.h"
#include "support/testing.h"

enum { ITEMS = 16, BUFFER_BYTES = 1 << 20 };

static const char lorem[] = "Lorem ipsum dolor sit amet, consectetur adipisicing elit";

static uint8_t *bytes_of(const char *hex, size_t *n) {
    *n = strlen(hex) / 2;
    uint8_t *bytes = malloc(*n + 1); /* one more, so that no bytes have an address too */
    assert_non_null(bytes);
    assert_true(vb_hex_decode(hex, bytes, *n));
    return bytes;
}

static void assert_holds(vb_buf *b, const char *hex) {
    size_t n;
    uint8_t *expected = bytes_of(hex, &n);
    assert_int_equal(b->len, n);
    assert_memory_equal(b->data, expected, n);
    free(expected);
    b->len = 0;
}

static void strings(void **state) {
    vb_buf b = vb_buf_make(BUFFER_BYTES);
    char long_hex[2 * (2 + 56) + 1] = "b838";
    uint8_t two_to_the_256[33] = {1};
    (void)state;
    assert_int_equal(vb_rlp_string(&b, NULL, 0), VB_OK);
    assert_holds(&b, "80");
    assert_int_equal(vb_rlp_string(&b, "", 1), VB_OK); /* the byte 0 */
    assert_holds(&b, "00");
    assert_int_equal(vb_rlp_string(&b, "\x7f", 1), VB_OK);
    assert_holds(&b, "7f");
    assert_int_equal(vb_rlp_string(&b, "\x80", 1), VB_OK);
    assert_holds(&b, "8180");
    assert_int_equal(vb_rlp_string(&b, "dog", 3), VB_OK);
    assert_holds(&b, "83646f67");
    assert_int_equal(vb_rlp_string(&b, two_to_the_256, sizeof two_to_the_256), VB_OK);
    assert_holds(&b, "a1010000000000000000000000000000000000000000000000000000000000000000");
    assert_int_equal(strlen(lorem), 56); /* the shortest with a long header */
    vb_hex_encode((const uint8_t *)lorem, 56, long_hex + 4);
    assert_int_equal(vb_rlp_string(&b, lorem, 56), VB_OK);
    assert_holds(&b, long_hex);
    long_hex[2] = 'b', long_hex[3] = '7', long_hex[2 * (2 + 55)] = 0;
    assert_int_equal(vb_rlp_string(&b, lorem, 55), VB_OK);
    assert_holds(&b, long_hex + 2);
    vb_buf_free(&b);
}

static void integers(void **state) {
    static const struct {
        uint64_t v;
        const char *hex;
    } vectors[] = {{0, "80"},
                   {1, "01"},
                   {15, "0f"},
                   {127, "7f"},
                   {128, "8180"},
                   {255, "81ff"},
                   {256, "820100"},
                   {1000, "8203e8"},
                   {1024, "820400"},
                   {100000, "830186a0"},
                   {0xffffffff, "84ffffffff"},
                   {0x100000000, "850100000000"},
                   {UINT64_MAX, "88ffffffffffffffff"}};
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        vb_buf b = vb_buf_make(BUFFER_BYTES);
        vb_rlp_item it;
        size_t n_items = 0;
        uint64_t back = ~vectors[i].v;
        assert_int_equal(vb_rlp_uint(&b, vectors[i].v), VB_OK);
        assert_int_equal(vb_rlp_items(b.data, b.len, &it, 1, &n_items, NULL), VB_OK);
        assert_int_equal(n_items, 1);
        assert_int_equal(vb_rlp_item_uint(&it, &back, NULL), VB_OK);
        assert_int_equal(back, vectors[i].v);
        assert_holds(&b, vectors[i].hex);
        vb_buf_free(&b);
    }
}

static void what_is_no_integer(void **state) {
    static const uint8_t bytes[9] = {0, 1, 2, 3, 4, 5, 6, 7, 8};
    static const struct {
        vb_rlp_item it;
        const char *words;
    } bad[] = {{{bytes, 0, true}, "a list"},        {{bytes + 1, 1, true}, "a list"},
               {{bytes, 1, false}, "leading zero"}, {{bytes, 2, false}, "leading zero"},
               {{bytes, 8, false}, "leading zero"}, {{bytes, 9, false}, "9 bytes"}};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint64_t v = 42;
        vb_error e = {0};
        assert_int_equal(vb_rlp_item_uint(&bad[i].it, &v, &e), VB_EFORMAT);
        assert_non_null(strstr(e.msg, bad[i].words));
        assert_int_equal(v, 42);
    }
}

/* Appends what a nested list or a string would be encoded as. */
static void append_again(vb_buf *out, const vb_rlp_item *it) {
    if (!it->is_list) {
        assert_int_equal(vb_rlp_string(out, it->data, it->n), VB_OK);
        return;
    }
    vb_rlp_item items[ITEMS];
    size_t n_items;
    vb_buf payload = vb_buf_make(BUFFER_BYTES);
    assert_int_equal(vb_rlp_items(it->data, it->n, items, ITEMS, &n_items, NULL), VB_OK);
    for (size_t i = 0; i < n_items; i++) {
        append_again(&payload, &items[i]);
    }
    assert_int_equal(vb_rlp_list(out, payload.data, payload.len), VB_OK);
    vb_buf_free(&payload);
}

static void lists(void **state) {
    static const struct {
        const char *hex;
        size_t n_items;
    } vectors[] = {
        {"c0", 0},
        {"c88363617483646f67", 2},         /* ["cat", "dog"] */
        {"c7c0c1c0c3c0c1c0", 3},           /* [[], [[]], [[], [[]]]] */
        {"c4c2c0c0c0", 2},                 /* [[[], []], []] */
        {"c6827a77c10401", 3},             /* ["zw", [4], 1] */
        {"cc83646f6783676f6483636174", 3}, /* ["dog", "god", "cat"] */
        {"ecca846b6579318476616c31ca846b6579328476616c32"
         "ca846b6579338476616c33ca846b6579348476616c34",
         4},
        {"f840cf84617364668471776572847a786376cf84617364668471776572847a786376"
         "cf84617364668471776572847a786376cf84617364668471776572847a786376",
         4},
    };
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        vb_rlp_item items[ITEMS];
        vb_buf payload = vb_buf_make(BUFFER_BYTES), list = vb_buf_make(BUFFER_BYTES);
        size_t n, n_items = 99;
        uint8_t *bytes = bytes_of(vectors[i].hex, &n);
        assert_int_equal(vb_rlp_list_open(bytes, n, items, ITEMS, &n_items, NULL), VB_OK);
        assert_int_equal(n_items, vectors[i].n_items);
        for (size_t k = 0; k < n_items; k++) {
            append_again(&payload, &items[k]);
        }
        assert_int_equal(vb_rlp_list(&list, payload.data, payload.len), VB_OK);
        assert_holds(&list, vectors[i].hex);
        vb_buf_free(&payload);
        vb_buf_free(&list);
        free(bytes);
    }
}

static void items_are_where_they_stand(void **state) {
    static const uint8_t bytes[] = {0xc6, 0x82, 'z', 'w', 0xc1, 0x04, 0x01};
    vb_rlp_item items[3];
    size_t n_items;
    (void)state;
    assert_int_equal(vb_rlp_list_open(bytes, sizeof bytes, items, 3, &n_items, NULL), VB_OK);
    assert_int_equal(n_items, 3);
    assert_ptr_equal(items[0].data, bytes + 2);
    assert_int_equal(items[0].n, 2);
    assert_false(items[0].is_list);
    assert_ptr_equal(items[1].data, bytes + 5);
    assert_int_equal(items[1].n, 1);
    assert_true(items[1].is_list);
    assert_ptr_equal(items[2].data, bytes + 6);
    assert_int_equal(items[2].n, 1);
    assert_false(items[2].is_list);
}

static void assert_no_list(const uint8_t *bytes, size_t n) {
    vb_rlp_item items[ITEMS];
    size_t n_items = 77;
    vb_error e = {0};
    assert_int_equal(vb_rlp_list_open(bytes, n, items, ITEMS, &n_items, &e), VB_EFORMAT);
    assert_memory_equal(e.msg, "RLP", 3);
    assert_int_equal(n_items, 77);
}

/* What is no item, neither alone nor in a list. */
static void what_is_no_item(void **state) {
    static const char *const bad[] = {
        "8100",
        "8101",
        "817f", /* a byte that is its own encoding */
        "b800",
        "b801ff",
        "b8021234", /* a short length in long form */
        "b900021234",
        "b90000",
        "f800",
        "f801c0",
        "f90001c0",
        "b81000112233445566778899aabbccddeeff", /* 16 bytes, in long form */
        "f81000112233445566778899aabbccddeeff",
        "81",
        "c1",
        "c2c0",
        "83646f",
        "b8",
        "b9",
        "b901",
        "f8",
        "f9",
        "f938", /* cut */
        "a0000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e",
        "b838",
        "f838",
        "c5010203",
        "ba010000aabbccddeeff",
        "f90180",
        "f80180",
        "f80100",
        "bf0f000000000000021111",
        "ff0f000000000000021111", /* past 2^59 */
        "bfffffffffffffffff",
        "ffffffffffffffffff",
        "bfffffffffffffffff00",
        "bf8000000000000000",
        "ff7fffffffffffffff",
        "bb00000038",
        "bb00000100", /* a length with leading zeroes */
        "b9002100dc2b275d0f74e8a53e6f4ec61b27f24278820be3f82ea2110e582081b0565df0",
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        vb_rlp_item it;
        vb_buf list = vb_buf_make(BUFFER_BYTES);
        vb_error e = {0};
        size_t n, n_items = 77;
        uint8_t *bytes = bytes_of(bad[i], &n);
        assert_no_list(bytes, n);
        assert_int_equal(vb_rlp_items(bytes, n, &it, 1, &n_items, &e), VB_EFORMAT);
        assert_int_equal(n_items, 77);
        assert_int_equal(vb_rlp_list(&list, bytes, n), VB_OK);
        assert_no_list(list.data, list.len);
        vb_buf_free(&list);
        free(bytes);
    }
}

static void assert_not_shortest(const uint8_t *bytes, size_t n) {
    vb_rlp_item it;
    size_t n_items = 77;
    vb_error e = {0};
    assert_int_equal(vb_rlp_items(bytes, n, &it, 1, &n_items, &e), VB_EFORMAT);
    assert_non_null(strstr(e.msg, "shortest"));
    assert_int_equal(n_items, 77);
}

/* 56 bytes are the fewest that have a long length, and it starts with no zero byte. */
static void long_lengths_in_their_shortest_form(void **state) {
    uint8_t bytes[3 + 64] = {0};
    (void)state;
    for (int kind = 0xb8; kind <= 0xf8; kind += 0x40) {
        for (size_t n = 54; n <= 57; n++) {
            vb_rlp_item it;
            size_t n_items = 77;
            bytes[0] = (uint8_t)(kind + 1), bytes[1] = 0, bytes[2] = (uint8_t)n;
            assert_not_shortest(bytes, 3 + n);
            bytes[1] = (uint8_t)kind;
            if (n < 56) {
                assert_not_shortest(bytes + 1, 2 + n);
                continue;
            }
            assert_int_equal(vb_rlp_items(bytes + 1, 2 + n, &it, 1, &n_items, NULL), VB_OK);
            assert_int_equal(n_items, 1);
            assert_int_equal(it.n, n);
        }
    }
}

static void what_is_no_list(void **state) {
    static const char *const bad[] = {"", "80", "00", "7f", "83646f67", "c000", "c0c0", "c10101"};
    static const char good[] = "c88363617483646f67";
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        size_t n;
        uint8_t *bytes = bytes_of(bad[i], &n);
        assert_no_list(bytes, n);
        free(bytes);
    }
    for (size_t cut = 0; cut < sizeof good / 2; cut++) {
        uint8_t *bytes = malloc(cut ? cut : 1); /* exactly, for the sanitizers */
        size_t n;
        uint8_t *whole = bytes_of(good, &n);
        assert_non_null(bytes);
        memcpy(bytes, whole, cut);
        assert_no_list(bytes, cut);
        free(bytes);
        free(whole);
    }
}

static void no_more_items_than_asked(void **state) {
    static const uint8_t three[] = {0xc3, 1, 2, 3}, none[] = {0xc0};
    vb_rlp_item items[3] = {{NULL, 0, false}};
    size_t n_items = 77;
    vb_error e = {0};
    (void)state;
    assert_int_equal(vb_rlp_list_open(three, sizeof three, items, 2, &n_items, &e), VB_ELIMIT);
    assert_non_null(strstr(e.msg, "more than 2 items"));
    assert_int_equal(n_items, 77);
    assert_null(items[2].data);
    assert_int_equal(vb_rlp_list_open(three, sizeof three, items, 0, &n_items, NULL), VB_ELIMIT);
    assert_int_equal(vb_rlp_list_open(three, sizeof three, items, 3, &n_items, NULL), VB_OK);
    assert_int_equal(n_items, 3);
    assert_int_equal(vb_rlp_list_open(none, sizeof none, items, 0, &n_items, NULL), VB_OK);
    assert_int_equal(n_items, 0);
}

/* Lengths around each change of a header's size, of strings and of lists. */
static void lengths_of_every_size(void **state) {
    static const size_t lengths[] = {0, 1, 2, 54, 55, 56, 57, 255, 256, 257, 65535, 65536, 65537};
    uint8_t *zeroes = calloc(1, 65537);
    (void)state;
    assert_non_null(zeroes);
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        size_t n = lengths[i], n_items = 0;
        size_t n_length = n > 65535 ? 3 : n > 255 ? 2 : n > 55 ? 1 : 0;
        vb_buf b = vb_buf_make(BUFFER_BYTES), list = vb_buf_make(BUFFER_BYTES);
        vb_rlp_item it;
        assert_int_equal(vb_rlp_string(&b, zeroes, n), VB_OK);
        assert_int_equal(b.len, n == 1 ? 1 : 1 + n_length + n);
        assert_int_equal(vb_rlp_list(&list, b.data, b.len), VB_OK);
        assert_int_equal(vb_rlp_list_open(list.data, list.len, &it, 1, &n_items, NULL), VB_OK);
        assert_int_equal(n_items, 1);
        assert_int_equal(it.n, n);
        assert_false(it.is_list);
        list.len = 0;
        assert_int_equal(vb_rlp_list(&list, zeroes, n), VB_OK);
        assert_int_equal(list.len, 1 + n_length + n);
        assert_int_equal(vb_rlp_items(list.data, list.len, &it, 1, &n_items, NULL), VB_OK);
        assert_int_equal(it.n, n);
        assert_true(it.is_list);
        vb_buf_free(&b);
        vb_buf_free(&list);
    }
    free(zeroes);
}

static void a_full_buffer_stays_as_it_was(void **state) {
    (void)state;
    for (size_t max = 3; max < 3 + 2 + 56; max++) {
        vb_buf b = vb_buf_make(max);
        assert_int_equal(vb_buf_append(&b, "abc", 3), VB_OK);
        assert_int_equal(vb_rlp_string(&b, lorem, 56), VB_ELIMIT);
        assert_int_equal(b.len, 3);
        assert_string_equal((const char *)b.data, "abc");
        assert_int_equal(vb_rlp_list(&b, lorem, 56), VB_ELIMIT);
        assert_int_equal(b.len, 3);
        assert_string_equal((const char *)b.data, "abc");
        vb_buf_free(&b);
    }
    vb_buf b = vb_buf_make(3 + 2 + 56);
    assert_int_equal(vb_buf_append(&b, "abc", 3), VB_OK);
    assert_int_equal(vb_rlp_string(&b, lorem, 56), VB_OK);
    assert_int_equal(vb_rlp_uint(&b, 0), VB_ELIMIT);
    assert_int_equal(b.len, b.max);
    vb_buf_free(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings),
        cmocka_unit_test(integers),
        cmocka_unit_test(what_is_no_integer),
        cmocka_unit_test(lists),
        cmocka_unit_test(items_are_where_they_stand),
        cmocka_unit_test(what_is_no_item),
        cmocka_unit_test(long_lengths_in_their_shortest_form),
        cmocka_unit_test(what_is_no_list),
        cmocka_unit_test(no_more_items_than_asked),
        cmocka_unit_test(lengths_of_every_size),
        cmocka_unit_test(a_full_buffer_stays_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
