/*
 * Points of G1 and G2: Jacobian arithmetic on y^2 = x^3 + b (formulas dbl-2009-l and add-1998-cmo-2
 * of the Explicit-Formulas Database), membership of the subgroups, and the compressed form.
 */
#include "crypto/bls12381_internal.h"

static const vb_fp_plain generator_g1[4] = {
    VB_FP_CONST(0x17f1d3a73197d794, 0x2695638c4fa9ac0f, 0xc3688c4f9774b905, 0xa14e3a3f171bac58,
                0x6c55e83ff97a1aef, 0xfb3af00adb22c6bb),
    VB_FP_SMALL(0),
    VB_FP_CONST(0x08b3f481e3aaa0f1, 0xa09e30ed741d8ae4, 0xfcf5e095d5d00af6, 0x00db18cb2c04b3ed,
                0xd03cc744a2888ae4, 0x0caa232946c5e7e1),
    VB_FP_SMALL(0)};
static const vb_fp_plain generator_g2[4] = {
    VB_FP_CONST(0x024aa2b2f08f0a91, 0x260805272dc51051, 0xc6e47ad4fa403b02, 0xb4510b647ae3d177,
                0x0bac0326a805bbef, 0xd48056c8c121bdb8),
    VB_FP_CONST(0x13e02b6052719f60, 0x7dacd3a088274f65, 0x596bd0d09920b61a, 0xb5da61bbdc7f5049,
                0x334cf11213945d57, 0xe5ac7d055d042b7e),
    VB_FP_CONST(0x0ce5d527727d6e11, 0x8cc9cdc6da2e351a, 0xadfd9baa8cbdd3a7, 0x6d429a695160d12c,
                0x923ac9cc3baca289, 0xe193548608b82801),
    VB_FP_CONST(0x0606c4a02ea734cc, 0x32acd2b02bc28b99, 0xcb3e287e85a763af, 0x267492ab572e99ab,
                0x3f370d275cec1da1, 0xaaa9075ff05f79be)};

/* A cube root of 1; (x, y) -> (beta x, y) multiplies the points of G1 by -z^2. */
static const vb_fp_plain beta_plain =
    VB_FP_CONST(0x0000000000000000, 0x5f19672fdf76ce51, 0xba69c6076a0f77ea, 0xddb3a93be6f89688,
                0xde17d813620a0002, 0x2e01fffffffefffe);

void vb_bls_generator(vb_bls_group g, vb_bls_affine *out) {
    const vb_fp_plain *coordinates = g == VB_BLS_G1 ? generator_g1 : generator_g2;
    vb_fp2_from_plain(&out->x, &coordinates[0]);
    vb_fp2_from_plain(&out->y, &coordinates[2]);
}

void vb_bls_point_from_affine(vb_bls_point *out, const vb_bls_affine *a) {
    *out = (vb_bls_point){a->x, a->y, vb_fp2_one};
}

bool vb_bls_point_to_affine(vb_bls_affine *out, const vb_bls_point *a) {
    vb_fp2 inverse, square;
    if (vb_fp2_is_zero(&a->z)) {
        return false;
    }
    vb_fp2_inverse(&inverse, &a->z);
    vb_fp2_square(&square, &inverse);
    vb_fp2_mul(&out->x, &a->x, &square);
    vb_fp2_mul(&square, &square, &inverse);
    vb_fp2_mul(&out->y, &a->y, &square);
    return true;
}

/* x^3 + b, where b is 4 or 4 xi. */
static void right_side(vb_bls_group g, vb_fp2 *out, const vb_fp2 *x) {
    vb_fp2 b, cube;
    vb_fp2_add(&b, &vb_fp2_one, &vb_fp2_one);
    vb_fp2_add(&b, &b, &b);
    if (g == VB_BLS_G2) {
        vb_fp2_mul_xi(&b, &b);
    }
    vb_fp2_square(&cube, x);
    vb_fp2_mul(&cube, &cube, x);
    vb_fp2_add(out, &cube, &b);
}

void vb_bls_point_double(vb_bls_point *out, const vb_bls_point *a) {
    vb_fp2 x2, y2, y4, d, e;
    vb_fp2_square(&x2, &a->x);
    vb_fp2_square(&y2, &a->y);
    vb_fp2_square(&y4, &y2);
    vb_fp2_mul(&d, &a->x, &y2);
    vb_fp2_add(&d, &d, &d);
    vb_fp2_add(&d, &d, &d);
    vb_fp2_add(&e, &x2, &x2);
    vb_fp2_add(&e, &e, &x2);
    vb_fp2_mul(&out->z, &a->y, &a->z);
    vb_fp2_add(&out->z, &out->z, &out->z);
    vb_fp2_square(&out->x, &e);
    vb_fp2_sub(&out->x, &out->x, &d);
    vb_fp2_sub(&out->x, &out->x, &d);
    vb_fp2_sub(&d, &d, &out->x);
    vb_fp2_mul(&d, &d, &e);
    for (int i = 0; i < 3; i++) {
        vb_fp2_add(&y4, &y4, &y4);
    }
    vb_fp2_sub(&out->y, &d, &y4);
}

void vb_bls_point_add(vb_bls_point *out, const vb_bls_point *a, const vb_bls_point *b) {
    vb_fp2 za2, zb2, u, h, s, r, h2, v, t;
    if (vb_fp2_is_zero(&a->z)) {
        *out = *b;
        return;
    }
    if (vb_fp2_is_zero(&b->z)) {
        *out = *a;
        return;
    }
    vb_fp2_square(&za2, &a->z);
    vb_fp2_square(&zb2, &b->z);
    vb_fp2_mul(&u, &a->x, &zb2);
    vb_fp2_mul(&h, &b->x, &za2);
    vb_fp2_sub(&h, &h, &u);
    vb_fp2_mul(&s, &a->y, &zb2);
    vb_fp2_mul(&s, &s, &b->z);
    vb_fp2_mul(&r, &b->y, &za2);
    vb_fp2_mul(&r, &r, &a->z);
    vb_fp2_sub(&r, &r, &s);
    if (vb_fp2_is_zero(&h) && vb_fp2_is_zero(&r)) {
        vb_bls_point_double(out, a);
        return;
    }
    /* For b = -a, h is zero, and so is the new z. */
    vb_fp2_mul(&t, &a->z, &b->z);
    vb_fp2_mul(&out->z, &t, &h);
    vb_fp2_square(&h2, &h);
    vb_fp2_mul(&v, &u, &h2);
    vb_fp2_mul(&h2, &h2, &h);
    vb_fp2_square(&t, &r);
    vb_fp2_sub(&t, &t, &h2);
    vb_fp2_sub(&t, &t, &v);
    vb_fp2_sub(&out->x, &t, &v);
    vb_fp2_sub(&v, &v, &out->x);
    vb_fp2_mul(&v, &v, &r);
    vb_fp2_mul(&h2, &h2, &s);
    vb_fp2_sub(&out->y, &v, &h2);
}

static void point_neg(vb_bls_point *out, const vb_bls_point *a) {
    *out = *a;
    vb_fp2_neg(&out->y, &a->y);
}

/* [z] a: z is negative. */
static void point_mul_z(vb_bls_point *out, const vb_bls_point *a) {
    vb_bls_point x = *a;
    for (int bit = 62; bit >= 0; bit--) {
        vb_bls_point_double(&x, &x);
        if (VB_BLS_Z >> bit & 1) {
            vb_bls_point_add(&x, &x, a);
        }
    }
    point_neg(out, &x);
}

/* From the twist to the curve over Fp12, Frobenius, and back: psi (x, y) is
 * (conj(x) / gamma^2, conj(y) / gamma^3). */
static void point_psi(vb_bls_point *out, const vb_bls_point *a) {
    vb_fp2 gamma;
    vb_fp2_from_plain(&gamma, vb_bls_gamma);
    vb_fp2_conjugate(&out->x, &a->x);
    vb_fp2_conjugate(&out->y, &a->y);
    vb_fp2_conjugate(&out->z, &a->z);
    vb_fp2_mul(&out->z, &out->z, &gamma);
}

/*
 * Scott, "A note on group membership tests for G1, G2 and GT on BLS pairing-friendly curves"
 * (2021): the points of the curve for which an endomorphism acts as its eigenvalue are those of the
 * subgroup. G1: (beta x, y) = [-z^2] (x, y). G2: psi(Q) = [z] Q. That this holds for points of any
 * order is proved in El Housni, Guillevic and Piellard, "Co-factor clearing and subgroup membership
 * testing on pairing-friendly curves" (2022).
 */
bool vb_bls_in_subgroup(vb_bls_group g, const vb_bls_affine *a) {
    vb_bls_point p, image, multiple;
    vb_bls_point_from_affine(&p, a);
    point_mul_z(&multiple, &p);
    if (g == VB_BLS_G1) {
        vb_fp beta;
        vb_fp_from_plain(&beta, &beta_plain);
        image = p;
        vb_fp2_mul_fp(&image.x, &p.x, &beta);
        point_mul_z(&multiple, &multiple);
    } else {
        point_psi(&image, &p);
        point_neg(&multiple, &multiple);
    }
    vb_bls_point_add(&image, &image, &multiple);
    return vb_fp2_is_zero(&image.z);
}

/* RFC 9380, sections 8.8.1 and 8.8.2, G.3: [1 - z] P in G1; in G2
 * [z^2 - z - 1] P + [z - 1] psi(P) + psi(psi([2] P)). */
void vb_bls_clear_cofactor(vb_bls_group g, vb_bls_point *out, const vb_bls_point *a) {
    vb_bls_point minus, image, sum, t;
    point_neg(&minus, a);
    point_mul_z(&sum, a);
    vb_bls_point_add(&sum, &sum, &minus); /* [z - 1] P */
    if (g == VB_BLS_G1) {
        point_neg(out, &sum);
        return;
    }
    point_psi(&image, &minus);
    point_neg(&t, &image);
    vb_bls_point_add(&sum, &sum, &t);
    point_mul_z(&sum, &sum); /* [z^2 - z] P + [z] psi(P) */
    vb_bls_point_add(&sum, &sum, &minus);
    vb_bls_point_add(&sum, &sum, &image);
    point_psi(&image, &t);
    vb_bls_point_double(&image, &image);
    vb_bls_point_add(out, &sum, &image);
}

/* Of a number and its negation, is this the larger? Not for 0. */
static bool is_larger(const vb_fp *a) {
    vb_fp minus;
    vb_fp_plain x, y;
    vb_fp_neg(&minus, a);
    vb_fp_to_plain(&x, a);
    vb_fp_to_plain(&y, &minus);
    return vb_fp_plain_less(&y, &x);
}

vb_err vb_bls_decode(vb_bls_group g, const uint8_t *bytes, const char *what, vb_bls_affine *out,
                     vb_error *e) {
    enum { COMPRESSED = 0x80, IDENTITY = 0x40, LARGER_Y = 0x20, FLAGS = 0xe0 };
    uint8_t first[VB_FP_BYTES];
    vb_bls_affine a = {0};
    memcpy(first, bytes, sizeof first);
    first[0] &= (uint8_t)~FLAGS;
    if (!(bytes[0] & COMPRESSED)) {
        return vb_fail(e, VB_EFORMAT, "%s: the first byte is 0x%02x, expected the flag 0x80", what,
                       bytes[0]);
    }
    if (bytes[0] & IDENTITY) {
        return vb_fail(e, VB_EFORMAT, "%s: it is the identity, expected another point", what);
    }
    if (!(g == VB_BLS_G1 ? vb_fp_from_bytes(&a.x.c0, first)
                         : vb_fp_from_bytes(&a.x.c1, first) &&
                               vb_fp_from_bytes(&a.x.c0, bytes + VB_FP_BYTES))) {
        return vb_fail(e, VB_EFORMAT, "%s: x is not below the field's modulus", what);
    }
    right_side(g, &a.y, &a.x);
    if (!(g == VB_BLS_G1 ? vb_fp_sqrt(&a.y.c0, &a.y.c0) : vb_fp2_sqrt(&a.y, &a.y))) {
        return vb_fail(e, VB_EFORMAT, "%s: no point of the curve has this x", what);
    }
    const vb_fp *sign = vb_fp_is_zero(&a.y.c1) ? &a.y.c0 : &a.y.c1;
    if (is_larger(sign) != ((bytes[0] & LARGER_Y) != 0)) {
        vb_fp2_neg(&a.y, &a.y);
    }
    if (!vb_bls_in_subgroup(g, &a)) {
        return vb_fail(e, VB_EFORMAT, "%s: the point is not in the subgroup of order r", what);
    }
    *out = a;
    return VB_OK;
}
