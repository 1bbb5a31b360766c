/*
 * Products with integer weights (spec/arithmetic.md section 3) by VPDPBUSD: 16 rows in the
 * lanes, up to 8 tokens in registers. Weights are the unsigned operand: a format whose
 * weights are signed is kept shifted up by `bias`, and its sums start at -bias * u.
 *
 * Few tokens: weights are taken apart in registers as they stream from memory. Many: 256
 * inputs of 16 rows are taken apart once into a buffer that all tokens share, and the
 * accumulators rest in y between chunks; a float goes to memory and back unchanged, so the
 * order of operations, and with it every bit, is the same.
 */
#include <immintrin.h>

#include "kernels/x86/internal.h"
#include "kernels/x86/layout.h"

enum { TOKENS = 8, CHUNK_BLOCKS = 8, ROWS = VB_ROW_TILE };

/* Where a block's weights are read from: a packed format, or the buffer. */
typedef enum source {
    FROM_Q8_0,
    FROM_Q4_0,
    FROM_Q4_1,
    FROM_Q5_0,
    FROM_Q5_1,
    FROM_Q4_K,
    FROM_Q5_K,
    FROM_Q6_K,
    FROM_BUFFER,        /* scale */
    FROM_BUFFER_OFFSET, /* scale and offset */
    FROM_BUFFER_HALVES  /* scale, and two integer sub-scales */
} source;

/* 256 inputs of 16 rows, taken apart. */
typedef struct buffer {
    _Alignas(64) uint8_t w[CHUNK_BLOCKS][8][VB_X86_CHUNK_BYTES];
    float s[CHUNK_BLOCKS][ROWS];
    float m[CHUNK_BLOCKS][ROWS];
    int32_t sub[CHUNK_BLOCKS][2][ROWS];
} buffer;

/* Tokens of a vb_act from some token and block on. */
typedef struct tokens {
    const int8_t *q;
    const float *d, *du;
    const int32_t *u, *u_lo;
    size_t cols, blocks; /* strides from token to token */
} tokens;

VB_INLINE tokens tokens_at(const vb_act *x, size_t t, size_t b) {
    size_t blocks = x->cols / VB_BLOCK, at = t * blocks + b;
    return (tokens){x->q + at * VB_BLOCK, x->d + at, x->du + at, x->u + at,
                    x->u_lo + at,         x->cols,   blocks};
}

VB_INLINE bool has_offset(source f) {
    return f == FROM_Q4_1 || f == FROM_Q5_1 || f == FROM_Q4_K || f == FROM_Q5_K ||
           f == FROM_BUFFER_OFFSET;
}
VB_INLINE bool has_halves(source f) {
    return f == FROM_Q6_K || f == FROM_BUFFER_HALVES;
}
VB_INLINE vb_wtype type_of(source f) {
    static const vb_wtype types[] = {VB_Q8_0, VB_Q4_0, VB_Q4_1, VB_Q5_0,
                                     VB_Q5_1, VB_Q4_K, VB_Q5_K, VB_Q6_K};
    return types[f];
}
/* Blocks of a group are numbered n * parts(f) + c, n counted by a loop, c by unrolled code. */
VB_INLINE int parts(source f) {
    return f == FROM_Q4_K || f == FROM_Q5_K ? 2 : f == FROM_Q6_K ? 4 : 1;
}

VB_INLINE __m512i load(const void *p) {
    return _mm512_loadu_si512(p);
}
VB_INLINE __m512i low_nibbles(__m512i v) {
    return _mm512_and_si512(v, _mm512_set1_epi8(15));
}
VB_INLINE __m512i high_nibbles(__m512i v) {
    return low_nibbles(_mm512_srli_epi16(v, 4));
}

/* Bit j of each byte, moved to bit 4. */
VB_INLINE __m512i fifth_bit(__m512i v, int j) {
    __m512i moved;
    switch (j) {
    case 0: moved = _mm512_slli_epi16(v, 4); break;
    case 1: moved = _mm512_slli_epi16(v, 3); break;
    case 2: moved = _mm512_slli_epi16(v, 2); break;
    case 3: moved = _mm512_slli_epi16(v, 1); break;
    case 4: moved = v; break;
    case 5: moved = _mm512_srli_epi16(v, 1); break;
    case 6: moved = _mm512_srli_epi16(v, 2); break;
    default: moved = _mm512_srli_epi16(v, 3); break;
    }
    return _mm512_and_si512(moved, _mm512_set1_epi8(16));
}

/* Bits 2c and 2c + 1 of each byte, moved to bits 4 and 5. */
VB_INLINE __m512i top_bits(__m512i v, int c) {
    __m512i moved;
    switch (c) {
    case 0: moved = _mm512_slli_epi16(v, 4); break;
    case 1: moved = _mm512_slli_epi16(v, 2); break;
    case 2: moved = v; break;
    default: moved = _mm512_srli_epi16(v, 2); break;
    }
    return _mm512_and_si512(moved, _mm512_set1_epi8(48));
}

/* Chunk j of block (n, c) of a group: 16 rows x 4 weights, unsigned. */
VB_INLINE __m512i weights(source f, const uint8_t *g, size_t n, int c, int j) {
    __m512i v;
    switch (f) {
    case FROM_Q8_0: return load(g + 64 + 512 * n + 64 * j);
    case FROM_Q4_0:
        v = load(g + 64 + 256 * n + 64 * (j % 4));
        return j < 4 ? low_nibbles(v) : high_nibbles(v);
    case FROM_Q4_1:
        v = load(g + 128 + 256 * n + 64 * (j % 4));
        return j < 4 ? low_nibbles(v) : high_nibbles(v);
    case FROM_Q5_0:
        v = load(g + 64 + 256 * n + 64 * (j % 4));
        v = j < 4 ? low_nibbles(v) : high_nibbles(v);
        return _mm512_or_si512(v, fifth_bit(load(g + 576 + 64 * n), j));
    case FROM_Q5_1:
        v = load(g + 128 + 256 * n + 64 * (j % 4));
        v = j < 4 ? low_nibbles(v) : high_nibbles(v);
        return _mm512_or_si512(v, fifth_bit(load(g + 640 + 64 * n), j));
    case FROM_Q4_K:
        v = load(g + VB_X86_K_QUANTS + 512 * n + 64 * j);
        return c == 0 ? low_nibbles(v) : high_nibbles(v);
    case FROM_Q5_K: {
        __m512i h = load(g + VB_X86_K_HIGH + 64 * j);
        h = _mm512_srl_epi16(h, _mm_cvtsi32_si128((int)(2 * n)));
        v = load(g + VB_X86_K_UNDER_HIGH + 512 * n + 64 * j);
        v = c == 0 ? low_nibbles(v) : high_nibbles(v);
        return _mm512_or_si512(v, fifth_bit(h, c));
    }
    case FROM_Q6_K:
        g += VB_X86_Q6_HALF * n + 64 * j;
        v = load(g + VB_X86_K_UNDER_HIGH + 512 * (c % 2));
        v = c < 2 ? low_nibbles(v) : high_nibbles(v);
        return _mm512_or_si512(v, top_bits(load(g + VB_X86_K_HIGH), c));
    default: return load(((const buffer *)(const void *)g)->w[n][j]);
    }
}

VB_INLINE __m512 f16_lanes(const uint8_t *p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)p));
}
VB_INLINE __m512 u8_lanes(const uint8_t *p) {
    return _mm512_cvtepi32_ps(
        _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(const void *)p)));
}

/* s of block (n, c) for 16 rows. */
VB_INLINE __m512 scales(source f, const uint8_t *g, size_t n, int c) {
    switch (f) {
    case FROM_Q4_K:
    case FROM_Q5_K:
        return _mm512_mul_ps(f16_lanes(g), u8_lanes(g + VB_X86_K_SCALES + 16 * (2 * n + c)));
    case FROM_Q6_K: return f16_lanes(g);
    case FROM_BUFFER:
    case FROM_BUFFER_OFFSET:
    case FROM_BUFFER_HALVES: return _mm512_load_ps(((const buffer *)(const void *)g)->s[n]);
    default: return f16_lanes(g + 32 * n);
    }
}

/* m of block (n, c) for 16 rows; the K formats' is minus dmin times their minimum. */
VB_INLINE __m512 offsets(source f, const uint8_t *g, size_t n, int c) {
    switch (f) {
    case FROM_Q4_K:
    case FROM_Q5_K: {
        __m512 dmin = f16_lanes(g + VB_X86_K_MIN);
        __m512 p = _mm512_mul_ps(dmin, u8_lanes(g + VB_X86_K_MINS + 16 * (2 * n + c)));
        return _mm512_xor_ps(p, _mm512_set1_ps(-0.0f));
    }
    case FROM_BUFFER_OFFSET: return _mm512_load_ps(((const buffer *)(const void *)g)->m[n]);
    default: return f16_lanes(g + 64 + 32 * n);
    }
}

/* The sub-scale of half h of block (n, c) for 16 rows. */
VB_INLINE __m512i sub_scales(source f, const uint8_t *g, size_t n, int c, int h) {
    if (f == FROM_Q6_K) {
        const uint8_t *p = g + VB_X86_K_SCALES + 16 * (2 * (4 * n + c) + h);
        return _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(const void *)p));
    }
    return load(((const buffer *)(const void *)g)->sub[n][h]);
}

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
        __m512i half[TOKENS], sub = sub_scales(f, g, n, c, h);
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

VB_INLINE int bias_of(source f) {
    return f == FROM_Q8_0   ? 128
           : f == FROM_Q4_0 ? 8
           : f == FROM_Q5_0 ? 16
           : f == FROM_Q6_K ? 32
                            : 0;
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

/* Up to CHUNK_BLOCKS blocks of a tile from block b0, a multiple of CHUNK_BLOCKS, on. */
VB_INLINE void take_apart(source f, const uint8_t *tile, size_t b0, size_t blocks, buffer *out) {
    size_t group_blocks = vb_x86_group_blocks(type_of(f));
    tile += b0 / group_blocks * vb_x86_group_bytes(type_of(f));
    for (size_t b = 0; b < blocks; b += group_blocks) {
        size_t left = blocks - b < group_blocks ? blocks - b : group_blocks;
        for (size_t n = 0; n < left / parts(f); n++) {
            VB_UNROLL for (int c = 0; c < parts(f); c++) {
                size_t at = b + n * parts(f) + c;
                VB_UNROLL for (int j = 0; j < 8; j++) {
                    _mm512_store_si512(out->w[at][j], weights(f, tile, n, c, j));
                }
                _mm512_store_ps(out->s[at], scales(f, tile, n, c));
                if (has_offset(f)) {
                    _mm512_store_ps(out->m[at], offsets(f, tile, n, c));
                }
                if (has_halves(f)) {
                    _mm512_store_si512(out->sub[at][0], sub_scales(f, tile, n, c, 0));
                    _mm512_store_si512(out->sub[at][1], sub_scales(f, tile, n, c, 1));
                }
            }
        }
        tile += vb_x86_group_bytes(type_of(f));
    }
}

/* A buffer's blocks for n_tokens tokens; the accumulators come from y unless first. */
VB_INLINE void buffer_tokens(source f, int n_tokens, const buffer *w, size_t blocks, int bias,
                             bool first, const tokens *x, float *y, size_t y_stride,
                             __mmask16 rows) {
    __m512 acc[TOKENS];
    __m512i minus_bias = _mm512_set1_epi32(-bias);
    VB_UNROLL for (int t = 0; t < n_tokens; t++) {
        acc[t] = first ? _mm512_setzero_ps() : _mm512_maskz_loadu_ps(rows, y + t * y_stride);
    }
    for (size_t b = 0; b < blocks; b++) {
        block(f, n_tokens, (const uint8_t *)w, b, 0, minus_bias, f == FROM_BUFFER, x, b, acc);
    }
    VB_UNROLL for (int t = 0; t < n_tokens; t++) {
        _mm512_mask_storeu_ps(y + t * y_stride, rows, acc[t]);
    }
}

#define BUFFER_TOKENS(name, f)                                                                     \
    static void name(const buffer *w, size_t blocks, int bias, bool first, const vb_act *a,        \
                     size_t b0, float *y, size_t y_stride, __mmask16 rows) {                       \
        size_t t = 0;                                                                              \
        for (; t + 8 <= a->rows; t += 8) {                                                         \
            tokens x = tokens_at(a, t, b0);                                                        \
            buffer_tokens(f, 8, w, blocks, bias, first, &x, y + t * y_stride, y_stride, rows);     \
        }                                                                                          \
        if (a->rows - t >= 4) {                                                                    \
            tokens x = tokens_at(a, t, b0);                                                        \
            buffer_tokens(f, 4, w, blocks, bias, first, &x, y + t * y_stride, y_stride, rows);     \
            t += 4;                                                                                \
        }                                                                                          \
        for (; t < a->rows; t++) {                                                                 \
            tokens x = tokens_at(a, t, b0);                                                        \
            buffer_tokens(f, 1, w, blocks, bias, first, &x, y + t * y_stride, y_stride, rows);     \
        }                                                                                          \
    }

BUFFER_TOKENS(plain_tokens, FROM_BUFFER)
BUFFER_TOKENS(offset_tokens, FROM_BUFFER_OFFSET)
BUFFER_TOKENS(halves_tokens, FROM_BUFFER_HALVES)

VB_INLINE void matmul(source f, const vb_matrix *m, size_t row_begin, size_t row_end,
                      const vb_act *a, float *y, size_t y_stride) {
    const uint8_t *tile = m->data;
    size_t tile_bytes = vb_x86_tile_bytes(m->type, m->cols), blocks = m->cols / VB_BLOCK;
    tile += row_begin / ROWS * tile_bytes;
    for (size_t r = row_begin; r < row_end; r += ROWS, tile += tile_bytes) {
        __mmask16 rows = row_end - r >= ROWS ? 0xffff : (__mmask16)((1u << (row_end - r)) - 1);
        size_t t = 0;
        if (a->rows > (f == FROM_Q8_0 ? 8 : 4)) {
            buffer w;
            for (size_t b = 0; b < blocks; b += CHUNK_BLOCKS) {
                size_t n = blocks - b < CHUNK_BLOCKS ? blocks - b : CHUNK_BLOCKS;
                take_apart(f, tile, b, n, &w);
                if (has_halves(f)) {
                    halves_tokens(&w, n, bias_of(f), b == 0, a, b, y + r, y_stride, rows);
                } else if (has_offset(f)) {
                    offset_tokens(&w, n, bias_of(f), b == 0, a, b, y + r, y_stride, rows);
                } else {
                    plain_tokens(&w, n, bias_of(f), b == 0, a, b, y + r, y_stride, rows);
                }
            }
            continue;
        }
        if (f == FROM_Q8_0 && a->rows == 8) { /* nothing to take apart: all in one pass */
            tokens x = tokens_at(a, t, 0);
            stream_tile(f, 8, tile, &x, y + r, y_stride, rows);
            continue;
        }
        if (a->rows >= 4) {
            tokens x = tokens_at(a, t, 0);
            stream_tile(f, 4, tile, &x, y + r, y_stride, rows);
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
