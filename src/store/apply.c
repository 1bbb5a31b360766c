/*
 * What commitments, settlements and retention do to the tables. All run inside a transaction of the
 * writer's connection, so that each number is given once, whatever other processes do.
 */
#include <inttypes.h>
#include <string.h>

#include "base/system.h"
#include "store/internal.h"

static const char *const statements[VB_SQL_N] = {
    [VB_SQL_BEGIN] = "BEGIN IMMEDIATE",
    [VB_SQL_COMMIT] = "COMMIT",
    [VB_SQL_ROLLBACK] = "ROLLBACK",
    [VB_SQL_LAST] = "SELECT max(sequence) FROM records WHERE key = ?1",
    [VB_SQL_INSERT_RECORD] =
        "INSERT INTO records(key, sequence, state, id, model, issued_at_ms, value, owner, n_bytes,"
        " client, committed_entry) VALUES(?1, ?2, 1, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    [VB_SQL_INSERT_BODY] = "INSERT INTO bodies(place, bytes) VALUES(last_insert_rowid(), ?1)",
    [VB_SQL_FIND_OPEN] = "SELECT place, n_bytes FROM records"
                         " WHERE key = ?1 AND sequence = ?2 AND state = 1 AND owner = ?3"
                         " AND value = ?4",
    [VB_SQL_SETTLE] = "UPDATE records SET state = ?2, reason = ?3, settled_at_ms = ?4, hash = ?5,"
                      " signature = ?6, n_bytes = ?7, id = ?8, owner = NULL, settled_entry = ?9"
                      " WHERE place = ?1",
    [VB_SQL_REPLACE_BODY] = "UPDATE bodies SET bytes = ?2 WHERE place = ?1",
    [VB_SQL_COUNT] = "UPDATE counts SET n = n + ?2 WHERE what = ?1",
    /* Never past an open commitment of the same key: what is dropped has no holes. */
    [VB_SQL_OLDEST] = "SELECT place, n_bytes, issued_at_ms FROM records AS r"
                      " WHERE n_bytes > 0 AND state <> 1 AND NOT EXISTS(SELECT 1 FROM records AS o"
                      " WHERE o.key = r.key AND o.state = 1 AND o.place < r.place)"
                      " ORDER BY place LIMIT 1",
    [VB_SQL_DROP_RECORD] = "UPDATE records SET n_bytes = 0 WHERE place = ?1",
    [VB_SQL_DROP_BODY] = "DELETE FROM bodies WHERE place = ?1",
    [VB_SQL_BYTES] = "SELECT n FROM counts WHERE what = ?1",
    [VB_SQL_JOURNAL] = "SELECT next FROM journals WHERE key = ?1",
    [VB_SQL_JOURNAL_ADD] = "INSERT INTO journal(key, number, entry) VALUES(?1, ?2, ?3)",
    [VB_SQL_JOURNAL_NEXT] = "UPDATE journals SET next = ?2 WHERE key = ?1",
    [VB_SQL_JOURNAL_DROP] = "DELETE FROM journal WHERE key = ?1 AND number < min(?2,"
                            " (SELECT min(number) FROM journal WHERE key = ?1) + ?3)",
};

vb_err vb_store_prepare(vb_store *s, vb_error *e) {
    for (int i = 0; i < VB_SQL_N; i++) {
        const int rc = sqlite3_prepare_v3(s->db, statements[i], -1, SQLITE_PREPARE_PERSISTENT,
                                          &s->sql[i], NULL);
        if (rc) {
            return vb_store_fail(s->path, s->db, rc, "prepare the store", e);
        }
    }
    return VB_OK;
}

void vb_store_finalize(vb_store *s) {
    for (int i = 0; i < VB_SQL_N; i++) {
        sqlite3_finalize(s->sql[i]);
        s->sql[i] = NULL;
    }
}

vb_err vb_store_finish(vb_store *s, vb_store_sql which, const char *what, vb_error *e) {
    const int rc = sqlite3_step(s->sql[which]);
    vb_err err = rc == SQLITE_DONE ? VB_OK : vb_store_fail(s->path, s->db, rc, what, e);
    sqlite3_reset(s->sql[which]);
    sqlite3_clear_bindings(s->sql[which]);
    return err;
}

void vb_store_rollback(vb_store *s) {
    if (!sqlite3_get_autocommit(s->db)) {
        vb_err err = vb_store_finish(s, VB_SQL_ROLLBACK, "roll back", NULL);
        (void)err; /* what has not been committed is not there, however this ends */
    }
}

vb_err vb_store_begin(vb_store *s, vb_store_changes *c, vb_error *e) {
    *c = (vb_store_changes){.last = 0};
    vb_err err = vb_store_finish(s, VB_SQL_BEGIN, "begin to write", e);
    if (err) {
        return err;
    }
    sqlite3_stmt *q = s->sql[VB_SQL_LAST];
    sqlite3_bind_int64(q, 1, s->key_row);
    const int rc = sqlite3_step(q);
    if (rc != SQLITE_ROW) {
        err = vb_store_fail(s->path, s->db, rc, "read the last number", e);
    } else if (sqlite3_column_type(q, 0) == SQLITE_NULL) {
        c->last = s->options.first_sequence ? s->options.first_sequence - 1 : 0;
    } else {
        c->last = (uint64_t)sqlite3_column_int64(q, 0);
    }
    sqlite3_reset(q);
    return err ? err : vb_store_journal_find(s, c, e);
}

vb_err vb_store_write_counts(vb_store *s, const vb_store_changes *c, vb_error *e) {
    vb_err err = VB_OK;
    for (int what = 0; what < VB_COUNT_N && !err; what++) {
        if (c->counts[what]) {
            sqlite3_bind_int(s->sql[VB_SQL_COUNT], 1, what);
            sqlite3_bind_int64(s->sql[VB_SQL_COUNT], 2, c->counts[what]);
            err = vb_store_finish(s, VB_SQL_COUNT, "count", e);
        }
    }
    return err ? err : vb_store_journal_write_next(s, c, e);
}

vb_err vb_store_commit_transaction(vb_store *s, vb_error *e) {
    return vb_store_finish(s, VB_SQL_COMMIT, "write", e);
}

/* Both rows of a commitment that has been made. */
static vb_err insert(vb_store *s, const vb_receipt *r, const char *client, const vb_buf *bytes,
                     vb_store_changes *c, vb_error *e) {
    sqlite3_stmt *q = s->sql[VB_SQL_INSERT_RECORD];
    sqlite3_bind_int64(q, 1, s->key_row);
    sqlite3_bind_int64(q, 2, (int64_t)r->request.sequence);
    sqlite3_bind_text(q, 3, r->id, -1, SQLITE_STATIC);
    sqlite3_bind_blob(q, 4, r->request.model_sha256, VB_SHA256_BYTES, SQLITE_STATIC);
    sqlite3_bind_int64(q, 5, (int64_t)r->request.issued_at_ms);
    sqlite3_bind_blob(q, 6, r->commitment, VB_SHA256_BYTES, SQLITE_STATIC);
    sqlite3_bind_int64(q, 7, s->owner);
    sqlite3_bind_int64(q, 8, (int64_t)bytes->len);
    sqlite3_bind_text(q, 9, client, -1, SQLITE_STATIC); /* NULL for NULL */
    if (c->has_journal) {
        sqlite3_bind_int64(q, 10, c->next_entry);
    }
    vb_err err = vb_store_finish(s, VB_SQL_INSERT_RECORD, "write a commitment", e);
    if (!err) {
        sqlite3_bind_blob64(s->sql[VB_SQL_INSERT_BODY], 1, bytes->data, bytes->len, SQLITE_STATIC);
        err = vb_store_finish(s, VB_SQL_INSERT_BODY, "write a commitment", e);
    }
    if (!err && c->has_journal) {
        vb_tlog_entry entry;
        vb_tlog_entry_of_commitment(r, &entry);
        err = vb_store_journal_add(s, &entry, c, e);
    }
    return err;
}

static vb_err add_settlement(vb_store *s, const vb_store_job *job, vb_store_changes *c,
                             vb_error *e) {
    vb_tlog_entry entry;
    if (job->state == VB_STORE_RECEIPT) {
        vb_tlog_entry_of_receipt(job->settle, job->hash, job->signature, &entry);
    } else {
        vb_tlog_entry_of_abort(job->settle, job->reason, job->hash, job->signature, &entry);
    }
    return vb_store_journal_add(s, &entry, c, e);
}

static vb_err apply_commit(vb_store *s, vb_store_job *job, vb_store_changes *c, vb_error *e) {
    vb_receipt *r = job->commit;
    if (c->last >= INT64_MAX) {
        job->err = vb_fail(&job->error, VB_ELIMIT, "%s: the key has no number left", s->path);
        return VB_OK;
    }
    r->request.sequence = c->last + 1;
    r->request.issued_at_ms = vb_unix_ms();
    vb_buf bytes = vb_buf_make(VB_COMMITMENT_BYTES_MAX);
    vb_err err = VB_OK;
    job->err = vb_commitment_make(r, s->key, &job->error);
    if (!job->err && job->sets_id) {
        vb_receipt_set_id(r); /* whoever is told of the commitment can ask for its record */
    }
    if (!job->err && !(job->err = vb_commitment_encode(r, &bytes, &job->error)) &&
        !(err = insert(s, r, job->client, &bytes, c, e))) {
        c->last++;
        c->counts[VB_COUNT_COMMITTED]++;
        c->counts[VB_COUNT_BYTES] += (int64_t)bytes.len;
    }
    vb_buf_free(&bytes);
    return err;
}

/* *place 0: there is no such open commitment of this store. */
static vb_err find_open(vb_store *s, const vb_receipt *r, int64_t *place, int64_t *n_bytes,
                        vb_error *e) {
    sqlite3_stmt *q = s->sql[VB_SQL_FIND_OPEN];
    vb_err err = VB_OK;
    *place = 0;
    sqlite3_bind_int64(q, 1, s->key_row);
    sqlite3_bind_int64(q, 2, (int64_t)r->request.sequence);
    sqlite3_bind_int64(q, 3, s->owner);
    sqlite3_bind_blob(q, 4, r->commitment, VB_SHA256_BYTES, SQLITE_STATIC);
    const int rc = sqlite3_step(q);
    if (rc == SQLITE_ROW) {
        *place = sqlite3_column_int64(q, 0);
        *n_bytes = sqlite3_column_int64(q, 1);
    } else if (rc != SQLITE_DONE) {
        err = vb_store_fail(s->path, s->db, rc, "find a commitment", e);
    }
    sqlite3_reset(q);
    sqlite3_clear_bindings(q);
    return err;
}

static vb_err apply_settle(vb_store *s, vb_store_job *job, vb_store_changes *c, vb_error *e) {
    int64_t place, n_before = 0;
    vb_err err = find_open(s, job->settle, &place, &n_before, e);
    if (err) {
        return err;
    }
    if (!place) {
        job->err = vb_fail(&job->error, VB_EINVAL,
                           "%s: commitment %" PRIu64 " is not open here: settled already, or "
                           "another store's",
                           s->path, job->settle->request.sequence);
        return VB_OK;
    }
    sqlite3_stmt *q = s->sql[VB_SQL_SETTLE];
    sqlite3_bind_int64(q, 1, place);
    sqlite3_bind_int(q, 2, (int)job->state);
    if (job->state == VB_STORE_ABORT) {
        sqlite3_bind_int(q, 3, (int)job->reason);
    } else {
        sqlite3_bind_blob(q, 5, job->hash, VB_SHA256_BYTES, SQLITE_STATIC);
    }
    sqlite3_bind_int64(q, 4, (int64_t)job->settled_at_ms);
    sqlite3_bind_blob(q, 6, job->signature, VB_ED25519_SIGNATURE_BYTES, SQLITE_STATIC);
    sqlite3_bind_int64(q, 7, (int64_t)job->bytes->len);
    sqlite3_bind_text(q, 8, job->settle->id, -1, SQLITE_STATIC);
    if (c->has_journal) {
        sqlite3_bind_int64(q, 9, c->next_entry);
    }
    if ((err = vb_store_finish(s, VB_SQL_SETTLE, "settle a commitment", e))) {
        return err;
    }
    q = s->sql[VB_SQL_REPLACE_BODY];
    sqlite3_bind_int64(q, 1, place);
    sqlite3_bind_blob64(q, 2, job->bytes->data, job->bytes->len, SQLITE_STATIC);
    if (!(err = vb_store_finish(s, VB_SQL_REPLACE_BODY, "write a record", e)) && c->has_journal) {
        err = add_settlement(s, job, c, e);
    }
    if (!err) {
        c->counts[VB_COUNT_BYTES] += (int64_t)job->bytes->len - n_before;
        c->counts[job->state == VB_STORE_RECEIPT ? VB_COUNT_RECEIPTS
                                                 : VB_COUNT_ABORTS + (int)job->reason]++;
    }
    return err;
}

vb_err vb_store_apply(vb_store *s, vb_store_job *job, vb_store_changes *c, vb_error *e) {
    job->err = VB_OK;
    return job->kind == VB_JOB_COMMIT ? apply_commit(s, job, c, e) : apply_settle(s, job, c, e);
}

/* The oldest record whose bytes could be dropped; *place 0: none. */
static vb_err oldest(vb_store *s, int64_t *place, int64_t *n_bytes, int64_t *issued_at_ms,
                     vb_error *e) {
    sqlite3_stmt *q = s->sql[VB_SQL_OLDEST];
    vb_err err = VB_OK;
    *place = 0;
    const int rc = sqlite3_step(q);
    if (rc == SQLITE_ROW) {
        *place = sqlite3_column_int64(q, 0);
        *n_bytes = sqlite3_column_int64(q, 1);
        *issued_at_ms = sqlite3_column_int64(q, 2);
    } else if (rc != SQLITE_DONE) {
        err = vb_store_fail(s->path, s->db, rc, "find the oldest record", e);
    }
    sqlite3_reset(q);
    return err;
}

static vb_err drop(vb_store *s, int64_t place, vb_error *e) {
    sqlite3_bind_int64(s->sql[VB_SQL_DROP_RECORD], 1, place);
    vb_err err = vb_store_finish(s, VB_SQL_DROP_RECORD, "drop a record", e);
    if (!err) {
        sqlite3_bind_int64(s->sql[VB_SQL_DROP_BODY], 1, place);
        err = vb_store_finish(s, VB_SQL_DROP_BODY, "drop a record", e);
    }
    return err;
}

vb_err vb_store_apply_retention(vb_store *s, uint64_t max, uint64_t *n, vb_store_changes *c,
                                vb_error *e) {
    const uint64_t now = vb_unix_ms(), keep = s->options.keep_ms;
    const int64_t cutoff = keep && keep < now ? (int64_t)(now - keep) : 0;
    sqlite3_bind_int(s->sql[VB_SQL_BYTES], 1, VB_COUNT_BYTES);
    const int rc = sqlite3_step(s->sql[VB_SQL_BYTES]);
    int64_t bytes = sqlite3_column_int64(s->sql[VB_SQL_BYTES], 0);
    vb_err err = rc == SQLITE_ROW ? VB_OK : vb_store_fail(s->path, s->db, rc, "count bytes", e);
    sqlite3_reset(s->sql[VB_SQL_BYTES]);
    for (*n = 0; !err && *n < max; ++*n) {
        int64_t place, n_bytes, issued_at_ms;
        if ((err = oldest(s, &place, &n_bytes, &issued_at_ms, e)) || !place) {
            break;
        }
        const bool too_many = s->options.keep_bytes && (uint64_t)bytes > s->options.keep_bytes;
        if (!too_many && issued_at_ms >= cutoff) {
            break;
        }
        if (!(err = drop(s, place, e))) {
            bytes -= n_bytes;
            c->counts[VB_COUNT_BYTES] -= n_bytes;
            c->counts[VB_COUNT_DROPPED]++;
        }
    }
    return err;
}

vb_err vb_store_make_abort(const vb_store *s, const vb_receipt *r, vb_abort_reason reason,
                           vb_buf *out, vb_store_job *job, vb_error *e) {
    uint64_t now = vb_unix_ms();
    if (now < r->request.issued_at_ms) {
        now = r->request.issued_at_ms; /* the clock was set back; a record may not say so */
    }
    vb_err err = vb_abort_encode(r, reason, now, s->key, out, e);
    if (err) {
        return err;
    }
    /* Its signature is in its bytes alone, and the entries keep it too. */
    vb_abort a;
    if ((err = vb_abort_decode(out->data, out->len, &a, e))) {
        return err;
    }
    uint8_t digest[VB_SHA256_BYTES];
    if (!(err = vb_abort_digest(&a, digest, e))) {
        *job = (vb_store_job){.kind = VB_JOB_SETTLE,
                              .settle = r,
                              .state = VB_STORE_ABORT,
                              .reason = reason,
                              .settled_at_ms = now,
                              .bytes = out};
        memcpy(job->signature, a.signature, sizeof job->signature);
        memcpy(job->hash, digest, sizeof job->hash);
    }
    vb_abort_free(&a);
    return err;
}
