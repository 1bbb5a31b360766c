/*
 * The transparency log over HTTP: the files of spec/log.md section 2 and no others, each as it is
 * on disk. What is not under the newest checkpoint is not there yet; the checkpoint itself is the
 * publisher's own copy, which is told of only when it is durable.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/system.h"
#include "server/endpoints.h"
#include "server/log.h"
#include "tlog/entry.h"
#include "tlog/path.h"

#define FOR_EVER "public, max-age=31536000, immutable"
#define FOR_A_WHILE "public, max-age=60"

enum {
    FILE_BYTES_MAX = VB_TLOG_TILE_WIDTH * (2 + VB_TLOG_ENTRY_BYTES_MAX), /* a full bundle */
    PART_BYTES = 1 << 14,
    AT_ONCE_MAX = 16 /* files that are being read: nobody who asks for them has a key */
};

static void refuse(vb_exchange *x) {
    vb_exchange_fail(x, 404, "unknown_url", "there is no %.200s here", vb_exchange_path(x));
}

static void show_checkpoint(vb_service *s, vb_exchange *x) {
    vb_buf note = vb_buf_make(VB_TLOG_NOTE_BYTES_MAX);
    if (vb_publisher_note(s->publisher, &note, NULL)) {
        vb_exchange_fail(x, 503, "out_of_memory", "no memory for the checkpoint");
    } else {
        vb_exchange_reply(x, 200, "text/plain; charset=utf-8", &note);
    }
    vb_buf_free(&note);
}

static bool is_public(const vb_tlog_file *f, uint64_t size) {
    return f->kind == VB_TLOG_FILE_INFO || f->width <= vb_tlog_tile_width(size, f->level, f->index);
}

static vb_err read_all(int fd, vb_buf *out, vb_error *e) {
    uint8_t part[PART_BYTES];
    for (;;) {
        const ssize_t n = read(fd, part, sizeof part);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return n ? vb_fail(e, VB_EIO, "%s", strerror(errno)) : VB_OK;
        }
        const vb_err err = vb_buf_append(out, part, (size_t)n);
        if (err) {
            return vb_fail(e, err, "more than %zu bytes, or no memory", out->max);
        }
    }
}

/* name is one of the log's, and so leads nowhere else. */
static vb_err read_file(const vb_service *s, const char *name, vb_buf *out, bool *absent,
                        vb_error *e) {
    char path[VB_PATH_BYTES_MAX];
    struct stat st;
    const int n = snprintf(path, sizeof path, "%s/%s", s->config->log, name);
    if (n < 0 || n >= (int)sizeof path) {
        return vb_fail(e, VB_ELIMIT, "the path of the log is too long");
    }
    const int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    *absent = fd < 0 && errno == ENOENT;
    if (fd < 0) {
        return vb_fail(e, VB_EIO, "%s: %s", path, strerror(errno));
    }
    vb_err err = fstat(fd, &st) == 0 && S_ISREG(st.st_mode)
                     ? read_all(fd, out, e)
                     : vb_fail(e, VB_EIO, "not a regular file");
    close(fd);
    return err ? vb_fail_in(e, err, "%s", path) : VB_OK;
}

static void reply_file(vb_service *s, vb_exchange *x) {
    const char *name = vb_exchange_rest(x);
    vb_tlog_file f = {.kind = VB_TLOG_FILE_INFO};
    vb_buf bytes = vb_buf_make(FILE_BYTES_MAX);
    vb_error e;
    bool absent = false;
    if (!vb_tlog_file_parse(name, &f) || !is_public(&f, vb_publisher_size(s->publisher))) {
        refuse(x);
        return;
    }
    if (read_file(s, name, &bytes, &absent, &e)) {
        if (absent) { /* a partial one, of which there is a wider one */
            refuse(x);
        } else {
            vb_log_request(VB_LOG_ERROR, "publish", vb_exchange_request_id(x), "%s", e.msg);
            vb_exchange_fail(x, 500, "log_failed", "the file could not be read");
        }
    } else {
        const bool info = f.kind == VB_TLOG_FILE_INFO;
        vb_exchange_set_header(x, "Cache-Control", info ? FOR_A_WHILE : FOR_EVER);
        vb_exchange_reply(x, 200, info ? "application/json" : "application/octet-stream", &bytes);
    }
    vb_buf_free(&bytes);
}

static void show_file(vb_service *s, vb_exchange *x) {
    reply_file(s, x);
    atomic_fetch_sub(&s->n_log_files, 1);
}

/* The workers are those of answers, whom a crowd of readers must not keep waiting. */
static void put_file(vb_service *s, vb_exchange *x) {
    if (atomic_fetch_add(&s->n_log_files, 1) >= AT_ONCE_MAX) {
        vb_exchange_set_header(x, "Retry-After", "1");
        vb_exchange_fail(x, 503, "overloaded", "too many read the log at once");
    } else if (vb_service_put(s, x, show_file)) {
        return;
    }
    atomic_fetch_sub(&s->n_log_files, 1);
}

void vb_log_file_handle(void *user, vb_exchange *x) {
    vb_service *s = user;
    vb_tlog_file f;
    if (!s->publisher || !vb_tlog_file_parse(vb_exchange_rest(x), &f)) {
        refuse(x);
    } else if (f.kind == VB_TLOG_FILE_CHECKPOINT) {
        show_checkpoint(s, x);
    } else {
        put_file(s, x);
    }
}

vb_err vb_log_write_metrics(vb_service *s, vb_buf *out) {
    vb_publisher_stats t;
    vb_publisher_get_stats(s->publisher, &t);
    const uint64_t now_ms = vb_unix_ms(), since_ms = t.unpublished_since_ms;
    const double waits_s = since_ms && since_ms < now_ms ? (double)(now_ms - since_ms) / 1000 : 0;
    const struct {
        const char *name, *type, *help;
        double value;
    } rows[] = {
        {"verbatim_tlog_entries", "gauge", "Entries of the transparency log that are public.",
         (double)t.size},
        {"verbatim_tlog_checkpoints_total", "counter", "Checkpoints that were signed.",
         (double)t.checkpoints},
        {"verbatim_tlog_waiting_seconds", "gauge",
         "How old the oldest commitment is that could not be published yet.", waits_s},
        {"verbatim_tlog_late_total", "counter", "Commitments that were public later than promised.",
         (double)t.late},
        {"verbatim_tlog_failures_total", "counter",
         "Times that the log or the journal could not be read or written.", (double)t.failures},
        {"verbatim_tlog_cosignatures_total", "counter", "Checkpoints that witnesses cosigned.",
         (double)t.cosigned},
        {"verbatim_tlog_witness_failures_total", "counter", "Times that a witness did not cosign.",
         (double)t.witness_failures},
        {"verbatim_tlog_witnesses_behind", "gauge",
         "Witnesses that have not cosigned the newest checkpoint.", (double)t.witnesses_behind},
    };
    vb_err err = VB_OK;
    for (size_t i = 0; !err && i < sizeof rows / sizeof rows[0]; i++) {
        err = vb_metrics_write_value(out, rows[i].name, rows[i].type, rows[i].help, rows[i].value);
    }
    return err;
}
