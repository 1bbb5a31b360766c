#include "verify/prompt.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "receipt/digests.h"
#include "template/chat.h"

bool vb_prompt_template_digest(const vb_gguf *g, uint8_t out[VB_SHA256_BYTES]) {
    vb_str source;
    if (!vb_gguf_find(g, "tokenizer.chat_template") ||
        vb_gguf_get_str(g, "tokenizer.chat_template", &source, NULL) != VB_OK) {
        return false;
    }
    vb_digest_template(source.p, source.len, out);
    return true;
}

bool vb_prompt_uses_date(const vb_gguf *g, const vb_tokenizer *t) {
    vb_chat_template *chat = NULL;
    const bool uses = vb_chat_detect(g, t, &chat, NULL) == VB_OK && vb_chat_uses_date(chat);
    vb_chat_free(chat);
    return uses;
}

static vb_err encode_messages(const vb_receipt_prompt *p, const vb_chat_template *chat,
                              const vb_tokenizer *t, uint32_t **ids, size_t *n, vb_error *e) {
    vb_chat_message *messages = calloc(p->n_messages, sizeof *messages);
    if (!messages) {
        return vb_fail(e, VB_ENOMEM, "no memory for %zu messages", p->n_messages);
    }
    for (size_t i = 0; i < p->n_messages; i++) {
        messages[i].role = p->messages[i].role;
        messages[i].content = (vb_str){p->messages[i].content.p, p->messages[i].content.len};
    }
    const vb_err err = vb_chat_encode(chat, t, messages, p->n_messages, true,
                                      p->date[0] ? p->date : NULL, ids, n, e);
    free(messages);
    return err;
}

/* Messages or variables through the model's own template. */
static vb_err encode_rendered(const vb_receipt_prompt *p, const vb_gguf *g, const vb_tokenizer *t,
                              uint32_t **ids, size_t *n, vb_error *e) {
    vb_chat_template *chat = NULL;
    vb_err err = vb_chat_detect(g, t, &chat, e);
    if (err) {
        return err;
    }
    err = p->kind == VB_PROMPT_CHAT
              ? encode_messages(p, chat, t, ids, n, e)
              : vb_chat_encode_variables(chat, t, p->text.p, p->text.len,
                                         p->date[0] ? p->date : NULL, ids, n, e);
    vb_chat_free(chat);
    return err;
}

vb_err vb_prompt_encode(const vb_receipt_prompt *p, const vb_gguf *g, const vb_tokenizer *t,
                        uint32_t **ids, size_t *n, vb_error *e) {
    if (p->kind == VB_PROMPT_TEXT && p->text.p) {
        return vb_tokenizer_encode(t, p->text.p, p->text.len, true, true, ids, n, e);
    }
    if ((p->kind == VB_PROMPT_CHAT && p->n_messages) ||
        (p->kind == VB_PROMPT_TEMPLATE && p->text.p)) {
        return encode_rendered(p, g, t, ids, n, e);
    }
    return vb_fail(e, VB_EINVAL,
                   "the request has no text, messages or variables to make a prompt of");
}
