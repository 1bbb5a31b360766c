#include "tlog/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "tlog/path.h"

enum {
    WAITING_MAX = 64,       /* files that are flushed together, and file descriptors they take */
    CHANGED_BYTES = 1 << 16 /* names of folders that are to be synced */
};

typedef struct waiting_file {
    int fd;
    char path[VB_TLOG_PATH_BYTES];
} waiting_file;

struct vb_tlog_files {
    char folder[VB_PATH_BYTES_MAX]; /* for messages */
    int root;
    waiting_file waiting[WAITING_MAX];
    size_t n_waiting;
    vb_buf changed; /* folders whose names are not on disk yet, each with its zero byte */
};

vb_err vb_tlog_files_open(const char *folder, int fd, vb_tlog_files **out, vb_error *e) {
    vb_tlog_files *f = calloc(1, sizeof *f);
    if (!f) {
        return vb_fail(e, VB_ENOMEM, "no memory for the files of %s", folder);
    }
    const int n = snprintf(f->folder, sizeof f->folder, "%s", folder);
    if (n < 0 || (size_t)n >= sizeof f->folder) {
        free(f);
        return vb_fail(e, VB_ELIMIT, "a path is longer than %u bytes", VB_PATH_BYTES_MAX);
    }
    f->root = fd;
    f->changed = vb_buf_make(CHANGED_BYTES);
    *out = f;
    return VB_OK;
}

static void unfinished_name(const char *path, char out[VB_TLOG_PATH_BYTES + 8]) {
    snprintf(out, VB_TLOG_PATH_BYTES + 8, "%s" VB_TLOG_UNFINISHED, path);
}

void vb_tlog_files_close(vb_tlog_files *f) {
    if (!f) {
        return;
    }
    for (size_t i = 0; i < f->n_waiting; i++) {
        char name[VB_TLOG_PATH_BYTES + 8];
        unfinished_name(f->waiting[i].path, name);
        close(f->waiting[i].fd);
        unlinkat(f->root, name, 0);
    }
    vb_buf_free(&f->changed);
    free(f);
}

static vb_err cannot(const vb_tlog_files *f, const char *path, const char *what, vb_error *e) {
    return vb_fail(e, VB_EIO, "%s/%s: cannot %s: %s", f->folder, path, what, strerror(errno));
}

/* The folder that holds path, without the slash; "." for the log's own. */
static void folder_of(const char *path, char out[VB_TLOG_PATH_BYTES]) {
    const char *slash = strrchr(path, '/');
    snprintf(out, VB_TLOG_PATH_BYTES, "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
}

static vb_err note_change(vb_tlog_files *f, const char *folder, vb_error *e) {
    const char *names = (const char *)f->changed.data;
    for (size_t at = 0; at < f->changed.len; at += strlen(names + at) + 1) {
        if (strcmp(names + at, folder) == 0) {
            return VB_OK;
        }
    }
    vb_err err = vb_buf_append(&f->changed, folder, strlen(folder) + 1);
    return err ? vb_fail(e, err, "%s: no memory for the names of its folders", f->folder) : VB_OK;
}

/* The folders on the way to path. */
static vb_err make_folders(vb_tlog_files *f, const char *path, vb_error *e) {
    char folder[VB_TLOG_PATH_BYTES], above[VB_TLOG_PATH_BYTES];
    vb_err err = VB_OK;
    for (const char *p = path; !err && (p = strchr(p, '/')); p++) {
        snprintf(folder, sizeof folder, "%.*s", (int)(p - path), path);
        if (mkdirat(f->root, folder, 0755) == 0) {
            folder_of(folder, above);
            err = note_change(f, above, e);
        } else if (errno != EEXIST) {
            err = cannot(f, folder, "make the folder", e);
        }
    }
    return err;
}

static bool write_all(int fd, const uint8_t *bytes, size_t n) {
    while (n) {
        const ssize_t w = write(fd, bytes, n);
        if (w < 0 && errno == EINTR) {
            continue;
        }
        if (w <= 0) {
            errno = w ? errno : ENOSPC;
            return false;
        }
        bytes += w;
        n -= (size_t)w;
    }
    return true;
}

static int create(const vb_tlog_files *f, const char *name) {
    return openat(f->root, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
}

vb_err vb_tlog_files_put(vb_tlog_files *f, const char *path, const void *bytes, size_t n_bytes,
                         vb_error *e) {
    char name[VB_TLOG_PATH_BYTES + 8], folder[VB_TLOG_PATH_BYTES];
    VB_ASSERT(strlen(path) < VB_TLOG_PATH_BYTES);
    vb_err err = f->n_waiting == WAITING_MAX ? vb_tlog_files_flush(f, e) : VB_OK;
    folder_of(path, folder);
    if (err || (err = note_change(f, folder, e))) {
        return err;
    }
    unfinished_name(path, name);
    int fd = create(f, name);
    if (fd < 0 && errno == ENOENT && !(err = make_folders(f, path, e))) {
        fd = create(f, name);
    }
    if (err || fd < 0) {
        return err ? err : cannot(f, path, "create", e);
    }
    waiting_file *w = &f->waiting[f->n_waiting++];
    w->fd = fd;
    snprintf(w->path, sizeof w->path, "%s", path);
    return write_all(fd, bytes, n_bytes) ? VB_OK : cannot(f, path, "write", e);
}

static vb_err sync_folder(const vb_tlog_files *f, const char *folder, vb_error *e) {
    const int fd = openat(f->root, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const bool fine = fd >= 0 && fsync(fd) == 0;
    vb_err err = fine ? VB_OK : cannot(f, folder, "sync the folder", e);
    if (fd >= 0) {
        close(fd);
    }
    return err;
}

/* All files are synced before the first gets its name: what they share of the disk's journal is
 * written once. */
vb_err vb_tlog_files_flush(vb_tlog_files *f, vb_error *e) {
    vb_err err = VB_OK;
    for (size_t i = 0; i < f->n_waiting && !err; i++) {
        err = fsync(f->waiting[i].fd) ? cannot(f, f->waiting[i].path, "sync", e) : VB_OK;
    }
    for (; f->n_waiting && !err; f->n_waiting--) {
        const waiting_file *w = &f->waiting[f->n_waiting - 1];
        char name[VB_TLOG_PATH_BYTES + 8];
        unfinished_name(w->path, name);
        if (renameat(f->root, name, f->root, w->path)) {
            err = cannot(f, w->path, "replace", e);
            break;
        }
        if (close(w->fd)) {
            err = cannot(f, w->path, "close", e);
        }
    }
    const char *names = (const char *)f->changed.data;
    for (size_t at = 0; at < f->changed.len && !err; at += strlen(names + at) + 1) {
        err = sync_folder(f, names + at, e);
    }
    f->changed.len = err ? f->changed.len : 0;
    return err;
}
