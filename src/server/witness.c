#include "server/witness.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/decimal.h"
#include "base/system.h"
#include "fetch/http.h"
#include "receipt/base64.h"
#include "server/log.h"
#include "tlog/reader.h"

enum {
    PROOF_LINES_MAX = 63, /* of a request, as tlog-witness says */
    HASH_CHARS = 44,
    ANSWER_BYTES_MAX = VB_TLOG_NOTE_BYTES_MAX,
    REQUEST_BYTES_MAX = VB_TLOG_NOTE_BYTES_MAX + (PROOF_LINES_MAX + 2) * (HASH_CHARS + 1),
    URL_BYTES_MAX = VB_PATH_BYTES_MAX + 32,
    CONFLICTS_MAX = 3, /* answers 409 to one checkpoint */
    FIRST_PAUSE_S = 1,
    LONGEST_PAUSE_S = 300
};
#define NS_PER_S 1000000000u

struct vb_witness {
    vb_witness_options o;
    char url[URL_BYTES_MAX];
    vb_http *http;
    vb_tlog_reader *reader; /* NULL: not opened yet; the thread's */
    uint64_t known;         /* the size that the witness has, as far as is known; the thread's */
    pthread_t thread;
    bool started;
    atomic_bool ending;

    pthread_mutex_t lock; /* of all below */
    pthread_cond_t offered;
    vb_buf note; /* the newest; empty: none */
    uint64_t size;
    bool is_new; /* it was not tried yet */
    vb_witness_stats stats;
};

static bool keep_going(void *user) {
    return !atomic_load(&((vb_witness *)user)->ending);
}

/* "old N", the proof's lines, a blank one, and the note. */
static vb_err write_request(vb_witness *w, const vb_buf *note, uint64_t size, vb_buf *out,
                            vb_error *e) {
    vb_tlog_hash path[VB_TLOG_PATH_MAX];
    char line[HASH_CHARS + 1];
    size_t n = 0;
    vb_err err = VB_OK;
    if (w->known && w->known < size) {
        if (!w->reader) {
            err = vb_tlog_reader_open_folder(w->o.folder, w->o.log, &w->reader, e);
        }
        if (err || (err = vb_tlog_reader_use(w->reader, note->data, note->len, e)) ||
            (err = vb_tlog_reader_prove_consistency(w->reader, w->known, path, &n, e))) {
            return err;
        }
    }
    VB_ASSERT(n <= PROOF_LINES_MAX);
    err = vb_buf_printf(out, "old %" PRIu64 "\n", w->known);
    for (size_t i = 0; !err && i < n; i++) {
        vb_base64_encode(path[i].bytes, sizeof path[i].bytes, line);
        err = vb_buf_printf(out, "%s\n", line);
    }
    if (err || (err = vb_buf_append(out, "\n", 1)) ||
        (err = vb_buf_append(out, note->data, note->len))) {
        return vb_fail(e, err, "no memory for a request to a witness");
    }
    return VB_OK;
}

/* Of the lines of an answer the one that is the witness's cosignature; what it adds in other names
 * is not looked at. */
static vb_err find_line(const vb_witness *w, const vb_buf *note, const vb_buf *answer,
                        const char **line, size_t *n_line, vb_error *e) {
    const char *p = answer->data ? (const char *)answer->data : "";
    const char *end = p + answer->len;
    vb_buf with = vb_buf_make(VB_TLOG_NOTE_BYTES_MAX);
    vb_err err = VB_OK;
    *line = NULL;
    while (!err && !*line && p < end) {
        const char *stop = memchr(p, '\n', (size_t)(end - p));
        const size_t n = stop ? (size_t)(stop - p) + 1 : (size_t)(end - p);
        vb_tlog_checkpoint ignored;
        vb_tlog_cosignature cosigned[1];
        size_t n_cosigned = 0;
        with.len = 0;
        if ((err = vb_buf_append(&with, note->data, note->len)) ||
            (err = vb_buf_append(&with, p, n))) {
            vb_fail(e, err, "its answer does not fit into a note");
        } else {
            err = vb_tlog_note_read(with.data, with.len, w->o.log, &w->o.who.key, 1, &ignored,
                                    cosigned, &n_cosigned, e);
        }
        if (!err && n_cosigned) {
            *line = p;
            *n_line = n;
        }
        p += n;
    }
    vb_buf_free(&with);
    return err     ? err
           : *line ? VB_OK
                   : vb_fail(e, VB_EFORMAT, "its answer has no cosignature of the configured key");
}

/* 409: the size that it has instead. */
static vb_err take_size(vb_witness *w, const vb_buf *answer, uint64_t size, vb_error *e) {
    const char *text = answer->data ? (const char *)answer->data : "";
    uint64_t its = 0;
    if (answer->len < 2 || text[answer->len - 1] != '\n' ||
        !vb_decimal_decode(text, answer->len - 1, &its)) {
        return vb_fail(e, VB_EFORMAT, "status 409 without the size that it has");
    }
    if (its == w->known) {
        return its == size
                   ? vb_fail(e, VB_EMISMATCH,
                             "it has cosigned another log of %" PRIu64 " entries under this name",
                             its)
                   : vb_fail(e, VB_EFORMAT, "status 409 with the size that was sent");
    }
    if (its > size) {
        return vb_fail(e, VB_EMISMATCH,
                       "it has cosigned %" PRIu64 " entries, this log has %" PRIu64
                       ": an old copy of the log?",
                       its, size);
    }
    w->known = its;
    return VB_OK;
}

static vb_err explain(long status, vb_error *e) {
    static const struct {
        long status;
        const char *what;
    } known[] = {
        {400, "it does not read the request"},
        {403, "it does not trust the log's key"},
        {404, "it does not know the log's origin"},
        {422, "it does not accept the consistency proof: has it seen another log of this name?"},
    };
    const char *what = "expected a cosignature";
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        what = known[i].status == status ? known[i].what : what;
    }
    return vb_fail(e, VB_EIO, "HTTP status %ld: %s", status, what);
}

/* One request; *again: with another size it may be granted. */
static vb_err ask_once(vb_witness *w, const vb_buf *note, uint64_t size, bool *again, vb_error *e) {
    vb_buf request = vb_buf_make(REQUEST_BYTES_MAX), answer = vb_buf_make(ANSWER_BYTES_MAX);
    const char *line = NULL;
    size_t n_line = 0;
    long status = 0;
    vb_err err = write_request(w, note, size, &request, e);
    *again = false;
    if (!err) {
        err = vb_http_post_text(w->http, w->url, request.data, request.len, &answer, &status, e);
    }
    if (!err && status == 200) {
        if (!(err = find_line(w, note, &answer, &line, &n_line, e))) {
            w->known = size;
            w->o.cosigned(w->o.user, w->o.which, size, line, n_line);
        }
    } else if (!err && status == 409) {
        err = take_size(w, &answer, size, e);
        *again = !err;
    } else if (!err) {
        err = explain(status, e);
    }
    vb_buf_free(&request);
    vb_buf_free(&answer);
    return err;
}

static vb_err ask(vb_witness *w, const vb_buf *note, uint64_t size, vb_error *e) {
    bool again = true;
    vb_err err = VB_OK;
    for (int i = 0; !err && again && i <= CONFLICTS_MAX; i++) {
        err = ask_once(w, note, size, &again, e);
    }
    return err || !again ? err : vb_fail(e, VB_EFORMAT, "it names another size at every request");
}

/* With the lock: waits for a checkpoint that was not tried, or for the end of the pause. */
static void wait_for_offer(vb_witness *w, bool failed, uint64_t until_ns) {
    const struct timespec until = {(time_t)(until_ns / NS_PER_S), (long)(until_ns % NS_PER_S)};
    while (!atomic_load(&w->ending)) {
        if (failed) { /* a new checkpoint does not shorten the pause */
            if (vb_clock_ns() >= until_ns) {
                return;
            }
            pthread_cond_timedwait(&w->offered, &w->lock, &until);
        } else if (w->is_new) {
            return;
        } else {
            pthread_cond_wait(&w->offered, &w->lock);
        }
    }
}

static void note_end(vb_witness *w, vb_err err, const vb_error *e, uint64_t size, unsigned failed) {
    pthread_mutex_lock(&w->lock);
    if (err) {
        w->stats.failed++;
    } else {
        w->stats.cosigned++;
        w->stats.size = size;
    }
    pthread_mutex_unlock(&w->lock);
    if (err == VB_ECANCELLED) {
        return;
    }
    if (err) {
        vb_log(err == VB_EMISMATCH ? VB_LOG_ERROR : VB_LOG_WARNING, "witness", "%s: %s",
               w->o.who.key.name, e->msg);
    } else if (failed) {
        vb_log(VB_LOG_INFO, "witness", "%s: cosigns again", w->o.who.key.name);
    }
}

static void *run(void *user) {
    vb_witness *w = user;
    unsigned failed = 0; /* in a row */
    uint64_t until_ns = 0;
    vb_buf note = vb_buf_make(VB_TLOG_NOTE_BYTES_MAX);
    for (;;) {
        vb_error e = {VB_OK, ""};
        pthread_mutex_lock(&w->lock);
        wait_for_offer(w, failed != 0, until_ns);
        note.len = 0;
        vb_err err = atomic_load(&w->ending) ? VB_ECANCELLED
                                             : vb_buf_append(&note, w->note.data, w->note.len);
        const uint64_t size = w->size;
        w->is_new = false;
        pthread_mutex_unlock(&w->lock);
        if (atomic_load(&w->ending)) {
            break;
        }
        err = err ? vb_fail(&e, err, "no memory for a checkpoint") : ask(w, &note, size, &e);
        note_end(w, err, &e, size, failed);
        const uint64_t pause_s = (uint64_t)FIRST_PAUSE_S << (failed < 16 ? failed : 16);
        failed = err ? failed + 1 : 0;
        until_ns = vb_clock_ns() +
                   NS_PER_S * (pause_s < LONGEST_PAUSE_S ? pause_s : (uint64_t)LONGEST_PAUSE_S);
    }
    vb_buf_free(&note);
    return NULL;
}

/* The prefix's own slash at its end is no part of it. */
static vb_err make_url(vb_witness *w, vb_error *e) {
    size_t n = strlen(w->o.who.url);
    n -= n && w->o.who.url[n - 1] == '/';
    const int printed =
        snprintf(w->url, sizeof w->url, "%.*s/add-checkpoint", (int)n, w->o.who.url);
    return printed < 0 || printed >= (int)sizeof w->url
               ? vb_fail(e, VB_ELIMIT, "log_witnesses: a URL is too long")
               : VB_OK;
}

vb_err vb_witness_open(const vb_witness_options *o, vb_witness **out, vb_error *e) {
    vb_witness *w = calloc(1, sizeof *w);
    if (!w) {
        return vb_fail(e, VB_ENOMEM, "no memory for a witness");
    }
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->offered, &monotonic);
    pthread_condattr_destroy(&monotonic);
    w->o = *o;
    w->note = vb_buf_make(VB_TLOG_NOTE_BYTES_MAX);
    const vb_http_options http = {.keep_going = keep_going, .user = w};
    vb_err err = make_url(w, e);
    if (!err && !(err = vb_http_open(&http, &w->http, e))) {
        const int bad = pthread_create(&w->thread, NULL, run, w);
        w->started = !bad;
        err = bad ? vb_fail(e, VB_ENOMEM, "cannot start a thread: %s", strerror(bad)) : VB_OK;
    }
    if (err) {
        vb_witness_close(w);
        return err;
    }
    *out = w;
    return VB_OK;
}

void vb_witness_close(vb_witness *w) {
    if (!w) {
        return;
    }
    if (w->started) {
        pthread_mutex_lock(&w->lock);
        atomic_store(&w->ending, true);
        pthread_cond_signal(&w->offered);
        pthread_mutex_unlock(&w->lock);
        pthread_join(w->thread, NULL);
    }
    vb_http_close(w->http);
    vb_tlog_reader_close(w->reader);
    vb_buf_free(&w->note);
    pthread_cond_destroy(&w->offered);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

void vb_witness_offer(vb_witness *w, const vb_buf *note, uint64_t size) {
    pthread_mutex_lock(&w->lock);
    w->note.len = 0;
    /* Without memory it stays with the checkpoint before, and gets the next one. */
    if (vb_buf_append(&w->note, note->data, note->len) == VB_OK) {
        w->size = size;
        w->is_new = true;
        pthread_cond_signal(&w->offered);
    }
    pthread_mutex_unlock(&w->lock);
}

void vb_witness_get_stats(vb_witness *w, vb_witness_stats *out) {
    pthread_mutex_lock(&w->lock);
    *out = w->stats;
    pthread_mutex_unlock(&w->lock);
}
