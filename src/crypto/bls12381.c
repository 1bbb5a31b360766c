#include "crypto/bls12381.h"

#include "crypto/bls12381_internal.h"

/* Signature S, key K and the message's hash H belong together when e(S, generator) = e(H, K), or
 * for keys in G1 e(generator, S) = e(K, H): with the generator negated, a product of two pairings
 * is 1. */
static vb_err verify(vb_bls_group signature_group, const uint8_t *public_key, const void *msg,
                     size_t n_msg, const char *dst, const uint8_t *signature, vb_error *e) {
    const vb_bls_group key_group = signature_group == VB_BLS_G1 ? VB_BLS_G2 : VB_BLS_G1;
    vb_bls_affine by_signature_group[2], by_key_group[2];
    vb_bls_point hash;
    vb_fp12 product;
    vb_err err = vb_bls_decode(key_group, public_key, "the public key", &by_key_group[1], e);
    if (!err) {
        err = vb_bls_decode(signature_group, signature, "the signature", &by_signature_group[0], e);
    }
    if (err) {
        return err;
    }
    vb_bls_hash_to_curve(signature_group, msg, n_msg, dst, &hash);
    if (!vb_bls_point_to_affine(&by_signature_group[1], &hash)) {
        /* No such message is known; its signature would be the identity, which is refused. */
        return vb_fail(e, VB_EMISMATCH, "the message's hash is the identity of the curve");
    }
    vb_bls_generator(key_group, &by_key_group[0]);
    vb_fp2_neg(&by_key_group[0].y, &by_key_group[0].y);
    if (signature_group == VB_BLS_G1) {
        vb_bls_pairing_product(by_signature_group, by_key_group, &product);
    } else {
        vb_bls_pairing_product(by_key_group, by_signature_group, &product);
    }
    if (!vb_fp12_is_one(&product)) {
        return vb_fail(e, VB_EMISMATCH, "the BLS signature is not this key's for this message");
    }
    return VB_OK;
}

vb_err vb_bls_verify_g1(const uint8_t public_key[VB_BLS_G2_BYTES], const void *msg, size_t n_msg,
                        const char *dst, const uint8_t signature[VB_BLS_G1_BYTES], vb_error *e) {
    return verify(VB_BLS_G1, public_key, msg, n_msg, dst, signature, e);
}

vb_err vb_bls_verify_g2(const uint8_t public_key[VB_BLS_G1_BYTES], const void *msg, size_t n_msg,
                        const char *dst, const uint8_t signature[VB_BLS_G2_BYTES], vb_error *e) {
    return verify(VB_BLS_G2, public_key, msg, n_msg, dst, signature, e);
}
