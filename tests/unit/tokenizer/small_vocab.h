/* Two small vocabularies, complete enough to encode any bytes, as GGUF files in memory. */
#ifndef VB_TESTS_UNIT_TOKENIZER_SMALL_VOCAB_H
#define VB_TESTS_UNIT_TOKENIZER_SMALL_VOCAB_H

#include <stdio.h>

#include "tokenizer/tokenizer.h"
#include "unit/tokenizer/vocab_builder.h"

/* GPT-2's bytes_to_unicode, as published: the n-th byte that is not printable is U+0100 + n. */
static inline void small_byte_text(int byte, char out[8]) {
    uint32_t cp = 0x100;
    for (int b = 0; b <= byte; b++) {
        bool printable = (b >= '!' && b <= '~') || (b >= 0xa1 && b <= 0xac) || b >= 0xae;
        if (b == byte && printable) {
            cp = (uint32_t)b;
        } else if (b < byte && !printable) {
            cp++;
        }
    }
    if (cp < 0x80) {
        snprintf(out, 8, "%c", (char)cp);
    } else {
        snprintf(out, 8, "%c%c", (char)(0xc0 | cp >> 6), (char)(0x80 | (cp & 0x3f)));
    }
}

enum {
    SMALL_BPE_SPECIALS = 6,
    SMALL_END_OF_TEXT = 256,
    SMALL_IM_START = 257,
    SMALL_IM_END = 258,
    SMALL_TOOL = 259,
    SMALL_TOOL_LONG = 260,
    SMALL_CONTROL = 261,
    SMALL_FIRST_MERGE = 262
};

/* Bytes are ids 0..255 in order, then the specials above, then the result of each merge. */
static inline vb_buf small_bpe(const char *pre, const char *const *merges, size_t n_merges) {
    static const char *const specials[SMALL_BPE_SPECIALS] = {
        "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<tool>", "<tool><x>", "[CTRL]"};
    size_t n = SMALL_FIRST_MERGE + n_merges;
    vocab_builder x = vbb_make();
    vbb_add_str(&x, "tokenizer.ggml.model", "gpt2");
    vbb_add_str(&x, "tokenizer.ggml.pre", pre);
    vbb_array(&x, "tokenizer.ggml.tokens", VB_GGUF_STRING, n);
    for (int b = 0; b < 256; b++) {
        char text[8];
        small_byte_text(b, text);
        vbb_string(&x.kvs, text, strlen(text));
    }
    for (int i = 0; i < SMALL_BPE_SPECIALS; i++) {
        vbb_string(&x.kvs, specials[i], strlen(specials[i]));
    }
    for (size_t i = 0; i < n_merges; i++) {
        const char *space = strchr(merges[i] + 1, ' ');
        size_t left = (size_t)(space - merges[i]), right = strlen(space + 1);
        vbb_u64(&x.kvs, left + right);
        vbb_check(vb_buf_append(&x.kvs, merges[i], left));
        vbb_check(vb_buf_append(&x.kvs, space + 1, right));
    }
    vbb_array(&x, "tokenizer.ggml.token_type", VB_GGUF_I32, n);
    for (size_t i = 0; i < n; i++) {
        bool user = i == SMALL_TOOL || i == SMALL_TOOL_LONG;
        bool control = i >= SMALL_END_OF_TEXT && i < SMALL_FIRST_MERGE && !user;
        vbb_u32(&x.kvs, user      ? VB_TOKEN_USER_DEFINED
                        : control ? VB_TOKEN_CONTROL
                                  : VB_TOKEN_NORMAL);
    }
    vbb_add_strs(&x, "tokenizer.ggml.merges", merges, n_merges);
    vbb_add_u32(&x, "tokenizer.ggml.bos_token_id", SMALL_END_OF_TEXT);
    vbb_add_u32(&x, "tokenizer.ggml.eos_token_id", SMALL_IM_END);
    return vbb_finish(&x);
}

typedef struct small_piece {
    const char *text;
    vb_token_kind kind;
    float score;
} small_piece;

/* <unk> <s> </s>, then the bytes <0x00>..<0xFF> if asked for, then pieces. */
static inline vb_buf small_spm(bool bytes, const small_piece *pieces, size_t n_pieces) {
    static const small_piece first[] = {{"<unk>", VB_TOKEN_UNKNOWN, 0},
                                        {"<s>", VB_TOKEN_CONTROL, 0},
                                        {"</s>", VB_TOKEN_CONTROL, 0}};
    static small_piece all[2048];
    static char texts[256][8];
    size_t n = 0;
    for (; n < 3; n++) {
        all[n] = first[n];
    }
    for (int b = 0; b < 256 && bytes; b++) {
        snprintf(texts[b], 8, "<0x%02X>", b);
        all[n++] = (small_piece){texts[b], VB_TOKEN_BYTE, 0};
    }
    for (size_t i = 0; i < n_pieces; i++) {
        all[n++] = pieces[i];
    }
    vocab_builder x = vbb_make();
    vbb_add_str(&x, "tokenizer.ggml.model", "llama");
    vbb_array(&x, "tokenizer.ggml.tokens", VB_GGUF_STRING, n);
    for (size_t i = 0; i < n; i++) {
        vbb_string(&x.kvs, all[i].text, strlen(all[i].text));
    }
    vbb_array(&x, "tokenizer.ggml.scores", VB_GGUF_F32, n);
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &all[i].score, 4);
        vbb_u32(&x.kvs, bits);
    }
    vbb_array(&x, "tokenizer.ggml.token_type", VB_GGUF_I32, n);
    for (size_t i = 0; i < n; i++) {
        vbb_u32(&x.kvs, all[i].kind);
    }
    return vbb_finish(&x);
}

/* Opens a tokenizer over a finished file and frees the file. */
static inline vb_err small_open(vb_buf *file, vb_tokenizer **t, vb_error *e) {
    vb_gguf *g;
    vb_err err = vb_gguf_open_bytes(file->data, file->len, "test.gguf", &g, e);
    if (!err) {
        err = vb_tokenizer_open(g, t, e);
        vb_gguf_close(g);
    }
    vb_buf_free(file);
    return err;
}

#endif
