/*
 * Openings (spec/receipt.md, section 5.4): the distribution that one token of an answer was drawn
 * from, with the path that ties it to the receipt's trace root. This is its form alone; whether it
 * belongs to a receipt, and whether its numbers are those of the logits, is for the layer verify.
 * Pure.
 *
 * Owner: a vb_opening is caller's memory; logits and path are malloc'd and belong to it until
 * vb_opening_free. Thread rule: one thread at a time.
 */
#ifndef VB_RECEIPT_OPENING_H
#define VB_RECEIPT_OPENING_H

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/limits.h"
#include "crypto/sha256.h"
#include "receipt/trace.h"

#define VB_OPENING_FORMAT "verbatim.opening/1"

typedef struct vb_opening {
    uint8_t receipt[VB_SHA256_BYTES]; /* its verification_hash */
    uint32_t choice;                  /* < VB_CHOICES_MAX */
    uint64_t position;                /* t; < VB_MODEL_CTX_TOKENS_MAX */
    uint32_t token;                   /* < n_logits */
    float *logits;                    /* [n_logits], all finite */
    size_t n_logits;                  /* 1 .. VB_MODEL_VOCAB_MAX */
    uint8_t (*path)[VB_SHA256_BYTES]; /* [n_path], from the leaf up */
    size_t n_path;                    /* 0 .. VB_TRACE_PROOF_MAX */
    float logit;                      /* at most 2^53 in magnitude, as every number in our JSON */
    uint64_t rank;                    /* 1 .. n_logits */
    uint64_t weight, total;
} vb_opening;

/* Appends the canonical JSON of the opening, as its decoder has read it back. */
VB_MUST_CHECK vb_err vb_opening_encode(const vb_opening *o, vb_buf *out, vb_error *e);

/* Strict: VB_EFORMAT names the member; VB_ELIMIT, VB_ENOMEM; VB_EUNSUPPORTED: another version. out
 * is initialised here; on error it is empty. */
VB_MUST_CHECK vb_err vb_opening_decode(const void *bytes, size_t n_bytes, vb_opening *out,
                                       vb_error *e);

void vb_opening_free(vb_opening *o); /* then empty */

#endif
