/*
 * Witnesses' statements beside a receipt, as `verbatim verify` takes them: --quorum, --statements.
 *
 * Owner: begin/end; zeroed at first. Thread rule: one thread at a time.
 */
#ifndef VB_CLI_QUORUM_OPTIONS_H
#define VB_CLI_QUORUM_OPTIONS_H

#include "cli/options.h"
#include "cli/verification.h"

typedef struct vb_quorum_options {
    uint64_t k;
    bool k_given;
    vb_opt_list statements;
} vb_quorum_options;

void vb_quorum_options_add(vb_quorum_options *o, vb_opt_table *t);

/* Whether anything was said of witnesses. */
bool vb_quorum_options_given(const vb_quorum_options *o, vb_level level);

/* After vb_verification_begin: reads the statements, and at level quorum says how many witnesses it
 * takes. v->quorum is then v's to close. VB_EINVAL: the trust file lists no witnesses, or fewer
 * than are to confirm, or nobody says how many. */
VB_MUST_CHECK vb_err vb_quorum_options_begin(const vb_quorum_options *o, vb_verification *v,
                                             vb_error *e);

#endif
