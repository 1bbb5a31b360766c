/*
 * Level sample on the shipped model, against a forger who knows what he does: one token of his
 * choice, everything after it drawn honestly from there, trace, text and signatures true to it.
 * Also what a replay says of the first divergence, and the positions it hands out.
 */
#include "played_server.h"

#include "receipt/trace.h"
#include "verify/positions.h"

enum { N = 12, EOG_1 = 2301, EOG_2 = 2303 };

/* The answer does not end by itself. */
static void begin_endless(vb_receipt *r, uint32_t n_tokens) {
    begin(r, PROMPT, n_tokens, 3.0f);
    r->request.sampling.n_bias = 2;
    r->request.sampling.bias[0] = (vb_logit_bias){EOG_1, -100};
    r->request.sampling.bias[1] = (vb_logit_bias){EOG_2, -100};
}

typedef struct forger {
    vb_generation *g;
    vb_trace trace;
    size_t t, at; /* steps made; where the token is his own */
    uint32_t token, own;
} forger;

static vb_err forge(void *user, size_t item, size_t index, const float *logits) {
    forger *f = user;
    uint8_t leaf[32];
    (void)item;
    (void)index;
    if (f->t == f->at) {
        f->token = f->own;
        must(vb_generation_follow(f->g, f->own, &e));
    } else {
        must(vb_generation_step(f->g, logits, &f->token, &e));
    }
    vb_trace_leaf(f->t++, f->token, logits, vb_model_get_config(model)->n_vocab, leaf);
    vb_trace_add(&f->trace, leaf);
    return VB_OK;
}

/* Adds a choice whose token `at` is `own`. */
static void forge_answer(vb_receipt *r, uint32_t choice, size_t at, uint32_t own) {
    vb_stop_string stops[VB_STOP_STRINGS_MAX];
    vb_generation_options o;
    forger f = {.at = at, .own = own};
    vb_session *session;
    vb_workspace *w;
    vb_finish finish;
    uint8_t root[32];
    size_t n, n_text;
    must(vb_receipt_generation(r, model, tokenizer, stops, &o, &e));
    must(vb_receipt_seed(r, choice, o.seed, &e));
    must(vb_generation_open(&o, &f.g, &e));
    must(vb_session_open(model, r->request.ctx_tokens, &session, &e));
    must(vb_workspace_open(model, PROMPT, r->request.ctx_tokens, 2, &w, &e));
    vb_trace_begin(&f.trace);
    vb_batch_item item = {session, r->prompt.tokens, PROMPT, PROMPT - 1};
    must(vb_forward(model, w, &item, 1, forge, &f, &e));
    while (!vb_generation_ended(f.g, &finish)) {
        item = (vb_batch_item){session, &f.token, 1, 0};
        must(vb_forward(model, w, &item, 1, forge, &f, &e));
    }
    const uint32_t *tokens = vb_generation_tokens(f.g, &n);
    const char *text = vb_generation_text(f.g, &n_text);
    vb_trace_root(&f.trace, root);
    must(vb_receipt_add_output(r, tokens, n, text, n_text, finish, root, &e));
    vb_workspace_close(w);
    vb_session_close(session);
    vb_generation_close(f.g);
}

static uint8_t seed[32];

static vb_verdict sample_with(const vb_receipt *r, uint64_t k, uint8_t salt) {
    memset(seed, salt, sizeof seed);
    const vb_replay_options o = {.n_samples = k, .sample_seed = seed, .batch_tokens = 16};
    return verify_at(VB_LEVEL_SAMPLE, r, o);
}

/* The positions of one output among n that begin at `first`; how many. */
static size_t chosen(uint64_t k, uint64_t n, uint64_t first, size_t n_output, size_t *out) {
    vb_positions p;
    size_t found = 0;
    vb_positions_begin(&p, seed, k, n);
    for (uint64_t t = 0; t < n; t++) {
        if (vb_positions_next(&p) && t >= first && t < first + n_output) {
            out[found++] = (size_t)(t - first);
        }
    }
    return found;
}

/* A forged token is found if and only if its position is among those drawn again. */
static void found_if_and_only_if_chosen(void **state) {
    (void)state;
    size_t n_found = 0, n_missed = 0;
    for (size_t at = 0; at < N; at += 3) {
        vb_receipt r;
        begin_endless(&r, N);
        vb_receipt honest;
        begin_endless(&honest, N);
        answer(&honest, 0);
        const uint32_t true_token = honest.outputs[0].tokens[at];
        const uint32_t own = true_token == 500 ? 501 : 500;
        vb_receipt_free(&honest);
        forge_answer(&r, 0, at, own);
        sign(&r);
        assert_refuted(&r, VB_REASON_TOKEN);
        assert_int_equal(rep.divergence.t, at);
        assert_int_equal(rep.divergence.expected, true_token);
        for (uint8_t salt = 0; salt < 24; salt++) {
            size_t positions[N];
            const vb_verdict v = sample_with(&r, 4, salt);
            const size_t n = chosen(4, N, 0, N, positions);
            bool among = false;
            for (size_t i = 0; i < n; i++) {
                among = among || positions[i] == at;
            }
            assert_int_equal(n, 4);
            assert_false(rep.replayed);
            if (among) {
                n_found++;
                assert_int_equal(v, VB_VERDICT_REFUTED);
                assert_int_equal(vb_report_reason(&rep), VB_REASON_TOKEN);
                assert_true(rep.divergence.known);
                assert_int_equal(rep.divergence.t, at);
                assert_int_equal(rep.divergence.expected, true_token);
                assert_int_equal(rep.divergence.found, own);
                assert_int_equal(rep.n_sampled, 0);
            } else {
                n_missed++;
                assert_int_equal(v, VB_VERDICT_VERIFIED);
                assert_int_equal(rep.n_sampled, 4);
                assert_int_equal(rep.n_positions, N);
                assert_int_equal(rep.checks[VB_CHECK_TRACE].status, VB_CHECK_SKIP);
            }
        }
        assert_int_equal(sample_with(&r, N, 1), VB_VERDICT_REFUTED); /* all of them: certain */
        assert_int_equal(sample_with(&r, UINT64_MAX, 1), VB_VERDICT_REFUTED);
        vb_receipt_free(&r);
    }
    assert_true(n_found > 10 && n_missed > 10);
}

/* Only what is drawn again goes through the output head, and nothing after the last of it through
 * the model. */
static void only_what_is_needed_is_computed(void **state) {
    (void)state;
    vb_receipt r;
    begin_endless(&r, ANSWER);
    r.request.n_choices = 3;
    make(&r);
    size_t n_idle = 0;
    for (uint8_t salt = 0; salt < 12; salt++) {
        const uint64_t k = 1 + salt % 4;
        size_t want_rows = 0, want_passes = 0, positions[ANSWER];
        assert_int_equal(sample_with(&r, k, salt), VB_VERDICT_VERIFIED);
        for (size_t c = 0; c < 3; c++) {
            const size_t n = chosen(k, 3 * ANSWER, c * ANSWER, ANSWER, positions);
            const size_t need = n ? PROMPT + positions[n - 1] : 0;
            n_idle += n == 0;
            want_rows += need;
            want_passes += (need + 15) / 16;
        }
        assert_int_equal(heads, k);
        assert_int_equal(rows, want_rows);
        assert_int_equal(passes, want_passes);
        assert_int_equal(rep.n_positions, 3 * ANSWER);
    }
    assert_true(n_idle > 0);
    vb_receipt_free(&r);
}

/* Text and end are checked for every output, drawn again or not. */
static void the_rest_is_checked_everywhere(void **state) {
    (void)state;
    vb_receipt r;
    begin_endless(&r, N);
    r.request.n_choices = 2;
    make(&r);
    assert_int_equal(sample_with(&r, 1, 0), VB_VERDICT_VERIFIED);
    for (size_t c = 0; c < 2; c++) {
        vb_receipt_output *out = &r.outputs[c];
        const size_t len = out->text.len;
        char *copy = malloc(len);
        assert_non_null(copy);
        memcpy(copy, out->text.p, len);
        must(vb_text_set(&out->text, copy, len - 1, &e));
        sign(&r);
        assert_int_equal(sample_with(&r, 1, 0), VB_VERDICT_REFUTED);
        assert_int_equal(vb_report_reason(&rep), VB_REASON_TEXT);
        must(vb_text_set(&out->text, copy, len, &e));
        free(copy);
        /* An answer that had ended goes on. */
        const uint32_t kept = out->tokens[4];
        out->tokens[4] = EOG_2;
        sign(&r);
        const vb_verdict v = sample_with(&r, 1, 0);
        assert_int_equal(v, VB_VERDICT_REFUTED);
        assert_true(vb_report_reason(&rep) == VB_REASON_FINISH_REASON ||
                    rep.divergence.known); /* its only position may come before */
        out->tokens[4] = kept;
        out->finish = VB_FINISH_STOP;
        sign(&r);
        assert_int_equal(sample_with(&r, 1, 0), VB_VERDICT_REFUTED);
        assert_int_equal(vb_report_reason(&rep), VB_REASON_FINISH_REASON);
        out->finish = VB_FINISH_LENGTH;
    }
    /* The trace needs all leaves: that is what the level leaves out. */
    r.outputs[0].trace_root[0] ^= 1;
    sign(&r);
    assert_int_equal(sample_with(&r, 2 * N, 0), VB_VERDICT_VERIFIED);
    assert_refuted(&r, VB_REASON_TRACE);
    vb_receipt_free(&r);
}

/* Tokens that decode to the same text are still other tokens. */
static void other_tokens_of_the_same_text(void **state) {
    (void)state;
    vb_receipt r;
    begin_endless(&r, 6);
    make(&r);
    vb_receipt_output *out = &r.outputs[0];
    for (size_t t = 0; t < out->n_tokens; t++) {
        /* A control token has no text: the list with it and the list without stand for the same. */
        const uint32_t kept = out->tokens[t];
        out->tokens[t] = 2302;
        vb_buf text = vb_buf_make(VB_TEXT_BYTES_MAX);
        vb_stream stream;
        vb_stream_init(&stream, false, false);
        for (size_t i = 0; i < out->n_tokens; i++) {
            must(vb_stream_push(&stream, tokenizer, out->tokens[i], &text, &e));
        }
        must(vb_stream_finish(&stream, &text, &e));
        must(vb_text_set(&out->text, text.data ? (char *)text.data : "", text.len, &e));
        sign(&r);
        assert_refuted(&r, VB_REASON_TOKEN);
        assert_int_equal(rep.divergence.t, t);
        assert_int_equal(rep.divergence.expected, kept);
        vb_buf_free(&text);
        out->tokens[t] = kept;
    }
    vb_receipt_free(&r);
}

static bool stop_at_once(void *user, uint64_t done, uint64_t total) {
    (void)user;
    (void)done;
    (void)total;
    return false;
}

static void a_stopped_sample_is_nothing(void **state) {
    (void)state;
    vb_receipt r;
    begin_endless(&r, N);
    make(&r);
    const vb_replay_options o = {.n_samples = 1, .sample_seed = seed, .on_progress = stop_at_once};
    assert_int_equal(verify_at(VB_LEVEL_SAMPLE, &r, o), VB_VERDICT_UNVERIFIABLE);
    assert_int_equal(vb_report_reason(&rep), VB_REASON_UNFINISHED);
    assert_int_equal(rep.n_sampled, 0);
    vb_receipt_free(&r);
}

/* Tokens that are followed give the text and the end that drawing them gave. */
static void following_is_drawing_without_a_draw(void **state) {
    (void)state;
    static const char *const stops_at[] = {NULL, "e", " "};
    for (size_t i = 0; i < 3; i++) {
        vb_receipt r;
        vb_stop_string stops[VB_STOP_STRINGS_MAX];
        vb_generation_options o;
        vb_generation *g;
        vb_finish finish;
        size_t n;
        begin(&r, PROMPT, N, 2.0f);
        if (stops_at[i]) {
            stop_at(&r, stops_at[i], 1);
        }
        make(&r);
        const vb_receipt_output *out = &r.outputs[0];
        must(vb_receipt_generation(&r, model, tokenizer, stops, &o, &e));
        must(vb_generation_open(&o, &g, &e));
        assert_int_equal(vb_generation_follow(g, (uint32_t)o.n_vocab, &e), VB_EINVAL);
        for (size_t t = 0; t < out->n_tokens; t++) {
            assert_false(vb_generation_ended(g, &finish));
            must(vb_generation_follow(g, out->tokens[t], &e));
        }
        assert_true(vb_generation_ended(g, &finish));
        assert_int_equal(finish, out->finish);
        const char *text = vb_generation_text(g, &n);
        assert_int_equal(n, out->text.len);
        assert_memory_equal(text, out->text.p, n);
        const uint32_t *tokens = vb_generation_tokens(g, &n);
        assert_int_equal(n, out->n_tokens);
        assert_memory_equal(tokens, out->tokens, n * sizeof *tokens);
        vb_generation_close(g);
        vb_receipt_free(&r);
    }
}

typedef struct positions {
    uint8_t leaves[2][N][32];
    size_t n, stop_after;
} positions;

static bool keep_position(void *user, uint32_t choice, uint64_t t, uint32_t token,
                          const float *logits, size_t n_logits, const uint8_t leaf[32]) {
    positions *p = user;
    uint8_t want[32];
    vb_trace_leaf(t, token, logits, n_logits, want);
    assert_memory_equal(leaf, want, 32);
    assert_int_equal(choice * N + t, p->n);
    assert_int_equal(token, parsed.outputs[choice].tokens[t]);
    memcpy(p->leaves[choice][t], leaf, 32);
    return ++p->n != p->stop_after;
}

/* Each position with its logits and leaf, in order; the leaves are the trace's. */
static void positions_are_handed_out(void **state) {
    (void)state;
    vb_receipt r;
    positions p = {.n = 0};
    begin_endless(&r, N);
    r.request.n_choices = 2;
    make(&r);
    vb_replay_options o = {.on_position = keep_position, .position_user = &p};
    assert_int_equal(verify(&r, o), VB_VERDICT_VERIFIED);
    assert_int_equal(p.n, 2 * N);
    for (size_t c = 0; c < 2; c++) {
        vb_trace tr;
        uint8_t root[32];
        vb_trace_begin(&tr);
        for (size_t t = 0; t < N; t++) {
            vb_trace_add(&tr, p.leaves[c][t]);
        }
        vb_trace_root(&tr, root);
        assert_memory_equal(root, r.outputs[c].trace_root, 32);
    }
    p = (positions){.stop_after = 2 * N};
    assert_int_equal(verify(&r, o), VB_VERDICT_UNVERIFIABLE); /* even after the last one */
    assert_int_equal(vb_report_reason(&rep), VB_REASON_UNFINISHED);
    vb_receipt_free(&r);
}

static void assert_snippet(const vb_snippet *s, const char *text, size_t len) {
    assert_int_equal(s->len, len);
    assert_memory_equal(s->text, text, len);
}

/* Token texts, the text before, and the probabilities of both in that very draw. */
static void a_divergence_is_described(void **state) {
    (void)state;
    vb_receipt r;
    begin_endless(&r, 130);
    r.request.sampling.top_k = 2;
    make(&r);
    vb_receipt_output *out = &r.outputs[0];
    static const size_t places[] = {0, 1, 129};
    for (size_t i = 0; i < 3; i++) {
        const size_t t = places[i];
        const uint32_t kept = out->tokens[t];
        out->tokens[t] = 2302; /* <|im_start|>: never among the two best */
        sign(&r);
        assert_refuted(&r, VB_REASON_TOKEN);
        const vb_divergence *d = &rep.divergence;
        assert_int_equal(d->t, t);
        assert_true(d->expected_weight > 0 && d->expected_weight <= d->total);
        assert_int_equal(d->found_weight, 0);
        assert_snippet(&d->found_text, "<|im_start|>", 12);
        vb_buf text = vb_buf_make(VB_TEXT_BYTES_MAX);
        must(vb_tokenizer_decode(tokenizer, &kept, 1, true, false, &text, &e));
        assert_snippet(&d->expected_text, (char *)text.data, text.len);
        text.len = 0;
        must(vb_tokenizer_decode(tokenizer, out->tokens, t, false, false, &text, &e));
        const size_t shown = text.len < VB_SNIPPET_BYTES ? text.len : VB_SNIPPET_BYTES;
        assert_true(t < 129 || text.len > VB_SNIPPET_BYTES);
        assert_int_equal(d->context.cut, shown < text.len);
        if (shown) {
            assert_snippet(&d->context, (char *)text.data + text.len - shown, shown);
        } else {
            assert_int_equal(d->context.len, 0);
        }
        vb_buf_free(&text);
        out->tokens[t] = kept;
    }
    vb_receipt_free(&r);

    begin(&r, PROMPT, 4, 0);
    make(&r);
    r.outputs[0].tokens[2] ^= 1;
    sign(&r);
    assert_refuted(&r, VB_REASON_TOKEN);
    assert_int_equal(rep.divergence.expected_weight, 1);
    assert_int_equal(rep.divergence.found_weight, 0);
    assert_int_equal(rep.divergence.total, 1);
    vb_receipt_free(&r);
}

/* A private receipt's text, given apart, must give the tokens that were committed to. */
static void a_text_given_apart_gives_the_tokens(void **state) {
    (void)state;
    static const char said[] = "Once upon a time";
    vb_receipt r;
    uint32_t *ids;
    size_t n;
    must(vb_tokenizer_encode(tokenizer, said, sizeof said - 1, true, true, &ids, &n, &e));
    begin(&r, PROMPT, 4, 1.0f);
    r.prompt.kind = VB_PROMPT_TEXT;
    must(vb_receipt_set_prompt_tokens(&r, ids, n, &e));
    answer(&r, 0);
    vb_receipt_make_private(&r);
    sign(&r);
    vb_receipt_prompt apart = {
        .kind = VB_PROMPT_TEXT, .has_tokens = true, .tokens = ids, .n_tokens = n};
    must(vb_text_set(&apart.text, said, sizeof said - 1, &e));
    const vb_replay_options given = {.prompt = &apart};
    assert_int_equal(verify(&r, given), VB_VERDICT_VERIFIED);
    apart.text.p[0] = 'o';
    assert_int_equal(verify(&r, given), VB_VERDICT_REFUTED);
    assert_int_equal(vb_report_reason(&rep), VB_REASON_PROMPT);
    assert_int_equal(rep.checks[VB_CHECK_PROMPT].status, VB_CHECK_FAIL);
    assert_int_equal(passes, 0);
    vb_text_free(&apart.text);
    free(ids);
    vb_receipt_free(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(found_if_and_only_if_chosen),
        cmocka_unit_test(only_what_is_needed_is_computed),
        cmocka_unit_test(the_rest_is_checked_everywhere),
        cmocka_unit_test(other_tokens_of_the_same_text),
        cmocka_unit_test(a_stopped_sample_is_nothing),
        cmocka_unit_test(following_is_drawing_without_a_draw),
        cmocka_unit_test(positions_are_handed_out),
        cmocka_unit_test(a_divergence_is_described),
        cmocka_unit_test(a_text_given_apart_gives_the_tokens),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
