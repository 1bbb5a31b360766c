#include "tlog/order.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS_MIN = 64 };

typedef struct slot {
    uint64_t sequence, index, issued_at_ms;
    uint8_t commitment[VB_SHA256_BYTES];
    bool settled;
} slot;

struct vb_tlog_order {
    vb_tlog_counts counts;
    uint64_t last_index; /* of the last commitment */
    /* Commitments by ascending number, as they come. Those that are settled stay until they are as
     * many as the open ones: a binary search finds a number, whatever numbers a hostile log leaves
     * open. */
    slot *slots;
    size_t n_slots, capacity;
};

const char *vb_tlog_rule_name(vb_tlog_rule rule) {
    static const char *const names[] = {
        [VB_TLOG_RULE_NONE] = "none",
        [VB_TLOG_RULE_MALFORMED] = "malformed",
        [VB_TLOG_RULE_SIGNATURE] = "signature",
        [VB_TLOG_RULE_GAP] = "gap",
        [VB_TLOG_RULE_SETTLED_TWICE] = "settled-twice",
        [VB_TLOG_RULE_SETTLED_BEFORE] = "settled-before",
        [VB_TLOG_RULE_SETTLED_ANOTHER] = "settled-another",
    };
    VB_ASSERT((size_t)rule < sizeof names / sizeof names[0]);
    return names[rule];
}

vb_err vb_tlog_order_open(vb_tlog_order **out, vb_error *e) {
    vb_tlog_order *o = calloc(1, sizeof *o);
    if (o) {
        o->capacity = SLOTS_MIN;
        o->slots = calloc(o->capacity, sizeof *o->slots);
    }
    if (!o || !o->slots) {
        vb_tlog_order_close(o);
        return vb_fail(e, VB_ENOMEM, "no memory for the order of a log");
    }
    *out = o;
    return VB_OK;
}

void vb_tlog_order_close(vb_tlog_order *o) {
    if (o) {
        free(o->slots);
        free(o);
    }
}

/* The open commitment of the number, or NULL. */
static slot *find(const vb_tlog_order *o, uint64_t sequence) {
    size_t from = 0, to = o->n_slots;
    while (from < to) {
        const size_t middle = from + (to - from) / 2;
        slot *s = &o->slots[middle];
        if (s->sequence == sequence) {
            return s->settled ? NULL : s;
        }
        if (s->sequence < sequence) {
            from = middle + 1;
        } else {
            to = middle;
        }
    }
    return NULL;
}

static void drop_settled(vb_tlog_order *o) {
    size_t n = 0;
    for (size_t i = 0; i < o->n_slots; i++) {
        if (!o->slots[i].settled) {
            o->slots[n++] = o->slots[i];
        }
    }
    o->n_slots = n;
}

/* Room for one more. What is dropped is at least half, or the room is doubled: either is paid for
 * by the commitments that came since. */
static vb_err make_room(vb_tlog_order *o, vb_error *e) {
    if (o->n_slots < o->capacity) {
        return VB_OK;
    }
    if (o->counts.open <= o->n_slots / 2) {
        drop_settled(o);
        return VB_OK;
    }
    slot *slots = realloc(o->slots, 2 * o->capacity * sizeof *slots);
    if (!slots) {
        return vb_fail(e, VB_ENOMEM, "no memory for %zu open commitments", o->capacity);
    }
    o->slots = slots;
    o->capacity *= 2;
    return VB_OK;
}

static vb_err offend(const vb_tlog_order *o, vb_tlog_rule rule, uint64_t sequence, uint64_t other,
                     const char *what, vb_tlog_offence *offence, vb_error *e) {
    if (offence) {
        *offence = (vb_tlog_offence){rule, o->counts.entries, sequence, other};
    }
    return vb_fail(e, VB_EMISMATCH, "entry %" PRIu64 ", number %" PRIu64 ": %s (%s)",
                   o->counts.entries, sequence, what, vb_tlog_rule_name(rule));
}

static vb_err add_commitment(vb_tlog_order *o, const vb_tlog_entry *entry, vb_tlog_offence *offence,
                             vb_error *e) {
    const bool first = o->counts.last == 0;
    if (entry->sequence == 0 || (!first && entry->sequence != o->counts.last + 1)) {
        return offend(
            o, VB_TLOG_RULE_GAP, entry->sequence, first ? o->counts.entries : o->last_index,
            "a commitment that does not have the number after the one before it", offence, e);
    }
    if (o->counts.open == VB_TLOG_OPEN_MAX) {
        return vb_fail(e, VB_ELIMIT,
                       "entry %" PRIu64 ": more than %d commitments are without a receipt or abort",
                       o->counts.entries, VB_TLOG_OPEN_MAX);
    }
    vb_err err = make_room(o, e);
    if (err) {
        return err;
    }
    slot *s = &o->slots[o->n_slots++];
    *s = (slot){entry->sequence, o->counts.entries, entry->issued_at_ms, {0}, false};
    memcpy(s->commitment, entry->commitment, sizeof s->commitment);
    o->counts.first = first ? entry->sequence : o->counts.first;
    o->counts.last = entry->sequence;
    o->last_index = o->counts.entries;
    o->counts.open++;
    return VB_OK;
}

static vb_err add_settlement(vb_tlog_order *o, const vb_tlog_entry *entry, vb_tlog_offence *offence,
                             vb_error *e) {
    slot *s = find(o, entry->sequence);
    if (!s) {
        const bool committed = o->counts.last && entry->sequence >= o->counts.first &&
                               entry->sequence <= o->counts.last;
        return committed
                   ? offend(o, VB_TLOG_RULE_SETTLED_TWICE, entry->sequence, o->counts.entries,
                            "a second receipt or abort of one commitment", offence, e)
                   : offend(o, VB_TLOG_RULE_SETTLED_BEFORE, entry->sequence, o->counts.entries,
                            "a receipt or abort before its commitment", offence, e);
    }
    if (memcmp(s->commitment, entry->commitment, sizeof s->commitment) != 0) {
        return offend(o, VB_TLOG_RULE_SETTLED_ANOTHER, entry->sequence, s->index,
                      "a receipt or abort of another commitment than its number's", offence, e);
    }
    s->settled = true;
    o->counts.open--;
    if (entry->kind == VB_TLOG_RECEIPT) {
        o->counts.receipts++;
    } else {
        o->counts.aborts++;
    }
    return VB_OK;
}

vb_err vb_tlog_order_add(vb_tlog_order *o, const vb_tlog_entry *entry, vb_tlog_offence *offence,
                         vb_error *e) {
    vb_err err = entry->kind == VB_TLOG_COMMITMENT ? add_commitment(o, entry, offence, e)
                                                   : add_settlement(o, entry, offence, e);
    o->counts.entries += !err;
    return err;
}

void vb_tlog_order_count(const vb_tlog_order *o, vb_tlog_counts *out) {
    *out = o->counts;
}

void vb_tlog_order_withheld(const vb_tlog_order *o, uint64_t before_ms, vb_tlog_withheld *out) {
    *out = (vb_tlog_withheld){.n = 0};
    for (size_t i = 0; i < o->n_slots; i++) {
        const slot *s = &o->slots[i];
        if (s->settled || s->issued_at_ms >= before_ms) {
            continue;
        }
        if (out->n++ == 0) {
            out->sequence = s->sequence;
            out->index = s->index;
            out->issued_at_ms = s->issued_at_ms;
        }
    }
}
