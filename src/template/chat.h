/*
 * Chat prompts: messages, or any variables, through the template that the model carries
 * (tokenizer.chat_template), as text and as token ids. The template is rendered by
 * src/template/jinja.h, exactly as Hugging Face's tokenizers render it; what that engine refuses is
 * refused here, with --raw as the way out.
 *
 * Nothing here reads a clock: a template that prints a date is given one, so that a prompt can be
 * replayed. With a date, strftime_now is midnight of that day and date_string is "22 Nov 2026";
 * without one neither is defined, and the template's own default counts where it has one.
 *
 * enable_thinking is true, for the templates that ask.
 *
 * Trusted, which is to say able to become a control token or a part of one: the template's own text
 * and literals, for it is the model's; BOS and EOS, for they are the vocabulary's; and the words
 * system, user, assistant and tool as the role of a message, for templates make markers with them
 * ("<|user|>") and they have nothing in them that one could forge with. All else that the caller
 * gives is text, wherever the template prints it: contents, names, arguments, tools, other roles,
 * other variables and the names of members, the date too.
 *
 * Owner: vb_chat_detect and vb_chat_compile give a template to vb_chat_free; it borrows nothing.
 * Thread rule: immutable once made.
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

typedef struct vb_chat_template vb_chat_template;

/* Content is UTF-8 (or any bytes), not zero-terminated. role: system, user or assistant. */
typedef struct vb_chat_message {
    const char *role;
    vb_str content;
} vb_chat_message;

/* The model's own template. VB_EFORMAT when the model carries none, or one that is no Jinja;
 * VB_EUNSUPPORTED for a statement that is refused by name. */
VB_MUST_CHECK vb_err vb_chat_detect(const vb_gguf *g, const vb_tokenizer *t, vb_chat_template **out,
                                    vb_error *e);

/* The same for a template given as text, with the texts of BOS and EOS (may be ""). */
VB_MUST_CHECK vb_err vb_chat_compile(vb_str source, const char *bos, const char *eos,
                                     vb_chat_template **out, vb_error *e);
void vb_chat_free(vb_chat_template *c);

/* Whether the template may print a date: it names strftime_now or date_string. */
bool vb_chat_uses_date(const vb_chat_template *c);

/* Appends the prompt text. date: "YYYY-MM-DD", or NULL. VB_EINVAL when the template itself refuses
 * these messages, a role is unknown or the date is none. */
VB_MUST_CHECK vb_err vb_chat_render(const vb_chat_template *c, const vb_chat_message *messages,
                                    size_t n, bool add_generation_prompt, const char *date,
                                    vb_buf *out, vb_error *e);

/* The prompt as token ids: special tokens that the template itself spells out become those tokens,
 * and nothing that a message says does. Begins with exactly one BOS where the template prints it or
 * the tokenizer adds it. VB_EUNSUPPORTED when a marker of a well-known format is no token of the
 * vocabulary: as text, a message could forge it. *ids is malloc'd for the caller. */
VB_MUST_CHECK vb_err vb_chat_encode(const vb_chat_template *c, const vb_tokenizer *t,
                                    const vb_chat_message *messages, size_t n,
                                    bool add_generation_prompt, const char *date, uint32_t **ids,
                                    size_t *n_ids, vb_error *e);

/* The same for any variables, with a generation prompt: json is one object of n_bytes in UTF-8
 * (spec/receipt.md section 3, prompts of kind `template`), whose members are the variables, in
 * their order. It may have its own enable_thinking and date_string, and hide the functions of the
 * template language by variables of their names, as with jinja2. Messages of text alone give the
 * tokens that vb_chat_encode gives. VB_EINVAL also for what is no such object, with the path of
 * what is wrong. */
VB_MUST_CHECK vb_err vb_chat_encode_variables(const vb_chat_template *c, const vb_tokenizer *t,
                                              const char *json, size_t n_bytes, const char *date,
                                              uint32_t **ids, size_t *n_ids, vb_error *e);

#endif
