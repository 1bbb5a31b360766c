/* Accounts' keys: addresses and signatures of published vectors, and key files. */
#include <stdbool.h>

#include "base/bytes.h"
#include "crypto/eth_key.h"
#include "unit/crypto/temp_dir.h"

/* The order of the group, big-endian. */
#define ORDER "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"
#define ORDER_LESS_1 "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364140"

static vb_err open_hex(const char *secret, vb_eth_key **out) {
    uint8_t bytes[VB_ETH_SECRET_BYTES];
    assert_true(vb_hex_decode(secret, bytes, sizeof bytes));
    return vb_eth_key_from_secret(bytes, out, NULL);
}

/* EIP-155's example: the account of the secret 46...46, and the signature of its hash. */
static void eip_155(void **state) {
    (void)state;
    vb_eth_key *k = NULL;
    assert_int_equal(
        open_hex("4646464646464646464646464646464646464646464646464646464646464646", &k), VB_OK);
    uint8_t address[VB_ETH_ADDRESS_BYTES], hash[32], signature[65];
    char text[131];
    vb_eth_key_address(k, address);
    vb_hex_encode(address, sizeof address, text);
    assert_string_equal(text, "9d8a62f656a8d1615c1294fd71e9cfb3e4855a4f");
    assert_true(vb_hex_decode("daf5a779ae972f972197303d7b574746c7ef83eadac0f2791ad23db92e4c8e53",
                              hash, sizeof hash));
    assert_int_equal(vb_eth_key_sign(k, hash, signature, NULL), VB_OK);
    vb_hex_encode(signature, sizeof signature, text);
    assert_string_equal(text, "28ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276"
                              "67cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83"
                              "00");
    vb_eth_key_close(k);
}

static void ranges(void **state) {
    (void)state;
    vb_eth_key *k = NULL;
    assert_int_equal(
        open_hex("0000000000000000000000000000000000000000000000000000000000000000", &k),
        VB_EFORMAT);
    assert_int_equal(open_hex(ORDER, &k), VB_EFORMAT);
    assert_null(k);
    assert_int_equal(open_hex(ORDER_LESS_1, &k), VB_OK);
    vb_eth_key_close(k);
    vb_eth_key_close(NULL);
}

static void signatures_recover(void **state) {
    (void)state;
    vb_eth_key *a = NULL, *b = NULL;
    assert_int_equal(vb_eth_key_generate(&a, NULL), VB_OK);
    assert_int_equal(vb_eth_key_generate(&b, NULL), VB_OK);
    uint8_t address[VB_ETH_ADDRESS_BYTES], found[VB_ETH_ADDRESS_BYTES];
    vb_eth_key_address(b, address);
    vb_eth_key_address(a, found);
    assert_memory_not_equal(address, found, sizeof found);
    for (uint8_t i = 0; i < 50; i++) {
        uint8_t hash[32] = {i}, signature[65], again[65];
        assert_int_equal(vb_eth_key_sign(b, hash, signature, NULL), VB_OK);
        assert_int_equal(vb_eth_key_sign(b, hash, again, NULL), VB_OK);
        assert_memory_equal(signature, again, sizeof again); /* RFC 6979: no chance in it */
        assert_true(signature[32] < 0x80);                   /* the lower half */
        assert_int_equal(vb_secp256k1_recover(hash, signature, found, NULL), VB_OK);
        assert_memory_equal(found, address, sizeof found);
    }
    vb_eth_key_close(a);
    vb_eth_key_close(b);
}

static void files(void **state) {
    (void)state;
    char dir[64];
    temp_dir_make(dir);
    const char *path = temp_path(dir, "key");
    vb_eth_key *k = NULL, *again = NULL;
    assert_int_equal(vb_eth_key_generate(&k, NULL), VB_OK);
    assert_int_equal(vb_eth_key_save(k, path, NULL), VB_OK);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(vb_eth_key_save(k, path, NULL), VB_EIO); /* never overwritten */
    assert_int_equal(vb_eth_key_load(path, &again, NULL), VB_OK);
    uint8_t one[VB_ETH_ADDRESS_BYTES], two[VB_ETH_ADDRESS_BYTES];
    vb_eth_key_address(k, one);
    vb_eth_key_address(again, two);
    assert_memory_equal(one, two, sizeof one);
    vb_eth_key_close(k);
    vb_eth_key_close(again);

    static const struct {
        const char *text;
        unsigned mode;
        vb_err err;
    } bad[] = {
        {"", 0600, VB_EFORMAT},
        {"46", 0600, VB_EFORMAT},
        {"464646464646464646464646464646464646464646464646464646464646464\n", 0600, VB_EFORMAT},
        {"46464646464646464646464646464646464646464646464646464646464646464", 0600, VB_EFORMAT},
        {"46464646464646464646464646464646464646464646464646464646464646AB\n", 0600, VB_EFORMAT},
        {"4646464646464646464646464646464646464646464646464646464646464646\n\n", 0600, VB_ELIMIT},
        {"0000000000000000000000000000000000000000000000000000000000000000\n", 0600, VB_EFORMAT},
        {ORDER "\n", 0600, VB_EFORMAT},
        {"4646464646464646464646464646464646464646464646464646464646464646\n", 0640, VB_EINVAL},
        {"4646464646464646464646464646464646464646464646464646464646464646\n", 0604, VB_EINVAL},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        vb_error e = {0};
        temp_write(path, bad[i].text, strlen(bad[i].text), bad[i].mode);
        again = NULL;
        assert_int_equal(vb_eth_key_load(path, &again, &e), bad[i].err);
        assert_null(again);
        assert_null(strstr(e.msg, "464646")); /* no secret in a message */
    }
    temp_write(path, ORDER_LESS_1, 64, 0600); /* without the line feed, too */
    assert_int_equal(vb_eth_key_load(path, &again, NULL), VB_OK);
    vb_eth_key_close(again);
    assert_int_equal(vb_eth_key_load(temp_path(dir, "none"), &again, NULL), VB_EIO);
    temp_dir_remove(dir);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(eip_155),
        cmocka_unit_test(ranges),
        cmocka_unit_test(signatures_recover),
        cmocka_unit_test(files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
