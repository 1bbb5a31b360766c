/*
 * Shared inside src/model only: the bytes of tensors from the file to where they belong. load.c
 * says which tensors and where, load_data.c brings them there.
 */
#ifndef VB_MODEL_LOAD_H
#define VB_MODEL_LOAD_H

#include "model/internal.h"

/* One tensor's destination: a matrix, to be packed into weight->m, or a vector of floats. */
typedef struct vb_load_tensor {
    const vb_gguf_tensor *t;
    vb_weight *weight; /* NULL: a vector */
    float *vector;     /* [t->dims[0]], of an F32, F16 or BF16 tensor; NULL: a matrix */
} vb_load_tensor;

/* Bytes of memory that vb_load_tensors needs besides the destinations. */
size_t vb_load_buffer_bytes(const vb_load_tensor *tensors, size_t n, int n_threads);

/* Fills all destinations and puts the tensors into the order of the files. Every weight must be
 * finite: VB_ENONFINITE names tensor and value. Of several errors the one that comes first in the
 * files. */
VB_MUST_CHECK vb_err vb_load_tensors(const vb_gguf *g, const vb_model_options *options,
                                     vb_load_tensor *tensors, size_t n, vb_error *e);

#endif
