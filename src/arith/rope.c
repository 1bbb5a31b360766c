#include "arith/rope.h"

#include "arith/trig.h"
#include "base/limits.h"

static double natural_log(double x) {
    return vb_log2_f64(x) * VB_LN2_F64;
}

/* Floor of |x| < 2^62. */
static double floor_of(double x) {
    double t = (double)(int64_t)x;
    return t > x ? t - 1.0 : t;
}

static double clamp(double x, double lo, double hi) {
    return x < lo ? lo : x > hi ? hi : x;
}

/* YaRN: the (fractional) pair at which a frequency turns beta times in the trained context. */
static double yarn_pair(const vb_rope_params *p, double beta) {
    double turns = (double)p->ctx_orig / (beta * 0x1.921fb54442d18p+2); /* 2 pi */
    return ((double)p->n_rot * natural_log(turns)) / (2.0 * natural_log(p->base));
}

static void yarn_scale(const vb_rope_params *p, double *freq, double *mscale) {
    size_t n = p->n_rot / 2;
    double last = (double)(p->n_rot - 1);
    double low = clamp(floor_of(yarn_pair(p, p->beta_fast)), 0.0, last);
    double high = clamp(-floor_of(-yarn_pair(p, p->beta_slow)), 0.0, last);
    double span = high - low < 0.001 ? 0.001 : high - low;
    for (size_t i = 0; i < n; i++) {
        double ramp = 1.0 - clamp(((double)i - low) / span, 0.0, 1.0);
        double mix = ramp * p->ext_factor;
        freq[i] = (freq[i] / p->factor) * (1.0 - mix) + freq[i] * mix;
    }
    if (p->ext_factor != 0.0) {
        *mscale = *mscale * (1.0 + 0.1 * natural_log(p->factor));
    }
}

static bool in_range(double x, double lo, double hi) {
    return x >= lo && x <= hi; /* false for a NaN */
}

static bool params_ok(const vb_rope_params *p) {
    if (p->n_rot < 2 || p->n_rot > VB_MODEL_HEAD_DIM_MAX || p->n_rot % 2 != 0 ||
        !in_range(p->base, 1.5, 0x1p+100) || !in_range(p->attn_factor, 0x1p-100, 0x1p+100)) {
        return false;
    }
    if (p->kind == VB_ROPE_KIND_FACTORS) {
        return p->factors != NULL;
    }
    if (p->kind != VB_ROPE_KIND_NONE && !in_range(p->factor, 1.0, 0x1p+100)) {
        return false;
    }
    return p->kind != VB_ROPE_KIND_YARN || (p->ctx_orig >= 1 && in_range(p->ext_factor, 0.0, 1.0) &&
                                            in_range(p->beta_fast, 0x1p-100, 0x1p+100) &&
                                            in_range(p->beta_slow, 0x1p-100, 0x1p+100));
}

bool vb_rope_freqs(const vb_rope_params *p, double *freq, double *mscale) {
    if (!params_ok(p)) {
        return false;
    }
    size_t n = p->n_rot / 2;
    double log2_base = vb_log2_f64(p->base);
    for (size_t i = 0; i < n; i++) {
        double part = (double)(2 * i) / (double)p->n_rot;
        freq[i] = vb_exp2_f64(-(part * log2_base));
        if (p->kind == VB_ROPE_KIND_FACTORS) {
            freq[i] = freq[i] / (double)p->factors[i];
        }
    }
    *mscale = p->attn_factor;
    if (p->kind == VB_ROPE_KIND_LINEAR) {
        for (size_t i = 0; i < n; i++) {
            freq[i] = freq[i] / p->factor;
        }
    } else if (p->kind == VB_ROPE_KIND_YARN) {
        yarn_scale(p, freq, mscale);
    }
    for (size_t i = 0; i < n; i++) {
        if (!in_range(freq[i], 0.0, VB_ROPE_FREQ_MAX)) {
            return false;
        }
    }
    return in_range(*mscale, 0x1p-126, 0x1p+127);
}

void vb_rope_row(const double *freq, size_t n, double mscale, uint64_t pos, float *cos_row,
                 float *sin_row) {
    for (size_t i = 0; i < n; i++) {
        double angle = (double)pos * freq[i];
        cos_row[i] = (float)(vb_cos_f64(angle) * mscale);
        sin_row[i] = (float)(vb_sin_f64(angle) * mscale);
    }
}
