/*
 * Several receipts replayed together: every report is, byte for byte, the one that its receipt gets
 * alone, whatever else is in the pass, however the rows are cut, and whichever pass fails; and the
 * passes are as few as their rows allow.
 */
#include "played_server.h"

#include "model/kv_pool.h"

enum { ALL = 19, FAILING_TOKEN = 777 };

static const char a_choice[] = "{\"texts\":[\"no\",\"nothing\",\"yes\"],\"type\":\"choice\"}";
static vb_receipt receipts[ALL]; /* as read again from their bytes */
static vb_receipt_prompt apart;
static uint8_t seeds[ALL][32];
static size_t shared_passes, shared_rows; /* of several items */

/* ---- passes that fail, a cache that is refused ---- */

static size_t stop_shared_at; /* which logits of a shared pass make it fail; 0: none do */
static bool no_pool;

vb_err __real_vb_forward(const vb_model *m, vb_workspace *w, const vb_batch_item *items,
                         size_t n_items, vb_logits_fn on_logits, void *user, vb_error *error);
vb_err __wrap_vb_forward(const vb_model *m, vb_workspace *w, const vb_batch_item *items,
                         size_t n_items, vb_logits_fn on_logits, void *user, vb_error *error);
vb_err __real_vb_kv_pool_open(const vb_model *m, uint64_t budget_bytes, vb_kv_pool **out,
                              vb_error *error);
vb_err __wrap_vb_kv_pool_open(const vb_model *m, uint64_t budget_bytes, vb_kv_pool **out,
                              vb_error *error);

typedef struct failing {
    vb_logits_fn on_logits;
    void *user;
    size_t left;
} failing;

static vb_err fail_later(void *user, size_t item, size_t index, const float *logits) {
    failing *f = user;
    return f->left-- == 1 ? VB_ENONFINITE : f->on_logits(f->user, item, index, logits);
}

static bool has_failing_token(const vb_batch_item *item) {
    for (size_t i = 0; i < item->n_tokens; i++) {
        if (item->tokens[i] == FAILING_TOKEN) {
            return true;
        }
    }
    return false;
}

vb_err __wrap_vb_forward(const vb_model *m, vb_workspace *w, const vb_batch_item *items,
                         size_t n_items, vb_logits_fn on_logits, void *user, vb_error *error) {
    if (n_items == 1) { /* the server's */
        return __real_vb_forward(m, w, items, n_items, on_logits, user, error);
    }
    shared_passes++;
    for (size_t i = 0; i < n_items; i++) {
        shared_rows += items[i].n_tokens;
        if (has_failing_token(&items[i])) {
            return vb_fail(error, VB_ENONFINITE, "of somebody in this pass");
        }
    }
    failing f = {on_logits, user, stop_shared_at};
    return stop_shared_at ? __real_vb_forward(m, w, items, n_items, fail_later, &f, error)
                          : __real_vb_forward(m, w, items, n_items, on_logits, user, error);
}

vb_err __wrap_vb_kv_pool_open(const vb_model *m, uint64_t budget_bytes, vb_kv_pool **out,
                              vb_error *error) {
    return no_pool ? vb_fail(error, VB_ENOMEM, "no memory for a pool")
                   : __real_vb_kv_pool_open(m, budget_bytes, out, error);
}

/* ---- receipts ---- */

/* What a verifier would have read. */
static void keep(size_t i, vb_receipt *r) {
    vb_buf bytes = vb_buf_make(VB_RECEIPT_BYTES_MAX);
    const vb_expect expect = {.prompt = i == 9 ? &apart : NULL};
    vb_report ignored;
    must(vb_receipt_encode(r, &bytes, &e));
    vb_report_begin(&ignored, VB_LEVEL_FULL);
    assert_true(vb_check_receipt(bytes.data, bytes.len, &expect, &receipts[i], &ignored));
    vb_receipt_free(r);
    vb_buf_free(&bytes);
    memset(seeds[i], (int)i + 1, sizeof seeds[i]);
}

static void keep_honest(size_t i, vb_receipt *r) {
    make(r);
    keep(i, r);
}

static void make_honest(void) {
    vb_receipt r;
    begin(&r, PROMPT, 12, 0);
    keep_honest(0, &r);
    begin(&r, PROMPT, ANSWER, 1.0f);
    keep_honest(1, &r);
    begin(&r, 7, 9, 5.0f);
    r.request.n_choices = 3;
    keep_honest(2, &r);
    begin(&r, PROMPT, 30, 1.0f);
    hold_to(&r, a_choice);
    keep_honest(3, &r);
    begin(&r, PROMPT, ANSWER, 1.5f);
    r.request.seed = 43;
    r.request.sampling.repetition_penalty = 1.7f;
    r.request.sampling.presence_penalty = 0.4f;
    r.request.sampling.top_k = 40;
    keep_honest(4, &r);
    begin(&r, 300, 5, 1.0f);
    keep_honest(5, &r);
    begin(&r, 1, 1, 1.0f);
    keep_honest(6, &r);
    begin(&r, PROMPT, ANSWER, 0);
    stop_at(&r, "e", 1);
    keep_honest(7, &r);
    for (size_t i = 8; i <= 9; i++) { /* private, without and with its prompt */
        static uint32_t tokens[PROMPT];
        begin(&r, PROMPT, 10, 1.0f);
        memcpy(tokens, r.prompt.tokens, sizeof tokens);
        apart = (vb_receipt_prompt){
            .kind = VB_PROMPT_TOKENS, .has_tokens = true, .tokens = tokens, .n_tokens = PROMPT};
        make(&r);
        vb_receipt_make_private(&r);
        sign(&r);
        keep(i, &r);
    }
}

/* An honest answer of 3 choices, of which one token is changed. */
static void make_false_token(size_t i, size_t choice, size_t t, uint32_t token) {
    vb_receipt r;
    begin(&r, PROMPT, 20, 2.0f);
    r.request.seed = 100 + i;
    r.request.n_choices = 3;
    make(&r);
    assert_true(t < r.outputs[choice].n_tokens);
    r.outputs[choice].tokens[t] = r.outputs[choice].tokens[t] == token ? token + 1 : token;
    sign(&r);
    keep(i, &r);
}

static void make_false(void) {
    vb_receipt r;
    make_false_token(10, 0, 0, 9);
    make_false_token(11, 2, 1, 9);
    make_false_token(12, 1, 0, VB_MODEL_VOCAB_MAX - 1);
    begin(&r, PROMPT, 4, 1.0f); /* a context beyond the model's */
    make(&r);
    r.request.ctx_tokens = (uint32_t)vb_model_get_config(model)->n_ctx_train + 1;
    sign(&r);
    keep(13, &r);
    begin(&r, PROMPT, 3, 1.0f);
    r.request.model_sha256[31] ^= 1;
    keep_honest(14, &r);
    begin(&r, PROMPT, 6, 1.0f);
    make(&r);
    r.outputs[0].trace_root[5] ^= 1;
    sign(&r);
    keep(15, &r);
    begin(&r, PROMPT, ANSWER, 3.0f); /* cut short */
    make(&r);
    r.outputs[0].n_tokens = 2;
    r.outputs[0].finish = VB_FINISH_LENGTH;
    sign(&r);
    keep(16, &r);
    begin(&r, PROMPT, 8, 1.0f); /* no pass that it shares succeeds */
    r.prompt.tokens[3] = FAILING_TOKEN;
    vb_digest_tokens(r.prompt.tokens, PROMPT, r.request.prompt_sha256);
    keep_honest(17, &r);
    begin(&r, PROMPT, 25, 0.7f);
    r.request.seed = 7;
    keep_honest(18, &r);
}

static int setup_all(void **state) {
    setup(state);
    make_honest();
    make_false();
    return 0;
}

static int teardown_all(void **state) {
    for (size_t i = 0; i < ALL; i++) {
        vb_receipt_free(&receipts[i]);
    }
    return teardown(state);
}

/* ---- replays ---- */

typedef struct outcome {
    vb_buf json;
    vb_verdict verdict;
} outcome;

static vb_replay_options with(size_t batch) {
    return (vb_replay_options){.gguf = gguf,
                               .tokenizer = tokenizer,
                               .model = model,
                               .vocabulary = vocabulary,
                               .model_sha256 = model_digest,
                               .batch_tokens = batch,
                               .n_threads = 2,
                               .n_samples = 5};
}

/* The pure checks of these receipts are not repeated: reports hold the replay's alone. */
static void replay(vb_level level, vb_replay_options o, const size_t *which, size_t n,
                   outcome *out) {
    vb_report *reports = calloc(n, sizeof *reports);
    vb_replay_item items[ALL];
    assert_non_null(reports);
    for (size_t i = 0; i < n; i++) {
        const size_t k = which[i];
        vb_report_begin(&reports[i], level);
        items[i] = (vb_replay_item){&receipts[k], &reports[i], k == 9 ? &apart : NULL, seeds[k]};
    }
    passes = rows = heads = shared_passes = shared_rows = 0;
    vb_replay_together(&o, items, n);
    for (size_t i = 0; i < n; i++) {
        vb_report_finish(&reports[i]);
        out[i].json = vb_buf_make(VB_RECEIPT_BYTES_MAX);
        out[i].verdict = vb_report_verdict(&reports[i]);
        must(vb_report_write_json(&reports[i], &out[i].json, &e));
    }
    free(reports);
}

static void drop(outcome *x, size_t n) {
    for (size_t i = 0; i < n; i++) {
        vb_buf_free(&x[i].json);
    }
}

static void assert_same(const outcome *alone, const outcome *together, const size_t *which,
                        size_t n) {
    for (size_t i = 0; i < n; i++) {
        const vb_buf *a = &alone[which[i]].json, *b = &together[i].json;
        if (a->len != b->len || memcmp(a->data, b->data, a->len) != 0) {
            fail_msg("receipt %zu\nalone    %.*s\ntogether %.*s", which[i], (int)a->len,
                     (const char *)a->data, (int)b->len, (const char *)b->data);
        }
    }
}

/* Every receipt by itself. */
static void replay_each(vb_level level, size_t batch, outcome out[ALL]) {
    for (size_t i = 0; i < ALL; i++) {
        replay(level, with(batch), &i, 1, &out[i]);
    }
}

static void shuffle(size_t which[ALL], uint64_t seed) {
    for (size_t i = 0; i < ALL; i++) {
        which[i] = i;
    }
    for (size_t i = ALL - 1; i > 0; i--) {
        const size_t k = (size_t)(vb_test_random(&seed) % (i + 1)), kept = which[i];
        which[i] = which[k];
        which[k] = kept;
    }
}

static void compare_at(vb_level level) {
    static const size_t batches[] = {1, 31, 512};
    outcome alone[ALL], together[ALL];
    size_t which[ALL];
    replay_each(level, 512, alone);
    for (size_t i = 0; i < sizeof batches / sizeof batches[0]; i++) {
        for (uint64_t order = 0; order <= i; order++) { /* passes of few rows are many */
            shuffle(which, order);
            replay(level, with(batches[i]), which, ALL, together);
            assert_same(alone, together, which, ALL);
            assert_true(batches[i] == 1 ? shared_passes == 0 : shared_passes > 0);
            drop(together, ALL);
        }
    }
    drop(alone, ALL);
}

static void test_same_as_alone(void **state) {
    (void)state;
    compare_at(VB_LEVEL_FULL);
}

static void test_same_as_alone_sampled(void **state) {
    (void)state;
    compare_at(VB_LEVEL_SAMPLE);
}

/* What the receipts were made for. */
static void test_verdicts(void **state) {
    (void)state;
    outcome x[ALL];
    size_t which[ALL];
    shuffle(which, 5);
    replay(VB_LEVEL_FULL, with(512), which, ALL, x);
    for (size_t i = 0; i < ALL; i++) {
        const size_t k = which[i];
        const char *json = (const char *)x[i].json.data;
        const bool verified = k < 8 || k == 9 || k >= 17;
        /* Reports without the pure checks are not VERIFIED: what the replay says is. */
        assert_int_equal(x[i].verdict == VB_VERDICT_REFUTED, !verified && k != 8);
        assert_int_equal(strstr(json, "every distribution has the same bits") != NULL, verified);
    }
    drop(x, ALL);
}

/* Rows that fill passes: as few passes as they need, and no row twice. */
static void test_passes(void **state) {
    (void)state;
    static const size_t which[] = {0, 1, 3, 4, 6, 7, 9, 18};
    enum { N = sizeof which / sizeof which[0] };
    outcome x[N];
    size_t all = 0;
    for (size_t i = 0; i < N; i++) {
        all += (receipts[which[i]].prompt.n_tokens ? receipts[which[i]].prompt.n_tokens : PROMPT) +
               receipts[which[i]].outputs[0].n_tokens - 1;
    }
    for (size_t batch = 16; batch <= 512; batch *= 2) {
        replay(VB_LEVEL_FULL, with(batch), which, N, x);
        assert_int_equal(rows + shared_rows, all);
        assert_int_equal(passes + shared_passes, (all + batch - 1) / batch);
        drop(x, N);
    }
}

/* A receipt that is false at its first token costs no more than the pass that shows it. */
static void test_false_one_leaves(void **state) {
    (void)state;
    static const size_t honest[] = {1, 4}, both[] = {1, 10, 4};
    outcome x[3];
    replay(VB_LEVEL_FULL, with(32), honest, 2, x);
    const size_t before = rows + shared_rows;
    drop(x, 2);
    replay(VB_LEVEL_FULL, with(32), both, 3, x);
    assert_true(rows + shared_rows > before);
    assert_true(rows + shared_rows <= before + PROMPT + 32);
    drop(x, 3);
}

/* A shared pass that fails at any of its logits changes nothing. */
static void test_failing_passes(void **state) {
    (void)state;
    outcome alone[ALL], together[ALL];
    size_t which[ALL];
    replay_each(VB_LEVEL_FULL, 512, alone);
    for (stop_shared_at = 1; stop_shared_at < 100; stop_shared_at += 23) {
        shuffle(which, stop_shared_at);
        replay(VB_LEVEL_FULL, with(100), which, ALL, together);
        assert_same(alone, together, which, ALL);
        drop(together, ALL);
    }
    stop_shared_at = 0;
    drop(alone, ALL);
}

static void test_without_memory_to_share(void **state) {
    (void)state;
    outcome alone[ALL], together[ALL];
    size_t which[ALL];
    replay_each(VB_LEVEL_FULL, 512, alone);
    shuffle(which, 3);
    no_pool = true;
    replay(VB_LEVEL_FULL, with(512), which, ALL, together);
    no_pool = false;
    assert_int_equal(shared_passes, 0);
    assert_same(alone, together, which, ALL);
    drop(together, ALL);
    drop(alone, ALL);
}

typedef struct progress {
    uint64_t last, calls, stop_at;
    bool ended;
} progress;

static bool note(void *user, uint64_t done, uint64_t total) {
    progress *p = user;
    assert_true(done >= p->last && done <= total);
    p->last = done;
    p->ended = done == total;
    return ++p->calls != p->stop_at;
}

/* Wherever it is stopped: what is through has its report, the rest is unfinished, nothing between.
 */
static void test_stopped(void **state) {
    (void)state;
    outcome alone[ALL], x[ALL];
    size_t which[ALL];
    shuffle(which, 11);
    replay_each(VB_LEVEL_FULL, 512, alone);
    for (uint64_t at = 1;; at += 4) {
        progress p = {.stop_at = at};
        vb_replay_options o = with(64);
        o.on_progress = note;
        o.user = &p;
        replay(VB_LEVEL_FULL, o, which, ALL, x);
        for (size_t i = 0; i < ALL; i++) {
            if (!strstr((const char *)x[i].json.data, "stopped before the end")) {
                assert_same(alone, &x[i], &which[i], 1);
            } else {
                assert_int_equal(p.calls, at);
            }
        }
        drop(x, ALL);
        if (p.calls < at) {
            assert_true(at > 10);
            break;
        }
    }
    drop(alone, ALL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_same_as_alone),
        cmocka_unit_test(test_same_as_alone_sampled),
        cmocka_unit_test(test_passes),
        cmocka_unit_test(test_false_one_leaves),
        cmocka_unit_test(test_failing_passes),
        cmocka_unit_test(test_without_memory_to_share),
        cmocka_unit_test(test_stopped),
    };
    return cmocka_run_group_tests(tests, setup_all, teardown_all);
}
