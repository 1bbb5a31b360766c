/*
 * A tier against the scalar definition at start: the same fixed inputs to both, every bit of
 * every output compared. Small shapes chosen to reach each path: whole and partial tiles of
 * rows, odd counts of blocks, tails, one and many tokens, several attention pages.
 * tests/unit/kernels does the same at length; this runs where the program runs.
 */
#include <stdlib.h>
#include <string.h>

#include "arith/bits.h"
#include "arith/floatenv.h"
#include "kernels/kernels.h"
#include "kernels/scalar/scalar.h"

enum {
    ROWS = 37,
    TOKENS_MAX = 21,
    COLS_MAX = 512,
    WEIGHT_BYTES_MAX = ROWS * COLS_MAX * 4,
    KEYS = 300,
    HEAD_DIM_MAX = 72,
    QUERIES = 9, /* more than a tier keeps in registers */
    N_MAX = 1000
};

typedef struct test {
    const vb_kernels *k;
    vb_error *e;
    uint64_t random;
    void *memory[32];
    size_t allocated;
    bool out_of_memory;
} test;

static uint64_t next(test *t) {
    uint64_t z = (t->random += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* Zeroed memory, freed at the end of the test. */
static void *take(test *t, size_t bytes) {
    size_t padded = (bytes + 63) / 64 * 64 + 64;
    void *p =
        t->allocated < sizeof t->memory / sizeof t->memory[0] ? aligned_alloc(64, padded) : NULL;
    if (p) {
        memset(p, 0, padded);
        t->memory[t->allocated++] = p;
    } else {
        t->out_of_memory = true;
    }
    return p;
}

static void give_all(test *t) {
    while (t->allocated > 0) {
        free(t->memory[--t->allocated]);
    }
}

/* Mostly values of ordinary size; now and then a zero of either sign, a subnormal, an extreme. */
static float some_float(test *t) {
    uint64_t r = next(t);
    uint32_t sign = (uint32_t)(r >> 63) << 31, fraction = (uint32_t)(r >> 8) & 0x7fffffu;
    switch (r & 31) {
    case 0: return vb_f32_from_bits(sign);
    case 1: return vb_f32_from_bits(sign | fraction);
    case 2: return vb_f32_from_bits(sign | (27 + (uint32_t)(r >> 40) % 2) << 23 | fraction);
    case 3: return vb_f32_from_bits(sign | 150u << 23 | fraction);
    default: return vb_f32_from_bits(sign | (117 + (uint32_t)(r >> 40) % 12) << 23 | fraction);
    }
}

static void some_floats(test *t, float *x, size_t n) {
    for (size_t i = 0; i < n; i++) {
        x[i] = some_float(t);
    }
}

/* Values of like size, so that each matters in a sum, and scores whose exp is not 0 or 1. */
static void small_floats(test *t, float *x, size_t n) {
    for (size_t i = 0; i < n; i++) {
        x[i] = (float)(int32_t)(next(t) >> 32) * 0x1p-30f;
    }
}

static vb_err differ(test *t, const char *what, size_t element) {
    return vb_fail(t->e, VB_EMISMATCH,
                   "self-test of tier %s: %s: element %zu differs from the scalar definition",
                   t->k->name, what, element);
}

/* Compares n elements of size bytes each. */
static vb_err same(test *t, const char *what, const void *got, const void *want, size_t n,
                   size_t size) {
    const uint8_t *a = got, *b = want;
    for (size_t i = 0; i < n; i++) {
        if (memcmp(a + i * size, b + i * size, size) != 0) {
            return differ(t, what, i);
        }
    }
    return VB_OK;
}

/* ---- weights ---- */

/* A finite binary16, small enough that no product overflows. */
static void put_scale(test *t, uint8_t *p) {
    uint64_t r = next(t);
    uint16_t h = (uint16_t)(r >> 16 & 0xbfffu);
    h = (r & 15) == 0 ? (uint16_t)(h & 0x83ffu) : (r & 15) == 1 ? 0x7bffu : h;
    p[0] = (uint8_t)h;
    p[1] = (uint8_t)(h >> 8);
}

/* Weights as a file would have them: finite scales, and any quants for the first n_random. */
static void some_weights(test *t, vb_wtype type, uint8_t *w, size_t values, size_t n_random) {
    const vb_wtype_info *info = vb_wtype_get(type);
    size_t blocks = values / info->block_values;
    size_t bytes = n_random / info->block_values * info->block_bytes;
    for (size_t i = 0; i < bytes; i++) {
        w[i] = (uint8_t)next(t);
    }
    for (size_t b = 0; b < blocks; b++, w += info->block_bytes) {
        switch (type) {
        case VB_F32: {
            uint32_t bits = vb_f32_bits(some_float(t));
            for (int i = 0; i < 4; i++) {
                w[i] = (uint8_t)(bits >> (8 * i));
            }
            break;
        }
        case VB_BF16: w[1] &= 0xbf; break; /* exponent below 128 */
        case VB_Q6_K: put_scale(t, w + 208); break;
        case VB_Q4_1:
        case VB_Q5_1:
        case VB_Q4_K:
        case VB_Q5_K:
            put_scale(t, w);
            put_scale(t, w + 2);
            break;
        default: put_scale(t, w); /* F16 too */
        }
    }
}

static bool packed(test *t, const vb_kernels *k, vb_wtype type, size_t cols, const uint8_t *file,
                   vb_matrix *m) {
    size_t bytes = k->pack_bytes(type, ROWS, cols);
    *m = (vb_matrix){k, type, ROWS, cols, take(t, bytes)};
    if (!m->data) {
        return false;
    }
    /* In two calls, as two threads would. */
    const vb_wtype_info *info = vb_wtype_get(type);
    size_t first = VB_ROW_TILE * (cols / info->block_values) * info->block_bytes;
    k->pack(m, file + first, VB_ROW_TILE, ROWS);
    k->pack(m, file, 0, VB_ROW_TILE);
    return true;
}

/* Activations for cols columns, quantised by the scalar tier. */
static bool some_activations(test *t, size_t cols, vb_act *x) {
    size_t blocks = cols / VB_BLOCK, n = TOKENS_MAX * cols;
    float *values = take(t, n * sizeof *values);
    int8_t *q = take(t, n);
    float *d = take(t, TOKENS_MAX * (blocks + 1) * sizeof *d);
    float *du = take(t, TOKENS_MAX * (blocks + 1) * sizeof *du);
    int32_t *u = take(t, TOKENS_MAX * (blocks + 1) * sizeof *u);
    int32_t *u_lo = take(t, TOKENS_MAX * (blocks + 1) * sizeof *u_lo);
    if (t->out_of_memory) {
        return false;
    }
    some_floats(t, values, n);
    for (size_t k = 0; k < cols; k++) {
        values[k] = 1.0f;                                /* q is 127 throughout */
        values[cols + k] = values[cols + k] * 0x1p-126f; /* products are subnormal */
    }
    for (size_t i = 0; i < TOKENS_MAX && cols % VB_BLOCK == 0; i++) {
        size_t b = i * blocks;
        if (!vb_kernels_scalar.quantize(values + i * cols, cols, q + i * cols, d + b, u + b,
                                        u_lo + b, du + b)) {
            return false;
        }
    }
    *x = (vb_act){TOKENS_MAX, cols, values, q, d, u, u_lo, du};
    return true;
}

/* n tokens of x from token `first` on. */
static vb_act some_of(const vb_act *x, size_t first, size_t n) {
    size_t at = first * (x->cols / VB_BLOCK), element = first * x->cols;
    return (vb_act){n,         x->cols,   x->x + element, x->q + element,
                    x->d + at, x->u + at, x->u_lo + at,   x->du + at};
}

/* Every count of tokens for which a tier may have code of its own, from the tokens of extremes on
 * and from ordinary ones on; each token against the definition's result for it. */
static vb_err test_products(test *t, const vb_matrix *m, const vb_matrix *definition,
                            const vb_act *x) {
    static const struct {
        size_t first, n;
    } runs[] = {{0, 1}, {0, 2}, {0, 4}, {0, TOKENS_MAX}, {0, 13}, {2, 1},
                {3, 2}, {4, 3}, {5, 4}, {2, 7},          {3, 8}};
    enum { STRIDE = ROWS + 1, N = TOKENS_MAX * STRIDE };
    float *all = take(t, N * sizeof *all), *want = take(t, N * sizeof *want);
    float *got = take(t, N * sizeof *got);
    if (t->out_of_memory) {
        return VB_ENOMEM;
    }
    memset(all, 0x55, N * sizeof *all);
    vb_kernels_scalar.matmul(definition, 0, ROWS, x, all, STRIDE);
    for (size_t i = 0; i < sizeof runs / sizeof runs[0]; i++) {
        vb_act some = some_of(x, runs[i].first, runs[i].n);
        memset(want, 0x55, N * sizeof *want);
        memcpy(want, all + runs[i].first * STRIDE, runs[i].n * STRIDE * sizeof *want);
        memset(got, 0x55, N * sizeof *got);
        t->k->matmul(m, VB_ROW_TILE, ROWS, &some, got, STRIDE);
        t->k->matmul(m, 0, VB_ROW_TILE, &some, got, STRIDE);
        vb_err err = same(t, "matmul", got, want, N, sizeof *got);
        if (err) {
            return err;
        }
    }
    return VB_OK;
}

static vb_err test_format(test *t, vb_wtype type) {
    const vb_wtype_info *info = vb_wtype_get(type);
    const size_t cols = info->is_float ? 277 : info->block_values == VB_BLOCK ? 288 : 512;
    uint8_t *file = take(t, WEIGHT_BYTES_MAX);
    float *row_want = take(t, COLS_MAX * sizeof *row_want);
    float *row_got = take(t, COLS_MAX * sizeof *row_got);
    vb_matrix m, definition;
    vb_act x;
    if (t->out_of_memory || !some_activations(t, cols, &x)) {
        return VB_ENOMEM;
    }
    memset(file, 0xff, WEIGHT_BYTES_MAX); /* the last row keeps the largest weights */
    some_weights(t, type, file, ROWS * cols, (ROWS - 1) * cols);
    if (!packed(t, t->k, type, cols, file, &m) ||
        !packed(t, &vb_kernels_scalar, type, cols, file, &definition)) {
        return VB_ENOMEM;
    }
    for (size_t row = 0; row < ROWS; row += 9) {
        t->k->unpack_row(&m, row, row_got);
        vb_kernels_scalar.unpack_row(&definition, row, row_want);
        if (same(t, "unpack_row", row_got, row_want, cols, sizeof *row_got)) {
            return vb_fail_in(t->e, VB_EMISMATCH, "%s", info->name);
        }
    }
    vb_err err = test_products(t, &m, &definition, &x);
    return err == VB_EMISMATCH ? vb_fail_in(t->e, err, "%s", info->name) : err;
}

static vb_err test_formats(test *t) {
    static const vb_wtype types[] = {VB_F32,  VB_F16,  VB_BF16, VB_Q8_0, VB_Q4_0, VB_Q4_1,
                                     VB_Q5_0, VB_Q5_1, VB_Q4_K, VB_Q5_K, VB_Q6_K};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        vb_err err = test_format(t, types[i]);
        give_all(t);
        if (err) {
            return err;
        }
    }
    return VB_OK;
}

/* ---- rows ---- */

static vb_err test_quantize(test *t) {
    enum { BLOCKS = 19, COLS = BLOCKS * VB_BLOCK };
    float *x = take(t, COLS * sizeof *x);
    struct {
        int8_t q[COLS];
        float d[BLOCKS], du[BLOCKS];
        int32_t u[BLOCKS], u_lo[BLOCKS];
    } *got = take(t, sizeof *got), *want = take(t, sizeof *want);
    if (t->out_of_memory) {
        return VB_ENOMEM;
    }
    some_floats(t, x, COLS);
    for (size_t i = 0; i < VB_BLOCK; i++) {
        x[i] = vb_f32_from_bits((uint32_t)next(t) & 0x807fffffu); /* all zero */
        x[32 + i] = vb_f32_from_bits(0x7f7fffffu - (uint32_t)i * 0x10000u);
    }
    for (size_t b = 2; b < 12; b++) { /* quotients halfway between integers, or nearly */
        float step = b == 2 ? 1.0f : (float)b * 0x1.1p-5f;
        for (size_t i = 0; i < VB_BLOCK; i++) {
            x[b * VB_BLOCK + i] = i == 0 ? 127.0f * step : ((float)(next(t) % 127) - 63.5f) * step;
        }
    }
    for (int i = 0; i < 3; i++) {
        bool a = t->k->quantize(x, COLS, got->q, got->d, got->u, got->u_lo, got->du);
        bool b =
            vb_kernels_scalar.quantize(x, COLS, want->q, want->d, want->u, want->u_lo, want->du);
        if (a != b || (a && memcmp(got, want, sizeof *got) != 0)) {
            return differ(t, "quantize", 0);
        }
        x[COLS - 1] = vb_f32_from_bits(i == 0 ? 0x7f800000u : 0xffc00001u);
    }
    return VB_OK;
}

static vb_err test_rows(test *t) {
    static const size_t counts[] = {1, 15, 16, 17, 100, N_MAX};
    float *x = take(t, N_MAX * sizeof *x), *w = take(t, N_MAX * sizeof *w);
    float *got = take(t, N_MAX * sizeof *got), *want = take(t, N_MAX * sizeof *want);
    vb_err err = t->out_of_memory ? VB_ENOMEM : VB_OK;
    for (size_t i = 0; i < sizeof counts / sizeof counts[0] && !err; i++) {
        size_t n = counts[i];
        (i % 2 ? small_floats : some_floats)(t, x, N_MAX);
        some_floats(t, w, N_MAX);
        t->k->rmsnorm(x, w, n, 1e-5f, got);
        vb_kernels_scalar.rmsnorm(x, w, n, 1e-5f, want);
        err = same(t, "rmsnorm", got, want, N_MAX, sizeof *got);
        t->k->silu_mul(x, w, n, got);
        vb_kernels_scalar.silu_mul(x, w, n, want);
        err = err ? err : same(t, "silu_mul", got, want, N_MAX, sizeof *got);
        x[0] = vb_f32_from_bits(0x80000007u); /* a sum of subnormals */
        got[0] = want[0] = vb_f32_from_bits(0x00012345u);
        t->k->add(got, x, n);
        vb_kernels_scalar.add(want, x, n);
        err = err ? err : same(t, "add", got, want, N_MAX, sizeof *got);
        x[n - 1] = vb_f32_from_bits(0x7f7fffffu);
        x[n / 2] = i % 2 ? x[n - 1] : x[n / 2];
        if (!err && t->k->argmax(x, n) != vb_kernels_scalar.argmax(x, n)) {
            err = differ(t, "argmax", n);
        }
        for (int bad = 0; bad < 2 && !err; bad++) {
            if (t->k->all_finite(x, n) != vb_kernels_scalar.all_finite(x, n)) {
                err = differ(t, "all_finite", n);
            }
            x[n - 1] = vb_f32_from_bits(0xff800000u);
        }
    }
    return err;
}

static vb_err test_zero_tie(test *t) {
    float zeros[40];
    for (size_t i = 0; i < 40; i++) {
        zeros[i] = i < 3 ? -1.0f : i % 3 ? 0.0f : -0.0f;
    }
    return t->k->argmax(zeros, 40) == 3 ? VB_OK : differ(t, "argmax", 3);
}

static vb_err test_exp_weights(test *t) {
    float *x = take(t, N_MAX * sizeof *x);
    uint64_t *got = take(t, N_MAX * sizeof *got), *want = take(t, N_MAX * sizeof *want);
    if (t->out_of_memory) {
        return VB_ENOMEM;
    }
    for (size_t i = 0; i < N_MAX; i++) {
        x[i] = 3.0f - 1e-7f * (float)(i * i * i) * (float)(next(t) % 16) / 16.0f;
    }
    t->k->exp_weights(x, N_MAX - 3, 3.0f, 0.7f, got);
    vb_kernels_scalar.exp_weights(x, N_MAX - 3, 3.0f, 0.7f, want);
    return same(t, "exp_weights", got, want, N_MAX, sizeof *got);
}

static vb_err test_rope(test *t) {
    enum { HEADS = 3, DIM = 90, ROTATED = 84 };
    float *got = take(t, HEADS * DIM * sizeof *got), *want = take(t, HEADS * DIM * sizeof *want);
    float *cos_row = take(t, DIM * sizeof *cos_row), *sin_row = take(t, DIM * sizeof *sin_row);
    if (t->out_of_memory) {
        return VB_ENOMEM;
    }
    some_floats(t, cos_row, DIM);
    some_floats(t, sin_row, DIM);
    for (int style = VB_ROPE_NORM; style <= VB_ROPE_NEOX; style++) {
        some_floats(t, want, HEADS * DIM);
        memcpy(got, want, HEADS * DIM * sizeof *got);
        t->k->rope(got, HEADS, DIM, ROTATED, (vb_rope_style)style, cos_row, sin_row);
        vb_kernels_scalar.rope(want, HEADS, DIM, ROTATED, (vb_rope_style)style, cos_row, sin_row);
        vb_err err = same(t, "rope", got, want, HEADS * DIM, sizeof *got);
        if (err) {
            return err;
        }
    }
    return VB_OK;
}

/* ---- attention ---- */

static vb_err test_head(test *t, size_t head_dim) {
    static const size_t n_keys[QUERIES] = {1, 256, KEYS - 1, KEYS, 257, 17, 16, 255, KEYS};
    enum { PAGES = 2, STRIDE = PAGES * VB_ATTN_CHUNK };
    size_t page_bytes = VB_ATTN_CHUNK * head_dim * sizeof(uint16_t);
    uint16_t *keys[2][PAGES], *values[2][PAGES];
    float *q = take(t, QUERIES * HEAD_DIM_MAX * sizeof *q);
    float *kv = take(t, 2 * HEAD_DIM_MAX * sizeof *kv);
    float *scratch =
        take(t, vb_attention_scratch_floats(QUERIES, KEYS, head_dim) * sizeof *scratch);
    float *got = take(t, QUERIES * HEAD_DIM_MAX * sizeof *got);
    float *want = take(t, QUERIES * HEAD_DIM_MAX * sizeof *want);
    for (int side = 0; side < 2; side++) {
        for (int p = 0; p < PAGES; p++) {
            keys[side][p] = take(t, page_bytes);
            values[side][p] = take(t, page_bytes);
        }
    }
    if (t->out_of_memory) {
        return VB_ENOMEM;
    }
    for (int p = 0; p < PAGES; p++) { /* what lies beyond the last key may be anything */
        memset(keys[0][p], 0xff, page_bytes);
        memset(values[0][p], 0xff, page_bytes);
        memset(keys[1][p], 0xff, page_bytes);
        memset(values[1][p], 0xff, page_bytes);
    }
    for (size_t j = 0; j < KEYS; j++) {
        size_t p = j / VB_ATTN_CHUNK, slot = j % VB_ATTN_CHUNK;
        small_floats(t, kv, 2 * head_dim);
        kv[j % head_dim] = some_float(t) * 0x1p-26f;
        kv[head_dim + j % head_dim] = some_float(t) * 0x1p-12f;
        bool a = t->k->kv_store(kv, kv + head_dim, head_dim, keys[0][p], values[0][p], slot);
        bool b =
            vb_kernels_scalar.kv_store(kv, kv + head_dim, head_dim, keys[1][p], values[1][p], slot);
        if (a != b) {
            return differ(t, "kv_store", j);
        }
    }
    for (int p = 0; p < PAGES; p++) {
        if (memcmp(keys[0][p], keys[1][p], page_bytes) != 0 ||
            memcmp(values[0][p], values[1][p], page_bytes) != 0) {
            return differ(t, "kv_store", (size_t)p);
        }
    }
    small_floats(t, q, QUERIES * head_dim);
    const uint16_t *const k_pages[PAGES] = {keys[1][0], keys[1][1]};
    const uint16_t *const v_pages[PAGES] = {values[1][0], values[1][1]};
    t->k->attention(q, head_dim, QUERIES, n_keys, head_dim, k_pages, v_pages, 0x1.6a09e6p-3f,
                    scratch, got, head_dim);
    vb_kernels_scalar.attention(q, head_dim, QUERIES, n_keys, head_dim, k_pages, v_pages,
                                0x1.6a09e6p-3f, scratch, want, head_dim);
    return same(t, "attention", got, want, QUERIES * HEAD_DIM_MAX, sizeof *got);
}

static vb_err test_attention(test *t) {
    static const size_t head_dims[] = {64, HEAD_DIM_MAX, 5};
    vb_err err = VB_OK;
    for (size_t i = 0; i < sizeof head_dims / sizeof head_dims[0] && !err; i++) {
        err = test_head(t, head_dims[i]);
        give_all(t);
    }
    return err;
}

/* Keys that hardly count: the first takes all the weight and its value is zero, so that results
 * are sums of exponentials that are themselves subnormal, then too small for that. */
static vb_err test_faint_keys(test *t) {
    enum { DIM = 21, COUNT = 250 };
    const size_t page_bytes = VB_ATTN_CHUNK * DIM * sizeof(uint16_t);
    uint16_t *keys = take(t, page_bytes), *values = take(t, page_bytes);
    float *scratch = take(t, vb_attention_scratch_floats(2, COUNT, DIM) * sizeof *scratch);
    float key[DIM] = {0}, value[DIM] = {0}, q[2 * DIM] = {8.0f}, got[2 * DIM], want[2 * DIM];
    const size_t n_keys[2] = {COUNT, COUNT - 31};
    if (t->out_of_memory) {
        return VB_ENOMEM;
    }
    q[DIM] = 8.0f;
    for (size_t j = 0; j < COUNT; j++) {
        if (!vb_kernels_scalar.kv_store(key, value, DIM, keys, values, j)) {
            return differ(t, "kv_store", j);
        }
        key[0] = -86.0f - (float)j * 0.0735f; /* the score, once scaled: to -104 */
        small_floats(t, value, DIM);
    }
    const uint16_t *const k_pages[1] = {keys}, *const v_pages[1] = {values};
    t->k->attention(q, DIM, 2, n_keys, DIM, k_pages, v_pages, 0.125f, scratch, got, DIM);
    vb_kernels_scalar.attention(q, DIM, 2, n_keys, DIM, k_pages, v_pages, 0.125f, scratch, want,
                                DIM);
    return same(t, "attention", got, want, sizeof got / sizeof *got, sizeof *got);
}

/* The largest value that rounds to a finite binary16 and the least that does not, of either sign,
 * as a key or as a value, in whole lanes and in the tail. */
static vb_err test_overflow(test *t) {
    enum { DIM = 39 };
    static const size_t places[] = {0, 17, DIM - 1};
    static const uint32_t bits[] = {0x477fefffu, 0xc77fefffu, 0x477ff000u, 0xc77ff000u,
                                    0x7f800000u, 0xff800000u, 0x7fc00000u};
    uint16_t keys[3 * 16 * DIM], values[3 * DIM];
    for (size_t i = 0; i < sizeof bits / sizeof bits[0]; i++) {
        for (size_t j = 0; j < 2 * sizeof places / sizeof places[0]; j++) {
            float k[DIM] = {1.0f}, v[DIM] = {-2.0f};
            (j % 2 ? k : v)[places[j / 2]] = vb_f32_from_bits(bits[i]);
            if (t->k->kv_store(k, v, DIM, keys, values, 2) != (i < 2)) {
                return differ(t, "kv_store", places[j / 2]);
            }
        }
    }
    return VB_OK;
}

vb_err vb_kernels_selftest(const vb_kernels *k, vb_error *e) {
    static vb_err (*const tests[])(test *) = {test_quantize,    test_rows,     test_zero_tie,
                                              test_exp_weights, test_rope,     test_attention,
                                              test_faint_keys,  test_overflow, test_formats};
    if (!vb_float_env_ok()) {
        return vb_fail(e, VB_EMISMATCH,
                       "self-test: this thread's floating-point mode is not round to nearest with "
                       "subnormals kept");
    }
    test t = {.k = k, .e = e, .random = 1};
    vb_err err = VB_OK;
    for (size_t i = 0; i < sizeof tests / sizeof tests[0] && !err; i++) {
        err = tests[i](&t);
        give_all(&t);
    }
    if (err == VB_ENOMEM) {
        return vb_fail(e, VB_ENOMEM, "self-test of tier %s: out of memory", k->name);
    }
    return err;
}
