/*
 * Tokens from hostile bytes under fixed constraints. Each byte of the input chooses among the
 * allowed tokens, of which there is always one; the text so far is always the beginning of an
 * accepted one, which a row of closing bytes then shows: it ends, and a JSON parser reads it.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "grammar/grammar.h"
#include "unit/tokenizer/small_vocab.h"
#include "json/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CLOSING_STEPS_MAX = 4000 };

static const char *const constraints[] = {
    "{\"type\":\"json_object\"}",
    "{\"type\":\"json_schema\",\"schema\":{\"anyOf\":[{\"type\":\"array\",\"items\":{\"$ref\":\"#"
    "\"},"
    "\"minItems\":1},{\"type\":\"object\",\"properties\":{\"k\":{\"enum\":[1,12,\"x\",[true]]},"
    "\"kk\":"
    "{\"type\":\"string\",\"minLength\":1,\"maxLength\":2}},\"required\":[\"k\"]},{\"type\":"
    "\"array\","
    "\"prefixItems\":[{\"type\":\"number\"}],\"items\":{\"type\":\"string\",\"minLength\":3},"
    "\"maxItems\":3},{\"const\":\"\\u00e9\\n\"}]}}"};

enum { N_CONSTRAINTS = sizeof constraints / sizeof constraints[0] };

static vb_tokenizer *tokenizer;
static vb_vocabulary *vocabulary;
static vb_grammar *grammars[N_CONSTRAINTS];

static void require(int ok) {
    if (!ok) {
        abort();
    }
}

static void open_all(void) {
    static const char *const merges[] = {"{ \"", "\" :",  "\" }", "\" ,",
                                         "] }",  "\\ u",  "[ [",  "\xc3\x83 \xc2\xa9",
                                         "\" k", "\"k \""};
    vb_error e;
    vb_buf file = small_bpe("gpt-2", merges, sizeof merges / sizeof merges[0]);
    require(small_open(&file, &tokenizer, &e) == VB_OK);
    require(vb_vocabulary_open(tokenizer, &vocabulary, &e) == VB_OK);
    for (size_t i = 0; i < N_CONSTRAINTS; i++) {
        json_t *c = json_loads(constraints[i], 0, NULL);
        require(c && vb_grammar_open(c, &grammars[i], &e) == VB_OK);
        json_decref(c);
    }
}

static int allowed(const uint64_t *bits, uint32_t id) {
    return (int)(bits[id / 64] >> id % 64 & 1);
}

/* The allowed token at or after `from`, going round; tokens of one byte have the byte's number. */
static uint32_t pick(const uint64_t *bits, uint32_t from) {
    const uint32_t n = vb_tokenizer_size(tokenizer);
    for (uint32_t i = 0; i < n; i++) {
        const uint32_t id = (from + i) % n;
        if (allowed(bits, id)) {
            return id;
        }
    }
    abort();
}

static uint32_t pick_closing(const uint64_t *bits) {
    for (const char *c = "\"}]:,knt0{["; *c; c++) {
        if (allowed(bits, (uint8_t)*c)) {
            return (uint8_t)*c;
        }
    }
    return pick(bits, 'a');
}

static void check(const vb_grammar *g, const uint8_t *data, size_t size) {
    vb_grammar_state *s = NULL;
    vb_error e = {0};
    uint64_t bits[8];
    vb_buf text = vb_buf_make(VB_TEXT_BYTES_MAX);
    const uint32_t n = vb_tokenizer_size(tokenizer);
    require(n <= 512 && vb_grammar_state_open(g, vocabulary, &s, &e) == VB_OK);
    for (size_t i = 0; i < size || !vb_grammar_complete(s); i++) {
        require(i < size + CLOSING_STEPS_MAX);
        require(vb_grammar_mask(s, n, bits, &e) == VB_OK);
        const uint32_t id = i < size ? pick(bits, data[i] * 7u % n) : pick_closing(bits);
        require(vb_grammar_accept(s, id, &e) == VB_OK);
        if (vb_tokenizer_is_eog(tokenizer, id)) {
            break;
        }
        require(vb_tokenizer_decode(tokenizer, &id, 1, false, false, &text, &e) == VB_OK);
    }
    json_t *value =
        json_loadb((const char *)text.data, text.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    require(value != NULL);
    json_decref(value);
    vb_buf_free(&text);
    vb_grammar_state_close(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!tokenizer) {
        open_all();
    }
    if (size) {
        check(grammars[data[0] % N_CONSTRAINTS], data + 1, size - 1);
    }
    return 0;
}
