/*
 * The thread that writes. It takes what has queued up while the disk was busy, writes all of it in
 * one transaction, and tells the callers when that is on disk; then it keeps house (retention,
 * checkpoints), which nobody waits for.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/system.h"
#include "store/internal.h"

enum {
    GROUP_MAX = 256,      /* jobs of one transaction */
    CHECKPOINT_AT = 1000, /* pages of the log */
    RETAIN_AT_ONCE = 64,  /* records dropped in one transaction */
    VACUUM_PAGES = 256,   /* given back in one transaction */
    DROP_AT_ONCE = 4096,  /* entries of the journal dropped in one transaction */
    HOUSEKEEPING_MS = 60000
};
#define RETAIN_EVERY_NS 1000000000u
#define MARK_EVERY_NS 10000000000u

/* *in_commit: it failed when it was committed. */
static vb_err run_group(vb_store *s, vb_store_job **jobs, size_t n, bool *in_commit, vb_error *e) {
    vb_store_changes c;
    vb_err err = vb_store_begin(s, &c, e);
    for (size_t i = 0; i < n && !err; i++) {
        err = vb_store_apply(s, jobs[i], &c, e);
    }
    *in_commit = false;
    if (!err && !(err = vb_store_write_counts(s, &c, e))) {
        err = vb_store_commit_transaction(s, e);
        *in_commit = err != VB_OK;
        if (!err && c.counts[VB_COUNT_COMMITTED]) {
            s->last = c.last;
        }
        s->journal_grew |= !err && c.n_entries;
    }
    vb_store_rollback(s);
    return err;
}

/* One job may break the transaction of all (a record that memory does not suffice for): then each
 * gets its own. Not after a commit that failed, which says that the disk fails. */
static void write_group(vb_store *s, vb_store_job **jobs, size_t n) {
    vb_error e;
    bool in_commit;
    vb_err err = run_group(s, jobs, n, &in_commit, &e);
    for (size_t i = 0; err && i < n; i++) {
        vb_err own = err;
        if (n > 1 && !in_commit) {
            bool ignored;
            own = run_group(s, &jobs[i], 1, &ignored, &e);
        } else if (jobs[i]->err) {
            own = VB_OK; /* it was refused before, which is what its caller is told */
        }
        if (own) {
            jobs[i]->err = own;
            jobs[i]->error = e;
        }
    }
}

/* Drops at most RETAIN_AT_ONCE records. */
static vb_err retain_some(vb_store *s, uint64_t *n, vb_error *e) {
    char sql[64];
    vb_store_changes c;
    *n = 0;
    vb_err err = vb_store_begin(s, &c, e);
    if (!err && !(err = vb_store_apply_retention(s, RETAIN_AT_ONCE, n, &c, e)) && *n &&
        !(err = vb_store_write_counts(s, &c, e))) {
        snprintf(sql, sizeof sql, "PRAGMA incremental_vacuum(%d);", VACUUM_PAGES);
        err = vb_store_run(s->path, s->db, sql, e);
    }
    if (!err) {
        err = vb_store_commit_transaction(s, e);
    }
    vb_store_rollback(s);
    return err;
}

static void retain_all(vb_store *s, vb_store_job *job) {
    uint64_t n = 0;
    do {
        job->err = retain_some(s, &n, &job->error);
        job->n_dropped += job->err ? 0 : n;
    } while (!job->err && n == RETAIN_AT_ONCE);
}

/* Drops at most DROP_AT_ONCE entries. The next ones take their pages, so these are given back only
 * where there are many. */
static vb_err drop_some(vb_store *s, uint64_t below, uint64_t *n, vb_error *e) {
    char sql[64];
    vb_store_changes c;
    *n = 0;
    vb_err err = vb_store_begin(s, &c, e);
    if (!err && (!c.has_journal || below > (uint64_t)c.next_entry)) {
        err = vb_fail(e, VB_EINVAL, "%s: its journal has no %" PRIu64 " entries", s->path, below);
    }
    if (!err && !(err = vb_store_journal_drop_some(s, below, DROP_AT_ONCE, n, e)) &&
        *n == DROP_AT_ONCE) {
        snprintf(sql, sizeof sql, "PRAGMA incremental_vacuum(%d);", VACUUM_PAGES);
        err = vb_store_run(s->path, s->db, sql, e);
    }
    if (!err) {
        err = vb_store_commit_transaction(s, e);
    }
    vb_store_rollback(s);
    return err;
}

static void drop_all(vb_store *s, vb_store_job *job) {
    uint64_t n = 0;
    do {
        job->err = drop_some(s, job->below, &n, &job->error);
    } while (!job->err && n == DROP_AT_ONCE);
}

static vb_err checkpoint(vb_store *s, vb_error *e) {
    const int rc = sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    /* Busy: another process is at it. */
    return rc == SQLITE_OK || (rc & 0xff) == SQLITE_BUSY
               ? VB_OK
               : vb_store_fail(s->path, s->db, rc, "checkpoint", e);
}

/* When each is due. */
typedef struct housekeeping {
    uint64_t retain_ns, mark_ns;
} housekeeping;

static void keep_house(vb_store *s, housekeeping *next) {
    uint64_t n = 0, failures = 0;
    if ((s->options.keep_ms || s->options.keep_bytes) && vb_clock_ns() >= next->retain_ns) {
        failures += retain_some(s, &n, NULL) != VB_OK;
        next->retain_ns = n == RETAIN_AT_ONCE ? 0 : vb_clock_ns() + RETAIN_EVERY_NS;
    }
    if (vb_clock_ns() >= next->mark_ns) {
        failures += vb_store_write_mark(s, NULL) != VB_OK;
        next->mark_ns = vb_clock_ns() + MARK_EVERY_NS;
    }
    if (s->wal_pages >= CHECKPOINT_AT) {
        failures += checkpoint(s, NULL) != VB_OK;
    }
    pthread_mutex_lock(&s->mutex);
    s->n_housekeeping_failures += failures;
    pthread_mutex_unlock(&s->mutex);
}

static int on_wal(void *user, sqlite3 *db, const char *name, int pages) {
    (void)db;
    (void)name;
    ((vb_store *)user)->wal_pages = pages;
    return SQLITE_OK;
}

/* Waits for work or for the time to keep house; the mutex is held. */
static void wait_for_work(vb_store *s) {
    struct timespec until;
    const uint64_t ms = vb_unix_ms() + HOUSEKEEPING_MS;
    until.tv_sec = (time_t)(ms / 1000);
    until.tv_nsec = (long)(ms % 1000) * 1000000;
    while (!s->n_queued && !s->stop) {
        if (pthread_cond_timedwait(&s->work, &s->mutex, &until) == ETIMEDOUT) {
            break;
        }
    }
}

static size_t take_jobs(vb_store *s, vb_store_job *jobs[GROUP_MAX]) {
    size_t n = 0;
    for (; n < GROUP_MAX && s->n_queued; n++) {
        jobs[n] = s->queue[s->head];
        s->head = (s->head + 1) % VB_STORE_QUEUE_MAX;
        s->n_queued--;
    }
    if (n) {
        pthread_cond_broadcast(&s->room);
    }
    return n;
}

/* The records first, all together; then what was asked of retention and of the journal. */
static void serve(vb_store *s, vb_store_job **jobs, size_t n) {
    vb_store_job *records[GROUP_MAX];
    size_t n_records = 0;
    for (size_t i = 0; i < n; i++) {
        if (jobs[i]->kind == VB_JOB_COMMIT || jobs[i]->kind == VB_JOB_SETTLE) {
            records[n_records++] = jobs[i];
        }
    }
    s->journal_grew = false;
    if (n_records) {
        write_group(s, records, n_records);
    }
    for (size_t i = 0; i < n; i++) {
        if (jobs[i]->kind == VB_JOB_RETAIN) {
            retain_all(s, jobs[i]);
        } else if (jobs[i]->kind == VB_JOB_JOURNAL_DROP) {
            drop_all(s, jobs[i]);
        }
    }
    pthread_mutex_lock(&s->mutex);
    s->n_groups += n_records != 0;
    if (s->journal_grew && s->on_growth) {
        s->on_growth(s->growth_user);
    }
    for (size_t i = 0; i < n; i++) {
        jobs[i]->done = true; /* its caller's stack may be gone once the mutex is given */
        pthread_cond_signal(&jobs[i]->told);
    }
    pthread_mutex_unlock(&s->mutex);
}

static void *write_records(void *user) {
    vb_store *s = user;
    vb_store_job *jobs[GROUP_MAX];
    housekeeping next = {0, 0};
    for (;;) {
        pthread_mutex_lock(&s->mutex);
        wait_for_work(s);
        const size_t n = take_jobs(s, jobs);
        const bool stop = s->stop;
        pthread_mutex_unlock(&s->mutex);
        if (n) {
            serve(s, jobs, n);
        } else if (stop) {
            break;
        }
        keep_house(s, &next);
    }
    vb_err err = vb_store_write_mark(s, NULL);
    (void)err; /* it stays behind, which it may */
    return NULL;
}

vb_err vb_store_start(vb_store *s, vb_error *e) {
    sigset_t all, before;
    sqlite3_wal_hook(s->db, on_wal, s);
    /* Signals are for the threads of the program. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int rc = pthread_create(&s->thread, NULL, write_records, s);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc) {
        return vb_fail(e, VB_EIO, "%s: cannot start a thread: %s", s->path, strerror(rc));
    }
    s->started = true;
    return VB_OK;
}

void vb_store_stop(vb_store *s) {
    if (s->started) {
        pthread_mutex_lock(&s->mutex);
        s->stop = true;
        pthread_cond_signal(&s->work);
        pthread_mutex_unlock(&s->mutex);
        pthread_join(s->thread, NULL);
        s->started = false;
    }
}

/* Hands the job to the writer and waits for its end. */
static vb_err wait_for(vb_store *s, vb_store_job *job, vb_error *e) {
    pthread_cond_init(&job->told, NULL);
    pthread_mutex_lock(&s->mutex);
    while (s->n_queued == VB_STORE_QUEUE_MAX) {
        pthread_cond_wait(&s->room, &s->mutex);
    }
    s->queue[(s->head + s->n_queued) % VB_STORE_QUEUE_MAX] = job;
    s->n_queued++;
    pthread_cond_signal(&s->work);
    while (!job->done) {
        pthread_cond_wait(&job->told, &s->mutex);
    }
    pthread_mutex_unlock(&s->mutex);
    pthread_cond_destroy(&job->told);
    return job->err ? vb_fail(e, job->err, "%s", job->error.msg) : VB_OK;
}

static vb_err writable(const vb_store *s, vb_error *e) {
    return s->key ? VB_OK : vb_fail(e, VB_EINVAL, "%s: opened for reading only", s->path);
}

vb_err vb_store_commit(vb_store *s, vb_receipt *r, vb_error *e) {
    return vb_store_commit_for(s, r, NULL, e);
}

vb_err vb_store_commit_for(vb_store *s, vb_receipt *r, const char *client, vb_error *e) {
    const size_t n_client = client ? strlen(client) : 1;
    vb_err err = writable(s, e);
    if (!err && (n_client < 1 || n_client > VB_STORE_CLIENT_BYTES_MAX)) {
        err = vb_fail(e, VB_EINVAL, "a client's name of %zu bytes: expected 1 to %u", n_client,
                      VB_STORE_CLIENT_BYTES_MAX);
    }
    if (err) {
        return err;
    }
    vb_store_job job = {.kind = VB_JOB_COMMIT, .commit = r, .client = client, .sets_id = !r->id[0]};
    if ((err = wait_for(s, &job, e))) {
        /* A signature under a number that somebody else will get must not be seen. */
        r->request.sequence = 0;
        r->request.issued_at_ms = 0;
        memset(r->commitment, 0, sizeof r->commitment);
        memset(r->commitment_signature, 0, sizeof r->commitment_signature);
        if (job.sets_id) {
            r->id[0] = 0;
        }
    }
    return err;
}

/* What this store signed is all it takes back. */
static vb_err check_receipt(const vb_store *s, const vb_receipt *r, uint8_t hash[VB_SHA256_BYTES],
                            vb_error *e) {
    if (memcmp(r->request.server_key, s->public_key, sizeof s->public_key) != 0) {
        return vb_fail(e, VB_EMISMATCH, "request.server_key is not the store's key");
    }
    vb_err err = vb_commitment_check(r, e);
    if (!err && !(err = vb_receipt_verification_hash(r, hash, e)) &&
        (err = vb_ed25519_verify(s->public_key, sizeof s->public_key, hash, VB_SHA256_BYTES,
                                 r->signature, sizeof r->signature, e))) {
        vb_fail_in(e, err, "the receipt's signature");
    }
    return err;
}

vb_err vb_store_receipt(vb_store *s, const vb_receipt *r, vb_error *e) {
    vb_buf bytes = vb_buf_make(VB_RECEIPT_BYTES_MAX);
    vb_store_job job = {.kind = VB_JOB_SETTLE, .settle = r, .state = VB_STORE_RECEIPT};
    vb_err err = writable(s, e);
    if (!err && !(err = check_receipt(s, r, job.hash, e)) &&
        !(err = vb_receipt_encode(r, &bytes, e))) {
        job.bytes = &bytes;
        job.settled_at_ms = vb_unix_ms();
        memcpy(job.signature, r->signature, sizeof job.signature);
        err = wait_for(s, &job, e);
    }
    vb_buf_free(&bytes);
    return err;
}

vb_err vb_store_abort(vb_store *s, const vb_receipt *r, vb_abort_reason reason, vb_error *e) {
    vb_buf bytes = vb_buf_make(VB_COMMITMENT_BYTES_MAX);
    vb_store_job job;
    vb_err err = writable(s, e);
    if (!err && !(err = vb_store_make_abort(s, r, reason, &bytes, &job, e))) {
        err = wait_for(s, &job, e);
    }
    vb_buf_free(&bytes);
    return err;
}

vb_err vb_store_retain(vb_store *s, uint64_t *n_dropped, vb_error *e) {
    vb_store_job job = {.kind = VB_JOB_RETAIN};
    vb_err err = writable(s, e);
    if (!err && !(err = wait_for(s, &job, e)) && n_dropped) {
        *n_dropped = job.n_dropped;
    }
    return err;
}

vb_err vb_store_journal_drop(vb_store *s, uint64_t below, vb_error *e) {
    vb_store_job job = {.kind = VB_JOB_JOURNAL_DROP, .below = below};
    vb_err err = writable(s, e);
    return err ? err : wait_for(s, &job, e);
}

void vb_store_journal_on_growth(vb_store *s, void (*fn)(void *user), void *user) {
    pthread_mutex_lock(&s->mutex);
    s->on_growth = fn;
    s->growth_user = user;
    pthread_mutex_unlock(&s->mutex);
}
