/*
 * Fp and Fp2. A product is Montgomery's with R = 2^384, a row of partial products and a reduction
 * at a time; p is so far below R that the running sum never needs a seventh word.
 */
#include "crypto/bls12381_internal.h"

#include "base/bytes.h"

typedef unsigned __int128 u128;

static const vb_fp_plain modulus = VB_FP_MINUS(0);
/* -1 / p modulo 2^64. */
static const uint64_t modulus_factor = 0x89f3fffcfffcfffd;
/* 2^768 modulo p: a product with it takes an integer into Montgomery form. */
static const vb_fp r_squared =
    VB_FP_CONST(0x11988fe592cae3aa, 0x9a793e85b519952d, 0x67eb88a9939d83c0, 0x8de5476c4c95b6d5,
                0x0a76e6a609d104f1, 0xf4df1f341c341746);
/* (p - 3) / 4. */
static const uint64_t sqrt_exponent[VB_FP_WORDS] = {0xee7fbfffffffeaaa, 0x07aaffffac54ffff,
                                                    0xd9cc34a83dac3d89, 0xd91dd2e13ce144af,
                                                    0x92c6e9ed90d2eb35, 0x0680447a8e5ff9a6};

/* 1 is 2^384 modulo p. */
const vb_fp2 vb_fp2_one = {VB_FP_CONST(0x15f65ec3fa80e493, 0x5c071a97a256ec6d, 0x77ce585370525745,
                                       0x5f48985753c758ba, 0xebf4000bc40c0002, 0x760900000002fffd),
                           VB_FP_SMALL(0)};

/* a less p, unless that is negative; a is below 2p. */
static inline void reduce_once(uint64_t out[VB_FP_WORDS], const uint64_t a[VB_FP_WORDS]) {
    uint64_t less[VB_FP_WORDS], borrow = 0;
    for (int i = 0; i < VB_FP_WORDS; i++) {
        const u128 t = (u128)a[i] - modulus.w[i] - borrow;
        less[i] = (uint64_t)t;
        borrow = (uint64_t)(t >> 64) & 1;
    }
    memcpy(out, borrow ? a : less, sizeof less);
}

/* a + b, not reduced: below 2p. */
static inline void add_only(vb_fp *out, const vb_fp *a, const vb_fp *b) {
    u128 t = 0;
    for (int i = 0; i < VB_FP_WORDS; i++) {
        t += (u128)a->w[i] + b->w[i];
        out->w[i] = (uint64_t)t;
        t >>= 64;
    }
}

static inline void add(vb_fp *out, const vb_fp *a, const vb_fp *b) {
    vb_fp sum;
    add_only(&sum, a, b);
    reduce_once(out->w, sum.w);
}

static inline void sub(vb_fp *out, const vb_fp *a, const vb_fp *b) {
    uint64_t borrow = 0;
    for (int i = 0; i < VB_FP_WORDS; i++) {
        const u128 t = (u128)a->w[i] - b->w[i] - borrow;
        out->w[i] = (uint64_t)t;
        borrow = (uint64_t)(t >> 64) & 1;
    }
    const uint64_t wrapped = 0 - borrow;
    u128 t = 0;
    for (int i = 0; i < VB_FP_WORDS; i++) {
        t += (u128)out->w[i] + (modulus.w[i] & wrapped);
        out->w[i] = (uint64_t)t;
        t >>= 64;
    }
}

/* sum becomes (sum + a b + m p) / 2^64, with the m that makes this exact. */
static inline void mul_row(uint64_t sum[VB_FP_WORDS], const uint64_t a[VB_FP_WORDS], uint64_t b) {
    u128 t = (u128)a[0] * b + sum[0];
    const uint64_t m = (uint64_t)t * modulus_factor;
    u128 s = (u128)m * modulus.w[0] + (uint64_t)t;
    for (int j = 1; j < VB_FP_WORDS; j++) {
        t = (u128)a[j] * b + sum[j] + (uint64_t)(t >> 64);
        s = (u128)m * modulus.w[j] + (uint64_t)t + (uint64_t)(s >> 64);
        sum[j - 1] = (uint64_t)s;
    }
    sum[VB_FP_WORDS - 1] = (uint64_t)(t >> 64) + (uint64_t)(s >> 64);
}

/* a b / 2^384, below p. a and b may be sums of two elements: 4 p^2 / 2^384 + p is below 2p, and no
 * row's sum reaches 2^384. The rows are written out because compilers keep their sum in registers
 * then. */
static void mul(vb_fp *out, const vb_fp *a, const vb_fp *b) {
    uint64_t sum[VB_FP_WORDS] = {0};
    mul_row(sum, a->w, b->w[0]);
    mul_row(sum, a->w, b->w[1]);
    mul_row(sum, a->w, b->w[2]);
    mul_row(sum, a->w, b->w[3]);
    mul_row(sum, a->w, b->w[4]);
    mul_row(sum, a->w, b->w[5]);
    reduce_once(out->w, sum);
}

void vb_fp_neg(vb_fp *out, const vb_fp *a) {
    static const vb_fp zero;
    sub(out, &zero, a);
}

/* a^((p - 3) / 4), four bits of the exponent at a time. */
static void sqrt_power(vb_fp *out, const vb_fp *a) {
    vb_fp power[16] = {vb_fp2_one.c0}, x = vb_fp2_one.c0;
    for (int i = 1; i < 16; i++) {
        mul(&power[i], &power[i - 1], a);
    }
    for (int bit = 64 * VB_FP_WORDS - 4; bit >= 0; bit -= 4) {
        for (int i = 0; i < 4; i++) {
            mul(&x, &x, &x);
        }
        mul(&x, &x, &power[sqrt_exponent[bit / 64] >> bit % 64 & 15]);
    }
    *out = x;
}

/* a^(p - 2), from (p - 3) / 4 so that one exponent serves both this and the root. */
static void inverse(vb_fp *out, const vb_fp *a) {
    vb_fp x;
    sqrt_power(&x, a);
    mul(&x, &x, &x);
    mul(&x, &x, &x);
    mul(out, &x, a);
}

bool vb_fp_sqrt(vb_fp *out, const vb_fp *a) {
    vb_fp root, square;
    sqrt_power(&root, a);
    mul(&root, &root, a);
    mul(&square, &root, &root);
    if (!vb_fp_equal(&square, a)) {
        return false;
    }
    *out = root;
    return true;
}

void vb_fp_from_plain(vb_fp *out, const vb_fp_plain *a) {
    vb_fp x;
    memcpy(x.w, a->w, sizeof x.w);
    mul(out, &x, &r_squared);
}

void vb_fp_to_plain(vb_fp_plain *out, const vb_fp *a) {
    static const vb_fp integer_one = VB_FP_SMALL(1);
    vb_fp x;
    mul(&x, a, &integer_one);
    memcpy(out->w, x.w, sizeof out->w);
}

bool vb_fp_plain_less(const vb_fp_plain *a, const vb_fp_plain *b) {
    for (int i = VB_FP_WORDS - 1; i >= 0; i--) {
        if (a->w[i] != b->w[i]) {
            return a->w[i] < b->w[i];
        }
    }
    return false;
}

/* n big-endian words. */
static void load(uint64_t *out, const uint8_t *bytes, int n) {
    for (int i = 0; i < n; i++) {
        out[i] = vb_load_u64be(bytes + 8 * (n - 1 - i));
    }
}

bool vb_fp_from_bytes(vb_fp *out, const uint8_t bytes[VB_FP_BYTES]) {
    vb_fp_plain x;
    load(x.w, bytes, VB_FP_WORDS);
    if (!vb_fp_plain_less(&x, &modulus)) {
        return false;
    }
    vb_fp_from_plain(out, &x);
    return true;
}

void vb_fp_reduce(vb_fp *out, const uint8_t bytes[64]) {
    /* Two halves below 2^256, so both are below p: high 2^256 + low. */
    static const vb_fp_plain shift_plain = VB_FP_CONST(0, 1, 0, 0, 0, 0);
    vb_fp_plain half = {{0}};
    vb_fp high, low, shift;
    load(half.w, bytes, 4);
    vb_fp_from_plain(&high, &half);
    load(half.w, bytes + 32, 4);
    vb_fp_from_plain(&low, &half);
    vb_fp_from_plain(&shift, &shift_plain);
    mul(&high, &high, &shift);
    add(out, &high, &low);
}

void vb_fp2_add(vb_fp2 *out, const vb_fp2 *a, const vb_fp2 *b) {
    add(&out->c0, &a->c0, &b->c0);
    add(&out->c1, &a->c1, &b->c1);
}

void vb_fp2_sub(vb_fp2 *out, const vb_fp2 *a, const vb_fp2 *b) {
    sub(&out->c0, &a->c0, &b->c0);
    sub(&out->c1, &a->c1, &b->c1);
}

void vb_fp2_neg(vb_fp2 *out, const vb_fp2 *a) {
    vb_fp_neg(&out->c0, &a->c0);
    vb_fp_neg(&out->c1, &a->c1);
}

void vb_fp2_conjugate(vb_fp2 *out, const vb_fp2 *a) {
    out->c0 = a->c0;
    vb_fp_neg(&out->c1, &a->c1);
}

void vb_fp2_mul_xi(vb_fp2 *out, const vb_fp2 *a) {
    vb_fp c0;
    sub(&c0, &a->c0, &a->c1);
    add(&out->c1, &a->c0, &a->c1);
    out->c0 = c0;
}

void vb_fp2_mul(vb_fp2 *out, const vb_fp2 *a, const vb_fp2 *b) {
    vb_fp low, high, a_sum, b_sum;
    add_only(&a_sum, &a->c0, &a->c1);
    add_only(&b_sum, &b->c0, &b->c1);
    mul(&low, &a->c0, &b->c0);
    mul(&high, &a->c1, &b->c1);
    mul(&a_sum, &a_sum, &b_sum);
    sub(&out->c0, &low, &high);
    sub(&a_sum, &a_sum, &low);
    sub(&out->c1, &a_sum, &high);
}

void vb_fp2_square(vb_fp2 *out, const vb_fp2 *a) {
    vb_fp sum, difference, cross;
    add_only(&sum, &a->c0, &a->c1);
    sub(&difference, &a->c0, &a->c1);
    mul(&cross, &a->c0, &a->c1);
    mul(&out->c0, &sum, &difference);
    add(&out->c1, &cross, &cross);
}

void vb_fp2_mul_fp(vb_fp2 *out, const vb_fp2 *a, const vb_fp *b) {
    const vb_fp factor = *b; /* may be a part of out */
    mul(&out->c0, &a->c0, &factor);
    mul(&out->c1, &a->c1, &factor);
}

static void norm(vb_fp *out, const vb_fp2 *a) {
    vb_fp low, high;
    mul(&low, &a->c0, &a->c0);
    mul(&high, &a->c1, &a->c1);
    add(out, &low, &high);
}

void vb_fp2_inverse(vb_fp2 *out, const vb_fp2 *a) {
    vb_fp n;
    norm(&n, a);
    inverse(&n, &n);
    vb_fp2_conjugate(out, a);
    vb_fp2_mul_fp(out, out, &n);
}

/*
 * The complex method. With s^2 = norm(a) and t = (c0 + s) / 2, a root is x + c1 / (2x) u where
 * x^2 = t, if t is a square. If it is not, -t is one, and so is the t of -s: with
 * k = t^((p - 3) / 4), where t k^2 is 1 or -1 for a square or no square, the roots are
 *     t k + (c1 k / 2) u    or    (c1 k / 2) - t k u.
 * Where t is 0, -s is taken: then c1 is 0, and t becomes c0.
 */
bool vb_fp2_sqrt(vb_fp2 *out, const vb_fp2 *a) {
    static const vb_fp_plain half_plain =
        VB_FP_CONST(0x0d0088f51cbff34d, 0x258dd3db21a5d66b, 0xb23ba5c279c2895f, 0xb39869507b587b12,
                    0x0f55ffff58a9ffff, 0xdcff7fffffffd556);
    vb_fp half, s, t, k, x, y, square;
    norm(&s, a);
    if (!vb_fp_sqrt(&s, &s)) {
        return false;
    }
    vb_fp_from_plain(&half, &half_plain);
    add(&t, &a->c0, &s);
    mul(&t, &t, &half);
    if (vb_fp_is_zero(&t)) {
        t = a->c0;
    }
    sqrt_power(&k, &t);
    mul(&x, &t, &k);
    mul(&y, &a->c1, &k);
    mul(&y, &y, &half);
    mul(&square, &x, &x);
    if (vb_fp_equal(&square, &t)) {
        *out = (vb_fp2){x, y};
    } else {
        out->c0 = y;
        vb_fp_neg(&out->c1, &x);
    }
    return true;
}

void vb_fp2_from_plain(vb_fp2 *out, const vb_fp_plain a[2]) {
    vb_fp_from_plain(&out->c0, &a[0]);
    vb_fp_from_plain(&out->c1, &a[1]);
}
