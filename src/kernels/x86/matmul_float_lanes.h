/*
 * Products with float weights (spec/arithmetic.md section 4) of one tier; included once by
 * each tier, after its lanes and its `part` (matmul_float_panel_lanes.h). Lanes are k mod 16
 * within a row.
 *
 * Few tokens, and rows that are no whole number of lanes, here: a tile of rows x tokens of
 * accumulators stays in registers over the whole row. Rows are taken in bands that stay in
 * the second-level cache while the tokens pass. Many: matmul_float_panel_lanes.h.
 */
#include "kernels/x86/common_lanes.h"
#include "kernels/x86/internal.h"

enum {
    LANES = VB_LANES,
    BAND_BYTES = 1 << 18,
    MANY_TOKENS = 16 /* from so many on, panels take less time */
};

VB_INLINE f32s weight_lanes(vb_wtype type, const uint8_t *row, size_t k) {
    switch (type) {
    case VB_F32: return f_load((const float *)(const void *)row + k);
    case VB_F16: return f_from_f16((const uint16_t *)(const void *)row + k);
    default: return f_from_bf16((const uint16_t *)(const void *)row + k);
    }
}
VB_INLINE f32s weight_lanes_n(vb_wtype type, const uint8_t *row, size_t k, size_t n) {
    switch (type) {
    case VB_F32: return f_load_n((const float *)(const void *)row + k, n);
    case VB_F16: return f_from_f16_n((const uint16_t *)(const void *)row + k, n);
    default: return f_from_bf16_n((const uint16_t *)(const void *)row + k, n);
    }
}
VB_INLINE size_t weight_bytes(vb_wtype type) {
    return type == VB_F32 ? 4 : 2;
}

/* n_rows rows by n_tokens tokens; x and y start at the first of each. */
VB_INLINE void tile(vb_wtype type, int n_rows, int n_tokens, const uint8_t *rows, size_t cols,
                    const float *x, float *y, size_t y_stride) {
    f32s acc[FLOAT_ROWS * FLOAT_TOKENS < 4 ? 4 : FLOAT_ROWS * FLOAT_TOKENS];
    f32s w[FLOAT_ROWS < 4 ? 4 : FLOAT_ROWS];
    size_t row_bytes = cols * weight_bytes(type), k = 0;
    VB_UNROLL for (int i = 0; i < n_rows * n_tokens; i++) {
        acc[i] = f_set(0.0f);
    }
    for (; k + LANES <= cols; k += LANES) {
        VB_UNROLL for (int r = 0; r < n_rows; r++) {
            w[r] = weight_lanes(type, rows + r * row_bytes, k);
            if (n_tokens == 1) { /* a row is too short for the processor to follow by itself */
                uintptr_t next =
                    (uintptr_t)rows + (n_rows + r) * row_bytes + k * weight_bytes(type);
                _mm_prefetch((const char *)next, _MM_HINT_T1);
            }
        }
        VB_UNROLL for (int t = 0; t < n_tokens; t++) {
            f32s v = f_load(x + t * cols + k);
            VB_UNROLL for (int r = 0; r < n_rows; r++) {
                acc[t * n_rows + r] = f_add(acc[t * n_rows + r], f_mul(w[r], v));
            }
        }
    }
    size_t left = cols - k;
    if (left > 0) {
        VB_UNROLL for (int r = 0; r < n_rows; r++) {
            w[r] = weight_lanes_n(type, rows + r * row_bytes, k, left);
        }
        VB_UNROLL for (int t = 0; t < n_tokens; t++) {
            f32s v = f_load_n(x + t * cols + k, left);
            VB_UNROLL for (int r = 0; r < n_rows; r++) {
                f32s *a = &acc[t * n_rows + r];
                *a = f_first(f_add(*a, f_mul(w[r], v)), *a, left);
            }
        }
    }
    VB_UNROLL for (int t = 0; t < n_tokens; t++) {
        VB_UNROLL for (int r = 0; r < n_rows; r++) {
            y[t * y_stride + r] = f_lanes_sum(acc[t * n_rows + r]);
        }
    }
}

/* One band of rows for n_tokens tokens. One token alone takes more rows at a time, so that
 * enough sums are under way to hide the latency of addition. */
VB_INLINE void band(vb_wtype type, int n_tokens, const uint8_t *rows, size_t n_rows, size_t cols,
                    const float *x, float *y, size_t y_stride) {
    enum { WIDE = 4 };
    size_t row_bytes = cols * weight_bytes(type), r = 0;
    if (n_tokens == 1) {
        for (; r + WIDE <= n_rows; r += WIDE) {
            tile(type, WIDE, 1, rows + r * row_bytes, cols, x, y + r, y_stride);
        }
    } else {
        for (; r + FLOAT_ROWS <= n_rows; r += FLOAT_ROWS) {
            tile(type, FLOAT_ROWS, n_tokens, rows + r * row_bytes, cols, x, y + r, y_stride);
        }
    }
    for (; r < n_rows; r++) {
        tile(type, 1, n_tokens, rows + r * row_bytes, cols, x, y + r, y_stride);
    }
}

VB_INLINE void matmul(vb_wtype type, const vb_matrix *m, size_t row_begin, size_t row_end,
                      const vb_act *a, float *y, size_t y_stride) {
    const uint8_t *data = m->data;
    size_t cols = m->cols, row_bytes = cols * weight_bytes(type);
    size_t band_rows = BAND_BYTES / (row_bytes + 1) / FLOAT_ROWS * FLOAT_ROWS;
    band_rows = band_rows < 4 * FLOAT_ROWS ? 4 * FLOAT_ROWS : band_rows;
    for (size_t r = row_begin; r < row_end; r += band_rows) {
        size_t n = row_end - r < band_rows ? row_end - r : band_rows;
        const uint8_t *rows = data + r * row_bytes;
        size_t t = 0;
        for (; t + FLOAT_TOKENS <= a->rows; t += FLOAT_TOKENS) {
            band(type, FLOAT_TOKENS, rows, n, cols, a->x + t * cols, y + t * y_stride + r,
                 y_stride);
        }
        for (; t < a->rows; t++) {
            band(type, 1, rows, n, cols, a->x + t * cols, y + t * y_stride + r, y_stride);
        }
    }
}

#include "kernels/x86/matmul_float_panel_lanes.h"

#define MATMUL(name, type)                                                                         \
    static void name(const vb_matrix *m, size_t row_begin, size_t row_end, const vb_act *a,        \
                     float *y, size_t y_stride) {                                                  \
        if (a->rows >= MANY_TOKENS && m->cols % LANES == 0) {                                      \
            matmul_panels(type, m, row_begin, row_end, a, y, y_stride);                            \
        } else {                                                                                   \
            matmul(type, m, row_begin, row_end, a, y, y_stride);                                   \
        }                                                                                          \
    }

MATMUL(matmul_f32, VB_F32)
MATMUL(matmul_f16, VB_F16)
MATMUL(matmul_bf16, VB_BF16)

void TIER(vb_matmul_float)(const vb_matrix *m, size_t row_begin, size_t row_end, const vb_act *x,
                           float *y, size_t y_stride) {
    VB_ASSERT(row_end <= m->rows && x->cols == m->cols);
    switch (m->type) {
    case VB_F32: matmul_f32(m, row_begin, row_end, x, y, y_stride); break;
    case VB_F16: matmul_f16(m, row_begin, row_end, x, y, y_stride); break;
    case VB_BF16: matmul_bf16(m, row_begin, row_end, x, y, y_stride); break;
    default: VB_ASSERT(0);
    }
}
