/*
 * The end of a connection whose client is still sending: it was answered before its request's body
 * had come, as it is when its key is wrong, its rate used up or the body too long. Closed at once,
 * the connection would be reset by what comes next, and the client lose the answer. So what it
 * sends is read and forgotten, for a short time, until it ends its side too.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/system.h"
#include "server/httpd_internal.h"

enum { LINGER_MS = 3000, READ_BYTES = 16384, READS_MAX = 64, NS_PER_MS = 1000000 };

bool vb_linger_begin(vb_httpd *h, vb_connection *s) {
    if (!s->answered_early || !h->watching || h->n_lingering == VB_SERVER_LINGERING_MAX) {
        return false;
    }
    /* The library closes its own number of the socket. */
    s->fd = fcntl(s->fd, F_DUPFD_CLOEXEC, 0);
    if (s->fd < 0) {
        return false;
    }
    (void)shutdown(s->fd, SHUT_WR);
    s->deadline_ns = vb_clock_ns() + (uint64_t)LINGER_MS * NS_PER_MS;
    s->previous = NULL;
    s->next = h->lingering;
    h->lingering = s;
    h->n_lingering++;
    return true;
}

size_t vb_linger_gather(const vb_httpd *h, struct pollfd fds[VB_SERVER_LINGERING_MAX]) {
    size_t n = 0;
    for (const vb_connection *s = h->lingering; s; s = s->next) {
        fds[n++] = (struct pollfd){.fd = s->fd, .events = POLLIN};
    }
    return n;
}

/* Whether the client has ended its side; a part of what it sends at a time. */
static bool has_ended(const vb_connection *s) {
    uint8_t bytes[READ_BYTES];
    ssize_t n = 1;
    for (int i = 0; i < READS_MAX && n > 0; i++) {
        n = recv(s->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    }
    return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

void vb_linger_look(vb_httpd *h, uint64_t now_ns) {
    for (vb_connection **at = &h->lingering; *at;) {
        vb_connection *s = *at;
        if (now_ns <= s->deadline_ns && !has_ended(s)) {
            at = &s->next;
            continue;
        }
        *at = s->next;
        close(s->fd);
        free(s);
        h->n_lingering--;
        h->n_connections--;
    }
}
