/*
 * Ids to bytes, at once or as they come. Tokens may end inside a character: a stream holds
 * those bytes back until the character is whole, or can not become one.
 */
#include <string.h>

#include "tokenizer/internal.h"
#include "tokenizer/utf8.h"

typedef vb_err sink_fn(void *context, const char *bytes, size_t n);

static const char replacement[] = "\xef\xbf\xbd";
static const char spm_space[] = "\xe2\x96\x81";
enum { CHAR_BYTES = 3, CHUNK_BYTES = 256 };

/* The text of a BPE token is in the byte alphabet; what is not is passed on as it stands. */
static vb_err piece_bpe(vb_str s, sink_fn *sink, void *context) {
    char chunk[CHUNK_BYTES];
    size_t used = 0;
    vb_err err = VB_OK;
    for (size_t i = 0; i < s.len && !err;) {
        size_t len;
        int byte = -1;
        if (vb_utf8_classify(s.p + i, s.len - i, &len) == VB_UTF8_WHOLE) {
            byte = vb_alphabet_to_byte(vb_utf8_decode(s.p + i, &len));
        }
        if (byte >= 0) {
            chunk[used++] = (char)byte;
        } else {
            memcpy(chunk + used, s.p + i, len);
            used += len;
        }
        i += len;
        if (used > CHUNK_BYTES - 4) {
            err = sink(context, chunk, used);
            used = 0;
        }
    }
    return err || !used ? err : sink(context, chunk, used);
}

static vb_err piece_spm(vb_str s, bool *at_start, sink_fn *sink, void *context) {
    vb_err err = VB_OK;
    for (size_t i = 0; i < s.len && !err;) {
        if (s.len - i >= CHAR_BYTES && memcmp(s.p + i, spm_space, CHAR_BYTES) == 0) {
            err = *at_start ? VB_OK : sink(context, " ", 1);
            i += CHAR_BYTES;
        } else {
            size_t run = i + 1;
            while (run < s.len && s.p[run] != spm_space[0]) {
                run++;
            }
            err = sink(context, s.p + i, run - i);
            i = run;
        }
        *at_start = false;
    }
    return err;
}

/* at_start: a space that SentencePiece put before the text is still to be dropped. */
static vb_err piece(const vb_tokenizer *t, uint32_t id, bool print_special, bool *at_start,
                    sink_fn *sink, void *context, vb_error *e) {
    if (id >= t->n) {
        return vb_fail(e, VB_EINVAL, "token id %u: the vocabulary has %u tokens", id, t->n);
    }
    vb_str s = t->texts[id];
    vb_err err = VB_OK;
    int byte;
    switch (t->kinds[id]) {
    case VB_TOKEN_CONTROL:
    case VB_TOKEN_UNKNOWN: err = print_special ? sink(context, s.p, s.len) : VB_OK; break;
    case VB_TOKEN_USER_DEFINED:
        *at_start = *at_start && !s.len;
        err = sink(context, s.p, s.len);
        break;
    case VB_TOKEN_NORMAL:
        err = t->spm ? piece_spm(s, at_start, sink, context) : piece_bpe(s, sink, context);
        break;
    case VB_TOKEN_BYTE:
        byte = vb_spm_byte(s);
        if (byte >= 0) {
            char c = (char)byte;
            *at_start = false;
            err = sink(context, &c, 1);
        }
        break;
    default: break;
    }
    return err ? vb_fail(e, err, "token id %u: the text does not fit its buffer", id) : VB_OK;
}

static vb_err sink_to_buf(void *context, const char *bytes, size_t n) {
    return n ? vb_buf_append(context, bytes, n) : VB_OK;
}

static void buf_cut(vb_buf *b, size_t len) {
    b->len = len;
    if (b->data) {
        b->data[len] = 0;
    }
}

vb_err vb_tokenizer_decode(const vb_tokenizer *t, const uint32_t *ids, size_t n, bool print_special,
                           bool strip_leading_space, vb_buf *out, vb_error *e) {
    size_t len = out->len;
    bool at_start = strip_leading_space && t->add_space_prefix;
    for (size_t i = 0; i < n; i++) {
        vb_err err = piece(t, ids[i], print_special, &at_start, sink_to_buf, out, e);
        if (err) {
            buf_cut(out, len);
            return err;
        }
    }
    return VB_OK;
}

void vb_stream_init(vb_stream *s, bool strip_leading_space, bool print_special) {
    *s = (vb_stream){.at_start = strip_leading_space, .print_special = print_special};
}

typedef struct stream_sink {
    vb_stream *s;
    vb_buf *out;
} stream_sink;

/* Gives what pending has become: whole characters, and U+FFFD for each ill-formed part. */
static vb_err settle(vb_stream *s, vb_buf *out) {
    while (s->n_pending) {
        size_t len;
        const char *p = (const char *)s->pending;
        vb_utf8_kind kind = vb_utf8_classify(p, s->n_pending, &len);
        if (kind == VB_UTF8_PARTIAL) {
            break;
        }
        vb_err err = kind == VB_UTF8_WHOLE ? vb_buf_append(out, p, len)
                                           : vb_buf_append(out, replacement, CHAR_BYTES);
        if (err) {
            return err;
        }
        s->n_pending -= len;
        memmove(s->pending, s->pending + len, s->n_pending);
    }
    return VB_OK;
}

static vb_err sink_to_stream(void *context, const char *bytes, size_t n) {
    stream_sink *x = context;
    for (size_t i = 0; i < n;) {
        vb_err err;
        size_t valid = x->s->n_pending ? 0 : vb_utf8_valid_bytes(bytes + i, n - i);
        if (valid) {
            err = vb_buf_append(x->out, bytes + i, valid);
            i += valid;
        } else {
            x->s->pending[x->s->n_pending++] = (uint8_t)bytes[i++];
            err = settle(x->s, x->out);
        }
        if (err) {
            return err;
        }
    }
    return VB_OK;
}

vb_err vb_stream_push(vb_stream *s, const vb_tokenizer *t, uint32_t id, vb_buf *out, vb_error *e) {
    vb_stream before = *s;
    size_t len = out->len;
    bool at_start = s->at_start && t->add_space_prefix;
    vb_err err =
        piece(t, id, s->print_special, &at_start, sink_to_stream, &(stream_sink){s, out}, e);
    s->at_start = at_start;
    if (err) {
        *s = before;
        buf_cut(out, len);
    }
    return err;
}

vb_err vb_stream_finish(vb_stream *s, vb_buf *out, vb_error *e) {
    vb_err err = s->n_pending ? vb_buf_append(out, replacement, CHAR_BYTES) : VB_OK;
    if (err) {
        return vb_fail(e, err, "the end of the text does not fit its buffer");
    }
    s->n_pending = 0;
    return VB_OK;
}
