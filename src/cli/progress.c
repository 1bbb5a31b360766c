#include "cli/progress.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/system.h"

enum { REDRAW_NS = 100000000, BAR = 24 };

static volatile sig_atomic_t interrupted, terminated;

static void on_signal(int number) {
    if (interrupted) {
        _exit(128 + number);
    }
    interrupted = 1;
    if (number == SIGTERM) {
        terminated = 1;
    }
}

void vb_interrupt_install(void) {
    struct sigaction a;
    memset(&a, 0, sizeof a);
    a.sa_handler = on_signal;
    sigaction(SIGINT, &a, NULL);
    sigaction(SIGTERM, &a, NULL);
}

bool vb_interrupted(void) {
    return interrupted != 0;
}

bool vb_terminated(void) {
    return terminated != 0;
}

void vb_interrupt_reset(void) {
    interrupted = 0;
}

void vb_progress_begin(vb_progress *p, const char *label, const char *unit, bool quiet) {
    *p = (vb_progress){label, unit, false, !quiet && isatty(STDERR_FILENO), vb_clock_ns(), 0};
}

static void amount(char *out, size_t max, double v, const char *unit) {
    if (strcmp(unit, "B") != 0) {
        snprintf(out, max, "%.0f %s", v, unit);
    } else if (v >= 1e9) {
        snprintf(out, max, "%.2f GB", v / 1e9);
    } else {
        snprintf(out, max, "%.1f MB", v / 1e6);
    }
}

bool vb_progress_update(void *user, uint64_t done, uint64_t total) {
    vb_progress *p = user;
    uint64_t now = vb_clock_ns();
    if (p->on && now - p->last_ns > REDRAW_NS && now - p->start_ns > REDRAW_NS) {
        p->last_ns = now;
        p->shown = true;
        double share = total ? (double)done / (double)total : 1;
        double seconds = (double)(now - p->start_ns) * 1e-9;
        double rate = (double)done / seconds;
        char bar[BAR + 1], have[32], speed[32];
        int full = (int)(share * BAR);
        memset(bar, '.', BAR);
        memset(bar, '#', (size_t)(full > BAR ? BAR : full));
        bar[BAR] = 0;
        amount(have, sizeof have, (double)done, p->unit);
        amount(speed, sizeof speed, rate, p->unit);
        fprintf(stderr, "\r%s [%s] %3.0f %% %s, %s/s, %.0f s left \033[K", p->label, bar,
                share * 100, have, speed, rate > 0 ? ((double)total - (double)done) / rate : 0);
        fflush(stderr);
    }
    return !interrupted;
}

void vb_progress_clear(vb_progress *p) {
    if (p->shown) {
        fprintf(stderr, "\r\033[K");
        fflush(stderr);
        p->shown = false;
    }
}

void vb_progress_end(vb_progress *p) {
    vb_progress_clear(p);
    p->on = false;
}
