#include "verify/generation.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "receipt/digests.h"
#include "receipt/trace.h"

struct vb_generation {
    vb_generation_options o;
    uint32_t stop_tokens[VB_STOP_TOKENS_MAX];
    vb_sampler *sampler;
    vb_stop *stop;
    vb_held *held; /* to the grammar; NULL: to nothing */
    vb_stream stream;
    vb_trace trace;
    uint8_t leaf[VB_SHA256_BYTES]; /* the last one */
    vb_buf text;
    size_t text_fed;  /* bytes of text that the stop matcher has seen */
    uint32_t *tokens; /* [tokens_max] */
    size_t n_tokens;
    bool ended;
    vb_finish finish;
};

vb_err vb_generation_open(const vb_generation_options *o, vb_generation **out, vb_error *e) {
    VB_ASSERT(o->tokens_max >= 1 && o->n_stop_tokens <= VB_STOP_TOKENS_MAX);
    vb_generation *g = calloc(1, sizeof *g);
    if (!g) {
        return vb_fail(e, VB_ENOMEM, "no memory for a generation");
    }
    vb_err err;
    g->o = *o;
    if (o->n_stop_tokens) {
        memcpy(g->stop_tokens, o->stop_tokens, o->n_stop_tokens * sizeof *g->stop_tokens);
    }
    g->text = vb_buf_make(VB_TEXT_BYTES_MAX);
    vb_stream_init(&g->stream, false, false);
    vb_trace_begin(&g->trace);
    g->tokens = malloc(o->tokens_max * sizeof *g->tokens);
    if (!g->tokens) {
        err = vb_fail(e, VB_ENOMEM, "no memory for %zu tokens", o->tokens_max);
        goto fail;
    }
    if ((err = vb_sampler_open(o->kernels, o->n_vocab, &g->sampler, e)) ||
        (err = vb_sampler_begin(g->sampler, o->sampling, o->prompt, o->n_prompt, e)) ||
        (err = vb_stop_open(o->stop_strings, o->n_stop_strings, &g->stop, e)) ||
        (o->grammar && (err = vb_held_open(o->grammar, o->vocabulary, o->n_vocab, g->stop_tokens,
                                           o->n_stop_tokens, &g->held, e)))) {
        goto fail;
    }
    *out = g;
    return VB_OK;
fail:
    vb_generation_close(g);
    return err;
}

void vb_generation_close(vb_generation *g) {
    if (g) {
        vb_sampler_close(g->sampler);
        vb_stop_close(g->stop);
        vb_held_close(g->held);
        vb_buf_free(&g->text);
        free(g->tokens);
        free(g);
    }
}

void vb_generation_set_seed(vb_generation *g, const uint8_t seed[32]) {
    VB_ASSERT(g->n_tokens == 0);
    memcpy(g->o.seed, seed, sizeof g->o.seed);
}

static bool ends(const vb_generation *g, uint32_t token) {
    for (size_t i = 0; i < g->o.n_stop_tokens; i++) {
        if (g->stop_tokens[i] == token) {
            return true;
        }
    }
    return vb_tokenizer_is_eog(g->o.tokenizer, token);
}

/* Shows the stop matcher the text that is new; true when a stop string is complete. */
static bool stop_matched(vb_generation *g) {
    bool matched = vb_stop_feed(g->stop, g->text.data ? g->text.data + g->text_fed : NULL,
                                g->text.len - g->text_fed);
    g->text_fed = g->text.len;
    return matched;
}

static void end(vb_generation *g, vb_finish finish) {
    vb_stop_state s = vb_stop_get(g->stop);
    if (s.matched) {
        g->text.len = (size_t)s.safe_bytes;
    }
    g->ended = true;
    g->finish = finish;
}

/* The text of one more token, and whether the answer ends with it. */
static vb_err take_token(vb_generation *g, uint32_t token, vb_error *e) {
    vb_err err;
    const bool last = ends(g, token);
    if (!last && (err = vb_stream_push(&g->stream, g->o.tokenizer, token, &g->text, e))) {
        return err;
    }
    if (stop_matched(g)) {
        end(g, VB_FINISH_STOP);
        return VB_OK;
    }
    if (last || g->n_tokens == g->o.tokens_max) {
        /* What is left of an unfinished character may complete a stop string too. */
        if ((err = vb_stream_finish(&g->stream, &g->text, e))) {
            return err;
        }
        end(g, stop_matched(g) || last ? VB_FINISH_STOP : VB_FINISH_LENGTH);
    }
    return VB_OK;
}

/* Records the token of this step, however it was found. */
static vb_err accept(vb_generation *g, uint32_t token, vb_error *e) {
    vb_err err = g->held ? vb_held_accept(g->held, token, e) : VB_OK;
    if (err) {
        return err;
    }
    vb_sampler_accept(g->sampler, token);
    g->tokens[g->n_tokens++] = token;
    return take_token(g, token, e);
}

vb_err vb_generation_step(vb_generation *g, const float *logits, uint32_t *token, vb_error *e) {
    VB_ASSERT(!g->ended);
    vb_choice choice;
    const uint64_t t = g->n_tokens, *allowed = NULL;
    vb_err err = g->held ? vb_held_mask(g->held, &allowed, e) : VB_OK;
    if (err || (err = vb_sampler_draw_among(g->sampler, logits, allowed,
                                            vb_draw_number(g->o.seed, t), &choice, e))) {
        return err;
    }
    vb_trace_leaf(t, choice.token, logits, g->o.n_vocab, g->leaf);
    vb_trace_add(&g->trace, g->leaf);
    *token = choice.token;
    return accept(g, choice.token, e);
}

vb_err vb_generation_follow(vb_generation *g, uint32_t token, vb_error *e) {
    VB_ASSERT(!g->ended);
    if (token >= g->o.n_vocab) {
        return vb_fail(e, VB_EINVAL, "token %u is outside the vocabulary of %zu", token,
                       g->o.n_vocab);
    }
    return accept(g, token, e);
}

bool vb_generation_ended(const vb_generation *g, vb_finish *finish) {
    if (g->ended && finish) {
        *finish = g->finish;
    }
    return g->ended;
}

const uint32_t *vb_generation_tokens(const vb_generation *g, size_t *n) {
    *n = g->n_tokens;
    return g->tokens;
}

const char *vb_generation_text(const vb_generation *g, size_t *n_bytes) {
    *n_bytes = g->ended ? g->text.len : (size_t)vb_stop_get(g->stop).safe_bytes;
    return g->text.data ? (const char *)g->text.data : "";
}

void vb_generation_trace_root(const vb_generation *g, uint8_t root[VB_SHA256_BYTES]) {
    VB_ASSERT(g->trace.n_leaves == g->n_tokens);
    vb_trace_root(&g->trace, root);
}

const uint8_t *vb_generation_leaf(const vb_generation *g) {
    return g->leaf;
}

void vb_generation_share(const vb_generation *g, uint32_t token, uint64_t *weight,
                         uint64_t *total) {
    vb_sampler_share(g->sampler, token, weight, total);
}

vb_err vb_receipt_generation(const vb_receipt *r, const vb_model *m, const vb_tokenizer *t,
                             vb_stop_string stops[VB_STOP_STRINGS_MAX], vb_generation_options *out,
                             vb_error *e) {
    const vb_receipt_request *q = &r->request;
    const size_t n_vocab = vb_model_get_config(m)->n_vocab;
    if (q->ctx_tokens <= q->n_prompt_tokens) {
        return vb_fail(e, VB_EINVAL, "the prompt has %llu tokens and the context only %u",
                       (unsigned long long)q->n_prompt_tokens, q->ctx_tokens);
    }
    vb_err err = vb_sampling_check(&q->sampling, n_vocab, e);
    if (err) {
        return err;
    }
    const size_t room = q->ctx_tokens - (size_t)q->n_prompt_tokens;
    *out = (vb_generation_options){
        .kernels = vb_model_kernels(m),
        .tokenizer = t,
        .n_vocab = n_vocab,
        .sampling = &q->sampling,
        .prompt = r->prompt.tokens,
        .n_prompt = r->prompt.n_tokens,
        .tokens_max = q->max_tokens < room ? q->max_tokens : room,
        .stop_strings = stops,
        .n_stop_strings = q->n_stop_strings,
        .stop_tokens = q->stop_tokens,
        .n_stop_tokens = q->n_stop_tokens,
    };
    for (size_t i = 0; i < q->n_stop_strings; i++) {
        stops[i] = (vb_stop_string){q->stop_strings[i].p, q->stop_strings[i].len};
    }
    return VB_OK;
}
