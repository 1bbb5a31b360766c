#include "engine/prefix_cache.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "crypto/sha256.h"

#define NONE UINT32_MAX /* no page */

/* What is known of a page of the pool while it is listed. */
typedef struct entry {
    bool listed;
    uint64_t owner;
    uint8_t key[VB_SHA256_BYTES];
    uint32_t parent; /* the page before it, or NONE */
    uint32_t next;   /* in the same bucket, or NONE */
    uint32_t n_children;
    uint64_t used_at; /* on the cache's own clock, which counts uses */
} entry;

struct vb_prefix_cache {
    vb_kv_pool *pool;
    size_t n_entries; /* one for each page of the pool */
    entry *entries;
    uint32_t (*tokens)[VB_ATTN_CHUNK]; /* [n_entries] */
    uint32_t *buckets;                 /* [n_buckets]: first page, or NONE */
    size_t n_buckets;                  /* a power of two */
    size_t n_listed;
    uint64_t clock;
};

vb_err vb_prefix_cache_open(vb_kv_pool *pool, vb_prefix_cache **out, vb_error *e) {
    const size_t n = vb_kv_pool_pages(pool);
    vb_prefix_cache *c = calloc(1, sizeof *c);
    if (c) {
        c->pool = pool;
        c->n_entries = n;
        c->n_buckets = 1;
        while (c->n_buckets < n) {
            c->n_buckets *= 2;
        }
        c->entries = calloc(n, sizeof *c->entries);
        c->tokens = calloc(n, sizeof *c->tokens);
        c->buckets = malloc(c->n_buckets * sizeof *c->buckets);
    }
    if (!c || !c->entries || !c->tokens || !c->buckets) {
        vb_prefix_cache_close(c);
        return vb_fail(e, VB_ENOMEM, "no memory for a prefix cache of %zu pages", n);
    }
    for (size_t i = 0; i < c->n_buckets; i++) {
        c->buckets[i] = NONE;
    }
    *out = c;
    return VB_OK;
}

void vb_prefix_cache_close(vb_prefix_cache *c) {
    if (c) {
        for (size_t i = 0; c->n_listed && i < c->n_entries; i++) {
            if (c->entries[i].listed) {
                vb_kv_pool_drop(c->pool, (uint32_t)i);
            }
        }
        free(c->entries);
        free(c->tokens);
        free(c->buckets);
        free(c);
    }
}

static uint32_t parent_of(const vb_prefix_place *place) {
    return place->n_pages ? place->last : NONE;
}

static void make_key(const vb_prefix_cache *c, const vb_prefix_place *place,
                     const uint32_t tokens[VB_ATTN_CHUNK], uint8_t key[VB_SHA256_BYTES]) {
    static const char label[] = "verbatim.prefix.v1\n";
    const uint32_t parent = parent_of(place);
    uint8_t start[VB_SHA256_BYTES] = {0};
    vb_sha256 h;
    vb_store_u64be(start, place->owner);
    vb_sha256_begin(&h);
    vb_sha256_update(&h, label, sizeof label - 1);
    vb_sha256_update(&h, parent == NONE ? start : c->entries[parent].key, VB_SHA256_BYTES);
    for (size_t i = 0; i < VB_ATTN_CHUNK; i++) {
        vb_sha256_u32be(&h, tokens[i]);
    }
    vb_sha256_end(&h, key);
}

static uint32_t *bucket_of(const vb_prefix_cache *c, const uint8_t key[VB_SHA256_BYTES]) {
    return &c->buckets[vb_load_u64be(key) & (c->n_buckets - 1)];
}

/* The owner's page with these tokens after those of place and all before it, or NONE. */
static uint32_t find(const vb_prefix_cache *c, const vb_prefix_place *place,
                     const uint32_t tokens[VB_ATTN_CHUNK], const uint8_t key[VB_SHA256_BYTES]) {
    uint32_t page = *bucket_of(c, key);
    while (page != NONE) {
        const entry *x = &c->entries[page];
        if (x->owner == place->owner && x->parent == parent_of(place) &&
            memcmp(x->key, key, sizeof x->key) == 0 &&
            memcmp(c->tokens[page], tokens, sizeof c->tokens[page]) == 0) {
            break;
        }
        page = x->next;
    }
    return page;
}

static void list(vb_prefix_cache *c, uint32_t page, const vb_prefix_place *place,
                 const uint32_t tokens[VB_ATTN_CHUNK], const uint8_t key[VB_SHA256_BYTES]) {
    entry *x = &c->entries[page];
    const uint32_t parent = parent_of(place);
    uint32_t *bucket = bucket_of(c, key);
    VB_ASSERT(!x->listed);
    vb_kv_pool_keep(c->pool, page);
    *x = (entry){.listed = true, .owner = place->owner, .parent = parent, .next = *bucket};
    memcpy(x->key, key, sizeof x->key);
    memcpy(c->tokens[page], tokens, sizeof c->tokens[page]);
    *bucket = page;
    if (parent != NONE) {
        c->entries[parent].n_children++;
    }
    c->n_listed++;
}

static void unlist(vb_prefix_cache *c, uint32_t page) {
    entry *x = &c->entries[page];
    uint32_t *at = bucket_of(c, x->key);
    while (*at != page) {
        at = &c->entries[*at].next;
    }
    *at = x->next;
    if (x->parent != NONE) {
        c->entries[x->parent].n_children--;
    }
    x->listed = false;
    c->n_listed--;
    vb_kv_pool_drop(c->pool, page);
}

static void advance(vb_prefix_cache *c, vb_prefix_place *place, uint32_t page) {
    c->entries[page].used_at = ++c->clock;
    place->n_pages++;
    place->last = page;
}

bool vb_prefix_cache_adopt(vb_prefix_cache *c, vb_prefix_place *place, vb_session *s,
                           const uint32_t tokens[VB_ATTN_CHUNK]) {
    VB_ASSERT(vb_session_length(s) == place->n_pages * VB_ATTN_CHUNK);
    uint8_t key[VB_SHA256_BYTES];
    make_key(c, place, tokens, key);
    const uint32_t page = find(c, place, tokens, key);
    if (page == NONE) {
        return false;
    }
    vb_session_adopt(s, page);
    advance(c, place, page);
    return true;
}

void vb_prefix_cache_add(vb_prefix_cache *c, vb_prefix_place *place, vb_session *s,
                         const uint32_t tokens[VB_ATTN_CHUNK]) {
    uint8_t key[VB_SHA256_BYTES];
    VB_ASSERT(vb_session_length(s) >= (place->n_pages + 1) * VB_ATTN_CHUNK);
    make_key(c, place, tokens, key);
    uint32_t page = find(c, place, tokens, key);
    if (page == NONE) {
        page = vb_session_page(s, place->n_pages);
        list(c, page, place, tokens, key);
    } else {
        /* A page in use keeps those before it in use: no chain is ever cut in the middle. */
        vb_session_exchange(s, place->n_pages, page);
    }
    advance(c, place, page);
}

void vb_prefix_cache_touch(vb_prefix_cache *c, const vb_session *s) {
    for (size_t i = vb_session_pages(s); i-- > 0;) {
        entry *x = &c->entries[vb_session_page(s, i)];
        x->used_at = x->listed ? ++c->clock : x->used_at;
    }
}

static bool is_idle(const vb_prefix_cache *c, size_t page) {
    return c->entries[page].listed && vb_kv_pool_users(c->pool, (uint32_t)page) == 1;
}

bool vb_prefix_cache_make_room(vb_prefix_cache *c, size_t n_pages) {
    while (vb_kv_pool_free_pages(c->pool) < n_pages) {
        uint32_t oldest = NONE;
        for (size_t i = 0; i < c->n_entries; i++) {
            if (is_idle(c, i) && c->entries[i].n_children == 0 &&
                (oldest == NONE || c->entries[i].used_at < c->entries[oldest].used_at)) {
                oldest = (uint32_t)i;
            }
        }
        if (oldest == NONE) {
            return false;
        }
        unlist(c, oldest);
    }
    return true;
}

size_t vb_prefix_cache_pages(const vb_prefix_cache *c) {
    return c->n_listed;
}

size_t vb_prefix_cache_idle(const vb_prefix_cache *c) {
    size_t n = 0;
    for (size_t i = 0; i < c->n_entries; i++) {
        n += is_idle(c, i);
    }
    return n;
}
