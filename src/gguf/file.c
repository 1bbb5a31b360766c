/*
 * One GGUF file as bytes: opened, read piece by piece into memory for the metadata, mapped for
 * the tensor data. Everything the loader decides on is read with pread, so that a file which
 * shrinks under it is an error and never a signal.
 */
#define _FILE_OFFSET_BITS 64

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gguf/gguf_internal.h"

enum {
    PATH_SHOW_MAX = 160,        /* bytes of a path that a message shows */
    FIRST_LOAD_BYTES = 1 << 16, /* metadata of a small model in one read */
    READ_BYTES_MAX = 1 << 30    /* one pread: below every system's ceiling */
};

static const char *path_shown(const gguf_file *f) {
    const char *path = f->path ? f->path : "(no name)";
    size_t len = strlen(path);
    return len > PATH_SHOW_MAX ? path + (len - PATH_SHOW_MAX) : path;
}

vb_err gguf_fail_at(const gguf_file *f, uint64_t offset, vb_error *e, vb_err code, const char *fmt,
                    ...) {
    char text[VB_ERROR_MSG_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return vb_fail(e, code, "%s: byte %" PRIu64 ": %s", path_shown(f), offset, text);
}

vb_err gguf_fail(const gguf_file *f, vb_error *e, vb_err code, const char *fmt, ...) {
    char text[VB_ERROR_MSG_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return vb_fail(e, code, "%s: %s", path_shown(f), text);
}

static vb_err set_path(gguf_file *f, const char *path, vb_error *e) {
    f->fd = -1;
    f->path = strdup(path);
    return f->path ? VB_OK : vb_fail(e, VB_ENOMEM, "no memory to open a GGUF file");
}

vb_err gguf_file_open(gguf_file *f, const char *path, vb_error *e) {
    vb_err err = set_path(f, path, e);
    if (err) {
        return err;
    }
    /* Not blocking: a named pipe in place of the file must not hang the program. */
    f->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (f->fd < 0) {
        return gguf_fail(f, e, VB_EIO, "can not be opened: %s", strerror(errno));
    }
    struct stat st;
    if (fstat(f->fd, &st) != 0) {
        return gguf_fail(f, e, VB_EIO, "can not be examined: %s", strerror(errno));
    }
    if (!S_ISREG(st.st_mode)) {
        return gguf_fail(f, e, VB_EIO, "is not a regular file");
    }
    f->n_bytes = (uint64_t)st.st_size;
#ifdef POSIX_FADV_SEQUENTIAL
    (void)posix_fadvise(f->fd, 0, 0, POSIX_FADV_SEQUENTIAL); /* a hint: its failure costs speed */
#endif
    return VB_OK;
}

vb_err gguf_file_open_bytes(gguf_file *f, const void *bytes, size_t n_bytes, const char *name,
                            vb_error *e) {
    static const uint8_t nothing[1];
    vb_err err = set_path(f, name, e);
    if (err) {
        return err;
    }
    f->bytes = n_bytes ? bytes : nothing;
    f->n_bytes = n_bytes;
    return VB_OK;
}

void gguf_file_close(gguf_file *f) {
    if (f->map) {
        munmap((void *)(uintptr_t)f->map, (size_t)f->n_bytes);
    }
    if (f->fd >= 0) {
        close(f->fd);
    }
    free(f->meta);
    free(f->path);
    *f = (gguf_file){.fd = -1};
}

vb_err gguf_file_read(const gguf_file *f, uint64_t offset, size_t n, uint8_t *buf, vb_error *e) {
    if (n > f->n_bytes || offset > f->n_bytes - n) {
        return gguf_fail_at(f, offset, e, VB_EINVAL, "%zu bytes asked for, past the end", n);
    }
    if (f->bytes) {
        memcpy(buf, f->bytes + offset, n);
        return VB_OK;
    }
    while (n) {
        ssize_t got = pread(f->fd, buf, n < READ_BYTES_MAX ? n : READ_BYTES_MAX, (off_t)offset);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return gguf_fail_at(f, offset, e, VB_EIO, "can not be read: %s", strerror(errno));
        }
        if (got == 0) {
            return gguf_fail_at(f, offset, e, VB_EIO,
                                "the file ends here now; it had %" PRIu64 " bytes when opened",
                                f->n_bytes);
        }
        buf += got;
        offset += (uint64_t)got;
        n -= (size_t)got;
    }
    return VB_OK;
}

vb_err gguf_file_load(gguf_file *f, size_t n, vb_error *e) {
    if (f->bytes || n <= f->meta_bytes) {
        return VB_OK;
    }
    /* Doubling keeps the copying linear; the file and the limit cap it. */
    size_t want = f->meta_bytes ? 2 * f->meta_bytes : FIRST_LOAD_BYTES;
    if (want > VB_GGUF_META_BYTES_MAX) {
        want = VB_GGUF_META_BYTES_MAX;
    }
    if (want > f->n_bytes) {
        want = (size_t)f->n_bytes;
    }
    if (want < n) {
        want = n;
    }
    uint8_t *meta = realloc(f->meta, want);
    if (!meta) {
        return gguf_fail(f, e, VB_ENOMEM, "no memory for %zu bytes of metadata", want);
    }
    f->meta = meta;
    vb_err err = gguf_file_read(f, f->meta_bytes, want - f->meta_bytes, meta + f->meta_bytes, e);
    if (!err) {
        f->meta_bytes = want;
    }
    return err;
}

void gguf_file_settle(gguf_file *f, size_t n, bool with_data) {
    if (f->bytes) {
        return;
    }
    if (n && n < f->meta_bytes) {
        uint8_t *meta = realloc(f->meta, n);
        f->meta = meta ? meta : f->meta; /* shrinking saves memory; nothing depends on it */
        f->meta_bytes = n;
    }
#ifndef __EMSCRIPTEN__ /* there a mapping is a copy */
    if (with_data && f->n_bytes <= SIZE_MAX) {
        void *p = mmap(NULL, (size_t)f->n_bytes, PROT_READ, MAP_PRIVATE, f->fd, 0);
        f->map = p == MAP_FAILED ? NULL : p;
    }
#else
    (void)with_data;
#endif
}

void gguf_file_uncache(const gguf_file *f) {
#ifdef POSIX_FADV_DONTNEED
    if (f->fd >= 0) {
        (void)posix_fadvise(f->fd, 0, 0, POSIX_FADV_DONTNEED); /* a wish */
    }
#else
    (void)f;
#endif
}
