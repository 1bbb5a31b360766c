#include "receipt/names.h"

#include <string.h>

const char *const vb_names_receipt[] = {"beacon",  "commitment", "engine",  "format",
                                        "id",      "model",      "outputs", "prompt",
                                        "request", "signature",  "usage",   NULL};
const char *const vb_names_beacon[] = {"proof", "randomness", "round", NULL};
const char *const vb_names_commitment[] = {"signature", "value", NULL};
const char *const vb_names_engine[] = {"tier", "version", NULL};
const char *const vb_names_message[] = {"content", "role", NULL};
const char *const vb_names_model[] = {"architecture", "file_type", "name", "parameters", NULL};
const char *const vb_names_output[] = {"finish_reason", "seed",       "text", "text_sha256",
                                       "tokens",        "trace_root", NULL};
const char *const vb_names_prompt[] = {"date", "kind",   "messages", "template_sha256",
                                       "text", "tokens", NULL};
const char *const vb_names_request[] = {
    "arithmetic",    "beacon",     "choices",      "constraint", "ctx_tokens",
    "issued_at_ms",  "max_tokens", "model_sha256", "nonce",      "prompt_sha256",
    "prompt_tokens", "sampling",   "seed",         "sequence",   "server_key",
    "stop",          NULL};
const char *const vb_names_request_beacon[] = {"fallback_from", "id", "mode", "round", NULL};
const char *const vb_names_sampling[] = {"frequency_penalty",
                                         "logit_bias",
                                         "min_p_q32",
                                         "presence_penalty",
                                         "repetition_penalty",
                                         "temperature",
                                         "top_k",
                                         "top_p_q32",
                                         NULL};
const char *const vb_names_stop[] = {"strings", "tokens", NULL};
const char *const vb_names_usage[] = {"completion_tokens", "prompt_tokens", NULL};

const char *const vb_names_abort[] = {"aborted_at_ms", "commitment", "format", "reason",
                                      "request",       "signature",  NULL};
const char *const vb_names_commitment_record[] = {"commitment", "format", "request", NULL};
const char *const vb_names_opening[] = {"choice", "format",   "logit",  "logits",
                                        "path",   "position", "rank",   "receipt",
                                        "token",  "total",    "weight", NULL};
const char *const vb_names_prompt_record[] = {"format", "prompt", NULL};

const char *vb_finish_name(vb_finish f) {
    switch (f) {
    case VB_FINISH_STOP: return "stop";
    case VB_FINISH_LENGTH: return "length";
    }
    return "unknown";
}

const char *vb_prompt_kind_name(vb_prompt_kind k) {
    switch (k) {
    case VB_PROMPT_TOKENS: return "tokens";
    case VB_PROMPT_TEXT: return "text";
    case VB_PROMPT_CHAT: return "chat";
    case VB_PROMPT_TEMPLATE: return "template";
    }
    return "unknown";
}

vb_finish vb_finish_of_name(const char *name) {
    for (int f = VB_FINISH_STOP; f <= VB_FINISH_LENGTH; f++) {
        if (strcmp(name, vb_finish_name((vb_finish)f)) == 0) {
            return (vb_finish)f;
        }
    }
    return (vb_finish)0;
}

vb_prompt_kind vb_prompt_kind_of_name(const char *name) {
    for (int k = VB_PROMPT_TOKENS; k <= VB_PROMPT_TEMPLATE; k++) {
        if (strcmp(name, vb_prompt_kind_name((vb_prompt_kind)k)) == 0) {
            return (vb_prompt_kind)k;
        }
    }
    return (vb_prompt_kind)0;
}
