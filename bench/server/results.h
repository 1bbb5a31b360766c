/*
 * What is measured, part by part (levels.c, crowd.c), and how it is shown (results.c).
 *
 * Thread rule: one thread.
 */
#ifndef VB_BENCH_SERVER_RESULTS_H
#define VB_BENCH_SERVER_RESULTS_H

#include "load.h"

enum { VB_LEVELS = 4, VB_CROWDS = 3 };
extern const size_t vb_level_streams[VB_LEVELS];

/* One run, of the server or of the engine alone. */
typedef struct vb_figures {
    double tokens_per_s, cpu_us_per_token;
    /* Of the server only: of that, outside of the threads that compute passes; the client's own. */
    double outside_us_per_token, client_cpu_us_per_token;
    double tokens_per_event;
    size_t n_answers;
    vb_quantiles first_ms, between_ms;
} vb_figures;

/* The readers beside one more, who reads as they do, or hardly. */
typedef struct vb_slow_result {
    bool is_there;
    size_t n_readers;
    vb_figures beside_reader, beside_slow;
} vb_slow_result;

/* Streams that wait for a round that does not come. */
typedef struct vb_crowd_result {
    bool is_there;
    size_t n_streams, n_active;
    uint64_t before_bytes, during_bytes[VB_CROWDS], after_bytes; /* resident */
    uint64_t kv_bytes;                                           /* of the KV cache in use */
    vb_figures alone, beside; /* the active streams before and with the crowd */
} vb_crowd_result;

typedef struct vb_results {
    bool has_levels;
    vb_figures server[VB_LEVELS], engine[VB_LEVELS];
    vb_slow_result slow;
    vb_crowd_result crowd;
} vb_results;

typedef struct vb_bench_options {
    vb_workload workload;
    const char *program, *only; /* only: "levels", "slow" or "idle"; NULL: all */
    double seconds;             /* of a window */
    size_t n_repeat, n_idle;
    bool json, shows_progress;
} vb_bench_options;

/* Leave *out as it is where nothing can be measured, with a note on standard error. */
VB_MUST_CHECK vb_err vb_bench_levels(const vb_bench_options *o, vb_results *out, vb_error *e);
VB_MUST_CHECK vb_err vb_bench_slow(const vb_bench_options *o, vb_slow_result *out, vb_error *e);
VB_MUST_CHECK vb_err vb_bench_crowd(const vb_bench_options *o, vb_crowd_result *out, vb_error *e);

/* Frees the meter's samples. */
vb_figures vb_figures_take(vb_meter *m);
/* A line on a terminal that replaces the one before; "" takes it away. */
void vb_bench_progress(const vb_bench_options *o, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

void vb_results_print(const vb_bench_options *o, const vb_results *r);
VB_MUST_CHECK vb_err vb_results_print_json(const vb_bench_options *o, const vb_results *r,
                                           vb_error *e);

#endif
