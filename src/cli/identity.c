#include "cli/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "cli/app.h"
#include "crypto/random.h"

/* A new key; that of another process when it made one first. */
static vb_err make_key(const char *path, vb_ed25519_key **out, bool quiet, vb_error *e) {
    vb_ed25519_key *key = NULL;
    vb_err err = vb_ed25519_generate(&key, e);
    if (err) {
        return err;
    }
    if ((err = vb_ed25519_save(key, path, e))) {
        vb_ed25519_close(key);
        return access(path, F_OK) == 0 ? vb_ed25519_load(path, out, e) : err;
    }
    if (!quiet) {
        uint8_t public_key[VB_ED25519_PUBLIC_BYTES];
        char hex[2 * VB_ED25519_PUBLIC_BYTES + 1];
        vb_ed25519_public(key, public_key);
        vb_hex_encode(public_key, sizeof public_key, hex);
        fprintf(stderr, "made a signing key in %s\nits public key is %s\n", path, hex);
    }
    *out = key;
    return VB_OK;
}

vb_err vb_identity_open(vb_identity *id, bool want_chain, bool quiet, vb_error *e) {
    char path[VB_PATH_BYTES_MAX + 16];
    vb_err err = vb_app_data_dir(id->dir, sizeof id->dir, e);
    if (err) {
        return err;
    }
    snprintf(path, sizeof path, "%s/server-key.pem", id->dir);
    err = access(path, F_OK) == 0 ? vb_ed25519_load(path, &id->key, e)
                                  : make_key(path, &id->key, quiet, e);
    if (!err && want_chain) {
        err = vb_local_chain_open(id->dir, &id->chain, e);
    }
    return err;
}

void vb_identity_close(vb_identity *id) {
    vb_ed25519_close(id->key);
    vb_local_chain_close(id->chain);
    id->key = NULL;
    id->chain = NULL;
}

/* The unfinished file beside path, opened for writing; its name in temp. */
static int open_temp(const char *path, char temp[VB_PATH_BYTES_MAX], vb_error *e) {
    uint8_t random[8];
    char hex[2 * sizeof random + 1];
    if (vb_random_bytes(random, sizeof random, e)) {
        return -1;
    }
    vb_hex_encode(random, sizeof random, hex);
    int n = snprintf(temp, VB_PATH_BYTES_MAX, "%s.%s.part", path, hex);
    if (n < 0 || n >= (int)VB_PATH_BYTES_MAX) {
        vb_fail(e, VB_ELIMIT, "the receipt's path is too long");
        return -1;
    }
    /* A finished receipt takes the name's place: never that of a folder, a device or a link. */
    struct stat st;
    if (lstat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
        vb_fail(e, VB_EIO, "cannot write the receipt %s: there is something that is not a file",
                path);
        return -1;
    }
    int fd = open(temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0) {
        vb_fail(e, VB_EIO, "cannot write the receipt %s: %s", path, strerror(errno));
    }
    return fd;
}

vb_err vb_identity_check_writable(const char *path, vb_error *e) {
    char temp[VB_PATH_BYTES_MAX];
    int fd = open_temp(path, temp, e);
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

vb_err vb_identity_write_receipt(const vb_receipt *r, const char *path, vb_error *e) {
    char temp[VB_PATH_BYTES_MAX];
    vb_buf bytes = vb_buf_make(VB_RECEIPT_BYTES_MAX);
    vb_err err = vb_receipt_encode(r, &bytes, e);
    if (err) {
        vb_buf_free(&bytes);
        return err;
    }
    int fd = open_temp(path, temp, e);
    if (fd < 0) {
        vb_buf_free(&bytes);
        return VB_EIO;
    }
    bool fine = write_all(fd, bytes.data, bytes.len) && fsync(fd) == 0;
    int saved = errno;
    if (close(fd) != 0 && fine) {
        saved = errno;
        fine = false;
    }
    if (fine && rename(temp, path) != 0) {
        saved = errno;
        fine = false;
    }
    vb_buf_free(&bytes);
    if (!fine) {
        unlink(temp);
        return vb_fail(e, VB_EIO, "cannot write the receipt %s: %s", path, strerror(saved));
    }
    sync_folder(path);
    return VB_OK;
}
