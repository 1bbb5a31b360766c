/* Stores of older programs: brought up to date whole or not at all, with nothing lost; and what the
 * newest version keeps, the client whose record it is. version1.sql and version2.sql are dumps of
 * stores that the programs of their time wrote, with this test's key. */
#include <signal.h>
#include <sqlite3.h>
#include <sys/wait.h>

#include "base/system.h"
#include "unit/store/journal_test.h"

enum { KILLS = 40, OLD_RECORDS = 6, NEWEST = 3 };

static vb_error e;

/* Every column that version 1 has, and every body, of the settled records. */
static const char old_columns[] =
    "SELECT place, key, sequence, state, reason, id, hex(model), issued_at_ms, settled_at_ms,"
    " hex(value), hex(hash), hex(signature), owner, n_bytes,"
    " (SELECT hex(bytes) FROM bodies AS b WHERE b.place = r.place)"
    " FROM records AS r WHERE place <= 5 ORDER BY place";

static void run_sql(const char *sql) {
    sqlite3 *db;
    char *message = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &message)) {
        fail_msg("%s", message);
    }
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static int add_row(void *user, int n, char **values, char **names) {
    (void)names;
    for (int i = 0; i < n; i++) {
        assert_int_equal(vb_buf_printf(user, "%s|", values[i] ? values[i] : "NULL"), VB_OK);
    }
    return 0;
}

static void read_rows(const char *sql, vb_buf *out) {
    sqlite3 *db;
    *out = vb_buf_make(1 << 20);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, add_row, out, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void check_rows(const char *sql, const vb_buf *expected) {
    vb_buf now;
    read_rows(sql, &now);
    assert_int_equal(now.len, expected->len);
    assert_memory_equal(now.data, expected->data, now.len);
    vb_buf_free(&now);
}

static void make_old(int version) {
    size_t n;
    char name[64];
    snprintf(name, sizeof name, "tests/unit/store/version%d.sql", version);
    char *sql = (char *)vb_test_read(vb_test_source(name), &n);
    run_sql(sql);
    run_sql("PRAGMA journal_mode = WAL;");
    free(sql);
    assert_int_equal(chmod(path, 0600), 0);
}

static void check_old_records(vb_store *s, int version) {
    static const char *const clients[] = {"alice", "", "bob", "", "alice", "carol"};
    const tally t = tally_all(s);
    assert_int_equal(t.first, 1);
    assert_int_equal(t.last, OLD_RECORDS);
    assert_int_equal(t.by_state[VB_STORE_RECEIPT], 3);
    assert_int_equal(t.by_state[VB_STORE_ABORT], 3); /* with the one that was lost */
    assert_int_equal(t.dropped, 2);
    for (uint64_t i = 1; i <= OLD_RECORDS; i++) {
        vb_store_entry entry;
        MUST(vb_store_by_sequence(s, NULL, i, &entry, NULL, NULL, &e), &e);
        assert_string_equal(entry.client, version == 1 ? "" : clients[i - 1]);
        assert_true(entry.committed_entry == VB_STORE_NO_ENTRY);
    }
}

static void nothing_is_lost_of(int version) {
    assert_int_equal(clear_dir(NULL), 0);
    make_old(version);
    vb_buf before;
    read_rows(old_columns, &before);
    assert_true(before.len > 5000);

    const vb_store_options reading = {.read_only = true};
    vb_store *s = NULL;
    assert_int_equal(vb_store_open(path, NULL, &reading, &s, NULL, &e), VB_EUNSUPPORTED);
    assert_non_null(strstr(e.msg, "older"));

    size_t n_lost = 0;
    s = open_store(NULL, &n_lost);
    assert_int_equal(n_lost, 1);
    check_old_records(s, version);
    assert_int_equal(add_receipt(s, "vr-new"), OLD_RECORDS + 1);
    vb_store_close(s);
    check_rows(old_columns, &before);
    vb_buf now;
    read_rows("PRAGMA user_version", &now);
    assert_string_equal((const char *)now.data, "3|");

    s = open_store(&reading, &n_lost);
    assert_int_equal(tally_all(s).last, OLD_RECORDS + 1);
    vb_store_close(s);
    vb_buf_free(&before);
    vb_buf_free(&now);
}

static void nothing_is_lost(void **state) {
    (void)state;
    for (int version = 1; version < NEWEST; version++) {
        nothing_is_lost_of(version);
    }
}

/* A journal may begin in the opening that migrates. */
static void journal_of_old_records(void **state) {
    (void)state;
    const vb_store_options options = {.journal = true};
    for (int version = 1; version < NEWEST; version++) {
        assert_int_equal(clear_dir(NULL), 0);
        make_old(version);
        vb_store *s = open_store(&options, NULL);
        journal_audit a = audit_rest(s, (journal_audit){.n = 0});
        assert_true(a.first == 3 && a.last == OLD_RECORDS && a.n == 8);
        free(a.of);
        vb_store_close(s);
    }
}

/* Whenever its process dies, the store is of one version or the other, and whole. */
static void killed_meanwhile_of(int version) {
    assert_int_equal(clear_dir(NULL), 0);
    make_old(version);
    vb_buf before;
    read_rows(old_columns, &before);
    uint64_t random = 7, versions[NEWEST + 1] = {0};
    const uint64_t start = vb_clock_ns();
    vb_store_close(open_store(NULL, NULL));
    const uint64_t whole_us = (vb_clock_ns() - start) / 1000;
    for (int i = 0; i < KILLS; i++) {
        assert_int_equal(clear_dir(NULL), 0);
        make_old(version);
        const pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            vb_store_close(open_store(NULL, NULL));
            _exit(0);
        }
        usleep((useconds_t)(vb_test_random(&random) % (2 * whole_us)));
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, NULL, 0), child);
        vb_buf now;
        read_rows("PRAGMA user_version", &now);
        versions[now.data[0] - '0']++;
        vb_buf_free(&now);
        check_rows(old_columns, &before);
        vb_store *s = open_store(NULL, NULL);
        check_old_records(s, version);
        vb_store_close(s);
        check_rows(old_columns, &before);
    }
    assert_int_equal(versions[version] + versions[NEWEST], KILLS);
    print_message("version %d: killed before: %d, after: %d\n", version, (int)versions[version],
                  (int)versions[NEWEST]);
    vb_buf_free(&before);
}

static void killed_meanwhile(void **state) {
    (void)state;
    for (int version = 1; version < NEWEST; version++) {
        killed_meanwhile_of(version);
    }
}

/* What is not exactly a store of its version is not touched. */
static void hostile(void **state) {
    (void)state;
    static const char *const changes[] = {
        "CREATE TRIGGER t AFTER UPDATE ON records BEGIN DELETE FROM bodies; END;",
        "ALTER TABLE records ADD COLUMN another TEXT;",
        "CREATE TABLE journal(x);",
        "DELETE FROM records WHERE place = 4;",
        "UPDATE counts SET n = n + 1 WHERE what = 1;",
    };
    for (size_t i = 0; i < (NEWEST - 1) * sizeof changes / sizeof changes[0]; i++) {
        const int version = 1 + (int)i % (NEWEST - 1);
        assert_int_equal(clear_dir(NULL), 0);
        make_old(version);
        run_sql(changes[i / (NEWEST - 1)]);
        vb_store *s = NULL;
        assert_int_equal(vb_store_open(path, key, NULL, &s, NULL, &e), VB_EFORMAT);
        assert_non_null(strstr(e.msg, "damaged"));
        vb_buf now;
        read_rows("PRAGMA user_version", &now);
        assert_int_equal(now.data[0] - '0', version);
        vb_buf_free(&now);
    }
}

static void commit_for(vb_store *s, const char *id, const char *client, vb_receipt *r) {
    fill_request(r, id);
    MUST(vb_store_commit_for(s, r, client, &e), &e);
}

static void clients(void **state) {
    (void)state;
    vb_store *s = open_store(NULL, NULL);
    vb_receipt r;
    vb_store_entry entry, found[4];
    size_t n;
    commit_for(s, "vr-a", "alice", &r);
    finish_receipt(&r);
    MUST(vb_store_receipt(s, &r, &e), &e);
    vb_receipt_free(&r);
    commit_for(s, "vr-b", "bob \"the\" 'b'", &r);
    MUST(vb_store_abort(s, &r, VB_ABORT_FAILED, &e), &e);
    vb_receipt_free(&r);
    commit_for(s, "vr-n", NULL, &r);
    MUST(vb_store_abort(s, &r, VB_ABORT_FAILED, &e), &e);
    vb_receipt_free(&r);
    char longest[VB_STORE_CLIENT_BYTES_MAX + 2];
    memset(longest, 'x', sizeof longest);
    longest[sizeof longest - 1] = 0;
    fill_request(&r, "vr-x");
    assert_int_equal(vb_store_commit_for(s, &r, longest, &e), VB_EINVAL);
    assert_int_equal(vb_store_commit_for(s, &r, "", &e), VB_EINVAL);
    vb_receipt_free(&r);
    longest[sizeof longest - 2] = 0;
    commit_for(s, "vr-x", longest, &r); /* and its process ends here */
    assert_int_equal(r.request.sequence, 4);
    vb_receipt_free(&r);
    vb_store_close(s);

    size_t n_lost = 0;
    s = open_store(NULL, &n_lost);
    assert_int_equal(n_lost, 1);
    const char *const expected[] = {"alice", "bob \"the\" 'b'", "", longest};
    for (uint64_t i = 1; i <= 4; i++) {
        MUST(vb_store_by_sequence(s, NULL, i, &entry, NULL, NULL, &e), &e);
        assert_string_equal(entry.client, expected[i - 1]);
    }
    MUST(vb_store_by_id(s, "vr-a", &entry, NULL, NULL, &e), &e);
    assert_string_equal(entry.client, "alice");
    const vb_store_filter alice = {.client = "alice"}, nobody = {.client = "x"};
    MUST(vb_store_list(s, &alice, found, 4, &n, &e), &e);
    assert_int_equal(n, 1);
    assert_string_equal(found[0].id, "vr-a");
    MUST(vb_store_list(s, &nobody, found, 4, &n, &e), &e);
    assert_int_equal(n, 0);
    vb_store_close(s);
}

/* The name is part of the commitment's transaction. */
static void clients_after_kill(void **state) {
    (void)state;
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        vb_receipt r;
        vb_store *s = open_store(NULL, NULL);
        for (int i = 0; i < 20; i++) {
            commit_for(s, "vr", i % 2 ? "alice" : "bob", &r);
            vb_receipt_free(&r);
        }
        kill(getpid(), SIGKILL);
    }
    assert_int_equal(waitpid(child, NULL, 0), child);
    size_t n_lost = 0;
    vb_store *s = open_store(NULL, &n_lost);
    assert_int_equal(n_lost, 20);
    for (uint64_t i = 0; i < 20; i++) {
        vb_store_entry entry;
        MUST(vb_store_by_sequence(s, NULL, i + 1, &entry, NULL, NULL, &e), &e);
        assert_string_equal(entry.client, i % 2 ? "alice" : "bob");
    }
    vb_store_close(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(nothing_is_lost, clear_dir),
        cmocka_unit_test_setup(journal_of_old_records, clear_dir),
        cmocka_unit_test_setup(killed_meanwhile, clear_dir),
        cmocka_unit_test_setup(hostile, clear_dir),
        cmocka_unit_test_setup(clients, clear_dir),
        cmocka_unit_test_setup(clients_after_kill, clear_dir),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
