/*
 * The KV cache and attention (section 6) on the pages that kernels.h lays out. Scores keep 16 keys
 * in four registers, weighted sums keep 16 dimensions: nothing is ever summed across a
 * register. Up to four queries share what is loaded of keys and values.
 */
#include "kernels/arm/lanes.h"
#include "kernels/arm/tiers.h"

enum { GROUP_MAX = 4, KEY_TILE = 16 };

/* Four values to binary16; the magnitude bits are collected in *max. */
VB_ARM_INLINE uint16x4_t to_f16(const float *x, uint16x4_t *max) {
    const uint16x4_t h = vreinterpret_u16_f16(vcvt_f16_f32(vld1q_f32(x)));
    *max = vmax_u16(*max, vand_u16(h, vdup_n_u16(0x7fff)));
    return h;
}

bool vb_arm_kv_store(const float *k, const float *v, size_t head_dim, uint16_t *k_page,
                     uint16_t *v_page, size_t slot) {
    uint16_t *key = k_page + slot / KEY_TILE * head_dim * KEY_TILE + slot % KEY_TILE;
    uint16_t *value = v_page + slot * head_dim;
    uint16x4_t max4 = vdup_n_u16(0);
    size_t i = 0;
    for (; i + 4 <= head_dim; i += 4) {
        const uint16x4_t h = to_f16(k + i, &max4);
        vst1_lane_u16(key + i * KEY_TILE, h, 0);
        vst1_lane_u16(key + (i + 1) * KEY_TILE, h, 1);
        vst1_lane_u16(key + (i + 2) * KEY_TILE, h, 2);
        vst1_lane_u16(key + (i + 3) * KEY_TILE, h, 3);
        vst1_u16(value + i, to_f16(v + i, &max4));
    }
    bool finite = vmaxv_u16(max4) < 0x7c00;
    for (; i < head_dim; i++) {
        key[i * KEY_TILE] = vb_f32_to_f16(k[i]);
        value[i] = vb_f32_to_f16(v[i]);
        finite = finite && vb_f16_finite(key[i * KEY_TILE]) && vb_f16_finite(value[i]);
    }
    return finite;
}

/* Scores of the 16 keys of one tile for n queries. */
VB_ARM_INLINE void tile_scores(size_t n, const float *q, size_t q_stride, size_t head_dim,
                               const uint16_t *tile, float scale, float *score,
                               size_t score_stride) {
    float32x4_t acc[GROUP_MAX][4];
#pragma GCC unroll 16
    for (size_t i = 0; i < 4 * n; i++) {
        acc[i / 4][i % 4] = vdupq_n_f32(0.0f);
    }
    for (size_t d = 0; d < head_dim; d++) {
        float32x4_t key[4];
        vb_arm_load_f16x8(tile + d * KEY_TILE, key);
        vb_arm_load_f16x8(tile + d * KEY_TILE + 8, key + 2);
#pragma GCC unroll 4
        for (size_t i = 0; i < n; i++) {
            const float qd = q[i * q_stride + d];
#pragma GCC unroll 4
            for (size_t r = 0; r < 4; r++) {
                acc[i][r] = vaddq_f32(acc[i][r], vmulq_n_f32(key[r], qd));
            }
        }
    }
#pragma GCC unroll 4
    for (size_t i = 0; i < n; i++) {
#pragma GCC unroll 4
        for (size_t r = 0; r < 4; r++) {
            vst1q_f32(score + i * score_stride + 4 * r, vmulq_n_f32(acc[i][r], scale));
        }
    }
}

/* exp(s - max) in place; up to 3 elements past n are overwritten. */
static void softmax_weights(float *s, size_t n) {
    float32x4_t max4 = vdupq_n_f32(s[0]);
    size_t j = 0;
    for (; j + 4 <= n; j += 4) {
        const float32x4_t v = vld1q_f32(s + j);
        max4 = vbslq_f32(vcgtq_f32(v, max4), v, max4);
    }
    float max = vmaxvq_f32(max4);
    for (; j < n; j++) {
        max = s[j] > max ? s[j] : max;
    }
    for (j = 0; j < n; j += 4) {
        vst1q_f32(s + j, vb_arm_exp(vsubq_f32(vld1q_f32(s + j), vdupq_n_f32(max))));
    }
}

/* Up to four queries and where their parts are. */
typedef struct group {
    size_t n_keys[GROUP_MAX];
    float *weights[GROUP_MAX]; /* [n_keys], padded */
    float *out[GROUP_MAX];
    float total[GROUP_MAX];
} group;

/* The group's keys that lie in one page. */
typedef struct page_part {
    size_t n[GROUP_MAX];
    size_t common;             /* the least of n */
    const float *e[GROUP_MAX]; /* weights of the page's keys */
} page_part;

/* Dimensions d .. d + 3 (n_regs 1) or d + 15 (n_regs 4) of one value. */
VB_ARM_INLINE void load_value(size_t n_regs, const uint16_t *value, float32x4_t v[4]) {
    if (n_regs == 4) {
        vb_arm_load_f16x8(value, v);
        vb_arm_load_f16x8(value + 8, v + 2);
    } else {
        v[0] = vb_arm_load_f16x4(value);
    }
}

/* The page's weighted sums of 4 * n_regs dimensions from d on, added to out. */
VB_ARM_INLINE void value_strip(size_t n, size_t n_regs, const group *g, const page_part *part,
                               const uint16_t *page, size_t head_dim, size_t d, bool first) {
    float32x4_t acc[GROUP_MAX][4], v[4];
#pragma GCC unroll 4
    for (size_t i = 0; i < n; i++) {
#pragma GCC unroll 4
        for (size_t r = 0; r < n_regs; r++) {
            acc[i][r] = vdupq_n_f32(0.0f);
        }
    }
    for (size_t j = 0; j < part->common; j++) {
        load_value(n_regs, page + j * head_dim + d, v);
#pragma GCC unroll 4
        for (size_t i = 0; i < n; i++) {
            const float e = part->e[i][j];
#pragma GCC unroll 4
            for (size_t r = 0; r < n_regs; r++) {
                acc[i][r] = vaddq_f32(acc[i][r], vmulq_n_f32(v[r], e));
            }
        }
    }
#pragma GCC unroll 4
    for (size_t i = 0; i < n; i++) {
        for (size_t j = part->common; j < part->n[i]; j++) {
            load_value(n_regs, page + j * head_dim + d, v);
#pragma GCC unroll 4
            for (size_t r = 0; r < n_regs; r++) {
                acc[i][r] = vaddq_f32(acc[i][r], vmulq_n_f32(v[r], part->e[i][j]));
            }
        }
        if (part->n[i] == 0) {
            continue;
        }
#pragma GCC unroll 4
        for (size_t r = 0; r < n_regs; r++) {
            float *out = g->out[i] + d + 4 * r;
            vst1q_f32(out, first ? acc[i][r] : vaddq_f32(vld1q_f32(out), acc[i][r]));
        }
    }
}

/* One dimension of one query. */
static void value_single(float *out, const float *e, size_t n, const uint16_t *page,
                         size_t head_dim, bool first) {
    float sum = 0.0f;
    for (size_t j = 0; j < n; j++) {
        sum = sum + e[j] * vb_f16_to_f32(page[j * head_dim]);
    }
    *out = first ? sum : *out + sum;
}

/* Adds the page's sums of values and of weights. */
VB_ARM_INLINE void page_sums(size_t n, group *g, const page_part *part, const uint16_t *page,
                             size_t head_dim, bool first) {
    size_t d = 0;
    for (; d + 16 <= head_dim; d += 16) {
        value_strip(n, 4, g, part, page, head_dim, d, first);
    }
    for (; d + 4 <= head_dim; d += 4) {
        value_strip(n, 1, g, part, page, head_dim, d, first);
    }
    float den[GROUP_MAX] = {0};
    for (size_t j = 0; j < part->common; j++) {
#pragma GCC unroll 4
        for (size_t i = 0; i < n; i++) {
            den[i] = den[i] + part->e[i][j];
        }
    }
    for (size_t i = 0; i < n; i++) {
        for (size_t j = part->common; j < part->n[i]; j++) {
            den[i] = den[i] + part->e[i][j];
        }
        if (part->n[i] == 0) {
            continue;
        }
        g->total[i] = first ? den[i] : g->total[i] + den[i];
        for (size_t s = d; s < head_dim; s++) {
            value_single(g->out[i] + s, part->e[i], part->n[i], page + s, head_dim, first);
        }
    }
}

static void divide(float *out, size_t n, float total) {
    size_t d = 0;
    for (; d + 4 <= n; d += 4) {
        vst1q_f32(out + d, vdivq_f32(vld1q_f32(out + d), vdupq_n_f32(total)));
    }
    for (; d < n; d++) {
        out[d] = out[d] / total;
    }
}

/* n queries, a constant of at most GROUP_MAX; stride: floats of scratch for each. */
VB_ARM_INLINE void attend(size_t n, const float *q, size_t q_stride, const size_t *n_keys,
                          size_t head_dim, const uint16_t *const *key_pages,
                          const uint16_t *const *value_pages, float scale, float *scratch,
                          size_t stride, float *out, size_t out_stride) {
    group g;
    size_t longest = 0;
    for (size_t i = 0; i < n; i++) {
        g.n_keys[i] = n_keys[i];
        g.weights[i] = scratch + i * stride;
        g.out[i] = out + i * out_stride;
        g.total[i] = 0.0f;
        longest = n_keys[i] > longest ? n_keys[i] : longest;
    }
    for (size_t j = 0; j < longest; j += KEY_TILE) {
        const uint16_t *tile = key_pages[j / VB_ATTN_CHUNK] + j % VB_ATTN_CHUNK * head_dim;
        tile_scores(n, q, q_stride, head_dim, tile, scale, scratch + j, stride);
    }
    for (size_t i = 0; i < n; i++) {
        softmax_weights(g.weights[i], g.n_keys[i]);
    }
    for (size_t begin = 0; begin < longest; begin += VB_ATTN_CHUNK) {
        page_part part = {.common = VB_ATTN_CHUNK};
        for (size_t i = 0; i < n; i++) {
            const size_t left = g.n_keys[i] > begin ? g.n_keys[i] - begin : 0;
            part.n[i] = left < VB_ATTN_CHUNK ? left : VB_ATTN_CHUNK;
            part.e[i] = g.weights[i] + begin;
            part.common = part.n[i] < part.common ? part.n[i] : part.common;
        }
        page_sums(n, &g, &part, value_pages[begin / VB_ATTN_CHUNK], head_dim, begin == 0);
    }
    for (size_t i = 0; i < n; i++) {
        divide(g.out[i], head_dim, g.total[i]);
    }
}

void vb_arm_attention(const float *q, size_t q_stride, size_t n_q, const size_t *n_keys,
                      size_t head_dim, const uint16_t *const *key_pages,
                      const uint16_t *const *value_pages, float scale, float *scratch, float *out,
                      size_t out_stride) {
    size_t longest = 0, i = 0;
    for (size_t j = 0; j < n_q; j++) {
        longest = n_keys[j] > longest ? n_keys[j] : longest;
    }
    const size_t stride = (longest + VB_ATTN_CHUNK - 1) / VB_ATTN_CHUNK * VB_ATTN_CHUNK;
    for (; i + 4 <= n_q; i += 4) {
        attend(4, q + i * q_stride, q_stride, n_keys + i, head_dim, key_pages, value_pages, scale,
               scratch + i * stride, stride, out + i * out_stride, out_stride);
    }
    for (; i < n_q; i++) {
        attend(1, q + i * q_stride, q_stride, n_keys + i, head_dim, key_pages, value_pages, scale,
               scratch + i * stride, stride, out + i * out_stride, out_stride);
    }
}
