/*
 * The file: how it is made, opened and judged. It is hostile until it has been judged: another
 * application's database, a damaged one, or one in which somebody has put triggers of his own are
 * all refused before anything is written.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/random.h"
#include "store/internal.h"

#define APPLICATION_ID 1447186770 /* "VBMR" */
enum { SUFFIX_BYTES = 64, JOURNAL_BYTES_KEPT = 1 << 26 };

/* schema[v] leads from version v to v + 1. A step that was released is never changed. */
static const char *const schema[] = {
    "CREATE TABLE keys(id INTEGER PRIMARY KEY,"
    " public BLOB NOT NULL UNIQUE CHECK(length(public) = 32)) STRICT;"
    /* state, reason: vb_store_state, vb_abort_reason. owner: whose process it is, while open. */
    "CREATE TABLE records(place INTEGER PRIMARY KEY AUTOINCREMENT,"
    " key INTEGER NOT NULL REFERENCES keys(id),"
    " sequence INTEGER NOT NULL CHECK(sequence > 0),"
    " state INTEGER NOT NULL CHECK(state BETWEEN 1 AND 3),"
    " reason INTEGER CHECK((state = 3) = (reason IS NOT NULL)),"
    " id TEXT NOT NULL,"
    " model BLOB NOT NULL CHECK(length(model) = 32),"
    " issued_at_ms INTEGER NOT NULL,"
    " settled_at_ms INTEGER CHECK((state = 1) = (settled_at_ms IS NULL)),"
    " value BLOB NOT NULL UNIQUE CHECK(length(value) = 32),"
    " hash BLOB CHECK((state = 2) = (hash IS NOT NULL) AND (hash IS NULL OR length(hash) = 32)),"
    " signature BLOB CHECK((state = 1) = (signature IS NULL)"
    " AND (signature IS NULL OR length(signature) = 64)),"
    " owner INTEGER CHECK((state = 1) = (owner IS NOT NULL)),"
    " n_bytes INTEGER NOT NULL CHECK(n_bytes >= 0),"
    " UNIQUE(key, sequence)) STRICT;"
    "CREATE TABLE bodies(place INTEGER PRIMARY KEY REFERENCES records(place),"
    " bytes BLOB NOT NULL) STRICT;"
    "CREATE TABLE counts(what INTEGER PRIMARY KEY, n INTEGER NOT NULL CHECK(n >= 0)) STRICT;"
    "CREATE UNIQUE INDEX records_by_hash ON records(hash) WHERE hash IS NOT NULL;"
    "CREATE INDEX records_by_id ON records(id, place);"
    "CREATE INDEX records_by_model ON records(model, place);"
    "CREATE INDEX records_open ON records(key, owner, place) WHERE state = 1;"
    "CREATE INDEX records_kept ON records(place) WHERE n_bytes > 0;",
    /* client: who asked; NULL where that is not known. */
    "ALTER TABLE records ADD COLUMN client TEXT CHECK(length(client) > 0);",
    /* A key has a journal when it has a row in journals. What is public is dropped from journal. */
    "CREATE TABLE journals(key INTEGER PRIMARY KEY REFERENCES keys(id),"
    " next INTEGER NOT NULL CHECK(next >= 0)) STRICT;"
    "CREATE TABLE journal(key INTEGER NOT NULL REFERENCES journals(key),"
    " number INTEGER NOT NULL CHECK(number >= 0),"
    " entry BLOB NOT NULL, PRIMARY KEY(key, number)) STRICT, WITHOUT ROWID;"
    "ALTER TABLE records ADD COLUMN committed_entry INTEGER CHECK(committed_entry >= 0);"
    "ALTER TABLE records ADD COLUMN settled_entry INTEGER CHECK(settled_entry >= 0);",
};
enum { VERSION = sizeof schema / sizeof schema[0], VERSION_JOURNAL = 3 };

static vb_err error_of(int rc) {
    if (rc == SQLITE_IOERR_NOMEM) {
        return VB_ENOMEM;
    }
    switch (rc & 0xff) {
    case SQLITE_NOMEM: return VB_ENOMEM;
    case SQLITE_TOOBIG: return VB_ELIMIT;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_MISMATCH:
    case SQLITE_CONSTRAINT:
    case SQLITE_ERROR: return VB_EFORMAT; /* of our own statements only a damaged file's */
    case SQLITE_MISUSE:
    case SQLITE_RANGE:
    case SQLITE_INTERNAL: return VB_EINTERNAL;
    default: return VB_EIO;
    }
}

vb_err vb_store_fail(const char *path, sqlite3 *db, int rc, const char *what, vb_error *e) {
    if ((rc & 0xff) == SQLITE_BUSY) {
        return vb_fail(e, VB_EIO, "%s: cannot %s: another process holds the store", path, what);
    }
    if ((rc & 0xff) == SQLITE_NOTADB) {
        return vb_fail(e, VB_EFORMAT, "%s: not a store of receipts (no SQLite database)", path);
    }
    /* The connection's message is of its last failure, which has more to say than the code. */
    const bool own = db && (sqlite3_errcode(db) & 0xff) == (rc & 0xff);
    return vb_fail(e, error_of(rc), "%s: cannot %s: %s", path, what,
                   own ? sqlite3_errmsg(db) : sqlite3_errstr(rc));
}

vb_err vb_store_run(const char *path, sqlite3 *db, const char *sql, vb_error *e) {
    const int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
    return rc ? vb_store_fail(path, db, rc, "prepare the store", e) : VB_OK;
}

/* The first column of the first row; text that does not fit is cut. */
static vb_err ask_text(const char *path, sqlite3 *db, const char *sql, char *out, size_t max,
                       vb_error *e) {
    sqlite3_stmt *q = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &q, NULL);
    if (!rc && (rc = sqlite3_step(q)) == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(q, 0);
        snprintf(out, max, "%s", text ? text : "");
        rc = text ? SQLITE_OK : SQLITE_NOMEM;
    } else if (rc == SQLITE_DONE) {
        rc = SQLITE_CORRUPT;
    }
    vb_err err = rc ? vb_store_fail(path, db, rc, "read the store", e) : VB_OK;
    sqlite3_finalize(q);
    return err;
}

static vb_err ask_number(const char *path, sqlite3 *db, const char *sql, int64_t *out,
                         vb_error *e) {
    sqlite3_stmt *q = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &q, NULL);
    if (!rc && (rc = sqlite3_step(q)) == SQLITE_ROW) {
        *out = sqlite3_column_int64(q, 0);
        rc = SQLITE_OK;
    } else if (rc == SQLITE_DONE) {
        rc = SQLITE_CORRUPT;
    }
    vb_err err = rc ? vb_store_fail(path, db, rc, "read the store", e) : VB_OK;
    sqlite3_finalize(q);
    return err;
}

/* Zeroed where records are dropped (they hold prompts), and never more trusting than needed. */
static vb_err configure(const char *path, sqlite3 *db, uint32_t busy_timeout_ms, bool writes,
                        vb_error *e) {
    char sql[512];
    sqlite3_extended_result_codes(db, 1);
    sqlite3_busy_timeout(db, (int)busy_timeout_ms);
    sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    snprintf(
        sql, sizeof sql,
        "PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY;"
        "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON;"
        "PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = %d; PRAGMA query_only = %d;",
        JOURNAL_BYTES_KEPT, writes ? 0 : 1);
    return vb_store_run(path, db, sql, e);
}

vb_err vb_store_connect(const char *path, uint32_t busy_timeout_ms, bool writes, sqlite3 **out,
                        vb_error *e) {
    sqlite3 *db = NULL;
    const int mode = writes ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY;
    const int rc = sqlite3_open_v2(path, &db, mode | SQLITE_OPEN_NOMUTEX, NULL);
    vb_err err = rc ? vb_store_fail(path, db, rc, "open the store", e)
                    : configure(path, db, busy_timeout_ms, writes, e);
    if (err) {
        sqlite3_close(db);
        return err;
    }
    *out = db;
    return VB_OK;
}

static vb_err take_steps(const char *path, sqlite3 *db, int from, int to, vb_error *e) {
    vb_err err = VB_OK;
    for (int v = from; !err && v < to; v++) {
        err = vb_store_run(path, db, schema[v], e);
    }
    return err;
}

vb_err vb_store_migrate(const char *path, sqlite3 *db, int version, vb_error *e) {
    char sql[64];
    vb_err err = take_steps(path, db, version, VERSION, e);
    if (!err && version < VERSION) {
        snprintf(sql, sizeof sql, "PRAGMA user_version = %d;", VERSION);
        err = vb_store_run(path, db, sql, e);
    }
    return err;
}

static vb_err fill_new(const char *path, sqlite3 *db, vb_error *e) {
    char sql[256];
    snprintf(sql, sizeof sql,
             "PRAGMA page_size = %d; PRAGMA auto_vacuum = INCREMENTAL;"
             "PRAGMA application_id = %d; BEGIN IMMEDIATE;",
             VB_STORE_PAGE_BYTES, APPLICATION_ID);
    vb_err err = vb_store_run(path, db, sql, e);
    if (err || (err = vb_store_migrate(path, db, 0, e))) {
        return err;
    }
    for (int what = 0; what < VB_COUNT_N && !err; what++) {
        snprintf(sql, sizeof sql, "INSERT INTO counts(what, n) VALUES(%d, 0);", what);
        err = vb_store_run(path, db, sql, e);
    }
    char mode[16];
    if (!err && !(err = vb_store_run(path, db, "COMMIT;", e)) &&
        !(err = ask_text(path, db, "PRAGMA journal_mode = WAL;", mode, sizeof mode, e)) &&
        strcmp(mode, "wal") != 0) {
        err = vb_fail(e, VB_EIO, "%s: the file system allows no write-ahead log", path);
    }
    return err;
}

/* A new name is on disk only when its folder is. */
static vb_err sync_folder(const char *path, vb_error *e) {
    char dir[VB_PATH_BYTES_MAX];
    const char *slash = strrchr(path, '/');
    const int n = slash ? (int)(slash - path) : 0;
    snprintf(dir, sizeof dir, "%.*s", slash ? (n ? n : 1) : 1, slash ? path : ".");
    const int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const bool bad = fd < 0 || fsync(fd) != 0;
    const int why = errno;
    if (fd >= 0) {
        close(fd);
    }
    return bad ? vb_fail(e, VB_EIO, "%s: cannot sync the folder: %s", dir, strerror(why)) : VB_OK;
}

static void remove_temporary(const char *temp) {
    static const char *const suffixes[] = {"", "-journal", "-wal", "-shm"};
    char path[VB_PATH_BYTES_MAX];
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        snprintf(path, sizeof path, "%s%s", temp, suffixes[i]);
        unlink(path);
    }
}

/* The database is finished under another name first: an empty file under its own would look like a
 * store that has lost everything. The name is linked, not opened: closing a file of ours would drop
 * the locks that SQLite holds on it elsewhere in this process. */
vb_err vb_store_create(const char *path, vb_error *e) {
    char temp[VB_PATH_BYTES_MAX], hex[17];
    uint8_t random[8];
    vb_err err = vb_random_bytes(random, sizeof random, e);
    if (err) {
        return err;
    }
    vb_hex_encode(random, sizeof random, hex);
    const int n = snprintf(temp, sizeof temp, "%s.new-%s", path, hex);
    if (n < 0 || n >= (int)(sizeof temp - SUFFIX_BYTES)) {
        return vb_fail(e, VB_ELIMIT, "the store's path is longer than %u bytes",
                       VB_PATH_BYTES_MAX - 2 * SUFFIX_BYTES);
    }
    const int fd = open(temp, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    const bool bad = fd < 0 || fchmod(fd, 0600) != 0;
    const int why = errno;
    if (fd >= 0) {
        close(fd);
    }
    if (bad) {
        return vb_fail(e, VB_EIO, "%s: cannot create: %s", temp, strerror(why));
    }
    sqlite3 *db = NULL;
    if (!(err = vb_store_connect(temp, 0, true, &db, e))) {
        err = fill_new(temp, db, e);
        const int rc = sqlite3_close(db);
        err = !err && rc ? vb_store_fail(temp, NULL, rc, "close the new store", e) : err;
    }
    if (!err && link(temp, path) != 0 && errno != EEXIST) {
        err = vb_fail(e, VB_EIO, "%s: cannot create: %s", path, strerror(errno));
    }
    remove_temporary(temp);
    return err ? err : sync_folder(path, e);
}

/* What the schema is, as text to compare. */
static vb_err read_schema(const char *path, sqlite3 *db, vb_buf *out, vb_error *e) {
    sqlite3_stmt *q = NULL;
    vb_err err = VB_OK;
    int rc = sqlite3_prepare_v2(
        db, "SELECT type, name, sql FROM sqlite_schema ORDER BY name, type;", -1, &q, NULL);
    while (!err && !rc && (rc = sqlite3_step(q)) == SQLITE_ROW) {
        rc = SQLITE_OK;
        for (int i = 0; i < 3 && !err; i++) {
            const char *text = (const char *)sqlite3_column_text(q, i);
            err = vb_buf_printf(out, "%s\n", text ? text : "");
        }
    }
    if (err) {
        vb_fail(e, err == VB_ELIMIT ? err = VB_EFORMAT : err, "%s: its schema is too long", path);
    } else if (rc != SQLITE_DONE) {
        err = vb_store_fail(path, db, rc, "read the schema", e);
    }
    sqlite3_finalize(q);
    return err;
}

vb_err vb_store_check_newest(const char *path, int version, vb_error *e) {
    return version == VERSION
               ? VB_OK
               : vb_fail(e, VB_EUNSUPPORTED,
                         "%s: made by an older program: schema %d, this one reads %d; its server "
                         "brings it up to date when it starts",
                         path, version, VERSION);
}

vb_err vb_store_check_schema(const char *path, sqlite3 *db, int version, vb_error *e) {
    sqlite3 *fresh = NULL;
    version = version ? version : VERSION;
    vb_buf ours = vb_buf_make(VB_STORE_SCHEMA_BYTES_MAX);
    vb_buf its = vb_buf_make(VB_STORE_SCHEMA_BYTES_MAX);
    vb_err err = vb_store_connect(":memory:", 0, true, &fresh, e);
    if (!err && !(err = take_steps(":memory:", fresh, 0, version, e)) &&
        !(err = read_schema(":memory:", fresh, &ours, e)) &&
        !(err = read_schema(path, db, &its, e)) &&
        (ours.len != its.len || memcmp(ours.data, its.data, ours.len) != 0)) {
        err = vb_fail(e, VB_EFORMAT, "%s: damaged: its tables are not those of version %d", path,
                      version);
    }
    sqlite3_close(fresh);
    vb_buf_free(&ours);
    vb_buf_free(&its);
    return err;
}

/* Numbers without a gap, and counts that are those of the records. */
static vb_err check_numbers(const char *path, sqlite3 *db, vb_error *e) {
    static const char gaps[] = "SELECT count(*) FROM (SELECT 1 FROM records GROUP BY key"
                               " HAVING max(sequence) - min(sequence) + 1 <> count(*));";
    static const char counts[] =
        "SELECT count(*) FROM (SELECT 0 AS what, count(*) AS n FROM records"
        " UNION ALL SELECT 1, count(*) FROM records WHERE state = 2"
        " UNION ALL SELECT 2 + r, (SELECT count(*) FROM records WHERE reason = r)"
        " FROM (SELECT 1 AS r UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4)"
        " UNION ALL SELECT 7, count(*) FROM records WHERE n_bytes = 0"
        " UNION ALL SELECT 8, coalesce(sum(n_bytes), 0) FROM records"
        ") AS a LEFT JOIN counts USING(what) WHERE a.n IS NOT counts.n;";
    static const char bodies[] =
        "SELECT (SELECT count(*) FROM records WHERE n_bytes > 0) - (SELECT count(*) FROM bodies)"
        " + (SELECT count(*) FROM bodies LEFT JOIN records USING(place)"
        " WHERE records.n_bytes IS NOT length(bytes));";
    _Static_assert(VB_COUNT_COMMITTED == 0 && VB_COUNT_RECEIPTS == 1 && VB_COUNT_ABORTS == 2 &&
                       VB_COUNT_DROPPED == 7 && VB_COUNT_BYTES == 8 && VB_COUNT_N == 9,
                   "the numbers in the statement");
    int64_t n = 0;
    vb_err err = ask_number(path, db, gaps, &n, e);
    if (!err && n != 0) {
        err = vb_fail(e, VB_EFORMAT, "%s: damaged: sequence numbers are missing", path);
    }
    if (!err && !(err = ask_number(path, db, counts, &n, e)) && n != 0) {
        err = vb_fail(e, VB_EFORMAT, "%s: damaged: its counts are not those of its records", path);
    }
    if (!err && !(err = ask_number(path, db, bodies, &n, e)) && n != 0) {
        err = vb_fail(e, VB_EFORMAT, "%s: damaged: records have lost their bytes", path);
    }
    return err;
}

/* What is left of a journal has no hole, and ends where the next entry comes. */
static vb_err check_journals(const char *path, sqlite3 *db, vb_error *e) {
    static const char holes[] =
        "SELECT count(*) FROM journals AS j JOIN (SELECT key, min(number) AS a, max(number) AS b,"
        " count(*) AS n FROM journal GROUP BY key) USING(key)"
        " WHERE b <> j.next - 1 OR n <> j.next - a;";
    int64_t n = 0;
    vb_err err = ask_number(path, db, holes, &n, e);
    if (!err && n != 0) {
        err = vb_fail(e, VB_EFORMAT, "%s: damaged: entries of its journal are missing", path);
    }
    return err;
}

vb_err vb_store_check(const char *path, sqlite3 *db, int *version, vb_error *e) {
    int64_t id = 0, v = 0;
    char found[256];
    vb_err err = ask_number(path, db, "PRAGMA application_id;", &id, e);
    if (err || (err = ask_number(path, db, "PRAGMA user_version;", &v, e))) {
        return err;
    }
    if (id != APPLICATION_ID) {
        return vb_fail(e, VB_EFORMAT,
                       "%s: not a store of receipts, but another application's database", path);
    }
    if (v > VERSION) {
        return vb_fail(e, VB_EUNSUPPORTED,
                       "%s: made by a newer program: schema %" PRId64 ", this one knows %d", path,
                       v, VERSION);
    }
    if (v < 1) {
        return vb_fail(e, VB_EFORMAT, "%s: damaged: schema %" PRId64, path, v);
    }
    if ((err = ask_text(path, db, "PRAGMA quick_check(1);", found, sizeof found, e))) {
        return err;
    }
    if (strcmp(found, "ok") != 0) {
        return vb_fail(e, VB_EFORMAT, "%s: damaged: %s", path, found);
    }
    if ((err = vb_store_check_schema(path, db, (int)v, e)) || (err = check_numbers(path, db, e)) ||
        (v >= VERSION_JOURNAL && (err = check_journals(path, db, e)))) {
        return err;
    }
    *version = (int)v;
    return VB_OK;
}
