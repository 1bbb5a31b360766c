/* Every commitment ends in exactly one record, whatever kills the program in between. */
#include "support/testing.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "beacon/local_chain.h"
#include "crypto/private_file.h"
#include "engine/ledger.h"

static char dir[64];
static vb_ed25519_key *key;
static vb_error e;

static void must(vb_err err) {
    if (err) {
        fail_msg("%s: %s", vb_err_name(err), e.msg);
    }
}

static int setup(void **state) {
    (void)state;
    static const uint8_t secret[32] = {3};
    must(vb_ed25519_from_seed(secret, &key, &e));
    snprintf(dir, sizeof dir, "/tmp/verbatim-ledger-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state) {
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    vb_ed25519_close(key);
    return system(command);
}

static const char *path_of(const char *folder, uint64_t n) {
    static char path[256];
    snprintf(path, sizeof path, "%s/%s/%d.json", dir, folder, (int)n);
    return path;
}

static bool there(const char *folder, uint64_t n) {
    struct stat st;
    if (stat(path_of(folder, n), &st)) {
        return false;
    }
    assert_int_equal(st.st_mode & 0777, 0600);
    return true;
}

static void fill(vb_receipt *r) {
    static const uint32_t tokens[] = {1, 2, 3}, out[] = {4, 5};
    static const uint8_t root[32] = {1};
    vb_receipt_init(r);
    r->prompt.kind = VB_PROMPT_TOKENS;
    must(vb_receipt_set_prompt_tokens(r, tokens, 3, &e));
    snprintf(r->id, sizeof r->id, "vr-1");
    snprintf(r->model.architecture, sizeof r->model.architecture, "llama");
    snprintf(r->model.file_type, sizeof r->model.file_type, "F16");
    snprintf(r->engine_version, sizeof r->engine_version, "test");
    snprintf(r->engine_tier, sizeof r->engine_tier, "test");
    r->request.max_tokens = 2;
    r->request.ctx_tokens = 8;
    r->request.mode = VB_MODE_FIXED;
    r->request.has_seed = true;
    must(vb_receipt_add_output(r, out, 2, "ab", 2, VB_FINISH_LENGTH, root, &e));
}

/* The reason in an abort record whose signatures hold. */
static vb_abort_reason abort_reason(uint64_t n) {
    vb_abort a;
    vb_buf bytes = vb_buf_make(1 << 20);
    must(vb_private_file_read(path_of("aborts", n), &bytes, NULL, &e));
    must(vb_abort_decode(bytes.data, bytes.len, &a, &e));
    must(vb_abort_check(&a, &e));
    assert_int_equal(a.r.request.sequence, n);
    const vb_abort_reason reason = a.reason;
    vb_abort_free(&a);
    vb_buf_free(&bytes);
    return reason;
}

static void settled_by_receipt_or_abort(void **state) {
    (void)state;
    vb_ledger *l;
    vb_receipt r;
    size_t n_lost = 9;
    must(vb_ledger_open(dir, key, &l, &n_lost, &e));
    assert_int_equal(n_lost, 0);
    for (uint64_t n = 1; n <= 3; n++) {
        fill(&r);
        must(vb_ledger_commit(l, &r, &e));
        assert_int_equal(r.request.sequence, n);
        must(vb_commitment_check(&r, &e));
        assert_true(there("commitments", n));
        if (n == 2) {
            must(vb_ledger_abort(l, &r, VB_ABORT_BEACON, &e));
            assert_int_equal(abort_reason(n), VB_ABORT_BEACON);
        } else {
            must(vb_receipt_sign(&r, key, NULL, &e));
            must(vb_ledger_receipt(l, &r, &e));
        }
        assert_true(there(n == 2 ? "aborts" : "receipts", n));
        assert_false(there("commitments", n));
        vb_receipt_free(&r);
    }
    vb_ledger_close(l);
}

/* A commitment is another process's as long as that lives, and lost when it has died. */
static void dead_and_living_processes(void **state) {
    (void)state;
    int up[2], down[2];
    char c;
    assert_int_equal(pipe(up) | pipe(down), 0);
    pid_t child = fork();
    if (child == 0) {
        vb_ledger *mine;
        vb_receipt r;
        fill(&r);
        if (vb_ledger_open(dir, key, &mine, NULL, &e) || vb_ledger_commit(mine, &r, &e)) {
            _exit(1);
        }
        (void)!write(up[1], "x", 1);
        (void)!read(down[0], &c, 1);
        _exit(2);
    }
    vb_ledger *l;
    size_t n_lost;
    assert_int_equal(read(up[0], &c, 1), 1);
    must(vb_ledger_open(dir, key, &l, &n_lost, &e));
    vb_ledger_close(l);
    assert_int_equal(n_lost, 0);
    assert_true(there("commitments", 4));
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    must(vb_ledger_open(dir, key, &l, &n_lost, &e));
    vb_ledger_close(l);
    assert_int_equal(n_lost, 1);
    assert_false(there("commitments", 4));
    assert_int_equal(abort_reason(4), VB_ABORT_LOST);
}

static vb_err take_number(void *user, uint64_t last, bool *take, vb_error *err) {
    (void)user;
    (void)last;
    (void)err;
    *take = true;
    return VB_OK;
}

/* What a crash can leave: a settled commitment that is still there, one whose number was never
 * taken, names of others. */
static void leftovers(void **state) {
    (void)state;
    vb_ledger *l;
    vb_receipt r;
    size_t n_lost;
    uint64_t last;
    vb_buf bytes = vb_buf_make(1 << 20);
    must(vb_sequence_last(dir, &last, &e));
    fill(&r);
    r.request.sequence = last + 1;
    must(vb_commitment_make(&r, key, &e));
    must(vb_commitment_encode(&r, &bytes, &e));
    must(vb_private_file_create(path_of("commitments", 1), bytes.data, bytes.len, &e));
    must(vb_private_file_create(path_of("commitments", 2), bytes.data, bytes.len, &e));
    must(vb_private_file_create(path_of("commitments", last + 1), bytes.data, bytes.len, &e));
    must(vb_private_file_create(path_of("commitments", 0), "x", 1, &e));
    must(vb_ledger_open(dir, key, &l, &n_lost, &e));
    assert_int_equal(n_lost, 0);
    assert_false(there("commitments", 1));
    assert_false(there("aborts", 1));
    assert_int_equal(abort_reason(2), VB_ABORT_BEACON); /* not replaced by another record */
    assert_false(there("commitments", last + 1));
    assert_true(there("commitments", 0));
    vb_ledger_close(l);
    must(vb_private_file_create(path_of("commitments", 3), "not JSON", 8, &e));
    must(vb_ledger_open(dir, key, &l, NULL, &e)); /* settled by its receipt: not even read */
    vb_ledger_close(l);
    assert_false(there("commitments", 3));
    must(vb_sequence_with(dir, take_number, NULL, &e));
    must(vb_private_file_create(path_of("commitments", last + 1), "not JSON", 8, &e));
    assert_int_equal(vb_ledger_open(dir, key, &l, NULL, &e), VB_EFORMAT);
    assert_non_null(strstr(e.msg, "commitments/"));
    must(vb_private_file_replace(path_of("commitments", last + 1), bytes.data, bytes.len, &e));
    must(vb_ledger_open(dir, key, &l, &n_lost, &e));
    vb_ledger_close(l);
    assert_int_equal(n_lost, 1);
    vb_receipt_free(&r);
    vb_buf_free(&bytes);
}

/* Killed at any moment, many times: every number has one record, and they have no gap. */
static void killed_at_any_moment(void **state) {
    (void)state;
    uint64_t before, last;
    must(vb_sequence_last(dir, &before, &e));
    for (int round = 0; round < 60; round++) {
        pid_t child = fork();
        if (child == 0) {
            for (;;) {
                vb_ledger *l;
                vb_receipt r;
                fill(&r);
                if (vb_ledger_open(dir, key, &l, NULL, &e) || vb_ledger_commit(l, &r, &e) ||
                    vb_receipt_sign(&r, key, NULL, &e) || vb_ledger_receipt(l, &r, &e)) {
                    _exit(1);
                }
                vb_ledger_close(l);
                vb_receipt_free(&r);
            }
        }
        int status;
        usleep((useconds_t)(1000 + round * 397 % 9000));
        kill(child, SIGKILL);
        waitpid(child, &status, 0);
        assert_true(WIFSIGNALED(status)); /* never ended by an error of its own */
    }
    vb_ledger *l;
    must(vb_ledger_open(dir, key, &l, NULL, &e));
    vb_ledger_close(l);
    must(vb_sequence_last(dir, &last, &e));
    assert_true(last > before);
    size_t receipts = 0, aborts = 0;
    for (uint64_t n = before + 1; n <= last; n++) {
        const bool receipt = there("receipts", n), aborted = there("aborts", n);
        assert_true(receipt != aborted);
        assert_false(there("commitments", n));
        receipts += receipt;
        aborts += aborted;
    }
    assert_false(there("receipts", last + 1) || there("aborts", last + 1));
    print_message("%zu receipts, %zu lost\n", receipts, aborts);
}

static void put_sequence(uint64_t last) {
    char path[256], text[64];
    snprintf(path, sizeof path, "%s/sequence.state", dir);
    int n = snprintf(text, sizeof text, "verbatim.sequence.v1\nlast %d\n", (int)last);
    must(vb_private_file_replace(path, text, (size_t)n, &e));
}

static void read_record(const char *folder, uint64_t n, vb_buf *bytes) {
    *bytes = vb_buf_make(1 << 20);
    must(vb_private_file_read(path_of(folder, n), bytes, NULL, &e));
}

/* Numbers that begin again (sequence.state was lost, or put back from a copy) are refused: no
 * record is written over, and no number is signed for twice. */
static void numbers_do_not_begin_again(void **state) {
    static const uint64_t older[] = {0, 1}; /* 1 has a receipt, 2 an abort */
    static const char *const folders[] = {"receipts", "aborts"};
    vb_ledger *l;
    vb_receipt r;
    uint64_t last;
    (void)state;
    must(vb_sequence_last(dir, &last, &e));
    for (size_t i = 0; i < 2; i++) {
        vb_buf before, after;
        read_record(folders[i], older[i] + 1, &before);
        put_sequence(older[i]);
        must(vb_ledger_open(dir, key, &l, NULL, &e));
        fill(&r);
        assert_int_equal(vb_ledger_commit(l, &r, &e), VB_EFORMAT);
        assert_non_null(strstr(e.msg, path_of(folders[i], older[i] + 1)));
        assert_non_null(strstr(e.msg, "sequence.state"));
        vb_ledger_close(l);
        vb_receipt_free(&r);
        read_record(folders[i], older[i] + 1, &after);
        assert_int_equal(before.len, after.len);
        assert_memory_equal(before.data, after.data, before.len);
        assert_false(there("commitments", older[i] + 1));
        vb_buf_free(&before);
        vb_buf_free(&after);
    }
    put_sequence(last);
    /* An open commitment far beyond the last number was seen by somebody: it is not thrown away. */
    must(vb_private_file_create(path_of("commitments", last + 2), "x", 1, &e));
    assert_int_equal(vb_ledger_open(dir, key, &l, NULL, &e), VB_EFORMAT);
    assert_non_null(strstr(e.msg, path_of("commitments", last + 2)));
    assert_true(there("commitments", last + 2));
    assert_int_equal(unlink(path_of("commitments", last + 2)), 0);
    must(vb_ledger_open(dir, key, &l, NULL, &e));
    vb_ledger_close(l);
}

/* Found when the ledger opens, not when an answer is to be kept in it. */
static void a_file_for_a_folder(void **state) {
    char sub[96], path[128];
    vb_ledger *l = NULL;
    (void)state;
    snprintf(sub, sizeof sub, "%s/other", dir);
    snprintf(path, sizeof path, "%s/receipts", sub);
    assert_int_equal(mkdir(sub, 0700), 0);
    must(vb_private_file_create(path, "x", 1, &e));
    assert_int_equal(vb_ledger_open(sub, key, &l, NULL, &e), VB_EIO);
    assert_non_null(strstr(e.msg, path));
    assert_int_equal(unlink(path), 0);
    must(vb_ledger_open(sub, key, &l, NULL, &e));
    vb_ledger_close(l);
}

/* The commitment of a key that was replaced can not be settled by the new one: the error names it,
 * and it stays for who has the old key. */
static void another_key(void **state) {
    static const uint8_t secret[32] = {4};
    vb_ed25519_key *other;
    vb_ledger *l;
    vb_receipt r;
    size_t n_lost;
    (void)state;
    must(vb_ed25519_from_seed(secret, &other, &e));
    must(vb_ledger_open(dir, key, &l, NULL, &e));
    fill(&r);
    must(vb_ledger_commit(l, &r, &e));
    vb_ledger_close(l);
    const uint64_t n = r.request.sequence;
    assert_int_equal(vb_ledger_open(dir, other, &l, NULL, &e), VB_EMISMATCH);
    assert_non_null(strstr(e.msg, path_of("commitments", n)));
    assert_true(there("commitments", n));
    must(vb_ledger_open(dir, key, &l, &n_lost, &e));
    vb_ledger_close(l);
    assert_int_equal(n_lost, 1);
    assert_int_equal(abort_reason(n), VB_ABORT_LOST);
    vb_receipt_free(&r);
    vb_ed25519_close(other);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settled_by_receipt_or_abort),
        cmocka_unit_test(dead_and_living_processes),
        cmocka_unit_test(leftovers),
        cmocka_unit_test(killed_at_any_moment),
        cmocka_unit_test(numbers_do_not_begin_again),
        cmocka_unit_test(another_key),
        cmocka_unit_test(a_file_for_a_folder),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
