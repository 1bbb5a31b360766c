/*
 * Weights from a counter: word j of a tensor is splitmix64's mixing of (key + (j + 1) * its
 * increment), key depending on seed and name. A quantised block is random bytes with its scales
 * replaced by one of sixteen values around the one that gives the tensor its standard deviation;
 * a float is random sign, random significand and one of four exponents.
 */
#include <string.h>

#include "arith/bits.h"
#include "arith/trig.h"
#include "synth.h"

#define INCREMENT 0x9e3779b97f4a7c15u

static uint64_t mix(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static void store_u16le(uint8_t *p, uint16_t v) {
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

static void store_u64le(uint8_t *p, uint64_t v) {
    vb_store_u32le(p, (uint32_t)v);
    vb_store_u32le(p + 4, (uint32_t)(v >> 32));
}

/* FNV-1a of the name, mixed with the seed. */
static uint64_t tensor_key(uint64_t seed, const char *name) {
    uint64_t h = 14695981039346656037u;
    for (; *name; name++) {
        h = (h ^ (uint8_t)*name) * 1099511628211u;
    }
    return mix(mix(seed + INCREMENT) ^ h);
}

/* first is a multiple of 8. */
static void fill_words(uint64_t key, uint64_t first, size_t n, uint8_t *out) {
    uint64_t z = key + (first / 8 + 1) * INCREMENT;
    size_t i = 0;
    for (; i + 8 <= n; i += 8, z += INCREMENT) {
        store_u64le(out + i, mix(z));
    }
    if (i < n) {
        uint8_t last[8];
        store_u64le(last, mix(z));
        memcpy(out + i, last, n - i);
    }
}

/* Where a block's scales are, and the standard deviation of its values for a scale of 1 when its
 * other bytes are random. second: the offset's factor, which puts the mean at zero. */
typedef struct recipe {
    vb_wtype type;
    uint32_t scale_at, second_at; /* second_at 0: none */
    double deviation;
    double second; /* times the scale */
    bool signs;    /* both signs of the scale, because q has a mean */
} recipe;

static const recipe recipes[] = {
    {VB_Q8_0, 0, 0, 73.90, 0, false},     /* q: uniform in -128 .. 127 */
    {VB_Q4_0, 0, 0, 4.637, 0, true},      /* -8 .. 7 */
    {VB_Q5_0, 0, 0, 9.247, 0, true},      /* -16 .. 15 */
    {VB_Q4_1, 0, 2, 4.610, -7.5, false},  /* 0 .. 15 */
    {VB_Q5_1, 0, 2, 9.233, -15.5, false}, /* 0 .. 31 */
    /* K-quants: sub-scales and minima uniform in 0 .. 63; Q6_K's sub-scales any int8.
     * Q4_K: 21.25 * 1333.5 + 7.5^2 * 2 * 341.25 = 258.3^2, likewise Q5_K;
     * Q6_K: 5461.5 * 341.5 = 1365.7^2. */
    {VB_Q4_K, 0, 2, 258.3, 7.5, false},
    {VB_Q5_K, 0, 2, 526.9, 15.5, false},
    {VB_Q6_K, 208, 0, 1365.7, 0, false},
};

static const recipe *recipe_of(vb_wtype type) {
    for (size_t i = 0; i < sizeof recipes / sizeof recipes[0]; i++) {
        if (recipes[i].type == type) {
            return &recipes[i];
        }
    }
    return NULL;
}

enum { SCALES = 16 };

static void set_scales(const recipe *r, double sigma, size_t block_bytes, size_t n, uint8_t *out) {
    uint16_t scale[SCALES], second[SCALES];
    for (int i = 0; i < SCALES; i++) {
        double d = sigma / r->deviation * (0.7 + 0.04 * i);
        scale[i] = vb_f32_to_f16((float)(r->signs && i % 2 ? -d : d));
        second[i] = vb_f32_to_f16((float)(d * r->second));
    }
    for (uint8_t *block = out; block + block_bytes <= out + n; block += block_bytes) {
        unsigned pick = block[r->scale_at] % SCALES;
        store_u16le(block + r->scale_at, scale[pick]);
        if (r->second_at) {
            store_u16le(block + r->second_at, second[pick]);
        }
    }
}

/* The e for which 2^e to 2^(e+1), halved up to three times, has this deviation (0.88 * 2^e). */
static int float_exponent(double sigma) {
    int e = 0;
    for (; e > -60 && sigma < 0.88 * 0x1.6a09e667f3bcdp-1; e--) {
        sigma *= 2;
    }
    for (; e < 4 && sigma > 0.88 * 0x1.6a09e667f3bcdp+0; e++) {
        sigma /= 2;
    }
    return e;
}

static void shape_f32(double sigma, size_t n, uint8_t *out) {
    uint32_t top = (uint32_t)(float_exponent(sigma) + 127);
    for (size_t i = 0; i + 4 <= n; i += 4) {
        uint32_t r = vb_load_u32le(out + i);
        vb_store_u32le(out + i, (r & 0x807fffffu) | (top - (r >> 23 & 3)) << 23);
    }
}

/* F16 and BF16: significand bits, exponent of 1. */
static void shape_16(double sigma, unsigned bits, int bias, size_t n, uint8_t *out) {
    int top = float_exponent(sigma) + bias;
    unsigned highest = top > 4 ? (unsigned)top : 4; /* no subnormals */
    unsigned keep = 0x8000u | ((1u << bits) - 1);
    for (size_t i = 0; i + 2 <= n; i += 2) {
        unsigned r = vb_load_u16le(out + i);
        store_u16le(out + i, (uint16_t)((r & keep) | (highest - (r >> bits & 3)) << bits));
    }
}

/* Vectors: centre + at most a tenth. */
static void shape_vector(float centre, size_t n, uint8_t *out) {
    for (size_t i = 0; i + 4 <= n; i += 4) {
        float unit = (float)(vb_load_u32le(out + i) >> 8) * 0x1p-24f; /* [0, 1) */
        vb_store_u32le(out + i, vb_f32_bits(centre + (unit - 0.5f) * 0.2f));
    }
}

/* The factors that Llama 3.1 publishes as code: wavelengths beyond the original context are
 * stretched by `factor`, short ones are kept, those between are blended. */
static float llama3_factor(const synth_shape *s, uint64_t i) {
    const double two_pi = 0x1.921fb54442d18p+2;
    double exponent = 2.0 * (double)i / (double)s->head_dim;
    double wavelength = two_pi * vb_exp2_f64(vb_log2_f64(s->rope_base) * exponent);
    double ctx = (double)s->rope_ctx_orig;
    if (wavelength < ctx / s->rope_high_freq_factor) {
        return 1;
    }
    if (wavelength > ctx / s->rope_low_freq_factor) {
        return (float)s->rope_factor;
    }
    double smooth = (ctx / wavelength - s->rope_low_freq_factor) /
                    (s->rope_high_freq_factor - s->rope_low_freq_factor);
    return (float)(1 / ((1 - smooth) / s->rope_factor + smooth));
}

size_t synth_fill_unit(const synth_tensor *t) {
    return 8 * vb_wtype_get(t->type)->block_bytes;
}

void synth_fill(const synth_plan *p, const synth_tensor *t, uint64_t first, size_t n,
                uint8_t *out) {
    VB_ASSERT(first % synth_fill_unit(t) == 0 && first + n <= t->n_bytes);
    if (t->role == SYNTH_FREQS) {
        for (size_t i = 0; i + 4 <= n; i += 4) {
            vb_store_u32le(out + i, vb_f32_bits(llama3_factor(p->shape, (first + i) / 4)));
        }
        return;
    }
    fill_words(tensor_key(p->seed, t->name), first, n, out);
    if (t->role != SYNTH_MATRIX) {
        shape_vector(t->role == SYNTH_NORM ? 1.0f : 0.0f, n, out);
    } else if (t->type == VB_F32) {
        shape_f32(t->sigma, n, out);
    } else if (t->type == VB_F16) {
        shape_16(t->sigma, 10, 15, n, out);
    } else if (t->type == VB_BF16) {
        shape_16(t->sigma, 7, 127, n, out);
    } else {
        const recipe *r = recipe_of(t->type);
        VB_ASSERT(r != NULL);
        set_scales(r, t->sigma, vb_wtype_get(t->type)->block_bytes, n, out);
    }
}
