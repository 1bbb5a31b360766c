/* Addresses as people write them: the examples of EIP-55, and what is refused. */
#include <string.h>

#include "chain/address.h"
#include "support/testing.h"

static const char *const examples[] = {
    "0x52908400098527886E0F7030069857D2E4169EE7", "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
    "0xde709f2102306220921060314715629080e2fb77", "0x27b1fdb04752bbc536007a920d24acb045561c26",
    "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB", "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb"};

static void both_ways(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++) {
        uint8_t address[VB_ETH_ADDRESS_BYTES];
        char text[VB_CHAIN_ADDRESS_CHARS + 1];
        assert_int_equal(vb_chain_address_parse(examples[i], "it", address, NULL), VB_OK);
        vb_chain_address_print(address, text);
        assert_string_equal(text, examples[i]);
    }
}

static void refused(void **state) {
    (void)state;
    static const char *const bad[] = {
        "",
        "0x",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAe",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAedd",
        "5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed00",
        "0X5aaeb6053f3e94c9b9a09f33669435e7ef1beaed",
        "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaeg",
        "0x5AAeb6053F3E94C9b9A09f33669435E7Ef1BeAed" /* one capital too many */};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        vb_error e = {VB_OK, ""};
        uint8_t address[VB_ETH_ADDRESS_BYTES] = {7};
        assert_int_equal(vb_chain_address_parse(bad[i], "--it", address, &e), VB_EINVAL);
        assert_non_null(strstr(e.msg, "--it"));
        assert_int_equal(address[0], 7);
    }
}

static void one_case(void **state) {
    (void)state;
    uint8_t lower[VB_ETH_ADDRESS_BYTES], upper[VB_ETH_ADDRESS_BYTES], hash[32];
    assert_int_equal(
        vb_chain_address_parse("0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed", "it", lower, NULL),
        VB_OK);
    assert_int_equal(
        vb_chain_address_parse("0x5AAEB6053F3E94C9B9A09F33669435E7EF1BEAED", "it", upper, NULL),
        VB_OK);
    assert_memory_equal(lower, upper, sizeof lower);
    assert_int_equal(vb_chain_hex_parse("0x00ff", "it", hash, 2, NULL), VB_OK);
    assert_int_equal(hash[1], 0xff);
    assert_int_equal(vb_chain_hex_parse("0x00f", "it", hash, 2, NULL), VB_EINVAL);
    assert_int_equal(vb_chain_hex_parse("0x00ff0", "it", hash, 2, NULL), VB_EINVAL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_ways),
        cmocka_unit_test(refused),
        cmocka_unit_test(one_case),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
