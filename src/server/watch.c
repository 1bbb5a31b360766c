/*
 * The watch over connections: what libmicrohttpd does not see. A client that sends its header or
 * body a byte at a time, or reads its answer so, is closed at the phase's deadline; one that goes
 * while its request is suspended is noticed, so that its work can be cancelled.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/system.h"
#include "server/httpd_internal.h"

enum { LOOK_EVERY_MS = 100, NS_PER_MS = 1000000 };

static uint64_t deadline(const vb_httpd *h, vb_phase phase, bool first) {
    uint64_t ms = 0;
    switch (phase) {
    case VB_PHASE_HEADER:
        ms = first ? h->o.header_ms : (uint64_t)h->o.idle_ms + h->o.header_ms;
        break;
    case VB_PHASE_BODY: ms = h->o.body_ms; break;
    case VB_PHASE_ANSWER: return 0;
    case VB_PHASE_SEND: ms = h->o.send_ms; break;
    case VB_PHASE_CUT: break;
    }
    return vb_clock_ns() + ms * NS_PER_MS;
}

void vb_watch_connection(void *cls, struct MHD_Connection *c, void **context,
                         enum MHD_ConnectionNotificationCode code) {
    vb_httpd *h = cls;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        vb_connection *s = calloc(1, sizeof *s);
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
        *context = s; /* NULL: its first request is refused, for want of memory */
        if (!s || !info) {
            return;
        }
        s->fd = info->connect_fd;
        s->deadline_ns = deadline(h, VB_PHASE_HEADER, true);
        pthread_mutex_lock(&h->lock);
        s->serial = ++h->next_serial;
        s->next = h->connections;
        if (s->next) {
            s->next->previous = s;
        }
        h->connections = s;
        h->n_connections++;
        pthread_mutex_unlock(&h->lock);
        return;
    }
    vb_connection *s = *context;
    if (!s) {
        return;
    }
    pthread_mutex_lock(&h->lock);
    if (s->serial) {
        *(s->previous ? &s->previous->next : &h->connections) = s->next;
        if (s->next) {
            s->next->previous = s->previous;
        }
        if (vb_linger_begin(h, s)) {
            s = NULL;
        } else {
            h->n_connections--;
        }
    }
    pthread_mutex_unlock(&h->lock);
    free(s);
    *context = NULL;
}

void vb_watch_phase(vb_httpd *h, vb_connection *s, vb_phase phase, vb_exchange *x) {
    pthread_mutex_lock(&h->lock);
    /* A thread that ends a stream may come when the connection has gone on to its next request,
     * or is no more: x is then not its exchange. */
    bool there = false;
    for (const vb_connection *p = h->connections; p && !there; p = p->next) {
        there = p == s;
    }
    if (there && ((phase != VB_PHASE_SEND && phase != VB_PHASE_CUT) || s->x == x)) {
        s->phase = phase;
        s->deadline_ns = deadline(h, phase, false);
        s->x = x;
    }
    pthread_mutex_unlock(&h->lock);
}

typedef struct watched {
    struct pollfd *fds;
    uint64_t *serials;
    size_t n;           /* of those that have a serial */
    size_t n_lingering; /* behind them */
} watched;

/* What is to be looked at: connections whose answer is being made. The wake-up comes first. */
static void gather(vb_httpd *h, watched *w) {
    w->fds[0] = (struct pollfd){.fd = h->wake, .events = POLLIN};
    w->n = 1;
    pthread_mutex_lock(&h->lock);
    for (const vb_connection *s = h->connections; s && w->n <= h->o.connections_max; s = s->next) {
        if (s->phase == VB_PHASE_ANSWER && s->x) {
            w->fds[w->n] = (struct pollfd){.fd = s->fd, .events = POLLRDHUP};
            w->serials[w->n++] = s->serial;
        }
    }
    w->n_lingering = vb_linger_gather(h, w->fds + w->n);
    pthread_mutex_unlock(&h->lock);
}

static bool has_hung_up(const watched *w, uint64_t serial) {
    for (size_t i = 1; i < w->n; i++) {
        if (w->serials[i] == serial) {
            return w->fds[i].revents != 0;
        }
    }
    return false;
}

/* A connection is closed by shutting it down: the event loop then sees its end. Its number is its
 * own while it is in the list, as libmicrohttpd tells of a close before it does it. */
static void look(vb_httpd *h, const watched *w) {
    const uint64_t now = vb_clock_ns();
    bool events = false;
    for (size_t i = 1; i < w->n; i++) {
        events |= w->fds[i].revents != 0;
    }
    pthread_mutex_lock(&h->lock);
    for (vb_connection *s = h->connections; s; s = s->next) {
        if (s->deadline_ns && now > s->deadline_ns) {
            shutdown(s->fd, SHUT_RDWR);
            s->deadline_ns = 0;
        }
        if (events && s->x && s->phase == VB_PHASE_ANSWER && has_hung_up(w, s->serial)) {
            vb_exchange_gone(s->x);
        }
    }
    vb_linger_look(h, now);
    pthread_mutex_unlock(&h->lock);
}

static void *watch(void *user) {
    vb_httpd *h = user;
    watched w = {calloc(h->o.connections_max + 1 + VB_SERVER_LINGERING_MAX, sizeof *w.fds),
                 calloc(h->o.connections_max + 1, sizeof *w.serials), 0, 0};
    VB_ASSERT(w.fds && w.serials); /* a few kilobytes, at the start */
    for (;;) {
        gather(h, &w);
        (void)poll(w.fds, (nfds_t)(w.n + w.n_lingering), LOOK_EVERY_MS);
        if (w.fds[0].revents) {
            break;
        }
        look(h, &w);
        /* Hang-ups are level-triggered: they would turn this into a busy loop. */
        (void)poll(w.fds, 1, LOOK_EVERY_MS / 5);
        if (w.fds[0].revents) {
            break;
        }
    }
    free(w.fds);
    free(w.serials);
    return NULL;
}

vb_err vb_watch_start(vb_httpd *h, vb_error *e) {
    h->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (h->wake < 0) {
        return vb_fail(e, VB_EIO, "cannot make an eventfd: %s", strerror(errno));
    }
    const int bad = pthread_create(&h->watch, NULL, watch, h);
    if (bad) {
        close(h->wake);
        h->wake = -1;
        return vb_fail(e, VB_ENOMEM, "cannot start a thread: %s", strerror(bad));
    }
    h->watching = true;
    return VB_OK;
}

void vb_watch_stop(vb_httpd *h) {
    if (h->watching) {
        const uint64_t one = 1;
        ssize_t written = write(h->wake, &one, sizeof one);
        VB_ASSERT(written == sizeof one);
        pthread_join(h->watch, NULL);
        close(h->wake);
        pthread_mutex_lock(&h->lock);
        h->watching = false;
        vb_linger_look(h, UINT64_MAX);
        pthread_mutex_unlock(&h->lock);
    }
}
