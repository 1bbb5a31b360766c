#include "fetch/http.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include <curl/curl.h>

#include "base/version.h"

enum { POLL_MS = 100 }; /* between two looks at keep_going */

struct vb_http {
    CURL *easy;
    CURLM *multi;
    struct curl_slist *get_headers, *post_headers, *text_headers;
    vb_http_options options; /* ca_file is curl's copy */
    uint32_t limit_ms;
    char detail[CURL_ERROR_SIZE];
    /* Of the request that is under way. */
    vb_buf *body;
    size_t body_bytes_max, header_bytes;
    vb_err refused; /* why a callback ended it */
};

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static CURLcode curl_ready;

static void start_curl(void) {
    curl_ready = curl_global_init(CURL_GLOBAL_DEFAULT);
}

/* OpenSSL writes to connections that the other side may have closed, and SIGPIPE would end the
 * program. A library must not change what the process does with a signal, so this thread keeps it
 * back meanwhile and takes away the one that came. */
typedef struct pipe_guard {
    sigset_t pipe, old;
    bool was_pending;
} pipe_guard;

static void pipe_guard_begin(pipe_guard *g) {
    sigset_t pending;
    sigemptyset(&g->pipe);
    sigaddset(&g->pipe, SIGPIPE);
    sigemptyset(&pending);
    sigpending(&pending);
    g->was_pending = sigismember(&pending, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &g->pipe, &g->old);
}

static void pipe_guard_end(const pipe_guard *g) {
    const struct timespec at_once = {0};
    while (!g->was_pending && sigtimedwait(&g->pipe, NULL, &at_once) < 0 && errno == EINTR) {
    }
    pthread_sigmask(SIG_SETMASK, &g->old, NULL);
}

static size_t on_body(char *bytes, size_t size, size_t n, void *user) {
    vb_http *h = user;
    const size_t n_bytes = size * n; /* curl's size is 1 */
    if (n_bytes > h->body_bytes_max - h->body->len) {
        h->refused = VB_ELIMIT;
        return 0;
    }
    h->refused = vb_buf_append(h->body, bytes, n_bytes);
    return h->refused ? 0 : n_bytes;
}

/* Counts all headers, those of interim answers and trailers too: curl keeps some of them. */
static size_t on_header(char *bytes, size_t size, size_t n, void *user) {
    vb_http *h = user;
    (void)bytes;
    h->header_bytes += size * n;
    if (h->header_bytes > h->options.bytes_max) {
        h->refused = VB_ELIMIT;
        return 0;
    }
    return size * n;
}

/* What holds for every request; false when curl refuses one of them. */
static bool set_options(vb_http *h, const vb_http_options *o) {
    CURL *c = h->easy;
    bool ok = curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK;
    ok &= curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK;
    ok &= curl_easy_setopt(c, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED) == CURLE_OK;
    ok &= curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L) == CURLE_OK;
    ok &= curl_easy_setopt(c, CURLOPT_NOPROGRESS, 1L) == CURLE_OK;
    /* One request at a time gains nothing from HTTP/2, and there is less to attack. */
    ok &= curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) == CURLE_OK;
    ok &= curl_easy_setopt(c, CURLOPT_HTTP09_ALLOWED, 0L) == CURLE_OK;
    ok &= curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK;
    ok &= curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK;
    ok &= curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK;
    ok &= curl_easy_setopt(c, CURLOPT_USERAGENT, "verbatim/" VB_VERSION) == CURLE_OK;
    ok &= curl_easy_setopt(c, CURLOPT_ERRORBUFFER, h->detail) == CURLE_OK;
    ok &= curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK;
    ok &= curl_easy_setopt(c, CURLOPT_WRITEDATA, h) == CURLE_OK;
    ok &= curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header) == CURLE_OK;
    ok &= curl_easy_setopt(c, CURLOPT_HEADERDATA, h) == CURLE_OK;
    ok &= curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)h->options.connect_ms) == CURLE_OK;
    /* A name server that does not answer must not outlast the time allowed. */
    ok &= curl_easy_setopt(c, CURLOPT_QUICK_EXIT, 1L) == CURLE_OK;
    if (o->ca_file) {
        /* The folder of the system's roots would be searched as well. */
        ok &= curl_easy_setopt(c, CURLOPT_CAINFO, o->ca_file) == CURLE_OK;
        ok &= curl_easy_setopt(c, CURLOPT_CAPATH, NULL) == CURLE_OK;
    }
    return ok;
}

static struct curl_slist *header_list(const char *const *lines) {
    struct curl_slist *list = NULL;
    for (; *lines; lines++) {
        struct curl_slist *longer = curl_slist_append(list, *lines);
        if (!longer) {
            curl_slist_free_all(list);
            return NULL;
        }
        list = longer;
    }
    return list;
}

vb_err vb_http_open(const vb_http_options *o, vb_http **out, vb_error *e) {
    static const char *const get[] = {"Accept: application/json, */*;q=0.5", NULL};
    static const char *const post[] = {"Accept: application/json", "Content-Type: application/json",
                                       NULL};
    static const char *const text[] = {"Accept: */*", "Content-Type: text/plain; charset=utf-8",
                                       NULL};
    if (o->ca_file && access(o->ca_file, R_OK) != 0) {
        return vb_fail(e, VB_EIO, "can not read the certificates in %s", o->ca_file);
    }
    pthread_once(&curl_once, start_curl);
    vb_http *h = curl_ready ? NULL : calloc(1, sizeof *h);
    if (!h) {
        return vb_fail(e, VB_ENOMEM, "no memory for an HTTP client");
    }
    h->options = *o;
    h->options.ca_file = NULL;
    h->options.connect_ms = o->connect_ms ? o->connect_ms : VB_HTTP_CONNECT_MS;
    h->options.total_ms = o->total_ms ? o->total_ms : VB_HTTP_TOTAL_MS;
    h->options.bytes_max = o->bytes_max ? o->bytes_max : VB_HTTP_BYTES_MAX;
    h->get_headers = header_list(get);
    h->post_headers = header_list(post);
    h->text_headers = header_list(text);
    h->easy = curl_easy_init();
    h->multi = curl_multi_init();
    if (!h->get_headers || !h->post_headers || !h->text_headers || !h->easy || !h->multi ||
        !set_options(h, o)) {
        vb_http_close(h);
        return vb_fail(e, VB_ENOMEM, "libcurl could not be set up");
    }
    *out = h;
    return VB_OK;
}

void vb_http_close(vb_http *h) {
    if (h) {
        pipe_guard g;
        pipe_guard_begin(&g);
        curl_easy_cleanup(h->easy);
        curl_multi_cleanup(h->multi);
        pipe_guard_end(&g);
        curl_slist_free_all(h->get_headers);
        curl_slist_free_all(h->post_headers);
        curl_slist_free_all(h->text_headers);
        free(h);
    }
}

void vb_http_limit_ms(vb_http *h, uint32_t total_ms) {
    h->limit_ms = total_ms;
}

/* The parsed URL, for the caller to curl_url_cleanup; NULL when it is not an http(s) URL. */
static CURLU *parse_url(const char *url) {
    CURLU *u = strnlen(url, VB_PATH_BYTES_MAX + 1) > VB_PATH_BYTES_MAX ? NULL : curl_url();
    char *scheme = NULL;
    bool ok = u && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
              curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
              (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);
    curl_free(scheme);
    if (!ok) {
        curl_url_cleanup(u);
        return NULL;
    }
    return u;
}

static vb_err not_a_url(vb_error *e) {
    return vb_fail(e, VB_EINVAL, "expected a URL of http:// or https://, at most %u bytes",
                   VB_PATH_BYTES_MAX);
}

vb_err vb_http_check_url(const char *url, vb_error *e) {
    CURLU *u = parse_url(url);
    if (!u) {
        return not_a_url(e);
    }
    curl_url_cleanup(u);
    return VB_OK;
}

static void server_name(CURLU *u, char name[VB_HTTP_NAME_BYTES]) {
    char *host = NULL, *port = NULL;
    if (curl_url_get(u, CURLUPART_HOST, &host, 0) != CURLUE_OK) {
        host = NULL;
    }
    if (curl_url_get(u, CURLUPART_PORT, &port, 0) != CURLUE_OK) {
        port = NULL;
    }
    snprintf(name, VB_HTTP_NAME_BYTES, "%s%s%s", host ? host : "?", port ? ":" : "",
             port ? port : "");
    curl_free(host);
    curl_free(port);
}

void vb_http_server_name(const char *url, char name[VB_HTTP_NAME_BYTES]) {
    CURLU *u = parse_url(url);
    if (u) {
        server_name(u, name);
    } else {
        snprintf(name, VB_HTTP_NAME_BYTES, "?");
    }
    curl_url_cleanup(u);
}

/* Whether the host is this machine, in the spellings that curl leaves ("127.1" becomes 127.0.0.1).
 */
static bool is_loopback(CURLU *u) {
    char *host = NULL;
    if (curl_url_get(u, CURLUPART_HOST, &host, 0) != CURLUE_OK) {
        return false;
    }
    const size_t n = strlen(host), n_suffix = sizeof ".localhost" - 1;
    const bool yes = strncmp(host, "127.", 4) == 0 || strcmp(host, "[::1]") == 0 ||
                     strcasecmp(host, "localhost") == 0 ||
                     (n > n_suffix && strcasecmp(host + n - n_suffix, ".localhost") == 0);
    curl_free(host);
    return yes;
}

/* Runs the request that is set up, looking at keep_going between short waits. */
static CURLcode perform(vb_http *h) {
    if (curl_multi_add_handle(h->multi, h->easy) != CURLM_OK) {
        return CURLE_OUT_OF_MEMORY;
    }
    CURLcode result = CURLE_ABORTED_BY_CALLBACK;
    for (int running = 1;;) {
        if (h->options.keep_going && !h->options.keep_going(h->options.user)) {
            h->refused = VB_ECANCELLED;
            break;
        }
        if (curl_multi_perform(h->multi, &running) != CURLM_OK) {
            result = CURLE_OUT_OF_MEMORY;
            break;
        }
        if (!running) {
            int left;
            const CURLMsg *m = curl_multi_info_read(h->multi, &left);
            result = m ? m->data.result : CURLE_OUT_OF_MEMORY;
            break;
        }
        if (curl_multi_poll(h->multi, NULL, 0, POLL_MS, NULL) != CURLM_OK) {
            result = CURLE_OUT_OF_MEMORY;
            break;
        }
    }
    curl_multi_remove_handle(h->multi, h->easy);
    return result;
}

/* What is sent with a request; bytes NULL: nothing, it is a GET. */
typedef struct sending {
    const void *bytes;
    size_t n_bytes;
    struct curl_slist *headers;
    bool any_status; /* not 200 alone is an answer */
} sending;

/* From what curl, the callbacks and the server say to one answer. */
static vb_err judge(const vb_http *h, const sending *what, CURLcode result, long status,
                    uint32_t total_ms, const char *name, vb_error *e) {
    if (h->refused == VB_ECANCELLED) {
        return vb_fail(e, VB_ECANCELLED, "%s: the request was cancelled", name);
    }
    if (h->refused == VB_ELIMIT || result == CURLE_FILESIZE_EXCEEDED) {
        return vb_fail(e, VB_ELIMIT, "%s: its answer passes the limit of %zu bytes", name,
                       h->header_bytes > h->options.bytes_max ? h->options.bytes_max
                                                              : h->body_bytes_max);
    }
    if (h->refused) {
        return vb_fail(e, VB_ENOMEM, "%s: no memory for its answer", name);
    }
    if (result == CURLE_OPERATION_TIMEDOUT) {
        return vb_fail(e, VB_EIO, "%s: no whole answer in %u ms", name, total_ms);
    }
    if (result == CURLE_OUT_OF_MEMORY) { /* curl says so for a header line that is too long, too */
        return vb_fail(e, VB_EIO, "%s: a header line that is too long, or no memory", name);
    }
    if (result) {
        return vb_fail(e, VB_EIO, "%s: %s", name,
                       h->detail[0] ? h->detail : curl_easy_strerror(result));
    }
    if (status >= 300 && status < 400) {
        return vb_fail(e, VB_EIO, "%s: redirect refused (HTTP %ld)", name, status);
    }
    if (status != 200 && !(what->any_status && status >= 200)) {
        return vb_fail(e, VB_EIO, "%s: HTTP status %ld", name, status);
    }
    return VB_OK;
}

static bool set_request(vb_http *h, CURLU *u, const sending *what, uint32_t total_ms) {
    CURL *c = h->easy;
    bool ok = curl_easy_setopt(c, CURLOPT_CURLU, u) == CURLE_OK;
    /* "" means no proxy at all, NULL the one that the environment names. */
    ok &= curl_easy_setopt(c, CURLOPT_PROXY, is_loopback(u) ? "" : NULL) == CURLE_OK;
    ok &= curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)total_ms) == CURLE_OK;
    ok &= curl_easy_setopt(c, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)h->body_bytes_max) == CURLE_OK;
    if (what->bytes) {
        ok &= curl_easy_setopt(c, CURLOPT_POST, 1L) == CURLE_OK;
        ok &=
            curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)what->n_bytes) == CURLE_OK;
        ok &= curl_easy_setopt(c, CURLOPT_POSTFIELDS, what->bytes) == CURLE_OK;
    } else {
        ok &= curl_easy_setopt(c, CURLOPT_HTTPGET, 1L) == CURLE_OK;
    }
    ok &= curl_easy_setopt(c, CURLOPT_HTTPHEADER, what->headers) == CURLE_OK;
    return ok;
}

static vb_err request(vb_http *h, const char *url, const sending *what, vb_buf *body, long *status,
                      vb_error *e) {
    long ignored;
    long *s = status ? status : &ignored;
    *s = 0;
    vb_buf_free(body);
    CURLU *u = parse_url(url);
    if (!u) {
        return not_a_url(e);
    }
    char name[VB_HTTP_NAME_BYTES];
    server_name(u, name);
    uint32_t total_ms = h->options.total_ms;
    if (h->limit_ms && h->limit_ms < total_ms) {
        total_ms = h->limit_ms;
    }
    h->body = body;
    h->body_bytes_max = body->max < h->options.bytes_max ? body->max : h->options.bytes_max;
    h->header_bytes = 0;
    h->refused = VB_OK;
    h->detail[0] = 0;
    CURLcode result = CURLE_OUT_OF_MEMORY;
    pipe_guard g;
    pipe_guard_begin(&g);
    if (set_request(h, u, what, total_ms)) {
        result = perform(h);
        if (curl_easy_getinfo(h->easy, CURLINFO_RESPONSE_CODE, s) != CURLE_OK) {
            *s = 0;
        }
    }
    pipe_guard_end(&g);
    h->body = NULL;
    curl_easy_setopt(h->easy, CURLOPT_CURLU, NULL); /* curl does not copy it */
    curl_url_cleanup(u);
    return judge(h, what, result, *s, total_ms, name, e);
}

vb_err vb_http_get(vb_http *h, const char *url, vb_buf *body, long *status, vb_error *e) {
    const sending nothing = {.headers = h->get_headers};
    return request(h, url, &nothing, body, status, e);
}

vb_err vb_http_post_json(vb_http *h, const char *url, const char *json, vb_buf *body, long *status,
                         vb_error *e) {
    const sending what = {.bytes = json, .n_bytes = strlen(json), .headers = h->post_headers};
    return request(h, url, &what, body, status, e);
}

vb_err vb_http_post_text(vb_http *h, const char *url, const void *text, size_t n_bytes,
                         vb_buf *body, long *status, vb_error *e) {
    const sending what = {
        .bytes = text, .n_bytes = n_bytes, .headers = h->text_headers, .any_status = true};
    return request(h, url, &what, body, status, e);
}
