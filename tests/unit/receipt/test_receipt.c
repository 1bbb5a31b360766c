/* Encoding against receipts that Python built, strict decoding, and building. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "unit/receipt/change.h"
#include "unit/receipt/sample_receipt.h"

static void assert_decodes(const vb_buf *b, vb_receipt *r) {
    vb_error e = {0};
    if (vb_receipt_decode(b->data, b->len, r, &e)) {
        fail_msg("%s", e.msg);
    }
}

static void golden(const char *file, vb_beacon_mode mode) {
    size_t n;
    uint8_t *expected = vb_test_read(vb_test_source(file), &n);
    vb_buf b = sample_bytes(mode);
    assert_string_equal((char *)b.data, (char *)expected);
    assert_int_equal(b.len, n);
    vb_buf_free(&b);
    free(expected);
}

static void equals_the_second_implementation(void **state) {
    (void)state;
    golden("tests/unit/receipt/golden_fixed.json", VB_MODE_FIXED);
    golden("tests/unit/receipt/golden_local.json", VB_MODE_LOCAL);
}

static void round_trip(vb_receipt *r, const vb_buf *b) {
    vb_buf again = vb_buf_make(VB_RECEIPT_BYTES_MAX);
    vb_error e = {0};
    if (vb_receipt_encode(r, &again, &e)) {
        fail_msg("%s", e.msg);
    }
    assert_int_equal(again.len, b->len);
    assert_memory_equal(again.data, b->data, b->len);
    vb_buf_free(&again);
}

static void decoding_gives_everything_back(void **state) {
    vb_receipt *r = malloc(sizeof *r), *s = malloc(sizeof *s);
    (void)state;
    assert_non_null(r);
    assert_non_null(s);
    vb_buf b = sample_bytes(VB_MODE_LOCAL);
    assert_decodes(&b, r);
    round_trip(r, &b);
    sample_receipt(s, VB_MODE_LOCAL);
    assert_memory_equal(&r->request.sampling, &s->request.sampling, sizeof(vb_sampling));
    assert_int_equal(r->request.n_stop_strings, 2);
    assert_int_equal(r->request.stop_strings[1].len, 3);
    assert_memory_equal(r->request.stop_strings[1].p, "a\0b", 4);
    assert_int_equal(r->n_outputs, 2);
    assert_int_equal(r->outputs[0].n_tokens, 3);
    assert_int_equal(r->outputs[0].tokens[2], 12);
    assert_int_equal(r->outputs[1].finish, VB_FINISH_STOP);
    assert_int_equal(r->request.sequence, 17);
    assert_string_equal(r->beacon.id, s->beacon.id);
    assert_int_equal(r->prompt.n_messages, 2);
    assert_string_equal(r->prompt.messages[1].role, "user");
    vb_receipt_free(r);
    vb_receipt_free(s);
    vb_buf_free(&b);
    free(r);
    free(s);
}

static void other_shapes_round_trip(void **state) {
    vb_receipt *r = malloc(sizeof *r), *back = malloc(sizeof *back);
    vb_ed25519_key *key = sample_key();
    (void)state;
    assert_non_null(r);
    assert_non_null(back);
    for (int shape = 0; shape < 8; shape++) {
        sample_request(r, VB_MODE_LOCAL);
        if (shape == 0) {
            vb_receipt_make_private(r);
        } else if (shape == 1) { /* text, with a zero byte */
            uint32_t ids[] = {1};
            vb_receipt_make_private(r);
            r->prompt.kind = VB_PROMPT_TEXT;
            r->prompt.has_template = false;
            assert_int_equal(vb_text_set(&r->prompt.text, "a\0", 2, NULL), VB_OK);
            assert_int_equal(vb_receipt_set_prompt_tokens(r, ids, 1, NULL), VB_OK);
        } else if (shape == 2) { /* a beacon of another kind, with a proof and 64 bytes */
            memcpy(r->request.beacon_id, "nist:2", 7);
            memcpy(r->request.fallback_from, "drand:x", 8);
            memcpy(r->beacon.id, "nist:2", 7);
            r->request.mode = VB_MODE_NEXT;
            r->beacon.n_randomness = 64;
            r->beacon.proof = strdup("{\"a\":[1,\"\\u0000x\"]}");
        } else if (shape == 3) { /* a replayed round */
            r->request.mode = VB_MODE_FIXED;
            r->request.has_round = true;
            r->request.round = 5;
        } else if (shape == 4) { /* variables of a template */
            sample_template_prompt(r);
        } else if (shape == 5) { /* the same, private, with a date and a constraint */
            sample_template_prompt(r);
            memcpy(r->prompt.date, "2026-11-22", 11);
            vb_receipt_make_private(r);
            sample_constraint(r);
        } else if (shape == 6) {
            sample_constraint(r);
        } else { /* a date; nothing optional in the request */
            memcpy(r->prompt.date, "2026-11-22", 11);
            for (size_t i = 0; i < r->request.n_stop_strings; i++) {
                vb_text_free(&r->request.stop_strings[i]);
            }
            r->request.n_stop_strings = r->request.n_stop_tokens = 0;
            vb_sampling_default(&r->request.sampling);
            r->request.nonce[0] = 0;
        }
        sample_answer(r, key);
        vb_buf b = vb_buf_make(VB_RECEIPT_BYTES_MAX);
        vb_error e = {0};
        if (vb_receipt_encode(r, &b, &e)) {
            fail_msg("shape %d: %s", shape, e.msg);
        }
        assert_decodes(&b, back);
        round_trip(back, &b);
        assert_string_equal(back->beacon.id, r->beacon.id);
        assert_int_equal(back->prompt.kind, r->prompt.kind);
        assert_int_equal(back->prompt.has_tokens, shape != 0 && shape != 5);
        assert_int_equal(back->prompt.has_template, shape != 1);
        assert_int_equal(back->request.constraint.p != NULL, shape == 5 || shape == 6);
        vb_receipt_free(back);
        vb_receipt_free(r);
        vb_buf_free(&b);
    }
    vb_ed25519_close(key);
    free(r);
    free(back);
}

static vb_err decode_changed(const vb_buf *b, const char *path, const char *text, vb_error *e) {
    vb_buf changed = with_path(b, path, text);
    vb_receipt *r = malloc(sizeof *r);
    assert_non_null(r);
    vb_err err = vb_receipt_decode(changed.data, changed.len, r, e);
    if (!err) {
        vb_receipt_free(r);
    } else {
        assert_null(r->outputs);
        assert_null(r->prompt.tokens);
    }
    free(r);
    vb_buf_free(&changed);
    return err;
}

/* path, JSON text, what the message must name */
static const char *const refused[][3] = {
    {"format", "\"verbatim.receipt/2\"", "format"},
    {"format", "\"verbatim.receipt/1\\u0000\"", "format"},
    {"format", "\"other\"", "format"},
    {"format", "1", "format"},
    {"extra", "1", "extra: unknown"},
    {"id", "\"\"", "id"},
    {"id", "\"a\\nb\"", "id"},
    {"id", "null", "id"},
    {"signature", "\"AB\"", "signature"},
    {"commitment.value", "\"\"", "commitment.value"},
    {"commitment.extra", "1", "commitment.extra: unknown"},
    {"commitment.signature", "7", "commitment.signature"},
    {"engine.tier", "[]", "engine.tier"},
    {"engine.version", "\"\"", "engine.version"},
    {"model.parameters", "3700000", "model.parameters"},
    {"model.parameters", "\"037\"", "model.parameters"},
    {"model.parameters", "\"18446744073709551616\"", "model.parameters"},
    {"model.parameters", "\"-1\"", "model.parameters"},
    {"model.name", "\"\\u001b[2J\"", "model.name"},
    {"usage.prompt_tokens", "-1", "usage.prompt_tokens"},
    {"usage.completion_tokens", "0.5", "usage.completion_tokens"},
    {"request", "null", "request"},
    {"request.arithmetic", "\"\"", "request.arithmetic"},
    {"request.choices", "0", "request.choices"},
    {"request.choices", "129", "request.choices"},
    {"request.ctx_tokens", "0", "request.ctx_tokens"},
    {"request.max_tokens", "0", "request.max_tokens"},
    {"request.max_tokens", "4194305", "request.max_tokens"},
    {"request.issued_at_ms", "1763834000123", "request.issued_at_ms"},
    {"request.issued_at_ms", "\"253402300800000\"", "request.issued_at_ms"},
    {"request.sequence", "\"0\"", "request.sequence"},
    {"request.seed", "\"1\"", "request.seed"},
    {"request.nonce", "null", "request.nonce"},
    {"request.prompt_tokens", "0", "request.prompt_tokens"},
    {"request.server_key", "\"zz\"", "request.server_key"},
    {"request.constraint", "false", "request.constraint"},
    {"request.constraint", "\"json_object\"", "request.constraint"},
    {"request.constraint", "[]", "request.constraint"},
    {"request.constraint", "0", "request.constraint"},
    {"request.beacon.mode", "\"best\"", "request.beacon.mode"},
    {"request.beacon.id", "null", "request.beacon.id"},
    {"request.beacon.id", "\"\"", "request.beacon.id"},
    {"request.beacon.round", "\"5\"", "request.beacon.round"},
    {"request.beacon.mode", "\"fixed\"", "request.beacon.round"},
    {"request.stop.strings", "[\"\"]", "request.stop.strings"},
    {"request.stop.strings", "[1]", "request.stop.strings"},
    {"request.stop.tokens", "[2,2]", "request.stop.tokens"},
    {"request.stop.tokens", "[-1]", "request.stop.tokens"},
    {"request.sampling.temperature", "0.8", "request.sampling.temperature"},
    {"request.sampling.temperature", "1e+39", "request.sampling.temperature"},
    {"request.sampling.temperature", "-1", "request.sampling"},
    {"request.sampling.temperature", "\"1\"", "request.sampling.temperature"},
    {"request.sampling.top_k", "4294967296", "request.sampling.top_k"},
    {"request.sampling.top_p_q32", "0", "request.sampling.top_p_q32"},
    {"request.sampling.top_p_q32", "4294967297", "request.sampling.top_p_q32"},
    {"request.sampling.min_p_q32", "4294967297", "request.sampling.min_p_q32"},
    {"request.sampling.repetition_penalty", "0", "request.sampling"},
    {"request.sampling.presence_penalty", "3", "request.sampling"},
    {"request.sampling.logit_bias", "[[3,1],[3,1]]", "request.sampling"},
    {"request.sampling.logit_bias", "[[3,101]]", "request.sampling"},
    {"request.sampling.logit_bias", "[[3]]", "request.sampling.logit_bias"},
    {"request.sampling.logit_bias", "[3]", "request.sampling.logit_bias"},
    {"request.sampling.logit_bias", "[[1048576,1]]", "request.sampling.logit_bias"},
    {"prompt.kind", "\"image\"", "prompt.kind"},
    {"prompt.kind", "\"tokens\"", "prompt.messages"},
    {"prompt.kind", "\"text\"", "prompt.messages"},
    {"prompt.kind", "\"template\"", "prompt.messages"},
    {"prompt.text", "\"x\"", "prompt.text"},
    {"prompt.messages", "null", "prompt.messages"},
    {"prompt.messages", "[]", "prompt.messages"},
    {"prompt.messages", "[{\"content\":\"x\",\"role\":\"\"}]", "prompt.messages[0].role"},
    {"prompt.messages", "[{\"content\":\"x\"}]", "prompt.messages[0].role"},
    {"prompt.messages.0.content", "null", "prompt.messages[0].content"},
    {"prompt.messages.1.name", "\"x\"", "prompt.messages[1].name"},
    {"prompt.tokens", "null", "prompt.messages"},
    {"prompt.tokens", "[]", "prompt.tokens"},
    {"prompt.tokens", "[1048576]", "prompt.tokens"},
    {"prompt.tokens", "[1.5]", "prompt.tokens"},
    {"prompt.date", "\"22-11-2026\"", "prompt.date"},
    {"prompt.template_sha256", "null", "prompt.template_sha256"},
    {"beacon", "null", "beacon"},
    {"beacon.proof", "\"x\"", "beacon.proof"},
    {"beacon.randomness", "\"00\"", "beacon.randomness"},
    {"beacon.randomness", "null", "beacon.randomness"},
    {"beacon.round", "5", "beacon.round"},
    {"beacon.round", "\"\"", "beacon.round"},
    {"outputs", "[]", "outputs"},
    {"outputs", "{}", "outputs"},
    {"outputs", "[1]", "outputs[0]"},
    {"outputs.0.finish_reason", "\"done\"", "outputs[0].finish_reason"},
    {"outputs.0.seed", "null", "outputs[0].seed"},
    {"outputs.1.text", "null", "outputs[1].text"},
    {"outputs.1.text_sha256", "\"\"", "outputs[1].text_sha256"},
    {"outputs.1.tokens", "[]", "outputs[1].tokens"},
    {"outputs.1.trace_root", "[]", "outputs[1].trace_root"},
    {"outputs.1.extra", "null", "outputs[1].extra"},
};

static void errors_name_the_field(void **state) {
    vb_buf b = sample_bytes(VB_MODE_LOCAL);
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        vb_error e = {0};
        vb_err err = decode_changed(&b, refused[i][0], refused[i][1], &e);
        if (err == VB_OK || !strstr(e.msg, refused[i][2])) {
            fail_msg("%s = %s: %s", refused[i][0], refused[i][1], err ? e.msg : "accepted");
        }
    }
    vb_error e = {0};
    assert_int_equal(decode_changed(&b, "format", "\"verbatim.receipt/2\"", &e), VB_EUNSUPPORTED);
    vb_buf_free(&b);
}

/* path, JSON text, what the message must name; of a prompt of kind template with a date */
static const char *const refused_templates[][3] = {
    {"prompt.kind", "\"tokens\"", "prompt.text"},
    {"prompt.kind", "\"text\"", "prompt.date"},
    {"prompt.kind", "\"chat\"", "prompt.text"},
    {"prompt.kind", "\"Template\"", "prompt.kind"},
    {"prompt.text", "null", "prompt.text"},
    {"prompt.text", "{\"messages\":[]}", "prompt.text"},
    {"prompt.messages", "[{\"content\":\"x\",\"role\":\"user\"}]", "prompt.messages"},
    {"prompt.messages", "[]", "prompt.messages"},
    {"prompt.tokens", "null", "prompt.text"},
    {"prompt.template_sha256", "null", "prompt.template_sha256"},
    {"prompt.template_sha256", "\"ab\"", "prompt.template_sha256"},
    {"prompt.date", "\"22-11-2026\"", "prompt.date"},
    {"prompt.date", "20261122", "prompt.date"},
    {"prompt.date", "\"\"", "prompt.date"},
};

static void template_prompts_have_a_text_and_a_template(void **state) {
    vb_receipt *r = malloc(sizeof *r);
    vb_ed25519_key *key = sample_key();
    vb_buf b = vb_buf_make(VB_RECEIPT_BYTES_MAX);
    (void)state;
    assert_non_null(r);
    sample_request(r, VB_MODE_FIXED);
    sample_template_prompt(r);
    memcpy(r->prompt.date, "2026-11-22", 11);
    sample_answer(r, key);
    assert_int_equal(vb_receipt_encode(r, &b, NULL), VB_OK);
    for (size_t i = 0; i < sizeof refused_templates / sizeof refused_templates[0]; i++) {
        const char *const *c = refused_templates[i];
        vb_error e = {0};
        vb_err err = decode_changed(&b, c[0], c[1], &e);
        if (err == VB_OK || !strstr(e.msg, c[2])) {
            fail_msg("%s = %s: %s", c[0], c[1], err ? e.msg : "accepted");
        }
    }
    /* Which variables they are is no question of form. */
    assert_int_equal(decode_changed(&b, "prompt.text", "\"no object\"", NULL), VB_OK);
    assert_int_equal(decode_changed(&b, "prompt.date", "null", NULL), VB_OK);
    vb_receipt_free(r);
    vb_buf_free(&b);
    vb_ed25519_close(key);
    free(r);
}

/* Removes every member of every object in turn. */
static void no_member_may_be_missing(void **state) {
    vb_buf b = sample_bytes(VB_MODE_LOCAL);
    json_t *doc = document(&b);
    const char *const objects[] = {
        "",          "beacon",       "commitment",        "engine",  "model",
        "outputs.0", "prompt",       "prompt.messages.1", "request", "request.sampling",
        "usage",     "request.stop", "request.beacon"};
    size_t removed = 0;
    (void)state;
    for (size_t i = 0; i < sizeof objects / sizeof objects[0]; i++) {
        json_t *at = walk(doc, objects[i]);
        const char *name;
        json_t *value;
        json_object_foreach(at, name, value) {
            char path[128];
            vb_error e = {0};
            snprintf(path, sizeof path, "%s%s%s", objects[i], objects[i][0] ? "." : "", name);
            if (!decode_changed(&b, path, NULL, &e) || !strstr(e.msg, name)) {
                fail_msg("without %s: %s", path, e.msg);
            }
            removed++;
        }
    }
    assert_int_equal(removed, 11 + 3 + 2 + 2 + 4 + 6 + 6 + 2 + 16 + 8 + 2 + 2 + 4);
    json_decref(doc);
    vb_buf_free(&b);
}

static void mode_fixed_has_a_seed_and_no_beacon(void **state) {
    vb_buf b = sample_bytes(VB_MODE_FIXED);
    vb_error e;
    (void)state;
    assert_int_equal(decode_changed(&b, "request.seed", "\"7\"", &e), VB_OK);
    assert_int_equal(decode_changed(&b, "request.seed", "null", &e), VB_EFORMAT);
    assert_int_equal(decode_changed(&b, "request.seed", "7", &e), VB_EFORMAT);
    assert_int_equal(decode_changed(&b, "request.beacon.id", "\"drand:x\"", &e), VB_EFORMAT);
    assert_int_equal(decode_changed(&b, "request.beacon.round", "\"1\"", &e), VB_EFORMAT);
    assert_int_equal(decode_changed(&b, "request.beacon.fallback_from", "\"drand:x\"", &e),
                     VB_EFORMAT);
    assert_int_equal(decode_changed(&b, "request.beacon.mode", "\"local\"", &e), VB_EFORMAT);
    assert_int_equal(
        decode_changed(&b, "beacon", "{\"proof\":null,\"randomness\":\"\",\"round\":\"1\"}", &e),
        VB_EFORMAT);
    vb_buf_free(&b);
}

static void not_one_byte_more_or_less(void **state) {
    vb_buf b = sample_bytes(VB_MODE_FIXED);
    vb_receipt *r = malloc(sizeof *r);
    (void)state;
    assert_non_null(r);
    assert_int_equal(vb_receipt_decode(b.data, b.len - 1, r, NULL), VB_EFORMAT);
    assert_int_equal(vb_receipt_decode("", 0, r, NULL), VB_EFORMAT);
    assert_int_equal(vb_buf_append(&b, "\n", 1), VB_OK);
    assert_int_equal(vb_receipt_decode(b.data, b.len, r, NULL), VB_EFORMAT);
    vb_buf_free(&b);
    free(r);
}

/* What a reader would refuse is not written. */
static void encoding_refuses_what_decoding_would(void **state) {
    vb_receipt *r = malloc(sizeof *r);
    (void)state;
    assert_non_null(r);
    for (int i = 0; i < 6; i++) {
        vb_buf b = vb_buf_make(VB_RECEIPT_BYTES_MAX);
        vb_error e = {0};
        const char *name = "";
        sample_receipt(r, VB_MODE_LOCAL);
        switch (i) {
        case 0: memcpy(r->model.name, "\xff", 2), name = "name"; break;
        case 1: r->id[0] = 0, name = "id"; break;
        case 2: r->request.sampling.temperature = 101, name = "request.sampling"; break;
        case 3: r->has_beacon = false, name = "beacon"; break;
        case 4: r->prompt.kind = VB_PROMPT_TOKENS, name = "prompt"; break;
        default: r->outputs[1].n_tokens = 0, name = "outputs[1].tokens"; break;
        }
        assert_int_not_equal(vb_receipt_encode(r, &b, &e), VB_OK);
        if (!strstr(e.msg, name)) {
            fail_msg("expected %s in: %s", name, e.msg);
        }
        assert_int_equal(b.len, 0);
        vb_buf_free(&b);
        vb_receipt_free(r);
    }
    free(r);
}

static void only_the_committed_key_signs(void **state) {
    vb_receipt *r = malloc(sizeof *r);
    vb_ed25519_key *other;
    (void)state;
    assert_non_null(r);
    sample_receipt(r, VB_MODE_FIXED);
    assert_int_equal(vb_ed25519_generate(&other, NULL), VB_OK);
    assert_int_equal(vb_receipt_sign(r, other, NULL, NULL), VB_EMISMATCH);
    vb_ed25519_close(other);
    vb_receipt_free(r);
    free(r);
}

static void text_is_utf8(void **state) {
    static const char *const bad[] = {"\x80",
                                      "\xc1\x81",
                                      "\xc3",
                                      "\xe0\x9f\xbf",
                                      "\xed\xa0\x80",
                                      "\xf0\x8f\xbf\xbf",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xe2\x82",
                                      "a\xff"};
    static const char *const good[] = {"",
                                       "a",
                                       "\xc2\x80",
                                       "\xdf\xbf",
                                       "\xe0\xa0\x80",
                                       "\xed\x9f\xbf",
                                       "\xee\x80\x80",
                                       "\xef\xbf\xbf",
                                       "\xf0\x90\x80\x80",
                                       "\xf4\x8f\xbf\xbf"};
    vb_text t = {0};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(vb_text_set(&t, bad[i], strlen(bad[i]), NULL), VB_EFORMAT);
    }
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_int_equal(vb_text_set(&t, good[i], strlen(good[i]), NULL), VB_OK);
        assert_string_equal(t.p, good[i]);
    }
    vb_text_free(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_the_second_implementation),
        cmocka_unit_test(decoding_gives_everything_back),
        cmocka_unit_test(other_shapes_round_trip),
        cmocka_unit_test(errors_name_the_field),
        cmocka_unit_test(template_prompts_have_a_text_and_a_template),
        cmocka_unit_test(no_member_may_be_missing),
        cmocka_unit_test(mode_fixed_has_a_seed_and_no_beacon),
        cmocka_unit_test(not_one_byte_more_or_less),
        cmocka_unit_test(encoding_refuses_what_decoding_would),
        cmocka_unit_test(only_the_committed_key_signs),
        cmocka_unit_test(text_is_utf8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
