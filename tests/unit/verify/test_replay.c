/*
 * The replay on the shipped model, where the command line is too coarse: several choices, private
 * receipts, a context that is exactly full, stop strings inside a token, and how early a false
 * receipt is found out.
 */
#include "played_server.h"

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
