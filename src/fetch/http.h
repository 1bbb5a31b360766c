/*
 * A small HTTP client over libcurl for answers that are not trusted: bounded in time and bytes, TLS
 * verified, no redirects, no proxies from the environment's surprises, no cookies, http and https
 * only.
 *
 * Owner: open/close. Thread rule: one thread at a time for one vb_http; any number of them at once.
 */
#ifndef VB_FETCH_HTTP_H
#define VB_FETCH_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"

typedef struct vb_http vb_http;

typedef struct vb_http_options {
    uint32_t connect_ms, total_ms;  /* of one request; 0: VB_HTTP_CONNECT_MS, VB_HTTP_TOTAL_MS */
    size_t bytes_max;               /* of one body (and of all headers); 0: VB_HTTP_BYTES_MAX */
    const char *ca_file;            /* PEM; NULL: the system's */
    bool (*keep_going)(void *user); /* asked several times a second; false: VB_ECANCELLED */
    void *user;
} vb_http_options;

VB_MUST_CHECK vb_err vb_http_open(const vb_http_options *o, vb_http **out, vb_error *e);
void vb_http_close(vb_http *h); /* NULL is allowed */

/* One request, no retries; body is emptied first. *status (may be NULL) is the HTTP status, 0 when
 * none came. VB_OK for 200 only. VB_EINVAL: not an http(s) URL. VB_ELIMIT: more bytes than allowed.
 * VB_EIO: no answer, a refused redirect, or another status; the message names host and cause, never
 * credentials of the URL. */
VB_MUST_CHECK vb_err vb_http_get(vb_http *h, const char *url, vb_buf *body, long *status,
                                 vb_error *e);
VB_MUST_CHECK vb_err vb_http_post_json(vb_http *h, const char *url, const char *json, vb_buf *body,
                                       long *status, vb_error *e);

#endif
