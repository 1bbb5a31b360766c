/* Growing lists, entries by address, and the bytes of names and values. */
#include "grammar/build.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json/jcs.h"

enum { TABLE_SIZE = 2 * VB_GRAMMAR_SCHEMAS_MAX };

vb_err vb_build_grow(vb_build *b, void *list, size_t *cap, size_t n, size_t item_bytes, size_t max,
                     const char *what) {
    if (n < *cap) {
        return VB_OK;
    }
    if (n >= max) {
        return vb_fail(b->e, VB_ELIMIT, "constraint: more than %zu %s", max, what);
    }
    size_t more = *cap ? *cap * 2 : 16;
    more = more < max ? more : max;
    void *old;
    memcpy(&old, list, sizeof old);
    void *grown = realloc(old, more * item_bytes);
    if (!grown) {
        return vb_fail(b->e, VB_ENOMEM, "constraint: no memory for %zu %s", more, what);
    }
    memcpy(list, &grown, sizeof grown);
    *cap = more;
    return VB_OK;
}

vb_err vb_build_steps(vb_build *b, size_t n) {
    b->steps += n;
    return b->steps <= VB_GRAMMAR_STEPS_MAX
               ? VB_OK
               : vb_fail(b->e, VB_ELIMIT,
                         "constraint: too entangled: compiling it takes more than %u steps",
                         VB_GRAMMAR_STEPS_MAX);
}

static vb_err append(vb_build *b, vb_buf *buf, const void *bytes, size_t n) {
    const vb_err err = vb_buf_append(buf, bytes, n);
    return err ? vb_fail(b->e, err, "constraint: its names and values do not fit their buffer")
               : VB_OK;
}

static uint32_t place_of(const json_t *json, bool is_value) {
    uint64_t h = (uint64_t)(uintptr_t)json * 2 + is_value;
    h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9u;
    return (uint32_t)((h ^ (h >> 27)) % TABLE_SIZE);
}

static vb_err add_path(vb_build *b, const char *parent, const char *name, uint32_t *out) {
    char path[VB_SCHEMA_PATH_BYTES];
    /* Long ones are cut: a path is for people to read. */
    snprintf(path, sizeof path, "%.120s%s%.64s", parent, *name ? "." : "", name);
    *out = (uint32_t)b->paths.len;
    return append(b, &b->paths, path, strlen(path) + 1);
}

vb_err vb_build_entry(vb_build *b, const json_t *json, bool is_value, const char *parent,
                      const char *name, uint32_t *out) {
    if (!b->table) {
        b->table = calloc(TABLE_SIZE, sizeof *b->table);
        if (!b->table) {
            return vb_fail(b->e, VB_ENOMEM, "constraint: no memory for its schemas");
        }
    }
    uint32_t at = place_of(json, is_value);
    for (; b->table[at]; at = (at + 1) % TABLE_SIZE) {
        const vb_entry *x = &b->entries[b->table[at] - 1];
        if (x->json == json && x->is_value == is_value) {
            *out = b->table[at] - 1;
            return VB_OK;
        }
    }
    vb_entry x = {.json = json, .is_value = is_value};
    /* parent may lie in b->paths, which grows here. */
    char copy[VB_SCHEMA_PATH_BYTES];
    snprintf(copy, sizeof copy, "%s", parent);
    vb_err err = vb_build_grow(b, &b->entries, &b->cap_entries, b->n_entries, sizeof *b->entries,
                               VB_GRAMMAR_SCHEMAS_MAX, "schemas and values");
    if (err || (err = add_path(b, copy, name, &x.path))) {
        return err;
    }
    *out = (uint32_t)b->n_entries;
    b->table[at] = *out + 1;
    b->entries[b->n_entries++] = x;
    return VB_OK;
}

vb_err vb_build_node(vb_build *b, const vb_node *node, uint32_t *out) {
    vb_grammar *g = b->g;
    vb_err err = vb_build_grow(b, &g->nodes, &b->cap_nodes, g->n_nodes, sizeof *g->nodes,
                               VB_GRAMMAR_ALTERNATIVES_MAX, "alternatives");
    if (!err) {
        *out = (uint32_t)g->n_nodes;
        g->nodes[g->n_nodes++] = *node;
    }
    return err;
}

/* An entry's own lists are filled while no other entry's are: they lie together. */
static void extend(vb_range *r, size_t n) {
    if (!r->n) {
        r->first = (uint32_t)n;
    }
    VB_ASSERT(r->first + r->n == n);
    r->n++;
}

vb_err vb_build_own_node(vb_build *b, uint32_t i, const vb_node *node) {
    uint32_t id;
    vb_err err = vb_build_node(b, node, &id);
    if (err || (err = vb_build_grow(b, &b->own_nodes, &b->cap_own_nodes, b->n_own_nodes, sizeof id,
                                    VB_GRAMMAR_ALTERNATIVES_MAX, "alternatives"))) {
        return err;
    }
    extend(&b->entries[i].nodes, b->n_own_nodes);
    b->own_nodes[b->n_own_nodes++] = id;
    return VB_OK;
}

vb_err vb_build_own_literal(vb_build *b, uint32_t i, const json_t *scalar) {
    vb_literal text;
    vb_err err = vb_build_json(b, scalar, &text);
    if (err || (err = vb_build_grow(b, &b->own_literals, &b->cap_own_literals, b->n_own_literals,
                                    sizeof text, VB_GRAMMAR_LITERALS_MAX, "values"))) {
        return err;
    }
    extend(&b->entries[i].literals, b->n_own_literals);
    b->own_literals[b->n_own_literals++] = text;
    return VB_OK;
}

vb_err vb_build_edge(vb_build *b, uint32_t i, uint32_t to) {
    vb_err err = vb_build_grow(b, &b->edges, &b->cap_edges, b->n_edges, sizeof to,
                               VB_GRAMMAR_ALTERNATIVES_MAX, "alternatives");
    if (!err) {
        extend(&b->entries[i].edges, b->n_edges);
        b->edges[b->n_edges++] = to;
    }
    return err;
}

vb_err vb_build_text(vb_build *b, const char *text, size_t n, vb_literal *out) {
    *out = (vb_literal){(uint32_t)b->bytes.len, (uint32_t)n};
    return append(b, &b->bytes, text, n);
}

vb_err vb_build_json(vb_build *b, const json_t *scalar, vb_literal *out) {
    const size_t at = b->bytes.len;
    vb_err err = vb_jcs_append(scalar, &b->bytes, b->e);
    *out = (vb_literal){(uint32_t)at, (uint32_t)(b->bytes.len - at)};
    return err;
}

vb_err vb_build_name(vb_build *b, const char *name, size_t n, vb_literal *out) {
    json_t *text = json_stringn_nocheck(name, n);
    vb_err err = text ? vb_build_json(b, text, out)
                      : vb_fail(b->e, VB_ENOMEM, "constraint: no memory for a name");
    json_decref(text);
    return err;
}

int vb_literal_compare(const uint8_t *bytes, vb_literal a, vb_literal b) {
    const int c = memcmp(bytes + a.at, bytes + b.at, a.len < b.len ? a.len : b.len);
    return c ? c : (a.len > b.len) - (a.len < b.len);
}
