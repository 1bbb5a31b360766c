/*
 * Byte-level BPE ("gpt2"). Vocabulary texts and merges are written in GPT-2's byte alphabet,
 * where each byte is one printable character; a word's bytes are merged pair by pair in the
 * order of the merges. Every merge must name tokens of the vocabulary, as the published
 * tokenizers demand.
 */
#include <stdlib.h>
#include <string.h>

#include "tokenizer/internal.h"
#include "tokenizer/utf8.h"

/* Printable bytes stand for themselves; the others, in order, for U+0100 and up. */
static bool stands_for_itself(uint32_t c) {
    return (c >= 0x21 && c <= 0x7e) || (c >= 0xa1 && c <= 0xac) || (c >= 0xae && c <= 0xff);
}

uint32_t vb_byte_to_alphabet(uint8_t byte) {
    if (stands_for_itself(byte)) {
        return byte;
    }
    if (byte <= 0x20) {
        return 0x100u + byte;
    }
    return byte == 0xad ? 0x143u : 0x121u + (byte - 0x7fu);
}

int vb_alphabet_to_byte(uint32_t cp) {
    if (cp < 0x100) {
        return stands_for_itself(cp) ? (int)cp : -1;
    }
    if (cp <= 0x120) {
        return (int)(cp - 0x100);
    }
    if (cp <= 0x142) {
        return (int)(cp - 0x121 + 0x7f);
    }
    return cp == 0x143 ? 0xad : -1;
}

/* A user-defined token prints its text as it stands, so it can only stand for an ASCII byte:
 * some vocabularies have user-defined tokens whose text is one of the alphabet's letters. */
static void find_byte_tokens(vb_tokenizer *t) {
    for (int b = 0; b < 256; b++) {
        char text[4];
        uint32_t cp = vb_byte_to_alphabet((uint8_t)b);
        size_t len = vb_utf8_encode(cp, text);
        int32_t id = vb_strmap_find(&t->map, text, len);
        bool usable = id >= 0 && (t->kinds[id] == VB_TOKEN_NORMAL ||
                                  (t->kinds[id] == VB_TOKEN_USER_DEFINED && cp < 0x80));
        t->bytes[b] = usable ? id : VB_TOKEN_NONE;
    }
}

/* Reads merge i into *m; *usable is false when its result may not come from text. */
static vb_err read_merge(const vb_tokenizer *t, const vb_gguf *g, const vb_gguf_kv *kv, uint32_t i,
                         vb_merge *m, bool *usable, vb_buf *joined, vb_error *e) {
    static const char key[] = "tokenizer.ggml.merges";
    vb_str s;
    if (!vb_gguf_item_str(g, kv, i, &s) || s.len > 2 * VB_TOKEN_BYTES_MAX) {
        return vb_fail(e, VB_EFORMAT, "%s: %s[%u] is not a pair of tokens", vb_gguf_file_path(g, 0),
                       key, i);
    }
    const char *space = s.len > 2 ? memchr(s.p + 1, ' ', s.len - 2) : NULL;
    if (!space) {
        return vb_fail(e, VB_EFORMAT, "%s: %s[%u] has no space between two tokens",
                       vb_gguf_file_path(g, 0), key, i);
    }
    size_t n_left = (size_t)(space - s.p), n_right = s.len - n_left - 1;
    joined->len = 0;
    vb_err err = vb_buf_append(joined, s.p, n_left);
    if (!err) {
        err = vb_buf_append(joined, space + 1, n_right);
    }
    if (err) {
        return vb_fail(e, err, "%s: %s[%u] is too long", vb_gguf_file_path(g, 0), key, i);
    }
    int32_t left = vb_strmap_find(&t->map, s.p, n_left);
    int32_t right = vb_strmap_find(&t->map, space + 1, n_right);
    int32_t result = vb_strmap_find(&t->map, (const char *)joined->data, joined->len);
    if (left < 0 || right < 0 || result < 0) {
        return vb_fail(e, VB_EFORMAT, "%s: %s[%u] \"%.*s\": its %s is not in tokenizer.ggml.tokens",
                       vb_gguf_file_path(g, 0), key, i, (int)(s.len < 200 ? s.len : 200), s.p,
                       left < 0    ? "left side"
                       : right < 0 ? "right side"
                                   : "result");
    }
    *m = (vb_merge){(uint32_t)left, (uint32_t)right, i, (uint32_t)result};
    *usable = vb_encodes_text(t, (uint32_t)result);
    return VB_OK;
}

static vb_err load_merges(vb_tokenizer *t, const vb_gguf *g, vb_error *e) {
    const vb_gguf_kv *kv = vb_gguf_find(g, "tokenizer.ggml.merges");
    if (!kv || kv->type != VB_GGUF_ARRAY || (kv->item_type != VB_GGUF_STRING && kv->n_items != 0)) {
        return vb_fail(e, VB_EFORMAT, "%s: tokenizer.ggml.merges: expected an array of strings",
                       vb_gguf_file_path(g, 0));
    }
    if (kv->n_items > VB_TOKENIZER_MERGES_MAX) {
        return vb_fail(e, VB_ELIMIT, "%s: tokenizer.ggml.merges has %llu items, the limit is %u",
                       vb_gguf_file_path(g, 0), (unsigned long long)kv->n_items,
                       VB_TOKENIZER_MERGES_MAX);
    }
    uint32_t n = (uint32_t)kv->n_items, kept = 0;
    vb_merge *merges = malloc((n ? n : 1) * sizeof *merges);
    if (!merges) {
        return vb_fail(e, VB_ENOMEM, "no memory for %u merges", n);
    }
    vb_buf joined = vb_buf_make(2 * VB_TOKEN_BYTES_MAX);
    for (uint32_t i = 0; i < n; i++) {
        bool usable = false;
        vb_err err = read_merge(t, g, kv, i, &merges[kept], &usable, &joined, e);
        if (err) {
            vb_buf_free(&joined);
            free(merges);
            return err;
        }
        kept += usable;
    }
    vb_buf_free(&joined);
    return vb_mergemap_make(&t->merges, merges, kept, e);
}

vb_err vb_bpe_load(vb_tokenizer *t, const vb_gguf *g, vb_error *e) {
    find_byte_tokens(t);
    vb_err err = load_merges(t, g, e);
    return err ? err : vb_pretok_compile(t, e);
}

/* The token that is the whole word, written in the byte alphabet. */
static vb_err find_whole_word(vb_encoder *x, const char *word, size_t len, int32_t *id) {
    *id = VB_TOKEN_NONE;
    if (len > x->t->token_bytes_max) {
        return VB_OK;
    }
    x->word.len = 0;
    for (size_t i = 0; i < len; i++) {
        char c[4];
        size_t n = vb_utf8_encode(vb_byte_to_alphabet((uint8_t)word[i]), c);
        vb_err err = vb_buf_append(&x->word, c, n);
        if (err) {
            return vb_fail(x->e, err, "a word of %zu bytes is too long", len);
        }
    }
    int32_t found = vb_strmap_find(&x->t->map, (const char *)x->word.data, x->word.len);
    if (found >= 0 && vb_encodes_text(x->t, (uint32_t)found)) {
        *id = found;
    }
    return VB_OK;
}

static vb_err encode_word(vb_encoder *x, const char *word, size_t len) {
    vb_err err;
    if (x->t->pre->ignore_merges) {
        int32_t id;
        err = find_whole_word(x, word, len, &id);
        if (err || id != VB_TOKEN_NONE) {
            return err ? err : vb_ids_push(x, (uint32_t)id);
        }
    }
    x->n_symbols = 0;
    for (size_t i = 0; i < len; i++) {
        err = vb_symbol_push(x, (uint32_t)i, 1, x->t->bytes[(uint8_t)word[i]]);
        if (err) {
            return err;
        }
    }
    err = vb_merge_symbols(x, word);
    for (uint32_t i = 0; !err && i != VB_SYMBOL_END; i = x->symbols[i].next) {
        const vb_symbol *s = &x->symbols[i];
        err =
            s->id >= 0 ? vb_ids_push(x, (uint32_t)s->id) : vb_emit_bytes(x, word + s->off, s->len);
    }
    return err;
}

/* text is well-formed UTF-8. */
static vb_err encode_valid(vb_encoder *x, const char *text, size_t len) {
    if (!x->t->pre->nfc) {
        return vb_pretok_split(x, text, len, encode_word);
    }
    vb_buf normal = vb_buf_make(4 * (size_t)VB_TEXT_BYTES_MAX);
    vb_err err = vb_nfc(text, len, &normal, x->e);
    if (!err && normal.len) {
        err = vb_pretok_split(x, (const char *)normal.data, normal.len, encode_word);
    }
    vb_buf_free(&normal);
    return err;
}

vb_err vb_bpe_encode(vb_encoder *x, const char *text, size_t len) {
    vb_err err = VB_OK;
    for (size_t i = 0; i < len && !err;) {
        size_t valid = vb_utf8_valid_bytes(text + i, len - i);
        if (valid) {
            err = encode_valid(x, text + i, valid);
            i += valid;
        } else {
            err = vb_emit_bytes(x, text + i, 1);
            i++;
        }
    }
    return err;
}
