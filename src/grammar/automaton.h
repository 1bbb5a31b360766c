/*
 * The automaton of a compiled constraint, a byte at a time. A configuration is a pile of levels:
 * the root, the open objects and arrays, and the string, number or other scalar in hand. A level
 * holds the nodes that its text can still be, each with the set of nodes of the level below that
 * wait for its value. All nodes of a level see the same bytes and end at the same byte, so that a
 * configuration is a function of the text: alternatives neither multiply nor have to be guessed.
 *
 * Every configuration that a step arrives at can be completed (spec/constraints.md section 6).
 *
 * Internal to src/grammar. Owner: the caller's memory, vb_config_bytes_max of it.
 */
#ifndef VB_GRAMMAR_AUTOMATON_H
#define VB_GRAMMAR_AUTOMATON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "grammar/nodes.h"

/* The root, the objects and arrays, a scalar. */
enum { VB_LEVELS_MAX = VB_GRAMMAR_DEPTH_MAX + 2 };

#define VB_KEY_OTHER UINT32_MAX /* the name of an additional property */

typedef enum vb_phase {
    VB_PHASE_OPEN,  /* nothing of the content yet: ROOT, OBJECT, ARRAY */
    VB_PHASE_NEXT,  /* after a comma */
    VB_PHASE_KEY,   /* inside a name */
    VB_PHASE_COLON, /* after a name */
    VB_PHASE_VALUE, /* after the colon */
    VB_PHASE_WAIT,  /* a value is in hand, one level up */
    VB_PHASE_AFTER, /* after a value */
    VB_PHASE_SCALAR
} vb_phase;

typedef struct vb_item {
    uint64_t parents[VB_SET_WORDS]; /* items of the level below */
    uint64_t seen[VB_SEEN_WORDS];   /* OBJECT: the properties that the text has */
    uint32_t node;
    uint32_t count;     /* elements, characters or digits so far */
    uint32_t low, high; /* literals, or names, that are still possible */
    uint32_t len;       /* bytes of them that were read */
    uint32_t key;       /* OBJECT: the property whose value comes next */
    uint16_t phase;     /* vb_phase */
    uint8_t sub;        /* vb_string_state or vb_number_state */
    uint8_t gap;        /* white space read in this gap */
    uint32_t pad;       /* zero: items are compared as bytes */
} vb_item;

typedef struct vb_config {
    uint32_t n_levels;
    uint32_t end[VB_LEVELS_MAX]; /* items up to the end of each level */
    uint32_t pad;
    vb_item items[];
} vb_config;

size_t vb_config_bytes_max(const vb_grammar *g);
/* Of the part in use: equal texts give equal bytes there. */
size_t vb_config_bytes(const vb_config *c);

/* Before the first byte. */
void vb_config_begin(vb_config *c);
/* False when the text can not go on with this byte: c is then undefined. */
bool vb_config_step(const vb_grammar *g, vb_config *c, uint8_t byte);
/* Whether the text may end here. */
bool vb_config_complete(const vb_grammar *g, const vb_config *c);

/* The first item of the top level, and how many there are. */
const vb_item *vb_config_top(const vb_config *c, size_t *n);
/* Leaves only the items of the set in the top level. */
void vb_config_keep(vb_config *c, const uint64_t set[VB_SET_WORDS]);

/* An item between two characters of a string that may go on with any characters. */
typedef struct vb_free_string {
    uint32_t least; /* characters before the closing quote */
    uint32_t most;
    bool escapes; /* a character may be escaped */
    bool names;   /* it is a name that may also become a listed one */
} vb_free_string;

/* False for all other items. */
bool vb_config_free_string(const vb_grammar *g, const vb_item *it, vb_free_string *out);

/* What becomes of the top level's items, names all, if they are listed ones. */
void vb_config_listed_names(vb_config *c);

/* Closes the strings of the top level's items, which are free, as if they had characters enough.
 * Names among them become names that are not listed, as which they are free. */
void vb_config_close_strings(const vb_grammar *g, vb_config *c);

#endif
