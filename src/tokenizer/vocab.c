/*
 * The vocabulary from GGUF metadata: texts, kinds, special ids, and which tokens end a
 * generation. Everything is checked here, so that encoding and decoding can trust it.
 *
 * Markers of known chat formats are control tokens whatever the file says of them: otherwise
 * a user's words could become a role marker.
 */
#include <stdlib.h>
#include <string.h>

#include "tokenizer/internal.h"

/* Chat markers; the first N_END_MARKERS of them also end a generation. */
static const char *const markers[] = {
    "<|im_end|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|end_of_text|>",
    "<|endoftext|>",
    "<|end|>",
    "<end_of_turn>",
    "<｜end▁of▁sentence｜>",
    "<|im_start|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|begin_of_text|>",
    "<｜begin▁of▁sentence｜>",
    "<｜User｜>",
    "<｜Assistant｜>",
};
enum { N_END_MARKERS = 8, N_MARKERS = sizeof markers / sizeof *markers };

static vb_err load_texts(vb_tokenizer *t, const vb_gguf *g, vb_error *e) {
    static const char key[] = "tokenizer.ggml.tokens";
    const char *file = vb_gguf_file_path(g, 0);
    const vb_gguf_kv *kv = vb_gguf_find(g, key);
    if (!kv || kv->type != VB_GGUF_ARRAY || kv->item_type != VB_GGUF_STRING || !kv->n_items) {
        return vb_fail(e, VB_EFORMAT, "%s: %s: expected an array of strings", file, key);
    }
    if (kv->n_items > VB_MODEL_VOCAB_MAX) {
        return vb_fail(e, VB_ELIMIT, "%s: %s has %llu items, the limit is %u", file, key,
                       (unsigned long long)kv->n_items, VB_MODEL_VOCAB_MAX);
    }
    t->n = (uint32_t)kv->n_items;
    t->texts = calloc(t->n, sizeof *t->texts);
    size_t total = 0;
    vb_str s;
    for (uint32_t i = 0; t->texts && i < t->n; i++) {
        if (!vb_gguf_item_str(g, kv, i, &s)) {
            return vb_fail(e, VB_EFORMAT, "%s: %s[%u] is not a string", file, key, i);
        }
        if (s.len > VB_TOKEN_BYTES_MAX || !vb_add_size(total, s.len, &total)) {
            return vb_fail(e, VB_ELIMIT, "%s: %s[%u] has %zu bytes, the limit is %u", file, key, i,
                           s.len, VB_TOKEN_BYTES_MAX);
        }
    }
    t->arena = malloc(total ? total : 1);
    if (!t->texts || !t->arena) {
        return vb_fail(e, VB_ENOMEM, "no memory for %u tokens", t->n);
    }
    char *p = t->arena;
    for (uint32_t i = 0; i < t->n; i++) {
        (void)vb_gguf_item_str(g, kv, i, &s);
        if (s.len) {
            memcpy(p, s.p, s.len);
        }
        t->texts[i] = (vb_str){p, s.len};
        p += s.len;
        t->token_bytes_max = s.len > t->token_bytes_max ? s.len : t->token_bytes_max;
    }
    return VB_OK;
}

static vb_err load_kinds(vb_tokenizer *t, const vb_gguf *g, vb_error *e) {
    static const char key[] = "tokenizer.ggml.token_type";
    const char *file = vb_gguf_file_path(g, 0);
    const vb_gguf_kv *kv = vb_gguf_find(g, key);
    t->kinds = malloc(t->n);
    t->eog = calloc(t->n, 1);
    if (!t->kinds || !t->eog) {
        return vb_fail(e, VB_ENOMEM, "no memory for %u tokens", t->n);
    }
    memset(t->kinds, VB_TOKEN_NORMAL, t->n);
    if (!kv) {
        return VB_OK;
    }
    if (kv->type != VB_GGUF_ARRAY || kv->n_items != t->n) {
        return vb_fail(e, VB_EFORMAT, "%s: %s: expected an array of %u integers", file, key, t->n);
    }
    for (uint32_t i = 0; i < t->n; i++) {
        int64_t kind;
        if (!vb_gguf_item_i64(g, kv, i, &kind) || kind < 0 || kind > VB_TOKEN_BYTE) {
            return vb_fail(e, VB_EFORMAT, "%s: %s[%u]: expected an integer from 0 to %d", file, key,
                           i, VB_TOKEN_BYTE);
        }
        /* 0 says "undefined": such a token stands for no text, like an unused one. */
        t->kinds[i] = kind ? (uint8_t)kind : VB_TOKEN_UNUSED;
    }
    return VB_OK;
}

static bool is_text(vb_str s, const char *text) {
    return s.len == strlen(text) && memcmp(s.p, text, s.len) == 0;
}

static void promote_markers(vb_tokenizer *t) {
    for (uint32_t i = 0; i < t->n; i++) {
        vb_str s = t->texts[i];
        if (s.len < 2 || s.p[0] != '<' || s.p[s.len - 1] != '>') {
            continue;
        }
        for (int m = 0; m < N_MARKERS; m++) {
            if (is_text(s, markers[m])) {
                t->kinds[i] = VB_TOKEN_CONTROL;
                t->eog[i] = m < N_END_MARKERS;
            }
        }
    }
}

/* An id from the metadata. Absent, or all ones: none. */
static vb_err read_id(const vb_tokenizer *t, const vb_gguf *g, const char *key, int32_t *out,
                      vb_error *e) {
    uint64_t id;
    if (!vb_gguf_find(g, key)) {
        return VB_OK;
    }
    vb_err err = vb_gguf_get_u64(g, key, 0, UINT32_MAX, &id, e);
    if (err) {
        return err;
    }
    if (id == UINT32_MAX) {
        *out = VB_TOKEN_NONE;
        return VB_OK;
    }
    if (id >= t->n) {
        return vb_fail(e, VB_EFORMAT, "%s: %s is %llu, but the vocabulary has %u tokens",
                       vb_gguf_file_path(g, 0), key, (unsigned long long)id, t->n);
    }
    *out = (int32_t)id;
    return VB_OK;
}

static vb_err read_flag(const vb_gguf *g, const char *key, bool *out, vb_error *e) {
    return vb_gguf_find(g, key) ? vb_gguf_get_bool(g, key, out, e) : VB_OK;
}

/* The ids that SentencePiece models have when the metadata is silent. */
static int32_t usual_id(const vb_tokenizer *t, uint32_t id, vb_token_kind kind) {
    return t->spm && id < t->n && t->kinds[id] == kind ? (int32_t)id : VB_TOKEN_NONE;
}

static vb_err load_special_ids(vb_tokenizer *t, const vb_gguf *g, vb_error *e) {
    static const char *const end_keys[] = {"tokenizer.ggml.eot_token_id",
                                           "tokenizer.ggml.eom_token_id"};
    t->unk = usual_id(t, 0, VB_TOKEN_UNKNOWN);
    t->bos = usual_id(t, 1, VB_TOKEN_CONTROL);
    t->eos = usual_id(t, 2, VB_TOKEN_CONTROL);
    vb_err err = read_id(t, g, "tokenizer.ggml.unknown_token_id", &t->unk, e);
    if (!err) {
        err = read_id(t, g, "tokenizer.ggml.bos_token_id", &t->bos, e);
    }
    if (!err) {
        err = read_id(t, g, "tokenizer.ggml.eos_token_id", &t->eos, e);
    }
    if (!err && t->eos != VB_TOKEN_NONE) {
        t->eog[t->eos] = 1;
    }
    for (int i = 0; i < 2 && !err; i++) {
        int32_t id = VB_TOKEN_NONE;
        err = read_id(t, g, end_keys[i], &id, e);
        if (!err && id != VB_TOKEN_NONE) {
            t->eog[id] = 1;
        }
    }
    /* GPT-2's vocabulary names its end token as the unknown one: no text may become it. */
    if (!err && t->unk != VB_TOKEN_NONE && t->eog[t->unk]) {
        t->unk = VB_TOKEN_NONE;
    }
    return err;
}

static vb_err load_flags(vb_tokenizer *t, const vb_gguf *g, vb_error *e) {
    t->add_bos = t->spm || t->pre->add_bos;
    t->add_space_prefix = t->spm;
    vb_err err = read_flag(g, "tokenizer.ggml.add_bos_token", &t->add_bos, e);
    if (!err) {
        err = read_flag(g, "tokenizer.ggml.add_eos_token", &t->add_eos, e);
    }
    if (!err && t->spm) {
        err = read_flag(g, "tokenizer.ggml.add_space_prefix", &t->add_space_prefix, e);
    }
    return err;
}

/* Of equal texts the index keeps one that can come from text. */
static vb_err index_texts(vb_tokenizer *t, vb_error *e) {
    uint8_t *prefer = malloc(t->n);
    if (!prefer) {
        return vb_fail(e, VB_ENOMEM, "no memory for %u tokens", t->n);
    }
    for (uint32_t i = 0; i < t->n; i++) {
        prefer[i] = vb_encodes_text(t, i);
    }
    vb_err err = vb_strmap_make(&t->map, t->texts, prefer, t->n, e);
    free(prefer);
    return err;
}

vb_err vb_vocab_load(vb_tokenizer *t, const vb_gguf *g, vb_error *e) {
    vb_err err = load_texts(t, g, e);
    if (!err) {
        err = load_kinds(t, g, e);
    }
    if (!err) {
        promote_markers(t);
        err = load_special_ids(t, g, e);
    }
    if (!err) {
        err = load_flags(t, g, e);
    }
    if (!err) {
        err = index_texts(t, e);
    }
    return err ? err : vb_special_make(t, e);
}
