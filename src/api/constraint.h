/*
 * From a request's response_format and tool_choice to the constraint that the text of its answer is
 * held to (spec/constraints.md), and from what is wrong with a constraint back to the member of the
 * request that asked for it. Pure.
 */
#ifndef VB_API_CONSTRAINT_H
#define VB_API_CONSTRAINT_H

#include "api/error.h"
#include "api/message.h"
#include "api/request.h"
#include "base/text.h"

/*
 * *out becomes the constraint in canonical JSON; absent when the text is free.
 * - response_format: the JSON object or the schema that it asks for.
 * - tool_choice that names a function: the schema of its parameters; the text is the arguments.
 * - tool_choice required: one object with the name of a function and its arguments, in the members
 *   of `form`.
 * VB_EINVAL: the request asks for what no constraint can say; VB_ENOMEM. */
VB_MUST_CHECK vb_err vb_api_constraint(const vb_api_request *q, vb_tool_form form, vb_text *out,
                                       vb_api_error *e);

/* What the client is told when the constraint could not be compiled: err and inner as
 * vb_receipt_grammar gave them. Returns err. */
vb_err vb_api_constraint_fail(const vb_api_request *q, vb_err err, const vb_error *inner,
                              vb_api_error *e);

#endif
