/* verbatim log follow: a mirror of somebody's log, and an eye on it. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/system.h"
#include "cli/log_command.h"
#include "cli/progress.h"
#include "cli/show.h"
#include "tlog/follow.h"

enum { RETRY_FIRST_S = 1, RETRY_MAX_S = 600, TICK_MS = 100 };

/* False: Ctrl-C. */
static bool wait_s(uint64_t seconds) {
    const struct timespec tick = {0, TICK_MS * 1000000};
    const uint64_t end = vb_clock_ns() + seconds * 1000000000u;
    while (!vb_interrupted() && vb_clock_ns() < end) {
        nanosleep(&tick, NULL);
    }
    return !vb_interrupted();
}

/* Commitments without an answer that was owed by now, on this machine's clock. */
static uint64_t count_withheld(const vb_tlog_follower *f) {
    const uint64_t now = vb_unix_ms();
    const uint64_t settle_ms = (uint64_t)vb_tlog_follower_info(f)->settle_within_s * 1000;
    vb_tlog_withheld withheld;
    vb_tlog_order_withheld(vb_tlog_follower_order(f), now > settle_ms ? now - settle_ms : 0,
                           &withheld);
    return withheld.n;
}

static const char *followed_name(vb_tlog_followed followed) {
    static const char *const names[] = {
        [VB_TLOG_FOLLOWED_SAME] = "same",
        [VB_TLOG_FOLLOWED_GREW] = "grew",
        [VB_TLOG_FOLLOWED_ROLLED_BACK] = "rolled-back",
        [VB_TLOG_FOLLOWED_CONVICTED] = "convicted",
    };
    return names[followed];
}

static void print_step(const vb_log_command *o, const char *folder, const vb_tlog_follower *f,
                       const vb_tlog_step *x) {
    const bool found = x->followed >= VB_TLOG_FOLLOWED_ROLLED_BACK;
    char when[VB_SHOW_TIME_BYTES], text[VB_ERROR_MSG_MAX];
    memcpy(text, x->text, sizeof text);
    vb_make_printable(text);
    const uint64_t withheld = found ? 0 : count_withheld(f);
    if (o->a.json) {
        printf("{\"event\":\"%s\",\"size_before\":\"%" PRIu64 "\",\"size\":\"%" PRIu64
               "\",\"withheld\":\"%" PRIu64 "\",\"detail\":",
               followed_name(x->followed), x->size_before, x->size, withheld);
        vb_app_print_json_string(text, strlen(text));
        printf(",\"evidence\":");
        vb_app_print_json_string(x->evidence, strlen(x->evidence));
        printf("}\n");
    } else if (found) {
        printf("%s: %s\n", followed_name(x->followed), text);
        if (x->evidence[0]) {
            printf("evidence: ");
            vb_show_path(folder);
            printf("/%s\n", x->evidence);
        } else {
            printf("evidence: the log as a whole; keep a copy, which `verbatim log verify` "
                   "refutes\n");
        }
    } else if (x->followed == VB_TLOG_FOLLOWED_GREW || o->once) {
        vb_show_time(vb_unix_ms(), when);
        printf("%s  %" PRIu64 " entries (%" PRIu64 " new)", when, x->size,
               x->size - x->size_before);
        if (withheld) {
            printf(", %" PRIu64 " answers are withheld", withheld);
        }
        printf("\n");
    }
    fflush(stdout);
}

static int exit_of(vb_tlog_followed followed) {
    return followed == VB_TLOG_FOLLOWED_CONVICTED     ? VB_EXIT_REFUTED
           : followed == VB_TLOG_FOLLOWED_ROLLED_BACK ? VB_EXIT_ROLLED_BACK
                                                      : VB_EXIT_OK;
}

/* An error is told, and tried again unless the mirror is what failed. */
static bool tries_again(const vb_log_command *o, const vb_tlog_follower *f, vb_err err,
                        const vb_error *e, uint64_t *wait) {
    if (o->once || err == VB_ECANCELLED || err == VB_ENOMEM ||
        (f && !vb_tlog_follower_may_retry(f))) {
        return false;
    }
    if (!o->a.quiet) {
        fprintf(stderr, "verbatim log: %s; again in %" PRIu64 " s\n", e->msg, *wait);
    }
    const bool goes_on = wait_s(*wait);
    *wait = 2 * *wait > RETRY_MAX_S ? RETRY_MAX_S : 2 * *wait;
    return goes_on;
}

static int follow(const vb_log_command *o, const char *folder, vb_tlog_follower *f,
                  vb_progress *bar) {
    uint64_t wait = RETRY_FIRST_S;
    for (;;) {
        vb_tlog_step x;
        vb_error e = {VB_OK, ""};
        vb_err err = vb_tlog_follower_step(f, &x, &e);
        vb_progress_clear(bar);
        if (err) {
            if (tries_again(o, f, err, &e, &wait)) {
                continue;
            }
            return vb_interrupted() ? VB_EXIT_CANCELLED : vb_app_fail(&o->a, "log", err, &e);
        }
        wait = RETRY_FIRST_S;
        print_step(o, folder, f, &x);
        if (o->once || x.followed >= VB_TLOG_FOLLOWED_ROLLED_BACK) {
            return exit_of(x.followed);
        }
        if (!wait_s(o->interval_s)) {
            return VB_EXIT_CANCELLED;
        }
    }
}

int vb_log_follow(vb_log_command *o, const char *url, const char *folder) {
    vb_log_source s;
    vb_tlog_follower *f = NULL;
    vb_error e = {VB_OK, ""};
    vb_progress bar;
    uint64_t wait = RETRY_FIRST_S;
    vb_err err = vb_log_is_url(url)
                     ? vb_log_source_open(url, &s, &e)
                     : vb_fail(&e, VB_EINVAL, "follow: expected a URL of http:// or https://");
    if (err) {
        return vb_app_fail(&o->a, "log", err, &e);
    }
    vb_progress_begin(&bar, "following", "entries", o->a.quiet || o->a.json);
    const vb_tlog_follower_options options = {
        .log = vb_log_expected_key(o), .progress = vb_progress_update, .progress_user = &bar};
    do {
        err = vb_tlog_follower_open(folder, vb_log_fetch, &s, url, &options, &f, &e);
    } while (err == VB_EIO && s.failed && tries_again(o, NULL, err, &e, &wait));
    const int status = err ? vb_app_fail(&o->a, "log", err, &e) : follow(o, folder, f, &bar);
    vb_progress_end(&bar);
    vb_tlog_follower_close(f);
    vb_log_source_close(&s);
    return status;
}
