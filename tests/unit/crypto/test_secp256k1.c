/* The address behind a signature: of a key of ours, of Theta's validators, and of nobody. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/bytes.h"
#include "crypto/keccak.h"
#include "crypto/rlp.h"
#include "crypto/secp256k1.h"
#include "support/testing.h"

enum { V = 64 };

/* Made by libsecp256k1 (and the same bytes by the npm package ethers): the key is the keccak256 of
 * "verbatim secp256k1 test key", each hash that of "verbatim secp256k1 test message 3" and "... 0".
 */
static const struct {
    const char *hash, *signature;
} signed_by_us[] = {
    {"b45897fbfe1c3af3cda74e306f7f9452c0611973aaf2f51602b153a791554a4d",
     "8f4804745b684c9d4f4778ca07e80aaaf63f566852dbd243c4926a7895610d66"
     "034c6f501ee5a28d63ad5233de03e70fa8069d9b975b7ea29f4dea52f3f91133"
     "00"},
    {"b06249cf2c6e65a1a0193cf50a019218e09a1b23b0e6aa89612b5836dbb15f39",
     "6f469024cd1b5dcf4bcb453350757f8b1daa56ff8304f9cea24c076890eca5e9"
     "2a181cc3a3708248e8c1cd126f1f495180eeafe74f4c8fe8782aa52c1d21d633"
     "01"},
};
static const char our_address[] = "2be13a3084218081821354a6ea1311ca10b92d2a";

/* The group's order, and the generator's x; the generator's y is even. */
static const char order[] = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
static const char generator_x[] =
    "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";

typedef struct example {
    uint8_t hash[VB_SECP256K1_HASH_BYTES];
    uint8_t signature[VB_SECP256K1_SIGNATURE_BYTES];
    uint8_t address[VB_ETH_ADDRESS_BYTES];
} example;

static example example_of(size_t i) {
    example x;
    assert_true(vb_hex_decode(signed_by_us[i].hash, x.hash, sizeof x.hash));
    assert_true(vb_hex_decode(signed_by_us[i].signature, x.signature, sizeof x.signature));
    assert_true(vb_hex_decode(our_address, x.address, sizeof x.address));
    return x;
}

/* Refused with a sentence, and no address given. */
static void assert_refused(const example *x, vb_err code, const char *words) {
    static const uint8_t untouched[VB_ETH_ADDRESS_BYTES] = {0xee, 0xdd};
    uint8_t address[VB_ETH_ADDRESS_BYTES];
    vb_error e = {0};
    memcpy(address, untouched, sizeof address);
    assert_int_equal(vb_secp256k1_recover(x->hash, x->signature, address, &e), code);
    assert_int_equal(e.code, code);
    assert_non_null(strstr(e.msg, words));
    assert_memory_equal(address, untouched, sizeof address);
}

static void assert_address(const example *x) {
    uint8_t address[VB_ETH_ADDRESS_BYTES];
    vb_error e = {0};
    if (vb_secp256k1_recover(x->hash, x->signature, address, &e)) {
        fail_msg("%s", e.msg);
    }
    assert_memory_equal(address, x->address, sizeof address);
}

static void our_own_signatures(void **state) {
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        example x = example_of(i);
        assert_int_equal(x.signature[V], i);
        assert_address(&x);
    }
}

static void any_changed_bit_is_another_signer_or_none(void **state) {
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        example x = example_of(i);
        size_t others = 0;
        for (size_t bit = 0; bit < 8 * (sizeof x.hash + sizeof x.signature); bit++) {
            uint8_t *p = bit / 8 < sizeof x.hash ? x.hash + bit / 8
                                                 : x.signature + (bit / 8 - sizeof x.hash);
            uint8_t address[VB_ETH_ADDRESS_BYTES];
            *p ^= (uint8_t)(1 << bit % 8);
            vb_err err = vb_secp256k1_recover(x.hash, x.signature, address, NULL);
            if (p == &x.signature[V] && x.signature[V] > 1) {
                assert_int_equal(err, VB_EFORMAT);
            } else if (err) {
                assert_true(err == VB_EMISMATCH || err == VB_EFORMAT);
            } else {
                assert_memory_not_equal(address, x.address, sizeof address);
                others++;
            }
            *p ^= (uint8_t)(1 << bit % 8);
        }
        /* Every change of the hash or of s, of which there are 512, gives the address of somebody:
         * why the caller must compare. About half of those of r do. */
        assert_in_range(others, 512, 8 * (sizeof x.hash + sizeof x.signature) - 1);
        assert_address(&x);
    }
}

/* to = the order less from, both big-endian. */
static void negate(const uint8_t from[32], uint8_t to[32]) {
    uint8_t n[32];
    int borrow = 0;
    assert_true(vb_hex_decode(order, n, sizeof n));
    for (int i = 31; i >= 0; i--) {
        int digit = n[i] - from[i] - borrow;
        borrow = digit < 0;
        to[i] = (uint8_t)digit;
    }
}

static void the_other_form_of_a_signature_is_of_the_same_signer(void **state) {
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        example x = example_of(i);
        uint8_t s[32];
        memcpy(s, x.signature + 32, sizeof s);
        negate(s, x.signature + 32);
        x.signature[V] ^= 1;
        assert_address(&x);
    }
}

static void v_is_0_or_1(void **state) {
    example x = example_of(0);
    (void)state;
    for (unsigned v = 2; v < 256; v++) {
        x.signature[V] = (uint8_t)v;
        assert_refused(&x, VB_EFORMAT, "v");
    }
}

static void r_and_s_are_in_range(void **state) {
    uint8_t n[32];
    (void)state;
    assert_true(vb_hex_decode(order, n, sizeof n));
    for (size_t at = 0; at < V; at += 32) {
        example x = example_of(0);
        memset(x.signature + at, 0, 32);
        assert_refused(&x, VB_EFORMAT, "order");
        memcpy(x.signature + at, n, 32);
        assert_refused(&x, VB_EFORMAT, "order");
        x.signature[at + 31]++;
        assert_refused(&x, VB_EFORMAT, "order");
        memset(x.signature + at, 0xff, 32);
        assert_refused(&x, VB_EFORMAT, "order");
    }
    example x = example_of(0);
    memcpy(x.signature + 32, n, 32);
    x.signature[V - 1]--; /* the largest s is one */
    uint8_t address[VB_ETH_ADDRESS_BYTES];
    assert_int_equal(vb_secp256k1_recover(x.hash, x.signature, address, NULL), VB_OK);
}

static void signatures_of_nobody(void **state) {
    example x = example_of(0);
    (void)state;
    /* No point of the curve has x = 5. */
    memset(x.signature, 0, 32);
    x.signature[31] = 5;
    assert_refused(&x, VB_EMISMATCH, "no secp256k1 key");
    /* With R the generator and s the hash, the key would be the point at infinity. */
    assert_true(vb_hex_decode(generator_x, x.signature, 32));
    memcpy(x.signature + 32, x.hash, 32);
    x.signature[V] = 0;
    assert_refused(&x, VB_EMISMATCH, "no secp256k1 key");
    /* With the generator's negative it is not. */
    uint8_t address[VB_ETH_ADDRESS_BYTES];
    x.signature[V] = 1;
    assert_int_equal(vb_secp256k1_recover(x.hash, x.signature, address, NULL), VB_OK);
}

static void decode_0x(const json_t *object, const char *key, uint8_t *out, size_t n) {
    const char *text = json_string_value(json_object_get(object, key));
    assert_non_null(text);
    assert_memory_equal(text, "0x", 2);
    assert_true(vb_hex_decode(text + 2, out, n));
}

/* What a vote signs: keccak256(RLP[block, 0, epoch, id, ""]). */
static void hash_vote(const uint8_t block[32], uint64_t epoch,
                      const uint8_t id[VB_ETH_ADDRESS_BYTES], uint8_t hash[VB_KECCAK256_BYTES]) {
    vb_buf items = vb_buf_make(256), list = vb_buf_make(256);
    assert_int_equal(vb_rlp_string(&items, block, 32), VB_OK);
    assert_int_equal(vb_rlp_uint(&items, 0), VB_OK);
    assert_int_equal(vb_rlp_uint(&items, epoch), VB_OK);
    assert_int_equal(vb_rlp_string(&items, id, VB_ETH_ADDRESS_BYTES), VB_OK);
    assert_int_equal(vb_rlp_string(&items, NULL, 0), VB_OK);
    assert_int_equal(vb_rlp_list(&list, items.data, items.len), VB_OK);
    vb_keccak256(list.data, list.len, hash);
    vb_buf_free(&items);
    vb_buf_free(&list);
}

static void votes_of_theta(void **state) {
    size_t n, i;
    uint8_t *text = vb_test_read(vb_test_data("beacons/theta_block_11885134.json"), &n);
    json_t *block = json_loadb((const char *)text, n, 0, NULL), *vote;
    const json_t *votes = json_object_get(json_object_get(block, "hcc"), "Votes");
    (void)state;
    assert_int_equal(json_array_size(votes), 3);
    json_array_foreach(votes, i, vote) {
        uint8_t voted[32];
        uint64_t epoch = (uint64_t)json_integer_value(json_object_get(vote, "Epoch"));
        example x;
        decode_0x(vote, "Block", voted, sizeof voted);
        decode_0x(vote, "ID", x.address, sizeof x.address);
        decode_0x(vote, "Signature", x.signature, sizeof x.signature);
        hash_vote(voted, epoch, x.address, x.hash);
        assert_address(&x);
        uint8_t address[VB_ETH_ADDRESS_BYTES];
        hash_vote(voted, epoch + 1, x.address, x.hash);
        assert_int_equal(vb_secp256k1_recover(x.hash, x.signature, address, NULL), VB_OK);
        assert_memory_not_equal(address, x.address, sizeof address);
    }
    json_decref(block);
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(our_own_signatures),
        cmocka_unit_test(any_changed_bit_is_another_signer_or_none),
        cmocka_unit_test(the_other_form_of_a_signature_is_of_the_same_signer),
        cmocka_unit_test(v_is_0_or_1),
        cmocka_unit_test(r_and_s_are_in_range),
        cmocka_unit_test(signatures_of_nobody),
        cmocka_unit_test(votes_of_theta),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
