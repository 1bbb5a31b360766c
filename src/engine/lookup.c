#include "engine/lookup.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
    GRAMS = 5,
    WAYS = 8,        /* entries of a set: a cache line */
    SETS_MAX = 4096, /* for each length of n-gram: 256 KiB */
    /* Occasions without a trial where no row is worth it: doubled by each one in vain. */
    WAIT_MIN = 8,
    WAIT_MAX = 64
};

/* Of the chance that a draft's next token is drawn: at first, and the weight of the newest try. */
#define CHANCE_AT_FIRST 0.5
#define CHANCE_STEP 0.25

/* Of n-grams. What follows a long one is seldom wrong, so that its drafts are long. */
static const size_t lengths[GRAMS] = {2, 3, 4, 8, 16};

typedef struct entry {
    uint32_t tag; /* part of the n-gram's hash */
    uint32_t end; /* index of the token behind its last occurrence; 0: the entry is free */
} entry;

typedef struct set {
    entry ways[WAYS];
} set;

/* How the drafts behind n-grams of one length fared. */
typedef struct record {
    double chance;
    size_t wait, waited; /* occasions between trials; since the last one */
} record;

struct vb_lookup {
    size_t tokens_max, n_tokens;
    uint32_t *tokens;
    size_t n_sets; /* of each length; a power of two */
    set *sets;     /* [GRAMS][n_sets] */
    /* Where the newest n-gram of each length ended when it occurred last; 0: it is new. */
    uint32_t before[GRAMS];
    record records[GRAMS];
    size_t drafted_by; /* which of them the last draft is of */
    size_t n_drafted;
};

vb_err vb_lookup_open(size_t tokens_max, vb_lookup **out, vb_error *e) {
    vb_lookup *l = calloc(1, sizeof *l);
    if (l) {
        l->tokens_max = tokens_max;
        l->n_sets = 1;
        while (l->n_sets < SETS_MAX && l->n_sets * WAYS / 2 < tokens_max) {
            l->n_sets *= 2;
        }
        l->tokens = calloc(tokens_max, sizeof *l->tokens);
        l->sets = calloc(GRAMS * l->n_sets, sizeof *l->sets);
    }
    if (!l || !l->tokens || !l->sets) {
        vb_lookup_close(l);
        return vb_fail(e, VB_ENOMEM, "no memory to look up drafts in %zu tokens", tokens_max);
    }
    for (size_t i = 0; i < GRAMS; i++) {
        l->records[i] = (record){.chance = CHANCE_AT_FIRST, .wait = WAIT_MIN};
    }
    *out = l;
    return VB_OK;
}

void vb_lookup_close(vb_lookup *l) {
    if (l) {
        free(l->tokens);
        free(l->sets);
        free(l);
    }
}

size_t vb_lookup_length(const vb_lookup *l) {
    return l->n_tokens;
}

/* ---- the index ---- */

static uint64_t hash_of(const uint32_t *gram, size_t n) {
    uint64_t h = n;
    for (size_t i = 0; i < n; i++) {
        h = (h ^ gram[i]) * 0x9e3779b97f4a7c15u;
        h ^= h >> 29;
    }
    return h;
}

/* Notes that the newest n-gram of a length ends here; returns where they ended before, or 0. Of a
 * full set the n-gram that occurred longest ago is forgotten. */
static uint32_t note(vb_lookup *l, size_t g) {
    const size_t n = lengths[g];
    const uint32_t *gram = l->tokens + l->n_tokens - n;
    const uint64_t h = hash_of(gram, n);
    entry *ways = l->sets[g * l->n_sets + (h & (l->n_sets - 1))].ways;
    entry *oldest = &ways[0];
    const uint32_t tag = (uint32_t)(h >> 32);
    uint32_t before = 0;
    for (size_t i = 0; i < WAYS; i++) {
        if (ways[i].end && ways[i].tag == tag &&
            memcmp(l->tokens + ways[i].end - n, gram, n * sizeof *gram) == 0) {
            before = ways[i].end;
            oldest = &ways[i];
            break;
        }
        oldest = ways[i].end < oldest->end ? &ways[i] : oldest;
    }
    *oldest = (entry){tag, (uint32_t)l->n_tokens};
    return before;
}

void vb_lookup_add(vb_lookup *l, const uint32_t *tokens, size_t n) {
    VB_ASSERT(n <= l->tokens_max - l->n_tokens);
    for (size_t i = 0; i < n; i++) {
        l->tokens[l->n_tokens++] = tokens[i];
        for (size_t g = 0; g < GRAMS && l->n_tokens >= lengths[g]; g++) {
            l->before[g] = note(l, g);
        }
    }
    l->n_drafted = 0;
}

/* The longest n-gram that occurred before: which of the lengths, GRAMS: none did. */
static size_t longest(const vb_lookup *l) {
    size_t g = GRAMS;
    while (g > 0 && !l->before[g - 1]) {
        g--;
    }
    return g ? g - 1 : GRAMS;
}

size_t vb_lookup_guess(const vb_lookup *l, size_t n, uint32_t *out) {
    const size_t g = longest(l);
    if (g == GRAMS) {
        return 0;
    }
    const uint32_t *from = l->tokens + l->before[g];
    const size_t there = l->n_tokens - l->before[g];
    for (size_t i = 0; i < n; i++) {
        out[i] = i < there ? from[i] : out[i - there];
    }
    return lengths[g];
}

/* ---- how much of a draft ---- */

/* The weights of a small model stay in the processor's caches; those of others are read anew by
 * each pass. With AVX-512 some rows' arithmetic fits into the time of reading, up to 8 rows keep
 * the weights in registers, and more are halved. Narrower tiers are bound by arithmetic from the
 * second row on; with cached weights they gain only what is not arithmetic, as the scalar tier
 * does. */
enum { CACHED_BYTES = 48 << 20 };

static const double costs_read[VB_LOOKUP_ROWS_MAX + 1] = {
    0, 1, 1.15, 1.2, 1.4, 1.6, 1.75, 2.0, 2.25, 2.6, 2.85, 3.1, 3.4, 3.65, 3.95, 4.2, 4.4};
static const double costs_cached[VB_LOOKUP_ROWS_MAX + 1] = {
    0, 1, 1.4, 1.85, 2.45, 3.0, 3.5, 4.1, 4.7, 5.2, 5.8, 6.3, 6.9, 7.45, 8.05, 8.6, 9.1};
static const double costs_read_narrow[VB_LOOKUP_ROWS_MAX + 1] = {
    0, 1, 1.4, 2.1, 2.8, 3.4, 4.0, 4.7, 5.4, 6.0, 6.7, 7.3, 8.0, 8.7, 9.3, 9.9, 10.6};
static const double costs_arithmetic[VB_LOOKUP_ROWS_MAX + 1] = {
    0, 1, 1.7, 2.45, 3.2, 4.0, 4.7, 5.45, 6.15, 6.9, 7.65, 8.35, 9.05, 9.8, 10.5, 11.2, 12.0};

const double *vb_lookup_costs(uint64_t decode_bytes, const char *tier) {
    const bool cached = decode_bytes <= CACHED_BYTES;
    if (strcmp(tier, "avx512vnni") == 0) {
        return cached ? costs_cached : costs_read;
    }
    return cached || strcmp(tier, "scalar") == 0 ? costs_arithmetic : costs_read_narrow;
}

/* The length, up to n_max, that gives most tokens for the pass's time; chance: of each token, when
 * all before it were drawn. */
static size_t best_length(const vb_lookup_pass *p, size_t n_max, double chance) {
    double best = p->n_tokens / p->costs[p->n_rows], tokens = p->n_tokens, all = 1;
    size_t n = 0;
    for (size_t i = 1; i <= n_max; i++) {
        all *= chance;
        tokens += all;
        const double rate = tokens / p->costs[p->n_rows + i];
        if (rate > best) {
            best = rate;
            n = i;
        }
    }
    return n;
}

size_t vb_lookup_draft(vb_lookup *l, size_t n_max, vb_lookup_pass *pass, uint32_t *out) {
    VB_ASSERT(n_max <= VB_LOOKUP_DRAFT_MAX && pass->n_rows >= 1);
    const size_t room = pass->n_rows < VB_LOOKUP_ROWS_MAX ? VB_LOOKUP_ROWS_MAX - pass->n_rows : 0;
    n_max = n_max < room ? n_max : room;
    l->n_drafted = 0;
    if (n_max == 0 || vb_lookup_guess(l, n_max, out) == 0) {
        return 0;
    }
    l->drafted_by = longest(l);
    record *r = &l->records[l->drafted_by];
    size_t n = best_length(pass, n_max, r->chance);
    if (n == 0 && ++r->waited >= r->wait) {
        n = 1;
    }
    double all = 1;
    for (size_t i = 0; i < n; i++) {
        all *= r->chance;
        pass->n_tokens += all;
    }
    pass->n_rows += n;
    l->n_drafted = n;
    return n;
}

void vb_lookup_learn(vb_lookup *l, size_t n_right) {
    record *r = &l->records[l->drafted_by];
    VB_ASSERT(n_right <= l->n_drafted);
    if (l->n_drafted == 0) {
        return;
    }
    for (size_t i = 0; i < n_right; i++) {
        r->chance += CHANCE_STEP * (1 - r->chance);
    }
    if (n_right < l->n_drafted) {
        r->chance -= CHANCE_STEP * r->chance;
    }
    r->waited = 0;
    r->wait = n_right ? WAIT_MIN : r->wait * 2 < WAIT_MAX ? r->wait * 2 : WAIT_MAX;
    l->n_drafted = 0;
}
