/* The real outside: HTTP, the system's clocks, and sleep that can be interrupted. */
#include <time.h>

#include "base/system.h"
#include "fetch/kind.h"

enum { SLICE_MS = 100 }; /* between two looks at keep_going */

static vb_err real_call(void *user, const char *url, const char *json, uint32_t limit_ms,
                        vb_buf *body, long *status, vb_error *e) {
    const vb_real_outside *r = user;
    vb_http_limit_ms(r->http, limit_ms);
    return json ? vb_http_post_json(r->http, url, json, body, status, e)
                : vb_http_get(r->http, url, body, status, e);
}

static uint64_t real_unix_ms(void *user) {
    (void)user;
    return vb_unix_ms();
}

static uint64_t real_clock_ms(void *user) {
    (void)user;
    return vb_clock_ns() / 1000000u;
}

static vb_err real_sleep_ms(void *user, uint64_t ms, vb_error *e) {
    const vb_real_outside *r = user;
    const uint64_t end = real_clock_ms(NULL) + ms;
    for (;;) {
        if (r->keep_going && !r->keep_going(r->user)) {
            return vb_fail(e, VB_ECANCELLED, "waiting for the round was cancelled");
        }
        const uint64_t now = real_clock_ms(NULL);
        if (now >= end) {
            return VB_OK;
        }
        const uint64_t left = end - now, slice = left < SLICE_MS ? left : SLICE_MS;
        /* A signal ends it early, and the loop looks again. */
        nanosleep(&(struct timespec){.tv_nsec = (long)slice * 1000000L}, NULL);
    }
}

vb_err vb_outside_open(const vb_http_options *o, vb_real_outside *real, vb_outside *out,
                       vb_error *e) {
    vb_err err = vb_http_open(o, &real->http, e);
    if (!err) {
        real->keep_going = o->keep_going;
        real->user = o->user;
        *out = (vb_outside){real, real_call, real_unix_ms, real_clock_ms, real_sleep_ms};
    }
    return err;
}
