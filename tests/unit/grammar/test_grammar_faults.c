/* Each allocation of compiling, indexing and masking fails in turn: no output comes of it, nothing
 * leaks, and a state goes on afterwards. */
#include "grammar_kit.h"

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

static vb_tokenizer *tokenizer;
static json_t *constraint;

static const char *const constraints[] = {
    "{\"type\":\"json_object\"}",
    "{\"type\":\"choice\",\"texts\":[\"a\",\"b\"]}",
    SCHEMA("{\"anyOf\":[{\"properties\":{\"a\":{\"enum\":[1,{\"k\":[2]}]},\"b\":{\"$ref\":\"#\"}},"
           "\"required\":[\"a\",\"c\"],\"additionalProperties\":{\"type\":\"string\"}},{"
           "\"prefixItems\":[true],\"items\":{\"const\":\"x\"}},{\"properties\":{\"a\":{}}},{"
           "\"type\":[\"null\",\"integer\"]}]}"),
};

/* All of it, up to the first failure. */
static vb_err attempt(void) {
    static uint64_t bits[64];
    vb_grammar *g = NULL;
    vb_vocabulary *v = NULL;
    vb_grammar_state *s = NULL;
    vb_error e = {0};
    vb_err err = vb_grammar_open(constraint, &g, &e);
    assert_int_equal(err != VB_OK, g == NULL);
    if (!err) {
        err = vb_vocabulary_open(tokenizer, &v, &e);
        assert_int_equal(err != VB_OK, v == NULL);
    }
    if (!err) {
        err = vb_grammar_state_open(g, v, &s, &e);
        assert_int_equal(err != VB_OK, s == NULL);
    }
    if (!err) {
        err = vb_grammar_mask(s, vb_tokenizer_size(tokenizer), bits, &e);
        if (err) {
            /* The state is as it was. */
            assert_false(vb_grammar_complete(s));
            assert_int_equal(vb_grammar_mask(s, vb_tokenizer_size(tokenizer), bits, &e), VB_OK);
            err = VB_ENOMEM;
        }
        assert_true(kit_allowed(bits, '{') || kit_allowed(bits, 'a'));
    }
    assert_int_equal(err != VB_OK, e.msg[0] != 0);
    vb_grammar_state_close(s);
    vb_vocabulary_close(v);
    vb_grammar_close(g);
    return err;
}

static void each_allocation(void **state) {
    (void)state;
    tokenizer = kit_tokenizer();
    for (size_t i = 0; i < sizeof constraints / sizeof constraints[0]; i++) {
        vb_error e;
        assert_int_equal(vb_json_parse_foreign(constraints[i], strlen(constraints[i]),
                                               VB_RECEIPT_BYTES_MAX, &constraint, &e),
                         VB_OK);
        long n = 0;
        for (;; n++) {
            until_failure = n;
            const vb_err err = attempt();
            const bool reached = until_failure < 0;
            until_failure = -1;
            if (!reached) {
                assert_int_equal(err, VB_OK);
                break;
            }
            assert_int_equal(err, VB_ENOMEM);
        }
        assert_true(n > 10);
        json_decref(constraint);
    }
    vb_tokenizer_close(tokenizer);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_allocation)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
