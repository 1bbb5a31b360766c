/*
 * From generated text to a message: what was reasoning, what is the answer, which tools are called.
 * Works while the text comes, in pieces cut anywhere, inside a character too: every cutting gives
 * the same events, but for where a text is divided into several events of one kind. Pure.
 *
 * Nothing is lost: the raw bytes of all events, joined, are the text. What looks like a call and is
 * none is content. White space at the edges of markup is part of the markup, so that an answer does
 * not begin with the line feeds that models write after their reasoning.
 *
 * Owner: from vb_message_open to vb_message_close. Thread rule: one thread at a time.
 */
#ifndef VB_API_MESSAGE_H
#define VB_API_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/limits.h"
#include "gguf/gguf.h"

/* How a family of models writes calls. */
typedef enum vb_tool_form {
    VB_TOOL_FORM_NONE = 0, /* no tools were offered: all text is content */
    /* Qwen, Hermes: <tool_call>{"name": ..., "arguments": {...}}</tool_call>, anywhere, several. */
    VB_TOOL_FORM_HERMES,
    /* Llama 3: the whole answer is {"name": ..., "parameters": {...}}, after an optional
     * <|python_tag|>; several are separated by semicolons. */
    VB_TOOL_FORM_LLAMA3
} vb_tool_form;

/* The form that a model's chat template teaches: NONE when it knows no tools, or in another form.
 */
vb_tool_form vb_tool_form_of_template(vb_str source);

/* What all of the text is, where a constraint holds it to that. Text that has not come to its end
 * is content. */
typedef enum vb_message_whole {
    VB_MESSAGE_WHOLE_NOTHING = 0, /* it is read as above */
    VB_MESSAGE_WHOLE_CALL,        /* one call, with the members of `tools`, without tags */
    VB_MESSAGE_WHOLE_ARGUMENTS    /* the arguments of one call, of `function` */
} vb_message_whole;

typedef struct vb_message_options {
    bool reasoning;  /* <think> ... </think> at the beginning is reasoning */
    bool think_open; /* reasoning: the prompt ended with <think> already */
    vb_tool_form tools;
    bool one_call; /* what is called after the first call is content */
    vb_message_whole whole;
    const char *function; /* WHOLE_ARGUMENTS: its name; borrowed until close */
} vb_message_options;

/* The member that holds the arguments of a call: "arguments", or Llama 3's "parameters". */
const char *vb_tool_form_arguments(vb_tool_form form);

typedef enum vb_message_kind {
    VB_MESSAGE_REASONING = 1,
    VB_MESSAGE_CONTENT,
    VB_MESSAGE_CALL,
    VB_MESSAGE_MARKUP /* tags and the white space around them: shown nowhere */
} vb_message_kind;

typedef struct vb_message_event {
    vb_message_kind kind;
    vb_str raw;       /* the bytes of the text; whole characters where the text has whole ones */
    size_t index;     /* CALL: 0, 1, ... */
    vb_str name;      /* CALL: of the function: letters, digits, '_', '-', '.' */
    vb_str arguments; /* CALL: the JSON of an object, as the model wrote it */
} vb_message_event;

typedef struct vb_message_parser vb_message_parser;

/* on_event is called from feed and end; what it is given is borrowed for the call. VB_ENOMEM. */
VB_MUST_CHECK vb_err vb_message_open(const vb_message_options *o,
                                     void (*on_event)(void *user, const vb_message_event *event),
                                     void *user, vb_message_parser **out, vb_error *e);
void vb_message_close(vb_message_parser *m);

/* The next piece of the text. VB_ENOMEM: the parser is then good for close only. */
VB_MUST_CHECK vb_err vb_message_feed(vb_message_parser *m, const char *text, size_t n_bytes,
                                     vb_error *e);
/* No more comes: what was held back is decided. */
VB_MUST_CHECK vb_err vb_message_end(vb_message_parser *m, vb_error *e);

/* Calls so far. An answer that ended by itself and has calls has the finish reason "tool_calls". */
size_t vb_message_calls(const vb_message_parser *m);

#endif
