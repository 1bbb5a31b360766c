#include "cli/request.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/system.h"
#include "verify/prompt.h"

void vb_request_options_add(vb_request_options *q, vb_opt_table *t) {
    const vb_opt rows[] = {
        {'n', "tokens", VB_OPT_UINT, &q->max_tokens, "N", "most tokens of an answer (default 512)",
         1, VB_MODEL_CTX_TOKENS_MAX, NULL},
        {0, "temp", VB_OPT_REAL, &q->temperature, "T", "temperature; 0 is greedy (default 0.8)", 0,
         100, NULL},
        {0, "top-k", VB_OPT_UINT, &q->top_k, "K", "keep the K most likely tokens (default 0: all)",
         0, VB_MODEL_VOCAB_MAX, NULL},
        {0, "top-p", VB_OPT_REAL, &q->top_p, "P",
         "keep the likeliest tokens that reach P (default 0.95)", 1e-9, 1, NULL},
        {0, "min-p", VB_OPT_REAL, &q->min_p, "P",
         "drop tokens below P times the likeliest (default 0)", 0, 1, NULL},
        {0, "presence-penalty", VB_OPT_REAL, &q->presence_penalty, "X",
         "against tokens that occurred (default 0)", -2, 2, NULL},
        {0, "frequency-penalty", VB_OPT_REAL, &q->frequency_penalty, "X",
         "the same, per occurrence (default 0)", -2, 2, NULL},
        {0, "repetition-penalty", VB_OPT_REAL, &q->repetition_penalty, "X",
         "divides their logits (default 1)", 0.01, 100, NULL},
        {0, "logit-bias", VB_OPT_LIST, &q->logit_bias, "ID=X",
         "add X (-100 to 100) to a token's logit; repeatable", 0, 0, NULL},
        {0, "stop", VB_OPT_LIST, &q->stop, "TEXT", "end before this text; repeatable", 0, 0, NULL},
        {0, "seed", VB_OPT_UINT, &q->seed, "N", "fixed seed: the same answer again", 0, 0,
         &q->seed_given},
        {0, "system", VB_OPT_STR, &q->system, "TEXT",
         "system message (default: the template's own)", 0, 0, NULL},
        {0, "nonce", VB_OPT_STR, &q->nonce, "TEXT", "the client's nonce, bound into the commitment",
         0, 0, NULL},
        {0, "beacon-mode", VB_OPT_STR, &q->beacon_mode, "MODE",
         "next (default): the first round after the commitment; latest: the newest", 0, 0, NULL},
        {0, "beacon-round", VB_OPT_UINT, &q->beacon_round, "N",
         "replay this round of the beacon (mode fixed)", 0, 0, &q->beacon_round_given},
        {0, "date", VB_OPT_STR, &q->date, "YYYY-MM-DD",
         "for templates that print today's date (default: it, UTC)", 0, 0, NULL},
    };
    vb_opt_add(t, rows, sizeof rows / sizeof rows[0]);
}

static int by_token(const void *a, const void *b) {
    const uint32_t x = ((const vb_logit_bias *)a)->token, y = ((const vb_logit_bias *)b)->token;
    return x < y ? -1 : x > y;
}

/* "ID=X" entries, ascending by token; a token given twice is an error. */
static vb_err fill_bias(const vb_opt_list *list, vb_sampling *s, vb_error *e) {
    if (list->n > VB_LOGIT_BIAS_MAX) {
        return vb_fail(e, VB_ELIMIT, "--logit-bias: at most %u entries", VB_LOGIT_BIAS_MAX);
    }
    for (size_t i = 0; i < list->n; i++) {
        const char *text = list->items[i];
        char *end;
        errno = 0;
        unsigned long long id = strtoull(text, &end, 10);
        if (text[0] < '0' || text[0] > '9' || errno || id > UINT32_MAX || *end != '=') {
            return vb_fail(e, VB_EINVAL, "--logit-bias %.40s: expected ID=X", text);
        }
        const char *number = end + 1;
        double x = strtod(number, &end);
        if (!*number || *end || !(x >= -100 && x <= 100)) {
            return vb_fail(e, VB_EINVAL, "--logit-bias %.40s: expected X from -100 to 100", text);
        }
        s->bias[i] = (vb_logit_bias){(uint32_t)id, (float)x};
    }
    s->n_bias = list->n;
    qsort(s->bias, s->n_bias, sizeof s->bias[0], by_token);
    for (size_t i = 1; i < s->n_bias; i++) {
        if (s->bias[i].token == s->bias[i - 1].token) {
            return vb_fail(e, VB_EINVAL, "--logit-bias: token %u is given twice", s->bias[i].token);
        }
    }
    return VB_OK;
}

static vb_err fill_sampling(const vb_request_options *q, size_t n_vocab, vb_sampling *s,
                            vb_error *e) {
    vb_sampling_default(s);
    s->temperature = (float)q->temperature;
    s->top_k = (uint32_t)q->top_k;
    s->presence_penalty = (float)q->presence_penalty;
    s->frequency_penalty = (float)q->frequency_penalty;
    s->repetition_penalty = (float)q->repetition_penalty;
    vb_err err;
    if ((err = vb_sampling_fixed_point(q->top_p, &s->top_p, e)) ||
        (err = vb_sampling_fixed_point(q->min_p, &s->min_p, e)) ||
        (err = fill_bias(&q->logit_bias, s, e))) {
        return err;
    }
    return vb_sampling_check(s, n_vocab, e);
}

/* Where the randomness comes from. */
static vb_err fill_beacon(const vb_request_options *q, const char *beacon_id, vb_receipt_request *r,
                          vb_error *e) {
    if (!beacon_id) {
        if (q->beacon_mode || q->beacon_round_given) {
            return vb_fail(e, VB_EINVAL, "--beacon-mode and --beacon-round need --beacon");
        }
        r->mode = q->seed_given ? VB_MODE_FIXED : VB_MODE_LOCAL;
        r->has_seed = q->seed_given;
        r->seed = q->seed;
        return VB_OK;
    }
    if (q->seed_given) {
        return vb_fail(e, VB_EINVAL, "--seed and --beacon: give one of them");
    }
    r->mode = q->beacon_round_given ? VB_MODE_FIXED
              : q->beacon_mode      ? vb_beacon_mode_of_name(q->beacon_mode)
                                    : VB_MODE_NEXT;
    if (q->beacon_round_given && q->beacon_mode) {
        return vb_fail(e, VB_EINVAL, "--beacon-mode and --beacon-round: give one of them");
    }
    if (!q->beacon_round_given && r->mode != VB_MODE_NEXT && r->mode != VB_MODE_LATEST) {
        return vb_fail(e, VB_EINVAL, "--beacon-mode %.20s: expected next or latest",
                       q->beacon_mode);
    }
    if (q->beacon_round_given && vb_beacon_kind_of_id(beacon_id) == VB_BEACON_MIX) {
        return vb_fail(e, VB_EINVAL, "--beacon-round fixes one part of a mix only");
    }
    r->has_round = q->beacon_round_given;
    r->round = q->beacon_round;
    snprintf(r->beacon_id, sizeof r->beacon_id, "%s", beacon_id);
    return VB_OK;
}

static void copy_name(char *to, size_t max, const char *from) {
    snprintf(to, max, "%s", from);
}

vb_err vb_request_fill(const vb_request_options *q, const vb_app *a,
                       const uint8_t digest[VB_SHA256_BYTES], const char *beacon_id, vb_receipt *r,
                       vb_error *e) {
    const vb_model_config *c = vb_model_get_config(a->model);
    vb_err err;
    copy_name(r->model.name, sizeof r->model.name, c->name);
    copy_name(r->model.architecture, sizeof r->model.architecture, c->arch);
    copy_name(r->model.file_type, sizeof r->model.file_type, c->file_type);
    r->model.n_parameters = c->n_parameters;
    copy_name(r->engine_version, sizeof r->engine_version, VB_VERSION);
    copy_name(r->engine_tier, sizeof r->engine_tier, a->kernels->name);
    memcpy(r->request.model_sha256, digest, VB_SHA256_BYTES);
    if ((err = fill_sampling(q, c->n_vocab, &r->request.sampling, e))) {
        return err;
    }
    r->request.max_tokens = (uint32_t)q->max_tokens;
    r->request.n_choices = 1;
    if (q->stop.n > VB_STOP_STRINGS_MAX) {
        return vb_fail(e, VB_ELIMIT, "--stop: at most %u texts", VB_STOP_STRINGS_MAX);
    }
    for (size_t i = 0; i < q->stop.n; i++) {
        const size_t n = strlen(q->stop.items[i]);
        if (n < 1 || n > VB_STOP_STRING_BYTES_MAX) {
            return vb_fail(e, VB_EINVAL, "--stop: a text of %zu bytes, expected 1 to %u", n,
                           VB_STOP_STRING_BYTES_MAX);
        }
        if ((err = vb_text_set(&r->request.stop_strings[i], q->stop.items[i], n, e))) {
            return vb_fail_in(e, err, "--stop");
        }
        r->request.n_stop_strings = i + 1;
    }
    if (q->nonce) {
        if (strlen(q->nonce) > VB_NONCE_BYTES_MAX) {
            return vb_fail(e, VB_ELIMIT, "--nonce: at most %u bytes", VB_NONCE_BYTES_MAX);
        }
        copy_name(r->request.nonce, sizeof r->request.nonce, q->nonce);
        vb_make_printable(r->request.nonce);
        if (strcmp(r->request.nonce, q->nonce) != 0) {
            return vb_fail(e, VB_EINVAL, "--nonce: expected UTF-8 text without control characters");
        }
    }
    return fill_beacon(q, beacon_id, &r->request, e);
}

static vb_err set_tokens(const vb_app *a, vb_receipt *r, vb_error *e) {
    uint32_t *ids = NULL;
    size_t n = 0;
    vb_err err = vb_prompt_encode(&r->prompt, a->gguf, a->tokenizer, &ids, &n, e);
    if (!err && n == 0) {
        err = vb_fail(e, VB_EINVAL, "the prompt has no tokens");
    }
    if (!err) {
        err = vb_receipt_set_prompt_tokens(r, ids, n, e);
    }
    free(ids);
    return err;
}

vb_err vb_request_prompt_text(const vb_app *a, const char *text, size_t n_bytes, vb_receipt *r,
                              vb_error *e) {
    r->prompt.kind = VB_PROMPT_TEXT;
    vb_err err = vb_text_set(&r->prompt.text, text, n_bytes, e);
    return err ? vb_fail_in(e, err, "the prompt") : set_tokens(a, r, e);
}

vb_err vb_request_prompt_chat(const vb_request_options *q, const vb_app *a, vb_receipt *r,
                              vb_error *e) {
    r->prompt.kind = VB_PROMPT_CHAT;
    r->prompt.has_template = vb_prompt_template_digest(a->gguf, r->prompt.template_sha256);
    if (!vb_prompt_uses_date(a->gguf, a->tokenizer)) {
        r->prompt.date[0] = 0;
    } else if (q->date) {
        if (strlen(q->date) != 10) {
            return vb_fail(e, VB_EINVAL, "--date %.20s: expected YYYY-MM-DD", q->date);
        }
        copy_name(r->prompt.date, sizeof r->prompt.date, q->date);
    } else {
        time_t now = (time_t)(vb_unix_ms() / 1000);
        struct tm day;
        gmtime_r(&now, &day);
        strftime(r->prompt.date, sizeof r->prompt.date, "%Y-%m-%d", &day);
    }
    return set_tokens(a, r, e);
}

vb_err vb_request_context(const vb_app *a, vb_receipt *r, vb_error *e) {
    const size_t limit = vb_model_get_config(a->model)->n_ctx_train, n = r->prompt.n_tokens;
    if (a->ctx > limit) {
        return vb_fail(e, VB_EINVAL, "--ctx %llu: the model's own limit is %zu tokens",
                       (unsigned long long)a->ctx, limit);
    }
    size_t need = n + r->request.max_tokens;
    size_t ctx = a->ctx ? (size_t)a->ctx : need < limit ? need : limit;
    if (n >= ctx) {
        return vb_fail(e, VB_ELIMIT,
                       "the prompt has %zu tokens, the context %zu: nothing can be added", n, ctx);
    }
    r->request.ctx_tokens = (uint32_t)ctx;
    return VB_OK;
}
