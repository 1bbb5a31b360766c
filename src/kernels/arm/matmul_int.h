/*
 * Products with integer weights (section 3) over the tiles of layout.h. Included by
 * matmul_neon.c and matmul_neondot.c, which differ only in how 4 rows x 4 inputs are multiplied
 * and summed; VB_ARM_DOT names that difference and VB_ARM_MATMUL the function defined.
 *
 * One token (decoding, bound by memory): each weight is expanded in registers as it is read.
 * Several tokens: a chunk of at most 256 inputs of a tile is expanded once into int8 and f32
 * scales on the stack and used by every token; between chunks the sums, which are f32 in
 * the definition too, rest in y. Four or eight tokens at a time share a quad's eight registers of
 * weights. Blocks are visited in ascending order either way.
 */
#if !defined(VB_ARM_DOT) || !defined(VB_ARM_MATMUL)
#error "included by a tier, which defines these"
#endif

#include <string.h>

#include "kernels/arm/lanes.h"
#include "kernels/arm/tiers.h"

enum { QUADS = 4, GROUPS = 8, CHUNK_BLOCKS = 8, TOKENS_MAX = 8 };

/* How large the integers are, which decides whether the products of a whole block fit int16.
 * NARROW: at most 31 (or 63 over half a block), |q| <= 127: 8 * 31 * 127 < 2^15. */
typedef enum width { NARROW, WIDE } width;

VB_ARM_INLINE width width_of(vb_wtype type) {
    return type == VB_Q8_0 ? WIDE : NARROW;
}

/* ---- sums of products: 4 rows x 16 or 32 inputs of w and q, added to init ---- */

#if VB_ARM_DOT

VB_ARM_INLINE int32x4_t half_sum(int32x4_t init, const int8x16_t *w, int8x16_t q) {
    init = vdotq_laneq_s32(init, w[0], q, 0);
    init = vdotq_laneq_s32(init, w[1], q, 1);
    init = vdotq_laneq_s32(init, w[2], q, 2);
    return vdotq_laneq_s32(init, w[3], q, 3);
}

VB_ARM_INLINE int32x4_t block_sum(width wd, int32x4_t init, const int8x16_t *w, int8x16_t q0,
                                  int8x16_t q1) {
    (void)wd;
    return vaddq_s32(half_sum(init, w, q0), half_sum(vdupq_n_s32(0), w + 4, q1));
}

#else

/* Four inputs of q, repeated for each row of the quad. */
#define SPREAD(q, g) vreinterpretq_s8_s32(vdupq_laneq_s32(vreinterpretq_s32_s8(q), g))

/* int16 sums of products of rows 0, 1 (lo) and 2, 3 (hi), two partial sums for each row once
 * neighbours are added. */
typedef struct sum16 {
    int16x8_t lo, hi;
} sum16;

VB_ARM_INLINE sum16 mul16(int8x16_t w, int8x16_t q) {
    return (sum16){vmull_s8(vget_low_s8(w), vget_low_s8(q)), vmull_high_s8(w, q)};
}
VB_ARM_INLINE sum16 mul_add16(sum16 s, int8x16_t w, int8x16_t q) {
    return (sum16){vmlal_s8(s.lo, vget_low_s8(w), vget_low_s8(q)), vmlal_high_s8(s.hi, w, q)};
}
VB_ARM_INLINE int32x4_t widen16(sum16 s) {
    return vpaddq_s32(vpaddlq_s16(s.lo), vpaddlq_s16(s.hi));
}
VB_ARM_INLINE sum16 half_sum16(sum16 s, const int8x16_t *w, int8x16_t q) {
    s = mul_add16(s, w[1], SPREAD(q, 1));
    s = mul_add16(s, w[2], SPREAD(q, 2));
    return mul_add16(s, w[3], SPREAD(q, 3));
}

VB_ARM_INLINE int32x4_t half_sum(int32x4_t init, const int8x16_t *w, int8x16_t q) {
    return vaddq_s32(init, widen16(half_sum16(mul16(w[0], SPREAD(q, 0)), w, q)));
}

VB_ARM_INLINE int32x4_t block_sum(width wd, int32x4_t init, const int8x16_t *w, int8x16_t q0,
                                  int8x16_t q1) {
    if (wd == NARROW) {
        sum16 s = half_sum16(mul16(w[0], SPREAD(q0, 0)), w, q0);
        s = half_sum16(mul_add16(s, w[4], SPREAD(q1, 0)), w + 4, q1);
        return vaddq_s32(init, widen16(s));
    }
    /* Two products of 128 * 127 are all that int16 holds. */
    const sum16 a = mul_add16(mul16(w[0], SPREAD(q0, 0)), w[1], SPREAD(q0, 1));
    const sum16 b = mul_add16(mul16(w[2], SPREAD(q0, 2)), w[3], SPREAD(q0, 3));
    const sum16 c = mul_add16(mul16(w[4], SPREAD(q1, 0)), w[5], SPREAD(q1, 1));
    const sum16 d = mul_add16(mul16(w[6], SPREAD(q1, 2)), w[7], SPREAD(q1, 3));
    int32x4_t lo = vpadalq_s16(vpaddlq_s16(a.lo), b.lo);
    int32x4_t hi = vpadalq_s16(vpaddlq_s16(a.hi), b.hi);
    lo = vpadalq_s16(vpadalq_s16(lo, c.lo), d.lo);
    hi = vpadalq_s16(vpadalq_s16(hi, c.hi), d.hi);
    return vaddq_s32(init, vpaddq_s32(lo, hi));
}

#endif

/* ---- one quad's weights of one packed block, in registers ---- */

/* Low nibbles are kept by the insertion, which replaces all that lies above them. */
#define HIGH_BITS(low, plane, shift, mask)                                                         \
    vreinterpretq_s8_u8(vandq_u8(vsliq_n_u8((low), vshrq_n_u8((plane), (shift)), 4), (mask)))
#define HIGH_BITS_0(low, plane, mask)                                                              \
    vreinterpretq_s8_u8(vandq_u8(vsliq_n_u8((low), (plane), 4), (mask)))

/* The file's unsigned values (int8 for Q8_0): w[g] is group g of layout.h. */
VB_ARM_INLINE void expand(vb_wtype type, const uint8_t *block, size_t quad, int8x16_t w[GROUPS]) {
    if (type == VB_Q8_0) {
#pragma GCC unroll 8
        for (size_t g = 0; g < GROUPS; g++) {
            w[g] = vreinterpretq_s8_u8(vld1q_u8(block + quad * 128 + g * 16));
        }
        return;
    }
    uint8x16_t lo[4], hi[4];
#pragma GCC unroll 4
    for (size_t j = 0; j < 4; j++) {
        lo[j] = vld1q_u8(block + quad * 64 + j * 16);
        hi[j] = vshrq_n_u8(lo[j], 4);
    }
    if (type == VB_Q6_K) {
        const uint8x16_t mask = vdupq_n_u8(63);
        const uint8x16_t p0 = vld1q_u8(block + 256 + quad * 32);
        const uint8x16_t p1 = vld1q_u8(block + 256 + quad * 32 + 16);
        w[0] = HIGH_BITS_0(lo[0], p0, mask);
        w[1] = HIGH_BITS(lo[1], p0, 2, mask);
        w[2] = HIGH_BITS(lo[2], p0, 4, mask);
        w[3] = HIGH_BITS(lo[3], p0, 6, mask);
        w[4] = HIGH_BITS_0(hi[0], p1, mask);
        w[5] = HIGH_BITS(hi[1], p1, 2, mask);
        w[6] = HIGH_BITS(hi[2], p1, 4, mask);
        w[7] = HIGH_BITS(hi[3], p1, 6, mask);
    } else if (vb_arm_planes_bytes(type)) {
        const uint8x16_t mask = vdupq_n_u8(31);
        const uint8x16_t p = vld1q_u8(block + 256 + quad * 16);
        w[0] = HIGH_BITS_0(lo[0], p, mask);
        w[1] = HIGH_BITS(lo[1], p, 1, mask);
        w[2] = HIGH_BITS(lo[2], p, 2, mask);
        w[3] = HIGH_BITS(lo[3], p, 3, mask);
        w[4] = HIGH_BITS(hi[0], p, 4, mask);
        w[5] = HIGH_BITS(hi[1], p, 5, mask);
        w[6] = HIGH_BITS(hi[2], p, 6, mask);
        w[7] = HIGH_BITS(hi[3], p, 7, mask);
    } else {
        const uint8x16_t mask = vdupq_n_u8(15);
#pragma GCC unroll 4
        for (size_t j = 0; j < 4; j++) {
            w[j] = vreinterpretq_s8_u8(vandq_u8(lo[j], mask));
            w[j + 4] = vreinterpretq_s8_u8(hi[j]);
        }
    }
}

/* Scale and offset of 4 rows: unit_d and unit_m are the unit's factors. sub[2]: Q6_K's sub-scales.
 */
VB_ARM_INLINE void scales(vb_wtype type, const uint8_t *block, size_t quad, float32x4_t unit_d,
                          float32x4_t unit_m, float32x4_t *s, float32x4_t *m, int32x4_t sub[2]) {
    *s = unit_d;
    *m = unit_m;
    if (!vb_arm_is_k(type)) {
        return;
    }
    const uint8_t *at = block + vb_arm_scales_at(type) + quad * 4;
    uint32_t two[2];
    memcpy(&two[0], at, 4);
    memcpy(&two[1], at + VB_ROW_TILE, 4);
    const uint8x8_t bytes = vcreate_u8((uint64_t)two[1] << 32 | two[0]);
    if (type == VB_Q6_K) {
        const int16x8_t h = vmovl_s8(vreinterpret_s8_u8(bytes));
        sub[0] = vmovl_s16(vget_low_s16(h));
        sub[1] = vmovl_high_s16(h);
    } else {
        const uint16x8_t h = vmovl_u8(bytes);
        *s = vmulq_f32(unit_d, vcvtq_f32_u32(vmovl_u16(vget_low_u16(h))));
        *m = vnegq_f32(vmulq_f32(unit_m, vcvtq_f32_u32(vmovl_high_u16(h))));
    }
}

/* acc + (s * d) * isum, and + m * du: the end of a block (section 3). */
VB_ARM_INLINE float32x4_t finish(vb_arm_kind kind, float32x4_t acc, int32x4_t isum, float32x4_t s,
                                 float32x4_t m, float d, float du) {
    acc = vb_arm_mul_add(acc, vmulq_n_f32(s, d), vcvtq_f32_s32(isum));
    if (kind == VB_ARM_OFFSET) {
        acc = vaddq_f32(acc, vmulq_n_f32(m, du));
    }
    return acc;
}

/* ---- one token ---- */

VB_ARM_INLINE void token_block(vb_wtype type, const uint8_t *block, const float32x4_t unit_d[QUADS],
                               const float32x4_t unit_m[QUADS], const vb_act *x, size_t b,
                               float32x4_t acc[QUADS]) {
    const vb_arm_kind kind = vb_arm_kind_of(type);
    const int8x16_t q0 = vld1q_s8(x->q + b * VB_BLOCK), q1 = vld1q_s8(x->q + b * VB_BLOCK + 16);
    const int bias = vb_arm_bias(type);
    const int32_t u = x->u[b], u_lo = x->u_lo[b];
#pragma GCC unroll 4
    for (size_t quad = 0; quad < QUADS; quad++) {
        int8x16_t w[GROUPS];
        float32x4_t s, m;
        int32x4_t sub[2], isum;
        expand(type, block, quad, w);
        scales(type, block, quad, unit_d[quad], unit_m[quad], &s, &m, sub);
        if (kind == VB_ARM_SUB) {
            isum = vmulq_s32(half_sum(vdupq_n_s32(-bias * u_lo), w, q0), sub[0]);
            isum = vmlaq_s32(isum, half_sum(vdupq_n_s32(-bias * (u - u_lo)), w + 4, q1), sub[1]);
        } else {
            isum = block_sum(width_of(type), vdupq_n_s32(-bias * u), w, q0, q1);
        }
        acc[quad] = finish(kind, acc[quad], isum, s, m, x->d[b], x->du[b]);
    }
}

/* All of one tile for a single token: acc[quad] receives its 16 rows. */
VB_ARM_INLINE void token_tile(vb_wtype type, const uint8_t *unit, size_t n_blocks, const vb_act *x,
                              float32x4_t acc[QUADS]) {
#pragma GCC unroll 4
    for (size_t quad = 0; quad < QUADS; quad++) {
        acc[quad] = vdupq_n_f32(0.0f);
    }
    for (size_t b = 0; b < n_blocks; b += vb_arm_unit_blocks(type)) {
        const uint8_t *factors = unit + vb_arm_factors_at(type);
        float32x4_t d[QUADS], m[QUADS];
#pragma GCC unroll 4
        for (size_t quad = 0; quad < QUADS; quad++) {
            d[quad] = vb_arm_load_f16x4(factors + quad * 8);
            m[quad] = vb_arm_kind_of(type) == VB_ARM_OFFSET
                          ? vb_arm_load_f16x4(factors + 32 + quad * 8)
                          : d[quad];
        }
        for (size_t i = 0; i < vb_arm_unit_blocks(type); i++) {
            token_block(type, unit + i * vb_arm_block_bytes(type), d, m, x, b + i, acc);
        }
        unit += vb_arm_unit_bytes(type);
    }
}

/* ---- several tokens ---- */

/* At most 256 inputs of one tile, as every format looks once expanded. */
typedef struct chunk {
    size_t n_blocks;
    const int8_t *w; /* group g of block b of quad i: w + i * quad_bytes + b * block_bytes + 16 g */
    size_t quad_bytes, block_bytes;
    float s[QUADS][CHUNK_BLOCKS][4];
    float m[QUADS][CHUNK_BLOCKS][4];
    int32_t sub[QUADS][CHUNK_BLOCKS][2][4];
    int8_t values[QUADS][CHUNK_BLOCKS][GROUPS][16];
} chunk;

VB_ARM_INLINE void chunk_block(vb_wtype type, const uint8_t *block, const uint8_t *factors,
                               size_t b, chunk *c) {
    const int8x16_t bias = vdupq_n_s8((int8_t)vb_arm_bias(type));
#pragma GCC unroll 4
    for (size_t quad = 0; quad < QUADS; quad++) {
        const float32x4_t d = vb_arm_load_f16x4(factors + quad * 8);
        float32x4_t s, m = d;
        int32x4_t sub[2];
        if (vb_arm_kind_of(type) == VB_ARM_OFFSET) {
            m = vb_arm_load_f16x4(factors + 32 + quad * 8);
        }
        scales(type, block, quad, d, m, &s, &m, sub);
        vst1q_f32(c->s[quad][b], s);
        if (vb_arm_kind_of(type) == VB_ARM_OFFSET) {
            vst1q_f32(c->m[quad][b], m);
        }
        if (type == VB_Q6_K) {
            vst1q_s32(c->sub[quad][b][0], sub[0]);
            vst1q_s32(c->sub[quad][b][1], sub[1]);
        }
        if (type != VB_Q8_0) {
            int8x16_t w[GROUPS];
            expand(type, block, quad, w);
#pragma GCC unroll 8
            for (size_t g = 0; g < GROUPS; g++) {
                vst1q_s8(c->values[quad][b][g], vsubq_s8(w[g], bias));
            }
        }
    }
}

/* Blocks [b0, b0 + n) of a tile; b0 and, for K formats, n are multiples of a unit's blocks. */
VB_ARM_INLINE void chunk_expand(vb_wtype type, const uint8_t *tile, size_t b0, size_t n, chunk *c) {
    const size_t per_unit = vb_arm_unit_blocks(type);
    const uint8_t *unit = tile + b0 / per_unit * vb_arm_unit_bytes(type);
    c->n_blocks = n;
    c->w = type == VB_Q8_0 ? (const int8_t *)unit : c->values[0][0][0];
    c->quad_bytes = type == VB_Q8_0 ? 128 : sizeof c->values[0];
    c->block_bytes = type == VB_Q8_0 ? vb_arm_unit_bytes(type) : sizeof c->values[0][0];
    for (size_t b = 0; b < n; b += per_unit) {
        for (size_t i = 0; i < per_unit; i++) {
            chunk_block(type, unit + i * vb_arm_block_bytes(type), unit + vb_arm_factors_at(type),
                        b + i, c);
        }
        unit += vb_arm_unit_bytes(type);
    }
}

/* Adds a chunk's blocks to acc: one quad, n_tokens tokens from t0 on. */
VB_ARM_INLINE void chunk_quad(vb_arm_kind kind, width wd, size_t n_tokens, const chunk *c,
                              size_t quad, const vb_act *x, size_t t0, size_t b0,
                              float32x4_t acc[TOKENS_MAX]) {
    const size_t x_blocks = x->cols / VB_BLOCK;
    const int8_t *q = x->q + t0 * x->cols + b0 * VB_BLOCK;
    const float *d = x->d + t0 * x_blocks + b0, *du = x->du + t0 * x_blocks + b0;
    const int32x4_t zero = vdupq_n_s32(0);
    for (size_t b = 0; b < c->n_blocks; b++) {
        const int8_t *from = c->w + quad * c->quad_bytes + b * c->block_bytes;
        const float32x4_t s = vld1q_f32(c->s[quad][b]);
        const float32x4_t m = kind == VB_ARM_OFFSET ? vld1q_f32(c->m[quad][b]) : s;
        int32x4_t sub0 = zero, sub1 = zero;
        if (kind == VB_ARM_SUB) {
            sub0 = vld1q_s32(c->sub[quad][b][0]);
            sub1 = vld1q_s32(c->sub[quad][b][1]);
        }
        int8x16_t w[GROUPS];
#pragma GCC unroll 8
        for (size_t g = 0; g < GROUPS; g++) {
            w[g] = vld1q_s8(from + 16 * g);
        }
#pragma GCC unroll 8
        for (size_t t = 0; t < n_tokens; t++) {
            const int8_t *qt = q + t * x->cols + b * VB_BLOCK;
            const int8x16_t q0 = vld1q_s8(qt), q1 = vld1q_s8(qt + 16);
            int32x4_t isum;
            if (kind == VB_ARM_SUB) {
                isum = vmulq_s32(half_sum(zero, w, q0), sub0);
                isum = vmlaq_s32(isum, half_sum(zero, w + 4, q1), sub1);
            } else {
                isum = block_sum(wd, zero, w, q0, q1);
            }
            acc[t] = finish(kind, acc[t], isum, s, m, d[t * x_blocks + b], du[t * x_blocks + b]);
        }
    }
}

/* Four consecutive results of which only n exist. */
VB_ARM_INLINE float32x4_t load_rows(const float *y, size_t n) {
    float some[4] = {0};
    if (n >= 4) {
        return vld1q_f32(y);
    }
    memcpy(some, y, n * sizeof(float));
    return vld1q_f32(some);
}
VB_ARM_INLINE void store_rows(float *y, size_t n, float32x4_t v) {
    float some[4];
    if (n >= 4) {
        vst1q_f32(y, v);
    } else {
        vst1q_f32(some, v);
        memcpy(y, some, n * sizeof(float));
    }
}

/* One chunk times n_tokens tokens; y: row 0 of the tile, token t0; rows: how many of the 16. */
VB_ARM_INLINE void chunk_tokens(vb_arm_kind kind, width wd, size_t n_tokens, const chunk *c,
                                const vb_act *x, size_t t0, size_t b0, float *y, size_t y_stride,
                                size_t rows) {
    for (size_t quad = 0; quad * 4 < rows; quad++) {
        const size_t n = rows - quad * 4;
        float *yq = y + quad * 4;
        float32x4_t acc[TOKENS_MAX];
#pragma GCC unroll 8
        for (size_t t = 0; t < n_tokens; t++) {
            acc[t] = b0 ? load_rows(yq + t * y_stride, n) : vdupq_n_f32(0.0f);
        }
        chunk_quad(kind, wd, n_tokens, c, quad, x, t0, b0, acc);
#pragma GCC unroll 8
        for (size_t t = 0; t < n_tokens; t++) {
            store_rows(yq + t * y_stride, n, acc[t]);
        }
    }
}

/* One chunk times every token of x. */
VB_ARM_INLINE void chunk_all_tokens(vb_arm_kind kind, width wd, const chunk *c, const vb_act *x,
                                    size_t b0, float *y, size_t y_stride, size_t rows) {
    size_t t = 0;
#if VB_ARM_DOT /* without it, int16 sums leave room for four */
    for (; t + 8 <= x->rows; t += 8) {
        chunk_tokens(kind, wd, 8, c, x, t, b0, y + t * y_stride, y_stride, rows);
    }
#endif
    for (; t + 4 <= x->rows; t += 4) {
        chunk_tokens(kind, wd, 4, c, x, t, b0, y + t * y_stride, y_stride, rows);
    }
    for (; t + 2 <= x->rows; t += 2) {
        chunk_tokens(kind, wd, 2, c, x, t, b0, y + t * y_stride, y_stride, rows);
    }
    for (; t < x->rows; t++) {
        chunk_tokens(kind, wd, 1, c, x, t, b0, y + t * y_stride, y_stride, rows);
    }
}

static void plain_wide(const chunk *c, const vb_act *x, size_t b0, float *y, size_t y_stride,
                       size_t rows) {
    chunk_all_tokens(VB_ARM_PLAIN, WIDE, c, x, b0, y, y_stride, rows);
}
#if VB_ARM_DOT
#define plain_narrow plain_wide
#else
static void plain_narrow(const chunk *c, const vb_act *x, size_t b0, float *y, size_t y_stride,
                         size_t rows) {
    chunk_all_tokens(VB_ARM_PLAIN, NARROW, c, x, b0, y, y_stride, rows);
}
#endif
static void with_offset(const chunk *c, const vb_act *x, size_t b0, float *y, size_t y_stride,
                        size_t rows) {
    chunk_all_tokens(VB_ARM_OFFSET, NARROW, c, x, b0, y, y_stride, rows);
}
static void with_sub_scales(const chunk *c, const vb_act *x, size_t b0, float *y, size_t y_stride,
                            size_t rows) {
    chunk_all_tokens(VB_ARM_SUB, NARROW, c, x, b0, y, y_stride, rows);
}

/* ---- a range of rows ---- */

VB_ARM_INLINE void product(vb_wtype type, const vb_matrix *mat, size_t row_begin, size_t row_end,
                           const vb_act *x, float *y, size_t y_stride) {
    const size_t n_blocks = mat->cols / VB_BLOCK, tile_bytes = vb_arm_tile_bytes(type, mat->cols);
    for (size_t r = row_begin; r < row_end; r += VB_ROW_TILE) {
        const uint8_t *tile = (const uint8_t *)mat->data + r / VB_ROW_TILE * tile_bytes;
        const size_t rows = row_end - r < VB_ROW_TILE ? row_end - r : VB_ROW_TILE;
        if (x->rows == 1) {
            float32x4_t acc[QUADS];
            token_tile(type, tile, n_blocks, x, acc);
            for (size_t quad = 0; quad * 4 < rows; quad++) {
                store_rows(y + r + quad * 4, rows - quad * 4, acc[quad]);
            }
            continue;
        }
        for (size_t b0 = 0; b0 < n_blocks; b0 += CHUNK_BLOCKS) {
            const size_t n = n_blocks - b0 < CHUNK_BLOCKS ? n_blocks - b0 : CHUNK_BLOCKS;
            chunk c;
            chunk_expand(type, tile, b0, n, &c);
            if (vb_arm_kind_of(type) == VB_ARM_OFFSET) {
                with_offset(&c, x, b0, y + r, y_stride, rows);
            } else if (vb_arm_kind_of(type) == VB_ARM_SUB) {
                with_sub_scales(&c, x, b0, y + r, y_stride, rows);
            } else if (width_of(type) == WIDE) {
                plain_wide(&c, x, b0, y + r, y_stride, rows);
            } else {
                plain_narrow(&c, x, b0, y + r, y_stride, rows);
            }
        }
    }
}

#define PRODUCT(type)                                                                              \
    static void product_##type(const vb_matrix *m, size_t row_begin, size_t row_end,               \
                               const vb_act *x, float *y, size_t y_stride) {                       \
        product(VB_##type, m, row_begin, row_end, x, y, y_stride);                                 \
    }
PRODUCT(Q4_0)
PRODUCT(Q4_1)
PRODUCT(Q5_0)
PRODUCT(Q5_1)
PRODUCT(Q8_0)
PRODUCT(Q4_K)
PRODUCT(Q5_K)
PRODUCT(Q6_K)
#undef PRODUCT

void VB_ARM_MATMUL(const vb_matrix *m, size_t row_begin, size_t row_end, const vb_act *x, float *y,
                   size_t y_stride) {
    switch (m->type) {
    case VB_Q4_0: product_Q4_0(m, row_begin, row_end, x, y, y_stride); break;
    case VB_Q4_1: product_Q4_1(m, row_begin, row_end, x, y, y_stride); break;
    case VB_Q5_0: product_Q5_0(m, row_begin, row_end, x, y, y_stride); break;
    case VB_Q5_1: product_Q5_1(m, row_begin, row_end, x, y, y_stride); break;
    case VB_Q8_0: product_Q8_0(m, row_begin, row_end, x, y, y_stride); break;
    case VB_Q4_K: product_Q4_K(m, row_begin, row_end, x, y, y_stride); break;
    case VB_Q5_K: product_Q5_K(m, row_begin, row_end, x, y, y_stride); break;
    case VB_Q6_K: product_Q6_K(m, row_begin, row_end, x, y, y_stride); break;
    default: vb_arm_matmul_float(m, row_begin, row_end, x, y, y_stride); break;
    }
}
