/* The table of the avx2 tier. */
#include "kernels/x86/internal.h"
#include "kernels/x86/layout.h"
#include "kernels/x86/x86.h"

enum { Q8_FLIP = 0 };

static void pack(const vb_matrix *m, const uint8_t *src, size_t row_begin, size_t row_end) {
    vb_x86_pack(m, src, row_begin, row_end, Q8_FLIP);
}

static void unpack_row(const vb_matrix *m, size_t row, float *out) {
    vb_x86_unpack_row(m, row, out, Q8_FLIP);
}

static void matmul(const vb_matrix *m, size_t row_begin, size_t row_end, const vb_act *x, float *y,
                   size_t y_stride) {
    if (vb_wtype_get(m->type)->is_float) {
        vb_matmul_float_avx2(m, row_begin, row_end, x, y, y_stride);
    } else {
        vb_matmul_int_avx2(m, row_begin, row_end, x, y, y_stride);
    }
}

const vb_kernels vb_kernels_avx2 = {
    .name = "avx2",
    .pack_bytes = vb_x86_pack_bytes,
    .pack = pack,
    .unpack_row = unpack_row,
    .matmul = matmul,
    .quantize = vb_quantize_avx2,
    .all_finite = vb_all_finite_avx2,
    .rmsnorm = vb_rmsnorm_avx2,
    .add = vb_add_avx2,
    .silu_mul = vb_silu_mul_avx2,
    .rope = vb_rope_avx2,
    .kv_store = vb_kv_store_avx2,
    .attention = vb_attention_avx2,
    .argmax = vb_argmax_avx2,
    .exp_weights = vb_exp_weights_avx2,
};
