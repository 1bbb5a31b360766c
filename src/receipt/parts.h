/*
 * What a receipt shares with the records around it: request, commitment and prompt, as trees
 * (encode.c) and back (decode.c). Internal to src/receipt, src/tlog and src/witness.
 *
 * The read functions return the first error, or VB_OK; what they allocate belongs to the structure
 * that they fill, also after an error.
 */
#ifndef VB_RECEIPT_PARTS_H
#define VB_RECEIPT_PARTS_H

#include "receipt/build.h"
#include "receipt/receipt.h"
#include "json/json.h"

/* New trees; NULL, or less than whole, after a failure of b. */
json_t *vb_build_request(vb_build *b, const vb_receipt_request *q);
json_t *vb_build_commitment(vb_build *b, const vb_receipt *r);
json_t *vb_build_prompt(vb_build *b, const vb_receipt_prompt *p);

/* doc's member `format` against format, "verbatim.<record>/<version>". VB_EUNSUPPORTED: another
 * version of the same record; VB_EFORMAT: anything else. */
VB_MUST_CHECK vb_err vb_read_format(const json_t *doc, const char *format, vb_error *e);

/* The members `request`, `commitment` and `prompt` of doc. */
VB_MUST_CHECK vb_err vb_read_request(const vb_fields *doc, vb_receipt_request *q);
VB_MUST_CHECK vb_err vb_read_commitment(const vb_fields *doc, vb_receipt *r);
VB_MUST_CHECK vb_err vb_read_prompt(const vb_fields *doc, vb_receipt_prompt *p);

#endif
