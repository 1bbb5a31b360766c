#include "tlog/audit.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/system.h"

enum {
    BATCH_ENTRIES = 4096,
    BATCH_BYTES = 4 << 20, /* after which no more are taken: one entry is at most 65535 bytes */
    CLAIM = 64             /* entries that a thread takes at a time */
};

typedef struct item {
    size_t at, n_bytes; /* in the batch's bytes */
    vb_tlog_entry entry;
    vb_err malformed, unsigned_err; /* what decoding and the signature's check said */
} item;

typedef struct batch {
    const uint8_t *key;
    bool signatures;
    vb_buf bytes;
    item *items;
    size_t n;
    atomic_size_t next;
} batch;

static void examine(const batch *b, item *x) {
    x->malformed = vb_tlog_entry_decode(b->bytes.data + x->at, x->n_bytes, &x->entry, NULL);
    x->unsigned_err =
        x->malformed || !b->signatures ? VB_OK : vb_tlog_entry_check(&x->entry, b->key, NULL);
}

static void *work(void *user) {
    batch *b = user;
    for (;;) {
        const size_t from = atomic_fetch_add(&b->next, CLAIM);
        for (size_t i = from; i < b->n && i < from + CLAIM; i++) {
            examine(b, &b->items[i]);
        }
        if (from + CLAIM >= b->n) {
            return NULL;
        }
    }
}

/* A thread that can not be had leaves its share to the others. */
static void examine_all(batch *b, unsigned threads) {
    pthread_t helpers[VB_THREADS_MAX];
    unsigned n = 0;
    atomic_store(&b->next, 0);
    while (n + 1 < threads && n + 1 < b->n / CLAIM &&
           pthread_create(&helpers[n], NULL, work, b) == 0) {
        n++;
    }
    work(b);
    while (n) {
        pthread_join(helpers[--n], NULL);
    }
}

/* The next entries from index on. What was read before an error is gone through first: the next
 * call meets the error again, or goes on where a connection broke. */
static vb_err fill(batch *b, vb_tlog_reader *r, uint64_t index, vb_error *e) {
    const uint64_t size = vb_tlog_reader_checkpoint(r)->size;
    b->n = 0;
    b->bytes.len = 0;
    for (; index < size && b->n < BATCH_ENTRIES && b->bytes.len < BATCH_BYTES; index++) {
        const uint8_t *bytes;
        size_t n_bytes;
        vb_err err = vb_tlog_reader_entry(r, index, &bytes, &n_bytes, e);
        if (err) {
            return b->n ? VB_OK : err;
        }
        item *x = &b->items[b->n];
        x->at = b->bytes.len;
        x->n_bytes = n_bytes;
        if ((err = vb_buf_append(&b->bytes, bytes, n_bytes))) {
            return vb_fail(e, err, "no memory for the entries of a log");
        }
        b->n++;
    }
    return VB_OK;
}

static vb_err offend(vb_tlog_rule rule, uint64_t index, const item *x, vb_tlog_offence *offence,
                     vb_error *e) {
    const bool malformed = rule == VB_TLOG_RULE_MALFORMED;
    *offence = (vb_tlog_offence){rule, index, malformed ? 0 : x->entry.sequence, index};
    return vb_fail(e, VB_EMISMATCH, "entry %" PRIu64 ": %s (%s)", index,
                   malformed ? "it is not a well-formed entry"
                             : "its signature is not that of the log's key",
                   vb_tlog_rule_name(rule));
}

static vb_err judge(const item *x, uint64_t index, vb_tlog_order *o, vb_tlog_offence *offence,
                    vb_error *e) {
    switch (x->malformed) {
    case VB_OK: break;
    case VB_EFORMAT:
    case VB_ELIMIT: return offend(VB_TLOG_RULE_MALFORMED, index, x, offence, e);
    case VB_EUNSUPPORTED:
        return vb_fail(e, VB_EUNSUPPORTED,
                       "entry %" PRIu64 ": another version than " VB_TLOG_ENTRY_FORMAT, index);
    default:
        return vb_fail(e, x->malformed, "entry %" PRIu64 ": could not be read (%s)", index,
                       vb_err_name(x->malformed));
    }
    if (x->unsigned_err == VB_EMISMATCH) {
        return offend(VB_TLOG_RULE_SIGNATURE, index, x, offence, e);
    }
    if (x->unsigned_err) {
        return vb_fail(e, x->unsigned_err, "entry %" PRIu64 ": its signature could not be checked",
                       index);
    }
    return vb_tlog_order_add(o, &x->entry, offence, e);
}

static vb_err audit(batch *b, vb_tlog_reader *r, vb_tlog_order *o,
                    const vb_tlog_audit_options *options, vb_tlog_offence *offence, vb_error *e) {
    const uint64_t size = vb_tlog_reader_checkpoint(r)->size;
    const unsigned threads = options->threads ? options->threads : (unsigned)vb_cpu_count();
    vb_tlog_counts counts;
    vb_tlog_order_count(o, &counts);
    uint64_t index = counts.entries;
    vb_err err = VB_OK;
    while (!err && index < size) {
        if ((err = fill(b, r, index, e))) {
            break;
        }
        examine_all(b, threads > VB_THREADS_MAX ? VB_THREADS_MAX : threads);
        for (size_t i = 0; i < b->n && !err; i++, index++) {
            const item *x = &b->items[i];
            err = judge(x, index, o, offence, e);
            if (!err && options->entry) {
                err = options->entry(options->entry_user, index, b->bytes.data + x->at, x->n_bytes,
                                     &x->entry, e);
            }
        }
        if (!err && options->progress && !options->progress(options->progress_user, index, size)) {
            err =
                vb_fail(e, VB_ECANCELLED, "stopped at entry %" PRIu64 " of %" PRIu64, index, size);
        }
    }
    return err;
}

vb_err vb_tlog_audit(vb_tlog_reader *r, vb_tlog_order *o, const vb_tlog_audit_options *options,
                     vb_tlog_offence *offence, vb_error *e) {
    batch b = {.key = vb_tlog_reader_key(r)->public_key,
               .signatures = options->signatures,
               .bytes = vb_buf_make(BATCH_BYTES + (1 << 16)),
               .items = malloc(BATCH_ENTRIES * sizeof *b.items)};
    *offence = (vb_tlog_offence){.rule = VB_TLOG_RULE_NONE};
    vb_err err = b.items ? audit(&b, r, o, options, offence, e)
                         : vb_fail(e, VB_ENOMEM, "no memory to check a log");
    vb_buf_free(&b.bytes);
    free(b.items);
    return err;
}
