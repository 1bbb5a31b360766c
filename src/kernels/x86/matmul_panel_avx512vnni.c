/*
 * Products with integer weights (spec/arithmetic.md section 3) of many tokens, by VPDPBUSD as in
 * matmul_int_avx512vnni.c. The tokens' quants are laid out side by side in a panel, 256 inputs of
 * 256 tokens, that 2048 rows read in order from the second-level cache; 256 inputs of 32 rows are
 * taken apart into buffers in the first. The accumulators rest in y between chunks; a float goes
 * to memory and back unchanged, so the order of operations, and with it every bit, is the same.
 * Two tiles of rows share each activation loaded, since loads would otherwise hold the dot
 * products up.
 */
#include "kernels/x86/int_lanes_avx512vnni.h"
#include "kernels/x86/tokens.h"

enum {
    CHUNK_TOKENS = 4,  /* in registers over a chunk */
    CHUNK_BLOCKS = 16, /* inputs of a chunk: a multiple of every format's group */
    TILES = 2,         /* and as many tiles of rows */
    PASS_TOKENS = 256, /* a panel's tokens, and */
    PASS_ROWS = 2048   /* rows that read it before the next chunk's replaces it */
};

/* A chunk's inputs of 16 rows, taken apart. Q8_0 needs no unpacking: its weights stay where they
 * are. */
typedef struct buffer {
    _Alignas(64) uint8_t unpacked[CHUNK_BLOCKS][8][VB_X86_CHUNK_BYTES];
    const uint8_t *w[CHUNK_BLOCKS]; /* each [8][VB_X86_CHUNK_BYTES] */
    float s[CHUNK_BLOCKS][ROWS];
    float m[CHUNK_BLOCKS][ROWS];
    int32_t sub[CHUNK_BLOCKS][2][ROWS];
} buffer;

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

/* Asks for the results that the next tokens add to and for the next chunk's weights, group g's
 * share of them: both lie too far from what is read now for the processor to guess. Neither into
 * the first-level cache: there results a power of two apart would drive the weights out. */
VB_INLINE void fetch_ahead(int n_tiles, const chunk *w, size_t g, const float *y, size_t y_stride) {
    VB_UNROLL for (int c = 0; c < CHUNK_TOKENS; c++) {
        const uintptr_t row = (uintptr_t)y + (CHUNK_TOKENS + c) * y_stride * sizeof *y;
        VB_UNROLL for (int i = 0; i < n_tiles; i++) {
            _mm_prefetch((const char *)(row + i * ROWS * sizeof *y), _MM_HINT_T1);
        }
    }
    const size_t begin = g * w->next_share;
    const size_t end =
        begin + w->next_share < w->next_bytes ? begin + w->next_share : w->next_bytes;
    for (size_t tile = 0; tile < w->next_tiles; tile++) {
        for (size_t at = begin; at < end; at += LINE) {
            _mm_prefetch((const char *)w->next + tile * w->tile_bytes + at, _MM_HINT_T1);
        }
    }
}

/* Rows of tile i that there are: fewer than 16 only in the last tile of a matrix. */
VB_INLINE __mmask16 rows_of(int i, int n_tiles, __mmask16 last) {
    return i + 1 == n_tiles ? last : (__mmask16)0xffff;
}

/* The sums of n_tokens tokens, as the chunks before left them in y; none came before the first. */
VB_INLINE void load_sums(int n_tiles, int n_tokens, bool first, __mmask16 last, const float *y,
                         size_t y_stride, __m512 (*acc)[TILES]) {
    VB_UNROLL for (int t = 0; t < n_tokens; t++) {
        VB_UNROLL for (int i = 0; i < n_tiles; i++) {
            const float *from = y + t * y_stride + i * ROWS;
            acc[t][i] = first ? _mm512_setzero_ps()
                              : _mm512_maskz_loadu_ps(rows_of(i, n_tiles, last), from);
        }
    }
}

VB_INLINE void store_sums(int n_tiles, int n_tokens, __mmask16 last, float *y, size_t y_stride,
                          __m512 (*acc)[TILES]) {
    VB_UNROLL for (int t = 0; t < n_tokens; t++) {
        VB_UNROLL for (int i = 0; i < n_tiles; i++) {
            float *to = y + t * y_stride + i * ROWS;
            _mm512_mask_storeu_ps(to, rows_of(i, n_tiles, last), acc[t][i]);
        }
    }
}

/* Whole groups of CHUNK_TOKENS. A group's sums are loaded before those of the group before it are
 * stored: where y_stride is a multiple of 256 the two share the low 12 bits of their addresses,
 * and a load waits for an older store that it might have to read from. */
VB_INLINE void chunk_groups(kind k, int n_tiles, const chunk *w, const panel *x, size_t groups,
                            float *y, size_t y_stride) {
    const size_t blocks = w->blocks;
    const __mmask16 last = w->rows;
    const bool first = w->first;
    __m512 acc[CHUNK_TOKENS][TILES], next[CHUNK_TOKENS][TILES];
    load_sums(n_tiles, CHUNK_TOKENS, first, last, y, y_stride, acc);
    for (size_t g = 0; g < groups; g++, y += CHUNK_TOKENS * y_stride) {
        fetch_ahead(n_tiles, w, g, y, y_stride);
        for (size_t b = 0; b < blocks; b++) {
            tile_block(k, n_tiles, CHUNK_TOKENS, w->tile, b, x->at[g] + b, 0, acc);
        }
        const float *after = g + 1 < groups ? y + CHUNK_TOKENS * y_stride : y;
        load_sums(n_tiles, CHUNK_TOKENS, first, last, after, y_stride, next);
        store_sums(n_tiles, CHUNK_TOKENS, last, y, y_stride, acc);
        memcpy(acc, next, sizeof acc);
    }
}

VB_INLINE void chunk_all(kind k, int n_tiles, const chunk *w, const panel *x, size_t n_tokens,
                         float *y, size_t y_stride) {
    const size_t groups = n_tokens / CHUNK_TOKENS;
    if (groups > 0) {
        chunk_groups(k, n_tiles, w, x, groups, y, y_stride);
    }
    for (size_t t = groups * CHUNK_TOKENS; t < n_tokens; t++) {
        __m512 acc[CHUNK_TOKENS][TILES];
        float *to = y + t * y_stride;
        load_sums(n_tiles, 1, w->first, w->rows, to, y_stride, acc);
        for (size_t b = 0; b < w->blocks; b++) {
            tile_block(k, n_tiles, 1, w->tile, b, x->at[groups] + b, t % CHUNK_TOKENS, acc);
        }
        store_sums(n_tiles, 1, w->rows, to, y_stride, acc);
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

#define PANELS(name, f)                                                                            \
    static void name(const vb_matrix *m, size_t row_begin, size_t row_end, const vb_act *x,        \
                     float *y, size_t y_stride) {                                                  \
        matmul_passes(f, m, row_begin, row_end, x, y, y_stride);                                   \
    }

PANELS(panels_q8_0, FROM_Q8_0)
PANELS(panels_q4_0, FROM_Q4_0)
PANELS(panels_q4_1, FROM_Q4_1)
PANELS(panels_q5_0, FROM_Q5_0)
PANELS(panels_q5_1, FROM_Q5_1)
PANELS(panels_q4_k, FROM_Q4_K)
PANELS(panels_q5_k, FROM_Q5_K)
PANELS(panels_q6_k, FROM_Q6_K)

void vb_matmul_panels_avx512vnni(const vb_matrix *m, size_t row_begin, size_t row_end,
                                 const vb_act *x, float *y, size_t y_stride) {
    switch (m->type) {
    case VB_Q8_0: panels_q8_0(m, row_begin, row_end, x, y, y_stride); break;
    case VB_Q4_0: panels_q4_0(m, row_begin, row_end, x, y, y_stride); break;
    case VB_Q4_1: panels_q4_1(m, row_begin, row_end, x, y, y_stride); break;
    case VB_Q5_0: panels_q5_0(m, row_begin, row_end, x, y, y_stride); break;
    case VB_Q5_1: panels_q5_1(m, row_begin, row_end, x, y, y_stride); break;
    case VB_Q4_K: panels_q4_k(m, row_begin, row_end, x, y, y_stride); break;
    case VB_Q5_K: panels_q5_k(m, row_begin, row_end, x, y, y_stride); break;
    case VB_Q6_K: panels_q6_k(m, row_begin, row_end, x, y, y_stride); break;
    default: VB_ASSERT(0);
    }
}
