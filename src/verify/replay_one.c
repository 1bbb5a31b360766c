#include "verify/replay_one.h"

#include <stdlib.h>
#include <string.h>

#include "receipt/digests.h"
#include "verify/prompt.h"

static bool is_sample(const replay_one *x) {
    return x->rep->level == VB_LEVEL_SAMPLE;
}

static vb_reason reason_of(vb_err err) {
    return err == VB_EUNSUPPORTED ? VB_REASON_UNSUPPORTED_FORMAT : VB_REASON_UNFINISHED;
}

static bool check_model(replay_one *x) {
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

/* The receipt's prompt, or the one given apart when it is private. */
static bool find_prompt(replay_one *x) {
    x->prompt = x->r->prompt.has_tokens ? &x->r->prompt : x->given;
    if (!x->prompt) {
        vb_report_unknown(x->rep, VB_CHECK_PROMPT, VB_REASON_MISSING_PROMPT,
                          "the receipt is private: its prompt must be given apart");
        return false;
    }
    uint8_t digest[VB_SHA256_BYTES];
    vb_digest_tokens(x->prompt->tokens, x->prompt->n_tokens, digest);
    if (x->prompt->n_tokens != x->r->request.n_prompt_tokens ||
        memcmp(digest, x->r->request.prompt_sha256, sizeof digest) != 0) {
        vb_report_fail(x->rep, VB_CHECK_PROMPT, VB_REASON_PROMPT,
                       "the prompt's tokens are not those that were committed to");
        return false;
    }
    return true;
}

static bool check_template(replay_one *x) {
    const vb_receipt_prompt *p = x->prompt;
    uint8_t digest[VB_SHA256_BYTES];
    if (p->kind != VB_PROMPT_CHAT && p->kind != VB_PROMPT_TEMPLATE) {
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

/* What the prompt was made of, as a report names it. */
static const char *prompt_source(vb_prompt_kind kind) {
    switch (kind) {
    case VB_PROMPT_TOKENS: return "tokens";
    case VB_PROMPT_TEXT: return "text";
    case VB_PROMPT_CHAT: return "messages";
    case VB_PROMPT_TEMPLATE: return "variables";
    }
    return "";
}

/* Text, messages or variables must give exactly these tokens. */
static bool check_prompt(replay_one *x) {
    if (!find_prompt(x) || !check_template(x)) {
        return false;
    }
    const vb_receipt_prompt *p = x->prompt;
    if (p->kind == VB_PROMPT_TOKENS) {
        vb_report_pass(x->rep, VB_CHECK_PROMPT, "", "%zu tokens, as committed to", p->n_tokens);
        return true;
    }
    uint32_t *ids = NULL;
    size_t n = 0;
    vb_err err = vb_prompt_encode(p, x->o->gguf, x->o->tokenizer, &ids, &n, &x->e);
    if (err == VB_EINVAL) {
        /* The template refuses them: no server made a prompt of them. */
        vb_report_fail(x->rep, VB_CHECK_PROMPT, VB_REASON_PROMPT, "%s", x->e.msg);
        return false;
    }
    if (err) {
        vb_report_unknown(x->rep, VB_CHECK_PROMPT, reason_of(err), "%s", x->e.msg);
        return false;
    }
    const bool same = n == p->n_tokens && memcmp(ids, p->tokens, n * sizeof *ids) == 0;
    free(ids);
    if (!same) {
        vb_report_fail(x->rep, VB_CHECK_PROMPT, VB_REASON_PROMPT,
                       "the prompt's %s do not give the prompt's tokens", prompt_source(p->kind));
        return false;
    }
    vb_report_pass(x->rep, VB_CHECK_PROMPT, "", "its %s%s gives exactly these %zu tokens",
                   prompt_source(p->kind), p->has_template ? " and the model's template" : "", n);
    return true;
}

/* The first token that is not the one the model gives. */
static vb_err diverge(replay_one *x, uint32_t expected) {
    vb_divergence *d = &x->rep->divergence;
    *d = (vb_divergence){.known = true,
                         .choice = x->choice,
                         .t = x->t,
                         .expected = expected,
                         .found = x->out->tokens[x->t]};
    vb_generation_share(x->g, d->expected, &d->expected_weight, &d->total);
    vb_generation_share(x->g, d->found, &d->found_weight, &d->total);
    vb_divergence_describe(d, x->o->tokenizer, x->out->tokens);
    vb_report_fail(x->rep, VB_CHECK_TOKENS, VB_REASON_TOKEN,
                   "position %zu of choice %u: expected token %u, found %u", x->t, x->choice,
                   d->expected, d->found);
    x->diverged = true;
    return VB_ECANCELLED;
}

/* After each token: an answer that has ended has no more of them. */
static vb_err count_token(replay_one *x) {
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

/* Takes the receipt's tokens before position t for granted. */
static vb_err follow_to(replay_one *x, size_t t) {
    vb_err err = VB_OK;
    while (x->t < t && !err) {
        err = vb_generation_follow(x->g, x->out->tokens[x->t], &x->e);
        if (err == VB_EMISMATCH) {
            vb_report_fail(x->rep, VB_CHECK_TOKENS, VB_REASON_TOKEN,
                           "position %zu of choice %u: %s", x->t, x->choice, x->e.msg);
            x->diverged = true;
        }
        err = err ? err : count_token(x);
    }
    return err;
}

vb_err replay_one_draw(replay_one *x, const float *logits) {
    const vb_replay_options *o = x->o;
    uint32_t token;
    vb_err err = follow_to(x, x->drawn[x->next++]);
    if (err || (err = vb_generation_step(x->g, logits, &token, &x->e))) {
        return err;
    }
    if (token != x->out->tokens[x->t]) {
        return diverge(x, token);
    }
    if (o->on_position &&
        !o->on_position(o->position_user, x->choice, x->t, token, logits,
                        vb_model_get_config(o->model)->n_vocab, vb_generation_leaf(x->g))) {
        return vb_fail(&x->e, VB_ECANCELLED, "stopped before the end");
    }
    return count_token(x);
}

/* What remains when all tokens agree: the end, the text, the trace. */
static bool compare_rest(replay_one *x) {
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
    if (is_sample(x)) {
        return true; /* the root needs every leaf */
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

/* Rows of the passes that an output needs: up to the one before its last drawn position. */
static size_t rows_of(const replay_one *x, size_t n_drawn) {
    return n_drawn ? x->prompt->n_tokens + x->drawn[n_drawn - 1] : 0;
}

size_t replay_one_wanted(const replay_one *x, size_t size, size_t wanted[VB_BATCH_TOKENS_MAX]) {
    size_t n = 0;
    for (size_t i = x->next; i < x->n_drawn; i++) {
        const size_t row = x->prompt->n_tokens - 1 + x->drawn[i];
        if (row >= x->at + size) {
            break;
        }
        wanted[n++] = row - x->at;
    }
    return n;
}

void replay_one_fail(replay_one *x) {
    if (!x->diverged) {
        vb_report_unknown(x->rep, VB_CHECK_TOKENS, VB_REASON_UNFINISHED, "%s", x->e.msg);
    }
    x->over = true;
}

/* The request's constraint, compiled for all choices. */
static bool open_constraint(replay_one *x) {
    vb_err err = vb_receipt_grammar(&x->r->request, &x->grammar, &x->e);
    x->vocabulary = x->o->vocabulary;
    if (!err && x->grammar && !x->vocabulary) {
        err = vb_vocabulary_open(x->o->tokenizer, &x->own_vocabulary, &x->e);
        x->vocabulary = x->own_vocabulary;
    }
    if (err) {
        vb_report_constraint(x->rep, VB_CHECK_TOKENS, err, &x->e);
    }
    return !err;
}

static bool open_choice(replay_one *x) {
    vb_generation_options g;
    vb_stop_string stops[VB_STOP_STRINGS_MAX];
    vb_err err = vb_receipt_generation(x->r, x->o->model, x->o->tokenizer, stops, &g, &x->e);
    if (!err) {
        err = vb_receipt_seed(x->r, x->choice, g.seed, &x->e);
    }
    if (!err) {
        /* A private receipt carries no tokens of its own. */
        g.prompt = x->prompt->tokens;
        g.n_prompt = x->prompt->n_tokens;
        g.grammar = x->grammar;
        g.vocabulary = x->vocabulary;
        err = vb_generation_open(&g, &x->g, &x->e);
    }
    if (err == VB_EINVAL || err == VB_ELIMIT) {
        vb_report_fail(x->rep, VB_CHECK_TOKENS, VB_REASON_PARAMETERS, "%s", x->e.msg);
    } else if (err) {
        vb_report_unknown(x->rep, VB_CHECK_TOKENS, reason_of(err), "%s", x->e.msg);
    }
    return !err;
}

/* Token ids outside the vocabulary can not be replayed and were never drawn. */
static bool check_vocabulary(replay_one *x) {
    const size_t n_vocab = vb_model_get_config(x->o->model)->n_vocab;
    for (size_t i = 0; i < x->prompt->n_tokens; i++) {
        if (x->prompt->tokens[i] >= n_vocab) {
            vb_report_fail(
                x->rep, VB_CHECK_PROMPT, VB_REASON_PROMPT,
                "prompt token %u at position %zu is outside the model's vocabulary of %zu",
                x->prompt->tokens[i], i, n_vocab);
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

/* The positions of an output that are drawn again, into x->drawn; how many. */
static size_t choose(replay_one *x, vb_positions *p, const vb_receipt_output *out) {
    size_t n = 0;
    for (size_t t = 0; t < out->n_tokens; t++) {
        if (!is_sample(x) || vb_positions_next(p)) {
            x->drawn[n++] = t;
        }
    }
    return n;
}

/* Which positions, and how many rows that is in all and for one output at most. */
static size_t plan(replay_one *x) {
    size_t most = 0;
    for (size_t i = 0; i < x->r->n_outputs; i++) {
        x->n_positions += x->r->outputs[i].n_tokens;
    }
    if (is_sample(x)) {
        x->n_sampled = x->o->n_samples < x->n_positions ? x->o->n_samples : x->n_positions;
        vb_positions_begin(&x->positions, x->sample_seed, x->n_sampled, x->n_positions);
    }
    vb_positions ahead = x->positions;
    for (size_t i = 0; i < x->r->n_outputs; i++) {
        const size_t rows = rows_of(x, choose(x, &ahead, &x->r->outputs[i]));
        x->total += rows;
        most = rows > most ? rows : most;
    }
    return most;
}

/* All was found as the receipt says. */
static void pass_all(replay_one *x) {
    vb_report *rep = x->rep;
    const char *among = x->grammar ? ", from what the constraint allows," : "";
    if (is_sample(x)) {
        rep->n_sampled = x->n_sampled;
        rep->n_positions = x->n_positions;
        vb_report_pass(rep, VB_CHECK_TOKENS, "", "%llu of %llu were drawn again%s and are the same",
                       (unsigned long long)rep->n_sampled, (unsigned long long)rep->n_positions,
                       among);
    } else {
        rep->replayed = true;
        vb_report_pass(rep, VB_CHECK_TOKENS, "", "every token was drawn again%s and is the same",
                       among);
        vb_report_pass(rep, VB_CHECK_TRACE, "", "every distribution has the same bits");
    }
    vb_report_pass(rep, VB_CHECK_TEXT, "", "the tokens stand for this text");
    vb_report_pass(rep, VB_CHECK_FINISH, "", "the answer ends where and why the receipt says");
}

/* The output of x->choice: where its rows come from, and which of its positions are drawn. */
static bool begin_choice(replay_one *x) {
    const size_t n_prompt = x->prompt->n_tokens;
    x->out = &x->r->outputs[x->choice];
    x->n_drawn = choose(x, &x->positions, x->out);
    x->next = x->t = x->at = 0;
    x->n_rows = rows_of(x, x->n_drawn);
    if (x->n_rows) {
        memcpy(x->tokens, x->prompt->tokens, n_prompt * sizeof *x->tokens);
        memcpy(x->tokens + n_prompt, x->out->tokens, (x->n_rows - n_prompt) * sizeof *x->tokens);
    }
    vb_session_truncate(x->session, 0);
    return open_choice(x);
}

/* All rows of the output are done; false when that ends the replay. */
static bool end_choice(replay_one *x) {
    const vb_err err = follow_to(x, x->out->n_tokens);
    if (err) {
        replay_one_fail(x);
    }
    const bool fine = !err && compare_rest(x);
    vb_generation_close(x->g);
    x->g = NULL;
    return fine;
}

/* Ends outputs that have no rows left and begins the next ones, up to one that has rows. */
static void settle(replay_one *x) {
    while (!x->over && x->at == x->n_rows) {
        x->over = !end_choice(x);
        if (!x->over && ++x->choice == x->r->n_outputs) {
            pass_all(x);
            x->over = true;
        } else if (!x->over) {
            x->over = !begin_choice(x);
        }
    }
}

void replay_one_begin(replay_one *x) {
    x->over = !open_constraint(x) || !begin_choice(x);
    settle(x);
}

void replay_one_advance(replay_one *x, size_t size) {
    x->at += size;
    settle(x);
}

void replay_one_open(replay_one *x) {
    const vb_receipt *r = x->r;
    VB_ASSERT(x->rep->level == VB_LEVEL_FULL ||
              (x->rep->level == VB_LEVEL_SAMPLE && x->o->n_samples >= 1 && x->sample_seed));
    x->over = true;
    if (!check_model(x) || !check_prompt(x) || !check_vocabulary(x)) {
        return;
    }
    size_t longest = 0;
    for (size_t i = 0; i < r->n_outputs; i++) {
        longest = r->outputs[i].n_tokens > longest ? r->outputs[i].n_tokens : longest;
    }
    const size_t rows = x->prompt->n_tokens + longest - 1;
    const size_t limit = vb_model_get_config(x->o->model)->n_ctx_train;
    if (r->request.ctx_tokens > limit || rows > limit) {
        vb_report_fail(x->rep, VB_CHECK_TOKENS, VB_REASON_PARAMETERS,
                       "the receipt's context of %u tokens is beyond the model's limit of %zu",
                       r->request.ctx_tokens, limit);
        return;
    }
    x->drawn = malloc(longest * sizeof *x->drawn);
    x->capacity = x->drawn ? plan(x) : 0;
    x->tokens = malloc((x->capacity ? x->capacity : 1) * sizeof *x->tokens);
    if (!x->drawn || !x->tokens) {
        vb_report_unknown(x->rep, VB_CHECK_TOKENS, VB_REASON_UNFINISHED, "no memory for %zu tokens",
                          rows);
        return;
    }
    x->over = false;
}

void replay_one_close(replay_one *x) {
    vb_generation_close(x->g);
    vb_grammar_close(x->grammar);
    vb_vocabulary_close(x->own_vocabulary);
    vb_session_close(x->session);
    free(x->tokens);
    free(x->drawn);
}
