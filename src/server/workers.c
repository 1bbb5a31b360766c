#include "server/workers.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"

struct vb_workers {
    pthread_mutex_t lock;
    pthread_cond_t there_is_work;
    vb_job *first, **last;
    size_t n_jobs, jobs_max;
    bool ending;
    size_t n_threads;
    pthread_t threads[VB_SERVER_WORKERS_MAX];
};

static void *work(void *user) {
    vb_workers *w = user;
    pthread_mutex_lock(&w->lock);
    for (;;) {
        while (!w->first && !w->ending) {
            pthread_cond_wait(&w->there_is_work, &w->lock);
        }
        vb_job *job = w->first;
        if (!job) {
            break;
        }
        w->first = job->next;
        if (!w->first) {
            w->last = &w->first;
        }
        w->n_jobs--;
        pthread_mutex_unlock(&w->lock);
        job->run(job);
        pthread_mutex_lock(&w->lock);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

vb_err vb_workers_open(size_t n_threads, size_t jobs_max, vb_workers **out, vb_error *e) {
    VB_ASSERT(n_threads >= 1 && n_threads <= VB_SERVER_WORKERS_MAX);
    vb_workers *w = calloc(1, sizeof *w);
    if (!w) {
        return vb_fail(e, VB_ENOMEM, "no memory for threads");
    }
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->there_is_work, NULL);
    w->last = &w->first;
    w->jobs_max = jobs_max;
    for (; w->n_threads < n_threads; w->n_threads++) {
        const int bad = pthread_create(&w->threads[w->n_threads], NULL, work, w);
        if (bad) {
            vb_workers_close(w);
            return vb_fail(e, VB_ENOMEM, "cannot start a thread: %s", strerror(bad));
        }
    }
    *out = w;
    return VB_OK;
}

bool vb_workers_put(vb_workers *w, vb_job *job, bool owed) {
    pthread_mutex_lock(&w->lock);
    const bool taken = owed || w->n_jobs < w->jobs_max;
    if (taken) {
        job->next = NULL;
        *w->last = job;
        w->last = &job->next;
        w->n_jobs++;
        pthread_cond_signal(&w->there_is_work);
    }
    pthread_mutex_unlock(&w->lock);
    return taken;
}

void vb_workers_close(vb_workers *w) {
    if (!w) {
        return;
    }
    pthread_mutex_lock(&w->lock);
    w->ending = true;
    pthread_cond_broadcast(&w->there_is_work);
    pthread_mutex_unlock(&w->lock);
    for (size_t i = 0; i < w->n_threads; i++) {
        pthread_join(w->threads[i], NULL);
    }
    pthread_cond_destroy(&w->there_is_work);
    pthread_mutex_destroy(&w->lock);
    free(w);
}
