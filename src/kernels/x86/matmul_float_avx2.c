/* matmul_float_lanes.h for the avx2 tier. */
#include "kernels/x86/lanes_avx2.h"

#include "kernels/x86/matmul_float_lanes.h"
