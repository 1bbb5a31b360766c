/* What httpd.c, exchange.c, watch.c and linger.c share. Internal to them. */
#ifndef VB_SERVER_HTTPD_INTERNAL_H
#define VB_SERVER_HTTPD_INTERNAL_H

#include <microhttpd.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/limits.h"
#include "server/httpd.h"

/* A connection between its start and its end, as the watch sees it. */
typedef enum vb_phase {
    VB_PHASE_HEADER = 0, /* of the first request, or idle before the next one */
    VB_PHASE_BODY,
    VB_PHASE_ANSWER, /* the handler has it */
    VB_PHASE_SEND,   /* the response is complete, the client reads it */
    VB_PHASE_CUT     /* it is not to go on */
} vb_phase;

typedef struct vb_connection {
    struct vb_connection *next, *previous;
    int fd;
    uint64_t serial; /* never used twice, as numbers of files are */
    vb_phase phase;
    uint64_t deadline_ns; /* of the phase; 0: none */
    vb_exchange *x;       /* the one under way */
    bool answered_early;  /* while its body was still to come; event loop only */
} vb_connection;

typedef struct vb_reply_header {
    char *name, *value;
} vb_reply_header;

struct vb_exchange {
    vb_httpd *h;
    struct MHD_Connection *connection;
    vb_connection *socket;
    const vb_httpd_route *route; /* NULL: none fits */
    const char *method;          /* of a route, or "other" */
    char *path;
    const char *rest;
    char request_id[VB_REQUEST_ID_BYTES];
    void *client;
    const char *client_name;
    uint64_t start_ns;
    uint64_t request_bytes;
    vb_buf body;
    size_t body_reserved;  /* bytes counted in h->bodies_bytes */
    unsigned body_refused; /* the status that its body earned while it came; 0: none */
    bool dispatched;       /* event loop only */
    bool queued;           /* the response is libmicrohttpd's; event loop only */
    atomic_int references;

    pthread_mutex_t lock; /* of all below */
    vb_reply_header headers[VB_SERVER_REPLY_HEADERS_MAX];
    size_t n_headers;
    bool ready;     /* status, type and reply or stream are there */
    bool streaming; /* reply then holds what is not taken yet, from `taken` on */
    bool ended, broken;
    bool suspended, gone;
    unsigned status;
    char type[64];
    vb_buf reply;
    size_t taken;
    uint64_t response_bytes;
    void (*on_gone)(void *user);
    void *gone_user;
};

struct vb_httpd {
    vb_httpd_options o;
    struct MHD_Daemon *daemon;
    uint16_t port;
    int listener; /* -1 while the daemon has it */
    atomic_bool draining;
    atomic_uint_fast64_t bodies_bytes;

    pthread_mutex_t lock; /* of the list and the counts; taken before an exchange's lock */
    pthread_cond_t idle;
    vb_connection *connections;
    size_t n_connections, n_exchanges;
    vb_connection *lingering; /* closed, but still read; counted as connections */
    size_t n_lingering;
    uint64_t next_serial;

    pthread_t watch;
    bool watching;
    int wake; /* eventfd: the watch ends */
};

/* exchange.c */

/* NULL without memory. */
vb_exchange *vb_exchange_open(vb_httpd *h, struct MHD_Connection *c, const char *path);
/* Hands the reply, which is ready, to libmicrohttpd. Event loop only. */
enum MHD_Result vb_exchange_queue(vb_exchange *x);
/* Suspends, unless a reply came in the meantime: then true. Event loop only. */
bool vb_exchange_ready_or_suspend(vb_exchange *x);
/* It ends without a (complete) reply. */
void vb_exchange_stop(vb_exchange *x);
/* The client is not there any more (or is not wanted). */
void vb_exchange_gone(vb_exchange *x);

/* watch.c */

VB_MUST_CHECK vb_err vb_watch_start(vb_httpd *h, vb_error *e);
void vb_watch_stop(vb_httpd *h);
/* libmicrohttpd's notice of connections. */
void vb_watch_connection(void *cls, struct MHD_Connection *c, void **context,
                         enum MHD_ConnectionNotificationCode code);
void vb_watch_phase(vb_httpd *h, vb_connection *s, vb_phase phase, vb_exchange *x);

/* linger.c, all of it with the lock of the list */

/* Whether s, which is in the list no more, is still to be read; it is then the watch's. */
bool vb_linger_begin(vb_httpd *h, vb_connection *s);
/* What to wait for; their number. */
size_t vb_linger_gather(const vb_httpd *h, struct pollfd fds[VB_SERVER_LINGERING_MAX]);
/* Reads them, and closes those that have ended or have had their time: at UINT64_MAX, all. */
void vb_linger_look(vb_httpd *h, uint64_t now_ns);

#endif
