/*
 * Products with integer weights (spec/arithmetic.md section 3) by VPMADDUBSW: 8 rows in the
 * lanes (a tile of 16 is two halves), up to 4 tokens in registers. VPMADDUBSW saturates its
 * int16 pair sums, so every use here stays below 32768: |w| <= 128 with the sign moved to q
 * gives 128 * 127 * 2 = 32512; raw 6-bit weights give 63 * 127 * 2 = 16002 a pair, 5-bit 7874,
 * 4-bit 3810, and `run` pairs are added in int16 before they widen.
 *
 * Few tokens: weights are taken apart in registers as they stream from memory, both halves of a
 * block before the next, so that each line is read once, in order. Many: 256 inputs of 16 rows are
 * taken apart once into a buffer that all tokens share, and the accumulators rest in y between
 * chunks, unchanged.
 */
#include <immintrin.h>

#include "kernels/x86/internal.h"
#include "kernels/x86/layout.h"
#include "kernels/x86/tokens.h"

enum {
    TOKENS = 4, /* in registers */
    CHUNK_BLOCKS = 8,
    ROWS = VB_ROW_TILE,
    HALF_ROWS = 8,
    LINE = 64,
    AHEAD_BYTES = 8192 /* from the weights in use to those asked for, as one token streams */
};

/* Where a block's weights are read from: a packed format, or the buffer of the same format. */
typedef struct source {
    vb_wtype type;
    bool buffered;
} source;

/* 256 inputs of 16 rows, taken apart. */
typedef struct buffer {
    _Alignas(64) uint8_t w[CHUNK_BLOCKS][8][VB_X86_CHUNK_BYTES];
    float s[CHUNK_BLOCKS][ROWS];
    float m[CHUNK_BLOCKS][ROWS];
    int32_t sub[CHUNK_BLOCKS][2][ROWS];
} buffer;

VB_INLINE bool has_offset(vb_wtype type) {
    return type == VB_Q4_1 || type == VB_Q5_1 || type == VB_Q4_K || type == VB_Q5_K;
}
/* What raw weights are above their values. */
VB_INLINE int bias_of(vb_wtype type) {
    return type == VB_Q4_0 ? 8 : type == VB_Q5_0 ? 16 : type == VB_Q6_K ? 32 : 0;
}
/* Pair sums that an int16 can add up. */
VB_INLINE int run(vb_wtype type) {
    switch (type) {
    case VB_Q8_0: return 1;
    case VB_Q6_K: return 2;
    case VB_Q5_0:
    case VB_Q5_1:
    case VB_Q5_K: return 4;
    default: return 8;
    }
}
/* Blocks of a group are numbered n * parts(f) + c, n counted by a loop, c by unrolled code. */
VB_INLINE int parts(source f) {
    return vb_x86_is_k(f.type) && !f.buffered ? 2 : 1;
}

VB_INLINE __m256i load(const void *p) {
    return _mm256_loadu_si256((const __m256i *)p);
}
/* The bits of each byte that mask has. */
VB_INLINE __m256i masked(__m256i v, char mask) {
    return _mm256_and_si256(v, _mm256_set1_epi8(mask));
}
/* The same of v shifted down. */
VB_INLINE __m256i high_bits(__m256i v, int n, char mask) {
    return masked(_mm256_srli_epi16(v, n), mask);
}

/* Chunk j of the block whose lines these are, of weights of so many bits. */
VB_INLINE __m256i line_weights(int n_bits, const uint8_t *lines, int j) {
#define AT(line) load(lines + LINE * (line))
    switch (n_bits) {
    case 8: return AT(j);
    case 6: {
        lines += j / 4 * 3 * LINE;
        if (j % 4 < 3) {
            return masked(AT(j % 4), 0x3f);
        }
        __m256i high = _mm256_or_si256(high_bits(AT(0), 2, 0x30), high_bits(AT(1), 4, 0x0c));
        return _mm256_or_si256(high, high_bits(AT(2), 6, 0x03));
    }
    case 5:
        switch (j) {
        case 5: return _mm256_or_si256(high_bits(AT(0), 5, 0x07), high_bits(AT(3), 3, 0x18));
        case 6: return _mm256_or_si256(high_bits(AT(1), 5, 0x07), high_bits(AT(4), 3, 0x18));
        case 7: {
            __m256i high = _mm256_or_si256(high_bits(AT(3), 2, 0x08), high_bits(AT(4), 1, 0x10));
            return _mm256_or_si256(high_bits(AT(2), 5, 0x07), high);
        }
        default: return masked(AT(j), 0x1f);
        }
    default: return j < 4 ? masked(AT(j), 0x0f) : high_bits(AT(j - 4), 4, 0x0f);
    }
#undef AT
}

/* Chunk j of block (n, c) of a group: 8 rows x 4 weights; g is already at the half's rows (32 bytes
 * into each chunk for the second). */
VB_INLINE __m256i weights(source f, const uint8_t *g, size_t n, int c, int j) {
    if (f.buffered) {
        return load(g + 512 * n + 64 * j);
    }
    return line_weights(vb_x86_bits(f.type), g + vb_x86_block_at(f.type, n * parts(f) + c), j);
}

VB_INLINE __m256 f16_lanes(const uint8_t *p) {
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)p));
}
VB_INLINE __m256 u8_lanes(const uint8_t *p) {
    __m128i v = _mm_loadl_epi64((const __m128i *)(const void *)p);
    return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(v));
}

/* s of block (n, c) for rows 8 half .. of a tile. */
VB_INLINE __m256 scales(source f, const uint8_t *g, size_t n, int c, int half) {
    if (f.buffered) {
        return _mm256_load_ps(((const buffer *)(const void *)g)->s[n] + HALF_ROWS * half);
    }
    switch (f.type) {
    case VB_Q4_K:
    case VB_Q5_K:
        return _mm256_mul_ps(f16_lanes(g + 16 * half),
                             u8_lanes(g + vb_x86_k_scales_at(f.type, n * parts(f) + c) + 8 * half));
    case VB_Q6_K: return f16_lanes(g + 16 * half);
    default: return f16_lanes(g + 32 * n + 16 * half);
    }
}

/* m of block (n, c) for 8 rows; the K formats' is minus dmin times their minimum. */
VB_INLINE __m256 offsets(source f, const uint8_t *g, size_t n, int c, int half) {
    if (f.buffered) {
        return _mm256_load_ps(((const buffer *)(const void *)g)->m[n] + HALF_ROWS * half);
    }
    if (f.type == VB_Q4_K || f.type == VB_Q5_K) {
        __m256 p = _mm256_mul_ps(f16_lanes(g + VB_X86_K_MIN + 16 * half),
                                 u8_lanes(g + vb_x86_k_scales_at(f.type, n * parts(f) + c) +
                                          VB_X86_K_SECOND + 8 * half));
        return _mm256_xor_ps(p, _mm256_set1_ps(-0.0f));
    }
    return f16_lanes(g + 64 + 32 * n + 16 * half);
}

/* The sub-scale of half-block h of block (n, c) for 8 rows. */
VB_INLINE __m256i sub_scales(source f, const uint8_t *g, size_t n, int c, int half, int h) {
    if (f.buffered) {
        return load(((const buffer *)(const void *)g)->sub[n][h] + HALF_ROWS * half);
    }
    const uint8_t *p =
        g + vb_x86_k_scales_at(f.type, n * parts(f) + c) + VB_X86_K_SECOND * h + 8 * half;
    return _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)p));
}

/* Sums of chunks [j_begin, j_end) of one block, raw weights: sum[t] for 8 rows and token t. */
VB_INLINE void raw_sums(source f, int n_tokens, const uint8_t *g, size_t n, int c, int j_begin,
                        int j_end, const tokens *x, size_t at, __m256i *sum) {
    const __m256i ones = _mm256_set1_epi16(1);
    __m256i pairs[TOKENS];
    VB_UNROLL for (int t = 0; t < n_tokens; t++) {
        sum[t] = _mm256_setzero_si256();
    }
    VB_UNROLL for (int j = j_begin; j < j_end; j++) {
        __m256i w = weights(f, g, n, c, j);
        __m256i magnitude = f.type == VB_Q8_0 ? _mm256_abs_epi8(w) : w;
        bool opens = (j - j_begin) % run(f.type) == 0;
        bool closes = (j - j_begin + 1) % run(f.type) == 0 || j + 1 == j_end;
        VB_UNROLL for (int t = 0; t < n_tokens; t++) {
            const int8_t *p = x->q + t * x->cols + at * VB_BLOCK + 4 * j;
            __m256i q = _mm256_set1_epi32(vb_x86_load_i32(p));
            if (f.type == VB_Q8_0) {
                q = _mm256_sign_epi8(q, w);
            }
            __m256i pair = _mm256_maddubs_epi16(magnitude, q);
            pairs[t] = opens ? pair : _mm256_add_epi16(pairs[t], pair);
            if (closes) {
                sum[t] = _mm256_add_epi32(sum[t], _mm256_madd_epi16(pairs[t], ones));
            }
        }
    }
}

/* isum of one block: raw sums less bias * u, halves of Q6_K under their own sub-scales. */
VB_INLINE void sums(source f, int n_tokens, const uint8_t *g, size_t n, int c, int half,
                    const tokens *x, size_t at, __m256i *sum) {
    const uint8_t *rows = g + 32 * half;
    const __m256i bias = _mm256_set1_epi32(bias_of(f.type));
    if (f.type != VB_Q6_K) {
        raw_sums(f, n_tokens, rows, n, c, 0, 8, x, at, sum);
        VB_UNROLL for (int t = 0; t < n_tokens; t++) {
            if (bias_of(f.type) != 0) {
                __m256i u = _mm256_set1_epi32(x->u[t * x->blocks + at]);
                sum[t] = _mm256_sub_epi32(sum[t], _mm256_mullo_epi32(bias, u));
            }
        }
        return;
    }
    VB_UNROLL for (int h = 0; h < 2; h++) {
        __m256i part[TOKENS], sub = sub_scales(f, g, n, c, half, h);
        raw_sums(f, n_tokens, rows, n, c, 4 * h, 4 * h + 4, x, at, part);
        VB_UNROLL for (int t = 0; t < n_tokens; t++) {
            int32_t u_lo = x->u_lo[t * x->blocks + at];
            int32_t u = h == 0 ? u_lo : x->u[t * x->blocks + at] - u_lo;
            __m256i shift = _mm256_mullo_epi32(bias, _mm256_set1_epi32(u));
            __m256i scaled = _mm256_mullo_epi32(_mm256_sub_epi32(part[t], shift), sub);
            sum[t] = h == 0 ? scaled : _mm256_add_epi32(sum[t], scaled);
        }
    }
}

/* One block into the accumulators: t = (s * d) * isum; acc += t; acc += m * du. */
VB_INLINE void block(source f, int n_tokens, const uint8_t *g, size_t n, int c, int half,
                     const tokens *x, size_t at, __m256 *acc) {
    __m256i sum[TOKENS];
    sums(f, n_tokens, g, n, c, half, x, at, sum);
    __m256 s = scales(f, g, n, c, half);
    __m256 m = has_offset(f.type) ? offsets(f, g, n, c, half) : _mm256_setzero_ps();
    VB_UNROLL for (int t = 0; t < n_tokens; t++) {
        __m256 sd = _mm256_mul_ps(s, _mm256_set1_ps(x->d[t * x->blocks + at]));
        acc[t] = _mm256_add_ps(acc[t], _mm256_mul_ps(sd, _mm256_cvtepi32_ps(sum[t])));
        if (has_offset(f.type)) {
            __m256 du = _mm256_set1_ps(x->du[t * x->blocks + at]);
            acc[t] = _mm256_add_ps(acc[t], _mm256_mul_ps(m, du));
        }
    }
}

/* The first n (<= 8) lanes from or to memory. */
VB_INLINE __m256i first_lanes(size_t n) {
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int32_t)n), lane);
}

/* A tile for a part of the tokens, and what to ask for meanwhile: `lines` of the tile that comes
 * next with each block. One token is bound by reading: that would stand in the way of what is read
 * now, and the processor's own fetching only gets a hint a block. */
VB_INLINE void stream_tile(source f, int n_tokens, const uint8_t *tile, const tokens *x,
                           uintptr_t next, size_t lines, float *y, size_t y_stride, size_t n_rows) {
    __m256 acc[2][TOKENS];
    size_t group_blocks = vb_x86_group_blocks(f.type);
    VB_UNROLL for (int i = 0; i < 2 * n_tokens; i++) {
        acc[i % 2][i / 2] = _mm256_setzero_ps();
    }
    for (size_t b = 0; b < x->blocks; b += group_blocks) {
        size_t left = x->blocks - b < group_blocks ? x->blocks - b : group_blocks;
        for (size_t n = 0; n < left / (size_t)parts(f); n++) {
            VB_UNROLL for (int c = 0; c < parts(f); c++) {
                const size_t i = n * (size_t)parts(f) + (size_t)c;
                if (n_tokens == 1) {
                    const uintptr_t ahead = (uintptr_t)tile + AHEAD_BYTES;
                    _mm_prefetch((const char *)(ahead + vb_x86_block_at(f.type, i)), _MM_HINT_T1);
                }
                for (const uintptr_t end = next + lines * LINE; next < end; next += LINE) {
                    _mm_prefetch((const char *)next, _MM_HINT_T1);
                }
                block(f, n_tokens, tile, n, c, 0, x, b + i, acc[0]);
                block(f, n_tokens, tile, n, c, 1, x, b + i, acc[1]);
            }
        }
        tile += vb_x86_group_bytes(f.type);
    }
    VB_UNROLL for (int i = 0; i < 2 * n_tokens; i++) {
        const size_t before = HALF_ROWS * (size_t)(i % 2);
        if (n_rows > before) {
            _mm256_maskstore_ps(y + (size_t)(i / 2) * y_stride + before,
                                first_lanes(n_rows - before), acc[i % 2][i / 2]);
        }
    }
}

/* Up to so many tokens, weights are taken apart in registers, by each part of TOKENS anew. Those of
 * Q8_0 are ready as they lie. */
VB_INLINE size_t stream_tokens_max(vb_wtype type) {
    return type == VB_Q8_0 ? 16 : 8;
}

/* One token to stream_tokens_max(), in equal parts, over one tile. */
VB_INLINE void stream_tokens(source f, const uint8_t *tile, const vb_act *a, float *y,
                             size_t y_stride, size_t n_rows) {
    const size_t n_parts = (a->rows + TOKENS - 1) / TOKENS;
    /* A block is as many lines as its weights have bits, and not quite one for its scales. */
    const size_t lines = a->rows == 1 ? 0 : ((size_t)vb_x86_bits(f.type) + n_parts) / n_parts;
    uintptr_t next = (uintptr_t)tile + vb_x86_tile_bytes(f.type, a->cols);
    for (size_t i = 0; i < n_parts; i++) {
        const size_t t = a->rows * i / n_parts, end = a->rows * (i + 1) / n_parts;
        const tokens x = tokens_at(a, t, 0);
        float *to = y + t * y_stride;
        switch (end - t) {
        case 1: stream_tile(f, 1, tile, &x, next, lines, to, y_stride, n_rows); break;
        case 2: stream_tile(f, 2, tile, &x, next, lines, to, y_stride, n_rows); break;
        case 3: stream_tile(f, 3, tile, &x, next, lines, to, y_stride, n_rows); break;
        default: stream_tile(f, TOKENS, tile, &x, next, lines, to, y_stride, n_rows);
        }
        next += x.blocks * lines * LINE;
    }
}

/* Up to CHUNK_BLOCKS blocks of a tile from block b0, a multiple of CHUNK_BLOCKS, on. */
VB_INLINE void take_apart(source f, const uint8_t *tile, size_t b0, size_t blocks, buffer *out) {
    size_t group_blocks = vb_x86_group_blocks(f.type);
    tile += b0 / group_blocks * vb_x86_group_bytes(f.type);
    for (size_t b = 0; b < blocks; b += group_blocks) {
        size_t left = blocks - b < group_blocks ? blocks - b : group_blocks;
        for (size_t n = 0; n < left / (size_t)parts(f); n++) {
            VB_UNROLL for (int i = 0; i < 2 * parts(f); i++) {
                const int c = i / 2, half = i % 2;
                size_t at = b + n * (size_t)parts(f) + (size_t)c;
                VB_UNROLL for (int j = 0; j < 8; j++) {
                    __m256i *to = (__m256i *)(void *)(out->w[at][j] + 32 * half);
                    _mm256_store_si256(to, weights(f, tile + 32 * half, n, c, j));
                }
                _mm256_store_ps(out->s[at] + HALF_ROWS * half, scales(f, tile, n, c, half));
                if (has_offset(f.type)) {
                    _mm256_store_ps(out->m[at] + HALF_ROWS * half, offsets(f, tile, n, c, half));
                }
                if (f.type == VB_Q6_K) {
                    __m256i *to = (__m256i *)(void *)(out->sub[at][0] + HALF_ROWS * half);
                    _mm256_store_si256(to, sub_scales(f, tile, n, c, half, 0));
                    _mm256_store_si256(to + ROWS / 8, sub_scales(f, tile, n, c, half, 1));
                }
            }
        }
        tile += vb_x86_group_bytes(f.type);
    }
}

/* A buffer's blocks for 8 rows and n_tokens tokens; the accumulators come from y unless first. */
VB_INLINE void buffer_half(source f, int n_tokens, const buffer *w, size_t blocks, int half,
                           bool first, const tokens *x, float *y, size_t y_stride, __m256i rows) {
    __m256 acc[TOKENS];
    VB_UNROLL for (int t = 0; t < n_tokens; t++) {
        acc[t] = first ? _mm256_setzero_ps() : _mm256_maskload_ps(y + t * y_stride, rows);
    }
    for (size_t b = 0; b < blocks; b++) {
        block(f, n_tokens, (const uint8_t *)w, b, 0, half, x, b, acc);
    }
    VB_UNROLL for (int t = 0; t < n_tokens; t++) {
        _mm256_maskstore_ps(y + t * y_stride, rows, acc[t]);
    }
}

/* All tokens over the chunk at block b0 of a tile of n_rows rows. */
VB_INLINE void chunk_tokens(vb_wtype type, const buffer *w, size_t blocks, const vb_act *a,
                            size_t b0, float *y, size_t y_stride, size_t n_rows) {
    const source f = {type, true};
    for (int half = 0; half < 2 && n_rows > (size_t)(HALF_ROWS * half); half++) {
        __m256i rows = first_lanes(n_rows - (size_t)(HALF_ROWS * half));
        float *to = y + HALF_ROWS * half;
        size_t t = 0;
        for (; t + TOKENS <= a->rows; t += TOKENS, to += TOKENS * y_stride) {
            tokens x = tokens_at(a, t, b0);
            buffer_half(f, TOKENS, w, blocks, half, b0 == 0, &x, to, y_stride, rows);
        }
        for (; t < a->rows; t++, to += y_stride) {
            tokens x = tokens_at(a, t, b0);
            buffer_half(f, 1, w, blocks, half, b0 == 0, &x, to, y_stride, rows);
        }
    }
}

/* Asks for the chunk after the one at block b while tokens pass over that. */
VB_INLINE void ask_for_next(vb_wtype type, const uint8_t *tile, size_t b) {
    const size_t bytes = CHUNK_BLOCKS / vb_x86_group_blocks(type) * vb_x86_group_bytes(type);
    const uintptr_t next = (uintptr_t)tile + (b / CHUNK_BLOCKS + 1) * bytes;
    for (size_t at = 0; at < bytes; at += LINE) {
        _mm_prefetch((const char *)(next + at), _MM_HINT_T1);
    }
}

VB_INLINE void matmul(vb_wtype type, const vb_matrix *m, size_t row_begin, size_t row_end,
                      const vb_act *a, float *y, size_t y_stride) {
    const source f = {type, false};
    const uint8_t *tile = m->data;
    size_t tile_bytes = vb_x86_tile_bytes(type, m->cols), blocks = m->cols / VB_BLOCK;
    tile += row_begin / ROWS * tile_bytes;
    for (size_t r = row_begin; r < row_end; r += ROWS, tile += tile_bytes) {
        size_t n_rows = row_end - r < ROWS ? row_end - r : ROWS;
        if (a->rows > stream_tokens_max(type)) {
            buffer w;
            for (size_t b = 0; b < blocks; b += CHUNK_BLOCKS) {
                size_t n = blocks - b < CHUNK_BLOCKS ? blocks - b : CHUNK_BLOCKS;
                take_apart(f, tile, b, n, &w);
                ask_for_next(type, tile, b);
                chunk_tokens(type, &w, n, a, b, y + r, y_stride, n_rows);
            }
            continue;
        }
        stream_tokens(f, tile, a, y + r, y_stride, n_rows);
    }
}

#define MATMUL(name, type)                                                                         \
    static void name(const vb_matrix *m, size_t row_begin, size_t row_end, const vb_act *a,        \
                     float *y, size_t y_stride) {                                                  \
        matmul(type, m, row_begin, row_end, a, y, y_stride);                                       \
    }

MATMUL(matmul_q8_0, VB_Q8_0)
MATMUL(matmul_q4_0, VB_Q4_0)
MATMUL(matmul_q4_1, VB_Q4_1)
MATMUL(matmul_q5_0, VB_Q5_0)
MATMUL(matmul_q5_1, VB_Q5_1)
MATMUL(matmul_q4_k, VB_Q4_K)
MATMUL(matmul_q5_k, VB_Q5_K)
MATMUL(matmul_q6_k, VB_Q6_K)

void vb_matmul_int_avx2(const vb_matrix *m, size_t row_begin, size_t row_end, const vb_act *x,
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
