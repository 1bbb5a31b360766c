/*
 * The server that is measured: `verbatim serve` as a child on a free port, with a folder of its own
 * that is removed with it. It ends when its standard input does: also when this program is killed.
 *
 * Owner: start/stop. Thread rule: one thread.
 */
#ifndef VB_BENCH_SERVER_CHILD_H
#define VB_BENCH_SERVER_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "base/error.h"

enum { VB_CHILD_FOLDER_BYTES = 256 };

typedef struct vb_child {
    pid_t pid;
    int in; /* its standard input */
    uint16_t port;
    clockid_t cpu; /* its processor time */
    char folder[VB_CHILD_FOLDER_BYTES];
} vb_child;

/* args: what follows `serve`, ended by NULL; --port, --data-dir and --exit-with-stdin are added.
 * program: the verbatim to run. VB_EIO: it did not start; the message has what it said. */
VB_MUST_CHECK vb_err vb_child_start(const char *program, const char *const *args, vb_child *out,
                                    vb_error *e);
/* Ends it in order, or after some seconds by force. Nothing happens to one that never started. */
void vb_child_stop(vb_child *c);

/* Resident memory. */
VB_MUST_CHECK vb_err vb_child_resident_bytes(const vb_child *c, uint64_t *out, vb_error *e);

/* Processor time of the n_threads that have used most since they began: those that compute passes.
 * 0 when it can not be read. */
uint64_t vb_child_busiest_ns(const vb_child *c, size_t n_threads);

#endif
