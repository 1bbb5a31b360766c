/* What the tests of the store's journal share: an audit of its entries, by the rules of spec/log.md
 * section 1.1 written a second time, and against the records of the store. */
#ifndef VB_TESTS_UNIT_STORE_JOURNAL_TEST_H
#define VB_TESTS_UNIT_STORE_JOURNAL_TEST_H

#include "tlog/entry.h"
#include "unit/store/store_test.h"

/* What the entries say of one number. */
typedef struct audited {
    vb_tlog_entry committed, settled; /* kind 0: none */
    uint64_t committed_at, settled_at;
} audited;

typedef struct journal_audit {
    uint64_t n;           /* entries so far */
    uint64_t first, last; /* numbers */
    audited *of;          /* [last + 1] */
} journal_audit;

/* An entry that comes next, of which everything holds. */
static inline void audit_entry(journal_audit *a, const uint8_t *bytes, size_t n_bytes) {
    vb_error e;
    vb_tlog_entry entry;
    MUST(vb_tlog_entry_decode(bytes, n_bytes, &entry, &e), &e);
    MUST(vb_tlog_entry_check(&entry, public_key, &e), &e);
    const uint64_t k = entry.sequence;
    if (entry.kind == VB_TLOG_COMMITMENT) {
        assert_true(a->n == 0 || k == a->last + 1);
        a->first = a->n ? a->first : k;
        a->last = k;
        a->of = realloc(a->of, (k + 1) * sizeof *a->of);
        assert_non_null(a->of);
        a->of[k] = (audited){.committed = entry, .committed_at = a->n};
    } else {
        assert_true(a->n && k >= a->first && k <= a->last);
        assert_int_equal(a->of[k].settled.kind, 0);
        assert_memory_equal(a->of[k].committed.commitment, entry.commitment, VB_SHA256_BYTES);
        a->of[k].settled = entry;
        a->of[k].settled_at = a->n;
    }
    a->n++;
}

static inline vb_err audit_next(void *user, uint64_t number, const uint8_t *entry, size_t n_bytes,
                                vb_error *e) {
    journal_audit *a = user;
    (void)e;
    assert_int_equal(number, a->n);
    audit_entry(a, entry, n_bytes);
    return VB_OK;
}

static inline vb_err audit_record(void *user, const vb_store_entry *r, const uint8_t *bytes,
                                  vb_error *e) {
    const journal_audit *a = user;
    (void)bytes;
    (void)e;
    if (a->n == 0 || r->sequence < a->first) {
        assert_true(r->committed_entry == VB_STORE_NO_ENTRY);
        assert_true(r->settled_entry == VB_STORE_NO_ENTRY);
        return VB_OK;
    }
    assert_true(r->sequence <= a->last);
    const audited *of = &a->of[r->sequence];
    assert_memory_equal(of->committed.commitment, r->commitment, VB_SHA256_BYTES);
    assert_memory_equal(of->committed.model_sha256, r->model_sha256, VB_SHA256_BYTES);
    assert_int_equal(of->committed.issued_at_ms, r->issued_at_ms);
    assert_int_equal(of->committed_at, r->committed_entry);
    if (r->state == VB_STORE_OPEN) {
        assert_int_equal(of->settled.kind, 0);
        assert_true(r->settled_entry == VB_STORE_NO_ENTRY);
        return VB_OK;
    }
    assert_int_equal(of->settled_at, r->settled_entry);
    assert_memory_equal(of->settled.signature, r->signature, VB_ED25519_SIGNATURE_BYTES);
    if (r->state == VB_STORE_RECEIPT) {
        assert_int_equal(of->settled.kind, VB_TLOG_RECEIPT);
        assert_memory_equal(of->settled.record_sha256, r->verification_hash, VB_SHA256_BYTES);
    } else {
        assert_int_equal(of->settled.kind, VB_TLOG_ABORT);
        assert_int_equal(of->settled.reason, r->reason);
    }
    return VB_OK;
}

/* The entries so far and what the journal has beyond them are those of the records, each once. */
static inline journal_audit audit_rest(vb_store *s, journal_audit a) {
    vb_error e;
    vb_store_journal j;
    MUST(vb_store_journal_get(s, &j, &e), &e);
    assert_true(j.on && j.first <= a.n && a.n <= j.end);
    MUST(vb_store_journal_read(s, a.n, SIZE_MAX, audit_next, &a, &e), &e);
    assert_int_equal(a.n, j.end);
    MUST(vb_store_each(s, NULL, audit_record, &a, &e), &e);
    uint64_t n = 0;
    for (uint64_t k = a.first; a.n && k <= a.last; k++) {
        n += 1 + (a.of[k].settled.kind != 0);
    }
    assert_int_equal(n, a.n);
    return a;
}

/* Of a journal of which nothing was dropped. */
static inline void audit_journal(vb_store *s) {
    free(audit_rest(s, (journal_audit){.n = 0}).of);
}

#endif
