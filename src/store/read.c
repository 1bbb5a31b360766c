/*
 * What is asked of the store. Readers never wait for the writer: each call sees the records as they
 * were when it began. What comes out of the file is checked again, as the file may have been
 * damaged since it was opened.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "store/internal.h"

#define COLUMNS                                                                                    \
    "r.place, k.public, r.sequence, r.state, r.reason, r.id, r.model, r.issued_at_ms,"             \
    " r.settled_at_ms, r.value, r.hash, r.signature, r.n_bytes, r.client, r.committed_entry,"      \
    " r.settled_entry"
#define ENTRIES " FROM records AS r JOIN keys AS k ON k.id = r.key"
#define WITH_BODY "SELECT " COLUMNS ", b.bytes" ENTRIES " LEFT JOIN bodies AS b USING(place)"
enum { COLUMN_CLIENT = 13, COLUMN_COMMITTED_ENTRY, COLUMN_SETTLED_ENTRY, COLUMN_BODY };

vb_err vb_store_reader_take(vb_store *s, sqlite3 **out, vb_error *e) {
    size_t i;
    pthread_mutex_lock(&s->mutex);
    for (;;) {
        for (i = 0; i < VB_STORE_READERS_MAX && s->reader_taken[i]; i++) {
        }
        if (i < VB_STORE_READERS_MAX) {
            break;
        }
        pthread_cond_wait(&s->reader_given, &s->mutex);
    }
    s->reader_taken[i] = true;
    sqlite3 *db = s->readers[i];
    pthread_mutex_unlock(&s->mutex);
    vb_err err = VB_OK;
    if (!db) {
        err = vb_store_connect(s->path, s->options.busy_timeout_ms, false, &db, e);
        pthread_mutex_lock(&s->mutex);
        s->readers[i] = db;
        if (err) {
            s->reader_taken[i] = false;
            pthread_cond_signal(&s->reader_given);
        }
        pthread_mutex_unlock(&s->mutex);
    }
    if (!err) {
        *out = db;
    }
    return err;
}

void vb_store_reader_give(vb_store *s, sqlite3 *db) {
    pthread_mutex_lock(&s->mutex);
    for (size_t i = 0; i < VB_STORE_READERS_MAX; i++) {
        if (s->readers[i] == db) {
            s->reader_taken[i] = false;
        }
    }
    pthread_cond_signal(&s->reader_given);
    pthread_mutex_unlock(&s->mutex);
}

/* A blob of exactly n bytes; zeros for NULL. */
static bool take_blob(sqlite3_stmt *q, int column, uint8_t *out, size_t n) {
    memset(out, 0, n);
    if (sqlite3_column_type(q, column) == SQLITE_NULL) {
        return true;
    }
    const void *bytes = sqlite3_column_blob(q, column);
    if (!bytes || (size_t)sqlite3_column_bytes(q, column) != n) {
        return false;
    }
    memcpy(out, bytes, n);
    return true;
}

static bool take_number(sqlite3_stmt *q, int column, uint64_t *out) {
    const int64_t v = sqlite3_column_int64(q, column);
    *out = (uint64_t)v;
    return v >= 0;
}

static bool take_entry_number(sqlite3_stmt *q, int column, uint64_t *out) {
    const bool there = sqlite3_column_type(q, column) != SQLITE_NULL;
    *out = VB_STORE_NO_ENTRY;
    return !there || take_number(q, column, out);
}

static vb_err take_entry(const vb_store *s, sqlite3_stmt *q, vb_store_entry *out, vb_error *e) {
    const int state = sqlite3_column_int(q, 3), reason = sqlite3_column_int(q, 4);
    const char *id = (const char *)sqlite3_column_text(q, 5);
    const char *client = (const char *)sqlite3_column_text(q, COLUMN_CLIENT);
    const bool ok =
        take_number(q, 0, &out->place) &&
        take_blob(q, 1, out->server_key, sizeof out->server_key) &&
        take_number(q, 2, &out->sequence) && state >= VB_STORE_OPEN && state <= VB_STORE_ABORT &&
        (state == VB_STORE_ABORT ? reason >= VB_ABORT_CANCELLED && reason <= VB_ABORT_LOST
                                 : reason == 0) &&
        id && (size_t)sqlite3_column_bytes(q, 5) < sizeof out->id &&
        (size_t)sqlite3_column_bytes(q, COLUMN_CLIENT) < sizeof out->client &&
        take_blob(q, 6, out->model_sha256, sizeof out->model_sha256) &&
        take_number(q, 7, &out->issued_at_ms) && take_number(q, 8, &out->settled_at_ms) &&
        take_blob(q, 9, out->commitment, sizeof out->commitment) &&
        take_blob(q, 10, out->verification_hash, sizeof out->verification_hash) &&
        take_blob(q, 11, out->signature, sizeof out->signature) &&
        take_number(q, 12, &out->n_bytes) &&
        take_entry_number(q, COLUMN_COMMITTED_ENTRY, &out->committed_entry) &&
        take_entry_number(q, COLUMN_SETTLED_ENTRY, &out->settled_entry);
    if (!ok) {
        return vb_fail(e, VB_EFORMAT, "%s: damaged: record %" PRId64 " is not well-formed", s->path,
                       (int64_t)sqlite3_column_int64(q, 0));
    }
    out->state = (vb_store_state)state;
    out->reason = (vb_abort_reason)reason;
    snprintf(out->id, sizeof out->id, "%s", id);
    snprintf(out->client, sizeof out->client, "%s", client ? client : "");
    return VB_OK;
}

/* The bytes that belong to the entry; valid until the statement moves. */
static vb_err take_body(const vb_store *s, sqlite3_stmt *q, const vb_store_entry *entry,
                        const uint8_t **bytes, vb_error *e) {
    *bytes = sqlite3_column_blob(q, COLUMN_BODY);
    const uint64_t n = (uint64_t)sqlite3_column_bytes(q, COLUMN_BODY);
    if (entry->n_bytes && !*bytes && sqlite3_errcode(sqlite3_db_handle(q)) == SQLITE_NOMEM) {
        return vb_fail(e, VB_ENOMEM, "no memory for a record of %" PRIu64 " bytes", entry->n_bytes);
    }
    return n == entry->n_bytes
               ? VB_OK
               : vb_fail(e, VB_EFORMAT,
                         "%s: damaged: record %" PRIu64 " has %" PRIu64 " bytes, not %" PRIu64,
                         s->path, entry->sequence, n, entry->n_bytes);
}

/* The row that the bound statement gives. */
static vb_err get_one(vb_store *s, sqlite3 *db, sqlite3_stmt *q, vb_store_entry *entry,
                      vb_buf *bytes, bool *absent, vb_error *e) {
    vb_store_entry found;
    const uint8_t *body = NULL;
    const int rc = sqlite3_step(q);
    if (rc != SQLITE_ROW) {
        if (absent) {
            *absent = rc == SQLITE_DONE;
        }
        return rc == SQLITE_DONE ? vb_fail(e, VB_EIO, "%s: there is no such record", s->path)
                                 : vb_store_fail(s->path, db, rc, "read a record", e);
    }
    vb_err err = take_entry(s, q, &found, e);
    if (!err && bytes && !(err = take_body(s, q, &found, &body, e)) && found.n_bytes &&
        (err = vb_buf_append(bytes, body, (size_t)found.n_bytes))) {
        vb_fail(e, err, "no room for a record of %" PRIu64 " bytes", found.n_bytes);
    }
    if (!err) {
        *entry = found;
    }
    return err;
}

/* What one record is looked up by. */
typedef struct lookup {
    const char *sql;
    const char *text;    /* ?1, unless NULL */
    const uint8_t *blob; /* ?1 [32], unless NULL */
    uint64_t number;     /* ?2 */
} lookup;

static vb_err look_up(vb_store *s, const lookup *what, vb_store_entry *entry, vb_buf *bytes,
                      bool *absent, vb_error *e) {
    sqlite3 *db;
    sqlite3_stmt *q = NULL;
    if (absent) {
        *absent = false;
    }
    vb_err err = vb_store_reader_take(s, &db, e);
    if (err) {
        return err;
    }
    const int rc = sqlite3_prepare_v2(db, what->sql, -1, &q, NULL);
    if (rc) {
        err = vb_store_fail(s->path, db, rc, "read a record", e);
    } else {
        if (what->text) {
            sqlite3_bind_text(q, 1, what->text, -1, SQLITE_STATIC);
        } else {
            sqlite3_bind_blob(q, 1, what->blob, 32, SQLITE_STATIC);
            sqlite3_bind_int64(q, 2, (int64_t)what->number);
        }
        err = get_one(s, db, q, entry, bytes, absent, e);
    }
    sqlite3_finalize(q);
    vb_store_reader_give(s, db);
    return err;
}

vb_err vb_store_by_id(vb_store *s, const char *id, vb_store_entry *entry, vb_buf *bytes,
                      bool *absent, vb_error *e) {
    const lookup what = {.sql = WITH_BODY " WHERE r.id = ?1 ORDER BY r.place DESC LIMIT 1",
                         .text = id};
    return look_up(s, &what, entry, bytes, absent, e);
}

vb_err vb_store_by_hash(vb_store *s, const uint8_t hash[VB_SHA256_BYTES], vb_store_entry *entry,
                        vb_buf *bytes, bool *absent, vb_error *e) {
    const lookup what = {.sql = WITH_BODY " WHERE r.hash = ?1 OR r.value = ?1 LIMIT 1",
                         .blob = hash};
    return look_up(s, &what, entry, bytes, absent, e);
}

/* The key that is meant when none was named. */
static vb_err which_key(vb_store *s, const uint8_t *named, uint8_t out[VB_ED25519_PUBLIC_BYTES],
                        vb_error *e) {
    if (named || s->key) {
        memcpy(out, named ? named : s->public_key, VB_ED25519_PUBLIC_BYTES);
        return VB_OK;
    }
    vb_store_entry newest;
    size_t n;
    vb_err err = vb_store_list(s, &(vb_store_filter){.before = 0}, &newest, 1, &n, e);
    if (!err) {
        memset(out, 0, VB_ED25519_PUBLIC_BYTES);
        if (n) {
            memcpy(out, newest.server_key, VB_ED25519_PUBLIC_BYTES);
        }
    }
    return err;
}

vb_err vb_store_by_sequence(vb_store *s, const uint8_t *server_key, uint64_t sequence,
                            vb_store_entry *entry, vb_buf *bytes, bool *absent, vb_error *e) {
    uint8_t key[VB_ED25519_PUBLIC_BYTES];
    const lookup what = {.sql = WITH_BODY " WHERE k.public = ?1 AND r.sequence = ?2",
                         .blob = key,
                         .number = sequence};
    vb_err err = which_key(s, server_key, key, e);
    return err ? err : look_up(s, &what, entry, bytes, absent, e);
}

/* Numbers past what SQLite counts to are past every record. */
static int64_t capped(uint64_t v) {
    return v > INT64_MAX ? INT64_MAX : (int64_t)v;
}

/* Only the conditions that there are: one that is always true would keep an index from use. */
static int prepare_list(sqlite3 *db, const vb_store_filter *f, size_t max, sqlite3_stmt **q) {
    char sql[1024];
    snprintf(sql, sizeof sql,
             "SELECT " COLUMNS ENTRIES " WHERE r.place < ?1%s%s%s%s%s%s ORDER BY r.place DESC"
             " LIMIT ?8",
             f->since_ms ? " AND r.issued_at_ms >= ?2" : "",
             f->until_ms ? " AND r.issued_at_ms < ?3" : "", f->state ? " AND r.state = ?4" : "",
             f->model_sha256 ? " AND r.model = ?5" : "", f->server_key ? " AND k.public = ?6" : "",
             f->client ? " AND r.client = ?7" : "");
    const int rc = sqlite3_prepare_v2(db, sql, -1, q, NULL);
    if (rc) {
        return rc;
    }
    /* Binding a parameter that the statement has not is refused, and nothing else happens. */
    sqlite3_bind_int64(*q, 1, f->before ? capped(f->before) : INT64_MAX);
    if (f->since_ms) {
        sqlite3_bind_int64(*q, 2, capped(f->since_ms));
    }
    if (f->until_ms) {
        sqlite3_bind_int64(*q, 3, capped(f->until_ms));
    }
    if (f->state) {
        sqlite3_bind_int(*q, 4, (int)f->state);
    }
    if (f->model_sha256) {
        sqlite3_bind_blob(*q, 5, f->model_sha256, VB_SHA256_BYTES, SQLITE_STATIC);
    }
    if (f->server_key) {
        sqlite3_bind_blob(*q, 6, f->server_key, VB_ED25519_PUBLIC_BYTES, SQLITE_STATIC);
    }
    if (f->client) {
        sqlite3_bind_text(*q, 7, f->client, -1, SQLITE_STATIC);
    }
    sqlite3_bind_int64(*q, 8, capped(max));
    return SQLITE_OK;
}

vb_err vb_store_list(vb_store *s, const vb_store_filter *filter, vb_store_entry *out, size_t max,
                     size_t *n, vb_error *e) {
    sqlite3 *db;
    sqlite3_stmt *q = NULL;
    vb_err err = vb_store_reader_take(s, &db, e);
    if (err) {
        return err;
    }
    size_t found = 0;
    int rc = prepare_list(db, filter, max, &q);
    while (!rc && !err && found < max && (rc = sqlite3_step(q)) == SQLITE_ROW) {
        rc = SQLITE_OK;
        err = take_entry(s, q, &out[found++], e);
    }
    if (!err && rc != SQLITE_OK && rc != SQLITE_DONE) {
        err = vb_store_fail(s->path, db, rc, "list the records", e);
    }
    sqlite3_finalize(q);
    vb_store_reader_give(s, db);
    if (!err) {
        *n = found;
    }
    return err;
}

static vb_err read_counts(const vb_store *s, sqlite3 *db, uint64_t counts[VB_COUNT_N],
                          uint64_t *file_bytes, vb_error *e) {
    static const char sql[] =
        "SELECT what, n FROM counts UNION ALL"
        " SELECT -1, page_count * page_size FROM pragma_page_count, pragma_page_size";
    sqlite3_stmt *q = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &q, NULL);
    while (!rc && (rc = sqlite3_step(q)) == SQLITE_ROW) {
        const int what = sqlite3_column_int(q, 0);
        rc = SQLITE_OK;
        if (what >= 0 && what < VB_COUNT_N) {
            counts[what] = (uint64_t)sqlite3_column_int64(q, 1);
        } else if (what == -1) {
            *file_bytes = (uint64_t)sqlite3_column_int64(q, 1);
        }
    }
    vb_err err = rc == SQLITE_DONE ? VB_OK : vb_store_fail(s->path, db, rc, "read the counts", e);
    sqlite3_finalize(q);
    return err;
}

vb_err vb_store_count(vb_store *s, vb_store_counts *out, vb_error *e) {
    sqlite3 *db;
    uint64_t counts[VB_COUNT_N] = {0}, file_bytes = 0;
    vb_err err = vb_store_reader_take(s, &db, e);
    if (err) {
        return err;
    }
    err = read_counts(s, db, counts, &file_bytes, e);
    vb_store_reader_give(s, db);
    if (err) {
        return err;
    }
    *out = (vb_store_counts){.receipts = counts[VB_COUNT_RECEIPTS],
                             .dropped = counts[VB_COUNT_DROPPED],
                             .record_bytes = counts[VB_COUNT_BYTES],
                             .file_bytes = file_bytes,
                             .open = counts[VB_COUNT_COMMITTED] - counts[VB_COUNT_RECEIPTS]};
    for (int r = VB_ABORT_CANCELLED; r <= VB_ABORT_LOST; r++) {
        out->aborts[r] = counts[VB_COUNT_ABORTS + r];
        out->open -= out->aborts[r];
    }
    pthread_mutex_lock(&s->mutex);
    out->groups = s->n_groups;
    out->housekeeping_failures = s->n_housekeeping_failures;
    pthread_mutex_unlock(&s->mutex);
    return VB_OK;
}

/* One record a step, each as it then is: a transaction over all of them would keep the log from
 * being emptied for as long as fn takes. */
vb_err vb_store_each(vb_store *s, const uint8_t *server_key, vb_store_each_fn fn, void *user,
                     vb_error *e) {
    static const char sql[] = WITH_BODY " WHERE k.public = ?1 AND r.sequence > ?2"
                                        " ORDER BY r.sequence LIMIT 1";
    uint8_t key[VB_ED25519_PUBLIC_BYTES];
    sqlite3 *db;
    sqlite3_stmt *q = NULL;
    vb_err err = which_key(s, server_key, key, e);
    if (err || (err = vb_store_reader_take(s, &db, e))) {
        return err;
    }
    int rc = sqlite3_prepare_v2(db, sql, -1, &q, NULL);
    vb_store_entry entry = {.sequence = 0};
    while (!rc && !err) {
        const uint8_t *bytes;
        sqlite3_bind_blob(q, 1, key, sizeof key, SQLITE_STATIC);
        sqlite3_bind_int64(q, 2, (int64_t)entry.sequence);
        if ((rc = sqlite3_step(q)) != SQLITE_ROW) {
            break;
        }
        rc = SQLITE_OK;
        if (!(err = take_entry(s, q, &entry, e)) && !(err = take_body(s, q, &entry, &bytes, e))) {
            err = fn(user, &entry, bytes, e);
        }
        sqlite3_reset(q);
    }
    if (!err && rc != SQLITE_DONE) {
        err = vb_store_fail(s->path, db, rc, "read a record", e);
    }
    sqlite3_finalize(q);
    vb_store_reader_give(s, db);
    return err;
}
