/* Keys, rates and concurrency of clients. */
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "crypto/sha256.h"
#include "server/clients.h"
#include "support/testing.h"

static const uint64_t SECOND_NS = 1000000000u;

/* A file of one key for each text of secrets, with more members. */
static vb_clients *open_keys(const char *members) {
    uint8_t hash[VB_SHA256_BYTES];
    char hex[VB_SHA256_HEX_BYTES], text[1024];
    vb_sha256_of("secret", 6, hash);
    vb_hex_encode(hash, sizeof hash, hex);
    const int n = snprintf(text, sizeof text,
                           "{\"keys\":[{\"name\":\"alice\",\"sha256\":\"%s\"%s},{\"name\":\"bob\","
                           "\"sha256\":\"%064d\"}]}",
                           hex, members, 1);
    const vb_client_limits defaults = {0, 0};
    vb_clients *c = NULL;
    vb_error e;
    assert_int_equal(vb_clients_open(text, (size_t)n, &defaults, &c, &e), VB_OK);
    return c;
}

static vb_admission admit(vb_clients *c, const char *header, uint64_t now_ns, uint32_t *wait_s) {
    vb_client *client = NULL;
    uint32_t unused;
    const vb_admission a = vb_clients_admit(c, header, now_ns, &client, wait_s ? wait_s : &unused);
    if (a == VB_ADMITTED) {
        assert_non_null(vb_client_name(client));
        vb_clients_leave(c, client);
    }
    return a;
}

static void test_keys(void **state) {
    (void)state;
    vb_clients *c = open_keys("");
    static const char *const wrong[] = {NULL,
                                        "",
                                        "Bearer",
                                        "Bearer ",
                                        "secret",
                                        "Bearer secre",
                                        "Bearer secrett",
                                        "Basic secret",
                                        "Bearersecret",
                                        "Bearer Secret",
                                        "Bearer secret "};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(admit(c, wrong[i], 0, NULL), VB_NOT_ADMITTED_KEY);
    }
    assert_int_equal(admit(c, "Bearer secret", 0, NULL), VB_ADMITTED);
    assert_int_equal(admit(c, "bearer   secret", 0, NULL), VB_ADMITTED);
    vb_client *client = NULL;
    uint32_t wait;
    assert_int_equal(vb_clients_admit(c, "Bearer secret", 0, &client, &wait), VB_ADMITTED);
    assert_string_equal(vb_client_name(client), "alice");
    vb_clients_leave(c, client);
    vb_clients_close(c);
}

static void test_everybody(void **state) {
    (void)state;
    const vb_client_limits defaults = {2, 0};
    vb_clients *c = NULL;
    assert_int_equal(vb_clients_open(NULL, 0, &defaults, &c, NULL), VB_OK);
    assert_int_equal(admit(c, NULL, 0, NULL), VB_ADMITTED);
    assert_int_equal(admit(c, "Bearer anything", 0, NULL), VB_ADMITTED);
    assert_int_equal(admit(c, NULL, 0, NULL), VB_NOT_ADMITTED_RATE);
    vb_clients_close(c);
}

/* A minute's requests at once, then one each interval; what was refused takes nothing. */
static void test_rate(void **state) {
    (void)state;
    vb_clients *c = open_keys(",\"requests_per_minute\":6");
    uint64_t now = 1000 * SECOND_NS;
    uint32_t wait = 0;
    for (int i = 0; i < 6; i++) {
        assert_int_equal(admit(c, "Bearer secret", now, &wait), VB_ADMITTED);
    }
    for (int i = 0; i < 100; i++) {
        assert_int_equal(admit(c, "Bearer secret", now, &wait), VB_NOT_ADMITTED_RATE);
        assert_int_equal(wait, 10);
    }
    assert_int_equal(admit(c, "Bearer secret", now + 10 * SECOND_NS - 1, &wait),
                     VB_NOT_ADMITTED_RATE);
    assert_int_equal(wait, 1);
    assert_int_equal(admit(c, "Bearer secret", now + 10 * SECOND_NS, &wait), VB_ADMITTED);
    assert_int_equal(admit(c, "Bearer secret", now + 10 * SECOND_NS, &wait), VB_NOT_ADMITTED_RATE);
    now += 1000 * SECOND_NS; /* no more than one minute's are saved up */
    for (int i = 0; i < 6; i++) {
        assert_int_equal(admit(c, "Bearer secret", now, &wait), VB_ADMITTED);
    }
    assert_int_equal(admit(c, "Bearer secret", now, &wait), VB_NOT_ADMITTED_RATE);
    vb_clients_close(c);
}

static void test_concurrency(void **state) {
    (void)state;
    vb_clients *c = open_keys(",\"concurrent\":2");
    vb_client *a, *b, *none = NULL;
    uint32_t wait = 0;
    assert_int_equal(vb_clients_admit(c, "Bearer secret", 0, &a, &wait), VB_ADMITTED);
    assert_int_equal(vb_clients_admit(c, "Bearer secret", 0, &b, &wait), VB_ADMITTED);
    assert_int_equal(vb_clients_admit(c, "Bearer secret", 0, &none, &wait),
                     VB_NOT_ADMITTED_CONCURRENCY);
    assert_null(none);
    assert_int_equal(wait, 1);
    vb_clients_leave(c, a);
    assert_int_equal(vb_clients_admit(c, "Bearer secret", 0, &a, &wait), VB_ADMITTED);
    vb_clients_leave(c, a);
    vb_clients_leave(c, b);
    vb_clients_close(c);
}

static void test_files(void **state) {
    (void)state;
#define HEX64 "00000000000000000000000000000000000000000000000000000000000000aa"
    static const struct {
        const char *text, *word;
    } cases[] = {
        {"", ""},
        {"{", ""},
        {"[]", ""},
        {"{}", "keys"},
        {"{\"keys\":[]}", "keys"},
        {"{\"keys\":[1]}", "keys[0]"},
        {"{\"keys\":[{}]}", "keys[0].name"},
        {"{\"keys\":[{\"name\":\"a\"}]}", "keys[0].sha256"},
        {"{\"keys\":[{\"name\":\"\",\"sha256\":\"" HEX64 "\"}]}", "keys[0].name"},
        {"{\"keys\":[{\"name\":\"a\\n\",\"sha256\":\"" HEX64 "\"}]}", "keys[0].name"},
        {"{\"keys\":[{\"name\":\"a\",\"sha256\":\"" HEX64 "0\"}]}", "keys[0].sha256"},
        {"{\"keys\":[{\"name\":\"a\",\"sha256\":\"" HEX64 "\",\"admin\":true}]}", "keys[0].admin"},
        {"{\"keys\":[{\"name\":\"a\",\"sha256\":\"" HEX64 "\",\"concurrent\":-1}]}",
         "keys[0].concurrent"},
        {"{\"keys\":[{\"name\":\"a\",\"sha256\":\"" HEX64 "\",\"requests_per_minute\":\"1\"}]}",
         "keys[0].requests_per_minute"},
        {"{\"keys\":[{\"name\":\"a\",\"sha256\":\"" HEX64 "\"},{\"name\":\"b\",\"sha256\":\"" HEX64
         "\"}]}",
         "keys[1]"},
        {"{\"keys\":[{\"name\":\"a\",\"sha256\":\"" HEX64 "\"}],\"more\":1}", "more"},
    };
    const vb_client_limits defaults = {0, 0};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        vb_clients *c = NULL;
        vb_error e = {VB_OK, ""};
        assert_int_equal(vb_clients_open(cases[i].text, strlen(cases[i].text), &defaults, &c, &e),
                         VB_EFORMAT);
        assert_null(c);
        assert_non_null(strstr(e.msg, cases[i].word));
    }
}

static void test_one_key(void **state) {
    (void)state;
    uint8_t sha256[VB_SHA256_BYTES];
    vb_sha256_of("secret", 6, sha256);
    assert_true(vb_client_key_is("Bearer secret", sha256));
    assert_true(vb_client_key_is("bearer   secret", sha256));
    static const char *const others[] = {
        "", "secret", "Bearer", "Bearer ", "Bearer secre", "Bearer secret ", "Basic secret"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_false(vb_client_key_is(others[i], sha256));
    }
    assert_false(vb_client_key_is(NULL, sha256));
    for (size_t i = 0; i < sizeof sha256; i++) {
        sha256[i] ^= 1;
        assert_false(vb_client_key_is("Bearer secret", sha256));
        sha256[i] ^= 1;
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys),  cmocka_unit_test(test_everybody),
        cmocka_unit_test(test_rate),  cmocka_unit_test(test_concurrency),
        cmocka_unit_test(test_files), cmocka_unit_test(test_one_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
