/*
 * What decides about tokens: sampling parameters, counts, stop strings, logprobs. Reals are rounded
 * once, as spec/sampling.md section 2 has it and as the command line does.
 */
#include <stdlib.h>
#include <string.h>

#include "api/request_parts.h"

static float real32(vb_api_object *body, const char *name, double fallback, double min,
                    double max) {
    vb_api_real(body, name, min, max, &fallback);
    return (float)fallback;
}

static uint64_t fixed_point(vb_api_object *body, const char *name, double fallback) {
    uint64_t out = 0;
    vb_error inner;
    vb_api_real(body, name, 0, 1, &fallback);
    if (!body->err && vb_sampling_fixed_point(fallback, &out, &inner)) {
        vb_api_object_fail(body, name, "invalid_value", "%s", inner.msg);
    }
    return out;
}

static int by_token(const void *a, const void *b) {
    const uint32_t x = ((const vb_logit_bias *)a)->token, y = ((const vb_logit_bias *)b)->token;
    return x < y ? -1 : x > y;
}

/* A token's id as the name of a member: decimal, no sign, no leading zero. Two spellings of one id
 * are therefore one name, which the JSON reader refuses to see twice. */
static bool read_id(const char *s, size_t n_vocab, uint32_t *out) {
    uint64_t v = 0;
    const size_t n = strlen(s);
    if (n == 0 || n > 10 || (s[0] == '0' && n > 1)) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        if (s[i] < '0' || s[i] > '9') {
            return false;
        }
        v = 10 * v + (uint64_t)(s[i] - '0');
    }
    *out = (uint32_t)v;
    return v < n_vocab;
}

static void read_bias(vb_api_object *body, size_t n_vocab, vb_sampling *s) {
    vb_api_object map = vb_api_object_member(body, "logit_bias");
    json_t *o = (json_t *)(uintptr_t)map.json; /* iteration changes nothing */
    if (json_object_size(o) > VB_LOGIT_BIAS_MAX) {
        vb_api_object_fail(body, "logit_bias", "object_above_max_properties",
                           "expected at most %u tokens, found %zu", VB_LOGIT_BIAS_MAX,
                           json_object_size(o));
        return;
    }
    for (void *it = o ? json_object_iter(o) : NULL; it && !map.err;
         it = json_object_iter_next(o, it)) {
        const char *name = json_object_iter_key(it);
        vb_logit_bias *b = &s->bias[s->n_bias];
        double bias = 0;
        if (!read_id(name, n_vocab, &b->token)) {
            vb_api_object_fail(&map, name, "invalid_value",
                               "expected the id of a token, \"0\" to \"%zu\"", n_vocab - 1);
        } else if (!vb_api_real(&map, name, -100, 100, &bias)) {
            vb_api_object_fail(&map, name, "invalid_type", "expected a number, found null");
        }
        b->bias = (float)bias;
        s->n_bias++;
    }
    qsort(s->bias, s->n_bias, sizeof s->bias[0], by_token);
    body->err = map.err;
}

/* vLLM's clients write -1 for off; the spec's 0 is off too. */
static uint32_t read_top_k(vb_api_object *body, uint32_t fallback) {
    int64_t k = fallback;
    vb_api_integer(body, "top_k", -1, VB_MODEL_VOCAB_MAX, &k);
    return k < 0 ? 0 : (uint32_t)k;
}

static void add_stop(vb_api_object *body, const json_t *v, vb_api_request *r) {
    if (!json_is_string(v)) {
        vb_api_object_fail(body, "stop", "invalid_type", "expected strings, found %s",
                           vb_api_type_name(v));
        return;
    }
    const size_t n = json_string_length(v);
    if (n < 1 || n > VB_STOP_STRING_BYTES_MAX) {
        vb_api_object_fail(body, "stop", "invalid_value",
                           "expected strings of 1 to %u bytes, found %zu", VB_STOP_STRING_BYTES_MAX,
                           n);
        return;
    }
    if (vb_text_set(&r->stop_strings[r->n_stop_strings], json_string_value(v), n, NULL)) {
        vb_api_object_starve(body); /* its length and form are known to be good */
        return;
    }
    r->n_stop_strings++;
}

static void read_stop(vb_api_object *body, vb_api_request *r) {
    const json_t *v = vb_api_member(body, "stop");
    if (!v || json_is_string(v)) {
        if (v) {
            add_stop(body, v, r);
        }
        return;
    }
    const json_t *list = vb_api_array(body, "stop", 0, VB_STOP_STRINGS_MAX);
    for (size_t i = 0; list && i < json_array_size(list) && !body->err; i++) {
        add_stop(body, json_array_get(list, i), r);
    }
}

static void read_counts(vb_api_object *body, const vb_api_defaults *d, vb_api_request *r) {
    const bool chat = r->endpoint == VB_API_CHAT;
    r->max_tokens = chat ? d->chat_max_tokens : d->completion_max_tokens;
    bool given = vb_api_u32(body, "max_tokens", 1, VB_MODEL_CTX_TOKENS_MAX, &r->max_tokens);
    if (chat && given && vb_api_member(body, "max_completion_tokens")) {
        vb_api_object_fail(body, "max_tokens", "invalid_value",
                           "the same as 'max_completion_tokens': give one of them");
    }
    if (chat) {
        vb_api_u32(body, "max_completion_tokens", 1, VB_MODEL_CTX_TOKENS_MAX, &r->max_tokens);
    }
    r->n_choices = 1;
    vb_api_u32(body, "n", 1, d->choices_max, &r->n_choices);
    uint32_t best_of = r->n_choices;
    vb_api_u32(body, "best_of", 1, VB_CHOICES_MAX, &best_of);
    if (best_of != r->n_choices) {
        vb_api_object_fail(body, "best_of", "unsupported_value",
                           "expected %u as 'n': every answer that is drawn is returned",
                           r->n_choices);
    }
}

static void read_logprobs(vb_api_object *body, vb_api_request *r) {
    if (r->endpoint == VB_API_COMPLETIONS) {
        r->logprobs =
            vb_api_u32(body, "logprobs", 0, VB_API_COMPLETION_LOGPROBS_MAX, &r->top_logprobs);
        if (r->logprobs && r->echo) {
            vb_api_object_fail(body, "logprobs", "unsupported_value",
                               "not together with 'echo': only generated tokens have logprobs");
        }
        return;
    }
    vb_api_bool(body, "logprobs", &r->logprobs);
    if (vb_api_u32(body, "top_logprobs", 0, VB_API_TOP_LOGPROBS_MAX, &r->top_logprobs) &&
        !r->logprobs) {
        vb_api_object_fail(body, "top_logprobs", "invalid_value",
                           "allowed only when 'logprobs' is true");
    }
}

void vb_api_read_sampling(vb_api_object *body, const vb_api_defaults *d, vb_api_request *r) {
    vb_sampling *s = &r->sampling;
    vb_sampling_default(s);
    s->temperature = real32(body, "temperature", d->temperature, 0, 100);
    s->top_k = read_top_k(body, d->top_k);
    s->top_p = fixed_point(body, "top_p", d->top_p);
    s->top_p = s->top_p ? s->top_p : 1;
    s->min_p = fixed_point(body, "min_p", d->min_p);
    s->presence_penalty = real32(body, "presence_penalty", d->presence_penalty, -2, 2);
    s->frequency_penalty = real32(body, "frequency_penalty", d->frequency_penalty, -2, 2);
    s->repetition_penalty = real32(body, "repetition_penalty", d->repetition_penalty, 0.01, 100);
    read_bias(body, d->n_vocab, s);
    read_counts(body, d, r);
    read_stop(body, r);
    read_logprobs(body, r);
    vb_error inner;
    if (!body->err && vb_sampling_check(s, d->n_vocab, &inner)) {
        vb_api_object_fail(body, "", "invalid_value", "%s", inner.msg);
    }
}
