/*
 * A complete receipt in both modes of the first form, for the tests of receipts and of their
 * verification. make_golden.py builds the same two in Python: golden_*.json.
 */
#ifndef VB_TESTS_UNIT_RECEIPT_SAMPLE_RECEIPT_H
#define VB_TESTS_UNIT_RECEIPT_SAMPLE_RECEIPT_H

#include <stdlib.h>
#include <string.h>

#include "beacon/local.h"
#include "receipt/digests.h"
#include "receipt/receipt.h"
#include "receipt/trace.h"
#include "support/testing.h"

static inline vb_ed25519_key *sample_key(void) {
    uint8_t seed[32];
    vb_ed25519_key *k = NULL;
    for (int i = 0; i < 32; i++) {
        seed[i] = (uint8_t)i;
    }
    assert_int_equal(vb_ed25519_from_seed(seed, &k, NULL), VB_OK);
    return k;
}

/* The chain of the secret 32 x 0x07, round 5. */
static inline void sample_round(vb_beacon_round *b) {
    uint8_t anchor[32];
    memset(b, 0, sizeof *b);
    memset(b->randomness, 7, 32);
    vb_local_hash(b->randomness, VB_LOCAL_ROUNDS - 5);
    memcpy(anchor, b->randomness, 32);
    vb_local_hash(anchor, 5);
    vb_local_id(anchor, b->id);
    b->n_randomness = 32;
    b->round = 5;
}

static inline void sample_sampling(vb_sampling *s) {
    vb_sampling_default(s);
    s->temperature = 0.8f;
    s->top_k = 40;
    s->top_p = 4080218931u;
    s->min_p = 214748365u;
    s->presence_penalty = -0.1f;
    s->frequency_penalty = 1e-7f;
    s->repetition_penalty = 1.1f;
    s->n_bias = 2;
    s->bias[0] = (vb_logit_bias){3, -100.0f};
    s->bias[1] = (vb_logit_bias){70000, 0.3f};
}

/* Fills everything up to the commitment, and the beacon. */
static inline void sample_request(vb_receipt *r, vb_beacon_mode mode) {
    static const uint32_t prompt[] = {1, 65535, 65536, 1048575};
    static const char hello[] = "Hello \xf0\x9f\x98\x80 \"quoted\"\n";
    vb_receipt_init(r);
    memcpy(r->id, "chatcmpl-1", 11);
    memcpy(r->model.name, "verbatim-demo", 14);
    memcpy(r->model.architecture, "qwen2", 6);
    memcpy(r->model.file_type, "Q8_0", 5);
    r->model.n_parameters = 3700000;
    r->prompt.kind = VB_PROMPT_CHAT;
    assert_int_equal(vb_receipt_add_message(r, "system", "Be brief.", 9, NULL), VB_OK);
    assert_int_equal(vb_receipt_add_message(r, "user", hello, sizeof hello - 1, NULL), VB_OK);
    r->prompt.has_template = true;
    vb_digest_template("{{ messages }}", 14, r->prompt.template_sha256);
    assert_int_equal(vb_receipt_set_prompt_tokens(r, prompt, 4, NULL), VB_OK);
    vb_receipt_request *q = &r->request;
    vb_sha256_of("model", 5, q->model_sha256);
    sample_sampling(&q->sampling);
    q->max_tokens = 3;
    q->ctx_tokens = 2048;
    q->n_choices = 2;
    assert_int_equal(vb_text_set(&q->stop_strings[0], "\n\n", 2, NULL), VB_OK);
    assert_int_equal(vb_text_set(&q->stop_strings[1], "a\0b", 3, NULL), VB_OK);
    q->n_stop_strings = 2;
    q->n_stop_tokens = 2;
    q->stop_tokens[0] = 2;
    q->stop_tokens[1] = 9;
    memcpy(q->nonce, "client nonce", 13);
    q->mode = mode;
    q->issued_at_ms = 1763834000123u;
    q->sequence = 17;
    if (mode == VB_MODE_LOCAL) {
        sample_round(&r->beacon);
        r->has_beacon = true;
        memcpy(q->beacon_id, r->beacon.id, sizeof q->beacon_id);
    } else {
        q->has_seed = true;
        q->seed = 18446744073709551615u;
    }
}

/* A constraint of some depth, with a real and with names in the order of UTF-16. */
#define SAMPLE_CONSTRAINT                                                                          \
    "{\"schema\":{\"enum\":[1.5,1e+21,{\"\xf0\x9f\x98\x80\":[],\"\xef\xac\xb3\":\"\\u0000\"}]},"   \
    "\"type\":\"json_schema\"}"

static inline void sample_constraint(vb_receipt *r) {
    assert_int_equal(
        vb_text_set(&r->request.constraint, SAMPLE_CONSTRAINT, sizeof SAMPLE_CONSTRAINT - 1, NULL),
        VB_OK);
}

/* Turns the chat into the same as variables, in an order and a form that no canonical JSON has. */
static inline void sample_template_prompt(vb_receipt *r) {
    static const char text[] = "{\"messages\": [{\"role\":\"user\"}],\"a\":1.0}";
    uint32_t ids[] = {1, 65535, 65536, 1048575};
    vb_receipt_make_private(r);
    r->prompt.kind = VB_PROMPT_TEMPLATE;
    assert_int_equal(vb_text_set(&r->prompt.text, text, sizeof text - 1, NULL), VB_OK);
    assert_int_equal(vb_receipt_set_prompt_tokens(r, ids, 4, NULL), VB_OK);
}

/* What follows the commitment, and the signatures. */
static inline void sample_answer(vb_receipt *r, const vb_ed25519_key *key) {
    static const uint32_t first[] = {10, 11, 12}, second[] = {10, 2};
    static const float logits[] = {0.0f, -1.5f, 3.25f};
    uint8_t leaf[32], root[32];
    vb_trace tr;
    memcpy(r->engine_version, "0.1.0", 6);
    memcpy(r->engine_tier, "scalar", 7);
    assert_int_equal(vb_commitment_make(r, key, NULL), VB_OK);
    vb_trace_begin(&tr);
    for (uint32_t t = 0; t < 3; t++) {
        vb_trace_leaf(t, first[t], logits, 3, leaf);
        vb_trace_add(&tr, leaf);
    }
    vb_trace_root(&tr, root);
    assert_int_equal(vb_receipt_add_output(r, first, 3, "Hi \xe2\x82\xac\t\x7f", 8,
                                           VB_FINISH_LENGTH, root, NULL),
                     VB_OK);
    vb_trace_begin(&tr);
    for (uint32_t t = 0; t < 2; t++) {
        vb_trace_leaf(t, second[t], logits, 3, leaf);
        vb_trace_add(&tr, leaf);
    }
    vb_trace_root(&tr, root);
    assert_int_equal(vb_receipt_add_output(r, second, 2, "", 0, VB_FINISH_STOP, root, NULL), VB_OK);
    assert_int_equal(vb_receipt_sign(r, key, NULL, NULL), VB_OK);
}

static inline void sample_receipt(vb_receipt *r, vb_beacon_mode mode) {
    vb_ed25519_key *key = sample_key();
    sample_request(r, mode);
    sample_answer(r, key);
    vb_ed25519_close(key);
}

static inline vb_buf sample_bytes(vb_beacon_mode mode) {
    vb_receipt *r = malloc(sizeof *r);
    vb_buf b = vb_buf_make(VB_RECEIPT_BYTES_MAX);
    vb_error e = {0};
    assert_non_null(r);
    sample_receipt(r, mode);
    if (vb_receipt_encode(r, &b, &e)) {
        fail_msg("%s", e.msg);
    }
    vb_receipt_free(r);
    free(r);
    return b;
}

#endif
