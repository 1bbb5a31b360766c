/* The log: its two forms, lines of many threads, and readers who are late, gone, or never come. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <jansson.h>

#include "base/system.h"
#include "server/log.h"
#include "support/testing.h"

enum { HEARD_BYTES = 4 << 20, THREADS = 4, LINES = 500, REQUESTS = 200, WAIT_MS = 5000 };

/* A pipe whose reading end is read by a thread, from when hear is called. */
typedef struct reader {
    int in, out; /* out: for the log */
    pthread_t thread;
    char *heard; /* HEARD_BYTES */
} reader;

static reader make_pipe(void) {
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    reader r = {.in = fds[0], .out = fds[1], .heard = malloc(HEARD_BYTES)};
    assert_non_null(r.heard);
    r.heard[0] = 0;
    return r;
}

static void *read_all(void *user) {
    reader *r = user;
    size_t n = 0;
    ssize_t got;
    while ((got = read(r->in, r->heard + n, HEARD_BYTES - 1 - n)) > 0) {
        n += (size_t)got;
    }
    r->heard[n] = 0;
    return NULL;
}

static void hear(reader *r) {
    assert_int_equal(pthread_create(&r->thread, NULL, read_all, r), 0);
}

/* All that came; the log must be closed. */
static char *heard(reader *r) {
    close(r->out);
    pthread_join(r->thread, NULL);
    close(r->in);
    return r->heard;
}

static void open_log(int fd, vb_log_level level, vb_log_form form) {
    vb_error e;
    const vb_log_options o = {fd, level, form};
    assert_int_equal(vb_log_open(&o, &e), VB_OK);
}

/* The next line as JSON; NULL at the end. */
static json_t *next_line(char **at) {
    char *end = strchr(*at, '\n');
    if (!end) {
        assert_int_equal(**at, 0); /* no half of a line */
        return NULL;
    }
    *end = 0;
    json_t *line = json_loads(*at, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(line);
    assert_non_null(json_object_get(line, "time"));
    *at = end + 1;
    return line;
}

static const char *member(const json_t *line, const char *name) {
    const char *text = json_string_value(json_object_get(line, name));
    return text ? text : "";
}

static void expect_line(char **at, const char *level, const char *event, const char *message) {
    json_t *line = next_line(at);
    assert_non_null(line);
    assert_string_equal(member(line, "level"), level);
    assert_string_equal(member(line, "event"), event);
    assert_string_equal(member(line, "message"), message);
    json_decref(line);
}

static const vb_exchange_summary exchange = {.route = "chat",
                                             .method = "POST",
                                             .request_id = "req-1",
                                             .status = 200,
                                             .duration_ns = 1500000000,
                                             .request_bytes = 12,
                                             .response_bytes = 345};

static void test_json(void **state) {
    (void)state;
    reader r = make_pipe();
    hear(&r);
    open_log(r.out, VB_LOG_INFO, VB_LOG_JSON);
    vb_log(VB_LOG_INFO, "a", "%s", "a \"quoted\"\nline\\ \x1b[31m \xc3\xa9 \xff");
    vb_log_request(VB_LOG_ERROR, "b", "req-7", "%d", 7);
    vb_log_exchange(&exchange);
    assert_true(vb_log_close(WAIT_MS));
    char *at = heard(&r);
    expect_line(&at, "info", "a", "a \"quoted\"?line\\ ?[31m \xc3\xa9 ?");
    json_t *line = next_line(&at);
    assert_string_equal(member(line, "request_id"), "req-7");
    assert_string_equal(member(line, "message"), "7");
    json_decref(line);
    line = next_line(&at);
    assert_string_equal(member(line, "event"), "request");
    assert_string_equal(member(line, "route"), "chat");
    assert_int_equal(json_integer_value(json_object_get(line, "status")), 200);
    assert_true(json_real_value(json_object_get(line, "seconds")) == 1.5);
    assert_null(json_object_get(line, "client"));
    json_decref(line);
    assert_null(next_line(&at));
    free(r.heard);
}

static void test_text(void **state) {
    (void)state;
    reader r = make_pipe();
    hear(&r);
    open_log(r.out, VB_LOG_INFO, VB_LOG_TEXT);
    vb_log(VB_LOG_WARNING, "store", "two words = \"three\"\n");
    vb_log_exchange(&exchange);
    assert_true(vb_log_close(WAIT_MS));
    const char *text = heard(&r);
    assert_int_equal(strncmp(text, "time=20", 7), 0);
    assert_non_null(strstr(text, "Z level=warning event=store "
                                 "message=\"two words = \\\"three\\\"?\"\ntime="));
    assert_non_null(strstr(text, "Z level=info event=request request_id=req-1 method=POST "
                                 "route=chat status=200 seconds=1.5 request_bytes=12 "
                                 "response_bytes=345 gone=false\n"));
    free(r.heard);
}

static void test_levels(void **state) {
    (void)state;
    assert_int_equal(vb_log_level_of_name("info"), VB_LOG_INFO);
    assert_int_equal(vb_log_level_of_name("warning"), VB_LOG_WARNING);
    assert_int_equal(vb_log_level_of_name("error"), VB_LOG_ERROR);
    assert_int_equal(vb_log_level_of_name("Error"), 0);
    assert_int_equal(vb_log_level_of_name(""), 0);
    assert_int_equal(vb_log_form_of_name("json"), VB_LOG_JSON);
    assert_int_equal(vb_log_form_of_name("text"), VB_LOG_TEXT);
    assert_int_equal(vb_log_form_of_name("xml"), 0);
    reader r = make_pipe();
    const uint64_t before = vb_log_dropped();
    hear(&r);
    open_log(r.out, VB_LOG_WARNING, VB_LOG_JSON);
    vb_log(VB_LOG_INFO, "left out", "x");
    vb_log_exchange(&exchange);
    vb_log(VB_LOG_WARNING, "w", "x");
    vb_log(VB_LOG_ERROR, "e", "x");
    assert_true(vb_log_close(WAIT_MS));
    char *at = heard(&r);
    expect_line(&at, "warning", "w", "x");
    expect_line(&at, "error", "e", "x");
    assert_null(next_line(&at));
    assert_int_equal(vb_log_dropped(), before);
    free(r.heard);
}

/* Without an open log a line goes to standard error, at once. */
static void test_unopened(void **state) {
    (void)state;
    reader r = make_pipe();
    hear(&r);
    const int old = dup(STDERR_FILENO);
    dup2(r.out, STDERR_FILENO);
    assert_true(vb_log_close(0));
    vb_log(VB_LOG_ERROR, "early", "before the log");
    dup2(old, STDERR_FILENO);
    close(old);
    char *at = heard(&r);
    expect_line(&at, "error", "early", "before the log");
    assert_null(next_line(&at));
    free(r.heard);
}

static void *log_many(void *user) {
    const int who = *(const int *)user;
    for (int i = 0; i < LINES; i++) {
        vb_log(VB_LOG_INFO, "many", "%d %d", who, i);
        if (i % 50 == 0) {
            usleep(1000); /* the ring is for a reader who is late, not for a flood */
        }
    }
    return NULL;
}

static void test_threads(void **state) {
    (void)state;
    reader r = make_pipe();
    const uint64_t before = vb_log_dropped();
    hear(&r);
    open_log(r.out, VB_LOG_INFO, VB_LOG_JSON);
    pthread_t threads[THREADS];
    int who[THREADS], next[THREADS] = {0};
    for (int i = 0; i < THREADS; i++) {
        who[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, log_many, &who[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_true(vb_log_close(WAIT_MS));
    assert_int_equal(vb_log_dropped(), before);
    char *at = heard(&r);
    json_t *line;
    while ((line = next_line(&at))) {
        int thread, i;
        assert_int_equal(sscanf(member(line, "message"), "%d %d", &thread, &i), 2);
        assert_int_equal(i, next[thread]++);
        json_decref(line);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(next[i], LINES);
    }
    free(r.heard);
}

/* The server of the next test: every exchange is logged from its event loop. */

static void answer(void *user, vb_exchange *x) {
    (void)user;
    vb_exchange_reply_text(x, 200, "text/plain", "yes");
}

static void finished(void *user, const vb_exchange_summary *s, void *client) {
    (void)client;
    vb_log_exchange(s);
    __atomic_fetch_add((int *)user, 1, __ATOMIC_SEQ_CST);
}

static vb_httpd *open_httpd(int *n_finished) {
    static const vb_httpd_route routes[] = {{"GET", "/", "root", true, 0, answer}};
    const vb_httpd_options o = {
        .address = "127.0.0.1",
        .connections_max = 4,
        .header_bytes_max = 8192,
        .bodies_bytes_max = 1 << 16,
        .header_ms = WAIT_MS,
        .body_ms = WAIT_MS,
        .idle_ms = WAIT_MS,
        .send_ms = WAIT_MS,
        .stream_bytes_max = 1 << 16,
        .routes = routes,
        .n_routes = 1,
        .finished = finished,
        .user = n_finished,
    };
    vb_error e;
    vb_httpd *h;
    assert_int_equal(vb_httpd_open(&o, &h, &e), VB_OK);
    assert_int_equal(vb_httpd_start(h, &e), VB_OK);
    return h;
}

/* Requests one after the other on one connection, each answered within WAIT_MS. */
static void ask_many(const vb_httpd *h, int n) {
    const struct timeval limit = {WAIT_MS / 1000, 0};
    const struct sockaddr_in at = {.sin_family = AF_INET,
                                   .sin_port = htons(vb_httpd_port(h)),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    assert_int_equal(connect(fd, (const struct sockaddr *)&at, sizeof at), 0);
    for (int i = 0; i < n; i++) {
        static const char request[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
        assert_int_equal(send(fd, request, sizeof request - 1, MSG_NOSIGNAL), sizeof request - 1);
        char said[4096];
        size_t got = 0;
        said[0] = 0;
        while (!strstr(said, "\r\n\r\nyes")) {
            const ssize_t k = recv(fd, said + got, sizeof said - 1 - got, 0);
            assert_true(k > 0);
            got += (size_t)k;
            said[got] = 0;
        }
    }
    close(fd);
}

static void wait_for(const int *what, int n) {
    for (int i = 0; i < WAIT_MS && __atomic_load_n(what, __ATOMIC_SEQ_CST) < n; i++) {
        usleep(1000);
    }
    assert_int_equal(__atomic_load_n(what, __ATOMIC_SEQ_CST), n);
}

/* Nobody reads: the server answers on, errors find room, the rest is counted; when the reader comes
 * after all, the line "dropped" stands in the gap and every line is accounted for. */
static void test_reader_who_is_late(void **state) {
    (void)state;
    reader r = make_pipe();
    const uint64_t before = vb_log_dropped();
    open_log(r.out, VB_LOG_INFO, VB_LOG_JSON);
    int n_finished = 0, n_early = 0;
    while (vb_log_dropped() == before && n_early < 100000) {
        vb_log(VB_LOG_INFO, "early", "%d", n_early++);
    }
    assert_int_equal(vb_log_dropped(), before + 1); /* the last one */
    vb_httpd *h = open_httpd(&n_finished);
    ask_many(h, REQUESTS);
    wait_for(&n_finished, REQUESTS);
    vb_httpd_close(h);
    assert_int_equal(vb_log_dropped(), before + 1 + REQUESTS);
    vb_log(VB_LOG_ERROR, "disk", "an error");
    assert_int_equal(vb_log_dropped(), before + 1 + REQUESTS);

    hear(&r);
    assert_true(vb_log_close(WAIT_MS));
    char *at = heard(&r);
    for (int i = 0; i < n_early - 1; i++) {
        char number[16];
        snprintf(number, sizeof number, "%d", i);
        expect_line(&at, "info", "early", number);
    }
    json_t *line = next_line(&at);
    assert_string_equal(member(line, "event"), "dropped");
    assert_int_equal(json_integer_value(json_object_get(line, "lines")), 1 + REQUESTS);
    json_decref(line);
    expect_line(&at, "error", "disk", "an error");
    assert_null(next_line(&at));
    free(r.heard);
}

/* Closing takes the time it is given, not more, and says that lines were lost. */
static void expect_close_in_time(uint32_t wait_ms) {
    const uint64_t start_ns = vb_clock_ns();
    assert_false(vb_log_close(wait_ms));
    assert_in_range((vb_clock_ns() - start_ns) / 1000000, wait_ms, wait_ms + 3000);
}

static void test_reader_who_never_comes(void **state) {
    (void)state;
    reader r = make_pipe();
    const uint64_t before = vb_log_dropped();
    open_log(r.out, VB_LOG_INFO, VB_LOG_JSON);
    for (int i = 0; i < 10000; i++) {
        vb_log(VB_LOG_INFO, "many", "%d", i);
    }
    expect_close_in_time(200);
    const uint64_t dropped = vb_log_dropped() - before;
    hear(&r);
    char *at = heard(&r);
    uint64_t n = 0;
    for (json_t *line; (line = next_line(&at)); n++) {
        json_decref(line);
    }
    assert_int_equal(n + dropped, 10000);
    free(r.heard);
}

/* A terminal says that there is room, and then blocks in the middle of a line. */
static void test_terminal_that_is_not_read(void **state) {
    (void)state;
    const int terminal = posix_openpt(O_RDWR | O_NOCTTY);
    if (terminal < 0 || grantpt(terminal) || unlockpt(terminal)) {
        skip();
    }
    const int fd = open(ptsname(terminal), O_RDWR | O_NOCTTY);
    assert_true(fd >= 0);
    open_log(fd, VB_LOG_INFO, VB_LOG_TEXT);
    for (int i = 0; i < 10000; i++) {
        vb_log(VB_LOG_INFO, "many", "%d", i);
    }
    expect_close_in_time(200);
    close(terminal); /* a write that is stuck ends; fd stays open, as the log may still use it */
    usleep(200000);
}

/* The reader's end is closed, and later there is another. */
static void test_reader_who_goes(void **state) {
    (void)state;
    reader first = make_pipe(), second = make_pipe();
    const uint64_t before = vb_log_dropped();
    open_log(first.out, VB_LOG_INFO, VB_LOG_JSON);
    close(first.in);
    vb_log(VB_LOG_INFO, "lost", "1");
    vb_log(VB_LOG_INFO, "lost", "2");
    for (int i = 0; i < WAIT_MS && vb_log_dropped() < before + 2; i++) {
        usleep(1000);
    }
    assert_int_equal(vb_log_dropped(), before + 2);
    hear(&second);
    dup2(second.out, first.out);
    vb_log(VB_LOG_INFO, "heard", "3");
    assert_true(vb_log_close(WAIT_MS));
    close(first.out);
    char *at = heard(&second);
    expect_line(&at, "info", "heard", "3");
    json_t *line = next_line(&at);
    assert_string_equal(member(line, "event"), "dropped");
    assert_int_equal(json_integer_value(json_object_get(line, "lines")), 2);
    json_decref(line);
    assert_null(next_line(&at));
    free(first.heard);
    free(second.heard);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_unopened),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_reader_who_is_late),
        cmocka_unit_test(test_reader_who_never_comes),
        cmocka_unit_test(test_terminal_that_is_not_read),
        cmocka_unit_test(test_reader_who_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
