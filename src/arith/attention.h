/*
 * The key-value cache and attention (spec/arithmetic.md section 6), on the page layout that
 * kernels.h fixes: a page holds 256 positions of one KV head as binary16 bit patterns,
 * keys [16 tiles][head_dim][16 keys], values [256][head_dim].
 *
 * Pure; any thread.
 */
#ifndef VB_ARITH_ATTENTION_H
#define VB_ARITH_ATTENTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arith/wtype.h"

/* Where dimension i of the key at slot (< 256) lies in its page. */
static inline size_t vb_key_index(size_t head_dim, size_t slot, size_t i) {
    return (slot / 16 * head_dim + i) * 16 + slot % 16;
}

/* Rounds one key and one value vector to binary16 and stores them at slot. False if a rounded
 * value is not finite; the slot is then undefined. */
bool vb_kv_store(const float *k, const float *v, size_t head_dim, uint16_t *k_page,
                 uint16_t *v_page, size_t slot);

/* The factor of every score: 1 / sqrt((f32)head_dim), square root and quotient in binary32. */
float vb_attention_scale(size_t head_dim);

/* One query q[head_dim] over keys 0 .. n_keys - 1, n_keys >= 1, head_dim at most
 * VB_MODEL_HEAD_DIM_MAX; out[head_dim]. scratch holds n_keys floats. */
void vb_attention_row(const float *q, size_t n_keys, size_t head_dim,
                      const uint16_t *const *key_pages, const uint16_t *const *value_pages,
                      float scale, float *scratch, float *out);

#endif
