/* FIPS 180-4's vectors, and any way of cutting a message. */
#include <string.h>

#include "base/bytes.h"
#include "crypto/sha512.h"
#include "support/testing.h"

static const struct {
    const char *message, *digest;
} vectors[] = {
    {"", "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"
         "47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e"},
    {"abc", "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
            "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"},
    {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
     "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
     "8e959b75dae313da8cf4f72814fc143f8f7779c6eb9f7fa17299aeadb6889018"
     "501d289e4900f7e4331b99dec4b5433ac7d329eeb6dd26545e96e55b874be909"},
};

static const char million_a[] = "e718483d0ce769644e2e42c7bc15b4638e1f98b13b2044285632a803afa973eb"
                                "de0ff244877ea60a4cb0432ce577c31beb009c5c2c49aa2e4eadb217ad8cc09b";

static void assert_digest(const uint8_t digest[VB_SHA512_BYTES], const char *expected) {
    char hex[2 * VB_SHA512_BYTES + 1];
    vb_hex_encode(digest, VB_SHA512_BYTES, hex);
    assert_string_equal(hex, expected);
}

static void known_vectors(void **state) {
    uint8_t digest[VB_SHA512_BYTES];
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        vb_sha512_of(vectors[i].message, strlen(vectors[i].message), digest);
        assert_digest(digest, vectors[i].digest);
    }
    vb_sha512_of(NULL, 0, digest);
    assert_digest(digest, vectors[0].digest);
}

static void a_million_letters_in_pieces(void **state) {
    char letters[1000];
    uint8_t digest[VB_SHA512_BYTES];
    vb_sha512 s;
    (void)state;
    memset(letters, 'a', sizeof letters);
    vb_sha512_begin(&s);
    for (int i = 0; i < 1000; i++) {
        vb_sha512_update(&s, letters, sizeof letters);
    }
    vb_sha512_end(&s, digest);
    assert_digest(digest, million_a);
}

static void any_cut_gives_the_same_digest(void **state) {
    uint8_t message[300], whole[VB_SHA512_BYTES], cut[VB_SHA512_BYTES];
    uint64_t rng = 1;
    vb_sha512 s;
    (void)state;
    for (size_t i = 0; i < sizeof message; i++) {
        message[i] = (uint8_t)vb_test_random(&rng);
    }
    vb_sha512_of(message, sizeof message, whole);
    for (size_t at = 0; at <= sizeof message; at++) {
        vb_sha512_begin(&s);
        vb_sha512_update(&s, message, at);
        vb_sha512_update(&s, message + at, sizeof message - at);
        vb_sha512_end(&s, cut);
        assert_memory_equal(cut, whole, sizeof whole);
    }
    vb_sha512_of(message, sizeof message, message); /* over its own message */
    assert_memory_equal(message, whole, sizeof whole);
}

static void the_state_is_wiped(void **state) {
    static const vb_sha512 zero;
    uint8_t digest[VB_SHA512_BYTES];
    vb_sha512 s;
    (void)state;
    vb_sha512_begin(&s);
    vb_sha512_update(&s, "secret", 6);
    vb_sha512_end(&s, digest);
    assert_memory_equal(&s, &zero, sizeof s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_vectors),
        cmocka_unit_test(a_million_letters_in_pieces),
        cmocka_unit_test(any_cut_gives_the_same_digest),
        cmocka_unit_test(the_state_is_wiped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
