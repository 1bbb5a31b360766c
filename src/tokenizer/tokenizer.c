/* Opening and closing, the small questions, and encoding: special tokens cut the text, and
 * what lies between them goes to the model's own kind of tokenizer. */
#include "tokenizer/tokenizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tokenizer/internal.h"

static bool equals(vb_str s, const char *text) {
    return s.len == strlen(text) && memcmp(s.p, text, s.len) == 0;
}

static vb_err choose_pretokeniser(vb_tokenizer *t, const vb_gguf *g, vb_error *e) {
    static const char key[] = "tokenizer.ggml.pre";
    vb_str name = {"default", 7};
    if (vb_gguf_find(g, key)) {
        vb_err err = vb_gguf_get_str(g, key, &name, e);
        if (err) {
            return err;
        }
    }
    t->pre = vb_pretok_find(name);
    if (!t->pre) {
        char known[256];
        vb_pretok_names(known, sizeof known);
        return vb_fail(e, VB_EUNSUPPORTED, "%s: %s is \"%.*s\": expected one of %s",
                       vb_gguf_file_path(g, 0), key, (int)(name.len < 64 ? name.len : 64), name.p,
                       known);
    }
    snprintf(t->name, sizeof t->name, "bpe/%s", t->pre->name);
    return VB_OK;
}

static vb_err choose_kind(vb_tokenizer *t, const vb_gguf *g, vb_error *e) {
    static const char key[] = "tokenizer.ggml.model";
    vb_str model;
    vb_err err = vb_gguf_get_str(g, key, &model, e);
    if (err) {
        return err;
    }
    if (equals(model, "gpt2")) {
        return choose_pretokeniser(t, g, e);
    }
    if (equals(model, "llama")) {
        t->spm = true;
        snprintf(t->name, sizeof t->name, "spm");
        return VB_OK;
    }
    return vb_fail(e, VB_EUNSUPPORTED, "%s: %s is \"%.*s\": expected gpt2 or llama",
                   vb_gguf_file_path(g, 0), key, (int)(model.len < 64 ? model.len : 64), model.p);
}

vb_err vb_tokenizer_open(const vb_gguf *g, vb_tokenizer **out, vb_error *e) {
    vb_tokenizer *t = calloc(1, sizeof *t);
    if (!t) {
        return vb_fail(e, VB_ENOMEM, "no memory for a tokenizer");
    }
    vb_err err = choose_kind(t, g, e);
    if (!err) {
        err = vb_vocab_load(t, g, e);
    }
    if (!err) {
        err = t->spm ? vb_spm_load(t, g, e) : vb_bpe_load(t, g, e);
    }
    if (err) {
        vb_tokenizer_close(t);
        return err;
    }
    *out = t;
    return VB_OK;
}

void vb_tokenizer_close(vb_tokenizer *t) {
    if (!t) {
        return;
    }
    for (size_t i = 0; i < VB_PRETOK_STAGES_MAX; i++) {
        pcre2_code_free(t->stages[i]);
    }
    vb_strmap_free(&t->map);
    vb_mergemap_free(&t->merges);
    free(t->specials.ids);
    free(t->ranks);
    free(t->eog);
    free(t->kinds);
    free(t->texts);
    free(t->arena);
    free(t);
}

uint32_t vb_tokenizer_size(const vb_tokenizer *t) {
    return t->n;
}

const char *vb_tokenizer_kind_name(const vb_tokenizer *t) {
    return t->name;
}

int32_t vb_tokenizer_bos(const vb_tokenizer *t) {
    return t->bos;
}

int32_t vb_tokenizer_eos(const vb_tokenizer *t) {
    return t->eos;
}

bool vb_tokenizer_add_bos(const vb_tokenizer *t) {
    return t->add_bos;
}

bool vb_tokenizer_add_eos(const vb_tokenizer *t) {
    return t->add_eos;
}

bool vb_tokenizer_is_eog(const vb_tokenizer *t, uint32_t id) {
    return id < t->n && t->eog[id];
}

vb_token_kind vb_tokenizer_token_kind(const vb_tokenizer *t, uint32_t id) {
    VB_ASSERT(id < t->n);
    return (vb_token_kind)t->kinds[id];
}

vb_str vb_tokenizer_token_text(const vb_tokenizer *t, uint32_t id) {
    VB_ASSERT(id < t->n);
    return t->texts[id];
}

int32_t vb_tokenizer_find(const vb_tokenizer *t, const char *text, size_t len) {
    return vb_strmap_find(&t->map, text, len);
}

static void encoder_free(vb_encoder *x) {
    free(x->symbols);
    free(x->heap);
    vb_buf_free(&x->word);
    pcre2_match_data_free(x->match);
    pcre2_match_context_free(x->match_context);
    pcre2_jit_stack_free(x->jit_stack);
}

static vb_err encode_fragments(vb_encoder *x, const char *text, size_t len, bool parse_special) {
    const vb_tokenizer *t = x->t;
    vb_err err = VB_OK;
    for (size_t at = 0; at < len && !err;) {
        size_t found_at;
        int32_t id = vb_special_next(t, text, len, at, parse_special, &found_at);
        if (found_at > at) {
            err = t->spm ? vb_spm_encode(x, text + at, found_at - at)
                         : vb_bpe_encode(x, text + at, found_at - at);
        }
        at = found_at;
        if (!err && id != VB_TOKEN_NONE) {
            err = vb_ids_push(x, (uint32_t)id);
            at += t->texts[id].len;
        }
    }
    return err;
}

vb_err vb_tokenizer_encode(const vb_tokenizer *t, const char *text, size_t len, bool add_special,
                           bool parse_special, uint32_t **ids, size_t *n, vb_error *e) {
    if (len > VB_TEXT_BYTES_MAX) {
        return vb_fail(e, VB_ELIMIT, "a text of %zu bytes: the limit is %u", len,
                       VB_TEXT_BYTES_MAX);
    }
    vb_encoder x = {.t = t, .e = e, .word = vb_buf_make(4 * (size_t)VB_TOKEN_BYTES_MAX)};
    vb_err err = VB_OK;
    if (add_special && t->add_bos && t->bos != VB_TOKEN_NONE) {
        err = vb_ids_push(&x, (uint32_t)t->bos);
    }
    if (!err) {
        err = encode_fragments(&x, text, len, parse_special);
    }
    if (!err && add_special && t->add_eos && t->eos != VB_TOKEN_NONE) {
        err = vb_ids_push(&x, (uint32_t)t->eos);
    }
    encoder_free(&x);
    if (err) {
        free(x.ids.data);
        return err;
    }
    *ids = x.ids.data;
    *n = x.ids.len;
    return VB_OK;
}
