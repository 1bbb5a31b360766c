/* A thousand streams that the server has committed to and that wait for the beacon's round, which
 * does not come: what they hold of memory, and what it costs those who are answered meanwhile. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/system.h"
#include "child.h"
#include "http.h"
#include "model/kv_pool.h"
#include "results.h"

enum {
    ACTIVE = 4,
    PROMPT_TOKENS = 24,
    ANSWER_TOKENS = 4,
    SPARE_FILES = 256,
    SPARE_SEQUENCES = 16,
    BACKLOG = 16,
    NUMBER_BYTES = 24,
    URL_BYTES = 64,
    BODY_BYTES_MAX = 1 << 16
};
#define MEGABYTE ((uint64_t)1 << 20)
static const uint64_t patience_ns = 300ull * 1000000000u;

typedef struct waiting {
    vb_http http;
    size_t n_events;
} waiting;

/* A port that takes connections and never answers. */
static vb_err open_deaf(int *fd, unsigned *port, vb_error *e) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    *fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (*fd < 0 || bind(*fd, (const struct sockaddr *)&a, sizeof a) || listen(*fd, BACKLOG) ||
        getsockname(*fd, (struct sockaddr *)&a, &n)) {
        return vb_fail(e, VB_EIO, "cannot listen: %s", strerror(errno));
    }
    *port = ntohs(a.sin_port);
    return VB_OK;
}

static vb_err start(const vb_bench_options *o, unsigned deaf, vb_child *out, vb_error *e) {
    const vb_model_config *c = vb_model_get_config(o->workload.model);
    const uint64_t pages =
        o->n_idle +
        ACTIVE * (1 + (VB_WORKLOAD_PROMPT_MAX + o->workload.answer_tokens) / VB_ATTN_CHUNK) +
        SPARE_SEQUENCES;
    char threads[NUMBER_BYTES], many[NUMBER_BYTES], connections[NUMBER_BYTES], kv[NUMBER_BYTES],
        url[URL_BYTES];
    snprintf(threads, sizeof threads, "%d", o->workload.n_threads);
    snprintf(many, sizeof many, "%zu", o->n_idle + SPARE_SEQUENCES);
    snprintf(connections, sizeof connections, "%zu", 2 * o->n_idle + SPARE_FILES);
    snprintf(kv, sizeof kv, "%llu",
             (unsigned long long)((pages * vb_kv_page_bytes(c) + MEGABYTE - 1) / MEGABYTE));
    snprintf(url, sizeof url, "http://127.0.0.1:%u", deaf);
    const char *const args[] = {"-m",
                                o->workload.path,
                                "--model-name",
                                "bench",
                                "--threads",
                                threads,
                                "--sequences",
                                many,
                                "--queue",
                                many,
                                "--connections",
                                connections,
                                "--kv-megabytes",
                                kv,
                                "--beacon",
                                "drand",
                                "--beacon-urls",
                                url,
                                "--beacon-wait-s",
                                "3600",
                                NULL};
    return vb_child_start(o->program, args, out, e);
}

/* The value of a line "NAME{...} VALUE" or "NAME VALUE" of /metrics. */
static vb_err metric(const vb_child *server, const char *name, double *out, vb_error *e) {
    vb_http h = {.fd = -1};
    vb_err err = vb_http_open(server->port, NULL, &h, e);
    if (!err && !(err = vb_http_ask(&h, "GET", "/metrics", NULL, e))) {
        const size_t n = strlen(name);
        const char *at = h.body.data ? (const char *)h.body.data : "";
        while (at && !(strncmp(at, name, n) == 0 && (at[n] == '{' || at[n] == ' '))) {
            at = strchr(at, '\n');
            at += at ? 1 : 0;
        }
        const char *value = at ? strstr(at, at[n] == '{' ? "} " : " ") : NULL;
        if (value) {
            *out = strtod(value + (at[n] == '{' ? 2 : 1), NULL);
        } else {
            err = vb_fail(e, VB_EFORMAT, "/metrics has no %s", name);
        }
    }
    vb_http_close(&h);
    return err;
}

/* Until a metric has a value. */
static vb_err wait_for(const vb_child *server, const char *name, double wanted, vb_error *e) {
    const uint64_t until = vb_clock_ns() + patience_ns;
    const struct timespec pause = {0, 50 * 1000 * 1000};
    for (;;) {
        double found = 0;
        const vb_err err = metric(server, name, &found, e);
        if (err || found == wanted) {
            return err;
        }
        if (vb_bench_interrupted) {
            return vb_fail(e, VB_ECANCELLED, "interrupted");
        }
        if (vb_clock_ns() > until) {
            return vb_fail(e, VB_EMISMATCH, "%s is %g: expected %g by now", name, found, wanted);
        }
        (void)nanosleep(&pause, NULL);
    }
}

static vb_err on_event(void *user, const char *data, size_t n, vb_error *e) {
    waiting *w = user;
    w->n_events++;
    return memmem(data, n, "\"commitment\"", 12)
               ? VB_OK
               : vb_fail(e, VB_EFORMAT, "expected a commitment, found '%.*s'",
                         (int)(n < 200 ? n : 200), data);
}

/* Sends all requests, then reads the first event of each. */
static vb_err gather(const vb_bench_options *o, const vb_child *server, waiting *crowd,
                     vb_error *e) {
    uint32_t prompt[VB_WORKLOAD_PROMPT_MAX];
    const vb_request_form form = {.answer_tokens = ANSWER_TOKENS, .n_choices = 1};
    vb_err err = VB_OK;
    for (size_t i = 0; i < o->n_idle && !err; i++) {
        vb_buf body = vb_buf_make(BODY_BYTES_MAX);
        (void)vb_workload_prompt(&o->workload, i, 0, prompt);
        crowd[i].n_events = 0;
        if ((err = vb_workload_body(&o->workload, prompt, PROMPT_TOKENS, &form, &body))) {
            err = vb_fail(e, err, "no memory for a request");
        } else if (!(err = vb_http_open(server->port, NULL, &crowd[i].http, e))) {
            crowd[i].http.on_event = on_event;
            crowd[i].http.user = &crowd[i];
            err = vb_http_request(&crowd[i].http, "POST", "/v1/completions", &body, e);
        }
        vb_buf_free(&body);
    }
    for (size_t i = 0; i < o->n_idle && !err; i++) {
        while (!err && !crowd[i].n_events) {
            struct pollfd p = {.fd = crowd[i].http.fd, .events = POLLIN};
            if (poll(&p, 1, (int)(patience_ns / 1000000)) <= 0) {
                return vb_fail(e, VB_EIO, "stream %zu has not begun", i);
            }
            err = vb_http_go_on(&crowd[i].http, SIZE_MAX, e);
            if (!err && vb_http_is_done(&crowd[i].http)) {
                err = vb_fail(e, VB_EMISMATCH, "stream %zu: status %u: expected it to wait", i,
                              crowd[i].http.status);
            }
        }
    }
    return err ? err : wait_for(server, "verbatim_parked", (double)o->n_idle, e);
}

static vb_err run_active(const vb_bench_options *o, const vb_child *server, vb_figures *best,
                         vb_error *e) {
    static vb_meter m;
    const vb_load_options load = {.workload = &o->workload, .port = server->port};
    vb_err err = VB_OK;
    for (size_t i = 0; i < o->n_repeat && !err; i++) {
        vb_meter_begin(&m, ACTIVE, o->seconds, ACTIVE, server, (size_t)o->workload.n_threads);
        err = vb_load_run(&load, &m, e);
        const vb_figures f = vb_figures_take(&m);
        if (f.tokens_per_s > best->tokens_per_s) {
            *best = f;
        }
    }
    return err;
}

static vb_err measure(const vb_bench_options *o, const vb_child *server, waiting *crowd,
                      vb_crowd_result *out, vb_error *e) {
    double pages = 0;
    vb_bench_progress(o, "%d streams alone", ACTIVE);
    vb_err err = run_active(o, server, &out->alone, e);
    if (!err) {
        err = vb_child_resident_bytes(server, &out->before_bytes, e);
    }
    for (size_t i = 0; i < VB_CROWDS && !err; i++) {
        vb_bench_progress(o, "%zu streams that wait, %zu of %d", o->n_idle, i + 1, VB_CROWDS);
        if (!(err = gather(o, server, crowd, e)) &&
            !(err = vb_child_resident_bytes(server, &out->during_bytes[i], e)) &&
            i + 1 == VB_CROWDS) {
            vb_bench_progress(o, "%d streams beside %zu that wait", ACTIVE, o->n_idle);
            err = metric(server, "verbatim_kv_pages_used", &pages, e);
            err = err ? err : run_active(o, server, &out->beside, e);
        }
        for (size_t k = 0; k < o->n_idle; k++) {
            vb_http_close(&crowd[k].http);
        }
        err = err ? err : wait_for(server, "verbatim_answers_under_way", 0, e);
    }
    out->kv_bytes = (uint64_t)pages * vb_kv_page_bytes(vb_model_get_config(o->workload.model));
    out->n_streams = o->n_idle;
    out->n_active = ACTIVE;
    return err ? err : vb_child_resident_bytes(server, &out->after_bytes, e);
}

vb_err vb_bench_crowd(const vb_bench_options *o, vb_crowd_result *out, vb_error *e) {
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max; /* the server has them from here */
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    if (files.rlim_cur < 2 * o->n_idle + SPARE_FILES) {
        fprintf(stderr,
                "bench_server: not measured: %zu streams that wait: this process may open %llu "
                "files only\n",
                o->n_idle, (unsigned long long)files.rlim_cur);
        return VB_OK;
    }
    waiting *crowd = calloc(o->n_idle, sizeof *crowd);
    vb_child server = {.in = -1};
    unsigned port = 0;
    int deaf = -1;
    vb_err err =
        crowd ? open_deaf(&deaf, &port, e) : vb_fail(e, VB_ENOMEM, "no memory for streams");
    if (!err && !(err = start(o, port, &server, e))) {
        err = measure(o, &server, crowd, out, e);
    }
    vb_child_stop(&server);
    if (deaf >= 0) {
        (void)close(deaf);
    }
    free(crowd);
    out->is_there = !err;
    return err;
}
