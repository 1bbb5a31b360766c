#include "grammar/vocabulary.h"

#include <stdlib.h>
#include <string.h>

#include "grammar/scalar.h"

typedef struct sortable {
    const uint8_t *p;
    uint32_t len;
    uint32_t id;
} sortable;

static int compare(const void *pa, const void *pb) {
    const sortable *a = pa, *b = pb;
    const int c = memcmp(a->p, b->p, a->len < b->len ? a->len : b->len);
    if (c) {
        return c;
    }
    if (a->len != b->len) {
        return a->len > b->len ? 1 : -1;
    }
    return a->id > b->id ? 1 : -1;
}

static vb_err out_of_memory(vb_error *e) {
    return vb_fail(e, VB_ENOMEM, "no memory to index the vocabulary");
}

/* The bytes of all tokens, one after the other; those of tokens that add no text are none. */
static vb_err spell(vb_vocabulary *v, const vb_tokenizer *t, vb_error *e) {
    vb_buf buf = vb_buf_make(UINT32_MAX);
    vb_err err = VB_OK;
    v->at = malloc((v->n_tokens + 1) * sizeof *v->at);
    v->ends = malloc((v->n_tokens ? v->n_tokens : 1) * sizeof *v->ends);
    if (!v->at || !v->ends) {
        return out_of_memory(e);
    }
    for (uint32_t id = 0; id < v->n_tokens && !err; id++) {
        v->at[id] = (uint32_t)buf.len;
        if (vb_tokenizer_is_eog(t, id)) {
            v->ends[v->n_ends++] = id;
        } else {
            err = vb_tokenizer_decode(t, &id, 1, false, false, &buf, e);
        }
    }
    v->at[v->n_tokens] = (uint32_t)buf.len;
    v->bytes = buf.data;
    return err;
}

/* Whether the text ends inside a character of UTF-8. */
static bool ends_inside(const uint8_t *p, uint32_t len) {
    for (uint32_t n = 1; n <= 3 && n <= len; n++) {
        const uint8_t byte = p[len - n];
        if (byte >= 0xc0) {
            return n < (byte < 0xe0 ? 2u : byte < 0xf0 ? 3u : 4u);
        }
        if (byte < 0x80) {
            return false;
        }
    }
    return false;
}

/* Tokens that the tree holds, in the order of their bytes. */
static vb_err sort_tokens(vb_vocabulary *v, sortable **out, vb_error *e) {
    sortable *s = malloc((v->n_tokens ? v->n_tokens : 1) * sizeof *s);
    v->ids = malloc((v->n_tokens ? v->n_tokens : 1) * sizeof *v->ids);
    if (!s || !v->ids) {
        free(s);
        return out_of_memory(e);
    }
    for (uint32_t id = 0; id < v->n_tokens; id++) {
        const uint32_t len = v->at[id + 1] - v->at[id];
        if (len >= 1 && len <= VB_GRAMMAR_TOKEN_BYTES_MAX) {
            s[v->n_ids++] = (sortable){v->bytes + v->at[id], len, id};
        }
    }
    qsort(s, v->n_ids, sizeof *s, compare);
    for (size_t i = 0; i < v->n_ids; i++) {
        v->ids[i] = s[i].id;
        v->single[s[i].p[0]] |= s[i].len == 1;
        v->splits |= ends_inside(s[i].p, s[i].len);
    }
    *out = s;
    return VB_OK;
}

static uint32_t common(const sortable *a, const sortable *b) {
    const uint32_t n = a->len < b->len ? a->len : b->len;
    uint32_t i = 0;
    while (i < n && a->p[i] == b->p[i]) {
        i++;
    }
    return i;
}

/* A node for each byte of each token that the token before does not have. */
static vb_err grow_tree(vb_vocabulary *v, const sortable *s, vb_error *e) {
    size_t n = 0;
    for (size_t i = 0; i < v->n_ids; i++) {
        n += s[i].len - (i ? common(&s[i - 1], &s[i]) : 0);
    }
    v->nodes = malloc((n + 1) * sizeof *v->nodes);
    if (!v->nodes) {
        return out_of_memory(e);
    }
    for (size_t i = 0; i < v->n_ids; i++) {
        for (uint32_t d = i ? common(&s[i - 1], &s[i]) : 0; d < s[i].len; d++) {
            v->nodes[v->n_nodes++] =
                (vb_tree_node){.token = (uint32_t)i, .depth = (uint16_t)(d + 1), .byte = s[i].p[d]};
        }
    }
    v->nodes[n] = (vb_tree_node){.skip = (uint32_t)n, .token = (uint32_t)v->n_ids};
    uint32_t open[VB_GRAMMAR_TOKEN_BYTES_MAX + 1];
    size_t n_open = 0;
    for (uint32_t i = 0; i <= v->n_nodes; i++) {
        while (n_open && v->nodes[open[n_open - 1]].depth >= v->nodes[i].depth) {
            v->nodes[open[--n_open]].skip = i;
        }
        open[n_open++] = i;
    }
    return VB_OK;
}

/* What a walk from inside a string meets at each depth. */
typedef struct inside {
    vb_string_state state;
    uint16_t characters;
    bool escapes;
} inside;

static void add_inner(vb_vocabulary *v, uint32_t node, const inside *at) {
    for (uint32_t t = v->nodes[node].token; t < v->nodes[node + 1].token; t++) {
        const uint32_t id = v->ids[t];
        v->inner[v->n_inner++] = (vb_inner_token){id, at->characters, at->escapes};
        v->inner_bits[id / 64] |= (uint64_t)1 << id % 64;
    }
    if (at->characters > v->inner_characters_max) {
        v->inner_characters_max = at->characters;
    }
}

static void walk_string(vb_vocabulary *v, inside *stack) {
    stack[0] = (inside){VB_STRING_CLEAN, 0, false};
    for (uint32_t i = 0; i < v->n_nodes;) {
        const vb_tree_node *n = &v->nodes[i];
        inside at = stack[n->depth - 1];
        const bool between = at.state == VB_STRING_CLEAN;
        at.state = vb_string_next(at.state, n->byte);
        if (at.state == VB_STRING_CLOSED) {
            v->exits[v->n_exits++] = (vb_exit){i, at.characters, at.escapes};
        }
        if (at.state == VB_STRING_CLOSED || at.state == VB_STRING_DEAD) {
            i = n->skip;
            continue;
        }
        at.characters = (uint16_t)(at.characters + between);
        at.escapes |= n->byte == '\\';
        add_inner(v, i, &at);
        stack[n->depth] = at;
        i++;
    }
}

static vb_err look_inside_strings(vb_vocabulary *v, vb_error *e) {
    inside *stack = malloc((VB_GRAMMAR_TOKEN_BYTES_MAX + 1) * sizeof *stack);
    size_t n_quotes = 0;
    for (size_t i = 0; i < v->n_nodes; i++) {
        n_quotes += v->nodes[i].byte == '"';
    }
    v->inner = malloc((v->n_ids ? v->n_ids : 1) * sizeof *v->inner);
    v->inner_bits = calloc(v->n_tokens / 64 + 1, sizeof *v->inner_bits);
    v->exits = malloc((n_quotes ? n_quotes : 1) * sizeof *v->exits);
    vb_err err = VB_OK;
    if (stack && v->inner && v->inner_bits && v->exits) {
        walk_string(v, stack);
    } else {
        err = out_of_memory(e);
    }
    free(stack);
    return err;
}

vb_err vb_vocabulary_open(const vb_tokenizer *t, vb_vocabulary **out, vb_error *e) {
    vb_vocabulary *v = calloc(1, sizeof *v);
    if (!v) {
        return out_of_memory(e);
    }
    v->n_tokens = vb_tokenizer_size(t);
    sortable *s = NULL;
    vb_err err;
    if ((err = spell(v, t, e)) || (err = sort_tokens(v, &s, e)) || (err = grow_tree(v, s, e)) ||
        (err = look_inside_strings(v, e))) {
        free(s);
        vb_vocabulary_close(v);
        return err;
    }
    free(s);
    *out = v;
    return VB_OK;
}

void vb_vocabulary_close(vb_vocabulary *v) {
    if (v) {
        free(v->nodes);
        free(v->ids);
        free(v->ends);
        free(v->inner);
        free(v->inner_bits);
        free(v->exits);
        free(v->bytes);
        free(v->at);
        free(v);
    }
}

size_t vb_vocabulary_size(const vb_vocabulary *v) {
    return v->n_tokens;
}

bool vb_vocabulary_is_single_byte(const vb_vocabulary *v, uint32_t token) {
    return token < v->n_tokens && v->at[token + 1] - v->at[token] == 1;
}

bool vb_vocabulary_is_end(const vb_vocabulary *v, uint32_t token) {
    size_t low = 0, high = v->n_ends;
    while (low < high) {
        const size_t mid = low + (high - low) / 2;
        if (v->ends[mid] == token) {
            return true;
        }
        low = v->ends[mid] < token ? mid + 1 : low;
        high = v->ends[mid] < token ? high : mid;
    }
    return false;
}

uint32_t vb_vocabulary_find(const vb_vocabulary *v, const uint8_t *bytes, size_t n) {
    uint32_t i = 0, end = (uint32_t)v->n_nodes;
    for (size_t k = 0; k < n; k++) {
        while (i < end && v->nodes[i].byte != bytes[k]) {
            i = v->nodes[i].skip;
        }
        if (i >= end) {
            return (uint32_t)v->n_nodes;
        }
        if (k + 1 < n) {
            end = v->nodes[i].skip;
            i++;
        }
    }
    return i;
}
