/*
 * Threads that walk through one function together and wait for one another between its steps. They
 * are made once; a team of one thread only calls the function.
 *
 * Waiting threads look for a bounded time, then sleep, so that on a busy machine the processor goes
 * to who is waited for. OMP_WAIT_POLICY=passive shortens that time to what sleeping would cost, and
 * so do more threads than processors.
 *
 * Owner: open/close. Thread rule: one run at a time, each by any thread.
 */
#ifndef VB_MODEL_TEAM_H
#define VB_MODEL_TEAM_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

typedef struct vb_team vb_team;

/* One thread of a team of n: index < n. Whoever calls vb_team_run is the first. */
typedef struct vb_member {
    vb_team *team;
    size_t index, n;
    pthread_t thread;
} vb_member;

typedef void (*vb_team_fn)(void *user, const vb_member *me);

struct vb_team {
    vb_member *members; /* [n_threads] */
    vb_team_fn f;       /* of this run; NULL: the threads end */
    void *user;
    unsigned looks_max; /* before a waiting thread sleeps */
    pthread_mutex_t lock;
    pthread_cond_t next;
    /* Apart, since one is written by all and the other read by all. */
    _Alignas(64) atomic_size_t n_arrived;
    _Alignas(64) atomic_uint round;
    atomic_uint n_sleeping;
};

/* VB_ENOMEM when the system has no more threads. Close only what was opened. */
VB_MUST_CHECK vb_err vb_team_open(vb_team *t, int n_threads, vb_error *e);
void vb_team_close(vb_team *t);

/* Runs f in every member; returns when all have returned. Each calls vb_team_wait equally often. */
void vb_team_run(vb_team *t, vb_team_fn f, void *user);

/* Returns when all members have called it. What any of them wrote before, all see after. */
void vb_team_wait(const vb_member *me);

/* A member's share of `total`: from its begin to the next member's. */
static inline size_t vb_share_begin(const vb_member *me, size_t total) {
    return total * me->index / me->n;
}
static inline size_t vb_share_end(const vb_member *me, size_t total) {
    return total * (me->index + 1) / me->n;
}

#endif
