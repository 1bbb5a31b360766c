#include "meter.h"

#include <stdlib.h>
#include <string.h>

#include "base/system.h"

enum { SAMPLES_BEGIN = 1024, SAMPLES_MAX = 1 << 24 };

static uint64_t cpu_ns(clockid_t clock) {
    struct timespec t = {0, 0};
    (void)clock_gettime(clock, &t); /* a process that has ended has used no more */
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void vb_meter_begin(vb_meter *m, size_t n_streams, double seconds, size_t answers_wanted,
                    const vb_child *server, size_t n_threads) {
    VB_ASSERT(n_streams >= 1 && n_streams <= VB_METER_STREAMS_MAX);
    memset(m, 0, sizeof *m);
    m->n_streams = n_streams;
    m->seconds = seconds;
    m->answers_wanted = answers_wanted;
    m->server = server;
    m->n_threads = n_threads;
}

void vb_meter_free(vb_meter *m) {
    free(m->first.values);
    free(m->between.values);
    m->first = m->between = (vb_samples){NULL, 0, 0};
}

static void add_sample(vb_meter *m, vb_samples *s, uint64_t ns) {
    if (s->n == s->cap) {
        const size_t cap = s->cap ? 2 * s->cap : SAMPLES_BEGIN;
        double *more = cap <= SAMPLES_MAX ? realloc(s->values, cap * sizeof *more) : NULL;
        if (!more) {
            m->no_memory = true;
            return;
        }
        s->values = more;
        s->cap = cap;
    }
    s->values[s->n++] = (double)ns / 1e6;
}

static bool is_counted(const vb_meter *m) {
    return m->open_ns && !m->close_ns;
}

void vb_meter_request(vb_meter *m, size_t stream) {
    vb_meter_stream *s = &m->streams[stream];
    s->begun_ns = vb_clock_ns();
    s->last_ns = 0;
    s->n_events = 0;
}

void vb_meter_event(vb_meter *m, size_t stream) {
    vb_meter_stream *s = &m->streams[stream];
    const uint64_t now = vb_clock_ns();
    if (is_counted(m)) {
        m->n_events++;
        if (!s->last_ns && s->begun_ns >= m->open_ns) {
            add_sample(m, &m->first, now - s->begun_ns);
        } else if (s->last_ns >= m->open_ns) {
            add_sample(m, &m->between, now - s->last_ns);
        }
    }
    s->n_events++;
    s->last_ns = now;
}

/* What has been used so far, less what is in m: twice, at both ends of the window. */
static void take_cpu(vb_meter *m) {
    m->cpu_ns = cpu_ns(m->server ? m->server->cpu : CLOCK_PROCESS_CPUTIME_ID) - m->cpu_ns;
    m->own_ns = cpu_ns(CLOCK_THREAD_CPUTIME_ID) - m->own_ns;
    if (m->server) {
        m->passes_ns = vb_child_busiest_ns(m->server, m->n_threads) - m->passes_ns;
    }
}

static void open_window(vb_meter *m, uint64_t now) {
    for (size_t i = 0; i < m->n_streams; i++) {
        if (!m->streams[i].n_answers) {
            return;
        }
    }
    m->open_ns = now;
    take_cpu(m);
}

void vb_meter_answer(vb_meter *m, size_t stream, size_t n_tokens) {
    vb_meter_stream *s = &m->streams[stream];
    const uint64_t now = vb_clock_ns();
    s->n_answers++;
    m->all_events += s->n_events;
    m->all_tokens += n_tokens;
    if (!m->open_ns) {
        open_window(m, now);
    } else if (is_counted(m)) {
        m->n_answers++;
        if (m->n_answers >= m->answers_wanted && (double)(now - m->open_ns) >= 1e9 * m->seconds) {
            m->close_ns = now;
            take_cpu(m);
        }
    }
}

bool vb_meter_is_over(const vb_meter *m) {
    return m->close_ns || m->no_memory;
}

double vb_meter_tokens_per_event(const vb_meter *m) {
    return m->all_events ? (double)m->all_tokens / (double)m->all_events : 0;
}

double vb_meter_tokens(const vb_meter *m) {
    return (double)m->n_events * vb_meter_tokens_per_event(m);
}

double vb_meter_tokens_per_s(const vb_meter *m) {
    return 1e9 * vb_meter_tokens(m) / (double)(m->close_ns - m->open_ns);
}

static int compare(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

vb_quantiles vb_meter_quantiles(vb_samples *s) {
    if (!s->n) {
        return (vb_quantiles){0, 0, 0};
    }
    qsort(s->values, s->n, sizeof *s->values, compare);
    const size_t last = s->n - 1;
    return (vb_quantiles){s->values[last * 50 / 100], s->values[last * 95 / 100],
                          s->values[last * 99 / 100]};
}
