/* The tree against the definition of RFC 6962 section 2.1, written down as it stands there. */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "support/testing.h"
#include "tlog/tree.h"

enum { SMALL = 300, PAIRS = 130, LARGE_BITS = 20 };

static vb_tlog_hash small[SMALL];

/* Leaf i is the hash of the number i. */
static vb_tlog_hash leaf(uint64_t i) {
    uint8_t bytes[8];
    vb_tlog_hash h;
    vb_store_u64be(bytes, i);
    vb_tlog_leaf_hash(bytes, sizeof bytes, &h);
    return h;
}

static int make_leaves(void **state) {
    (void)state;
    for (size_t i = 0; i < SMALL; i++) {
        small[i] = leaf(i);
    }
    return 0;
}

/* The definition, from bytes to bytes. */

static vb_tlog_hash define_root(const vb_tlog_hash *d, size_t n) {
    vb_tlog_hash out;
    if (n == 0) {
        vb_sha256_of("", 0, out.bytes);
        return out;
    }
    if (n == 1) {
        return d[0];
    }
    size_t k = 1;
    while (2 * k < n) {
        k *= 2;
    }
    vb_tlog_hash left = define_root(d, k), right = define_root(d + k, n - k);
    uint8_t node[65] = {1};
    memcpy(node + 1, left.bytes, 32);
    memcpy(node + 33, right.bytes, 32);
    vb_sha256_of(node, sizeof node, out.bytes);
    return out;
}

/* PATH(m, D[n]) of section 2.1.1; the number of hashes. */
static size_t define_path(size_t m, const vb_tlog_hash *d, size_t n, vb_tlog_hash *out) {
    if (n == 1) {
        return 0;
    }
    size_t k = 1;
    while (2 * k < n) {
        k *= 2;
    }
    size_t at = m < k ? define_path(m, d, k, out) : define_path(m - k, d + k, n - k, out);
    out[at] = m < k ? define_root(d + k, n - k) : define_root(d, k);
    return at + 1;
}

/* SUBPROOF(m, D[n], whole) of section 2.1.2. */
static size_t define_subproof(size_t m, const vb_tlog_hash *d, size_t n, bool whole,
                              vb_tlog_hash *out) {
    if (m == n) {
        out[0] = define_root(d, n);
        return whole ? 0 : 1;
    }
    size_t k = 1;
    while (2 * k < n) {
        k *= 2;
    }
    size_t at = m <= k ? define_subproof(m, d, k, whole, out)
                       : define_subproof(m - k, d + k, n - k, false, out);
    out[at] = m <= k ? define_root(d + k, n - k) : define_root(d, k);
    return at + 1;
}

/* Full subtrees, as a log's tiles would give them. */

typedef struct levels {
    vb_tlog_hash *hash[LARGE_BITS + 1]; /* [level][index] */
    uint64_t n[LARGE_BITS + 1];
    uint64_t size, reads;
    uint64_t fail_at; /* the read that fails; 0: none */
} levels;

static void keep(void *user, unsigned level, uint64_t index, const vb_tlog_hash *hash) {
    levels *l = user;
    assert_true(level <= LARGE_BITS);
    assert_int_equal(index, l->n[level]); /* each once, in order */
    assert_int_equal((index + 1) << level, l->size + 1);
    l->hash[level][l->n[level]++] = *hash;
}

static vb_err give(void *user, unsigned level, uint64_t index, vb_tlog_hash *out, vb_error *e) {
    levels *l = user;
    assert_true(level <= LARGE_BITS && index < l->n[level]);
    assert_true((index + 1) << level <= l->size); /* never beyond the tree that is asked about */
    if (++l->reads == l->fail_at) {
        return vb_fail(e, VB_EIO, "read %d", (int)l->reads);
    }
    *out = l->hash[level][index];
    return VB_OK;
}

static void levels_make(levels *l) {
    memset(l, 0, sizeof *l);
    for (unsigned i = 0; i <= LARGE_BITS; i++) {
        l->hash[i] = malloc(((size_t)1 << (LARGE_BITS - i)) * sizeof(vb_tlog_hash));
        assert_non_null(l->hash[i]);
    }
}

static void levels_free(levels *l) {
    for (unsigned i = 0; i <= LARGE_BITS; i++) {
        free(l->hash[i]);
    }
}

static void assert_hash(const vb_tlog_hash *a, const vb_tlog_hash *b) {
    assert_memory_equal(a->bytes, b->bytes, sizeof a->bytes);
}

static void assert_path(const vb_tlog_hash *a, size_t n_a, const vb_tlog_hash *b, size_t n_b) {
    assert_int_equal(n_a, n_b);
    assert_memory_equal(a, b, n_a * sizeof *a);
}

/* Tests */

static void test_known(void **state) {
    (void)state;
    /* Certificate Transparency's own vectors, for the eight inputs of its reference test. */
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
    vb_tlog_range r;
    vb_tlog_hash h;
    char hex[65];
    vb_tlog_range_begin(&r);
    vb_tlog_range_root(&r, &h);
    vb_hex_encode(h.bytes, 32, hex);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    for (size_t i = 0; i < sizeof inputs / sizeof inputs[0]; i++) {
        uint8_t bytes[16];
        size_t n = strlen(inputs[i]) / 2;
        assert_true(vb_hex_decode(inputs[i], bytes, n));
        vb_tlog_leaf_hash(bytes, n, &h);
        assert_int_equal(vb_tlog_range_add(&r, &h, NULL, NULL, NULL), VB_OK);
        vb_tlog_range_root(&r, &h);
        vb_hex_encode(h.bytes, 32, hex);
        assert_string_equal(hex, roots[i]);
    }
}

static void test_roots_and_paths(void **state) {
    (void)state;
    vb_tlog_range r;
    vb_tlog_hash root, again, path[VB_TLOG_PATH_MAX], want[VB_TLOG_PATH_MAX];
    levels l;
    size_t n;
    levels_make(&l);
    vb_tlog_range_begin(&r);
    for (size_t size = 0; size <= SMALL; size++) {
        l.size = size;
        root = define_root(small, size);
        vb_tlog_range_root(&r, &again);
        assert_hash(&again, &root);
        assert_int_equal(vb_tlog_root(size, give, &l, &again, NULL), VB_OK);
        assert_hash(&again, &root);
        for (size_t i = 0; i < size && size <= PAIRS; i++) {
            assert_int_equal(vb_tlog_prove(i, size, give, &l, path, &n, NULL), VB_OK);
            assert_path(path, n, want, define_path(i, small, size, want));
            assert_true(vb_tlog_included(&small[i], i, size, path, n, &root));
            assert_false(vb_tlog_included(&small[i], i, size, path, n + 1, &root));
            assert_false(n && vb_tlog_included(&small[i], i, size, path, n - 1, &root));
            assert_false(size > 1 &&
                         vb_tlog_included(&small[(i + 1) % size], i, size, path, n, &root));
        }
        if (size < SMALL) {
            assert_int_equal(vb_tlog_range_add(&r, &small[size], keep, &l, NULL), VB_OK);
        }
    }
    assert_int_equal(r.size, SMALL);
    levels_free(&l);
}

/* A path that leads to root at one place of one tree leads to it at no other place of it, and in no
 * other tree with as many hashes but where the place is the same in both. */
static void test_place(void **state) {
    (void)state;
    vb_tlog_hash path[VB_TLOG_PATH_MAX];
    for (size_t size = 1; size <= 40; size++) {
        vb_tlog_hash root = define_root(small, size);
        for (size_t i = 0; i < size; i++) {
            size_t n = define_path(i, small, size, path);
            for (size_t j = 0; j < size + 3; j++) {
                assert_int_equal(vb_tlog_included(&small[i], j, size, path, n, &root), j == i);
            }
        }
        assert_false(vb_tlog_included(&small[0], 0, 0, path, 0, &root));
    }
}

static void assert_consistency(levels *l, size_t old, size_t size, const vb_tlog_hash *root) {
    vb_tlog_hash old_root = define_root(small, old), path[VB_TLOG_PATH_MAX + 1];
    vb_tlog_hash want[VB_TLOG_PATH_MAX], first, second;
    size_t n;
    assert_int_equal(vb_tlog_prove_consistency(old, size, give, l, path, &n, NULL), VB_OK);
    assert_path(path, n, want, define_subproof(old, small, size, true, want));
    assert_true(vb_tlog_consistent(old, &old_root, size, root, path, n));
    path[n] = path[0];
    assert_false(vb_tlog_consistent(old, &old_root, size, root, path, n + 1));
    assert_false(n && vb_tlog_consistent(old, &old_root, size, root, path, n - 1));
    assert_false(vb_tlog_consistent(old, &small[7], size, root, path, n));
    assert_false(vb_tlog_consistent(old, &old_root, size, &small[7], path, n));
    if (old == size) {
        return;
    }
    bool known = (old & (old - 1)) == 0;
    assert_int_equal(vb_tlog_prove_prefix(old, size, give, l, path, &n, NULL), VB_OK);
    size_t n_want = define_subproof(old, small, size, true, want + known);
    want[0] = known ? old_root : want[0];
    assert_path(path, n, want, n_want + known);
    assert_true(vb_tlog_prefix_roots(old, size, path, n, &first, &second));
    assert_hash(&first, &old_root);
    assert_hash(&second, root);
    path[n] = path[0];
    assert_false(vb_tlog_prefix_roots(old, size, path, n + 1, &first, &second));
    assert_false(vb_tlog_prefix_roots(old, size, path, n - 1, &first, &second));
    assert_false(vb_tlog_prefix_roots(old, size, path, 0, &first, &second));
}

static void test_consistency(void **state) {
    (void)state;
    levels l;
    levels_make(&l);
    vb_tlog_range r;
    vb_tlog_range_begin(&r);
    for (size_t size = 1; size <= PAIRS; size++) {
        l.size = size - 1;
        assert_int_equal(vb_tlog_range_add(&r, &small[size - 1], keep, &l, NULL), VB_OK);
        l.size = size;
        vb_tlog_hash root = define_root(small, size);
        for (size_t old = 1; old <= size; old++) {
            assert_consistency(&l, old, size, &root);
        }
    }
    levels_free(&l);
}

static void test_consistency_ends(void **state) {
    (void)state;
    vb_tlog_hash empty = define_root(small, 0), one = define_root(small, 1);
    vb_tlog_hash five = define_root(small, 5), path[VB_TLOG_PATH_MAX], a, b;
    size_t n = define_subproof(3, small, 5, true, path);
    assert_true(vb_tlog_consistent(0, &empty, 5, &five, NULL, 0));
    assert_true(vb_tlog_consistent(0, &empty, 0, &empty, NULL, 0));
    assert_false(vb_tlog_consistent(0, &one, 5, &five, NULL, 0));
    assert_false(vb_tlog_consistent(0, &empty, 5, &five, path, 1));
    assert_true(vb_tlog_consistent(5, &five, 5, &five, NULL, 0));
    assert_false(vb_tlog_consistent(5, &one, 5, &five, NULL, 0));
    assert_false(vb_tlog_consistent(5, &five, 5, &five, path, n));
    assert_false(vb_tlog_consistent(6, &five, 5, &five, path, n));
    assert_false(vb_tlog_consistent(3, &five, VB_TLOG_SIZE_MAX + 1, &five, path, n));
    assert_false(vb_tlog_prefix_roots(0, 5, path, n, &a, &b));
    assert_false(vb_tlog_prefix_roots(5, 5, path, n, &a, &b));
    assert_false(vb_tlog_prefix_roots(6, 5, path, n, &a, &b));
    assert_false(vb_tlog_prefix_roots(3, VB_TLOG_SIZE_MAX + 1, path, n, &a, &b));
}

/* Every byte of a path, a leaf or a root that is changed is noticed. */
static void test_mutations(void **state) {
    (void)state;
    const size_t index = 77, old = 89, size = 130;
    vb_tlog_hash root = define_root(small, size), old_root = define_root(small, old);
    vb_tlog_hash path[VB_TLOG_PATH_MAX], a, b;
    size_t n = define_path(index, small, size, path);
    uint8_t *bytes = path[0].bytes;
    for (size_t i = 0; i < n * 32; i++) {
        bytes[i] ^= (uint8_t)(1u << i % 8);
        assert_false(vb_tlog_included(&small[index], index, size, path, n, &root));
        bytes[i] ^= (uint8_t)(1u << i % 8);
    }
    n = define_subproof(old, small, size, true, path);
    for (size_t i = 0; i < n * 32; i++) {
        bytes[i] ^= (uint8_t)(1u << i % 8);
        assert_false(vb_tlog_consistent(old, &old_root, size, &root, path, n));
        assert_true(vb_tlog_prefix_roots(old, size, path, n, &a, &b));
        assert_false(vb_tlog_hash_equal(&a, &old_root) && vb_tlog_hash_equal(&b, &root));
        bytes[i] ^= (uint8_t)(1u << i % 8);
    }
    assert_true(vb_tlog_consistent(old, &old_root, size, &root, path, n));
}

/* Sizes up to 2^20, where the tests' definition goes over half a million leaves a time. */
static void test_large(void **state) {
    (void)state;
    const uint64_t most = (uint64_t)1 << LARGE_BITS;
    vb_tlog_hash *leaves = malloc(most * sizeof *leaves), path[VB_TLOG_PATH_MAX], a, b;
    vb_tlog_range r;
    levels l;
    uint64_t seed = 20261123;
    size_t n;
    assert_non_null(leaves);
    levels_make(&l);
    vb_tlog_range_begin(&r);
    for (; l.size < most; l.size++) {
        leaves[l.size] = leaf(l.size);
        assert_int_equal(vb_tlog_range_add(&r, &leaves[l.size], keep, &l, NULL), VB_OK);
    }
    for (int i = 0; i < 6; i++) {
        uint64_t size = i == 0 ? most : 2 + vb_test_random(&seed) % (most - 2);
        uint64_t index = vb_test_random(&seed) % size, old = 1 + vb_test_random(&seed) % size;
        vb_tlog_hash root = define_root(leaves, size), old_root = define_root(leaves, old);
        l.size = size;
        l.reads = 0;
        assert_int_equal(vb_tlog_root(size, give, &l, &a, NULL), VB_OK);
        assert_hash(&a, &root);
        assert_int_equal(vb_tlog_prove(index, size, give, &l, path, &n, NULL), VB_OK);
        assert_true(vb_tlog_included(&leaves[index], index, size, path, n, &root));
        assert_int_equal(vb_tlog_prove_consistency(old, size, give, &l, path, &n, NULL), VB_OK);
        assert_true(vb_tlog_consistent(old, &old_root, size, &root, path, n));
        if (old < size) {
            assert_int_equal(vb_tlog_prove_prefix(old, size, give, &l, path, &n, NULL), VB_OK);
            assert_true(vb_tlog_prefix_roots(old, size, path, n, &a, &b));
            assert_hash(&a, &old_root);
            assert_hash(&b, &root);
        }
        assert_true(l.reads < 5 * 3 * LARGE_BITS);
    }
    levels_free(&l);
    free(leaves);
}

/* The longest paths that there are, in a tree of 2^40 leaves that only its reader knows. */
static vb_err invent(void *user, unsigned level, uint64_t index, vb_tlog_hash *out, vb_error *e) {
    (void)e;
    assert_true((index + 1) << level <= *(const uint64_t *)user);
    memset(out, 0, sizeof *out);
    vb_store_u64be(out->bytes, index);
    out->bytes[31] = (uint8_t)level;
    return VB_OK;
}

static void test_longest(void **state) {
    (void)state;
    uint64_t size = VB_TLOG_SIZE_MAX;
    vb_tlog_hash path[VB_TLOG_PATH_MAX];
    size_t n;
    assert_int_equal(vb_tlog_prove(size - 1, size, invent, &size, path, &n, NULL), VB_OK);
    assert_int_equal(n, VB_TLOG_SIZE_BITS_MAX);
    assert_int_equal(vb_tlog_prove_consistency(size - 1, size, invent, &size, path, &n, NULL),
                     VB_OK);
    assert_int_equal(n, VB_TLOG_SIZE_BITS_MAX + 1);
    assert_int_equal(vb_tlog_prove_prefix(1, size, invent, &size, path, &n, NULL), VB_OK);
    assert_int_equal(n, VB_TLOG_SIZE_BITS_MAX + 1);
    size = VB_TLOG_SIZE_MAX - 1;
    assert_int_equal(vb_tlog_prove(size - 1, size, invent, &size, path, &n, NULL), VB_OK);
    assert_true(n <= VB_TLOG_PATH_MAX);
}

static void test_full(void **state) {
    (void)state;
    vb_error e = {0};
    vb_tlog_hash h;
    vb_tlog_range *r = calloc(1, sizeof *r);
    assert_non_null(r);
    r->size = VB_TLOG_SIZE_MAX - 1;
    assert_int_equal(vb_tlog_range_add(r, &small[0], NULL, NULL, &e), VB_OK);
    assert_int_equal(r->size, VB_TLOG_SIZE_MAX);
    vb_tlog_range_root(r, &h);
    assert_hash(&h, &r->subtree[VB_TLOG_SIZE_BITS_MAX]);
    assert_int_equal(vb_tlog_range_add(r, &small[0], NULL, NULL, &e), VB_ELIMIT);
    assert_int_equal(r->size, VB_TLOG_SIZE_MAX);
    free(r);
}

/* What can not be read is said, and nothing is given out. */
static void test_read_errors(void **state) {
    (void)state;
    vb_tlog_range r;
    vb_tlog_hash path[VB_TLOG_PATH_MAX], root;
    vb_error e;
    levels l;
    levels_make(&l);
    vb_tlog_range_begin(&r);
    for (; l.size < 107; l.size++) {
        assert_int_equal(vb_tlog_range_add(&r, &small[l.size], keep, &l, NULL), VB_OK);
    }
    for (int what = 0; what < 4; what++) {
        vb_err err = VB_EIO;
        for (l.fail_at = 1; err; l.fail_at++) {
            size_t n = 99;
            l.reads = 0;
            e = (vb_error){0};
            err = what == 0   ? vb_tlog_root(107, give, &l, &root, &e)
                  : what == 1 ? vb_tlog_prove(50, 107, give, &l, path, &n, &e)
                  : what == 2 ? vb_tlog_prove_consistency(85, 107, give, &l, path, &n, &e)
                              : vb_tlog_prove_prefix(64, 107, give, &l, path, &n, &e);
            assert_true(!err || (err == VB_EIO && e.msg[0] && n == 99));
        }
        assert_true(l.fail_at > 4); /* several reads failed, one at a time */
    }
    levels_free(&l);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known),
        cmocka_unit_test(test_roots_and_paths),
        cmocka_unit_test(test_place),
        cmocka_unit_test(test_consistency),
        cmocka_unit_test(test_consistency_ends),
        cmocka_unit_test(test_mutations),
        cmocka_unit_test(test_large),
        cmocka_unit_test(test_longest),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_read_errors),
    };
    return cmocka_run_group_tests(tests, make_leaves, NULL);
}
