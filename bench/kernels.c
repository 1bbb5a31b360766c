/*
 * Each kernel as a share of what the machine can do, measured in the same run: products of one
 * token against the memory's read bandwidth, products of many tokens against the int8 (integer
 * weights) or f32 multiply-and-add (float weights, attention) peak. Absolute figures are of
 * this machine and moment; the shares are what to compare.
 *
 *   bench_kernels [--tier NAME] [--only PART] [--json] [--threads N]
 *   bench_kernels --list       members of vb_kernels, and the figures that measure each
 *
 * One-thread times are the thread's own processor time, so that other work on the machine
 * disturbs little; with more threads it is elapsed time.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/system.h"
#include "measure.h"

enum {
    STREAM_BYTES = 96 << 20, /* weights of the one-token products: far more than the caches */
    PREFILL_ROWS = 256,
    PREFILL_TOKENS = 128
};

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

/* The same tile of rows over and over, in huge pages as a model's weights are. */
static vb_matrix some_weights(bench *b, vb_wtype type, size_t rows, size_t cols) {
    uint8_t *file = some_file_rows(b, type, VB_ROW_TILE, cols);
    vb_matrix m = {b->k, type, rows, cols, vb_alloc_aligned(b->k->pack_bytes(type, rows, cols))};
    if (!m.data) {
        fprintf(stderr, "bench_kernels: out of memory\n");
        exit(1);
    }
    for (size_t r = 0; r < rows; r += VB_ROW_TILE) {
        b->k->pack(&m, file, r, r + VB_ROW_TILE);
    }
    free(file);
    return m;
}

static void free_weights(vb_matrix *m) {
    vb_free_aligned(m->data, m->k->pack_bytes(m->type, m->rows, m->cols));
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
        free_weights(&m);
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
        free_weights(&m);
        free(y);
    }
}

/* Every format, by the name of the part: "decode" and "prefill" both start here. */
static void bench_products(bench *b, const char *name) {
    (void)name;
    for (size_t i = 0; i < BENCH_TYPES; i++) {
        bench_format(b, bench_types[i]);
    }
}

static const bench_part product_parts[] = {{"matmul", "decode, prefill", bench_products},
                                           {NULL, NULL, NULL}};

/* ---- the program ---- */

static void run_parts(bench *b, const bench_part *parts) {
    for (; parts->name; parts++) {
        parts->run(b, parts->name);
    }
}

/* Members of vb_kernels and the parts that measure them: no member may be without. */
static void list_parts(const bench_part *parts) {
    for (; parts->name; parts++) {
        printf("%s: %s\n", parts->member, parts->name);
    }
}

static bool parse(int argc, char **argv, bench *b, const char **tier, bool *list) {
    for (int i = 1; i < argc; i++) {
        bool more = i + 1 < argc;
        if (strcmp(argv[i], "--json") == 0) {
            b->json = true;
        } else if (strcmp(argv[i], "--list") == 0) {
            *list = true;
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
    bench b = {.threads = 1, .random = 1};
    const char *tier = NULL;
    bool list = false;
    vb_error e;
    if (!parse(argc, argv, &b, &tier, &list)) {
        fprintf(stderr, "usage: bench_kernels [--tier NAME] [--only PART] [--json] [--threads N]\n"
                        "       bench_kernels --list\n");
        return 2;
    }
    if (list) {
        list_parts(product_parts);
        list_parts(bench_row_parts);
        return 0;
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
    run_parts(&b, product_parts);
    run_parts(&b, bench_row_parts);
    if (b.json) {
        printf("\n]\n");
    }
    return 0;
}
