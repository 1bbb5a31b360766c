/*
 * Small pieces are cut from shared blocks. A large piece has a block of its own, so that a text
 * that keeps growing is grown in place and leaves nothing behind.
 */
#include "template/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 16, FIRST_BLOCK_BYTES = 1 << 14, BLOCK_BYTES_MAX = 1 << 18, LARGE_BYTES = 4096 };

typedef struct vb_arena_block {
    struct vb_arena_block *next, *previous;
    size_t cap, used; /* bytes after the header */
    size_t last;      /* where the newest piece begins */
} block;

enum { HEADER = (sizeof(block) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT };

static char *block_bytes(block *b) {
    return (char *)b + HEADER;
}

static bool may_hold(vb_arena *a, size_t n) {
    a->full = n > a->max_bytes || a->held_bytes > a->max_bytes - n;
    return !a->full;
}

static void link_block(vb_arena *a, block *b, bool behind) {
    block *first = a->blocks;
    b->previous = NULL;
    if (behind && first) { /* the shared block stays first */
        b->next = first->next;
        b->previous = first;
        first->next = b;
    } else {
        b->next = first;
        a->blocks = b;
    }
    if (b->next) {
        b->next->previous = b;
    }
    a->held_bytes += HEADER + b->cap;
}

static block *add_block(vb_arena *a, size_t cap, bool large) {
    if (cap > SIZE_MAX / 2 || !may_hold(a, HEADER + cap)) {
        a->full = true;
        return NULL;
    }
    block *b = malloc(HEADER + cap);
    if (b) {
        b->cap = cap;
        b->used = b->last = 0;
        link_block(a, b, large);
    }
    return b;
}

static size_t aligned(size_t n) {
    return (n + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

void *vb_arena_take(vb_arena *a, size_t n_bytes) {
    if (n_bytes > a->max_bytes) {
        a->full = true;
        return NULL;
    }
    const size_t n = aligned(n_bytes ? n_bytes : 1);
    if (n > LARGE_BYTES) {
        if (!a->blocks && !add_block(a, FIRST_BLOCK_BYTES, false)) {
            return NULL;
        }
        block *b = add_block(a, n, true);
        if (!b) {
            return NULL;
        }
        b->used = n;
        return block_bytes(b);
    }
    block *b = a->blocks;
    if (!b || b->cap - b->used < n) {
        size_t cap = b && b->cap < BLOCK_BYTES_MAX ? 2 * b->cap : FIRST_BLOCK_BYTES;
        cap = b && b->cap >= BLOCK_BYTES_MAX ? BLOCK_BYTES_MAX : cap;
        if (!(b = add_block(a, cap, false))) {
            return NULL;
        }
    }
    b->last = b->used;
    b->used += n;
    return block_bytes(b) + b->last;
}

static void *grow_large(vb_arena *a, char *p, size_t n) {
    block *b = (block *)(void *)(p - HEADER);
    if (n <= b->cap) {
        return p;
    }
    if (n > SIZE_MAX / 2 || !may_hold(a, n - b->cap)) {
        a->full = true;
        return NULL;
    }
    const size_t old = b->cap;
    block *moved = realloc(b, HEADER + n);
    if (!moved) {
        return NULL;
    }
    moved->cap = moved->used = n;
    a->held_bytes += n - old;
    moved->previous->next = moved; /* a large block is never the first */
    if (moved->next) {
        moved->next->previous = moved;
    }
    return block_bytes(moved);
}

void *vb_arena_grow(vb_arena *a, void *p, size_t old_bytes, size_t n_bytes) {
    if (!p) {
        return vb_arena_take(a, n_bytes);
    }
    if (n_bytes > a->max_bytes) {
        a->full = true;
        return NULL;
    }
    const size_t old = aligned(old_bytes ? old_bytes : 1), n = aligned(n_bytes ? n_bytes : 1);
    if (old > LARGE_BYTES) {
        return grow_large(a, p, n);
    }
    block *b = a->blocks;
    if (n <= LARGE_BYTES && block_bytes(b) + b->last == (char *)p && b->cap - b->last >= n) {
        b->used = b->last + n;
        return p;
    }
    void *moved = vb_arena_take(a, n_bytes);
    if (moved) {
        memcpy(moved, p, old_bytes < n_bytes ? old_bytes : n_bytes);
    }
    return moved;
}

void vb_arena_free(vb_arena *a) {
    block *b = a->blocks;
    while (b) {
        block *next = b->next;
        free(b);
        b = next;
    }
    a->blocks = NULL;
    a->held_bytes = 0;
}
