/* Known digests, and every length around the edges of the sponge's blocks of 136 bytes. */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "crypto/keccak.h"
#include "support/testing.h"

static void assert_digest(const void *bytes, size_t n, const char *expected) {
    uint8_t digest[VB_KECCAK256_BYTES];
    char hex[2 * VB_KECCAK256_BYTES + 1];
    vb_keccak256(bytes, n, digest);
    vb_hex_encode(digest, sizeof digest, hex);
    assert_string_equal(hex, expected);
}

static void known_vectors(void **state) {
    (void)state;
    assert_digest(NULL, 0, "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470");
    assert_digest("abc", 3, "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45");
    /* The function selector of every ERC-20 token: its first four bytes are a9059cbb. */
    assert_digest("transfer(address,uint256)", 25,
                  "a9059cbb2ab09eb219583f4a59a5d0623ade346d962bcd4e46b11da047c9049b");
}

/* The bytes 0, 1, 2, ... of each length; the digests are those of the npm package ethers. */
static void around_the_edges_of_a_block(void **state) {
    static const struct {
        size_t n;
        const char *digest;
    } edges[] = {
        {1, "bc36789e7a1e281436464229828f817d6612f7b477d66591ff96a9e064bcc98a"},
        {8, "59e7c99f6be4fd053d7c99f54e371304a33213473dc41f1825b7f3ceb33841a6"},
        {135, "cbdfd9dee5faad3818d6b06f95a219fd290b0e1706f6a82e5a595b9ce9faca62"},
        {136, "7ce759f1ab7f9ce437719970c26b0a66ff11fe3e38e17df89cf5d29c7d7f807e"},
        {137, "ac73d4fae68b8453f764007c1a20ce95994187861f0c3227a3a8e99a73a3b1db"},
        {271, "7c974895b2a88303ff2dc6b58f438ceb0b298cac91099ac0539cc0f477506191"},
        {272, "fdf2ec49e749960d3c8521a0219af8d03e30e2b3bf19bd16150ee0eaf133d66e"},
        {273, "4f707289a9c3ccd0c4a51f2f17339f5dd171d371c04ff7783b735b5b22682eaf"},
    };
    uint8_t bytes[273];
    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)i;
    }
    for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++) {
        assert_digest(bytes, edges[i].n, edges[i].digest);
    }
}

static void a_million_letters(void **state) {
    enum { LETTERS = 1000000 };
    char *letters = malloc(LETTERS);
    (void)state;
    assert_non_null(letters);
    memset(letters, 'a', LETTERS);
    assert_digest(letters, LETTERS,
                  "fadae6b49f129bbb812be8407b7b2894f34aecf6dbd1f9b0f0c7e9853098fc96");
    free(letters);
}

/* The digest of the digests of one message of each length up to past three blocks, as ethers has
 * it. Each message fills its memory, so that a sanitizer sees a read past it. */
static void every_length_up_to_three_blocks(void **state) {
    enum { LENGTHS = 410 };
    static uint8_t digests[LENGTHS][VB_KECCAK256_BYTES];
    (void)state;
    for (size_t n = 0; n < LENGTHS; n++) {
        uint8_t *message = malloc(n ? n : 1);
        assert_non_null(message);
        for (size_t i = 0; i < n; i++) {
            message[i] = (uint8_t)(7 * i + n);
        }
        vb_keccak256(message, n, digests[n]);
        free(message);
    }
    assert_digest(digests, sizeof digests,
                  "5385dda7b387bbffc18a471126eb97c2697e9842cb5b0e589039b40b1996b5db");
}

static void a_digest_over_its_own_message(void **state) {
    uint8_t message[40] = {1, 2, 3}, digest[VB_KECCAK256_BYTES];
    (void)state;
    vb_keccak256(message, sizeof message, digest);
    vb_keccak256(message, sizeof message, message);
    assert_memory_equal(message, digest, sizeof digest);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_vectors),
        cmocka_unit_test(around_the_edges_of_a_block),
        cmocka_unit_test(a_million_letters),
        cmocka_unit_test(every_length_up_to_three_blocks),
        cmocka_unit_test(a_digest_over_its_own_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
