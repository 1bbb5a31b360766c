/* The row kernels of the avx512vnni tier: rows_lanes.h on its lanes. */
#include "kernels/x86/lanes_avx512vnni.h"

#include "kernels/x86/rows_lanes.h"
