/*
 * Attention (spec/arithmetic.md section 6) of one tier; included once by each tier, after its
 * lanes. Keys are in the lanes for scores and dimensions for values, so that every sum is
 * sequential within its lane. Up to QUERIES queries share each key and value that is loaded.
 */
#include "kernels/x86/common_lanes.h"
#include "kernels/x86/internal.h"

enum { LANES = VB_LANES, PAGE_TILES = VB_ATTN_CHUNK / VB_LANES };

/* A few queries that are worked on together. */
typedef struct group {
    const float *q; /* of the first */
    size_t q_stride;
    const size_t *n_keys;
    float *score; /* of the first: a score, then its exponential, for each key */
    size_t score_stride;
    float *out; /* of the first */
    size_t out_stride;
    size_t head_dim;
    const uint16_t *const *key_pages;
    const uint16_t *const *value_pages;
    float scale;
    float den[QUERIES];
} group;

VB_INLINE size_t smaller(size_t a, size_t b) {
    return a < b ? a : b;
}

/* Keys of page p that a query of n_keys keys sees. */
VB_INLINE size_t keys_in_page(size_t n_keys, size_t p) {
    size_t begin = p * VB_ATTN_CHUNK;
    return n_keys <= begin ? 0 : smaller(n_keys - begin, VB_ATTN_CHUNK);
}

/* Scores of n_tiles tiles of 16 keys from the given tile of page p on. */
VB_INLINE void score_tiles(int n_q, int n_tiles, const group *g, size_t p, size_t first_tile) {
    f32s acc[QUERIES * 4];
    const uint16_t *keys = g->key_pages[p] + first_tile * g->head_dim * LANES;
    VB_UNROLL for (int i = 0; i < n_q * n_tiles; i++) {
        acc[i] = f_set(0.0f);
    }
    for (size_t i = 0; i < g->head_dim; i++) {
        VB_UNROLL for (int t = 0; t < n_tiles; t++) {
            f32s k = f_from_f16(keys + (t * g->head_dim + i) * LANES);
            VB_UNROLL for (int c = 0; c < n_q; c++) {
                f32s *a = &acc[c * n_tiles + t];
                *a = f_add(*a, f_mul(f_set(g->q[c * g->q_stride + i]), k));
            }
        }
    }
    VB_UNROLL for (int c = 0; c < n_q; c++) {
        float *score = g->score + c * g->score_stride + p * VB_ATTN_CHUNK + first_tile * LANES;
        VB_UNROLL for (int t = 0; t < n_tiles; t++) {
            f_store(score + t * LANES, f_mul(acc[c * n_tiles + t], f_set(g->scale)));
        }
    }
}

VB_INLINE void scores(int n_q, const group *g, size_t most_keys) {
    const int n_tiles = n_q == 1 ? 4 : KEY_TILES;
    for (size_t p = 0; p * VB_ATTN_CHUNK < most_keys; p++) {
        size_t tiles = (keys_in_page(most_keys, p) + LANES - 1) / LANES;
        for (size_t t = 0; t < tiles; t += (size_t)n_tiles) {
            score_tiles(n_q, n_tiles, g, p, t);
        }
    }
}

/* e_j = exp(s_j - max s) in place, over the n keys seen. */
VB_INLINE void exponentials(float *s, size_t n) {
    size_t i = 0;
    f32s best = f_set(s[0]);
    for (; i + LANES <= n; i += LANES) {
        best = f_max(best, f_load(s + i));
    }
    if (i < n) {
        best = f_max(best, f_first(f_load_n(s + i, n - i), best, n - i));
    }
    f32s max = f_set(f_lanes_max(best));
    for (i = 0; i + LANES <= n; i += LANES) {
        f_store(s + i, f_exp(f_sub(f_load(s + i), max)));
    }
    if (i < n) {
        f_store_n(s + i, f_exp(f_sub(f_load_n(s + i, n - i), max)), n - i);
    }
}

/* Adds the chunk sum of one tile of dimensions to a query's numerator. */
VB_INLINE void add_chunk(float *out, f32s sum, size_t dims, bool first) {
    if (!first) {
        sum = f_add(f_load_n(out, dims), sum);
    }
    f_store_n(out, sum, dims);
}

/* Values of page p: dimensions d .. of n_tiles tiles, the last of them last_dims wide. Keys that
 * all the queries see are loaded once; then each takes the rest of its own. One call a page also
 * sums the denominators. */
VB_INLINE void value_tiles(int n_q, int n_tiles, bool with_den, group *g, size_t p, size_t d,
                           size_t last_dims) {
    f32s acc[QUERIES * 4], v[4];
    float den[QUERIES] = {0};
    const uint16_t *page = g->value_pages[p] + d;
    size_t n[QUERIES], common = VB_ATTN_CHUNK;
    const bool partial = last_dims < LANES;
    VB_UNROLL for (int i = 0; i < n_q * n_tiles; i++) {
        acc[i] = f_set(0.0f);
    }
    VB_UNROLL for (int c = 0; c < n_q; c++) {
        n[c] = keys_in_page(g->n_keys[c], p);
        common = smaller(common, n[c]);
    }
    const float *e = g->score + p * VB_ATTN_CHUNK;
    for (size_t j = 0; j < common; j++) {
        VB_UNROLL for (int t = 0; t < n_tiles; t++) {
            const uint16_t *at = page + j * g->head_dim + t * LANES;
            v[t] = partial ? f_from_f16_n(at, last_dims) : f_from_f16(at);
        }
        VB_UNROLL for (int c = 0; c < n_q; c++) {
            float w = e[c * g->score_stride + j];
            den[c] = with_den ? den[c] + w : 0;
            VB_UNROLL for (int t = 0; t < n_tiles; t++) {
                acc[c * n_tiles + t] = f_add(acc[c * n_tiles + t], f_mul(f_set(w), v[t]));
            }
        }
    }
    VB_UNROLL for (int c = 0; c < n_q; c++) {
        for (size_t j = common; j < n[c]; j++) {
            float w = e[c * g->score_stride + j];
            den[c] = with_den ? den[c] + w : 0;
            VB_UNROLL for (int t = 0; t < n_tiles; t++) {
                const uint16_t *at = page + j * g->head_dim + t * LANES;
                f32s value = partial ? f_from_f16_n(at, last_dims) : f_from_f16(at);
                acc[c * n_tiles + t] = f_add(acc[c * n_tiles + t], f_mul(f_set(w), value));
            }
        }
        if (n[c] > 0) {
            VB_UNROLL for (int t = 0; t < n_tiles; t++) {
                float *out = g->out + c * g->out_stride + d + t * LANES;
                add_chunk(out, acc[c * n_tiles + t], last_dims, p == 0);
            }
            if (with_den) {
                g->den[c] = p == 0 ? den[c] : g->den[c] + den[c];
            }
        }
    }
}

VB_INLINE void values(int n_q, group *g, size_t most_keys) {
    const int n_tiles = n_q == 1 ? 4 : DIM_TILES;
    for (size_t p = 0; p * VB_ATTN_CHUNK < most_keys; p++) {
        const size_t wide = (size_t)n_tiles * LANES;
        size_t d = 0;
        if (wide <= g->head_dim) {
            value_tiles(n_q, n_tiles, true, g, p, d, LANES);
            d += wide;
        }
        for (; d + wide <= g->head_dim; d += wide) {
            value_tiles(n_q, n_tiles, false, g, p, d, LANES);
        }
        for (; d < g->head_dim; d += LANES) {
            value_tiles(n_q, 1, d == 0, g, p, d, smaller(g->head_dim - d, LANES));
        }
    }
}

VB_INLINE void attend(int n_q, group *g) {
    size_t most_keys = 0;
    for (int c = 0; c < n_q; c++) {
        most_keys = g->n_keys[c] > most_keys ? g->n_keys[c] : most_keys;
    }
    scores(n_q, g, most_keys);
    for (int c = 0; c < n_q; c++) {
        exponentials(g->score + c * g->score_stride, g->n_keys[c]);
    }
    values(n_q, g, most_keys);
    for (int c = 0; c < n_q; c++) {
        float *out = g->out + c * g->out_stride;
        f32s den = f_set(g->den[c]);
        for (size_t d = 0; d < g->head_dim; d += LANES) {
            size_t n = smaller(g->head_dim - d, LANES);
            f_store_n(out + d, f_div(f_load_n(out + d, n), den), n);
        }
    }
}

static void attend_most(group *g) {
    attend(QUERIES, g);
}
static void attend_4(group *g) {
    attend(4, g);
}
static void attend_2(group *g) {
    attend(2, g);
}
static void attend_1(group *g) {
    attend(1, g);
}

void TIER(vb_attention)(const float *q, size_t q_stride, size_t n_q, const size_t *n_keys,
                        size_t head_dim, const uint16_t *const *key_pages,
                        const uint16_t *const *value_pages, float scale, float *scratch, float *out,
                        size_t out_stride) {
    size_t most_keys = 0;
    for (size_t i = 0; i < n_q; i++) {
        VB_ASSERT(n_keys[i] >= 1);
        most_keys = n_keys[i] > most_keys ? n_keys[i] : most_keys;
    }
    size_t score_stride = (most_keys + VB_ATTN_CHUNK - 1) / VB_ATTN_CHUNK * VB_ATTN_CHUNK;
    for (size_t i = 0; i < n_q;) {
        group g = {.q = q + i * q_stride,
                   .q_stride = q_stride,
                   .n_keys = n_keys + i,
                   .score = scratch + i * score_stride,
                   .score_stride = score_stride,
                   .out = out + i * out_stride,
                   .out_stride = out_stride,
                   .head_dim = head_dim,
                   .key_pages = key_pages,
                   .value_pages = value_pages,
                   .scale = scale};
        if (n_q - i >= QUERIES) {
            attend_most(&g);
            i += QUERIES;
        } else if (n_q - i >= 4) {
            attend_4(&g);
            i += 4;
        } else if (n_q - i >= 2) {
            attend_2(&g);
            i += 2;
        } else {
            attend_1(&g);
            i++;
        }
    }
}
