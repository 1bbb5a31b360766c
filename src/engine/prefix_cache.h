/*
 * Prompts that begin alike are computed once: full pages of a KV pool (kv_pool.h), found again by
 * the tokens in them and in all pages before them. A page's key is the SHA-256 of the key of the
 * page before it and of its own tokens; what a key finds is compared token by token, and by the
 * page before it, so that two chains whose keys collide never share a page.
 *
 * The cache is a user of each page that it lists. A page with no other user is idle: it stays
 * until its memory is wanted (vb_prefix_cache_make_room), the one not used for the longest time
 * goes first, and never before those that follow it in a chain.
 *
 * Who can time answers can find out whether a prompt like theirs was seen before; bits tell
 * nothing. So pages have an owner, any number, and are found by that owner alone.
 *
 * Owner: open/close. Thread rule: that of the pool.
 */
#ifndef VB_ENGINE_PREFIX_CACHE_H
#define VB_ENGINE_PREFIX_CACHE_H

#include <stdbool.h>

#include "model/kv_pool.h"

typedef struct vb_prefix_cache vb_prefix_cache;

/* How far a session's pages are in the cache: its first n_pages are, the last of them as page
 * `last`. An empty session's has the owner alone; a fork's is a copy of its origin's. */
typedef struct vb_prefix_place {
    uint64_t owner;
    size_t n_pages;
    uint32_t last;
} vb_prefix_place;

/* Takes no pages yet, and all other memory that it will ever need. */
VB_MUST_CHECK vb_err vb_prefix_cache_open(vb_kv_pool *pool, vb_prefix_cache **out, vb_error *e);
/* Gives all pages back. */
void vb_prefix_cache_close(vb_prefix_cache *c);

/* When the page that follows place is cached with these tokens, s (which is that long) goes on with
 * it: true. */
bool vb_prefix_cache_adopt(vb_prefix_cache *c, vb_prefix_place *place, vb_session *s,
                           const uint32_t tokens[VB_ATTN_CHUNK]);

/* The page of s that follows place is full, with these tokens, and is cached from here on. When an
 * equal one is already, s uses that one instead of its own. */
void vb_prefix_cache_add(vb_prefix_cache *c, vb_prefix_place *place, vb_session *s,
                         const uint32_t tokens[VB_ATTN_CHUNK]);

/* The pages of s count as used now; to be called before it is closed. */
void vb_prefix_cache_touch(vb_prefix_cache *c, const vb_session *s);

/* Drops idle pages until n_pages of the pool are free; false when there are too few. */
bool vb_prefix_cache_make_room(vb_prefix_cache *c, size_t n_pages);

size_t vb_prefix_cache_pages(const vb_prefix_cache *c); /* listed */
size_t vb_prefix_cache_idle(const vb_prefix_cache *c);  /* of these, with no other user */

#endif
