/*
 * How many nodes one level of the automaton can hold. Every text leads to some set of objects, or
 * of arrays, that it can still be the inside of; from a set, each name or each place in the array
 * leads to the values that may come there. These sets are walked until there are no new ones. A
 * text may rule some members out earlier, so that the sets that really occur are parts of these.
 *
 * Of a set of one, all of this is the node's own; only larger sets are kept in a table. A schema
 * whose sets are too many or too large is refused: that is what bounds memory and time of a step.
 */
#include <stdlib.h>
#include <string.h>

#include "grammar/build.h"

enum { TABLE_SIZE = 2 * VB_GRAMMAR_SETS_MAX };

typedef struct set {
    uint32_t first; /* of members */
    uint32_t n;
} set;

typedef struct walk {
    vb_build *b;
    const vb_grammar *g;
    set *sets;
    size_t n_sets, cap_sets;
    size_t n_shared; /* sets in the table */
    uint32_t *members;
    size_t n_members, cap_members;
    uint32_t *table; /* sets plus 1, by their members */
    bool *alone;     /* [n_nodes]: its set of one is there */
    uint32_t *next;  /* nodes of the values that come next, [n_nodes] at most */
    size_t n_next;
    uint32_t *stamp; /* [n_nodes]: of the collection that has it */
    uint32_t stamps;
} walk;

static int compare_ids(const void *pa, const void *pb) {
    const uint32_t a = *(const uint32_t *)pa, b = *(const uint32_t *)pb;
    return (a > b) - (a < b);
}

static void clear_next(walk *w) {
    w->n_next = 0;
    w->stamps++;
}

static vb_err collect(walk *w, uint32_t slot) {
    if (slot == VB_SLOT_NONE) {
        return VB_OK;
    }
    const vb_slot *s = &w->g->slots[slot];
    vb_err err = vb_build_steps(w->b, s->n + 1);
    for (uint32_t a = 0; a < s->n && !err; a++) {
        const uint32_t node = w->g->alternatives[s->first + a];
        if (w->stamp[node] != w->stamps) {
            w->stamp[node] = w->stamps;
            w->next[w->n_next++] = node;
        }
    }
    return err;
}

static uint32_t place_of(const uint32_t *members, size_t n) {
    uint64_t h = n;
    for (size_t i = 0; i < n; i++) {
        h = (h ^ members[i]) * 0xbf58476d1ce4e5b9u;
        h ^= h >> 29;
    }
    return (uint32_t)(h % TABLE_SIZE);
}

static vb_err push_set(walk *w, const uint32_t *members, size_t n) {
    vb_err err =
        vb_build_grow(w->b, &w->sets, &w->cap_sets, w->n_sets, sizeof *w->sets,
                      VB_GRAMMAR_ALTERNATIVES_MAX + VB_GRAMMAR_SETS_MAX, "sets of alternatives");
    const uint32_t first = (uint32_t)w->n_members;
    for (size_t i = 0; i < n && !err; i++) {
        err = vb_build_grow(w->b, &w->members, &w->cap_members, w->n_members, sizeof *w->members,
                            SIZE_MAX / 8, "alternatives");
        if (!err) {
            w->members[w->n_members++] = members[i];
        }
    }
    if (!err) {
        w->sets[w->n_sets++] = (set){first, (uint32_t)n};
    }
    return err;
}

/* Adds a set of containers unless it is there. */
static vb_err add_set(walk *w, uint32_t *members, size_t n) {
    if (n == 0 || (n == 1 && w->alone[members[0]])) {
        return VB_OK;
    }
    if (n == 1) {
        w->alone[members[0]] = true;
        return push_set(w, members, 1);
    }
    qsort(members, n, sizeof *members, compare_ids);
    uint32_t at = place_of(members, n);
    for (; w->table[at]; at = (at + 1) % TABLE_SIZE) {
        const set *s = &w->sets[w->table[at] - 1];
        if (s->n == n && memcmp(w->members + s->first, members, n * sizeof *members) == 0) {
            return VB_OK;
        }
    }
    if (w->n_shared++ == VB_GRAMMAR_SETS_MAX) {
        return vb_fail(w->b->e, VB_ELIMIT, "schema: its alternatives overlap in more than %u ways",
                       VB_GRAMMAR_SETS_MAX);
    }
    w->table[at] = (uint32_t)w->n_sets + 1;
    return push_set(w, members, n);
}

/* What was collected, as one set of objects, one of arrays, and scalars that lead nowhere. */
static vb_err end_collection(walk *w) {
    uint32_t *part = w->next + w->g->n_nodes;
    size_t n_scalars = 0;
    vb_err err = vb_build_steps(w->b, w->n_next + 1);
    for (int kind = VB_NODE_OBJECT; kind <= VB_NODE_ARRAY && !err; kind++) {
        size_t n = 0;
        for (size_t i = 0; i < w->n_next; i++) {
            if (w->g->nodes[w->next[i]].kind == (vb_node_kind)kind) {
                part[n++] = w->next[i];
            }
        }
        n_scalars += n;
        w->b->g->live_max = n > w->g->live_max ? n : w->g->live_max;
        err = add_set(w, part, n);
    }
    n_scalars = w->n_next - n_scalars;
    w->b->g->live_max = n_scalars > w->g->live_max ? n_scalars : w->g->live_max;
    if (!err && w->g->live_max > VB_GRAMMAR_LIVE_MAX) {
        err = vb_fail(w->b->e, VB_ELIMIT, "schema: a value with more than %u alternatives",
                      VB_GRAMMAR_LIVE_MAX);
    }
    return err;
}

/* The slot of the property of that name; false when the object does not list it. */
static bool listed(const walk *w, const vb_node *node, vb_literal name, uint32_t *slot) {
    uint32_t low = 0, high = node->n;
    while (low < high) {
        const uint32_t mid = low + (high - low) / 2;
        const int c = vb_literal_compare(w->b->bytes.data, w->g->literals[node->texts + mid], name);
        if (c == 0) {
            *slot = w->g->properties[node->first + mid].slot;
            return true;
        }
        low = c < 0 ? mid + 1 : low;
        high = c < 0 ? high : mid;
    }
    return false;
}

/* The values that may come under one name: those of the objects that list it, and the additional
 * ones of the others. NULL: a name that none lists. */
static vb_err walk_name(walk *w, const uint32_t *members, uint32_t n, const vb_literal *name) {
    vb_err err = vb_build_steps(w->b, n);
    clear_next(w);
    for (uint32_t m = 0; m < n && !err; m++) {
        const vb_node *node = &w->g->nodes[members[m]];
        uint32_t slot = node->rest;
        (void)(name && listed(w, node, *name, &slot));
        err = collect(w, slot);
    }
    return err ? err : end_collection(w);
}

/* Whether one of the first n members lists the name: then it was walked with that one. */
static bool is_walked(const walk *w, const uint32_t *members, uint32_t n, vb_literal name) {
    uint32_t slot;
    for (uint32_t m = 0; m < n; m++) {
        if (listed(w, &w->g->nodes[members[m]], name, &slot)) {
            return true;
        }
    }
    return false;
}

static vb_err walk_objects(walk *w, const uint32_t *members, uint32_t n) {
    vb_err err = walk_name(w, members, n, NULL);
    for (uint32_t m = 0; m < n && !err; m++) {
        const vb_node *node = &w->g->nodes[members[m]];
        for (uint32_t i = 0; i < node->n && !err; i++) {
            const vb_literal name = w->g->literals[node->texts + i];
            err = vb_build_steps(w->b, m + 1);
            if (!err && !is_walked(w, members, m, name)) {
                err = walk_name(w, members, n, &name);
            }
        }
    }
    return err;
}

static vb_err walk_arrays(walk *w, const uint32_t *members, uint32_t n) {
    uint32_t longest = 0;
    for (uint32_t m = 0; m < n; m++) {
        const uint32_t own = w->g->nodes[members[m]].n;
        longest = own > longest ? own : longest;
    }
    vb_err err = VB_OK;
    for (uint32_t i = 0; i <= longest && !err; i++) {
        err = vb_build_steps(w->b, n);
        clear_next(w);
        for (uint32_t m = 0; m < n && !err; m++) {
            const vb_node *node = &w->g->nodes[members[m]];
            err = collect(w, i < node->n ? w->g->elements[node->first + i] : node->rest);
        }
        err = err ? err : end_collection(w);
    }
    return err;
}

static vb_err walk_all(walk *w) {
    clear_next(w);
    vb_err err = collect(w, w->g->nodes[0].rest);
    err = err ? err : end_collection(w);
    uint32_t members[VB_GRAMMAR_LIVE_MAX];
    for (size_t s = 0; s < w->n_sets && !err; s++) {
        const set x = w->sets[s];
        memcpy(members, w->members + x.first, x.n * sizeof *members);
        err = w->g->nodes[members[0]].kind == VB_NODE_OBJECT ? walk_objects(w, members, x.n)
                                                             : walk_arrays(w, members, x.n);
    }
    return err;
}

vb_err vb_build_live(vb_build *b) {
    const size_t n = b->g->n_nodes;
    walk w = {.b = b, .g = b->g};
    b->g->live_max = 1;
    w.table = calloc(TABLE_SIZE, sizeof *w.table);
    w.alone = calloc(n, sizeof *w.alone);
    w.next = malloc(2 * n * sizeof *w.next);
    w.stamp = calloc(n, sizeof *w.stamp);
    vb_err err = w.table && w.alone && w.next && w.stamp
                     ? walk_all(&w)
                     : vb_fail(b->e, VB_ENOMEM, "constraint: no memory for %zu alternatives", n);
    free(w.sets);
    free(w.members);
    free(w.table);
    free(w.alone);
    free(w.next);
    free(w.stamp);
    return err;
}
