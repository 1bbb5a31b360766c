/*
 * The parts of BLS12-381 that its own files and tests share: fields, points, hashing to the curve,
 * the pairing. Everything else uses bls12381.h.
 *
 * The fields are the usual tower: Fp2 = Fp[u] / (u^2 + 1), Fp6 = Fp2[v] / (v^3 - xi) with
 * xi = 1 + u, Fp12 = Fp6[w] / (w^2 - v). Elements of Fp are six 64-bit words, the least significant
 * first, in Montgomery form and always below p, so equal elements have equal words. The curves are
 * G1: y^2 = x^3 + 4 over Fp, and G2: y^2 = x^3 + 4 xi over Fp2.
 *
 * One set of formulas serves both groups: coordinates are elements of Fp2, and a point of G1 has
 * zero coefficients of u. That costs G1 some speed, in a part that is short beside the pairing.
 *
 * Outputs may be inputs. Thread rule: no state; any number of threads.
 */
#ifndef VB_CRYPTO_BLS12381_INTERNAL_H
#define VB_CRYPTO_BLS12381_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/error.h"

enum { VB_FP_WORDS = 6, VB_FP_BYTES = 48 };

/* |z|, where z = -0xd201000000010000 is the parameter of the curve: p = (z - 1)^2 r / 3 + z,
 * r = z^4 - z^2 + 1. */
#define VB_BLS_Z 0xd201000000010000u

typedef struct vb_fp {
    uint64_t w[VB_FP_WORDS];
} vb_fp;

/* An integer below p, not in Montgomery form: constants, and what is compared or encoded. */
typedef struct vb_fp_plain {
    uint64_t w[VB_FP_WORDS];
} vb_fp_plain;

/* Constants: 64-bit words as they are printed, the most significant first; a; p - a. */
#define VB_FP_CONST(a, b, c, d, e, f)                                                              \
    {                                                                                              \
        { f, e, d, c, b, a }                                                                       \
    }
#define VB_FP_SMALL(a)                                                                             \
    {                                                                                              \
        { a }                                                                                      \
    }
#define VB_FP_MINUS(a)                                                                             \
    VB_FP_CONST(0x1a0111ea397fe69a, 0x4b1ba7b6434bacd7, 0x64774b84f38512bf, 0x6730d2a0f6b0f624,    \
                0x1eabfffeb153ffff, 0xb9feffffffffaaab - (a))

typedef struct vb_fp2 {
    vb_fp c0, c1; /* c0 + c1 u */
} vb_fp2;

typedef struct vb_fp6 {
    vb_fp2 c[3]; /* c[0] + c[1] v + c[2] v^2 */
} vb_fp6;

typedef struct vb_fp12 {
    vb_fp6 c[2]; /* c[0] + c[1] w */
} vb_fp12;

/* Which group; as a number, the degree of its field over Fp (RFC 9380's m). */
typedef enum vb_bls_group { VB_BLS_G1 = 1, VB_BLS_G2 = 2 } vb_bls_group;

/* A point that is not the identity. */
typedef struct vb_bls_affine {
    vb_fp2 x, y;
} vb_bls_affine;

/* (x / z^2, y / z^3); the identity where z is zero, whatever x and y are. */
typedef struct vb_bls_point {
    vb_fp2 x, y, z;
} vb_bls_point;

/* ---- Fp: bls12381_fp.c ---- */

void vb_fp_neg(vb_fp *out, const vb_fp *a);
/* False, and out untouched, when a is no square. */
bool vb_fp_sqrt(vb_fp *out, const vb_fp *a);
void vb_fp_from_plain(vb_fp *out, const vb_fp_plain *a);
void vb_fp_to_plain(vb_fp_plain *out, const vb_fp *a);
bool vb_fp_plain_less(const vb_fp_plain *a, const vb_fp_plain *b);
/* 48 big-endian bytes; false, and out untouched, when they are not below p. */
bool vb_fp_from_bytes(vb_fp *out, const uint8_t bytes[VB_FP_BYTES]);
/* 64 big-endian bytes, reduced modulo p. */
void vb_fp_reduce(vb_fp *out, const uint8_t bytes[64]);

/* ---- Fp2: bls12381_fp.c ---- */

extern const vb_fp2 vb_fp2_one;
void vb_fp2_add(vb_fp2 *out, const vb_fp2 *a, const vb_fp2 *b);
void vb_fp2_sub(vb_fp2 *out, const vb_fp2 *a, const vb_fp2 *b);
void vb_fp2_neg(vb_fp2 *out, const vb_fp2 *a);
void vb_fp2_conjugate(vb_fp2 *out, const vb_fp2 *a);
void vb_fp2_mul_xi(vb_fp2 *out, const vb_fp2 *a);
void vb_fp2_mul(vb_fp2 *out, const vb_fp2 *a, const vb_fp2 *b);
void vb_fp2_square(vb_fp2 *out, const vb_fp2 *a);
void vb_fp2_mul_fp(vb_fp2 *out, const vb_fp2 *a, const vb_fp *b);
void vb_fp2_inverse(vb_fp2 *out, const vb_fp2 *a); /* 0 for 0 */
bool vb_fp2_sqrt(vb_fp2 *out, const vb_fp2 *a);
void vb_fp2_from_plain(vb_fp2 *out, const vb_fp_plain a[2]);

static inline bool vb_fp_equal(const vb_fp *a, const vb_fp *b) {
    return memcmp(a->w, b->w, sizeof a->w) == 0;
}
static inline bool vb_fp_is_zero(const vb_fp *a) {
    return (a->w[0] | a->w[1] | a->w[2] | a->w[3] | a->w[4] | a->w[5]) == 0;
}
static inline bool vb_fp2_is_zero(const vb_fp2 *a) {
    return vb_fp_is_zero(&a->c0) && vb_fp_is_zero(&a->c1);
}

/* ---- Fp12: bls12381_tower.c ---- */

/* xi^((p - 1) / 6): w^p is gamma w. */
extern const vb_fp_plain vb_bls_gamma[2];

void vb_fp12_one(vb_fp12 *out);
bool vb_fp12_is_one(const vb_fp12 *a);
void vb_fp12_mul(vb_fp12 *out, const vb_fp12 *a, const vb_fp12 *b);
void vb_fp12_square(vb_fp12 *out, const vb_fp12 *a);
/* a (l0 + l2 w^2 + l3 w^3): a line of the Miller loop. */
void vb_fp12_mul_line(vb_fp12 *out, const vb_fp12 *a, const vb_fp2 *l0, const vb_fp2 *l2,
                      const vb_fp2 *l3);
void vb_fp12_conjugate(vb_fp12 *out, const vb_fp12 *a); /* a^(p^6) */
void vb_fp12_frobenius(vb_fp12 *out, const vb_fp12 *a); /* a^p */
void vb_fp12_inverse(vb_fp12 *out, const vb_fp12 *a);   /* 0 for 0 */
/* a^2 for a of the cyclotomic subgroup, whose order is p^4 - p^2 + 1. */
void vb_fp12_cyclotomic_square(vb_fp12 *out, const vb_fp12 *a);

/* ---- points: bls12381_curve.c ---- */

void vb_bls_generator(vb_bls_group g, vb_bls_affine *out);
void vb_bls_point_from_affine(vb_bls_point *out, const vb_bls_affine *a);
/* False, and out untouched, for the identity. */
bool vb_bls_point_to_affine(vb_bls_affine *out, const vb_bls_point *a);
void vb_bls_point_double(vb_bls_point *out, const vb_bls_point *a);
void vb_bls_point_add(vb_bls_point *out, const vb_bls_point *a, const vb_bls_point *b);
/* For a point of the curve: is it in the subgroup of order r? */
bool vb_bls_in_subgroup(vb_bls_group g, const vb_bls_affine *a);
/* Takes a point of the curve into the subgroup: RFC 9380's clear_cofactor. */
void vb_bls_clear_cofactor(vb_bls_group g, vb_bls_point *out, const vb_bls_point *a);
/* A compressed point of the subgroup, 48 or 96 bytes; what names it where VB_EFORMAT says why. */
VB_MUST_CHECK vb_err vb_bls_decode(vb_bls_group g, const uint8_t *bytes, const char *what,
                                   vb_bls_affine *out, vb_error *e);

/* ---- hashing to the curve: bls12381_map.c ---- */

enum { VB_BLS_EXPAND_BYTES_MAX = 256 };

/* expand_message_xmd of RFC 9380, section 5.3.1, with SHA-256; n_out is a multiple of 32, not 0. */
void vb_bls_expand_message(const void *msg, size_t n_msg, const char *dst, uint8_t *out,
                           size_t n_out);
/* hash_to_curve of BLS12381G1_XMD:SHA-256_SSWU_RO_ (section 8.8.1) or of its G2 form (8.8.2). */
void vb_bls_hash_to_curve(vb_bls_group g, const void *msg, size_t n_msg, const char *dst,
                          vb_bls_point *out);

/* ---- the pairing: bls12381_pairing.c ---- */

/* e(p[0], q[0])^3 e(p[1], q[1])^3, with p in G1 and q in G2, where e is the optimal ate pairing.
 * The 3 comes with a shorter final exponentiation, and does not matter: r is prime to it. */
void vb_bls_pairing_product(const vb_bls_affine p[2], const vb_bls_affine q[2], vb_fp12 *out);

#endif
