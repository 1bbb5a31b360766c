/* The table of the avx512vnni tier. */
#include "kernels/x86/internal.h"
#include "kernels/x86/layout.h"
#include "kernels/x86/x86.h"

enum { Q8_FLIP = 0x80 };

static void pack(const vb_matrix *m, const uint8_t *src, size_t row_begin, size_t row_end) {
    vb_x86_pack(m, src, row_begin, row_end, Q8_FLIP);
}

static void unpack_row(const vb_matrix *m, size_t row, float *out) {
    vb_x86_unpack_row(m, row, out, Q8_FLIP);
}

static void matmul(const vb_matrix *m, size_t row_begin, size_t row_end, const vb_act *x, float *y,
                   size_t y_stride) {
    if (vb_wtype_get(m->type)->is_float) {
        vb_matmul_float_avx512vnni(m, row_begin, row_end, x, y, y_stride);
    } else {
        vb_matmul_int_avx512vnni(m, row_begin, row_end, x, y, y_stride);
    }
}

const vb_kernels vb_kernels_avx512vnni = {
    .name = "avx512vnni",
    .pack_bytes = vb_x86_pack_bytes,
    .pack = pack,
    .unpack_row = unpack_row,
    .matmul = matmul,
    .quantize = vb_quantize_avx512vnni,
    .all_finite = vb_all_finite_avx512vnni,
    .rmsnorm = vb_rmsnorm_avx512vnni,
    .add = vb_add_avx512vnni,
    .silu_mul = vb_silu_mul_avx512vnni,
    .rope = vb_rope_avx512vnni,
    .kv_store = vb_kv_store_avx512vnni,
    .attention = vb_attention_avx512vnni,
    .argmax = vb_argmax_avx512vnni,
    .exp_weights = vb_exp_weights_avx512vnni,
};
