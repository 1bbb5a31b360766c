/*
 * Receipts whose request has a constraint: honest ones are VERIFIED, however they are checked; a
 * token that the constraint forbids is found out at every level that has the model, one that it
 * allows wherever it is drawn again; a constraint that says something else than the server drew
 * under, or nothing at all, gets the verdict that the specification has for it.
 */
#include "unit/tokenizer/small_vocab.h"

#include "played_server.h" /* whose variables have names of its parameters */

#define SCHEMA(s) "{\"schema\":" s ",\"type\":\"json_schema\"}"

/* Of texts that end by themselves, well before N tokens. */
enum { N = 60 };
static const char an_object[] =
    SCHEMA("{\"additionalProperties\":false,\"properties\":{\"a\":{\"type\":\"integer\"},"
           "\"b\":{\"items\":{\"enum\":[\"x\",null,1.5]},\"maxItems\":3,\"minItems\":2,\"type\":"
           "\"array\"}},"
           "\"required\":[\"a\",\"b\"],\"type\":\"object\"}");
static const char a_choice[] = "{\"texts\":[\"no\",\"nothing\",\"yes\"],\"type\":\"choice\"}";
static const char any_object[] = "{\"type\":\"json_object\"}";

/* Against tokens of white space alone, which the model would fill all gaps with. */
static void avoid_gaps(vb_sampling *s) {
    vb_buf piece = vb_buf_make(VB_TEXT_BYTES_MAX);
    for (uint32_t id = 0; id < vb_tokenizer_size(tokenizer); id++) {
        piece.len = 0;
        must(vb_tokenizer_decode(tokenizer, &id, 1, true, false, &piece, &e));
        size_t i = 0;
        while (i < piece.len && (piece.data[i] == ' ' || piece.data[i] == '\n')) {
            i++;
        }
        if (i > 0 && i == piece.len) {
            assert_true(s->n_bias < VB_LOGIT_BIAS_MAX);
            s->bias[s->n_bias++] = (vb_logit_bias){id, -100};
        }
    }
    vb_buf_free(&piece);
}

static void begin_under(vb_receipt *r, const char *constraint, float temperature) {
    begin(r, PROMPT, N, temperature);
    hold_to(r, constraint);
    avoid_gaps(&r->request.sampling);
}

static uint8_t sample_seed[32];

static vb_verdict sample(const vb_receipt *r, uint64_t k, uint8_t salt) {
    memset(sample_seed, salt, sizeof sample_seed);
    const vb_replay_options o = {.n_samples = k, .sample_seed = sample_seed};
    return verify_at(VB_LEVEL_SAMPLE, r, o);
}

static void assert_reason(vb_reason reason) {
    assert_string_equal(vb_reason_name(vb_report_reason(&rep)), vb_reason_name(reason));
}

static void assert_json(const vb_text *text) {
    json_t *value = json_loadb(text->p, text->len, 0, NULL);
    if (!value) {
        fail_msg("not JSON: %s", text->p);
    }
    json_decref(value);
}

static void every_form(void **state) {
    (void)state;
    static const char *const forms[] = {an_object, a_choice, any_object};
    static const float temperatures[] = {0, 1, 4};
    for (size_t i = 0; i < 9; i++) {
        vb_receipt r;
        begin_under(&r, forms[i / 3], temperatures[i % 3]);
        r.request.n_choices = 2;
        r.request.sampling.top_p = 4080218931u;
        r.request.sampling.presence_penalty = 0.5f;
        make(&r);
        for (size_t c = 0; c < 2 && i < 6; c++) {
            assert_int_equal(r.outputs[c].finish, VB_FINISH_STOP);
            if (i < 3) {
                assert_json(&r.outputs[c].text);
            }
        }
        assert_verified(&r);
        assert_non_null(strstr(rep.checks[VB_CHECK_TOKENS].detail, "constraint"));
        const vb_replay_options indexed = {.vocabulary = vocabulary, .batch_tokens = 7};
        assert_int_equal(verify(&r, indexed), VB_VERDICT_VERIFIED);
        assert_int_equal(sample(&r, 1, 1), VB_VERDICT_VERIFIED);
        assert_int_equal(sample(&r, 5, 2), VB_VERDICT_VERIFIED);
        assert_int_equal(sample(&r, 2 * N, 0), VB_VERDICT_VERIFIED);
        vb_receipt_free(&r);
    }
}

/* A bias towards a token, in the order of ids. */
static void prefer(vb_sampling *s, uint32_t token) {
    size_t i = s->n_bias++;
    for (; i > 0 && s->bias[i - 1].token > token; i--) {
        s->bias[i] = s->bias[i - 1];
    }
    s->bias[i] = (vb_logit_bias){token, 100};
}

/* A stop token and a stop string end an answer as ever. */
static void stops(void **state) {
    (void)state;
    vb_receipt r;
    const int32_t er = vb_tokenizer_find(tokenizer, "er", 2);
    assert_true(er >= 0);
    begin_under(&r, an_object, 1);
    r.request.stop_tokens[0] = (uint32_t)er;
    r.request.n_stop_tokens = 1;
    prefer(&r.request.sampling, (uint32_t)er);
    make(&r);
    const vb_receipt_output *out = &r.outputs[0];
    assert_int_equal(out->tokens[out->n_tokens - 1], (uint32_t)er);
    assert_json(&out->text);
    assert_verified(&r);
    assert_int_equal(sample(&r, 1, 9), VB_VERDICT_VERIFIED);
    vb_receipt_free(&r);

    begin_under(&r, an_object, 1);
    stop_at(&r, "\"b\"", 3);
    make(&r);
    assert_int_equal(r.outputs[0].finish, VB_FINISH_STOP);
    assert_null(strstr(r.outputs[0].text.p, "\"b\""));
    assert_verified(&r);
    vb_receipt_free(&r);

    /* One whose single byte an answer may need. */
    begin_under(&r, an_object, 1);
    make(&r);
    r.request.stop_tokens[0] = (uint32_t)vb_tokenizer_find(tokenizer, "~", 1);
    r.request.n_stop_tokens = 1;
    sign(&r);
    assert_int_equal(verify(&r, plain), VB_VERDICT_UNVERIFIABLE);
    assert_reason(VB_REASON_UNSUPPORTED_FORMAT);
    assert_int_equal(passes, 0);
    vb_receipt_free(&r);
}

/* A token that no draw under the constraint gives. */
static void a_forbidden_token(void **state) {
    (void)state;
    vb_receipt r;
    const uint32_t never = 0; /* of an object: control tokens and words outside strings */
    begin_under(&r, an_object, 1);
    make(&r);
    vb_receipt_output *out = &r.outputs[0];
    for (size_t t = 0; t < out->n_tokens; t += t + 4 < out->n_tokens ? 4 : 1) {
        const uint32_t kept = out->tokens[t];
        assert_int_not_equal(kept, never);
        out->tokens[t] = never;
        sign(&r);
        assert_refuted(&r, VB_REASON_TOKEN);
        assert_true(rep.divergence.known);
        assert_int_equal(rep.divergence.t, t);
        assert_int_equal(rep.divergence.expected, kept);
        assert_int_equal(rep.divergence.found_weight, 0);
        /* Also where it is taken for granted: whichever positions are drawn. */
        for (uint8_t salt = 0; salt < 2; salt++) {
            assert_int_equal(sample(&r, 1, salt), VB_VERDICT_REFUTED);
            assert_reason(VB_REASON_TOKEN);
        }
        out->tokens[t] = kept;
    }
    /* The end comes early, where more is demanded. */
    vb_text_free(&out->text);
    must(vb_text_set(&out->text, "", 0, &e));
    out->tokens[0] = out->tokens[out->n_tokens - 1];
    out->n_tokens = 1;
    sign(&r);
    assert_refuted(&r, VB_REASON_TOKEN);
    assert_int_equal(sample(&r, 1, 0), VB_VERDICT_REFUTED);
    vb_receipt_free(&r);
}

/* The other answer of a choice, honest in all but the draw. */
static void an_allowed_token(void **state) {
    (void)state;
    vb_receipt r, other;
    begin_under(&r, a_choice, 0);
    make(&r);
    begin_under(&other, a_choice, 0);
    other.request.sampling.n_bias = 1;
    other.request.sampling.bias[0] = (vb_logit_bias){r.outputs[0].tokens[0], -100};
    make(&other);
    assert_int_not_equal(r.outputs[0].tokens[0], other.outputs[0].tokens[0]);
    /* Its tokens under the request that has no bias. */
    other.request.sampling = r.request.sampling;
    sign(&other);
    assert_refuted(&other, VB_REASON_TOKEN);
    assert_int_equal(rep.divergence.t, 0);
    assert_int_equal(rep.divergence.expected, r.outputs[0].tokens[0]);
    assert_int_equal(sample(&other, N, 0), VB_VERDICT_REFUTED);
    assert_reason(VB_REASON_TOKEN);
    vb_receipt_free(&r);
    vb_receipt_free(&other);
}

/* The constraint is what C hashes; and signed anew it is another request with other draws. */
static void another_constraint(void **state) {
    (void)state;
    static const char *const others[] = {NULL, any_object,
                                         SCHEMA("{\"const\":{\"a\":1,\"b\":[null,null]}}"),
                                         "{\"texts\":[\"{}\"],\"type\":\"choice\"}"};
    vb_receipt r;
    begin_under(&r, an_object, 3);
    make(&r);
    for (size_t i = 0; i < 4; i++) {
        hold_to(&r, others[i]);
        vb_buf bytes = vb_buf_make(VB_RECEIPT_BYTES_MAX);
        must(vb_receipt_encode(&r, &bytes, &e));
        vb_report_begin(&rep, VB_LEVEL_RECEIPT);
        assert_true(vb_check_receipt(bytes.data, bytes.len, NULL, &parsed, &rep));
        assert_int_equal(rep.checks[VB_CHECK_COMMITMENT].status, VB_CHECK_FAIL);
        assert_int_equal(rep.checks[VB_CHECK_SIGNATURE].status, VB_CHECK_FAIL);
        vb_receipt_free(&parsed);
        vb_buf_free(&bytes);
        sign(&r);
        assert_refuted(&r, VB_REASON_TOKEN);
    }
    /* An answer that was free, said to have kept to a constraint. */
    hold_to(&r, NULL);
    vb_receipt free_answer;
    begin(&free_answer, PROMPT, N, 1);
    make(&free_answer);
    hold_to(&free_answer, any_object);
    sign(&free_answer);
    assert_refuted(&free_answer, VB_REASON_TOKEN);
    vb_receipt_free(&free_answer);
    vb_receipt_free(&r);
}

/* A schema of more properties than may be listed. */
static const char *too_many_properties(void) {
    static char text[8192];
    size_t n = (size_t)snprintf(text, sizeof text, "{\"schema\":{\"properties\":{");
    for (int i = 0; i <= (int)VB_GRAMMAR_PROPERTIES_MAX; i++) {
        n += (size_t)snprintf(text + n, sizeof text - n, "%s\"p%03d\":{}", i ? "," : "", i);
    }
    snprintf(text + n, sizeof text - n, "}},\"type\":\"json_schema\"}");
    return text;
}

/* In receipts that are signed as they should be. Nothing is computed for them. */
static void what_is_no_constraint(void **state) {
    (void)state;
    const struct {
        const char *constraint;
        vb_reason reason;
        vb_verdict verdict;
    } cases[] = {
        {"{}", VB_REASON_PARAMETERS, VB_VERDICT_REFUTED},
        {"{\"type\":7}", VB_REASON_PARAMETERS, VB_VERDICT_REFUTED},
        {"{\"type\":\"json_object\",\"x\":1}", VB_REASON_PARAMETERS, VB_VERDICT_REFUTED},
        {"{\"type\":\"json_schema\"}", VB_REASON_PARAMETERS, VB_VERDICT_REFUTED},
        {"{\"texts\":[],\"type\":\"choice\"}", VB_REASON_PARAMETERS, VB_VERDICT_REFUTED},
        {"{\"texts\":[\"a\",\"a\"],\"type\":\"choice\"}", VB_REASON_PARAMETERS, VB_VERDICT_REFUTED},
        {SCHEMA("[]"), VB_REASON_PARAMETERS, VB_VERDICT_REFUTED},
        {SCHEMA("{\"$ref\":\"#/$defs/a\"}"), VB_REASON_PARAMETERS, VB_VERDICT_REFUTED},
        {SCHEMA("false"), VB_REASON_PARAMETERS, VB_VERDICT_REFUTED},
        {SCHEMA("{\"maxLength\":1,\"minLength\":2}"), VB_REASON_PARAMETERS, VB_VERDICT_REFUTED},
        {"{\"type\":\"grammar\"}", VB_REASON_UNSUPPORTED_FORMAT, VB_VERDICT_UNVERIFIABLE},
        {SCHEMA("{\"pattern\":\"^a\"}"), VB_REASON_UNSUPPORTED_FORMAT, VB_VERDICT_UNVERIFIABLE},
        {too_many_properties(), VB_REASON_UNSUPPORTED_FORMAT, VB_VERDICT_UNVERIFIABLE},
    };
    vb_receipt r;
    begin(&r, PROMPT, N, 1);
    make(&r);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        hold_to(&r, cases[i].constraint);
        sign(&r);
        for (int level = 0; level < 2; level++) {
            const vb_verdict verdict = level ? sample(&r, 1, 0) : verify(&r, plain);
            if (verdict != cases[i].verdict || vb_report_reason(&rep) != cases[i].reason) {
                fail_msg("%.80s: %s (%s)", cases[i].constraint, vb_verdict_name(verdict),
                         vb_reason_name(vb_report_reason(&rep)));
            }
            assert_int_equal(passes, 0);
            assert_true(rep.checks[VB_CHECK_TOKENS].detail[0] != 0);
        }
        /* Without the model nothing is said of it. */
        vb_buf bytes = vb_buf_make(VB_RECEIPT_BYTES_MAX);
        must(vb_receipt_encode(&r, &bytes, &e));
        vb_report_begin(&rep, VB_LEVEL_RECEIPT);
        assert_true(vb_check_receipt(bytes.data, bytes.len, NULL, &parsed, &rep));
        vb_report_finish(&rep);
        assert_int_equal(vb_report_verdict(&rep), VB_VERDICT_VERIFIED);
        vb_receipt_free(&parsed);
        vb_buf_free(&bytes);
    }
    vb_receipt_free(&r);
}

/* A model that could not always go on, whoever claims that it did. */
static void a_vocabulary_without_bytes(void **state) {
    (void)state;
    static const small_piece letters[] = {{"n", VB_TOKEN_NORMAL, 0}, {"o", VB_TOKEN_NORMAL, 0}};
    static const struct {
        const char *constraint;
        vb_reason reason;
    } cases[] = {{any_object, VB_REASON_UNSUPPORTED_FORMAT},
                 {a_choice, VB_REASON_UNSUPPORTED_FORMAT},
                 {"{\"texts\":[\"no\"],\"type\":\"choice\"}", VB_REASON_TOKEN}};
    vb_buf file = small_spm(false, letters, 2);
    vb_tokenizer *small;
    vb_vocabulary *v;
    vb_receipt r;
    must(small_open(&file, &small, &e));
    must(vb_vocabulary_open(small, &v, &e));
    begin(&r, PROMPT, N, 1);
    make(&r);
    for (size_t i = 0; i < 3; i++) {
        const vb_replay_options o = {.vocabulary = v};
        hold_to(&r, cases[i].constraint);
        sign(&r);
        assert_int_not_equal(verify(&r, o), VB_VERDICT_VERIFIED);
        assert_reason(cases[i].reason);
    }
    vb_receipt_free(&r);
    vb_vocabulary_close(v);
    vb_tokenizer_close(small);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form),
        cmocka_unit_test(stops),
        cmocka_unit_test(a_forbidden_token),
        cmocka_unit_test(an_allowed_token),
        cmocka_unit_test(another_constraint),
        cmocka_unit_test(what_is_no_constraint),
        cmocka_unit_test(a_vocabulary_without_bytes),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
