#include "tlog/convict.h"

#include <inttypes.h>
#include <string.h>

/* Forks */

static vb_err set_notes(vb_tlog_evidence *ev, const void *smaller, size_t n_smaller,
                        const void *larger, size_t n_larger, vb_error *e) {
    vb_err err = vb_tlog_evidence_set_note(ev, 0, smaller, n_smaller, e);
    return err ? err : vb_tlog_evidence_set_note(ev, 1, larger, n_larger, e);
}

vb_err vb_tlog_convict_fork(vb_tlog_reader *r, const void *note, size_t n_bytes,
                            vb_tlog_evidence *ev, bool *forked, vb_error *e) {
    const vb_tlog_checkpoint *c = vb_tlog_reader_checkpoint(r);
    const vb_buf *own = vb_tlog_reader_note(r);
    vb_tlog_checkpoint older;
    vb_tlog_hash path[VB_TLOG_PATH_MAX], root;
    size_t n_cosigned, n = 0;
    *forked = false;
    vb_err err = vb_tlog_note_read(note, n_bytes, vb_tlog_reader_key(r), NULL, 0, &older, NULL,
                                   &n_cosigned, e);
    if (err) {
        return err;
    }
    if (older.size > c->size) {
        return vb_fail(e, VB_EINVAL,
                       "a checkpoint of %" PRIu64
                       " entries can not be held against one of %" PRIu64,
                       older.size, c->size);
    }
    if ((err = vb_tlog_root(older.size, vb_tlog_reader_hash, r, &root, e))) {
        return err;
    }
    if (memcmp(&root, &older.root, sizeof root) == 0) {
        return VB_OK;
    }
    if (older.size == 0) {
        return vb_fail(e, VB_EMISMATCH, "a checkpoint of no entries has a root that no tree has");
    }
    vb_tlog_finding finding;
    vb_tlog_evidence_init(ev, VB_TLOG_CHARGE_FORK, vb_tlog_reader_key(r));
    err = set_notes(ev, note, n_bytes, own->data, own->len, e);
    if (!err && older.size < c->size &&
        !(err = vb_tlog_prove_prefix(older.size, c->size, vb_tlog_reader_hash, r, path, &n, e))) {
        vb_tlog_evidence_set_path(ev, path, n);
    }
    if (err || (err = vb_tlog_evidence_check(ev, &finding, e))) {
        vb_tlog_evidence_free(ev);
        return err == VB_EMISMATCH ? VB_EINTERNAL : err;
    }
    *forked = true;
    return vb_fail(e, VB_EMISMATCH, "%s", finding.text);
}

/* Entries */

/* The first entry from `from` on, before `to`, that is a commitment, or settles one, of the number;
 * `to` when there is none. What can not be read is none. */
static vb_err find(vb_tlog_reader *r, uint64_t from, uint64_t to, bool commitment,
                   uint64_t sequence, uint64_t *index, vb_error *e) {
    for (*index = from; *index < to; ++*index) {
        const uint8_t *bytes;
        size_t n_bytes;
        vb_tlog_entry x;
        vb_err err = vb_tlog_reader_entry(r, *index, &bytes, &n_bytes, e);
        if (err) {
            return err;
        }
        if (vb_tlog_entry_decode(bytes, n_bytes, &x, NULL) == VB_OK && x.sequence == sequence &&
            (x.kind == VB_TLOG_COMMITMENT) == commitment) {
            break;
        }
    }
    return VB_OK;
}

/* Which entries show it: from `first` to `last`, all of them or the two. */
typedef struct selection {
    uint64_t first, last;
    bool all;
} selection;

static vb_err select_entries(vb_tlog_reader *r, const vb_tlog_offence *o, selection *s,
                             vb_error *e) {
    const uint64_t size = vb_tlog_reader_checkpoint(r)->size;
    uint64_t other = o->index;
    vb_err err = VB_OK;
    *s = (selection){o->index, o->index, false};
    switch (o->rule) {
    case VB_TLOG_RULE_GAP:
        s->first = o->other;
        s->all = true;
        if (o->index - o->other < VB_TLOG_EVIDENCE_ENTRIES_MAX) {
            return VB_OK;
        }
        s->all = false; /* two commitments of one number are shorter, when there are two */
        err = find(r, 0, o->index, true, o->sequence, &other, e);
        s->first = other;
        break;
    case VB_TLOG_RULE_SETTLED_TWICE:
        err = find(r, 0, o->index, false, o->sequence, &other, e);
        s->first = other;
        break;
    case VB_TLOG_RULE_SETTLED_BEFORE:
        err = find(r, o->index + 1, size, true, o->sequence, &other, e);
        s->last = other;
        break;
    case VB_TLOG_RULE_SETTLED_ANOTHER: s->first = o->other; break;
    default: return VB_OK;
    }
    return !err && (s->first == s->last || s->last == size)
               ? vb_fail(e, VB_EUNSUPPORTED,
                         "entry %" PRIu64 " (%s): no few entries show it; the log as a whole does",
                         o->index, vb_tlog_rule_name(o->rule))
               : err;
}

vb_err vb_tlog_convict_entries(vb_tlog_reader *r, const vb_tlog_offence *offence,
                               vb_tlog_evidence *ev, vb_error *e) {
    const vb_buf *note = vb_tlog_reader_note(r);
    vb_tlog_finding finding;
    selection s;
    vb_err err = select_entries(r, offence, &s, e);
    if (err) {
        return err;
    }
    vb_tlog_evidence_init(ev, VB_TLOG_CHARGE_ENTRIES, vb_tlog_reader_key(r));
    err = vb_tlog_evidence_set_note(ev, 0, note->data, note->len, e);
    for (uint64_t i = s.first; !err && i <= s.last; i = s.all || i == s.last ? i + 1 : s.last) {
        vb_tlog_proof p;
        if (!(err = vb_tlog_reader_prove(r, i, &p, e))) {
            err = vb_tlog_evidence_add(ev, &p, e);
            vb_tlog_proof_free(&p);
        }
    }
    if (!err && (err = vb_tlog_evidence_check(ev, &finding, e)) == VB_EMISMATCH) {
        err = VB_EUNSUPPORTED;
    }
    if (err) {
        vb_tlog_evidence_free(ev);
    }
    return err;
}
