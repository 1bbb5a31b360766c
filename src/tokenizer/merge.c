/*
 * Pairwise merging, the core that byte-level BPE and SentencePiece share: symbols in a linked
 * list, candidate pairs in a binary heap ordered by (rank, position), so that n symbols cost
 * O(n log n). A candidate that a later merge made stale is recognised when it is drawn: both
 * its symbols must be alive and together as long as when it was made.
 */
#include <stdlib.h>

#include "tokenizer/internal.h"

vb_err vb_grow(void **p, size_t *cap, size_t n, size_t item_bytes, vb_error *e) {
    if (n <= *cap) {
        return VB_OK;
    }
    size_t want = *cap < 64 ? 64 : *cap * 2;
    size_t n_bytes;
    if (want < n) {
        want = n;
    }
    void *grown = vb_mul_size(want, item_bytes, &n_bytes) ? realloc(*p, n_bytes) : NULL;
    if (!grown) {
        return vb_fail(e, VB_ENOMEM, "no memory to tokenise: %zu items of %zu bytes", want,
                       item_bytes);
    }
    *p = grown;
    *cap = want;
    return VB_OK;
}

vb_err vb_ids_push(vb_encoder *x, uint32_t id) {
    if (x->ids.len == x->ids.cap) {
        void *p = x->ids.data;
        vb_err err = vb_grow(&p, &x->ids.cap, x->ids.len + 1, sizeof *x->ids.data, x->e);
        if (err) {
            return err;
        }
        x->ids.data = p;
    }
    x->ids.data[x->ids.len++] = id;
    return VB_OK;
}

vb_err vb_symbol_push(vb_encoder *x, uint32_t off, uint32_t len, int32_t id) {
    if (x->n_symbols == x->cap_symbols) {
        void *p = x->symbols;
        vb_err err = vb_grow(&p, &x->cap_symbols, x->n_symbols + 1, sizeof *x->symbols, x->e);
        if (err) {
            return err;
        }
        x->symbols = p;
    }
    uint32_t i = (uint32_t)x->n_symbols++;
    x->symbols[i] = (vb_symbol){off, len, i ? i - 1 : VB_SYMBOL_END, VB_SYMBOL_END, id};
    if (i) {
        x->symbols[i - 1].next = i;
    }
    return VB_OK;
}

static bool before(const vb_candidate *a, const vb_candidate *b) {
    return a->rank != b->rank ? a->rank < b->rank : a->left < b->left;
}

static vb_err heap_push(vb_encoder *x, vb_candidate c) {
    if (x->n_heap == x->cap_heap) {
        void *p = x->heap;
        vb_err err = vb_grow(&p, &x->cap_heap, x->n_heap + 1, sizeof *x->heap, x->e);
        if (err) {
            return err;
        }
        x->heap = p;
    }
    size_t i = x->n_heap++;
    while (i) {
        size_t up = (i - 1) / 2;
        if (!before(&c, &x->heap[up])) {
            break;
        }
        x->heap[i] = x->heap[up];
        i = up;
    }
    x->heap[i] = c;
    return VB_OK;
}

static vb_candidate heap_pop(vb_encoder *x) {
    vb_candidate top = x->heap[0], last = x->heap[--x->n_heap];
    size_t i = 0, n = x->n_heap;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= n) {
            break;
        }
        if (child + 1 < n && before(&x->heap[child + 1], &x->heap[child])) {
            child++;
        }
        if (!before(&x->heap[child], &last)) {
            break;
        }
        x->heap[i] = x->heap[child];
        i = child;
    }
    x->heap[i] = last;
    return top;
}

/* What two neighbours would become: the merge table says so for BPE, the vocabulary itself
 * for SentencePiece. */
static bool find_pair(const vb_tokenizer *t, const char *text, const vb_symbol *left,
                      const vb_symbol *right, vb_candidate *c) {
    if (!t->spm) {
        if (left->id < 0 || right->id < 0) {
            return false;
        }
        const vb_merge *m = vb_mergemap_find(&t->merges, (uint32_t)left->id, (uint32_t)right->id);
        if (m) {
            c->rank = m->rank;
            c->result = m->result;
        }
        return m != NULL;
    }
    if (c->len > t->token_bytes_max) {
        return false;
    }
    int32_t id = vb_strmap_find(&t->map, text + left->off, c->len);
    if (id < 0 || !vb_encodes_text(t, (uint32_t)id)) {
        return false;
    }
    c->rank = t->ranks[id];
    c->result = (uint32_t)id;
    return true;
}

static vb_err offer(vb_encoder *x, const char *text, uint32_t left, uint32_t right) {
    if (left == VB_SYMBOL_END || right == VB_SYMBOL_END) {
        return VB_OK;
    }
    const vb_symbol *l = &x->symbols[left], *r = &x->symbols[right];
    vb_candidate c = {.left = left, .right = right, .len = l->len + r->len};
    return find_pair(x->t, text, l, r, &c) ? heap_push(x, c) : VB_OK;
}

vb_err vb_merge_symbols(vb_encoder *x, const char *text) {
    vb_err err = VB_OK;
    x->n_heap = 0;
    for (uint32_t i = 1; i < x->n_symbols && !err; i++) {
        err = offer(x, text, i - 1, i);
    }
    while (!err && x->n_heap) {
        vb_candidate c = heap_pop(x);
        vb_symbol *l = &x->symbols[c.left], *r = &x->symbols[c.right];
        if (!l->len || !r->len || l->len + r->len != c.len) {
            continue;
        }
        l->len = c.len;
        l->id = (int32_t)c.result;
        l->next = r->next;
        r->len = 0;
        if (l->next != VB_SYMBOL_END) {
            x->symbols[l->next].prev = c.left;
        }
        err = offer(x, text, l->prev, c.left);
        if (!err) {
            err = offer(x, text, c.left, l->next);
        }
    }
    return err;
}

vb_err vb_emit_bytes(vb_encoder *x, const char *text, size_t len) {
    const vb_tokenizer *t = x->t;
    vb_err err = VB_OK;
    for (size_t i = 0; i < len && !err; i++) {
        int32_t id = t->bytes[(uint8_t)text[i]];
        if (id == VB_TOKEN_NONE) {
            id = t->unk;
        }
        if (id != VB_TOKEN_NONE) {
            err = vb_ids_push(x, (uint32_t)id);
        }
    }
    return err;
}
