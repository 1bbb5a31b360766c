#include "arith/floatenv.h"

#include <float.h>
#include <stdint.h>

_Static_assert(sizeof(float) == 4 && FLT_RADIX == 2 && FLT_MANT_DIG == 24 && FLT_MAX_EXP == 128 &&
                   FLT_MIN_EXP == -125,
               "float is IEEE-754 binary32");
_Static_assert(sizeof(double) == 8 && DBL_MANT_DIG == 53 && DBL_MAX_EXP == 1024 &&
                   DBL_MIN_EXP == -1021,
               "double is IEEE-754 binary64");
_Static_assert((int32_t)-1 >> 1 == -1 && (int8_t)-128 == -128, "two's complement");
#if !defined(FLT_EVAL_METHOD) || FLT_EVAL_METHOD != 0
#error "float expressions must be evaluated in float (gcc for s390: -fexcess-precision=fast)"
#endif
#ifdef __FAST_MATH__
#error "fast-math changes results"
#endif

/* Operands are read through volatile objects, so that the operations happen here, at run time,
 * in the mode the thread has. */
static bool binary32_ok(void) {
    volatile float one = 1.0f, half_ulp = 0x1p-24f, more = 0x1.000002p-24f, odd = 0x1.000002p+0f;
    bool nearest = one + half_ulp == one && one + more == odd && odd + half_ulp == 0x1.000004p+0f &&
                   -one - half_ulp == -one && -one - more == -odd;
    volatile float min_normal = 0x1p-126f, half = 0.5f, min_sub = 0x1p-149f, big = 0x1p+100f;
    volatile float made = min_normal * half; /* a subnormal result */
    bool subnormals = made == 0x1p-127f && min_sub * big == 0x1p-49f && min_sub + min_sub != 0.0f &&
                      min_normal - made == 0x1p-127f;
    /* a * a = 1 + 2^-11 + 2^-24 rounds to 1 + 2^-11; a fused product would leave 2^-24. */
    volatile float a = 0x1.001p+0f, c = -0x1.002p+0f;
    float x = a, y = c;
    bool unfused = x * x + y == 0.0f;
    volatile float large = 0x1p+24f, small = 1.0f;
    float p = large, q = small;
    bool in_order = (p + q) - p == 0.0f && (p + q) + q == p;
    return nearest && subnormals && unfused && in_order;
}

static bool binary64_ok(void) {
    volatile double one = 1.0, half_ulp = 0x1p-53, odd = 0x1.0000000000001p+0;
    bool nearest =
        one + half_ulp == one && odd + half_ulp == 0x1.0000000000002p+0 && -one - half_ulp == -one;
    volatile double min_normal = 0x1p-1022, half = 0.5;
    bool subnormals = min_normal * half != 0.0;
    volatile double e = 0x1.00000002p+0, f = -0x1.00000004p+0;
    double v = e, w = f;
    /* e * e = 1 + 2^-30 + 2^-62 rounds to 1 + 2^-30; fused, 2^-62 stays. */
    return nearest && subnormals && v * v + w == 0.0;
}

bool vb_float_env_ok(void) {
    return binary32_ok() && binary64_ok();
}
