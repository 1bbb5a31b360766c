/*
 * Threads that walk through one function together and wait for one another between its steps. One
 * thread calls the function and nothing else: no part of OpenMP is entered.
 *
 * Waiting threads look for a bounded time, then sleep, so that on a busy machine the processor goes
 * to who is waited for. With more threads than processors, or OMP_WAIT_POLICY=passive, they sleep
 * at once.
 *
 * Owner: open/close. Thread rule: one run at a time.
 */
#ifndef VB_MODEL_TEAM_H
#define VB_MODEL_TEAM_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

typedef struct vb_team {
    int n_threads;
    unsigned looks_max; /* before a waiting thread sleeps */
    pthread_mutex_t lock;
    pthread_cond_t next;
    /* Apart, since one is written by all and the other read by all. */
    _Alignas(64) atomic_size_t n_arrived;
    _Alignas(64) atomic_uint round;
    atomic_uint n_sleeping;
} vb_team;

/* One thread of a run: index < n, which is at most the team's n_threads. */
typedef struct vb_member {
    vb_team *team;
    size_t index, n;
} vb_member;

typedef void (*vb_team_fn)(void *user, const vb_member *me);

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
