#include "server/log.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "base/system.h"

enum {
    MESSAGE_BYTES = 1024,
    LOOK_EVERY_MS = 100, /* whether a log that waits for its reader is to end */
    RETRY_MS = 10,
    GIVE_UP_MS = 500 /* beyond the time for the last lines: the thread is stuck in a write */
};
_Static_assert((int)VB_LOG_LINE_BYTES_MAX <= PIPE_BUF, "a pipe takes a line whole, or not at all");

/* Lines pass through here, oldest first; all under log_lock but what the thread has in hand. */
typedef struct log_writer {
    vb_log_options o;
    pthread_t thread;
    pthread_cond_t changed;
    uint64_t head, tail;  /* bytes that were ever put in, and taken out */
    uint64_t untold;      /* lines that were dropped, and no line says so yet */
    uint64_t untold_at;   /* where in the ring the first of them is missing */
    uint64_t deadline_ns; /* for the last lines; 0: not closing */
    bool reached;         /* the last write found a reader */
    bool ended, abandoned;
    uint8_t ring[VB_LOG_RING_BYTES];
} log_writer;

static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;
static log_writer *open_writer;
static atomic_int level_min = VB_LOG_INFO, form_now = VB_LOG_JSON;
static atomic_uint_fast64_t n_dropped;

/* Lines as text. */

static const char *const level_names[] = {
    [VB_LOG_INFO] = "info", [VB_LOG_WARNING] = "warning", [VB_LOG_ERROR] = "error"};
static const char *const form_names[] = {[VB_LOG_JSON] = "json", [VB_LOG_TEXT] = "text"};

int vb_log_level_of_name(const char *name) {
    for (int i = VB_LOG_INFO; i <= VB_LOG_ERROR; i++) {
        if (strcmp(name, level_names[i]) == 0) {
            return i;
        }
    }
    return 0;
}

int vb_log_form_of_name(const char *name) {
    return strcmp(name, form_names[VB_LOG_JSON]) == 0   ? VB_LOG_JSON
           : strcmp(name, form_names[VB_LOG_TEXT]) == 0 ? VB_LOG_TEXT
                                                        : 0;
}

static void write_time(char out[48]) {
    const uint64_t ms = vb_unix_ms();
    const time_t s = (time_t)(ms / 1000);
    struct tm utc;
    char day[32];
    gmtime_r(&s, &utc);
    strftime(day, sizeof day, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(out, 48, "%s.%03uZ", day, (unsigned)(ms % 1000));
}

/* Texts that need no quotes beside a name and '='. */
static bool is_bare(const json_t *value) {
    const char *text = json_string_value(value);
    return text && text[0] &&
           strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789"
                        "ABCDEFGHIJKLMNOPQRSTUVWXYZ-_.:/+") == strlen(text);
}

static vb_err append_pairs(vb_buf *out, json_t *line) {
    const char *name;
    json_t *value;
    vb_err err = VB_OK;
    json_object_foreach(line, name, value) {
        char *quoted =
            is_bare(value) ? NULL : json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(6));
        const char *text = quoted ? quoted : json_string_value(value);
        if (!err) {
            err =
                !text ? VB_ENOMEM : vb_buf_printf(out, "%s%s=%s", out->len ? " " : "", name, text);
        }
        free(quoted);
    }
    return err;
}

/* Takes line. Its text with a line feed in out; 0: it can not be written, or is too long. */
static size_t write_text(json_t *line, char out[VB_LOG_LINE_BYTES_MAX]) {
    vb_buf text = vb_buf_make(VB_LOG_LINE_BYTES_MAX - 1);
    vb_err err = line ? VB_OK : VB_ENOMEM;
    if (!err && atomic_load(&form_now) == VB_LOG_TEXT) {
        err = append_pairs(&text, line);
    } else if (!err) {
        char *json = json_dumps(line, JSON_COMPACT | JSON_REAL_PRECISION(6));
        err = json ? vb_buf_append(&text, json, strlen(json)) : VB_ENOMEM;
        free(json);
    }
    size_t n = 0;
    if (!err) {
        memcpy(out, text.data, text.len);
        n = text.len;
        out[n++] = '\n';
    }
    vb_buf_free(&text);
    json_decref(line);
    return n;
}

/* The thread that writes. */

static bool is_late(const log_writer *w) {
    pthread_mutex_lock(&log_lock);
    const uint64_t deadline_ns = w->deadline_ns;
    pthread_mutex_unlock(&log_lock);
    return deadline_ns && vb_clock_ns() > deadline_ns;
}

/* False: there is nobody to write to, or the log ended first. At most PIPE_BUF bytes are given to a
 * pipe that has room, so that write does not block; were the pipe filled by another process in
 * between, only this thread would wait. */
static bool write_out(const log_writer *w, const char *bytes, size_t n) {
    while (n) {
        struct pollfd out = {w->o.fd, POLLOUT, 0};
        if (is_late(w)) {
            return false;
        }
        if (poll(&out, 1, LOOK_EVERY_MS) <= 0) {
            continue;
        }
        const ssize_t written = write(w->o.fd, bytes, n);
        if (written > 0) {
            bytes += written;
            n -= (size_t)written;
        } else if (errno != EINTR && errno != EAGAIN) {
            return false;
        } else {
            (void)poll(NULL, 0, RETRY_MS); /* poll and write do not agree: not in a busy loop */
        }
    }
    return true;
}

static void copy_from_ring(const log_writer *w, char *out, size_t n) {
    const size_t at = (size_t)(w->tail % VB_LOG_RING_BYTES);
    const size_t to_end = VB_LOG_RING_BYTES - at, first = n < to_end ? n : to_end;
    memcpy(out, w->ring + at, first);
    memcpy(out + first, w->ring, n - first);
}

static void count_dropped(log_writer *w, uint64_t at, uint64_t n) {
    if (!w->untold) {
        w->untold_at = at;
    }
    w->untold += n;
    atomic_fetch_add(&n_dropped, n);
}

/* Whole lines from the ring, as many as fit; or, in their place, the line that says how many are
 * missing, and *told is that number. 0: there is nothing to write. */
static size_t take(log_writer *w, char chunk[VB_LOG_LINE_BYTES_MAX], uint64_t *told) {
    *told = 0;
    if (w->untold && w->reached && w->tail >= w->untold_at) {
        char stamp[48];
        write_time(stamp);
        *told = w->untold;
        w->untold = 0;
        return write_text(json_pack("{s:s,s:s,s:s,s:I}", "time", stamp, "level", "warning", "event",
                                    "dropped", "lines", (json_int_t)*told),
                          chunk);
    }
    const uint64_t end = w->untold && w->untold_at > w->tail ? w->untold_at : w->head;
    size_t n =
        end - w->tail < VB_LOG_LINE_BYTES_MAX ? (size_t)(end - w->tail) : VB_LOG_LINE_BYTES_MAX;
    copy_from_ring(w, chunk, n);
    while (n && chunk[n - 1] != '\n') {
        n--;
    }
    w->tail += n;
    return n;
}

static uint64_t count_lines(const char *bytes, size_t n) {
    uint64_t lines = 0;
    for (size_t i = 0; i < n; i++) {
        lines += bytes[i] == '\n';
    }
    return lines;
}

static void free_writer(log_writer *w) {
    pthread_cond_destroy(&w->changed);
    free(w);
}

static void *write_lines(void *user) {
    log_writer *w = user;
    char chunk[VB_LOG_LINE_BYTES_MAX];
    uint64_t told;
    size_t n;
    sigset_t all; /* above all SIGPIPE, when the reader is gone */
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    pthread_mutex_lock(&log_lock);
    do {
        while (w->head == w->tail && !(w->untold && w->reached) && !w->deadline_ns) {
            pthread_cond_wait(&w->changed, &log_lock);
        }
        n = take(w, chunk, &told);
        pthread_mutex_unlock(&log_lock);
        const bool written = write_out(w, chunk, n);
        pthread_mutex_lock(&log_lock);
        w->reached = n ? written : w->reached;
        if (!written && told) {
            w->untold += told;
        } else if (!written) {
            count_dropped(w, w->tail, count_lines(chunk, n));
        }
    } while (n || told || !w->deadline_ns);
    const bool abandoned = w->abandoned;
    w->ended = true;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&log_lock);
    if (abandoned) {
        free_writer(w);
    }
    return NULL;
}

vb_err vb_log_open(const vb_log_options *o, vb_error *e) {
    VB_ASSERT(!open_writer);
    log_writer *w = calloc(1, sizeof *w);
    if (!w) {
        return vb_fail(e, VB_ENOMEM, "no memory for the log");
    }
    w->o = *o;
    w->reached = true;
    pthread_condattr_t clock;
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&w->changed, &clock);
    pthread_condattr_destroy(&clock);
    const int bad = pthread_create(&w->thread, NULL, write_lines, w);
    if (bad) {
        free_writer(w);
        return vb_fail(e, VB_ENOMEM, "cannot start a thread for the log: %s", strerror(bad));
    }
    atomic_store(&level_min, o->level);
    atomic_store(&form_now, o->form);
    pthread_mutex_lock(&log_lock);
    open_writer = w;
    pthread_mutex_unlock(&log_lock);
    return VB_OK;
}

bool vb_log_close(uint32_t wait_ms) {
    pthread_mutex_lock(&log_lock);
    log_writer *w = open_writer;
    open_writer = NULL;
    if (!w) {
        pthread_mutex_unlock(&log_lock);
        return true;
    }
    w->deadline_ns = vb_clock_ns() + wait_ms * UINT64_C(1000000);
    pthread_cond_broadcast(&w->changed);
    const uint64_t until_ns = w->deadline_ns + GIVE_UP_MS * UINT64_C(1000000);
    const struct timespec until = {(time_t)(until_ns / 1000000000), (long)(until_ns % 1000000000)};
    int waited = 0;
    while (!w->ended && waited == 0) {
        waited = pthread_cond_timedwait(&w->changed, &log_lock, &until);
    }
    const bool ended = w->ended;
    const bool complete = ended && !w->untold;
    if (!ended) {
        pthread_detach(w->thread); /* frees w, once it gets the lock */
        w->abandoned = true;
    }
    pthread_mutex_unlock(&log_lock);
    if (ended) {
        pthread_join(w->thread, NULL);
        free_writer(w);
    }
    return complete;
}

uint64_t vb_log_dropped(void) {
    return atomic_load(&n_dropped);
}

/* Who logs. */

static void copy_to_ring(log_writer *w, const char *bytes, size_t n) {
    const size_t at = (size_t)(w->head % VB_LOG_RING_BYTES);
    const size_t to_end = VB_LOG_RING_BYTES - at, first = n < to_end ? n : to_end;
    memcpy(w->ring + at, bytes, first);
    memcpy(w->ring, bytes + first, n - first);
    w->head += n;
}

/* Takes line. */
static void put_line(vb_log_level level, json_t *line) {
    char text[VB_LOG_LINE_BYTES_MAX];
    const size_t n = write_text(line, text);
    pthread_mutex_lock(&log_lock);
    log_writer *w = open_writer;
    if (w) {
        const size_t kept = level == VB_LOG_ERROR ? 0 : VB_LOG_FOR_ERRORS_BYTES;
        if (n && n + kept <= VB_LOG_RING_BYTES - (w->head - w->tail)) {
            copy_to_ring(w, text, n);
        } else {
            count_dropped(w, w->head, 1);
        }
        pthread_cond_signal(&w->changed);
    }
    pthread_mutex_unlock(&log_lock);
    if (!w) {
        fwrite(text, 1, n, stderr);
    }
}

static void put_message(vb_log_level level, const char *event, const char *request_id,
                        const char *fmt, va_list args) {
    if ((int)level < atomic_load(&level_min)) {
        return;
    }
    char message[MESSAGE_BYTES], stamp[48];
    vsnprintf(message, sizeof message, fmt, args);
    vb_make_printable(message);
    write_time(stamp);
    put_line(level, json_pack("{s:s,s:s,s:s,s:s*,s:s}", "time", stamp, "level", level_names[level],
                              "event", event, "request_id", request_id, "message", message));
}

void vb_log(vb_log_level level, const char *event, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    put_message(level, event, NULL, fmt, args);
    va_end(args);
}

void vb_log_request(vb_log_level level, const char *event, const char *request_id, const char *fmt,
                    ...) {
    va_list args;
    va_start(args, fmt);
    put_message(level, event, request_id, fmt, args);
    va_end(args);
}

void vb_log_exchange(const vb_exchange_summary *s) {
    if (VB_LOG_INFO < atomic_load(&level_min)) {
        return;
    }
    char stamp[48];
    write_time(stamp);
    put_line(VB_LOG_INFO,
             json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:i,s:f,s:I,s:I,s:s*,s:b}", "time", stamp, "level",
                       "info", "event", "request", "request_id", s->request_id, "method", s->method,
                       "route", s->route, "status", (int)s->status, "seconds",
                       (double)s->duration_ns / 1e9, "request_bytes", (json_int_t)s->request_bytes,
                       "response_bytes", (json_int_t)s->response_bytes, "client", s->client, "gone",
                       s->gone));
}
