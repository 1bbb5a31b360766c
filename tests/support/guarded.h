/*
 * Memory between two pages that may not be touched: a read or write one byte outside ends the
 * test. For buffers whose every byte a kernel may use and no other.
 */
#ifndef VB_TESTS_SUPPORT_GUARDED_H
#define VB_TESTS_SUPPORT_GUARDED_H

#include <stddef.h>

enum { VB_GUARDED_MAX = 64 };

/* A set of buffers that are released together. Start it as {0}. */
typedef struct vb_guarded {
    struct {
        void *base;
        size_t bytes;
    } map[VB_GUARDED_MAX];
    size_t count;
} vb_guarded;

typedef enum vb_guard_side {
    VB_GUARD_AFTER, /* the buffer's last byte is the last before a forbidden page */
    VB_GUARD_BEFORE /* its first byte is the first after one */
} vb_guard_side;

/* Zeroed memory of that many bytes (0 allowed), its address a multiple of align (a power of two
 * up to 4096): with VB_GUARD_AFTER up to align - 1 bytes stay between the end and the page.
 * Aborts when the system has no memory. */
void *vb_guarded_take(vb_guarded *g, size_t bytes, size_t align, vb_guard_side side);
void vb_guarded_give_all(vb_guarded *g);

#endif
