/* Base64 as RFC 4648 has it, and openings: one text for one opening, and nothing else is read. */
#include "receipt/opening.h"

#include <math.h>

#include "receipt/base64.h"
#include "unit/receipt/change.h"
#include "unit/receipt/sample_receipt.h"

static void base64_of_the_rfc(void **state) {
    static const char *const cases[][2] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
        {"\xfb\xff\xbf", "+/+/"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t n = strlen(cases[i][0]), n_text = strlen(cases[i][1]), n_out = 99;
        char text[16];
        uint8_t out[16];
        assert_int_equal(vb_base64_chars(n), n_text);
        vb_base64_encode((const uint8_t *)cases[i][0], n, text);
        assert_string_equal(text, cases[i][1]);
        assert_true(vb_base64_decode(text, n_text, out, &n_out));
        assert_int_equal(n_out, n);
        assert_memory_equal(out, cases[i][0], n);
    }
}

static void only_canonical_base64_is_read(void **state) {
    static const char *const bad[] = {
        "Z",      "Zg",    "Zg=",      "Zh==", "Zm9=", "Zg=g", "====",     "Z===",     "Zg==Zg==",
        "Zm9v\n", "Zm9v=", "Zm9v====", "Zm 9", "Zm-_", "=m9v", "Zm9vZg=a", "Zm8=Zm8=", "Zm9*"};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint8_t out[16];
        size_t n_out = 99;
        if (vb_base64_decode(bad[i], strlen(bad[i]), out, &n_out)) {
            fail_msg("accepted: %s", bad[i]);
        }
        assert_int_equal(n_out, 99);
    }
}

/* What is read is written in the same way. */
static void base64_is_one_to_one(void **state) {
    uint64_t seed = 5;
    int n_read = 0;
    (void)state;
    for (int i = 0; i < 200000; i++) {
        static const char some[] = "AQgw+/9=Zb";
        uint64_t v = vb_test_random(&seed);
        char text[9], again[9];
        uint8_t out[6];
        size_t n_out;
        for (int k = 0; k < 8; k++) {
            text[k] = some[(v >> 8 * k & 255) % (sizeof some - 1)];
        }
        text[8] = 0;
        if (vb_base64_decode(text, 8, out, &n_out)) {
            vb_base64_encode(out, n_out, again);
            assert_string_equal(again, text);
            n_read++;
        }
    }
    assert_true(n_read > 1000);
}

static vb_buf golden_bytes(void) {
    vb_buf b = vb_buf_make(1 << 20);
    size_t n;
    uint8_t *bytes = vb_test_read(vb_test_source("tests/unit/receipt/record_opening.json"), &n);
    assert_int_equal(vb_buf_append(&b, bytes, n), VB_OK);
    free(bytes);
    return b;
}

static void equals_the_second_implementation(void **state) {
    static float logits[] = {0.0f, -1.5f, 3.25f};
    uint8_t path[2][32];
    vb_receipt *r = malloc(sizeof *r);
    vb_opening o = {.position = 1,
                    .token = 1,
                    .logits = logits,
                    .n_logits = 3,
                    .path = path,
                    .n_path = 2,
                    .logit = -1.5f,
                    .rank = 3,
                    .weight = 9007199254740993u,
                    .total = 18446744073709551615u};
    vb_buf b = vb_buf_make(1 << 20), expected = golden_bytes();
    (void)state;
    assert_non_null(r);
    sample_receipt(r, VB_MODE_LOCAL);
    assert_int_equal(vb_receipt_verification_hash(r, o.receipt, NULL), VB_OK);
    vb_trace_leaf(0, 2, logits, 3, path[0]);
    vb_trace_leaf(2, 0, logits, 3, path[1]);
    assert_int_equal(vb_opening_encode(&o, &b, NULL), VB_OK);
    assert_string_equal((char *)b.data, (char *)expected.data);
    vb_receipt_free(r);
    free(r);
    vb_buf_free(&b);
    vb_buf_free(&expected);
}

static void every_bit_of_a_logit_comes_back(void **state) {
    /* -0, the smallest and the largest, and numbers that are short in no base */
    static float logits[] = {-0.0f,           0x1p-149f,        -0x1p-149f,
                             0x1.fffffep127f, -0x1.fffffep127f, -0x1p53f};
    vb_opening o = {.choice = VB_CHOICES_MAX - 1,
                    .position = VB_MODEL_CTX_TOKENS_MAX - 1,
                    .token = 5,
                    .logits = logits,
                    .n_logits = 6,
                    .logit = -0x1p53f,
                    .rank = 6};
    vb_opening back;
    vb_buf b = vb_buf_make(1 << 20);
    (void)state;
    assert_int_equal(vb_opening_encode(&o, &b, NULL), VB_OK);
    assert_int_equal(vb_opening_decode(b.data, b.len, &back, NULL), VB_OK);
    assert_int_equal(back.n_logits, 6);
    assert_memory_equal(back.logits, logits, sizeof logits);
    assert_int_equal(back.choice, VB_CHOICES_MAX - 1);
    assert_int_equal(back.position, VB_MODEL_CTX_TOKENS_MAX - 1);
    assert_int_equal(back.n_path, 0);
    assert_int_equal(back.weight, 0);
    vb_opening_free(&back);
    vb_buf_free(&b);
}

static void the_largest_opening_fits(void **state) {
    const size_t n = VB_MODEL_VOCAB_MAX;
    vb_opening o = {.logits = malloc(n * sizeof(float)),
                    .n_logits = n,
                    .token = (uint32_t)n - 1,
                    .path = calloc(VB_TRACE_PROOF_MAX, 32),
                    .n_path = VB_TRACE_PROOF_MAX,
                    .rank = n};
    vb_opening back;
    vb_buf b = vb_buf_make(VB_OPENING_BYTES_MAX);
    uint64_t seed = 3;
    (void)state;
    assert_non_null(o.logits);
    assert_non_null(o.path);
    for (size_t i = 0; i < n; i++) {
        o.logits[i] = (float)(int64_t)vb_test_random(&seed);
    }
    assert_int_equal(vb_opening_encode(&o, &b, NULL), VB_OK);
    assert_int_equal(vb_opening_decode(b.data, b.len, &back, NULL), VB_OK);
    assert_memory_equal(back.logits, o.logits, n * sizeof(float));
    vb_opening_free(&back);
    vb_opening_free(&o);
    vb_buf_free(&b);
}

static vb_err decode(const vb_buf *b, vb_error *e) {
    vb_opening o;
    vb_err err = vb_opening_decode(b->data, b->len, &o, e);
    assert_true(!err || (!o.logits && !o.path && o.n_logits == 0));
    vb_opening_free(&o);
    return err;
}

static void assert_refused(const vb_buf *changed, const char *what, void *user) {
    vb_error e = {0};
    (void)user;
    if (!decode(changed, &e) || !e.msg[0]) {
        fail_msg("%s: %s", what, e.msg[0] ? e.msg : "accepted");
    }
}

static void every_change_of_form_is_refused(void **state) {
    vb_buf b = golden_bytes();
    (void)state;
    assert_int_equal(decode(&b, NULL), VB_OK);
    assert_int_equal(each_change(&b, assert_refused, NULL), 1 + 11 + 13 * 5);
    vb_buf cut = {b.data, b.len - 1, b.cap, b.max};
    assert_int_equal(decode(&cut, NULL), VB_EFORMAT);
    assert_int_equal(vb_buf_append(&b, " ", 1), VB_OK);
    assert_int_equal(decode(&b, NULL), VB_EFORMAT);
    vb_buf_free(&b);
}

/* path, JSON text, what the message must name */
static const char *const bad[][3] = {
    {"choice", "128", "choice"},
    {"choice", "-1", "choice"},
    {"choice", "0.5", "choice"},
    {"position", "4194304", "position"},
    {"token", "3", "token"},
    {"rank", "0", "rank"},
    {"rank", "4", "rank"},
    {"receipt", "\"00\"", "receipt"},
    {"logit", "0.1", "logit"}, /* not an f32 */
    {"logit", "1e+39", "logit"},
    {"logit", "1.2676506002282294e+30", "logit"},
    {"weight", "\"-1\"", "weight"},
    {"weight", "\"18446744073709551616\"", "weight"},
    {"total", "\"007\"", "total"},
    {"logits", "\"\"", "logits"},
    {"logits", "\"AAAA\"", "logits"},     /* three bytes */
    {"logits", "\"AAAAAAA=\"", "logits"}, /* five */
    {"logits", "\"AAAAAA=\"", "logits"},  /* not padded to four characters */
    {"logits", "\"AAAAAB==\"", "logits"}, /* a bit that stands for nothing */
    {"logits", "\"AAAA\\nAAA=\"", "logits"},
    {"logits", "\"AAAAAA==\\u0000\"", "logits"},
    {"logits", "\"AACAfw==\"", "logits: item 0"}, /* an infinity */
    {"logits", "\"AAAAAAAAgP8=\"", "logits: item 1"},
    {"logits", "\"AQCAfw==\"", "logits: item 0"}, /* a NaN */
    {"logits", "\"////fw==\"", "logits: item 0"},
    {"path", "[\"00\"]", "path: item 0"},
    {"path",
     "[\"0000000000000000000000000000000000000000000000000000000000000000\","
     "\"000000000000000000000000000000000000000000000000000000000000000A\"]",
     "path: item 1"},
    {"path", "[\"000000000000000000000000000000000000000000000000000000000000000\\u0000\"]",
     "path: item 0"},
    {"format", "\"verbatim.receipt/1\"", "format"},
};

static void refusals_name_the_member(void **state) {
    vb_buf b = golden_bytes();
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        vb_error e = {0};
        vb_buf changed = with_path(&b, bad[i][0], bad[i][1]);
        if (!decode(&changed, &e) || !strstr(e.msg, bad[i][2])) {
            fail_msg("%s = %s: %s", bad[i][0], bad[i][1], e.msg[0] ? e.msg : "accepted");
        }
        vb_buf_free(&changed);
    }
    vb_buf later = with_path(&b, "format", "\"verbatim.opening/2\"");
    assert_int_equal(decode(&later, NULL), VB_EUNSUPPORTED);
    vb_buf_free(&later);
    vb_buf_free(&b);
}

static void a_path_has_at_most_64_hashes(void **state) {
    vb_buf b = golden_bytes();
    json_t *doc = document(&b);
    (void)state;
    for (size_t n = 3; n <= VB_TRACE_PROOF_MAX + 1; n++) {
        json_t *path = json_object_get(doc, "path");
        vb_error e = {0};
        assert_int_equal(json_array_append(path, json_array_get(path, 0)), 0);
        vb_buf longer = canonical(doc);
        assert_int_equal(decode(&longer, &e), n <= VB_TRACE_PROOF_MAX ? VB_OK : VB_EFORMAT);
        vb_buf_free(&longer);
    }
    json_decref(doc);
    vb_buf_free(&b);
}

static void sizes_are_limited(void **state) {
    const size_t n_text = vb_base64_chars(4 * ((size_t)VB_MODEL_VOCAB_MAX + 1));
    vb_buf b = golden_bytes();
    json_t *doc = document(&b);
    char *text = malloc(n_text + 1);
    vb_error e = {0};
    (void)state;
    assert_non_null(text);
    memset(text, 'A', n_text);
    text[n_text] = 0;
    assert_int_equal(json_object_set_new(doc, "logits", json_string(text)), 0);
    vb_buf longer = canonical(doc);
    assert_int_equal(decode(&longer, &e), VB_EFORMAT);
    assert_non_null(strstr(e.msg, "logits"));
    vb_buf_free(&longer);
    json_decref(doc);
    free(text);
    uint8_t *spaces = malloc(VB_OPENING_BYTES_MAX + 1);
    assert_non_null(spaces);
    memset(spaces, ' ', VB_OPENING_BYTES_MAX + 1);
    vb_buf large = {spaces, VB_OPENING_BYTES_MAX + 1, 0, 0};
    assert_int_equal(decode(&large, NULL), VB_ELIMIT);
    free(spaces);
    vb_buf_free(&b);
}

/* What a reader would refuse is not written. */
static void encoding_refuses_what_decoding_would(void **state) {
    (void)state;
    for (int i = 0; i < 9; i++) {
        float logits[] = {1.0f, 2.0f};
        vb_opening o = {.logits = logits, .n_logits = 2, .rank = 1};
        vb_buf b = vb_buf_make(i == 8 ? 100 : 1 << 20);
        vb_error e = {0};
        const char *name = "";
        switch (i) {
        case 0: o.token = 2, name = "token"; break;
        case 1: o.rank = 3, name = "rank"; break;
        case 2: logits[1] = NAN, name = "logits"; break;
        case 3: o.logit = INFINITY, name = "logit"; break;
        case 4: o.choice = VB_CHOICES_MAX, name = "choice"; break;
        case 5: o.logit = 0x1.000002p53f, name = "2^53"; break;
        case 6: o.logit = -0x1p100f, name = "logit"; break;
        case 7: o.position = UINT64_MAX, name = "position"; break;
        default: name = "does not fit"; break;
        }
        assert_int_not_equal(vb_opening_encode(&o, &b, &e), VB_OK);
        if (!strstr(e.msg, name)) {
            fail_msg("expected %s in: %s", name, e.msg);
        }
        assert_int_equal(b.len, 0);
        vb_buf_free(&b);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base64_of_the_rfc),
        cmocka_unit_test(only_canonical_base64_is_read),
        cmocka_unit_test(base64_is_one_to_one),
        cmocka_unit_test(equals_the_second_implementation),
        cmocka_unit_test(every_bit_of_a_logit_comes_back),
        cmocka_unit_test(the_largest_opening_fits),
        cmocka_unit_test(every_change_of_form_is_refused),
        cmocka_unit_test(refusals_name_the_member),
        cmocka_unit_test(a_path_has_at_most_64_hashes),
        cmocka_unit_test(sizes_are_limited),
        cmocka_unit_test(encoding_refuses_what_decoding_would),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
