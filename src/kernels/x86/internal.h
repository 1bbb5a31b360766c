/* What the files of one tier give to its table. Contracts: kernels.h. */
#ifndef VB_KERNELS_X86_INTERNAL_H
#define VB_KERNELS_X86_INTERNAL_H

#include "kernels/kernels.h"

#define VB_X86_DECLARE(tier)                                                                       \
    void vb_matmul_int_##tier(const vb_matrix *m, size_t row_begin, size_t row_end,                \
                              const vb_act *x, float *y, size_t y_stride);                         \
    void vb_matmul_float_##tier(const vb_matrix *m, size_t row_begin, size_t row_end,              \
                                const vb_act *x, float *y, size_t y_stride);                       \
    bool vb_quantize_##tier(const float *x, size_t cols, int8_t *q, float *d, int32_t *u,          \
                            int32_t *u_lo, float *du);                                             \
    bool vb_all_finite_##tier(const float *x, size_t n);                                           \
    void vb_rmsnorm_##tier(const float *x, const float *w, size_t n, float eps, float *y);         \
    void vb_add_##tier(float *y, const float *x, size_t n);                                        \
    void vb_silu_mul_##tier(const float *gate, const float *up, size_t n, float *out);             \
    void vb_rope_##tier(float *x, size_t n_heads, size_t head_dim, size_t n_rot,                   \
                        vb_rope_style style, const float *cos_row, const float *sin_row);          \
    bool vb_kv_store_##tier(const float *k, const float *v, size_t head_dim, uint16_t *k_page,     \
                            uint16_t *v_page, size_t slot);                                        \
    void vb_attention_##tier(const float *q, size_t q_stride, size_t n_q, const size_t *n_keys,    \
                             size_t head_dim, const uint16_t *const *key_pages,                    \
                             const uint16_t *const *value_pages, float scale, float *scratch,      \
                             float *out, size_t out_stride);                                       \
    size_t vb_argmax_##tier(const float *x, size_t n);                                             \
    void vb_exp_weights_##tier(const float *x, size_t n, float x_max, float temperature,           \
                               uint64_t *w);

VB_X86_DECLARE(avx2)
VB_X86_DECLARE(avx512vnni)

#endif
