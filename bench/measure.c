#include "measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/system.h"

enum {
    READ_BYTES = 256 << 20, /* far more than the caches */
    PEAK_REPEATS = 10,
    PEAK_CALLS = 16 /* of a peak's unit of work in one repetition: some 10 ms */
};

const vb_wtype bench_types[BENCH_TYPES] = {VB_F32,  VB_F16,  VB_BF16, VB_Q8_0, VB_Q4_0, VB_Q4_1,
                                           VB_Q5_0, VB_Q5_1, VB_Q4_K, VB_Q5_K, VB_Q6_K};

double seconds(int threads) {
    struct timespec t;
    clock_gettime(threads > 1 ? CLOCK_MONOTONIC : CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void *take(size_t bytes) {
    void *p = aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
    if (!p) {
        fprintf(stderr, "bench_kernels: out of memory\n");
        exit(1);
    }
    memset(p, 0, bytes);
    return p;
}

uint64_t next(bench *b) {
    uint64_t z = (b->random += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

float *some_floats(bench *b, size_t n) {
    float *x = take(n * sizeof *x);
    for (size_t i = 0; i < n; i++) {
        x[i] = (float)(int32_t)(next(b) >> 32) * 0x1p-31f;
    }
    return x;
}

uint8_t *some_file_rows(bench *b, vb_wtype type, size_t n_rows, size_t cols) {
    const vb_wtype_info *info = vb_wtype_get(type);
    const size_t n = n_rows * (cols / info->block_values * info->block_bytes);
    uint8_t *file = take(n);
    for (size_t i = 0; i < n; i++) {
        uint64_t r = next(b);
        /* Floats of ordinary size, whatever the format: subnormals take longer. */
        file[i] = (uint8_t)(info->is_float && i % 2 ? (r & 0x80) | 0x3c : r);
    }
    for (size_t i = 0; i < n && !info->is_float; i += info->block_bytes) {
        const size_t at = type == VB_Q6_K ? 208 : 0;
        file[i + at + 1] = 0x1c;
        if (type == VB_Q4_1 || type == VB_Q5_1 || type == VB_Q4_K || type == VB_Q5_K) {
            file[i + 3] = 0x1c;
        }
    }
    return file;
}

bool wanted(const bench *b, const char *name) {
    return !b->only || strstr(name, b->only);
}

void print(bench *b, const char *name, double per_s, const char *unit, double ceiling,
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

static void keep_best(double *best, double rate) {
    *best = rate > *best ? rate : *best;
}

static void measure_reading(bench *b) {
    uint8_t *p = vb_alloc_aligned(READ_BYTES); /* as weights are: in huge pages */
    if (!p) {
        fprintf(stderr, "bench_kernels: out of memory\n");
        exit(1);
    }
    memset(p, 1, READ_BYTES);
    for (int i = 0; i < PEAK_REPEATS; i++) {
        uint64_t sum = 0;
        const double start = seconds(b->threads);
        const size_t part = READ_BYTES / (size_t)b->threads / 4096 * 4096;
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
        keep_best(&b->read_per_s, (double)part * b->threads / (seconds(b->threads) - start));
        b->sink = (double)sum;
    }
    vb_free_aligned(p, READ_BYTES);
}

/* All threads at once: what one core does alone, several need not do together. */
static void measure_int8(bench *b) {
    const double start = seconds(b->threads);
#ifdef _OPENMP
#pragma omp parallel for num_threads(b->threads) schedule(static)
#endif
    for (int t = 0; t < b->threads; t++) {
        for (int n = 0; n < PEAK_CALLS; n++) {
            volatile int64_t kept = b->peak->int8();
            (void)kept;
        }
    }
    const double took = seconds(b->threads) - start;
    keep_best(&b->int8_per_s, b->peak->int8_macs * PEAK_CALLS * b->threads / took);
}

static void measure_f32(bench *b) {
    const double start = seconds(b->threads);
#ifdef _OPENMP
#pragma omp parallel for num_threads(b->threads) schedule(static)
#endif
    for (int t = 0; t < b->threads; t++) {
        for (int n = 0; n < PEAK_CALLS; n++) {
            volatile float kept = b->peak->f32();
            (void)kept;
        }
    }
    const double took = seconds(b->threads) - start;
    keep_best(&b->f32_per_s, b->peak->f32_pairs * PEAK_CALLS * b->threads / took);
}

void measure_peaks(bench *b) {
    measure_reading(b);
    for (int i = 0; i < PEAK_REPEATS && b->peak; i++) {
        measure_int8(b);
        measure_f32(b);
    }
    print(b, "peak read", b->read_per_s, "B/s", 0, NULL);
    print(b, "peak int8", b->int8_per_s, "MAC/s", 0, NULL);
    print(b, "peak f32", b->f32_per_s, "MAC/s", 0, NULL);
}
