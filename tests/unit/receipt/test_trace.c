/* The Merkle tree against RFC 6962's published vectors and a recursion straight from its text. */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "receipt/trace.h"
#include "support/testing.h"

enum { LEAVES = 70 };

static void node(const uint8_t *left, const uint8_t *right, uint8_t out[32]) {
    uint8_t data[65] = {1};
    memcpy(data + 1, left, 32);
    memcpy(data + 33, right, 32);
    vb_sha256_of(data, sizeof data, out);
}

/* MTH(D[n]) of RFC 6962, section 2.1, over leaf hashes. */
static void naive_root(const uint8_t (*leaves)[32], size_t n, uint8_t out[32]) {
    if (n == 0) {
        vb_sha256_of("", 0, out);
        return;
    }
    if (n == 1) {
        memcpy(out, leaves[0], 32);
        return;
    }
    size_t k = 1;
    while (k * 2 < n) {
        k *= 2;
    }
    uint8_t left[32], right[32];
    naive_root(leaves, k, left);
    naive_root(leaves + k, n - k, right);
    node(left, right, out);
}

static void make_leaves(uint8_t leaves[LEAVES][32]) {
    for (uint32_t i = 0; i < LEAVES; i++) {
        const float logits[] = {(float)i, -0.0f, 1e-40f};
        vb_trace_leaf(i, 1000 + i, logits, 3, leaves[i]);
    }
}

static void assert_hex(const uint8_t *bytes, const char *hex) {
    char text[65];
    vb_hex_encode(bytes, 32, text);
    assert_string_equal(text, hex);
}

/* The test tree of the certificate-transparency reference implementation. */
static void published_roots(void **state) {
    static const char *const inputs[] = {"",
                                         "00",
                                         "10",
                                         "2021",
                                         "3031",
                                         "40414243",
                                         "5051525354555657",
                                         "606162636465666768696a6b6c6d6e6f"};
    static const char *const roots[] = {
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"};
    vb_trace tr;
    uint8_t root[32];
    (void)state;
    vb_trace_begin(&tr);
    vb_trace_root(&tr, root);
    assert_hex(root, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    for (size_t i = 0; i < 8; i++) {
        uint8_t data[17] = {0}, leaf[32];
        size_t n = strlen(inputs[i]) / 2;
        assert_true(vb_hex_decode(inputs[i], data + 1, n));
        vb_sha256_of(data, n + 1, leaf);
        vb_trace_add(&tr, leaf);
        vb_trace_root(&tr, root);
        assert_hex(root, roots[i]);
    }
}

static void growing_equals_recursion(void **state) {
    uint8_t leaves[LEAVES][32], root[32], expected[32];
    vb_trace tr;
    (void)state;
    make_leaves(leaves);
    vb_trace_begin(&tr);
    for (size_t n = 0; n < LEAVES; n++) {
        vb_trace_root(&tr, root);
        naive_root((const uint8_t(*)[32])leaves, n, expected);
        assert_memory_equal(root, expected, 32);
        vb_trace_add(&tr, leaves[n]);
    }
}

static void every_leaf_opens_and_nothing_else(void **state) {
    uint8_t leaves[LEAVES][32], root[32], proof[VB_TRACE_PROOF_MAX][32];
    const uint8_t(*l)[32] = (const uint8_t(*)[32])leaves, (*p)[32] = (const uint8_t(*)[32])proof;
    (void)state;
    make_leaves(leaves);
    for (size_t n = 1; n <= LEAVES; n++) {
        naive_root(l, n, root);
        for (size_t i = 0; i < n; i++) {
            size_t k = vb_trace_prove(l, n, i, proof);
            assert_true(vb_trace_check(leaves[i], i, n, p, k, root));
            assert_false(vb_trace_check(leaves[(i + 1) % LEAVES], i, n, p, k, root));
            assert_false(vb_trace_check(leaves[i], i, n, p, k + 1, root));
            assert_false(vb_trace_check(leaves[i], n, n, p, k, root));
            assert_false(vb_trace_check(leaves[i], i + n, n, p, k, root));
            if (n > 1) {
                assert_false(vb_trace_check(leaves[i], (i + 1) % n, n, p, k, root));
                assert_false(vb_trace_check(leaves[i], i, n, p, k - 1, root));
                proof[k / 2][7] ^= 1;
                assert_false(vb_trace_check(leaves[i], i, n, p, k, root));
                proof[k / 2][7] ^= 1;
            }
            root[31] ^= 0x80;
            assert_false(vb_trace_check(leaves[i], i, n, p, k, root));
            root[31] ^= 0x80;
        }
    }
    assert_false(vb_trace_check(leaves[0], 0, 0, p, 0, root));
    assert_false(vb_trace_check(leaves[0], 0, UINT64_MAX, p, SIZE_MAX, root));
}

/* Every bit of position, token and logits is bound; the value is that of Python's hashlib. */
static void leaves_bind_everything(void **state) {
    const float logits[] = {0.0f, -1.5f, 3.25f};
    uint8_t leaf[32], other[32], digest[32];
    (void)state;
    vb_trace_leaf(7, 0x01020304, logits, 3, leaf);
    assert_hex(leaf, "a31f6b8e26cb6b892118ca8d4ec81ca7796278cef44b2f5b3bcb31022408b70e");
    vb_trace_logits_digest(logits, 3, digest);
    vb_trace_leaf_of_digest(7, 0x01020304, digest, other);
    assert_memory_equal(leaf, other, 32);
    vb_trace_leaf(8, 0x01020304, logits, 3, other);
    assert_memory_not_equal(leaf, other, 32);
    vb_trace_leaf(7, 0x01020305, logits, 3, other);
    assert_memory_not_equal(leaf, other, 32);
    vb_trace_leaf(7, 0x01020304, logits, 2, other);
    assert_memory_not_equal(leaf, other, 32);
    const float zero[] = {-0.0f, -1.5f, 3.25f};
    vb_trace_leaf(7, 0x01020304, zero, 3, other);
    assert_memory_not_equal(leaf, other, 32);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_roots),
        cmocka_unit_test(growing_equals_recursion),
        cmocka_unit_test(every_leaf_opens_and_nothing_else),
        cmocka_unit_test(leaves_bind_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
