/*
 * A server on the shipped model, played by a loop of one-token passes, so that each test that
 * replays its receipts also compares decode with prefill; and the verifier beside it. Programs are
 * linked with --wrap=vb_forward_listed: the replay's passes are counted.
 */
#ifndef VB_TESTS_UNIT_VERIFY_PLAYED_SERVER_H
#define VB_TESTS_UNIT_VERIFY_PLAYED_SERVER_H

#include "support/testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/ed25519.h"
#include "receipt/digests.h"
#include "verify/generation.h"
#include "verify/replay.h"

enum { PROMPT = 20, ANSWER = 40 };

static vb_gguf *gguf;
static vb_model *model;
static vb_tokenizer *tokenizer;
static vb_vocabulary *vocabulary;
static vb_ed25519_key *key;
static uint8_t model_digest[32];
static vb_report rep;
static vb_receipt parsed;
static size_t passes, rows, heads; /* of the model: calls, tokens, tokens whose logits came */
static vb_error e;

vb_err __real_vb_forward_listed(const vb_model *m, vb_workspace *w, const vb_batch_item *item,
                                const size_t *wanted, size_t n_wanted, vb_logits_fn on_logits,
                                void *user, vb_error *error);
vb_err __wrap_vb_forward_listed(const vb_model *m, vb_workspace *w, const vb_batch_item *item,
                                const size_t *wanted, size_t n_wanted, vb_logits_fn on_logits,
                                void *user, vb_error *error);
vb_err __wrap_vb_forward_listed(const vb_model *m, vb_workspace *w, const vb_batch_item *item,
                                const size_t *wanted, size_t n_wanted, vb_logits_fn on_logits,
                                void *user, vb_error *error) {
    passes++;
    rows += item->n_tokens;
    heads += n_wanted;
    return __real_vb_forward_listed(m, w, item, wanted, n_wanted, on_logits, user, error);
}

static inline void must(vb_err err) {
    if (err) {
        fail_msg("%s: %s", vb_err_name(err), e.msg);
    }
}

static inline int setup(void **state) {
    (void)state;
    static const uint8_t secret[32] = {1, 2, 3};
    vb_model_options options = {.n_threads = 2};
    must(vb_kernels_select(NULL, &options.kernels, &e));
    must(vb_gguf_open(vb_test_source("models/verbatim-demo/verbatim-demo-q8_0.gguf"), &gguf, &e));
    must(vb_tokenizer_open(gguf, &tokenizer, &e));
    must(vb_vocabulary_open(tokenizer, &vocabulary, &e));
    must(vb_model_load(gguf, &options, &model, &e));
    must(vb_ed25519_from_seed(secret, &key, &e));
    memset(model_digest, 0x5a, sizeof model_digest);
    return 0;
}

static inline int teardown(void **state) {
    (void)state;
    vb_ed25519_close(key);
    vb_model_close(model);
    vb_vocabulary_close(vocabulary);
    vb_tokenizer_close(tokenizer);
    vb_gguf_close(gguf);
    return 0;
}

/* A request with n_prompt tokens of a chat about nothing; the rest is the caller's to change. */
static inline void begin(vb_receipt *r, size_t n_prompt, uint32_t max_tokens, float temperature) {
    static const uint32_t chat[PROMPT] = {2302, 491,  198, 437, 465,  271,  489, 490,  13,  2303,
                                          198,  2302, 424, 198, 1035, 2303, 198, 2302, 442, 198};
    uint32_t *prompt = malloc(n_prompt * sizeof *prompt);
    for (size_t i = 0; i < n_prompt; i++) {
        prompt[i] = i + PROMPT < n_prompt ? 500 + (uint32_t)(i % 7) : chat[i + PROMPT - n_prompt];
    }
    vb_receipt_init(r);
    r->prompt.kind = VB_PROMPT_TOKENS;
    must(vb_receipt_set_prompt_tokens(r, prompt, n_prompt, &e));
    free(prompt);
    const vb_model_config *c = vb_model_get_config(model);
    snprintf(r->model.name, sizeof r->model.name, "%s", c->name);
    snprintf(r->model.architecture, sizeof r->model.architecture, "%s", c->arch);
    snprintf(r->model.file_type, sizeof r->model.file_type, "%s", c->file_type);
    r->model.n_parameters = c->n_parameters;
    snprintf(r->engine_version, sizeof r->engine_version, "test");
    snprintf(r->engine_tier, sizeof r->engine_tier, "test");
    snprintf(r->id, sizeof r->id, "test");
    memcpy(r->request.model_sha256, model_digest, 32);
    r->request.sampling.temperature = temperature;
    r->request.max_tokens = max_tokens;
    r->request.ctx_tokens = (uint32_t)n_prompt + max_tokens;
    r->request.n_choices = 1;
    r->request.mode = VB_MODE_FIXED;
    r->request.has_seed = true;
    r->request.seed = 42;
    r->request.sequence = 1;
}

static inline void stop_at(vb_receipt *r, const char *text, size_t n) {
    must(vb_text_set(&r->request.stop_strings[r->request.n_stop_strings++], text, n, &e));
}

/* As canonical JSON; NULL: none. */
static inline void hold_to(vb_receipt *r, const char *constraint) {
    vb_text_free(&r->request.constraint);
    if (constraint) {
        must(vb_text_set(&r->request.constraint, constraint, strlen(constraint), &e));
    }
}

/* The generation of a choice, for which grammar must live on. */
static inline vb_generation *open_generation(const vb_receipt *r, uint32_t choice,
                                             vb_stop_string stops[VB_STOP_STRINGS_MAX],
                                             vb_grammar **grammar) {
    vb_generation_options o;
    vb_generation *g;
    must(vb_receipt_generation(r, model, tokenizer, stops, &o, &e));
    must(vb_receipt_seed(r, choice, o.seed, &e));
    must(vb_receipt_grammar(&r->request, grammar, &e));
    o.grammar = *grammar;
    o.vocabulary = vocabulary;
    must(vb_generation_open(&o, &g, &e));
    return g;
}

typedef struct decoder {
    vb_generation *g;
    uint32_t token;
} decoder;

static inline vb_err decode(void *user, size_t item, size_t index, const float *logits) {
    (void)item;
    (void)index;
    decoder *d = user;
    return vb_generation_step(d->g, logits, &d->token, &e);
}

/* Generates one choice a token at a time and adds it. */
static inline void answer(vb_receipt *r, uint32_t choice) {
    vb_stop_string stops[VB_STOP_STRINGS_MAX];
    vb_grammar *grammar;
    decoder d = {open_generation(r, choice, stops, &grammar), 0};
    vb_session *session;
    vb_workspace *w;
    vb_finish finish;
    must(vb_session_open(model, r->request.ctx_tokens, &session, &e));
    must(vb_workspace_open(model, 1, r->request.ctx_tokens, 1, &w, &e));
    for (size_t i = 0; !vb_generation_ended(d.g, &finish); i++) {
        const uint32_t token = i < r->prompt.n_tokens ? r->prompt.tokens[i] : d.token;
        const vb_batch_item item = {session, &token, 1, i + 1 < r->prompt.n_tokens};
        must(vb_forward(model, w, &item, 1, decode, &d, &e));
    }
    size_t n_tokens, n_text;
    uint8_t root[32];
    const uint32_t *tokens = vb_generation_tokens(d.g, &n_tokens);
    const char *text = vb_generation_text(d.g, &n_text);
    vb_generation_trace_root(d.g, root);
    must(vb_receipt_add_output(r, tokens, n_tokens, text, n_text, finish, root, &e));
    vb_workspace_close(w);
    vb_session_close(session);
    vb_generation_close(d.g);
    vb_grammar_close(grammar);
}

/* As a server would, or a forger that is one: everything consistent, all signed. */
static inline void sign(vb_receipt *r) {
    must(vb_commitment_make(r, key, &e));
    r->usage_completion_tokens = 0;
    for (size_t i = 0; i < r->n_outputs; i++) {
        vb_receipt_output *out = &r->outputs[i];
        must(vb_receipt_seed(r, (uint32_t)i, out->seed, &e));
        vb_digest_text(out->text.p, out->text.len, out->text_sha256);
        r->usage_completion_tokens += out->n_tokens;
    }
    must(vb_receipt_sign(r, key, NULL, &e));
}

static inline void make(vb_receipt *r) {
    for (uint32_t i = 0; i < r->request.n_choices; i++) {
        answer(r, i);
    }
    sign(r);
}

/* Encodes, reads, checks and replays; o gives what differs from the ordinary. */
static inline vb_verdict verify_at(vb_level level, const vb_receipt *r, vb_replay_options o) {
    vb_buf bytes = vb_buf_make(VB_RECEIPT_BYTES_MAX);
    const vb_expect expect = {.prompt = o.prompt};
    must(vb_receipt_encode(r, &bytes, &e));
    o.gguf = gguf;
    o.tokenizer = tokenizer;
    o.model = model;
    o.model_sha256 = model_digest;
    o.batch_tokens = o.batch_tokens ? o.batch_tokens : 512;
    o.n_threads = 2;
    vb_report_begin(&rep, level);
    assert_true(vb_check_receipt(bytes.data, bytes.len, &expect, &parsed, &rep));
    passes = rows = heads = 0;
    vb_replay(&o, &parsed, &rep);
    vb_report_finish(&rep);
    vb_receipt_free(&parsed);
    vb_buf_free(&bytes);
    return vb_report_verdict(&rep);
}

static inline vb_verdict verify(const vb_receipt *r, vb_replay_options o) {
    return verify_at(VB_LEVEL_FULL, r, o);
}

static const vb_replay_options plain;

static inline void assert_verified(const vb_receipt *r) {
    if (verify(r, plain) != VB_VERDICT_VERIFIED) {
        fail_msg("not verified: %s", vb_reason_name(vb_report_reason(&rep)));
    }
    assert_true(rep.replayed);
}

static inline void assert_refuted(const vb_receipt *r, vb_reason reason) {
    assert_int_equal(verify(r, plain), VB_VERDICT_REFUTED);
    assert_string_equal(vb_reason_name(vb_report_reason(&rep)), vb_reason_name(reason));
    assert_false(rep.replayed);
}

#endif
