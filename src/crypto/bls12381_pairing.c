/*
 * The optimal ate pairing. A point of G2 lies on the twist; (x / w^2, y / w^3) is on the curve over
 * Fp12. Lines are scaled by factors of Fp2, which the final exponentiation takes away.
 */
#include "crypto/bls12381_internal.h"

/* f times the line through a point (x, y) of the twist, at p: (slope x - y) - slope p.x w^2 +
 * p.y w^3, where the constant and the slope are given multiplied by scale. */
static void mul_line(vb_fp12 *f, const vb_fp2 *constant, const vb_fp2 *slope, const vb_fp2 *scale,
                     const vb_bls_affine *p) {
    vb_fp2 l2, l3;
    vb_fp2_mul_fp(&l2, slope, &p->x.c0);
    vb_fp2_neg(&l2, &l2);
    vb_fp2_mul_fp(&l3, scale, &p->y.c0);
    vb_fp12_mul_line(f, f, constant, &l2, &l3);
}

/* t becomes 2t, and f is multiplied by the tangent, scaled by 2 y z^3: in Jacobian coordinates
 * (3 x^3 - 2 y^2), 3 x^2 z^2. */
static void double_step(vb_fp12 *f, vb_bls_point *t, const vb_bls_affine *p) {
    vb_fp2 slope, constant, scale, y2, z2;
    vb_fp2_square(&scale, &t->x);
    vb_fp2_add(&slope, &scale, &scale);
    vb_fp2_add(&slope, &slope, &scale);
    vb_fp2_mul(&constant, &slope, &t->x);
    vb_fp2_square(&y2, &t->y);
    vb_fp2_sub(&constant, &constant, &y2);
    vb_fp2_sub(&constant, &constant, &y2);
    vb_fp2_square(&z2, &t->z);
    vb_fp2_mul(&slope, &slope, &z2);
    vb_bls_point_double(t, t);
    vb_fp2_mul(&scale, &t->z, &z2);
    mul_line(f, &constant, &slope, &scale, p);
}

/* t becomes t + q, and f is multiplied by the line through both, scaled by the new z. t is neither
 * q nor -q nor the identity: it is a multiple of q, whose order is r, by 2 to r - 2. */
static void add_step(vb_fp12 *f, vb_bls_point *t, const vb_bls_affine *q, const vb_bls_affine *p) {
    vb_fp2 z2, h, slope, h2, h3, v, constant, product;
    vb_fp2_square(&z2, &t->z);
    vb_fp2_mul(&h, &q->x, &z2);
    vb_fp2_sub(&h, &h, &t->x);
    vb_fp2_mul(&slope, &q->y, &z2);
    vb_fp2_mul(&slope, &slope, &t->z);
    vb_fp2_sub(&slope, &slope, &t->y);
    vb_fp2_mul(&t->z, &t->z, &h);
    vb_fp2_square(&h2, &h);
    vb_fp2_mul(&h3, &h2, &h);
    vb_fp2_mul(&v, &t->x, &h2);
    vb_fp2_square(&t->x, &slope);
    vb_fp2_sub(&t->x, &t->x, &h3);
    vb_fp2_sub(&t->x, &t->x, &v);
    vb_fp2_sub(&t->x, &t->x, &v);
    vb_fp2_sub(&v, &v, &t->x);
    vb_fp2_mul(&v, &v, &slope);
    vb_fp2_mul(&h3, &h3, &t->y);
    vb_fp2_sub(&t->y, &v, &h3);
    vb_fp2_mul(&constant, &slope, &q->x);
    vb_fp2_mul(&product, &q->y, &t->z);
    vb_fp2_sub(&constant, &constant, &product);
    mul_line(f, &constant, &slope, &t->z, p);
}

/* a^z for a of the cyclotomic subgroup, where the inverse is the conjugate; z is negative. */
static void power_z(vb_fp12 *out, const vb_fp12 *a) {
    vb_fp12 x = *a;
    for (int bit = 62; bit >= 0; bit--) {
        vb_fp12_cyclotomic_square(&x, &x);
        if (VB_BLS_Z >> bit & 1) {
            vb_fp12_mul(&x, &x, a);
        }
    }
    vb_fp12_conjugate(out, &x);
}

/* f^(3 (p^12 - 1) / r). The hard part is Hayashida, Hayasaka and Teruya, "Efficient final
 * exponentiation via cyclotomic structure for pairings over families of elliptic curves":
 *     3 (p^4 - p^2 + 1) / r = (z - 1)^2 (z + p) (z^2 + p^2 - 1) + 3. */
static void final_exponentiation(vb_fp12 *out, const vb_fp12 *f) {
    vb_fp12 m, x, y, t;
    vb_fp12_inverse(&t, f);
    vb_fp12_conjugate(&m, f);
    vb_fp12_mul(&m, &m, &t);
    vb_fp12_frobenius(&t, &m);
    vb_fp12_frobenius(&t, &t);
    vb_fp12_mul(&m, &m, &t); /* f^((p^6 - 1) (p^2 + 1)) is in the cyclotomic subgroup */

    x = m;
    for (int i = 0; i < 2; i++) {
        power_z(&t, &x);
        vb_fp12_conjugate(&x, &x);
        vb_fp12_mul(&x, &x, &t);
    }
    power_z(&t, &x);
    vb_fp12_frobenius(&x, &x);
    vb_fp12_mul(&x, &x, &t);

    power_z(&y, &x);
    power_z(&y, &y);
    vb_fp12_frobenius(&t, &x);
    vb_fp12_frobenius(&t, &t);
    vb_fp12_mul(&y, &y, &t);
    vb_fp12_conjugate(&t, &x);
    vb_fp12_mul(&y, &y, &t);

    vb_fp12_cyclotomic_square(&t, &m);
    vb_fp12_mul(&y, &y, &t);
    vb_fp12_mul(out, &y, &m);
}

void vb_bls_pairing_product(const vb_bls_affine p[2], const vb_bls_affine q[2], vb_fp12 *out) {
    vb_bls_point t[2];
    vb_fp12 f;
    vb_fp12_one(&f);
    for (int i = 0; i < 2; i++) {
        vb_bls_point_from_affine(&t[i], &q[i]);
    }
    for (int bit = 62; bit >= 0; bit--) {
        vb_fp12_square(&f, &f);
        for (int i = 0; i < 2; i++) {
            double_step(&f, &t[i], &p[i]);
            if (VB_BLS_Z >> bit & 1) {
                add_step(&f, &t[i], &q[i], &p[i]);
            }
        }
    }
    vb_fp12_conjugate(&f, &f); /* z is negative */
    final_exponentiation(out, &f);
}
