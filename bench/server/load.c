#include "load.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/system.h"
#include "http.h"

enum {
    WAIT_MS = 20,
    OTHER_MS = 1000,
    SLOW_MS = 50,
    SLOW_BYTES = 256,
    OTHER_LOGPROBS = 5,       /* they make its events long */
    SLOW_SOCKET_BYTES = 2048, /* of the kernel on this side */
    SLOW_SEGMENT_BYTES = 536, /* and on the other: it holds some segments */
    BODY_BYTES_MAX = 1 << 16,
    STREAMS_MAX = VB_METER_STREAMS_MAX + 1
};
static const uint64_t silence_ns = 600ull * 1000000000u;

typedef struct stream {
    struct load *load;
    vb_http http;
    size_t index, round, n_tokens; /* of the answer under way */
    bool is_other, is_slow, is_complete;
    uint64_t next_read_ns, leave_ns; /* of the one that is not the meter's */
} stream;

typedef struct load {
    const vb_load_options *o;
    vb_meter *m;
    int poll;
    uint64_t last_event_ns;
    size_t n_streams;
    stream streams[STREAMS_MAX];
} load;

static bool has(const char *data, size_t n, const char *what) {
    return memmem(data, n, what, strlen(what)) != NULL;
}

static vb_err on_event(void *user, const char *data, size_t n, vb_error *e) {
    static const char text[] = "\"choices\":[{\"text\":\"";
    stream *s = user;
    const char *at = memmem(data, n, text, sizeof text - 1);
    s->load->last_event_ns = vb_clock_ns();
    if (n == 6 && memcmp(data, "[DONE]", 6) == 0) {
        s->is_complete = true;
    } else if (!at) {
        return vb_fail(e, VB_EFORMAT, "expected a chunk of a completion, found '%.*s'",
                       (int)(n < 200 ? n : 200), data);
    } else if (has(data, n, "\"finish_reason\":\"stop\"")) {
        return vb_fail(e, VB_EFORMAT, "an answer ended before its last token");
    } else if (at[sizeof text - 1] != '"' && !s->is_other) {
        vb_meter_event(s->load->m, s->index);
    }
    return VB_OK;
}

static vb_err ask(stream *s, vb_error *e) {
    load *l = s->load;
    const vb_workload *w = l->o->workload;
    uint32_t prompt[VB_WORKLOAD_PROMPT_MAX];
    const size_t n = vb_workload_prompt(w, s->index, s->is_other ? 0 : s->round, prompt);
    vb_request_form form = {.n_choices = 1, .has_seed = true};
    if (s->is_other) {
        form.n_choices = VB_LOAD_OTHER_CHOICES;
        form.n_logprobs = OTHER_LOGPROBS;
        form.answer_tokens = l->o->other_tokens;
    } else {
        form.answer_tokens = vb_workload_answer_tokens(w, s->index, l->m->n_streams, s->round);
    }
    s->n_tokens = form.answer_tokens;
    s->is_complete = false;
    vb_buf body = vb_buf_make(BODY_BYTES_MAX);
    vb_err err = vb_workload_body(w, prompt, n, &form, &body);
    if (err) {
        err = vb_fail(e, err, "no memory for a request");
    } else {
        if (!s->is_other) {
            vb_meter_request(l->m, s->index);
        }
        err = vb_http_request(&s->http, "POST", "/v1/completions", &body, e);
    }
    vb_buf_free(&body);
    return err;
}

static vb_err connect_stream(stream *s, vb_error *e) {
    const vb_http_limits slow = {SLOW_SOCKET_BYTES, SLOW_SEGMENT_BYTES};
    vb_err err = vb_http_open(s->load->o->port, s->is_slow ? &slow : NULL, &s->http, e);
    if (err) {
        return err;
    }
    s->http.on_event = on_event;
    s->http.user = s;
    s->leave_ns = vb_clock_ns() + OTHER_MS * 1000000ull;
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = s};
    if (!s->is_slow && epoll_ctl(s->load->poll, EPOLL_CTL_ADD, s->http.fd, &event)) {
        return vb_fail(e, VB_EIO, "epoll_ctl: %s", strerror(errno));
    }
    return ask(s, e);
}

/* The answer has ended: counted, and the next request is sent. */
static vb_err next(stream *s, vb_error *e) {
    if (s->http.status != 200 || !s->is_complete) {
        return vb_fail(e, VB_EMISMATCH, "status %u, %s: %.*s", s->http.status,
                       s->is_complete ? "complete" : "not complete", (int)s->http.body.len,
                       s->http.body.data ? (const char *)s->http.body.data : "");
    }
    if (s->is_other) {
        return VB_OK;
    }
    vb_meter_answer(s->load->m, s->index, s->n_tokens);
    s->round++;
    return vb_meter_is_over(s->load->m) ? VB_OK : ask(s, e);
}

static vb_err serve_stream(stream *s, size_t max_bytes, vb_error *e) {
    const vb_err err = vb_http_go_on(&s->http, max_bytes, e);
    if (err == VB_EIO && s->is_other) {
        vb_http_close(&s->http); /* cut off, as a slow reader may be: it waits for its next turn */
        return VB_OK;
    }
    return !err && vb_http_is_done(&s->http) ? next(s, e) : err;
}

/* The stream that is not the meter's leaves after a second, and asks again: so the engine has the
 * same work whether it reads or not. If slow, it reads a little now and then. */
static vb_err serve_other(stream *s, vb_error *e) {
    const uint64_t now = vb_clock_ns();
    if (now >= s->leave_ns) {
        vb_http_close(&s->http);
        return connect_stream(s, e);
    }
    if (s->is_slow && now >= s->next_read_ns && !vb_http_is_done(&s->http)) {
        s->next_read_ns = now + SLOW_MS * 1000000ull;
        return serve_stream(s, SLOW_BYTES, e);
    }
    return VB_OK;
}

static vb_err begin(load *l, vb_error *e) {
    l->poll = epoll_create1(EPOLL_CLOEXEC);
    if (l->poll < 0) {
        return vb_fail(e, VB_EIO, "epoll_create: %s", strerror(errno));
    }
    l->last_event_ns = vb_clock_ns();
    l->n_streams = l->m->n_streams + (l->o->has_other ? 1 : 0);
    vb_err err = VB_OK;
    for (size_t i = 0; i < l->n_streams && !err; i++) {
        stream *s = &l->streams[i];
        s->load = l;
        s->index = i;
        s->is_other = i == l->m->n_streams;
        s->is_slow = s->is_other && l->o->other_is_slow;
        err = connect_stream(s, e);
    }
    return err;
}

static vb_err loop(load *l, vb_error *e) {
    struct epoll_event events[STREAMS_MAX];
    vb_err err = VB_OK;
    while (!err && !vb_meter_is_over(l->m)) {
        const int n = epoll_wait(l->poll, events, STREAMS_MAX, WAIT_MS);
        if (vb_bench_interrupted) {
            return vb_fail(e, VB_ECANCELLED, "interrupted");
        }
        for (int i = 0; i < n && !err && !vb_meter_is_over(l->m); i++) {
            /* Edge-triggered: all that is there. */
            err = serve_stream(events[i].data.ptr, SIZE_MAX, e);
        }
        if (!err && l->o->has_other) {
            err = serve_other(&l->streams[l->n_streams - 1], e);
        }
        if (!err && vb_clock_ns() > l->last_event_ns + silence_ns) {
            err = vb_fail(e, VB_EIO, "the server has sent nothing for ten minutes");
        }
    }
    return err;
}

vb_err vb_load_run(const vb_load_options *o, vb_meter *m, vb_error *e) {
    load *l = calloc(1, sizeof *l);
    if (!l) {
        return vb_fail(e, VB_ENOMEM, "no memory for streams");
    }
    l->o = o;
    l->m = m;
    l->poll = -1;
    vb_err err = begin(l, e);
    if (!err) {
        err = loop(l, e);
    }
    if (!err && m->no_memory) {
        err = vb_fail(e, VB_ENOMEM, "no memory for the times");
    }
    for (size_t i = 0; i < l->n_streams; i++) {
        vb_http_close(&l->streams[i].http);
    }
    if (l->poll >= 0) {
        (void)close(l->poll);
    }
    free(l);
    return err;
}
