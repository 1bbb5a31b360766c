#include "arith/trig.h"

#include "arith/bits.h"

/* Adding it rounds |t| < 2^51 to an integer, ties to even. */
static const double RINT = 0x1.8p+52;

static double not_a_number(void) {
    return vb_f64_from_bits(UINT64_C(0x7ff8000000000000));
}

double vb_exp2_f64(double x) {
    /* ln(2)^k / k!, k = 13 down to 1, each rounded to nearest. */
    static const double c[13] = {
        0x1.816193166d0f9p-40, 0x1.c3bd650fc2986p-36, 0x1.e8cac7351bb25p-32, 0x1.e4cf5158b8ecap-28,
        0x1.b5253d395e7c4p-24, 0x1.62c0223a5c824p-20, 0x1.ffcbfc588b0c7p-17, 0x1.430912f86c787p-13,
        0x1.5d87fe78a6731p-10, 0x1.3b2ab6fba4e77p-7,  0x1.c6b08d704a0cp-5,   0x1.ebfbdff82c58fp-3,
        0x1.62e42fefa39efp-1};
    if (x > 1023.5) {
        return vb_f64_from_bits(UINT64_C(0x7ff0000000000000));
    }
    if (x < -1021.5) {
        return 0.0;
    }
    if (x != x) {
        return x;
    }
    double shifted = x + RINT;
    double n = shifted - RINT;
    double f = x - n;
    double p = c[0];
    for (int i = 1; i < 13; i++) {
        p = p * f + c[i];
    }
    double y = 1.0 + f * p;
    /* n reaches 1024 only with f < 0; half of the exponent at a time keeps both factors normal. */
    int64_t k = (int64_t)n;
    int64_t half = k >= 0 ? k / 2 : -(-k / 2);
    y = y * vb_f64_from_bits((uint64_t)(half + 1023) << 52);
    return y * vb_f64_from_bits((uint64_t)(k - half + 1023) << 52);
}

double vb_log2_f64(double x) {
    /* 2 / (ln(2) (2j + 1)), j = 11 down to 0, each rounded to nearest. */
    static const double c[12] = {0x1.00ecd7e080215p-3, 0x1.1964ec6fc9491p-3, 0x1.3703c1f4d0ffep-3,
                                 0x1.5b9ac9b743f0dp-3, 0x1.89f3b1694cffep-3, 0x1.c68f568d3176p-3,
                                 0x1.0c9a84994022dp-2, 0x1.484b13d7c02a9p-2, 0x1.a61762a7aded9p-2,
                                 0x1.2776c50ef9bfep-1, 0x1.ec709dc3a03fdp-1, 0x1.71547652b82fep+1};
    uint64_t bits = vb_f64_bits(x);
    if (bits < UINT64_C(0x0010000000000000) || bits >= UINT64_C(0x7ff0000000000000)) {
        return not_a_number();
    }
    int k = (int)(bits >> 52) - 1023;
    double m =
        vb_f64_from_bits((bits & UINT64_C(0x000fffffffffffff)) | UINT64_C(0x3ff0000000000000));
    if (m >= 0x1.6a09e667f3bcdp+0) { /* sqrt(2) */
        m = m * 0.5;
        k = k + 1;
    }
    double f = m - 1.0;
    double s = f / (2.0 + f);
    double z = s * s;
    double p = c[0];
    for (int i = 1; i < 12; i++) {
        p = p * z + c[i];
    }
    return (double)k + s * p;
}

/* r = hi + lo, |r| <= pi/4 (and a little), with x = r + quadrant * pi/2. */
typedef struct reduced {
    double hi, lo;
    unsigned quadrant; /* modulo 4 */
} reduced;

/* Knuth's exact difference: a - b = hi + *lo. */
static double exact_difference(double a, double b, double *lo) {
    double hi = a - b;
    double t = hi - a;
    *lo = (a - (hi - t)) - (b + t);
    return hi;
}

static reduced reduce(double x) {
    /* pi/2 in three pieces of 30 bits, so that a product with |n| < 2^23 is exact, and a rest. */
    static const double p1 = 0x1.921fb54p+0, p2 = 0x1.10b46118p-30, p3 = 0x1.313198ap-61,
                        p4 = 0x1.701b839a25205p-92;
    double n = (x * 0x1.45f306dc9c883p-1 + RINT) - RINT; /* 2 / pi */
    double e1, e2;
    double h1 = exact_difference(x - n * p1, n * p2, &e1);
    double h2 = exact_difference(h1, n * p3, &e2);
    double tail = (e1 + e2) - n * p4;
    reduced r;
    r.hi = h2 + tail;
    r.lo = (h2 - r.hi) + tail;
    r.quadrant = (unsigned)((int64_t)n & 3);
    return r;
}

static double sin_kernel(double x, double y) {
    double z = x * x;
    double w = z * z;
    double r = (0x1.111111110f8a6p-7 + z * (-0x1.a01a019c161d5p-13 + z * 0x1.71de357b1fe7dp-19)) +
               (z * w) * (-0x1.ae5e68a2b9cebp-26 + z * 0x1.5d93a5acfd57cp-33);
    double v = z * x;
    return x - ((z * (0.5 * y - v * r) - y) - v * -0x1.5555555555549p-3);
}

static double cos_kernel(double x, double y) {
    double z = x * x;
    double w = z * z;
    double r =
        z * (0x1.555555555554cp-5 + z * (-0x1.6c16c16c15177p-10 + z * 0x1.a01a019cb159p-16)) +
        (w * w) *
            (-0x1.27e4f809c52adp-22 + z * (0x1.1ee9ebdb4b1c4p-29 + z * -0x1.8fae9be8838d4p-37));
    double half = 0.5 * z;
    double one = 1.0 - half;
    return one + (((1.0 - one) - half) + (z * r - x * y));
}

static double quadrant_value(reduced r, unsigned quadrant) {
    switch (quadrant & 3u) {
    case 0: return sin_kernel(r.hi, r.lo);
    case 1: return cos_kernel(r.hi, r.lo);
    case 2: return -sin_kernel(r.hi, r.lo);
    default: return -cos_kernel(r.hi, r.lo);
    }
}

double vb_sin_f64(double x) {
    if (!(x >= -VB_TRIG_MAX && x <= VB_TRIG_MAX)) {
        return not_a_number();
    }
    reduced r = reduce(x);
    return quadrant_value(r, r.quadrant);
}

double vb_cos_f64(double x) {
    if (!(x >= -VB_TRIG_MAX && x <= VB_TRIG_MAX)) {
        return not_a_number();
    }
    reduced r = reduce(x);
    return quadrant_value(r, r.quadrant + 1u);
}

float vb_sqrt_f32(float x) {
    uint32_t bits = vb_f32_bits(x);
    if ((bits & 0x7fffffffu) == 0 || bits == 0x7f800000u) {
        return x; /* +-0 and +inf are their own roots */
    }
    if (bits > 0x7f800000u) {
        return vb_f32_from_bits(0x7fc00000u);
    }
    int exponent = (int)(bits >> 23);
    uint32_t significand = bits & 0x7fffffu;
    if (exponent == 0) {
        exponent = 1;
    } else {
        significand |= 0x800000u;
    }
    while (significand < 0x800000u) { /* a subnormal: at most 23 steps */
        significand <<= 1;
        exponent--;
    }
    /* x = wide * 2^(2 * root_exponent), wide in [2^46, 2^48). */
    int e = exponent - 150;
    int shift = (e & 1) ? 23 : 24;
    uint64_t wide = (uint64_t)significand << shift;
    int root_exponent = (e - shift) / 2;
    /* floor(sqrt(wide)), 24 bits, bit by bit. */
    uint64_t root = 0;
    for (uint64_t bit = UINT64_C(1) << 23; bit != 0; bit >>= 1) {
        uint64_t trial = root | bit;
        if (trial * trial <= wide) {
            root = trial;
        }
    }
    /* The remainder decides the rounding. It is never a tie: that needs wide = (root + 1/2)^2,
     * which is no integer. */
    if (wide - root * root > root) {
        root++;
    }
    return (float)root * vb_f32_from_bits((uint32_t)(root_exponent + 127) << 23);
}
