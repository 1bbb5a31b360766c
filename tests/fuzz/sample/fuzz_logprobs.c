/*
 * [token] [n_top] [form], then logits: of form 0 the bits of f32 values, of others small multiples
 * of 1/256. The probabilities of all tokens add up to 1, the top ones are in order, say of each
 * token what it says of itself, and leave out none that is likelier.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "arith/bits.h"
#include "sample/logprobs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { VOCAB_MAX = 300 };

static void expect(int holds) {
    if (!holds) {
        abort();
    }
}

static size_t read_logits(const uint8_t *data, size_t size, int form, float *logits) {
    const size_t bytes = form == 0 ? 4 : 2;
    size_t n = 0;
    for (size_t at = 0; size - at >= bytes && n < VOCAB_MAX; at += bytes) {
        uint32_t bits = 0;
        for (size_t i = 0; i < bytes; i++) {
            bits |= (uint32_t)data[at + i] << (8 * i);
        }
        const float x = form == 0 ? vb_f32_from_bits(bits) : (float)(int16_t)bits / 256.0f;
        if (vb_f32_finite(x)) {
            logits[n++] = x;
        }
    }
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    float logits[VOCAB_MAX];
    double all[VOCAB_MAX], own;
    vb_logprob top[VB_API_TOP_LOGPROBS_MAX];
    const vb_kernels *kernels;
    if (size < 3) {
        return 0;
    }
    expect(vb_kernels_select("scalar", &kernels, NULL) == VB_OK);
    const size_t n = read_logits(data + 3, size - 3, data[2] % 2, logits);
    if (n == 0) {
        return 0;
    }
    const uint32_t token = (uint32_t)(data[0] % n);
    const size_t n_top = data[1] % (VB_API_TOP_LOGPROBS_MAX + 1);
    double sum = 0;
    for (uint32_t i = 0; i < n; i++) {
        expect(vb_logprobs(kernels, logits, n, i, &all[i], NULL, 0) == 0);
        expect(all[i] <= 0 && all[i] >= -1e39);
        sum += exp(all[i]);
    }
    expect(fabs(sum - 1) < 1e-9);

    const size_t found = vb_logprobs(kernels, logits, n, token, &own, top, n_top);
    expect(found == (n_top < n ? n_top : n) && own == all[token]);
    unsigned char held[VOCAB_MAX] = {0};
    for (size_t i = 0; i < found; i++) {
        expect(top[i].token < n && !held[top[i].token]++ && top[i].logprob == all[top[i].token]);
        expect(
            i == 0 || logits[top[i - 1].token] > logits[top[i].token] ||
            (logits[top[i - 1].token] == logits[top[i].token] && top[i - 1].token < top[i].token));
    }
    for (size_t i = 0; found > 0 && i < n; i++) {
        expect(held[i] || all[i] <= top[found - 1].logprob);
    }
    return 0;
}
