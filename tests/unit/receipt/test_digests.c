/* The digests against values that Python's hashlib gave for the formulas of spec/receipt.md. */
#include <string.h>

#include "base/bytes.h"
#include "receipt/digests.h"
#include "support/testing.h"

static void assert_hex(const uint8_t *bytes, const char *hex) {
    char text[65];
    vb_hex_encode(bytes, 32, text);
    assert_string_equal(text, hex);
}

static void digests_of_things(void **state) {
    uint8_t d[32];
    uint32_t ids[1000];
    (void)state;
    for (uint32_t i = 0; i < 1000; i++) {
        ids[i] = i * 1000003u;
    }
    vb_digest_tokens(NULL, 0, d);
    assert_hex(d, "2afd5e7feebbfe750e3f6bb2ed38967bb37d51a32ce2733c664416120468b44e");
    vb_digest_tokens(ids, 1, d);
    assert_hex(d, "db4fad2770be4a6620921e4646935690ca1b9d5382b80365c08c349b701bef82");
    vb_digest_tokens(ids, 256, d);
    assert_hex(d, "b1b4d9c9b152630590328591c7766230e05cd800cf0e0aae98f6694d7a7ffc68");
    vb_digest_tokens(ids, 1000, d);
    assert_hex(d, "4727061ed7999a02f8d55c4ee29d8444e0722086b1f0edb961080479eee35a4d");
    vb_digest_text("Hi \xe2\x82\xac", 6, d);
    assert_hex(d, "8c715d6d9b69478cc5fb6c5f2e4e07422dfc34d9335acf5c8d52955ac118a699");
    vb_digest_template("Hi \xe2\x82\xac", 6, d);
    assert_hex(d, "0c5716c73ffd69efc60c8ce2789a9f82b8db6482b08d0f28ab4015aeac9ab9c4");
    vb_digest_request("{}", 2, d);
    assert_hex(d, "36c20d2a8c5b3d257f79eae58ea62f10ef6cf50924813bb803e233e0c5c4f319");
    vb_digest_receipt("{}", 2, d);
    assert_hex(d, "52fec12161d5935f4349e9802787a5d687865b6d53b2b6696c43359083b26879");
}

static void seeds_and_draws(void **state) {
    uint8_t randomness[64], c[32], s[32];
    (void)state;
    for (int i = 0; i < 64; i++) {
        randomness[i] = (uint8_t)(200 + i);
    }
    memset(c, 0x11, sizeof c);
    vb_seed_from_round("drand:quicknet", 0x0102030405060708u, randomness, 32, c, 3, s);
    assert_hex(s, "d72242c18795cbf814d2b14b289a8b91a0e46374407347f093ae463fcc87a3b3");
    vb_seed_from_round("nist:2", 1, randomness, 64, c, 0, s);
    assert_hex(s, "3d779c94d2dc1f9615ed841321de5a1790b42da33a61c7b30376b8d23df3a363");
    vb_seed_from_fixed(42, 0, s);
    assert_hex(s, "5acd723f8ffc4ada9d84036f7f7c813846b2ba3af92c20a4a0c528f6a3e5f906");
    assert_true(vb_draw_number(s, 0) == 0x2313e3fcaf35ac8au);
    assert_true(vb_draw_number(s, 0x100000000u) == 0xed522f01426f0c96u);
    vb_seed_from_fixed(UINT64_MAX, UINT32_MAX, s);
    assert_hex(s, "20b3103cd59424c86dad5307f5bd6a58e5943114e6095f5f4d707c07e0c8e5ef");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digests_of_things),
        cmocka_unit_test(seeds_and_draws),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
