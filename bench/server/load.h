/*
 * Streams that ask in a closed loop, of the server over sockets (load.c) or of the scheduler
 * without a server (engine.c): each sends its next request as soon as its answer is complete.
 *
 * Thread rule: one thread.
 */
#ifndef VB_BENCH_SERVER_LOAD_H
#define VB_BENCH_SERVER_LOAD_H

#include <signal.h>

#include "meter.h"
#include "workload.h"

/* Set by SIGINT and SIGTERM: all ends with VB_ECANCELLED. */
extern volatile sig_atomic_t vb_bench_interrupted;

enum { VB_LOAD_OTHER_CHOICES = 4 };

/* Memory and places that both have. */

typedef struct vb_capacity {
    size_t ctx_tokens, sequences;
    uint64_t kv_bytes; /* a multiple of a MiB */
} vb_capacity;

typedef struct vb_load_options {
    const vb_workload *workload;
    uint16_t port;
    /* One more stream beside those of the meter: several long choices with logprobs, which it
     * leaves after a second. */
    bool has_other;
    bool other_is_slow;  /* it reads some bytes now and then */
    size_t other_tokens; /* of its answers */
} vb_load_options;

/* Until the meter is over. */
VB_MUST_CHECK vb_err vb_load_run(const vb_load_options *o, vb_meter *m, vb_error *e);

/* The same streams without a server. */
VB_MUST_CHECK vb_err vb_engine_run(const vb_workload *w, const vb_capacity *c, vb_meter *m,
                                   vb_error *e);

#endif
