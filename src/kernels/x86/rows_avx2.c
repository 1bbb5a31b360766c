/* The row kernels of the avx2 tier: rows_lanes.h on its lanes. */
#include "kernels/x86/lanes_avx2.h"

#include "kernels/x86/rows_lanes.h"
