/*
 * One record in, one line out: a receipt, a commitment or an abort record, whichever the bytes are
 * (spec/receipt.md, sections 4 and 5), checked against what the verifier was told.
 */
#ifndef VB_CLI_FINDING_H
#define VB_CLI_FINDING_H

#include "cli/verification.h"

typedef struct vb_finding {
    vb_record_kind kind;
    vb_verdict verdict;
    vb_reason reason;
    char detail[VB_CHECK_DETAIL_BYTES]; /* of the check that gave the reason; printable */
    bool readable;                      /* the members below are set */
    bool signed_by_key; /* by server_key, which can therefore not disown the record */
    uint8_t server_key[VB_ED25519_PUBLIC_BYTES], commitment[VB_SHA256_BYTES];
    uint8_t record_hash[VB_SHA256_BYTES]; /* of what was signed: equal for equal records */
    uint64_t sequence, issued_at_ms;
    vb_abort_reason abort_reason; /* of an abort */
    uint64_t aborted_at_ms;
} vb_finding;

/* True: a receipt (in r, empty before) whose replay is due (vb_verification_replay), and then
 * vb_finding_end; false: f is whole. Another record than a receipt leaves r and rep alone.
 * one_of_many as for vb_verification_receipt. */
bool vb_finding_begin(vb_verification *v, const void *bytes, size_t n_bytes, bool one_of_many,
                      vb_receipt *r, vb_report *rep, vb_finding *f);

/* Finishes the report. */
void vb_finding_end(const vb_receipt *r, vb_report *rep, vb_finding *f);

/* A file that could not be read. */
void vb_finding_unreadable(vb_reason reason, const char *why, vb_finding *f);

const char *vb_record_kind_name(vb_record_kind k); /* "receipt", ...; "unknown" */

/* The exit status of this verdict alone. */
int vb_finding_exit(const vb_finding *f);

/* One JSON object and a line feed on stdout; one line, or several, of text. */
void vb_finding_print_json(const vb_finding *f, const char *path);
void vb_finding_print_line(const vb_finding *f, const char *path);
void vb_finding_print_text(const vb_finding *f);

#endif
