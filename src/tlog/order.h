/*
 * The order of a log's entries (spec/log.md section 1.1), entry by entry in the order of the log,
 * in memory for what is open alone: commitments without a receipt or abort. Pure but for that
 * memory.
 *
 * Owner: open/close. Thread rule: one thread at a time.
 */
#ifndef VB_TLOG_ORDER_H
#define VB_TLOG_ORDER_H

#include <stddef.h>
#include <stdint.h>

#include "tlog/entry.h"

/* Commitments that may be open at once: at most 128 MiB of memory. */
enum { VB_TLOG_OPEN_MAX = 1 << 20 };

typedef enum vb_tlog_rule {
    VB_TLOG_RULE_NONE = 0,
    VB_TLOG_RULE_MALFORMED,
    VB_TLOG_RULE_SIGNATURE,
    VB_TLOG_RULE_GAP,
    VB_TLOG_RULE_SETTLED_TWICE,
    VB_TLOG_RULE_SETTLED_BEFORE,
    VB_TLOG_RULE_SETTLED_ANOTHER
} vb_tlog_rule;
const char *vb_tlog_rule_name(vb_tlog_rule rule); /* "malformed", "signature", "gap", ... */

/* An entry that breaks a rule. */
typedef struct vb_tlog_offence {
    vb_tlog_rule rule;
    uint64_t index;    /* of the entry */
    uint64_t sequence; /* its number; 0: not known */
    uint64_t other;    /* index of the commitment that it breaks the rule with; else index */
} vb_tlog_offence;

typedef struct vb_tlog_order vb_tlog_order;

VB_MUST_CHECK vb_err vb_tlog_order_open(vb_tlog_order **out, vb_error *e);
void vb_tlog_order_close(vb_tlog_order *o); /* NULL is allowed */

/* The next entry, index from 0 on without a gap. VB_EMISMATCH: it breaks a rule; *offence (may be
 * NULL) says which, and the order is as before. VB_ELIMIT: more than VB_TLOG_OPEN_MAX are open. */
VB_MUST_CHECK vb_err vb_tlog_order_add(vb_tlog_order *o, const vb_tlog_entry *entry,
                                       vb_tlog_offence *offence, vb_error *e);

typedef struct vb_tlog_counts {
    uint64_t entries;
    uint64_t first, last; /* numbers of the commitments; 0 when there are none */
    uint64_t receipts, aborts, open;
} vb_tlog_counts;
void vb_tlog_order_count(const vb_tlog_order *o, vb_tlog_counts *out);

/* Answers that are withheld: open commitments with issued_at_ms < before_ms. */
typedef struct vb_tlog_withheld {
    uint64_t n;
    /* Of the one with the lowest number, when n > 0. */
    uint64_t sequence, index, issued_at_ms;
} vb_tlog_withheld;
void vb_tlog_order_withheld(const vb_tlog_order *o, uint64_t before_ms, vb_tlog_withheld *out);

#endif
