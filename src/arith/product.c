#include "arith/product.h"

#include "arith/bits.h"

/* Adding it rounds |t| < 2^22 to an integer, ties to even. */
static const float RINT = 0x1.8p+23f;

bool vb_quantize_row(const float *x, size_t cols, int8_t *q, float *d, int32_t *u, int32_t *u_lo,
                     float *du) {
    for (size_t b = 0; b < cols / VB_BLOCK; b++) {
        const float *xb = x + b * VB_BLOCK;
        int8_t *qb = q + b * VB_BLOCK;
        uint32_t max_bits = 0;
        for (int i = 0; i < VB_BLOCK; i++) {
            uint32_t bits = vb_f32_bits(xb[i]) & 0x7fffffffu;
            max_bits = bits > max_bits ? bits : max_bits;
        }
        if (max_bits >= 0x7f800000u) {
            return false;
        }
        float a = vb_f32_from_bits(max_bits);
        bool zero = a < VB_QUANT_MIN;
        float scale = zero ? 0.0f : a / 127.0f;
        float r = zero ? 0.0f : 127.0f / a;
        int32_t sum_lo = 0, sum_hi = 0;
        for (int i = 0; i < VB_BLOCK; i++) {
            qb[i] = (int8_t)((xb[i] * r + RINT) - RINT);
        }
        for (int i = 0; i < 16; i++) {
            sum_lo += qb[i];
            sum_hi += qb[i + 16];
        }
        d[b] = scale;
        u[b] = sum_lo + sum_hi;
        u_lo[b] = sum_lo;
        du[b] = scale * (float)u[b];
    }
    return true;
}

int32_t vb_block_isum(const vb_block *block, const int8_t *q) {
    int32_t lo = 0, hi = 0;
    for (int i = 0; i < 16; i++) {
        lo += block->w[i] * q[i];
        hi += block->w[i + 16] * q[i + 16];
    }
    return block->sc[0] * lo + block->sc[1] * hi;
}

float vb_block_step(float acc, const vb_block *block, int32_t isum, float d, float du) {
    float t = (block->s * d) * (float)isum;
    acc = acc + t;
    if (block->has_m) {
        acc = acc + block->m * du;
    }
    return acc;
}

float vb_dot_int(vb_wtype type, const uint8_t *row, size_t cols, const int8_t *q, const float *d,
                 const float *du) {
    float acc = 0.0f;
    for (size_t b = 0; b < cols / VB_BLOCK; b++) {
        vb_block block;
        vb_block_decode(type, row, b, &block);
        acc = vb_block_step(acc, &block, vb_block_isum(&block, q + b * VB_BLOCK), d[b], du[b]);
    }
    return acc;
}

float vb_lanes_sum(float *lanes) {
    for (int width = VB_LANES / 2; width > 0; width /= 2) {
        for (int l = 0; l < width; l++) {
            lanes[l] = lanes[l] + lanes[l + width];
        }
    }
    return lanes[0];
}

float vb_dot_f32(const float *w, const float *x, size_t n) {
    float lanes[VB_LANES] = {0};
    size_t k = 0;
    for (; k + VB_LANES <= n; k += VB_LANES) {
        for (size_t l = 0; l < VB_LANES; l++) {
            lanes[l] = lanes[l] + w[k + l] * x[k + l];
        }
    }
    for (size_t l = 0; k + l < n; l++) {
        lanes[l] = lanes[l] + w[k + l] * x[k + l];
    }
    return vb_lanes_sum(lanes);
}

float vb_dot_float(vb_wtype type, const uint8_t *row, size_t cols, const float *x) {
    float lanes[VB_LANES] = {0};
    for (size_t k = 0; k < cols; k++) {
        size_t l = k % VB_LANES;
        lanes[l] = lanes[l] + vb_float_weight(type, row, k) * x[k];
    }
    return vb_lanes_sum(lanes);
}
