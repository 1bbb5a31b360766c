/*
 * Responses of the OpenAI-compatible API: JSON bodies and the events of a stream, with the members
 * and the order that OpenAI has, and our own `verbatim` and `theta_verified`, which OpenAI's
 * clients pass over. docs/api.md shows each. Pure: ids and times are parameters.
 *
 * Everything is appended to out, which may hold as much as the caller lets it: VB_ELIMIT beyond,
 * VB_ENOMEM; out then ends anywhere. Nothing is kept. Texts are UTF-8; what is not is shown as
 * U+FFFD.
 */
#ifndef VB_API_RESPONSE_H
#define VB_API_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "api/request.h"
#include "base/bytes.h"
#include "base/error.h"
#include "gguf/gguf.h"
#include "receipt/receipt.h"

/* What every body and every chunk of one answer begins with. */
typedef struct vb_api_head {
    vb_api_endpoint endpoint; /* decides the shapes below */
    const char *id;           /* "chatcmpl-...", "cmpl-..." */
    uint64_t created_s;       /* unix */
    const char *model;
    const char *system_fingerprint; /* NULL: no member */
} vb_api_head;

typedef struct vb_api_usage {
    uint64_t prompt_tokens, completion_tokens;
    uint64_t cached_tokens;    /* of the prompt: not computed again */
    uint64_t reasoning_tokens; /* of the completion */
} vb_api_usage;

/* A token that was drawn, or could have been. */
typedef struct vb_api_token {
    vb_str bytes;       /* what it decodes to: may be a part of a character */
    double logprob;     /* natural; what is below -9999, minus infinity too, is shown as -9999 */
    size_t text_offset; /* completions: characters of the text before it */
    const struct vb_api_token *top; /* likeliest first; their own top is not looked at */
    size_t n_top;                   /* up to VB_API_TOP_LOGPROBS_MAX */
} vb_api_token;

typedef struct vb_api_logprobs { /* p NULL: null */
    const vb_api_token *p;
    size_t n;
} vb_api_logprobs;

typedef struct vb_api_call {
    const char *id; /* "call_..." */
    vb_str name;
    vb_str arguments; /* JSON, which goes into a string */
} vb_api_call;

/* One finished choice. Completions have content and no reasoning or calls. */
typedef struct vb_api_choice {
    vb_str content;   /* null when it is empty and there are calls */
    vb_str reasoning; /* empty: no member */
    const vb_api_call *calls;
    size_t n_calls;
    vb_api_logprobs logprobs;
    const char *finish_reason; /* "stop", "length", "tool_calls" */
} vb_api_choice;

/* The log that the answer's commitment and record are promised to be in (spec/log.md). */
typedef struct vb_api_log {
    const char *origin, *key; /* key: a verifier key */
    const char *url_path;
    uint64_t publish_within_s;
} vb_api_log;

/* The member "verbatim". */
typedef struct vb_api_proof {
    const vb_receipt *receipt;        /* its request and commitment are looked at */
    const uint8_t *verification_hash; /* [32]; NULL: it is not made yet */
    vb_str receipt_json;              /* canonical; empty: not asked for */
    vb_str prompt_json;               /* the same, of a private receipt; empty: it is not private */
    vb_str theta_section;             /* "theta_verified" (vb_theta_section_append); empty: none */
    const vb_api_log *log;            /* NULL: there is none */
} vb_api_proof;

/* proof may be NULL. Choices are in order. */
VB_MUST_CHECK vb_err vb_api_response_append(const vb_api_head *h, const vb_api_choice *choices,
                                            size_t n_choices, const vb_api_usage *usage,
                                            const vb_api_proof *proof, vb_buf *out);

/* What one chunk of a stream adds to one choice. */
typedef struct vb_api_delta {
    size_t choice;
    bool role;               /* chat: the first chunk of the choice: the role, and empty content */
    vb_str content;          /* p NULL: no member (chat); empty text (completions) */
    vb_str reasoning;        /* chat; p NULL: no member */
    const vb_api_call *call; /* chat; NULL: none */
    size_t call_index;
    vb_api_logprobs logprobs;
    const char *finish_reason; /* NULL: null */
} vb_api_delta;

/* One event of a stream. with_usage: the stream ends with a chunk of usage, so that others say
 * "usage": null. proof (NULL: no member) stands in the first chunk of the stream, without
 * verification_hash, and in the last one. */
VB_MUST_CHECK vb_err vb_api_chunk_append(const vb_api_head *h, const vb_api_delta *delta,
                                         bool with_usage, const vb_api_proof *proof, vb_buf *out);
VB_MUST_CHECK vb_err vb_api_usage_chunk_append(const vb_api_head *h, const vb_api_usage *usage,
                                               const vb_api_proof *proof, vb_buf *out);
VB_MUST_CHECK vb_err vb_api_error_event_append(const vb_api_error *e, vb_buf *out);
VB_MUST_CHECK vb_err vb_api_done_append(vb_buf *out); /* data: [DONE] */

/* GET /v1/models and /v1/models/{id}. */
typedef struct vb_api_model {
    const char *id;
    uint64_t created_s;
    const char *owned_by;
    const uint8_t *sha256; /* [32]: the model's digest, in "verbatim" */
    uint32_t ctx_tokens;   /* "max_model_len", as vLLM has it */
} vb_api_model;

VB_MUST_CHECK vb_err vb_api_model_append(const vb_api_model *model, vb_buf *out);
VB_MUST_CHECK vb_err vb_api_models_append(const vb_api_model *models, size_t n_models, vb_buf *out);

/* POST /tokenize: {"count","max_model_len","tokens"}; POST /detokenize: {"prompt"}. */
VB_MUST_CHECK vb_err vb_api_tokens_append(const uint32_t *tokens, size_t n_tokens,
                                          uint32_t ctx_tokens, vb_buf *out);
VB_MUST_CHECK vb_err vb_api_detokenized_append(vb_str text, vb_buf *out);

#endif
