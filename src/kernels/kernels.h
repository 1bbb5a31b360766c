/*
 * The contract between the model and the instruction sets. A tier (scalar, avx2,
 * avx512vnni, neon, neondot) is one table of these functions; every function of every
 * tier gives the bits that spec/arithmetic.md defines and src/arith computes.
 *
 * Shapes are written [rows][cols], row-major. Counts are in elements unless the name
 * ends in _bytes. Pointers to f32 need only their natural alignment. Kernels allocate
 * nothing, start no threads, keep no state; two threads may call the same kernel on
 * disjoint outputs. Inputs and outputs never overlap unless a comment says so.
 * Sections cited are of spec/arithmetic.md.
 */
#ifndef VB_KERNELS_KERNELS_H
#define VB_KERNELS_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arith/wtype.h"
#include "base/error.h"

/* Rows of activations, ready for products. x is read by products with float weights; all
 * the rest is filled by quantize() and read by products with integer weights. */
typedef struct vb_act {
    size_t rows;         /* tokens */
    size_t cols;         /* multiple of 32 when q is used */
    const float *x;      /* [rows][cols] */
    const int8_t *q;     /* [rows][cols], each in [-127, 127] */
    const float *d;      /* [rows][cols / 32], the scale of each block */
    const int32_t *u;    /* [rows][cols / 32], the sum of each block's q */
    const int32_t *u_lo; /* [rows][cols / 32], the sum of each block's first 16 q */
    const float *du;     /* [rows][cols / 32], d * (f32)u */
} vb_act;

struct vb_kernels;

/* A weight matrix in the layout of the tier that packed it. */
typedef struct vb_matrix {
    const struct vb_kernels *k;
    vb_wtype type;
    size_t rows; /* outputs */
    size_t cols; /* inputs */
    void *data;  /* pack_bytes() bytes, 64-byte aligned; owner: who packed it */
} vb_matrix;

typedef enum vb_rope_style {
    VB_ROPE_NORM, /* pairs (2i, 2i + 1): llama */
    VB_ROPE_NEOX  /* pairs (i, i + n_rot / 2): qwen2 */
} vb_rope_style;

typedef struct vb_kernels {
    const char *name; /* "scalar", "avx2", "avx512vnni", "neon", "neondot" */

    /* ---- weights ---- */

    /* Bytes that a packed matrix takes; 0 when the size overflows. */
    size_t (*pack_bytes)(vb_wtype type, size_t rows, size_t cols);

    /* Packs rows [row_begin, row_end) of a matrix of m->rows rows into m->data. src is the
     * file's bytes of row row_begin onwards. row_begin is a multiple of VB_ROW_TILE, row_end
     * too unless it is m->rows. Calls on disjoint ranges may run at once. */
    void (*pack)(const vb_matrix *m, const uint8_t *src, size_t row_begin, size_t row_end);

    /* One row as f32 (token embedding; section 3 "Values"): out[cols]. */
    void (*unpack_row)(const vb_matrix *m, size_t row, float *out);

    /* y[t * y_stride + r] = row r times row t of x, for every t of x and r in
     * [row_begin, row_end): sections 3 and 4. Range alignment as for pack. Only the
     * elements named are written. */
    void (*matmul)(const vb_matrix *m, size_t row_begin, size_t row_end, const vb_act *x, float *y,
                   size_t y_stride);

    /* ---- rows of activations ---- */

    /* Section 2: one row x[cols], cols a multiple of 32, into one row of each array of a
     * vb_act. False if x holds a NaN or an infinity; outputs are then undefined. */
    bool (*quantize)(const float *x, size_t cols, int8_t *q, float *d, int32_t *u, int32_t *u_lo,
                     float *du);

    /* True when no element is a NaN or an infinity. */
    bool (*all_finite)(const float *x, size_t n);

    /* Section 5: y may be x. */
    void (*rmsnorm)(const float *x, const float *w, size_t n, float eps, float *y);

    /* y[i] = y[i] + x[i] (residual, bias). */
    void (*add)(float *y, const float *x, size_t n);

    /* out[i] = silu(gate[i]) * up[i]; out may be gate or up. Section 5. */
    void (*silu_mul)(const float *gate, const float *up, size_t n, float *out);

    /* Section 5: rotates the first n_rot dimensions of each of n_heads vectors x[n_heads][head_dim]
     * in place; cos_row and sin_row are one position's row of the table, n_rot / 2 long. */
    void (*rope)(float *x, size_t n_heads, size_t head_dim, size_t n_rot, vb_rope_style style,
                 const float *cos_row, const float *sin_row);

    /* ---- attention (section 6) ----
     * A page holds VB_ATTN_CHUNK positions of one KV head as binary16 bit patterns:
     * keys   k_page[16 tiles][head_dim][16 keys]  (position s of the page: tile s / 16, key s % 16)
     * values v_page[256][head_dim]. The layout is the same in every tier. */

    /* Rounds one key and one value vector to binary16 and stores them at slot (< 256).
     * False if a rounded value is not finite; the slot is then undefined. */
    bool (*kv_store)(const float *k, const float *v, size_t head_dim, uint16_t *k_page,
                     uint16_t *v_page, size_t slot);

    /* n_q queries against one KV head. q[i * q_stride .. + head_dim] is query i, which sees keys
     * 0 .. n_keys[i] - 1 (n_keys[i] >= 1); out[i * out_stride .. + head_dim] receives its
     * result. Page p holds keys 256 p ..; key_pages and value_pages list
     * ceil(max n_keys / 256) pages. scale is vb_attention_scale(head_dim). scratch holds
     * vb_attention_scratch_floats(n_q, max n_keys, head_dim) floats, 64-byte aligned. */
    void (*attention)(const float *q, size_t q_stride, size_t n_q, const size_t *n_keys,
                      size_t head_dim, const uint16_t *const *key_pages,
                      const uint16_t *const *value_pages, float scale, float *scratch, float *out,
                      size_t out_stride);

    /* ---- sampling (section 7) ---- */

    /* The largest element and the lowest index that has it; n >= 1, all finite. -0 and +0 compare
     * equal. */
    size_t (*argmax)(const float *x, size_t n);

    /* w[i] = floor(exp((x[i] - x_max) / temperature) * 2^40). */
    void (*exp_weights)(const float *x, size_t n, float x_max, float temperature, uint64_t *w);
} vb_kernels;

/* Room for the scores of every query, one page as f32, and a sum a query. */
static inline size_t vb_attention_scratch_floats(size_t n_q, size_t n_keys, size_t head_dim) {
    const size_t rounded = (n_keys + VB_ATTN_CHUNK - 1) / VB_ATTN_CHUNK * VB_ATTN_CHUNK;
    return n_q * rounded + VB_ATTN_CHUNK * head_dim + n_q;
}

/* The tiers this build has and this processor can run, slowest first ("scalar" always). */
size_t vb_kernels_list(const vb_kernels **out, size_t max);

/* The fastest tier the processor can run (name NULL or "auto"), or the named one.
 * Returns VB_OK, VB_EINVAL (no such tier in this build), VB_EUNSUPPORTED (the processor lacks
 * it: the message names the missing feature). Pure but for reading CPU flags. */
VB_MUST_CHECK vb_err vb_kernels_select(const char *name, const vb_kernels **out, vb_error *e);

/* Compares a tier with the scalar definition, bit for bit, over a fixed set of inputs that
 * reaches every function and weight format. VB_EMISMATCH names function, format and element.
 * Also checks this thread's rounding mode and that subnormals are kept. Takes under 50 ms. */
VB_MUST_CHECK vb_err vb_kernels_selftest(const vb_kernels *k, vb_error *e);

#endif
