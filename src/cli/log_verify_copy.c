/* verbatim log verify FOLDER|URL: a whole log, entry by entry. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/log_command.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/show.h"
#include "tlog/audit.h"
#include "tlog/convict.h"
#include "tlog/record.h"

typedef struct copy {
    vb_log_command *o;
    vb_tlog_reader *r;
    vb_tlog_order *order;
    vb_tlog_info info;
    vb_tlog_checkpoint checkpoint;
    size_t n_cosigned;
    uint64_t at_ms; /* what is owed then; 0: no time is known */
    vb_tlog_counts counts;
    vb_tlog_withheld withheld;
    /* With --record. */
    vb_tlog_record *record;
    vb_tlog_entry expected;
    bool record_found;
    uint64_t record_index, other_commitment; /* UINT64_MAX: none */
    vb_log_verdict v;
    bool evidence_written;
} copy;

static vb_err begin(copy *c, vb_log_source *s, vb_error *e) {
    const vb_log_command *o = c->o;
    vb_tlog_cosignature *cosigned = calloc(o->witness_texts.n + 1, sizeof *cosigned);
    if (!cosigned) {
        return vb_fail(e, VB_ENOMEM, "no memory for cosignatures");
    }
    vb_err err = vb_log_reader_open(s, vb_log_expected_key(o), &c->r, e);
    if (!err && !(err = vb_tlog_reader_info(c->r, &c->info, e)) &&
        !(err = vb_tlog_order_open(&c->order, e))) {
        err = vb_tlog_reader_refresh(c->r, o->witnesses, o->witness_texts.n, &c->checkpoint,
                                     cosigned, &c->n_cosigned, e);
    }
    for (size_t i = 0; !err && i < c->n_cosigned; i++) {
        const uint64_t ms =
            cosigned[i].time_s > VB_ISSUED_AT_MS_MAX / 1000 ? 0 : cosigned[i].time_s * 1000;
        c->at_ms = ms > c->at_ms ? ms : c->at_ms;
    }
    c->at_ms = o->at_given ? o->at_ms : c->at_ms;
    free(cosigned);
    if (!err && o->record &&
        !(err = vb_tlog_record_open(o->record_bytes, o->n_record_bytes, &c->record, e))) {
        err = vb_tlog_record_entry(c->record, &c->expected, e);
    }
    return err;
}

static void write_evidence(copy *c, const vb_tlog_evidence *ev) {
    vb_error e = {VB_OK, ""};
    vb_buf bytes = vb_buf_make(VB_TLOG_EVIDENCE_BYTES_MAX);
    vb_err err = vb_tlog_evidence_encode(ev, &bytes, &e);
    if (!err) {
        err = vb_output_write(c->o->output, "evidence", bytes.data, bytes.len, &e);
    }
    if (err) {
        fprintf(stderr, "verbatim log: %s\n", e.msg);
    }
    c->evidence_written = !err;
    vb_buf_free(&bytes);
}

static vb_err look_at_entry(void *user, uint64_t index, const uint8_t *bytes, size_t n_bytes,
                            const vb_tlog_entry *entry, vb_error *e) {
    copy *c = user;
    (void)bytes;
    (void)n_bytes;
    (void)e;
    if (!c->record || entry->sequence != c->expected.sequence) {
        return VB_OK;
    }
    if (entry->kind == VB_TLOG_COMMITMENT &&
        memcmp(entry->commitment, c->expected.commitment, sizeof entry->commitment) != 0) {
        c->other_commitment = index;
    } else if (entry->kind == c->expected.kind &&
               vb_tlog_entry_match(entry, vb_tlog_reader_key(c->r), c->o->record_bytes,
                                   c->o->n_record_bytes, NULL) == VB_OK) {
        c->record_found = true;
        c->record_index = index;
    }
    return VB_OK;
}

/* The log has another commitment under the record's number, which the server has signed, too. */
static void convict_commitment(copy *c) {
    vb_tlog_evidence ev;
    vb_tlog_finding finding;
    vb_tlog_proof p;
    vb_error e = {VB_OK, ""};
    const vb_buf *note = vb_tlog_reader_note(c->r);
    vb_tlog_evidence_init(&ev, VB_TLOG_CHARGE_COMMITMENT, vb_tlog_reader_key(c->r));
    vb_err err = vb_tlog_reader_prove(c->r, c->other_commitment, &p, &e);
    if (!err) {
        if (!(err = vb_tlog_evidence_set_note(&ev, 0, note->data, note->len, &e)) &&
            !(err = vb_tlog_evidence_add(&ev, &p, &e))) {
            err = vb_tlog_evidence_set_record(&ev, c->o->record_bytes, c->o->n_record_bytes, &e);
        }
        vb_tlog_proof_free(&p);
    }
    if (!err && !(err = vb_tlog_evidence_check(&ev, &finding, &e))) {
        vb_log_judge(&c->v, VB_VERDICT_REFUTED, "commitment", "%s", finding.text);
        if (c->o->output) {
            write_evidence(c, &ev);
        }
    } else {
        vb_log_judge(&c->v, VB_VERDICT_UNVERIFIABLE, "record", "%s", e.msg);
    }
    vb_tlog_evidence_free(&ev);
}

/* A record that is not in the log: it was owed, or may still come. */
static void judge_record(copy *c) {
    const uint64_t within_ms = (uint64_t)c->info.publish_within_s * 1000;
    const vb_receipt *committed = vb_tlog_record_committed(c->record);
    vb_error e = {VB_OK, ""};
    if (c->record_found) {
        return;
    }
    if (c->other_commitment != UINT64_MAX) {
        convict_commitment(c);
        return;
    }
    const bool theirs = memcmp(committed->request.server_key, vb_tlog_reader_key(c->r)->public_key,
                               sizeof committed->request.server_key) == 0 &&
                        vb_commitment_check(committed, &e) == VB_OK;
    if (theirs && c->at_ms && committed->request.issued_at_ms + within_ms < c->at_ms &&
        (c->expected.sequence > c->counts.last || c->expected.sequence < c->counts.first)) {
        vb_log_judge(&c->v, VB_VERDICT_REFUTED, "unpublished",
                     "the commitment of number %" PRIu64
                     " was owed within %u s, and is not in the log",
                     c->expected.sequence, c->info.publish_within_s);
        return;
    }
    vb_log_judge(&c->v, VB_VERDICT_UNVERIFIABLE, "record",
                 theirs ? "the record is not in the log (yet)"
                        : "the record is not of the log's key, or its commitment does not hold");
}

static void judge_against(copy *c) {
    vb_tlog_evidence ev;
    vb_error e = {VB_OK, ""};
    char *note;
    size_t n_note;
    bool forked = false;
    vb_err err = vb_app_read_file(c->o->against, VB_TLOG_NOTE_BYTES_MAX, &note, &n_note, &e);
    if (!err) {
        err = vb_tlog_convict_fork(c->r, note, n_note, &ev, &forked, &e);
        free(note);
    }
    if (forked) {
        vb_log_judge(&c->v, VB_VERDICT_REFUTED, "fork", "%s", e.msg);
        if (c->o->output) {
            write_evidence(c, &ev);
        }
        vb_tlog_evidence_free(&ev);
    } else if (err) {
        vb_log_judge(&c->v, VB_VERDICT_UNVERIFIABLE, "against", "%s", e.msg);
    }
}

static void judge_offence(copy *c, const vb_tlog_offence *offence, const char *text) {
    vb_tlog_evidence ev;
    vb_error e = {VB_OK, ""};
    vb_log_judge(&c->v, VB_VERDICT_REFUTED, vb_tlog_rule_name(offence->rule), "%s", text);
    if (!c->o->output) {
        return;
    }
    if (vb_tlog_convict_entries(c->r, offence, &ev, &e)) {
        fprintf(stderr, "verbatim log: no evidence was written: %s\n", e.msg);
        return;
    }
    write_evidence(c, &ev);
    vb_tlog_evidence_free(&ev);
}

static vb_err check(copy *c, vb_error *e) {
    vb_log_command *o = c->o;
    vb_tlog_offence offence;
    vb_progress bar;
    vb_progress_begin(&bar, "verifying", "entries", o->a.quiet || o->a.json);
    const vb_tlog_audit_options options = {.signatures = true,
                                           .threads = (unsigned)o->a.threads,
                                           .progress = vb_progress_update,
                                           .progress_user = &bar,
                                           .entry = look_at_entry,
                                           .entry_user = c};
    vb_err err = vb_tlog_audit(c->r, c->order, &options, &offence, e);
    vb_progress_end(&bar);
    vb_tlog_order_count(c->order, &c->counts);
    if (err && offence.rule) {
        judge_offence(c, &offence, e->msg);
        return VB_OK;
    }
    if (err) {
        return err;
    }
    const uint64_t settle_ms = (uint64_t)c->info.settle_within_s * 1000;
    vb_tlog_order_withheld(c->order, c->at_ms > settle_ms ? c->at_ms - settle_ms : 0, &c->withheld);
    if (c->withheld.n) {
        vb_log_judge(&c->v, VB_VERDICT_REFUTED, "withheld",
                     "%" PRIu64 " answers are withheld; the first is that of number %" PRIu64
                     ", committed to in entry %" PRIu64 " and owed within %u s",
                     c->withheld.n, c->withheld.sequence, c->withheld.index,
                     c->info.settle_within_s);
    }
    if (c->record) {
        judge_record(c);
    }
    if (o->against) {
        judge_against(c);
    }
    if (c->n_cosigned < o->quorum) {
        vb_log_judge(&c->v, VB_VERDICT_UNVERIFIABLE, "witnesses",
                     "%zu of the witnesses have cosigned, %" PRIu64 " are expected", c->n_cosigned,
                     o->quorum);
    }
    return VB_OK;
}

static void print_json(const copy *c) {
    char key[VB_TLOG_VKEY_BYTES_MAX + 1], root[VB_SHA256_HEX_BYTES];
    vb_tlog_key_print(&c->info.key, key);
    vb_hex_encode(c->checkpoint.root.bytes, VB_SHA256_BYTES, root);
    printf("{");
    vb_log_print_verdict_json(&c->v);
    printf(",\"key\":");
    vb_app_print_json_string(key, strlen(key));
    printf(",\"size\":\"%" PRIu64 "\",\"root\":\"%s\",\"first\":\"%" PRIu64 "\",\"last\":\"%" PRIu64
           "\",\"receipts\":\"%" PRIu64 "\",\"aborts\":\"%" PRIu64 "\",\"open\":\"%" PRIu64
           "\",\"witnesses\":%zu,\"at_ms\":",
           c->checkpoint.size, root, c->counts.first, c->counts.last, c->counts.receipts,
           c->counts.aborts, c->counts.open, c->n_cosigned);
    if (c->at_ms) {
        printf("\"%" PRIu64 "\"", c->at_ms);
    } else {
        printf("null");
    }
    printf(",\"withheld\":\"%" PRIu64 "\"", c->withheld.n);
    if (c->record_found) {
        printf(",\"index\":\"%" PRIu64 "\"", c->record_index);
    }
    printf("}\n");
}

static void print_text(const copy *c) {
    char key[VB_TLOG_VKEY_BYTES_MAX + 1], root[VB_SHA256_HEX_BYTES], when[VB_SHOW_TIME_BYTES];
    vb_tlog_key_print(&c->info.key, key);
    vb_hex_encode(c->checkpoint.root.bytes, VB_SHA256_BYTES, root);
    printf("log         %s%s\n", key,
           c->o->key_text ? "" : " (its own word; whose it is was not checked: --key)");
    printf("checkpoint  %" PRIu64 " entries, root %s\n", c->checkpoint.size, root);
    if (c->counts.last) {
        printf("numbers     %" PRIu64 " to %" PRIu64 ": %" PRIu64 " receipts, %" PRIu64
               " aborts, %" PRIu64 " open\n",
               c->counts.first, c->counts.last, c->counts.receipts, c->counts.aborts,
               c->counts.open);
    }
    if (c->o->witness_texts.n) {
        printf("witnesses   %zu of %zu have cosigned\n", c->n_cosigned, c->o->witness_texts.n);
    }
    if (c->at_ms) {
        vb_show_time(c->at_ms, when);
        printf("owed        %" PRIu64 " answers are withheld at %s\n", c->withheld.n, when);
    } else {
        printf("owed        not checked: no time is known (--witness, --at)\n");
    }
    if (c->record_found) {
        printf("record      entry %" PRIu64 "\n", c->record_index);
    }
    if (c->evidence_written) {
        printf("evidence    ");
        vb_show_path(c->o->output);
        printf("\n");
    }
    vb_log_print_verdict(&c->v);
}

int vb_log_verify_copy(vb_log_command *o, const char *place) {
    copy c = {.o = o, .other_commitment = UINT64_MAX, .v = {VB_VERDICT_VERIFIED, "", ""}};
    vb_log_source s;
    vb_error e = {VB_OK, ""};
    vb_err err = vb_log_source_open(place, &s, &e);
    int status = VB_EXIT_OK;
    if (!err && !(err = begin(&c, &s, &e))) {
        err = check(&c, &e);
    }
    if (err == VB_EMISMATCH || err == VB_EFORMAT) {
        /* Files that were changed on their way convict nobody: the log as it was is not at hand. */
        vb_log_judge(&c.v, VB_VERDICT_UNVERIFIABLE, "changed", "%s", e.msg);
        err = VB_OK;
    }
    if (err) {
        status = vb_app_fail(&o->a, "log", err, &e);
    } else {
        if (o->a.json) {
            print_json(&c);
        } else {
            print_text(&c);
        }
        status = vb_log_exit(&c.v);
    }
    vb_tlog_record_close(c.record);
    vb_tlog_order_close(c.order);
    vb_tlog_reader_close(c.r);
    vb_log_source_close(&s);
    return status;
}
