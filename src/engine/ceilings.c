#include "engine/ceilings.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/system.h"

enum { PASSES = 5, PIECE_BYTES = 256 << 10 };
static const size_t BUFFER_BYTES = (size_t)384 << 20;

/* A sum the compiler can neither skip nor reorder into fewer reads; eight chains keep it busy. */
static uint64_t read_all(const uint64_t *p, size_t n) {
    uint64_t s[8] = {0};
    for (size_t i = 0; i + 8 <= n; i += 8) {
        for (size_t j = 0; j < 8; j++) {
            s[j] += p[i + j];
        }
    }
    return s[0] + s[1] + s[2] + s[3] + s[4] + s[5] + s[6] + s[7];
}

double vb_measure_read_bandwidth(int n_threads) {
    uint64_t *p = vb_memory_check(BUFFER_BYTES, "the measurement of bandwidth", NULL) == VB_OK
                      ? vb_alloc_aligned(BUFFER_BYTES)
                      : NULL;
    if (!p) {
        return 0;
    }
    const size_t n = BUFFER_BYTES / sizeof *p, each = n / (size_t)n_threads;
#pragma omp parallel for schedule(static, 1) num_threads(n_threads)
    for (int i = 0; i < n_threads; i++) {
        memset(p + (size_t)i * each, i + 1, each * sizeof *p);
    }
    double best = 0;
    volatile uint64_t sink = 0;
    for (int pass = 0; pass < PASSES; pass++) {
        const uint64_t start = vb_clock_ns();
#pragma omp parallel for schedule(static, 1) num_threads(n_threads)
        for (int i = 0; i < n_threads; i++) {
            uint64_t sum = read_all(p + (size_t)i * each, each);
#pragma omp atomic
            sink += sum;
        }
        const double rate =
            (double)(each * (size_t)n_threads * sizeof *p) * 1e9 / (double)(vb_clock_ns() - start);
        best = rate > best ? rate : best;
    }
    (void)sink; /* without OpenMP a compiler sees that nobody reads it */
    vb_free_aligned(p, BUFFER_BYTES);
    return best;
}

typedef struct reading {
    const vb_gguf *g;
    atomic_size_t next; /* piece to be taken; they are numbered through all tensors */
    atomic_bool failed;
    vb_err err;
    vb_error e;
} reading;

static vb_err read_piece(const reading *r, const vb_gguf_tensor *t, size_t piece, uint8_t *buffer,
                         vb_error *e) {
    const size_t at = piece * PIECE_BYTES, left = t->n_bytes - at;
    return vb_gguf_read_tensor(r->g, t, at, left < PIECE_BYTES ? left : PIECE_BYTES, buffer, e);
}

static void read_pieces(reading *r) {
    uint8_t *buffer = malloc(PIECE_BYTES);
    vb_error e = {VB_OK, ""};
    vb_err err = buffer ? VB_OK : vb_fail(&e, VB_ENOMEM, "no memory to read a model file");
    size_t first = 0, mine = atomic_fetch_add(&r->next, 1);
    for (size_t i = 0; i < vb_gguf_tensor_count(r->g) && !err && !atomic_load(&r->failed); i++) {
        const vb_gguf_tensor *t = vb_gguf_tensor_at(r->g, i);
        const size_t n = t->n_bytes / PIECE_BYTES + (t->n_bytes % PIECE_BYTES != 0);
        for (; mine < first + n && !err; mine = atomic_fetch_add(&r->next, 1)) {
            err = read_piece(r, t, mine - first, buffer, &e);
        }
        first += n;
    }
    free(buffer);
    if (err && !atomic_exchange(&r->failed, true)) {
        r->err = err;
        r->e = e;
    }
}

vb_err vb_measure_file_reading(const vb_gguf *g, int n_threads, uint64_t *ns, vb_error *e) {
    reading r = {.g = g};
    const uint64_t start = vb_clock_ns();
#pragma omp parallel for schedule(static, 1) num_threads(n_threads)
    for (int i = 0; i < n_threads; i++) {
        read_pieces(&r);
    }
    *ns = vb_clock_ns() - start;
    if (r.err && e) {
        *e = r.e;
    }
    return r.err;
}
