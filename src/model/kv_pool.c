#include "model/kv_pool.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/system.h"
#include "model/internal.h"

static size_t page_elements(const vb_model_config *c) {
    size_t n;
    return vb_mul_size(2 * c->n_layers * c->n_kv_heads, VB_ATTN_CHUNK * c->head_dim, &n) ? n : 0;
}

uint64_t vb_kv_page_bytes(const vb_model_config *c) {
    size_t n;
    return vb_mul_size(page_elements(c), sizeof(uint16_t), &n) ? n : 0;
}

vb_err vb_kv_pool_open_pages(const vb_model *m, size_t n_pages, const char *what, vb_kv_pool **out,
                             vb_error *e) {
    size_t n_bytes;
    const size_t page_bytes = (size_t)vb_kv_page_bytes(&m->config);
    if (n_pages > UINT32_MAX || page_bytes == 0 || !vb_mul_size(n_pages, page_bytes, &n_bytes)) {
        return vb_fail(e, VB_ELIMIT, "%s: %zu pages are too many to address", what, n_pages);
    }
    vb_err err = vb_memory_check(n_bytes, what, e);
    if (err) {
        return err;
    }
    vb_kv_pool *p = calloc(1, sizeof *p);
    if (p) {
        p->arena = vb_alloc_aligned(n_bytes);
        p->arena_bytes = n_bytes;
        p->users = calloc(n_pages, sizeof *p->users);
        p->free_pages = malloc(n_pages * sizeof *p->free_pages);
    }
    if (!p || !p->arena || !p->users || !p->free_pages) {
        vb_kv_pool_close(p);
        return vb_fail(e, VB_ENOMEM, "no memory for %s: %zu pages", what, n_pages);
    }
    p->model = m;
    p->page_elements = page_elements(&m->config);
    p->n_pages = n_pages;
    /* The last one that was given back is taken first; at the start they go in ascending order, so
     * that a short sequence touches a contiguous front of the arena. */
    while (p->n_free < n_pages) {
        p->free_pages[p->n_free] = (uint32_t)(n_pages - 1 - p->n_free);
        p->n_free++;
    }
    *out = p;
    return VB_OK;
}

vb_err vb_kv_pool_open(const vb_model *m, uint64_t budget_bytes, vb_kv_pool **out, vb_error *e) {
    const uint64_t page_bytes = vb_kv_page_bytes(&m->config);
    if (page_bytes == 0 || budget_bytes < page_bytes || budget_bytes > SIZE_MAX) {
        return vb_fail(e, VB_EINVAL,
                       "a KV cache of %llu bytes: expected at least one page of %llu bytes",
                       (unsigned long long)budget_bytes, (unsigned long long)page_bytes);
    }
    return vb_kv_pool_open_pages(m, (size_t)(budget_bytes / page_bytes), "the KV cache", out, e);
}

void vb_kv_pool_close(vb_kv_pool *p) {
    if (p) {
        VB_ASSERT(p->n_free == p->n_pages);
        vb_free_aligned(p->arena, p->arena_bytes);
        free(p->users);
        free(p->free_pages);
        free(p);
    }
}

size_t vb_kv_pool_pages(const vb_kv_pool *p) {
    return p->n_pages;
}

size_t vb_kv_pool_free_pages(const vb_kv_pool *p) {
    return p->n_free;
}

vb_err vb_kv_pool_take(vb_kv_pool *p, uint32_t *page, vb_error *e) {
    if (p->n_free == 0) {
        return vb_fail(e, VB_ELIMIT, "the KV cache is full: all its %zu pages are in use",
                       p->n_pages);
    }
    *page = p->free_pages[--p->n_free];
    p->users[*page] = 1;
    return VB_OK;
}

void vb_kv_pool_keep(vb_kv_pool *p, uint32_t page) {
    VB_ASSERT(page < p->n_pages && p->users[page] > 0 && p->users[page] < UINT32_MAX);
    p->users[page]++;
}

void vb_kv_pool_drop(vb_kv_pool *p, uint32_t page) {
    VB_ASSERT(page < p->n_pages && p->users[page] > 0);
    if (--p->users[page] == 0) {
        p->free_pages[p->n_free++] = page;
    }
}

size_t vb_kv_pool_users(const vb_kv_pool *p, uint32_t page) {
    VB_ASSERT(page < p->n_pages);
    return p->users[page];
}

uint16_t *vb_kv_pool_data(const vb_kv_pool *p, uint32_t page) {
    VB_ASSERT(page < p->n_pages);
    return p->arena + page * p->page_elements;
}
