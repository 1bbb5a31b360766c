/*
 * Compiling a constraint. Each schema that can be reached is an entry, and a slot of the same
 * number; what it refers to becomes an entry in turn, so that nothing here recurses with the
 * schema. Then alternatives are drawn together (slots.c), and what no text can satisfy or too many
 * things could be is found (slots.c, live.c).
 *
 * Internal to src/grammar.
 */
#ifndef VB_GRAMMAR_BUILD_H
#define VB_GRAMMAR_BUILD_H

#include <jansson.h>

#include "grammar/nodes.h"

enum { VB_SCHEMA_PATH_BYTES = 192 };

/* Places in a growing list. */
typedef struct vb_range {
    uint32_t first;
    uint32_t n;
} vb_range;

typedef struct vb_entry {
    const json_t *json;
    bool is_value;     /* a value that must be met, not a schema */
    uint32_t path;     /* in vb_build.paths, zero-terminated */
    vb_range nodes;    /* of vb_build.own_nodes */
    vb_range literals; /* of vb_build.own_literals */
    vb_range edges;    /* of vb_build.edges: entries that may stand for this one */
    uint32_t mark;     /* of the slot that saw it last, plus 1 */
} vb_entry;

typedef struct vb_build {
    vb_grammar *g;
    const json_t *root;
    vb_entry *entries;
    uint32_t *own_nodes;
    vb_literal *own_literals;
    uint32_t *edges;
    size_t n_entries, n_own_nodes, n_own_literals, n_edges;
    size_t cap_entries, cap_own_nodes, cap_own_literals, cap_edges;
    size_t cap_nodes, cap_properties, cap_elements, cap_literals, cap_alternatives; /* of g */
    uint32_t *table; /* entries plus 1 by address, open addressing */
    vb_buf paths;
    vb_buf bytes; /* becomes g->bytes */
    size_t steps;
    vb_error *e;
} vb_build;

/* Room for one more item in a list of n; limit names what there may be at most. */
VB_MUST_CHECK vb_err vb_build_grow(vb_build *b, void *list, size_t *cap, size_t n,
                                   size_t item_bytes, size_t max, const char *what);

/* The entry of a schema or value; path is "parent.name". */
VB_MUST_CHECK vb_err vb_build_entry(vb_build *b, const json_t *json, bool is_value,
                                    const char *parent, const char *name, uint32_t *out);

VB_MUST_CHECK vb_err vb_build_node(vb_build *b, const vb_node *node, uint32_t *out);
/* The same, as one of entry i's own. */
VB_MUST_CHECK vb_err vb_build_own_node(vb_build *b, uint32_t i, const vb_node *node);
VB_MUST_CHECK vb_err vb_build_own_literal(vb_build *b, uint32_t i, const json_t *scalar);
VB_MUST_CHECK vb_err vb_build_edge(vb_build *b, uint32_t i, uint32_t to);

/* The bytes of a text as they stand, or of a value in canonical JSON. */
VB_MUST_CHECK vb_err vb_build_text(vb_build *b, const char *text, size_t n, vb_literal *out);
VB_MUST_CHECK vb_err vb_build_json(vb_build *b, const json_t *scalar, vb_literal *out);
VB_MUST_CHECK vb_err vb_build_name(vb_build *b, const char *name, size_t n, vb_literal *out);

/* Counts work; VB_ELIMIT when it is too much. */
VB_MUST_CHECK vb_err vb_build_steps(vb_build *b, size_t n);

/* schema.c: everything that b->root, entry 0, can reach. */
VB_MUST_CHECK vb_err vb_build_schemas(vb_build *b);
/* object.c: the node of an object's or an array's keywords, or of such a value. */
VB_MUST_CHECK vb_err vb_build_object(vb_build *b, uint32_t i);
VB_MUST_CHECK vb_err vb_build_array(vb_build *b, uint32_t i);
VB_MUST_CHECK vb_err vb_build_object_value(vb_build *b, uint32_t i);
VB_MUST_CHECK vb_err vb_build_array_value(vb_build *b, uint32_t i);
/* A member that must be a number of elements or characters; out keeps its value without it. */
VB_MUST_CHECK vb_err vb_build_count(vb_build *b, uint32_t i, const char *name, uint32_t *out);

/* slots.c: alternatives of every slot, and heights. */
VB_MUST_CHECK vb_err vb_build_slots(vb_build *b);
VB_MUST_CHECK vb_err vb_build_heights(vb_build *b);
/* A LITERALS node of n texts, which are sorted here; equal ones become one. */
VB_MUST_CHECK vb_err vb_build_literals(vb_build *b, vb_literal *texts, size_t n, uint32_t *out);

/* live.c: g->live_max. */
VB_MUST_CHECK vb_err vb_build_live(vb_build *b);

static inline const char *vb_entry_path(const vb_build *b, uint32_t i) {
    return (const char *)b->paths.data + b->entries[i].path;
}

#endif
