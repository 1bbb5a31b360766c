/*
 * Rendering and encoding. Every family's template is written once, as calls that give text or
 * markers to a list; the prompt text is the list joined, the prompt ids are its markers as
 * control tokens and the text between them tokenised as text.
 */
#include "template/chat.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "tokenizer/utf8.h"

/* A marker in the text: bytes [begin, end). */
typedef struct marker {
    size_t begin, end;
    bool optional; /* plain text where the vocabulary has no such token */
} marker;

typedef struct script {
    const vb_chat_template *c;
    const vb_chat_message *messages;
    size_t n;
    bool add_generation_prompt;
    const char *date;
    vb_buf text;
    marker *markers;
    size_t n_markers, cap_markers;
    vb_err err; /* sticky: the first failure */
} script;

static void give(script *s, vb_str text) {
    if (!s->err && text.len) {
        s->err = vb_buf_append(&s->text, text.p, text.len);
    }
}

static void give_text(script *s, const char *text) {
    give(s, (vb_str){text, strlen(text)});
}

static void give_marker_kind(script *s, const char *text, bool optional) {
    size_t begin = s->text.len;
    give_text(s, text);
    if (s->err || !text[0]) {
        return;
    }
    if (s->n_markers == s->cap_markers) {
        size_t cap = s->cap_markers ? 2 * s->cap_markers : 64;
        marker *p = realloc(s->markers, cap * sizeof *p);
        if (!p) {
            s->err = VB_ENOMEM;
            return;
        }
        s->markers = p;
        s->cap_markers = cap;
    }
    s->markers[s->n_markers++] = (marker){begin, s->text.len, optional};
}

static void give_marker(script *s, const char *text) {
    give_marker_kind(s, text, false);
}

/* Python's str.strip(): Unicode white space and the four separators U+001C..U+001F. */
static bool is_stripped(uint32_t cp) {
    return vb_utf8_is_space(cp) || (cp >= 0x1c && cp <= 0x1f);
}

static vb_str trimmed(vb_str s) {
    size_t len;
    while (s.len && vb_utf8_classify(s.p, s.len, &len) == VB_UTF8_WHOLE &&
           is_stripped(vb_utf8_decode(s.p, &len))) {
        s.p += len;
        s.len -= len;
    }
    while (s.len) {
        size_t n = 1;
        while (n < s.len && n < 4 && ((uint8_t)s.p[s.len - n] & 0xc0) == 0x80) {
            n++;
        }
        const char *last = s.p + s.len - n;
        if (vb_utf8_classify(last, n, &len) != VB_UTF8_WHOLE || len != n ||
            !is_stripped(vb_utf8_decode(last, &len))) {
            break;
        }
        s.len -= n;
    }
    return s;
}

static bool is_role(const vb_chat_message *m, const char *role) {
    return strcmp(m->role, role) == 0;
}

static bool system_first(const script *s) {
    return is_role(&s->messages[0], "system");
}

static void chatml_turn(script *s, const char *role, vb_str content) {
    give_marker(s, "<|im_start|>");
    give_text(s, role);
    give_text(s, "\n");
    give(s, content);
    give_marker(s, "<|im_end|>");
    give_text(s, "\n");
}

static void render_chatml(script *s) {
    const char *d = s->c->default_system;
    if (d[0] && !system_first(s)) {
        chatml_turn(s, "system", (vb_str){d, strlen(d)});
    }
    for (size_t i = 0; i < s->n; i++) {
        chatml_turn(s, s->messages[i].role, s->messages[i].content);
    }
    if (s->add_generation_prompt) {
        give_marker(s, "<|im_start|>");
        give_text(s, "assistant\n");
    }
}

/* What follows the last </think>: earlier answers are shown without their reasoning. */
static vb_str without_thinking(vb_str s) {
    static const char end[] = "</think>";
    const size_t n = sizeof end - 1;
    const char *found;
    while (s.len && (found = memmem(s.p, s.len, end, n))) {
        s.len -= (size_t)(found - s.p) + n;
        s.p = found + n;
    }
    return s;
}

static void deepseek_system(script *s) {
    const vb_chat_message *last = NULL;
    for (size_t i = 0; i < s->n; i++) {
        const vb_chat_message *m = &s->messages[i];
        if (!is_role(m, "system")) {
            continue;
        }
        if (s->c->join_system) {
            give_text(s, last ? "\n\n" : "");
            give(s, m->content);
        }
        last = m;
    }
    if (last && !s->c->join_system) {
        give(s, last->content);
    }
}

static void render_deepseek_r1(script *s) {
    give_marker(s, s->c->bos);
    deepseek_system(s);
    for (size_t i = 0; i < s->n; i++) {
        const vb_chat_message *m = &s->messages[i];
        if (is_role(m, "user")) {
            give_marker(s, "<｜User｜>");
            give(s, m->content);
        } else if (is_role(m, "assistant")) {
            give_marker(s, "<｜Assistant｜>");
            give(s, without_thinking(m->content));
            give_marker(s, "<｜end▁of▁sentence｜>");
        }
    }
    if (s->add_generation_prompt) {
        give_marker(s, "<｜Assistant｜>");
        if (s->c->open_think) {
            give_marker_kind(s, "<think>", true);
            give_text(s, "\n");
        }
    }
}

static void llama3_header(script *s, const char *role) {
    give_marker(s, "<|start_header_id|>");
    give_text(s, role);
    give_marker(s, "<|end_header_id|>");
    give_text(s, "\n\n");
}

static void render_llama3(script *s) {
    bool dated = s->c->family == VB_CHAT_LLAMA31;
    bool has_system = system_first(s);
    give_marker(s, s->c->bos);
    if (dated) {
        llama3_header(s, "system");
        give_text(s, "Cutting Knowledge Date: December 2023\nToday Date: ");
        give_text(s, s->date ? s->date : "26 Jul 2024");
        give_text(s, "\n\n");
        if (has_system) {
            give(s, trimmed(s->messages[0].content));
        }
        give_marker(s, "<|eot_id|>");
    }
    for (size_t i = dated && has_system; i < s->n; i++) {
        llama3_header(s, s->messages[i].role);
        give(s, trimmed(s->messages[i].content));
        give_marker(s, "<|eot_id|>");
    }
    if (s->add_generation_prompt || s->c->generation_always) {
        llama3_header(s, "assistant");
    }
}

/* <<SYS>> block and first user turn, as one text: the template strips them together. */
static vb_err join_system(vb_str system, vb_str content, vb_buf *out) {
    const vb_str parts[] = {{"<<SYS>>\n", 8}, system, {"\n<</SYS>>\n\n", 11}, content};
    vb_err err = VB_OK;
    for (size_t i = 0; i < sizeof parts / sizeof *parts && !err; i++) {
        err = vb_buf_append(out, parts[i].p, parts[i].len);
    }
    return err;
}

static void llama2_user(script *s, const vb_str *system, vb_str content) {
    vb_buf joined = vb_buf_make(s->text.max);
    if (system) {
        vb_err err = join_system(*system, content, &joined);
        s->err = s->err ? s->err : err;
        content = (vb_str){(const char *)joined.data, joined.len};
    }
    give_text(s, "[INST] ");
    give(s, trimmed(content));
    give_text(s, " [/INST]");
    vb_buf_free(&joined);
}

static bool has_own_system(vb_str content) {
    return content.len && memmem(content.p, content.len, "<<SYS>>", 7) != NULL;
}

static vb_err render_llama2(script *s, vb_error *e) {
    size_t first = system_first(s);
    const char *d = s->c->default_system;
    vb_str system = first ? s->messages[0].content : (vb_str){d, strlen(d)};
    bool with_system = first || (d[0] && !has_own_system(s->messages[0].content));
    if (!s->c->bos_each_turn) {
        give_marker(s, s->c->bos);
    }
    for (size_t i = first; i < s->n; i++) {
        const vb_chat_message *m = &s->messages[i];
        bool user = (i - first) % 2 == 0;
        if (!is_role(m, user ? "user" : "assistant")) {
            return vb_fail(e, VB_EINVAL,
                           "message %zu is of role %s: this model's template wants user and "
                           "assistant in turn, after at most one system message",
                           i, m->role);
        }
        if (user) {
            if (s->c->bos_each_turn) {
                give_marker(s, s->c->bos);
            }
            llama2_user(s, with_system && i == first ? &system : NULL, m->content);
        } else {
            give_text(s, " ");
            give(s, trimmed(m->content));
            give_text(s, " ");
            give_marker(s, s->c->eos);
        }
    }
    return VB_OK;
}

static vb_err check_messages(const script *s, vb_error *e) {
    if (!s->n || s->n > VB_CHAT_MESSAGES_MAX) {
        return vb_fail(e, VB_EINVAL, "%zu messages: a chat prompt has 1 to %u", s->n,
                       VB_CHAT_MESSAGES_MAX);
    }
    for (size_t i = 0; i < s->n; i++) {
        const vb_chat_message *m = &s->messages[i];
        if (!is_role(m, "system") && !is_role(m, "user") && !is_role(m, "assistant")) {
            return vb_fail(e, VB_EINVAL,
                           "message %zu is of role \"%.64s\": expected system, user or assistant",
                           i, m->role);
        }
    }
    if (s->date && strlen(s->date) > VB_CHAT_DATE_BYTES_MAX) {
        return vb_fail(e, VB_EINVAL, "the date has more than %d bytes", VB_CHAT_DATE_BYTES_MAX);
    }
    return VB_OK;
}

static vb_err run(script *s, vb_error *e) {
    vb_err err = check_messages(s, e);
    if (err) {
        return err;
    }
    switch (s->c->family) {
    case VB_CHAT_CHATML: render_chatml(s); break;
    case VB_CHAT_DEEPSEEK_R1: render_deepseek_r1(s); break;
    case VB_CHAT_LLAMA3:
    case VB_CHAT_LLAMA31: render_llama3(s); break;
    case VB_CHAT_LLAMA2: err = render_llama2(s, e); break;
    }
    if (err) {
        return err;
    }
    return s->err ? vb_fail(e, s->err, "the prompt is longer than %zu bytes", s->text.max) : VB_OK;
}

static void script_free(script *s) {
    vb_buf_free(&s->text);
    free(s->markers);
}

const char *vb_chat_family_name(vb_chat_family family) {
    static const char *const names[] = {"chatml", "deepseek-r1", "llama3", "llama3.1", "llama2"};
    VB_ASSERT((size_t)family < sizeof names / sizeof *names);
    return names[family];
}

bool vb_chat_uses_date(const vb_chat_template *c) {
    return c->family == VB_CHAT_LLAMA31;
}

vb_err vb_chat_render(const vb_chat_template *c, const vb_chat_message *messages, size_t n,
                      bool add_generation_prompt, const char *date, vb_buf *out, vb_error *e) {
    script s = {.c = c,
                .messages = messages,
                .n = n,
                .add_generation_prompt = add_generation_prompt,
                .date = date,
                .text = vb_buf_make(VB_TEXT_BYTES_MAX)};
    vb_err err = run(&s, e);
    if (!err && s.text.len) {
        err = vb_buf_append(out, s.text.data, s.text.len);
        if (err) {
            err = vb_fail(e, err, "the prompt does not fit its buffer of %zu bytes", out->max);
        }
    }
    script_free(&s);
    return err;
}

typedef struct id_list {
    uint32_t *data;
    size_t len, cap;
} id_list;

static vb_err add_ids(id_list *l, const uint32_t *ids, size_t n, vb_error *e) {
    if (n > l->cap - l->len) {
        size_t cap = 2 * l->cap + n + 16;
        uint32_t *p = realloc(l->data, cap * sizeof *p);
        if (!p) {
            return vb_fail(e, VB_ENOMEM, "no memory for %zu prompt tokens", cap);
        }
        l->data = p;
        l->cap = cap;
    }
    if (n) {
        memcpy(l->data + l->len, ids, n * sizeof *ids);
    }
    l->len += n;
    return VB_OK;
}

static vb_err add_text(id_list *l, const vb_tokenizer *t, const char *text, size_t len,
                       vb_error *e) {
    uint32_t *ids = NULL;
    size_t n = 0;
    if (!len) {
        return VB_OK;
    }
    vb_err err = vb_tokenizer_encode(t, text, len, false, false, &ids, &n, e);
    if (!err) {
        err = add_ids(l, ids, n, e);
    }
    free(ids);
    return err;
}

/* The token of a marker; VB_TOKEN_NONE for one that may be text and is. */
static vb_err marker_id(const vb_tokenizer *t, const char *text, size_t len, bool optional,
                        int32_t *out, vb_error *e) {
    int32_t id = vb_tokenizer_find(t, text, len);
    if (id != VB_TOKEN_NONE) {
        vb_token_kind kind = vb_tokenizer_token_kind(t, (uint32_t)id);
        if (kind != VB_TOKEN_CONTROL && kind != VB_TOKEN_USER_DEFINED) {
            id = VB_TOKEN_NONE;
        }
    }
    if (id == VB_TOKEN_NONE && !optional) {
        return vb_fail(e, VB_EUNSUPPORTED,
                       "the chat template's marker %.*s is no control token of the vocabulary: "
                       "a message could forge it",
                       (int)len, text);
    }
    *out = id;
    return VB_OK;
}

static vb_err encode_script(const script *s, const vb_tokenizer *t, id_list *l, vb_error *e) {
    const char *text = (const char *)s->text.data;
    size_t done = 0;
    vb_err err = VB_OK;
    for (size_t i = 0; i < s->n_markers && !err; i++) {
        const marker *m = &s->markers[i];
        int32_t id = VB_TOKEN_NONE;
        err = marker_id(t, text + m->begin, m->end - m->begin, m->optional, &id, e);
        if (err || id == VB_TOKEN_NONE) {
            continue;
        }
        err = add_text(l, t, text + done, m->begin - done, e);
        done = m->end;
        if (!err) {
            err = add_ids(l, &(uint32_t){(uint32_t)id}, 1, e);
        }
    }
    return err ? err : add_text(l, t, text + done, s->text.len - done, e);
}

vb_err vb_chat_encode(const vb_chat_template *c, const vb_tokenizer *t,
                      const vb_chat_message *messages, size_t n, bool add_generation_prompt,
                      const char *date, uint32_t **ids, size_t *n_ids, vb_error *e) {
    script s = {.c = c,
                .messages = messages,
                .n = n,
                .add_generation_prompt = add_generation_prompt,
                .date = date,
                .text = vb_buf_make(VB_TEXT_BYTES_MAX)};
    id_list l = {0};
    int32_t bos = vb_tokenizer_bos(t);
    vb_err err = run(&s, e);
    if (!err && vb_tokenizer_add_bos(t) && bos != VB_TOKEN_NONE) {
        err = add_ids(&l, &(uint32_t){(uint32_t)bos}, 1, e);
    }
    size_t own = l.len;
    if (!err) {
        err = encode_script(&s, t, &l, e);
    }
    if (!err && own && l.len > own && l.data[own] == l.data[0]) {
        memmove(l.data, l.data + own, (l.len - own) * sizeof *l.data);
        l.len -= own;
    }
    script_free(&s);
    if (err) {
        free(l.data);
        return err;
    }
    *ids = l.data;
    *n_ids = l.len;
    return VB_OK;
}
