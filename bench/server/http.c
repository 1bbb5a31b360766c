#include "http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    LINE_MAX_BYTES = 1 << 14,
    BODY_MAX_BYTES = 1 << 22,
    REQUEST_MAX_BYTES = 1 << 20,
    READ_BYTES = 1 << 16,
    ASK_MS = 60000
};
#define LENGTH_MAX ((uint64_t)1 << 40)

static bool limit(int fd, const vb_http_limits *l) {
    return setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &l->receive_bytes, sizeof l->receive_bytes) == 0 &&
           setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &l->segment_bytes, sizeof l->segment_bytes) == 0;
}

vb_err vb_http_open(uint16_t port, const vb_http_limits *limits, vb_http *out, vb_error *e) {
    const struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || (limits && !limit(fd, limits)) ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) ||
        connect(fd, (const struct sockaddr *)&to, sizeof to) || fcntl(fd, F_SETFL, O_NONBLOCK)) {
        vb_fail(e, VB_EIO, "cannot connect to port %u: %s", port, strerror(errno));
        if (fd >= 0) {
            (void)close(fd);
        }
        return VB_EIO;
    }
    *out = (vb_http){.fd = fd,
                     .out = vb_buf_make(REQUEST_MAX_BYTES),
                     .line = vb_buf_make(LINE_MAX_BYTES),
                     .body = vb_buf_make(BODY_MAX_BYTES)};
    return VB_OK;
}

void vb_http_close(vb_http *h) {
    if (h->out.max) {
        (void)close(h->fd);
    }
    vb_buf_free(&h->out);
    vb_buf_free(&h->line);
    vb_buf_free(&h->body);
    *h = (vb_http){.fd = -1};
}

bool vb_http_is_done(const vb_http *h) {
    return h->state == VB_HTTP_IDLE;
}

bool vb_http_wants_to_send(const vb_http *h) {
    return h->sent < h->out.len;
}

static vb_err flush(vb_http *h, vb_error *e) {
    while (h->sent < h->out.len) {
        const ssize_t n = send(h->fd, h->out.data + h->sent, h->out.len - h->sent, MSG_NOSIGNAL);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
            return VB_OK;
        }
        if (n < 0) {
            return vb_fail(e, VB_EIO, "sending a request: %s", strerror(errno));
        }
        h->sent += (size_t)n;
    }
    return VB_OK;
}

vb_err vb_http_request(vb_http *h, const char *method, const char *path, const vb_buf *body,
                       vb_error *e) {
    VB_ASSERT(h->state == VB_HTTP_IDLE);
    h->out.len = h->line.len = h->body.len = 0;
    h->sent = 0;
    h->state = VB_HTTP_STATUS;
    vb_err err =
        vb_buf_printf(&h->out, "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %zu\r\n\r\n",
                      method, path, body ? body->len : 0);
    if (!err && body && body->len) {
        err = vb_buf_append(&h->out, body->data, body->len);
    }
    return err ? vb_fail(e, err, "no memory for a request") : flush(h, e);
}

/* "HTTP/1.1 200 OK" */
static vb_err take_status(vb_http *h, const char *line, vb_error *e) {
    if (strncmp(line, "HTTP/1.1 ", 9) != 0 || strspn(line + 9, "0123456789") != 3) {
        return vb_fail(e, VB_EFORMAT, "expected the status of an answer, found '%.60s'", line);
    }
    h->status = (unsigned)((line[9] - '0') * 100 + (line[10] - '0') * 10 + line[11] - '0');
    h->chunked = h->has_length = h->events = false;
    h->left = 0;
    h->state = VB_HTTP_HEADER;
    return VB_OK;
}

/* Digits of base 10 or 16, and nothing else: a chunk has no extension here. */
static vb_err take_number(const char *text, unsigned base, uint64_t *out, vb_error *e) {
    const char *digits = "0123456789abcdef", *at;
    uint64_t n = 0;
    size_t i = 0;
    for (; text[i]; i++) {
        const char c = text[i] >= 'A' && text[i] <= 'F' ? (char)(text[i] + 'a' - 'A') : text[i];
        at = memchr(digits, c, base);
        if (!at || (n = n * base + (uint64_t)(at - digits)) > LENGTH_MAX) {
            break;
        }
    }
    if (i == 0 || text[i]) {
        return vb_fail(e, VB_EFORMAT, "expected a length in an answer, found '%.60s'", text);
    }
    *out = n;
    return VB_OK;
}

static const char *value_of(const char *line, const char *name) {
    const size_t n = strlen(name);
    if (strncasecmp(line, name, n) != 0 || line[n] != ':') {
        return NULL;
    }
    return line + n + 1 + strspn(line + n + 1, " \t");
}

static vb_err take_header(vb_http *h, const char *line, vb_error *e) {
    const char *value;
    if (!line[0]) {
        const bool none = !h->chunked && h->left == 0;
        h->state = none ? VB_HTTP_IDLE : h->chunked ? VB_HTTP_CHUNK_SIZE : VB_HTTP_BODY;
        return none && !h->has_length ? vb_fail(e, VB_EFORMAT, "an answer without a length")
                                      : VB_OK;
    }
    if ((value = value_of(line, "Content-Length"))) {
        h->has_length = true;
        return take_number(value, 10, &h->left, e);
    }
    if ((value = value_of(line, "Transfer-Encoding"))) {
        h->chunked = strcasecmp(value, "chunked") == 0;
        h->has_length = true;
    } else if ((value = value_of(line, "Content-Type"))) {
        h->events = h->on_event && strncmp(value, "text/event-stream", 17) == 0;
    }
    return VB_OK;
}

static vb_err take_line(vb_http *h, const char *line, vb_error *e) {
    switch (h->state) {
    case VB_HTTP_STATUS: return take_status(h, line, e);
    case VB_HTTP_HEADER: return take_header(h, line, e);
    case VB_HTTP_CHUNK_SIZE: {
        const vb_err err = take_number(line, 16, &h->left, e);
        if (!err) {
            h->state = h->left ? VB_HTTP_CHUNK : VB_HTTP_TRAILER;
        }
        return err;
    }
    case VB_HTTP_CHUNK_END:
        h->state = VB_HTTP_CHUNK_SIZE;
        return line[0] ? vb_fail(e, VB_EFORMAT, "a chunk longer than its size") : VB_OK;
    case VB_HTTP_TRAILER: h->state = line[0] ? VB_HTTP_TRAILER : VB_HTTP_IDLE; return VB_OK;
    case VB_HTTP_IDLE:
    case VB_HTTP_BODY:
    case VB_HTTP_CHUNK: break;
    }
    return vb_fail(e, VB_EINTERNAL, "a line where none is read");
}

/* Bytes of the body: kept, or cut into the lines of events. */
static vb_err take_body(vb_http *h, const char *p, size_t n, vb_error *e) {
    vb_err err = VB_OK;
    if (!h->events) {
        err = vb_buf_append(&h->body, p, n);
        return err ? vb_fail(e, err, "an answer of more than %d bytes", BODY_MAX_BYTES) : VB_OK;
    }
    while (n && !err) {
        const char *end = memchr(p, '\n', n);
        const size_t part = end ? (size_t)(end - p) : n;
        if ((err = vb_buf_append(&h->body, p, part))) {
            return vb_fail(e, err, "an event of more than %d bytes", BODY_MAX_BYTES);
        }
        if (end && h->body.len >= 6 && memcmp(h->body.data, "data: ", 6) == 0) {
            err = h->on_event(h->user, (const char *)h->body.data + 6, h->body.len - 6, e);
        }
        h->body.len = end ? 0 : h->body.len;
        p += part + (end ? 1 : 0);
        n -= part + (end ? 1 : 0);
    }
    return err;
}

/* One step through bytes; how many were used. */
static vb_err take_some(vb_http *h, const char *p, size_t n, size_t *used, vb_error *e) {
    if (h->state == VB_HTTP_BODY || h->state == VB_HTTP_CHUNK) {
        *used = n < h->left ? n : (size_t)h->left;
        const vb_err err = take_body(h, p, *used, e);
        h->left -= *used;
        if (!h->left) {
            h->state = h->state == VB_HTTP_CHUNK ? VB_HTTP_CHUNK_END : VB_HTTP_IDLE;
        }
        return err;
    }
    const char *end = memchr(p, '\n', n);
    const size_t part = end ? (size_t)(end - p) : n;
    *used = part + (end ? 1 : 0);
    vb_err err = vb_buf_append(&h->line, p, part);
    if (err) {
        return vb_fail(e, err, "a line of a header of more than %d bytes", LINE_MAX_BYTES);
    }
    if (end) {
        char *line = h->line.data ? (char *)h->line.data : "";
        if (h->line.len && line[h->line.len - 1] == '\r') {
            line[--h->line.len] = 0;
        }
        err = take_line(h, line, e);
        h->line.len = 0;
    }
    return err;
}

vb_err vb_http_go_on(vb_http *h, size_t max_bytes, vb_error *e) {
    char bytes[READ_BYTES];
    vb_err err = flush(h, e);
    while (!err && max_bytes && h->state != VB_HTTP_IDLE) {
        const size_t want = max_bytes < sizeof bytes ? max_bytes : sizeof bytes;
        const ssize_t n = recv(h->fd, bytes, want, 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
            return VB_OK;
        }
        if (n <= 0) {
            return vb_fail(e, VB_EIO, "the server ended the connection: %s",
                           n ? strerror(errno) : "closed");
        }
        for (size_t at = 0, used = 0; at < (size_t)n && !err; at += used) {
            err = h->state == VB_HTTP_IDLE
                      ? vb_fail(e, VB_EFORMAT, "bytes after the end of an answer")
                      : take_some(h, bytes + at, (size_t)n - at, &used, e);
        }
        max_bytes -= (size_t)n;
        if ((size_t)n < want) {
            break; /* there is no more for now */
        }
    }
    return err;
}

vb_err vb_http_ask(vb_http *h, const char *method, const char *path, const vb_buf *body,
                   vb_error *e) {
    vb_err err = vb_http_request(h, method, path, body, e);
    while (!err && !vb_http_is_done(h)) {
        struct pollfd p = {.fd = h->fd, .events = POLLIN};
        p.events = (short)(p.events | (vb_http_wants_to_send(h) ? POLLOUT : 0));
        const int ready = poll(&p, 1, ASK_MS);
        if (ready < 0) {
            return vb_fail(e, VB_ECANCELLED, "interrupted");
        }
        if (ready == 0) {
            return vb_fail(e, VB_EIO, "%s %s: no answer", method, path);
        }
        err = vb_http_go_on(h, SIZE_MAX, e);
    }
    return err;
}
