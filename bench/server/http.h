/*
 * A minimal HTTP/1.1 client for one server on this machine: a request at a time on a connection
 * that does not block, bodies by length or in chunks, streams of events line by line. All that
 * comes is bounded; anything that is not expected is an error.
 *
 * Owner: open/close; the user of a connection is borrowed. Thread rule: one thread.
 */
#ifndef VB_BENCH_SERVER_HTTP_H
#define VB_BENCH_SERVER_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"

typedef enum vb_http_state {
    VB_HTTP_IDLE, /* no request is under way */
    VB_HTTP_STATUS,
    VB_HTTP_HEADER,
    VB_HTTP_BODY,
    VB_HTTP_CHUNK_SIZE,
    VB_HTTP_CHUNK,
    VB_HTTP_CHUNK_END,
    VB_HTTP_TRAILER
} vb_http_state;

typedef struct vb_http {
    int fd;
    vb_http_state state;
    bool chunked, has_length, events;
    unsigned status;
    uint64_t left; /* bytes of the body or the chunk */
    vb_buf out;    /* the request */
    size_t sent;
    vb_buf line; /* of the header, unfinished */
    vb_buf body; /* or the unfinished line of events */
    /* The data of one event; an error ends the connection. NULL: no events are expected. */
    vb_err (*on_event)(void *user, const char *data, size_t n_bytes, vb_error *e);
    void *user;
} vb_http;

/* What the kernels may hold of an answer that is not read: small for a slow reader. */
typedef struct vb_http_limits {
    int receive_bytes; /* of this side's socket */
    int segment_bytes; /* the other side's socket grows with it */
} vb_http_limits;

/* limits: NULL for the system's own. */
VB_MUST_CHECK vb_err vb_http_open(uint16_t port, const vb_http_limits *limits, vb_http *out,
                                  vb_error *e);
/* Nothing happens to a connection that was never opened: all zeros. */
void vb_http_close(vb_http *h);

/* Begins a request; body may be empty. What the socket does not take at once is sent by
 * vb_http_go_on. */
VB_MUST_CHECK vb_err vb_http_request(vb_http *h, const char *method, const char *path,
                                     const vb_buf *body, vb_error *e);
/* Sends and reads what is there, at most max_bytes. VB_EIO: the connection ended.
 * VB_EFORMAT: an answer that is none. */
VB_MUST_CHECK vb_err vb_http_go_on(vb_http *h, size_t max_bytes, vb_error *e);
/* Whether the answer is complete: h->status and h->body are there until the next request. */
bool vb_http_is_done(const vb_http *h);
bool vb_http_wants_to_send(const vb_http *h);

/* A whole exchange, waiting. h->status and h->body as above. */
VB_MUST_CHECK vb_err vb_http_ask(vb_http *h, const char *method, const char *path,
                                 const vb_buf *body, vb_error *e);

#endif
