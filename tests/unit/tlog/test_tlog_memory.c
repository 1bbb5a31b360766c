/* Each allocation of writing, reading and checking entries, proofs and evidence fails in turn: no
 * output and no verdict come of it, nobody is convicted or cleared, and nothing leaks. */
#include <stdlib.h>

#include <jansson.h>

#include "tlog/evidence.h"
#include "tlog/proof.h"
#include "tlog/record.h"
#include "unit/tlog/sample_log.h"

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);

static long until_failure = -1; /* allocations that still succeed; -1: all */

static bool fails_now(void) {
    return until_failure >= 0 && until_failure-- == 0;
}

void *__wrap_malloc(size_t n) {
    return fails_now() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size) {
    return fails_now() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n) {
    return fails_now() ? NULL : __real_realloc(p, n);
}

enum { ENTRIES, FORK, COMMITMENT, N_EVIDENCE };

static vb_ed25519_key *key;
static vb_tlog_key log_key;
static vb_tlog_checkpoint checkpoint = {.origin = SAMPLE_ORIGIN, .size = 1};
static vb_tlog_entry entry;
static vb_tlog_proof proof;                   /* of the entry, in a log of two */
static vb_tlog_evidence evidence[N_EVIDENCE]; /* each convicts */
static vb_buf entry_bytes, proof_bytes, evidence_bytes[N_EVIDENCE], receipt;

/* what: for those that do the same with several things. */
typedef vb_err attempt(int what, vb_buf *out);

static vb_err write_entry(int what, vb_buf *out) {
    (void)what;
    return vb_tlog_entry_encode(&entry, out, NULL);
}

static vb_err read_entry(int what, vb_buf *out) {
    vb_tlog_entry read;
    (void)what, (void)out;
    return vb_tlog_entry_decode(entry_bytes.data, entry_bytes.len, &read, NULL);
}

static vb_err sign(int what, vb_buf *out) {
    return what ? vb_tlog_cosign(&checkpoint, "w", key, 1, out, NULL)
                : vb_tlog_checkpoint_sign(&checkpoint, key, out, NULL);
}

static vb_err write_proof(int what, vb_buf *out) {
    (void)what;
    return vb_tlog_proof_encode(&proof, out, NULL);
}

static vb_err check_proof(int what, vb_buf *out) {
    vb_tlog_proof p;
    vb_tlog_entry read;
    vb_tlog_checkpoint c;
    (void)what, (void)out;
    vb_err err = vb_tlog_proof_decode(proof_bytes.data, proof_bytes.len, &p, NULL);
    if (!err) {
        err = vb_tlog_proof_check(&p, &log_key, &read, &c, NULL);
    }
    vb_tlog_proof_free(&p);
    return err;
}

static vb_err match(int what, vb_buf *out) {
    vb_tlog_record *r = NULL;
    vb_tlog_entry own;
    (void)what, (void)out;
    vb_err err = vb_tlog_record_open(receipt.data, receipt.len, &r, NULL);
    if (!err) {
        err = vb_tlog_record_entry(r, &own, NULL);
    }
    vb_tlog_record_close(r);
    return err ? err : vb_tlog_entry_match(&own, &log_key, receipt.data, receipt.len, NULL);
}

static vb_err write_evidence(int what, vb_buf *out) {
    return vb_tlog_evidence_encode(&evidence[what], out, NULL);
}

static vb_err check_evidence(int what, vb_buf *out) {
    const vb_buf *b = &evidence_bytes[what];
    vb_tlog_evidence ev;
    vb_tlog_finding found;
    (void)out;
    vb_err err = vb_tlog_evidence_decode(b->data, b->len, &ev, NULL);
    assert_true(!err || (!ev.entries && !ev.record.data && !ev.notes[0].data));
    if (!err) {
        err = vb_tlog_evidence_check(&ev, &found, NULL);
    }
    vb_tlog_evidence_free(&ev);
    return err;
}

static vb_err put_together(int what, vb_buf *out) {
    vb_tlog_evidence ev;
    (void)what, (void)out;
    vb_tlog_evidence_init(&ev, VB_TLOG_CHARGE_COMMITMENT, &log_key);
    vb_err err = vb_tlog_evidence_set_note(&ev, 0, proof.note.data, proof.note.len, NULL);
    if (!err) {
        err = vb_tlog_evidence_add(&ev, &proof, NULL);
    }
    if (!err) {
        err = vb_tlog_evidence_set_record(&ev, receipt.data, receipt.len, NULL);
    }
    vb_tlog_evidence_free(&ev);
    return err;
}

static void fail_each(attempt *f, int what, long at_least) {
    long nth = 0;
    for (;; nth++) {
        vb_buf out = vb_buf_make(1 << 20);
        until_failure = nth;
        vb_err err = f(what, &out);
        bool fired = until_failure < 0;
        until_failure = -1;
        if (fired) {
            assert_int_not_equal(err, VB_OK);
            assert_int_not_equal(err, VB_EMISMATCH);
            assert_int_not_equal(err, VB_EUNSUPPORTED);
            assert_int_equal(out.len, 0);
        }
        vb_buf_free(&out);
        if (!fired) {
            assert_int_equal(err, VB_OK);
            break;
        }
    }
    if (nth < at_least) {
        fail_msg("%ld allocations failed, expected %ld at least", nth, at_least);
    }
}

static void writing(void **state) {
    (void)state;
    fail_each(write_entry, 0, 20);
    fail_each(sign, 0, 1);
    fail_each(sign, 1, 1);
    fail_each(write_proof, 0, 3);
    fail_each(put_together, 0, 4);
    for (int i = 0; i < N_EVIDENCE; i++) {
        fail_each(write_evidence, i, 30);
    }
}

static void reading(void **state) {
    (void)state;
    fail_each(read_entry, 0, 10);
    fail_each(check_proof, 0, 10);
    fail_each(match, 0, 100);
    for (int i = 0; i < N_EVIDENCE; i++) {
        fail_each(check_evidence, i, 15);
    }
}

/* A log of another commitment of the golden receipt's number, twice. */
static void prepare_log(sample_tree *tree) {
    entry = sample_entry(VB_TLOG_COMMITMENT, 17, 'a', key);
    assert_int_equal(write_entry(0, &entry_bytes), VB_OK);
    sample_add(tree, entry_bytes.data, entry_bytes.len);
    sample_add(tree, entry_bytes.data, entry_bytes.len);
    proof =
        (vb_tlog_proof){.entry = vb_buf_make(1024), .note = vb_buf_make(VB_TLOG_NOTE_BYTES_MAX)};
    assert_int_equal(vb_buf_append(&proof.entry, entry_bytes.data, entry_bytes.len), VB_OK);
    sample_note(tree, 2, key, &proof.note);
    assert_int_equal(vb_tlog_prove(0, 2, sample_give, tree, proof.path, &proof.n_path, NULL),
                     VB_OK);
    assert_int_equal(write_proof(0, &proof_bytes), VB_OK);
}

static void set_note(vb_tlog_evidence *ev, int which, const vb_buf *note) {
    assert_int_equal(vb_tlog_evidence_set_note(ev, which, note->data, note->len, NULL), VB_OK);
}

static void prepare_evidence(sample_tree *tree) {
    vb_tlog_proof second = proof;
    vb_buf first = vb_buf_make(VB_TLOG_NOTE_BYTES_MAX);
    vb_tlog_hash path[VB_TLOG_PATH_MAX];
    size_t n;
    second.index = 1;
    assert_int_equal(vb_tlog_prove(1, 2, sample_give, tree, second.path, &second.n_path, NULL),
                     VB_OK);
    vb_tlog_evidence_init(&evidence[ENTRIES], VB_TLOG_CHARGE_ENTRIES, &log_key);
    set_note(&evidence[ENTRIES], 0, &proof.note);
    assert_int_equal(vb_tlog_evidence_add(&evidence[ENTRIES], &proof, NULL), VB_OK);
    assert_int_equal(vb_tlog_evidence_add(&evidence[ENTRIES], &second, NULL), VB_OK);
    vb_tlog_evidence_init(&evidence[COMMITMENT], VB_TLOG_CHARGE_COMMITMENT, &log_key);
    set_note(&evidence[COMMITMENT], 0, &proof.note);
    assert_int_equal(vb_tlog_evidence_add(&evidence[COMMITMENT], &proof, NULL), VB_OK);
    assert_int_equal(
        vb_tlog_evidence_set_record(&evidence[COMMITMENT], receipt.data, receipt.len, NULL), VB_OK);
    /* A tree of one entry, with a root that no other begins with. */
    vb_tlog_evidence_init(&evidence[FORK], VB_TLOG_CHARGE_FORK, &log_key);
    assert_int_equal(sign(0, &first), VB_OK);
    set_note(&evidence[FORK], 0, &first);
    set_note(&evidence[FORK], 1, &proof.note);
    assert_int_equal(vb_tlog_prove_prefix(1, 2, sample_give, tree, path, &n, NULL), VB_OK);
    vb_tlog_evidence_set_path(&evidence[FORK], path, n);
    vb_buf_free(&first);
}

static int prepare(void **state) {
    sample_tree tree = {.range = {.size = 0}};
    size_t n;
    (void)state;
    key = sample_log_key(0);
    log_key = sample_vkey(SAMPLE_ORIGIN, VB_TLOG_SIGNER_LOG, key);
    entry_bytes = proof_bytes = receipt = vb_buf_make(1 << 20);
    uint8_t *bytes = vb_test_read(vb_test_source("tests/unit/receipt/golden_local.json"), &n);
    assert_int_equal(vb_buf_append(&receipt, bytes, n), VB_OK);
    free(bytes);
    prepare_log(&tree);
    prepare_evidence(&tree);
    for (int i = 0; i < N_EVIDENCE; i++) {
        evidence_bytes[i] = vb_buf_make(1 << 20);
        assert_int_equal(write_evidence(i, &evidence_bytes[i]), VB_OK);
    }
    return 0;
}

static int clean_up(void **state) {
    (void)state;
    for (int i = 0; i < N_EVIDENCE; i++) {
        vb_tlog_evidence_free(&evidence[i]);
        vb_buf_free(&evidence_bytes[i]);
    }
    vb_tlog_proof_free(&proof);
    vb_buf_free(&entry_bytes);
    vb_buf_free(&proof_bytes);
    vb_buf_free(&receipt);
    vb_ed25519_close(key);
    return 0;
}

static void *json_malloc(size_t n) {
    return __wrap_malloc(n);
}

static void json_free(void *p) {
    free(p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writing),
        cmocka_unit_test(reading),
    };
    json_set_alloc_funcs(json_malloc, json_free); /* a shared library: --wrap does not reach it */
    return cmocka_run_group_tests(tests, prepare, clean_up);
}
