/*
 * A small HTTP client over libcurl for answers that are not trusted: bounded in time and bytes, TLS
 * 1.2 or later with peer and host verified, no redirects, no cookies, no netrc, no decompression,
 * http and https only. A proxy that the environment names (https_proxy, no_proxy) is used, but
 * never for this machine's own addresses.
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
#include "base/limits.h"

typedef struct vb_http vb_http;

typedef struct vb_http_options {
    uint32_t connect_ms, total_ms;  /* of one request; 0: VB_HTTP_CONNECT_MS, VB_HTTP_TOTAL_MS */
    size_t bytes_max;               /* of one body (and of all headers); 0: VB_HTTP_BYTES_MAX */
    const char *ca_file;            /* PEM, instead of the system's; NULL: the system's; copied */
    bool (*keep_going)(void *user); /* asked several times a second; false: VB_ECANCELLED */
    void *user;
} vb_http_options;

/* VB_EIO when ca_file can not be read. */
VB_MUST_CHECK vb_err vb_http_open(const vb_http_options *o, vb_http **out, vb_error *e);
void vb_http_close(vb_http *h); /* NULL is allowed */

/* No request lasts longer than this from now on, whatever the options allow; 0: as they allow. */
void vb_http_limit_ms(vb_http *h, uint32_t total_ms);

/* VB_EINVAL unless url is an http(s) URL of at most VB_PATH_BYTES_MAX bytes. */
VB_MUST_CHECK vb_err vb_http_check_url(const char *url, vb_error *e);

enum { VB_HTTP_NAME_BYTES = 128 };

/* How messages name the URL's server: "host" or "host:port", cut when it is long. Neither
 * credentials nor path: a path may be a key, too. "?" for what is not a URL. */
void vb_http_server_name(const char *url, char name[VB_HTTP_NAME_BYTES]);

/* One request, no retries; body is emptied first and never passes its own max, even when bytes_max
 * is more. *status (may be NULL) is the HTTP status, 0 when none came. VB_OK for 200 only.
 * VB_EINVAL: not an http(s) URL. VB_ELIMIT: more bytes than allowed. VB_EIO: no answer, a refused
 * redirect, or another status; the message names host and cause, never credentials of the URL. On
 * an error body holds nothing of use. */
VB_MUST_CHECK vb_err vb_http_get(vb_http *h, const char *url, vb_buf *body, long *status,
                                 vb_error *e);
VB_MUST_CHECK vb_err vb_http_post_json(vb_http *h, const char *url, const char *json, vb_buf *body,
                                       long *status, vb_error *e);
/* A text, for a server whose other answers mean something: VB_OK for every whole one that is no
 * redirect, whose *status says what it is and whose body is there. */
VB_MUST_CHECK vb_err vb_http_post_text(vb_http *h, const char *url, const void *text,
                                       size_t n_bytes, vb_buf *body, long *status, vb_error *e);

#endif
