/*
 * Opens a GGUF file with the loader and prints one line for each tensor: name, format, shape, and
 * mean and standard deviation of its values, decoded as the arithmetic defines them. Exits 1 when
 * the file is refused or a value is not finite. Used by synth.test.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "arith/bits.h"
#include "arith/block.h"
#include "gguf/gguf.h"

static vb_err check_tensor(const vb_gguf *g, const vb_gguf_tensor *t, vb_error *e) {
    size_t row_bytes = t->n_bytes / t->dims[1];
    uint8_t *row = malloc(row_bytes);
    float *values = malloc(t->dims[0] * sizeof *values);
    double sum = 0, squares = 0;
    vb_err err = row && values ? VB_OK : vb_fail(e, VB_ENOMEM, "no memory for a row");
    for (uint64_t r = 0; !err && r < t->dims[1]; r++) {
        err = vb_gguf_read_tensor(g, t, r * row_bytes, row_bytes, row, e);
        if (err) {
            break;
        }
        vb_row_values(t->type, row, t->dims[0], values);
        for (uint64_t i = 0; !err && i < t->dims[0]; i++) {
            if (!vb_f32_finite(values[i])) {
                err = vb_fail(e, VB_ENONFINITE, "tensor %.*s, row %" PRIu64, (int)t->name.len,
                              t->name.p, r);
            }
            sum += values[i];
            squares += (double)values[i] * values[i];
        }
    }
    double n = (double)t->dims[0] * (double)t->dims[1];
    if (!err) {
        printf("%.*s %s %" PRIu64 " %" PRIu64 " %.9g %.9g %.9g\n", (int)t->name.len, t->name.p,
               vb_wtype_get(t->type)->name, t->dims[0], t->dims[1], sum / n,
               sqrt(squares / n - sum / n * (sum / n)), (double)values[t->dims[0] - 1]);
    }
    free(row);
    free(values);
    return err;
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: synth-check FILE\n");
        return 2;
    }
    vb_gguf *g;
    vb_error e;
    vb_err err = vb_gguf_open(argv[1], &g, &e);
    if (err) {
        fprintf(stderr, "%s\n", e.msg);
        return 1;
    }
    for (size_t i = 0; !err && i < vb_gguf_tensor_count(g); i++) {
        err = check_tensor(g, vb_gguf_tensor_at(g, i), &e);
    }
    if (err) {
        fprintf(stderr, "%s\n", e.msg);
    }
    vb_gguf_close(g);
    return err != VB_OK;
}
