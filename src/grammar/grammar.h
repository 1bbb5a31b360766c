/*
 * Constrained decoding (spec/constraints.md): which tokens may come next so that an answer ends as
 * a JSON object, as JSON under a schema, or as one of some texts. A constraint is compiled once; a
 * vocabulary is indexed once; a state follows one answer.
 *
 * What is allowed is a function of the constraint and of the answer's bytes, so that the engine and
 * the replay cut the same tokens.
 *
 * Owner: open/close; a state borrows its grammar and its vocabulary until close. Thread rule:
 * grammars and vocabularies are immutable, any number of threads may use one; a state belongs to
 * one thread at a time.
 */
#ifndef VB_GRAMMAR_GRAMMAR_H
#define VB_GRAMMAR_GRAMMAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/error.h"
#include "base/limits.h"
#include "tokenizer/tokenizer.h"

/* ---- constraints ---- */

typedef struct vb_grammar vb_grammar;

/* Compiles a constraint object (section 2), which is not needed afterwards. VB_EFORMAT for what is
 * malformed, VB_EUNSUPPORTED for a keyword or form that is not supported, VB_EINVAL when no text
 * satisfies it, VB_ELIMIT, VB_ENOMEM; the message names the path: "schema.properties.x.pattern:
 * ...". Time and memory are bounded, whatever the constraint. */
VB_MUST_CHECK vb_err vb_grammar_open(const json_t *constraint, vb_grammar **out, vb_error *e);
void vb_grammar_close(vb_grammar *g);

/* Whether a value is a constraint of the specification: compiles it, and throws the result away. */
VB_MUST_CHECK vb_err vb_grammar_check(const json_t *constraint, vb_error *e);

/* ---- vocabularies ---- */

typedef struct vb_vocabulary vb_vocabulary;

/* Indexes the bytes of every token, as they are added to an answer's text. VB_ENOMEM. t is not
 * needed afterwards. */
VB_MUST_CHECK vb_err vb_vocabulary_open(const vb_tokenizer *t, vb_vocabulary **out, vb_error *e);
void vb_vocabulary_close(vb_vocabulary *v);
size_t vb_vocabulary_size(const vb_vocabulary *v); /* tokens */
/* Whether the token is one byte of text: section 6 rests on these, so that none of them may be a
 * stop token. */
bool vb_vocabulary_is_single_byte(const vb_vocabulary *v, uint32_t token);

/* ---- states ---- */

typedef struct vb_grammar_state vb_grammar_state;

/* Before the first token. VB_EUNSUPPORTED for a vocabulary that can not spell every text that the
 * constraint accepts (section 6), or that has no end-of-generation token; VB_ENOMEM. */
VB_MUST_CHECK vb_err vb_grammar_state_open(const vb_grammar *g, const vb_vocabulary *v,
                                           vb_grammar_state **out, vb_error *e);
void vb_grammar_state_close(vb_grammar_state *s);

/* to, opened for the same grammar and vocabulary, becomes what from is. */
void vb_grammar_state_copy(vb_grammar_state *to, const vb_grammar_state *from);

/* Sets bit t % 64 of bits[t / 64] for every token t that may come next and clears all others, of
 * n_tokens (at least the vocabulary's). End-of-generation tokens may come exactly when the text is
 * complete. VB_ENOMEM. */
VB_MUST_CHECK vb_err vb_grammar_mask(vb_grammar_state *s, size_t n_tokens, uint64_t *bits,
                                     vb_error *e);

/* Takes a token. VB_EMISMATCH, and s is as before, for one that the mask does not allow. An
 * end-of-generation token changes nothing. */
VB_MUST_CHECK vb_err vb_grammar_accept(vb_grammar_state *s, uint32_t token, vb_error *e);

/* The same for bytes of any cut; false, and s is as before, when the text can not go on so. */
VB_MUST_CHECK bool vb_grammar_feed(vb_grammar_state *s, const void *bytes, size_t n);

/* Whether the text so far is one that the constraint accepts. */
bool vb_grammar_complete(const vb_grammar_state *s);

/* The state as bytes: two states of one grammar with the same bytes have the same future, and
 * states of the same text have the same bytes. Borrowed until s changes. */
const void *vb_grammar_state_bytes(const vb_grammar_state *s, size_t *n_bytes);

#endif
