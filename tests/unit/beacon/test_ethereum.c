/*
 * The ethereum beacon beyond its vectors: every change to a good proof, long chains, and headers
 * from a node's answers, invented ones and those of the execution-apis test suite.
 */
#include "beacon/ethereum.h"
#include "crypto/keccak.h"
#include "crypto/rlp.h"
#include "unit/beacon/proof_changes.h"

static void every_change_is_refused(void **state) {
    proof_changes p = proof_changes_open("ethereum.json", vb_ethereum_verify);
    (void)state;
    p.bit_step = 3; /* no divisor of 8: every bit of a byte has its turn */
    proof_changes_all(&p);
    proof_texts_refused(&p);
    proof_changes_close(&p);
}

static void facts_say_when_and_what_is_open(void **state) {
    proof_changes p = proof_changes_open("ethereum.json", vb_ethereum_verify);
    vb_beacon_facts facts[2];
    vb_trust nothing = {.n_ethereum = 0};
    (void)state;
    assert_int_equal(vb_ethereum_verify(&p.round, p.trust, &facts[0], NULL), VB_OK);
    assert_int_equal(vb_ethereum_verify(&p.round, &nothing, &facts[1], NULL), VB_EUNTRUSTED);
    for (int i = 0; i < 2; i++) {
        assert_true(facts[i].timed && facts[i].next.to < facts[i].latest.from);
        assert_int_equal(facts[i].latest.to - facts[i].latest.from, 1800000);
        assert_non_null(strstr(facts[i].caveat, "one bit"));
    }
    proof_changes_close(&p);
}

/* A small header that follows the one before it: 15 items. */
static vb_buf next_header(const vb_buf *before, uint64_t number) {
    static const uint8_t zero[256];
    uint8_t hash[VB_KECCAK256_BYTES] = {0};
    if (before) {
        vb_keccak256(before->data, before->len, hash);
    }
    vb_buf items = vb_buf_make(1024), list = vb_buf_make(1024);
    vb_err err = vb_rlp_string(&items, hash, sizeof hash);
    static const size_t sizes[] = {32, 20, 32, 32, 32, 256, 0};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        err = err ? err : vb_rlp_string(&items, zero, sizes[i]);
    }
    const uint64_t integers[] = {number, 30000000, 0, 1700000000 + number, 0};
    for (size_t i = 0; i < sizeof integers / sizeof integers[0]; i++) {
        err = err ? err : vb_rlp_uint(&items, integers[i]);
    }
    hash[0] |= 1; /* a mixHash that is not zero */
    err = err ? err : vb_rlp_string(&items, hash, sizeof hash);
    err = err ? err : vb_rlp_string(&items, zero, 8);
    err = err ? err : vb_rlp_list(&list, items.data, items.len);
    assert_int_equal(err, VB_OK);
    vb_buf_free(&items);
    return list;
}

static void the_longest_chain(void **state) {
    enum { MORE = VB_ETHEREUM_HEADERS_MAX + 1 };
    vb_buf *headers = calloc(MORE, sizeof *headers);
    vb_beacon_round r;
    vb_beacon_facts facts;
    vb_error e;
    (void)state;
    assert_non_null(headers);
    for (uint64_t i = 0; i < MORE; i++) {
        headers[i] = next_header(i ? &headers[i - 1] : NULL, 100 + i);
    }
    assert_int_equal(vb_ethereum_round("ethereum:1", headers, MORE, &r, &e), VB_EFORMAT);
    assert_int_equal(vb_ethereum_round("ethereum:1", headers, 2, &r, &e), VB_EFORMAT);
    assert_int_equal(vb_ethereum_round("ethereum:0", headers, 3, &r, &e), VB_EFORMAT);
    assert_int_equal(vb_ethereum_round("ethereum:1", headers, MORE - 1, &r, &e), VB_OK);
    vb_ethereum_pin pin = {.chain_id = 1, .number = 100 + MORE - 2};
    vb_keccak256(headers[MORE - 2].data, headers[MORE - 2].len, pin.hash);
    vb_trust trust = {.ethereum = &pin, .n_ethereum = 1};
    assert_true(r.round == 102);
    assert_int_equal(vb_ethereum_verify(&r, &trust, &facts, &e), VB_OK);
    assert_true(facts.next.from == 1700000100000 && facts.next.to == 1700000101000);
    assert_true(facts.latest.from == 1700000102000);
    pin.number++;
    assert_int_equal(vb_ethereum_verify(&r, &trust, &facts, &e), VB_EUNTRUSTED);
    vb_beacon_round_free(&r);
    headers[700].data[4] ^= 1; /* its parent's hash */
    assert_int_equal(vb_ethereum_round("ethereum:1", headers, 701, &r, &e), VB_EMISMATCH);
    assert_non_null(strstr(e.msg, "headers[700]"));
    for (size_t i = 0; i < MORE; i++) {
        vb_buf_free(&headers[i]);
    }
    free(headers);
}

/* The names of an answer's members in the order of a header's items; from LONDON on they came with
 * a fork. */
static const char *const members[] = {
    "parentHash",    "sha3Uncles",      "miner",       "stateRoot",     "transactionsRoot",
    "receiptsRoot",  "logsBloom",       "difficulty",  "number",        "gasLimit",
    "gasUsed",       "timestamp",       "extraData",   "mixHash",       "nonce",
    "baseFeePerGas", "withdrawalsRoot", "blobGasUsed", "excessBlobGas", "parentBeaconBlockRoot",
    "requestsHash"};
enum { LONDON = 15, PRAGUE = 21 };

static bool is_quantity(const char *name) {
    static const char *const names[] = {"difficulty",  "number",       "gasLimit",
                                        "gasUsed",     "timestamp",    "baseFeePerGas",
                                        "blobGasUsed", "excessBlobGas"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(name, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* A node's answer for a header, as geth writes it. */
static json_t *node_block(const uint8_t *rlp, size_t n) {
    vb_rlp_item items[64];
    size_t n_items;
    uint8_t hash[VB_KECCAK256_BYTES];
    char hex[8192];
    json_t *b = json_pack("{s:[], s:s}", "transactions", "size", "0x2bd");
    assert_int_equal(vb_rlp_list_open(rlp, n, items, 64, &n_items, NULL), VB_OK);
    assert_true(n_items <= PRAGUE);
    for (size_t i = 0; i < n_items; i++) {
        vb_hex_encode(items[i].data, items[i].n, hex);
        const char *text = hex;
        if (is_quantity(members[i])) {
            text += hex[0] == '0';
            text = items[i].n ? text : "0";
        }
        json_object_set_new(b, members[i], json_sprintf("0x%s", text));
    }
    vb_keccak256(rlp, n, hash);
    vb_hex_encode(hash, sizeof hash, hex);
    json_object_set_new(b, "hash", json_sprintf("0x%s", hex));
    return b;
}

/* The vectors' good headers, one after the other. */
static size_t good_headers(const proof_changes *p, vb_buf *out, size_t max) {
    const json_t *array = json_object_get(p->doc, "headers");
    size_t n = json_array_size(array);
    assert_true(n <= max);
    for (size_t i = 0; i < n; i++) {
        uint8_t bytes[VB_ETHEREUM_HEADER_BYTES_MAX];
        const char *hex = json_string_value(json_array_get(array, i));
        out[i] = vb_buf_make(sizeof bytes);
        assert_true(vb_hex_decode(hex, bytes, strlen(hex) / 2));
        assert_int_equal(vb_buf_append(&out[i], bytes, strlen(hex) / 2), VB_OK);
    }
    return n;
}

static void a_round_from_a_node(void **state) {
    proof_changes p = proof_changes_open("ethereum.json", vb_ethereum_verify);
    vb_buf want[8], headers[8];
    vb_error e;
    vb_beacon_round r;
    (void)state;
    size_t n = good_headers(&p, want, 8);
    for (size_t i = 0; i < n; i++) {
        json_t *block = node_block(want[i].data, want[i].len);
        headers[i] = vb_buf_make(VB_ETHEREUM_HEADER_BYTES_MAX);
        if (vb_ethereum_header_rlp(block, &headers[i], &e)) {
            fail_msg("%s", e.msg);
        }
        assert_true(headers[i].len == want[i].len);
        assert_memory_equal(headers[i].data, want[i].data, want[i].len);
        json_decref(block);
    }
    assert_int_equal(vb_ethereum_round(p.round.id, headers, n, &r, &e), VB_OK);
    assert_true(r.round == p.round.round && r.n_randomness == 32);
    assert_string_equal(r.id, p.round.id);
    assert_memory_equal(r.randomness, p.round.randomness, 32);
    assert_string_equal(r.proof, p.round.proof);
    vb_beacon_round_free(&r);
    r.round = 77;
    vb_buf other[3] = {headers[0], headers[2], headers[1]};
    assert_int_equal(vb_ethereum_round(p.round.id, other, 3, &r, &e), VB_EMISMATCH);
    other[1] = headers[1];
    other[2] = (vb_buf){.data = NULL};
    assert_int_equal(vb_ethereum_round(p.round.id, other, 3, &r, &e), VB_EFORMAT);
    assert_true(r.round == 77 && !r.proof);
    for (size_t i = 0; i < n; i++) {
        vb_buf_free(&want[i]);
        vb_buf_free(&headers[i]);
    }
    proof_changes_close(&p);
}

static void header_refused(const json_t *block, vb_err expected, const char *says) {
    vb_buf rlp = vb_buf_make(VB_ETHEREUM_HEADER_BYTES_MAX);
    vb_error e = {0};
    vb_err err = vb_ethereum_header_rlp(block, &rlp, &e);
    if (err != expected || !strstr(e.msg, says)) {
        fail_msg("%s: expected %s: found %s: %s", says, vb_err_name(expected), vb_err_name(err),
                 e.msg);
    }
    assert_true(rlp.len == 0);
    vb_buf_free(&rlp);
}

static const char *const no_forms[] = {"1",        "true",          "{}",       "[]",
                                       "\"\"",     "\"0x\\u0000\"", "\"0xg0\"", "\"1234\"",
                                       "\"0X00\"", "\"0x000\""};

/* A member that is missing, null or not of its form. */
static void change_member(json_t *block, size_t i) {
    const char *name = members[i];
    json_t *kept = json_incref(json_object_get(block, name));
    json_object_del(block, name);
    header_refused(block, i < LONDON ? VB_EUNSUPPORTED : VB_EMISMATCH, i < LONDON ? name : "hash");
    json_object_set_new(block, name, json_null());
    header_refused(block, i < LONDON ? VB_EUNSUPPORTED : VB_EMISMATCH, i < LONDON ? name : "hash");
    for (size_t f = 0; f < sizeof no_forms / sizeof no_forms[0]; f++) {
        json_object_set_new(block, name,
                            json_loads(no_forms[f], JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL));
        header_refused(block, VB_EFORMAT, name);
    }
    json_object_set_new(block, name,
                        json_string(is_quantity(name) ? "0x77" : json_string_value(kept)));
    if (!is_quantity(name)) {
        char *text = strdup(json_string_value(kept));
        assert_non_null(text);
        text[3] = text[3] == '1' ? '2' : '1';
        json_object_set_new(block, name, json_string(text));
        free(text);
    }
    header_refused(block, VB_EMISMATCH, "hash");
    json_object_set_new(block, name, kept);
}

static void an_answer_that_was_changed(void **state) {
    proof_changes p = proof_changes_open("ethereum.json", vb_ethereum_verify);
    vb_buf headers[8];
    (void)state;
    size_t n = good_headers(&p, headers, 8);
    json_t *block = node_block(headers[2].data, headers[2].len);
    for (size_t i = 0; json_object_get(block, members[i]); i++) {
        change_member(block, i);
    }
    json_object_set_new(block, "number", json_sprintf("0x1%064d", 0));
    header_refused(block, VB_EFORMAT, "number");
    json_object_set_new(block, "number", json_string("0x00"));
    header_refused(block, VB_EFORMAT, "number");
    json_object_del(block, "hash");
    header_refused(block, VB_EFORMAT, "hash");
    header_refused(NULL, VB_EFORMAT, "block");
    json_t *none = json_null();
    header_refused(none, VB_EFORMAT, "block"); /* what a node answers for a block it has not */
    json_decref(block);
    for (size_t i = 0; i < n; i++) {
        vb_buf_free(&headers[i]);
    }
    proof_changes_close(&p);
}

static void odd_quantities_keep_their_value(void **state) {
    vb_buf header = next_header(NULL, 0xabc), rlp = vb_buf_make(1024);
    json_t *block = node_block(header.data, header.len);
    (void)state;
    assert_string_equal(json_string_value(json_object_get(block, "number")), "0xabc");
    assert_string_equal(json_string_value(json_object_get(block, "difficulty")), "0x0");
    json_object_set_new(block, "number", json_string("0xAbC"));
    json_object_set_new(block, "baseFeePerGas", json_null()); /* as some nodes say "none" */
    assert_int_equal(vb_ethereum_header_rlp(block, &rlp, NULL), VB_OK);
    assert_true(rlp.len == header.len);
    assert_memory_equal(rlp.data, header.data, header.len);
    vb_buf small = vb_buf_make(header.len - 1);
    assert_int_equal(vb_ethereum_header_rlp(block, &small, NULL), VB_ELIMIT);
    assert_true(small.len == 0);
    json_decref(block);
    vb_buf_free(&small);
    vb_buf_free(&rlp);
    vb_buf_free(&header);
}

/* The adaptor that Theta's nodes bring along answers blocks without mixHash. */
static void a_chain_without_mix_hash(void **state) {
    vb_buf header = next_header(NULL, 9);
    json_t *block = node_block(header.data, header.len);
    (void)state;
    json_object_del(block, "mixHash");
    header_refused(block, VB_EUNSUPPORTED, "mixHash");
    json_decref(block);
    vb_buf_free(&header);
}

/* The result of the answer line ("<< {...}") of a file of the execution-apis test suite. */
static json_t *answer_in(const char *path) {
    size_t n;
    char *text = (char *)vb_test_read(path, &n);
    char *line = strstr(text, "\n<< ");
    assert_non_null(line);
    json_t *doc = json_loads(line + 4, JSON_DISABLE_EOF_CHECK, NULL);
    json_t *result = json_incref(json_object_get(doc, "result"));
    assert_true(json_is_object(result));
    json_decref(doc);
    free(text);
    return result;
}

static void hash_is_found(json_t *block) {
    vb_buf rlp = vb_buf_make(VB_ETHEREUM_HEADER_BYTES_MAX);
    vb_error e;
    if (vb_ethereum_header_rlp(block, &rlp, &e)) {
        fail_msg("%s", e.msg);
    }
    json_object_set_new(block, "gasUsed", json_string("0x1234567"));
    header_refused(block, VB_EMISMATCH, "block.hash");
    vb_buf_free(&rlp);
    json_decref(block);
}

static void headers_of_every_fork(void **state) {
    static const char *const names[] = {"cancun-fork", "london-fork", "merge-fork", "prague-fork",
                                        "shanghai-fork"};
    static const char *const tags[] = {"finalized", "genesis", "latest", "safe"};
    char name[128];
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(name, sizeof name, "beacons/ethereum/get-block-%s.io", names[i]);
        hash_is_found(answer_in(vb_test_data(name)));
    }
    for (size_t i = 0; i < sizeof tags / sizeof tags[0]; i++) {
        snprintf(name, sizeof name, "beacons/ethereum/get-%s.io", tags[i]);
        hash_is_found(answer_in(vb_test_data(name)));
    }
}

static void a_header_of_mainnet(void **state) {
    json_t *block = json_load_file(vb_test_data("beacons/ethereum/mainnet_21925176.json"), 0, NULL);
    (void)state;
    assert_non_null(block);
    hash_is_found(block);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_change_is_refused),
        cmocka_unit_test(facts_say_when_and_what_is_open),
        cmocka_unit_test(the_longest_chain),
        cmocka_unit_test(a_round_from_a_node),
        cmocka_unit_test(an_answer_that_was_changed),
        cmocka_unit_test(odd_quantities_keep_their_value),
        cmocka_unit_test(a_chain_without_mix_hash),
        cmocka_unit_test(headers_of_every_fork),
        cmocka_unit_test(a_header_of_mainnet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
