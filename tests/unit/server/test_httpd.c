/* The HTTP side without a model: limits, slow and half-open clients, replies of other threads,
 * streams, drain. Real sockets on 127.0.0.1. */
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/system.h"
#include "server/httpd.h"
#include "support/testing.h"

enum { ANSWER_BYTES = 1 << 20, HEADER_MS = 700, BODY_MS = 700, WAIT_MS = 5000 };

typedef struct server {
    vb_httpd *h;
    atomic_int finished, gone, told_gone, admitted;
    atomic_uint last_status;
    _Atomic(vb_exchange *) held; /* of /later and /stream: the test replies */
} server;

static void on_gone(void *user) {
    atomic_fetch_add(&((server *)user)->told_gone, 1);
}

static void echo(void *user, vb_exchange *x) {
    (void)user;
    size_t n;
    const uint8_t *bytes = vb_exchange_body(x, &n);
    vb_buf body = vb_buf_make(SIZE_MAX);
    assert_int_equal(vb_buf_append(&body, bytes, n), VB_OK);
    vb_exchange_reply(x, 200, "text/plain", &body);
}

static void rest(void *user, vb_exchange *x) {
    (void)user;
    vb_exchange_reply_text(x, 200, "text/plain", vb_exchange_rest(x));
}

static void later(void *user, vb_exchange *x) {
    server *s = user;
    vb_exchange_hold(x);
    vb_exchange_on_gone(x, on_gone, s);
    atomic_store(&s->held, x);
}

static void stream(void *user, vb_exchange *x) {
    server *s = user;
    vb_exchange_stream(x, 200, "text/event-stream");
    later(s, x);
}

static bool admit(void *user, vb_exchange *x, const vb_httpd_route *route) {
    server *s = user;
    atomic_fetch_add(&s->admitted, 1);
    if (!route->open && vb_exchange_header(x, "X-Refuse")) {
        vb_exchange_set_header(x, "WWW-Authenticate", "Bearer");
        vb_exchange_fail(x, 401, "invalid_api_key", "no");
        return false;
    }
    return true;
}

static void finished(void *user, const vb_exchange_summary *e, void *client) {
    server *s = user;
    assert_null(client);
    atomic_store(&s->last_status, e->status);
    atomic_fetch_add(&s->gone, e->gone);
    atomic_fetch_add(&s->finished, 1);
}

static const vb_httpd_route routes[] = {
    {"POST", "/echo", "echo", false, 1000, echo},    {"GET", "/rest/*", "rest", false, 0, rest},
    {"GET", "/open", "open", true, 0, rest},         {"GET", "/later", "later", false, 0, later},
    {"POST", "/stream", "stream", false, 8, stream}, {"PUT", "/echo", "put", false, 8, echo},
};

static const char *const origins[] = {"https://page.example"};

static void open_server(server *s, size_t connections_per_address) {
    memset(s, 0, sizeof *s);
    const vb_httpd_options o = {
        .address = "127.0.0.1",
        .connections_max = 16,
        .connections_per_address_max = connections_per_address,
        .header_bytes_max = 8192,
        .bodies_bytes_max = 1500,
        .header_ms = HEADER_MS,
        .body_ms = BODY_MS,
        .idle_ms = 60000,
        .send_ms = 500,
        .stream_bytes_max = 1 << 20,
        .cors_origins = origins,
        .n_cors_origins = 1,
        .routes = routes,
        .n_routes = sizeof routes / sizeof routes[0],
        .admit = admit,
        .finished = finished,
        .user = s,
    };
    vb_error e;
    assert_int_equal(vb_httpd_open(&o, &s->h, &e), VB_OK);
    assert_int_equal(vb_httpd_start(s->h, &e), VB_OK);
    assert_int_not_equal(vb_httpd_port(s->h), 0);
}

static int dial(const server *s) {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    const struct sockaddr_in at = {.sin_family = AF_INET,
                                   .sin_port = htons(vb_httpd_port(s->h)),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(connect(fd, (const struct sockaddr *)&at, sizeof at), 0);
    return fd;
}

static void say(int fd, const char *text) {
    const size_t n = strlen(text);
    assert_int_equal(send(fd, text, n, MSG_NOSIGNAL), (ssize_t)n);
}

/* Whether a whole response is there: its header, and as many bytes as that says. */
static bool is_whole(const char *answer, bool has_body) {
    const char *end = strstr(answer, "\r\n\r\n"), *length = strstr(answer, "Content-Length: ");
    return end && (!has_body || !length ||
                   strlen(end + 4) >= strtoull(length + strlen("Content-Length: "), NULL, 10));
}

/* Reads until the text is there, or the end, or the time is up; what was read. */
static size_t hear(int fd, const char *until, char *to, size_t max) {
    size_t n = 0;
    to[0] = 0;
    struct pollfd p = {fd, POLLIN, 0};
    while (n + 1 < max && !strstr(to, until) && poll(&p, 1, WAIT_MS) == 1) {
        const ssize_t got = recv(fd, to + n, max - 1 - n, 0);
        if (got <= 0) {
            break;
        }
        n += (size_t)got;
        to[n] = 0;
    }
    return n;
}

static bool is_closed(int fd, int within_ms) {
    struct pollfd p = {fd, POLLIN, 0};
    char bytes[4096];
    while (poll(&p, 1, within_ms) == 1) {
        if (recv(fd, bytes, sizeof bytes, 0) <= 0) {
            return true;
        }
    }
    return false;
}

/* One request on a connection of its own; the answer in a static buffer. */
static const char *ask(const server *s, const char *request) {
    static char answer[ANSWER_BYTES];
    const int fd = dial(s);
    say(fd, request);
    struct pollfd p = {fd, POLLIN, 0};
    size_t n = 0;
    answer[0] = 0;
    while (!is_whole(answer, strncmp(request, "HEAD ", 5) != 0) && poll(&p, 1, WAIT_MS) == 1) {
        const ssize_t got = recv(fd, answer + n, sizeof answer - 1 - n, 0);
        if (got <= 0) {
            break;
        }
        n += (size_t)got;
        answer[n] = 0;
    }
    close(fd);
    return answer;
}

static void wait_for(atomic_int *what, int n) {
    for (int i = 0; i < WAIT_MS && atomic_load(what) < n; i++) {
        usleep(1000);
    }
    assert_true(atomic_load(what) >= n);
}

static vb_exchange *wait_held(server *s) {
    for (int i = 0; i < WAIT_MS && !atomic_load(&s->held); i++) {
        usleep(1000);
    }
    assert_non_null(atomic_load(&s->held));
    return atomic_exchange(&s->held, NULL);
}

#define HAS(answer, text) assert_non_null(strstr(answer, text))

static void test_routes(void **state) {
    (void)state;
    server s;
    open_server(&s, 0);
    const char *a = ask(&s, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
    HAS(a, "HTTP/1.1 200");
    HAS(a, "\r\n\r\nhello");
    HAS(a, "X-Request-Id: req-");
    a = ask(&s, "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                "3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n");
    HAS(a, "\r\n\r\nhello");
    HAS(ask(&s, "GET /rest/a HTTP/1.1\r\nHost: x\r\n\r\n"), "\r\n\r\na");
    a = ask(&s, "HEAD /rest/a HTTP/1.1\r\nHost: x\r\n\r\n");
    HAS(a, "HTTP/1.1 200");
    assert_null(strstr(a, "\r\n\r\na"));
    HAS(ask(&s, "GET /rest/ HTTP/1.1\r\nHost: x\r\n\r\n"), "HTTP/1.1 404");
    HAS(ask(&s, "GET /none HTTP/1.1\r\nHost: x\r\n\r\n"), "HTTP/1.1 404");
    HAS(ask(&s, "GET /%ff%0d%0aX:y HTTP/1.1\r\nHost: x\r\n\r\n"), "HTTP/1.1 404");
    /* Escapes are read, but for an end of text: this is not /open. */
    HAS(ask(&s, "GET /open%00 HTTP/1.1\r\nHost: x\r\n\r\n"), "HTTP/1.1 404");
    HAS(ask(&s, "GET /rest/%41%2F%2f%zz%00%4 HTTP/1.1\r\nHost: x\r\n\r\n"), "\r\n\r\nA//%zz%00%4");
    a = ask(&s, "GET /echo HTTP/1.1\r\nHost: x\r\n\r\n");
    HAS(a, "HTTP/1.1 405");
    HAS(a, "Allow: POST, PUT");
    a = ask(&s, "GET /rest/a HTTP/1.1\r\nHost: x\r\nX-Refuse: 1\r\n\r\n");
    HAS(a, "HTTP/1.1 401");
    HAS(a, "\"code\":\"invalid_api_key\"");
    HAS(ask(&s, "GET /rest/a HTTP/1.1\r\n\r\n"), "HTTP/1.1 400"); /* no Host */
    vb_httpd_close(s.h);
}

static void test_origins(void **state) {
    (void)state;
    server s;
    open_server(&s, 0);
    const char *a = ask(&s, "OPTIONS /echo HTTP/1.1\r\nHost: x\r\nOrigin: https://page.example\r\n"
                            "Access-Control-Request-Method: POST\r\n\r\n");
    HAS(a, "HTTP/1.1 204");
    HAS(a, "Access-Control-Allow-Origin: https://page.example");
    HAS(a, "Access-Control-Allow-Methods: POST, PUT, OPTIONS");
    a = ask(&s, "OPTIONS /echo HTTP/1.1\r\nHost: x\r\nOrigin: https://other.example\r\n\r\n");
    HAS(a, "HTTP/1.1 204");
    assert_null(strstr(a, "Access-Control-Allow-Origin"));
    a = ask(&s, "GET /rest/a HTTP/1.1\r\nHost: x\r\nOrigin: https://page.example\r\n\r\n");
    HAS(a, "Access-Control-Allow-Origin: https://page.example");
    vb_httpd_close(s.h);
}

static void test_bodies(void **state) {
    (void)state;
    server s;
    open_server(&s, 0);
    HAS(ask(&s, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n"), "HTTP/1.1 413");
    HAS(ask(&s, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n"),
        "HTTP/1.1 4");
    HAS(ask(&s, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n"), "HTTP/1.1 400");
    HAS(ask(&s, "GET /rest/a HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx"), "HTTP/1.1 413");
    /* Two lengths: a proxy in front may have understood the other one. */
    HAS(ask(&s,
            "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx"),
        "HTTP/1.1 400");
    HAS(ask(&s, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n"
                "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        "HTTP/1.1 400");
    HAS(ask(&s, "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n"),
        "HTTP/1.1 400");
    /* Names that are none, and those that hide a length from this server but not from others. */
    static const char *const names[] = {"Content-Length : 5",
                                        "Content-Length:\r\n 5",
                                        "Transfer-Encoding : chunked",
                                        "Transfer-Encoding:\r\n\tchunked",
                                        "A b: c",
                                        "A(b): c",
                                        "\xc3\xa4: c"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char hiding[256];
        snprintf(hiding, sizeof hiding,
                 "POST /echo HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n"
                 "GET /rest/second HTTP/1.1\r\nHost: x\r\n\r\n",
                 names[i]);
        const int fd = dial(&s);
        char answers[8192];
        say(fd, hiding);
        hear(fd, "\r\n\r\nsecond", answers, sizeof answers);
        HAS(answers, "invalid_header");
        assert_null(strstr(answers, "HTTP/1.1 200"));
        close(fd);
    }
    /* A body without a length that goes on and on is refused when it ends. */
    char request[4096];
    int n = snprintf(request, sizeof request,
                     "POST /echo HTTP/1.1\r\nHost: x\r\n"
                     "Transfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 12; i++) {
        n += snprintf(request + n, sizeof request - (size_t)n, "64\r\n%0100d\r\n", 7);
    }
    snprintf(request + n, sizeof request - (size_t)n, "0\r\n\r\n");
    HAS(ask(&s, request), "HTTP/1.1 413");
    /* Bodies of several requests together. */
    const int first = dial(&s);
    snprintf(request, sizeof request,
             "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n%0999d", 1);
    say(first, request);
    usleep(100000);
    snprintf(request, sizeof request,
             "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 800\r\n\r\n%0800d", 1);
    const char *a = ask(&s, request);
    HAS(a, "HTTP/1.1 503");
    HAS(a, "Retry-After: 1");
    /* One that is refused half-way leaves its room to others. */
    const int refused = dial(&s);
    snprintf(request, sizeof request,
             "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n%0400d", 1);
    say(refused, request);
    usleep(100000);
    snprintf(request, sizeof request, "%0400d", 1);
    say(refused, request);
    usleep(100000);
    snprintf(request, sizeof request,
             "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 400\r\n\r\n%0400d", 1);
    HAS(ask(&s, request), "HTTP/1.1 200");
    close(refused);
    snprintf(request, sizeof request,
             "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 800\r\n\r\n%0800d", 1);
    close(first);
    wait_for(&s.gone, 2);
    HAS(ask(&s, request), "HTTP/1.1 200");
    vb_httpd_close(s.h);
}

static void test_keep_alive(void **state) {
    (void)state;
    server s;
    open_server(&s, 0);
    char answer[65536];
    const int fd = dial(&s);
    for (int i = 0; i < 3; i++) {
        say(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
        hear(fd, "hello", answer, sizeof answer);
        HAS(answer, "HTTP/1.1 200");
    }
    /* Pipelined, the first of them answered by another thread. */
    say(fd, "GET /later HTTP/1.1\r\nHost: x\r\n\r\nGET /rest/second HTTP/1.1\r\nHost: x\r\n\r\n");
    vb_exchange *x = wait_held(&s);
    vb_exchange_reply_text(x, 200, "text/plain", "first");
    vb_exchange_release(x);
    hear(fd, "\r\n\r\nsecond", answer, sizeof answer);
    HAS(answer, "\r\n\r\nfirst");
    HAS(answer, "\r\n\r\nsecond");
    close(fd);
    vb_httpd_close(s.h);
}

static void test_slow_clients(void **state) {
    (void)state;
    server s;
    open_server(&s, 0);
    const int silent = dial(&s), dripping = dial(&s), half_body = dial(&s);
    say(half_body, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhe");
    const uint64_t start = vb_clock_ns();
    /* A byte now and then keeps no connection open. */
    const char *header = "GET /rest/a HTTP/1.1\r\nHost: x\r\nX-A: aaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    for (size_t i = 0; header[i] && vb_clock_ns() - start < 2000000000u; i++) {
        if (send(dripping, header + i, 1, MSG_NOSIGNAL) != 1) {
            break;
        }
        usleep(50000);
    }
    assert_true(is_closed(dripping, 1000));
    assert_true(is_closed(silent, 1000));
    assert_true(is_closed(half_body, 1000));
    assert_true(vb_clock_ns() - start < 4000000000u);
    HAS(ask(&s, "GET /rest/a HTTP/1.1\r\nHost: x\r\n\r\n"), "\r\n\r\na");
    close(silent);
    close(dripping);
    close(half_body);
    /* A header without end. */
    const int endless = dial(&s);
    char line[1100];
    snprintf(line, sizeof line, "X: %01000d\r\n", 0);
    say(endless, "GET /rest/a HTTP/1.1\r\nHost: x\r\n");
    for (int i = 0; i < 20 && send(endless, line, strlen(line), MSG_NOSIGNAL) > 0; i++) {
    }
    char answer[4096];
    hear(endless, "\r\n", answer, sizeof answer);
    assert_null(strstr(answer, "HTTP/1.1 200"));
    close(endless);
    vb_httpd_close(s.h);
}

static void test_client_goes(void **state) {
    (void)state;
    server s;
    open_server(&s, 0);
    const int fd = dial(&s);
    say(fd, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
    vb_exchange *x = wait_held(&s);
    assert_int_equal(atomic_load(&s.told_gone), 0);
    close(fd);
    wait_for(&s.told_gone, 1);
    assert_true(vb_exchange_is_gone(x));
    vb_exchange_reply_text(x, 200, "text/plain", "nobody reads this");
    vb_exchange_release(x);
    wait_for(&s.finished, 1);
    assert_int_equal(atomic_load(&s.gone), 1);
    assert_int_equal(atomic_load(&s.told_gone), 1);
    vb_httpd_close(s.h);
}

static void test_stream(void **state) {
    (void)state;
    server s;
    open_server(&s, 0);
    char answer[65536];
    const int fd = dial(&s);
    say(fd, "POST /stream HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
    vb_exchange *x = wait_held(&s);
    for (int i = 0; i < 5; i++) {
        char event[32], seen[32];
        const int n = snprintf(event, sizeof event, "event %d;", i);
        assert_true(vb_exchange_write(x, event, (size_t)n));
        snprintf(seen, sizeof seen, "event %d;", i);
        hear(fd, seen, answer, sizeof answer); /* each comes without waiting for the next */
        HAS(answer, seen);
    }
    vb_exchange_end(x);
    vb_exchange_release(x);
    hear(fd, "0\r\n\r\n", answer, sizeof answer);
    HAS(answer, "0\r\n\r\n");
    close(fd);
    wait_for(&s.finished, 1);
    assert_int_equal(atomic_load(&s.gone), 0);
    vb_httpd_close(s.h);
}

/* A reader who does not read: the writer is never held up, and he is cut off. */
static void test_slow_reader(void **state) {
    (void)state;
    server s;
    open_server(&s, 0);
    const int fd = dial(&s), small = 4096;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    say(fd, "POST /stream HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
    vb_exchange *x = wait_held(&s);
    static char block[65536];
    memset(block, 'x', sizeof block);
    const uint64_t start = vb_clock_ns();
    int written = 0;
    while (written < 1000 && vb_exchange_write(x, block, sizeof block)) {
        written++;
    }
    assert_true(written >= 8 && written < 1000);
    assert_true(vb_clock_ns() - start < 2000000000u);
    assert_int_equal(atomic_load(&s.told_gone), 1);
    vb_exchange_break(x);
    vb_exchange_release(x);
    /* One who has it all but does not take the rest is closed at send_ms. */
    const int idle = dial(&s);
    setsockopt(idle, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    say(idle, "POST /stream HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
    x = wait_held(&s);
    for (int i = 0; i < 12; i++) {
        assert_true(vb_exchange_write(x, block, sizeof block));
        usleep(10000);
    }
    vb_exchange_end(x);
    vb_exchange_release(x);
    wait_for(&s.finished, 2);
    close(idle);
    close(fd);
    vb_httpd_close(s.h);
}

static void test_connections(void **state) {
    (void)state;
    server s;
    open_server(&s, 3);
    int fds[3];
    for (int i = 0; i < 3; i++) {
        fds[i] = dial(&s);
    }
    usleep(50000);
    const int more = dial(&s);
    assert_true(is_closed(more, 2000));
    close(more);
    for (int i = 0; i < 3; i++) {
        close(fds[i]);
    }
    usleep(300000);
    HAS(ask(&s, "GET /rest/a HTTP/1.1\r\nHost: x\r\n\r\n"), "\r\n\r\na");
    vb_httpd_close(s.h);
}

static void test_drain(void **state) {
    (void)state;
    server s;
    open_server(&s, 0);
    char answer[65536];
    const int busy = dial(&s), idle = dial(&s);
    say(idle, "GET /rest/a HTTP/1.1\r\nHost: x\r\n\r\n");
    hear(idle, "\r\n\r\na", answer, sizeof answer);
    say(busy, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
    vb_exchange *x = wait_held(&s);
    vb_httpd_drain(s.h);
    assert_false(vb_httpd_wait_idle(s.h, 50));
    say(idle, "GET /open HTTP/1.1\r\nHost: x\r\n\r\n");
    hear(idle, "\r\n\r\n", answer, sizeof answer);
    HAS(answer, "HTTP/1.1 200");
    say(idle, "GET /rest/a HTTP/1.1\r\nHost: x\r\n\r\n");
    hear(idle, "shutting down", answer, sizeof answer);
    HAS(answer, "HTTP/1.1 503");
    const int late = socket(AF_INET, SOCK_STREAM, 0);
    const struct sockaddr_in at = {.sin_family = AF_INET,
                                   .sin_port = htons(vb_httpd_port(s.h)),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_not_equal(connect(late, (const struct sockaddr *)&at, sizeof at), 0);
    close(late);
    vb_exchange_reply_text(x, 200, "text/plain", "done");
    vb_exchange_release(x);
    hear(busy, "done", answer, sizeof answer);
    HAS(answer, "done");
    assert_true(vb_httpd_wait_idle(s.h, WAIT_MS));
    /* What was never replied to ends with the server. */
    vb_httpd_close(s.h);
    assert_true(is_closed(busy, 1000));
    close(busy);
    close(idle);
}

static void test_close_while_suspended(void **state) {
    (void)state;
    server s;
    open_server(&s, 0);
    const int fd = dial(&s);
    say(fd, "GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
    vb_exchange *x = wait_held(&s);
    vb_exchange_on_gone(x, NULL, NULL);
    vb_exchange_release(x);
    vb_httpd_close(s.h);
    assert_int_equal(atomic_load(&s.finished), 1);
    assert_int_equal(atomic_load(&s.last_status), 0);
    assert_true(is_closed(fd, 1000));
    close(fd);
}

static void test_address(void **state) {
    (void)state;
    vb_httpd_options o = {.address = "localhost", .connections_max = 1};
    vb_httpd *h;
    vb_error e;
    assert_int_equal(vb_httpd_open(&o, &h, &e), VB_EINVAL);
    HAS(e.msg, "localhost");
    o.address = "192.0.2.1"; /* not this machine's */
    assert_int_equal(vb_httpd_open(&o, &h, &e), VB_EIO);
    HAS(e.msg, "192.0.2.1");
    o.address = "127.0.0.1";
    o.tls_certificate = o.tls_key = "no PEM";
    assert_int_equal(vb_httpd_open(&o, &h, &e), VB_OK);
    assert_int_equal(vb_httpd_start(h, &e), VB_EFORMAT);
    vb_httpd_close(h);
}

/* Who is answered while the body is still coming gets the answer, and no reset. */
static void test_early_answers(void **state) {
    (void)state;
    static const struct {
        const char *head, *answer;
    } cases[] = {
        {"POST /echo HTTP/1.1\r\nHost: x\r\nX-Refuse: 1\r\nContent-Length: 1000\r\n\r\n", "401"},
        {"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\n", "413"},
        {"POST /none HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\n", "404"},
        {"POST /open HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", "405"}};
    static char body[1000];
    memset(body, '1', sizeof body - 1);
    server s;
    open_server(&s, 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char answer[4096];
        const int fd = dial(&s);
        say(fd, cases[i].head);
        for (int k = 0; k < 20; k++) { /* slower than the server closes */
            say(fd, body);
            usleep(10000);
        }
        const size_t n = hear(fd, "\r\n\r\n{", answer, sizeof answer);
        HAS(answer, cases[i].answer);
        ssize_t more = 1;
        while (more > 0) {
            more = recv(fd, answer, sizeof answer, 0);
        }
        assert_int_equal(more, 0); /* an end, not an error */
        assert_true(n > 0 && vb_httpd_connections(s.h) == 1);
        close(fd);
    }
    for (int i = 0; i < WAIT_MS && vb_httpd_connections(s.h); i++) {
        usleep(1000);
    }
    assert_int_equal(vb_httpd_connections(s.h), 0);
    /* One that never ends is closed all the same, and so are all at the server's end. */
    const int endless = dial(&s), last = dial(&s);
    say(endless, cases[0].head);
    int i = 0;
    while (i < WAIT_MS && send(endless, body, 1, MSG_NOSIGNAL) == 1) {
        usleep(1000);
        i++;
    }
    assert_true(i > 1000 && i < WAIT_MS);
    say(last, cases[0].head);
    assert_true(is_closed(last, WAIT_MS));
    vb_httpd_close(s.h);
    close(endless);
    close(last);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_early_answers),
        cmocka_unit_test(test_routes),
        cmocka_unit_test(test_origins),
        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_keep_alive),
        cmocka_unit_test(test_slow_clients),
        cmocka_unit_test(test_client_goes),
        cmocka_unit_test(test_stream),
        cmocka_unit_test(test_slow_reader),
        cmocka_unit_test(test_connections),
        cmocka_unit_test(test_drain),
        cmocka_unit_test(test_address),
        cmocka_unit_test(test_close_while_suspended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
