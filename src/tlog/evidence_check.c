/*
 * Whether evidence convicts. All that it shows is the accuser's word until it is tied to the log's
 * own signature: a note that verifies, a path from there to an entry, a commitment's signature.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "receipt/records.h"
#include "tlog/evidence.h"
#include "tlog/record.h"

/* What is not as it must be convicts nobody; what can not be checked stays that. */
static vb_err not_guilty(vb_err err, const char *what, vb_error *e) {
    bool bad = err == VB_EFORMAT || err == VB_ELIMIT || err == VB_EMISMATCH;
    return vb_fail_in(e, bad ? VB_EMISMATCH : err, "%s", what);
}

static vb_err read_note(const vb_tlog_evidence *ev, int which, vb_tlog_checkpoint *out,
                        vb_error *e) {
    const vb_buf *note = &ev->notes[which];
    vb_err err = vb_tlog_note_read(note->data, note->len, &ev->key, NULL, 0, out, NULL, NULL, e);
    return err ? not_guilty(err, which ? "the second checkpoint" : "the checkpoint", e) : VB_OK;
}

static void say(vb_tlog_finding *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void say(vb_tlog_finding *out, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(out->text, sizeof out->text, fmt, ap);
    va_end(ap);
}

/* Forks */

static vb_err check_fork(const vb_tlog_evidence *ev, vb_tlog_finding *out, vb_error *e) {
    vb_tlog_checkpoint first, second;
    vb_tlog_hash begins, root;
    vb_err err = read_note(ev, 0, &first, e);
    if (!err) {
        err = read_note(ev, 1, &second, e);
    }
    if (err) {
        return err;
    }
    out->sizes[0] = first.size;
    out->sizes[1] = second.size;
    if (first.size == second.size) {
        if (ev->n_path || vb_tlog_hash_equal(&first.root, &second.root)) {
            return vb_fail(e, VB_EMISMATCH,
                           "checkpoints of one size: expected other roots and no path");
        }
        say(out, "it signed two roots of %" PRIu64 " entries", first.size);
        return VB_OK;
    }
    if (!vb_tlog_prefix_roots(first.size, second.size, ev->path, ev->n_path, &begins, &root)) {
        return vb_fail(e, VB_EMISMATCH,
                       "path: of %zu hashes, it is none from %" PRIu64 " entries to %" PRIu64,
                       ev->n_path, first.size, second.size);
    }
    if (!vb_tlog_hash_equal(&root, &second.root)) {
        return vb_fail(e, VB_EMISMATCH, "path: it does not lead to the second checkpoint's root");
    }
    if (vb_tlog_hash_equal(&begins, &first.root)) {
        return vb_fail(e, VB_EMISMATCH, "the second checkpoint's tree begins with the first's");
    }
    say(out, "the tree of %" PRIu64 " entries that it signed does not begin with its %" PRIu64,
        second.size, first.size);
    return VB_OK;
}

/* Entries */

static vb_err check_paths(const vb_tlog_evidence *ev, const vb_tlog_checkpoint *c, vb_error *e) {
    if (ev->n_entries == 0) {
        return vb_fail(e, VB_EMISMATCH, "it shows no entry");
    }
    for (size_t i = 0; i < ev->n_entries; i++) {
        const vb_tlog_shown *s = &ev->entries[i];
        vb_tlog_hash leaf;
        vb_tlog_leaf_hash(s->entry.data, s->entry.len, &leaf);
        if (!vb_tlog_included(&leaf, s->index, c->size, s->path, s->n_path, &c->root)) {
            return vb_fail(e, VB_EMISMATCH,
                           "entries[%zu].path: it does not lead from entry %" PRIu64
                           " to the checkpoint's root",
                           i, s->index);
        }
    }
    return VB_OK;
}

/* The entries as they are decoded, beside their places. */
typedef struct shown_entries {
    const vb_tlog_shown *shown; /* [n] */
    vb_tlog_entry *entry;       /* [n] */
    size_t n;
} shown_entries;

static void convict(const shown_entries *s, size_t i, size_t other, vb_tlog_rule rule,
                    vb_tlog_finding *out) {
    out->offence = (vb_tlog_offence){.rule = rule,
                                     .index = s->shown[i].index,
                                     .sequence = s->entry[i].sequence,
                                     .other = s->shown[other].index};
}

/* Decodes; the first that is malformed convicts, but one of another version leaves the whole
 * unchecked: what it means is not known here. */
static vb_err decode_entries(const shown_entries *s, vb_tlog_finding *out, vb_error *e) {
    vb_error why;
    for (size_t i = 0; i < s->n; i++) {
        const vb_buf *bytes = &s->shown[i].entry;
        vb_err err = vb_tlog_entry_decode(bytes->data, bytes->len, &s->entry[i], &why);
        if (err == VB_EFORMAT || err == VB_ELIMIT) {
            s->entry[i] = (vb_tlog_entry){.sequence = 0};
            if (!out->offence.rule) {
                convict(s, i, i, VB_TLOG_RULE_MALFORMED, out);
                say(out, "entry %" PRIu64 " is not well-formed: %.300s", s->shown[i].index,
                    why.msg);
            }
        } else if (err) {
            return vb_fail(e, err, "entry %" PRIu64 ": %.300s", s->shown[i].index, why.msg);
        }
    }
    return VB_OK;
}

static vb_err check_signatures(const shown_entries *s, const vb_tlog_key *key, vb_tlog_finding *out,
                               vb_error *e) {
    for (size_t i = 0; i < s->n; i++) {
        vb_err err = vb_tlog_entry_check(&s->entry[i], key->public_key, e);
        if (err == VB_EMISMATCH) {
            convict(s, i, i, VB_TLOG_RULE_SIGNATURE, out);
            say(out, "entry %" PRIu64 " does not bear the log's signature", s->shown[i].index);
            return VB_OK;
        }
        if (err) {
            return err;
        }
    }
    return VB_OK;
}

static bool is_commitment(const shown_entries *s, size_t i) {
    return s->entry[i].kind == VB_TLOG_COMMITMENT;
}

static bool same_commitment(const vb_tlog_entry *a, const vb_tlog_entry *b) {
    return memcmp(a->commitment, b->commitment, sizeof a->commitment) == 0;
}

/* Which rule a later entry j breaks with an earlier one i, both of one number. The rules stand in
 * the order of section 6; 0: none. */
static vb_tlog_rule broken_by(const shown_entries *s, size_t i, size_t j) {
    if (is_commitment(s, i) && is_commitment(s, j)) {
        return VB_TLOG_RULE_GAP;
    }
    if (!is_commitment(s, i) && !is_commitment(s, j)) {
        return VB_TLOG_RULE_SETTLED_TWICE;
    }
    if (is_commitment(s, j)) {
        return VB_TLOG_RULE_SETTLED_BEFORE;
    }
    return same_commitment(&s->entry[i], &s->entry[j]) ? VB_TLOG_RULE_NONE
                                                       : VB_TLOG_RULE_SETTLED_ANOTHER;
}

/* Entries [0 .. n) are consecutive and only the first and the last are commitments, whose numbers
 * do not ascend by one. */
static bool skips(const shown_entries *s) {
    size_t last = s->n - 1;
    if (s->n < 2 || !is_commitment(s, 0) || !is_commitment(s, last) ||
        s->shown[last].index - s->shown[0].index != last) {
        return false;
    }
    for (size_t i = 1; i < last; i++) {
        if (is_commitment(s, i)) {
            return false;
        }
    }
    return s->entry[last].sequence - s->entry[0].sequence != 1;
}

/* The first pair of one number that breaks rule. */
static bool find_pair(const shown_entries *s, vb_tlog_rule rule, vb_tlog_finding *out) {
    for (size_t j = 1; j < s->n; j++) {
        for (size_t i = 0; i < j; i++) {
            if (s->entry[i].sequence == s->entry[j].sequence && broken_by(s, i, j) == rule) {
                bool settled = is_commitment(s, j) && !is_commitment(s, i);
                convict(s, settled ? i : j, settled ? j : i, rule, out);
                return true;
            }
        }
    }
    return false;
}

static bool find_broken(const shown_entries *s, vb_tlog_finding *out) {
    if (!find_pair(s, VB_TLOG_RULE_GAP, out) && skips(s)) {
        convict(s, s->n - 1, 0, VB_TLOG_RULE_GAP, out);
    }
    for (int rule = VB_TLOG_RULE_SETTLED_TWICE;
         !out->offence.rule && rule <= VB_TLOG_RULE_SETTLED_ANOTHER; rule++) {
        find_pair(s, (vb_tlog_rule)rule, out);
    }
    if (out->offence.rule) {
        say(out, "entries %" PRIu64 " and %" PRIu64 " break the rule %s, at number %" PRIu64,
            out->offence.index, out->offence.other, vb_tlog_rule_name(out->offence.rule),
            out->offence.sequence);
    }
    return out->offence.rule != VB_TLOG_RULE_NONE;
}

static vb_err check_entries(const vb_tlog_evidence *ev, vb_tlog_finding *out, vb_error *e) {
    vb_tlog_checkpoint c;
    vb_err err = read_note(ev, 0, &c, e);
    if (!err) {
        err = check_paths(ev, &c, e);
    }
    if (err) {
        return err;
    }
    out->sizes[0] = c.size;
    shown_entries s = {ev->entries, calloc(ev->n_entries, sizeof *s.entry), ev->n_entries};
    if (!s.entry) {
        return vb_fail(e, VB_ENOMEM, "no memory for %zu entries", s.n);
    }
    err = decode_entries(&s, out, e);
    if (!err && !out->offence.rule) {
        err = check_signatures(&s, &ev->key, out, e);
    }
    if (!err && !out->offence.rule && !find_broken(&s, out)) {
        err = vb_fail(e, VB_EMISMATCH, "the entries break no rule");
    }
    free(s.entry);
    return err;
}

/* Commitments */

static vb_err check_record(const vb_receipt *committed, const vb_tlog_entry *entry,
                           const vb_tlog_key *key, vb_error *e) {
    const vb_receipt_request *q = &committed->request;
    if (memcmp(q->server_key, key->public_key, sizeof q->server_key) != 0) {
        return vb_fail(e, VB_EMISMATCH, "request.server_key is not the log's key");
    }
    vb_err err = vb_commitment_check(committed, e);
    if (err) {
        return err;
    }
    if (entry->kind != VB_TLOG_COMMITMENT || entry->sequence != q->sequence) {
        return vb_fail(e, VB_EMISMATCH,
                       "expected the entry of commitment %" PRIu64 ", found %s %" PRIu64,
                       q->sequence, vb_tlog_kind_name(entry->kind), entry->sequence);
    }
    if (memcmp(entry->commitment, committed->commitment, sizeof entry->commitment) == 0) {
        return vb_fail(e, VB_EMISMATCH, "the log has the commitment of the record");
    }
    return VB_OK;
}

static vb_err check_commitment(const vb_tlog_evidence *ev, vb_tlog_finding *out, vb_error *e) {
    vb_tlog_checkpoint c;
    vb_tlog_entry entry;
    vb_tlog_record *record;
    if (ev->n_entries != 1) {
        return vb_fail(e, VB_EMISMATCH, "entries: expected one, found %zu", ev->n_entries);
    }
    const vb_buf *bytes = &ev->entries[0].entry;
    vb_err err = read_note(ev, 0, &c, e);
    if (!err) {
        err = check_paths(ev, &c, e);
    }
    if (err) {
        return err;
    }
    err = vb_tlog_entry_decode(bytes->data, bytes->len, &entry, e);
    if (err) {
        return not_guilty(err, "the entry", e);
    }
    err = vb_tlog_record_open(ev->record.data, ev->record.len, &record, e);
    if (err) {
        return not_guilty(err, "the record", e);
    }
    err = check_record(vb_tlog_record_committed(record), &entry, &ev->key, e);
    vb_tlog_record_close(record);
    if (err) { /* what is not VB_EMISMATCH here could not be checked */
        return vb_fail_in(e, err, "the record");
    }
    out->sizes[0] = c.size;
    say(out,
        "entry %" PRIu64 " has another commitment under number %" PRIu64
        " than the one that it gave out",
        ev->entries[0].index, entry.sequence);
    return VB_OK;
}

vb_err vb_tlog_evidence_check(const vb_tlog_evidence *ev, vb_tlog_finding *out, vb_error *e) {
    vb_tlog_finding found = {.charge = ev->charge};
    vb_err err;
    switch (ev->charge) {
    case VB_TLOG_CHARGE_FORK: err = check_fork(ev, &found, e); break;
    case VB_TLOG_CHARGE_ENTRIES: err = check_entries(ev, &found, e); break;
    case VB_TLOG_CHARGE_COMMITMENT: err = check_commitment(ev, &found, e); break;
    default: return vb_fail(e, VB_EMISMATCH, "it names no offence");
    }
    if (!err) {
        *out = found;
    }
    return err;
}
