/* What the tests of constraints share: constraints from JSON, and a small vocabulary whose tokens
 * cut JSON across its seams. */
#ifndef VB_TESTS_UNIT_GRAMMAR_KIT_H
#define VB_TESTS_UNIT_GRAMMAR_KIT_H

#include <string.h>

#include "grammar/grammar.h"
#include "support/testing.h"
#include "unit/tokenizer/small_vocab.h"
#include "json/json.h"

#define SCHEMA(s) "{\"type\":\"json_schema\",\"schema\":" s "}"

static inline vb_err kit_open(const char *json, vb_grammar **g, vb_error *e) {
    json_t *c = NULL;
    vb_err err = vb_json_parse_foreign(json, strlen(json), VB_RECEIPT_BYTES_MAX, &c, e);
    err = err ? err : vb_grammar_open(c, g, e);
    json_decref(c);
    return err;
}

static inline vb_grammar *kit_grammar(const char *json) {
    vb_grammar *g = NULL;
    vb_error e = {0};
    if (kit_open(json, &g, &e)) {
        fail_msg("%s: %s", json, e.msg);
    }
    return g;
}

/* Tokens of every byte, and some of several: over the ends of strings, keys, numbers, levels. */
static inline vb_tokenizer *kit_tokenizer(void) {
    static const char *const merges[] = {"{ \"",
                                         "\" :",
                                         "\" }",
                                         "\" ,",
                                         "\": \xc4\xa0",
                                         "\", \"",
                                         ", \xc4\xa0",
                                         "} }",
                                         "] }",
                                         "1 2",
                                         "12 }",
                                         "a b",
                                         "ab \"",
                                         "ab\" :",
                                         "\\ n",
                                         "\\n \"",
                                         "\\ u",
                                         "t rue",
                                         "r u",
                                         "ru e",
                                         "t rue",
                                         "\xc4\x8a \xc4\xa0",
                                         "} ]",
                                         "[ \"",
                                         "\" ]",
                                         "[ [",
                                         "\xc3\x83 \xc2\xa9",
                                         "\xc3\xa2 \xc4\xa4",
                                         "- 1",
                                         "1 .",
                                         "e +",
                                         "n ame",
                                         "a m",
                                         "am e",
                                         "n ame",
                                         "\" name",
                                         "\"name \":",
                                         "0 ,",
                                         "} ,"};
    vb_tokenizer *t = NULL;
    vb_error e = {0};
    vb_buf file = small_bpe("gpt-2", merges, sizeof merges / sizeof merges[0]);
    if (small_open(&file, &t, &e)) {
        fail_msg("%s", e.msg);
    }
    return t;
}

static inline vb_vocabulary *kit_vocabulary(const vb_tokenizer *t) {
    vb_vocabulary *v = NULL;
    vb_error e = {0};
    if (vb_vocabulary_open(t, &v, &e)) {
        fail_msg("%s", e.msg);
    }
    return v;
}

static inline vb_grammar_state *kit_state(const vb_grammar *g, const vb_vocabulary *v) {
    vb_grammar_state *s = NULL;
    vb_error e = {0};
    if (vb_grammar_state_open(g, v, &s, &e)) {
        fail_msg("%s", e.msg);
    }
    return s;
}

static inline bool kit_allowed(const uint64_t *bits, uint32_t id) {
    return bits[id / 64] >> id % 64 & 1;
}

/* The mask against trying every token on a copy; returns how many are allowed. */
static inline size_t kit_check_mask(vb_grammar_state *s, vb_grammar_state *copy,
                                    const vb_tokenizer *t, uint64_t *bits) {
    const uint32_t n = vb_tokenizer_size(t);
    vb_error e;
    size_t count = 0;
    assert_int_equal(vb_grammar_mask(s, n, bits, &e), VB_OK);
    for (uint32_t id = 0; id < n; id++) {
        vb_grammar_state_copy(copy, s);
        const bool want = vb_grammar_accept(copy, id, &e) == VB_OK;
        if (kit_allowed(bits, id) != want) {
            fail_msg("token %u: the mask says %d", id, kit_allowed(bits, id));
        }
        count += want;
    }
    return count;
}

/* A random allowed token; there must be one. */
static inline uint32_t kit_draw(const uint64_t *bits, uint32_t n, size_t count, uint64_t *rng) {
    assert_true(count > 0);
    uint64_t left = vb_test_random(rng) % count;
    for (uint32_t id = 0; id < n; id++) {
        if (kit_allowed(bits, id) && left-- == 0) {
            return id;
        }
    }
    fail();
    return 0;
}

#endif
