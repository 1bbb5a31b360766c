/*
 * Times of streams that run in a closed loop. Counted is a window: it opens when every stream has
 * ended its first answer, and closes when its time is over and enough answers have ended in it.
 *
 * Thread rule: one thread at a time. Times are of vb_clock_ns.
 */
#ifndef VB_BENCH_SERVER_METER_H
#define VB_BENCH_SERVER_METER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "child.h"

enum { VB_METER_STREAMS_MAX = 64 };

typedef struct vb_samples {
    double *values; /* milliseconds */
    size_t n, cap;
} vb_samples;

typedef struct vb_meter_stream {
    uint64_t begun_ns, last_ns; /* of the answer under way; last_ns 0: nothing has come yet */
    size_t n_events;            /* of it */
    size_t n_answers;
} vb_meter_stream;

typedef struct vb_meter {
    size_t n_streams;
    double seconds;         /* the window's least length */
    size_t answers_wanted;  /* in the window */
    const vb_child *server; /* NULL: this process is measured */
    size_t n_threads;       /* of a pass */
    uint64_t open_ns, close_ns;
    /* Processor time in the window: of what is measured, of its threads that compute passes (a
     * server's only), and of this thread. */
    uint64_t cpu_ns, passes_ns, own_ns;
    uint64_t n_events;               /* in the window */
    size_t n_answers;                /* in the window */
    uint64_t all_events, all_tokens; /* of all answers that have ended */
    bool no_memory;
    vb_samples first, between;
    vb_meter_stream streams[VB_METER_STREAMS_MAX];
} vb_meter;

/* Three quantiles in milliseconds. */
typedef struct vb_quantiles {
    double p50, p95, p99;
} vb_quantiles;

/* server: borrowed until the meter is over; NULL: this process is measured. */
void vb_meter_begin(vb_meter *m, size_t n_streams, double seconds, size_t answers_wanted,
                    const vb_child *server, size_t n_threads);
void vb_meter_free(vb_meter *m);

void vb_meter_request(vb_meter *m, size_t stream);
/* Something of the answer has come: a token, or a piece of text. */
void vb_meter_event(vb_meter *m, size_t stream);
void vb_meter_answer(vb_meter *m, size_t stream, size_t n_tokens);
bool vb_meter_is_over(const vb_meter *m);

/* Of a window that is over. A piece of text may be several tokens: tokens are counted in answers
 * that have ended, and shared out over their events. */
double vb_meter_tokens(const vb_meter *m);
double vb_meter_tokens_per_s(const vb_meter *m);
double vb_meter_tokens_per_event(const vb_meter *m);
/* Sorts the samples; zeros when there are none. */
vb_quantiles vb_meter_quantiles(vb_samples *s);

#endif
