/* verbatim log verify FILE: a proof that a record is in a log, or evidence against one. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/log_command.h"

/* What a file was found to be. */
typedef struct found {
    vb_log_verdict v;
    bool known; /* the members below are set */
    vb_tlog_key key;
    vb_tlog_entry entry; /* of a proof */
    uint64_t index;
    vb_tlog_checkpoint checkpoint;
    size_t n_cosigned;
} found;

static vb_verdict verdict_of(vb_err err) {
    return err == VB_EMISMATCH || err == VB_EFORMAT ? VB_VERDICT_REFUTED : VB_VERDICT_UNVERIFIABLE;
}

/* Of the proof's note, the witnesses whose lines verify. */
static vb_err count_witnesses(const vb_log_command *o, const vb_buf *note, found *f, vb_error *e) {
    vb_tlog_checkpoint c;
    vb_tlog_cosignature *cosigned = calloc(o->witness_texts.n + 1, sizeof *cosigned);
    if (!cosigned) {
        return vb_fail(e, VB_ENOMEM, "no memory for cosignatures");
    }
    vb_err err = vb_tlog_note_read(note->data, note->len, &f->key, o->witnesses, o->witness_texts.n,
                                   &c, cosigned, &f->n_cosigned, e);
    free(cosigned);
    return err;
}

static void verify_proof(const vb_log_command *o, const void *bytes, size_t n_bytes, found *f) {
    vb_tlog_proof p;
    vb_error e = {VB_OK, ""};
    if (!o->key_text) {
        vb_log_judge(&f->v, VB_VERDICT_UNVERIFIABLE, "key",
                     "a proof does not say whose log it is from: name the log's key with --key");
        return;
    }
    f->key = o->key;
    vb_err err = vb_tlog_proof_decode(bytes, n_bytes, &p, &e);
    if (err) {
        vb_log_judge(&f->v, verdict_of(err), "format", "%s", e.msg);
        return;
    }
    f->index = p.index;
    if ((err = vb_tlog_proof_check(&p, &o->key, &f->entry, &f->checkpoint, &e))) {
        vb_log_judge(&f->v, verdict_of(err), "proof", "%s", e.msg);
    } else if ((err = count_witnesses(o, &p.note, f, &e))) {
        vb_log_judge(&f->v, verdict_of(err), "witnesses", "%s", e.msg);
    } else {
        f->known = true;
        if (f->n_cosigned < o->quorum) {
            vb_log_judge(&f->v, VB_VERDICT_UNVERIFIABLE, "witnesses",
                         "%zu of the witnesses have cosigned, %" PRIu64 " are expected",
                         f->n_cosigned, o->quorum);
        }
        if (o->record && (err = vb_tlog_entry_match(&f->entry, &o->key, o->record_bytes,
                                                    o->n_record_bytes, &e))) {
            vb_log_judge(&f->v, verdict_of(err), "record", "%s", e.msg);
        }
    }
    vb_tlog_proof_free(&p);
}

/* Evidence that holds refutes the log; evidence that does not says nothing of it. */
static void verify_evidence(const vb_log_command *o, const void *bytes, size_t n_bytes, found *f) {
    vb_tlog_evidence ev;
    vb_tlog_finding finding;
    vb_error e = {VB_OK, ""};
    vb_err err = vb_tlog_evidence_decode(bytes, n_bytes, &ev, &e);
    if (err) {
        vb_log_judge(&f->v, VB_VERDICT_UNVERIFIABLE, "format", "%s", e.msg);
        return;
    }
    f->key = ev.key;
    if (o->key_text &&
        (strcmp(ev.key.name, o->key.name) != 0 ||
         memcmp(ev.key.public_key, o->key.public_key, sizeof o->key.public_key) != 0)) {
        vb_log_judge(&f->v, VB_VERDICT_UNVERIFIABLE, "key",
                     "the evidence is against another log: %s", ev.key.name);
    } else if ((err = vb_tlog_evidence_check(&ev, &finding, &e))) {
        vb_log_judge(&f->v, VB_VERDICT_UNVERIFIABLE, "no-evidence", "%s", e.msg);
    } else {
        vb_log_judge(&f->v, VB_VERDICT_REFUTED,
                     finding.offence.rule ? vb_tlog_rule_name(finding.offence.rule)
                                          : vb_tlog_charge_name(finding.charge),
                     "%s", finding.text);
    }
    vb_tlog_evidence_free(&ev);
}

static void print_found_json(const found *f) {
    char key[VB_TLOG_VKEY_BYTES_MAX + 1];
    printf("{");
    vb_log_print_verdict_json(&f->v);
    if (f->key.name[0]) {
        vb_tlog_key_print(&f->key, key);
        printf(",\"key\":");
        vb_app_print_json_string(key, strlen(key));
    }
    if (f->known) {
        printf(",\"kind\":\"%s\",\"sequence\":\"%" PRIu64 "\",\"index\":\"%" PRIu64
               "\",\"size\":\"%" PRIu64 "\",\"witnesses\":%zu",
               vb_tlog_kind_name(f->entry.kind), f->entry.sequence, f->index, f->checkpoint.size,
               f->n_cosigned);
    }
    printf("}\n");
}

static void print_found(const vb_log_command *o, const found *f) {
    char key[VB_TLOG_VKEY_BYTES_MAX + 1];
    if (f->key.name[0]) {
        vb_tlog_key_print(&f->key, key);
        printf("log         %s\n", key);
    }
    if (f->known) {
        printf("entry       %" PRIu64 " of %" PRIu64 ": the %s of number %" PRIu64 "%s\n", f->index,
               f->checkpoint.size, vb_tlog_kind_name(f->entry.kind), f->entry.sequence,
               o->record ? ", which is the record's" : "");
    }
    if (f->known && o->witness_texts.n) {
        printf("witnesses   %zu of %zu\n", f->n_cosigned, o->witness_texts.n);
    }
    vb_log_print_verdict(&f->v);
}

int vb_log_verify(vb_log_command *o, const char *what) {
    struct stat st;
    char *bytes;
    size_t n_bytes;
    vb_error e = {VB_OK, ""};
    if (vb_log_is_url(what) || (stat(what, &st) == 0 && S_ISDIR(st.st_mode))) {
        return vb_log_verify_copy(o, what);
    }
    vb_err err = vb_app_read_file(what, VB_TLOG_EVIDENCE_BYTES_MAX, &bytes, &n_bytes, &e);
    if (err) {
        return vb_app_fail(&o->a, "log", err, &e);
    }
    found f = {.v = {VB_VERDICT_VERIFIED, "", ""}};
    if (bytes[0] == '{') {
        verify_evidence(o, bytes, n_bytes, &f);
    } else {
        verify_proof(o, bytes, n_bytes, &f);
    }
    free(bytes);
    if (o->a.json) {
        print_found_json(&f);
    } else {
        print_found(o, &f);
    }
    return vb_log_exit(&f.v);
}
