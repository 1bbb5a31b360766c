/*
 * A compiled constraint: tables that the automaton walks. Nothing in it refers to a vocabulary.
 * A slot is a place for a value; it lists the nodes that may stand there. A node is one kind of
 * value, and by itself deterministic: what a text that began with it has come to is a function of
 * the bytes. Only which of a slot's nodes is meant can be open.
 *
 * Internal to src/grammar. Immutable once compiled.
 */
#ifndef VB_GRAMMAR_NODES_H
#define VB_GRAMMAR_NODES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/limits.h"

#define VB_SLOT_NONE UINT32_MAX
#define VB_COUNT_ANY UINT32_MAX /* of maxItems, maxLength: no maximum */

enum {
    VB_HEIGHT_NEVER = 255, /* of a node that no text satisfies */
    VB_SET_WORDS = VB_GRAMMAR_LIVE_MAX / 64,
    VB_SEEN_WORDS = VB_GRAMMAR_PROPERTIES_MAX / 64
};

typedef enum vb_node_kind {
    VB_NODE_ROOT,
    VB_NODE_OBJECT,
    VB_NODE_ARRAY,
    VB_NODE_STRING,
    VB_NODE_NUMBER,
    VB_NODE_LITERALS
} vb_node_kind;

typedef struct vb_node {
    vb_node_kind kind;
    uint8_t height;   /* least nesting of a value: 0 for what has no brackets */
    bool integer;     /* NUMBER: without fraction and exponent */
    uint32_t first;   /* OBJECT: properties; ARRAY: elements */
    uint32_t n;       /* OBJECT: properties; ARRAY: elements with slots of their own */
    uint32_t texts;   /* OBJECT: the properties' names; LITERALS: the texts: sorted by bytes */
    uint32_t n_texts; /* LITERALS; OBJECT: n */
    uint32_t rest;    /* slot: ROOT: the value; OBJECT: additional properties; ARRAY: the elements
                       * after the first n; VB_SLOT_NONE: none */
    uint32_t min;     /* STRING: characters; ARRAY: elements */
    uint32_t max;
} vb_node;

/* Bytes of vb_grammar.bytes. */
typedef struct vb_literal {
    uint32_t at;
    uint32_t len;
} vb_literal;

typedef struct vb_property {
    uint32_t slot;
    bool required;
} vb_property;

typedef struct vb_slot {
    uint32_t first; /* of vb_grammar.alternatives */
    uint32_t n;
    uint8_t height; /* the least of its nodes */
} vb_slot;

struct vb_grammar {
    vb_node *nodes; /* [0] is the root */
    vb_property *properties;
    uint32_t *elements; /* slots */
    vb_literal *literals;
    vb_slot *slots;
    uint32_t *alternatives; /* nodes */
    uint8_t *bytes;
    size_t n_nodes, n_properties, n_elements, n_literals, n_slots, n_alternatives;
    bool gaps;       /* white space may stand before the value: not in a choice */
    size_t live_max; /* nodes that one level of the automaton can hold at a time */
};

typedef struct vb_grammar vb_grammar;

/* Compares as sorted: bytes, the shorter first. */
int vb_literal_compare(const uint8_t *bytes, vb_literal a, vb_literal b);

#endif
