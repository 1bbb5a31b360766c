/* FIPS 180-4's examples, and hashing in pieces. */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "crypto/random.h"
#include "crypto/sha256.h"
#include "support/testing.h"

static void assert_hash(const void *bytes, size_t n, const char *hex) {
    uint8_t d[32];
    char text[65];
    vb_sha256_of(bytes, n, d);
    vb_hex_encode(d, 32, text);
    assert_string_equal(text, hex);
}

static void examples(void **state) {
    char *a = malloc(1000000);
    (void)state;
    assert_hash("", 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_hash("abc", 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_hash("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56,
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    assert_non_null(a);
    memset(a, 'a', 1000000);
    assert_hash(a, 1000000, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    free(a);
}

static void pieces_give_the_whole(void **state) {
    uint8_t data[300], whole[32], pieces[32];
    uint64_t seed = 5;
    (void)state;
    for (size_t i = 0; i < sizeof data; i++) {
        data[i] = (uint8_t)vb_test_random(&seed);
    }
    vb_sha256_of(data, sizeof data, whole);
    for (size_t cut = 0; cut <= sizeof data; cut++) {
        vb_sha256 s;
        vb_sha256_begin(&s);
        vb_sha256_update(&s, data, cut);
        vb_sha256_update(&s, data + cut, sizeof data - cut);
        vb_sha256_end(&s, pieces);
        assert_memory_equal(whole, pieces, 32);
    }
    vb_sha256_of(data, 32, whole);
    vb_sha256_of(data, 32, data); /* in place */
    assert_memory_equal(whole, data, 32);
}

static void integers_are_big_endian(void **state) {
    static const uint8_t bytes[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    uint8_t a[32], b[32];
    vb_sha256 s;
    (void)state;
    vb_sha256_of(bytes, 12, a);
    vb_sha256_begin(&s);
    vb_sha256_u32be(&s, 0x01020304);
    vb_sha256_u64be(&s, 0x05060708090a0b0c);
    vb_sha256_end(&s, b);
    assert_memory_equal(a, b, 32);
}

static void random_bytes_differ(void **state) {
    uint8_t a[64] = {0}, b[64] = {0};
    (void)state;
    assert_int_equal(vb_random_bytes(a, sizeof a, NULL), VB_OK);
    assert_int_equal(vb_random_bytes(b, sizeof b, NULL), VB_OK);
    assert_memory_not_equal(a, b, 32);
    assert_memory_not_equal(a + 32, b + 32, 32);
    vb_wipe(a, sizeof a);
    for (size_t i = 0; i < sizeof a; i++) {
        assert_int_equal(a[i], 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(examples),
        cmocka_unit_test(pieces_give_the_whole),
        cmocka_unit_test(integers_are_big_endian),
        cmocka_unit_test(random_bytes_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
