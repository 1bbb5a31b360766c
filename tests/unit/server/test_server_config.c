/* Every setting, by its row of the table: from a file, from text, and back. */
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "server/config.h"
#include "support/testing.h"

static const vb_setting *find(const char *name) {
    size_t n;
    const vb_setting *s = vb_server_settings(&n);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(s[i].name, name) == 0) {
            return &s[i];
        }
    }
    fail_msg("no setting %s", name);
    return NULL;
}

static vb_err read_text(vb_server_config *c, const char *text, vb_error *e) {
    return vb_server_config_read(c, text, strlen(text), e);
}

/* At its ends a number is taken, beyond them it is refused and the setting stays. */
static void check_number(const vb_setting *s) {
    vb_server_config c;
    vb_error e;
    assert_int_equal(vb_server_config_begin(&c, &e), VB_OK);
    uint64_t *value = (uint64_t *)((char *)&c + s->offset);
    char text[128];
    const uint64_t good[2] = {s->min, s->max};
    for (int i = 0; i < 2; i++) {
        snprintf(text, sizeof text, "{\"%s\": %llu}", s->name, (unsigned long long)good[i]);
        assert_int_equal(read_text(&c, text, &e), VB_OK);
        assert_true(*value == good[i]);
        snprintf(text, sizeof text, "%llu", (unsigned long long)good[i]);
        *value = 12345;
        assert_int_equal(vb_server_config_set(&c, s, text, "--x", &e), VB_OK);
        assert_true(*value == good[i]);
    }
    snprintf(text, sizeof text, "%llu", (unsigned long long)s->max + 1);
    assert_int_equal(vb_server_config_set(&c, s, text, "--x", &e), VB_EINVAL);
    assert_non_null(strstr(e.msg, "--x"));
    snprintf(text, sizeof text, "{\"%s\": %llu}", s->name, (unsigned long long)s->max + 1);
    assert_int_equal(read_text(&c, text, &e), VB_EFORMAT);
    assert_non_null(strstr(e.msg, s->name));
    static const char *const bad[] = {"",   " 1",  "1 ",   "-1",
                                      "+1", "1.0", "0x10", "99999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(vb_server_config_set(&c, s, bad[i], "--x", &e), VB_EINVAL);
    }
    if (s->min) {
        snprintf(text, sizeof text, "%llu", (unsigned long long)s->min - 1);
        assert_int_equal(vb_server_config_set(&c, s, text, "--x", &e), VB_EINVAL);
    }
    assert_true(*value == s->max);
    vb_server_config_free(&c);
}

static void check_types(const vb_setting *s) {
    static const char *const values[] = {"null",    "\"x\"", "1",    "true",
                                         "[\"x\"]", "{}",    "\"\"", "[1]"};
    /* Which of them each kind takes: bits of the list above. */
    const unsigned takes = s->kind == VB_SETTING_TEXT     ? 1u << 1
                           : s->kind == VB_SETTING_NUMBER ? 1u << 2
                           : s->kind == VB_SETTING_FLAG   ? 1u << 3
                                                          : 1u << 1 | 1u << 4;
    for (unsigned i = 0; i < sizeof values / sizeof values[0]; i++) {
        vb_server_config c;
        vb_error e;
        char text[128];
        assert_int_equal(vb_server_config_begin(&c, &e), VB_OK);
        snprintf(text, sizeof text, "{\"%s\": %s}", s->name, values[i]);
        const bool low = s->kind == VB_SETTING_NUMBER && s->min > 1; /* of which 1 is too few */
        assert_int_equal(read_text(&c, text, &e), takes >> i & 1 && !low ? VB_OK : VB_EFORMAT);
        vb_server_config_free(&c);
    }
}

static void test_each(void **state) {
    (void)state;
    size_t n;
    const vb_setting *s = vb_server_settings(&n);
    for (size_t i = 0; i < n; i++) {
        check_types(&s[i]);
        if (s[i].kind == VB_SETTING_NUMBER) {
            check_number(&s[i]);
        }
    }
}

static void test_text(void **state) {
    (void)state;
    vb_server_config c;
    vb_error e;
    assert_int_equal(vb_server_config_begin(&c, &e), VB_OK);
    assert_string_equal(c.address, "127.0.0.1");
    assert_int_equal(vb_server_config_set(&c, find("address"), "::1", "--address", &e), VB_OK);
    assert_string_equal(c.address, "::1");
    assert_int_equal(vb_server_config_set(&c, find("address"), "", "--address", &e), VB_EINVAL);
    assert_int_equal(vb_server_config_set(&c, find("no_prefix_cache"), "true", "--x", &e), VB_OK);
    assert_true(c.no_prefix_cache);
    assert_int_equal(vb_server_config_set(&c, find("no_prefix_cache"), "yes", "--x", &e),
                     VB_EINVAL);
    assert_int_equal(vb_server_config_set(&c, find("cors_origins"), " a  b ", "--x", &e), VB_OK);
    assert_int_equal(c.cors_origins.n, 2);
    assert_string_equal(c.cors_origins.items[1], "b");
    assert_int_equal(vb_server_config_set(&c, find("cors_origins"), "c", "--x", &e), VB_OK);
    assert_int_equal(c.cors_origins.n, 1);
    char many[2 * VB_CONFIG_LIST_MAX + 3];
    memset(many, 'x', sizeof many);
    for (size_t i = 1; i < sizeof many; i += 2) {
        many[i] = ' ';
    }
    many[sizeof many - 1] = 0;
    assert_int_equal(vb_server_config_set(&c, find("cors_origins"), many, "--x", &e), VB_ELIMIT);
    static const char *const items[] = {"a b=c d", "e"};
    assert_int_equal(vb_server_config_set_items(&c, find("model"), items, 2, "--model", &e), VB_OK);
    assert_int_equal(c.model.n, 2);
    assert_string_equal(c.model.items[0], "a b=c d");
    assert_int_equal(
        vb_server_config_set_items(&c, find("model"), (const char *[]){""}, 1, "--model", &e),
        VB_EINVAL);
    assert_non_null(strstr(e.msg, "--model"));
    assert_int_equal(read_text(&c, "{\"address\": \"a\\u0000b\"}", &e), VB_EFORMAT);
    vb_server_config_free(&c);
}

static void test_model(void **state) {
    (void)state;
    static const struct {
        const char *item, *path;
        size_t n_names;
        const char *last;
    } good[] = {
        {"m.gguf", "m.gguf", 0, NULL},
        {"/a=b/m.gguf", "/a=b/m.gguf", 0, NULL},
        {"./a=b.gguf", "./a=b.gguf", 0, NULL},
        {"a=b=c.gguf", "b=c.gguf", 1, "a"},
        {"Some Model=/m.gguf", "/m.gguf", 1, "Some Model"},
        {"a,b,c=m", "m", 3, "c"},
        {"1,2,3,4,5,6,7,8=m", "m", 8, "8"},
    };
    static const char *const bad[] = {"",     "=m",   "a=",     ",=m",
                                      "a,=m", ",a=m", "a,,b=m", "1,2,3,4,5,6,7,8,9=m"};
    vb_config_model m;
    vb_error e;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_int_equal(vb_server_config_model(good[i].item, &m, &e), VB_OK);
        assert_string_equal(m.path, good[i].path);
        assert_int_equal(m.n_names, good[i].n_names);
        if (m.n_names) {
            assert_string_equal(m.names[m.n_names - 1], good[i].last);
        }
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(vb_server_config_model(bad[i], &m, &e), VB_EINVAL);
        assert_non_null(strstr(e.msg, "model"));
    }
    char item[VB_RECEIPT_NAME_BYTES_MAX + 8];
    for (size_t n = VB_RECEIPT_NAME_BYTES_MAX; n <= VB_RECEIPT_NAME_BYTES_MAX + 1; n++) {
        memset(item, 'x', n);
        memcpy(item + n, "=m", 3);
        assert_int_equal(vb_server_config_model(item, &m, &e),
                         n > VB_RECEIPT_NAME_BYTES_MAX ? VB_EINVAL : VB_OK);
    }
}

#define WITNESS "witness.example/w+5154e33f+BAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
#define ANOTHER "a=b+550e1ddd+BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define RENAMED "c+6dad4b2b+BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" /* of ANOTHER's key */
#define A_LOG "log.example+5d23591e+AQABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"

static void test_witness(void **state) {
    (void)state;
    vb_config_witness w;
    vb_error e;
    assert_int_equal(vb_server_config_witness(WITNESS "=https://w.example/x/", &w, &e), VB_OK);
    assert_string_equal(w.key.name, "witness.example/w");
    assert_string_equal(w.url, "https://w.example/x/");
    assert_int_equal(vb_server_config_witness(ANOTHER "=http://[::1]:7/a=b", &w, &e), VB_OK);
    assert_string_equal(w.key.name, "a=b");
    assert_string_equal(w.url, "http://[::1]:7/a=b");
    static const char *const bad[] = {
        "",
        "=",
        "+",
        WITNESS,
        WITNESS "=",
        WITNESS "=w.example",
        WITNESS "=ftp://w.example",
        WITNESS "x=https://w.example",
        "https://w.example=" WITNESS,
        A_LOG "=https://w.example",
        "x" WITNESS "=https://w.example", /* not this name's id */
        "witness.example/w+00000000+short=https://w.example",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (!vb_server_config_witness(bad[i], &w, &e) || !strstr(e.msg, "log_witnesses")) {
            fail_msg("%s: %s", bad[i], e.msg);
        }
    }
}

static void test_together(void **state) {
    (void)state;
    static const struct {
        const char *text;
        vb_err err;
    } cases[] = {
        {"{\"model\":\"m\"}", VB_OK},
        {"{}", VB_EINVAL},
        {"{\"model\":\"m\",\"tls_key\":\"k\"}", VB_EINVAL},
        {"{\"model\":\"m\",\"tls_key\":\"k\",\"tls_certificate\":\"c\"}", VB_OK},
        {"{\"model\":\"m\",\"beacon_mode\":\"fixed\"}", VB_EINVAL},
        {"{\"model\":\"m\",\"beacon_fallback\":\"local\"}", VB_EINVAL},
        {"{\"model\":\"m\",\"beacon\":\"drand\",\"beacon_fallback\":\"nist\"}", VB_EINVAL},
        {"{\"model\":\"m\",\"beacon\":\"drand\",\"beacon_fallback\":\"local\"}", VB_OK},
        {"{\"model\":\"m\",\"beacon_urls\":[\"u\"]}", VB_EINVAL},
        {"{\"model\":[\"a=m\",\"b=n\"]}", VB_OK},
        {"{\"model\":[]}", VB_EINVAL},
        {"{\"model\":[\"m\",\"=n\"]}", VB_EINVAL},
        {"{\"model\":\"m\",\"model_name\":\"x\"}", VB_OK},
        {"{\"model\":\"a=m\",\"model_name\":\"x\"}", VB_EINVAL},
        {"{\"model\":[\"m\",\"n\"],\"model_name\":\"x\"}", VB_EINVAL},
        {"{\"model\":\"m\",\"cors_origins\":[\"a b\"]}", VB_EINVAL},
        {"{\"model\":\"m\",\"metrics_key\":\"secret\"}", VB_EINVAL},
        {"{\"model\":\"m\",\"metrics_key\":"
         "\"00000000000000000000000000000000000000000000000000000000000000ff\"}",
         VB_OK},
        {"{\"model\":\"m\",\"public_receipts\":true}", VB_EINVAL},
        {"{\"model\":\"m\",\"public_receipts\":true,\"api_keys\":\"k\"}", VB_OK},
        {"{\"model\":\"m\",\"log_level\":\"warning\",\"log_form\":\"text\"}", VB_OK},
        {"{\"model\":\"m\",\"log_level\":\"loud\"}", VB_EINVAL},
        {"{\"model\":\"m\",\"log_form\":\"xml\"}", VB_EINVAL},
        {"{\"model\":\"m\",\"log\":\"d\"}", VB_OK},
        {"{\"model\":\"m\",\"log\":\"d\",\"log_origin\":\"logs.example/a\"}", VB_OK},
        {"{\"model\":\"m\",\"log\":\"d\",\"log_origin\":\"a b\"}", VB_EINVAL},
        {"{\"model\":\"m\",\"log\":\"d\",\"log_origin\":\"a+b\"}", VB_EINVAL},
        {"{\"model\":\"m\",\"log_origin\":\"a\"}", VB_EINVAL},
        {"{\"model\":\"m\",\"log_witnesses\":\"" WITNESS "=http://w\"}", VB_EINVAL},
        {"{\"model\":\"m\",\"log\":\"d\",\"log_witnesses\":\"" WITNESS "=http://w\"}", VB_OK},
        {"{\"model\":\"m\",\"log\":\"d\",\"log_witnesses\":\"http://w\"}", VB_EINVAL},
        {"{\"model\":\"m\",\"log\":\"d\",\"log_witnesses\":[\"" WITNESS "=http://w\",\"" ANOTHER
         "=http://w\"]}",
         VB_OK},
        {"{\"model\":\"m\",\"log\":\"d\",\"log_witnesses\":[\"" RENAMED "=http://w\",\"" ANOTHER
         "=http://v\"]}",
         VB_EINVAL},
        {"{\"model\":\"m\",\"log\":\"d\",\"log_publish_s\":60}", VB_EINVAL},
        {"{\"model\":\"m\",\"log\":\"d\",\"log_publish_s\":60,\"log_within_s\":61}", VB_OK},
        {"{\"model\":\"m\",\"log\":\"d\",\"log_settle_s\":3600}", VB_EINVAL},
        {"{\"model\":\"m\",\"log\":\"d\",\"log_settle_s\":3600,\"request_s\":3599}", VB_OK},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        vb_server_config c;
        vb_error e;
        assert_int_equal(vb_server_config_begin(&c, &e), VB_OK);
        assert_int_equal(read_text(&c, cases[i].text, &e), VB_OK);
        assert_int_equal(vb_server_config_check(&c, &e), cases[i].err);
        vb_server_config_free(&c);
    }
}

static void test_write(void **state) {
    (void)state;
    vb_server_config c, d;
    vb_error e;
    vb_buf once = vb_buf_make(1 << 20), twice = vb_buf_make(1 << 20);
    assert_int_equal(vb_server_config_begin(&c, &e), VB_OK);
    assert_int_equal(
        read_text(&c, "{\"model\":\"m\",\"cors_origins\":[\"a\",\"b\"],\"port\":7}", &e), VB_OK);
    assert_int_equal(vb_server_config_write(&c, &once, &e), VB_OK);
    assert_int_equal(vb_server_config_begin(&d, &e), VB_OK);
    assert_int_equal(vb_server_config_read(&d, once.data, once.len, &e), VB_OK);
    assert_int_equal(vb_server_config_write(&d, &twice, &e), VB_OK);
    assert_string_equal((const char *)once.data, (const char *)twice.data);
    vb_buf_free(&once);
    vb_buf_free(&twice);
    vb_server_config_free(&c);
    vb_server_config_free(&d);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each),  cmocka_unit_test(test_text),
        cmocka_unit_test(test_model), cmocka_unit_test(test_together),
        cmocka_unit_test(test_write), cmocka_unit_test(test_witness),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
