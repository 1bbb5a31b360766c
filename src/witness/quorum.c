#include "witness/quorum.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct entry {
    vb_statement s;
    bool good;
    bool unchecked; /* for want of memory and the like: what it is is not known */
    char *file;
} entry;

struct vb_quorum {
    entry *entries;
    size_t n, capacity;
    vb_witness_finding *items; /* [n], once judged */
    vb_witness_findings findings;
};

vb_err vb_quorum_open(vb_quorum **out, vb_error *e) {
    *out = calloc(1, sizeof **out);
    return *out ? VB_OK : vb_fail(e, VB_ENOMEM, "no memory for statements");
}

void vb_quorum_close(vb_quorum *q) {
    if (!q) {
        return;
    }
    for (size_t i = 0; i < q->n; i++) {
        free(q->entries[i].file);
    }
    free(q->entries);
    free(q->items);
    free(q);
}

/* One more entry, zeroed; NULL without memory. */
static entry *next_entry(vb_quorum *q) {
    if (q->n == q->capacity) {
        const size_t capacity = q->capacity ? 2 * q->capacity : 16;
        entry *entries = realloc(q->entries, capacity * sizeof *entries);
        vb_witness_finding *items = realloc(q->items, capacity * sizeof *items);
        q->entries = entries ? entries : q->entries;
        q->items = items ? items : q->items;
        if (!entries || !items) {
            return NULL;
        }
        q->capacity = capacity;
    }
    memset(&q->entries[q->n], 0, sizeof q->entries[q->n]);
    memset(&q->items[q->n], 0, sizeof q->items[q->n]);
    return &q->entries[q->n];
}

vb_err vb_quorum_add(vb_quorum *q, const char *file, const void *bytes, size_t n_bytes,
                     vb_error *e) {
    if (q->n == VB_QUORUM_STATEMENTS_MAX) {
        return vb_fail(e, VB_ELIMIT, "more than %u statements", VB_QUORUM_STATEMENTS_MAX);
    }
    entry *x = next_entry(q);
    char *name = x ? strdup(file) : NULL;
    if (!name) {
        return vb_fail(e, VB_ENOMEM, "no memory for statements");
    }
    vb_make_printable(name);
    x->file = name;
    vb_error why = {VB_OK, ""};
    vb_err err = vb_statement_decode(bytes, n_bytes, &x->s, &why);
    if (!err) {
        err = vb_statement_check(&x->s, &why);
        q->items[q->n].have_key = true;
        memcpy(q->items[q->n].key, x->s.witness_key, sizeof x->s.witness_key);
    }
    x->good = !err;
    x->unchecked = err && err != VB_EFORMAT && err != VB_ELIMIT && err != VB_EUNSUPPORTED &&
                   err != VB_EMISMATCH;
    snprintf(q->items[q->n].detail, sizeof q->items[q->n].detail, "%s", why.msg);
    q->n++;
    return VB_OK;
}

/* The first other statement that convicts the witness of statement i; NULL: none. */
static const char *conflicting_file(const vb_quorum *q, size_t i) {
    for (size_t j = 0; j < q->n; j++) {
        if (q->entries[j].good && vb_statements_conflict(&q->entries[i].s, &q->entries[j].s)) {
            return q->entries[j].file;
        }
    }
    return NULL;
}

static vb_standing standing_of(const vb_statement *s) {
    if (s->verdict == VB_VERDICT_VERIFIED) {
        return s->level == VB_LEVEL_FULL ? VB_STANDING_CONFIRMS : VB_STANDING_SILENT;
    }
    /* A false signature is one of the bytes that the witness was given, not of the record. */
    return s->verdict == VB_VERDICT_REFUTED && strcmp(s->reason, "signature") != 0
               ? VB_STANDING_REFUTES
               : VB_STANDING_SILENT;
}

/* What statement i is worth for this receipt; without its claim none is worth anything. */
static void judge_one(vb_quorum *q, size_t i, const vb_claim *claim, const vb_trust *trust) {
    const vb_statement *s = &q->entries[i].s;
    vb_witness_finding *f = &q->items[i];
    vb_error why = {VB_OK, ""};
    f->file = q->entries[i].file;
    f->standing = VB_STANDING_UNUSABLE;
    if (!q->entries[i].good) {
        return;
    }
    const vb_trust_witness *w = vb_trust_witness_of_key(trust, s->witness_key);
    f->name = w ? w->name : NULL;
    f->against = conflicting_file(q, i);
    if (memcmp(s->claim.record, claim->record, sizeof claim->record) != 0) {
        f->standing = VB_STANDING_OTHER;
        f->against = NULL;
        snprintf(f->detail, sizeof f->detail, "about another receipt");
    } else if (f->against) {
        f->standing = w ? VB_STANDING_CONFLICTS : VB_STANDING_UNLISTED;
        snprintf(f->detail, sizeof f->detail, "%s, and its own statement says otherwise",
                 vb_verdict_name(s->verdict));
    } else if (vb_statement_match(s, claim, &why)) {
        f->standing = VB_STANDING_OTHER;
        snprintf(f->detail, sizeof f->detail, "%s", why.msg);
    } else {
        f->standing = w ? standing_of(s) : VB_STANDING_UNLISTED;
        snprintf(f->detail, sizeof f->detail, "%s%s%s at level %s", vb_verdict_name(s->verdict),
                 s->reason[0] ? " " : "", s->reason, vb_level_name(s->level));
    }
}

/* A witness counts once, whatever it repeats: its first statement of a standing. One that conflicts
 * with itself counts for nothing, also by statements that no other contradicts. */
static size_t count(const vb_quorum *q, vb_standing standing) {
    size_t n = 0;
    for (size_t i = 0; i < q->n; i++) {
        bool counts = q->items[i].standing == standing;
        for (size_t j = 0; j < q->n && counts; j++) {
            const bool same = q->items[j].have_key &&
                              memcmp(q->items[i].key, q->items[j].key, sizeof q->items[i].key) == 0;
            counts = !same || (q->items[j].standing != VB_STANDING_CONFLICTS &&
                               (j >= i || q->items[j].standing != standing));
        }
        n += counts;
    }
    return n;
}

static void record_check(const vb_witness_findings *f, bool all_checked, vb_report *rep) {
    if (f->n_confirming >= f->quorum) {
        if (!all_checked) {
            vb_report_unknown(rep, VB_CHECK_WITNESSES, VB_REASON_UNFINISHED,
                              "a statement could not be checked: it might contradict another");
            return;
        }
        vb_report_pass(rep, VB_CHECK_WITNESSES, NULL,
                       "confirmed by %zu of %zu witnesses, %u wanted; %zu refute", f->n_confirming,
                       f->n_listed, f->quorum, f->n_refuting);
    } else if (f->n_refuting > f->n_listed - f->quorum && all_checked) {
        vb_report_fail(rep, VB_CHECK_WITNESSES, VB_REASON_REFUTED_BY_WITNESSES,
                       "refuted by %zu of %zu witnesses: %u can not confirm it any more",
                       f->n_refuting, f->n_listed, f->quorum);
    } else {
        vb_report_unknown(rep, VB_CHECK_WITNESSES,
                          all_checked ? VB_REASON_UNCONFIRMED : VB_REASON_UNFINISHED,
                          "confirmed by %zu of %zu witnesses, %u wanted; %zu refute",
                          f->n_confirming, f->n_listed, f->quorum, f->n_refuting);
    }
}

void vb_quorum_judge(vb_quorum *q, const vb_receipt *r, const vb_trust *trust, uint32_t k,
                     vb_report *rep) {
    vb_claim claim;
    vb_error e = {VB_OK, ""};
    bool all_checked = true;
    trust = trust ? trust : vb_trust_builtin();
    VB_ASSERT(k <= trust->n_witnesses);
    if (vb_claim_of_receipt(r, trust, &claim, &e)) {
        if (k > 0) {
            vb_report_unknown(rep, VB_CHECK_WITNESSES, VB_REASON_UNFINISHED, "%s", e.msg);
        }
        return;
    }
    for (size_t i = 0; i < q->n; i++) {
        judge_one(q, i, &claim, trust);
        all_checked = all_checked && !q->entries[i].unchecked;
    }
    q->findings = (vb_witness_findings){.items = q->items,
                                        .n = q->n,
                                        .n_listed = trust->n_witnesses,
                                        .quorum = k,
                                        .n_confirming = count(q, VB_STANDING_CONFIRMS),
                                        .n_refuting = count(q, VB_STANDING_REFUTES)};
    rep->witnesses = &q->findings;
    if (k > 0) {
        vb_report_require(rep, VB_CHECK_WITNESSES);
        record_check(&q->findings, all_checked, rep);
    }
}
