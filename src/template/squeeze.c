/*
 * Templates of one family differ in layout: line breaks, trim marks, kinds of quotes. This
 * strips all of that, so that recognising a template is a matter of comparing strings, and
 * notices text outside tags, which no known template prints.
 */
#include "template/squeeze.h"

#include <string.h>

typedef struct squeezer {
    vb_str in;
    size_t at;
    vb_buf *out;
    bool prints_text;
    bool after_trim;  /* the tag before trims what follows it */
    bool after_block; /* the tag before is a block: one newline after it is not printed */
} squeezer;

static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

static bool starts(const squeezer *x, size_t at, const char *text) {
    size_t n = strlen(text);
    return x->in.len - at >= n && memcmp(x->in.p + at, text, n) == 0;
}

static bool is_tag(const squeezer *x, size_t at) {
    return starts(x, at, "{{") || starts(x, at, "{%") || starts(x, at, "{#");
}

/* Transformers renders with trim_blocks and lstrip_blocks, and without a last newline. */
static bool would_print(const squeezer *x, size_t begin, size_t end) {
    bool at_end = end == x->in.len;
    for (size_t i = begin; i < end; i++) {
        if (!is_blank(x->in.p[i])) {
            return true;
        }
    }
    if (x->after_trim || (!at_end && end + 2 < x->in.len && x->in.p[end + 2] == '-')) {
        return false;
    }
    if (begin < end && x->after_block && x->in.p[begin] == '\n') {
        begin++;
    }
    if (at_end) {
        return end - begin > 1 || (end > begin && x->in.p[begin] != '\n');
    }
    return begin < end && (x->in.p[end + 1] == '{' || memchr(x->in.p + begin, '\n', end - begin));
}

static void skip_text(squeezer *x) {
    size_t begin = x->at;
    while (x->at < x->in.len && !is_tag(x, x->at)) {
        x->at++;
    }
    x->prints_text = x->prints_text || would_print(x, begin, x->at);
}

static vb_err squeeze_literal(squeezer *x, char quote) {
    size_t begin = x->at;
    while (x->at < x->in.len && x->in.p[x->at] != quote) {
        x->at += x->in.p[x->at] == '\\' ? 2 : 1;
    }
    if (x->at >= x->in.len) {
        return VB_EFORMAT;
    }
    size_t len = x->at - begin;
    x->at++;
    const char *mark = memchr(x->in.p + begin, '\'', len) ? "\"" : "'";
    vb_err err = vb_buf_append(x->out, mark, 1);
    for (size_t i = begin; i < begin + len && !err; i++) {
        err = x->in.p[i] == '\n' ? vb_buf_append(x->out, "\\n", 2)
                                 : vb_buf_append(x->out, x->in.p + i, 1);
    }
    return err ? err : vb_buf_append(x->out, mark, 1);
}

static vb_err skip_comment(squeezer *x) {
    while (x->at < x->in.len && !starts(x, x->at, "#}")) {
        x->at++;
    }
    if (x->at >= x->in.len) {
        return VB_EFORMAT;
    }
    x->after_trim = x->in.p[x->at - 1] == '-';
    x->after_block = true;
    x->at += 2;
    return VB_OK;
}

static vb_err squeeze_tag(squeezer *x) {
    const char *close = starts(x, x->at, "{{") ? "}}" : "%}";
    if (starts(x, x->at, "{#")) {
        x->at += 2;
        return skip_comment(x);
    }
    vb_err err = vb_buf_append(x->out, x->in.p + x->at, 2);
    x->at += 2;
    if (x->at < x->in.len && (x->in.p[x->at] == '-' || x->in.p[x->at] == '+')) {
        x->at++;
    }
    while (x->at < x->in.len && !starts(x, x->at, close) && !err) {
        char c = x->in.p[x->at++];
        if (c == '\'' || c == '"') {
            err = squeeze_literal(x, c);
        } else if (!is_blank(c) && !(c == '-' && starts(x, x->at, close))) {
            err = vb_buf_append(x->out, &c, 1);
        }
    }
    if (err || x->at >= x->in.len) {
        return err ? err : VB_EFORMAT;
    }
    x->after_trim = x->in.p[x->at - 1] == '-';
    x->after_block = close[0] == '%';
    x->at += 2;
    return vb_buf_append(x->out, close, 2);
}

vb_err vb_jinja_squeeze(vb_str source, vb_buf *out, bool *prints_text) {
    squeezer x = {.in = source, .out = out};
    vb_err err = VB_OK;
    while (!err && x.at < source.len) {
        skip_text(&x);
        if (x.at < source.len) {
            err = squeeze_tag(&x);
        }
    }
    *prints_text = x.prints_text;
    return err;
}
