/*
 * Header, metadata and a synthetic tokenizer: the 256 bytes, then pairs of letters that real
 * merges make, then filler words up to the vocabulary's size, then three control tokens. Text in
 * is split and joined as by a real byte-level BPE; text out is readable.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "gguf/gguf.h"
#include "synth.h"

enum {
    CONTROLS = 3, /* <|endoftext|>, <|im_start|>, <|im_end|> (eos) */
    LETTERS = 26,
    PAIRS_MAX = LETTERS + LETTERS * LETTERS, /* space and letter, letter and letter */
    HEADER_BYTES_MAX = 1 << 28,
    VERSION = 3
};

static const char chat_template[] =
    "{%- for message in messages -%}"
    "{{- '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' -}}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}";

/* A header under construction; after the first failure nothing is added. */
typedef struct writer {
    vb_buf *b;
    vb_err err;
    uint64_t n_kvs;
} writer;

static void put(writer *w, const void *p, size_t n) {
    if (!w->err) {
        w->err = vb_buf_append(w->b, p, n);
    }
}
static void put_u32(writer *w, uint32_t v) {
    uint8_t p[4];
    vb_store_u32le(p, v);
    put(w, p, sizeof p);
}
static void put_u64(writer *w, uint64_t v) {
    put_u32(w, (uint32_t)v);
    put_u32(w, (uint32_t)(v >> 32));
}
static void put_f32(writer *w, float v) {
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    put_u32(w, bits);
}
static void put_str(writer *w, const char *s) {
    put_u64(w, strlen(s));
    put(w, s, strlen(s));
}

static void key(writer *w, const char *name, vb_gguf_type type) {
    put_str(w, name);
    put_u32(w, type);
    w->n_kvs++;
}
static void kv_str(writer *w, const char *name, const char *value) {
    key(w, name, VB_GGUF_STRING);
    put_str(w, value);
}
static void kv_u32(writer *w, const char *name, uint64_t value) {
    key(w, name, VB_GGUF_U32);
    put_u32(w, (uint32_t)value);
}
static void kv_bool(writer *w, const char *name, bool value) {
    key(w, name, VB_GGUF_BOOL);
    put(w, value ? "\1" : "\0", 1);
}
static void arch_u32(writer *w, const synth_shape *s, const char *suffix, uint64_t value) {
    char name[96];
    snprintf(name, sizeof name, "%s.%s", s->arch, suffix);
    kv_u32(w, name, value);
}
static void arch_f32(writer *w, const synth_shape *s, const char *suffix, double value) {
    char name[96];
    snprintf(name, sizeof name, "%s.%s", s->arch, suffix);
    key(w, name, VB_GGUF_F32);
    put_f32(w, (float)value);
}
static void array(writer *w, const char *name, vb_gguf_type item_type, uint64_t n) {
    key(w, name, VB_GGUF_ARRAY);
    put_u32(w, item_type);
    put_u64(w, n);
}

/* GPT-2's alphabet: printable Latin-1 stands for itself, the other bytes for U+0100 and up. */
static void byte_text(unsigned byte, char out[4]) {
    unsigned code = byte, shifted = 0;
    for (unsigned b = 0; b <= byte; b++) {
        bool itself = (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
        if (!itself) {
            code = b == byte ? 256 + shifted : code;
            shifted++;
        }
    }
    if (code < 128) {
        snprintf(out, 4, "%c", (int)code);
    } else {
        snprintf(out, 4, "%c%c", (int)(0xc0 | code >> 6), (int)(0x80 | (code & 63)));
    }
}

/* The two halves of pair i: " a" to " z", then "aa" to "zz". */
static void pair_halves(unsigned i, char first[4], char second[4]) {
    if (i < LETTERS) {
        byte_text(' ', first);
        byte_text('a' + i, second);
    } else {
        byte_text('a' + (i - LETTERS) / LETTERS, first);
        byte_text('a' + (i - LETTERS) % LETTERS, second);
    }
}

static uint64_t pair_count(const synth_shape *s) {
    uint64_t room = s->n_vocab - 256 - CONTROLS;
    return room < PAIRS_MAX ? room : PAIRS_MAX;
}

static void put_tokens(writer *w, const synth_shape *s) {
    static const char *const controls[CONTROLS] = {"<|endoftext|>", "<|im_start|>", "<|im_end|>"};
    uint64_t pairs = pair_count(s);
    array(w, "tokenizer.ggml.tokens", VB_GGUF_STRING, s->n_vocab);
    for (uint64_t i = 0; i < s->n_vocab; i++) {
        char text[32], first[4], second[4];
        if (i < 256) {
            byte_text((unsigned)i, text);
        } else if (i < 256 + pairs) {
            pair_halves((unsigned)(i - 256), first, second);
            snprintf(text, sizeof text, "%s%s", first, second);
        } else if (i < s->n_vocab - CONTROLS) {
            byte_text(' ', first);
            snprintf(text, sizeof text, "%sw%" PRIu64, first, i);
        } else {
            snprintf(text, sizeof text, "%s", controls[i - (s->n_vocab - CONTROLS)]);
        }
        put_str(w, text);
    }
    array(w, "tokenizer.ggml.token_type", VB_GGUF_I32, s->n_vocab);
    for (uint64_t i = 0; i < s->n_vocab; i++) {
        put_u32(w, i < s->n_vocab - CONTROLS ? 1 : 3); /* normal, control */
    }
    array(w, "tokenizer.ggml.merges", VB_GGUF_STRING, pairs);
    for (uint64_t i = 0; i < pairs; i++) {
        char text[32], first[4], second[4];
        pair_halves((unsigned)i, first, second);
        snprintf(text, sizeof text, "%s %s", first, second);
        put_str(w, text);
    }
}

static void put_tokenizer(writer *w, const synth_shape *s) {
    kv_str(w, "tokenizer.ggml.model", "gpt2");
    kv_str(w, "tokenizer.ggml.pre", "qwen2");
    put_tokens(w, s);
    kv_u32(w, "tokenizer.ggml.eos_token_id", s->n_vocab - 1);
    kv_u32(w, "tokenizer.ggml.bos_token_id", s->n_vocab - 3);
    kv_u32(w, "tokenizer.ggml.padding_token_id", s->n_vocab - 3);
    kv_bool(w, "tokenizer.ggml.add_bos_token", false);
    kv_str(w, "tokenizer.chat_template", chat_template);
}

static void put_general(writer *w, const synth_plan *p) {
    const synth_shape *s = p->shape;
    char text[256], note[160];
    kv_str(w, "general.architecture", s->arch);
    kv_str(w, "general.type", "model");
    snprintf(text, sizeof text, "%s synthetic", s->name);
    kv_str(w, "general.name", text);
    synth_fallback_text(p, note, sizeof note);
    snprintf(text, sizeof text, "Random weights for measurements: type %s, seed %" PRIu64 "%s%s",
             p->type->name, p->seed, note[0] ? "; " : "", note);
    kv_str(w, "general.description", text);
    kv_u32(w, "general.file_type", p->type->file_type);
    kv_u32(w, "general.quantization_version", 2);
}

static void put_model(writer *w, const synth_shape *s) {
    arch_u32(w, s, "context_length", s->n_ctx);
    arch_u32(w, s, "embedding_length", s->n_embd);
    arch_u32(w, s, "block_count", s->n_layers);
    arch_u32(w, s, "feed_forward_length", s->n_ff);
    arch_u32(w, s, "attention.head_count", s->n_heads);
    arch_u32(w, s, "attention.head_count_kv", s->n_kv_heads);
    arch_u32(w, s, "attention.key_length", s->head_dim);
    arch_u32(w, s, "attention.value_length", s->head_dim);
    arch_f32(w, s, "attention.layer_norm_rms_epsilon", s->rms_eps);
    arch_f32(w, s, "rope.freq_base", s->rope_base);
    if (strcmp(s->arch, "llama") == 0) {
        arch_u32(w, s, "rope.dimension_count", s->head_dim);
        arch_u32(w, s, "vocab_size", s->n_vocab);
    }
    if (s->scaling == SYNTH_ROPE_LINEAR || s->scaling == SYNTH_ROPE_YARN) {
        char name[96];
        snprintf(name, sizeof name, "%s.rope.scaling.type", s->arch);
        kv_str(w, name, s->scaling == SYNTH_ROPE_YARN ? "yarn" : "linear");
        arch_f32(w, s, "rope.scaling.factor", s->rope_factor);
        if (s->rope_ctx_orig) {
            arch_u32(w, s, "rope.scaling.original_context_length", s->rope_ctx_orig);
        }
    }
}

static void put_infos(writer *w, const synth_plan *p) {
    for (size_t i = 0; i < p->n_tensors; i++) {
        const synth_tensor *t = &p->tensors[i];
        bool vector = t->role != SYNTH_MATRIX;
        put_str(w, t->name);
        put_u32(w, vector ? 1 : 2);
        put_u64(w, t->cols);
        if (!vector) {
            put_u64(w, t->rows);
        }
        put_u32(w, t->type);
        put_u64(w, t->offset_bytes);
    }
}

vb_err synth_header_build(const synth_plan *p, vb_buf *out, vb_error *e) {
    *out = vb_buf_make(HEADER_BYTES_MAX);
    writer w = {out, VB_OK, 0};
    put(&w, "GGUF", 4);
    put_u32(&w, VERSION);
    put_u64(&w, p->n_tensors);
    size_t count_at = out->len;
    put_u64(&w, 0);
    put_general(&w, p);
    put_model(&w, p->shape);
    put_tokenizer(&w, p->shape);
    put_infos(&w, p);
    while (!w.err && out->len % SYNTH_ALIGNMENT) {
        put(&w, "", 1);
    }
    if (w.err) {
        vb_buf_free(out);
        return vb_fail(e, w.err, "the header could not be built (%s)", vb_err_name(w.err));
    }
    vb_store_u32le(out->data + count_at, (uint32_t)w.n_kvs);
    return VB_OK;
}
