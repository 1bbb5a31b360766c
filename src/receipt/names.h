/*
 * The members of every object of a receipt and of the records around it.
 */
#ifndef VB_RECEIPT_NAMES_H
#define VB_RECEIPT_NAMES_H

#include "receipt/receipt.h"

extern const char *const vb_names_receipt[];
extern const char *const vb_names_beacon[];
extern const char *const vb_names_commitment[];
extern const char *const vb_names_engine[];
extern const char *const vb_names_message[];
extern const char *const vb_names_model[];
extern const char *const vb_names_output[];
extern const char *const vb_names_prompt[];
extern const char *const vb_names_request[];
extern const char *const vb_names_request_beacon[];
extern const char *const vb_names_sampling[];
extern const char *const vb_names_stop[];
extern const char *const vb_names_usage[];

/* The records around a receipt. */
extern const char *const vb_names_abort[];
extern const char *const vb_names_commitment_record[];
extern const char *const vb_names_opening[];
extern const char *const vb_names_prompt_record[];

vb_finish vb_finish_of_name(const char *name);           /* 0: none */
vb_prompt_kind vb_prompt_kind_of_name(const char *name); /* 0: none */

#endif
