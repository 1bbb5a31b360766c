#include "crypto/private_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "crypto/random.h"

static vb_err write_all(int fd, const uint8_t *p, size_t n) {
    while (n) {
        ssize_t w = write(fd, p, n);
        if (w < 0 && errno == EINTR) {
            continue;
        }
        if (w <= 0) {
            return VB_EIO;
        }
        p += w;
        n -= (size_t)w;
    }
    return VB_OK;
}

/* A new name is on disk only when its folder is. */
static vb_err sync_folder(const char *path, vb_error *e) {
    char dir[VB_PATH_BYTES_MAX];
    const char *slash = strrchr(path, '/');
    if (!slash) {
        snprintf(dir, sizeof dir, ".");
    } else {
        snprintf(dir, sizeof dir, "%.*s", slash == path ? 1 : (int)(slash - path), path);
    }
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return vb_fail(e, VB_EIO, "%s: cannot open the folder: %s", dir, strerror(errno));
    }
    int bad = fsync(fd);
    int why = errno;
    close(fd);
    return bad ? vb_fail(e, VB_EIO, "%s: cannot sync the folder: %s", dir, strerror(why)) : VB_OK;
}

static vb_err write_temporary(const char *path, const void *bytes, size_t n_bytes, char *tmp,
                              vb_error *e) {
    uint8_t r[8];
    char hex[2 * sizeof r + 1];
    vb_err err = vb_random_bytes(r, sizeof r, e);
    if (err) {
        return err;
    }
    vb_hex_encode(r, sizeof r, hex);
    int n = snprintf(tmp, VB_PATH_BYTES_MAX, "%s.tmp-%s", path, hex);
    if (n < 0 || (size_t)n >= VB_PATH_BYTES_MAX) {
        return vb_fail(e, VB_ELIMIT, "a path is longer than %u bytes", VB_PATH_BYTES_MAX);
    }
    int fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        return vb_fail(e, VB_EIO, "%s: cannot create: %s", tmp, strerror(errno));
    }
    errno = 0;
    bool bad = fchmod(fd, 0600) || write_all(fd, bytes, n_bytes) || fsync(fd);
    int why = errno;
    bad |= close(fd) != 0;
    if (bad) {
        unlink(tmp);
        return vb_fail(e, VB_EIO, "%s: cannot write: %s", path, strerror(why ? why : errno));
    }
    return VB_OK;
}

vb_err vb_private_file_create(const char *path, const void *bytes, size_t n_bytes, vb_error *e) {
    char tmp[VB_PATH_BYTES_MAX];
    vb_err err = write_temporary(path, bytes, n_bytes, tmp, e);
    if (err) {
        return err;
    }
    /* link, unlike rename, refuses a name that is taken. */
    int bad = link(tmp, path);
    int why = errno;
    unlink(tmp);
    if (bad) {
        return vb_fail(e, VB_EIO, "%s: cannot create: %s", path, strerror(why));
    }
    return sync_folder(path, e);
}

vb_err vb_private_file_replace(const char *path, const void *bytes, size_t n_bytes, vb_error *e) {
    char tmp[VB_PATH_BYTES_MAX];
    vb_err err = write_temporary(path, bytes, n_bytes, tmp, e);
    if (err) {
        return err;
    }
    if (rename(tmp, path)) {
        int why = errno;
        unlink(tmp);
        return vb_fail(e, VB_EIO, "%s: cannot replace: %s", path, strerror(why));
    }
    return sync_folder(path, e);
}

static vb_err read_all(int fd, const char *path, vb_buf *out, vb_error *e) {
    uint8_t chunk[4096];
    vb_err err = VB_OK;
    for (;;) {
        ssize_t n = read(fd, chunk, sizeof chunk);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            err = vb_fail(e, VB_EIO, "%s: cannot read: %s", path, strerror(errno));
        } else if (n > 0) {
            err = vb_buf_append(out, chunk, (size_t)n);
            if (err) {
                vb_fail(e, err, "%s: more than %zu bytes", path, out->max);
            }
        }
        if (n <= 0 || err) {
            break;
        }
    }
    vb_wipe(chunk, sizeof chunk);
    return err;
}

vb_err vb_private_file_read(const char *path, vb_buf *out, bool *absent, vb_error *e) {
    if (absent) {
        *absent = false;
    }
    /* O_NONBLOCK: a FIFO put in the file's place must not hang the reader. */
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        if (absent) {
            *absent = errno == ENOENT;
        }
        return vb_fail(e, VB_EIO, "%s: cannot open: %s", path, strerror(errno));
    }
    struct stat st;
    vb_err err;
    if (fstat(fd, &st)) {
        err = vb_fail(e, VB_EIO, "%s: cannot stat: %s", path, strerror(errno));
    } else if (!S_ISREG(st.st_mode)) {
        err = vb_fail(e, VB_EINVAL, "%s: not a regular file", path);
    } else if (st.st_uid != geteuid()) {
        err = vb_fail(e, VB_EINVAL, "%s: belongs to another user", path);
    } else if (st.st_mode & 077) {
        err = vb_fail(e, VB_EINVAL, "%s: mode is %03o; others may use it: run chmod 600", path,
                      (unsigned)(st.st_mode & 0777));
    } else {
        err = read_all(fd, path, out, e);
    }
    close(fd);
    return err;
}
