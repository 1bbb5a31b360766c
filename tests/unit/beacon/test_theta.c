/*
 * The theta beacon beyond its vectors: every change to a good proof, and rounds from a node's
 * answers, invented ones and a real one.
 */
#include "beacon/proof.h"
#include "beacon/theta.h"
#include "crypto/sha256.h"
#include "unit/beacon/proof_changes.h"

static void every_change_is_refused(void **state) {
    proof_changes p = proof_changes_open("theta.json", vb_theta_verify);
    (void)state;
    proof_changes_all(&p);
    proof_texts_refused(&p);
    proof_changes_close(&p);
}

static void facts_say_when_and_what_is_open(void **state) {
    proof_changes p = proof_changes_open("theta.json", vb_theta_verify);
    vb_beacon_facts facts[2];
    vb_trust nothing = {.n_theta = 0};
    (void)state;
    assert_int_equal(vb_theta_verify(&p.round, p.trust, &facts[0], NULL), VB_OK);
    assert_int_equal(vb_theta_verify(&p.round, &nothing, &facts[1], NULL), VB_EUNTRUSTED);
    for (int i = 0; i < 2; i++) {
        assert_true(facts[i].timed && facts[i].latest.from == facts[i].next.to);
        assert_int_equal(facts[i].latest.to - facts[i].latest.from, 120000);
        assert_non_null(strstr(facts[i].caveat, "proposer"));
    }
    proof_changes_close(&p);
}

/* The votes are for the hash alone: whoever has them makes as many good rounds of one block as
 * there are heights and times, each with its own randomness, all of them the next one of a time T.
 * No verifier may say of such a draw that nobody could choose it. */
static void the_prover_chooses(void **state) {
    proof_changes p = proof_changes_open("theta.json", vb_theta_verify);
    vb_beacon_facts first, f;
    uint8_t seen[16][32];
    (void)state;
    assert_int_equal(vb_theta_verify(&p.round, p.trust, &first, NULL), VB_OK);
    assert_true(first.chosen);
    for (uint64_t i = 0; i < 16; i++) {
        json_t *proof = json_deep_copy(p.doc);
        const uint64_t timestamp = first.next.to / 1000 + i;
        char text[160];
        vb_beacon_round r = {.round = p.round.round, .n_randomness = 32};
        snprintf(r.id, sizeof r.id, "%s", p.round.id);
        snprintf(text, sizeof text, "%llu", (unsigned long long)timestamp);
        json_object_set_new(proof, "timestamp", json_string(text));
        int n = snprintf(text, sizeof text, "0x%s%llu%llu",
                         json_string_value(json_object_get(proof, "hash")),
                         (unsigned long long)r.round, (unsigned long long)timestamp);
        vb_sha256_of(text, (size_t)n, r.randomness);
        assert_int_equal(vb_proof_set(&r, proof, NULL), VB_OK);
        assert_int_equal(vb_theta_verify(&r, p.trust, &f, NULL), VB_OK);
        assert_true(f.chosen && f.next.from == first.next.from && f.next.to >= first.next.to);
        memcpy(seen[i], r.randomness, 32);
        for (uint64_t k = 0; k < i; k++) {
            assert_memory_not_equal(seen[k], seen[i], 32);
        }
        json_decref(proof);
        vb_beacon_round_free(&r);
    }
    proof_changes_close(&p);
}

static void seed_of_the_published_sample(void **state) {
    uint8_t randomness[32];
    (void)state;
    assert_true(vb_hex_decode("fedcfb1292399a385bda1b6d195203be17e342d2ee5147073ffa4556a86c67e3",
                              randomness, sizeof randomness));
    assert_int_equal(vb_theta_seed(randomness), 2825676771u);
}

/* The answers of a node for the vectors' good round. */
typedef struct node_answers {
    proof_changes good;
    json_t *block, *parent, *child, *votes; /* votes: in child */
} node_answers;

static const char grandparent[] =
    "0x1111111111111111111111111111111111111111111111111111111111111111";
static const char parent_hash[] =
    "0x2222222222222222222222222222222222222222222222222222222222222222";
static const char child_hash[] =
    "0x3333333333333333333333333333333333333333333333333333333333333333";

static json_t *node_hex(const json_t *hex) {
    json_t *v = json_sprintf("0x%s", json_string_value(hex));
    assert_non_null(v);
    return v;
}

static json_t *node_vote(const json_t *hash, const json_t *vote, uint64_t height) {
    json_t *v = json_pack("{s:o, s:o, s:I, s:o, s:o}", "Block", node_hex(hash), "Epoch",
                          json_integer((json_int_t)vector_decimal(json_object_get(vote, "epoch"))),
                          "Height", (json_int_t)height, "ID", node_hex(json_object_get(vote, "id")),
                          "Signature", node_hex(json_object_get(vote, "signature")));
    assert_non_null(v);
    return v;
}

static json_t *decimal(uint64_t v) {
    return json_sprintf("%llu", (unsigned long long)v);
}

static json_t *node_block(const char *hash, const char *parent, uint64_t height, uint64_t time) {
    json_t *b = json_pack("{s:s, s:s, s:s, s:o, s:o, s:i, s:n, s:n}", "chain_id", "testnet", "hash",
                          hash, "parent", parent, "height", decimal(height), "timestamp",
                          decimal(time), "status", 4, "guardian_votes", "hcc");
    assert_non_null(b);
    return b;
}

static node_answers answers_open(void) {
    node_answers a = {.good = proof_changes_open("theta.json", vb_theta_verify)};
    const json_t *proof = a.good.doc, *hash = json_object_get(proof, "hash");
    uint64_t height = a.good.round.round,
             time = vector_decimal(json_object_get(proof, "timestamp"));
    uint64_t before = vector_decimal(json_object_get(proof, "previous_timestamp"));
    json_t *block_hash = node_hex(hash);
    const char *text = json_string_value(block_hash);
    a.parent = node_block(parent_hash, grandparent, height - 1, before);
    a.block = node_block(text, parent_hash, height, time);
    a.child = node_block(child_hash, text, height + 1, time + 6);
    a.votes = json_array();
    const json_t *votes = json_object_get(proof, "votes");
    for (size_t i = json_array_size(votes); i-- > 0;) { /* not in the proof's order */
        json_array_append_new(a.votes, node_vote(hash, json_array_get(votes, i), height));
    }
    json_object_set_new(a.child, "hcc",
                        json_pack("{s:s, s:o}", "BlockHash", text, "Votes", a.votes));
    json_decref(block_hash);
    return a;
}

static void answers_close(node_answers *a) {
    proof_changes_close(&a->good);
    json_decref(a->block);
    json_decref(a->parent);
    json_decref(a->child);
}

/* They give the good round, to the last byte of its proof. */
static void gives_the_good_round(const node_answers *a) {
    vb_beacon_round r;
    vb_error e;
    vb_beacon_facts facts;
    if (vb_theta_round("theta:testnet", a->block, a->parent, a->child, &r, &e)) {
        fail_msg("%s", e.msg);
    }
    assert_string_equal(r.id, a->good.round.id);
    assert_true(r.round == a->good.round.round && r.n_randomness == 32);
    assert_memory_equal(r.randomness, a->good.round.randomness, 32);
    assert_string_equal(r.proof, a->good.round.proof);
    assert_int_equal(vb_theta_verify(&r, a->good.trust, &facts, &e), VB_OK);
    vb_beacon_round_free(&r);
}

/* They are refused with this error, whose sentence has this in it. */
static void refused(const node_answers *a, vb_err expected, const char *says) {
    vb_beacon_round r = {.round = 77};
    vb_error e = {0};
    vb_err err = vb_theta_round("theta:testnet", a->block, a->parent, a->child, &r, &e);
    if (err != expected || !strstr(e.msg, says)) {
        fail_msg("%s: expected %s: found %s: %s", says, vb_err_name(expected), vb_err_name(err),
                 e.msg);
    }
    assert_true(r.round == 77 && !r.proof);
}

static void a_round_from_a_node(void **state) {
    node_answers a = answers_open();
    (void)state;
    gives_the_good_round(&a);
    json_object_set_new(a.block, "height", json_integer((json_int_t)a.good.round.round));
    json_object_set_new(a.block, "status", json_string("6"));
    gives_the_good_round(&a);
    json_object_set_new(a.block, "status", json_integer(5));
    json_array_append(a.votes, json_array_get(a.votes, 1)); /* a vote twice counts once */
    gives_the_good_round(&a);
    json_t *other = json_deep_copy(json_array_get(a.votes, 0));
    json_object_set_new(other, "Block", json_string(grandparent));
    json_array_insert_new(a.votes, 0, other); /* a vote for another block, left out */
    gives_the_good_round(&a);
    json_t *bad = json_deep_copy(json_array_get(a.votes, 1));
    json_object_set_new(bad, "Epoch", json_string("5"));
    json_array_insert_new(a.votes, 0, bad); /* a bad signature, left out */
    json_t *broken = json_deep_copy(json_array_get(a.votes, 2));
    json_object_set_new(broken, "Signature", json_sprintf("0x%0130d", 0));
    json_array_append_new(a.votes, broken); /* no signature at all, left out */
    gives_the_good_round(&a);
    answers_close(&a);
}

/* A vote that names another block is none, though its signature be good for this one. */
static void votes_for_another_block_are_left_out(void **state) {
    node_answers a = answers_open();
    vb_beacon_round r;
    vb_error e;
    (void)state;
    json_object_set_new(json_array_get(a.votes, 0), "Block", json_string(grandparent));
    assert_int_equal(vb_theta_round("theta:testnet", a.block, a.parent, a.child, &r, &e), VB_OK);
    json_t *proof = json_loads(r.proof, 0, NULL);
    assert_int_equal(json_array_size(json_object_get(proof, "votes")),
                     json_array_size(a.votes) - 1);
    json_decref(proof);
    vb_beacon_round_free(&r);
    answers_close(&a);
}

static void upper_case_is_a_nodes_right(void **state) {
    node_answers a = answers_open();
    (void)state;
    char text[67];
    snprintf(text, sizeof text, "%s", json_string_value(json_object_get(a.block, "hash")));
    for (char *c = text + 2; *c; c++) {
        *c = (char)(*c >= 'a' && *c <= 'f' ? *c - 'a' + 'A' : *c);
    }
    json_object_set_new(a.block, "hash", json_string(text));
    gives_the_good_round(&a);
    answers_close(&a);
}

/* What a change to one member of an answer leads to. */
typedef struct node_change {
    int answer; /* 0: block, 1: parent, 2: child */
    const char *member;
    const char *value; /* JSON; NULL: the member is missing */
    vb_err err;
    const char *says;
} node_change;

static const node_change node_changes[] = {
    {0, "status", "3", VB_EMISMATCH, "not final"},
    {0, "status", "7", VB_EMISMATCH, "not final"},
    {0, "status", "\"0\"", VB_EMISMATCH, "not final"},
    {0, "status", "1000", VB_EFORMAT, "block.status"},
    {0, "status", NULL, VB_EFORMAT, "block.status"},
    {0, "chain_id", "\"mainnet\"", VB_EMISMATCH, "block.chain_id"},
    {0, "chain_id", "null", VB_EFORMAT, "block.chain_id"},
    {1, "chain_id", "\"privatenet\"", VB_EMISMATCH, "parent.chain_id"},
    {2, "chain_id", "\"\"", VB_EMISMATCH, "child.chain_id"},
    {0, "hash", "\"0x00\"", VB_EFORMAT, "block.hash"},
    {0, "hash", NULL, VB_EFORMAT, "block.hash"},
    {0, "height", "\"0\"", VB_EMISMATCH, "parent.height"},
    {0, "height", "\"30168743\"", VB_EMISMATCH, "parent.height"},
    {0, "height", "-1", VB_EFORMAT, "block.height"},
    {0, "height", "\"0x1\"", VB_EFORMAT, "block.height"},
    {0, "height", "1.5", VB_EFORMAT, "block.height"},
    {1, "height", "\"30168742\"", VB_EMISMATCH, "parent.height"},
    {2, "height", "\"30168742\"", VB_EMISMATCH, "child.height"},
    {2, "height", "\"18446744073709551616\"", VB_EFORMAT, "child.height"},
    {0, "timestamp", "\"9007199254740992\"", VB_EFORMAT, "block.timestamp"},
    {1, "timestamp", "\"1749770571\"", VB_EMISMATCH, "parent.timestamp"},
    {1, "hash", "\"0x4444444444444444444444444444444444444444444444444444444444444444\"",
     VB_EMISMATCH, "block.parent"},
    {2, "parent", "\"0x4444444444444444444444444444444444444444444444444444444444444444\"",
     VB_EMISMATCH, "child.parent"},
    {2, "hcc", "null", VB_EFORMAT, "child.hcc"},
    {2, "hcc", NULL, VB_EFORMAT, "child.hcc"},
    {2, "hcc", "[]", VB_EFORMAT, "child.hcc"},
    {2, "hcc", "{}", VB_EFORMAT, "child.hcc.BlockHash"},
    {2, "hcc",
     "{\"BlockHash\":\"0x2222222222222222222222222222222222222222222222222222222222222222\"}",
     VB_EMISMATCH, "another block"},
};

static void answers_that_disagree(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof node_changes / sizeof node_changes[0]; i++) {
        const node_change *c = &node_changes[i];
        node_answers a = answers_open();
        json_t *answer = c->answer == 0 ? a.block : c->answer == 1 ? a.parent : a.child;
        if (c->value) {
            json_object_set_new(answer, c->member, json_loads(c->value, JSON_DECODE_ANY, NULL));
        } else {
            json_object_del(answer, c->member);
        }
        refused(&a, c->err, c->says);
        answers_close(&a);
    }
}

static void votes_that_are_none(void **state) {
    static const char *const members[] = {"Block", "Epoch", "ID", "Signature"};
    (void)state;
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        node_answers a = answers_open();
        json_object_del(json_array_get(a.votes, 2), members[i]);
        refused(&a, VB_EFORMAT, members[i]);
        answers_close(&a);
    }
    node_answers a = answers_open();
    for (size_t i = 0; i < json_array_size(a.votes); i++) {
        json_object_set_new(json_array_get(a.votes, i), "Epoch", json_integer(7));
    }
    refused(&a, VB_EMISMATCH, "no good vote");
    json_array_clear(a.votes);
    refused(&a, VB_EFORMAT, "child.hcc.Votes");
    for (size_t i = 0; i < VB_THETA_VOTES_MAX + 1; i++) {
        json_array_append_new(a.votes, json_object());
    }
    refused(&a, VB_EFORMAT, "child.hcc.Votes");
    json_t *block = a.block;
    a.block = json_null();
    refused(&a, VB_EFORMAT, "block");
    a.block = NULL;
    refused(&a, VB_EFORMAT, "block");
    a.block = block;
    vb_beacon_round r;
    assert_int_equal(vb_theta_round("theta:", a.block, a.parent, a.child, &r, NULL), VB_EFORMAT);
    assert_int_equal(vb_theta_round("nist:1", a.block, a.parent, a.child, &r, NULL), VB_EFORMAT);
    answers_close(&a);
}

/* The votes of mainnet for block 11885133, in its child. The block's own answer is invented but for
 * its hash: only the votes are checked against the world. */
static void votes_of_mainnet(void **state) {
    const char *path = vb_test_data("beacons/theta_block_11885134.json");
    json_t *child = json_load_file(path, 0, NULL);
    (void)state;
    assert_non_null(child);
    const char *hash = json_string_value(json_object_get(child, "parent"));
    json_t *block = node_block(hash, parent_hash, 11885133, 1630940567);
    json_t *parent = node_block(parent_hash, grandparent, 11885132, 1630940561);
    json_object_set_new(block, "chain_id", json_string("mainnet"));
    json_object_set_new(parent, "chain_id", json_string("mainnet"));
    vb_beacon_round r;
    vb_beacon_facts facts;
    vb_error e;
    if (vb_theta_round("theta:mainnet", block, parent, child, &r, &e)) {
        fail_msg("%s", e.msg);
    }
    vb_theta_validator validators[4] = {{.stake = 5}, {.stake = 5}, {.stake = 5}, {.stake = 7}};
    vb_theta_set set = {
        .chain = "mainnet", .to = UINT64_MAX, .validators = validators, .n_validators = 4};
    vb_trust trust = {.theta = &set, .n_theta = 1};
    const char *const voters[] = {
        "050bb1210802cf5c624a4b3f501f1c12f68dcc05", "15cc4c3f21417c392119054c8fe5895146e1a493",
        "1786d878cb76a53f5950f41fed7d61617e12dfb5", "ffffffffffffffffffffffffffffffffffffffff"};
    for (int i = 0; i < 4; i++) {
        assert_true(vb_hex_decode(voters[i], validators[i].id, sizeof validators[i].id));
    }
    assert_int_equal(vb_theta_verify(&r, &trust, &facts, &e), VB_OK); /* 15 of 22 */
    validators[3].stake = 8;                                          /* 15 of 23: 45 < 46 */
    assert_int_equal(vb_theta_verify(&r, &trust, &facts, &e), VB_EMISMATCH);
    set.n_validators = 3;
    assert_int_equal(vb_theta_verify(&r, &trust, &facts, &e), VB_OK);
    set.from = 11885134;
    assert_int_equal(vb_theta_verify(&r, &trust, &facts, &e), VB_EUNTRUSTED);
    vb_beacon_round_free(&r);
    json_decref(block);
    json_decref(parent);
    json_decref(child);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_change_is_refused),
        cmocka_unit_test(facts_say_when_and_what_is_open),
        cmocka_unit_test(the_prover_chooses),
        cmocka_unit_test(seed_of_the_published_sample),
        cmocka_unit_test(a_round_from_a_node),
        cmocka_unit_test(votes_for_another_block_are_left_out),
        cmocka_unit_test(upper_case_is_a_nodes_right),
        cmocka_unit_test(answers_that_disagree),
        cmocka_unit_test(votes_that_are_none),
        cmocka_unit_test(votes_of_mainnet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
