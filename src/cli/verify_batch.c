#include "cli/verify_batch.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "cli/finding.h"
#include "cli/progress.h"
#include "cli/show.h"
#include "verify/audit.h"

enum { WAITING_BYTES_MAX = 32 << 20 }; /* of receipts that wait: one more may come */

static const size_t none = SIZE_MAX;

/* A commitment record; after hold_sort, the one of its key and number. */
typedef struct held {
    uint8_t key[VB_ED25519_PUBLIC_BYTES], commitment[VB_SHA256_BYTES];
    uint64_t sequence;
    size_t file;
    size_t other; /* the file of a record of another request with this number; none */
    bool settled; /* a receipt or an abort has the number */
} held;

/* A file that was read, whose line is to come. */
typedef struct entry {
    size_t file;
    bool ignored; /* of a kind that is not looked at */
    bool due;     /* a receipt that is to be replayed: r and rep are in use */
    vb_finding f;
    vb_receipt r;
    vb_report rep;
} entry;

typedef struct batch {
    vb_verification *v;
    const vb_record_files *files;
    vb_audit *audit;
    held *held;
    size_t n_held, held_capacity;
    bool held_sorted;
    vb_progress bar;
    size_t i;     /* the file at hand; at last, how many have their line */
    bool stopped; /* by Ctrl-C, before the end */
    /* files that were read and wait for a replay that they share, or for their turn behind one */
    entry *waiting[VB_REPLAY_SHARED_MAX];
    size_t n_waiting, n_due, due_bytes;
    uint64_t n_verified, n_refuted, n_unverifiable, n_ignored;
    uint64_t n_missing, n_conflicts, n_unsettled;
    /* while the audit is printed */
    bool in_key;
    size_t n_keys, n_findings; /* n_findings: of the list that is being printed */
} batch;

static bool on_progress(void *user, uint64_t done, uint64_t total) {
    batch *b = user;
    const double share = total ? (double)done / (double)total : 0; /* of what waits */
    return vb_progress_update(&b->bar, b->i + (uint64_t)(share * (double)b->n_waiting),
                              b->files->n);
}

/* Commitments, all of them read before any other record (vb_record_files_sort). */

static int compare_held(const void *a, const void *b) {
    const held *x = a, *y = b;
    const int c = memcmp(x->key, y->key, sizeof x->key);
    return c ? c : (x->sequence > y->sequence) - (x->sequence < y->sequence);
}

static vb_err hold(batch *b, const vb_finding *f, vb_error *e) {
    if (b->n_held == b->held_capacity) {
        const size_t capacity = b->held_capacity ? 2 * b->held_capacity : 16;
        held *all = realloc(b->held, capacity * sizeof *all);
        if (!all) {
            return vb_fail(e, VB_ENOMEM, "no memory for %zu commitments", capacity);
        }
        b->held = all;
        b->held_capacity = capacity;
    }
    held *h = &b->held[b->n_held++];
    *h = (held){.sequence = f->sequence, .file = b->i, .other = none};
    memcpy(h->key, f->server_key, sizeof h->key);
    memcpy(h->commitment, f->commitment, sizeof h->commitment);
    return VB_OK;
}

static void set_other(held *h, const uint8_t commitment[VB_SHA256_BYTES], size_t file) {
    if (h->other == none && memcmp(h->commitment, commitment, sizeof h->commitment) != 0) {
        h->other = file;
    }
}

/* One of each key and number is kept. */
static void hold_sort(batch *b) {
    size_t n = 0;
    if (b->n_held > 1) {
        qsort(b->held, b->n_held, sizeof *b->held, compare_held);
    }
    for (size_t i = 0; i < b->n_held; i++) {
        if (n > 0 && compare_held(&b->held[n - 1], &b->held[i]) == 0) {
            set_other(&b->held[n - 1], b->held[i].commitment, b->held[i].file);
        } else {
            b->held[n++] = b->held[i];
        }
    }
    b->n_held = n;
    b->held_sorted = true;
}

static void settle(batch *b, const vb_finding *f) {
    held wanted = {.sequence = f->sequence};
    memcpy(wanted.key, f->server_key, sizeof wanted.key);
    if (!b->held_sorted) {
        hold_sort(b);
    }
    held *h = b->n_held ? bsearch(&wanted, b->held, b->n_held, sizeof wanted, compare_held) : NULL;
    if (h) {
        h->settled = true;
        set_other(h, f->commitment, b->i);
    }
}

/* Records. Only what its key has signed says anything about that key's numbers. */
static vb_err keep_account(batch *b, const vb_finding *f, vb_error *e) {
    if (!f->signed_by_key) {
        return VB_OK;
    }
    if (f->kind == VB_RECORD_COMMITMENT) {
        return hold(b, f, e);
    }
    vb_audit_record r = {
        .sequence = f->sequence,
        .kind = f->kind == VB_RECORD_ABORT ? VB_AUDIT_ABORT : VB_AUDIT_RECEIPT,
        .label = b->i,
    };
    memcpy(r.key, f->server_key, sizeof r.key);
    memcpy(r.hash, f->record_hash, sizeof r.hash);
    settle(b, f);
    return vb_audit_add(b->audit, &r, e);
}

static void print_finding(batch *b, const vb_finding *f, const char *path) {
    vb_progress_clear(&b->bar);
    if (b->v->a.json) {
        vb_finding_print_json(f, path);
    } else {
        vb_finding_print_line(f, path);
    }
    fflush(stdout);
}

/* Rounds, prompts and openings have no number, and what they stand beside is another file. */
static bool is_beside(vb_record_kind k) {
    return k == VB_RECORD_PROMPT || k == VB_RECORD_OPENING || k == VB_RECORD_ROUND ||
           k == VB_RECORD_STATEMENT;
}

static void ignore(batch *b, vb_record_kind kind, const char *path) {
    b->n_ignored++;
    vb_progress_clear(&b->bar);
    if (b->v->a.json) {
        printf("{\"file\":");
        vb_app_print_json_string(path, strlen(path));
        printf(",\"record\":\"%s\",\"verdict\":null}\n", vb_record_kind_name(kind));
    } else {
        printf("%-12s  %-22s  ", "-", "-");
        vb_show_path(path);
        printf("  (%s: not looked at)\n", vb_record_kind_name(kind));
    }
}

/* Reads file i and checks what can be checked without a replay. VB_ECANCELLED: Ctrl-C. */
static vb_err read_file(batch *b, size_t i, entry *x, vb_error *e) {
    char *bytes = NULL;
    size_t n_bytes = 0;
    char path[VB_PATH_BYTES_MAX];
    vb_err err = vb_record_files_path(b->files, i, path, e);
    if (!err) {
        err = vb_record_files_read(b->files, i, &bytes, &n_bytes, e);
    }
    if (err == VB_ECANCELLED) {
        return err;
    }
    x->file = i;
    if (err) {
        vb_finding_unreadable(err == VB_ENOMEM ? VB_REASON_UNFINISHED : VB_REASON_UNREADABLE,
                              e->msg, &x->f);
    } else if (is_beside(vb_record_kind_of(bytes, n_bytes))) {
        x->ignored = true;
        x->f.kind = vb_record_kind_of(bytes, n_bytes);
    } else {
        x->due = vb_finding_begin(b->v, bytes, n_bytes, true, &x->r, &x->rep, &x->f);
        b->due_bytes += x->due ? n_bytes : 0;
    }
    free(bytes);
    return VB_OK;
}

static vb_err conclude(batch *b, entry *x, vb_error *e) {
    char path[VB_PATH_BYTES_MAX];
    if (vb_record_files_path(b->files, x->file, path, NULL)) {
        snprintf(path, sizeof path, "(a path that is too long)");
    }
    if (x->ignored) {
        ignore(b, x->f.kind, path);
        return VB_OK;
    }
    if (x->due) {
        vb_finding_end(&x->r, &x->rep, &x->f);
    }
    if (x->f.reason == VB_REASON_UNFINISHED && vb_interrupted()) {
        b->stopped = true; /* which is no verdict about the file */
        return VB_OK;
    }
    b->n_verified += x->f.verdict == VB_VERDICT_VERIFIED;
    b->n_refuted += x->f.verdict == VB_VERDICT_REFUTED;
    b->n_unverifiable += x->f.verdict == VB_VERDICT_UNVERIFIABLE;
    print_finding(b, &x->f, path);
    return keep_account(b, &x->f, e);
}

static void drop_waiting(batch *b) {
    for (size_t i = 0; i < b->n_waiting; i++) {
        vb_receipt_free(&b->waiting[i]->r);
        free(b->waiting[i]);
    }
    b->n_waiting = b->n_due = b->due_bytes = 0;
}

/* Replays what is due, and gives each file that waits its line, in order. */
static vb_err conclude_waiting(batch *b, vb_error *e) {
    vb_verification_pair due[VB_REPLAY_SHARED_MAX];
    size_t n = 0;
    for (size_t i = 0; i < b->n_waiting; i++) {
        if (b->waiting[i]->due) {
            due[n++] = (vb_verification_pair){&b->waiting[i]->r, &b->waiting[i]->rep};
        }
    }
    if (n) {
        vb_verification_replay(b->v, due, n);
    }
    vb_err err = VB_OK;
    for (size_t i = 0; i < b->n_waiting && !err && !b->stopped; i++) {
        err = conclude(b, b->waiting[i], e);
        b->i += !b->stopped;
    }
    drop_waiting(b);
    return err;
}

/* One more file. Without a receipt before it that waits for others its line comes at once. */
static vb_err verify_file(batch *b, size_t i, vb_error *e) {
    entry *x = calloc(1, sizeof *x);
    if (!x) {
        return vb_fail(e, VB_ENOMEM, "no memory for a record");
    }
    vb_receipt_init(&x->r);
    vb_error why = {VB_OK, ""};
    const vb_err err = read_file(b, i, x, &why);
    b->waiting[b->n_waiting++] = x;
    if (err) {
        b->stopped = true;
        drop_waiting(b);
        return VB_OK;
    }
    b->n_due += x->due;
    const bool full = b->n_waiting == VB_REPLAY_SHARED_MAX || b->due_bytes > WAITING_BYTES_MAX;
    return b->n_due == 0 || full ? conclude_waiting(b, e) : VB_OK;
}

/* What the records say together. */

static void print_path(const batch *b, size_t file) {
    char path[VB_PATH_BYTES_MAX];
    if (vb_record_files_path(b->files, file, path, NULL)) {
        path[0] = 0; /* it had been read under this path */
    }
    if (b->v->a.json) {
        vb_app_print_json_string(path, strlen(path));
    } else {
        vb_show_path(path);
    }
}

static void print_count(const char *before, uint64_t n, const char *what) {
    printf("%s%" PRIu64 " %s%s", before, n, what, n == 1 ? "" : "s");
}

static void print_key_hex(const batch *b, const uint8_t key[VB_ED25519_PUBLIC_BYTES]) {
    char hex[2 * VB_ED25519_PUBLIC_BYTES + 1];
    vb_hex_encode(key, VB_ED25519_PUBLIC_BYTES, hex);
    printf(b->v->a.json ? "\"server_key\":\"%s\"" : "%s", hex);
}

static void begin_key(batch *b, const uint8_t key[VB_ED25519_PUBLIC_BYTES]) {
    if (b->in_key) {
        return;
    }
    b->in_key = true;
    b->n_findings = 0;
    printf(b->v->a.json ? "%s{" : "%sserver key ", !b->v->a.json ? "\n" : b->n_keys ? "," : "");
    print_key_hex(b, key);
    printf(b->v->a.json ? ",\"findings\":[" : "\n");
    b->n_keys++;
}

/* key: where the list is not that of one key alone; else NULL. */
static void print_conflict(batch *b, const uint8_t *key, uint64_t sequence, size_t one,
                           size_t other) {
    if (b->v->a.json) {
        printf("%s{\"conflict\":{\"sequence\":\"%" PRIu64 "\",", b->n_findings ? "," : "",
               sequence);
        if (key) {
            print_key_hex(b, key);
            printf(",");
        }
        printf("\"files\":[");
        print_path(b, one);
        printf(",");
        print_path(b, other);
        printf("]}}");
    } else {
        printf("  conflict   %" PRIu64 "%s: ", sequence, key ? ", for another request" : "");
        print_path(b, one);
        printf(" and ");
        print_path(b, other);
        printf("\n");
    }
    b->n_findings++;
    b->n_conflicts++;
}

static void on_missing(void *user, const uint8_t key[VB_ED25519_PUBLIC_BYTES], uint64_t from,
                       uint64_t to) {
    batch *b = user;
    if (b->stopped) {
        return; /* it may be in a file that was not read */
    }
    begin_key(b, key);
    if (b->v->a.json) {
        printf("%s{\"missing\":{\"from\":\"%" PRIu64 "\",\"to\":\"%" PRIu64 "\"}}",
               b->n_findings ? "," : "", from, to);
    } else if (from == to) {
        printf("  missing    %" PRIu64 "\n", from);
    } else {
        printf("  missing    %" PRIu64 " to %" PRIu64 "\n", from, to);
    }
    b->n_findings++;
}

static void on_conflict(void *user, const vb_audit_record *one, const vb_audit_record *other) {
    begin_key(user, one->key);
    print_conflict(user, NULL, one->sequence, (size_t)one->label, (size_t)other->label);
}

static void on_key(void *user, const vb_audit_key *k) {
    batch *b = user;
    begin_key(b, k->key);
    const uint64_t n_missing = b->stopped ? 0 : k->n_missing;
    b->n_missing += n_missing;
    if (b->v->a.json) {
        printf("],\"first\":\"%" PRIu64 "\",\"last\":\"%" PRIu64 "\",\"receipts\":%" PRIu64
               ",\"aborts\":%" PRIu64 ",\"missing\":\"%" PRIu64 "\",\"duplicates\":%" PRIu64 "}",
               k->first, k->last, k->n_receipts, k->n_aborts, n_missing, k->n_duplicates);
    } else {
        printf("  numbers    %" PRIu64 " to %" PRIu64, k->first, k->last);
        print_count(": ", k->n_receipts, "receipt");
        print_count(", ", k->n_aborts, "abort");
        printf(b->stopped ? "\n" : ", %" PRIu64 " missing\n", n_missing);
        if (k->n_duplicates) {
            print_count("  again      ", k->n_duplicates, "file");
            printf(" of records that others hold\n");
        }
    }
    b->in_key = false;
}

/* Commitments that nothing settles, or that a record of another request claims to. */
static void print_held(batch *b) {
    b->n_findings = 0;
    for (size_t i = 0; i < b->n_held; i++) {
        const held *h = &b->held[i];
        const bool is_unsettled = !h->settled && !b->stopped;
        if (h->other == none && !is_unsettled) {
            continue;
        }
        if (!b->v->a.json) {
            printf(b->n_findings ? "" : "\ncommitments\n");
        }
        if (h->other != none) {
            print_conflict(b, h->key, h->sequence, h->file, h->other);
        }
        if (is_unsettled && b->v->a.json) {
            printf("%s{\"unsettled\":{\"sequence\":\"%" PRIu64 "\",", b->n_findings ? "," : "",
                   h->sequence);
            print_key_hex(b, h->key);
            printf(",\"file\":");
            print_path(b, h->file);
            printf("}}");
        } else if (is_unsettled) {
            printf("  unsettled  %" PRIu64 ", neither receipt nor abort: ", h->sequence);
            print_path(b, h->file);
            printf("\n");
        }
        b->n_findings += is_unsettled;
        b->n_unsettled += is_unsettled;
    }
}

static int exit_of(const batch *b) {
    if (b->stopped) {
        return VB_EXIT_CANCELLED;
    }
    if (b->n_refuted || b->n_conflicts) {
        return VB_EXIT_REFUTED;
    }
    const bool whole = b->n_verified > 0 && !b->n_unverifiable && !b->n_missing && !b->n_unsettled;
    return whole ? VB_EXIT_OK : VB_EXIT_UNVERIFIABLE;
}

static void print_summary(batch *b) {
    const vb_audit_findings findings = {
        .user = b,
        .missing = on_missing,
        .conflict = on_conflict,
        .key = on_key,
    };
    if (!b->held_sorted) {
        hold_sort(b);
    }
    if (b->v->a.json) {
        printf("{\"summary\":{\"keys\":[");
        vb_audit_report(b->audit, &findings);
        printf("],\"commitments\":[");
        print_held(b);
        printf("],\"verified\":%" PRIu64 ",\"refuted\":%" PRIu64 ",\"unverifiable\":%" PRIu64
               ",\"ignored\":%" PRIu64 ",\"skipped\":%zu,\"conflicts\":%" PRIu64
               ",\"missing\":\"%" PRIu64 "\",\"unsettled\":%" PRIu64
               ",\"unread\":%zu,\"stopped\":%s,\"exit_code\":%d}}\n",
               b->n_verified, b->n_refuted, b->n_unverifiable, b->n_ignored, b->files->n_skipped,
               b->n_conflicts, b->n_missing, b->n_unsettled, b->files->n - b->i,
               b->stopped ? "true" : "false", exit_of(b));
        return;
    }
    vb_audit_report(b->audit, &findings);
    print_held(b);
    printf("\n%" PRIu64 " VERIFIED, %" PRIu64 " REFUTED, %" PRIu64 " UNVERIFIABLE", b->n_verified,
           b->n_refuted, b->n_unverifiable);
    print_count("; ", b->n_missing, "missing number");
    print_count(", ", b->n_unsettled, "unsettled commitment");
    print_count(", ", b->n_conflicts, "conflict");
    printf("\n");
    if (b->n_ignored || b->files->n_skipped) {
        print_count("not looked at: ", b->n_ignored, "file");
        print_count(" of other kinds, ", b->files->n_skipped, "link or other special file");
        printf("\n");
    }
    if (b->stopped) {
        printf("stopped: %zu of %zu files were not read, so missing numbers are not known\n",
               b->files->n - b->i, b->files->n);
    }
}

int vb_verify_batch(vb_verification *v, vb_record_files *files) {
    batch b = {.v = v, .files = files};
    vb_error e = {VB_OK, ""};
    vb_err err = vb_audit_open(&b.audit, &e);
    vb_record_files_sort(files);
    v->on_progress = on_progress;
    v->progress_user = &b;
    vb_progress_begin(&b.bar, "verifying", "files", v->a.quiet);
    for (size_t i = 0; !err && !b.stopped && i < files->n; i++) {
        b.stopped = !vb_progress_update(&b.bar, b.i, files->n);
        err = b.stopped ? VB_OK : verify_file(&b, i, &e);
    }
    if (!err && !b.stopped) {
        err = conclude_waiting(&b, &e);
    }
    drop_waiting(&b);
    b.stopped = b.i < files->n;
    vb_progress_end(&b.bar);
    if (!err) {
        print_summary(&b);
    }
    vb_audit_close(b.audit);
    free(b.held);
    return err ? vb_app_fail(&v->a, "verify", err, &e) : exit_of(&b);
}
