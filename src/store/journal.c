/*
 * The journal: what a transparency log publishes of one key's records (spec/log.md section 1), each
 * entry written in the transaction that keeps its record. Its numbers are the log's, which nothing
 * may change any more: they begin at 0 and have no gap, and what is dropped is always everything
 * below some number.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/internal.h"

vb_err vb_store_journal_find(vb_store *s, vb_store_changes *c, vb_error *e) {
    sqlite3_stmt *q = s->sql[VB_SQL_JOURNAL];
    vb_err err = VB_OK;
    sqlite3_bind_int64(q, 1, s->key_row);
    const int rc = sqlite3_step(q);
    c->has_journal = rc == SQLITE_ROW;
    c->next_entry = rc == SQLITE_ROW ? sqlite3_column_int64(q, 0) : 0;
    c->n_entries = 0;
    if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
        err = vb_store_fail(s->path, s->db, rc, "find the journal", e);
    }
    sqlite3_reset(q);
    return err;
}

vb_err vb_store_journal_add(vb_store *s, const vb_tlog_entry *entry, vb_store_changes *c,
                            vb_error *e) {
    vb_buf bytes = vb_buf_make(VB_TLOG_ENTRY_BYTES_MAX);
    vb_err err = vb_tlog_entry_encode(entry, &bytes, e);
    if (!err) {
        sqlite3_stmt *q = s->sql[VB_SQL_JOURNAL_ADD];
        sqlite3_bind_int64(q, 1, s->key_row);
        sqlite3_bind_int64(q, 2, c->next_entry);
        sqlite3_bind_blob64(q, 3, bytes.data, bytes.len, SQLITE_STATIC);
        err = vb_store_finish(s, VB_SQL_JOURNAL_ADD, "write an entry of the journal", e);
    }
    if (!err) {
        c->next_entry++;
        c->n_entries++;
    }
    vb_buf_free(&bytes);
    return err;
}

vb_err vb_store_journal_write_next(vb_store *s, const vb_store_changes *c, vb_error *e) {
    if (!c->n_entries) {
        return VB_OK;
    }
    sqlite3_bind_int64(s->sql[VB_SQL_JOURNAL_NEXT], 1, s->key_row);
    sqlite3_bind_int64(s->sql[VB_SQL_JOURNAL_NEXT], 2, c->next_entry);
    return vb_store_finish(s, VB_SQL_JOURNAL_NEXT, "write the journal's end", e);
}

vb_err vb_store_journal_drop_some(vb_store *s, uint64_t below, uint64_t max, uint64_t *n,
                                  vb_error *e) {
    sqlite3_stmt *q = s->sql[VB_SQL_JOURNAL_DROP];
    sqlite3_bind_int64(q, 1, s->key_row);
    sqlite3_bind_int64(q, 2, (int64_t)below);
    sqlite3_bind_int64(q, 3, (int64_t)max);
    vb_err err = vb_store_finish(s, VB_SQL_JOURNAL_DROP, "drop entries of the journal", e);
    *n = err ? 0 : (uint64_t)sqlite3_changes(s->db);
    return err;
}

/* The records that were there before the journal. */

static vb_err entry_of_receipt(const uint8_t *bytes, size_t n, bool settlement, vb_tlog_entry *out,
                               vb_error *e) {
    vb_receipt r;
    uint8_t hash[VB_SHA256_BYTES];
    vb_err err = vb_receipt_decode(bytes, n, &r, e);
    if (err) {
        return err;
    }
    if (!settlement) {
        vb_tlog_entry_of_commitment(&r, out);
    } else if (!(err = vb_receipt_verification_hash(&r, hash, e))) {
        vb_tlog_entry_of_receipt(&r, hash, r.signature, out);
    }
    vb_receipt_free(&r);
    return err;
}

static vb_err entry_of_abort(const uint8_t *bytes, size_t n, bool settlement, vb_tlog_entry *out,
                             vb_error *e) {
    vb_abort a;
    uint8_t digest[VB_SHA256_BYTES];
    vb_err err = vb_abort_decode(bytes, n, &a, e);
    if (err) {
        return err;
    }
    if (!settlement) {
        vb_tlog_entry_of_commitment(&a.r, out);
    } else if (!(err = vb_abort_digest(&a, digest, e))) {
        vb_tlog_entry_of_abort(&a.r, a.reason, digest, a.signature, out);
    }
    vb_abort_free(&a);
    return err;
}

static vb_err entry_of_open(const uint8_t *bytes, size_t n, vb_tlog_entry *out, vb_error *e) {
    vb_receipt r;
    vb_err err = vb_commitment_decode(bytes, n, &r, e);
    if (!err) {
        vb_tlog_entry_of_commitment(&r, out);
        vb_receipt_free(&r);
    }
    return err;
}

/* Of a row (place, sequence, state, bytes): its entry, whose signature holds. A log can not take
 * back what it has published, and so a damaged record must not get into it. */
static vb_err entry_of_row(const vb_store *s, sqlite3_stmt *q, bool settlement, vb_tlog_entry *out,
                           vb_error *e) {
    const uint64_t sequence = (uint64_t)sqlite3_column_int64(q, 1);
    const int state = sqlite3_column_int(q, 2);
    const void *blob = sqlite3_column_blob(q, 3);
    const uint8_t *bytes = blob ? blob : (const uint8_t *)"";
    const size_t n = (size_t)sqlite3_column_bytes(q, 3);
    vb_err err = state == VB_STORE_RECEIPT ? entry_of_receipt(bytes, n, settlement, out, e)
                 : state == VB_STORE_ABORT ? entry_of_abort(bytes, n, settlement, out, e)
                                           : entry_of_open(bytes, n, out, e);
    if (!err && out->sequence != sequence) {
        err = vb_fail(e, VB_EFORMAT, "its record has number %" PRIu64, out->sequence);
    }
    if (!err) {
        err = vb_tlog_entry_check(out, s->public_key, e);
    }
    return err ? vb_fail_in(e, err, "%s: damaged: record %" PRIu64, s->path, sequence) : VB_OK;
}

static vb_err remember_number(vb_store *s, sqlite3_stmt *q, int64_t place, int64_t number,
                              vb_error *e) {
    sqlite3_bind_int64(q, 1, place);
    sqlite3_bind_int64(q, 2, number);
    const int rc = sqlite3_step(q);
    sqlite3_reset(q);
    return rc == SQLITE_DONE ? VB_OK : vb_store_fail(s->path, s->db, rc, "number an entry", e);
}

/* One pass over the key's records: their commitments, or what settled them. */
static vb_err add_past(vb_store *s, bool settlements, vb_store_changes *c, vb_error *e) {
    static const char *const find[] = {
        "SELECT place, sequence, state, bytes FROM records JOIN bodies USING(place)"
        " WHERE key = ?1 AND sequence > ?2 ORDER BY sequence LIMIT 1",
        "SELECT place, sequence, state, bytes FROM records JOIN bodies USING(place)"
        " WHERE key = ?1 AND sequence > ?2 AND state <> 1 ORDER BY sequence LIMIT 1"};
    static const char *const number[] = {"UPDATE records SET committed_entry = ?2 WHERE place = ?1",
                                         "UPDATE records SET settled_entry = ?2 WHERE place = ?1"};
    sqlite3_stmt *q = NULL, *set = NULL;
    vb_err err = VB_OK;
    int64_t after = 0;
    int rc = sqlite3_prepare_v2(s->db, find[settlements], -1, &q, NULL);
    rc = rc ? rc : sqlite3_prepare_v2(s->db, number[settlements], -1, &set, NULL);
    while (!rc && !err) {
        vb_tlog_entry entry;
        sqlite3_bind_int64(q, 1, s->key_row);
        sqlite3_bind_int64(q, 2, after);
        if ((rc = sqlite3_step(q)) != SQLITE_ROW) {
            break;
        }
        rc = SQLITE_OK;
        const int64_t place = sqlite3_column_int64(q, 0);
        after = sqlite3_column_int64(q, 1);
        if (!(err = entry_of_row(s, q, settlements, &entry, e)) &&
            !(err = remember_number(s, set, place, c->next_entry, e))) {
            err = vb_store_journal_add(s, &entry, c, e);
        }
        sqlite3_reset(q);
    }
    if (!err && rc != SQLITE_DONE) {
        err = vb_store_fail(s->path, s->db, rc, "read a record", e);
    }
    sqlite3_finalize(q);
    sqlite3_finalize(set);
    return err;
}

static vb_err add_row(vb_store *s, vb_error *e) {
    char sql[96];
    snprintf(sql, sizeof sql, "INSERT INTO journals(key, next) VALUES(%" PRId64 ", 0);",
             s->key_row);
    return vb_store_run(s->path, s->db, sql, e);
}

vb_err vb_store_journal_begin(vb_store *s, vb_error *e) {
    vb_store_changes c;
    vb_err err = vb_store_begin(s, &c, e);
    if (!err && !c.has_journal && !(err = add_row(s, e)) && !(err = add_past(s, false, &c, e)) &&
        !(err = add_past(s, true, &c, e))) {
        err = vb_store_write_counts(s, &c, e);
    }
    if (!err) {
        err = vb_store_commit_transaction(s, e);
    }
    vb_store_rollback(s);
    return err;
}

/* Reading. */

vb_err vb_store_journal_get(vb_store *s, vb_store_journal *out, vb_error *e) {
    static const char sql[] =
        "SELECT next, coalesce((SELECT min(number) FROM journal AS e WHERE e.key = j.key), next)"
        " FROM journals AS j WHERE key = ?1";
    sqlite3 *db;
    sqlite3_stmt *q = NULL;
    vb_err err = vb_store_reader_take(s, &db, e);
    if (err) {
        return err;
    }
    int rc = sqlite3_prepare_v2(db, sql, -1, &q, NULL);
    if (!rc) {
        sqlite3_bind_int64(q, 1, s->key_row);
        rc = sqlite3_step(q);
    }
    if (rc == SQLITE_ROW || rc == SQLITE_DONE) {
        *out = (vb_store_journal){.on = rc == SQLITE_ROW};
        if (out->on) {
            out->end = (uint64_t)sqlite3_column_int64(q, 0);
            out->first = (uint64_t)sqlite3_column_int64(q, 1);
        }
    } else {
        err = vb_store_fail(s->path, db, rc, "read the journal", e);
    }
    sqlite3_finalize(q);
    vb_store_reader_give(s, db);
    return err;
}

static vb_err read_one(const vb_store *s, sqlite3_stmt *q, uint64_t expected,
                       vb_store_journal_fn fn, void *user, vb_error *e) {
    const uint64_t number = (uint64_t)sqlite3_column_int64(q, 0);
    const void *entry = sqlite3_column_blob(q, 1);
    const size_t n = (size_t)sqlite3_column_bytes(q, 1);
    if (number != expected) {
        return vb_fail(e, VB_EMISMATCH,
                       "%s: its journal has no entry %" PRIu64 " any more, the next is %" PRIu64,
                       s->path, expected, number);
    }
    if (!entry || n > VB_TLOG_ENTRY_BYTES_MAX) {
        return vb_fail(e, VB_EFORMAT, "%s: damaged: entry %" PRIu64 " of its journal", s->path,
                       number);
    }
    return fn(user, number, entry, n, e);
}

vb_err vb_store_journal_read(vb_store *s, uint64_t from, size_t max, vb_store_journal_fn fn,
                             void *user, vb_error *e) {
    static const char sql[] = "SELECT number, entry FROM journal WHERE key = ?1 AND number >= ?2"
                              " ORDER BY number LIMIT ?3";
    sqlite3 *db;
    sqlite3_stmt *q = NULL;
    vb_err err = vb_store_reader_take(s, &db, e);
    if (err) {
        return err;
    }
    int rc = sqlite3_prepare_v2(db, sql, -1, &q, NULL);
    if (!rc) {
        sqlite3_bind_int64(q, 1, s->key_row);
        sqlite3_bind_int64(q, 2, from > INT64_MAX ? INT64_MAX : (int64_t)from);
        sqlite3_bind_int64(q, 3, max > INT64_MAX ? INT64_MAX : (int64_t)max);
    }
    while (!rc && !err && (rc = sqlite3_step(q)) == SQLITE_ROW) {
        rc = SQLITE_OK;
        err = read_one(s, q, from++, fn, user, e);
    }
    if (!err && rc != SQLITE_DONE) {
        err = vb_store_fail(s->path, db, rc, "read the journal", e);
    }
    sqlite3_finalize(q);
    vb_store_reader_give(s, db);
    return err;
}
