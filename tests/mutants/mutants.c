/*
 * The table of mutants. Most are the scalar tier with one function replaced; on x86 the fastest
 * tier also runs with subnormals flushed, one function at a time.
 */
#include "mutants/mutants.h"

#include <math.h>
#include <string.h>

#include "arith/attention.h"
#include "arith/bits.h"
#include "arith/exp.h"
#include "arith/product.h"
#include "base/error.h"
#include "kernels/scalar/scalar.h"
#include "mutants/mutants_product.h"

#define REAL (&vb_kernels_scalar)

/* ---- quantize ---- */

static bool quantize_then(const float *x, size_t cols, int8_t *q, float *d, int32_t *u,
                          int32_t *u_lo, float *du,
                          void (*spoil)(const float *, int8_t *, float *)) {
    if (!REAL->quantize(x, cols, q, d, u, u_lo, du)) {
        return false;
    }
    for (size_t b = 0; b < cols / VB_BLOCK; b++) {
        spoil(x + b * VB_BLOCK, q + b * VB_BLOCK, d + b);
    }
    return true;
}

static float largest(const float *x) {
    float a = 0;
    for (int i = 0; i < VB_BLOCK; i++) {
        a = fabsf(x[i]) > a ? fabsf(x[i]) : a;
    }
    return a;
}

static void round_half_away(const float *x, int8_t *q, float *d) {
    for (int i = 0; i < VB_BLOCK && *d != 0; i++) {
        q[i] = (int8_t)roundf(x[i] * (127.0f / largest(x)));
    }
}
static void divide_by_scale(const float *x, int8_t *q, float *d) {
    for (int i = 0; i < VB_BLOCK && *d != 0; i++) {
        q[i] = (int8_t)nearbyintf(x[i] / *d);
    }
}
static void scale_by_reciprocal(const float *x, int8_t *q, float *d) {
    (void)q;
    *d = *d != 0 ? largest(x) * (1.0f / 127.0f) : 0;
}
static void quantise_tiny(const float *x, int8_t *q, float *d) {
    (void)q;
    *d = largest(x) / 127.0f;
}

#define QUANTIZE(name)                                                                             \
    static bool quantize_##name(const float *x, size_t cols, int8_t *q, float *d, int32_t *u,      \
                                int32_t *u_lo, float *du) {                                        \
        return quantize_then(x, cols, q, d, u, u_lo, du, name);                                    \
    }
QUANTIZE(round_half_away)
QUANTIZE(divide_by_scale)
QUANTIZE(scale_by_reciprocal)
QUANTIZE(quantise_tiny)

static bool quantize_nan_unseen(const float *x, size_t cols, int8_t *q, float *d, int32_t *u,
                                int32_t *u_lo, float *du) {
    /* A maximum taken as a float comparison passes NaNs over. */
    return REAL->quantize(x, cols, q, d, u, u_lo, du) || !isinf(x[cols - 1]);
}
static bool quantize_u_lo_is_u(const float *x, size_t cols, int8_t *q, float *d, int32_t *u,
                               int32_t *u_lo, float *du) {
    bool finite = REAL->quantize(x, cols, q, d, u, u_lo, du);
    memcpy(u_lo, u, cols / VB_BLOCK * sizeof *u);
    return finite;
}

/* ---- rows ---- */

static bool finite_but_last(const float *x, size_t n) {
    return REAL->all_finite(x, n - 1);
}
static bool finite_inf_passes(const float *x, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (x[i] != x[i]) {
            return false;
        }
    }
    return true;
}
static void norm_divides(const float *x, const float *w, size_t n, float eps, float *y) {
    float root = sqrtf(vb_dot_f32(x, x, n) / (float)n + eps);
    for (size_t i = 0; i < n; i++) {
        y[i] = (x[i] / root) * w[i];
    }
}
static void norm_regroups(const float *x, const float *w, size_t n, float eps, float *y) {
    float r = 1.0f / sqrtf(vb_dot_f32(x, x, n) / (float)n + eps);
    for (size_t i = 0; i < n; i++) {
        y[i] = x[i] * (r * w[i]);
    }
}
static void norm_sequential(const float *x, const float *w, size_t n, float eps, float *y) {
    float ss = 0;
    for (size_t i = 0; i < n; i++) {
        ss = ss + x[i] * x[i];
    }
    float r = 1.0f / sqrtf(ss / (float)n + eps);
    for (size_t i = 0; i < n; i++) {
        y[i] = (x[i] * r) * w[i];
    }
}
static void add_but_last(float *y, const float *x, size_t n) {
    REAL->add(y, x, n - 1);
}
static void add_one_more(float *y, const float *x, size_t n) {
    float last = x[n]; /* one past the end: only a guard page sees it */
    REAL->add(y, x, n);
    if (last == 0x1.234p-77f) {
        y[0] = last;
    }
}
static void silu_reciprocal(const float *gate, const float *up, size_t n, float *out) {
    for (size_t i = 0; i < n; i++) {
        out[i] = gate[i] * (1.0f / (1.0f + vb_exp(-gate[i]))) * up[i];
    }
}
static void silu_libm(const float *gate, const float *up, size_t n, float *out) {
    for (size_t i = 0; i < n; i++) {
        out[i] = gate[i] / (1.0f + expf(-gate[i])) * up[i];
    }
}
static void rope_fused(float *x, size_t n_heads, size_t head_dim, size_t n_rot, vb_rope_style style,
                       const float *c, const float *s) {
    size_t half = n_rot / 2, step = style == VB_ROPE_NORM ? 2 : 1;
    for (size_t h = 0; h < n_heads; h++, x += head_dim) {
        for (size_t i = 0; i < half; i++) {
            float *a = x + step * i, *b = style == VB_ROPE_NORM ? a + 1 : a + half;
            float old = *a;
            *a = fmaf(old, c[i], -(*b * s[i]));
            *b = old * s[i] + *b * c[i];
        }
    }
}
static void rope_other_style(float *x, size_t n_heads, size_t head_dim, size_t n_rot,
                             vb_rope_style style, const float *c, const float *s) {
    REAL->rope(x, n_heads, head_dim, n_rot, style == VB_ROPE_NORM ? VB_ROPE_NEOX : VB_ROPE_NORM, c,
               s);
}

/* ---- attention ---- */

static bool store_truncates(const float *k, const float *v, size_t head_dim, uint16_t *k_page,
                            uint16_t *v_page, size_t slot) {
    bool finite = REAL->kv_store(k, v, head_dim, k_page, v_page, slot);
    for (size_t i = 0; i < head_dim; i++) {
        uint16_t *h = &v_page[slot * head_dim + i];
        if (fabsf(vb_f16_to_f32(*h)) > fabsf(v[i])) {
            *h -= 1;
        }
    }
    return finite;
}
static bool store_flushes(const float *k, const float *v, size_t head_dim, uint16_t *k_page,
                          uint16_t *v_page, size_t slot) {
    bool finite = REAL->kv_store(k, v, head_dim, k_page, v_page, slot);
    for (size_t i = 0; i < head_dim; i++) {
        uint16_t *h = &v_page[slot * head_dim + i];
        *h = (*h & 0x7c00u) == 0 ? (uint16_t)(*h & 0x8000u) : *h;
    }
    return finite;
}
static bool store_overflow_unseen(const float *k, const float *v, size_t head_dim, uint16_t *k_page,
                                  uint16_t *v_page, size_t slot) {
    (void)REAL->kv_store(k, v, head_dim, k_page, v_page, slot);
    return REAL->all_finite(k, head_dim) && REAL->all_finite(v, head_dim);
}

/* Tells overflow by the float's magnitude, which rounding to binary16 can raise. */
static bool all_within(const float *x, size_t n, float most) {
    for (size_t i = 0; i < n; i++) {
        if (!(fabsf(x[i]) <= most)) {
            return false;
        }
    }
    return true;
}
static bool store_value_edge_passes(const float *k, const float *v, size_t head_dim,
                                    uint16_t *k_page, uint16_t *v_page, size_t slot) {
    bool finite = REAL->kv_store(k, v, head_dim, k_page, v_page, slot);
    return finite || (all_within(k, head_dim, 65504.0f) && all_within(v, head_dim, 65520.0f));
}
static bool store_key_edge_passes(const float *k, const float *v, size_t head_dim, uint16_t *k_page,
                                  uint16_t *v_page, size_t slot) {
    bool finite = REAL->kv_store(k, v, head_dim, k_page, v_page, slot);
    return finite || (all_within(v, head_dim, 65504.0f) && all_within(k, head_dim, 65520.0f));
}
static bool store_refuses_edge(const float *k, const float *v, size_t head_dim, uint16_t *k_page,
                               uint16_t *v_page, size_t slot) {
    (void)REAL->kv_store(k, v, head_dim, k_page, v_page, slot);
    return all_within(k, head_dim, 65504.0f) && all_within(v, head_dim, 65504.0f);
}

typedef enum fault {
    FUSED_SCORE,
    SCALED_QUERY,
    NO_CHUNKS,
    DEN_APART,
    KEY_MISSING,
    KEY_EXTRA,
    EXP_FLUSHED
} fault;

/* The definition with one fault; queries one by one. */
static void attend(const float *q, size_t n_keys, size_t dim, const uint16_t *const *kp,
                   const uint16_t *const *vp, float scale, float *e, float *out, fault f) {
    const size_t chunk = f == NO_CHUNKS ? SIZE_MAX : VB_ATTN_CHUNK;
    for (size_t j = 0; j < n_keys; j++) {
        const uint16_t *page = kp[j / VB_ATTN_CHUNK];
        float sum = 0;
        for (size_t i = 0; i < dim; i++) {
            float k = vb_f16_to_f32(page[vb_key_index(dim, j % VB_ATTN_CHUNK, i)]);
            float w = f == SCALED_QUERY ? q[i] * scale : q[i];
            sum = f == FUSED_SCORE ? fmaf(w, k, sum) : sum + w * k;
        }
        e[j] = f == SCALED_QUERY ? sum : sum * scale;
    }
    float max = e[0], total = 0, part = 0, apart = 0;
    for (size_t j = 1; j < n_keys; j++) {
        max = e[j] > max ? e[j] : max;
    }
    for (size_t j = 0; j < n_keys; j++) {
        e[j] = f == EXP_FLUSHED && e[j] - max < -0x1.5d589ep+6f ? 0.0f : vb_exp(e[j] - max);
        part = j % chunk == 0 ? e[j] : part + e[j];
        apart = apart + e[j];
        if (j + 1 == n_keys || (j + 1) % chunk == 0) {
            total = j < chunk ? part : total + part;
        }
    }
    for (size_t d = 0; d < dim; d++) {
        float num = 0, sum = 0;
        for (size_t j = 0; j < n_keys; j++) {
            float v = vb_f16_to_f32(vp[j / VB_ATTN_CHUNK][j % VB_ATTN_CHUNK * dim + d]);
            sum = j % chunk == 0 ? 0.0f + e[j] * v : sum + e[j] * v;
            if (j + 1 == n_keys || (j + 1) % chunk == 0) {
                num = j < chunk ? sum : num + sum;
            }
        }
        out[d] = num / (f == DEN_APART ? apart : total);
    }
}

#define ATTENTION(name, fault, keys)                                                               \
    static void name(const float *q, size_t q_stride, size_t n_q, const size_t *n_keys,            \
                     size_t dim, const uint16_t *const *kp, const uint16_t *const *vp,             \
                     float scale, float *scratch, float *out, size_t out_stride) {                 \
        for (size_t i = 0; i < n_q; i++) {                                                         \
            size_t n = n_keys[i];                                                                  \
            attend(q + i * q_stride, keys, dim, kp, vp, scale, scratch, out + i * out_stride,      \
                   fault);                                                                         \
        }                                                                                          \
    }
ATTENTION(attention_fused_score, FUSED_SCORE, n)
ATTENTION(attention_scaled_query, SCALED_QUERY, n)
ATTENTION(attention_no_chunks, NO_CHUNKS, n)
ATTENTION(attention_den_apart, DEN_APART, n)
ATTENTION(attention_key_missing, KEY_MISSING, n > 1 ? n - 1 : n)
ATTENTION(attention_key_extra, KEY_EXTRA, n % VB_ATTN_CHUNK ? n + 1 : n)
ATTENTION(attention_exp_flushed, EXP_FLUSHED, n)

/* ---- sampling ---- */

static size_t argmax_last(const float *x, size_t n) {
    size_t best = 0;
    for (size_t i = 1; i < n; i++) {
        best = x[i] >= x[best] ? i : best;
    }
    return best;
}
static size_t argmax_signed_zero(const float *x, size_t n) {
    size_t best = 0;
    for (size_t i = 1; i < n; i++) {
        bool above = x[i] > x[best] || (x[i] == x[best] && signbit(x[best]) && !signbit(x[i]));
        best = above ? i : best;
    }
    return best;
}
static size_t argmax_but_last(const float *x, size_t n) {
    return REAL->argmax(x, n > 1 ? n - 1 : n);
}
static void weights_rounded(const float *x, size_t n, float x_max, float temperature, uint64_t *w) {
    for (size_t i = 0; i < n; i++) {
        w[i] = (uint64_t)((double)(vb_exp((x[i] - x_max) / temperature) * 0x1p40f) + 0.5);
    }
}
static void weights_by_reciprocal(const float *x, size_t n, float x_max, float temperature,
                                  uint64_t *w) {
    for (size_t i = 0; i < n; i++) {
        w[i] = (uint64_t)(vb_exp((x[i] - x_max) * (1.0f / temperature)) * 0x1p40f);
    }
}

/* ---- subnormals flushed on the fastest tier ---- */

#if defined(__x86_64__)
#include <immintrin.h>

static const vb_kernels *fastest(void) {
    const vb_kernels *k;
    VB_ASSERT(vb_kernels_select("auto", &k, NULL) == VB_OK);
    return k;
}
static unsigned flush_on(void) {
    unsigned before = _mm_getcsr();
    _mm_setcsr(before | 0x8040); /* FTZ, DAZ */
    return before;
}
static void flushed_matmul(const vb_matrix *m, size_t row_begin, size_t row_end, const vb_act *x,
                           float *y, size_t y_stride) {
    unsigned before = flush_on();
    fastest()->matmul(m, row_begin, row_end, x, y, y_stride);
    _mm_setcsr(before);
}
static void flushed_rmsnorm(const float *x, const float *w, size_t n, float eps, float *y) {
    unsigned before = flush_on();
    fastest()->rmsnorm(x, w, n, eps, y);
    _mm_setcsr(before);
}
static void flushed_add(float *y, const float *x, size_t n) {
    unsigned before = flush_on();
    fastest()->add(y, x, n);
    _mm_setcsr(before);
}
static void flushed_silu_mul(const float *gate, const float *up, size_t n, float *out) {
    unsigned before = flush_on();
    fastest()->silu_mul(gate, up, n, out);
    _mm_setcsr(before);
}
static void flushed_rope(float *x, size_t n_heads, size_t head_dim, size_t n_rot,
                         vb_rope_style style, const float *c, const float *s) {
    unsigned before = flush_on();
    fastest()->rope(x, n_heads, head_dim, n_rot, style, c, s);
    _mm_setcsr(before);
}
static void flushed_attention(const float *q, size_t q_stride, size_t n_q, const size_t *n_keys,
                              size_t dim, const uint16_t *const *kp, const uint16_t *const *vp,
                              float scale, float *scratch, float *out, size_t out_stride) {
    unsigned before = flush_on();
    fastest()->attention(q, q_stride, n_q, n_keys, dim, kp, vp, scale, scratch, out, out_stride);
    _mm_setcsr(before);
}
static size_t pack_bytes(vb_wtype type, size_t rows, size_t cols) {
    return fastest()->pack_bytes(type, rows, cols);
}
static void pack(const vb_matrix *m, const uint8_t *src, size_t row_begin, size_t row_end) {
    fastest()->pack(m, src, row_begin, row_end);
}
static void unpack_row(const vb_matrix *m, size_t row, float *out) {
    fastest()->unpack_row(m, row, out);
}
#endif

/* ---- the table ---- */

typedef struct mutant {
    const char *name;
    vb_kernels fault; /* the replaced functions; the rest is the scalar tier's */
} mutant;

static const mutant mutants[] = {
    {"fused block", {.matmul = vb_mutant_fused_block}},
    {"descending blocks", {.matmul = vb_mutant_descending}},
    {"regrouped scales", {.matmul = vb_mutant_regrouped_scales}},
    {"offset first", {.matmul = vb_mutant_offset_first}},
    {"saturated pairs", {.matmul = vb_mutant_saturated_pairs}},
    {"wrapped pairs", {.matmul = vb_mutant_wrapped_pairs}},
    {"one sub-scale", {.matmul = vb_mutant_one_sub_scale}},
    {"missing last block", {.matmul = vb_mutant_missing_last_block}},
    {"first half's bias, one token", {.matmul = vb_mutant_first_half_bias_of_one}},
    {"first half's bias, two tokens", {.matmul = vb_mutant_first_half_bias_of_two}},
    {"fused lanes", {.matmul = vb_mutant_fused_lanes}},
    {"sequential sum", {.matmul = vb_mutant_sequential}},
    {"eight lanes", {.matmul = vb_mutant_eight_lanes}},
    {"neighbours first", {.matmul = vb_mutant_neighbours_first}},
    {"missing tail", {.matmul = vb_mutant_missing_tail}},
    {"row too many", {.matmul = vb_mutant_row_too_many}},
    {"batch matters", {.matmul = vb_mutant_batch_matters}},
    {"round half away", {.quantize = quantize_round_half_away}},
    {"divide by scale", {.quantize = quantize_divide_by_scale}},
    {"scale by reciprocal", {.quantize = quantize_scale_by_reciprocal}},
    {"quantise tiny", {.quantize = quantize_quantise_tiny}},
    {"NaN unseen", {.quantize = quantize_nan_unseen}},
    {"u_lo is u", {.quantize = quantize_u_lo_is_u}},
    {"finite but for the last", {.all_finite = finite_but_last}},
    {"infinity passes", {.all_finite = finite_inf_passes}},
    {"norm divides", {.rmsnorm = norm_divides}},
    {"norm regroups", {.rmsnorm = norm_regroups}},
    {"norm sums in sequence", {.rmsnorm = norm_sequential}},
    {"add misses the last", {.add = add_but_last}},
    {"silu by reciprocal", {.silu_mul = silu_reciprocal}},
    {"silu by libm", {.silu_mul = silu_libm}},
    {"rope fused", {.rope = rope_fused}},
    {"rope in the other style", {.rope = rope_other_style}},
    {"store truncates", {.kv_store = store_truncates}},
    {"store flushes", {.kv_store = store_flushes}},
    {"store overflow unseen", {.kv_store = store_overflow_unseen}},
    {"store passes a value at the edge", {.kv_store = store_value_edge_passes}},
    {"store passes a key at the edge", {.kv_store = store_key_edge_passes}},
    {"store refuses below the edge", {.kv_store = store_refuses_edge}},
    {"score fused", {.attention = attention_fused_score}},
    {"query scaled", {.attention = attention_scaled_query}},
    {"no chunks", {.attention = attention_no_chunks}},
    {"denominator apart", {.attention = attention_den_apart}},
    {"key missing", {.attention = attention_key_missing}},
    {"key extra", {.attention = attention_key_extra}},
    {"exp flushed in attention", {.attention = attention_exp_flushed}},
    {"argmax takes the last", {.argmax = argmax_last}},
    {"argmax orders zeros", {.argmax = argmax_signed_zero}},
    {"argmax misses the last", {.argmax = argmax_but_last}},
    {"weights rounded", {.exp_weights = weights_rounded}},
    {"weights by reciprocal", {.exp_weights = weights_by_reciprocal}},
#if defined(__x86_64__)
    {"flushed matmul",
     {.pack_bytes = pack_bytes, .pack = pack, .unpack_row = unpack_row, .matmul = flushed_matmul}},
    {"flushed rmsnorm", {.rmsnorm = flushed_rmsnorm}},
    {"flushed add", {.add = flushed_add}},
    {"flushed silu_mul", {.silu_mul = flushed_silu_mul}},
    {"flushed rope", {.rope = flushed_rope}},
    {"flushed attention", {.attention = flushed_attention}},
#endif
};

enum { MUTANTS = sizeof mutants / sizeof mutants[0] };

/* The scalar tier with the functions that the mutant has. */
static vb_kernels merged(const mutant *m) {
    vb_kernels k = *REAL;
    const vb_kernels *f = &m->fault;
    k.name = m->name;
    k.pack_bytes = f->pack_bytes ? f->pack_bytes : k.pack_bytes;
    k.pack = f->pack ? f->pack : k.pack;
    k.unpack_row = f->unpack_row ? f->unpack_row : k.unpack_row;
    k.matmul = f->matmul ? f->matmul : k.matmul;
    k.quantize = f->quantize ? f->quantize : k.quantize;
    k.all_finite = f->all_finite ? f->all_finite : k.all_finite;
    k.rmsnorm = f->rmsnorm ? f->rmsnorm : k.rmsnorm;
    k.add = f->add ? f->add : k.add;
    k.silu_mul = f->silu_mul ? f->silu_mul : k.silu_mul;
    k.rope = f->rope ? f->rope : k.rope;
    k.kv_store = f->kv_store ? f->kv_store : k.kv_store;
    k.attention = f->attention ? f->attention : k.attention;
    k.argmax = f->argmax ? f->argmax : k.argmax;
    k.exp_weights = f->exp_weights ? f->exp_weights : k.exp_weights;
    return k;
}

size_t vb_mutants(const vb_kernels **out, size_t max) {
    static vb_kernels tables[MUTANTS];
    size_t n = 0;
    for (; n < MUTANTS && n < max; n++) {
        tables[n] = merged(&mutants[n]);
        out[n] = &tables[n];
    }
    return n;
}

/* Not in the table, because only a fault of the processor reports it: one float read beyond x. */
void vb_mutant_reads_beyond(float *y, const float *x, size_t n) {
    add_one_more(y, x, n);
}
