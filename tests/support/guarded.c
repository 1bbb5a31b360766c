/* Buffers between forbidden pages. */
#include "support/guarded.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

void *vb_guarded_take(vb_guarded *g, size_t bytes, size_t align, vb_guard_side side) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t body = (bytes + align + page - 1) / page * page;
    uint8_t *base = g->count == VB_GUARDED_MAX ? MAP_FAILED
                                               : mmap(NULL, body + 2 * page, PROT_READ | PROT_WRITE,
                                                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED || mprotect(base, page, PROT_NONE) != 0 ||
        mprotect(base + page + body, page, PROT_NONE) != 0) {
        fprintf(stderr, "guarded memory: none left\n");
        abort();
    }
    g->map[g->count].base = base;
    g->map[g->count].bytes = body + 2 * page;
    g->count++;
    if (side == VB_GUARD_BEFORE) {
        return base + page;
    }
    uintptr_t end = (uintptr_t)(base + page + body);
    return (void *)((end - bytes) & ~(uintptr_t)(align - 1));
}

void vb_guarded_give_all(vb_guarded *g) {
    while (g->count > 0) {
        g->count--;
        munmap(g->map[g->count].base, g->map[g->count].bytes);
    }
}
