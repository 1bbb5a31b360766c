#include "model/team.h"

#include <stdlib.h>
#include <strings.h>
#ifdef _OPENMP
#include <omp.h>
#endif

#include "base/system.h"

/* Some hundred microseconds: longer than threads with equal shares differ, shorter than the time
 * slice of whoever has taken a processor from one of them. */
enum { LOOKS_MAX = 8192 };

static void pause_a_moment(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb");
#endif
}

vb_err vb_team_open(vb_team *t, int n_threads, vb_error *e) {
    const char *policy = getenv("OMP_WAIT_POLICY");
    const bool passive = policy && strcasecmp(policy, "passive") == 0;
    t->n_threads = n_threads;
    t->looks_max = passive || n_threads > vb_cpu_count() ? 0 : LOOKS_MAX;
    atomic_init(&t->n_arrived, 0);
    atomic_init(&t->round, 0);
    atomic_init(&t->n_sleeping, 0);
    if (pthread_mutex_init(&t->lock, NULL)) {
        return vb_fail(e, VB_ENOMEM, "no memory for the lock of %d threads", n_threads);
    }
    if (pthread_cond_init(&t->next, NULL)) {
        pthread_mutex_destroy(&t->lock);
        return vb_fail(e, VB_ENOMEM, "no memory for the condition of %d threads", n_threads);
    }
    return VB_OK;
}

void vb_team_close(vb_team *t) {
    pthread_cond_destroy(&t->next);
    pthread_mutex_destroy(&t->lock);
}

void vb_team_run(vb_team *t, vb_team_fn f, void *user) {
    if (t->n_threads > 1) {
#ifdef _OPENMP
#pragma omp parallel num_threads(t->n_threads)
        {
            const vb_member me = {t, (size_t)omp_get_thread_num(), (size_t)omp_get_num_threads()};
            f(user, &me);
        }
        return;
#endif
    }
    const vb_member me = {t, 0, 1};
    f(user, &me);
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
