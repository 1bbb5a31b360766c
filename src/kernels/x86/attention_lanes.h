/*
 * Attention (spec/arithmetic.md section 6) of one tier; included once by each tier, after its
 * lanes. Keys are in the lanes for scores and dimensions for values, so that every sum is
 * sequential within its lane. Queries are worked on in sets of up to QUERIES that share each key
 * and value loaded; when there are more than two sets, a page is widened to f32 once for all.
 */
#include "kernels/x86/common_lanes.h"
#include "kernels/x86/internal.h"

enum { LANES = VB_LANES, ACCUMULATORS_MAX = 28 };

/* All queries of a call. */
typedef struct call {
    const float *q;
    size_t q_stride, n_q;
    const size_t *n_keys;
    size_t most_keys;
    float *score; /* [n_q][score_stride]: a score, then its exponential, for each key */
    size_t score_stride;
    float *den;  /* [n_q] */
    float *wide; /* a page as f32; NULL: keys and values are widened as they are used */
    float *out;
    size_t out_stride;
    size_t head_dim;
    const uint16_t *const *key_pages;
    const uint16_t *const *value_pages;
    float scale;
} call;

VB_INLINE size_t smaller(size_t a, size_t b) {
    return a < b ? a : b;
}

/* Keys of page p that a query of n_keys keys sees. */
VB_INLINE size_t keys_in_page(size_t n_keys, size_t p) {
    size_t begin = p * VB_ATTN_CHUNK;
    return n_keys <= begin ? 0 : smaller(n_keys - begin, VB_ATTN_CHUNK);
}

VB_INLINE void widen(const uint16_t *from, size_t n, float *to) {
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        f_store(to + i, f_from_f16(from + i));
    }
    if (i < n) {
        f_store_n(to + i, f_from_f16_n(from + i, n - i), n - i);
    }
}

/* Scores of queries first .. + n_q with n_tiles tiles of 16 keys from the given tile of page p on.
 */
VB_INLINE void score_tiles(int n_q, int n_tiles, bool wide, const call *c, size_t first, size_t p,
                           size_t tile) {
    f32s acc[ACCUMULATORS_MAX], k[4];
    const size_t at = tile * c->head_dim * LANES;
    const uint16_t *keys = c->key_pages[p] + at;
    const float *q = c->q + first * c->q_stride;
    VB_UNROLL for (int i = 0; i < n_q * n_tiles; i++) {
        acc[i] = f_set(0.0f);
    }
    for (size_t i = 0; i < c->head_dim; i++) {
        VB_UNROLL for (int t = 0; t < n_tiles; t++) {
            const size_t of = (t * c->head_dim + i) * LANES;
            k[t] = wide ? f_load(c->wide + at + of) : f_from_f16(keys + of);
        }
        VB_UNROLL for (int j = 0; j < n_q; j++) {
            f32s x = f_set(q[j * c->q_stride + i]);
            VB_UNROLL for (int t = 0; t < n_tiles; t++) {
                acc[j * n_tiles + t] = f_add(acc[j * n_tiles + t], f_mul(x, k[t]));
            }
        }
    }
    VB_UNROLL for (int j = 0; j < n_q; j++) {
        float *score = c->score + (first + j) * c->score_stride + p * VB_ATTN_CHUNK + tile * LANES;
        VB_UNROLL for (int t = 0; t < n_tiles; t++) {
            f_store(score + t * LANES, f_mul(acc[j * n_tiles + t], f_set(c->scale)));
        }
    }
}

VB_INLINE void score_page(int n_q, const call *c, size_t first, size_t p) {
    const int n_tiles = n_q == 1 ? 4 : KEY_TILES;
    const size_t tiles = (keys_in_page(c->most_keys, p) + LANES - 1) / LANES;
    for (size_t t = 0; t < tiles; t += (size_t)n_tiles) {
        if (c->wide) {
            score_tiles(n_q, n_tiles, true, c, first, p, t);
        } else {
            score_tiles(n_q, n_tiles, false, c, first, p, t);
        }
    }
}

/* e_j = exp(s_j - max s) in place, over the n keys seen. */
static void exponentials(float *s, size_t n) {
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

/* n of the 16 dimensions from element `at` of page p on. */
VB_INLINE f32s value_lanes(bool wide, const call *c, size_t p, size_t at, size_t n) {
    if (wide) {
        return n < LANES ? f_load_n(c->wide + at, n) : f_load(c->wide + at);
    }
    return n < LANES ? f_from_f16_n(c->value_pages[p] + at, n) : f_from_f16(c->value_pages[p] + at);
}

/* Values of page p: dimensions d .. of n_tiles tiles, the last of them last_dims wide. Keys that
 * all the queries see are loaded once; then each takes the rest of its own. One call a page also
 * sums the denominators. */
VB_INLINE void value_tiles(int n_q, int n_tiles, bool wide, bool with_den, const call *c,
                           size_t first, size_t p, size_t d, size_t last_dims) {
    f32s acc[ACCUMULATORS_MAX], v[4];
    float den[QUERIES] = {0};
    size_t n[QUERIES], common = VB_ATTN_CHUNK;
    VB_UNROLL for (int i = 0; i < n_q * n_tiles; i++) {
        acc[i] = f_set(0.0f);
    }
    VB_UNROLL for (int i = 0; i < n_q; i++) {
        n[i] = keys_in_page(c->n_keys[first + i], p);
        common = smaller(common, n[i]);
    }
    const float *e = c->score + first * c->score_stride + p * VB_ATTN_CHUNK;
    for (size_t j = 0; j < common; j++) {
        VB_UNROLL for (int t = 0; t < n_tiles; t++) {
            v[t] = value_lanes(wide, c, p, j * c->head_dim + d + t * LANES, last_dims);
        }
        VB_UNROLL for (int i = 0; i < n_q; i++) {
            float w = e[i * c->score_stride + j];
            den[i] = with_den ? den[i] + w : 0;
            VB_UNROLL for (int t = 0; t < n_tiles; t++) {
                acc[i * n_tiles + t] = f_add(acc[i * n_tiles + t], f_mul(f_set(w), v[t]));
            }
        }
    }
    VB_UNROLL for (int i = 0; i < n_q; i++) {
        for (size_t j = common; j < n[i]; j++) {
            float w = e[i * c->score_stride + j];
            den[i] = with_den ? den[i] + w : 0;
            VB_UNROLL for (int t = 0; t < n_tiles; t++) {
                f32s x = value_lanes(wide, c, p, j * c->head_dim + d + t * LANES, last_dims);
                acc[i * n_tiles + t] = f_add(acc[i * n_tiles + t], f_mul(f_set(w), x));
            }
        }
        if (n[i] > 0) {
            VB_UNROLL for (int t = 0; t < n_tiles; t++) {
                float *out = c->out + (first + i) * c->out_stride + d + t * LANES;
                add_chunk(out, acc[i * n_tiles + t], last_dims, p == 0);
            }
            if (with_den) {
                c->den[first + i] = p == 0 ? den[i] : c->den[first + i] + den[i];
            }
        }
    }
}

VB_INLINE void value_page(int n_q, bool wide, const call *c, size_t first, size_t p) {
    const int n_tiles = n_q == 1 ? 4 : DIM_TILES;
    const size_t step = (size_t)n_tiles * LANES;
    size_t d = 0;
    if (step <= c->head_dim) {
        value_tiles(n_q, n_tiles, wide, true, c, first, p, d, LANES);
        d += step;
    }
    for (; d + step <= c->head_dim; d += step) {
        value_tiles(n_q, n_tiles, wide, false, c, first, p, d, LANES);
    }
    for (; d < c->head_dim; d += LANES) {
        value_tiles(n_q, 1, wide, d == 0, c, first, p, d, smaller(c->head_dim - d, LANES));
    }
}

VB_INLINE void values(int n_q, const call *c, size_t first, size_t p) {
    if (c->wide) {
        value_page(n_q, true, c, first, p);
    } else {
        value_page(n_q, false, c, first, p);
    }
}

/* How many of the queries left go into the next set: no set is much smaller than another. */
VB_INLINE size_t set_size(size_t left) {
    return left <= QUERIES ? left : left < 2 * QUERIES ? (left + 1) / 2 : QUERIES;
}

static void score_set(const call *c, size_t first, size_t n, size_t p) {
    switch (n) {
    case 1: score_page(1, c, first, p); break;
    case 2: score_page(2, c, first, p); break;
    case 3: score_page(3, c, first, p); break;
    case 4: score_page(4, c, first, p); break;
#if VB_SETS_OF_7
    case 5: score_page(5, c, first, p); break;
    case 6: score_page(6, c, first, p); break;
    case 7: score_page(7, c, first, p); break;
#endif
    default: VB_ASSERT(false);
    }
}

static void value_set(const call *c, size_t first, size_t n, size_t p) {
    switch (n) {
    case 1: values(1, c, first, p); break;
    case 2: values(2, c, first, p); break;
    case 3: values(3, c, first, p); break;
    case 4: values(4, c, first, p); break;
#if VB_SETS_OF_7
    case 5: values(5, c, first, p); break;
    case 6: values(6, c, first, p); break;
    case 7: values(7, c, first, p); break;
#endif
    default: VB_ASSERT(false);
    }
}

static void scores(const call *c, size_t n_pages) {
    for (size_t p = 0; p < n_pages; p++) {
        if (c->wide) {
            size_t tiles = (keys_in_page(c->most_keys, p) + LANES - 1) / LANES;
            widen(c->key_pages[p], tiles * LANES * c->head_dim, c->wide);
        }
        for (size_t i = 0, n; i < c->n_q; i += n) {
            n = set_size(c->n_q - i);
            score_set(c, i, n, p);
        }
    }
}

static void weighted_values(const call *c, size_t n_pages) {
    for (size_t p = 0; p < n_pages; p++) {
        if (c->wide) {
            widen(c->value_pages[p], keys_in_page(c->most_keys, p) * c->head_dim, c->wide);
        }
        for (size_t i = 0, n; i < c->n_q; i += n) {
            n = set_size(c->n_q - i);
            value_set(c, i, n, p);
        }
    }
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
    const size_t n_pages = (most_keys + VB_ATTN_CHUNK - 1) / VB_ATTN_CHUNK;
    const size_t stride = n_pages * VB_ATTN_CHUNK;
    float *page = scratch + n_q * stride;
    const call c = {.q = q,
                    .q_stride = q_stride,
                    .n_q = n_q,
                    .n_keys = n_keys,
                    .most_keys = most_keys,
                    .score = scratch,
                    .score_stride = stride,
                    .den = page + VB_ATTN_CHUNK * head_dim,
                    .wide = n_q > 2 * QUERIES ? page : NULL,
                    .out = out,
                    .out_stride = out_stride,
                    .head_dim = head_dim,
                    .key_pages = key_pages,
                    .value_pages = value_pages,
                    .scale = scale};
    scores(&c, n_pages);
    for (size_t i = 0; i < n_q; i++) {
        exponentials(c.score + i * stride, n_keys[i]);
    }
    weighted_values(&c, n_pages);
    for (size_t i = 0; i < n_q; i++) {
        f32s den = f_set(c.den[i]);
        for (size_t d = 0; d < head_dim; d += LANES) {
            size_t n = smaller(head_dim - d, LANES);
            float *at = out + i * out_stride + d;
            f_store_n(at, f_div(f_load_n(at, n), den), n);
        }
    }
}
