/*
 * One call of a tool, as models write it: a JSON object with the name of the function and its
 * arguments. Internal to src/api. Pure.
 */
#ifndef VB_API_CALL_H
#define VB_API_CALL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "gguf/gguf.h"

typedef struct vb_call {
    vb_str name;      /* borrowed from the text */
    vb_str arguments; /* the same: an object, as it was written */
} vb_call;

/* Reads text, which must be one JSON object with the members "name" and `arguments` ("arguments" or
 * "parameters"), and "type": "function" if it likes, nothing else. VB_EFORMAT: it is something
 * else; VB_ENOMEM. */
VB_MUST_CHECK vb_err vb_call_read(vb_str text, const char *arguments, vb_call *out);

/* The same for text that must be the arguments alone: one JSON object. */
VB_MUST_CHECK vb_err vb_call_check_arguments(vb_str text);

/* Follows JSON byte by byte, far enough to know where an object ends. Zeroed: before it. */
typedef struct vb_call_edge {
    bool in_string, escaped;
    size_t depth; /* open brackets */
} vb_call_edge;

/* Whether c closes the last open bracket. */
bool vb_call_edge_step(vb_call_edge *s, char c);

#endif
