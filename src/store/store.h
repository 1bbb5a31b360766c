/*
 * The receipts of a server, in one SQLite file: what engine/ledger.h promises with files, for many
 * requests at once (spec/receipt.md section 5.2).
 *   - A commitment has its number, gap-free for its key, and is on disk before vb_store_commit
 *     returns; a receipt or abort record is on disk before its settling returns.
 *   - Every commitment ends in exactly one of them. One whose process has died is recorded as lost
 *     by the next opening with its key.
 *   - An error means that nothing counts as recorded: a commitment that could not be settled stays
 *     open, and settling may be tried again. Only after a crash may a disk that failed turn out to
 *     have kept it all the same; a commitment that nobody has seen is then recorded as lost.
 * Calls that come together share one transaction and one sync of the disk: a thread of the store
 * writes, the callers wait, each for its own record.
 *
 * A key belongs to one store: two stores, or a store and a ledger, that count with the same key
 * would use the same numbers twice. The file, FILE-wal and FILE-owners belong together. A store
 * that was put back from an old copy would use numbers twice, too; with mark_file that is seen,
 * unless the mark was put back with it.
 *
 * Retention drops the bytes of old records, never the entries: number, commitment, state,
 * verification hash and signature stay, so that it can still be shown that no number is missing.
 * What is dropped is, for each key, always everything up to some number: an audit of the records
 * that are left finds no gap.
 *
 * The journal: what a transparency log (spec/log.md) publishes of the key's records. With `journal`
 * every commitment, receipt and abort record adds its entry in the transaction that keeps it, and
 * so in the order in which they came to be: an entry's number is its index in the log. Whoever
 * publishes reads them, and drops those that are public.
 *
 * Owner: open/close; the key is borrowed. Thread rule: any thread may call anything but close,
 * which comes last. Any number of processes may use one file; a process that forks must not use
 * its parent's stores.
 */
#ifndef VB_STORE_STORE_H
#define VB_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/limits.h"
#include "crypto/ed25519.h"
#include "crypto/sha256.h"
#include "receipt/receipt.h"
#include "receipt/records.h"

typedef struct vb_store vb_store;

typedef struct vb_store_options {
    bool read_only;           /* the file must exist, and no key is needed */
    uint32_t busy_timeout_ms; /* how long to wait for another process; 0: 5 seconds */
    uint64_t keep_ms;         /* bytes of records committed longer ago are dropped; 0: never */
    uint64_t keep_bytes; /* with more bytes of records, the oldest are dropped; 0: any number */
    /* The first number of a key that this store does not know: 0 or 1 unless the key has counted
     * elsewhere before (vb_sequence_last + 1). */
    uint64_t first_sequence;
    /* A file that keeps how far the key has counted, apart from the store (beside the key, say);
     * made when absent. It is some seconds behind, and never ahead. NULL: none. Borrowed for the
     * call. */
    const char *mark_file;
    /* The key has a journal. One that has records already gets the entries of all that are still
     * there: commitments by number, then what settled them; a log then begins with the first number
     * that retention has left. It is for good: what is once begun goes on in every later opening,
     * with this option or without, as a log that leaves out what was made meanwhile has a gap. */
    bool journal;
} vb_store_options;

typedef enum vb_store_state {
    VB_STORE_OPEN = 1, /* committed, not settled */
    VB_STORE_RECEIPT,
    VB_STORE_ABORT
} vb_store_state;

const char *vb_store_state_name(vb_store_state state); /* "open", "receipt", "abort" */

/* What the store keeps of every commitment for ever. */
typedef struct vb_store_entry {
    uint64_t place; /* in the order of the commitments of all keys, from 1; a cursor */
    uint8_t server_key[VB_ED25519_PUBLIC_BYTES];
    uint64_t sequence;
    vb_store_state state;
    vb_abort_reason reason; /* ABORT only */
    char id[VB_RECEIPT_ID_BYTES_MAX + 1];
    char client[VB_STORE_CLIENT_BYTES_MAX + 1]; /* who asked; "": not known */
    uint8_t model_sha256[VB_SHA256_BYTES];
    uint64_t issued_at_ms;
    uint64_t settled_at_ms; /* 0 while open */
    uint8_t commitment[VB_SHA256_BYTES];
    uint8_t verification_hash[VB_SHA256_BYTES];    /* RECEIPT only, else zeros */
    uint8_t signature[VB_ED25519_SIGNATURE_BYTES]; /* the record's; zeros while open */
    uint64_t n_bytes;                              /* of the record; 0: retention dropped it */
    /* Numbers of its entries in the journal; VB_STORE_NO_ENTRY: none. */
    uint64_t committed_entry, settled_entry;
} vb_store_entry;

#define VB_STORE_NO_ENTRY UINT64_MAX

/* Opens the store in path, making it (0600) when there is no such file. *n_lost (may be NULL): the
 * commitments of dead processes that were recorded as lost; those of other keys stay open.
 * VB_EIO: it can not be read or written, or is another user's to read. VB_EFORMAT: not a store, or
 * a damaged one. VB_EUNSUPPORTED: made by a newer version, or by an older one and read_only: a
 * store is brought up to date, in one transaction, by its next opening for writing. VB_EMISMATCH:
 * the key has counted further than the store knows. It is never begun anew when a file, or what
 * belongs to one, is there. */
VB_MUST_CHECK vb_err vb_store_open(const char *path, const vb_ed25519_key *key,
                                   const vb_store_options *options, vb_store **out, size_t *n_lost,
                                   vb_error *e);
void vb_store_close(vb_store *s); /* NULL is allowed; open commitments are lost at the next open */

/* Takes the next number, sets the request's sequence, time and server key, commits and signs, and
 * sets the id, unless there is one; on disk when it returns. On an error number, time and signature
 * are zeros: none was taken. */
VB_MUST_CHECK vb_err vb_store_commit(vb_store *s, vb_receipt *r, vb_error *e);
/* The same for a client, whose name (1 .. VB_STORE_CLIENT_BYTES_MAX bytes; NULL: not known) is kept
 * with the entry and is no part of any record. */
VB_MUST_CHECK vb_err vb_store_commit_for(vb_store *s, vb_receipt *r, const char *client,
                                         vb_error *e);

/* Settles the commitment with the finished receipt, as it stands: what a private receipt leaves out
 * is kept nowhere. VB_EMISMATCH: its signatures do not hold. VB_EINVAL: this store has no such open
 * commitment. */
VB_MUST_CHECK vb_err vb_store_receipt(vb_store *s, const vb_receipt *r, vb_error *e);

/* Settles it with an abort record. */
VB_MUST_CHECK vb_err vb_store_abort(vb_store *s, const vb_receipt *r, vb_abort_reason reason,
                                    vb_error *e);

/* One entry, and the record's exact bytes appended to bytes (may be NULL): a commitment while open,
 * then the receipt or abort record; nothing when it was dropped. *absent (may be NULL) is set true
 * when there is none (also VB_EIO). */
VB_MUST_CHECK vb_err vb_store_by_id(vb_store *s, const char *id, vb_store_entry *entry,
                                    vb_buf *bytes, bool *absent, vb_error *e); /* the newest */
/* A verification hash, or a commitment's value. */
VB_MUST_CHECK vb_err vb_store_by_hash(vb_store *s, const uint8_t hash[VB_SHA256_BYTES],
                                      vb_store_entry *entry, vb_buf *bytes, bool *absent,
                                      vb_error *e);
/* server_key NULL, here and below: the store's own, or of a read-only store the one that committed
 * last. */
VB_MUST_CHECK vb_err vb_store_by_sequence(vb_store *s, const uint8_t *server_key, uint64_t sequence,
                                          vb_store_entry *entry, vb_buf *bytes, bool *absent,
                                          vb_error *e);

typedef struct vb_store_filter {
    uint64_t before;             /* place; 0: from the newest on */
    uint64_t since_ms, until_ms; /* issued_at_ms in [since, until); until 0: no end */
    vb_store_state state;        /* 0: any */
    const uint8_t *model_sha256; /* NULL: any */
    const uint8_t *server_key;   /* NULL: any */
    const char *client;          /* NULL: any */
} vb_store_filter;

/* The newest entries that pass, newest first: at most max of them. The next page begins before the
 * place of the last. */
VB_MUST_CHECK vb_err vb_store_list(vb_store *s, const vb_store_filter *filter, vb_store_entry *out,
                                   size_t max, size_t *n, vb_error *e);

typedef struct vb_store_counts {
    uint64_t open, receipts;
    uint64_t aborts[VB_ABORT_LOST + 1]; /* by reason */
    uint64_t dropped;                   /* records whose bytes retention dropped */
    uint64_t record_bytes;              /* of the records that are there */
    uint64_t file_bytes;                /* of the database, without its journal */
    /* Since the store was opened. */
    uint64_t groups;                /* transactions that calls shared */
    uint64_t housekeeping_failures; /* retention or checkpoint: tried again later */
} vb_store_counts;

VB_MUST_CHECK vb_err vb_store_count(vb_store *s, vb_store_counts *out, vb_error *e);

/* Drops now what retention says, and gives free pages back to the file system. It also happens
 * without being asked, bit by bit. *n_dropped may be NULL. */
VB_MUST_CHECK vb_err vb_store_retain(vb_store *s, uint64_t *n_dropped, vb_error *e);

/* All of one key's entries by sequence, each with its record (n_bytes 0: dropped). What fn returns
 * other than VB_OK ends it. Entries that come while it runs may be left out. */
typedef vb_err (*vb_store_each_fn)(void *user, const vb_store_entry *entry, const uint8_t *bytes,
                                   vb_error *e);
VB_MUST_CHECK vb_err vb_store_each(vb_store *s, const uint8_t *server_key, vb_store_each_fn fn,
                                   void *user, vb_error *e);

/* The journal of the store's own key. */

typedef struct vb_store_journal {
    bool on;
    uint64_t first, end; /* entries first .. end - 1 are in it; end were made */
} vb_store_journal;

VB_MUST_CHECK vb_err vb_store_journal_get(vb_store *s, vb_store_journal *out, vb_error *e);

/* Entries from number `from` on, in order and without a hole, at most max; none when there are not
 * that many yet. VB_EMISMATCH: `from` was dropped. What fn returns other than VB_OK ends it. fn
 * must not call the store. */
typedef vb_err (*vb_store_journal_fn)(void *user, uint64_t number, const uint8_t *entry,
                                      size_t n_bytes, vb_error *e);
VB_MUST_CHECK vb_err vb_store_journal_read(vb_store *s, uint64_t from, size_t max,
                                           vb_store_journal_fn fn, void *user, vb_error *e);

/* Drops all entries below this number, which are public: nothing else has them from here on.
 * VB_EINVAL: more than were made. */
VB_MUST_CHECK vb_err vb_store_journal_drop(vb_store *s, uint64_t below, vb_error *e);

/* fn is called when entries of this process have been added, on the store's thread: it must not
 * block and must not call the store. NULL takes it back, and then no call is under way. */
void vb_store_journal_on_growth(vb_store *s, void (*fn)(void *user), void *user);

typedef struct vb_store_exported {
    uint64_t receipts, aborts, commitments, dropped;
} vb_store_exported;

/* Writes one key's records as a server's folder has them: receipts/N.json, aborts/N.json and, for
 * what is open, commitments/N.json; entries without a record as lines of dropped.jsonl. dir is made
 * when absent; older files of the same names are replaced. All is on disk when it returns. */
VB_MUST_CHECK vb_err vb_store_export_folder(vb_store *s, const uint8_t *server_key, const char *dir,
                                            vb_store_exported *counts, vb_error *e);

/* The same as lines of JSON, one a record. */
typedef vb_err (*vb_store_write_fn)(void *user, const void *bytes, size_t n_bytes, vb_error *e);
VB_MUST_CHECK vb_err vb_store_export_lines(vb_store *s, const uint8_t *server_key,
                                           vb_store_write_fn fn, void *user,
                                           vb_store_exported *counts, vb_error *e);

#endif
