/*
 * What the parts of bench_kernels share: the run with its ceilings, memory and random numbers, and
 * how a figure is printed. A part is a function that measures kernels of one kind; the tables of
 * parts say which member of vb_kernels each measures (bench_kernels --list).
 */
#ifndef VB_BENCH_MEASURE_H
#define VB_BENCH_MEASURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/kernels.h"
#include "peaks.h"

enum { REPEATS = 3, COLS = 4096, BENCH_TYPES = 11 };

/* The weight formats that are computed with. */
extern const vb_wtype bench_types[BENCH_TYPES];

typedef struct bench {
    const vb_kernels *k;
    const vb_peak *peak; /* NULL: the tier has no ceilings of arithmetic */
    const char *only;    /* part of the names that are wanted; NULL: all */
    int threads;
    bool json;
    bool started;      /* a JSON record was printed */
    double read_per_s; /* bytes; this and the next two by all threads together */
    double int8_per_s; /* multiply-accumulates */
    double f32_per_s;  /* multiply-and-add pairs */
    uint64_t random;
    volatile double sink; /* keeps results alive */
} bench;

typedef struct bench_part {
    const char *member; /* of vb_kernels */
    const char *name;   /* its figures' names begin with this */
    void (*run)(bench *b, const char *name);
} bench_part;

/* The parts of bench/rows.c, up to one whose name is NULL. */
extern const bench_part bench_row_parts[];

/* One thread: its own processor time, so that other work on the machine disturbs little; more:
 * elapsed time. */
double seconds(int threads);

/* Zeroed memory, page-aligned, freed with free(); there is always some, or the program ends. */
void *take(size_t bytes);
uint64_t next(bench *b);
float *some_floats(bench *b, size_t n); /* in [-1, 1) */

/* Quants at random, every scale small and finite: n_rows rows as a file has them. take(). */
uint8_t *some_file_rows(bench *b, vb_wtype type, size_t n_rows, size_t cols);

bool wanted(const bench *b, const char *name);

/* One figure, as a share of a ceiling when that was measured (> 0). */
void print(bench *b, const char *name, double per_s, const char *unit, double ceiling,
           const char *of);

/* Measures the three ceilings and prints them. */
void measure_peaks(bench *b);

#endif
