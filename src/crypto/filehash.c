#include "crypto/filehash.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/system.h"
#include "crypto/private_file.h"

enum { CHUNK_BYTES = 1 << 20, ENTRY_BYTES_MAX = 512, RACY_MS = 2000 };

typedef struct progress {
    const vb_filehash_options *options;
    uint64_t before_bytes, total_bytes; /* over all files of a model */
} progress;

static int64_t ns_of(struct timespec t) {
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static vb_err identify(int fd, const char *path, vb_file_id *id, vb_error *e) {
    struct stat st;
    if (fstat(fd, &st)) {
        return vb_fail(e, VB_EIO, "%s: cannot stat: %s", path, strerror(errno));
    }
    if (!S_ISREG(st.st_mode)) {
        return vb_fail(e, VB_EINVAL, "%s: not a regular file", path);
    }
    *id = (vb_file_id){(uint64_t)st.st_dev, (uint64_t)st.st_ino, (uint64_t)st.st_size,
                       ns_of(st.st_mtim), ns_of(st.st_ctim)};
    return VB_OK;
}

bool vb_file_same(const vb_file_id *a, const vb_file_id *b) {
    return a->device == b->device && a->inode == b->inode && a->bytes == b->bytes &&
           a->mtime_ns == b->mtime_ns && a->ctime_ns == b->ctime_ns;
}

/* O_NONBLOCK: a FIFO in the file's place must not hang the reader. */
static int open_file(const char *path, vb_error *e) {
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        vb_fail(e, VB_EIO, "%s: cannot open: %s", path, strerror(errno));
    }
    return fd;
}

vb_err vb_file_identify(const char *path, vb_file_id *out, vb_error *e) {
    int fd = open_file(path, e);
    if (fd < 0) {
        return VB_EIO;
    }
    vb_err err = identify(fd, path, out, e);
    close(fd);
    return err;
}

static bool entry_path(const char *dir, const vb_file_id *id, char path[VB_PATH_BYTES_MAX]) {
    int n = snprintf(path, VB_PATH_BYTES_MAX, "%s/sha256-%" PRIx64 "-%" PRIx64, dir, id->device,
                     id->inode);
    return n > 0 && (size_t)n < VB_PATH_BYTES_MAX;
}

/* The entry's text up to the digest: an entry is believed when it begins with exactly this. */
static int entry_head(const vb_file_id *id, char head[ENTRY_BYTES_MAX]) {
    return snprintf(head, ENTRY_BYTES_MAX,
                    "verbatim.filehash.v1\ndevice %" PRIu64 "\ninode %" PRIu64 "\nbytes %" PRIu64
                    "\nmtime_ns %" PRId64 "\nctime_ns %" PRId64 "\nsha256 ",
                    id->device, id->inode, id->bytes, id->mtime_ns, id->ctime_ns);
}

static bool cache_read(const char *dir, const vb_file_id *id, uint8_t out[VB_SHA256_BYTES]) {
    char path[VB_PATH_BYTES_MAX], head[ENTRY_BYTES_MAX];
    if (!entry_path(dir, id, path)) {
        return false;
    }
    vb_buf b = vb_buf_make(ENTRY_BYTES_MAX);
    size_t n_head = (size_t)entry_head(id, head);
    bool ok = vb_private_file_read(path, &b, NULL, NULL) == VB_OK &&
              b.len == n_head + VB_SHA256_HEX_BYTES && memcmp(b.data, head, n_head) == 0 &&
              b.data[b.len - 1] == '\n';
    if (ok) {
        b.data[b.len - 1] = 0;
        ok = vb_hex_decode((const char *)b.data + n_head, out, VB_SHA256_BYTES);
    }
    vb_buf_free(&b);
    return ok;
}

/* A file written moments ago could be written again within the same tick of its clock, unseen. */
static bool is_settled(const vb_file_id *id) {
    int64_t now_ms = (int64_t)vb_unix_ms();
    return now_ms - id->mtime_ns / 1000000 > RACY_MS && now_ms - id->ctime_ns / 1000000 > RACY_MS;
}

/* Failures are left alone: the cache is a convenience and the digest is already known. */
static void cache_write(const char *dir, const vb_file_id *id, const uint8_t sha[VB_SHA256_BYTES]) {
    char path[VB_PATH_BYTES_MAX], text[ENTRY_BYTES_MAX], hex[VB_SHA256_HEX_BYTES];
    if (!is_settled(id) || !entry_path(dir, id, path)) {
        return;
    }
    (void)mkdir(dir, 0700);
    int n = entry_head(id, text);
    vb_hex_encode(sha, VB_SHA256_BYTES, hex);
    int m = snprintf(text + n, sizeof text - (size_t)n, "%s\n", hex);
    vb_error ignored;
    vb_err err = vb_private_file_replace(path, text, (size_t)(n + m), &ignored);
    (void)err;
}

static vb_err hash_fd(int fd, const char *path, const progress *pr, uint8_t out[VB_SHA256_BYTES],
                      vb_error *e) {
    uint8_t *chunk = malloc(CHUNK_BYTES);
    if (!chunk) {
        return vb_fail(e, VB_ENOMEM, "%s: no memory to read it", path);
    }
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    vb_sha256 s;
    vb_sha256_begin(&s);
    uint64_t done = 0;
    vb_err err = VB_OK;
    for (;;) {
        ssize_t n = read(fd, chunk, CHUNK_BYTES);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            err = vb_fail(e, VB_EIO, "%s: cannot read at byte %" PRIu64 ": %s", path, done,
                          strerror(errno));
        }
        if (n <= 0) {
            break;
        }
        vb_sha256_update(&s, chunk, (size_t)n);
        done += (uint64_t)n;
        const vb_filehash_options *o = pr->options;
        if (o->progress &&
            !o->progress(o->progress_user, pr->before_bytes + done, pr->total_bytes)) {
            err = vb_fail(e, VB_ECANCELLED, "%s: hashing was stopped", path);
            break;
        }
    }
    uint8_t digest[VB_SHA256_BYTES];
    vb_sha256_end(&s, digest);
    free(chunk);
    if (!err) {
        memcpy(out, digest, sizeof digest);
    }
    return err;
}

/* File number `index` of the model. */
static vb_err hash_file(const char *path, size_t index, progress *pr, uint8_t out[VB_SHA256_BYTES],
                        bool *from_cache, vb_error *e) {
    const vb_filehash_options *o = pr->options;
    int fd = open_file(path, e);
    if (fd < 0) {
        return VB_EIO;
    }
    vb_file_id before, after;
    uint8_t digest[VB_SHA256_BYTES];
    bool cached = false;
    vb_err err = identify(fd, path, &before, e);
    if (!err && o->expected && !vb_file_same(&before, &o->expected[index])) {
        err = vb_fail(e, VB_EMISMATCH, "%s: the file changed since it was opened", path);
    }
    if (err) {
        goto end;
    }
    if (pr->total_bytes == 0) {
        pr->total_bytes = before.bytes;
    }
    cached = o->cache_dir && !o->rehash && cache_read(o->cache_dir, &before, digest);
    if (!cached) {
        err = hash_fd(fd, path, pr, digest, e);
        if (!err) {
            err = identify(fd, path, &after, e);
        }
        if (!err && !vb_file_same(&before, &after)) {
            err = vb_fail(e, VB_EMISMATCH, "%s: the file changed while it was read", path);
        }
        if (!err && o->cache_dir) {
            cache_write(o->cache_dir, &before, digest);
        }
    }
    if (!err) {
        memcpy(out, digest, sizeof digest);
        pr->before_bytes += before.bytes;
        if (from_cache) {
            *from_cache = cached;
        }
    }
end:
    close(fd);
    return err;
}

vb_err vb_filehash(const char *path, const vb_filehash_options *options,
                   uint8_t out[VB_SHA256_BYTES], bool *from_cache, vb_error *e) {
    progress pr = {options, 0, 0};
    return hash_file(path, 0, &pr, out, from_cache, e);
}

vb_err vb_filehash_model(const char *const *paths, size_t n_paths,
                         const vb_filehash_options *options, uint8_t out[VB_SHA256_BYTES],
                         vb_error *e) {
    VB_ASSERT(n_paths >= 1);
    if (n_paths == 1) {
        return vb_filehash(paths[0], options, out, NULL, e);
    }
    progress pr = {options, 0, 0};
    for (size_t i = 0; i < n_paths; i++) {
        struct stat st;
        if (stat(paths[i], &st)) {
            return vb_fail(e, VB_EIO, "%s: cannot stat: %s", paths[i], strerror(errno));
        }
        pr.total_bytes += (uint64_t)st.st_size;
    }
    static const char domain[] = "verbatim.split.v1\n";
    vb_sha256 s;
    vb_sha256_begin(&s);
    vb_sha256_update(&s, domain, sizeof domain - 1);
    for (size_t i = 0; i < n_paths; i++) {
        uint8_t digest[VB_SHA256_BYTES];
        vb_err err = hash_file(paths[i], i, &pr, digest, NULL, e);
        if (err) {
            return err;
        }
        vb_sha256_update(&s, digest, sizeof digest);
    }
    vb_sha256_end(&s, out);
    return VB_OK;
}
