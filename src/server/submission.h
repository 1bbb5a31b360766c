/*
 * What is sent to POST /v1/verify: a receipt, as it stands, or an object with the receipt and what
 * was given apart from it:
 *   {"receipt": {...}, "prompt": {...}}     a private receipt and its prompt record
 *   {"receipt": {...}, "opening": {...}}    an opening of the receipt, beside either
 * Members of such an object are taken in their canonical form, which is the only one that a record
 * has; of a body that is a receipt, whether it is canonical is for the checks to say. Pure.
 *
 * Owner: caller's memory; what it points to belongs to it or to the body, until vb_submission_free.
 */
#ifndef VB_SERVER_SUBMISSION_H
#define VB_SERVER_SUBMISSION_H

#include "base/bytes.h"
#include "receipt/records.h"

typedef struct vb_submission {
    const uint8_t *receipt; /* of the body, or receipt_bytes */
    size_t n_receipt;
    vb_buf receipt_bytes, opening;
    bool has_prompt, has_opening;
    vb_receipt_prompt prompt; /* has_prompt */
} vb_submission;

/* VB_EFORMAT or VB_ELIMIT name the member; VB_ENOMEM. out is to be freed in any case. */
VB_MUST_CHECK vb_err vb_submission_read(const uint8_t *body, size_t n_bytes, vb_submission *out,
                                        vb_error *e);
void vb_submission_free(vb_submission *b);

#endif
