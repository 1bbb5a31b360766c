/* The records around a receipt: against those that Python built, and against forgers. */
#include "receipt/records.h"

#include "unit/receipt/change.h"
#include "unit/receipt/sample_receipt.h"

static const uint64_t aborted_at = 1763834005000u;

static vb_receipt r; /* large: off the stack */
static vb_abort a;

typedef vb_err encode_function(const vb_receipt *r, vb_buf *out, vb_error *e);

static vb_err encode_abort(const vb_receipt *from, vb_buf *out, vb_error *e) {
    vb_ed25519_key *key = sample_key();
    vb_err err = vb_abort_encode(from, VB_ABORT_BEACON, aborted_at, key, out, e);
    vb_ed25519_close(key);
    return err;
}

static vb_buf encoded(encode_function *encode, vb_beacon_mode mode) {
    vb_buf b = vb_buf_make(VB_RECEIPT_BYTES_MAX);
    vb_error e = {0};
    sample_receipt(&r, mode);
    if (encode(&r, &b, &e)) {
        fail_msg("%s", e.msg);
    }
    vb_receipt_free(&r);
    return b;
}

static void golden(const char *file, encode_function *encode) {
    size_t n;
    uint8_t *expected = vb_test_read(vb_test_source(file), &n);
    vb_buf b = encoded(encode, VB_MODE_LOCAL);
    assert_string_equal((char *)b.data, (char *)expected);
    assert_int_equal(b.len, n);
    vb_buf_free(&b);
    free(expected);
}

static void equal_the_second_implementation(void **state) {
    (void)state;
    golden("tests/unit/receipt/record_commitment.json", vb_commitment_encode);
    golden("tests/unit/receipt/record_abort.json", encode_abort);
    golden("tests/unit/receipt/record_prompt.json", vb_prompt_file_encode);
}

static void assert_same(const vb_buf *x, vb_buf *y) {
    assert_int_equal(x->len, y->len);
    assert_memory_equal(x->data, y->data, x->len);
    vb_buf_free(y);
}

static void commitments_round_trip(void **state) {
    (void)state;
    for (vb_beacon_mode mode = VB_MODE_FIXED; mode <= VB_MODE_LOCAL; mode++) {
        vb_buf b = encoded(vb_commitment_encode, mode), again = vb_buf_make(1 << 20);
        assert_int_equal(vb_commitment_decode(b.data, b.len, &r, NULL), VB_OK);
        assert_int_equal(vb_commitment_check(&r, NULL), VB_OK);
        assert_int_equal(r.request.sequence, 17);
        assert_int_equal(r.request.mode, mode);
        assert_int_equal(r.n_outputs, 0);
        assert_string_equal(r.id, "");
        assert_int_equal(vb_commitment_encode(&r, &again, NULL), VB_OK);
        assert_same(&b, &again);
        vb_receipt_free(&r);
        vb_buf_free(&b);
    }
}

static void aborts_round_trip(void **state) {
    uint8_t digest[VB_SHA256_BYTES];
    vb_ed25519_key *key = sample_key();
    (void)state;
    for (vb_abort_reason why = VB_ABORT_CANCELLED; why <= VB_ABORT_LOST; why++) {
        vb_buf b = vb_buf_make(1 << 20), again = vb_buf_make(1 << 20);
        sample_receipt(&r, VB_MODE_FIXED);
        /* The time of the commitment itself is the earliest. */
        uint64_t at = r.request.issued_at_ms + (uint64_t)why - 1;
        assert_int_equal(vb_abort_encode(&r, why, at, key, &b, NULL), VB_OK);
        vb_receipt_free(&r);
        assert_int_equal(vb_abort_decode(b.data, b.len, &a, NULL), VB_OK);
        assert_int_equal(vb_abort_check(&a, NULL), VB_OK);
        assert_int_equal(vb_abort_digest(&a, digest, NULL), VB_OK);
        assert_int_equal(vb_ed25519_verify(a.r.request.server_key, VB_ED25519_PUBLIC_BYTES, digest,
                                           sizeof digest, a.signature, sizeof a.signature, NULL),
                         VB_OK);
        assert_int_equal(a.reason, why);
        assert_int_equal(a.aborted_at_ms, at);
        assert_int_equal(vb_abort_encode(&a.r, a.reason, at, key, &again, NULL), VB_OK);
        assert_same(&b, &again);
        vb_abort_free(&a);
        vb_buf_free(&b);
    }
    vb_ed25519_close(key);
}

static void reasons_have_names(void **state) {
    (void)state;
    assert_string_equal(vb_abort_reason_name(VB_ABORT_CANCELLED), "cancelled");
    assert_string_equal(vb_abort_reason_name(VB_ABORT_BEACON), "beacon");
    assert_string_equal(vb_abort_reason_name(VB_ABORT_FAILED), "failed");
    assert_string_equal(vb_abort_reason_name(VB_ABORT_LOST), "lost");
    assert_string_equal(vb_abort_reason_name((vb_abort_reason)0), "unknown");
    assert_string_equal(vb_abort_reason_name((vb_abort_reason)5), "unknown");
}

static void prompts_round_trip(void **state) {
    static const uint32_t ids[] = {1, 2, 1048575};
    vb_receipt_prompt p;
    (void)state;
    for (vb_prompt_kind kind = VB_PROMPT_TOKENS; kind <= VB_PROMPT_TEMPLATE; kind++) {
        vb_buf b = vb_buf_make(1 << 20), again = vb_buf_make(1 << 20);
        vb_error e = {0};
        sample_request(&r, VB_MODE_FIXED);
        if (kind == VB_PROMPT_TEMPLATE) {
            sample_template_prompt(&r);
        } else if (kind != VB_PROMPT_CHAT) {
            vb_receipt_make_private(&r);
            r.prompt.has_template = false;
            assert_int_equal(vb_receipt_set_prompt_tokens(&r, ids, 3, NULL), VB_OK);
        } else {
            memcpy(r.prompt.date, "2026-11-22", 11);
        }
        if (kind == VB_PROMPT_TEXT) {
            assert_int_equal(vb_text_set(&r.prompt.text, "a\0\xc3\xa9", 4, NULL), VB_OK);
        }
        r.prompt.kind = kind;
        if (vb_prompt_file_encode(&r, &b, &e)) {
            fail_msg("%s", e.msg);
        }
        vb_receipt_free(&r);
        assert_int_equal(vb_prompt_file_decode(b.data, b.len, &p, NULL), VB_OK);
        assert_int_equal(p.kind, kind);
        assert_true(p.has_tokens);
        r.prompt = p; /* moves */
        assert_int_equal(vb_prompt_file_encode(&r, &again, NULL), VB_OK);
        assert_same(&b, &again);
        vb_receipt_prompt_free(&r.prompt);
        assert_null(r.prompt.tokens);
        assert_int_equal(r.prompt.kind, 0);
        vb_buf_free(&b);
    }
}

static void a_private_prompt_is_no_prompt(void **state) {
    vb_buf b = vb_buf_make(1 << 20);
    vb_error e = {0};
    (void)state;
    sample_receipt(&r, VB_MODE_LOCAL);
    vb_receipt_make_private(&r);
    assert_int_equal(vb_prompt_file_encode(&r, &b, &e), VB_EFORMAT);
    assert_non_null(strstr(e.msg, "prompt.tokens"));
    assert_int_equal(b.len, 0);
    vb_receipt_free(&r);
}

/* What a reader would refuse is not written. */
static void encoding_refuses_what_decoding_would(void **state) {
    static const char *const names[] = {"request.sequence", "prompt.template_sha256",
                                        "prompt.date"};
    (void)state;
    for (int i = 0; i < 3; i++) {
        vb_buf b = vb_buf_make(1 << 20);
        vb_error e = {0};
        sample_receipt(&r, VB_MODE_LOCAL);
        switch (i) {
        case 0: r.request.sequence = 0; break;
        case 1: r.prompt.kind = VB_PROMPT_TEXT; break;
        default: memcpy(r.prompt.date, "2026/11/22", 11); break;
        }
        vb_err err = i == 0 ? vb_commitment_encode(&r, &b, &e) : vb_prompt_file_encode(&r, &b, &e);
        assert_int_equal(err, VB_EFORMAT);
        if (!strstr(e.msg, names[i])) {
            fail_msg("expected %s in: %s", names[i], e.msg);
        }
        assert_int_equal(b.len, 0);
        vb_receipt_free(&r);
        vb_buf_free(&b);
    }
}

/* Strictness: nothing may be missing, added or of another type. */

static vb_err decode_commitment(const vb_buf *b, vb_error *e) {
    vb_err err = vb_commitment_decode(b->data, b->len, &r, e);
    assert_true(!err || (r.request.n_stop_strings == 0 && r.request.sequence == 0));
    vb_receipt_free(&r);
    return err;
}

static vb_err decode_abort(const vb_buf *b, vb_error *e) {
    vb_err err = vb_abort_decode(b->data, b->len, &a, e);
    assert_true(!err || (a.r.request.n_stop_strings == 0 && a.reason == 0));
    vb_abort_free(&a);
    return err;
}

static vb_err decode_prompt(const vb_buf *b, vb_error *e) {
    vb_receipt_prompt p;
    vb_err err = vb_prompt_file_decode(b->data, b->len, &p, e);
    assert_true(!err || (!p.tokens && !p.messages && !p.text.p));
    vb_receipt_prompt_free(&p);
    return err;
}

typedef vb_err decode_function(const vb_buf *b, vb_error *e);

/* An object as constraint is the one change that leaves a good form. */
static void assert_refused(const vb_buf *changed, const char *what, void *user) {
    vb_error e = {0};
    decode_function *const *decode = user;
    if (strcmp(what, "request.constraint {}") == 0) {
        assert_int_equal((*decode)(changed, NULL), VB_OK);
    } else if (!(*decode)(changed, &e) || !e.msg[0]) {
        fail_msg("%s: %s", what, e.msg[0] ? e.msg : "accepted");
    }
}

static void every_change_of_form_is_refused(void **state) {
    static const struct {
        encode_function *encode;
        decode_function *decode;
        size_t n_changes;
    } records[] = {
        {vb_commitment_encode, decode_commitment, 266},
        {encode_abort, decode_abort, 284},
        {vb_prompt_file_encode, decode_prompt, 106},
    };
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        vb_buf b = encoded(records[i].encode, VB_MODE_LOCAL);
        decode_function *decode = records[i].decode;
        assert_int_equal(decode(&b, NULL), VB_OK);
        assert_int_equal(each_change(&b, assert_refused, &decode), records[i].n_changes);
        vb_buf cut = {b.data, b.len - 1, b.cap, b.max};
        assert_int_equal(decode(&cut, NULL), VB_EFORMAT);
        assert_int_equal(vb_buf_append(&b, "\n", 1), VB_OK);
        assert_int_equal(decode(&b, NULL), VB_EFORMAT);
        vb_buf_free(&b);
    }
}

/* path, JSON text, what the message must name */
static const char *const bad_aborts[][3] = {
    {"aborted_at_ms", "\"1763834000122\"", "aborted_at_ms"}, /* before issued_at_ms */
    {"aborted_at_ms", "\"253402300800000\"", "aborted_at_ms"},
    {"aborted_at_ms", "\"01763834005000\"", "aborted_at_ms"},
    {"aborted_at_ms", "1763834005000", "aborted_at_ms"},
    {"reason", "\"Lost\"", "reason"},
    {"reason", "\"\"", "reason"},
    {"reason", "\"lost\\u0000\"", "reason"},
    {"reason", "\"a reason that is longer than any\"", "reason"},
    {"signature", "\"00\"", "signature"},
    {"commitment.value", "\"00\"", "commitment.value"},
    {"commitment.value", "\"000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F\"",
     "commitment.value"},
    {"request.sequence", "\"0\"", "request.sequence"},
    {"request.issued_at_ms", "\"1763834005001\"", "aborted_at_ms"},
    {"request.beacon.mode", "\"fixed\"", "request.beacon.round"},
    {"format", "\"verbatim.commitment/1\"", "format"},
    {"format", "\"verbatim.abort/01\"", "format"},
};

static void refusals_name_the_member(void **state) {
    vb_buf b = encoded(encode_abort, VB_MODE_LOCAL);
    (void)state;
    for (size_t i = 0; i < sizeof bad_aborts / sizeof bad_aborts[0]; i++) {
        vb_error e = {0};
        vb_buf changed = with_path(&b, bad_aborts[i][0], bad_aborts[i][1]);
        if (!decode_abort(&changed, &e) || !strstr(e.msg, bad_aborts[i][2])) {
            fail_msg("%s = %s: %s", bad_aborts[i][0], bad_aborts[i][1],
                     e.msg[0] ? e.msg : "accepted");
        }
        vb_buf_free(&changed);
    }
    vb_buf_free(&b);
}

static void other_versions_are_unsupported(void **state) {
    static const struct {
        encode_function *encode;
        decode_function *decode;
        const char *format, *other;
    } records[] = {
        {vb_commitment_encode, decode_commitment, "\"verbatim.commitment/2\"",
         "\"verbatim.receipt/1\""},
        {encode_abort, decode_abort, "\"verbatim.abort/2\"", "\"verbatim.commitment/1\""},
        {vb_prompt_file_encode, decode_prompt, "\"verbatim.prompt/9\"", "\"verbatim.abort/1\""},
    };
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        vb_buf b = encoded(records[i].encode, VB_MODE_LOCAL);
        vb_buf later = with_path(&b, "format", records[i].format);
        vb_buf other = with_path(&b, "format", records[i].other);
        assert_int_equal(records[i].decode(&later, NULL), VB_EUNSUPPORTED);
        assert_int_equal(records[i].decode(&other, NULL), VB_EFORMAT);
        vb_buf_free(&later);
        vb_buf_free(&other);
        vb_buf_free(&b);
    }
}

static void sizes_are_limited(void **state) {
    char *text = malloc(VB_COMMITMENT_BYTES_MAX + 1);
    (void)state;
    assert_non_null(text);
    memset(text, ' ', VB_COMMITMENT_BYTES_MAX + 1);
    vb_buf b = {(uint8_t *)text, VB_COMMITMENT_BYTES_MAX + 1, 0, 0};
    assert_int_equal(decode_commitment(&b, NULL), VB_ELIMIT);
    assert_int_equal(decode_abort(&b, NULL), VB_ELIMIT);
    free(text);
    b = encoded(vb_commitment_encode, VB_MODE_LOCAL);
    vb_buf small = vb_buf_make(b.len - 1);
    assert_int_equal(vb_commitment_decode(b.data, b.len, &r, NULL), VB_OK);
    assert_int_equal(vb_commitment_encode(&r, &small, NULL), VB_ELIMIT);
    assert_int_equal(small.len, 0);
    vb_receipt_free(&r);
    vb_buf_free(&b);
    vb_buf_free(&small);
}

/* The largest request that is well-formed has a commitment record. */
static void the_largest_request_fits(void **state) {
    vb_ed25519_key *key = sample_key();
    char long_text[VB_STOP_STRING_BYTES_MAX];
    vb_buf b = vb_buf_make(VB_COMMITMENT_BYTES_MAX), c = vb_buf_make(VB_COMMITMENT_BYTES_MAX);
    (void)state;
    sample_request(&r, VB_MODE_LOCAL);
    vb_receipt_request *q = &r.request;
    memset(long_text, 1, sizeof long_text); /* six characters each */
    for (size_t i = 0; i < VB_STOP_STRINGS_MAX; i++) {
        assert_int_equal(vb_text_set(&q->stop_strings[i], long_text, sizeof long_text, NULL),
                         VB_OK);
    }
    q->n_stop_strings = VB_STOP_STRINGS_MAX;
    for (uint32_t i = 0; i < VB_STOP_TOKENS_MAX; i++) {
        q->stop_tokens[i] = VB_MODEL_VOCAB_MAX - VB_STOP_TOKENS_MAX + i;
    }
    q->n_stop_tokens = VB_STOP_TOKENS_MAX;
    for (uint32_t i = 0; i < VB_LOGIT_BIAS_MAX; i++) {
        q->sampling.bias[i] =
            (vb_logit_bias){VB_MODEL_VOCAB_MAX - VB_LOGIT_BIAS_MAX + i, -1.1e-38f};
    }
    q->sampling.n_bias = VB_LOGIT_BIAS_MAX;
    memset(q->nonce, '"', VB_NONCE_BYTES_MAX);
    memset(q->fallback_from, '"', VB_BEACON_ID_BYTES_MAX);
    char *constraint = malloc(VB_CONSTRAINT_BYTES_MAX + 1);
    assert_non_null(constraint);
    memset(constraint, 'x', VB_CONSTRAINT_BYTES_MAX);
    memcpy(constraint, "{\"", 2);
    memcpy(constraint + VB_CONSTRAINT_BYTES_MAX - 4, "\":1}", 4);
    assert_int_equal(vb_text_set(&q->constraint, constraint, VB_CONSTRAINT_BYTES_MAX, NULL), VB_OK);
    free(constraint);
    assert_int_equal(vb_commitment_make(&r, key, NULL), VB_OK);
    assert_int_equal(vb_commitment_encode(&r, &b, NULL), VB_OK);
    assert_int_equal(vb_abort_encode(&r, VB_ABORT_LOST, aborted_at, key, &c, NULL), VB_OK);
    assert_true(b.len > 100000 + VB_CONSTRAINT_BYTES_MAX && c.len < VB_COMMITMENT_BYTES_MAX / 2);
    vb_receipt_free(&r);
    vb_buf_free(&b);
    vb_buf_free(&c);
    vb_ed25519_close(key);
}

/* Forgers */

static void another_key_does_not_abort(void **state) {
    vb_ed25519_key *key = sample_key(), *other;
    vb_buf b = vb_buf_make(1 << 20);
    vb_error e = {0};
    (void)state;
    assert_int_equal(vb_ed25519_generate(&other, NULL), VB_OK);
    sample_receipt(&r, VB_MODE_LOCAL);
    assert_int_equal(vb_abort_encode(&r, VB_ABORT_LOST, aborted_at, other, &b, &e), VB_EMISMATCH);
    assert_non_null(strstr(e.msg, "another key"));
    /* The key of the request, which the commitment is not of. */
    vb_ed25519_public(other, r.request.server_key);
    assert_int_equal(vb_abort_encode(&r, VB_ABORT_LOST, aborted_at, other, &b, &e), VB_EMISMATCH);
    assert_non_null(strstr(e.msg, "commitment.value"));
    assert_int_equal(vb_receipt_commitment(&r, r.commitment, NULL), VB_OK);
    assert_int_equal(vb_abort_encode(&r, VB_ABORT_LOST, aborted_at, other, &b, &e), VB_EMISMATCH);
    assert_non_null(strstr(e.msg, "commitment.signature"));
    assert_int_equal(b.len, 0);
    vb_receipt_free(&r);
    vb_ed25519_close(other);
    vb_ed25519_close(key);
}

static void aborts_are_made_after_the_commitment(void **state) {
    vb_ed25519_key *key = sample_key();
    vb_buf b = vb_buf_make(1 << 20);
    vb_error e = {0};
    (void)state;
    sample_receipt(&r, VB_MODE_LOCAL);
    uint64_t issued = r.request.issued_at_ms;
    assert_int_equal(vb_abort_encode(&r, VB_ABORT_LOST, issued - 1, key, &b, &e), VB_EFORMAT);
    assert_non_null(strstr(e.msg, "aborted_at_ms"));
    assert_int_equal(vb_abort_encode(&r, VB_ABORT_LOST, VB_ISSUED_AT_MS_MAX + 1, key, &b, &e),
                     VB_EFORMAT);
    assert_int_equal(vb_abort_encode(&r, (vb_abort_reason)9, issued, key, &b, &e), VB_EFORMAT);
    assert_int_equal(b.len, 0);
    vb_receipt_free(&r);
    vb_ed25519_close(key);
}

/* What is well-formed and was not signed. */
static void edited_aborts_fail(void **state) {
    static const char *const edits[][2] = {
        {"aborted_at_ms", "\"1763834005001\""},
        {"reason", "\"lost\""},
        {"request.sequence", "\"18\""},
        {"request.nonce", "\"\""},
        {"request.issued_at_ms", "\"1763834000124\""},
        {"request.sampling.temperature", "1"},
        {"request.constraint", "{\"type\":\"json_object\"}"},
        {"commitment.value",
         "\"0000000000000000000000000000000000000000000000000000000000000000\""},
        /* y = 1, a point of small order, and no point at all: keys that sign nothing. */
        {"request.server_key",
         "\"0100000000000000000000000000000000000000000000000000000000000000\""},
        {"request.server_key",
         "\"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff\""},
    };
    vb_buf b = encoded(encode_abort, VB_MODE_LOCAL);
    (void)state;
    for (size_t i = 0; i < sizeof edits / sizeof edits[0]; i++) {
        vb_buf changed = with_path(&b, edits[i][0], edits[i][1]);
        vb_error e = {0};
        assert_int_equal(vb_abort_decode(changed.data, changed.len, &a, &e), VB_OK);
        assert_int_equal(vb_abort_check(&a, &e), VB_EMISMATCH);
        assert_true(e.msg[0] != 0);
        vb_abort_free(&a);
        vb_buf_free(&changed);
    }
    vb_buf_free(&b);
}

/* A commitment whose C is right and whose key can not sign is false, not unknown. */
static void a_key_that_is_none_has_not_signed(void **state) {
    vb_error e = {0};
    (void)state;
    sample_receipt(&r, VB_MODE_LOCAL);
    memset(r.request.server_key, 0, sizeof r.request.server_key);
    assert_int_equal(vb_receipt_commitment(&r, r.commitment, NULL), VB_OK);
    assert_int_equal(vb_commitment_check(&r, &e), VB_EMISMATCH);
    assert_int_equal(e.code, VB_EMISMATCH);
    assert_non_null(strstr(e.msg, "commitment.signature"));
    vb_receipt_free(&r);
}

/* The signature of a receipt, or of a commitment, is not that of an abort. */
static void signatures_are_of_one_thing(void **state) {
    vb_buf b = encoded(encode_abort, VB_MODE_LOCAL);
    (void)state;
    assert_int_equal(vb_abort_decode(b.data, b.len, &a, NULL), VB_OK);
    uint8_t own[64];
    memcpy(own, a.signature, 64);
    memcpy(a.signature, a.r.commitment_signature, 64);
    assert_int_equal(vb_abort_check(&a, NULL), VB_EMISMATCH);
    memcpy(a.signature, own, 64);
    memcpy(a.r.commitment_signature, own, 64);
    assert_int_equal(vb_abort_check(&a, NULL), VB_EMISMATCH);
    vb_abort_free(&a);
    vb_buf_free(&b);
}

static bool commitment_passes(const vb_buf *b, size_t *n_read) {
    bool passes = false;
    if (vb_commitment_decode(b->data, b->len, &r, NULL) == VB_OK) {
        vb_err err = vb_commitment_check(&r, NULL);
        assert_true(err == VB_OK || err == VB_EMISMATCH);
        passes = err == VB_OK;
        ++*n_read;
    }
    vb_receipt_free(&r);
    return passes;
}

static bool abort_passes(const vb_buf *b, size_t *n_read) {
    bool passes = false;
    if (vb_abort_decode(b->data, b->len, &a, NULL) == VB_OK) {
        vb_err err = vb_abort_check(&a, NULL);
        assert_true(err == VB_OK || err == VB_EMISMATCH);
        passes = err == VB_OK;
        ++*n_read;
    }
    vb_abort_free(&a);
    return passes;
}

/* Every bit of every byte, and every other byte one up. */
static void no_changed_byte_passes(void **state) {
    static bool (*const passes[])(const vb_buf *, size_t *) = {commitment_passes, abort_passes};
    static encode_function *const encode[] = {vb_commitment_encode, encode_abort};
    (void)state;
    for (size_t k = 0; k < 2; k++) {
        vb_buf b = encoded(encode[k], VB_MODE_LOCAL);
        size_t n_read = 0;
        assert_true(passes[k](&b, &n_read));
        for (size_t i = 0; i < b.len; i++) {
            uint8_t old = b.data[i];
            for (unsigned m = 0; m < 9; m++) {
                b.data[i] = m < 8 ? old ^ (uint8_t)(1u << m) : (uint8_t)(old + 1);
                if (passes[k](&b, &n_read)) {
                    fail_msg("byte %zu, %02x to %02x, passes", i, old, b.data[i]);
                }
            }
            b.data[i] = old;
        }
        assert_true(n_read > 500); /* of those changed, that many were still well-formed */
        vb_buf_free(&b);
    }
}

static void records_tell_their_kind(void **state) {
    static const struct {
        const char *text;
        vb_record_kind kind;
    } cases[] = {
        {"{\"format\":\"verbatim.receipt/1\"}", VB_RECORD_RECEIPT},
        {"{\"format\":\"verbatim.receipt/2\"}", VB_RECORD_RECEIPT},
        {"{\"a\":[{\"format\":\"verbatim.abort/1\"}],\"format\":\"verbatim.opening/1\"}",
         VB_RECORD_OPENING},
        {"{\"a\":\"\\\"\",\"format\":\"verbatim.round/1\",\"x\":", VB_RECORD_ROUND},
        {"{\"a\":\"\\\\\",\"format\":\"verbatim.abort/1\"}", VB_RECORD_ABORT},
        {"{\"a\":\"\\\"format\\\":\\\"verbatim.abort/1\\\"\"}", VB_RECORD_UNKNOWN},
        {"{\"a\":{\"format\":\"verbatim.abort/1\"}}", VB_RECORD_UNKNOWN},
        {"[\"format\":\"verbatim.prompt/1\"]", VB_RECORD_PROMPT}, /* a hint, nothing more */
        {"{\"format\":\"verbatim.prompt", VB_RECORD_UNKNOWN},
        {"{\"format\":\"verbatim.receipts/1\"}", VB_RECORD_UNKNOWN},
        {"{\"format\":1}", VB_RECORD_UNKNOWN},
        {"{\"format\":\"", VB_RECORD_UNKNOWN},
        {"\"format\":\"verbatim.abort/1\"", VB_RECORD_UNKNOWN},
        {" {\"format\":\"verbatim.abort/1\"}", VB_RECORD_UNKNOWN},
        {"GGUF", VB_RECORD_UNKNOWN},
        {"}}}", VB_RECORD_UNKNOWN},
        {"{\"", VB_RECORD_UNKNOWN},
        {"{\"\\", VB_RECORD_UNKNOWN},
        {"", VB_RECORD_UNKNOWN},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t n = strlen(cases[i].text);
        char *exact = malloc(n ? n : 1); /* a byte read past the end is seen by the sanitizer */
        assert_non_null(exact);
        memcpy(exact, cases[i].text, n);
        if (vb_record_kind_of(exact, n) != cases[i].kind) {
            fail_msg("%s: %d", cases[i].text, (int)vb_record_kind_of(exact, n));
        }
        free(exact);
    }
    vb_buf b = encoded(vb_receipt_encode, VB_MODE_LOCAL);
    assert_int_equal(vb_record_kind_of(b.data, b.len), VB_RECORD_RECEIPT);
    vb_buf_free(&b);
    b = encoded(vb_commitment_encode, VB_MODE_LOCAL);
    assert_int_equal(vb_record_kind_of(b.data, b.len), VB_RECORD_COMMITMENT);
    vb_buf_free(&b);
    b = encoded(encode_abort, VB_MODE_LOCAL);
    assert_int_equal(vb_record_kind_of(b.data, b.len), VB_RECORD_ABORT);
    vb_buf_free(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_the_second_implementation),
        cmocka_unit_test(commitments_round_trip),
        cmocka_unit_test(aborts_round_trip),
        cmocka_unit_test(reasons_have_names),
        cmocka_unit_test(prompts_round_trip),
        cmocka_unit_test(a_private_prompt_is_no_prompt),
        cmocka_unit_test(encoding_refuses_what_decoding_would),
        cmocka_unit_test(every_change_of_form_is_refused),
        cmocka_unit_test(refusals_name_the_member),
        cmocka_unit_test(other_versions_are_unsupported),
        cmocka_unit_test(sizes_are_limited),
        cmocka_unit_test(the_largest_request_fits),
        cmocka_unit_test(another_key_does_not_abort),
        cmocka_unit_test(aborts_are_made_after_the_commitment),
        cmocka_unit_test(edited_aborts_fail),
        cmocka_unit_test(a_key_that_is_none_has_not_signed),
        cmocka_unit_test(signatures_are_of_one_thing),
        cmocka_unit_test(no_changed_byte_passes),
        cmocka_unit_test(records_tell_their_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
