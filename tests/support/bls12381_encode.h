/*
 * The compressed form of a point of BLS12-381, which the library only reads: x in big-endian bytes
 * with the flags 0x80 (compressed), 0x40 (identity), 0x20 (y is larger than -y). Written apart from
 * the decoder, so that one can be checked with the other.
 */
#ifndef VB_TESTS_SUPPORT_BLS12381_ENCODE_H
#define VB_TESTS_SUPPORT_BLS12381_ENCODE_H

#include "base/bytes.h"
#include "crypto/bls12381_internal.h"

static inline void vb_test_encode_fp(uint8_t out[VB_FP_BYTES], const vb_fp *a) {
    vb_fp_plain x;
    vb_fp_to_plain(&x, a);
    for (int i = 0; i < VB_FP_WORDS; i++) {
        vb_store_u64be(out + 8 * i, x.w[VB_FP_WORDS - 1 - i]);
    }
}

/* Writes 48 (G1) or 96 (G2) bytes. */
static inline void vb_test_encode_point(vb_bls_group g, const vb_bls_point *p, uint8_t *out) {
    vb_bls_affine a;
    uint8_t y[2 * VB_FP_BYTES], minus_y[2 * VB_FP_BYTES];
    memset(out, 0, VB_FP_BYTES * (size_t)g);
    if (!vb_bls_point_to_affine(&a, p)) {
        out[0] = 0xc0;
        return;
    }
    vb_test_encode_fp(out + VB_FP_BYTES * ((size_t)g - 1), &a.x.c0);
    if (g == VB_BLS_G2) {
        vb_test_encode_fp(out, &a.x.c1);
    }
    vb_test_encode_fp(y, &a.y.c1);
    vb_test_encode_fp(y + VB_FP_BYTES, &a.y.c0);
    vb_fp2_neg(&a.y, &a.y);
    vb_test_encode_fp(minus_y, &a.y.c1);
    vb_test_encode_fp(minus_y + VB_FP_BYTES, &a.y.c0);
    out[0] |= memcmp(y, minus_y, sizeof y) > 0 ? 0xa0 : 0x80;
}

#endif
