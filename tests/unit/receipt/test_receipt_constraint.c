/* The member request.constraint: what is kept of it, what C says of it, and its limits, at the
 * reader and before the commitment. */
#include "receipt/records.h"
#include "unit/receipt/change.h"
#include "unit/receipt/sample_receipt.h"

static vb_receipt r; /* large: off the stack */

static void set_constraint(const char *text, size_t n) {
    assert_int_equal(vb_text_set(&r.request.constraint, text, n, NULL), VB_OK);
}

/* A receipt that is held to a constraint. */
static vb_buf held(void) {
    vb_ed25519_key *key = sample_key();
    vb_buf b = vb_buf_make(VB_RECEIPT_BYTES_MAX);
    vb_error e = {0};
    sample_request(&r, VB_MODE_LOCAL);
    sample_constraint(&r);
    sample_answer(&r, key);
    if (vb_receipt_encode(&r, &b, &e)) {
        fail_msg("%s", e.msg);
    }
    vb_receipt_free(&r);
    vb_ed25519_close(key);
    return b;
}

static void it_is_given_back(void **state) {
    vb_buf b = held();
    (void)state;
    assert_int_equal(vb_receipt_decode(b.data, b.len, &r, NULL), VB_OK);
    assert_int_equal(r.request.constraint.len, sizeof SAMPLE_CONSTRAINT - 1);
    assert_string_equal(r.request.constraint.p, SAMPLE_CONSTRAINT);
    assert_int_equal(vb_commitment_check(&r, NULL), VB_OK);
    vb_receipt_make_private(&r);
    assert_non_null(r.request.constraint.p);
    vb_receipt_free(&r);
    assert_null(r.request.constraint.p);
    vb_buf_free(&b);
}

/* The digest of every request differs from that of the same request with another constraint. */
static void the_commitment_is_to_it(void **state) {
    static const char *const texts[] = {"{}", "{\"type\":\"json_object\"}", SAMPLE_CONSTRAINT};
    enum { N = sizeof texts / sizeof texts[0] };
    uint8_t c[N + 1][VB_SHA256_BYTES];
    (void)state;
    sample_request(&r, VB_MODE_LOCAL);
    assert_int_equal(vb_receipt_commitment(&r, c[N], NULL), VB_OK);
    for (size_t i = 0; i < N; i++) {
        set_constraint(texts[i], strlen(texts[i]));
        assert_int_equal(vb_receipt_commitment(&r, c[i], NULL), VB_OK);
    }
    for (size_t i = 0; i <= N; i++) {
        for (size_t j = 0; j < i; j++) {
            assert_memory_not_equal(c[i], c[j], VB_SHA256_BYTES);
        }
    }
    vb_receipt_free(&r);

    vb_buf b = held(), other = with_path(&b, "request.constraint", "{\"type\":\"json_object\"}");
    vb_buf none = with_path(&b, "request.constraint", "null");
    const vb_buf *const forged[] = {&other, &none};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(vb_receipt_decode(forged[i]->data, forged[i]->len, &r, NULL), VB_OK);
        assert_int_equal(vb_commitment_check(&r, NULL), VB_EMISMATCH);
        vb_receipt_free(&r);
    }
    vb_buf_free(&b);
    vb_buf_free(&other);
    vb_buf_free(&none);
}

/* Objects in arrays in objects, so deep in all. The text is the caller's to free. */
static char *nested(unsigned depth) {
    vb_buf text = vb_buf_make(1024);
    for (unsigned i = 0; i < depth; i++) {
        const char *opening = i % 2 ? "[" : i + 1 < depth ? "{\"a\":" : "{";
        assert_int_equal(vb_buf_append(&text, opening, strlen(opening)), VB_OK);
    }
    for (unsigned i = depth; i-- > 0;) {
        assert_int_equal(vb_buf_append(&text, i % 2 ? "]" : "}", 1), VB_OK);
    }
    return (char *)text.data;
}

/* An object of so many bytes; the same. */
static char *sized(size_t n_bytes) {
    char *text = malloc(n_bytes + 1);
    assert_non_null(text);
    memset(text, 'x', n_bytes);
    memcpy(text, "{\"", 2);
    memcpy(text + n_bytes - 4, "\":1}", 5);
    return text;
}

/* What vb_commitment_make and vb_receipt_decode say of a constraint. */
static void assert_outcomes(const char *text, vb_err made, vb_err read, const char *message) {
    vb_ed25519_key *key = sample_key();
    vb_buf out = vb_buf_make(VB_RECEIPT_BYTES_MAX), b = sample_bytes(VB_MODE_LOCAL);
    vb_error e = {0};
    sample_request(&r, VB_MODE_LOCAL);
    set_constraint(text, strlen(text));
    assert_int_equal(vb_commitment_make(&r, key, &e), made);
    if (made && (!strstr(e.msg, "request.constraint: ") || !strstr(e.msg, message))) {
        fail_msg("%s", e.msg);
    }
    assert_int_equal(vb_request_encode(&r.request, &out, NULL), made);
    assert_true(!made || out.len == 0);
    assert_int_equal(vb_commitment_encode(&r, &out, NULL), made);
    vb_receipt_free(&r);

    /* Written by hand: the canonical writer has the same limits. */
    const char *place = strstr((const char *)b.data, "\"constraint\":null");
    assert_non_null(place);
    const size_t before = (size_t)(place - (const char *)b.data) + strlen("\"constraint\":");
    vb_buf written = vb_buf_make(VB_RECEIPT_BYTES_MAX);
    assert_int_equal(vb_buf_append(&written, b.data, before), VB_OK);
    assert_int_equal(vb_buf_append(&written, text, strlen(text)), VB_OK);
    assert_int_equal(vb_buf_append(&written, b.data + before + 4, b.len - before - 4), VB_OK);
    assert_int_equal(vb_receipt_decode(written.data, written.len, &r, NULL), read);
    vb_receipt_free(&r);
    vb_buf_free(&written);
    vb_buf_free(&b);
    vb_buf_free(&out);
    vb_ed25519_close(key);
}

static void its_nesting_is_limited(void **state) {
    (void)state;
    for (unsigned depth = 1; depth <= VB_CONSTRAINT_DEPTH_MAX; depth++) {
        char *text = nested(depth);
        assert_outcomes(text, VB_OK, VB_OK, "");
        free(text);
    }
    for (unsigned more = 1; more <= 3; more++) { /* the strict reader's own limit too */
        char *text = nested(VB_CONSTRAINT_DEPTH_MAX + more);
        assert_outcomes(text, VB_ELIMIT, VB_ELIMIT, "nested deeper than 3");
        free(text);
    }
}

static void its_size_is_limited(void **state) {
    (void)state;
    char *text = sized(VB_CONSTRAINT_BYTES_MAX);
    assert_outcomes(text, VB_OK, VB_OK, "");
    free(text);
    text = sized(VB_CONSTRAINT_BYTES_MAX + 1);
    assert_outcomes(text, VB_ELIMIT, VB_ELIMIT, "at most 262144");
    free(text);
}

/* Only what a reader would give back is committed to. */
static void other_texts_are_not_committed_to(void **state) {
    static const char *const texts[] = {
        "",
        " {}",
        "{} ",
        "{}{}",
        "null",
        "[]",
        "1",
        "\"{}\"",
        "{",
        "{\"b\":1,\"a\":1}",
        "{\"a\":1.0}",
        "{\"a\":9007199254740994}",
        "{\"a\":1,\"a\":1}",
        "{\"\\u0061\":1}",
        "{\"a\\u0000\":1}",
        "{\"a\":\"\\ud800\"}",
    };
    vb_ed25519_key *key = sample_key();
    (void)state;
    sample_request(&r, VB_MODE_LOCAL);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        const uint8_t zero[VB_SHA256_BYTES] = {0};
        vb_error e = {0};
        set_constraint(texts[i], strlen(texts[i]));
        if (vb_commitment_make(&r, key, &e) != VB_EFORMAT ||
            !strstr(e.msg, "request.constraint: ")) {
            fail_msg("%s: %s", texts[i], e.msg[0] ? e.msg : "accepted");
        }
        assert_memory_equal(r.commitment, zero, sizeof zero);
    }
    vb_receipt_free(&r);
    vb_ed25519_close(key);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_given_back),
        cmocka_unit_test(the_commitment_is_to_it),
        cmocka_unit_test(its_nesting_is_limited),
        cmocka_unit_test(its_size_is_limited),
        cmocka_unit_test(other_texts_are_not_committed_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
