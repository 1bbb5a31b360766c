#include "crypto/ed25519.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "base/limits.h"
#include "crypto/private_file.h"
#include "crypto/random.h"

struct vb_ed25519_key {
    EVP_PKEY *pkey; /* OpenSSL wipes its private part when it is freed */
    uint8_t public_key[VB_ED25519_PUBLIC_BYTES];
};

/* OpenSSL keeps a queue of errors per thread; ours carry the message instead. */
static vb_err fail_openssl(vb_error *e, const char *what) {
    ERR_clear_error();
    return vb_fail(e, VB_ENOMEM, "OpenSSL could not %s", what);
}

/* Takes pkey in every case. */
static vb_err take_pkey(EVP_PKEY *pkey, vb_ed25519_key **out, vb_error *e) {
    vb_ed25519_key *k = malloc(sizeof *k);
    size_t n = sizeof k->public_key;
    if (!k || EVP_PKEY_get_raw_public_key(pkey, k->public_key, &n) != 1 ||
        n != sizeof k->public_key) {
        free(k);
        EVP_PKEY_free(pkey);
        return fail_openssl(e, "hold an Ed25519 key");
    }
    k->pkey = pkey;
    *out = k;
    return VB_OK;
}

vb_err vb_ed25519_from_seed(const uint8_t seed[VB_ED25519_SEED_BYTES], vb_ed25519_key **out,
                            vb_error *e) {
    EVP_PKEY *pkey =
        EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, VB_ED25519_SEED_BYTES);
    return pkey ? take_pkey(pkey, out, e) : fail_openssl(e, "make an Ed25519 key");
}

vb_err vb_ed25519_generate(vb_ed25519_key **out, vb_error *e) {
    uint8_t seed[VB_ED25519_SEED_BYTES];
    vb_err err = vb_random_bytes(seed, sizeof seed, e);
    if (!err) {
        err = vb_ed25519_from_seed(seed, out, e);
    }
    vb_wipe(seed, sizeof seed);
    return err;
}

void vb_ed25519_close(vb_ed25519_key *k) {
    if (k) {
        EVP_PKEY_free(k->pkey);
        free(k);
    }
}

vb_err vb_ed25519_save(const vb_ed25519_key *k, const char *path, vb_error *e) {
    BIO *bio = BIO_new(BIO_s_secmem());
    char *pem;
    vb_err err;
    if (!bio || PEM_write_bio_PKCS8PrivateKey(bio, k->pkey, NULL, NULL, 0, NULL, NULL) != 1) {
        err = fail_openssl(e, "encode a key");
    } else {
        long n = BIO_get_mem_data(bio, &pem);
        err = vb_private_file_create(path, pem, (size_t)n, e);
    }
    BIO_free(bio);
    return err;
}

/* Without a callback OpenSSL would ask the terminal for an encrypted key's passphrase. */
static int no_passphrase(char *buf, int size, int rwflag, void *user) {
    (void)buf, (void)size, (void)rwflag, (void)user;
    return -1;
}

static bool is_one_key(const vb_buf *pem) {
    static const char begin[] = "-----BEGIN PRIVATE KEY-----\n";
    static const char end[] = "-----END PRIVATE KEY-----\n";
    const char *text = (const char *)pem->data;
    size_t n_begin = sizeof begin - 1, n_end = sizeof end - 1;
    return pem->len > n_begin + n_end && memchr(text, 0, pem->len) == NULL &&
           memcmp(text, begin, n_begin) == 0 && memcmp(text + pem->len - n_end, end, n_end) == 0 &&
           strstr(text + n_begin, begin) == NULL;
}

vb_err vb_ed25519_load(const char *path, vb_ed25519_key **out, vb_error *e) {
    vb_buf pem = vb_buf_make(VB_KEY_FILE_BYTES_MAX);
    EVP_PKEY *pkey = NULL;
    vb_err err = vb_private_file_read(path, &pem, NULL, e);
    if (err) {
        goto end;
    }
    if (pem.len && is_one_key(&pem)) {
        BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.len);
        pkey = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;
        BIO_free(bio);
        ERR_clear_error();
    }
    if (!pkey || EVP_PKEY_get_base_id(pkey) != EVP_PKEY_ED25519) {
        EVP_PKEY_free(pkey);
        err = vb_fail(e, VB_EFORMAT,
                      "%s: not an unencrypted Ed25519 private key (PKCS#8 PEM, one key)", path);
        goto end;
    }
    err = take_pkey(pkey, out, e);
end:
    if (pem.data) {
        vb_wipe(pem.data, pem.cap);
    }
    vb_buf_free(&pem);
    return err;
}

void vb_ed25519_public(const vb_ed25519_key *k, uint8_t out[VB_ED25519_PUBLIC_BYTES]) {
    memcpy(out, k->public_key, VB_ED25519_PUBLIC_BYTES);
}

vb_err vb_ed25519_sign(const vb_ed25519_key *k, const void *msg, size_t n_msg,
                       uint8_t out[VB_ED25519_SIGNATURE_BYTES], vb_error *e) {
    uint8_t sig[VB_ED25519_SIGNATURE_BYTES];
    size_t n = sizeof sig;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx && EVP_DigestSignInit(ctx, NULL, NULL, NULL, k->pkey) == 1 &&
              EVP_DigestSign(ctx, sig, &n, msg, n_msg) == 1 && n == sizeof sig;
    EVP_MD_CTX_free(ctx);
    if (!ok) {
        return fail_openssl(e, "sign");
    }
    memcpy(out, sig, sizeof sig);
    return VB_OK;
}

/* y coordinates (sign bit cleared) of the points of small order; with such a key one signature
 * verifies for many messages. Their encodings with y >= p are refused by is_canonical. */
static const uint8_t small_order_y[][VB_ED25519_PUBLIC_BYTES] = {
    {0},
    {1},
    {0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4,
     0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6,
     0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05},
    {0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b,
     0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39,
     0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a},
    {0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
};

/* y < p = 2^255 - 19, for y with its sign bit cleared. */
static bool is_canonical(const uint8_t y[VB_ED25519_PUBLIC_BYTES]) {
    if (y[31] != 0x7f) {
        return true;
    }
    for (int i = 30; i > 0; i--) {
        if (y[i] != 0xff) {
            return true;
        }
    }
    return y[0] < 0xed;
}

static bool is_public_key(const uint8_t key[VB_ED25519_PUBLIC_BYTES]) {
    uint8_t y[VB_ED25519_PUBLIC_BYTES];
    memcpy(y, key, sizeof y);
    y[31] &= 0x7f;
    for (size_t i = 0; i < sizeof small_order_y / sizeof small_order_y[0]; i++) {
        if (memcmp(y, small_order_y[i], sizeof y) == 0) {
            return false;
        }
    }
    return is_canonical(y);
}

vb_err vb_ed25519_verify(const void *public_key, size_t n_public_key, const void *msg, size_t n_msg,
                         const void *signature, size_t n_signature, vb_error *e) {
    if (n_public_key != VB_ED25519_PUBLIC_BYTES) {
        return vb_fail(e, VB_EFORMAT, "an Ed25519 public key has 32 bytes, not %zu", n_public_key);
    }
    if (n_signature != VB_ED25519_SIGNATURE_BYTES) {
        return vb_fail(e, VB_EFORMAT, "an Ed25519 signature has 64 bytes, not %zu", n_signature);
    }
    if (!is_public_key(public_key)) {
        return vb_fail(e, VB_EFORMAT, "the public key is not a canonical point of large order");
    }
    EVP_PKEY *pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public_key, n_public_key);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    vb_err err;
    if (!pkey || !ctx || EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, pkey) != 1) {
        err = fail_openssl(e, "prepare the check of a signature");
    } else if (EVP_DigestVerify(ctx, signature, n_signature, msg, n_msg) != 1) {
        ERR_clear_error();
        err = vb_fail(e, VB_EMISMATCH, "the Ed25519 signature is not this key's for this message");
    } else {
        err = VB_OK;
    }
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(pkey);
    return err;
}
