/* The life of records in the store: committed, settled, found again, listed, exported, dropped. */
#include <dirent.h>

#include "base/system.h"
#include "crypto/private_file.h"
#include "unit/store/store_test.h"

static vb_error e;

static void life(void **state) {
    (void)state;
    size_t n_lost = 9;
    vb_store *s = open_store(NULL, &n_lost);
    struct stat st;
    assert_int_equal(n_lost, 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(stat(temp_path(dir, "receipts.db-wal"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);

    vb_receipt r;
    vb_store_entry entry;
    vb_buf bytes = vb_buf_make(1 << 20), expected = vb_buf_make(1 << 20);
    fill_request(&r, "vr-1");
    MUST(vb_store_commit(s, &r, &e), &e);
    assert_int_equal(r.request.sequence, 1);
    MUST(vb_commitment_check(&r, &e), &e);
    MUST(vb_store_by_sequence(s, NULL, 1, &entry, &bytes, NULL, &e), &e);
    assert_int_equal(entry.state, VB_STORE_OPEN);
    assert_string_equal(entry.id, "vr-1");
    MUST(vb_commitment_encode(&r, &expected, &e), &e);
    assert_int_equal(bytes.len, expected.len);
    assert_memory_equal(bytes.data, expected.data, bytes.len);

    finish_receipt(&r);
    MUST(vb_store_receipt(s, &r, &e), &e);
    bytes.len = expected.len = 0;
    MUST(vb_receipt_encode(&r, &expected, &e), &e);
    uint8_t hash[32];
    MUST(vb_receipt_verification_hash(&r, hash, &e), &e);
    const uint8_t *const hashes[] = {hash, r.commitment};
    for (int i = 0; i < 2; i++) {
        bytes.len = 0;
        MUST(vb_store_by_hash(s, hashes[i], &entry, &bytes, NULL, &e), &e);
        assert_int_equal(entry.state, VB_STORE_RECEIPT);
        assert_int_equal(bytes.len, expected.len);
        assert_memory_equal(bytes.data, expected.data, bytes.len);
    }
    MUST(vb_store_by_id(s, "vr-1", &entry, NULL, NULL, &e), &e);
    assert_int_equal(entry.n_bytes, expected.len);
    assert_memory_equal(entry.server_key, public_key, 32);
    assert_int_equal(entry.issued_at_ms, r.request.issued_at_ms);
    assert_true(entry.settled_at_ms >= entry.issued_at_ms);

    /* Settled is settled. */
    assert_int_equal(vb_store_receipt(s, &r, &e), VB_EINVAL);
    assert_int_equal(vb_store_abort(s, &r, VB_ABORT_FAILED, &e), VB_EINVAL);
    vb_receipt_free(&r);
    assert_int_equal(add_abort(s, "vr-2", VB_ABORT_BEACON), 2);
    assert_int_equal(add_receipt(s, "vr-3"), 3);
    const tally t = tally_all(s);
    assert_int_equal(t.last, 3);
    assert_int_equal(t.by_state[VB_STORE_RECEIPT], 2);
    assert_int_equal(t.by_state[VB_STORE_ABORT], 1);
    vb_store_close(s);
    s = open_store(NULL, &n_lost);
    assert_int_equal(n_lost, 0);
    assert_int_equal(add_receipt(s, "vr-4"), 4);
    vb_store_close(s);
    vb_buf_free(&bytes);
    vb_buf_free(&expected);
}

/* What is not there, and what is not true. */
static void refused(void **state) {
    (void)state;
    vb_store *s = open_store(NULL, NULL);
    vb_store_entry entry;
    vb_receipt r;
    bool absent = false;
    static const uint8_t nothing[32] = {0};
    assert_int_equal(vb_store_by_sequence(s, NULL, 1, &entry, NULL, &absent, &e), VB_EIO);
    assert_true(absent);
    assert_int_equal(vb_store_by_sequence(s, NULL, UINT64_MAX, &entry, NULL, &absent, &e), VB_EIO);
    assert_int_equal(vb_store_by_hash(s, nothing, &entry, NULL, &absent, &e), VB_EIO);
    assert_int_equal(vb_store_by_id(s, "x", &entry, NULL, &absent, &e), VB_EIO);
    assert_true(absent);

    fill_request(&r, "vr-1");
    r.request.max_tokens = 0;
    r.request.sequence = 77;
    assert_int_equal(vb_store_commit(s, &r, &e), VB_EFORMAT);
    assert_non_null(strstr(e.msg, "max_tokens"));
    static const uint8_t zeros[64] = {0};
    assert_int_equal(r.request.sequence, 0);
    assert_memory_equal(r.commitment_signature, zeros, 64);
    r.request.max_tokens = 2;
    MUST(vb_store_commit(s, &r, &e), &e);
    assert_int_equal(r.request.sequence, 1); /* the refused one took no number */

    finish_receipt(&r);
    r.signature[5] ^= 1;
    assert_int_equal(vb_store_receipt(s, &r, &e), VB_EMISMATCH);
    r.signature[5] ^= 1;
    r.request.max_tokens = 3;
    assert_int_equal(vb_store_receipt(s, &r, &e), VB_EMISMATCH);
    assert_int_equal(vb_store_abort(s, &r, VB_ABORT_FAILED, &e), VB_EMISMATCH);
    r.request.max_tokens = 2;
    MUST(vb_store_receipt(s, &r, &e), &e);
    vb_receipt_free(&r);
    vb_store_close(s);

    const vb_store_options read_only = {.read_only = true};
    MUST(vb_store_open(path, NULL, &read_only, &s, NULL, &e), &e);
    fill_request(&r, "vr-2");
    assert_int_equal(vb_store_commit(s, &r, &e), VB_EINVAL);
    assert_int_equal(vb_store_retain(s, NULL, &e), VB_EINVAL);
    MUST(vb_store_by_sequence(s, NULL, 1, &entry, NULL, NULL, &e), &e);
    vb_receipt_free(&r);
    vb_store_close(s);
}

/* Who has been told of a commitment finds its record under the id that follows from it, while it is
 * open and when its process has died. */
static void ids(void **state) {
    (void)state;
    vb_receipt r;
    vb_store_entry entry;
    size_t n_lost;
    char first[sizeof r.id], expected[sizeof r.id];
    vb_store *s = open_store(NULL, NULL);
    fill_request(&r, "");
    r.request.max_tokens = 0;
    assert_int_equal(vb_store_commit(s, &r, &e), VB_EFORMAT);
    assert_string_equal(r.id, "");
    r.request.max_tokens = 2;
    MUST(vb_store_commit(s, &r, &e), &e);
    snprintf(first, sizeof first, "%s", r.id);
    vb_receipt_set_id(&r);
    snprintf(expected, sizeof expected, "%s", r.id);
    assert_string_equal(first, expected);
    MUST(vb_store_by_id(s, first, &entry, NULL, NULL, &e), &e);
    assert_int_equal(entry.state, VB_STORE_OPEN);
    vb_receipt_fall_back(&r);
    r.request.mode = VB_MODE_FIXED;
    MUST(vb_store_commit(s, &r, &e), &e);
    assert_string_not_equal(r.id, first);
    MUST(vb_store_by_id(s, r.id, &entry, NULL, NULL, &e), &e);
    assert_int_equal(entry.sequence, 2);
    vb_store_close(s);

    s = open_store(NULL, &n_lost);
    assert_int_equal(n_lost, 2);
    MUST(vb_store_by_id(s, first, &entry, NULL, NULL, &e), &e);
    assert_int_equal(entry.state, VB_STORE_ABORT);
    assert_int_equal(entry.reason, VB_ABORT_LOST);
    vb_receipt_free(&r);
    vb_store_close(s);
}

/* The prompt of a private receipt is nowhere in the files. */
static void private_prompts(void **state) {
    (void)state;
    static const char secret[] = "nobody but the client knows this";
    static const uint32_t tokens[] = {1, 2, 3};
    vb_store *s = open_store(NULL, NULL);
    vb_receipt r;
    fill_request(&r, "vr-1");
    r.prompt.kind = VB_PROMPT_TEXT;
    MUST(vb_text_set(&r.prompt.text, secret, sizeof secret - 1, &e), &e);
    MUST(vb_receipt_set_prompt_tokens(&r, tokens, 3, &e), &e);
    MUST(vb_store_commit(s, &r, &e), &e);
    vb_receipt_make_private(&r);
    finish_receipt(&r);
    MUST(vb_store_receipt(s, &r, &e), &e);
    vb_receipt_free(&r);
    for (int i = 0; i < 2; i++) {
        size_t n;
        uint8_t *bytes = vb_test_read(i ? temp_path(dir, "receipts.db-wal") : path, &n);
        assert_null(memmem(bytes, n, secret, sizeof secret - 1));
        free(bytes);
    }
    vb_store_close(s);
}

static size_t list(vb_store *s, const vb_store_filter *f, vb_store_entry *out, size_t max) {
    size_t n = 99;
    MUST(vb_store_list(s, f, out, max, &n, &e), &e);
    return n;
}

static void listing(void **state) {
    (void)state;
    vb_store *s = open_store(NULL, NULL);
    vb_store_entry out[16];
    vb_receipt r;
    char id[16];
    assert_int_equal(list(s, &(vb_store_filter){.before = 0}, out, 16), 0);
    for (int i = 1; i <= 9; i++) {
        snprintf(id, sizeof id, "vr-%d", i);
        assert_int_equal(i % 3 ? add_receipt(s, id) : add_abort(s, id, VB_ABORT_CANCELLED), i);
    }
    fill_request(&r, "vr-10");
    r.request.model_sha256[0] = 7;
    usleep(3000);
    const uint64_t before = vb_unix_ms();
    MUST(vb_store_commit(s, &r, &e), &e);

    vb_store_filter f = {.before = 0};
    uint64_t expected = 10;
    for (size_t n; (n = list(s, &f, out, 4)) > 0; f.before = out[n - 1].place) {
        for (size_t i = 0; i < n; i++) {
            assert_int_equal(out[i].sequence, expected--);
        }
    }
    assert_int_equal(expected, 0);
    assert_int_equal(list(s, &(vb_store_filter){.state = VB_STORE_ABORT}, out, 16), 3);
    assert_int_equal(out[0].sequence, 9);
    assert_int_equal(out[0].reason, VB_ABORT_CANCELLED);
    assert_int_equal(list(s, &(vb_store_filter){.state = VB_STORE_OPEN}, out, 16), 1);
    assert_int_equal(list(s, &(vb_store_filter){.model_sha256 = r.request.model_sha256}, out, 16),
                     1);
    assert_int_equal(list(s, &(vb_store_filter){.since_ms = before}, out, 16), 1);
    assert_int_equal(list(s, &(vb_store_filter){.until_ms = before}, out, 16), 9);
    assert_int_equal(list(s, &(vb_store_filter){.since_ms = UINT64_MAX}, out, 16), 0);
    assert_int_equal(list(s, &(vb_store_filter){.server_key = public_key}, out, 16), 10);
    static const uint8_t other[32] = {1};
    assert_int_equal(list(s, &(vb_store_filter){.server_key = other}, out, 16), 0);

    vb_store_counts counts;
    MUST(vb_store_count(s, &counts, &e), &e);
    assert_int_equal(counts.open, 1);
    assert_int_equal(counts.receipts, 6);
    assert_int_equal(counts.aborts[VB_ABORT_CANCELLED], 3);
    assert_int_equal(counts.aborts[VB_ABORT_LOST], 0);
    assert_int_equal(counts.dropped, 0);
    assert_true(counts.record_bytes > 10000 && counts.file_bytes > 0);
    assert_int_equal(counts.groups, 19);
    vb_receipt_free(&r);
    vb_store_close(s);
}

/* Each key has its own numbers; what another key left open stays open. */
static void keys(void **state) {
    (void)state;
    static const uint8_t secret[32] = {4};
    vb_ed25519_key *other;
    vb_store *s = open_store(NULL, NULL), *t;
    vb_receipt r;
    size_t n_lost;
    assert_int_equal(add_receipt(s, "a"), 1);
    fill_request(&r, "b");
    MUST(vb_store_commit(s, &r, &e), &e);
    MUST(vb_ed25519_from_seed(secret, &other, &e), &e);
    vb_store_close(s); /* leaves 2 open */
    const vb_store_options from_5 = {.first_sequence = 5};
    MUST(vb_store_open(path, other, &from_5, &t, &n_lost, &e), &e);
    assert_int_equal(n_lost, 0);
    assert_int_equal(vb_store_abort(t, &r, VB_ABORT_FAILED, &e), VB_EMISMATCH);
    vb_receipt_free(&r);
    fill_request(&r, "c");
    MUST(vb_store_commit(t, &r, &e), &e);
    assert_int_equal(r.request.sequence, 5);
    assert_int_equal(tally_all(t).by_state[VB_STORE_OPEN], 1);

    s = open_store(NULL, &n_lost); /* while the other is open */
    assert_int_equal(n_lost, 1);
    vb_store_entry entry;
    vb_buf bytes = vb_buf_make(1 << 20);
    MUST(vb_store_by_sequence(s, NULL, 2, &entry, &bytes, NULL, &e), &e);
    assert_int_equal(entry.reason, VB_ABORT_LOST);
    assert_string_equal(entry.id, "b");
    check_record(&entry, bytes.data, bytes.len);
    MUST(vb_store_abort(t, &r, VB_ABORT_FAILED, &e), &e);
    vb_receipt_free(&r);
    vb_buf_free(&bytes);
    vb_store_close(s);
    vb_store_close(t);
    const vb_store_options again = {.first_sequence = 900};
    MUST(vb_store_open(path, other, &again, &t, &n_lost, &e), &e);
    fill_request(&r, "d");
    MUST(vb_store_commit(t, &r, &e), &e);
    assert_int_equal(r.request.sequence, 6); /* a key that is known goes on counting */
    vb_receipt_free(&r);
    vb_store_close(t);
    vb_ed25519_close(other);
}

/* What is left after dropping is a run of numbers up to the last, and the dropped are accounted
 * for. */
static void retention(void **state) {
    (void)state;
    const vb_store_options keep = {.keep_bytes = 12000};
    vb_store *s = open_store(NULL, NULL);
    vb_receipt r;
    uint64_t n = 9;
    for (int i = 0; i < 200; i++) {
        assert_int_equal(add_receipt(s, "vr"), i + 1);
    }
    MUST(vb_store_retain(s, &n, &e), &e);
    assert_int_equal(n, 0);
    fill_request(&r, "open");
    MUST(vb_store_commit(s, &r, &e), &e);
    vb_store_close(s);
    s = open_store(&keep, NULL);
    add_receipt(s, "vr");
    MUST(vb_store_retain(s, NULL, &e), &e);
    vb_store_counts counts;
    MUST(vb_store_count(s, &counts, &e), &e);
    assert_true(counts.record_bytes <= 12000 && counts.record_bytes > 8000);
    assert_int_equal(counts.receipts, 201);
    assert_int_equal(counts.aborts[VB_ABORT_LOST], 1);
    const tally t = tally_all(s);
    assert_int_equal(t.first, 1);
    assert_int_equal(t.last, 202);
    assert_int_equal(t.dropped, counts.dropped);
    assert_true(t.dropped > 180);
    vb_store_entry entry;
    vb_buf bytes = vb_buf_make(1 << 20);
    for (uint64_t i = 1; i <= 202; i++) { /* nothing before the first that is there */
        MUST(vb_store_by_sequence(s, NULL, i, &entry, &bytes, NULL, &e), &e);
        assert_true((entry.n_bytes == 0) == (i <= t.dropped));
        assert_true(entry.state != VB_STORE_RECEIPT || entry.verification_hash[0] ||
                    entry.verification_hash[1] || entry.verification_hash[2]);
    }
    vb_buf_free(&bytes);

    /* An open commitment keeps what came after it. */
    vb_receipt_free(&r);
    fill_request(&r, "open");
    MUST(vb_store_commit(s, &r, &e), &e);
    for (int i = 0; i < 30; i++) {
        add_receipt(s, "vr");
    }
    MUST(vb_store_retain(s, NULL, &e), &e);
    MUST(vb_store_by_sequence(s, NULL, 204, &entry, NULL, NULL, &e), &e);
    assert_true(entry.n_bytes > 0);
    MUST(vb_store_abort(s, &r, VB_ABORT_CANCELLED, &e), &e);
    MUST(vb_store_retain(s, NULL, &e), &e);
    MUST(vb_store_by_sequence(s, NULL, 204, &entry, NULL, NULL, &e), &e);
    assert_int_equal(entry.n_bytes, 0);
    vb_receipt_free(&r);
    vb_store_close(s);

    const vb_store_options young = {.keep_ms = 1};
    usleep(5000);
    s = open_store(&young, NULL); /* all are older, and the sound of a check is theirs */
    MUST(vb_store_retain(s, NULL, &e), &e);
    MUST(vb_store_count(s, &counts, &e), &e);
    assert_int_equal(counts.record_bytes, 0);
    assert_int_equal(counts.dropped, 233);
    assert_int_equal(add_receipt(s, "vr"), 234);
    vb_store_close(s);
    s = open_store(NULL, NULL);
    assert_int_equal(tally_all(s).last, 234);
    vb_store_close(s);
}

/* Without being asked, and the file does not grow. */
static void retention_by_itself(void **state) {
    (void)state;
    const vb_store_options keep = {.keep_bytes = 100000};
    vb_store *s = open_store(&keep, NULL);
    vb_store_counts counts;
    uint64_t dropped = 0;
    for (int i = 0; i < 2000 && !dropped; i++) {
        add_receipt(s, "vr");
        usleep(i > 100 ? 5000 : 0);
        MUST(vb_store_count(s, &counts, &e), &e);
        dropped = counts.dropped;
    }
    assert_true(dropped > 0);
    assert_int_equal(counts.housekeeping_failures, 0);
    vb_store_close(s);
}

static size_t count_files(const char *name) {
    DIR *d = opendir(name);
    size_t n = 0;
    assert_non_null(d);
    for (const struct dirent *f; (f = readdir(d));) {
        n += strstr(f->d_name, ".json") != NULL;
        assert_null(strstr(f->d_name, ".part"));
    }
    closedir(d);
    return n;
}

static vb_err append(void *user, const void *bytes, size_t n, vb_error *err) {
    (void)err;
    return vb_buf_append(user, bytes, n);
}

static void exporting(void **state) {
    (void)state;
    vb_store *s = open_store(NULL, NULL);
    vb_receipt r;
    char to[128], file[256];
    for (int i = 0; i < 5; i++) {
        add_receipt(s, "vr");
    }
    add_abort(s, "vr", VB_ABORT_FAILED);
    fill_request(&r, "open");
    MUST(vb_store_commit(s, &r, &e), &e);
    snprintf(to, sizeof to, "%s/out", dir);
    vb_store_exported x;
    MUST(vb_store_export_folder(s, NULL, to, &x, &e), &e);
    assert_int_equal(x.receipts, 5);
    assert_int_equal(x.aborts, 1);
    assert_int_equal(x.commitments, 1);
    assert_int_equal(x.dropped, 0);
    snprintf(file, sizeof file, "%s/receipts", to);
    assert_int_equal(count_files(file), 5);
    snprintf(file, sizeof file, "%s/commitments/7.json", to);
    assert_int_equal(access(file, F_OK), 0);
    finish_receipt(&r);
    MUST(vb_store_receipt(s, &r, &e), &e);
    MUST(vb_store_export_folder(s, NULL, to, &x, &e), &e);
    assert_int_not_equal(access(file, F_OK), 0); /* settled since */
    snprintf(file, sizeof file, "%s/receipts/7.json", to);
    vb_buf stored = vb_buf_make(1 << 20), lines = vb_buf_make(1 << 20);
    vb_store_entry entry;
    MUST(vb_store_by_sequence(s, public_key, 7, &entry, &stored, NULL, &e), &e);
    size_t n;
    uint8_t *exported = vb_test_read(file, &n);
    assert_int_equal(n, stored.len);
    assert_memory_equal(exported, stored.data, n);
    free(exported);
    vb_store_close(s);

    const vb_store_options keep = {.keep_bytes = 4000};
    s = open_store(&keep, NULL);
    MUST(vb_store_retain(s, NULL, &e), &e);
    MUST(vb_store_export_lines(s, NULL, append, &lines, &x, &e), &e);
    assert_int_equal(x.receipts + x.aborts + x.dropped, 7);
    assert_true(x.dropped > 2 && x.receipts > 0);
    size_t n_lines = 0, n_dropped = 0;
    for (char *p = (char *)lines.data, *end; (end = strchr(p, '\n')); p = end + 1, n_lines++) {
        *end = 0;
        n_dropped += strstr(p, "verbatim.dropped/1") != NULL;
    }
    assert_int_equal(n_lines, 7);
    assert_int_equal(n_dropped, x.dropped);
    MUST(vb_store_export_folder(s, NULL, to, &x, &e), &e);
    snprintf(file, sizeof file, "%s/dropped.jsonl", to);
    assert_int_equal(access(file, F_OK), 0);
    assert_int_equal(vb_store_export_folder(s, NULL, path, &x, &e), VB_EIO);
    vb_receipt_free(&r);
    vb_buf_free(&stored);
    vb_buf_free(&lines);
    vb_store_close(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(life, clear_dir),
        cmocka_unit_test_setup(refused, clear_dir),
        cmocka_unit_test_setup(ids, clear_dir),
        cmocka_unit_test_setup(private_prompts, clear_dir),
        cmocka_unit_test_setup(listing, clear_dir),
        cmocka_unit_test_setup(keys, clear_dir),
        cmocka_unit_test_setup(retention, clear_dir),
        cmocka_unit_test_setup(retention_by_itself, clear_dir),
        cmocka_unit_test_setup(exporting, clear_dir),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
