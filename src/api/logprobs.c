/*
 * Log probabilities in the shapes of both endpoints. A token that is no whole text, half of a
 * character for instance, is written as OpenAI's completions do: bytes:\xe2\x82.
 */
#include <stdio.h>
#include <string.h>

#include "api/response_parts.h"
#include "tokenizer/utf8.h"

static const double LOGPROB_MIN = -9999.0; /* OpenAI's, for what is as good as impossible */

static void write_logprob(vb_api_writer *w, double logprob) {
    vb_api_write_real(w, logprob >= LOGPROB_MIN ? logprob : LOGPROB_MIN);
}

/* The text that stands for a token; VB_ELIMIT or VB_ENOMEM stays in w. */
static void spell(vb_api_writer *w, vb_str bytes, vb_buf *out) {
    out->len = 0;
    vb_err err;
    if (vb_utf8_valid_bytes(bytes.p, bytes.len) == bytes.len) {
        err = vb_buf_append(out, bytes.p, bytes.len);
    } else {
        err = vb_buf_append(out, "bytes:", 6);
        for (size_t i = 0; i < bytes.len && !err; i++) {
            err = vb_buf_printf(out, "\\x%02x", (unsigned char)bytes.p[i]);
        }
    }
    w->err = w->err ? w->err : err;
}

static vb_str spelling(const vb_buf *b) {
    return (vb_str){(const char *)b->data, b->len};
}

static vb_buf make_spelling(void) {
    return vb_buf_make(6 + 4 * (size_t)VB_TOKEN_BYTES_MAX);
}

static void write_token(vb_api_writer *w, const vb_api_token *t, bool with_top) {
    vb_buf text = make_spelling();
    spell(w, t->bytes, &text);
    vb_api_write_begin(w, '{');
    vb_api_write_key(w, "token");
    vb_api_write_string(w, spelling(&text));
    vb_buf_free(&text);
    vb_api_write_key(w, "logprob");
    write_logprob(w, t->logprob);
    vb_api_write_key(w, "bytes");
    vb_api_write_begin(w, '[');
    for (size_t i = 0; i < t->bytes.len; i++) {
        vb_api_write_number(w, (unsigned char)t->bytes.p[i]);
    }
    vb_api_write_end(w, ']');
    if (with_top) {
        vb_api_write_key(w, "top_logprobs");
        vb_api_write_begin(w, '[');
        for (size_t i = 0; i < t->n_top; i++) {
            write_token(w, &t->top[i], false);
        }
        vb_api_write_end(w, ']');
    }
    vb_api_write_end(w, '}');
}

void vb_api_write_chat_logprobs(vb_api_writer *w, const vb_api_logprobs *l) {
    if (!l->p) {
        vb_api_write_null(w);
        return;
    }
    vb_api_write_begin(w, '{');
    vb_api_write_key(w, "content");
    vb_api_write_begin(w, '[');
    for (size_t i = 0; i < l->n; i++) {
        write_token(w, &l->p[i], true);
    }
    vb_api_write_end(w, ']');
    vb_api_write_member(w, "refusal", NULL);
    vb_api_write_end(w, '}');
}

static void write_spelled(vb_api_writer *w, vb_str bytes) {
    vb_buf text = make_spelling();
    spell(w, bytes, &text);
    vb_api_write_string(w, spelling(&text));
    vb_buf_free(&text);
}

static bool same_bytes(vb_str a, vb_str b) {
    return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

static void write_top_entry(vb_api_writer *w, const vb_api_token *t) {
    write_spelled(w, t->bytes);
    vb_api_write_colon(w);
    write_logprob(w, t->logprob);
}

/* A map of spellings: of tokens that decode to the same bytes (several decode to nothing) the
 * likeliest, because an object has a name once. The token itself is always in it. */
static void write_top_map(vb_api_writer *w, const vb_api_token *t) {
    bool has_own = false;
    vb_api_write_begin(w, '{');
    for (size_t i = 0; i < t->n_top; i++) {
        size_t first = 0;
        while (!same_bytes(t->top[first].bytes, t->top[i].bytes)) {
            first++;
        }
        has_own = has_own || same_bytes(t->top[i].bytes, t->bytes);
        if (first == i) {
            write_top_entry(w, &t->top[i]);
        }
    }
    if (!has_own) {
        write_top_entry(w, t);
    }
    vb_api_write_end(w, '}');
}

void vb_api_write_completion_logprobs(vb_api_writer *w, const vb_api_logprobs *l) {
    if (!l->p) {
        vb_api_write_null(w);
        return;
    }
    vb_api_write_begin(w, '{');
    vb_api_write_key(w, "tokens");
    vb_api_write_begin(w, '[');
    for (size_t i = 0; i < l->n; i++) {
        write_spelled(w, l->p[i].bytes);
    }
    vb_api_write_end(w, ']');
    vb_api_write_key(w, "token_logprobs");
    vb_api_write_begin(w, '[');
    for (size_t i = 0; i < l->n; i++) {
        write_logprob(w, l->p[i].logprob);
    }
    vb_api_write_end(w, ']');
    vb_api_write_key(w, "top_logprobs");
    vb_api_write_begin(w, '[');
    for (size_t i = 0; i < l->n; i++) {
        write_top_map(w, &l->p[i]);
    }
    vb_api_write_end(w, ']');
    vb_api_write_key(w, "text_offset");
    vb_api_write_begin(w, '[');
    for (size_t i = 0; i < l->n; i++) {
        vb_api_write_number(w, l->p[i].text_offset);
    }
    vb_api_write_end(w, ']');
    vb_api_write_end(w, '}');
}
