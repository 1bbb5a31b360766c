/* Files that are no stores, or no longer: each is refused with a sentence that names it, is left as
 * it was, and is never taken for a new one. */
#include <sqlite3.h>

#include "base/system.h"
#include "unit/store/store_test.h"

static vb_error e;

static vb_err try_open(void) {
    vb_store *s = NULL;
    vb_err err = vb_store_open(path, key, NULL, &s, NULL, &e);
    vb_store_close(s);
    return err;
}

static void refused_for(vb_err expected, const char *why) {
    size_t n_before, n_after;
    uint8_t *before = vb_test_read(path, &n_before);
    const vb_store_options read_only = {.read_only = true};
    vb_store *s = NULL;
    assert_int_equal(try_open(), expected);
    assert_non_null(strstr(e.msg, path));
    assert_non_null(strstr(e.msg, why));
    assert_int_equal(vb_store_open(path, NULL, &read_only, &s, NULL, &e), expected);
    uint8_t *after = vb_test_read(path, &n_after);
    assert_int_equal(n_before, n_after);
    assert_memory_equal(before, after, n_before);
    free(before);
    free(after);
}

/* A closed store of some records, by any SQL. */
static void make_store(const char *then) {
    sqlite3 *db;
    clear_dir(NULL);
    vb_store *s = open_store(NULL, NULL);
    for (int i = 0; i < 20; i++) {
        add_receipt(s, "vr");
    }
    vb_store_close(s);
    if (then) {
        assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
        assert_int_equal(sqlite3_exec(db, then, NULL, NULL, NULL), SQLITE_OK);
        sqlite3_close(db);
    }
}

static void not_a_store(void **state) {
    (void)state;
    char text[5000];
    memset(text, 'x', sizeof text);
    temp_write(path, text, sizeof text, 0600);
    refused_for(VB_EFORMAT, "pages");
    temp_write(path, text, 4096, 0600);
    refused_for(VB_EFORMAT, "no SQLite database");
    temp_write(path, "", 0, 0600);
    refused_for(VB_EFORMAT, "empty");
    temp_write(path, "SQLite format 3", 16, 0600);
    refused_for(VB_EFORMAT, "pages");
    unlink(path);
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(db, "CREATE TABLE t(x); INSERT INTO t VALUES(1);", NULL, NULL, NULL),
        SQLITE_OK);
    sqlite3_close(db);
    assert_int_equal(chmod(path, 0600), 0);
    refused_for(VB_EFORMAT, "another application's");
    assert_int_equal(chmod(path, 0640), 0);
    refused_for(VB_EIO, "chmod 600");
    unlink(path);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(try_open(), VB_EIO);
    rmdir(path);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    assert_int_equal(try_open(), VB_EIO);
    unlink(path);
    const vb_store_options read_only = {.read_only = true};
    vb_store *s = NULL;
    assert_int_equal(vb_store_open(path, NULL, &read_only, &s, NULL, &e), VB_EIO);
    assert_int_not_equal(access(path, F_OK), 0); /* asking does not make one */
}

/* The schema and the numbers are ours, exactly. */
static void changed_inside(void **state) {
    (void)state;
    make_store("PRAGMA user_version = 999;");
    refused_for(VB_EUNSUPPORTED, "newer");
    make_store("PRAGMA user_version = 0;");
    refused_for(VB_EFORMAT, "schema 0");
    make_store("CREATE TRIGGER t AFTER INSERT ON records BEGIN DELETE FROM bodies; END;");
    refused_for(VB_EFORMAT, "tables");
    make_store("CREATE VIEW v AS SELECT 1;");
    refused_for(VB_EFORMAT, "tables");
    make_store("DROP INDEX records_by_hash;");
    refused_for(VB_EFORMAT, "tables");
    make_store("DELETE FROM bodies WHERE place = 7; DELETE FROM records WHERE place = 7;");
    refused_for(VB_EFORMAT, "missing");
    make_store("UPDATE counts SET n = n + 1 WHERE what = 1;");
    refused_for(VB_EFORMAT, "counts");
    make_store("DELETE FROM bodies WHERE place = 7;");
    refused_for(VB_EFORMAT, "bytes");
    make_store("UPDATE bodies SET bytes = x'00' WHERE place = 7;");
    refused_for(VB_EFORMAT, "bytes");
}

/* Its numbers would begin again. */
static void the_database_alone_is_gone(void **state) {
    (void)state;
    make_store(NULL);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(try_open(), VB_EIO);
    assert_non_null(strstr(e.msg, "owners"));
    assert_int_not_equal(access(path, F_OK), 0);
    make_store(NULL);
    temp_write(temp_path(dir, "receipts.db-wal"), "x", 1, 0600);
    unlink(temp_path(dir, "receipts.db-owners"));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(try_open(), VB_EIO);
    assert_non_null(strstr(e.msg, "wal"));
}

static vb_err read_one(void *user, const vb_store_entry *entry, const uint8_t *bytes, vb_error *x) {
    size_t *n = user;
    (void)x;
    ++*n;
    assert_true(entry->n_bytes == 0 || bytes[0] == bytes[0]);
    return VB_OK;
}

/* All of what a damaged file may be asked, whatever it answers. */
static void use(uint64_t *n_opened) {
    vb_store *s = NULL;
    vb_store_entry out[4];
    vb_store_counts counts;
    vb_receipt r;
    size_t n = 0;
    vb_err err = vb_store_open(path, key, NULL, &s, NULL, &e);
    if (err) {
        assert_true(err == VB_EFORMAT || err == VB_EIO || err == VB_EUNSUPPORTED ||
                    err == VB_ENOMEM || err == VB_ELIMIT);
        assert_true(strlen(e.msg) > 0);
        return;
    }
    ++*n_opened;
    err = vb_store_each(s, NULL, read_one, &n, &e);
    err = vb_store_list(s, &(vb_store_filter){.before = 0}, out, 4, &n, &e);
    err = vb_store_count(s, &counts, &e);
    fill_request(&r, "vr");
    if ((err = vb_store_commit(s, &r, &e)) == VB_OK) {
        finish_receipt(&r);
        err = vb_store_receipt(s, &r, &e);
    }
    (void)err;
    vb_receipt_free(&r);
    vb_store_close(s);
}

static void any_bytes(void **state) {
    (void)state;
    uint64_t seed = 11, n_opened = 0;
    size_t n;
    make_store(NULL);
    uint8_t *good = vb_test_read(path, &n);
    uint8_t *bad = malloc(n);
    assert_non_null(bad);
    for (int round = 0; round < 400; round++) {
        memcpy(bad, good, n);
        size_t length = n;
        if (round % 4 == 0) {
            length = vb_test_random(&seed) % n;
        } else if (round % 4 == 1) {
            memset(bad + vb_test_random(&seed) % (n - 4096), (int)vb_test_random(&seed), 4096);
        } else {
            for (uint64_t k = 0; k < 1 + vb_test_random(&seed) % 8; k++) {
                bad[vb_test_random(&seed) % (round % 4 == 2 ? 4096 : n)] =
                    (uint8_t)vb_test_random(&seed);
            }
        }
        clear_dir(NULL);
        temp_write(path, bad, length, 0600);
        const uint64_t before = n_opened;
        use(&n_opened);
        assert_true(round % 4 != 0 || n_opened == before); /* a truncated one never */
    }
    print_message("%" PRIu64 " of 400 damaged files opened\n", n_opened);
    free(bad);
    free(good);
}

/* A log of any bytes: what it does not vouch for is not there. */
static void any_log(void **state) {
    (void)state;
    uint64_t seed = 12, n_opened = 0;
    size_t n, n_log;
    vb_store *s;
    make_store(NULL);
    s = open_store(NULL, NULL);
    add_receipt(s, "vr");
    uint8_t *good = vb_test_read(path, &n);
    uint8_t *log = vb_test_read(temp_path(dir, "receipts.db-wal"), &n_log);
    vb_store_close(s);
    for (int round = 0; round < 100; round++) {
        const size_t at = vb_test_random(&seed) % n_log;
        const uint8_t was = log[at];
        log[at] ^= (uint8_t)(1 + vb_test_random(&seed) % 255);
        clear_dir(NULL);
        temp_write(path, good, n, 0600);
        temp_write(temp_path(dir, "receipts.db-wal"), log, n_log, 0600);
        use(&n_opened);
        log[at] = was;
    }
    assert_true(n_opened > 0);
    free(good);
    free(log);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(not_a_store, clear_dir),
        cmocka_unit_test_setup(changed_inside, clear_dir),
        cmocka_unit_test_setup(the_database_alone_is_gone, clear_dir),
        cmocka_unit_test_setup(any_bytes, clear_dir),
        cmocka_unit_test_setup(any_log, clear_dir),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
