#include "engine/scheduler_turn.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>

struct vb_scheduler_turn {
    pthread_mutex_t lock;
    pthread_cond_t next;
    uint64_t n_asked, n_given; /* the one who asked as number n_given has it */
};

vb_err vb_scheduler_turn_open(vb_scheduler_turn **out, vb_error *e) {
    vb_scheduler_turn *t = calloc(1, sizeof *t);
    if (!t) {
        return vb_fail(e, VB_ENOMEM, "no memory for the turn of schedulers");
    }
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->next, NULL);
    *out = t;
    return VB_OK;
}

void vb_scheduler_turn_close(vb_scheduler_turn *t) {
    if (t) {
        VB_ASSERT(t->n_asked == t->n_given);
        pthread_cond_destroy(&t->next);
        pthread_mutex_destroy(&t->lock);
        free(t);
    }
}

void vb_scheduler_turn_take(vb_scheduler_turn *t) {
    pthread_mutex_lock(&t->lock);
    const uint64_t mine = t->n_asked++;
    while (t->n_given != mine) {
        pthread_cond_wait(&t->next, &t->lock);
    }
    pthread_mutex_unlock(&t->lock);
}

void vb_scheduler_turn_give(vb_scheduler_turn *t) {
    pthread_mutex_lock(&t->lock);
    t->n_given++;
    pthread_cond_broadcast(&t->next);
    pthread_mutex_unlock(&t->lock);
}
