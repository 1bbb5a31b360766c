/*
 * Requests of the OpenAI-compatible API: the body of POST /v1/chat/completions or
 * /v1/completions in, a checked and normalised request out. docs/api.md says for every parameter
 * what is taken, what is ignored and what is refused; nothing that would change the answer is
 * ignored. Pure: what the server decides comes in as vb_api_defaults.
 *
 * Owner: a vb_api_request is caller's memory; what it points to belongs to it until
 * vb_api_request_free. It is large (a kilobyte for each hundred biases): keep it off small stacks.
 * Thread rule: one thread at a time.
 */
#ifndef VB_API_REQUEST_H
#define VB_API_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "api/error.h"
#include "base/limits.h"
#include "base/text.h"
#include "beacon/beacon.h"
#include "sample/sample.h"

typedef enum vb_api_endpoint {
    VB_API_CHAT = 1,       /* /v1/chat/completions */
    VB_API_COMPLETIONS = 2 /* /v1/completions */
} vb_api_endpoint;

/* What holds for a request that does not say otherwise, and what this server allows. */
typedef struct vb_api_defaults {
    double temperature, top_p, min_p;
    uint32_t top_k;
    double presence_penalty, frequency_penalty, repetition_penalty;
    uint32_t chat_max_tokens;       /* 0: as many as the context holds */
    uint32_t completion_max_tokens; /* the same */
    uint32_t choices_max;           /* 1 .. VB_CHOICES_MAX */
    size_t n_vocab;                 /* of the model: what logit_bias and token prompts may name */
    const char *beacon_id;          /* of the server; its local chain's when it has no other */
    vb_beacon_mode mode;            /* that beacon's: NEXT, LATEST or LOCAL */
    const char *fallback;           /* a beacon's id; NULL: none */
    bool make_private;              /* receipts without the prompt */
    bool return_receipt;            /* in the response */
    uint32_t deadline_ms;           /* 0: none */
    uint32_t deadline_ms_max;       /* 1 .. VB_API_DEADLINE_MS_MAX */
} vb_api_defaults;

/* OpenAI's own, where it has the parameter. n_vocab, beacon_id and mode are the server's. */
#define VB_API_DEFAULTS                                                                            \
    {                                                                                              \
        .temperature = 1, .top_p = 1, .repetition_penalty = 1, .completion_max_tokens = 16,        \
        .choices_max = VB_CHOICES_MAX, .deadline_ms_max = VB_API_DEADLINE_MS_MAX                   \
    }

typedef enum vb_api_prompt_kind {
    VB_API_PROMPT_MESSAGES = 1, /* chat */
    VB_API_PROMPT_TEXT,
    VB_API_PROMPT_TOKENS
} vb_api_prompt_kind;

typedef enum vb_api_format {
    VB_API_FORMAT_TEXT = 1,
    VB_API_FORMAT_JSON_OBJECT,
    VB_API_FORMAT_JSON_SCHEMA,
    VB_API_FORMAT_CHOICE /* one of some texts */
} vb_api_format;

typedef enum vb_api_tool_choice {
    VB_API_TOOL_NONE = 1, /* also without tools */
    VB_API_TOOL_AUTO,
    VB_API_TOOL_REQUIRED,
    VB_API_TOOL_NAMED
} vb_api_tool_choice;

typedef struct vb_api_request {
    vb_api_endpoint endpoint;
    json_t *document; /* the body: what is borrowed below is borrowed from it */
    char model[VB_RECEIPT_NAME_BYTES_MAX + 1];

    /* The prompt. */
    vb_api_prompt_kind prompt_kind;
    json_t *messages; /* for the chat template, see below; NULL for completions */
    vb_text text;     /* PROMPT_TEXT */
    uint32_t *tokens; /* PROMPT_TOKENS; each below n_vocab */
    size_t n_tokens;
    bool echo;                      /* completions: the answer begins with the prompt's text */
    const json_t *template_kwargs;  /* object; borrowed; NULL: none */
    const json_t *tools;            /* array of at least one; borrowed; NULL: none */
    vb_api_tool_choice tool_choice; /* not NONE only with tools */
    char tool_name[VB_API_TOOL_NAME_BYTES_MAX + 1]; /* NAMED: one of tools */
    bool parallel_tool_calls;
    vb_api_format format;
    char schema_name[VB_API_TOOL_NAME_BYTES_MAX + 1]; /* JSON_SCHEMA */
    const json_t *schema;                             /* JSON_SCHEMA; borrowed; NULL: any object */
    bool schema_strict;
    const json_t *choice;     /* CHOICE: an array of at least one value; borrowed */
    const char *format_param; /* the member that asks for it; NULL: none does */

    /* The generation. */
    vb_sampling sampling; /* has passed vb_sampling_check */
    uint32_t max_tokens;  /* of one choice; 0: as many as the context holds */
    uint32_t n_choices;
    size_t n_stop_strings;
    vb_text stop_strings[VB_STOP_STRINGS_MAX]; /* each 1 .. VB_STOP_STRING_BYTES_MAX bytes */

    /* The randomness: one of the combinations that a receipt's request allows (spec/receipt.md,
     * section 3), but for mode LOCAL with an empty beacon_id: the server's own local chain. */
    vb_beacon_mode mode;
    char beacon_id[VB_BEACON_ID_BYTES_MAX + 1]; /* "" with a seed */
    char fallback[VB_BEACON_ID_BYTES_MAX + 1];  /* may be used when beacon_id fails; "": none */
    bool has_seed, has_round;
    uint64_t seed, round;
    char nonce[VB_NONCE_BYTES_MAX + 1]; /* "": none */

    /* The response. */
    bool logprobs;
    uint32_t top_logprobs; /* alternatives of each token */
    bool stream;
    bool include_usage; /* stream only */
    bool make_private, return_receipt;
    uint32_t deadline_ms; /* 0: none */
} vb_api_request;

/*
 * The messages are an array of objects as chat templates read them, otherwise as they came:
 * - role is system (developer is renamed to it), user, assistant or tool;
 * - content is one string, parts of type text joined by line feeds; null where an assistant's
 *   message has none;
 * - the arguments of tool_calls are objects, read from the string that OpenAI's API has.
 *
 * out is initialised here, and empty after an error. VB_EINVAL: what the client sent is refused;
 * VB_ENOMEM. *e then has status, parameter and sentence.
 */
VB_MUST_CHECK vb_err vb_api_request_parse(vb_api_endpoint endpoint, const char *body,
                                          size_t n_bytes, const vb_api_defaults *defaults,
                                          vb_api_request *out, vb_api_error *e);
void vb_api_request_free(vb_api_request *r); /* then empty */

#endif
