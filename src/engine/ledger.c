#include "engine/ledger.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/system.h"
#include "beacon/local_chain.h"
#include "crypto/private_file.h"

struct vb_ledger {
    char dir[VB_PATH_BYTES_MAX];
    const vb_ed25519_key *key;
    int lock;          /* the open commitment's file, locked; -1: none */
    uint64_t sequence; /* its number */
};

static const char commitments[] = "commitments", receipts[] = "receipts", aborts[] = "aborts";

static vb_err record_path(const vb_ledger *l, const char *folder, uint64_t sequence,
                          char path[VB_PATH_BYTES_MAX], vb_error *e) {
    int n = snprintf(path, VB_PATH_BYTES_MAX, "%s/%s/%" PRIu64 ".json", l->dir, folder, sequence);
    return n < 0 || n >= (int)VB_PATH_BYTES_MAX
               ? vb_fail(e, VB_ELIMIT, "a path is longer than %u bytes", VB_PATH_BYTES_MAX)
               : VB_OK;
}

static vb_err folder_path(const vb_ledger *l, const char *folder, char path[VB_PATH_BYTES_MAX],
                          vb_error *e) {
    int n = snprintf(path, VB_PATH_BYTES_MAX, "%s/%s", l->dir, folder);
    return n < 0 || n >= (int)VB_PATH_BYTES_MAX
               ? vb_fail(e, VB_ELIMIT, "a path is longer than %u bytes", VB_PATH_BYTES_MAX)
               : VB_OK;
}

static vb_err make_folder(const vb_ledger *l, const char *folder, vb_error *e) {
    char path[VB_PATH_BYTES_MAX];
    struct stat st;
    vb_err err = folder_path(l, folder, path, e);
    if (err || mkdir(path, 0700) == 0) {
        return err;
    }
    const int why = errno;
    if (why == EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
        return VB_OK;
    }
    return vb_fail(e, VB_EIO, "%s: cannot create the folder: %s", path, strerror(why));
}

/* The commitment's file, locked; -1 when a living process holds it or it is gone. */
static int lock_commitment(const char *path) {
    int fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static vb_err write_abort(const vb_ledger *l, const vb_receipt *r, vb_abort_reason reason,
                          vb_error *e) {
    char path[VB_PATH_BYTES_MAX];
    uint64_t now = vb_unix_ms();
    if (now < r->request.issued_at_ms) {
        now = r->request.issued_at_ms; /* the clock was set back; a record may not say so */
    }
    vb_buf bytes = vb_buf_make(VB_RECEIPT_BYTES_MAX);
    vb_err err = vb_abort_encode(r, reason, now, l->key, &bytes, e);
    if (!err && !(err = record_path(l, aborts, r->request.sequence, path, e))) {
        err = vb_private_file_replace(path, bytes.data, bytes.len, e);
    }
    vb_buf_free(&bytes);
    return err;
}

/* A commitment whose process is dead: settled already when its receipt or abort record is there,
 * else recorded as lost. */
static vb_err settle_lost(const vb_ledger *l, uint64_t sequence, const char *path, size_t *n_lost,
                          vb_error *e) {
    char receipt[VB_PATH_BYTES_MAX], aborted[VB_PATH_BYTES_MAX];
    vb_err err = record_path(l, receipts, sequence, receipt, e);
    if (err || (err = record_path(l, aborts, sequence, aborted, e)) || access(receipt, F_OK) == 0 ||
        access(aborted, F_OK) == 0) {
        return err;
    }
    vb_receipt *r = malloc(sizeof *r);
    if (!r) {
        return vb_fail(e, VB_ENOMEM, "no memory for a receipt");
    }
    vb_receipt_init(r);
    vb_buf bytes = vb_buf_make(VB_RECEIPT_BYTES_MAX);
    if (!(err = vb_private_file_read(path, &bytes, NULL, e))) {
        if ((err = vb_commitment_decode(bytes.data, bytes.len, r, e))) {
            vb_fail_in(e, err, "%s", path);
        } else if (r->request.sequence != sequence) {
            err = vb_fail(e, VB_EFORMAT, "%s: the commitment has number %" PRIu64, path,
                          r->request.sequence);
        } else {
            err = write_abort(l, r, VB_ABORT_LOST, e);
            if (err) { /* made with a key that was replaced since, say */
                vb_fail_in(e, err, "%s", path);
            }
            *n_lost += !err;
        }
    }
    vb_buf_free(&bytes);
    vb_receipt_free(r);
    free(r);
    return err;
}

/* Numbers are never guessed: one that was used before would be signed for a second time. */
static vb_err state_is_old(const char *path, uint64_t last, vb_error *e) {
    return vb_fail(e, VB_EFORMAT,
                   "%s: there already, while sequence.state says that number %" PRIu64
                   " was the last: was it lost, or put back from a copy?",
                   path, last);
}

/* "N.json" with N a number from 1, as record_path writes it. */
static bool parse_name(const char *name, uint64_t *sequence) {
    char again[32], *end;
    errno = 0;
    *sequence = strtoull(name, &end, 10);
    snprintf(again, sizeof again, "%" PRIu64 ".json", *sequence);
    return !errno && *sequence && strcmp(again, name) == 0;
}

typedef struct recovery {
    vb_ledger *l;
    size_t n_lost;
} recovery;

/* Under the lock of the sequence, so that a commitment is seen either with its lock or not at all.
 */
static vb_err recover(void *user, uint64_t last, bool *take, vb_error *e) {
    recovery *x = user;
    char path[VB_PATH_BYTES_MAX];
    (void)take;
    vb_err err = folder_path(x->l, commitments, path, e);
    if (err) {
        return err;
    }
    DIR *d = opendir(path);
    if (!d) {
        return vb_fail(e, VB_EIO, "%s: cannot open the folder: %s", path, strerror(errno));
    }
    for (const struct dirent *f; !err && (f = readdir(d));) {
        uint64_t sequence;
        if (!parse_name(f->d_name, &sequence)) {
            continue;
        }
        if ((err = record_path(x->l, commitments, sequence, path, e))) {
            break;
        }
        int fd = lock_commitment(path);
        if (fd < 0) {
            continue;
        }
        if (sequence <= last) {
            err = settle_lost(x->l, sequence, path, &x->n_lost, e);
        } else if (sequence - last > 1) {
            err = state_is_old(path, last, e);
        } /* else its process died before anybody could see it */
        if (!err) {
            unlink(path);
        }
        close(fd);
    }
    closedir(d);
    return err;
}

vb_err vb_ledger_open(const char *dir, const vb_ed25519_key *key, vb_ledger **out, size_t *n_lost,
                      vb_error *e) {
    vb_ledger *l = calloc(1, sizeof *l);
    if (!l) {
        return vb_fail(e, VB_ENOMEM, "no memory for a ledger");
    }
    l->key = key;
    l->lock = -1;
    int n = snprintf(l->dir, sizeof l->dir, "%s", dir);
    vb_err err = n < 0 || n >= (int)sizeof l->dir
                     ? vb_fail(e, VB_ELIMIT, "a path is longer than %u bytes", VB_PATH_BYTES_MAX)
                     : VB_OK;
    recovery x = {l, 0};
    if (err || (err = make_folder(l, commitments, e)) || (err = make_folder(l, receipts, e)) ||
        (err = make_folder(l, aborts, e)) || (err = vb_sequence_with(dir, recover, &x, e))) {
        vb_ledger_close(l);
        return err;
    }
    if (n_lost) {
        *n_lost = x.n_lost;
    }
    *out = l;
    return VB_OK;
}

void vb_ledger_close(vb_ledger *l) {
    if (l) {
        if (l->lock >= 0) {
            close(l->lock);
        }
        free(l);
    }
}

typedef struct commit {
    vb_ledger *l;
    vb_receipt *r;
} commit;

/* The next number is one that no record has: its receipt would be written over, and two records
 * with one number prove that the server broke the rule. */
static vb_err check_unused(const vb_ledger *l, uint64_t last, vb_error *e) {
    static const char *const folders[] = {receipts, aborts};
    char path[VB_PATH_BYTES_MAX];
    vb_err err = VB_OK;
    for (size_t i = 0; i < sizeof folders / sizeof folders[0] && !err; i++) {
        err = record_path(l, folders[i], last + 1, path, e);
        if (!err && access(path, F_OK) == 0) {
            err = state_is_old(path, last, e);
        }
    }
    return err;
}

/* Makes the commitment of number last + 1 and puts it on disk; then the number counts as taken. */
static vb_err make_commitment(void *user, uint64_t last, bool *take, vb_error *e) {
    const commit *x = user;
    vb_receipt *r = x->r;
    char path[VB_PATH_BYTES_MAX];
    r->request.sequence = last + 1;
    r->request.issued_at_ms = vb_unix_ms();
    vb_err err = check_unused(x->l, last, e);
    if (err || (err = vb_commitment_make(r, x->l->key, e)) ||
        (err = record_path(x->l, commitments, last + 1, path, e))) {
        return err;
    }
    vb_buf bytes = vb_buf_make(VB_RECEIPT_BYTES_MAX);
    if (!(err = vb_commitment_encode(r, &bytes, e)) &&
        !(err = vb_private_file_replace(path, bytes.data, bytes.len, e))) {
        x->l->lock = lock_commitment(path);
        x->l->sequence = last + 1;
        *take = x->l->lock >= 0;
        err = *take ? VB_OK : vb_fail(e, VB_EIO, "%s: cannot lock: %s", path, strerror(errno));
    }
    vb_buf_free(&bytes);
    return err;
}

vb_err vb_ledger_commit(vb_ledger *l, vb_receipt *r, vb_error *e) {
    VB_ASSERT(l->lock < 0);
    commit x = {l, r};
    vb_err err = vb_sequence_with(l->dir, make_commitment, &x, e);
    if (err && l->lock >= 0) {
        close(l->lock); /* the number was not taken: the next opening removes the file */
        l->lock = -1;
    }
    return err;
}

/* The commitment's record is on disk: strikes it off. */
static void settled(vb_ledger *l) {
    char path[VB_PATH_BYTES_MAX];
    if (record_path(l, commitments, l->sequence, path, NULL) == VB_OK) {
        unlink(path); /* should it come back after a crash, the record beside it decides */
    }
    close(l->lock);
    l->lock = -1;
}

vb_err vb_ledger_receipt(vb_ledger *l, const vb_receipt *r, vb_error *e) {
    VB_ASSERT(l->lock >= 0 && r->request.sequence == l->sequence);
    char path[VB_PATH_BYTES_MAX];
    vb_buf bytes = vb_buf_make(VB_RECEIPT_BYTES_MAX);
    vb_err err = vb_receipt_encode(r, &bytes, e);
    if (!err && !(err = record_path(l, receipts, l->sequence, path, e)) &&
        !(err = vb_private_file_replace(path, bytes.data, bytes.len, e))) {
        settled(l);
    }
    vb_buf_free(&bytes);
    return err;
}

vb_err vb_ledger_abort(vb_ledger *l, const vb_receipt *r, vb_abort_reason reason, vb_error *e) {
    VB_ASSERT(l->lock >= 0 && r->request.sequence == l->sequence);
    vb_err err = write_abort(l, r, reason, e);
    if (!err) {
        settled(l);
    }
    return err;
}
