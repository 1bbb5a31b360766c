/*
 * Quantising, normalising and sampling kernels of one tier; included once by each tier's
 * rows file, after its lanes. Contracts: kernels.h; the order of operations: src/arith.
 */
#include "arith/product.h"
#include "kernels/x86/common_lanes.h"
#include "kernels/x86/internal.h"

enum { LANES = VB_LANES, QUANT_GROUP = 16 };

/* 32 values times r, rounded to int8; the sums of the first and the second 16. */
VB_INLINE void quantize_block(const float *x, float r, int8_t *q, int32_t *sum_lo,
                              int32_t *sum_hi) {
    __m256 scale = _mm256_set1_ps(r);
    __m256i v0 = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x), scale));
    __m256i v1 = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + 8), scale));
    __m256i v2 = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + 16), scale));
    __m256i v3 = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + 24), scale));
    __m256i bytes = _mm256_packs_epi16(_mm256_packs_epi32(v0, v1), _mm256_packs_epi32(v2, v3));
    bytes = _mm256_permutevar8x32_epi32(bytes, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
    _mm256_storeu_si256((__m256i *)(void *)q, bytes);
    __m256i pairs = _mm256_maddubs_epi16(_mm256_set1_epi8(1), bytes);
    __m256i fours = _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
    fours = _mm256_add_epi32(fours, _mm256_shuffle_epi32(fours, 0x4e));
    fours = _mm256_add_epi32(fours, _mm256_shuffle_epi32(fours, 0xb1));
    *sum_lo = _mm_cvtsi128_si32(_mm256_castsi256_si128(fours));
    *sum_hi = _mm_cvtsi128_si32(_mm256_extracti128_si256(fours, 1));
}

/* Scales and multipliers of up to 16 blocks at once: a division costs as much for one. */
VB_INLINE void quantize_scales(const uint32_t *max_bits, float *scale, float *r) {
    f32s a = f_load((const float *)(const void *)max_bits), zero = f_set(0.0f);
    f32s least = f_set(VB_QUANT_MIN), steps = f_set(127.0f);
    f_store(scale, f_if_lt(a, least, zero, f_div(a, steps)));
    f_store(r, f_if_lt(a, least, zero, f_div(steps, a)));
}

bool TIER(vb_quantize)(const float *x, size_t cols, int8_t *q, float *d, int32_t *u, int32_t *u_lo,
                       float *du) {
    i32s magnitude = i_set(0x7fffffffu);
    size_t blocks = cols / VB_BLOCK;
    for (size_t b0 = 0; b0 < blocks; b0 += QUANT_GROUP) {
        size_t n = blocks - b0 < QUANT_GROUP ? blocks - b0 : QUANT_GROUP;
        uint32_t max_bits[QUANT_GROUP] = {0};
        float scale[QUANT_GROUP], r[QUANT_GROUP];
        for (size_t b = 0; b < n; b++) {
            const float *p = x + (b0 + b) * VB_BLOCK;
            i32s lo = i_and(f_bits(f_load(p)), magnitude);
            i32s hi = i_and(f_bits(f_load(p + LANES)), magnitude);
            max_bits[b] = i_lanes_max(i_max(lo, hi));
            if (max_bits[b] >= 0x7f800000u) {
                return false;
            }
        }
        quantize_scales(max_bits, scale, r);
        for (size_t b = 0; b < n; b++) {
            size_t at = b0 + b;
            int32_t lo, hi;
            quantize_block(x + at * VB_BLOCK, r[b], q + at * VB_BLOCK, &lo, &hi);
            d[at] = scale[b];
            u[at] = lo + hi;
            u_lo[at] = lo;
            du[at] = scale[b] * (float)(lo + hi);
        }
    }
    return true;
}

bool TIER(vb_all_finite)(const float *x, size_t n) {
    i32s magnitude = i_set(0x7fffffffu), max_bits = i_set(0);
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        max_bits = i_max(max_bits, i_and(f_bits(f_load(x + i)), magnitude));
    }
    if (i < n) {
        max_bits = i_max(max_bits, i_and(f_bits(f_load_n(x + i, n - i)), magnitude));
    }
    return i_lanes_max(max_bits) < 0x7f800000u;
}

void TIER(vb_rmsnorm)(const float *x, const float *w, size_t n, float eps, float *y) {
    f32s ss = f_set(0.0f);
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        f32s v = f_load(x + i);
        ss = f_add(ss, f_mul(v, v));
    }
    if (i < n) {
        f32s v = f_load_n(x + i, n - i);
        ss = f_first(f_add(ss, f_mul(v, v)), ss, n - i);
    }
    float root = _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(f_lanes_sum(ss) / (float)n + eps)));
    float r = 1.0f / root;
    f32s scale = f_set(r);
    for (i = 0; i + LANES <= n; i += LANES) {
        f_store(y + i, f_mul(f_mul(f_load(x + i), scale), f_load(w + i)));
    }
    if (i < n) {
        f32s v = f_mul(f_mul(f_load_n(x + i, n - i), scale), f_load_n(w + i, n - i));
        f_store_n(y + i, v, n - i);
    }
}

void TIER(vb_add)(float *y, const float *x, size_t n) {
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        f_store(y + i, f_add(f_load(y + i), f_load(x + i)));
    }
    if (i < n) {
        f_store_n(y + i, f_add(f_load_n(y + i, n - i), f_load_n(x + i, n - i)), n - i);
    }
}

/* silu(g) * u; the sign of g is flipped as a bit, as negation is. */
VB_INLINE f32s gate_lanes(f32s g, f32s u) {
    f32s minus_g = f_from_bits(i_add(f_bits(g), i_set(0x80000000u)));
    return f_mul(f_div(g, f_add(f_set(1.0f), f_exp(minus_g))), u);
}

void TIER(vb_silu_mul)(const float *gate, const float *up, size_t n, float *out) {
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        f_store(out + i, gate_lanes(f_load(gate + i), f_load(up + i)));
    }
    if (i < n) {
        f32s v = gate_lanes(f_load_n(gate + i, n - i), f_load_n(up + i, n - i));
        f_store_n(out + i, v, n - i);
    }
}

/* Pairs (2i, 2i + 1) of one vector, n_pairs of them. */
VB_INLINE void rope_norm(float *x, size_t n_pairs, const float *c, const float *s) {
    size_t i = 0;
    for (; i + LANES / 2 <= n_pairs; i += LANES / 2) {
        f32s v = f_rotate_pairs(f_load(x + 2 * i), f_load_twice(c + i), f_load_twice(s + i));
        f_store(x + 2 * i, v);
    }
    for (; i < n_pairs; i++) {
        float a = x[2 * i], b = x[2 * i + 1];
        x[2 * i] = a * c[i] - b * s[i];
        x[2 * i + 1] = a * s[i] + b * c[i];
    }
}

/* Pairs (i, i + n_pairs) of one vector. */
VB_INLINE void rope_neox(float *x, size_t n_pairs, const float *c, const float *s) {
    size_t i = 0;
    for (; i + LANES <= n_pairs; i += LANES) {
        f32s a = f_load(x + i), b = f_load(x + n_pairs + i);
        f32s cos = f_load(c + i), sin = f_load(s + i);
        f_store(x + i, f_sub(f_mul(a, cos), f_mul(b, sin)));
        f_store(x + n_pairs + i, f_add(f_mul(a, sin), f_mul(b, cos)));
    }
    for (; i < n_pairs; i++) {
        float a = x[i], b = x[n_pairs + i];
        x[i] = a * c[i] - b * s[i];
        x[n_pairs + i] = a * s[i] + b * c[i];
    }
}

void TIER(vb_rope)(float *x, size_t n_heads, size_t head_dim, size_t n_rot, vb_rope_style style,
                   const float *cos_row, const float *sin_row) {
    for (size_t h = 0; h < n_heads; h++) {
        if (style == VB_ROPE_NORM) {
            rope_norm(x + h * head_dim, n_rot / 2, cos_row, sin_row);
        } else {
            rope_neox(x + h * head_dim, n_rot / 2, cos_row, sin_row);
        }
    }
}

bool TIER(vb_kv_store)(const float *k, const float *v, size_t head_dim, uint16_t *k_page,
                       uint16_t *v_page, size_t slot) {
    const __m256i magnitude = _mm256_set1_epi16(0x7fff);
    __m256i largest = _mm256_setzero_si256();
    uint16_t *key = k_page + slot / LANES * head_dim * LANES + slot % LANES;
    uint16_t *value = v_page + slot * head_dim;
    for (size_t i = 0; i < head_dim; i += LANES) {
        size_t n = head_dim - i < LANES ? head_dim - i : LANES;
        uint16_t bits[LANES];
        __m256i half = f_to_f16(f_load_n(k + i, n));
        largest = _mm256_max_epu16(largest, _mm256_and_si256(half, magnitude));
        _mm256_storeu_si256((__m256i *)(void *)bits, half);
        for (size_t l = 0; l < n; l++) {
            key[(i + l) * LANES] = bits[l];
        }
        half = f_to_f16(f_load_n(v + i, n));
        largest = _mm256_max_epu16(largest, _mm256_and_si256(half, magnitude));
        _mm256_storeu_si256((__m256i *)(void *)bits, half);
        memcpy(value + i, bits, n * sizeof bits[0]);
    }
    __m256i bad = _mm256_cmpgt_epi16(largest, _mm256_set1_epi16(0x7bff));
    return _mm256_testz_si256(bad, bad);
}

size_t TIER(vb_argmax)(const float *x, size_t n) {
    f32s best = f_set(x[0]);
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        best = f_max(best, f_load(x + i));
    }
    if (i < n) {
        best = f_max(best, f_first(f_load_n(x + i, n - i), best, n - i));
    }
    f32s max = f_set(f_lanes_max(best));
    for (i = 0; i + LANES <= n; i += LANES) {
        uint32_t hits = f_equal_bits(f_load(x + i), max);
        if (hits) {
            return i + (size_t)__builtin_ctz(hits);
        }
    }
    while (i + 1 < n && x[i] != f_lanes_max(max)) {
        i++;
    }
    return i;
}

void TIER(vb_exp_weights)(const float *x, size_t n, float x_max, float temperature, uint64_t *w) {
    f32s max = f_set(x_max), t = f_set(temperature), one = f_set(0x1p+40f);
    for (size_t i = 0; i < n; i += LANES) {
        size_t left = n - i < LANES ? n - i : LANES;
        float e[LANES];
        f32s z = f_div(f_sub(f_load_n(x + i, left), max), t);
        f_store(e, f_mul(f_exp(z), one));
        for (size_t l = 0; l < left; l++) {
            w[i + l] =
                (uint64_t)(int64_t)e[l]; /* at most 2^40: the signed conversion is one step */
        }
    }
}
