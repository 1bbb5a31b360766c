/*
 * Products with integer weights (spec/arithmetic.md section 3) by VPDPBUSD: 16 rows in the
 * lanes, up to 8 tokens in registers. Weights are the unsigned operand: a format whose
 * weights are signed is kept shifted up by `bias`, and its sums start at -bias * u.
 *
 * Few tokens, here: weights are taken apart in registers as they stream from memory. Many:
 * matmul_panel_avx512vnni.c.
 */
#include "kernels/x86/int_lanes_avx512vnni.h"
#include "kernels/x86/tokens.h"

enum {
    TOKENS = 8,         /* in registers as weights stream */
    STREAM_TOKENS = 16, /* up to so many, weights are taken apart in registers */
    AHEAD_BYTES = 4096  /* from the weights in use to those asked for, as they stream */
};

/* The integer sums of one block: sum[t] = isum of 16 rows and token t. at is the block's place
 * in the tokens' rows. */
VB_INLINE void sums(source f, int n_tokens, const uint8_t *g, size_t n, int c, __m512i minus_bias,
                    bool biased, const tokens *x, size_t at, __m512i *sum) {
    VB_UNROLL for (int t = 0; t < n_tokens; t++) {
        sum[t] = biased
                     ? _mm512_mullo_epi32(minus_bias, _mm512_set1_epi32(x->u[t * x->blocks + at]))
                     : _mm512_setzero_si512();
    }
    VB_UNROLL for (int j = 0; j < 8; j++) {
        __m512i w = weights(f, g, n, c, j);
        VB_UNROLL for (int t = 0; t < n_tokens; t++) {
            const int8_t *q = x->q + t * x->cols + at * VB_BLOCK + 4 * j;
            sum[t] = _mm512_dpbusd_epi32(sum[t], w, _mm512_set1_epi32(vb_x86_load_i32(q)));
        }
    }
}

/* The same where each half of the block has its own sub-scale. */
VB_INLINE void sums_of_halves(source f, int n_tokens, const uint8_t *g, size_t n, int c,
                              __m512i minus_bias, const tokens *x, size_t at, __m512i *sum) {
    VB_UNROLL for (int h = 0; h < 2; h++) {
        __m512i half[TOKENS], sub = sub_scales(g, n, c, h);
        VB_UNROLL for (int t = 0; t < n_tokens; t++) {
            int32_t u_lo = x->u_lo[t * x->blocks + at];
            int32_t u = h == 0 ? u_lo : x->u[t * x->blocks + at] - u_lo;
            half[t] = _mm512_mullo_epi32(minus_bias, _mm512_set1_epi32(u));
        }
        VB_UNROLL for (int j = 4 * h; j < 4 * h + 4; j++) {
            __m512i w = weights(f, g, n, c, j);
            VB_UNROLL for (int t = 0; t < n_tokens; t++) {
                const int8_t *q = x->q + t * x->cols + at * VB_BLOCK + 4 * j;
                half[t] = _mm512_dpbusd_epi32(half[t], w, _mm512_set1_epi32(vb_x86_load_i32(q)));
            }
        }
        VB_UNROLL for (int t = 0; t < n_tokens; t++) {
            __m512i scaled = _mm512_mullo_epi32(half[t], sub);
            sum[t] = h == 0 ? scaled : _mm512_add_epi32(sum[t], scaled);
        }
    }
}

/* One block into the accumulators: t = (s * d) * isum; acc += t; acc += m * du. */
VB_INLINE void block(source f, int n_tokens, const uint8_t *g, size_t n, int c, __m512i minus_bias,
                     bool biased, const tokens *x, size_t at, __m512 *acc) {
    __m512i sum[TOKENS];
    if (has_halves(f)) {
        sums_of_halves(f, n_tokens, g, n, c, minus_bias, x, at, sum);
    } else {
        sums(f, n_tokens, g, n, c, minus_bias, biased, x, at, sum);
    }
    __m512 s = scales(f, g, n, c);
    __m512 m = has_offset(f) ? offsets(f, g, n, c) : _mm512_setzero_ps();
    VB_UNROLL for (int t = 0; t < n_tokens; t++) {
        __m512 sd = _mm512_mul_ps(s, _mm512_set1_ps(x->d[t * x->blocks + at]));
        acc[t] = _mm512_add_ps(acc[t], _mm512_mul_ps(sd, _mm512_cvtepi32_ps(sum[t])));
        if (has_offset(f)) {
            __m512 du = _mm512_set1_ps(x->du[t * x->blocks + at]);
            acc[t] = _mm512_add_ps(acc[t], _mm512_mul_ps(m, du));
        }
    }
}

/* One tile of rows and n_tokens tokens over all of the row's blocks. */
VB_INLINE void stream_tile(source f, int n_tokens, const uint8_t *tile, const tokens *x, float *y,
                           size_t y_stride, __mmask16 rows) {
    __m512 acc[TOKENS];
    __m512i minus_bias = _mm512_set1_epi32(-bias_of(f));
    size_t group_blocks = vb_x86_group_blocks(type_of(f));
    VB_UNROLL for (int t = 0; t < n_tokens; t++) {
        acc[t] = _mm512_setzero_ps();
    }
    for (size_t b = 0; b < x->blocks; b += group_blocks) {
        size_t left = x->blocks - b < group_blocks ? x->blocks - b : group_blocks;
        /* One token reads as fast as the processor fetches ahead by itself; several do not. */
        for (size_t at = 0; n_tokens > 1 && at < vb_x86_group_bytes(type_of(f)); at += LINE) {
            _mm_prefetch((const char *)((uintptr_t)tile + AHEAD_BYTES + at), _MM_HINT_T1);
        }
        for (size_t n = 0; n < left / parts(f); n++) {
            VB_UNROLL for (int c = 0; c < parts(f); c++) {
                block(f, n_tokens, tile, n, c, minus_bias, bias_of(f) != 0, x, b + n * parts(f) + c,
                      acc);
            }
        }
        tile += vb_x86_group_bytes(type_of(f));
    }
    VB_UNROLL for (int t = 0; t < n_tokens; t++) {
        _mm512_mask_storeu_ps(y + t * y_stride, rows, acc[t]);
    }
}

/* One token to STREAM_TOKENS: every tile for all of them before the next. */
VB_INLINE void matmul(source f, const vb_matrix *m, size_t row_begin, size_t row_end,
                      const vb_act *a, float *y, size_t y_stride) {
    const uint8_t *tile = m->data;
    size_t tile_bytes = vb_x86_tile_bytes(m->type, m->cols);
    tile += row_begin / ROWS * tile_bytes;
    for (size_t r = row_begin; r < row_end; r += ROWS, tile += tile_bytes) {
        __mmask16 rows = row_end - r >= ROWS ? 0xffff : (__mmask16)((1u << (row_end - r)) - 1);
        size_t t = 0;
        for (; t + TOKENS <= a->rows; t += TOKENS) {
            tokens x = tokens_at(a, t, 0);
            stream_tile(f, TOKENS, tile, &x, y + t * y_stride + r, y_stride, rows);
        }
        if (a->rows - t >= 4) {
            tokens x = tokens_at(a, t, 0);
            stream_tile(f, 4, tile, &x, y + t * y_stride + r, y_stride, rows);
            t += 4;
        }
        if (a->rows - t >= 2) {
            tokens x = tokens_at(a, t, 0);
            stream_tile(f, 2, tile, &x, y + t * y_stride + r, y_stride, rows);
            t += 2;
        }
        if (t < a->rows) {
            tokens x = tokens_at(a, t, 0);
            stream_tile(f, 1, tile, &x, y + t * y_stride + r, y_stride, rows);
        }
    }
}

#define MATMUL(name, f)                                                                            \
    static void name(const vb_matrix *m, size_t row_begin, size_t row_end, const vb_act *a,        \
                     float *y, size_t y_stride) {                                                  \
        matmul(f, m, row_begin, row_end, a, y, y_stride);                                          \
    }

MATMUL(matmul_q8_0, FROM_Q8_0)
MATMUL(matmul_q4_0, FROM_Q4_0)
MATMUL(matmul_q4_1, FROM_Q4_1)
MATMUL(matmul_q5_0, FROM_Q5_0)
MATMUL(matmul_q5_1, FROM_Q5_1)
MATMUL(matmul_q4_k, FROM_Q4_K)
MATMUL(matmul_q5_k, FROM_Q5_K)
MATMUL(matmul_q6_k, FROM_Q6_K)

void vb_matmul_int_avx512vnni(const vb_matrix *m, size_t row_begin, size_t row_end, const vb_act *x,
                              float *y, size_t y_stride) {
    VB_ASSERT(row_begin % ROWS == 0 && row_end <= m->rows && x->cols == m->cols);
    if (x->rows > STREAM_TOKENS) {
        vb_matmul_panels_avx512vnni(m, row_begin, row_end, x, y, y_stride);
        return;
    }
    switch (m->type) {
    case VB_Q8_0: matmul_q8_0(m, row_begin, row_end, x, y, y_stride); break;
    case VB_Q4_0: matmul_q4_0(m, row_begin, row_end, x, y, y_stride); break;
    case VB_Q4_1: matmul_q4_1(m, row_begin, row_end, x, y, y_stride); break;
    case VB_Q5_0: matmul_q5_0(m, row_begin, row_end, x, y, y_stride); break;
    case VB_Q5_1: matmul_q5_1(m, row_begin, row_end, x, y, y_stride); break;
    case VB_Q4_K: matmul_q4_k(m, row_begin, row_end, x, y, y_stride); break;
    case VB_Q5_K: matmul_q5_k(m, row_begin, row_end, x, y, y_stride); break;
    case VB_Q6_K: matmul_q6_k(m, row_begin, row_end, x, y, y_stride); break;
    default: VB_ASSERT(0);
    }
}
