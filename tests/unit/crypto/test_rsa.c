/* RSA keys out of certificates, and signatures under them; the certificates are made here. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "crypto/rsa.h"
#include "crypto/sha512.h"
#include "support/testing.h"

enum { KEY_BITS = 2048, KEY_BYTES = KEY_BITS / 8, DER_BYTES = 4096 };

/* Two keys, of e = 65537 and e = 3: a small exponent is what forgers of signatures look for. */
static EVP_PKEY *ours, *small_exponent;

static const char message[] = "one pulse of a beacon";

typedef struct certificate {
    uint8_t der[DER_BYTES];
    size_t n;
} certificate;

/* Of the subject's key, signed by ours, and long expired. */
static certificate certificate_of(EVP_PKEY *subject) {
    certificate c = {.n = 0};
    X509 *x = X509_new();
    assert_non_null(x);
    assert_int_equal(X509_set_version(x, X509_VERSION_3), 1);
    assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(x), 7), 1);
    assert_int_equal(ASN1_TIME_set_string(X509_getm_notBefore(x), "900101000000Z"), 1);
    assert_int_equal(ASN1_TIME_set_string(X509_getm_notAfter(x), "910101000000Z"), 1);
    assert_int_equal(X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
                                                (const unsigned char *)"beacon", -1, -1, 0),
                     1);
    assert_int_equal(X509_set_pubkey(x, subject), 1);
    assert_true(X509_sign(x, ours, EVP_sha256()) > 0);
    int n = i2d_X509(x, NULL);
    assert_in_range(n, 1, DER_BYTES);
    uint8_t *p = c.der;
    c.n = (size_t)i2d_X509(x, &p);
    X509_free(x);
    return c;
}

/* A public key of any modulus and exponent; takes both. */
static EVP_PKEY *key_of_numbers(BIGNUM *modulus, BIGNUM *exponent) {
    EVP_PKEY *pkey = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    assert_int_equal(OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, modulus), 1);
    assert_int_equal(OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, exponent), 1);
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
    assert_int_equal(EVP_PKEY_fromdata_init(ctx), 1);
    assert_int_equal(EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params), 1);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    EVP_PKEY_CTX_free(ctx);
    BN_free(modulus);
    BN_free(exponent);
    return pkey;
}

/* 2^(bits - 1) + low */
static BIGNUM *modulus_of(int bits, unsigned low) {
    BIGNUM *n = BN_new();
    assert_int_equal(BN_set_bit(n, bits - 1), 1);
    assert_int_equal(BN_add_word(n, low), 1);
    return n;
}

static BIGNUM *number_of(const char *hex) {
    BIGNUM *n = NULL;
    assert_int_equal(BN_hex2bn(&n, hex), strlen(hex));
    return n;
}

static void assert_no_key(const void *der, size_t n, vb_err code, const char *words) {
    vb_rsa_key *k = NULL;
    vb_error e = {0};
    assert_int_equal(vb_rsa_open_certificate(der, n, &k, &e), code);
    assert_int_equal(e.code, code);
    assert_non_null(strstr(e.msg, words));
    assert_null(k);
    assert_int_equal(ERR_peek_error(), 0);
}

/* Takes pkey. */
static void assert_key_refused(EVP_PKEY *pkey, vb_err code, const char *words) {
    assert_non_null(pkey);
    certificate c = certificate_of(pkey);
    assert_no_key(c.der, c.n, code, words);
    EVP_PKEY_free(pkey);
}

static void assert_key_accepted(EVP_PKEY *pkey) {
    certificate c = certificate_of(pkey);
    vb_rsa_key *k = NULL;
    assert_int_equal(vb_rsa_open_certificate(c.der, c.n, &k, NULL), VB_OK);
    assert_int_equal(ERR_peek_error(), 0);
    vb_rsa_close(k);
    EVP_PKEY_free(pkey);
}

static void sizes_of_keys(void **state) {
    (void)state;
    assert_key_accepted(key_of_numbers(modulus_of(2048, 1), number_of("010001")));
    assert_key_accepted(key_of_numbers(modulus_of(8192, 1), number_of("010001")));
    assert_key_refused(key_of_numbers(modulus_of(2047, 1), number_of("010001")), VB_EUNSUPPORTED,
                       "2047 bits");
    assert_key_refused(key_of_numbers(modulus_of(8193, 1), number_of("010001")), VB_EUNSUPPORTED,
                       "8193 bits");
    assert_key_refused(key_of_numbers(modulus_of(512, 1), number_of("03")), VB_EUNSUPPORTED,
                       "512 bits");
}

static void numbers_of_keys(void **state) {
    static const char *const good[] = {"03", "05", "010001", "FFFFFFFFFFFFFFFF"};
    static const char *const bad[] = {"00", "01", "02", "04", "010000", "010000000000000001"};
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_key_accepted(key_of_numbers(modulus_of(2048, 1), number_of(good[i])));
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_key_refused(key_of_numbers(modulus_of(2048, 1), number_of(bad[i])), VB_EFORMAT,
                           "exponent");
    }
    assert_key_refused(key_of_numbers(modulus_of(2048, 2), number_of("010001")), VB_EFORMAT,
                       "modulus is even");
}

static void keys_of_other_kinds(void **state) {
    (void)state;
    assert_key_refused(EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256"), VB_EUNSUPPORTED, "not an RSA");
    assert_key_refused(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), VB_EUNSUPPORTED, "not an RSA");
    EVP_PKEY *pss = NULL; /* RSA, but for RSASSA-PSS alone */
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA-PSS", NULL);
    assert_int_equal(EVP_PKEY_keygen_init(ctx), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, KEY_BITS), 1);
    assert_int_equal(EVP_PKEY_generate(ctx, &pss), 1);
    EVP_PKEY_CTX_free(ctx);
    assert_key_refused(pss, VB_EUNSUPPORTED, "not an RSA");
}

static void exactly_one_certificate(void **state) {
    certificate c = certificate_of(ours);
    uint8_t two[2 * DER_BYTES];
    (void)state;
    for (size_t n = 0; n < c.n; n++) {
        uint8_t *cut = malloc(n ? n : 1); /* exactly, for the sanitizers */
        assert_non_null(cut);
        memcpy(cut, c.der, n);
        assert_no_key(cut, n, VB_EFORMAT, "exactly one");
        free(cut);
    }
    memcpy(two, c.der, c.n);
    two[c.n] = 0;
    assert_no_key(two, c.n + 1, VB_EFORMAT, "exactly one");
    memcpy(two + c.n, c.der, c.n);
    assert_no_key(two, 2 * c.n, VB_EFORMAT, "exactly one");
    uint8_t *large = calloc(1, VB_CERTIFICATE_BYTES_MAX + 1);
    assert_non_null(large);
    assert_no_key(large, VB_CERTIFICATE_BYTES_MAX + 1, VB_ELIMIT, "at most");
    assert_no_key(large, VB_CERTIFICATE_BYTES_MAX, VB_EFORMAT, "exactly one");
    free(large);
}

/* OpenSSL reads a length with leading zeroes, which DER does not have: of the certificate, and of
 * the signed part in it. */
static void other_encodings_of_a_certificate(void **state) {
    certificate c = certificate_of(ours);
    (void)state;
    for (size_t at = 0; at <= 4; at += 4) {
        uint8_t longer[DER_BYTES + 1];
        assert_int_equal(c.der[at], 0x30);
        assert_int_equal(c.der[at + 1], 0x82);
        memcpy(longer, c.der, at);
        longer[at] = 0x30, longer[at + 1] = 0x83, longer[at + 2] = 0;
        memcpy(longer + at + 3, c.der + at + 2, c.n - at - 2);
        if (at) {
            longer[3]++; /* one byte more in the certificate */
            assert_int_not_equal(longer[3], 0);
        }
        const uint8_t *p = longer;
        X509 *x = d2i_X509(NULL, &p, (long)c.n + 1);
        assert_non_null(x);
        X509_free(x);
        assert_no_key(longer, c.n + 1, VB_EFORMAT, "DER");
    }
}

static void random_damage(void **state) {
    certificate c = certificate_of(ours);
    uint64_t rng = 3;
    (void)state;
    for (int i = 0; i < 3000; i++) {
        certificate damaged = c;
        vb_rsa_key *k = NULL;
        for (uint64_t left = 1 + vb_test_random(&rng) % 3; left; left--) {
            damaged.der[vb_test_random(&rng) % c.n] ^= (uint8_t)(1 + vb_test_random(&rng) % 255);
        }
        vb_err err = vb_rsa_open_certificate(damaged.der, damaged.n, &k, NULL);
        assert_true(err == VB_OK || err == VB_EFORMAT || err == VB_EUNSUPPORTED);
        assert_int_equal(ERR_peek_error(), 0);
        if (!err) { /* the damage was not in the key's form; verifying must be safe all the same */
            uint8_t signature[KEY_BYTES] = {1};
            assert_int_not_equal(
                vb_rsa_verify_sha512(k, message, sizeof message, signature, KEY_BYTES, NULL),
                VB_OK);
            vb_rsa_close(k);
        }
    }
}

static void sign(EVP_PKEY *pkey, const EVP_MD *digest, int padding, uint8_t out[KEY_BYTES]) {
    EVP_PKEY_CTX *options;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    size_t n = KEY_BYTES;
    assert_int_equal(EVP_DigestSignInit(ctx, &options, digest, NULL, pkey), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(options, padding), 1);
    assert_int_equal(EVP_DigestSign(ctx, out, &n, (const unsigned char *)message, sizeof message),
                     1);
    assert_int_equal(n, KEY_BYTES);
    EVP_MD_CTX_free(ctx);
}

static vb_rsa_key *open_key(EVP_PKEY *pkey) {
    certificate c = certificate_of(pkey);
    vb_rsa_key *k = NULL;
    assert_int_equal(vb_rsa_open_certificate(c.der, c.n, &k, NULL), VB_OK);
    return k;
}

static vb_err verify(const vb_rsa_key *k, const uint8_t signature[KEY_BYTES]) {
    vb_error e = {0};
    vb_err err = vb_rsa_verify_sha512(k, message, sizeof message, signature, KEY_BYTES, &e);
    assert_int_equal(e.code, err);
    assert_int_equal(ERR_peek_error(), 0);
    return err;
}

static void a_signature_and_every_bit_of_it(void **state) {
    vb_rsa_key *k = open_key(ours);
    uint8_t signature[KEY_BYTES];
    (void)state;
    sign(ours, EVP_sha512(), RSA_PKCS1_PADDING, signature);
    assert_int_equal(verify(k, signature), VB_OK);
    for (size_t bit = 0; bit < 8 * sizeof signature; bit++) {
        signature[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(verify(k, signature), VB_EMISMATCH);
        signature[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_int_equal(verify(k, signature), VB_OK);
    vb_rsa_close(k);
}

static void what_is_signed_by_whom(void **state) {
    vb_rsa_key *k = open_key(ours), *other = open_key(small_exponent);
    uint8_t signature[KEY_BYTES + 1] = {0};
    char changed[sizeof message];
    vb_error e = {0};
    (void)state;
    sign(ours, EVP_sha512(), RSA_PKCS1_PADDING, signature);
    assert_int_equal(verify(other, signature), VB_EMISMATCH);
    memcpy(changed, message, sizeof message);
    for (size_t bit = 0; bit < 8 * sizeof changed; bit++) {
        changed[bit / 8] ^= (char)(1 << bit % 8);
        assert_int_equal(
            vb_rsa_verify_sha512(k, changed, sizeof changed, signature, KEY_BYTES, NULL),
            VB_EMISMATCH);
        changed[bit / 8] ^= (char)(1 << bit % 8);
    }
    assert_int_equal(vb_rsa_verify_sha512(k, message, 0, signature, KEY_BYTES, NULL), VB_EMISMATCH);
    static const size_t lengths[] = {0, 1, KEY_BYTES - 1, KEY_BYTES + 1};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        assert_int_equal(
            vb_rsa_verify_sha512(k, message, sizeof message, signature, lengths[i], &e),
            VB_EFORMAT);
        assert_non_null(strstr(e.msg, "expected the key's 256"));
    }
    sign(ours, EVP_sha256(), RSA_PKCS1_PADDING, signature);
    assert_int_equal(verify(k, signature), VB_EMISMATCH);
    sign(ours, EVP_sha512(), RSA_PKCS1_PSS_PADDING, signature);
    assert_int_equal(verify(k, signature), VB_EMISMATCH);
    memset(signature, 0xff, KEY_BYTES); /* past the modulus */
    assert_int_equal(verify(k, signature), VB_EMISMATCH);
    memset(signature, 0, KEY_BYTES);
    assert_int_equal(verify(k, signature), VB_EMISMATCH);
    vb_rsa_close(k);
    vb_rsa_close(other);
    vb_rsa_close(NULL);
}

/* What stands before the digest in an encoded message: SHA-512's name with NULL parameters, and the
 * same without them. */
static const uint8_t name_with_null[] = {0x30, 0x51, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                                         0x65, 0x03, 0x04, 0x02, 0x03, 0x05, 0x00, 0x04, 0x40};
static const uint8_t name_alone[] = {0x30, 0x4f, 0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48,
                                     0x01, 0x65, 0x03, 0x04, 0x02, 0x03, 0x04, 0x40};

/* Signs 00 | 01 | n_padding times ff | 00 | name | digest | garbage up to the key's length. */
static void sign_by_hand(size_t n_padding, const uint8_t *name, size_t n_name, uint8_t padding,
                         uint8_t out[KEY_BYTES]) {
    uint8_t encoded[KEY_BYTES] = {0, 1}, digest[VB_SHA512_BYTES];
    size_t at = 2 + n_padding, n = KEY_BYTES;
    memset(encoded + 2, padding, n_padding);
    encoded[at++] = 0;
    memcpy(encoded + at, name, n_name);
    at += n_name;
    vb_sha512_of(message, sizeof message, digest);
    memcpy(encoded + at, digest, sizeof digest);
    at += sizeof digest;
    assert_true(at <= KEY_BYTES);
    memset(encoded + at, 0x5a, KEY_BYTES - at);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(small_exponent, NULL);
    assert_int_equal(EVP_PKEY_sign_init(ctx), 1);
    assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_NO_PADDING), 1);
    assert_int_equal(EVP_PKEY_sign(ctx, out, &n, encoded, sizeof encoded), 1);
    assert_int_equal(n, KEY_BYTES);
    EVP_PKEY_CTX_free(ctx);
}

static void encoded_messages_that_are_nearly_right(void **state) {
    enum { FULL = KEY_BYTES - 3 - (int)sizeof name_with_null - VB_SHA512_BYTES };
    enum { FULL_ALONE = KEY_BYTES - 3 - (int)sizeof name_alone - VB_SHA512_BYTES };
    vb_rsa_key *k = open_key(small_exponent);
    uint8_t signature[KEY_BYTES];
    (void)state;
    sign_by_hand(FULL, name_with_null, sizeof name_with_null, 0xff, signature);
    assert_int_equal(verify(k, signature), VB_OK); /* so the others are refused for what they say */
    static const size_t too_short[] = {0, 1, 8, FULL - 1};
    for (size_t i = 0; i < sizeof too_short / sizeof too_short[0]; i++) {
        sign_by_hand(too_short[i], name_with_null, sizeof name_with_null, 0xff, signature);
        assert_int_equal(verify(k, signature), VB_EMISMATCH);
    }
    sign_by_hand(FULL, name_with_null, sizeof name_with_null, 0xfe, signature);
    assert_int_equal(verify(k, signature), VB_EMISMATCH);
    sign_by_hand(FULL_ALONE, name_alone, sizeof name_alone, 0xff, signature);
    assert_int_equal(verify(k, signature), VB_EMISMATCH);
    uint8_t damaged[sizeof name_with_null];
    for (size_t bit = 0; bit < 8 * sizeof damaged; bit++) {
        memcpy(damaged, name_with_null, sizeof damaged);
        damaged[bit / 8] ^= (uint8_t)(1 << bit % 8);
        sign_by_hand(FULL, damaged, sizeof damaged, 0xff, signature);
        assert_int_equal(verify(k, signature), VB_EMISMATCH);
    }
    vb_rsa_close(k);
}

/* Appends the certificate's PEM block to text. */
static void append_pem(vb_buf *text, const certificate *c) {
    const uint8_t *p = c->der;
    char *pem;
    X509 *x = d2i_X509(NULL, &p, (long)c->n);
    BIO *bio = BIO_new(BIO_s_mem());
    assert_int_equal(PEM_write_bio_X509(bio, x), 1);
    long n = BIO_get_mem_data(bio, &pem);
    assert_int_equal(vb_buf_append(text, pem, (size_t)n), VB_OK);
    BIO_free(bio);
    X509_free(x);
}

static void append_text(vb_buf *text, const char *more) {
    assert_int_equal(vb_buf_append(text, more, strlen(more)), VB_OK);
}

static void assert_no_pem(const void *pem, size_t n, size_t max, vb_err code) {
    vb_buf der = vb_buf_make(max);
    vb_error e = {0};
    assert_int_equal(vb_buf_append(&der, "as before", 9), VB_OK);
    assert_int_equal(vb_certificate_from_pem(pem, n, &der, &e), code);
    assert_int_equal(e.code, code);
    assert_int_not_equal(e.msg[0], 0);
    assert_string_equal((const char *)der.data, "as before");
    assert_int_equal(ERR_peek_error(), 0);
    vb_buf_free(&der);
}

static void the_first_block_of_a_pem_file(void **state) {
    certificate first = certificate_of(ours), second = certificate_of(small_exponent);
    vb_buf text = vb_buf_make(1 << 16), der = vb_buf_make(VB_CERTIFICATE_BYTES_MAX);
    (void)state;
    append_text(&text, "subject=CN = beacon\n\n-----BEGIN PUBLIC KEY-----\nAAAA\n"
                       "-----END PUBLIC KEY-----\n");
    append_pem(&text, &first);
    append_pem(&text, &second);
    append_text(&text, "-----BEGIN CERTIFICATE-----\nno certificate");
    assert_int_equal(vb_certificate_from_pem(text.data, text.len, &der, NULL), VB_OK);
    assert_int_equal(der.len, first.n);
    assert_memory_equal(der.data, first.der, first.n);
    assert_no_pem(text.data, text.len, 9 + first.n - 1, VB_ELIMIT);
    vb_buf_free(&text);
    vb_buf_free(&der);
}

static void what_is_no_pem_file(void **state) {
    static const char *const bad[] = {
        "",
        "no certificate\n",
        "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----",
        "-----BEGIN CERTIFICATE-----\nMAA=\n",
        "-----BEGIN CERTIFICATE-----\nMAA=\n-----END PUBLIC KEY-----\n",
        "-----BEGIN CERTIFICATE-----\nM*A=\n-----END CERTIFICATE-----\n",
        "-----BEGIN PUBLIC KEY-----\nMAA=\n-----END PUBLIC KEY-----\n",
        /* must not ask the terminal for a passphrase */
        "-----BEGIN CERTIFICATE-----\nProc-Type: 4,ENCRYPTED\n"
        "DEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF\n\n"
        "AAAAAAAAAAAAAAAAAAAAAA==\n-----END CERTIFICATE-----\n",
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_no_pem(bad[i], strlen(bad[i]), VB_CERTIFICATE_BYTES_MAX, VB_EFORMAT);
    }
    char *large = calloc(1, VB_CERTIFICATE_PEM_BYTES_MAX + 1);
    assert_non_null(large);
    assert_no_pem(large, VB_CERTIFICATE_PEM_BYTES_MAX + 1, 64, VB_ELIMIT);
    assert_no_pem(large, VB_CERTIFICATE_PEM_BYTES_MAX, 64, VB_EFORMAT);
    free(large);
}

static void the_certificate_of_the_nist_beacon(void **state) {
    static const uint8_t id[] = {0x55, 0x01, 0xe3, 0xd7}; /* how its certificateId begins */
    size_t n;
    uint8_t *pem = vb_test_read(vb_test_data("beacons/nist_cert_5501e3d7.pem"), &n);
    vb_buf der = vb_buf_make(VB_CERTIFICATE_BYTES_MAX);
    vb_rsa_key *k = NULL;
    vb_error e = {0};
    uint8_t digest[VB_SHA512_BYTES], signature[512] = {0};
    (void)state;
    assert_int_equal(vb_certificate_from_pem(pem, n, &der, NULL), VB_OK);
    vb_sha512_of(der.data, der.len, digest);
    assert_memory_equal(digest, id, sizeof id);
    assert_int_equal(vb_rsa_open_certificate(der.data, der.len, &k, NULL), VB_OK);
    assert_int_equal(vb_rsa_verify_sha512(k, "", 0, signature, sizeof signature, NULL),
                     VB_EMISMATCH);
    assert_int_equal(vb_rsa_verify_sha512(k, "", 0, signature, 256, &e), VB_EFORMAT);
    assert_non_null(strstr(e.msg, "512")); /* a key of 4096 bits */
    vb_rsa_close(k);
    vb_buf_free(&der);
    free(pem);
}

static int make_keys(void **state) {
    BIGNUM *three = BN_new();
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    (void)state;
    ours = EVP_RSA_gen(KEY_BITS);
    bool ok = ours && three && BN_set_word(three, 3) == 1 && EVP_PKEY_keygen_init(ctx) == 1 &&
              EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, KEY_BITS) == 1 &&
              EVP_PKEY_CTX_set1_rsa_keygen_pubexp(ctx, three) == 1 &&
              EVP_PKEY_generate(ctx, &small_exponent) == 1;
    EVP_PKEY_CTX_free(ctx);
    BN_free(three);
    return ok ? 0 : -1;
}

static int free_keys(void **state) {
    (void)state;
    EVP_PKEY_free(ours);
    EVP_PKEY_free(small_exponent);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_of_keys),
        cmocka_unit_test(numbers_of_keys),
        cmocka_unit_test(keys_of_other_kinds),
        cmocka_unit_test(exactly_one_certificate),
        cmocka_unit_test(other_encodings_of_a_certificate),
        cmocka_unit_test(random_damage),
        cmocka_unit_test(a_signature_and_every_bit_of_it),
        cmocka_unit_test(what_is_signed_by_whom),
        cmocka_unit_test(encoded_messages_that_are_nearly_right),
        cmocka_unit_test(the_first_block_of_a_pem_file),
        cmocka_unit_test(what_is_no_pem_file),
        cmocka_unit_test(the_certificate_of_the_nist_beacon),
    };
    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
