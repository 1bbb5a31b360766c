/* Calls of contracts: the ABI specification's own examples, limits, and what is read of results. */
#include <string.h>

#include "chain/abi.h"
#include "chain/verdict.h"
#include "support/testing.h"

static void check_hex(const vb_buf *b, const char *expected) {
    vb_buf hex = vb_buf_make(4096);
    for (size_t i = 0; i < b->len; i++) {
        assert_int_equal(vb_buf_printf(&hex, "%02x", b->data[i]), VB_OK);
    }
    assert_string_equal((const char *)hex.data, expected);
    vb_buf_free(&hex);
}

#define WORD_0 "00000000000000000000000000000000000000000000000000000000000000"

/* sam("dave", true, [1,2,3]) */
static void specification(void **state) {
    (void)state;
    vb_abi_call c;
    vb_buf out = vb_buf_make(4096);
    uint8_t words[3][VB_ABI_WORD_BYTES] = {{0}};
    for (size_t i = 0; i < 3; i++) {
        words[i][31] = (uint8_t)(i + 1);
    }
    vb_abi_begin(&c, 3);
    vb_abi_bytes(&c, "dave", 4);
    vb_abi_uint(&c, 1);
    vb_abi_words(&c, (const uint8_t(*)[VB_ABI_WORD_BYTES])words, 3);
    assert_int_equal(vb_abi_end(&c, "sam(bytes,bool,uint256[])", &out, NULL), VB_OK);
    check_hex(&out, "a5643bf2" WORD_0 "60" WORD_0 "01" WORD_0 "a0" WORD_0 "04"
                    "6461766500000000000000000000000000000000000000000000000000000000" WORD_0
                    "03" WORD_0 "01" WORD_0 "02" WORD_0 "03");
    vb_abi_free(&c);
    vb_buf_free(&out);
}

static void empty_and_full(void **state) {
    (void)state;
    vb_abi_call c;
    vb_buf out = vb_buf_make(4096);
    vb_abi_begin(&c, 2);
    vb_abi_bytes(&c, NULL, 0);
    vb_abi_words(&c, NULL, 0);
    assert_int_equal(vb_abi_end_args(&c, &out, NULL), VB_OK);
    check_hex(&out, WORD_0 "40" WORD_0 "60" WORD_0 "00" WORD_0 "00");
    vb_abi_free(&c);
    /* More than a call may have, and more than there is room for. */
    static uint8_t many[VB_ABI_BYTES_MAX];
    vb_abi_begin(&c, 1);
    vb_abi_bytes(&c, many, sizeof many);
    const size_t before = out.len;
    assert_int_equal(vb_abi_end(&c, "f(bytes)", &out, NULL), VB_ELIMIT);
    assert_int_equal(out.len, before);
    vb_abi_free(&c);
    vb_abi_begin(&c, 1);
    vb_abi_bytes(&c, many, 5000);
    assert_int_equal(vb_abi_end(&c, "f(bytes)", &out, NULL), VB_ELIMIT);
    assert_int_equal(out.len, before);
    vb_abi_free(&c);
    vb_buf_free(&out);
}

static void results(void **state) {
    (void)state;
    uint8_t words[3][VB_ABI_WORD_BYTES] = {{0}}, word[VB_ABI_WORD_BYTES];
    words[0][31] = 1;
    memset(words[1] + 24, 0xff, 8);
    words[2][23] = 1;
    vb_buf r = {(uint8_t *)words, sizeof words, sizeof words, sizeof words};
    uint64_t v;
    bool b;
    assert_int_equal(vb_abi_read_bool(&r, 0, &b, NULL), VB_OK);
    assert_true(b);
    assert_int_equal(vb_abi_read_bool(&r, 1, &b, NULL), VB_EFORMAT);
    assert_int_equal(vb_abi_read_uint(&r, 1, &v, NULL), VB_OK);
    assert_true(v == UINT64_MAX);
    assert_int_equal(vb_abi_read_uint(&r, 2, &v, NULL), VB_EFORMAT);
    assert_int_equal(vb_abi_read_word(&r, 2, word, NULL), VB_OK);
    assert_int_equal(vb_abi_read_word(&r, 3, word, NULL), VB_EFORMAT);
    assert_int_equal(vb_abi_read_word(&r, SIZE_MAX, word, NULL), VB_EFORMAT);
    r.len -= 1;
    assert_int_equal(vb_abi_read_word(&r, 2, word, NULL), VB_EFORMAT);
    r.len = 0;
    assert_int_equal(vb_abi_read_bool(&r, 0, &b, NULL), VB_EFORMAT);
}

/* A verdict's digest differs with every member, the chain and the contract. */
static void digests_differ(void **state) {
    (void)state;
    vb_chain_verdict v = {.outcome = VB_CHAIN_VERIFIED, .level = VB_CHAIN_LEVEL_FULL};
    vb_chain_registry r = {.chain_id = 361};
    uint8_t first[32], next[32];
    vb_chain_verdict_digest(&v, &r, first);
    for (int i = 0; i < 10; i++) {
        vb_chain_verdict w = v;
        vb_chain_registry s = r;
        switch (i) {
        case 0: w.record[31] = 1; break;
        case 1: w.commitment[31] = 1; break;
        case 2: w.model[31] = 1; break;
        case 3: w.answer[31] = 1; break;
        case 4: w.drawn_at_s = 1; break;
        case 5: w.outcome = VB_CHAIN_REFUTED; break;
        case 6: w.level = VB_CHAIN_LEVEL_SAMPLE; break;
        case 7: w.judged_at_s = 1; break;
        case 8: s.chain_id = 1; break;
        default: s.address[19] = 1; break;
        }
        vb_chain_verdict_digest(&w, &s, next);
        assert_memory_not_equal(first, next, sizeof next);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(specification),
        cmocka_unit_test(empty_and_full),
        cmocka_unit_test(results),
        cmocka_unit_test(digests_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
