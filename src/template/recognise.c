/*
 * Which family a model's template belongs to. A rule lists what the squeezed template must
 * contain (the expressions that print messages) and what it may not (anything that would
 * print them otherwise); the first rule that fits wins. Then the family's details are read
 * from the template. When nothing fits the template is refused.
 */
#include <string.h>

#include "base/limits.h"
#include "template/chat.h"
#include "template/squeeze.h"

enum { NEEDS_MAX = 6, BANS_MAX = 16 };

typedef struct chat_rule {
    vb_chat_family family;
    const char *const *tags; /* where given, each tag begins with one of these */
    const char *needs[NEEDS_MAX];
    const char *bans[BANS_MAX];
} chat_rule;

static const char *const chatml_tags[] = {
    "{%formessageinmessages%}",
    "{%endfor%}",
    "{%ifadd_generation_prompt%}",
    "{%endif%}",
    "{%ifloop.firstandmessages[0]['role']!='system'%}",
    "{%ifmessages[0]['role']!='system'%}",
    "{%ifnotadd_generation_promptisdefined%}",
    "{%setadd_generation_prompt=false%}",
    "{{'<|im_start|>system\\n",
    "{{'<|im_start|>'+message['role']+'\\n'+message['content']+'<|im_end|>",
    "{{'<|im_start|>assistant\\n'}}",
    NULL,
};

static const char *const llama3_tags[] = {
    "{{bos_token}}",
    "{%setloop_messages=messages%}",
    "{%formessageinloop_messages%}",
    "{%formessageinmessages%}",
    "{%setcontent='<|start_header_id|>'+message['role']",
    "{%ifloop.index0==0%}",
    "{%setcontent=bos_token+content%}",
    "{{content}}",
    "{{'<|start_header_id|>assistant<|end_header_id|>\\n\\n'}}",
    "{{'<|start_header_id|>'+message['role']+'<|end_header_id|>\\n\\n'+message['content']|trim+",
    "{%ifadd_generation_prompt%}",
    "{%ifnotadd_generation_promptisdefined%}",
    "{%setadd_generation_prompt=false%}",
    "{%endif%}",
    "{%endfor%}",
    NULL,
};

#define CHATML_END "'<|im_end|>'+'\\n'"
#define CHATML_BANS                                                                                \
    "think", "trim", "strip", "split", "replace", "capitalize", "upper", "namespace",              \
        "strftime_now", "raise_exception", "bos_token", "macro"
#define LLAMA3_TURN                                                                                \
    "'<|start_header_id|>'+message['role']+'<|end_header_id|>\\n\\n'+message['content']|trim+"     \
    "'<|eot_id|>'"

static const chat_rule rules[] = {
    {VB_CHAT_CHATML,
     chatml_tags,
     {"{%formessageinmessages%}",
      "'<|im_start|>'+message['role']+'\\n'+message['content']+" CHATML_END,
      "'<|im_start|>assistant\\n'", "add_generation_prompt"},
     {CHATML_BANS, "message['role']=", "message.role", "tools", "loop.last"}},
    {VB_CHAT_CHATML,
     chatml_tags,
     {"{%formessageinmessages%}",
      "'<|im_start|>'+message['role']+'\\n'+message['content']+'<|im_end|>\\n'",
      "'<|im_start|>assistant\\n'", "add_generation_prompt"},
     {CHATML_BANS, "message['role']=", "message.role", "tools", "loop.last"}},
    {VB_CHAT_CHATML, /* Qwen2.5: every role's plain turn, then what only tools reach */
     NULL,
     {"{%if(message.role=='user')or(message.role=='system'andnotloop.first)or"
      "(message.role=='assistant'andnotmessage.tool_calls)%}"
      "{{'<|im_start|>'+message.role+'\\n'+message.content+" CHATML_END "}}",
      "{%else%}{%ifmessages[0]['role']=='system'%}"
      "{{'<|im_start|>system\\n'+messages[0]['content']+'<|im_end|>\\n'}}{%else%}",
      "{%ifadd_generation_prompt%}{{'<|im_start|>assistant\\n'}}{%endif%}"},
     {CHATML_BANS}},
    {VB_CHAT_DEEPSEEK_R1,
     NULL,
     {"{{bos_token}}{{ns.system_prompt}}", "{{'<｜User｜>'+message['content']}}",
      "{{'<｜Assistant｜>'+content+'<｜end▁of▁sentence｜>'}}",
      "{%if'</think>'incontent%}{%setcontent=content.split('</think>')[-1]%}{%endif%}",
      "{%ifadd_generation_promptandnotns.is_tool%}{{'<｜Assistant｜>"},
     {"strftime_now", "raise_exception", "trim", "strip", "prefix"}},
    {VB_CHAT_LLAMA31,
     NULL,
     {LLAMA3_TURN, "'Cutting Knowledge Date: December 2023\\n'",
      "'Today Date: '+date_string+'\\n\\n'", "date_string='26 Jul 2024'",
      "{{system_message}}{{'<|eot_id|>'}}", "{%setsystem_message=messages[0]['content']|trim%}"},
     {"think", "capitalize", "split", "default("}},
    {VB_CHAT_LLAMA3,
     llama3_tags,
     {LLAMA3_TURN, "'<|start_header_id|>assistant<|end_header_id|>\\n\\n'", "bos_token"},
     {"Knowledge", "tools", "think", "capitalize", "split", "raise_exception",
      "message['role']=="}},
    {VB_CHAT_LLAMA2,
     NULL,
     {"'<<SYS>>\\n'+system_message+'\\n<</SYS>>\\n\\n'+message['content']",
      "'[INST] '+content.strip()+' [/INST]'", "{{' '+content.strip()+' '+eos_token}}",
      "{%if(message['role']=='user')!=(loop.index0%2==0)%}", "bos_token"},
     {"tools", "trim", "split", "think"}},
};

static bool contains(const vb_buf *b, const char *text) {
    return memmem(b->data, b->len, text, strlen(text)) != NULL;
}

/* The end of the tag that begins at p: after its close, outside literals. */
static const char *tag_end(const char *p, const char *end) {
    char quote = 0;
    for (; p < end; p++) {
        if (quote) {
            p += *p == '\\';
            quote = p < end && *p == quote ? 0 : quote;
        } else if (*p == '\'' || *p == '"') {
            quote = *p;
        } else if ((*p == '%' || *p == '}') && p + 1 < end && p[1] == '}') {
            return p + 2;
        }
    }
    return end;
}

static bool only_tags(const char *const *tags, const vb_buf *squeezed) {
    const char *p = (const char *)squeezed->data, *end = p + squeezed->len;
    for (; p < end; p = tag_end(p, end)) {
        const char *const *t = tags;
        while (*t && ((size_t)(end - p) < strlen(*t) || memcmp(p, *t, strlen(*t)) != 0)) {
            t++;
        }
        if (!*t) {
            return false;
        }
    }
    return true;
}

static bool fits(const chat_rule *r, const vb_buf *squeezed) {
    if (r->tags && !only_tags(r->tags, squeezed)) {
        return false;
    }
    for (int i = 0; i < NEEDS_MAX && r->needs[i]; i++) {
        if (!contains(squeezed, r->needs[i])) {
            return false;
        }
    }
    for (int i = 0; i < BANS_MAX && r->bans[i]; i++) {
        if (contains(squeezed, r->bans[i])) {
            return false;
        }
    }
    return true;
}

/* Finds before TEXT after, TEXT without quotes, and copies it with \n made a newline. Escapes
 * other than \n, and text too long to keep, count as not found. */
static bool copy_between(const vb_buf *b, const char *before, const char *after, char *out,
                         size_t max) {
    const char *p = (const char *)b->data, *end = p + b->len;
    size_t n_before = strlen(before), n_after = strlen(after);
    while ((p = memmem(p, (size_t)(end - p), before, n_before))) {
        size_t n = 0;
        p += n_before;
        for (const char *q = p; q < end && n + 1 < max; q++) {
            if ((size_t)(end - q) >= n_after && memcmp(q, after, n_after) == 0) {
                out[n] = 0;
                return n > 0;
            }
            if (*q == '\'' || *q == '"' || (*q == '\\' && (q + 1 == end || q[1] != 'n'))) {
                break;
            }
            out[n++] = *q;
            if (*q == '\\') {
                out[n - 1] = '\n';
                q++;
            }
        }
    }
    out[0] = 0;
    return false;
}

/* A default system message counts only behind the question whether there is one already; a
 * template that mentions the system role in another way is not known. */
static bool read_chatml(const vb_buf *s, vb_chat_template *c) {
    bool asks = contains(s, "messages[0]['role']!='system'") ||
                contains(s, "messages[0]['role']=='system'");
    bool found = copy_between(s, "{{'<|im_start|>system\\n", "<|im_end|>\\n'}}", c->default_system,
                              sizeof c->default_system);
    return asks == found && found == contains(s, "'<|im_start|>system\\n");
}

/* Some models add a default system message unless the first message brings its own. */
static bool read_llama2(const vb_buf *s, vb_chat_template *c) {
    c->bos_each_turn = contains(s, "{{bos_token+'[INST] '+content.strip()");
    if (!c->bos_each_turn && !contains(s, "{{bos_token}}{%ifmessages[0]['role']=='system'%}")) {
        return false;
    }
    if (contains(s, "{%eliftrue==trueandnot'<<SYS>>'inmessages[0]['content']%}")) {
        return copy_between(s, "{%setloop_messages=messages%}{%setsystem_message='", "'%}",
                            c->default_system, sizeof c->default_system);
    }
    return contains(s, "{%else%}{%setloop_messages=messages%}{%setsystem_message=false%}");
}

static bool read_details(const vb_buf *s, vb_chat_template *c) {
    switch (c->family) {
    case VB_CHAT_CHATML: return read_chatml(s, c);
    case VB_CHAT_DEEPSEEK_R1:
        c->open_think = contains(s, "{{'<｜Assistant｜><think>\\n'}}");
        c->join_system = contains(s, "ns.system_prompt+'\\n\\n'+message['content']");
        return c->open_think || contains(s, "{{'<｜Assistant｜>'}}");
    case VB_CHAT_LLAMA3: c->generation_always = !contains(s, "add_generation_prompt"); return true;
    case VB_CHAT_LLAMA31: return true;
    case VB_CHAT_LLAMA2: return read_llama2(s, c);
    }
    return false;
}

static bool recognise(const vb_buf *squeezed, vb_chat_template *c) {
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        c->family = rules[i].family;
        c->default_system[0] = 0;
        if (fits(&rules[i], squeezed) && read_details(squeezed, c)) {
            return true;
        }
    }
    return false;
}

vb_err vb_chat_recognise(vb_str source, const char *bos, const char *eos, vb_chat_template *out,
                         vb_error *e) {
    vb_chat_template c = {0};
    bool prints_text = false;
    if (strlen(bos) >= sizeof c.bos || strlen(eos) >= sizeof c.eos) {
        return vb_fail(e, VB_ELIMIT, "the text of BOS or EOS has more than %d bytes",
                       VB_CHAT_MARKER_BYTES_MAX - 1);
    }
    if (source.len > VB_CHAT_TEMPLATE_BYTES_MAX) {
        return vb_fail(e, VB_ELIMIT, "the chat template has %zu bytes, the limit is %u", source.len,
                       VB_CHAT_TEMPLATE_BYTES_MAX);
    }
    memcpy(c.bos, bos, strlen(bos) + 1);
    memcpy(c.eos, eos, strlen(eos) + 1);
    vb_buf squeezed = vb_buf_make(2 * (size_t)VB_CHAT_TEMPLATE_BYTES_MAX);
    vb_err err = vb_jinja_squeeze(source, &squeezed, &prints_text);
    if (err == VB_ENOMEM) {
        err = vb_fail(e, err, "no memory for the chat template");
    } else if (err || prints_text || !squeezed.len || !recognise(&squeezed, &c)) {
        err = vb_fail(e, VB_EUNSUPPORTED,
                      "the model's chat template is none that this build knows (ChatML, "
                      "DeepSeek-R1, Llama 3, Llama 3.1 to 3.3, Llama 2); --raw sends text "
                      "without a template");
    } else {
        *out = c;
    }
    vb_buf_free(&squeezed);
    return err;
}

static void copy_token_text(const vb_tokenizer *t, int32_t id, char out[VB_CHAT_MARKER_BYTES_MAX]) {
    out[0] = 0;
    if (id != VB_TOKEN_NONE) {
        vb_str s = vb_tokenizer_token_text(t, (uint32_t)id);
        if (s.len < VB_CHAT_MARKER_BYTES_MAX && (!s.len || !memchr(s.p, 0, s.len))) {
            memcpy(out, s.p, s.len);
            out[s.len] = 0;
        }
    }
}

vb_err vb_chat_detect(const vb_gguf *g, const vb_tokenizer *t, vb_chat_template *out, vb_error *e) {
    static const char key[] = "tokenizer.chat_template";
    char bos[VB_CHAT_MARKER_BYTES_MAX], eos[VB_CHAT_MARKER_BYTES_MAX];
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
    err = vb_chat_recognise(source, bos, eos, out, e);
    return err ? vb_fail_in(e, err, "%s", vb_gguf_file_path(g, 0)) : VB_OK;
}
