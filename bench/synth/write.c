/*
 * The file, streamed: one buffer of about a megabyte is filled and written again and again. It is
 * written beside its final name and renamed when complete, so that nothing ever finds half a model
 * under the name it asked for.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/system.h"
#include "synth.h"

enum {
    CHUNK_BYTES = 1 << 20,
    BAR_WIDTH = 40,
    BAR_PERIOD_NS = 100000000,
};

typedef struct output {
    int fd;
    char partial[VB_PATH_BYTES_MAX];
    uint64_t done, total; /* bytes */
    uint64_t shown_ns, start_ns;
    bool show_progress;
    const volatile sig_atomic_t *stop;
} output;

static void show(output *o, bool last) {
    if (!o->show_progress) {
        return;
    }
    uint64_t now = vb_clock_ns();
    if (!last && now - o->shown_ns < BAR_PERIOD_NS) {
        return;
    }
    o->shown_ns = now;
    double share = o->total ? (double)o->done / (double)o->total : 1;
    double seconds = (double)(now - o->start_ns) * 1e-9;
    char bar[BAR_WIDTH + 1];
    int full = (int)(share * BAR_WIDTH);
    memset(bar, ' ', BAR_WIDTH);
    memset(bar, '=', (size_t)full);
    bar[BAR_WIDTH] = 0;
    fprintf(stderr, "\r[%s] %3d%%  %.2f of %.2f GB  %.0f MB/s ", bar, (int)(share * 100),
            (double)o->done * 1e-9, (double)o->total * 1e-9,
            seconds > 0 ? (double)o->done * 1e-6 / seconds : 0);
    if (last) {
        fputc('\n', stderr);
    }
}

static vb_err write_all(output *o, const uint8_t *p, size_t n, vb_error *e) {
    while (n) {
        if (*o->stop) {
            return vb_fail(e, VB_ECANCELLED, "interrupted");
        }
        ssize_t put = write(o->fd, p, n);
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put < 0) {
            return vb_fail(e, VB_EIO, "%s: can not be written at byte %" PRIu64 ": %s", o->partial,
                           o->done, strerror(errno));
        }
        p += put;
        n -= (size_t)put;
        o->done += (uint64_t)put;
        show(o, false);
    }
    return VB_OK;
}

static vb_err write_tensor(output *o, const synth_plan *p, const synth_tensor *t, uint8_t *chunk,
                           vb_error *e) {
    size_t unit = synth_fill_unit(t);
    size_t step = CHUNK_BYTES / unit * unit;
    vb_err err = VB_OK;
    for (uint64_t at = 0; !err && at < t->n_bytes; at += step) {
        size_t n = t->n_bytes - at < step ? (size_t)(t->n_bytes - at) : step;
        synth_fill(p, t, at, n, chunk);
        err = write_all(o, chunk, n, e);
    }
    static const uint8_t zeros[SYNTH_ALIGNMENT];
    size_t odd = (size_t)(t->n_bytes % SYNTH_ALIGNMENT);
    return err || !odd ? err : write_all(o, zeros, SYNTH_ALIGNMENT - odd, e);
}

/* Fails early rather than after an hour, where the system can say. */
static vb_err check_space(const output *o, vb_error *e) {
    struct statvfs fs;
    if (fstatvfs(o->fd, &fs) != 0) {
        return VB_OK;
    }
    uint64_t room = (uint64_t)fs.f_bavail * fs.f_frsize;
    if (room < o->total) {
        return vb_fail(e, VB_EIO,
                       "%s: the file needs %" PRIu64 " bytes, the file system has %" PRIu64 " left",
                       o->partial, o->total, room);
    }
    return VB_OK;
}

static vb_err write_parts(output *o, const synth_plan *p, vb_error *e) {
    vb_buf header;
    vb_err err = synth_header_build(p, &header, e);
    if (err) {
        return err;
    }
    o->total = header.len + p->data_bytes;
    err = check_space(o, e);
    if (!err) {
        err = write_all(o, header.data, header.len, e);
    }
    vb_buf_free(&header);
    uint8_t *chunk = malloc(CHUNK_BYTES);
    if (!err && !chunk) {
        err = vb_fail(e, VB_ENOMEM, "no memory for a buffer of %d bytes", CHUNK_BYTES);
    }
    for (size_t i = 0; !err && i < p->n_tensors; i++) {
        err = write_tensor(o, p, &p->tensors[i], chunk, e);
    }
    free(chunk);
    return err;
}

static vb_err open_partial(output *o, const char *path, bool force, vb_error *e) {
    int len = snprintf(o->partial, sizeof o->partial, "%s.partial", path);
    if (len < 0 || (size_t)len >= sizeof o->partial) {
        return vb_fail(e, VB_EINVAL, "the path is longer than %u bytes", VB_PATH_BYTES_MAX);
    }
    if (!force && access(path, F_OK) == 0) {
        return vb_fail(e, VB_EIO, "%s exists; --force replaces it", path);
    }
    if (force) {
        (void)unlink(o->partial);
    }
    o->fd = open(o->partial, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (o->fd < 0) {
        return vb_fail(e, VB_EIO, "%s: can not be created: %s%s", o->partial, strerror(errno),
                       errno == EEXIST ? "; another run writes it, or --force replaces it" : "");
    }
    return VB_OK;
}

vb_err synth_write(const synth_plan *p, const char *path, bool force, bool show_progress,
                   const volatile sig_atomic_t *stop, vb_error *e) {
    output o = {.fd = -1, .show_progress = show_progress, .stop = stop, .start_ns = vb_clock_ns()};
    vb_err err = open_partial(&o, path, force, e);
    if (err) {
        return err;
    }
    err = write_parts(&o, p, e);
    show(&o, true);
    if (close(o.fd) != 0 && !err) {
        err = vb_fail(e, VB_EIO, "%s: can not be written: %s", o.partial, strerror(errno));
    }
    if (!err && rename(o.partial, path) != 0) {
        err = vb_fail(e, VB_EIO, "%s: can not be renamed to %s: %s", o.partial, path,
                      strerror(errno));
    }
    if (err) {
        (void)unlink(o.partial);
    }
    return err;
}
