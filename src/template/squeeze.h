/* Jinja source in a form that can be compared: internal to src/template. */
#ifndef VB_TEMPLATE_SQUEEZE_H
#define VB_TEMPLATE_SQUEEZE_H

#include <stdbool.h>

#include "base/bytes.h"
#include "gguf/gguf.h"

/* Appends the tags of a template to out, without comments, without white space outside string
 * literals and without trim marks; literals get single quotes (unless they hold one) and real
 * newlines in them become \n. *prints_text is set when the template has text outside its tags
 * that it would print. VB_EFORMAT for a tag or literal that does not end. */
VB_MUST_CHECK vb_err vb_jinja_squeeze(vb_str source, vb_buf *out, bool *prints_text);

#endif
