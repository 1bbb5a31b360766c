/* Each allocation of each record's writing, reading and checking fails in turn: no output, no
 * record and no verdict come of it, and nothing leaks. */
#include <jansson.h>

#include "receipt/opening.h"
#include "receipt/records.h"
#include "receipt/theta_section.h"
#include "unit/receipt/sample_receipt.h"

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

static vb_receipt source, template_source, r;
static vb_abort a;
static vb_ed25519_key *key;
static vb_buf receipt, commitment, abort_record, prompt, template_prompt, opening;

typedef vb_err attempt(vb_buf *out);

static vb_err write_receipt(vb_buf *out) {
    return vb_receipt_encode(&source, out, NULL);
}

static vb_err commit(vb_buf *out) {
    (void)out;
    return vb_commitment_make(&source, key, NULL);
}

static vb_err write_commitment(vb_buf *out) {
    return vb_commitment_encode(&source, out, NULL);
}

static vb_err write_abort(vb_buf *out) {
    return vb_abort_encode(&source, VB_ABORT_FAILED, 1763834005000u, key, out, NULL);
}

static vb_err write_prompt(vb_buf *out) {
    return vb_prompt_file_encode(&source, out, NULL);
}

static vb_err write_template_prompt(vb_buf *out) {
    return vb_prompt_file_encode(&template_source, out, NULL);
}

static vb_err write_opening(vb_buf *out) {
    static float logits[] = {1.0f, 2.0f};
    static uint8_t path[1][32];
    vb_opening o = {.logits = logits, .n_logits = 2, .path = path, .n_path = 1, .rank = 1};
    return vb_opening_encode(&o, out, NULL);
}

static vb_err read_receipt(vb_buf *out) {
    (void)out;
    vb_err err = vb_receipt_decode(receipt.data, receipt.len, &r, NULL);
    assert_true(!err || (!r.request.constraint.p && !r.outputs));
    vb_receipt_free(&r);
    return err;
}

static vb_err read_commitment(vb_buf *out) {
    (void)out;
    vb_err err = vb_commitment_decode(commitment.data, commitment.len, &r, NULL);
    if (!err) {
        err = vb_commitment_check(&r, NULL);
    }
    vb_receipt_free(&r);
    return err;
}

static vb_err read_abort(vb_buf *out) {
    (void)out;
    vb_err err = vb_abort_decode(abort_record.data, abort_record.len, &a, NULL);
    if (!err) {
        err = vb_abort_check(&a, NULL);
    }
    vb_abort_free(&a);
    return err;
}

static vb_err read_prompt(vb_buf *out) {
    vb_receipt_prompt p;
    (void)out;
    vb_err err = vb_prompt_file_decode(prompt.data, prompt.len, &p, NULL);
    vb_receipt_prompt_free(&p);
    return err;
}

static vb_err read_template_prompt(vb_buf *out) {
    vb_receipt_prompt p;
    (void)out;
    vb_err err = vb_prompt_file_decode(template_prompt.data, template_prompt.len, &p, NULL);
    assert_true(!err || (!p.tokens && !p.text.p));
    vb_receipt_prompt_free(&p);
    return err;
}

static vb_err read_opening(vb_buf *out) {
    vb_opening o;
    (void)out;
    vb_err err = vb_opening_decode(opening.data, opening.len, &o, NULL);
    vb_opening_free(&o);
    return err;
}

static vb_err write_section(vb_buf *out) {
    return vb_theta_section_append(&source, source.commitment, out, NULL);
}

/* A true record is never called false for want of memory, and one that is only
 * read (a check writes it again) never malformed. */
static void fail_each(attempt *f, bool reads, long at_least) {
    long nth = 0;
    for (;; nth++) {
        vb_buf out = vb_buf_make(1 << 20);
        until_failure = nth;
        vb_err err = f(&out);
        bool fired = until_failure < 0;
        until_failure = -1;
        assert_int_not_equal(err, VB_EMISMATCH);
        if (fired) {
            assert_int_not_equal(err, VB_OK);
            assert_true(!reads || err == VB_ENOMEM);
            assert_int_equal(out.len, 0);
        }
        vb_buf_free(&out);
        if (!fired) {
            assert_int_equal(err, VB_OK);
            break;
        }
    }
    assert_true(nth >= at_least);
}

static void writing(void **state) {
    (void)state;
    fail_each(write_receipt, false, 200);
    fail_each(commit, false, 100);
    fail_each(write_commitment, false, 100);
    fail_each(write_abort, false, 300);
    fail_each(write_prompt, false, 40);
    fail_each(write_template_prompt, false, 40);
    fail_each(write_opening, false, 40);
}

static void reading(void **state) {
    (void)state;
    fail_each(read_receipt, true, 100);
    fail_each(read_commitment, false, 100);
    fail_each(read_abort, false, 100);
    fail_each(read_prompt, true, 20);
    fail_each(read_template_prompt, true, 20);
    fail_each(read_opening, true, 20);
}

static void writing_a_section(void **state) {
    static const char proof[] =
        "{\"hash\":\"0000000000000000000000000000000000000000000000000000000000000000\","
        "\"timestamp\":\"1\"}";
    char preimage[100];
    (void)state;
    memset(preimage, '0', 66);
    memcpy(preimage, "0x", 2);
    memcpy(preimage + 66, "51", 2); /* height 5, timestamp 1 */
    vb_sha256_of(preimage, 68, source.beacon.randomness);
    memset(source.beacon.id, 0, sizeof source.beacon.id);
    memcpy(source.beacon.id, "theta:mainnet", 14);
    source.beacon.proof = strdup(proof);
    fail_each(write_section, false, 10);
}

static int prepare(void **state) {
    (void)state;
    key = sample_key();
    sample_request(&source, VB_MODE_LOCAL);
    sample_constraint(&source);
    sample_answer(&source, key);
    sample_request(&template_source, VB_MODE_LOCAL);
    sample_template_prompt(&template_source);
    receipt = commitment = abort_record = prompt = template_prompt = opening = vb_buf_make(1 << 20);
    return write_receipt(&receipt) || write_commitment(&commitment) || write_abort(&abort_record) ||
           write_prompt(&prompt) || write_template_prompt(&template_prompt) ||
           write_opening(&opening);
}

static int clean_up(void **state) {
    (void)state;
    vb_receipt_free(&source);
    vb_receipt_free(&template_source);
    vb_buf_free(&receipt);
    vb_buf_free(&commitment);
    vb_buf_free(&abort_record);
    vb_buf_free(&prompt);
    vb_buf_free(&template_prompt);
    vb_buf_free(&opening);
    vb_ed25519_close(key);
    return 0;
}

static void *json_malloc(size_t n) {
    return __wrap_malloc(n);
}

static void json_free(void *p) {
    free(p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writing),
        cmocka_unit_test(reading),
        cmocka_unit_test(writing_a_section),
    };
    json_set_alloc_funcs(json_malloc, json_free); /* a shared library: --wrap does not reach it */
    return cmocka_run_group_tests(tests, prepare, clean_up);
}
