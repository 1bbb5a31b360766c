/*
 * BLS signatures from hostile bytes: 96 bytes as a point of G2, 48 as one of G1, 4 as a secret key,
 * the rest as the message, in both variants. What is accepted as a point is the one encoding of it
 * and has order r; nothing but the signature of the key's own secret verifies.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/bls12381.h"
#include "support/bls12381_encode.h"

enum { SECRET_BYTES = 4, HEADER_BYTES = VB_BLS_G2_BYTES + VB_BLS_G1_BYTES + SECRET_BYTES };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int ok) {
    if (!ok) {
        abort();
    }
}

static vb_bls_point times(const vb_bls_point *base, const uint64_t *n, int n_words) {
    vb_bls_point x = {0};
    for (int bit = 64 * n_words - 1; bit >= 0; bit--) {
        vb_bls_point_double(&x, &x);
        if (n[bit / 64] >> bit % 64 & 1) {
            vb_bls_point_add(&x, &x, base);
        }
    }
    return x;
}

static bool is_point(vb_bls_group g, const uint8_t *bytes) {
    static const uint64_t order[4] = {0xffffffff00000001, 0x53bda402fffe5bfe, 0x3339d80809a1d805,
                                      0x73eda753299d7d48};
    uint8_t again[VB_BLS_G2_BYTES];
    vb_bls_affine a;
    vb_bls_point p;
    vb_error e = {0};
    const vb_err err = vb_bls_decode(g, bytes, "a point", &a, &e);
    if (err) {
        require(err == VB_EFORMAT && strncmp(e.msg, "a point: ", 9) == 0);
        return false;
    }
    vb_bls_point_from_affine(&p, &a);
    vb_test_encode_point(g, &p, again);
    require(memcmp(again, bytes, VB_FP_BYTES * (size_t)g) == 0);
    p = times(&p, order, 4);
    require(vb_fp2_is_zero(&p.z));
    return true;
}

static vb_err verify(vb_bls_group g, const uint8_t *key, const uint8_t *msg, size_t n_msg,
                     const uint8_t *signature) {
    return g == VB_BLS_G1 ? vb_bls_verify_g1(key, msg, n_msg, VB_BLS_DST_G1, signature, NULL)
                          : vb_bls_verify_g2(key, msg, n_msg, VB_BLS_DST_G2, signature, NULL);
}

/* Signs with a secret of 32 bits. */
static void check_signature(vb_bls_group g, const uint8_t *given, const uint8_t *other,
                            uint64_t secret, const uint8_t *msg, size_t n_msg) {
    const vb_bls_group key_group = g == VB_BLS_G1 ? VB_BLS_G2 : VB_BLS_G1;
    const bool is_signature = is_point(g, given), is_key = is_point(key_group, other);
    uint8_t key[VB_BLS_G2_BYTES], signature[VB_BLS_G2_BYTES];
    vb_bls_affine a;
    vb_bls_point p;
    const vb_err err = verify(g, other, msg, n_msg, given);
    require(is_signature && is_key ? err == VB_OK || err == VB_EMISMATCH : err == VB_EFORMAT);

    vb_bls_generator(key_group, &a);
    vb_bls_point_from_affine(&p, &a);
    p = times(&p, &secret, 1);
    vb_test_encode_point(key_group, &p, key);
    vb_bls_hash_to_curve(g, msg, n_msg, g == VB_BLS_G1 ? VB_BLS_DST_G1 : VB_BLS_DST_G2, &p);
    p = times(&p, &secret, 1);
    vb_test_encode_point(g, &p, signature);
    require(verify(g, key, msg, n_msg, signature) == (secret ? VB_OK : VB_EFORMAT));
    if (secret && is_signature && memcmp(given, signature, VB_FP_BYTES * (size_t)g) != 0) {
        require(verify(g, key, msg, n_msg, given) == VB_EMISMATCH);
    }
    if (secret && is_key && memcmp(other, key, VB_FP_BYTES * (size_t)key_group) != 0) {
        require(verify(g, other, msg, n_msg, signature) == VB_EMISMATCH);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < HEADER_BYTES) {
        return 0;
    }
    const uint8_t *g2 = data, *g1 = data + VB_BLS_G2_BYTES, *msg = data + HEADER_BYTES;
    const uint64_t secret = vb_load_u32le(g1 + VB_BLS_G1_BYTES);
    check_signature(VB_BLS_G1, g1, g2, secret, msg, size - HEADER_BYTES);
    check_signature(VB_BLS_G2, g2, g1, secret, msg, size - HEADER_BYTES);
    return 0;
}
