/* matmul_float_lanes.h for the avx512vnni tier: a part is all 16 lanes. */
#include "kernels/x86/lanes_avx512vnni.h"

/* Register tile of many tokens: 24 of 32 registers are sums. */
enum { PART_LANES = 16, PANEL_ROWS = 8, PANEL_TOKENS = 3 };

typedef __m512 part;

VB_INLINE part part_of(f32s v, int i) {
    (void)i;
    return v;
}
VB_INLINE part part_zero(void) {
    return _mm512_setzero_ps();
}
VB_INLINE part part_load(const float *p) {
    return _mm512_loadu_ps(p);
}
VB_INLINE void part_store(float *p, part v) {
    _mm512_store_ps(p, v);
}
VB_INLINE part part_add(part a, part b) {
    return _mm512_add_ps(a, b);
}
VB_INLINE part part_mul(part a, part b) {
    return _mm512_mul_ps(a, b);
}
/* v in a register: the compiler would load it again for each use, and loads are scarce. */
VB_INLINE part part_kept(part v) {
    __asm__("" : "+v"(v));
    return v;
}

/* The sums of 16 lanes (section 4: s_l += s_{l+8}, +4, +2, +1) of PANEL_ROWS rows at once; those of
 * the first n rows go to y. */
VB_INLINE void panel_sums(const float (*lanes)[16], size_t n, float *y) {
    __m512 eight[4], four[2];
    VB_UNROLL for (int i = 0; i < 4; i++) { /* of rows 2 i and 2 i + 1 */
        const __m512 a = _mm512_load_ps(lanes[2 * i]), b = _mm512_load_ps(lanes[2 * i + 1]);
        eight[i] =
            _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x44), _mm512_shuffle_f32x4(a, b, 0xee));
    }
    VB_UNROLL for (int i = 0; i < 2; i++) { /* of rows 4 i .. 4 i + 3 */
        const __m512 a = eight[2 * i], b = eight[2 * i + 1];
        four[i] = _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x88), _mm512_shuffle_f32x4(a, b, 0xdd));
    }
    const __m512 two = _mm512_add_ps(_mm512_shuffle_ps(four[0], four[1], 0x44),
                                     _mm512_shuffle_ps(four[0], four[1], 0xee));
    const __m512 one = _mm512_add_ps(two, _mm512_movehdup_ps(two)); /* row r, row r + 4: 4 r, + 2 */
    const __m512i rows = _mm512_setr_epi32(0, 4, 8, 12, 2, 6, 10, 14, 0, 0, 0, 0, 0, 0, 0, 0);
    _mm512_mask_storeu_ps(y, first_lanes(n), _mm512_permutexvar_ps(rows, one));
}

#include "kernels/x86/matmul_float_lanes.h"
