#include "cli/record_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/progress.h"

/* From the end of a record: "sequence" is followed by the server's key, the stops, and at most the
 * receipt's signature and usage. */
enum { TAIL_BYTES = 1 << 17, NAMES_BYTES_MAX = 1 << 30, FOLDERS_BYTES_MAX = 1 << 24 };

/* Without waiting for who would write into a pipe; a link only where the user named it. */
static int open_regular(int at, const char *name, bool follow, struct stat *st) {
    const int fd =
        openat(at, name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | (follow ? 0 : O_NOFOLLOW));
    if (fd >= 0 && (fstat(fd, st) != 0 || !S_ISREG(st->st_mode))) {
        close(fd);
        errno = EINVAL;
        return -1;
    }
    return fd;
}

/* Every commitment record begins with exactly so many bytes before its format, because its JSON is
 * canonical. */
static bool begins_as_commitment(const char *head, size_t n) {
    static const char before[] = "\"},\"format\":\"verbatim.commitment/";
    static const size_t at =
        sizeof "{\"commitment\":{\"signature\":\"" - 1 + 128 + sizeof "\",\"value\":\"" - 1 + 64;
    return n >= at + sizeof before - 1 && memcmp(head + at, before, sizeof before - 1) == 0;
}

/* The number in the last "sequence":"..." of a record. It is a hint for the order, nothing more:
 * inside a string the quotes would be escaped, and what it says is read again by the decoder. */
static uint64_t sequence_in(const char *tail, size_t n) {
    static const char member[] = "\"sequence\":\"";
    const char *found = NULL, *from = tail;
    const char *next;
    while ((next = memmem(from, n - (size_t)(from - tail), member, sizeof member - 1)) != NULL) {
        found = next + sizeof member - 1;
        from = found;
    }
    uint64_t v = 0;
    const char *end = tail + n;
    if (!found || found == end || *found < '0' || *found > '9') {
        return UINT64_MAX;
    }
    for (; found < end && *found >= '0' && *found <= '9'; found++) {
        if (__builtin_mul_overflow(v, 10u, &v) ||
            __builtin_add_overflow(v, (uint64_t)(*found - '0'), &v)) {
            return UINT64_MAX;
        }
    }
    return v;
}

static void look_at(int at, const char *name, bool follow, char *scratch, vb_record_file *f) {
    struct stat st;
    f->sequence = UINT64_MAX;
    f->commitment = false;
    const int fd = open_regular(at, name, follow, &st);
    if (fd < 0) {
        return;
    }
    ssize_t n = pread(fd, scratch, 512, 0);
    f->commitment = n > 0 && begins_as_commitment(scratch, (size_t)n);
    const off_t from = st.st_size > TAIL_BYTES ? st.st_size - TAIL_BYTES : 0;
    n = pread(fd, scratch, TAIL_BYTES, from);
    if (n > 0) {
        f->sequence = sequence_in(scratch, (size_t)n);
    }
    close(fd);
}

static vb_err add_file(vb_record_files *l, vb_record_file f, const char *name, vb_error *e) {
    if (l->n == VB_AUDIT_RECORDS_MAX) {
        return vb_fail(e, VB_ELIMIT, "more than %u files", VB_AUDIT_RECORDS_MAX);
    }
    if (l->n == l->capacity) {
        const size_t capacity = l->capacity ? l->capacity + l->capacity / 2 : 64;
        vb_record_file *files = realloc(l->files, capacity * sizeof *files);
        if (!files) {
            return vb_fail(e, VB_ENOMEM, "no memory for the names of %zu files", capacity);
        }
        l->files = files;
        l->capacity = capacity;
    }
    f.name = l->names.len;
    l->names.max = NAMES_BYTES_MAX;
    vb_err err = vb_buf_append(&l->names, name, strlen(name) + 1);
    if (err) {
        return vb_fail(e, err, "no room for the names of %zu files", l->n);
    }
    l->files[l->n++] = f;
    return VB_OK;
}

static vb_err add_folder_name(vb_record_files *l, const char *path, vb_error *e) {
    size_t *at = realloc(l->folder_at, (l->n_folders + 1) * sizeof *at);
    if (!at) {
        return vb_fail(e, VB_ENOMEM, "no memory for a folder's name");
    }
    l->folder_at = at;
    at[l->n_folders] = l->folders.len;
    l->folders.max = FOLDERS_BYTES_MAX;
    vb_err err = vb_buf_append(&l->folders, path, strlen(path) + 1);
    if (err) {
        return vb_fail(e, err, "no room for the names of the folders");
    }
    l->n_folders++;
    return VB_OK;
}

static bool is_record_name(const char *name) {
    const size_t n = strlen(name);
    return n > 5 && memcmp(name + n - 5, ".json", 5) == 0;
}

/* The records of one open folder, which is closed. */
static vb_err add_entries(vb_record_files *l, const char *path, int fd, vb_error *e) {
    DIR *dir = fdopendir(fd);
    if (!dir) {
        vb_fail(e, VB_EIO, "%s: %s", path, strerror(errno));
        close(fd);
        return VB_EIO;
    }
    char *scratch = malloc(TAIL_BYTES);
    vb_err err = scratch ? add_folder_name(l, path, e) : vb_fail(e, VB_ENOMEM, "no memory");
    while (!err) {
        errno = 0;
        const struct dirent *entry = readdir(dir);
        struct stat st;
        if (!entry) {
            err = errno ? vb_fail(e, VB_EIO, "%s: %s", path, strerror(errno)) : VB_OK;
            break;
        }
        if (vb_interrupted()) {
            err = vb_fail(e, VB_ECANCELLED, "%s: stopped while its entries were read", path);
        } else if (is_record_name(entry->d_name)) {
            vb_record_file f = {.folder = (uint32_t)l->n_folders};
            if (fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode)) {
                l->n_skipped++;
                continue;
            }
            look_at(fd, entry->d_name, false, scratch, &f);
            err = add_file(l, f, entry->d_name, e);
        }
    }
    free(scratch);
    closedir(dir);
    return err;
}

/* A server's folder: what it settled, and what it has not. */
static vb_err add_subfolders(vb_record_files *l, const char *path, vb_error *e) {
    static const char *const names[] = {"receipts", "aborts", "commitments"};
    vb_err err = VB_OK;
    for (size_t i = 0; i < sizeof names / sizeof names[0] && !err; i++) {
        char sub[VB_PATH_BYTES_MAX];
        const int n = snprintf(sub, sizeof sub, "%s/%s", path, names[i]);
        if (n < 0 || (size_t)n >= sizeof sub) {
            return vb_fail(e, VB_ELIMIT, "%s: the path is too long", path);
        }
        const int fd = open(sub, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd >= 0) {
            err = add_entries(l, sub, fd, e);
        } else if (errno == ENOTDIR) { /* a link, perhaps: not followed */
            l->n_skipped++;
        } else if (errno != ENOENT) {
            err = vb_fail(e, VB_EIO, "%s: %s", sub, strerror(errno));
        }
    }
    return err;
}

vb_err vb_record_files_add(vb_record_files *l, const char *path, vb_error *e) {
    const int fd = open(path, O_RDONLY | O_DIRECTORY | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0) {
        vb_err err = add_entries(l, path, fd, e);
        return err ? err : add_subfolders(l, path, e);
    }
    const int why = errno;
    struct stat st;
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
        return vb_fail(e, VB_EIO, "%s: %s", path, strerror(why));
    }
    char *scratch = malloc(TAIL_BYTES);
    if (!scratch) {
        return vb_fail(e, VB_ENOMEM, "no memory");
    }
    vb_record_file f = {.folder = 0};
    look_at(AT_FDCWD, path, true, scratch, &f);
    free(scratch);
    return add_file(l, f, path, e);
}

void vb_record_files_close(vb_record_files *l) {
    free(l->files);
    free(l->folder_at);
    vb_buf_free(&l->names);
    vb_buf_free(&l->folders);
    *l = (vb_record_files){.files = NULL};
}

static int compare(const void *a, const void *b, void *names) {
    const vb_record_file *x = a, *y = b;
    const char *text = (const char *)((const vb_buf *)names)->data;
    if (x->commitment != y->commitment) {
        return x->commitment ? -1 : 1;
    }
    if (x->sequence != y->sequence) {
        return x->sequence < y->sequence ? -1 : 1;
    }
    if (x->folder != y->folder) {
        return x->folder < y->folder ? -1 : 1;
    }
    const int c = strcmp(text + x->name, text + y->name);
    return c ? c : (x->name > y->name) - (x->name < y->name);
}

void vb_record_files_sort(vb_record_files *l) {
    if (l->n > 1) {
        qsort_r(l->files, l->n, sizeof *l->files, compare, &l->names);
    }
}

vb_err vb_record_files_path(const vb_record_files *l, size_t i, char path[VB_PATH_BYTES_MAX],
                            vb_error *e) {
    const vb_record_file *f = &l->files[i];
    const char *name = (const char *)l->names.data + f->name;
    const char *folder =
        f->folder ? (const char *)l->folders.data + l->folder_at[f->folder - 1] : "";
    const size_t n_folder = strlen(folder);
    const bool slash = n_folder > 0 && folder[n_folder - 1] != '/';
    const int n = snprintf(path, VB_PATH_BYTES_MAX, "%s%s%s", folder, slash ? "/" : "", name);
    return n < 0 || n >= (int)VB_PATH_BYTES_MAX
               ? vb_fail(e, VB_ELIMIT, "%.200s: the path is too long", name)
               : VB_OK;
}

vb_err vb_record_files_read(const vb_record_files *l, size_t i, char **bytes, size_t *n_bytes,
                            vb_error *e) {
    char path[VB_PATH_BYTES_MAX];
    struct stat st;
    vb_err err = vb_record_files_path(l, i, path, e);
    if (err) {
        return err;
    }
    const int fd = open_regular(AT_FDCWD, path, l->files[i].folder == 0, &st);
    if (fd < 0) {
        return vb_fail(e, VB_EIO, "%s: %s", path,
                       errno == EINVAL ? "not a regular file" : strerror(errno));
    }
    vb_buf buf = vb_buf_make(VB_RECEIPT_BYTES_MAX);
    char chunk[65536];
    ssize_t n = 1;
    err = st.st_size > (off_t)VB_RECEIPT_BYTES_MAX ? VB_ELIMIT : vb_buf_append(&buf, "", 0);
    while (!err && n > 0) {
        n = read(fd, chunk, sizeof chunk);
        if (n < 0) {
            err = VB_EIO;
        } else if (vb_interrupted()) {
            err = VB_ECANCELLED;
        } else {
            err = vb_buf_append(&buf, chunk, (size_t)n);
        }
    }
    if (err) {
        vb_fail(e, err, "%s: %s", path,
                err == VB_ELIMIT       ? "larger than any record"
                : err == VB_ENOMEM     ? "no memory to read it"
                : err == VB_ECANCELLED ? "stopped while it was read"
                                       : strerror(errno));
        vb_buf_free(&buf);
    } else {
        *bytes = (char *)buf.data;
        *n_bytes = buf.len;
    }
    close(fd);
    return err;
}
