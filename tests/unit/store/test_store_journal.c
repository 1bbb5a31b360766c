/* The journal of the store: an entry for every commitment, receipt and abort record, in the order
 * in which they came to be, whatever ends the process; and what is dropped of it, and when. */
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "base/system.h"
#include "unit/store/journal_test.h"

static vb_error e;
static const vb_store_options journal = {.journal = true};

static vb_store_journal bounds(vb_store *s) {
    vb_store_journal j;
    MUST(vb_store_journal_get(s, &j, &e), &e);
    return j;
}

static void commit(vb_store *s, const char *id, vb_receipt *r) {
    fill_request(r, id);
    MUST(vb_store_commit(s, r, &e), &e);
}

static vb_err count_one(void *user, uint64_t number, const uint8_t *entry, size_t n_bytes,
                        vb_error *error) {
    (void)number;
    (void)entry;
    (void)n_bytes;
    size_t *n = user;
    ++*n;
    return *n == 4 ? vb_fail(error, VB_ECANCELLED, "enough") : VB_OK;
}

static void life(void **state) {
    (void)state;
    vb_receipt r;
    vb_store_entry entry;
    vb_store *s = open_store(&journal, NULL);
    assert_true(bounds(s).on && bounds(s).first == 0 && bounds(s).end == 0);
    commit(s, "vr-1", &r);
    assert_int_equal(bounds(s).end, 1);
    MUST(vb_store_by_id(s, "vr-1", &entry, NULL, NULL, &e), &e);
    assert_int_equal(entry.committed_entry, 0);
    assert_true(entry.settled_entry == VB_STORE_NO_ENTRY);
    assert_int_equal(add_abort(s, "vr-2", VB_ABORT_BEACON), 2);
    finish_receipt(&r);
    MUST(vb_store_receipt(s, &r, &e), &e);
    MUST(vb_store_by_id(s, "vr-1", &entry, NULL, NULL, &e), &e);
    assert_int_equal(entry.settled_entry, 3);
    /* What is refused is in no journal. */
    assert_int_equal(vb_store_receipt(s, &r, &e), VB_EINVAL);
    assert_int_equal(vb_store_abort(s, &r, VB_ABORT_FAILED, &e), VB_EINVAL);
    vb_receipt_free(&r);
    fill_request(&r, "vr-x");
    r.request.max_tokens = 0;
    assert_int_equal(vb_store_commit(s, &r, &e), VB_EFORMAT);
    vb_receipt_free(&r);
    assert_int_equal(bounds(s).end, 4);
    audit_journal(s);

    add_receipt(s, "vr-3");
    size_t n = 0;
    assert_int_equal(vb_store_journal_read(s, 0, 3, count_one, &n, &e), VB_OK);
    assert_int_equal(n, 3);
    assert_int_equal(vb_store_journal_read(s, 1, 9, count_one, &n, &e), VB_ECANCELLED);
    assert_string_equal(e.msg, "enough");
    vb_store_close(s);
}

static void dropping(void **state) {
    (void)state;
    size_t n = 10;
    vb_store *s = open_store(&journal, NULL);
    for (int i = 0; i < 3; i++) {
        add_receipt(s, "vr");
    }
    assert_int_equal(vb_store_journal_drop(s, 7, &e), VB_EINVAL);
    assert_int_equal(bounds(s).first, 0);
    MUST(vb_store_journal_drop(s, 4, &e), &e);
    MUST(vb_store_journal_drop(s, 2, &e), &e); /* again, and less: they are gone already */
    assert_int_equal(bounds(s).first, 4);
    assert_int_equal(bounds(s).end, 6);
    assert_int_equal(vb_store_journal_read(s, 3, 9, count_one, &n, &e), VB_EMISMATCH);
    assert_int_equal(n, 10);
    MUST(vb_store_journal_read(s, 4, 9, count_one, &n, &e), &e);
    assert_int_equal(n, 12);
    MUST(vb_store_journal_drop(s, 6, &e), &e);
    assert_true(bounds(s).first == 6 && bounds(s).end == 6);
    MUST(vb_store_journal_read(s, 6, 9, count_one, &n, &e), &e);
    assert_int_equal(n, 12);
    vb_store_close(s);

    s = open_store(&journal, NULL); /* numbers go on */
    assert_true(bounds(s).first == 6 && bounds(s).end == 6);
    add_abort(s, "vr", VB_ABORT_FAILED);
    assert_int_equal(bounds(s).end, 8);
    vb_store_entry entry;
    MUST(vb_store_by_sequence(s, NULL, 4, &entry, NULL, NULL, &e), &e);
    assert_true(entry.committed_entry == 6 && entry.settled_entry == 7);
    vb_store_close(s);

    const vb_store_options reading = {.read_only = true};
    MUST(vb_store_open(path, NULL, &reading, &s, NULL, &e), &e);
    assert_int_equal(vb_store_journal_drop(s, 8, &e), VB_EINVAL);
    vb_store_close(s);
}

/* More than one transaction drops. */
static void dropping_many(void **state) {
    (void)state;
    char sql[400];
    vb_store *s = open_store(&journal, NULL);
    add_receipt(s, "vr");
    vb_store_close(s);
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    snprintf(sql, sizeof sql,
             "WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 19999)"
             "INSERT INTO journal SELECT 1, i, zeroblob(500) FROM n;"
             "UPDATE journals SET next = 20000;");
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    s = open_store(&journal, NULL);
    MUST(vb_store_journal_drop(s, 19990, &e), &e);
    assert_true(bounds(s).first == 19990 && bounds(s).end == 20000);
    vb_store_close(s);
}

/* Without the option there is none; with it the records that are there get theirs, but for those
 * that retention has dropped; and then it is for good. */
static void begun_later(void **state) {
    (void)state;
    vb_receipt lost;
    vb_store_entry entry;
    vb_store *s = open_store(NULL, NULL);
    assert_false(bounds(s).on);
    add_receipt(s, "vr-1");
    add_abort(s, "vr-2", VB_ABORT_CANCELLED);
    add_receipt(s, "vr-3");
    MUST(vb_store_by_id(s, "vr-3", &entry, NULL, NULL, &e), &e);
    assert_true(entry.committed_entry == VB_STORE_NO_ENTRY);
    uint64_t kept = entry.n_bytes, n_dropped;
    add_abort(s, "vr-4", VB_ABORT_BEACON);
    MUST(vb_store_by_id(s, "vr-4", &entry, NULL, NULL, &e), &e);
    kept += entry.n_bytes;
    assert_int_equal(vb_store_journal_drop(s, 0, &e), VB_EINVAL);
    vb_store_close(s);
    const vb_store_options keep = {.keep_bytes = kept};
    s = open_store(&keep, NULL);
    MUST(vb_store_retain(s, &n_dropped, &e), &e);
    assert_int_equal(n_dropped, 2);
    vb_store_close(s);
    s = open_store(NULL, NULL);
    commit(s, "vr-5", &lost);
    vb_receipt_free(&lost);
    vb_store_close(s);

    size_t n_lost = 0;
    s = open_store(&journal, &n_lost);
    assert_int_equal(n_lost, 1);
    journal_audit a = audit_rest(s, (journal_audit){.n = 0});
    assert_true(a.first == 3 && a.last == 5 && a.n == 6);
    /* Commitments by number, then settlements; the lost one's last. */
    assert_true(a.of[3].committed_at == 0 && a.of[4].committed_at == 1 &&
                a.of[5].committed_at == 2);
    assert_true(a.of[3].settled_at == 3 && a.of[4].settled_at == 4 && a.of[5].settled_at == 5);
    assert_int_equal(a.of[5].settled.reason, VB_ABORT_LOST);
    free(a.of);
    vb_store_close(s);

    s = open_store(NULL, NULL); /* without the option */
    assert_int_equal(add_receipt(s, "vr-6"), 6);
    assert_int_equal(bounds(s).end, 8);
    audit_journal(s);
    vb_store_close(s);
    s = open_store(&journal, NULL);
    assert_int_equal(bounds(s).end, 8);
    vb_store_close(s);
}

/* A process that opened the store before another one began the journal keeps it too. */
static void begun_meanwhile(void **state) {
    (void)state;
    vb_receipt open;
    vb_store *before = open_store(NULL, NULL);
    commit(before, "vr-1", &open);
    vb_store *s = open_store(&journal, NULL);
    assert_int_equal(bounds(s).end, 1);
    add_receipt(before, "vr-2");
    MUST(vb_store_abort(before, &open, VB_ABORT_FAILED, &e), &e);
    add_receipt(s, "vr-3");
    assert_int_equal(bounds(before).end, 6);
    audit_journal(s);
    vb_receipt_free(&open);
    vb_store_close(before);
    vb_store_close(s);
}

/* Each key has its own. */
static void two_keys(void **state) {
    (void)state;
    vb_ed25519_key *other;
    vb_store *s = open_store(&journal, NULL), *t = NULL;
    MUST(vb_ed25519_generate(&other, &e), &e);
    MUST(vb_store_open(path, other, NULL, &t, NULL, &e), &e);
    add_receipt(s, "vr-1");
    vb_receipt r;
    commit(t, "vr-other", &r);
    vb_receipt_free(&r);
    assert_false(bounds(t).on);
    vb_store_close(t);
    MUST(vb_store_open(path, other, &journal, &t, NULL, &e), &e);
    assert_int_equal(bounds(t).end, 2); /* committed, lost */
    assert_int_equal(bounds(s).end, 2);
    vb_store_close(t);
    audit_journal(s);
    vb_store_close(s);
    vb_ed25519_close(other);
}

static void run_sql(const char *sql) {
    sqlite3 *db;
    char *message = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &message)) {
        fail_msg("%s", message);
    }
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void damaged(void **state) {
    (void)state;
    static const char *const changes[] = {
        "DELETE FROM journal WHERE number = 2",    "DELETE FROM journal WHERE number = 3",
        "UPDATE journals SET next = next + 1",     "UPDATE journals SET next = next - 1",
        "INSERT INTO journal VALUES(1, 9, X'00')", "CREATE INDEX i ON journal(entry)",
    };
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        assert_int_equal(clear_dir(NULL), 0);
        vb_store *s = open_store(&journal, NULL);
        add_receipt(s, "vr-1");
        add_receipt(s, "vr-2");
        vb_store_close(s);
        run_sql(changes[i]);
        assert_int_equal(vb_store_open(path, key, &journal, &s, NULL, &e), VB_EFORMAT);
        assert_non_null(strstr(e.msg, "damaged"));
    }
}

/* A record that is not what it says gets into no log: nothing is begun. */
static void damaged_before(void **state) {
    (void)state;
    /* Of record 2: not well-formed, another record's, and one whose signature does not hold. */
    static const char *const bytes[] = {
        "replace(CAST(bytes AS TEXT), '\"nonce\":\"\"', '\"nonce\":8')",
        "(SELECT bytes FROM bodies WHERE place = 1)",
        "replace(CAST(bytes AS TEXT), '\"tier\":\"test\"', '\"tier\":\"tEst\"')",
    };
    static const char count_again[] =
        "UPDATE records SET n_bytes = (SELECT length(bytes) FROM bodies WHERE place = 2)"
        " WHERE place = 2;"
        "UPDATE counts SET n = (SELECT sum(n_bytes) FROM records) WHERE what = 8";
    for (size_t i = 0; i < sizeof bytes / sizeof bytes[0]; i++) {
        assert_int_equal(clear_dir(NULL), 0);
        vb_store *s = open_store(NULL, NULL);
        for (int n = 0; n < 3; n++) {
            add_receipt(s, "vr");
        }
        vb_store_close(s);
        char sql[256];
        snprintf(sql, sizeof sql, "UPDATE bodies SET bytes = CAST(%s AS BLOB) WHERE place = 2",
                 bytes[i]);
        run_sql(sql);
        run_sql(count_again);
        const vb_err err = vb_store_open(path, key, &journal, &s, NULL, &e);
        assert_true(err == VB_EFORMAT || err == VB_EMISMATCH);
        assert_non_null(strstr(e.msg, "record 2"));
        s = open_store(NULL, NULL);
        assert_false(bounds(s).on);
        vb_store_close(s);
    }
}

static void count_growth(void *user) {
    __atomic_fetch_add((int *)user, 1, __ATOMIC_SEQ_CST);
}

static void growth_is_told(void **state) {
    (void)state;
    int n = 0;
    vb_receipt r;
    vb_store *s = open_store(&journal, NULL);
    vb_store_journal_on_growth(s, count_growth, &n);
    commit(s, "vr-1", &r);
    assert_int_equal(n, 1); /* before the commitment's caller is */
    assert_int_equal(vb_store_receipt(s, &r, &e), VB_EMISMATCH);
    MUST(vb_store_retain(s, NULL, &e), &e);
    MUST(vb_store_journal_drop(s, 1, &e), &e);
    assert_int_equal(n, 1);
    MUST(vb_store_abort(s, &r, VB_ABORT_FAILED, &e), &e);
    assert_int_equal(n, 2);
    vb_store_journal_on_growth(s, NULL, NULL);
    add_receipt(s, "vr-2");
    assert_int_equal(n, 2);
    vb_receipt_free(&r);
    vb_store_close(s);
}

/* A process that is killed at any moment while one thread publishes what others make: here into
 * memory that outlives it. What was published, and what the journal has beyond it, is everything.
 */
enum { KILLS = 80, ANSWERING = 3, PUBLISHED_MAX = 1 << 15 };

typedef struct public_log {
    uint64_t n; /* whole entries */
    uint16_t n_bytes[PUBLISHED_MAX];
    uint8_t entries[PUBLISHED_MAX][VB_TLOG_ENTRY_BYTES_MAX];
} public_log;

static public_log *published;

static vb_err publish_one(void *user, uint64_t number, const uint8_t *entry, size_t n_bytes,
                          vb_error *error) {
    (void)user;
    (void)error;
    assert_int_equal(number, published->n);
    assert_true(number < PUBLISHED_MAX);
    memcpy(published->entries[number], entry, n_bytes);
    published->n_bytes[number] = (uint16_t)n_bytes;
    __atomic_store_n(&published->n, number + 1, __ATOMIC_SEQ_CST);
    return VB_OK;
}

static void *publish_on(void *user) {
    vb_store *s = user;
    vb_error own;
    for (;;) {
        MUST(vb_store_journal_read(s, published->n, 5, publish_one, NULL, &own), &own);
        MUST(vb_store_journal_drop(s, published->n, &own), &own);
    }
    return NULL;
}

static void *answer(void *user) {
    vb_error own;
    for (unsigned i = 0;; i++) {
        vb_receipt r;
        fill_request(&r, "vr");
        MUST(vb_store_commit(user, &r, &own), &own);
        if (i % 4 == 3) {
            MUST(vb_store_abort(user, &r, VB_ABORT_CANCELLED, &own), &own);
        } else {
            finish_receipt(&r);
            MUST(vb_store_receipt(user, &r, &own), &own);
        }
        vb_receipt_free(&r);
    }
    return NULL;
}

static void serve(void) {
    pthread_t thread;
    const vb_store_options options = {.journal = true, .keep_bytes = 1 << 18};
    vb_store *s = open_store(&options, NULL);
    for (int i = 0; i < ANSWERING; i++) {
        if (pthread_create(&thread, NULL, answer, s)) {
            abort();
        }
    }
    publish_on(s);
}

static void killed(void **state) {
    (void)state;
    uint64_t seed = 5, n_last = 0;
    published =
        mmap(NULL, sizeof *published, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(published != MAP_FAILED);
    int round = 0;
    /* On a slow machine more often, until enough has come to be. */
    for (; round < KILLS || (published->n < KILLS && round < 20 * KILLS); round++) {
        const pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            serve();
        }
        usleep((useconds_t)(vb_test_random(&seed) % 80000));
        kill(child, SIGKILL);
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        vb_store *s = open_store(&journal, NULL);
        const vb_store_journal j = bounds(s);
        assert_true(j.first <= published->n && published->n <= j.end && j.end >= n_last);
        n_last = j.end;
        vb_store_close(s);
    }
    journal_audit a = {.n = 0};
    for (uint64_t i = 0; i < published->n; i++) {
        audit_entry(&a, published->entries[i], published->n_bytes[i]);
    }
    vb_store *s = open_store(&journal, NULL);
    a = audit_rest(s, a);
    assert_int_equal(a.first, 1);
    print_message("%d kills: %d entries, %d of them published\n", round, (int)a.n,
                  (int)published->n);
    assert_true(published->n >= KILLS);
    free(a.of);
    vb_store_close(s);
    assert_int_equal(munmap(published, sizeof *published), 0);
}

static void make_old_records(void) {
    assert_int_equal(clear_dir(NULL), 0);
    vb_store *s = open_store(NULL, NULL);
    for (int i = 0; i < 20; i++) {
        add_receipt(s, "vr");
    }
    vb_store_close(s);
}

/* Turning it on is all or nothing. */
static void killed_at_the_beginning(void **state) {
    (void)state;
    enum { ROUNDS = 24 };
    uint64_t seed = 9;
    int n_on = 0;
    make_old_records();
    const uint64_t start = vb_clock_ns();
    vb_store_close(open_store(&journal, NULL));
    const uint64_t whole_us = (vb_clock_ns() - start) / 1000;
    for (int round = 0; round < ROUNDS; round++) {
        make_old_records();
        const pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            vb_store_close(open_store(&journal, NULL));
            _exit(0);
        }
        usleep((useconds_t)(vb_test_random(&seed) % (2 * whole_us)));
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, NULL, 0), child);
        vb_store *s = open_store(NULL, NULL);
        const vb_store_journal j = bounds(s);
        assert_true(j.on ? j.end == 40 : j.end == 0);
        n_on += j.on;
        vb_store_close(s);
        s = open_store(&journal, NULL);
        audit_journal(s);
        vb_store_close(s);
    }
    print_message("killed after it was begun: %d of %d\n", n_on, ROUNDS);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(life, clear_dir),
        cmocka_unit_test_setup(dropping, clear_dir),
        cmocka_unit_test_setup(dropping_many, clear_dir),
        cmocka_unit_test_setup(begun_later, clear_dir),
        cmocka_unit_test_setup(begun_meanwhile, clear_dir),
        cmocka_unit_test_setup(two_keys, clear_dir),
        cmocka_unit_test_setup(damaged, clear_dir),
        cmocka_unit_test_setup(damaged_before, clear_dir),
        cmocka_unit_test_setup(growth_is_told, clear_dir),
        cmocka_unit_test_setup(killed, clear_dir),
        cmocka_unit_test_setup(killed_at_the_beginning, clear_dir),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
