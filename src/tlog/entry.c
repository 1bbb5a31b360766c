#include "tlog/entry.h"

#include <inttypes.h>
#include <string.h>

#include "receipt/build.h"
#include "receipt/parts.h"
#include "json/json.h"

/* Names of kinds */

static const char *const kind_names[] = {
    [VB_TLOG_COMMITMENT] = "commitment",
    [VB_TLOG_RECEIPT] = "receipt",
    [VB_TLOG_ABORT] = "abort",
};

const char *vb_tlog_kind_name(vb_tlog_kind kind) {
    bool known = kind >= VB_TLOG_COMMITMENT && kind <= VB_TLOG_ABORT;
    return known ? kind_names[kind] : "unknown";
}

/* From records */

void vb_tlog_entry_of_commitment(const vb_receipt *r, vb_tlog_entry *out) {
    *out = (vb_tlog_entry){.kind = VB_TLOG_COMMITMENT,
                           .sequence = r->request.sequence,
                           .issued_at_ms = r->request.issued_at_ms};
    memcpy(out->commitment, r->commitment, sizeof out->commitment);
    memcpy(out->signature, r->commitment_signature, sizeof out->signature);
    memcpy(out->model_sha256, r->request.model_sha256, sizeof out->model_sha256);
}

void vb_tlog_entry_of_receipt(const vb_receipt *r, const uint8_t verification_hash[VB_SHA256_BYTES],
                              const uint8_t signature[VB_ED25519_SIGNATURE_BYTES],
                              vb_tlog_entry *out) {
    *out = (vb_tlog_entry){.kind = VB_TLOG_RECEIPT, .sequence = r->request.sequence};
    memcpy(out->commitment, r->commitment, sizeof out->commitment);
    memcpy(out->record_sha256, verification_hash, sizeof out->record_sha256);
    memcpy(out->signature, signature, sizeof out->signature);
}

void vb_tlog_entry_of_abort(const vb_receipt *r, vb_abort_reason reason,
                            const uint8_t digest[VB_SHA256_BYTES],
                            const uint8_t signature[VB_ED25519_SIGNATURE_BYTES],
                            vb_tlog_entry *out) {
    vb_tlog_entry_of_receipt(r, digest, signature, out);
    out->kind = VB_TLOG_ABORT;
    out->reason = reason;
}

/* Bytes. The members of each kind, in canonical order. */

static const char *const names_commitment[] = {"commitment",   "format",   "issued_at_ms", "kind",
                                               "model_sha256", "sequence", "signature",    NULL};
static const char *const names_receipt[] = {"commitment", "format",    "kind", "record_sha256",
                                            "sequence",   "signature", NULL};
static const char *const names_abort[] = {"commitment",    "format",   "kind",      "reason",
                                          "record_sha256", "sequence", "signature", NULL};

static vb_err write_entry(const vb_tlog_entry *entry, vb_buf *out, vb_error *e) {
    vb_build b = {VB_OK, e};
    json_t *o = json_object();
    vb_build_put(&b, o, "commitment", vb_build_hex(entry->commitment, sizeof entry->commitment));
    vb_build_put(&b, o, "format", json_string(VB_TLOG_ENTRY_FORMAT));
    vb_build_put(&b, o, "kind", json_string(vb_tlog_kind_name(entry->kind)));
    vb_build_put(&b, o, "sequence", vb_build_decimal(entry->sequence));
    vb_build_put(&b, o, "signature", vb_build_hex(entry->signature, sizeof entry->signature));
    if (entry->kind == VB_TLOG_COMMITMENT) {
        vb_build_put(&b, o, "issued_at_ms", vb_build_decimal(entry->issued_at_ms));
        vb_build_put(&b, o, "model_sha256",
                     vb_build_hex(entry->model_sha256, sizeof entry->model_sha256));
    } else {
        vb_build_put(&b, o, "record_sha256",
                     vb_build_hex(entry->record_sha256, sizeof entry->record_sha256));
    }
    if (entry->kind == VB_TLOG_ABORT) {
        vb_build_put(&b, o, "reason", json_string(vb_abort_reason_name(entry->reason)));
    }
    return vb_build_write(&b, o, out);
}

vb_err vb_tlog_entry_encode(const vb_tlog_entry *entry, vb_buf *out, vb_error *e) {
    vb_buf bytes = vb_buf_make(VB_TLOG_ENTRY_BYTES_MAX);
    vb_tlog_entry back;
    vb_err err = write_entry(entry, &bytes, e);
    if (!err) {
        err = vb_tlog_entry_decode(bytes.data, bytes.len, &back, e);
    }
    if (!err) {
        err = vb_build_copy(&bytes, out, e);
    }
    vb_buf_free(&bytes);
    return err;
}

static void read_reason(vb_fields *f, vb_abort_reason *out) {
    const json_t *v = vb_field(f, "reason");
    int i = VB_ABORT_CANCELLED;
    while (i <= VB_ABORT_LOST && !vb_json_is(v, vb_abort_reason_name((vb_abort_reason)i))) {
        i++;
    }
    if (i > VB_ABORT_LOST) {
        vb_field_fail(f, VB_EFORMAT, "reason", "expected cancelled, beacon, failed or lost");
    } else {
        *out = (vb_abort_reason)i;
    }
}

/* The members that only some kinds have. */
static void read_kind(vb_fields *f, vb_tlog_entry *entry) {
    if (entry->kind == VB_TLOG_COMMITMENT) {
        vb_field_decimal(f, "issued_at_ms", 0, VB_ISSUED_AT_MS_MAX, &entry->issued_at_ms);
        vb_field_hex(f, "model_sha256", entry->model_sha256, sizeof entry->model_sha256);
        return;
    }
    vb_field_hex(f, "record_sha256", entry->record_sha256, sizeof entry->record_sha256);
    if (entry->kind == VB_TLOG_ABORT) {
        read_reason(f, &entry->reason);
    }
}

/* Which members there are follows from the kind, so it is looked at before they are. */
static vb_err read_entry(const json_t *json, vb_tlog_entry *entry, vb_error *e) {
    static const char *const *const names[] = {
        [VB_TLOG_COMMITMENT] = names_commitment,
        [VB_TLOG_RECEIPT] = names_receipt,
        [VB_TLOG_ABORT] = names_abort,
    };
    vb_err err = vb_read_format(json, VB_TLOG_ENTRY_FORMAT, e);
    if (err) {
        return err;
    }
    int kind = VB_TLOG_COMMITMENT;
    while (kind <= VB_TLOG_ABORT && !vb_json_is(json_object_get(json, "kind"), kind_names[kind])) {
        kind++;
    }
    if (kind > VB_TLOG_ABORT) {
        return vb_fail(e, VB_EFORMAT, "kind: expected commitment, receipt or abort");
    }
    entry->kind = (vb_tlog_kind)kind;
    vb_fields f = vb_fields_open(json, "", names[kind], e);
    vb_field_hex(&f, "commitment", entry->commitment, sizeof entry->commitment);
    vb_field_decimal(&f, "sequence", 1, UINT64_MAX, &entry->sequence);
    vb_field_hex(&f, "signature", entry->signature, sizeof entry->signature);
    read_kind(&f, entry);
    return f.err;
}

vb_err vb_tlog_entry_decode(const void *bytes, size_t n_bytes, vb_tlog_entry *out, vb_error *e) {
    if (n_bytes > VB_TLOG_ENTRY_BYTES_MAX) {
        return vb_fail(e, VB_ELIMIT, "%zu bytes; an entry has at most %d", n_bytes,
                       VB_TLOG_ENTRY_BYTES_MAX);
    }
    json_t *json;
    vb_tlog_entry entry = {.kind = VB_TLOG_COMMITMENT};
    vb_err err = vb_json_parse(bytes, n_bytes, &json, e);
    if (err) {
        return err;
    }
    err = read_entry(json, &entry, e);
    json_decref(json);
    if (!err) {
        *out = entry;
    }
    return err;
}

vb_err vb_tlog_entry_check(const vb_tlog_entry *entry, const uint8_t key[VB_ED25519_PUBLIC_BYTES],
                           vb_error *e) {
    uint8_t message[VB_COMMITMENT_MESSAGE_BYTES];
    const void *signed_bytes = entry->record_sha256;
    size_t n_signed = sizeof entry->record_sha256;
    if (entry->kind == VB_TLOG_COMMITMENT) {
        vb_commitment_message(entry->commitment, message);
        signed_bytes = message;
        n_signed = sizeof message;
    }
    vb_err err = vb_ed25519_verify(key, VB_ED25519_PUBLIC_BYTES, signed_bytes, n_signed,
                                   entry->signature, sizeof entry->signature, e);
    if (err == VB_EFORMAT) { /* lengths are fixed here: the key is not one, and signs nothing */
        err = VB_EMISMATCH;
    }
    return err ? vb_fail_in(e, err, "signature of %s %" PRIu64, vb_tlog_kind_name(entry->kind),
                            entry->sequence)
               : VB_OK;
}
