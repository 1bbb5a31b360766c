/*
 * Who is alive. Every opened store holds the lock of one byte of FILE-owners, and its number stands
 * in its open commitments; the kernel drops the lock with the process. A number whose lock can be
 * had is a dead owner's. All of this happens inside a writing transaction, so nobody takes a number
 * while another looks for the dead.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/internal.h"

/* Locks of the open file, not of the process: two stores of one process exclude each other too, and
 * closing another descriptor of the file does not drop them. */
static bool lock_byte(int fd, int64_t byte, short kind) {
    struct flock lock = {.l_type = kind, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
    int rc;
    do {
        rc = fcntl(fd, F_OFD_SETLK, &lock);
    } while (rc != 0 && errno == EINTR);
    return rc == 0;
}

static vb_err open_owners(vb_store *s, vb_error *e) {
    char path[VB_PATH_BYTES_MAX];
    const int n = snprintf(path, sizeof path, "%s-owners", s->path);
    if (n < 0 || n >= (int)sizeof path) {
        return vb_fail(e, VB_ELIMIT, "the store's path is too long");
    }
    s->owners = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (s->owners < 0) {
        return vb_fail(e, VB_EIO, "%s: cannot open: %s", path, strerror(errno));
    }
    if (!lock_byte(s->owners, 0, F_WRLCK) && errno != EAGAIN && errno != EACCES) {
        return vb_fail(e, VB_EIO, "%s: cannot lock: %s", path, strerror(errno));
    }
    (void)lock_byte(s->owners, 0, F_UNLCK);
    return VB_OK;
}

/* One number by the statement, whose ?1 is the key and ?2 is after. 0: there is none. */
static vb_err next_number(vb_store *s, const char *sql, int64_t after, int64_t *out, vb_error *e) {
    sqlite3_stmt *q = NULL;
    int rc = sqlite3_prepare_v2(s->db, sql, -1, &q, NULL);
    if (!rc) {
        sqlite3_bind_int64(q, 1, s->key_row);
        sqlite3_bind_int64(q, 2, after);
        rc = sqlite3_step(q);
        *out = rc == SQLITE_ROW ? sqlite3_column_int64(q, 0) : 0;
    }
    vb_err err = rc == SQLITE_ROW || rc == SQLITE_DONE
                     ? VB_OK
                     : vb_store_fail(s->path, s->db, rc, "look for lost commitments", e);
    sqlite3_finalize(q);
    return err;
}

/* An open commitment's record and id; *found false: the owner has none left. */
static vb_err read_lost(vb_store *s, vb_receipt *r, bool *found, vb_error *e) {
    static const char sql[] = "SELECT sequence, id, bytes FROM records JOIN bodies USING(place)"
                              " WHERE key = ?1 AND owner = ?2 AND state = 1 LIMIT 1";
    sqlite3_stmt *q = NULL;
    vb_err err = VB_OK;
    int rc = sqlite3_prepare_v2(s->db, sql, -1, &q, NULL);
    if (!rc) {
        sqlite3_bind_int64(q, 1, s->key_row);
        sqlite3_bind_int64(q, 2, s->owner);
        rc = sqlite3_step(q);
    }
    *found = rc == SQLITE_ROW;
    if (rc == SQLITE_ROW) {
        const uint64_t sequence = (uint64_t)sqlite3_column_int64(q, 0);
        const char *id = (const char *)sqlite3_column_text(q, 1);
        const void *bytes = sqlite3_column_blob(q, 2);
        const size_t n = (size_t)sqlite3_column_bytes(q, 2);
        if ((err = vb_commitment_decode(bytes ? bytes : "", n, r, e))) {
            vb_fail_in(e, err, "%s: commitment %" PRIu64, s->path, sequence);
        } else if (r->request.sequence != sequence) {
            err = vb_fail(e, VB_EFORMAT, "%s: commitment %" PRIu64 " has number %" PRIu64, s->path,
                          sequence, r->request.sequence);
        } else {
            snprintf(r->id, sizeof r->id, "%s", id ? id : "");
        }
    } else if (rc != SQLITE_DONE) {
        err = vb_store_fail(s->path, s->db, rc, "look for lost commitments", e);
    }
    sqlite3_finalize(q);
    return err;
}

/* All open commitments of s->owner, who is dead. */
static vb_err settle_lost(vb_store *s, vb_store_changes *c, size_t *n_lost, vb_error *e) {
    vb_receipt *r = malloc(sizeof *r);
    if (!r) {
        return vb_fail(e, VB_ENOMEM, "no memory for a receipt");
    }
    vb_receipt_init(r);
    vb_err err = VB_OK;
    for (bool found = true; !err && found;) {
        vb_buf bytes = vb_buf_make(VB_COMMITMENT_BYTES_MAX);
        vb_store_job job;
        if (!(err = read_lost(s, r, &found, e)) && found &&
            !(err = vb_store_make_abort(s, r, VB_ABORT_LOST, &bytes, &job, e)) &&
            !(err = vb_store_apply(s, &job, c, e))) {
            err = job.err ? vb_fail(e, job.err, "%s", job.error.msg) : VB_OK;
            *n_lost += !err;
        }
        vb_buf_free(&bytes);
        vb_receipt_free(r);
    }
    free(r);
    return err;
}

vb_err vb_store_take_over(vb_store *s, size_t *n_lost, vb_error *e) {
    static const char owners[] =
        "SELECT min(owner) FROM records WHERE key = ?1 AND state = 1 AND owner > ?2";
    static const char highest[] =
        "SELECT max(owner) FROM records WHERE state = 1 AND (?1 IS NOT NULL OR ?2 IS NOT NULL)";
    vb_store_changes c;
    vb_err err = open_owners(s, e);
    if (err || (err = vb_store_begin(s, &c, e))) {
        return err;
    }
    int64_t owner = 0;
    while (!(err = next_number(s, owners, owner, &owner, e)) && owner > 0) {
        if (lock_byte(s->owners, owner, F_WRLCK)) {
            s->owner = owner;
            err = settle_lost(s, &c, n_lost, e);
            (void)lock_byte(s->owners, owner, F_UNLCK);
            if (err) {
                break;
            }
        }
    }
    if (!err && !(err = next_number(s, highest, 0, &owner, e))) {
        do {
            owner++;
        } while (!lock_byte(s->owners, owner, F_WRLCK) && owner < VB_STORE_OWNER_MAX);
        s->owner = owner;
        if (owner == VB_STORE_OWNER_MAX) {
            err = vb_fail(e, VB_ELIMIT, "%s: more than %u owners", s->path, VB_STORE_OWNER_MAX - 1);
        }
    }
    if (!err && !(err = vb_store_write_counts(s, &c, e))) {
        err = vb_store_commit_transaction(s, e);
    }
    vb_store_rollback(s);
    return err;
}
