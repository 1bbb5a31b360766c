#include "verify/audit.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct vb_audit {
    vb_audit_record *records;
    size_t n, capacity;
};

vb_err vb_audit_open(vb_audit **out, vb_error *e) {
    vb_audit *a = calloc(1, sizeof *a);
    if (!a) {
        return vb_fail(e, VB_ENOMEM, "no memory for a set of records");
    }
    *out = a;
    return VB_OK;
}

void vb_audit_close(vb_audit *a) {
    if (a) {
        free(a->records);
        free(a);
    }
}

vb_err vb_audit_add(vb_audit *a, const vb_audit_record *r, vb_error *e) {
    if (r->sequence == 0) {
        return vb_fail(e, VB_EINVAL, "sequence 0: numbers begin at 1");
    }
    if (a->n == VB_AUDIT_RECORDS_MAX) {
        return vb_fail(e, VB_ELIMIT, "more than %u records in one set", VB_AUDIT_RECORDS_MAX);
    }
    if (a->n == a->capacity) {
        const size_t capacity = a->capacity ? a->capacity + a->capacity / 2 : 64;
        vb_audit_record *records = realloc(a->records, capacity * sizeof *records);
        if (!records) {
            return vb_fail(e, VB_ENOMEM, "no memory for %zu records", capacity);
        }
        a->records = records;
        a->capacity = capacity;
    }
    a->records[a->n++] = *r;
    return VB_OK;
}

static int compare_u64(uint64_t a, uint64_t b) {
    return (a > b) - (a < b);
}

static bool same_record(const vb_audit_record *a, const vb_audit_record *b) {
    return a->kind == b->kind && memcmp(a->hash, b->hash, sizeof a->hash) == 0;
}

/* By key, number, record; labels last, so that the order never depends on the sort. */
static int by_number(const void *a, const void *b) {
    const vb_audit_record *x = a, *y = b;
    int c = memcmp(x->key, y->key, sizeof x->key);
    c = c ? c : compare_u64(x->sequence, y->sequence);
    c = c ? c : compare_u64(x->kind, y->kind);
    c = c ? c : memcmp(x->hash, y->hash, sizeof x->hash);
    return c ? c : compare_u64(x->label, y->label);
}

/* The records of one number, r[0 .. n): which of them differ, and which are there again. */
static void report_number(const vb_audit_record *r, size_t n, const vb_audit_findings *f,
                          vb_audit_key *k) {
    size_t n_different = 0, one = 0; /* one: the first of those that are the same as r[i] */
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && same_record(&r[one], &r[i])) {
            k->n_duplicates++;
            if (f->duplicate) {
                f->duplicate(f->user, &r[one], &r[i]);
            }
            continue;
        }
        one = i;
        n_different++;
        k->n_receipts += r[i].kind == VB_AUDIT_RECEIPT;
        k->n_aborts += r[i].kind == VB_AUDIT_ABORT;
        if (n_different > 1 && f->conflict) {
            f->conflict(f->user, &r[0], &r[i]);
        }
    }
    k->n_conflicting += n_different > 1;
}

/* The records of one key, r[0 .. n). */
static void report_key(const vb_audit_record *r, size_t n, const vb_audit_findings *f) {
    vb_audit_key k = {.first = r[0].sequence, .last = r[n - 1].sequence};
    memcpy(k.key, r[0].key, sizeof k.key);
    for (size_t i = 0, next; i < n; i = next) {
        for (next = i + 1; next < n && r[next].sequence == r[i].sequence; next++) {
        }
        report_number(r + i, next - i, f, &k);
        if (next < n && r[next].sequence - r[i].sequence > 1) {
            k.n_missing += r[next].sequence - r[i].sequence - 1;
            if (f->missing) {
                f->missing(f->user, k.key, r[i].sequence + 1, r[next].sequence - 1);
            }
        }
    }
    if (f->key) {
        f->key(f->user, &k);
    }
}

void vb_audit_report(vb_audit *a, const vb_audit_findings *f) {
    if (a->n > 1) {
        qsort(a->records, a->n, sizeof *a->records, by_number);
    }
    for (size_t i = 0, next; i < a->n; i = next) {
        for (next = i + 1; next < a->n && memcmp(a->records[next].key, a->records[i].key,
                                                 sizeof a->records->key) == 0;
             next++) {
        }
        report_key(a->records + i, next - i, f);
    }
}
