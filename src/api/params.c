/*
 * The members of a request's body, one row each: taken, accepted without effect, or refused with
 * the reason. A member that is not here is refused too; one that is null counts as absent.
 */
#include <string.h>

#include "api/request_parts.h"

enum { CHAT = VB_API_CHAT, TEXT = VB_API_COMPLETIONS, BOTH = CHAT | TEXT };

typedef enum treatment { TAKEN, IGNORED_STRING, IGNORED_BOOL, IGNORED_OBJECT, REFUSED } treatment;

typedef struct param {
    const char *name;
    int endpoints;
    treatment treatment;
    const char *reason; /* REFUSED */
} param;

static const param params[] = {
    {"model", BOTH, TAKEN, NULL},
    {"messages", CHAT, TAKEN, NULL},
    {"prompt", TEXT, TAKEN, NULL},
    {"echo", TEXT, TAKEN, NULL},
    {"best_of", TEXT, TAKEN, NULL},
    {"max_tokens", BOTH, TAKEN, NULL},
    {"max_completion_tokens", CHAT, TAKEN, NULL},
    {"temperature", BOTH, TAKEN, NULL},
    {"top_p", BOTH, TAKEN, NULL},
    {"top_k", BOTH, TAKEN, NULL},
    {"min_p", BOTH, TAKEN, NULL},
    {"n", BOTH, TAKEN, NULL},
    {"stop", BOTH, TAKEN, NULL},
    {"seed", BOTH, TAKEN, NULL},
    {"presence_penalty", BOTH, TAKEN, NULL},
    {"frequency_penalty", BOTH, TAKEN, NULL},
    {"repetition_penalty", BOTH, TAKEN, NULL},
    {"logit_bias", BOTH, TAKEN, NULL},
    {"logprobs", BOTH, TAKEN, NULL},
    {"top_logprobs", CHAT, TAKEN, NULL},
    {"stream", BOTH, TAKEN, NULL},
    {"stream_options", BOTH, TAKEN, NULL},
    {"response_format", BOTH, TAKEN, NULL},
    {"structured_outputs", BOTH, TAKEN, NULL},
    {"tools", CHAT, TAKEN, NULL},
    {"tool_choice", CHAT, TAKEN, NULL},
    {"parallel_tool_calls", CHAT, TAKEN, NULL},
    {"chat_template_kwargs", CHAT, TAKEN, NULL},
    {"modalities", CHAT, TAKEN, NULL},
    {"verbatim", BOTH, TAKEN, NULL},
    /* What OpenAI does with these leaves the text of an answer as it is. */
    {"user", BOTH, IGNORED_STRING, NULL},
    {"safety_identifier", CHAT, IGNORED_STRING, NULL},
    {"service_tier", CHAT, IGNORED_STRING, NULL},
    {"prompt_cache_key", CHAT, IGNORED_STRING, NULL},
    {"prompt_cache_retention", CHAT, IGNORED_STRING, NULL},
    {"store", CHAT, IGNORED_BOOL, NULL},
    {"metadata", CHAT, IGNORED_OBJECT, NULL},
    {"prediction", CHAT, IGNORED_OBJECT, NULL},
    /* These would change the answer, and can not be had here. */
    {"audio", CHAT, REFUSED, "this server answers with text only"},
    {"web_search_options", CHAT, REFUSED, "this server does not search"},
    {"functions", CHAT, REFUSED, "give tools instead"},
    {"function_call", CHAT, REFUSED, "give tool_choice instead"},
    {"reasoning_effort", CHAT, REFUSED,
     "give what the model's template asks for in chat_template_kwargs"},
    {"verbosity", CHAT, REFUSED, "the model has no such setting"},
    {"suffix", TEXT, REFUSED, "text can not be inserted before a suffix"},
    {"use_beam_search", BOTH, REFUSED, "tokens are drawn, not searched for"},
    {"length_penalty", BOTH, REFUSED, "tokens are drawn, not searched for"},
    {"guided_json", BOTH, REFUSED, "give structured_outputs instead"},
    {"guided_choice", BOTH, REFUSED, "give structured_outputs instead"},
    {"guided_regex", BOTH, REFUSED, "regular expressions are no constraints here"},
    {"guided_grammar", BOTH, REFUSED, "grammars are no constraints here; give a JSON Schema"},
    {"grammar", BOTH, REFUSED, "grammars are no constraints here; give a JSON Schema"},
    {"logits_processors", BOTH, REFUSED, "only what a receipt can say may change logits"},
    {"ignore_eos", BOTH, REFUSED, "an answer ends where the model ends it"},
    {"min_tokens", BOTH, REFUSED, "an answer ends where the model ends it"},
    {"prompt_logprobs", BOTH, REFUSED, "only generated tokens have logprobs"},
};

/* Clients spell out the values that ask for nothing. */
static bool asks_for_nothing(const char *name, const json_t *value) {
    const bool is_empty = json_is_string(value) && json_string_length(value) == 0;
    return json_is_null(value) || (is_empty && strcmp(name, "suffix") == 0);
}

static void read_name(vb_api_object *body, vb_api_endpoint endpoint, const char *name,
                      const json_t *value) {
    const param *p = params, *end = params + sizeof params / sizeof params[0];
    while (p < end && !((p->endpoints & (int)endpoint) && strcmp(p->name, name) == 0)) {
        p++;
    }
    if (p == end) {
        vb_api_object_fail(body, name, "unknown_parameter", "there is no such parameter here");
        return;
    }
    const char *expected = NULL;
    switch (p->treatment) {
    case TAKEN: return;
    case IGNORED_STRING: expected = json_is_string(value) ? NULL : "a string"; break;
    case IGNORED_BOOL: expected = json_is_boolean(value) ? NULL : "a boolean"; break;
    case IGNORED_OBJECT: expected = json_is_object(value) ? NULL : "an object"; break;
    case REFUSED:
        vb_api_object_fail(body, name, "unsupported_parameter", "not supported; %s", p->reason);
        return;
    }
    if (expected) {
        vb_api_object_fail(body, name, "invalid_type", "expected %s, found %s", expected,
                           vb_api_type_name(value));
    }
}

void vb_api_read_names(vb_api_object *body, vb_api_endpoint endpoint) {
    json_t *o = (json_t *)(uintptr_t)body->json; /* iteration changes nothing */
    for (void *it = json_object_iter(o); it && !body->err; it = json_object_iter_next(o, it)) {
        const char *name = json_object_iter_key(it);
        const json_t *value = json_object_iter_value(it);
        if (!asks_for_nothing(name, value)) {
            read_name(body, endpoint, name, value);
        }
    }
}

void vb_api_only(vb_api_object *o, const char *const *names) {
    json_t *json = (json_t *)(uintptr_t)o->json; /* iteration changes nothing */
    for (void *it = o->err ? NULL : json_object_iter(json); it && !o->err;
         it = json_object_iter_next(json, it)) {
        const char *name = json_object_iter_key(it);
        size_t i = 0;
        while (names[i] && strcmp(names[i], name) != 0) {
            i++;
        }
        if (!names[i] && !json_is_null(json_object_iter_value(it))) {
            vb_api_object_fail(o, name, "unknown_parameter", "there is no such parameter here");
        }
    }
}
