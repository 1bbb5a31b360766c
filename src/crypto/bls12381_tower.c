/*
 * Fp6 and Fp12 over Fp2. Products are Karatsuba's; squares in the cyclotomic subgroup are those of
 * Granger and Scott, "Faster squaring in the cyclotomic subgroup of sixth degree extensions".
 */
#include "crypto/bls12381_internal.h"

const vb_fp_plain vb_bls_gamma[2] = {
    VB_FP_CONST(0x1904d3bf02bb0667, 0xc231beb4202c0d1f, 0x0fd603fd3cbd5f4f, 0x7b2443d784bab9c4,
                0xf67ea53d63e7813d, 0x8d0775ed92235fb8),
    VB_FP_CONST(0x00fc3e2b36c4e032, 0x88e9e902231f9fb8, 0x54a14787b6c7b36f, 0xec0c8ec971f63c5f,
                0x282d5ac14d6c7ec2, 0x2cf78a126ddc4af3)};

static void fp6_add(vb_fp6 *out, const vb_fp6 *a, const vb_fp6 *b) {
    for (int i = 0; i < 3; i++) {
        vb_fp2_add(&out->c[i], &a->c[i], &b->c[i]);
    }
}

static void fp6_sub(vb_fp6 *out, const vb_fp6 *a, const vb_fp6 *b) {
    for (int i = 0; i < 3; i++) {
        vb_fp2_sub(&out->c[i], &a->c[i], &b->c[i]);
    }
}

static void fp6_mul_v(vb_fp6 *out, const vb_fp6 *a) {
    vb_fp2 c0;
    vb_fp2_mul_xi(&c0, &a->c[2]);
    out->c[2] = a->c[1];
    out->c[1] = a->c[0];
    out->c[0] = c0;
}

/* (a[i] + a[j]) (b[i] + b[j]) - product_i - product_j, which is a[i] b[j] + a[j] b[i]. */
static void fp6_cross(vb_fp2 *out, const vb_fp6 *a, const vb_fp6 *b, int i, int j,
                      const vb_fp2 product[3]) {
    vb_fp2 t;
    vb_fp2_add(&t, &a->c[i], &a->c[j]);
    vb_fp2_add(out, &b->c[i], &b->c[j]);
    vb_fp2_mul(out, out, &t);
    vb_fp2_sub(out, out, &product[i]);
    vb_fp2_sub(out, out, &product[j]);
}

static void fp6_mul(vb_fp6 *out, const vb_fp6 *a, const vb_fp6 *b) {
    vb_fp2 product[3], c01, c02, c12;
    for (int i = 0; i < 3; i++) {
        vb_fp2_mul(&product[i], &a->c[i], &b->c[i]);
    }
    fp6_cross(&c01, a, b, 0, 1, product);
    fp6_cross(&c02, a, b, 0, 2, product);
    fp6_cross(&c12, a, b, 1, 2, product);
    vb_fp2_mul_xi(&c12, &c12);
    vb_fp2_add(&out->c[0], &product[0], &c12);
    vb_fp2_mul_xi(&product[2], &product[2]);
    vb_fp2_add(&out->c[1], &c01, &product[2]);
    vb_fp2_add(&out->c[2], &c02, &product[1]);
}

/* a (b0 + b1 v) */
static void fp6_mul_sparse(vb_fp6 *out, const vb_fp6 *a, const vb_fp2 *b0, const vb_fp2 *b1) {
    vb_fp2 low, high, c1, t;
    vb_fp2_mul(&low, &a->c[0], b0);
    vb_fp2_mul(&high, &a->c[1], b1);
    vb_fp2_add(&c1, &a->c[0], &a->c[1]);
    vb_fp2_add(&t, b0, b1);
    vb_fp2_mul(&c1, &c1, &t);
    vb_fp2_sub(&c1, &c1, &low);
    vb_fp2_sub(&c1, &c1, &high);
    vb_fp2_mul(&t, &a->c[2], b1);
    vb_fp2_mul_xi(&t, &t);
    vb_fp2_mul(&out->c[2], &a->c[2], b0);
    vb_fp2_add(&out->c[2], &out->c[2], &high);
    vb_fp2_add(&out->c[0], &low, &t);
    out->c[1] = c1;
}

/* The adjugate over the norm: Algorithm 17 of Beuchat et al., "High-speed software implementation
 * of the optimal ate pairing over Barreto-Naehrig curves". */
static void fp6_inverse(vb_fp6 *out, const vb_fp6 *a) {
    vb_fp2 adjugate[3], t, norm;
    vb_fp2_square(&adjugate[0], &a->c[0]); /* a0^2 - xi a1 a2 */
    vb_fp2_mul(&t, &a->c[1], &a->c[2]);
    vb_fp2_mul_xi(&t, &t);
    vb_fp2_sub(&adjugate[0], &adjugate[0], &t);
    vb_fp2_square(&adjugate[1], &a->c[2]); /* xi a2^2 - a0 a1 */
    vb_fp2_mul_xi(&adjugate[1], &adjugate[1]);
    vb_fp2_mul(&t, &a->c[0], &a->c[1]);
    vb_fp2_sub(&adjugate[1], &adjugate[1], &t);
    vb_fp2_square(&adjugate[2], &a->c[1]); /* a1^2 - a0 a2 */
    vb_fp2_mul(&t, &a->c[0], &a->c[2]);
    vb_fp2_sub(&adjugate[2], &adjugate[2], &t);
    vb_fp2_mul(&norm, &a->c[2], &adjugate[1]);
    vb_fp2_mul(&t, &a->c[1], &adjugate[2]);
    vb_fp2_add(&norm, &norm, &t);
    vb_fp2_mul_xi(&norm, &norm);
    vb_fp2_mul(&t, &a->c[0], &adjugate[0]);
    vb_fp2_add(&norm, &norm, &t);
    vb_fp2_inverse(&norm, &norm);
    for (int i = 0; i < 3; i++) {
        vb_fp2_mul(&out->c[i], &adjugate[i], &norm);
    }
}

void vb_fp12_one(vb_fp12 *out) {
    memset(out, 0, sizeof *out);
    out->c[0].c[0] = vb_fp2_one;
}

bool vb_fp12_is_one(const vb_fp12 *a) {
    vb_fp12 one;
    vb_fp12_one(&one);
    return memcmp(a, &one, sizeof one) == 0;
}

void vb_fp12_mul(vb_fp12 *out, const vb_fp12 *a, const vb_fp12 *b) {
    vb_fp6 low, high, cross, t;
    fp6_mul(&low, &a->c[0], &b->c[0]);
    fp6_mul(&high, &a->c[1], &b->c[1]);
    fp6_add(&cross, &a->c[0], &a->c[1]);
    fp6_add(&t, &b->c[0], &b->c[1]);
    fp6_mul(&cross, &cross, &t);
    fp6_sub(&cross, &cross, &low);
    fp6_sub(&out->c[1], &cross, &high);
    fp6_mul_v(&high, &high);
    fp6_add(&out->c[0], &low, &high);
}

/* (a0 + a1) (a0 + v a1) - (1 + v) a0 a1 + 2 a0 a1 w */
void vb_fp12_square(vb_fp12 *out, const vb_fp12 *a) {
    vb_fp6 product, sum, t;
    fp6_mul(&product, &a->c[0], &a->c[1]);
    fp6_add(&sum, &a->c[0], &a->c[1]);
    fp6_mul_v(&t, &a->c[1]);
    fp6_add(&t, &t, &a->c[0]);
    fp6_mul(&sum, &sum, &t);
    fp6_sub(&sum, &sum, &product);
    fp6_mul_v(&t, &product);
    fp6_sub(&out->c[0], &sum, &t);
    fp6_add(&out->c[1], &product, &product);
}

void vb_fp12_mul_line(vb_fp12 *out, const vb_fp12 *a, const vb_fp2 *l0, const vb_fp2 *l2,
                      const vb_fp2 *l3) {
    /* The line is (l0 + l2 v) + (l3 v) w. */
    vb_fp6 low, high, cross;
    vb_fp2 sum;
    fp6_mul_sparse(&low, &a->c[0], l0, l2);
    for (int i = 0; i < 3; i++) {
        vb_fp2_mul(&high.c[i], &a->c[1].c[i], l3);
    }
    fp6_mul_v(&high, &high);
    fp6_add(&cross, &a->c[0], &a->c[1]);
    vb_fp2_add(&sum, l2, l3);
    fp6_mul_sparse(&cross, &cross, l0, &sum);
    fp6_sub(&cross, &cross, &low);
    fp6_sub(&out->c[1], &cross, &high);
    fp6_mul_v(&high, &high);
    fp6_add(&out->c[0], &low, &high);
}

void vb_fp12_conjugate(vb_fp12 *out, const vb_fp12 *a) {
    out->c[0] = a->c[0];
    for (int i = 0; i < 3; i++) {
        vb_fp2_neg(&out->c[1].c[i], &a->c[1].c[i]);
    }
}

/* (x w^i)^p is conj(x) gamma^i w^i for x in Fp2. */
void vb_fp12_frobenius(vb_fp12 *out, const vb_fp12 *a) {
    vb_fp2 gamma, power = vb_fp2_one;
    vb_fp2_from_plain(&gamma, vb_bls_gamma);
    for (int i = 0; i < 6; i++) {
        vb_fp2 *x = &out->c[i % 2].c[i / 2];
        vb_fp2_conjugate(x, &a->c[i % 2].c[i / 2]);
        vb_fp2_mul(x, x, &power);
        vb_fp2_mul(&power, &power, &gamma);
    }
}

/* (a0 - a1 w) / (a0^2 - v a1^2) */
void vb_fp12_inverse(vb_fp12 *out, const vb_fp12 *a) {
    vb_fp6 norm, t;
    fp6_mul(&norm, &a->c[0], &a->c[0]);
    fp6_mul(&t, &a->c[1], &a->c[1]);
    fp6_mul_v(&t, &t);
    fp6_sub(&norm, &norm, &t);
    fp6_inverse(&norm, &norm);
    vb_fp12_conjugate(out, a);
    fp6_mul(&out->c[0], &out->c[0], &norm);
    fp6_mul(&out->c[1], &out->c[1], &norm);
}

/* (a + b s)^2 with s^2 = xi. */
static void fp4_square(vb_fp2 *c0, vb_fp2 *c1, const vb_fp2 *a, const vb_fp2 *b) {
    vb_fp2 a_square, b_square, sum;
    vb_fp2_square(&a_square, a);
    vb_fp2_square(&b_square, b);
    vb_fp2_add(&sum, a, b);
    vb_fp2_square(&sum, &sum);
    vb_fp2_sub(&sum, &sum, &a_square);
    vb_fp2_sub(c1, &sum, &b_square);
    vb_fp2_mul_xi(&b_square, &b_square);
    vb_fp2_add(c0, &a_square, &b_square);
}

/* 3 square + 2 a, or 3 square - 2 a. */
static void cyclotomic_part(vb_fp2 *out, const vb_fp2 *square, const vb_fp2 *a, bool plus) {
    vb_fp2 t;
    (plus ? vb_fp2_add : vb_fp2_sub)(&t, square, a);
    vb_fp2_add(&t, &t, &t);
    vb_fp2_add(out, &t, square);
}

void vb_fp12_cyclotomic_square(vb_fp12 *out, const vb_fp12 *a) {
    /* The three pairs of coefficients that are elements of Fp4 = Fp2[w^3]. */
    vb_fp2 a0, a1, b0, b1, c0, c1;
    fp4_square(&a0, &a1, &a->c[0].c[0], &a->c[1].c[1]);
    fp4_square(&b0, &b1, &a->c[1].c[0], &a->c[0].c[2]);
    fp4_square(&c0, &c1, &a->c[0].c[1], &a->c[1].c[2]);
    vb_fp2_mul_xi(&c1, &c1);
    cyclotomic_part(&out->c[0].c[0], &a0, &a->c[0].c[0], false);
    cyclotomic_part(&out->c[0].c[1], &b0, &a->c[0].c[1], false);
    cyclotomic_part(&out->c[0].c[2], &c0, &a->c[0].c[2], false);
    cyclotomic_part(&out->c[1].c[0], &c1, &a->c[1].c[0], true);
    cyclotomic_part(&out->c[1].c[1], &a1, &a->c[1].c[1], true);
    cyclotomic_part(&out->c[1].c[2], &b1, &a->c[1].c[2], true);
}
