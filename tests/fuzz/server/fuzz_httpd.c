/*
 * The HTTP side from hostile bytes, over a real connection: the input is what one client sends
 * before it goes. Whatever it is, what was sent back begins as a response, every exchange comes to
 * its end, and none of the memory for bodies stays taken.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/httpd.h"

enum {
    HEADER_BYTES = 4096,
    BODY_BYTES = 2000,
    STREAM_BYTES = 1 << 14,
    WAIT_MS = 5000,
    QUIET_MS = 2
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int ok) {
    if (!ok) {
        abort();
    }
}

/* An exchange that another thread replies to. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t there;
    vb_exchange *x;
} later = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, NULL};

static void *reply_later(void *user) {
    (void)user;
    for (;;) {
        pthread_mutex_lock(&later.lock);
        while (!later.x) {
            pthread_cond_wait(&later.there, &later.lock);
        }
        vb_exchange *x = later.x;
        later.x = NULL;
        pthread_mutex_unlock(&later.lock);
        vb_exchange_reply_text(x, 200, "text/plain", vb_exchange_path(x));
        vb_exchange_release(x);
    }
    return NULL;
}

static void hold(void *user, vb_exchange *x) {
    (void)user;
    pthread_mutex_lock(&later.lock);
    const bool taken = later.x == NULL;
    if (taken) {
        vb_exchange_hold(x);
        later.x = x;
        pthread_cond_signal(&later.there);
    }
    pthread_mutex_unlock(&later.lock);
    if (!taken) {
        vb_exchange_fail(x, 503, "overloaded", "another one is held");
    }
}

static void echo(void *user, vb_exchange *x) {
    (void)user;
    size_t n;
    const uint8_t *bytes = vb_exchange_body(x, &n);
    require(n <= BODY_BYTES);
    vb_buf body = vb_buf_make(SIZE_MAX);
    require(vb_buf_append(&body, bytes, n) == VB_OK);
    vb_exchange_reply(x, 200, "text/plain", &body);
}

/* What a handler may ask of a request. */
static void look(void *user, vb_exchange *x) {
    (void)user;
    const char *header = vb_exchange_header(x, "Authorization");
    const char *query = vb_exchange_query(x, "level");
    const char *rest = vb_exchange_rest(x);
    require(rest[0] != 0 && strstr(vb_exchange_path(x), rest));
    vb_exchange_fail(x, 404, "nothing", "%s %s %s", rest, header ? header : "", query ? query : "");
}

static void stream(void *user, vb_exchange *x) {
    (void)user;
    size_t n;
    const uint8_t *bytes = vb_exchange_body(x, &n);
    vb_exchange_stream(x, 200, "text/event-stream");
    for (size_t i = 0; i < n && vb_exchange_write(x, bytes + i, 1); i++) {
    }
    if (n && bytes[n - 1] == '!') {
        vb_exchange_break(x);
    } else {
        vb_exchange_end(x);
    }
}

static bool admit(void *user, vb_exchange *x, const vb_httpd_route *route) {
    (void)user;
    if (!route->open && vb_exchange_header(x, "Refuse")) {
        vb_exchange_fail(x, 401, "invalid_api_key", "no");
        return false;
    }
    return true;
}

static const vb_httpd_route routes[] = {
    {"POST", "/e", "echo", false, BODY_BYTES, echo},
    {"GET", "/r/*", "look", true, 0, look},
    {"POST", "/s", "stream", false, BODY_BYTES, stream},
    {"GET", "/h", "hold", false, 0, hold},
};

static vb_httpd *open_server(void) {
    static const char *const origins[] = {"*"};
    const vb_httpd_options o = {
        .address = "127.0.0.1",
        .connections_max = 16,
        .header_bytes_max = HEADER_BYTES,
        .bodies_bytes_max = BODY_BYTES,
        .header_ms = WAIT_MS,
        .body_ms = WAIT_MS,
        .idle_ms = WAIT_MS,
        .send_ms = WAIT_MS,
        .stream_bytes_max = STREAM_BYTES,
        .cors_origins = origins,
        .n_cors_origins = 1,
        .routes = routes,
        .n_routes = sizeof routes / sizeof routes[0],
        .admit = admit,
    };
    vb_httpd *h = NULL;
    pthread_t thread;
    require(vb_httpd_open(&o, &h, NULL) == VB_OK && vb_httpd_start(h, NULL) == VB_OK);
    require(pthread_create(&thread, NULL, reply_later, NULL) == 0);
    return h;
}

static int dial(const vb_httpd *h) {
    const struct sockaddr_in at = {.sin_family = AF_INET,
                                   .sin_port = htons(vb_httpd_port(h)),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    /* A reset at the end: connections of many runs must not wait for their time. */
    const struct linger reset = {1, 0};
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    require(fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset) == 0);
    require(connect(fd, (const struct sockaddr *)&at, sizeof at) == 0);
    return fd;
}

/* Reads until the server closes, or says nothing for a while; what of it fits into answer. */
static size_t hear(int fd, int quiet_ms, char *answer, size_t n, size_t max) {
    char rest[4096];
    struct pollfd p = {fd, POLLIN, 0};
    while (poll(&p, 1, quiet_ms) == 1) {
        const ssize_t got =
            n < max ? recv(fd, answer + n, max - n, 0) : recv(fd, rest, sizeof rest, 0);
        if (got <= 0) {
            break;
        }
        n += n < max ? (size_t)got : 0;
    }
    return n;
}

/* Sends, hears what comes back, ends its sending side, hears again, and goes. */
static size_t talk(const vb_httpd *h, const void *data, size_t size, int quiet_ms, char *answer,
                   size_t max) {
    const int fd = dial(h);
    const ssize_t sent = send(fd, data, size, MSG_NOSIGNAL); /* it may have closed before the end */
    (void)sent;
    size_t n = hear(fd, quiet_ms, answer, 0, max);
    shutdown(fd, SHUT_WR);
    n = hear(fd, quiet_ms / 2, answer, n, max);
    close(fd);
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static vb_httpd *h;
    /* A body as large as all bodies may be: taken only when nothing of others is left. */
    static char whole[HEADER_BYTES + BODY_BYTES];
    static size_t n_whole;
    char answer[4096];
    if (!h) {
        h = open_server();
        static const char head[] = "POST /e HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                                   "Content-Length: 2000\r\n\r\n";
        memset(whole, 'a', sizeof whole);
        memcpy(whole, head, sizeof head - 1);
        n_whole = sizeof head - 1 + BODY_BYTES;
    }
    size_t n = talk(h, data, size, QUIET_MS, answer, sizeof answer);
    require(n == 0 || (n > 12 && memcmp(answer, "HTTP/1.", 7) == 0));
    require(vb_httpd_wait_idle(h, WAIT_MS));
    n = talk(h, whole, n_whole, WAIT_MS, answer, sizeof answer);
    require(n > 12 && memcmp(answer, "HTTP/1.1 200", 12) == 0);
    return 0;
}
