/*
 * One sequence and its KV cache, in pages of VB_ATTN_CHUNK positions (layout in kernels.h). The
 * arena is mapped at once and becomes memory page by page as the sequence grows.
 */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/system.h"
#include "model/internal.h"

static bool arena_size(const vb_model_config *c, size_t ctx_tokens, size_t *n_pages,
                       size_t *n_bytes) {
    size_t page = VB_ATTN_CHUNK * c->head_dim * sizeof(uint16_t), n;
    *n_pages = (ctx_tokens + VB_ATTN_CHUNK - 1) / VB_ATTN_CHUNK;
    return vb_mul_size(*n_pages, 2 * c->n_layers * c->n_kv_heads, &n) &&
           vb_mul_size(n, page, n_bytes);
}

uint64_t vb_session_bytes(const vb_model_config *c, size_t ctx_tokens) {
    size_t n_pages, n_bytes;
    return arena_size(c, ctx_tokens, &n_pages, &n_bytes) ? n_bytes : 0;
}

vb_err vb_session_open(const vb_model *m, size_t ctx_tokens, vb_session **out, vb_error *e) {
    const vb_model_config *c = &m->config;
    if (ctx_tokens < 1 || ctx_tokens > c->n_ctx_train) {
        return vb_fail(e, VB_EINVAL,
                       "a context of %zu tokens: expected 1 to the model's own limit, %zu",
                       ctx_tokens, c->n_ctx_train);
    }
    size_t n_pages, n_bytes;
    if (!arena_size(c, ctx_tokens, &n_pages, &n_bytes)) {
        return vb_fail(e, VB_ELIMIT, "a context of %zu tokens is too large to address", ctx_tokens);
    }
    vb_err err = vb_memory_check(n_bytes, "the KV cache of this context (try a smaller --ctx)", e);
    if (err) {
        return err;
    }
    const size_t n_lists = c->n_layers * c->n_kv_heads;
    vb_session *s = calloc(1, sizeof *s);
    if (s) {
        s->arena = vb_alloc_aligned(n_bytes);
        s->arena_bytes = n_bytes;
        s->key_pages = calloc(n_lists * n_pages, sizeof *s->key_pages);
        s->value_pages = calloc(n_lists * n_pages, sizeof *s->value_pages);
    }
    if (!s || !s->arena || !s->key_pages || !s->value_pages) {
        vb_session_close(s);
        return vb_fail(e, VB_ENOMEM, "no memory for a context of %zu tokens", ctx_tokens);
    }
    s->model = m;
    s->capacity = ctx_tokens;
    s->n_pages = n_pages;
    /* Page-major, so that a short sequence touches a contiguous front of the arena. */
    const size_t page = VB_ATTN_CHUNK * c->head_dim;
    uint16_t *next = s->arena;
    for (size_t p = 0; p < n_pages; p++) {
        for (size_t l = 0; l < n_lists; l++) {
            s->key_pages[l * n_pages + p] = next;
            s->value_pages[l * n_pages + p] = next + page;
            next += 2 * page;
        }
    }
    *out = s;
    return VB_OK;
}

void vb_session_close(vb_session *s) {
    if (s) {
        vb_free_aligned(s->arena, s->arena_bytes);
        free(s->key_pages);
        free(s->value_pages);
        free(s);
    }
}

size_t vb_session_length(const vb_session *s) {
    return s->length;
}

size_t vb_session_capacity(const vb_session *s) {
    return s->capacity;
}

void vb_session_truncate(vb_session *s, size_t length) {
    VB_ASSERT(length <= s->length);
    s->length = length;
}
