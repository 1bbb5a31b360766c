/* Tensors of several parts and pieces: what is packed is what packing all at
 * once gives, and what is wrong is found at the same place, whatever the number of threads. */
#include "arith/bits.h"
#include "model/load.h"
#include "unit/gguf/gguf_build.h"

enum { COLS = 512 };

static vb_error e;
static uint64_t seed = 1;

/* Two matrices of more than two parts, and one that ends in half a tile. */
static const struct {
    const char *name;
    vb_wtype type;
    uint64_t rows;
} shapes[] = {{"a", VB_Q8_0, 9000},
              {"b", VB_Q4_K, 115},
              {"norm", VB_F16, 1},
              {"c", VB_Q6_K, 13001},
              {"d", VB_F32, 2500}};
enum { N = sizeof shapes / sizeof shapes[0] };

static size_t row_bytes(vb_wtype type) {
    const vb_wtype_info *info = vb_wtype_get(type);
    return COLS / info->block_values * info->block_bytes;
}

/* Random bytes without the highest bits of an exponent: finite wherever a scale or a float is. */
static uint8_t *fill(size_t n) {
    uint8_t *p = malloc(n);
    assert_non_null(p);
    for (size_t i = 0; i < n; i++) {
        p[i] = (uint8_t)(vb_test_random(&seed) & 0x37);
    }
    return p;
}

typedef struct file {
    vb_buf bytes;
    uint8_t *data[N];
    vb_gguf *g;
} file;

static void open_file(file *f) {
    uint64_t offset = 0;
    f->bytes = gguf_start(3, N, 0);
    for (size_t i = 0; i < N; i++) {
        const uint64_t dims[] = {COLS, shapes[i].rows};
        put_tensor(&f->bytes, shapes[i].name, shapes[i].rows == 1 ? 1 : 2, dims, shapes[i].type,
                   offset);
        offset += (shapes[i].rows * row_bytes(shapes[i].type) + 31) / 32 * 32;
    }
    put_padding(&f->bytes, 32);
    for (size_t i = 0; i < N; i++) {
        put_bytes(&f->bytes, f->data[i], (size_t)shapes[i].rows * row_bytes(shapes[i].type));
        put_padding(&f->bytes, 32);
    }
    f->g = open_good(&f->bytes);
}

static void close_file(file *f) {
    vb_gguf_close(f->g);
    vb_buf_free(&f->bytes);
}

static void make_data(file *f) {
    for (size_t i = 0; i < N; i++) {
        f->data[i] = fill((size_t)shapes[i].rows * row_bytes(shapes[i].type));
    }
}

static void free_data(file *f) {
    for (size_t i = 0; i < N; i++) {
        free(f->data[i]);
    }
}

typedef struct destination {
    vb_weight weights[N];
    float vector[COLS];
} destination;

/* Loads in an order that is not the file's. */
static vb_err load(const file *f, const vb_model_options *o, destination *d) {
    vb_load_tensor tensors[N];
    memset(d, 0, sizeof *d);
    for (size_t i = 0; i < N; i++) {
        const size_t from = (i * 3 + 2) % N; /* 3 and N have no common divisor */
        vb_weight *w = &d->weights[from];
        const vb_gguf_tensor *t = vb_gguf_find_tensor(f->g, shapes[from].name);
        assert_non_null(t);
        if (shapes[from].rows == 1) {
            tensors[i] = (vb_load_tensor){t, NULL, d->vector};
            continue;
        }
        w->data_bytes = o->kernels->pack_bytes(t->type, (size_t)t->dims[1], COLS);
        w->m = (vb_matrix){o->kernels, t->type, (size_t)t->dims[1], COLS, malloc(w->data_bytes)};
        assert_non_null(w->m.data);
        memset(w->m.data, 0xee, w->data_bytes);
        snprintf(w->name, sizeof w->name, "%s", shapes[from].name);
        tensors[i] = (vb_load_tensor){t, w, NULL};
    }
    const vb_err err = vb_load_tensors(f->g, o, tensors, N, &e);
    for (size_t i = 1; i < N; i++) {
        assert_true(tensors[i - 1].t->offset_bytes < tensors[i].t->offset_bytes);
    }
    return err;
}

static void drop(destination *d) {
    for (size_t i = 0; i < N; i++) {
        free(d->weights[i].m.data);
    }
}

static void pieces_are_the_whole(void **state) {
    (void)state;
    file f;
    make_data(&f);
    open_file(&f);
    for (int threads = 1; threads <= 5; threads += 2) {
        vb_model_options o = {.n_threads = threads};
        destination d;
        assert_int_equal(vb_kernels_select(NULL, &o.kernels, &e), VB_OK);
        assert_int_equal(load(&f, &o, &d), VB_OK);
        for (size_t i = 0; i < N; i++) {
            const vb_weight *w = &d.weights[i];
            if (!w->m.data) {
                continue;
            }
            vb_matrix whole = w->m;
            whole.data = malloc(w->data_bytes);
            assert_non_null(whole.data);
            memset(whole.data, 0xee, w->data_bytes);
            o.kernels->pack(&whole, f.data[i], 0, w->m.rows);
            assert_memory_equal(whole.data, w->m.data, w->data_bytes);
            free(whole.data);
        }
        for (size_t k = 0; k < COLS; k++) {
            assert_true(d.vector[k] == vb_f16_to_f32(vb_load_u16le(f.data[2] + 2 * k)));
        }
        drop(&d);
    }
    close_file(&f);
    free_data(&f);
}

/* Three faults: in the middle of "c", which is of many parts, behind it in the same tensor, and in
 * "d", which comes after it. */
static void the_first_fault_of_the_file_is_named(void **state) {
    (void)state;
    const size_t each = row_bytes(VB_Q6_K);
    const uint8_t infinite[] = {0x00, 0x7c}, nan[] = {0xff, 0xff, 0xff, 0xff};
    file f;
    make_data(&f);
    memcpy(f.data[3] + 7001 * each + 210 + 208, infinite, 2); /* the scale of its second block */
    memcpy(f.data[3] + 12999 * each + 208, infinite, 2);
    memcpy(f.data[4], nan, 4);
    open_file(&f);
    for (int threads = 1; threads <= 8; threads++) {
        vb_model_options o = {.n_threads = threads};
        destination d;
        assert_int_equal(vb_kernels_select(NULL, &o.kernels, &e), VB_OK);
        for (int again = 0; again < 5; again++) {
            assert_int_equal(load(&f, &o, &d), VB_ENONFINITE);
            assert_string_equal(e.msg, "good.gguf: tensor c, row 7001, value 256: a weight or its "
                                       "scale is not finite");
            drop(&d);
        }
    }
    close_file(&f);
    free_data(&f);
}

typedef struct progress {
    uint64_t last, total, stop_at;
    size_t calls;
} progress;

static bool note(void *user, uint64_t done, uint64_t total) {
    progress *p = user;
    assert_true(done >= p->last && done <= total);
    p->last = done;
    p->total = total;
    p->calls++;
    return done < p->stop_at;
}

static void progress_ends_at_the_total(void **state) {
    (void)state;
    file f;
    uint64_t total = 0;
    make_data(&f);
    open_file(&f);
    for (size_t i = 0; i < N; i++) {
        total += shapes[i].rows * row_bytes(shapes[i].type);
    }
    for (int threads = 1; threads <= 3; threads++) {
        progress p = {.stop_at = UINT64_MAX};
        vb_model_options o = {.n_threads = threads, .progress = note, .progress_user = &p};
        destination d;
        assert_int_equal(vb_kernels_select(NULL, &o.kernels, &e), VB_OK);
        assert_int_equal(load(&f, &o, &d), VB_OK);
        assert_true(p.last == total && p.total == total && p.calls >= 1);
        drop(&d);
        p = (progress){.stop_at = total};
        assert_int_equal(load(&f, &o, &d), VB_ECANCELLED);
        drop(&d);
        p = (progress){.stop_at = 1};
        assert_int_equal(load(&f, &o, &d), VB_ECANCELLED);
        assert_int_equal(p.calls, 1);
        drop(&d);
    }
    close_file(&f);
    free_data(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_are_the_whole),
        cmocka_unit_test(the_first_fault_of_the_file_is_named),
        cmocka_unit_test(progress_ends_at_the_total),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
