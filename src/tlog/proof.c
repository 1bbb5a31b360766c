#include "tlog/proof.h"

#include <inttypes.h>
#include <string.h>

#include "base/decimal.h"
#include "receipt/base64.h"
#include "receipt/build.h"
#include "tlog/record.h"

#define HEADER "c2sp.org/tlog-proof@v1"

enum {
    HASH_CHARS = 44,
    ENTRY_CHARS_MAX = (VB_TLOG_ENTRY_BYTES_MAX + 2) / 3 * 4,
    LINE_CHARS_MAX = 64 + ENTRY_CHARS_MAX
};

void vb_tlog_proof_free(vb_tlog_proof *p) {
    vb_buf_free(&p->entry);
    vb_buf_free(&p->note);
    *p = (vb_tlog_proof){.entry = vb_buf_make(VB_TLOG_ENTRY_BYTES_MAX),
                         .note = vb_buf_make(VB_TLOG_NOTE_BYTES_MAX)};
}

/* Writing */

static vb_err write_proof(const vb_tlog_proof *p, vb_buf *out, vb_error *e) {
    char text[ENTRY_CHARS_MAX + 1], hash[HASH_CHARS + 1];
    if (p->entry.len > VB_TLOG_ENTRY_BYTES_MAX || p->n_path > VB_TLOG_SIZE_BITS_MAX) {
        return vb_fail(e, VB_EFORMAT,
                       "a proof has an entry of at most %d bytes and a path of at most %d hashes",
                       VB_TLOG_ENTRY_BYTES_MAX, VB_TLOG_SIZE_BITS_MAX);
    }
    vb_base64_encode(p->entry.data, p->entry.len, text);
    vb_err err = vb_buf_printf(out, HEADER "\nextra %s\nindex %" PRIu64 "\n", text, p->index);
    for (size_t i = 0; !err && i < p->n_path; i++) {
        vb_base64_encode(p->path[i].bytes, sizeof p->path[i].bytes, hash);
        err = vb_buf_printf(out, "%s\n", hash);
    }
    if (!err) {
        err = vb_buf_append(out, "\n", 1);
    }
    if (!err) {
        err = vb_buf_append(out, p->note.data, p->note.len);
    }
    return err ? vb_fail(e, err, "no room for a proof of at most %d bytes", VB_TLOG_PROOF_BYTES_MAX)
               : VB_OK;
}

vb_err vb_tlog_proof_encode(const vb_tlog_proof *p, vb_buf *out, vb_error *e) {
    vb_buf bytes = vb_buf_make(VB_TLOG_PROOF_BYTES_MAX);
    vb_tlog_proof back;
    vb_err err = write_proof(p, &bytes, e);
    if (!err) {
        err = vb_tlog_proof_decode(bytes.data, bytes.len, &back, e);
    }
    if (!err) {
        vb_tlog_proof_free(&back);
        err = vb_build_copy(&bytes, out, e);
    }
    vb_buf_free(&bytes);
    return err;
}

/* Reading */

/* What is left of the text, and the line that was taken from it. */
typedef struct lines {
    const char *rest;
    size_t n_rest;
    const char *line;
    size_t n_line;
} lines;

/* The next line, if it is one and begins with prefix, which is then left out of it. */
static bool take(lines *l, const char *prefix) {
    const char *end = l->n_rest ? memchr(l->rest, '\n', l->n_rest) : NULL;
    size_t n_prefix = strlen(prefix), n = end ? (size_t)(end - l->rest) : 0;
    if (!end || n < n_prefix || n > LINE_CHARS_MAX || memcmp(l->rest, prefix, n_prefix) != 0) {
        return false;
    }
    l->line = l->rest + n_prefix;
    l->n_line = n - n_prefix;
    l->rest += n + 1;
    l->n_rest -= n + 1;
    return true;
}

static vb_err read_entry(lines *l, vb_tlog_proof *p, vb_error *e) {
    uint8_t bytes[LINE_CHARS_MAX];
    size_t n = 0;
    if (!take(l, HEADER) || l->n_line != 0) {
        return vb_fail(e, VB_EFORMAT, "a proof begins with the line " HEADER);
    }
    if (!take(l, "extra ") || !vb_base64_decode(l->line, l->n_line, bytes, &n) || n < 1 ||
        n > VB_TLOG_ENTRY_BYTES_MAX) {
        return vb_fail(e, VB_EFORMAT,
                       "a proof's second line: expected extra and an entry, 1 .. %d bytes in "
                       "canonical base64",
                       VB_TLOG_ENTRY_BYTES_MAX);
    }
    vb_err err = vb_buf_append(&p->entry, bytes, n);
    return err ? vb_fail(e, err, "no memory for the entry of a proof") : VB_OK;
}

/* The index, the path's hashes and the empty line behind them. */
static vb_err read_path(lines *l, vb_tlog_proof *p, vb_error *e) {
    uint8_t bytes[HASH_CHARS / 4 * 3];
    size_t n = 0;
    if (!take(l, "index ") || !vb_decimal_decode(l->line, l->n_line, &p->index) ||
        p->index >= VB_TLOG_SIZE_MAX) {
        return vb_fail(e, VB_EFORMAT,
                       "a proof's third line: expected index and a decimal number below 2^%d",
                       VB_TLOG_SIZE_BITS_MAX);
    }
    for (; take(l, ""); p->n_path++) {
        if (l->n_line == 0) {
            return VB_OK;
        }
        if (p->n_path == VB_TLOG_SIZE_BITS_MAX) {
            return vb_fail(e, VB_EFORMAT, "a proof's path has at most %d hashes",
                           VB_TLOG_SIZE_BITS_MAX);
        }
        if (l->n_line != HASH_CHARS || !vb_base64_decode(l->line, l->n_line, bytes, &n) ||
            n != VB_SHA256_BYTES) {
            return vb_fail(e, VB_EFORMAT,
                           "a proof's path, hash %zu: expected %d bytes in canonical base64",
                           p->n_path, VB_SHA256_BYTES);
        }
        memcpy(p->path[p->n_path].bytes, bytes, VB_SHA256_BYTES);
    }
    return vb_fail(e, VB_EFORMAT, "a proof has an empty line between its path and its checkpoint");
}

static vb_err read_note(const lines *l, vb_tlog_proof *p, vb_error *e) {
    if (l->n_rest < 1 || l->n_rest > VB_TLOG_NOTE_BYTES_MAX) {
        return vb_fail(e, VB_EFORMAT, "a proof ends with a checkpoint of 1 .. %d bytes",
                       VB_TLOG_NOTE_BYTES_MAX);
    }
    vb_err err = vb_buf_append(&p->note, l->rest, l->n_rest);
    return err ? vb_fail(e, err, "no memory for the checkpoint of a proof") : VB_OK;
}

vb_err vb_tlog_proof_decode(const void *bytes, size_t n_bytes, vb_tlog_proof *out, vb_error *e) {
    lines l = {.rest = bytes, .n_rest = n_bytes};
    *out = (vb_tlog_proof){.entry = vb_buf_make(VB_TLOG_ENTRY_BYTES_MAX),
                           .note = vb_buf_make(VB_TLOG_NOTE_BYTES_MAX)};
    if (n_bytes > VB_TLOG_PROOF_BYTES_MAX) {
        return vb_fail(e, VB_ELIMIT, "%zu bytes; a proof has at most %d", n_bytes,
                       VB_TLOG_PROOF_BYTES_MAX);
    }
    vb_err err = read_entry(&l, out, e);
    if (!err) {
        err = read_path(&l, out, e);
    }
    if (!err) {
        err = read_note(&l, out, e);
    }
    if (err) {
        vb_tlog_proof_free(out);
    }
    return err;
}

/* Checking */

vb_err vb_tlog_proof_check(const vb_tlog_proof *p, const vb_tlog_key *log, vb_tlog_entry *entry,
                           vb_tlog_checkpoint *c, vb_error *e) {
    vb_tlog_checkpoint checkpoint;
    vb_tlog_entry read;
    vb_tlog_hash leaf;
    vb_err err =
        vb_tlog_note_read(p->note.data, p->note.len, log, NULL, 0, &checkpoint, NULL, NULL, e);
    if (err) {
        return vb_fail_in(e, err, "the proof's checkpoint");
    }
    vb_tlog_leaf_hash(p->entry.data, p->entry.len, &leaf);
    if (!vb_tlog_included(&leaf, p->index, checkpoint.size, p->path, p->n_path, &checkpoint.root)) {
        return vb_fail(e, VB_EMISMATCH,
                       "the path does not lead from entry %" PRIu64
                       " to the root of the checkpoint's %" PRIu64 " entries",
                       p->index, checkpoint.size);
    }
    err = vb_tlog_entry_decode(p->entry.data, p->entry.len, &read, e);
    if (!err) {
        err = vb_tlog_entry_check(&read, log->public_key, e);
    }
    if (err) {
        return vb_fail_in(e, err, "the proof's entry");
    }
    *entry = read;
    *c = checkpoint;
    return VB_OK;
}

/* What both entries have, then what those of their kind have. */
static const char *difference(const vb_tlog_entry *a, const vb_tlog_entry *b) {
    if (a->kind != b->kind) {
        return "kind";
    }
    if (a->sequence != b->sequence) {
        return "sequence";
    }
    if (memcmp(a->commitment, b->commitment, sizeof a->commitment) != 0) {
        return "commitment";
    }
    if (a->kind == VB_TLOG_COMMITMENT) {
        if (a->issued_at_ms != b->issued_at_ms) {
            return "issued_at_ms";
        }
        if (memcmp(a->model_sha256, b->model_sha256, sizeof a->model_sha256) != 0) {
            return "model_sha256";
        }
    } else if (memcmp(a->record_sha256, b->record_sha256, sizeof a->record_sha256) != 0) {
        return "record_sha256";
    }
    if (a->kind == VB_TLOG_ABORT && a->reason != b->reason) {
        return "reason";
    }
    return memcmp(a->signature, b->signature, sizeof a->signature) != 0 ? "signature" : NULL;
}

vb_err vb_tlog_entry_match(const vb_tlog_entry *entry, const vb_tlog_key *log, const void *bytes,
                           size_t n_bytes, vb_error *e) {
    vb_tlog_record *record;
    vb_tlog_entry own;
    vb_err err = vb_tlog_record_open(bytes, n_bytes, &record, e);
    if (err) {
        return err;
    }
    const vb_receipt *committed = vb_tlog_record_committed(record);
    const char *member = NULL;
    if (entry->kind == VB_TLOG_COMMITMENT) {
        vb_tlog_entry_of_commitment(committed, &own);
    } else {
        err = vb_tlog_record_entry(record, &own, e);
    }
    if (!err) {
        bool of_log =
            memcmp(committed->request.server_key, log->public_key, sizeof log->public_key) == 0;
        member = of_log ? difference(entry, &own) : "request.server_key";
    }
    vb_tlog_record_close(record);
    return member ? vb_fail(e, VB_EMISMATCH, "%s: the record's is not the log's", member) : err;
}
