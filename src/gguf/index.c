/*
 * Names. Duplicates are found by sorting, and lookups go through a chained hash table: hostile
 * names that collide can slow single lookups down to a walk over one chain, but neither opening
 * (always n log n) nor memory.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "gguf/gguf_internal.h"

typedef struct named {
    vb_str name;
    size_t i; /* the record */
} named;

static int compare_names(const void *pa, const void *pb) {
    const named *a = pa, *b = pb;
    size_t shorter = a->name.len < b->name.len ? a->name.len : b->name.len;
    int c = memcmp(a->name.p, b->name.p, shorter);
    if (c) {
        return c;
    }
    if (a->name.len != b->name.len) {
        return a->name.len < b->name.len ? -1 : 1;
    }
    return a->i < b->i ? -1 : a->i > b->i;
}

static const vb_str *name_at(const void *records, size_t stride, size_t i) {
    return (const vb_str *)(const void *)((const char *)records + i * stride);
}

/* *second is the later record of a duplicated name, or n when all differ. */
static vb_err find_duplicate(const void *records, size_t stride, size_t n, size_t *first,
                             size_t *second, vb_error *e) {
    *second = n;
    if (n < 2) {
        return VB_OK;
    }
    named *sorted = malloc(n * sizeof *sorted);
    if (!sorted) {
        return vb_fail(e, VB_ENOMEM, "no memory to sort %zu names", n);
    }
    for (size_t i = 0; i < n; i++) {
        sorted[i] = (named){*name_at(records, stride, i), i};
    }
    qsort(sorted, n, sizeof *sorted, compare_names);
    for (size_t i = 1; i < n && *second == n; i++) {
        const vb_str *a = &sorted[i - 1].name, *b = &sorted[i].name;
        if (a->len == b->len && memcmp(a->p, b->p, a->len) == 0) {
            *first = sorted[i - 1].i;
            *second = sorted[i].i;
        }
    }
    free(sorted);
    return VB_OK;
}

vb_err gguf_check_unique_keys(const gguf_file *f, const gguf_part *part, vb_error *e) {
    size_t a = 0, b;
    vb_err err = find_duplicate(part->kvs, sizeof *part->kvs, part->n_kvs, &a, &b, e);
    if (err || b == part->n_kvs) {
        return err;
    }
    return gguf_fail_at(f, part->kvs[b].offset_bytes, e, VB_EFORMAT,
                        "metadata key '%.*s' is there twice (first value at byte %" PRIu64 ")",
                        GGUF_SHOW(part->kvs[b].key), part->kvs[a].offset_bytes);
}

vb_err gguf_check_unique_tensors(const vb_gguf *g, vb_error *e) {
    const gguf_part *part = &g->part;
    size_t a = 0, b;
    vb_err err = find_duplicate(part->tensors, sizeof *part->tensors, part->n_tensors, &a, &b, e);
    if (err || b == part->n_tensors) {
        return err;
    }
    const vb_gguf_tensor *t = &part->tensors[b], *first = &part->tensors[a];
    return gguf_fail(&g->files[t->file_index], e, VB_EFORMAT,
                     "tensor '%.*s' is there twice: data at byte %" PRIu64
                     " of file %zu and at byte "
                     "%" PRIu64 " of file %zu",
                     GGUF_SHOW(t->name), first->offset_bytes, first->file_index + 1,
                     t->offset_bytes, t->file_index + 1);
}

static int compare_places(const void *pa, const void *pb) {
    const vb_gguf_tensor *a = *(const vb_gguf_tensor *const *)pa;
    const vb_gguf_tensor *b = *(const vb_gguf_tensor *const *)pb;
    if (a->file_index != b->file_index) {
        return a->file_index < b->file_index ? -1 : 1;
    }
    return a->offset_bytes < b->offset_bytes ? -1 : a->offset_bytes > b->offset_bytes;
}

vb_err gguf_check_overlap(const vb_gguf *g, vb_error *e) {
    size_t n = g->part.n_tensors;
    const vb_gguf_tensor **sorted = malloc((n + 1) * sizeof *sorted);
    if (!sorted) {
        return vb_fail(e, VB_ENOMEM, "no memory to sort %zu tensors", n);
    }
    for (size_t i = 0; i < n; i++) {
        sorted[i] = &g->part.tensors[i];
    }
    qsort(sorted, n, sizeof *sorted, compare_places);
    vb_err err = VB_OK;
    for (size_t i = 1; !err && i < n; i++) {
        const vb_gguf_tensor *a = sorted[i - 1], *b = sorted[i];
        if (a->file_index == b->file_index && b->offset_bytes - a->offset_bytes < a->n_bytes) {
            err = gguf_fail_at(&g->files[b->file_index], b->offset_bytes, e, VB_EFORMAT,
                               "tensor '%.*s' overlaps tensor '%.*s', whose %zu bytes start at "
                               "%" PRIu64,
                               GGUF_SHOW(b->name), GGUF_SHOW(a->name), a->n_bytes, a->offset_bytes);
        }
    }
    free(sorted);
    return err;
}

/* FNV-1a: short names, and collisions are harmless here. */
static uint32_t hash_name(const char *p, size_t len) {
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < len; i++) {
        h = (h ^ (uint8_t)p[i]) * 16777619u;
    }
    return h ^ h >> 16;
}

vb_err gguf_index_build(gguf_index *index, const void *records, size_t stride, size_t n,
                        vb_error *e) {
    size_t slots = 16;
    while (slots < n) {
        slots *= 2;
    }
    index->heads = calloc(slots, sizeof *index->heads);
    index->next = calloc(n + 1, sizeof *index->next);
    if (!index->heads || !index->next) {
        return vb_fail(e, VB_ENOMEM, "no memory to index %zu names", n);
    }
    index->mask = (uint32_t)(slots - 1);
    for (size_t i = 0; i < n; i++) {
        const vb_str *name = name_at(records, stride, i);
        uint32_t *head = &index->heads[hash_name(name->p, name->len) & index->mask];
        index->next[i] = *head;
        *head = (uint32_t)i + 1;
    }
    return VB_OK;
}

size_t gguf_index_find(const gguf_index *index, const void *records, size_t stride, size_t n,
                       const char *name) {
    size_t len = strlen(name);
    uint32_t at = index->heads[hash_name(name, len) & index->mask];
    for (; at; at = index->next[at - 1]) {
        const vb_str *s = name_at(records, stride, at - 1);
        if (s->len == len && memcmp(s->p, name, len) == 0) {
            return at - 1;
        }
    }
    return n;
}

void gguf_index_free(gguf_index *index) {
    free(index->heads);
    free(index->next);
    *index = (gguf_index){0};
}
