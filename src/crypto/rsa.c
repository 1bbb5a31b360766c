#include "crypto/rsa.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

struct vb_rsa_key {
    EVP_PKEY *pkey;
    size_t modulus_bytes;
};

/* The certificate that is all of der; NULL when there is none. Encoding it again finds bytes after
 * it and what OpenSSL reads although DER has another form for it. */
static X509 *parse_certificate(const uint8_t *der, size_t n) {
    const uint8_t *p = der;
    uint8_t *again = NULL;
    X509 *x = d2i_X509(NULL, &p, (long)n);
    if (x && (i2d_re_X509_tbs(x, NULL) < 0 || i2d_X509(x, &again) != (int)n ||
              memcmp(again, der, n) != 0)) {
        X509_free(x);
        x = NULL;
    }
    OPENSSL_free(again);
    return x;
}

/* Odd, and 3 to 2^64 - 1: OpenSSL verifies with no larger exponent under a large modulus. */
static bool is_public_exponent(const BIGNUM *exponent) {
    return BN_is_odd(exponent) && !BN_is_one(exponent) && BN_num_bits(exponent) <= 64;
}

static vb_err check_key(const EVP_PKEY *pkey, vb_error *e) {
    BIGNUM *modulus = NULL, *exponent = NULL;
    vb_err err = VB_OK;
    int bits = EVP_PKEY_get_bits(pkey);
    if (!EVP_PKEY_is_a(pkey, "RSA")) {
        return vb_fail(e, VB_EUNSUPPORTED, "the certificate's key is not an RSA key");
    }
    if (bits < VB_RSA_BITS_MIN || bits > VB_RSA_BITS_MAX) {
        return vb_fail(e, VB_EUNSUPPORTED,
                       "the certificate's RSA key has %d bits, expected %d to %d", bits,
                       VB_RSA_BITS_MIN, VB_RSA_BITS_MAX);
    }
    if (EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_N, &modulus) != 1 ||
        EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_E, &exponent) != 1) {
        err = vb_fail(e, VB_ENOMEM, "OpenSSL could not give the numbers of an RSA key");
    } else if (!BN_is_odd(modulus)) {
        err = vb_fail(e, VB_EFORMAT, "the certificate's RSA modulus is even");
    } else if (!is_public_exponent(exponent)) {
        err = vb_fail(e, VB_EFORMAT,
                      "the certificate's RSA exponent is not odd and between 3 and 2^64 - 1");
    }
    BN_free(modulus);
    BN_free(exponent);
    return err;
}

vb_err vb_rsa_open_certificate(const void *der, size_t n, vb_rsa_key **out, vb_error *e) {
    if (n > VB_CERTIFICATE_BYTES_MAX) {
        return vb_fail(e, VB_ELIMIT, "a certificate of %zu bytes, at most %d", n,
                       VB_CERTIFICATE_BYTES_MAX);
    }
    vb_err err = VB_OK;
    vb_rsa_key *k = NULL;
    X509 *x = parse_certificate(der, n);
    EVP_PKEY *pkey = x ? X509_get0_pubkey(x) : NULL; /* the certificate's */
    if (!x) {
        err = vb_fail(e, VB_EFORMAT, "not exactly one X.509 certificate in DER");
    } else if (!pkey) {
        err = vb_fail(e, VB_EFORMAT, "the certificate's public key can not be read");
    } else {
        err = check_key(pkey, e);
    }
    if (err) {
        goto end;
    }
    k = malloc(sizeof *k);
    if (!k || EVP_PKEY_up_ref(pkey) != 1) {
        free(k);
        err = vb_fail(e, VB_ENOMEM, "no memory for an RSA key");
        goto end;
    }
    *k = (vb_rsa_key){pkey, (size_t)EVP_PKEY_get_size(pkey)};
    *out = k;
end:
    X509_free(x);
    ERR_clear_error();
    return err;
}

void vb_rsa_close(vb_rsa_key *k) {
    if (k) {
        EVP_PKEY_free(k->pkey);
        free(k);
    }
}

vb_err vb_rsa_verify_sha512(const vb_rsa_key *k, const void *msg, size_t n_msg,
                            const void *signature, size_t n_signature, vb_error *e) {
    if (n_signature != k->modulus_bytes) {
        return vb_fail(e, VB_EFORMAT, "an RSA signature of %zu bytes, expected the key's %zu",
                       n_signature, k->modulus_bytes);
    }
    EVP_PKEY_CTX *options; /* ctx's */
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    vb_err err = VB_OK;
    if (!ctx || EVP_DigestVerifyInit(ctx, &options, EVP_sha512(), NULL, k->pkey) != 1 ||
        EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PADDING) != 1) {
        err = vb_fail(e, VB_ENOMEM, "OpenSSL could not prepare the check of an RSA signature");
    } else if (EVP_DigestVerify(ctx, signature, n_signature, msg, n_msg) != 1) {
        err = vb_fail(e, VB_EMISMATCH, "the RSA signature is not this key's for this message");
    }
    EVP_MD_CTX_free(ctx);
    ERR_clear_error();
    return err;
}

/* Without a callback OpenSSL would ask the terminal for an encrypted block's passphrase. */
static int no_passphrase(char *buf, int size, int rwflag, void *user) {
    (void)buf, (void)size, (void)rwflag, (void)user;
    return -1;
}

vb_err vb_certificate_from_pem(const void *pem, size_t n, vb_buf *der, vb_error *e) {
    if (n > VB_CERTIFICATE_PEM_BYTES_MAX) {
        return vb_fail(e, VB_ELIMIT, "a PEM file of %zu bytes, at most %d", n,
                       VB_CERTIFICATE_PEM_BYTES_MAX);
    }
    unsigned char *block = NULL;
    long n_block = 0;
    vb_err err;
    BIO *bio = BIO_new_mem_buf(pem, (int)n);
    if (!bio) {
        err = vb_fail(e, VB_ENOMEM, "no memory to read a PEM file");
    } else if (PEM_bytes_read_bio(&block, &n_block, NULL, PEM_STRING_X509, bio, no_passphrase,
                                  NULL) != 1) {
        err = vb_fail(e, VB_EFORMAT, "no CERTIFICATE block in the PEM file");
    } else {
        err = vb_buf_append(der, block, (size_t)n_block);
        if (err) {
            vb_fail(e, err, "a certificate of %ld bytes can not be held, at most %zu", n_block,
                    der->max);
        }
    }
    OPENSSL_free(block);
    BIO_free(bio);
    ERR_clear_error();
    return err;
}
