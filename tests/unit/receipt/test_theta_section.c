/* theta_verified: the sample that Theta published, and what does not belong together. */
#include "receipt/theta_section.h"

#include <stdio.h>

#include "unit/receipt/change.h"
#include "unit/receipt/sample_receipt.h"

#define SAMPLE_HASH "d8ba61b261ddda55520301ee23846a547615c60d29c1c4a893779ba0d53f0656"
#define SAMPLE_SEED 2825676771u

static const char sample_proof[] =
    "{\"hash\":\"" SAMPLE_HASH "\",\"previous_timestamp\":\"1749770564\",\"timestamp\":"
    "\"1749770570\",\"votes\":[]}";
static const char sample_preimage[] = "0x" SAMPLE_HASH "30168742"
                                      "1749770570";

static vb_receipt r; /* large: off the stack */

static void set_proof(const char *proof) {
    free(r.beacon.proof);
    r.beacon.proof = proof ? strdup(proof) : NULL;
}

static void sample_theta(void) {
    sample_request(&r, VB_MODE_LOCAL);
    r.request.mode = VB_MODE_NEXT;
    memset(r.request.beacon_id, 0, sizeof r.request.beacon_id);
    memcpy(r.request.beacon_id, "theta:mainnet", 14);
    memcpy(r.beacon.id, r.request.beacon_id, sizeof r.beacon.id);
    r.beacon.round = 30168742;
    r.beacon.n_randomness = 32;
    vb_sha256_of(sample_preimage, sizeof sample_preimage - 1, r.beacon.randomness);
    set_proof(sample_proof);
}

static json_t *section(vb_buf *b) {
    uint8_t hash[32];
    vb_error e = {0};
    memset(hash, 0xab, sizeof hash);
    if (vb_theta_section_append(&r, hash, b, &e)) {
        fail_msg("%s", e.msg);
    }
    json_t *doc =
        json_loadb((char *)b->data, b->len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    assert_non_null(doc);
    return doc;
}

/* Numbers of the published sample: the block and the seed. */
static void the_published_sample(void **state) {
    vb_buf b = vb_buf_make(1 << 20);
    (void)state;
    sample_theta();
    json_t *doc = section(&b);
    assert_int_equal(json_integer_value(json_object_get(doc, "seed")), SAMPLE_SEED);
    assert_int_equal(json_integer_value(walk(doc, "sampling_params.seed")), SAMPLE_SEED);
    assert_string_equal(json_string_value(walk(doc, "block.hash")), "0x" SAMPLE_HASH);
    assert_string_equal(json_string_value(walk(doc, "block.height")), "30168742");
    assert_string_equal(json_string_value(walk(doc, "block.timestamp")), "1749770570");
    json_decref(doc);
    vb_receipt_free(&r);
    vb_buf_free(&b);
}

static void every_byte_of_a_section(void **state) {
    static const char expected[] =
        "before{\"seed\":2825676771,\"verification_hash\":"
        "\"abababababababababababababababababababababababababababababababab\","
        "\"sampling_params\":{\"seed\":2825676771,\"temperature\":0.800000011920929,"
        "\"top_p\":0.9499999999534339,\"top_k\":40,\"min_p\":0.05000000004656613,"
        "\"presence_penalty\":-0.10000000149011612,\"frequency_penalty\":1.0000000116860974e-7,"
        "\"repetition_penalty\":1.100000023841858,\"max_tokens\":3,"
        "\"stop\":[\"\\n\\n\",\"a\\u0000b\"],\"n\":2},"
        "\"block\":{\"hash\":\"0x" SAMPLE_HASH "\",\"height\":\"30168742\","
        "\"timestamp\":\"1749770570\"}}";
    uint8_t hash[32];
    vb_buf b = vb_buf_make(1 << 20);
    (void)state;
    sample_theta();
    memset(hash, 0xab, sizeof hash);
    assert_int_equal(vb_buf_append(&b, "before", 6), VB_OK);
    assert_int_equal(vb_theta_section_append(&r, hash, &b, NULL), VB_OK);
    assert_string_equal((char *)b.data, expected);
    vb_receipt_free(&r);
    vb_buf_free(&b);
}

static void defaults_are_plain_numbers(void **state) {
    vb_buf b = vb_buf_make(1 << 20);
    (void)state;
    sample_theta();
    vb_sampling_default(&r.request.sampling);
    r.request.sampling.top_k = UINT32_MAX;
    r.request.max_tokens = VB_MODEL_CTX_TOKENS_MAX;
    json_t *doc = section(&b);
    assert_non_null(strstr((char *)b.data, "\"temperature\":0,\"top_p\":1,\"top_k\":4294967295,"
                                           "\"min_p\":0,\"presence_penalty\":0,"));
    assert_non_null(strstr((char *)b.data, "\"max_tokens\":4194304,"));
    json_decref(doc);
    vb_receipt_free(&r);
    vb_buf_free(&b);
}

static void assert_refused(vb_err code, const char *names) {
    uint8_t hash[32] = {0};
    vb_buf b = vb_buf_make(1 << 20);
    vb_error e = {0};
    assert_int_equal(vb_theta_section_append(&r, hash, &b, &e), code);
    assert_int_equal(b.len, 0);
    if (!strstr(e.msg, "theta_verified: ") || !strstr(e.msg, names)) {
        fail_msg("expected %s in: %s", names, e.msg);
    }
    vb_receipt_free(&r);
}

static void only_for_theta(void **state) {
    (void)state;
    sample_receipt(&r, VB_MODE_LOCAL);
    assert_refused(VB_EINVAL, "kind theta");
    sample_receipt(&r, VB_MODE_FIXED);
    assert_refused(VB_EINVAL, "kind theta");
    sample_theta();
    r.has_beacon = false;
    assert_refused(VB_EINVAL, "kind theta");
    sample_theta();
    memcpy(r.beacon.id, "thetas:mainnet", 15);
    assert_refused(VB_EINVAL, "kind theta");
}

static void block_and_randomness_belong_together(void **state) {
    (void)state;
    sample_theta();
    r.beacon.round++;
    assert_refused(VB_EMISMATCH, "beacon.randomness");
    sample_theta();
    r.beacon.randomness[0] ^= 1;
    assert_refused(VB_EMISMATCH, "beacon.randomness");
    sample_theta();
    r.beacon.n_randomness = 64;
    assert_refused(VB_EFORMAT, "beacon randomness");
    sample_theta();
    set_proof("{\"hash\":\"" SAMPLE_HASH "\",\"timestamp\":\"1749770571\"}");
    assert_refused(VB_EMISMATCH, "beacon.randomness");
}

static void a_proof_without_a_block_is_refused(void **state) {
    (void)state;
    sample_theta();
    set_proof(NULL);
    assert_refused(VB_EFORMAT, "beacon.proof");
    sample_theta();
    set_proof("[]");
    assert_refused(VB_EFORMAT, "beacon.proof");
    sample_theta();
    set_proof("{\"timestamp\":\"1749770570\"}");
    assert_refused(VB_EFORMAT, "beacon.proof.hash: missing");
    sample_theta();
    set_proof("{\"hash\":\"0x" SAMPLE_HASH "\",\"timestamp\":\"1749770570\"}");
    assert_refused(VB_EFORMAT, "beacon.proof.hash");
    sample_theta();
    set_proof("{\"hash\":\"" SAMPLE_HASH "\"}");
    assert_refused(VB_EFORMAT, "beacon.proof.timestamp: missing");
    sample_theta();
    set_proof("{\"hash\":\"" SAMPLE_HASH "\",\"timestamp\":1749770570}");
    assert_refused(VB_EFORMAT, "beacon.proof.timestamp");
}

static void a_full_buffer_stays_as_it_was(void **state) {
    uint8_t hash[32] = {0};
    vb_buf b = vb_buf_make(300);
    vb_error e = {0};
    (void)state;
    sample_theta();
    assert_int_equal(vb_buf_append(&b, "{", 1), VB_OK);
    assert_int_equal(vb_theta_section_append(&r, hash, &b, &e), VB_ELIMIT);
    assert_int_equal(e.code, VB_ELIMIT);
    assert_string_equal((char *)b.data, "{");
    vb_receipt_free(&r);
    vb_buf_free(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_sample),
        cmocka_unit_test(every_byte_of_a_section),
        cmocka_unit_test(defaults_are_plain_numbers),
        cmocka_unit_test(only_for_theta),
        cmocka_unit_test(block_and_randomness_belong_together),
        cmocka_unit_test(a_proof_without_a_block_is_refused),
        cmocka_unit_test(a_full_buffer_stays_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
