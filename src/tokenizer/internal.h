/*
 * What the files of this folder share: the loaded vocabulary, the pieces of encoding, and
 * growing lists. Nothing outside src/tokenizer includes this.
 */
#ifndef VB_TOKENIZER_INTERNAL_H
#define VB_TOKENIZER_INTERNAL_H

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "tokenizer/index.h"
#include "tokenizer/tokenizer.h"

enum { VB_PRETOK_STAGES_MAX = 6 };

/* A pre-tokeniser: patterns that cut a text into words, one after the other. */
typedef struct vb_pretok_def {
    const char *name; /* tokenizer.ggml.pre */
    const char *stages[VB_PRETOK_STAGES_MAX];
    bool nfc;           /* the published tokenizer normalises to NFC */
    bool ignore_merges; /* a word that is a token is that token, whatever the merges say */
    bool add_bos;       /* when the metadata does not say */
} vb_pretok_def;

typedef struct vb_special_index {
    uint32_t *ids;       /* sorted by text; no two alike */
    uint32_t first[257]; /* where each first byte begins in ids */
} vb_special_index;

struct vb_tokenizer {
    bool spm;
    uint32_t n; /* tokens */
    char *arena;
    vb_str *texts;
    uint8_t *kinds;
    uint8_t *eog;
    size_t token_bytes_max; /* longest text */
    vb_strmap map;
    vb_special_index specials;
    int32_t bytes[256]; /* the token of each single byte, or VB_TOKEN_NONE */
    int32_t bos, eos, unk;
    bool add_bos, add_eos, add_space_prefix;
    char name[64];

    vb_mergemap merges; /* BPE */
    const vb_pretok_def *pre;
    pcre2_code *stages[VB_PRETOK_STAGES_MAX];
    size_t n_stages;

    uint32_t *ranks; /* SPM: 0 for the highest score; equal scores share a rank */
};

/* A growing list of ids. */
typedef struct vb_ids {
    uint32_t *data;
    size_t len, cap;
} vb_ids;

typedef struct vb_symbol {
    uint32_t off, len;   /* bytes of the text */
    uint32_t prev, next; /* symbols; VB_SYMBOL_END for none. len 0: merged away */
    int32_t id;          /* VB_TOKEN_NONE when it is no token */
} vb_symbol;

typedef struct vb_candidate {
    uint32_t rank, left, right, len;
    uint32_t result;
} vb_candidate;

#define VB_SYMBOL_END UINT32_MAX

/* The memory of one encode call, reused from word to word. */
typedef struct vb_encoder {
    const vb_tokenizer *t;
    vb_ids ids;
    vb_symbol *symbols;
    size_t n_symbols, cap_symbols;
    vb_candidate *heap;
    size_t n_heap, cap_heap;
    vb_buf word;
    pcre2_match_data *match;
    pcre2_match_context *match_context;
    pcre2_jit_stack *jit_stack;
    vb_error *e;
} vb_encoder;

VB_MUST_CHECK vb_err vb_ids_push(vb_encoder *x, uint32_t id);
/* Room for n items of size bytes at *p. */
VB_MUST_CHECK vb_err vb_grow(void **p, size_t *cap, size_t n, size_t item_bytes, vb_error *e);

/* vocab.c */
VB_MUST_CHECK vb_err vb_vocab_load(vb_tokenizer *t, const vb_gguf *g, vb_error *e);
static inline bool vb_encodes_text(const vb_tokenizer *t, uint32_t id) {
    return t->kinds[id] == VB_TOKEN_NORMAL || t->kinds[id] == VB_TOKEN_USER_DEFINED;
}

/* bpe.c */
VB_MUST_CHECK vb_err vb_bpe_load(vb_tokenizer *t, const vb_gguf *g, vb_error *e);
VB_MUST_CHECK vb_err vb_bpe_encode(vb_encoder *x, const char *text, size_t len);
/* GPT-2's byte alphabet: the character that stands for a byte, and back (-1: none). */
uint32_t vb_byte_to_alphabet(uint8_t byte);
int vb_alphabet_to_byte(uint32_t cp);

/* spm.c */
VB_MUST_CHECK vb_err vb_spm_load(vb_tokenizer *t, const vb_gguf *g, vb_error *e);
/* The byte that "<0x4F>" spells, or -1: nothing but two upper-case digits will do. */
int vb_spm_byte(vb_str s);
VB_MUST_CHECK vb_err vb_spm_encode(vb_encoder *x, const char *text, size_t len);

/* merge.c: merges x->symbols pairwise, lowest rank first, leftmost of equals. */
VB_MUST_CHECK vb_err vb_symbol_push(vb_encoder *x, uint32_t off, uint32_t len, int32_t id);
VB_MUST_CHECK vb_err vb_merge_symbols(vb_encoder *x, const char *text);
/* The id of each byte of text, the unknown token for those that have none. */
VB_MUST_CHECK vb_err vb_emit_bytes(vb_encoder *x, const char *text, size_t len);

/* pretok.c */
const vb_pretok_def *vb_pretok_find(vb_str name);
/* "qwen2, llama-bpe, ..." */
void vb_pretok_names(char *out, size_t max);
VB_MUST_CHECK vb_err vb_pretok_compile(vb_tokenizer *t, vb_error *e);
typedef vb_err vb_word_fn(vb_encoder *x, const char *word, size_t len);
/* Calls fn for each word of a well-formed text, in order; words join up to the text. */
VB_MUST_CHECK vb_err vb_pretok_split(vb_encoder *x, const char *text, size_t len, vb_word_fn *fn);

/* special.c */
VB_MUST_CHECK vb_err vb_special_make(vb_tokenizer *t, vb_error *e);
/* The first whole special token at or after from: its id, or VB_TOKEN_NONE; *at is where. */
int32_t vb_special_next(const vb_tokenizer *t, const char *text, size_t len, size_t from,
                        bool parse_special, size_t *at);

/* nfc.c: appends the NFC form of a well-formed text. */
VB_MUST_CHECK vb_err vb_nfc(const char *text, size_t len, vb_buf *out, vb_error *e);

#endif
