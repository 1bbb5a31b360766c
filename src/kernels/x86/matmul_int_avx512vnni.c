/*
 * Products with integer weights (spec/arithmetic.md section 3) by VPDPBUSD: 16 rows in the
 * lanes, up to 8 tokens in registers. Weights are the unsigned operand: a format whose
 * weights are signed is kept shifted up by `bias`, and its sums start at -bias * u.
 *
 * Few tokens: weights are taken apart in registers as they stream from memory. Many: their
 * quants are laid out side by side in a panel, 256 inputs of 256 tokens, that 2048 rows read in
 * order from the second-level cache; 256 inputs of 32 rows are taken apart into buffers in the
 * first. The accumulators rest in y between chunks; a float goes to memory and back unchanged, so
 * the order of operations, and with it every bit, is the same. Two tiles of rows share each
 * activation loaded, since loads would otherwise hold the dot products up.
 */
#include <immintrin.h>

#include "kernels/x86/internal.h"
#include "kernels/x86/layout.h"
#include "kernels/x86/tokens.h"

enum {
    TOKENS = 8,       /* in registers as weights stream */
    CHUNK_TOKENS = 4, /* in registers over a chunk */
    CHUNK_BLOCKS = 8,
    TILES = 2, /* and as many tiles of rows */
    ROWS = VB_ROW_TILE,
    STREAM_TOKENS = 16, /* up to so many, weights are taken apart in registers */
    PASS_TOKENS = 256,  /* a panel's tokens, and */
    PASS_ROWS = 2048,   /* rows that read it before the next chunk's replaces it */
    LINE = 64,
    AHEAD_BYTES = 4096 /* from the weights in use to those asked for, as they stream */
};

/* The packed format that weights are read from. */
typedef enum source {
    FROM_Q8_0,
    FROM_Q4_0,
    FROM_Q4_1,
    FROM_Q5_0,
    FROM_Q5_1,
    FROM_Q4_K,
    FROM_Q5_K,
    FROM_Q6_K
} source;

/* What a block has besides its weights and scale. */
typedef enum kind {
    BIASED,      /* weights are shifted up */
    WITH_OFFSET, /* an offset */
    IN_HALVES    /* weights are shifted up; two integer sub-scales */
} kind;

/* 256 inputs of 16 rows, taken apart. Q8_0 needs no unpacking: its weights stay where they are. */
typedef struct buffer {
    _Alignas(64) uint8_t unpacked[CHUNK_BLOCKS][8][VB_X86_CHUNK_BYTES];
    const uint8_t *w[CHUNK_BLOCKS]; /* each [8][VB_X86_CHUNK_BYTES] */
    float s[CHUNK_BLOCKS][ROWS];
    float m[CHUNK_BLOCKS][ROWS];
    int32_t sub[CHUNK_BLOCKS][2][ROWS];
} buffer;

VB_INLINE bool has_offset(source f) {
    return f == FROM_Q4_1 || f == FROM_Q5_1 || f == FROM_Q4_K || f == FROM_Q5_K;
}
VB_INLINE bool has_halves(source f) {
    return f == FROM_Q6_K;
}
VB_INLINE kind kind_of(source f) {
    return has_halves(f) ? IN_HALVES : has_offset(f) ? WITH_OFFSET : BIASED;
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
    default:
        g += VB_X86_Q6_HALF * n + 64 * j;
        v = load(g + VB_X86_K_UNDER_HIGH + 512 * (c % 2));
        v = c < 2 ? low_nibbles(v) : high_nibbles(v);
        return _mm512_or_si512(v, top_bits(load(g + VB_X86_K_HIGH), c));
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
    default: return f16_lanes(g + 64 + 32 * n);
    }
}

/* The sub-scale of half h of block (n, c) for 16 rows. */
VB_INLINE __m512i sub_scales(const uint8_t *g, size_t n, int c, int h) {
    const uint8_t *p = g + VB_X86_K_SCALES + 16 * (2 * (4 * n + c) + h);
    return _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(const void *)p));
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

/* Up to CHUNK_BLOCKS blocks of a tile from block b0, a multiple of CHUNK_BLOCKS, on. */
VB_INLINE void take_apart(source f, const uint8_t *tile, size_t b0, size_t blocks, buffer *out) {
    size_t group_blocks = vb_x86_group_blocks(type_of(f));
    tile += b0 / group_blocks * vb_x86_group_bytes(type_of(f));
    for (size_t b = 0; b < blocks; b += group_blocks) {
        size_t left = blocks - b < group_blocks ? blocks - b : group_blocks;
        for (size_t n = 0; n < left / parts(f); n++) {
            VB_UNROLL for (int c = 0; c < parts(f); c++) {
                size_t at = b + n * parts(f) + c;
                out->w[at] = f == FROM_Q8_0 ? tile + 64 + 512 * n : out->unpacked[at][0];
                VB_UNROLL for (int j = 0; j < 8 && f != FROM_Q8_0; j++) {
                    _mm512_store_si512(out->unpacked[at][j], weights(f, tile, n, c, j));
                }
                _mm512_store_ps(out->s[at], scales(f, tile, n, c));
                if (has_offset(f)) {
                    _mm512_store_ps(out->m[at], offsets(f, tile, n, c));
                }
                if (has_halves(f)) {
                    _mm512_store_si512(out->sub[at][0], sub_scales(tile, n, c, 0));
                    _mm512_store_si512(out->sub[at][1], sub_scales(tile, n, c, 1));
                }
            }
        }
        tile += vb_x86_group_bytes(type_of(f));
    }
}

/* One block of CHUNK_TOKENS tokens, side by side, and what its sums start at: -bias * u, of the
 * block or of each half. */
typedef struct panel_block {
    _Alignas(64) int8_t q[CHUNK_TOKENS][VB_BLOCK];
    float d[CHUNK_TOKENS], du[CHUNK_TOKENS];
    int32_t start[2][CHUNK_TOKENS];
} panel_block;

/* A chunk of a pass's tokens. */
typedef struct panel {
    panel_block at[PASS_TOKENS / CHUNK_TOKENS][CHUNK_BLOCKS];
} panel;

VB_INLINE void make_panel(kind k, int bias, const vb_act *x, size_t b0, size_t blocks, panel *p) {
    for (size_t t = 0; t < x->rows; t++) {
        const tokens from = tokens_at(x, t, b0);
        const size_t c = t % CHUNK_TOKENS;
        panel_block *to = p->at[t / CHUNK_TOKENS];
        for (size_t b = 0; b < blocks; b++) {
            memcpy(to[b].q[c], from.q + b * VB_BLOCK, VB_BLOCK);
            to[b].d[c] = from.d[b];
            if (k == WITH_OFFSET) {
                to[b].du[c] = from.du[b];
            } else if (k == BIASED) {
                to[b].start[0][c] = -bias * from.u[b];
            } else {
                to[b].start[0][c] = -bias * from.u_lo[b];
                to[b].start[1][c] = -bias * (from.u[b] - from.u_lo[b]);
            }
        }
    }
}

/* Sums of chunks [j_begin, j_end) of block b: sum[t][i] for token first + t and 16 rows of tile i.
 */
VB_INLINE void tile_sums(int n_tiles, int n_tokens, const buffer *w, size_t b, int j_begin,
                         int j_end, const int32_t *start, const panel_block *x, size_t first,
                         __m512i (*sum)[TILES]) {
    VB_UNROLL for (int t = 0; t < n_tokens; t++) {
        sum[t][0] = start ? _mm512_set1_epi32(start[first + t]) : _mm512_setzero_si512();
        sum[t][1] = sum[t][0];
    }
    VB_UNROLL for (int j = j_begin; j < j_end; j++) {
        __m512i v[TILES];
        VB_UNROLL for (int i = 0; i < n_tiles; i++) {
            v[i] = load(w[i].w[b] + VB_X86_CHUNK_BYTES * j);
        }
        VB_UNROLL for (int t = 0; t < n_tokens; t++) {
            __m512i q = _mm512_set1_epi32(vb_x86_load_i32(x->q[first + t] + 4 * j));
            VB_UNROLL for (int i = 0; i < n_tiles; i++) {
                sum[t][i] = _mm512_dpbusd_epi32(sum[t][i], v[i], q);
            }
        }
    }
}

/* Block b of a chunk into the accumulators, as block() does. */
VB_INLINE void tile_block(kind k, int n_tiles, int n_tokens, const buffer *w, size_t b,
                          const panel_block *x, size_t first, __m512 (*acc)[TILES]) {
    __m512i sum[CHUNK_TOKENS][TILES];
    if (k == IN_HALVES) {
        __m512i high[CHUNK_TOKENS][TILES];
        tile_sums(n_tiles, n_tokens, w, b, 0, 4, x->start[0], x, first, sum);
        VB_UNROLL for (int i = 0; i < n_tokens * n_tiles; i++) {
            __m512i *at = &sum[i / n_tiles][i % n_tiles];
            *at = _mm512_mullo_epi32(*at, load(w[i % n_tiles].sub[b][0]));
        }
        tile_sums(n_tiles, n_tokens, w, b, 4, 8, x->start[1], x, first, high);
        VB_UNROLL for (int i = 0; i < n_tokens * n_tiles; i++) {
            __m512i *at = &sum[i / n_tiles][i % n_tiles], h = high[i / n_tiles][i % n_tiles];
            *at = _mm512_add_epi32(*at, _mm512_mullo_epi32(h, load(w[i % n_tiles].sub[b][1])));
        }
    } else {
        tile_sums(n_tiles, n_tokens, w, b, 0, 8, k == BIASED ? x->start[0] : NULL, x, first, sum);
    }
    VB_UNROLL for (int t = 0; t < n_tokens; t++) {
        __m512 d = _mm512_set1_ps(x->d[first + t]);
        VB_UNROLL for (int i = 0; i < n_tiles; i++) {
            __m512 sd = _mm512_mul_ps(_mm512_load_ps(w[i].s[b]), d);
            acc[t][i] = _mm512_add_ps(acc[t][i], _mm512_mul_ps(sd, _mm512_cvtepi32_ps(sum[t][i])));
            if (k == WITH_OFFSET) {
                __m512 du = _mm512_set1_ps(x->du[first + t]);
                __m512 offset = _mm512_mul_ps(_mm512_load_ps(w[i].m[b]), du);
                acc[t][i] = _mm512_add_ps(acc[t][i], offset);
            }
        }
    }
}

/* One chunk of up to TILES tiles, and where the weights of the chunk after it are. */
typedef struct chunk {
    buffer tile[TILES];
    size_t tiles, blocks;
    bool first;     /* of its rows: sums start at 0 */
    __mmask16 rows; /* of the last tile */
    const uint8_t *next;
    size_t next_tiles, next_bytes, tile_bytes;
    size_t next_share; /* bytes of each next tile to ask for with every CHUNK_TOKENS tokens */
} chunk;

/* Asks for the results that the next tokens add to and for their share of the next chunk's weights:
 * both lie too far from what is read now for the processor to guess. */
VB_INLINE void fetch_ahead(int n_tiles, const chunk *w, size_t t, const float *y, size_t y_stride) {
    VB_UNROLL for (int c = 0; c < CHUNK_TOKENS; c++) {
        const uintptr_t row = (uintptr_t)y + (t + CHUNK_TOKENS + c) * y_stride * sizeof *y;
        VB_UNROLL for (int i = 0; i < n_tiles; i++) {
            _mm_prefetch((const char *)(row + i * ROWS * sizeof *y), _MM_HINT_T0);
        }
    }
    const size_t begin = t / CHUNK_TOKENS * w->next_share;
    const size_t end =
        begin + w->next_share < w->next_bytes ? begin + w->next_share : w->next_bytes;
    for (size_t tile = 0; tile < w->next_tiles; tile++) {
        for (size_t at = begin; at < end; at += LINE) {
            _mm_prefetch((const char *)w->next + tile * w->tile_bytes + at, _MM_HINT_T1);
        }
    }
}

/* A chunk for n_tokens tokens of a panel's row from its first on, whose results start at y. */
VB_INLINE void chunk_tokens(kind k, int n_tiles, int n_tokens, const chunk *w, const panel_block *x,
                            size_t first, float *y, size_t y_stride) {
    __m512 acc[CHUNK_TOKENS][TILES];
    VB_UNROLL for (int t = 0; t < n_tokens; t++) {
        VB_UNROLL for (int i = 0; i < n_tiles; i++) {
            __mmask16 rows = i + 1 == n_tiles ? w->rows : (__mmask16)0xffff;
            acc[t][i] = w->first ? _mm512_setzero_ps()
                                 : _mm512_maskz_loadu_ps(rows, y + t * y_stride + i * ROWS);
        }
    }
    for (size_t b = 0; b < w->blocks; b++) {
        tile_block(k, n_tiles, n_tokens, w->tile, b, x + b, first, acc);
    }
    VB_UNROLL for (int t = 0; t < n_tokens; t++) {
        VB_UNROLL for (int i = 0; i < n_tiles; i++) {
            __mmask16 rows = i + 1 == n_tiles ? w->rows : (__mmask16)0xffff;
            _mm512_mask_storeu_ps(y + t * y_stride + i * ROWS, rows, acc[t][i]);
        }
    }
}

VB_INLINE void chunk_all(kind k, int n_tiles, const chunk *w, const panel *x, size_t n_tokens,
                         float *y, size_t y_stride) {
    size_t t = 0;
    for (; t + CHUNK_TOKENS <= n_tokens; t += CHUNK_TOKENS) {
        fetch_ahead(n_tiles, w, t, y, y_stride);
        chunk_tokens(k, n_tiles, CHUNK_TOKENS, w, x->at[t / CHUNK_TOKENS], 0, y + t * y_stride,
                     y_stride);
    }
    for (; t < n_tokens; t++) {
        chunk_tokens(k, n_tiles, 1, w, x->at[t / CHUNK_TOKENS], t % CHUNK_TOKENS, y + t * y_stride,
                     y_stride);
    }
}

#define CHUNK(name, kind)                                                                          \
    static void name(const chunk *w, const panel *x, size_t n_tokens, float *y, size_t y_stride) { \
        if (w->tiles == 2) {                                                                       \
            chunk_all(kind, 2, w, x, n_tokens, y, y_stride);                                       \
        } else {                                                                                   \
            chunk_all(kind, 1, w, x, n_tokens, y, y_stride);                                       \
        }                                                                                          \
    }

CHUNK(biased_chunk, BIASED)
CHUNK(offset_chunk, WITH_OFFSET)
CHUNK(halves_chunk, IN_HALVES)

VB_INLINE size_t tiles_of(size_t rows) {
    return rows > TILES * ROWS ? TILES : (rows + ROWS - 1) / ROWS;
}

/* Chunk b0 of rows [row_begin, row_end) for the tokens of a panel: tiles a few at a time. */
VB_INLINE void panel_rows(source f, const vb_matrix *m, size_t row_begin, size_t row_end, size_t b0,
                          const panel *x, size_t n_tokens, float *y, size_t y_stride) {
    const size_t blocks = m->cols / VB_BLOCK, group_bytes = vb_x86_group_bytes(type_of(f));
    const size_t chunk_bytes = CHUNK_BLOCKS / vb_x86_group_blocks(type_of(f)) * group_bytes;
    const size_t turns = (n_tokens + CHUNK_TOKENS - 1) / CHUNK_TOKENS;
    chunk w = {.first = b0 == 0, .tile_bytes = vb_x86_tile_bytes(m->type, m->cols)};
    w.blocks = blocks - b0 < CHUNK_BLOCKS ? blocks - b0 : CHUNK_BLOCKS;
    w.next_bytes = chunk_bytes < w.tile_bytes ? chunk_bytes : w.tile_bytes;
    w.next_share = (w.next_bytes / turns + LINE) / LINE * LINE;
    for (size_t r = row_begin; r < row_end; r += TILES * ROWS) {
        const uint8_t *tile = (const uint8_t *)m->data + r / ROWS * w.tile_bytes;
        const size_t left = row_end - r, after = left > TILES * ROWS ? left - TILES * ROWS : 0;
        w.tiles = tiles_of(left);
        w.rows = left >= w.tiles * ROWS ? 0xffff : (__mmask16)(0xffffu >> (w.tiles * ROWS - left));
        w.next_tiles = tiles_of(after);
        w.next = tile + (after ? TILES * w.tile_bytes : 0) + b0 / CHUNK_BLOCKS * chunk_bytes;
        for (size_t i = 0; i < w.tiles; i++) {
            take_apart(f, tile + i * w.tile_bytes, b0, w.blocks, &w.tile[i]);
        }
        (kind_of(f) == BIASED        ? biased_chunk
         : kind_of(f) == WITH_OFFSET ? offset_chunk
                                     : halves_chunk)(&w, x, n_tokens, y + r, y_stride);
    }
}

/* Many tokens: up to PASS_TOKENS of them and PASS_ROWS rows, chunk by chunk. */
VB_INLINE void matmul_passes(source f, const vb_matrix *m, size_t row_begin, size_t row_end,
                             const vb_act *x, float *y, size_t y_stride) {
    panel p;
    for (size_t t = 0; t < x->rows; t += PASS_TOKENS) {
        const tokens from = tokens_at(x, t, 0);
        const size_t n = x->rows - t < PASS_TOKENS ? x->rows - t : PASS_TOKENS;
        const vb_act some = {n, x->cols, NULL, from.q, from.d, from.u, from.u_lo, from.du};
        for (size_t r = row_begin; r < row_end; r += PASS_ROWS) {
            const size_t end = row_end - r < PASS_ROWS ? row_end : r + PASS_ROWS;
            for (size_t b0 = 0; b0 < from.blocks; b0 += CHUNK_BLOCKS) {
                const size_t left = from.blocks - b0;
                make_panel(kind_of(f), bias_of(f), &some, b0,
                           left < CHUNK_BLOCKS ? left : CHUNK_BLOCKS, &p);
                panel_rows(f, m, r, end, b0, &p, n, y + t * y_stride, y_stride);
            }
        }
    }
}

/* One token to STREAM_TOKENS: every tile for all of them before the next. */
VB_INLINE void matmul(source f, const vb_matrix *m, size_t row_begin, size_t row_end,
                      const vb_act *a, float *y, size_t y_stride) {
    const uint8_t *tile = m->data;
    size_t tile_bytes = vb_x86_tile_bytes(m->type, m->cols);
    if (a->rows > STREAM_TOKENS) {
        matmul_passes(f, m, row_begin, row_end, a, y, y_stride);
        return;
    }
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
