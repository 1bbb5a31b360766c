/* Random cases of every kernel, against the scalar definition. */
#include "support/kernel_check.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "arith/attention.h"
#include "arith/bits.h"
#include "kernels/scalar/scalar.h"
#include "support/guarded.h"

enum { ROWS_MAX = 70, TOKENS_MAX = 40, CANARY = 0x5a };

const vb_wtype vb_check_types[] = {VB_F32,  VB_F16,  VB_BF16, VB_Q8_0, VB_Q4_0, VB_Q4_1,
                                   VB_Q5_0, VB_Q5_1, VB_Q4_K, VB_Q5_K, VB_Q6_K};
const size_t vb_check_types_count = sizeof vb_check_types / sizeof vb_check_types[0];

/* ---- random inputs ---- */

static uint64_t next(vb_kernel_check *c) {
    uint64_t z = (c->random += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* 0 .. n - 1. */
static size_t below(vb_kernel_check *c, size_t n) {
    return (size_t)((next(c) >> 32) % n);
}

static vb_guard_side side(vb_kernel_check *c) {
    return below(c, 4) == 0 ? VB_GUARD_BEFORE : VB_GUARD_AFTER;
}

/* What a case's values are like. */
typedef enum mood {
    ORDINARY, /* around 1 */
    MIXED,    /* and zeros, subnormals, large values */
    TINY,     /* products and sums are subnormal */
    EXTREME,  /* the largest magnitudes that cannot overflow a sum */
    MOODS
} mood;

static float with_exponent(uint64_t r, uint32_t least, uint32_t span) {
    uint32_t exponent = least + (uint32_t)(r >> 40) % span;
    return vb_f32_from_bits((uint32_t)(r >> 63) << 31 | exponent << 23 | ((uint32_t)r & 0x7fffffu));
}

static float some_float(vb_kernel_check *c, mood m) {
    uint64_t r = next(c);
    unsigned odd = (unsigned)(r >> 32) & 15;
    float signed_zero = vb_f32_from_bits((uint32_t)(r >> 63) << 31);
    switch (m) {
    case ORDINARY: return with_exponent(r, 120, 10);
    case MIXED:
        return odd == 0   ? signed_zero
               : odd == 1 ? with_exponent(r, 0, 1)
               : odd == 2 ? with_exponent(r, 20, 20)
               : odd == 3 ? with_exponent(r, 140, 30)
                          : with_exponent(r, 117, 13);
    case TINY:
        return odd == 0   ? signed_zero
               : odd == 1 ? with_exponent(r, 0, 1)
               : odd < 6  ? with_exponent(r, 1, 4)
                          : with_exponent(r, 55, 12);
    default: return odd == 0 ? signed_zero : with_exponent(r, 180, 2);
    }
}

static void some_floats(vb_kernel_check *c, mood m, float *x, size_t n) {
    for (size_t i = 0; i < n; i++) {
        x[i] = some_float(c, m);
    }
}

/* ---- memory and comparison ---- */

static float *floats(vb_kernel_check *c, vb_guarded *g, size_t n) {
    return vb_guarded_take(g, n * sizeof(float), sizeof(float), side(c));
}

static bool report(vb_kernel_check *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static bool report(vb_kernel_check *c, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    vsnprintf(c->msg, sizeof c->msg, fmt, args);
    va_end(args);
    return false;
}

/* Equal bits, or two NaNs: a NaN ends a request whatever its payload. */
static bool equal_floats(const float *a, const float *b, size_t n, size_t *where) {
    for (size_t i = 0; i < n; i++) {
        if (vb_f32_bits(a[i]) != vb_f32_bits(b[i]) && (a[i] == a[i] || b[i] == b[i])) {
            *where = i;
            return false;
        }
    }
    return true;
}

/* ---- weights ---- */

static void put_f16(uint8_t *p, uint16_t h) {
    p[0] = (uint8_t)h;
    p[1] = (uint8_t)(h >> 8);
}

/* A finite binary16 of the mood. */
static uint16_t some_f16(vb_kernel_check *c, mood m) {
    uint64_t r = next(c);
    uint16_t h = (uint16_t)(r >> 16);
    switch (m) {
    case ORDINARY: return (uint16_t)((h & 0x83ffu) | (0x2400u + 0x400u * (r & 7)));
    case TINY: return (uint16_t)(h & 0x83ffu);
    case EXTREME: return (uint16_t)((h & 0x8000u) | 0x7bffu);
    default: return (uint16_t)((r & 7) == 0 ? h & 0x83ffu : h & 0xbfffu);
    }
}

/* Where the scale of a format's block is, and whether an offset scale follows it. */
static void put_scales(vb_kernel_check *c, vb_wtype type, mood m, uint8_t *block) {
    put_f16(block + (type == VB_Q6_K ? 208 : 0), some_f16(c, m));
    if (type == VB_Q4_1 || type == VB_Q5_1 || type == VB_Q4_K || type == VB_Q5_K) {
        put_f16(block + 2, some_f16(c, m));
    }
}

static void some_weights(vb_kernel_check *c, vb_wtype type, mood m, uint8_t *w, size_t values) {
    static const uint8_t extremes[] = {0x00, 0xff, 0x80, 0x7f, 0x81};
    const vb_wtype_info *info = vb_wtype_get(type);
    size_t blocks = values / info->block_values;
    for (size_t b = 0; b < blocks; b++, w += info->block_bytes) {
        uint8_t fill = extremes[below(c, sizeof extremes)];
        for (size_t i = 0; i < info->block_bytes; i++) {
            w[i] = m == EXTREME ? fill : (uint8_t)next(c);
        }
        uint32_t bits = vb_f32_bits(some_float(c, m));
        if (type == VB_F32) {
            put_f16(w, (uint16_t)bits);
            put_f16(w + 2, (uint16_t)(bits >> 16));
        } else if (type == VB_BF16) {
            put_f16(w, (uint16_t)(bits >> 16));
        } else {
            put_scales(c, type, m, w);
        }
    }
}

/* ---- activations ---- */

/* Quantised rows that need not come from floats: any q in range, with the sums they imply. */
static void some_quantised(vb_kernel_check *c, mood m, size_t cols, int8_t *q, float *d, int32_t *u,
                           int32_t *u_lo, float *du) {
    for (size_t b = 0; b < cols / VB_BLOCK; b++) {
        int8_t same = below(c, 2) ? 127 : -127;
        int32_t lo = 0, hi = 0;
        for (size_t i = 0; i < VB_BLOCK; i++) {
            int8_t v = m == EXTREME ? same : (int8_t)((int)below(c, 255) - 127);
            q[b * VB_BLOCK + i] = v;
            *(i < 16 ? &lo : &hi) += v;
        }
        float scale = some_float(c, m == EXTREME ? MIXED : m);
        d[b] = scale < 0 ? -scale : scale;
        u[b] = lo + hi;
        u_lo[b] = lo;
        du[b] = d[b] * (float)u[b];
    }
}

static vb_act some_activations(vb_kernel_check *c, vb_guarded *g, mood m, size_t tokens,
                               size_t cols) {
    size_t blocks = cols / VB_BLOCK;
    float *x = floats(c, g, tokens * cols), *d = floats(c, g, tokens * blocks);
    float *du = floats(c, g, tokens * blocks);
    int32_t *u = vb_guarded_take(g, tokens * blocks * sizeof *u, sizeof *u, side(c));
    int32_t *u_lo = vb_guarded_take(g, tokens * blocks * sizeof *u, sizeof *u, side(c));
    int8_t *q = vb_guarded_take(g, tokens * cols, 1, side(c));
    some_floats(c, m, x, tokens * cols);
    for (size_t t = 0; t < tokens; t++) {
        size_t b = t * blocks;
        some_quantised(c, m, cols, q + t * cols, d + b, u + b, u_lo + b, du + b);
    }
    return (vb_act){tokens, cols, x, q, d, u, u_lo, du};
}

/* ---- matmul, pack, unpack_row ---- */

static vb_matrix packed(vb_kernel_check *c, vb_guarded *g, const vb_kernels *k, vb_wtype type,
                        size_t rows, size_t cols, const uint8_t *file) {
    const vb_wtype_info *info = vb_wtype_get(type);
    size_t row_bytes = cols / info->block_values * info->block_bytes;
    vb_matrix m = {k, type, rows, cols,
                   vb_guarded_take(g, k->pack_bytes(type, rows, cols), 64, VB_GUARD_AFTER)};
    memset(m.data, 0xee, k->pack_bytes(type, rows, cols));
    size_t middle = below(c, rows / VB_ROW_TILE + 1) * VB_ROW_TILE;
    k->pack(&m, file + middle * row_bytes, middle, rows);
    k->pack(&m, file, 0, middle);
    return m;
}

static size_t some_cols(vb_kernel_check *c, vb_wtype type) {
    const vb_wtype_info *info = vb_wtype_get(type);
    if (info->is_float) {
        return below(c, 3) == 0 ? 16 * (1 + below(c, 20)) : 1 + below(c, 300);
    }
    return info->block_values * (1 + below(c, info->block_values == VB_BLOCK ? 20 : 4));
}

static bool check_unpack(vb_kernel_check *c, vb_guarded *g, const vb_matrix *m,
                         const vb_matrix *definition, const char *format) {
    size_t row = below(c, m->rows), where;
    float *got = floats(c, g, m->cols), *want = floats(c, g, m->cols);
    c->k->unpack_row(m, row, got);
    vb_kernels_scalar.unpack_row(definition, row, want);
    return equal_floats(got, want, m->cols, &where) ||
           report(c, "unpack_row %s: rows %zu, cols %zu: row %zu, element %zu", format, m->rows,
                  m->cols, row, where);
}

static bool check_product(vb_kernel_check *c, vb_guarded *g, const vb_matrix *m,
                          const vb_matrix *definition, const vb_act *x, const char *format) {
    size_t stride = m->rows + below(c, 3), n = (x->rows - 1) * stride + m->rows, where;
    size_t begin = below(c, (m->rows + VB_ROW_TILE - 1) / VB_ROW_TILE) * VB_ROW_TILE;
    size_t end = m->rows;
    if (below(c, 3) == 0 && begin + VB_ROW_TILE <= m->rows) {
        end = begin + VB_ROW_TILE;
    }
    float *got = floats(c, g, n), *want = floats(c, g, n);
    memset(got, CANARY, n * sizeof *got);
    memset(want, CANARY, n * sizeof *want);
    c->k->matmul(m, begin, end, x, got, stride);
    vb_kernels_scalar.matmul(definition, begin, end, x, want, stride);
    return equal_floats(got, want, n, &where) ||
           report(c,
                  "matmul %s: rows %zu to %zu of %zu, cols %zu, tokens %zu: token %zu, row %zu: "
                  "%a, not %a",
                  format, begin, end, m->rows, m->cols, x->rows, where / stride, where % stride,
                  (double)got[where], (double)want[where]);
}

bool vb_check_matmul(vb_kernel_check *c, vb_wtype type) {
    vb_guarded g = {0};
    const vb_wtype_info *info = vb_wtype_get(type);
    mood weights_mood = (mood)below(c, MOODS), values_mood = (mood)below(c, MOODS);
    size_t rows = 1 + below(c, ROWS_MAX), cols = some_cols(c, type);
    size_t tokens = below(c, 2) ? 1 + below(c, 4) : 1 + below(c, TOKENS_MAX);
    if (below(c, 30) == 0) { /* more than a tier may take in one pass */
        tokens = 120 + below(c, 150);
    }
    size_t file_bytes = rows * cols / info->block_values * info->block_bytes;
    uint8_t *file = vb_guarded_take(&g, file_bytes, 1, side(c));
    if (weights_mood == EXTREME && values_mood == EXTREME && info->is_float) {
        values_mood = ORDINARY; /* their products would overflow */
    }
    some_weights(c, type, weights_mood, file, rows * cols);
    vb_act x = some_activations(c, &g, values_mood, tokens, cols);
    vb_matrix m = packed(c, &g, c->k, type, rows, cols, file);
    vb_matrix definition = packed(c, &g, &vb_kernels_scalar, type, rows, cols, file);
    bool ok = check_unpack(c, &g, &m, &definition, info->name) &&
              check_product(c, &g, &m, &definition, &x, info->name);
    vb_guarded_give_all(&g);
    return ok;
}

/* ---- quantize ---- */

typedef struct quantised {
    int8_t *q;
    float *d, *du;
    int32_t *u, *u_lo;
} quantised;

static quantised take_quantised(vb_kernel_check *c, vb_guarded *g, size_t blocks) {
    return (quantised){vb_guarded_take(g, blocks * VB_BLOCK, 1, side(c)), floats(c, g, blocks),
                       floats(c, g, blocks), vb_guarded_take(g, blocks * 4, 4, side(c)),
                       vb_guarded_take(g, blocks * 4, 4, side(c))};
}

/* Values whose quotient lies halfway between integers, and blocks at the least magnitude. */
static void hard_to_quantise(vb_kernel_check *c, float *x, size_t blocks) {
    static const float largest[] = {127.0f, 0x1p-100f, 0x1.fffffep-101f, 0x1.fffffep127f, 0x1p-99f};
    for (size_t b = 0; b < blocks; b++) {
        float top = largest[below(c, 5)];
        for (size_t i = 0; i < VB_BLOCK; i++) {
            float half = (float)below(c, 127) + 0.5f;
            x[b * VB_BLOCK + i] = (below(c, 2) ? half : -half) * (top / 127.0f);
        }
        x[b * VB_BLOCK + below(c, VB_BLOCK)] = top;
    }
}

bool vb_check_quantize(vb_kernel_check *c) {
    vb_guarded g = {0};
    size_t blocks = 1 + below(c, 40), cols = blocks * VB_BLOCK;
    float *x = floats(c, &g, cols);
    quantised got = take_quantised(c, &g, blocks), want = take_quantised(c, &g, blocks);
    some_floats(c, (mood)below(c, MOODS), x, cols);
    if (below(c, 2)) {
        hard_to_quantise(c, x, blocks);
    }
    if (below(c, 4) == 0) {
        static const uint32_t bad[] = {0x7f800000u, 0xff800000u, 0x7fc00000u, 0xff800001u};
        x[below(c, 3) ? cols - 1 : below(c, cols)] = vb_f32_from_bits(bad[below(c, 4)]);
    }
    bool a = c->k->quantize(x, cols, got.q, got.d, got.u, got.u_lo, got.du);
    bool b = vb_kernels_scalar.quantize(x, cols, want.q, want.d, want.u, want.u_lo, want.du);
    size_t where;
    bool ok = true;
    if (a != b) {
        ok = report(c, "quantize: cols %zu: finite is %d, not %d", cols, a, b);
    } else if (a && memcmp(got.q, want.q, cols)) {
        ok = report(c, "quantize: cols %zu: q", cols);
    } else if (a && (!equal_floats(got.d, want.d, blocks, &where) ||
                     !equal_floats(got.du, want.du, blocks, &where))) {
        ok = report(c, "quantize: cols %zu: d or du of block %zu", cols, where);
    } else if (a &&
               (memcmp(got.u, want.u, blocks * 4) || memcmp(got.u_lo, want.u_lo, blocks * 4))) {
        ok = report(c, "quantize: cols %zu: u or u_lo", cols);
    }
    vb_guarded_give_all(&g);
    return ok;
}

/* ---- rows ---- */

static bool check_norm_and_gate(vb_kernel_check *c, vb_guarded *g, mood m, size_t n) {
    static const float epsilons[] = {1e-5f, 1e-6f, 0.0f, 0x1p-140f};
    float eps = epsilons[below(c, 4)];
    float *x = floats(c, g, n), *w = floats(c, g, n);
    float *got = floats(c, g, n), *want = floats(c, g, n);
    size_t where;
    some_floats(c, m == EXTREME ? MIXED : m, x, n);
    some_floats(c, m, w, n);
    memcpy(got, x, n * sizeof *x); /* in place */
    c->k->rmsnorm(got, w, n, eps, got);
    vb_kernels_scalar.rmsnorm(x, w, n, eps, want);
    if (!equal_floats(got, want, n, &where)) {
        return report(c, "rmsnorm: n %zu, eps %a: element %zu", n, (double)eps, where);
    }
    c->k->rmsnorm(x, w, n, eps, got);
    if (!equal_floats(got, want, n, &where)) {
        return report(c, "rmsnorm: n %zu, not in place: element %zu", n, where);
    }
    for (size_t i = 0; i < n && m == MIXED; i++) {
        x[i] = x[i] * 16.0f; /* where exp over- and underflows */
    }
    vb_kernels_scalar.silu_mul(x, w, n, want);
    c->k->silu_mul(x, w, n, got);
    if (!equal_floats(got, want, n, &where)) {
        return report(c, "silu_mul: n %zu: element %zu, gate %a", n, where, (double)x[where]);
    }
    memcpy(got, w, n * sizeof *w);
    c->k->silu_mul(x, got, n, got);
    if (!equal_floats(got, want, n, &where)) {
        return report(c, "silu_mul: n %zu, out is up: element %zu", n, where);
    }
    memcpy(want, w, n * sizeof *w);
    memcpy(got, w, n * sizeof *w);
    vb_kernels_scalar.add(want, x, n);
    c->k->add(got, x, n);
    return equal_floats(got, want, n, &where) ||
           report(c, "add: n %zu: element %zu: %a, not %a", n, where, (double)got[where],
                  (double)want[where]);
}

static bool check_finite(vb_kernel_check *c, vb_guarded *g, size_t n) {
    static const uint32_t bits[] = {0x7f800000u, 0xff800000u, 0x7f800001u,
                                    0xffc00000u, 0x7f7fffffu, 0xff7fffffu};
    float *x = floats(c, g, n);
    some_floats(c, EXTREME, x, n);
    for (int i = 0; i < 8; i++) {
        bool got = c->k->all_finite(x, n), want = vb_kernels_scalar.all_finite(x, n);
        if (got != want) {
            return report(c, "all_finite: n %zu: %d, not %d", n, got, want);
        }
        size_t at = i == 0 ? n - 1 : i == 1 ? 0 : below(c, n);
        some_floats(c, EXTREME, x, n);
        x[at] = vb_f32_from_bits(bits[i == 0 ? 0 : below(c, 6)]);
    }
    return true;
}

static bool check_rope(vb_kernel_check *c, vb_guarded *g, mood m) {
    size_t heads = 1 + below(c, 4), pairs = 1 + below(c, 70), dim = 2 * pairs + below(c, 5);
    vb_rope_style style = below(c, 2) ? VB_ROPE_NEOX : VB_ROPE_NORM;
    float *got = floats(c, g, heads * dim), *want = floats(c, g, heads * dim);
    float *cosines = floats(c, g, pairs), *sines = floats(c, g, pairs);
    size_t where;
    some_floats(c, m, want, heads * dim);
    some_floats(c, m == EXTREME ? ORDINARY : m, cosines, pairs);
    some_floats(c, m == EXTREME ? ORDINARY : m, sines, pairs);
    memcpy(got, want, heads * dim * sizeof *got);
    c->k->rope(got, heads, dim, 2 * pairs, style, cosines, sines);
    vb_kernels_scalar.rope(want, heads, dim, 2 * pairs, style, cosines, sines);
    return equal_floats(got, want, heads * dim, &where) ||
           report(c, "rope: style %d, heads %zu of %zu, rotated %zu: element %zu", (int)style,
                  heads, dim, 2 * pairs, where);
}

bool vb_check_rows(vb_kernel_check *c) {
    vb_guarded g = {0};
    mood m = (mood)below(c, MOODS);
    size_t n = 1 + below(c, below(c, 2) ? 40 : 700);
    bool ok = check_norm_and_gate(c, &g, m, n) && check_finite(c, &g, n) && check_rope(c, &g, m);
    vb_guarded_give_all(&g);
    return ok;
}

/* ---- attention ---- */

enum { PAGES_MAX = 3, QUERIES_MAX = 40 };

typedef struct cache {
    size_t pages, head_dim, keys;
    uint16_t *k[PAGES_MAX], *v[PAGES_MAX];
} cache;

static cache take_cache(vb_kernel_check *c, vb_guarded *g, size_t keys, size_t head_dim) {
    cache a = {(keys + VB_ATTN_CHUNK - 1) / VB_ATTN_CHUNK, head_dim, keys, {0}, {0}};
    size_t bytes = VB_ATTN_CHUNK * head_dim * sizeof(uint16_t);
    for (size_t p = 0; p < a.pages; p++) {
        a.k[p] = vb_guarded_take(g, bytes, sizeof(uint16_t), side(c));
        a.v[p] = vb_guarded_take(g, bytes, sizeof(uint16_t), side(c));
        memset(a.k[p], 0xff, bytes); /* NaNs: what no result may depend on */
        memset(a.v[p], 0xff, bytes);
    }
    return a;
}

/* binary16 subnormals, ties between two of them, the largest, one too large. */
static float half_float(vb_kernel_check *c) {
    uint64_t r = next(c);
    switch (r & 15) {
    case 0: return with_exponent(r, 100, 14);
    case 1: return (float)((int)below(c, 4095) - 2047) * 0x1p-25f;
    case 2: return 1.0f + (float)below(c, 2048) * 0x1p-11f;
    case 3: return r >> 63 ? -0.0f : 0.0f;
    case 4: return with_exponent(r, 0, 1);
    default: return with_exponent(r, 122, 6);
    }
}

static bool check_store(vb_kernel_check *c, vb_guarded *g, const cache *got, const cache *want) {
    size_t dim = got->head_dim;
    float *k = floats(c, g, dim), *v = floats(c, g, dim);
    for (size_t j = 0; j < got->keys; j++) {
        size_t p = j / VB_ATTN_CHUNK, slot = j % VB_ATTN_CHUNK;
        for (size_t i = 0; i < dim; i++) {
            k[i] = half_float(c);
            v[i] = half_float(c);
        }
        bool a = c->k->kv_store(k, v, dim, got->k[p], got->v[p], slot);
        bool b = vb_kernels_scalar.kv_store(k, v, dim, want->k[p], want->v[p], slot);
        if (!a || !b) {
            return report(c, "kv_store: head_dim %zu: finite is %d, not %d", dim, a, b);
        }
    }
    size_t bytes = VB_ATTN_CHUNK * dim * sizeof(uint16_t);
    for (size_t p = 0; p < got->pages; p++) {
        if (memcmp(got->k[p], want->k[p], bytes) || memcmp(got->v[p], want->v[p], bytes)) {
            return report(c, "kv_store: head_dim %zu: page %zu", dim, p);
        }
    }
    return true;
}

/* Values at and over the edge of binary16, on pages that nothing else uses. */
static bool check_overflow(vb_kernel_check *c, vb_guarded *g, size_t dim) {
    static const float edge[] = {65504.0f,   65519.996f, 65520.0f,
                                 -65519.99f, -65520.0f,  0x1.fffffep127f};
    static const uint32_t bits[] = {0x7f800000u, 0xff800000u, 0x7fc00000u};
    cache spare = take_cache(c, g, 1, dim), other = take_cache(c, g, 1, dim);
    float *k = floats(c, g, dim), *v = floats(c, g, dim);
    for (int i = 0; i < 9; i++) {
        size_t slot = below(c, VB_ATTN_CHUNK);
        memset(k, 0, dim * sizeof *k);
        memset(v, 0, dim * sizeof *v);
        float *at = (below(c, 2) ? k : v) + (below(c, 2) ? dim - 1 : below(c, dim));
        *at = i < 6 ? edge[i] : vb_f32_from_bits(bits[i - 6]);
        bool a = c->k->kv_store(k, v, dim, spare.k[0], spare.v[0], slot);
        bool b = vb_kernels_scalar.kv_store(k, v, dim, other.k[0], other.v[0], slot);
        if (a != b) {
            return report(c, "kv_store: %a: finite is %d, not %d", (double)*at, a, b);
        }
    }
    return true;
}

/* Keys that hardly count: the first takes all the weight and its value is zero, so that results
 * are sums of exponentials that are subnormal, or too small for that. */
static bool check_faint_keys(vb_kernel_check *c, vb_guarded *g, size_t dim) {
    size_t keys = 2 + below(c, VB_ATTN_CHUNK - 1), where;
    cache a = take_cache(c, g, keys, dim);
    float *k = floats(c, g, dim), *v = floats(c, g, dim), *q = floats(c, g, dim);
    const size_t n_scratch = vb_attention_scratch_floats(1, keys, dim);
    float *scratch = vb_guarded_take(g, n_scratch * sizeof *scratch, 64, VB_GUARD_AFTER);
    float *got = floats(c, g, dim), *want = floats(c, g, dim);
    memset(k, 0, dim * sizeof *k);
    memset(v, 0, dim * sizeof *v);
    memset(q, 0, dim * sizeof *q);
    q[dim - 1] = 8.0f;
    for (size_t j = 0; j < keys; j++) {
        if (!vb_kernels_scalar.kv_store(k, v, dim, a.k[0], a.v[0], j)) {
            return report(c, "kv_store: finite keys were refused");
        }
        k[dim - 1] = -86.0f - (float)below(c, 300) * 0.0625f; /* the score, once scaled */
        some_floats(c, ORDINARY, v, dim);
    }
    const uint16_t *const kp[1] = {a.k[0]}, *const vp[1] = {a.v[0]};
    c->k->attention(q, dim, 1, &keys, dim, kp, vp, 0.125f, scratch, got, dim);
    vb_kernels_scalar.attention(q, dim, 1, &keys, dim, kp, vp, 0.125f, scratch, want, dim);
    return equal_floats(got, want, dim, &where) ||
           report(c,
                  "attention: subnormal weights, keys %zu, head_dim %zu: element %zu: %a, not %a",
                  keys, dim, where, (double)got[where], (double)want[where]);
}

bool vb_check_attention(vb_kernel_check *c) {
    vb_guarded g = {0};
    size_t dim = below(c, 2) ? 16 * (1 + below(c, 8)) : 1 + below(c, 140);
    size_t keys = 1 + below(c, below(c, 2) ? 40 : PAGES_MAX * VB_ATTN_CHUNK - 1);
    size_t n_q = 1 + below(c, below(c, 4) ? 9 : QUERIES_MAX), q_stride = dim + below(c, 3),
           out_stride = dim + below(c, 3);
    size_t n_keys[QUERIES_MAX], where;
    bool causal = below(c, 2);
    cache got = take_cache(c, &g, keys, dim), want = take_cache(c, &g, keys, dim);
    float *q = floats(c, &g, (n_q - 1) * q_stride + dim);
    const size_t n_scratch = vb_attention_scratch_floats(n_q, keys, dim);
    float *scratch = vb_guarded_take(&g, n_scratch * sizeof *scratch, 64, VB_GUARD_AFTER);
    size_t n_out = (n_q - 1) * out_stride + dim;
    float *a = floats(c, &g, n_out), *b = floats(c, &g, n_out);
    for (size_t i = 0; i < n_q; i++) {
        n_keys[i] = i == n_q - 1 ? keys
                    : causal     ? (keys + i >= n_q ? keys + i + 1 - n_q : 1)
                                 : 1 + below(c, keys);
    }
    some_floats(c, below(c, 3) ? ORDINARY : MIXED, q, (n_q - 1) * q_stride + dim);
    memset(a, CANARY, n_out * sizeof *a);
    memset(b, CANARY, n_out * sizeof *b);
    memset(scratch, 0xff, n_scratch * sizeof *scratch);
    bool ok = check_store(c, &g, &got, &want) && check_overflow(c, &g, dim) &&
              check_faint_keys(c, &g, dim);
    if (ok) {
        const uint16_t *kp[PAGES_MAX], *vp[PAGES_MAX];
        for (size_t p = 0; p < got.pages; p++) {
            kp[p] = got.k[p];
            vp[p] = got.v[p];
        }
        float scale = below(c, 4) ? 0.125f : 0x1.6a09e6p-4f;
        c->k->attention(q, q_stride, n_q, n_keys, dim, kp, vp, scale, scratch, a, out_stride);
        vb_kernels_scalar.attention(q, q_stride, n_q, n_keys, dim, kp, vp, scale, scratch, b,
                                    out_stride);
        ok = equal_floats(a, b, n_out, &where) ||
             report(c,
                    "attention: queries %zu, keys %zu, head_dim %zu: query %zu, element %zu: "
                    "%a, not %a",
                    n_q, keys, dim, where / out_stride, where % out_stride, (double)a[where],
                    (double)b[where]);
    }
    vb_guarded_give_all(&g);
    return ok;
}

/* ---- sampling ---- */

static bool check_argmax(vb_kernel_check *c, vb_guarded *g, size_t n) {
    float *x = floats(c, g, n);
    some_floats(c, (mood)below(c, MOODS), x, n);
    float top = below(c, 2) ? 0.0f : 0x1p125f;
    for (size_t i = 0; i < n; i++) {
        x[i] = x[i] > top ? -x[i] : x[i];
    }
    for (size_t i = below(c, 4); i > 0; i--) { /* ties, of zeros too */
        x[below(c, 2) ? n - 1 : below(c, n)] = top == 0.0f && below(c, 2) ? -0.0f : top;
    }
    size_t got = c->k->argmax(x, n), want = vb_kernels_scalar.argmax(x, n);
    return got == want || report(c, "argmax: n %zu: %zu, not %zu", n, got, want);
}

static bool check_weights(vb_kernel_check *c, vb_guarded *g, size_t n) {
    static const float temperatures[] = {1.0f, 0.7f, 2.0f, 0.01f, 1e-30f, 100.0f};
    float *x = floats(c, g, n), temperature = temperatures[below(c, 6)], max = 5.0f;
    uint64_t *got = vb_guarded_take(g, n * sizeof *got, sizeof *got, side(c));
    uint64_t *want = vb_guarded_take(g, n * sizeof *want, sizeof *want, side(c));
    for (size_t i = 0; i < n; i++) {
        float below_max = some_float(c, below(c, 4) ? ORDINARY : MIXED);
        x[i] = below(c, 20) ? max - (below_max < 0 ? -below_max : below_max) : max;
    }
    c->k->exp_weights(x, n, max, temperature, got);
    vb_kernels_scalar.exp_weights(x, n, max, temperature, want);
    for (size_t i = 0; i < n; i++) {
        if (got[i] != want[i]) {
            return report(c, "exp_weights: n %zu, temperature %a: element %zu: %llu, not %llu", n,
                          (double)temperature, i, (unsigned long long)got[i],
                          (unsigned long long)want[i]);
        }
    }
    return true;
}

bool vb_check_sampling(vb_kernel_check *c) {
    vb_guarded g = {0};
    size_t n = 1 + below(c, below(c, 2) ? 40 : 2000);
    bool ok = check_argmax(c, &g, n) && check_weights(c, &g, n);
    vb_guarded_give_all(&g);
    return ok;
}

bool vb_check_all(vb_kernel_check *c, unsigned rounds) {
    for (unsigned i = 0; i < rounds; i++) {
        for (size_t t = 0; t < vb_check_types_count; t++) {
            if (!vb_check_matmul(c, vb_check_types[t])) {
                return false;
            }
        }
        if (!vb_check_quantize(c) || !vb_check_rows(c) || !vb_check_sampling(c) ||
            (i % 4 == 0 && !vb_check_attention(c))) {
            return false;
        }
    }
    return true;
}
