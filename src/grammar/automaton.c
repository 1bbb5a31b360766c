#include "grammar/automaton.h"

#include <string.h>

#include "grammar/scalar.h"

/* What a byte does to an object, an array or the root. */
typedef enum outcome {
    REFUSED,
    KEPT,   /* it belongs to the container itself */
    OPENED, /* it begins the value of a slot */
    CLOSED
} outcome;

enum { GAP_NONE, GAP_SPACE, GAP_LINE }; /* GAP_LINE + n: a line feed and n spaces */

static bool has(const uint64_t *set, uint32_t i) {
    return set[i / 64] >> i % 64 & 1;
}

static void put(uint64_t *set, uint32_t i) {
    set[i / 64] |= (uint64_t)1 << i % 64;
}

static uint32_t begin_of(const vb_config *c, uint32_t level) {
    return level ? c->end[level - 1] : 0;
}

static uint32_t top_of(const vb_config *c) {
    return c->n_levels - 1;
}

size_t vb_config_bytes_max(const vb_grammar *g) {
    return sizeof(vb_config) + VB_LEVELS_MAX * g->live_max * sizeof(vb_item);
}

size_t vb_config_bytes(const vb_config *c) {
    return sizeof *c + c->end[top_of(c)] * sizeof c->items[0];
}

void vb_config_begin(vb_config *c) {
    memset(c, 0, sizeof *c + sizeof c->items[0]);
    c->n_levels = 1;
    c->end[0] = 1;
}

const vb_item *vb_config_top(const vb_config *c, size_t *n) {
    const uint32_t begin = begin_of(c, top_of(c));
    *n = c->end[top_of(c)] - begin;
    return &c->items[begin];
}

void vb_config_keep(vb_config *c, const uint64_t set[VB_SET_WORDS]) {
    const uint32_t begin = begin_of(c, top_of(c)), end = c->end[top_of(c)];
    uint32_t out = begin;
    for (uint32_t i = begin; i < end; i++) {
        if (has(set, i - begin)) {
            c->items[out++] = c->items[i];
        }
    }
    c->end[top_of(c)] = out;
}

/* Whether a value of this height may open on the level above one of `level`. */
static bool fits(uint8_t height, uint32_t level) {
    return height != VB_HEIGHT_NEVER && level + height <= VB_GRAMMAR_DEPTH_MAX;
}

static bool slot_fits(const vb_grammar *g, uint32_t slot, uint32_t level) {
    return slot != VB_SLOT_NONE && fits(g->slots[slot].height, level);
}

/* Narrows the literals of it to those that go on with byte; false, and it as before, when none
 * does. They are sorted, so that those that agree so far lie together. */
static bool narrow(const vb_grammar *g, vb_item *it, uint8_t byte) {
    uint32_t bounds[2];
    for (int upper = 0; upper < 2; upper++) {
        uint32_t low = it->low, high = it->high;
        while (low < high) {
            const uint32_t mid = low + (high - low) / 2;
            const vb_literal t = g->literals[mid];
            const int here = t.len > it->len ? g->bytes[t.at + it->len] : -1;
            if (here < byte || (upper && here == byte)) {
                low = mid + 1;
            } else {
                high = mid;
            }
        }
        bounds[upper] = low;
    }
    if (bounds[0] == bounds[1]) {
        return false;
    }
    it->low = bounds[0];
    it->high = bounds[1];
    it->len++;
    return true;
}

/* The shortest of the literals that agree is the first. */
static bool literal_whole(const vb_grammar *g, const vb_item *it) {
    return it->low < it->high && g->literals[it->low].len == it->len;
}

/* ---- scalars ---- */

/* Characters beyond this count all the same. */
static uint32_t count_limit(const vb_node *n) {
    return n->max != VB_COUNT_ANY ? n->max : n->min;
}

static bool next_in_string(const vb_node *n, vb_item *it, uint8_t byte) {
    if (it->sub == VB_STRING_CLEAN) {
        if (byte == '"') {
            if (it->count < n->min) {
                return false;
            }
        } else if (it->count == n->max) {
            return false;
        } else if (it->count < count_limit(n)) {
            it->count++;
        }
    }
    it->sub = (uint8_t)vb_string_next((vb_string_state)it->sub, byte);
    return it->sub != VB_STRING_DEAD;
}

static bool next_in_scalar(const vb_grammar *g, vb_item *it, uint8_t byte) {
    const vb_node *n = &g->nodes[it->node];
    switch (n->kind) {
    case VB_NODE_STRING: return next_in_string(n, it, byte);
    case VB_NODE_NUMBER:
        it->sub = (uint8_t)vb_number_next((vb_number_state)it->sub, byte, n->integer, &it->count);
        return it->sub != VB_NUMBER_DEAD;
    case VB_NODE_LITERALS: return narrow(g, it, byte);
    default: return false;
    }
}

static bool scalar_whole(const vb_grammar *g, const vb_item *it) {
    switch (g->nodes[it->node].kind) {
    case VB_NODE_STRING: return it->sub == VB_STRING_CLOSED;
    case VB_NODE_NUMBER: return vb_number_complete((vb_number_state)it->sub);
    case VB_NODE_LITERALS: return literal_whole(g, it);
    default: return false;
    }
}

/* Whether a value of this kind can begin so: what most bytes and kinds fail by, with no item made.
 */
static bool may_begin(const vb_node *n, uint8_t byte) {
    switch (n->kind) {
    case VB_NODE_OBJECT: return byte == '{';
    case VB_NODE_ARRAY: return byte == '[';
    case VB_NODE_STRING: return byte == '"';
    case VB_NODE_NUMBER: return byte == '-' || (byte >= '0' && byte <= '9');
    case VB_NODE_LITERALS: return true;
    default: return false;
    }
}

/* The item that a value of this node has become after its first byte, by which it may begin; false
 * when no value of it does. */
static bool begin_value(const vb_grammar *g, uint32_t node, uint8_t byte, vb_item *it) {
    const vb_node *n = &g->nodes[node];
    memset(it, 0, sizeof *it);
    it->node = node;
    it->phase = VB_PHASE_SCALAR;
    switch (n->kind) {
    case VB_NODE_OBJECT:
    case VB_NODE_ARRAY: it->phase = VB_PHASE_OPEN; return true;
    case VB_NODE_NUMBER: return next_in_scalar(g, it, byte);
    case VB_NODE_LITERALS:
        it->low = n->texts;
        it->high = n->texts + n->n_texts;
        return narrow(g, it, byte);
    default: return true;
    }
}

/* ---- objects, arrays, the root ---- */

/* White space: nothing, one space, or a line feed and as many spaces as an indent has here. */
static bool next_in_gap(vb_item *it, uint8_t byte, uint32_t level) {
    if (byte == '\n' && it->gap == GAP_NONE) {
        it->gap = GAP_LINE;
        return true;
    }
    if (byte != ' ' || it->gap == GAP_SPACE ||
        it->gap == GAP_LINE + VB_GRAMMAR_INDENT_MAX * level) {
        return false;
    }
    it->gap = it->gap == GAP_NONE ? GAP_SPACE : (uint8_t)(it->gap + 1);
    return true;
}

static outcome in_gap(vb_item *it, uint8_t byte, uint32_t level) {
    return next_in_gap(it, byte, level) ? KEPT : REFUSED;
}

static outcome go(vb_item *it, vb_phase phase) {
    it->phase = (uint16_t)phase;
    it->gap = GAP_NONE;
    return KEPT;
}

/* Whether property i of the object may come now. */
static bool available(const vb_grammar *g, const vb_item *it, uint32_t i, uint32_t level) {
    const vb_node *n = &g->nodes[it->node];
    return !has(it->seen, i) && slot_fits(g, g->properties[n->first + i].slot, level);
}

static bool any_available(const vb_grammar *g, const vb_item *it, uint32_t level) {
    const vb_node *n = &g->nodes[it->node];
    for (uint32_t t = it->low; t < it->high; t++) {
        if (available(g, it, t - n->texts, level)) {
            return true;
        }
    }
    return false;
}

/* The name's opening quote: every name is possible. */
static bool begin_key(const vb_grammar *g, vb_item *it, uint32_t level) {
    const vb_node *n = &g->nodes[it->node];
    it->low = n->texts;
    it->high = n->texts + n->n;
    it->len = 1;
    it->sub = slot_fits(g, n->rest, level) ? VB_STRING_CLEAN : VB_STRING_DEAD;
    return it->sub != VB_STRING_DEAD || any_available(g, it, level);
}

static bool may_have_key(const vb_grammar *g, const vb_item *it, uint32_t level) {
    vb_item probe = *it;
    return begin_key(g, &probe, level);
}

static bool may_close_object(const vb_grammar *g, const vb_item *it) {
    const vb_node *n = &g->nodes[it->node];
    for (uint32_t i = 0; i < n->n; i++) {
        if (g->properties[n->first + i].required && !has(it->seen, i)) {
            return false;
        }
    }
    return true;
}

static outcome end_key(vb_item *it, uint32_t key) {
    it->key = key;
    it->low = it->high = it->len = 0;
    it->sub = 0;
    return go(it, VB_PHASE_COLON);
}

/* A byte of a name. Names of additional properties have no escapes, so that none of them can be
 * another spelling of a listed one. */
static outcome next_in_key(const vb_grammar *g, vb_item *it, uint8_t byte, uint32_t level) {
    const vb_node *n = &g->nodes[it->node];
    const bool other = it->sub != VB_STRING_DEAD && byte != '\\';
    it->sub = other ? (uint8_t)vb_string_next((vb_string_state)it->sub, byte) : VB_STRING_DEAD;
    if (!narrow(g, it, byte)) {
        it->low = it->high = it->len = 0;
    } else if (literal_whole(g, it)) {
        const uint32_t i = it->low - n->texts;
        if (!available(g, it, i, level)) {
            return REFUSED;
        }
        put(it->seen, i);
        return end_key(it, i);
    }
    if (it->sub == VB_STRING_CLOSED) {
        return end_key(it, VB_KEY_OTHER);
    }
    return it->sub != VB_STRING_DEAD || any_available(g, it, level) ? KEPT : REFUSED;
}

static outcome next_in_object(const vb_grammar *g, vb_item *it, uint8_t byte, uint32_t level) {
    switch ((vb_phase)it->phase) {
    case VB_PHASE_OPEN:
    case VB_PHASE_NEXT:
        if (byte == '"') {
            return begin_key(g, it, level) ? go(it, VB_PHASE_KEY) : REFUSED;
        }
        if (byte == '}') {
            return it->phase == VB_PHASE_OPEN && may_close_object(g, it) ? CLOSED : REFUSED;
        }
        return in_gap(it, byte, level);
    case VB_PHASE_KEY: return next_in_key(g, it, byte, level);
    case VB_PHASE_COLON: return byte == ':' ? go(it, VB_PHASE_VALUE) : REFUSED;
    case VB_PHASE_VALUE: return next_in_gap(it, byte, level) ? KEPT : OPENED;
    case VB_PHASE_AFTER:
        if (byte == ',' && it->gap == GAP_NONE) {
            return may_have_key(g, it, level) ? go(it, VB_PHASE_NEXT) : REFUSED;
        }
        if (!may_close_object(g, it)) {
            return REFUSED;
        }
        return byte == '}' ? CLOSED : in_gap(it, byte, level);
    default: return REFUSED;
    }
}

/* The slot of the value that comes next. */
static uint32_t next_slot(const vb_grammar *g, const vb_item *it) {
    const vb_node *n = &g->nodes[it->node];
    switch (n->kind) {
    case VB_NODE_OBJECT:
        return it->key == VB_KEY_OTHER ? n->rest : g->properties[n->first + it->key].slot;
    case VB_NODE_ARRAY:
        if (it->count == n->max) {
            return VB_SLOT_NONE;
        }
        return it->count < n->n ? g->elements[n->first + it->count] : n->rest;
    default: return n->rest;
    }
}

static outcome next_in_array(const vb_grammar *g, vb_item *it, uint8_t byte, uint32_t level) {
    const vb_node *n = &g->nodes[it->node];
    const bool may_close = it->count >= n->min;
    switch ((vb_phase)it->phase) {
    case VB_PHASE_OPEN:
        if (byte == ']') {
            return may_close ? CLOSED : REFUSED;
        }
        /* fall through */
    case VB_PHASE_NEXT: return next_in_gap(it, byte, level) ? KEPT : OPENED;
    case VB_PHASE_AFTER:
        if (byte == ',' && it->gap == GAP_NONE) {
            return slot_fits(g, next_slot(g, it), level) ? go(it, VB_PHASE_NEXT) : REFUSED;
        }
        if (!may_close) {
            return REFUSED;
        }
        return byte == ']' ? CLOSED : in_gap(it, byte, level);
    default: return REFUSED;
    }
}

static outcome next_in_container(const vb_grammar *g, vb_item *it, uint8_t byte, uint32_t level) {
    switch (g->nodes[it->node].kind) {
    case VB_NODE_ROOT:
        if (it->phase != VB_PHASE_OPEN) {
            return REFUSED;
        }
        return g->gaps && next_in_gap(it, byte, level) ? KEPT : OPENED;
    case VB_NODE_OBJECT: return next_in_object(g, it, byte, level);
    case VB_NODE_ARRAY: return next_in_array(g, it, byte, level);
    default: return REFUSED;
    }
}

/* ---- levels ---- */

/* The values that one byte has begun, found by their nodes: hundreds of items may each begin the
 * same hundreds. */
enum { BEGUN_PLACES = 4 * VB_GRAMMAR_LIVE_MAX };

typedef struct begun {
    uint32_t n;
    uint16_t places[BEGUN_PLACES]; /* of items, plus 1; valid once there is one */
} begun;

/* The place of node: where it is, or where it would be. */
static uint16_t *place_of(begun *b, const vb_item *items, uint32_t node) {
    uint32_t p = node % BEGUN_PLACES;
    while (b->places[p] && items[b->places[p] - 1].node != node) {
        p = (p + 1) % BEGUN_PLACES;
    }
    return &b->places[p];
}

/* Begins in items, beside those of b, the values of `slot` that start with byte, for the item
 * `parent` of the level below. False when there are none. */
static bool begin_values(const vb_grammar *g, vb_item *items, begun *b, uint32_t level,
                         uint32_t slot, uint8_t byte, uint32_t parent) {
    if (slot == VB_SLOT_NONE) {
        return false;
    }
    if (!b->n) {
        memset(b->places, 0, sizeof b->places);
    }
    bool any = false;
    const vb_slot *s = &g->slots[slot];
    for (uint32_t a = 0; a < s->n; a++) {
        const uint32_t node = g->alternatives[s->first + a];
        if (!may_begin(&g->nodes[node], byte)) {
            continue;
        }
        uint16_t *place = place_of(b, items, node);
        if (!*place) {
            vb_item it;
            if (!fits(g->nodes[node].height, level) || !begin_value(g, node, byte, &it)) {
                continue;
            }
            VB_ASSERT(b->n < g->live_max);
            items[b->n++] = it;
            *place = (uint16_t)b->n;
        }
        put(items[*place - 1].parents, parent);
        any = true;
    }
    return any;
}

/* Takes the top level away; of the level below only `parents` are left, which now stand after a
 * value. */
static bool end_level(const vb_grammar *g, vb_config *c, const uint64_t *parents) {
    c->end[top_of(c)] = 0;
    c->n_levels--;
    const uint32_t begin = begin_of(c, top_of(c)), end = c->end[top_of(c)];
    uint32_t out = begin;
    for (uint32_t i = begin; i < end; i++) {
        if (has(parents, i - begin)) {
            c->items[out] = c->items[i];
            c->items[out].count += g->nodes[c->items[i].node].kind == VB_NODE_ARRAY;
            c->items[out].key = 0;
            (void)go(&c->items[out++], VB_PHASE_AFTER);
        }
    }
    c->end[top_of(c)] = out;
    return out > begin;
}

static void join(uint64_t *set, const uint64_t *other) {
    for (size_t w = 0; w < VB_SET_WORDS; w++) {
        set[w] |= other[w];
    }
}

static bool step_containers(const vb_grammar *g, vb_config *c, uint8_t byte) {
    const uint32_t level = top_of(c);
    const uint32_t begin = begin_of(c, level), end = c->end[level];
    uint64_t parents[VB_SET_WORDS] = {0};
    uint32_t out = begin;
    begun values;
    values.n = 0;
    bool closed = false;
    for (uint32_t i = begin; i < end; i++) {
        vb_item it = c->items[i];
        switch (next_in_container(g, &it, byte, level)) {
        case REFUSED: continue;
        case KEPT: break;
        case OPENED:
            if (!begin_values(g, &c->items[end], &values, level, next_slot(g, &it), byte,
                              out - begin)) {
                continue;
            }
            (void)go(&it, VB_PHASE_WAIT);
            break;
        case CLOSED:
            join(parents, it.parents);
            closed = true;
            continue;
        }
        c->items[out++] = it;
    }
    if (closed) {
        return end_level(g, c, parents);
    }
    c->end[level] = out;
    if (values.n) {
        memmove(&c->items[out], &c->items[end], values.n * sizeof c->items[0]);
        c->end[level + 1] = out + values.n;
        c->n_levels++;
    }
    return out > begin;
}

/* The waiting items of the scalars of the top level that are whole; false when none is. */
static bool whole_parents(const vb_grammar *g, const vb_config *c, uint64_t *parents) {
    bool any = false;
    for (uint32_t i = begin_of(c, top_of(c)); i < c->end[top_of(c)]; i++) {
        if (scalar_whole(g, &c->items[i])) {
            join(parents, c->items[i].parents);
            any = true;
        }
    }
    return any;
}

/* Whether the top level is scalars. No two kinds of level can begin with the same byte. */
static bool in_scalar(const vb_config *c) {
    return c->items[begin_of(c, top_of(c))].phase == VB_PHASE_SCALAR;
}

bool vb_config_step(const vb_grammar *g, vb_config *c, uint8_t byte) {
    if (in_scalar(c)) {
        const uint32_t begin = begin_of(c, top_of(c));
        uint32_t out = begin;
        for (uint32_t i = begin; i < c->end[top_of(c)]; i++) {
            vb_item it = c->items[i];
            if (next_in_scalar(g, &it, byte)) {
                c->items[out++] = it;
            }
        }
        if (out > begin) {
            c->end[top_of(c)] = out;
            return true;
        }
        /* What is whole ends before a byte that does not belong to it. */
        uint64_t parents[VB_SET_WORDS] = {0};
        if (!whole_parents(g, c, parents) || !end_level(g, c, parents)) {
            return false;
        }
    }
    return step_containers(g, c, byte);
}

bool vb_config_complete(const vb_grammar *g, const vb_config *c) {
    uint64_t parents[VB_SET_WORDS] = {0};
    if (c->n_levels == 1) {
        return c->items[0].phase == VB_PHASE_AFTER;
    }
    return c->n_levels == 2 && in_scalar(c) && whole_parents(g, c, parents);
}

bool vb_config_free_string(const vb_grammar *g, const vb_item *it, vb_free_string *out) {
    const vb_node *n = &g->nodes[it->node];
    if (it->sub != VB_STRING_CLEAN) {
        return false;
    }
    if (n->kind == VB_NODE_STRING) {
        out->least = it->count < n->min ? n->min - it->count : 0;
        out->most = n->max == VB_COUNT_ANY ? VB_COUNT_ANY : n->max - it->count;
        out->escapes = true;
        out->names = false;
        return true;
    }
    *out = (vb_free_string){0, VB_COUNT_ANY, false, it->low < it->high};
    return n->kind == VB_NODE_OBJECT && it->phase == VB_PHASE_KEY;
}

void vb_config_listed_names(vb_config *c) {
    for (uint32_t i = begin_of(c, top_of(c)); i < c->end[top_of(c)]; i++) {
        c->items[i].sub = VB_STRING_DEAD;
    }
}

void vb_config_close_strings(const vb_grammar *g, vb_config *c) {
    for (uint32_t i = begin_of(c, top_of(c)); i < c->end[top_of(c)]; i++) {
        vb_item *it = &c->items[i];
        const vb_node *n = &g->nodes[it->node];
        if (n->kind == VB_NODE_OBJECT) {
            it->low = it->high = it->len = 0; /* its name is no listed one */
        } else if (it->count < n->min) {
            it->count = n->min;
        }
    }
    const bool closed = vb_config_step(g, c, '"');
    VB_ASSERT(closed);
}
