/*
 * What the load generator asks for, the same of the server and of the engine alone: prompts of four
 * lengths that begin alike, answers of one length whose end tokens are biased away.
 *
 * Owner: model and tokenizer are opened and closed with the workload. Thread rule: read-only
 * after vb_workload_open.
 */
#ifndef VB_BENCH_SERVER_WORKLOAD_H
#define VB_BENCH_SERVER_WORKLOAD_H

#include "base/bytes.h"
#include "model/model.h"
#include "sample/sample.h"
#include "tokenizer/tokenizer.h"

/* The longest prompt has one full page of the KV cache that it shares with all its like. */
enum { VB_WORKLOAD_PROMPT_MAX = 288, VB_WORKLOAD_OWN_TOKENS = 8 };

typedef struct vb_workload {
    const char *path;
    int n_threads;
    size_t answer_tokens;
    vb_gguf *gguf;
    vb_model *model;
    vb_tokenizer *tokenizer;
    vb_sampling sampling; /* temperature 1; no end of generation */
} vb_workload;

/* path, n_threads and answer_tokens are set by the caller. */
VB_MUST_CHECK vb_err vb_workload_open(vb_workload *w, vb_error *e);
void vb_workload_close(vb_workload *w);

/* The prompt of one request; its length in tokens. */
size_t vb_workload_prompt(const vb_workload *w, size_t stream, size_t round,
                          uint32_t out[VB_WORKLOAD_PROMPT_MAX]);
/* The tokens of its answer. The first answers have different lengths, so that streams which begin
 * together do not go in step for ever. */
size_t vb_workload_answer_tokens(const vb_workload *w, size_t stream, size_t n_streams,
                                 size_t round);

typedef struct vb_request_form {
    size_t answer_tokens, n_choices, n_logprobs;
    bool has_seed; /* it waits for no beacon */
} vb_request_form;

/* The same request for /v1/completions, streamed. */
VB_MUST_CHECK vb_err vb_workload_body(const vb_workload *w, const uint32_t *prompt, size_t n_prompt,
                                      const vb_request_form *form, vb_buf *out);

#endif
