/*
 * From a request's text, messages or variables to prompt tokens: done once when the request is made
 * and again when its receipt is verified, by the same function.
 */
#ifndef VB_VERIFY_PROMPT_H
#define VB_VERIFY_PROMPT_H

#include "gguf/gguf.h"
#include "receipt/receipt.h"
#include "tokenizer/tokenizer.h"

/* Digest of the model's own chat template; false when the file has none. */
bool vb_prompt_template_digest(const vb_gguf *g, uint8_t out[VB_SHA256_BYTES]);

/* Whether the model's template may print a date, which the request must then carry. */
bool vb_prompt_uses_date(const vb_gguf *g, const vb_tokenizer *t);

/* Tokens of a prompt of kind TEXT (special tokens added and parsed), CHAT (the model's template,
 * contents as plain text) or TEMPLATE (the same with any variables). *ids is malloc'd for the
 * caller. VB_EINVAL for kind TOKENS, when text, messages or variables are absent or are none, or
 * when the template refuses them; VB_EUNSUPPORTED for a template with something that this version
 * refuses by name. */
VB_MUST_CHECK vb_err vb_prompt_encode(const vb_receipt_prompt *p, const vb_gguf *g,
                                      const vb_tokenizer *t, uint32_t **ids, size_t *n,
                                      vb_error *e);

#endif
