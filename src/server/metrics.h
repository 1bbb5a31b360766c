/*
 * Counters of the server, and their text for Prometheus (exposition format 0.0.4).
 *
 * Thread rule: any thread; each counter is atomic, a reading of several is not one moment.
 */
#ifndef VB_SERVER_METRICS_H
#define VB_SERVER_METRICS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "receipt/records.h"
#include "server/httpd.h"

typedef atomic_uint_fast64_t vb_counter;

enum {
    VB_METRICS_BUCKETS = 14, /* upper ends in metrics.c */
    VB_METRICS_STATUSES = 14,
    VB_METRICS_ROUTES_MAX = 32
};

typedef struct vb_histogram {
    vb_counter buckets[VB_METRICS_BUCKETS + 1]; /* the last: beyond all */
    vb_counter sum_us;
} vb_histogram;

/* Why a request was turned away before any work was done for it. */
typedef enum vb_refusal {
    VB_REFUSED_KEY = 0,
    VB_REFUSED_RATE,
    VB_REFUSED_CONCURRENCY,
    VB_REFUSED_QUEUE,
    VB_REFUSED_COUNT
} vb_refusal;

typedef struct vb_route_metrics {
    const char *name;
    vb_counter by_status[VB_METRICS_STATUSES];
    vb_histogram seconds;
} vb_route_metrics;

typedef struct vb_metrics {
    vb_route_metrics routes[VB_METRICS_ROUTES_MAX];
    size_t n_routes;
    vb_counter refused[VB_REFUSED_COUNT];
    vb_counter prompt_tokens, completion_tokens;
    vb_counter commitments, receipts, aborts[VB_ABORT_LOST + 1];
    vb_counter open_commitments; /* that could be settled neither way at first */
    vb_counter beacon_failures, beacon_fallbacks;
    vb_counter gone; /* clients that went, or were cut off, before their answer was complete */
    vb_counter verifications[3]; /* by verdict */
    vb_histogram beacon_seconds, first_token_seconds;
} vb_metrics;

/* Zeroed metrics for the routes of a server; names are borrowed. */
void vb_metrics_begin(vb_metrics *m, const vb_httpd_route *routes, size_t n);

void vb_metrics_exchange(vb_metrics *m, const vb_exchange_summary *s);
void vb_metrics_observe(vb_histogram *h, uint64_t ns);

static inline void vb_metrics_add(vb_counter *c, uint64_t n) {
    atomic_fetch_add_explicit(c, n, memory_order_relaxed);
}

/* All counters. VB_ELIMIT or VB_ENOMEM as vb_buf_append. */
VB_MUST_CHECK vb_err vb_metrics_write(const vb_metrics *m, vb_buf *out);
/* One value for each model, "gauge" or "counter", that is read elsewhere; names are any text. */
VB_MUST_CHECK vb_err vb_metrics_write_models(vb_buf *out, const char *name, const char *type,
                                             const char *help, const char *const *models,
                                             const double *values, size_t n);
/* One more value of the server's, in the same way. */
VB_MUST_CHECK vb_err vb_metrics_write_value(vb_buf *out, const char *name, const char *type,
                                            const char *help, double value);

#endif
