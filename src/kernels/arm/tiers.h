/*
 * What the files of this folder put into the tables of tiers.c; each entry as kernels.h has it.
 */
#ifndef VB_KERNELS_ARM_TIERS_H
#define VB_KERNELS_ARM_TIERS_H

#include "kernels/kernels.h"

/* layout.c */
size_t vb_arm_pack_bytes(vb_wtype type, size_t rows, size_t cols);
void vb_arm_pack(const vb_matrix *m, const uint8_t *src, size_t row_begin, size_t row_end);
void vb_arm_unpack_row(const vb_matrix *m, size_t row, float *out);

/* matmul_neon.c, matmul_neondot.c, and what both do with float weights: matmul_float.c */
void vb_arm_matmul_neon(const vb_matrix *m, size_t row_begin, size_t row_end, const vb_act *x,
                        float *y, size_t y_stride);
void vb_arm_matmul_neondot(const vb_matrix *m, size_t row_begin, size_t row_end, const vb_act *x,
                           float *y, size_t y_stride);
void vb_arm_matmul_float(const vb_matrix *m, size_t row_begin, size_t row_end, const vb_act *x,
                         float *y, size_t y_stride);

/* rows.c */
bool vb_arm_quantize(const float *x, size_t cols, int8_t *q, float *d, int32_t *u, int32_t *u_lo,
                     float *du);
bool vb_arm_all_finite(const float *x, size_t n);
void vb_arm_rmsnorm(const float *x, const float *w, size_t n, float eps, float *y);
void vb_arm_add(float *y, const float *x, size_t n);
void vb_arm_silu_mul(const float *gate, const float *up, size_t n, float *out);
void vb_arm_rope(float *x, size_t n_heads, size_t head_dim, size_t n_rot, vb_rope_style style,
                 const float *cos_row, const float *sin_row);
size_t vb_arm_argmax(const float *x, size_t n);
void vb_arm_exp_weights(const float *x, size_t n, float x_max, float temperature, uint64_t *w);

/* attention.c */
bool vb_arm_kv_store(const float *k, const float *v, size_t head_dim, uint16_t *k_page,
                     uint16_t *v_page, size_t slot);
void vb_arm_attention(const float *q, size_t q_stride, size_t n_q, const size_t *n_keys,
                      size_t head_dim, const uint16_t *const *key_pages,
                      const uint16_t *const *value_pages, float scale, float *scratch, float *out,
                      size_t out_stride);

#endif
