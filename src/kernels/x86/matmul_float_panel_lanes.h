/*
 * Products with float weights (spec/arithmetic.md section 4) of many tokens; included by each
 * tier's file after matmul_float_lanes.h and its `part`: the lanes of one register, all 16 or one
 * half of them. Weights of a few rows, 512 inputs at a time, are widened once into a panel in the
 * first-level cache that all tokens of a pass read; their sums, 16 lanes each, rest in memory
 * between such chunks, unchanged. Both are on the stack: 150 KiB of it.
 */

enum {
    CHUNK = 512, /* inputs */
    PARTS = LANES / PART_LANES,
    PASS_TOKENS = 132, /* of which a chunk stays in the second-level cache */
    PASS_ROWS = 16,    /* that use it before the next */
    LINE = 64
};

/* A chunk of PANEL_ROWS rows, as one part of it is read. */
typedef struct panel {
    _Alignas(64) float w[PARTS][CHUNK / LANES][PANEL_ROWS][PART_LANES];
} panel;

/* The sums of a pass, lane by lane. */
typedef struct lane_sums {
    _Alignas(64) float at[PASS_ROWS / PANEL_ROWS][PASS_TOKENS][PANEL_ROWS][LANES];
} lane_sums;

/* Where the weights of a panel are: n_rows rows, steps x LANES inputs of each. */
typedef struct weights_at {
    const uint8_t *rows;
    size_t n_rows, row_bytes, steps;
} weights_at;

/* Rows that the matrix does not have are zeros. */
VB_INLINE void make_panel(vb_wtype type, const weights_at *from, panel *p) {
    for (size_t r = 0; r < PANEL_ROWS; r++) {
        for (size_t s = 0; s < from->steps; s++) {
            const uint8_t *row = from->rows + r * from->row_bytes;
            f32s v = r < from->n_rows ? weight_lanes(type, row, s * LANES) : f_set(0.0f);
            VB_UNROLL for (int i = 0; i < PARTS; i++) {
                part_store(p->w[i][s][r], part_of(v, i));
            }
        }
    }
}

/* Part i of a chunk for n_tokens tokens from x on, into their sums. */
VB_INLINE void panel_tokens(int n_tokens, int i, bool first, const panel *p, size_t steps,
                            const float *x, size_t cols, float (*sums)[PANEL_ROWS][LANES]) {
    part acc[PANEL_TOKENS][PANEL_ROWS], v[PANEL_TOKENS];
    VB_UNROLL for (int t = 0; t < n_tokens; t++) {
        VB_UNROLL for (int r = 0; r < PANEL_ROWS; r++) {
            acc[t][r] = first ? part_zero() : part_load(sums[t][r] + i * PART_LANES);
        }
    }
    for (size_t s = 0; s < steps; s++) {
        VB_UNROLL for (int t = 0; t < n_tokens; t++) {
            v[t] = part_load(x + t * cols + s * LANES + i * PART_LANES);
        }
        VB_UNROLL for (int r = 0; r < PANEL_ROWS; r++) {
            const part w = part_kept(part_load(p->w[i][s][r]));
            VB_UNROLL for (int t = 0; t < n_tokens; t++) {
                acc[t][r] = part_add(acc[t][r], part_mul(w, v[t]));
            }
        }
    }
    VB_UNROLL for (int t = 0; t < n_tokens; t++) {
        VB_UNROLL for (int r = 0; r < PANEL_ROWS; r++) {
            part_store(sums[t][r] + i * PART_LANES, acc[t][r]);
        }
    }
}

/* A panel for n_tokens tokens, while the memory brings the weights of the one after it. */
VB_INLINE void panel_pass(vb_wtype type, bool first, const panel *p, size_t steps,
                          const weights_at *next, const float *x, size_t cols, size_t n_tokens,
                          float (*sums)[PANEL_ROWS][LANES]) {
    const size_t row_lines = (next->steps * LANES * weight_bytes(type) + LINE - 1) / LINE;
    const size_t lines = next->n_rows * row_lines, share = lines * PANEL_TOKENS / n_tokens + 1;
    size_t line = 0, t = 0;
    for (; t + PANEL_TOKENS <= n_tokens; t += PANEL_TOKENS) {
        for (size_t end = line + share; line < end && line < lines; line++) {
            const uint8_t *row = next->rows + line / row_lines * next->row_bytes;
            _mm_prefetch((const char *)row + line % row_lines * LINE, _MM_HINT_T1);
        }
        VB_UNROLL for (int i = 0; i < PARTS; i++) {
            panel_tokens(PANEL_TOKENS, i, first, p, steps, x + t * cols, cols, sums + t);
        }
    }
    for (; t < n_tokens; t++) {
        VB_UNROLL for (int i = 0; i < PARTS; i++) {
            panel_tokens(1, i, first, p, steps, x + t * cols, cols, sums + t);
        }
    }
}

/* The panel of rows from r on, fewer than PANEL_ROWS before r_end, and inputs from k on. */
VB_INLINE weights_at panel_at(const vb_matrix *m, size_t r, size_t r_end, size_t k) {
    const size_t row_bytes = m->cols * weight_bytes(m->type);
    const uint8_t *rows = (const uint8_t *)m->data + r * row_bytes + k * weight_bytes(m->type);
    const size_t inputs = m->cols - k < CHUNK ? m->cols - k : CHUNK;
    return (weights_at){rows, r_end - r < PANEL_ROWS ? r_end - r : PANEL_ROWS, row_bytes,
                        inputs / LANES};
}

/* Rows [r0, r1), up to PASS_ROWS, and n_tokens tokens, up to PASS_TOKENS; y starts at the first
 * token. */
VB_INLINE void panel_rows(vb_wtype type, const vb_matrix *m, size_t r0, size_t r1, const float *x,
                          size_t n_tokens, lane_sums *sums, float *y, size_t y_stride) {
    panel p;
    for (size_t k = 0; k < m->cols; k += CHUNK) {
        for (size_t r = r0; r < r1; r += PANEL_ROWS) {
            float(*at)[PANEL_ROWS][LANES] = sums->at[(r - r0) / PANEL_ROWS];
            const weights_at now = panel_at(m, r, r1, k);
            weights_at next = {NULL, 0, 0, 0};
            if (r + PANEL_ROWS < r1) {
                next = panel_at(m, r + PANEL_ROWS, r1, k);
            } else if (k + CHUNK < m->cols) {
                next = panel_at(m, r0, r1, k + CHUNK);
            }
            make_panel(type, &now, &p);
            panel_pass(type, k == 0, &p, now.steps, &next, x + k, m->cols, n_tokens, at);
            for (size_t t = 0; k + CHUNK >= m->cols && t < n_tokens; t++) {
                panel_sums(at[t], now.n_rows, y + t * y_stride + r);
            }
        }
    }
}

/* cols is a multiple of LANES. */
VB_INLINE void matmul_panels(vb_wtype type, const vb_matrix *m, size_t row_begin, size_t row_end,
                             const vb_act *a, float *y, size_t y_stride) {
    lane_sums sums;
    for (size_t t = 0; t < a->rows; t += PASS_TOKENS) {
        const size_t n = a->rows - t < PASS_TOKENS ? a->rows - t : PASS_TOKENS;
        for (size_t r = row_begin; r < row_end; r += PASS_ROWS) {
            const size_t end = row_end - r < PASS_ROWS ? row_end : r + PASS_ROWS;
            panel_rows(type, m, r, end, a->x + t * m->cols, n, &sums, y + t * y_stride, y_stride);
        }
    }
}
