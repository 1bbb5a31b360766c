#include "verify/replay.h"

#include <stdlib.h>
#include <string.h>

#include "receipt/digests.h"
#include "verify/generation.h"
#include "verify/prompt.h"

typedef struct replay {
    const vb_replay_options *o;
    const vb_receipt *r;
    vb_report *rep;
    const uint32_t *prompt;
    size_t n_prompt;
    /* the output being replayed */
    uint32_t choice;
    const vb_receipt_output *out;
    vb_generation *g;
    size_t t;      /* tokens of out compared so far */
    bool diverged; /* a check has failed: nothing further can be learnt */
    vb_error e;
} replay;

static vb_reason reason_of(vb_err err) {
    return err == VB_EUNSUPPORTED ? VB_REASON_UNSUPPORTED_FORMAT : VB_REASON_UNFINISHED;
}

static bool check_model(replay *x) {
    if (memcmp(x->o->model_sha256, x->r->request.model_sha256, VB_SHA256_BYTES) != 0) {
        char have[VB_SHA256_HEX_BYTES], want[VB_SHA256_HEX_BYTES];
        vb_hex_encode(x->o->model_sha256, VB_SHA256_BYTES, have);
        vb_hex_encode(x->r->request.model_sha256, VB_SHA256_BYTES, want);
        vb_report_fail(x->rep, VB_CHECK_MODEL_DIGEST, VB_REASON_MODEL_DIGEST,
                       "this model file is %s, the receipt names %s", have, want);
        return false;
    }
    const vb_model_config *c = vb_model_get_config(x->o->model);
    if (strcmp(x->r->model.name, c->name) != 0 || strcmp(x->r->model.architecture, c->arch) != 0 ||
        strcmp(x->r->model.file_type, c->file_type) != 0 ||
        x->r->model.n_parameters != c->n_parameters) {
        vb_report_fail(x->rep, VB_CHECK_MODEL_DIGEST, VB_REASON_MODEL_DIGEST,
                       "the receipt calls the model \"%s\", %s, %s, %llu parameters; its file says "
                       "\"%s\", %s, %s, %llu",
                       x->r->model.name, x->r->model.architecture, x->r->model.file_type,
                       (unsigned long long)x->r->model.n_parameters, c->name, c->arch, c->file_type,
                       (unsigned long long)c->n_parameters);
        return false;
    }
    vb_report_pass(x->rep, VB_CHECK_MODEL_DIGEST, "",
                   "the model file is the one the receipt names");
    return true;
}

/* The prompt's tokens: the receipt's, or those given apart when it is private. */
static bool find_prompt(replay *x) {
    const vb_receipt_prompt *p = &x->r->prompt;
    x->prompt = p->has_tokens ? p->tokens : x->o->prompt_tokens;
    x->n_prompt = p->has_tokens ? p->n_tokens : x->o->n_prompt_tokens;
    if (!x->prompt || x->n_prompt == 0) {
        vb_report_unknown(x->rep, VB_CHECK_PROMPT, VB_REASON_MISSING_PROMPT,
                          "the receipt is private: its prompt must be given apart");
        return false;
    }
    uint8_t digest[VB_SHA256_BYTES];
    vb_digest_tokens(x->prompt, x->n_prompt, digest);
    if (x->n_prompt != x->r->request.n_prompt_tokens ||
        memcmp(digest, x->r->request.prompt_sha256, sizeof digest) != 0) {
        vb_report_fail(x->rep, VB_CHECK_PROMPT, VB_REASON_PROMPT,
                       "the prompt's tokens are not those that were committed to");
        return false;
    }
    return true;
}

static bool check_template(replay *x) {
    const vb_receipt_prompt *p = &x->r->prompt;
    uint8_t digest[VB_SHA256_BYTES];
    if (p->kind != VB_PROMPT_CHAT) {
        return true;
    }
    if (!vb_prompt_template_digest(x->o->gguf, digest) || !p->has_template ||
        memcmp(digest, p->template_sha256, sizeof digest) != 0) {
        vb_report_fail(x->rep, VB_CHECK_PROMPT, VB_REASON_PROMPT,
                       "the chat template is not the model's own");
        return false;
    }
    if (p->date[0] && !vb_prompt_uses_date(x->o->gguf, x->o->tokenizer)) {
        vb_report_fail(x->rep, VB_CHECK_PROMPT, VB_REASON_PROMPT,
                       "the prompt has a date, and the model's chat template prints none");
        return false;
    }
    return true;
}

/* Text or messages must give exactly these tokens. */
static bool check_prompt(replay *x) {
    const vb_receipt_prompt *p = &x->r->prompt;
    if (!find_prompt(x) || !check_template(x)) {
        return false;
    }
    if (p->kind == VB_PROMPT_TOKENS || !p->has_tokens) {
        vb_report_pass(x->rep, VB_CHECK_PROMPT, "", "%zu tokens, as committed to", x->n_prompt);
        return true;
    }
    uint32_t *ids = NULL;
    size_t n = 0;
    vb_err err = vb_prompt_encode(p, x->o->gguf, x->o->tokenizer, &ids, &n, &x->e);
    if (err == VB_EINVAL) {
        /* The template refuses such messages: no server made a prompt of them. */
        vb_report_fail(x->rep, VB_CHECK_PROMPT, VB_REASON_PROMPT, "%s", x->e.msg);
        return false;
    }
    if (err) {
        vb_report_unknown(x->rep, VB_CHECK_PROMPT, reason_of(err), "%s", x->e.msg);
        return false;
    }
    const bool same = n == x->n_prompt && memcmp(ids, x->prompt, n * sizeof *ids) == 0;
    free(ids);
    if (!same) {
        vb_report_fail(x->rep, VB_CHECK_PROMPT, VB_REASON_PROMPT,
                       "the prompt's %s do not give the prompt's tokens",
                       p->kind == VB_PROMPT_TEXT ? "text" : "messages");
        return false;
    }
    vb_report_pass(x->rep, VB_CHECK_PROMPT, "", "its %s gives exactly these %zu tokens",
                   p->kind == VB_PROMPT_TEXT ? "text" : "messages and the model's template", n);
    return true;
}

/* One position of the batched pass: the draw is repeated and compared. */
static vb_err on_logits(void *user, size_t item, size_t index, const float *logits) {
    (void)item;
    (void)index;
    replay *x = user;
    uint32_t token;
    vb_err err = vb_generation_step(x->g, logits, &token, &x->e);
    if (err) {
        return err;
    }
    const uint32_t claimed = x->out->tokens[x->t];
    if (token != claimed) {
        x->rep->divergence = (vb_divergence){true, x->choice, x->t, token, claimed};
        vb_report_fail(x->rep, VB_CHECK_TOKENS, VB_REASON_TOKEN,
                       "position %zu of choice %u: expected token %u, found %u", x->t, x->choice,
                       token, claimed);
        x->diverged = true;
        return VB_ECANCELLED;
    }
    x->t++;
    if (vb_generation_ended(x->g, NULL) && x->t < x->out->n_tokens) {
        vb_report_fail(x->rep, VB_CHECK_FINISH, VB_REASON_FINISH_REASON,
                       "choice %u ends after %zu tokens, the receipt has %zu", x->choice, x->t,
                       x->out->n_tokens);
        x->diverged = true;
        return VB_ECANCELLED;
    }
    return VB_OK;
}

/* What remains when all tokens agree: the end, the text, the trace. */
static bool compare_rest(replay *x) {
    vb_finish finish;
    if (!vb_generation_ended(x->g, &finish)) {
        vb_report_fail(x->rep, VB_CHECK_FINISH, VB_REASON_TRUNCATED,
                       "choice %u does not end after its %zu tokens: the answer was cut short",
                       x->choice, x->out->n_tokens);
        return false;
    }
    if (finish != x->out->finish) {
        vb_report_fail(x->rep, VB_CHECK_FINISH, VB_REASON_FINISH_REASON,
                       "choice %u ends by %s, the receipt says %s", x->choice,
                       vb_finish_name(finish), vb_finish_name(x->out->finish));
        return false;
    }
    size_t n;
    const char *text = vb_generation_text(x->g, &n);
    if (n != x->out->text.len || memcmp(text, x->out->text.p, n) != 0) {
        vb_report_fail(x->rep, VB_CHECK_TEXT, VB_REASON_TEXT,
                       "the tokens of choice %u stand for another text", x->choice);
        return false;
    }
    uint8_t root[VB_SHA256_BYTES];
    vb_generation_trace_root(x->g, root);
    if (memcmp(root, x->out->trace_root, sizeof root) != 0) {
        vb_report_fail(
            x->rep, VB_CHECK_TRACE, VB_REASON_TRACE,
            "choice %u: all tokens agree, but the distributions they were drawn from do not",
            x->choice);
        return false;
    }
    return true;
}

/* Prompt and answer, all but the last token, through the model in one prefill. */
static bool replay_choice(replay *x, vb_session *session, vb_workspace *w, uint64_t *done,
                          uint64_t total) {
    const size_t n = x->n_prompt + x->out->n_tokens - 1, wanted_from = x->n_prompt - 1;
    uint32_t *tokens = malloc(n * sizeof *tokens);
    if (!tokens) {
        vb_report_unknown(x->rep, VB_CHECK_TOKENS, VB_REASON_UNFINISHED, "no memory for %zu tokens",
                          n);
        return false;
    }
    memcpy(tokens, x->prompt, x->n_prompt * sizeof *tokens);
    memcpy(tokens + x->n_prompt, x->out->tokens, (x->out->n_tokens - 1) * sizeof *tokens);
    vb_err err = VB_OK;
    vb_session_truncate(session, 0);
    for (size_t at = 0; at < n && !err; at += x->o->batch_tokens) {
        const size_t size = n - at < x->o->batch_tokens ? n - at : x->o->batch_tokens;
        const size_t from = wanted_from <= at         ? 0
                            : wanted_from - at < size ? wanted_from - at
                                                      : size;
        const vb_batch_item item = {session, tokens + at, size, from};
        err = vb_forward(x->o->model, w, &item, 1, on_logits, x, &x->e);
        *done += size;
        if (!err && x->o->on_progress && !x->o->on_progress(x->o->user, *done, total)) {
            err = vb_fail(&x->e, VB_ECANCELLED, "stopped before the end");
        }
    }
    free(tokens);
    if (err && !x->diverged) {
        vb_report_unknown(x->rep, VB_CHECK_TOKENS, VB_REASON_UNFINISHED, "%s", x->e.msg);
    }
    return !err && compare_rest(x);
}

static bool open_choice(replay *x, uint32_t choice, vb_generation **out) {
    vb_generation_options g;
    vb_stop_string stops[VB_STOP_STRINGS_MAX];
    vb_err err = vb_receipt_generation(x->r, x->o->model, x->o->tokenizer, stops, &g, &x->e);
    if (!err) {
        err = vb_receipt_seed(x->r, choice, g.seed, &x->e);
    }
    if (!err) {
        /* A private receipt carries no tokens of its own. */
        g.prompt = x->prompt;
        g.n_prompt = x->n_prompt;
        err = vb_generation_open(&g, out, &x->e);
    }
    if (err == VB_EINVAL || err == VB_ELIMIT) {
        vb_report_fail(x->rep, VB_CHECK_TOKENS, VB_REASON_PARAMETERS, "%s", x->e.msg);
    } else if (err) {
        vb_report_unknown(x->rep, VB_CHECK_TOKENS, reason_of(err), "%s", x->e.msg);
    }
    return !err;
}

/* Token ids outside the vocabulary can not be replayed and were never drawn. */
static bool check_vocabulary(replay *x) {
    const size_t n_vocab = vb_model_get_config(x->o->model)->n_vocab;
    for (size_t i = 0; i < x->n_prompt; i++) {
        if (x->prompt[i] >= n_vocab) {
            vb_report_fail(
                x->rep, VB_CHECK_PROMPT, VB_REASON_PROMPT,
                "prompt token %u at position %zu is outside the model's vocabulary of %zu",
                x->prompt[i], i, n_vocab);
            return false;
        }
    }
    for (size_t c = 0; c < x->r->n_outputs; c++) {
        const vb_receipt_output *out = &x->r->outputs[c];
        for (size_t i = 0; i < out->n_tokens; i++) {
            if (out->tokens[i] >= n_vocab) {
                vb_report_fail(
                    x->rep, VB_CHECK_TOKENS, VB_REASON_TOKEN,
                    "position %zu of choice %zu: token %u is outside the model's vocabulary", i, c,
                    out->tokens[i]);
                return false;
            }
        }
    }
    return true;
}

static bool replay_all(replay *x, vb_session *session, vb_workspace *w) {
    uint64_t done = 0, total = 0;
    for (size_t i = 0; i < x->r->n_outputs; i++) {
        total += x->n_prompt + x->r->outputs[i].n_tokens - 1;
    }
    bool fine = true;
    for (size_t i = 0; i < x->r->n_outputs && fine; i++) {
        x->choice = (uint32_t)i;
        x->out = &x->r->outputs[i];
        x->t = 0;
        x->g = NULL;
        fine = open_choice(x, x->choice, &x->g) && replay_choice(x, session, w, &done, total);
        vb_generation_close(x->g);
    }
    return fine;
}

void vb_replay(const vb_replay_options *o, const vb_receipt *r, vb_report *rep) {
    replay x = {.o = o, .r = r, .rep = rep};
    if (!check_model(&x) || !check_prompt(&x) || !check_vocabulary(&x)) {
        return;
    }
    size_t longest = 0;
    for (size_t i = 0; i < r->n_outputs; i++) {
        longest = r->outputs[i].n_tokens > longest ? r->outputs[i].n_tokens : longest;
    }
    const size_t ctx = x.n_prompt + longest, limit = vb_model_get_config(o->model)->n_ctx_train;
    if (r->request.ctx_tokens > limit || ctx - 1 > limit) {
        vb_report_fail(rep, VB_CHECK_TOKENS, VB_REASON_PARAMETERS,
                       "the receipt's context of %u tokens is beyond the model's limit of %zu",
                       r->request.ctx_tokens, limit);
        return;
    }
    vb_session *session = NULL;
    vb_workspace *w = NULL;
    const size_t capacity = ctx > limit ? limit : ctx;
    if (vb_session_open(o->model, capacity, &session, &x.e) ||
        vb_workspace_open(o->model, o->batch_tokens, capacity, o->n_threads, &w, &x.e)) {
        vb_report_unknown(rep, VB_CHECK_TOKENS, VB_REASON_UNFINISHED, "%s", x.e.msg);
    } else if (replay_all(&x, session, w)) {
        vb_report_pass(rep, VB_CHECK_TOKENS, "", "every token was drawn again and is the same");
        vb_report_pass(rep, VB_CHECK_TRACE, "", "every distribution has the same bits");
        vb_report_pass(rep, VB_CHECK_TEXT, "", "the tokens stand for this text");
        vb_report_pass(rep, VB_CHECK_FINISH, "", "the answer ends where and why the receipt says");
        rep->replayed = true;
    }
    vb_workspace_close(w);
    vb_session_close(session);
}
