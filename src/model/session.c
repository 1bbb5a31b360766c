/*
 * One sequence and its KV cache: a list of pages of a pool (kv_pool.h), and where in them the keys
 * and values of each layer and KV head are (layout in kernels.h).
 */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "model/internal.h"

static size_t pages_of(size_t n_tokens) {
    return n_tokens / VB_ATTN_CHUNK + (n_tokens % VB_ATTN_CHUNK != 0);
}

uint64_t vb_session_bytes(const vb_model_config *c, size_t ctx_tokens) {
    uint64_t n;
    return __builtin_mul_overflow(vb_kv_page_bytes(c), pages_of(ctx_tokens), &n) ? 0 : n;
}

static vb_err check_ctx(const vb_model *m, size_t ctx_tokens, vb_error *e) {
    const size_t limit = m->config.n_ctx_train;
    if (ctx_tokens < 1 || ctx_tokens > limit) {
        return vb_fail(e, VB_EINVAL,
                       "a context of %zu tokens: expected 1 to the model's own limit, %zu",
                       ctx_tokens, limit);
    }
    return VB_OK;
}

vb_err vb_session_open_in(vb_kv_pool *p, size_t ctx_tokens, vb_session **out, vb_error *e) {
    const vb_model *m = p->model;
    vb_err err = check_ctx(m, ctx_tokens, e);
    if (err) {
        return err;
    }
    const size_t n_lists = m->config.n_layers * m->config.n_kv_heads;
    const size_t n_pages = pages_of(ctx_tokens);
    vb_session *s = calloc(1, sizeof *s);
    if (s) {
        s->pool = p;
        s->pages = calloc(n_pages, sizeof *s->pages);
        s->key_pages = calloc(n_lists * n_pages, sizeof *s->key_pages);
        s->value_pages = calloc(n_lists * n_pages, sizeof *s->value_pages);
    }
    if (!s || !s->pages || !s->key_pages || !s->value_pages) {
        vb_session_close(s);
        return vb_fail(e, VB_ENOMEM, "no memory for a context of %zu tokens", ctx_tokens);
    }
    s->model = m;
    s->capacity = ctx_tokens;
    s->n_pages = n_pages;
    *out = s;
    return VB_OK;
}

vb_err vb_session_open(const vb_model *m, size_t ctx_tokens, vb_session **out, vb_error *e) {
    vb_kv_pool *p;
    vb_session *s;
    vb_err err = check_ctx(m, ctx_tokens, e);
    if (err || (err = vb_kv_pool_open_pages(m, pages_of(ctx_tokens),
                                            "the KV cache of this context (try a smaller --ctx)",
                                            &p, e))) {
        return err;
    }
    if ((err = vb_session_open_in(p, ctx_tokens, &s, e))) {
        vb_kv_pool_close(p);
        return err;
    }
    s->owns_pool = true;
    *out = s;
    return VB_OK;
}

/* Gives the pages from n on back, the last one first: they are taken again in the same order. */
static void keep_pages(vb_session *s, size_t n) {
    while (s->n_held > n) {
        vb_kv_pool_drop(s->pool, s->pages[--s->n_held]);
    }
}

void vb_session_close(vb_session *s) {
    if (s) {
        keep_pages(s, 0);
        if (s->owns_pool) {
            vb_kv_pool_close(s->pool);
        }
        free(s->pages);
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
    keep_pages(s, pages_of(length));
}

size_t vb_session_pages(const vb_session *s) {
    return pages_of(s->length);
}

uint32_t vb_session_page(const vb_session *s, size_t i) {
    VB_ASSERT(i < pages_of(s->length));
    return s->pages[i];
}

/* Page i of the session is `page`, one of whose users the session is already. */
static void place(vb_session *s, size_t i, uint32_t page) {
    const vb_model_config *c = &s->model->config;
    const size_t size = VB_ATTN_CHUNK * c->head_dim;
    uint16_t *next = vb_kv_pool_data(s->pool, page);
    s->pages[i] = page;
    for (size_t l = 0; l < c->n_layers * c->n_kv_heads; l++) {
        s->key_pages[l * s->n_pages + i] = next;
        s->value_pages[l * s->n_pages + i] = next + size;
        next += 2 * size;
    }
}

/* The last page, not full and about to be written, has no other user from here on. */
static vb_err own_last_page(vb_session *s, vb_error *e) {
    const size_t i = s->length / VB_ATTN_CHUNK;
    if (s->length % VB_ATTN_CHUNK == 0 || vb_kv_pool_users(s->pool, s->pages[i]) == 1) {
        return VB_OK;
    }
    uint32_t copy;
    const uint32_t shared = s->pages[i];
    vb_err err = vb_kv_pool_take(s->pool, &copy, e);
    if (err) {
        return err;
    }
    memcpy(vb_kv_pool_data(s->pool, copy), vb_kv_pool_data(s->pool, shared),
           s->pool->page_elements * sizeof(uint16_t));
    place(s, i, copy);
    vb_kv_pool_drop(s->pool, shared);
    return VB_OK;
}

vb_err vb_session_make_room(vb_session *s, size_t n_tokens, vb_error *e) {
    VB_ASSERT(n_tokens <= s->capacity - s->length);
    const size_t want = pages_of(s->length + n_tokens);
    vb_err err = n_tokens ? own_last_page(s, e) : VB_OK;
    while (!err && s->n_held < want) {
        uint32_t page;
        if (!(err = vb_kv_pool_take(s->pool, &page, e))) {
            place(s, s->n_held++, page);
        }
    }
    return err;
}

vb_err vb_session_fork(const vb_session *s, size_t ctx_tokens, vb_session **out, vb_error *e) {
    VB_ASSERT(!s->owns_pool && ctx_tokens >= s->length);
    vb_session *copy;
    vb_err err = vb_session_open_in(s->pool, ctx_tokens, &copy, e);
    if (err) {
        return err;
    }
    while (copy->n_held < pages_of(s->length)) {
        vb_kv_pool_keep(s->pool, s->pages[copy->n_held]);
        place(copy, copy->n_held, s->pages[copy->n_held]);
        copy->n_held++;
    }
    copy->length = s->length;
    if ((err = own_last_page(copy, e))) {
        vb_session_close(copy);
        return err;
    }
    *out = copy;
    return VB_OK;
}

void vb_session_adopt(vb_session *s, uint32_t page) {
    const size_t i = s->length / VB_ATTN_CHUNK;
    VB_ASSERT(s->length % VB_ATTN_CHUNK == 0 && s->capacity - s->length >= VB_ATTN_CHUNK);
    keep_pages(s, i);
    vb_kv_pool_keep(s->pool, page);
    place(s, i, page);
    s->n_held++;
    s->length += VB_ATTN_CHUNK;
}

void vb_session_exchange(vb_session *s, size_t i, uint32_t page) {
    VB_ASSERT(i < s->length / VB_ATTN_CHUNK);
    const uint32_t own = s->pages[i];
    vb_kv_pool_keep(s->pool, page);
    place(s, i, page);
    vb_kv_pool_drop(s->pool, own);
}
