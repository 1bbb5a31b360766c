/*
 * The bytes of a vocabulary's tokens as a tree. Nodes lie in the order in which a walk meets them,
 * so that a walk is a scan that skips the parts below a byte that was refused. What stays inside a
 * JSON string whatever the constraint, most of the vocabulary, is known beforehand.
 *
 * Internal to src/grammar.
 */
#ifndef VB_GRAMMAR_VOCABULARY_H
#define VB_GRAMMAR_VOCABULARY_H

#include "grammar/grammar.h"

typedef struct vb_tree_node {
    uint32_t skip;  /* the next node that is not below this one */
    uint32_t token; /* the first of its tokens in ids; the next node's are after them */
    uint16_t depth; /* bytes up to and with this one */
    uint8_t byte;
} vb_tree_node;

/* A token, begun between characters of a string, that does not leave the string. */
typedef struct vb_inner_token {
    uint32_t id;
    uint16_t characters; /* that begin in it */
    bool escapes;
} vb_inner_token;

/* A quote that closes the string which such a token would stay in. */
typedef struct vb_exit {
    uint32_t node;
    uint16_t characters;
    bool escapes;
} vb_exit;

struct vb_vocabulary {
    size_t n_tokens;
    vb_tree_node *nodes; /* n_nodes, and one that ends the tokens of the last */
    size_t n_nodes;
    uint32_t *ids; /* tokens with bytes, in the order of their bytes */
    size_t n_ids;
    bool single[256]; /* there is a token of this byte alone */
    bool splits;      /* a token can end inside a character */
    uint32_t *ends;   /* end-of-generation tokens */
    size_t n_ends;
    vb_inner_token *inner;
    size_t n_inner;
    uint16_t inner_characters_max;
    uint64_t *inner_bits; /* the inner tokens as a mask */
    vb_exit *exits;
    size_t n_exits;
    /* Of every token, for accepting it. */
    uint8_t *bytes;
    uint32_t *at; /* [n_tokens + 1] */
};

/* The node that n bytes lead to (1 or more); n_nodes when no token begins so. */
uint32_t vb_vocabulary_find(const vb_vocabulary *v, const uint8_t *bytes, size_t n);

bool vb_vocabulary_is_end(const vb_vocabulary *v, uint32_t token);

#endif
