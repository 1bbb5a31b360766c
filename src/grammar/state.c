/*
 * Masks: every token's bytes through the automaton. A scan of the vocabulary's tree shares the
 * work of common beginnings and skips what is refused; inside a string, where little is refused,
 * all that stays in the string is known beforehand, and only what follows a closing quote is
 * walked. Masks of the last states are kept, because most tokens of a text leave the state as it
 * was.
 */
#include <stdlib.h>
#include <string.h>

#include "grammar/automaton.h"
#include "grammar/vocabulary.h"

typedef struct kept_mask {
    uint64_t hash;
    uint64_t used; /* when */
    uint8_t *key;  /* the state's bytes */
    size_t n_key, cap_key;
    uint64_t *bits; /* of the vocabulary; NULL: none is kept here */
} kept_mask;

struct vb_grammar_state {
    const vb_grammar *g;
    const vb_vocabulary *v;
    vb_config *c;
    vb_config *spare;
    uint8_t *stack; /* configurations of a walk, one after the other */
    size_t cap_stack;
    size_t *at; /* [VB_GRAMMAR_TOKEN_BYTES_MAX + 1]: where each begins */
    uint64_t clock;
    kept_mask kept[VB_GRAMMAR_MASKS_MAX];
};

static size_t mask_words(const vb_vocabulary *v) {
    return (v->n_tokens + 63) / 64;
}

static void set_bit(uint64_t *bits, uint32_t id) {
    bits[id / 64] |= (uint64_t)1 << id % 64;
}

/* ---- opening ---- */

static vb_err check_byte(const vb_vocabulary *v, unsigned byte, vb_error *e) {
    return v->single[byte]
               ? VB_OK
               : vb_fail(e, VB_EUNSUPPORTED,
                         "constraint: the vocabulary has no token of the single byte 0x%02x, so "
                         "that a text could be left without an end",
                         byte);
}

/* Section 6: that some token is always allowed rests on these. */
static vb_err check_vocabulary(const vb_grammar *g, const vb_vocabulary *v, vb_error *e) {
    if (!v->n_ends) {
        return vb_fail(e, VB_EUNSUPPORTED,
                       "constraint: the vocabulary has no end-of-generation token");
    }
    vb_err err = VB_OK;
    for (unsigned byte = 0x20; byte < 0x7f && g->gaps && !err; byte++) {
        err = check_byte(v, byte, e);
    }
    for (unsigned byte = 0x80; byte < 0xc0 && v->splits && !err; byte++) {
        err = check_byte(v, byte, e);
    }
    for (size_t i = 0; i < g->n_literals && !err; i++) {
        for (uint32_t k = 0; k < g->literals[i].len && !err; k++) {
            err = check_byte(v, g->bytes[g->literals[i].at + k], e);
        }
    }
    return err;
}

vb_err vb_grammar_state_open(const vb_grammar *g, const vb_vocabulary *v, vb_grammar_state **out,
                             vb_error *e) {
    vb_err err = check_vocabulary(g, v, e);
    if (err) {
        return err;
    }
    vb_grammar_state *s = calloc(1, sizeof *s);
    if (s) {
        s->g = g;
        s->v = v;
        s->c = malloc(vb_config_bytes_max(g));
        s->spare = malloc(vb_config_bytes_max(g));
        s->at = malloc((VB_GRAMMAR_TOKEN_BYTES_MAX + 1) * sizeof *s->at);
    }
    if (!s || !s->c || !s->spare || !s->at) {
        vb_grammar_state_close(s);
        return vb_fail(e, VB_ENOMEM, "no memory for the state of a constraint");
    }
    vb_config_begin(s->c);
    *out = s;
    return VB_OK;
}

void vb_grammar_state_close(vb_grammar_state *s) {
    if (s) {
        for (size_t i = 0; i < VB_GRAMMAR_MASKS_MAX; i++) {
            free(s->kept[i].key);
            free(s->kept[i].bits);
        }
        free(s->c);
        free(s->spare);
        free(s->stack);
        free(s->at);
        free(s);
    }
}

void vb_grammar_state_copy(vb_grammar_state *to, const vb_grammar_state *from) {
    VB_ASSERT(to->g == from->g && to->v == from->v);
    memcpy(to->c, from->c, vb_config_bytes(from->c));
}

const void *vb_grammar_state_bytes(const vb_grammar_state *s, size_t *n_bytes) {
    *n_bytes = vb_config_bytes(s->c);
    return s->c;
}

bool vb_grammar_complete(const vb_grammar_state *s) {
    return vb_config_complete(s->g, s->c);
}

bool vb_grammar_feed(vb_grammar_state *s, const void *bytes, size_t n) {
    memcpy(s->spare, s->c, vb_config_bytes(s->c));
    for (size_t i = 0; i < n; i++) {
        if (!vb_config_step(s->g, s->spare, ((const uint8_t *)bytes)[i])) {
            return false;
        }
    }
    vb_config *c = s->c;
    s->c = s->spare;
    s->spare = c;
    return true;
}

vb_err vb_grammar_accept(vb_grammar_state *s, uint32_t token, vb_error *e) {
    const vb_vocabulary *v = s->v;
    bool allowed = false;
    if (token < v->n_tokens) {
        const size_t n = v->at[token + 1] - v->at[token];
        allowed = vb_vocabulary_is_end(v, token)
                      ? vb_grammar_complete(s)
                      : n >= 1 && n <= VB_GRAMMAR_TOKEN_BYTES_MAX &&
                            vb_grammar_feed(s, v->bytes + v->at[token], n);
    }
    return allowed
               ? VB_OK
               : vb_fail(e, VB_EMISMATCH,
                         "token %u does not continue the text as the constraint demands", token);
}

/* ---- the walk ---- */

/* Room at the end of the stack for what a step makes of a configuration of n_bytes. */
static vb_err make_room(vb_grammar_state *s, size_t at, size_t n_bytes, vb_error *e) {
    const size_t need = at + n_bytes + s->g->live_max * sizeof(vb_item);
    if (need <= s->cap_stack) {
        return VB_OK;
    }
    const size_t cap = need * 2;
    uint8_t *grown = realloc(s->stack, cap);
    if (!grown) {
        return vb_fail(e, VB_ENOMEM, "no memory to try the tokens of a constraint");
    }
    s->stack = grown;
    s->cap_stack = cap;
    return VB_OK;
}

static vb_config *stack_at(const vb_grammar_state *s, size_t depth) {
    return (vb_config *)(void *)(s->stack + s->at[depth]);
}

static void allow_node(const vb_vocabulary *v, uint32_t node, uint64_t *bits) {
    for (uint32_t t = v->nodes[node].token; t < v->nodes[node + 1].token; t++) {
        set_bit(bits, v->ids[t]);
    }
}

/* Allows the tokens among the nodes begin .. end - 1 whose bytes after the first `depth` can follow
 * `from`. */
static vb_err walk(vb_grammar_state *s, const vb_config *from, uint32_t begin, uint32_t end,
                   unsigned depth, uint64_t *bits, vb_error *e) {
    const vb_vocabulary *v = s->v;
    const size_t n_from = vb_config_bytes(from);
    vb_err err = make_room(s, 0, n_from, e);
    if (err) {
        return err;
    }
    s->at[0] = 0;
    memcpy(s->stack, from, n_from);
    for (uint32_t i = begin; i < end;) {
        const vb_tree_node *node = &v->nodes[i];
        const size_t d = node->depth - depth;
        const size_t n = vb_config_bytes(stack_at(s, d - 1));
        s->at[d] = s->at[d - 1] + n;
        if ((err = make_room(s, s->at[d], n, e))) {
            return err;
        }
        vb_config *c = stack_at(s, d);
        memcpy(c, stack_at(s, d - 1), n);
        if (vb_config_step(s->g, c, node->byte)) {
            allow_node(v, i, bits);
            i++;
        } else {
            i = node->skip;
        }
    }
    return VB_OK;
}

/* ---- free strings ---- */

/* Where one of the names that are still possible ends, which as a free string it may not. */
typedef struct listed_end {
    uint32_t node, item;
} listed_end;

/* The items of the top level that may go on with any characters. A constraint may have hundreds of
 * them: the vocabulary is looked through once for all. */
typedef struct free_items {
    uint64_t names[VB_SET_WORDS];
    uint32_t n;
    uint32_t item[VB_GRAMMAR_LIVE_MAX];
    vb_free_string string[VB_GRAMMAR_LIVE_MAX];
    listed_end *ends; /* by nodes */
    size_t n_ends;
} free_items;

static void put(uint64_t set[VB_SET_WORDS], uint32_t item) {
    set[item / 64] |= (uint64_t)1 << item % 64;
}

static bool is_empty(const uint64_t set[VB_SET_WORDS]) {
    static const uint64_t none[VB_SET_WORDS];
    return memcmp(set, none, sizeof none) == 0;
}

/* In s->spare the state with nothing but these items of the top level. */
static void keep_items(vb_grammar_state *s, const uint64_t set[VB_SET_WORDS]) {
    memcpy(s->spare, s->c, vb_config_bytes(s->c));
    vb_config_keep(s->spare, set);
}

static int compare_ends(const void *pa, const void *pb) {
    const listed_end *a = pa, *b = pb;
    return (a->node > b->node) - (a->node < b->node);
}

static vb_err find_ends(const vb_grammar_state *s, free_items *f, vb_error *e) {
    size_t n = 0, n_top;
    const vb_item *top = vb_config_top(s->c, &n_top);
    for (uint32_t i = 0; i < f->n; i++) {
        n += f->string[i].names ? top[f->item[i]].high - top[f->item[i]].low : 0;
    }
    if (!n) {
        return VB_OK;
    }
    if (!(f->ends = malloc(n * sizeof *f->ends))) {
        return vb_fail(e, VB_ENOMEM, "no memory for the names of a constraint");
    }
    for (uint32_t i = 0; i < f->n; i++) {
        const vb_item *it = &top[f->item[i]];
        for (uint32_t t = it->low; f->string[i].names && t < it->high; t++) {
            const vb_literal name = s->g->literals[t];
            f->ends[f->n_ends++] = (listed_end){
                vb_vocabulary_find(s->v, s->g->bytes + name.at + it->len, name.len - it->len),
                f->item[i]};
        }
    }
    qsort(f->ends, n, sizeof *f->ends, compare_ends);
    return VB_OK;
}

/* What is not free is in others. */
static vb_err find_free(const vb_grammar_state *s, free_items *f, uint64_t others[VB_SET_WORDS],
                        vb_error *e) {
    size_t n;
    const vb_item *top = vb_config_top(s->c, &n);
    for (uint32_t i = 0; i < n; i++) {
        vb_free_string *string = &f->string[f->n];
        if (!vb_config_free_string(s->g, &top[i], string)) {
            put(others, i);
            continue;
        }
        f->item[f->n++] = i;
        if (string->names) {
            put(f->names, i);
        }
    }
    return find_ends(s, f, e);
}

/* Allows what stays inside one of the strings. */
static void allow_inner(const vb_vocabulary *v, const free_items *f, uint64_t *bits) {
    int64_t most[2] = {-1, -1}; /* characters: of a token without escapes, and of one with them */
    for (uint32_t i = 0; i < f->n; i++) {
        for (int escapes = 0; escapes <= f->string[i].escapes; escapes++) {
            most[escapes] =
                f->string[i].most > most[escapes] ? (int64_t)f->string[i].most : most[escapes];
        }
    }
    if (most[1] >= v->inner_characters_max) {
        for (size_t w = 0; w < mask_words(v); w++) {
            bits[w] |= v->inner_bits[w];
        }
        return;
    }
    for (size_t i = 0; i < v->n_inner; i++) {
        const vb_inner_token *t = &v->inner[i];
        if (t->characters <= most[t->escapes]) {
            set_bit(bits, t->id);
        }
    }
}

/* The items whose string the exit may close. A name that ends there as a listed one is not free. */
static void who_may_exit(const free_items *f, const vb_exit *x, uint64_t set[VB_SET_WORDS]) {
    memset(set, 0, VB_SET_WORDS * sizeof *set);
    for (uint32_t i = 0; i < f->n; i++) {
        const vb_free_string *string = &f->string[i];
        if (x->characters >= string->least && x->characters <= string->most &&
            (string->escapes || !x->escapes)) {
            put(set, f->item[i]);
        }
    }
    size_t low = 0, high = f->n_ends;
    while (low < high) {
        const size_t mid = low + (high - low) / 2;
        low = f->ends[mid].node < x->node ? mid + 1 : low;
        high = f->ends[mid].node < x->node ? high : mid;
    }
    for (; low < f->n_ends && f->ends[low].node == x->node; low++) {
        set[f->ends[low].item / 64] &= ~((uint64_t)1 << f->ends[low].item % 64);
    }
}

/* Allows the tokens that close one of the strings, and what of them comes after. */
static vb_err walk_exits(vb_grammar_state *s, const free_items *f, uint64_t *bits, vb_error *e) {
    const vb_vocabulary *v = s->v;
    uint64_t closed[VB_SET_WORDS] = {0}; /* in s->spare */
    vb_err err = VB_OK;
    for (size_t i = 0; i < v->n_exits && !err; i++) {
        const vb_exit *x = &v->exits[i];
        uint64_t set[VB_SET_WORDS];
        who_may_exit(f, x, set);
        if (is_empty(set)) {
            continue;
        }
        if (memcmp(set, closed, sizeof set) != 0) {
            keep_items(s, set);
            vb_config_close_strings(s->g, s->spare);
            memcpy(closed, set, sizeof set);
        }
        const vb_tree_node *node = &v->nodes[x->node];
        allow_node(v, x->node, bits);
        err = walk(s, s->spare, x->node + 1, node->skip, node->depth, bits, e);
    }
    return err;
}

/* The items of the top level are alternatives: what any of them allows is allowed. A name is two of
 * them, a listed one and a free string. */
static vb_err make_mask(vb_grammar_state *s, uint64_t *bits, vb_error *e) {
    const vb_vocabulary *v = s->v;
    memset(bits, 0, mask_words(v) * sizeof *bits);
    free_items f = {.n = 0};
    uint64_t others[VB_SET_WORDS] = {0};
    vb_err err = find_free(s, &f, others, e);
    if (!err && f.n) {
        allow_inner(v, &f, bits);
        err = walk_exits(s, &f, bits, e);
    }
    free(f.ends);
    if (!err && !is_empty(f.names)) {
        keep_items(s, f.names);
        vb_config_listed_names(s->spare);
        err = walk(s, s->spare, 0, (uint32_t)v->n_nodes, 0, bits, e);
    }
    if (!err && !is_empty(others)) {
        keep_items(s, others);
        err = walk(s, s->spare, 0, (uint32_t)v->n_nodes, 0, bits, e);
    }
    for (size_t i = 0; !err && i < v->n_ends && vb_grammar_complete(s); i++) {
        set_bit(bits, v->ends[i]);
    }
    return err;
}

/* ---- masks that are kept ---- */

static uint64_t hash_of(const void *bytes, size_t n) {
    uint64_t h = n;
    for (size_t i = 0; i < n; i += 8) {
        uint64_t word;
        memcpy(&word, (const uint8_t *)bytes + i, sizeof word);
        h = (h ^ word) * 0xbf58476d1ce4e5b9u;
        h ^= h >> 31;
    }
    return h;
}

/* The kept mask of this state, or the one that was used longest ago. */
static kept_mask *find_kept(vb_grammar_state *s, uint64_t hash, size_t n_key, bool *found) {
    kept_mask *oldest = &s->kept[0];
    for (size_t i = 0; i < VB_GRAMMAR_MASKS_MAX; i++) {
        kept_mask *k = &s->kept[i];
        if (k->used && k->hash == hash && k->n_key == n_key && memcmp(k->key, s->c, n_key) == 0) {
            *found = true;
            return k;
        }
        oldest = k->used < oldest->used ? k : oldest;
    }
    *found = false;
    return oldest;
}

static vb_err refill(vb_grammar_state *s, kept_mask *k, uint64_t hash, size_t n_key, vb_error *e) {
    k->used = 0;
    if (!k->bits) {
        k->bits = malloc(mask_words(s->v) * sizeof *k->bits);
    }
    if (k->cap_key < n_key) {
        free(k->key);
        k->key = malloc(n_key);
        k->cap_key = k->key ? n_key : 0;
    }
    if (!k->bits || !k->key) {
        return vb_fail(e, VB_ENOMEM, "no memory for the mask of a constraint");
    }
    vb_err err = make_mask(s, k->bits, e);
    if (!err) {
        k->hash = hash;
        k->n_key = n_key;
        memcpy(k->key, s->c, n_key);
    }
    return err;
}

vb_err vb_grammar_mask(vb_grammar_state *s, size_t n_tokens, uint64_t *bits, vb_error *e) {
    VB_ASSERT(n_tokens >= s->v->n_tokens);
    const size_t n_key = vb_config_bytes(s->c);
    const uint64_t hash = hash_of(s->c, n_key);
    bool found;
    kept_mask *k = find_kept(s, hash, n_key, &found);
    vb_err err = found ? VB_OK : refill(s, k, hash, n_key, e);
    if (err) {
        return err;
    }
    k->used = ++s->clock;
    memset(bits, 0, (n_tokens + 63) / 64 * sizeof *bits);
    memcpy(bits, k->bits, mask_words(s->v) * sizeof *bits);
    return VB_OK;
}
