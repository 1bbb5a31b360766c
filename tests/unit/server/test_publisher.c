/* The publisher without a server: a store, its log, and proofs of what is in it. Kills, full disks
 * and witnesses are tests/server/serve_tlog.test's. */
#include <pthread.h>

#include "base/system.h"
#include "server/log.h"
#include "server/publisher.h"
#include "tlog/proof.h"
#include "tlog/reader.h"
#include "unit/store/journal_test.h"

enum { WAIT_MS = 20000, THREADS = 4, RECORDS = 40 };

static vb_error e;
static char folder[128];
static const vb_store_options with_journal = {.journal = true};

static int clear(void **state) {
    snprintf(folder, sizeof folder, "%s/log", dir);
    return clear_dir(state);
}

static vb_publisher_options options_of(vb_store *s, uint32_t publish_s) {
    return (vb_publisher_options){.folder = folder,
                                  .origin = "log.example/test",
                                  .key = key,
                                  .store = s,
                                  .publish_s = publish_s,
                                  .within_s = publish_s + 50,
                                  .settle_s = 86400};
}

static vb_publisher *open_publisher(vb_store *s, uint32_t publish_s) {
    const vb_publisher_options options = options_of(s, publish_s);
    vb_publisher *p = NULL;
    MUST(vb_publisher_open(&options, &p, &e), &e);
    return p;
}

static void wait_for_size(vb_publisher *p, uint64_t size) {
    const uint64_t end = vb_unix_ms() + WAIT_MS;
    while (vb_publisher_size(p) != size) {
        assert_true(vb_unix_ms() < end);
        usleep(2000);
    }
}

/* All of the folder is what the store has, and nothing else. */
static void check_log(vb_store *s, uint64_t size) {
    vb_tlog_reader *r;
    vb_tlog_checkpoint c;
    journal_audit a = {.n = 0};
    MUST(vb_tlog_reader_open_folder(folder, NULL, &r, &e), &e);
    MUST(vb_tlog_reader_refresh(r, NULL, 0, &c, NULL, NULL, &e), &e);
    assert_int_equal(c.size, size);
    for (uint64_t i = 0; i < size; i++) {
        const uint8_t *bytes;
        size_t n;
        MUST(vb_tlog_reader_entry(r, i, &bytes, &n, &e), &e);
        audit_entry(&a, bytes, n);
    }
    vb_tlog_reader_close(r);
    free(audit_rest(s, a).of);
}

static void check_proof(vb_publisher *p, uint64_t index, uint64_t sequence, vb_tlog_kind kind) {
    vb_buf bytes = vb_buf_make(VB_TLOG_PROOF_BYTES_MAX);
    vb_tlog_proof proof;
    vb_tlog_entry entry;
    vb_tlog_checkpoint c;
    MUST(vb_publisher_prove(p, index, &bytes, &e), &e);
    MUST(vb_tlog_proof_decode(bytes.data, bytes.len, &proof, &e), &e);
    MUST(vb_tlog_proof_check(&proof, vb_publisher_key(p), &entry, &c, &e), &e);
    assert_true(entry.sequence == sequence && entry.kind == kind && proof.index == index);
    vb_tlog_proof_free(&proof);
    vb_buf_free(&bytes);
}

static void life(void **state) {
    (void)state;
    vb_publisher_stats t;
    vb_store *s = open_store(&with_journal, NULL);
    vb_publisher *p = open_publisher(s, 3600);
    vb_buf note = vb_buf_make(VB_TLOG_NOTE_BYTES_MAX);
    MUST(vb_publisher_note(p, &note, &e), &e); /* an empty log has a checkpoint */
    assert_non_null(strstr((const char *)note.data, "log.example/test\n0\n"));
    assert_int_equal(vb_publisher_size(p), 0);
    vb_receipt r;
    fill_request(&r, "vr-1");
    MUST(vb_store_commit(s, &r, &e), &e);
    wait_for_size(p, 1); /* after a pause at once, and then not for an hour */
    check_proof(p, 0, 1, VB_TLOG_COMMITMENT);
    finish_receipt(&r);
    MUST(vb_store_receipt(s, &r, &e), &e);
    vb_receipt_free(&r);
    add_abort(s, "vr-2", VB_ABORT_BEACON);
    usleep(100000);
    vb_publisher_get_stats(p, &t);
    assert_true(t.size == 1 && t.checkpoints == 1 && t.late == 0 && t.failures == 0);
    vb_publisher_close(p);
    check_log(s, 4);
    vb_store_journal j;
    MUST(vb_store_journal_get(s, &j, &e), &e);
    assert_true(j.first == 4 && j.end == 4); /* what is public has left the journal */

    p = open_publisher(s, 1);
    assert_int_equal(vb_publisher_size(p), 4);
    check_proof(p, 1, 1, VB_TLOG_RECEIPT);
    check_proof(p, 3, 2, VB_TLOG_ABORT);
    add_receipt(s, "vr-3");
    wait_for_size(p, 6);
    vb_publisher_close(p);
    check_log(s, 6);
    vb_buf_free(&note);
    vb_store_close(s);
}

static void *answer(void *user) {
    for (int i = 0; i < RECORDS; i++) {
        add_receipt(user, "vr");
    }
    return NULL;
}

/* Records of many threads, and others who read all the while. */
static void many_threads(void **state) {
    (void)state;
    pthread_t threads[THREADS];
    vb_store *s = open_store(&with_journal, NULL);
    vb_publisher *p = open_publisher(s, 1);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, answer, s), 0);
    }
    uint64_t size = 0;
    for (int i = 0; i < 200; i++) {
        const uint64_t now = vb_publisher_size(p);
        vb_buf bytes = vb_buf_make(VB_TLOG_PROOF_BYTES_MAX);
        assert_true(now >= size);
        size = now;
        if (size) {
            MUST(vb_publisher_prove(p, size - 1, &bytes, &e), &e);
        }
        vb_buf_free(&bytes);
        usleep(2000);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    vb_publisher_close(p);
    check_log(s, 2 * THREADS * RECORDS);
    vb_store_close(s);
}

static vb_err open_with(vb_store *s) {
    const vb_publisher_options options = options_of(s, 1);
    vb_publisher *p = NULL;
    const vb_err err = vb_publisher_open(&options, &p, &e);
    assert_int_equal(err == VB_OK, p != NULL);
    vb_publisher_close(p);
    return err;
}

/* A log and a store that do not belong together, in every way in which they can. */
static void strangers(void **state) {
    (void)state;
    char other_path[160];
    vb_store *s = open_store(&with_journal, NULL), *other = NULL;
    add_receipt(s, "vr-1");
    assert_int_equal(open_with(s), VB_OK);
    snprintf(other_path, sizeof other_path, "%s/other.db", dir);
    MUST(vb_store_open(other_path, key, &with_journal, &other, NULL, &e), &e);
    assert_int_equal(open_with(other), VB_EMISMATCH); /* has made less */
    assert_non_null(strstr(e.msg, "an old copy of the store?"));
    add_receipt(other, "vr-1"); /* the same number at another time */
    assert_int_equal(open_with(other), VB_EMISMATCH);
    assert_non_null(strstr(e.msg, "is not the store's"));
    MUST(vb_store_journal_drop(other, 2, &e), &e);
    add_receipt(other, "vr-2");
    MUST(vb_store_journal_drop(other, 3, &e), &e);
    assert_int_equal(open_with(other), VB_EMISMATCH); /* more of it was public */
    assert_non_null(strstr(e.msg, "an old copy of the log?"));
    vb_store_close(other);

    /* As many entries, of which none is public any more. */
    const vb_store_options later = {.journal = true, .first_sequence = 9};
    snprintf(other_path, sizeof other_path, "%s/later.db", dir);
    MUST(vb_store_open(other_path, key, &later, &other, NULL, &e), &e);
    add_receipt(other, "vr-9");
    MUST(vb_store_journal_drop(other, 2, &e), &e);
    assert_int_equal(open_with(other), VB_EMISMATCH);
    assert_non_null(strstr(e.msg, "is not the store's"));
    vb_store_close(other);
    assert_int_equal(open_with(s), VB_OK); /* and the log is as it was */
    check_log(s, 2);
    vb_store_close(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(life, clear),
        cmocka_unit_test_setup(many_threads, clear),
        cmocka_unit_test_setup(strangers, clear),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
