/* Transactions: EIP-155's example, one of EIP-1559, what is refused. More against ethers:
 * tests/npm/chain.test. */
#include <string.h>

#include "chain/tx.h"
#include "support/testing.h"

static vb_eth_key *key_46(void) {
    uint8_t secret[VB_ETH_SECRET_BYTES];
    vb_eth_key *k = NULL;
    memset(secret, 0x46, sizeof secret);
    assert_int_equal(vb_eth_key_from_secret(secret, &k, NULL), VB_OK);
    return k;
}

static vb_chain_tx example(void) {
    vb_chain_tx tx = {.chain_id = 1, .nonce = 9, .gas_price = 20000000000u, .gas_limit = 21000};
    memset(tx.to, 0x35, sizeof tx.to);
    vb_store_u64be(tx.value + sizeof tx.value - 8, 1000000000000000000u);
    return tx;
}

static void check(const vb_chain_tx *tx, const char *expected) {
    vb_eth_key *k = key_46();
    uint8_t hash[32], signature[65], again[32];
    vb_buf out = vb_buf_make(1024), hex = vb_buf_make(2048);
    assert_int_equal(vb_chain_tx_signing_hash(tx, hash, NULL), VB_OK);
    assert_int_equal(vb_eth_key_sign(k, hash, signature, NULL), VB_OK);
    assert_int_equal(vb_chain_tx_encode(tx, signature, &out, hash, NULL), VB_OK);
    for (size_t i = 0; i < out.len; i++) {
        assert_int_equal(vb_buf_printf(&hex, "%02x", out.data[i]), VB_OK);
    }
    assert_string_equal((const char *)hex.data, expected);
    vb_keccak256(out.data, out.len, again);
    assert_memory_equal(hash, again, sizeof again);
    vb_buf_free(&out);
    vb_buf_free(&hex);
    vb_eth_key_close(k);
}

static void eip_155(void **state) {
    (void)state;
    const vb_chain_tx tx = example();
    check(&tx,
          "f86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a7640000"
          "8025a028ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276a067cbe9d8997f"
          "761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83");
}

static void refused(void **state) {
    (void)state;
    uint8_t hash[32], signature[65] = {1};
    vb_buf out = vb_buf_make(1024);
    assert_int_equal(vb_buf_append(&out, "x", 1), VB_OK);
    vb_chain_tx tx = example();
    static const uint64_t none[] = {0, UINT64_MAX, (UINT64_MAX - 36) / 2 + 1};
    for (size_t i = 0; i < 3; i++) {
        tx.chain_id = none[i];
        assert_int_equal(vb_chain_tx_signing_hash(&tx, hash, NULL), VB_EINVAL);
        assert_int_equal(vb_chain_tx_encode(&tx, signature, &out, hash, NULL), VB_EINVAL);
    }
    tx.chain_id = (UINT64_MAX - 36) / 2;
    assert_int_equal(vb_chain_tx_signing_hash(&tx, hash, NULL), VB_OK);
    assert_int_equal(out.len, 1);
    vb_buf_free(&out);
    out = vb_buf_make(20); /* no room for it: nothing is appended */
    tx.chain_id = 361;
    assert_int_equal(vb_chain_tx_encode(&tx, signature, &out, hash, NULL), VB_ELIMIT);
    assert_int_equal(out.len, 0);
    vb_buf_free(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(eip_155), cmocka_unit_test(refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
