/* The normalised sampling parameters: their defaults, ranges and fixed-point form. */
#include <math.h>

#include "sample/sample.h"
#include "sample/truncate.h"

void vb_sampling_default(vb_sampling *s) {
    *s = (vb_sampling){.top_p = VB_FIXED_POINT_ONE, .repetition_penalty = 1.0f};
}

vb_err vb_sampling_fixed_point(double p, uint64_t *out, vb_error *e) {
    if (!(p >= 0 && p <= 1)) {
        return vb_fail(e, VB_EINVAL, "probability %g is not in [0, 1]", p);
    }
    /* Scaling by a power of two is exact, subnormals included: one rounding, rint's. */
    *out = (uint64_t)rint(p * 0x1p32);
    return VB_OK;
}

static vb_err check_range(const char *field, float value, float low, float high, vb_error *e) {
    if (!(value >= low && value <= high)) {
        return vb_fail(e, VB_EINVAL, "%s is %g: expected a number in [%g, %g]", field,
                       (double)value, (double)low, (double)high);
    }
    return VB_OK;
}

static vb_err check_bias(const vb_sampling *s, size_t n_vocab, vb_error *e) {
    if (s->n_bias > VB_LOGIT_BIAS_MAX) {
        return vb_fail(e, VB_ELIMIT, "logit_bias has %zu entries: the limit is %u", s->n_bias,
                       VB_LOGIT_BIAS_MAX);
    }
    for (size_t i = 0; i < s->n_bias; i++) {
        const vb_logit_bias *b = &s->bias[i];
        if (b->token >= n_vocab) {
            return vb_fail(e, VB_EINVAL, "logit_bias names token %u: the vocabulary has %zu tokens",
                           b->token, n_vocab);
        }
        if (i > 0 && b->token <= s->bias[i - 1].token) {
            return vb_fail(e, VB_EINVAL,
                           "logit_bias has token %u after token %u: expected ascending tokens, "
                           "each once",
                           b->token, s->bias[i - 1].token);
        }
        if (!(b->bias >= -100.0f && b->bias <= 100.0f)) {
            return vb_fail(e, VB_EINVAL,
                           "logit_bias of token %u is %g: expected a number in [-100, 100]",
                           b->token, (double)b->bias);
        }
    }
    return VB_OK;
}

vb_err vb_sampling_check(const vb_sampling *s, size_t n_vocab, vb_error *e) {
    vb_err err;
    if (s->top_p < 1 || s->top_p > VB_FIXED_POINT_ONE) {
        return vb_fail(e, VB_EINVAL, "top_p is %llu / 2^32: expected 1 to 2^32",
                       (unsigned long long)s->top_p);
    }
    if (s->min_p > VB_FIXED_POINT_ONE) {
        return vb_fail(e, VB_EINVAL, "min_p is %llu / 2^32: expected 0 to 2^32",
                       (unsigned long long)s->min_p);
    }
    if (!(s->repetition_penalty > 0 && s->repetition_penalty < (float)INFINITY)) {
        return vb_fail(e, VB_EINVAL, "repetition_penalty is %g: expected a finite number above 0",
                       (double)s->repetition_penalty);
    }
    if ((err = check_range("temperature", s->temperature, 0.0f, 100.0f, e)) ||
        (err = check_range("presence_penalty", s->presence_penalty, -2.0f, 2.0f, e)) ||
        (err = check_range("frequency_penalty", s->frequency_penalty, -2.0f, 2.0f, e))) {
        return err;
    }
    return check_bias(s, n_vocab, e);
}
