/*
 * Special tokens are found whole, before anything else sees the text: at each position the
 * longest one that begins there, then on after its end (leftmost-longest, as the published
 * tokenizers do it; the same as taking the longest tokens first unless two overlap).
 */
#include <stdlib.h>
#include <string.h>

#include "tokenizer/internal.h"

/* qsort has no context argument: it sorts the texts, each with its id. */
typedef struct special_key {
    vb_str text;
    uint32_t id;
} special_key;

static int compare_keys(const void *pa, const void *pb) {
    const special_key *a = pa, *b = pb;
    size_t n = a->text.len < b->text.len ? a->text.len : b->text.len;
    int c = memcmp(a->text.p, b->text.p, n);
    if (c) {
        return c;
    }
    return a->text.len < b->text.len ? -1 : a->text.len > b->text.len;
}

static bool is_special(const vb_tokenizer *t, uint32_t id) {
    uint8_t kind = t->kinds[id];
    return (kind == VB_TOKEN_CONTROL || kind == VB_TOKEN_USER_DEFINED ||
            kind == VB_TOKEN_UNKNOWN) &&
           t->texts[id].len;
}

vb_err vb_special_make(vb_tokenizer *t, vb_error *e) {
    special_key *keys = malloc(t->n * sizeof *keys);
    t->specials.ids = malloc(t->n * sizeof *t->specials.ids);
    if (!keys || !t->specials.ids) {
        free(keys);
        return vb_fail(e, VB_ENOMEM, "no memory for the special tokens");
    }
    uint32_t n = 0;
    for (uint32_t i = 0; i < t->n; i++) {
        if (!is_special(t, i)) {
            continue;
        }
        vb_str s = t->texts[i];
        if (s.len > VB_SPECIAL_TOKEN_BYTES_MAX) {
            free(keys);
            return vb_fail(e, VB_ELIMIT,
                           "tokenizer.ggml.tokens: special token %u has %zu bytes, the limit is %u",
                           i, s.len, VB_SPECIAL_TOKEN_BYTES_MAX);
        }
        if (vb_strmap_find(&t->map, s.p, s.len) == (int32_t)i) {
            keys[n++] = (special_key){s, i};
        }
    }
    if (n) {
        qsort(keys, n, sizeof *keys, compare_keys);
    }
    for (uint32_t i = 0; i < n; i++) {
        t->specials.ids[i] = keys[i].id;
        t->specials.first[(uint8_t)keys[i].text.p[0] + 1]++;
    }
    for (int b = 0; b < 256; b++) {
        t->specials.first[b + 1] += t->specials.first[b];
    }
    free(keys);
    return VB_OK;
}

/* First of ids[lo, hi), all longer than depth, whose byte at depth is at least c. */
static uint32_t lower_bound(const vb_tokenizer *t, uint32_t lo, uint32_t hi, size_t depth, int c) {
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if ((uint8_t)t->texts[t->specials.ids[mid]].p[depth] < c) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo;
}

static int32_t longest_at(const vb_tokenizer *t, const char *text, size_t len, bool parse_special) {
    const uint32_t *ids = t->specials.ids;
    uint32_t lo = t->specials.first[(uint8_t)text[0]];
    uint32_t hi = t->specials.first[(uint8_t)text[0] + 1];
    int32_t best = VB_TOKEN_NONE;
    for (size_t depth = 1; lo < hi; depth++) {
        /* All of ids[lo, hi) begin with text[0, depth); the one that ends there sorts first. */
        if (t->texts[ids[lo]].len == depth) {
            if (parse_special || t->kinds[ids[lo]] == VB_TOKEN_USER_DEFINED) {
                best = (int32_t)ids[lo];
            }
            lo++;
        }
        if (depth == len) {
            break;
        }
        int c = (uint8_t)text[depth];
        lo = lower_bound(t, lo, hi, depth, c);
        hi = lower_bound(t, lo, hi, depth, c + 1);
    }
    return best;
}

int32_t vb_special_next(const vb_tokenizer *t, const char *text, size_t len, size_t from,
                        bool parse_special, size_t *at) {
    for (size_t i = from; i < len; i++) {
        uint8_t b = (uint8_t)text[i];
        if (t->specials.first[b] == t->specials.first[b + 1]) {
            continue;
        }
        int32_t id = longest_at(t, text + i, len - i, parse_special);
        if (id != VB_TOKEN_NONE) {
            *at = i;
            return id;
        }
    }
    *at = len;
    return VB_TOKEN_NONE;
}
