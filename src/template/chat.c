/*
 * From messages or variables to a prompt: one JSON object, checked, which the words that are
 * vouched for complete to the context of the render; then the text, cut into special tokens and
 * text. A special token is taken only where every byte of it is the template's own.
 */
#include "template/chat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/limits.h"
#include "template/jinja.h"
#include "tokenizer/internal.h"
#include "json/json.h"

enum { MARKER_BYTES_MAX = 64, DATE_BYTES = 16 };

/* Strings of the context that are vouched for. The roles are among them because templates make
 * markers with them ("<|user|>"); messages of text alone have those before WORD_TOOL. */
enum { WORD_TOOL = 3, N_ROLES, WORD_BOS = N_ROLES, WORD_EOS, N_WORDS };
static const char *const roles[N_ROLES] = {"system", "user", "assistant", "tool"};

struct vb_chat_template {
    vb_jinja *jinja;
    char bos[MARKER_BYTES_MAX]; /* what {{ bos_token }} gives; may be empty */
    char eos[MARKER_BYTES_MAX];
};

vb_err vb_chat_compile(vb_str source, const char *bos, const char *eos, vb_chat_template **out,
                       vb_error *e) {
    if (strlen(bos) >= MARKER_BYTES_MAX || strlen(eos) >= MARKER_BYTES_MAX) {
        return vb_fail(e, VB_ELIMIT, "the text of BOS or EOS has more than %d bytes",
                       MARKER_BYTES_MAX - 1);
    }
    vb_chat_template *c = calloc(1, sizeof *c);
    if (!c) {
        return vb_fail(e, VB_ENOMEM, "no memory for the chat template");
    }
    memcpy(c->bos, bos, strlen(bos) + 1);
    memcpy(c->eos, eos, strlen(eos) + 1);
    vb_err err = vb_jinja_compile(source.p, source.len, &c->jinja, e);
    if (err) {
        free(c);
        return err == VB_EUNSUPPORTED || err == VB_EFORMAT
                   ? vb_fail_in(e, err, "--raw sends text without a template")
                   : err;
    }
    *out = c;
    return VB_OK;
}

void vb_chat_free(vb_chat_template *c) {
    if (c) {
        vb_jinja_free(c->jinja);
        free(c);
    }
}

static void copy_token_text(const vb_tokenizer *t, int32_t id, char out[MARKER_BYTES_MAX]) {
    out[0] = 0;
    if (id != VB_TOKEN_NONE) {
        vb_str s = vb_tokenizer_token_text(t, (uint32_t)id);
        if (s.len < MARKER_BYTES_MAX && (!s.len || !memchr(s.p, 0, s.len))) {
            memcpy(out, s.p, s.len);
            out[s.len] = 0;
        }
    }
}

vb_err vb_chat_detect(const vb_gguf *g, const vb_tokenizer *t, vb_chat_template **out,
                      vb_error *e) {
    static const char key[] = "tokenizer.chat_template";
    char bos[MARKER_BYTES_MAX], eos[MARKER_BYTES_MAX];
    vb_str source;
    if (!vb_gguf_find(g, key)) {
        return vb_fail(e, VB_EFORMAT,
                       "%s: the model carries no chat template (%s); --raw sends text without one",
                       vb_gguf_file_path(g, 0), key);
    }
    vb_err err = vb_gguf_get_str(g, key, &source, e);
    if (err) {
        return err;
    }
    copy_token_text(t, vb_tokenizer_bos(t), bos);
    copy_token_text(t, vb_tokenizer_eos(t), eos);
    err = vb_chat_compile(source, bos, eos, out, e);
    return err ? vb_fail_in(e, err, "%s", vb_gguf_file_path(g, 0)) : VB_OK;
}

bool vb_chat_uses_date(const vb_chat_template *c) {
    return vb_jinja_mentions(c->jinja, "strftime_now") ||
           vb_jinja_mentions(c->jinja, "date_string");
}

/* "2026-11-22" as a clock, and as the text that templates have as date_string. */
static vb_err read_date(const char *iso, vb_jinja_clock *clock, char text[DATE_BYTES],
                        vb_error *e) {
    static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    bool fine = strlen(iso) == 10;
    for (size_t i = 0; fine && i < 10; i++) {
        fine = i == 4 || i == 7 ? iso[i] == '-' : iso[i] >= '0' && iso[i] <= '9';
    }
    const int year =
        fine ? (iso[0] - '0') * 1000 + (iso[1] - '0') * 100 + (iso[2] - '0') * 10 + (iso[3] - '0')
             : 0;
    const int month = fine ? (iso[5] - '0') * 10 + (iso[6] - '0') : 0;
    const int day = fine ? (iso[8] - '0') * 10 + (iso[9] - '0') : 0;
    if (month < 1 || month > 12 || day < 1 || day > 31) {
        return vb_fail(e, VB_EINVAL, "the date \"%.20s\" is not of the form YYYY-MM-DD", iso);
    }
    *clock = (vb_jinja_clock){.year = year, .month = month, .day = day};
    snprintf(text, DATE_BYTES, "%02d %s %.4s", day, months[month - 1], iso);
    return VB_OK;
}

static int role_index(const char *role, size_t len) {
    for (int i = 0; i < N_ROLES; i++) {
        if (strlen(roles[i]) == len && memcmp(role, roles[i], len) == 0) {
            return i;
        }
    }
    return N_ROLES;
}

static vb_err check_messages(const vb_chat_message *messages, size_t n, vb_error *e) {
    if (!n || n > VB_CHAT_MESSAGES_MAX) {
        return vb_fail(e, VB_EINVAL, "%zu messages: a chat prompt has 1 to %u", n,
                       VB_CHAT_MESSAGES_MAX);
    }
    for (size_t i = 0; i < n; i++) {
        if (role_index(messages[i].role, strlen(messages[i].role)) >= WORD_TOOL) {
            return vb_fail(e, VB_EINVAL,
                           "message %zu is of role \"%.64s\": expected system, user or assistant",
                           i, messages[i].role);
        }
    }
    return VB_OK;
}

static bool add_message(json_t *list, const vb_chat_message *message) {
    json_t *m = json_object();
    bool fine =
        m && json_object_set_new(m, "role", json_string(message->role)) == 0 &&
        /* any bytes: the engine takes what is not UTF-8 as it is */
        json_object_set_new(m, "content",
                            json_stringn_nocheck(message->content.p ? message->content.p : "",
                                                 message->content.len)) == 0;
    if (!fine) {
        json_decref(m);
        return false;
    }
    return json_array_append_new(list, m) == 0;
}

/* Messages as the variables that they are; *out is for json_decref. */
static vb_err variables_of_messages(const vb_chat_message *messages, size_t n, json_t **out,
                                    vb_error *e) {
    vb_err err = check_messages(messages, n, e);
    if (err) {
        return err;
    }
    json_t *list = json_array();
    bool fine = list != NULL;
    for (size_t i = 0; fine && i < n; i++) {
        fine = add_message(list, &messages[i]);
    }
    json_t *root = fine ? json_object() : NULL;
    fine = root && json_object_set(root, "messages", list) == 0;
    json_decref(list);
    if (!fine) {
        json_decref(root);
        return vb_fail(e, VB_ENOMEM, "no memory for %zu messages", n);
    }
    *out = root;
    return VB_OK;
}

static vb_err check_variable_messages(const json_t *messages, vb_error *e) {
    const size_t n = json_array_size(messages); /* 0 for what is no array */
    if (!n || n > VB_CHAT_MESSAGES_MAX) {
        return vb_fail(e, VB_EINVAL, "variables.messages: expected an array of 1 to %u messages",
                       VB_CHAT_MESSAGES_MAX);
    }
    for (size_t i = 0; i < n; i++) {
        const json_t *m = json_array_get(messages, i);
        if (!json_is_object(m)) {
            return vb_fail(e, VB_EINVAL, "variables.messages[%zu]: expected an object", i);
        }
        if (!json_string_length(json_object_get(m, "role"))) { /* 0 for what is no string */
            return vb_fail(e, VB_EINVAL,
                           "variables.messages[%zu].role: expected a string, not empty", i);
        }
    }
    return VB_OK;
}

static vb_err check_variables(const json_t *root, vb_error *e) {
    /* jinja2 keeps self for the template itself: nobody can give it a variable of that name. */
    static const char *const kept[] = {"bos_token", "eos_token", "add_generation_prompt", "self"};
    if (!json_is_object(root)) {
        return vb_fail(e, VB_EINVAL, "variables: expected a JSON object");
    }
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        if (json_object_get(root, kept[i])) {
            return vb_fail(e, VB_EINVAL, "variables.%s: expected no variable of this name",
                           kept[i]);
        }
    }
    return check_variable_messages(json_object_get(root, "messages"), e);
}

/* *out is for json_decref. */
static vb_err read_variables(const char *json, size_t n_bytes, json_t **out, vb_error *e) {
    json_t *root = NULL;
    vb_err err = vb_json_parse_foreign(json, n_bytes, VB_TEXT_BYTES_MAX, &root, e);
    if (err) {
        /* Its limits are part of what such an object is. */
        return vb_fail_in(e, err == VB_ENOMEM ? err : VB_EINVAL, "variables");
    }
    err = check_variables(root, e);
    if (err) {
        json_decref(root);
        return err;
    }
    *out = root;
    return VB_OK;
}

static bool make_words(const vb_chat_template *c, json_t *words[N_WORDS]) {
    bool fine = true;
    for (int i = 0; i < N_WORDS; i++) {
        const char *text = i < N_ROLES ? roles[i] : i == WORD_BOS ? c->bos : c->eos;
        words[i] = json_stringn_nocheck(text, strlen(text));
        fine = fine && words[i];
    }
    return fine;
}

static bool set_missing(json_t *root, const char *name, json_t *value) {
    if (json_object_get(root, name)) {
        json_decref(value);
        return true;
    }
    return json_object_set_new(root, name, value) == 0;
}

/* Checked variables become the context of a render: each message's role is the word, where it is
 * one, and the variables that every template has are added. */
static bool complete(json_t *root, json_t *const words[N_WORDS], bool add_generation_prompt,
                     const char *date_text) {
    const json_t *messages = json_object_get(root, "messages");
    for (size_t i = 0; i < json_array_size(messages); i++) {
        json_t *m = json_array_get(messages, i);
        const json_t *role = json_object_get(m, "role");
        const int k = role_index(json_string_value(role), json_string_length(role));
        if (k < N_ROLES && json_object_set(m, "role", words[k])) {
            return false;
        }
    }
    return json_object_set(root, "bos_token", words[WORD_BOS]) == 0 &&
           json_object_set(root, "eos_token", words[WORD_EOS]) == 0 &&
           json_object_set_new(root, "add_generation_prompt",
                               json_boolean(add_generation_prompt)) == 0 &&
           set_missing(root, "enable_thinking", json_true()) &&
           (!date_text[0] || set_missing(root, "date_string", json_string(date_text)));
}

/* Renders variables that were checked; root is changed. */
static vb_err render(const vb_chat_template *c, json_t *root, bool add_generation_prompt,
                     const char *date, vb_jinja_output *out, vb_error *e) {
    json_t *words[N_WORDS];
    vb_jinja_clock clock;
    char date_text[DATE_BYTES] = "";
    vb_err err = date ? read_date(date, &clock, date_text, e) : VB_OK;
    if (err) {
        return err;
    }
    if (!make_words(c, words) || !complete(root, words, add_generation_prompt, date_text)) {
        err = vb_fail(e, VB_ENOMEM, "no memory for the variables of the chat template");
    } else {
        const vb_jinja_input input = {.context = root,
                                      .trusted = (const json_t *const *)words,
                                      .n_trusted = N_WORDS,
                                      .clock = date ? &clock : NULL};
        err = vb_jinja_render(c->jinja, &input, out, e);
    }
    for (int i = 0; i < N_WORDS; i++) {
        json_decref(words[i]);
    }
    return err;
}

vb_err vb_chat_render(const vb_chat_template *c, const vb_chat_message *messages, size_t n,
                      bool add_generation_prompt, const char *date, vb_buf *out, vb_error *e) {
    json_t *root = NULL;
    vb_jinja_output text = {0};
    vb_err err = variables_of_messages(messages, n, &root, e);
    if (!err) {
        err = render(c, root, add_generation_prompt, date, &text, e);
    }
    if (!err && text.n_bytes && (err = vb_buf_append(out, text.text, text.n_bytes))) {
        err = vb_fail(e, err, "the prompt does not fit its buffer of %zu bytes", out->max);
    }
    vb_jinja_output_free(&text);
    json_decref(root);
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

/* Markers that no model reads as plain text: one that the template prints and the vocabulary does
 * not have could be forged by any message. */
static vb_err check_markers(const char *text, size_t len, vb_error *e) {
    static const char *const markers[] = {
        "<|im_start|>", "<|im_end|>", "<|start_header_id|>", "<|end_header_id|>",
        "<|eot_id|>",   "<｜User｜>", "<｜Assistant｜>",     "<｜end▁of▁sentence｜>"};
    for (size_t i = 0; i < sizeof markers / sizeof *markers; i++) {
        if (len && memmem(text, len, markers[i], strlen(markers[i]))) {
            return vb_fail(e, VB_EUNSUPPORTED,
                           "the chat template's marker %s is no control token of the vocabulary: "
                           "a message could forge it",
                           markers[i]);
        }
    }
    return VB_OK;
}

/* One run of the template's own text, [begin, end): its special tokens, each after the text since
 * `done`. What is left of the run waits for the text that follows. */
static vb_err encode_run(const vb_tokenizer *t, const char *text, size_t begin, size_t end,
                         size_t *done, id_list *l, vb_error *e) {
    vb_err err = VB_OK;
    for (size_t from = begin; !err;) {
        size_t at;
        const int32_t id = vb_special_next(t, text, end, from, true, &at);
        err = check_markers(text + from, at - from, e);
        if (err || id == VB_TOKEN_NONE) {
            break;
        }
        err = add_text(l, t, text + *done, at - *done, e);
        if (!err) {
            err = add_ids(l, &(uint32_t){(uint32_t)id}, 1, e);
        }
        from = *done = at + vb_tokenizer_token_text(t, (uint32_t)id).len;
    }
    return err;
}

static vb_err encode_output(const vb_jinja_output *o, const vb_tokenizer *t, id_list *l,
                            vb_error *e) {
    size_t begin = 0, done = 0;
    vb_err err = VB_OK;
    for (size_t i = 0; i < o->n_runs && !err; i++) {
        if (o->runs[i].trusted) {
            err = encode_run(t, o->text, begin, o->runs[i].end, &done, l, e);
        }
        begin = o->runs[i].end;
    }
    return err ? err : add_text(l, t, o->text + done, o->n_bytes - done, e);
}

/* Variables that were checked as a prompt's token ids; root is changed. */
static vb_err encode(const vb_chat_template *c, const vb_tokenizer *t, json_t *root,
                     bool add_generation_prompt, const char *date, uint32_t **ids, size_t *n_ids,
                     vb_error *e) {
    vb_jinja_output text = {0};
    id_list l = {0};
    int32_t bos = vb_tokenizer_bos(t);
    vb_err err = render(c, root, add_generation_prompt, date, &text, e);
    if (!err && vb_tokenizer_add_bos(t) && bos != VB_TOKEN_NONE) {
        err = add_ids(&l, &(uint32_t){(uint32_t)bos}, 1, e);
    }
    size_t own = l.len;
    if (!err) {
        err = encode_output(&text, t, &l, e);
    }
    if (!err && own && l.len > own && l.data[own] == l.data[0]) {
        memmove(l.data, l.data + own, (l.len - own) * sizeof *l.data);
        l.len -= own;
    }
    vb_jinja_output_free(&text);
    if (err) {
        free(l.data);
        return err;
    }
    *ids = l.data;
    *n_ids = l.len;
    return VB_OK;
}

vb_err vb_chat_encode(const vb_chat_template *c, const vb_tokenizer *t,
                      const vb_chat_message *messages, size_t n, bool add_generation_prompt,
                      const char *date, uint32_t **ids, size_t *n_ids, vb_error *e) {
    json_t *root = NULL;
    vb_err err = variables_of_messages(messages, n, &root, e);
    if (!err) {
        err = encode(c, t, root, add_generation_prompt, date, ids, n_ids, e);
    }
    json_decref(root);
    return err;
}

vb_err vb_chat_encode_variables(const vb_chat_template *c, const vb_tokenizer *t, const char *json,
                                size_t n_bytes, const char *date, uint32_t **ids, size_t *n_ids,
                                vb_error *e) {
    json_t *root = NULL;
    vb_err err = read_variables(json, n_bytes, &root, e);
    if (!err) {
        err = encode(c, t, root, true, date, ids, n_ids, e);
    }
    json_decref(root);
    return err;
}
