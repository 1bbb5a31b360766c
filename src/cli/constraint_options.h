/*
 * The options that hold an answer's text to a constraint (run, chat; spec/constraints.md), under
 * the names that other programs have for them.
 *
 * Owner: zeroed at first; read/close. Thread rule: one thread at a time.
 */
#ifndef VB_CLI_CONSTRAINT_OPTIONS_H
#define VB_CLI_CONSTRAINT_OPTIONS_H

#include "cli/app.h"
#include "grammar/grammar.h"
#include "receipt/receipt.h"

typedef struct vb_constraint_options {
    bool json_object;
    const char *schema, *schema_file; /* NULL: not given */
    vb_opt_list choices;
    vb_text constraint;        /* read by vb_constraint_read; p NULL: none */
    vb_vocabulary *vocabulary; /* made by vb_constraint_fill; NULL: none is needed */
} vb_constraint_options;

void vb_constraint_options_add(vb_constraint_options *c, vb_opt_table *t);

/* What the options say, before the model is loaded. Errors as vb_grammar_check's, and VB_EINVAL
 * when more than one constraint is given. */
VB_MUST_CHECK vb_err vb_constraint_read(vb_constraint_options *c, vb_error *e);

/* Puts it into a request; with a loaded model, whose vocabulary is indexed the first time. */
VB_MUST_CHECK vb_err vb_constraint_fill(vb_constraint_options *c, const vb_app *a,
                                        vb_receipt_request *q, vb_error *e);

void vb_constraint_close(vb_constraint_options *c);

#endif
