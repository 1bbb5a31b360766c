/* attention_lanes.h for the avx2 tier. */
#include "kernels/x86/lanes_avx2.h"

#include "kernels/x86/attention_lanes.h"
