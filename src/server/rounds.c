#include "server/rounds.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/system.h"

enum { SOURCES_MAX = 8, MODES = 3, NS_PER_MS = 1000000 }; /* modes: next, latest, fixed */

struct vb_rounds {
    pthread_mutex_t lock;
    pthread_cond_t there_is_work;
    const vb_trust *trust;
    uint32_t wait_ms;
    vb_wait *waits; /* oldest first */
    uint64_t next_serial;
    bool ending;
    size_t n_threads;
    struct vb_fetcher {
        vb_rounds *r;
        vb_source *source;
        pthread_t thread;
        bool busy;
        vb_beacon_mode mode; /* what it fetches for */
    } fetchers[SOURCES_MAX];
};

/* With the lock: takes the wait out of the list; NULL when it is not in it. */
static vb_wait *unlink_wait(vb_rounds *r, uint64_t serial) {
    for (vb_wait **p = &r->waits; *p; p = &(*p)->next) {
        if ((*p)->serial == serial) {
            vb_wait *w = *p;
            *p = w->next;
            return w;
        }
    }
    return NULL;
}

/* No mode takes the fetchers of the others: a round of the future, which any client may name, keeps
 * nobody from the next one. With the lock. */
static bool may_fetch(const vb_rounds *r, vb_beacon_mode mode) {
    const size_t most = r->n_threads < MODES ? 1 : r->n_threads - (MODES - 1);
    size_t n = 0;
    for (size_t i = 0; i < r->n_threads; i++) {
        n += r->fetchers[i].busy && r->fetchers[i].mode == mode;
    }
    return n < most;
}

/* The oldest wait that nobody fetches for, and somebody may. With the lock. */
static vb_wait *choose(const vb_rounds *r) {
    for (vb_wait *w = r->waits; w; w = w->next) {
        if (!w->fetching && may_fetch(r, w->mode)) {
            return w;
        }
    }
    return NULL;
}

static bool is_due(const vb_wait *w, const vb_beacon_round *round, const vb_beacon_facts *facts) {
    const uint64_t *fixed = w->mode == VB_MODE_FIXED ? &w->round : NULL;
    return vb_beacon_round_rule(w->mode, w->time_ms, fixed, round, facts, NULL) == VB_OK;
}

/* A copy of a round for one of its waits. */
static vb_err copy_round(const vb_beacon_round *from, vb_beacon_round *to, vb_error *e) {
    *to = *from;
    if (from->proof && !(to->proof = strdup(from->proof))) {
        return vb_fail(e, VB_ENOMEM, "no memory for a round");
    }
    return VB_OK;
}

/* Takes out what `round` answers, as a list of its own: the wait that it was fetched for, and, with
 * facts, all that it is due to. With the lock. */
static vb_wait *take_due(vb_rounds *r, uint64_t first, const vb_beacon_round *round,
                         const vb_beacon_facts *facts) {
    vb_wait *due = NULL;
    for (vb_wait **p = &r->waits; *p;) {
        vb_wait *w = *p;
        if (w->serial == first || (facts && is_due(w, round, facts))) {
            *p = w->next;
            w->next = due;
            due = w;
        } else {
            p = &w->next;
        }
    }
    return due;
}

static void deliver(vb_rounds *r, uint64_t first, vb_beacon_round *round) {
    vb_beacon_facts facts;
    memset(&facts, 0, sizeof facts);
    /* It was verified when it came; without a trust root its times may be unknown, and then it
     * serves only the one that it was fetched for. */
    const vb_err verified = vb_beacon_verify(round, r->trust, &facts, NULL);
    const bool shared = (verified == VB_OK || verified == VB_EUNTRUSTED) && facts.timed;
    pthread_mutex_lock(&r->lock);
    vb_wait *due = take_due(r, first, round, shared ? &facts : NULL);
    pthread_mutex_unlock(&r->lock);
    while (due) {
        vb_wait *next = due->next;
        vb_beacon_round copy;
        vb_error e = {VB_OK, ""};
        const vb_err err = copy_round(round, &copy, &e);
        due->done(due, err ? NULL : &copy, err, &e);
        due = next;
    }
    vb_beacon_round_free(round);
}

/* One fetch for a wait, which may be forgotten meanwhile. */
static void fetch_for(struct vb_fetcher *f, uint64_t serial, const vb_source_want *want) {
    vb_rounds *r = f->r;
    vb_beacon_round round;
    vb_error e = {VB_OK, ""};
    const vb_err err = vb_source_get(f->source, want, &round, &e);
    if (!err) {
        deliver(r, serial, &round);
        return;
    }
    pthread_mutex_lock(&r->lock);
    vb_wait *w = unlink_wait(r, serial);
    pthread_mutex_unlock(&r->lock);
    if (w) {
        w->done(w, NULL, err, &e);
    }
}

static void *run_fetcher(void *user) {
    struct vb_fetcher *f = user;
    vb_rounds *r = f->r;
    pthread_mutex_lock(&r->lock);
    while (!r->ending) {
        vb_wait *w = choose(r);
        if (!w) {
            pthread_cond_wait(&r->there_is_work, &r->lock);
            continue;
        }
        const uint64_t now = vb_clock_ns();
        const uint64_t left_ms = w->deadline_ns > now ? (w->deadline_ns - now) / NS_PER_MS : 0;
        const vb_source_want want = {.mode = w->mode,
                                     .time_ms = w->time_ms,
                                     .round = w->round,
                                     .wait_ms = left_ms > 1 ? (uint32_t)left_ms : 1};
        const uint64_t serial = w->serial;
        w->fetching = true;
        f->busy = true;
        f->mode = w->mode;
        pthread_mutex_unlock(&r->lock);
        fetch_for(f, serial, &want);
        pthread_mutex_lock(&r->lock);
        f->busy = false;
    }
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

vb_err vb_rounds_open(vb_source *const *sources, size_t n_sources, const vb_trust *trust,
                      uint32_t wait_ms, vb_rounds **out, vb_error *e) {
    VB_ASSERT(n_sources >= 1 && n_sources <= SOURCES_MAX);
    vb_rounds *r = calloc(1, sizeof *r);
    if (!r) {
        return vb_fail(e, VB_ENOMEM, "no memory for the beacon's rounds");
    }
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->there_is_work, NULL);
    r->trust = trust;
    r->wait_ms = wait_ms;
    for (; r->n_threads < n_sources; r->n_threads++) {
        struct vb_fetcher *f = &r->fetchers[r->n_threads];
        f->r = r;
        f->source = sources[r->n_threads];
        const int bad = pthread_create(&f->thread, NULL, run_fetcher, f);
        if (bad) {
            vb_rounds_close(r);
            return vb_fail(e, VB_ENOMEM, "cannot start a thread: %s", strerror(bad));
        }
    }
    *out = r;
    return VB_OK;
}

void vb_rounds_close(vb_rounds *r) {
    if (!r) {
        return;
    }
    pthread_mutex_lock(&r->lock);
    r->ending = true;
    pthread_cond_broadcast(&r->there_is_work);
    pthread_mutex_unlock(&r->lock);
    for (size_t i = 0; i < r->n_threads; i++) {
        vb_source_stop(r->fetchers[i].source, true);
        pthread_join(r->fetchers[i].thread, NULL);
    }
    while (r->waits) {
        vb_wait *w = r->waits;
        r->waits = w->next;
        vb_error e;
        vb_fail(&e, VB_ECANCELLED, "the server is shutting down");
        w->done(w, NULL, VB_ECANCELLED, &e);
    }
    pthread_cond_destroy(&r->there_is_work);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

void vb_rounds_wait(vb_rounds *r, vb_wait *w) {
    w->deadline_ns = vb_clock_ns() + (uint64_t)r->wait_ms * NS_PER_MS;
    w->fetching = false;
    w->next = NULL;
    pthread_mutex_lock(&r->lock);
    w->serial = ++r->next_serial;
    vb_wait **end = &r->waits;
    while (*end) {
        end = &(*end)->next;
    }
    *end = w;
    pthread_cond_signal(&r->there_is_work);
    pthread_mutex_unlock(&r->lock);
}

bool vb_rounds_forget(vb_rounds *r, vb_wait *w) {
    pthread_mutex_lock(&r->lock);
    const bool there = unlink_wait(r, w->serial) != NULL;
    pthread_mutex_unlock(&r->lock);
    return there;
}
