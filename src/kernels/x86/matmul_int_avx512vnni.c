/*
 * Products with integer weights (spec/arithmetic.md section 3) by VPDPBUSD: 16 rows in the
 * lanes, up to 8 tokens in registers. Weights are the unsigned operand: a format whose
 * weights are signed is kept shifted up by `bias`, and its sums start at -bias * u.
 *
 * Few tokens, here: weights are taken apart in registers as they stream from memory. Many:
 * matmul_panel_avx512vnni.c. One token is bound by reading, and the processor fetches ahead of what
 * its window of some 300 instructions reaches: the fewer of them 64 bytes take, the faster it
 * reads.
 */
#include "kernels/x86/int_lanes_avx512vnni.h"
#include "kernels/x86/tokens.h"

enum {
    PART_TOKENS = 8,    /* in registers as weights stream */
    STREAM_TOKENS = 16, /* up to so many, weights are taken apart in registers */
    FEW_BLOCKS = 1024,  /* of all tokens, side by side: what the first-level cache can hold */
    HINTED_TOKENS = 2,  /* up to so many, a hint of what lies AHEAD_BYTES ahead helps */
    AHEAD_BYTES = 8192
};

/* Blocks of a part of the tokens, side by side: token t of n has its block b at b * n + t. What
 * integer sums start at is -bias * u, of a block or of each half. */
typedef struct few {
    _Alignas(64) int8_t q[FEW_BLOCKS][VB_BLOCK];
    float d[FEW_BLOCKS], du[FEW_BLOCKS];
    int32_t start[2][FEW_BLOCKS];
} few;

/* Blocks [b0, b0 + blocks) of n tokens from token t0 on, to x's place `at` on. */
VB_INLINE void put_side_by_side(source f, const vb_act *a, size_t t0, size_t n, size_t b0,
                                size_t blocks, few *x, size_t at) {
    for (size_t t = 0; t < n; t++) {
        const tokens from = tokens_at(a, t0 + t, b0);
        for (size_t b = 0; b < blocks; b++) {
            const size_t to = at + b * n + t;
            const int32_t low = has_halves(f) ? from.u_lo[b] : from.u[b];
            memcpy(x->q[to], from.q + b * VB_BLOCK, VB_BLOCK);
            x->d[to] = from.d[b];
            if (has_offset(f)) {
                x->du[to] = from.du[b];
            } else {
                x->start[0][to] = -bias_of(f) * low;
            }
            if (has_halves(f)) {
                x->start[1][to] = -bias_of(f) * (from.u[b] - low);
            }
        }
    }
}

/* Sums of chunks [j_begin, j_end) of block (n, c) of a group, which meets x's blocks from `at`
 * on: sum[t] for 16 rows and token t. */
VB_INLINE void sums(source f, int n_tokens, const uint8_t *g, size_t n, int c, int j_begin,
                    int j_end, const int32_t *start, const few *x, size_t at, __m512i *sum) {
    VB_UNROLL for (int t = 0; t < n_tokens; t++) {
        sum[t] = has_offset(f) ? _mm512_setzero_si512() : _mm512_set1_epi32(start[at + t]);
    }
    VB_UNROLL for (int j = j_begin; j < j_end; j++) {
        const __m512i w = weights(f, g, n, c, j);
        VB_UNROLL for (int t = 0; t < n_tokens; t++) {
            const __m512i q = _mm512_set1_epi32(vb_x86_load_i32(x->q[at + t] + 4 * j));
            sum[t] = _mm512_dpbusd_epi32(sum[t], w, q);
        }
    }
}

/* One block into the accumulators: t = (s * d) * isum; acc += t; acc += m * du. */
VB_INLINE void block(source f, int n_tokens, const uint8_t *g, size_t n, int c, const few *x,
                     size_t at, __m512 *acc) {
    __m512i sum[PART_TOKENS], high[PART_TOKENS];
    sums(f, n_tokens, g, n, c, 0, has_halves(f) ? 4 : 8, x->start[0], x, at, sum);
    if (has_halves(f)) {
        const __m512i low_scale = sub_scales(g, n, c, 0), high_scale = sub_scales(g, n, c, 1);
        sums(f, n_tokens, g, n, c, 4, 8, x->start[1], x, at, high);
        VB_UNROLL for (int t = 0; t < n_tokens; t++) {
            sum[t] = _mm512_add_epi32(_mm512_mullo_epi32(sum[t], low_scale),
                                      _mm512_mullo_epi32(high[t], high_scale));
        }
    }
    const __m512 s = scales(f, g, n, c);
    const __m512 m = has_offset(f) ? offsets(f, g, n, c) : _mm512_setzero_ps();
    VB_UNROLL for (int t = 0; t < n_tokens; t++) {
        const __m512 sd = _mm512_mul_ps(s, _mm512_set1_ps(x->d[at + t]));
        acc[t] = _mm512_add_ps(acc[t], _mm512_mul_ps(sd, _mm512_cvtepi32_ps(sum[t])));
        if (has_offset(f)) {
            acc[t] = _mm512_add_ps(acc[t], _mm512_mul_ps(m, _mm512_set1_ps(x->du[at + t])));
        }
    }
}

/* Tokens whose products of a block take no longer than reading it. */
VB_INLINE size_t tokens_of_reading(source f) {
    return f == FROM_Q8_0 ? 4 : f == FROM_Q6_K ? 2 : 1;
}

/* Consecutive blocks of one tile of rows, and what the tokens ask for as they pass over them:
 * the blocks that the next tile has in their place, `lines` of them with each block. Up to
 * tokens_of_reading() that would stand in the way of what is read now: there it is 0, and the
 * processor's own fetching gets a hint a block at most. */
typedef struct piece {
    const uint8_t *weights;
    size_t blocks;
    bool first; /* of its rows: sums start at 0 */
    __mmask16 rows;
    uintptr_t next;
    size_t lines;
} piece;

/* A piece for a part of n_tokens tokens. */
VB_INLINE void stream(source f, int n_tokens, const piece *w, const few *x, size_t at, float *y,
                      size_t y_stride) {
    const size_t group_blocks = vb_x86_group_blocks(type_of(f));
    const uint8_t *g = w->weights;
    uintptr_t next = w->next;
    __m512 acc[PART_TOKENS];
    VB_UNROLL for (int t = 0; t < n_tokens; t++) {
        acc[t] = w->first ? _mm512_setzero_ps() : _mm512_maskz_loadu_ps(w->rows, y + t * y_stride);
    }
    for (size_t b = 0; b < w->blocks; b += group_blocks) {
        const size_t left = w->blocks - b < group_blocks ? w->blocks - b : group_blocks;
        for (size_t n = 0; n < left / parts(f); n++) {
            VB_UNROLL for (int c = 0; c < parts(f); c++, at += n_tokens) {
                if (n_tokens <= HINTED_TOKENS && (size_t)n_tokens <= tokens_of_reading(f)) {
                    const size_t ahead =
                        vb_x86_block_at(type_of(f), n * parts(f) + c) + AHEAD_BYTES;
                    _mm_prefetch((const char *)((uintptr_t)g + ahead), _MM_HINT_T1);
                }
                for (const uintptr_t end = next + w->lines * LINE; next < end; next += LINE) {
                    _mm_prefetch((const char *)next, _MM_HINT_T1);
                }
                block(f, n_tokens, g, n, c, x, at, acc);
            }
        }
        g += vb_x86_group_bytes(type_of(f));
    }
    VB_UNROLL for (int t = 0; t < n_tokens; t++) {
        _mm512_mask_storeu_ps(y + t * y_stride, w->rows, acc[t]);
    }
}

VB_INLINE void stream_part(source f, size_t n_tokens, const piece *w, const few *x, size_t at,
                           float *y, size_t y_stride) {
    switch (n_tokens) {
    case 1: stream(f, 1, w, x, at, y, y_stride); break;
    case 2: stream(f, 2, w, x, at, y, y_stride); break;
    case 3: stream(f, 3, w, x, at, y, y_stride); break;
    case 4: stream(f, 4, w, x, at, y, y_stride); break;
    case 5: stream(f, 5, w, x, at, y, y_stride); break;
    case 6: stream(f, 6, w, x, at, y, y_stride); break;
    case 7: stream(f, 7, w, x, at, y, y_stride); break;
    default: stream(f, PART_TOKENS, w, x, at, y, y_stride);
    }
}

/* One token to STREAM_TOKENS, in equal parts. Rows of activations are cut so that all tokens' stay
 * in the cache: each tile for all of them before the next. */
VB_INLINE void matmul(source f, const vb_matrix *m, size_t row_begin, size_t row_end,
                      const vb_act *a, float *y, size_t y_stride) {
    few x;
    const vb_wtype type = type_of(f);
    const size_t tile_bytes = vb_x86_tile_bytes(type, m->cols), blocks = m->cols / VB_BLOCK;
    const size_t n_parts = (a->rows + PART_TOKENS - 1) / PART_TOKENS;
    const size_t most = FEW_BLOCKS / a->rows / VB_X86_K_BLOCKS * VB_X86_K_BLOCKS;
    /* A block is as many lines as its weights have bits, and not quite one for its scales. */
    const size_t lines =
        a->rows <= tokens_of_reading(f) ? 0 : (vb_x86_bits(type) + n_parts) / n_parts;
    for (size_t b0 = 0; b0 < blocks; b0 += most) {
        const size_t n = blocks - b0 < most ? blocks - b0 : most;
        for (size_t i = 0; i < n_parts; i++) {
            const size_t t = a->rows * i / n_parts, end = a->rows * (i + 1) / n_parts;
            put_side_by_side(f, a, t, end - t, b0, n, &x, t * n);
        }
        const uint8_t *tile = (const uint8_t *)m->data + row_begin / ROWS * tile_bytes +
                              b0 / vb_x86_group_blocks(type) * vb_x86_group_bytes(type);
        for (size_t r = row_begin; r < row_end; r += ROWS, tile += tile_bytes) {
            const __mmask16 rows =
                row_end - r >= ROWS ? 0xffff : (__mmask16)((1u << (row_end - r)) - 1);
            piece w = {tile, n, b0 == 0, rows, (uintptr_t)tile + tile_bytes, lines};
            for (size_t i = 0; i < n_parts; i++, w.next += n * lines * LINE) {
                const size_t t = a->rows * i / n_parts, end = a->rows * (i + 1) / n_parts;
                stream_part(f, end - t, &w, &x, t * n, y + t * y_stride + r, y_stride);
            }
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
