/*
 * A state machine over bytes. `held` is the text that is not decided yet: it begins at the first
 * byte that no event has covered. `quiet` of its bytes are white space before something that may
 * become markup. Decisions depend on bytes alone, never on where pieces end.
 */
#include "api/message.h"

#include <stdlib.h>
#include <string.h>

#include "api/call.h"
#include "base/bytes.h"
#include "tokenizer/utf8.h"

typedef enum state {
    BEGINNING, /* nothing but white space and a part of <think> */
    THINK,     /* white space after <think> */
    THINKING,  /* reasoning; held: white space and a part of </think> */
    THOUGHT,   /* white space after </think> */
    CONTENT,   /* held: white space and a part of <tool_call> */
    CALLING,   /* held: from the white space before <tool_call> on */
    BARE,      /* Llama 3: held: the whole content */
    WHOLE      /* held: all of the text, of which a constraint says what it is */
} state;

struct vb_message_parser {
    vb_message_options options;
    void (*on_event)(void *user, const vb_message_event *event);
    void *user;
    state state;
    vb_buf held;
    size_t quiet;       /* bytes of held: white space before a tag or its part */
    vb_call_edge edge;  /* CALLING: of the bytes after the tag */
    size_t close_match; /* CALLING: bytes of </tool_call> that have come */
    bool after_call;    /* a call has come, and no content after it */
    size_t n_calls;
    /* Text of one kind that feed gives as one event, when it ends or the kind changes. */
    vb_message_kind kind;
    vb_buf text;
};

enum {
    HELD_BYTES_MAX = VB_API_TOOL_CALL_BYTES_MAX + VB_API_SPACE_BYTES_MAX + 64,
    /* Past these the first name of what Llama 3 calls has come: tag, white space twice, name. */
    BARE_BEGINNING_BYTES_MAX = 2 * VB_API_SPACE_BYTES_MAX + 64
};

static const char think_open[] = "<think>", think_close[] = "</think>";
static const char call_open[] = "<tool_call>", call_close[] = "</tool_call>";
static const char python_tag[] = "<|python_tag|>";

static bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void give(vb_message_parser *m, size_t n_bytes) {
    const vb_message_event event = {.kind = m->kind, .raw = {(const char *)m->text.data, n_bytes}};
    if (n_bytes) {
        m->on_event(m->user, &event);
        memmove(m->text.data, m->text.data + n_bytes, m->text.len - n_bytes);
        m->text.len -= n_bytes;
    }
}

/* Bytes at the end that begin a character which needs more. */
static size_t partial_bytes(const vb_buf *b) {
    for (size_t back = 1; back <= 3 && back <= b->len; back++) {
        const char *p = (const char *)b->data + b->len - back;
        size_t len;
        if (((unsigned char)*p & 0xc0) != 0x80) {
            return vb_utf8_classify(p, back, &len) == VB_UTF8_PARTIAL ? back : 0;
        }
    }
    return 0;
}

static vb_err put(vb_message_parser *m, vb_message_kind kind, const char *p, size_t n) {
    if (n && m->kind != kind) {
        give(m, m->text.len);
        m->kind = kind;
    }
    m->after_call = m->after_call && kind != VB_MESSAGE_CONTENT;
    return vb_buf_append(&m->text, p, n);
}

/* The first n bytes of held become text of a kind. */
static vb_err release(vb_message_parser *m, vb_message_kind kind, size_t n) {
    vb_err err = put(m, kind, (const char *)m->held.data, n);
    if (!err && n) {
        memmove(m->held.data, m->held.data + n, m->held.len - n);
        m->held.len -= n;
        m->quiet = m->quiet > n ? m->quiet - n : 0;
    }
    return err;
}

static vb_err release_all(vb_message_parser *m, vb_message_kind kind) {
    vb_err err = release(m, kind, m->held.len);
    m->quiet = 0;
    return err;
}

/* How held, after its white space, stands to a tag. */
typedef enum match { MATCH_NO, MATCH_PART, MATCH_WHOLE } match;

static match match_tag(const vb_message_parser *m, const char *tag) {
    const size_t n = m->held.len - m->quiet, n_tag = strlen(tag);
    if (n > n_tag || (n && memcmp(m->held.data + m->quiet, tag, n) != 0)) {
        return MATCH_NO;
    }
    return n == n_tag ? MATCH_WHOLE : MATCH_PART;
}

/* Takes c into held, which is white space and a part of tag; text that is no part of either becomes
 * text of kind. Neither tag has its first byte again further on, so that after a mismatch only c
 * itself can begin a new tag. */
static vb_err seek(vb_message_parser *m, char c, const char *tag, vb_message_kind kind,
                   match *found) {
    vb_err err = VB_OK;
    *found = MATCH_NO;
    if (is_space(c)) {
        /* White space after a part of a tag: the part is text. */
        if (m->held.len > m->quiet || m->quiet == VB_API_SPACE_BYTES_MAX) {
            err = release_all(m, kind);
        }
        if (!err && !(err = vb_buf_append(&m->held, &c, 1))) {
            m->quiet++;
        }
        return err;
    }
    if ((err = vb_buf_append(&m->held, &c, 1))) {
        return err;
    }
    *found = match_tag(m, tag);
    if (*found != MATCH_NO) {
        return VB_OK;
    }
    const bool again = c == tag[0];
    err = release(m, kind, m->held.len - again);
    m->quiet = 0;
    return err;
}

static state content_state(const vb_message_parser *m) {
    return m->options.tools == VB_TOOL_FORM_LLAMA3 ? BARE : CONTENT;
}

static vb_err step(vb_message_parser *m, char c);

/* Something else than <think>: what was held is read again as what comes after the beginning. */
static vb_err begin_without_tag(vb_message_parser *m) {
    char again[VB_API_SPACE_BYTES_MAX + sizeof think_open];
    const size_t n = m->held.len;
    VB_ASSERT(n <= sizeof again);
    memcpy(again, m->held.data, n);
    m->held.len = m->quiet = 0;
    m->state = m->options.think_open ? THINK : content_state(m);
    vb_err err = VB_OK;
    for (size_t i = 0; i < n && !err; i++) {
        err = step(m, again[i]);
    }
    return err;
}

static vb_err step_beginning(vb_message_parser *m, char c) {
    vb_err err = vb_buf_append(&m->held, &c, 1);
    if (err) {
        return err;
    }
    if (is_space(c) && m->quiet + 1 == m->held.len && m->quiet < VB_API_SPACE_BYTES_MAX) {
        m->quiet++;
        return VB_OK;
    }
    switch (match_tag(m, think_open)) {
    case MATCH_PART: return VB_OK;
    case MATCH_WHOLE: m->state = THINK; return release_all(m, VB_MESSAGE_MARKUP);
    case MATCH_NO: break;
    }
    return begin_without_tag(m);
}

static vb_err step_thinking(vb_message_parser *m, char c) {
    match found;
    vb_err err = seek(m, c, think_close, VB_MESSAGE_REASONING, &found);
    if (!err && found == MATCH_WHOLE) {
        m->state = THOUGHT;
        err = release_all(m, VB_MESSAGE_MARKUP);
    }
    return err;
}

static vb_err step_content(vb_message_parser *m, char c) {
    match found;
    if (m->options.tools != VB_TOOL_FORM_HERMES) {
        return put(m, VB_MESSAGE_CONTENT, &c, 1);
    }
    vb_err err = seek(m, c, call_open, VB_MESSAGE_CONTENT, &found);
    if (!err && found == MATCH_WHOLE) {
        m->state = CALLING;
        m->edge = (vb_call_edge){.depth = 0};
        m->close_match = 0;
    }
    return err;
}

const char *vb_tool_form_arguments(vb_tool_form form) {
    return form == VB_TOOL_FORM_LLAMA3 ? "parameters" : "arguments";
}

static size_t calls_max(const vb_message_parser *m) {
    return m->options.one_call ? 1 : VB_API_TOOL_CALLS_MAX;
}

static void give_call(vb_message_parser *m, vb_str raw, const vb_call *call) {
    give(m, m->text.len);
    const vb_message_event event = {.kind = VB_MESSAGE_CALL,
                                    .raw = raw,
                                    .index = m->n_calls++,
                                    .name = call->name,
                                    .arguments = call->arguments};
    m->on_event(m->user, &event);
    m->after_call = true;
}

/* held is white space, <tool_call>, a body and n_close bytes of </tool_call>: a call, or content.
 */
static vb_err finish_call(vb_message_parser *m, size_t n_close) {
    const char *p = (const char *)m->held.data + m->quiet;
    const size_t n = m->held.len - m->quiet, n_open = strlen(call_open);
    vb_call call;
    m->state = CONTENT;
    vb_err err = m->n_calls == calls_max(m)
                     ? VB_EFORMAT
                     : vb_call_read((vb_str){p + n_open, n - n_open - n_close},
                                    vb_tool_form_arguments(VB_TOOL_FORM_HERMES), &call);
    if (err == VB_EFORMAT) {
        return release_all(m, VB_MESSAGE_CONTENT);
    }
    if (err || (err = put(m, VB_MESSAGE_MARKUP, (const char *)m->held.data, m->quiet))) {
        return err;
    }
    give_call(m, (vb_str){p, n}, &call);
    m->held.len = m->quiet = 0;
    return VB_OK;
}

/* The closing tag counts only outside of JSON's strings: arguments may well speak of it. */
static vb_err step_calling(vb_message_parser *m, char c) {
    vb_err err = vb_buf_append(&m->held, &c, 1);
    if (err) {
        return err;
    }
    if (m->held.len - m->quiet > VB_API_TOOL_CALL_BYTES_MAX) {
        m->state = CONTENT;
        return release_all(m, VB_MESSAGE_CONTENT);
    }
    const bool in_string = m->edge.in_string;
    vb_call_edge_step(&m->edge, c);
    if (in_string) {
        m->close_match = 0;
        return VB_OK;
    }
    m->close_match = c == call_close[m->close_match] ? m->close_match + 1 : c == call_close[0];
    return m->close_match == strlen(call_close) ? finish_call(m, m->close_match) : VB_OK;
}

static bool begins_with(const char *p, size_t n, const char *text) {
    return n >= strlen(text) && memcmp(p, text, strlen(text)) == 0;
}

/* White space at p, at most as much as is held back. */
static size_t space_bytes(const char *p, size_t n) {
    size_t i = 0;
    while (i < n && i < VB_API_SPACE_BYTES_MAX && is_space(p[i])) {
        i++;
    }
    return i;
}

/* Whether n bytes can be the beginning of Llama 3's calls: its tag, a bracket, the first name. */
static bool may_be_bare(const vb_message_parser *m) {
    static const char *const names[] = {"\"name\"", "\"type\"", "\"parameters\""};
    const char *p = (const char *)m->held.data + m->quiet;
    const size_t n = m->held.len - m->quiet;
    size_t at = 0;
    if (match_tag(m, python_tag) != MATCH_NO) {
        return true;
    }
    at += begins_with(p, n, python_tag) ? strlen(python_tag) : 0;
    at += space_bytes(p + at, n - at);
    if (at < n && p[at++] != '{') {
        return false;
    }
    at += space_bytes(p + at, n - at);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const size_t n_name = strlen(names[i]), left = n - at;
        if (memcmp(p + at, names[i], left < n_name ? left : n_name) == 0) {
            return true;
        }
    }
    return false;
}

/* Llama 3's calls are the whole of the content, which is held until its end shows whether they are;
 * anything else shows early, by its first bytes. */
static vb_err step_bare(vb_message_parser *m, char c) {
    vb_err err = vb_buf_append(&m->held, &c, 1);
    if (err) {
        return err;
    }
    if (is_space(c) && m->quiet + 1 == m->held.len) {
        m->quiet++;
    }
    const size_t n = m->held.len - m->quiet;
    if (m->quiet <= VB_API_SPACE_BYTES_MAX && n <= VB_API_TOOL_CALL_BYTES_MAX &&
        (n > BARE_BEGINNING_BYTES_MAX || may_be_bare(m))) {
        return VB_OK;
    }
    m->state = CONTENT;
    return release_all(m, VB_MESSAGE_CONTENT);
}

typedef struct bare_call {
    size_t from, to; /* bytes of held */
    vb_call call;
} bare_call;

/* The calls that all of held is made of; VB_EFORMAT when it is anything else. */
static vb_err read_bare(const vb_message_parser *m, bare_call calls[VB_API_TOOL_CALLS_MAX],
                        size_t *n_calls) {
    const char *p = (const char *)m->held.data;
    size_t at = m->quiet, n = 0;
    const size_t end = m->held.len;
    at += begins_with(p + at, end - at, python_tag) ? strlen(python_tag) : 0;
    for (;;) {
        while (at < end && is_space(p[at])) {
            at++;
        }
        if (at == end) {
            *n_calls = n;
            return n ? VB_OK : VB_EFORMAT;
        }
        if (n == VB_API_TOOL_CALLS_MAX || p[at] != '{') {
            return VB_EFORMAT;
        }
        vb_call_edge edge = {.depth = 0};
        bare_call *c = &calls[n++];
        c->from = at;
        while (at < end && !vb_call_edge_step(&edge, p[at])) {
            at++;
        }
        c->to = at += at < end;
        vb_err err = vb_call_read((vb_str){p + c->from, c->to - c->from},
                                  vb_tool_form_arguments(VB_TOOL_FORM_LLAMA3), &c->call);
        if (err) {
            return err;
        }
        while (at < end && is_space(p[at])) {
            at++;
        }
        if (at < end && p[at++] != ';') {
            return VB_EFORMAT;
        }
    }
}

static vb_err finish_bare(vb_message_parser *m) {
    bare_call calls[VB_API_TOOL_CALLS_MAX];
    const char *p = (const char *)m->held.data;
    size_t n_calls, at = 0;
    vb_err err = read_bare(m, calls, &n_calls);
    if (err) {
        return err == VB_EFORMAT ? release_all(m, VB_MESSAGE_CONTENT) : err;
    }
    for (size_t i = 0; i < n_calls && i < calls_max(m); i++) {
        if ((err = put(m, VB_MESSAGE_MARKUP, p + at, calls[i].from - at))) {
            return err;
        }
        at = calls[i].to;
        give_call(m, (vb_str){p + calls[i].from, at - calls[i].from}, &calls[i].call);
    }
    err = put(m, n_calls > calls_max(m) ? VB_MESSAGE_CONTENT : VB_MESSAGE_MARKUP, p + at,
              m->held.len - at);
    m->held.len = m->quiet = 0;
    return err;
}

static vb_err step_whole(vb_message_parser *m, char c) {
    const vb_err err = vb_buf_append(&m->held, &c, 1);
    if (err || m->held.len <= VB_API_TOOL_CALL_BYTES_MAX) {
        return err;
    }
    m->options.tools = VB_TOOL_FORM_NONE;
    m->state = CONTENT;
    return release_all(m, VB_MESSAGE_CONTENT);
}

/* The call that all of held is, but for white space around it; content when it is none. */
static vb_err finish_whole(vb_message_parser *m) {
    const char *p = (const char *)m->held.data;
    size_t from = 0, to = m->held.len;
    vb_call call = {.name = {m->options.function, 0}};
    while (from < to && is_space(p[from])) {
        from++;
    }
    while (from < to && is_space(p[to - 1])) {
        to--;
    }
    const vb_str text = {p + from, to - from};
    vb_err err;
    if (m->options.whole == VB_MESSAGE_WHOLE_CALL) {
        err = vb_call_read(text, vb_tool_form_arguments(m->options.tools), &call);
    } else {
        call.name.len = strlen(m->options.function);
        call.arguments = text;
        err = vb_call_check_arguments(text);
    }
    if (err == VB_EFORMAT) {
        return release_all(m, VB_MESSAGE_CONTENT);
    }
    if (err || (err = put(m, VB_MESSAGE_MARKUP, p, from))) {
        return err;
    }
    give_call(m, text, &call);
    err = put(m, VB_MESSAGE_MARKUP, p + to, m->held.len - to);
    m->held.len = 0;
    return err;
}

/* White space at an edge of markup, or the first byte of what comes next. */
static vb_err step_edge(vb_message_parser *m, char c, state next) {
    if (is_space(c)) {
        return put(m, VB_MESSAGE_MARKUP, &c, 1);
    }
    m->state = next;
    return step(m, c);
}

static vb_err step(vb_message_parser *m, char c) {
    switch (m->state) {
    case BEGINNING: return step_beginning(m, c);
    case THINK: return step_edge(m, c, THINKING);
    case THINKING: return step_thinking(m, c);
    case THOUGHT: return step_edge(m, c, content_state(m));
    case CONTENT: return step_content(m, c);
    case CALLING: return step_calling(m, c);
    case BARE: return step_bare(m, c);
    case WHOLE: return step_whole(m, c);
    }
    return VB_EINTERNAL;
}

static vb_err finish(vb_message_parser *m) {
    vb_err err = VB_OK;
    if (m->state == BEGINNING && m->held.len) {
        err = begin_without_tag(m);
    }
    if (err || m->held.len == 0) {
        return err;
    }
    switch (m->state) {
    case CALLING: err = finish_call(m, 0); break;
    case BARE: err = finish_bare(m); break;
    case WHOLE: err = finish_whole(m); break;
    case THINKING: err = release_all(m, VB_MESSAGE_REASONING); break;
    default:
        err = release_all(m, m->after_call && m->quiet == m->held.len ? VB_MESSAGE_MARKUP
                                                                      : VB_MESSAGE_CONTENT);
    }
    return err;
}

vb_err vb_message_open(const vb_message_options *o,
                       void (*on_event)(void *user, const vb_message_event *event), void *user,
                       vb_message_parser **out, vb_error *e) {
    vb_message_parser *m = calloc(1, sizeof *m);
    if (!m) {
        return vb_fail(e, VB_ENOMEM, "no memory for a message");
    }
    m->options = *o;
    m->on_event = on_event;
    m->user = user;
    m->state = o->whole ? WHOLE : o->reasoning ? BEGINNING : content_state(m);
    m->held = vb_buf_make(HELD_BYTES_MAX);
    m->text = vb_buf_make((size_t)VB_TEXT_BYTES_MAX + HELD_BYTES_MAX);
    *out = m;
    return VB_OK;
}

void vb_message_close(vb_message_parser *m) {
    if (m) {
        vb_buf_free(&m->held);
        vb_buf_free(&m->text);
        free(m);
    }
}

vb_err vb_message_feed(vb_message_parser *m, const char *text, size_t n_bytes, vb_error *e) {
    vb_err err = VB_OK;
    for (size_t i = 0; i < n_bytes && !err; i++) {
        err = step(m, text[i]);
    }
    if (err) {
        return vb_fail(e, err, "no memory to read a message");
    }
    give(m, m->text.len - partial_bytes(&m->text));
    return VB_OK;
}

vb_err vb_message_end(vb_message_parser *m, vb_error *e) {
    vb_err err = finish(m);
    if (err) {
        return vb_fail(e, err, "no memory for the end of a message");
    }
    give(m, m->text.len);
    return VB_OK;
}

size_t vb_message_calls(const vb_message_parser *m) {
    return m->n_calls;
}

static bool mentions(vb_str source, const char *text) {
    return source.len && memmem(source.p, source.len, text, strlen(text)) != NULL;
}

vb_tool_form vb_tool_form_of_template(vb_str source) {
    if (!mentions(source, "tools")) {
        return VB_TOOL_FORM_NONE;
    }
    if (mentions(source, "<tool_call>")) {
        return VB_TOOL_FORM_HERMES;
    }
    /* Llama 3 prints results as the role ipython, and calls with "parameters". */
    return mentions(source, "ipython") && mentions(source, "\"parameters\"") ? VB_TOOL_FORM_LLAMA3
                                                                             : VB_TOOL_FORM_NONE;
}
