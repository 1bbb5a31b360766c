/*
 * The binary64 functions behind the rotary table (spec/arithmetic.md section 5.5), from
 * +, -, *, / and bit operations, and the square root. They run once per model, position or row,
 * so they are written for accuracy and plainness, not for lanes.
 *
 * Pure; any thread.
 */
#ifndef VB_ARITH_TRIG_H
#define VB_ARITH_TRIG_H

#define VB_LN2_F64 0x1.62e42fefa39efp-1
#define VB_TRIG_MAX 0x1p+23 /* sin and cos are defined for |x| <= this */

/* 2^x. +inf above 1023.5, +0 below -1021.5; a NaN gives a NaN. Exact at integers. */
double vb_exp2_f64(double x);

/* Base-2 logarithm of a positive normal number; a NaN for anything else. Exact at powers of 2. */
double vb_log2_f64(double x);

/* A NaN when |x| > VB_TRIG_MAX or x is a NaN. */
double vb_sin_f64(double x);
double vb_cos_f64(double x);

/* Correctly rounded square root in binary32, by integers: equal to the processor's instruction
 * and to sqrtf, without the libm that a call to sqrtf would need. A NaN when x < 0 or x is a NaN.
 */
float vb_sqrt_f32(float x);

#endif
