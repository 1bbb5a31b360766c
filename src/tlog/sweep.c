#include "tlog/sweep.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tlog/files.h"
#include "tlog/folder.h"

enum { NAME_BYTES = VB_TLOG_PATH_BYTES + 16, DEPTH_MAX = 8 };

typedef struct sweep {
    int root;
    const char *place;
    uint64_t size;
    vb_tlog_same_fn same;
    void *user;
} sweep;

static vb_err foreign(const sweep *s, const char *path, vb_error *e) {
    return vb_fail(e, VB_EMISMATCH, "%s/%s: this is no file of a log", s->place, path);
}

static vb_err remove_file(const sweep *s, const char *path, vb_error *e) {
    return unlinkat(s->root, path, 0) == 0
               ? VB_OK
               : vb_fail(e, VB_EIO, "%s/%s: cannot remove: %s", s->place, path, strerror(errno));
}

static bool ends_with(const char *text, const char *end) {
    const size_t n = strlen(text), n_end = strlen(end);
    return n > n_end && strcmp(text + n - n_end, end) == 0;
}

static vb_err look_at_file(const sweep *s, const char *path, vb_error *e) {
    vb_tlog_file f;
    if (ends_with(path, VB_TLOG_UNFINISHED)) {
        return remove_file(s, path, e);
    }
    if (!vb_tlog_file_parse(path, &f)) {
        return strcmp(path, VB_TLOG_LOCK_NAME) == 0 ||
                       strncmp(path, VB_TLOG_EVIDENCE_NAME, sizeof VB_TLOG_EVIDENCE_NAME - 1) == 0
                   ? VB_OK
                   : foreign(s, path, e);
    }
    if (f.kind == VB_TLOG_FILE_CHECKPOINT || f.kind == VB_TLOG_FILE_INFO) {
        return VB_OK;
    }
    const unsigned width = vb_tlog_tile_width(s->size, f.level, f.index);
    const bool superseded = width == VB_TLOG_TILE_WIDTH && f.width < width;
    if (f.width > width || superseded) {
        return remove_file(s, path, e);
    }
    return f.width < VB_TLOG_TILE_WIDTH ? s->same(s->user, &f, path, e) : VB_OK;
}

/* Folders have the names that files have on the way. */
static bool may_be_folder(const char *path) {
    static const char *const below[] = {"/000", "/1", "/000.p/1"};
    vb_tlog_file f;
    if (strcmp(path, "tile") == 0) {
        return true;
    }
    for (size_t i = 0; i < sizeof below / sizeof below[0]; i++) {
        char file[NAME_BYTES + 16];
        snprintf(file, sizeof file, "%s%s", path, below[i]);
        if (vb_tlog_file_parse(file, &f)) {
            return true;
        }
    }
    return false;
}

static vb_err look_at_folder(const sweep *s, const char *path, int depth, vb_error *e) {
    const int fd = openat(s->root, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (!dir) {
        const int why = errno;
        if (fd >= 0) {
            close(fd);
        }
        return vb_fail(e, VB_EIO, "%s/%s: cannot open the folder: %s", s->place, path,
                       strerror(why));
    }
    vb_err err = VB_OK;
    for (const struct dirent *entry; !err && (entry = readdir(dir));) {
        char below[NAME_BYTES];
        struct stat st;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
            continue;
        }
        const bool top = strcmp(path, ".") == 0;
        const int n =
            snprintf(below, sizeof below, "%s%s%s", top ? "" : path, top ? "" : "/", entry->d_name);
        if (n < 0 || (size_t)n >= sizeof below) {
            err = foreign(s, entry->d_name, e);
        } else if (fstatat(s->root, below, &st, AT_SYMLINK_NOFOLLOW) != 0) {
            err = vb_fail(e, VB_EIO, "%s/%s: %s", s->place, below, strerror(errno));
        } else if (S_ISREG(st.st_mode)) {
            err = look_at_file(s, below, e);
        } else if (S_ISDIR(st.st_mode) && depth < DEPTH_MAX && may_be_folder(below)) {
            err = look_at_folder(s, below, depth + 1, e);
        } else {
            err = foreign(s, below, e);
        }
    }
    closedir(dir);
    return err;
}

vb_err vb_tlog_sweep(int fd, const char *place, uint64_t size, vb_tlog_same_fn same, void *user,
                     vb_error *e) {
    const sweep s = {fd, place, size, same, user};
    return look_at_folder(&s, ".", 0, e);
}

void vb_tlog_sweep_partial(int fd, const vb_tlog_file *full) {
    char path[VB_TLOG_PATH_BYTES], folder[VB_TLOG_PATH_BYTES + 8];
    vb_tlog_file_path(full, path);
    snprintf(folder, sizeof folder, "%s.p", path);
    const int at = openat(fd, folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = at >= 0 ? fdopendir(at) : NULL;
    if (!dir) {
        if (at >= 0) {
            close(at);
        }
        return;
    }
    for (const struct dirent *entry; (entry = readdir(dir));) {
        if (entry->d_name[0] != '.') {
            (void)unlinkat(at, entry->d_name, 0);
        }
    }
    closedir(dir);
    (void)unlinkat(fd, folder, AT_REMOVEDIR);
}
