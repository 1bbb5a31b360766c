/*
 * What the files of this folder share. Connections: one that writes, used by the opening thread and
 * then by the writer's thread alone; a few that read, each used by one call at a time.
 */
#ifndef VB_STORE_INTERNAL_H
#define VB_STORE_INTERNAL_H

#include <pthread.h>
#include <sqlite3.h>

#include "store/store.h"
#include "tlog/entry.h"

enum { VB_STORE_PAGE_BYTES = 4096 };

/* Statements of the writer, prepared once. */
typedef enum vb_store_sql {
    VB_SQL_BEGIN,
    VB_SQL_COMMIT,
    VB_SQL_ROLLBACK,
    VB_SQL_LAST,
    VB_SQL_INSERT_RECORD,
    VB_SQL_INSERT_BODY,
    VB_SQL_FIND_OPEN,
    VB_SQL_SETTLE,
    VB_SQL_REPLACE_BODY,
    VB_SQL_COUNT,
    VB_SQL_OLDEST,
    VB_SQL_DROP_RECORD,
    VB_SQL_DROP_BODY,
    VB_SQL_BYTES,
    VB_SQL_JOURNAL,
    VB_SQL_JOURNAL_ADD,
    VB_SQL_JOURNAL_NEXT,
    VB_SQL_JOURNAL_DROP,
    VB_SQL_N
} vb_store_sql;

/* Rows of the table counts; abort reason r is VB_COUNT_ABORTS + r. */
enum {
    VB_COUNT_COMMITTED,
    VB_COUNT_RECEIPTS,
    VB_COUNT_ABORTS, /* + 1 .. + 4 */
    VB_COUNT_DROPPED = VB_COUNT_ABORTS + VB_ABORT_LOST + 1,
    VB_COUNT_BYTES,
    VB_COUNT_N
};

typedef enum vb_store_job_kind {
    VB_JOB_COMMIT,
    VB_JOB_SETTLE,
    VB_JOB_RETAIN,
    VB_JOB_JOURNAL_DROP
} vb_store_job_kind;

/* What a caller waits for; it lives on the caller's stack. */
typedef struct vb_store_job {
    vb_store_job_kind kind;
    vb_receipt *commit;       /* COMMIT */
    const char *client;       /* COMMIT; NULL: not known */
    bool sets_id;             /* COMMIT */
    const vb_receipt *settle; /* SETTLE; the rest belongs to it */
    vb_store_state state;
    vb_abort_reason reason;
    uint64_t settled_at_ms;
    uint8_t hash[VB_SHA256_BYTES]; /* what the record's signature signs */
    uint8_t signature[VB_ED25519_SIGNATURE_BYTES];
    const vb_buf *bytes;
    uint64_t n_dropped; /* RETAIN */
    uint64_t below;     /* JOURNAL_DROP */
    vb_err err;
    vb_error error;
    bool done;
    pthread_cond_t told;
} vb_store_job;

struct vb_store {
    char path[VB_PATH_BYTES_MAX];
    const vb_ed25519_key *key; /* NULL: read only */
    uint8_t public_key[VB_ED25519_PUBLIC_BYTES];
    vb_store_options options;

    /* Writing. */
    sqlite3 *db;
    sqlite3_stmt *sql[VB_SQL_N];
    int64_t key_row;
    int owners; /* FILE-owners, of which byte `owner` is locked; -1: none */
    int64_t owner;
    int wal_pages;     /* after the last commit */
    uint64_t last;     /* the key's last number that is on disk, as far as this process knows */
    bool journal_grew; /* in the last transaction; the writer's thread */
    char mark_file[VB_PATH_BYTES_MAX]; /* "": none */
    uint64_t marked;                   /* what the mark says */
    pthread_t thread;
    bool started;

    pthread_mutex_t mutex; /* of all below */
    pthread_cond_t work, room;
    vb_store_job *queue[VB_STORE_QUEUE_MAX];
    size_t head, n_queued;
    bool stop;
    uint64_t n_groups, n_housekeeping_failures;
    void (*on_growth)(void *user);
    void *growth_user;

    pthread_cond_t reader_given;
    sqlite3 *readers[VB_STORE_READERS_MAX]; /* NULL: not opened yet */
    bool reader_taken[VB_STORE_READERS_MAX];
};

/* database.c: connections, schema, checks. */

/* The error of a failed SQLite call on db (NULL: none yet), with the file's name. */
vb_err vb_store_fail(const char *path, sqlite3 *db, int rc, const char *what, vb_error *e);
VB_MUST_CHECK vb_err vb_store_connect(const char *path, uint32_t busy_timeout_ms, bool writes,
                                      sqlite3 **out, vb_error *e);
VB_MUST_CHECK vb_err vb_store_run(const char *path, sqlite3 *db, const char *sql, vb_error *e);
/* Makes the file, whole or not at all; VB_OK too when another process was first. */
VB_MUST_CHECK vb_err vb_store_create(const char *path, vb_error *e);
/* A store of ours, of a version that is known, and sound. */
VB_MUST_CHECK vb_err vb_store_check(const char *path, sqlite3 *db, int *version, vb_error *e);
/* In a transaction: from version to the newest; then the schema must be exactly ours. */
VB_MUST_CHECK vb_err vb_store_migrate(const char *path, sqlite3 *db, int version, vb_error *e);
/* The schema is exactly that of the version; 0: of the newest. */
VB_MUST_CHECK vb_err vb_store_check_schema(const char *path, sqlite3 *db, int version, vb_error *e);
/* VB_EUNSUPPORTED unless the version is the newest. */
VB_MUST_CHECK vb_err vb_store_check_newest(const char *path, int version, vb_error *e);

/* apply.c: what a job does to the tables, inside a transaction. */

typedef struct vb_store_changes {
    uint64_t last; /* the key's last number */
    int64_t counts[VB_COUNT_N];
    bool has_journal;
    int64_t next_entry; /* of the journal */
    int64_t n_entries;  /* that this transaction added */
} vb_store_changes;

VB_MUST_CHECK vb_err vb_store_prepare(vb_store *s, vb_error *e);
void vb_store_finalize(vb_store *s);
/* Runs a statement that gives no row, and makes it ready for its next use. */
VB_MUST_CHECK vb_err vb_store_finish(vb_store *s, vb_store_sql which, const char *what,
                                     vb_error *e);
VB_MUST_CHECK vb_err vb_store_begin(vb_store *s, vb_store_changes *c, vb_error *e);
/* Counts, and how far the journal has come. */
VB_MUST_CHECK vb_err vb_store_write_counts(vb_store *s, const vb_store_changes *c, vb_error *e);
VB_MUST_CHECK vb_err vb_store_commit_transaction(vb_store *s, vb_error *e);
void vb_store_rollback(vb_store *s);

/* What goes wrong with the job alone is job->err, and nothing was changed; what is returned is
 * wrong with the transaction. */
VB_MUST_CHECK vb_err vb_store_apply(vb_store *s, vb_store_job *job, vb_store_changes *c,
                                    vb_error *e);
/* At most max records; *n of them were dropped. */
VB_MUST_CHECK vb_err vb_store_apply_retention(vb_store *s, uint64_t max, uint64_t *n,
                                              vb_store_changes *c, vb_error *e);
/* Fills a SETTLE job with r's abort record, whose bytes go to out. */
VB_MUST_CHECK vb_err vb_store_make_abort(const vb_store *s, const vb_receipt *r,
                                         vb_abort_reason reason, vb_buf *out, vb_store_job *job,
                                         vb_error *e);

/* journal.c */

/* In a transaction: whether the key has a journal, which another process may have begun. */
VB_MUST_CHECK vb_err vb_store_journal_find(vb_store *s, vb_store_changes *c, vb_error *e);
/* Its number is c->next_entry before the call. Only with a journal. */
VB_MUST_CHECK vb_err vb_store_journal_add(vb_store *s, const vb_tlog_entry *entry,
                                          vb_store_changes *c, vb_error *e);
VB_MUST_CHECK vb_err vb_store_journal_write_next(vb_store *s, const vb_store_changes *c,
                                                 vb_error *e);
/* Begins one, when there is none, with the entries of all records; a transaction of its own. */
VB_MUST_CHECK vb_err vb_store_journal_begin(vb_store *s, vb_error *e);
/* At most max entries; *n were dropped. In a transaction. */
VB_MUST_CHECK vb_err vb_store_journal_drop_some(vb_store *s, uint64_t below, uint64_t max,
                                                uint64_t *n, vb_error *e);

/* mark.c: how far the key has counted, apart from the store. */

/* Reads s->mark_file, if there is one, into s->marked. */
VB_MUST_CHECK vb_err vb_store_read_mark(vb_store *s, vb_error *e);
/* VB_EMISMATCH when the key has counted further than `last`, the store's last number of it. */
VB_MUST_CHECK vb_err vb_store_check_mark(const vb_store *s, uint64_t last, vb_error *e);
/* Brings the mark up to s->last; on the writer's thread. */
VB_MUST_CHECK vb_err vb_store_write_mark(vb_store *s, vb_error *e);

/* owners.c: who is alive. */

/* Finds out the dead, settles their commitments as lost and takes an owner's number. */
VB_MUST_CHECK vb_err vb_store_take_over(vb_store *s, size_t *n_lost, vb_error *e);

/* writer.c */

VB_MUST_CHECK vb_err vb_store_start(vb_store *s, vb_error *e);
void vb_store_stop(vb_store *s); /* also when it was not started */

/* read.c */

VB_MUST_CHECK vb_err vb_store_reader_take(vb_store *s, sqlite3 **out, vb_error *e);
void vb_store_reader_give(vb_store *s, sqlite3 *db);

#endif
