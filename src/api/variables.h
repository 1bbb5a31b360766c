/*
 * The prompt of a chat as a receipt states it: plain messages, or the variables of the chat
 * template as one JSON object (spec/receipt.md section 3, prompts of kind `template`). Pure.
 */
#ifndef VB_API_VARIABLES_H
#define VB_API_VARIABLES_H

#include "api/error.h"
#include "api/request.h"
#include "base/text.h"

/* Whether messages of role and text, of system, user and assistant, are all that the template gets
 * of a chat. Tools are among it unless tool_choice is none. */
bool vb_api_is_plain_chat(const vb_api_request *q);

/* Else: *out becomes {"messages": [...], "tools": [...], ...} with the variables of
 * chat_template_kwargs, members in the client's order. VB_ENOMEM. */
VB_MUST_CHECK vb_err vb_api_variables(const vb_api_request *q, vb_text *out, vb_api_error *e);

/* Contents that are null, of assistants that only called tools, become empty texts; whether there
 * were any. Templates differ: some ask whether a content is null, some can not read null.
 * VB_ENOMEM.
 */
VB_MUST_CHECK vb_err vb_api_fill_contents(vb_api_request *q, bool *changed, vb_api_error *e);

#endif
