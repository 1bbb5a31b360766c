/*
 * The section `theta_verified` of an answer drawn with a Theta beacon (spec/receipt.md, section
 * 5.5): what Theta's own readers look at. It says less than the receipt and follows from it. Pure.
 */
#ifndef VB_RECEIPT_THETA_SECTION_H
#define VB_RECEIPT_THETA_SECTION_H

#include <stdint.h>

#include "receipt/receipt.h"

/* Appends the object that stands after "theta_verified":. verification_hash is r's. VB_EINVAL: r's
 * beacon is not of kind theta. VB_EFORMAT: its proof lacks the block's hash or timestamp, or its
 * randomness has not 32 bytes.
 * VB_EMISMATCH: block and randomness do not belong together. */
VB_MUST_CHECK vb_err vb_theta_section_append(const vb_receipt *r,
                                             const uint8_t verification_hash[VB_SHA256_BYTES],
                                             vb_buf *out, vb_error *e);

#endif
