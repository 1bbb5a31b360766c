#include "store/store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/internal.h"

enum { BUSY_TIMEOUT_MS = 5000, SUFFIX_BYTES = 64 };

const char *vb_store_state_name(vb_store_state state) {
    switch (state) {
    case VB_STORE_OPEN: return "open";
    case VB_STORE_RECEIPT: return "receipt";
    case VB_STORE_ABORT: return "abort";
    }
    return "unknown";
}

static bool is_there(const char *path, const char *suffix) {
    char name[VB_PATH_BYTES_MAX];
    struct stat st;
    snprintf(name, sizeof name, "%s%s", path, suffix);
    return lstat(name, &st) == 0;
}

/* Without the database its log may hold receipts, and its numbers must not begin again. */
static vb_err check_absent(const char *path, vb_error *e) {
    static const char *const suffixes[] = {"-wal", "-owners"};
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        if (is_there(path, suffixes[i]) && !is_there(path, "")) {
            return vb_fail(
                e, VB_EIO,
                "%s is gone, but %s%s is there: bring the store back, or remove that too "
                "and use another key",
                path, path, suffixes[i]);
        }
    }
    return VB_OK;
}

/* By its name alone: opening and closing the file would drop the locks that SQLite holds on it
 * elsewhere in this process. */
static vb_err look_at_file(const char *path, bool *absent, vb_error *e) {
    struct stat st;
    *absent = lstat(path, &st) != 0;
    if (*absent) {
        return errno == ENOENT ? check_absent(path, e)
                               : vb_fail(e, VB_EIO, "%s: %s", path, strerror(errno));
    }
    if (!S_ISREG(st.st_mode)) {
        return vb_fail(e, VB_EIO, "%s: not a regular file", path);
    }
    if (st.st_uid != geteuid()) {
        return vb_fail(e, VB_EIO, "%s: belongs to another user", path);
    }
    if (st.st_mode & 077) {
        return vb_fail(e, VB_EIO, "%s: mode is %03o; others may use it: run chmod 600", path,
                       (unsigned)(st.st_mode & 0777));
    }
    if (st.st_size == 0) {
        return vb_fail(e, VB_EFORMAT, "%s: damaged: the file is empty", path);
    }
    /* SQLite takes what is missing of the last page for zeros. Only a log could mend it. */
    if (st.st_size % VB_STORE_PAGE_BYTES != 0 && !is_there(path, "-wal")) {
        return vb_fail(e, VB_EFORMAT, "%s: damaged: %lld bytes are no whole number of pages", path,
                       (long long)st.st_size);
    }
    return VB_OK;
}

/* The row of the key, which is added when it is new. */
static vb_err find_key(vb_store *s, vb_error *e) {
    static const char *const sql[] = {
        "INSERT INTO keys(public) VALUES(?1) ON CONFLICT DO NOTHING",
        "SELECT id FROM keys WHERE public = ?1",
    };
    vb_err err = VB_OK;
    for (int i = 0; i < 2 && !err; i++) {
        sqlite3_stmt *q = NULL;
        int rc = sqlite3_prepare_v2(s->db, sql[i], -1, &q, NULL);
        if (!rc) {
            sqlite3_bind_blob(q, 1, s->public_key, sizeof s->public_key, SQLITE_STATIC);
            rc = sqlite3_step(q);
            s->key_row = rc == SQLITE_ROW ? sqlite3_column_int64(q, 0) : 0;
        }
        if (rc != (i == 0 ? SQLITE_DONE : SQLITE_ROW)) {
            err = vb_store_fail(s->path, s->db, rc, "write the key", e);
        }
        sqlite3_finalize(q);
    }
    return err;
}

/* Before anything is signed. */
static vb_err check_last(vb_store *s, vb_error *e) {
    sqlite3_stmt *q = NULL;
    int rc =
        sqlite3_prepare_v2(s->db, "SELECT max(sequence) FROM records WHERE key = ?1", -1, &q, NULL);
    if (!rc) {
        sqlite3_bind_int64(q, 1, s->key_row);
        rc = sqlite3_step(q);
        s->last = rc == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(q, 0) : 0; /* NULL is 0 */
    }
    vb_err err = rc == SQLITE_ROW ? vb_store_check_mark(s, s->last, e)
                                  : vb_store_fail(s->path, s->db, rc, "read the last number", e);
    sqlite3_finalize(q);
    return err;
}

static vb_err open_writer(vb_store *s, size_t *n_lost, vb_error *e) {
    int version;
    vb_err err = vb_store_connect(s->path, s->options.busy_timeout_ms, true, &s->db, e);
    if (err || (err = vb_store_check(s->path, s->db, &version, e))) {
        return err;
    }
    /* What another process has migrated meanwhile is found by the schema. */
    if ((err = vb_store_run(s->path, s->db, "BEGIN IMMEDIATE;", e)) ||
        (err = vb_store_migrate(s->path, s->db, version, e)) ||
        (err = vb_store_check_schema(s->path, s->db, 0, e)) || (err = find_key(s, e)) ||
        (err = check_last(s, e)) || (err = vb_store_run(s->path, s->db, "COMMIT;", e)) ||
        (err = vb_store_prepare(s, e)) ||
        (s->options.journal && (err = vb_store_journal_begin(s, e)))) {
        return err;
    }
    return vb_store_take_over(s, n_lost, e);
}

static vb_err open_reader(vb_store *s, vb_error *e) {
    int version = 0;
    sqlite3 *db;
    vb_err err = vb_store_reader_take(s, &db, e);
    if (!err) {
        err = vb_store_check(s->path, db, &version, e);
        if (!err) {
            err = vb_store_check_newest(s->path, version, e);
        }
        vb_store_reader_give(s, db);
    }
    return err;
}

/* The options' mark file, and what it says. */
static vb_err take_mark(vb_store *s, vb_error *e) {
    const char *path = s->options.mark_file ? s->options.mark_file : "";
    const int n = snprintf(s->mark_file, sizeof s->mark_file, "%s", path);
    s->options.mark_file = NULL;
    return n < 0 || n >= (int)sizeof s->mark_file
               ? vb_fail(e, VB_ELIMIT, "the path of the mark file is too long")
               : vb_store_read_mark(s, e);
}

static vb_store *make(const vb_ed25519_key *key, const vb_store_options *options) {
    vb_store *s = calloc(1, sizeof *s);
    if (s) {
        s->options = options ? *options : (vb_store_options){.read_only = false};
        s->options.busy_timeout_ms =
            s->options.busy_timeout_ms ? s->options.busy_timeout_ms : BUSY_TIMEOUT_MS;
        s->owners = -1;
        if (!s->options.read_only) {
            s->key = key;
            vb_ed25519_public(key, s->public_key);
        }
        pthread_mutex_init(&s->mutex, NULL);
        pthread_cond_init(&s->work, NULL);
        pthread_cond_init(&s->room, NULL);
        pthread_cond_init(&s->reader_given, NULL);
    }
    return s;
}

vb_err vb_store_open(const char *path, const vb_ed25519_key *key, const vb_store_options *options,
                     vb_store **out, size_t *n_lost, vb_error *e) {
    const size_t n = strlen(path);
    VB_ASSERT(key || (options && options->read_only));
    if (n == 0 || n >= VB_PATH_BYTES_MAX - 2 * SUFFIX_BYTES) {
        return vb_fail(e, VB_ELIMIT, "the store's path has %zu bytes: expected 1 to %u", n,
                       VB_PATH_BYTES_MAX - 2 * SUFFIX_BYTES - 1);
    }
    vb_store *s = make(key, options);
    if (!s) {
        return vb_fail(e, VB_ENOMEM, "no memory for a store");
    }
    memcpy(s->path, path, n + 1);
    bool absent;
    size_t lost = 0;
    vb_err err = look_at_file(path, &absent, e);
    if (!err && !s->options.read_only && !(err = take_mark(s, e)) && absent) {
        err = vb_store_check_mark(s, 0, e);
    }
    if (!err && absent) {
        err = s->options.read_only ? vb_fail(e, VB_EIO, "%s: there is no store of receipts", path)
                                   : vb_store_create(path, e);
    }
    if (!err) {
        err = s->options.read_only ? open_reader(s, e) : open_writer(s, &lost, e);
    }
    if (!err && !s->options.read_only) {
        err = vb_store_start(s, e);
    }
    if (err) {
        vb_store_close(s);
        return err;
    }
    if (n_lost) {
        *n_lost = lost;
    }
    *out = s;
    return VB_OK;
}

void vb_store_close(vb_store *s) {
    if (!s) {
        return;
    }
    vb_store_stop(s);
    vb_store_finalize(s);
    for (size_t i = 0; i < VB_STORE_READERS_MAX; i++) {
        VB_ASSERT(!s->reader_taken[i]);
        sqlite3_close(s->readers[i]);
    }
    sqlite3_close(s->db); /* a transaction that is open is rolled back */
    if (s->owners >= 0) {
        close(s->owners); /* after the last write: from now on open commitments are lost */
    }
    pthread_cond_destroy(&s->reader_given);
    pthread_cond_destroy(&s->room);
    pthread_cond_destroy(&s->work);
    pthread_mutex_destroy(&s->mutex);
    free(s);
}
