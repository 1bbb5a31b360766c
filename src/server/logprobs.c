/*
 * The logprobs of a choice, from the draw of a token to the chunk that shows them. Tokens wait here
 * while their text is held back, and all of them for an answer in one piece.
 */
#include <stdlib.h>
#include <string.h>

#include "server/answering.h"

enum { TOKENS_FIRST = 64 };

/* Of each token itself and the likeliest ones. */
static size_t entries_each(const vb_answer_choice *c) {
    return 1 + c->logprobs.n_top;
}

vb_err vb_answer_logprobs_add(vb_answer_choice *c, uint32_t token, const float *logits) {
    vb_answer_logprobs *l = &c->logprobs;
    const vb_generation_options *o = &c->a->options[c->index];
    const size_t each = entries_each(c);
    if (l->n == l->cap) {
        const size_t cap = l->cap ? 2 * l->cap : TOKENS_FIRST;
        vb_logprob *entries = realloc(l->entries, cap * each * sizeof *entries);
        if (!entries) {
            return VB_ENOMEM;
        }
        l->entries = entries;
        l->cap = cap;
    }
    vb_logprob *own = l->entries + l->n * each;
    own->token = token;
    const size_t n_top =
        vb_logprobs(o->kernels, logits, o->n_vocab, token, &own->logprob, own + 1, l->n_top);
    VB_ASSERT(n_top == l->n_top);
    l->n++;
    return VB_OK;
}

/* The bytes that a token adds to an answer's text: those that end one add none, and logits beyond
 * the vocabulary stand for nothing. */
static vb_err append_bytes(const vb_tokenizer *t, uint32_t token, vb_buf *out) {
    if (token >= vb_tokenizer_size(t) || vb_tokenizer_is_eog(t, token)) {
        return VB_OK;
    }
    return vb_tokenizer_decode(t, &token, 1, false, false, out, NULL);
}

/* Characters that begin in the bytes. */
static size_t characters(vb_str bytes) {
    size_t n = 0;
    for (size_t i = 0; i < bytes.len; i++) {
        n += ((unsigned char)bytes.p[i] & 0xc0) != 0x80;
    }
    return n;
}

/* Every entry as the API shows it; bytes, which is empty, holds their texts. */
static vb_err spell(const vb_answer_choice *c, vb_api_token *tokens, vb_buf *bytes) {
    const vb_answer_logprobs *l = &c->logprobs;
    const size_t each = entries_each(c), n = l->n * each;
    vb_err err = VB_OK;
    for (size_t i = 0; i < n && !err; i++) {
        const size_t at = bytes->len;
        err = append_bytes(c->a->m->o.tokenizer, l->entries[i].token, bytes);
        tokens[i] =
            (vb_api_token){.bytes = {NULL, bytes->len - at}, .logprob = l->entries[i].logprob};
    }
    const char *p = (const char *)bytes->data;
    for (size_t i = 0; i < n && !err; i++) {
        tokens[i].bytes.p = tokens[i].bytes.len ? p : "";
        p += tokens[i].bytes.len;
    }
    return err;
}

vb_err vb_answer_logprobs_take(vb_answer_choice *c, vb_answer_shown *out) {
    vb_answer_logprobs *l = &c->logprobs;
    const size_t each = entries_each(c);
    *out = (vb_answer_shown){.bytes = vb_buf_make(VB_RECEIPT_BYTES_MAX)};
    if (l->n == 0) {
        return VB_OK;
    }
    /* The tokens, and after them the entries that they are made of. */
    out->tokens = malloc((l->n + l->n * each) * sizeof *out->tokens);
    vb_api_token *entries = out->tokens ? out->tokens + l->n : NULL;
    const vb_err err = entries ? spell(c, entries, &out->bytes) : VB_ENOMEM;
    if (err) {
        vb_answer_shown_free(out);
        return err;
    }
    for (size_t i = 0; i < l->n; i++) {
        vb_api_token *t = &out->tokens[i];
        *t = entries[i * each];
        t->top = entries + i * each + 1;
        t->n_top = l->n_top;
        t->text_offset = l->text_offset;
        l->text_offset += characters(t->bytes);
    }
    out->logprobs = (vb_api_logprobs){out->tokens, l->n};
    l->n = 0;
    return VB_OK;
}

void vb_answer_shown_free(vb_answer_shown *s) {
    free(s->tokens);
    vb_buf_free(&s->bytes);
    *s = (vb_answer_shown){0};
}

void vb_answer_logprobs_free(vb_answer_logprobs *l) {
    free(l->entries);
}
