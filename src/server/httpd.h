/*
 * The HTTP side of the server, over libmicrohttpd: one event loop for all connections, requests
 * that wait are suspended and cost no thread, and every client is bounded: bytes of a header and of
 * a body, time for each phase, connections in all and per address, bytes that a slow reader may
 * leave unread. It knows nothing of models: routes are the caller's table.
 *
 *   connected -> header -> admit -> body -> route->handle -> reply, or a stream of bytes -> idle
 *
 * Thread rule: route->handle, admit and finished run on the event loop and must not block; a
 * handler replies at once, or hands the exchange to another thread (vb_exchange_hold) that does.
 * The vb_exchange_* functions that reply may be called from any thread; those that read the
 * request from the handler, and afterwards from the one thread that has the exchange.
 */
#ifndef VB_SERVER_HTTPD_H
#define VB_SERVER_HTTPD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"

typedef struct vb_httpd vb_httpd;
typedef struct vb_exchange vb_exchange; /* one request and its response */

typedef struct vb_httpd_route {
    const char *method;    /* "GET" (which serves HEAD too), "POST" */
    const char *path;      /* exact; ended by '*': whatever follows is vb_exchange_rest */
    const char *name;      /* for metrics and logs */
    bool open;             /* asks for no key, and is served while the server drains */
    size_t body_bytes_max; /* 0: a body is refused */
    void (*handle)(void *user, vb_exchange *x);
} vb_httpd_route;

enum { VB_REQUEST_ID_BYTES = 4 + 24 + 1 };

/* What is told of an exchange when it is over. */
typedef struct vb_exchange_summary {
    const char *route;  /* "none" when no route fitted */
    const char *method; /* "other" for one that no route has */
    const char *request_id;
    const char *client; /* as vb_exchange_set_client; NULL: none */
    unsigned status;    /* 0: the connection ended before there was a reply */
    uint64_t duration_ns;
    uint64_t request_bytes, response_bytes; /* of the bodies */
    bool gone;                              /* the client went, or was cut off, before the end */
} vb_exchange_summary;

typedef struct vb_httpd_options {
    const char *address; /* numeric IPv4 or IPv6 */
    uint16_t port;       /* 0: the kernel picks one */
    size_t connections_max;
    size_t connections_per_address_max; /* 0: no limit of its own */
    size_t header_bytes_max;            /* of a request's line and headers together */
    uint64_t bodies_bytes_max;          /* of all bodies that are held */
    uint32_t header_ms;                 /* from the connection, or the end of its idling */
    uint32_t body_ms;                   /* from the header's end */
    uint32_t idle_ms;                   /* without a byte, and between requests */
    uint32_t send_ms;                   /* to read what is left, once the response is complete */
    size_t stream_bytes_max;            /* a reader who is further behind is cut off, and `gone` */
    const char *tls_certificate, *tls_key; /* PEM texts; NULL: plain HTTP */
    const char *const *cors_origins;       /* or "*"; none: no page of another origin may read */
    size_t n_cors_origins;
    const vb_httpd_route *routes; /* borrowed until close */
    size_t n_routes;
    /* The header is there, the body is not read yet; false: it has replied. May be NULL. */
    bool (*admit)(void *user, vb_exchange *x, const vb_httpd_route *route);
    /* Once for each exchange; may be NULL. client: as vb_exchange_set_client. */
    void (*finished)(void *user, const vb_exchange_summary *s, void *client);
    void *user;
} vb_httpd_options;

/* Listens; clients wait until vb_httpd_start. VB_EIO names address and port; VB_EINVAL an address
 * that is none. Options' texts are borrowed until close. */
VB_MUST_CHECK vb_err vb_httpd_open(const vb_httpd_options *o, vb_httpd **out, vb_error *e);
/* Serves: from here on handlers are called. VB_EFORMAT: a certificate or key that can not be used.
 */
VB_MUST_CHECK vb_err vb_httpd_start(vb_httpd *h, vb_error *e);
uint16_t vb_httpd_port(const vb_httpd *h);

/* No new connections; requests on old ones get 503, but for open routes. */
void vb_httpd_drain(vb_httpd *h);
/* Waits until no exchange is under way; false after wait_ms. */
bool vb_httpd_wait_idle(vb_httpd *h, uint32_t wait_ms);
size_t vb_httpd_exchanges(vb_httpd *h);   /* under way */
size_t vb_httpd_connections(vb_httpd *h); /* open */

/* Closes all connections; exchanges that were never replied to end without a reply. Whoever holds
 * an exchange must have released it. NULL is allowed. */
void vb_httpd_close(vb_httpd *h);

/* The request. Texts are borrowed from the exchange. */
const char *vb_exchange_path(const vb_exchange *x);
const char *vb_exchange_rest(const vb_exchange *x); /* of a route's path that ends in '*' */
const char *vb_exchange_request_id(const vb_exchange *x);
const uint8_t *vb_exchange_body(const vb_exchange *x, size_t *n_bytes);
/* Only in admit and handle. NULL: absent; a header that is given twice counts as its first. */
const char *vb_exchange_header(const vb_exchange *x, const char *name);
const char *vb_exchange_query(const vb_exchange *x, const char *name);

/* Whom the exchange is counted for; name is borrowed until finished. */
void vb_exchange_set_client(vb_exchange *x, void *client, const char *name);
void *vb_exchange_client(const vb_exchange *x);

/* For a thread that replies later: the exchange stays until it is released. */
void vb_exchange_hold(vb_exchange *x);
void vb_exchange_release(vb_exchange *x);

/* fn is called once, when the client goes or is cut off before its reply is complete; at once when
 * that has happened already. It runs under the exchange's lock: it must not block and must not
 * call vb_exchange_* functions. NULL takes it back, and then no call is under way. */
void vb_exchange_on_gone(vb_exchange *x, void (*fn)(void *user), void *user);
bool vb_exchange_is_gone(vb_exchange *x);

/* The reply: first headers, then exactly one of reply, fail or stream. */

/* At most VB_SERVER_REPLY_HEADERS_MAX; the texts are copied. */
void vb_exchange_set_header(vb_exchange *x, const char *name, const char *value);
/* Takes body's bytes and leaves it empty. */
void vb_exchange_reply(vb_exchange *x, unsigned status, const char *type, vb_buf *body);
/* The same with a copy of a text. */
void vb_exchange_reply_text(vb_exchange *x, unsigned status, const char *type, const char *text);
/* An error as the API has them (api/error.h). */
void vb_exchange_fail(vb_exchange *x, unsigned status, const char *code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* A response whose bytes come as they are made. */
void vb_exchange_stream(vb_exchange *x, unsigned status, const char *type);
/* Never blocks. False, and the bytes are dropped: the reader is gone, or was cut off now. */
bool vb_exchange_write(vb_exchange *x, const void *bytes, size_t n_bytes);
void vb_exchange_end(vb_exchange *x); /* the stream is complete */
/* The stream ends here without being complete: the connection is closed. */
void vb_exchange_break(vb_exchange *x);

#endif
