/*
 * What the arithmetic asks of the compiler and of the thread's floating-point mode. The first is
 * settled when the code is built and the second per thread, at start and in the self-test.
 */
#ifndef VB_ARITH_FLOATENV_H
#define VB_ARITH_FLOATENV_H

#include <stdbool.h>

/* True when, in this thread, binary32 and binary64 round to nearest even, subnormal operands and
 * results are kept, nothing is fused, reassociated or held in a wider format. */
bool vb_float_env_ok(void);

#endif
