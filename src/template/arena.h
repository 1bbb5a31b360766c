/*
 * Memory of one compilation or one render: taken in pieces, given back as a whole, bounded.
 * Internal to src/template. Owner: vb_arena_free gives all of it back. Thread rule: one thread.
 */
#ifndef VB_TEMPLATE_ARENA_H
#define VB_TEMPLATE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

typedef struct vb_arena {
    struct vb_arena_block *blocks; /* the newest first */
    size_t held_bytes;
    size_t max_bytes;
    bool full; /* the last failure was the limit, not the system's memory */
} vb_arena;

/* n bytes aligned for any type, not cleared; NULL past max_bytes or without memory. */
void *vb_arena_take(vb_arena *a, size_t n_bytes);

/* Makes the piece at p, of old_bytes, larger; its content is kept, its place may change. */
void *vb_arena_grow(vb_arena *a, void *p, size_t old_bytes, size_t n_bytes);

void vb_arena_free(vb_arena *a);

#endif
