/* RFC 8032's vectors, strictness, and key files. */
#include <stdbool.h>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "base/bytes.h"
#include "crypto/ed25519.h"
#include "unit/crypto/temp_dir.h"

static const char *const vectors[][4] = {
    {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b"
     "4"
     "6bd25bf5f0595bbe24655141438e7a100b"},
    {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11"
     "d"
     "8c387b2eaeb4302aeeb00d291612bb0c00"},
    {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc"
     "6"
     "594a7c15e9716ed28dc027beceea1ec40a"},
};

static void rfc_8032(void **state) {
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        uint8_t seed[32], pub[32], msg[2], sig[64], out[64];
        size_t n = strlen(vectors[i][2]) / 2;
        vb_ed25519_key *k = NULL;
        assert_true(vb_hex_decode(vectors[i][0], seed, 32));
        assert_true(vb_hex_decode(vectors[i][1], pub, 32));
        assert_true(vb_hex_decode(vectors[i][2], msg, n));
        assert_true(vb_hex_decode(vectors[i][3], sig, 64));
        assert_int_equal(vb_ed25519_from_seed(seed, &k, NULL), VB_OK);
        vb_ed25519_public(k, out);
        assert_memory_equal(out, pub, 32);
        assert_int_equal(vb_ed25519_sign(k, msg, n, out, NULL), VB_OK);
        assert_memory_equal(out, sig, 64);
        assert_int_equal(vb_ed25519_verify(pub, 32, msg, n, sig, 64, NULL), VB_OK);
        vb_ed25519_close(k);
    }
}

static void any_change_is_refused(void **state) {
    uint8_t pub[32], msg[2], sig[64];
    (void)state;
    assert_true(vb_hex_decode(vectors[2][1], pub, 32));
    assert_true(vb_hex_decode(vectors[2][2], msg, 2));
    assert_true(vb_hex_decode(vectors[2][3], sig, 64));
    for (size_t i = 0; i < 8 * (32 + 2 + 64); i++) {
        uint8_t *p = i / 8 < 32   ? pub + i / 8
                     : i / 8 < 34 ? msg + (i / 8 - 32)
                                  : sig + (i / 8 - 34);
        *p ^= (uint8_t)(1 << i % 8);
        vb_err err = vb_ed25519_verify(pub, 32, msg, 2, sig, 64, NULL);
        assert_true(err == VB_EMISMATCH || err == VB_EFORMAT);
        *p ^= (uint8_t)(1 << i % 8);
    }
    assert_int_equal(vb_ed25519_verify(pub, 31, msg, 2, sig, 64, NULL), VB_EFORMAT);
    assert_int_equal(vb_ed25519_verify(pub, 33, msg, 2, sig, 64, NULL), VB_EFORMAT);
    assert_int_equal(vb_ed25519_verify(pub, 32, msg, 2, sig, 63, NULL), VB_EFORMAT);
    assert_int_equal(vb_ed25519_verify(pub, 32, msg, 2, sig, 65, NULL), VB_EFORMAT);
    assert_int_equal(vb_ed25519_verify(pub, 32, msg, 1, sig, 64, NULL), VB_EMISMATCH);
    assert_int_equal(vb_ed25519_verify(pub, 32, msg, 2, sig, 64, NULL), VB_OK);
}

/* S + L verifies the same equation; RFC 8032 refuses it. */
static void a_second_form_of_a_signature_is_refused(void **state) {
    static const uint8_t order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,       0xd6,
                                      0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, [31] = 0x10};
    uint8_t pub[32], sig[64];
    unsigned carry = 0;
    (void)state;
    assert_true(vb_hex_decode(vectors[0][1], pub, 32));
    assert_true(vb_hex_decode(vectors[0][3], sig, 64));
    for (int i = 0; i < 32; i++) {
        carry += sig[32 + i] + order[i];
        sig[32 + i] = (uint8_t)carry;
        carry >>= 8;
    }
    assert_int_equal(vb_ed25519_verify(pub, 32, "", 0, sig, 64, NULL), VB_EMISMATCH);
}

static void keys_of_small_order_are_refused(void **state) {
    static const char *const bad[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"};
    uint8_t pub[32], sig[64] = {1};
    (void)state;
    for (size_t i = 0; i < 2 * sizeof bad / sizeof bad[0]; i++) {
        assert_true(vb_hex_decode(bad[i / 2], pub, 32));
        pub[31] |= (uint8_t)(i % 2 ? 0x80 : 0);
        assert_int_equal(vb_ed25519_verify(pub, 32, "x", 1, sig, 64, NULL), VB_EFORMAT);
    }
}

static char dir[64];

static void key_files(void **state) {
    vb_ed25519_key *k = NULL, *back = NULL;
    uint8_t a[32], b[32];
    struct stat st;
    vb_error e;
    const char *path = temp_path(dir, "key.pem");
    (void)state;
    umask(0);
    assert_int_equal(vb_ed25519_generate(&k, NULL), VB_OK);
    assert_int_equal(vb_ed25519_save(k, path, NULL), VB_OK);
    assert_int_equal(temp_dir_count(dir), 1); /* no temporary file stays */
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(vb_ed25519_load(path, &back, NULL), VB_OK);
    vb_ed25519_public(k, a);
    vb_ed25519_public(back, b);
    assert_memory_equal(a, b, 32);
    vb_ed25519_close(back);

    /* Never overwritten. */
    vb_ed25519_key *other;
    assert_int_equal(vb_ed25519_generate(&other, NULL), VB_OK);
    assert_int_equal(vb_ed25519_save(other, path, &e), VB_EIO);
    assert_non_null(strstr(e.msg, "key.pem"));
    assert_int_equal(temp_dir_count(dir), 1);
    assert_int_equal(vb_ed25519_load(path, &back, NULL), VB_OK);
    vb_ed25519_public(back, b);
    assert_memory_equal(a, b, 32);
    vb_ed25519_close(back);
    vb_ed25519_close(other);
    vb_ed25519_close(k);

    static const unsigned modes[] = {0604, 0640, 0660, 0644, 0620, 0602, 0777, 0601};
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        assert_int_equal(chmod(path, modes[i]), 0);
        assert_int_equal(vb_ed25519_load(path, &back, &e), VB_EINVAL);
        assert_non_null(strstr(e.msg, "mode"));
    }
    assert_int_equal(chmod(path, 0400), 0);
    assert_int_equal(vb_ed25519_load(path, &back, NULL), VB_OK);
    vb_ed25519_close(back);
    assert_int_equal(vb_ed25519_load(temp_path(dir, "none"), &back, &e), VB_EIO);
    assert_int_equal(vb_ed25519_load(dir, &back, &e), VB_EINVAL);
}

static size_t pem_of(EVP_PKEY *pkey, const char *password, char *out, size_t max) {
    BIO *bio = BIO_new(BIO_s_mem());
    char *p;
    assert_int_equal(PEM_write_bio_PKCS8PrivateKey(bio, pkey, password ? EVP_aes_128_cbc() : NULL,
                                                   password, password ? (int)strlen(password) : 0,
                                                   NULL, NULL),
                     1);
    size_t n = (size_t)BIO_get_mem_data(bio, &p);
    assert_true(n < max);
    memcpy(out, p, n);
    out[n] = 0;
    BIO_free(bio);
    return n;
}

static void assert_no_key(const char *text, size_t n) {
    vb_ed25519_key *k = NULL;
    vb_error e = {0};
    const char *path = temp_path(dir, "bad.pem");
    temp_write(path, text, n, 0600);
    assert_int_equal(vb_ed25519_load(path, &k, &e), VB_EFORMAT);
    assert_null(k);
    assert_non_null(strstr(e.msg, "bad.pem"));
    unlink(path);
}

static void other_files_are_no_keys(void **state) {
    char pem[2048], two[4096];
    EVP_PKEY *ed = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    EVP_PKEY *x = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
    (void)state;
    assert_no_key("", 0);
    assert_no_key("hello\n", 6);
    size_t n = pem_of(x, NULL, pem, sizeof pem);
    assert_no_key(pem, n);
    n = pem_of(ed, "secret", pem, sizeof pem); /* must not ask the terminal */
    assert_no_key(pem, n);
    n = pem_of(ed, NULL, pem, sizeof pem);
    assert_no_key(pem, n - 2);
    snprintf(two, sizeof two, "%s%s", pem, pem);
    assert_no_key(two, 2 * n);
    snprintf(two, sizeof two, "%s\n", pem);
    assert_no_key(two, n + 1);
    pem[n / 2] ^= 1;
    vb_ed25519_key *k = NULL;
    const char *path = temp_path(dir, "flip.pem");
    temp_write(path, pem, n, 0600);
    vb_err err = vb_ed25519_load(path, &k, NULL); /* another key, or none: never a crash */
    assert_true(err == VB_OK || err == VB_EFORMAT);
    if (!err) {
        vb_ed25519_close(k);
    }
    memset(two, 'A', sizeof two);
    temp_write(path, two, sizeof two, 0600);
    assert_int_equal(vb_ed25519_load(path, &k, NULL), VB_EFORMAT);
    char *big = calloc(1, 8192);
    assert_non_null(big);
    temp_write(path, big, 8192, 0600);
    assert_int_equal(vb_ed25519_load(path, &k, NULL), VB_ELIMIT);
    free(big);
    EVP_PKEY_free(ed);
    EVP_PKEY_free(x);
}

static int setup(void **state) {
    (void)state;
    temp_dir_make(dir);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    temp_dir_remove(dir);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc_8032),
        cmocka_unit_test(any_change_is_refused),
        cmocka_unit_test(a_second_form_of_a_signature_is_refused),
        cmocka_unit_test(keys_of_small_order_are_refused),
        cmocka_unit_test(key_files),
        cmocka_unit_test(other_files_are_no_keys),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
