/*
 * The bytes of a model's tensors from its files into memory. Every thread takes the next part of
 * the files, reads a piece of it into a buffer that its second-level cache holds, checks that the
 * scales are finite and packs the piece: while one thread waits for the disk, another packs, and
 * between the system's cache and the packed weights no byte is written to memory twice.
 */
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "arith/bits.h"
#include "arith/check.h"
#include "base/bytes.h"
#include "model/load.h"

enum {
    PART_BYTES =
        2 << 20, /* of a file, for one thread: fresh memory comes in pages of this size,
                    and two threads that touch one for the first time would both clear it */
    PIECE_BYTES = 256 << 10
};

/* Rows of a matrix, or a whole vector. */
typedef struct part {
    const vb_load_tensor *tensor;
    size_t row_begin, row_end;
} part;

typedef struct loading {
    const vb_gguf *g;
    const vb_model_options *options;
    part *parts;
    size_t n_parts;
    uint8_t *buffers; /* [n_threads][buffer_bytes] */
    size_t buffer_bytes;
    uint64_t total_bytes;
    atomic_size_t next; /* part to be taken */
    atomic_uint_least64_t done_bytes;
    atomic_size_t failed; /* the first part that failed; parts behind it are left out */
    vb_err err;
    vb_error e; /* of that part */
} loading;

static size_t row_bytes(const vb_gguf_tensor *t) {
    const vb_wtype_info *info = vb_wtype_get(t->type);
    return (size_t)t->dims[0] / info->block_values * info->block_bytes;
}

/* Whole tiles of rows that fit n_bytes; one at least. */
static size_t rows_in(const vb_gguf_tensor *t, size_t n_bytes) {
    const size_t tiles = n_bytes / (row_bytes(t) * VB_ROW_TILE);
    return (tiles ? tiles : 1) * VB_ROW_TILE;
}

/* Room for a piece of every matrix and for every vector. */
static size_t buffer_bytes(const vb_load_tensor *tensors, size_t n) {
    size_t most = PIECE_BYTES;
    for (size_t i = 0; i < n; i++) {
        const size_t need = row_bytes(tensors[i].t) * (tensors[i].weight ? VB_ROW_TILE : 1);
        most = need > most ? need : most;
    }
    return most;
}

static size_t parts_of(const vb_load_tensor *x) {
    const size_t each = x->weight ? rows_in(x->t, PART_BYTES) : 1, rows = (size_t)x->t->dims[1];
    return rows / each + (rows % each != 0);
}

static size_t count_parts(const vb_load_tensor *tensors, size_t n) {
    size_t parts = 0;
    for (size_t i = 0; i < n; i++) {
        parts += parts_of(&tensors[i]);
    }
    return parts;
}

size_t vb_load_buffer_bytes(const vb_load_tensor *tensors, size_t n, int n_threads) {
    return buffer_bytes(tensors, n) * (size_t)n_threads + count_parts(tensors, n) * sizeof(part);
}

static vb_err read_vector(const loading *l, const vb_load_tensor *x, uint8_t *raw, vb_error *e) {
    const vb_gguf_tensor *t = x->t;
    vb_err err = vb_gguf_read_tensor(l->g, t, 0, t->n_bytes, raw, e);
    for (size_t i = 0; i < t->dims[0] && !err; i++) {
        if (t->type == VB_F32) {
            const uint32_t bits = vb_load_u32le(raw + 4 * i);
            memcpy(&x->vector[i], &bits, 4);
        } else if (t->type == VB_F16) {
            x->vector[i] = vb_f16_to_f32(vb_load_u16le(raw + 2 * i));
        } else {
            x->vector[i] = vb_bf16_to_f32(vb_load_u16le(raw + 2 * i));
        }
        if (!isfinite(x->vector[i])) {
            err = vb_fail(e, VB_ENONFINITE, "%s: tensor %.*s, element %zu is not finite",
                          vb_gguf_file_path(l->g, t->file_index), (int)t->name.len, t->name.p, i);
        }
    }
    return err;
}

/* Reads, checks and packs rows [begin, end). */
static vb_err pack_piece(const loading *l, const vb_load_tensor *x, size_t begin, size_t end,
                         uint8_t *raw, vb_error *e) {
    const vb_gguf_tensor *t = x->t;
    const vb_matrix *m = &x->weight->m;
    const size_t each = row_bytes(t);
    vb_err err = vb_gguf_read_tensor(l->g, t, begin * each, (end - begin) * each, raw, e);
    if (err) {
        return err;
    }
    size_t at;
    if (!vb_weights_finite(t->type, raw, (end - begin) * m->cols, &at)) {
        return vb_fail(e, VB_ENONFINITE,
                       "%s: tensor %s, row %zu, value %zu: a weight or its scale is not finite",
                       vb_gguf_file_path(l->g, t->file_index), x->weight->name,
                       begin + at / m->cols, at % m->cols);
    }
    m->k->pack(m, raw, begin, end);
    return VB_OK;
}

static vb_err load_part(const loading *l, const part *p, uint8_t *buffer, vb_error *e) {
    const vb_load_tensor *x = p->tensor;
    if (x->vector) {
        return read_vector(l, x, buffer, e);
    }
    const size_t each = rows_in(x->t, PIECE_BYTES);
    vb_err err = VB_OK;
    for (size_t r = p->row_begin; r < p->row_end && !err; r += each) {
        err = pack_piece(l, x, r, p->row_end - r < each ? p->row_end : r + each, buffer, e);
    }
    return err;
}

/* Parts are taken in order, so that every part before the first that failed was taken before it and
 * is finished: which error is reported does not depend on the threads. */
static void note_failure(loading *l, size_t i, vb_err err, const vb_error *e) {
#pragma omp critical(vb_load_failure)
    if (i < atomic_load(&l->failed)) {
        atomic_store(&l->failed, i);
        l->err = err;
        l->e = *e;
    }
}

static bool report(loading *l) {
    const vb_model_options *o = l->options;
    return !o->progress ||
           o->progress(o->progress_user, atomic_load(&l->done_bytes), l->total_bytes);
}

/* One thread's share; only the caller's own thread reports. */
static void take_parts(loading *l, size_t thread) {
    uint8_t *buffer = l->buffers + thread * l->buffer_bytes;
    size_t i;
    while ((i = atomic_fetch_add(&l->next, 1)) < l->n_parts && i < atomic_load(&l->failed)) {
        const part *p = &l->parts[i];
        vb_error e = {VB_OK, ""};
        vb_err err = load_part(l, p, buffer, &e);
        atomic_fetch_add(&l->done_bytes, (p->row_end - p->row_begin) * row_bytes(p->tensor->t));
        if (!err && thread == 0 && !report(l)) {
            err = vb_fail(&e, VB_ECANCELLED, "loading was stopped");
        }
        if (err) {
            note_failure(l, i, err, &e);
        }
    }
}

static int by_place(const void *a, const void *b) {
    const vb_gguf_tensor *x = ((const vb_load_tensor *)a)->t, *y = ((const vb_load_tensor *)b)->t;
    return x->file_index != y->file_index
               ? (x->file_index > y->file_index ? 1 : -1)
               : (x->offset_bytes > y->offset_bytes) - (x->offset_bytes < y->offset_bytes);
}

static void cut(loading *l, const vb_load_tensor *tensors, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const vb_load_tensor *x = &tensors[i];
        const size_t rows = (size_t)x->t->dims[1];
        const size_t each = x->weight ? rows_in(x->t, PART_BYTES) : rows;
        for (size_t r = 0; r < rows; r += each) {
            l->parts[l->n_parts++] = (part){x, r, rows - r < each ? rows : r + each};
        }
        l->total_bytes += x->t->n_bytes;
    }
}

vb_err vb_load_tensors(const vb_gguf *g, const vb_model_options *options, vb_load_tensor *tensors,
                       size_t n, vb_error *e) {
    const size_t threads = (size_t)options->n_threads;
    loading l = {.g = g, .options = options, .buffer_bytes = buffer_bytes(tensors, n)};
    atomic_init(&l.failed, SIZE_MAX);
    l.parts = malloc((count_parts(tensors, n) + 1) * sizeof *l.parts);
    l.buffers = malloc(threads * l.buffer_bytes);
    if (!l.parts || !l.buffers) {
        l.err = vb_fail(&l.e, VB_ENOMEM, "no memory to read the model's tensors");
        goto end;
    }
    qsort(tensors, n, sizeof *tensors, by_place);
    cut(&l, tensors, n);
#pragma omp parallel for schedule(static, 1) num_threads(options->n_threads)
    for (size_t i = 0; i < threads; i++) {
        take_parts(&l, i);
    }
    if (!l.err && !report(&l)) {
        l.err = vb_fail(&l.e, VB_ECANCELLED, "loading was stopped");
    }
end:
    free(l.parts);
    free(l.buffers);
    if (l.err && e) {
        *e = l.e;
    }
    return l.err;
}
