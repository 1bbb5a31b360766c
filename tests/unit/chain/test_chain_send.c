/*
 * Sending against a node that the test plays: every answer a node may give, fees that rise, blocks
 * that are taken back, and a clock that runs only when the sender waits.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chain/send.h"
#include "crypto/rlp.h"
#include "support/testing.h"

enum { TXS_MAX = 32, CHAIN = 361 };

typedef struct world {
    uint64_t now_ms, height;
    bool has_1559, no_tip_method, silent, wrong_form;
    uint64_t base_fee, tip, gas_price, nonce, chain_id;
    const char *estimate_error; /* a JSON object; NULL: gas */
    const char *send_error;     /* a message for the next `n_send_errors` transactions */
    int n_send_errors;
    /* What was sent, and which of it is in a block. */
    uint8_t hashes[TXS_MAX][32];
    uint64_t fees[TXS_MAX];
    size_t n_txs;
    size_t mined; /* index + 1; 0: none */
    uint64_t mined_in;
    uint8_t fork; /* of the block's hash */
    bool reverted;
    /* Called with each wait, to change the world. */
    void (*turn)(struct world *w, unsigned n_waits);
    unsigned n_waits, stop_after;
} world;

/* The fee of an encoded transaction: the second item of a legacy one, the fourth of the others. */
static uint64_t fee_of(const uint8_t *tx, size_t n) {
    vb_rlp_item items[16];
    size_t n_items;
    const bool typed = tx[0] == 2;
    assert_int_equal(vb_rlp_list_open(tx + typed, n - typed, items, 16, &n_items, NULL), VB_OK);
    assert_int_equal(n_items, typed ? 12 : 9);
    uint64_t fee, nonce;
    assert_int_equal(vb_rlp_item_uint(&items[typed ? 3 : 1], &fee, NULL), VB_OK);
    assert_int_equal(vb_rlp_item_uint(&items[typed ? 1 : 0], &nonce, NULL), VB_OK);
    assert_int_equal(nonce, 7);
    return fee;
}

static void take_tx(world *w, const char *json) {
    const char *hex = strstr(json, "\"0x") + 3;
    static uint8_t bytes[1 << 16];
    size_t n = 0;
    for (; hex[2 * n] != '"'; n++) {
        char two[3] = {hex[2 * n], hex[2 * n + 1], 0};
        assert_true(vb_hex_decode(two, bytes + n, 1));
    }
    assert_true(w->n_txs < TXS_MAX);
    vb_keccak256(bytes, n, w->hashes[w->n_txs]);
    w->fees[w->n_txs++] = fee_of(bytes, n);
}

static vb_err answer(world *w, const char *json, vb_buf *body) {
    if (strstr(json, "eth_chainId")) {
        return vb_buf_printf(body, "{\"result\":\"0x%" PRIx64 "\"}", w->chain_id);
    }
    if (strstr(json, "eth_estimateGas")) {
        return w->estimate_error ? vb_buf_printf(body, "{\"error\":%s}", w->estimate_error)
                                 : vb_buf_printf(body, "{\"result\":\"0x5208\"}");
    }
    if (strstr(json, "eth_getTransactionCount")) {
        return vb_buf_printf(body, "{\"result\":\"0x%" PRIx64 "\"}", w->nonce);
    }
    if (strstr(json, "eth_getBlockByNumber")) {
        return w->has_1559
                   ? vb_buf_printf(body, "{\"result\":{\"baseFeePerGas\":\"0x%" PRIx64 "\"}}",
                                   w->base_fee)
                   : vb_buf_printf(body, "{\"result\":{}}");
    }
    if (strstr(json, "eth_gasPrice")) {
        return vb_buf_printf(body, "{\"result\":\"0x%" PRIx64 "\"}", w->gas_price);
    }
    if (strstr(json, "eth_maxPriorityFeePerGas")) {
        return w->no_tip_method
                   ? vb_buf_printf(body, "{\"error\":{\"code\":-32601,\"message\":\"no method\"}}")
                   : vb_buf_printf(body, "{\"result\":\"0x%" PRIx64 "\"}", w->tip);
    }
    if (strstr(json, "eth_blockNumber")) {
        return vb_buf_printf(body, "{\"result\":\"0x%" PRIx64 "\"}", w->height);
    }
    if (strstr(json, "eth_sendRawTransaction")) {
        take_tx(w, json);
        if (w->n_send_errors) {
            w->n_send_errors--;
            return vb_buf_printf(body, "{\"error\":{\"code\":-32000,\"message\":\"%s\"}}",
                                 w->send_error);
        }
        return vb_buf_printf(body, "{\"result\":\"0x00\"}");
    }
    assert_non_null(strstr(json, "eth_getTransactionReceipt"));
    char hex[65];
    if (w->mined) {
        vb_hex_encode(w->hashes[w->mined - 1], 32, hex);
    }
    if (!w->mined || !strstr(json, hex)) {
        return vb_buf_printf(body, "{\"result\":null}");
    }
    return vb_buf_printf(body,
                         "{\"result\":{\"status\":\"0x%d\",\"blockNumber\":\"0x%" PRIx64
                         "\",\"gasUsed\":\"0x5208\",\"contractAddress\":null,\"blockHash\":\"0x%"
                         "064x\"}}",
                         !w->reverted, w->mined_in, w->fork);
}

static vb_err post(void *user, const char *json, vb_buf *body, vb_error *e) {
    world *w = user;
    if (w->silent) {
        return vb_fail(e, VB_EIO, "no answer");
    }
    if (w->wrong_form) {
        return vb_buf_printf(body, "{\"result\":{\"number\":[]}}");
    }
    return answer(w, json, body);
}

static vb_err wait_ms(void *user, uint32_t ms, vb_error *e) {
    world *w = user;
    w->now_ms += ms;
    w->n_waits++;
    if (w->stop_after && w->n_waits >= w->stop_after) {
        return vb_fail(e, VB_ECANCELLED, "stopped");
    }
    assert_true(w->n_waits < 10000);
    if (w->turn) {
        w->turn(w, w->n_waits);
    }
    return VB_OK;
}

static uint64_t clock_ms(void *user) {
    return ((world *)user)->now_ms;
}

static world new_world(void) {
    return (world){.now_ms = 1000000,
                   .height = 100,
                   .has_1559 = true,
                   .base_fee = 1000,
                   .tip = 100,
                   .gas_price = 1100,
                   .nonce = 7,
                   .chain_id = CHAIN};
}

static vb_err run(world *w, vb_chain_send_options o, vb_chain_sent_result *out, vb_error *e) {
    uint8_t secret[VB_ETH_SECRET_BYTES] = {1}, data[4] = {1, 2, 3, 4};
    vb_eth_key *key = NULL;
    assert_int_equal(vb_eth_key_from_secret(secret, &key, NULL), VB_OK);
    const vb_chain_signer signer = vb_chain_signer_of_key(key);
    const vb_chain_node node = {post, wait_ms, clock_ms, w};
    const vb_chain_tx call = {.data = data, .n_data = sizeof data};
    vb_err err = vb_chain_send(&node, &signer, &call, &o, out, e);
    vb_eth_key_close(key);
    return err;
}

static void mine_first(world *w, unsigned n) {
    w->height++;
    if (n == 3) {
        w->mined = 1;
        w->mined_in = w->height;
    }
}

static void confirmations(void **state) {
    (void)state;
    for (uint32_t wanted = 0; wanted <= 12; wanted += 4) {
        world w = new_world();
        w.turn = mine_first;
        vb_chain_sent_result r;
        assert_int_equal(run(&w, (vb_chain_send_options){.confirmations = wanted}, &r, NULL),
                         VB_OK);
        assert_int_equal(w.n_waits, 3 + (wanted ? wanted - 1 : 0));
        assert_int_equal(w.n_txs, 1);
        assert_int_equal(w.fees[0], 2100);
        assert_memory_equal(r.hash, w.hashes[0], 32);
        assert_int_equal(r.mined.block, 103);
        assert_int_equal(r.n_reorganised, 0);
    }
}

static void legacy(void **state) {
    (void)state;
    world w = new_world();
    w.turn = mine_first;
    vb_chain_sent_result r;
    assert_int_equal(run(&w, (vb_chain_send_options){.legacy = true}, &r, NULL), VB_OK);
    assert_int_equal(w.fees[0], 1100);
    w = new_world();
    w.turn = mine_first;
    w.has_1559 = false;
    assert_int_equal(run(&w, (vb_chain_send_options){.poll_ms = 1}, &r, NULL), VB_OK);
    assert_int_equal(w.fees[0], 1100);
    w = new_world();
    w.turn = mine_first;
    w.no_tip_method = true; /* price less base fee */
    assert_int_equal(run(&w, (vb_chain_send_options){.poll_ms = 1}, &r, NULL), VB_OK);
    assert_int_equal(w.fees[0], 2100);
}

static void mine_second(world *w, unsigned n) {
    w->height++;
    if (n == 200) {
        w->mined = 2;
        w->mined_in = w->height;
    }
}

static void fees_rise(void **state) {
    (void)state;
    world w = new_world();
    w.turn = mine_second;
    vb_chain_sent_result r;
    assert_int_equal(run(&w, (vb_chain_send_options){.raise_s = 60}, &r, NULL), VB_OK);
    assert_int_equal(w.n_txs, 4); /* after 60, 120 and 180 seconds */
    assert_int_equal(r.n_sent, 4);
    for (size_t i = 1; i < w.n_txs; i++) {
        assert_true(w.fees[i] * 10 >= w.fees[i - 1] * 11); /* nodes ask for 10 % */
    }
    assert_memory_equal(r.hash, w.hashes[1], 32); /* an earlier one may be mined, too */
    w = new_world();
    w.turn = mine_second;
    assert_int_equal(run(&w, (vb_chain_send_options){.raise_s = 60, .max_fee = 2200}, &r, NULL),
                     VB_OK);
    for (size_t i = 0; i < w.n_txs; i++) {
        assert_true(w.fees[i] <= 2200);
    }
}

static void take_back(world *w, unsigned n) {
    w->height++;
    switch (n) {
    case 2:
        w->mined = 1;
        w->mined_in = w->height;
        break;
    case 4: w->mined = 0; break; /* its block is no more */
    case 6:
        w->mined = 1;
        w->mined_in = w->height;
        w->fork = 1;
        break;
    case 8: w->fork = 2; break; /* the same height, another block */
    default: break;
    }
}

static void reorganisations(void **state) {
    (void)state;
    world w = new_world();
    w.turn = take_back;
    vb_chain_sent_result r;
    assert_int_equal(run(&w, (vb_chain_send_options){.confirmations = 6}, &r, NULL), VB_OK);
    assert_int_equal(r.n_reorganised, 2);
    assert_int_equal(r.mined.block, 106);
    assert_int_equal(w.height, 111);
}

static void node_errors(void **state) {
    (void)state;
    vb_chain_sent_result r;
    vb_error e = {0};
    world w = new_world();
    w.turn = mine_first;
    w.send_error = "already known";
    w.n_send_errors = 1;
    assert_int_equal(run(&w, (vb_chain_send_options){.poll_ms = 1}, &r, &e), VB_OK);
    w = new_world();
    w.turn = mine_first;
    w.send_error = "replacement transaction underpriced";
    w.n_send_errors = 3;
    assert_int_equal(run(&w, (vb_chain_send_options){.poll_ms = 1}, &r, &e), VB_OK);
    assert_int_equal(w.n_txs, 4);
    w = new_world();
    w.send_error = "transaction underpriced";
    w.n_send_errors = 1000;
    assert_int_equal(run(&w, (vb_chain_send_options){.poll_ms = 1}, &r, &e), VB_ELIMIT);
    assert_true(w.n_txs <= 16);
    w = new_world();
    w.send_error = "insufficient funds for gas * price + value";
    w.n_send_errors = 1;
    assert_int_equal(run(&w, (vb_chain_send_options){.poll_ms = 1}, &r, &e), VB_EIO);
    assert_non_null(strstr(e.msg, "insufficient funds"));
    w = new_world();
    w.send_error = "nonce too low";
    w.n_send_errors = 1;
    assert_int_equal(run(&w, (vb_chain_send_options){.poll_ms = 1}, &r, &e), VB_EIO);
    assert_non_null(strstr(e.msg, "nonce 7"));
    w = new_world();
    w.base_fee = UINT64_MAX;
    assert_int_equal(run(&w, (vb_chain_send_options){.poll_ms = 1}, &r, &e), VB_ELIMIT);
    assert_int_equal(w.n_txs, 0);
    w = new_world();
    w.chain_id = 1;
    assert_int_equal(run(&w, (vb_chain_send_options){.chain_id = CHAIN}, &r, &e), VB_EMISMATCH);
    assert_int_equal(w.n_txs, 0);
    w = new_world();
    w.silent = true;
    assert_int_equal(run(&w, (vb_chain_send_options){.poll_ms = 1}, &r, &e), VB_EIO);
    w = new_world();
    w.wrong_form = true;
    assert_int_equal(run(&w, (vb_chain_send_options){.poll_ms = 1}, &r, &e), VB_EFORMAT);
}

static void contract_refuses(void **state) {
    (void)state;
    static const struct {
        const char *error, *says;
    } cases[] = {
        /* Inconsistent() of the registry, in the forms that nodes give it */
        {"{\"code\":3,\"message\":\"execution reverted\",\"data\":\"0x%s\"}", "Inconsistent"},
        {"{\"code\":3,\"message\":\"reverted\",\"data\":{\"data\":\"0x%s00\"}}", "Inconsistent"},
        {"{\"code\":3,\"message\":\"execution reverted: who knows\",\"data\":\"0x12345678\"}",
         "who knows"},
    };
    uint8_t hash[32];
    char selector[9];
    vb_keccak256("Inconsistent()", 14, hash);
    vb_hex_encode(hash, 4, selector);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char error[256];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(error, sizeof error, cases[i].error, selector);
#pragma GCC diagnostic pop
        world w = new_world();
        vb_error e = {0};
        vb_chain_sent_result r;
        w.estimate_error = error;
        assert_int_equal(run(&w, (vb_chain_send_options){.poll_ms = 1}, &r, &e), VB_EMISMATCH);
        assert_non_null(strstr(e.msg, cases[i].says));
        assert_int_equal(w.n_txs, 0); /* nothing was paid */
    }
    world w = new_world();
    vb_error e = {0};
    vb_chain_sent_result r;
    w.turn = mine_first;
    w.reverted = true;
    assert_int_equal(run(&w, (vb_chain_send_options){.poll_ms = 1}, &r, &e), VB_EMISMATCH);
    assert_non_null(strstr(e.msg, "reverted"));
}

static void fall_silent(world *w, unsigned n) {
    w->silent = n >= 2 && n < 50;
    w->height++;
    if (n == 55) {
        w->mined = 1;
        w->mined_in = w->height;
    }
}

static void ends(void **state) {
    (void)state;
    vb_chain_sent_result r;
    vb_error e = {0};
    world w = new_world(); /* a node that is away for a while */
    w.turn = fall_silent;
    assert_int_equal(run(&w, (vb_chain_send_options){.raise_s = 500}, &r, &e), VB_OK);
    w = new_world(); /* nobody mines it */
    assert_int_equal(run(&w, (vb_chain_send_options){.give_up_s = 100, .raise_s = 500}, &r, &e),
                     VB_EIO);
    assert_non_null(strstr(e.msg, "may still come"));
    assert_memory_equal(r.hash, w.hashes[0], 32);
    assert_int_equal(w.now_ms, 1100000);
    w = new_world(); /* Ctrl-C */
    w.stop_after = 5;
    assert_int_equal(run(&w, (vb_chain_send_options){.poll_ms = 1}, &r, &e), VB_ECANCELLED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(confirmations), cmocka_unit_test(legacy),
        cmocka_unit_test(fees_rise),     cmocka_unit_test(reorganisations),
        cmocka_unit_test(node_errors),   cmocka_unit_test(contract_refuses),
        cmocka_unit_test(ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
