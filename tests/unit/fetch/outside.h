/* An outside for tests: answers come from a function, time passes only by sleeping and asking. */
#ifndef VB_TESTS_UNIT_FETCH_OUTSIDE_H
#define VB_TESTS_UNIT_FETCH_OUTSIDE_H

#include <stdlib.h>
#include <string.h>

#include "fetch/kind.h"

typedef struct fake_outside {
    uint64_t unix_ms, clock_ms;
    uint32_t call_ms;     /* what a request takes */
    const char *slow_url; /* requests whose URL has this in it take all the time they may; NULL */
    unsigned n_calls;
    bool cancelled; /* by the next sleep */
    char last_url[256];
    /* Status of the answer, whose body it appends; 0: no connection. */
    long (*answer)(struct fake_outside *o, const char *url, const char *json, vb_buf *body);
    void *user; /* answer's */
} fake_outside;

static vb_err fake_call(void *user, const char *url, const char *json, uint32_t limit_ms,
                        vb_buf *body, long *status, vb_error *e) {
    fake_outside *o = user;
    const bool slow = o->slow_url && strstr(url, o->slow_url);
    const uint32_t took = !slow && o->call_ms < limit_ms ? o->call_ms : limit_ms;
    vb_buf_free(body);
    o->n_calls++;
    o->unix_ms += took;
    o->clock_ms += took;
    strncpy(o->last_url, url, sizeof o->last_url - 1);
    *status = slow ? 0 : o->answer(o, url, json, body);
    return *status == 200 ? VB_OK : vb_fail(e, VB_EIO, "fake: HTTP status %ld", *status);
}

static uint64_t fake_unix_ms(void *user) {
    return ((const fake_outside *)user)->unix_ms;
}

static uint64_t fake_clock_ms(void *user) {
    return ((const fake_outside *)user)->clock_ms;
}

static vb_err fake_sleep_ms(void *user, uint64_t ms, vb_error *e) {
    fake_outside *o = user;
    if (o->cancelled) {
        return vb_fail(e, VB_ECANCELLED, "fake: cancelled");
    }
    o->unix_ms += ms;
    o->clock_ms += ms;
    return VB_OK;
}

static vb_outside fake_outside_of(fake_outside *o) {
    return (vb_outside){o, fake_call, fake_unix_ms, fake_clock_ms, fake_sleep_ms};
}

#endif
