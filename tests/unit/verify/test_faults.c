/* Each allocation of a verification fails in turn: never VERIFIED, never REFUTED, never a crash. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "unit/receipt/sample_receipt.h"
#include "unit/tokenizer/small_vocab.h"
#include "verify/check.h"
#include "verify/constraint.h"

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);

static long until_failure = -1; /* allocations that still succeed; -1: all */

static bool fails_now(void) {
    return until_failure >= 0 && until_failure-- == 0;
}

void *__wrap_malloc(size_t n) {
    return fails_now() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size) {
    return fails_now() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n) {
    return fails_now() ? NULL : __real_realloc(p, n);
}

static vb_report rep;
static vb_receipt r;

/* True when an allocation failed during f. */
static bool with_failure(long nth, void (*f)(const vb_buf *), const vb_buf *b) {
    until_failure = nth;
    f(b);
    bool fired = until_failure < 0;
    until_failure = -1;
    return fired;
}

static void verify(const vb_buf *b) {
    vb_report_begin(&rep, VB_LEVEL_RECEIPT);
    vb_check_receipt(b->data, b->len, NULL, &r, &rep);
    vb_report_finish(&rep);
}

static void a_failed_allocation_is_no_verdict(void **state) {
    vb_buf b = sample_bytes(VB_MODE_LOCAL);
    long nth = 0;
    (void)state;
    while (with_failure(nth, verify, &b)) {
        assert_int_equal(vb_report_verdict(&rep), VB_VERDICT_UNVERIFIABLE);
        vb_receipt_free(&r);
        nth++;
    }
    assert_int_equal(vb_report_verdict(&rep), VB_VERDICT_VERIFIED);
    assert_true(nth > 100);
    vb_receipt_free(&r);
    vb_buf_free(&b);
}

static vb_vocabulary *vocabulary;

/* As the check `tokens` does it: compiled, held to for a token, and what could not be done said. */
static void hold(const vb_buf *constraint) {
    static const char first[] = "{";
    vb_receipt_request q = {.constraint = {(char *)constraint->data, constraint->len}};
    vb_error e = {VB_OK, ""};
    vb_grammar *g = NULL;
    vb_held *h = NULL;
    const uint64_t *allowed;
    vb_err err = vb_receipt_grammar(&q, &g, &e);
    if (!err &&
        !(err = vb_held_open(g, vocabulary, vb_vocabulary_size(vocabulary), NULL, 0, &h, &e)) &&
        !(err = vb_held_mask(h, &allowed, &e))) {
        err = vb_held_accept(h, (uint32_t)first[0], &e);
    }
    vb_held_close(h);
    vb_grammar_close(g);
    vb_report_begin(&rep, VB_LEVEL_FULL);
    if (err) {
        vb_report_constraint(&rep, VB_CHECK_TOKENS, err, &e);
    }
}

static void a_failed_allocation_is_no_constraint(void **state) {
    static char constraint[] = "{\"schema\":{\"properties\":{\"a\":{\"enum\":[1,\"x\"]}},"
                               "\"required\":[\"a\"]},\"type\":\"json_schema\"}";
    const vb_buf b = {.data = (uint8_t *)constraint, .len = strlen(constraint)};
    vb_buf file = small_bpe("gpt-2", NULL, 0);
    vb_tokenizer *t;
    vb_error e;
    long nth = 0;
    (void)state;
    assert_int_equal(small_open(&file, &t, &e), VB_OK);
    assert_int_equal(vb_vocabulary_open(t, &vocabulary, &e), VB_OK);
    while (with_failure(nth, hold, &b)) {
        assert_int_equal(rep.checks[VB_CHECK_TOKENS].status, VB_CHECK_UNKNOWN);
        assert_int_equal(rep.checks[VB_CHECK_TOKENS].reason, VB_REASON_UNFINISHED);
        nth++;
    }
    assert_int_equal(rep.checks[VB_CHECK_TOKENS].status, VB_CHECK_MISSING);
    assert_true(nth > 20);
    vb_vocabulary_close(vocabulary);
    vb_tokenizer_close(t);
}

static vb_err written;
static vb_buf out;

static void write_both(const vb_buf *b) {
    (void)b;
    out = vb_buf_make(1 << 20);
    written = vb_receipt_encode(&r, &out, NULL);
    if (!written) {
        written = vb_report_write_json(&rep, &out, NULL);
    }
    if (!written) {
        written = vb_report_write_text(&rep, &out, NULL);
    }
}

static void a_failed_allocation_is_no_output(void **state) {
    vb_buf b = sample_bytes(VB_MODE_FIXED);
    long nth = 0;
    (void)state;
    verify(&b);
    while (with_failure(nth, write_both, &b)) {
        assert_int_not_equal(written, VB_OK);
        vb_buf_free(&out);
        nth++;
    }
    assert_int_equal(written, VB_OK);
    assert_true(nth > 100);
    vb_buf_free(&out);
    vb_receipt_free(&r);
    vb_buf_free(&b);
}

static void *json_malloc(size_t n) {
    return __wrap_malloc(n);
}

static void json_free(void *p) {
    free(p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failed_allocation_is_no_verdict),
        cmocka_unit_test(a_failed_allocation_is_no_output),
        cmocka_unit_test(a_failed_allocation_is_no_constraint),
    };
    json_set_alloc_funcs(json_malloc, json_free); /* a shared library: --wrap does not reach it */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
