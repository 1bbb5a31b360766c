#include "arith/attention.h"

#include "arith/bits.h"
#include "arith/exp.h"
#include "arith/trig.h"
#include "base/error.h"
#include "base/limits.h"

float vb_attention_scale(size_t head_dim) {
    return 1.0f / vb_sqrt_f32((float)head_dim);
}

bool vb_kv_store(const float *k, const float *v, size_t head_dim, uint16_t *k_page,
                 uint16_t *v_page, size_t slot) {
    bool finite = true;
    for (size_t i = 0; i < head_dim; i++) {
        uint16_t key = vb_f32_to_f16(k[i]);
        uint16_t value = vb_f32_to_f16(v[i]);
        finite = finite && vb_f16_finite(key) && vb_f16_finite(value);
        k_page[vb_key_index(head_dim, slot, i)] = key;
        v_page[slot * head_dim + i] = value;
    }
    return finite;
}

/* Scores of the first n keys of one page. */
static void page_scores(const float *q, size_t n, size_t head_dim, const uint16_t *page,
                        float scale, float *score) {
    for (size_t j = 0; j < n; j++) {
        float sum = 0.0f;
        for (size_t i = 0; i < head_dim; i++) {
            sum = sum + q[i] * vb_f16_to_f32(page[vb_key_index(head_dim, j, i)]);
        }
        score[j] = sum * scale;
    }
}

/* The weighted sum of the first n values of one page, and the sum of the weights. */
static float page_sums(const float *e, size_t n, size_t head_dim, const uint16_t *page,
                       float *num) {
    float den = 0.0f;
    for (size_t d = 0; d < head_dim; d++) {
        num[d] = 0.0f;
    }
    for (size_t j = 0; j < n; j++) {
        for (size_t d = 0; d < head_dim; d++) {
            num[d] = num[d] + e[j] * vb_f16_to_f32(page[j * head_dim + d]);
        }
        den = den + e[j];
    }
    return den;
}

void vb_attention_row(const float *q, size_t n_keys, size_t head_dim,
                      const uint16_t *const *key_pages, const uint16_t *const *value_pages,
                      float scale, float *scratch, float *out) {
    VB_ASSERT(n_keys >= 1 && head_dim <= VB_MODEL_HEAD_DIM_MAX);
    size_t pages = (n_keys - 1) / VB_ATTN_CHUNK + 1;
    for (size_t p = 0; p < pages; p++) {
        size_t begin = p * VB_ATTN_CHUNK;
        size_t n = n_keys - begin < VB_ATTN_CHUNK ? n_keys - begin : VB_ATTN_CHUNK;
        page_scores(q, n, head_dim, key_pages[p], scale, scratch + begin);
    }
    float max = scratch[0];
    for (size_t j = 1; j < n_keys; j++) {
        max = scratch[j] > max ? scratch[j] : max;
    }
    for (size_t j = 0; j < n_keys; j++) {
        scratch[j] = vb_exp(scratch[j] - max);
    }
    float total = 0.0f;
    for (size_t p = 0; p < pages; p++) {
        float num[VB_MODEL_HEAD_DIM_MAX];
        size_t begin = p * VB_ATTN_CHUNK;
        size_t n = n_keys - begin < VB_ATTN_CHUNK ? n_keys - begin : VB_ATTN_CHUNK;
        float den = page_sums(scratch + begin, n, head_dim, value_pages[p], num);
        for (size_t d = 0; d < head_dim; d++) {
            out[d] = p == 0 ? num[d] : out[d] + num[d];
        }
        total = p == 0 ? den : total + den;
    }
    for (size_t d = 0; d < head_dim; d++) {
        out[d] = out[d] / total;
    }
}
