/*
 * Constraints from hostile bytes: compiling never crashes, says why it refuses, and what it accepts
 * can be followed: at every step some token is allowed, the mask agrees with trying a token, and an
 * end is allowed exactly where the text is complete.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "grammar/grammar.h"
#include "unit/tokenizer/small_vocab.h"
#include "json/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { STEPS = 24 };

static void require(int ok) {
    if (!ok) {
        abort();
    }
}

static vb_tokenizer *tokenizer;
static vb_vocabulary *vocabulary;

static void open_vocabulary(void) {
    static const char *const merges[] = {"{ \"", "\" :", "\" }", "\" ,",
                                         "a b",  "1 2",  "] }",  "\\ u"};
    vb_error e;
    vb_buf file = small_bpe("gpt-2", merges, sizeof merges / sizeof merges[0]);
    require(small_open(&file, &tokenizer, &e) == VB_OK);
    require(vb_vocabulary_open(tokenizer, &vocabulary, &e) == VB_OK);
}

/* The allowed token after `from`, going round. */
static uint32_t pick(const uint64_t *bits, uint32_t n, uint32_t from) {
    for (uint32_t i = 0; i < n; i++) {
        const uint32_t id = (from + i) % n;
        if (bits[id / 64] >> id % 64 & 1) {
            return id;
        }
    }
    abort();
}

static void follow(const vb_grammar *g, uint32_t seed) {
    const uint32_t n = vb_tokenizer_size(tokenizer);
    uint64_t bits[8];
    vb_grammar_state *s = NULL, *copy = NULL;
    vb_error e = {0};
    require(n <= 512 && vb_grammar_state_open(g, vocabulary, &s, &e) == VB_OK);
    require(vb_grammar_state_open(g, vocabulary, &copy, &e) == VB_OK);
    for (uint32_t i = 0; i < STEPS; i++) {
        require(vb_grammar_mask(s, n, bits, &e) == VB_OK);
        seed = seed * 1664525u + 1013904223u;
        const uint32_t probe = (seed >> 8) % n;
        vb_grammar_state_copy(copy, s);
        require((vb_grammar_accept(copy, probe, &e) == VB_OK) ==
                (int)(bits[probe / 64] >> probe % 64 & 1));
        require((int)(bits[SMALL_IM_END / 64] >> SMALL_IM_END % 64 & 1) == vb_grammar_complete(s));
        const uint32_t id = pick(bits, n, (seed >> 16) % n);
        require(vb_grammar_accept(s, id, &e) == VB_OK);
    }
    vb_grammar_state_close(s);
    vb_grammar_state_close(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!tokenizer) {
        open_vocabulary();
    }
    json_t *c = NULL;
    vb_grammar *g = NULL;
    vb_error e = {0};
    if (vb_json_parse_foreign(data, size, VB_CONSTRAINT_BYTES_MAX, &c, &e) == VB_OK) {
        const vb_err err = vb_grammar_open(c, &g, &e);
        require(err == VB_OK || (e.msg[0] != 0 && err != VB_EINTERNAL));
        if (!err) {
            follow(g, (uint32_t)size * 2654435761u + (size ? data[size / 2] : 0));
            vb_grammar_close(g);
        }
    }
    json_decref(c);
    return 0;
}
