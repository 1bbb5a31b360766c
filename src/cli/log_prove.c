/* verbatim log prove: the proof that a record is in a log, written from its tiles. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/log_command.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "tlog/record.h"

typedef struct search {
    vb_tlog_reader *r;
    uint64_t size, sequence;
    bool settlement;     /* looked for, rather than the commitment */
    uint64_t index;      /* found; size: not found */
    uint64_t commitment; /* of that number; size: not found */
    vb_tlog_entry entry; /* that was found */
} search;

static vb_err read_entry(const search *s, uint64_t index, vb_tlog_entry *out, vb_error *e) {
    const uint8_t *bytes;
    size_t n_bytes;
    if (vb_interrupted()) {
        return vb_fail(e, VB_ECANCELLED, "stopped at entry %" PRIu64, index);
    }
    vb_err err = vb_tlog_reader_entry(s->r, index, &bytes, &n_bytes, e);
    if (!err && (err = vb_tlog_entry_decode(bytes, n_bytes, out, e))) {
        vb_fail_in(e, err, "entry %" PRIu64, index);
    }
    return err;
}

/* Commitments stand in the order of their numbers: a binary search, in which the entries between
 * two commitments are passed over. */
static vb_err find_commitment(search *s, vb_error *e) {
    uint64_t from = 0, to = s->size;
    s->commitment = s->size;
    while (from < to) {
        vb_tlog_entry x;
        const uint64_t middle = from + (to - from) / 2;
        uint64_t i = middle;
        vb_err err;
        while (!(err = read_entry(s, i, &x, e)) && x.kind != VB_TLOG_COMMITMENT && i + 1 < to) {
            i++;
        }
        if (err) {
            return err;
        }
        if (x.kind == VB_TLOG_COMMITMENT && x.sequence == s->sequence) {
            s->commitment = i;
            s->entry = x;
            return VB_OK;
        }
        if (x.kind == VB_TLOG_COMMITMENT && x.sequence < s->sequence) {
            from = i + 1;
        } else {
            to = middle;
        }
    }
    return VB_OK;
}

/* A settlement comes after its commitment, most often soon. */
static vb_err find_settlement(search *s, vb_error *e) {
    for (uint64_t i = s->commitment; i < s->size; i++) {
        vb_tlog_entry x;
        vb_err err = read_entry(s, i, &x, e);
        if (err) {
            return err;
        }
        if (x.sequence == s->sequence && x.kind != VB_TLOG_COMMITMENT) {
            s->entry = x;
            s->index = i;
            break;
        }
    }
    return VB_OK;
}

static vb_err find(const vb_log_command *o, search *s, vb_error *e) {
    s->index = s->size;
    vb_err err = find_commitment(s, e);
    if (err) {
        return err;
    }
    if (s->settlement) {
        err = find_settlement(s, e);
    }
    if (!err && s->index == s->size && (!s->settlement || !o->record)) {
        s->index = s->commitment; /* of a number: what there is of it */
    }
    if (!err && s->index == s->size) {
        err = vb_fail(e, VB_EIO,
                      "number %" PRIu64 ": it is not in the log (yet), of %" PRIu64 " entries",
                      s->sequence, s->size);
    }
    return err;
}

/* What --record or --sequence asks for. */
static vb_err begin(const vb_log_command *o, search *s, vb_error *e) {
    vb_tlog_record *record;
    vb_tlog_entry x;
    if ((o->record != NULL) == o->sequence_given) {
        return vb_fail(e, VB_EINVAL, "prove: expected one of --record and --sequence");
    }
    if (!o->record) {
        s->sequence = o->sequence;
        s->settlement = true;
        return VB_OK;
    }
    vb_err err = vb_tlog_record_open(o->record_bytes, o->n_record_bytes, &record, e);
    if (err) {
        return err;
    }
    err = vb_tlog_record_entry(record, &x, e);
    vb_tlog_record_close(record);
    s->sequence = x.sequence;
    s->settlement = x.kind != VB_TLOG_COMMITMENT;
    return err;
}

static vb_err prove(const vb_log_command *o, search *s, vb_error *e) {
    vb_tlog_checkpoint c;
    vb_tlog_proof p;
    size_t n_cosigned;
    vb_buf bytes = vb_buf_make(VB_TLOG_PROOF_BYTES_MAX);
    vb_err err = vb_tlog_reader_refresh(s->r, NULL, 0, &c, NULL, &n_cosigned, e);
    if (err) {
        return err;
    }
    s->size = c.size;
    if ((err = find(o, s, e)) ||
        (o->record && (err = vb_tlog_entry_match(&s->entry, vb_tlog_reader_key(s->r),
                                                 o->record_bytes, o->n_record_bytes, e))) ||
        (err = vb_tlog_reader_prove(s->r, s->index, &p, e))) {
        return err;
    }
    if (!(err = vb_tlog_proof_check(&p, vb_tlog_reader_key(s->r), &s->entry, &c, e)) &&
        !(err = vb_tlog_proof_encode(&p, &bytes, e))) {
        err = vb_output_write(o->output, "proof", bytes.data, bytes.len, e);
    }
    vb_tlog_proof_free(&p);
    vb_buf_free(&bytes);
    return err;
}

int vb_log_prove(vb_log_command *o, const char *place) {
    search s = {.r = NULL};
    vb_log_source source = {.place = NULL};
    vb_error e = {VB_OK, ""};
    vb_err err = o->output ? begin(o, &s, &e)
                           : vb_fail(&e, VB_EINVAL, "prove: name the proof's file with -o");
    if (!err && !(err = vb_log_source_open(place, &source, &e)) &&
        !(err = vb_log_reader_open(&source, vb_log_expected_key(o), &s.r, &e))) {
        err = prove(o, &s, &e);
    }
    if (!err && o->a.json) {
        printf("{\"index\":\"%" PRIu64 "\",\"kind\":\"%s\",\"sequence\":\"%" PRIu64
               "\",\"size\":\"%" PRIu64 "\"}\n",
               s.index, vb_tlog_kind_name(s.entry.kind), s.sequence, s.size);
    } else if (!err) {
        printf("entry %" PRIu64 " of %" PRIu64 ": the %s of number %" PRIu64 "\n", s.index, s.size,
               vb_tlog_kind_name(s.entry.kind), s.sequence);
    }
    vb_tlog_reader_close(s.r);
    vb_log_source_close(&source);
    return err ? vb_app_fail(&o->a, "log", err, &e) : VB_EXIT_OK;
}
