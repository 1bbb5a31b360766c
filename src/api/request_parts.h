/*
 * The parts of reading a request, one file each. Each reads members of body, which stays failed
 * after an error, and writes to r. Internal to src/api. Pure.
 */
#ifndef VB_API_REQUEST_PARTS_H
#define VB_API_REQUEST_PARTS_H

#include "api/read.h"
#include "api/request.h"

/* params.c: every member is known, and none is one that this server refuses. */
void vb_api_read_names(vb_api_object *body, vb_api_endpoint endpoint);

/* sampling.c: sampling, max_tokens, n, stop, logprobs. */
void vb_api_read_sampling(vb_api_object *body, const vb_api_defaults *d, vb_api_request *r);

/* messages.c. values_left: of the JSON inside strings, as vb_api_parse. */
void vb_api_read_messages(vb_api_object *body, size_t *values_left, vb_api_request *r);

/* prompt.c: the prompt of a completion, and echo. */
void vb_api_read_prompt(vb_api_object *body, const vb_api_defaults *d, vb_api_request *r);

/* tools.c: tools, tool_choice, parallel_tool_calls, chat_template_kwargs. */
void vb_api_read_tools(vb_api_object *body, vb_api_request *r);
/* The member "name", which o must have, of a function or a schema. */
bool vb_api_tool_name(vb_api_object *o, char out[VB_API_TOOL_NAME_BYTES_MAX + 1]);
bool vb_api_is_tool_name(const char *p, size_t n_bytes);

/* format.c: response_format, structured_outputs. */
void vb_api_read_format(vb_api_object *body, vb_api_request *r);

/* extension.c: seed and the member "verbatim". */
void vb_api_read_extension(vb_api_object *body, const vb_api_defaults *d, vb_api_request *r);

/* Every member of o is one of names (ended by NULL); null members are passed over. */
void vb_api_only(vb_api_object *o, const char *const *names);

#endif
