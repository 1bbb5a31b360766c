/*
 * Every kernel but the products: packing and unpacking of weights, what is done to rows of
 * activations, attention, sampling. One thread. What moves weights is compared with reading
 * memory, all else, which works in the caches, with the f32 peak: of the operations that
 * spec/arithmetic.md writes for one element, the multiplications (divisions among them) or the
 * additions (comparisons, roundings, conversions among them), whichever are more, count as pairs.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/system.h"
#include "measure.h"

enum {
    VOCAB = 152064, /* Qwen2.5-7B */
    HEADS = 28,
    HEAD_DIM = 128,
    PACK_BYTES = 64 << 20, /* of file: far more than the caches */
    ELEMENTS = 1 << 20     /* of one timing, at least */
};

/* Prints how many elements a second were done, of as many as the f32 peak allows. */
static void print_elements(bench *b, const char *name, double n, double took, double pairs) {
    print(b, name, n / took, "elem/s", b->f32_per_s / b->threads / pairs, "f32, one thread");
}

/* ---- weights ---- */

/* A matrix of PACK_BYTES in the file, whose rows are a tile of random ones over and over. */
static void bench_pack_type(bench *b, const char *name, vb_wtype type) {
    const vb_wtype_info *info = vb_wtype_get(type);
    const size_t row_bytes = COLS / info->block_values * info->block_bytes;
    const size_t rows = PACK_BYTES / row_bytes / VB_ROW_TILE * VB_ROW_TILE;
    const size_t packed = b->k->pack_bytes(type, rows, COLS);
    uint8_t *file = some_file_rows(b, type, VB_ROW_TILE, COLS);
    vb_matrix m = {b->k, type, rows, COLS, vb_alloc_aligned(packed)};
    double best = HUGE_VAL;
    if (!m.data) {
        fprintf(stderr, "bench_kernels: out of memory\n");
        exit(1);
    }
    memset(m.data, 0, packed); /* fresh pages are the system's time */
    for (int i = 0; i < REPEATS; i++) {
        const double start = seconds(1);
        for (size_t r = 0; r < rows; r += VB_ROW_TILE) {
            b->k->pack(&m, file, r, r + VB_ROW_TILE);
        }
        best = fmin(best, seconds(1) - start);
    }
    print(b, name, (double)(rows * row_bytes) / best, "B/s", b->threads == 1 ? b->read_per_s : 0,
          "read");
    vb_free_aligned(m.data, packed);
    free(file);
}

static void bench_pack(bench *b, const char *part) {
    char name[64];
    for (size_t i = 0; i < BENCH_TYPES; i++) {
        snprintf(name, sizeof name, "%s %s", part, vb_wtype_get(bench_types[i])->name);
        if (wanted(b, name)) {
            bench_pack_type(b, name, bench_types[i]);
        }
    }
}

static void bench_unpack_row_type(bench *b, const char *name, vb_wtype type) {
    enum { TIMES = ELEMENTS / COLS / VB_ROW_TILE };
    static float out[COLS];
    uint8_t *file = some_file_rows(b, type, VB_ROW_TILE, COLS);
    const size_t packed = b->k->pack_bytes(type, VB_ROW_TILE, COLS);
    vb_matrix m = {b->k, type, VB_ROW_TILE, COLS, take(packed)};
    double best = HUGE_VAL;
    b->k->pack(&m, file, 0, VB_ROW_TILE);
    for (int i = 0; i < REPEATS; i++) {
        const double start = seconds(1);
        for (size_t n = 0; n < TIMES * VB_ROW_TILE; n++) {
            b->k->unpack_row(&m, n % VB_ROW_TILE, out);
        }
        best = fmin(best, seconds(1) - start);
    }
    b->sink = (double)out[0];
    print_elements(b, name, (double)TIMES * VB_ROW_TILE * COLS, best, 1);
    free(m.data);
    free(file);
}

static void bench_unpack_row(bench *b, const char *part) {
    char name[64];
    for (size_t i = 0; i < BENCH_TYPES; i++) {
        snprintf(name, sizeof name, "%s %s", part, vb_wtype_get(bench_types[i])->name);
        if (wanted(b, name)) {
            bench_unpack_row_type(b, name, bench_types[i]);
        }
    }
}

/* ---- rows of activations ---- */

/* What one call of a kernel on vectors works on. */
typedef struct vectors {
    size_t n;
    float *x, *w, *y;
    float cos[HEAD_DIM / 2], sin[HEAD_DIM / 2];
    int8_t *q;
    float *d, *du;
    int32_t *u, *u_lo;
    uint64_t *weights;
    uint16_t *keys, *values;
} vectors;

static vectors open_vectors(bench *b, size_t n) {
    return (vectors){.n = n,
                     .x = some_floats(b, n),
                     .w = some_floats(b, n),
                     .y = take(n * sizeof(float)),
                     .q = take(n),
                     .d = take(n / VB_BLOCK * sizeof(float)),
                     .du = take(n / VB_BLOCK * sizeof(float)),
                     .u = take(n / VB_BLOCK * sizeof(int32_t)),
                     .u_lo = take(n / VB_BLOCK * sizeof(int32_t)),
                     .weights = take(n * sizeof(uint64_t)),
                     .keys = take(VB_ATTN_CHUNK * HEAD_DIM * sizeof(uint16_t)),
                     .values = take(VB_ATTN_CHUNK * HEAD_DIM * sizeof(uint16_t))};
}

static void close_vectors(vectors *v) {
    free(v->x);
    free(v->w);
    free(v->y);
    free(v->q);
    free(v->d);
    free(v->du);
    free(v->u);
    free(v->u_lo);
    free(v->weights);
    free(v->keys);
    free(v->values);
}

typedef void call_fn(bench *b, vectors *v);

static void call_quantize(bench *b, vectors *v) {
    b->sink = b->k->quantize(v->x, v->n, v->q, v->d, v->u, v->u_lo, v->du);
}
static void call_all_finite(bench *b, vectors *v) {
    b->sink = b->k->all_finite(v->x, v->n);
}
static void call_rmsnorm(bench *b, vectors *v) {
    b->k->rmsnorm(v->x, v->w, v->n, 1e-5f, v->y);
}
static void call_add(bench *b, vectors *v) {
    b->k->add(v->y, v->x, v->n);
}
static void call_silu_mul(bench *b, vectors *v) {
    b->k->silu_mul(v->x, v->w, v->n, v->y);
}
static void call_rope_norm(bench *b, vectors *v) {
    b->k->rope(v->x, HEADS, HEAD_DIM, HEAD_DIM, VB_ROPE_NORM, v->cos, v->sin);
}
static void call_rope_neox(bench *b, vectors *v) {
    b->k->rope(v->x, HEADS, HEAD_DIM, HEAD_DIM, VB_ROPE_NEOX, v->cos, v->sin);
}
/* A page filled from its first slot to its last. */
static void call_kv_store(bench *b, vectors *v) {
    for (size_t slot = 0; slot < VB_ATTN_CHUNK; slot++) {
        b->sink = b->k->kv_store(v->x, v->w, HEAD_DIM, v->keys, v->values, slot);
    }
}
static void call_argmax(bench *b, vectors *v) {
    b->sink = (double)b->k->argmax(v->x, v->n);
}
static void call_exp_weights(bench *b, vectors *v) {
    b->k->exp_weights(v->x, v->n, 1.0f, 0.7f, v->weights);
}

/* n: elements of one call, and of the vectors but for kv_store's. Pairs as the file's head says:
 * exp is 12 of each. */
static void bench_call(bench *b, const char *name, call_fn *call, size_t n, double pairs) {
    if (!wanted(b, name)) {
        return;
    }
    const size_t times = ELEMENTS / n + 1;
    vectors v = open_vectors(b, n);
    double best = HUGE_VAL;
    for (size_t i = 0; i < HEAD_DIM / 2; i++) { /* turned over and over, nothing grows or fades */
        v.cos[i] = 0.6f;
        v.sin[i] = 0.8f;
    }
    for (int i = 0; i < REPEATS; i++) {
        const double start = seconds(1);
        for (size_t t = 0; t < times; t++) {
            call(b, &v);
        }
        best = fmin(best, seconds(1) - start);
    }
    b->sink += (double)v.y[0] + (double)v.weights[0];
    print_elements(b, name, (double)(n * times), best, pairs);
    close_vectors(&v);
}

static void bench_quantize(bench *b, const char *name) {
    bench_call(b, name, call_quantize, COLS, 2);
}
static void bench_all_finite(bench *b, const char *name) {
    bench_call(b, name, call_all_finite, COLS, 1);
}
static void bench_rmsnorm(bench *b, const char *name) {
    bench_call(b, name, call_rmsnorm, COLS, 3);
}
static void bench_add(bench *b, const char *name) {
    bench_call(b, name, call_add, COLS, 1);
}
static void bench_silu_mul(bench *b, const char *name) {
    bench_call(b, name, call_silu_mul, COLS, 14);
}
static void bench_rope(bench *b, const char *name) {
    char style[64];
    snprintf(style, sizeof style, "%s norm", name);
    bench_call(b, style, call_rope_norm, HEADS * HEAD_DIM, 2);
    snprintf(style, sizeof style, "%s neox", name);
    bench_call(b, style, call_rope_neox, HEADS * HEAD_DIM, 2);
}
static void bench_kv_store(bench *b, const char *name) {
    bench_call(b, name, call_kv_store, 2 * HEAD_DIM * VB_ATTN_CHUNK, 1);
}
static void bench_argmax(bench *b, const char *name) {
    bench_call(b, name, call_argmax, VOCAB, 1);
}
static void bench_exp_weights(bench *b, const char *name) {
    bench_call(b, name, call_exp_weights, VOCAB, 14);
}

/* ---- attention ---- */

static void bench_queries(bench *b, const char *part, size_t n_q) {
    enum { KEYS = 4096, PAGES = KEYS / VB_ATTN_CHUNK };
    char name[64];
    snprintf(name, sizeof name, "%s x%zu", part, n_q);
    if (!wanted(b, name)) {
        return;
    }
    const uint16_t *keys[PAGES], *values[PAGES];
    uint16_t *page[2 * PAGES];
    for (size_t p = 0; p < 2 * PAGES; p++) {
        page[p] = take(VB_ATTN_CHUNK * HEAD_DIM * sizeof **page);
        for (size_t i = 0; i < VB_ATTN_CHUNK * HEAD_DIM; i++) {
            page[p][i] = (uint16_t)(next(b) & 0xbbffu);
        }
        *(p < PAGES ? &keys[p] : &values[p - PAGES]) = page[p];
    }
    size_t n_keys[64];
    for (size_t i = 0; i < n_q; i++) {
        n_keys[i] = KEYS - (n_q - 1 - i);
    }
    float *q = some_floats(b, n_q * HEAD_DIM), *out = take(n_q * HEAD_DIM * sizeof *out);
    float *scratch = take(vb_attention_scratch_floats(n_q, KEYS, HEAD_DIM) * sizeof *scratch);
    double best = HUGE_VAL;
    for (int i = 0; i < REPEATS; i++) {
        const double start = seconds(1);
        b->k->attention(q, HEAD_DIM, n_q, n_keys, HEAD_DIM, keys, values, 0.088f, scratch, out,
                        HEAD_DIM);
        best = fmin(best, seconds(1) - start);
    }
    print(b, name, 2.0 * HEAD_DIM * KEYS * (double)n_q / best, "MAC/s", b->f32_per_s / b->threads,
          "f32, one thread");
    for (size_t p = 0; p < 2 * PAGES; p++) {
        free(page[p]);
    }
    free(q);
    free(out);
    free(scratch);
}

static void bench_attention(bench *b, const char *name) {
    bench_queries(b, name, 1);
    bench_queries(b, name, 8);
    bench_queries(b, name, 32);
}

const bench_part bench_row_parts[] = {
    {"pack", "pack", bench_pack},
    {"unpack_row", "unpack_row", bench_unpack_row},
    {"quantize", "quantize", bench_quantize},
    {"all_finite", "all_finite", bench_all_finite},
    {"rmsnorm", "rmsnorm", bench_rmsnorm},
    {"add", "add", bench_add},
    {"silu_mul", "silu_mul", bench_silu_mul},
    {"rope", "rope", bench_rope},
    {"kv_store", "kv_store", bench_kv_store},
    {"attention", "attention", bench_attention},
    {"argmax", "argmax", bench_argmax},
    {"exp_weights", "exp_weights", bench_exp_weights},
    {NULL, NULL, NULL},
};
