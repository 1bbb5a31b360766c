/*
 * SentencePiece BPE ("llama"): spaces become U+2581, characters are the first symbols, and the
 * neighbours whose joined text is the token with the highest score merge first. What is no
 * token in the end is spelled in byte tokens <0x00>..<0xFF>, or is the unknown token where the
 * vocabulary has none.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tokenizer/internal.h"
#include "tokenizer/utf8.h"

#define VB_SPM_SPACE "\xe2\x96\x81"
enum { VB_SPM_SPACE_BYTES = 3 };

static int hex_digit(char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int vb_spm_byte(vb_str s) {
    if (s.len != 6 || memcmp(s.p, "<0x", 3) != 0 || s.p[5] != '>') {
        return -1;
    }
    int hi = hex_digit(s.p[3]), lo = hex_digit(s.p[4]);
    return hi < 0 || lo < 0 ? -1 : hi << 4 | lo;
}

typedef struct score_key {
    float score;
    uint32_t id;
} score_key;

static int compare_scores(const void *pa, const void *pb) {
    const score_key *a = pa, *b = pb;
    if (a->score != b->score) {
        return a->score > b->score ? -1 : 1;
    }
    return a->id < b->id ? -1 : a->id > b->id;
}

static vb_err read_scores(const vb_tokenizer *t, const vb_gguf *g, const vb_gguf_kv *kv,
                          score_key *keys, vb_error *e) {
    const char *file = vb_gguf_file_path(g, 0);
    if (kv->type != VB_GGUF_ARRAY || kv->item_type != VB_GGUF_F32) {
        return vb_fail(e, VB_EFORMAT, "%s: tokenizer.ggml.scores: expected an array of float32",
                       file);
    }
    if (kv->n_items != t->n) {
        return vb_fail(e, VB_EFORMAT, "%s: tokenizer.ggml.scores has %llu items, expected %u", file,
                       (unsigned long long)kv->n_items, t->n);
    }
    for (uint32_t i = 0; i < t->n; i++) {
        if (!vb_gguf_item_f32(g, kv, i, &keys[i].score) || isnan(keys[i].score)) {
            return vb_fail(e, VB_EFORMAT, "%s: tokenizer.ggml.scores[%u] is not a number", file, i);
        }
    }
    return VB_OK;
}

/* Scores only order merges, so they are kept as ranks. Without scores all are equal. */
static vb_err load_ranks(vb_tokenizer *t, const vb_gguf *g, vb_error *e) {
    t->ranks = calloc(t->n, sizeof *t->ranks);
    score_key *keys = calloc(t->n, sizeof *keys);
    const vb_gguf_kv *kv = vb_gguf_find(g, "tokenizer.ggml.scores");
    vb_err err = VB_OK;
    if (!t->ranks || !keys) {
        err = vb_fail(e, VB_ENOMEM, "no memory for %u scores", t->n);
    } else if (kv) {
        err = read_scores(t, g, kv, keys, e);
    }
    if (!err && kv) {
        for (uint32_t i = 0; i < t->n; i++) {
            keys[i].id = i;
        }
        qsort(keys, t->n, sizeof *keys, compare_scores);
        uint32_t rank = 0;
        for (uint32_t i = 0; i < t->n; i++) {
            rank += i && keys[i].score != keys[i - 1].score;
            t->ranks[keys[i].id] = rank;
        }
    }
    free(keys);
    return err;
}

vb_err vb_spm_load(vb_tokenizer *t, const vb_gguf *g, vb_error *e) {
    for (int b = 0; b < 256; b++) {
        t->bytes[b] = VB_TOKEN_NONE;
    }
    for (uint32_t i = 0; i < t->n; i++) {
        int b = vb_spm_byte(t->texts[i]);
        if (b >= 0 && t->kinds[i] == VB_TOKEN_BYTE) {
            t->bytes[b] = (int32_t)i;
        }
    }
    return load_ranks(t, g, e);
}

static vb_err escape(vb_encoder *x, const char *text, size_t len, vb_buf *out) {
    vb_err err =
        x->t->add_space_prefix ? vb_buf_append(out, VB_SPM_SPACE, VB_SPM_SPACE_BYTES) : VB_OK;
    for (size_t i = 0; i < len && !err;) {
        const char *space = memchr(text + i, ' ', len - i);
        size_t run = space ? (size_t)(space - text) - i : len - i;
        err = vb_buf_append(out, text + i, run);
        i += run;
        if (!err && space) {
            err = vb_buf_append(out, VB_SPM_SPACE, VB_SPM_SPACE_BYTES);
            i++;
        }
    }
    return err ? vb_fail(x->e, err, "a text of %zu bytes is too long", len) : VB_OK;
}

/* One symbol for each character; a byte that is in none is its own symbol. */
static vb_err push_characters(vb_encoder *x, const char *text, size_t len) {
    vb_err err = VB_OK;
    x->n_symbols = 0;
    for (size_t i = 0; i < len && !err;) {
        size_t n;
        if (vb_utf8_classify(text + i, len - i, &n) != VB_UTF8_WHOLE) {
            n = 1;
        }
        int32_t id = vb_strmap_find(&x->t->map, text + i, n);
        if (id >= 0 && !vb_encodes_text(x->t, (uint32_t)id)) {
            id = VB_TOKEN_NONE;
        }
        err = vb_symbol_push(x, (uint32_t)i, (uint32_t)n, id);
        i += n;
    }
    return err;
}

static vb_err emit_symbol(vb_encoder *x, const char *text, const vb_symbol *s) {
    if (s->id >= 0) {
        return vb_ids_push(x, (uint32_t)s->id);
    }
    for (uint32_t i = 0; i < s->len; i++) {
        if (x->t->bytes[(uint8_t)text[s->off + i]] == VB_TOKEN_NONE) {
            return x->t->unk == VB_TOKEN_NONE ? VB_OK : vb_ids_push(x, (uint32_t)x->t->unk);
        }
    }
    return vb_emit_bytes(x, text + s->off, s->len);
}

vb_err vb_spm_encode(vb_encoder *x, const char *text, size_t len) {
    vb_buf escaped = vb_buf_make(VB_SPM_SPACE_BYTES * ((size_t)VB_TEXT_BYTES_MAX + 1));
    vb_err err = escape(x, text, len, &escaped);
    const char *p = (const char *)escaped.data;
    if (!err) {
        err = push_characters(x, p, escaped.len);
    }
    if (!err) {
        err = vb_merge_symbols(x, p);
    }
    for (uint32_t i = 0; !err && i != VB_SYMBOL_END; i = x->symbols[i].next) {
        err = emit_symbol(x, p, &x->symbols[i]);
    }
    vb_buf_free(&escaped);
    return err;
}
