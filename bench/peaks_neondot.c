/* The int8 loop of bench/peaks.c with the dot product of Armv8.2. */
#include <arm_neon.h>

#include "peaks.h"

int64_t vb_peak_int8_neondot(void) {
    int32x4_t sum[VB_PEAK_CHAINS];
    const int8x16_t w = vdupq_n_s8(3);
    for (int i = 0; i < VB_PEAK_CHAINS; i++) {
        sum[i] = vdupq_n_s32(i);
    }
    for (int n = 0; n < VB_PEAK_ROUNDS; n++) {
        /* A factor that changes, so that no sum is known beforehand. */
        const int8x16_t q = vdupq_n_s8((int8_t)n);
        for (int i = 0; i < VB_PEAK_CHAINS; i++) {
            sum[i] = vdotq_s32(sum[i], w, q);
        }
    }
    int64_t all = 0;
    for (int i = 0; i < VB_PEAK_CHAINS; i++) {
        all += vgetq_lane_s32(sum[i], 0);
    }
    return all;
}
