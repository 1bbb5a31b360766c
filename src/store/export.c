/*
 * The records outside the store, as spec/receipt.md has them: what auditors are given.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/internal.h"

enum { DROPPED_LINE_BYTES_MAX = 1024 };

static const char *const folders[] = {
    [VB_STORE_OPEN] = "commitments", [VB_STORE_RECEIPT] = "receipts", [VB_STORE_ABORT] = "aborts"};
static const char dropped_name[] = "dropped.jsonl";

static void count(vb_store_exported *counts, const vb_store_entry *entry) {
    if (!entry->n_bytes) {
        counts->dropped++;
    } else if (entry->state == VB_STORE_RECEIPT) {
        counts->receipts++;
    } else if (entry->state == VB_STORE_ABORT) {
        counts->aborts++;
    } else {
        counts->commitments++;
    }
}

/* What is left of a record: canonical JSON, as a line. */
static int dropped_line(const vb_store_entry *entry, char out[DROPPED_LINE_BYTES_MAX]) {
    char value[VB_SHA256_HEX_BYTES], key[2 * VB_ED25519_PUBLIC_BYTES + 1];
    char signature[2 * VB_ED25519_SIGNATURE_BYTES + 1], hash[VB_SHA256_HEX_BYTES + 2] = "null";
    vb_hex_encode(entry->commitment, sizeof entry->commitment, value);
    vb_hex_encode(entry->server_key, sizeof entry->server_key, key);
    vb_hex_encode(entry->signature, sizeof entry->signature, signature);
    if (entry->state == VB_STORE_RECEIPT) {
        hash[0] = '"';
        vb_hex_encode(entry->verification_hash, sizeof entry->verification_hash, hash + 1);
        memcpy(hash + VB_SHA256_HEX_BYTES, "\"", 2);
    }
    return snprintf(
        out, DROPPED_LINE_BYTES_MAX,
        "{\"commitment\":\"%s\",\"format\":\"verbatim.dropped/1\",\"sequence\":\"%" PRIu64
        "\",\"server_key\":\"%s\",\"signature\":\"%s\",\"state\":\"%s\","
        "\"verification_hash\":%s}\n",
        value, entry->sequence, key, signature, vb_store_state_name(entry->state), hash);
}

typedef struct folder_export {
    const char *dir;
    int fds[VB_STORE_ABORT + 1]; /* of the subfolders, by state; -1: not open */
    int dropped;                 /* the file of lines; -1: nothing was dropped so far */
    int root;
    vb_store_exported counts;
} folder_export;

static vb_err write_all(int fd, const void *bytes, size_t n, const char *where, vb_error *e) {
    const uint8_t *p = bytes;
    while (n > 0) {
        const ssize_t w = write(fd, p, n);
        if (w < 0 && errno == EINTR) {
            continue;
        }
        if (w <= 0) {
            return vb_fail(e, VB_EIO, "%s: cannot write: %s", where,
                           w < 0 ? strerror(errno) : "no progress");
        }
        p += w;
        n -= (size_t)w;
    }
    return VB_OK;
}

/* A file appears whole: written under a name that no reader takes for a record, then renamed. */
static vb_err write_record(const folder_export *x, int folder, uint64_t sequence,
                           const uint8_t *bytes, size_t n, vb_error *e) {
    static const char temp[] = ".part";
    char name[32];
    snprintf(name, sizeof name, "%" PRIu64 ".json", sequence);
    const int fd =
        openat(folder, temp, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        return vb_fail(e, VB_EIO, "%s: cannot write %s: %s", x->dir, name, strerror(errno));
    }
    vb_err err = write_all(fd, bytes, n, x->dir, e);
    if (close(fd) != 0 && !err) {
        err = vb_fail(e, VB_EIO, "%s: cannot write %s: %s", x->dir, name, strerror(errno));
    }
    if (!err && renameat(folder, temp, folder, name) != 0) {
        err = vb_fail(e, VB_EIO, "%s: cannot write %s: %s", x->dir, name, strerror(errno));
    }
    if (err) {
        unlinkat(folder, temp, 0);
    }
    return err;
}

static vb_err export_one(void *user, const vb_store_entry *entry, const uint8_t *bytes,
                         vb_error *e) {
    folder_export *x = user;
    char line[DROPPED_LINE_BYTES_MAX], name[32];
    vb_err err;
    if (entry->n_bytes) {
        err = write_record(x, x->fds[entry->state], entry->sequence, bytes, (size_t)entry->n_bytes,
                           e);
    } else {
        if (x->dropped < 0 &&
            (x->dropped = openat(x->root, dropped_name,
                                 O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600)) <
                0) {
            return vb_fail(e, VB_EIO, "%s/%s: %s", x->dir, dropped_name, strerror(errno));
        }
        err = write_all(x->dropped, line, (size_t)dropped_line(entry, line), dropped_name, e);
    }
    if (!err && entry->state != VB_STORE_OPEN) {
        /* An older export may have had it open. */
        snprintf(name, sizeof name, "%" PRIu64 ".json", entry->sequence);
        unlinkat(x->fds[VB_STORE_OPEN], name, 0);
    }
    count(&x->counts, entry);
    return err;
}

static vb_err open_folders(folder_export *x, vb_error *e) {
    if (mkdir(x->dir, 0700) != 0 && errno != EEXIST) {
        return vb_fail(e, VB_EIO, "%s: cannot create: %s", x->dir, strerror(errno));
    }
    x->root = open(x->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (x->root < 0) {
        return vb_fail(e, VB_EIO, "%s: %s", x->dir, strerror(errno));
    }
    for (int state = VB_STORE_OPEN; state <= VB_STORE_ABORT; state++) {
        if (mkdirat(x->root, folders[state], 0700) != 0 && errno != EEXIST) {
            return vb_fail(e, VB_EIO, "%s/%s: cannot create: %s", x->dir, folders[state],
                           strerror(errno));
        }
        x->fds[state] =
            openat(x->root, folders[state], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (x->fds[state] < 0) {
            return vb_fail(e, VB_EIO, "%s/%s: %s", x->dir, folders[state], strerror(errno));
        }
    }
    return VB_OK;
}

vb_err vb_store_export_folder(vb_store *s, const uint8_t *server_key, const char *dir,
                              vb_store_exported *counts, vb_error *e) {
    folder_export x = {.dir = dir, .fds = {-1, -1, -1, -1}, .dropped = -1, .root = -1};
    vb_err err = open_folders(&x, e);
    if (!err) {
        err = vb_store_each(s, server_key, export_one, &x, e);
    }
    /* Once, for all files: a sync for each would take an hour for what is written in a minute. */
    if (!err && syncfs(x.root) != 0) {
        err = vb_fail(e, VB_EIO, "%s: cannot sync: %s", dir, strerror(errno));
    }
    if (x.dropped >= 0 && close(x.dropped) != 0 && !err) {
        err = vb_fail(e, VB_EIO, "%s/%s: %s", dir, dropped_name, strerror(errno));
    }
    for (int state = VB_STORE_OPEN; state <= VB_STORE_ABORT; state++) {
        if (x.fds[state] >= 0) {
            close(x.fds[state]);
        }
    }
    if (x.root >= 0) {
        close(x.root);
    }
    if (!err && counts) {
        *counts = x.counts;
    }
    return err;
}

typedef struct lines_export {
    vb_store_write_fn fn;
    void *user;
    vb_store_exported counts;
} lines_export;

static vb_err export_line(void *user, const vb_store_entry *entry, const uint8_t *bytes,
                          vb_error *e) {
    lines_export *x = user;
    char line[DROPPED_LINE_BYTES_MAX];
    count(&x->counts, entry);
    if (!entry->n_bytes) {
        return x->fn(x->user, line, (size_t)dropped_line(entry, line), e);
    }
    /* Canonical JSON has no line feed of its own. */
    vb_err err = x->fn(x->user, bytes, (size_t)entry->n_bytes, e);
    return err ? err : x->fn(x->user, "\n", 1, e);
}

vb_err vb_store_export_lines(vb_store *s, const uint8_t *server_key, vb_store_write_fn fn,
                             void *user, vb_store_exported *counts, vb_error *e) {
    lines_export x = {.fn = fn, .user = user};
    vb_err err = vb_store_each(s, server_key, export_line, &x, e);
    if (!err && counts) {
        *counts = x.counts;
    }
    return err;
}
