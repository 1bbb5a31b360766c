/*
 * The HTTP client against a server with every fault: what it asks, what it refuses, and that time
 * and memory stay within what was allowed.
 */
#include "fetch/http.h"

#include <stdbool.h>

#include "base/system.h"
#include "unit/fetch/server.h"

enum { BODY_BYTES_MAX = 1 << 20 };

static server plain;

static const char *url_of(const char *scheme, const server *s, const char *path) {
    static char url[512];
    snprintf(url, sizeof url, "%s://127.0.0.1:%u%s", scheme, s->port, path);
    return url;
}

static uint64_t ms_now(void) {
    return vb_clock_ns() / 1000000u;
}

static vb_http *open_client(vb_http_options o) {
    vb_http *h = NULL;
    vb_error e = {0};
    if (vb_http_open(&o, &h, &e)) {
        fail_msg("%s", e.msg);
    }
    return h;
}

static void requests_say_who_asks_and_nothing_else(void **state) {
    vb_http *h = open_client((vb_http_options){0});
    vb_buf body = vb_buf_make(BODY_BYTES_MAX);
    vb_error e = {0};
    long status = -1;
    (void)state;
    assert_int_equal(vb_http_get(h, url_of("http", &plain, "/echo"), &body, &status, &e), VB_OK);
    const char *text = (const char *)body.data;
    assert_int_equal(status, 200);
    assert_non_null(strstr(text, "\"method\": \"GET\""));
    assert_non_null(strstr(text, "\"User-Agent\": \"verbatim/"));
    assert_non_null(strstr(text, "\"Accept\": \"application/json"));
    assert_null(strstr(text, "Cookie"));
    assert_null(strstr(text, "Accept-Encoding"));
    assert_null(strstr(text, "Authorization"));
    assert_int_equal(
        vb_http_post_json(h, url_of("http", &plain, "/echo"), "{\"a\":1}", &body, NULL, &e), VB_OK);
    text = (const char *)body.data;
    assert_non_null(strstr(text, "\"method\": \"POST\""));
    assert_non_null(strstr(text, "\"Content-Type\": \"application/json\""));
    assert_non_null(strstr(text, "{\\\"a\\\":1}"));
    /* A GET after a POST has no body and no type. */
    assert_int_equal(vb_http_get(h, url_of("http", &plain, "/echo"), &body, &status, &e), VB_OK);
    text = (const char *)body.data;
    assert_non_null(strstr(text, "\"method\": \"GET\""));
    assert_non_null(strstr(text, "\"body\": \"\""));
    assert_null(strstr(text, "Content-Type"));
    vb_buf_free(&body);
    vb_http_close(h);
}

/* A text gets whatever answers it; what is no answer stays an error. */
static void texts_get_any_answer(void **state) {
    vb_http *h = open_client((vb_http_options){.total_ms = 700, .bytes_max = 1000});
    vb_buf body = vb_buf_make(BODY_BYTES_MAX);
    vb_error e = {0};
    long status = -1;
    (void)state;
    assert_int_equal(vb_http_post_text(h, url_of("http", &plain, "/fault/status-409/echo"),
                                       "1\n\0x", 4, &body, &status, &e),
                     VB_OK);
    assert_int_equal(status, 409);
    assert_string_equal((const char *)body.data, "{\"error\": \"no\"}");
    assert_int_equal(vb_http_post_text(h, url_of("http", &plain, "/fault/status-204/echo"), "", 0,
                                       &body, &status, &e),
                     VB_OK);
    assert_true(status == 204 && body.len == 0);
    assert_int_equal(vb_http_post_text(h, url_of("http", &plain, "/fault/redirect/echo"), "{}", 2,
                                       &body, &status, &e),
                     VB_EIO);
    assert_int_equal(vb_http_post_text(h, url_of("http", &plain, "/fault/gigabytes/echo"), "{}", 2,
                                       &body, &status, &e),
                     VB_ELIMIT);
    assert_int_equal(vb_http_post_text(h, url_of("http", &plain, "/fault/slow/echo"), "{}", 2,
                                       &body, &status, &e),
                     VB_EIO);
    assert_int_equal(
        vb_http_post_text(h, url_of("http", &plain, "/echo"), "old 0\n", 6, &body, &status, &e),
        VB_OK);
    const char *text = (const char *)body.data;
    assert_non_null(strstr(text, "\"Content-Type\": \"text/plain; charset=utf-8\""));
    assert_non_null(strstr(text, "\"body\": \"old 0\\n\""));
    vb_buf_free(&body);
    vb_http_close(h);
}

static void bytes_are_bounded_exactly(void **state) {
    vb_http *h = open_client((vb_http_options){.bytes_max = 1000});
    vb_buf body = vb_buf_make(BODY_BYTES_MAX), small = vb_buf_make(10);
    vb_error e = {0};
    (void)state;
    assert_int_equal(vb_http_get(h, url_of("http", &plain, "/bytes/1000"), &body, NULL, &e), VB_OK);
    assert_int_equal(body.len, 1000);
    assert_int_equal(vb_http_get(h, url_of("http", &plain, "/bytes/1001"), &body, NULL, &e),
                     VB_ELIMIT);
    assert_non_null(strstr(e.msg, "1000"));
    assert_int_equal(vb_http_get(h, url_of("http", &plain, "/bytes/0"), &body, NULL, &e), VB_OK);
    assert_int_equal(body.len, 0);
    assert_int_equal(vb_http_get(h, url_of("http", &plain, "/bytes/10"), &small, NULL, &e), VB_OK);
    assert_int_equal(vb_http_get(h, url_of("http", &plain, "/bytes/11"), &small, NULL, &e),
                     VB_ELIMIT);
    vb_buf_free(&body);
    vb_buf_free(&small);
    vb_http_close(h);
}

/* Each fault: its error, within the time allowed, with no more memory than the limits say; and the
 * client is as good as new after it. */
static void faults_are_bounded(void **state) {
    static const struct {
        const char *fault;
        vb_err err;
        long status;
        const char *says;
        bool by_timeout;
    } faults[] = {
        {"closes", VB_EIO, 0, "127.0.0.1", false},
        {"slow", VB_EIO, 0, "no whole answer in 700 ms", true},
        {"drip", VB_EIO, 200, "no whole answer in 700 ms", true},
        {"redirect", VB_EIO, 302, "redirect refused (HTTP 302)", false},
        {"gigabytes", VB_ELIMIT, 200, "limit of 100000 bytes", false},
        {"declared", VB_ELIMIT, 200, "limit of 100000 bytes", false},
        {"headers", VB_ELIMIT, 200, "limit of 100000 bytes", false},
        {"header-line", VB_EIO, 200, "127.0.0.1", false},
        {"continues", VB_ELIMIT, 0, "limit of 100000 bytes", false},
        {"truncated", VB_EIO, 200, "127.0.0.1", false},
        {"http09", VB_EIO, 0, "127.0.0.1", false},
        {"status-404", VB_EIO, 404, "HTTP status 404", false},
        {"status-429", VB_EIO, 429, "HTTP status 429", false},
        {"status-500", VB_EIO, 500, "HTTP status 500", false},
        {"status-503", VB_EIO, 503, "HTTP status 503", false},
        {"status-204", VB_EIO, 204, "HTTP status 204", false},
        {"status-304", VB_EIO, 304, "redirect refused", false},
    };
    vb_http *h = open_client((vb_http_options){.total_ms = 700, .bytes_max = 100000});
    vb_buf body = vb_buf_make(BODY_BYTES_MAX);
    (void)state;
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        char path[64];
        vb_error e = {0};
        long status = -1;
        snprintf(path, sizeof path, "/fault/%s/echo", faults[i].fault);
        const uint64_t start = ms_now();
        const vb_err err = vb_http_get(h, url_of("http", &plain, path), &body, &status, &e);
        const uint64_t took = ms_now() - start;
        if (err != faults[i].err || !strstr(e.msg, faults[i].says)) {
            fail_msg("%s: %s: %s", faults[i].fault, vb_err_name(err), e.msg);
        }
        /* An interim status is no status of the answer. */
        if (strcmp(faults[i].fault, "continues") != 0) {
            if (status != faults[i].status) {
                fail_msg("%s: status %ld", faults[i].fault, status);
            }
        }
        assert_true(took < 2000);
        assert_true(!faults[i].by_timeout || took >= 650);
        assert_true(body.cap <= 2 * 100000);
        assert_int_equal(vb_http_get(h, url_of("http", &plain, "/bytes/3"), &body, &status, &e),
                         VB_OK);
        assert_int_equal(status, 200);
        assert_int_equal(body.len, 3);
    }
    vb_buf_free(&body);
    vb_http_close(h);
}

static void nobody_listens(void **state) {
    vb_http *h = open_client((vb_http_options){.total_ms = 1000});
    vb_buf body = vb_buf_make(BODY_BYTES_MAX);
    vb_error e = {0};
    long status = -1;
    (void)state;
    assert_int_equal(vb_http_get(h, "http://127.0.0.1:1/x", &body, &status, &e), VB_EIO);
    assert_int_equal(status, 0);
    assert_non_null(strstr(e.msg, "127.0.0.1:1"));
    vb_buf_free(&body);
    vb_http_close(h);
}

static void a_limit_shortens_requests(void **state) {
    vb_http *h = open_client((vb_http_options){.total_ms = 60000});
    vb_buf body = vb_buf_make(BODY_BYTES_MAX);
    vb_error e = {0};
    (void)state;
    vb_http_limit_ms(h, 300);
    const uint64_t start = ms_now();
    assert_int_equal(vb_http_get(h, url_of("http", &plain, "/fault/slow/echo"), &body, NULL, &e),
                     VB_EIO);
    assert_in_range(ms_now() - start, 280, 1500);
    vb_buf_free(&body);
    vb_http_close(h);
}

static bool three_times(void *user) {
    return ++*(int *)user <= 3;
}

static void the_caller_can_stop(void **state) {
    int asked = 0;
    vb_http *h = open_client((vb_http_options){.keep_going = three_times, .user = &asked});
    vb_buf body = vb_buf_make(BODY_BYTES_MAX);
    vb_error e = {0};
    (void)state;
    const uint64_t start = ms_now();
    assert_int_equal(vb_http_get(h, url_of("http", &plain, "/fault/slow/echo"), &body, NULL, &e),
                     VB_ECANCELLED);
    assert_int_equal(asked, 4);
    assert_true(ms_now() - start < 2000);
    vb_buf_free(&body);
    vb_http_close(h);
}

static void urls_that_are_none(void **state) {
    static const char *const urls[] = {
        "",        "localhost",   "ftp://127.0.0.1/x",         "file:///etc/passwd",
        "http://", "http://a b/", "http://127.0.0.1\r\nX: y/", "javascript:alert(1)",
        "https//x"};
    vb_http *h = open_client((vb_http_options){0});
    vb_buf body = vb_buf_make(BODY_BYTES_MAX);
    char name[VB_HTTP_NAME_BYTES], longest[VB_PATH_BYTES_MAX + 2] = "http://127.0.0.1/";
    vb_error e = {0};
    long status = -1;
    (void)state;
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        if (vb_http_get(h, urls[i], &body, &status, &e) != VB_EINVAL) {
            fail_msg("%s was taken for a URL", urls[i]);
        }
        assert_int_equal(status, 0);
        assert_int_equal(vb_http_check_url(urls[i], &e), VB_EINVAL);
        vb_http_server_name(urls[i], name);
        assert_string_equal(name, "?");
    }
    memset(longest + strlen(longest), 'a', sizeof longest - 1 - strlen(longest));
    longest[sizeof longest - 1] = 0;
    assert_int_equal(vb_http_check_url(longest, &e), VB_EINVAL);
    longest[sizeof longest - 2] = 0;
    assert_int_equal(vb_http_check_url(longest, &e), VB_OK);
    vb_buf_free(&body);
    vb_http_close(h);
}

static void messages_hold_no_secrets(void **state) {
    char url[256], name[VB_HTTP_NAME_BYTES];
    vb_http *h = open_client((vb_http_options){.total_ms = 500});
    vb_buf body = vb_buf_make(BODY_BYTES_MAX);
    (void)state;
    static const char *const paths[] = {"/fault/status-500/KEY", "/fault/closes/KEY",
                                        "/fault/slow/KEY?KEY", "/fault/redirect/KEY"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        vb_error e = {0};
        snprintf(url, sizeof url, "http://user:secret@127.0.0.1:%u%s", plain.port, paths[i]);
        assert_int_equal(vb_http_get(h, url, &body, NULL, &e), VB_EIO);
        assert_non_null(strstr(e.msg, "127.0.0.1"));
        assert_null(strstr(e.msg, "secret"));
        assert_null(strstr(e.msg, "user"));
        assert_null(strstr(e.msg, "KEY"));
    }
    vb_http_server_name("https://user:secret@example.org:8443/KEY?KEY", name);
    assert_string_equal(name, "example.org:8443");
    /* They are sent, though. */
    snprintf(url, sizeof url, "http://user:secret@127.0.0.1:%u/echo", plain.port);
    assert_int_equal(vb_http_get(h, url, &body, NULL, NULL), VB_OK);
    assert_non_null(strstr((const char *)body.data, "Basic dXNlcjpzZWNyZXQ="));
    vb_buf_free(&body);
    vb_http_close(h);
}

static void proxies_are_not_for_this_machine(void **state) {
    char proxy[64];
    vb_http *h = open_client((vb_http_options){.total_ms = 3000});
    vb_buf body = vb_buf_make(BODY_BYTES_MAX);
    vb_error e = {0};
    (void)state;
    snprintf(proxy, sizeof proxy, "http://127.0.0.1:%u", plain.port);
    setenv("http_proxy", proxy, 1);
    assert_int_equal(vb_http_get(h, "http://beacon.invalid/x", &body, NULL, &e), VB_OK);
    assert_non_null(strstr((const char *)body.data, "{\"proxied\": \"http://beacon.invalid/x\"}"));
    static const char *const here[] = {"127.0.0.1", "localhost", "127.1", "LOCALHOST"};
    for (size_t i = 0; i < sizeof here / sizeof here[0]; i++) {
        char url[128];
        snprintf(url, sizeof url, "http://%s:%u/echo", here[i], plain.port);
        assert_int_equal(vb_http_get(h, url, &body, NULL, &e), VB_OK);
        assert_null(strstr((const char *)body.data, "proxied"));
    }
    unsetenv("http_proxy");
    assert_int_equal(vb_http_get(h, "http://beacon.invalid/x", &body, NULL, &e), VB_EIO);
    vb_buf_free(&body);
    vb_http_close(h);
}

/* A certificate that nobody signed but itself, for localhost; its folder. */
static const char *self_signed(void) {
    static char dir[] = "/tmp/verbatim-http-XXXXXX";
    char command[512];
    assert_non_null(mkdtemp(dir));
    snprintf(command, sizeof command,
             "openssl req -x509 -newkey rsa:2048 -nodes -keyout %s/key.pem -out %s/cert.pem "
             "-subj /CN=localhost -addext subjectAltName=DNS:localhost >/dev/null 2>&1",
             dir, dir);
    assert_int_equal(system(command), 0);
    return dir;
}

static vb_err get_tls(const server *s, const char *host, const char *ca_file, vb_error *e) {
    char url[128];
    vb_http *h = open_client((vb_http_options){.total_ms = 5000, .ca_file = ca_file});
    vb_buf body = vb_buf_make(BODY_BYTES_MAX);
    snprintf(url, sizeof url, "https://%s:%u/bytes/5", host, s->port);
    const vb_err err = vb_http_get(h, url, &body, NULL, e);
    if (!err) {
        assert_int_equal(body.len, 5);
    }
    vb_buf_free(&body);
    vb_http_close(h);
    return err;
}

static void tls_is_verified(void **state) {
    char cert[64], key[64];
    const char *dir = self_signed();
    server tls, old;
    vb_error e = {0};
    vb_http *h = NULL;
    (void)state;
    snprintf(cert, sizeof cert, "%s/cert.pem", dir);
    snprintf(key, sizeof key, "%s/key.pem", dir);
    const char *const arguments[] = {"--cert", cert, "--key", key, NULL};
    server_start(&tls, arguments);
    assert_int_equal(get_tls(&tls, "localhost", NULL, &e), VB_EIO);
    assert_non_null(strstr(e.msg, "certificate"));
    assert_int_equal(get_tls(&tls, "localhost", cert, &e), VB_OK);
    /* It is not the certificate of this name. */
    assert_int_equal(get_tls(&tls, "127.0.0.1", cert, &e), VB_EIO);
    /* Plain HTTP where TLS is spoken. */
    vb_buf body = vb_buf_make(BODY_BYTES_MAX);
    h = open_client((vb_http_options){.total_ms = 2000});
    assert_int_equal(vb_http_get(h, url_of("http", &tls, "/bytes/5"), &body, NULL, &e), VB_EIO);
    assert_int_equal(vb_http_get(h, url_of("https", &plain, "/bytes/5"), &body, NULL, &e), VB_EIO);
    vb_http_close(h);
    /* Whoever hangs up in the middle does not end the program by a signal. */
    h = open_client((vb_http_options){.total_ms = 2000, .ca_file = cert});
    for (int i = 0; i < 5; i++) {
        char url[128];
        snprintf(url, sizeof url, "https://localhost:%u/fault/closes/echo", tls.port);
        assert_int_equal(vb_http_get(h, url, &body, NULL, &e), VB_EIO);
        snprintf(url, sizeof url, "https://localhost:%u/bytes/5", tls.port);
        assert_int_equal(vb_http_get(h, url, &body, NULL, &e), VB_OK);
    }
    server_stop(&tls);
    vb_http_close(h);
    vb_buf_free(&body);
    /* TLS 1.1 is refused whoever signed. */
    const char *const old_arguments[] = {"--cert", cert, "--key", key, "--tls-max=1.1", NULL};
    server_start(&old, old_arguments);
    assert_int_equal(get_tls(&old, "localhost", cert, &e), VB_EIO);
    server_stop(&old);
    /* No file; and one without certificates. */
    assert_int_equal(vb_http_open(&(vb_http_options){.ca_file = "/nonexistent"}, &h, &e), VB_EIO);
    assert_non_null(strstr(e.msg, "/nonexistent"));
    server_start(&tls, arguments);
    assert_int_equal(get_tls(&tls, "localhost", key, &e), VB_EIO);
    server_stop(&tls);
    unlink(cert);
    unlink(key);
    rmdir(dir);
}

static int start(void **state) {
    (void)state;
    /* What this machine's user has set is not what is tested. */
    static const char *const names[] = {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy",
                                        "ALL_PROXY",  "no_proxy",    "NO_PROXY"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        unsetenv(names[i]);
    }
    server_start(&plain, NULL);
    return 0;
}

static int stop(void **state) {
    (void)state;
    server_stop(&plain);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_say_who_asks_and_nothing_else),
        cmocka_unit_test(texts_get_any_answer),
        cmocka_unit_test(bytes_are_bounded_exactly),
        cmocka_unit_test(faults_are_bounded),
        cmocka_unit_test(nobody_listens),
        cmocka_unit_test(a_limit_shortens_requests),
        cmocka_unit_test(the_caller_can_stop),
        cmocka_unit_test(urls_that_are_none),
        cmocka_unit_test(messages_hold_no_secrets),
        cmocka_unit_test(proxies_are_not_for_this_machine),
        cmocka_unit_test(tls_is_verified),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
