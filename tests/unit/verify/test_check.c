/*
 * Level `receipt`: what is VERIFIED, and which verdict each forgery gets. A forger here may even
 * be the server itself: fields are changed and everything is signed again where that matters.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "unit/receipt/sample_receipt.h"
#include "verify/check.h"
#include "json/jcs.h"

static vb_report rep;
static vb_receipt parsed;

static vb_verdict check_bytes(const void *bytes, size_t n, const vb_expect *x) {
    vb_report_begin(&rep, VB_LEVEL_RECEIPT);
    vb_check_receipt(bytes, n, x, &parsed, &rep);
    vb_report_finish(&rep);
    vb_receipt_free(&parsed);
    return vb_report_verdict(&rep);
}

static vb_verdict check(const vb_receipt *r, const vb_expect *x) {
    vb_buf b = vb_buf_make(VB_RECEIPT_BYTES_MAX);
    vb_error e = {0};
    if (vb_receipt_encode(r, &b, &e)) {
        fail_msg("%s", e.msg);
    }
    vb_verdict v = check_bytes(b.data, b.len, x);
    vb_buf_free(&b);
    return v;
}

static void genuine_receipts_are_verified(void **state) {
    (void)state;
    for (int mode = VB_MODE_FIXED; mode <= VB_MODE_LOCAL; mode++) {
        vb_buf b = sample_bytes((vb_beacon_mode)mode);
        vb_buf text = vb_buf_make(1 << 20);
        assert_int_equal(check_bytes(b.data, b.len, NULL), VB_VERDICT_VERIFIED);
        assert_int_equal(vb_report_reason(&rep), VB_REASON_NONE);
        assert_int_equal(vb_report_exit_code(&rep), 0);
        assert_false(rep.replayed);
        assert_int_equal(vb_report_write_text(&rep, &text, NULL), VB_OK);
        assert_non_null(strstr((char *)text.data, "VERIFIED\n"));
        assert_non_null(strstr((char *)text.data, "NOT replayed"));
        assert_non_null(strstr((char *)text.data,
                               mode == VB_MODE_FIXED ? "not a fair draw" : "rests on the server"));
        text.len = 0;
        assert_int_equal(vb_report_write_json(&rep, &text, NULL), VB_OK);
        json_t *j = json_loadb((char *)text.data, text.len, 0, NULL);
        assert_string_equal(json_string_value(json_object_get(j, "verdict")), "VERIFIED");
        assert_true(json_is_null(json_object_get(j, "reason")));
        assert_true(json_is_false(json_object_get(j, "replayed")));
        assert_int_equal(json_array_size(json_object_get(j, "checks")), VB_CHECK_COUNT);
        assert_non_null(strstr(json_string_value(json_object_get(j, "note")), "NOT replayed"));
        json_decref(j);
        vb_buf_free(&text);
        vb_buf_free(&b);
    }
}

/* Without the model, or an opening, a receipt can never pass a level that needs it. */
static void other_levels_need_more(void **state) {
    vb_buf b = sample_bytes(VB_MODE_LOCAL);
    (void)state;
    for (int level = VB_LEVEL_SAMPLE; level <= VB_LEVEL_QUORUM; level++) {
        vb_report_begin(&rep, (vb_level)level);
        assert_true(vb_check_receipt(b.data, b.len, NULL, &parsed, &rep));
        vb_report_finish(&rep);
        vb_receipt_free(&parsed);
        assert_int_equal(vb_report_verdict(&rep), VB_VERDICT_UNVERIFIABLE);
        assert_int_equal(vb_report_reason(&rep), VB_REASON_UNFINISHED);
        assert_int_equal(vb_report_exit_code(&rep), 11);
    }
    vb_buf_free(&b);
}

/* Every bit of every byte, each way: never VERIFIED. */
static void no_flipped_byte_is_verified(void **state) {
    (void)state;
    for (int mode = VB_MODE_FIXED; mode <= VB_MODE_LOCAL; mode++) {
        vb_buf b = sample_bytes((vb_beacon_mode)mode);
        for (size_t i = 0; i < b.len; i++) {
            for (int bit = 0; bit < 8; bit += mode == VB_MODE_FIXED ? 1 : 3) {
                b.data[i] ^= (uint8_t)(1 << bit);
                if (check_bytes(b.data, b.len, NULL) == VB_VERDICT_VERIFIED) {
                    fail_msg("verified with bit %d of byte %zu flipped", bit, i);
                }
                b.data[i] ^= (uint8_t)(1 << bit);
            }
        }
        assert_int_equal(check_bytes(b.data, b.len, NULL), VB_VERDICT_VERIFIED);
        for (size_t n = 0; n < b.len; n++) {
            assert_int_equal(check_bytes(b.data, n, NULL), VB_VERDICT_UNVERIFIABLE);
            assert_int_equal(vb_report_reason(&rep), VB_REASON_UNREADABLE);
        }
        vb_buf_free(&b);
    }
}

/* A well-formed change of each field, not signed again: the signature refutes it. */
static void every_field_is_signed(void **state) {
    static const char *const changes[][2] = {
        {"\"chatcmpl-1\"", "\"chatcmpl-2\""},
        {"\"scalar\"", "\"avx2\""},
        {"\"0.1.0\"", "\"0.1.1\""},
        {"\"qwen2\"", "\"llama\""},
        {"\"Q8_0\"", "\"Q4_0\""},
        {"\"verbatim-demo\"", "\"other\""},
        {"\"3700000\"", "\"3700001\""},
        {"\"length\"", "\"stop\""},
        {"Hi \xe2\x82\xac", "Ho \xe2\x82\xac"},
        {"[10,11,12]", "[10,11,13]"},
        {"[10,2]", "[11,2]"},
        {"Be brief.", "Be long.."},
        {"\"system\"", "\"assistant\""},
        {"\"date\":null", "\"date\":\"2026-11-22\""},
        {"[1,65535,65536,1048575]", "[1,65535,65536,1048574]"},
        {"\"verbatim-arith/1\"", "\"verbatim-arith/2\""},
        {"\"choices\":2", "\"choices\":1"},
        {"\"ctx_tokens\":2048", "\"ctx_tokens\":2049"},
        {"\"1763834000123\"", "\"1763834000124\""},
        {"\"max_tokens\":3", "\"max_tokens\":4"},
        {"\"client nonce\"", "\"client none\""},
        {"\"prompt_tokens\":4,\"sampling\"", "\"prompt_tokens\":5,\"sampling\""},
        {"\"top_k\":40", "\"top_k\":41"},
        {"4080218931", "4080218932"},
        {"214748365", "214748364"},
        {"1.100000023841858", "1.5"},
        {"-0.10000000149011612", "0.5"},
        {"1.0000000116860974e-7", "0"},
        {"\"temperature\":0.800000011920929", "\"temperature\":0"},
        {"[3,-100]", "[4,-100]"},
        {"0.30000001192092896", "0.5"},
        {"\"sequence\":\"17\"", "\"sequence\":\"18\""},
        {"\"strings\":[\"\\n\\n\",", "\"strings\":[\"\\n\","},
        {"\"tokens\":[2,9]", "\"tokens\":[2,8]"},
        {"\"fallback_from\":null", "\"fallback_from\":\"drand:x\""},
        {"\"round\":\"5\"", "\"round\":\"6\""},
        {"\"mode\":\"local\"", "\"mode\":\"next\""},
        {"\"completion_tokens\":5", "\"completion_tokens\":4"},
        {"\"prompt_tokens\":4}}", "\"prompt_tokens\":3}}"},
    };
    vb_buf b = sample_bytes(VB_MODE_LOCAL);
    (void)state;
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        char *at = strstr((char *)b.data, changes[i][0]);
        if (!at) {
            fail_msg("no %s in the sample", changes[i][0]);
        }
        vb_buf c = vb_buf_make(1 << 20);
        size_t before = (size_t)(at - (char *)b.data), skip = strlen(changes[i][0]);
        assert_int_equal(vb_buf_append(&c, b.data, before), VB_OK);
        assert_int_equal(vb_buf_append(&c, changes[i][1], strlen(changes[i][1])), VB_OK);
        assert_int_equal(vb_buf_append(&c, b.data + before + skip, b.len - before - skip), VB_OK);
        if (check_bytes(c.data, c.len, NULL) != VB_VERDICT_REFUTED ||
            vb_report_reason(&rep) != VB_REASON_SIGNATURE) {
            fail_msg("%s: %s (%s) %s", changes[i][1], vb_verdict_name(rep.verdict),
                     vb_reason_name(rep.reason), rep.checks[VB_CHECK_FORMAT].detail);
        }
        vb_buf_free(&c);
    }
    vb_buf_free(&b);
}

/* What a dishonest server could do and sign. */
typedef enum forgery {
    COMMITMENT_VALUE,
    COMMITMENT_SIGNATURE,
    COMMITMENT_BY_ANOTHER_KEY,
    SAMPLING_AFTER_COMMITMENT,
    NONCE_AFTER_COMMITMENT,
    MODEL_AFTER_COMMITMENT,
    ARITHMETIC_UNKNOWN,
    RANDOMNESS_CHOSEN,
    ROUND_CHOSEN,
    ROUND_TOO_LARGE,
    ANOTHER_CHAIN,
    PROOF_WHERE_NONE_BELONGS,
    BEACON_OF_BAD_FORM,
    BEACON_UNHEARD_OF,
    MODE_NEXT_WITH_LOCAL,
    MODE_LATEST_WITH_LOCAL,
    MODE_LOCAL_WITH_ANOTHER,
    REPLAYED_ANOTHER_ROUND,
    SEED_CHOSEN,
    SEEDS_SWAPPED,
    PROMPT_TOKENS_OTHER,
    PROMPT_TOKENS_FEWER,
    TEXT_EDITED,
    TEXT_DIGEST_OTHER,
    TOO_MANY_TOKENS,
    CUT_SHORT,
    CHOICE_WITHHELD,
    STOP_TOKEN_INSIDE,
    STOP_TOKEN_AND_LENGTH,
    USAGE_OF_PROMPT,
    USAGE_OF_ANSWER,
    NO_ROOM,
    PRIVATE,
    FORGERIES
} forgery;

static const struct {
    vb_verdict verdict;
    vb_reason reason;
} expected[FORGERIES] = {
    [COMMITMENT_VALUE] = {VB_VERDICT_REFUTED, VB_REASON_COMMITMENT},
    [COMMITMENT_SIGNATURE] = {VB_VERDICT_REFUTED, VB_REASON_COMMITMENT},
    [COMMITMENT_BY_ANOTHER_KEY] = {VB_VERDICT_REFUTED, VB_REASON_COMMITMENT},
    [SAMPLING_AFTER_COMMITMENT] = {VB_VERDICT_REFUTED, VB_REASON_COMMITMENT},
    [NONCE_AFTER_COMMITMENT] = {VB_VERDICT_REFUTED, VB_REASON_COMMITMENT},
    [MODEL_AFTER_COMMITMENT] = {VB_VERDICT_REFUTED, VB_REASON_COMMITMENT},
    [ARITHMETIC_UNKNOWN] = {VB_VERDICT_UNVERIFIABLE, VB_REASON_UNSUPPORTED_ARITHMETIC},
    [RANDOMNESS_CHOSEN] = {VB_VERDICT_REFUTED, VB_REASON_BEACON_PROOF},
    [ROUND_CHOSEN] = {VB_VERDICT_REFUTED, VB_REASON_BEACON_PROOF},
    [ROUND_TOO_LARGE] = {VB_VERDICT_REFUTED, VB_REASON_BEACON_PROOF},
    [ANOTHER_CHAIN] = {VB_VERDICT_REFUTED, VB_REASON_BEACON_PROOF},
    [PROOF_WHERE_NONE_BELONGS] = {VB_VERDICT_REFUTED, VB_REASON_BEACON_PROOF},
    [BEACON_OF_BAD_FORM] = {VB_VERDICT_REFUTED, VB_REASON_BEACON_PROOF},
    [BEACON_UNHEARD_OF] = {VB_VERDICT_UNVERIFIABLE, VB_REASON_UNSUPPORTED_BEACON},
    [MODE_NEXT_WITH_LOCAL] = {VB_VERDICT_REFUTED, VB_REASON_ROUND_RULE},
    [MODE_LATEST_WITH_LOCAL] = {VB_VERDICT_REFUTED, VB_REASON_ROUND_RULE},
    [MODE_LOCAL_WITH_ANOTHER] = {VB_VERDICT_REFUTED, VB_REASON_ROUND_RULE},
    [REPLAYED_ANOTHER_ROUND] = {VB_VERDICT_REFUTED, VB_REASON_ROUND_RULE},
    [SEED_CHOSEN] = {VB_VERDICT_REFUTED, VB_REASON_SEED},
    [SEEDS_SWAPPED] = {VB_VERDICT_REFUTED, VB_REASON_SEED},
    [PROMPT_TOKENS_OTHER] = {VB_VERDICT_REFUTED, VB_REASON_PROMPT},
    [PROMPT_TOKENS_FEWER] = {VB_VERDICT_REFUTED, VB_REASON_PROMPT},
    [TEXT_EDITED] = {VB_VERDICT_REFUTED, VB_REASON_TEXT},
    [TEXT_DIGEST_OTHER] = {VB_VERDICT_REFUTED, VB_REASON_TEXT},
    [TOO_MANY_TOKENS] = {VB_VERDICT_REFUTED, VB_REASON_FINISH_REASON},
    [CUT_SHORT] = {VB_VERDICT_REFUTED, VB_REASON_TRUNCATED},
    [CHOICE_WITHHELD] = {VB_VERDICT_REFUTED, VB_REASON_TRUNCATED},
    [STOP_TOKEN_INSIDE] = {VB_VERDICT_REFUTED, VB_REASON_FINISH_REASON},
    [STOP_TOKEN_AND_LENGTH] = {VB_VERDICT_REFUTED, VB_REASON_FINISH_REASON},
    [USAGE_OF_PROMPT] = {VB_VERDICT_REFUTED, VB_REASON_PROMPT},
    [USAGE_OF_ANSWER] = {VB_VERDICT_REFUTED, VB_REASON_TRUNCATED},
    [NO_ROOM] = {VB_VERDICT_REFUTED, VB_REASON_PARAMETERS},
    [PRIVATE] = {VB_VERDICT_UNVERIFIABLE, VB_REASON_MISSING_PROMPT},
};

/* Changes made before the commitment, so that it covers them. */
static void forge_request(vb_receipt *r, forgery f) {
    vb_receipt_request *q = &r->request;
    switch (f) {
    case ARITHMETIC_UNKNOWN: q->arithmetic[15] = '2'; break;
    case ROUND_CHOSEN: r->beacon.round = 6; break;
    case ROUND_TOO_LARGE: r->beacon.round = VB_LOCAL_ROUNDS + 1; break;
    case RANDOMNESS_CHOSEN: r->beacon.randomness[31] ^= 1; break;
    case ANOTHER_CHAIN: q->beacon_id[6] ^= 1; break;
    case PROOF_WHERE_NONE_BELONGS: r->beacon.proof = strdup("{}"); break;
    case BEACON_OF_BAD_FORM:
        memcpy(q->beacon_id, "drand:quicknet", 15);
        q->mode = VB_MODE_NEXT;
        break;
    case BEACON_UNHEARD_OF:
        memcpy(q->beacon_id, "dice:1", 7);
        q->mode = VB_MODE_LATEST;
        break;
    case MODE_NEXT_WITH_LOCAL: q->mode = VB_MODE_NEXT; break;
    case MODE_LATEST_WITH_LOCAL: q->mode = VB_MODE_LATEST; break;
    case MODE_LOCAL_WITH_ANOTHER: memcpy(q->beacon_id, "dice:1", 7); break;
    case REPLAYED_ANOTHER_ROUND:
        q->mode = VB_MODE_FIXED;
        q->has_round = true;
        q->round = 4;
        break;
    case STOP_TOKEN_INSIDE: q->stop_tokens[1] = 11; break;
    case STOP_TOKEN_AND_LENGTH: q->stop_tokens[1] = 12; break;
    case CUT_SHORT: q->max_tokens = 4; break;
    case TOO_MANY_TOKENS: q->max_tokens = 2; break;
    case CHOICE_WITHHELD: q->n_choices = 3; break;
    case NO_ROOM: q->ctx_tokens = 4; break;
    case PRIVATE: vb_receipt_make_private(r); break;
    default: break;
    }
    memcpy(r->beacon.id, q->beacon_id, sizeof r->beacon.id);
}

/* Changes made afterwards; the receipt is then signed again. */
static void forge_answer(vb_receipt *r, forgery f) {
    uint8_t seed[32];
    switch (f) {
    case COMMITMENT_VALUE: r->commitment[0] ^= 1; break;
    case COMMITMENT_SIGNATURE: r->commitment_signature[0] ^= 1; break;
    case COMMITMENT_BY_ANOTHER_KEY: {
        vb_ed25519_key *other;
        uint8_t message[VB_COMMITMENT_MESSAGE_BYTES];
        vb_commitment_message(r->commitment, message);
        assert_int_equal(vb_ed25519_generate(&other, NULL), VB_OK);
        assert_int_equal(
            vb_ed25519_sign(other, message, sizeof message, r->commitment_signature, NULL), VB_OK);
        vb_ed25519_close(other);
        break;
    }
    case SAMPLING_AFTER_COMMITMENT: r->request.sampling.temperature = 0.5f; break;
    case NONCE_AFTER_COMMITMENT: r->request.nonce[0] = 'C'; break;
    case MODEL_AFTER_COMMITMENT: r->request.model_sha256[0] ^= 1; break;
    case SEED_CHOSEN: r->outputs[1].seed[5] ^= 1; break;
    case SEEDS_SWAPPED:
        memcpy(seed, r->outputs[0].seed, 32);
        memcpy(r->outputs[0].seed, r->outputs[1].seed, 32);
        memcpy(r->outputs[1].seed, seed, 32);
        break;
    case PROMPT_TOKENS_OTHER: r->prompt.tokens[0] = 2; break;
    case PROMPT_TOKENS_FEWER: r->prompt.n_tokens--; break;
    case TEXT_EDITED: r->outputs[0].text.p[1] = 'o'; break;
    case TEXT_DIGEST_OTHER: r->outputs[1].text_sha256[0] ^= 1; break;
    case USAGE_OF_PROMPT: r->usage_prompt_tokens++; break;
    case USAGE_OF_ANSWER: r->usage_completion_tokens++; break;
    default: break;
    }
}

static void forgeries_get_their_verdict(void **state) {
    vb_ed25519_key *key = sample_key();
    vb_receipt *r = malloc(sizeof *r);
    (void)state;
    assert_non_null(r);
    for (int f = 0; f < FORGERIES; f++) {
        sample_request(r, VB_MODE_LOCAL);
        forge_request(r, (forgery)f);
        sample_answer(r, key);
        forge_answer(r, (forgery)f);
        assert_int_equal(vb_receipt_sign(r, key, NULL, NULL), VB_OK);
        vb_verdict v = check(r, NULL);
        if (v != expected[f].verdict || vb_report_reason(&rep) != expected[f].reason) {
            fail_msg("forgery %d: %s (%s)", f, vb_verdict_name(v),
                     vb_reason_name(vb_report_reason(&rep)));
        }
        assert_int_equal(vb_report_exit_code(&rep), v == VB_VERDICT_REFUTED ? 10 : 11);
        vb_receipt_free(r);
    }
    vb_ed25519_close(key);
    free(r);
}

/* Signature of another receipt of the same server; receipt under a key of small order. */
static void signatures_do_not_move(void **state) {
    vb_receipt *r = malloc(sizeof *r), *other = malloc(sizeof *other);
    (void)state;
    assert_non_null(r);
    assert_non_null(other);
    sample_receipt(r, VB_MODE_LOCAL);
    sample_receipt(other, VB_MODE_FIXED);
    memcpy(r->signature, other->signature, sizeof r->signature);
    assert_int_equal(check(r, NULL), VB_VERDICT_REFUTED);
    assert_int_equal(vb_report_reason(&rep), VB_REASON_SIGNATURE);
    memset(r->request.server_key, 0, 32);
    r->request.server_key[0] = 1;
    memset(r->signature, 0, 64);
    r->signature[0] = 1;
    assert_int_equal(check(r, NULL), VB_VERDICT_REFUTED);
    assert_int_equal(vb_report_reason(&rep), VB_REASON_SIGNATURE);
    vb_receipt_free(r);
    vb_receipt_free(other);
    free(r);
    free(other);
}

static void assert_refuted(const vb_receipt *r, const vb_expect *x, vb_reason reason) {
    assert_int_equal(check(r, x), VB_VERDICT_REFUTED);
    assert_int_equal(vb_report_reason(&rep), reason);
}

static void expectations_are_checked(void **state) {
    uint8_t key[32], model[32], c[32];
    uint32_t max_tokens = 3, other_max = 4;
    vb_sampling *s = malloc(sizeof *s);
    vb_receipt *r = malloc(sizeof *r);
    (void)state;
    assert_non_null(s);
    assert_non_null(r);
    sample_receipt(r, VB_MODE_LOCAL);
    sample_sampling(s);
    memcpy(key, r->request.server_key, 32);
    memcpy(model, r->request.model_sha256, 32);
    memcpy(c, r->commitment, 32);
    vb_expect all = {.server_key = key,
                     .model_sha256 = model,
                     .prompt = &r->prompt,
                     .sampling = s,
                     .max_tokens = &max_tokens,
                     .nonce = "client nonce",
                     .commitment = c};
    assert_int_equal(check(r, &all), VB_VERDICT_VERIFIED);
    vb_expect x = all;
    key[0] ^= 1;
    assert_refuted(r, &x, VB_REASON_SIGNATURE);
    key[0] ^= 1;
    model[0] ^= 1;
    assert_refuted(r, &x, VB_REASON_MODEL_DIGEST);
    model[0] ^= 1;
    c[0] ^= 1;
    assert_refuted(r, &x, VB_REASON_COMMITMENT);
    c[0] ^= 1;
    x.max_tokens = &other_max;
    assert_refuted(r, &x, VB_REASON_PARAMETERS);
    x = all;
    x.nonce = "";
    assert_refuted(r, &x, VB_REASON_COMMITMENT);
    for (int i = 0; i < 8; i++) {
        sample_sampling(s);
        switch (i) {
        case 0: s->temperature = 0.7f; break;
        case 1: s->top_k = 0; break;
        case 2: s->top_p--; break;
        case 3: s->min_p--; break;
        case 4: s->presence_penalty = 0; break;
        case 5: s->frequency_penalty = 0; break;
        case 6: s->repetition_penalty = 1; break;
        default: s->bias[1].bias = 0.25f; break;
        }
        assert_refuted(r, &all, VB_REASON_PARAMETERS);
    }
    vb_receipt_free(r);
    free(r);
    free(s);
}

/* Whether a prompt that was given apart is the receipt's, whatever of it the receipt holds. */
typedef enum prompt_change {
    PROMPT_SAME,
    PROMPT_KIND,
    PROMPT_DATE,
    PROMPT_TEMPLATE,
    PROMPT_NO_TEMPLATE,
    PROMPT_TOKEN,
    PROMPT_TOKEN_LESS,
    PROMPT_CHANGES,
    /* Of these a private receipt knows nothing: its tokens alone are committed to. */
    PROMPT_CONTENT = PROMPT_CHANGES,
    PROMPT_ROLE,
    PROMPT_MESSAGE_LESS,
    PROMPT_CHANGES_OPEN
} prompt_change;

static void change_prompt(vb_receipt_prompt *p, prompt_change c) {
    switch (c) {
    case PROMPT_KIND: p->kind = VB_PROMPT_TOKENS; break;
    case PROMPT_DATE: memcpy(p->date, "2026-11-22", 11); break;
    case PROMPT_TEMPLATE: p->template_sha256[31] ^= 1; break;
    case PROMPT_NO_TEMPLATE: p->has_template = false; break;
    case PROMPT_TOKEN: p->tokens[3] ^= 1; break;
    case PROMPT_TOKEN_LESS: p->n_tokens--; break;
    case PROMPT_CONTENT: p->messages[1].content.p[0] ^= 1; break;
    case PROMPT_ROLE: p->messages[0].role[0] ^= 1; break;
    case PROMPT_MESSAGE_LESS: p->n_messages--; break;
    default: break;
    }
}

static void the_prompt_given_apart_is_the_receipts(void **state) {
    vb_ed25519_key *key = sample_key();
    vb_receipt *r = malloc(sizeof *r), *other = malloc(sizeof *other);
    (void)state;
    assert_non_null(r);
    assert_non_null(other);
    for (int private = 0; private < 2; private ++) {
        for (int c = PROMPT_SAME; c < PROMPT_CHANGES_OPEN; c++) {
            sample_request(r, VB_MODE_LOCAL);
            sample_request(other, VB_MODE_LOCAL);
            if (private) {
                vb_receipt_make_private(r);
            }
            sample_answer(r, key);
            vb_expect x = {.prompt = &other->prompt};
            change_prompt(&other->prompt, (prompt_change)c);
            const bool good = c == PROMPT_SAME || (private && c >= PROMPT_CHANGES);
            if (good) {
                assert_int_equal(check(r, &x), VB_VERDICT_VERIFIED);
            } else {
                assert_refuted(r, &x, VB_REASON_PROMPT);
                assert_int_equal(rep.checks[VB_CHECK_PROMPT_DIGEST].status, VB_CHECK_FAIL);
            }
            other->prompt.n_messages = 2;
            vb_receipt_free(other);
            vb_receipt_free(r);
        }
    }
    vb_ed25519_close(key);
    free(other);
    free(r);
}

/* A text that is expected of a receipt which holds one: the same text, not only the same tokens. */
static void the_text_is_the_expected_one(void **state) {
    vb_ed25519_key *key = sample_key();
    vb_receipt *r = malloc(sizeof *r);
    (void)state;
    assert_non_null(r);
    sample_request(r, VB_MODE_LOCAL);
    for (size_t i = 0; i < r->prompt.n_messages; i++) {
        vb_text_free(&r->prompt.messages[i].content);
    }
    r->prompt.n_messages = 0;
    r->prompt.kind = VB_PROMPT_TEXT;
    r->prompt.has_template = false;
    assert_int_equal(vb_text_set(&r->prompt.text, "a\0b", 3, NULL), VB_OK);
    sample_answer(r, key);
    vb_receipt_prompt given = r->prompt;
    char same[] = "a\0b", other[] = "a\0c";
    const vb_expect x = {.prompt = &given};
    given.text = (vb_text){same, 3};
    assert_int_equal(check(r, &x), VB_VERDICT_VERIFIED);
    given.text = (vb_text){other, 3};
    assert_refuted(r, &x, VB_REASON_PROMPT);
    given.text = (vb_text){same, 2};
    assert_refuted(r, &x, VB_REASON_PROMPT);
    vb_receipt_free(r);
    vb_ed25519_close(key);
    free(r);
}

static void pass_all_but(vb_level level, vb_check_id but) {
    vb_report_begin(&rep, level);
    rep.replayed = level == VB_LEVEL_FULL;
    rep.n_sampled = rep.n_positions = level == VB_LEVEL_SAMPLE;
    for (int i = 0; i < VB_CHECK_COUNT; i++) {
        if (i != (int)but) {
            vb_report_pass(&rep, (vb_check_id)i, "", "fine");
        }
    }
}

/* Whatever is missing, failed or unknown, at any level: not VERIFIED. */
static void a_verdict_needs_every_required_check(void **state) {
    (void)state;
    memset(&rep, 0, sizeof rep);
    assert_int_equal(vb_report_verdict(&rep), VB_VERDICT_UNVERIFIABLE);
    for (int level = VB_LEVEL_RECEIPT; level <= VB_LEVEL_QUORUM; level++) {
        for (int i = 0; i < VB_CHECK_COUNT; i++) {
            pass_all_but((vb_level)level, (vb_check_id)i);
            bool required = rep.checks[i].required;
            assert_int_equal(vb_report_verdict(&rep), VB_VERDICT_UNVERIFIABLE);
            vb_report_finish(&rep);
            assert_int_equal(vb_report_verdict(&rep),
                             required ? VB_VERDICT_UNVERIFIABLE : VB_VERDICT_VERIFIED);

            pass_all_but((vb_level)level, VB_CHECK_COUNT);
            rep.checks[i].status = VB_CHECK_MISSING; /* a required one, put back */
            rep.checks[i].required = false;          /* even if somebody forgot that it is */
            vb_report_finish(&rep);
            assert_int_equal(vb_report_verdict(&rep),
                             required ? VB_VERDICT_UNVERIFIABLE : VB_VERDICT_VERIFIED);

            pass_all_but((vb_level)level, (vb_check_id)i);
            vb_report_unknown(&rep, (vb_check_id)i, VB_REASON_TRUST_ROOT, "?");
            vb_report_pass(&rep, (vb_check_id)i, "", "a later pass hides nothing");
            vb_report_finish(&rep);
            assert_int_equal(vb_report_verdict(&rep), VB_VERDICT_UNVERIFIABLE);
            assert_int_equal(vb_report_reason(&rep), VB_REASON_TRUST_ROOT);

            pass_all_but((vb_level)level, VB_CHECK_COUNT);
            vb_report_fail(&rep, (vb_check_id)i, VB_REASON_TRACE, "a pass does not protect");
            vb_report_pass(&rep, (vb_check_id)i, "", "a later pass hides nothing");
            vb_report_unknown(&rep, (vb_check_id)i, VB_REASON_UNFINISHED, "nor this");
            vb_report_finish(&rep);
            assert_int_equal(vb_report_verdict(&rep), VB_VERDICT_REFUTED);
            assert_int_equal(vb_report_reason(&rep), VB_REASON_TRACE);
        }
    }
    pass_all_but(VB_LEVEL_FULL, VB_CHECK_COUNT);
    rep.replayed = false;
    vb_report_finish(&rep);
    assert_int_equal(vb_report_verdict(&rep), VB_VERDICT_UNVERIFIABLE);
    pass_all_but(VB_LEVEL_SAMPLE, VB_CHECK_COUNT);
    rep.n_sampled = 0;
    vb_report_finish(&rep);
    assert_int_equal(vb_report_verdict(&rep), VB_VERDICT_UNVERIFIABLE);
}

/* What each level asks for, as the spec's table has it. */
static void levels_require_their_checks(void **state) {
    (void)state;
    for (int i = 0; i < VB_CHECK_COUNT; i++) {
        const bool asked =
            i == VB_CHECK_SERVER_KEY || i == VB_CHECK_PARAMETERS || i == VB_CHECK_EXPECTED_MODEL;
        const bool receipt = i <= VB_CHECK_LIMITS && !asked;
        const bool model = i >= VB_CHECK_MODEL_DIGEST && i <= VB_CHECK_FINISH;
        const bool opening = i >= VB_CHECK_OPENING_FORMAT && i <= VB_CHECK_OPENING_NUMBERS;
        const bool want[] = {
            [VB_LEVEL_RECEIPT] = receipt,
            [VB_LEVEL_SAMPLE] = receipt || (model && i != VB_CHECK_TRACE),
            [VB_LEVEL_FULL] = receipt || model,
            [VB_LEVEL_OPENING] = receipt || opening,
            [VB_LEVEL_QUORUM] = receipt || i == VB_CHECK_WITNESSES,
        };
        for (int level = VB_LEVEL_RECEIPT; level <= VB_LEVEL_QUORUM; level++) {
            vb_report_begin(&rep, (vb_level)level);
            assert_int_equal(rep.checks[i].required, want[level]);
            assert_int_equal(rep.checks[i].status, want[level] ? VB_CHECK_MISSING : VB_CHECK_SKIP);
        }
    }
}

static void the_first_failure_gives_the_reason(void **state) {
    (void)state;
    vb_report_begin(&rep, VB_LEVEL_RECEIPT);
    vb_report_unknown(&rep, VB_CHECK_BEACON, VB_REASON_UNSUPPORTED_BEACON, "x");
    vb_report_fail(&rep, VB_CHECK_TEXT_DIGEST, VB_REASON_TEXT, "x");
    vb_report_fail(&rep, VB_CHECK_SEED, VB_REASON_SEED, "x");
    vb_report_finish(&rep);
    assert_int_equal(vb_report_reason(&rep), VB_REASON_SEED);
    assert_string_equal(vb_reason_name(VB_REASON_SEED), "seed");
    for (int i = 0; i <= VB_REASON_UNFINISHED; i++) {
        assert_true(strlen(vb_reason_name((vb_reason)i)) > 3);
    }
}

static vb_snippet snippet(const char *text, bool cut) {
    vb_snippet s = {.len = strlen(text), .cut = cut};
    memcpy(s.text, text, s.len);
    return s;
}

static json_t *read_json_report(vb_buf *out) {
    out->len = 0;
    assert_int_equal(vb_report_write_json(&rep, out, NULL), VB_OK);
    json_t *j =
        json_loadb((char *)out->data, out->len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    assert_non_null(j);
    return j;
}

/* Reports quote hostile text; a terminal must not obey it, and JSON must stay JSON. */
static void hostile_text_is_harmless(void **state) {
    static const char hostile[] = "\x1b[2J\xe2\x80\xae\xc2\x9b\"\\\n\xf3\xa0\x80\x81\xff";
    vb_buf out = vb_buf_make(1 << 20);
    (void)state;
    vb_report_begin(&rep, VB_LEVEL_FULL);
    rep.have_receipt = true;
    memcpy(rep.id, "a\xe2\x80\xae\xc2\x9b", 7);
    rep.divergence = (vb_divergence){.known = true,
                                     .choice = 1,
                                     .t = 41,
                                     .expected = 5,
                                     .found = 6,
                                     .context = snippet(hostile, true),
                                     .expected_text = snippet(hostile, false),
                                     .found_text = snippet(hostile, true)};
    vb_report_fail(&rep, VB_CHECK_TOKENS, VB_REASON_TOKEN, "%s", hostile);
    vb_report_finish(&rep);
    assert_int_equal(vb_report_write_text(&rep, &out, NULL), VB_OK);
    for (size_t i = 0; i < out.len; i++) {
        assert_true(out.data[i] == '\n' || (out.data[i] >= 0x20 && out.data[i] < 0x7f));
    }
    assert_non_null(
        strstr((char *)out.data, "REFUTED (token) at token 41 of choice 1: expected 5, found 6"));
    assert_non_null(strstr((char *)out.data,
                           "position 41 of choice 1, after \"...\\u001b[2J\\u202e\\u009b\\\"\\\\"
                           "\\u000a\\udb40\\udc01\\ufffd\":\n"));
    vb_buf_free(&out);
}

/* What is no control character stays readable, and probabilities are those of the draw. */
static void a_divergence_is_readable(void **state) {
    vb_buf out = vb_buf_make(1 << 20);
    (void)state;
    vb_report_begin(&rep, VB_LEVEL_FULL);
    rep.divergence = (vb_divergence){.known = true,
                                     .t = 17,
                                     .expected = 4711,
                                     .found = 9,
                                     .expected_weight = 3,
                                     .found_weight = 1,
                                     .total = 4,
                                     .context = snippet("the capital of", true),
                                     .expected_text = snippet(" \xe6\x9d\xb1\xe4\xba\xac", false),
                                     .found_text = snippet(" Spa\"in\t", true)};
    rep.divergence.found_text.text[1] = 0;
    vb_report_fail(&rep, VB_CHECK_TOKENS, VB_REASON_TOKEN, "another token");
    vb_report_finish(&rep);
    assert_int_equal(vb_report_write_text(&rep, &out, NULL), VB_OK);
    assert_non_null(
        strstr((char *)out.data,
               "position 17 of choice 0, after \"...the capital of\":\n"
               "  expected \" \xe6\x9d\xb1\xe4\xba\xac\" (token 4711, probability 0.75)\n"
               "  found    \" \\u0000pa\\\"in\\u0009...\" (token 9, probability 0.25)\n"));
    json_t *j = read_json_report(&out), *d = json_object_get(j, "divergence");
    assert_string_equal(json_string_value(json_object_get(j, "reason")), "token");
    assert_int_equal(json_object_size(d), 9);
    assert_int_equal(json_integer_value(json_object_get(d, "choice")), 0);
    assert_int_equal(json_integer_value(json_object_get(d, "position")), 17);
    assert_int_equal(json_integer_value(json_object_get(d, "expected")), 4711);
    assert_int_equal(json_integer_value(json_object_get(d, "found")), 9);
    assert_string_equal(json_string_value(json_object_get(d, "context")), "the capital of");
    assert_string_equal(json_string_value(json_object_get(d, "expected_text")),
                        " \xe6\x9d\xb1\xe4\xba\xac");
    assert_int_equal(json_string_length(json_object_get(d, "found_text")), 8);
    assert_true(json_number_value(json_object_get(d, "expected_probability")) == 0.75);
    assert_true(json_number_value(json_object_get(d, "found_probability")) == 0.25);
    json_decref(j);
    vb_buf_free(&out);
}

/* Level sample says how much it leaves open. */
static void a_sample_says_its_chance(void **state) {
    static const struct {
        uint64_t k, n;
        const char *note;
    } cases[] = {
        {3, 4,
         "3 of 4 tokens, chosen by the verifier, were drawn again with the model: one forged "
         "token is missed with probability 0.25"},
        {7, 7, "is missed with probability 0"},
        {1, 3, "is missed with probability 0.666667"},
        {0, 0, "tokens were NOT all replayed"},
    };
    vb_buf out = vb_buf_make(1 << 20);
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        pass_all_but(VB_LEVEL_SAMPLE, VB_CHECK_COUNT);
        rep.n_sampled = cases[i].k;
        rep.n_positions = cases[i].n;
        vb_report_finish(&rep);
        json_t *j = read_json_report(&out);
        const char *note = json_string_value(json_object_get(j, "note"));
        assert_non_null(strstr(note, cases[i].note));
        assert_string_equal(note + strlen(note) - strlen(cases[i].note), cases[i].note);
        assert_true(json_is_false(json_object_get(j, "replayed")));
        json_decref(j);
    }
    vb_buf_free(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(genuine_receipts_are_verified),
        cmocka_unit_test(other_levels_need_more),
        cmocka_unit_test(no_flipped_byte_is_verified),
        cmocka_unit_test(every_field_is_signed),
        cmocka_unit_test(forgeries_get_their_verdict),
        cmocka_unit_test(signatures_do_not_move),
        cmocka_unit_test(expectations_are_checked),
        cmocka_unit_test(the_prompt_given_apart_is_the_receipts),
        cmocka_unit_test(the_text_is_the_expected_one),
        cmocka_unit_test(a_verdict_needs_every_required_check),
        cmocka_unit_test(levels_require_their_checks),
        cmocka_unit_test(the_first_failure_gives_the_reason),
        cmocka_unit_test(hostile_text_is_harmless),
        cmocka_unit_test(a_divergence_is_readable),
        cmocka_unit_test(a_sample_says_its_chance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
