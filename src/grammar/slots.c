/*
 * What may stand in each slot: the nodes of every entry that its own leads to, with all written-out
 * values joined into one node; then the least nesting of each, which also finds what no text can
 * satisfy.
 */
#include <stdlib.h>
#include <string.h>

#include "grammar/build.h"

static vb_err add_alternative(vb_build *b, uint32_t node) {
    vb_grammar *g = b->g;
    vb_err err =
        vb_build_grow(b, &g->alternatives, &b->cap_alternatives, g->n_alternatives,
                      sizeof *g->alternatives, VB_GRAMMAR_ALTERNATIVES_MAX, "alternatives");
    if (!err) {
        g->alternatives[g->n_alternatives++] = node;
    }
    return err;
}

/* ---- written-out values ---- */

typedef struct sortable {
    const uint8_t *bytes;
    vb_literal text;
} sortable;

static int compare_sortables(const void *pa, const void *pb) {
    const sortable *a = pa, *b = pb;
    return vb_literal_compare(a->bytes, a->text, b->text);
}

static vb_err sort_literals(vb_build *b, vb_literal *texts, size_t *n) {
    sortable *s = malloc((*n ? *n : 1) * sizeof *s);
    if (!s) {
        return vb_fail(b->e, VB_ENOMEM, "constraint: no memory to sort %zu values", *n);
    }
    for (size_t i = 0; i < *n; i++) {
        s[i] = (sortable){b->bytes.data, texts[i]};
    }
    qsort(s, *n, sizeof *s, compare_sortables);
    size_t out = 0;
    for (size_t i = 0; i < *n; i++) {
        if (!out || vb_literal_compare(b->bytes.data, texts[out - 1], s[i].text)) {
            texts[out++] = s[i].text;
        }
    }
    *n = out;
    free(s);
    return VB_OK;
}

vb_err vb_build_literals(vb_build *b, vb_literal *texts, size_t n, uint32_t *out) {
    vb_grammar *g = b->g;
    vb_err err = sort_literals(b, texts, &n);
    const vb_node node = {
        .kind = VB_NODE_LITERALS, .texts = (uint32_t)g->n_literals, .n_texts = (uint32_t)n};
    for (size_t i = 0; i < n && !err; i++) {
        err = vb_build_grow(b, &g->literals, &b->cap_literals, g->n_literals, sizeof *g->literals,
                            VB_GRAMMAR_LITERALS_MAX, "names and values");
        if (!err) {
            g->literals[g->n_literals++] = texts[i];
        }
    }
    return err ? err : vb_build_node(b, &node, out);
}

/* The node of all values of the entries, if they have any. */
static vb_err add_literals(vb_build *b, const uint32_t *entries, size_t n_entries) {
    size_t n = 0;
    for (size_t i = 0; i < n_entries; i++) {
        n += b->entries[entries[i]].literals.n;
    }
    vb_err err = n ? vb_build_steps(b, n) : VB_OK;
    if (err || !n) {
        return err;
    }
    vb_literal *texts = malloc(n * sizeof *texts);
    if (!texts) {
        return vb_fail(b->e, VB_ENOMEM, "constraint: no memory for %zu values", n);
    }
    size_t at = 0;
    for (size_t i = 0; i < n_entries; i++) {
        const vb_range r = b->entries[entries[i]].literals;
        if (r.n) {
            memcpy(texts + at, b->own_literals + r.first, r.n * sizeof *texts);
            at += r.n;
        }
    }
    uint32_t node;
    err = vb_build_literals(b, texts, n, &node);
    free(texts);
    return err ? err : add_alternative(b, node);
}

/* ---- alternatives ---- */

/* Every entry that entry i may stand for, itself first: list[*n]. A reference in a circle leads to
 * nothing new. */
static vb_err reach(vb_build *b, uint32_t i, uint32_t *list, size_t *n) {
    *n = 0;
    b->entries[i].mark = i + 1;
    list[(*n)++] = i;
    for (size_t k = 0; k < *n; k++) {
        const vb_range r = b->entries[list[k]].edges;
        vb_err err = vb_build_steps(b, r.n + 1);
        if (err) {
            return err;
        }
        for (uint32_t j = 0; j < r.n; j++) {
            const uint32_t to = b->edges[r.first + j];
            if (b->entries[to].mark != i + 1) {
                b->entries[to].mark = i + 1;
                list[(*n)++] = to;
            }
        }
    }
    return VB_OK;
}

static vb_err build_slot(vb_build *b, uint32_t i, uint32_t *list) {
    vb_grammar *g = b->g;
    size_t n;
    vb_err err = reach(b, i, list, &n);
    vb_slot *s = &g->slots[i];
    s->first = (uint32_t)g->n_alternatives;
    for (size_t k = 0; k < n && !err; k++) {
        const vb_range r = b->entries[list[k]].nodes;
        for (uint32_t j = 0; j < r.n && !err; j++) {
            err = add_alternative(b, b->own_nodes[r.first + j]);
        }
    }
    if (!err) {
        err = add_literals(b, list, n);
    }
    s->n = (uint32_t)(g->n_alternatives - s->first);
    return err;
}

vb_err vb_build_slots(vb_build *b) {
    vb_grammar *g = b->g;
    uint32_t *list = malloc(b->n_entries * sizeof *list);
    g->slots = calloc(b->n_entries, sizeof *g->slots);
    if (!list || !g->slots) {
        free(list);
        return vb_fail(b->e, VB_ENOMEM, "constraint: no memory for %zu schemas", b->n_entries);
    }
    g->n_slots = b->n_entries;
    vb_err err = VB_OK;
    for (uint32_t i = 0; i < b->n_entries && !err; i++) {
        err = build_slot(b, i, list);
    }
    free(list);
    return err;
}

/* ---- heights ---- */

static uint8_t slot_height(const vb_grammar *g, uint32_t slot) {
    return slot == VB_SLOT_NONE ? VB_HEIGHT_NEVER : g->slots[slot].height;
}

static uint8_t higher(uint8_t a, uint8_t b) {
    return a > b ? a : b;
}

/* The most that the parts which a value of n must have need. */
static uint8_t height_inside(const vb_grammar *g, const vb_node *n) {
    uint8_t h = 0;
    if (n->kind == VB_NODE_OBJECT) {
        for (uint32_t i = 0; i < n->n; i++) {
            const vb_property *p = &g->properties[n->first + i];
            h = p->required ? higher(h, slot_height(g, p->slot)) : h;
        }
        return h;
    }
    for (uint32_t i = 0; i < n->n && i < n->min; i++) {
        h = higher(h, slot_height(g, g->elements[n->first + i]));
    }
    return n->min > n->n ? higher(h, slot_height(g, n->rest)) : h;
}

static uint8_t height_of(const vb_grammar *g, const vb_node *n) {
    switch (n->kind) {
    case VB_NODE_STRING: return n->min > n->max ? VB_HEIGHT_NEVER : 0;
    case VB_NODE_ROOT: return slot_height(g, n->rest);
    case VB_NODE_ARRAY:
        if (n->min > n->max) {
            return VB_HEIGHT_NEVER;
        }
        break;
    case VB_NODE_OBJECT: break;
    default: return 0;
    }
    const uint8_t h = height_inside(g, n);
    return h >= VB_GRAMMAR_DEPTH_MAX ? VB_HEIGHT_NEVER : (uint8_t)(h + 1);
}

/* From "never" downwards: what a round finds is right, and after as many rounds as levels there is
 * no more to find. */
vb_err vb_build_heights(vb_build *b) {
    vb_grammar *g = b->g;
    for (size_t i = 0; i < g->n_nodes; i++) {
        g->nodes[i].height = VB_HEIGHT_NEVER;
    }
    for (unsigned round = 0; round <= VB_GRAMMAR_DEPTH_MAX + 1; round++) {
        for (size_t s = 0; s < g->n_slots; s++) {
            vb_slot *slot = &g->slots[s];
            slot->height = VB_HEIGHT_NEVER;
            for (uint32_t a = 0; a < slot->n; a++) {
                const uint8_t h = g->nodes[g->alternatives[slot->first + a]].height;
                slot->height = h < slot->height ? h : slot->height;
            }
        }
        for (size_t i = 0; i < g->n_nodes; i++) {
            g->nodes[i].height = height_of(g, &g->nodes[i]);
        }
    }
    return g->nodes[0].height != VB_HEIGHT_NEVER
               ? VB_OK
               : vb_fail(b->e, VB_EINVAL,
                         "schema: no text satisfies it within %u nested objects and arrays",
                         VB_GRAMMAR_DEPTH_MAX);
}
