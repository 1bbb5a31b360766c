/* The registry's calls and answers: what is refused before it is sent, hostile answers, and a
 * signed verdict in a file. That calls are encoded as others encode them is tests/npm/chain.test.
 */
#include <stdio.h>
#include <string.h>

#include "chain/attestation.h"
#include "chain/registry.h"
#include "crypto/eth_key.h"
#include "support/testing.h"

static void panels(void **state) {
    (void)state;
    static vb_chain_panel p;
    p.n = 0;
    assert_int_equal(vb_chain_panel_sort(&p, NULL), VB_EINVAL);
    p.n = VB_CHAIN_PANEL_MAX + 1;
    assert_int_equal(vb_chain_panel_sort(&p, NULL), VB_EINVAL);
    p.n = 3;
    p.members[0][0] = 3;
    p.members[1][0] = 1;
    p.members[2][19] = 1;
    assert_int_equal(vb_chain_panel_sort(&p, NULL), VB_OK);
    assert_int_equal(p.members[0][19], 1);
    assert_int_equal(p.members[1][0], 1);
    assert_int_equal(p.members[2][0], 3);
    memcpy(p.members[1], p.members[2], sizeof p.members[1]);
    assert_int_equal(vb_chain_panel_sort(&p, NULL), VB_EINVAL);
    memset(p.members[0], 0, sizeof p.members[0]);
    p.members[1][0] = 1;
    assert_int_equal(vb_chain_panel_sort(&p, NULL), VB_EINVAL);
}

static void refused_calls(void **state) {
    (void)state;
    static const uint8_t values[VB_CHAIN_COMMITMENTS_MAX + 1][VB_SHA256_BYTES];
    static char name[VB_CHAIN_NAME_BYTES_MAX + 2];
    const vb_tlog_checkpoint empty = {.origin = "o"};
    vb_buf out = vb_buf_make(VB_ABI_BYTES_MAX);
    memset(name, 'n', sizeof name - 1);
    assert_int_equal(vb_chain_call_commit(values, 0, &out, NULL), VB_EINVAL);
    assert_int_equal(vb_chain_call_commit(values, VB_CHAIN_COMMITMENTS_MAX + 1, &out, NULL),
                     VB_EINVAL);
    assert_int_equal(vb_chain_call_checkpoint(&empty, NULL, 0, &out, NULL), VB_EINVAL);
    assert_int_equal(vb_chain_call_operator(values[0], "", "", &out, NULL), VB_EINVAL);
    assert_int_equal(vb_chain_call_operator(values[0], name, "", &out, NULL), VB_EINVAL);
    assert_int_equal(vb_chain_call_operator(values[0], "o", name, &out, NULL), VB_EINVAL);
    assert_int_equal(vb_chain_call_model(values[0], "", "", 1, &out, NULL), VB_EINVAL);
    assert_int_equal(out.len, 0);
    assert_int_equal(vb_chain_call_operator(values[0], name + 1, "", &out, NULL), VB_OK);
    assert_true(out.len > VB_CHAIN_NAME_BYTES_MAX);
    vb_buf_free(&out);
}

/* A node that gives one answer to every call. */
static vb_err answer(void *user, const char *json, vb_buf *body, vb_error *e) {
    (void)json;
    (void)e;
    body->len = 0;
    return vb_buf_printf(body, "{\"id\":1,\"jsonrpc\":\"2.0\",%s}", (const char *)user);
}

#define WORD_0 "00000000000000000000000000000000000000000000000000000000000000"

static void answers(void **state) {
    (void)state;
    static const uint8_t panel[VB_KECCAK256_BYTES];
    const vb_chain_registry r = {.chain_id = 1};
    static const struct {
        const char *says;
        vb_err err;
        uint64_t n;
    } cases[] = {
        {"\"result\":\"0x" WORD_0 "20" WORD_0 "02" WORD_0 "01" WORD_0 "02\"", VB_OK, 2},
        {"\"result\":\"0x" WORD_0 "20" WORD_0 "00\"", VB_EFORMAT, 9},
        {"\"result\":\"0x" WORD_0 "20" WORD_0 "41\"", VB_EFORMAT, 9},
        {"\"result\":\"0x\"", VB_EFORMAT, 9},
        {"\"result\":7", VB_EFORMAT, 9},
        {"\"error\":{\"code\":3,\"message\":\"execution reverted\"}", VB_OK, 0},
        {"\"error\":{\"code\":-32005,\"message\":\"too many requests\"}", VB_EIO, 9},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const vb_chain_node n = {.post = answer, .user = (void *)(uintptr_t)cases[i].says};
        vb_error e = {VB_OK, ""};
        uint64_t members = 9;
        assert_int_equal(vb_chain_read_panel(&n, &r, panel, &members, &e), cases[i].err);
        assert_int_equal(members, cases[i].n);
        assert_true(!cases[i].err || e.msg[0]);
    }
    const vb_chain_node short_one = {.post = answer,
                                     .user = (void *)(uintptr_t) "\"result\":\"0x" WORD_0 "01\""};
    vb_chain_head head;
    vb_chain_tally tally;
    vb_chain_judgement kept;
    assert_int_equal(vb_chain_read_head(&short_one, &r, panel, "o", &head, NULL), VB_EFORMAT);
    assert_int_equal(vb_chain_read_tally(&short_one, &r, panel, panel, &tally, NULL), VB_EFORMAT);
    assert_int_equal(vb_chain_read_judgement(&short_one, &r, panel, panel, &kept, NULL),
                     VB_EFORMAT);
}

static vb_attestation signed_one(void) {
    static const uint8_t secret[VB_ETH_SECRET_BYTES] = {5};
    vb_attestation a = {.registry = {.chain_id = 361, .address = {1, 2}},
                        .verdict = {.record = {1},
                                    .commitment = {2},
                                    .model = {3},
                                    .answer = {4},
                                    .drawn_at_s = UINT64_MAX,
                                    .outcome = VB_CHAIN_REFUTED,
                                    .level = VB_CHAIN_LEVEL_FULL,
                                    .judged_at_s = 7}};
    vb_eth_key *key;
    assert_int_equal(vb_eth_key_from_secret(secret, &key, NULL), VB_OK);
    vb_eth_key_address(key, a.witness);
    vb_chain_verdict_digest(&a.verdict, &a.registry, a.digest);
    assert_int_equal(vb_eth_key_sign(key, a.digest, a.signature, NULL), VB_OK);
    vb_chain_verdict_signature(a.signature, a.signature);
    vb_eth_key_close(key);
    return a;
}

static void attestations(void **state) {
    (void)state;
    const vb_attestation a = signed_one();
    vb_attestation back;
    vb_buf text = vb_buf_make(VB_ATTESTATION_BYTES_MAX);
    assert_int_equal(vb_attestation_encode(&a, &text, NULL), VB_OK);
    vb_error e = {VB_OK, ""};
    if (vb_attestation_decode(text.data, text.len, &back, &e)) {
        fail_msg("%s: %s", e.msg, (const char *)text.data);
    }
    assert_memory_equal(back.digest, a.digest, sizeof a.digest);
    assert_memory_equal(back.signature, a.signature, sizeof a.signature);
    assert_true(back.verdict.drawn_at_s == UINT64_MAX && back.verdict.level == a.verdict.level);
    /* No byte may change: capitals of hex digits are other bytes, too, or another checksum. */
    for (size_t i = 0; i < text.len; i++) {
        const uint8_t was = text.data[i];
        text.data[i] ^= 1;
        if (vb_attestation_decode(text.data, text.len, &back, NULL) == VB_OK) {
            fail_msg("byte %zu may change: %s", i, (const char *)text.data);
        }
        text.data[i] = was;
    }
    for (size_t n = 0; n < text.len; n++) {
        assert_int_not_equal(vb_attestation_decode(text.data, n, &back, NULL), VB_OK);
    }
    vb_buf_free(&text);
    vb_buf small = vb_buf_make(100);
    assert_int_equal(vb_attestation_encode(&a, &small, NULL), VB_ELIMIT);
    assert_int_equal(small.len, 0);
    vb_buf_free(&small);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(panels),
        cmocka_unit_test(refused_calls),
        cmocka_unit_test(answers),
        cmocka_unit_test(attestations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
