/*
 * Members that whole responses and chunks share. Internal to src/api. Pure.
 */
#ifndef VB_API_RESPONSE_PARTS_H
#define VB_API_RESPONSE_PARTS_H

#include "api/response.h"
#include "api/writer.h"

void vb_api_write_head(vb_api_writer *w, const vb_api_head *h, const char *object);
void vb_api_write_fingerprint(vb_api_writer *w, const vb_api_head *h);
void vb_api_write_usage(vb_api_writer *w, const vb_api_usage *usage);
void vb_api_write_proof(vb_api_writer *w, const vb_api_proof *proof); /* nothing for NULL */
/* The values of "logprobs". */
void vb_api_write_chat_logprobs(vb_api_writer *w, const vb_api_logprobs *l);
void vb_api_write_completion_logprobs(vb_api_writer *w, const vb_api_logprobs *l);
/* A text member. */
void vb_api_write_member(vb_api_writer *w, const char *name, const char *value);
/* The members of a call after its index. */
void vb_api_write_call(vb_api_writer *w, const vb_api_call *call);

#endif
