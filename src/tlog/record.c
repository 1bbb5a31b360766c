#include "tlog/record.h"

#include <stdlib.h>

#include "receipt/records.h"

struct vb_tlog_record {
    vb_record_kind kind;
    vb_abort abort; /* of other kinds only r, which may be a whole receipt */
};

vb_err vb_tlog_record_open(const void *bytes, size_t n_bytes, vb_tlog_record **out, vb_error *e) {
    vb_tlog_record *r = malloc(sizeof *r);
    vb_err err;
    if (!r) {
        return vb_fail(e, VB_ENOMEM, "no memory to read a record");
    }
    r->kind = vb_record_kind_of(bytes, n_bytes);
    switch (r->kind) {
    case VB_RECORD_RECEIPT: err = vb_receipt_decode(bytes, n_bytes, &r->abort.r, e); break;
    case VB_RECORD_ABORT: err = vb_abort_decode(bytes, n_bytes, &r->abort, e); break;
    case VB_RECORD_COMMITMENT: err = vb_commitment_decode(bytes, n_bytes, &r->abort.r, e); break;
    default:
        err = vb_fail(e, VB_EFORMAT, "expected a receipt, an abort or a commitment record");
        break;
    }
    if (err) {
        free(r);
        return err;
    }
    *out = r;
    return VB_OK;
}

void vb_tlog_record_close(vb_tlog_record *r) {
    if (r) {
        vb_receipt_free(&r->abort.r);
        free(r);
    }
}

const vb_receipt *vb_tlog_record_committed(const vb_tlog_record *r) {
    return &r->abort.r;
}

vb_err vb_tlog_record_entry(const vb_tlog_record *r, vb_tlog_entry *out, vb_error *e) {
    const vb_receipt *committed = &r->abort.r;
    uint8_t digest[VB_SHA256_BYTES];
    vb_err err = VB_OK;
    if (r->kind == VB_RECORD_RECEIPT) {
        err = vb_receipt_verification_hash(committed, digest, e);
        if (!err) {
            vb_tlog_entry_of_receipt(committed, digest, committed->signature, out);
        }
    } else if (r->kind == VB_RECORD_ABORT) {
        err = vb_abort_digest(&r->abort, digest, e);
        if (!err) {
            vb_tlog_entry_of_abort(committed, r->abort.reason, digest, r->abort.signature, out);
        }
    } else {
        vb_tlog_entry_of_commitment(committed, out);
    }
    return err;
}
