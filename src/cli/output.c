#include "cli/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "crypto/random.h"

/* The unfinished file beside path, opened for writing; its name in temp. */
static int open_temp(const char *path, const char *what, char temp[VB_PATH_BYTES_MAX],
                     vb_error *e) {
    uint8_t random[8];
    char hex[2 * sizeof random + 1];
    if (vb_random_bytes(random, sizeof random, e)) {
        return -1;
    }
    vb_hex_encode(random, sizeof random, hex);
    int n = snprintf(temp, VB_PATH_BYTES_MAX, "%s.%s.part", path, hex);
    if (n < 0 || n >= (int)VB_PATH_BYTES_MAX) {
        vb_fail(e, VB_ELIMIT, "the path of the %s is too long", what);
        return -1;
    }
    /* The finished file takes the name's place: never that of a folder, a device or a link. */
    struct stat st;
    if (lstat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
        vb_fail(e, VB_EIO, "cannot write the %s %s: there is something that is not a file", what,
                path);
        return -1;
    }
    int fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0) {
        vb_fail(e, VB_EIO, "cannot write the %s %s: %s", what, path, strerror(errno));
    }
    return fd;
}

vb_err vb_output_check(const char *path, const char *what, vb_error *e) {
    char temp[VB_PATH_BYTES_MAX];
    int fd = open_temp(path, what, temp, e);
    if (fd < 0) {
        return VB_EIO;
    }
    close(fd);
    unlink(temp);
    return VB_OK;
}

/* A new name is on disk only when its folder is. Some file systems can not sync a folder: then the
 * rename has still happened, and is all there is to have. */
static void sync_folder(const char *path) {
    char dir[VB_PATH_BYTES_MAX];
    const char *slash = strrchr(path, '/');
    const size_t n = slash ? (size_t)(slash - path) : 0;
    snprintf(dir, sizeof dir, "%.*s", slash ? (n ? (int)n : 1) : 1, slash ? path : ".");
    const int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd);
        close(fd);
    }
}

static bool write_all(int fd, const uint8_t *bytes, size_t n) {
    while (n > 0) {
        ssize_t w = write(fd, bytes, n);
        if (w < 0 && errno == EINTR) {
            continue;
        }
        if (w <= 0) {
            return false;
        }
        bytes += w;
        n -= (size_t)w;
    }
    return true;
}

vb_err vb_output_write(const char *path, const char *what, const void *bytes, size_t n_bytes,
                       vb_error *e) {
    char temp[VB_PATH_BYTES_MAX];
    int fd = open_temp(path, what, temp, e);
    if (fd < 0) {
        return VB_EIO;
    }
    bool fine = write_all(fd, bytes, n_bytes) && fsync(fd) == 0;
    int saved = errno;
    if (close(fd) != 0 && fine) {
        saved = errno;
        fine = false;
    }
    if (fine && rename(temp, path) != 0) {
        saved = errno;
        fine = false;
    }
    if (!fine) {
        unlink(temp);
        return vb_fail(e, VB_EIO, "cannot write the %s %s: %s", what, path, strerror(saved));
    }
    sync_folder(path);
    return VB_OK;
}

vb_err vb_output_write_receipt(const char *path, const vb_receipt *r, vb_error *e) {
    vb_buf bytes = vb_buf_make(VB_RECEIPT_BYTES_MAX);
    vb_err err = vb_receipt_encode(r, &bytes, e);
    if (!err) {
        err = vb_output_write(path, "receipt", bytes.data, bytes.len, e);
    }
    vb_buf_free(&bytes);
    return err;
}
