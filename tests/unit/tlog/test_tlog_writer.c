/* The folder of a log: what the writer makes is what the spec says, what a reader proves from it
 * holds, and nothing that was cut or changed is opened. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tlog/reader.h"
#include "unit/crypto/temp_dir.h"
#include "unit/tlog/made_log.h"

static char dir[64];
static vb_ed25519_key *key;

static int begin(void **state) {
    (void)state;
    temp_dir_make(dir);
    key = made_key(1);
    return 0;
}

static int end(void **state) {
    (void)state;
    temp_dir_remove(dir);
    vb_ed25519_close(key);
    return 0;
}

static const char *folder(void) {
    return temp_path(dir, "log");
}

/* All that a reader can be asked, for a log of n made entries. */
static void check_log(uint64_t n) {
    vb_tlog_reader *r;
    vb_tlog_checkpoint c;
    vb_error e = {VB_OK, ""};
    size_t n_cosigned;
    assert_int_equal(vb_tlog_reader_open_folder(folder(), NULL, &r, &e), VB_OK);
    if (vb_tlog_reader_refresh(r, NULL, 0, &c, NULL, &n_cosigned, &e)) {
        fail_msg("%s", e.msg);
    }
    assert_int_equal(c.size, n);
    vb_tlog_range range;
    vb_tlog_hash root;
    vb_tlog_range_begin(&range);
    for (uint64_t i = 0; i < n; i++) {
        vb_buf expected;
        const uint8_t *bytes;
        size_t n_bytes;
        vb_tlog_hash leaf;
        made_index(key, i, &expected);
        if (vb_tlog_reader_entry(r, i, &bytes, &n_bytes, &e)) {
            fail_msg("%s", e.msg);
        }
        assert_int_equal(n_bytes, expected.len);
        assert_memory_equal(bytes, expected.data, n_bytes);
        vb_tlog_leaf_hash(bytes, n_bytes, &leaf);
        assert_int_equal(vb_tlog_range_add(&range, &leaf, NULL, NULL, &e), VB_OK);
        vb_buf_free(&expected);
    }
    vb_tlog_range_root(&range, &root);
    assert_memory_equal(&root, &c.root, sizeof root);
    for (uint64_t i = 0; i < n; i += i < 3 || i > n - 3 ? 1 : n / 5 + 1) {
        vb_tlog_proof p;
        vb_tlog_entry x;
        vb_tlog_checkpoint proven;
        assert_int_equal(vb_tlog_reader_prove(r, i, &p, &e), VB_OK);
        assert_int_equal(vb_tlog_proof_check(&p, vb_tlog_reader_key(r), &x, &proven, &e), VB_OK);
        assert_int_equal(proven.size, n);
        vb_tlog_proof_free(&p);
    }
    vb_tlog_reader_close(r);
}

/* One checkpoint after the other, across the edges of tiles; then all at once. */
static void grows(void **state) {
    (void)state;
    static const uint64_t sizes[] = {0, 1, 2, 255, 256, 257, 511, 512, 700, 1024, 1300};
    vb_tlog_writer *w = made_open(folder(), key);
    vb_error e = {VB_OK, ""};
    check_log(0);
    for (size_t i = 1; i < sizeof sizes / sizeof sizes[0]; i++) {
        made_publish(w, key, sizes[i]);
        assert_int_equal(vb_tlog_writer_pending(w), 0);
        check_log(sizes[i]);
        if (i % 3 == 0) { /* what is opened again goes on as what stayed open */
            vb_tlog_writer_close(w);
            w = made_open(folder(), key);
            assert_int_equal(vb_tlog_writer_size(w), sizes[i]);
        }
        for (size_t j = 1; j <= i; j++) {
            vb_tlog_hash path[VB_TLOG_PATH_MAX];
            size_t n;
            assert_int_equal(vb_tlog_writer_prove_consistency(w, sizes[j], path, &n, &e), VB_OK);
        }
    }
    vb_tlog_hash path[VB_TLOG_PATH_MAX];
    size_t n;
    assert_int_equal(vb_tlog_writer_prove_consistency(w, 0, path, &n, &e), VB_EINVAL);
    assert_int_equal(vb_tlog_writer_prove_consistency(w, 1301, path, &n, &e), VB_EINVAL);
    vb_tlog_writer_close(w);
}

static void grows_past_a_level(void **state) {
    (void)state;
    vb_tlog_writer *w = made_open(folder(), key);
    made_publish(w, key, 3);
    made_publish(w, key, 65536 + 256 + 5);
    vb_tlog_writer_close(w);
    w = made_open(folder(), key);
    made_publish(w, key, 65536 + 512);
    vb_tlog_writer_close(w);
    check_log(65536 + 512);
}

static bool is_there(const char *path) {
    char whole[512];
    snprintf(whole, sizeof whole, "%s/%s", folder(), path);
    return access(whole, F_OK) == 0;
}

/* Names are those of the spec; partial files stay until the full one is there. */
static void names(void **state) {
    (void)state;
    vb_tlog_writer *w = made_open(folder(), key);
    assert_true(is_there("checkpoint") && is_there("log.json") && !is_there("tile"));
    made_publish(w, key, 10);
    assert_true(is_there("tile/0/000.p/10") && is_there("tile/entries/000.p/10"));
    made_publish(w, key, 255);
    assert_true(is_there("tile/0/000.p/10") && is_there("tile/0/000.p/255"));
    made_publish(w, key, 257);
    assert_true(is_there("tile/0/000") && is_there("tile/entries/000"));
    assert_true(is_there("tile/0/001.p/1") && is_there("tile/1/000.p/1"));
    assert_false(is_there("tile/0/000.p") || is_there("tile/entries/000.p"));
    vb_tlog_writer_close(w);
}

static vb_err open_again(vb_error *e) {
    const vb_tlog_writer_options options = {.origin = "example.com/log"};
    vb_tlog_writer *w = NULL;
    vb_err err = vb_tlog_writer_open(folder(), key, &options, &w, e);
    vb_tlog_writer_close(w);
    return err;
}

static void one_writer(void **state) {
    (void)state;
    vb_error e = {VB_OK, ""};
    vb_tlog_writer *w = made_open(folder(), key);
    assert_int_equal(open_again(&e), VB_EIO);
    assert_non_null(strstr(e.msg, "another process"));
    vb_tlog_writer_close(w);
    assert_int_equal(open_again(&e), VB_OK);
}

static void another_key_or_origin(void **state) {
    (void)state;
    vb_error e = {VB_OK, ""};
    vb_tlog_writer *w = made_open(folder(), key);
    made_publish(w, key, 5);
    vb_tlog_writer_close(w);
    vb_ed25519_key *other = made_key(2);
    vb_tlog_writer_options options = {.origin = "example.com/log"};
    assert_int_equal(vb_tlog_writer_open(folder(), other, &options, &w, &e), VB_EMISMATCH);
    vb_ed25519_close(other);
    options.origin = NULL;
    assert_int_equal(vb_tlog_writer_open(folder(), key, &options, &w, &e), VB_EMISMATCH);
    options.origin = "two words";
    assert_int_equal(vb_tlog_writer_open(folder(), key, &options, &w, &e), VB_EINVAL);
    options = (vb_tlog_writer_options){
        .origin = "example.com/log", .publish_within_s = 7, .settle_within_s = 31536001};
    assert_int_equal(vb_tlog_writer_open(folder(), key, &options, &w, &e), VB_EINVAL);
    options.settle_within_s = 9;
    assert_int_equal(vb_tlog_writer_open(folder(), key, &options, &w, &e), VB_OK);
    vb_tlog_writer_close(w);
    vb_tlog_reader *r;
    vb_tlog_info info;
    assert_int_equal(vb_tlog_reader_open_folder(folder(), NULL, &r, &e), VB_OK);
    assert_int_equal(vb_tlog_reader_info(r, &info, &e), VB_OK);
    assert_int_equal(info.publish_within_s, 7);
    assert_int_equal(info.settle_within_s, 9);
    vb_tlog_reader_close(r);
}

/* Nothing that convicts the key is taken, and what was refused leaves no trace. */
static void refuses_entries(void **state) {
    (void)state;
    static const struct {
        vb_tlog_kind kind;
        uint64_t sequence;
        unsigned variant;
        vb_err err;
        const char *rule;
    } entries[] = {
        {VB_TLOG_COMMITMENT, 1, 0, VB_OK, NULL},
        {VB_TLOG_COMMITMENT, 3, 0, VB_EMISMATCH, "(gap)"},
        {VB_TLOG_COMMITMENT, 1, 1, VB_EMISMATCH, "(gap)"},
        {VB_TLOG_RECEIPT, 2, 0, VB_EMISMATCH, "(settled-before)"},
        {VB_TLOG_COMMITMENT, 2, 1, VB_OK, NULL},
        {VB_TLOG_RECEIPT, 2, 0, VB_EMISMATCH, "(settled-another)"},
        {VB_TLOG_RECEIPT, 1, 0, VB_OK, NULL},
        {VB_TLOG_ABORT, 1, 0, VB_EMISMATCH, "(settled-twice)"},
    };
    vb_tlog_writer *w = made_open(folder(), key);
    vb_error e = {VB_OK, ""};
    uint64_t n = 0;
    for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++) {
        vb_buf entry;
        made_entry(key, entries[i].kind, entries[i].sequence, entries[i].variant, &entry);
        assert_int_equal(vb_tlog_writer_append(w, entry.data, entry.len, &e), entries[i].err);
        if (entries[i].err) {
            assert_non_null(strstr(e.msg, entries[i].rule));
        }
        n += !entries[i].err;
        assert_int_equal(vb_tlog_writer_pending(w), n);
        vb_buf_free(&entry);
    }
    vb_buf entry;
    vb_ed25519_key *other = made_key(2);
    made_entry(other, VB_TLOG_COMMITMENT, 3, 0, &entry);
    assert_int_equal(vb_tlog_writer_append(w, entry.data, entry.len, &e), VB_EMISMATCH);
    assert_int_equal(vb_tlog_writer_append(w, entry.data, entry.len - 1, &e), VB_EFORMAT);
    vb_buf_free(&entry);
    vb_ed25519_close(other);
    assert_int_equal(vb_tlog_writer_publish(w, &e), VB_OK);
    assert_int_equal(vb_tlog_writer_size(w), 3);
    vb_tlog_writer_close(w);
    assert_int_equal(open_again(&e), VB_OK);
}

static void cosignatures(void **state) {
    (void)state;
    vb_tlog_writer *w = made_open(folder(), key);
    vb_error e = {VB_OK, ""};
    vb_ed25519_key *witness = made_key(3);
    vb_tlog_key known[2];
    uint8_t public_key[VB_ED25519_PUBLIC_BYTES];
    vb_ed25519_public(witness, public_key);
    assert_int_equal(
        vb_tlog_key_make("witness.example/w", VB_TLOG_SIGNER_WITNESS, public_key, &known[0], &e),
        VB_OK);
    vb_ed25519_public(key, public_key);
    assert_int_equal(
        vb_tlog_key_make("witness.example/x", VB_TLOG_SIGNER_WITNESS, public_key, &known[1], &e),
        VB_OK);
    made_publish(w, key, 5);
    vb_tlog_reader *r;
    vb_tlog_checkpoint c;
    vb_tlog_cosignature cosigned[2];
    size_t n;
    assert_int_equal(vb_tlog_reader_open_folder(folder(), NULL, &r, &e), VB_OK);
    assert_int_equal(vb_tlog_reader_refresh(r, known, 2, &c, cosigned, &n, &e), VB_OK);
    assert_int_equal(n, 0);
    vb_buf lines = vb_buf_make(4096);
    assert_int_equal(vb_tlog_cosign(&c, "witness.example/w", witness, 1234, &lines, &e), VB_OK);
    made_append(w, key, 7); /* what is appended meanwhile is no part of it */
    assert_int_equal(vb_tlog_writer_add_cosignatures(w, lines.data, lines.len, known + 1, 1, &e),
                     VB_EMISMATCH);
    assert_int_equal(vb_tlog_writer_add_cosignatures(w, "", 0, known, 2, &e), VB_EMISMATCH);
    assert_int_equal(vb_tlog_writer_add_cosignatures(w, lines.data, lines.len, known, 2, &e),
                     VB_OK);
    assert_int_equal(vb_tlog_writer_add_cosignatures(w, lines.data, lines.len, known, 2, &e),
                     VB_EMISMATCH); /* a second time */
    assert_int_equal(vb_tlog_reader_refresh(r, known, 2, &c, cosigned, &n, &e), VB_OK);
    assert_int_equal(n, 1);
    assert_ptr_equal(cosigned[0].key, &known[0]);
    assert_int_equal(cosigned[0].time_s, 1234);
    assert_int_equal(c.size, 5);
    assert_int_equal(vb_tlog_writer_publish(w, &e), VB_OK);
    assert_int_equal(vb_tlog_writer_add_cosignatures(w, lines.data, lines.len, known, 2, &e),
                     VB_EMISMATCH); /* of another checkpoint */
    vb_buf_free(&lines);
    vb_tlog_reader_close(r);
    vb_tlog_writer_close(w);
    vb_ed25519_close(witness);
    assert_int_equal(open_again(&e), VB_OK);
    check_log(7);
}

/* Damage */

static uint8_t *load(const char *path, size_t *n) {
    char whole[512];
    snprintf(whole, sizeof whole, "%s/%s", folder(), path);
    return vb_test_read(whole, n);
}

static void save(const char *path, const void *bytes, size_t n) {
    char whole[512];
    snprintf(whole, sizeof whole, "%s/%s", folder(), path);
    temp_write(whole, bytes, n, 0644);
}

static void refused(const char *path) {
    vb_error e = {VB_OK, ""};
    vb_err err = open_again(&e);
    if (err != VB_EMISMATCH && err != VB_EFORMAT && err != VB_EIO) {
        fail_msg("%s: the log was opened, or: %s", path, e.msg);
    }
    if (!strstr(e.msg, path)) {
        fail_msg("%s is not named: %s", path, e.msg);
    }
}

/* Every file of a log in turn: gone, cut, longer, and changed in some of its bytes. */
static void damaged(void **state) {
    (void)state;
    static const char *const paths[] = {"checkpoint",          "log.json",
                                        "tile/0/000",          "tile/0/001",
                                        "tile/0/002.p/88",     "tile/0/002.p/3",
                                        "tile/1/000.p/2",      "tile/entries/000",
                                        "tile/entries/001",    "tile/entries/002.p/88",
                                        "tile/entries/002.p/3"};
    vb_tlog_writer *w = made_open(folder(), key);
    vb_error e = {VB_OK, ""};
    made_publish(w, key, 515);
    made_publish(w, key, 600);
    vb_tlog_writer_close(w);
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        size_t n;
        uint8_t *bytes = load(paths[i], &n);
        char whole[512];
        snprintf(whole, sizeof whole, "%s/%s", folder(), paths[i]);
        const bool older = strstr(paths[i], ".p/3") != NULL;
        /* The edge of the tree is checked as a whole: only the level is not known. */
        const bool edge = strstr(paths[i], "tile/0/002.p/88") || strstr(paths[i], "tile/1");
        assert_int_equal(unlink(whole), 0);
        if (older) { /* a partial file of an older checkpoint is nobody's any more */
            assert_int_equal(open_again(&e), VB_OK);
        } else {
            refused(paths[i]);
        }
        save(paths[i], bytes, n - 1);
        refused(paths[i]);
        for (size_t k = 0; k < 5; k++) {
            const size_t at = k * (n - 1) / 4;
            bytes[at] ^= 1;
            save(paths[i], bytes, n);
            bytes[at] ^= 1;
            refused(edge ? folder() : paths[i]);
        }
        uint8_t *longer = malloc(n + 1);
        memcpy(longer, bytes, n);
        longer[n] = '\n';
        save(paths[i], longer, n + 1);
        refused(paths[i]);
        free(longer);
        save(paths[i], bytes, n);
        assert_int_equal(open_again(&e), VB_OK);
        free(bytes);
    }
}

static void foreign_files(void **state) {
    (void)state;
    static const char *const names_of[] = {"notes.txt", "tile/0/1",         "tile/0/0000",
                                           "tile/x",    "tile/0/000.p/256", "tile/entries/x000"};
    vb_tlog_writer *w = made_open(folder(), key);
    vb_error e = {VB_OK, ""};
    made_publish(w, key, 300);
    vb_tlog_writer_close(w);
    char whole[512];
    snprintf(whole, sizeof whole, "%s/tile/0/000.p", folder());
    assert_int_equal(mkdir(whole, 0755), 0);
    for (size_t i = 0; i < sizeof names_of / sizeof names_of[0]; i++) {
        save(names_of[i], "x", 1);
        refused(names_of[i]);
        snprintf(whole, sizeof whole, "%s/%s", folder(), names_of[i]);
        assert_int_equal(unlink(whole), 0);
        assert_int_equal(open_again(&e), VB_OK);
    }
    snprintf(whole, sizeof whole, "%s/tile/0/000", folder());
    char moved[520];
    snprintf(moved, sizeof moved, "%s.was", whole);
    assert_int_equal(rename(whole, moved), 0);
    assert_int_equal(symlink(moved, whole), 0);
    refused("tile/0/000");
}

static void make_folder(const char *path) {
    char whole[512];
    snprintf(whole, sizeof whole, "%s/%s", folder(), path);
    assert_int_equal(mkdir(whole, 0755), 0);
}

/* A crash leaves files beyond the checkpoint; they are not the log's. An older checkpoint that was
 * put back looks like that, but for the partial files that went with it. */
static void leftovers(void **state) {
    (void)state;
    static const char *const old[] = {"checkpoint", "tile/0/001.p/44", "tile/entries/001.p/44",
                                      "tile/1/000.p/1"};
    uint8_t *bytes[4];
    size_t n[4];
    vb_tlog_writer *w = made_open(folder(), key);
    made_publish(w, key, 300);
    for (size_t i = 0; i < 4; i++) {
        bytes[i] = load(old[i], &n[i]);
    }
    made_publish(w, key, 1000);
    vb_tlog_writer_close(w);
    save(old[0], bytes[0], n[0]);
    refused("tile/0/001.p/44");
    make_folder("tile/0/001.p");
    save(old[1], bytes[1], n[1]);
    refused("tile/entries/001.p/44");
    make_folder("tile/entries/001.p");
    save(old[2], bytes[2], n[2]);
    save("tile/0/001.tmp", "half", 4);
    w = made_open(folder(), key);
    assert_int_equal(vb_tlog_writer_size(w), 300);
    assert_false(is_there("tile/0/001") || is_there("tile/0/001.tmp"));
    assert_false(is_there("tile/0/003.p/232") || is_there("tile/1/000.p/3"));
    assert_true(is_there("tile/0/000") && is_there("tile/0/001.p/44"));
    made_publish(w, key, 1500);
    vb_tlog_writer_close(w);
    check_log(1500);
    for (size_t i = 0; i < 4; i++) {
        free(bytes[i]);
    }
}

static bool stop(void *user, uint64_t done, uint64_t total) {
    (void)done;
    (void)total;
    ++*(int *)user;
    return false;
}

static void cancelled(void **state) {
    (void)state;
    int calls = 0;
    const vb_tlog_writer_options options = {
        .origin = "example.com/log", .progress = stop, .user = &calls};
    vb_tlog_writer *w = made_open(folder(), key);
    vb_error e = {VB_OK, ""};
    made_publish(w, key, 10);
    vb_tlog_writer_close(w);
    assert_int_equal(vb_tlog_writer_open(folder(), key, &options, &w, &e), VB_ECANCELLED);
    assert_int_equal(calls, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(grows, begin, end),
        cmocka_unit_test_setup_teardown(grows_past_a_level, begin, end),
        cmocka_unit_test_setup_teardown(names, begin, end),
        cmocka_unit_test_setup_teardown(one_writer, begin, end),
        cmocka_unit_test_setup_teardown(another_key_or_origin, begin, end),
        cmocka_unit_test_setup_teardown(refuses_entries, begin, end),
        cmocka_unit_test_setup_teardown(cosignatures, begin, end),
        cmocka_unit_test_setup_teardown(damaged, begin, end),
        cmocka_unit_test_setup_teardown(foreign_files, begin, end),
        cmocka_unit_test_setup_teardown(leftovers, begin, end),
        cmocka_unit_test_setup_teardown(cancelled, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
