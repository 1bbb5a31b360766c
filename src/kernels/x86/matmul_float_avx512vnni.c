/* matmul_float_lanes.h for the avx512vnni tier. */
#include "kernels/x86/lanes_avx512vnni.h"

#include "kernels/x86/matmul_float_lanes.h"
