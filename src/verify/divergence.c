#include "verify/divergence.h"

#include <string.h>

#include "base/limits.h"

/* Every token of a text has a byte or more but for a few that have none: so many tokens before a
 * position nearly always hold the bytes that a snippet shows. */
enum { CONTEXT_TOKENS = 2 * VB_SNIPPET_BYTES };

static bool is_continuation(uint8_t byte) {
    return (byte & 0xc0) == 0x80;
}

/* The text of a few tokens, control tokens included when they are to be shown. */
static vb_buf text_of(const vb_tokenizer *tokenizer, const uint32_t *tokens, size_t n,
                      bool show_control) {
    vb_buf text = vb_buf_make(VB_TEXT_BYTES_MAX);
    vb_stream stream;
    vb_err err = VB_OK;
    vb_stream_init(&stream, false, show_control);
    for (size_t i = 0; i < n && !err; i++) {
        err = vb_stream_push(&stream, tokenizer, tokens[i], &text, NULL);
    }
    if (err || vb_stream_finish(&stream, &text, NULL)) {
        text.len = 0;
    }
    return text;
}

static void keep_beginning(vb_snippet *s, const vb_buf *text) {
    size_t n = text->len < VB_SNIPPET_BYTES ? text->len : VB_SNIPPET_BYTES;
    while (n > 0 && n < text->len && is_continuation(text->data[n])) {
        n--;
    }
    s->cut = n < text->len;
    s->len = n;
    if (n) {
        memcpy(s->text, text->data, n);
    }
}

static void keep_end(vb_snippet *s, const vb_buf *text) {
    size_t from = text->len > VB_SNIPPET_BYTES ? text->len - VB_SNIPPET_BYTES : 0;
    while (from > 0 && from < text->len && is_continuation(text->data[from])) {
        from++;
    }
    s->cut = s->cut || from > 0;
    s->len = text->len - from;
    if (s->len) {
        memcpy(s->text, text->data + from, s->len);
    }
}

void vb_divergence_describe(vb_divergence *d, const vb_tokenizer *tokenizer,
                            const uint32_t *output) {
    const size_t t = (size_t)d->t, from = t > CONTEXT_TOKENS ? t - CONTEXT_TOKENS : 0;
    vb_buf text = text_of(tokenizer, output + from, t - from, false);
    d->context.cut = from > 0;
    keep_end(&d->context, &text);
    vb_buf_free(&text);
    text = text_of(tokenizer, &d->expected, 1, true);
    keep_beginning(&d->expected_text, &text);
    vb_buf_free(&text);
    text = text_of(tokenizer, &d->found, 1, true);
    keep_beginning(&d->found_text, &text);
    vb_buf_free(&text);
}
