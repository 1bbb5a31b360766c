/*
 * The replay on the shipped model, where the command line is too coarse: several choices, private
 * receipts, a context that is exactly full, stop strings inside a token, and how early a false
 * receipt is found out. The server is played by a loop of one-token passes, so that each test
 * also compares decode with prefill.
 */
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
static vb_ed25519_key *key;
static uint8_t model_digest[32];
static vb_report rep;
static vb_receipt parsed;
static size_t passes, rows, heads; /* of the model: calls, tokens, tokens whose logits came */
static vb_error e;

vb_err __real_vb_forward(const vb_model *m, vb_workspace *w, const vb_batch_item *items,
                         size_t n_items, vb_logits_fn on_logits, void *user, vb_error *error);
vb_err __wrap_vb_forward(const vb_model *m, vb_workspace *w, const vb_batch_item *items,
                         size_t n_items, vb_logits_fn on_logits, void *user, vb_error *error);
vb_err __wrap_vb_forward(const vb_model *m, vb_workspace *w, const vb_batch_item *items,
                         size_t n_items, vb_logits_fn on_logits, void *user, vb_error *error) {
    passes++;
    return __real_vb_forward(m, w, items, n_items, on_logits, user, error);
}

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

static void must(vb_err err) {
    if (err) {
        fail_msg("%s: %s", vb_err_name(err), e.msg);
    }
}

static int setup(void **state) {
    (void)state;
    static const uint8_t secret[32] = {1, 2, 3};
    vb_model_options options = {.n_threads = 2};
    must(vb_kernels_select(NULL, &options.kernels, &e));
    must(vb_gguf_open(vb_test_source("models/verbatim-demo/verbatim-demo-q8_0.gguf"), &gguf, &e));
    must(vb_tokenizer_open(gguf, &tokenizer, &e));
    must(vb_model_load(gguf, &options, &model, &e));
    must(vb_ed25519_from_seed(secret, &key, &e));
    memset(model_digest, 0x5a, sizeof model_digest);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    vb_ed25519_close(key);
    vb_model_close(model);
    vb_tokenizer_close(tokenizer);
    vb_gguf_close(gguf);
    return 0;
}

/* A request with n_prompt tokens of a chat about nothing; the rest is the caller's to change. */
static void begin(vb_receipt *r, size_t n_prompt, uint32_t max_tokens, float temperature) {
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

static void stop_at(vb_receipt *r, const char *text, size_t n) {
    must(vb_text_set(&r->request.stop_strings[r->request.n_stop_strings++], text, n, &e));
}

typedef struct decoder {
    vb_generation *g;
    uint32_t token;
} decoder;

static vb_err decode(void *user, size_t item, size_t index, const float *logits) {
    (void)item;
    (void)index;
    decoder *d = user;
    return vb_generation_step(d->g, logits, &d->token, &e);
}

/* Generates one choice a token at a time and adds it. */
static void answer(vb_receipt *r, uint32_t choice) {
    vb_stop_string stops[VB_STOP_STRINGS_MAX];
    vb_generation_options o;
    decoder d = {NULL, 0};
    vb_session *session;
    vb_workspace *w;
    vb_finish finish;
    must(vb_receipt_generation(r, model, tokenizer, stops, &o, &e));
    must(vb_receipt_seed(r, choice, o.seed, &e));
    must(vb_generation_open(&o, &d.g, &e));
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
}

/* As a server would, or a forger that is one: everything consistent, all signed. */
static void sign(vb_receipt *r) {
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

static void make(vb_receipt *r) {
    for (uint32_t i = 0; i < r->request.n_choices; i++) {
        answer(r, i);
    }
    sign(r);
}

/* Encodes, reads, checks and replays; o gives what differs from the ordinary. */
static vb_verdict verify_at(vb_level level, const vb_receipt *r, vb_replay_options o) {
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

static vb_verdict verify(const vb_receipt *r, vb_replay_options o) {
    return verify_at(VB_LEVEL_FULL, r, o);
}

static const vb_replay_options plain;

static void assert_verified(const vb_receipt *r) {
    if (verify(r, plain) != VB_VERDICT_VERIFIED) {
        fail_msg("not verified: %s", vb_reason_name(vb_report_reason(&rep)));
    }
    assert_true(rep.replayed);
}

static void assert_refuted(const vb_receipt *r, vb_reason reason) {
    assert_int_equal(verify(r, plain), VB_VERDICT_REFUTED);
    assert_string_equal(vb_reason_name(vb_report_reason(&rep)), vb_reason_name(reason));
    assert_false(rep.replayed);
}

static void test_choices(void **state) {
    (void)state;
    vb_receipt r;
    begin(&r, PROMPT, 12, 5.0f);
    r.request.n_choices = 3;
    make(&r);
    assert_verified(&r);
    assert_memory_not_equal(r.outputs[0].tokens, r.outputs[1].tokens, 12 * sizeof(uint32_t));
    assert_memory_not_equal(r.outputs[0].trace_root, r.outputs[1].trace_root, 32);

    /* The last token of the last choice. */
    const uint32_t kept = r.outputs[2].tokens[11];
    r.outputs[2].tokens[11] = kept == 9 ? 10 : 9;
    sign(&r);
    assert_refuted(&r, VB_REASON_TOKEN);
    assert_true(rep.divergence.known);
    assert_int_equal(rep.divergence.choice, 2);
    assert_int_equal(rep.divergence.t, 11);
    assert_int_equal(rep.divergence.expected, kept);
    assert_int_equal(rep.divergence.found, r.outputs[2].tokens[11]);
    /* What was never drawn has no expected token beside it. */
    r.outputs[2].tokens[11] = VB_MODEL_VOCAB_MAX - 1;
    sign(&r);
    assert_refuted(&r, VB_REASON_TOKEN);
    assert_false(rep.divergence.known);
    assert_non_null(strstr(rep.checks[VB_CHECK_TOKENS].detail, "position 11 of choice 2"));
    r.outputs[2].tokens[11] = kept;

    /* Choices that change places keep all else, and the seeds no longer fit. */
    const vb_receipt_output first = r.outputs[0];
    r.outputs[0] = r.outputs[1];
    r.outputs[1] = first;
    sign(&r);
    assert_refuted(&r, VB_REASON_TOKEN);
    assert_int_equal(rep.divergence.choice, 0);
    vb_receipt_free(&r);
}

/* Greedy choices are all alike, and that is what is verified. */
static void test_greedy_choices(void **state) {
    (void)state;
    vb_receipt r;
    begin(&r, PROMPT, 6, 0);
    r.request.n_choices = 2;
    make(&r);
    assert_memory_equal(r.outputs[0].trace_root, r.outputs[1].trace_root, 32);
    assert_memory_not_equal(r.outputs[0].seed, r.outputs[1].seed, 32);
    assert_verified(&r);
    vb_receipt_free(&r);
}

static void test_private(void **state) {
    (void)state;
    vb_receipt r;
    uint32_t prompt[PROMPT];
    begin(&r, PROMPT, 10, 1.0f);
    memcpy(prompt, r.prompt.tokens, sizeof prompt);
    /* Penalties look at the prompt, so the replay has to use the one that was given apart. */
    r.request.sampling.repetition_penalty = 1.7f;
    answer(&r, 0);
    vb_receipt_make_private(&r);
    sign(&r);

    assert_int_equal(verify(&r, plain), VB_VERDICT_UNVERIFIABLE);
    assert_int_equal(vb_report_reason(&rep), VB_REASON_MISSING_PROMPT);
    assert_int_equal(passes, 0);
    const vb_receipt_prompt whole = {
        .kind = VB_PROMPT_TOKENS, .has_tokens = true, .tokens = prompt, .n_tokens = PROMPT};
    const vb_replay_options given = {.prompt = &whole};
    assert_int_equal(verify(&r, given), VB_VERDICT_VERIFIED);
    vb_receipt_prompt less = whole;
    less.n_tokens--;
    const vb_replay_options shorter = {.prompt = &less};
    assert_int_equal(verify(&r, shorter), VB_VERDICT_REFUTED);
    assert_int_equal(vb_report_reason(&rep), VB_REASON_PROMPT);
    prompt[3]++;
    assert_int_equal(verify(&r, given), VB_VERDICT_REFUTED);
    assert_int_equal(vb_report_reason(&rep), VB_REASON_PROMPT);
    assert_int_equal(passes, 0);
    vb_receipt_free(&r);
}

static void test_full_context(void **state) {
    (void)state;
    const size_t limit = vb_model_get_config(model)->n_ctx_train;
    vb_receipt r;
    begin(&r, limit - 4, 50, 1.0f);
    r.request.ctx_tokens = (uint32_t)limit;
    make(&r);
    assert_int_equal(r.outputs[0].n_tokens, 4);
    assert_int_equal(r.outputs[0].finish, VB_FINISH_LENGTH);
    assert_verified(&r);
    const vb_replay_options small = {.batch_tokens = 100};
    assert_int_equal(verify(&r, small), VB_VERDICT_VERIFIED);
    assert_int_equal(passes, (limit - 1 + 99) / 100);

    r.request.ctx_tokens = (uint32_t)limit + 1;
    r.request.max_tokens = 4;
    sign(&r);
    assert_refuted(&r, VB_REASON_PARAMETERS);
    vb_receipt_free(&r);

    begin(&r, limit - 1, 1, 1.0f);
    make(&r);
    assert_int_equal(r.outputs[0].n_tokens, 1);
    assert_verified(&r);
    vb_receipt_free(&r);
}

/* The stop string lies inside the answer's last token: its text ends in the middle of that token.
 */
static void test_stop_inside_token(void **state) {
    (void)state;
    vb_receipt r;
    begin(&r, PROMPT, ANSWER, 0);
    make(&r);
    assert_verified(&r);
    size_t t = 0, begins = 0;
    vb_buf piece = vb_buf_make(VB_TEXT_BYTES_MAX);
    for (; t < r.outputs[0].n_tokens; t++) {
        piece.len = 0;
        must(vb_tokenizer_decode(tokenizer, r.outputs[0].tokens + t, 1, true, false, &piece, &e));
        if (t > 3 && piece.len >= 5) {
            break;
        }
        begins += piece.len;
    }
    assert_true(t < r.outputs[0].n_tokens);
    vb_receipt cut;
    begin(&cut, PROMPT, ANSWER, 0);
    stop_at(&cut, (const char *)piece.data + 2, piece.len - 3);
    make(&cut);
    assert_int_equal(cut.outputs[0].n_tokens, t + 1);
    assert_int_equal(cut.outputs[0].finish, VB_FINISH_STOP);
    assert_int_equal(cut.outputs[0].text.len, begins + 2);
    assert_memory_equal(cut.outputs[0].text.p, r.outputs[0].text.p, begins + 2);
    assert_verified(&cut);

    /* The whole of the last token's text, or none of it, is another text. */
    for (size_t n = begins; n <= begins + piece.len; n += piece.len) {
        must(vb_text_set(&cut.outputs[0].text, r.outputs[0].text.p, n, &e));
        sign(&cut);
        assert_refuted(&cut, VB_REASON_TEXT);
    }
    vb_buf_free(&piece);
    vb_receipt_free(&cut);
    vb_receipt_free(&r);
}

/* A false token ends the replay in the pass that finds it. */
static void test_early_exit(void **state) {
    (void)state;
    vb_receipt r;
    const vb_replay_options small = {.batch_tokens = 8};
    begin(&r, PROMPT, ANSWER, 1.5f);
    r.request.sampling.n_bias = 2; /* the answer does not end by itself */
    r.request.sampling.bias[0] = (vb_logit_bias){2301, -100};
    r.request.sampling.bias[1] = (vb_logit_bias){2303, -100};
    r.request.n_choices = 2;
    make(&r);
    assert_int_equal(r.outputs[0].n_tokens, ANSWER);
    assert_int_equal(verify(&r, small), VB_VERDICT_VERIFIED);
    const size_t each = (PROMPT + ANSWER - 1 + 7) / 8;
    assert_int_equal(passes, 2 * each);
    assert_int_equal(verify(&r, plain), VB_VERDICT_VERIFIED);
    assert_int_equal(passes, 2);
    for (size_t c = 0; c < 2; c++) {
        for (size_t t = 0; t < ANSWER; t += 13) {
            const uint32_t kept = r.outputs[c].tokens[t];
            r.outputs[c].tokens[t] = kept == 9 ? 10 : 9;
            sign(&r);
            assert_int_equal(verify(&r, small), VB_VERDICT_REFUTED);
            assert_int_equal(vb_report_reason(&rep), VB_REASON_TOKEN);
            assert_int_equal(rep.divergence.choice, c);
            assert_int_equal(rep.divergence.t, t);
            assert_int_equal(passes, c * each + (PROMPT - 1 + t) / 8 + 1);
            r.outputs[c].tokens[t] = kept;
        }
    }
    sign(&r);
    assert_int_equal(verify(&r, small), VB_VERDICT_VERIFIED);
    vb_receipt_free(&r);
}

static bool stop_at_third(void *user, uint64_t done, uint64_t total) {
    size_t *calls = user;
    assert_true(done <= total);
    return ++*calls < 3;
}

static bool count(void *user, uint64_t done, uint64_t total) {
    size_t *calls = user;
    ++*calls;
    if (done == total) {
        *calls += 1000;
    }
    return true;
}

/* What was stopped is never VERIFIED, however much of it agreed. */
static void test_stopped(void **state) {
    (void)state;
    vb_receipt r;
    size_t calls = 0;
    begin(&r, PROMPT, 5, 1.0f);
    make(&r);
    vb_replay_options o = {.batch_tokens = 8, .on_progress = stop_at_third, .user = &calls};
    assert_int_equal(verify(&r, o), VB_VERDICT_UNVERIFIABLE); /* even in the last of three passes */
    assert_int_equal(vb_report_reason(&rep), VB_REASON_UNFINISHED);
    assert_int_equal(passes, 3);
    assert_false(rep.replayed);
    calls = 0;
    o.on_progress = count;
    assert_int_equal(verify(&r, o), VB_VERDICT_VERIFIED);
    assert_int_equal(calls, 1003);
    vb_receipt_free(&r);
}

/* Every batch size puts the first wanted position elsewhere in its pass. */
static void test_batches(void **state) {
    (void)state;
    vb_receipt r;
    begin(&r, PROMPT, 5, 1.0f);
    make(&r);
    for (size_t batch = 1; batch <= PROMPT + 5; batch++) {
        const vb_replay_options o = {.batch_tokens = batch};
        assert_int_equal(verify(&r, o), VB_VERDICT_VERIFIED);
        assert_int_equal(passes, (PROMPT + r.outputs[0].n_tokens - 1 + batch - 1) / batch);
    }
    vb_receipt_free(&r);
}

/* Nothing is computed for a receipt that names another model. */
static void test_other_model(void **state) {
    (void)state;
    vb_receipt r;
    begin(&r, PROMPT, 3, 1.0f);
    r.request.model_sha256[31] ^= 1;
    make(&r);
    assert_refuted(&r, VB_REASON_MODEL_DIGEST);
    assert_int_equal(passes, 0);
    vb_receipt_free(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_choices),           cmocka_unit_test(test_greedy_choices),
        cmocka_unit_test(test_private),           cmocka_unit_test(test_full_context),
        cmocka_unit_test(test_stop_inside_token), cmocka_unit_test(test_early_exit),
        cmocka_unit_test(test_stopped),           cmocka_unit_test(test_batches),
        cmocka_unit_test(test_other_model),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
