/*
 * Hostile openings of one receipt, whose vocabulary of eight tokens lets the fuzzer reach every
 * check: no crash, and VERIFIED for nothing but the openings that the receipt has. The first byte
 * may say to start from one of them, with the bytes that follow laid over its fields.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/ed25519.h"
#include "receipt/digests.h"
#include "verify/opening.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { VOCAB = 8, TOKENS = 5 };

static const vb_kernels *kernels;
static vb_receipt receipt;
static vb_buf receipt_bytes;
static vb_opening genuine[TOKENS];

static void require(int ok) {
    if (!ok) {
        abort();
    }
}

/* Draws the answer as a server would, from logits that follow no model. */
static void draw(vb_receipt *r, float logits[TOKENS][VOCAB], uint8_t leaves[TOKENS][32]) {
    uint32_t tokens[TOKENS];
    uint8_t seed[32], root[32];
    vb_sampler *s;
    vb_trace tr;
    vb_trace_begin(&tr);
    require(vb_receipt_seed(r, 0, seed, NULL) == VB_OK);
    require(vb_sampler_open(kernels, VOCAB, &s, NULL) == VB_OK);
    require(vb_sampler_begin(s, &r->request.sampling, r->prompt.tokens, r->prompt.n_tokens, NULL) ==
            VB_OK);
    for (uint64_t t = 0; t < TOKENS; t++) {
        vb_choice c;
        for (size_t i = 0; i < VOCAB; i++) {
            logits[t][i] = (float)((i * 5 + t * 3) % 7) * 0.5f - 1.0f;
        }
        require(vb_sampler_draw(s, logits[t], vb_draw_number(seed, t), &c, NULL) == VB_OK);
        vb_sampler_accept(s, c.token);
        tokens[t] = c.token;
        vb_trace_leaf(t, c.token, logits[t], VOCAB, leaves[t]);
        vb_trace_add(&tr, leaves[t]);
    }
    vb_sampler_close(s);
    vb_trace_root(&tr, root);
    require(vb_receipt_add_output(r, tokens, TOKENS, "", 0, VB_FINISH_LENGTH, root, NULL) == VB_OK);
}

static void set_up(void) {
    static const uint8_t secret[VB_ED25519_SEED_BYTES] = {9};
    static const uint32_t prompt[] = {1, 2, 3};
    static float logits[TOKENS][VOCAB];
    static uint8_t leaves[TOKENS][32];
    uint8_t hash[32];
    vb_ed25519_key *key;
    vb_receipt *r = &receipt;
    require(vb_kernels_select("scalar", &kernels, NULL) == VB_OK);
    require(vb_ed25519_from_seed(secret, &key, NULL) == VB_OK);
    vb_receipt_init(r);
    memcpy(r->id, "x", 2);
    memcpy(r->model.architecture, "x", 2);
    memcpy(r->model.file_type, "x", 2);
    memcpy(r->engine_version, "x", 2);
    memcpy(r->engine_tier, "x", 2);
    r->prompt.kind = VB_PROMPT_TOKENS;
    require(vb_receipt_set_prompt_tokens(r, prompt, 3, NULL) == VB_OK);
    r->request.sampling.temperature = 1.0f;
    r->request.sampling.repetition_penalty = 1.25f;
    r->request.max_tokens = TOKENS;
    r->request.ctx_tokens = 64;
    r->request.mode = VB_MODE_FIXED;
    r->request.has_seed = true;
    r->request.sequence = 1;
    require(vb_commitment_make(r, key, NULL) == VB_OK);
    draw(r, logits, leaves);
    require(vb_receipt_sign(r, key, hash, NULL) == VB_OK);
    receipt_bytes = vb_buf_make(VB_RECEIPT_BYTES_MAX);
    require(vb_receipt_encode(r, &receipt_bytes, NULL) == VB_OK);
    for (uint64_t t = 0; t < TOKENS; t++) {
        require(vb_opening_make(r, hash, 0, t, logits[t], VOCAB, (const uint8_t(*)[32])leaves,
                                TOKENS, &genuine[t], NULL) == VB_OK);
    }
    vb_ed25519_close(key);
}

/* From bytes, as a verifier has them; also whether they are one of the receipt's own openings. */
static void check(const void *bytes, size_t n) {
    static vb_report rep;
    static vb_receipt r;
    vb_opening o;
    bool own = false;
    vb_report_begin(&rep, VB_LEVEL_OPENING);
    require(vb_check_receipt(receipt_bytes.data, receipt_bytes.len, NULL, &r, &rep));
    const bool read = vb_opening_read(bytes, n, &o, &rep);
    if (read) {
        vb_opening_check(&o, &r, NULL, NULL, kernels, &rep);
        vb_opening_free(&o);
    }
    vb_report_finish(&rep);
    vb_receipt_free(&r);
    for (size_t t = 0; t < TOKENS; t++) {
        vb_buf b = vb_buf_make(VB_OPENING_BYTES_MAX);
        require(vb_opening_encode(&genuine[t], &b, NULL) == VB_OK);
        own = own || (b.len == n && memcmp(b.data, bytes, n) == 0);
        vb_buf_free(&b);
    }
    require((vb_report_verdict(&rep) == VB_VERDICT_VERIFIED) == own);
    require(read || vb_report_verdict(&rep) == VB_VERDICT_UNVERIFIABLE);
}

/* Bytes over the fields of a genuine opening: pairs of a place and what is added there. */
static void check_changed(const uint8_t *data, size_t size) {
    vb_opening o = genuine[data[0] % TOKENS];
    float logits[VOCAB];
    uint8_t path[VB_TRACE_PROOF_MAX][32] = {{0}};
    memcpy(logits, o.logits, sizeof logits);
    memcpy(path, o.path, o.n_path * sizeof path[0]);
    o.logits = logits;
    o.path = path;
    uint8_t *const fields[] = {o.receipt,           (uint8_t *)&o.choice, (uint8_t *)&o.position,
                               (uint8_t *)&o.token, (uint8_t *)logits,    path[0],
                               (uint8_t *)&o.logit, (uint8_t *)&o.rank,   (uint8_t *)&o.weight,
                               (uint8_t *)&o.total, (uint8_t *)&o.n_path};
    static const size_t sizes[] = {32, 4, 8, 4, sizeof logits, 96, 4, 8, 8, 8, 1};
    for (size_t i = 1; i + 3 <= size; i += 3) {
        const size_t field = data[i] % (sizeof sizes / sizeof sizes[0]);
        fields[field][data[i + 1] % sizes[field]] ^= data[i + 2];
    }
    o.n_path %= VB_TRACE_PROOF_MAX + 1;
    vb_buf b = vb_buf_make(VB_OPENING_BYTES_MAX);
    if (vb_opening_encode(&o, &b, NULL) == VB_OK) {
        check(b.data, b.len);
    }
    vb_buf_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!kernels) {
        set_up();
    }
    if (size > 1 << 14) {
        return 0;
    }
    check(data, size);
    if (size) {
        check_changed(data, size);
    }
    return 0;
}
