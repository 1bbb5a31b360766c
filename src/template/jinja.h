/*
 * Chat templates: the Jinja language as models' templates use it, rendered to exactly the text that
 * Python's jinja2 gives in the environment of Hugging Face's tokenizers (sandboxed and immutable;
 * trim_blocks and lstrip_blocks on; break, continue and {% generation %}; raise_exception,
 * strftime_now and a tojson that is json.dumps). What this engine does not have is refused by its
 * name, never approximated: include, import, extends, block, autoescape, random, lipsum, methods
 * that change a value, attributes that begin with two underlines.
 *
 * Provenance: for every byte of the output the engine says whether it is the template's own (its
 * text and literals, and the values that the caller vouches for) or comes from other values of the
 * context. Only bytes of the first kind may become control tokens: a message that spells out a
 * marker gives text.
 *
 * Templates and contexts are hostile input: a render is bounded in steps, depth, memory and output
 * (base/limits.h), reads no clock, file or environment, and every error names line and column.
 *
 * Owner: vb_jinja_compile gives a template to vb_jinja_free. Thread rule: a compiled template is
 * immutable; any number of threads may render it, each with its own output.
 */
#ifndef VB_TEMPLATE_JINJA_H
#define VB_TEMPLATE_JINJA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/error.h"

typedef struct vb_jinja vb_jinja;

/* The source is copied. VB_EFORMAT: no Jinja; VB_EUNSUPPORTED: a statement that is refused by name;
 * VB_ELIMIT: more than VB_CHAT_TEMPLATE_BYTES_MAX bytes or nested deeper than
 * VB_JINJA_NESTING_MAX; VB_ENOMEM. */
VB_MUST_CHECK vb_err vb_jinja_compile(const char *source, size_t n_bytes, vb_jinja **out,
                                      vb_error *e);
void vb_jinja_free(vb_jinja *t);

/* Whether the template reads or sets a variable or calls a function of this name. */
bool vb_jinja_mentions(const vb_jinja *t, const char *name);

/* A moment as strftime_now prints it. */
typedef struct vb_jinja_clock {
    int year;       /* 1 .. 9999 */
    int month, day; /* 1 .. 12, 1 .. 31 */
    int hour, minute, second;
} vb_jinja_clock;

typedef struct vb_jinja_input {
    const json_t *context; /* an object: the variables; borrowed during the render */
    /* Strings inside the context that the caller vouches for, by identity. */
    const json_t *const *trusted;
    size_t n_trusted;
    const vb_jinja_clock *clock; /* NULL: strftime_now is not defined */
    size_t memory_bytes_max;     /* 0: VB_JINJA_MEMORY_BYTES_MAX */
} vb_jinja_input;

/* Bytes [end of the run before, end) are the template's own, or are not. */
typedef struct vb_jinja_run {
    size_t end;
    bool trusted;
} vb_jinja_run;

/* The text, which a zero byte follows, and its runs, alternating between trusted and not. */
typedef struct vb_jinja_output {
    char *text;
    size_t n_bytes;
    vb_jinja_run *runs;
    size_t n_runs;
} vb_jinja_output;

/* VB_EINVAL: the template refuses the context (raise_exception), or the context does not fit what
 * the template does with it; VB_EUNSUPPORTED: something refused by name; VB_ELIMIT; VB_ENOMEM.
 * *out is for vb_jinja_output_free. */
VB_MUST_CHECK vb_err vb_jinja_render(const vb_jinja *t, const vb_jinja_input *input,
                                     vb_jinja_output *out, vb_error *e);
void vb_jinja_output_free(vb_jinja_output *o);

#endif
