/* Rounds as files (spec/beacons.md, section 11): one form, read back byte for byte, bounded. */
#include "beacon/round.h"
#include "unit/beacon/vector_cases.h"

static const char good[] = "{\"format\":\"verbatim.round/1\",\"id\":\"drand:x\","
                           "\"proof\":{\"signature\":\"00\"},\"randomness\":\""
                           "0101010101010101010101010101010101010101010101010101010101010101"
                           "\",\"round\":\"18446744073709551615\"}";

static vb_err decode(const char *text, vb_beacon_round *r, vb_error *e) {
    memset(e, 0, sizeof *e);
    return vb_beacon_round_decode(text, strlen(text), r, e);
}

static void a_round_is_read(void **state) {
    vb_beacon_round r = {0};
    vb_error e;
    (void)state;
    assert_int_equal(decode(good, &r, &e), VB_OK);
    assert_string_equal(r.id, "drand:x");
    assert_true(r.round == UINT64_MAX && r.n_randomness == 32 && r.randomness[31] == 1);
    assert_string_equal(r.proof, "{\"signature\":\"00\"}");
    vb_buf out = vb_buf_make(4096);
    assert_int_equal(vb_buf_append(&out, "before", 6), VB_OK);
    assert_int_equal(vb_beacon_round_encode(&r, &out, &e), VB_OK);
    assert_string_equal((char *)out.data + 6, good);
    vb_buf_free(&out);
    vb_beacon_round_free(&r);
    assert_null(r.proof);
}

/* Whatever the vectors hold goes into a file and comes back, and is judged as before. */
static void rounds_come_back(void **state) {
    static const char *const files[] = {"drand.json", "mix.json"};
    (void)state;
    for (size_t k = 0; k < 2; k++) {
        json_t *doc = vector_file(files[k]), *c;
        size_t i;
        json_array_foreach(json_object_get(doc, "cases"), i, c) {
            vb_beacon_round r = vector_round(c), back = {0};
            vb_buf out = vb_buf_make(1 << 16), again = vb_buf_make(1 << 16);
            vb_error e = {0};
            assert_int_equal(vb_beacon_round_encode(&r, &out, &e), VB_OK);
            assert_int_equal(vb_beacon_round_decode(out.data, out.len, &back, &e), VB_OK);
            assert_memory_equal(back.id, r.id, sizeof r.id);
            assert_true(back.round == r.round && back.n_randomness == r.n_randomness);
            assert_memory_equal(back.randomness, r.randomness, r.n_randomness);
            assert_true(!r.proof == !back.proof && (!r.proof || strcmp(r.proof, back.proof) == 0));
            assert_int_equal(vb_beacon_round_encode(&back, &again, &e), VB_OK);
            assert_true(again.len == out.len && memcmp(again.data, out.data, out.len) == 0);
            vb_buf_free(&out);
            vb_buf_free(&again);
            vb_beacon_round_free(&r);
            vb_beacon_round_free(&back);
        }
        json_decref(doc);
    }
}

/* Replaces the first `from` of the good round by `to`. */
static void expect_refused(const char *from, const char *to, vb_err expected, const char *named) {
    char text[2048];
    vb_beacon_round r = {.round = 77};
    vb_error e;
    const char *at = strstr(good, from);
    assert_non_null(at);
    snprintf(text, sizeof text, "%.*s%s%s", (int)(at - good), good, to, at + strlen(from));
    vb_err err = decode(text, &r, &e);
    if (err != expected || !strstr(e.msg, named)) {
        fail_msg("%s: %s: %s", text, vb_err_name(err), e.msg);
    }
    assert_true(r.round == 77 && !r.proof && !r.id[0]); /* untouched */
}

static void other_forms_are_refused(void **state) {
    (void)state;
    expect_refused("round/1", "round/2", VB_EFORMAT, "format");
    expect_refused("\"format\":\"verbatim.round/1\",", "", VB_EFORMAT, "format");
    expect_refused("\"id\":\"drand:x\",", "", VB_EFORMAT, "id");
    expect_refused("\"proof\":{\"signature\":\"00\"},", "", VB_EFORMAT, "proof");
    expect_refused(",\"round\":\"18446744073709551615\"", "", VB_EFORMAT, "round");
    expect_refused("\"round\":\"18446744073709551615\"",
                   "\"round\":\"18446744073709551615\",\"x\":1", VB_EFORMAT, "x");
    expect_refused("drand:x", "", VB_EFORMAT, "id");
    expect_refused("drand:x", "drand:\\n", VB_EFORMAT, "id");
    expect_refused("drand:x", "drand:\\u0000", VB_EFORMAT, "id");
    expect_refused("\"drand:x\"", "null", VB_EFORMAT, "id");
    expect_refused("{\"signature\":\"00\"}", "[]", VB_EFORMAT, "proof");
    expect_refused("{\"signature\":\"00\"}", "\"\"", VB_EFORMAT, "proof");
    expect_refused("{\"signature\":\"00\"}", "{\"a\":1,\"a\":1}", VB_EFORMAT, "duplicate");
    expect_refused("18446744073709551615", "18446744073709551616", VB_EFORMAT, "round");
    expect_refused("18446744073709551615", "01", VB_EFORMAT, "round");
    expect_refused("18446744073709551615", "-1", VB_EFORMAT, "round");
    expect_refused("18446744073709551615", "", VB_EFORMAT, "round");
    expect_refused("\"18446744073709551615\"", "5", VB_EFORMAT, "round");
    expect_refused("0101", "01", VB_EFORMAT, "randomness");
    expect_refused("0101", "010101", VB_EFORMAT, "randomness");
    expect_refused("0101", "0A01", VB_EFORMAT, "randomness");
    expect_refused("{\"format", " {\"format", VB_EFORMAT, "canonical");
    expect_refused("{\"format", "[{\"format", VB_EFORMAT, "JSON");
}

static void a_round_of_64_bytes_and_no_proof(void **state) {
    vb_beacon_round r = {0};
    vb_error e;
    char text[512], hex[129];
    (void)state;
    memset(hex, 'f', 128);
    hex[128] = 0;
    snprintf(text, sizeof text,
             "{\"format\":\"verbatim.round/1\",\"id\":\"nist:2\",\"proof\":null,"
             "\"randomness\":\"%s\",\"round\":\"0\"}",
             hex);
    assert_int_equal(decode(text, &r, &e), VB_OK);
    assert_true(r.n_randomness == 64 && r.randomness[63] == 0xff && !r.proof && r.round == 0);
    vb_buf out = vb_buf_make(4096);
    assert_int_equal(vb_beacon_round_encode(&r, &out, &e), VB_OK);
    assert_string_equal((char *)out.data, text);
    vb_buf_free(&out);
}

/* Encoding refuses what decoding would, and leaves the buffer alone. */
static void what_can_not_be_read_is_not_written(void **state) {
    static char not_json[] = "{", loose[] = "{ }", array[] = "[]", deep[256];
    vb_buf out = vb_buf_make(200);
    vb_error e;
    (void)state;
    assert_int_equal(vb_buf_append(&out, "before", 6), VB_OK);
    for (size_t i = 0; i < 40; i++) {
        memcpy(deep + 5 * i, "{\"a\":", 5);
        deep[201 + i] = '}';
    }
    deep[200] = '1';
    char *const proofs[] = {not_json, loose, array, deep};
    for (size_t i = 0; i < sizeof proofs / sizeof proofs[0]; i++) {
        vb_beacon_round r = {.id = "drand:x", .n_randomness = 32, .proof = proofs[i]};
        assert_int_not_equal(vb_beacon_round_encode(&r, &out, &e), VB_OK);
        assert_non_null(strstr(e.msg, "proof"));
    }
    vb_beacon_round r = {.id = "drand:x", .n_randomness = 31};
    assert_int_equal(vb_beacon_round_encode(&r, &out, &e), VB_EFORMAT);
    r = (vb_beacon_round){.id = "\xff\xfe:x", .n_randomness = 32};
    assert_int_equal(vb_beacon_round_encode(&r, &out, &e), VB_EFORMAT);
    r = (vb_beacon_round){.id = "", .n_randomness = 32};
    assert_int_equal(vb_beacon_round_encode(&r, &out, &e), VB_EFORMAT);
    r = (vb_beacon_round){.id = "drand:x", .n_randomness = 64};
    assert_int_equal(vb_beacon_round_encode(&r, &out, &e), VB_ELIMIT); /* more than 200 bytes */
    assert_non_null(strstr(e.msg, "room"));
    assert_true(out.len == 6 && memcmp(out.data, "before", 6) == 0);
    vb_buf_free(&out);
}

static void sizes_are_bounded(void **state) {
    vb_beacon_round r = {0};
    vb_error e;
    (void)state;
    vb_buf b = vb_buf_make(VB_BEACON_ROUND_BYTES_MAX + 4096);
    char *many = malloc(VB_BEACON_PROOF_BYTES_MAX + 1);
    assert_non_null(many);
    memset(many, 'a', VB_BEACON_PROOF_BYTES_MAX);
    many[VB_BEACON_PROOF_BYTES_MAX] = 0;
    /* {"a":"..."} with the most bytes that a proof may have, and with one more. */
    for (int more = 0; more < 2; more++) {
        b.len = 0;
        assert_int_equal(
            vb_buf_printf(
                &b,
                "{\"format\":\"verbatim.round/1\",\"id\":\"x\",\"proof\":{\"a\":\"%.*s\"},"
                "\"randomness\":\"%064d\",\"round\":\"1\"}",
                (int)VB_BEACON_PROOF_BYTES_MAX - 8 + more, many, 0),
            VB_OK);
        vb_err err = vb_beacon_round_decode(b.data, b.len, &r, &e);
        assert_int_equal(err, more ? VB_ELIMIT : VB_OK);
    }
    assert_non_null(strstr(e.msg, "proof"));
    b.len = 0;
    assert_int_equal(
        vb_buf_printf(&b, "%.*s%.*s", (int)VB_BEACON_PROOF_BYTES_MAX, many, 4097, many), VB_OK);
    assert_int_equal(vb_beacon_round_decode(b.data, b.len, &r, &e), VB_ELIMIT);
    free(many);
    vb_buf_free(&b);
    /* What is checked may be larger than any file: it is no kind's form. */
    assert_int_equal(strlen(r.proof), VB_BEACON_PROOF_BYTES_MAX);
    char *longer = realloc(r.proof, VB_BEACON_PROOF_BYTES_MAX + 2);
    assert_non_null(longer);
    r.proof = longer;
    memcpy(r.proof + VB_BEACON_PROOF_BYTES_MAX - 2, "a\"}", 4);
    snprintf(r.id, sizeof r.id, "drand:%064d", 0);
    assert_int_equal(vb_beacon_verify(&r, NULL, NULL, &e), VB_EFORMAT);
    assert_non_null(strstr(e.msg, "bytes"));
    vb_beacon_round_free(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_round_is_read),
        cmocka_unit_test(rounds_come_back),
        cmocka_unit_test(other_forms_are_refused),
        cmocka_unit_test(a_round_of_64_bytes_and_no_proof),
        cmocka_unit_test(what_can_not_be_read_is_not_written),
        cmocka_unit_test(sizes_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
