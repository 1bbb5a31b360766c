/*
 * Openings: made from a replay on the shipped model, checked without it, and refused with the right
 * reason when anything about them is another receipt's, another position's or nobody's.
 */
#include "played_server.h"

#include <math.h>

#include "arith/exp.h"
#include "verify/opening.h"

enum { N = 7, CHOICES = 2 };

static vb_receipt receipt;
static uint8_t hash[32];
static uint8_t leaves[CHOICES][N][32];
static float *logits[CHOICES][N];
static size_t n_vocab;
static const vb_kernels *kernels;

static bool keep(void *user, uint32_t choice, uint64_t t, uint32_t token, const float *row,
                 size_t n_logits, const uint8_t leaf[32]) {
    (void)user;
    (void)token;
    memcpy(leaves[choice][t], leaf, 32);
    memcpy(logits[choice][t], row, n_logits * sizeof *row);
    return true;
}

/* A receipt with every kind of adjustment, which has been replayed. */
static void prepare(vb_receipt *r) {
    begin(r, PROMPT, N, 2.0f);
    vb_sampling *s = &r->request.sampling;
    s->top_k = 50;
    s->top_p = 4080218931u;
    s->repetition_penalty = 1.3f;
    s->presence_penalty = 0.5f;
    s->frequency_penalty = 0.25f;
    s->n_bias = 2;
    s->bias[0] = (vb_logit_bias){2301, -100};
    s->bias[1] = (vb_logit_bias){2303, -100};
    r->request.n_choices = CHOICES;
    make(r);
    must(vb_receipt_verification_hash(r, hash, &e));
    const vb_replay_options o = {.on_position = keep};
    assert_int_equal(verify(r, o), VB_VERDICT_VERIFIED);
}

static int set_up(void **state) {
    if (setup(state)) {
        return 1;
    }
    n_vocab = vb_model_get_config(model)->n_vocab;
    kernels = vb_model_kernels(model);
    for (size_t c = 0; c < CHOICES; c++) {
        for (size_t t = 0; t < N; t++) {
            logits[c][t] = malloc(n_vocab * sizeof(float));
        }
    }
    prepare(&receipt);
    return 0;
}

static int tear_down(void **state) {
    for (size_t c = 0; c < CHOICES; c++) {
        for (size_t t = 0; t < N; t++) {
            free(logits[c][t]);
        }
    }
    vb_receipt_free(&receipt);
    return teardown(state);
}

static vb_opening open_at(uint32_t choice, uint64_t t) {
    vb_opening o;
    must(vb_opening_make(&receipt, hash, choice, t, logits[choice][t], n_vocab,
                         (const uint8_t(*)[32])leaves[choice], N, &o, &e));
    return o;
}

/* From bytes of both, as a verifier has them; v is of the model's file, NULL without it. */
static vb_verdict check_under(const vb_opening *o, const vb_receipt *r,
                              const vb_receipt_prompt *apart, const vb_vocabulary *v) {
    vb_buf bytes = vb_buf_make(VB_RECEIPT_BYTES_MAX), opened = vb_buf_make(VB_RECEIPT_BYTES_MAX);
    const vb_expect x = {.prompt = apart};
    vb_opening read;
    must(vb_receipt_encode(r, &bytes, &e));
    must(vb_opening_encode(o, &opened, &e));
    vb_report_begin(&rep, VB_LEVEL_OPENING);
    assert_true(vb_check_receipt(bytes.data, bytes.len, &x, &parsed, &rep));
    assert_true(vb_opening_read(opened.data, opened.len, &read, &rep));
    vb_opening_check(&read, &parsed, apart, v, kernels, &rep);
    vb_report_finish(&rep);
    vb_opening_free(&read);
    vb_receipt_free(&parsed);
    vb_buf_free(&opened);
    vb_buf_free(&bytes);
    return vb_report_verdict(&rep);
}

static vb_verdict check_with(const vb_opening *o, const vb_receipt *r,
                             const vb_receipt_prompt *apart) {
    return check_under(o, r, apart, NULL);
}

static void assert_refused(const vb_opening *o, const vb_receipt *r, vb_check_id id,
                           vb_reason reason) {
    assert_int_equal(check_with(o, r, NULL), VB_VERDICT_REFUTED);
    if (rep.checks[id].status != VB_CHECK_FAIL || rep.checks[id].reason != reason) {
        fail_msg("%s is %s (%s)", vb_check_name(id), vb_check_status_name(rep.checks[id].status),
                 vb_reason_name(rep.checks[id].reason));
    }
    for (int i = 0; i < (int)id; i++) {
        if (rep.checks[i].status == VB_CHECK_FAIL) {
            fail_msg("%s fails before", vb_check_name((vb_check_id)i));
        }
    }
    assert_int_equal(vb_report_reason(&rep), reason);
}

/* Every position; logit, rank, weight and total as a naive count has them. */
static void every_position_can_be_opened(void **state) {
    (void)state;
    for (uint32_t c = 0; c < CHOICES; c++) {
        for (uint64_t t = 0; t < N; t++) {
            vb_opening o = open_at(c, t);
            const float *row = logits[c][t];
            float top = row[0];
            uint64_t rank = 1, total = 0, weight = 0;
            for (size_t i = 1; i < n_vocab; i++) {
                top = row[i] > top ? row[i] : top;
            }
            for (size_t i = 0; i < n_vocab; i++) {
                const uint64_t w = (uint64_t)(vb_exp(row[i] - top) * 0x1p40f);
                total += w;
                weight = i == o.token ? w : weight;
                rank += row[i] > row[o.token] || (row[i] == row[o.token] && i < o.token);
            }
            assert_int_equal(o.token, receipt.outputs[c].tokens[t]);
            assert_true(o.logit == row[o.token]);
            assert_int_equal(o.rank, rank);
            assert_int_equal(o.weight, weight);
            assert_int_equal(o.total, total);
            assert_int_equal(check_with(&o, &receipt, NULL), VB_VERDICT_VERIFIED);
            assert_false(rep.replayed);
            vb_opening_free(&o);
        }
    }
}

/* The checks of an opening are the level's: with the receipt alone nothing is VERIFIED. */
static void an_opening_is_needed(void **state) {
    (void)state;
    vb_buf bytes = vb_buf_make(VB_RECEIPT_BYTES_MAX);
    vb_opening o;
    static const char *const bad[] = {"", "{}", "{\"format\":\"verbatim.opening/1\"}"};
    must(vb_receipt_encode(&receipt, &bytes, &e));
    for (size_t i = 0; i < 3; i++) {
        vb_report_begin(&rep, VB_LEVEL_OPENING);
        assert_true(vb_check_receipt(bytes.data, bytes.len, NULL, &parsed, &rep));
        assert_false(vb_opening_read(bad[i], strlen(bad[i]), &o, &rep));
        vb_report_finish(&rep);
        assert_int_equal(vb_report_verdict(&rep), VB_VERDICT_UNVERIFIABLE);
        assert_int_equal(vb_report_reason(&rep), VB_REASON_UNREADABLE);
        vb_receipt_free(&parsed);
    }
    vb_buf_free(&bytes);
}

static void every_field_is_checked(void **state) {
    (void)state;
    vb_opening o = open_at(1, 3);
    for (size_t i = 0; i < 32; i++) {
        o.receipt[i] ^= 1;
        assert_refused(&o, &receipt, VB_CHECK_OPENING_RECEIPT, VB_REASON_SIGNATURE);
        o.receipt[i] ^= 1;
    }
    o.choice = 0; /* another output's token may be the same; its trace is not */
    assert_int_equal(check_with(&o, &receipt, NULL), VB_VERDICT_REFUTED);
    o.choice = CHOICES;
    assert_refused(&o, &receipt, VB_CHECK_OPENING_TOKEN, VB_REASON_TOKEN);
    o.choice = 1;
    o.position = N;
    assert_refused(&o, &receipt, VB_CHECK_OPENING_TOKEN, VB_REASON_TOKEN);
    o.position = 4;
    assert_int_equal(check_with(&o, &receipt, NULL), VB_VERDICT_REFUTED);
    o.position = 3;
    const uint32_t token = o.token;
    o.token = token ? token - 1 : 1;
    assert_refused(&o, &receipt, VB_CHECK_OPENING_TOKEN, VB_REASON_TOKEN);
    o.token = token;
    /* The path: each hash, one less, one more. */
    for (size_t i = 0; i < o.n_path; i++) {
        o.path[i][31] ^= 0x80;
        assert_refused(&o, &receipt, VB_CHECK_OPENING_PATH, VB_REASON_TRACE);
        o.path[i][31] ^= 0x80;
    }
    o.n_path--;
    assert_refused(&o, &receipt, VB_CHECK_OPENING_PATH, VB_REASON_TRACE);
    o.n_path += 2;
    memset(o.path[o.n_path - 1], 0, 32);
    assert_refused(&o, &receipt, VB_CHECK_OPENING_PATH, VB_REASON_TRACE);
    o.n_path--;
    /* The numbers, each alone. */
    o.logit = nextafterf(o.logit, INFINITY);
    assert_refused(&o, &receipt, VB_CHECK_OPENING_NUMBERS, VB_REASON_PARAMETERS);
    o.logit = logits[1][3][token];
    o.rank += o.rank < n_vocab ? 1 : -1u;
    assert_refused(&o, &receipt, VB_CHECK_OPENING_NUMBERS, VB_REASON_PARAMETERS);
    vb_opening_free(&o);
    o = open_at(1, 3);
    o.weight++;
    assert_refused(&o, &receipt, VB_CHECK_OPENING_NUMBERS, VB_REASON_PARAMETERS);
    o.weight--;
    o.total--;
    assert_refused(&o, &receipt, VB_CHECK_OPENING_NUMBERS, VB_REASON_PARAMETERS);
    o.total++;
    assert_int_equal(check_with(&o, &receipt, NULL), VB_VERDICT_VERIFIED);
    vb_opening_free(&o);
}

/* One bit of one logit, the sign of a zero included; one logit more or less. */
static void every_bit_of_the_logits_counts(void **state) {
    (void)state;
    vb_opening o = open_at(0, N - 1);
    for (size_t i = 0; i < n_vocab; i += 97) {
        for (int bit = 0; bit < 32; bit += 9) {
            const float kept = o.logits[i];
            uint32_t bits;
            memcpy(&bits, &kept, sizeof bits);
            bits ^= (uint32_t)1 << bit;
            memcpy(&o.logits[i], &bits, sizeof bits);
            if (isfinite(o.logits[i])) {
                assert_int_equal(check_with(&o, &receipt, NULL), VB_VERDICT_REFUTED);
                assert_int_equal(rep.checks[VB_CHECK_OPENING_PATH].status, VB_CHECK_FAIL);
                assert_int_equal(vb_report_reason(&rep), VB_REASON_TRACE);
            }
            o.logits[i] = kept;
        }
    }
    o.n_logits--;
    assert_refused(&o, &receipt, VB_CHECK_OPENING_PATH, VB_REASON_TRACE);
    o.n_logits++;
    /* Those of another position, with their own leaf's path: spliced. */
    for (uint32_t c = 0; c < CHOICES; c++) {
        for (uint64_t t = 0; t < N; t++) {
            vb_opening other = open_at(c, t);
            other.choice = 0;
            other.position = N - 1;
            other.token = o.token;
            const bool same = c == 0 && t == N - 1;
            assert_int_equal(check_with(&other, &receipt, NULL),
                             same ? VB_VERDICT_VERIFIED : VB_VERDICT_REFUTED);
            vb_opening_free(&other);
        }
    }
    vb_opening_free(&o);
}

/* A server that commits to distributions which do not give its tokens, and opens them. */
static void a_committed_lie_is_a_lie(void **state) {
    (void)state;
    vb_receipt r;
    uint8_t forged[N][32];
    float *row = malloc(n_vocab * sizeof *row);
    assert_non_null(row);
    begin(&r, PROMPT, N, 2.0f);
    r.request.sampling.repetition_penalty = 1.3f;
    answer(&r, 0);
    vb_receipt_output *out = &r.outputs[0];
    /* The token becomes so unlikely that no draw gives it. */
    memcpy(row, logits[0][2], n_vocab * sizeof *row);
    row[out->tokens[2]] = -60.0f;
    for (uint64_t t = 0; t < N; t++) {
        vb_trace_leaf(t, out->tokens[t], t == 2 ? row : logits[0][t], n_vocab, forged[t]);
    }
    vb_trace tr;
    vb_trace_begin(&tr);
    for (size_t t = 0; t < out->n_tokens; t++) {
        vb_trace_add(&tr, forged[t]);
    }
    vb_trace_root(&tr, out->trace_root);
    sign(&r);
    uint8_t h[32];
    must(vb_receipt_verification_hash(&r, h, &e));
    vb_opening o;
    must(vb_opening_make(&r, h, 0, 2, row, n_vocab, (const uint8_t(*)[32])forged, out->n_tokens, &o,
                         &e));
    assert_refused(&o, &r, VB_CHECK_OPENING_DRAW, VB_REASON_TOKEN);
    vb_opening_free(&o);
    /* One logit for a vocabulary that the prompt has many of: nobody draws from that. */
    for (uint64_t t = 0; t < N; t++) {
        out->tokens[t] = 0;
        vb_trace_leaf(t, 0, row, 1, forged[t]);
    }
    vb_trace_begin(&tr);
    for (size_t t = 0; t < out->n_tokens; t++) {
        vb_trace_add(&tr, forged[t]);
    }
    vb_trace_root(&tr, out->trace_root);
    sign(&r);
    must(vb_receipt_verification_hash(&r, h, &e));
    must(vb_opening_make(&r, h, 0, 2, row, 1, (const uint8_t(*)[32])forged, out->n_tokens, &o, &e));
    assert_refused(&o, &r, VB_CHECK_OPENING_DRAW, VB_REASON_PARAMETERS);
    vb_opening_free(&o);
    /* A token before the position that the logits do not know. */
    r.request.sampling.repetition_penalty = 1.0f;
    out->tokens[1] = 1;
    vb_trace_leaf(1, 1, row, 1, forged[1]);
    vb_trace_begin(&tr);
    for (size_t t = 0; t < out->n_tokens; t++) {
        vb_trace_add(&tr, forged[t]);
    }
    vb_trace_root(&tr, out->trace_root);
    vb_receipt_make_private(&r);
    sign(&r);
    must(vb_receipt_verification_hash(&r, h, &e));
    must(vb_opening_make(&r, h, 0, 2, row, 1, (const uint8_t(*)[32])forged, out->n_tokens, &o, &e));
    assert_refused(&o, &r, VB_CHECK_OPENING_DRAW, VB_REASON_PARAMETERS);
    vb_opening_free(&o);
    free(row);
    vb_receipt_free(&r);
}

/* Only the repetition penalty counts the prompt. */
static void a_private_receipt_needs_its_prompt(void **state) {
    (void)state;
    for (int penalty = 0; penalty < 2; penalty++) {
        vb_receipt r;
        uint32_t ids[PROMPT];
        uint8_t h[32];
        vb_opening o;
        begin(&r, PROMPT, N, 2.0f);
        memcpy(ids, r.prompt.tokens, sizeof ids);
        r.request.sampling.presence_penalty = 1.0f;
        r.request.sampling.repetition_penalty = penalty ? 1.3f : 1.0f;
        answer(&r, 0);
        vb_receipt_make_private(&r);
        sign(&r);
        vb_receipt_prompt apart = {
            .kind = VB_PROMPT_TOKENS, .has_tokens = true, .tokens = ids, .n_tokens = PROMPT};
        const vb_replay_options given = {.prompt = &apart, .on_position = keep};
        assert_int_equal(verify(&r, given), VB_VERDICT_VERIFIED);
        must(vb_receipt_verification_hash(&r, h, &e));
        const size_t n = r.outputs[0].n_tokens;
        must(vb_opening_make(&r, h, 0, n - 1, logits[0][n - 1], n_vocab,
                             (const uint8_t(*)[32])leaves[0], n, &o, &e));
        assert_int_equal(check_with(&o, &r, &apart), VB_VERDICT_VERIFIED);
        assert_int_equal(check_with(&o, &r, NULL), VB_VERDICT_UNVERIFIABLE);
        assert_int_equal(vb_report_reason(&rep), VB_REASON_MISSING_PROMPT);
        assert_int_equal(rep.checks[VB_CHECK_OPENING_DRAW].status,
                         penalty ? VB_CHECK_UNKNOWN : VB_CHECK_PASS);
        vb_opening_free(&o);
        vb_receipt_free(&r);
    }
    const vb_replay_options again = {.on_position = keep};
    assert_int_equal(verify(&receipt, again), VB_VERDICT_VERIFIED); /* its leaves back */
}

/* A receipt whose answer keeps to {"a":<integer>}, replayed and opened at a position. */
static void make_held(vb_receipt *r, uint8_t h[32]) {
    begin(r, PROMPT, N, 1.0f);
    hold_to(r, "{\"schema\":{\"properties\":{\"a\":{\"type\":\"integer\"}},\"required\":[\"a\"]},"
               "\"type\":\"json_schema\"}");
    r->request.sampling.presence_penalty = 1.0f;
    answer(r, 0);
    sign(r);
    const vb_replay_options o = {.on_position = keep};
    assert_int_equal(verify(r, o), VB_VERDICT_VERIFIED);
    must(vb_receipt_verification_hash(r, h, &e));
}

/* Signs anew what the receipt has become, and opens position t of it: a server that has committed
 * to what the model gives, and to the tokens that it would rather have given. */
static vb_opening commit_to(vb_receipt *r, uint64_t t) {
    uint8_t changed[N][32], h[32];
    vb_receipt_output *out = &r->outputs[0];
    vb_opening o;
    vb_trace tr;
    vb_trace_begin(&tr);
    for (size_t i = 0; i < out->n_tokens; i++) {
        vb_trace_leaf(i, out->tokens[i], logits[0][i], n_vocab, changed[i]);
        vb_trace_add(&tr, changed[i]);
    }
    vb_trace_root(&tr, out->trace_root);
    sign(r);
    must(vb_receipt_verification_hash(r, h, &e));
    must(vb_opening_make(r, h, 0, t, logits[0][t], n_vocab, (const uint8_t(*)[32])changed,
                         out->n_tokens, &o, &e));
    return o;
}

static void assert_draw(vb_verdict verdict, vb_reason reason) {
    assert_string_equal(vb_verdict_name(vb_report_verdict(&rep)), vb_verdict_name(verdict));
    assert_string_equal(vb_reason_name(vb_report_reason(&rep)), vb_reason_name(reason));
    assert_int_equal(rep.checks[VB_CHECK_OPENING_DRAW].reason, reason);
}

/* The vocabulary says what the constraint allows, at the first position and after any tokens. */
static void a_constraint_needs_the_vocabulary(void **state) {
    (void)state;
    vb_receipt r;
    vb_opening o;
    uint8_t h[32];
    make_held(&r, h);
    const size_t n = r.outputs[0].n_tokens;
    for (uint64_t t = 0; t < n; t++) {
        must(vb_opening_make(&r, h, 0, t, logits[0][t], n_vocab, (const uint8_t(*)[32])leaves[0], n,
                             &o, &e));
        assert_int_equal(check_under(&o, &r, NULL, vocabulary), VB_VERDICT_VERIFIED);
        assert_int_equal(check_with(&o, &r, NULL), VB_VERDICT_UNVERIFIABLE);
        assert_draw(VB_VERDICT_UNVERIFIABLE, VB_REASON_MISSING_MODEL);
        vb_opening_free(&o);
    }
    vb_receipt_free(&r);
}

/* A token that has no place in the answer, and one that has and was not drawn. */
static void forged_tokens_under_a_constraint(void **state) {
    (void)state;
    vb_receipt r;
    uint8_t h[32];
    make_held(&r, h);
    uint32_t *tokens = r.outputs[0].tokens;
    const size_t n = r.outputs[0].n_tokens;
    for (size_t t = 0; t < n; t += n / 2) {
        const uint32_t kept = tokens[t];
        tokens[t] = 0;
        /* Opened itself, and where a later token is opened that follows it. */
        for (size_t at = t; at < n; at++) {
            vb_opening o = commit_to(&r, at);
            assert_int_equal(check_under(&o, &r, NULL, vocabulary), VB_VERDICT_REFUTED);
            assert_draw(VB_VERDICT_REFUTED, VB_REASON_TOKEN);
            vb_opening_free(&o);
        }
        tokens[t] = kept;
    }
    /* Either may begin the answer; the draw gives one of them at most. */
    const uint32_t brace = (uint32_t)vb_tokenizer_find(tokenizer, "{", 1);
    const uint32_t gap = (uint32_t)vb_tokenizer_find(tokenizer, "\xc4\xa0", 2);
    assert_true(brace < n_vocab && gap < n_vocab);
    tokens[0] = tokens[0] == gap ? brace : gap;
    vb_opening o = commit_to(&r, 0);
    assert_int_equal(check_under(&o, &r, NULL, vocabulary), VB_VERDICT_REFUTED);
    assert_draw(VB_VERDICT_REFUTED, VB_REASON_TOKEN);
    vb_opening_free(&o);
    vb_receipt_free(&r);
}

/* What the replay says of such receipts, an opening of them says too. */
static void openings_of_what_is_no_constraint(void **state) {
    (void)state;
    static const struct {
        const char *constraint;
        vb_reason reason;
    } cases[] = {
        {"{}", VB_REASON_PARAMETERS},
        {"{\"schema\":false,\"type\":\"json_schema\"}", VB_REASON_PARAMETERS},
        {"{\"type\":\"grammar\"}", VB_REASON_UNSUPPORTED_FORMAT},
        {"{\"schema\":{\"pattern\":\"a\"},\"type\":\"json_schema\"}", VB_REASON_UNSUPPORTED_FORMAT},
    };
    vb_receipt r;
    uint8_t h[32];
    make_held(&r, h);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        hold_to(&r, cases[i].constraint);
        vb_opening o = commit_to(&r, 1);
        (void)check_under(&o, &r, NULL, vocabulary);
        assert_draw(cases[i].reason == VB_REASON_PARAMETERS ? VB_VERDICT_REFUTED
                                                            : VB_VERDICT_UNVERIFIABLE,
                    cases[i].reason);
        vb_opening_free(&o);
    }
    /* Logits for fewer tokens than the vocabulary has. */
    hold_to(&r, "{\"type\":\"json_object\"}");
    n_vocab = vb_vocabulary_size(vocabulary) - 1;
    vb_opening o = commit_to(&r, 1);
    n_vocab = vb_model_get_config(model)->n_vocab;
    (void)check_under(&o, &r, NULL, vocabulary);
    assert_draw(VB_VERDICT_REFUTED, VB_REASON_PARAMETERS);
    vb_opening_free(&o);
    vb_receipt_free(&r);
    const vb_replay_options again = {.on_position = keep};
    assert_int_equal(verify(&receipt, again), VB_VERDICT_VERIFIED); /* its leaves back */
}

/* An opening of another receipt, the same server's and the same position's. */
static void an_opening_belongs_to_one_receipt(void **state) {
    (void)state;
    vb_receipt other;
    vb_opening o = open_at(0, 0);
    begin(&other, PROMPT, N, 2.0f);
    other.request.n_choices = CHOICES;
    other.request.seed = 43;
    make(&other);
    assert_refused(&o, &other, VB_CHECK_OPENING_RECEIPT, VB_REASON_SIGNATURE);
    must(vb_receipt_verification_hash(&other, o.receipt, &e));
    assert_int_equal(check_with(&o, &other, NULL), VB_VERDICT_REFUTED);
    /* A receipt that is refuted itself gives no good opening. */
    vb_opening_free(&o);
    o = open_at(0, 0);
    receipt.signature[0] ^= 1;
    assert_refused(&o, &receipt, VB_CHECK_SIGNATURE, VB_REASON_SIGNATURE);
    receipt.signature[0] ^= 1;
    assert_int_equal(check_with(&o, &receipt, NULL), VB_VERDICT_VERIFIED);
    vb_opening_free(&o);
    vb_receipt_free(&other);
}

/* What does not replay is not opened. */
static void the_maker_refuses(void **state) {
    (void)state;
    vb_opening o;
    uint8_t others[N][32];
    memcpy(others, leaves[0], sizeof others);
    const uint8_t(*good)[32] = (const uint8_t(*)[32])leaves[0];
    const uint8_t(*bad)[32] = (const uint8_t(*)[32])others;
    const float *row = logits[0][2];
    assert_int_equal(vb_opening_make(&receipt, hash, CHOICES, 0, row, n_vocab, good, N, &o, &e),
                     VB_EINVAL);
    assert_int_equal(vb_opening_make(&receipt, hash, 0, N, row, n_vocab, good, N, &o, &e),
                     VB_EINVAL);
    assert_int_equal(vb_opening_make(&receipt, hash, 0, 2, row, n_vocab, good, N - 1, &o, &e),
                     VB_EMISMATCH);
    assert_int_equal(vb_opening_make(&receipt, hash, 0, 3, row, n_vocab, good, N, &o, &e),
                     VB_EMISMATCH);
    assert_int_equal(vb_opening_make(&receipt, hash, 1, 2, row, n_vocab, good, N, &o, &e),
                     VB_EMISMATCH);
    for (size_t t = 0; t < N; t++) {
        others[t][0] ^= 1;
        assert_int_equal(vb_opening_make(&receipt, hash, 0, 2, row, n_vocab, bad, N, &o, &e),
                         VB_EMISMATCH);
        others[t][0] ^= 1;
    }
    must(vb_opening_make(&receipt, hash, 0, 2, row, n_vocab, bad, N, &o, &e));
    vb_opening_free(&o);
    /* A root over fewer leaves than there are tokens: the leaves that are given end before some of
     * its positions. */
    uint8_t kept[32];
    vb_trace tr;
    memcpy(kept, receipt.outputs[0].trace_root, 32);
    vb_trace_begin(&tr);
    for (size_t t = 0; t + 1 < N; t++) {
        vb_trace_add(&tr, good[t]);
    }
    vb_trace_root(&tr, receipt.outputs[0].trace_root);
    for (uint64_t t = 0; t < N; t++) {
        assert_int_equal(
            vb_opening_make(&receipt, hash, 0, t, logits[0][t], n_vocab, good, N - 1, &o, &e),
            VB_EMISMATCH);
    }
    memcpy(receipt.outputs[0].trace_root, kept, 32);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_position_can_be_opened),
        cmocka_unit_test(an_opening_is_needed),
        cmocka_unit_test(every_field_is_checked),
        cmocka_unit_test(every_bit_of_the_logits_counts),
        cmocka_unit_test(a_committed_lie_is_a_lie),
        cmocka_unit_test(a_private_receipt_needs_its_prompt),
        cmocka_unit_test(a_constraint_needs_the_vocabulary),
        cmocka_unit_test(forged_tokens_under_a_constraint),
        cmocka_unit_test(openings_of_what_is_no_constraint),
        cmocka_unit_test(an_opening_belongs_to_one_receipt),
        cmocka_unit_test(the_maker_refuses),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
