#include "server/unsettled.h"

#include <pthread.h>
#include <stdlib.h>

typedef struct commitment {
    struct commitment *next;
    vb_abort_reason reason;
    vb_receipt r;
} commitment;

struct vb_unsettled {
    pthread_mutex_t lock;
    commitment *first, **end;
    size_t n, max; /* n: with those that are being tried */
};

vb_err vb_unsettled_open(size_t max, vb_unsettled **out, vb_error *e) {
    vb_unsettled *u = calloc(1, sizeof *u);
    if (!u || pthread_mutex_init(&u->lock, NULL)) {
        free(u);
        return vb_fail(e, VB_ENOMEM, "no memory for commitments that can not be settled");
    }
    u->end = &u->first;
    u->max = max;
    *out = u;
    return VB_OK;
}

static void free_commitment(commitment *c) {
    vb_receipt_free(&c->r);
    free(c);
}

void vb_unsettled_close(vb_unsettled *u) {
    if (!u) {
        return;
    }
    while (u->first) {
        commitment *c = u->first;
        u->first = c->next;
        free_commitment(c);
    }
    pthread_mutex_destroy(&u->lock);
    free(u);
}

bool vb_unsettled_put(vb_unsettled *u, vb_receipt *r, vb_abort_reason reason) {
    commitment *c = malloc(sizeof *c);
    pthread_mutex_lock(&u->lock);
    const bool fits = c && u->n < u->max;
    if (fits) {
        c->next = NULL;
        c->reason = reason;
        c->r = *r;
        vb_receipt_init(r);
        *u->end = c;
        u->end = &c->next;
        u->n++;
    }
    pthread_mutex_unlock(&u->lock);
    if (!fits) {
        free(c);
    }
    return fits;
}

/* The oldest; NULL when there is none. */
static commitment *take(vb_unsettled *u) {
    pthread_mutex_lock(&u->lock);
    commitment *c = u->first;
    if (c && !(u->first = c->next)) {
        u->end = &u->first;
    }
    pthread_mutex_unlock(&u->lock);
    return c;
}

static void put_back(vb_unsettled *u, commitment *c) {
    pthread_mutex_lock(&u->lock);
    if (!(c->next = u->first)) {
        u->end = &c->next;
    }
    u->first = c;
    pthread_mutex_unlock(&u->lock);
}

size_t vb_unsettled_retry(vb_unsettled *u, vb_store *store, size_t *settled) {
    size_t n = 0;
    for (commitment *c; (c = take(u));) {
        const vb_err err = vb_store_abort(store, &c->r, c->reason, NULL);
        if (err && err != VB_EINVAL) {
            put_back(u, c);
            break;
        }
        /* VB_EINVAL: it is not open any more; were it kept, none after it would have its turn. */
        if (settled && !err) {
            settled[c->reason]++;
        }
        n += !err;
        free_commitment(c);
        pthread_mutex_lock(&u->lock);
        u->n--;
        pthread_mutex_unlock(&u->lock);
    }
    return n;
}
