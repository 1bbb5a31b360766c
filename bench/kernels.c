/*
 * Each kernel as a share of what the machine can do, measured in the same run: products of one
 * token against the memory's read bandwidth, products of many tokens against the int8 (integer
 * weights) or f32 multiply-and-add (float weights, attention) peak. Absolute figures are of
 * this machine and moment; the shares are what to compare.
 *
 *   bench_kernels [--tier NAME] [--only PART] [--json] [--threads N]
 *
 * One-thread times are the thread's own processor time, so that other work on the machine
 * disturbs little; with more threads it is elapsed time.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#ifdef _OPENMP
#include <omp.h>
#endif

#include "kernels/kernels.h"
#include "peaks.h"

enum {
    REPEATS = 3,
    STREAM_BYTES = 96 << 20, /* weights of the one-token products: far more than the caches */
    READ_BYTES = 128 << 20,
    COLS = 4096,
    PREFILL_ROWS = 256,
    PREFILL_TOKENS = 128
};

typedef struct bench {
    const vb_kernels *k;
    const vb_peak *peak;
    const char *only;
    int threads;
    bool json;
    bool started;      /* a JSON record was printed */
    double read_per_s; /* bytes */
    double int8_per_s; /* multiply-accumulates */
    double f32_per_s;  /* multiply-and-add pairs */
    uint64_t random;
    volatile double sink; /* keeps results alive */
} bench;

static double seconds(int threads) {
    struct timespec t;
    clock_gettime(threads > 1 ? CLOCK_MONOTONIC : CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void *take(size_t bytes) {
    void *p = aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
    if (!p) {
        fprintf(stderr, "bench_kernels: out of memory\n");
        exit(1);
    }
    memset(p, 0, bytes);
    return p;
}

static uint64_t next(bench *b) {
    uint64_t z = (b->random += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static float *some_floats(bench *b, size_t n) {
    float *x = take(n * sizeof *x);
    for (size_t i = 0; i < n; i++) {
        x[i] = (float)(int32_t)(next(b) >> 32) * 0x1p-31f;
    }
    return x;
}

static bool wanted(const bench *b, const char *name) {
    return !b->only || strstr(name, b->only);
}

static void print(bench *b, const char *name, double per_s, const char *unit, double ceiling,
                  const char *of) {
    if (b->json) {
        printf("%s\n  {\"name\": \"%s\", \"tier\": \"%s\", \"threads\": %d, \"value\": %.4g, "
               "\"unit\": \"%s\"",
               b->started ? "," : "[", name, b->k->name, b->threads, per_s, unit);
        if (ceiling > 0) {
            printf(", \"share\": %.4f, \"of\": \"%s\"", per_s / ceiling, of);
        }
        printf("}");
        b->started = true;
    } else if (ceiling > 0) {
        printf("%-28s %9.2f G%-8s %5.1f %% of %s\n", name, per_s * 1e-9, unit,
               100 * per_s / ceiling, of);
    } else { /* a ceiling itself, or a tier whose ceiling is not measured */
        printf("%-28s %9.2f G%s\n", name, per_s * 1e-9, unit);
    }
}

/* ---- ceilings ---- */

static void measure_peaks(bench *b) {
    uint8_t *p = take(READ_BYTES);
    memset(p, 1, READ_BYTES);
    for (int i = 0; i < REPEATS; i++) {
        uint64_t sum = 0;
        double start = seconds(b->threads);
        size_t part = READ_BYTES / (size_t)b->threads / 4096 * 4096;
#ifdef _OPENMP
#pragma omp parallel for num_threads(b->threads) schedule(static)
#endif
        for (int t = 0; t < b->threads; t++) {
            uint64_t x = vb_peak_read(p + (size_t)t * part, part);
#ifdef _OPENMP
#pragma omp atomic
#endif
            sum ^= x;
        }
        double rate = (double)part * b->threads / (seconds(b->threads) - start);
        b->read_per_s = rate > b->read_per_s ? rate : b->read_per_s;
        b->sink = (double)sum;
    }
    free(p);
    for (int i = 0; i < REPEATS && b->peak; i++) {
        double start = seconds(1);
        b->sink = (double)b->peak->int8();
        double middle = seconds(1);
        b->sink = (double)b->peak->f32();
        double end = seconds(1);
        double int8 = b->peak->int8_macs / (middle - start) * b->threads;
        double f32 = b->peak->f32_pairs / (end - middle) * b->threads;
        b->int8_per_s = int8 > b->int8_per_s ? int8 : b->int8_per_s;
        b->f32_per_s = f32 > b->f32_per_s ? f32 : b->f32_per_s;
    }
    print(b, "peak read", b->read_per_s, "B/s", 0, NULL);
    print(b, "peak int8", b->int8_per_s, "MAC/s", 0, NULL);
    print(b, "peak f32", b->f32_per_s, "MAC/s", 0, NULL);
}

/* ---- products ---- */

static vb_act some_activations(bench *b, size_t tokens, size_t cols) {
    size_t blocks = cols / VB_BLOCK;
    float *x = some_floats(b, tokens * cols), *d = take(tokens * blocks * 4);
    float *du = take(tokens * blocks * 4);
    int8_t *q = take(tokens * cols);
    int32_t *u = take(tokens * blocks * 4), *u_lo = take(tokens * blocks * 4);
    for (size_t t = 0; t < tokens; t++) {
        size_t at = t * blocks;
        if (!b->k->quantize(x + t * cols, cols, q + t * cols, d + at, u + at, u_lo + at, du + at)) {
            abort();
        }
    }
    return (vb_act){tokens, cols, x, q, d, u, u_lo, du};
}

static void free_activations(vb_act *a) {
    /* The kernels' view of them is const; they were allocated above. */
    free((void *)(uintptr_t)a->x);
    free((void *)(uintptr_t)a->d);
    free((void *)(uintptr_t)a->du);
    free((void *)(uintptr_t)a->q);
    free((void *)(uintptr_t)a->u);
    free((void *)(uintptr_t)a->u_lo);
}

/* Weights of any format with quants at random and every scale small and finite. */
static vb_matrix some_weights(bench *b, vb_wtype type, size_t rows, size_t cols) {
    const vb_wtype_info *info = vb_wtype_get(type);
    size_t row_bytes = cols / info->block_values * info->block_bytes;
    uint8_t *file = take(VB_ROW_TILE * row_bytes);
    for (size_t i = 0; i < VB_ROW_TILE * row_bytes; i++) {
        uint64_t r = next(b);
        /* Floats of ordinary size, whatever the format: subnormals take longer. */
        file[i] = (uint8_t)(info->is_float && i % 2 ? (r & 0x80) | 0x3c : r);
    }
    for (size_t i = 0; i < VB_ROW_TILE * row_bytes && !info->is_float; i += info->block_bytes) {
        size_t at = type == VB_Q6_K ? 208 : 0;
        file[i + at + 1] = 0x1c;
        if (type == VB_Q4_1 || type == VB_Q5_1 || type == VB_Q4_K || type == VB_Q5_K) {
            file[i + 3] = 0x1c;
        }
    }
    vb_matrix m = {b->k, type, rows, cols, take(b->k->pack_bytes(type, rows, cols))};
    for (size_t r = 0; r < rows; r += VB_ROW_TILE) {
        b->k->pack(&m, file, r, r + VB_ROW_TILE);
    }
    free(file);
    return m;
}

static double time_matmul(bench *b, const vb_matrix *m, const vb_act *a, float *y) {
    double best = 1e9;
    for (int i = 0; i < REPEATS; i++) {
        double start = seconds(b->threads);
        size_t tiles = m->rows / VB_ROW_TILE;
#ifdef _OPENMP
#pragma omp parallel for num_threads(b->threads) schedule(static)
#endif
        for (int t = 0; t < b->threads; t++) {
            size_t from = tiles * (size_t)t / (size_t)b->threads * VB_ROW_TILE;
            size_t to = tiles * (size_t)(t + 1) / (size_t)b->threads * VB_ROW_TILE;
            b->k->matmul(m, from, to, a, y, m->rows);
        }
        double took = seconds(b->threads) - start;
        best = took < best ? took : best;
    }
    b->sink = (double)y[0];
    return best;
}

static void bench_format(bench *b, vb_wtype type) {
    static const size_t few[] = {1, 4, 8, 16};
    const vb_wtype_info *info = vb_wtype_get(type);
    char name[64];
    double row_bytes = (double)COLS / info->block_values * info->block_bytes;
    size_t rows = (size_t)(STREAM_BYTES / row_bytes) / 256 * 256;
    double ceiling = info->is_float ? b->f32_per_s : b->int8_per_s;
    const char *of = info->is_float ? "f32" : "int8";
    snprintf(name, sizeof name, "decode %s", info->name);
    if (wanted(b, name)) {
        vb_matrix m = some_weights(b, type, rows, COLS);
        float *y = take(few[3] * rows * sizeof *y);
        for (size_t i = 0; i < 4; i++) {
            vb_act a = some_activations(b, few[i], COLS);
            snprintf(name, sizeof name, "decode %s x%zu", info->name, few[i]);
            double took = time_matmul(b, &m, &a, y);
            print(b, name, (double)rows * row_bytes / took, "B/s", b->read_per_s, "read");
            free_activations(&a);
        }
        free(m.data);
        free(y);
    }
    snprintf(name, sizeof name, "prefill %s", info->name);
    if (wanted(b, name)) {
        vb_matrix m = some_weights(b, type, PREFILL_ROWS, COLS);
        vb_act a = some_activations(b, PREFILL_TOKENS, COLS);
        float *y = take((size_t)PREFILL_TOKENS * PREFILL_ROWS * sizeof *y);
        double took = time_matmul(b, &m, &a, y);
        print(b, name, (double)PREFILL_ROWS * COLS * PREFILL_TOKENS / took, "MAC/s", ceiling, of);
        free_activations(&a);
        free(m.data);
        free(y);
    }
}

/* ---- attention and rows: one thread ---- */

static void bench_attention(bench *b, size_t n_q) {
    enum { DIM = 128, KEYS = 4096, PAGES = KEYS / VB_ATTN_CHUNK };
    char name[64];
    snprintf(name, sizeof name, "attention x%zu", n_q);
    if (!wanted(b, name)) {
        return;
    }
    const uint16_t *keys[PAGES], *values[PAGES];
    uint16_t *page[2 * PAGES];
    for (size_t p = 0; p < 2 * PAGES; p++) {
        page[p] = take(VB_ATTN_CHUNK * DIM * sizeof **page);
        for (size_t i = 0; i < VB_ATTN_CHUNK * DIM; i++) {
            page[p][i] = (uint16_t)(next(b) & 0xbbffu);
        }
        *(p < PAGES ? &keys[p] : &values[p - PAGES]) = page[p];
    }
    size_t n_keys[64];
    for (size_t i = 0; i < n_q; i++) {
        n_keys[i] = KEYS - (n_q - 1 - i);
    }
    float *q = some_floats(b, n_q * DIM), *out = take(n_q * DIM * sizeof *out);
    float *scratch = take(n_q * KEYS * sizeof *scratch);
    double best = 1e9;
    for (int i = 0; i < REPEATS; i++) {
        double start = seconds(1);
        b->k->attention(q, DIM, n_q, n_keys, DIM, keys, values, 0.088f, scratch, out, DIM);
        double took = seconds(1) - start;
        best = took < best ? took : best;
    }
    double one_thread = b->f32_per_s / b->threads;
    print(b, name, 2.0 * DIM * KEYS * (double)n_q / best, "MAC/s", one_thread, "f32, one thread");
    for (size_t p = 0; p < 2 * PAGES; p++) {
        free(page[p]);
    }
    free(q);
    free(out);
    free(scratch);
}

typedef enum row_kernel {
    QUANTIZE,
    RMSNORM,
    SILU_MUL,
    ADD,
    ARGMAX,
    EXP_WEIGHTS,
    ROW_KERNELS
} row_kernel;

/* Vectors as a model has them, in the first-level cache. */
static void run_row(bench *b, row_kernel which, float *x, float *w, float *y, uint64_t *weights,
                    size_t n) {
    static int8_t q[COLS];
    static float d[COLS / VB_BLOCK], du[COLS / VB_BLOCK];
    static int32_t u[COLS / VB_BLOCK], u_lo[COLS / VB_BLOCK];
    switch (which) {
    case QUANTIZE: b->sink = b->k->quantize(x, n, q, d, u, u_lo, du); break;
    case RMSNORM: b->k->rmsnorm(x, w, n, 1e-5f, y); break;
    case SILU_MUL: b->k->silu_mul(x, w, n, y); break;
    case ADD: b->k->add(y, x, n); break;
    case ARGMAX: b->sink = (double)b->k->argmax(x, n); break;
    default: b->k->exp_weights(x, n, 1.0f, 0.7f, weights); break;
    }
}

static void bench_rows(bench *b) {
    static const char *const names[] = {"quantize", "rmsnorm", "silu_mul",
                                        "add",      "argmax",  "exp_weights"};
    enum { TIMES = 200 };
    float *x = some_floats(b, COLS), *w = some_floats(b, COLS), *y = take(COLS * sizeof *y);
    uint64_t *weights = take(COLS * sizeof *weights);
    for (int which = 0; which < ROW_KERNELS; which++) {
        double best = 1e9;
        for (int i = 0; i < REPEATS && wanted(b, names[which]); i++) {
            double start = seconds(1);
            for (int n = 0; n < TIMES; n++) {
                run_row(b, (row_kernel)which, x, w, y, weights, COLS);
            }
            double took = seconds(1) - start;
            best = took < best ? took : best;
        }
        if (wanted(b, names[which])) {
            print(b, names[which], (double)COLS * TIMES / best, "elem/s", b->f32_per_s / b->threads,
                  "f32, one thread");
        }
    }
    free(x);
    free(w);
    free(y);
    free(weights);
}

static bool parse(int argc, char **argv, bench *b, const char **tier) {
    for (int i = 1; i < argc; i++) {
        bool more = i + 1 < argc;
        if (strcmp(argv[i], "--json") == 0) {
            b->json = true;
        } else if (strcmp(argv[i], "--tier") == 0 && more) {
            *tier = argv[++i];
        } else if (strcmp(argv[i], "--only") == 0 && more) {
            b->only = argv[++i];
        } else if (strcmp(argv[i], "--threads") == 0 && more) {
            b->threads = (int)strtol(argv[++i], NULL, 10);
        } else {
            return false;
        }
    }
    return b->threads >= 1 && b->threads <= 256;
}

int main(int argc, char **argv) {
    static const vb_wtype types[] = {VB_F32,  VB_F16,  VB_BF16, VB_Q8_0, VB_Q4_0, VB_Q4_1,
                                     VB_Q5_0, VB_Q5_1, VB_Q4_K, VB_Q5_K, VB_Q6_K};
    bench b = {.threads = 1, .random = 1};
    const char *tier = NULL;
    vb_error e;
    if (!parse(argc, argv, &b, &tier)) {
        fprintf(stderr,
                "usage: bench_kernels [--tier NAME] [--only PART] [--json] [--threads N]\n");
        return 2;
    }
#ifndef _OPENMP
    b.threads = 1;
#endif
    if (vb_kernels_select(tier, &b.k, &e) != VB_OK) {
        fprintf(stderr, "bench_kernels: %s\n", e.msg);
        return 1;
    }
    b.peak = vb_peak_of(b.k->name);
    measure_peaks(&b);
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        bench_format(&b, types[i]);
    }
    bench_attention(&b, 1);
    bench_attention(&b, 8);
    bench_attention(&b, 32);
    bench_rows(&b);
    if (b.json) {
        printf("\n]\n");
    }
    return 0;
}
