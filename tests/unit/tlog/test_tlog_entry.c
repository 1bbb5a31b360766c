/* Entries and proofs of real records: what is written is read, and what is changed is noticed.
 * Forms of all kinds stand in spec/vectors/log. */
#include <stdlib.h>

#include "tlog/proof.h"
#include "tlog/record.h"
#include "unit/tlog/sample_log.h"

static vb_tlog_key log_key;

static int prepare(void **state) {
    vb_ed25519_key *key = sample_log_key(0); /* that of the records too */
    (void)state;
    log_key = sample_vkey(SAMPLE_ORIGIN, VB_TLOG_SIGNER_LOG, key);
    vb_ed25519_close(key);
    return 0;
}

static const struct {
    const char *file;
    vb_tlog_kind kind;
} records[] = {{"tests/unit/receipt/golden_local.json", VB_TLOG_RECEIPT},
               {"tests/unit/receipt/record_abort.json", VB_TLOG_ABORT},
               {"tests/unit/receipt/record_commitment.json", VB_TLOG_COMMITMENT}};
enum { N_RECORDS = 3 };

static vb_tlog_entry entry_of(const char *file) {
    size_t n;
    uint8_t *bytes = vb_test_read(vb_test_source(file), &n);
    vb_tlog_record *r = NULL;
    vb_tlog_entry entry;
    assert_int_equal(vb_tlog_record_open(bytes, n, &r, NULL), VB_OK);
    assert_int_equal(vb_tlog_record_entry(r, &entry, NULL), VB_OK);
    vb_tlog_record_close(r);
    free(bytes);
    return entry;
}

static vb_buf bytes_of(const vb_tlog_entry *entry) {
    vb_buf b = vb_buf_make(VB_TLOG_ENTRY_BYTES_MAX);
    assert_int_equal(vb_tlog_entry_encode(entry, &b, NULL), VB_OK);
    return b;
}

static void test_records(void **state) {
    (void)state;
    for (size_t i = 0; i < N_RECORDS; i++) {
        vb_tlog_entry entry = entry_of(records[i].file), back;
        vb_buf b = bytes_of(&entry), again;
        assert_int_equal(entry.kind, records[i].kind);
        assert_int_equal(entry.sequence, 17);
        assert_int_equal(vb_tlog_entry_check(&entry, log_key.public_key, NULL), VB_OK);
        assert_int_equal(vb_tlog_entry_decode(b.data, b.len, &back, NULL), VB_OK);
        again = bytes_of(&back);
        assert_int_equal(again.len, b.len);
        assert_memory_equal(again.data, b.data, b.len);
        vb_buf_free(&again);
        vb_buf_free(&b);
    }
}

/* Each record against the entry of each. */
static void test_match(void **state) {
    (void)state;
    for (size_t i = 0; i < N_RECORDS; i++) {
        vb_tlog_entry entry = entry_of(records[i].file);
        for (size_t k = 0; k < N_RECORDS; k++) {
            size_t n;
            uint8_t *bytes = vb_test_read(vb_test_source(records[k].file), &n);
            bool good = i == k || entry.kind == VB_TLOG_COMMITMENT;
            vb_error e = {0};
            vb_err err = vb_tlog_entry_match(&entry, &log_key, bytes, n, &e);
            assert_int_equal(err, good ? VB_OK : VB_EMISMATCH);
            assert_true(good || strncmp(e.msg, "kind", 4) == 0);
            free(bytes);
        }
    }
}

/* Which member it is that does not fit is said. */
static void test_match_names_the_member(void **state) {
    (void)state;
    static const char *const file[2] = {"tests/unit/receipt/record_commitment.json",
                                        "tests/unit/receipt/record_abort.json"};
    for (size_t i = 0; i < 2; i++) {
        size_t n;
        uint8_t *bytes = vb_test_read(vb_test_source(file[i]), &n);
        const vb_tlog_entry good = entry_of(file[i]);
        vb_tlog_entry bad[7] = {good, good, good, good, good, good, good};
        const char *const members[7] = {"sequence",     "commitment",    "issued_at_ms",
                                        "model_sha256", "record_sha256", "reason",
                                        "signature"};
        bad[0].sequence++;
        bad[1].commitment[31] ^= 1;
        bad[2].issued_at_ms++;
        bad[3].model_sha256[0] ^= 1;
        bad[4].record_sha256[5] ^= 1;
        bad[5].reason = VB_ABORT_LOST;
        bad[6].signature[63] ^= 1;
        for (size_t k = 0; k < 7; k++) {
            bool of_commitments = k == 2 || k == 3, of_aborts = k == 4 || k == 5;
            vb_error e = {0};
            vb_err err = vb_tlog_entry_match(&bad[k], &log_key, bytes, n, &e);
            if ((i == 0 && of_aborts) || (i == 1 && of_commitments)) {
                assert_int_equal(err, VB_OK); /* the entry has no such member */
            } else {
                assert_int_equal(err, VB_EMISMATCH);
                assert_int_equal(strncmp(e.msg, members[k], strlen(members[k])), 0);
            }
        }
        vb_tlog_key other = log_key;
        other.public_key[0] ^= 1;
        assert_int_equal(vb_tlog_entry_match(&good, &other, bytes, n, NULL), VB_EMISMATCH);
        free(bytes);
    }
}

/* A change of any bit is no entry or, but in what only C binds, not the key's. */
static void test_every_change(void **state) {
    (void)state;
    for (size_t i = 0; i < N_RECORDS; i++) {
        vb_tlog_entry entry = entry_of(records[i].file), read;
        vb_buf b = bytes_of(&entry);
        size_t n_same = 0;
        for (size_t at = 0; at < 8 * b.len; at++) {
            vb_tlog_entry out;
            memcpy(&out, &entry, sizeof out);
            b.data[at / 8] ^= (uint8_t)(1u << at % 8);
            vb_err err = vb_tlog_entry_decode(b.data, b.len, &out, NULL);
            if (err) {
                assert_true(err == VB_EFORMAT || err == VB_EUNSUPPORTED);
                assert_memory_equal(&out, &entry, sizeof out);
            } else if (vb_tlog_entry_check(&out, log_key.public_key, NULL) == VB_OK) {
                read = out;
                read.sequence = entry.sequence;
                read.issued_at_ms = entry.issued_at_ms;
                memcpy(read.model_sha256, entry.model_sha256, sizeof read.model_sha256);
                if (entry.kind != VB_TLOG_COMMITMENT) {
                    memcpy(read.commitment, entry.commitment, sizeof read.commitment);
                }
                vb_buf whole = bytes_of(&entry), same = bytes_of(&read);
                assert_int_equal(same.len, whole.len);
                assert_memory_equal(same.data, whole.data, whole.len);
                vb_buf_free(&whole);
                vb_buf_free(&same);
                n_same++;
            }
            b.data[at / 8] ^= (uint8_t)(1u << at % 8);
        }
        assert_true(n_same > 0 && n_same < b.len);
        vb_buf_free(&b);
    }
}

static void test_no_entry(void **state) {
    (void)state;
    const vb_tlog_entry c = entry_of(records[2].file), a = entry_of(records[1].file);
    vb_tlog_entry bad[5] = {c, c, a, a, c};
    vb_buf out = vb_buf_make(VB_TLOG_ENTRY_BYTES_MAX), small = vb_buf_make(100);
    vb_error e;
    bad[0].sequence = 0;
    bad[1].issued_at_ms = VB_ISSUED_AT_MS_MAX + 1;
    bad[2].reason = (vb_abort_reason)0;
    bad[3].reason = (vb_abort_reason)5;
    bad[4].kind = (vb_tlog_kind)4;
    for (size_t i = 0; i < 5; i++) {
        e = (vb_error){0};
        assert_int_equal(vb_tlog_entry_encode(&bad[i], &out, &e), VB_EFORMAT);
        assert_true(e.msg[0] != 0);
        assert_int_equal(out.len, 0);
    }
    assert_int_equal(vb_tlog_entry_encode(&c, &small, &e), VB_ELIMIT);
    assert_int_equal(small.len, 0);
    vb_buf_free(&out);
    vb_buf_free(&small);
    assert_string_equal(vb_tlog_kind_name((vb_tlog_kind)0), "unknown");
    assert_string_equal(vb_tlog_kind_name(VB_TLOG_ABORT), "abort");
}

/* A proof written from what a log has is the one that is read, and is good. */
static void test_proof(void **state) {
    (void)state;
    vb_ed25519_key *key = sample_log_key(0);
    sample_tree tree = {.range = {.size = 0}};
    vb_tlog_proof p = {.entry = vb_buf_make(1024), .note = vb_buf_make(VB_TLOG_NOTE_BYTES_MAX)};
    vb_tlog_proof back;
    vb_tlog_entry entry;
    vb_tlog_checkpoint c;
    vb_buf text = vb_buf_make(VB_TLOG_PROOF_BYTES_MAX), small = vb_buf_make(300);
    vb_tlog_range_begin(&tree.range);
    for (uint64_t i = 1; i <= 20; i++) {
        entry = sample_entry(VB_TLOG_COMMITMENT, i, 'a', key);
        vb_buf b = bytes_of(&entry);
        sample_add(&tree, b.data, b.len);
        if (i == 12) {
            assert_int_equal(vb_buf_append(&p.entry, b.data, b.len), VB_OK);
        }
        vb_buf_free(&b);
    }
    p.index = 11;
    assert_int_equal(vb_tlog_prove(11, 20, sample_give, &tree, p.path, &p.n_path, NULL), VB_OK);
    sample_note(&tree, 20, key, &p.note);
    assert_int_equal(vb_tlog_proof_encode(&p, &text, NULL), VB_OK);
    assert_int_equal(vb_tlog_proof_encode(&p, &small, NULL), VB_ELIMIT);
    assert_int_equal(small.len, 0);
    assert_int_equal(vb_tlog_proof_decode(text.data, text.len, &back, NULL), VB_OK);
    assert_int_equal(vb_tlog_proof_check(&back, &log_key, &entry, &c, NULL), VB_OK);
    assert_int_equal(entry.sequence, 12);
    assert_int_equal(c.size, 20);
    for (size_t i = 0; i < text.len; i++) { /* every byte counts */
        vb_tlog_proof other;
        text.data[i] ^= 1;
        if (vb_tlog_proof_decode(text.data, text.len, &other, NULL) == VB_OK) {
            assert_int_not_equal(vb_tlog_proof_check(&other, &log_key, &entry, &c, NULL), VB_OK);
        }
        vb_tlog_proof_free(&other);
        text.data[i] ^= 1;
    }
    back.entry.len = 0;
    assert_int_equal(vb_tlog_proof_encode(&back, &text, NULL), VB_EFORMAT);
    back.entry.len = p.entry.len;
    back.index = VB_TLOG_SIZE_MAX;
    assert_int_equal(vb_tlog_proof_encode(&back, &text, NULL), VB_EFORMAT);
    back.index = 11;
    back.n_path = VB_TLOG_SIZE_BITS_MAX + 1;
    assert_int_equal(vb_tlog_proof_encode(&back, &text, NULL), VB_EFORMAT);
    vb_tlog_proof_free(&back);
    assert_true(!back.entry.data && !back.note.data && back.n_path == 0);
    vb_tlog_proof_free(&p);
    vb_buf_free(&text);
    vb_ed25519_close(key);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records),
        cmocka_unit_test(test_match),
        cmocka_unit_test(test_match_names_the_member),
        cmocka_unit_test(test_every_change),
        cmocka_unit_test(test_no_entry),
        cmocka_unit_test(test_proof),
    };
    return cmocka_run_group_tests(tests, prepare, NULL);
}
