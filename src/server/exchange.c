/* One request and its reply: what is made on any thread, and sent by the event loop. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/error.h"
#include "base/system.h"
#include "crypto/random.h"
#include "server/httpd_internal.h"

enum { STREAM_BLOCK_BYTES = 16384, ERROR_BYTES_MAX = 1 << 16 };

vb_exchange *vb_exchange_open(vb_httpd *h, struct MHD_Connection *c, const char *path) {
    vb_exchange *x = calloc(1, sizeof *x);
    uint8_t random[12];
    if (!x || !(x->path = strdup(path)) || vb_random_bytes(random, sizeof random, NULL) ||
        pthread_mutex_init(&x->lock, NULL)) {
        if (x) {
            free(x->path);
        }
        free(x);
        return NULL;
    }
    x->h = h;
    x->connection = c;
    x->method = "other";
    x->start_ns = vb_clock_ns();
    x->reply = vb_buf_make(SIZE_MAX);
    atomic_init(&x->references, 1);
    memcpy(x->request_id, "req-", 4);
    vb_hex_encode(random, sizeof random, x->request_id + 4);
    return x;
}

void vb_exchange_hold(vb_exchange *x) {
    atomic_fetch_add(&x->references, 1);
}

void vb_exchange_release(vb_exchange *x) {
    if (atomic_fetch_sub(&x->references, 1) != 1) {
        return;
    }
    atomic_fetch_sub(&x->h->bodies_bytes, x->body_reserved);
    for (size_t i = 0; i < x->n_headers; i++) {
        free(x->headers[i].name);
        free(x->headers[i].value);
    }
    vb_buf_free(&x->body);
    vb_buf_free(&x->reply);
    pthread_mutex_destroy(&x->lock);
    free(x->path);
    free(x);
}

const char *vb_exchange_path(const vb_exchange *x) {
    return x->path;
}

const char *vb_exchange_rest(const vb_exchange *x) {
    return x->rest;
}

const char *vb_exchange_request_id(const vb_exchange *x) {
    return x->request_id;
}

const uint8_t *vb_exchange_body(const vb_exchange *x, size_t *n_bytes) {
    *n_bytes = x->body.len;
    return x->body.data ? x->body.data : (const uint8_t *)"";
}

const char *vb_exchange_header(const vb_exchange *x, const char *name) {
    return MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, name);
}

const char *vb_exchange_query(const vb_exchange *x, const char *name) {
    return MHD_lookup_connection_value(x->connection, MHD_GET_ARGUMENT_KIND, name);
}

void vb_exchange_set_client(vb_exchange *x, void *client, const char *name) {
    x->client = client;
    x->client_name = name;
}

void *vb_exchange_client(const vb_exchange *x) {
    return x->client;
}

/* With the lock. */
static void tell_gone(vb_exchange *x) {
    if (x->on_gone && x->gone) {
        x->on_gone(x->gone_user);
        x->on_gone = NULL;
    }
}

void vb_exchange_gone(vb_exchange *x) {
    pthread_mutex_lock(&x->lock);
    if (!x->gone && !x->ended && (!x->ready || x->streaming)) {
        x->gone = true;
        tell_gone(x);
    }
    pthread_mutex_unlock(&x->lock);
}

void vb_exchange_on_gone(vb_exchange *x, void (*fn)(void *user), void *user) {
    pthread_mutex_lock(&x->lock);
    x->on_gone = fn;
    x->gone_user = user;
    tell_gone(x);
    pthread_mutex_unlock(&x->lock);
}

bool vb_exchange_is_gone(vb_exchange *x) {
    pthread_mutex_lock(&x->lock);
    const bool gone = x->gone;
    pthread_mutex_unlock(&x->lock);
    return gone;
}

/* With the lock. */
static void resume(vb_exchange *x) {
    if (x->suspended) {
        x->suspended = false;
        MHD_resume_connection(x->connection);
    }
}

bool vb_exchange_ready_or_suspend(vb_exchange *x) {
    pthread_mutex_lock(&x->lock);
    const bool ready = x->ready || x->broken;
    if (!ready) {
        x->suspended = true;
        MHD_suspend_connection(x->connection);
    }
    pthread_mutex_unlock(&x->lock);
    return ready;
}

void vb_exchange_set_header(vb_exchange *x, const char *name, const char *value) {
    pthread_mutex_lock(&x->lock);
    VB_ASSERT(x->n_headers < VB_SERVER_REPLY_HEADERS_MAX && !x->ready);
    vb_reply_header *header = &x->headers[x->n_headers];
    header->name = strdup(name);
    header->value = strdup(value);
    if (header->name && header->value) {
        x->n_headers++;
    } else {
        free(header->name);
        free(header->value);
        x->broken = true; /* a reply without a header that it must have is none */
    }
    pthread_mutex_unlock(&x->lock);
}

static void make_ready(vb_exchange *x, unsigned status, const char *type) {
    VB_ASSERT(!x->ready);
    x->ready = true;
    x->status = status;
    snprintf(x->type, sizeof x->type, "%s", type);
    resume(x);
}

void vb_exchange_reply(vb_exchange *x, unsigned status, const char *type, vb_buf *body) {
    pthread_mutex_lock(&x->lock);
    x->reply = *body;
    *body = vb_buf_make(body->max);
    x->response_bytes = x->reply.len;
    make_ready(x, status, type);
    pthread_mutex_unlock(&x->lock);
}

void vb_exchange_reply_text(vb_exchange *x, unsigned status, const char *type, const char *text) {
    vb_buf body = vb_buf_make(SIZE_MAX);
    if (vb_buf_append(&body, text, strlen(text))) {
        vb_buf_free(&body);
        pthread_mutex_lock(&x->lock);
        x->broken = true;
        pthread_mutex_unlock(&x->lock);
    }
    vb_exchange_reply(x, status, type, &body);
}

void vb_exchange_fail(vb_exchange *x, unsigned status, const char *code, const char *fmt, ...) {
    char message[VB_ERROR_MSG_MAX];
    va_list args;
    va_start(args, fmt);
    vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    vb_api_error e;
    (void)vb_api_fail(&e, VB_EINVAL, (int)status, code, NULL, "%s", message);
    vb_buf body = vb_buf_make(ERROR_BYTES_MAX);
    if (vb_api_error_append(&e, &body)) {
        vb_buf_free(&body); /* no memory: the status says it all the same */
    }
    vb_exchange_reply(x, status, "application/json", &body);
}

void vb_exchange_stream(vb_exchange *x, unsigned status, const char *type) {
    pthread_mutex_lock(&x->lock);
    x->streaming = true;
    make_ready(x, status, type);
    pthread_mutex_unlock(&x->lock);
}

/* Drops what the reader has, so that the queue holds only what it has not. With the lock. */
static void compact(vb_exchange *x) {
    if (x->taken) {
        memmove(x->reply.data, x->reply.data + x->taken, x->reply.len - x->taken);
        x->reply.len -= x->taken;
        x->taken = 0;
    }
}

bool vb_exchange_write(vb_exchange *x, const void *bytes, size_t n_bytes) {
    pthread_mutex_lock(&x->lock);
    VB_ASSERT(x->streaming && !x->ended);
    bool ok = !x->gone && !x->broken, cut = false;
    if (ok) {
        compact(x);
        ok = n_bytes <= x->h->o.stream_bytes_max &&
             x->reply.len <= x->h->o.stream_bytes_max - n_bytes &&
             vb_buf_append(&x->reply, bytes, n_bytes) == VB_OK;
        if (!ok) {
            cut = x->broken = x->gone = true;
            tell_gone(x);
        }
        resume(x);
    }
    pthread_mutex_unlock(&x->lock);
    if (cut) {
        vb_watch_phase(x->h, x->socket, VB_PHASE_CUT, x);
    }
    return ok;
}

void vb_exchange_end(vb_exchange *x) {
    pthread_mutex_lock(&x->lock);
    VB_ASSERT(x->streaming);
    x->ended = true;
    const bool broken = x->broken;
    resume(x);
    pthread_mutex_unlock(&x->lock);
    vb_watch_phase(x->h, x->socket, broken ? VB_PHASE_CUT : VB_PHASE_SEND, x);
}

void vb_exchange_stop(vb_exchange *x) {
    pthread_mutex_lock(&x->lock);
    x->broken = x->ended = true;
    resume(x);
    pthread_mutex_unlock(&x->lock);
}

void vb_exchange_break(vb_exchange *x) {
    vb_exchange_stop(x);
    vb_watch_phase(x->h, x->socket, VB_PHASE_CUT, x);
}

/* The event loop wants bytes of a stream. */
static ssize_t read_stream(void *cls, uint64_t position, char *to, size_t max) {
    vb_exchange *x = cls;
    (void)position;
    ssize_t n = 0;
    pthread_mutex_lock(&x->lock);
    const size_t there = x->reply.len - x->taken;
    if (x->broken) {
        n = MHD_CONTENT_READER_END_WITH_ERROR;
    } else if (there) {
        n = (ssize_t)(there < max ? there : max);
        memcpy(to, x->reply.data + x->taken, (size_t)n);
        x->taken += (size_t)n;
        x->response_bytes += (uint64_t)n;
    } else if (x->ended) {
        n = MHD_CONTENT_READER_END_OF_STREAM;
    } else {
        x->suspended = true;
        MHD_suspend_connection(x->connection);
    }
    pthread_mutex_unlock(&x->lock);
    return n;
}

static void release_stream(void *cls) {
    vb_exchange_release(cls);
}

static struct MHD_Response *make_response(vb_exchange *x) {
    if (!x->streaming) {
        struct MHD_Response *r =
            x->reply.data ? MHD_create_response_from_buffer(x->reply.len, x->reply.data,
                                                            MHD_RESPMEM_MUST_FREE)
                          : MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
        if (r) {
            x->reply = vb_buf_make(0); /* it is the response's now */
        }
        return r;
    }
    vb_exchange_hold(x);
    struct MHD_Response *r = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK_BYTES,
                                                               read_stream, x, release_stream);
    if (!r) {
        vb_exchange_release(x);
    }
    return r;
}

/* The page's origin, when it may read the answers. */
static const char *allowed_origin(const vb_exchange *x) {
    const char *origin = vb_exchange_header(x, MHD_HTTP_HEADER_ORIGIN);
    for (size_t i = 0; origin && i < x->h->o.n_cors_origins; i++) {
        const char *allowed = x->h->o.cors_origins[i];
        if (strcmp(allowed, "*") == 0 || strcmp(allowed, origin) == 0) {
            return origin;
        }
    }
    return NULL;
}

static bool has_header(const vb_exchange *x, const char *name) {
    for (size_t i = 0; i < x->n_headers; i++) {
        if (strcmp(x->headers[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

static bool add_headers(const vb_exchange *x, struct MHD_Response *r) {
    const char *origin = allowed_origin(x);
    bool ok = MHD_add_response_header(r, "X-Request-Id", x->request_id) == MHD_YES;
    if (x->type[0]) {
        ok &= MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, x->type) == MHD_YES;
    }
    if (!has_header(x, MHD_HTTP_HEADER_CACHE_CONTROL)) { /* answers are nobody else's */
        ok &= MHD_add_response_header(r, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store") == MHD_YES;
    }
    ok &= MHD_add_response_header(r, "X-Content-Type-Options", "nosniff") == MHD_YES;
    if (origin) {
        ok &= MHD_add_response_header(r, MHD_HTTP_HEADER_ACCESS_CONTROL_ALLOW_ORIGIN, origin) &&
              MHD_add_response_header(r, MHD_HTTP_HEADER_VARY, "Origin") &&
              MHD_add_response_header(r, "Access-Control-Expose-Headers",
                                      "X-Request-Id, Verbatim-Commitment, Verbatim-Receipt, "
                                      "Retry-After, X-Should-Retry");
    }
    for (size_t i = 0; i < x->n_headers; i++) {
        ok &= MHD_add_response_header(r, x->headers[i].name, x->headers[i].value) == MHD_YES;
    }
    return ok;
}

enum MHD_Result vb_exchange_queue(vb_exchange *x) {
    pthread_mutex_lock(&x->lock);
    VB_ASSERT((x->ready || x->broken) && !x->queued);
    x->queued = x->ready;
    const bool whole = !x->streaming || x->ended;
    const bool dead = x->broken || (x->gone && !x->streaming);
    struct MHD_Response *r = dead ? NULL : make_response(x);
    const bool good = r && add_headers(x, r);
    const unsigned status = x->status;
    pthread_mutex_unlock(&x->lock);
    enum MHD_Result result = MHD_NO;
    if (r) {
        result = good ? MHD_queue_response(x->connection, status, r) : MHD_NO;
        MHD_destroy_response(r);
    }
    vb_watch_phase(x->h, x->socket, whole ? VB_PHASE_SEND : VB_PHASE_ANSWER, x);
    return result;
}
