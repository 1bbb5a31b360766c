/*
 * A few threads for what may block: committing, signing, the disk, checking receipts. Jobs are done
 * first come, first served, from a bounded line.
 *
 * Thread rule: any thread may put jobs; close comes last.
 */
#ifndef VB_SERVER_WORKERS_H
#define VB_SERVER_WORKERS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

typedef struct vb_workers vb_workers;

/* A job is the caller's memory: it is linked, and no more touched when run is called. */
typedef struct vb_job {
    void (*run)(struct vb_job *job);
    struct vb_job *next;
} vb_job;

VB_MUST_CHECK vb_err vb_workers_open(size_t n_threads, size_t jobs_max, vb_workers **out,
                                     vb_error *e);

/* False: the line is full; with `owed` it is taken all the same (the end of what was begun). */
bool vb_workers_put(vb_workers *w, vb_job *job, bool owed);

/* Does what is in the line, and ends. NULL is allowed. */
void vb_workers_close(vb_workers *w);

#endif
