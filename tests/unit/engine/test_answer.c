/*
 * One answer on the shipped model: what is streamed, counted, reused, interrupted, signed.
 * Whether the tokens are right is the replay's business (tests/unit/verify, tests/e2e).
 */
#include "support/testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/answer.h"
#include "receipt/digests.h"
#include "verify/check.h"

enum { PROMPT = 20, CTX = 128, BATCH = 64 };

static const uint32_t chat[PROMPT] = {2302, 491,  198, 437, 465,  271,  489, 490,  13,  2303,
                                      198,  2302, 424, 198, 1035, 2303, 198, 2302, 442, 198};
static vb_gguf *gguf;
static vb_model *model;
static vb_tokenizer *tokenizer;
static vb_vocabulary *vocabulary;
static vb_session *session;
static vb_workspace *workspace;
static vb_ed25519_key *key;
static vb_ledger *ledger;
static char dir[64];
static vb_error e;

static void must(vb_err err) {
    if (err) {
        fail_msg("%s: %s", vb_err_name(err), e.msg);
    }
}

static int setup(void **state) {
    (void)state;
    static const uint8_t secret[32] = {7};
    vb_model_options options = {.n_threads = 2};
    must(vb_kernels_select(NULL, &options.kernels, &e));
    must(vb_gguf_open(vb_test_source("models/verbatim-demo/verbatim-demo-q8_0.gguf"), &gguf, &e));
    must(vb_tokenizer_open(gguf, &tokenizer, &e));
    must(vb_vocabulary_open(tokenizer, &vocabulary, &e));
    must(vb_model_load(gguf, &options, &model, &e));
    must(vb_session_open(model, CTX, &session, &e));
    must(vb_workspace_open(model, BATCH, CTX, 2, &workspace, &e));
    must(vb_ed25519_from_seed(secret, &key, &e));
    snprintf(dir, sizeof dir, "/tmp/verbatim-answer-XXXXXX");
    assert_non_null(mkdtemp(dir));
    must(vb_ledger_open(dir, key, &ledger, NULL, &e));
    return 0;
}

static int teardown(void **state) {
    (void)state;
    char command[128];
    vb_ledger_close(ledger);
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    assert_int_equal(system(command), 0);
    vb_ed25519_close(key);
    vb_workspace_close(workspace);
    vb_session_close(session);
    vb_model_close(model);
    vb_vocabulary_close(vocabulary);
    vb_tokenizer_close(tokenizer);
    vb_gguf_close(gguf);
    return 0;
}

/* What the callbacks saw. */
typedef struct seen {
    char text[4096];
    size_t n_text, n_calls, tokens_done, cancel_at;
    vb_err text_err;
} seen;

static vb_err on_text(void *user, const char *text, size_t n_bytes) {
    seen *s = user;
    assert_true(n_bytes > 0 && s->n_text + n_bytes < sizeof s->text);
    memcpy(s->text + s->n_text, text, n_bytes);
    s->n_text += n_bytes;
    return s->text_err;
}

static bool on_progress(void *user, size_t prompt_done, size_t tokens_done) {
    seen *s = user;
    assert_true(prompt_done <= PROMPT && (tokens_done == 0 || prompt_done == PROMPT));
    s->tokens_done = tokens_done;
    return ++s->n_calls != s->cancel_at;
}

static vb_generation *generation(const vb_sampling *sampling, size_t tokens_max,
                                 const vb_stop_string *stops, size_t n_stops) {
    vb_generation *g = NULL;
    const vb_generation_options o = {
        .kernels = vb_model_kernels(model),
        .tokenizer = tokenizer,
        .n_vocab = vb_model_get_config(model)->n_vocab,
        .sampling = sampling,
        .prompt = chat,
        .n_prompt = PROMPT,
        .seed = {9},
        .tokens_max = tokens_max,
        .stop_strings = stops,
        .n_stop_strings = n_stops,
    };
    must(vb_generation_open(&o, &g, &e));
    return g;
}

static vb_err generate(vb_generation *g, size_t batch, seen *s, vb_generate_stats *stats) {
    const vb_generate_options o = {
        .model = model,
        .workspace = workspace,
        .session = session,
        .batch_tokens = batch,
        .prompt = chat,
        .n_prompt = PROMPT,
        .generation = g,
        .on_text = on_text,
        .on_progress = on_progress,
        .user = s,
    };
    return vb_generate(&o, stats, &e);
}

static void assert_streamed(const vb_generation *g, const seen *s) {
    size_t n;
    const char *text = vb_generation_text(g, &n);
    assert_int_equal(s->n_text, n);
    assert_memory_equal(s->text, text, n);
}

/* Batches and a session that already holds part of the prompt change nothing but the counts. */
static void test_batches_and_prefix(void **state) {
    (void)state;
    vb_sampling sampling;
    uint8_t want[32], root[32];
    vb_sampling_default(&sampling);
    sampling.temperature = 2;
    bool first = true;
    static const size_t batches[] = {1, 7, BATCH}, held[] = {0, 1, 13, PROMPT - 1};
    for (size_t b = 0; b < 3; b++) {
        for (size_t h = 0; h < 4; h++) {
            vb_generate_stats stats;
            seen s = {.n_text = 0};
            vb_generation *g = generation(&sampling, 24, NULL, 0);
            /* The last run left the prompt and its answer in the session. */
            vb_session_truncate(session, first ? 0 : held[h]);
            const size_t had = vb_session_length(session);
            must(generate(g, batches[b], &s, &stats));
            size_t n;
            (void)vb_generation_tokens(g, &n);
            assert_int_equal(stats.prefill_tokens, PROMPT - had);
            assert_int_equal(stats.decode_tokens, n - 1);
            assert_int_equal(vb_session_length(session), PROMPT + n - 1);
            assert_int_equal(s.tokens_done, n);
            assert_int_equal(s.n_calls,
                             (PROMPT - had + batches[b] - 1) / batches[b] + stats.decode_tokens);
            assert_streamed(g, &s);
            vb_generation_trace_root(g, root);
            if (first) {
                memcpy(want, root, sizeof want);
                first = false;
            }
            assert_memory_equal(root, want, sizeof want);
            vb_generation_close(g);
        }
    }
}

/* Text that may begin a stop string is held back, and none of a stop string is ever shown. */
static void test_streaming_before_stop(void **state) {
    (void)state;
    vb_sampling sampling;
    vb_generate_stats stats;
    vb_sampling_default(&sampling);
    seen free_run = {.n_text = 0};
    vb_generation *g = generation(&sampling, 30, NULL, 0);
    vb_session_truncate(session, 0);
    must(generate(g, BATCH, &free_run, &stats));
    vb_generation_close(g);
    assert_true(free_run.n_text > 30);
    for (size_t at = 1; at < 25; at += 3) {
        seen s = {.n_text = 0};
        const vb_stop_string stop = {free_run.text + at, 6};
        g = generation(&sampling, 30, &stop, 1);
        vb_session_truncate(session, 0);
        must(generate(g, BATCH, &s, &stats));
        vb_finish finish;
        assert_true(vb_generation_ended(g, &finish));
        assert_int_equal(finish, VB_FINISH_STOP);
        assert_streamed(g, &s);
        assert_true(s.n_text <= at);
        assert_memory_equal(s.text, free_run.text, s.n_text);
        vb_generation_close(g);
    }
}

/* An answer cut inside a character ends in U+FFFD; nothing of the character is shown before. */
static void test_unfinished_character(void **state) {
    (void)state;
    vb_sampling sampling;
    vb_generate_stats stats;
    vb_sampling_default(&sampling);
    vb_buf piece = vb_buf_make(VB_TEXT_BYTES_MAX);
    uint32_t lead = 0;
    for (; lead < vb_tokenizer_size(tokenizer); lead++) {
        piece.len = 0;
        must(vb_tokenizer_decode(tokenizer, &lead, 1, true, false, &piece, &e));
        if (piece.len == 1 && piece.data[0] == 0xe2) {
            break;
        }
    }
    vb_buf_free(&piece);
    assert_true(lead < vb_tokenizer_size(tokenizer));
    sampling.n_bias = 1;
    sampling.bias[0] = (vb_logit_bias){lead, 100};
    seen s = {.n_text = 0};
    vb_generation *g = generation(&sampling, 1, NULL, 0);
    vb_session_truncate(session, 0);
    must(generate(g, BATCH, &s, &stats));
    assert_streamed(g, &s);
    assert_int_equal(s.n_text, 3);
    assert_memory_equal(s.text, "\xef\xbf\xbd", 3);
    vb_generation_close(g);
}

static void test_interruptions(void **state) {
    (void)state;
    vb_sampling sampling;
    vb_generate_stats stats;
    vb_finish finish;
    size_t n;
    vb_sampling_default(&sampling);
    for (size_t at = 1; at < 6; at++) { /* two passes of prefill, then decode */
        seen s = {.cancel_at = at};
        vb_generation *g = generation(&sampling, 30, NULL, 0);
        vb_session_truncate(session, 0);
        assert_int_equal(generate(g, 10, &s, &stats), VB_ECANCELLED);
        assert_int_equal(s.n_calls, at);
        (void)vb_generation_tokens(g, &n);
        assert_int_equal(n, at < 2 ? 0 : at - 1);
        assert_false(vb_generation_ended(g, &finish));
        vb_generation_close(g);
    }
    seen s = {.text_err = VB_EIO};
    vb_generation *g = generation(&sampling, 30, NULL, 0);
    vb_session_truncate(session, 0);
    assert_int_equal(generate(g, BATCH, &s, &stats), VB_EIO);
    assert_false(vb_generation_ended(g, &finish));
    vb_generation_close(g);
}

static void fill(vb_receipt *r, vb_beacon_mode mode) {
    vb_receipt_init(r);
    r->prompt.kind = VB_PROMPT_TOKENS;
    must(vb_receipt_set_prompt_tokens(r, chat, PROMPT, &e));
    snprintf(r->model.architecture, sizeof r->model.architecture, "qwen2");
    snprintf(r->model.file_type, sizeof r->model.file_type, "Q8_0");
    snprintf(r->engine_version, sizeof r->engine_version, "test");
    snprintf(r->engine_tier, sizeof r->engine_tier, "test");
    r->request.sampling.temperature = 1;
    r->request.max_tokens = 10;
    r->request.ctx_tokens = CTX;
    r->request.n_choices = 1;
    r->request.mode = mode;
    r->request.has_seed = mode == VB_MODE_FIXED;
    r->request.seed = 5;
}

static vb_err answer(vb_receipt *r, const vb_ed25519_key *k, vb_local_chain *chain,
                     uint8_t hash[32], seen *s) {
    vb_generate_stats stats;
    const vb_answer_options o = {
        .model = model,
        .tokenizer = tokenizer,
        .vocabulary = vocabulary,
        .workspace = workspace,
        .session = session,
        .batch_tokens = BATCH,
        .key = k,
        .ledger = ledger,
        .chain = chain,
        .on_text = on_text,
        .on_progress = on_progress,
        .user = s,
    };
    vb_session_truncate(session, 0);
    return vb_answer(&o, r, hash, &stats, &e);
}

static void assert_consistent(const vb_receipt *r, const uint8_t hash[32]) {
    vb_receipt parsed;
    vb_report rep;
    vb_buf bytes = vb_buf_make(VB_RECEIPT_BYTES_MAX);
    must(vb_receipt_encode(r, &bytes, &e));
    vb_report_begin(&rep, VB_LEVEL_RECEIPT);
    assert_true(vb_check_receipt(bytes.data, bytes.len, NULL, &parsed, &rep));
    vb_report_finish(&rep);
    assert_string_equal(vb_reason_name(vb_report_reason(&rep)), "none");
    assert_memory_equal(rep.verification_hash, hash, 32);
    vb_receipt_free(&parsed);
    vb_buf_free(&bytes);
}

/* Numbers without a gap, rounds in order, also when an answer in between was broken off. */
static void test_receipts(void **state) {
    (void)state;
    vb_local_chain *chain;
    uint64_t last;
    uint8_t hash[32];
    must(vb_local_chain_open(dir, &chain, &e));
    for (uint64_t i = 1; i <= 4; i++) {
        vb_receipt r;
        seen s = {.cancel_at = i == 3 ? 4 : 0};
        fill(&r, i == 2 ? VB_MODE_FIXED : VB_MODE_LOCAL);
        assert_int_equal(answer(&r, key, chain, hash, &s), i == 3 ? VB_ECANCELLED : VB_OK);
        assert_int_equal(r.request.sequence, i);
        char path[128];
        snprintf(path, sizeof path, "%s/%s/%d.json", dir, i == 3 ? "aborts" : "receipts", (int)i);
        assert_int_equal(access(path, R_OK), 0);
        snprintf(path, sizeof path, "%s/commitments/%d.json", dir, (int)i);
        assert_int_not_equal(access(path, F_OK), 0);
        if (i == 3) {
            assert_int_equal(r.n_outputs, 0);
        } else {
            assert_consistent(&r, hash);
            assert_int_equal(r.outputs[0].text.len, s.n_text);
        }
        if (i != 2) {
            assert_int_equal(r.beacon.round, i == 1 ? 1 : i - 1);
        }
        vb_receipt_free(&r);
    }
    must(vb_sequence_last(dir, &last, &e));
    assert_int_equal(last, 4);
    vb_local_chain_close(chain);
}

/* Without a key nothing is committed to, and the answer is that of the same seed with one. */
static void test_unsigned(void **state) {
    (void)state;
    vb_receipt with, without;
    uint8_t hash[32];
    seen a = {.n_text = 0}, b = {.n_text = 0};
    fill(&with, VB_MODE_FIXED);
    fill(&without, VB_MODE_FIXED);
    must(answer(&with, key, NULL, hash, &a));
    must(answer(&without, NULL, NULL, NULL, &b));
    assert_int_equal(without.request.sequence, 0);
    assert_int_equal(without.outputs[0].n_tokens, with.outputs[0].n_tokens);
    assert_memory_equal(without.outputs[0].trace_root, with.outputs[0].trace_root, 32);
    assert_int_equal(a.n_text, b.n_text);
    assert_memory_equal(a.text, b.text, a.n_text);
    vb_receipt_free(&with);
    vb_receipt_free(&without);
}

static void hold_to(vb_receipt *r, const char *constraint) {
    must(vb_text_set(&r->request.constraint, constraint, strlen(constraint), &e));
}

/* The answer is one of the texts, and the same without a receipt. */
static void test_constraint(void **state) {
    (void)state;
    static const char constraint[] = "{\"texts\":[\"left\",\"right\"],\"type\":\"choice\"}";
    size_t n_left = 0;
    for (uint64_t i = 0; i < 8; i++) {
        vb_receipt with, without;
        uint8_t hash[32];
        seen a = {.n_text = 0}, b = {.n_text = 0};
        fill(&with, VB_MODE_FIXED);
        fill(&without, VB_MODE_FIXED);
        with.request.seed = without.request.seed = i;
        with.request.sampling.temperature = without.request.sampling.temperature = 100;
        hold_to(&with, constraint);
        hold_to(&without, constraint);
        must(answer(&with, key, NULL, hash, &a));
        must(answer(&without, NULL, NULL, NULL, &b));
        assert_consistent(&with, hash);
        const vb_text *text = &with.outputs[0].text;
        n_left += strcmp(text->p, "left") == 0;
        assert_true(strcmp(text->p, "left") == 0 || strcmp(text->p, "right") == 0);
        assert_int_equal(with.outputs[0].finish, VB_FINISH_STOP);
        assert_int_equal(a.n_text, text->len);
        assert_memory_equal(a.text, text->p, text->len);
        assert_memory_equal(with.outputs[0].trace_root, without.outputs[0].trace_root, 32);
        vb_receipt_free(&with);
        vb_receipt_free(&without);
    }
    assert_true(n_left > 0 && n_left < 8);
}

/* What can not be kept to takes no number. */
static void test_refused_constraints(void **state) {
    (void)state;
    static const struct {
        const char *constraint, *message;
        vb_err err;
    } cases[] = {
        {"{}", "constraint.type", VB_EFORMAT},
        {"{ }", "not canonical", VB_EFORMAT},
        {"{\"schema\":{\"items\":{\"format\":\"date\"}},\"type\":\"json_schema\"}",
         "schema.items.format", VB_EUNSUPPORTED},
        {"{\"schema\":false,\"type\":\"json_schema\"}", "no text satisfies", VB_EINVAL},
        {"{\"type\":\"json_object\"}", "stop token", VB_EUNSUPPORTED},
    };
    uint64_t before, after;
    must(vb_sequence_last(dir, &before, &e));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        vb_receipt r;
        seen s = {.n_text = 0};
        fill(&r, VB_MODE_FIXED);
        hold_to(&r, cases[i].constraint);
        r.request.stop_tokens[0] = (uint32_t)vb_tokenizer_find(tokenizer, "}", 1);
        r.request.n_stop_tokens = 1;
        assert_int_equal(answer(&r, key, NULL, NULL, &s), cases[i].err);
        if (!strstr(e.msg, cases[i].message)) {
            fail_msg("%s", e.msg);
        }
        assert_int_equal(s.n_calls, 0);
        vb_receipt_free(&r);
    }
    must(vb_sequence_last(dir, &after, &e));
    assert_int_equal(after, before);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batches_and_prefix),
        cmocka_unit_test(test_streaming_before_stop),
        cmocka_unit_test(test_unfinished_character),
        cmocka_unit_test(test_interruptions),
        cmocka_unit_test(test_receipts),
        cmocka_unit_test(test_unsigned),
        cmocka_unit_test(test_constraint),
        cmocka_unit_test(test_refused_constraints),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
