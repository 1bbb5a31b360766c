/*
 * Each allocation of a check, and of making a round from a node's answers, fails in turn: the
 * result is VB_ENOMEM, never a judgement of the proof, and nothing leaks. jansson's parser does not
 * tell a failed allocation from a fault of the text: while it reads, its own succeed.
 */
#include "beacon/ethereum.h"
#include "beacon/nist.h"
#include "beacon/theta.h"
#include "unit/beacon/vector_cases.h"

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

typedef vb_err action(const vb_beacon_round *good, const vb_trust *trust, vb_error *e);

static json_t *answers; /* of a node, for the good round */

/* f succeeds in the end; until then each failed allocation is told as what it is. */
static void only_memory_fails(const char *file, action *f, long at_least) {
    json_t *doc = vector_file(file);
    const json_t *c = vector_named(doc, "good");
    vb_beacon_round good = vector_round(c);
    vb_trust *trust = vector_trust(c);
    vb_err err = VB_ENOMEM;
    long nth = 0;
    for (; err; nth++) {
        vb_error e = {0};
        until_failure = nth;
        err = f(&good, trust, &e);
        bool fired = until_failure < 0;
        until_failure = -1;
        if (err != (fired ? VB_ENOMEM : VB_OK) || (err && !e.msg[0])) {
            fail_msg("allocation %ld: %s: %s", nth, vb_err_name(err), e.msg);
        }
    }
    print_message("%s: %ld allocations\n", file, nth - 1);
    assert_true(nth > at_least);
    vb_beacon_round_free(&good);
    vb_trust_free(trust);
    json_decref(doc);
}

static vb_err verify_theta(const vb_beacon_round *good, const vb_trust *trust, vb_error *e) {
    vb_beacon_facts facts;
    return vb_theta_verify(good, trust, &facts, e);
}

static vb_err verify_ethereum(const vb_beacon_round *good, const vb_trust *trust, vb_error *e) {
    vb_beacon_facts facts;
    return vb_ethereum_verify(good, trust, &facts, e);
}

static vb_err verify_nist(const vb_beacon_round *good, const vb_trust *trust, vb_error *e) {
    vb_beacon_facts facts;
    return vb_nist_verify(good, trust, &facts, e);
}

static void checks(void **state) {
    (void)state;
    only_memory_fails("theta.json", verify_theta, 10);
    only_memory_fails("ethereum.json", verify_ethereum, 10);
    only_memory_fails("nist.json", verify_nist, 10);
}

/* The answers of the corpus of fuzz_<kind>, after its first letter. */
static char *corpus_text(const char *path, size_t *n) {
    char *text = (char *)vb_test_read(vb_test_source(path), n);
    assert_true(*n > 1 && text[0] == 'N');
    memmove(text, text + 1, *n); /* its zero byte too */
    *n -= 1;
    return text;
}

static vb_err make_theta(const vb_beacon_round *good, const vb_trust *trust, vb_error *e) {
    vb_beacon_round r;
    (void)trust;
    vb_err err = vb_theta_round("theta:testnet", json_object_get(answers, "block"),
                                json_object_get(answers, "parent"),
                                json_object_get(answers, "child"), &r, e);
    if (!err) {
        assert_true(r.round == good->round);
        vb_beacon_round_free(&r);
    }
    return err;
}

static vb_err make_header(const vb_beacon_round *good, const vb_trust *trust, vb_error *e) {
    vb_buf rlp = vb_buf_make(VB_ETHEREUM_HEADER_BYTES_MAX);
    (void)good;
    (void)trust;
    vb_err err = vb_ethereum_header_rlp(answers, &rlp, e);
    assert_true(!err == (rlp.len > 0));
    vb_buf_free(&rlp);
    return err;
}

static vb_buf headers[8];
static size_t n_headers;

static vb_err make_ethereum(const vb_beacon_round *good, const vb_trust *trust, vb_error *e) {
    vb_beacon_round r;
    (void)trust;
    vb_err err = vb_ethereum_round(good->id, headers, n_headers, &r, e);
    if (!err) {
        assert_string_equal(r.proof, good->proof);
        vb_beacon_round_free(&r);
    }
    return err;
}

static const char *pem;
static size_t n_pem;

static vb_err make_nist(const vb_beacon_round *good, const vb_trust *trust, vb_error *e) {
    vb_beacon_round r;
    (void)trust;
    vb_err err = vb_nist_round(good->id, answers, pem, n_pem, &r, e);
    if (!err) {
        assert_string_equal(r.proof, good->proof);
        vb_beacon_round_free(&r);
    }
    return err;
}

static void take_headers(void) {
    json_t *doc = vector_file("ethereum.json");
    const json_t *round = json_object_get(vector_named(doc, "good"), "round");
    const json_t *array = json_object_get(json_object_get(round, "proof"), "headers"), *v;
    json_array_foreach(array, n_headers, v) {
        uint8_t bytes[VB_ETHEREUM_HEADER_BYTES_MAX];
        size_t n = json_string_length(v) / 2;
        assert_true(n_headers < 8 && vb_hex_decode(json_string_value(v), bytes, n));
        headers[n_headers] = vb_buf_make(n);
        assert_int_equal(vb_buf_append(&headers[n_headers], bytes, n), VB_OK);
    }
    json_decref(doc);
}

static void rounds_from_answers(void **state) {
    size_t n;
    (void)state;
    json_set_alloc_funcs(__wrap_malloc, free); /* jansson's fail too, as it builds the proof */
    char *text = corpus_text("tests/fuzz/beacon/corpus/theta/answers", &n);
    answers = json_loads(text, 0, NULL);
    only_memory_fails("theta.json", make_theta, 30);
    json_decref(answers);
    free(text);
    text = corpus_text("tests/fuzz/beacon/corpus/ethereum/block", &n);
    answers = json_loads(text, 0, NULL);
    only_memory_fails("ethereum.json", make_header, 20);
    json_decref(answers);
    free(text);
    take_headers();
    only_memory_fails("ethereum.json", make_ethereum, 5);
    for (size_t i = 0; i < n_headers; i++) {
        vb_buf_free(&headers[i]);
    }
    text = corpus_text("tests/fuzz/beacon/corpus/nist/answer", &n);
    answers = json_loads(text, 0, NULL);
    pem = text + strlen(text) + 1;
    n_pem = n - strlen(text) - 1;
    only_memory_fails("nist.json", make_nist, 30);
    json_decref(answers);
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(checks),
                                       cmocka_unit_test(rounds_from_answers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
