#include "sample/logprobs.h"

#include "arith/bits.h"
#include "base/error.h"

/* The sum of all weights at temperature 1; `top` is the largest logit. */
static uint64_t total_weight(const vb_kernels *k, const float *logits, size_t n_vocab, float top) {
    enum { CHUNK = 256 };
    uint64_t w[CHUNK], total = 0;
    for (size_t at = 0; at < n_vocab; at += CHUNK) {
        const size_t size = n_vocab - at < CHUNK ? n_vocab - at : CHUNK;
        k->exp_weights(logits + at, size, top, 1.0f, w);
        for (size_t i = 0; i < size; i++) {
            total += w[i];
        }
    }
    return total;
}

/* ln x = k ln 2 + ln(1 + f), where x = 2^k (1 + f) and 1 + f is in [sqrt(1/2), sqrt(2)). With
 * s = f / (2 + f), at most 0.1716, ln(1 + f) = 2 atanh(s) = 2s + s r, r = 2/3 s^2 + 2/5 s^4 + ...
 * The series ends with s^20: what follows is below 2^-60 of the result. As 2s = f - s f and
 * s f^2 / 2 = f^2 / 2 - s f, the sum is written f - (f^2 / 2 - s (f^2 / 2 + r)): f is exact, so
 * that only the small terms bring roundings. This arrangement is that of fdlibm's log. */
double vb_ln(double x) {
    static const double LN2_HIGH = 0x1.62e42feep-1; /* 32 bits: its product with k is exact */
    static const double LN2_LOW = 0x1.a39ef35793c76p-33;
    static const uint64_t ROOT_HALF = 0x3fe6a09e667f3bcd; /* sqrt(1/2) */
    static const uint64_t ONE = 0x3ff0000000000000;
    static const uint64_t FRACTION = 0x000fffffffffffff;
    const uint64_t from_root = vb_f64_bits(x) - ROOT_HALF + ONE;
    const double k = (double)((int64_t)(from_root >> 52) - 1023);
    const double f = vb_f64_from_bits((from_root & FRACTION) + ROOT_HALF) - 1.0;
    const double s = f / (2.0 + f);
    const double z = s * s;
    double r = 2.0 / 21.0;
    for (int n = 19; n >= 3; n -= 2) {
        r = r * z + 2.0 / n;
    }
    r = r * z;
    const double half = 0.5 * (f * f);
    return k * LN2_HIGH - ((half - (s * (half + r) + k * LN2_LOW)) - f);
}

static double logprob(const vb_kernels *k, float logit, float top, uint64_t total) {
    uint64_t weight;
    k->exp_weights(&logit, 1, top, 1.0f, &weight);
    if (weight > 0) {
        return vb_ln((double)weight / (double)total);
    }
    return ((double)logit - (double)top) + vb_ln(0x1p40 / (double)total);
}

/* Fills the tokens of `top`, in order. Few of a vocabulary's logits pass the least of those that
 * are held, so that an insertion is rare. A weight never grows while its logit falls: the order by
 * logits is one by probabilities. */
static size_t likeliest(const float *logits, size_t n_vocab, vb_logprob *top, size_t n_top) {
    size_t n = 0;
    for (size_t token = 0; token < n_vocab && n_top > 0; token++) {
        if (n == n_top && !(logits[token] > logits[top[n - 1].token])) {
            continue;
        }
        n += n < n_top;
        size_t at = n - 1;
        for (; at > 0 && logits[token] > logits[top[at - 1].token]; at--) {
            top[at].token = top[at - 1].token;
        }
        top[at].token = (uint32_t)token;
    }
    return n;
}

size_t vb_logprobs(const vb_kernels *k, const float *logits, size_t n_vocab, uint32_t token,
                   double *own, vb_logprob *top, size_t n_top) {
    VB_ASSERT(token < n_vocab && n_top <= VB_API_TOP_LOGPROBS_MAX);
    const float best = logits[k->argmax(logits, n_vocab)];
    const uint64_t total = total_weight(k, logits, n_vocab, best);
    const size_t n = likeliest(logits, n_vocab, top, n_top);
    for (size_t i = 0; i < n; i++) {
        top[i].logprob = logprob(k, logits[top[i].token], best, total);
    }
    *own = logprob(k, logits[token], best, total);
    return n;
}
