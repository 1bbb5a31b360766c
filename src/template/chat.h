/*
 * Chat prompts: the families of chat templates that this build knows, recognised in a model's
 * own tokenizer.chat_template, and rendered to exactly the text that the template gives.
 *
 * Known families: ChatML (with a model's own default system message, Qwen2.5's among them),
 * DeepSeek-R1 and its distilled models, Llama 3, Llama 3.1/3.2/3.3, Llama 2. A template that
 * is none of them is refused, never approximated: `--raw` sends text as it is.
 *
 * Nothing here reads a clock: where a template prints today's date, it is a parameter, so
 * that a prompt can be replayed.
 *
 * Owner: a vb_chat_template is a value; it borrows nothing. Thread rule: immutable once
 * detected.
 */
#ifndef VB_TEMPLATE_CHAT_H
#define VB_TEMPLATE_CHAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "gguf/gguf.h"
#include "tokenizer/tokenizer.h"

typedef enum vb_chat_family {
    VB_CHAT_CHATML,
    VB_CHAT_DEEPSEEK_R1,
    VB_CHAT_LLAMA3,
    VB_CHAT_LLAMA31, /* Llama 3.1, 3.2, 3.3: a system block with dates, always */
    VB_CHAT_LLAMA2
} vb_chat_family;

enum {
    VB_CHAT_MARKER_BYTES_MAX = 64,
    VB_CHAT_SYSTEM_BYTES_MAX = 1024,
    VB_CHAT_DATE_BYTES_MAX = 64
};

/* What sets one template of a family apart from another. Where a template asks for
 * enable_thinking, it is true. */
typedef struct vb_chat_template {
    vb_chat_family family;
    char bos[VB_CHAT_MARKER_BYTES_MAX]; /* what {{ bos_token }} gives; may be empty */
    char eos[VB_CHAT_MARKER_BYTES_MAX];
    /* Used when the first message is no system message; empty: nothing is added. */
    char default_system[VB_CHAT_SYSTEM_BYTES_MAX];
    bool generation_always; /* Llama 3: the template ignores add_generation_prompt */
    bool open_think;        /* DeepSeek-R1: the answer starts inside <think> */
    bool join_system;       /* DeepSeek-R1: system messages are joined; else the last counts */
    bool bos_each_turn;     /* Llama 2: BOS before every user turn; else once */
} vb_chat_template;

/* Content is UTF-8 (or any bytes), not zero-terminated. role: system, user or assistant. */
typedef struct vb_chat_message {
    const char *role;
    vb_str content;
} vb_chat_message;

/* Recognises the model's own template. VB_EFORMAT when the model carries none, VB_EUNSUPPORTED
 * when it is unknown: the message names the known families and --raw. */
VB_MUST_CHECK vb_err vb_chat_detect(const vb_gguf *g, const vb_tokenizer *t, vb_chat_template *out,
                                    vb_error *e);

/* The same for a template given as text, with the texts of BOS and EOS (may be ""). */
VB_MUST_CHECK vb_err vb_chat_recognise(vb_str source, const char *bos, const char *eos,
                                       vb_chat_template *out, vb_error *e);

/* "chatml", "deepseek-r1", "llama3", "llama3.1", "llama2" */
const char *vb_chat_family_name(vb_chat_family family);

/* Whether the template prints a date. */
bool vb_chat_uses_date(const vb_chat_template *c);

/* Appends the prompt text. date: for templates that print one ("22 Nov 2026"); NULL: the
 * template's own default, "26 Jul 2024". VB_EINVAL when the template itself refuses these
 * messages or a role is unknown. */
VB_MUST_CHECK vb_err vb_chat_render(const vb_chat_template *c, const vb_chat_message *messages,
                                    size_t n, bool add_generation_prompt, const char *date,
                                    vb_buf *out, vb_error *e);

/* The prompt as token ids: the template's own markers become control tokens, and nothing that
 * a message says does. Begins with exactly one BOS where the template prints it or the
 * tokenizer adds it. *ids is malloc'd for the caller. */
VB_MUST_CHECK vb_err vb_chat_encode(const vb_chat_template *c, const vb_tokenizer *t,
                                    const vb_chat_message *messages, size_t n,
                                    bool add_generation_prompt, const char *date, uint32_t **ids,
                                    size_t *n_ids, vb_error *e);

#endif
