#include "server/httpd.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/system.h"
#include "server/httpd_internal.h"

enum { LISTEN_BACKLOG = 128, NS_PER_MS = 1000000, CLOSE_WAIT_MS = 2000 };

/* Routes. */

static bool path_fits(const vb_httpd_route *r, const char *path, const char **rest) {
    const size_t n = strlen(r->path);
    if (r->path[n - 1] != '*') {
        *rest = "";
        return strcmp(r->path, path) == 0;
    }
    *rest = path + n - 1;
    return strncmp(r->path, path, n - 1) == 0 && path[n - 1] != 0;
}

/* The route of path and method; without one, what the path's routes allow ("" when none). */
static const vb_httpd_route *find_route(const vb_httpd *h, vb_exchange *x, const char *method,
                                        char *allow, size_t max) {
    const char *wanted = strcmp(method, "HEAD") == 0 ? "GET" : method, *rest;
    size_t n = 0;
    allow[0] = 0;
    for (size_t i = 0; i < h->o.n_routes; i++) {
        const vb_httpd_route *r = &h->o.routes[i];
        if (!path_fits(r, x->path, &rest)) {
            continue;
        }
        if (strcmp(r->method, wanted) == 0) {
            x->rest = rest;
            x->method = strcmp(method, "HEAD") == 0 ? "HEAD" : r->method;
            return r;
        }
        n += (size_t)snprintf(allow + n, max - n, "%s%s", n ? ", " : "",
                              strcmp(r->method, "GET") == 0 ? "GET, HEAD" : r->method);
    }
    return NULL;
}

/* The request's header. */

typedef struct lengths {
    unsigned content_length, transfer_encoding;
    bool unknown_encoding, bad_length, too_long;
    bool bad_name;
    uint64_t bytes;
} lengths;

static bool is_token(const char *name) {
    static const char marks[] = "!#$%&'*+-.^_`|~";
    const char *p = name;
    while (*p && (isalnum((unsigned char)*p) || strchr(marks, *p))) {
        p++;
    }
    return p != name && !*p;
}

/* Of a folded line libmicrohttpd hangs what was folded on the name ("Transfer-Encodingchunked"),
 * and a space before the colon is to it a part of the name: a length that it does not see, and that
 * others on the way may. */
static bool hides_length(const char *name) {
    static const char *const ours[] = {MHD_HTTP_HEADER_CONTENT_LENGTH,
                                       MHD_HTTP_HEADER_TRANSFER_ENCODING};
    for (size_t i = 0; i < 2; i++) {
        const size_t n = strlen(ours[i]);
        if (strncasecmp(name, ours[i], n) == 0 && name[n]) {
            return true;
        }
    }
    return false;
}

static enum MHD_Result look_at_header(void *cls, enum MHD_ValueKind kind, const char *name,
                                      const char *value) {
    lengths *l = cls;
    (void)kind;
    l->bad_name |= !is_token(name) || hides_length(name);
    if (strcasecmp(name, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0) {
        l->content_length++;
        const size_t n = value ? strlen(value) : 0;
        l->bad_length |= n == 0 || strspn(value, "0123456789") != n;
        l->too_long |= n > 18;
        l->bytes = l->bad_length || l->too_long ? 0 : strtoull(value, NULL, 10);
    } else if (strcasecmp(name, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0) {
        l->transfer_encoding++;
        l->unknown_encoding |= !value || strcasecmp(value, "chunked") != 0;
    }
    return MHD_YES;
}

/* A body has one length that everybody on the way understands in the same way, within limits. */
static void check_headers(vb_exchange *x) {
    lengths l = {0};
    MHD_get_connection_values(x->connection, MHD_HEADER_KIND, look_at_header, &l);
    if (l.bad_name) {
        vb_exchange_fail(x, 400, "invalid_header",
                         "a header's name is a token (RFC 9110), on one line with its value");
    } else if (l.content_length + l.transfer_encoding > 1 || l.unknown_encoding || l.bad_length) {
        vb_exchange_fail(x, 400, "invalid_length",
                         "the request's body needs one Content-Length, or Transfer-Encoding: "
                         "chunked");
    } else if (l.too_long || l.bytes > x->route->body_bytes_max) {
        vb_exchange_fail(x, 413, "body_too_large", "the body may have at most %zu bytes",
                         x->route->body_bytes_max);
    }
    x->body = vb_buf_make(x->route->body_bytes_max);
}

/* A page asks whether it may: the browser goes on only when the origin is allowed. */
static void reply_to_options(vb_exchange *x, const char *allow) {
    char methods[64];
    snprintf(methods, sizeof methods, "%s%sOPTIONS", allow, allow[0] ? ", " : "");
    vb_exchange_set_header(x, MHD_HTTP_HEADER_ALLOW, methods);
    if (vb_exchange_header(x, "Access-Control-Request-Method")) {
        vb_exchange_set_header(x, "Access-Control-Allow-Methods", methods);
        vb_exchange_set_header(x, "Access-Control-Allow-Headers",
                               "Authorization, Content-Type, OpenAI-Organization, OpenAI-Project, "
                               "X-Stainless-Arch, X-Stainless-Helper-Method, X-Stainless-Lang, "
                               "X-Stainless-OS, X-Stainless-Package-Version, "
                               "X-Stainless-Retry-Count, X-Stainless-Runtime, "
                               "X-Stainless-Runtime-Version, X-Stainless-Timeout");
        vb_exchange_set_header(x, "Access-Control-Max-Age", "600");
    }
    vb_exchange_reply_text(x, 204, "", "");
}

static void refuse_draining(vb_exchange *x) {
    vb_exchange_set_header(x, MHD_HTTP_HEADER_CONNECTION, "close");
    vb_exchange_set_header(x, MHD_HTTP_HEADER_RETRY_AFTER, "10");
    vb_exchange_fail(x, 503, "draining", "the server is shutting down");
}

/* Event loop: x->ready needs no lock here, as nobody else has the exchange yet. */
static void begin(vb_httpd *h, vb_exchange *x, const char *method) {
    char allow[64];
    x->route = find_route(h, x, method, allow, sizeof allow);
    if (!x->route) {
        if (allow[0] && strcmp(method, "OPTIONS") == 0) {
            x->method = "OPTIONS";
            reply_to_options(x, allow);
        } else if (allow[0]) {
            vb_exchange_set_header(x, MHD_HTTP_HEADER_ALLOW, allow);
            vb_exchange_fail(x, 405, "method_not_allowed", "%.20s is not for %.100s; expected %s",
                             method, x->path, allow);
        } else {
            vb_exchange_fail(x, 404, "unknown_url", "there is no %.200s here", x->path);
        }
        return;
    }
    if (atomic_load(&h->draining) && !x->route->open) {
        refuse_draining(x);
        return;
    }
    check_headers(x);
    if (!x->ready && h->o.admit && !h->o.admit(h->o.user, x, x->route)) {
        VB_ASSERT(x->ready);
    }
}

/* The body. */

static void take_body(vb_httpd *h, vb_exchange *x, const char *bytes, size_t n_bytes) {
    x->request_bytes += n_bytes;
    if (x->body_refused) {
        return; /* it can be told so only when the body has ended */
    }
    if (n_bytes > x->body.max - x->body.len) {
        x->body_refused = 413;
    } else if (atomic_fetch_add(&h->bodies_bytes, n_bytes) + n_bytes > h->o.bodies_bytes_max) {
        atomic_fetch_sub(&h->bodies_bytes, n_bytes);
        x->body_refused = 503;
    } else {
        x->body_reserved += n_bytes;
        if (vb_buf_append(&x->body, bytes, n_bytes)) {
            x->body_refused = 503;
        }
    }
    if (x->body_refused) { /* what it had is room for others, who came as far as it */
        vb_buf_free(&x->body);
        x->body = vb_buf_make(x->route->body_bytes_max);
        atomic_fetch_sub(&h->bodies_bytes, x->body_reserved);
        x->body_reserved = 0;
    }
}

static void handle(vb_httpd *h, vb_exchange *x) {
    x->dispatched = true;
    if (atomic_load(&h->draining) && !x->route->open) {
        refuse_draining(x);
    } else if (x->body_refused == 413) {
        vb_exchange_fail(x, 413, "body_too_large", "the body may have at most %zu bytes",
                         x->route->body_bytes_max);
    } else if (x->body_refused) {
        vb_exchange_set_header(x, MHD_HTTP_HEADER_RETRY_AFTER, "1");
        vb_exchange_fail(x, 503, "overloaded", "the server holds too many requests");
    } else {
        vb_watch_phase(h, x->socket, VB_PHASE_ANSWER, x);
        x->route->handle(h->o.user, x);
    }
}

/* %XX in paths and queries. An end of text stays as it was written: what follows it would be lost,
 * and the path be another one than a proxy on the way has seen. */
static size_t unescape(void *user, struct MHD_Connection *c, char *s) {
    (void)user;
    (void)c;
    char *to = s;
    for (const char *p = s; *p;) {
        const char two[3] = {(char)tolower((unsigned char)p[1]),
                             (char)(p[1] ? tolower((unsigned char)p[2]) : 0), 0};
        uint8_t byte = 0;
        if (*p == '%' && vb_hex_decode(two, &byte, 1) && byte) {
            *to++ = (char)byte;
            p += 3;
        } else {
            *to++ = *p++;
        }
    }
    *to = 0;
    return (size_t)(to - s);
}

static bool has_body(struct MHD_Connection *c) {
    return MHD_lookup_connection_value(c, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH) ||
           MHD_lookup_connection_value(c, MHD_HEADER_KIND, MHD_HTTP_HEADER_TRANSFER_ENCODING);
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *c, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *n_upload, void **context) {
    vb_httpd *h = cls;
    vb_exchange *x = *context;
    (void)version;
    if (!x) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
        if (!info || !info->socket_context || !(x = vb_exchange_open(h, c, url))) {
            return MHD_NO;
        }
        *context = x;
        x->socket = info->socket_context;
        pthread_mutex_lock(&h->lock);
        h->n_exchanges++;
        pthread_mutex_unlock(&h->lock);
        vb_watch_phase(h, x->socket, VB_PHASE_BODY, x);
        begin(h, x, method);
        x->socket->answered_early = x->ready && has_body(c);
        return x->ready ? vb_exchange_queue(x) : MHD_YES;
    }
    if (x->queued) {
        *n_upload = 0;
        return MHD_YES;
    }
    if (*n_upload) {
        take_body(h, x, upload, *n_upload);
        *n_upload = 0;
        return MHD_YES;
    }
    if (!x->dispatched) {
        handle(h, x);
    }
    return vb_exchange_ready_or_suspend(x) ? vb_exchange_queue(x) : MHD_YES;
}

static void on_completed(void *cls, struct MHD_Connection *c, void **context,
                         enum MHD_RequestTerminationCode how) {
    vb_httpd *h = cls;
    vb_exchange *x = *context;
    (void)c;
    if (!x) {
        return; /* refused by the library itself, before there was an exchange */
    }
    *context = NULL;
    vb_watch_phase(h, x->socket, VB_PHASE_HEADER, NULL);
    if (how != MHD_REQUEST_TERMINATED_COMPLETED_OK) {
        vb_exchange_gone(x);
    }
    pthread_mutex_lock(&x->lock);
    const vb_exchange_summary s = {
        .route = x->route ? x->route->name : "none",
        .method = x->method,
        .request_id = x->request_id,
        .client = x->client_name,
        .status = x->queued ? x->status : 0,
        .duration_ns = vb_clock_ns() - x->start_ns,
        .request_bytes = x->request_bytes,
        .response_bytes = x->response_bytes,
        .gone = x->gone || how != MHD_REQUEST_TERMINATED_COMPLETED_OK,
    };
    pthread_mutex_unlock(&x->lock);
    if (h->o.finished) {
        h->o.finished(h->o.user, &s, x->client);
    }
    vb_exchange_release(x);
    pthread_mutex_lock(&h->lock);
    h->n_exchanges--;
    pthread_cond_broadcast(&h->idle);
    pthread_mutex_unlock(&h->lock);
}

/* Listening. */

static vb_err open_listener(vb_httpd *h, vb_error *e) {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } at;
    memset(&at, 0, sizeof at);
    socklen_t n = sizeof at.v4;
    if (inet_pton(AF_INET, h->o.address, &at.v4.sin_addr) == 1) {
        at.v4.sin_family = AF_INET;
        at.v4.sin_port = htons(h->o.port);
    } else if (inet_pton(AF_INET6, h->o.address, &at.v6.sin6_addr) == 1) {
        at.v6.sin6_family = AF_INET6;
        at.v6.sin6_port = htons(h->o.port);
        n = sizeof at.v6;
    } else {
        return vb_fail(e, VB_EINVAL, "address %.60s: expected a numeric IPv4 or IPv6 address",
                       h->o.address);
    }
    const int one = 1;
    h->listener = socket(at.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (h->listener < 0 ||
        setsockopt(h->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
        bind(h->listener, &at.any, n) != 0 || listen(h->listener, LISTEN_BACKLOG) != 0 ||
        getsockname(h->listener, &at.any, &n) != 0) {
        return vb_fail(e, VB_EIO, "cannot listen on %.60s, port %u: %s", h->o.address, h->o.port,
                       strerror(errno));
    }
    h->port = ntohs(at.any.sa_family == AF_INET ? at.v4.sin_port : at.v6.sin6_port);
    return VB_OK;
}

vb_err vb_httpd_start(vb_httpd *h, vb_error *e) {
    const vb_httpd_options *o = &h->o;
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME;
    struct MHD_OptionItem items[16];
    size_t n = 0;
    items[n++] = (struct MHD_OptionItem){MHD_OPTION_LISTEN_SOCKET, h->listener, NULL};
    items[n++] =
        (struct MHD_OptionItem){MHD_OPTION_CONNECTION_LIMIT, (intptr_t)o->connections_max, NULL};
    items[n++] = (struct MHD_OptionItem){MHD_OPTION_PER_IP_CONNECTION_LIMIT,
                                         (intptr_t)o->connections_per_address_max, NULL};
    items[n++] = (struct MHD_OptionItem){MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                                         (intptr_t)o->header_bytes_max, NULL};
    items[n++] = (struct MHD_OptionItem){MHD_OPTION_CONNECTION_TIMEOUT,
                                         (intptr_t)((o->idle_ms + 999) / 1000), NULL};
    items[n++] = (struct MHD_OptionItem){MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL};
    items[n++] = (struct MHD_OptionItem){MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, NULL};
    items[n++] = (struct MHD_OptionItem){MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)unescape, NULL};
    if (o->tls_certificate) {
        flags |= MHD_USE_TLS;
        items[n++] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_CERT, 0,
                                             (void *)(uintptr_t)o->tls_certificate};
        items[n++] =
            (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)o->tls_key};
        items[n++] =
            (struct MHD_OptionItem){MHD_OPTION_HTTPS_PRIORITIES, 0,
                                    "SECURE128:+SECURE192:-VERS-ALL:+VERS-TLS1.2:+VERS-TLS1.3"};
    }
    items[n] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
    h->daemon =
        MHD_start_daemon(flags, h->port, NULL, NULL, on_request, h, MHD_OPTION_NOTIFY_COMPLETED,
                         on_completed, h, MHD_OPTION_NOTIFY_CONNECTION, vb_watch_connection, h,
                         MHD_OPTION_ARRAY, items, MHD_OPTION_END);
    if (!h->daemon) {
        return o->tls_certificate
                   ? vb_fail(e, VB_EFORMAT,
                             "TLS can not be started: expected a certificate and its key, in PEM")
                   : vb_fail(e, VB_EIO, "the HTTP server can not be started: %s", strerror(errno));
    }
    h->listener = -1; /* the daemon's now */
    return VB_OK;
}

vb_err vb_httpd_open(const vb_httpd_options *o, vb_httpd **out, vb_error *e) {
    VB_ASSERT(o->connections_max >= 1 && !o->tls_certificate == !o->tls_key);
    vb_httpd *h = calloc(1, sizeof *h);
    if (!h) {
        return vb_fail(e, VB_ENOMEM, "no memory for the HTTP server");
    }
    h->o = *o;
    h->listener = h->wake = -1;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&h->lock, NULL);
    pthread_cond_init(&h->idle, &monotonic);
    pthread_condattr_destroy(&monotonic);
    vb_err err;
    if ((err = open_listener(h, e)) || (err = vb_watch_start(h, e))) {
        vb_httpd_close(h);
        return err;
    }
    *out = h;
    return VB_OK;
}

uint16_t vb_httpd_port(const vb_httpd *h) {
    return h->port;
}

void vb_httpd_drain(vb_httpd *h) {
    if (!atomic_exchange(&h->draining, true)) {
        const MHD_socket listener = MHD_quiesce_daemon(h->daemon);
        if (listener != MHD_INVALID_SOCKET) {
            /* Nobody can connect from here on; its number is the event loop's until that ends. */
            shutdown(listener, SHUT_RDWR);
            h->listener = listener;
        }
    }
}

bool vb_httpd_wait_idle(vb_httpd *h, uint32_t wait_ms) {
    const uint64_t end_ns = vb_clock_ns() + (uint64_t)wait_ms * NS_PER_MS;
    const struct timespec end = {(time_t)(end_ns / 1000000000u), (long)(end_ns % 1000000000u)};
    pthread_mutex_lock(&h->lock);
    int late = 0;
    while (h->n_exchanges && !late) {
        late = pthread_cond_timedwait(&h->idle, &h->lock, &end);
    }
    const bool idle = h->n_exchanges == 0;
    pthread_mutex_unlock(&h->lock);
    return idle;
}

size_t vb_httpd_exchanges(vb_httpd *h) {
    pthread_mutex_lock(&h->lock);
    const size_t n = h->n_exchanges;
    pthread_mutex_unlock(&h->lock);
    return n;
}

size_t vb_httpd_connections(vb_httpd *h) {
    pthread_mutex_lock(&h->lock);
    const size_t n = h->n_connections;
    pthread_mutex_unlock(&h->lock);
    return n;
}

void vb_httpd_close(vb_httpd *h) {
    if (!h) {
        return;
    }
    if (h->daemon) {
        vb_httpd_drain(h);
        /* Whatever is still suspended ends now: the library does not stop before. */
        pthread_mutex_lock(&h->lock);
        for (vb_connection *s = h->connections; s; s = s->next) {
            if (s->x) {
                vb_exchange_gone(s->x);
                vb_exchange_stop(s->x);
            }
            shutdown(s->fd, SHUT_RDWR);
        }
        pthread_mutex_unlock(&h->lock);
        (void)vb_httpd_wait_idle(h, CLOSE_WAIT_MS);
        vb_watch_stop(h);
        MHD_stop_daemon(h->daemon);
    } else {
        vb_watch_stop(h);
    }
    if (h->listener >= 0) {
        close(h->listener);
    }
    pthread_cond_destroy(&h->idle);
    pthread_mutex_destroy(&h->lock);
    free(h);
}
