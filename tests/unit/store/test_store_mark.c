/* The mark beside the key: a store that was put back from an old copy is not begun with, and one
 * that is whole always is. */
#include <signal.h>
#include <sys/wait.h>

#include "unit/store/store_test.h"

static vb_error e;
static char mark[160];
static vb_store_options options = {.mark_file = mark};

static int begin(void **state) {
    snprintf(mark, sizeof mark, "%s/key.mark", dir);
    return clear_dir(state);
}

static void add(int n) {
    vb_store *s = open_store(&options, NULL);
    for (int i = 0; i < n; i++) {
        add_receipt(s, "vr");
    }
    vb_store_close(s);
}

static void write_mark(const char *text) {
    temp_write(mark, text, strlen(text), 0600);
}

/* "verbatim.mark/1 KEY N" and a line feed. */
static const char *mark_of(const uint8_t public[VB_ED25519_PUBLIC_BYTES], const char *number) {
    static char line[200];
    char hex[2 * VB_ED25519_PUBLIC_BYTES + 1];
    vb_hex_encode(public, VB_ED25519_PUBLIC_BYTES, hex);
    snprintf(line, sizeof line, "verbatim.mark/1 %s %s\n", hex, number);
    return line;
}

static void check_mark(const char *number) {
    size_t n;
    char *text = (char *)vb_test_read(mark, &n);
    assert_string_equal(text, mark_of(public_key, number));
    free(text);
}

static void refused(vb_err err, const char *word) {
    vb_store *s = NULL;
    assert_int_equal(vb_store_open(path, key, &options, &s, NULL, &e), err);
    assert_null(s);
    assert_non_null(strstr(e.msg, word));
    assert_non_null(strstr(e.msg, "key.mark"));
}

static void it_follows(void **state) {
    (void)state;
    struct stat st;
    add(0);
    assert_int_equal(stat(mark, &st), -1);
    add(3);
    check_mark("3");
    assert_int_equal(stat(mark, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    add(0);
    check_mark("3");
    write_mark(mark_of(public_key, "1")); /* it may be behind */
    add(2);
    check_mark("5");
    assert_int_equal(unlink(mark), 0);
    add(1);
    check_mark("6");
}

static void old_copies(void **state) {
    (void)state;
    size_t n;
    add(3);
    uint8_t *copy = vb_test_read(path, &n);
    add(2);
    assert_int_equal(unlink(path), 0);
    temp_write(path, copy, n, 0600);
    refused(VB_EMISMATCH, "3");
    refused(VB_EMISMATCH, "counted to 5");
    const vb_store_options reading = {.read_only = true};
    vb_store *s = NULL;
    MUST(vb_store_open(path, NULL, &reading, &s, NULL, &e), &e); /* it can be looked at */
    assert_int_equal(tally_all(s).last, 3);
    vb_store_close(s);
    free(copy);

    /* All of the store gone: not begun anew. */
    assert_int_equal(unlink(path), 0);
    assert_int_equal(unlink(temp_path(dir, "receipts.db-owners")), 0);
    (void)unlink(temp_path(dir, "receipts.db-wal"));
    (void)unlink(temp_path(dir, "receipts.db-shm"));
    refused(VB_EMISMATCH, "counted to 5");
    assert_int_not_equal(access(path, F_OK), 0);
}

/* A key that takes another's place begins to count. */
static void another_key(void **state) {
    (void)state;
    uint8_t other[VB_ED25519_PUBLIC_BYTES];
    memcpy(other, public_key, sizeof other);
    other[0] ^= 1;
    write_mark(mark_of(other, "1000000"));
    add(2);
    check_mark("2");
}

static void malformed(void **state) {
    (void)state;
    add(1);
    char two[400];
    snprintf(two, sizeof two, "%s%s", mark_of(public_key, "1"), mark_of(public_key, "1"));
    const char *const bad[] = {
        "", "\n", "1\n", "verbatim.mark/1\n", "verbatim.mark/2 00 1\n", "verbatim.mark/1 00 1\n",
        two};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        write_mark(bad[i]);
        refused(VB_EFORMAT, "one line");
    }
    static const char *const numbers[] = {
        "", "-1", "+1", "01", " 1", "1 ", "1x", "0x1", "18446744073709551616"};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        write_mark(mark_of(public_key, numbers[i]));
        refused(VB_EFORMAT, "one line");
    }
    write_mark(mark_of(public_key, "18446744073709551615"));
    refused(VB_EMISMATCH, "18446744073709551615");
    write_mark(mark_of(public_key, "1"));
    assert_int_equal(chmod(mark, 0644), 0);
    vb_store *s = NULL;
    assert_int_equal(vb_store_open(path, key, &options, &s, NULL, &e), VB_EINVAL);
}

/* Whatever moment the process dies at, the mark is not ahead of the store. */
static void killed(void **state) {
    (void)state;
    uint64_t random = 5;
    for (int i = 0; i < 20; i++) {
        const pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            vb_store *s = open_store(&options, NULL);
            for (;;) {
                add_receipt(s, "vr");
            }
        }
        usleep((useconds_t)(2000 + vb_test_random(&random) % 30000));
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, NULL, 0), child);
        vb_store *s = open_store(&options, NULL);
        vb_store_close(s);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(it_follows, begin),  cmocka_unit_test_setup(old_copies, begin),
        cmocka_unit_test_setup(another_key, begin), cmocka_unit_test_setup(malformed, begin),
        cmocka_unit_test_setup(killed, begin),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
