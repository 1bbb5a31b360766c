#include "model/team.h"

#include <stdlib.h>
#include <strings.h>

#include "base/system.h"

enum {
    /* Some hundred microseconds: longer than threads with equal shares differ, shorter than the
     * time slice of whoever has taken a processor from one of them. */
    LOOKS_MAX = 8192,
    LOOKS_PASSIVE = 256 /* some microseconds */
};

static void pause_a_moment(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb");
#endif
}

static void sleep_until_next(vb_team *t, unsigned round) {
    pthread_mutex_lock(&t->lock);
    atomic_fetch_add(&t->n_sleeping, 1);
    while (atomic_load(&t->round) == round) {
        pthread_cond_wait(&t->next, &t->lock);
    }
    atomic_fetch_sub(&t->n_sleeping, 1);
    pthread_mutex_unlock(&t->lock);
}

/* The last to arrive begins the next round. It sees every sleeper, or the sleeper sees the new
 * round before it sleeps: both write first and read then, in one order for all. */
void vb_team_wait(const vb_member *me) {
    vb_team *t = me->team;
    if (me->n == 1) {
        return;
    }
    const unsigned round = atomic_load_explicit(&t->round, memory_order_relaxed);
    if (atomic_fetch_add_explicit(&t->n_arrived, 1, memory_order_acq_rel) + 1 == me->n) {
        atomic_store_explicit(&t->n_arrived, 0, memory_order_relaxed);
        atomic_store(&t->round, round + 1);
        if (atomic_load(&t->n_sleeping) > 0) {
            pthread_mutex_lock(&t->lock);
            pthread_cond_broadcast(&t->next);
            pthread_mutex_unlock(&t->lock);
        }
        return;
    }
    for (unsigned i = 0; i < t->looks_max; i++) {
        if (atomic_load_explicit(&t->round, memory_order_acquire) != round) {
            return;
        }
        pause_a_moment();
    }
    sleep_until_next(t, round);
}

static void *work(void *user) {
    const vb_member *me = user;
    vb_team *t = me->team;
    for (;;) {
        vb_team_wait(me);
        if (!t->f) {
            return NULL;
        }
        t->f(t->user, me);
        vb_team_wait(me);
    }
}

void vb_team_run(vb_team *t, vb_team_fn f, void *user) {
    t->f = f;
    t->user = user;
    vb_team_wait(&t->members[0]);
    f(user, &t->members[0]);
    vb_team_wait(&t->members[0]);
}

/* Ends the threads [1, n_begun); nobody waits for those that never began. */
static void end_threads(vb_team *t, size_t n_begun) {
    t->f = NULL;
    atomic_fetch_add(&t->n_arrived, t->members[0].n - n_begun);
    vb_team_wait(&t->members[0]);
    for (size_t i = 1; i < n_begun; i++) {
        pthread_join(t->members[i].thread, NULL);
    }
    pthread_cond_destroy(&t->next);
    pthread_mutex_destroy(&t->lock);
    free(t->members);
}

vb_err vb_team_open(vb_team *t, int n_threads, vb_error *e) {
    const char *policy = getenv("OMP_WAIT_POLICY");
    const bool passive = policy && strcasecmp(policy, "passive") == 0;
    const size_t n = (size_t)n_threads;
    t->looks_max = passive || n_threads > vb_cpu_count() ? LOOKS_PASSIVE : LOOKS_MAX;
    atomic_init(&t->n_arrived, 0);
    atomic_init(&t->round, 0);
    atomic_init(&t->n_sleeping, 0);
    t->members = calloc(n, sizeof *t->members);
    if (!t->members) {
        return vb_fail(e, VB_ENOMEM, "no memory for %d threads", n_threads);
    }
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->next, NULL);
    for (size_t i = 0; i < n; i++) {
        t->members[i] = (vb_member){.team = t, .index = i, .n = n};
    }
    for (size_t i = 1; i < n; i++) {
        if (pthread_create(&t->members[i].thread, NULL, work, &t->members[i])) {
            end_threads(t, i);
            return vb_fail(e, VB_ENOMEM, "the system has no room for a thread: %zu of %d", i + 1,
                           n_threads);
        }
    }
    return VB_OK;
}

void vb_team_close(vb_team *t) {
    end_threads(t, t->members[0].n);
}
